//! Blocks that are put together from pieces of other blocks: slices, cuts, concatenations.

use std::sync::Arc;

use samite_graph::{Blocks, Call, Input, LayerKind, OperationId, TaskRef};
use samite_runtime::Value;
use smallvec::SmallVec;

use crate::axis_map::{AxisMap, Run};
use crate::chunk::{Chunk, Shape, Strides, contiguous_strides};
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::grid::Grid;
use crate::kernels::copy;
use crate::lower::fragment::checked;
use crate::lower::position_in;

/// What one output block takes of one input block along an axis.
#[derive(Clone, Debug)]
struct Group {
    block: u32,
    /// Runs within the input block, and where each goes in the output block.
    pieces: SmallVec<[(Run, usize); 1]>,
}

impl Group {
    /// The same runs, put down one after the other.
    fn packed(&self) -> Self {
        let mut at = 0;
        let pieces = self
            .pieces
            .iter()
            .map(|(run, _)| {
                at += run.len;
                (*run, at - run.len)
            })
            .collect();
        Self { block: self.block, pieces }
    }

    /// How many elements are taken.
    fn len(&self) -> usize {
        self.pieces.iter().map(|(run, _)| run.len).sum()
    }
}

/// How each output block is put together; shared by the layer and the operation.
#[derive(Clone, Debug)]
pub(crate) struct GatherPlan {
    output: Grid,
    counts: SmallVec<[u32; 4]>,
    input: Grid,
    input_counts: SmallVec<[u32; 4]>,
    /// By axis, by output block.
    axes: Vec<Vec<SmallVec<[Group; 1]>>>,
}

impl GatherPlan {
    pub(crate) fn new(maps: &[AxisMap], input: &Grid, output: &Grid) -> Self {
        let axes = maps
            .iter()
            .zip(input.axes().iter().zip(output.axes()))
            .map(|(map, (from, to))| map.pieces(from, to).into_iter().map(grouped).collect())
            .collect();
        Self {
            output: output.clone(),
            counts: output.counts(),
            input: input.clone(),
            input_counts: input.counts(),
            axes,
        }
    }

    fn groups(&self, index: u32) -> SmallVec<[&[Group]; 4]> {
        let position = position_in(&self.counts, index);
        self.axes.iter().zip(&position).map(|(blocks, place)| &*blocks[*place as usize]).collect()
    }

