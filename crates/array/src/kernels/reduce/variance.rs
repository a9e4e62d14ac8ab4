//! Variances: the mean and the squared deviations from it, for each tile in two passes, merged by
//! Chan's formula.

use std::marker::PhantomData;
use std::ops::{Add, Mul, Sub};

use num_complex::{Complex32, Complex64};

use super::fold::{Fold, Folding, LANES, Lines};
use crate::dtype::{DType, Element};
use crate::error::ArrayError;
use crate::kernels::operators::Order;

/// Elements that have a variance, which is computed in double precision.
trait Sample: Element + Order {
    type Wide: Copy
        + Default
        + Add<Output = Self::Wide>
        + Sub<Output = Self::Wide>
        + Mul<f64, Output = Self::Wide>
        + 'static;
    fn wide(self) -> Self::Wide;
    fn square(value: Self::Wide) -> f64;
}

macro_rules! samples {
    ($($type:ty => $wide:ty, |$x:ident| $widen:expr, |$y:ident| $square:expr;)*) => {$(
        impl Sample for $type {
            type Wide = $wide;
            #[inline(always)]
            fn wide(self) -> $wide {
                let $x = self;
                $widen
            }
            #[inline(always)]
            fn square($y: $wide) -> f64 {
                $square
            }
        }
    )*};
}

samples! {
    f32 => f64, |x| f64::from(x), |y| y * y;
    f64 => f64, |x| x, |y| y * y;
    Complex32 => Complex64, |x| Complex64::new(x.re.into(), x.im.into()), |y| y.norm_sqr();
    Complex64 => Complex64, |x| x, |y| y.norm_sqr();
}

/// How many elements, their mean and the sum of the squared deviations from it.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Moments<M> {
    count: f64,
    mean: M,
    squares: f64,
}

/// A fold to the variance, of what is a number only where `NAN`.
struct Variance<T, const NAN: bool>(PhantomData<T>);

impl<T: Sample, const NAN: bool> Variance<T, NAN> {
    #[inline(always)]
    fn join(one: Moments<T::Wide>, other: Moments<T::Wide>) -> Moments<T::Wide> {
        if one.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return one;
        }
        let count = one.count + other.count;
        let apart = other.mean - one.mean;
        let share = other.count / count;
        Moments {
            count,
            mean: one.mean + apart * share,
            squares: one.squares + other.squares + T::square(apart) * (one.count * share),
        }
    }

    #[inline(always)]
    fn add(sum: &mut T::Wide, count: &mut f64, item: T) {
        let value = item.wide();
        if NAN {
            let missing = item.is_nan();
            *sum = *sum + if missing { T::Wide::default() } else { value };
            *count += if missing { 0.0 } else { 1.0 };
        } else {
            *sum = *sum + value;
        }
    }

    #[inline(always)]
    fn add_square(squares: &mut f64, mean: T::Wide, item: T) {
        let square = T::square(item.wide() - mean);
        *squares += if NAN && item.is_nan() { 0.0 } else { square };
    }

    #[inline(always)]
    fn moments(count: f64, mean: T::Wide, squares: f64) -> Moments<T::Wide> {
        if NAN && count == 0.0 {
            return Moments { count, mean: T::Wide::default(), squares: 0.0 };
        }
        Moments { count, mean, squares }
    }
}

impl<T: Sample, const NAN: bool> Fold for Variance<T, NAN> {
    type Item = T;
    type State = Moments<T::Wide>;
    type Out = f64;

    fn begin() -> Moments<T::Wide> {
        Moments::default()
    }

