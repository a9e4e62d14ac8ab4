//! Expressions as the engine's, with pandas' meaning.
//!
//! Arrow orders floats totally: NaN is the greatest value, and negative zero is less than zero.
//! So floats that may be either are made comparable first, except where a literal bound does.

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Column, ScalarValue};
use datafusion::functions::expr_fn as functions;
use datafusion::logical_expr::{BinaryExpr, Case, Cast, Expr, Operator, binary_expr, lit, not};

use crate::error::{FrameError, Result};
use crate::functions as own;
use crate::scalar::{Function, Literal, Scalar};
use crate::types::{self, TEXT, Typed, is_float};

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The columns of the relation.
    pub(crate) schema: &'a Schema,
    /// Whether columns of floats may hold NaN: they come straight from a file.
    pub(crate) raw: bool,
}

/// An expression of the engine.
pub(crate) struct Lowered {
    pub(crate) expr: Expr,
    pub(crate) typed: Typed,
    /// Whether values may be NaN.
    pub(crate) nan: bool,
}

impl Lowered {
    /// The expression with NaN as missing.
    pub(crate) fn settled(self) -> Expr {
        match self.nan && is_float(&self.typed.data_type) {
            true => own::nan_missing(self.expr),
            false => self.expr,
        }
    }

    fn cast(self, to: &DataType) -> Self {
        if self.typed.data_type == *to {
            return self;
        }
        Self {
            expr: cast(self.expr, to),
            typed: Typed { data_type: to.clone(), nullable: self.typed.nullable },
            nan: self.nan && is_float(to),
        }
    }

    fn missing_possible(&self) -> bool {
        self.typed.nullable || self.nan
    }
}

/// A reference to a column, whatever its name looks like.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

pub(crate) fn cast(expr: Expr, to: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to.clone()))
}

/// A condition that only has to hold where `scalar` does: missing and false are the same.
pub(crate) fn condition(scalar: &Scalar, scope: Scope<'_>) -> Result<Expr> {
    use Function::*;
    match scalar {
        Scalar::Call { function: function @ (And | Or), arguments } => {
            let left = condition(&arguments[0], scope)?;
            let right = condition(&arguments[1], scope)?;
            Ok(match function {
                And => left.and(right),
                _ => left.or(right),
            })
        }
        Scalar::Call {
            function: function @ (Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual),
            arguments,
        } => {
            let (expr, missing) = compare(*function, arguments, scope)?;
            Ok(match *function {
                NotEqual if missing => Expr::IsNotFalse(Box::new(expr)),
                _ => expr,
            })
        }
        other => Ok(lower(other, scope)?.expr),
    }
}

/// The expression of a scalar.
pub(crate) fn lower(scalar: &Scalar, scope: Scope<'_>) -> Result<Lowered> {
    let typed = scalar.typed(scope.schema)?;
    match scalar {
        Scalar::Column(name) => {
            let nan = scope.raw && is_float(&typed.data_type);
            Ok(Lowered { expr: column(name), typed, nan })
        }
        Scalar::Literal(literal) => {
            let value = value_of(literal, &typed.data_type)?;
            Ok(Lowered { expr: lit(value), typed, nan: false })
        }
        Scalar::Parameter { name, .. } => Err(FrameError::Invalid {
            operation: "a computed value",
            detail: format!("nothing computes {name:?}"),
        }),
        Scalar::Cast { input, to } => {
            let input = lower(input, scope)?;
            let nullable = typed.nullable;
            let cast = input.cast(to);
            Ok(Lowered { typed: Typed { nullable, ..cast.typed }, ..cast })
        }
        Scalar::IsIn { input, values } => {
            let expr = is_in(lower(input, scope)?, values)?;
            Ok(Lowered { expr, typed, nan: false })
        }
        Scalar::Call { function, arguments } => call(*function, arguments, typed, scope),
    }
}

/// A literal as a value of a type that [`types::of`] allowed it.
fn value_of(literal: &Literal, data_type: &DataType) -> Result<ScalarValue> {
    let value = match literal {
        Literal::Missing => return Ok(ScalarValue::try_from(data_type)?),
        Literal::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Literal::Integer(value) => ScalarValue::Int64(Some(*value)),
        Literal::Float(bits) => ScalarValue::Float64(Some(f64::from_bits(*bits))),
        Literal::Text(text) => return Ok(ScalarValue::Utf8View(Some(text.clone()))),
        Literal::Date(day) => ScalarValue::Date32(Some(*day)),
        Literal::Timestamp(value, unit, _) => {
            let DataType::Timestamp(into, zone) = data_type else {
                return Err(FrameError::unsupported("a moment", format!("as {data_type}")));
            };
            let value = types::converted(*value, (*unit).into(), *into);
            return Ok(ScalarValue::Int64(value)
                .cast_to(&DataType::Timestamp(*into, None))?
                .cast_to(&DataType::Timestamp(*into, None))
                .map(|value| zoned(value, zone.clone()))?);
        }
        Literal::Duration(value, unit) => {
            let DataType::Duration(into) = data_type else {
                return Err(FrameError::unsupported("a length of time", format!("as {data_type}")));
            };
            let value = types::converted(*value, (*unit).into(), *into);
            return Ok(ScalarValue::Int64(value).cast_to(data_type)?);
        }
    };
    match value.data_type() == *data_type {
        true => Ok(value),
        false => Ok(value.cast_to(data_type)?),
    }
}

