//! Sums, products, counts and means. Floats are summed in double precision, lane by lane within a
//! tile and with the rounding errors kept between tiles.

use std::marker::PhantomData;

use num_complex::{Complex32, Complex64};

use super::fold::{Folding, Lane, Laned};
use crate::dtype::{Bool, DType, Element};
use crate::error::ArrayError;
use crate::kernels::cast::CastFrom;

/// A sum and what rounding has lost of it.
type Exact = [f64; 2];

#[inline(always)]
fn add_exactly(sum: Exact, value: f64) -> Exact {
    let total = sum[0] + value;
    let shadow = total - sum[0];
    let lost = (sum[0] - (total - shadow)) + (value - shadow);
    [total, sum[1] + lost]
}

/// Infinite sums have lost nothing that could be told.
#[inline(always)]
fn total(sum: Exact) -> f64 {
    if sum[0].is_finite() { sum[0] + sum[1] } else { sum[0] }
}

/// Sums of integers, which wrap.
struct IntegerSum<T, W>(PhantomData<(T, W)>);
/// Products of integers, which wrap.
struct IntegerProduct<T, W>(PhantomData<(T, W)>);

macro_rules! integers {
    ($($wide:ty)*) => {$(
        impl<T: Element> Lane for IntegerSum<T, $wide>
        where
            $wide: CastFrom<T>,
        {
            type Item = T;
            type Lane = $wide;
            type State = $wide;
            type Out = $wide;
            #[inline(always)]
            fn lane() -> $wide {
                0
            }
            #[inline(always)]
            fn absorb(lane: $wide, item: T) -> $wide {
                lane.wrapping_add(<$wide>::cast_from(item))
            }
            #[inline(always)]
            fn join(one: $wide, other: $wide) -> $wide {
                one.wrapping_add(other)
            }
            #[inline(always)]
            fn begin() -> $wide {
                0
            }
            #[inline(always)]
            fn settle(state: $wide, lane: $wide) -> $wide {
                state.wrapping_add(lane)
            }
            fn merge(one: $wide, other: $wide) -> $wide {
                one.wrapping_add(other)
            }
            fn finish(state: $wide, _count: f64) -> Result<$wide, ArrayError> {
                Ok(state)
            }
        }

        impl<T: Element> Lane for IntegerProduct<T, $wide>
        where
            $wide: CastFrom<T>,
        {
            type Item = T;
            type Lane = $wide;
            type State = $wide;
            type Out = $wide;
            #[inline(always)]
            fn lane() -> $wide {
                1
            }
            #[inline(always)]
            fn absorb(lane: $wide, item: T) -> $wide {
                lane.wrapping_mul(<$wide>::cast_from(item))
            }
            #[inline(always)]
            fn join(one: $wide, other: $wide) -> $wide {
                one.wrapping_mul(other)
            }
            #[inline(always)]
            fn begin() -> $wide {
                1
            }
            #[inline(always)]
            fn settle(state: $wide, lane: $wide) -> $wide {
                state.wrapping_mul(lane)
            }
            fn merge(one: $wide, other: $wide) -> $wide {
                one.wrapping_mul(other)
            }
            fn finish(state: $wide, _count: f64) -> Result<$wide, ArrayError> {
                Ok(state)
            }
        }
    )*};
}

integers! { i64 u64 }

/// Sums of real numbers; divided by their number where `MEAN`.
struct RealSum<T, const MEAN: bool>(PhantomData<T>);

impl<T: Element, const MEAN: bool> Lane for RealSum<T, MEAN>
where
    f64: CastFrom<T>,
{
    type Item = T;
    type Lane = f64;
    type State = Exact;
    type Out = f64;
    #[inline(always)]
    fn lane() -> f64 {
        -0.0
    }
    #[inline(always)]
    fn absorb(lane: f64, item: T) -> f64 {
        lane + f64::cast_from(item)
    }
    #[inline(always)]
    fn join(one: f64, other: f64) -> f64 {
        one + other
    }
    #[inline(always)]
    fn begin() -> Exact {
        [0.0; 2]
    }
    #[inline(always)]
    fn settle(state: Exact, lane: f64) -> Exact {
        add_exactly(state, lane)
    }
    fn merge(one: Exact, other: Exact) -> Exact {
        let sum = add_exactly(one, other[0]);
        [sum[0], sum[1] + other[1]]
    }
    fn finish(state: Exact, count: f64) -> Result<f64, ArrayError> {
        Ok(if MEAN { total(state) / count } else { total(state) })
    }
}

