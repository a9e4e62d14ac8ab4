//! Conversions between dtypes, as C has them on x86 and NumPy's `astype` therefore too.

use half::f16;
use half::slice::HalfFloatSliceExt;
use num_complex::{Complex, Complex32, Complex64};

use crate::dtype::{Bool, DType, Element};
use crate::kernels::loops::{Kernel, Unary, unary};

/// A type that elements of another are converted to.
pub(crate) trait CastFrom<S> {
    fn cast_from(value: S) -> Self;
}

/// What the processor's conversion gives: the smallest number for what does not fit.
#[inline(always)]
fn to_i32(value: f64) -> i32 {
    if value > -2_147_483_649.0 && value < 2_147_483_648.0 { value as i32 } else { i32::MIN }
}

#[inline(always)]
fn to_i64(value: f64) -> i64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if (-BOUND..BOUND).contains(&value) { value as i64 } else { i64::MIN }
}

#[inline(always)]
fn to_u32(value: f64) -> u32 {
    const BOUND: f64 = 2_147_483_648.0;
    if value >= BOUND { to_i32(value - BOUND) as u32 ^ (1 << 31) } else { to_i32(value) as u32 }
}

/// Above the signed range the number is moved down by half of the unsigned one first.
#[inline(always)]
fn to_u64(value: f64) -> u64 {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if value >= BOUND { to_i64(value - BOUND) as u64 ^ (1 << 63) } else { to_i64(value) as u64 }
}

/// Rounds once: to single precision with the last bit saying that something was lost, then to half.
#[inline(always)]
pub(crate) fn half_from_double(value: f64) -> f16 {
    let single = value as f32;
    let back = f64::from(single);
    if back == value || value.is_nan() {
        return f16::from_f32(single);
    }
    let bits = single.to_bits() - u32::from(back.abs() > value.abs());
    f16::from_f32(f32::from_bits(bits | 1))
}

macro_rules! casts {
    ($([$($from:ty),*] => [$($to:ty),*], |$value:ident| $body:expr;)*) => {
        $(casts!(@each [$($from),*] [$($to),*] $value $body);)*
    };
    (@each [$($from:ty),*] $to:tt $value:ident $body:expr) => {
        $(casts!(@one $from, $to $value $body);)*
    };
    (@one $from:ty, [$($to:ty),*] $value:ident $body:expr) => {
        $(impl CastFrom<$from> for $to {
            #[inline(always)]
            fn cast_from($value: $from) -> Self {
                #[allow(dead_code)]
                type To = $to;
                $body
            }
        })*
    };
}

casts! {
    [Bool] => [i8, i16, i32, i64, u8, u16, u32, u64], |value| To::from(value.0 != 0);
    [Bool] => [f32, f64], |value| To::from(u8::from(value.0 != 0));
    [Bool] => [Bool], |value| Bool(u8::from(value.0 != 0));
    [i8, i16, i32, i64, u8, u16, u32, u64] => [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64],
        |value| value as To;
    [i8, i16, i32, i64, u8, u16, u32, u64] => [Bool], |value| Bool::from(value != 0);
    [f32, f64] => [Bool], |value| Bool::from(value != 0.0);
    [f32, f64] => [i8, i16, u8, u16, i32], |value| to_i32(f64::cast_from(value)) as To;
    [f32, f64] => [i64], |value| to_i64(f64::cast_from(value));
    [f32, f64] => [u32], |value| to_u32(f64::cast_from(value));
    [f32, f64] => [u64], |value| to_u64(f64::cast_from(value));
    [f32, f64] => [f32, f64], |value| value as To;
    [Complex32, Complex64] => [Bool], |value| Bool::from(value.re != 0.0 || value.im != 0.0);
    [Complex32, Complex64] => [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64],
        |value| To::cast_from(value.re);
    [Complex32] => [Complex32], |value| value;
    [Complex64] => [Complex32], |value| Complex::new(value.re as f32, value.im as f32);
    [Complex32] => [Complex64], |value| Complex::new(f64::from(value.re), f64::from(value.im));
    [Complex64] => [Complex64], |value| value;
    [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] => [Complex32],
        |value| Complex::new(f32::cast_from(value), 0.0);
    [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] => [Complex64],
        |value| Complex::new(f64::cast_from(value), 0.0);
}

struct Cast<S, T>(std::marker::PhantomData<(S, T)>);

impl<S: Element, T: Element + CastFrom<S>> Unary for Cast<S, T> {
    type In = S;
    type Out = T;
    #[inline(always)]
    fn call(x: S) -> T {
        T::cast_from(x)
    }
}