/// The same moment with a time zone: casts of moments without one would take them as local.
fn zoned(value: ScalarValue, zone: Option<std::sync::Arc<str>>) -> ScalarValue {
    match value {
        ScalarValue::TimestampSecond(value, _) => ScalarValue::TimestampSecond(value, zone),
        ScalarValue::TimestampMillisecond(value, _) => {
            ScalarValue::TimestampMillisecond(value, zone)
        }
        ScalarValue::TimestampMicrosecond(value, _) => {
            ScalarValue::TimestampMicrosecond(value, zone)
        }
        ScalarValue::TimestampNanosecond(value, _) => ScalarValue::TimestampNanosecond(value, zone),
        other => other,
    }
}

/// An argument as a value of a type.
fn argument(scalar: &Scalar, data_type: &DataType, scope: Scope<'_>) -> Result<Lowered> {
    if let Scalar::Literal(literal) = scalar {
        let typed =
            Typed { data_type: data_type.clone(), nullable: matches!(literal, Literal::Missing) };
        return Ok(Lowered { expr: lit(value_of(literal, data_type)?), typed, nan: false });
    }
    Ok(lower(scalar, scope)?.cast(data_type))
}

/// Two arguments as values of the type that both are taken as.
fn both(
    function: Function,
    arguments: &[Scalar],
    scope: Scope<'_>,
) -> Result<(Lowered, Lowered, DataType)> {
    let types = arguments
        .iter()
        .map(|argument| argument.typed(scope.schema))
        .collect::<Result<Vec<_>>>()?;
    let data_type = types::pair(function, arguments, &types)?;
    Ok((
        argument(&arguments[0], &data_type, scope)?,
        argument(&arguments[1], &data_type, scope)?,
        data_type,
    ))
}