    /// The inputs of an output block, if each has the shape that the plan was made for.
    pub(crate) fn checked<'value>(
        &self,
        index: u32,
        dtype: DType,
        inputs: &'value [Value],
    ) -> Result<Vec<&'value Chunk>, ArrayError> {
        let groups = self.groups(index);
        let counts: SmallVec<[usize; 4]> = groups.iter().map(|list| list.len()).collect();
        let mut values = inputs.iter();
        let mut chunks = Vec::with_capacity(inputs.len());
        let mut failed = None;
        each_place(&counts, |place| {
            let position: SmallVec<[u32; 4]> =
                groups.iter().zip(place).map(|(list, at)| list[*at].block).collect();
            let shape = self.input.block_shape(&position);
            match checked("getitem", values.next(), dtype, &shape) {
                Ok(chunk) => chunks.push(chunk),
                Err(error) => failed = Some(error),
            }
        });
        failed.map_or(Ok(chunks), Err)
    }

    /// Puts an output block together. `inputs` are the blocks that the layer names as its
    /// dependencies, in order.
    pub(crate) fn run(
        &self,
        index: u32,
        dtype: DType,
        inputs: &[&Chunk],
    ) -> Result<Chunk, ArrayError> {
        let groups = self.groups(index);
        let shape = self.output.block_shape(&position_in(&self.counts, index));
        if let [input] = inputs
            && let Some(part) = self.part_of(input, &groups)
        {
            return Ok(part);
        }
        Chunk::build(dtype, &shape, |bytes| {
            let strides = contiguous_strides(&shape, dtype.size());
            // SAFETY: the target has room for exactly the block's elements.
            unsafe { self.run_into(index, inputs, bytes.as_mut_ptr(), &strides) };
            Ok(())
        })
    }

    /// As [`run`](Self::run), into memory that is there.
    ///
    /// # Safety
    /// The target is writable over the shape of the block under `strides`, and overlaps no input.
    pub(crate) unsafe fn run_into(
        &self,
        index: u32,
        inputs: &[&Chunk],
        target: *mut u8,
        strides: &[isize],
    ) {
        let groups = self.groups(index);
        let counts: SmallVec<[usize; 4]> = groups.iter().map(|list| list.len()).collect();
        let mut inputs = inputs.iter();
        each_place(&counts, |place| {
            let chosen: SmallVec<[&Group; 4]> =
                groups.iter().zip(place).map(|(list, at)| &list[*at]).collect();
            if let Some(input) = inputs.next() {
                copy_pieces(input, &chosen, target, strides, input.dtype().size());
            }
        });
    }

    /// The largest number of input blocks that an output block is made of.
    pub(crate) fn widest(&self) -> usize {
        let most = |blocks: &Vec<SmallVec<[Group; 1]>>| {
            blocks.iter().map(|groups| groups.len()).max().unwrap_or(0)
        };
        self.axes.iter().map(most).product()
    }

    /// The largest number of output blocks that take a piece of an input block.
    pub(crate) fn most_takers(&self) -> usize {
        let most = |blocks: &Vec<SmallVec<[Group; 1]>>| {
            let mut takers = rustc_hash::FxHashMap::default();
            for group in blocks.iter().flatten() {
                *takers.entry(group.block).or_insert(0) += 1;
            }
            takers.into_values().max().unwrap_or(0)
        };
        self.axes.iter().map(most).product()
    }

    /// Where the bytes of each output block begin, where one follows the other; and where the last
    /// one ends.
    pub(crate) fn block_offsets(&self, size: usize) -> Vec<u64> {
        let count = self.counts.iter().product::<u32>();
        let mut at = 0;
        std::iter::once(0)
            .chain((0..count).map(|index| {
                let shape = self.output.block_shape(&position_in(&self.counts, index));
                at += (shape.iter().product::<usize>() * size) as u64;
                at
            }))
            .collect()
    }

    /// Calls `visit` for each piece that some output block takes of an input block: with the output
    /// block, where the piece begins among the output block's elements, and the piece itself.
    /// The pieces of an output block follow one another in the order of its dependencies.
    pub(crate) fn each_piece(
        &self,
        index: u32,
        input: &Chunk,
        visit: &mut dyn FnMut(u32, usize, &Chunk) -> Result<(), ArrayError>,
    ) -> Result<(), ArrayError> {
        let position = position_in(&self.input_counts, index);
        // For each axis: the output blocks that take something, and the place of the group.
        let takers: SmallVec<[Vec<(usize, usize)>; 4]> = self
            .axes
            .iter()
            .zip(&position)
            .map(|(blocks, block)| {
                let of = |(output, groups): (usize, &SmallVec<[Group; 1]>)| {
                    let place = groups.iter().position(|group| group.block == *block)?;
                    Some((output, place))
                };
                blocks.iter().enumerate().filter_map(of).collect()
            })
            .collect();
        let counts: SmallVec<[usize; 4]> = takers.iter().map(Vec::len).collect();
        let size = input.dtype().size();
        let mut failed = Ok(());
        each_place(&counts, |place| {
            if failed.is_err() {
                return;
            }
            // The pieces of an output block, as if they stood in a grid of their own: what comes
            // before along the slowest axis is whole slabs of the block, and so on.
            let chosen: SmallVec<[(&[Group], usize); 4]> = takers
                .iter()
                .zip(place)
                .zip(&self.axes)
                .map(|((list, at), blocks)| (&*blocks[list[*at].0], list[*at].1))
                .collect();
            let mut output = 0u32;
            let (mut begin, mut before) = (0, 1);
            for (axis, (groups, group)) in chosen.iter().enumerate() {
                output = output * self.counts[axis] + takers[axis][place[axis]].0 as u32;
                let whole = |groups: &[Group]| groups.iter().map(Group::len).sum::<usize>();
                let behind: usize =
                    chosen[axis + 1..].iter().map(|(groups, _)| whole(groups)).product();
                begin += before * whole(&groups[..*group]) * behind;
                before *= groups[*group].len();
            }
            let packed: SmallVec<[Group; 4]> =
                chosen.iter().map(|(groups, group)| groups[*group].packed()).collect();
            let shape: Shape = packed.iter().map(Group::len).collect();
            let piece = Chunk::build(input.dtype(), &shape, |bytes| {
                let groups: SmallVec<[&Group; 4]> = packed.iter().collect();
                let strides = contiguous_strides(&shape, size);
                copy_pieces(input, &groups, bytes.as_mut_ptr(), &strides, size);
                Ok(())
            });
            failed = piece.and_then(|piece| visit(output, begin, &piece));
        });
        failed
    }

    /// Puts an output block together from its pieces, which follow one another in `bytes`.
    pub(crate) fn unpack(
        &self,
        index: u32,
        dtype: DType,
        bytes: &[u8],
    ) -> Result<Chunk, ArrayError> {
        let groups = self.groups(index);
        let shape = self.output.block_shape(&position_in(&self.counts, index));
        let counts: SmallVec<[usize; 4]> = groups.iter().map(|list| list.len()).collect();
        let size = dtype.size();
        if bytes.len() != shape.iter().product::<usize>() * size {
            return Err(ArrayError::Internal { what: "a block on disk has another size" });
        }
        Chunk::build(dtype, &shape, |target| {
            let strides = contiguous_strides(&shape, size);
            let mut at = 0;
            each_place(&counts, |place| {
                let chosen: SmallVec<[&Group; 4]> =
                    groups.iter().zip(place).map(|(list, at)| &list[*at]).collect();
                let lengths: Shape = chosen.iter().map(|group| group.len()).collect();
                let from = contiguous_strides(&lengths, size);
                let pieces: SmallVec<[usize; 4]> =
                    chosen.iter().map(|group| group.pieces.len()).collect();
                each_place(&pieces, |which| {
                    let (mut source, mut to) = (bytes[at..].as_ptr(), target.as_mut_ptr());
                    let mut part = Shape::new();
                    for (axis, (group, number)) in chosen.iter().zip(which).enumerate() {
                        let (run, place) = group.pieces[*number];
                        let before: usize =
                            group.pieces[..*number].iter().map(|(run, _)| run.len).sum();
                        source = source.wrapping_offset(before as isize * from[axis]);
                        to = to.wrapping_offset(place as isize * strides[axis]);
                        part.push(run.len);
                    }
                    // SAFETY: the piece lies in `bytes`, whose length was checked, and goes to a
                    // place within the block, which is new memory.
                    unsafe { copy::copy_strided(source, &from, to, &strides, &part, size) };
                });
                at += lengths.iter().product::<usize>() * size;
            });
            Ok(())
        })
    }

    /// The block as a view of the only input, where it is one piece of it and keeps not much more
    /// memory alive than it has elements.
    fn part_of(&self, input: &Chunk, groups: &[&[Group]]) -> Option<Chunk> {
        let mut part = input.clone();
        for (axis, list) in groups.iter().enumerate() {
            let [Group { pieces, .. }] = list else { return None };
            let [(run, 0)] = **pieces else { return None };
            part = part.slice(axis, run.start, run.step, run.len)?;
        }
        let kept = input.buffer().owned_bytes();
        (kept <= 2 * part.len() * part.dtype().size()).then_some(part)
    }
}

