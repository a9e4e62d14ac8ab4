//! Compressed sparse rows: the neighbours of every task in two flat arrays.

use crate::ids::TaskId;

/// For each task a slice of tasks, stored as one array of offsets and one of targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csr {
    offsets: Vec<u32>,
    targets: Vec<TaskId>,
}

impl Csr {
    /// An empty table with room for `rows` rows and `edges` targets.
    pub fn with_capacity(rows: usize, edges: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, targets: Vec::with_capacity(edges) }
    }

    /// Appends one row.
    pub fn push_row(&mut self, targets: impl IntoIterator<Item = TaskId>) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.targets.extend(targets);
        self.offsets.push(self.targets.len() as u32);
    }

    /// The number of rows.
    #[inline]
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The number of targets in all rows.
    #[inline]
    pub fn edges(&self) -> usize {
        self.targets.len()
    }

    /// The targets of one row.
    #[inline]
    pub fn row(&self, task: TaskId) -> &[TaskId] {
        let start = self.offsets[task.index()] as usize;
        let end = self.offsets[task.index() + 1] as usize;
        &self.targets[start..end]
    }

    /// Whether every target is smaller than its row, so that the rows are in topological order.
    pub fn is_ascending(&self) -> bool {
        (0..self.rows())
            .map(TaskId::from_index)
            .all(|task| self.row(task).iter().all(|target| *target < task))
    }

    /// Whether every target is a row.
    pub fn is_closed(&self) -> bool {
        let rows = self.rows();
        self.targets.iter().all(|target| target.index() < rows)
    }

    /// The memory reserved, in bytes.
    pub fn memory(&self) -> usize {
        (self.offsets.capacity() + self.targets.capacity()) * size_of::<u32>()
    }

    /// Gives back memory that was reserved and not needed.
    pub fn shrink(&mut self) {
        self.offsets.shrink_to_fit();
        self.targets.shrink_to_fit();
    }

    /// The same edges seen from their targets: row `t` lists each source whose row holds `t`, as
    /// often as it does, in ascending order of sources.
    pub fn transposed(&self) -> Self {
        let rows = self.rows();
        let mut offsets = vec![0u32; rows + 1];
        for target in &self.targets {
            offsets[target.index() + 1] += 1;
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let mut cursor = offsets.clone();
        let mut targets = vec![TaskId(0); self.targets.len()];
        for source in 0..rows {
            for target in self.row(TaskId::from_index(source)) {
                let slot = &mut cursor[target.index()];
                targets[*slot as usize] = TaskId::from_index(source);
                *slot += 1;
            }
        }
        Self { offsets, targets }
    }
}
