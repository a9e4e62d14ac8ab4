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
///
/// unfinished ──▶ Erred (it or an input failed) ──▶ Freed (retried) ──▶ Waiting
/// unfinished ──▶ Freed (not needed any more)
/// data:    Awaited ──▶ Held ⇄ Shared ──▶ Freed, or Erred where it was needed
/// imports: Importing ⇄ Imported, as the origin has no value or has one; or Erred
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
    /// There is no value and none is needed now: it ran and was dropped, or was cancelled.
    Freed,
    /// Data that the client has not brought yet.
    Awaited,
    /// It stands for a task of another graph whose value exists.
    Imported,
    /// It stands for a task of another graph whose value does not exist now.
    Importing,
    /// It failed for good, or something that it needs did; why is in this row of the graph's
    /// table of errors.
    Erred { row: u32 },
}

impl State {
    /// Whether the value exists somewhere.
    #[inline]
    pub(crate) const fn has_value(self) -> bool {
        matches!(self, Self::Held { .. } | Self::Shared { .. } | Self::Imported)
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
    /// The place in the runner's list of assigned tasks; of an import, its row in the table of
    /// imports.
    pub(crate) position: u32,
    /// How often it failed.
    pub(crate) failures: u16,
    /// How many workers in a row were lost with it.
    pub(crate) workers_lost: u8,
    flags: u8,
}

/// The value is an output that was not released.
const WANTED: u8 = 1;
/// The task stands for one of another graph.
const IMPORT: u8 = 2;
/// The value was brought by a client.
const DATA: u8 = 4;

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
            flags: 0,
        }
    }

    /// Whether the value is needed by anyone.
    #[inline]
    pub(crate) const fn is_needed(&self) -> bool {
        self.uses > 0 || self.is_wanted()
    }

    /// Whether the value is an output that was not released.
    #[inline]
    pub(crate) const fn is_wanted(&self) -> bool {
        self.flags & WANTED != 0
    }

    /// Says whether the value is an output; whether that is a change.
    pub(crate) fn set_wanted(&mut self, wanted: bool) -> bool {
        let before = self.is_wanted();
        self.flags = if wanted { self.flags | WANTED } else { self.flags & !WANTED };
        before != wanted
    }

    /// Whether the task stands for one of another graph.
    #[inline]
    pub(crate) const fn is_import(&self) -> bool {
        self.flags & IMPORT != 0
    }

    /// Whether the value was brought by a client.
    #[inline]
    pub(crate) const fn is_data(&self) -> bool {
        self.flags & DATA != 0
    }

    /// Makes the task one that stands for another graph's, by this row of the table of imports.
    pub(crate) fn become_import(&mut self, row: u32) {
        self.flags |= IMPORT;
        self.position = row;
        self.state = State::Importing;
    }

    /// Makes the task one whose value a client brings.
    pub(crate) fn become_data(&mut self) {
        self.flags |= DATA;
        self.state = State::Awaited;
    }
}
