//! What clients ask of the scheduler by name, and what is under way for them.

use std::collections::BTreeMap;
use std::time::Instant;

use rustc_hash::FxHashMap;
use samite_scheduling::WorkerId;

use super::calls::Calls;
use super::coordination::{Asker, Coordination, Effects};
use super::core::Core;
use super::datasets::Datasets;
use super::history::History;
use super::hosting::Hosting;
use super::journaling::Journaling;
use super::members::{ClientId, Outgoing};
use super::memory::Manager;
use super::metadata::Metadata;
use super::moving::Moving;
use super::retiring::Retiring;
use super::topics::Topics;
use super::waiting::Waiting;
use crate::plain::{Fault, Plain};
use crate::protocol::{Key, ToClient, ToWorker};

/// Wants the results that queues, variables and data sets hold.
pub(super) const KEEPER: ClientId = ClientId(0);

/// What is kept for clients besides results, and what they wait for.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) coordination: Coordination,
    pub(super) datasets: Datasets,
    pub(super) metadata: Metadata,
    pub(super) topics: Topics,
    pub(super) calls: Calls,
    pub(super) retiring: Retiring,
    pub(super) moving: Moving,
    pub(super) history: History,
    pub(super) hosting: Hosting,
    pub(super) manager: Manager,
    pub(super) waiting: Waiting,
    /// How often results are held by queues, variables and data sets.
    held: FxHashMap<Key, u32>,
    /// Whether a client has asked the scheduler to end.
    pub(super) stopping: bool,
}

impl Pending {
    /// Tells a new worker what all workers were told.
    pub(super) fn greet(&mut self, out: &mut Outgoing<ToWorker>) {
        self.calls.greet(out);
    }

    /// Forgets what a client waits for, and frees what it held.
    pub(super) fn client_left(&mut self, client: ClientId) -> Effects {
        let mut effects = Effects::default();
        self.coordination.client_left(client, Instant::now(), &mut effects);
        effects
    }

    /// Whether a queue, a variable or a data set holds a result.
    pub(super) fn is_published(&self, key: &Key) -> bool {
        self.held.contains_key(key)
    }

    /// When [`Core::tick`] has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.coordination.next_deadline(),
            self.moving.next_deadline(),
            self.manager.next_deadline(),
            self.waiting.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }
}

impl Core {
    /// Carries a request out.
    pub(super) fn request(&mut self, client: ClientId, id: u64, name: &str, arguments: &Plain) {
        self.carry_out_request(client, id, name, arguments);
        if let Some(journaling) = &mut self.journaling {
            journaling.request_over();
        }
    }

    fn carry_out_request(&mut self, client: ClientId, id: u64, name: &str, arguments: &Plain) {
        let asker = Asker { client, id };
        let mut effects = Effects::default();
        let known =
            self.pending.coordination.request(Instant::now(), asker, name, arguments, &mut effects);
        if known {
            self.note_request(name, arguments);
        }
        self.apply(effects);
        if known {
            return;
        }
        let answer = match name {
            "scheduler_info" => Ok(self.scheduler_info()),
            "who_has" => Ok(self.who_has(arguments)),
            "has_what" => Ok(self.has_what(arguments)),
            "nthreads" => Ok(self.nthreads(arguments)),
            "nbytes" => Ok(self.nbytes(arguments)),
            "processing" => Ok(self.processing(arguments)),
            "story" => Ok(self.story(arguments)),
            "task_stream" => Ok(self.task_stream()),
            "runs" => Ok(self.runs(arguments)),
            "task_specs" => self.task_specs(arguments),
            "dump_state" => Ok(self.dump_state()),
            "counts" => Ok(self.counts()),
            "demand" => Ok(self.demand()),
            "versions" => Ok(Plain::Map(Vec::new())),
            "scheduler_logs" => Ok(self.pending.history.logs(arguments)),
            "publish" => self.publish(arguments),
            "unpublish" => self.unpublish(arguments),
            "list_datasets" => Ok(self.pending.datasets.list()),
            "get_dataset" => self.get_dataset(client, arguments),
            "get_metadata" => Ok(self.pending.metadata.get(arguments)),
            "set_metadata" => self.pending.metadata.set(arguments),
            "log_event" => self.log_client_event(arguments),
            "get_events" => Ok(self.pending.topics.events(arguments)),
            "subscribe" => self.subscribe(client, arguments, true),
            "unsubscribe" => self.subscribe(client, arguments, false),
            "amm" => return self.manage_memory(asker, arguments),
            "amm_manage" => Ok(self.manage_policies(client, arguments)),
            "amm_state" => Ok(self.memory_state()),
            "amm_enact" => Ok(self.enact(arguments)),
            "amm_done" => Ok(self.policies_ran(arguments)),
            "ends_with_scheduler" => Ok(self.ends_with_scheduler(client)),
            "host" => Ok(self.host(client)),
            "run_on_host" => return self.run_on_host(asker, arguments),
            "host_ran" => Ok(self.host_ran(client, arguments)),
            "run" => return self.run_function(asker, arguments),
            "register_plugin" => return self.register_plugin(asker, arguments),
            "unregister_plugin" => return self.unregister_plugin(asker, arguments),
            "retire_workers" => return self.retire_workers(asker, arguments),
            "restart" => Ok(self.restart()),
            "restart_workers" => Ok(self.restart_workers(arguments)),
            "replicate" => return self.replicate(asker, arguments),
            "rebalance" => return self.rebalance(asker, arguments),
            "shutdown" => {
                self.pending.stopping = true;
                Ok(Plain::None)
            }
            _ => Err(Fault::new(
                "NotImplementedError",
                format!(
                    "the scheduler knows no request {name:?}: is the client of another release?"
                ),
            )),
        };
        if answer.as_ref().is_ok_and(|answer| *answer != Plain::Bool(false)) {
            self.note_request(name, arguments);
        }
        self.reply(asker, answer);
    }

