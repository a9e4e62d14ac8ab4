//! What the workers of one run share, and the bookkeeping under its one lock.
//!
//! All decisions come from the scheduling machine: which task may run, which value is dropped.
//! The code here carries them out and decides only what is the machine's driver's part: how many
//! tasks a thread takes at once, and who is woken.
//!
//! Locks are taken in the order `state`, then a seat's `local`. Neither is ever held while user
//! code runs or is dropped, nor while a guard is entered; a guard may be held while taking them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rustc_hash::FxHashMap;
use samite_graph::{Plan, TaskId, Work};
use samite_scheduling::{
    Action, Attempt, Event, GraphId, Pressure, Priority, Scheduler, TaskKey, Time, WorkerId,
};

use crate::error::RuntimeError;
use crate::pool::Bound;
use crate::program::{Guard, Lane, Observer, Program};
use crate::store::{Folder, Limit, SpillFile, Store};
use crate::sync::{Condvar, Mutex};
use crate::value::Value;

pub(crate) const GRAPH: GraphId = GraphId(0);
pub(crate) const WORKER: WorkerId = WorkerId(0);

/// A thread takes as many tasks at once as fill this time, in nanoseconds.
const BATCH_TIME: u64 = 100_000;
const LARGEST_BATCH: usize = 256;
/// Ready tasks of the free lane that promise this much work, in nanoseconds, are worth waking
/// another thread for.
const WORTH_WAKING: u64 = 20_000;
/// Free tasks shorter than this, in nanoseconds, cost less to run than to hand out: a second thread
/// would only fight for the lock.
const SHORTEST_SHARED: u64 = 300;
/// Guarded tasks at least this long, in nanoseconds, are worth a second thread: shorter ones would
/// only make the threads fight for the guard.
const LONG_GUARDED: u64 = 50_000;
/// A thread in one task for longer than this, in nanoseconds, gets its other tasks taken away.
pub(crate) const STUCK: u64 = 100_000;

/// A task that the machine told to run.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ready {
    pub(crate) priority: Priority,
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
}

/// A task in a thread's hands; its inputs stand in [`Local::inputs`].
pub(crate) struct Job {
    pub(crate) ready: Ready,
    pub(crate) reserved: u64,
}

/// A task that ran, not yet told to the machine.
pub(crate) struct Done {
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) value: Value,
    pub(crate) bytes: u64,
    pub(crate) duration: u64,
    pub(crate) reserved: u64,
}

/// What a thread has taken and not yet given back.
#[derive(Default)]
pub(crate) struct Local {
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) inputs: VecDeque<Value>,
    pub(crate) done: Vec<Done>,
}

/// One worker's place.
#[derive(Default)]
pub(crate) struct Seat {
    pub(crate) local: Mutex<Local>,
    /// When the worker began what it does now, in nanoseconds of the run; zero while it is idle.
    pub(crate) since: AtomicU64,
}

/// What must be dropped outside the locks.
#[derive(Default)]
pub(crate) struct Garbage {
    pub(crate) values: Vec<Value>,
    pub(crate) files: Vec<Arc<SpillFile>>,
    pub(crate) done: Vec<Done>,
    /// Freed tasks and their sizes, where an observer wants them.
    pub(crate) freed: Vec<(TaskId, u64)>,
}

impl Garbage {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.files.is_empty() && self.freed.is_empty()
    }
}

/// Numbers that anyone may read without a lock.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) done: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) spilled_bytes: AtomicU64,
    pub(crate) spilled_count: AtomicU64,
}

/// How the run ended.
pub(crate) type Outcome = Result<Vec<Value>, RuntimeError>;

