//! A shuffle: every output may need a part of every input.
//!
//! ```text
//! input 0 ─ split 0 ─┐           ┌─ join 0
//! input 1 ─ split 1 ─┼─ barrier ─┼─ join 1
//! input 2 ─ split 2 ─┘           └─ join 2
//! ```
//!
//! Splits hand their parts to a store that the operations share, the barrier's value is the way
//! into it, and each join takes its own parts out: `inputs + outputs` edges where a graph of parts
//! has their product.

use std::ops::Range;

use super::{Call, Input, LayerKind};
use crate::blocks::{Blocks, TaskRef};
use crate::error::GraphError;
use crate::ids::OperationId;

/// The operations of an [`AllToAll`] layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllToAllOperations {
    /// Cuts one input into parts; told the input's position.
    pub split: OperationId,
    /// Runs once, with all splits as arguments.
    pub barrier: OperationId,
    /// Gathers one output; its argument is the barrier, and it is told the output's position.
    pub join: OperationId,
}

/// n inputs to m outputs through one barrier. The splits stand first, then the barrier, then the
/// joins, which are the layer's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllToAll {
    input: Blocks,
    outputs: u32,
    operations: AllToAllOperations,
}

impl AllToAll {
    /// A shuffle of `input` into `outputs` blocks.
    ///
    /// # Errors
    /// [`GraphError::TooLarge`] where the tasks are more than a layer can number.
    pub fn new(
        input: Blocks,
        outputs: u32,
        operations: AllToAllOperations,
    ) -> Result<Self, GraphError> {
        let tasks = input.len() + 1 + outputs as usize;
        if tasks >= u32::MAX as usize {
            return Err(GraphError::TooLarge { tasks, edges: tasks });
        }
        Ok(Self { input, outputs, operations })
    }

    fn barrier(&self) -> u32 {
        self.input.count
    }
}

impl LayerKind for AllToAll {
    fn len(&self) -> usize {
        self.input.len() + 1 + self.outputs as usize
    }

    fn outputs(&self) -> Range<u32> {
        self.barrier() + 1..self.len() as u32
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.push(Input { blocks: self.input, every: true });
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let barrier = self.barrier();
        match index.cmp(&barrier) {
            std::cmp::Ordering::Less => dependencies.push(self.input.at(index)),
            std::cmp::Ordering::Equal => dependencies.extend((0..barrier).map(TaskRef::own)),
            std::cmp::Ordering::Greater => dependencies.push(TaskRef::own(barrier)),
        }
    }

    fn operation(&self, index: u32) -> Call {
        let barrier = self.barrier();
        match index.cmp(&barrier) {
            std::cmp::Ordering::Less => Call { operation: self.operations.split, index },
            std::cmp::Ordering::Equal => Call { operation: self.operations.barrier, index: 0 },
            std::cmp::Ordering::Greater => {
                Call { operation: self.operations.join, index: index - barrier - 1 }
            }
        }
    }
}
