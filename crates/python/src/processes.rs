//! Worker processes.

use pyo3::prelude::*;
use samite::runtime::{Context, Value};

use crate::program::Op;

/// Runs tasks in worker processes.
pub struct ProcessMode {}

impl ProcessMode {
    pub fn new(_settings: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {})
    }

    pub fn run(
        &self,
        py: Python<'_>,
        op: &Op,
        _context: &Context<'_>,
        inputs: &[Value],
    ) -> PyResult<Value> {
        op.run(py, inputs).map(crate::value::PyValue::value)
    }
}
