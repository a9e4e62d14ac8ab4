//! Several conditions that all have to hold, evaluated in the order of what they cost.
//!
//! Comparisons of numbers are made for whole batches; text, functions, and the keys that a join
//! has seen are looked at only for rows that are left. What is missing does not hold, as in a
//! filter.

mod compare;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr,
    Literal,
};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::scalar::ScalarValue;
use parking_lot::Mutex;

use compare::Comparison;

/// The most bytes of a text that a view holds itself.
const INLINE: usize = 12;
/// Rows after which a condition that may be left out has shown whether it drops any.
const TRIAL: usize = 65_536;
/// Below this share of rows the others are taken out before a condition is evaluated.
const SPARSE: f64 = 0.5;
/// A condition that may be left out is, where it keeps more than this share of rows.
const USELESS: f64 = 0.75;

/// Conditions that all have to hold.
#[derive(Debug)]
pub(crate) struct Conditions {
    parts: Vec<Arc<dyn PhysicalExpr>>,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    /// A comparison of plain numbers.
    Compared(Comparison),
    /// A comparison that takes no longer than leaving rows out.
    Whole(Arc<dyn PhysicalExpr>),
    /// A text that is one of several short ones, by their views.
    Short { column: usize, views: Vec<u128>, part: Arc<dyn PhysicalExpr> },
    /// Any other condition, over the columns that it reads.
    Left { part: Narrow },
    /// The keys that a join has seen, known when it has seen them; rows may be kept.
    Seen { part: Narrow, seen: Seen, rows: AtomicUsize, kept: AtomicUsize },
}

/// A filter that a join tells more of when it has seen its keys.
#[derive(Debug)]
struct Seen {
    filter: Arc<dyn PhysicalExpr>,
    known: Mutex<Option<Known>>,
}

/// What a filter said last, and the conditions that this is.
#[derive(Debug)]
struct Known {
    said: Arc<dyn PhysicalExpr>,
    conditions: Arc<Conditions>,
}

/// An expression over some columns of a batch.
#[derive(Debug)]
struct Narrow {
    expr: Arc<dyn PhysicalExpr>,
    columns: Vec<usize>,
    schema: Arc<Schema>,
}

impl Conditions {
    /// The conditions in `parts` over rows of `schema`.
    pub(crate) fn new(parts: Vec<Arc<dyn PhysicalExpr>>, schema: &Schema) -> Result<Self> {
        let mut steps = parts.iter().map(|part| step(part, schema)).collect::<Result<Vec<_>>>()?;
        // The order among those that may fail is as it was.
        steps.sort_by_key(|step| match step {
            Step::Compared(_) => 0,
            Step::Whole(_) => 1,
            Step::Short { .. } => 2,
            Step::Seen { .. } => 3,
            Step::Left { .. } => 4,
        });
        Ok(Self { parts, steps })
    }

    /// Whether evaluating the conditions like this is any better.
    pub(crate) fn is_better(&self) -> bool {
        self.steps.len() > 1
            || self.steps.iter().any(|step| {
                matches!(step, Step::Compared(_) | Step::Short { .. } | Step::Seen { .. })
            })
    }
}

