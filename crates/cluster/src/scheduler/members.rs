//! Who is connected: clients and workers, with the messages that wait for them.

use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::OperationId;
use samite_scheduling::{GraphId, WorkerId, WorkerOptions};

use super::ConnectionId;
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

/// The sending end of a member's connection, with what was not sent yet.
pub(super) struct Outgoing<M> {
    sender: Sender,
    local: bool,
    waiting: Vec<M>,
    /// Where it says that something waits, and for whom.
    unsent: Option<(Unsent, WorkerId)>,
}

impl<M: serde::Serialize + Send + 'static> Outgoing<M> {
    pub(super) fn new(sender: Sender, local: bool) -> Self {
        Self { sender, local, waiting: Vec::new(), unsent: None }
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
        if self.waiting.is_empty()
            && let Some((unsent, worker)) = &self.unsent
        {
            unsent.0.lock().push(*worker);
        }
        self.waiting.push(message);
    }

    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    /// Sends what waits; false where the member cannot be reached.
    pub(super) fn flush(&mut self) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        let messages = std::mem::take(&mut self.waiting);
        let parcel = if self.local {
            Parcel::Local(Box::new(messages))
        } else {
            match encoded::write(&messages) {
                Ok(parcel) => parcel,
                Err(_) => return false,
            }
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
    pub(super) peers: FxHashSet<WorkerId>,
    pub(super) operations: FxHashMap<GraphId, FxHashSet<OperationId>>,
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
