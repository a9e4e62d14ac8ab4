//! Folds: how the elements of a tile become states, one for each position that is kept.

use crate::dtype::{DType, Element};
use crate::error::ArrayError;
use crate::kernels::loops::Level;

/// Elements of a tile, columns without gaps.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub(super) start: *const u8,
    /// Bytes from one row to the next.
    pub(super) row_step: isize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// States from one row or column to the next, whichever is kept.
    pub(super) state_step: isize,
    /// The position of the first element, and how it grows along rows and columns.
    pub(super) position: isize,
    pub(super) row_position: isize,
    pub(super) column_position: isize,
}

/// A fold of elements into states.
///
/// A state has no padding and is plain data whose bytes can be written to a file and read back.
pub(super) trait Fold: 'static {
    type Item: Element;
    type State: Copy;
    type Out: Element;

    /// The state of no elements.
    fn begin() -> Self::State;

    /// Folds a line into one state.
    ///
    /// # Safety
    /// `len` elements can be read at `line`, which is aligned.
    unsafe fn row(
        line: *const Self::Item,
        len: usize,
        state: &mut Self::State,
        position: isize,
        step: isize,
    );

    /// Folds the rows of each column into the column's state.
    ///
    /// # Safety
    /// The elements of the lines can be read and are aligned; there is a state for each column.
    unsafe fn columns(lines: &Lines, states: *mut Self::State);

    /// The state of the elements of both.
    fn merge(one: Self::State, other: Self::State) -> Self::State;

    /// The result for `count` elements.
    fn finish(state: Self::State, count: f64, ddof: f64) -> Result<Self::Out, ArrayError>;
}

/// Folds the lines of a tile into states.
pub(super) type FoldLines = unsafe fn(&Lines, *mut u8);

/// A fold whose types are forgotten.
pub(super) struct Folding {
    pub(super) state_bytes: usize,
    pub(super) natural: DType,
    pub(super) begin: unsafe fn(*mut u8, usize),
    pub(super) merge: unsafe fn(*mut u8, *const u8, usize),
    pub(super) finish: unsafe fn(*const u8, usize, *mut u8, f64, f64) -> Result<(), ArrayError>,
    rows: [FoldLines; 2],
    columns: [FoldLines; 2],
}

impl Folding {
    /// Folds each row into a state.
    pub(super) fn rows(&self) -> FoldLines {
        self.rows[level()]
    }

    /// Folds each column into a state.
    pub(super) fn columns(&self) -> FoldLines {
        self.columns[level()]
    }

    pub(super) fn of<F: Fold>() -> &'static Self {
        const { &Forget::<F>::FOLDING }
    }
}

/// Folds wait for memory more than for vectors, so the widest have no variant.
fn level() -> usize {
    usize::from(Level::best() != Level::Baseline)
}

struct Forget<F>(std::marker::PhantomData<F>);

impl<F: Fold> Forget<F> {
    #[cfg(target_arch = "x86_64")]
    const FOLDING: Folding = Folding {
        state_bytes: size_of::<F::State>(),
        natural: <F::Out as Element>::DTYPE,
        begin: begin::<F>,
        merge: merge::<F>,
        finish: finish::<F>,
        rows: [rows_baseline::<F>, rows_avx2::<F>],
        columns: [columns_baseline::<F>, columns_avx2::<F>],
    };
    #[cfg(not(target_arch = "x86_64"))]
    const FOLDING: Folding = Folding {
        state_bytes: size_of::<F::State>(),
        natural: <F::Out as Element>::DTYPE,
        begin: begin::<F>,
        merge: merge::<F>,
        finish: finish::<F>,
        rows: [rows_baseline::<F>; 2],
        columns: [columns_baseline::<F>; 2],
    };
}

/// # Safety
/// There is room for `len` states.
unsafe fn begin<F: Fold>(states: *mut u8, len: usize) {
    for place in 0..len {
        // SAFETY: as promised; buffers are aligned for all states.
        unsafe { states.cast::<F::State>().add(place).write(F::begin()) };
    }
}

