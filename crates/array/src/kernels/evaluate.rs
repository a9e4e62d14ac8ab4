//! Runs a program over a block, tile by tile, so that what lies between its steps stays in the
//! first-level cache.

use std::alloc::{Layout as Allocation, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::AtomicBool;

use smallvec::SmallVec;

use crate::chunk::Strides;
use crate::dtype::DType;
use crate::kernels::load::{self, Layout};
use crate::kernels::program::{Program, Source, Step};
use crate::kernels::walk::{self, Axis, Steps, Tile, Tiling};

/// The elements that a program reads, of the dtype of its input.
#[derive(Clone, Debug)]
pub struct Operand {
    /// The element at position zero along all axes; it need not be aligned.
    pub start: *const u8,
    /// Bytes from one element to the next by axis of the iteration space; zero ones repeat.
    pub strides: Strides,
}

/// Writes the program's result for every position of `shape` to the target.
///
/// `origin` is the position of the block in the whole array, which progressions count from. Returns
/// early, with the target written in part, when `cancelled` is set.
///
/// # Safety
/// There is an operand for each input of the program, readable over the shape; the target is
/// writable over it and overlaps no operand. Strides and origin have a number for each axis.
pub unsafe fn evaluate(
    program: &Program,
    operands: &[Operand],
    shape: &[usize],
    target: *mut u8,
    strides: &[isize],
    origin: &[usize],
    cancelled: &AtomicBool,
) {
    if shape.contains(&0) {
        return;
    }
    let mut streams = Streams::new(program, operands, origin);
    streams.push(target, strides);
    let mut axes = streams.axes(shape);
    axes.sort_by_key(|axis| {
        std::cmp::Reverse(axis.steps.last().map_or(0, |step| step.unsigned_abs()))
    });
    let axes = walk::merge(axes, streams.starts.len());
    let tiling = tiling(program, &axes);
    let mut writer = Writer::new(program, &axes, tiling);
    walk::each_tile(&axes, tiling, &streams.starts, cancelled, &mut |tile| {
        // SAFETY: the tile lies within the shape; the target is not read, and written where the
        // caller allows it.
        unsafe { writer.write(tile) };
    });
}

/// Evaluates tiles and writes them to the last of their streams.
pub(super) struct Writer<'p> {
    evaluator: Evaluator<'p>,
    steps: TileSteps,
    dtype: DType,
}

impl<'p> Writer<'p> {
    /// For tiles of these axes.
    pub(super) fn new(program: &'p Program, axes: &[Axis], tiling: Tiling) -> Self {
        Self::of_steps(program, TileSteps::new(axes, tiling), tiling.rows * tiling.columns)
    }

    /// For tiles of so many elements with these steps.
    pub(super) fn of_steps(program: &'p Program, steps: TileSteps, capacity: usize) -> Self {
        Self { evaluator: Evaluator::new(program, capacity), steps, dtype: program.output() }
    }

    /// For tiles that lie in the cache already.
    pub(super) fn in_cache(self) -> Self {
        Self { evaluator: self.evaluator.in_cache(), ..self }
    }

    /// Writes a tile.
    ///
    /// # Safety
    /// As for [`Evaluator::run`]; the last stream is where the tile can be written, which overlaps
    /// nothing that the program reads.
    pub(super) unsafe fn write(&mut self, tile: &Tile<'_>) {
        let Some((last, to)) = tile.starts.iter().enumerate().next_back() else { return };
        let (size, to) = (self.dtype.size(), to.cast_mut());
        let layout = self.steps.layout(last, tile);
        // SAFETY: the promise is the same.
        unsafe {
            if layout.is_dense(size) && load::is_aligned(to, self.dtype) {
                let found = self.evaluator.run(tile, &self.steps, Some(to));
                if found != to.cast_const() {
                    std::ptr::copy_nonoverlapping(found, to, tile.rows * tile.columns * size);
                }
            } else {
                let found = self.evaluator.run(tile, &self.steps, None);
                load::scatter(found, layout, size, to);
            }
        }
    }
}

/// Elements of a line that is read along one axis while it is written along another; a square of
/// them fills whole cache lines of both.
const SQUARE: usize = 32;
/// Elements of such a tile along the axis that it is written along. The more there are, the fewer
/// pages are walked through for each element.
const LONG_SIDE: usize = 64;
/// Rows of a tile of no fewer bytes than this are read in place, though there are gaps between them.
const ROW_IN_PLACE: usize = 256;
/// As above, for tiles that lie in the cache: copying their rows is then most of the work.
const ROW_IN_CACHE: usize = 64;
/// Rows of a tile of no more bytes than this are read ahead of their tile.
const SHORT_ROW: usize = 1 << 10;
/// Lines shorter than this are put together to tiles of several.
const SHORT: usize = 256;

