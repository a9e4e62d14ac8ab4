//! Functions of Python's as operations of expressions: called with blocks, and held to what their
//! results were said to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use numpy::npyffi::NPY_ARRAY_WRITEABLE;
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySlice, PyString, PyTuple};
use samite::array::{AxisMap, BlockFunction, Chunk, DType, Grid, Offsets, Run};
use samite::runtime::{OperationError, Value};

use crate::arrays::convert::{handed_over, scalar_chunk, to_reader, to_writer};
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

    /// The argument for the block at a position.
    fn value<'py>(
        &self,
        py: Python<'py>,
        position: &[u32],
        inputs: &[Value],
        passing: Passing,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Block(place) => match inputs.get(*place) {
                Some(block) => match (Chunk::of(block), passing) {
                    (None, _) => to_python(py, block),
                    (Some(chunk), Passing::ToReader) => to_reader(py, chunk),
                    (Some(chunk), Passing::ToWriter) => to_writer(py, chunk),
                },
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

/// How a function is given its blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passing {
    /// Read-only, as they are.
    ToReader,
    /// So that it can write to them: those that others read too as copies.
    ToWriter,
}

/// Whether a function failed because it wrote to an array that is read-only. NumPy says so with a
/// `ValueError`, Cython too; others have exceptions of their own, but use the same words.
fn wrote_to_argument(py: Python<'_>, failed: &PyErr) -> bool {
    let Ok(text) = failed.value(py).str() else { return false };
    let text = text.to_string_lossy().to_lowercase();
    ["read-only", "readonly", "read only", "writeable", "writable"]
        .iter()
        .any(|words| text.contains(words))
}

/// Whether an array cannot be written to.
fn is_read_only(result: &Bound<'_, PyAny>) -> bool {
    let Ok(array) = result.cast_exact::<PyUntypedArray>() else { return false };
    // SAFETY: the pointer is that of a live array object; its fields are only read.
    let flags = unsafe { (*array.as_array_ptr()).fields.flags };
    flags & NPY_ARRAY_WRITEABLE == 0
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
    /// Whether it was seen to write to its arguments.
    writes: AtomicBool,
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
        let (token, writes) = (fresh_token(), AtomicBool::new(false));
        Ok(Self { function, arguments, keywords, name, token, expected, writes })
    }

    /// Calls the function. Where one of its blocks is read by others too, all are passed read-only,
    /// without a copy; if the function turns out to write to one, none of them has changed, and it is
    /// called again, and from then on, with blocks of its own.
    fn call(&self, py: Python<'_>, position: &[u32], inputs: &mut Vec<Value>) -> PyResult<Value> {
        let shared = inputs.iter().any(|input| Chunk::of(input).is_some_and(Chunk::is_kept));
        if shared && !self.writes.load(Ordering::Relaxed) {
            match self.called(py, position, inputs, Passing::ToReader) {
                // What is made of it may write to it: it must not be a view of what was lent.
                Ok(result) if is_read_only(&result) => {
                    return self.expected.block(&result.call_method1("copy", ("K",))?, position);
                }
                Ok(result) => return self.expected.block(&result, position),
                Err(failed) if wrote_to_argument(py, &failed) => {
                    self.writes.store(true, Ordering::Relaxed);
                }
                Err(failed) => return Err(failed),
            }
        }
        let result = self.called(py, position, inputs, Passing::ToWriter)?;
        self.expected.block(&result, position)
    }

    fn called<'py>(
        &self,
        py: Python<'py>,
        position: &[u32],
        inputs: &mut Vec<Value>,
        passing: Passing,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(function) = &self.function else {
            return Err(PyValueError::new_err("the function is gone"));
        };
        let arguments = self
            .arguments
            .iter()
            .map(|argument| argument.value(py, position, inputs, passing))
            .collect::<PyResult<Vec<_>>>()?;
        let keywords = match &*self.keywords {
            [] => None,
            several => {
                let keywords = PyDict::new(py);
                for (name, argument) in several {
                    let value = argument.value(py, position, inputs, passing)?;
                    keywords.set_item(name, value)?;
                }
                Some(keywords)
            }
        };
        // What nobody else needs goes as soon as the function lets go of it, unless it may be called
        // again.
        if passing == Passing::ToWriter {
            inputs.clear();
        }
        let arguments = PyTuple::new(py, arguments)?;
        function.bind(py).call(arguments, keywords.as_ref())
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
