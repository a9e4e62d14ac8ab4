//! A scheduler that goes on where another one was killed, and clients whose connections broke.
//!
//! First it waits until the workers that there were have connected and told what they hold, or for
//! some seconds; what clients say meanwhile is handled afterwards. Then tasks run again. Results are
//! kept for clients that have not connected anew, for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::{Plan, TaskId};
use samite_scheduling::{Event, GraphId, Record, Scheduler, TaskKey, WorkerId};

use super::ConnectionId;
use super::core::Core;
use super::journaling::{Journaling, Line};
use super::members::ClientId;
use super::names::{GraphRecord, Standing};
use crate::encoded::Encoded;
use crate::plain::Plain;
use crate::protocol::{Erred, FromClient, Key, ToClient};
use crate::transport::Address;

/// Wants results for the clients that there were.
pub(super) const FORMER: ClientId = ClientId(u64::MAX);

/// How long clients are waited for, after a restart and after their connections were lost.
const CLIENTS: Duration = Duration::from_secs(60);

/// While workers are waited for.
pub(super) struct Restoring {
    expected: BTreeSet<Address>,
    until: Instant,
    /// What clients have said meanwhile.
    deferred: Vec<(ClientId, FromClient)>,
}

/// While clients are waited for.
pub(super) struct Former {
    clients: BTreeSet<ClientId>,
    /// Results that clients which are back had seen and that nobody knows: what made them may not
    /// have been written, and is said again by another client.
    doubtful: Vec<(ClientId, Key)>,
    until: Instant,
}

/// What the lines of a journal say.
#[derive(Default)]
struct Account {
    id: Option<String>,
    records: Vec<Record>,
    plans: FxHashMap<GraphId, Arc<Plan>>,
    graphs: BTreeMap<u32, Unplanned>,
    workers: BTreeSet<Address>,
    clients: BTreeSet<ClientId>,
    requests: Vec<(String, Plain)>,
    reserved: (u32, u32, u64),
}

/// What there is of a graph besides its plan.
#[derive(Default)]
struct Unplanned {
    operations: Vec<Encoded>,
    outputs: Vec<(TaskId, Key)>,
    keeps: Vec<Key>,
    holds: Vec<Key>,
    errors: FxHashMap<TaskId, Arc<Erred>>,
    suspects: FxHashMap<TaskId, Vec<String>>,
}

impl Account {
    fn add(&mut self, line: Line) {
        match line {
            Line::Identity { id } => self.id = Some(id),
            Line::Reserved { graphs, workers, clients } => {
                self.reserved = (graphs, workers, clients);
            }
            Line::Graph { graph, operations, outputs, keeps, holds } => {
                let made = Unplanned { operations, outputs, keeps, holds, ..Default::default() };
                self.graphs.insert(graph.0, made);
            }
            Line::Machine(record) => {
                match &record {
                    Record::Submitted(submission) => {
                        self.plans.insert(submission.graph, submission.plan.clone());
                    }
                    Record::Closed { graph } => {
                        self.plans.remove(graph);
                        self.graphs.remove(&graph.0);
                    }
                    _ => {}
                }
                self.records.push(record);
            }
            Line::Error { task, erred } => {
                if let Some(record) = self.graphs.get_mut(&task.graph.0) {
                    record.errors.insert(task.task, erred);
                }
            }
            Line::Suspect { task, address } => {
                if let Some(record) = self.graphs.get_mut(&task.graph.0) {
                    record.suspects.entry(task.task).or_default().push(address);
                }
            }
            Line::WorkerCame { address } => _ = self.workers.insert(address),
            Line::WorkerWent { address } => _ = self.workers.remove(&address),
            Line::ClientCame { client } => _ = self.clients.insert(ClientId(client)),
            Line::ClientWent { client } => _ = self.clients.remove(&ClientId(client)),
            Line::Request { name, arguments } => self.requests.push((name, arguments)),
        }
    }
}

