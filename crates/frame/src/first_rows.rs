//! Rows that cannot be among the first ones of their group are dropped before all rows are sorted.
//!
//! Where a query keeps the first rows of each group by a number that a window gives, all rows would
//! be sent to other threads and sorted. The operator here remembers, for each group, the best values
//! of the order that it has seen, and drops rows that come after as many of them as are kept. What it
//! lets through is sorted and numbered as before, so that equal values are treated as ever, and
//! dropping too little is never wrong: it stops where there are too many groups, or few rows to drop.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::compute::{SortOptions, cast, filter_record_batch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Schema, SchemaRef, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::StreamExt;

/// The most rows of a group that are worth being told from the others one by one.
pub(crate) const MOST_KEPT: usize = 16;
/// Bytes of what is remembered of groups, in one partition.
const MOST_BYTES: usize = 64 << 20;
/// Rows after which it is looked at how many of them were dropped, and the share that is enough.
const TRIAL: usize = 1 << 18;
const ENOUGH: f64 = 0.1;

/// Drops rows that come after `kept` better ones of their group.
#[derive(Debug)]
pub(crate) struct FirstRowsExec {
    input: Arc<dyn ExecutionPlan>,
    groups: Vec<Arc<dyn PhysicalExpr>>,
    order: PhysicalSortExpr,
    kept: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl FirstRowsExec {
    /// The operator, if groups and order are of types that it knows.
    pub(crate) fn of(
        input: &Arc<dyn ExecutionPlan>,
        groups: Vec<Arc<dyn PhysicalExpr>>,
        order: PhysicalSortExpr,
        kept: usize,
    ) -> Option<Self> {
        let schema = input.schema();
        let ordered = is_ordered(&order.expr.data_type(&schema).ok()?);
        let fields = fields(&groups, &schema).ok()?;
        let flat = |field: &Field| {
            field.data_type().is_primitive()
                || matches!(field.data_type(), DataType::Utf8View | DataType::Boolean)
        };
        let known = ordered && !groups.is_empty() && (1..=MOST_KEPT).contains(&kept);
        (known && fields.iter().all(flat)).then(|| Self {
            input: input.clone(),
            groups,
            order,
            kept,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

fn fields(groups: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Result<Vec<Field>> {
    let field = |(place, expr): (usize, &Arc<dyn PhysicalExpr>)| {
        Ok(Field::new(format!("group {place}"), expr.data_type(schema)?, true))
    };
    groups.iter().enumerate().map(field).collect()
}

impl DisplayAs for FirstRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.groups.iter().map(|group| format!("{group}")).collect();
        let (kept, groups) = (self.kept, groups.join(", "));
        write!(formatter, "FirstRowsExec: kept={kept}, groups=[{groups}], order=[{}]", self.order)
    }
}

impl ExecutionPlan for FirstRowsExec {
    fn name(&self) -> &str {
        "FirstRowsExec"
    }

    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expr in self.groups.iter().chain([&self.order.expr]) {
            if matches!(visit(expr)?, TreeNodeRecursion::Stop) {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self {
                input,
                groups: self.groups.clone(),
                order: self.order.clone(),
                kept: self.kept,
                metrics: ExecutionPlanMetricsSet::new(),
            })),
            Err(_) => internal_err!("FirstRowsExec has one input"),
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, context)?;
        let mut best = Some(Best::new(&self.groups, &self.order, self.kept, &self.schema())?);
        let stream = input.map(move |batch| {
            let batch = batch?;
            let _timer = metrics.elapsed_compute().timer();
            let batch = match &mut best {
                Some(found) => {
                    let batch = found.pruned(&batch)?;
                    if !found.is_useful() {
                        best = None;
                    }
                    batch
                }
                None => batch,
            };
            Ok(batch).record_output(&metrics)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

/// The best values of each group so far.
struct Best {
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

/// The place of a row in the order, of which the upper bit tells whether it is at the end where missing
/// values do not stand first. Neighbours may share a place, so that none is dropped for the other.
type Place = u64;
const LAST: Place = Place::MAX;

impl Best {
    fn new(
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
    fn pruned(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
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
        for (&group, place) in self.of_row.iter().zip(places) {
            let start = group * self.kept;
            let best = self.places.get_mut(start..start + self.kept).unwrap_or_default();
            may_be_first.push(taken_in(best, place));
        }
        let may_be_first = BooleanArray::from(may_be_first);
        let left = filter_record_batch(batch, &may_be_first)?;
        self.rows += rows;
        self.dropped += rows - left.num_rows();
        Ok(left)
    }

    fn is_useful(&self) -> bool {
        let bytes = self.numbers.size() + self.places.capacity() * size_of::<Place>();
        let drops = self.rows < TRIAL || self.dropped as f64 >= ENOUGH * self.rows as f64;
        drops && bytes <= MOST_BYTES
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

fn is_ordered(data_type: &DataType) -> bool {
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
