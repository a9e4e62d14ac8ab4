//! The results of one run: who is in memory, who is on disk, and how much that is.
//!
//! The store counts; it does not decide what is freed (the scheduling machine does) and does no
//! I/O under the lock that it lives behind. Spilling and restoring take two visits each:
//! choose a victim or an input, do the I/O outside, then tell the store how it went.
//!
//! A value that someone else holds besides the store (a running task, most often) is *pinned*:
//! dropping it here would give no memory back, so it is no victim.

mod file;
mod folder;
mod limit;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::{Plan, TaskId};

pub use file::SpillFile;
pub use folder::Folder;
pub(crate) use folder::{default_parent, remove_stale_once};
pub use limit::default_memory_limit;

use crate::value::Value;

/// Values below this size are not worth a file.
const SMALLEST_SPILLED: u64 = 1 << 10;
/// How many dependents are looked at for a value's next use.
const DEPENDENTS_LOOKED_AT: usize = 4096;

/// The budget of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    /// Whether what cannot be brought under the limit is an error: the user chose the limit.
    pub(crate) strict: bool,
}

/// A task's value, where it is in memory.
#[derive(Default)]
struct Slot {
    value: Option<Value>,
    bytes: u64,
}

/// A value to be spilled: what [`Store::choose_victim`] answers.
pub(crate) enum Victim {
    /// Write this value and come back with [`Store::spilled`].
    Write { task: TaskId, value: Value },
    /// A copy was on disk already, so the value only had to be dropped: drop it outside the lock.
    Drop { task: TaskId, value: Value, bytes: u64 },
}

/// The results of one run.
pub(crate) struct Store {
    slots: Vec<Slot>,
    /// One bit a task: it has run, and what it used is not needed for it any more.
    finished: Vec<u64>,
    pub(crate) limit: Limit,
    /// Bytes of values in memory.
    pub(crate) bytes: u64,
    /// Bytes that running tasks are expected to add.
    pub(crate) reserved: u64,
    /// Bytes that are on disk and not in memory, and how many values were written in all.
    pub(crate) spilled_bytes: u64,
    pub(crate) spilled_count: u64,
    /// Values that have a file; their slots may hold them as well.
    files: FxHashMap<TaskId, Arc<SpillFile>>,
    /// Values being written or read now, by some worker outside the lock.
    moving: FxHashSet<TaskId>,
    refused: FxHashSet<TaskId>,
    /// Values in memory that are worth spilling; those that have gone are weeded out at a search.
    resident: Vec<TaskId>,
    /// What the last search found, the best victim last.
    victims: Vec<TaskId>,
    /// A search found nothing to spill, and nothing has changed since.
    pub(crate) hopeless: bool,
}