/// The tiles of a block whose target is fastest along the last axis.
fn tiling(program: &Program, axes: &[Axis]) -> Tiling {
    let capacity = capacity(program);
    let column_axis = axes.len() - 1;
    let len = axes[column_axis].len;
    let transposed = transposed_axis(program, axes, column_axis);
    if let Some(row_axis) = transposed {
        let (columns, rows) = square(len, axes[row_axis].len, capacity);
        return Tiling { column_axis, columns, row_axis: Some(row_axis), rows };
    }
    lines(axes, column_axis, capacity)
}

/// Tiles of whole lines, or of parts of one.
pub(super) fn lines(axes: &[Axis], column_axis: usize, capacity: usize) -> Tiling {
    let len = axes[column_axis].len;
    let columns = even_part(len, capacity);
    let others = (0..axes.len()).filter(|axis| *axis != column_axis);
    // The neighbour lies closest; it does not help where both are short.
    let row_axis = match others.clone().next_back() {
        Some(next) if len * axes[next].len >= SHORT => Some(next),
        _ => others.max_by_key(|axis| axes[*axis].len),
    };
    match row_axis {
        Some(axis) if len < SHORT => {
            let rows = axes[axis].len.min((capacity / len).max(1));
            Tiling { column_axis, columns, row_axis: Some(axis), rows }
        }
        _ => Tiling { column_axis, columns, row_axis: None, rows: 1 },
    }
}

/// A length of tiles that divides a line into like parts.
pub(super) fn even_part(len: usize, capacity: usize) -> usize {
    if len <= capacity {
        return len;
    }
    len.div_ceil(len.div_ceil(capacity)).next_multiple_of(64).min(capacity)
}

/// The sides of a tile that is read along its rows and written along its columns.
pub(super) fn square(columns: usize, rows: usize, capacity: usize) -> (usize, usize) {
    if rows < SQUARE {
        return (columns.min((capacity / rows).max(1)), rows);
    }
    if columns < SQUARE {
        return (columns, rows.min((capacity / columns).max(1)));
    }
    (LONG_SIDE.min(columns), SQUARE)
}

/// The axis that an operand is fast along where it is not along the columns.
pub(super) fn transposed_axis(program: &Program, axes: &[Axis], columns: usize) -> Option<usize> {
    for (stream, source) in program.sources().iter().enumerate() {
        let Source::Operand(operand) = source else { continue };
        let size = program.inputs()[*operand].size();
        let step = axes[columns].steps[stream].unsigned_abs();
        if step <= size {
            continue;
        }
        let fast = (0..axes.len())
            .filter(|axis| *axis != columns)
            .map(|axis| (axes[axis].steps[stream].unsigned_abs(), axis))
            .filter(|(other, _)| *other > 0 && *other < step)
            .min();
        if let Some((_, axis)) = fast {
            return Some(axis);
        }
    }
    None
}

/// The elements of a tile: as many as fit the first-level cache with all registers.
pub(super) fn capacity(program: &Program) -> usize {
    let read: usize = program.inputs().iter().map(|dtype| dtype.size()).sum();
    let bytes = program.slots().iter().sum::<usize>().saturating_sub(read / 2);
    let fit = (24 << 10) / bytes.max(1);
    (fit / 64 * 64).clamp(256, 4096)
}

/// What a walk moves: the operands that the program reads, its progressions, and more that the
/// caller adds.
pub(super) struct Streams<'a> {
    pub(super) starts: SmallVec<[*const u8; 6]>,
    strides: SmallVec<[Stride<'a>; 6]>,
}

#[derive(Clone, Copy)]
enum Stride<'a> {
    /// By axis.
    Each(&'a [isize]),
    /// One along an axis: the stream is a position.
    Position(usize),
}

impl<'a> Streams<'a> {
    pub(super) fn new(program: &Program, operands: &'a [Operand], origin: &[usize]) -> Self {
        let mut streams = Self { starts: SmallVec::new(), strides: SmallVec::new() };
        streams.read(program, operands, origin, |axis| axis);
        streams
    }

    /// Adds what a program reads. Its axes are walked as those that `walked_as` gives; the strides
    /// of the operands are by axis of the walk already.
    pub(super) fn read(
        &mut self,
        program: &Program,
        operands: &'a [Operand],
        origin: &[usize],
        walked_as: impl Fn(usize) -> usize,
    ) {
        for source in program.sources() {
            match source {
                Source::Operand(operand) => {
                    let operand = &operands[*operand];
                    self.push(operand.start, &operand.strides);
                }
                Source::Iota { axis, .. } => {
                    let position = origin.get(*axis).copied().unwrap_or(0);
                    self.starts.push(std::ptr::without_provenance(position));
                    self.strides.push(Stride::Position(walked_as(*axis)));
                }
            }
        }
    }

