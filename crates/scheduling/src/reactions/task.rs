//! Reactions to what workers report about runs.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::ids::{Attempt, GraphSlot, TaskKey, WorkerId, WorkerSlot};
use crate::journal::Record;
use crate::queues::{DEPENDENTS, Entry};
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    pub(crate) fn task_finished(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        attempt: Attempt,
        bytes: u64,
        duration: u64,
        actions: &mut Vec<Action>,
    ) {
        let Some(from) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else {
            actions.push(Action::Free { worker, task: key });
            return;
        };
        if self.restoring {
            // Which runs are wanted is not known yet; that there is a value is.
            self.continued_no_more(worker, key);
            self.replica_added(worker, key, bytes, actions);
            return;
        }
        let task = key.task;
        if !self.is_current(slot, task, from, attempt) {
            self.free_unless_expected(slot, task, worker, from, actions);
            return;
        }
        self.unassign(slot, task, from);
        self.counters.finished += 1;
        if let Some(graph) = self.graphs.get_mut(slot) {
            let row = graph.duration_row(task);
            graph.durations.measured(row, duration);
        }
        self.value_exists(slot, task, from, bytes, actions);
    }

    /// The value of an unfinished task that no worker runs has come to be on a worker.
    #[inline]
    pub(crate) fn value_exists(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        holder: WorkerSlot,
        bytes: u64,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let key = TaskKey { graph: graph.id, task };
        let plan = graph.plan.clone();
        let row = graph.task_mut(task);
        let unfinished = row.state.is_unfinished();
        row.state = State::Held { worker: holder };
        row.bytes = bytes;
        row.workers_lost = 0;
        graph.unfinished -= usize::from(unfinished);
        let linked = graph.links.is_some();
        if !graph.listed.contains(holder) {
            self.list(slot, holder);
        }
        let Some(graph) = self.graphs.get_mut(slot) else { return };

        let plain = graph.annotations.is_empty();
        for &dependent in plan.dependents(task) {
            let row = &mut graph.tasks[dependent.index()];
            if let State::Waiting { missing } = row.state {
                if missing > 1 {
                    row.state = State::Waiting { missing: missing - 1 };
                } else if plain {
                    // What `make_ready` does, without looking up options that nobody gave.
                    row.state = State::Ready;
                    let priority = graph.priority(dependent);
                    let entry = Entry { priority, graph: slot, task: dependent };
                    self.queues.push(DEPENDENTS, entry);
                } else {
                    row.state = State::Waiting { missing: 0 };
                }
            }
        }
        if !plain {
            self.wake_dependents(slot, task);
        }
        if linked {
            self.wake_importers(slot, task);
        }
        self.journal(actions, || Record::Finished { task: key });
        self.release_inputs(slot, task, actions);
        self.drop_unneeded(slot, task, actions);
        self.tell_output(slot, task, actions);
        if linked {
            self.make_copies(slot, task, actions);
        }
        if self.retiring > 0 {
            self.rescue(slot, task, holder, actions);
        }
        self.tell_if_done(slot, actions);
    }

    /// Queues the dependents of a task that wait for nothing any more.
    pub(crate) fn wake_dependents(&mut self, slot: GraphSlot, task: TaskId) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let plan = graph.plan.clone();
        for &dependent in plan.dependents(task) {
            let waits_for_nothing = self
                .graphs
                .get(slot)
                .is_some_and(|graph| graph.task(dependent).state == State::Waiting { missing: 0 });
            if waits_for_nothing {
                self.make_ready(slot, dependent);
            }
        }
    }

    /// A task has run: its uses of its dependencies are over.
    #[inline]
    pub(crate) fn release_inputs(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let plan = graph.plan.clone();
        let linked = graph.links.is_some();
        let mut others = Vec::new();
        for &input in plan.dependencies(task) {
            let row = &mut graph.tasks[input.index()];
            row.uses = row.uses.saturating_sub(1);
            if row.is_needed() {
                continue;
            }
            // The usual case of one holder and nobody else who asks; `drop_all` has the others.
            if let State::Held { worker } = row.state
                && !linked
            {
                row.state = State::Freed;
                if let Some(worker) = self.workers.id(worker) {
                    let task = TaskKey { graph: graph.id, task: input };
                    actions.push(Action::Free { worker, task });
                }
            } else {
                others.push((slot, input));
            }
        }
        if !others.is_empty() {
            self.drop_all(others, actions);
        }
    }

    /// Drops a value that nobody needs, wherever it lives.
    #[inline]
    pub(crate) fn drop_unneeded(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if !graph.task(task).is_needed() {
            self.free_value(slot, task, actions);
        }
    }

    #[inline]
    pub(crate) fn tell_if_done(&self, slot: GraphSlot, actions: &mut Vec<Action>) {
        if let Some(graph) = self.graphs.get(slot)
            && graph.unfinished == 0
        {
            actions.push(Action::GraphDone { graph: graph.id });
        }
    }

    pub(crate) fn task_failed(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        attempt: Attempt,
        actions: &mut Vec<Action>,
    ) {
        self.continued_no_more(worker, key);
        let Some(from) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else { return };
        if !self.is_current(slot, key.task, from, attempt) {
            return;
        }
        self.counters.failed += 1;
        self.unassign(slot, key.task, from);
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let retries = graph.options(key.task).map_or(0, |(_, options)| options.retries);
        let row = graph.task_mut(key.task);
        row.failures = row.failures.saturating_add(1);
        row.workers_lost = 0;
        // Off the worker's list, the task must not look assigned, whichever way it goes on.
        row.state = State::Ready;
        if u32::from(row.failures) <= retries {
            self.run_again(slot, key.task, actions);
        } else {
            self.fail_task(slot, key.task, FailureCause::Error, actions);
        }
    }

    pub(crate) fn task_rescheduled(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        attempt: Attempt,
        actions: &mut Vec<Action>,
    ) {
        self.continued_no_more(worker, key);
        let Some(from) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else { return };
        if self.is_current(slot, key.task, from, attempt) {
            self.unassign(slot, key.task, from);
            self.run_again(slot, key.task, actions);
        }
    }

    pub(crate) fn steal_answered(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        attempt: Attempt,
        given: bool,
        actions: &mut Vec<Action>,
    ) {
        let Some(from) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else { return };
        if !self.is_current(slot, key.task, from, attempt) {
            return;
        }
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let row = graph.task_mut(key.task);
        if row.state != (State::Stealing { worker: from }) {
            self.counters.stale += 1;
            return;
        }
        row.state = State::Assigned { worker: from };
        self.steals_open = self.steals_open.saturating_sub(1);
        if given {
            self.counters.steals_given += 1;
            self.unassign(slot, key.task, from);
            self.run_again(slot, key.task, actions);
        }
    }
}
