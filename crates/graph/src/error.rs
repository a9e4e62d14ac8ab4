//! What can be wrong with a graph.

use crate::ids::TaskId;

/// A graph that cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Tasks wait for one another in a circle.
    #[error("the graph has a cycle through {} tasks, first {:?}", tasks.len(), tasks.first())]
    Cycle {
        /// The tasks of one cycle, each needing the next one, the last one the first.
        tasks: Vec<TaskId>,
    },
    /// A dependency or an output that no task of the graph has.
    #[error("{missing:?} is not in the graph (wanted by {wanted_by:?})")]
    MissingTask {
        /// The absent task.
        missing: TaskId,
        /// Who needs it; `None` where it was asked for as an output.
        wanted_by: Option<TaskId>,
    },
    /// More tasks or edges than a plan can number.
    #[error("a plan holds fewer than 2^31 tasks and 2^32 edges; this graph has {tasks} tasks and {edges} edges")]
    TooLarge {
        /// Tasks in the graph.
        tasks: usize,
        /// Edges in the graph.
        edges: usize,
    },
}
