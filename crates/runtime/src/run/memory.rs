//! A worker's dealings with the memory budget: spilling, restoring, holding a task back.
//!
//! Disk and user code are touched outside all locks. A task that does not fit waits while others
//! run, for they may give memory back; when nothing else runs it goes ahead alone, unless its
//! inputs by themselves are over a limit that the user set.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use samite_graph::TaskId;

use super::state::{Job, Ready};
use super::worker::Worker;
use crate::error::{OperationError, RuntimeError, SpillError};
use crate::store::{Folder, SpillFile, Victim};
use crate::value::Value;

/// How long a worker waits for memory before it looks again by itself: values may also be given
/// up by someone outside the run, who does not call.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Worker<'_> {
    /// Spills until `needed` more bytes fit. Returns false where nothing more can go.
    pub(crate) fn make_room(&mut self, needed: u64) -> bool {
        let shared = Arc::clone(self.shared);
        loop {
            let victim = {
                let mut state = shared.state.lock();
                let store = &state.store;
                let used = (store.bytes + store.reserved).saturating_add(needed);
                if state.over || used <= store.limit.bytes {
                    return true;
                }
                // What is kept for later makes the process larger than the values are.
                shared.kept.relieve();
                let victim = state.store.choose_victim(&shared.plan);
                let Some(victim) = victim else { return false };
                shared.publish(&state);
                victim
            };
            match victim {
                Victim::Drop { task, value, bytes } => {
                    drop(value);
                    if let Some(observer) = &shared.observer {
                        observer.spilled(task, bytes);
                    }
                }
                Victim::Write { task, value } => {
                    if !self.spill(task, value) {
                        return false;
                    }
                }
            }
        }
    }

    /// Writes a value to disk. Returns false where that ended the run.
    fn spill(&mut self, task: TaskId, value: Value) -> bool {
        let shared = Arc::clone(self.shared);
        let written = self.folder().and_then(|folder| SpillFile::write(&*value, &folder));
        let mut state = shared.state.lock();
        if state.over {
            drop(state);
            return false;
        }
        let bytes = state.store.size(task);
        match written {
            Ok(file) => {
                let (values, file, left) = state.store.spilled(task, value, file);
                shared.publish(&state);
                shared.memory.notify_all();
                drop(state);
                drop((values, file));
                if left && let Some(observer) = &shared.observer {
                    observer.spilled(task, bytes);
                }
                true
            }
            Err(SpillError::Refused) => {
                state.store.not_spilled(task, true);
                drop(state);
                if let Some(observer) = &shared.observer {
                    observer.spill_refused(task, bytes);
                }
                true
            }
            Err(SpillError::Io(source)) => {
                state.store.not_spilled(task, false);
                drop(state);
                let folder = shared.folder.lock().as_ref().map(|folder| folder.path().to_owned());
                shared.finish(Err(RuntimeError::Spill {
                    task,
                    name: shared.name(task),
                    bytes,
                    folder: folder.unwrap_or_else(|| shared.spill_parent.clone()),
                    source,
                }));
                false
            }
        }
    }

    /// The run's spill folder, made at the first need.
    fn folder(&self) -> Result<Arc<Folder>, SpillError> {
        let mut folder = self.shared.folder.lock();
        if let Some(folder) = &*folder {
            return Ok(Arc::clone(folder));
        }
        let made = Arc::new(Folder::create(&self.shared.spill_parent)?);
        *folder = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Gets a task ready that needs memory made free, or inputs read from disk, and puts it into
    /// this worker's hands. Leaves them empty where the run has ended meanwhile.
    pub(crate) fn prepare(&mut self, ready: Ready) {
        let task = ready.task;
        let shared = Arc::clone(self.shared);
        let Some(reserved) = self.reserve(task) else { return };
        let mut needed = shared.plan.dependencies(task).to_vec();
        needed.sort_unstable();
        needed.dedup();
        // Values in memory are pinned first, so that reading the others cannot push them out.
        let Some(held) = self.bring_in(&needed) else { return };
        let state = shared.state.lock();
        if state.over {
            return;
        }
        let mut local = shared.seats[self.me].local.lock();
        for input in shared.plan.dependencies(task) {
            if let Ok(place) = needed.binary_search(input) {
                local.inputs.push_back(Arc::clone(&held[place]));
            }
        }
        local.jobs.push_back(Job { ready, reserved });
        drop(local);
        drop(state);
    }

    /// Reserves memory for a task's value and for those of its inputs that are on disk; returns
    /// the former.
    fn reserve(&mut self, task: TaskId) -> Option<u64> {
        let shared = Arc::clone(self.shared);
        let seat = &shared.seats[self.me];
        loop {
            let mut state = shared.state.lock();
            if state.over {
                return None;
            }
            let own = shared.estimate(&state, task);
            let (missing, all) = state.store.bytes_of(shared.plan.dependencies(task));
            let needed = own + missing;
            let fits = needed <= state.store.room();
            let alone = state.busy == 1;
            if !fits && !state.store.hopeless {
                drop(state);
                self.make_room(needed);
                continue;
            }
            if !fits && !alone {
                state.busy -= 1;
                state.holding += 1;
                seat.since.store(0, Ordering::Relaxed);
                // Whoever else holds a task back may be the only one left to go ahead.
                shared.memory.notify_all();
                state = shared.memory.wait_timeout(state, LOOK_AGAIN);
                state.holding -= 1;
                state.busy += 1;
                // What is pinned may have changed without a change of bytes.
                state.store.hopeless = false;
                drop(state);
                seat.since.store(shared.now(), Ordering::Relaxed);
                continue;
            }
            let limit = state.store.limit;
            if !fits && limit.strict && all > limit.bytes {
                drop(state);
                let (name, limit) = (shared.name(task), limit.bytes);
                let task = Some(task);
                shared.finish(Err(RuntimeError::TooMuchAtOnce { task, name, bytes: all, limit }));
                return None;
            }
            state.store.reserved += needed;
            return Some(own);
        }
    }

    /// The values of `tasks`, those on disk read back. Memory for these was reserved; the
    /// reservation ends as each arrives. `None` where the run has ended meanwhile.
    fn bring_in(&mut self, tasks: &[TaskId]) -> Option<Vec<Value>> {
        let shared = Arc::clone(self.shared);
        let mut held: Vec<Option<Value>> = {
            let state = shared.state.lock();
            if state.over {
                return None;
            }
            tasks.iter().map(|task| state.store.get(*task).cloned()).collect()
        };
        for (task, place) in tasks.iter().zip(&mut held) {
            if place.is_none() {
                *place = Some(self.bring_in_one(*task)?);
            }
        }
        Some(held.into_iter().flatten().collect())
    }

    fn bring_in_one(&mut self, task: TaskId) -> Option<Value> {
        let shared = Arc::clone(self.shared);
        let mut state = shared.state.lock();
        let file = loop {
            if state.over {
                return None;
            }
            let bytes = state.store.size(task);
            if let Some(value) = state.store.get(task).cloned() {
                state.store.reserved = state.store.reserved.saturating_sub(bytes);
                return Some(value);
            }
            match state.store.begin_restore(task) {
                Some(file) => break file,
                // Another worker moves it.
                None => state = shared.memory.wait_timeout(state, LOOK_AGAIN),
            }
        };
        drop(state);
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| file.read()))
            .unwrap_or_else(|panic| Err(OperationError::new(super::task::panic_message(&*panic))));
        match read {
            Ok(value) => {
                let mut state = shared.state.lock();
                if state.over {
                    return None;
                }
                let bytes = state.store.size(task);
                state.store.reserved = state.store.reserved.saturating_sub(bytes);
                state.store.restored(task, Arc::clone(&value));
                shared.publish(&state);
                shared.memory.notify_all();
                drop(state);
                if let Some(observer) = &shared.observer {
                    observer.restored(task, bytes);
                }
                Some(value)
            }
            Err(source) => {
                let folder = shared.folder.lock().as_ref().map(|folder| folder.path().to_owned());
                shared.finish(Err(RuntimeError::Restore {
                    task,
                    name: shared.name(task),
                    folder: folder.unwrap_or_else(|| shared.spill_parent.clone()),
                    source,
                }));
                None
            }
        }
    }

    /// Every task has run: brings all outputs into memory and ends the run with them.
    pub(crate) fn collect_outputs(&mut self) {
        let shared = Arc::clone(self.shared);
        let mut outputs = shared.plan.outputs().to_vec();
        outputs.sort_unstable();
        outputs.dedup();
        {
            let mut state = shared.state.lock();
            let (missing, all) = state.store.bytes_of(&outputs);
            let limit = state.store.limit;
            if limit.strict && all > limit.bytes {
                drop(state);
                shared.finish(Err(RuntimeError::TooMuchAtOnce {
                    task: None,
                    name: String::new(),
                    bytes: all,
                    limit: limit.bytes,
                }));
                return;
            }
            state.store.reserved += missing;
        }
        let Some(held) = self.bring_in(&outputs) else { return };
        let values = shared.plan.outputs().iter().filter_map(|output| {
            outputs.binary_search(output).ok().map(|place| Arc::clone(&held[place]))
        });
        shared.finish(Ok(values.collect()));
    }
}