impl Core {
    /// Takes over what another scheduler has written.
    pub(super) fn restore(&mut self, lines: Vec<Line>, journaling: &mut Journaling) {
        let mut account = Account::default();
        lines.into_iter().for_each(|line| account.add(line));
        let Account { id, records, plans, graphs, workers, clients, requests, reserved } = account;
        if let Some(id) = id {
            self.id = id;
        }
        (self.next_graph, self.next_worker, self.next_client) = reserved;
        self.inherited_clients = self.next_client;
        self.inherited = GraphId(self.next_graph);
        self.machine = Scheduler::replay(self.machine.options().clone(), records);
        let mut nameless = Vec::new();
        for (graph, found) in graphs {
            let graph = GraphId(graph);
            let Some(plan) = plans.get(&graph) else { continue };
            let mut record = GraphRecord::new(plan.clone(), found.operations);
            if !(found.errors.is_empty() && found.suspects.is_empty()) {
                let rare = record.rare_mut();
                (rare.errors, rare.suspects) = (found.errors, found.suspects);
            }
            self.names.keep(&mut record, found.keeps);
            record.hold(found.holds);
            for (task, key) in found.outputs {
                if !self.machine.is_wanted(TaskKey { graph, task }) {
                    nameless.push((key, TaskKey { graph, task }));
                    continue;
                }
                let name = self.names.by_key.entry(key.clone()).or_default();
                if name.task.is_none() {
                    name.task = Some(TaskKey { graph, task });
                    name.want(FORMER);
                    record.add_name(task, key);
                }
            }
            self.names.graphs.insert(graph, Box::new(record));
        }
        for (key, task) in nameless {
            self.names.leave(&key, task);
        }
        let records = self.names.graphs.values();
        let held = records.filter_map(|record| record.rare());
        let held: Vec<Key> = held.flat_map(|rare| rare.holds.iter().cloned()).collect();
        held.iter().for_each(|key| self.hold(key));
        let now = Instant::now();
        let described = format!(
            "goes on as {} with {} graphs and {} results; waits for {} workers and {} clients",
            self.id,
            self.names.graphs.len(),
            self.names.by_key.len(),
            workers.len(),
            clients.len()
        );
        self.former = Some(Former { clients, doubtful: Vec::new(), until: now + CLIENTS });
        self.restoring =
            Some(Restoring { expected: workers, until: now + self.patience, deferred: Vec::new() });
        for (name, arguments) in requests {
            journaling.requested(&name, &arguments);
            self.request(FORMER, 0, &name, &arguments);
        }
        self.log_loudly("INFO", described);
    }

    /// What was read is written anew: where nobody is waited for, tasks run.
    pub(super) fn restored(&mut self) {
        if self.restoring.as_ref().is_some_and(|restoring| restoring.expected.is_empty()) {
            self.end_restoring();
        }
    }

    /// Keeps what a client says for later, where workers are still waited for.
    pub(super) fn deferred(&mut self, client: ClientId, message: FromClient) -> Option<FromClient> {
        match &mut self.restoring {
            Some(restoring) => {
                restoring.deferred.push((client, message));
                None
            }
            None => Some(message),
        }
    }

    /// A worker has told all that it holds, or is gone.
    pub(super) fn reported(&mut self, address: &Address) {
        let Some(restoring) = &mut self.restoring else { return };
        restoring.expected.remove(address);
        if restoring.expected.is_empty() {
            self.end_restoring();
        }
    }

    /// Lets tasks run again.
    fn end_restoring(&mut self) {
        let Some(restoring) = self.restoring.take() else { return };
        self.tell(Event::RestoreEnded);
        let missing = restoring.expected.len();
        let counters = self.machine.counters();
        self.log_loudly(
            "INFO",
            format!(
                "tasks run again; {missing} workers are missing; {} values are computed again",
                counters.recomputed
            ),
        );
        for (client, message) in restoring.deferred {
            self.take_of_client(client, message);
        }
        self.forget_former(false);
    }

    /// A client has connected anew, and says what it wants.
    pub(super) fn attached(&mut self, client: ClientId, submitted: &[Key], others: &[Key]) {
        for key in submitted {
            if self.names.task(key).is_none() {
                let others = self
                    .former
                    .as_mut()
                    .filter(|former| former.clients.iter().any(|other| *other != client));
                match others {
                    Some(former) => former.doubtful.push((client, key.clone())),
                    None if self.names.by_key.contains_key(key) => {}
                    None => {
                        self.tell_lost(client, key.clone());
                        continue;
                    }
                }
            }
            self.retain(client, key);
        }
        for key in others {
            self.retain(client, key);
        }
        if let Some(former) = &mut self.former {
            former.clients.remove(&client);
            self.forget_former(false);
        }
    }

    fn tell_lost(&mut self, client: ClientId, key: Key) {
        let reason = String::from("lost with the scheduler, which was started anew");
        self.tell_client(client, ToClient::Cancelled { key, reason });
    }

