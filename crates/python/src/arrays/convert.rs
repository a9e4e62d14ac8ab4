//! NumPy arrays as chunks, and chunks as NumPy arrays: the same memory, no copies.

use std::ffi::c_int;
use std::sync::Arc;

use numpy::npyffi::{self, NPY_TYPES};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;
use samite::array::{ArrayError, Buffer, Chunk, DType, Scalar};
use samite::runtime::{OperationError, Value};

use crate::cluster::tasks;
use crate::error;
use crate::gil;

/// The array error as the exception that NumPy would raise.
pub fn raised(py: Python<'_>, failed: ArrayError) -> PyErr {
    let text = failed.to_string();
    match failed {
        ArrayError::Runtime(inner) => error::to_python(py, inner),
        other => exception(&other, text),
    }
}

/// As [`raised`], for an error inside a task.
pub fn exception(failed: &ArrayError, text: String) -> PyErr {
    match failed {
        ArrayError::Shapes { .. }
        | ArrayError::Chunks { .. }
        | ArrayError::EmptyReduction { .. }
        | ArrayError::AllNan
        | ArrayError::Parameter { .. }
        | ArrayError::TooLarge { .. } => PyValueError::new_err(text),
        ArrayError::Axis { .. } => pyo3::exceptions::PyIndexError::new_err(text),
        ArrayError::DTypes { .. } | ArrayError::WrongChunk { .. } => PyTypeError::new_err(text),
        ArrayError::Io { source, .. } => match source.raw_os_error() {
            Some(code) => pyo3::exceptions::PyOSError::new_err((code, text)),
            None => pyo3::exceptions::PyOSError::new_err(text),
        },
        ArrayError::OutOfMemory { .. } => PyMemoryError::new_err(text),
        ArrayError::LinearAlgebra { .. } => Python::attach(|py| {
            let class = py.import("numpy.linalg").and_then(|module| module.getattr("LinAlgError"));
            match class.and_then(|class| class.call1((text,))) {
                Ok(error) => PyErr::from_value(error),
                Err(error) => error,
            }
        }),
        _ => PyRuntimeError::new_err(text),
    }
}

/// The native dtype of a NumPy dtype; `None` for others, and for foreign byte orders.
pub fn native_dtype(descr: &Bound<'_, PyArrayDescr>) -> Option<DType> {
    if !matches!(descr.is_native_byteorder(), None | Some(true)) {
        return None;
    }
    let dtype = match (descr.kind(), descr.itemsize()) {
        (b'b', 1) => DType::Bool,
        (b'i', 1) => DType::I8,
        (b'i', 2) => DType::I16,
        (b'i', 4) => DType::I32,
        (b'i', 8) => DType::I64,
        (b'u', 1) => DType::U8,
        (b'u', 2) => DType::U16,
        (b'u', 4) => DType::U32,
        (b'u', 8) => DType::U64,
        (b'f', 2) => DType::F16,
        (b'f', 4) => DType::F32,
        (b'f', 8) => DType::F64,
        (b'c', 8) => DType::C64,
        (b'c', 16) => DType::C128,
        _ => return None,
    };
    Some(dtype)
}

fn numpy_type(dtype: DType) -> NPY_TYPES {
    match dtype {
        DType::Bool => NPY_TYPES::NPY_BOOL,
        DType::I8 => NPY_TYPES::NPY_BYTE,
        DType::I16 => NPY_TYPES::NPY_SHORT,
        DType::I32 => NPY_TYPES::NPY_INT,
        DType::I64 => NPY_TYPES::NPY_LONG,
        DType::U8 => NPY_TYPES::NPY_UBYTE,
        DType::U16 => NPY_TYPES::NPY_USHORT,
        DType::U32 => NPY_TYPES::NPY_UINT,
        DType::U64 => NPY_TYPES::NPY_ULONG,
        DType::F16 => NPY_TYPES::NPY_HALF,
        DType::F32 => NPY_TYPES::NPY_FLOAT,
        DType::F64 => NPY_TYPES::NPY_DOUBLE,
        DType::C64 => NPY_TYPES::NPY_CFLOAT,
        DType::C128 => NPY_TYPES::NPY_CDOUBLE,
    }
}

