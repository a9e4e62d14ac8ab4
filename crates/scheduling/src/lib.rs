//! Scheduling decisions as pure state machines.
//!
//! [`Scheduler`] decides which task of which graph runs on which worker, and when a value is
//! dropped. It sees ids, sizes, durations and priorities, and neither values nor a clock: what
//! happens comes in as [`Event`]s, what shall be done goes out as [`Action`]s. One machine is the
//! case of one worker with many slots; a cluster is the same machine with more of them.
//!
//! Reactions to events change state ([`Scheduler::handle`]); placement runs later, as one batch
//! over all that is ready ([`Scheduler::place`]).

mod action;
mod consistency;
mod event;
mod failures;
mod graphs;
mod ids;
mod imports;
mod journal;
mod moving;
mod options;
mod placement;
mod queries;
mod queues;
mod reactions;
mod recovery;
mod reducing;
mod release;
mod scheduler;
mod stealing;
mod submission;
mod task;
mod workers;

pub mod simulation;
pub mod worker;

pub use action::{Action, FailureCause, Source};
pub use consistency::Inconsistency;
pub use event::{Event, Pressure};
pub use ids::{Attempt, GraphId, Portion, Priority, TaskKey, Time, WorkerId};
pub use journal::Record;
pub use options::{Options, Resource, TaskOptions, WorkerOptions};
pub use queries::{StateCounts, TaskState};
pub use scheduler::{Counters, Scheduler};
pub use submission::{Import, Submission, SubmissionError};