/// # Safety
/// There are `len` states of this fold on both sides.
unsafe fn merge<F: Fold>(states: *mut u8, others: *const u8, len: usize) {
    for place in 0..len {
        // SAFETY: as promised.
        unsafe {
            let state = states.cast::<F::State>().add(place);
            state.write(F::merge(state.read(), others.cast::<F::State>().add(place).read()));
        }
    }
}

/// # Safety
/// There are `len` states of this fold, and room for as many results.
unsafe fn finish<F: Fold>(
    states: *const u8,
    len: usize,
    out: *mut u8,
    count: f64,
    ddof: f64,
) -> Result<(), ArrayError> {
    for place in 0..len {
        // SAFETY: as promised.
        unsafe {
            let result = F::finish(states.cast::<F::State>().add(place).read(), count, ddof)?;
            out.cast::<F::Out>().add(place).write(result);
        }
    }
    Ok(())
}

/// # Safety
/// As for [`Fold::row`], for each row of the lines and its state.
#[inline(always)]
unsafe fn rows_loop<F: Fold>(lines: &Lines, states: *mut u8) {
    for row in 0..lines.rows as isize {
        let line = lines.start.wrapping_offset(row * lines.row_step).cast::<F::Item>();
        let position = lines.position + row * lines.row_position;
        // SAFETY: as promised.
        unsafe {
            let state = &mut *states.cast::<F::State>().offset(row * lines.state_step);
            F::row(line, lines.columns, state, position, lines.column_position);
        }
    }
}

/// # Safety
/// As for [`Fold::columns`].
#[inline(always)]
unsafe fn columns_loop<F: Fold>(lines: &Lines, states: *mut u8) {
    // SAFETY: the promise is the same.
    unsafe { F::columns(lines, states.cast()) };
}

macro_rules! widths {
    ($body:ident, $baseline:ident, $avx2:ident) => {
        /// # Safety
        /// As for the loop.
        unsafe fn $baseline<F: Fold>(lines: &Lines, states: *mut u8) {
            // SAFETY: the promise is the same.
            unsafe { $body::<F>(lines, states) }
        }

        /// # Safety
        /// As for the loop, on a processor that has these instructions.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        unsafe fn $avx2<F: Fold>(lines: &Lines, states: *mut u8) {
            // SAFETY: the promise is the same.
            unsafe { $body::<F>(lines, states) }
        }
    };
}

widths! { rows_loop, rows_baseline, rows_avx2 }
widths! { columns_loop, columns_baseline, columns_avx2 }

/// How many elements are folded side by side: a few vectors, so that additions overlap.
pub(super) const LANES: usize = 32;

/// A fold by lanes that need not know where they are.
pub(super) trait Lane: 'static {
    type Item: Element;
    /// What is folded within a tile.
    type Lane: Copy;
    /// What is kept between tiles.
    type State: Copy;
    type Out: Element;

    fn lane() -> Self::Lane;
    fn absorb(lane: Self::Lane, item: Self::Item) -> Self::Lane;
    fn join(one: Self::Lane, other: Self::Lane) -> Self::Lane;
    fn begin() -> Self::State;
    fn settle(state: Self::State, lane: Self::Lane) -> Self::State;
    fn merge(one: Self::State, other: Self::State) -> Self::State;
    fn finish(state: Self::State, count: f64) -> Result<Self::Out, ArrayError>;
}

