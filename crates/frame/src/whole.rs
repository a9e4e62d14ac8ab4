//! The side of a join that is kept in memory, as one batch with text in one place.
//!
//! Text is a view into buffers. The batches of a side have buffers of their own, and a join that puts
//! them together keeps a list of all of these, which each batch that it gives repeats: with thousands
//! of buffers the list costs more than the rows. So the side comes as one batch, whose text was copied
//! into one buffer.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
    replace_children_if_necessary,
};
use futures::{StreamExt, stream};

/// So many batches have lists that cost nothing.
const FEW: usize = 16;

/// The plan with the kept sides of joins as one batch, where they have text.
pub(crate) fn whole(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().cloned().map(whole).collect::<Result<Vec<_>>>()?;
    let children = match (plan.downcast_ref::<HashJoinExec>(), children.as_slice()) {
        (Some(_), [kept, other]) if has_text(&kept.schema()) => {
            vec![
                Arc::new(WholeExec { input: kept.clone() }) as Arc<dyn ExecutionPlan>,
                other.clone(),
            ]
        }
        _ => children,
    };
    replace_children_if_necessary(plan, children)
}

fn has_text(schema: &SchemaRef) -> bool {
    schema.fields().iter().any(|field| is_view(field.data_type()))
}

fn is_view(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8View | DataType::BinaryView)
}

#[derive(Debug)]
struct WholeExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for WholeExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WholeExec")
    }
}

impl ExecutionPlan for WholeExec {
    fn name(&self) -> &str {
        "WholeExec"
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
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self { input })),
            Err(_) => internal_err!("WholeExec has one input"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context.clone())?;
        let pool = context.memory_pool();
        let reservation = MemoryConsumer::new(format!("WholeExec[{partition}]")).register(pool);
        let schema = self.schema();
        let rows = stream::once(gathered(input, schema.clone(), reservation));
        let rows = rows.flat_map(|found| {
            stream::iter(match found {
                Ok(batches) => batches.into_iter().map(Ok).collect(),
                Err(failed) => vec![Err(failed)],
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// All rows, in one batch if they came in many.
async fn gathered(
    mut input: SendableRecordBatchStream,
    schema: SchemaRef,
    reservation: MemoryReservation,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    while let Some(batch) = input.next().await.transpose()? {
        if batch.num_rows() > 0 {
            reservation.try_grow(bytes(&batch))?;
            batches.push(batch);
        }
    }
    if batches.len() <= FEW {
        return Ok(batches);
    }
    let all = concat_batches(&schema, &batches)?;
    drop(batches);
    let columns = all.columns().iter().map(in_one_place).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(all.num_rows()));
    Ok(vec![RecordBatch::try_new_with_options(schema, columns, &options)?])
}

/// Bytes of a batch, of which text counts only as far as its rows have it.
fn bytes(batch: &RecordBatch) -> usize {
    let of = |column: &ArrayRef| {
        let text = match column.data_type() {
            DataType::Utf8View => column.as_string_view().total_buffer_bytes_used(),
            DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used(),
            _ => 0,
        };
        column.to_data().get_slice_memory_size().unwrap_or(0) + text
    };
    batch.columns().iter().map(of).sum()
}

fn in_one_place(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => column.clone(),
    }
}
