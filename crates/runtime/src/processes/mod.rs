//! Worker processes: for operations that must not share this process's interpreter, or may crash.
//!
//! A [`ProcessPool`] starts processes from a command line and talks to each over its own socket,
//! one request and one answer at a time. What the frames of a message mean is the caller's
//! matter. Idle processes are kept for the next pool with the same command line, for a while. A
//! process dies with its parent: the kernel kills it where it can (Linux), and its socket ends.
//!
//! # The protocol
//!
//! The socket is file descriptor 3 of the process ([`WORKER_DESCRIPTOR`]). A message is, with all
//! numbers little-endian:
//!
//! ```text
//! u32 frames   u32 shared      8 bytes, sent in one piece; the descriptors of the shared frames
//!                              ride on it (SCM_RIGHTS), in order, at most 253
//! u64 × frames                 each frame's length; the top bit marks a shared frame
//! bytes                        the frames that are not shared, in order
//! ```
//!
//! A shared frame is a file in memory (`memfd_create`) that the receiver maps. Nobody else holds
//! it then, so it is gone when the receiver drops it, however either process ends.

mod channel;
mod child;
mod frame;
mod pool;

pub use channel::Channel;
pub use frame::Frame;
pub use pool::{Lease, ProcessOptions, ProcessPool};

use std::io;
use std::process::ExitStatus;

/// The file descriptor of a worker process's socket.
pub const WORKER_DESCRIPTOR: i32 = 3;

/// Why a worker process gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The process could not be started.
    #[error("could not start a worker process ({command}): {source}")]
    Start {
        /// The program.
        command: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The process ended before it answered.
    #[error("worker process {process} died{}", ended(*status))]
    Died {
        /// Its process id.
        process: u32,
        /// How it ended, where that is known.
        status: Option<ExitStatus>,
    },
    /// The call was cancelled; the process was killed.
    #[error("the call to a worker process was cancelled")]
    Cancelled,
    /// The process sent what is no message; it was killed.
    #[error("worker process {process} sent what is no message: {reason}")]
    Protocol {
        /// Its process id.
        process: u32,
        /// What was wrong.
        reason: String,
    },
    /// Talking to the process failed; it was killed.
    #[error("talking to worker process {process} failed: {source}")]
    Io {
        /// Its process id.
        process: u32,
        /// What the operating system said.
        source: io::Error,
    },
    /// The pool belongs to the process that this one was forked from.
    #[error("the pool of worker processes was made before this process was forked")]
    Forked,
}

fn ended(status: Option<ExitStatus>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}