fn step(part: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Step> {
    if let Some((column, views)) = short_texts(part, schema) {
        return Ok(Step::Short { column, views, part: part.clone() });
    }
    if let Some(filter) = find_seen(part)? {
        let (rows, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let seen = Seen { filter, known: Mutex::new(None) };
        return Ok(Step::Seen { part: Narrow::of(part, schema)?, seen, rows, kept });
    }
    if let Some(comparison) = Comparison::of(part, schema) {
        return Ok(Step::Compared(comparison));
    }
    if is_comparison(part, schema) {
        return Ok(Step::Whole(part.clone()));
    }
    Ok(Step::Left { part: Narrow::of(part, schema)? })
}

/// The filter of a join that is in a condition.
fn find_seen(part: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let mut found = None;
    part.clone().transform_down(|expr| {
        if expr.downcast_ref::<DynamicFilterPhysicalExpr>().is_some() {
            found = Some(expr.clone());
        }
        Ok(Transformed::no(expr))
    })?;
    Ok(found)
}

fn is_comparison(part: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let plain = |expr: &Arc<dyn PhysicalExpr>| {
        let inner = match expr.downcast_ref::<CastExpr>() {
            Some(cast) => cast.expr(),
            None => expr,
        };
        let known =
            inner.downcast_ref::<Column>().is_some() || inner.downcast_ref::<Literal>().is_some();
        known
            && expr.data_type(schema).is_ok_and(|found| found.is_primitive())
            && inner.data_type(schema).is_ok_and(|found| found.is_primitive())
    };
    if let Some(binary) = part.downcast_ref::<BinaryExpr>() {
        return compares(binary.op()) && plain(binary.left()) && plain(binary.right());
    }
    let tested = part
        .downcast_ref::<IsNotNullExpr>()
        .map(IsNotNullExpr::arg)
        .or_else(|| part.downcast_ref::<IsNullExpr>().map(IsNullExpr::arg));
    tested.is_some_and(|arg| arg.downcast_ref::<Column>().is_some())
}

fn compares(op: &Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The column of texts and the views of those that it is compared with, where all are short.
fn short_texts(part: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<(usize, Vec<u128>)> {
    let (column, values) = equalities(part)?;
    let is_view = |field: &Field| *field.data_type() == DataType::Utf8View;
    if !schema.fields().get(column).is_some_and(|field| is_view(field)) {
        return None;
    }
    let views = values.into_iter().map(view).collect::<Option<_>>()?;
    Some((column, views))
}

/// A column and the values of which it has to be one.
fn equalities(part: &Arc<dyn PhysicalExpr>) -> Option<(usize, Vec<ScalarValue>)> {
    if let Some(list) = part.downcast_ref::<InListExpr>() {
        let column = list.expr().downcast_ref::<Column>()?.index();
        if list.negated() {
            return None;
        }
        let values: Option<Vec<_>> = list
            .list()
            .iter()
            .map(|each| Some(each.downcast_ref::<Literal>()?.value().clone()))
            .collect();
        return Some((column, values?));
    }
    let binary = part.downcast_ref::<BinaryExpr>()?;
    match binary.op() {
        Operator::Eq => {
            let column = binary.left().downcast_ref::<Column>()?.index();
            let value = binary.right().downcast_ref::<Literal>()?.value().clone();
            Some((column, vec![value]))
        }
        Operator::Or => {
            let (column, mut values) = equalities(binary.left())?;
            let (other, more) = equalities(binary.right())?;
            values.extend(more);
            (column == other).then_some((column, values))
        }
        _ => None,
    }
}

/// The view of a short text: its length and its bytes.
fn view(value: ScalarValue) -> Option<u128> {
    let text = match value {
        ScalarValue::Utf8View(Some(text))
        | ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => text,
        _ => return None,
    };
    let length = u32::try_from(text.len()).ok()?;
    if text.len() > INLINE {
        return None;
    }
    let mut bytes = [0_u8; 16];
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..4 + text.len()].copy_from_slice(text.as_bytes());
    Some(u128::from_le_bytes(bytes))
}

impl Narrow {
    fn of(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Self> {
        let mut columns: Vec<usize> = collect_columns(expr).iter().map(Column::index).collect();
        columns.sort_unstable();
        columns.dedup();
        let schema = Arc::new(schema.project(&columns)?);
        // Names of columns need not be unique; positions are.
        let expr = expr.clone().transform_down(|expr| match expr.downcast_ref::<Column>() {
            None => Ok(Transformed::no(expr)),
            Some(column) => {
                let place = columns.binary_search(&column.index()).unwrap_or(usize::MAX);
                let own = Column::new(column.name(), place);
                Ok(Transformed::yes(Arc::new(own) as Arc<dyn PhysicalExpr>))
            }
        })?;
        let expr = expr.data;
        Ok(Self { expr, columns, schema })
    }

    /// Which of the rows that `left` says fulfil the condition.
    fn evaluate(&self, batch: &RecordBatch, left: &BooleanBuffer) -> Result<BooleanBuffer> {
        self.evaluate_as(&self.expr, batch, left)
    }

    /// The same for an expression that has come into the place of its own.
    fn evaluate_as(
        &self,
        expr: &Arc<dyn PhysicalExpr>,
        batch: &RecordBatch,
        left: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let rows = left.len();
        let count = left.count_set_bits();
        let sparse = (count as f64) < rows as f64 * SPARSE;
        let mask = BooleanArray::new(left.clone(), None);
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|column| {
                let column = batch.column(*column);
                if sparse { Ok(filter(column, &mask)?) } else { Ok(column.clone()) }
            })
            .collect::<Result<_>>()?;
        let rows_there = if sparse { count } else { rows };
        let options = RecordBatchOptions::new().with_row_count(Some(rows_there));
        let narrow = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        let found = holding(expr.evaluate(&narrow)?, rows_there)?;
        if !sparse {
            return Ok(&found & left);
        }
        let mut spread = BooleanBufferBuilder::new(rows);
        spread.append_n(rows, false);
        for (position, row) in left.set_indices().enumerate() {
            if found.value(position) {
                spread.set_bit(row, true);
            }
        }
        Ok(spread.finish())
    }
}

/// The rows for which a condition holds; for those where it is missing it does not.
fn holding(value: ColumnarValue, rows: usize) -> Result<BooleanBuffer> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Boolean(value)) => Ok(if value == Some(true) {
            BooleanBuffer::new_set(rows)
        } else {
            BooleanBuffer::new_unset(rows)
        }),
        ColumnarValue::Array(array) if *array.data_type() == DataType::Boolean => {
            let array = array.as_boolean();
            Ok(match array.nulls() {
                Some(nulls) => array.values() & nulls.inner(),
                None => array.values().clone(),
            })
        }
        other => internal_err!("a condition that gives {}", other.data_type()),
    }
}