    #[inline(always)]
    unsafe fn row(line: *const T, len: usize, state: &mut Self::State, _: isize, _: isize) {
        // SAFETY: as promised.
        let line = unsafe { std::slice::from_raw_parts(line, len) };
        let (whole, rest) = line.as_chunks::<LANES>();
        let mut sums = [T::Wide::default(); LANES];
        let mut counts = [0.0; LANES];
        for chunk in whole {
            for place in 0..LANES {
                Self::add(&mut sums[place], &mut counts[place], chunk[place]);
            }
        }
        let (mut sum, mut count) = (T::Wide::default(), 0.0);
        for item in rest {
            Self::add(&mut sum, &mut count, *item);
        }
        if !whole.is_empty() {
            for place in 0..LANES {
                sum = sum + sums[place];
                count += counts[place];
            }
        }
        if !NAN {
            count = len as f64;
        }
        let mean = sum * (1.0 / count);
        let mut lanes = [0.0; LANES];
        for chunk in whole {
            for place in 0..LANES {
                Self::add_square(&mut lanes[place], mean, chunk[place]);
            }
        }
        let mut squares = 0.0;
        for item in rest {
            Self::add_square(&mut squares, mean, *item);
        }
        if !whole.is_empty() {
            squares += lanes.iter().sum::<f64>();
        }
        *state = Self::join(*state, Self::moments(count, mean, squares));
    }

    #[inline(always)]
    unsafe fn columns(lines: &Lines, states: *mut Self::State) {
        let row =
            |row: usize| lines.start.wrapping_offset(row as isize * lines.row_step).cast::<T>();
        let settle = |column: usize, moments: Moments<T::Wide>| {
            // SAFETY: there is a state for each column.
            unsafe {
                let state = states.offset(column as isize * lines.state_step);
                state.write(Self::join(state.read(), moments));
            }
        };
        let mut column = 0;
        while column + LANES <= lines.columns {
            let mut sums = [T::Wide::default(); LANES];
            let mut counts = [if NAN { 0.0 } else { lines.rows as f64 }; LANES];
            for place in 0..lines.rows {
                // SAFETY: the columns of this row can be read.
                let chunk = unsafe { &*row(place).add(column).cast::<[T; LANES]>() };
                for lane in 0..LANES {
                    Self::add(&mut sums[lane], &mut counts[lane], chunk[lane]);
                }
            }
            let mut squares = [0.0; LANES];
            for lane in 0..LANES {
                sums[lane] = sums[lane] * (1.0 / counts[lane]);
            }
            for place in 0..lines.rows {
                // SAFETY: the columns of this row can be read.
                let chunk = unsafe { &*row(place).add(column).cast::<[T; LANES]>() };
                for lane in 0..LANES {
                    Self::add_square(&mut squares[lane], sums[lane], chunk[lane]);
                }
            }
            for lane in 0..LANES {
                settle(column + lane, Self::moments(counts[lane], sums[lane], squares[lane]));
            }
            column += LANES;
        }
        for column in column..lines.columns {
            let (mut sum, mut count) = (T::Wide::default(), 0.0);
            let mut squares = 0.0;
            // SAFETY: the elements belong to the lines.
            unsafe {
                for place in 0..lines.rows {
                    Self::add(&mut sum, &mut count, *row(place).add(column));
                }
                if !NAN {
                    count = lines.rows as f64;
                }
                let mean = sum * (1.0 / count);
                for place in 0..lines.rows {
                    Self::add_square(&mut squares, mean, *row(place).add(column));
                }
                settle(column, Self::moments(count, mean, squares));
            }
        }
    }

    fn merge(one: Self::State, other: Self::State) -> Self::State {
        Self::join(one, other)
    }

    fn finish(state: Self::State, _count: f64, ddof: f64) -> Result<f64, ArrayError> {
        // As NumPy: too few elements divide by nothing; without any number there is no variance.
        let divisor = state.count - ddof;
        Ok(if NAN && divisor <= 0.0 { f64::NAN } else { state.squares / divisor.max(0.0) })
    }
}

/// The fold of variances of an inexact dtype; none for half precision.
pub(super) fn variance<const NAN: bool>(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::F32 => Folding::of::<Variance<f32, NAN>>(),
        DType::F64 => Folding::of::<Variance<f64, NAN>>(),
        DType::C64 => Folding::of::<Variance<Complex32, NAN>>(),
        DType::C128 => Folding::of::<Variance<Complex64, NAN>>(),
        _ => return None,
    })
}
