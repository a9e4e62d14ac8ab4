//! Arithmetic, with NumPy's answers to division by zero and to overflow.

use std::hint::select_unpredictable;

use num_complex::{Complex32, Complex64};

use super::complex::ComplexMath;
use crate::dtype::Bool;
use crate::kernels::cast::CastFrom;
use crate::kernels::loops::{binary_table, unary_table};

binary_table! { add,
    binary [Bool] => T, |x, y| Bool::from(x.get() | y.get());
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x.wrapping_add(y);
    binary_wide [f32, f64, Complex32, Complex64] => T, |x, y| x + y
}

binary_table! { subtract,
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x.wrapping_sub(y);
    binary_wide [f32, f64, Complex32, Complex64] => T, |x, y| x - y
}

binary_table! { multiply,
    binary [Bool] => T, |x, y| Bool::from(x.get() & y.get());
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x.wrapping_mul(y);
    binary_wide [f32, f64, Complex32, Complex64] => T, |x, y| x * y
}

binary_table! { true_divide,
    binary_wide [f32, f64] => T, |x, y| x / y;
    binary_plain [Complex32, Complex64] => T, |x, y| x.quotient(y)
}

/// The quotient rounded down and the remainder with the sign of the divisor, as NumPy has them.
trait Divide: Copy {
    fn floor_divide(self, other: Self) -> Self;
    fn modulo(self, other: Self) -> Self;
    fn raise(self, exponent: Self) -> Self;
}

/// Remainders of the sign of the dividend, exactly as the C library's.
trait Truncate {
    fn rest(self, other: Self) -> Self;
}

/// Where the quotient is small its whole part is right up to one, and one fused operation then
/// gives the remainder without rounding: many times faster than a long division.
macro_rules! rests {
    ($($float:ty: $bound:expr;)*) => {$(
        impl Truncate for $float {
            #[inline(always)]
            fn rest(self, other: Self) -> Self {
                let quotient = self / other;
                if quotient.abs() < $bound && other.is_finite() {
                    let rest = (-quotient.trunc()).mul_add(other, self);
                    // The quotient was rounded up to a whole number, or down from one.
                    let rest = if rest != 0.0 && (rest < 0.0) != (self < 0.0) {
                        rest + other.abs().copysign(self)
                    } else if rest.abs() >= other.abs() {
                        rest - other.abs().copysign(self)
                    } else {
                        rest
                    };
                    return if rest == 0.0 { rest.abs().copysign(self) } else { rest };
                }
                self % other
            }
        }
    )*};
}

rests! {
    f32: 4_194_304.0;
    f64: 2_251_799_813_685_248.0;
}

macro_rules! divide_floats {
    ($($float:ty)*) => {$(
        impl Divide for $float {
            #[inline(always)]
            fn floor_divide(self, other: Self) -> Self {
                if other == 0.0 {
                    return self / other;
                }
                let rest = self.rest(other);
                let mut quotient = (self - rest) / other;
                let below = (rest != 0.0) & ((other < 0.0) != (rest < 0.0));
                quotient = select_unpredictable(below, quotient - 1.0, quotient);
                let floor = quotient.floor();
                let floor = if quotient - floor > 0.5 { floor + 1.0 } else { floor };
                let zero = (0.0 as $float).copysign(self / other);
                select_unpredictable(quotient == 0.0, zero, floor)
            }

            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                let rest = self.rest(other);
                if other == 0.0 {
                    rest
                } else if rest == 0.0 {
                    (0.0 as $float).copysign(other)
                } else if (other < 0.0) != (rest < 0.0) {
                    rest + other
                } else {
                    rest
                }
            }

            #[inline(always)]
            fn raise(self, exponent: Self) -> Self {
                if exponent == 2.0 { self * self } else { self.powf(exponent) }
            }
        }
    )*};
}

divide_floats! { f32 f64 }

