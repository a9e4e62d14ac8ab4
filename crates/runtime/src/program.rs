//! What a run is given: operations, the guard around some of them, and who watches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use samite_graph::{OperationId, TaskId};

use crate::error::OperationError;
use crate::value::Value;

/// Where an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// On any worker thread, by itself.
    Free,
    /// Inside the run's [`Guard`], for example with Python's interpreter lock held.
    Guarded,
}

/// What an operation is told about the task it runs for.
#[derive(Clone, Copy, Debug)]
pub struct Context<'run> {
    /// The task.
    pub task: TaskId,
    /// The worker thread: 0 up to the number of threads.
    pub worker: usize,
    /// How often the task was tried before.
    pub attempt: u32,
    cancelled: &'run AtomicBool,
}

impl<'run> Context<'run> {
    /// A context for running an operation outside a run: `cancelled` is what
    /// [`Context::is_cancelled`] reports.
    pub fn new(task: TaskId, worker: usize, attempt: u32, cancelled: &'run AtomicBool) -> Self {
        Self { task, worker, attempt, cancelled }
    }

    /// Whether the run has ended without this task: a long operation should return soon.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The flag behind [`Context::is_cancelled`], for calls that watch one themselves.
    pub fn cancelled(&self) -> &'run AtomicBool {
        self.cancelled
    }
}

/// The submitter's table of operations.
pub trait Program: Send + Sync {
    /// Runs one operation. `inputs` are the values of the task's dependencies, in order, repeats
    /// kept; the operation may take them out.
    ///
    /// # Errors
    /// Whatever the operation fails with; it ends the run once the task's retries are used up.
    fn run(
        &self,
        operation: OperationId,
        index: u32,
        context: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Result<Value, OperationError>;

    /// Where an operation runs. Must be quick and always say the same.
    fn lane(&self, operation: OperationId) -> Lane;

    /// A name for errors and reports; asked for only when needed.
    fn name(&self, operation: OperationId, index: u32) -> String;
}

/// How worker threads enter what guarded operations need.
pub trait Guard: Send + Sync {
    /// Wraps all that a worker thread does for a run. Must call `body` once.
    fn thread(&self, body: &mut dyn FnMut()) {
        body();
    }

    /// Wraps a series of guarded tasks: entered once, left when no guarded task is ready. Must
    /// call `body` once. No lock of the runtime is held when it is entered.
    fn batch(&self, body: &mut dyn FnMut());
}

/// Someone who watches tasks start and end.
///
/// Called on the worker thread outside all locks, and inside the guard for guarded tasks.
pub trait Observer: Send + Sync {
    /// A task is about to run.
    ///
    /// # Errors
    /// Ends the run with [`RuntimeError::Observer`](crate::RuntimeError::Observer).
    fn started(&self, task: TaskId, worker: usize) -> Result<(), OperationError> {
        let _ = (task, worker);
        Ok(())
    }

    /// A task has run.
    ///
    /// # Errors
    /// Ends the run with [`RuntimeError::Observer`](crate::RuntimeError::Observer).
    fn finished(
        &self,
        task: TaskId,
        worker: usize,
        outcome: Result<&Value, &OperationError>,
        began: Instant,
        ended: Instant,
    ) -> Result<(), OperationError> {
        let _ = (task, worker, outcome, began, ended);
        Ok(())
    }

    /// A value of this many bytes went to disk.
    fn spilled(&self, task: TaskId, bytes: u64) {
        let _ = (task, bytes);
    }

    /// A value was to go to disk and cannot: it stays in memory.
    fn spill_refused(&self, task: TaskId, bytes: u64) {
        let _ = (task, bytes);
    }

    /// A value of this many bytes came back from disk.
    fn restored(&self, task: TaskId, bytes: u64) {
        let _ = (task, bytes);
    }

    /// A value was dropped because no task needs it any more.
    fn freed(&self, task: TaskId, bytes: u64) {
        let _ = (task, bytes);
    }

    /// Whether [`Observer::freed`] is wanted; it costs a little for each task.
    fn wants_freed(&self) -> bool {
        false
    }
}
