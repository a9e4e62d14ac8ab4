//! Native tasks in graphs that Python code writes: callables that the engine recognises and runs
//! without the interpreter.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use rustc_hash::FxHashMap;
use samite::array::{self, Chunk, Detached, Limits, Operation, Wanted};
use samite::graph::{Step, StepInput, TaskId};
use samite::runtime::{Context, OperationError, Value};

use crate::arrays::convert::{native_inputs, of_python, raised, to_chunk, to_reader};
use crate::arrays::expr::ArrayExpr;
use crate::error;
use crate::gil;
use crate::value::to_python;

/// Arrays in memory above this size do not travel with the tasks that read them: each of their
/// blocks is a task of its own, whose value goes where it is needed.
const LARGE: usize = 1 << 16;
/// The plans of so many expressions are kept by a process that makes tasks again.
const KEPT: usize = 32;

/// One task of lowered expressions.
#[pyclass(frozen, module = "samite._engine")]
pub struct ArrayTask {
    work: Work,
}

enum Work {
    Steps {
        operations: Arc<Vec<Operation>>,
        steps: Vec<Step>,
        /// The expression, the number of the task, the limit of what is done in memory, and whether
        /// blocks may be in pieces, to make it again in another process.
        source: (Py<ArrayExpr>, u32, usize, bool),
    },
    /// A block of an array in memory, and a token of it.
    Block { block: Chunk, token: (u128, u32) },
}

impl ArrayTask {
    /// Runs the steps one after the other.
    pub fn run(
        &self,
        context: &Context<'_>,
        inputs: &mut [Value],
    ) -> Result<Value, OperationError> {
        let (operations, steps) = match &self.work {
            Work::Block { block, .. } => return Ok(Arc::new(block.clone())),
            Work::Steps { operations, steps, .. } => (operations, steps),
        };
        native_inputs(inputs)?;
        let mut made: Vec<Value> = Vec::with_capacity(steps.len());
        let mut arguments = Vec::new();
        for step in steps {
            arguments.clear();
            for input in &step.inputs {
                arguments.extend(match input {
                    StepInput::Dependency(place) => inputs.get(*place as usize).cloned(),
                    StepInput::Step(place) => made.get(*place as usize).cloned(),
                });
            }
            made.push(operations[step.operation.index()].run(
                step.index,
                context,
                &mut arguments,
            )?);
        }
        made.pop().ok_or_else(|| OperationError::new("a task has no steps"))
    }

    /// Whether a step has to hold the interpreter.
    pub fn is_guarded(&self) -> bool {
        match &self.work {
            Work::Block { .. } => false,
            Work::Steps { operations, steps, .. } => {
                steps.iter().any(|step| operations[step.operation.index()].is_guarded())
            }
        }
    }

    /// The piece that the task reads of those of its inputs which are in pieces.
    pub fn piece(&self) -> Option<u32> {
        let Work::Steps { operations, steps, .. } = &self.work else { return None };
        let mut read = steps
            .iter()
            .filter(|step| operations[step.operation.index()].reads_pieces())
            .map(|step| step.index);
        let first = read.next()?;
        read.all(|other| other == first).then_some(first)
    }

    /// The block of an array in memory that the task is.
    pub fn block(&self) -> Option<&Chunk> {
        match &self.work {
            Work::Block { block, .. } => Some(block),
            Work::Steps { .. } => None,
        }
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
        match &self.work {
            Work::Block { .. } => "array".to_owned(),
            Work::Steps { operations, steps, .. } => steps
                .last()
                .map_or_else(String::new, |step| operations[step.operation.index()].name()),
        }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        let class = py.get_type::<Self>();
        let (operations, source) = match &self.work {
            Work::Block { block, token } => {
                let whole = block.contiguous().map_err(|failed| raised(py, failed))?;
                let arguments = (to_reader(py, &whole)?, token.0, token.1).into_pyobject(py)?;
                return Ok((class.getattr("_of_block")?, arguments));
            }
            Work::Steps { operations, source, .. } => (operations, source),
        };
        if operations.iter().any(Operation::is_shared) {
            return Err(PyTypeError::new_err(
                "an array that is larger than the memory limit is cut anew through a file, which \
                 tasks in other processes do not have; use threads, or a larger memory_limit",
            ));
        }
        let (expr, number, in_memory, pieces) = source;
        let arguments = (expr, *number, *in_memory, *pieces).into_pyobject(py)?;
        Ok((class.getattr("_of")?, arguments))
    }

    fn __dask_tokenize__(&self, py: Python<'_>) -> (&'static str, u128, u32) {
        let (token, number) = match &self.work {
            Work::Block { token, .. } => *token,
            Work::Steps { source, .. } => (source.0.bind(py).get().expr.token(), source.1),
        };
        ("samite.array.task", token, number)
    }

    /// The task of this number of an expression.
    #[staticmethod]
    fn _of(
        py: Python<'_>,
        expr: Py<ArrayExpr>,
        number: u32,
        in_memory: usize,
        pieces: bool,
    ) -> PyResult<Self> {
        let limits = Limits { in_memory, folder: None, pieces };
        let Again { operations, plan } = again(py, expr.bind(py), &limits)?;
        if number as usize >= plan.len() {
            return Err(PyValueError::new_err(format!(
                "a pickled task has number {number} of an expression with {} tasks",
                plan.len()
            )));
        }
        let steps = steps_of(&plan, TaskId(number));
        Ok(Self {
            work: Work::Steps { operations, steps, source: (expr, number, in_memory, pieces) },
        })
    }

