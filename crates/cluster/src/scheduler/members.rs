//! Who is connected: clients and workers, with the messages that wait for them.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::OperationId;
use samite_scheduling::{GraphId, WorkerId, WorkerOptions};

use super::ConnectionId;
use super::memory::Observed;
use crate::encoded;
use crate::plain::Plain;
use crate::protocol::{ToClient, ToWorker};
use crate::transport::{Address, Parcel, Sender};

/// A client's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ClientId(pub(super) u64);

/// The workers for whom something waits; some may be gone, or be there twice. After a batch only
/// they are looked at, however many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Unsent(Arc<Mutex<Vec<WorkerId>>>);

impl Unsent {
    pub(super) fn take(&self) -> Vec<WorkerId> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// What was not sent yet.
enum Waiting<M> {
    /// As it is, for a member of this process.
    Local(Vec<M>),
    /// As bytes, which are much shorter.
    Written(encoded::Writing),
    /// Something had no form in bytes.
    Broken,
}

/// The sending end of a member's connection, with what was not sent yet.
pub(super) struct Outgoing<M> {
    sender: Sender,
    waiting: Waiting<M>,
    /// Where it says that something waits, and for whom.
    unsent: Option<(Unsent, WorkerId)>,
}

impl<M: serde::Serialize + Send + 'static> Outgoing<M> {
    pub(super) fn new(sender: Sender, local: bool) -> Self {
        let waiting = if local {
            Waiting::Local(Vec::new())
        } else {
            Waiting::Written(encoded::Writing::default())
        };
        Self { sender, waiting, unsent: None }
    }

    /// As [`new`](Self::new), to a worker.
    pub(super) fn to_worker(
        sender: Sender,
        local: bool,
        worker: WorkerId,
        unsent: &Unsent,
    ) -> Self {
        Self { unsent: Some((unsent.clone(), worker)), ..Self::new(sender, local) }
    }

    pub(super) fn push(&mut self, message: M) {
        let first = match &mut self.waiting {
            Waiting::Local(messages) => {
                messages.push(message);
                messages.len() == 1
            }
            Waiting::Written(written) => {
                let first = written.is_empty();
                if written.push(&message).is_err() {
                    self.waiting = Waiting::Broken;
                }
                first
            }
            Waiting::Broken => false,
        };
        if first && let Some((unsent, worker)) = &self.unsent {
            unsent.0.lock().push(*worker);
        }
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.waiting, Waiting::Local(_))
    }

    /// Sends what waits; false where the member cannot be reached.
    pub(super) fn flush(&mut self) -> bool {
        let parcel = match &mut self.waiting {
            Waiting::Local(messages) if messages.is_empty() => return true,
            Waiting::Local(messages) => Parcel::Local(Box::new(std::mem::take(messages))),
            Waiting::Written(written) if written.is_empty() => return true,
            Waiting::Written(written) => match written.take() {
                Ok(parcel) => parcel,
                Err(_) => return false,
            },
            Waiting::Broken => return false,
        };
        self.sender.post(parcel).is_ok()
    }

    pub(super) fn close(&self) {
        self.sender.close();
    }

    pub(super) fn abort(&self) {
        self.sender.abort();
    }
}

/// A client.
pub(super) struct Client {
    pub(super) name: String,
    pub(super) out: Outgoing<ToClient>,
    pub(super) topics: FxHashSet<String>,
    /// Whether it may outlive the scheduler, and come back to the next one.
    pub(super) lasts: bool,
}

/// Operations of a graph that a worker was sent.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    /// A bit for each of the first ones: most graphs have few.
    First(u64),
    All(Box<FxHashSet<OperationId>>),
}

impl Default for Sent {
    fn default() -> Self {
        Self::First(0)
    }
}

impl Sent {
    /// Notes that one is sent; whether it was not before.
    pub(super) fn insert(&mut self, operation: OperationId) -> bool {
        match self {
            Self::First(bits) if operation.0 < u64::BITS => {
                let bit = 1 << operation.0;
                let new = *bits & bit == 0;
                *bits |= bit;
                new
            }
            Self::First(bits) => {
                let first = (0..u64::BITS).filter(|number| *bits & (1 << number) != 0);
                let mut all: FxHashSet<OperationId> = first.map(OperationId).collect();
                all.insert(operation);
                *self = Self::All(Box::new(all));
                true
            }
            Self::All(all) => all.insert(operation),
        }
    }
}

/// A worker.
pub(super) struct Worker {
    pub(super) connection: ConnectionId,
    pub(super) out: Outgoing<ToWorker>,
    pub(super) options: WorkerOptions,
    pub(super) address: Address,
    /// What it said of itself: host, process, versions.
    pub(super) about: Plain,
    /// What it said last of its memory and load.
    pub(super) status: Plain,
    /// What that makes of its memory.
    pub(super) observed: Observed,
    /// When it said so, by two clocks.
    pub(super) heard_at: Instant,
    pub(super) last_seen: f64,
    pub(super) peers: FxHashSet<WorkerId>,
    pub(super) operations: FxHashMap<GraphId, Sent>,
    pub(super) retiring: bool,
    /// Whether it said that it leaves by itself.
    pub(super) leaving: bool,
    /// The nanoseconds that its last tasks took; zero where it has run none.
    pub(super) mean: f64,
    /// How many unfinished tasks the machine lets it hold.
    pub(super) capacity: u32,
}

/// A worker's threads have work for so many nanoseconds, where tasks are short.
const BACKLOG: f64 = 10_000_000.0;
/// What a task costs at least, in nanoseconds, and how many a worker holds at most.
const SHORTEST: f64 = 2_000.0;
const MOST: f64 = 4096.0;

impl Worker {
    /// What it does, in a word.
    pub(super) fn standing(&self) -> &'static str {
        if self.retiring {
            "closing_gracefully"
        } else if self.status.get("paused").is_some_and(Plain::is_true) {
            "paused"
        } else {
            "running"
        }
    }

    /// Notes what a task took. Answers how many tasks it shall hold where that has changed: while
    /// they are short, it must have many, or it waits for the scheduler.
    pub(super) fn ran(&mut self, nanoseconds: u64) -> Option<u32> {
        let took = (nanoseconds as f64).max(SHORTEST);
        self.mean = if self.mean == 0.0 { took } else { self.mean * 0.9 + took * 0.1 };
        let slots = f64::from(self.options.slots.max(1));
        let wanted = (slots * BACKLOG / self.mean).min(MOST).max(slots * 2.0) as u32;
        let differs = wanted >= self.capacity.saturating_mul(2) || wanted <= self.capacity / 2;
        differs.then(|| {
            self.capacity = wanted;
            wanted
        })
    }

    /// Whether a user means this worker by a name.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        self.options.answers_to(name)
    }
}
