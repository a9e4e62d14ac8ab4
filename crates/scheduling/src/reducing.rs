//! Copies of values that nobody needs any more: dropped now and then, so that they take no memory.
//!
//! A value is copied to the workers whose tasks read it, and stays there until nothing needs it. Of
//! those copies one is kept, or as many as were asked for, and one for each worker that reads it yet.
//! Data that clients brought is left where they put it: no task would compute it again. So are values
//! that mean something on one worker alone.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::graphs::{Graph, Removed};
use crate::ids::{GraphSlot, TaskKey, WorkerId, WorkerSlot};
use crate::queries::TaskState;
use crate::scheduler::Scheduler;

impl Scheduler {
    pub(crate) fn reduce_replicas(
        &mut self,
        memory: &[(WorkerId, u64)],
        actions: &mut Vec<Action>,
    ) {
        if self.restoring {
            self.counters.stale += 1;
            return;
        }
        let mut bytes = vec![0u64; self.workers.bound()];
        for (slot, worker) in self.workers.iter() {
            bytes[slot.index()] = worker.bytes;
        }
        for (worker, used) in memory {
            if let Some(slot) = self.workers.slot(*worker) {
                bytes[slot.index()] = *used;
            }
        }
        let mut shared: Vec<(GraphSlot, TaskId)> = Vec::new();
        for (slot, graph) in self.graphs.iter() {
            shared.extend(graph.replicas.shared().map(|task| (slot, task)));
        }
        shared.sort_unstable();
        for (slot, task) in shared {
            self.reduce(slot, task, &mut bytes, actions);
        }
    }

