//! Fuses tasks into the only task that needs them.
//!
//! With a width of one that is linear chains: the only need of a task, needed by nothing else,
//! becomes its first step. A larger width lets a task also swallow that many branches side by side,
//! which runs them one after the other: fewer tasks for less parallelism.

use super::Draft;
use super::splice::{rewrite, topological};
use crate::ids::TaskId;

/// How far chains are fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainLimits {
    /// The branches that one fused task may hold side by side; zero fuses nothing.
    pub width: u32,
    /// The original tasks that one fused task may hold.
    pub length: u32,
}

impl Default for ChainLimits {
    fn default() -> Self {
        Self { width: 1, length: 1024 }
    }
}

/// A user that no task has.
const NOBODY: u32 = u32::MAX;
/// Several users.
const SEVERAL: u32 = u32::MAX - 1;

/// The draft with chains fused. Outputs stay tasks; tasks of layers with different annotations
/// stay apart. A draft with a cycle comes back as it was, for `finish` to report.
pub fn fuse_chains(draft: Draft, limits: ChainLimits) -> Draft {
    let Some(order) = topological(&draft) else { return draft };
    let mut user = vec![NOBODY; draft.len()];
    for task in (0..draft.len()).map(TaskId::from_index) {
        for needed in draft.tasks.dependencies(task) {
            let slot = &mut user[needed.index()];
            *slot = if *slot == NOBODY || *slot == task.0 { task.0 } else { SEVERAL };
        }
    }
    for output in &draft.outputs {
        match user.get_mut(output.index()) {
            Some(slot) => *slot = SEVERAL,
            None => return draft,
        }
    }
    // Width and length of the group that each task is the last one of.
    let mut groups: Vec<(u32, u32)> = vec![(1, 1); draft.len()];
    let mut dropped = vec![false; draft.len()];
    let mut any = false;
    let mut distinct: Vec<TaskId> = Vec::new();
    for task in order {
        let dependencies = draft.tasks.dependencies(task);
        distinct.clear();
        for needed in dependencies {
            // A longer row is over any limit of width that makes sense.
            if distinct.len() as u32 > limits.width {
                break;
            }
            if !distinct.contains(needed) {
                distinct.push(*needed);
            }
        }
        if distinct.is_empty() || distinct.len() as u32 > limits.width {
            continue;
        }
        let sole = |needed: &TaskId| {
            user[needed.index()] == task.0 && draft.tasks.same_annotation(*needed, task)
        };
        // A dependency that stays outside is one branch of its own.
        let widths = distinct.iter().map(|needed| match sole(needed) {
            true => u64::from(groups[needed.index()].0),
            false => 1,
        });
        let width: u64 = widths.sum();
        let lengths = distinct.iter().filter(|needed| sole(needed));
        let length: u64 =
            1 + lengths.map(|needed| u64::from(groups[needed.index()].1)).sum::<u64>();
        if width > u64::from(limits.width) || length > u64::from(limits.length) {
            continue;
        }
        groups[task.index()] = (width as u32, length as u32);
        for needed in distinct.iter().filter(|needed| sole(needed)) {
            dropped[needed.index()] = true;
            any = true;
        }
    }
    if !any {
        return draft;
    }
    // The members of each group, linked from each member to the next, so that the rewriting below
    // can take the draft by value.
    let (first, next) = links(&draft, &dropped);
    rewrite(draft, &dropped, |root, members| {
        let mut at = first[root.index()];
        while at != NOBODY {
            members.push(TaskId(at));
            at = next[at as usize];
        }
    })
}

/// The members of each root's group in topological order, as linked lists.
fn links(draft: &Draft, dropped: &[bool]) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![NOBODY; draft.len()];
    let mut next = vec![NOBODY; draft.len()];
    let mut stack: Vec<TaskId> = Vec::new();
    let mut placed = vec![false; draft.len()];
    for root in (0..draft.len()).map(TaskId::from_index) {
        if dropped[root.index()] {
            continue;
        }
        // Users before what they need, each member put in front of the list.
        stack.push(root);
        while let Some(task) = stack.pop() {
            if task != root {
                next[task.index()] = first[root.index()];
                first[root.index()] = task.0;
            }
            for needed in draft.tasks.dependencies(task) {
                if dropped[needed.index()] && !placed[needed.index()] {
                    placed[needed.index()] = true;
                    stack.push(*needed);
                }
            }
        }
    }
    (first, next)
}
