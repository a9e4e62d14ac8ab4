//! The types of expressions: NumPy's promotion and pandas' missing values.

use arrow::datatypes::{DataType, Schema, TimeUnit};

use crate::error::{FrameError, Result};
use crate::scalar::{Function, Literal, Scalar};

/// The type of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The type of its values.
    pub data_type: DataType,
    /// Whether values can be missing.
    pub nullable: bool,
}

impl Typed {
    fn new(data_type: DataType, nullable: bool) -> Self {
        Self { data_type, nullable }
    }
}

/// Text as relations hold it.
pub(crate) const TEXT: DataType = DataType::Utf8View;

/// The type that relations hold for a type of a file or of memory; `None` where it is the same.
pub(crate) fn canonical(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => Some(TEXT),
        DataType::Binary | DataType::LargeBinary => Some(DataType::BinaryView),
        _ => None,
    }
}

pub(crate) fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8 => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Booleans and integers: what pandas cannot hold a missing value in.
pub(crate) fn is_whole(data_type: &DataType) -> bool {
    *data_type == DataType::Boolean || data_type.is_integer()
}

fn is_number(data_type: &DataType) -> bool {
    is_whole(data_type) || is_float(data_type)
}

/// The type and nullability of `scalar` over a relation.
pub(crate) fn of(scalar: &Scalar, schema: &Schema) -> Result<Typed> {
    match scalar {
        Scalar::Column(name) => {
            let field = schema.field_with_name(name).map_err(|_| {
                FrameError::missing(
                    "an expression",
                    name,
                    schema.fields().iter().map(|field| field.name().as_str()),
                )
            })?;
            Ok(Typed::new(field.data_type().clone(), field.is_nullable()))
        }
        Scalar::Literal(literal) => Ok(literal_type(literal)),
        Scalar::Parameter { data_type, nullable, .. } => {
            Ok(Typed::new(data_type.clone(), *nullable))
        }
        Scalar::Cast { input, to } => cast_type(&of(input, schema)?, to),
        Scalar::IsIn { input, values } => {
            let typed = of(input, schema)?;
            plain("isin", &typed)?;
            for value in values.iter() {
                let common = operand(Function::Equal, &typed, &literal_type(value), Some(value))?;
                if is_whole(&typed.data_type) && common != typed.data_type {
                    return Err(FrameError::unsupported(
                        "isin",
                        format!("of {} and {}", typed.data_type, literal_type(value).data_type),
                    ));
                }
            }
            Ok(Typed::new(DataType::Boolean, false))
        }
        Scalar::Call { function, arguments } => call_type(*function, arguments, schema),
    }
}

fn literal_type(literal: &Literal) -> Typed {
    let data_type = match literal {
        Literal::Missing => return Typed::new(DataType::Null, true),
        Literal::Boolean(_) => DataType::Boolean,
        Literal::Integer(_) => DataType::Int64,
        Literal::Float(_) => DataType::Float64,
        Literal::Text(_) => TEXT,
        Literal::Timestamp(_, unit, zone) => {
            DataType::Timestamp((*unit).into(), zone.as_deref().map(Into::into))
        }
        Literal::Duration(_, unit) => DataType::Duration((*unit).into()),
        Literal::Date(_) => DataType::Date32,
    };
    Typed::new(data_type, false)
}

fn cast_type(from: &Typed, to: &DataType) -> Result<Typed> {
    let refuse = |reason: &str| {
        Err(FrameError::unsupported("astype", format!("{} to {to}: {reason}", from.data_type)))
    };
    if from.data_type == *to {
        return Ok(from.clone());
    }
    let known = match (&from.data_type, to) {
        (left, right) if is_whole(left) && is_number(right) => {
            if from.nullable && !is_float(right) {
                return refuse("values may be missing");
            }
            true
        }
        (left, right) if is_float(left) && is_float(right) => true,
        // A value that was computed, and is missing.
        (DataType::Null, DataType::Float64) => true,
        (DataType::Timestamp(_, left), DataType::Timestamp(_, right)) => left == right,
        (DataType::Dictionary(_, values), right) => is_text(values) && *right == TEXT,
        (DataType::Decimal128(..), DataType::Float64) => true,
        (DataType::Date32, DataType::Timestamp(_, None)) => true,
        _ => false,
    };
    match known {
        true => Ok(Typed::new(to.clone(), from.nullable)),
        false => refuse("pandas' rules for it are not the engine's"),
    }
}