/// Keeps a Python object for as long as a chunk reads its memory.
struct Keeper(Option<Py<PyAny>>);

impl Drop for Keeper {
    fn drop(&mut self) {
        gil::drop_attached(self.0.take());
    }
}

/// The memory of a plain NumPy array as a chunk; `None` for subclasses and for dtypes that have no
/// native form.
pub fn to_chunk(array: &Bound<'_, PyAny>) -> Option<Chunk> {
    chunk_of(array, false)
}

/// As [`to_chunk`], for an array that a function gave away: its memory counts, and it comes out as
/// it went in.
pub fn handed_over(array: &Bound<'_, PyAny>) -> Option<Chunk> {
    view_of(array, |start, len, keeper| {
        // SAFETY: as the caller's promise, for `view_of` describes the array's own memory.
        unsafe { Buffer::handed_over(start, len, keeper) }
    })
}

/// As [`to_chunk`], for an array that is a mapped file if `file` is true.
pub fn chunk_of(array: &Bound<'_, PyAny>, file: bool) -> Option<Chunk> {
    view_of(array, |start, _, keeper| match file {
        // SAFETY: as the caller's promise, for `view_of` describes the array's own memory.
        true => unsafe { Buffer::mapped(start, 0, keeper) },
        // SAFETY: as above.
        false => unsafe { Buffer::lent(start, 0, keeper) },
    })
}

/// The array as a chunk over a buffer that is made of its first element, its bytes and what keeps
/// them.
fn view_of(
    array: &Bound<'_, PyAny>,
    lend: impl FnOnce(*const u8, usize, Box<dyn std::any::Any + Send + Sync>) -> Buffer,
) -> Option<Chunk> {
    let array = array.cast_exact::<PyUntypedArray>().ok()?;
    let dtype = native_dtype(&array.dtype())?;
    let (shape, strides) = (array.shape(), array.strides());
    let keeper = Box::new(Keeper(Some(array.clone().into_any().unbind())));
    let bytes = shape.iter().product::<usize>() * dtype.size();
    // SAFETY: the pointer is that of a live array object; its fields are only read.
    let start = unsafe { (*array.as_array_ptr()).fields.data }.cast::<u8>().cast_const();
    // SAFETY: NumPy guarantees that every element that shape and strides reach is in memory that the
    // array object keeps. Writing to an array while it is computed with is the user's own race, as
    // it is with NumPy itself.
    Some(unsafe {
        Chunk::from_raw(Arc::new(lend(start, bytes, keeper)), start, dtype, shape, strides)
    })
}

/// The array that a chunk was made of, if it is all of it.
fn original<'py>(py: Python<'py>, chunk: &Chunk) -> Option<Bound<'py, PyAny>> {
    let keeper = chunk.buffer().keeper()?.downcast_ref::<Keeper>()?;
    if chunk.buffer().held_bytes() == 0 {
        return None;
    }
    let object = keeper.0.as_ref()?.bind(py);
    let array = object.cast_exact::<PyUntypedArray>().ok()?;
    // SAFETY: the pointer is that of a live array object; its fields are only read.
    let start = unsafe { (*array.as_array_ptr()).fields.data }.cast::<u8>().cast_const();
    let same = start == chunk.as_ptr()
        && *array.shape() == *chunk.shape()
        && *array.strides() == *chunk.strides()
        && native_dtype(&array.dtype()) == Some(chunk.dtype());
    same.then(|| object.clone())
}

/// The result of a computation: an array that nobody else holds, which the user may write to.
///
/// Without axes it is a scalar, as the results of NumPy's functions are, unless `source` says that
/// the array itself was asked for.
pub fn to_result<'py>(py: Python<'py>, chunk: Chunk, source: bool) -> PyResult<Bound<'py, PyAny>> {
    let alone = Arc::strong_count(chunk.buffer()) == 1;
    if alone && let Some(array) = given_away(py, &chunk) {
        return Ok(array);
    }
    // What a function of Python's gave is what it is.
    let source = source || original(py, &chunk).is_some();
    let alone = alone && is_writable(&chunk);
    if alone {
        let array = to_numpy(py, &chunk)?;
        return if source { Ok(array) } else { scalar_if_single(array) };
    }
    let copy = gil::released(|| chunk.copied()).map_err(|failed| raised(py, failed))?;
    drop(chunk);
    let array = to_numpy(py, &copy)?;
    if source { Ok(array) } else { scalar_if_single(array) }
}