fn call(
    function: Function,
    arguments: &[Scalar],
    typed: Typed,
    scope: Scope<'_>,
) -> Result<Lowered> {
    use Function::*;
    let input = || lower(&arguments[0], scope);
    let mut nan = false;
    let expr = match function {
        Add | Subtract | Multiply | Divide | FloorDivide | Modulo | Power => {
            let (left, right, data_type) = both(function, arguments, scope)?;
            nan = is_float(&data_type);
            let (left, right) = (left.expr, right.expr);
            match function {
                Add => binary_expr(left, Operator::Plus, right),
                Subtract => binary_expr(left, Operator::Minus, right),
                Multiply => binary_expr(left, Operator::Multiply, right),
                Divide => binary_expr(left, Operator::Divide, right),
                FloorDivide => own::floor_divide(left, right),
                Modulo => own::modulo(left, right),
                _ => match &arguments[1] {
                    Scalar::Literal(Literal::Integer(2)) => {
                        binary_expr(left.clone(), Operator::Multiply, left)
                    }
                    _ => functions::power(left, right),
                },
            }
        }
        Negate => {
            let input = input()?;
            nan = input.nan;
            match is_float(&typed.data_type) {
                true => Expr::Negative(Box::new(input.expr)),
                // The least integer is its own negative.
                false => {
                    let zero = lit(value_of(&Literal::Integer(0), &typed.data_type)?);
                    binary_expr(zero, Operator::Minus, input.expr)
                }
            }
        }
        Absolute => {
            let input = input()?;
            nan = input.nan;
            match is_float(&typed.data_type) {
                true => functions::abs(input.expr),
                false => {
                    let zero = lit(value_of(&Literal::Integer(0), &typed.data_type)?);
                    let negative = binary_expr(zero.clone(), Operator::Minus, input.expr.clone());
                    choose(input.expr.clone().lt(zero), negative, input.expr)
                }
            }
        }
        Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => {
            let (expr, missing) = compare(function, arguments, scope)?;
            match (missing, function) {
                (false, _) => expr,
                (true, NotEqual) => Expr::IsNotFalse(Box::new(expr)),
                (true, _) => Expr::IsTrue(Box::new(expr)),
            }
        }
        And | Or => {
            let (left, right) = (input()?, lower(&arguments[1], scope)?);
            match function {
                And => left.expr.and(right.expr),
                _ => left.expr.or(right.expr),
            }
        }
        Xor => {
            let (left, right) = (input()?, lower(&arguments[1], scope)?);
            binary_expr(left.expr, Operator::NotEq, right.expr)
        }
        Not => not(input()?.expr),
        IsMissing => Expr::IsNull(Box::new(input()?.settled())),
        NotMissing => Expr::IsNotNull(Box::new(input()?.settled())),
        Fill => {
            let (left, right, _) = both(function, arguments, scope)?;
            nan = right.nan;
            functions::coalesce(vec![left.settled(), right.expr])
        }
        OrZero => {
            let zero = match is_float(&typed.data_type) {
                true => Literal::float(0.0),
                false => Literal::Integer(0),
            };
            let zero = lit(value_of(&zero, &typed.data_type)?);
            functions::coalesce(vec![input()?.settled(), zero])
        }
        Choose => {
            let (left, right, _) = both(function, &arguments[1..], scope)?;
            nan = left.nan || right.nan;
            choose(condition(&arguments[0], scope)?, left.expr, right.expr)
        }
        SquareRoot | Exponential | Logarithm | Floor | Ceiling => {
            nan = true;
            let input = input()?.cast(&DataType::Float64).expr;
            match function {
                SquareRoot => functions::sqrt(input),
                Exponential => functions::exp(input),
                Logarithm => functions::ln(input),
                Floor => functions::floor(input),
                _ => functions::ceil(input),
            }
        }
        Lower => own::lower(input()?.expr),
        Upper => own::upper(input()?.expr),
        Length => cast(functions::character_length(input()?.expr), &DataType::Int64),
        StartsWith | EndsWith | Contains | Matches => {
            let input = input()?;
            let Scalar::Literal(Literal::Text(pattern)) = &arguments[1] else {
                return Err(FrameError::unsupported(function.name(), "a pattern for each row"));
            };
            let pattern = lit(ScalarValue::Utf8View(Some(pattern.clone())));
            let missing = input.missing_possible();
            let found = match function {
                StartsWith => functions::starts_with(input.expr, pattern),
                EndsWith => functions::ends_with(input.expr, pattern),
                Contains => functions::contains(input.expr, pattern),
                _ => binary_expr(input.expr, Operator::RegexMatch, pattern),
            };
            match missing {
                true => Expr::IsTrue(Box::new(found)),
                false => found,
            }
        }
        Slice => {
            let (Some(start), Some(stop)) = (natural(&arguments[1]), natural(&arguments[2])) else {
                return Err(FrameError::unsupported("str.slice", "with such bounds"));
            };
            let length = stop.saturating_sub(start);
            let part = functions::substring(input()?.expr, lit(start + 1), lit(length));
            cast(part, &TEXT)
        }
        Replace => {
            let (Scalar::Literal(Literal::Text(from)), Scalar::Literal(Literal::Text(to))) =
                (&arguments[1], &arguments[2])
            else {
                return Err(FrameError::unsupported("str.replace", "of other than texts"));
            };
            if from.is_empty() {
                return Err(FrameError::unsupported("str.replace", "of the empty text"));
            }
            let text = |text: &str| lit(ScalarValue::Utf8View(Some(text.to_owned())));
            cast(functions::replace(input()?.expr, text(from), text(to)), &TEXT)
        }
        Year | Month | Day | Hour | Minute | Second | Quarter | Weekday | DayOfYear => {
            let part = match function {
                Year => "year",
                Month => "month",
                Day => "day",
                Hour => "hour",
                Minute => "minute",
                Second => "second",
                Quarter => "quarter",
                Weekday => "dow",
                _ => "doy",
            };
            let part = cast(functions::date_part(lit(part), input()?.expr), &DataType::Int32);
            match function {
                // The engine's weeks begin on Sunday.
                Weekday => {
                    let shifted = binary_expr(part, Operator::Plus, lit(6_i32));
                    binary_expr(shifted, Operator::Modulo, lit(7_i32))
                }
                _ => part,
            }
        }
    };
    Ok(Lowered { expr, typed, nan })
}

fn natural(scalar: &Scalar) -> Option<i64> {
    match scalar {
        Scalar::Literal(Literal::Integer(value)) if *value >= 0 => Some(*value),
        _ => None,
    }
}

fn choose(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    Expr::Case(Case::new(
        None,
        vec![(Box::new(condition), Box::new(then))],
        Some(Box::new(otherwise)),
    ))
}