/// All of a run.
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    pub(crate) program: Arc<dyn Program>,
    pub(crate) guard: Option<Arc<dyn Guard>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) wants_freed: bool,
    pub(crate) retries: u32,
    pub(crate) store_limit: Limit,
    /// What may be kept of memory that operations gave up.
    pub(crate) kept: Bound,
    pub(crate) threads: usize,
    pub(crate) process: u32,
    pub(crate) began: Instant,
    pub(crate) state: Mutex<State>,
    /// Idle workers wait here.
    pub(crate) work: Condvar,
    /// Workers whose task waits for memory wait here.
    pub(crate) memory: Condvar,
    /// Whoever wants the result waits here.
    pub(crate) ended: Condvar,
    /// The run is over, or about to be: start nothing.
    pub(crate) over: AtomicBool,
    pub(crate) seats: Box<[Seat]>,
    pub(crate) counts: Counts,
    pub(crate) spill_parent: PathBuf,
    pub(crate) folder: Mutex<Option<Arc<Folder>>>,
}

/// What stands under the lock.
pub(crate) struct State {
    /// Gone when the run is over.
    pub(crate) machine: Option<Scheduler>,
    pub(crate) actions: Vec<Action>,
    pub(crate) ready: BinaryHeap<Reverse<Ready>>,
    pub(crate) store: Store,
    /// Bytes that an operation's value takes, for those whose values are not tiny.
    pub(crate) estimates: FxHashMap<u32, u64>,
    /// Retries used by tasks whose annotation names none.
    pub(crate) tried: FxHashMap<TaskId, u32>,
    /// How long tasks take, in nanoseconds: free ones and guarded ones.
    pub(crate) pace: [u64; 2],
    pub(crate) batch: usize,
    pub(crate) capacity: u32,
    pub(crate) pressure: Pressure,
    /// Workers that have tasks in their hands.
    pub(crate) busy: usize,
    /// Workers that wait for memory with a task in their hands.
    pub(crate) holding: usize,
    /// Threads started, those of them that sleep, and those called but not yet there.
    pub(crate) started: usize,
    pub(crate) sleeping: usize,
    pub(crate) waking: usize,
    /// Whether a sleeping worker looks after the busy ones.
    pub(crate) watching: bool,
    /// Every task has run; someone has to collect the outputs.
    pub(crate) outputs_due: bool,
    /// Someone is collecting them.
    pub(crate) collecting: bool,
    /// A task failed for good.
    pub(crate) failed: bool,
    /// Nothing is started or kept any more.
    pub(crate) over: bool,
    /// The outcome was there; it may have been taken since.
    pub(crate) ended: bool,
    pub(crate) outcome: Option<Outcome>,
}

/// Whom to call for help once the lock is released.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Nobody,
    Sleeper,
    /// A new thread with this number.
    New(usize),
}

/// What a worker got.
pub(crate) enum Taken {
    /// Jobs, in its `local`.
    Jobs,
    /// A task that needs memory made free, or inputs read from disk.
    Heavy(Ready),
    /// Memory is over the limit: spill something first.
    OverLimit,
    Nothing,
}

