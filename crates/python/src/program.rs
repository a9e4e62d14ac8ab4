//! The runtime's table of operations, where each operation is a Python call.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use samite::array::Operation;
use samite::bag::records::RecordsProgram;
use samite::cluster::Key;
use samite::graph::OperationId;
use samite::runtime::{Context, Lane, OperationError, Program, Value};

use crate::arrays::convert::native_inputs;
use crate::arrays::task::ArrayTask;
use crate::gil::{self, Held, Visitor};
use crate::node::Node;
use crate::processes::ProcessMode;
use crate::template::Template;
use crate::value::{PyValue, TaskInputs};

/// What one task runs.
pub enum Op {
    /// A lazy call.
    Node(Py<Node>),
    /// A task of a graph that was given as a dict.
    Template { template: Template, key: Py<PyAny> },
    /// A native task of such a graph.
    ArrayTask { task: Py<ArrayTask>, key: Py<PyAny> },
    /// An operation of lowered array expressions, which is told the task's index.
    Array(Box<Operation>),
    /// An operation of plans of records, likewise.
    Records { program: Arc<RecordsProgram>, operation: u32 },
    /// The value of a future, which is on a cluster: never run.
    Import(Key),
}

impl Op {
    /// Runs on the values of the task's dependencies.
    pub fn run<'py>(&self, py: Python<'py>, inputs: &[Value]) -> PyResult<Bound<'py, PyAny>> {
        let mut inputs = TaskInputs::new(inputs);
        match self {
            Self::Node(node) => node.get().run(py, &mut inputs),
            Self::Template { template, .. } => template.evaluate(py, &mut inputs),
            Self::ArrayTask { .. } | Self::Array(_) | Self::Records { .. } | Self::Import(_) => {
                Err(PyRuntimeError::new_err("a native task was to run as a call of Python's"))
            }
        }
    }

    /// Runs where the interpreter is not needed; `None` for a Python call.
    fn run_native(
        &self,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Option<Result<Value, OperationError>> {
        match self {
            Self::Node(_) | Self::Template { .. } | Self::Import(_) => None,
            Self::ArrayTask { task, .. } => {
                Some(gil::native_part(|| task.get().run(context, inputs)))
            }
            Self::Array(operation) if operation.is_guarded() => {
                Some(operation.run(index, context, inputs))
            }
            Self::Array(operation) => Some(gil::native_part(|| {
                native_inputs(inputs).and_then(|()| operation.run(index, context, inputs))
            })),
            Self::Records { program, operation } => {
                Some(program.run(OperationId(*operation), index, context, inputs))
            }
        }
    }

    fn lane(&self) -> Lane {
        let guarded = match self {
            Self::Node(_) | Self::Template { .. } => true,
            Self::ArrayTask { task, .. } => task.get().is_guarded(),
            Self::Array(operation) => operation.is_guarded(),
            Self::Records { .. } | Self::Import(_) => false,
        };
        if guarded { Lane::Guarded } else { Lane::Free }
    }

    /// The key of the task.
    pub fn key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Node(node) => node.get().key(py),
            Self::Template { key, .. } | Self::ArrayTask { key, .. } => Ok(key.bind(py).clone()),
            Self::Array(operation) => Ok(PyString::new(py, &operation.name()).into_any()),
            Self::Import(key) => Ok(PyString::new(py, &key.to_string()).into_any()),
            Self::Records { program, operation } => {
                let name = program.name(OperationId(*operation), 0);
                Ok(PyString::new(py, &name).into_any())
            }
        }
    }

    /// The key as text, for messages.
    pub fn name(&self, py: Python<'_>) -> String {
        let Ok(key) = self.key(py) else { return "<unnamed>".to_owned() };
        match key.cast::<PyString>() {
            Ok(text) => text.to_string(),
            Err(_) => key.repr().map_or_else(|_| "<unnamed>".to_owned(), |text| text.to_string()),
        }
    }
}

/// The operations of a run. Whichever thread is the last to hold them drops them with the
/// interpreter held.
pub struct Operations {
    table: Vec<Op>,
    _visitor: Visitor,
}

impl Operations {
    pub fn new(table: Vec<Op>) -> Self {
        Self { table, _visitor: Visitor::enter() }
    }
}

impl std::ops::Deref for Operations {
    type Target = [Op];

    fn deref(&self) -> &[Op] {
        &self.table
    }
}

impl Drop for Operations {
    fn drop(&mut self) {
        gil::drop_attached(std::mem::take(&mut self.table));
    }
}

/// Where the calls are made.
pub enum Mode {
    /// On the worker thread.
    Local,
    /// By a pool that the user gave: `submit(task)` waits for and returns the result.
    Executor { submit: Held },
    /// In worker processes.
    Processes(ProcessMode),
}

/// A table of Python operations.
pub struct PyProgram {
    pub operations: Arc<Operations>,
    pub mode: Mode,
}

impl Program for PyProgram {
    fn run(
        &self,
        operation: OperationId,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        let op = &self.operations[operation.index()];
        // Native tasks run here whatever the mode: processes are for what holds the interpreter.
        if let Some(outcome) = op.run_native(index, context, inputs) {
            return outcome;
        }
        Python::attach(|py| match &self.mode {
            Mode::Local => op.run(py, inputs).map(PyValue::value),
            Mode::Executor { submit } => {
                let task = BoundTask {
                    operations: self.operations.clone(),
                    operation: operation.index(),
                    inputs: std::mem::take(inputs),
                };
                submit.bind(py)?.call1((Bound::new(py, task)?,)).map(PyValue::value)
            }
            Mode::Processes(processes) => processes.run(py, op, context, inputs),
        })
        .map_err(OperationError::new)
    }

    fn lane(&self, operation: OperationId) -> Lane {
        self.operations[operation.index()].lane()
    }

    fn name(&self, operation: OperationId, _index: u32) -> String {
        Python::attach(|py| self.operations[operation.index()].name(py))
    }
}

/// A task with its inputs, for executors that the user brings.
#[pyclass(frozen, module = "samite._engine")]
pub struct BoundTask {
    operations: Arc<Operations>,
    operation: usize,
    inputs: Vec<Value>,
}

#[pymethods]
impl BoundTask {
    /// Runs the task here.
    fn __call__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.operations[self.operation].run(py, &self.inputs)
    }

    /// The task as plain data and its inputs, for a pool of processes: see `samite._worker`.
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>)> {
        let spec = crate::spec::of_operation(py, &self.operations[self.operation])?;
        let inputs = self
            .inputs
            .iter()
            .map(|value| crate::value::to_python(py, value))
            .collect::<PyResult<_>>()?;
        Ok((spec, inputs))
    }

    /// The key of the task as text.
    #[getter]
    fn name(&self, py: Python<'_>) -> String {
        self.operations[self.operation].name(py)
    }
}
