//! Native tasks in graphs that Python code writes: callables that the engine recognises and runs
//! without the interpreter.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
    /// The expression and the number of the task, to make it again in another process.
    source: (Py<ArrayExpr>, u32),
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

/// The function that makes a task again, and its arguments.
type Reduced<'py> = (Bound<'py, PyAny>, (Py<ArrayExpr>, u32));

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
        let rebuild = py.import("samite._engine")?.getattr("ArrayTask")?.getattr("_of")?;
        Ok((rebuild, (self.source.0.clone_ref(py), self.source.1)))
    }

    fn __dask_tokenize__(&self, py: Python<'_>) -> (&'static str, u128, u32) {
        ("samite.array.task", self.source.0.bind(py).get().expr.token(), self.source.1)
    }

    /// The task of this number of an expression.
    #[staticmethod]
    fn _of(py: Python<'_>, expr: Py<ArrayExpr>, number: u32) -> PyResult<Self> {
        let prepared = prepared(py, expr.bind(py))?;
        let operations = Arc::new(prepared.operations);
        let task = TaskId(number);
        let steps = steps_of(&prepared.plan, task);
        Ok(Self { operations, steps, source: (expr, number) })
    }
}

fn prepared(py: Python<'_>, expr: &Bound<'_, ArrayExpr>) -> PyResult<array::Prepared> {
    let expr = expr.get().expr.clone();
    // The same plan on every machine, since tasks are known by their number in it.
    let limits = Limits { in_memory: usize::MAX, folder: None };
    gil::released(|| array::prepare(std::slice::from_ref(&expr), Wanted::Blocks, &limits))
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

/// One task as Python code writes it: the block that it is of the result or a number of its own,
/// the callable, and the tasks that it needs.
type TaskRow<'py> = (Option<u32>, Bound<'py, ArrayTask>, Bound<'py, PyList>);

/// The tasks of an expression: `(block, callable, needs)` for each, where `block` is the place of
/// the result's block that the task makes, or None, and `needs` are places in this list.
#[pyfunction]
pub fn array_tasks<'py>(expr: &Bound<'py, ArrayExpr>) -> PyResult<Vec<TaskRow<'py>>> {
    let py = expr.py();
    let prepared = prepared(py, expr)?;
    let operations = Arc::new(prepared.operations);
    let plan = &prepared.plan;
    let mut blocks: Vec<Option<u32>> = vec![None; plan.len()];
    for (block, task) in plan.outputs().iter().enumerate() {
        blocks[task.index()] = Some(block as u32);
    }
    let mut rows = Vec::with_capacity(plan.len());
    for (place, block) in blocks.into_iter().enumerate() {
        let task = TaskId::from_index(place);
        let source = (expr.clone().unbind(), task.0);
        let callable =
            ArrayTask { operations: operations.clone(), steps: steps_of(plan, task), source };
        let needs = PyList::new(py, plan.dependencies(task).iter().map(|need| need.0))?;
        rows.push((block, Bound::new(py, callable)?, needs));
    }
    Ok(rows)
}