/// The array that a chunk was made of, if it has its memory for itself and nobody else has it.
fn given_away<'py>(py: Python<'py>, chunk: &Chunk) -> Option<Bound<'py, PyAny>> {
    let keeper = chunk.buffer().keeper()?.downcast_ref::<Keeper>()?;
    // SAFETY: the object is alive, for the chunk keeps it.
    if unsafe { pyo3::ffi::Py_REFCNT(keeper.0.as_ref()?.as_ptr()) } != 1 {
        return None;
    }
    let array = original(py, chunk)?;
    // SAFETY: the pointer is that of a live array object; its fields are only read.
    let flags = unsafe { (*array.cast::<PyUntypedArray>().ok()?.as_array_ptr()).fields.flags };
    let own = npyffi::NPY_ARRAY_OWNDATA | npyffi::NPY_ARRAY_WRITEABLE;
    (flags & own == own).then_some(array)
}

/// What NumPy gives for an array without axes: its element.
fn scalar_if_single(array: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    match array.cast::<PyUntypedArray>()?.ndim() {
        0 => array.get_item(pyo3::types::PyTuple::empty(array.py())),
        _ => Ok(array),
    }
}

/// The Python object of a chunk that a task of Python's gets.
pub fn to_argument<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyAny>> {
    // A function may write to its argument, and what an expression reads again must stay as it is.
    if chunk.is_kept() && chunk.buffer().held_bytes() > 0 {
        let copy = gil::released(|| chunk.copied()).map_err(|failed| raised(py, failed))?;
        return scalar_if_single(to_numpy(py, &copy)?);
    }
    // What another function made is handed on as it is.
    if let Some(array) = original(py, chunk) {
        return Ok(array);
    }
    scalar_if_single(to_numpy(py, chunk)?)
}

/// As [`to_argument`], but without a copy, and so that it cannot be written to.
pub fn to_reader<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyAny>> {
    let array = array_of(py, chunk, false)?;
    if original(py, chunk).is_some() { Ok(array) } else { scalar_if_single(array) }
}

/// As [`to_argument`], for a function that writes to its argument: a copy of what others read too.
pub fn to_writer<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyAny>> {
    if chunk.is_kept() && chunk.ndim() > 0 {
        let copy = gil::released(|| chunk.copied()).map_err(|failed| raised(py, failed))?;
        return to_numpy(py, &copy);
    }
    to_argument(py, chunk)
}

/// Whether every element has memory of its own, which was allocated here.
fn is_writable(chunk: &Chunk) -> bool {
    let mut axes = chunk.shape().iter().zip(chunk.strides());
    chunk.buffer().owned_bytes() > 0 && !axes.any(|(len, stride)| *len > 1 && *stride == 0)
}

/// A chunk as a NumPy array of the same memory, which keeps the chunk. Memory that was lent, and
/// elements that repeat, are read-only.
pub fn to_numpy<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyAny>> {
    array_of(py, chunk, is_writable(chunk))
}

