//! Values that move between workers without being asked for by tasks: copies that were wanted, what
//! a leaving worker alone holds, and the balance of memory.

use samite_graph::TaskId;

use crate::action::Action;
use crate::graphs::{Graph, Removed};
use crate::ids::{GraphSlot, TaskKey, WorkerId, WorkerSlot};
use crate::imports::Copies;
use crate::scheduler::Scheduler;
use crate::task::State;
use crate::workers::{LOOKED_AT, Worker};

/// A value of which there may be no copy on any other worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sole {
    graph: GraphSlot,
    submission: u32,
    task: TaskId,
}

/// A value that goes from one worker to another: dropped at the first once the second has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    from: WorkerId,
    to: WorkerId,
}

impl Scheduler {
    pub(crate) fn replicas_wanted(
        &mut self,
        key: TaskKey,
        count: u32,
        workers: Box<[WorkerId]>,
        actions: &mut Vec<Action>,
    ) {
        let Some(slot) = self.find_task(key) else { return };
        // The copies of an import are its origin's.
        let Some((slot, task)) = self.graphs.origin(slot, key.task) else { return };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        if count > 1 {
            graph.links_mut().copies.insert(task, Copies { count, workers });
            self.replicated.insert((slot, task));
        } else if self.replicated.remove(&(slot, task)) {
            graph.links_mut().copies.remove(&task);
        }
        self.make_copies(slot, task, actions);
    }

    /// Asks for copies of a value where more were wanted than exist: on those workers that hold
    /// the fewest bytes.
    pub(crate) fn make_copies(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if self.restoring {
            return;
        }
        let Some(copies) = graph.links.as_ref().and_then(|links| links.copies.get(&task)) else {
            return;
        };
        let holders = graph.holders(task);
        let Some(source) = holders.first().and_then(|holder| self.workers.id(*holder)) else {
            return;
        };
        let allowed = |worker: &Worker| {
            worker.retirement.is_none()
                && (copies.workers.is_empty() || copies.workers.contains(&worker.id))
        };
        let staying = holders.iter().filter_map(|holder| self.workers.get(*holder));
        let there = staying.filter(|worker| allowed(worker)).count();
        let missing = (copies.count as usize).saturating_sub(there);
        if missing == 0 {
            return;
        }
        let mut others: Vec<_> = self
            .workers
            .iter()
            .filter(|(slot, worker)| !graph.is_holder(task, *slot) && allowed(worker))
            .map(|(slot, worker)| (worker.bytes, slot, worker.id))
            .collect();
        others.sort_unstable();
        for (_, _, worker) in others.into_iter().take(missing) {
            let task = TaskKey { graph: graph.id, task };
            actions.push(Action::Replicate { worker, task, source });
        }
    }

    /// A worker shall leave.
    pub(crate) fn worker_retiring(&mut self, id: WorkerId, actions: &mut Vec<Action>) {
        let Some(slot) = self.find_worker(id) else { return };
        if self.workers.get(slot).is_some_and(|worker| worker.retirement.is_some()) {
            self.counters.stale += 1;
            return;
        }
        self.workers.change(slot, |worker| worker.retirement = Some(Retirement::default()));
        self.retiring += 1;
        let Some(worker) = self.workers.get(slot) else { return };
        let assigned = worker.assigned.clone();
        for (position, run) in assigned.into_iter().enumerate() {
            let Some(graph) = self.graphs.get_mut(run.graph) else { continue };
            let task = TaskKey { graph: graph.id, task: run.task };
            let row = graph.task_mut(run.task);
            if row.state != (State::Assigned { worker: slot }) {
                continue;
            }
            row.state = State::Stealing { worker: slot };
            let attempt = row.attempt;
            self.workers.change(slot, |worker| {
                if let Some(run) = worker.assigned.get_mut(position) {
                    run.asked = true;
                }
            });
            self.steals_open += 1;
            self.counters.steals_asked += 1;
            actions.push(Action::Steal { worker: id, task, attempt });
        }
        self.rescue_all(slot, actions);
    }

    /// Has copied what only a leaving worker holds.
    fn rescue_all(&mut self, slot: WorkerSlot, actions: &mut Vec<Action>) {
        let graphs = self.workers.get(slot).map(Worker::graphs_listed).unwrap_or_default();
        for graph in graphs {
            let Some(tasks) = self.graphs.get(graph).map(|graph| graph.ids()) else { continue };
            for task in tasks {
                self.rescue(graph, task, slot, actions);
            }
        }
    }

