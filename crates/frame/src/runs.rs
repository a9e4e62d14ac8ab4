//! Grouping of rows that lie beside each other: the first of two phases of an aggregation, without
//! a hash table.
//!
//! Rows of files often come in an order, so that equal keys are neighbours. Each run of equal keys
//! becomes one row with its partial results, which the second phase puts together with those of
//! other runs of the same key. Where runs turn out to be short, or keys to come back, all rows that
//! are left take the way through the hash table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::kernels::cmp::{lt, not_distinct};
use arrow::compute::{concat, partition, take};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PhysicalExpr, PlanProperties,
    replace_children_if_necessary,
};
use futures::{StreamExt, stream};

use crate::streams::Begun;

/// Runs are too short where there are more of them than this share of the rows, if those are enough
/// to tell.
const SHORT: f64 = 0.4;
const ENOUGH: usize = 1024;

/// The first phase of an aggregation, which makes a row of each run of equal keys.
#[derive(Debug)]
pub(crate) struct RunsExec {
    /// The same phase with a hash table.
    hashed: Arc<dyn ExecutionPlan>,
    input: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    functions: Vec<Arc<AggregateFunctionExpr>>,
    metrics: ExecutionPlanMetricsSet,
}

impl RunsExec {
    /// The phase in place of `hashed`, if that is a first phase whose partial results are plain
    /// values.
    pub(crate) fn of(hashed: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let aggregate = hashed.downcast_ref::<AggregateExec>()?;
        let groups = aggregate.group_expr();
        let plain = *aggregate.mode() == AggregateMode::Partial
            && !groups.is_empty()
            && groups.is_single()
            && *aggregate.input_order_mode() == InputOrderMode::Linear
            && aggregate.limit_options().is_none()
            && aggregate.dynamic_expressions_produced().is_empty()
            && aggregate.filter_expr().iter().all(Option::is_none);
        if !plain {
            return None;
        }
        let simple = |function: &Arc<AggregateFunctionExpr>| {
            let plain_state = |fields: Vec<Arc<arrow::datatypes::Field>>| {
                fields.iter().all(|field| is_flat(field.data_type()))
            };
            !function.is_distinct()
                && function.order_bys().is_empty()
                && function.groups_accumulator_supported()
                && function.state_fields().is_ok_and(plain_state)
        };
        let functions = aggregate.aggr_expr();
        if !functions.iter().all(simple) {
            return None;
        }
        let schema = aggregate.input().schema();
        let keys = groups.input_exprs();
        // One number or moment is what rows are in the order of.
        let [key] = keys.as_slice() else { return None };
        let ordered = key.data_type(&schema).is_ok_and(|data_type| data_type.is_primitive());
        ordered.then(|| Self {
            hashed: hashed.clone(),
            input: aggregate.input().clone(),
            keys,
            functions: functions.to_vec(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

fn is_flat(data_type: &DataType) -> bool {
    data_type.is_primitive() || matches!(data_type, DataType::Boolean | DataType::Utf8View)
}

impl DisplayAs for RunsExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(|key| format!("{key}")).collect();
        let functions: Vec<&str> = self.functions.iter().map(|function| function.name()).collect();
        write!(formatter, "RunsExec: gby=[{}], aggr=[{}]", keys.join(", "), functions.join(", "))
    }
}

impl ExecutionPlan for RunsExec {
    fn name(&self) -> &str {
        "RunsExec"
    }

    fn schema(&self) -> SchemaRef {
        self.hashed.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.hashed.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.hashed.apply_expressions(visit)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let hashed = replace_children_if_necessary(self.hashed.clone(), children)?;
        Ok(match Self::of(&hashed) {
            Some(runs) => Arc::new(runs),
            None => hashed,
        })
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
        let phase = Phase::Runs(Box::new(Runs {
            input: self.input.execute(partition, context.clone())?,
            hashed: self.hashed.clone(),
            schema: self.schema(),
            keys: self.keys.clone(),
            arguments: self.functions.iter().map(|function| function.expressions()).collect(),
            accumulators: self
                .functions
                .iter()
                .map(|function| function.create_groups_accumulator())
                .collect::<Result<_>>()?,
            starts: Vec::new(),
            count: 0,
            partition,
            context,
        }));
        let rows = stream::unfold((phase, metrics), |(phase, metrics)| async {
            let (next, phase) = phase.next(&metrics).await?;
            Some((next.record_output(&metrics), (phase, metrics)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// How the rows that are left are grouped.
enum Phase {
    Runs(Box<Runs>),
    Hashed(SendableRecordBatchStream),
    Done,
}

impl Phase {
    async fn next(self, metrics: &BaselineMetrics) -> Option<(Result<RecordBatch>, Self)> {
        match self {
            Self::Runs(runs) => match runs.next(metrics).await {
                Ok((Some(batch), phase)) => Some((Ok(batch), phase)),
                Ok((None, Self::Hashed(rows))) => Self::of_hashed(rows).await,
                Ok((None, _)) => None,
                Err(failed) => Some((Err(failed), Self::Done)),
            },
            Self::Hashed(rows) => Self::of_hashed(rows).await,
            Self::Done => None,
        }
    }

    async fn of_hashed(mut rows: SendableRecordBatchStream) -> Option<(Result<RecordBatch>, Self)> {
        let next = rows.next().await?;
        Some((next, Self::Hashed(rows)))
    }
}

struct Runs {
    input: SendableRecordBatchStream,
    hashed: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    arguments: Vec<Vec<Arc<dyn PhysicalExpr>>>,
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
    /// The keys of the runs that have not gone out, and how many there are.
    starts: Vec<Vec<ArrayRef>>,
    count: usize,
    partition: usize,
    context: Arc<TaskContext>,
}

impl Runs {
    /// Rows of runs, and how it goes on.
    async fn next(mut self, metrics: &BaselineMetrics) -> Result<(Option<RecordBatch>, Phase)> {
        while self.count <= self.context.session_config().batch_size() {
            let Some(batch) = self.input.next().await.transpose()? else {
                let last = match self.count {
                    0 => None,
                    _ => Some(self.emitted(false)?),
                };
                return Ok((last, Phase::Done));
            };
            let _timer = metrics.elapsed_compute().timer();
            if batch.num_rows() > 0 && !self.take_in(&batch)? {
                let before = match self.count {
                    0 => None,
                    _ => Some(self.emitted(false)?),
                };
                return Ok((before, Phase::Hashed(self.through_table(batch)?)));
            }
        }
        let batch = self.emitted(true)?;
        Ok((Some(batch), Phase::Runs(Box::new(self))))
    }

    /// Adds the runs of some rows; false, and nothing done, where they are too short or
    /// in no order.
    fn take_in(&mut self, batch: &RecordBatch) -> Result<bool> {
        let rows = batch.num_rows();
        let evaluated = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(batch)?.into_array(rows);
        let keys = self.keys.iter().map(evaluated).collect::<Result<Vec<_>>>()?;
        let runs = partition(&keys)?.ranges();
        if rows >= ENOUGH && runs.len() as f64 > rows as f64 * SHORT {
            return Ok(false);
        }
        let joined = usize::from(self.goes_on(&keys)?);
        let before = self.count - joined;
        let mut starts = Vec::with_capacity(runs.len());
        let mut groups = Vec::with_capacity(rows);
        for (number, run) in runs.iter().enumerate() {
            groups.resize(run.end, before + number);
            starts.push(u32::try_from(run.start).map_err(|_| too_many(rows))?);
        }
        let starts = UInt32Array::from(starts);
        let first = |key: &ArrayRef| Ok::<_, DataFusionError>(take(key, &starts, None)?);
        let keys = keys.iter().map(first).collect::<Result<Vec<_>>>()?;
        if !keys.iter().all(is_ascending) {
            return Ok(false);
        }
        let new = runs.len() - joined;
        self.starts.push(keys.iter().map(|key| key.slice(joined, new)).collect());
        self.count += new;
        for (accumulator, arguments) in self.accumulators.iter_mut().zip(&self.arguments) {
            let values = arguments
                .iter()
                .map(|expr| expr.evaluate(batch)?.into_array(rows))
                .collect::<Result<Vec<_>>>()?;
            accumulator.update_batch(&values, &groups, None, self.count)?;
        }
        Ok(true)
    }

    /// Whether the last run goes on in rows with these keys.
    fn goes_on(&self, keys: &[ArrayRef]) -> Result<bool> {
        let Some(starts) = self.starts.iter().rfind(|part| part.iter().all(|key| !key.is_empty()))
        else {
            return Ok(false);
        };
        for (start, key) in starts.iter().zip(keys) {
            let last = start.slice(start.len() - 1, 1);
            if !not_distinct(&last, &key.slice(0, 1))?.value(0) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rows of the runs that were taken in, without the last one where that may go on.
    fn emitted(&mut self, goes_on: bool) -> Result<RecordBatch> {
        let count = self.count - usize::from(goes_on);
        let starts = std::mem::take(&mut self.starts);
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        let mut kept = Vec::with_capacity(self.keys.len());
        for key in 0..self.keys.len() {
            let parts: Vec<&dyn arrow::array::Array> =
                starts.iter().filter_map(|part| part.get(key)).map(AsRef::as_ref).collect();
            let all = concat(&parts)?;
            kept.push(all.slice(count, self.count - count));
            columns.push(all.slice(0, count));
        }
        let emitted = if goes_on { EmitTo::First(count) } else { EmitTo::All };
        for accumulator in &mut self.accumulators {
            columns.extend(accumulator.state(emitted)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        self.count -= count;
        self.starts.push(kept);
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    /// What the phase with a hash table makes of `batch` and the rows after it.
    fn through_table(self, batch: RecordBatch) -> Result<SendableRecordBatchStream> {
        let children = self.hashed.children();
        let [before] = children.as_slice() else { return internal_err!("a phase of one input") };
        let rows = stream::once(async { Ok(batch) }).chain(self.input);
        let rows: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(before.schema(), rows));
        let rest = Begun::of(before, [(self.partition, rows)]);
        let hashed = replace_children_if_necessary(self.hashed, vec![rest])?;
        hashed.execute(self.partition, self.context)
    }
}

/// Whether each key is greater than the one before, so that none comes back.
pub(crate) fn is_ascending(keys: &ArrayRef) -> bool {
    let Some(pairs) = keys.len().checked_sub(1) else { return true };
    let rising = lt(&keys.slice(0, pairs), &keys.slice(1, pairs));
    rising.is_ok_and(|rising| rising.true_count() == pairs)
}

fn too_many(rows: usize) -> DataFusionError {
    DataFusionError::Internal(format!("a batch of {rows} rows"))
}
