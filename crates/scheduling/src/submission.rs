//! What a client submits: a graph, and how it hangs together with earlier ones.

use std::sync::Arc;

use samite_graph::{Plan, TaskId};

use crate::ids::{GraphId, TaskKey};
use crate::options::TaskOptions;

/// A task of a plan that stands for one of an earlier graph: it never runs, and its value is that
/// of its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Import {
    /// A task without dependencies.
    pub task: TaskId,
    /// The task that has its value; where that is an import itself, its origin is meant.
    pub origin: TaskKey,
}

/// A graph as it is submitted.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Submission {
    /// A number that no earlier graph had.
    pub graph: GraphId,
    /// The tasks.
    pub plan: Arc<Plan>,
    /// The rows that the plan's annotations point at; a row that is missing means no options.
    pub annotations: Arc<[TaskOptions]>,
    /// Tasks that stand for tasks of earlier graphs, each at most once.
    pub imports: Box<[Import]>,
    /// Tasks without dependencies whose values the client brings to workers: they never run, exist
    /// by [`ReplicaAdded`](crate::Event::ReplicaAdded), and cannot be computed again.
    pub data: Box<[TaskId]>,
    /// Whether a task that fails takes only those with it that need it; otherwise it fails the
    /// graph.
    pub independent: bool,
    /// How long (in nanoseconds) after the graph that began the present generation this one still
    /// belongs to it. The tasks of a generation run in their plans' order, so that what a short
    /// graph asks for need not wait for all of a long one before it. With zero a graph begins a
    /// generation.
    pub together: u64,
}

/// A submission that no scheduler can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmissionError {
    /// An import or data that is no task of the plan.
    #[error("{task:?} is said to be an import or data, and is not in the plan")]
    UnknownTask {
        /// The task.
        task: TaskId,
    },
    /// An import or data that needs something.
    #[error("{task:?} is said to be an import or data, and has dependencies")]
    HasDependencies {
        /// The task.
        task: TaskId,
    },
    /// A task that is named twice.
    #[error("{task:?} is said to be an import or data more than once")]
    NamedTwice {
        /// The task.
        task: TaskId,
    },
    /// An import from the graph itself.
    #[error("{task:?} is said to stand for a task of its own graph")]
    OwnGraph {
        /// The task.
        task: TaskId,
    },
}

impl Submission {
    /// A graph that stands alone and that a failing task fails.
    pub fn new(graph: GraphId, plan: Arc<Plan>, annotations: Arc<[TaskOptions]>) -> Self {
        let (imports, data) = (Box::default(), Box::default());
        Self { graph, plan, annotations, imports, data, independent: false, together: 0 }
    }

    /// Whether imports and data are what they have to be. A scheduler drops a submission that is
    /// not, so its driver asks before, and tells the client.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SubmissionError> {
        let own = self.imports.iter().find(|import| import.origin.graph == self.graph);
        if let Some(Import { task, .. }) = own {
            return Err(SubmissionError::OwnGraph { task: *task });
        }
        let imports = self.imports.iter().map(|import| import.task);
        let mut named: Vec<TaskId> = imports.chain(self.data.iter().copied()).collect();
        named.sort_unstable();
        for (place, &task) in named.iter().enumerate() {
            if task.index() >= self.plan.len() {
                return Err(SubmissionError::UnknownTask { task });
            }
            if !self.plan.dependencies(task).is_empty() {
                return Err(SubmissionError::HasDependencies { task });
            }
            if named.get(place + 1) == Some(&task) {
                return Err(SubmissionError::NamedTwice { task });
            }
        }
        Ok(())
    }
}
