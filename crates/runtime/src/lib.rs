//! Runs plans on one machine: operations, values, threads, and a result store that spills.
//!
//! [`start`] runs a [`Plan`](samite_graph::Plan) on worker threads, [`run_here`] on the calling
//! one. The submitter brings a [`Program`]: the table of operations that the plan's numbers point
//! at. What may run when, and which value is dropped when, is decided by the machine of
//! `samite-scheduling`; this crate carries it out, counts bytes, and writes to disk what does not
//! fit the budget.
//!
//! Invariant: no async, no network, and no knowledge of Python, arrays or tables. No lock of a run
//! is held while user code runs.

mod error;
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
pub use store::default_memory_limit;
pub use value::{Data, Restore, Unit, Value};
