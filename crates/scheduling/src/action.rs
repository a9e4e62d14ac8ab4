//! What the scheduler machine answers.

use samite_graph::TaskId;

use crate::ids::{Attempt, GraphId, Priority, TaskKey, WorkerId};
use crate::journal::Record;

/// Where an input lives that the running worker does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// The task whose value it is, of this graph or another one.
    pub input: TaskKey,
    /// A worker that holds its value.
    pub worker: WorkerId,
}

/// Why a task or a graph failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum FailureCause {
    /// The task ended with an error and has no retries left.
    Error,
    /// The task was on so many workers, one after the other, that were lost.
    WorkersLost {
        /// The number of workers.
        workers: u32,
    },
    /// The last copy of a value that no task computes is gone.
    DataLost,
    /// The task stands for one of another graph that was not there or was cancelled.
    OriginGone,
    /// It was cancelled.
    Cancelled,
    /// It could have run, and for too long no worker was there that may run it.
    NoWorker,
}

/// An output of the scheduler machine, to be carried out by the driver in order.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Action {
    /// Run a task. Ends in exactly one of `TaskFinished`, `TaskFailed`, `TaskRescheduled`,
    /// `FetchFailed` or a `StealAnswered` that gives it up, unless it is cancelled or the
    /// worker is lost.
    Run {
        /// Where.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The number to report the run with.
        attempt: Attempt,
        /// The task's place among all others; `Run`s of one batch come in this order.
        priority: Priority,
        /// The inputs that live elsewhere, each once; empty (and without an allocation) where all
        /// are local.
        sources: Box<[Source]>,
    },
    /// Drop a value. A worker that does not hold it ignores this.
    Free {
        /// The holder.
        worker: WorkerId,
        /// The task whose value it is.
        task: TaskKey,
    },
    /// Forget a run: do not begin it, or stop it where that is possible. No report is needed; one
    /// that comes nevertheless is dropped and its value freed.
    Cancel {
        /// Where the run is.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// Give a run up if it has not begun; answered by `StealAnswered`.
    Steal {
        /// Where the run is.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// Fetch a copy of a value; answered by `ReplicaAdded`, or `ReplicaLost` where it failed.
    Replicate {
        /// Who shall hold the copy.
        worker: WorkerId,
        /// The task whose value it is.
        task: TaskKey,
        /// Who holds the value.
        source: WorkerId,
    },

    /// An output exists. Told again where a lost output was computed anew. Where the output is an
    /// import, the worker knows its value by the name of its [`origin`](crate::Scheduler::origin).
    OutputReady {
        /// The output.
        task: TaskKey,
        /// Who holds it.
        worker: WorkerId,
    },
    /// Every task of the graph has run; its outputs stay until they are released. Told again
    /// after lost outputs were computed anew.
    GraphDone {
        /// The graph.
        graph: GraphId,
    },
    /// An output of an independent graph will not exist.
    OutputErred {
        /// The output.
        task: TaskKey,
        /// The task, perhaps of another graph, that failed.
        origin: TaskKey,
        /// Why that one failed.
        cause: FailureCause,
    },
    /// A value was wanted of a graph or task that is not known.
    OutputUnknown {
        /// The task.
        task: TaskKey,
    },
    /// The graph was released or cancelled or has failed, and nothing of it is needed: the machine
    /// does not know its id any more.
    GraphForgotten {
        /// The graph.
        graph: GraphId,
    },
    /// A worker that should leave runs nothing, and nothing that is needed is only there.
    WorkerRetired {
        /// The worker.
        worker: WorkerId,
    },
    /// The graph cannot be finished. The machine has cancelled it.
    GraphFailed {
        /// The graph.
        graph: GraphId,
        /// The task that failed, or an import of one.
        task: TaskId,
        /// The task, perhaps of another graph, that failed.
        origin: TaskKey,
        /// Why.
        cause: FailureCause,
    },
    /// Write this down before the actions that follow; only with
    /// [`Options::journal`](crate::Options::journal).
    Journal(Record),
}
