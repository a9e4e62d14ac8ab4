//! The worker's side: a second pure machine, between the scheduler's messages and the worker's
//! threads, store and network.
//!
//! [`Machine`] is told what the scheduler says and what became of its own actions
//! ([`Input`]), and answers with [`Output`]s: fetch an input, execute a task, drop a value, report
//! to the scheduler. Every `Fetch` and every `Execute` ends in exactly one later input.
//!
//! ```text
//! Run ──▶ Fetching ──▶ Queued ──▶ Executing ──▶ TaskFinished, TaskFailed, TaskRescheduled
//!            │            │
//!            ├────────────┴──▶ given up (Steal), forgotten (Cancel)
//!            └──▶ FetchFailed
//! ```

mod machine;
mod messages;

pub use machine::{Fault, Machine};
pub use messages::{Input, Output};