impl Step {
    fn evaluate(&self, batch: &RecordBatch, left: &BooleanBuffer) -> Result<BooleanBuffer> {
        match self {
            Self::Compared(comparison) => Ok(&comparison.evaluate(batch) & left),
            Self::Whole(part) => Ok(&holding(part.evaluate(batch)?, left.len())? & left),
            Self::Short { column, views, part } => {
                let Some(texts) = batch.column(*column).as_string_view_opt() else {
                    return Ok(&holding(part.evaluate(batch)?, left.len())? & left);
                };
                let own = texts.views();
                let found = match views.as_slice() {
                    [view] => BooleanBuffer::collect_bool(own.len(), |row| own[row] == *view),
                    [one, two] => BooleanBuffer::collect_bool(own.len(), |row| {
                        (own[row] == *one) | (own[row] == *two)
                    }),
                    _ => BooleanBuffer::collect_bool(own.len(), |row| views.contains(&own[row])),
                };
                let found = &found & left;
                Ok(match texts.nulls() {
                    Some(nulls) => &found & nulls.inner(),
                    None => found,
                })
            }
            Self::Left { part } => part.evaluate(batch, left),
            Self::Seen { part, seen, rows, kept } => {
                let (before, after) = (rows.load(Ordering::Relaxed), kept.load(Ordering::Relaxed));
                let useless = before >= TRIAL && after as f64 > before as f64 * USELESS;
                if useless || !is_known(&seen.filter)? {
                    return Ok(left.clone());
                }
                let found = match seen.conditions(part)? {
                    Some(conditions) => part.evaluate_as(&conditions, batch, left)?,
                    None => part.evaluate(batch, left)?,
                };
                rows.fetch_add(left.count_set_bits(), Ordering::Relaxed);
                kept.fetch_add(found.count_set_bits(), Ordering::Relaxed);
                Ok(found)
            }
        }
    }
}

impl Seen {
    /// What the filter says now, over the columns of `part`.
    fn conditions(&self, part: &Narrow) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(filter) = part.expr.downcast_ref::<DynamicFilterPhysicalExpr>() else {
            return Ok(None);
        };
        let current = filter.current()?;
        let mut known = self.known.lock();
        if let Some(Known { said, conditions }) = &*known
            && Arc::ptr_eq(said, &current)
        {
            return Ok(Some(conditions.clone()));
        }
        let parts = split_conjunction(&current).into_iter().cloned().collect();
        let conditions = Arc::new(Conditions::new(parts, &part.schema)?);
        *known = Some(Known { said: current, conditions: conditions.clone() });
        Ok(Some(conditions))
    }
}

/// Whether a join has seen its keys.
fn is_known(filter: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    let Some(filter) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() else { return Ok(true) };
    let current = filter.current()?;
    let open = current
        .downcast_ref::<Literal>()
        .is_some_and(|literal| *literal.value() == ScalarValue::Boolean(Some(true)));
    Ok(!open)
}

impl PhysicalExpr for Conditions {
    fn data_type(&self, _schema: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _schema: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn return_field(&self, _schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new("conditions", DataType::Boolean, false)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let mut left = BooleanBuffer::new_set(batch.num_rows());
        for step in &self.steps {
            left = step.evaluate(batch, &left)?;
            if left.count_set_bits() == 0 {
                break;
            }
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(left, None))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.parts.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let all = children.into_iter().reduce(|left, right| {
            Arc::new(BinaryExpr::new(left, Operator::And, right)) as Arc<dyn PhysicalExpr>
        });
        // Its columns may be others now, of whose types nothing is known here.
        all.map_or_else(|| internal_err!("no conditions"), Ok)
    }

    fn fmt_sql(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.parts.iter().enumerate() {
            if position > 0 {
                write!(formatter, " AND ")?;
            }
            write!(formatter, "{part}")?;
        }
        Ok(())
    }
}

impl PartialEq for Conditions {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Conditions {}

impl Hash for Conditions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.hash(state);
    }
}
