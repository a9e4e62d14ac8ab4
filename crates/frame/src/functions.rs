//! Functions whose meaning in pandas is another than the engine's, over columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringViewBuilder,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::binary;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// A float, as far as the functions here look at it.
pub(crate) trait Real: Copy + PartialEq {
    /// Whether the sign is set.
    fn negative(self) -> bool;
    /// Zero.
    const ZERO: Self;
}

impl Real for f32 {
    fn negative(self) -> bool {
        self.is_sign_negative()
    }
    const ZERO: Self = 0.0;
}

impl Real for f64 {
    fn negative(self) -> bool {
        self.is_sign_negative()
    }
    const ZERO: Self = 0.0;
}

/// The column with NaN as missing; the same memory where there is none.
#[expect(clippy::eq_op, reason = "only NaN differs from itself, and the loop becomes vectors")]
pub(crate) fn without_nan<T>(array: &PrimitiveArray<T>) -> PrimitiveArray<T>
where
    T: ArrowPrimitiveType<Native: Real>,
{
    let values = array.values();
    if !values.iter().fold(false, |found, value| found | (value != value)) {
        return array.clone();
    }
    let there = BooleanBuffer::collect_bool(values.len(), |row| values[row] == values[row]);
    let nulls = NullBuffer::union(array.nulls(), Some(&NullBuffer::new(there)));
    PrimitiveArray::new(values.clone(), nulls)
}

/// The column with NaN as missing and without negative zeros, so that equal numbers have equal
/// bits.
fn without_signs<T>(array: &PrimitiveArray<T>) -> PrimitiveArray<T>
where
    T: ArrowPrimitiveType<Native: Real>,
{
    let array = without_nan(array);
    let zero = T::Native::ZERO;
    let odd = |value: T::Native| (value == zero) & value.negative();
    match array.values().iter().fold(false, |found, value| found | odd(*value)) {
        false => array,
        true => array.unary(|value| if odd(value) { zero } else { value }),
    }
}

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    WithoutNan,
    WithoutSigns,
    Ordered,
    Unordered,
    FloorDivide,
    Modulo,
    Lower,
    Upper,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::WithoutNan => "without_nan",
            Self::WithoutSigns => "without_signs",
            Self::Ordered => "as_ordered_integer",
            Self::Unordered => "from_ordered_integer",
            Self::FloorDivide => "floor_divide",
            Self::Modulo => "modulo",
            Self::Lower => "lower_letters",
            Self::Upper => "upper_letters",
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    kind: Kind,
    signature: Signature,
}

fn call(kind: Kind, arguments: Vec<Expr>) -> Expr {
    let signature = Signature::any(arguments.len(), Volatility::Immutable);
    ScalarUDF::from(Function { kind, signature }).call(arguments)
}

/// Whether the function of that name leaves values as they are, but for NaN and signs of zero.
pub(crate) fn tidies(name: &str) -> bool {
    [Kind::WithoutNan, Kind::WithoutSigns].iter().any(|kind| kind.name() == name)
}

/// [`without_nan`] as an expression.
pub(crate) fn nan_missing(expr: Expr) -> Expr {
    call(Kind::WithoutNan, vec![expr])
}

/// [`without_signs`] as an expression.
pub(crate) fn comparable(expr: Expr) -> Expr {
    call(Kind::WithoutSigns, vec![expr])
}

/// A float as an integer with the same order. The engine's least value of a group begins with the greatest number,
/// which is less than infinity.
pub(crate) fn ordered(expr: Expr) -> Expr {
    call(Kind::Ordered, vec![expr])
}

/// The float of which [`ordered`] made an integer.
pub(crate) fn unordered(expr: Expr) -> Expr {
    call(Kind::Unordered, vec![expr])
}

/// The quotient, rounded down.
pub(crate) fn floor_divide(left: Expr, right: Expr) -> Expr {
    call(Kind::FloorDivide, vec![left, right])
}

/// The remainder with the sign of the divisor.
pub(crate) fn modulo(left: Expr, right: Expr) -> Expr {
    call(Kind::Modulo, vec![left, right])
}

/// Text in small letters.
pub(crate) fn lower(text: Expr) -> Expr {
    call(Kind::Lower, vec![text])
}