    /// Writes down what changes what is kept by name.
    pub(super) fn note_request(&mut self, name: &str, arguments: &Plain) {
        if let Some(journaling) = &mut self.journaling {
            journaling.requested(name, arguments);
        }
    }

    pub(super) fn reply(&mut self, asker: Asker, answer: Result<Plain, Fault>) {
        let message = ToClient::Reply { id: asker.id, answer };
        let message = match &mut self.journaling {
            Some(journaling) => journaling.keeps_back(asker.client, message),
            None => Some(message),
        };
        if let Some(message) = message {
            self.tell_client(asker.client, message);
        }
    }

    /// Does what follows from a change of what is shared by name.
    pub(super) fn apply(&mut self, effects: Effects) {
        let Effects { replies, kept, dropped, given } = effects;
        for key in kept {
            self.hold(&key);
        }
        for (client, key) in given {
            // The client is about to say so itself; until then the result must not be forgotten.
            if self.clients.contains_key(&client) {
                self.names.by_key.entry(key).or_default().want(client);
            }
        }
        for key in dropped {
            self.let_go(&key);
        }
        for (asker, answer) in replies {
            self.reply(asker, answer);
        }
    }

    /// Keeps a result, once more.
    pub(super) fn hold(&mut self, key: &Key) {
        *self.pending.held.entry(key.clone()).or_insert(0) += 1;
        self.names.by_key.entry(key.clone()).or_default().want(KEEPER);
    }

    /// Takes one [`hold`](Self::hold) back.
    pub(super) fn let_go(&mut self, key: &Key) {
        let Some(count) = self.pending.held.get_mut(key) else { return };
        *count -= 1;
        if *count == 0 {
            self.pending.held.remove(key);
            self.release(KEEPER, std::slice::from_ref(key));
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let mut effects = Effects::default();
        self.pending.coordination.tick(now, &mut effects);
        self.apply(effects);
        self.tick_absences(now);
        self.tick_manager(now);
        self.tick_waiting(now);
        self.retry_journal(now);
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let journal = self.journaling.as_ref().and_then(Journaling::next_deadline);
        [self.pending.next_deadline(), self.absence_deadline(), journal].into_iter().flatten().min()
    }

    /// The workers that a list names by name, address or host; all where there is no list.
    pub(super) fn chosen(&self, arguments: &Plain) -> Vec<WorkerId> {
        let named = [arguments.get("workers"), arguments.get("names")];
        let names: Vec<&str> = named.into_iter().flatten().flat_map(Plain::texts).collect();
        let all = arguments.get("workers").is_none() && arguments.get("names").is_none();
        self.workers
            .iter()
            .filter(|(_, worker)| all || names.iter().any(|name| worker.answers_to(name)))
            .map(|(id, _)| *id)
            .collect()
    }

    /// A map by workers' addresses.
    pub(super) fn by_worker(&self, values: BTreeMap<WorkerId, Plain>) -> Plain {
        let pairs = values.into_iter().filter_map(|(worker, value)| {
            Some((Plain::text(self.workers.get(&worker)?.address.to_string()), value))
        });
        Plain::Map(pairs.collect())
    }
}
