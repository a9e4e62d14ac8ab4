//! Exponentials, logarithms, trigonometric and hyperbolic functions without branches, so that
//! loops over them become vectors.
//!
//! Each works where its argument is in a range that holds nearly all arguments; what is outside
//! (huge and tiny ones, infinities, what is no number) is left to the C library. Within the range
//! the error is below one unit in the last place for most functions and below two for all; a test
//! compares them with the C library's.
//!
//! The methods are the textbook ones (J.-M. Muller, *Elementary Functions*): the argument is
//! reduced exactly with a constant in several parts, and a polynomial that interpolates the function
//! at Chebyshev's points does the rest.

use std::f64::consts::{FRAC_2_PI, LOG2_E};

/// Adding and subtracting it rounds to a whole number, which then stands in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

const LN_2: f64 = std::f64::consts::LN_2;
const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
/// The first 40 bits of the logarithm of two, whose products with exponents are exact.
const LN_2_SHORT: f64 = 0.693_147_180_559_208_2;
const LN_2_SHORT_REST: f64 = 7.371_002_565_167_799e-13;
const LOG2_E_REST: f64 = 2.035_527_374_093_103_3e-17;
const LOG10_E: f64 = std::f64::consts::LOG10_E;
const LOG10_E_REST: f64 = 1.098_319_650_216_765e-17;
const LOG10_2_SHORT: f64 = 0.301_029_995_663_611_77;
const LOG10_2_SHORT_REST: f64 = 3.694_239_077_158_931e-13;
/// Half of pi in three parts.
const HALF_PI: [f64; 3] =
    [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];

/// `(exp(r) - 1 - r) / r^2` for `|r| <= ln(2) / 2`, up to 2^-61 of the exponential.
const EXP: [f64; 11] = [
    0.5,
    0.166_666_666_666_666_7,
    0.041_666_666_666_666_67,
    0.008_333_333_333_326_136,
    0.001_388_888_888_888_374_8,
    0.000_198_412_698_748_206_27,
    2.480_158_732_554_774_3e-5,
    2.755_725_540_020_642_2e-6,
    2.755_727_364_311_03e-7,
    2.510_521_700_472_074_5e-8,
    2.091_468_696_808_687_6e-9,
];

/// `(ln((1 + s) / (1 - s)) / s - 2) / s^2` by `s^2`, for quotients between the roots of 1/2 and 2.
const LOG: [f64; 8] = [
    0.666_666_666_666_666_6,
    0.400_000_000_000_008_85,
    0.285_714_285_707_997_84,
    0.222_222_223_925_810_45,
    0.181_817_955_475_211_37,
    0.153_862_447_376_216_65,
    0.132_686_383_692_668_25,
    0.130_880_348_509_275_55,
];
/// The coefficients of [`LOG`] after the first, where that one is two thirds.
const POWER: [f64; 8] = [
    0.4,
    0.285_714_285_714_293_7,
    0.222_222_222_216_527_65,
    0.181_818_183_360_998_48,
    0.153_845_948_870_071_8,
    0.133_348_087_988_123_4,
    0.117_061_264_645_633_94,
    0.117_243_270_608_467_47,
];
const TWO_THIRDS: f64 = 2.0 / 3.0;
const TWO_THIRDS_REST: f64 = 3.700_743_415_417_188e-17;

/// `(sin(r) - r) / r^3` by `r^2`, for `|r| <= pi / 4`.
const SIN: [f64; 7] = [
    -0.166_666_666_666_666_66,
    0.008_333_333_333_333_331,
    -0.000_198_412_698_412_648_21,
    2.755_731_921_915_078_3e-6,
    -2.505_210_616_733_570_5e-8,
    1.605_852_134_995_498_6e-10,
    -7.586_094_789_672_621e-13,
];

/// `(cos(r) - 1 + r^2 / 2) / r^4` by `r^2`, for `|r| <= pi / 4`.
const COS: [f64; 6] = [
    0.041_666_666_666_666_664,
    -0.001_388_888_888_888_732_2,
    2.480_158_729_865_129_2e-5,
    -2.755_731_721_268_659e-7,
    2.087_613_402_409_014_5e-9,
    -1.138_175_465_366_293_7e-11,
];

