//! Depth first from the outputs, with detours to tasks that free what is held.
//!
//! Below each task its dependencies are visited in an order that [`Visit`] names. With
//! [`Visit::Need`] that is the order of Sethi and Ullman: the subtree that needs most room
//! first, while least else is held. On a tree of equal results no order holds fewer.
//!
//! Where values are shared, a task can become ready before the visit asks for it. It runs at once
//! when it grows the number of held results by no more than the given growth, because then its
//! inputs do not wait for a later visit.

use std::cmp::Reverse;

use super::View;
use crate::ids::TaskId;

/// Which of several dependencies, or of several outputs, is visited first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// The one whose subtree needs most room.
    Need,
    /// The one whose subtree needs least room.
    Small,
    /// As the dependencies stand in the table.
    Given,
    /// The other way round.
    Reversed,
}

/// How a search goes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Which dependency of a task is visited first.
    pub(super) children: Visit,
    /// Which output is visited first.
    pub(super) roots: Visit,
    /// By how many results a ready task may grow what is held and still run at once.
    pub(super) growth: u32,
    /// How much room the missing dependencies of a user of a new value may need for the user to
    /// be computed at once; zero turns this off.
    pub(super) near: u32,
}

impl Choice {
    /// The best single choice on the graphs that were measured.
    pub(super) const FIRST: Self =
        Self { children: Visit::Need, roots: Visit::Need, growth: 0, near: 0 };
}

/// A depth-first search over one graph, to be run with different choices.
pub(super) struct DepthFirst<'graph> {
    pub(super) view: &'graph View<'graph>,
    /// For each task the results held at once when its dependencies are computed as trees.
    need: Vec<u32>,
    forest: bool,
}

impl<'graph> DepthFirst<'graph> {
    pub(super) fn new(view: &'graph View<'graph>) -> Self {
        let tasks = view.tasks();
        let forest =
            (0..tasks).all(|task| view.dependents.row(TaskId::from_index(task)).len() <= 1);
        Self { view, need: needs(view), forest }
    }

    /// Whether every value is used once at most, so that the search by need is exact.
    pub(super) fn is_forest(&self) -> bool {
        self.forest
    }

    /// A search that has visited nothing yet.
    pub(super) fn search(&self, choice: Choice) -> Search<'_, 'graph> {
        Search {
            of: self,
            choice,
            emitted: vec![false; self.view.tasks()],
            sequence: Vec::with_capacity(self.view.tasks()),
            stack: Vec::new(),
            scratch: Vec::new(),
            detours: (!self.forest).then(|| Detours::new(self.view, choice.growth)),
        }
    }

    /// All tasks in the order that the search finds.
    pub(super) fn sequence(&self, choice: Choice) -> Vec<TaskId> {
        let mut search = self.search(choice);
        for root in self.roots(choice.roots) {
            search.visit(root);
        }
        search.visit_rest();
        search.sequence
    }

    fn roots(&self, visit: Visit) -> Vec<TaskId> {
        let mut roots = self.view.outputs.to_vec();
        match visit {
            Visit::Given => {}
            Visit::Reversed => roots.reverse(),
            Visit::Need => roots.sort_by_key(|root| Reverse(self.need[root.index()])),
            Visit::Small => roots.sort_by_key(|root| self.need[root.index()]),
        }
        roots
    }
}

/// A search under way.
pub(super) struct Search<'search, 'graph> {
    pub(super) of: &'search DepthFirst<'graph>,
    choice: Choice,
    pub(super) emitted: Vec<bool>,
    pub(super) sequence: Vec<TaskId>,
    /// Tasks to visit; the top bit marks those whose dependencies were put above them.
    stack: Vec<u32>,
    scratch: Vec<(u32, TaskId)>,
    detours: Option<Detours>,
}

const OPENED: u32 = 1 << 31;

