//! Operators that hand batches on: a leaf whose rows have begun to come already, and one that does
//! something to the stream of its input.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr,
    PlanProperties, replace_children_if_necessary,
};
use futures::FutureExt;
use parking_lot::Mutex;

use crate::node::{Inputs, Node, Operator};

/// Rows that have begun to come, of some partitions.
pub(crate) struct Begun {
    properties: Arc<PlanProperties>,
    rows: Mutex<BTreeMap<usize, SendableRecordBatchStream>>,
}

impl Begun {
    /// The rows of `whole` in some of its partitions.
    pub(crate) fn of(
        whole: &Arc<dyn ExecutionPlan>,
        rows: impl IntoIterator<Item = (usize, SendableRecordBatchStream)>,
    ) -> Arc<dyn ExecutionPlan> {
        let rows = Mutex::new(rows.into_iter().collect());
        Arc::new(Self { properties: whole.properties().clone(), rows })
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Begun")
    }
}

impl DisplayAs for Begun {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Begun")
    }
}

impl ExecutionPlan for Begun {
    fn name(&self) -> &str {
        "Begun"
    }

    fn schema(&self) -> SchemaRef {
        self.properties.eq_properties.schema().clone()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match self.rows.lock().remove(&partition) {
            Some(rows) => Ok(rows),
            None => internal_err!("rows that were read already"),
        }
    }
}

/// Does something to the stream of the input's batches, which keeps rows and their order.
#[derive(Clone, Debug)]
pub(crate) struct Through {
    name: &'static str,
    change: Change,
}

/// What is done to the batches of a partition.
type Change = fn(SendableRecordBatchStream, &TaskContext) -> SendableRecordBatchStream;

impl Through {
    pub(crate) fn over(
        name: &'static str,
        input: Arc<dyn ExecutionPlan>,
        change: Change,
    ) -> Arc<dyn ExecutionPlan> {
        Node::over(Self { name, change }, [input])
    }
}

impl Operator<1> for Through {
    fn name(&self) -> &'static str {
        self.name
    }

    fn properties(&self, [input]: &Inputs<1>) -> Arc<PlanProperties> {
        input.properties().clone()
    }

    fn execute(
        &self,
        node: &Node<Self>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let [input] = node.inputs();
        Ok((self.change)(input.execute(partition, context.clone())?, &context))
    }
}

/// The plan whose relations in several partitions let other threads have their share before they
/// begin. Files of Parquet do so with each read.
pub(crate) fn in_turns(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children: Vec<_> = plan.children().into_iter().cloned().collect();
    if children.is_empty() {
        let scan = plan.downcast_ref::<DataSourceExec>();
        let reads =
            scan.is_some_and(|scan| scan.downcast_to_file_source::<ParquetSource>().is_some());
        let several = plan.output_partitioning().partition_count() > 1;
        return Ok(if several && !reads {
            Through::over("TurnExec", plan, after_others)
        } else {
            plan
        });
    }
    let children = children.into_iter().map(in_turns).collect::<Result<_>>()?;
    replace_children_if_necessary(plan, children)
}

fn after_others(rows: SendableRecordBatchStream, _: &TaskContext) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = others_first().map(|()| rows).flatten_stream();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// Lets another thread take over this task or the one that it has just woken.
///
/// A thread keeps the task that was woken last for itself until the one that runs stops, and what
/// reads memory or cached files never does: the other half of a scan would wait for as long as it
/// goes on.
pub(crate) async fn others_first() {
    let mut stopped = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut stopped, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