    /// Adds a stream with these steps by axis.
    pub(super) fn push(&mut self, start: *const u8, strides: &'a [isize]) {
        self.starts.push(start);
        self.strides.push(Stride::Each(strides));
    }

    /// The axes of a shape, none of them merged.
    pub(super) fn axes(&self, shape: &[usize]) -> Vec<Axis> {
        let steps = |axis: usize| -> Steps {
            self.strides
                .iter()
                .map(|stride| match stride {
                    Stride::Each(strides) => strides[axis],
                    Stride::Position(along) => isize::from(*along == axis),
                })
                .collect()
        };
        let axis =
            |(axis, len): (usize, &usize)| Axis { len: *len, steps: steps(axis), reduced: false };
        shape.iter().enumerate().map(axis).collect()
    }
}

/// The steps of each stream along the axes of a tile.
pub(super) struct TileSteps {
    columns: Steps,
    rows: Steps,
}

impl TileSteps {
    pub(super) fn new(axes: &[Axis], tiling: Tiling) -> Self {
        let columns = axes[tiling.column_axis].steps.clone();
        let rows = match tiling.row_axis {
            Some(axis) => axes[axis].steps.clone(),
            None => SmallVec::from_elem(0, columns.len()),
        };
        Self { columns, rows }
    }

    /// Of these streams.
    pub(super) fn of(columns: &[isize], rows: &[isize]) -> Self {
        Self { columns: columns.into(), rows: rows.into() }
    }

    /// Of one stream.
    pub(super) fn of_one(column: isize, row: isize) -> Self {
        Self { columns: SmallVec::from_elem(column, 1), rows: SmallVec::from_elem(row, 1) }
    }

    /// How a stream's elements of a tile lie.
    pub(super) fn layout(&self, stream: usize, tile: &Tile<'_>) -> Layout {
        Layout {
            column_step: self.columns[stream],
            row_step: self.rows[stream],
            rows: tile.rows,
            columns: tile.columns,
        }
    }
}

/// What was gathered last from a source: it is not gathered again where it stays the same.
type Gathered = Option<(*const u8, usize, usize)>;

/// The registers of a running program.
pub(super) struct Evaluator<'p> {
    program: &'p Program,
    /// Keeps the memory of the slots.
    _scratch: Scratch,
    /// Where the tile of each slot begins in the scratch memory.
    slots: SmallVec<[*mut u8; 8]>,
    /// Where the current tile of each slot begins: in the scratch memory or in an operand.
    registers: SmallVec<[*const u8; 8]>,
    /// Bytes from one row of a tile to the next where a slot's rows are read in an operand, with
    /// gaps between them; zero elsewhere.
    gaps: SmallVec<[isize; 8]>,
    gathered: SmallVec<[Gathered; 4]>,
    /// Whether what the next tiles read is asked for early.
    ahead: bool,
}

impl<'p> Evaluator<'p> {
    /// For tiles of up to `capacity` elements.
    pub(super) fn new(program: &'p Program, capacity: usize) -> Self {
        // A line between registers keeps them from competing for the same sets of the cache.
        let bytes = |size: &usize| (size * capacity).next_multiple_of(64) + 64;
        let scratch = Scratch::new(program.slots().iter().map(bytes).sum());
        let mut slots: SmallVec<[*mut u8; 8]> = SmallVec::new();
        let mut start = scratch.start.as_ptr();
        for size in program.slots() {
            slots.push(start);
            start = start.wrapping_add(bytes(size));
        }
        for (value, slot) in program.constants() {
            // SAFETY: each slot has room for `capacity` elements of its dtype.
            unsafe { load::fill(value, capacity, slots[*slot]) };
        }
        let registers = slots.iter().map(|slot| slot.cast_const()).collect();
        let gaps = SmallVec::from_elem(0, slots.len());
        let gathered = SmallVec::from_elem(None, program.sources().len());
        Self { program, _scratch: scratch, slots, registers, gaps, gathered, ahead: true }
    }

    /// For tiles that lie in the cache: nothing is asked for early.
    pub(super) fn in_cache(self) -> Self {
        Self { ahead: false, ..self }
    }

