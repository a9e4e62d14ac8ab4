//! One task a block, by index notation.
//!
//! Each axis of a block grid carries a label. `ij,jk->ik` makes block (i, k) from all blocks
//! (i, j) of the first input and all blocks (j, k) of the second: a label that the output lacks is
//! contracted, an axis of one block serves every position of its label (broadcast), and a label
//! that stands twice in an input takes its diagonal. The position of a needed block is a sum of
//! coordinates times strides, so that dependencies are computed and never stored.
//!
//! A fused layer is the same thing with several steps, all by the labels of the last one's output.

use super::{Call, Input, LayerKind, grid_len, grid_strides};
use crate::blocks::{Blocks, TaskRef};
use crate::error::GraphError;
use crate::ids::OperationId;
use crate::plan::{Step, StepInput};

/// One input of a [`Blockwise`] layer.
#[derive(Clone, Copy, Debug)]
pub struct BlockInput<'input> {
    /// The blocks, a row-major grid of `shape`.
    pub blocks: Blocks,
    /// Blocks along each axis.
    pub shape: &'input [u32],
    /// The label of each axis; the numbers are the caller's.
    pub labels: &'input [u32],
}

/// A layer with one task for each block of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blockwise {
    /// Blocks along each label; the output's labels stand first, in order. From here on a label
    /// is a position in this list.
    pub(crate) counts: Vec<u32>,
    /// How many labels the output has.
    pub(crate) rank: usize,
    pub(crate) len: u32,
    pub(crate) steps: Vec<BlockStep>,
}

/// One operation of a blockwise task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockStep {
    pub(crate) operation: OperationId,
    /// What each output label's coordinate adds to the index that the operation is told.
    pub(crate) strides: Vec<u32>,
    pub(crate) arguments: Vec<Argument>,
}

/// One argument of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// The value of an earlier step.
    Step(u32),
    /// Blocks of another layer.
    Blocks(Operand),
}

/// Which blocks of an input a task reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(crate) blocks: Blocks,
    /// What each output label's coordinate adds to the block's position.
    pub(crate) strides: Vec<u32>,
    /// Labels that all blocks are taken of, first one slowest: count and stride.
    pub(crate) contracted: Vec<(u32, u32)>,
    /// Whether the layer as a whole reads every block.
    pub(crate) every: bool,
}

impl Blockwise {
    /// A layer whose output has the labels `output`; `new_axes` gives the number of blocks of
    /// output labels that no input has.
    ///
    /// The dependencies of a task are the blocks of the first input, then those of the second, and
    /// so on; contracted blocks in row-major order of their labels as the input has them.
    ///
    /// # Errors
    /// [`GraphError::BlockGrid`] where a shape and its blocks or labels disagree,
    /// [`GraphError::LabelCount`] where inputs disagree on the blocks along a label,
    /// [`GraphError::OutputLabel`] for an output label that is unknown or stands twice,
    /// [`GraphError::TooLarge`].
    pub fn new(
        operation: OperationId,
        output: &[u32],
        inputs: &[BlockInput<'_>],
        new_axes: &[(u32, u32)],
    ) -> Result<Self, GraphError> {
        let known = known_labels(inputs, new_axes)?;
        let count_of = |label: u32| known.iter().find(|(name, _)| *name == label);
        let mut counts = Vec::with_capacity(output.len());
        for (axis, label) in output.iter().enumerate() {
            let count = count_of(*label).filter(|_| !output[..axis].contains(label));
            counts.push(count.ok_or(GraphError::OutputLabel { label: *label })?.1);
        }
        let too_large = GraphError::TooLarge { tasks: usize::MAX, edges: usize::MAX };
        let len = grid_len(&counts).filter(|len| *len < u32::MAX).ok_or(too_large)?;
        let mut arguments = Vec::with_capacity(inputs.len());
        for input in inputs {
            let mut operand = Operand {
                blocks: input.blocks,
                strides: vec![0; output.len()],
                contracted: Vec::new(),
                every: true,
            };
            let mut inner: Vec<(u32, u32, u32)> = Vec::new();
            let axes = input.labels.iter().zip(input.shape).zip(grid_strides(input.shape));
            for (axis, ((label, blocks), stride)) in axes.enumerate() {
                operand.every &= !input.labels[..axis].contains(label);
                if let Some(place) = output.iter().position(|name| name == label) {
                    operand.strides[place] += stride;
                } else if let Some(entry) = inner.iter_mut().find(|(name, ..)| name == label) {
                    entry.1 = entry.1.max(*blocks);
                    entry.2 += stride;
                } else {
                    inner.push((*label, *blocks, stride));
                }
            }
            // A contracted axis of one block still goes once through all positions of its label.
            for (label, blocks, stride) in inner {
                let count = count_of(label).map_or(blocks, |(_, count)| *count);
                operand.contracted.push((if blocks == 1 { 1 } else { count }, stride));
            }
            arguments.push(Argument::Blocks(operand));
        }
        let strides = grid_strides(&counts);
        let steps = vec![BlockStep { operation, strides, arguments }];
        Ok(Self { rank: output.len(), counts, len, steps })
    }

    /// The number of operations that each task runs.
    pub fn steps_per_task(&self) -> usize {
        self.steps.len()
    }

    /// The blocks along each axis of the output.
    pub fn shape(&self) -> &[u32] {
        &self.counts[..self.rank]
    }

    /// The sum of a block's coordinates, each times its label's stride.
    #[inline]
    fn linear(&self, index: u32, strides: &[u32]) -> u32 {
        let mut rest = index;
        let mut linear = 0;
        for (count, stride) in self.shape().iter().zip(strides).rev() {
            linear += (rest % count) * stride;
            rest /= count;
        }
        linear
    }

    fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.steps.iter().flat_map(|step| &step.arguments).filter_map(|argument| match argument {
            Argument::Blocks(operand) => Some(operand),
            Argument::Step(_) => None,
        })
    }
}