fn grouped(pieces: Vec<crate::axis_map::Piece>) -> SmallVec<[Group; 1]> {
    let mut groups: SmallVec<[Group; 1]> = SmallVec::new();
    let mut place = rustc_hash::FxHashMap::default();
    for piece in pieces {
        let at = *place.entry(piece.block).or_insert_with(|| {
            groups.push(Group { block: piece.block, pieces: SmallVec::new() });
            groups.len() - 1
        });
        groups[at].pieces.push((piece.from, piece.to));
    }
    groups
}

/// Copies what the output takes of one input block.
fn copy_pieces(input: &Chunk, groups: &[&Group], target: *mut u8, strides: &[isize], size: usize) {
    let counts: SmallVec<[usize; 4]> = groups.iter().map(|group| group.pieces.len()).collect();
    each_place(&counts, |place| {
        let (mut source, mut target) = (input.as_ptr(), target);
        let mut shape = Shape::new();
        let mut from = Strides::new();
        for (axis, (group, at)) in groups.iter().zip(place).enumerate() {
            let (run, to) = group.pieces[*at];
            let step = input.strides()[axis];
            source = source.wrapping_offset(run.start as isize * step);
            target = target.wrapping_offset(to as isize * strides[axis]);
            shape.push(run.len);
            from.push(step * run.step);
        }
        // SAFETY: runs lie within the input block, whose shape the caller has checked, and go to
        // places within the output block; the output is new memory.
        unsafe { copy::copy_strided(source, &from, target, strides, &shape, size) };
    });
}