    /// After a restart it is known what leaving workers hold.
    pub(crate) fn rescue_restored(&mut self, actions: &mut Vec<Action>) {
        let leaving = self.workers.iter().filter(|(_, worker)| worker.retirement.is_some());
        let leaving: Vec<WorkerSlot> = leaving.map(|(slot, _)| slot).collect();
        for slot in leaving {
            self.rescue_all(slot, actions);
        }
    }

    /// Has a value copied that only leaving workers hold, one of them this.
    pub(crate) fn rescue(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        holder: WorkerSlot,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if !self.only_leaving(graph, task, holder) {
            return;
        }
        let submission = graph.submission;
        let leaving = self.workers.change(holder, |worker| {
            let retirement = worker.retirement.as_mut()?;
            retirement.sole.push(Sole { graph: slot, submission, task });
            Some(())
        });
        if leaving.flatten().is_some() {
            self.copy_elsewhere(slot, task, holder, actions);
        }
    }

    /// Has a value copied where a leaving worker has come to be the only one that holds it.
    pub(crate) fn rescue_only(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        if self.retiring == 0 {
            return;
        }
        if let Some(&first) = self.graphs.holders(slot, task).first() {
            self.rescue(slot, task, first, actions);
        }
    }

    /// Whether a worker holds a value, and only leaving workers do.
    fn only_leaving(&self, graph: &Graph, task: TaskId, holder: WorkerSlot) -> bool {
        let leaves = |slot: &WorkerSlot| {
            self.workers.get(*slot).is_some_and(|worker| worker.retirement.is_some())
        };
        let holders = graph.holders(task);
        graph.is_holder(task, holder) && holders.iter().all(leaves)
    }

    fn copy_elsewhere(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        holder: WorkerSlot,
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let (key, bytes) = (TaskKey { graph: graph.id, task }, graph.task(task).bytes);
        let Some(source) = self.workers.id(holder) else { return };
        let others = self.workers.all_in_turn().filter(|(_, worker)| worker.retirement.is_none());
        let least = others.take(LOOKED_AT).map(|(slot, worker)| (worker.bytes, slot)).min();
        let Some((_, target)) = least else { return };
        let Some(worker) = self.workers.id(target) else { return };
        // Counted at once, so that not all of them go to one worker.
        self.workers.change(target, |worker| worker.bytes = worker.bytes.saturating_add(bytes));
        actions.push(Action::Replicate { worker, task: key, source });
    }

    /// A copy that was asked for could not be made: where the value is on a leaving worker only,
    /// it is asked for again.
    pub(crate) fn copy_failed(&mut self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if let Some(&first) = graph.holders(task).first()
            && self.only_leaving(graph, task, first)
        {
            self.copy_elsewhere(slot, task, first, actions);
        }
    }

    /// Workers have come or gone: what is still only on leaving ones is asked for again.
    pub(crate) fn copy_again(&mut self, actions: &mut Vec<Action>) {
        if self.retiring == 0 || self.restoring {
            return;
        }
        let leaving: Vec<(WorkerSlot, Vec<Sole>)> = self
            .workers
            .iter()
            .filter_map(|(slot, worker)| Some((slot, worker.retirement.as_ref()?.sole.clone())))
            .collect();
        for (slot, sole) in leaving {
            for value in
                sole.into_iter().filter(|value| self.is_sole(value, slot)).collect::<Vec<_>>()
            {
                self.copy_elsewhere(value.graph, value.task, slot, actions);
            }
        }
    }

    fn is_sole(&self, value: &Sole, holder: WorkerSlot) -> bool {
        self.graphs.get(value.graph).is_some_and(|graph| {
            graph.submission == value.submission && self.only_leaving(graph, value.task, holder)
        })
    }

