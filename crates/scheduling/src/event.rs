//! What the scheduler machine is told.

use samite_graph::TaskId;

use crate::ids::{Attempt, GraphId, TaskKey, WorkerId};
use crate::options::WorkerOptions;
use crate::submission::Submission;

/// How short of memory a worker is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Pressure {
    /// It takes any task.
    #[default]
    Normal,
    /// It takes no tasks without dependencies, unless nothing else can be done.
    HoldSources,
    /// It takes no tasks at all until it says otherwise.
    Pause,
}

/// An input of the scheduler machine.
///
/// Reports of workers may be late, doubled or wrong: what does not fit the present state is
/// dropped and counted in [`Counters`](crate::Counters).
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Event {
    /// A graph to run. The values of its plan's outputs are kept until they are released.
    GraphSubmitted(Box<Submission>),
    /// The outputs are not needed any more; what only they need is cancelled. The graph is
    /// forgotten when no other graph needs anything of it.
    GraphReleased {
        /// The graph.
        graph: GraphId,
    },
    /// The graph shall stop; its values are dropped, also those that other graphs need: their
    /// tasks err with [`FailureCause::OriginGone`](crate::FailureCause::OriginGone).
    GraphCancelled {
        /// The graph.
        graph: GraphId,
    },
    /// Some of the outputs are not needed any more. What nothing else needs is cancelled or
    /// dropped; a graph of which nothing is left is forgotten.
    OutputsReleased {
        /// The graph.
        graph: GraphId,
        /// Tasks of the plan's outputs; others are left alone.
        tasks: Box<[TaskId]>,
    },

    /// Values shall be kept (again) until they are released, and computed anew where they were
    /// dropped. Answered for each task by `OutputReady`, `OutputErred` or `OutputUnknown`, at once
    /// or when the task has run.
    OutputsWanted {
        /// The graph.
        graph: GraphId,
        /// Any tasks of its plan.
        tasks: Box<[TaskId]>,
    },
    /// Tasks that erred shall be tried again, with those ancestors that made them err. Those that
    /// did not err are left alone.
    Retry {
        /// The tasks.
        tasks: Box<[TaskKey]>,
    },
    /// Tasks shall not run, and their values not exist: they err with
    /// [`FailureCause::Cancelled`](crate::FailureCause::Cancelled), and so does what needs them,
    /// running or not.
    TasksCancelled {
        /// The tasks.
        tasks: Box<[TaskKey]>,
    },

    /// A worker that can take tasks.
    WorkerJoined {
        /// A number that no earlier worker had.
        worker: WorkerId,
        /// What it can do.
        options: WorkerOptions,
    },
    /// A worker is gone, with all that it held.
    WorkerLost {
        /// The worker.
        worker: WorkerId,
    },
    /// A worker shall leave: it gets no more tasks, those that it has not begun are asked back, and
    /// what only it holds is copied to others. Ends in `WorkerRetired`, unless the worker is lost
    /// before.
    WorkerRetiring {
        /// The worker.
        worker: WorkerId,
    },
    /// Values shall be moved from the workers that hold more bytes than the mean to those that
    /// hold fewer.
    Rebalance {
        /// The workers among which values are moved; empty for all.
        workers: Box<[WorkerId]>,
        /// The tasks whose values are moved; `None` for all.
        tasks: Option<Box<[TaskKey]>>,
    },
    /// A worker takes more or fewer tasks at once.
    CapacityChanged {
        /// The worker.
        worker: WorkerId,
        /// How many unfinished tasks it may hold, beside those that gave their places to others;
        /// tasks already there stay.
        capacity: u32,
    },
    /// A worker runs more or fewer tasks at once than before, and may hold so many more or fewer:
    /// tasks that wait for others have given their places away, or have them back.
    SlotsChanged {
        /// The worker.
        worker: WorkerId,
        /// How many tasks it runs at once.
        slots: u32,
    },
    /// A worker reports its memory.
    MemoryChanged {
        /// The worker.
        worker: WorkerId,
        /// Bytes of values that it holds.
        bytes: u64,
        /// What it can still take.
        pressure: Pressure,
    },

    /// A run ended well; the worker holds the value.
    TaskFinished {
        /// Who ran it.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
        /// The size of the value.
        bytes: u64,
        /// Nanoseconds that the run took.
        duration: u64,
    },
    /// A run ended with an error.
    TaskFailed {
        /// Who ran it.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// The task asked to be run again, perhaps elsewhere; this is no failure.
    TaskRescheduled {
        /// Who ran it.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// A run could not begin, because an input could not be had; the worker has dropped the run.
    FetchFailed {
        /// Who should have run it.
        worker: WorkerId,
        /// The task that was to run.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
        /// The value that could not be had, as it stood in the `Run`.
        input: TaskKey,
        /// The worker that was asked for it.
        source: WorkerId,
    },

    /// A worker holds a copy of a value: it fetched one, or brought it along when it joined.
    ReplicaAdded {
        /// The worker.
        worker: WorkerId,
        /// The task whose value it is.
        task: TaskKey,
        /// The size of the value.
        bytes: u64,
    },
    /// A worker does not hold a value any more, though nobody told it to drop it.
    ReplicaLost {
        /// The worker.
        worker: WorkerId,
        /// The task whose value it was.
        task: TaskKey,
    },
    /// The value of data that a client was to bring will not come: it errs with
    /// [`FailureCause::DataLost`](crate::FailureCause::DataLost), unless it is there already.
    DataLost {
        /// The task.
        task: TaskKey,
    },
    /// The value of a task shall live on so many workers, now and as long as it exists.
    ReplicasWanted {
        /// The task.
        task: TaskKey,
        /// The number of workers.
        copies: u32,
        /// The workers that may hold the copies; empty for all.
        workers: Box<[WorkerId]>,
    },

    /// Copies of values that nobody needs shall be dropped, so that each value is on one worker, or on
    /// as many as were asked for.
    ReduceReplicas {
        /// The bytes that workers use, where that is known better than by their values: copies are
        /// dropped where most are used.
        memory: Box<[(WorkerId, u64)]>,
    },
    /// A worker shall have a copy of a value, once: unlike with
    /// [`ReplicasWanted`](Self::ReplicasWanted) nobody sees to it that it stays.
    CopyWanted {
        /// The worker.
        worker: WorkerId,
        /// The task whose value it is.
        task: TaskKey,
    },
    /// A worker shall drop its copy of a value, unless it is the last one or is about to be read.
    CopyUnwanted {
        /// The worker.
        worker: WorkerId,
        /// The task whose value it is.
        task: TaskKey,
    },
    /// Tasks that could run have waited too long for a worker that may run them: they err with
    /// [`FailureCause::NoWorker`](crate::FailureCause::NoWorker), unless one is there now.
    NoWorkerCame {
        /// The tasks.
        tasks: Box<[TaskKey]>,
    },

    /// The answer to [`Action::Steal`](crate::Action::Steal).
    StealAnswered {
        /// The worker that was asked.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
        /// Whether the worker gave the run up; otherwise it goes on with it.
        given: bool,
    },

    /// A worker that joined anew goes on with a run that it began before. Where that is still
    /// wanted, and the scheduler is being restored, the run counts as this worker's; otherwise it is
    /// cancelled.
    RunContinues {
        /// The worker, by its new id.
        worker: WorkerId,
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },

    /// After [`Scheduler::replay`](crate::Scheduler::replay): the workers have had their time to
    /// join and to report what they hold. What is missing is computed again from here on.
    RestoreEnded,
}
