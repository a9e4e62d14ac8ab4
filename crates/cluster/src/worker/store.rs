//! The values of a worker: in memory, or on disk where memory is short.
//!
//! Above a share of the worker's memory limit the oldest values that no task uses are written to
//! disk, one by one, by a thread of its own. They stay there, and are read for each use. The
//! scheduler is told when memory is so short that it should send less. What the process takes
//! besides its values counts where it is this worker's alone.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use samite_runtime::{OperationError, SpillError, SpillFile, SpillFolder, Value};
use samite_scheduling::{Portion, Pressure, TaskKey};

use super::Shared;
use super::pressure::MemoryShares;
use super::running::follow_up;
use crate::encoded::Encoded;
use crate::parts::{Parts, PartsFile};
use crate::threads::runtime;

/// Values below this size are not worth a file.
const SMALLEST: u64 = 1 << 10;

/// A value, wherever it is.
pub(super) enum Slot {
    Memory { value: Value, bytes: u64 },
    Disk { file: Arc<SpillFile>, bytes: u64 },
    Parts { file: Arc<PartsFile>, bytes: u64 },
}

/// What was fetched for the runs that wait for a part.
pub(super) enum Piece {
    /// The part.
    Part(Encoded),
    /// A value that has no parts.
    Whole(Value),
}

impl Piece {
    pub(super) fn nbytes(&self) -> u64 {
        match self {
            Self::Part(part) => part.nbytes() as u64,
            Self::Whole(value) => value.nbytes() as u64,
        }
    }
}

/// A value that was found, to be taken up without a lock.
pub(super) enum Found {
    Memory(Value),
    Disk(Arc<SpillFile>),
    /// A part of a value.
    Part(Encoded),
    /// A part of a value in a file, or all of them.
    InFile(Arc<PartsFile>, Option<u32>),
}

/// A value or a part of one, in memory.
pub(super) enum Taken {
    Value(Value),
    Part(Encoded),
}

impl Found {
    /// The value, from disk where it is there.
    pub(super) fn take_up(self) -> Result<Taken, OperationError> {
        Ok(match self {
            Self::Memory(value) => Taken::Value(value),
            Self::Disk(file) => Taken::Value(file.read()?),
            Self::Part(part) => Taken::Part(part),
            Self::InFile(file, Some(number)) => {
                Taken::Part(file.part(number).map_err(OperationError::new)?)
            }
            Self::InFile(file, None) => {
                Taken::Value(Arc::new(file.all().map_err(OperationError::new)?))
            }
        })
    }
}

/// A value that was written to disk.
enum Written {
    Value(SpillFile),
    Parts(PartsFile),
}

/// All values of a worker.
pub(super) struct Store {
    slots: FxHashMap<TaskKey, Slot>,
    /// Parts of values that others hold.
    pieces: FxHashMap<Portion, Piece>,
    /// Bytes of values in memory and on disk.
    bytes: u64,
    spilled: u64,
    /// Bytes above which something is done; the greatest number where it is not.
    target: u64,
    spill: u64,
    pause: u64,
    most_on_disk: u64,
    /// Whether values in parts may be spilled.
    spill_parts: bool,
    /// Bytes of the process when it was last looked at, if it was, less what was written since.
    process: u64,
    /// Whether values are written because of the process.
    draining: bool,
    /// Values in memory that may be spilled, the oldest first.
    candidates: VecDeque<TaskKey>,
    /// Values without an encoding.
    refused: FxHashSet<TaskKey>,
    /// Whether the spilling thread is at work.
    spilling: bool,
    /// Nothing can be spilled until something changes.
    hopeless: bool,
    pressure: Pressure,
    /// Where the folder is made, if not at the default place.
    parent: Option<PathBuf>,
    folder: Option<Arc<SpillFolder>>,
}

impl Store {
    /// A store of a worker whose memory limit is `limit` bytes, or zero for none.
    pub(super) fn new(limit: u64, shares: &MemoryShares, parent: Option<PathBuf>) -> Self {
        let bytes = |share: Option<f64>| match share {
            Some(share) if limit > 0 && share > 0.0 => (limit as f64 * share) as u64,
            _ => u64::MAX,
        };
        Self {
            slots: FxHashMap::default(),
            pieces: FxHashMap::default(),
            bytes: 0,
            spilled: 0,
            target: bytes(shares.target),
            spill: bytes(shares.spill),
            pause: bytes(shares.pause),
            most_on_disk: shares.most_on_disk.unwrap_or(u64::MAX),
            spill_parts: shares.spill_parts,
            process: 0,
            draining: false,
            candidates: VecDeque::new(),
            refused: FxHashSet::default(),
            spilling: false,
            hopeless: false,
            pressure: Pressure::Normal,
            parent,
            folder: None,
        }
    }