#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    // Pairs, and pairs of pairs (Estrin's scheme): few operations wait for one another.
    let pair = |place: usize| {
        if place + 1 < N {
            coefficients[place + 1].mul_add(x, coefficients[place])
        } else {
            coefficients[place]
        }
    };
    let square = x * x;
    let four = |place: usize| {
        if place + 2 < N { pair(place + 2).mul_add(square, pair(place)) } else { pair(place) }
    };
    let fourth = square * square;
    let high = if N > 8 { four(8).mul_add(fourth, four(4)) } else { four(4) };
    high.mul_add(fourth, four(0))
}

/// The nearest whole number, as a float and as bits whose lowest ones are the integer's.
#[inline(always)]
fn nearest(x: f64) -> (f64, u64) {
    let shifted = x + ROUND;
    (shifted - ROUND, shifted.to_bits())
}

/// Two to a power that [`nearest`] has found, of a normal float.
#[inline(always)]
fn power_of_two(bits: u64) -> f64 {
    f64::from_bits(bits.wrapping_add(1023) << 52)
}

/// `x * 2^k`, with the exponent added to that of `x`: both have to be normal floats.
#[inline(always)]
fn scale(x: f64, bits: u64) -> f64 {
    f64::from_bits(x.to_bits().wrapping_add(bits << 52))
}

/// The sum, and what rounding has lost, where `|a| >= |b|`.
#[inline(always)]
fn fast_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// The sum, and what rounding has lost.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let shadow = sum - a;
    (sum, (a - (sum - shadow)) + (b - shadow))
}

/// The product, and what rounding has lost.
#[inline(always)]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

/// `exp(r + rest) - 1 - r` for a reduced argument.
#[inline(always)]
fn exp_tail(r: f64, rest: f64) -> f64 {
    (r * r).mul_add(polynomial(&EXP, r), rest)
}

/// One and two more, the first the larger one, rounded once: powers that are whole come out whole.
#[inline(always)]
fn one_and(r: f64, tail: f64) -> f64 {
    let (sum, lost) = fast_sum(1.0, r);
    sum + (lost + tail)
}

/// What `x` is beyond a multiple of the logarithm of two, and how many multiples.
#[inline(always)]
fn reduce_exp(x: f64) -> (f64, f64, u64) {
    let (k, bits) = nearest(x * LOG2_E);
    let (product, lost) = two_product(k, LN_2);
    let (r, rest) = fast_sum(x - product, -k.mul_add(LN_2_REST, lost));
    (r, rest, bits)
}

#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let (r, rest, bits) = reduce_exp(x);
    scale(one_and(r, exp_tail(r, rest)), bits)
}

#[inline(always)]
pub(super) fn exp2(x: f64) -> f64 {
    let (k, bits) = nearest(x);
    let (r, lost) = two_product(x - k, LN_2);
    scale(one_and(r, exp_tail(r, (x - k).mul_add(LN_2_REST, lost))), bits)
}

#[inline(always)]
pub(super) fn exp_m1(x: f64) -> f64 {
    let (r, rest, bits) = reduce_exp(x);
    let power = power_of_two(bits);
    let (sum, lost) = two_sum(power - 1.0, power * r);
    sum + power.mul_add(exp_tail(r, rest), lost)
}

/// The exponent of a normal float and its fraction, between the roots of 1/2 and 2.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    const ROOT: u64 = 0x3fe6_a09e_667f_3bcd;
    let shifted = x.to_bits().wrapping_sub(ROOT);
    let exponent = (shifted as i64) >> 52;
    let fraction = f64::from_bits(x.to_bits().wrapping_sub((exponent as u64) << 52));
    // By bits, since not every processor converts vectors of 64-bit integers.
    let float = f64::from_bits(ROUND.to_bits().wrapping_add(exponent as u64)) - ROUND;
    (float, fraction)
}

