//! Virtual time, and messages that are under way.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::event::Event;
use crate::ids::{Attempt, Portion, TaskKey, WorkerId};
use crate::simulation::faults::Faults;
use crate::simulation::random::Random;
use crate::worker::Input;

/// What can happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A client submits a job.
    Submit { job: usize },
    /// A client loses interest in a job.
    Release { job: usize },
    /// A client drops some of its outputs.
    DropOutputs { job: usize },
    /// A client wants outputs again that it dropped.
    WantAgain { job: usize },
    /// A client cancels a task.
    CancelTask { job: usize },
    /// A client brings data to workers that the scheduler does not know to be there.
    Scatter { job: usize },
    /// A client tries tasks again.
    Retry { task: TaskKey },
    /// A worker is told to leave.
    Retire { victim: u64 },
    /// Values are moved for balance.
    Rebalance,
    /// Copies that nobody needs are dropped.
    Reduce,
    /// A client fetches outputs.
    Gather { job: usize },
    /// A message comes to the scheduler; those of an earlier life of the scheduler are lost.
    ToScheduler { life: u32, event: Event },
    /// A message comes to a worker.
    ToWorker { life: u32, node: usize, input: Input },
    /// The scheduler places what is ready.
    Place,
    /// A transfer between workers ends.
    FetchEnds { node: usize, portion: Portion, source: WorkerId },
    /// An execution ends.
    ExecutionEnds { node: usize, task: TaskKey, attempt: Attempt, end: End },
    /// A worker dies.
    Kill { victim: u64 },
    /// A worker starts.
    Join { like: usize },
    /// A worker has less room for a while.
    Squeeze { victim: u64, kind: u64, until: u64 },
    /// A store loses a value.
    LoseValue { victim: u64, value: u64 },
    /// The scheduler dies and is restarted.
    Restart,
    /// A worker connects to the restarted scheduler.
    Reconnect { life: u32, node: usize },
}

/// How an execution ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Value(u64),
    Error,
    Reschedule,
}

#[derive(Debug)]
struct Timed {
    time: u64,
    number: u64,
    happening: Happening,
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Timed {}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timed {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.time, self.number).cmp(&(other.time, other.number))
    }
}

/// All that will happen, in order of time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    now: u64,
    number: u64,
    heap: BinaryHeap<Reverse<Timed>>,
}

impl Agenda {
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn at(&mut self, time: u64, happening: Happening) {
        self.number += 1;
        let time = time.max(self.now);
        self.heap.push(Reverse(Timed { time, number: self.number, happening }));
    }

    pub(super) fn after(&mut self, delay: u64, happening: Happening) {
        self.at(self.now.saturating_add(delay), happening);
    }

    pub(super) fn next(&mut self) -> Option<Happening> {
        let Reverse(timed) = self.heap.pop()?;
        self.now = timed.time;
        Some(timed.happening)
    }
}

/// One direction of a connection: messages arrive in the order in which they were sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    last_arrival: u64,
}

impl Link {
    /// When a message sent now arrives.
    pub(super) fn arrival(&mut self, now: u64, faults: &Faults, random: &mut Random) -> u64 {
        let mut delay = random.between(faults.delay.0, faults.delay.1);
        while random.chance(faults.loss) {
            delay += faults.resend;
        }
        self.last_arrival = (now + delay).max(self.last_arrival + 1);
        self.last_arrival
    }
}
