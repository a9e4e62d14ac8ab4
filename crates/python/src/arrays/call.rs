//! Functions of Python's as operations of expressions: called with blocks, and held to what their
//! results were said to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySlice, PyString, PyTuple};
use samite::array::{AxisMap, BlockFunction, DType, Grid, Offsets, Run};
use samite::runtime::{OperationError, Value};

use crate::arrays::convert::{handed_over, scalar_chunk};
use crate::gil;
use crate::value::to_python;

create_exception!(
    samite._engine,
    UnexpectedBlock,
    PyException,
    "A function gave a block that is not what its array was said to consist of."
);

/// An argument of a function.
enum Argument {
    /// The block of an input.
    Block(usize),
    /// The same for all blocks.
    Constant(Py<PyAny>),
    /// What an object has at the block's position, along these axes of the result.
    At(Py<PyAny>, Vec<usize>),
}

impl Argument {
    /// As Python code writes it: `(kind, value)` or `(kind, value, axes)`.
    fn new(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let kind: String = given.get_item(0)?.extract()?;
        let value = given.get_item(1)?;
        Ok(match &*kind {
            "block" => Self::Block(value.extract()?),
            "constant" => Self::Constant(value.unbind()),
            "at" => Self::At(value.unbind(), given.get_item(2)?.extract()?),
            other => {
                let text = format!("a function has no argument of the kind {other:?}");
                return Err(PyValueError::new_err(text));
            }
        })
    }

    fn value<'py>(
        &self,
        py: Python<'py>,
        position: &[u32],
        inputs: &[Value],
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Block(place) => match inputs.get(*place) {
                Some(block) => to_python(py, block),
                None => Err(PyValueError::new_err("a block that a function needs is missing")),
            },
            Self::Constant(value) => Ok(value.bind(py).clone()),
            Self::At(object, axes) => {
                let place = axes.iter().map(|axis| position.get(*axis).copied().unwrap_or(0));
                let place: Vec<u32> = place.collect();
                object.bind(py).get_item(PyTuple::new(py, place)?)
            }
        }
    }
}

/// What the blocks of a result have to be.
struct Expected {
    dtype: DType,
    grid: Grid,
}

impl Expected {
    /// A result as the block at a position.
    fn block(&self, result: &Bound<'_, PyAny>, position: &[u32]) -> PyResult<Value> {
        let wanted = self.grid.block_shape(position);
        let chunk = match handed_over(result) {
            Some(chunk) => Some(chunk),
            None if wanted.is_empty() => scalar_chunk(result),
            None => None,
        };
        match chunk {
            Some(chunk) if chunk.dtype() == self.dtype && *chunk.shape() == *wanted => {
                Ok(Arc::new(chunk) as Value)
            }
            Some(chunk) => Err(self.unexpected(&format!("{chunk:?}"), &wanted)),
            None => {
                let found =
                    result.get_type().name().map_or_else(|_| String::new(), |n| n.to_string());
                Err(self.unexpected(&found, &wanted))
            }
        }
    }

    fn unexpected(&self, found: &str, wanted: &[usize]) -> PyErr {
        let dtype = self.dtype.name();
        UnexpectedBlock::new_err(format!("{found} in place of {dtype} of shape {wanted:?}"))
    }
}

/// A number that no other function of this process has.
fn fresh_token() -> u128 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A function of Python's.
pub struct PythonFunction {
    function: Option<Py<PyAny>>,
    arguments: Vec<Argument>,
    keywords: Vec<(Py<PyString>, Argument)>,
    name: String,
    token: u128,
    expected: Expected,
}

impl PythonFunction {
    /// `arguments` and `keywords` are as [`Argument::new`] takes them.
    pub fn new(
        function: Bound<'_, PyAny>,
        arguments: &[Bound<'_, PyAny>],
        keywords: &Bound<'_, PyDict>,
        name: String,
        dtype: DType,
        grid: Grid,
    ) -> PyResult<Self> {
        let arguments = arguments.iter().map(Argument::new).collect::<PyResult<_>>()?;
        let keyword = |(name, given): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((name.cast_into::<PyString>()?.unbind(), Argument::new(&given)?))
        };
        let keywords = keywords.iter().map(keyword).collect::<PyResult<_>>()?;
        let expected = Expected { dtype, grid };
        let function = Some(function.unbind());
        Ok(Self { function, arguments, keywords, name, token: fresh_token(), expected })
    }

