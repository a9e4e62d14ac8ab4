//! Reactions to what workers say about values: copies made, lost, or not to be had.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::graphs::{Graph, Removed};
use crate::ids::{Attempt, GraphSlot, TaskKey, WorkerId, WorkerSlot};
use crate::journal::Record;
use crate::scheduler::Scheduler;
use crate::task::State;

impl Scheduler {
    /// A worker has a value of which the scheduler knows nothing: it shall drop it, unless it runs
    /// the task anew and will report that value as the new run's.
    pub(crate) fn free_unless_expected(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        worker: WorkerId,
        from: WorkerSlot,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let known = graph.is_holder(task, from);
        let runs_there = graph.task(task).state.runner() == Some(from);
        if !known && !runs_there {
            actions.push(Action::Free { worker, task: TaskKey { graph: graph.id, task } });
        }
    }

    pub(crate) fn fetch_failed(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        attempt: Attempt,
        input: TaskKey,
        source: WorkerId,
        actions: &mut Vec<Action>,
    ) {
        self.continued_no_more(worker, key);
        let Some(from) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else { return };
        if !self.is_current(slot, key.task, from, attempt) {
            return;
        }
        self.counters.fetches_failed += 1;
        self.unassign(slot, key.task, from);
        let mut dependencies = Vec::new();
        self.inputs(key, &mut dependencies);
        let is_input = dependencies.contains(&input);
        self.run_again(slot, key.task, actions);
        if let Some(holder) = self.workers.slot(source)
            && is_input
        {
            if let Some(slot) = self.graphs.slot(input.graph) {
                self.holder_lost(slot, input.task, holder, actions);
            }
            // If it has the value nevertheless, nobody would ever tell it to drop it.
            actions.push(Action::Free { worker: source, task: input });
        }
    }

    /// Data that a client was to bring will not come.
    pub(crate) fn data_lost(&mut self, key: TaskKey, actions: &mut Vec<Action>) {
        let Some(slot) = self.find_task(key) else { return };
        let awaited = |graph: &Graph| graph.task(key.task).state == State::Awaited;
        if self.restoring || !self.graphs.get(slot).is_some_and(awaited) {
            self.counters.stale += 1;
            return;
        }
        self.fail_task(slot, key.task, FailureCause::DataLost, actions);
    }

    /// A worker does not hold a value any more.
    pub(crate) fn holder_lost(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        holder: WorkerSlot,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        match graph.remove_holder(task, holder) {
            Removed::Last if self.restoring => graph.task_mut(task).state = State::Freed,
            Removed::Last => self.value_lost(slot, task, actions),
            Removed::OthersLeft => {
                self.tell_output(slot, task, actions);
                self.make_copies(slot, task, actions);
                self.rescue_only(slot, task, actions);
            }
            // Also the answer to a `Replicate` that failed; it is not asked for again at once.
            Removed::Unknown => {
                self.counters.stale += 1;
                self.copy_failed(slot, task, actions);
            }
        }
    }

    /// Tells where an output is.
    pub(crate) fn tell_output(&self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if graph.links.is_some() && !graph.task(task).is_import() {
            for (slot, import) in self.importers(slot, task) {
                self.tell_output(slot, import, actions);
            }
        }
        if !graph.task(task).is_wanted() {
            return;
        }
        let holder = self.graphs.holders(slot, task).first();
        if let Some(worker) = holder.and_then(|holder| self.workers.id(*holder)) {
            actions.push(Action::OutputReady { task: TaskKey { graph: graph.id, task }, worker });
        }
    }

    pub(crate) fn replica_lost(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        actions: &mut Vec<Action>,
    ) {
        let Some(holder) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else { return };
        let Some(graph) = self.graphs.get(slot) else { return };
        if graph.is_holder(key.task, holder) {
            // A late second report may speak of a value that has come back since.
            actions.push(Action::Free { worker, task: key });
        }
        self.forget_move(key, worker);
        self.holder_lost(slot, key.task, holder, actions);
    }

    pub(crate) fn replica_added(
        &mut self,
        worker: WorkerId,
        key: TaskKey,
        bytes: u64,
        actions: &mut Vec<Action>,
    ) {
        let Some(holder) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else {
            actions.push(Action::Free { worker, task: key });
            return;
        };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let row = graph.task_mut(key.task);
        if self.restoring {
            // Workers name values by the tasks that have them.
            if row.is_import() {
                self.counters.stale += 1;
                actions.push(Action::Free { worker, task: key });
                return;
            }
            row.bytes = bytes;
            // The client will not bring it once more after a second restart.
            let brought = row.state == State::Awaited;
            if !row.state.has_value() {
                graph.clear_holders(key.task);
                graph.task_mut(key.task).state = State::Held { worker: holder };
            } else {
                graph.add_holder(key.task, holder);
            }
            self.list(slot, holder);
            if brought {
                self.journal(actions, || Record::Finished { task: key });
            }
            return;
        }
        match row.state {
            State::Held { .. } | State::Shared { .. } => {
                graph.add_holder(key.task, holder);
                self.list(slot, holder);
                self.finish_move(slot, key, worker, actions);
                // Whoever was to take it may have begun to leave meanwhile.
                self.rescue_only(slot, key.task, actions);
            }
            // A value that was thought lost has turned up.
            State::Awaited => self.value_exists(slot, key.task, holder, bytes, actions),
            State::Waiting { .. } | State::Ready if row.is_needed() => {
                self.value_exists(slot, key.task, holder, bytes, actions);
            }
            _ => self.free_unless_expected(slot, key.task, worker, holder, actions),
        }
    }
}
