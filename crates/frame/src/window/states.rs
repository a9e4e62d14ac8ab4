//! What windows remember of each group.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, NullBufferBuilder, PrimitiveArray,
};
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Float64Type, Int64Type, UInt64Type};
use datafusion::common::{exec_datafusion_err, internal_err};
use datafusion::error::Result;

use super::WindowFunction;
use super::rolling::LastRows;

/// The group of a row that is in none.
pub(super) const NO_GROUP: usize = usize::MAX;

/// What one function remembers of the rows before.
pub(super) trait State: Send {
    /// The function of the next rows. There is a group for each row, below `count` if any.
    fn next(
        &mut self,
        values: Option<&ArrayRef>,
        groups: &[usize],
        count: usize,
    ) -> Result<ArrayRef>;

    /// Bytes that it holds.
    fn size(&self) -> usize;
}

/// The state of a function of values of a type, before the first row.
pub(super) fn state(
    function: &WindowFunction,
    data_type: Option<&DataType>,
) -> Result<Box<dyn State>> {
    let found: Option<Box<dyn State>> = match (function, data_type) {
        (WindowFunction::Count, _) => Some(Box::new(Counts(Vec::new()))),
        (WindowFunction::Places(parts), _) => {
            Some(Box::new(Places { parts: parts.clone(), part: 0, place: 0 }))
        }
        (WindowFunction::Sum, Some(DataType::Float64)) => Some(Box::new(Sums(Vec::new()))),
        (WindowFunction::Sum, Some(DataType::Int64)) => {
            Some(Box::new(Fold::<Int64Type>::new(0, i64::wrapping_add)))
        }
        (WindowFunction::Sum, Some(DataType::UInt64)) => {
            Some(Box::new(Fold::<UInt64Type>::new(0, u64::wrapping_add)))
        }
        (WindowFunction::Product, Some(DataType::Float64)) => {
            let products = Fold::<Float64Type>::new(1.0, |all, one| all * one);
            Some(Box::new(Fold { is_number: |product: f64| !product.is_nan(), ..products }))
        }
        (WindowFunction::Product, Some(DataType::Int64)) => {
            Some(Box::new(Fold::<Int64Type>::new(1, i64::wrapping_mul)))
        }
        (WindowFunction::Product, Some(DataType::UInt64)) => {
            Some(Box::new(Fold::<UInt64Type>::new(1, u64::wrapping_mul)))
        }
        (&WindowFunction::Rolling { how, rows, least }, Some(DataType::Float64)) => {
            Some(Box::new(LastRows::new(how, rows, least)))
        }
        (function, Some(data_type)) => of_any_type(function, data_type),
        (_, None) => None,
    };
    found.ok_or_else(|| exec_datafusion_err!("a window {function:?} of {data_type:?}"))
}

fn of_any_type(function: &WindowFunction, data_type: &DataType) -> Option<Box<dyn State>> {
    use arrow::datatypes::*;
    match data_type {
        DataType::Int8 => of_type::<Int8Type>(function),
        DataType::Int16 => of_type::<Int16Type>(function),
        DataType::Int32 => of_type::<Int32Type>(function),
        DataType::Int64 => of_type::<Int64Type>(function),
        DataType::UInt8 => of_type::<UInt8Type>(function),
        DataType::UInt16 => of_type::<UInt16Type>(function),
        DataType::UInt32 => of_type::<UInt32Type>(function),
        DataType::UInt64 => of_type::<UInt64Type>(function),
        DataType::Float32 => of_type::<Float32Type>(function),
        DataType::Float64 => of_type::<Float64Type>(function),
        DataType::Timestamp(TimeUnit::Second, _) => of_type::<TimestampSecondType>(function),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            of_type::<TimestampMillisecondType>(function)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            of_type::<TimestampMicrosecondType>(function)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            of_type::<TimestampNanosecondType>(function)
        }
        DataType::Duration(TimeUnit::Second) => of_type::<DurationSecondType>(function),
        DataType::Duration(TimeUnit::Millisecond) => of_type::<DurationMillisecondType>(function),
        DataType::Duration(TimeUnit::Microsecond) => of_type::<DurationMicrosecondType>(function),
        DataType::Duration(TimeUnit::Nanosecond) => of_type::<DurationNanosecondType>(function),
        _ => None,
    }
}

