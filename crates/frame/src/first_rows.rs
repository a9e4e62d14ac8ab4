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

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::metrics::RecordOutput;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::{StreamExt, stream};

use best::{Best, fields, is_ordered};
use candidates::Candidates;

use crate::node::{Inputs, Node, Operator};

/// The most rows of a group that are worth being told from the others one by one.
pub(crate) const MOST_KEPT: usize = 16;
/// Bytes of what is remembered of groups, and of the rows that are held, in one partition; and the
/// share of a budget that they may be.
const MOST_BYTES: usize = 512 << 20;
const SHARE: usize = 8;

/// Drops rows that come after `kept` better ones of their group.
#[derive(Clone, Debug)]
pub(crate) struct BestRows {
    groups: Vec<Arc<dyn PhysicalExpr>>,
    order: PhysicalSortExpr,
    kept: usize,
}

impl BestRows {
    /// The input without such rows, if groups and order are of types that the operator knows.
    pub(crate) fn over(
        input: &Arc<dyn ExecutionPlan>,
        groups: Vec<Arc<dyn PhysicalExpr>>,
        order: PhysicalSortExpr,
        kept: usize,
    ) -> Option<Arc<dyn ExecutionPlan>> {
        let schema = input.schema();
        let ordered = is_ordered(&order.expr.data_type(&schema).ok()?);
        let fields = fields(&groups, &schema).ok()?;
        let flat = |field: &Field| {
            field.data_type().is_primitive()
                || matches!(field.data_type(), DataType::Utf8View | DataType::Boolean)
        };
        let known = ordered && !groups.is_empty() && (1..=MOST_KEPT).contains(&kept);
        (known && fields.iter().all(flat))
            .then(|| Node::over(Self { groups, order, kept }, [input.clone()]))
    }
}

impl Operator<1> for BestRows {
    fn name(&self) -> &'static str {
        "FirstRowsExec"
    }

    fn describe(&self, _: &Inputs<1>) -> String {
        let groups: Vec<String> = self.groups.iter().map(|group| format!("{group}")).collect();
        let (kept, groups) = (self.kept, groups.join(", "));
        format!("kept={kept}, groups=[{groups}], order=[{}]", self.order)
    }

    fn properties(&self, [input]: &Inputs<1>) -> Arc<PlanProperties> {
        input.properties().clone()
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.groups.iter().chain([&self.order.expr]).collect()
    }

    fn execute(
        &self,
        node: &Node<Self>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = node.figures(partition);
        let [input] = node.inputs();
        let schema = input.schema();
        let input = input.execute(partition, context.clone())?;
        let best = Best::new(&self.groups, &self.order, self.kept, &schema)?;
        let pool = context.memory_pool();
        let most_bytes = match pool.memory_limit() {
            MemoryLimit::Finite(limit) => MOST_BYTES.min(limit / SHARE),
            _ => MOST_BYTES,
        };
        let memory = MemoryConsumer::new("FirstRows").register(pool);
        let rows_of_batch = context.session_config().batch_size();
        let mut rows = Candidates::new(best, most_bytes, memory, schema.clone(), rows_of_batch);
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
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}
