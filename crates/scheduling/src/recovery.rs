//! Lineage: what has to run again when a value is lost.
//!
//! A value that is still needed and has no holder left goes back to `Waiting`, and so do those of
//! its ancestors whose values were dropped already. Nothing else runs again.

use samite_graph::TaskId;

use crate::ids::GraphSlot;
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    /// A task that left its worker without a value waits for its inputs again, or is ready.
    pub(crate) fn run_again(&mut self, slot: GraphSlot, task: TaskId) {
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
        }
    }

    /// The last copy of a value is gone. Where it is needed it will be computed again, with those
    /// ancestors whose values are gone too.
    pub(crate) fn value_lost(&mut self, slot: GraphSlot, task: TaskId) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        graph.clear_holders(task);
        graph.task_mut(task).state = State::Freed;
        if !graph.task(task).is_needed() {
            return;
        }
        let plan = graph.plan.clone();
        for &dependent in plan.dependents(task) {
            let row = graph.task_mut(dependent);
            match row.state {
                // Its entry in the queue means nothing from here on.
                State::Ready => row.state = State::Waiting { missing: 1 },
                State::Waiting { missing } => row.state = State::Waiting { missing: missing + 1 },
                // A running dependent may have the value already. If not, it says so.
                _ => {}
            }
        }
        self.need(slot, task);
    }

    /// Makes a task run again whose value was dropped or lost, and its ancestors as far as their
    /// values are missing.
    pub(crate) fn need(&mut self, slot: GraphSlot, task: TaskId) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let plan = graph.plan.clone();
        let mut open = vec![task];
        let mut ready = Vec::new();
        while let Some(task) = open.pop() {
            if graph.task(task).state != State::Freed {
                continue;
            }
            self.counters.recomputed += 1;
            graph.unfinished += 1;
            let mut missing = 0;
            for &input in plan.dependencies(task) {
                let row = graph.task_mut(input);
                row.uses += 1;
                if !row.state.has_value() {
                    missing += 1;
                }
                if row.state == State::Freed {
                    open.push(input);
                }
            }
            graph.task_mut(task).state = State::Waiting { missing };
            if missing == 0 {
                ready.push(task);
            }
        }
        for task in ready {
            self.make_ready(slot, task);
        }
    }
}
