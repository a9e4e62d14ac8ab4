//! What the scheduler shows over HTTP: its state as the pages have it.

use std::collections::BTreeMap;
use std::sync::Weak;

use samite_graph::TaskId;
use samite_scheduling::{GraphId, TaskState, WorkerId};
use tokio::sync::oneshot;

use super::Inbox;
use super::coordination::Asker;
use super::core::Core;
use super::desk::Desk;
use super::requests::KEEPER;
use super::topics::wall_clock;
use crate::http::{Answer, Memory, Rates, Retire, Snapshot, Source, States, Transfers, Worker};
use crate::plain::Plain;

/// The events that one state has at most.
const EVENTS: usize = 20_000;
/// The work that a worker is wanted for, in nanoseconds of all its threads.
const WORTH_A_WORKER: f64 = 5e9;

/// Asks the scheduler.
pub(super) struct Asking(pub(super) Weak<Desk>);

impl Source for Asking {
    fn snapshot(&self, events_since: u64) -> Answer<'_, Option<Snapshot>> {
        let inbox = self.0.upgrade();
        Box::pin(async move {
            let (sender, answer) = oneshot::channel();
            inbox?.send(Inbox::Show(events_since, sender)).ok()?;
            answer.await.ok()
        })
    }

    fn retire(&self, request: Retire) -> Answer<'_, Result<Vec<Worker>, String>> {
        let inbox = self.0.upgrade();
        Box::pin(async move {
            let ended = || "the scheduler has ended".to_owned();
            let (sender, answer) = oneshot::channel();
            let inbox = inbox.ok_or_else(ended)?;
            inbox.send(Inbox::Retire(request, sender)).map_err(|_| ended())?;
            answer.await.map_err(|_| ended())
        })
    }
}

