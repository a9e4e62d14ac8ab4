//! How the tiles of a walk go into the states of the reductions of a block.

use smallvec::SmallVec;

use super::fold::{self, Lines};
use super::{BEGINNING, Partial, Plan};
use crate::dtype::DType;
use crate::kernels::evaluate::{Evaluator, TileSteps};
use crate::kernels::load;
use crate::kernels::program::Program;
use crate::kernels::walk::{self, Axis, Tile};

/// Evaluates tiles of a block and folds them into its states.
///
/// The streams of a tile are what the program reads, then the states, and then the positions of its
/// elements, if a reduction asks for them.
pub(super) struct TileFolder<'plan> {
    evaluator: Evaluator<'plan>,
    folds: SmallVec<[TileFold<'plan>; 1]>,
    steps: TileSteps,
    sources: usize,
    column: Steps,
    row: Steps,
    dtype: DType,
    /// Whether tiles are folded where they stand in the only operand.
    in_place: bool,
    /// Where the tile before this one began.
    last: *const u8,
}

/// How states and positions move along an axis of a tile.
struct Steps {
    reduced: bool,
    state: isize,
    position: isize,
}

impl Steps {
    fn of(axis: &Axis, sources: usize) -> Self {
        let step = |stream: usize| axis.steps.get(stream).copied().unwrap_or(0);
        Self { reduced: axis.reduced, state: step(sources), position: step(sources + 1) }
    }
}

impl<'plan> TileFolder<'plan> {
    /// For tiles of up to `capacity` elements along these axes; without a row axis they are lines.
    pub(super) fn new(
        program: &'plan Program,
        plans: &'plan [Plan],
        partials: &mut [Partial],
        column: &Axis,
        row: Option<&Axis>,
        capacity: usize,
    ) -> Self {
        let none = Axis { reduced: true, ..Axis::single(column.steps.len()) };
        let row = row.unwrap_or(&none);
        let (sources, dtype) = (program.sources().len(), program.output());
        let folds = plans
            .iter()
            .zip(partials)
            .map(|((after, folding), partial)| TileFold {
                convert: after.as_ref().map(|after| (after, Evaluator::new(after, capacity))),
                states: partial.states.bytes_mut().as_mut_ptr(),
                state_bytes: folding.state_bytes as isize,
                fold: if column.reduced { folding.rows() } else { folding.columns() },
            })
            .collect();
        let in_place =
            program.is_copy_of_input().is_some() && column.steps[0] == dtype.size() as isize;
        Self {
            evaluator: Evaluator::new(program, capacity),
            folds,
            steps: TileSteps::of(&column.steps, &row.steps),
            sources,
            column: Steps::of(column, sources),
            row: Steps::of(row, sources),
            dtype,
            in_place: in_place && row.steps[0] % dtype.size().min(8) as isize == 0,
            last: std::ptr::null(),
        }
    }

    /// For tiles that lie in the cache already.
    pub(super) fn in_cache(self) -> Self {
        Self { evaluator: self.evaluator.in_cache(), ..self }
    }

    /// Folds a tile.
    ///
    /// # Safety
    /// As for [`Evaluator::run`]; the states that the streams lead to are those of the partials.
    pub(super) unsafe fn fold(&mut self, tile: &Tile<'_>) {
        let size = self.dtype.size();
        let (start, between) = if self.in_place && load::is_aligned(tile.starts[0], self.dtype) {
            // The next tile mostly lies as far from this one as this one from the last.
            let start = tile.starts[0];
            let ahead = (start as isize).wrapping_sub(self.last as isize);
            self.last = start;
            if tile.rows == 1 && ahead.unsigned_abs() > tile.columns * size {
                let bytes = (tile.columns * size).min(BEGINNING);
                load::prefetch(start.wrapping_offset(ahead), bytes);
            }
            (start, self.steps.layout(0, tile).row_step)
        } else {
            // SAFETY: the promise is the same.
            let start = unsafe { self.evaluator.run(tile, &self.steps, None) };
            (start, (tile.columns * size) as isize)
        };
        let place = |stream: usize| tile.starts.get(stream).map_or(0, |start| *start as isize);
        let (first, position) = (place(self.sources), place(self.sources + 1));
        let (column, row) = (&self.column, &self.row);
        for one in &mut self.folds {
            // SAFETY: the elements of the tile can be read from `start` on.
            let (start, between) = unsafe { one.converted(start, between, self.dtype, tile) };
            let mut lines = Lines {
                start,
                row_step: between,
                rows: tile.rows,
                columns: tile.columns,
                state_step: 0,
                position,
                row_position: row.position,
                column_position: column.position,
            };
            let state = |index: isize| one.states.wrapping_offset(index * one.state_bytes);
            // SAFETY: the lines are those of the tile; the states that the streams lead to are
            // those of the positions that are kept.
            unsafe {
                if column.reduced {
                    lines.state_step = row.state;
                    (one.fold)(&lines, state(first));
                } else if row.reduced {
                    lines.state_step = column.state;
                    (one.fold)(&lines, state(first));
                } else {
                    lines.state_step = column.state;
                    lines.rows = 1;
                    for place in 0..tile.rows as isize {
                        (one.fold)(&lines, state(first + place * row.state));
                        lines.start = lines.start.wrapping_offset(between);
                        lines.position += lines.row_position;
                    }
                }
            }
        }
    }
}

/// How tiles go into the states of one of several reductions.
struct TileFold<'plan> {
    convert: Option<(&'plan Program, Evaluator<'plan>)>,
    states: *mut u8,
    state_bytes: isize,
    fold: fold::FoldLines,
}

impl TileFold<'_> {
    /// Where the converted elements of a tile begin, and the bytes from one row to the next.
    ///
    /// # Safety
    /// The elements of the tile, of this dtype, can be read from `start` on.
    unsafe fn converted(
        &mut self,
        start: *const u8,
        between: isize,
        dtype: DType,
        tile: &walk::Tile<'_>,
    ) -> (*const u8, isize) {
        let Some((program, evaluator)) = &mut self.convert else { return (start, between) };
        let starts = [start];
        let tile = walk::Tile { starts: &starts, rows: tile.rows, columns: tile.columns };
        let steps = TileSteps::of_one(dtype.size() as isize, between);
        // SAFETY: as promised; the evaluator was made for tiles of this size.
        let start = unsafe { evaluator.run(&tile, &steps, None) };
        (start, (tile.columns * program.output().size()) as isize)
    }
}
