//! An arbitrary graph, task by task.

use rustc_hash::FxHashSet;

use super::{Call, Input, LayerKind};
use crate::blocks::{Blocks, TaskRef};
use crate::ids::{LayerId, OperationId};

/// Tasks with an operation and dependencies each; what has no rule stands here.
#[derive(Clone, Debug, Default)]
pub struct TaskList {
    calls: Vec<Call>,
    offsets: Vec<u32>,
    targets: Vec<TaskRef>,
    layers: Vec<LayerId>,
    seen: FxHashSet<LayerId>,
}

impl TaskList {
    /// An empty list with room for `tasks` and `edges`.
    pub fn with_capacity(tasks: usize, edges: usize) -> Self {
        Self {
            calls: Vec::with_capacity(tasks),
            offsets: Vec::with_capacity(tasks),
            targets: Vec::with_capacity(edges),
            ..Self::default()
        }
    }

    /// Appends a task and returns its position. Dependencies within the list are
    /// [`TaskRef::own`] and may come later.
    pub fn push(
        &mut self,
        operation: OperationId,
        dependencies: impl IntoIterator<Item = TaskRef>,
    ) -> u32 {
        let index = self.calls.len() as u32;
        self.push_call(Call { operation, index }, dependencies)
    }

    /// Appends a task whose operation is told another index than its position.
    pub fn push_call(
        &mut self,
        call: Call,
        dependencies: impl IntoIterator<Item = TaskRef>,
    ) -> u32 {
        let position = self.calls.len() as u32;
        self.calls.push(call);
        for needed in dependencies {
            let known = self.layers.last() == Some(&needed.layer) || needed.is_own();
            if !known && self.seen.insert(needed.layer) {
                self.layers.push(needed.layer);
            }
            self.targets.push(needed);
        }
        self.offsets.push(self.targets.len() as u32);
        position
    }

    fn row(&self, index: u32) -> &[TaskRef] {
        let end = self.offsets[index as usize] as usize;
        let start = (index as usize).checked_sub(1).map_or(0, |before| self.offsets[before]);
        &self.targets[start as usize..end]
    }
}

impl LayerKind for TaskList {
    fn len(&self) -> usize {
        self.calls.len()
    }

    fn inputs(&self, inputs: &mut Vec<Input>) {
        // Which blocks are read is known task by task only.
        inputs.extend(self.layers.iter().map(|layer| Input {
            blocks: Blocks { layer: *layer, first: 0, count: 0 },
            every: false,
        }));
    }

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        dependencies.extend_from_slice(self.row(index));
    }

    fn operation(&self, index: u32) -> Call {
        self.calls[index as usize]
    }
}