/// Calls `visit` for each place of a grid in row-major order.
fn each_place(counts: &[usize], mut visit: impl FnMut(&[usize])) {
    if counts.contains(&0) {
        return;
    }
    let mut place: SmallVec<[usize; 4]> = SmallVec::from_elem(0, counts.len());
    loop {
        visit(&place);
        let mut axis = counts.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            place[axis] += 1;
            if place[axis] < counts[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
}

/// One task an output block, which needs the input blocks that it has pieces of.
#[derive(Debug)]
pub(crate) struct GatherLayer {
    pub(crate) operation: OperationId,
    pub(crate) input: Blocks,
    pub(crate) plan: Arc<GatherPlan>,
}

impl LayerKind for GatherLayer {
    fn len(&self) -> usize {
        self.plan.counts.iter().product::<u32>() as usize
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.push(Input { blocks: self.input, every: false });
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let groups = self.plan.groups(index);
        let counts: SmallVec<[usize; 4]> = groups.iter().map(|list| list.len()).collect();
        each_place(&counts, |place| {
            let mut block = 0;
            for ((list, at), count) in groups.iter().zip(place).zip(&self.plan.input_counts) {
                block = block * count + list[*at].block;
            }
            dependencies.push(self.input.at(block));
        });
    }

    fn operation(&self, index: u32) -> Call {
        Call { operation: self.operation, index }
    }
}

/// The blocks of several arrays end to end: each task passes on one block.
#[derive(Debug)]
pub(crate) struct ConcatLayer {
    pub(crate) operation: OperationId,
    /// The blocks of each array, and how many it has along the axis.
    pub(crate) inputs: Vec<(Blocks, u32)>,
    pub(crate) counts: SmallVec<[u32; 4]>,
    pub(crate) axis: usize,
}

impl LayerKind for ConcatLayer {
    fn len(&self) -> usize {
        self.counts.iter().product::<u32>() as usize
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.extend(self.inputs.iter().map(|(blocks, _)| Input { blocks: *blocks, every: true }));
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let mut position = position_in(&self.counts, index);
        for (blocks, along) in &self.inputs {
            if position[self.axis] >= *along {
                position[self.axis] -= along;
                continue;
            }
            let mut block = 0;
            for (axis, place) in position.iter().enumerate() {
                let count = if axis == self.axis { *along } else { self.counts[axis] };
                block = block * count + place;
            }
            dependencies.push(blocks.at(block));
            return;
        }
    }

    fn operation(&self, index: u32) -> Call {
        Call { operation: self.operation, index }
    }
}

/// What each block of a running total starts from: the totals of all blocks before it.
#[derive(Debug)]
pub(crate) struct PrefixLayer {
    pub(crate) operation: OperationId,
    pub(crate) totals: Blocks,
    pub(crate) counts: SmallVec<[u32; 4]>,
    pub(crate) axis: usize,
}

impl PrefixLayer {
    fn stride(&self) -> u32 {
        self.counts[self.axis + 1..].iter().product()
    }
}

impl LayerKind for PrefixLayer {
    fn len(&self) -> usize {
        self.counts.iter().product::<u32>() as usize
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        inputs.push(Input { blocks: self.totals, every: false });
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let place = position_in(&self.counts, index)[self.axis];
        if place == 0 {
            return;
        }
        let before = index - self.stride();
        if place > 1 {
            dependencies.push(TaskRef::own(before));
        }
        dependencies.push(self.totals.at(before));
    }

    fn operation(&self, index: u32) -> Call {
        Call { operation: self.operation, index }
    }
}