impl Operand {
    /// How many blocks one task reads.
    fn count(&self) -> u32 {
        self.contracted.iter().map(|(count, _)| *count).product()
    }

    /// The position of one of the blocks that a task reads.
    fn offset(&self, mut position: u32) -> u32 {
        let mut offset = 0;
        for (count, stride) in self.contracted.iter().rev() {
            offset += (position % count) * stride;
            position /= count;
        }
        offset
    }
}

/// The number of blocks along each label; an axis of one block agrees with any number.
fn known_labels(
    inputs: &[BlockInput<'_>],
    new_axes: &[(u32, u32)],
) -> Result<Vec<(u32, u32)>, GraphError> {
    let mut known: Vec<(u32, u32)> = new_axes.to_vec();
    for input in inputs {
        let fits = input.shape.len() == input.labels.len();
        if !fits || grid_len(input.shape) != Some(input.blocks.count) {
            let blocks = input.blocks.len();
            return Err(GraphError::BlockGrid { shape: input.shape.to_vec(), blocks });
        }
        for (label, count) in input.labels.iter().zip(input.shape) {
            match known.iter_mut().find(|(name, _)| name == label) {
                None => known.push((*label, *count)),
                Some((_, known)) if *known == 1 => *known = *count,
                Some((_, known)) if *known == *count || *count == 1 => {}
                Some((_, known)) => {
                    let counts = (*known, *count);
                    return Err(GraphError::LabelCount { label: *label, counts });
                }
            }
        }
    }
    Ok(known)
}

impl LayerKind for Blockwise {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.extend(self.operands().map(|operand| Input {
            blocks: operand.blocks,
            // A layer without blocks reads none, whatever its inputs have.
            every: operand.every && self.len > 0,
        }));
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        for operand in self.operands() {
            let first = self.linear(index, &operand.strides);
            if operand.contracted.is_empty() {
                dependencies.push(operand.blocks.at(first));
                continue;
            }
            let blocks = (0..operand.count()).map(|block| first + operand.offset(block));
            dependencies.extend(blocks.map(|block| operand.blocks.at(block)));
        }
    }

    fn operation(&self, index: u32) -> Call {
        self.steps.last().map_or(Call { operation: OperationId(0), index }, |step| Call {
            operation: step.operation,
            index: self.linear(index, &step.strides),
        })
    }

    fn steps(&self, index: u32) -> Option<Vec<Step>> {
        if self.steps.len() == 1 {
            return None;
        }
        let mut dependency = 0;
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let mut inputs = Vec::with_capacity(step.arguments.len());
            for argument in &step.arguments {
                match argument {
                    Argument::Step(step) => inputs.push(StepInput::Step(*step)),
                    Argument::Blocks(operand) => {
                        let end = dependency + operand.count();
                        inputs.extend((dependency..end).map(StepInput::Dependency));
                        dependency = end;
                    }
                }
            }
            let index = self.linear(index, &step.strides);
            steps.push(Step { operation: step.operation, index, inputs });
        }
        Some(steps)
    }
}
