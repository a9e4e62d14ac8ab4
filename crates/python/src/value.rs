//! Python objects as values of the runtime.

use std::any::Any;
use std::io;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};
use samite::array::kernels::reduce::{Bundle, Partial};
use samite::array::{Chunk, Pieces};
use samite::cluster::Parts;
use samite::runtime::{Data, Restore, SpillError, Unit, Value};

use crate::arrays::convert::{self, NativeValue};
use crate::cluster::parts;
use crate::gil;
use crate::helpers;
use crate::pickled::{self, PickledValue};

/// A Python object in the result store.
pub struct PyValue {
    object: Option<Py<PyAny>>,
    nbytes: usize,
}

impl Drop for PyValue {
    fn drop(&mut self) {
        gil::drop_attached(self.object.take());
    }
}

impl PyValue {
    /// Measures an object and takes it into the store.
    pub fn value(object: Bound<'_, PyAny>) -> Value {
        let nbytes = sizeof(&object);
        Arc::new(Self { object: Some(object.unbind()), nbytes })
    }
}

impl Data for PyValue {
    fn nbytes(&self) -> usize {
        self.nbytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
        match &self.object {
            Some(object) => pickled::spill(object, sink),
            None => Err(SpillError::Refused),
        }
    }
}

/// The Python object of a value: itself, or unpickled where a worker process made it.
pub fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let any = value.as_any();
    if let Some(PyValue { object: Some(object), .. }) = any.downcast_ref::<PyValue>() {
        return Ok(object.bind(py).clone());
    }
    if let Some(value) = any.downcast_ref::<PickledValue>() {
        return pickled::load(py, value.frames());
    }
    if let Some(chunk) = any.downcast_ref::<Chunk>() {
        return convert::to_argument(py, chunk);
    }
    if let Some(parts) = any.downcast_ref::<Parts>() {
        return parts::to_python(py, parts);
    }
    let passed_on = any.is::<Partial>() || any.is::<Bundle>() || any.is::<Pieces>();
    if passed_on || any.is::<Unit>() {
        return Ok(Bound::new(py, NativeValue { value: value.clone() })?.into_any());
    }
    Err(pyo3::exceptions::PyTypeError::new_err(
        "a task of another kind made a value that is not a Python object",
    ))
}

/// Where a template's holes get their values from.
pub trait Inputs {
    /// The next input.
    fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;
}

/// The inputs of a running task.
pub struct TaskInputs<'run> {
    values: std::slice::Iter<'run, Value>,
}

impl<'run> TaskInputs<'run> {
    pub fn new(values: &'run [Value]) -> Self {
        Self { values: values.iter() }
    }
}

impl Inputs for TaskInputs<'_> {
    fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.values.next() {
            Some(value) => to_python(py, value),
            None => Err(pyo3::exceptions::PyRuntimeError::new_err(
                "a task was given fewer inputs than it has dependencies",
            )),
        }
    }
}

/// The bytes that an object holds, as `samite.sizeof` counts them. The commonest results of small
/// tasks are recognised without a call into Python.
pub fn sizeof(object: &Bound<'_, PyAny>) -> usize {
    if object.is_none() || object.is_exact_instance_of::<PyBool>() {
        return 16;
    }
    if object.is_exact_instance_of::<PyInt>() || object.is_exact_instance_of::<PyFloat>() {
        return 28;
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return 33 + bytes.as_bytes().len();
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return 56 + text.len().unwrap_or(0);
    }
    helpers::sizeof(object.py())
        .and_then(|function| function.call1((object,)))
        .and_then(|bytes| bytes.extract::<usize>())
        .unwrap_or(64)
}
