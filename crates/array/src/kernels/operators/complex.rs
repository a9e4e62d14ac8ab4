//! What complex numbers need beyond their own methods.

use num_complex::Complex;

/// Functions of complex numbers with NumPy's algorithms.
pub(super) trait ComplexMath: Sized {
    /// The natural logarithm of 2, and those of e to the bases 2 and 10.
    type Real;
    const LN_2: Self::Real;
    const LOG2_E: Self::Real;
    const LOG10_E: Self::Real;
    fn quotient(self, other: Self) -> Self;
    fn inverse(self) -> Self;
    fn direction(self) -> Self;
    fn raise_to(self, exponent: Self) -> Self;
    fn exponential(self) -> Self;
    fn exponential_minus_one(self) -> Self;
    fn logarithm(self) -> Self;
    fn logarithm_of_one_plus(self) -> Self;
}

macro_rules! complex_math {
    ($($real:ident)*) => {$(
        impl ComplexMath for Complex<$real> {
            type Real = $real;
            const LN_2: $real = std::$real::consts::LN_2;
            const LOG2_E: $real = std::$real::consts::LOG2_E;
            const LOG10_E: $real = std::$real::consts::LOG10_E;

            /// Smith's algorithm, which does not overflow in between.
            fn quotient(self, other: Self) -> Self {
                let (re, im) = (other.re.abs(), other.im.abs());
                if re >= im {
                    if re == 0.0 && im == 0.0 {
                        return Self::new(self.re / re, self.im / re);
                    }
                    let ratio = other.im / other.re;
                    let scale = 1.0 / (other.re + other.im * ratio);
                    Self::new(
                        (self.re + self.im * ratio) * scale,
                        (self.im - self.re * ratio) * scale,
                    )
                } else {
                    let ratio = other.re / other.im;
                    let scale = 1.0 / (other.im + other.re * ratio);
                    Self::new(
                        (self.re * ratio + self.im) * scale,
                        (self.im * ratio - self.re) * scale,
                    )
                }
            }

            fn inverse(self) -> Self {
                if self.im.abs() <= self.re.abs() {
                    let ratio = self.im / self.re;
                    let divisor = self.re + self.im * ratio;
                    Self::new(1.0 / divisor, -ratio / divisor)
                } else {
                    let ratio = self.re / self.im;
                    let divisor = self.re * ratio + self.im;
                    Self::new(ratio / divisor, -1.0 / divisor)
                }
            }

            fn direction(self) -> Self {
                let length = self.re.hypot(self.im);
                if length.is_nan() {
                    Self::new(<$real>::NAN, <$real>::NAN)
                } else if length == 0.0 {
                    Self::new(0.0, 0.0)
                } else if length.is_infinite() {
                    let unit = |part: $real| if part.is_infinite() { part.signum() } else { 0.0 };
                    match (self.re.is_infinite(), self.im.is_infinite()) {
                        (true, true) => Self::new(<$real>::NAN, <$real>::NAN),
                        _ => Self::new(unit(self.re), unit(self.im)),
                    }
                } else {
                    Self::new(self.re / length, self.im / length)
                }
            }

            fn raise_to(self, exponent: Self) -> Self {
                if exponent.re == 0.0 && exponent.im == 0.0 {
                    return Self::new(1.0, 0.0);
                }
                if self.re == 0.0 && self.im == 0.0 {
                    return if exponent.re > 0.0 {
                        Self::new(0.0, 0.0)
                    } else {
                        Self::new(<$real>::NAN, <$real>::NAN)
                    };
                }
                if exponent.im == 0.0 && exponent.re.fract() == 0.0 && exponent.re.abs() < 100.0 {
                    let (mut left, mut base) = (exponent.re.abs() as u32, self);
                    let mut result = Self::new(1.0, 0.0);
                    // NumPy begins with one, but for the first three powers; it makes a difference
                    // for infinities.
                    let mut first = exponent.re > 0.0 && exponent.re < 4.0;
                    while left > 0 {
                        if left & 1 != 0 {
                            result = if first { base } else { result * base };
                            first = false;
                        }
                        base = base * base;
                        left >>= 1;
                    }
                    return if exponent.re < 0.0 {
                        Self::new(1.0, 0.0).quotient(result)
                    } else {
                        result
                    };
                }
                self.c_pow(exponent)
            }

            fn exponential(self) -> Self {
                let length = self.re.exp();
                if self.im == 0.0 {
                    return Self::new(length, self.im);
                }
                if self.re == <$real>::NEG_INFINITY && !self.im.is_finite() {
                    return Self::new(0.0, 0.0);
                }
                if self.re == <$real>::INFINITY && !self.im.is_finite() {
                    return Self::new(<$real>::INFINITY, <$real>::NAN);
                }
                let (sin, cos) = self.im.sin_cos();
                if length.is_infinite() && self.re.is_finite() {
                    // A small sine or cosine may bring the product back into the range.
                    let root = (self.re / 2.0).exp();
                    return Self::new(root * cos * root, root * sin * root);
                }
                Self::new(length * cos, length * sin)
            }

            fn exponential_minus_one(self) -> Self {
                let half = (self.im / 2.0).sin();
                let (sin, cos) = self.im.sin_cos();
                let re = self.re.exp_m1() * cos - 2.0 * half * half;
                Self::new(re, self.re.exp() * sin)
            }

            fn logarithm(self) -> Self {
                Self::new(self.re.hypot(self.im).ln(), self.im.atan2(self.re))
            }

            fn logarithm_of_one_plus(self) -> Self {
                let shifted = self.re + 1.0;
                Self::new(shifted.hypot(self.im).ln(), self.im.atan2(shifted))
            }
        }
    )*};
}

