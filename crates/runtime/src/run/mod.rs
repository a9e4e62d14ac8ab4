//! Runs: a plan, a program, and the threads that carry them out.

mod memory;
mod options;
mod state;
mod task;
mod worker;

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use samite_graph::Plan;
use samite_scheduling::{Event, Pressure, Scheduler, Submission, TaskOptions, Time, WorkerOptions};

pub use options::{Options, Threads};

use self::state::{Counts, GRAPH, Garbage, Seat, Shared, State, WORKER};
use self::worker::Worker;
use crate::error::RuntimeError;
use crate::pool::Bound;
use crate::program::Program;
use crate::store::{Limit, Store, default_memory_limit, default_parent, remove_stale_once};
use crate::sync::{Condvar, Mutex};
use crate::value::Value;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tasks that have run.
    pub done: u64,
    /// Tasks of the plan.
    pub total: u64,
    /// Threads that are in a task now.
    pub running: u64,
    /// Bytes of values in memory.
    pub bytes: u64,
    /// Bytes of values on disk.
    pub spilled_bytes: u64,
    /// How many values were written to disk so far.
    pub spilled_count: u64,
}

/// A run in progress. Dropping it cancels it.
pub struct Run {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Run").field("progress", &self.progress()).finish()
    }
}

/// Starts a run on worker threads.
///
/// # Errors
/// [`RuntimeError::Thread`] where not even one thread can be started.
pub fn start(
    plan: Arc<Plan>,
    program: Arc<dyn Program>,
    options: Options,
) -> Result<Run, RuntimeError> {
    let threads = match options.threads {
        Threads::Pool(threads) => threads.max(1),
        Threads::Calling => 1,
    };
    let shared = Arc::new(prepare(plan, program, options, threads));
    worker::spawn(&shared, 0).map_err(|source| RuntimeError::Thread { source })?;
    Ok(Run { shared })
}

/// Runs a plan on the calling thread and returns the values of its outputs, in their order.
///
/// # Errors
/// Whatever ended the run; see [`RuntimeError`].
pub fn run_here(
    plan: Arc<Plan>,
    program: Arc<dyn Program>,
    options: Options,
) -> Result<Vec<Value>, RuntimeError> {
    let shared = Arc::new(prepare(plan, program, options, 1));
    Worker::new(&shared, 0).live();
    let outcome = shared.state.lock().outcome.take();
    outcome.unwrap_or(Err(RuntimeError::ResultTaken))
}

/// Everything of a run but its threads; the first one is counted as started and called.
fn prepare(plan: Arc<Plan>, program: Arc<dyn Program>, options: Options, threads: usize) -> Shared {
    let limit = match options.memory_limit {
        Some(bytes) => Limit { bytes: bytes as u64, strict: true },
        None => Limit { bytes: default_memory_limit(), strict: false },
    };
    let spill_parent = options.spill_folder.unwrap_or_else(default_parent);
    remove_stale_once(&spill_parent);
    let wants_freed = options.observer.as_ref().is_some_and(|observer| observer.wants_freed());
    let shared = Shared {
        program,
        guard: options.guard,
        observer: options.observer,
        wants_freed,
        retries: options.retries,
        store_limit: limit,
        kept: Bound::of_run(limit.bytes),
        threads,
        process: std::process::id(),
        began: Instant::now(),
        state: Mutex::new(State {
            machine: None,
            actions: Vec::new(),
            ready: BinaryHeap::new(),
            store: Store::new(plan.len(), limit),
            estimates: FxHashMap::default(),
            tried: FxHashMap::default(),
            pace: [20_000, 0],
            batch: 1,
            capacity: threads as u32,
            pressure: Pressure::Normal,
            busy: 0,
            holding: 0,
            started: 1,
            sleeping: 0,
            waking: 0,
            watching: false,
            outputs_due: false,
            collecting: false,
            failed: false,
            over: false,
            ended: false,
            outcome: None,
        }),
        work: Condvar::new(),
        memory: Condvar::new(),
        ended: Condvar::new(),
        over: AtomicBool::new(false),
        seats: (0..threads).map(|_| Seat::default()).collect(),
        counts: Counts::default(),
        spill_parent,
        folder: Mutex::new(None),
        plan,
    };
    submit(&shared, &options.annotations);
    shared
}

/// Tells a new machine of its one worker and its one graph.
fn submit(shared: &Shared, annotations: &[TaskOptions]) {
    let annotations = annotations.iter().map(|row| TaskOptions {
        priority: row.priority,
        retries: row.retries.max(shared.retries),
        ..TaskOptions::default()
    });
    let mut worker = WorkerOptions::with_slots(shared.threads as u32);
    worker.capacity = shared.threads as u32;
    let now = Time(shared.now());
    let mut state = shared.state.lock();
    let mut machine = Scheduler::new(samite_scheduling::Options::one_machine());
    let joined = Event::WorkerJoined { worker: WORKER, options: worker };
    machine.handle(now, joined, &mut state.actions);
    let submission = Submission::new(GRAPH, Arc::clone(&shared.plan), annotations.collect());
    machine.handle(now, Event::GraphSubmitted(Box::new(submission)), &mut state.actions);
    state.machine = Some(machine);
    // Nothing has a value yet, so nothing is dropped.
    let mut garbage = Garbage::default();
    shared.place(&mut state, now, &mut garbage);
    if shared.plan.is_empty() {
        state.outputs_due = true;
    }
}

impl Run {
    /// Waits for the end, but not longer than `timeout`; `None` where the run goes on. The result
    /// is handed out once.
    ///
    /// # Errors
    /// Whatever ended the run; [`RuntimeError::ResultTaken`] the second time;
    /// [`RuntimeError::Forked`] in a forked child.
    pub fn wait(&self, timeout: Duration) -> Option<Result<Vec<Value>, RuntimeError>> {
        if self.shared.process != std::process::id() {
            return Some(Err(RuntimeError::Forked));
        }
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.shared.state.lock();
        loop {
            if state.ended {
                return Some(state.outcome.take().unwrap_or(Err(RuntimeError::ResultTaken)));
            }
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => timeout,
            };
            if left.is_zero() {
                return None;
            }
            state = self.shared.ended.wait_timeout(state, left);
        }
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// As [`Run::wait`].
    pub fn join(self) -> Result<Vec<Value>, RuntimeError> {
        loop {
            if let Some(outcome) = self.wait(Duration::from_secs(3600)) {
                return outcome;
            }
        }
    }

    /// Ends the run at once: no task starts any more, [`Run::wait`] answers
    /// [`RuntimeError::Cancelled`], and operations that are under way see
    /// [`Context::is_cancelled`](crate::Context::is_cancelled); nobody waits for them.
    pub fn cancel(&self) {
        if self.shared.process == std::process::id() {
            self.shared.finish(Err(RuntimeError::Cancelled));
        }
    }

    /// How far the run is. Takes no lock.
    pub fn progress(&self) -> Progress {
        let counts = &self.shared.counts;
        let in_task = self.shared.seats.iter();
        Progress {
            done: counts.done.load(Ordering::Relaxed),
            total: self.shared.plan.len() as u64,
            running: in_task.filter(|seat| seat.since.load(Ordering::Relaxed) != 0).count() as u64,
            bytes: counts.bytes.load(Ordering::Relaxed),
            spilled_bytes: counts.spilled_bytes.load(Ordering::Relaxed),
            spilled_count: counts.spilled_count.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel();
    }
}