    /// Evaluates a tile and returns where its elements stand without gaps: at `target` where the
    /// last step could write there.
    ///
    /// # Safety
    /// The tile is one of a walk over the program's streams within their operands, of at most
    /// `capacity` elements. `target`, if given, has room for the tile and is aligned.
    pub(super) unsafe fn run(
        &mut self,
        tile: &Tile<'_>,
        steps: &TileSteps,
        target: Option<*mut u8>,
    ) -> *const u8 {
        let program = self.program;
        let len = tile.rows * tile.columns;
        let all = program.steps().len();
        let mut left = all;
        for step in program.steps() {
            left -= 1;
            // While this tile is computed, the next one comes from memory, a part with each step.
            if tile.rows == 1 && all > 2 && self.ahead {
                let done = all - 1 - left;
                for (source, from) in program.sources().iter().enumerate() {
                    if let Source::Operand(operand) = from {
                        let size = program.inputs()[*operand].size();
                        if steps.columns[source] == size as isize {
                            let bytes = len * size;
                            let (first, last) = (bytes * done / all, bytes * (done + 1) / all);
                            let next = tile.starts[source].wrapping_add(bytes + first);
                            load::prefetch(next, last - first);
                        }
                    }
                }
            }
            match step {
                Step::Load { source, slot } => {
                    // SAFETY: the promise is the same.
                    unsafe { self.load(*source, *slot, tile, steps) };
                }
                Step::Compute { kernel, inputs, slot } => {
                    let mut pointers = [std::ptr::null(); 3];
                    let mut apart = false;
                    for (pointer, input) in pointers.iter_mut().zip(inputs) {
                        *pointer = self.registers[*input];
                        apart |= self.gaps[*input] != 0;
                    }
                    let output = match target {
                        Some(target) if left == 0 && *slot == program.output_slot() => target,
                        _ => self.slots[*slot],
                    };
                    self.registers[*slot] = output;
                    if !apart {
                        // SAFETY: the registers hold `len` elements of the kernel's dtypes,
                        // aligned; the output's slot is none of them, by how slots are given.
                        unsafe { kernel(pointers.as_ptr(), output, len) };
                        continue;
                    }
                    let mut output = output;
                    for _ in 0..tile.rows {
                        // SAFETY: as above, for one row after the other.
                        unsafe { kernel(pointers.as_ptr(), output, tile.columns) };
                        output = output.wrapping_add(tile.columns * program.slots()[*slot]);
                        for (pointer, input) in pointers.iter_mut().zip(inputs) {
                            let row = match self.gaps[*input] {
                                0 => (tile.columns * program.slots()[*input]) as isize,
                                gap => gap,
                            };
                            *pointer = pointer.wrapping_offset(row);
                        }
                    }
                }
            }
        }
        self.registers[program.output_slot()]
    }

    /// # Safety
    /// As for [`run`](Self::run).
    unsafe fn load(&mut self, source: usize, slot: usize, tile: &Tile<'_>, steps: &TileSteps) {
        let start = tile.starts[source];
        let layout = steps.layout(source, tile);
        let size = self.program.slots()[slot];
        if let Source::Operand(operand) = self.program.sources()[source]
            && layout.is_dense(size)
            && load::is_aligned(start, self.program.inputs()[operand])
        {
            self.registers[slot] = start;
            self.gaps[slot] = 0;
            return;
        }
        // Long enough rows are read where they are.
        if let Source::Operand(operand) = self.program.sources()[source]
            && slot != self.program.output_slot()
            && layout.column_step == size as isize
            && layout.columns * size >= if self.ahead { ROW_IN_PLACE } else { ROW_IN_CACHE }
            && load::is_aligned(start, self.program.inputs()[operand])
            && layout.row_step % size.min(8) as isize == 0
            && layout.row_step != 0
        {
            self.registers[slot] = start;
            self.gaps[slot] = layout.row_step;
            // Short rows are parts of longer ones, of which the next tile has the next part: the
            // processor does not see so by itself.
            if self.ahead && layout.columns * size <= SHORT_ROW {
                for row in 0..layout.rows as isize {
                    let end = start.wrapping_offset(row * layout.row_step);
                    load::prefetch(end.wrapping_add(layout.columns * size), layout.columns * size);
                }
            }
            return;
        }
        self.gaps[slot] = 0;
        self.registers[slot] = self.slots[slot];
        let wanted = Some((start, tile.rows, tile.columns));
        if self.gathered[source] == wanted {
            return;
        }
        self.gathered[source] = wanted;
        // SAFETY: the operand can be read at the tile; the slot has room for it.
        unsafe {
            match &self.program.sources()[source] {
                Source::Operand(_) => {
                    load::gather(start, layout, size, self.slots[slot], self.ahead);
                }
                Source::Iota { start: first, step, .. } => {
                    load::count(first, step, start as isize, layout, self.slots[slot]);
                }
            }
        }
    }
}

/// Memory for registers, aligned for vectors and not cleared.
struct Scratch {
    start: NonNull<u8>,
    layout: Allocation,
}

impl Scratch {
    fn new(bytes: usize) -> Self {
        let layout =
            Allocation::from_size_align(bytes.max(64), 64).unwrap_or(Allocation::new::<u128>());
        // SAFETY: the layout is not of zero bytes.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        Self { start, layout }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}
