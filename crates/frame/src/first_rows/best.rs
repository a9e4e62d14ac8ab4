//! The best values of each group that have been seen.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::compute::{SortOptions, cast, filter_record_batch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Schema, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

/// Rows after which it is looked at how many of them were dropped, and the share that is enough.
const TRIAL: usize = 1 << 18;
const ENOUGH: f64 = 0.1;
/// So many rows of each group have to have been seen before, for each one that is kept.
const ROWS_OF_A_TRIAL: usize = 4;

pub(super) fn fields(groups: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Result<Vec<Field>> {
    let field = |(place, expr): (usize, &Arc<dyn PhysicalExpr>)| {
        Ok(Field::new(format!("group {place}"), expr.data_type(schema)?, true))
    };
    groups.iter().enumerate().map(field).collect()
}

/// The best values of each group so far.
pub(super) struct Best {
    groups: Vec<Arc<dyn PhysicalExpr>>,
    order: PhysicalSortExpr,
    kept: usize,
    numbers: Box<dyn GroupValues>,
    /// `kept` places for each group, the best first.
    places: Vec<Place>,
    of_row: Vec<usize>,
    rows: usize,
    dropped: usize,
}

/// Rows that may be among the first ones, with the group of each, and its place in the order.
pub(super) struct Kept {
    pub(super) rows: RecordBatch,
    pub(super) groups: Vec<usize>,
    pub(super) places: Vec<Place>,
}

/// The place of a row in the order, of which the upper bit tells whether it is at the end where missing
/// values do not stand first. Neighbours may share a place, so that none is dropped for the other.
pub(super) type Place = u64;
const LAST: Place = Place::MAX;

impl Best {
    pub(super) fn new(
        groups: &[Arc<dyn PhysicalExpr>],
        order: &PhysicalSortExpr,
        kept: usize,
        schema: &Schema,
    ) -> Result<Self> {
        let schema = Arc::new(Schema::new(fields(groups, schema)?));
        Ok(Self {
            groups: groups.to_vec(),
            order: order.clone(),
            kept,
            numbers: new_group_values(schema, &GroupOrdering::None)?,
            places: Vec::new(),
            of_row: Vec::new(),
            rows: 0,
            dropped: 0,
        })
    }

    /// The rows that may be among the first ones of their group.
    pub(super) fn pruned(&mut self, batch: &RecordBatch) -> Result<Kept> {
        let rows = batch.num_rows();
        let evaluated = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(batch)?.into_array(rows);
        let groups = self.groups.iter().map(evaluated).collect::<Result<Vec<_>>>()?;
        let order = evaluated(&self.order.expr)?;
        let Some(places) = places(&order, self.order.options)? else {
            return internal_err!("an order by {}", order.data_type());
        };
        self.of_row.clear();
        self.numbers.intern(&groups, &mut self.of_row)?;
        self.places.resize(self.numbers.len() * self.kept, LAST);
        let mut may_be_first = Vec::with_capacity(rows);
        let mut kept = Kept { rows: batch.clone(), groups: Vec::new(), places: Vec::new() };
        for (&group, place) in self.of_row.iter().zip(places) {
            let start = group * self.kept;
            let best = self.places.get_mut(start..start + self.kept).unwrap_or_default();
            let taken = taken_in(best, place);
            may_be_first.push(taken);
            if taken {
                kept.groups.push(group);
                kept.places.push(place);
            }
        }
        self.rows += rows;
        self.dropped += rows - kept.groups.len();
        if kept.groups.len() < rows {
            kept.rows = filter_record_batch(batch, &BooleanArray::from(may_be_first))?;
        }
        Ok(kept)
    }

    /// Those of rows that may still be among the first ones.
    pub(super) fn pruned_again(&self, kept: Kept) -> Result<Kept> {
        let stays = |(group, place): (&usize, &Place)| {
            let best = self.places.get(group * self.kept..(group + 1) * self.kept);
            best.and_then(<[Place]>::last).is_none_or(|last| place <= last)
        };
        let mask: Vec<bool> = kept.groups.iter().zip(&kept.places).map(stays).collect();
        if mask.iter().all(|stays| *stays) {
            return Ok(kept);
        }
        let mut chosen = mask.iter();
        let mut groups = kept.groups;
        groups.retain(|_| chosen.next().is_none_or(|stays| *stays));
        let mut chosen = mask.iter();
        let mut places = kept.places;
        places.retain(|_| chosen.next().is_none_or(|stays| *stays));
        let rows = filter_record_batch(&kept.rows, &BooleanArray::from(mask))?;
        Ok(Kept { rows, groups, places })
    }

    /// Whether enough rows are dropped. Nothing can be said of groups that had few rows so far.
    pub(super) fn is_useful(&self) -> bool {
        let groups = self.numbers.len();
        self.rows < TRIAL.max(ROWS_OF_A_TRIAL * self.kept * groups)
            || self.dropped as f64 >= ENOUGH * self.rows as f64
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        self.numbers.size() + self.places.capacity() * size_of::<Place>()
    }
}

/// Puts a place among the best ones; false where all of these come before it.
fn taken_in(best: &mut [Place], place: Place) -> bool {
    let Some(last) = best.last() else { return true };
    if place >= *last {
        return place == *last;
    }
    let position = best.partition_point(|better| *better <= place);
    if let Some(worse) = best.get_mut(position..) {
        worse.rotate_right(1);
        worse[0] = place;
    }
    true
}

pub(super) fn is_ordered(data_type: &DataType) -> bool {
    match data_type {
        DataType::Date32 | DataType::Timestamp(..) | DataType::Duration(_) => true,
        other => other.is_integer() || matches!(other, DataType::Float32 | DataType::Float64),
    }
}

/// The places of rows in an order by one column.
fn places(values: &ArrayRef, options: SortOptions) -> Result<Option<Vec<Place>>> {
    macro_rules! signed {
        ($kind:ty) => {
            of(values.as_primitive::<$kind>(), options, |value| {
                (i64::from(value) as u64) ^ (1 << 63)
            })
        };
    }
    macro_rules! unsigned {
        ($kind:ty) => {
            of(values.as_primitive::<$kind>(), options, |value| u64::from(value))
        };
    }
    Ok(Some(match values.data_type() {
        DataType::Int8 => signed!(Int8Type),
        DataType::Int16 => signed!(Int16Type),
        DataType::Int32 => signed!(Int32Type),
        DataType::Int64 => signed!(Int64Type),
        DataType::Date32 => signed!(Date32Type),
        DataType::Timestamp(..) | DataType::Duration(_) => {
            return places(&cast(values, &DataType::Int64)?, options);
        }
        DataType::UInt8 => unsigned!(UInt8Type),
        DataType::UInt16 => unsigned!(UInt16Type),
        DataType::UInt32 => unsigned!(UInt32Type),
        DataType::UInt64 => unsigned!(UInt64Type),
        DataType::Float64 => of(values.as_primitive::<Float64Type>(), options, of_float),
        DataType::Float32 => {
            of(values.as_primitive::<Float32Type>(), options, |value| of_float(f64::from(value)))
        }
        _ => return Ok(None),
    }))
}

/// A number that is in the order of all floats, as sorts have them.
fn of_float(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

fn of<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    options: SortOptions,
    number: impl Fn(T::Native) -> u64,
) -> Vec<Place> {
    let upper = |later: bool| Place::from(later) << 63;
    let place = |value: T::Native| {
        let number = number(value);
        let number = if options.descending { !number } else { number };
        upper(options.nulls_first) | (number >> 1)
    };
    match values.nulls() {
        None => values.values().iter().map(|value| place(*value)).collect(),
        Some(_) => {
            let missing = upper(!options.nulls_first) | (LAST >> 1);
            values.iter().map(|value| value.map_or(missing, place)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array};
    use arrow::compute::{rank, sort_to_indices};

    use super::*;

    #[test]
    fn places_are_in_the_order_of_sorts() {
        let floats = [f64::NEG_INFINITY, -2.5, -0.0, 0.0, 1e-300, 3.0, f64::INFINITY];
        let mut floats: Vec<Option<f64>> = floats.into_iter().map(Some).collect();
        floats.insert(3, None);
        let whole = [Some(i64::MIN), Some(9), None, Some(-7), Some(0), Some(i64::MAX)];
        let columns: [ArrayRef; 2] =
            [Arc::new(Float64Array::from(floats)), Arc::new(Int64Array::from(whole.to_vec()))];
        for column in columns {
            for (descending, nulls_first) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let options = SortOptions { descending, nulls_first };
                let places = places(&column, options).unwrap().unwrap();
                let order = sort_to_indices(&column, Some(options), None).unwrap();
                let sorted: Vec<Place> =
                    order.values().iter().map(|row| places[*row as usize]).collect();
                assert!(sorted.is_sorted(), "{options:?} {sorted:?}");
                let ranks = rank(&column, Some(options)).unwrap();
                let different = |left: usize, right: usize| ranks[left] != ranks[right];
                assert!(different(0, 1) && places[0] != places[1]);
            }
        }
    }

    #[test]
    fn rows_after_the_best_ones_are_dropped() {
        let mut best = [LAST; 2];
        let seen = [5, 9, 7, 7, 8, 1, 5, 6];
        let kept: Vec<bool> = seen.iter().map(|place| taken_in(&mut best, *place)).collect();
        assert_eq!(kept, [true, true, true, true, false, true, true, false]);
        assert_eq!(best, [1, 5]);
    }
}