/// `ln(1 + f)` as a sum of `f`, what is returned first, and nothing else: `-f^2 / 2 + ...`.
#[inline(always)]
fn log_rest(f: f64) -> (f64, f64) {
    let s = f / (2.0 + f);
    let z = s * s;
    let half = 0.5 * f * f;
    (half, s * z.mul_add(polynomial(&LOG, z), half))
}

#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    let (k, m) = split(x);
    let f = m - 1.0;
    let (half, rest) = log_rest(f);
    k.mul_add(LN_2_SHORT, f - (half - k.mul_add(LN_2_SHORT_REST, rest)))
}

/// `ln(x)` for a fraction near one, in two parts.
#[inline(always)]
fn ln_fraction(m: f64) -> (f64, f64) {
    let f = m - 1.0;
    let (half, lost) = two_product(0.5 * f, f);
    let s = f / (2.0 + f);
    let z = s * s;
    let rest = s * z.mul_add(polynomial(&LOG, z), half);
    let (high, low) = fast_sum(f, -half);
    (high, low + (rest - lost))
}

#[inline(always)]
pub(super) fn log2(x: f64) -> f64 {
    let (k, m) = split(x);
    let (high, low) = ln_fraction(m);
    let (product, lost) = two_product(high, LOG2_E);
    let tail = high.mul_add(LOG2_E_REST, low.mul_add(LOG2_E, lost));
    let (sum, more) = two_sum(k, product);
    sum + (more + tail)
}

#[inline(always)]
pub(super) fn log10(x: f64) -> f64 {
    let (k, m) = split(x);
    let (high, low) = ln_fraction(m);
    let (product, lost) = two_product(high, LOG10_E);
    let tail = high.mul_add(LOG10_E_REST, low.mul_add(LOG10_E, lost));
    let (sum, more) = two_sum(k * LOG10_2_SHORT, product);
    sum + (more + k.mul_add(LOG10_2_SHORT_REST, tail))
}

#[inline(always)]
pub(super) fn ln_1p(x: f64) -> f64 {
    let (u, lost) = two_sum(1.0, x);
    let (k, m) = split(u);
    // Near zero one plus `x` has lost digits, which `x` itself has.
    let near = k == 0.0;
    let f = if near { x } else { m - 1.0 };
    let correction = if near { 0.0 } else { lost / u };
    let (half, rest) = log_rest(f);
    let rest = k.mul_add(LN_2_SHORT_REST, rest + correction);
    k.mul_add(LN_2_SHORT, f - (half - rest))
}

/// What an angle is beyond a multiple of half of pi, in two parts, and how many multiples.
#[inline(always)]
fn reduce_angle(x: f64) -> (f64, f64, u64) {
    let (k, bits) = nearest(x * FRAC_2_PI);
    let (product, lost) = two_product(k, HALF_PI[0]);
    let (sum, first) = two_sum(x - product, -lost);
    let (product, lost) = two_product(k, HALF_PI[1]);
    let (sum, second) = two_sum(sum, -product);
    let rest = (first + second) - k.mul_add(HALF_PI[2], lost);
    let (r, rest) = fast_sum(sum, rest);
    (r, rest, bits)
}

/// The sine and the cosine of a reduced angle, each in two parts.
#[inline(always)]
fn sin_cos_reduced(r: f64, rest: f64) -> ((f64, f64), (f64, f64)) {
    let z = r * r;
    // To first order in the rest: sin(r + t) = sin(r) + t cos(r), cos(r + t) = cos(r) - t sin(r).
    let slope = z.mul_add(-0.5, 1.0);
    let sin = fast_sum(r, (z * r).mul_add(polynomial(&SIN, z), rest * slope));
    let (high, low) = fast_sum(1.0, -0.5 * z);
    let cos = fast_sum(high, (z * z).mul_add(polynomial(&COS, z), r.mul_add(-rest, low)));
    (sin, cos)
}

