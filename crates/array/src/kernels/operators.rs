//! The loop of each operation for each dtype that it computes in. Half precision has none: it is
//! computed in single precision and rounded.

mod arithmetic;
mod compare;
pub(crate) use compare::Order;
mod complex;
mod elementary;
mod float;
mod guarded;
mod integer;
mod select;

use crate::dtype::DType;
use crate::kernels::loops::Kernel;
use crate::kernels::ufunc::{Loop, Ufunc};

/// The loop of an operation; `None` where there is none for these dtypes.
pub(crate) fn kernel(ufunc: Ufunc, chosen: &Loop) -> Option<Kernel> {
    let dtype = *chosen.inputs.last()?;
    let found = match ufunc {
        Ufunc::Add => arithmetic::add(dtype),
        Ufunc::Subtract => arithmetic::subtract(dtype),
        Ufunc::Multiply => arithmetic::multiply(dtype),
        Ufunc::TrueDivide => arithmetic::true_divide(dtype),
        Ufunc::FloorDivide => arithmetic::floor_divide(dtype),
        Ufunc::Remainder => arithmetic::remainder(dtype),
        Ufunc::Fmod => arithmetic::fmod(dtype),
        Ufunc::Power | Ufunc::FloatPower => {
            guarded::power(dtype).or_else(|| arithmetic::power(dtype))
        }
        Ufunc::Negative => arithmetic::negative(dtype),
        Ufunc::Positive => arithmetic::positive(dtype),
        Ufunc::Absolute => arithmetic::absolute(dtype),
        Ufunc::Fabs => float::fabs(dtype),
        Ufunc::Sign => arithmetic::sign(dtype),
        Ufunc::Square => arithmetic::square(dtype),
        Ufunc::Reciprocal => arithmetic::reciprocal(dtype),
        Ufunc::Sqrt => float::sqrt(dtype),
        Ufunc::Cbrt => float::cbrt(dtype),
        Ufunc::Exp => guarded::exp(dtype).or_else(|| float::exp(dtype)),
        Ufunc::Exp2 => guarded::exp2(dtype).or_else(|| float::exp2(dtype)),
        Ufunc::Expm1 => guarded::expm1(dtype).or_else(|| float::expm1(dtype)),
        Ufunc::Log => guarded::log(dtype).or_else(|| float::log(dtype)),
        Ufunc::Log2 => guarded::log2(dtype).or_else(|| float::log2(dtype)),
        Ufunc::Log10 => guarded::log10(dtype).or_else(|| float::log10(dtype)),
        Ufunc::Log1p => guarded::log1p(dtype).or_else(|| float::log1p(dtype)),
        Ufunc::Sin => guarded::sin(dtype).or_else(|| float::sin(dtype)),
        Ufunc::Cos => guarded::cos(dtype).or_else(|| float::cos(dtype)),
        Ufunc::Tan => guarded::tan(dtype).or_else(|| float::tan(dtype)),
        Ufunc::Arcsin => float::arcsin(dtype),
        Ufunc::Arccos => float::arccos(dtype),
        Ufunc::Arctan => float::arctan(dtype),
        Ufunc::Sinh => guarded::sinh(dtype).or_else(|| float::sinh(dtype)),
        Ufunc::Cosh => guarded::cosh(dtype).or_else(|| float::cosh(dtype)),
        Ufunc::Tanh => guarded::tanh(dtype).or_else(|| float::tanh(dtype)),
        Ufunc::Arcsinh => float::arcsinh(dtype),
        Ufunc::Arccosh => float::arccosh(dtype),
        Ufunc::Arctanh => float::arctanh(dtype),
        Ufunc::Arctan2 => float::arctan2(dtype),
        Ufunc::Hypot => float::hypot(dtype),
        Ufunc::Degrees => float::degrees(dtype),
        Ufunc::Radians => float::radians(dtype),
        Ufunc::Floor => float::floor(dtype),
        Ufunc::Ceil => float::ceil(dtype),
        Ufunc::Trunc => float::trunc(dtype),
        Ufunc::Rint => float::rint(dtype),
        Ufunc::Copysign => float::copysign(dtype),
        Ufunc::Nextafter => float::nextafter(dtype),
        Ufunc::Heaviside => float::heaviside(dtype),
        Ufunc::Logaddexp => float::logaddexp(dtype),
        Ufunc::Logaddexp2 => float::logaddexp2(dtype),
        Ufunc::Maximum => compare::maximum(dtype),
        Ufunc::Minimum => compare::minimum(dtype),
        Ufunc::Fmax => compare::fmax(dtype),
        Ufunc::Fmin => compare::fmin(dtype),
        Ufunc::Equal
        | Ufunc::NotEqual
        | Ufunc::Less
        | Ufunc::LessEqual
        | Ufunc::Greater
        | Ufunc::GreaterEqual => return compare::comparison(ufunc, chosen.inputs[0], dtype),
        Ufunc::LogicalAnd => integer::logical_and(dtype),
        Ufunc::LogicalOr => integer::logical_or(dtype),
        Ufunc::LogicalXor => integer::logical_xor(dtype),
        Ufunc::LogicalNot => integer::logical_not(dtype),
        Ufunc::BitwiseAnd => integer::bitwise_and(dtype),
        Ufunc::BitwiseOr => integer::bitwise_or(dtype),
        Ufunc::BitwiseXor => integer::bitwise_xor(dtype),
        Ufunc::Invert => integer::invert(dtype),
        Ufunc::LeftShift => integer::left_shift(dtype),
        Ufunc::RightShift => integer::right_shift(dtype),
        Ufunc::Isnan => compare::isnan(dtype),
        Ufunc::Isinf => compare::isinf(dtype),
        Ufunc::Isfinite => compare::isfinite(dtype),
        Ufunc::Signbit => float::signbit(dtype),
        Ufunc::Conjugate => arithmetic::conjugate(dtype),
        Ufunc::Real => arithmetic::real(dtype),
        Ufunc::Imag => arithmetic::imag(dtype),
        Ufunc::Where if chosen.inputs[0] == DType::Bool => select::choose(dtype),
        Ufunc::Where => None,
        Ufunc::Clip => select::clip(dtype),
        Ufunc::NanToZero => select::nan_to_zero(dtype),
        Ufunc::NanToOne => select::nan_to_one(dtype),
    };
    let uniform = chosen.inputs.iter().all(|input| *input == dtype) || ufunc == Ufunc::Where;
    found.filter(|_| uniform)
}
