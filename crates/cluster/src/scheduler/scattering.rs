//! Data that clients bring to workers.
//!
//! The scheduler keeps a value until a worker has said that it holds it: where the worker is lost
//! before, the value goes to another one. Clients hear of it when all values have arrived.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use samite_graph::{OperationId, PlanBuilder, TaskId};
use samite_scheduling::{Event, TaskKey, WorkerId};

use super::coordination::Asker;
use super::core::Core;
use crate::plain::{Fault, Plain};
use crate::protocol::{Carried, Key, Submission, ToWorker};

/// A value on its way.
struct Put {
    value: Carried,
    bytes: u64,
    /// The workers that have not answered.
    at: Vec<WorkerId>,
    /// Whether one has.
    arrived: bool,
    /// Whose request it is part of.
    request: u64,
}

struct Request {
    asker: Asker,
    missing: usize,
}

/// All data that is on its way.
#[derive(Default)]
pub(super) struct Scattering {
    next: u64,
    puts: BTreeMap<TaskKey, Put>,
    requests: BTreeMap<u64, Request>,
}

impl Scattering {
    pub(super) fn putting(&self) -> impl Iterator<Item = TaskKey> {
        self.puts.keys().copied()
    }
}

impl Core {
    /// Gives values to workers, and answers when they are there.
    pub(super) fn scatter(
        &mut self,
        asker: Asker,
        values: Vec<(Key, Carried, u64)>,
        workers: &[String],
        copies: u32,
        holds: Vec<Key>,
    ) {
        let targets: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, worker)| {
                !worker.retiring
                    && (workers.is_empty() || workers.iter().any(|name| worker.answers_to(name)))
            })
            .map(|(id, _)| *id)
            .collect();
        if targets.is_empty() {
            let text = "scatter: no worker is there that takes values";
            return self.reply(asker, Err(Fault::new("NoWorkers", text)));
        }
        let far = targets
            .iter()
            .any(|id| self.workers.get(id).is_some_and(|worker| !worker.out.is_local()));
        if far && values.iter().any(|(_, value, _)| matches!(value, Carried::Local(_))) {
            let text = "scatter: some workers are in other processes";
            return self.reply(asker, Err(Fault::new("NotEncoded", text)));
        }
        for (key, ..) in &values {
            self.forget_lost_data(key);
        }
        let keys: Vec<Key> = values.iter().map(|(key, ..)| key.clone()).collect();
        let tasks = match self.data_graph(asker, &keys, holds) {
            Ok(tasks) => tasks,
            Err(fault) => return self.reply(asker, Err(fault)),
        };
        // Every thread gets its share.
        let mut turns: Vec<WorkerId> = Vec::new();
        for id in &targets {
            let slots = self.workers.get(id).map_or(1, |worker| worker.options.slots.max(1));
            turns.extend((0..slots).map(|_| *id));
        }
        let copies = usize::try_from(copies).unwrap_or(usize::MAX).clamp(1, targets.len());
        let mut turn = self.pending.moving.next as usize;
        self.pending.moving.next += values.len() as u64;
        self.pending.moving.scattering.next += 1;
        let request = self.pending.moving.scattering.next;
        let mut missing = 0;
        for (new, (key, value, bytes)) in tasks.into_iter().zip(values) {
            let Some(task) = self.names.by_key.get(&key).and_then(|name| name.task) else {
                continue;
            };
            // Where the name was known, its value is there, or is brought again.
            let is_brought = self.pending.moving.scattering.puts.contains_key(&task);
            if task != new && (is_brought || !self.machine.is_awaited(task)) {
                continue;
            }
            let first = turns[turn % turns.len()];
            turn += 1;
            let others = targets.iter().copied().filter(|id| *id != first);
            let at: Vec<WorkerId> = std::iter::once(first).chain(others).take(copies).collect();
            missing += 1;
            let put = Put { value, bytes, at: Vec::new(), arrived: false, request };
            self.pending.moving.scattering.puts.insert(task, put);
            for worker in at {
                self.put(task, worker);
            }
        }
        if missing == 0 {
            return self.reply(asker, Ok(Plain::None));
        }
        let requests = &mut self.pending.moving.scattering.requests;
        requests.insert(request, Request { asker, missing });
    }

    /// A graph of data by these names; its tasks.
    fn data_graph(
        &mut self,
        asker: Asker,
        keys: &[Key],
        holds: Vec<Key>,
    ) -> Result<Vec<TaskKey>, Fault> {
        let mut builder = PlanBuilder::with_capacity(keys.len(), 0);
        builder.begin_layer("scatter", None);
        let tasks: Vec<TaskId> =
            (0..keys.len()).map(|place| builder.push(OperationId(0), place as u32, [])).collect();
        let plan =
            builder.finish(tasks.clone()).map_err(|wrong| Fault::value(wrong.to_string()))?;
        let submission = Submission {
            plan,
            operations: Vec::new(),
            outputs: keys.to_vec(),
            imports: Vec::new(),
            annotations: Vec::new(),
            together: 0,
        };
        // What holds itself would stay for ever.
        let own: FxHashSet<&Key> = keys.iter().collect();
        let holds = holds.into_iter().filter(|key| !own.contains(key)).collect();
        let graph = self.submit_graph(asker.client, submission, tasks.clone().into(), holds);
        Ok(tasks.into_iter().map(|task| TaskKey { graph, task }).collect())
    }

    fn put(&mut self, task: TaskKey, to: WorkerId) {
        let Some(put) = self.pending.moving.scattering.puts.get_mut(&task) else { return };
        let Some(worker) = self.workers.get_mut(&to) else { return };
        let (value, bytes) = (put.value.clone(), put.bytes);
        put.at.push(to);
        worker.out.push(ToWorker::Put { task, value, bytes });
    }

    /// A worker says that it holds a value.
    pub(super) fn put_arrived(&mut self, worker: WorkerId, task: TaskKey) {
        let Some(put) = self.pending.moving.scattering.puts.get_mut(&task) else { return };
        put.at.retain(|id| *id != worker);
        put.arrived = true;
        if put.at.is_empty() {
            self.put_done(task, Ok(()));
        }
    }

    fn put_done(&mut self, task: TaskKey, outcome: Result<(), Fault>) {
        let scattering = &mut self.pending.moving.scattering;
        let Some(put) = scattering.puts.remove(&task) else { return };
        let Some(request) = scattering.requests.get_mut(&put.request) else { return };
        request.missing -= 1;
        let asker = request.asker;
        if outcome.is_err() || request.missing == 0 {
            scattering.requests.remove(&put.request);
            self.reply(asker, outcome.map(|()| Plain::None));
        }
    }

    /// A worker is gone: what was on its way to it goes to another one.
    pub(super) fn put_elsewhere(&mut self, gone: WorkerId) {
        let puts = self.pending.moving.scattering.puts.iter_mut();
        let mut concerned = Vec::new();
        for (task, put) in puts.filter(|(_, put)| put.at.contains(&gone)) {
            put.at.retain(|id| *id != gone);
            if put.at.is_empty() {
                concerned.push((*task, put.arrived));
            }
        }
        for (task, arrived) in concerned {
            if arrived {
                self.put_done(task, Ok(()));
            } else {
                self.put_somewhere(task);
            }
        }
    }

    /// A worker has come, for what found none.
    pub(super) fn put_again(&mut self) {
        let puts = self.pending.moving.scattering.puts.iter();
        let homeless: Vec<TaskKey> =
            puts.filter(|(_, put)| put.at.is_empty()).map(|(task, _)| *task).collect();
        for task in homeless {
            self.put_somewhere(task);
        }
    }

    fn put_somewhere(&mut self, task: TaskKey) {
        let Some(put) = self.pending.moving.scattering.puts.get(&task) else { return };
        let local = matches!(put.value, Carried::Local(_));
        let staying = self.workers.iter().filter(|(_, worker)| !worker.retiring);
        let mut able = staying.filter(|(_, worker)| !local || worker.out.is_local());
        if let Some(worker) = able.next().map(|(id, _)| *id) {
            return self.put(task, worker);
        }
        if local {
            // Only a worker of this process could take it.
            self.tell(Event::DataLost { task });
            let text = "scatter: the worker was lost before the data was there, and there is no \
                        other one in this process";
            self.put_done(task, Err(Fault::new("NoWorkers", text)));
        }
    }
}