    /// The task that is a block.
    #[staticmethod]
    fn _of_block(block: &Bound<'_, PyAny>, token: u128, number: u32) -> PyResult<Self> {
        let Some(block) = to_chunk(block) else {
            return Err(PyTypeError::new_err("the block of a task is no plain array"));
        };
        Ok(Self { work: Work::Block { block, token: (token, number) } })
    }
}

/// The plan of an expression, to make single tasks of it again.
#[derive(Clone)]
struct Again {
    operations: Arc<Vec<Operation>>,
    plan: Arc<samite::graph::Plan>,
}

/// What tells what was prepared from others: the token of the expression, and the limits.
type Token = (u128, usize, bool);

/// What was prepared last.
static PREPARED: Mutex<VecDeque<(Token, Again)>> = Mutex::new(VecDeque::new());

/// Prepares an expression that came from another process, once for all its tasks.
fn again(py: Python<'_>, expr: &Bound<'_, ArrayExpr>, limits: &Limits) -> PyResult<Again> {
    let key = (expr.get().expr.token(), limits.in_memory, limits.pieces);
    let find = || {
        let known = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(other, _)| *other == key).map(|(_, again)| again.clone())
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    let array::Prepared { operations, plan, .. } = prepared(py, &expr.get().expr, limits)?;
    let made = Again { operations: Arc::new(operations), plan };
    // What is given up is dropped without the lock.
    let old = {
        let mut known = PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
        known.push_back((key, made.clone()));
        if known.len() > KEPT { known.pop_front() } else { None }
    };
    drop(old);
    Ok(made)
}

fn prepared(py: Python<'_>, expr: &array::Expr, limits: &Limits) -> PyResult<array::Prepared> {
    gil::released(|| array::prepare(std::slice::from_ref(expr), Wanted::Blocks, limits))
        .map_err(|failed| raised(py, failed))
}

fn steps_of(plan: &samite::graph::Plan, task: TaskId) -> Vec<Step> {
    match plan.work(task) {
        samite::graph::Work::Single { operation, index } => {
            let inputs =
                (0..plan.dependencies(task).len() as u32).map(StepInput::Dependency).collect();
            vec![Step { operation, index, inputs }]
        }
        samite::graph::Work::Fused(steps) => steps.to_vec(),
    }
}

/// How a task is made again: a function and its arguments.
type Reduced<'py> = (Bound<'py, PyAny>, Bound<'py, PyTuple>);

/// One task as Python code writes it: the block that it is of the result or a number of its own,
/// the callable, and the tasks that it needs.
type TaskRow<'py> = (Option<u32>, Bound<'py, ArrayTask>, Bound<'py, PyList>);

/// The tasks of an expression: `(block, callable, needs)` for each, where `block` is the place of
/// the result's block that the task makes, or None, and `needs` are places in this list. The memory
/// limit is that of the run; a folder for what does not fit is given as for one. With `pieces`,
/// blocks may be made in pieces, of which each reader gets its own.
#[pyfunction]
#[pyo3(signature = (expr, memory_limit=None, folder=None, pieces=false))]
pub fn array_tasks<'py>(
    expr: &Bound<'py, ArrayExpr>,
    memory_limit: Option<usize>,
    folder: Option<PathBuf>,
    pieces: bool,
) -> PyResult<Vec<TaskRow<'py>>> {
    let py = expr.py();
    let limits = Limits { pieces, ..Limits::for_run(memory_limit, folder) };
    let whole = expr.get().expr.clone();
    let detached =
        gil::released(|| array::detach(&whole, LARGE)).map_err(|failed| raised(py, failed))?;
    let Detached { expr, sources } = detached;
    let prepared = prepared(py, &expr, &limits)?;
    let expr = Py::new(py, ArrayExpr { expr })?;
    let operations = Arc::new(prepared.operations);
    let plan = &prepared.plan;
    let mut blocks: Vec<Option<u32>> = vec![None; plan.len()];
    let wanted = plan.outputs().len().saturating_sub(prepared.elsewhere.len());
    for (block, task) in plan.outputs().iter().take(wanted).enumerate() {
        blocks[task.index()] = Some(block as u32);
    }
    let mut held: FxHashMap<TaskId, Work> = FxHashMap::default();
    for (task, content, number) in prepared.elsewhere {
        let block = sources.get(&content).and_then(|blocks| blocks.get(number as usize));
        if let Some(block) = block {
            let (block, token) = (block.clone(), (content, number));
            held.insert(task, Work::Block { block, token });
        }
    }
    let mut rows = Vec::with_capacity(plan.len());
    for (place, block) in blocks.into_iter().enumerate() {
        let task = TaskId::from_index(place);
        let work = held.remove(&task).unwrap_or_else(|| {
            let source = (expr.clone_ref(py), task.0, limits.in_memory, pieces);
            Work::Steps { operations: operations.clone(), steps: steps_of(plan, task), source }
        });
        let callable = ArrayTask { work };
        let needs = PyList::new(py, plan.dependencies(task).iter().map(|need| need.0))?;
        rows.push((block, Bound::new(py, callable)?, needs));
    }
    Ok(rows)
}