fn array_of<'py>(py: Python<'py>, chunk: &Chunk, writable: bool) -> PyResult<Bound<'py, PyAny>> {
    let keeper = Bound::new(py, NativeValue { value: Arc::new(chunk.clone()) })?;
    let mut shape: Vec<npyffi::npy_intp> = chunk.shape().iter().map(|len| *len as _).collect();
    let mut strides: Vec<npyffi::npy_intp> =
        chunk.strides().iter().map(|step| *step as _).collect();
    let api = &npyffi::PY_ARRAY_API;
    let flags = if writable { npyffi::NPY_ARRAY_WRITEABLE } else { 0 };
    // SAFETY: NumPy makes an array over memory that is described by shape and strides, which hold
    // for the chunk; the base object keeps the memory, and both references that the calls take are
    // handed over.
    unsafe {
        let descr = api.PyArray_DescrFromType(py, numpy_type(chunk.dtype()) as c_int);
        let kind = npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type);
        let array = api.PyArray_NewFromDescr(
            py,
            kind,
            descr,
            shape.len() as c_int,
            shape.as_mut_ptr(),
            strides.as_mut_ptr(),
            chunk.as_ptr().cast_mut().cast(),
            flags,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        let failed =
            api.PyArray_SetBaseObject(py, array.as_ptr().cast(), keeper.into_any().into_ptr());
        if failed < 0 {
            return Err(PyErr::fetch(py));
        }
        api.PyArray_UpdateFlags(
            py,
            array.as_ptr().cast(),
            npyffi::NPY_ARRAY_ALIGNED
                | npyffi::NPY_ARRAY_C_CONTIGUOUS
                | npyffi::NPY_ARRAY_F_CONTIGUOUS,
        );
        Ok(array)
    }
}

/// A scalar of a dtype, from a Python number or NumPy scalar of that dtype.
pub fn to_scalar(value: &Bound<'_, PyAny>, dtype: DType) -> PyResult<Scalar> {
    let py = value.py();
    // NumPy knows how its numbers and Python's become elements.
    let array = py.import("numpy")?.call_method1("asarray", (value, dtype.name()))?;
    let chunk = to_chunk(&array)
        .ok_or_else(|| PyTypeError::new_err("a scalar has no native form"))?
        .contiguous()
        .map_err(|failed| raised(py, failed))?;
    chunk
        .as_bytes()
        .and_then(|bytes| Scalar::from_bytes(dtype, bytes))
        .ok_or_else(|| PyValueError::new_err("a scalar must have exactly one element"))
}

/// A value of the engine that Python code only passes on: a partial result, or nothing.
#[pyclass(frozen, module = "samite._engine")]
pub struct NativeValue {
    pub value: Value,
}

#[pymethods]
impl NativeValue {
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, tasks::Packed<'py>)> {
        Ok((py.get_type::<Self>().getattr("_of")?, tasks::packed(py, &self.value)?))
    }

    /// The value of what its pickle holds.
    #[staticmethod]
    fn _of(py: Python<'_>, kind: u8, frames: &Bound<'_, PyList>) -> PyResult<Self> {
        Ok(Self { value: tasks::unpacked(py, kind, frames)? })
    }

    /// What schedulers of other makers count as its memory.
    fn __sizeof__(&self) -> usize {
        self.value.nbytes()
    }
}

/// The inputs of a native operation: Python objects that are plain arrays become chunks.
pub fn native_inputs(inputs: &mut [Value]) -> Result<(), OperationError> {
    use crate::value::PyValue;
    let foreign = |value: &Value| value.as_any().is::<PyValue>();
    if !inputs.iter().any(foreign) {
        return Ok(());
    }
    Python::attach(|py| {
        for value in inputs.iter_mut().filter(|value| foreign(value)) {
            let object = crate::value::to_python(py, value).map_err(OperationError::new)?;
            if let Some(native) = of_python(&object) {
                *value = native;
            }
        }
        Ok(())
    })
}

/// The native value of a Python object; `None` where it has none.
pub fn of_python(object: &Bound<'_, PyAny>) -> Option<Value> {
    if let Ok(native) = object.cast_exact::<NativeValue>() {
        return Some(native.get().value.clone());
    }
    if let Some(chunk) = to_chunk(object) {
        return Some(Arc::new(chunk));
    }
    Some(Arc::new(scalar_chunk(object)?))
}

/// NumPy's scalars are arrays without axes.
pub fn scalar_chunk(object: &Bound<'_, PyAny>) -> Option<Chunk> {
    let py = object.py();
    let generic = py.import("numpy").ok()?.getattr("generic").ok()?;
    if !object.is_instance(&generic).ok()? {
        return None;
    }
    let array = py.import("numpy").ok()?.call_method1("asarray", (object,)).ok()?;
    to_chunk(&array)
}
