//! The order in which a block is visited: axes merged where that is possible, tiles of two axes.

use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

/// Steps along one axis, one for each stream that is walked.
pub(super) type Steps = SmallVec<[isize; 6]>;

/// One axis of a walk.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) steps: Steps,
    /// Whether it is folded away; only alike axes merge.
    pub(super) reduced: bool,
}

impl Axis {
    /// Of one element.
    pub(super) fn single(streams: usize) -> Self {
        Self { len: 1, steps: SmallVec::from_elem(0, streams), reduced: false }
    }
}

/// Merges neighbours, from slowest to fastest, that lie end to end for every stream. Axes of one
/// element go; at least one axis remains.
pub(super) fn merge(axes: Vec<Axis>, streams: usize) -> Vec<Axis> {
    let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes {
        if axis.len == 1 {
            continue;
        }
        if let Some(last) = merged.last_mut()
            && last.reduced == axis.reduced
            && last
                .steps
                .iter()
                .zip(&axis.steps)
                .all(|(outer, inner)| *outer == inner.wrapping_mul(axis.len as isize))
        {
            let len = last.len * axis.len;
            *last = Axis { len, ..axis };
            continue;
        }
        merged.push(axis);
    }
    if merged.is_empty() {
        merged.push(Axis::single(streams));
    }
    merged
}

/// The axes that a tile spans: columns are its fast axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    pub(super) column_axis: usize,
    pub(super) columns: usize,
    /// No axis where a tile is one line.
    pub(super) row_axis: Option<usize>,
    pub(super) rows: usize,
}

/// What a tile is like.
pub(super) struct Tile<'a> {
    /// Where each stream stands at the tile's first element.
    pub(super) starts: &'a [*const u8],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Visits all tiles of axes that all have elements; stops where `cancelled` is set.
pub(super) fn each_tile(
    axes: &[Axis],
    tiling: Tiling,
    starts: &[*const u8],
    cancelled: &AtomicBool,
    visit: &mut impl FnMut(&Tile<'_>),
) {
    let mut blocks: SmallVec<[usize; 6]> = SmallVec::from_elem(1, axes.len());
    blocks[tiling.column_axis] = tiling.columns;
    if let Some(axis) = tiling.row_axis {
        blocks[axis] = tiling.rows;
    }
    // Columns go fastest, then rows, then the other axes from the last to the first.
    let mut order: SmallVec<[usize; 6]> = SmallVec::new();
    order.extend((0..axes.len()).filter(|axis| *axis != tiling.column_axis));
    order.push(tiling.column_axis);
    let mut positions: SmallVec<[usize; 6]> = SmallVec::from_elem(0, axes.len());
    let mut starts: SmallVec<[*const u8; 6]> = starts.iter().copied().collect();
    while !cancelled.load(Ordering::Relaxed) {
        let extent = |axis: usize| blocks[axis].min(axes[axis].len - positions[axis]);
        let rows = tiling.row_axis.map_or(1, extent);
        visit(&Tile { starts: &starts, rows, columns: extent(tiling.column_axis) });
        let mut place = order.len();
        loop {
            if place == 0 {
                return;
            }
            place -= 1;
            let axis = order[place];
            let block = blocks[axis];
            positions[axis] += block;
            let done = positions[axis] >= axes[axis].len;
            let moved =
                if done { block as isize - positions[axis] as isize } else { block as isize };
            for (start, step) in starts.iter_mut().zip(&axes[axis].steps) {
                *start = start.wrapping_offset(step.wrapping_mul(moved));
            }
            if !done {
                break;
            }
            positions[axis] = 0;
        }
    }
}