fn of_type<T: ArrowPrimitiveType>(function: &WindowFunction) -> Option<Box<dyn State>> {
    let latest = |choose, of_missing| Latest::<T> { values: Vec::new(), choose, of_missing };
    Some(match function {
        WindowFunction::Minimum => {
            Box::new(latest(|old, new| if new.is_lt(old) { new } else { old }, false))
        }
        WindowFunction::Maximum => {
            Box::new(latest(|old, new| if new.is_gt(old) { new } else { old }, false))
        }
        WindowFunction::Fill => Box::new(latest(|_, new| new, true)),
        WindowFunction::Shift(rows) => {
            let rows = *rows as usize;
            Box::new(Shifts::<T> { rows, values: Vec::new(), next: Vec::new() })
        }
        _ => return None,
    })
}

/// Values of rows one by one, some of which are missing.
pub(super) struct Building<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    there: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> Building<T> {
    pub(super) fn new(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), there: NullBufferBuilder::new(rows) }
    }

    pub(super) fn push(&mut self, value: Option<T::Native>) {
        self.values.push(value.unwrap_or_default());
        self.there.append(value.is_some());
    }

    pub(super) fn done(mut self, data_type: &DataType) -> ArrayRef {
        let array = PrimitiveArray::<T>::new(self.values.into(), self.there.finish());
        Arc::new(array.with_data_type(data_type.clone()))
    }
}

/// The rows of a column: group and value of each.
pub(super) fn rows<'a, T: ArrowPrimitiveType>(
    values: &'a PrimitiveArray<T>,
    groups: &'a [usize],
) -> impl Iterator<Item = (usize, Option<T::Native>)> + 'a {
    let numbers = values.values().iter();
    groups.iter().zip(numbers).enumerate().map(|(row, (&group, &number))| {
        (group, if values.is_valid(row) { Some(number) } else { None })
    })
}

pub(super) fn column<T: ArrowPrimitiveType>(
    values: Option<&ArrayRef>,
) -> Result<&PrimitiveArray<T>> {
    match values.and_then(|values| values.as_primitive_opt::<T>()) {
        Some(values) => Ok(values),
        None => internal_err!("a window over a column of another type"),
    }
}

/// Sums of floats with what rounding has lost of them (W. Kahan, 1965), as pandas adds them: what
/// follows an infinity is no number.
struct Sums(Vec<(f64, f64)>);

impl State for Sums {
    fn next(
        &mut self,
        values: Option<&ArrayRef>,
        groups: &[usize],
        count: usize,
    ) -> Result<ArrayRef> {
        let values = column::<Float64Type>(values)?;
        self.0.resize(count, (0.0, 0.0));
        let mut built = Building::<Float64Type>::new(groups.len());
        for (group, value) in rows(values, groups) {
            let found = self.0.get_mut(group).zip(value).map(|((sum, lost), value)| {
                let added = value - *lost;
                let total = *sum + added;
                *lost = total - *sum - added;
                *sum = total;
                total
            });
            built.push(found.filter(|total| !total.is_nan()));
        }
        Ok(built.done(values.data_type()))
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<(f64, f64)>()
    }
}

/// One number a group, to which the next one is added.
struct Fold<T: ArrowPrimitiveType> {
    totals: Vec<T::Native>,
    first: T::Native,
    add: fn(T::Native, T::Native) -> T::Native,
    is_number: fn(T::Native) -> bool,
}

impl<T: ArrowPrimitiveType> Fold<T> {
    /// Of whole numbers.
    fn new(first: T::Native, add: fn(T::Native, T::Native) -> T::Native) -> Self {
        Self { totals: Vec::new(), first, add, is_number: |_| true }
    }
}

