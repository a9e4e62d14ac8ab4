//! Reactions to workers that come, go, and change.

use crate::action::{Action, FailureCause};
use crate::event::Pressure;
use crate::graphs::Removed;
use crate::ids::{TaskKey, WorkerId};
use crate::journal::Record;
use crate::options::WorkerOptions;
use crate::queues::Kind;
use crate::scheduler::Scheduler;
use crate::task::State;
use crate::workers::Worker;

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
            if let Kind::Restricted { options, allowed, .. } = &mut row.kind
                && options.workers.iter().any(|name| worker.options.answers_to(name))
            {
                allowed.push(slot);
            }
        }
        // Values for which there were too few workers so far.
        let replicated: Vec<_> = self.replicated.iter().copied().collect();
        for (slot, task) in replicated {
            self.make_copies(slot, task, actions);
        }
        self.copy_again(actions);
    }

    pub(crate) fn worker_lost(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        let Some(slot) = self.find_worker(id) else { return };
        let Some(worker) = self.workers.get(slot) else { return };

        let assigned = worker.assigned.clone();
        let mut failed = Vec::new();
        for run in &assigned {
            // What was done for an earlier one may have cancelled it.
            let runs = self.graphs.get(run.graph).is_some_and(|graph| {
                graph.has_task(run.task) && graph.task(run.task).state.runner() == Some(slot)
            });
            if !runs {
                continue;
            }
            self.unassign(run.graph, run.task, slot);
            let Some(graph) = self.graphs.get_mut(run.graph) else { continue };
            let row = graph.task_mut(run.task);
            row.workers_lost = row.workers_lost.saturating_add(1);
            let lost = row.workers_lost;
            let workers = u32::from(lost);
            let task = TaskKey { graph: graph.id, task: run.task };
            let submission = graph.submission;
            if workers > self.options.allowed_failures {
                failed.push((run.graph, submission, run.task, workers));
            } else {
                self.journal(actions, || Record::WorkersLost { task, workers: lost });
            }
            self.run_again(run.graph, run.task, actions);
        }
        let removed = self.workers.remove(slot);
        let graphs = removed.as_ref().map(Worker::graphs_listed).unwrap_or_default();
        self.continued.retain(|run| run.worker != id);
        self.forget_moves(id);
        self.retiring -= usize::from(removed.is_some_and(|worker| worker.retirement.is_some()));
        for row in &mut self.queues.rows {
            if let Kind::Restricted { allowed, .. } = &mut row.kind {
                allowed.retain(|worker| *worker != slot);
            }
        }
        for (graph, submission, task, workers) in failed {
            if self.graphs.get(graph).is_some_and(|graph| graph.submission == submission) {
                self.fail_task(graph, task, FailureCause::WorkersLost { workers }, actions);
            }
        }
        for graph in graphs {
            let Some(rows) = self.graphs.get_mut(graph) else { continue };
            if !rows.listed.contains(slot) {
                continue;
            }
            rows.listed.remove(slot);
            let submission = rows.submission;
            for task in rows.ids() {
                let there = self.graphs.get_mut(graph);
                let Some(rows) = there.filter(|rows| rows.submission == submission) else { break };
                let removed = rows.remove_holder(task, slot);
                if removed == Removed::Last && self.restoring {
                    rows.task_mut(task).state = State::Freed;
                } else if removed == Removed::Last {
                    self.value_lost(graph, task, actions);
                } else if removed == Removed::OthersLeft {
                    self.tell_output(graph, task, actions);
                    self.make_copies(graph, task, actions);
                    self.rescue_only(graph, task, actions);
                }
            }
        }
        self.copy_again(actions);
    }

    pub(crate) fn capacity_changed(&mut self, id: WorkerId, capacity: u32) {
        let Some(slot) = self.find_worker(id) else { return };
        self.workers.change(slot, |worker| worker.set_capacity(capacity));
    }

    pub(crate) fn slots_changed(&mut self, id: WorkerId, slots: u32) {
        let Some(slot) = self.find_worker(id) else { return };
        self.workers.change(slot, |worker| worker.set_slots(slots));
    }

    pub(crate) fn memory_changed(&mut self, id: WorkerId, bytes: u64, pressure: Pressure) {
        let Some(slot) = self.find_worker(id) else { return };
        self.workers.change(slot, |worker| {
            worker.bytes = bytes;
            worker.pressure = pressure;
        });
    }
}
