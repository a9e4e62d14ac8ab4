//! Fragments: what one task computes of elementwise functions, views and sources together.
//!
//! A fragment is a program over the block's elements and the operands that it reads: arrays in
//! memory, and blocks of other layers. Nothing between them is ever stored.

use std::sync::atomic::AtomicBool;

use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::{BlockInput, Blocks, Blockwise, GraphError, OperationId};
use samite_runtime::Value;
use smallvec::SmallVec;

use crate::chunk::{Chunk, Shape, Strides, contiguous_strides};
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::expr::{Argument, Expr, Op, ViewAxis};
use crate::grid::{Grid, Offsets};
use crate::kernels::evaluate::{self, Operand};
use crate::kernels::mirror::{Block, Mirror};
use crate::kernels::program::{Program, ProgramBuilder, Register};

/// Which axis of the fragment runs along each axis of an array; `None` where the array has one
/// element along it.
type Axes = SmallVec<[Option<usize>; 4]>;

/// One operand.
struct Leaf {
    source: Source,
    axes: Axes,
    dtype: DType,
}

enum Source {
    /// A whole array in memory, of which the block's region is read; and whether what was read of a
    /// mapped file is given back at once.
    Memory(Chunk, bool),
    /// The task's dependency of this number.
    Block(usize),
}

impl Leaf {
    /// Where the array in memory begins that it reads, and its strides by axis of the fragment.
    fn memory(&self, ndim: usize) -> Option<(*const u8, Strides)> {
        let Source::Memory(chunk, _) = &self.source else { return None };
        let mut strides: Strides = SmallVec::from_elem(0, ndim);
        for (along, stride) in self.axes.iter().zip(chunk.strides()) {
            if let Some(along) = along {
                strides[*along] += stride;
            }
        }
        Some((chunk.as_ptr(), strides))
    }
}

/// The two axes that are swapped between two ways of reading the same elements, if this is all that
/// differs.
fn swap(one: &[isize], other: &[isize]) -> Option<Mirror> {
    let mut differing = (0..one.len()).filter(|axis| one[*axis] != other[*axis]);
    let (Some(first), Some(second), None) = (differing.next(), differing.next(), differing.next())
    else {
        return None;
    };
    let swapped = one[first] == other[second] && one[second] == other[first];
    swapped.then(|| Mirror::new(first, second))
}

/// What one task computes.
pub(crate) struct Fragment {
    pub(crate) grid: Grid,
    counts: SmallVec<[u32; 4]>,
    offsets: Offsets,
    pub(crate) program: Program,
    leaves: Vec<Leaf>,
    /// Whether all elements of all blocks are one.
    constant: bool,
    name: &'static str,
}

/// A fragment that is being built, with the layers that it reads.
pub(crate) struct Builder<'lower> {
    program: ProgramBuilder,
    leaves: Vec<Leaf>,
    /// The blocks of each dependency, and the label of each of its axes.
    pub(crate) reads: Reads,
    known: FxHashMap<(usize, Axes), Register>,
    /// Expressions that are computed by layers of their own.
    roots: &'lower FxHashSet<usize>,
    blocks: &'lower FxHashMap<usize, Blocks>,
    ndim: usize,
    in_memory: usize,
    /// Whether an element depends on its position.
    counts: bool,
}

impl<'lower> Builder<'lower> {
    pub(crate) fn new(
        ndim: usize,
        in_memory: usize,
        roots: &'lower FxHashSet<usize>,
        blocks: &'lower FxHashMap<usize, Blocks>,
    ) -> Self {
        Self {
            program: ProgramBuilder::new(),
            leaves: Vec::new(),
            reads: Vec::new(),
            known: FxHashMap::default(),
            roots,
            blocks,
            ndim,
            in_memory,
            counts: false,
        }
    }

