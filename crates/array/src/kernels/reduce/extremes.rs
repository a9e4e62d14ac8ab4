//! The smallest and the largest, truth of any and of all.

use std::marker::PhantomData;

use num_complex::{Complex32, Complex64};

use super::fold::{Folding, Lane, Laned};
use crate::dtype::{Bool, DType, Element};
use crate::error::ArrayError;
use crate::kernels::operators::Order;

/// Elements that have a smallest and a largest.
pub(super) trait Bounded: Element + Order {
    const LOWEST: Self;
    const HIGHEST: Self;
    /// What is returned where there is no number; any, for integers.
    const NOTHING: Self;
}

macro_rules! bounded {
    ($($type:ty: $lowest:expr, $highest:expr, $nothing:expr;)*) => {$(
        impl Bounded for $type {
            const LOWEST: Self = $lowest;
            const HIGHEST: Self = $highest;
            const NOTHING: Self = $nothing;
        }
    )*};
}

bounded! {
    Bool: Bool(0), Bool(1), Bool(0);
    i8: i8::MIN, i8::MAX, 0;
    i16: i16::MIN, i16::MAX, 0;
    i32: i32::MIN, i32::MAX, 0;
    i64: i64::MIN, i64::MAX, 0;
    u8: u8::MIN, u8::MAX, 0;
    u16: u16::MIN, u16::MAX, 0;
    u32: u32::MIN, u32::MAX, 0;
    u64: u64::MIN, u64::MAX, 0;
    f32: f32::NEG_INFINITY, f32::INFINITY, f32::NAN;
    f64: f64::NEG_INFINITY, f64::INFINITY, f64::NAN;
    Complex32: Complex32::new(f32::NEG_INFINITY, f32::NEG_INFINITY),
        Complex32::new(f32::INFINITY, f32::INFINITY), Complex32::new(f32::NAN, f32::NAN);
    Complex64: Complex64::new(f64::NEG_INFINITY, f64::NEG_INFINITY),
        Complex64::new(f64::INFINITY, f64::INFINITY), Complex64::new(f64::NAN, f64::NAN);
}

/// The smallest element, or the largest where `MAX`. What is not a number wins, or loses where
/// `NAN`.
pub(super) struct Extreme<T, const MAX: bool, const NAN: bool>(PhantomData<T>);

impl<T: Bounded, const MAX: bool, const NAN: bool> Extreme<T, MAX, NAN> {
    /// Whether the first goes before the second.
    #[inline(always)]
    pub(super) fn beats(first: T, second: T) -> bool {
        let before = if MAX { second.less(first) } else { first.less(second) };
        if NAN { before || second.is_nan() } else { before || first.is_nan() }
    }
}

/// A float's lanes begin with what every number beats; an integer's with what none is beaten by.
impl<T: Bounded, const MAX: bool, const NAN: bool> Lane for Extreme<T, MAX, NAN> {
    type Item = T;
    type Lane = T;
    type State = T;
    type Out = T;
    #[inline(always)]
    fn lane() -> T {
        if NAN && T::NOTHING.is_nan() {
            T::NOTHING
        } else if MAX {
            T::LOWEST
        } else {
            T::HIGHEST
        }
    }
    #[inline(always)]
    fn absorb(lane: T, item: T) -> T {
        if Self::beats(item, lane) { item } else { lane }
    }
    #[inline(always)]
    fn join(one: T, other: T) -> T {
        if Self::beats(other, one) { other } else { one }
    }
    #[inline(always)]
    fn begin() -> T {
        Self::lane()
    }
    #[inline(always)]
    fn settle(state: T, lane: T) -> T {
        Self::join(state, lane)
    }
    fn merge(one: T, other: T) -> T {
        Self::join(one, other)
    }
    fn finish(state: T, _count: f64) -> Result<T, ArrayError> {
        Ok(state)
    }
}

/// Whether any element is true, or all are where `ALL`.
struct Truth<const ALL: bool>;

impl<const ALL: bool> Lane for Truth<ALL> {
    type Item = Bool;
    type Lane = u8;
    type State = u8;
    type Out = Bool;
    #[inline(always)]
    fn lane() -> u8 {
        u8::from(ALL)
    }
    #[inline(always)]
    fn absorb(lane: u8, item: Bool) -> u8 {
        Self::join(lane, u8::from(item.get()))
    }
    #[inline(always)]
    fn join(one: u8, other: u8) -> u8 {
        if ALL { one & other } else { one | other }
    }
    #[inline(always)]
    fn begin() -> u8 {
        Self::lane()
    }
    #[inline(always)]
    fn settle(state: u8, lane: u8) -> u8 {
        Self::join(state, lane)
    }
    fn merge(one: u8, other: u8) -> u8 {
        Self::join(one, other)
    }
    fn finish(state: u8, _count: f64) -> Result<Bool, ArrayError> {
        Ok(Bool(state))
    }
}

pub(super) fn any() -> &'static Folding {
    Folding::of::<Laned<Truth<false>>>()
}

pub(super) fn all() -> &'static Folding {
    Folding::of::<Laned<Truth<true>>>()
}

/// The fold of extremes of a dtype; none for half precision.
pub(super) fn extreme<const MAX: bool>(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::Bool => Folding::of::<Laned<Extreme<Bool, MAX, false>>>(),
        DType::I8 => Folding::of::<Laned<Extreme<i8, MAX, false>>>(),
        DType::I16 => Folding::of::<Laned<Extreme<i16, MAX, false>>>(),
        DType::I32 => Folding::of::<Laned<Extreme<i32, MAX, false>>>(),
        DType::I64 => Folding::of::<Laned<Extreme<i64, MAX, false>>>(),
        DType::U8 => Folding::of::<Laned<Extreme<u8, MAX, false>>>(),
        DType::U16 => Folding::of::<Laned<Extreme<u16, MAX, false>>>(),
        DType::U32 => Folding::of::<Laned<Extreme<u32, MAX, false>>>(),
        DType::U64 => Folding::of::<Laned<Extreme<u64, MAX, false>>>(),
        DType::F16 => return None,
        DType::F32 => Folding::of::<Laned<Extreme<f32, MAX, false>>>(),
        DType::F64 => Folding::of::<Laned<Extreme<f64, MAX, false>>>(),
        DType::C64 => Folding::of::<Laned<Extreme<Complex32, MAX, false>>>(),
        DType::C128 => Folding::of::<Laned<Extreme<Complex64, MAX, false>>>(),
    })
}

/// The same of what is a number, for an inexact dtype.
pub(super) fn nan_extreme<const MAX: bool>(dtype: DType) -> Option<&'static Folding> {
    Some(match dtype {
        DType::F32 => Folding::of::<Laned<Extreme<f32, MAX, true>>>(),
        DType::F64 => Folding::of::<Laned<Extreme<f64, MAX, true>>>(),
        DType::C64 => Folding::of::<Laned<Extreme<Complex32, MAX, true>>>(),
        DType::C128 => Folding::of::<Laned<Extreme<Complex64, MAX, true>>>(),
        _ => return None,
    })
}
