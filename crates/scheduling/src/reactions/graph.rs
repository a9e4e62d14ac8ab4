//! Reactions to what clients want: graphs come, are released or cancelled, or fail.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::failures::{Failing, Failure};
use crate::ids::{GraphId, GraphSlot, TaskKey, Time};
use crate::journal::Record;
use crate::queues::{Entry, SOURCES};
use crate::scheduler::Scheduler;
use crate::submission::Submission;
use crate::task::State;

impl Scheduler {
    pub(crate) fn graph_submitted(
        &mut self,
        submission: Box<Submission>,
        now: Time,
        actions: &mut Vec<Action>,
    ) {
        let Some(slot) = self.graphs.insert(&submission, Some(now)) else {
            self.counters.unknown += 1;
            return;
        };
        if !submission.imports.is_empty() {
            self.link(slot, &submission.imports);
        }
        let imports = !submission.imports.is_empty();
        self.journal(actions, || Record::Submitted(submission));
        if !self.restoring {
            self.queue_sources(slot);
            if imports {
                self.begin_imports(slot, actions);
            }
            self.tell_if_done(slot, actions);
        }
    }

    /// Queues the tasks of a graph that wait for nothing. Unrestricted sources stand in a sorted
    /// list of which only the first one enters the heap: there may be millions.
    pub(crate) fn queue_sources(&mut self, slot: GraphSlot) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let mut sources = Vec::new();
        let mut others = Vec::new();
        for task in graph.ids() {
            if graph.task(task).state != (State::Waiting { missing: 0 }) {
                continue;
            }
            let restricted =
                graph.options(task).is_some_and(|(_, options)| options.is_restricted());
            if restricted || !graph.is_source(task) {
                others.push(task);
            } else {
                graph.task_mut(task).state = State::Ready;
                sources.push(task);
            }
        }
        sources.sort_unstable_by_key(|task| graph.priority(*task));
        sources.shrink_to_fit();
        if let Some(&task) = sources.first() {
            let priority = graph.priority(task);
            self.queues.push(SOURCES, Entry { priority, graph: slot, task });
        }
        graph.sources = sources;
        graph.next_source = 0;
        for task in others {
            self.make_ready(slot, task);
        }
    }

    /// The client needs nothing of the graph any more.
    pub(crate) fn graph_released(&mut self, id: GraphId, actions: &mut Vec<Action>) {
        let Some(slot) = self.graphs.slot(id) else {
            self.counters.unknown += 1;
            return;
        };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        graph.released = true;
        if !graph.has_importers() {
            self.close(slot, None, actions);
            return;
        }
        let wanted: Box<[TaskId]> =
            graph.ids().filter(|task| graph.task(*task).is_wanted()).collect();
        if !wanted.is_empty() {
            self.outputs_released(id, wanted, actions);
        }
    }

    pub(crate) fn graph_cancelled(&mut self, id: GraphId, actions: &mut Vec<Action>) {
        match self.graphs.slot(id) {
            Some(slot) => self.close(slot, None, actions),
            None => self.counters.unknown += 1,
        }
    }

    pub(crate) fn graph_failed(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        failure: Failure,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let Failure { origin, cause } = failure;
        actions.push(Action::GraphFailed { graph: graph.id, task, origin, cause });
        self.close(slot, Some(failure), actions);
    }

    /// Forgets a graph, and those that were only remembered for it. Where others import from it,
    /// their tasks err for this reason, or because their origin is gone.
    fn close(&mut self, slot: GraphSlot, why: Option<Failure>, actions: &mut Vec<Action>) {
        let mut open = vec![(slot, why)];
        while let Some((slot, why)) = open.pop() {
            let mut left = Vec::new();
            self.close_one(slot, why, &mut left, actions);
            left.retain(|slot| self.is_forgettable(*slot));
            open.extend(left.into_iter().map(|slot| (slot, None)));
        }
    }

    /// Whether nobody needs anything of a graph.
    fn is_forgettable(&self, slot: GraphSlot) -> bool {
        !self.restoring
            && self.graphs.get(slot).is_some_and(|graph| {
                let was_wanted = graph.released || !graph.plan.outputs().is_empty();
                graph.wanted == 0 && was_wanted && !graph.has_importers()
            })
    }

    /// Forgets the graphs of the list of which nobody needs anything.
    pub(crate) fn forget(&mut self, slots: &[GraphSlot], actions: &mut Vec<Action>) {
        for &slot in slots {
            if self.is_forgettable(slot) {
                self.close(slot, None, actions);
            }
        }
    }

    /// Cancels what runs, drops what is held, and forgets the graph; graphs from which no other
    /// imports any more are put on the list.
    fn close_one(
        &mut self,
        slot: GraphSlot,
        why: Option<Failure>,
        left: &mut Vec<GraphSlot>,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let id = graph.id;
        if graph.unfinished > 0 {
            let running: Vec<_> = graph
                .ids()
                .filter_map(|task| Some((task, graph.task(task).state.runner()?)))
                .collect();
            for (task, runner) in running {
                let attempt = self.graphs.get(slot).map(|graph| graph.task(task).attempt);
                self.unassign(slot, task, runner);
                if let (Some(worker), Some(attempt)) = (self.workers.id(runner), attempt) {
                    let task = TaskKey { graph: id, task };
                    actions.push(Action::Cancel { worker, task, attempt });
                }
            }
        }
        let mut unneeded = Vec::new();
        let orphans = self.cut(slot, &mut unneeded, left);
        let Some(graph) = self.graphs.remove(slot) else { return };
        for task in graph.ids() {
            for &holder in graph.holders(task) {
                if let Some(worker) = self.workers.id(holder) {
                    actions.push(Action::Free { worker, task: TaskKey { graph: id, task } });
                }
            }
        }
        self.replicated.retain(|(other, _)| *other != slot);
        self.journal(actions, || Record::Closed { graph: id });
        actions.push(Action::GraphForgotten { graph: id });
        if self.restoring {
            return;
        }
        self.drop_all(unneeded, actions);
        let mut failing = Vec::new();
        for (graph, task) in orphans {
            let Some(rows) = self.graphs.get(graph) else { continue };
            let Some(origin) = rows.link(task).map(|link| link.key) else { continue };
            let gone = Failure { origin, cause: FailureCause::OriginGone };
            let failure = why.unwrap_or(gone);
            failing.push(Failing { graph, task, failure, root: false });
        }
        self.fail(failing, true, actions);
    }

    pub(crate) fn outputs_released(
        &mut self,
        id: GraphId,
        tasks: Box<[TaskId]>,
        actions: &mut Vec<Action>,
    ) {
        let Some(slot) = self.graphs.slot(id) else {
            self.counters.unknown += 1;
            return;
        };
        let mut unneeded = Vec::new();
        for &task in &tasks {
            let Some(graph) = self.graphs.get_mut(slot) else { return };
            if !graph.has_task(task) || !graph.set_wanted(task, false) {
                self.counters.unknown += 1;
            } else if !graph.task(task).is_needed() {
                unneeded.push((slot, task));
            }
        }
        self.journal(actions, || Record::OutputsReleased { graph: id, tasks });
        if self.restoring {
            return;
        }
        if self.is_forgettable(slot) {
            self.close(slot, None, actions);
        } else {
            self.drop_all(unneeded, actions);
        }
    }

    pub(crate) fn outputs_wanted(
        &mut self,
        id: GraphId,
        tasks: Box<[TaskId]>,
        actions: &mut Vec<Action>,
    ) {
        let slot = self.graphs.slot(id);
        let mut needed = Vec::new();
        for &task in &tasks {
            let there = slot.and_then(|slot| {
                Some((slot, self.graphs.get_mut(slot).filter(|graph| graph.has_task(task))?))
            });
            let Some((slot, graph)) = there else {
                self.counters.unknown += 1;
                actions.push(Action::OutputUnknown { task: TaskKey { graph: id, task } });
                continue;
            };
            graph.released = false;
            graph.set_wanted(task, true);
            if self.restoring {
                continue;
            }
            if graph.task(task).is_import() {
                self.revive(slot, task, &mut needed);
                self.mirror(slot, task);
            } else if graph.task(task).state == State::Freed {
                needed.push((slot, task));
                continue;
            }
            self.tell_output(slot, task, actions);
            self.tell_failure(slot, task, actions);
        }
        self.journal(actions, || Record::OutputsWanted { graph: id, tasks });
        self.need(needed, actions);
    }
}