    /// The fragment that computes `expr`, whatever layers there are for it.
    pub(crate) fn finish(mut self, expr: &Expr) -> Result<(Fragment, Reads), ArrayError> {
        let axes: Axes = (0..expr.ndim()).map(Some).collect();
        let output = self.visit(expr, &axes, true)?;
        let grid = expr.grid().clone();
        let fragment = Fragment {
            counts: grid.counts(),
            offsets: Offsets::of(&grid),
            grid,
            program: self.program.finish(output),
            constant: self.leaves.is_empty() && !self.counts,
            leaves: self.leaves,
            name: "elementwise",
        };
        Ok((fragment, self.reads))
    }

    fn visit(&mut self, expr: &Expr, axes: &Axes, outermost: bool) -> Result<Register, ArrayError> {
        let key = (expr.address(), axes.clone());
        if let Some(register) = self.known.get(&key) {
            return Ok(*register);
        }
        let stored = !outermost && self.roots.contains(&expr.address());
        let register = match expr.op() {
            _ if stored => self.block(expr, axes)?,
            Op::Memory { chunk, .. } => {
                let large = chunk.buffer().is_mapped() && expr.nbytes() > self.in_memory as u128;
                self.leaf(Source::Memory(chunk.clone(), large), axes.clone(), expr.dtype())
            }
            Op::Fill(value) => self.program.constant(*value),
            Op::Iota { start, step } => match axes[0] {
                Some(axis) => {
                    self.counts = true;
                    self.program.iota(axis, *start, *step)
                }
                None => self.program.constant(*start),
            },
            Op::Cast(input) => {
                let input = self.visit(input, axes, false)?;
                self.program.cast(input, expr.dtype())
            }
            Op::Map { ufunc, types, arguments } => {
                let mut registers: SmallVec<[Register; 3]> = SmallVec::new();
                for argument in arguments {
                    registers.push(match argument {
                        Argument::Array(array) => self.visit(array, axes, false)?,
                        Argument::Scalar(value) => self.program.constant(*value),
                    });
                }
                self.program.apply_loop(*ufunc, types, &registers)?
            }
            Op::View { input, axes: view } => {
                let mut inner: Axes = SmallVec::from_elem(None, input.ndim());
                for (from, along) in view.iter().zip(axes) {
                    if let ViewAxis::Input(axis) = from {
                        inner[*axis] = *along;
                    }
                }
                self.visit(input, &inner, false)?
            }
            _ => self.block(expr, axes)?,
        };
        self.known.insert(key, register);
        Ok(register)
    }

    fn block(&mut self, expr: &Expr, axes: &Axes) -> Result<Register, ArrayError> {
        let Some(blocks) = self.blocks.get(&expr.address()) else {
            return Err(ArrayError::Internal { what: "a layer that a fragment reads is missing" });
        };
        // An axis that the fragment does not have is of one block; its label is nobody else's.
        let labels = axes
            .iter()
            .enumerate()
            .map(|(place, axis)| {
                axis.map_or((self.ndim + 64 * (self.reads.len() + 1) + place) as u32, |axis| {
                    axis as u32
                })
            })
            .collect();
        self.reads.push((*blocks, expr.grid().counts(), labels));
        let source = Source::Block(self.reads.len() - 1);
        Ok(self.leaf(source, axes.clone(), expr.dtype()))
    }

    fn leaf(&mut self, source: Source, axes: Axes, dtype: DType) -> Register {
        self.leaves.push(Leaf { source, axes, dtype });
        self.program.input(dtype)
    }
}

/// The layers that a fragment reads: blocks, their grid, and the labels of its axes.
pub(crate) type Reads = Vec<(Blocks, SmallVec<[u32; 4]>, SmallVec<[u32; 4]>)>;

/// A layer with one task for each block of `counts`, which reads these blocks, and then `more`,
/// whose axes are those of the output.
pub(crate) fn blockwise(
    operation: OperationId,
    counts: &[u32],
    reads: &Reads,
    more: Option<Blocks>,
) -> Result<Blockwise, GraphError> {
    let labels: SmallVec<[u32; 4]> = (0..counts.len() as u32).collect();
    let mut inputs: Vec<BlockInput<'_>> = reads
        .iter()
        .map(|(blocks, shape, labels)| BlockInput { blocks: *blocks, shape, labels })
        .collect();
    inputs.extend(more.map(|blocks| BlockInput { blocks, shape: counts, labels: &labels }));
    let axes: Vec<(u32, u32)> = labels.iter().copied().zip(counts.iter().copied()).collect();
    Blockwise::new(operation, &labels, &inputs, &axes)
}