impl Search<'_, '_> {
    /// Whether one use of a value that was computed is left.
    pub(super) fn last_use(&self, task: TaskId) -> bool {
        let left = |detours: &Detours| detours.uses[task.index()] == 1;
        self.emitted[task.index()] && self.detours.as_ref().is_none_or(left)
    }

    /// How many dependencies of a task have not run, repeats counted.
    pub(super) fn missing(&self, task: TaskId) -> u32 {
        match &self.detours {
            Some(detours) => detours.pending[task.index()],
            None => {
                let row = self.of.view.dependencies.row(task);
                row.iter().filter(|needed| !self.emitted[needed.index()]).count() as u32
            }
        }
    }

    /// Computes a task and whatever it misses.
    pub(super) fn visit(&mut self, root: TaskId) {
        if self.emitted[root.index()] {
            return;
        }
        self.stack.push(root.0);
        while let Some(entry) = self.stack.pop() {
            let task = TaskId(entry & !OPENED);
            if self.emitted[task.index()] {
                continue;
            }
            if entry & OPENED != 0 || self.of.view.dependencies.row(task).is_empty() {
                self.emit(task);
            } else {
                self.stack.push(entry | OPENED);
                self.push_dependencies(task);
            }
        }
    }

    /// Computes the tasks that no output needs: from the last of a topological order, so that each
    /// is reached from its dependents.
    fn visit_rest(&mut self) {
        let view = self.of.view;
        let mut place = view.tasks();
        while place > 0 && self.sequence.len() < view.tasks() {
            place -= 1;
            self.visit(view.topological(place));
        }
    }

    /// Puts the missing dependencies on the stack, the first to visit on top.
    fn push_dependencies(&mut self, task: TaskId) {
        let row = self.of.view.dependencies.row(task);
        let missing = |needed: &&TaskId| !self.emitted[needed.index()];
        match self.choice.children {
            Visit::Reversed => self.stack.extend(row.iter().filter(missing).map(|id| id.0)),
            Visit::Given => {
                self.stack.extend(row.iter().rev().filter(missing).map(|id| id.0));
            }
            Visit::Need | Visit::Small => {
                let need = &self.of.need;
                let first = need[row[0].index()];
                if row.iter().all(|needed| need[needed.index()] == first) {
                    self.stack.extend(row.iter().rev().filter(missing).map(|id| id.0));
                    return;
                }
                let key = |needed: &TaskId| match self.choice.children {
                    Visit::Small => u32::MAX - need[needed.index()],
                    _ => need[needed.index()],
                };
                self.scratch.clear();
                self.scratch
                    .extend(row.iter().rev().filter(missing).map(|needed| (key(needed), *needed)));
                self.scratch.sort_by_key(|(need, _)| *need);
                self.stack.extend(self.scratch.iter().map(|(_, needed)| needed.0));
            }
        }
    }

    /// Appends a task and whatever is worth running right after it.
    fn emit(&mut self, task: TaskId) {
        self.append(task);
        while let Some(next) = self.next_detour() {
            self.append(next);
        }
    }

    fn next_detour(&mut self) -> Option<TaskId> {
        let view = self.of.view;
        self.detours.as_mut().and_then(|detours| detours.pop(view, &self.emitted))
    }

    fn append(&mut self, task: TaskId) {
        self.emitted[task.index()] = true;
        self.sequence.push(task);
        let Some(detours) = &mut self.detours else { return };
        detours.ran(self.of.view, task, &self.emitted);
        if self.choice.near > 0 {
            self.push_near_users(task);
        }
    }

