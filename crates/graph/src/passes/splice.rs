//! Joins the work of several tasks into the steps of one.

use rustc_hash::FxHashMap;

use super::Draft;
use crate::ids::TaskId;
use crate::plan::{Step, StepInput, Work};

/// The steps and the outer dependencies of one task in the making. Reused from task to task.
#[derive(Debug, Default)]
pub(super) struct Splice {
    steps: Vec<Step>,
    dependencies: Vec<TaskId>,
    /// The step that makes the value of a task that was spliced in.
    made: FxHashMap<TaskId, u32>,
    /// The position of an outer dependency.
    outer: FxHashMap<TaskId, u32>,
}

impl Splice {
    /// Appends a task's work. Tasks that it needs and that are to be steps were added before.
    pub(super) fn add(&mut self, draft: &Draft, task: TaskId) {
        let dependencies = draft.tasks.dependencies(task);
        let base = self.steps.len() as u32;
        match draft.tasks.work(task) {
            Work::Single { operation, index } => {
                let inputs = dependencies.iter().map(|needed| self.input(*needed)).collect();
                self.steps.push(Step { operation, index, inputs });
            }
            Work::Fused(steps) => {
                for step in steps {
                    let inputs = step.inputs.iter().map(|input| match input {
                        StepInput::Step(step) => StepInput::Step(base + step),
                        StepInput::Dependency(position) => {
                            self.input(dependencies[*position as usize])
                        }
                    });
                    let inputs = inputs.collect();
                    let (operation, index) = (step.operation, step.index);
                    self.steps.push(Step { operation, index, inputs });
                }
            }
        }
        if let Some(last) = (self.steps.len() as u32).checked_sub(1) {
            self.made.insert(task, last);
        }
    }

    fn input(&mut self, needed: TaskId) -> StepInput {
        if let Some(step) = self.made.get(&needed) {
            return StepInput::Step(*step);
        }
        let next = self.dependencies.len() as u32;
        let position = *self.outer.entry(needed).or_insert(next);
        if position == next {
            self.dependencies.push(needed);
        }
        StepInput::Dependency(position)
    }

    /// Hands out the steps and the outer dependencies, and is empty again.
    pub(super) fn finish(&mut self) -> (Vec<Step>, &[TaskId]) {
        self.made.clear();
        self.outer.clear();
        (std::mem::take(&mut self.steps), &self.dependencies)
    }

    /// Forgets the dependencies that [`finish`](Self::finish) showed.
    pub(super) fn reset(&mut self) {
        self.dependencies.clear();
    }
}

/// Every task after those that it needs; `None` where there is a cycle, or anything else that
/// `finish` will report.
pub(super) fn topological(draft: &Draft) -> Option<Vec<TaskId>> {
    if draft.tasks.is_wrong() {
        return None;
    }
    let dependencies = draft.tasks.table();
    if dependencies.is_ascending() {
        return Some((0..draft.len()).map(TaskId::from_index).collect());
    }
    if !dependencies.is_closed() {
        return None;
    }
    crate::order::topological(dependencies, &dependencies.transposed()).ok()
}

/// Writes a draft anew, each group of tasks as the one task of its root.
///
/// `members(root, splice)` adds the tasks that run inside the root, in topological order, the root
/// itself not; `dropped` says which tasks are no longer tasks.
pub(super) fn rewrite(
    draft: Draft,
    dropped: &[bool],
    mut members: impl FnMut(TaskId, &mut Vec<TaskId>),
) -> Draft {
    const GONE: u32 = u32::MAX;
    let mut kept = 0u32;
    let id: Vec<u32> = dropped
        .iter()
        .map(|dropped| {
            if *dropped {
                return GONE;
            }
            kept += 1;
            kept - 1
        })
        .collect();
    let new_id = |task: &TaskId| TaskId(id[task.index()]);
    let mut tasks = draft.tasks.sibling(kept as usize);
    let mut splice = Splice::default();
    let mut inner = Vec::new();
    for task in (0..draft.len()).map(TaskId::from_index) {
        if dropped[task.index()] {
            continue;
        }
        tasks.continue_layer(&draft.tasks, task);
        inner.clear();
        members(task, &mut inner);
        if inner.is_empty() {
            tasks.push_like(&draft.tasks, task, draft.tasks.dependencies(task).iter().map(new_id));
            continue;
        }
        for member in inner.iter().chain([&task]) {
            splice.add(&draft, *member);
        }
        let (steps, dependencies) = splice.finish();
        tasks.push_fused(steps, dependencies.iter().map(new_id));
        splice.reset();
    }
    let outputs = draft.outputs.iter().map(new_id).collect();
    Draft { tasks, outputs }
}
