//! Python objects that native code calls: looked up once, then kept.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

fn cached<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    module: &str,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    cell.get_or_try_init(py, || Ok::<_, PyErr>(py.import(module)?.getattr(name)?.unbind()))
        .map(|object| object.bind(py))
}

macro_rules! helper {
    ($(#[$doc:meta])* $function:ident, $module:literal, $name:literal) => {
        $(#[$doc])*
        pub fn $function<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
            static CELL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            cached(py, &CELL, $module, $name)
        }
    };
}

helper!(
    /// The readable name of a function.
    funcname, "samite.utils", "funcname");
helper!(
    /// The token of any Python values.
    tokenize, "samite.tokenize", "tokenize");
helper!(
    /// The bytes that a value holds.
    sizeof, "samite.sizeof", "sizeof");
helper!(
    /// `pickle.dumps`, or cloudpickle's where that cannot.
    dump_object, "samite._pickling", "dump");
helper!(
    /// `pickle.loads` with out-of-band buffers.
    load_object, "samite._pickling", "load");
helper!(
    /// Pickles a task, or says which part of it cannot be.
    dump_task, "samite._worker", "dump_task");
helper!(
    /// Pickles a batch of tasks, or says which part of which task cannot be.
    dump_batch, "samite._worker", "dump_batch");
helper!(
    /// What stands for a function in plain pickles.
    prepared_function, "samite._functions", "prepared");
helper!(
    /// `pickle.dumps`.
    pickle_plainly, "pickle", "dumps");
helper!(
    /// A value in parts.
    parts_class, "samite._parts", "Parts");
helper!(
    /// A function that reads one part.
    parts_reader, "samite._parts", "Reader");
helper!(
    /// Pickles a part.
    dump_part, "samite._parts", "dump");
helper!(
    /// Calls a method: its name, the object, the arguments.
    call_method, "samite._worker", "call_method");
helper!(
    /// Gets an attribute: its name, the object.
    get_attribute, "samite._worker", "get_attribute");
helper!(
    /// Pickles the exception of a task that failed.
    dump_failure, "samite._worker", "dump_failure");
helper!(
    /// The exception of a task that failed in a worker process.
    remote_failure, "samite._worker", "remote_failure");
helper!(
    /// The fields of a dataclass instance that are set, as a dict.
    dataclass_fields, "samite._unpack", "dataclass_fields");
helper!(
    /// Raises where a dataclass instance cannot be rebuilt from its fields.
    check_rebuildable, "samite._unpack", "check_rebuildable");
helper!(
    /// The checked parts of `Delayed(key, graph, length, layer)`.
    graph_parts, "samite.delayed", "_graph_parts");
helper!(
    /// The optimized graphs of foreign collections, and how their values are made.
    materialize, "samite._materialize", "materialize");
helper!(
    /// The annotations in force.
    current_annotations, "samite.base", "get_annotations");
helper!(
    /// The exception by which a task asks to be run again.
    reschedule, "samite.distributed", "Reschedule");
helper!(
    /// The exception of a request that was not carried out.
    fault, "samite.distributed._faults", "fault");
helper!(
    /// The exception of a task whose workers were lost.
    killed, "samite.distributed._faults", "killed");
helper!(
    /// The exception of a result that there will not be.
    cancelled, "samite.distributed._faults", "cancelled");
helper!(
    /// The exception of a task that no worker could run in time.
    no_worker, "samite.distributed._faults", "no_worker");
helper!(
    /// Carries out what a client or the scheduler asks of a worker.
    worker_call, "samite.distributed._calls", "carry_out");
helper!(global_config, "samite.config", "config");
helper!(delayed_object, "samite.delayed", "Delayed");

/// `samite.delayed.Delayed`.
pub fn delayed_class<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyType>> {
    Ok(delayed_object(py)?.cast::<PyType>()?)
}

/// The `delayed_pure` setting.
pub fn config_pure(py: Python<'_>) -> PyResult<bool> {
    let config = global_config(py)?.cast::<PyDict>()?;
    for name in [intern!(py, "delayed_pure"), intern!(py, "delayed-pure")] {
        if let Some(value) = config.get_item(name)? {
            return value.is_truthy();
        }
    }
    Ok(false)
}

/// How many `annotate` contexts are open in the process; none is the common case, in which a
/// lazy call need not ask for them.
static OPEN_ANNOTATIONS: AtomicUsize = AtomicUsize::new(0);

/// Called by `samite.annotate` when a context opens (+1) or closes (-1).
#[pyfunction]
pub fn count_annotations(change: i32) {
    if change > 0 {
        OPEN_ANNOTATIONS.fetch_add(1, Ordering::Relaxed);
    } else {
        OPEN_ANNOTATIONS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The annotations in force, if any.
pub fn annotations(py: Python<'_>) -> PyResult<Option<Py<PyDict>>> {
    if OPEN_ANNOTATIONS.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    let annotations = current_annotations(py)?.call0()?.cast_into::<PyDict>()?;
    Ok((!annotations.is_empty()).then(|| annotations.unbind()))
}