/// Means of what is a number.
struct NanMean<T>(PhantomData<T>);

impl<T: Element> Lane for NanMean<T>
where
    f64: CastFrom<T>,
{
    type Item = T;
    type Lane = [f64; 2];
    type State = [f64; 3];
    type Out = f64;
    #[inline(always)]
    fn lane() -> [f64; 2] {
        [-0.0, 0.0]
    }
    #[inline(always)]
    fn absorb(lane: [f64; 2], item: T) -> [f64; 2] {
        let value = f64::cast_from(item);
        let missing = value.is_nan();
        [lane[0] + if missing { -0.0 } else { value }, lane[1] + if missing { 0.0 } else { 1.0 }]
    }
    #[inline(always)]
    fn join(one: [f64; 2], other: [f64; 2]) -> [f64; 2] {
        [one[0] + other[0], one[1] + other[1]]
    }
    #[inline(always)]
    fn begin() -> [f64; 3] {
        [0.0; 3]
    }
    #[inline(always)]
    fn settle(state: [f64; 3], lane: [f64; 2]) -> [f64; 3] {
        let sum = add_exactly([state[0], state[1]], lane[0]);
        [sum[0], sum[1], state[2] + lane[1]]
    }
    fn merge(one: [f64; 3], other: [f64; 3]) -> [f64; 3] {
        let sum = add_exactly([one[0], one[1]], other[0]);
        [sum[0], sum[1] + other[1], one[2] + other[2]]
    }
    fn finish(state: [f64; 3], _count: f64) -> Result<f64, ArrayError> {
        Ok(total([state[0], state[1]]) / state[2])
    }
}

/// Sums of complex numbers: both parts and their losses, then the number of elements that were
/// not left out.
struct ComplexSum<T, const MEAN: bool, const NAN: bool>(PhantomData<T>);

impl<T: Element, const MEAN: bool, const NAN: bool> Lane for ComplexSum<T, MEAN, NAN>
where
    Complex64: CastFrom<T>,
{
    type Item = T;
    type Lane = [f64; 3];
    type State = [f64; 5];
    type Out = Complex64;
    #[inline(always)]
    fn lane() -> [f64; 3] {
        [-0.0, -0.0, 0.0]
    }
    #[inline(always)]
    fn absorb(lane: [f64; 3], item: T) -> [f64; 3] {
        let value = Complex64::cast_from(item);
        if NAN && (value.re.is_nan() || value.im.is_nan()) {
            return lane;
        }
        [lane[0] + value.re, lane[1] + value.im, lane[2] + 1.0]
    }
    #[inline(always)]
    fn join(one: [f64; 3], other: [f64; 3]) -> [f64; 3] {
        [one[0] + other[0], one[1] + other[1], one[2] + other[2]]
    }
    #[inline(always)]
    fn begin() -> [f64; 5] {
        [0.0; 5]
    }
    #[inline(always)]
    fn settle(state: [f64; 5], lane: [f64; 3]) -> [f64; 5] {
        let re = add_exactly([state[0], state[1]], lane[0]);
        let im = add_exactly([state[2], state[3]], lane[1]);
        [re[0], re[1], im[0], im[1], state[4] + lane[2]]
    }
    fn merge(one: [f64; 5], other: [f64; 5]) -> [f64; 5] {
        let re = add_exactly([one[0], one[1]], other[0]);
        let im = add_exactly([one[2], one[3]], other[2]);
        [re[0], re[1] + other[1], im[0], im[1] + other[3], one[4] + other[4]]
    }
    fn finish(state: [f64; 5], _count: f64) -> Result<Complex64, ArrayError> {
        let sum = Complex64::new(total([state[0], state[1]]), total([state[2], state[3]]));
        Ok(if MEAN { Complex64::new(sum.re / state[4], sum.im / state[4]) } else { sum })
    }
}

/// Products of inexact numbers.
struct Product<T, W>(PhantomData<(T, W)>);

