//! Many machines: a scheduler, workers and clients that talk over sockets or inside one process.
//!
//! The machines of `samite_scheduling` decide; this crate carries out what they say.

mod encoded;
mod error;
mod executor;
mod inline;
mod key;
mod nesting;
mod parts;
mod patience;
mod peers;
mod plain;
mod protocol;
mod threads;

pub mod client;
pub mod http;
pub mod journal;
pub mod scheduler;
pub mod security;
pub mod transport;
pub mod worker;

pub use encoded::{Encoded, MessageError};
pub use error::ClusterError;
pub use executor::{Executor, Failure, Loaded, Owner, TaskContext};
pub use key::Key;
pub use parts::Parts;
pub use peers::Fetching;
pub use plain::{Fault, Plain};
pub use protocol::{Carried, Erred, Operation, Submission};
