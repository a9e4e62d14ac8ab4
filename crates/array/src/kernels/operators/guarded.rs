//! Loops over the functions of [`elementary`], with the C library for arguments outside of their
//! ranges. Processors without fused operations take the C library for all.

use std::mem::MaybeUninit;

use super::elementary;
use crate::dtype::{DType, Element};
use crate::kernels::loops::{Kernel, Level};

/// Elements that are computed before those outside of the range are looked at.
const GROUP: usize = 256;

/// Elements that are computed in double precision and rounded.
trait Real: Element {
    fn widen(self) -> f64;
    fn narrow(value: f64) -> Self;
    fn slow<G: Guarded>(self) -> Self;
    fn slow_power(self, exponent: Self) -> Self;
}

/// A function of one number.
trait Guarded {
    fn fast(x: f64) -> f64;
    /// Whether `fast` may be used.
    fn is_fast(x: f64) -> bool;
    fn slow_single(x: f32) -> f32;
    fn slow_double(x: f64) -> f64;
}

impl Real for f32 {
    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value as Self
    }
    fn slow<G: Guarded>(self) -> Self {
        G::slow_single(self)
    }
    fn slow_power(self, exponent: Self) -> Self {
        self.powf(exponent)
    }
}

impl Real for f64 {
    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        value
    }
    fn slow<G: Guarded>(self) -> Self {
        G::slow_double(self)
    }
    fn slow_power(self, exponent: Self) -> Self {
        self.powf(exponent)
    }
}

/// # Safety
/// As for [`Kernel`], with one input of `T` and an output of `T`.
#[inline(always)]
unsafe fn unary_loop<T: Real, G: Guarded>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the caller gives registers of `len` elements of this type.
    let (x, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<T>(), len),
            std::slice::from_raw_parts_mut(output.cast::<MaybeUninit<T>>(), len),
        )
    };
    for (x, out) in x.chunks(GROUP).zip(out.chunks_mut(GROUP)) {
        let mut outside = 0u64;
        for (x, out) in x.iter().zip(out.iter_mut()) {
            let x = x.widen();
            outside += u64::from(!G::is_fast(x));
            out.write(T::narrow(G::fast(x)));
        }
        if outside > 0 {
            for (x, out) in x.iter().zip(out) {
                if !G::is_fast(x.widen()) {
                    out.write(x.slow::<G>());
                }
            }
        }
    }
}

/// # Safety
/// As for [`Kernel`], with two inputs of `T` and an output of `T`.
#[inline(always)]
unsafe fn power_loop<T: Real>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the caller gives registers of `len` elements of this type.
    let (x, y, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<T>(), len),
            std::slice::from_raw_parts((*inputs.add(1)).cast::<T>(), len),
            std::slice::from_raw_parts_mut(output.cast::<MaybeUninit<T>>(), len),
        )
    };
    let groups = x.chunks(GROUP).zip(y.chunks(GROUP)).zip(out.chunks_mut(GROUP));
    for ((x, y), out) in groups {
        let mut outside = 0u64;
        for ((x, y), out) in x.iter().zip(y).zip(out.iter_mut()) {
            let (x, y) = (x.widen(), y.widen());
            let (result, exponent) = elementary::power(x, y);
            outside += u64::from(!has_power(x, y, exponent));
            out.write(T::narrow(if y == 2.0 { x * x } else { result }));
        }
        if outside > 0 {
            for ((x, y), out) in x.iter().zip(y).zip(out) {
                let (wide, exponent) = (x.widen(), y.widen());
                if !has_power(wide, exponent, elementary::power(wide, exponent).1) {
                    let square = T::narrow(wide * wide);
                    out.write(if exponent == 2.0 { square } else { x.slow_power(*y) });
                }
            }
        }
    }
}

/// Whether the vector form computes the power, whose logarithm is `exponent`.
#[inline(always)]
fn has_power(x: f64, y: f64, exponent: f64) -> bool {
    let size = x.abs();
    (f64::MIN_POSITIVE..f64::INFINITY).contains(&size)
        & (exponent.abs() < 707.0)
        & ((x > 0.0) | (y == y.trunc()))
}

/// # Safety
/// As for [`unary_loop`], on a processor that has these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn unary_avx2<T: Real, G: Guarded>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the promise is the same.
    unsafe { unary_loop::<T, G>(inputs, output, len) }
}

/// # Safety
/// As for [`unary_loop`], on a processor that has these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn unary_avx512<T: Real, G: Guarded>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the promise is the same.
    unsafe { unary_loop::<T, G>(inputs, output, len) }
}

