//! Arrow's C interface: batches from Python and to Python, without a copy.

use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};
use samite::frame::arrow::array::RecordBatchReader;
use samite::frame::arrow::datatypes::SchemaRef;
use samite::frame::arrow::error::ArrowError;
use samite::frame::arrow::ffi::FFI_ArrowSchema;
use samite::frame::arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use samite::frame::arrow::record_batch::{RecordBatch, RecordBatchIterator};
use samite::frame::{Batches, FrameError};

use super::{raised, wrong_type};

const STREAM: &std::ffi::CStr = c"arrow_array_stream";
const SCHEMA: &std::ffi::CStr = c"arrow_schema";

/// The batches of an object with `__arrow_c_stream__`.
pub fn import(object: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
    let capsule = object.call_method0("__arrow_c_stream__")?;
    let capsule = capsule
        .cast::<PyCapsule>()
        .map_err(|_| wrong_type("__arrow_c_stream__ did not give a capsule".into()))?;
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: the capsule has the name that Arrow's PyCapsule interface gives to a pointer to a
    // valid stream. The stream is moved out, and what is left in its place is a released one, so
    // that the capsule's destructor releases nothing.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr()) };
    let failed = |error: ArrowError| raised(FrameError::from(error));
    let reader = ArrowArrayStreamReader::try_new(stream).map_err(failed)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    Ok((schema, batches))
}

/// Computed rows.
#[pyclass(frozen, module = "samite._engine")]
pub struct FrameBatches {
    pub batches: Batches,
}

#[pymethods]
impl FrameBatches {
    fn __len__(&self) -> usize {
        self.batches.rows()
    }

    /// The rows by Arrow's PyCapsule interface; they can be taken more than once.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A producer may give its own schema where it cannot give the one that is asked for.
        drop(requested_schema);
        let batches = self.batches.batches.clone().into_iter().map(Ok);
        let reader: Box<dyn RecordBatchReader + Send> =
            Box::new(RecordBatchIterator::new(batches, self.batches.schema.clone()));
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), STREAM)
    }
}

/// The columns of a relation.
#[pyclass(frozen, module = "samite._engine")]
pub struct FrameSchema {
    pub schema: SchemaRef,
}

#[pymethods]
impl FrameSchema {
    /// The schema by Arrow's PyCapsule interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref())
            .map_err(|error| raised(error.into()))?;
        PyCapsule::new_with_value(py, schema, SCHEMA)
    }

    /// The names of the columns.
    fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// For each column Arrow's name of its type and whether values may be missing.
    fn types(&self) -> Vec<(String, bool)> {
        self.schema
            .fields()
            .iter()
            .map(|field| (field.data_type().to_string(), field.is_nullable()))
            .collect()
    }
}
