//! A reduction along axes of a block grid, as a tree.
//!
//! ```text
//! blocks   0  1  2  3  4
//! chunk    0  1  2  3  4      one task a block, where the reduction has a chunk operation
//! combine  └──┴──┐  └──┴──┐   groups of `split_every` neighbours
//! aggregate      └────────┴─  the last level; the layer's outputs
//! ```

use std::ops::Range;

use super::{Call, Input, LayerKind, grid_len, grid_strides};
use crate::blocks::{Blocks, TaskRef};
use crate::error::GraphError;
use crate::ids::OperationId;

/// The operations of a [`TreeReduce`] layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeOperations {
    /// Runs on each block; without it the blocks go into the tree as they are.
    pub chunk: Option<OperationId>,
    /// Joins a group of partial results, in row-major order of the grid.
    pub combine: OperationId,
    /// Joins the last group; always runs, also where one block is left.
    pub aggregate: OperationId,
}

/// A tree reduction. Its outputs are the grid with one block along each reduced axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeReduce {
    input: Blocks,
    input_shape: Vec<u32>,
    /// How many neighbours are joined along each axis, one along those that stay.
    split_every: Vec<u32>,
    stages: Vec<Stage>,
    len: u32,
}

/// One level of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stage {
    first: u32,
    shape: Vec<u32>,
    operation: OperationId,
    /// Whether each task takes exactly the block at its own place.
    chunk: bool,
}

impl TreeReduce {
    /// Reduces `input`, a row-major grid of `shape`, along `axes`: pairs of an axis and of how many
    /// neighbours to join along it.
    ///
    /// # Errors
    /// [`GraphError::BlockGrid`] where the shape does not have as many blocks as the input,
    /// [`GraphError::ReductionAxis`] for an axis that the grid does not have, that is named twice,
    /// or that joins fewer than two neighbours; [`GraphError::TooLarge`].
    pub fn new(
        input: Blocks,
        shape: &[u32],
        axes: &[(usize, u32)],
        operations: TreeOperations,
    ) -> Result<Self, GraphError> {
        if grid_len(shape) != Some(input.count) {
            return Err(GraphError::BlockGrid { shape: shape.to_vec(), blocks: input.len() });
        }
        let mut split_every = vec![1u32; shape.len()];
        for &(axis, split) in axes {
            match split_every.get_mut(axis) {
                Some(slot) if *slot == 1 && split >= 2 => *slot = split,
                _ => return Err(GraphError::ReductionAxis { axis, split_every: split }),
            }
        }
        let mut layer =
            Self { input, input_shape: shape.to_vec(), split_every, stages: Vec::new(), len: 0 };
        if let Some(chunk) = operations.chunk {
            layer.push_stage(shape.to_vec(), chunk, true)?;
        }
        let mut shape = shape.to_vec();
        loop {
            let counts = shape.iter().zip(&layer.split_every);
            let next: Vec<u32> = counts.map(|(count, split)| count.div_ceil(*split)).collect();
            let reduced = |(axis, _): &(usize, u32)| next[*axis] <= 1;
            if axes.iter().all(reduced) {
                layer.push_stage(next, operations.aggregate, false)?;
                return Ok(layer);
            }
            layer.push_stage(next.clone(), operations.combine, false)?;
            shape = next;
        }
    }

    fn push_stage(
        &mut self,
        shape: Vec<u32>,
        operation: OperationId,
        chunk: bool,
    ) -> Result<(), GraphError> {
        let first = self.len;
        let blocks = grid_len(&shape).and_then(|count| first.checked_add(count));
        let too_large = GraphError::TooLarge { tasks: usize::MAX, edges: usize::MAX };
        self.len = blocks.filter(|len| *len < u32::MAX).ok_or(too_large)?;
        self.stages.push(Stage { first, shape, operation, chunk });
        Ok(())
    }

    /// The stage of a task and the position of the stage.
    fn stage(&self, index: u32) -> (usize, &Stage) {
        let place = self.stages.partition_point(|stage| stage.first <= index).saturating_sub(1);
        (place, &self.stages[place])
    }
}

impl LayerKind for TreeReduce {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn outputs(&self) -> Range<u32> {
        self.stages.last().map_or(0, |stage| stage.first)..self.len
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.push(Input { blocks: self.input, every: true });
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let (place, stage) = self.stage(index);
        let mut position = index - stage.first;
        if stage.chunk {
            dependencies.push(self.input.at(position));
            return;
        }
        let before = place.checked_sub(1).map(|place| &self.stages[place]);
        let shape = before.map_or(&self.input_shape, |stage| &stage.shape);
        let task = |linear: u32| match before {
            Some(stage) => TaskRef::own(stage.first + linear),
            None => self.input.at(linear),
        };
        if let ([count], [split]) = (shape.as_slice(), self.split_every.as_slice()) {
            let end = (position + 1).saturating_mul(*split).min(*count);
            dependencies.extend((position * split..end).map(task));
            return;
        }
        // The box of neighbours: along each axis where it starts and how wide it is.
        let strides = grid_strides(shape);
        let mut corner = 0u32;
        let mut widths = vec![1u32; shape.len()];
        for axis in (0..shape.len()).rev() {
            let coordinate = position % stage.shape[axis];
            position /= stage.shape[axis];
            let start = coordinate * self.split_every[axis];
            widths[axis] = self.split_every[axis].min(shape[axis] - start);
            corner += start * strides[axis];
        }
        let mut place = vec![0u32; shape.len()];
        loop {
            let offset: u32 = place.iter().zip(&strides).map(|(step, stride)| step * stride).sum();
            dependencies.push(task(corner + offset));
            let mut axis = shape.len();
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                place[axis] += 1;
                if place[axis] < widths[axis] {
                    break;
                }
                place[axis] = 0;
            }
        }
    }

    fn operation(&self, index: u32) -> Call {
        let (_, stage) = self.stage(index);
        Call { operation: stage.operation, index: index - stage.first }
    }
}
