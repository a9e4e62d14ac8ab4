//! Comparisons of numbers and moments with a number, or with each other.
//!
//! They give what DataFusion's own give: floats are in their total order, in which -0 is 0.

use std::sync::Arc;

use arrow::array::{Array, ArrayData};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_plan::PhysicalExpr;

/// Rows of a word of a mask.
const WORD: usize = 64;

/// A column compared with a value or with another column of the same type.
#[derive(Debug)]
pub(super) struct Comparison {
    column: usize,
    with: With,
    test: Test,
    /// Whether the rows are wanted for which the test fails.
    negated: bool,
    physical: Physical,
}

#[derive(Debug)]
enum With {
    Value(ArrayData),
    Column(usize),
}

#[derive(Clone, Copy, Debug)]
enum Test {
    Less,
    Greater,
    Equal,
}

/// How values are in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Physical {
    Int32,
    Int64,
    Float32,
    Float64,
}

fn physical(data_type: &DataType) -> Option<Physical> {
    Some(match data_type {
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Physical::Int32,
        DataType::Int64
        | DataType::Date64
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_) => Physical::Int64,
        DataType::Float32 => Physical::Float32,
        DataType::Float64 => Physical::Float64,
        _ => return None,
    })
}

impl Comparison {
    /// The comparison that an expression over rows of `schema` is, if it is one.
    pub(super) fn of(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Self> {
        let binary = expr.downcast_ref::<BinaryExpr>()?;
        let (left, right, op) = match binary.left().downcast_ref::<Column>() {
            Some(_) => (binary.left(), binary.right(), *binary.op()),
            None => (binary.right(), binary.left(), binary.op().swap()?),
        };
        let column = left.downcast_ref::<Column>()?.index();
        let data_type = schema.fields().get(column)?.data_type();
        let with = if let Some(other) = right.downcast_ref::<Column>() {
            let other = other.index();
            (schema.fields().get(other)?.data_type() == data_type).then_some(With::Column(other))?
        } else {
            let value = right.downcast_ref::<Literal>()?.value();
            let fits = value.data_type() == *data_type && !value.is_null();
            With::Value(fits.then(|| value.to_array().ok())??.to_data())
        };
        let (test, negated) = match op {
            Operator::Lt => (Test::Less, false),
            Operator::GtEq => (Test::Less, true),
            Operator::Gt => (Test::Greater, false),
            Operator::LtEq => (Test::Greater, true),
            Operator::Eq => (Test::Equal, false),
            Operator::NotEq => (Test::Equal, true),
            _ => return None,
        };
        Some(Self { column, with, test, negated, physical: physical(data_type)? })
    }

    /// The rows for which it holds. Where a value is missing it does not.
    pub(super) fn evaluate(&self, batch: &RecordBatch) -> BooleanBuffer {
        let own = batch.column(self.column).to_data();
        let (other, value) = match &self.with {
            With::Value(value) => (None, value),
            With::Column(column) => (Some(batch.column(*column).to_data()), &own),
        };
        let found = match self.physical {
            Physical::Int32 => self.holds::<i32>(&own, other.as_ref(), value),
            Physical::Int64 => self.holds::<i64>(&own, other.as_ref(), value),
            Physical::Float32 => self.holds::<f32>(&own, other.as_ref(), value),
            Physical::Float64 => self.holds::<f64>(&own, other.as_ref(), value),
        };
        let there = NullBuffer::union(own.nulls(), other.as_ref().and_then(ArrayData::nulls));
        match there {
            Some(there) => &found & there.inner(),
            None => found,
        }
    }

    fn holds<T: Ordered>(
        &self,
        own: &ArrayData,
        other: Option<&ArrayData>,
        value: &ArrayData,
    ) -> BooleanBuffer {
        let values = &own.buffer::<T>(0)[..own.len()];
        let words = match other {
            Some(other) => {
                mask(values, Right::Values(&other.buffer::<T>(0)[..own.len()]), self.test)
            }
            None => match value.buffer::<T>(0).first() {
                Some(value) => mask(values, Right::Value(value.key()), self.test),
                None => Vec::new(),
            },
        };
        let words =
            if self.negated { words.into_iter().map(|word| !word).collect() } else { words };
        BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
    }
}

/// Values in an order that all of them are in.
trait Ordered: Copy + arrow::datatypes::ArrowNativeType {
    type Key: Copy + Ord;

    fn key(self) -> Self::Key;
}

impl Ordered for i32 {
    type Key = Self;

    #[inline(always)]
    fn key(self) -> Self {
        self
    }
}

impl Ordered for i64 {
    type Key = Self;

    #[inline(always)]
    fn key(self) -> Self {
        self
    }
}

impl Ordered for f32 {
    type Key = i32;

    #[inline(always)]
    fn key(self) -> i32 {
        // The sum is 0 for -0, and the same number for others.
        let bits = (self + 0.0).to_bits().cast_signed();
        bits ^ ((bits >> 31) & i32::MAX)
    }
}

impl Ordered for f64 {
    type Key = i64;

