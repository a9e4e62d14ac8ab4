//! Reactions to workers that come, go, and change.

use crate::action::{Action, FailureCause};
use crate::event::Pressure;
use crate::graphs::Removed;
use crate::ids::WorkerId;
use crate::options::WorkerOptions;
use crate::queues::Kind;
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    pub(crate) fn worker_joined(
        &mut self,
        id: WorkerId,
        options: WorkerOptions,
        actions: &mut Vec<Action>,
    ) {
        let Some(slot) = self.workers.insert(id, options) else {
            self.counters.unknown += 1;
            return;
        };
        let Some(worker) = self.workers.get(slot) else { return };
        for row in &mut self.queues.rows {
            if let Kind::Restricted { graph, submission, annotation, allowed, .. } = &mut row.kind
                && let Some(graph) = self.graphs.get(*graph)
                && graph.submission == *submission
                && let Some(options) = graph.annotations.get(*annotation)
                && options.workers.iter().any(|name| worker.options.answers_to(name))
            {
                allowed.push(slot);
            }
        }
        for slot in self.graphs.used() {
            let Some(graph) = self.graphs.get(slot) else { continue };
            // Values for which there were too few workers so far; in order, since a hash map has
            // none.
            if !graph.copies_wanted.is_empty() {
                let mut tasks: Vec<_> = graph.copies_wanted.keys().copied().collect();
                tasks.sort_unstable();
                for task in tasks {
                    self.make_copies(slot, task, actions);
                }
            }
        }
    }

    pub(crate) fn worker_lost(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        let Some(slot) = self.find_worker(id) else { return };
        let Some(worker) = self.workers.get(slot) else { return };

        let assigned = worker.assigned.clone();
        let mut failed = Vec::new();
        for run in &assigned {
            self.unassign(run.graph, run.task, slot);
            let Some(graph) = self.graphs.get_mut(run.graph) else { continue };
            let row = graph.task_mut(run.task);
            row.workers_lost = row.workers_lost.saturating_add(1);
            let workers = u32::from(row.workers_lost);
            if workers > self.options.allowed_failures {
                failed.push((run.graph, graph.submission, run.task, workers));
            }
            self.run_again(run.graph, run.task);
        }
        self.workers.remove(slot);
        for row in &mut self.queues.rows {
            if let Kind::Restricted { allowed, .. } = &mut row.kind {
                allowed.retain(|worker| *worker != slot);
            }
        }
        for (graph, submission, task, workers) in failed {
            if self.graphs.get(graph).is_some_and(|graph| graph.submission == submission) {
                self.graph_failed(graph, task, FailureCause::WorkersLost { workers }, actions);
            }
        }
        // A list of values for each worker would cost every task memory; losing one is rare.
        for graph in self.graphs.used() {
            let Some(tasks) = self.graphs.get(graph).map(|graph| graph.ids()) else { continue };
            for task in tasks {
                let Some(rows) = self.graphs.get_mut(graph) else { break };
                match rows.remove_holder(task, slot) {
                    Removed::Last if self.restoring => {
                        rows.task_mut(task).state = State::Freed;
                    }
                    Removed::Last => self.value_lost(graph, task),
                    Removed::OthersLeft => {
                        self.tell_output(graph, task, actions);
                        self.make_copies(graph, task, actions);
                    }
                    Removed::Unknown => {}
                }
            }
        }
    }

    pub(crate) fn capacity_changed(&mut self, id: WorkerId, capacity: u32) {
        let Some(slot) = self.find_worker(id) else { return };
        self.workers.change(slot, |worker| worker.options.capacity = capacity);
    }

    pub(crate) fn memory_changed(&mut self, id: WorkerId, bytes: u64, pressure: Pressure) {
        let Some(slot) = self.find_worker(id) else { return };
        self.workers.change(slot, |worker| {
            worker.bytes = bytes;
            worker.pressure = pressure;
        });
    }
}
