//! Passes: each takes a valid graph, or a valid draft of a plan, and returns one that computes the
//! same values. [`optimize`] is the list of them in order.
//!
//! Passes on a [`Graph`] cost time by layers (and by tasks only where tasks are wanted one by
//! one); passes on a [`Draft`] cost time by tasks and edges. None recurses.

mod cull;
mod fuse_blockwise;
mod fuse_chains;
mod inline;
mod splice;

use crate::blocks::Blocks;
use crate::error::GraphError;
use crate::graph::Graph;
use crate::ids::{OperationId, TaskId};
use crate::plan::{Plan, PlanBuilder};
pub use cull::cull;
pub use fuse_blockwise::fuse_blockwise;
pub use fuse_chains::{ChainLimits, fuse_chains};
pub use inline::{InlineLimits, inline};

/// A plan before its tasks are ordered: tasks with dense ids, and which of them are wanted.
#[derive(Debug, Default)]
pub struct Draft {
    pub(crate) tasks: PlanBuilder,
    pub(crate) outputs: Vec<TaskId>,
}

impl Draft {
    /// A draft of tasks of which `outputs` are wanted.
    pub fn new(tasks: PlanBuilder, outputs: Vec<TaskId>) -> Self {
        Self { tasks, outputs }
    }

    /// The number of tasks.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Checks the tasks, orders them, and closes the plan.
    ///
    /// # Errors
    /// As for [`PlanBuilder::finish`].
    pub fn finish(self) -> Result<Plan, GraphError> {
        self.tasks.finish(self.outputs)
    }
}

/// What [`optimize`] may do.
#[derive(Clone, Copy)]
pub struct Optimize<'call> {
    /// Fuse blockwise layers into the only layer that reads them.
    pub blockwise: bool,
    /// Also fuse sources into the blockwise layer that reads them.
    pub sources: bool,
    /// Fuse tasks into the only task that needs them, within these limits.
    pub chains: Option<ChainLimits>,
    /// The operations cheap enough to run again in each task that needs their value.
    pub cheap: Option<&'call dyn Fn(OperationId) -> bool>,
    /// Limits of that.
    pub inline: InlineLimits,
}

impl Default for Optimize<'_> {
    fn default() -> Self {
        Self {
            blockwise: true,
            sources: true,
            chains: Some(ChainLimits::default()),
            cheap: None,
            inline: InlineLimits::default(),
        }
    }
}

/// Runs all passes in order and plans what is left: cull, fuse blockwise layers, inline cheap
/// tasks, fuse chains, order.
///
/// # Errors
/// As for [`Graph::plan`]; a cycle is [`GraphError::Cycle`] where a pass on tasks renumbered them.
pub fn optimize(
    graph: &Graph,
    outputs: &[Blocks],
    options: &Optimize<'_>,
) -> Result<Plan, GraphError> {
    let mut graph = cull(graph, outputs)?;
    if options.blockwise {
        graph = fuse_blockwise(graph, outputs, options.sources);
    }
    let mut draft = graph.draft(outputs)?;
    if let Some(cheap) = options.cheap {
        draft = inline(draft, cheap, options.inline);
    }
    if let Some(limits) = options.chains {
        draft = fuse_chains(draft, limits);
    }
    draft.finish()
}
