//! The static order of a plan's tasks: of two ready tasks the one of lower rank runs first.
//!
//! A result is held from when its task ran until its last dependent ran, so the order decides how
//! many results exist at once. Keeping that number least is intractable in general; it is solved
//! exactly for trees and approached otherwise: several strategies propose a sequence, each in
//! near-linear time, [`simulate`] measures them, and the lowest peak wins. On large graphs fewer
//! strategies are asked, so that ordering never costs more than a few passes over the edges.

mod depth_first;
mod greedy;
mod nearest;
mod simulate;

use crate::csr::Csr;
use crate::error::GraphError;
use crate::ids::TaskId;
use depth_first::{Choice, DepthFirst, Visit};
use nearest::Prefer;
pub use simulate::{Held, peak_held, simulate};

/// Tasks plus edges up to which every strategy is tried.
const EXHAUSTIVE: usize = 1 << 16;
/// Tasks plus edges up to which the cheap alternatives are tried as well.
const THOROUGH: usize = 1 << 20;

/// What the strategies look at.
#[derive(Clone, Copy)]
struct View<'graph> {
    dependencies: &'graph Csr,
    dependents: &'graph Csr,
    outputs: &'graph [TaskId],
    /// Every task after those that it needs; `None` where the ids are such an order themselves.
    topological: Option<&'graph [TaskId]>,
}

impl View<'_> {
    fn tasks(&self) -> usize {
        self.dependencies.rows()
    }

    /// The task at one place of the topological order.
    #[inline]
    fn topological(&self, place: usize) -> TaskId {
        match self.topological {
            Some(order) => order[place],
            None => TaskId::from_index(place),
        }
    }

    /// For each task how often its value will be used, an output once more than by tasks.
    fn uses(&self) -> Vec<u32> {
        let mut uses: Vec<u32> = (0..self.tasks())
            .map(|task| self.dependents.row(TaskId::from_index(task)).len() as u32)
            .collect();
        for output in self.outputs {
            uses[output.index()] += 1;
        }
        uses
    }

    /// For each task how many dependencies have not run, repeats counted.
    fn pending(&self) -> Vec<u32> {
        (0..self.tasks())
            .map(|task| self.dependencies.row(TaskId::from_index(task)).len() as u32)
            .collect()
    }
}

/// Ranks tasks so that few results are held at once; a permutation of `0..tasks` in which every
/// task comes after its dependencies.
///
/// `dependents` is the transposed table of `dependencies`; every target is a row.
///
/// # Errors
/// [`GraphError::Cycle`] names the tasks of one cycle.
pub fn order(
    dependencies: &Csr,
    dependents: &Csr,
    outputs: &[TaskId],
) -> Result<Vec<u32>, GraphError> {
    rank(dependencies, dependents, outputs, dependencies.is_ascending())
}

/// As [`order`], for a caller that knows whether all dependencies have smaller ids.
pub(crate) fn rank(
    dependencies: &Csr,
    dependents: &Csr,
    outputs: &[TaskId],
    ascending: bool,
) -> Result<Vec<u32>, GraphError> {
    let topological = match ascending {
        true => None,
        false => Some(topological(dependencies, dependents)?),
    };
    let view = View { dependencies, dependents, outputs, topological: topological.as_deref() };
    Ok(ranks(&best_sequence(&view)))
}

fn best_sequence(view: &View<'_>) -> Vec<TaskId> {
    const FIRST: Choice = Choice::FIRST;
    let size = view.tasks() + view.dependencies.edges();
    let search = DepthFirst::new(view);
    let first = search.sequence(FIRST);
    if search.is_forest() {
        return first;
    }
    let mut best = Best::new(view);
    best.propose(first);
    // On a large graph another strategy is worth its time only where there is much to gain.
    if size > EXHAUSTIVE && best.held.peak <= least_peak(view) / 64 * 65 {
        return best.sequence;
    }
    best.propose(search.sequence(Choice { near: 12, ..FIRST }));
    if size <= THOROUGH {
        best.propose(search.sequence(Choice { roots: Visit::Small, near: 12, ..FIRST }));
        best.propose(nearest::sequence(&search, Prefer::Old));
    }
    if size <= EXHAUSTIVE {
        for choice in [
            Choice { roots: Visit::Given, growth: 1, near: 3, ..FIRST },
            Choice { roots: Visit::Reversed, ..FIRST },
            Choice { children: Visit::Reversed, ..FIRST },
            Choice { growth: 1, near: 12, ..FIRST },
            Choice { near: 40, ..FIRST },
        ] {
            best.propose(search.sequence(choice));
        }
        best.propose(nearest::sequence(&search, Prefer::Freeing));
        let tie = ranks(&best.sequence);
        best.propose(greedy::sequence(view, &tie));
    }
    best.sequence
}