/// # Safety
/// As for [`power_loop`], on a processor that has these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn power_avx2<T: Real>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the promise is the same.
    unsafe { power_loop::<T>(inputs, output, len) }
}

/// # Safety
/// As for [`power_loop`], on a processor that has these instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn power_avx512<T: Real>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the promise is the same.
    unsafe { power_loop::<T>(inputs, output, len) }
}

fn unary<T: Real, G: Guarded>() -> Option<Kernel> {
    match Level::best() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Some(unary_avx512::<T, G>),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(unary_avx2::<T, G>),
        Level::Baseline => None,
    }
}

fn binary_power<T: Real>() -> Option<Kernel> {
    match Level::best() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Some(power_avx512::<T>),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Some(power_avx2::<T>),
        Level::Baseline => None,
    }
}

/// The loop of powers of floats; `None` where the processor has no vector form of it.
pub(super) fn power(dtype: DType) -> Option<Kernel> {
    match dtype {
        DType::F32 => binary_power::<f32>(),
        DType::F64 => binary_power::<f64>(),
        _ => None,
    }
}

macro_rules! guarded {
    ($($name:ident $function:ident $slow:ident, |$x:ident| $range:expr;)*) => {$(
        /// The loop of the function; `None` where the processor has no vector form of it.
        pub(super) fn $name(dtype: DType) -> Option<Kernel> {
            struct Function;
            impl Guarded for Function {
                #[inline(always)]
                fn fast(x: f64) -> f64 {
                    elementary::$function(x)
                }
                #[inline(always)]
                fn is_fast($x: f64) -> bool {
                    $range
                }
                fn slow_single(x: f32) -> f32 {
                    x.$slow()
                }
                fn slow_double(x: f64) -> f64 {
                    x.$slow()
                }
            }
            match dtype {
                DType::F32 => unary::<f32, Function>(),
                DType::F64 => unary::<f64, Function>(),
                _ => None,
            }
        }
    )*};
}

/// Angles up to here are reduced exactly enough.
const WIDEST: f64 = 1e8;