/// The sine of an angle `quarters` of a turn later.
#[inline(always)]
fn sin_later(x: f64, quarters: u64) -> f64 {
    let (r, rest, bits) = reduce_angle(x);
    let (sin, cos) = sin_cos_reduced(r, rest);
    let turned = bits.wrapping_add(quarters);
    let value = if turned & 1 == 0 { sin.0 } else { cos.0 };
    f64::from_bits(value.to_bits() ^ ((turned & 2) << 62))
}

#[inline(always)]
pub(super) fn sin(x: f64) -> f64 {
    sin_later(x, 0)
}

#[inline(always)]
pub(super) fn cos(x: f64) -> f64 {
    sin_later(x, 1)
}

#[inline(always)]
pub(super) fn tan(x: f64) -> f64 {
    let (r, rest, bits) = reduce_angle(x);
    let (sin, cos) = sin_cos_reduced(r, rest);
    let odd = bits & 1 == 1;
    let above = if odd { (-cos.0, -cos.1) } else { sin };
    let below = if odd { sin } else { cos };
    let inverse = 1.0 / below.0;
    let quotient = above.0 * inverse;
    let missing = (-quotient).mul_add(below.0, above.0);
    inverse.mul_add(missing + (-quotient).mul_add(below.1, above.1), quotient)
}

#[inline(always)]
pub(super) fn tanh(x: f64) -> f64 {
    let size = x.abs();
    let t = exp_m1(2.0 * size);
    let (sum, lost) = two_sum(2.0, t);
    let inverse = 1.0 / sum;
    let quotient = t * inverse;
    let missing = (-quotient).mul_add(lost, (-quotient).mul_add(sum, t));
    inverse.mul_add(missing, quotient).copysign(x)
}

#[inline(always)]
pub(super) fn sinh(x: f64) -> f64 {
    let t = exp_m1(x.abs());
    (0.5 * (t + t / (t + 1.0))).copysign(x)
}

#[inline(always)]
pub(super) fn cosh(x: f64) -> f64 {
    let t = exp(x.abs());
    0.5 * t + 0.5 / t
}

/// `|x|` to a power, with the sign of `x` where the power is odd. The second result is the
/// logarithm of the first.
#[inline(always)]
pub(super) fn power(x: f64, y: f64) -> (f64, f64) {
    let (k, m) = split(x.abs());
    let f = m - 1.0;
    // The logarithm to some 66 bits, since its error counts times its product with `y`.
    let (d, d_rest) = two_sum(2.0, f);
    let s = f / d;
    let s_rest = ((-s).mul_add(d, f) - s * d_rest) / d;
    let (z, z_lost) = two_product(s, s);
    let z_rest = (2.0 * s).mul_add(s_rest, z_lost);
    let (q, q_lost) = two_product(z, TWO_THIRDS);
    let q_rest = z.mul_add(TWO_THIRDS_REST, z_rest.mul_add(TWO_THIRDS, q_lost));
    let more = z * z * polynomial(&POWER, z);
    let (w, w_lost) = fast_sum(q, more);
    let w_rest = w_lost + q_rest;
    let (p, p_lost) = two_product(s, w);
    let p_rest = s.mul_add(w_rest, s_rest.mul_add(w, p_lost));
    let (sum, lost) = fast_sum(2.0 * s, p);
    let (log, rest) = two_sum(k * LN_2_SHORT, sum);
    let rest = rest + (k.mul_add(LN_2_SHORT_REST, 2.0 * s_rest) + (lost + p_rest));
    let (log, rest) = fast_sum(log, rest);
    let (exponent, lost) = two_product(y, log);
    let (r, r_rest, bits) = reduce_exp(exponent);
    let (r, rest) = fast_sum(r, r_rest + y.mul_add(rest, lost));
    let result = scale(one_and(r, exp_tail(r, rest)), bits);
    let half = 0.5 * y;
    let odd = half != half.trunc();
    let sign = if odd { x.to_bits() & (1 << 63) } else { 0 };
    (f64::from_bits(result.to_bits() | sign), exponent)
}