/// A comparison, and whether it can be missing.
fn compare(function: Function, arguments: &[Scalar], scope: Scope<'_>) -> Result<(Expr, bool)> {
    use Function::*;
    let (left, right, data_type) = both(function, arguments, scope)?;
    let missing = left.missing_possible() || right.missing_possible();
    if !is_float(&data_type) {
        return Ok((binary_expr(left.expr, operator(function), right.expr), missing));
    }
    let number = |scalar: &Scalar| match scalar {
        Scalar::Literal(Literal::Integer(value)) => Some(*value as f64),
        Scalar::Literal(Literal::Float(bits)) => Some(f64::from_bits(*bits)),
        _ => None,
    };
    let (value, other, function) = match (number(&arguments[0]), number(&arguments[1])) {
        (_, Some(value)) => (value, left, function),
        (Some(value), None) => {
            let turned = match function {
                Less => Greater,
                LessEqual => GreaterEqual,
                Greater => Less,
                GreaterEqual => LessEqual,
                same => same,
            };
            (value, right, turned)
        }
        (None, None) => {
            let (left, right) = (own::comparable(left.expr), own::comparable(right.expr));
            return Ok((binary_expr(left, operator(function), right), missing));
        }
    };
    // A column of a file is compared as it is, so that the file's statistics apply.
    let bare = matches!(other.expr, Expr::Column(_));
    let raw = other.nan && bare;
    let expr = if raw { other.expr } else { other.settled() };
    let bound = |value: f64| -> Result<Expr> {
        Ok(lit(ScalarValue::Float64(Some(value)).cast_to(&data_type)?))
    };
    let (low, high) = if value == 0.0 { (-0.0, 0.0) } else { (value, value) };
    let infinity = f64::INFINITY;
    let compared = match function {
        Less if raw => expr.clone().lt(bound(low)?).and(expr.gt_eq(bound(-infinity)?)),
        LessEqual if raw => expr.clone().lt_eq(bound(high)?).and(expr.gt_eq(bound(-infinity)?)),
        Greater if raw => expr.clone().gt(bound(high)?).and(expr.lt_eq(bound(infinity)?)),
        GreaterEqual if raw => expr.clone().gt_eq(bound(low)?).and(expr.lt_eq(bound(infinity)?)),
        Less => expr.lt(bound(low)?),
        LessEqual => expr.lt_eq(bound(high)?),
        Greater => expr.gt(bound(high)?),
        GreaterEqual => expr.gt_eq(bound(low)?),
        Equal if value == 0.0 => expr.clone().gt_eq(bound(low)?).and(expr.lt_eq(bound(high)?)),
        NotEqual if value == 0.0 => expr.clone().lt(bound(low)?).or(expr.gt(bound(high)?)),
        NotEqual => expr.not_eq(bound(value)?),
        _ => expr.eq(bound(value)?),
    };
    Ok((compared, missing))
}

fn operator(function: Function) -> Operator {
    match function {
        Function::NotEqual => Operator::NotEq,
        Function::Less => Operator::Lt,
        Function::LessEqual => Operator::LtEq,
        Function::Greater => Operator::Gt,
        Function::GreaterEqual => Operator::GtEq,
        _ => Operator::Eq,
    }
}

fn is_in(input: Lowered, values: &[Literal]) -> Result<Expr> {
    let data_type = match types::is_text(&input.typed.data_type) {
        true => TEXT,
        false => input.typed.data_type.clone(),
    };
    let missing_counts = values.contains(&Literal::Missing);
    let mut list = Vec::with_capacity(values.len());
    for value in values.iter().filter(|value| **value != Literal::Missing) {
        let zero = matches!(value, Literal::Float(bits) if f64::from_bits(*bits) == 0.0);
        let value = if zero { &Literal::Integer(0) } else { value };
        let typed = Scalar::Literal(value.clone()).typed(&Schema::empty())?;
        let fits = match (value, &typed.data_type) {
            (Literal::Integer(_), _) => data_type.is_integer() || is_float(&data_type),
            (Literal::Float(_), _) => is_float(&data_type),
            (Literal::Timestamp(..), _) => matches!(data_type, DataType::Timestamp(..)),
            (_, own) => *own == data_type,
        };
        if !fits {
            return Err(FrameError::unsupported("isin", format!("of {data_type} and {value:?}")));
        }
        list.push(lit(value_of(value, &data_type)?));
    }
    let missing = input.missing_possible();
    let input = match is_float(&data_type) {
        true => own::comparable(input.expr),
        false => input.cast(&data_type).expr,
    };
    if list.is_empty() && !missing_counts {
        return Ok(lit(false));
    }
    let found = match list.is_empty() {
        true => lit(false),
        false => input.clone().in_list(list, false),
    };
    Ok(match (missing, missing_counts) {
        (false, _) => found,
        (true, false) => Expr::IsTrue(Box::new(found)),
        (true, true) => Expr::IsNull(Box::new(input)).or(Expr::IsTrue(Box::new(found))),
    })
}

/// Conditions as one.
pub(crate) fn all(conditions: Vec<Expr>) -> Option<Expr> {
    conditions.into_iter().reduce(|left, right| {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::And, Box::new(right)))
    })
}
