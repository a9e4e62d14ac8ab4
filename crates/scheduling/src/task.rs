//! The state of one task.

use crate::ids::{Attempt, WorkerSlot};

/// Where a task stands.
///
/// ```text
/// Waiting ──▶ Ready ──▶ Assigned ⇄ Stealing
///    ▲          ▲           │         │
///    │          └───────────┼─────────┘  failed, given up, worker lost
///    │                      ▼
///    └──── lost ──── Held ⇄ Shared ──▶ Freed ──▶ Waiting (needed again)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// So many of its dependencies, counted once for each use, have no value now.
    Waiting { missing: u32 },
    /// All inputs exist; it stands in a queue.
    Ready,
    /// Sent to a worker.
    Assigned { worker: WorkerSlot },
    /// Sent to a worker that was asked to give it up.
    Stealing { worker: WorkerSlot },
    /// Its value is on one worker.
    Held { worker: WorkerSlot },
    /// Its value is on several workers, listed in this row of the graph's table of replicas.
    Shared { row: u32 },
    /// It ran, and its value is not needed any more.
    Freed,
}

impl State {
    /// Whether the value exists somewhere.
    #[inline]
    pub(crate) const fn has_value(self) -> bool {
        matches!(self, Self::Held { .. } | Self::Shared { .. })
    }

    /// Whether the task still has to run or is running.
    #[inline]
    pub(crate) const fn is_unfinished(self) -> bool {
        matches!(
            self,
            Self::Waiting { .. } | Self::Ready | Self::Assigned { .. } | Self::Stealing { .. }
        )
    }

    /// The worker that runs the task.
    #[inline]
    pub(crate) const fn runner(self) -> Option<WorkerSlot> {
        match self {
            Self::Assigned { worker } | Self::Stealing { worker } => Some(worker),
            _ => None,
        }
    }
}

/// One task: dense in its graph's table, so every byte counts.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The size of the value, once known.
    pub(crate) bytes: u64,
    pub(crate) state: State,
    /// The number of the last run.
    pub(crate) attempt: Attempt,
    /// How many uses of the value by unfinished tasks there are.
    pub(crate) uses: u32,
    /// The place in the runner's list of assigned tasks.
    pub(crate) position: u32,
    /// How often it failed.
    pub(crate) failures: u16,
    /// How many workers in a row were lost with it.
    pub(crate) workers_lost: u8,
    /// Whether the value is an output that was not released.
    pub(crate) wanted: bool,
}

const _: () = assert!(size_of::<Task>() == 32);

impl Task {
    /// A task that has not run, with this many dependencies and dependents.
    #[inline]
    pub(crate) fn new(dependencies: u32, dependents: u32) -> Self {
        Self {
            bytes: 0,
            state: State::Waiting { missing: dependencies },
            attempt: Attempt(0),
            uses: dependents,
            position: 0,
            failures: 0,
            workers_lost: 0,
            wanted: false,
        }
    }

    /// Whether the value is needed by anyone.
    #[inline]
    pub(crate) const fn is_needed(&self) -> bool {
        self.uses > 0 || self.wanted
    }
}
