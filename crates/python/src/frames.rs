//! The door to data frames: plans and expressions, Arrow's memory in and out by its C interface.

pub mod exchange;
pub mod plan;
pub mod scalar;

use pyo3::exceptions::{
    PyFileNotFoundError, PyKeyError, PyNotImplementedError, PyOSError, PyRuntimeError, PyTypeError,
    PyValueError,
};
use pyo3::prelude::*;
use samite::frame::FrameError;

use crate::error::{MemoryLimitError, RunCancelled};

/// Adds the classes of data frames to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<plan::FramePlan>()?;
    module.add_class::<scalar::FrameScalar>()?;
    module.add_class::<exchange::FrameBatches>()?;
    module.add_class::<exchange::FrameSchema>()
}

/// The error as the exception that pandas would raise. What is not native is a
/// `NotImplementedError`.
pub fn raised(failed: FrameError) -> PyErr {
    let text = failed.to_string();
    match &failed {
        FrameError::Unsupported { .. } => PyNotImplementedError::new_err(text),
        FrameError::MissingColumn { .. } => PyKeyError::new_err(text),
        FrameError::DuplicateColumn { .. }
        | FrameError::Invalid { .. }
        | FrameError::SchemaMismatch { .. }
        | FrameError::Corrupt { .. }
        | FrameError::Sql { .. }
        | FrameError::Encoding { .. } => PyValueError::new_err(text),
        FrameError::File { source, .. } => match (source.kind(), source.raw_os_error()) {
            (std::io::ErrorKind::NotFound, Some(code)) => {
                PyFileNotFoundError::new_err((code, text))
            }
            (_, Some(code)) => PyOSError::new_err((code, text)),
            _ => PyOSError::new_err(text),
        },
        FrameError::MemoryLimit { .. } => {
            MemoryLimitError::new_err(format!("{text}. Raise memory_limit, or read less at once."))
        }
        FrameError::Cancelled => RunCancelled::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

fn wrong_type(text: String) -> PyErr {
    PyTypeError::new_err(text)
}
