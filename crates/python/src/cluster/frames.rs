//! Python objects as frames of bytes, without copies where Python allows it.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList};

use crate::helpers;

/// The frames of what Python code pickled: the pickle, then its out-of-band buffers.
pub fn of_dumped(dumped: &Bound<'_, PyAny>) -> PyResult<Vec<Bytes>> {
    let mut frames = Vec::new();
    for frame in dumped.try_iter()? {
        let frame = frame?;
        frames.push(match frame.cast::<PyBytes>() {
            Ok(bytes) => Bytes::copy_from_slice(bytes.as_bytes()),
            Err(_) => {
                let copy = frame.call_method0("tobytes")?.cast_into::<PyBytes>()?;
                Bytes::copy_from_slice(copy.as_bytes())
            }
        });
    }
    Ok(frames)
}

/// Pickles an object.
pub fn dump(object: &Bound<'_, PyAny>) -> PyResult<Vec<Bytes>> {
    of_dumped(&helpers::dump_object(object.py())?.call1((object,))?)
}

/// Unpickles an object. Buffers are given as `bytearray`, so that the arrays made of them can be
/// written to, as the originals could.
pub fn load<'py>(py: Python<'py>, frames: &[Bytes]) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(py);
    for (position, frame) in frames.iter().enumerate() {
        if position == 0 {
            list.append(PyBytes::new(py, frame))?;
        } else {
            list.append(PyByteArray::new(py, frame))?;
        }
    }
    helpers::load_object(py)?.call1((list,))
}
