//! What the scheduler knows, for those who ask.

use std::collections::BTreeMap;

use samite_scheduling::{TaskKey, TaskState, WorkerId};

use super::core::Core;
use super::topics::wall_clock;
use crate::plain::Plain;
use crate::protocol::Key;

impl Core {
    /// What is known of a worker.
    pub(super) fn worker_info(&self, id: WorkerId) -> Plain {
        let Some(worker) = self.workers.get(&id) else { return Plain::None };
        let address = worker.address.to_string();
        let host = match worker.address.host_and_port() {
            Some((host, _)) => host.to_owned(),
            None => String::from("localhost"),
        };
        let executing = self.machine.assigned(id).count();
        let resources = worker.options.resources.iter().map(|resource| {
            let amount = resource.thousandths as f64 / 1000.0;
            (Plain::text(&resource.name), Plain::Float(amount))
        });
        let mut known = vec![
            ("type", Plain::text("Worker")),
            ("id", Plain::text(&worker.options.name)),
            ("name", Plain::text(&worker.options.name)),
            ("address", Plain::text(&address)),
            ("host", Plain::text(host)),
            ("nthreads", Plain::count(worker.options.slots)),
            ("memory_limit", Plain::count(worker.options.memory_limit)),
            ("resources", Plain::Map(resources.collect())),
            ("status", Plain::text(worker.standing())),
            ("processing", Plain::count(executing)),
            ("occupancy", Plain::Float(self.machine.occupancy(id).unwrap_or(0) as f64 * 1e-9)),
            ("last_seen", Plain::Float(worker.last_seen)),
            ("memory", worker.observed.told()),
            ("metrics", worker.status.clone()),
        ];
        if worker.status == Plain::None {
            known.retain(|(name, _)| *name != "metrics");
            known.push(("metrics", Plain::Map(Vec::new())));
        }
        let Plain::Map(mut pairs) = Plain::map(known) else { return Plain::None };
        if let Plain::Map(about) = &worker.about {
            for (name, value) in about {
                if !pairs.iter().any(|(other, _)| other == name) {
                    pairs.push((name.clone(), value.clone()));
                }
            }
        }
        Plain::Map(pairs)
    }

    /// The scheduler and its workers, as Dask's clients expect it.
    pub(super) fn scheduler_info(&self) -> Plain {
        let workers = self.workers.keys().map(|id| (*id, self.worker_info(*id))).collect();
        let address = self.addresses.first().map(ToString::to_string).unwrap_or_default();
        let threads: u64 =
            self.workers.values().map(|worker| u64::from(worker.options.slots)).sum();
        let memory: u64 = self.workers.values().map(|worker| worker.options.memory_limit).sum();
        Plain::map([
            ("type", Plain::text("Scheduler")),
            ("id", Plain::text(&self.id)),
            ("address", Plain::text(address)),
            ("services", Plain::map(self.dashboard.map(|port| ("dashboard", Plain::count(port))))),
            ("started", Plain::Float(wall_clock() - self.started.elapsed().as_secs_f64())),
            ("n_workers", Plain::count(self.workers.len())),
            ("total_threads", Plain::count(threads)),
            ("total_memory", Plain::count(memory)),
            ("workers", self.by_worker(workers)),
        ])
    }

    fn keys(&self, arguments: &Plain) -> Vec<Key> {
        match arguments.get("keys") {
            Some(keys) => keys.texts().into_iter().map(Key::from).collect(),
            None => {
                let mut all: Vec<Key> = self.names.by_key.keys().cloned().collect();
                all.sort_unstable();
                all
            }
        }
    }

    pub(super) fn task_of(&self, key: &Key) -> Option<TaskKey> {
        self.names.by_key.get(key)?.task
    }

    /// The workers that hold results.
    pub(super) fn who_has(&self, arguments: &Plain) -> Plain {
        let holders = |key: &Key| {
            let holders = self.task_of(key).map(|task| self.holders(task)).unwrap_or_default();
            let addresses = holders.iter().filter_map(|id| self.workers.get(id));
            Plain::List(addresses.map(|worker| Plain::text(worker.address.to_string())).collect())
        };
        let keys = self.keys(arguments);
        Plain::Map(keys.iter().map(|key| (Plain::text(key.to_string()), holders(key))).collect())
    }

