//! What can go wrong in a run.

use std::fmt;
use std::io;
use std::path::PathBuf;

use samite_graph::{GraphError, TaskId};

/// The error of an operation, kept as it was raised.
pub struct OperationError(pub Box<dyn std::error::Error + Send + Sync>);

impl OperationError {
    /// Keeps `error`, so that [`OperationError::downcast_ref`] finds it again.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// The error as the type it was raised with.
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The error as the type it was raised with, owned.
    ///
    /// # Errors
    /// The error itself, where it is of another type.
    pub fn downcast<E: std::error::Error + 'static>(self) -> Result<Box<E>, Self> {
        self.0.downcast().map_err(Self)
    }
}

impl fmt::Debug for OperationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl std::error::Error for OperationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// Why a value was not written to disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// The value has no encoding; it stays in memory.
    #[error("the value cannot be written to disk")]
    Refused,
    /// The disk failed or is full.
    #[error("writing failed")]
    Io(#[from] io::Error),
}

/// Why a run ended without its values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// An operation returned an error, and its retries were used up.
    #[error("task {name} failed{}: {source}", needed_by(chain))]
    TaskFailed {
        /// The task.
        task: TaskId,
        /// Its name.
        name: String,
        /// The names of the tasks that wait for it, from a dependent up to an output, cut where
        /// it gets long.
        chain: Vec<String>,
        /// What the operation returned.
        source: OperationError,
    },
    /// An operation panicked.
    #[error("task {name} panicked{}: {message}", needed_by(chain))]
    Panicked {
        /// The task.
        task: TaskId,
        /// Its name.
        name: String,
        /// As in [`RuntimeError::TaskFailed`].
        chain: Vec<String>,
        /// The text of the panic.
        message: String,
    },
    /// An [`Observer`](crate::Observer) returned an error.
    #[error("an observer failed at task {name}: {source}")]
    Observer {
        /// The task that it was told of.
        task: TaskId,
        /// Its name.
        name: String,
        /// What the observer returned.
        source: OperationError,
    },
    /// The run was cancelled.
    #[error("the run was cancelled")]
    Cancelled,
    /// One value is larger than the memory limit.
    #[error("the value of task {name} takes {bytes} bytes, over the memory limit of {limit} bytes")]
    ValueTooLarge {
        /// The task.
        task: TaskId,
        /// Its name.
        name: String,
        /// The size of its value.
        bytes: u64,
        /// The memory limit.
        limit: u64,
    },
    /// A task's inputs do not fit into the memory limit together, or the outputs of the run do not.
    #[error(
        "{} {bytes} bytes in memory at once, over the memory limit of {limit} bytes",
        match task {
            Some(_) => format!("the inputs of task {name} take"),
            None => "the results of the run take".to_owned(),
        }
    )]
    TooMuchAtOnce {
        /// The task whose inputs these are; `None` for the outputs.
        task: Option<TaskId>,
        /// Its name; empty for the outputs.
        name: String,
        /// The bytes needed.
        bytes: u64,
        /// The memory limit.
        limit: u64,
    },
    /// A value could not be written to disk: the disk is full, or failed.
    #[error(
        "could not spill the value of task {name} ({bytes} bytes) to {}: {source}",
        folder.display()
    )]
    Spill {
        /// The task whose value was to be written.
        task: TaskId,
        /// Its name.
        name: String,
        /// The size of the value in memory.
        bytes: u64,
        /// The spill folder.
        folder: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A spilled value could not be read back.
    #[error("could not restore the value of task {name} from {}: {source}", folder.display())]
    Restore {
        /// The task whose value it is.
        task: TaskId,
        /// Its name.
        name: String,
        /// The spill folder.
        folder: PathBuf,
        /// What went wrong.
        source: OperationError,
    },
    /// No worker thread could be started.
    #[error("could not start a worker thread: {source}")]
    Thread {
        /// What the operating system said.
        source: io::Error,
    },
    /// The graph cannot be planned.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The run belongs to the process that this one was forked from; its threads are not here.
    #[error("the run was started before this process was forked and cannot be used in it")]
    Forked,
    /// The result was handed out before.
    #[error("the result of the run was already taken")]
    ResultTaken,
    /// The runtime itself is at fault: tasks are left and none can run, or a worker panicked.
    #[error("internal fault of the runtime: {message}")]
    Internal {
        /// What was found.
        message: String,
    },
}

impl RuntimeError {
    /// What an operation or observer returned, if it is of this type.
    pub fn cause<E: std::error::Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::TaskFailed { source, .. }
            | Self::Observer { source, .. }
            | Self::Restore { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

/// The tail of a message that says who waited for a failed task.
fn needed_by(chain: &[String]) -> String {
    match chain {
        [] => String::new(),
        names => format!(" (needed by {})", names.join(" < ")),
    }
}