impl<T: ArrowPrimitiveType> State for Fold<T> {
    fn next(
        &mut self,
        values: Option<&ArrayRef>,
        groups: &[usize],
        count: usize,
    ) -> Result<ArrayRef> {
        let values = column::<T>(values)?;
        self.totals.resize(count, self.first);
        let mut built = Building::<T>::new(groups.len());
        for (group, value) in rows(values, groups) {
            let found = self.totals.get_mut(group).zip(value).map(|(total, value)| {
                *total = (self.add)(*total, value);
                *total
            });
            built.push(found.filter(|total| (self.is_number)(*total)));
        }
        Ok(built.done(values.data_type()))
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<T::Native>()
    }
}

/// One value a group, which the next one may replace.
struct Latest<T: ArrowPrimitiveType> {
    values: Vec<Option<T::Native>>,
    choose: fn(T::Native, T::Native) -> T::Native,
    /// Whether rows without a value have that of their group.
    of_missing: bool,
}

impl<T: ArrowPrimitiveType> State for Latest<T> {
    fn next(
        &mut self,
        values: Option<&ArrayRef>,
        groups: &[usize],
        count: usize,
    ) -> Result<ArrayRef> {
        let values = column::<T>(values)?;
        self.values.resize(count, None);
        let mut built = Building::<T>::new(groups.len());
        for (group, value) in rows(values, groups) {
            let found = self.values.get_mut(group).and_then(|kept| match value {
                Some(new) => {
                    *kept = Some(kept.map_or(new, |old| (self.choose)(old, new)));
                    *kept
                }
                None => kept.filter(|_| self.of_missing),
            });
            built.push(found);
        }
        Ok(built.done(values.data_type()))
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<Option<T::Native>>()
    }
}

/// The last rows of each group, in rings.
struct Shifts<T: ArrowPrimitiveType> {
    rows: usize,
    values: Vec<Option<T::Native>>,
    /// Where in its ring each group goes on.
    next: Vec<u32>,
}

impl<T: ArrowPrimitiveType> State for Shifts<T> {
    fn next(
        &mut self,
        values: Option<&ArrayRef>,
        groups: &[usize],
        count: usize,
    ) -> Result<ArrayRef> {
        let values = column::<T>(values)?;
        self.values.resize(count * self.rows, None);
        self.next.resize(count, 0);
        let mut built = Building::<T>::new(groups.len());
        for (group, value) in rows(values, groups) {
            let found = self.next.get_mut(group).and_then(|next| {
                if self.rows == 0 {
                    return value;
                }
                let place = group * self.rows + *next as usize;
                *next = (*next + 1) % self.rows as u32;
                self.values.get_mut(place).and_then(|kept| std::mem::replace(kept, value))
            });
            built.push(found);
        }
        Ok(built.done(values.data_type()))
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<Option<T::Native>>() + self.next.capacity() * 4
    }
}

/// How many rows of each group there were.
struct Counts(Vec<i64>);

impl State for Counts {
    fn next(&mut self, _: Option<&ArrayRef>, groups: &[usize], count: usize) -> Result<ArrayRef> {
        self.0.resize(count, 0);
        let mut built = Building::<Int64Type>::new(groups.len());
        for &group in groups {
            built.push(self.0.get_mut(group).map(|seen| {
                *seen += 1;
                *seen - 1
            }));
        }
        Ok(built.done(&DataType::Int64))
    }

    fn size(&self) -> usize {
        self.0.capacity() * size_of::<i64>()
    }
}

/// Places of rows in parts of known lengths.
struct Places {
    parts: Vec<u64>,
    part: usize,
    place: u64,
}

impl State for Places {
    fn next(&mut self, _: Option<&ArrayRef>, groups: &[usize], _: usize) -> Result<ArrayRef> {
        let mut places = Vec::with_capacity(groups.len());
        while places.len() < groups.len() {
            let Some(&length) = self.parts.get(self.part) else {
                return Err(exec_datafusion_err!(
                    "there are more rows than the files had when they were opened"
                ));
            };
            let left = (groups.len() - places.len()) as u64;
            let end = length.min(self.place + left);
            places.extend((self.place..end).map(|place| place as i64));
            self.place = end;
            if end == length {
                self.part += 1;
                self.place = 0;
            }
        }
        Ok(Arc::new(Int64Array::from(places)))
    }

    fn size(&self) -> usize {
        self.parts.capacity() * size_of::<u64>()
    }
}
