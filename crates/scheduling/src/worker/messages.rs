//! What goes into the worker machine and what comes out.

use crate::action::Source;
use crate::event::Event;
use crate::ids::{Attempt, Portion, Priority, TaskKey, WorkerId};

/// An input of the worker machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// From the scheduler: run a task.
    Run {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
        /// Its place among others.
        priority: Priority,
        /// The tasks of this or other graphs whose values it needs; repeats do no harm.
        inputs: Box<[TaskKey]>,
        /// Where those live that this worker does not hold.
        sources: Box<[Source]>,
        /// The part that it reads of each input whose value has parts.
        part: Option<u32>,
    },
    /// From the scheduler: forget a run.
    Cancel {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// From the scheduler: drop a value.
    Free {
        /// The task whose value it is.
        task: TaskKey,
    },
    /// From the scheduler: give a run up, if it has not begun.
    Steal {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// From the scheduler: get a copy of a value.
    Replicate {
        /// The task whose value it is.
        task: TaskKey,
        /// Who holds it.
        source: WorkerId,
    },
    /// A scheduler was restarted and knows this worker under a new id: runs that have not begun
    /// are forgotten, those that have go on, and both these and the values held are reported.
    Reconnected {
        /// The new id.
        worker: WorkerId,
    },

    /// A client has brought a value into the store.
    Stored {
        /// The task whose value it is.
        task: TaskKey,
        /// Its size.
        bytes: u64,
    },
    /// So many tasks may run at once from now on.
    Slots {
        /// The number.
        slots: u32,
    },
    /// Memory is short, or no longer: while it is, tasks begin only where none runs.
    Held {
        /// Whether it is.
        held: bool,
    },
    /// A `Fetch` has brought the value into the store.
    Fetched {
        /// What was fetched.
        portion: Portion,
        /// Its size.
        bytes: u64,
        /// Whether it is a copy of the value, of which others may make copies. What only stands for
        /// one that cannot travel is there for the runs that wait for it.
        copy: bool,
    },
    /// A `Fetch` has failed.
    FetchFailed {
        /// What was to be fetched.
        portion: Portion,
    },
    /// An `Execute` has put the value into the store.
    Executed {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
        /// The size of the value.
        bytes: u64,
        /// The nanoseconds that it took.
        duration: u64,
    },
    /// An `Execute` ended with an error.
    ExecutionFailed {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// An `Execute` ended with the wish to be run again.
    ExecutionRescheduled {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// The store has lost a value: its spill file cannot be read.
    ValueLost {
        /// The task whose value it was.
        task: TaskKey,
    },
}

/// An output of the worker machine, to be carried out in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Get a value or a part of one from another worker; ends in `Fetched` or `FetchFailed`.
    Fetch {
        /// What to get.
        portion: Portion,
        /// Whom to ask.
        source: WorkerId,
    },
    /// Run a task whose inputs are all in the store; ends in `Executed`, `ExecutionFailed` or
    /// `ExecutionRescheduled`, also after an `Interrupt`. The inputs stay alive until then, even
    /// where a `Drop` comes between.
    Execute {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// Stop an execution, where that is possible.
    Interrupt {
        /// The task.
        task: TaskKey,
        /// The run.
        attempt: Attempt,
    },
    /// Remove a value from the store.
    Drop {
        /// The task whose value it is.
        task: TaskKey,
    },
    /// Remove a part that was fetched.
    DropPart {
        /// The part.
        portion: Portion,
    },
    /// Send this to the scheduler.
    Report(Event),
}
