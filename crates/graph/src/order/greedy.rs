//! One ready task after the other, each time the one that grows the held results least.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::View;
use crate::ids::TaskId;

/// All tasks in the order of the greedy choice; `tie` ranks the tasks that are equally good.
pub(super) fn sequence(view: &View<'_>, tie: &[u32]) -> Vec<TaskId> {
    let mut run = Run { view, tie, uses: view.uses(), heap: BinaryHeap::new() };
    let mut pending = view.pending();
    let mut emitted = vec![false; view.tasks()];
    for task in (0..view.tasks()).map(TaskId::from_index) {
        if pending[task.index()] == 0 {
            run.push(task);
        }
    }
    let mut sequence = Vec::with_capacity(view.tasks());
    while let Some(Reverse((_, _, task))) = run.heap.pop() {
        if std::mem::replace(&mut emitted[task.index()], true) {
            continue;
        }
        sequence.push(task);
        for needed in view.dependencies.row(task) {
            run.uses[needed.index()] -= 1;
            if run.uses[needed.index()] == 1 {
                let last = view.dependents.row(*needed).iter().find(|user| !emitted[user.index()]);
                if let Some(&last) = last.filter(|user| pending[user.index()] == 0) {
                    // Its growth fell by one: the entry pushed before is now the worse one.
                    run.push(last);
                }
            }
        }
        for dependent in view.dependents.row(task) {
            pending[dependent.index()] -= 1;
            if pending[dependent.index()] == 0 {
                run.push(*dependent);
            }
        }
    }
    sequence
}

struct Run<'run, 'graph> {
    view: &'run View<'graph>,
    tie: &'run [u32],
    uses: Vec<u32>,
    /// Ready tasks, least growth first; a task may stand in it more than once.
    heap: BinaryHeap<Reverse<(i64, u32, TaskId)>>,
}

impl Run<'_, '_> {
    fn push(&mut self, task: TaskId) {
        let row = self.view.dependencies.row(task);
        let frees = row.iter().filter(|needed| self.uses[needed.index()] == 1).count() as i64;
        let grows = i64::from(self.uses[task.index()] > 0) - frees;
        self.heap.push(Reverse((grows, self.tie[task.index()], task)));
    }
}
