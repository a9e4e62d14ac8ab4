//! Running one task: its steps, its panics, its observers, and how a failure is described.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use samite_graph::{OperationId, Step, StepInput, TaskId, Work};
use samite_scheduling::{Event, TaskKey, Time};

use super::state::{Done, GRAPH, Garbage, Job, Ready, Shared, State, WORKER};
use super::worker::Worker;
use crate::error::{OperationError, RuntimeError};
use crate::program::Context;
use crate::value::Value;

/// The longest chain of dependents that an error names.
const LONGEST_CHAIN: usize = 12;

/// Why a task did not give a value.
pub(crate) enum Failure {
    Error(OperationError),
    Panic(String),
    Observer(OperationError),
    TooLarge { bytes: u64, limit: u64 },
}

/// A failed task.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// The step that failed, of a task of several.
    step: Option<(OperationId, u32)>,
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is no text".to_owned()
    }
}

impl Worker<'_> {
    /// Runs a task whose inputs stand in `self.inputs`.
    pub(crate) fn run_task(
        &mut self,
        job: &Job,
        began: Instant,
    ) -> Result<(Done, Instant), Failed> {
        let mut step = None;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.run_steps(job, began, &mut step)));
        // A panic has left them here.
        self.inputs.clear();
        match outcome {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(failure)) => Err(Failed { failure, step }),
            Err(panic) => Err(Failed { failure: Failure::Panic(panic_message(&*panic)), step }),
        }
    }

    fn run_steps(
        &mut self,
        job: &Job,
        began: Instant,
        step: &mut Option<(OperationId, u32)>,
    ) -> Result<(Done, Instant), Failure> {
        let Shared { program, observer, plan, over, store_limit: limit, .. } = &**self.shared;
        let task = job.ready.task;
        let attempt = job.ready.attempt.0.saturating_sub(1);
        let context = Context::new(task, self.me, attempt, over);
        if let Some(observer) = observer {
            observer.started(task, self.me).map_err(Failure::Observer)?;
        }
        let result = match plan.work(task) {
            Work::Single { operation, index } => {
                program.run(operation, index, &context, &mut self.inputs)
            }
            Work::Fused(steps) => {
                let mut inputs = std::mem::take(&mut self.inputs);
                run_fused(steps, &mut inputs, |at, inputs| {
                    *step = Some((at.operation, at.index));
                    program.run(at.operation, at.index, &context, inputs)
                })
            }
        };
        // Nobody should hold them while the observer and the size are seen to.
        self.inputs.clear();
        let ended = Instant::now();
        if let Some(observer) = observer {
            observer
                .finished(task, self.me, result.as_ref(), began, ended)
                .map_err(Failure::Observer)?;
        }
        let value = result.map_err(Failure::Error)?;
        let bytes = value.nbytes() as u64;
        if limit.strict && bytes > limit.bytes {
            return Err(Failure::TooLarge { bytes, limit: limit.bytes });
        }
        let duration = ended.duration_since(began).as_nanos() as u64;
        let (attempt, reserved) = (job.ready.attempt, job.reserved);
        Ok((Done { task, attempt, value, bytes, duration, reserved }, ended))
    }
}

/// Runs the steps of a task one after the other. A value is handed over at its last use, so that
/// a long chain holds no more than it needs.
fn run_fused(
    steps: &[Step],
    inputs: &mut Vec<Value>,
    mut run: impl FnMut(&Step, &mut Vec<Value>) -> Result<Value, OperationError>,
) -> Result<Value, OperationError> {
    let mut uses = vec![0u32; steps.len()];
    let mut input_uses = vec![0u32; inputs.len()];
    for input in steps.iter().flat_map(|step| &step.inputs) {
        match input {
            StepInput::Dependency(place) => input_uses[*place as usize] += 1,
            StepInput::Step(place) => uses[*place as usize] += 1,
        }
    }
    let mut given: Vec<Option<Value>> = inputs.drain(..).map(Some).collect();
    let mut made: Vec<Option<Value>> = Vec::with_capacity(steps.len());
    let mut arguments = Vec::new();
    for step in steps {
        for input in &step.inputs {
            let (value, uses) = match input {
                StepInput::Dependency(place) => {
                    (&mut given[*place as usize], &mut input_uses[*place as usize])
                }
                StepInput::Step(place) => (&mut made[*place as usize], &mut uses[*place as usize]),
            };
            *uses -= 1;
            let value = if *uses == 0 { value.take() } else { value.clone() };
            arguments.extend(value);
        }
        made.push(Some(run(step, &mut arguments)?));
        arguments.clear();
    }
    made.pop().flatten().ok_or_else(|| OperationError::new("a fused task has no steps"))
}

impl Shared {
    /// Tells the machine that a run failed. Returns whether the task, and so the run, is lost.
    pub(crate) fn report_failure(
        &self,
        state: &mut State,
        ready: &Ready,
        garbage: &mut Garbage,
    ) -> bool {
        let now = Time(self.now());
        let task = TaskKey { graph: GRAPH, task: ready.task };
        let attempt = ready.attempt;
        let annotated = self.plan.annotation(ready.task).is_some();
        let tried = state.tried.entry(ready.task).or_insert(0);
        let event = if !annotated && *tried < self.retries {
            *tried += 1;
            Event::TaskRescheduled { worker: WORKER, task, attempt }
        } else {
            Event::TaskFailed { worker: WORKER, task, attempt }
        };
        let Some(machine) = &mut state.machine else { return false };
        machine.handle(now, event, &mut state.actions);
        self.place(state, now, garbage);
        state.failed
    }

    /// The names of the tasks that wait for `task`, up to an output.
    fn chain(&self, task: TaskId) -> Vec<String> {
        let mut names = Vec::new();
        let mut at = task;
        while let Some(next) =
            self.plan.dependents(at).iter().copied().min_by_key(|next| self.plan.rank(*next))
        {
            if names.len() == LONGEST_CHAIN {
                names.push("…".to_owned());
                break;
            }
            names.push(self.name(next));
            at = next;
        }
        names
    }

    /// The error of a failed task. Asks the program for names: outside all locks.
    pub(crate) fn describe(&self, task: TaskId, failed: Failed) -> RuntimeError {
        let described = catch_unwind(AssertUnwindSafe(|| {
            let name = match failed.step {
                Some((operation, index)) => self.program.name(operation, index),
                None => self.name(task),
            };
            (name, self.chain(task))
        }));
        let (name, chain) = described.unwrap_or_else(|_| (format!("{task:?}"), Vec::new()));
        match failed.failure {
            Failure::Error(source) => RuntimeError::TaskFailed { task, name, chain, source },
            Failure::Panic(message) => RuntimeError::Panicked { task, name, chain, message },
            Failure::Observer(source) => RuntimeError::Observer { task, name, source },
            Failure::TooLarge { bytes, limit } => {
                RuntimeError::ValueTooLarge { task, name, bytes, limit }
            }
        }
    }
}
