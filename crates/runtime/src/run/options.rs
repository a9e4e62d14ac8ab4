//! What can be set for a run.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use samite_scheduling::TaskOptions;

use crate::program::{Guard, Observer};

/// Whose threads run the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// So many worker threads, at least one, of this process's cache of idle threads.
    Pool(usize),
    /// The thread that starts the run, one task after the other.
    Calling,
}

impl Default for Threads {
    /// One thread for each processor that this process may use, as it was when first asked for:
    /// finding out takes longer than a small run.
    fn default() -> Self {
        static PROCESSORS: OnceLock<usize> = OnceLock::new();
        let count = || std::thread::available_parallelism().map_or(1, usize::from);
        Self::Pool(*PROCESSORS.get_or_init(count))
    }
}

/// What can be set for a run.
#[derive(Clone, Default)]
pub struct Options {
    /// Whose threads run the tasks.
    pub threads: Threads,
    /// The bytes of values to hold in memory at once; what is over goes to disk.
    ///
    /// With a number given, a value that is larger by itself, inputs of one task that are larger
    /// together, and results of the run that are larger together are errors. `None` stands for
    /// [`default_memory_limit`](crate::default_memory_limit); then what must be in memory at once
    /// is allowed to exceed it.
    pub memory_limit: Option<usize>,
    /// Where the private spill folder is made; `None` for the system's temporary folder, unless
    /// that lives in memory.
    pub spill_folder: Option<PathBuf>,
    /// How guarded operations are entered; `None` runs them like free ones.
    pub guard: Option<Arc<dyn Guard>>,
    /// Who watches.
    pub observer: Option<Arc<dyn Observer>>,
    /// How often a failed task is tried again where its annotation does not say.
    pub retries: u32,
    /// The rows that the plan's annotations point at. Restrictions to workers and resources have
    /// no meaning on one machine and are ignored.
    pub annotations: Arc<[TaskOptions]>,
}

impl Options {
    /// Options for a run on so many threads.
    pub fn pool(threads: usize) -> Self {
        Self { threads: Threads::Pool(threads), ..Self::default() }
    }

    /// Options for a run on the calling thread.
    pub fn calling() -> Self {
        Self { threads: Threads::Calling, ..Self::default() }
    }
}