/// A block of a fragment, ready to be evaluated.
pub(crate) struct Ready {
    pub(crate) shape: Shape,
    pub(crate) origin: Shape,
    pub(crate) operands: SmallVec<[Operand; 4]>,
}

impl Ready {
    pub(crate) fn block(&self) -> Block<'_> {
        Block { operands: &self.operands, shape: &self.shape, origin: &self.origin }
    }
}

impl Fragment {
    /// How many dependencies it reads.
    pub(crate) fn reads(&self) -> usize {
        self.leaves.iter().filter(|leaf| matches!(leaf.source, Source::Block(_))).count()
    }

    /// The axes whose swapping turns what is read of an array for one block into what is read of it
    /// for another: the two are best computed together. The fragment reads nothing but arrays in
    /// memory, so that no task waits for more blocks than it needs.
    pub(crate) fn mirror(&self) -> Option<Mirror> {
        let mut read: SmallVec<[(*const u8, Strides); 4]> = SmallVec::new();
        for leaf in &self.leaves {
            read.push(leaf.memory(self.counts.len())?);
        }
        let pairs = read
            .iter()
            .enumerate()
            .flat_map(|(place, leaf)| read[..place].iter().map(move |other| (leaf, other)));
        let found = pairs
            .filter(|(leaf, other)| leaf.0 == other.0)
            .find_map(|(leaf, other)| swap(&leaf.1, &other.1))?;
        let [one, other] = found.axes().map(|axis| self.grid.axis(axis));
        (one.len() > 1 && one == other).then_some(found)
    }

    /// The block at the other side of the diagonal from one, which either computes for both, if it
    /// is another block.
    pub(crate) fn image(&self, index: u32, mirror: Option<Mirror>) -> Option<(Mirror, u32)> {
        let mirror = mirror?;
        let image = super::mirror::image_of(&self.counts, mirror, index);
        (image != index).then_some((mirror, image))
    }

    /// Finds the operands of a block.
    ///
    /// The operands point into arrays in memory, which the fragment keeps, and into `inputs`.
    pub(crate) fn ready(&self, index: u32, inputs: &[Value]) -> Result<Ready, ArrayError> {
        let position = super::position_in(&self.counts, index);
        let shape = self.grid.block_shape(&position);
        let origin = self.offsets.origin(&position);
        let mut operands: SmallVec<[Operand; 4]> = SmallVec::new();
        for leaf in &self.leaves {
            let (chunk, start) = match &leaf.source {
                Source::Memory(chunk, _) => {
                    let mut start = chunk.as_ptr();
                    for (axis, along) in leaf.axes.iter().enumerate() {
                        if let Some(along) = along {
                            let offset = origin[*along] as isize * chunk.strides()[axis];
                            start = start.wrapping_offset(offset);
                        }
                    }
                    (chunk, start)
                }
                Source::Block(number) => {
                    let wanted: Shape = leaf
                        .axes
                        .iter()
                        .map(|along| along.map_or(1, |along| shape[along]))
                        .collect();
                    let chunk = checked(self.name, inputs.get(*number), leaf.dtype, &wanted)?;
                    (chunk, chunk.as_ptr())
                }
            };
            let mut strides: Strides = SmallVec::from_elem(0, shape.len());
            for (along, stride) in leaf.axes.iter().zip(chunk.strides()) {
                if let Some(along) = along {
                    strides[*along] += stride;
                }
            }
            operands.push(Operand { start, strides });
        }
        Ok(Ready { shape, origin, operands })
    }

