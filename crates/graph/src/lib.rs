//! Task graphs: layers, passes over them, and dense plans.
//!
//! This crate does no I/O, starts no thread and knows nothing of values or of Python.

mod csr;
mod error;
mod ids;
mod order;
mod plan;

pub use csr::Csr;
pub use error::GraphError;
pub use ids::{AnnotationId, LayerId, OperationId, TaskId};
pub use order::order;
pub use plan::{Plan, PlanBuilder, Step, StepInput, Work};
