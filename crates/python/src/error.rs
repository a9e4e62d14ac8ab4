//! The runtime's errors as Python exceptions.

use pyo3::create_exception;
use pyo3::exceptions::{PyMemoryError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use samite::array::ArrayError;
use samite::bag::BagError;
use samite::runtime::processes::ProcessError;
use samite::runtime::{OperationError, RuntimeError};

use crate::arrays::convert;
use crate::bags::NotNative;

create_exception!(
    samite.exceptions,
    MemoryLimitError,
    PyMemoryError,
    "Values that are needed in memory at once do not fit into the memory limit."
);
create_exception!(
    samite.exceptions,
    SpillError,
    PyOSError,
    "A result could not be written to the spill folder, or read back from it."
);
create_exception!(
    samite.exceptions,
    TaskPanicked,
    PyRuntimeError,
    "A native operation failed in a way that it should not; the process is unharmed."
);
create_exception!(
    samite.exceptions,
    WorkerProcessDied,
    PyRuntimeError,
    "A worker process ended while it ran a task: it was killed, or crashed."
);
create_exception!(
    samite.exceptions,
    RunCancelled,
    PyRuntimeError,
    "The run was cancelled before its results were there."
);

/// Registers the exception classes with the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("MemoryLimitError", py.get_type::<MemoryLimitError>())?;
    module.add("SpillError", py.get_type::<SpillError>())?;
    module.add("TaskPanicked", py.get_type::<TaskPanicked>())?;
    module.add("WorkerProcessDied", py.get_type::<WorkerProcessDied>())?;
    module.add("RunCancelled", py.get_type::<RunCancelled>())
}

/// A runtime error as the exception that the user sees: a task's own exception as it was raised,
/// with a note that names the task.
pub fn to_python(py: Python<'_>, error: RuntimeError) -> PyErr {
    let text = error.to_string();
    match error {
        RuntimeError::TaskFailed { name, chain, source, .. } => {
            let error = from_operation(py, source);
            note(py, &error, &task_note(&name, &chain));
            error
        }
        RuntimeError::Observer { source, .. } => from_operation(py, source),
        RuntimeError::Panicked { .. } => TaskPanicked::new_err(text),
        RuntimeError::ValueTooLarge { .. } | RuntimeError::TooMuchAtOnce { .. } => {
            MemoryLimitError::new_err(format!(
                "{text}. Raise memory_limit, or make the chunks smaller."
            ))
        }
        RuntimeError::Spill { ref source, .. } => spill_error(source.raw_os_error(), text),
        RuntimeError::Restore { .. } => spill_error(None, text),
        RuntimeError::Cancelled => RunCancelled::new_err(text),
        RuntimeError::Graph(_) => PyValueError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

fn spill_error(code: Option<i32>, text: String) -> PyErr {
    match code {
        Some(code) => SpillError::new_err((code, text)),
        None => SpillError::new_err(text),
    }
}

/// The exception inside an operation's error.
pub fn from_operation(py: Python<'_>, error: OperationError) -> PyErr {
    if let Some(raised) = error.downcast_ref::<PyErr>() {
        return raised.clone_ref(py);
    }
    if let Some(failed) = error.downcast_ref::<ProcessError>() {
        return from_process(failed);
    }
    if error.downcast_ref::<BagError>().is_some() {
        return NotNative::new_err(error.to_string());
    }
    if let Some(failed) = error.downcast_ref::<ArrayError>() {
        return convert::exception(failed, failed.to_string());
    }
    PyRuntimeError::new_err(error.to_string())
}

/// The exception of a worker process that gave no answer.
pub fn from_process(error: &ProcessError) -> PyErr {
    match error {
        ProcessError::Cancelled => RunCancelled::new_err(error.to_string()),
        ProcessError::Start { .. } => PyOSError::new_err(error.to_string()),
        _ => WorkerProcessDied::new_err(error.to_string()),
    }
}

fn task_note(name: &str, chain: &[String]) -> String {
    let needed = match chain {
        [] => String::new(),
        names => format!(", needed by {}", names.join(", by ")),
    };
    format!("Raised by task {name}{needed}.")
}

/// Adds a note, once: an exception that passes through nested runs keeps its innermost one.
fn note(py: Python<'_>, error: &PyErr, text: &str) {
    let value = error.value(py);
    let seen = value
        .getattr("__notes__")
        .and_then(|notes| notes.try_iter()?.next().transpose())
        .ok()
        .flatten()
        .and_then(|first| first.extract::<String>().ok())
        .is_some_and(|first| first.starts_with("Raised by task "));
    if !seen {
        // Python 3.10 has no notes; the exception itself is what matters.
        let _ = value.call_method1("add_note", (text,));
    }
}
