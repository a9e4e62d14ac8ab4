//! What can be set: for the scheduler, a worker, a task.

use std::sync::Arc;

/// An amount of something that workers have and tasks use up while they run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Resource {
    /// Its name, such as `GPU`.
    pub name: Arc<str>,
    /// How much, in thousandths, so that a task can ask for half of one.
    pub thousandths: u64,
}

impl Resource {
    /// So many whole units of a resource.
    pub fn whole(name: impl Into<Arc<str>>, units: u64) -> Self {
        Self { name: name.into(), thousandths: units.saturating_mul(1000) }
    }
}

/// How the scheduler decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Sources (tasks without dependencies) are sent to a worker only while it holds fewer than
    /// this many tasks for each slot, so that they do not run far ahead of their dependents.
    /// `None` sends them up to the worker's capacity.
    pub saturation: Option<f64>,
    /// A task that was on more than this many workers, one after the other, that were lost, fails.
    pub allowed_failures: u32,
    /// Whether idle workers take tasks from busy ones.
    pub stealing: bool,
    /// Bytes a second between workers, for the cost of moving inputs.
    pub bandwidth: u64,
    /// Nanoseconds that moving an input costs besides its bytes.
    pub latency: u64,
    /// The assumed duration of a task of which nothing is known, in nanoseconds.
    pub unknown_duration: u64,
    /// Whether journal records are written.
    pub journal: bool,
}

impl Options {
    /// For one worker in this process, whose driver sets the capacity as it likes.
    pub fn one_machine() -> Self {
        Self { saturation: None, stealing: false, ..Self::cluster() }
    }

    /// For many workers behind a network.
    pub fn cluster() -> Self {
        Self {
            saturation: Some(1.1),
            allowed_failures: 3,
            stealing: true,
            bandwidth: 100_000_000,
            latency: 1_000_000,
            unknown_duration: 500_000_000,
            journal: false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::one_machine()
    }
}

/// What a worker can do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WorkerOptions {
    /// How many unfinished tasks it may hold, running and waiting.
    pub capacity: u32,
    /// How many tasks it runs at once.
    pub slots: u32,
    /// The bytes of values it may hold; zero for unknown.
    pub memory_limit: u64,
    /// Its resources.
    pub resources: Vec<Resource>,
    /// The name that restrictions use.
    pub name: Arc<str>,
    /// The address that restrictions use, in full or only its host.
    pub address: Arc<str>,
}

impl WorkerOptions {
    /// A worker with so many slots, room for twice as many tasks, no name and no resources.
    pub fn with_slots(slots: u32) -> Self {
        Self {
            capacity: slots.saturating_mul(2),
            slots,
            memory_limit: 0,
            resources: Vec::new(),
            name: Arc::from(""),
            address: Arc::from(""),
        }
    }

    /// Whether a restriction names this worker.
    pub fn answers_to(&self, name: &str) -> bool {
        let host = self.address.rsplit_once(':').map_or(&*self.address, |(host, _)| host);
        !name.is_empty() && (name == &*self.name || name == &*self.address || name == host)
    }
}

/// What the user asked for a task: a row of the table that a plan's annotations point at.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TaskOptions {
    /// Larger runs earlier.
    pub priority: i32,
    /// How often the task may fail and be run again.
    pub retries: u32,
    /// The names, addresses or hosts of the workers that may run it; empty means all.
    pub workers: Vec<Arc<str>>,
    /// Whether others may run it too, where none of `workers` is there.
    pub allow_other_workers: bool,
    /// What it uses up while it runs.
    pub resources: Vec<Resource>,
    /// The task reads this part of each of its inputs whose value has parts; `None` for all of them.
    pub part: Option<u32>,
    /// So many of its last inputs are there for as long as the task needs them, and not read: its
    /// worker does not fetch them.
    pub kept: u32,
    /// Its value means something on the worker alone that made it: copies elsewhere only stand for it.
    /// It is not moved, and not dropped while they are there.
    pub pinned: bool,
}

impl TaskOptions {
    /// What decides which workers can run the task.
    pub(crate) fn restrictions(&self) -> (&[Arc<str>], bool, &[Resource]) {
        (&self.workers, self.allow_other_workers, &self.resources)
    }

    /// Whether only some workers can run the task.
    pub(crate) fn is_restricted(&self) -> bool {
        !self.workers.is_empty() || !self.resources.is_empty()
    }
}
