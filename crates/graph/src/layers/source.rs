//! Tasks without dependencies: files to read, ranges to make, values that are at hand.

use super::{Call, Input, LayerKind};
use crate::blocks::TaskRef;
use crate::ids::OperationId;

/// `len` tasks that need nothing; each is told its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    operation: OperationId,
    len: u32,
}

impl Source {
    /// `len` tasks of one operation.
    pub fn new(operation: OperationId, len: u32) -> Self {
        Self { operation, len }
    }
}

impl LayerKind for Source {
    fn len(&self) -> usize {
        self.len as usize
    }

    fn inputs(&self, _inputs: &mut Vec<Input>) {}

    fn dependencies(&self, _index: u32, _dependencies: &mut Vec<TaskRef>) {}

    fn operation(&self, index: u32) -> Call {
        Call { operation: self.operation, index }
    }
}
