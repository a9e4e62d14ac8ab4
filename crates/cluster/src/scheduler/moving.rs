//! Values on their way for clients: copied, balanced, and passed on to
//! clients that cannot reach the workers.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use samite_scheduling::{Event, TaskKey, WorkerId};

use super::coordination::Asker;
use super::core::Core;
use super::members::ClientId;
use super::scattering::Scattering;
use crate::plain::{Fault, Plain};
use crate::protocol::{Carried, Key, ToClient, ToWorker};
use crate::transport::Address;

/// Copies that do not come about are not waited for any longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Values that are passed on to a client.
struct Relay {
    client: ClientId,
    id: u64,
    values: Vec<Option<Carried>>,
    missing: usize,
}

/// Part of a relay that a worker was asked for.
struct Asked {
    relay: u64,
    worker: WorkerId,
    places: Vec<usize>,
}

struct Copying {
    asker: Asker,
    /// Tasks, and on how many workers each shall be.
    tasks: Vec<(TaskKey, usize)>,
    until: Instant,
}

/// What is under way.
#[derive(Default)]
pub(super) struct Moving {
    pub(super) next: u64,
    relays: FxHashMap<u64, Relay>,
    asked: FxHashMap<u64, Asked>,
    copying: Vec<Copying>,
    balancing: Vec<(Asker, Instant)>,
    pub(super) scattering: Scattering,
}

impl Moving {
    /// The data that is on its way to workers.
    pub(super) fn putting(&self) -> impl Iterator<Item = TaskKey> {
        self.scattering.putting()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let copying = self.copying.iter().map(|copying| copying.until);
        copying.chain(self.balancing.iter().map(|(_, until)| *until)).min()
    }
}

impl Core {
    /// Copies results to more workers, and answers when they are there.
    pub(super) fn replicate(&mut self, asker: Asker, arguments: &Plain) {
        let workers = self.chosen(arguments);
        let wanted = arguments.get("n").and_then(Plain::as_int);
        let wanted = wanted.and_then(|copies| usize::try_from(copies).ok()).unwrap_or(usize::MAX);
        let copies = wanted.min(workers.len());
        if copies == 0 {
            let text = "replicate: a result needs at least one worker to be on";
            return self.reply(asker, Err(Fault::value(text)));
        }
        let restricted = arguments.get("workers").is_some();
        let mut tasks = Vec::new();
        for key in arguments.get("keys").map(Plain::texts).unwrap_or_default() {
            let Some(task) = self.names.by_key.get(&Key::from(key)).and_then(|name| name.task)
            else {
                continue;
            };
            let task = self.machine.origin(task).unwrap_or(task);
            tasks.push((task, copies));
            let workers = if restricted { workers.clone().into() } else { Box::default() };
            let copies = u32::try_from(copies).unwrap_or(u32::MAX);
            self.tell(Event::ReplicasWanted { task, copies, workers });
        }
        let until = Instant::now() + PATIENCE;
        self.pending.moving.copying.push(Copying { asker, tasks, until });
    }

    /// Evens out what workers hold, and answers when it is done.
    pub(super) fn rebalance(&mut self, asker: Asker, arguments: &Plain) {
        let workers = match arguments.get("workers") {
            Some(_) => self.chosen(arguments).into(),
            None => Box::default(),
        };
        let tasks = arguments.get("keys").map(|keys| {
            let task =
                |key: &str| self.names.by_key.get(&Key::from(key)).and_then(|name| name.task);
            keys.texts().into_iter().filter_map(task).collect()
        });
        self.tell(Event::Rebalance { workers, tasks });
        self.pending.moving.balancing.push((asker, Instant::now() + PATIENCE));
    }