    /// Puts users of a new value on the stack that miss little besides.
    fn push_near_users(&mut self, task: TaskId) {
        let view = self.of.view;
        let users = view.dependents.row(task);
        if users.len() < 2 || users.len() > FEW {
            return;
        }
        for user in users.iter().rev() {
            // A ready task that one other needs is a part of that one: what matters is how much
            // the other one misses.
            let mut target = *user;
            for _ in 0..HOPS {
                match view.dependents.row(target) {
                    [next] if self.missing(target) == 0 && !self.emitted[target.index()] => {
                        target = *next;
                    }
                    _ => break,
                }
            }
            let row = view.dependencies.row(target);
            if self.emitted[target.index()] || row.len() > FEW {
                continue;
            }
            let missing = row.iter().filter(|needed| !self.emitted[needed.index()]);
            let room: u32 = missing
                .map(|needed| match self.missing(*needed) {
                    0 => 1,
                    _ => self.of.need[needed.index()],
                })
                .sum();
            if room > 0 && room <= self.choice.near {
                self.stack.push(target.0);
            }
        }
    }
}

/// How far a chain of ready tasks is followed to the task that it is for.
const HOPS: usize = 4;

/// Rows longer than this are not looked through for near users: that would cost more than it frees.
const FEW: usize = 32;

/// Counts uses and missing dependencies along the search, to see what is worth running early.
struct Detours {
    uses: Vec<u32>,
    pending: Vec<u32>,
    growth: u32,
    /// Ready tasks that may be worth running; looked at again when popped.
    candidates: Vec<TaskId>,
}

impl Detours {
    fn new(view: &View<'_>, growth: u32) -> Self {
        Self { uses: view.uses(), pending: view.pending(), growth, candidates: Vec::new() }
    }

    fn ran(&mut self, view: &View<'_>, task: TaskId, emitted: &[bool]) {
        for needed in view.dependencies.row(task) {
            let left = &mut self.uses[needed.index()];
            *left -= 1;
            // One use is left: the task that has it frees this value.
            if *left == 1 {
                let last = view.dependents.row(*needed).iter().find(|user| !emitted[user.index()]);
                self.candidates
                    .extend(last.filter(|user| self.pending[user.index()] == 0).copied());
            }
        }
        let first = self.candidates.len();
        for dependent in view.dependents.row(task) {
            let left = &mut self.pending[dependent.index()];
            *left -= 1;
            if *left == 0 {
                self.candidates.push(*dependent);
            }
        }
        self.candidates[first..].reverse();
    }

    fn pop(&mut self, view: &View<'_>, emitted: &[bool]) -> Option<TaskId> {
        while let Some(task) = self.candidates.pop() {
            if !emitted[task.index()] && self.grows_by(view, task) <= self.growth {
                return Some(task);
            }
        }
        None
    }

    /// By how many results running a ready task grows what is held, at least zero.
    fn grows_by(&self, view: &View<'_>, task: TaskId) -> u32 {
        let row = view.dependencies.row(task);
        let frees = row.iter().any(|needed| match self.uses[needed.index()] {
            1 => true,
            // A value used twice by one task; long rows are not searched for repeats.
            uses => row.len() <= 8 && uses as usize == repeats(row, *needed),
        });
        u32::from(!frees && self.uses[task.index()] > 0)
    }
}

/// How often a row holds one task.
fn repeats(row: &[TaskId], task: TaskId) -> usize {
    row.iter().filter(|other| **other == task).count()
}

/// For each task the results held at once while it is computed alone, its dependencies taken as
/// trees of their own.
fn needs(view: &View<'_>) -> Vec<u32> {
    let mut need = vec![1u32; view.tasks()];
    let mut scratch: Vec<u32> = Vec::new();
    for place in 0..view.tasks() {
        let task = view.topological(place);
        let row = view.dependencies.row(task);
        let Some(first) = row.first().map(|needed| need[needed.index()]) else { continue };
        let count = row.len() as u32;
        let most = if row.iter().all(|needed| need[needed.index()] == first) {
            first + count - 1
        } else {
            scratch.clear();
            scratch.extend(row.iter().map(|needed| need[needed.index()]));
            scratch.sort_unstable_by(|left, right| right.cmp(left));
            let held = scratch.iter().zip(0u32..).map(|(need, before)| need + before);
            held.max().unwrap_or(1)
        };
        need[task.index()] = most.max(count + 1);
    }
    need
}
