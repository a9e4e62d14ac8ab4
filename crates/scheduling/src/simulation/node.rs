//! A simulated worker: its machine, its store, and its speed.

use rustc_hash::FxHashMap;

use crate::ids::{Portion, TaskKey, WorkerId};
use crate::options::WorkerOptions;
use crate::simulation::network::Link;
use crate::worker::Machine;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) machine: Machine,
    pub(super) options: WorkerOptions,
    pub(super) store: FxHashMap<TaskKey, u64>,
    /// Parts of values, for the runs that keep them.
    pub(super) parts: FxHashMap<Portion, u64>,
    pub(super) alive: bool,
    /// Whether the present scheduler knows it.
    pub(super) connected: bool,
    /// How many times longer than others it takes.
    pub(super) slowness: u64,
    pub(super) to_scheduler: Link,
    pub(super) from_scheduler: Link,
}

impl Node {
    pub(super) fn new(id: WorkerId, options: WorkerOptions, slowness: u64) -> Self {
        Self {
            machine: Machine::new(id, options.slots, 3),
            options,
            store: FxHashMap::default(),
            parts: FxHashMap::default(),
            alive: true,
            connected: true,
            slowness,
            to_scheduler: Link::default(),
            from_scheduler: Link::default(),
        }
    }

    pub(super) fn id(&self) -> WorkerId {
        self.machine.id()
    }
}