    /// Answers those whose copies are there.
    pub(super) fn answer_moves(&mut self) {
        if self.pending.moving.copying.is_empty() && self.pending.moving.balancing.is_empty() {
            return;
        }
        let now = Instant::now();
        for copying in std::mem::take(&mut self.pending.moving.copying) {
            let all = copying.tasks.iter().all(|(task, copies)| {
                let holders = self.machine.holders(*task).len();
                holders >= *copies || holders == 0
            });
            if all || copying.until <= now {
                self.reply(copying.asker, Ok(Plain::Bool(all)));
            } else {
                self.pending.moving.copying.push(copying);
            }
        }
        for (asker, until) in std::mem::take(&mut self.pending.moving.balancing) {
            if self.machine.moves() == 0 || until <= now {
                self.reply(asker, Ok(Plain::None));
            } else {
                self.pending.moving.balancing.push((asker, until));
            }
        }
    }

    /// Gets values for a client that cannot ask the workers.
    pub(super) fn relay(&mut self, client: ClientId, id: u64, keys: &[Key]) {
        let mut by_worker: FxHashMap<WorkerId, (Vec<usize>, Vec<TaskKey>)> = FxHashMap::default();
        for (place, key) in keys.iter().enumerate() {
            let Some(task) = self.names.by_key.get(key).and_then(|name| name.task) else {
                continue;
            };
            let task = self.machine.origin(task).unwrap_or(task);
            let Some(holder) = self.machine.holders(task).first().copied() else { continue };
            let (places, tasks) = by_worker.entry(holder).or_default();
            places.push(place);
            tasks.push(task);
        }
        let values = vec![None; keys.len()];
        if by_worker.is_empty() {
            return self.tell_client(client, ToClient::Fetched { id, values });
        }
        let local = self.clients.get(&client).is_some_and(|client| client.out.is_local());
        self.pending.moving.next += 1;
        let relay = self.pending.moving.next;
        let missing = by_worker.len();
        self.pending.moving.relays.insert(relay, Relay { client, id, values, missing });
        let mut by_worker: Vec<_> = by_worker.into_iter().collect();
        by_worker.sort_unstable_by_key(|(worker, _)| *worker);
        for (worker, (places, tasks)) in by_worker {
            self.pending.moving.next += 1;
            let asked = self.pending.moving.next;
            self.pending.moving.asked.insert(asked, Asked { relay, worker, places });
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.out.push(ToWorker::Get { id: asked, tasks, local });
            }
        }
    }

    /// A worker has answered with values.
    pub(super) fn relayed(&mut self, worker: WorkerId, id: u64, values: Vec<Option<Carried>>) {
        if self.pending.moving.asked.get(&id).is_none_or(|asked| asked.worker != worker) {
            return;
        }
        let Some(asked) = self.pending.moving.asked.remove(&id) else { return };
        let Some(relay) = self.pending.moving.relays.get_mut(&asked.relay) else { return };
        for (place, value) in asked.places.into_iter().zip(values) {
            if let Some(slot) = relay.values.get_mut(place) {
                *slot = value;
            }
        }
        relay.missing -= 1;
        if relay.missing == 0
            && let Some(Relay { client, id, mut values, .. }) =
                self.pending.moving.relays.remove(&asked.relay)
        {
            let local = self.clients.get(&client).is_some_and(|client| client.out.is_local());
            if !local {
                for value in &mut values {
                    value.take_if(|value| matches!(value, Carried::Local(_)));
                }
            }
            self.tell_client(client, ToClient::Fetched { id, values });
        }
    }

    /// A worker is gone: nobody waits for it any more.
    pub(super) fn worker_gone(&mut self, worker: WorkerId) {
        let asked = self.pending.moving.asked.iter();
        let mut open: Vec<u64> =
            asked.filter(|(_, asked)| asked.worker == worker).map(|(id, _)| *id).collect();
        open.sort_unstable();
        for id in open {
            self.relayed(worker, id, Vec::new());
        }
        self.retiring_lost(worker);
    }

    /// A client did not find a value where it should be.
    pub(super) fn missing(&mut self, task: TaskKey, holder: &Address) {
        if let Some((worker, _)) = self.worker_at(holder) {
            self.tell(Event::ReplicaLost { worker, task });
        }
    }
}
