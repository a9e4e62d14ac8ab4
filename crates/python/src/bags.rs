//! The door to bags of records: plans as Python has them, and their results as Python objects.

mod convert;
mod read_plan;
mod reader;

use std::sync::Arc;

use pyo3::create_exception;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use samite::bag::records::{Plan, Prepared, RecordsProgram, prepare};

use crate::allocator::KeptMemory;
use crate::gil;
use crate::program::Op;
use crate::session::{Settings, execute};

create_exception!(
    samite._engine,
    NotNative,
    pyo3::exceptions::PyException,
    "Records have no exact answer in the engine. It does not leave this module."
);

/// Adds the functions of bags to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<reader::JsonLines>()?;
    module.add_function(wrap_pyfunction!(run_bags, module)?)
}

/// Computes plans of bags; the list of records or the value of each. None where a record has no
/// exact answer here, or a file cannot be read: then Python says what is wrong, if anything is.
#[pyfunction]
#[pyo3(signature = (plans, **settings))]
fn run_bags<'py>(
    py: Python<'py>,
    plans: Vec<Bound<'py, PyAny>>,
    settings: Option<&Bound<'py, PyDict>>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let settings = Settings::new(settings)?;
    let plans: Vec<Plan> = plans.iter().map(read_plan::plan).collect::<PyResult<_>>()?;
    let Ok(Prepared { plan, program }) = gil::released(|| prepare(&plans)) else { return Ok(None) };
    // Tables grow, and are given up again: memory that went back to the system each time would have to be cleared.
    let _kept = KeptMemory::keep();
    let program = Arc::new(program);
    let operations = (0..2 * plans.len() as u32)
        .map(|operation| Op::Records { program: program.clone(), operation })
        .collect();
    let values = match execute(py, plan, operations, Vec::new(), settings, None) {
        Err(failed) if failed.is_instance_of::<NotNative>(py) => return Ok(None),
        outcome => outcome?,
    };
    let results = PyList::empty(py);
    let mut keys = convert::Keys::default();
    for value in &values {
        let output = RecordsProgram::output(value)
            .map_err(|failed| pyo3::exceptions::PyRuntimeError::new_err(failed.to_string()))?;
        results.append(convert::output(py, &output, &mut keys)?)?;
    }
    Ok(Some(results))
}