/// A number of held results that no order comes below: the widest fan-in with its result, and all
/// outputs with what the last of them needs besides.
fn least_peak(view: &View<'_>) -> usize {
    let mut output = vec![false; view.tasks()];
    for task in view.outputs {
        output[task.index()] = true;
    }
    // Which task counted another one last, so that repeats count once.
    let mut counted = vec![u32::MAX; view.tasks()];
    let mut widest = 0;
    let mut besides = usize::MAX;
    for task in (0..view.tasks()).map(TaskId::from_index) {
        let mut distinct = 0;
        let mut inner = 0;
        for needed in view.dependencies.row(task) {
            if std::mem::replace(&mut counted[needed.index()], task.0) != task.0 {
                distinct += 1;
                inner += usize::from(!output[needed.index()]);
            }
        }
        widest = widest.max(distinct + 1);
        if output[task.index()] {
            besides = besides.min(inner);
        }
    }
    let outputs = output.iter().filter(|output| **output).count();
    widest.max(outputs + if outputs > 0 { besides } else { 0 })
}

/// The best sequence so far, by the peak and then by the sum of held results.
struct Best<'graph> {
    view: &'graph View<'graph>,
    held: Held,
    sequence: Vec<TaskId>,
}

impl<'graph> Best<'graph> {
    fn new(view: &'graph View<'graph>) -> Self {
        let held = Held { peak: usize::MAX, total: u64::MAX };
        Self { view, held, sequence: Vec::new() }
    }

    fn propose(&mut self, sequence: Vec<TaskId>) {
        let held = simulate::along(self.view, &sequence);
        if held < self.held {
            self.held = held;
            self.sequence = sequence;
        }
    }
}

/// The rank of each task of a sequence.
fn ranks(sequence: &[TaskId]) -> Vec<u32> {
    let mut ranks = vec![0u32; sequence.len()];
    for (rank, task) in sequence.iter().enumerate() {
        ranks[task.index()] = rank as u32;
    }
    ranks
}

/// Every task after those that it needs.
pub(crate) fn topological(dependencies: &Csr, dependents: &Csr) -> Result<Vec<TaskId>, GraphError> {
    let tasks = dependencies.rows();
    let mut pending: Vec<u32> =
        (0..tasks).map(|task| dependencies.row(TaskId::from_index(task)).len() as u32).collect();
    let mut order: Vec<TaskId> =
        (0..tasks).filter(|task| pending[*task] == 0).map(TaskId::from_index).collect();
    order.reserve(tasks - order.len());
    let mut next = 0;
    while let Some(&done) = order.get(next) {
        next += 1;
        for dependent in dependents.row(done) {
            let count = &mut pending[dependent.index()];
            *count -= 1;
            if *count == 0 {
                order.push(*dependent);
            }
        }
    }
    if order.len() == tasks {
        Ok(order)
    } else {
        Err(GraphError::Cycle { tasks: one_cycle(dependencies, &pending) })
    }
}

/// One cycle among the tasks that never became ready: each of them needs another such task, so
/// following those needs must come back to a task seen before.
fn one_cycle(dependencies: &Csr, pending: &[u32]) -> Vec<TaskId> {
    let stuck = |task: &TaskId| pending[task.index()] > 0;
    let mut place = vec![u32::MAX; pending.len()];
    let mut path = Vec::new();
    let mut at = (0..pending.len()).map(TaskId::from_index).find(stuck);
    while let Some(task) = at {
        if place[task.index()] != u32::MAX {
            return path.split_off(place[task.index()] as usize);
        }
        place[task.index()] = path.len() as u32;
        path.push(task);
        at = dependencies.row(task).iter().copied().find(stuck);
    }
    path
}
