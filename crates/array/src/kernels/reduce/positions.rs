//! Positions of the smallest and of the largest; the first one where there are several.

use std::marker::PhantomData;

use num_complex::{Complex32, Complex64};

use super::extremes::{Bounded, Extreme};
use super::fold::{Fold, Folding, LANES, Lines, fold_line};
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::kernels::cast::CastFrom;

/// The best element so far and where it is; a negative position where there is none.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Found<W> {
    position: i64,
    value: W,
}

/// A fold to the position of an extreme. States hold elements as `W`, which has no padding beside a
/// position.
struct Position<T, W, const MAX: bool, const NAN: bool>(PhantomData<(T, W)>);

impl<T, W, const MAX: bool, const NAN: bool> Position<T, W, MAX, NAN>
where
    T: Bounded,
    W: Bounded + CastFrom<T>,
{
    #[inline(always)]
    fn better(one: Found<W>, other: Found<W>) -> Found<W> {
        if other.position < 0 {
            return one;
        }
        if one.position < 0 {
            return other;
        }
        let wins = Extreme::<W, MAX, NAN>::beats(other.value, one.value);
        let loses = Extreme::<W, MAX, NAN>::beats(one.value, other.value);
        // What is not a number beats itself: then, and for equals, the first place decides.
        let tie = wins == loses;
        if (tie && other.position < one.position) || (!tie && wins) { other } else { one }
    }
}

impl<T, W, const MAX: bool, const NAN: bool> Fold for Position<T, W, MAX, NAN>
where
    T: Bounded,
    W: Bounded + CastFrom<T>,
{
    type Item = T;
    type State = Found<W>;
    type Out = i64;

    fn begin() -> Found<W> {
        Found { position: -1, value: W::NOTHING }
    }

    #[inline(always)]
    unsafe fn row(line: *const T, len: usize, state: &mut Found<W>, position: isize, step: isize) {
        if len == 0 {
            return;
        }
        // SAFETY: the promise is the same.
        let value = unsafe { fold_line::<Extreme<T, MAX, NAN>>(line, len) };
        let missing = value.is_nan();
        if missing && NAN {
            return;
        }
        let wide = W::cast_from(value);
        if state.position >= 0 {
            let beaten = Extreme::<W, MAX, NAN>::beats(wide, state.value);
            if !beaten && (!wide.equal(state.value) || state.position <= position as i64) {
                return;
            }
        }
        // SAFETY: as promised.
        let items = unsafe { std::slice::from_raw_parts(line, len) };
        let place =
            items.iter().position(|item| if missing { item.is_nan() } else { item.equal(value) });
        let Some(place) = place else { return };
        let found = Found { position: (position + place as isize * step) as i64, value: wide };
        *state = Self::better(*state, found);
    }

    #[inline(always)]
    unsafe fn columns(lines: &Lines, states: *mut Found<W>) {
        let row =
            |row: usize| lines.start.wrapping_offset(row as isize * lines.row_step).cast::<T>();
        let mut column = 0;
        while column < lines.columns {
            let width = LANES.min(lines.columns - column);
            let (mut values, mut places) = ([T::NOTHING; LANES], [0u32; LANES]);
            // SAFETY: the elements belong to the lines, and there is a state for each column.
            unsafe {
                for (offset, value) in values[..width].iter_mut().enumerate() {
                    *value = *row(0).add(column + offset);
                }
                for place in 1..lines.rows {
                    let line = row(place).add(column);
                    if width == LANES {
                        let line = &*line.cast::<[T; LANES]>();
                        for offset in 0..LANES {
                            Self::step(
                                &mut values[offset],
                                &mut places[offset],
                                line[offset],
                                place,
                            );
                        }
                    } else {
                        for offset in 0..width {
                            let item = *line.add(offset);
                            Self::step(&mut values[offset], &mut places[offset], item, place);
                        }
                    }
                }
                for offset in 0..width {
                    if NAN && values[offset].is_nan() {
                        continue;
                    }
                    let state = states.offset((column + offset) as isize * lines.state_step);
                    let position = lines.position
                        + places[offset] as isize * lines.row_position
                        + (column + offset) as isize * lines.column_position;
                    let value = W::cast_from(values[offset]);
                    state.write(Self::better(
                        state.read(),
                        Found { position: position as i64, value },
                    ));
                }
            }
            column += width;
        }
    }

    fn merge(one: Found<W>, other: Found<W>) -> Found<W> {
        Self::better(one, other)
    }

    fn finish(state: Found<W>, count: f64, _ddof: f64) -> Result<i64, ArrayError> {
        if state.position >= 0 {
            Ok(state.position)
        } else if count > 0.0 {
            Err(ArrayError::AllNan)
        } else {
            Err(ArrayError::EmptyReduction { operation: if MAX { "argmax" } else { "argmin" } })
        }
    }
}

impl<T, W, const MAX: bool, const NAN: bool> Position<T, W, MAX, NAN>
where
    T: Bounded,
{
    #[inline(always)]
    fn step(value: &mut T, place: &mut u32, item: T, row: usize) {
        let beaten = Extreme::<T, MAX, NAN>::beats(item, *value) && (NAN || !value.is_nan());
        *value = if beaten { item } else { *value };
        *place = if beaten { row as u32 } else { *place };
    }
}

fn of<T, W, const MAX: bool, const NAN: bool>() -> &'static Folding
where
    T: Bounded,
    W: Bounded + CastFrom<T>,
{
    Folding::of::<Position<T, W, MAX, NAN>>()
}

/// The fold of positions of extremes of a dtype; none for bool and half precision.
pub(super) fn position<const MAX: bool>(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::I8 => of::<i8, i64, MAX, false>(),
        DType::I16 => of::<i16, i64, MAX, false>(),
        DType::I32 => of::<i32, i64, MAX, false>(),
        DType::I64 => of::<i64, i64, MAX, false>(),
        DType::U8 => of::<u8, u64, MAX, false>(),
        DType::U16 => of::<u16, u64, MAX, false>(),
        DType::U32 => of::<u32, u64, MAX, false>(),
        DType::U64 => of::<u64, u64, MAX, false>(),
        DType::F32 => of::<f32, f64, MAX, false>(),
        DType::F64 => of::<f64, f64, MAX, false>(),
        DType::C64 => of::<Complex32, Complex64, MAX, false>(),
        DType::C128 => of::<Complex64, Complex64, MAX, false>(),
        DType::Bool | DType::F16 => return None,
    })
}

/// The same of what is a number, for an inexact dtype.
pub(super) fn nan_position<const MAX: bool>(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::F32 => of::<f32, f64, MAX, true>(),
        DType::F64 => of::<f64, f64, MAX, true>(),
        DType::C64 => of::<Complex32, Complex64, MAX, true>(),
        DType::C128 => of::<Complex64, Complex64, MAX, true>(),
        _ => return None,
    })
}
