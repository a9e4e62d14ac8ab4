//! The life of a worker thread.
//!
//! ```text
//! idle ──▶ take a batch ──▶ run its tasks, free ones or inside the guard ──▶ report ──┐
//!  ▲            ▲                                                                      │
//!  └────────────┴──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A worker leaves when the run is over. One that is in a task at that moment leaves when the
//! task returns; nobody waits for it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::state::{Done, Garbage, Job, Ready, Shared, State, Taken, Wake};
use super::task::{Failed, Failure};
use crate::error::RuntimeError;
use crate::program::Lane;
use crate::sync;
use crate::value::Value;

/// How soon a sleeping worker first looks after the busy ones, and how seldom at last.
const FIRST_LOOK: Duration = Duration::from_micros(100);
const LAST_LOOK: Duration = Duration::from_millis(1);

/// One worker of a run.
pub(crate) struct Worker<'run> {
    pub(crate) shared: &'run Arc<Shared>,
    pub(crate) me: usize,
    pub(crate) garbage: Garbage,
    pub(crate) inputs: Vec<Value>,
    done: Vec<Done>,
}

/// What an idle worker is to do next.
enum Next {
    Over,
    Jobs,
    Heavy(Ready),
    OverLimit,
    Outputs,
}

/// Starts worker number `me` on a thread of the cache.
pub(crate) fn spawn(shared: &Arc<Shared>, me: usize) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    crate::threads::spawn(Box::new(move || {
        let guard = shared.guard.clone();
        let mut life = || Worker::new(&shared, me).live();
        match guard {
            Some(guard) => {
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    guard.thread(&mut life);
                }));
                if ended.is_err() {
                    shared.finish(Err(fault("a guard panicked")));
                }
            }
            None => life(),
        }
    }))
}

fn fault(message: impl Into<String>) -> RuntimeError {
    RuntimeError::Internal { message: message.into() }
}

impl<'run> Worker<'run> {
    pub(crate) fn new(shared: &'run Arc<Shared>, me: usize) -> Self {
        let (garbage, inputs, done) = Default::default();
        Self { shared, me, garbage, inputs, done }
    }

