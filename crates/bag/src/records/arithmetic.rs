//! Arithmetic with Python's meaning.

use super::value::{Deviation, Number, Value};

/// An operator of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// The sum.
    Add,
    /// The difference.
    Subtract,
    /// The product.
    Multiply,
    /// The quotient, a float.
    Divide,
    /// The quotient of integers, rounded down.
    FloorDivide,
    /// What such a division leaves, with the sign of the divisor.
    Remainder,
}

const TOO_WIDE: Deviation = "an integer of more than 64 bits";
const BY_ZERO: Deviation = "a division by zero";
/// Integers up to here are floats without rounding.
const EXACT: u64 = 1 << 53;

pub(crate) fn compute(
    operator: Arithmetic,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<Value<'static>, Deviation> {
    let no_number = "a value that is no number";
    let left = left.number().ok_or(no_number)?;
    let right = right.number().ok_or(no_number)?;
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => of_integers(operator, left, right),
        (left, right) => of_floats(operator, left.as_float(), right.as_float()).map(Value::Float),
    }
}

fn of_integers(operator: Arithmetic, left: i64, right: i64) -> Result<Value<'static>, Deviation> {
    let floors = |quotient: i64, rest: i64| {
        // Rust rounds towards zero.
        if rest != 0 && (rest < 0) != (right < 0) {
            (quotient - 1, rest + right)
        } else {
            (quotient, rest)
        }
    };
    let divided = || {
        if right == 0 {
            return Err(BY_ZERO);
        }
        let quotient = left.checked_div(right).ok_or(TOO_WIDE)?;
        Ok(floors(quotient, left.checked_rem(right).ok_or(TOO_WIDE)?))
    };
    Ok(Value::Int(match operator {
        Arithmetic::Add => left.checked_add(right).ok_or(TOO_WIDE)?,
        Arithmetic::Subtract => left.checked_sub(right).ok_or(TOO_WIDE)?,
        Arithmetic::Multiply => left.checked_mul(right).ok_or(TOO_WIDE)?,
        Arithmetic::FloorDivide => divided()?.0,
        Arithmetic::Remainder => divided()?.1,
        Arithmetic::Divide => {
            if right == 0 {
                return Err(BY_ZERO);
            }
            if left.unsigned_abs() > EXACT || right.unsigned_abs() > EXACT {
                return Err("a quotient of large integers");
            }
            return Ok(Value::Float(left as f64 / right as f64));
        }
    }))
}

fn of_floats(operator: Arithmetic, left: f64, right: f64) -> Result<f64, Deviation> {
    Ok(match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide if right == 0.0 => return Err(BY_ZERO),
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder if right == 0.0 => return Err(BY_ZERO),
        Arithmetic::Remainder => {
            let rest = left % right;
            if rest == 0.0 {
                0.0f64.copysign(right)
            } else if (rest < 0.0) != (right < 0.0) {
                rest + right
            } else {
                rest
            }
        }
        Arithmetic::FloorDivide => return Err("floats that are divided and rounded"),
    })
}
