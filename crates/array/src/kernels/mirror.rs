//! Blocks at both sides of a diagonal, visited together.
//!
//! A program may read an array both plainly and with two axes swapped. What it reads for one block
//! is then what it reads for the block at the mirrored place, the other way round. Where both are
//! computed tile by tile in turns, the second of each pair of tiles finds all in the cache.

use std::sync::atomic::AtomicBool;

use smallvec::SmallVec;

use crate::kernels::evaluate::{Operand, Streams, TileSteps, Writer};
use crate::kernels::program::Program;
use crate::kernels::walk::{self, Axis, Tile, Tiling};

/// A block of elements that a program computes.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// What the program reads.
    pub operands: &'a [Operand],
    /// The lengths of the block.
    pub shape: &'a [usize],
    /// Its position in the whole array.
    pub origin: &'a [usize],
}

/// Two axes that are swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    axes: [usize; 2],
}

impl Mirror {
    /// Of two different axes.
    pub fn new(one: usize, other: usize) -> Self {
        Self { axes: [one.min(other), one.max(other)] }
    }

    /// The axes, in their order.
    pub fn axes(self) -> [usize; 2] {
        self.axes
    }

    /// The axis that takes the place of one.
    pub(crate) fn of(self, axis: usize) -> usize {
        let [one, other] = self.axes;
        match axis {
            axis if axis == one => other,
            axis if axis == other => one,
            axis => axis,
        }
    }

    /// What is given by axis, by axis of the mirror image.
    pub(crate) fn swapped<T: Copy>(self, by_axis: &[T]) -> SmallVec<[T; 4]> {
        (0..by_axis.len()).map(|axis| by_axis[self.of(axis)]).collect()
    }

    pub(super) fn swapped_operands(self, operands: &[Operand]) -> SmallVec<[Operand; 4]> {
        operands
            .iter()
            .map(|operand| Operand {
                start: operand.start,
                strides: self.swapped(&operand.strides),
            })
            .collect()
    }

    /// The walk over a block whose axes these are. Each of them has `each` streams of the block, and
    /// then as many of its mirror image.
    pub(super) fn walk(
        self,
        program: &Program,
        mut axes: Vec<Axis>,
        each: usize,
        reduced: &[bool],
    ) -> MirrorWalk {
        let sources = program.sources().len();
        let span = |axis: &Axis| -> usize {
            axis.steps[..sources]
                .iter()
                .fold(0, |sum, step| sum.saturating_add(step.unsigned_abs()))
        };
        let [one, other] = self.axes;
        let column = if span(&axes[one]) < span(&axes[other]) { one } else { other };
        let row = self.of(column);
        let reduced = |axis: usize| reduced.get(axis).copied().unwrap_or(false);
        let sides = [reduced(column), reduced(row)];
        let (column, row) = (axes[column].clone(), axes[row].clone());
        // From the last to the first, so that the places of those to come stay the same.
        axes.remove(other);
        axes.remove(one);
        axes.sort_by_key(|axis| std::cmp::Reverse(span(axis)));
        axes.extend([row, column]);
        let last = axes.len() - 1;
        let tiling = Tiling {
            column_axis: last,
            columns: axes[last].len.min(COLUMNS),
            row_axis: Some(last - 1),
            rows: axes[last - 1].len.min(ROWS),
        };
        MirrorWalk { axes, tiling, each, reduced: sides }
    }
}

/// The sides of a tile: its lines are whole lines of the cache, and a pair of tiles of eight bytes
/// an element fits into the first level, with what is made of it.
const COLUMNS: usize = 64;
const ROWS: usize = 16;

/// A walk over a block and its mirror image.
pub(super) struct MirrorWalk {
    /// The two axes that are swapped are the last ones, columns after rows.
    axes: Vec<Axis>,
    tiling: Tiling,
    each: usize,
    /// Whether columns and rows are folded away, in the block as in the image, whose own columns
    /// are along the rows of the walk.
    reduced: [bool; 2],
}

impl MirrorWalk {
    /// The most elements of a tile.
    pub(super) fn capacity(&self) -> usize {
        self.tiling.rows * self.tiling.columns
    }

    /// The columns and the rows of the tiles of the block, or of its image.
    pub(super) fn sides(&self, side: usize) -> [Axis; 2] {
        let last = self.axes.len() - 1;
        let streams = side * self.each..(side + 1) * self.each;
        let places = if side == 0 { [last, last - 1] } else { [last - 1, last] };
        let [column_reduced, row_reduced] = self.reduced;
        let [column, row] = places.map(|place| &self.axes[place]);
        let part = |axis: &Axis, reduced: bool| Axis {
            len: axis.len,
            steps: axis.steps[streams.clone()].into(),
            reduced,
        };
        [part(column, column_reduced), part(row, row_reduced)]
    }

    /// Visits the pairs of tiles; stops where `cancelled` is set.
    pub(super) fn each_tile(
        &self,
        starts: &[*const u8],
        cancelled: &AtomicBool,
        visit: &mut impl FnMut([Tile<'_>; 2]),
    ) {
        walk::each_tile(&self.axes, self.tiling, starts, cancelled, &mut |tile| {
            let (block, image) = tile.starts.split_at(self.each);
            let Tile { rows, columns, .. } = *tile;
            visit([
                Tile { starts: block, rows, columns },
                Tile { starts: image, rows: columns, columns: rows },
            ]);
        });
    }
}

/// Writes the program's results for a block and for its mirror image to their targets, which have
/// the same strides, as [`evaluate`](super::evaluate::evaluate) does for one. The image is of the
/// same shape with two axes swapped.
///
/// # Safety
/// As for [`evaluate`](super::evaluate::evaluate), for both.
pub unsafe fn evaluate_both(
    program: &Program,
    both: [Block<'_>; 2],
    mirror: Mirror,
    targets: [*mut u8; 2],
    strides: &[isize],
    cancelled: &AtomicBool,
) {
    let [block, image] = both;
    if block.shape.contains(&0) {
        return;
    }
    let swapped = mirror.swapped_operands(image.operands);
    let swapped_strides = mirror.swapped(strides);
    let mut streams = Streams::new(program, block.operands, block.origin);
    streams.push(targets[0], strides);
    let each = streams.starts.len();
    streams.read(program, &swapped, image.origin, |axis| mirror.of(axis));
    streams.push(targets[1], &swapped_strides);
    let walk = mirror.walk(program, streams.axes(block.shape), each, &[]);
    let [mut writer, image_writer] = [0, 1].map(|side| {
        let [column, row] = walk.sides(side);
        Writer::of_steps(program, TileSteps::of(&column.steps, &row.steps), walk.capacity())
    });
    let mut image_writer = image_writer.in_cache();
    walk.each_tile(&streams.starts, cancelled, &mut |[tile, image_tile]| {
        // SAFETY: the tiles lie within the blocks; the targets are not read, and written where the
        // caller allows it.
        unsafe {
            writer.write(&tile);
            image_writer.write(&image_tile);
        }
    });
}