    fn call(&self, py: Python<'_>, position: &[u32], inputs: &mut Vec<Value>) -> PyResult<Value> {
        let Some(function) = &self.function else {
            return Err(PyValueError::new_err("the function is gone"));
        };
        let arguments = self
            .arguments
            .iter()
            .map(|argument| argument.value(py, position, inputs))
            .collect::<PyResult<Vec<_>>>()?;
        let keywords = match &*self.keywords {
            [] => None,
            several => {
                let keywords = PyDict::new(py);
                for (name, argument) in several {
                    keywords.set_item(name, argument.value(py, position, inputs)?)?;
                }
                Some(keywords)
            }
        };
        // What nobody else needs goes as soon as the function lets go of it.
        inputs.clear();
        let arguments = PyTuple::new(py, arguments)?;
        let result = function.bind(py).call(arguments, keywords.as_ref())?;
        self.expected.block(&result, position)
    }
}

impl Drop for PythonFunction {
    fn drop(&mut self) {
        let arguments = std::mem::take(&mut self.arguments);
        let keywords = std::mem::take(&mut self.keywords);
        gil::drop_attached((self.function.take(), arguments, keywords));
    }
}

impl BlockFunction for PythonFunction {
    fn run(&self, position: &[u32], inputs: &mut Vec<Value>) -> Result<Value, OperationError> {
        Python::attach(|py| self.call(py, position, inputs)).map_err(OperationError::new)
    }

    fn guarded(&self) -> bool {
        true
    }

    fn token(&self) -> u128 {
        self.token
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// Parts of an object that has a shape and takes slices: a file, or an array of another library.
pub struct Reader {
    /// Reads a part: `read(source, slices)`.
    read: Option<Arc<Py<PyAny>>>,
    source: Option<Arc<Py<PyAny>>>,
    /// Which elements of the source, along each of its axes.
    runs: Vec<Run>,
    offsets: Offsets,
    name: String,
    token: u128,
    expected: Expected,
}

impl Reader {
    /// All of `source`, in the blocks of a grid.
    pub fn new(
        read: Bound<'_, PyAny>,
        source: Bound<'_, PyAny>,
        name: String,
        dtype: DType,
        grid: Grid,
    ) -> Self {
        let runs = grid.shape().iter().map(|len| Run { start: 0, step: 1, len: *len }).collect();
        Self {
            read: Some(Arc::new(read.unbind())),
            source: Some(Arc::new(source.unbind())),
            runs,
            offsets: Offsets::of(&grid),
            name,
            token: fresh_token(),
            expected: Expected { dtype, grid },
        }
    }

    fn part(&self, py: Python<'_>, position: &[u32]) -> PyResult<Value> {
        let (Some(read), Some(source)) = (&self.read, &self.source) else {
            return Err(PyValueError::new_err("the source is gone"));
        };
        let region = self.offsets.region(position);
        let slices = self
            .runs
            .iter()
            .zip(region)
            .map(|(run, part)| {
                let step = run.step;
                let start = run.start as isize + part.start as isize * step;
                // The slice ends right behind its last element, as it has to inside the source.
                let stop = match part.len() {
                    0 => start,
                    len => start + (len as isize - 1) * step + 1,
                };
                slice(py, start, stop, step)
            })
            .collect::<PyResult<Vec<_>>>()?;
        let index = PyTuple::new(py, slices)?;
        let result = read.bind(py).call1((source.bind(py), index))?;
        self.expected.block(&result, position)
    }
}

/// A slice with a step of None where it is one, as files know it best.
fn slice(py: Python<'_>, start: isize, stop: isize, step: isize) -> PyResult<Bound<'_, PyAny>> {
    if step == 1 {
        let class = py.get_type::<PySlice>();
        return class.call1((start, stop, py.None()));
    }
    Ok(PySlice::new(py, start, stop, step).into_any())
}

impl Drop for Reader {
    fn drop(&mut self) {
        gil::drop_attached((self.read.take(), self.source.take()));
    }
}

impl BlockFunction for Reader {
    fn run(&self, position: &[u32], _inputs: &mut Vec<Value>) -> Result<Value, OperationError> {
        Python::attach(|py| self.part(py, position)).map_err(OperationError::new)
    }

    fn guarded(&self) -> bool {
        true
    }

    fn select(&self, maps: &[AxisMap], grid: &Grid) -> Option<Arc<dyn BlockFunction>> {
        let runs: Option<Vec<Run>> = self
            .runs
            .iter()
            .zip(maps)
            .map(|(run, map)| {
                let part = map.single()?;
                let start =
                    run.start.checked_add_signed(run.step.checked_mul(part.start as isize)?)?;
                let step = run.step.checked_mul(part.step)?;
                // Files read best what lies together.
                (step == 1).then_some(Run { start, step, len: part.len })
            })
            .collect();
        Some(Arc::new(Self {
            read: self.read.clone(),
            source: self.source.clone(),
            runs: runs?,
            offsets: Offsets::of(grid),
            name: self.name.clone(),
            token: self.token ^ (fresh_token() << 64),
            expected: Expected { dtype: self.expected.dtype, grid: grid.clone() },
        }))
    }

    fn token(&self) -> u128 {
        self.token
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