/// Integers and booleans with missing values are floats or objects in pandas, depending on the
/// data.
fn plain(operation: &str, typed: &Typed) -> Result<()> {
    if typed.nullable && is_whole(&typed.data_type) {
        return Err(FrameError::unsupported(
            operation,
            format!("{} with missing values has no dtype of its own", typed.data_type),
        ));
    }
    Ok(())
}

fn call_type(function: Function, arguments: &[Scalar], schema: &Schema) -> Result<Typed> {
    use Function::*;
    let types: Vec<Typed> =
        arguments.iter().map(|argument| of(argument, schema)).collect::<Result<_>>()?;
    let operation = function.name();
    let unsupported = || {
        let names: Vec<String> = types.iter().map(|typed| typed.data_type.to_string()).collect();
        FrameError::unsupported(operation, format!("of {}", names.join(", ")))
    };
    let compares = matches!(function, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual);
    // A missing integer compares as NaN does, whose float holds integers of 32 bits exactly.
    let exempt = |typed: &Typed| {
        compares && typed.data_type.is_integer() && typed.data_type.primitive_width() <= Some(4)
    };
    if !matches!(function, IsMissing | NotMissing | Fill | OrZero | Choose) {
        let mut judged = types.iter().filter(|typed| !exempt(typed));
        judged.try_for_each(|typed| plain(operation, typed))?;
    }
    let Some(first) = types.first() else { return Err(unsupported()) };
    let nullable = types.iter().any(|typed| typed.nullable);
    let typed = match function {
        Add | Subtract | Multiply | Divide | FloorDivide | Modulo | Power => {
            return arithmetic(function, arguments, &types);
        }
        Negate | Absolute => match &first.data_type {
            DataType::Int64 | DataType::Int32 | DataType::Float64 | DataType::Float32 => {
                first.clone()
            }
            _ => return Err(unsupported()),
        },
        Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => {
            pair(function, arguments, &types)?;
            Typed::new(DataType::Boolean, false)
        }
        And | Or | Xor | Not => {
            if types.iter().any(|typed| typed.data_type != DataType::Boolean) {
                return Err(unsupported());
            }
            Typed::new(DataType::Boolean, false)
        }
        IsMissing | NotMissing => Typed::new(DataType::Boolean, false),
        Fill => {
            let is_filled = is_float(&first.data_type)
                || first.data_type == TEXT
                || matches!(first.data_type, DataType::Timestamp(..))
                || (is_whole(&first.data_type) && !first.nullable);
            if !is_filled {
                return Err(unsupported());
            }
            let partner = pair(function, arguments, &types)?;
            if partner != first.data_type {
                return Err(unsupported());
            }
            Typed::new(partner, types[1].nullable)
        }
        OrZero => match &first.data_type {
            number if number.is_integer() || is_float(number) => Typed::new(number.clone(), false),
            _ => return Err(unsupported()),
        },
        Choose => {
            if first.data_type != DataType::Boolean || first.nullable {
                return Err(unsupported());
            }
            let data_type = pair(function, &arguments[1..], &types[1..])?;
            types[1..].iter().try_for_each(|typed| plain(operation, typed))?;
            if is_whole(&data_type) && types[1..].iter().any(|typed| typed.nullable) {
                return Err(unsupported());
            }
            Typed::new(data_type, types[1].nullable || types[2].nullable)
        }
        SquareRoot | Exponential | Logarithm | Floor | Ceiling => match &first.data_type {
            DataType::Float64 => Typed::new(DataType::Float64, true),
            DataType::Int64 | DataType::Int32 | DataType::UInt32 | DataType::UInt64
                if !matches!(function, Floor | Ceiling) =>
            {
                Typed::new(DataType::Float64, true)
            }
            _ => return Err(unsupported()),
        },
        Lower | Upper | Slice | Replace => {
            text(first).ok_or_else(unsupported)?;
            Typed::new(TEXT, nullable)
        }
        Length => {
            text(first).ok_or_else(unsupported)?;
            Typed::new(DataType::Int64, nullable)
        }
        StartsWith | EndsWith | Contains | Matches => {
            text(first).ok_or_else(unsupported)?;
            Typed::new(DataType::Boolean, false)
        }
        Year | Month | Day | Hour | Minute | Second | Quarter | Weekday | DayOfYear => {
            match &first.data_type {
                DataType::Timestamp(..) => Typed::new(DataType::Int32, nullable),
                _ => return Err(unsupported()),
            }
        }
    };
    Ok(typed)
}