/// One lane of a line.
///
/// # Safety
/// `len` elements can be read at `line`, which is aligned.
#[inline(always)]
pub(super) unsafe fn fold_line<L: Lane>(line: *const L::Item, len: usize) -> L::Lane {
    // SAFETY: as promised.
    let line = unsafe { std::slice::from_raw_parts(line, len) };
    if len < LANES {
        return line.iter().fold(L::lane(), |lane, item| L::absorb(lane, *item));
    }
    let mut lanes = [L::lane(); LANES];
    let (whole, rest) = line.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, item) in lanes.iter_mut().zip(chunk) {
            *lane = L::absorb(*lane, *item);
        }
    }
    for (lane, item) in lanes.iter_mut().zip(rest) {
        *lane = L::absorb(*lane, *item);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for place in 0..width {
            lanes[place] = L::join(lanes[place], lanes[place + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Calls `settle` with a lane for each column.
///
/// # Safety
/// As for [`Fold::columns`].
#[inline(always)]
pub(super) unsafe fn fold_columns<L: Lane>(lines: &Lines, settle: impl FnMut(usize, L::Lane)) {
    // A few vectors: more lanes than registers are no vectors at all, as they are compiled.
    // SAFETY: the promise is the same.
    unsafe {
        if size_of::<L::Lane>() < 4 {
            fold_stripes::<L, 64>(lines, settle);
        } else {
            fold_stripes::<L, 16>(lines, settle);
        }
    }
}

/// As [`fold_columns`], so many columns at once.
///
/// # Safety
/// As for [`Fold::columns`].
#[inline(always)]
unsafe fn fold_stripes<L: Lane, const WIDTH: usize>(
    lines: &Lines,
    mut settle: impl FnMut(usize, L::Lane),
) {
    let row =
        |row: usize| lines.start.wrapping_offset(row as isize * lines.row_step).cast::<L::Item>();
    let mut column = 0;
    while column + WIDTH <= lines.columns {
        let mut lanes = [L::lane(); WIDTH];
        for place in 0..lines.rows {
            // SAFETY: the columns of this row can be read.
            let chunk = unsafe { &*row(place).add(column).cast::<[L::Item; WIDTH]>() };
            for (lane, item) in lanes.iter_mut().zip(chunk) {
                *lane = L::absorb(*lane, *item);
            }
        }
        for (offset, lane) in lanes.iter().enumerate() {
            settle(column + offset, *lane);
        }
        column += WIDTH;
    }
    // Few columns: several rows side by side, since one addition waits for the one before it.
    for column in column..lines.columns {
        let mut lanes = [L::lane(); 4];
        let mut place = 0;
        while place + 4 <= lines.rows {
            for (offset, lane) in lanes.iter_mut().enumerate() {
                // SAFETY: the element belongs to the lines.
                *lane = L::absorb(*lane, unsafe { *row(place + offset).add(column) });
            }
            place += 4;
        }
        for place in place..lines.rows {
            // SAFETY: the element belongs to the lines.
            lanes[0] = L::absorb(lanes[0], unsafe { *row(place).add(column) });
        }
        settle(column, L::join(L::join(lanes[0], lanes[1]), L::join(lanes[2], lanes[3])));
    }
}

/// A lane as a fold.
pub(super) struct Laned<L>(std::marker::PhantomData<L>);

impl<L: Lane> Fold for Laned<L> {
    type Item = L::Item;
    type State = L::State;
    type Out = L::Out;

    fn begin() -> L::State {
        L::begin()
    }

    #[inline(always)]
    unsafe fn row(line: *const L::Item, len: usize, state: &mut L::State, _: isize, _: isize) {
        // SAFETY: the promise is the same.
        *state = L::settle(*state, unsafe { fold_line::<L>(line, len) });
    }

    #[inline(always)]
    unsafe fn columns(lines: &Lines, states: *mut L::State) {
        let settle = |column: usize, lane: L::Lane| {
            // SAFETY: there is a state for each column.
            unsafe {
                let state = states.offset(column as isize * lines.state_step);
                state.write(L::settle(state.read(), lane));
            }
        };
        // SAFETY: the promise is the same.
        unsafe { fold_columns::<L>(lines, settle) };
    }

    fn merge(one: L::State, other: L::State) -> L::State {
        L::merge(one, other)
    }

    fn finish(state: L::State, count: f64, _ddof: f64) -> Result<L::Out, ArrayError> {
        L::finish(state, count)
    }
}
