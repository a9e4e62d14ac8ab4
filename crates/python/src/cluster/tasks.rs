//! Graphs as single tasks, for clusters of other makers: Dask's, Ray's.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use samite::cluster::{Encoded, Failure};
use samite::graph::{OperationId, TaskId, Work};
use samite::runtime::Value;

use crate::cluster::executor;
use crate::cluster::frames::{self, Memory};
use crate::compile::compile_for_cluster;
use crate::program::Op;
use crate::spec;

/// One task: its key, what it calls, and the places of the tasks whose values it takes.
type Row<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Vec<usize>);

/// The tasks that the wanted keys of a graph need, each after those whose values it takes, in the
/// engine's static order, and the places of the wanted ones.
///
/// A task is `(key, spec, needs)`, with a spec as `samite._worker.evaluate` takes it, or None for
/// the value of a future, whose key is given.
#[pyfunction]
pub fn graph_tasks<'py>(
    graph: Bound<'py, PyDict>,
    keys: &Bound<'py, PyList>,
) -> PyResult<(Vec<Row<'py>>, Vec<usize>)> {
    let py = graph.py();
    let wanted: Vec<Bound<'py, PyAny>> = keys.iter().collect();
    let compiled = compile_for_cluster(graph, &wanted, vec![Default::default()], None)?;
    let plan = &compiled.plan;
    let mut order: Vec<TaskId> = (0..plan.len()).map(TaskId::from_index).collect();
    order.sort_unstable_by_key(|task| plan.rank(*task));
    let mut place = vec![0; plan.len()];
    for (rank, task) in order.iter().enumerate() {
        place[task.index()] = rank;
    }
    let mut rows = Vec::with_capacity(order.len());
    for (count, task) in order.iter().enumerate() {
        if count.is_multiple_of(crate::compile::SIGNALS_EVERY) {
            py.check_signals()?;
        }
        let needs: Vec<usize> =
            plan.dependencies(*task).iter().map(|need| place[need.index()]).collect();
        let Work::Single { operation, .. } = plan.work(*task) else {
            return Err(PyRuntimeError::new_err("a graph's task was fused for one machine"));
        };
        rows.push(row(py, &compiled.operations, operation, needs)?);
    }
    let outputs = plan.outputs().iter().map(|task| place[task.index()]).collect();
    Ok((rows, outputs))
}

fn row<'py>(
    py: Python<'py>,
    operations: &[Op],
    operation: OperationId,
    needs: Vec<usize>,
) -> PyResult<Row<'py>> {
    let Some(operation) = operations.get(operation.index()) else {
        return Err(PyRuntimeError::new_err("a graph's task has no operation"));
    };
    let spec = match operation {
        Op::Import(key) => {
            return Ok((PyString::new(py, &key.to_string()).into_any(), None, needs));
        }
        Op::ArrayTask { task, .. } => {
            let inputs = PyList::new(py, needs.iter().map(|_| ("i",)))?;
            ("c", ("v", task), inputs, PyList::empty(py)).into_pyobject(py)?.into_any()
        }
        other => spec::of_operation(py, other)?,
    };
    Ok((operation.key(py)?, Some(spec), needs))
}

/// A value's encoding as Python code holds it: its kind, and frames that are `bytes` or arrays over
/// the value's own memory.
pub type Packed<'py> = (u8, Vec<Bound<'py, PyAny>>);

/// What a value of the engine is pickled as.
pub fn packed<'py>(py: Python<'py>, value: &Value) -> PyResult<Packed<'py>> {
    let encoded = executor::encode_native(value).map_err(|failed| raised(py, failed))?;
    let Some(Encoded { kind, frames }) = encoded else {
        return Err(PyTypeError::new_err("this value of the engine cannot be pickled"));
    };
    Ok((kind, frames.iter().map(|frame| frames::to_python(py, frame)).collect()))
}

/// The value that [`packed`] took apart; frames that are arrays are read where they are.
pub fn unpacked(py: Python<'_>, kind: u8, frames: &Bound<'_, PyList>) -> PyResult<Value> {
    let frames = frames::of_dumped(frames, Memory::Shared)?;
    executor::decode_native(Encoded { kind, frames }).map_err(|failed| raised(py, failed))
}

fn raised(py: Python<'_>, failed: Failure) -> PyErr {
    match failed {
        Failure::Raised { text, error } => executor::exception(py, &text, &error),
        Failure::Reschedule => PyRuntimeError::new_err("a value cannot be pickled now"),
    }
}