    /// Keeps a value. What was there before is to be dropped without the lock.
    pub(super) fn insert(&mut self, task: TaskKey, value: Value) -> Option<Slot> {
        let old = self.remove(&task);
        let bytes = value.nbytes() as u64;
        self.bytes += bytes;
        let is_allowed = self.spill_parts || value.as_any().downcast_ref::<Parts>().is_none();
        self.slots.insert(task, Slot::Memory { value, bytes });
        if is_allowed && self.may_spill() && bytes >= SMALLEST {
            self.candidates.push_back(task);
            self.hopeless = false;
        }
        old
    }

    /// Forgets a value, which is to be dropped without the lock.
    pub(super) fn remove(&mut self, task: &TaskKey) -> Option<Slot> {
        let slot = self.slots.remove(task)?;
        match &slot {
            Slot::Memory { bytes, .. } => self.bytes -= bytes,
            Slot::Disk { bytes, .. } | Slot::Parts { bytes, .. } => self.spilled -= bytes,
        }
        self.refused.remove(task);
        self.hopeless = false;
        Some(slot)
    }

    /// Keeps a part for the runs that wait for it. What was there before is to be dropped without
    /// the lock.
    pub(super) fn insert_piece(&mut self, portion: Portion, piece: Piece) -> Option<Piece> {
        let old = self.remove_piece(&portion);
        self.bytes += piece.nbytes();
        self.pieces.insert(portion, piece);
        old
    }

    /// Forgets a part, which is to be dropped without the lock.
    pub(super) fn remove_piece(&mut self, portion: &Portion) -> Option<Piece> {
        let piece = self.pieces.remove(portion)?;
        self.bytes -= piece.nbytes();
        self.hopeless = false;
        Some(piece)
    }

    /// A value, or the part of it that is asked for, where it has parts.
    pub(super) fn get(&self, portion: &Portion) -> Option<Found> {
        let Some(slot) = self.slots.get(&portion.task) else {
            return Some(match self.pieces.get(portion)? {
                Piece::Part(part) => Found::Part(part.clone()),
                Piece::Whole(value) => Found::Memory(Arc::clone(value)),
            });
        };
        Some(match slot {
            Slot::Memory { value, .. } => {
                let parts = value.as_any().downcast_ref::<Parts>();
                match parts.zip(portion.part) {
                    Some((parts, number)) => Found::Part(parts.part(number)),
                    None => Found::Memory(Arc::clone(value)),
                }
            }
            Slot::Disk { file, .. } => Found::Disk(Arc::clone(file)),
            Slot::Parts { file, .. } => Found::InFile(Arc::clone(file), portion.part),
        })
    }

    /// Bytes in memory, bytes on disk, and the number of values.
    pub(super) fn sizes(&self) -> (u64, u64, usize) {
        (self.bytes, self.spilled, self.slots.len())
    }

    fn may_spill(&self) -> bool {
        self.target != u64::MAX || self.spill != u64::MAX
    }

    fn is_to_spill(&self) -> bool {
        self.bytes > self.target || self.draining
    }

    fn is_over(&self, bytes: u64) -> bool {
        self.bytes.max(self.process) > bytes
    }

    /// Takes note of the memory of the process.
    pub(super) fn sample(&mut self, process: u64) {
        self.process = process;
        if process > self.spill {
            // What was of no avail may be now.
            self.hopeless &= self.draining;
            self.draining = true;
        } else if process <= self.target.min(self.spill) {
            self.draining = false;
        }
    }

    /// Whether the process has more memory than it should.
    pub(super) fn is_short(&self) -> bool {
        self.process > if self.pause == u64::MAX { self.spill } else { self.pause }
    }

    /// Whether the spilling thread is to be started; it is taken for started then.
    pub(super) fn begin_spilling(&mut self) -> bool {
        let begin = !self.spilling && !self.hopeless && self.is_to_spill();
        self.spilling |= begin;
        begin
    }

    /// The bytes in memory, and how short memory is, as it was told last.
    pub(super) fn pressure(&self) -> (u64, Pressure) {
        (self.bytes, self.pressure)
    }

