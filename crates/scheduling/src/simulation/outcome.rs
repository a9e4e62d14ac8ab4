//! How a simulation ends.

use crate::consistency::Inconsistency;
use crate::ids::{TaskKey, Time, WorkerId};
use crate::scheduler::Counters;
use crate::worker::Fault;

/// A simulation that ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The virtual time of the last happening.
    pub ended: Time,
    /// The scheduler's counters, of its last life where it was restarted.
    pub counters: Counters,
    /// Tasks that workers executed, repeats included.
    pub executed: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// Bytes that workers fetched from each other.
    pub bytes_moved: u64,
    /// Graphs whose outputs all came to their client.
    pub completed: usize,
    /// Graphs that failed as they had to.
    pub failed: usize,
    /// Outputs that erred as they had to.
    pub erred: usize,
    /// Tasks that were tried again.
    pub retried: u64,
    /// Workers that left when they were told that they can.
    pub retired: u64,
    /// Outputs that came to their clients by way of another graph.
    pub imported: u64,
}

/// What went wrong: a bug of one of the machines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// An invariant of the scheduler machine.
    #[error("after {after}: {source}")]
    Scheduler {
        /// The happening before.
        after: String,
        /// The invariant.
        source: Inconsistency,
    },
    /// An invariant of a worker machine.
    #[error("after {after}: {source}")]
    Worker {
        /// The happening before.
        after: String,
        /// The invariant.
        source: Fault,
    },
    /// A task was executed where an input was not.
    #[error("task {task:?} was executed without its input {input:?}")]
    InputMissing {
        /// The task.
        task: TaskKey,
        /// The absent input.
        input: TaskKey,
    },
    /// An output has another value than in a sequential run.
    #[error("output {task:?} is {found:#x} and not {expected:#x}")]
    WrongValue {
        /// The output.
        task: TaskKey,
        /// Its value.
        found: u64,
        /// The value of a sequential run.
        expected: u64,
    },
    /// Nothing happens any more and a graph is not done.
    #[error(
        "graph {graph} is not done and nothing happens any more; {unfinished:?} tasks are left"
    )]
    Stalled {
        /// The graph's number.
        graph: u32,
        /// Its unfinished tasks; `None` where the scheduler does not know the graph.
        unfinished: Option<usize>,
    },
    /// A graph failed that had no reason to.
    #[error("task {task:?} failed its graph without reason")]
    Failed {
        /// The task.
        task: TaskKey,
    },
    /// An output was said to be never there, without reason.
    #[error("output {task:?} erred for {origin:?} without reason")]
    Erred {
        /// The output.
        task: TaskKey,
        /// The task that is said to have failed.
        origin: TaskKey,
    },
    /// A worker was let go that was still needed.
    #[error("worker {worker:?} was let go and something was lost with it")]
    RetiredTooSoon {
        /// The worker.
        worker: WorkerId,
    },
    /// Something is left after all graphs were released.
    #[error(
        "{values} values (first {first:?}) and {runs} runs are left on workers, \
         {graphs} graphs on the scheduler"
    )]
    Leak {
        /// One of the values, and where it is.
        first: Option<(WorkerId, TaskKey)>,
        /// Values.
        values: usize,
        /// Runs.
        runs: usize,
        /// Graphs.
        graphs: usize,
    },
    /// It goes on and on.
    #[error("no end after {happenings} happenings")]
    Endless {
        /// How many there were.
        happenings: u64,
    },
}
