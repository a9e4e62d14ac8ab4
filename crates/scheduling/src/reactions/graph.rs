//! Reactions to what clients want: graphs come, are released or cancelled, or fail.

use std::sync::Arc;

use samite_graph::{Plan, TaskId};

use crate::action::{Action, FailureCause};
use crate::ids::{GraphId, GraphSlot, TaskKey};
use crate::journal::{Record, Submission};
use crate::options::TaskOptions;
use crate::queues::{Entry, SOURCES};
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    pub(crate) fn graph_submitted(
        &mut self,
        id: GraphId,
        plan: Arc<Plan>,
        annotations: Arc<[TaskOptions]>,
        actions: &mut Vec<Action>,
    ) {
        let Some(slot) = self.graphs.insert(id, plan.clone(), annotations.clone()) else {
            self.counters.unknown += 1;
            return;
        };
        self.journal(actions, || {
            Record::Submitted(Box::new(Submission { graph: id, plan, annotations }))
        });
        if !self.restoring {
            self.queue_sources(slot);
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

    pub(crate) fn graph_closed(&mut self, id: GraphId, actions: &mut Vec<Action>) {
        let Some(slot) = self.graphs.slot(id) else {
            self.counters.unknown += 1;
            return;
        };
        self.close(slot, actions);
    }

    pub(crate) fn graph_failed(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        cause: FailureCause,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        actions.push(Action::GraphFailed { graph: graph.id, task, cause });
        self.close(slot, actions);
    }

    /// Cancels what runs, drops what is held, and forgets the graph.
    fn close(&mut self, slot: GraphSlot, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let id = graph.id;
        let running: Vec<_> =
            graph.ids().filter_map(|task| Some((task, graph.task(task).state.runner()?))).collect();
        for (task, runner) in running {
            let attempt = self.graphs.get(slot).map(|graph| graph.task(task).attempt);
            self.unassign(slot, task, runner);
            if let (Some(worker), Some(attempt)) = (self.workers.id(runner), attempt) {
                let task = TaskKey { graph: id, task };
                actions.push(Action::Cancel { worker, task, attempt });
            }
        }
        let Some(graph) = self.graphs.remove(slot) else { return };
        for task in graph.ids() {
            for &holder in graph.holders(task) {
                if let Some(worker) = self.workers.id(holder) {
                    actions.push(Action::Free { worker, task: TaskKey { graph: id, task } });
                }
            }
        }
        self.journal(actions, || Record::Closed { graph: id });
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
        for &task in &tasks {
            let Some(graph) = self.graphs.get_mut(slot) else { return };
            match graph.tasks.get_mut(task.index()) {
                Some(row) if row.wanted => {
                    row.wanted = false;
                    if !self.restoring {
                        self.drop_unneeded(slot, task, actions);
                    }
                }
                _ => self.counters.unknown += 1,
            }
        }
        self.journal(actions, || Record::OutputsReleased { graph: id, tasks });
    }
}