// The zero of odd functions keeps its sign in the C library.
guarded! {
    exp exp exp, |x| x.abs() < 708.0;
    exp2 exp2 exp2, |x| x.abs() < 1022.0;
    expm1 exp_m1 exp_m1, |x| (x.abs() < 708.0) & (x != 0.0);
    log ln ln, |x| (f64::MIN_POSITIVE..f64::INFINITY).contains(&x);
    log2 log2 log2, |x| (f64::MIN_POSITIVE..f64::INFINITY).contains(&x);
    log10 log10 log10, |x| (f64::MIN_POSITIVE..f64::INFINITY).contains(&x);
    log1p ln_1p ln_1p, |x| (x > -1.0) & (x < f64::INFINITY) & (x != 0.0);
    sin sin sin, |x| (x.abs() < WIDEST) & (x != 0.0);
    cos cos cos, |x| x.abs() < WIDEST;
    tan tan tan, |x| (x.abs() < WIDEST) & (x != 0.0);
    sinh sinh sinh, |x| x.abs() < 700.0;
    cosh cosh cosh, |x| x.abs() < 700.0;
    tanh tanh tanh, |x| x.abs() < 350.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The function of every argument by the loop that a program would take.
    fn apply(kernel: Kernel, inputs: &[&[f64]]) -> Vec<f64> {
        let mut out = vec![0.0; inputs[0].len()];
        let pointers: Vec<*const u8> = inputs.iter().map(|input| input.as_ptr().cast()).collect();
        // SAFETY: the registers are of one length.
        unsafe { kernel(pointers.as_ptr(), out.as_mut_ptr().cast(), out.len()) };
        out
    }

    /// How many floats lie between two.
    fn apart(one: f64, other: f64) -> u64 {
        if one == other || (one.is_nan() && other.is_nan()) {
            return 0;
        }
        let line = |x: f64| {
            let bits = x.to_bits() as i64;
            if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
        };
        line(one).abs_diff(line(other))
    }

    /// Arguments of all sizes, and those where something special happens.
    fn arguments() -> Vec<f64> {
        let mut state = 1u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut found: Vec<f64> = (0..60_000).map(|_| f64::from_bits(next())).collect();
        for scale in [1e-12, 1e-3, 0.5, 2.0, 40.0, 700.0, 1e5, 1e9] {
            for _ in 0..20_000 {
                let unit = (next() >> 11) as f64 / (1u64 << 53) as f64;
                found.push((2.0 * unit - 1.0) * scale);
                found.push(1.0 + (2.0 * unit - 1.0) * scale.min(1.0));
            }
        }
        for k in 0..400 {
            let turn = f64::from(k) * std::f64::consts::FRAC_PI_2;
            found.extend([turn, -turn, turn.next_up(), turn.next_down(), f64::from(k)]);
        }
        found.extend([0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
        found.extend([f64::MIN_POSITIVE, 5e-324, -5e-324, f64::MAX, f64::MIN, 709.8, -745.2]);
        found
    }

    #[test]
    fn functions_are_the_c_librarys() {
        type Table = fn(DType) -> Option<Kernel>;
        type Reference = fn(f64) -> f64;
        let functions: [(&str, Table, Reference, u64); 13] = [
            ("exp", exp, f64::exp, 1),
            ("exp2", exp2, f64::exp2, 1),
            ("expm1", expm1, f64::exp_m1, 2),
            ("log", log, f64::ln, 1),
            ("log2", log2, f64::log2, 1),
            ("log10", log10, f64::log10, 2),
            ("log1p", log1p, f64::ln_1p, 2),
            ("sin", sin, f64::sin, 1),
            ("cos", cos, f64::cos, 1),
            ("tan", tan, f64::tan, 2),
            ("sinh", sinh, f64::sinh, 4),
            ("cosh", cosh, f64::cosh, 3),
            ("tanh", tanh, f64::tanh, 4),
        ];
        let x = arguments();
        for (name, table, slow, most) in functions {
            let Some(kernel) = table(DType::F64) else { return };
            for (x, found) in x.iter().zip(apply(kernel, &[&x])) {
                let expected = slow(*x);
                assert!(apart(found, expected) <= most, "{name}({x:e}) = {found:e}, {expected:e}");
                assert_eq!(found.is_nan(), expected.is_nan(), "{name}({x:e})");
                if expected == 0.0 {
                    assert_eq!(found.to_bits(), expected.to_bits(), "the zero of {name}({x:e})");
                }
            }
        }
    }

    #[test]
    fn powers_are_the_c_librarys() {
        let Some(kernel) = power(DType::F64) else { return };
        let x = arguments();
        for step in [1usize, 7, 1013] {
            let y: Vec<f64> = (0..x.len()).map(|place| x[(place * step + 5) % x.len()]).collect();
            for ((x, y), found) in x.iter().zip(&y).zip(apply(kernel, &[&x, &y])) {
                let expected = if *y == 2.0 { x * x } else { x.powf(*y) };
                assert!(apart(found, expected) <= 1, "{x:e} ** {y:e} = {found:e}, {expected:e}");
            }
        }
        for exponent in [0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, 2.5, 1e300, f64::INFINITY] {
            let y = vec![exponent; x.len()];
            for (x, found) in x.iter().zip(apply(kernel, &[&x, &y])) {
                let expected = if exponent == 2.0 { x * x } else { x.powf(exponent) };
                assert!(apart(found, expected) <= 1, "{x:e} ** {exponent} = {found:e}");
            }
        }
    }

    #[test]
    fn whole_powers_are_whole() {
        let whole: Vec<f64> = (1..2000).map(f64::from).collect();
        let three = vec![3.0; whole.len()];
        if let Some(kernel) = power(DType::F64) {
            let found = apply(kernel, &[&whole, &three]);
            assert!(whole.iter().zip(found).all(|(x, cube)| cube == x * x * x));
        }
        if let (Some(log10), Some(log2)) = (log10(DType::F64), log2(DType::F64)) {
            let tens: Vec<f64> = (0..=22).map(|k| 10f64.powi(k)).collect();
            let twos: Vec<f64> = (-1000..1000).map(|k| 2f64.powi(k)).collect();
            assert_eq!(apply(log10, &[&tens]), (0..=22).map(f64::from).collect::<Vec<_>>());
            assert_eq!(apply(log2, &[&twos]), (-1000..1000).map(f64::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn single_precision_is_rounded_from_double() {
        let Some(kernel) = exp(DType::F32) else { return };
        let x: Vec<f32> = arguments().iter().map(|x| *x as f32).collect();
        let mut out = vec![0f32; x.len()];
        let pointers = [x.as_ptr().cast::<u8>()];
        // SAFETY: both registers are of one length.
        unsafe { kernel(pointers.as_ptr(), out.as_mut_ptr().cast(), out.len()) };
        for (x, found) in x.iter().zip(out) {
            let expected = f64::from(*x).exp() as f32;
            let close = found == expected
                || found.is_nan() && expected.is_nan()
                || found.to_bits().abs_diff(expected.to_bits()) <= 1;
            assert!(close, "exp({x:e}) = {found:e}, {expected:e}");
        }
    }
}