fn text(typed: &Typed) -> Option<()> {
    (typed.data_type == TEXT).then_some(())
}

fn arithmetic(function: Function, arguments: &[Scalar], types: &[Typed]) -> Result<Typed> {
    use Function::*;
    let unsupported = || {
        FrameError::unsupported(
            function.name(),
            format!("of {} and {}", types[0].data_type, types[1].data_type),
        )
    };
    let operand = pair(function, arguments, types)?;
    let nullable = types.iter().any(|typed| typed.nullable);
    let result = match (function, &operand) {
        (Subtract, DataType::Timestamp(unit, _)) => {
            return Ok(Typed::new(DataType::Duration(*unit), nullable));
        }
        (Add | Subtract | Multiply, DataType::Boolean) => return Err(unsupported()),
        (_, DataType::Float32 | DataType::Float64)
            if !matches!(function, FloorDivide | Modulo | Power)
                || operand == DataType::Float64 =>
        {
            return Ok(Typed::new(operand, true));
        }
        (Add | Subtract | Multiply, whole) if whole.is_integer() => whole.clone(),
        (FloorDivide | Modulo, DataType::Int64 | DataType::Int32) => match &arguments[1] {
            Scalar::Literal(Literal::Integer(value)) if *value > 0 => operand,
            _ => return Err(unsupported()),
        },
        _ => return Err(unsupported()),
    };
    Ok(Typed::new(result, nullable))
}

/// The type as which both of two arguments are taken.
pub(crate) fn pair(function: Function, arguments: &[Scalar], types: &[Typed]) -> Result<DataType> {
    let literal = |position: usize| match &arguments[position] {
        Scalar::Literal(literal) => Some(literal),
        _ => None,
    };
    match (literal(0), literal(1)) {
        (Some(weak), None) => operand(function, &types[1], &types[0], Some(weak)),
        (_, weak) => operand(function, &types[0], &types[1], weak),
    }
}

