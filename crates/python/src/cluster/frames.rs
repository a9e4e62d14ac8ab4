//! Python objects as frames of bytes, without copies where Python and the owner of the memory
//! allow it.
//!
//! The stable interface of Python 3.10 has no buffers, so NumPy stands between: an array is made of
//! a buffer to learn where its memory is, and an array is made over a frame for Python to read.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList};
use samite::array::{Buffer, Chunk, DType};
use samite::cluster::Owner;
use samite::runtime::Data as _;

use crate::arrays::convert;
use crate::gil;
use crate::helpers;

/// Shorter frames are copied: their memory is often part of something larger, which would live on.
const SHORT: usize = 16 << 10;

/// Whether frames may be views of the memory of what was pickled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The object does not change while the frames live.
    Shared,
    /// It may.
    Copied,
}

/// A chunk that lends its memory to a frame.
struct Lent(Chunk);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes().unwrap_or_default()
    }
}

/// The elements of a contiguous chunk as a frame, which keeps it.
pub fn of_chunk(chunk: Chunk) -> Bytes {
    Bytes::from_owner(Lent(chunk))
}

/// A frame as a chunk of bytes, which keeps it.
pub fn to_chunk(frame: &Bytes, dtype: DType, shape: &[usize], owner: Owner) -> Option<Chunk> {
    let wanted = samite::array::checked_len(shape)?.checked_mul(dtype.size())?;
    let aligned = (frame.as_ptr() as usize).is_multiple_of(dtype.size().min(16));
    if wanted != frame.len() || !aligned {
        return None;
    }
    let (start, length, keeper) = (frame.as_ptr(), frame.len(), Box::new(frame.clone()));
    // SAFETY: the frame's bytes are initialized and live as long as the keeper; where it is said
    // that nobody else has the frame, nobody reads them while the buffer's owner writes.
    let buffer = unsafe {
        if owner == Owner::Alone {
            Buffer::given(start.cast_mut(), length, keeper)
        } else {
            Buffer::handed_over(start, length, keeper)
        }
    };
    let strides = samite::array::contiguous_strides(shape, dtype.size());
    // SAFETY: the buffer has exactly the bytes of this layout, aligned for its elements.
    Some(unsafe { Chunk::from_raw(Arc::new(buffer), start.cast_mut(), dtype, shape, &strides) })
}

/// Python's bytes, kept by a frame.
struct Held {
    object: Option<Py<PyBytes>>,
    start: *const u8,
    length: usize,
}

// SAFETY: the memory of a bytes object never changes and never moves; the object is only touched
// when it is dropped, with the interpreter held.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range is that of the object, which is kept.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        gil::drop_attached(self.object.take());
    }
}

fn of_bytes(object: &Bound<'_, PyBytes>) -> Bytes {
    let bytes = object.as_bytes();
    if bytes.len() < SHORT {
        return Bytes::copy_from_slice(bytes);
    }
    let (start, length) = (bytes.as_ptr(), bytes.len());
    Bytes::from_owner(Held { object: Some(object.clone().unbind()), start, length })
}

/// A flat buffer's memory as an array of bytes, which keeps it.
fn viewed<'py>(buffer: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = buffer.py();
    let numpy = py.import(intern!(py, "numpy"))?;
    numpy.call_method1(intern!(py, "frombuffer"), (buffer, intern!(py, "uint8")))
}

fn of_buffer(buffer: &Bound<'_, PyAny>, memory: Memory) -> PyResult<Bytes> {
    if buffer.len()? == 0 {
        return Ok(Bytes::new());
    }
    let chunk = viewed(buffer).ok().and_then(|array| convert::to_chunk(&array));
    match chunk {
        Some(chunk) if memory == Memory::Shared && chunk.nbytes() >= SHORT => Ok(of_chunk(chunk)),
        Some(chunk) => Ok(Bytes::copy_from_slice(chunk.as_bytes().unwrap_or_default())),
        // Without NumPy.
        None => {
            let copy = buffer.call_method0(intern!(buffer.py(), "tobytes"))?;
            Ok(of_bytes(copy.cast::<PyBytes>()?))
        }
    }
}

/// The frames of what Python code pickled: the pickle, then its out-of-band buffers.
pub fn of_dumped(dumped: &Bound<'_, PyAny>, memory: Memory) -> PyResult<Vec<Bytes>> {
    let mut frames = Vec::new();
    for frame in dumped.try_iter()? {
        let frame = frame?;
        frames.push(match frame.cast::<PyBytes>() {
            Ok(bytes) => of_bytes(bytes),
            Err(_) => of_buffer(&frame, memory)?,
        });
    }
    Ok(frames)
}

/// Pickles an object.
pub fn dump(object: &Bound<'_, PyAny>, memory: Memory) -> PyResult<Vec<Bytes>> {
    of_dumped(&helpers::dump_object(object.py())?.call1((object,))?, memory)
}

/// Unpickles an object. The arrays made of its buffers can be written to, as the originals could,
/// unless they are said to be read only.
pub fn load<'py>(py: Python<'py>, frames: &[Bytes], owner: Owner) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(py);
    for (position, frame) in frames.iter().enumerate() {
        let short = frame.len() < SHORT;
        let object = if position == 0 {
            if short { None } else { over(py, frame, Owner::ReadOnly) }
        } else if owner == Owner::Others || short {
            Some(PyByteArray::new(py, frame).into_any())
        } else {
            over(py, frame, owner)
        };
        list.append(match object {
            Some(object) => object,
            None if position == 0 => PyBytes::new(py, frame).into_any(),
            None => PyByteArray::new(py, frame).into_any(),
        })?;
    }
    helpers::load_object(py)?.call1((list,))
}

/// A frame as what Python code pickles: an array over its memory, which travels as a buffer of its
/// own; or bytes, where it is short.
pub fn to_python<'py>(py: Python<'py>, frame: &Bytes) -> Bound<'py, PyAny> {
    let long = if frame.len() < SHORT { None } else { over(py, frame, Owner::ReadOnly) };
    long.unwrap_or_else(|| PyBytes::new(py, frame).into_any())
}

/// An array of bytes over a frame's memory; `None` without NumPy.
fn over<'py>(py: Python<'py>, frame: &Bytes, owner: Owner) -> Option<Bound<'py, PyAny>> {
    py.import(intern!(py, "numpy")).ok()?;
    let chunk = to_chunk(frame, DType::U8, &[frame.len()], owner)?;
    convert::to_numpy(py, &chunk).ok()
}
