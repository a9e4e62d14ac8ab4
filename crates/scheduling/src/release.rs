//! What is not needed any more: values are dropped, and tasks that would make them are cancelled.

use samite_graph::TaskId;

use crate::action::Action;
use crate::ids::{GraphSlot, TaskKey};
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    /// The uses of a task's inputs are over; those that nothing needs now are put on the list.
    pub(crate) fn drop_uses(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        unneeded: &mut Vec<(GraphSlot, TaskId)>,
    ) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let plan = graph.plan.clone();
        for &input in plan.dependencies(task) {
            let row = graph.task_mut(input);
            row.uses = row.uses.saturating_sub(1);
            if !row.is_needed() {
                unneeded.push((slot, input));
            }
        }
    }

    /// Drops values that nothing needs, cancels tasks that would make such, and so on backwards.
    pub(crate) fn drop_all(
        &mut self,
        mut open: Vec<(GraphSlot, TaskId)>,
        actions: &mut Vec<Action>,
    ) {
        while let Some((slot, task)) = open.pop() {
            let Some(graph) = self.graphs.get(slot) else { continue };
            let row = graph.task(task);
            if row.is_needed() {
                continue;
            }
            if row.is_import() {
                self.lay_down(slot, task, &mut open);
                continue;
            }
            match row.state {
                State::Held { .. } | State::Shared { .. } => {
                    self.free_value(slot, task, actions);
                }
                State::Awaited => self.set_freed(slot, task),
                State::Waiting { .. }
                | State::Ready
                | State::Assigned { .. }
                | State::Stealing { .. } => {
                    let attempt = row.attempt;
                    let key = TaskKey { graph: graph.id, task };
                    if let Some(runner) = row.state.runner() {
                        self.unassign(slot, task, runner);
                        if let Some(worker) = self.workers.id(runner) {
                            actions.push(Action::Cancel { worker, task: key, attempt });
                        }
                    }
                    self.set_freed(slot, task);
                    self.drop_uses(slot, task, &mut open);
                    let Some(graph) = self.graphs.get_mut(slot) else { continue };
                    graph.unfinished -= 1;
                    if graph.wanted > 0 {
                        self.tell_if_done(slot, actions);
                    }
                }
                _ => {}
            }
        }
    }

    fn set_freed(&mut self, slot: GraphSlot, task: TaskId) {
        if let Some(graph) = self.graphs.get_mut(slot) {
            graph.task_mut(task).state = State::Freed;
        }
    }

    /// Drops a value wherever it lives; without one, nothing happens. Whether it was needed is the
    /// caller's matter, and so are those who wait for it.
    pub(crate) fn free_value(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        if !matches!(graph.task(task).state, State::Held { .. } | State::Shared { .. }) {
            return;
        }
        for &holder in graph.holders(task) {
            if let Some(worker) = self.workers.id(holder) {
                actions.push(Action::Free { worker, task: TaskKey { graph: graph.id, task } });
            }
        }
        graph.clear_holders(task);
        graph.task_mut(task).state = State::Freed;
        let linked = graph.links.is_some();
        if linked {
            self.withdraw_imports(slot, task);
        }
    }
}
