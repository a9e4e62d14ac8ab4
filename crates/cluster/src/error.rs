//! Why a member of a cluster could not be started, or does not go on.

use crate::encoded::MessageError;
use crate::security::SecurityError;
use crate::transport::TransportError;

/// An error of a scheduler, worker or client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// A connection failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Certificates or tokens do not do.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// A message could not be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The journal of a scheduler cannot be used.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    /// A thread could not be started.
    #[error("could not start a thread: {0}")]
    Thread(std::io::Error),
    /// The scheduler did not take this member.
    #[error("{0} did not answer as a scheduler does")]
    NotAScheduler(String),
    /// It did not come about in time.
    #[error("no answer from {address} in {seconds} s")]
    TimedOut {
        /// Who should have answered.
        address: String,
        /// How long it was waited.
        seconds: f64,
    },
    /// The member was closed.
    #[error("the connection to the scheduler is closed")]
    Closed,
}
