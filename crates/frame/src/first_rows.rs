//! Rows that cannot be among the first ones of their group are dropped before all rows are sorted.
//!
//! Where a query keeps the first rows of each group by a number that a window gives, all rows would
//! be sent to other threads and sorted. The operator here remembers, for each group, the best values
//! of the order that it has seen, and drops rows that come after as many of them as are kept; the
//! others it holds, and drops those again that better rows have come after. What it lets through is
//! sorted and numbered as before, so that equal values are treated as ever, and dropping too little is
//! never wrong: it stops holding rows where they are too many, and dropping them where there are too
//! many groups, or few rows to drop.

mod best;
mod candidates;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::{StreamExt, stream};

use best::{Best, fields, is_ordered};
use candidates::Candidates;

/// The most rows of a group that are worth being told from the others one by one.
pub(crate) const MOST_KEPT: usize = 16;
/// Bytes of what is remembered of groups, and of the rows that are held, in one partition; and the
/// share of a budget that they may be.
const MOST_BYTES: usize = 512 << 20;
const SHARE: usize = 8;

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
        let input = self.input.execute(partition, context.clone())?;
        let best = Best::new(&self.groups, &self.order, self.kept, &self.schema())?;
        let pool = context.memory_pool();
        let most_bytes = match pool.memory_limit() {
            MemoryLimit::Finite(limit) => MOST_BYTES.min(limit / SHARE),
            _ => MOST_BYTES,
        };
        let memory = MemoryConsumer::new("FirstRows").register(pool);
        let rows_of_batch = context.session_config().batch_size();
        let mut rows = Candidates::new(best, most_bytes, memory, self.schema(), rows_of_batch);
        let ended = stream::once(async { None });
        let stream = input.map(Some).chain(ended).map(move |event| {
            let given: Result<Vec<RecordBatch>> = match event {
                Some(batch) => batch.and_then(|batch| {
                    let _timer = metrics.elapsed_compute().timer();
                    rows.next(batch)
                }),
                None => {
                    let _timer = metrics.elapsed_compute().timer();
                    rows.finish()
                }
            };
            let given = given.map(|batches| {
                batches.into_iter().map(|batch| Ok(batch.record_output(&metrics))).collect()
            });
            stream::iter(given.unwrap_or_else(|failed| vec![Err(failed)]))
        });
        let stream = stream.flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}
