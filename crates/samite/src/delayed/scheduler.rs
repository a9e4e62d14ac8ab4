//! How lazy values are computed: threads, memory, retries; and runs in progress.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use samite_runtime::{Options, Progress, Run, RuntimeError, Threads, Value, run_here, start};

use super::Lazy;
use super::node::{Node, prepare, value_of};

/// How lazy values are computed. The default: on all processors, with the default memory limit.
///
/// ```
/// use samite::delayed::{Scheduler, delayed};
///
/// let answer = delayed(|| 42);
/// let scheduler = Scheduler::threads(4).memory_limit(1 << 30).retries(2);
/// assert_eq!(*answer.compute_with(&scheduler)?, 42);
/// assert_eq!(*answer.compute_with(&Scheduler::synchronous())?, 42);
/// # Ok::<(), samite::delayed::RuntimeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scheduler {
    threads: Threads,
    memory_limit: Option<usize>,
    spill_folder: Option<PathBuf>,
    retries: u32,
}

impl Scheduler {
    /// On so many threads.
    pub fn threads(threads: usize) -> Self {
        Self { threads: Threads::Pool(threads), ..Self::default() }
    }

    /// On the calling thread, one task after the other: for debugging.
    pub fn synchronous() -> Self {
        Self { threads: Threads::Calling, ..Self::default() }
    }

    /// Holds at most so many bytes of values in memory; see
    /// [`Options::memory_limit`](samite_runtime::Options::memory_limit).
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Makes the spill folder in this one.
    #[must_use]
    pub fn spill_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spill_folder = Some(folder.into());
        self
    }

    /// Calls a failed function again so many times, where [`Lazy::retries`] does not say.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    fn options(&self) -> Options {
        Options {
            threads: self.threads,
            memory_limit: self.memory_limit,
            spill_folder: self.spill_folder.clone(),
            retries: self.retries,
            ..Options::default()
        }
    }

    pub(super) fn run(&self, nodes: &[Arc<Node>]) -> Result<Vec<Value>, RuntimeError> {
        let prepared = prepare(nodes)?;
        let options = Options { annotations: prepared.annotations, ..self.options() };
        match self.threads {
            Threads::Calling => run_here(prepared.plan, prepared.program, options),
            Threads::Pool(_) => start(prepared.plan, prepared.program, options)?.join(),
        }
    }
}

/// Computes several lazy values in one run: what they share is computed once.
///
/// # Errors
/// As [`Lazy::compute`].
pub fn compute_all<T: Send + Sync + 'static>(
    values: &[Lazy<T>],
    scheduler: &Scheduler,
) -> Result<Vec<Arc<T>>, RuntimeError> {
    let nodes: Vec<_> = values.iter().map(|lazy| Arc::clone(&lazy.node)).collect();
    let computed = scheduler.run(&nodes)?;
    computed.iter().map(typed).collect()
}

fn typed<T: Send + Sync + 'static>(value: &Value) -> Result<Arc<T>, RuntimeError> {
    value_of(value).map_err(|error| RuntimeError::Internal { message: error.to_string() })
}

/// A lazy value that is being computed. Dropping it cancels the run.
///
/// ```
/// use std::time::Duration;
/// use samite::delayed::{RuntimeError, Scheduler, delayed};
///
/// let slow = delayed(|| std::thread::sleep(Duration::from_secs(5)));
/// let running = slow.start(&Scheduler::threads(1))?;
/// assert!(running.wait(Duration::from_millis(10)).is_none());
/// assert_eq!(running.progress().total, 1);
/// running.cancel();
/// assert!(matches!(running.join(), Err(RuntimeError::Cancelled)));
/// # Ok::<(), RuntimeError>(())
/// ```
#[derive(Debug)]
pub struct Running<T> {
    run: Run,
    kind: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> Running<T> {
    pub(super) fn start(node: Arc<Node>, scheduler: &Scheduler) -> Result<Self, RuntimeError> {
        let prepared = prepare(&[node])?;
        let options = Options { annotations: prepared.annotations, ..scheduler.options() };
        Ok(Self { run: start(prepared.plan, prepared.program, options)?, kind: PhantomData })
    }

    /// Waits for the value, but not longer than `timeout`.
    ///
    /// # Errors
    /// As [`Lazy::compute`].
    pub fn wait(&self, timeout: Duration) -> Option<Result<Arc<T>, RuntimeError>> {
        self.run.wait(timeout).map(first)
    }

    /// Waits for the value.
    ///
    /// # Errors
    /// As [`Lazy::compute`].
    pub fn join(self) -> Result<Arc<T>, RuntimeError> {
        first(self.run.join())
    }

    /// Stops computing.
    pub fn cancel(&self) {
        self.run.cancel();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.run.progress()
    }
}

fn first<T: Send + Sync + 'static>(
    outcome: Result<Vec<Value>, RuntimeError>,
) -> Result<Arc<T>, RuntimeError> {
    typed(outcome?.first().ok_or(RuntimeError::ResultTaken)?)
}
