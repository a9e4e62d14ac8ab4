//! What can be wrong with a graph.

use std::sync::Arc;

use crate::ids::{LayerId, OperationId, TaskId};

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
    /// A task of a layer that is not there, or was culled, and that a kept task or the caller
    /// wants.
    #[error("block {index} of layer {layer:?} is not in the graph (wanted by {wanted_by:?})")]
    MissingBlock {
        /// The layer's name; empty where the layer itself is absent.
        layer: Arc<str>,
        /// The position in the layer; `u32::MAX` where a reference went past the last block.
        index: u32,
        /// The layer and position that need it; `None` where it was asked for as an output.
        wanted_by: Option<(Arc<str>, u32)>,
    },
    /// Tasks of one layer wait for one another in a circle.
    #[error("layer {layer:?} has a cycle through {} tasks, first {:?}", indices.len(), indices.first())]
    CycleInLayer {
        /// The layer's name.
        layer: Arc<str>,
        /// The positions of one cycle, each needing the next one, the last one the first.
        indices: Vec<u32>,
    },
    /// A layer reads from one that was not added before it.
    #[error("layer {wanted_by:?} reads from {layer:?}, which is not in the graph")]
    UnknownLayer {
        /// The absent layer.
        layer: LayerId,
        /// The name of the layer that reads from it.
        wanted_by: Arc<str>,
    },
    /// A block grid whose shape does not fit the blocks or the labels of its axes.
    #[error("a block grid of shape {shape:?} does not fit {blocks} blocks or its labels")]
    BlockGrid {
        /// Blocks along each axis.
        shape: Vec<u32>,
        /// The number of blocks.
        blocks: usize,
    },
    /// Inputs that disagree on the number of blocks along a label.
    #[error("label {label} has {} blocks in one input and {} in another", counts.0, counts.1)]
    LabelCount {
        /// The label, as the caller numbers it.
        label: u32,
        /// The two numbers.
        counts: (u32, u32),
    },
    /// An output label that no input has, or that stands twice.
    #[error("output label {label} is unknown or stands twice")]
    OutputLabel {
        /// The label, as the caller numbers it.
        label: u32,
    },
    /// An operation whose number a plan cannot hold.
    #[error("a plan numbers fewer than 2^31 operations; this is {operation:?}")]
    OperationTooLarge {
        /// The operation.
        operation: OperationId,
    },
    /// A fused task without steps, or with a step that reads what does not come before it.
    #[error("the steps of fused task {task:?} do not fit together")]
    FusedSteps {
        /// The task.
        task: TaskId,
    },
    /// A reduction along an axis that the grid does not have, or that joins nothing.
    #[error("cannot reduce axis {axis} by joining {split_every} neighbours")]
    ReductionAxis {
        /// The axis.
        axis: usize,
        /// How many neighbours were to be joined.
        split_every: u32,
    },
    /// Bytes that are no encoded plan.
    #[error("no plan can be read from these bytes: {what} (at byte {at})")]
    Malformed {
        /// Where it shows.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// More tasks or edges than a plan can number.
    #[error(
        "a plan holds fewer than 2^31 tasks and 2^32 edges; this graph has {tasks} tasks and {edges} edges"
    )]
    TooLarge {
        /// Tasks in the graph.
        tasks: usize,
        /// Edges in the graph.
        edges: usize,
    },
}
