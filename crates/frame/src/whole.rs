//! The side of a join that is kept in memory, as one batch with text in one place.
//!
//! Text is a view into buffers. The batches of a side have buffers of their own, and a join that puts
//! them together keeps a list of all of these, which each batch that it gives repeats: with thousands
//! of buffers the list costs more than the rows. So the side comes as one batch, whose text was copied
//! into one buffer.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use futures::{StreamExt, TryStreamExt, stream};

use crate::owned::needed_bytes;
use crate::streams::Through;

/// So many batches have lists that cost nothing.
const FEW: usize = 16;

/// The plan with the kept sides of joins as one batch, where they have text.
pub(crate) fn whole(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().cloned().map(whole).collect::<Result<Vec<_>>>()?;
    let children = match (plan.downcast_ref::<HashJoinExec>(), children.as_slice()) {
        (Some(_), [kept, other]) if has_text(&kept.schema()) => {
            vec![Through::over("WholeExec", kept.clone(), together), other.clone()]
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

fn together(rows: SendableRecordBatchStream, context: &TaskContext) -> SendableRecordBatchStream {
    let reservation = MemoryConsumer::new("WholeExec").register(context.memory_pool());
    let schema = rows.schema();
    let rows = stream::once(gathered(rows, schema.clone(), reservation))
        .map_ok(|batches| stream::iter(batches.into_iter().map(Ok)))
        .try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
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
            for column in batch.columns() {
                reservation.try_grow(needed_bytes(column)?)?;
            }
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

fn in_one_place(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array, StringViewArray};

    use super::*;

    /// Rows of a number and a text that is longer than what a view holds.
    fn rows(count: usize) -> Vec<RecordBatch> {
        let batch = |number: usize| {
            let numbers = Int64Array::from_iter_values([number as i64, 1, 2]);
            let texts = [Some(format!("the text of the row {number}")), None, Some("short".into())];
            let columns: [(&str, ArrayRef); 2] = [
                ("n", Arc::new(numbers)),
                ("s", Arc::new(texts.into_iter().collect::<StringViewArray>())),
            ];
            RecordBatch::try_from_iter(columns).unwrap()
        };
        (0..count).map(batch).collect()
    }

    fn through(batches: Vec<RecordBatch>) -> Vec<RecordBatch> {
        let schema = batches[0].schema();
        let given = stream::iter(batches.into_iter().map(Ok));
        let given = Box::pin(RecordBatchStreamAdapter::new(schema, given));
        let found = together(given, &TaskContext::default()).try_collect();
        futures::executor::block_on(found).unwrap()
    }

    #[test]
    fn many_batches_become_one_with_text_in_one_place() {
        let batches = rows(3 * FEW);
        let found = through(batches.clone());
        let [whole] = found.as_slice() else { panic!("{} batches", found.len()) };
        assert_eq!(*whole, concat_batches(&batches[0].schema(), &batches).unwrap());
        assert_eq!(whole.column(1).as_string_view().data_buffers().len(), 1);
        assert_eq!(whole.column(1).null_count(), 3 * FEW);
    }

    #[test]
    fn few_batches_stay_as_they_are() {
        assert_eq!(through(rows(FEW)), rows(FEW));
    }
}
