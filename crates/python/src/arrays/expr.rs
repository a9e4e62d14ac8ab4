//! Expressions as Python objects.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use samite::array::{
    AxisChunks, AxisMap, DType, Distribution, Expr, Grid, Loop, Operand, Reduction, Run, Scan,
    Ufunc, ViewAxis,
};

use crate::arrays::call::{PythonFunction, Reader};
use crate::arrays::convert::{chunk_of, raised, to_chunk, to_numpy, to_scalar};
use crate::gil;

/// A lazy array of native elements.
#[pyclass(frozen, weakref, module = "samite._engine")]
pub struct ArrayExpr {
    pub expr: Expr,
}

/// Block lengths by axis, as Python code has them.
type Chunks = Vec<Vec<usize>>;

fn grid_of(chunks: Chunks) -> Grid {
    Grid::new(chunks.into_iter().map(AxisChunks::from))
}

fn dtype_of(name: &str) -> PyResult<DType> {
    DType::from_name(name)
        .ok_or_else(|| PyTypeError::new_err(format!("there are no native elements of {name}")))
}

fn ufunc_of(name: &str) -> PyResult<Ufunc> {
    Ufunc::from_name(name)
        .ok_or_else(|| PyTypeError::new_err(format!("there is no native function {name}")))
}

/// The distribution that NumPy calls so.
fn distribution_of(name: &str, parameters: &[f64]) -> Option<Distribution> {
    use Distribution as D;
    Some(match (name, parameters) {
        ("random", []) => D::Random,
        ("uniform", [low, high]) => D::Uniform { low: *low, high: *high },
        ("normal", [loc, scale]) => D::Normal { loc: *loc, scale: *scale },
        ("lognormal", [mean, sigma]) => D::Lognormal { mean: *mean, sigma: *sigma },
        ("exponential", [scale]) => D::Exponential { scale: *scale },
        ("gamma", [shape, scale]) => D::Gamma { shape: *shape, scale: *scale },
        ("beta", [a, b]) => D::Beta { a: *a, b: *b },
        ("poisson", [lam]) => D::Poisson { lam: *lam },
        ("laplace", [loc, scale]) => D::Laplace { loc: *loc, scale: *scale },
        ("logistic", [loc, scale]) => D::Logistic { loc: *loc, scale: *scale },
        ("gumbel", [loc, scale]) => D::Gumbel { loc: *loc, scale: *scale },
        ("rayleigh", [scale]) => D::Rayleigh { scale: *scale },
        _ => return None,
    })
}