impl Store {
    pub(crate) fn new(tasks: usize, limit: Limit) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(tasks, Slot::default);
        Self {
            slots,
            finished: vec![0; tasks.div_ceil(64)],
            limit,
            bytes: 0,
            reserved: 0,
            spilled_bytes: 0,
            spilled_count: 0,
            files: FxHashMap::default(),
            moving: FxHashSet::default(),
            refused: FxHashSet::default(),
            resident: Vec::new(),
            victims: Vec::new(),
            hopeless: false,
        }
    }

    /// Keeps the value of a task that has run.
    #[inline]
    pub(crate) fn insert(&mut self, task: TaskId, value: Value, bytes: u64) {
        self.finished[task.index() / 64] |= 1 << (task.index() % 64);
        self.slots[task.index()] = Slot { value: Some(value), bytes };
        self.bytes += bytes;
        self.hopeless = false;
        if bytes >= SMALLEST_SPILLED {
            self.resident.push(task);
        }
    }

    /// Forgets a value. Whatever comes back is to be dropped outside the lock.
    #[inline]
    pub(crate) fn remove(&mut self, task: TaskId) -> (Option<Value>, Option<Arc<SpillFile>>, u64) {
        let slot = std::mem::take(&mut self.slots[task.index()]);
        self.hopeless = false;
        let file = if self.files.is_empty() { None } else { self.files.remove(&task) };
        if slot.value.is_some() {
            self.bytes -= slot.bytes;
        } else if file.is_some() {
            self.spilled_bytes -= slot.bytes;
        }
        (slot.value, file, slot.bytes)
    }

    /// The value, if it is in memory.
    #[inline]
    pub(crate) fn get(&self, task: TaskId) -> Option<&Value> {
        self.slots[task.index()].value.as_ref()
    }

    /// The size of a value that is in memory or on disk.
    #[inline]
    pub(crate) fn size(&self, task: TaskId) -> u64 {
        self.slots[task.index()].bytes
    }

    /// The bytes that can still be added without going over the limit.
    #[inline]
    pub(crate) fn room(&self) -> u64 {
        self.limit.bytes.saturating_sub(self.bytes + self.reserved)
    }

    fn is_finished(&self, task: TaskId) -> bool {
        self.finished[task.index() / 64] & (1 << (task.index() % 64)) != 0
    }

    /// When a value is used next, as a place in the static order; outputs last.
    fn next_use(&self, plan: &Plan, task: TaskId) -> u32 {
        let dependents = plan.dependents(task).iter().take(DEPENDENTS_LOOKED_AT);
        let waiting = dependents.filter(|dependent| !self.is_finished(**dependent));
        waiting.map(|dependent| plan.rank(*dependent)).min().unwrap_or(u32::MAX)
    }

    fn is_victim(&self, task: TaskId) -> bool {
        let value = self.slots[task.index()].value.as_ref();
        value.is_some_and(|value| Arc::strong_count(value) == 1)
            && !self.refused.contains(&task)
            && !self.moving.contains(&task)
    }

    /// The value in memory whose next use is furthest away, if there is any that can go.
    pub(crate) fn choose_victim(&mut self, plan: &Plan) -> Option<Victim> {
        let task = self.next_victim(plan)?;
        if self.files.contains_key(&task) {
            let slot = &mut self.slots[task.index()];
            let bytes = slot.bytes;
            let value = slot.value.take()?;
            self.bytes -= bytes;
            self.spilled_bytes += bytes;
            return Some(Victim::Drop { task, value, bytes });
        }
        let value = Arc::clone(self.slots[task.index()].value.as_ref()?);
        self.moving.insert(task);
        Some(Victim::Write { task, value })
    }

    fn next_victim(&mut self, plan: &Plan) -> Option<TaskId> {
        while let Some(task) = self.victims.pop() {
            if self.is_victim(task) {
                return Some(task);
            }
        }
        // Values that are gone or will never go to disk leave the list.
        let mut resident = std::mem::take(&mut self.resident);
        resident.retain(|task| {
            self.slots[task.index()].value.is_some() && !self.refused.contains(task)
        });
        resident.sort_unstable();
        resident.dedup();
        let mut found: Vec<(u32, TaskId)> = resident
            .iter()
            .filter(|task| self.is_victim(**task))
            .map(|task| (self.next_use(plan, *task), *task))
            .collect();
        self.resident = resident;
        found.sort_unstable_by(|left, right| right.cmp(left));
        // A share of the budget at a time keeps the order fresh and the searches few.
        let wanted = self.limit.bytes / 8;
        let mut sum = 0;
        let enough = found
            .iter()
            .position(|(_, task)| {
                sum += self.size(*task);
                sum > wanted
            })
            .map_or(found.len(), |place| place + 1);
        self.victims = found[..enough].iter().rev().map(|(_, task)| *task).collect();
        let best = self.victims.pop();
        self.hopeless = best.is_none();
        best
    }

    /// A victim was written. Returns what is to be dropped outside the lock: the value, if it
    /// left memory, or the file, if the value was freed or taken up again meanwhile.
    pub(crate) fn spilled(
        &mut self,
        task: TaskId,
        mine: Value,
        file: SpillFile,
    ) -> (Vec<Value>, Option<SpillFile>, bool) {
        self.moving.remove(&task);
        let slot = &mut self.slots[task.index()];
        let Some(value) = slot.value.take() else {
            return (vec![mine], Some(file), false);
        };
        self.spilled_count += 1;
        self.files.insert(task, Arc::new(file));
        // `mine` and the slot's own: more means that a task took the value up meanwhile.
        if Arc::strong_count(&value) > 2 {
            slot.value = Some(value);
            return (vec![mine], None, false);
        }
        self.bytes -= slot.bytes;
        self.spilled_bytes += slot.bytes;
        (vec![mine, value], None, true)
    }

    /// A victim could not be written, because it has no encoding (`refused`) or the disk failed.
    pub(crate) fn not_spilled(&mut self, task: TaskId, refused: bool) {
        self.moving.remove(&task);
        if refused {
            self.refused.insert(task);
        }
    }

    /// The file of a value that is to be read back; `None` while someone else moves it.
    pub(crate) fn begin_restore(&mut self, task: TaskId) -> Option<Arc<SpillFile>> {
        let file = self.files.get(&task)?;
        self.moving.insert(task).then(|| Arc::clone(file))
    }

    /// A value was read back; the file stays, so that spilling it again costs nothing.
    pub(crate) fn restored(&mut self, task: TaskId, value: Value) {
        self.moving.remove(&task);
        let slot = &mut self.slots[task.index()];
        self.bytes += slot.bytes;
        self.spilled_bytes -= slot.bytes;
        slot.value = Some(value);
        self.hopeless = false;
        self.resident.push(task);
    }

    /// The bytes of those of `tasks` that are on disk only, and of all of them, each counted once.
    pub(crate) fn bytes_of(&self, tasks: &[TaskId]) -> (u64, u64) {
        let mut unique = tasks.to_vec();
        unique.sort_unstable();
        unique.dedup();
        let all = unique.iter().map(|task| self.size(*task)).sum();
        let missing =
            unique.iter().filter(|task| self.get(**task).is_none()).map(|task| self.size(*task));
        (missing.sum(), all)
    }
}
