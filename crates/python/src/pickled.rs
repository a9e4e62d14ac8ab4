//! Pickled Python objects: frames of bytes, for spill files and worker processes.
//!
//! The first frame is the pickle; the others are its out-of-band buffers (protocol 5), so that an
//! array's data is never copied into the pickle.

use std::any::Any;
use std::io::{self, Read as _};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList};
use samite::runtime::processes::Frame;
use samite::runtime::{Data, OperationError, Restore, SpillError, Value};

use crate::helpers;
use crate::value::PyValue;

/// Bytes are copied out of Python's buffers in pieces of this size, so that writing a value
/// never needs the value's size in memory again.
const PIECE: usize = 1 << 20;

/// A pickled object: the pickle, and a flat memory view for each of its buffers. (The stable ABI
/// of Python 3.10 has no buffer protocol, so the views are read through Python.)
pub struct Dumped {
    pickle: Py<PyBytes>,
    buffers: Vec<(Py<PyAny>, usize)>,
}

/// Pickles an object.
pub fn dump(object: &Bound<'_, PyAny>) -> PyResult<Dumped> {
    dumped(&helpers::dump_object(object.py())?.call1((object,))?)
}

/// What Python code pickled: a list of the pickle and its buffers.
pub fn dumped(frames: &Bound<'_, PyAny>) -> PyResult<Dumped> {
    let py = frames.py();
    let mut frames = frames.try_iter()?;
    let pickle = match frames.next() {
        Some(frame) => frame?.cast_into::<PyBytes>()?.unbind(),
        None => PyBytes::new(py, b"").unbind(),
    };
    let buffers = frames
        .map(|frame| {
            let frame = frame?;
            let length = frame.len()?;
            Ok((frame.unbind(), length))
        })
        .collect::<PyResult<_>>()?;
    Ok(Dumped { pickle, buffers })
}

impl Dumped {
    /// All frames as owned bytes.
    pub fn into_frames(self, py: Python<'_>) -> PyResult<Vec<Vec<u8>>> {
        let mut frames = vec![self.pickle.bind(py).as_bytes().to_vec()];
        for (buffer, length) in &self.buffers {
            frames.push(piece(buffer.bind(py), 0, *length)?);
        }
        Ok(frames)
    }

    /// Writes the frames with their lengths. The interpreter is not held while the sink writes.
    fn write(&self, sink: &mut dyn io::Write) -> io::Result<()> {
        let pickle = Python::attach(|py| self.pickle.bind(py).as_bytes().to_vec());
        detached(sink, &(self.buffers.len() as u64 + 1).to_le_bytes())?;
        detached(sink, &(pickle.len() as u64).to_le_bytes())?;
        detached(sink, &pickle)?;
        for (buffer, length) in &self.buffers {
            detached(sink, &(*length as u64).to_le_bytes())?;
            let mut start = 0;
            while start < *length {
                let end = length.min(&(start + PIECE)).to_owned();
                let bytes = Python::attach(|py| piece(buffer.bind(py), start, end))
                    .map_err(io::Error::other)?;
                detached(sink, &bytes)?;
                start = end;
            }
        }
        Ok(())
    }
}

fn detached(sink: &mut dyn io::Write, bytes: &[u8]) -> io::Result<()> {
    struct Unchecked<'sink>(&'sink mut dyn io::Write);
    // SAFETY: `detach` runs its closure on this very thread; the marker only promises that no
    // Python object is used inside, and a sink of the runtime holds none.
    unsafe impl Send for Unchecked<'_> {}
    let sink = Unchecked(sink);
    Python::attach(|py| {
        py.detach(move || {
            let sink = sink;
            sink.0.write_all(bytes)
        })
    })
}

fn piece(view: &Bound<'_, PyAny>, start: usize, end: usize) -> PyResult<Vec<u8>> {
    let slice = pyo3::types::PySlice::new(view.py(), start as isize, end as isize, 1);
    let bytes = view.get_item(slice)?.call_method0("tobytes")?.cast_into::<PyBytes>()?;
    Ok(bytes.as_bytes().to_vec())
}

/// Unpickles an object. Buffers are given as `bytearray`, so that the arrays made of them can be
/// written to, as the originals could.
pub fn load<'py>(py: Python<'py>, frames: &[Frame]) -> PyResult<Bound<'py, PyAny>> {
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

fn read_length(source: &mut dyn io::Read) -> io::Result<u64> {
    let mut bytes = [0u8; 8];
    source.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads what [`Dumped::write`] wrote, each buffer straight into the object that will own it.
fn read_object(source: &mut dyn io::Read) -> Result<Value, OperationError> {
    Python::attach(|py| {
        let list = PyList::empty(py);
        for position in 0..read_length(source).map_err(PyErr::from)? {
            let length = read_length(source).map_err(PyErr::from)? as usize;
            if position == 0 {
                list.append(PyBytes::new_with(py, length, |frame| {
                    source.read_exact(frame).map_err(PyErr::from)
                })?)?;
            } else {
                list.append(PyByteArray::new_with(py, length, |frame| {
                    source.read_exact(frame).map_err(PyErr::from)
                })?)?;
            }
        }
        helpers::load_object(py)?.call1((list,)).map(PyValue::value)
    })
    .map_err(OperationError::new)
}

/// Writes a Python object to a spill file.
pub fn spill(object: &Py<PyAny>, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
    let dumped =
        Python::attach(|py| dump(object.bind(py))).map_err(|_refused| SpillError::Refused)?;
    dumped.write(sink)?;
    Ok(Box::new(RestorePython))
}

struct RestorePython;

impl Restore for RestorePython {
    fn restore(&self, source: &mut dyn io::Read) -> Result<Value, OperationError> {
        read_object(source)
    }
}

/// A result that a worker process made: it stays pickled until somebody in this process looks at
/// it, and goes to the next worker as it is.
pub struct PickledValue {
    frames: Vec<Frame>,
    nbytes: usize,
}

impl PickledValue {
    pub fn value(frames: Vec<Frame>) -> Value {
        let nbytes = frames.iter().map(|frame| frame.len()).sum();
        Arc::new(Self { frames, nbytes })
    }

    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

impl Data for PickledValue {
    fn nbytes(&self) -> usize {
        self.nbytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
        sink.write_all(&(self.frames.len() as u64).to_le_bytes())?;
        for frame in &self.frames {
            sink.write_all(&(frame.len() as u64).to_le_bytes())?;
            sink.write_all(frame)?;
        }
        Ok(Box::new(RestorePickled))
    }
}

struct RestorePickled;

impl Restore for RestorePickled {
    fn restore(&self, source: &mut dyn io::Read) -> Result<Value, OperationError> {
        let count = read_length(source).map_err(OperationError::new)?;
        let mut frames = Vec::new();
        for _ in 0..count {
            let length = read_length(source).map_err(OperationError::new)?;
            let mut frame = Vec::new();
            let read = io::Read::take(&mut *source, length)
                .read_to_end(&mut frame)
                .map_err(OperationError::new)?;
            if read as u64 != length {
                return Err(OperationError::new(io::Error::from(io::ErrorKind::UnexpectedEof)));
            }
            frames.push(Frame::Inline(frame));
        }
        Ok(PickledValue::value(frames))
    }
}