    /// Works until the run is over.
    pub(crate) fn live(&mut self) {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.work()));
        if let Err(panic) = ended {
            let message = super::task::panic_message(&*panic);
            self.shared.finish(Err(fault(format!("a worker panicked: {message}"))));
        }
        let left = std::mem::take(&mut *self.shared.seats[self.me].local.lock());
        drop(left);
    }

    fn work(&mut self) {
        {
            // A thread that was started for this worker has arrived.
            let mut state = self.shared.state.lock();
            state.waking = state.waking.saturating_sub(1);
        }
        loop {
            match self.acquire() {
                Next::Over => return,
                Next::Jobs => self.run_jobs(),
                Next::Heavy(ready) => {
                    self.prepare(ready);
                    self.run_jobs();
                }
                Next::OverLimit => {
                    self.make_room(0);
                }
                Next::Outputs => self.collect_outputs(),
            }
            self.shared.state.lock().busy -= 1;
        }
    }

    fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::Relaxed)
    }

    /// Waits until there is something to do. The worker counts as busy when this returns.
    fn acquire(&mut self) -> Next {
        let shared = Arc::clone(self.shared);
        let seat = &shared.seats[self.me];
        let mut look = FIRST_LOOK;
        let mut state = shared.state.lock();
        seat.since.store(0, Ordering::Relaxed);
        if state.holding > 0 {
            shared.memory.notify_all();
        }
        loop {
            if state.over {
                return Next::Over;
            }
            if let Some(next) = self.choose(&mut state) {
                state.busy += 1;
                seat.since.store(shared.now(), Ordering::Relaxed);
                let in_hand = seat.local.lock().jobs.len();
                let wake = shared.whom_to_wake(&mut state, self.me, in_hand);
                drop(state);
                self.call(wake);
                return next;
            }
            let found = shared.relieve(&mut state, self.me, &mut self.garbage);
            if found || !self.garbage.is_empty() {
                drop(state);
                self.clean();
                state = shared.state.lock();
                continue;
            }
            if state.busy == 0 && state.holding == 0 && !state.collecting && !state.failed {
                drop(state);
                shared.finish(Err(fault("tasks are left and none of them can run")));
                return Next::Over;
            }
            state = self.sleep(&shared, state, &mut look);
        }
    }

    /// What an idle worker can do now.
    fn choose(&mut self, state: &mut State) -> Option<Next> {
        if state.outputs_due {
            state.outputs_due = false;
            state.collecting = true;
            return Some(Next::Outputs);
        }
        if !self.shared.help_is_useful(state, self.me, state.busy) {
            return None;
        }
        let mut local = self.shared.seats[self.me].local.lock();
        match self.shared.take(state, &mut local) {
            Taken::Jobs => Some(Next::Jobs),
            Taken::Heavy(ready) => Some(Next::Heavy(ready)),
            Taken::OverLimit => Some(Next::OverLimit),
            Taken::Nothing => None,
        }
    }

    /// Sleeps until called; one of the sleepers looks after the busy workers from time to time.
    fn sleep<'lock>(
        &self,
        shared: &'lock Shared,
        mut state: sync::Guard<'lock, State>,
        look: &mut Duration,
    ) -> sync::Guard<'lock, State> {
        state.sleeping += 1;
        if !state.watching && shared.needs_watching(&state) {
            state.watching = true;
            state = shared.work.wait_timeout(state, *look);
            state.watching = false;
            *look = (*look * 2).min(LAST_LOOK);
        } else {
            state = shared.work.wait(state);
            *look = FIRST_LOOK;
        }
        state.sleeping -= 1;
        state.waking = state.waking.saturating_sub(1);
        state
    }

    /// Wakes or starts another worker.
    fn call(&self, wake: Wake) {
        match wake {
            Wake::Nobody => {}
            Wake::Sleeper => self.shared.work.notify_one(),
            Wake::New(number) => {
                if spawn(self.shared, number).is_err() {
                    // The run goes on with the threads that it has.
                    self.shared.state.lock().waking -= 1;
                }
            }
        }
    }

    /// Runs what is in this worker's hands, and whatever can be taken without waiting.
    fn run_jobs(&mut self) {
        while let Some(lane) = self.next_lane() {
            match (lane, &self.shared.guard) {
                (Lane::Guarded, Some(guard)) => {
                    let guard = Arc::clone(guard);
                    guard.batch(&mut || self.drain(Lane::Guarded));
                }
                _ => self.drain(lane),
            }
        }
    }

    /// The lane of the next task in hand.
    fn next_lane(&self) -> Option<Lane> {
        if self.is_over() {
            return None;
        }
        let local = self.shared.seats[self.me].local.lock();
        local.jobs.front().map(|job| self.shared.lane(job.ready.task))
    }

    /// Runs tasks of one lane until the next one is of the other lane, or there is none.
    fn drain(&mut self, lane: Lane) {
        let shared = Arc::clone(self.shared);
        let seat = &shared.seats[self.me];
        let mut finished: Option<Done> = None;
        let mut began = Instant::now();
        loop {
            let next = {
                let mut local = seat.local.lock();
                local.done.extend(finished.take());
                match local.jobs.front() {
                    _ if self.is_over() => return,
                    Some(job) if shared.lane(job.ready.task) != lane => return,
                    Some(_) => {
                        let job = local.jobs.pop_front();
                        if let Some(job) = &job {
                            let count = shared.plan.dependencies(job.ready.task).len();
                            self.inputs.extend(local.inputs.drain(..count));
                        }
                        job
                    }
                    None => None,
                }
            };
            let Some(job) = next else {
                if !self.turn_in() {
                    return;
                }
                began = Instant::now();
                continue;
            };
            seat.since.store(shared.nanoseconds(began), Ordering::Relaxed);
            match self.run_task(&job, began) {
                Ok((done, ended)) => {
                    finished = Some(done);
                    began = ended;
                }
                Err(failed) => {
                    self.fail(job, failed);
                    began = Instant::now();
                }
            }
        }
    }

    /// Reports what has run and takes more. Returns whether there is more.
    fn turn_in(&mut self) -> bool {
        let shared = self.shared;
        let seat = &shared.seats[self.me];
        let (wake, more) = {
            let mut state = shared.state.lock();
            let mut local = seat.local.lock();
            std::mem::swap(&mut local.done, &mut self.done);
            shared.report(&mut state, &mut self.done, &mut self.garbage);
            let others = state.busy - 1;
            let more = shared.help_is_useful(&state, self.me, others)
                && match shared.take(&mut state, &mut local) {
                    Taken::Jobs => true,
                    Taken::Heavy(ready) => {
                        // Outside of the guard this worker, or another, finds it again.
                        state.ready.push(Reverse(ready));
                        false
                    }
                    Taken::OverLimit | Taken::Nothing => false,
                };
            let in_hand = local.jobs.len();
            drop(local);
            (shared.whom_to_wake(&mut state, self.me, in_hand), more)
        };
        self.call(wake);
        self.clean();
        more
    }

    /// Drops what the last visit to the store gave back, and tells the observer.
    pub(crate) fn clean(&mut self) {
        if let Some(observer) = &self.shared.observer {
            for (task, bytes) in self.garbage.freed.drain(..) {
                observer.freed(task, bytes);
            }
        }
        self.garbage.values.clear();
        self.garbage.files.clear();
        self.garbage.done.clear();
    }

    /// A task failed: try it again, or end the run.
    fn fail(&mut self, job: Job, failed: Failed) {
        let shared = self.shared;
        let task = job.ready.task;
        if !matches!(failed.failure, Failure::Error(_) | Failure::Panic(_)) {
            return shared.finish(Err(shared.describe(task, failed)));
        }
        let last = {
            let mut state = shared.state.lock();
            state.store.reserved = state.store.reserved.saturating_sub(job.reserved);
            std::mem::swap(&mut shared.seats[self.me].local.lock().done, &mut self.done);
            shared.report(&mut state, &mut self.done, &mut self.garbage);
            shared.report_failure(&mut state, &job.ready, &mut self.garbage)
        };
        self.clean();
        if last {
            shared.finish(Err(shared.describe(task, failed)));
        }
    }
}