fn words_of(seed: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(seed.chunks_exact(8)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
}

fn wrap(py: Python<'_>, made: Result<Expr, samite::array::ArrayError>) -> PyResult<ArrayExpr> {
    made.map(|expr| ArrayExpr { expr }).map_err(|failed| raised(py, failed))
}

/// The dtypes that a function's loop takes and gives for arguments of these dtypes, or None where
/// there is no native one.
#[pyfunction]
pub fn resolve_ufunc(name: &str, dtypes: Vec<String>) -> Option<(Vec<&'static str>, &'static str)> {
    let ufunc = Ufunc::from_name(name)?;
    let dtypes: Option<Vec<DType>> = dtypes.iter().map(|dtype| DType::from_name(dtype)).collect();
    let found = ufunc.resolve(&dtypes?)?;
    Some((found.inputs.iter().map(|dtype| dtype.name()).collect(), found.output.name()))
}

/// Runs along one axis: `(start, step, length)` triples.
type Runs = Vec<(usize, isize, usize)>;

#[pymethods]
impl ArrayExpr {
    /// A plain NumPy array; None where its elements are not native. It is read where it is, or
    /// copied. `content()` gives 16 bytes that stand for its elements; without it they are found
    /// when a name is asked for. `file` says that it is a mapped file, of which nothing is in memory
    /// alone.
    #[staticmethod]
    #[pyo3(signature = (array, chunks, copy, content=None, file=false))]
    fn from_numpy(
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        chunks: Chunks,
        copy: bool,
        content: Option<Py<PyAny>>,
        file: bool,
    ) -> PyResult<Option<Self>> {
        let Some(mut chunk) = chunk_of(array, file) else { return Ok(None) };
        if copy {
            chunk = gil::released(|| chunk.copied()).map_err(|failed| raised(py, failed))?;
        }
        let Some(content) = content else {
            return wrap(py, Expr::from_chunk(chunk, grid_of(chunks))).map(Some);
        };
        let content = Content(Some(content));
        let token = move || content.token();
        wrap(py, Expr::from_memory(chunk, grid_of(chunks), Arc::new(token))).map(Some)
    }

    /// Blocks that are at hand; None where one of them is no plain array of the dtype.
    #[staticmethod]
    fn stored(
        py: Python<'_>,
        blocks: Vec<Bound<'_, PyAny>>,
        dtype: &str,
        chunks: Chunks,
    ) -> PyResult<Option<Self>> {
        let dtype = dtype_of(dtype)?;
        let chunks_of: Option<Vec<_>> = blocks.iter().map(to_chunk).collect();
        let Some(blocks) = chunks_of else { return Ok(None) };
        if blocks.iter().any(|block| block.dtype() != dtype) {
            return Ok(None);
        }
        wrap(py, Expr::stored(blocks, dtype, grid_of(chunks))).map(Some)
    }

    #[staticmethod]
    fn full(value: &Bound<'_, PyAny>, dtype: &str, chunks: Chunks) -> PyResult<Self> {
        let scalar = to_scalar(value, dtype_of(dtype)?)?;
        wrap(value.py(), Expr::full(scalar, grid_of(chunks)))
    }

    #[staticmethod]
    fn iota(
        start: &Bound<'_, PyAny>,
        step: &Bound<'_, PyAny>,
        dtype: &str,
        chunks: Chunks,
    ) -> PyResult<Self> {
        let dtype = dtype_of(dtype)?;
        let (start_, step) = (to_scalar(start, dtype)?, to_scalar(step, dtype)?);
        wrap(start.py(), Expr::iota(start_, step, grid_of(chunks)))
    }

    /// Random numbers of a distribution by NumPy's name, with its parameters as numbers; None where
    /// there is no native one. The seed is of 32 bytes.
    #[staticmethod]
    fn random(
        py: Python<'_>,
        distribution: &str,
        parameters: Vec<f64>,
        seed: [u8; 32],
        dtype: &str,
        chunks: Chunks,
    ) -> PyResult<Option<Self>> {
        let Some(distribution) = distribution_of(distribution, &parameters) else {
            return Ok(None);
        };
        let words = words_of(&seed);
        wrap(py, Expr::random(distribution, words, dtype_of(dtype)?, grid_of(chunks))).map(Some)
    }

    /// Random whole numbers from `low` up to and with `last`.
    #[staticmethod]
    fn random_integers(
        py: Python<'_>,
        low: i128,
        last: i128,
        seed: [u8; 32],
        dtype: &str,
        chunks: Chunks,
    ) -> PyResult<Self> {
        let words = words_of(&seed);
        let integers = Distribution::Integers { low, last };
        wrap(py, Expr::random(integers, words, dtype_of(dtype)?, grid_of(chunks)))
    }

    /// A function of elements. Operands are expressions or numbers; `types` are the dtypes that the
    /// function takes, `output` the one it gives.
    #[staticmethod]
    fn map(
        py: Python<'_>,
        ufunc: &str,
        operands: Vec<Bound<'_, PyAny>>,
        types: Vec<String>,
        output: &str,
    ) -> PyResult<Self> {
        let ufunc = ufunc_of(ufunc)?;
        let inputs: Vec<DType> =
            types.iter().map(|name| dtype_of(name)).collect::<PyResult<_>>()?;
        if inputs.len() != operands.len() {
            return Err(PyValueError::new_err("as many dtypes as operands are needed"));
        }
        let operands = operands
            .iter()
            .zip(&inputs)
            .map(|(operand, dtype)| match operand.cast_exact::<Self>() {
                Ok(array) => Ok(Operand::Array(array.get().expr.clone())),
                Err(_) => to_scalar(operand, *dtype).map(Operand::Scalar),
            })
            .collect::<PyResult<_>>()?;
        let types = Loop { inputs: inputs.into_iter().collect(), output: dtype_of(output)? };
        wrap(py, Expr::map(ufunc, Some(types), operands))
    }

    /// The blocks that a function makes of the blocks of other arrays, whose axes are paired with
    /// those of the result by numbers. Arguments are `("block", n)` for the block of an input,
    /// `("constant", value)`, and `("at", object, axes)` for what an object has at the position of
    /// the block along axes of the result.
    #[staticmethod]
    #[allow(clippy::too_many_arguments, reason = "an interface of keywords")]
    fn call(
        py: Python<'_>,
        function: Bound<'_, PyAny>,
        arguments: Vec<Bound<'_, PyAny>>,
        keywords: Bound<'_, PyDict>,
        inputs: Vec<(Bound<'_, Self>, Vec<u32>)>,
        dtype: &str,
        chunks: Chunks,
        name: String,
    ) -> PyResult<Self> {
        let (dtype, grid) = (dtype_of(dtype)?, grid_of(chunks));
        let labels = (0..grid.ndim() as u32).collect();
        let inputs = inputs
            .into_iter()
            .map(|(input, labels)| (input.get().expr.clone(), labels.into_iter().collect()))
            .collect();
        let function =
            PythonFunction::new(function, &arguments, &keywords, name, dtype, grid.clone())?;
        wrap(py, Expr::call(Arc::new(function), inputs, labels, dtype, grid))
    }

    /// The parts of an object that has a shape and takes slices, read by `read(source, slices)`.
    #[staticmethod]
    fn reading(
        py: Python<'_>,
        read: Bound<'_, PyAny>,
        source: Bound<'_, PyAny>,
        dtype: &str,
        chunks: Chunks,
        name: String,
    ) -> PyResult<Self> {
        let (dtype, grid) = (dtype_of(dtype)?, grid_of(chunks));
        let labels = (0..grid.ndim() as u32).collect();
        let reader = Reader::new(read, source, name, dtype, grid.clone());
        wrap(py, Expr::call(Arc::new(reader), Vec::new(), labels, dtype, grid))
    }

    fn cast(&self, dtype: &str) -> PyResult<Self> {
        Ok(Self { expr: self.expr.cast(dtype_of(dtype)?) })
    }

    /// Axes of the input by number, or None for a new one, of the blocks given.
    fn view(
        &self,
        py: Python<'_>,
        axes: Vec<Option<usize>>,
        chunks: Vec<Option<Vec<usize>>>,
    ) -> PyResult<Self> {
        let axes: Vec<_> = axes
            .into_iter()
            .zip(chunks)
            .map(|(axis, sizes)| {
                (axis.map_or(ViewAxis::New, ViewAxis::Input), sizes.map(AxisChunks::from))
            })
            .collect();
        wrap(py, self.expr.view(&axes))
    }

    fn broadcast_to(&self, py: Python<'_>, chunks: Chunks) -> PyResult<Self> {
        wrap(py, self.expr.broadcast_to(&grid_of(chunks)))
    }

    /// Other elements along each axis: runs, or None for all, and the chunks of the result.
    fn gather(&self, py: Python<'_>, runs: Vec<Option<Runs>>, chunks: Chunks) -> PyResult<Self> {
        let maps = runs
            .into_iter()
            .zip(self.expr.shape())
            .map(|(runs, len)| match runs {
                None => AxisMap::identity(*len),
                Some(runs) => AxisMap::from_runs(runs.into_iter().map(|(start, step, len)| Run {
                    start,
                    step,
                    len,
                })),
            })
            .collect();
        wrap(py, self.expr.gather(maps, grid_of(chunks)))
    }

    /// The elements at positions along one axis.
    fn take(
        &self,
        py: Python<'_>,
        axis: usize,
        positions: Vec<usize>,
        chunks: Chunks,
    ) -> PyResult<Self> {
        let maps = self
            .expr
            .shape()
            .iter()
            .enumerate()
            .map(|(place, len)| match place == axis {
                true => AxisMap::positions(positions.iter().copied()),
                false => AxisMap::identity(*len),
            })
            .collect();
        wrap(py, self.expr.gather(maps, grid_of(chunks)))
    }

    fn rechunk(&self, py: Python<'_>, chunks: Chunks) -> PyResult<Self> {
        wrap(py, self.expr.rechunk(grid_of(chunks)))
    }

    #[staticmethod]
    fn concatenate(py: Python<'_>, arrays: Vec<Bound<'_, Self>>, axis: usize) -> PyResult<Self> {
        let arrays = arrays.iter().map(|array| array.get().expr.clone()).collect();
        wrap(py, Expr::concatenate(arrays, axis))
    }

    #[pyo3(signature = (reduction, axes, accumulator=None, ddof=0.0, split_every=Vec::new()))]
    fn reduce(
        &self,
        py: Python<'_>,
        reduction: &str,
        axes: Vec<usize>,
        accumulator: Option<&str>,
        ddof: f64,
        split_every: Vec<u32>,
    ) -> PyResult<Self> {
        let reduction = Reduction::from_name(reduction).ok_or_else(|| {
            PyTypeError::new_err(format!("there is no native reduction {reduction}"))
        })?;
        let accumulator = accumulator.map(dtype_of).transpose()?;
        let marks: Vec<bool> = (0..self.expr.ndim()).map(|axis| axes.contains(&axis)).collect();
        wrap(py, self.expr.reduce(reduction, &marks, accumulator, ddof, &split_every))
    }

    fn scan(&self, py: Python<'_>, scan: &str, axis: usize, output: &str) -> PyResult<Self> {
        let scan = match scan {
            "sum" => Scan::Sum,
            "prod" => Scan::Prod,
            other => {
                let text = format!("there is no native running total {other}");
                return Err(PyTypeError::new_err(text));
            }
        };
        wrap(py, self.expr.scan(scan, axis, dtype_of(output)?))
    }

    fn reshape(&self, py: Python<'_>, chunks: Chunks) -> PyResult<Self> {
        wrap(py, self.expr.reshape(grid_of(chunks)))
    }

    fn matmul(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<Self> {
        wrap(py, self.expr.matmul(&other.get().expr))
    }

    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.expr.shape())
    }

    #[getter]
    fn dtype(&self) -> &'static str {
        self.expr.dtype().name()
    }

    #[getter]
    fn ndim(&self) -> usize {
        self.expr.ndim()
    }

    /// The block lengths along each axis.
    #[getter]
    fn chunks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let axes: Vec<_> = self
            .expr
            .grid()
            .axes()
            .iter()
            .map(|sizes| PyTuple::new(py, sizes.iter()))
            .collect::<PyResult<_>>()?;
        PyTuple::new(py, axes)
    }

    /// The blocks that it holds, in row-major order; None where they have to be computed.
    fn blocks<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        let Some(blocks) = self.expr.blocks() else { return Ok(None) };
        blocks.iter().map(|block| to_numpy(py, block)).collect::<PyResult<_>>().map(Some)
    }

    /// The number of blocks along each axis.
    #[getter]
    fn numblocks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.expr.grid().counts().iter())
    }

    /// Whether functions of Python's are part of it.
    #[getter]
    fn has_calls(&self) -> bool {
        self.expr.has_calls()
    }

    /// What the outermost operation is called.
    #[getter]
    fn operation(&self) -> String {
        self.expr.operation()
    }

    /// The token of the expression as 32 hexadecimal digits.
    fn token(&self) -> String {
        let expr = &self.expr;
        format!("{:032x}", gil::released(|| expr.token()))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let expr = &self.expr;
        let bytes = gil::released(|| expr.encode()).map_err(|failed| raised(py, failed))?;
        let decode = py.get_type::<Self>().getattr("_decode")?;
        Ok((decode, (PyBytes::new(py, &bytes),)))
    }

    /// The expression of pickled bytes.
    #[staticmethod]
    fn _decode(py: Python<'_>, bytes: &[u8]) -> PyResult<Self> {
        wrap(py, Expr::decode(bytes))
    }

    /// The tree of operations.
    fn tree(&self) -> String {
        self.expr.tree()
    }

    /// The tree before and after the passes.
    fn explain(&self, py: Python<'_>) -> PyResult<String> {
        self.expr.explain().map_err(|failed| raised(py, failed))
    }

    fn __repr__(&self) -> String {
        format!("<{:?}>", self.expr)
    }
}

/// A function of Python's that gives the content's token.
struct Content(Option<Py<PyAny>>);

impl Content {
    fn token(&self) -> u128 {
        Python::attach(|py| {
            let content = self.0.as_ref()?.bind(py).call0().ok()?;
            let bytes = content.cast::<PyBytes>().ok()?.as_bytes().try_into().ok()?;
            Some(u128::from_le_bytes(bytes))
        })
        .unwrap_or_default()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        gil::drop_attached(self.0.take());
    }
}