fn cast_of<S: Element>(to: DType) -> Option<Kernel>
where
    Bool: CastFrom<S>,
    i8: CastFrom<S>,
    i16: CastFrom<S>,
    i32: CastFrom<S>,
    i64: CastFrom<S>,
    u8: CastFrom<S>,
    u16: CastFrom<S>,
    u32: CastFrom<S>,
    u64: CastFrom<S>,
    f32: CastFrom<S>,
    f64: CastFrom<S>,
    Complex32: CastFrom<S>,
    Complex64: CastFrom<S>,
{
    Some(match to {
        DType::Bool => unary::<Cast<S, Bool>>(),
        DType::I8 => unary::<Cast<S, i8>>(),
        DType::I16 => unary::<Cast<S, i16>>(),
        DType::I32 => unary::<Cast<S, i32>>(),
        DType::I64 => unary::<Cast<S, i64>>(),
        DType::U8 => unary::<Cast<S, u8>>(),
        DType::U16 => unary::<Cast<S, u16>>(),
        DType::U32 => unary::<Cast<S, u32>>(),
        DType::U64 => unary::<Cast<S, u64>>(),
        DType::F16 => return None,
        DType::F32 => unary::<Cast<S, f32>>(),
        DType::F64 => unary::<Cast<S, f64>>(),
        DType::C64 => unary::<Cast<S, Complex32>>(),
        DType::C128 => unary::<Cast<S, Complex64>>(),
    })
}

/// # Safety
/// As for [`Kernel`], with an input of half precision.
unsafe fn half_to_single(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the caller gives registers of `len` elements of these types; the output's bytes are
    // overwritten without being read, and any bytes are floats.
    let (x, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<f16>(), len),
            std::slice::from_raw_parts_mut(output.cast::<f32>(), len),
        )
    };
    x.convert_to_f32_slice(out);
}

/// # Safety
/// As for [`Kernel`], with an input of single precision.
unsafe fn single_to_half(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: as in `half_to_single`.
    let (x, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<f32>(), len),
            std::slice::from_raw_parts_mut(output.cast::<f16>(), len),
        )
    };
    out.convert_from_f32_slice(x);
}

struct DoubleToHalf;

impl Unary for DoubleToHalf {
    type In = f64;
    type Out = f16;
    #[inline(always)]
    fn call(x: f64) -> f16 {
        half_from_double(x)
    }
}

/// The conversions, one after another, that lead from one dtype to another: none where they are
/// the same, two where half precision goes through single.
pub(crate) fn path(from: DType, to: DType) -> &'static [DType] {
    const SINGLE: [DType; 2] = [DType::F32, DType::F16];
    if from == to {
        return &[];
    }
    let place = DType::ALL.iter().position(|dtype| *dtype == to).unwrap_or(0);
    match (from, to) {
        (DType::F32, DType::F16) | (DType::F64, DType::F16) => &SINGLE[1..],
        (DType::C128, DType::F16) => &[DType::F64, DType::F16],
        (_, DType::F16) => &SINGLE,
        (DType::F16, DType::F32) => &SINGLE[..1],
        (DType::F16, _) => via_single(place),
        _ => &DType::ALL[place..=place],
    }
}

fn via_single(place: usize) -> &'static [DType] {
    static PATHS: [[DType; 2]; 14] = {
        let mut paths = [[DType::F32; 2]; 14];
        let mut place = 0;
        while place < 14 {
            paths[place][1] = DType::ALL[place];
            place += 1;
        }
        paths
    };
    &PATHS[place]
}

/// The loop of one conversion of a [`path`].
pub(crate) fn kernel(from: DType, to: DType) -> Option<Kernel> {
    match (from, to) {
        (DType::F16, DType::F32) => Some(half_to_single),
        (DType::F32, DType::F16) => Some(single_to_half),
        (DType::F64, DType::F16) => Some(unary::<DoubleToHalf>()),
        (DType::Bool, _) => cast_of::<Bool>(to),
        (DType::I8, _) => cast_of::<i8>(to),
        (DType::I16, _) => cast_of::<i16>(to),
        (DType::I32, _) => cast_of::<i32>(to),
        (DType::I64, _) => cast_of::<i64>(to),
        (DType::U8, _) => cast_of::<u8>(to),
        (DType::U16, _) => cast_of::<u16>(to),
        (DType::U32, _) => cast_of::<u32>(to),
        (DType::U64, _) => cast_of::<u64>(to),
        (DType::F16, _) => None,
        (DType::F32, _) => cast_of::<f32>(to),
        (DType::F64, _) => cast_of::<f64>(to),
        (DType::C64, _) => cast_of::<Complex32>(to),
        (DType::C128, _) => cast_of::<Complex64>(to),
    }
}
