//! Members that come and go.

use std::sync::Arc;
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use samite_scheduling::{Event, TaskKey, WorkerId};

use super::ConnectionId;
use super::core::{Core, Member};
use super::journaling::Line;
use super::members::{Client, ClientId, Outgoing, Worker};
use super::memory::Observed;
use super::topics::wall_clock;
use crate::plain::Plain;
use crate::protocol::{Hello, ToClient, ToWorker};

impl Core {
    pub(super) fn hello(&mut self, id: ConnectionId, hello: Hello) {
        let Some(Member::Unknown { sender, local }) = self.members.remove(&id) else { return };
        match hello {
            Hello::Client { name, before } => {
                let mut out = Outgoing::new(sender, local);
                let client = match before.map(ClientId).filter(|before| self.may_return(*before)) {
                    Some(before) if self.was_known(before) => {
                        self.forget_connection(before);
                        before
                    }
                    Some(before) => {
                        self.client_came(before);
                        before
                    }
                    None => {
                        self.next_client += 1;
                        self.reserve();
                        let client = ClientId(self.next_client);
                        self.client_came(client);
                        client
                    }
                };
                out.push(ToClient::Welcome {
                    client: client.0,
                    scheduler: self.id.clone(),
                    about: self.about(),
                });
                let topics = self.clients.remove(&client).map(|client| client.topics);
                let topics = topics.unwrap_or_default();
                self.clients.insert(client, Client { name, out, topics, lasts: true });
                self.members.insert(id, Member::Client(client));
            }
            Hello::Worker { mut options, address, about } => {
                // It has lost its connection, which was not noticed here.
                if let Some((_, old)) = self.worker_at(&address) {
                    self.ended(old, true);
                }
                self.next_worker += 1;
                self.reserve();
                let worker = WorkerId(self.next_worker);
                options.address = Arc::from(address.to_string());
                if options.name.is_empty() {
                    options.name = options.address.clone();
                }
                let mut out = Outgoing::to_worker(sender, local, worker, &self.unsent);
                out.push(ToWorker::Welcome { worker, about: self.about() });
                self.pending.greet(&mut out);
                let member = Worker {
                    connection: id,
                    out,
                    options: options.clone(),
                    address,
                    about,
                    status: Plain::None,
                    observed: Observed::default(),
                    heard_at: Instant::now(),
                    last_seen: wall_clock(),
                    peers: FxHashSet::default(),
                    operations: FxHashMap::default(),
                    retiring: false,
                    leaving: false,
                    mean: 0.0,
                    capacity: options.capacity,
                };
                self.log("INFO", format!("worker {} joined", member.address));
                let known = member.address.clone();
                self.note(|| Line::WorkerCame { address: known });
                self.pending.history.totals.workers_added += 1;
                self.worker_at.insert(member.address.clone(), worker);
                self.workers.insert(worker, member);
                self.members.insert(id, Member::Worker(worker));
                let joined = options.address.to_string();
                self.tell(Event::WorkerJoined { worker, options });
                self.put_again();
                self.log_worker_event("add-worker", &joined, []);
            }
        }
    }

    /// What members are told of the scheduler.
    fn about(&self) -> Plain {
        let id = Plain::text(&self.id);
        Plain::map([("id", id), ("journal", Plain::Bool(self.journaling.is_some()))])
    }

    /// A client of the scheduler's own process will not come back after this one was killed: nobody
    /// waits for it then.
    pub(super) fn ends_with_scheduler(&mut self, client: ClientId) -> Plain {
        if let Some(known) = self.clients.get_mut(&client) {
            known.lasts = false;
        }
        self.note(|| Line::ClientWent { client: client.0 });
        Plain::None
    }

    fn client_came(&mut self, client: ClientId) {
        self.note(|| Line::ClientCame { client: client.0 });
        self.pending.history.totals.clients_added += 1;
    }

    /// Whether a client goes on under the number that it had. One that had just come when the
    /// scheduler was killed may not be in the journal, and then nothing that it did is: it has
    /// kept what it submitted, and says what it wants.
    fn may_return(&self, client: ClientId) -> bool {
        self.was_known(client) || self.may_have_come(client)
    }

    /// Whether there was a client of this number whose wants are still known.
    fn was_known(&self, client: ClientId) -> bool {
        self.clients.contains_key(&client)
            || self.absent.contains_key(&client)
            || self.is_former(client)
    }

    /// A client connects anew: its earlier connection, if it has one, means nothing any more.
    fn forget_connection(&mut self, client: ClientId) {
        self.absent.remove(&client);
        self.members.retain(|_, member| !matches!(member, Member::Client(one) if *one == client));
        if let Some(known) = self.clients.get(&client) {
            known.out.abort();
        }
    }

    /// A connection has ended, or is to end; in order, or since it was lost.
    pub(super) fn ended(&mut self, id: ConnectionId, lost: bool) {
        match self.members.remove(&id) {
            Some(Member::Unknown { sender, .. }) => sender.abort(),
            Some(Member::Client(client)) => self.client_left(client, lost),
            Some(Member::Worker(worker)) => self.worker_left(worker),
            None => {}
        }
    }

    fn client_left(&mut self, client: ClientId, lost: bool) {
        let Some(gone) = self.clients.remove(&client) else { return };
        gone.out.close();
        if lost && self.journaling.is_some() {
            self.client_absent(client);
        } else {
            self.client_gone(client);
        }
    }

    /// A client will not come back.
    pub(super) fn client_gone(&mut self, client: ClientId) {
        self.pending.history.totals.clients_removed += 1;
        self.note(|| Line::ClientWent { client: client.0 });
        self.policies_gone(client);
        self.host_gone(client);
        let effects = self.pending.client_left(client);
        self.apply(effects);
        self.release_all(client);
    }

    fn worker_left(&mut self, worker: WorkerId) {
        let Some(gone) = self.workers.remove(&worker) else { return };
        if self.worker_at.get(&gone.address) == Some(&worker) {
            self.worker_at.remove(&gone.address);
        }
        self.pending.history.totals.workers_removed += 1;
        gone.out.close();
        let how = if gone.leaving { "left" } else { "was lost" };
        self.log("INFO", format!("worker {} {how}", gone.address));
        if !gone.leaving {
            let lost: Vec<TaskKey> = self.machine.assigned(worker).map(|(task, _)| task).collect();
            for task in lost {
                if let Some(graph) = self.names.graphs.get_mut(&task.graph) {
                    let suspects = graph.rare_mut().suspects.entry(task.task).or_default();
                    suspects.push(gone.address.to_string());
                    let address = gone.address.to_string();
                    self.note(|| Line::Suspect { task, address });
                }
            }
        }
        let address = gone.address.clone();
        self.note(|| Line::WorkerWent { address });
        for other in self.workers.values_mut() {
            other.peers.remove(&worker);
        }
        self.call_answers_lost(worker, &gone);
        self.tell(Event::WorkerLost { worker });
        self.let_last_ones_go();
        self.put_elsewhere(worker);
        let expected = [("expected", Plain::Bool(gone.leaving))];
        self.log_worker_event("remove-worker", &gone.address.to_string(), expected);
        self.reported(&gone.address);
    }
}