    /// Gives back what was read of mapped files that are larger than what fits in memory.
    pub(crate) fn release(&self, ready: &Ready) {
        for (leaf, operand) in self.leaves.iter().zip(&ready.operands) {
            let Source::Memory(chunk, true) = &leaf.source else { continue };
            if ready.shape.contains(&0) {
                continue;
            }
            let (mut first, mut last) = (operand.start, operand.start);
            for (len, stride) in ready.shape.iter().zip(&operand.strides) {
                let reach = (*len as isize - 1) * stride;
                first = first.wrapping_offset(reach.min(0));
                last = last.wrapping_offset(reach.max(0));
            }
            chunk.buffer().release(first, last.wrapping_add(leaf.dtype.size()));
        }
    }

    /// Computes a block.
    pub(crate) fn run(
        &self,
        index: u32,
        inputs: &[Value],
        cancelled: &AtomicBool,
    ) -> Result<Chunk, ArrayError> {
        // A part of a file that is larger than what fits in memory is copied: who gets it as a view
        // would leave its pages in memory.
        let viewed =
            |number: &usize| !matches!(self.leaves[*number].source, Source::Memory(_, true));
        if let Some(number) = self.program.is_copy_of_input().filter(viewed) {
            return self.copied(index, inputs, number);
        }
        let ready = self.ready(index, inputs)?;
        let Ready { shape, origin, operands } = &ready;
        let dtype = self.program.output();
        if self.constant {
            let one = Chunk::build(dtype, &[], |bytes| {
                // SAFETY: the target has room for the one element of an array without axes.
                unsafe {
                    evaluate::evaluate(
                        &self.program,
                        &[],
                        &[],
                        bytes.as_mut_ptr(),
                        &[],
                        &[],
                        cancelled,
                    );
                }
                Ok(())
            })?;
            let strides: Strides = SmallVec::from_elem(0, shape.len());
            // SAFETY: all positions are the one element that there is.
            return Ok(unsafe { one.with_layout(0, shape, &strides) });
        }
        let made = Chunk::build(dtype, shape, |bytes| {
            let strides = contiguous_strides(shape, dtype.size());
            // SAFETY: the operands were checked against the block's shape, and the target has room
            // for exactly its elements.
            unsafe {
                evaluate::evaluate(
                    &self.program,
                    operands,
                    shape,
                    bytes.as_mut_ptr(),
                    &strides,
                    origin,
                    cancelled,
                );
            }
            Ok(())
        });
        self.release(&ready);
        made
    }

    /// A block that is a view of one operand.
    fn copied(&self, index: u32, inputs: &[Value], number: usize) -> Result<Chunk, ArrayError> {
        let Ready { shape, operands, .. } = self.ready(index, inputs)?;
        let chunk = match &self.leaves[number].source {
            Source::Memory(chunk, _) => chunk.clone().kept(),
            Source::Block(block) => match inputs.get(*block).and_then(Chunk::of) {
                Some(chunk) => chunk.clone(),
                None => return Err(ArrayError::Internal { what: "an operand is missing" }),
            },
        };
        let Operand { start, strides } = &operands[number];
        let offset = (*start as isize).wrapping_sub(chunk.as_ptr() as isize);
        // SAFETY: `ready` found start and strides by the checked layout of this very chunk.
        Ok(unsafe { chunk.with_layout(offset, &shape, strides) })
    }
}

/// The chunk of an input, if it is what was promised.
pub(crate) fn checked<'value>(
    operation: &'static str,
    value: Option<&'value Value>,
    dtype: DType,
    shape: &[usize],
) -> Result<&'value Chunk, ArrayError> {
    let Some(value) = value else {
        return Err(ArrayError::Internal { what: "a task was given fewer inputs than it needs" });
    };
    let wanted = || format!("an array of {} of shape {shape:?}", dtype.name());
    let Some(chunk) = Chunk::of(value) else {
        let found = "not an array of native elements".to_owned();
        return Err(ArrayError::WrongChunk { operation, found, wanted: wanted() });
    };
    if chunk.dtype() != dtype || chunk.shape() != shape {
        let found = format!("an array of {} of shape {:?}", chunk.dtype().name(), chunk.shape());
        return Err(ArrayError::WrongChunk { operation, found, wanted: wanted() });
    }
    Ok(chunk)
}
