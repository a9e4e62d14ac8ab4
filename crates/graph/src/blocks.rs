//! How layers name each other's tasks.

use crate::ids::LayerId;

/// One task of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskRef {
    /// The layer, or the mark of [`TaskRef::own`].
    pub layer: LayerId,
    /// The task's position in the layer.
    pub index: u32,
}

const OWN: LayerId = LayerId(u32::MAX);

impl TaskRef {
    /// A task of the same layer as the task that needs it; a layer does not know its own id.
    pub const fn own(index: u32) -> Self {
        Self { layer: OWN, index }
    }

    /// Whether this was made by [`own`](Self::own).
    pub fn is_own(self) -> bool {
        self.layer == OWN
    }

    /// The same task, with `layer` in the place of the mark of [`own`](Self::own).
    pub(crate) fn within(self, layer: LayerId) -> Self {
        if self.is_own() { Self { layer, index: self.index } } else { self }
    }
}

/// A run of tasks of one layer: what [`Graph::add`](crate::Graph::add) hands out, and what later
/// layers read and callers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blocks {
    pub(crate) layer: LayerId,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Blocks {
    /// The layer.
    pub fn layer(&self) -> LayerId {
        self.layer
    }

    /// The number of blocks.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no block.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The block at a position; one past the end names a task that does not exist, which planning
    /// reports.
    pub fn at(&self, position: u32) -> TaskRef {
        let index = if position < self.count { self.first + position } else { u32::MAX };
        TaskRef { layer: self.layer, index }
    }

    /// The blocks of a range of positions, cut to those that exist.
    pub fn slice(&self, range: std::ops::Range<u32>) -> Self {
        let start = range.start.min(self.count);
        let count = range.end.min(self.count).saturating_sub(start);
        Self { layer: self.layer, first: self.first + start, count }
    }

    /// All blocks in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TaskRef> + use<> {
        let Self { layer, first, count } = *self;
        (0..count).map(move |position| TaskRef { layer, index: first + position })
    }
}

impl From<TaskRef> for Blocks {
    fn from(task: TaskRef) -> Self {
        Self { layer: task.layer, first: task.index, count: 1 }
    }
}