    /// Whether a scheduler before this one may have given a client this number, and clients of its
    /// are still taken.
    pub(super) fn may_have_come(&self, client: ClientId) -> bool {
        (1..=self.inherited_clients).contains(&client.0) && self.started.elapsed() < CLIENTS
    }

    /// Whether a client is waited for since the scheduler was started anew.
    pub(super) fn is_former(&self, client: ClientId) -> bool {
        self.former.as_ref().is_some_and(|former| former.clients.contains(&client))
    }

    /// Drops what only clients want that did not come back: all of them have, or it is late.
    fn forget_former(&mut self, late: bool) {
        if self.restoring.is_some() {
            return;
        }
        let Some(former) = self.former.take_if(|former| late || former.clients.is_empty()) else {
            return;
        };
        let missing = former.clients.len();
        if missing > 0 {
            self.log("WARNING", format!("{missing} clients did not come back"));
            for client in former.clients {
                self.note(|| Line::ClientWent { client: client.0 });
            }
        }
        for (client, key) in former.doubtful {
            let name = self.names.by_key.get(&key);
            if name.is_some_and(|name| name.task.is_none() && name.wanted_by.contains(client)) {
                self.release(client, std::slice::from_ref(&key));
                self.tell_lost(client, key);
            }
        }
        self.release_all(FORMER);
        let puts: FxHashSet<TaskKey> = self.pending.moving.putting().collect();
        for task in self.machine.awaited() {
            if !puts.contains(&task) {
                self.tell(Event::DataLost { task });
            }
        }
    }

    /// The workers and clients that are waited for.
    pub(super) fn missing_members(&self) -> Vec<Line> {
        let restoring = self.restoring.iter().flat_map(|restoring| &restoring.expected);
        let workers = restoring.map(|address| Line::WorkerCame { address: address.clone() });
        let former = self.former.iter().flat_map(|former| &former.clients);
        let clients = former.chain(self.absent.keys());
        workers.chain(clients.map(|client| Line::ClientCame { client: client.0 })).collect()
    }

    /// A client's connection broke: what it wants is kept for a while.
    pub(super) fn client_absent(&mut self, client: ClientId) {
        let until = Instant::now() + CLIENTS;
        self.absent.insert(client, until);
    }

    pub(super) fn absence_deadline(&self) -> Option<Instant> {
        let restoring = self.restoring.as_ref().map(|restoring| restoring.until);
        let former = self.former.as_ref().map(|former| former.until);
        let absent = self.absent.values().copied();
        restoring.into_iter().chain(former).chain(absent).min()
    }

    /// Does what is due.
    pub(super) fn tick_absences(&mut self, now: Instant) {
        if self.restoring.as_ref().is_some_and(|restoring| restoring.until <= now) {
            self.end_restoring();
        }
        if self.former.as_ref().is_some_and(|former| former.until <= now) {
            self.forget_former(true);
        }
        let late = self.absent.iter().filter(|(_, until)| **until <= now);
        let late: Vec<ClientId> = late.map(|(client, _)| *client).collect();
        for client in late {
            self.absent.remove(&client);
            self.client_gone(client);
        }
    }

    /// Takes all wants of a client back.
    pub(super) fn release_all(&mut self, client: ClientId) {
        let mut wanted: Vec<Key> = self
            .names
            .by_key
            .iter()
            .filter(|(_, name)| name.wanted_by.contains(client))
            .map(|(key, _)| key.clone())
            .collect();
        wanted.sort_unstable();
        self.release(client, &wanted);
    }

    /// The worker that is known at an address, and its connection.
    pub(super) fn worker_at(&self, address: &Address) -> Option<(WorkerId, ConnectionId)> {
        let id = *self.worker_at.get(address)?;
        Some((id, self.workers.get(&id)?.connection))
    }

    /// Forgets a name whose data was lost, so that a client can bring it again.
    pub(super) fn forget_lost_data(&mut self, key: &Key) {
        let Some(name) = self.names.by_key.get_mut(key) else { return };
        let lost = matches!(
            &name.standing,
            Standing::Erred(failed) if matches!(*failed.erred, Erred::DataLost)
        );
        if !lost {
            return;
        }
        name.standing = Standing::Pending;
        let Some(task) = name.task.take() else { return };
        let last = self
            .names
            .graphs
            .get_mut(&task.graph)
            .is_none_or(|record| record.remove_name(task.task, key));
        if last {
            let tasks = Box::new([task.task]);
            self.tell(Event::OutputsReleased { graph: task.graph, tasks });
        }
    }
}
