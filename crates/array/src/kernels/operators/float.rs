//! Functions of floats, and what of them complex numbers have.

use num_complex::{Complex32, Complex64};

use super::complex::{ComplexMath, Library};
use crate::dtype::Bool;
use crate::kernels::cast::CastFrom;
use crate::kernels::loops::{binary_table, unary_table};

macro_rules! inexact {
    ($($name:ident |$x:ident| $real:expr, $complex:expr;)*) => {$(
        unary_table! { $name,
            unary_plain [f32, f64] => T, |$x| $real;
            unary_plain [Complex32, Complex64] => T, |$x| $complex
        }
    )*};
}

inexact! {
    exp |x| x.exp(), x.exponential();
    exp2 |x| x.exp2(), (x * T::LN_2).exponential();
    expm1 |x| x.exp_m1(), x.exponential_minus_one();
    log |x| x.ln(), x.logarithm();
    log2 |x| x.log2(), x.logarithm() * T::LOG2_E;
    log10 |x| x.log10(), x.logarithm() * T::LOG10_E;
    log1p |x| x.ln_1p(), x.logarithm_of_one_plus();
    sin |x| x.sin(), x.c_sin();
    cos |x| x.cos(), x.c_cos();
    tan |x| x.tan(), x.c_tan();
    arcsin |x| x.asin(), x.c_asin();
    arccos |x| x.acos(), x.c_acos();
    arctan |x| x.atan(), x.c_atan();
    sinh |x| x.sinh(), x.c_sinh();
    cosh |x| x.cosh(), x.c_cosh();
    tanh |x| x.tanh(), x.c_tanh();
    arcsinh |x| arcsinh_of(f64::cast_from(x)) as T, x.c_asinh();
    arccosh |x| arccosh_of(f64::cast_from(x)) as T, x.c_acosh();
    arctanh |x| arctanh_of(f64::cast_from(x)) as T, x.c_atanh();
}

// The C library's are accurate where the standard library's lose digits.
fn arcsinh_of(x: f64) -> f64 {
    libm_call(x, asinh)
}

fn arccosh_of(x: f64) -> f64 {
    libm_call(x, acosh)
}

fn arctanh_of(x: f64) -> f64 {
    libm_call(x, atanh)
}

unsafe extern "C" {
    fn asinh(x: f64) -> f64;
    fn acosh(x: f64) -> f64;
    fn atanh(x: f64) -> f64;
}

#[inline(always)]
fn libm_call(x: f64, function: unsafe extern "C" fn(f64) -> f64) -> f64 {
    // SAFETY: these functions of the C library take any float and touch nothing but `errno`.
    unsafe { function(x) }
}

unary_table! { sqrt,
    unary_wide [f32, f64] => T, |x| x.sqrt();
    unary_plain [Complex32, Complex64] => T, |x| x.c_sqrt()
}

unary_table! { rint,
    unary [f32, f64] => T, |x| x.round_ties_even();
    unary [Complex32, Complex64] => T, |x| T::new(x.re.round_ties_even(), x.im.round_ties_even())
}

unary_table! { fabs, unary [f32, f64] => T, |x| x.abs() }
unary_table! { cbrt, unary_plain [f32, f64] => T, |x| x.cbrt() }
unary_table! { degrees,
    unary [f32] => T, |x| x * (180.0 / std::f32::consts::PI);
    unary [f64] => T, |x| x * (180.0 / std::f64::consts::PI)
}
unary_table! { radians,
    unary [f32] => T, |x| x * (std::f32::consts::PI / 180.0);
    unary [f64] => T, |x| x * (std::f64::consts::PI / 180.0)
}
unary_table! { signbit, unary [f32, f64] => Bool, |x| Bool::from(x.is_sign_negative()) }

macro_rules! rounding {
    ($($name:ident |$x:ident| $body:expr;)*) => {$(
        unary_table! { $name,
            unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64] => T, |x| x;
            unary [f32, f64] => T, |$x| $body
        }
    )*};
}

rounding! {
    floor |x| x.floor();
    ceil |x| x.ceil();
    trunc |x| x.trunc();
}

binary_table! { arctan2, binary_plain [f32, f64] => T, |x, y| x.atan2(y) }
binary_table! { hypot, binary_plain [f32, f64] => T, |x, y| x.hypot(y) }
binary_table! { copysign, binary [f32, f64] => T, |x, y| x.copysign(y) }

binary_table! { heaviside,
    binary [f32, f64] => T,
        |x, y| if x.is_nan() { x } else if x == 0.0 { y } else if x < 0.0 { 0.0 } else { 1.0 }
}

/// The next float towards another.
trait Next {
    fn next_towards(self, other: Self) -> Self;
}

macro_rules! next {
    ($($float:ty)*) => {$(
        impl Next for $float {
            fn next_towards(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() {
                    self + other
                } else if self == other {
                    other
                } else if self < other {
                    self.next_up()
                } else {
                    self.next_down()
                }
            }
        }
    )*};
}

next! { f32 f64 }

binary_table! { nextafter, binary_plain [f32, f64] => T, |x, y| x.next_towards(y) }

// The larger of both is taken out, so that nothing overflows; equal infinities have no difference.
binary_table! { logaddexp,
    binary_plain [f32] => T, |x, y| if x == y { x + std::f32::consts::LN_2 } else {
        let difference = x - y;
        if difference > 0.0 {
            x + (-difference).exp().ln_1p()
        } else if difference <= 0.0 {
            y + difference.exp().ln_1p()
        } else {
            difference
        }
    };
    binary_plain [f64] => T, |x, y| if x == y { x + std::f64::consts::LN_2 } else {
        let difference = x - y;
        if difference > 0.0 {
            x + (-difference).exp().ln_1p()
        } else if difference <= 0.0 {
            y + difference.exp().ln_1p()
        } else {
            difference
        }
    }
}

binary_table! { logaddexp2,
    binary_plain [f32] => T, |x, y| if x == y { x + 1.0 } else {
        let difference = x - y;
        if difference > 0.0 {
            x + std::f32::consts::LOG2_E * (-difference).exp2().ln_1p()
        } else if difference <= 0.0 {
            y + std::f32::consts::LOG2_E * difference.exp2().ln_1p()
        } else {
            difference
        }
    };
    binary_plain [f64] => T, |x, y| if x == y { x + 1.0 } else {
        let difference = x - y;
        if difference > 0.0 {
            x + std::f64::consts::LOG2_E * (-difference).exp2().ln_1p()
        } else if difference <= 0.0 {
            y + std::f64::consts::LOG2_E * difference.exp2().ln_1p()
        } else {
            difference
        }
    }
}