    #[inline(always)]
    fn key(self) -> i64 {
        let bits = (self + 0.0).to_bits().cast_signed();
        bits ^ ((bits >> 63) & i64::MAX)
    }
}

#[derive(Clone, Copy)]
enum Right<'a, T: Ordered> {
    Value(T::Key),
    Values(&'a [T]),
}

/// A bit for each value, which is set where the test holds.
fn mask<T: Ordered>(left: &[T], right: Right<'_, T>, test: Test) -> Vec<u64> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has these instructions.
        return unsafe { mask_avx2(left, right, test) };
    }
    mask_of(left, right, test)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn mask_avx2<T: Ordered>(left: &[T], right: Right<'_, T>, test: Test) -> Vec<u64> {
    mask_of(left, right, test)
}

#[inline(always)]
fn mask_of<T: Ordered>(left: &[T], right: Right<'_, T>, test: Test) -> Vec<u64> {
    match test {
        Test::Less => words(
            left,
            right,
            #[inline(always)]
            |a, b| a < b,
        ),
        Test::Greater => words(
            left,
            right,
            #[inline(always)]
            |a, b| a > b,
        ),
        Test::Equal => words(
            left,
            right,
            #[inline(always)]
            |a, b| a == b,
        ),
    }
}

#[inline(always)]
fn words<T: Ordered>(
    left: &[T],
    right: Right<'_, T>,
    test: impl Fn(T::Key, T::Key) -> bool,
) -> Vec<u64> {
    let mut words = Vec::with_capacity(left.len().div_ceil(WORD));
    // A byte for each value first, which processors compare many of at once.
    let mut flags = [0_u8; WORD];
    match right {
        Right::Value(value) => {
            for own in left.chunks(WORD) {
                for (flag, a) in flags.iter_mut().zip(own) {
                    *flag = u8::from(test(a.key(), value));
                }
                words.push(packed(&flags));
            }
        }
        Right::Values(values) => {
            for (own, other) in left.chunks(WORD).zip(values.chunks(WORD)) {
                for ((flag, a), b) in flags.iter_mut().zip(own).zip(other) {
                    *flag = u8::from(test(a.key(), b.key()));
                }
                words.push(packed(&flags));
            }
        }
    }
    words
}

/// The lowest bits of bytes, as the bits of a word.
#[inline(always)]
fn packed(flags: &[u8; WORD]) -> u64 {
    /// Brings the bits of eight bytes, the first one lowest, to the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |word, (place, eight)| {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        word | bits << (8 * place)
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Field;
    use datafusion::scalar::ScalarValue;
    use proptest::prelude::*;

    use super::super::holding;
    use super::*;

    const OPERATORS: [Operator; 6] =
        [Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq, Operator::Eq, Operator::NotEq];

    /// The comparison gives what DataFusion's gives, with values and columns, also of a slice.
    fn check(left: ArrayRef, right: ArrayRef) {
        let nullable = |name| Field::new(name, left.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![nullable("left"), nullable("right")]));
        let batch = RecordBatch::try_new(schema.clone(), vec![left, right.clone()]).unwrap();
        let column = |name, place| Arc::new(Column::new(name, place)) as Arc<dyn PhysicalExpr>;
        let mut pairs = vec![(column("left", 0), column("right", 1))];
        for row in 0..right.len().min(8) {
            let value = ScalarValue::try_from_array(&right, row).unwrap();
            let value = Arc::new(Literal::new(value)) as Arc<dyn PhysicalExpr>;
            pairs.push((column("left", 0), value.clone()));
            pairs.push((value, column("left", 0)));
        }
        let (from, to) = (batch.num_rows() / 3, batch.num_rows());
        for batch in [batch.clone(), batch.slice(from, to - from)] {
            for (left, right) in &pairs {
                for op in OPERATORS {
                    let expr = BinaryExpr::new(left.clone(), op, right.clone());
                    let expr = Arc::new(expr) as Arc<dyn PhysicalExpr>;
                    let Some(own) = Comparison::of(&expr, &schema) else {
                        assert!(format!("{expr:?}").contains("NULL"), "{expr:?}");
                        continue;
                    };
                    let wanted = holding(expr.evaluate(&batch).unwrap(), batch.num_rows()).unwrap();
                    assert_eq!(own.evaluate(&batch), wanted, "{expr:?}");
                }
            }
        }
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => -3.0..3.0_f64,
            2 => prop::sample::select(vec![
                0.0, -0.0, 1.0, -1.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
                f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn floats(pairs in prop::collection::vec((prop::option::weighted(0.9, number()),
                                                  prop::option::weighted(0.9, number())), 0..200)) {
            let (left, right): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let narrow = |side: &[Option<f64>]| -> Float32Array {
                side.iter().map(|x| x.map(|x| x as f32)).collect()
            };
            check(Arc::new(narrow(&left)), Arc::new(narrow(&right)));
            check(Arc::new(Float64Array::from(left)), Arc::new(Float64Array::from(right)));
        }

        #[test]
        fn whole_numbers(pairs in prop::collection::vec((prop::option::weighted(0.9, -4_i64..4),
                                                         any::<i64>()), 0..200)) {
            let (left, right): (Vec<_>, Vec<i64>) = pairs.into_iter().unzip();
            let right: Vec<i64> =
                right.into_iter().map(|x| if x % 3 == 0 { x } else { x % 4 }).collect();
            let narrow: Int32Array = left.iter().map(|x| x.map(|x| x as i32)).collect();
            let other: Int32Array = right.iter().map(|x| Some(*x as i32)).collect();
            check(Arc::new(narrow), Arc::new(other));
            let moments = TimestampMicrosecondArray::from(left.clone()).with_timezone("UTC");
            let others = TimestampMicrosecondArray::from(right.clone()).with_timezone("UTC");
            check(Arc::new(moments), Arc::new(others));
            check(Arc::new(Int64Array::from(left)), Arc::new(Int64Array::from(right)));
        }
    }
}