macro_rules! divide_unsigned {
    ($($integer:ty)*) => {$(
        impl Divide for $integer {
            #[inline(always)]
            fn floor_divide(self, other: Self) -> Self {
                self.checked_div(other).unwrap_or(0)
            }

            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                self.checked_rem(other).unwrap_or(0)
            }

            #[inline(always)]
            fn raise(self, mut exponent: Self) -> Self {
                let (mut base, mut result) = (self, 1 as $integer);
                while exponent != 0 {
                    if exponent & 1 != 0 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                result
            }
        }
    )*};
}

divide_unsigned! { u8 u16 u32 u64 }

macro_rules! divide_signed {
    ($($integer:ty)*) => {$(
        impl Divide for $integer {
            #[inline(always)]
            fn floor_divide(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let quotient = self.wrapping_div(other);
                let rest = self.wrapping_rem(other);
                quotient.wrapping_sub(<$integer>::from(rest != 0 && (rest < 0) != (other < 0)))
            }

            #[inline(always)]
            fn modulo(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let rest = self.wrapping_rem(other);
                if rest != 0 && (rest < 0) != (other < 0) { rest + other } else { rest }
            }

            #[inline(always)]
            fn raise(self, exponent: Self) -> Self {
                if exponent < 0 {
                    return match self {
                        1 => 1,
                        -1 if exponent & 1 != 0 => -1,
                        -1 => 1,
                        _ => 0,
                    };
                }
                let (mut base, mut result, mut exponent) = (self, 1 as $integer, exponent);
                while exponent != 0 {
                    if exponent & 1 != 0 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    exponent >>= 1;
                }
                result
            }
        }
    )*};
}

divide_signed! { i8 i16 i32 i64 }

binary_table! { floor_divide,
    binary_plain [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x.floor_divide(y);
    binary [f32, f64] => T, |x, y| x.floor_divide(y)
}

binary_table! { remainder,
    binary_plain [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x.modulo(y);
    binary [f32, f64] => T, |x, y| x.modulo(y)
}

binary_table! { fmod,
    binary_plain [i8, i16, i32, i64, u8, u16, u32, u64] => T,
        |x, y| if y == 0 { 0 } else { x.wrapping_rem(y) };
    binary [f32, f64] => T, |x, y| x.rest(y)
}

binary_table! { power,
    binary_plain [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] => T, |x, y| x.raise(y);
    binary_plain [Complex32, Complex64] => T, |x, y| x.raise_to(y)
}

unary_table! { negative,
    unary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x| x.wrapping_neg();
    unary [f32, f64, Complex32, Complex64] => T, |x| -x
}

unary_table! { positive,
    unary [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex32, Complex64] => T, |x| x
}

unary_table! { absolute,
    unary [Bool, u8, u16, u32, u64] => T, |x| x;
    unary [i8, i16, i32, i64] => T, |x| x.wrapping_abs();
    unary [f32, f64] => T, |x| x.abs();
    unary_plain [Complex32] => f32, |x| x.re.hypot(x.im);
    unary_plain [Complex64] => f64, |x| x.re.hypot(x.im)
}

unary_table! { sign,
    unary [u8, u16, u32, u64] => T, |x| T::from(x != 0);
    unary [i8, i16, i32, i64] => T, |x| x.signum();
    unary [f32, f64] => T,
        |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else if x == 0.0 { 0.0 } else { x };
    unary_plain [Complex32, Complex64] => T, |x| x.direction()
}

unary_table! { square,
    unary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x| x.wrapping_mul(x);
    unary_wide [f32, f64, Complex32, Complex64] => T, |x| x * x
}

unary_table! { reciprocal,
    unary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x| T::cast_from(1.0 / x as f64);
    unary [f32, f64] => T, |x| 1.0 / x;
    unary_plain [Complex32, Complex64] => T, |x| x.inverse()
}

unary_table! { conjugate,
    unary [i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] => T, |x| x;
    unary [Complex32, Complex64] => T, |x| x.conj()
}

unary_table! { real,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] => T, |x| x;
    unary [Complex32] => f32, |x| x.re;
    unary [Complex64] => f64, |x| x.re
}

unary_table! { imag,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64] => T, |_x| T::default();
    unary [Complex32] => f32, |x| x.im;
    unary [Complex64] => f64, |x| x.im
}