    /// The results that workers hold.
    pub(super) fn has_what(&self, arguments: &Plain) -> Plain {
        let mut found = BTreeMap::new();
        for id in self.chosen(arguments) {
            let held = self.machine.held(id);
            let mut keys: Vec<String> =
                held.iter().map(|(task, _)| self.task_name(*task)).collect();
            keys.sort_unstable();
            found.insert(id, Plain::List(keys.iter().map(Plain::text).collect()));
        }
        self.by_worker(found)
    }

    pub(super) fn task_name(&self, task: TaskKey) -> String {
        match self.names.graphs.get(&task.graph) {
            Some(record) => record.name_of(task.task),
            None => format!("{task:?}"),
        }
    }

    /// How many threads workers have.
    pub(super) fn nthreads(&self, arguments: &Plain) -> Plain {
        let slots = |id: WorkerId| self.workers.get(&id).map_or(0, |worker| worker.options.slots);
        let chosen = self.chosen(arguments).into_iter();
        self.by_worker(chosen.map(|id| (id, Plain::count(slots(id)))).collect())
    }

    /// The sizes of results that exist.
    pub(super) fn nbytes(&self, arguments: &Plain) -> Plain {
        let keys = self.keys(arguments);
        let sizes = keys.iter().filter_map(|key| {
            let bytes = self.machine.bytes(self.task_of(key)?)?;
            Some((Plain::text(key.to_string()), Plain::count(bytes)))
        });
        Plain::Map(sizes.collect())
    }

    /// The tasks that workers were given and have not finished.
    pub(super) fn processing(&self, arguments: &Plain) -> Plain {
        let mut found = BTreeMap::new();
        for id in self.chosen(arguments) {
            let mut keys: Vec<String> =
                self.machine.assigned(id).map(|(task, _)| self.task_name(task)).collect();
            keys.sort_unstable();
            found.insert(id, Plain::List(keys.iter().map(Plain::text).collect()));
        }
        self.by_worker(found)
    }

    /// How many tasks are in each state.
    pub(super) fn counts(&self) -> Plain {
        let mut sums = [0_usize; TaskState::ALL.len()];
        for graph in self.machine.graph_ids() {
            let Some(counts) = self.machine.counts(graph) else { continue };
            for (sum, state) in sums.iter_mut().zip(TaskState::ALL) {
                *sum += counts.get(state);
            }
        }
        let states = TaskState::ALL.iter().zip(sums);
        Plain::map(states.map(|(state, count)| (state.name(), Plain::count(count))))
    }

    /// All that is known, for finding out what is wrong.
    pub(super) fn dump_state(&self) -> Plain {
        let mut keys: Vec<&Key> = self.names.by_key.keys().collect();
        keys.sort_unstable();
        let tasks = keys.into_iter().map(|key| {
            let name = self.names.by_key.get(key);
            let state = self.state_of(key).map_or("released", TaskState::name);
            let clients = name.map(|name| name.wanted_by.as_slice().len()).unwrap_or(0);
            let bytes = name.and_then(|name| self.machine.bytes(name.task?));
            let entry = Plain::map([
                ("state", Plain::text(state)),
                ("who_wants", Plain::count(clients)),
                ("nbytes", bytes.map_or(Plain::None, Plain::count)),
            ]);
            (Plain::text(key.to_string()), entry)
        });
        let tasks = Plain::Map(tasks.collect());
        let clients = self.clients.values().map(|client| Plain::text(&client.name)).collect();
        let counters = self.machine.counters();
        Plain::map([
            ("scheduler", self.scheduler_info()),
            ("tasks", tasks),
            ("states", self.counts()),
            ("clients", Plain::List(clients)),
            ("finished", Plain::count(counters.finished)),
            ("failed", Plain::count(counters.failed)),
            ("recomputed", Plain::count(counters.recomputed)),
            ("stale", Plain::count(counters.stale)),
        ])
    }
}
