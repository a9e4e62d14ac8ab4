//! What can go wrong with bags.

use std::path::PathBuf;

/// Why a bag was not made or computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BagError {
    /// A file that could not be opened or read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Text that is not UTF-8.
    #[error("{}, byte {offset}: not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first byte of it that does not belong.
        offset: u64,
    },
    /// A record that an operation has no exact answer for here.
    #[error("{}, byte {offset}: {reason}", path.display())]
    NotNative {
        /// The file that the record is from.
        path: PathBuf,
        /// Where its line begins.
        offset: u64,
        /// What about it.
        reason: &'static str,
    },
    /// A reduction that has no answer for the records it got.
    #[error("{reduction}: {reason}")]
    Reduction {
        /// The reduction.
        reduction: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A number that a bag cannot be made with.
    #[error("{operation}: {reason}")]
    Parameter {
        /// The operation.
        operation: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// Something that cannot be, and is a bug where it is.
    #[error("internal error: {what}")]
    Internal {
        /// What was found.
        what: &'static str,
    },
    /// A graph that could not be planned.
    #[error(transparent)]
    Graph(#[from] samite_graph::GraphError),
    /// A run that failed.
    #[error(transparent)]
    Runtime(#[from] samite_runtime::RuntimeError),
}
