//! What is shown, as the scheduler's core says it.

use std::collections::BTreeMap;
use std::pin::Pin;

use serde::Serialize;

/// What is answered later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where the figures come from.
pub trait Source: Send + Sync + 'static {
    /// The state now, with the events from that number on, or as many of them as are kept. `None`
    /// when the scheduler has ended.
    fn snapshot(&self, events_since: u64) -> Answer<'_, Option<Snapshot>>;

    /// Lets workers go, after what only they hold was copied to others; those that go. What is
    /// wrong with the request otherwise.
    fn retire(&self, request: Retire) -> Answer<'_, Result<Vec<Worker>, String>>;
}

/// Which workers are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retire {
    /// Those that the scheduler can do without.
    Idle,
    /// So many, of the scheduler's choice.
    Count(usize),
    /// Those with these addresses.
    Workers(Vec<String>),
}

/// The state of a scheduler. Times are seconds since 1970.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// The scheduler's name.
    pub id: String,
    /// Where it is reached.
    pub address: String,
    /// When it started.
    pub started: f64,
    /// When this was said.
    pub now: f64,
    /// Since when nothing is to do.
    pub idle_since: Option<f64>,
    /// How many workers would be of use.
    pub desired_workers: u64,
    /// How many clients are connected.
    pub clients: u64,
    /// The graphs or groups that are known.
    pub groups: u64,
    /// The tasks that are known.
    pub tasks: States,
    /// What has been counted since the start.
    pub totals: Totals,
    /// The workers, in the order in which they came.
    pub workers: Vec<Worker>,
    /// The tasks by the beginning of their names.
    pub prefixes: Vec<Prefix>,
    /// What tasks did, in order.
    pub events: Vec<TaskEvent>,
    /// The number of the event that comes next.
    pub next_event: u64,
}

/// Tasks by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct States {
    /// Not wanted for now.
    pub released: u64,
    /// Waiting for inputs.
    pub waiting: u64,
    /// Ready, and held back by the scheduler.
    pub queued: u64,
    /// Ready, and no worker can take them.
    #[serde(rename = "no-worker")]
    pub no_worker: u64,
    /// With a worker.
    pub processing: u64,
    /// Done, with a result that is kept.
    pub memory: u64,
    /// Failed.
    pub erred: u64,
}

impl States {
    /// The states with Dask's names.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("released", self.released),
            ("waiting", self.waiting),
            ("queued", self.queued),
            ("no-worker", self.no_worker),
            ("processing", self.processing),
            ("memory", self.memory),
            ("erred", self.erred),
        ]
    }

    /// Adds the tasks of another group.
    pub fn add(&mut self, other: &Self) {
        self.released += other.released;
        self.waiting += other.waiting;
        self.queued += other.queued;
        self.no_worker += other.no_worker;
        self.processing += other.processing;
        self.memory += other.memory;
        self.erred += other.erred;
    }

    /// All tasks.
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, count)| count).sum()
    }
}

/// What only grows.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// Workers that came.
    pub workers_added: u64,
    /// Workers that went.
    pub workers_removed: u64,
    /// Clients that came.
    pub clients_added: u64,
    /// Clients that went.
    pub clients_removed: u64,
    /// Tasks that nobody knows any more.
    pub tasks_forgotten: u64,
}

/// A worker.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Worker {
    /// The name that it was given.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// Its machine.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// `running`, `paused`, `closing_gracefully` or `closed`.
    pub status: String,
    /// Its threads for tasks.
    pub nthreads: u32,
    /// The tasks that its threads run.
    pub executing: u64,
    /// The tasks that it was given and does not run yet.
    pub ready: u64,
    /// The results that it holds.
    pub in_memory: u64,
    /// Whether it has less to do than its threads could.
    pub idle: bool,
    /// Whether it has more to do than its threads can soon.
    pub saturated: bool,
    /// The bytes that it may use; zero for no limit.
    pub memory_limit: u64,
    /// The bytes that it uses.
    pub memory: Memory,
    /// What passes between it and others.
    pub transfers: Transfers,
    /// Its use of the processors, in percent of one.
    pub cpu: f64,
    /// Bytes a second of its machine's network.
    pub network: Rates,
    /// Bytes a second of its machine's disks.
    pub disks: Rates,
    /// The files and sockets that its process has open.
    pub descriptors: u64,
    /// When it was last heard.
    pub last_seen: f64,
    /// What tasks can ask of it.
    pub resources: BTreeMap<String, f64>,
    /// Where its spilled results are.
    pub local_directory: String,
}

/// The bytes of a worker.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    /// Of the process, as the system says.
    pub process: u64,
    /// Of results in memory.
    pub managed: u64,
    /// Of results on disk.
    pub spilled: u64,
}

/// Bytes a second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Rates {
    /// That come.
    pub read: f64,
    /// That go.
    pub written: f64,
}

/// What was sent between workers, in bytes and in numbers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Transfers {
    /// Bytes that came.
    pub incoming_bytes_total: u64,
    /// How often something came.
    pub incoming_count_total: u64,
    /// Bytes that went.
    pub outgoing_bytes_total: u64,
    /// How often something went.
    pub outgoing_count_total: u64,
}

/// The tasks whose names begin alike.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Prefix {
    /// The beginning.
    pub name: String,
    /// Those that are known.
    pub states: States,
    /// How often one came into each state.
    pub entered: States,
    /// The bytes of their results.
    pub output_bytes: u64,
    /// What running them took, in seconds.
    pub compute_seconds: f64,
    /// What moving their inputs took, in seconds.
    pub transfer_seconds: f64,
    /// How often one was running where a worker was lost.
    pub suspicious: u64,
}

/// What a task did on a worker.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TaskEvent {
    /// Its number.
    pub index: u64,
    /// The task.
    pub key: String,
    /// The beginning of its name.
    pub prefix: String,
    /// The worker's address.
    pub worker: String,
    /// The thread of the worker.
    pub thread: u64,
    /// `compute`, `transfer`, `disk` or `erred`.
    pub action: String,
    /// When it began.
    pub start: f64,
    /// When it ended.
    pub stop: f64,
}