    /// Whether memory is so short that tasks run one at a time.
    pub(super) fn is_held(&self) -> bool {
        self.is_over(self.pause)
    }

    /// How short memory is, where that has changed. A worker that is not `busy` and has nothing to
    /// spill does not pause: nothing would end it.
    pub(super) fn changed_pressure(&mut self, busy: bool) -> Option<(u64, Pressure)> {
        let gives_back = busy || (self.is_to_spill() && !self.hopeless);
        let pressure = if self.is_over(self.pause) && gives_back {
            Pressure::Pause
        } else if self.is_over(self.spill) {
            Pressure::HoldSources
        } else {
            Pressure::Normal
        };
        if pressure == self.pressure {
            return None;
        }
        self.pressure = pressure;
        Some((self.bytes, pressure))
    }

    /// The next value to be spilled; `None` ends the spilling.
    fn victim(&mut self) -> Option<(TaskKey, Value)> {
        for _ in 0..self.candidates.len() {
            if !self.is_to_spill() {
                self.spilling = false;
                return None;
            }
            let task = self.candidates.pop_front()?;
            let Some(Slot::Memory { value, bytes }) = self.slots.get(&task) else { continue };
            if self.refused.contains(&task) {
                continue;
            }
            if Arc::strong_count(value) > 1 {
                // A task uses it: dropping it here would give nothing back.
                self.candidates.push_back(task);
                continue;
            }
            if self.spilled.saturating_add(*bytes) > self.most_on_disk {
                self.candidates.push_back(task);
                continue;
            }
            return Some((task, Arc::clone(value)));
        }
        self.spilling = false;
        self.hopeless = self.is_to_spill();
        None
    }

    /// A value was written. What comes back is to be dropped without the lock.
    fn written(&mut self, task: TaskKey, mine: &Value, file: Written) -> Option<Slot> {
        let slot = self.slots.get_mut(&task)?;
        let Slot::Memory { value, bytes } = slot else { return None };
        if !Arc::ptr_eq(value, mine) {
            return None;
        }
        let bytes = *bytes;
        self.bytes -= bytes;
        self.spilled += bytes;
        self.process = self.process.saturating_sub(bytes);
        if self.process <= self.target.min(self.spill) {
            self.draining = false;
        }
        let now = match file {
            Written::Value(file) => Slot::Disk { file: Arc::new(file), bytes },
            Written::Parts(file) => Slot::Parts { file: Arc::new(file), bytes },
        };
        Some(std::mem::replace(slot, now))
    }
}

/// Starts to spill, where that is due.
pub(super) fn begin(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let Ok(runtime) = runtime() else { return };
    runtime.spawn_blocking(move || {
        while spill_one(&shared) {}
        follow_up(&shared, shared.core.lock());
    });
}

fn spill_one(shared: &Arc<Shared>) -> bool {
    let (task, value, folder, parent) = {
        let mut core = shared.core.lock();
        let Some((task, value)) = core.values.victim() else { return false };
        (task, value, core.values.folder.clone(), core.values.parent.clone())
    };
    let create = || {
        let made = parent.as_deref().map_or_else(SpillFolder::create_anywhere, SpillFolder::create);
        made.map(Arc::new)
    };
    let folder = match folder.map_or_else(create, Ok) {
        Ok(folder) => folder,
        Err(_) => {
            // Without a disk nothing can be spilled.
            let mut core = shared.core.lock();
            core.values.spilling = false;
            core.values.hopeless = true;
            return false;
        }
    };
    let written = match value.as_any().downcast_ref::<Parts>() {
        Some(parts) => {
            PartsFile::write(parts, folder.path()).map(Written::Parts).map_err(SpillError::from)
        }
        None => SpillFile::write(&*value, &folder).map(Written::Value),
    };
    let mut core = shared.core.lock();
    core.values.folder = Some(folder);
    let left = match written {
        Ok(file) => core.values.written(task, &value, file),
        Err(SpillError::Refused) => {
            core.values.refused.insert(task);
            None
        }
        Err(_) => {
            // The disk is full or broken: it is tried again when something has changed.
            core.values.candidates.push_back(task);
            core.values.spilling = false;
            core.values.hopeless = true;
            drop(core);
            return false;
        }
    };
    // What waits for memory hears of it.
    follow_up(shared, core);
    drop(left);
    drop(value);
    true
}
