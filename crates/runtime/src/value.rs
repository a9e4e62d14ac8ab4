//! Values: what tasks make and hand to one another.

use std::any::Any;
use std::io;
use std::sync::Arc;

use crate::error::{OperationError, SpillError};

/// A value that a task made.
///
/// The runtime never looks inside. It asks for the size once, right after the task ran, and may
/// later ask for the value to be written to disk.
pub trait Data: Any + Send + Sync {
    /// The bytes that dropping the value would give back, as well as they are known.
    fn nbytes(&self) -> usize;

    /// The value as its concrete type.
    fn as_any(&self) -> &dyn Any;

    /// Writes the value to `sink` and returns what reads it back.
    ///
    /// Called outside all locks of the runtime and outside the [`Guard`](crate::Guard); a value
    /// that needs the guard enters what it needs by itself.
    ///
    /// # Errors
    /// [`SpillError::Refused`] where the value cannot be written; it then stays in memory.
    /// [`SpillError::Io`] where the sink failed.
    fn spill(&self, sink: &mut dyn io::Write) -> Result<Box<dyn Restore>, SpillError> {
        let _ = sink;
        Err(SpillError::Refused)
    }
}

/// Reads a value back that was spilled.
pub trait Restore: Send + Sync {
    /// Reads exactly what [`Data::spill`] wrote. May be called more than once, from any thread.
    ///
    /// # Errors
    /// The error of the source, or of a value that does not fit its encoding.
    fn restore(&self, source: &mut dyn io::Read) -> Result<Value, OperationError>;
}

/// A shared value.
pub type Value = Arc<dyn Data>;

/// Nothing: the value of a task that is run for its effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit;

impl Data for Unit {
    fn nbytes(&self) -> usize {
        0
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