    /// Tells which leaving workers are not needed any more.
    pub(crate) fn tell_retired(&mut self, actions: &mut Vec<Action>) {
        let leaving: Vec<WorkerSlot> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.retirement.as_ref().is_some_and(|state| !state.told))
            .map(|(slot, _)| slot)
            .collect();
        for slot in leaving {
            // Only the last one is looked at: each is looked at until it is safe, and then gone.
            while let Some(last) = self.workers.get(slot).and_then(Worker::last_sole)
                && !self.is_sole(&last, slot)
            {
                self.workers.change(slot, |worker| {
                    worker.retirement.as_mut().and_then(|state| state.sole.pop())
                });
            }
            let told = self.workers.change(slot, |worker| {
                let idle = worker.assigned.is_empty();
                let retirement = worker.retirement.as_mut()?;
                retirement.told = idle && retirement.sole.is_empty();
                retirement.told.then_some(worker.id)
            });
            if let Some(worker) = told.flatten() {
                actions.push(Action::WorkerRetired { worker });
            }
        }
    }

    /// Moves values from workers that hold more bytes than the mean to those that hold fewer.
    pub(crate) fn rebalance(
        &mut self,
        among: &[WorkerId],
        tasks: Option<&[TaskKey]>,
        actions: &mut Vec<Action>,
    ) {
        if self.restoring {
            self.counters.stale += 1;
            return;
        }
        let mut members: Vec<(WorkerSlot, WorkerId)> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.retirement.is_none())
            .filter(|(_, worker)| among.is_empty() || among.contains(&worker.id))
            .map(|(slot, worker)| (slot, worker.id))
            .collect();
        members.sort_unstable();
        let mut held = vec![0u64; self.workers.bound()];
        let mut movable = Vec::new();
        let chosen: Option<Vec<(GraphSlot, TaskId)>> = tasks.map(|tasks| {
            let slot = |key: &TaskKey| self.graphs.slot(key.graph);
            let origin = |key: &TaskKey| self.graphs.origin(slot(key)?, key.task);
            let known = |key: &&TaskKey| {
                let graph = slot(key).and_then(|slot| self.graphs.get(slot));
                graph.is_some_and(|graph| graph.has_task(key.task))
            };
            let mut chosen: Vec<_> = tasks.iter().filter(known).filter_map(origin).collect();
            chosen.sort_unstable();
            chosen
        });
        for (slot, graph) in self.graphs.iter() {
            for task in graph.ids() {
                let row = graph.task(task);
                for holder in graph.holders(task) {
                    held[holder.index()] = held[holder.index()].saturating_add(row.bytes);
                }
                let may_move = chosen
                    .as_ref()
                    .is_none_or(|chosen| chosen.binary_search(&(slot, task)).is_ok());
                if let State::Held { worker } = row.state
                    && row.bytes > 0
                    && may_move
                    && !graph.is_pinned(task)
                {
                    movable.push((row.bytes, slot, task, worker));
                }
            }
        }
        let total: u128 = members.iter().map(|(slot, _)| u128::from(held[slot.index()])).sum();
        let mean = (total / members.len().max(1) as u128) as u64;
        let member = |slot: WorkerSlot| members.iter().any(|(other, _)| *other == slot);
        // The largest first: few moves bring it near to the mean.
        movable.sort_unstable_by(|one, other| other.cmp(one));
        for (bytes, slot, task, from) in movable {
            let Some((to, to_id)) =
                members.iter().copied().min_by_key(|(slot, _)| (held[slot.index()], *slot))
            else {
                return;
            };
            let gains = held[from.index()] > mean
                && held[to.index()].saturating_add(bytes) < held[from.index()];
            if !member(from) || !gains {
                continue;
            }
            let Some(key) = self.key(slot, task) else { continue };
            let Some(source) = self.workers.id(from) else { continue };
            held[from.index()] -= bytes;
            held[to.index()] += bytes;
            self.moves.insert(key, Move { from: source, to: to_id });
            actions.push(Action::Replicate { worker: to_id, task: key, source });
        }
    }

    /// A copy was made: where it was to move there, the one that it was made from is dropped.
    pub(crate) fn finish_move(
        &mut self,
        slot: GraphSlot,
        key: TaskKey,
        worker: WorkerId,
        actions: &mut Vec<Action>,
    ) {
        let Some(Move { from, to }) = self.moves.get(&key).copied() else { return };
        if to != worker {
            return;
        }
        self.moves.remove(&key);
        let Some(holder) = self.workers.slot(from) else { return };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        if graph.remove_holder(key.task, holder) == Removed::OthersLeft {
            actions.push(Action::Free { worker: from, task: key });
            self.tell_output(slot, key.task, actions);
            self.make_copies(slot, key.task, actions);
            self.rescue_only(slot, key.task, actions);
        }
    }

    /// A worker is gone: nothing moves to it or from it any more.
    pub(crate) fn forget_moves(&mut self, worker: WorkerId) {
        self.moves.retain(|_, there| there.from != worker && there.to != worker);
    }

    /// A copy will not be made.
    pub(crate) fn forget_move(&mut self, key: TaskKey, worker: WorkerId) {
        if self.moves.get(&key).is_some_and(|there| there.to == worker) {
            self.moves.remove(&key);
        }
    }
}

/// How far a worker's leaving has come.
#[derive(Debug, Default)]
pub(crate) struct Retirement {
    /// What was found to be only there, and may still be.
    sole: Vec<Sole>,
    /// Whether the driver was told that it can go.
    told: bool,
}

impl Worker {
    fn last_sole(&self) -> Option<Sole> {
        self.retirement.as_ref()?.sole.last().copied()
    }
}
