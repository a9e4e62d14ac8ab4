//! The state of a scheduler, and how messages change it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use samite_graph::{TaskId, Work};
use samite_scheduling::{
    Action, Event, FailureCause, GraphId, Import, Record, Scheduler, TaskKey, TaskOptions,
    TaskState, Time, WorkerId,
};

use super::coordination::Asker;
use super::journaling::{Journaling, Line};
use super::members::{Client, ClientId, Sent, Unsent, Worker};
use super::names::{Failed, GraphRecord, Names, Standing};
use super::requests::Pending;
use super::restoring::{Former, Restoring};
use super::topics::wall_clock;
use super::{ConnectionId, Patiences, ToScheduler};
use crate::encoded::Encoded;
use crate::protocol::{
    Carried, Erred, FromClient, FromWorker, Key, Location, Ready, RunWork, Submission, ToClient,
    ToWorker, erred,
};
use crate::transport::{Address, Sender};

/// Who a connection belongs to.
pub(super) enum Member {
    Unknown { sender: Sender, local: bool },
    Client(ClientId),
    Worker(WorkerId),
}

/// A graph that stands for results that nobody knows.
const NO_GRAPH: GraphId = GraphId(u32::MAX);

pub(super) struct Core {
    pub(super) id: String,
    pub(super) addresses: Vec<Address>,
    pub(super) machine: Scheduler,
    /// The port at which pages are served.
    pub(super) dashboard: Option<u16>,
    actions: Vec<Action>,
    pub(super) started: Instant,
    pub(super) members: FxHashMap<ConnectionId, Member>,
    pub(super) clients: BTreeMap<ClientId, Client>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) worker_at: FxHashMap<Address, WorkerId>,
    pub(super) unsent: Unsent,
    pub(super) names: Names,
    /// Small values on their way from the worker that made them to the clients that want them.
    values: FxHashMap<TaskKey, Carried>,
    pub(super) pending: Pending,
    pub(super) next_client: u64,
    pub(super) next_worker: u32,
    pub(super) next_graph: u32,
    /// Graphs up to this number may be known to workers by a scheduler before this one.
    pub(super) inherited: GraphId,
    /// Clients up to this number may have been given it by a scheduler before this one.
    pub(super) inherited_clients: u64,
    inputs: Vec<TaskKey>,
    /// The options of all graphs without any.
    no_options: Arc<[TaskOptions]>,
    pub(super) journaling: Option<Journaling>,
    pub(super) restoring: Option<Restoring>,
    /// How long workers are waited for after a restart.
    pub(super) patience: Duration,
    pub(super) former: Option<Former>,
    /// Clients whose connections broke, and until when they are waited for.
    pub(super) absent: BTreeMap<ClientId, Instant>,
}