macro_rules! products {
    ($($wide:ty, $one:expr;)*) => {$(
        impl<T: Element> Lane for Product<T, $wide>
        where
            $wide: CastFrom<T>,
        {
            type Item = T;
            type Lane = $wide;
            type State = $wide;
            type Out = $wide;
            #[inline(always)]
            fn lane() -> $wide {
                $one
            }
            #[inline(always)]
            fn absorb(lane: $wide, item: T) -> $wide {
                lane * <$wide>::cast_from(item)
            }
            #[inline(always)]
            fn join(one: $wide, other: $wide) -> $wide {
                one * other
            }
            #[inline(always)]
            fn begin() -> $wide {
                $one
            }
            #[inline(always)]
            fn settle(state: $wide, lane: $wide) -> $wide {
                state * lane
            }
            fn merge(one: $wide, other: $wide) -> $wide {
                one * other
            }
            fn finish(state: $wide, _count: f64) -> Result<$wide, ArrayError> {
                Ok(state)
            }
        }
    )*};
}

products! {
    f64, 1.0;
    Complex64, Complex64::new(1.0, 0.0);
}

/// The fold of sums of a dtype; none for half precision.
pub(super) fn sum(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::Bool => Folding::of::<Laned<IntegerSum<Bool, i64>>>(),
        DType::I8 => Folding::of::<Laned<IntegerSum<i8, i64>>>(),
        DType::I16 => Folding::of::<Laned<IntegerSum<i16, i64>>>(),
        DType::I32 => Folding::of::<Laned<IntegerSum<i32, i64>>>(),
        DType::I64 => Folding::of::<Laned<IntegerSum<i64, i64>>>(),
        DType::U8 => Folding::of::<Laned<IntegerSum<u8, u64>>>(),
        DType::U16 => Folding::of::<Laned<IntegerSum<u16, u64>>>(),
        DType::U32 => Folding::of::<Laned<IntegerSum<u32, u64>>>(),
        DType::U64 => Folding::of::<Laned<IntegerSum<u64, u64>>>(),
        DType::F16 => return None,
        DType::F32 => Folding::of::<Laned<RealSum<f32, false>>>(),
        DType::F64 => Folding::of::<Laned<RealSum<f64, false>>>(),
        DType::C64 => Folding::of::<Laned<ComplexSum<Complex32, false, false>>>(),
        DType::C128 => Folding::of::<Laned<ComplexSum<Complex64, false, false>>>(),
    })
}

/// The fold of products of a dtype; none for half precision.
pub(super) fn product(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::Bool => Folding::of::<Laned<IntegerProduct<Bool, i64>>>(),
        DType::I8 => Folding::of::<Laned<IntegerProduct<i8, i64>>>(),
        DType::I16 => Folding::of::<Laned<IntegerProduct<i16, i64>>>(),
        DType::I32 => Folding::of::<Laned<IntegerProduct<i32, i64>>>(),
        DType::I64 => Folding::of::<Laned<IntegerProduct<i64, i64>>>(),
        DType::U8 => Folding::of::<Laned<IntegerProduct<u8, u64>>>(),
        DType::U16 => Folding::of::<Laned<IntegerProduct<u16, u64>>>(),
        DType::U32 => Folding::of::<Laned<IntegerProduct<u32, u64>>>(),
        DType::U64 => Folding::of::<Laned<IntegerProduct<u64, u64>>>(),
        DType::F16 => return None,
        DType::F32 => Folding::of::<Laned<Product<f32, f64>>>(),
        DType::F64 => Folding::of::<Laned<Product<f64, f64>>>(),
        DType::C64 => Folding::of::<Laned<Product<Complex32, Complex64>>>(),
        DType::C128 => Folding::of::<Laned<Product<Complex64, Complex64>>>(),
    })
}

/// The fold of means of an inexact dtype; none for half precision.
pub(super) fn mean(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::F32 => Folding::of::<Laned<RealSum<f32, true>>>(),
        DType::F64 => Folding::of::<Laned<RealSum<f64, true>>>(),
        DType::C64 => Folding::of::<Laned<ComplexSum<Complex32, true, false>>>(),
        DType::C128 => Folding::of::<Laned<ComplexSum<Complex64, true, false>>>(),
        _ => return None,
    })
}

/// The fold of means of what is a number, for an inexact dtype; none for half precision.
pub(super) fn nan_mean(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::F32 => Folding::of::<Laned<NanMean<f32>>>(),
        DType::F64 => Folding::of::<Laned<NanMean<f64>>>(),
        DType::C64 => Folding::of::<Laned<ComplexSum<Complex32, true, true>>>(),
        DType::C128 => Folding::of::<Laned<ComplexSum<Complex64, true, true>>>(),
        _ => return None,
    })
}
