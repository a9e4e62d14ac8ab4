//! How many results a sequential run holds.

use super::View;
use crate::csr::Csr;
use crate::ids::TaskId;
use crate::plan::Plan;

/// What a sequential run in one order holds. Compares by the peak first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The most results held at once; a task's own result and its inputs count while it runs.
    pub peak: usize,
    /// The results held after each task, summed over the run.
    pub total: u64,
}

/// Runs the tasks one after the other in the order of `rank` and counts the results held: each
/// from when its task ran until its last dependent ran, an output until the end.
///
/// `rank` is a permutation of `0..tasks`; anything else gives a count without meaning.
pub fn simulate(dependencies: &Csr, dependents: &Csr, outputs: &[TaskId], rank: &[u32]) -> Held {
    let mut sequence = vec![TaskId(0); dependencies.rows()];
    for (task, place) in rank.iter().enumerate() {
        if let Some(slot) = sequence.get_mut(*place as usize) {
            *slot = TaskId::from_index(task);
        }
    }
    along(&View { dependencies, dependents, outputs, topological: None }, &sequence)
}

/// The most results that a sequential run of the plan holds when it follows `rank`.
pub fn peak_held(plan: &Plan, rank: &[u32]) -> usize {
    let (dependencies, dependents) = plan.tables();
    simulate(dependencies, dependents, plan.outputs(), rank).peak
}

pub(super) fn along(view: &View<'_>, sequence: &[TaskId]) -> Held {
    let mut uses = view.uses();
    let mut held = 0usize;
    let mut peak = 0usize;
    let mut total = 0u64;
    for &task in sequence {
        held += 1;
        peak = peak.max(held);
        if uses[task.index()] == 0 {
            held -= 1;
        }
        for needed in view.dependencies.row(task) {
            let left = &mut uses[needed.index()];
            *left = left.saturating_sub(1);
            if *left == 0 {
                held = held.saturating_sub(1);
            }
        }
        total += held as u64;
    }
    Held { peak, total }
}