/// Text in capital letters.
pub(crate) fn upper(text: Expr) -> Expr {
    call(Kind::Upper, vec![text])
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (arguments.first(), self.kind) {
            (Some(DataType::Float64), Kind::Ordered) => Ok(DataType::Int64),
            (Some(DataType::Float32), Kind::Ordered) => Ok(DataType::Int32),
            (Some(DataType::Int64), Kind::Unordered) => Ok(DataType::Float64),
            (Some(DataType::Int32), Kind::Unordered) => Ok(DataType::Float32),
            (Some(data_type), _) => Ok(data_type.clone()),
            (None, _) => exec_err!("{} takes an argument", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(first) = arrays.first() else {
            return exec_err!("{} takes an argument", self.name());
        };
        let second = arrays.get(1);
        let result: ArrayRef = match (self.kind, first.data_type(), second) {
            (Kind::WithoutNan, DataType::Float64, _) => {
                Arc::new(without_nan(first.as_primitive::<Float64Type>()))
            }
            (Kind::WithoutNan, DataType::Float32, _) => {
                Arc::new(without_nan(first.as_primitive::<Float32Type>()))
            }
            (Kind::WithoutSigns, DataType::Float64, _) => {
                Arc::new(without_signs(first.as_primitive::<Float64Type>()))
            }
            (Kind::WithoutSigns, DataType::Float32, _) => {
                Arc::new(without_signs(first.as_primitive::<Float32Type>()))
            }
            (Kind::Ordered, DataType::Float64, _) => {
                let floats = first.as_primitive::<Float64Type>();
                Arc::new(floats.unary::<_, Int64Type>(|value| turned64(value.to_bits() as i64)))
            }
            (Kind::Ordered, DataType::Float32, _) => {
                let floats = first.as_primitive::<Float32Type>();
                Arc::new(floats.unary::<_, Int32Type>(|value| turned32(value.to_bits() as i32)))
            }
            (Kind::Unordered, DataType::Int64, _) => {
                let whole = first.as_primitive::<Int64Type>();
                let float = |value: i64| f64::from_bits(turned64(value) as u64);
                Arc::new(whole.unary::<_, Float64Type>(float))
            }
            (Kind::Unordered, DataType::Int32, _) => {
                let whole = first.as_primitive::<Int32Type>();
                let float = |value: i32| f32::from_bits(turned32(value) as u32);
                Arc::new(whole.unary::<_, Float32Type>(float))
            }
            (Kind::FloorDivide, DataType::Float64, Some(second)) => {
                pairs::<Float64Type>(first, second, floor_quotient)?
            }
            (Kind::Modulo, DataType::Float64, Some(second)) => {
                pairs::<Float64Type>(first, second, floor_remainder)?
            }
            // Plans have positive divisors only.
            (Kind::FloorDivide, DataType::Int64, Some(second)) => {
                pairs::<Int64Type>(first, second, |left, right| left.div_euclid(right.max(1)))?
            }
            (Kind::Modulo, DataType::Int64, Some(second)) => {
                pairs::<Int64Type>(first, second, |left, right| left.rem_euclid(right.max(1)))?
            }
            (Kind::FloorDivide, DataType::Int32, Some(second)) => {
                pairs::<Int32Type>(first, second, |left, right| left.div_euclid(right.max(1)))?
            }
            (Kind::Modulo, DataType::Int32, Some(second)) => {
                pairs::<Int32Type>(first, second, |left, right| left.rem_euclid(right.max(1)))?
            }
            (Kind::Lower, DataType::Utf8View, _) => letters(first, |letter, out| {
                one(letter, letter.to_lowercase(), out);
            }),
            (Kind::Upper, DataType::Utf8View, _) => letters(first, |letter, out| {
                one(letter, letter.to_uppercase(), out);
            }),
            (kind, other, _) => return exec_err!("{} of {other}", kind.name()),
        };
        Ok(ColumnarValue::Array(result))
    }
}

/// The bits of a float so that greater floats have greater ones, and back: negative ones are turned over.
fn turned64(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn turned32(bits: i32) -> i32 {
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

fn pairs<T: ArrowPrimitiveType>(
    left: &ArrayRef,
    right: &ArrayRef,
    function: impl Fn(T::Native, T::Native) -> T::Native,
) -> Result<ArrayRef> {
    if right.data_type() != left.data_type() {
        return exec_err!("{} and {} do not go together", left.data_type(), right.data_type());
    }
    let result: PrimitiveArray<T> =
        binary(left.as_primitive::<T>(), right.as_primitive::<T>(), function)?;
    Ok(Arc::new(result))
}

/// Python's `//` of floats, as NumPy computes it: from the remainder, so that both agree.
fn floor_quotient(left: f64, right: f64) -> f64 {
    if right == 0.0 {
        return left / right;
    }
    let mut remainder = left % right;
    let mut quotient = (left - remainder) / right;
    if remainder != 0.0 && (right < 0.0) != (remainder < 0.0) {
        remainder += right;
        quotient -= 1.0;
    }
    if remainder.is_nan() {
        return f64::NAN;
    }
    if quotient == 0.0 {
        return 0.0_f64.copysign(left / right);
    }
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

/// Python's `%` of floats.
fn floor_remainder(left: f64, right: f64) -> f64 {
    let remainder = left % right;
    if remainder == 0.0 {
        return 0.0_f64.copysign(right);
    }
    if (right < 0.0) != (remainder < 0.0) { remainder + right } else { remainder }
}

/// Letters whose other case is one letter change; as Arrow's kernels have it.
fn one(letter: char, mut mapped: impl Iterator<Item = char>, out: &mut String) {
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => out.push(single),
        _ => out.push(letter),
    }
}

fn letters(texts: &ArrayRef, map: impl Fn(char, &mut String)) -> ArrayRef {
    let texts = texts.as_string_view();
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    let mut buffer = String::new();
    for text in texts {
        match text {
            None => builder.append_null(),
            Some(text) => {
                buffer.clear();
                text.chars().for_each(|letter| map(letter, &mut buffer));
                builder.append_value(&buffer);
            }
        }
    }
    Arc::new(builder.finish())
}
