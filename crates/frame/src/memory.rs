//! Rows in memory, in partitions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::encode;
use crate::error::{FrameError, Result};
use crate::functions::without_nan;
use crate::types::{canonical, is_float};

/// Rows in memory. Cheap to clone; two are the same only if they share their memory.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Table>);

#[derive(Debug)]
struct Table {
    schema: SchemaRef,
    partitions: Vec<Vec<RecordBatch>>,
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Memory {
    /// Takes batches over; all of the columns that relations hold as they come are not copied.
    /// NaN becomes a missing value.
    pub fn new(schema: &Schema, partitions: Vec<Vec<RecordBatch>>) -> Result<Self> {
        let mut taken = Vec::with_capacity(partitions.len());
        let mut missing = vec![false; schema.fields().len()];
        for partition in &partitions {
            let mut batches = Vec::with_capacity(partition.len());
            for batch in partition {
                let columns = columns_of(schema, batch)?;
                for (missing, column) in missing.iter_mut().zip(&columns) {
                    *missing |= column.logical_null_count() > 0;
                }
                batches.push((batch.num_rows(), columns));
            }
            taken.push(batches);
        }
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .zip(missing)
            .map(|(field, missing)| {
                let data_type =
                    canonical(field.data_type()).unwrap_or_else(|| field.data_type().clone());
                // A float may become missing wherever it is computed with; what is known of the
                // others decides what is native.
                Field::new(field.name(), data_type, missing)
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let partitions = taken
            .into_iter()
            .map(|batches| {
                batches
                    .into_iter()
                    .map(|(rows, columns)| {
                        let options = RecordBatchOptions::new().with_row_count(Some(rows));
                        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
                    })
                    .collect()
            })
            .collect::<Result<_>>()?;
        Ok(Self(Arc::new(Table { schema, partitions })))
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// The rows of each partition.
    pub fn partitions(&self) -> &[Vec<RecordBatch>] {
        &self.0.partitions
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.0.partitions.iter().flatten().map(RecordBatch::num_rows).sum()
    }

    /// The rows of some partitions.
    pub(crate) fn subset(&self, range: std::ops::Range<usize>) -> Self {
        let partitions = self.0.partitions.get(range).map(<[_]>::to_vec).unwrap_or_default();
        Self(Arc::new(Table { schema: self.0.schema.clone(), partitions }))
    }
}

/// The columns of a batch in the types of relations.
fn columns_of(schema: &Schema, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    if batch.num_columns() != schema.fields().len() {
        return Err(FrameError::Invalid {
            operation: "rows in memory",
            detail: format!(
                "a batch has {} columns, and the schema {}",
                batch.num_columns(),
                schema.fields().len()
            ),
        });
    }
    let convert = |(column, field): (&ArrayRef, &Arc<Field>)| {
        if column.data_type() != field.data_type() {
            return Err(FrameError::Invalid {
                operation: "rows in memory",
                detail: format!(
                    "column {:?} is {} in a batch and {} in the schema",
                    field.name(),
                    column.data_type(),
                    field.data_type()
                ),
            });
        }
        match (canonical(column.data_type()), column.data_type()) {
            (Some(data_type), _) => Ok(cast(column, &data_type)?),
            (None, DataType::Float64) => {
                Ok(Arc::new(without_nan(column.as_primitive::<Float64Type>())))
            }
            (None, DataType::Float32) => {
                Ok(Arc::new(without_nan(column.as_primitive::<Float32Type>())))
            }
            (None, other) => {
                debug_assert!(!is_float(other));
                Ok(column.clone())
            }
        }
    };
    batch.columns().iter().zip(schema.fields()).map(convert).collect()
}

impl Serialize for Memory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let partitions: Vec<Vec<u8>> = self
            .partitions()
            .iter()
            .map(|batches| encode::write(self.schema(), batches))
            .collect::<Result<_, _>>()
            .map_err(ser::Error::custom)?;
        (encode::write(self.schema(), &[]).map_err(ser::Error::custom)?, partitions)
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (schema, partitions) = <(Vec<u8>, Vec<Vec<u8>>)>::deserialize(deserializer)?;
        let (schema, _) = encode::read(&schema).map_err(de::Error::custom)?;
        let partitions = partitions
            .iter()
            .map(|bytes| encode::read(bytes).map(|(_, batches)| batches))
            .collect::<Result<_, _>>()
            .map_err(de::Error::custom)?;
        Ok(Self(Arc::new(Table { schema, partitions })))
    }
}