impl Shared {
    /// Nanoseconds since the run began; never zero.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.nanoseconds(Instant::now())
    }

    #[inline]
    pub(crate) fn nanoseconds(&self, at: Instant) -> u64 {
        at.duration_since(self.began).as_nanos() as u64 + 1
    }

    /// Where a task runs: in the guard, if any of its steps needs that.
    #[inline]
    pub(crate) fn lane(&self, task: TaskId) -> Lane {
        if self.guard.is_none() {
            return Lane::Free;
        }
        match self.plan.work(task) {
            Work::Single { operation, .. } => self.program.lane(operation),
            Work::Fused(steps) => {
                let guarded = |operation| self.program.lane(operation) == Lane::Guarded;
                if steps.iter().any(|step| guarded(step.operation)) {
                    Lane::Guarded
                } else {
                    Lane::Free
                }
            }
        }
    }

    /// The operation whose value is the task's.
    fn operation(&self, task: TaskId) -> u32 {
        match self.plan.work(task) {
            Work::Single { operation, .. } => operation.0,
            Work::Fused(steps) => steps.last().map_or(0, |step| step.operation.0),
        }
    }

    /// A task's name; outside all locks, for it is the user's code.
    pub(crate) fn name(&self, task: TaskId) -> String {
        match self.plan.work(task) {
            Work::Single { operation, index } => self.program.name(operation, index),
            Work::Fused(steps) => {
                steps.last().map_or_else(String::new, |s| self.program.name(s.operation, s.index))
            }
        }
    }

    /// The bytes that a task's value is expected to take.
    pub(crate) fn estimate(&self, state: &State, task: TaskId) -> u64 {
        if !state.estimates.is_empty()
            && let Some(estimate) = state.estimates.get(&self.operation(task))
        {
            return *estimate;
        }
        // Nothing is known: only where memory is short, better assume that a value is as large
        // as what it is made of.
        if state.store.bytes + state.store.reserved <= state.store.limit.bytes / 2 {
            return 0;
        }
        state.store.bytes_of(self.plan.dependencies(task)).1
    }

    /// Tells the machine of finished tasks and carries out what it answers.
    pub(crate) fn report(&self, state: &mut State, done: &mut Vec<Done>, garbage: &mut Garbage) {
        if state.over || done.is_empty() {
            garbage.done.append(done);
            return;
        }
        let now = Time(self.now());
        let (mut sum, mut longest, count) = (0, 0, done.len() as u64);
        let noteworthy = state.store.limit.bytes / 4096;
        let mut guarded = Lane::Free;
        for done in done.drain(..) {
            sum += done.duration;
            longest = longest.max(done.duration);
            state.store.reserved -= done.reserved;
            if done.bytes > noteworthy {
                let operation = self.operation(done.task);
                let estimate = state.estimates.entry(operation).or_insert(done.bytes);
                *estimate = done.bytes.max((*estimate * 7 + done.bytes) / 8);
            }
            guarded = self.lane(done.task);
            state.store.insert(done.task, done.value, done.bytes);
            let Some(machine) = &mut state.machine else { continue };
            let event = Event::TaskFinished {
                worker: WORKER,
                task: TaskKey { graph: GRAPH, task: done.task },
                attempt: done.attempt,
                bytes: done.bytes,
                duration: done.duration,
            };
            machine.handle(now, event, &mut state.actions);
        }
        let pace = &mut state.pace[guarded as usize];
        let mean = sum / count;
        *pace = mean.max((*pace * 3 + mean) / 4);
        let wanted = BATCH_TIME / (*pace).max(longest / 4).max(1);
        state.batch = (wanted as usize).clamp(1, LARGEST_BATCH);
        self.counts.done.fetch_add(count, Ordering::Relaxed);
        self.place(state, now, garbage);
        if state.holding > 0 {
            self.memory.notify_all();
        }
    }

    /// Lets the machine place what is ready, and carries out all of its actions.
    pub(crate) fn place(&self, state: &mut State, now: Time, garbage: &mut Garbage) {
        self.carry_out(state, garbage);
        let Some(machine) = &mut state.machine else { return };
        let threads = self.threads as u32;
        // One batch for each thread to run and one to take next. Single tasks wait in the
        // machine, whose choice is then the best there is.
        let capacity = if state.batch == 1 { threads } else { threads * 2 * state.batch as u32 };
        if capacity != state.capacity {
            state.capacity = capacity;
            let event = Event::CapacityChanged { worker: WORKER, capacity };
            machine.handle(now, event, &mut state.actions);
        }
        let store = &state.store;
        let used = (store.bytes + store.reserved) as f64 / store.limit.bytes.max(1) as f64;
        let pressure = match state.pressure {
            Pressure::Normal if used > 0.7 => Pressure::HoldSources,
            Pressure::HoldSources if used < 0.55 => Pressure::Normal,
            same => same,
        };
        if pressure != state.pressure {
            state.pressure = pressure;
            let event = Event::MemoryChanged { worker: WORKER, bytes: store.bytes, pressure };
            machine.handle(now, event, &mut state.actions);
        }
        machine.place(now, &mut state.actions);
        self.carry_out(state, garbage);
        self.publish(state);
    }

    /// Makes the store's numbers readable without the lock.
    pub(crate) fn publish(&self, state: &State) {
        let store = &state.store;
        self.counts.bytes.store(store.bytes, Ordering::Relaxed);
        self.counts.spilled_bytes.store(store.spilled_bytes, Ordering::Relaxed);
        self.counts.spilled_count.store(store.spilled_count, Ordering::Relaxed);
    }

    fn carry_out(&self, state: &mut State, garbage: &mut Garbage) {
        let mut actions = std::mem::take(&mut state.actions);
        for action in actions.drain(..) {
            match action {
                Action::Run { task, attempt, priority, .. } => {
                    state.ready.push(Reverse(Ready { priority, task: task.task, attempt }));
                }
                Action::Free { task, .. } => {
                    let (value, file, bytes) = state.store.remove(task.task);
                    garbage.values.extend(value);
                    garbage.files.extend(file);
                    if self.wants_freed {
                        garbage.freed.push((task.task, bytes));
                    }
                }
                Action::GraphDone { .. } => state.outputs_due = true,
                Action::GraphFailed { .. } => {
                    state.failed = true;
                    self.over.store(true, Ordering::Relaxed);
                }
                // With one worker nothing moves between workers, a cancelled run ends whole, and a
                // run that stands alone has no independent tasks.
                Action::Cancel { .. }
                | Action::OutputErred { .. }
                | Action::OutputUnknown { .. }
                | Action::GraphForgotten { .. }
                | Action::WorkerRetired { .. }
                | Action::Steal { .. }
                | Action::Replicate { .. }
                | Action::OutputReady { .. }
                | Action::Journal(_) => {}
            }
        }
        state.actions = actions;
    }

    /// Moves ready tasks into a worker's hands.
    pub(crate) fn take(&self, state: &mut State, local: &mut Local) -> Taken {
        if state.over || state.failed || state.collecting || state.outputs_due {
            return Taken::Nothing;
        }
        if state.store.bytes + state.store.reserved > state.store.limit.bytes
            && !state.store.hopeless
        {
            return Taken::OverLimit;
        }
        let wanted = (state.ready.len() / self.threads).clamp(1, state.batch);
        let before = local.jobs.len();
        while local.jobs.len() - before < wanted {
            let Some(Reverse(next)) = state.ready.peek() else { break };
            let dependencies = self.plan.dependencies(next.task);
            let reserved = self.estimate(state, next.task);
            let fits = reserved == 0 || reserved <= state.store.room();
            let start = local.inputs.len();
            let complete = fits
                && dependencies.iter().all(|input| match state.store.get(*input) {
                    Some(value) => {
                        local.inputs.push_back(Arc::clone(value));
                        true
                    }
                    None => false,
                });
            if !complete {
                // These clones are not the last ones, so dropping them under the lock is cheap.
                local.inputs.truncate(start);
                if local.jobs.len() > before {
                    break;
                }
                return match state.ready.pop() {
                    Some(Reverse(ready)) => Taken::Heavy(ready),
                    None => Taken::Nothing,
                };
            }
            if let Some(Reverse(ready)) = state.ready.pop() {
                state.store.reserved += reserved;
                local.jobs.push_back(Job { ready, reserved });
            }
        }
        if local.jobs.len() > before { Taken::Jobs } else { Taken::Nothing }
    }

    /// Whether worker `me` should take what is ready while so many others are busy.
    pub(crate) fn help_is_useful(&self, state: &State, me: usize, others: usize) -> bool {
        if others == 0 {
            return true;
        }
        let Some(Reverse(next)) = state.ready.peek() else { return false };
        let useful = match self.lane(next.task) {
            Lane::Free => {
                let work = state.pace[0].saturating_mul(state.ready.len() as u64);
                state.pace[0] >= SHORTEST_SHARED && work >= WORTH_WAKING
            }
            Lane::Guarded => state.pace[1] >= LONG_GUARDED,
        };
        useful || self.someone_is_stuck(me)
    }

    fn someone_is_stuck(&self, me: usize) -> bool {
        let now = self.now();
        self.seats.iter().enumerate().any(|(number, seat)| {
            let since = seat.since.load(Ordering::Relaxed);
            number != me && since != 0 && since + STUCK < now
        })
    }

    /// Takes from workers that are stuck in a long task what they cannot attend to: reports, and
    /// tasks that others could run. Returns whether there was any.
    pub(crate) fn relieve(&self, state: &mut State, me: usize, garbage: &mut Garbage) -> bool {
        let now = self.now();
        let mut found = false;
        for (number, seat) in self.seats.iter().enumerate() {
            let since = seat.since.load(Ordering::Relaxed);
            if number == me || since == 0 || since + STUCK >= now {
                continue;
            }
            let mut local = seat.local.lock();
            let mut done = std::mem::take(&mut local.done);
            let jobs = std::mem::take(&mut local.jobs);
            garbage.values.extend(local.inputs.drain(..));
            drop(local);
            found |= !done.is_empty() || !jobs.is_empty();
            for job in jobs {
                state.store.reserved -= job.reserved;
                state.ready.push(Reverse(job.ready));
            }
            self.report(state, &mut done, garbage);
        }
        found
    }

    /// Whether a sleeping worker should look again soon: a busy one may get stuck while it has
    /// things that others could do.
    pub(crate) fn needs_watching(&self, state: &State) -> bool {
        state.busy > 0
            && (!state.ready.is_empty()
                || self.seats.iter().any(|seat| {
                    let local = seat.local.lock();
                    !local.jobs.is_empty() || !local.done.is_empty()
                }))
    }

    /// Whom to call, now that a worker has `in_hand` tasks and others may be ready.
    pub(crate) fn whom_to_wake(&self, state: &mut State, me: usize, in_hand: usize) -> Wake {
        let spare = state.sleeping > 0 || state.started < self.threads;
        if !spare || state.waking > 0 || state.over {
            return Wake::Nobody;
        }
        let watchable = !state.watching && (in_hand > 1 || !state.ready.is_empty());
        if !watchable && (state.ready.is_empty() || !self.help_is_useful(state, me, 1)) {
            return Wake::Nobody;
        }
        state.waking += 1;
        if state.sleeping > 0 {
            return Wake::Sleeper;
        }
        state.started += 1;
        Wake::New(state.started - 1)
    }

    /// Ends the run, unless it has ended already, and drops all that it held: before anyone sees
    /// the outcome, so that memory and disk are free by then. Only a cancelled run is told first,
    /// for dropping may take a while.
    pub(crate) fn finish(&self, outcome: Outcome) {
        self.over.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        if state.over {
            drop(state);
            drop(outcome);
            return;
        }
        state.over = true;
        let limit = state.store.limit;
        let trash = (
            std::mem::replace(&mut state.store, Store::new(0, limit)),
            state.machine.take(),
            std::mem::take(&mut state.ready),
            self.folder.lock().take(),
        );
        self.work.notify_all();
        self.memory.notify_all();
        if matches!(outcome, Err(RuntimeError::Cancelled)) {
            state.ended(outcome);
            self.ended.notify_all();
            drop(state);
            drop(trash);
            return;
        }
        drop(state);
        // Another worker may still be writing to it.
        if let Some(folder) = &trash.3 {
            folder.remove();
        }
        // The user's values are dropped here; a panic in one must not keep the outcome back.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(trash)));
        self.state.lock().ended(outcome);
        self.ended.notify_all();
    }
}

impl State {
    fn ended(&mut self, outcome: Outcome) {
        self.ended = true;
        self.outcome = Some(outcome);
    }
}
