//! Lineage: what has to run again when a value is lost.
//!
//! A value that is still needed and has no holder left goes back to `Waiting`, and so do those of
//! its ancestors whose values were dropped already. Nothing else runs again.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::failures::{Failing, Failure};
use crate::graphs::Graph;
use crate::ids::GraphSlot;
use crate::scheduler::Scheduler;
use crate::task::State;

impl Graph {
    /// A value does not exist any more: those of its dependents that have not begun wait for it.
    pub(crate) fn one_more_missing(&mut self, task: TaskId) {
        let plan = self.plan.clone();
        for &dependent in plan.dependents(task) {
            let row = self.task_mut(dependent);
            match row.state {
                // Its entry in the queue means nothing from here on.
                State::Ready => row.state = State::Waiting { missing: 1 },
                State::Waiting { missing } => row.state = State::Waiting { missing: missing + 1 },
                // A running dependent may have the value already. If not, it says so.
                _ => {}
            }
        }
    }
}

impl Scheduler {
    /// A task that left its worker without a value waits for its inputs again, is ready, or errs
    /// where an input did.
    pub(crate) fn run_again(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let missing = graph
            .plan
            .dependencies(task)
            .iter()
            .filter(|input| !graph.tasks[input.index()].state.has_value())
            .count() as u32;
        graph.task_mut(task).state = State::Waiting { missing };
        if missing == 0 {
            self.make_ready(slot, task);
        } else if let Some(failure) = self.failed_input(slot, task) {
            self.fail(vec![Failing { graph: slot, task, failure, root: false }], false, actions);
        }
    }

    /// The last copy of a value is gone. Where it is needed it will be computed again, with those
    /// ancestors whose values are gone too.
    pub(crate) fn value_lost(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        graph.clear_holders(task);
        graph.task_mut(task).state = State::Freed;
        let needed = graph.task(task).is_needed();
        if needed {
            graph.one_more_missing(task);
        }
        if graph.links.is_some() {
            self.withdraw_imports(slot, task);
        }
        if needed {
            self.need(vec![(slot, task)], actions);
        }
    }

    /// Makes tasks run again whose values were dropped or lost, and their ancestors as far as their
    /// values are missing. What cannot be had again errs.
    pub(crate) fn need(&mut self, mut open: Vec<(GraphSlot, TaskId)>, actions: &mut Vec<Action>) {
        let mut ready = Vec::new();
        let mut failing = Vec::new();
        while let Some((slot, task)) = open.pop() {
            let Some(graph) = self.graphs.get_mut(slot) else { continue };
            if graph.task(task).state != State::Freed {
                continue;
            }
            if graph.task(task).is_data() {
                let Some(origin) = self.key(slot, task) else { continue };
                let failure = Failure { origin, cause: FailureCause::DataLost };
                failing.push(Failing { graph: slot, task, failure, root: true });
                continue;
            }
            self.counters.recomputed += u64::from(graph.task(task).attempt.0 > 0);
            graph.unfinished += 1;
            let plan = graph.plan.clone();
            let mut missing = 0;
            let mut failure = None;
            for &input in plan.dependencies(task) {
                let Some(graph) = self.graphs.get_mut(slot) else { break };
                let row = graph.task_mut(input);
                row.uses += 1;
                if row.is_import() {
                    self.revive(slot, input, &mut open);
                    self.mirror(slot, input);
                }
                let Some(graph) = self.graphs.get(slot) else { break };
                let state = graph.task(input).state;
                failure = failure.or(graph.failure(input));
                missing += u32::from(!state.has_value());
                if state == State::Freed {
                    open.push((slot, input));
                }
            }
            let Some(graph) = self.graphs.get_mut(slot) else { continue };
            graph.task_mut(task).state = State::Waiting { missing };
            match failure {
                Some(failure) => failing.push(Failing { graph: slot, task, failure, root: false }),
                None if missing == 0 => ready.push((slot, task)),
                None => {}
            }
        }
        for (slot, task) in ready {
            self.make_ready(slot, task);
        }
        if !failing.is_empty() {
            self.fail(failing, false, actions);
        }
    }
}
