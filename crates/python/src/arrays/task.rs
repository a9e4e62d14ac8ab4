//! Native tasks in graphs that Python code writes: callables that the engine recognises and runs
//! without the interpreter.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use samite::array::{self, Limits, Operation, Wanted};
use samite::graph::{Step, StepInput, TaskId, Work};
use samite::runtime::{Context, OperationError, Value};

use crate::arrays::convert::{native_inputs, of_python, raised};
use crate::arrays::expr::ArrayExpr;
use crate::error;
use crate::gil;
use crate::value::to_python;

/// One task of lowered expressions.
#[pyclass(frozen, module = "samite._engine")]
pub struct ArrayTask {
    operations: Arc<Vec<Operation>>,
    steps: Vec<Step>,
    /// The expression, the number of the task and the limit of what is done in memory, to make it
    /// again in another process.
    source: (Py<ArrayExpr>, u32, usize),
}

impl ArrayTask {
    /// Runs the steps one after the other.
    pub fn run(
        &self,
        context: &Context<'_>,
        inputs: &mut [Value],
    ) -> Result<Value, OperationError> {
        native_inputs(inputs)?;
        let mut made: Vec<Value> = Vec::with_capacity(self.steps.len());
        let mut arguments = Vec::new();
        for step in &self.steps {
            arguments.clear();
            for input in &step.inputs {
                arguments.extend(match input {
                    StepInput::Dependency(place) => inputs.get(*place as usize).cloned(),
                    StepInput::Step(place) => made.get(*place as usize).cloned(),
                });
            }
            made.push(self.operations[step.operation.index()].run(
                step.index,
                context,
                &mut arguments,
            )?);
        }
        made.pop().ok_or_else(|| OperationError::new("a task has no steps"))
    }

    /// Whether a step has to hold the interpreter.
    pub fn is_guarded(&self) -> bool {
        self.steps.iter().any(|step| self.operations[step.operation.index()].is_guarded())
    }
}

#[pymethods]
impl ArrayTask {
    /// Runs the task here.
    #[pyo3(signature = (*inputs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        inputs: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut values: Vec<Value> = inputs
            .iter()
            .map(|input| of_python(&input).unwrap_or_else(|| crate::value::PyValue::value(input)))
            .collect();
        let never = AtomicBool::new(false);
        let context = Context::new(TaskId(0), 0, 0, &never);
        let run = || self.run(&context, &mut values);
        let value = gil::released(run).map_err(|failed| error::from_operation(py, failed))?;
        to_python(py, &value)
    }

    #[getter]
    fn __name__(&self) -> String {
        let last = self.steps.last();
        last.map_or_else(String::new, |step| self.operations[step.operation.index()].name())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        if self.operations.iter().any(Operation::is_shared) {
            return Err(PyTypeError::new_err(
                "an array that is larger than the memory limit is cut anew through a file, which \
                 tasks in other processes do not have; use threads, or a larger memory_limit",
            ));
        }
        let rebuild = py.get_type::<Self>().getattr("_of")?;
        let (expr, number, in_memory) = &self.source;
        Ok((rebuild, (expr.clone_ref(py), *number, *in_memory)))
    }

    fn __dask_tokenize__(&self, py: Python<'_>) -> (&'static str, u128, u32) {
        ("samite.array.task", self.source.0.bind(py).get().expr.token(), self.source.1)
    }

    /// The task of this number of an expression.
    #[staticmethod]
    fn _of(py: Python<'_>, expr: Py<ArrayExpr>, number: u32, in_memory: usize) -> PyResult<Self> {
        let prepared = prepared(py, expr.bind(py), &Limits { in_memory, folder: None })?;
        let operations = Arc::new(prepared.operations);
        let task = TaskId(number);
        let steps = steps_of(&prepared.plan, task);
        Ok(Self { operations, steps, source: (expr, number, in_memory) })
    }
}

fn prepared(
    py: Python<'_>,
    expr: &Bound<'_, ArrayExpr>,
    limits: &Limits,
) -> PyResult<array::Prepared> {
    let expr = expr.get().expr.clone();
    gil::released(|| array::prepare(std::slice::from_ref(&expr), Wanted::Blocks, limits))
        .map_err(|failed| raised(py, failed))
}

fn steps_of(plan: &samite::graph::Plan, task: TaskId) -> Vec<Step> {
    match plan.work(task) {
        Work::Single { operation, index } => {
            let inputs =
                (0..plan.dependencies(task).len() as u32).map(StepInput::Dependency).collect();
            vec![Step { operation, index, inputs }]
        }
        Work::Fused(steps) => steps.to_vec(),
    }
}

/// How a task is made again: a function and its arguments.
type Reduced<'py> = (Bound<'py, PyAny>, (Py<ArrayExpr>, u32, usize));

/// One task as Python code writes it: the block that it is of the result or a number of its own,
/// the callable, and the tasks that it needs.
type TaskRow<'py> = (Option<u32>, Bound<'py, ArrayTask>, Bound<'py, PyList>);

/// The tasks of an expression: `(block, callable, needs)` for each, where `block` is the place of
/// the result's block that the task makes, or None, and `needs` are places in this list. The memory
/// limit is that of the run; a folder for what does not fit is given as for one.
#[pyfunction]
#[pyo3(signature = (expr, memory_limit=None, folder=None))]
pub fn array_tasks<'py>(
    expr: &Bound<'py, ArrayExpr>,
    memory_limit: Option<usize>,
    folder: Option<PathBuf>,
) -> PyResult<Vec<TaskRow<'py>>> {
    let py = expr.py();
    let limits = Limits::for_run(memory_limit, folder);
    let prepared = prepared(py, expr, &limits)?;
    let operations = Arc::new(prepared.operations);
    let plan = &prepared.plan;
    let mut blocks: Vec<Option<u32>> = vec![None; plan.len()];
    for (block, task) in plan.outputs().iter().enumerate() {
        blocks[task.index()] = Some(block as u32);
    }
    let mut rows = Vec::with_capacity(plan.len());
    for (place, block) in blocks.into_iter().enumerate() {
        let task = TaskId::from_index(place);
        let source = (expr.clone().unbind(), task.0, limits.in_memory);
        let callable =
            ArrayTask { operations: operations.clone(), steps: steps_of(plan, task), source };
        let needs = PyList::new(py, plan.dependencies(task).iter().map(|need| need.0))?;
        rows.push((block, Bound::new(py, callable)?, needs));
    }
    Ok(rows)
}