complex_math! { f32 f64 }

/// The C library's functions, which treat infinities and what is not a number as its standard asks.
pub(super) trait Library: Copy {
    fn c_pow(self, exponent: Self) -> Self;
    fn c_sqrt(self) -> Self;
    fn c_sin(self) -> Self;
    fn c_cos(self) -> Self;
    fn c_tan(self) -> Self;
    fn c_asin(self) -> Self;
    fn c_acos(self) -> Self;
    fn c_atan(self) -> Self;
    fn c_sinh(self) -> Self;
    fn c_cosh(self) -> Self;
    fn c_tanh(self) -> Self;
    fn c_asinh(self) -> Self;
    fn c_acosh(self) -> Self;
    fn c_atanh(self) -> Self;
}

#[cfg(unix)]
macro_rules! library {
    ($real:ident, $pow:ident, $($method:ident $function:ident)*) => {
        const _: () = {
            // A structure of two floats is passed and returned as a complex number is.
            unsafe extern "C" {
                fn $pow(x: Complex<$real>, y: Complex<$real>) -> Complex<$real>;
                $(fn $function(x: Complex<$real>) -> Complex<$real>;)*
            }

            impl Library for Complex<$real> {
                fn c_pow(self, exponent: Self) -> Self {
                    // SAFETY: a function of the C library that takes any numbers.
                    unsafe { $pow(self, exponent) }
                }
                $(fn $method(self) -> Self {
                    // SAFETY: a function of the C library that takes any number.
                    unsafe { $function(self) }
                })*
            }
        };
    };
}

#[cfg(unix)]
library! { f64, cpow,
    c_sqrt csqrt c_sin csin c_cos ccos c_tan ctan c_asin casin c_acos cacos c_atan catan
    c_sinh csinh c_cosh ccosh c_tanh ctanh c_asinh casinh c_acosh cacosh c_atanh catanh
}

#[cfg(unix)]
library! { f32, cpowf,
    c_sqrt csqrtf c_sin csinf c_cos ccosf c_tan ctanf c_asin casinf c_acos cacosf c_atan catanf
    c_sinh csinhf c_cosh ccoshf c_tanh ctanhf c_asinh casinhf c_acosh cacoshf c_atanh catanhf
}

#[cfg(not(unix))]
macro_rules! library {
    ($real:ident, $($method:ident $function:ident)*) => {
        impl Library for Complex<$real> {
            fn c_pow(self, exponent: Self) -> Self {
                self.powc(exponent)
            }
            $(fn $method(self) -> Self {
                self.$function()
            })*
        }
    };
}

#[cfg(not(unix))]
library! { f64,
    c_sqrt sqrt c_sin sin c_cos cos c_tan tan c_asin asin c_acos acos c_atan atan
    c_sinh sinh c_cosh cosh c_tanh tanh c_asinh asinh c_acosh acosh c_atanh atanh
}

#[cfg(not(unix))]
library! { f32,
    c_sqrt sqrt c_sin sin c_cos cos c_tan tan c_asin asin c_acos acos c_atan atan
    c_sinh sinh c_cosh cosh c_tanh tanh c_asinh asinh c_acosh acosh c_atanh atanh
}