/// A count that a worker has told.
fn told(status: &Plain, name: &str) -> u64 {
    let count = status.get(name).and_then(Plain::as_int);
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

/// A figure that a worker has told.
fn measured(status: &Plain, name: &str) -> f64 {
    status.get(name).and_then(Plain::as_float).unwrap_or(0.0)
}

fn rates(status: &Plain, name: &str) -> Rates {
    status.get(name).map_or_else(Rates::default, |rates| Rates {
        read: measured(rates, "read_bps"),
        written: measured(rates, "write_bps"),
    })
}

fn transfers(status: &Plain) -> Transfers {
    status.get("transfer").map_or_else(Transfers::default, |known| Transfers {
        incoming_bytes_total: told(known, "incoming_bytes_total"),
        incoming_count_total: told(known, "incoming_count_total"),
        outgoing_bytes_total: told(known, "outgoing_bytes_total"),
        outgoing_count_total: told(known, "outgoing_count_total"),
    })
}

impl Core {
    /// The state now, with the runs from that number on.
    pub(super) fn show(&self, events_since: u64) -> Snapshot {
        let now = wall_clock();
        let (events, next_event) = self.runs_since(events_since, EVENTS);
        let mut prefixes = self.pending.history.prefixes();
        let mut tasks = States::default();
        let mut groups = 0;
        for graph in self.machine.graph_ids() {
            let Some(states) = self.states(graph) else { continue };
            groups += 1;
            tasks.add(&states);
            let name = self.graph_name(graph);
            let prefix = prefixes.entry(name.to_owned()).or_default();
            prefix.states.add(&states);
        }
        for (name, prefix) in &mut prefixes {
            prefix.name.clone_from(name);
        }
        let started = now - self.started.elapsed().as_secs_f64();
        Snapshot {
            id: self.id.clone(),
            address: self.addresses.first().map(ToString::to_string).unwrap_or_default(),
            started,
            now,
            idle_since: self.idle_since(&tasks),
            desired_workers: self.desired_workers(&tasks),
            clients: self.clients.len() as u64,
            groups,
            tasks,
            totals: self.pending.history.totals,
            workers: self.workers.keys().filter_map(|id| self.shown(*id)).collect(),
            prefixes: prefixes.into_values().collect(),
            events,
            next_event,
        }
    }

    /// Since when nothing is to do, by the clock on the wall.
    fn idle_since(&self, tasks: &States) -> Option<f64> {
        let to_do = tasks.waiting + tasks.queued + tasks.no_worker + tasks.processing;
        let started = || wall_clock() - self.started.elapsed().as_secs_f64();
        (to_do == 0).then(|| self.pending.history.last_run().unwrap_or_else(started))
    }

    /// How many workers would be of use, and since when nothing is to do.
    pub(super) fn demand(&self) -> Plain {
        let mut tasks = States::default();
        for graph in self.machine.graph_ids() {
            if let Some(states) = self.states(graph) {
                tasks.add(&states);
            }
        }
        Plain::map([
            ("workers", Plain::count(self.desired_workers(&tasks))),
            ("idle_since", self.idle_since(&tasks).map_or(Plain::None, Plain::Float)),
        ])
    }

    fn states(&self, graph: GraphId) -> Option<States> {
        let counts = self.machine.counts(graph)?;
        let get = |state| counts.get(state) as u64;
        Some(States {
            released: get(TaskState::Released),
            waiting: get(TaskState::Waiting),
            queued: get(TaskState::Queued),
            no_worker: get(TaskState::NoWorker),
            processing: get(TaskState::Processing),
            memory: get(TaskState::Memory),
            erred: get(TaskState::Erred),
        })
    }

    /// What the tasks of a graph are shown under: the layer of its first output.
    fn graph_name(&self, graph: GraphId) -> &str {
        self.names.graphs.get(&graph).map_or("", |record| {
            let first = record.plan.outputs().first().copied().unwrap_or(TaskId(0));
            record.plan.layer_name(first)
        })
    }

    /// How many workers the work at hand would keep busy for a while; no more than tasks.
    fn desired_workers(&self, tasks: &States) -> u64 {
        let ready = tasks.queued + tasks.no_worker + tasks.processing;
        if ready == 0 {
            return 0;
        }
        let work: u64 =
            self.workers.keys().map(|id| self.machine.occupancy(*id).unwrap_or(0)).sum();
        let waiting = if tasks.no_worker > 0 { self.workers.len() as u64 + 1 } else { 1 };
        ((work as f64 / WORTH_A_WORKER).ceil() as u64).max(waiting).min(ready)
    }

    /// A worker as the pages have it.
    fn shown(&self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.get(&id)?;
        let (about, status) = (&worker.about, &worker.status);
        let text = |name| about.get(name).and_then(Plain::as_text).map(str::to_owned);
        let assigned = self.machine.assigned(id).count() as u64;
        let threads = u64::from(worker.options.slots);
        let executing = told(status, "executing").min(assigned);
        let resources = worker.options.resources.iter();
        let host = worker.address.host_and_port().map_or("localhost", |(host, _)| host).to_owned();
        Some(Worker {
            name: worker.options.name.to_string(),
            address: worker.address.to_string(),
            host: text("host").unwrap_or(host),
            pid: u32::try_from(told(about, "pid")).unwrap_or(0),
            status: worker.standing().to_owned(),
            nthreads: worker.options.slots,
            executing,
            ready: assigned - executing,
            in_memory: told(status, "in_memory"),
            idle: assigned < threads,
            saturated: assigned > 2 * threads,
            memory_limit: worker.options.memory_limit,
            memory: Memory {
                process: told(status, "memory"),
                managed: told(status, "managed_bytes"),
                spilled: status.get("spilled_bytes").map_or(0, |spilled| told(spilled, "disk")),
            },
            transfers: transfers(status),
            cpu: measured(status, "cpu"),
            network: rates(status, "host_net_io"),
            disks: rates(status, "host_disk_io"),
            descriptors: told(status, "num_fds"),
            last_seen: worker.last_seen,
            resources: resources
                .map(|resource| (resource.name.to_string(), resource.thousandths as f64 / 1000.0))
                .collect::<BTreeMap<_, _>>(),
            local_directory: text("local_directory").unwrap_or_default(),
        })
    }

    /// Lets workers leave; those that begin to.
    pub(super) fn retire_for_page(&mut self, request: Retire) -> Vec<Worker> {
        let before: Vec<WorkerId> = self.leaving();
        let arguments = match request {
            Retire::Idle => Plain::Map(Vec::new()),
            Retire::Count(count) => Plain::map([("n", Plain::count(count))]),
            Retire::Workers(names) => {
                let names = names.iter().map(Plain::text).collect();
                Plain::map([("workers", Plain::List(names))])
            }
        };
        // The answer goes to nobody: it comes when the workers have gone.
        self.retire_workers(Asker { client: KEEPER, id: 0 }, &arguments);
        let mut begun = self.leaving();
        begun.retain(|id| !before.contains(id));
        begun.into_iter().filter_map(|id| self.shown(id)).collect()
    }

    fn leaving(&self) -> Vec<WorkerId> {
        let leaving = self.workers.iter().filter(|(_, worker)| worker.retiring);
        leaving.map(|(id, _)| *id).collect()
    }
}