    /// Drops what is too much of one value, where most bytes are used first.
    fn reduce(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        bytes: &mut [u64],
        actions: &mut Vec<Action>,
    ) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let key = TaskKey { graph: graph.id, task };
        if graph.task(task).is_data() || graph.is_pinned(task) || self.moves.contains_key(&key) {
            return;
        }
        let holders = graph.holders(task);
        let copies = graph.links.as_ref().and_then(|links| links.copies.get(&task));
        let wanted = copies.map_or(1, |copies| copies.count as usize);
        // Who is to hold the copies that were asked for.
        let chosen = |slot: WorkerSlot| {
            copies.is_some_and(|copies| {
                copies.workers.is_empty()
                    || self.workers.id(slot).is_some_and(|id| copies.workers.contains(&id))
            })
        };
        let Some(readers) = self.readers(slot, task, holders.len()) else { return };
        let keep = wanted.max(readers.count);
        let leaves = |slot: WorkerSlot| {
            self.workers.get(slot).is_none_or(|worker| worker.retirement.is_some())
        };
        let mut candidates: Vec<WorkerSlot> =
            holders.iter().copied().filter(|slot| !readers.workers.contains(slot)).collect();
        candidates
            .sort_by_key(|slot| (!leaves(*slot), std::cmp::Reverse(bytes[slot.index()]), *slot));
        let mut left = holders.len();
        let mut staying = holders.iter().filter(|slot| !leaves(**slot)).count();
        let mut asked_for = holders.iter().filter(|slot| chosen(**slot)).count();
        let mut dropped = Vec::new();
        for candidate in candidates {
            if left <= keep {
                break;
            }
            // The copies on leaving workers are no help once these are gone.
            let stays = !leaves(candidate);
            if (stays && staying <= 1) || (chosen(candidate) && asked_for <= wanted) {
                continue;
            }
            left -= 1;
            staying -= usize::from(stays);
            asked_for -= usize::from(chosen(candidate));
            dropped.push(candidate);
        }
        let size = graph.task(task).bytes;
        for holder in dropped {
            self.drop_copy(slot, task, holder, actions);
            bytes[holder.index()] = bytes[holder.index()].saturating_sub(size);
        }
    }

    /// The unfinished tasks that read a value. `None` where so many do that each of `holders` copies
    /// may be of use.
    fn readers(&self, slot: GraphSlot, task: TaskId, holders: usize) -> Option<Readers> {
        let mut found = Readers::default();
        let mut nowhere = 0;
        self.each_waiter(slot, task, &mut |_, _, runner| {
            match runner {
                Some(worker) if !found.workers.contains(&worker) => found.workers.push(worker),
                Some(_) => {}
                // It may be given to any of them.
                None => nowhere += 1,
            }
            found.count = found.workers.len() + nowhere;
            found.count < holders
        });
        (found.count < holders).then_some(found)
    }

    /// Calls a function with the unfinished tasks that read a value, also by way of imports, and with
    /// who runs each; until it says that it has heard enough.
    pub(crate) fn each_waiter(
        &self,
        slot: GraphSlot,
        task: TaskId,
        heard: &mut dyn FnMut(&Graph, TaskId, Option<WorkerSlot>) -> bool,
    ) {
        let imports = self.importers(slot, task);
        for (slot, task) in std::iter::once((slot, task)).chain(imports) {
            let Some(graph) = self.graphs.get(slot) else { continue };
            // What has no uses is read by nothing that is unfinished.
            if graph.task(task).uses == 0 {
                continue;
            }
            for &dependent in graph.plan.dependents(task) {
                let state = graph.task(dependent).state;
                if state.is_unfinished() && !heard(graph, dependent, state.runner()) {
                    return;
                }
            }
        }
    }

    /// Takes a copy from a worker that others have, too.
    fn drop_copy(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        holder: WorkerSlot,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.workers.id(holder) else { return };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        if graph.holders(task).len() < 2 {
            return;
        }
        let key = TaskKey { graph: graph.id, task };
        if graph.remove_holder(task, holder) == Removed::OthersLeft {
            actions.push(Action::Free { worker, task: key });
            self.tell_output(slot, task, actions);
            self.make_copies(slot, task, actions);
            self.rescue_only(slot, task, actions);
        }
    }

    pub(crate) fn copy_wanted(&mut self, to: WorkerId, key: TaskKey, actions: &mut Vec<Action>) {
        let (Some(target), Some(slot)) = (self.find_worker(to), self.find_task(key)) else {
            return;
        };
        let Some((slot, task)) = self.graphs.origin(slot, key.task) else { return };
        let Some(graph) = self.graphs.get(slot) else { return };
        let takes = self.workers.get(target).is_some_and(|worker| worker.retirement.is_none());
        let source = graph.holders(task).first().and_then(|holder| self.workers.id(*holder));
        match source {
            Some(source) if takes && !self.restoring && !graph.is_holder(task, target) => {
                let task = TaskKey { graph: graph.id, task };
                actions.push(Action::Replicate { worker: to, task, source });
            }
            _ => self.counters.stale += 1,
        }
    }

    pub(crate) fn copy_unwanted(&mut self, at: WorkerId, key: TaskKey, actions: &mut Vec<Action>) {
        let (Some(holder), Some(slot)) = (self.find_worker(at), self.find_task(key)) else {
            return;
        };
        let Some((slot, task)) = self.graphs.origin(slot, key.task) else { return };
        let mut is_read = self.graphs.get(slot).is_none_or(|graph| graph.is_pinned(task));
        self.each_waiter(slot, task, &mut |_, _, runner| {
            is_read |= runner == Some(holder);
            !is_read
        });
        if is_read || self.restoring {
            self.counters.stale += 1;
        } else {
            self.drop_copy(slot, task, holder, actions);
        }
    }

    pub(crate) fn no_worker_came(&mut self, tasks: &[TaskKey], actions: &mut Vec<Action>) {
        for key in tasks {
            let Some(slot) = self.find_task(*key) else { continue };
            if self.restoring || self.state(*key) != Some(TaskState::NoWorker) {
                self.counters.stale += 1;
                continue;
            }
            self.fail_task(slot, key.task, FailureCause::NoWorker, actions);
        }
    }
}

/// The unfinished tasks that read a value.
#[derive(Default)]
struct Readers {
    /// The workers that were given some of them.
    workers: Vec<WorkerSlot>,
    /// How many copies they may need: one for each of those, and for each task that nobody was given.
    count: usize,
}
