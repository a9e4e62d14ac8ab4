//! Identifiers, time and priorities: small newtypes, so that one cannot be taken for another.

use samite_graph::TaskId;

macro_rules! define_id {
    ($(#[$doc:meta])* $visibility:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[repr(transparent)]
        $visibility struct $name(pub u32);

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

define_id! {
    /// A submitted graph. The driver chooses it and never uses one twice.
    pub GraphId
}
define_id! {
    /// A worker's connection. The driver chooses it; a worker that comes back gets a new one.
    pub WorkerId
}
define_id! {
    /// Which run of a task a message speaks of; the first run is number 1.
    pub Attempt
}
define_id! {
    /// A row of the table of graphs; reused after the graph has gone.
    pub(crate) GraphSlot
}
define_id! {
    /// A row of the table of workers; reused after the worker has gone.
    pub(crate) WorkerSlot
}

impl GraphSlot {
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl WorkerSlot {
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Attempt {
    /// The number of the run after this one.
    #[inline]
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Nanoseconds since the driver's start. The machines have no clock: time comes in with each call.
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
#[repr(transparent)]
pub struct Time(pub u64);

/// What a task reads of another one's value.
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
pub struct Portion {
    /// The task whose value it is.
    pub task: TaskKey,
    /// The number of the part; `None` for the whole value.
    pub part: Option<u32>,
}

impl Portion {
    /// The whole value of a task.
    pub fn whole(task: TaskKey) -> Self {
        Self { task, part: None }
    }
}

/// One task of one graph.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct TaskKey {
    /// The graph.
    pub graph: GraphId,
    /// The task's dense id in the graph's plan.
    pub task: TaskId,
}

impl std::fmt::Debug for TaskKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.graph.0, self.task.0)
    }
}

/// When a task runs relative to others: of two ready tasks the smaller priority goes first.
///
/// The user's priority decides, then the generation of the graph, then the plan's static order, and
/// between tasks that have the same place in it the order of submission.
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
pub struct Priority {
    level: u32,
    generation: u32,
    rank: u32,
    submission: u32,
}

impl Priority {
    /// The priority of a task: a larger `user` value runs earlier, as in Dask.
    #[inline]
    pub const fn new(user: i32, submission: u32, rank: u32) -> Self {
        Self::within(user, submission, submission, rank)
    }

    /// The priority of a task whose graph belongs to the generation that an earlier one began.
    #[inline]
    pub(crate) const fn within(user: i32, generation: u32, submission: u32, rank: u32) -> Self {
        // Flipping the sign bit maps i32 to u32 in order; the complement turns the order round.
        Self { level: !((user as u32) ^ (1 << 31)), generation, rank, submission }
    }

    /// The place of the task's graph in the order of submissions.
    #[inline]
    pub(crate) const fn submission(self) -> u32 {
        self.submission
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_user_priority_comes_first() {
        let urgent = Priority::new(5, 9, 9);
        let usual = Priority::new(0, 0, 0);
        let late = Priority::new(-5, 0, 0);
        assert!(urgent < usual && usual < late);
        assert!(Priority::new(i32::MAX, 0, 0) < Priority::new(i32::MIN, 0, 0));
        assert!(Priority::new(0, 1, 7) < Priority::new(0, 2, 3));
        assert!(Priority::new(0, 1, 3) < Priority::new(0, 1, 7));
        assert!(Priority::within(0, 1, 2, 3) < Priority::new(0, 1, 7));
        assert!(Priority::new(0, 1, 3) < Priority::within(0, 1, 2, 3));
    }
}
