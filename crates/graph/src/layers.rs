//! Layers: many tasks of one kind, known by a rule instead of a list.

mod all_to_all;
mod blockwise;
mod source;
mod task_list;
mod tree_reduce;

use std::ops::Range;
use std::sync::Arc;

use crate::blocks::{Blocks, TaskRef};
use crate::ids::OperationId;
use crate::plan::Step;
pub use all_to_all::{AllToAll, AllToAllOperations};
pub(crate) use blockwise::{Argument, BlockStep, Operand};
pub use blockwise::{BlockInput, Blockwise};
pub use source::Source;
pub use task_list::TaskList;
pub use tree_reduce::{TreeOperations, TreeReduce};

/// What one task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// A row of the submitter's table.
    pub operation: OperationId,
    /// Which of the operation's blocks: what the operation is told besides its arguments.
    pub index: u32,
}

/// Blocks of another layer that a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// The blocks.
    pub blocks: Blocks,
    /// Whether all tasks of the layer together need each of these blocks. Where this is false,
    /// culling asks task by task.
    pub every: bool,
}

/// A kind of layer. Implement it to add one; the kinds of this crate do the same.
///
/// Invariant: what a task needs follows from its position alone, in time that depends on the
/// number of its dependencies and not on the size of the layer. Methods are asked about positions
/// below [`len`](Self::len) only.
pub trait LayerKind: std::fmt::Debug + Send + Sync {
    /// The number of tasks, at most `u32::MAX`.
    fn len(&self) -> usize;

    /// Whether the layer has no task.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The positions whose values other layers may read; all tasks unless the layer has inner ones.
    fn outputs(&self) -> Range<u32> {
        0..self.len() as u32
    }

    /// Appends what the layer reads from other layers, all tasks together.
    fn inputs(&self, inputs: &mut Vec<Input>);

    /// Appends the tasks whose values a task needs, in the order of its arguments. Tasks of the
    /// layer itself are [`TaskRef::own`]; lower positions first makes planning cheapest.
    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>);

    /// What a task runs; for a task of several steps, its last one.
    fn operation(&self, index: u32) -> Call;

    /// The steps of a task that runs several operations; their
    /// [`Dependency`](crate::StepInput::Dependency) positions count in [`dependencies`](Self::dependencies).
    fn steps(&self, index: u32) -> Option<Vec<Step>> {
        let _ = index;
        None
    }
}

/// A layer of a [`Graph`](crate::Graph).
#[derive(Clone, Debug)]
pub enum Layer {
    /// Tasks without dependencies.
    Source(Source),
    /// One task a block, by index notation.
    Blockwise(Blockwise),
    /// A reduction along axes of a block grid.
    TreeReduce(TreeReduce),
    /// Every output from every input, through a barrier.
    AllToAll(AllToAll),
    /// An arbitrary graph, task by task; shared, because it grows with its tasks.
    TaskList(Arc<TaskList>),
    /// A kind that this crate does not know.
    Custom(Arc<dyn LayerKind>),
}

impl Layer {
    /// The layer's rule.
    #[inline]
    pub fn kind(&self) -> &dyn LayerKind {
        match self {
            Self::Source(layer) => layer,
            Self::Blockwise(layer) => layer,
            Self::TreeReduce(layer) => layer,
            Self::AllToAll(layer) => layer,
            Self::TaskList(layer) => layer.as_ref(),
            Self::Custom(layer) => layer.as_ref(),
        }
    }
}

macro_rules! layer_from {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Layer {
            fn from(layer: $kind) -> Self {
                Self::$kind(layer)
            }
        }
    )*};
}

layer_from!(Source, Blockwise, TreeReduce, AllToAll);

impl From<TaskList> for Layer {
    fn from(layer: TaskList) -> Self {
        Self::TaskList(Arc::new(layer))
    }
}

impl From<Arc<dyn LayerKind>> for Layer {
    fn from(layer: Arc<dyn LayerKind>) -> Self {
        Self::Custom(layer)
    }
}

/// The number of blocks of a grid; `None` where `u32` cannot number them.
fn grid_len(shape: &[u32]) -> Option<u32> {
    shape.iter().try_fold(1u32, |product, count| product.checked_mul(*count))
}

/// The row-major strides of a grid, zero along axes of one block.
fn grid_strides(shape: &[u32]) -> Vec<u32> {
    let mut strides = vec![0; shape.len()];
    let mut product = 1u32;
    for (stride, count) in strides.iter_mut().zip(shape).rev() {
        *stride = if *count > 1 { product } else { 0 };
        product = product.wrapping_mul(*count);
    }
    strides
}
