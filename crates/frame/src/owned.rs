//! Batches with memory of their own for operators that keep them.
//!
//! A batch is often a piece of larger arrays. A sort that keeps it keeps these, and a budget counts
//! them, once for each batch: it would end where there is room for all rows. So the pieces are
//! copied before they are sorted, where there is a budget.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, make_array};
use arrow::datatypes::DataType;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use futures::StreamExt;

use crate::streams::Through;

/// A column may have this much more memory than its rows need.
const MOST_TIMES: usize = 2;
const MOST_BYTES: usize = 64 << 10;

/// The plan with batches that own their memory where they are sorted.
pub(crate) fn owned(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let sorts = plan.downcast_ref::<SortExec>().is_some();
    let children = plan
        .children()
        .into_iter()
        .map(|child| {
            let child = owned(child.clone())?;
            Ok(if sorts { Through::over("OwnedExec", child, own) } else { child })
        })
        .collect::<Result<Vec<Arc<dyn ExecutionPlan>>>>()?;
    replace_children_if_necessary(plan, children)
}

fn own(rows: SendableRecordBatchStream, _: &TaskContext) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.map(|batch| with_own_memory(&batch?));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn with_own_memory(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(owned_column).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
        .map_err(DataFusionError::from)
}

/// A column in memory of about the size that its rows need.
fn owned_column(column: &ArrayRef) -> Result<ArrayRef> {
    let held = column.get_buffer_memory_size();
    let needed = needed_bytes(column)?;
    if held <= needed.saturating_mul(MOST_TIMES).saturating_add(MOST_BYTES) {
        return Ok(column.clone());
    }
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => {
            let data = column.to_data();
            let mut copy = MutableArrayData::new(vec![&data], false, data.len());
            copy.try_extend(0, 0, data.len())?;
            make_array(copy.freeze())
        }
    })
}

/// Bytes of the rows of a column. Of a dictionary its values count too: a copy keeps them.
pub(crate) fn needed_bytes(column: &ArrayRef) -> Result<usize> {
    let text = match column.data_type() {
        DataType::Utf8View => column.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => column.as_binary_view().total_buffer_bytes_used(),
        _ => 0,
    };
    let values = match column.as_any_dictionary_opt() {
        Some(dictionary) => dictionary.values().get_buffer_memory_size(),
        None => 0,
    };
    Ok(column.to_data().get_slice_memory_size()?.saturating_add(text).saturating_add(values))
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Float64Array, Int64Array, ListArray, StringViewArray};
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    fn columns() -> Vec<ArrayRef> {
        let rows = 100_000;
        let floats = (0..rows).map(|row| (row % 7 != 0).then_some(f64::from(row)));
        let texts = (0..rows).map(|row| (row % 5 != 0).then(|| format!("the text of row {row}")));
        let lists = (0..rows).map(|row| (row % 3 != 0).then(|| vec![Some(i64::from(row)); 2]));
        let keys: Vec<String> = (0..rows).map(|row| format!("key {}", row % 11)).collect();
        vec![
            Arc::new(Int64Array::from_iter_values(0..i64::from(rows))),
            Arc::new(floats.collect::<Float64Array>()),
            Arc::new(texts.collect::<StringViewArray>()),
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
            Arc::new(keys.iter().map(String::as_str).collect::<DictionaryArray<Int32Type>>()),
        ]
    }

    #[test]
    fn pieces_are_copied_to_memory_of_their_size() {
        for column in columns() {
            let piece = column.slice(50_001, 1_000);
            let copy = owned_column(&piece).unwrap();
            assert_eq!(&copy, &piece, "{}", column.data_type());
            let limit = 2 * needed_bytes(&piece).unwrap() + MOST_BYTES;
            assert!(copy.get_buffer_memory_size() <= limit, "{}", column.data_type());
            assert!(piece.get_buffer_memory_size() > limit, "{}", column.data_type());
        }
    }

    #[test]
    fn whole_columns_stay_as_they_are() {
        for column in columns() {
            let same = owned_column(&column).unwrap();
            assert!(same.to_data().ptr_eq(&column.to_data()), "{}", column.data_type());
        }
    }
}
