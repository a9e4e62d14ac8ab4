//! From what is held to the task that is nearest to done.
//!
//! Instead of one output after the other, the next target is a task that already holds some of
//! its dependencies and misses fewest; what it misses is computed depth first. Results that
//! several outputs share are used up sooner this way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::depth_first::{Choice, DepthFirst, Search};
use crate::ids::TaskId;

/// How ties among tasks that miss equally many dependencies are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    /// The one whose dependency ran first.
    Old,
    /// The one that frees most results.
    Freeing,
}

/// All tasks in the order that the walk finds.
pub(super) fn sequence(base: &DepthFirst<'_>, prefer: Prefer) -> Vec<TaskId> {
    let mut walk = Walk { prefer, search: base.search(Choice::FIRST), heap: BinaryHeap::new() };
    let mut seen = 0;
    for start in (0..base.view.tasks()).map(|place| base.view.topological(place)) {
        walk.search.visit(start);
        loop {
            while let Some(&done) = walk.search.sequence.get(seen) {
                for dependent in base.view.dependents.row(done) {
                    if !walk.search.emitted[dependent.index()] {
                        walk.push(*dependent, seen);
                    }
                }
                seen += 1;
            }
            let Some(Reverse((missing, tie, target))) = walk.heap.pop() else { break };
            if walk.search.emitted[target.index()] {
                continue;
            }
            let now = walk.search.missing(target);
            if now < missing {
                // Some of what it missed was computed since: look again at its new place.
                walk.heap.push(Reverse((now, tie, target)));
                continue;
            }
            walk.search.visit(target);
        }
    }
    walk.search.sequence
}

struct Walk<'walk, 'graph> {
    prefer: Prefer,
    search: Search<'walk, 'graph>,
    /// Tasks with a dependency that ran: what they miss, the tie, the task; smallest first.
    heap: BinaryHeap<Reverse<(u32, i64, TaskId)>>,
}

impl Walk<'_, '_> {
    fn push(&mut self, target: TaskId, time: usize) {
        let row = self.search.of.view.dependencies.row(target);
        let tie = match self.prefer {
            Prefer::Old => time as i64,
            // A wide fan-in would be looked through once for each of its dependencies.
            Prefer::Freeing if row.len() > WIDE => 0,
            Prefer::Freeing => {
                -(row.iter().filter(|needed| self.search.last_use(**needed)).count() as i64)
            }
        };
        self.heap.push(Reverse((self.search.missing(target), tie, target)));
    }
}

/// Rows longer than this are not looked through.
const WIDE: usize = 32;
