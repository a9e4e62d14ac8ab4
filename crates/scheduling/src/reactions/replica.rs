//! Reactions to what workers say about values: copies made, lost, or not to be had.

use samite_graph::TaskId;

use crate::action::Action;
use crate::graphs::Removed;
use crate::ids::{Attempt, GraphSlot, TaskKey, WorkerId, WorkerSlot};
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
        let known = graph.holders(task).contains(&from);
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
        input: TaskId,
        source: WorkerId,
        actions: &mut Vec<Action>,
    ) {
        let Some(from) = self.find_worker(worker) else { return };
        let Some(slot) = self.find_task(key) else { return };
        if !self.is_current(slot, key.task, from, attempt) {
            return;
        }
        self.counters.fetches_failed += 1;
        self.unassign(slot, key.task, from);
        self.run_again(slot, key.task);
        let is_input = self
            .graphs
            .get(slot)
            .is_some_and(|graph| graph.plan.dependencies(key.task).contains(&input));
        if let Some(holder) = self.workers.slot(source)
            && is_input
        {
            self.holder_lost(slot, input, holder, actions);
            // If it has the value nevertheless, nobody would ever tell it to drop it.
            actions.push(Action::Free {
                worker: source,
                task: TaskKey { graph: key.graph, task: input },
            });
        }
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
            Removed::Last => self.value_lost(slot, task),
            Removed::OthersLeft => {
                self.tell_output(slot, task, actions);
                self.make_copies(slot, task, actions);
            }
            // Also the answer to a `Replicate` that failed; it is not asked for again at once.
            Removed::Unknown => self.counters.stale += 1,
        }
    }

    /// Tells where an output is.
    pub(crate) fn tell_output(&self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let holder = graph.holders(task).first();
        if graph.task(task).wanted
            && let Some(worker) = holder.and_then(|holder| self.workers.id(*holder))
        {
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
        if graph.holders(key.task).contains(&holder) {
            // A late second report may speak of a value that has come back since.
            actions.push(Action::Free { worker, task: key });
        }
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
            row.bytes = bytes;
            if !row.state.has_value() {
                row.state = State::Held { worker: holder };
            } else {
                graph.add_holder(key.task, holder);
            }
            return;
        }
        match row.state {
            State::Held { .. } | State::Shared { .. } => {
                graph.add_holder(key.task, holder);
            }
            // A value that was thought lost has turned up.
            State::Waiting { .. } | State::Ready if row.is_needed() => {
                self.value_exists(slot, key.task, holder, bytes, actions);
            }
            _ => self.free_unless_expected(slot, key.task, worker, holder, actions),
        }
    }

    pub(crate) fn replicas_wanted(&mut self, key: TaskKey, copies: u32, actions: &mut Vec<Action>) {
        let Some(slot) = self.find_task(key) else { return };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        if copies > 1 {
            graph.copies_wanted.insert(key.task, copies);
        } else {
            graph.copies_wanted.remove(&key.task);
        }
        self.make_copies(slot, key.task, actions);
    }

    /// Asks for copies of a value where more were wanted than exist: on those workers that hold
    /// the fewest bytes.
    pub(crate) fn make_copies(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if self.restoring || graph.copies_wanted.is_empty() {
            return;
        }
        let wanted = graph.copies_wanted.get(&task).copied().unwrap_or(1) as usize;
        let holders = graph.holders(task);
        let Some(source) = holders.first().and_then(|holder| self.workers.id(*holder)) else {
            return;
        };
        let missing = wanted.saturating_sub(holders.len());
        if missing == 0 {
            return;
        }
        let mut others: Vec<_> = self
            .workers
            .iter()
            .filter(|(slot, _)| !holders.contains(slot))
            .map(|(slot, worker)| (worker.bytes, slot, worker.id))
            .collect();
        others.sort_unstable();
        for (_, _, worker) in others.into_iter().take(missing) {
            let task = TaskKey { graph: graph.id, task };
            actions.push(Action::Replicate { worker, task, source });
        }
    }
}
