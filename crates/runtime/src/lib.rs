//! Runs plans on one machine: operations, values, threads, and a result store that spills.
//!
//! [`start`] runs a [`Plan`](samite_graph::Plan) on worker threads, [`run_here`] on the calling
//! one. The submitter brings a [`Program`]: the table of operations that the plan's numbers point
//! at. What may run when, and which value is dropped when, is decided by the machine of
//! `samite-scheduling`; this crate carries it out, counts bytes, and writes to disk what does not
//! fit the budget.
//!
//! ```
//! use std::any::Any;
//! use std::sync::Arc;
//! use samite_graph::{OperationId, PlanBuilder};
//! use samite_runtime::{Context, Data, Lane, OperationError, Options, Program, Run, Value, start};
//!
//! struct Number(u64);
//!
//! impl Data for Number {
//!     fn nbytes(&self) -> usize {
//!         8
//!     }
//!     fn as_any(&self) -> &dyn Any {
//!         self
//!     }
//! }
//!
//! /// One operation: its index and its inputs, added up.
//! struct Adding;
//!
//! impl Program for Adding {
//!     fn run(
//!         &self,
//!         _: OperationId,
//!         index: u32,
//!         _: &Context<'_>,
//!         inputs: &mut Vec<Value>,
//!     ) -> Result<Value, OperationError> {
//!         let numbers = inputs.iter().filter_map(|value| value.as_any().downcast_ref::<Number>());
//!         Ok(Arc::new(Number(u64::from(index) + numbers.map(|number| number.0).sum::<u64>())))
//!     }
//!     fn lane(&self, _: OperationId) -> Lane {
//!         Lane::Free
//!     }
//!     fn name(&self, _: OperationId, index: u32) -> String {
//!         format!("add-{index}")
//!     }
//! }
//!
//! let mut builder = PlanBuilder::default();
//! let one = builder.push(OperationId(0), 1, []);
//! let two = builder.push(OperationId(0), 2, []);
//! let sum = builder.push(OperationId(0), 10, [one, two]);
//! let plan = Arc::new(builder.finish(vec![sum])?);
//! let values = start(plan, Arc::new(Adding), Options::pool(2)).and_then(Run::join)?;
//! assert!(values[0].as_any().downcast_ref::<Number>().is_some_and(|number| number.0 == 13));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariant: no async, no network, and no knowledge of Python, arrays or tables. No lock of a run
//! is held while user code runs.

mod error;
pub mod pool;
#[cfg(unix)]
pub mod processes;
mod program;
mod run;
mod store;
mod sync;
mod threads;
mod value;

pub use error::{OperationError, RuntimeError, SpillError};
pub use program::{Context, Guard, Lane, Observer, Program};
pub use run::{Options, Progress, Run, Threads, run_here, start};
pub use samite_scheduling::TaskOptions;
pub use store::{Folder as SpillFolder, SpillFile, default_memory_limit};
pub use value::{Data, Restore, Unit, Value};