impl Core {
    pub(super) fn new(
        id: String,
        addresses: Vec<Address>,
        options: samite_scheduling::Options,
    ) -> Self {
        let mut pending = Pending::default();
        pending.coordination.lease = Patiences::default().lease;
        Self {
            id,
            dashboard: None,
            addresses,
            // How far sources may run ahead is decided by what the tasks of a worker take.
            machine: Scheduler::new(samite_scheduling::Options { saturation: None, ..options }),
            actions: Vec::new(),
            started: Instant::now(),
            members: FxHashMap::default(),
            clients: BTreeMap::new(),
            workers: BTreeMap::new(),
            worker_at: FxHashMap::default(),
            unsent: Unsent::default(),
            names: Names::default(),
            values: FxHashMap::default(),
            pending,
            next_client: 0,
            next_worker: 0,
            next_graph: 0,
            inherited: GraphId(0),
            inherited_clients: 0,
            inputs: Vec::new(),
            no_options: Arc::from([]),
            journaling: None,
            restoring: None,
            patience: Duration::ZERO,
            former: None,
            absent: BTreeMap::new(),
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Tells the machine, and does what it answers.
    pub(super) fn tell(&mut self, event: Event) {
        let now = self.now();
        let mut actions = std::mem::take(&mut self.actions);
        self.machine.handle(now, event, &mut actions);
        self.carry_out(&mut actions);
        self.actions = actions;
        // Only now, so that the journal has what follows from an event after the event itself.
        while let Some(key) = self.names.loose.pop() {
            self.let_go(&key);
        }
    }

    pub(super) fn connected(&mut self, id: ConnectionId, sender: Sender, local: bool) {
        self.members.insert(id, Member::Unknown { sender, local });
    }

    pub(super) fn messages(&mut self, id: ConnectionId, messages: Vec<ToScheduler>) {
        for message in messages {
            match (self.members.get(&id), message) {
                (None, _) => return,
                (Some(Member::Unknown { .. }), ToScheduler::Client(FromClient::Hello(hello)))
                | (Some(Member::Unknown { .. }), ToScheduler::Worker(FromWorker::Hello(hello))) => {
                    self.hello(id, hello);
                }
                (Some(Member::Client(client)), ToScheduler::Client(message)) => {
                    self.take_of_client(*client, message);
                }
                (Some(Member::Worker(worker)), ToScheduler::Worker(message)) => {
                    self.take_of_worker(*worker, message);
                }
                // A member that does not keep to its part.
                _ => {
                    self.ended(id, false);
                    return;
                }
            }
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(journaling) = &mut self.journaling {
            journaling.clear();
        }
        for worker in self.workers.values_mut() {
            worker.out.push(ToWorker::Close { reason: "the scheduler closes".to_owned() });
            worker.out.flush();
            worker.out.close();
        }
        for client in self.clients.values_mut() {
            client.out.flush();
            client.out.close();
        }
    }

    /// Breaks all connections.
    pub(super) fn abort(&mut self) {
        self.workers.values().for_each(|worker| worker.out.abort());
        self.clients.values().for_each(|client| client.out.abort());
    }

    /// Places what is ready and sends what waits.
    pub(super) fn finish_batch(&mut self) {
        // What was placed on a worker that is gone goes to others at once.
        while !self.place_and_send() {}
        self.write_journal();
        for client in self.clients.values_mut() {
            if !client.out.flush() {
                // Its reader tells of the end.
                client.out.abort();
            }
        }
    }

    /// False where a worker could not be reached, and was given up.
    fn place_and_send(&mut self) -> bool {
        let now = self.now();
        let mut actions = std::mem::take(&mut self.actions);
        self.machine.place(now, &mut actions);
        self.carry_out(&mut actions);
        self.actions = actions;
        self.values.clear();
        self.answer_moves();
        // What others are told of must be on its way to the disk before.
        self.write_journal();
        let mut unreachable = self.unsent.take();
        unreachable.retain(|id| self.workers.get_mut(id).is_some_and(|one| !one.out.flush()));
        let all = unreachable.is_empty();
        for id in unreachable {
            if let Some(worker) = self.workers.get(&id) {
                worker.out.abort();
                let connection = worker.connection;
                self.ended(connection, true);
            }
        }
        all
    }

    pub(super) fn take_of_client(&mut self, client: ClientId, message: FromClient) {
        let Some(message) = self.deferred(client, message) else { return };
        match message {
            FromClient::Hello(_) => {}
            FromClient::Keep { number, message } => {
                match *message {
                    FromClient::Keep { .. } | FromClient::Attached { .. } => {}
                    message => self.take_of_client(client, message),
                }
                if let Some(journaling) = &mut self.journaling {
                    journaling.handled(client, number);
                }
            }
            FromClient::Attached { submitted, others } => {
                self.attached(client, &submitted, &others);
            }
            FromClient::Submit(submission) => self.submit(client, *submission),
            FromClient::Retain(keys) => {
                for key in keys {
                    self.retain(client, &key);
                }
            }
            FromClient::Release(keys) => self.release(client, &keys),
            FromClient::Cancel { keys, reason, force: true } => self.cancel(&keys, &reason),
            FromClient::Cancel { keys, reason, force: false } => {
                self.cancel_for(client, keys, &reason);
            }
            FromClient::Retry(keys) => self.retry(&keys),
            FromClient::Locate { id, keys } => {
                let places: Vec<_> = keys.iter().map(|key| self.locate(key)).collect();
                for (key, _) in keys.iter().zip(&places).filter(|(_, place)| place.is_none()) {
                    self.tell_absence(client, key);
                }
                self.tell_client(client, ToClient::Located { id, places });
            }
            FromClient::Fetch { id, keys } => self.relay(client, id, &keys),
            FromClient::Missing { task, holder } => self.missing(task, &holder),
            FromClient::Scatter { id, keys, values, sizes, workers, copies, holds } => {
                let values = keys.into_iter().zip(values).zip(sizes);
                let values = values.map(|((key, value), bytes)| (key, value, bytes)).collect();
                self.scatter(Asker { client, id }, values, &workers, copies, holds);
            }
            FromClient::Request { id, name, arguments } => {
                self.request(client, id, &name, &arguments);
            }
        }
    }

    pub(super) fn tell_client(&mut self, client: ClientId, message: ToClient) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.out.push(message);
        }
    }

    pub(super) fn tell_standing(&mut self, client: ClientId, key: &Key) {
        let Some(name) = self.names.by_key.get(key) else { return };
        let message = match &name.standing {
            Standing::Pending => return,
            Standing::Ready { bytes } => {
                ToClient::Ready(Ready { key: key.clone(), bytes: *bytes, value: None })
            }
            Standing::Erred(failed) => {
                let Failed { origin, erred } = (**failed).clone();
                ToClient::Erred { key: key.clone(), origin, erred }
            }
        };
        self.tell_client(client, message);
    }

    /// Tells a client that thinks a result exists what has become of it.
    fn tell_absence(&mut self, client: ClientId, key: &Key) {
        let message = match self.names.by_key.get(key).map(|name| &name.standing) {
            None => ToClient::Cancelled { key: key.clone(), reason: String::from("lost") },
            Some(Standing::Erred(_)) => return self.tell_standing(client, key),
            // It is computed anew, and told of again.
            Some(Standing::Pending | Standing::Ready { .. }) => {
                ToClient::Pending { key: key.clone() }
            }
        };
        self.tell_client(client, message);
    }

    pub(super) fn next_graph(&mut self) -> GraphId {
        self.next_graph += 1;
        self.reserve();
        GraphId(self.next_graph)
    }

    /// Takes a graph. `data` are tasks whose values clients bring, and `holds` the results that these
    /// values name, which are kept as long as the graph is.
    pub(super) fn submit_graph(
        &mut self,
        client: ClientId,
        submission: Submission,
        data: Box<[TaskId]>,
        holds: Vec<Key>,
    ) -> GraphId {
        let graph = self.next_graph();
        let Submission { plan, operations, outputs, imports, annotations, together } = submission;
        let plan = Arc::new(plan);
        // Only where futures came inside of pickled objects can a task ask for them by name.
        let keeps: Vec<Key> = if annotations.iter().any(|options| options.kept > 0) {
            imports.iter().map(|(_, key)| key.clone()).collect()
        } else {
            Vec::new()
        };
        let imports = imports
            .into_iter()
            .map(|(task, key)| {
                let nobody = TaskKey { graph: NO_GRAPH, task: TaskId(0) };
                Import { task, origin: self.names.task(&key).unwrap_or(nobody) }
            })
            .collect();
        // Options that say nothing need no rows, and tasks without any are placed faster.
        let plain = annotations.iter().all(|options| *options == TaskOptions::default());
        let annotations = if plain { self.no_options.clone() } else { annotations.into() };
        let operations = operations.into_iter().map(|operation| operation.payload).collect();
        let mut record = GraphRecord::new(plan.clone(), operations);
        self.names.keep(&mut record, keeps);
        holds.iter().for_each(|key| self.hold(key));
        record.hold(holds);
        let mut known = Vec::new();
        let mut released = Vec::new();
        let mut named: Vec<(TaskId, Key)> = plan.outputs().iter().copied().zip(outputs).collect();
        named.sort_by_key(|(task, _)| *task);
        record.outputs.reserve(named.len());
        for (task, key) in named {
            let name = self.names.by_key.entry(key.clone()).or_default();
            name.want(client);
            if name.task.is_some() {
                // It exists already, and is not computed twice.
                known.push(key);
                released.push(task);
            } else {
                name.task = Some(TaskKey { graph, task });
                record.add_name(task, key);
            }
        }
        released.retain(|task| !record.outputs.contains(*task));
        if let Some(journaling) = &mut self.journaling {
            journaling.push(record.line(graph, Vec::new()));
        }
        self.names.graphs.insert(graph, Box::new(record));
        let submission = samite_scheduling::Submission {
            graph,
            plan,
            annotations,
            imports,
            data,
            independent: true,
            together,
        };
        self.tell(Event::GraphSubmitted(Box::new(submission)));
        if !released.is_empty() {
            self.tell(Event::OutputsReleased { graph, tasks: released.into() });
        }
        for key in known {
            self.tell_standing(client, &key);
        }
        graph
    }

    fn submit(&mut self, client: ClientId, submission: Submission) {
        let wrong = submission.plan.outputs().len() != submission.outputs.len();
        let tasks = submission.plan.len();
        let wrong = wrong || submission.imports.iter().any(|(task, _)| task.index() >= tasks);
        if wrong {
            let erred = Arc::new(Erred::Raised {
                text: "the graph and the names of its results do not fit".to_owned(),
                error: Encoded::default(),
            });
            for key in submission.outputs {
                let (origin, erred) = (key.to_string(), erred.clone());
                self.tell_client(client, ToClient::Erred { key, origin, erred });
            }
            return;
        }
        self.submit_graph(client, submission, Box::default(), Vec::new());
    }

    /// A client wants a result, which may have a task already or only a name so far.
    pub(super) fn retain(&mut self, client: ClientId, key: &Key) {
        self.names.by_key.entry(key.clone()).or_default().want(client);
        self.tell_standing(client, key);
        if let Some(TaskKey { graph, task }) = self.names.revive(key) {
            self.tell(Event::OutputsWanted { graph, tasks: Box::new([task]) });
        }
    }

    pub(super) fn release(&mut self, client: ClientId, keys: &[Key]) {
        let mut released: BTreeMap<u32, Vec<TaskId>> = BTreeMap::new();
        for key in keys {
            let Some(name) = self.names.by_key.get_mut(key) else { continue };
            name.wanted_by.remove(client);
            if !name.wanted_by.is_empty() || self.pending.is_published(key) {
                continue;
            }
            if let Some(name) = self.names.by_key.remove(key)
                && let Some(task) = name.task
            {
                self.names.leave(key, task);
                let record = self.names.graphs.get_mut(&task.graph);
                if record.is_none_or(|record| record.remove_name(task.task, key)) {
                    released.entry(task.graph.0).or_default().push(task.task);
                }
            }
        }
        for (graph, tasks) in released {
            self.tell(Event::OutputsReleased { graph: GraphId(graph), tasks: tasks.into() });
        }
    }

    /// Cancels what nobody else wants; of the rest, only this client is told that it is.
    fn cancel_for(&mut self, client: ClientId, keys: Vec<Key>, reason: &str) {
        let shared = |key: &Key| {
            let wanted = self.names.by_key.get(key).map(|name| name.wanted_by.as_slice());
            wanted.unwrap_or_default().iter().any(|other| *other != client)
                || self.pending.is_published(key)
        };
        let (shared, own): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(shared);
        self.cancel(&own, reason);
        self.release(client, &shared);
        for key in shared {
            self.tell_client(client, ToClient::Cancelled { key, reason: reason.to_owned() });
        }
    }

    pub(super) fn cancel(&mut self, keys: &[Key], reason: &str) {
        let mut tasks = Vec::new();
        for key in keys {
            let Some(name) = self.names.by_key.remove(key) else { continue };
            for &client in name.wanted_by.as_slice() {
                let (key, reason) = (key.clone(), reason.to_owned());
                self.tell_client(client, ToClient::Cancelled { key, reason });
            }
            if let Some(task) = name.task {
                if let Some(record) = self.names.graphs.get_mut(&task.graph) {
                    record.remove_name(task.task, key);
                }
                tasks.push(task);
            }
        }
        if tasks.is_empty() {
            return;
        }
        self.tell(Event::TasksCancelled { tasks: tasks.clone().into() });
        for task in tasks {
            self.tell(Event::OutputsReleased { graph: task.graph, tasks: Box::new([task.task]) });
        }
    }

    fn retry(&mut self, keys: &[Key]) {
        let mut tasks = Vec::new();
        for key in keys {
            let Some(name) = self.names.by_key.get_mut(key) else { continue };
            let (Some(task), Standing::Erred(_)) = (name.task, &name.standing) else {
                continue;
            };
            name.standing = Standing::Pending;
            tasks.push(task);
            for &client in name.wanted_by.clone().as_slice() {
                self.tell_client(client, ToClient::Pending { key: key.clone() });
            }
        }
        if !tasks.is_empty() {
            self.tell(Event::Retry { tasks: tasks.into() });
        }
    }

    pub(super) fn holders(&self, task: TaskKey) -> Vec<WorkerId> {
        self.machine.holders(task)
    }

    fn locate(&self, key: &Key) -> Option<Location> {
        let task = self.names.by_key.get(key)?.task?;
        let holders: Vec<Address> = self
            .holders(task)
            .iter()
            .filter_map(|worker| Some(self.workers.get(worker)?.address.clone()))
            .collect();
        let task = self.machine.origin(task).unwrap_or(task);
        (!holders.is_empty()).then_some(Location { task, holders })
    }

    /// The state of a named result, in Dask's words.
    pub(super) fn state_of(&self, key: &Key) -> Option<TaskState> {
        self.machine.state(self.names.by_key.get(key)?.task?)
    }

    fn take_of_worker(&mut self, worker: WorkerId, message: FromWorker) {
        match message {
            FromWorker::Hello(_) => {}
            FromWorker::Report(event) => self.report(worker, event),
            FromWorker::Finished { event, value } => {
                if let (Event::TaskFinished { task, .. }, Some(value)) = (&event, value) {
                    self.values.insert(*task, value);
                }
                self.report(worker, event);
            }
            FromWorker::Failed { event, text, error } => {
                if let Event::TaskFailed { task, .. } = &event
                    && let Some(record) = self.names.graphs.get_mut(&task.graph)
                {
                    let erred = Arc::new(Erred::Raised { text, error });
                    record.rare_mut().errors.insert(task.task, erred);
                }
                self.report(worker, event);
            }
            FromWorker::Values { id, values } => self.relayed(worker, id, values),
            FromWorker::Called { id, answer } => self.called(worker, id, answer),
            FromWorker::Status { status } => {
                let recent = self.pending.manager.options.recent;
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.heard(status, wall_clock(), recent);
                }
            }
            FromWorker::Event { topic, event } => self.log_event(&topic, event),
            FromWorker::Reported => {
                if let Some(address) = self.workers.get(&worker).map(|one| one.address.clone()) {
                    self.reported(&address);
                }
            }
            FromWorker::Leaving => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.leaving = true;
                }
            }
        }
    }

    /// Passes on what a worker says of itself; what it says of others is dropped.
    fn report(&mut self, from: WorkerId, event: Event) {
        let of = match &event {
            Event::TaskFinished { worker, .. }
            | Event::TaskFailed { worker, .. }
            | Event::TaskRescheduled { worker, .. }
            | Event::FetchFailed { worker, .. }
            | Event::ReplicaAdded { worker, .. }
            | Event::ReplicaLost { worker, .. }
            | Event::StealAnswered { worker, .. }
            | Event::CapacityChanged { worker, .. }
            | Event::SlotsChanged { worker, .. }
            | Event::RunContinues { worker, .. }
            | Event::MemoryChanged { worker, .. } => *worker,
            _ => return,
        };
        if of != from {
            return;
        }
        match &event {
            Event::TaskFinished { task, bytes, duration, .. } => {
                let (task, bytes, duration) = (*task, *bytes, *duration);
                self.note_run(from, task, Some(bytes), duration, wall_clock());
                let changed = self.workers.get_mut(&from).and_then(|worker| worker.ran(duration));
                if let Some(capacity) = changed {
                    self.tell(Event::CapacityChanged { worker: from, capacity });
                }
            }
            Event::TaskFailed { task, .. } => self.note_run(from, *task, None, 0, wall_clock()),
            Event::ReplicaAdded { task, .. } => self.put_arrived(from, *task),
            _ => {}
        }
        self.tell(event);
    }

    fn tell_worker(&mut self, worker: WorkerId, message: ToWorker) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.out.push(message);
        }
    }

    fn carry_out(&mut self, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Run { worker, task, attempt, priority, sources } => {
                    self.run(worker, task, attempt, priority, sources);
                }
                Action::Free { worker, task } => self.tell_worker(worker, ToWorker::Free { task }),
                Action::Cancel { worker, task, attempt } => {
                    self.tell_worker(worker, ToWorker::Cancel { task, attempt });
                }
                Action::Steal { worker, task, attempt } => {
                    self.tell_worker(worker, ToWorker::Steal { task, attempt });
                }
                Action::Replicate { worker, task, source } => {
                    self.introduce(worker, source);
                    self.tell_worker(worker, ToWorker::Replicate { task, source });
                }
                Action::OutputReady { task, .. } => self.output_ready(task),
                Action::OutputErred { task, origin, cause } => {
                    self.output_erred(task, origin, cause);
                }
                Action::GraphForgotten { graph } => self.forget(graph),
                Action::WorkerRetired { worker } => self.worker_retired(worker),
                Action::Journal(record) => self.write_down(record),
                Action::GraphDone { .. }
                | Action::GraphFailed { .. }
                | Action::OutputUnknown { .. } => {}
            }
        }
    }

    fn write_down(&mut self, record: Record) {
        if let Record::Failed { task, cause: FailureCause::Error } = &record
            && let Some(graph) = self.names.graphs.get(&task.graph)
            && let Some(erred) = graph.error(task.task).cloned()
        {
            let task = *task;
            self.note(|| Line::Error { task, erred });
        }
        self.note(|| Line::Machine(record));
    }

    /// Tells a worker where another one is.
    fn introduce(&mut self, to: WorkerId, of: WorkerId) {
        let Some(address) = self.workers.get(&of).map(|worker| worker.address.clone()) else {
            return;
        };
        if let Some(worker) = self.workers.get_mut(&to)
            && worker.peers.insert(of)
        {
            worker.out.push(ToWorker::Peer { worker: of, address });
        }
    }

    fn run(
        &mut self,
        worker: WorkerId,
        task: TaskKey,
        attempt: samite_scheduling::Attempt,
        priority: samite_scheduling::Priority,
        sources: Box<[samite_scheduling::Source]>,
    ) {
        for source in &sources {
            self.introduce(worker, source.worker);
        }
        let (Some(record), Some(to)) =
            (self.names.graphs.get_mut(&task.graph), self.workers.get_mut(&worker))
        else {
            return;
        };
        let sent = to.operations.entry(task.graph).or_insert_with(|| {
            record.told.push(worker);
            Sent::default()
        });
        let out = &mut to.out;
        record.operations_of(task.task, &mut |operation| {
            if sent.insert(operation) {
                let payload = record.operations.get(operation.index()).cloned();
                out.push(ToWorker::Operation {
                    graph: task.graph,
                    operation,
                    payload: payload.unwrap_or_default(),
                });
            }
        });
        let work = match record.plan.work(task.task) {
            Work::Single { operation, index } => RunWork::Single(operation, index),
            Work::Fused(steps) => RunWork::Fused(steps.iter().map(Into::into).collect()),
        };
        self.inputs.clear();
        self.machine.inputs(task, &mut self.inputs);
        let inputs = self.inputs.as_slice().into();
        let wanted = record.outputs.contains(task.task);
        let part = self.machine.part(task);
        out.push(ToWorker::Run { task, attempt, priority, work, inputs, sources, wanted, part });
    }

    fn output_ready(&mut self, task: TaskKey) {
        let Some(key) = self.names.of_task(task).cloned() else { return };
        let bytes = self.machine.bytes(task).unwrap_or(0);
        let value = self.values.get(&task).cloned();
        for key in self.names.more_of_task(task) {
            self.tell_ready(&key, bytes, value.as_ref());
        }
        self.tell_ready(&key, bytes, value.as_ref());
    }

    fn tell_ready(&mut self, key: &Key, bytes: u64, value: Option<&Carried>) {
        let Some(name) = self.names.by_key.get_mut(key) else { return };
        name.standing = Standing::Ready { bytes };
        for client in name.wanted_by.as_slice() {
            if let Some(client) = self.clients.get_mut(client) {
                let local = client.out.is_local();
                let value = value.filter(|value| local || matches!(value, Carried::Encoded(_)));
                let value = value.cloned();
                client.out.push(ToClient::Ready(Ready { key: key.clone(), bytes, value }));
            }
        }
    }

    fn output_erred(&mut self, task: TaskKey, origin: TaskKey, cause: FailureCause) {
        let record = self.names.graphs.get(&origin.graph);
        let raised = record.and_then(|record| record.error(origin.task)).cloned();
        let raised = raised.filter(|_| cause == FailureCause::Error);
        let suspects = record.and_then(|record| record.rare()?.suspects.get(&origin.task));
        let found = raised.unwrap_or_else(|| {
            let patience = self.pending.waiting.no_workers().unwrap_or_default();
            Arc::new(erred(cause, suspects.map(Vec::as_slice).unwrap_or_default(), patience))
        });
        let origin = record.map_or_else(String::new, |record| record.name_of(origin.task));
        let first = self.names.of_task(task).cloned();
        for key in first.into_iter().chain(self.names.more_of_task(task)) {
            let Some(name) = self.names.by_key.get_mut(&key) else { continue };
            let failed = Failed { origin: origin.clone(), erred: found.clone() };
            name.standing = Standing::Erred(Box::new(failed));
            for &client in name.wanted_by.clone().as_slice() {
                let (key, origin, erred) = (key.clone(), origin.clone(), found.clone());
                self.tell_client(client, ToClient::Erred { key, origin, erred });
            }
        }
    }

    fn forget(&mut self, graph: GraphId) {
        let told = self.names.forget(graph);
        if graph.0 <= self.inherited.0 {
            // What a scheduler before this one sent is not known.
            for worker in self.workers.values_mut() {
                worker.operations.remove(&graph);
                worker.out.push(ToWorker::Forget { graph });
            }
            return;
        }
        for worker in told {
            if let Some(worker) = self.workers.get_mut(&worker)
                && worker.operations.remove(&graph).is_some()
            {
                worker.out.push(ToWorker::Forget { graph });
            }
        }
    }
}
