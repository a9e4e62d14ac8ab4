//! Runs cheap tasks inside each task that needs them.
//!
//! Looking up an item or making a small range costs less than scheduling it. The caller says which
//! operations are cheap; a cheap task that no output is made of disappears, and its operation
//! becomes a step of every task that needs its value.

use super::Draft;
use super::splice::{rewrite, topological};
use crate::ids::{OperationId, TaskId};
use crate::plan::Work;

/// How far cheap tasks are inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlineLimits {
    /// The cheap tasks that stand behind one another, the last one counted too, before their value
    /// becomes a task of its own. Keeps a lattice of cheap tasks from growing without bound.
    pub steps: u32,
}

impl Default for InlineLimits {
    fn default() -> Self {
        Self { steps: 32 }
    }
}

/// The draft with cheap tasks inlined. Outputs stay tasks; tasks of layers with different
/// annotations stay apart. A draft with a cycle comes back as it was, for `finish` to report.
pub fn inline(draft: Draft, cheap: &dyn Fn(OperationId) -> bool, limits: InlineLimits) -> Draft {
    let Some(order) = topological(&draft) else { return draft };
    let mut stays = vec![false; draft.len()];
    for output in &draft.outputs {
        match stays.get_mut(output.index()) {
            Some(slot) => *slot = true,
            None => return draft,
        }
    }
    for task in (0..draft.len()).map(TaskId::from_index) {
        for needed in draft.tasks.dependencies(task) {
            stays[needed.index()] |= !draft.tasks.same_annotation(*needed, task);
        }
    }
    // How many steps the value of an inlined task costs; zero for tasks that stay tasks.
    let mut cost = vec![0u32; draft.len()];
    let mut position = vec![0u32; draft.len()];
    for (task, place) in order.into_iter().zip(0u32..) {
        position[task.index()] = place;
        let Work::Single { operation, .. } = draft.tasks.work(task) else { continue };
        if stays[task.index()] || !cheap(operation) {
            continue;
        }
        let needs = draft.tasks.dependencies(task).iter();
        let steps = needs.fold(1u32, |sum, needed| sum.saturating_add(cost[needed.index()]));
        cost[task.index()] = if steps <= limits.steps { steps } else { 0 };
    }
    let dropped: Vec<bool> = cost.iter().map(|cost| *cost > 0).collect();
    if !dropped.contains(&true) {
        return draft;
    }
    // Which root asked for a task last, so that a shared one is one step.
    let mut asked = vec![u32::MAX; draft.len()];
    let rows = draft.tasks.table().clone();
    rewrite(draft, &dropped, |root, members| {
        let mut next = 0;
        let mut at = root;
        loop {
            for needed in rows.row(at) {
                if dropped[needed.index()] && asked[needed.index()] != root.0 {
                    asked[needed.index()] = root.0;
                    members.push(*needed);
                }
            }
            let Some(member) = members.get(next) else { break };
            at = *member;
            next += 1;
        }
        members.sort_unstable_by_key(|member| position[member.index()]);
    })
}