/// The type as which two values are taken; a literal `weak` takes its partner's type where it
/// fits.
fn operand(
    function: Function,
    strong: &Typed,
    other: &Typed,
    weak: Option<&Literal>,
) -> Result<DataType> {
    let (left, right) = (&strong.data_type, &other.data_type);
    let unsupported = || FrameError::unsupported(function.name(), format!("of {left} and {right}"));
    let divides = function == Function::Divide;
    let numbers = is_number(left) && is_number(right);
    if numbers && divides {
        // NumPy divides single floats as such.
        let single = *left == DataType::Float32 && (weak.is_some() || right == left);
        return Ok(if single { DataType::Float32 } else { DataType::Float64 });
    }
    match weak {
        Some(Literal::Missing) => match function {
            Function::Fill | Function::Choose if !is_whole(left) => Ok(left.clone()),
            _ => Err(unsupported()),
        },
        Some(Literal::Integer(value)) if is_number(left) => match left {
            DataType::Boolean => Ok(DataType::Int64),
            _ if fits(*value, left) => Ok(left.clone()),
            _ => Err(unsupported()),
        },
        Some(Literal::Float(_)) if is_float(left) => Ok(left.clone()),
        Some(Literal::Float(_)) if is_number(left) && function != Function::Fill => {
            Ok(DataType::Float64)
        }
        Some(Literal::Boolean(_)) if *left == DataType::Boolean => Ok(DataType::Boolean),
        Some(Literal::Text(_)) if is_text(left) => match function {
            Function::Equal | Function::NotEqual => Ok(TEXT),
            _ if *left == TEXT => Ok(TEXT),
            _ => Err(unsupported()),
        },
        Some(Literal::Timestamp(value, unit, zone)) => match left {
            DataType::Timestamp(into, own)
                if own.is_some() == zone.is_some()
                    && converted(*value, (*unit).into(), *into).is_some() =>
            {
                Ok(left.clone())
            }
            _ => Err(unsupported()),
        },
        Some(Literal::Duration(value, unit)) => match left {
            DataType::Duration(into) if converted(*value, (*unit).into(), *into).is_some() => {
                Ok(left.clone())
            }
            _ => Err(unsupported()),
        },
        _ if numbers => promote(left, right).ok_or_else(unsupported),
        _ if left == right => match left {
            DataType::Utf8View => Ok(TEXT),
            DataType::Timestamp(..) | DataType::Duration(_) => Ok(left.clone()),
            _ => Err(unsupported()),
        },
        _ => Err(unsupported()),
    }
}

fn fits(value: i64, data_type: &DataType) -> bool {
    match data_type {
        DataType::Int8 => i8::try_from(value).is_ok(),
        DataType::Int16 => i16::try_from(value).is_ok(),
        DataType::Int32 => i32::try_from(value).is_ok(),
        DataType::UInt8 => u8::try_from(value).is_ok(),
        DataType::UInt16 => u16::try_from(value).is_ok(),
        DataType::UInt32 => u32::try_from(value).is_ok(),
        DataType::UInt64 => value >= 0,
        // Beyond 2^53 a float no longer tells neighbours apart.
        DataType::Float32 => value.unsigned_abs() <= 1 << 24,
        DataType::Float64 => value.unsigned_abs() <= 1 << 53,
        _ => true,
    }
}

/// A number of one unit of time in another, where that is exact.
pub(crate) fn converted(value: i64, from: TimeUnit, into: TimeUnit) -> Option<i64> {
    let (from, into) = (per_second(from), per_second(into));
    match into >= from {
        true => value.checked_mul(into / from),
        false => (value % (from / into) == 0).then(|| value / (from / into)),
    }
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// NumPy's promotion of two types of numbers.
pub(crate) fn promote(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::*;
    if left == right {
        return Some(left.clone());
    }
    let bits = |data_type: &DataType| data_type.primitive_width().map(|bytes| bytes * 8);
    Some(match (left, right) {
        (Boolean, other) | (other, Boolean) => other.clone(),
        (Float64, _) | (_, Float64) => Float64,
        (Float32, other) | (other, Float32) => match bits(other)? {
            8 | 16 => Float32,
            _ => Float64,
        },
        _ => {
            let (signed, unsigned) = match (left.is_signed_integer(), right.is_signed_integer()) {
                (true, true) | (false, false) => {
                    let wider = if bits(left)? >= bits(right)? { left } else { right };
                    return Some(wider.clone());
                }
                (true, false) => (left, right),
                (false, true) => (right, left),
            };
            match (bits(signed)?, bits(unsigned)?) {
                (_, 64) => Float64,
                (64, _) | (_, 32) => Int64,
                (32, _) | (_, 16) => Int32,
                _ => Int16,
            }
        }
    })
}
