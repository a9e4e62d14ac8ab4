//! A scheduler with very many workers, which are connections that speak the protocol in bytes and
//! answer at once: `SAMITE_GROWTH_WORKERS` of them, by default 300. Prints what the scheduler's
//! thread takes for each task and what the process's memory grows by.

use std::sync::mpsc::{Receiver, Sender as Answers, channel};
use std::time::{Duration, Instant};

use samite_graph::{OperationId, PlanBuilder, TaskId};
use samite_scheduling::{Event, Options, WorkerId, WorkerOptions};

use super::core::Core;
use super::{ConnectionId, ToScheduler};
use crate::encoded::{self, Encoded};
use crate::plain::Plain;
use crate::protocol::{
    Carried, FromClient, FromWorker, Hello, Key, Operation, Submission, ToClient, ToWorker,
};
use crate::security::Security;
use crate::threads::runtime;
use crate::transport::{Address, ConnectOptions, Limits, Listener, Parcel, Receiver as Incoming};
use crate::transport::{Sender, connect};

/// So many parcels are handled before tasks are placed, at the most.
const BATCH: usize = 256;
/// So many calls share an operation, as a client's do.
const CALLS: u32 = 256;
const PATIENCE: Duration = Duration::from_secs(120);

/// What a member tells the scheduler, in bytes.
struct Told {
    from: ConnectionId,
    parcel: Parcel,
}

fn told<M: serde::Serialize>(from: ConnectionId, messages: &[M]) -> Told {
    Told { from, parcel: encoded::write(messages).unwrap() }
}

/// What a worker answers to messages.
fn answers(me: &mut WorkerId, messages: Vec<ToWorker>) -> Vec<ToScheduler> {
    let mut said = Vec::new();
    for message in messages {
        match message {
            ToWorker::Welcome { worker, .. } => *me = worker,
            ToWorker::Run { task, attempt, sources, wanted, .. } => {
                for source in sources {
                    let (worker, task, bytes) = (*me, source.input, 28);
                    said.push(FromWorker::Report(Event::ReplicaAdded { worker, task, bytes }));
                }
                let (bytes, duration) = (28, 1_000_000);
                let event = Event::TaskFinished { worker: *me, task, attempt, bytes, duration };
                let value = Encoded { kind: 0, frames: vec![vec![1; 28].into()] };
                let value = wanted.then_some(Carried::Encoded(value));
                said.push(FromWorker::Finished { event, value });
            }
            ToWorker::Steal { task, attempt } => {
                let (worker, given) = (*me, false);
                said.push(FromWorker::Report(Event::StealAnswered {
                    worker,
                    task,
                    attempt,
                    given,
                }));
            }
            _ => {}
        }
    }
    said.into_iter().map(ToScheduler::Worker).collect()
}

/// Seconds that this thread has run.
fn processor_seconds() -> f64 {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    read.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1e-9
}

/// The bytes of this process that are in memory.
fn resident() -> f64 {
    let read = std::fs::read_to_string("/proc/self/statm").unwrap();
    read.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0
}

struct Cluster {
    core: Core,
    inbox: Receiver<Told>,
    answers: Answers<Told>,
    ready: Receiver<usize>,
    client: ConnectionId,
}

impl Cluster {
    fn start() -> Self {
        let addresses = vec![Address::InProcess(String::from("here"))];
        let core = Core::new(String::from("Scheduler"), addresses, Options::cluster());
        let (answers, inbox) = channel();
        let (counted, ready) = channel();
        let mut cluster = Self { core, inbox, answers, ready, client: ConnectionId(0) };
        let (sender, mut incoming) = cluster.connection(1).pop().unwrap();
        runtime().unwrap().spawn(async move {
            while let Ok(Some(parcel)) = incoming.receive().await {
                let messages = encoded::read::<ToClient>(parcel).unwrap();
                let ready = |message: &&ToClient| matches!(message, ToClient::Ready(_));
                // A test that has failed listens no more.
                _ = counted.send(messages.iter().filter(ready).count());
            }
        });
        cluster.core.connected(cluster.client, sender, false);
        let hello = Hello::Client { name: String::from("client"), before: None };
        cluster.say(FromClient::Hello(hello));
        cluster
    }

    /// Connections whose other ends are kept open by tasks.
    fn connection(&self, count: usize) -> Vec<(Sender, Incoming)> {
        runtime().unwrap().block_on(async {
            let address = Address::InProcess(String::new());
            let security = Security::open();
            let mut listener =
                Listener::bind(&address, &security, Limits::default()).await.unwrap();
            let address = listener.address().clone();
            let mut made = Vec::new();
            for _ in 0..count {
                let options = ConnectOptions::default();
                let (called, accepted) =
                    tokio::join!(connect(&address, &security, &options), listener.accept());
                let (called, accepted) = (called.unwrap(), accepted.unwrap());
                let (kept, open) = (accepted.sender, called.receiver);
                tokio::spawn(async move {
                    let (_kept, mut open) = (kept, open);
                    while let Ok(Some(_)) = open.receive().await {}
                });
                made.push((called.sender, accepted.receiver));
            }
            made
        })
    }

    fn say(&mut self, message: FromClient) {
        self.core.messages(self.client, vec![ToScheduler::Client(message)]);
    }

    /// Adds workers, and answers the seconds that each took.
    fn join(&mut self, workers: usize) -> f64 {
        let mut hellos = Vec::new();
        for (number, (sender, mut incoming)) in self.connection(workers).into_iter().enumerate() {
            let from = ConnectionId(1 + number as u64);
            let answered = self.answers.clone();
            runtime().unwrap().spawn(async move {
                let mut me = WorkerId(0);
                while let Ok(Some(parcel)) = incoming.receive().await {
                    let messages = encoded::read::<ToWorker>(parcel).unwrap();
                    let said = answers(&mut me, messages);
                    if !said.is_empty() && answered.send(told(from, &said)).is_err() {
                        return;
                    }
                }
            });
            let hello = Hello::Worker {
                options: WorkerOptions::with_slots(1),
                address: Address::InProcess(format!("worker-{number}")),
                about: Plain::None,
            };
            hellos.push((
                from,
                sender,
                told(from, &[ToScheduler::Worker(FromWorker::Hello(hello))]),
            ));
        }
        let began = processor_seconds();
        for batch in &mut hellos.chunks_mut(BATCH) {
            for (from, sender, hello) in batch {
                self.core.connected(*from, sender.clone(), false);
                self.take(Told {
                    from: *from,
                    parcel: std::mem::replace(&mut hello.parcel, Parcel::head(Vec::new())),
                });
            }
            self.core.finish_batch();
        }
        (processor_seconds() - began) / workers as f64
    }

    fn take(&mut self, told: Told) {
        let messages = encoded::read::<ToScheduler>(told.parcel).unwrap();
        self.core.messages(told.from, messages);
    }

    /// Goes on until so many results are ready.
    fn run(&mut self, results: usize) {
        let until = Instant::now() + PATIENCE;
        let mut ready = 0;
        loop {
            self.core.finish_batch();
            ready += self.ready.try_iter().sum::<usize>();
            if ready >= results {
                assert_eq!(ready, results, "a result is told of once");
                return;
            }
            assert!(Instant::now() < until, "{ready} of {results} results are ready");
            let Ok(first) = self.inbox.recv_timeout(Duration::from_millis(1)) else { continue };
            self.take(first);
            for _ in 1..BATCH {
                let Ok(next) = self.inbox.try_recv() else { break };
                self.take(next);
            }
        }
    }

    fn submit(&mut self, name: &str, tasks: u32, shape: fn(&mut PlanBuilder, u32)) -> Vec<Key> {
        let mut builder = PlanBuilder::with_capacity(tasks as usize, tasks as usize);
        builder.begin_layer(name, None);
        (0..tasks).for_each(|task| shape(&mut builder, task));
        let keys: Vec<Key> = (0..tasks).map(|task| Key::from(format!("{name}-{task}"))).collect();
        let payload = || Encoded { kind: 0, frames: vec![vec![1; 1000].into()] };
        let operations = (0..tasks.div_ceil(CALLS)).map(|_| Operation { payload: payload() });
        self.say(FromClient::Submit(Box::new(Submission {
            plan: builder.finish((0..tasks).map(TaskId).collect()).unwrap(),
            operations: operations.collect(),
            outputs: keys.clone(),
            imports: Vec::new(),
            annotations: Vec::new(),
            together: 0,
        })));
        keys
    }
}

fn call(builder: &mut PlanBuilder, task: u32) {
    builder.push(OperationId(task / CALLS), task % CALLS, []);
}

/// Every one but the first hundred reads two that come long before it.
fn sum(builder: &mut PlanBuilder, task: u32) {
    let inputs = [task.checked_sub(100), task.checked_sub(57).filter(|_| task >= 100)];
    let inputs: Vec<TaskId> = inputs.into_iter().flatten().map(TaskId).collect();
    builder.push(OperationId(task / CALLS), task % CALLS, inputs);
}

#[test]
fn a_task_costs_the_same_with_many_workers() {
    let given = |name: &str, otherwise: u32| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let workers = given("SAMITE_GROWTH_WORKERS", 300);
    let tasks = given("SAMITE_GROWTH_TASKS", 3_000);
    let mut cluster = Cluster::start();
    let empty = resident();
    let join = cluster.join(workers as usize) * 1e6;
    let a_worker = (resident() - empty) / f64::from(workers);
    let mut figures =
        vec![format!("\"join_us_a_worker\": {join:.2}, \"bytes_a_worker\": {a_worker:.0}")];
    let singles = (tasks / 10).clamp(1, 2_000);
    for name in ["map", "sums", "single"] {
        let began = processor_seconds();
        let before = resident();
        let keys = match name {
            "map" => cluster.submit(name, tasks, call),
            "sums" => cluster.submit(name, tasks, sum),
            _ => (0..singles)
                .flat_map(|one| {
                    let keys = cluster.submit(&format!("single-{one}"), 1, call);
                    cluster.run(1);
                    cluster.core.release_all(super::members::ClientId(1));
                    keys
                })
                .collect(),
        };
        if name != "single" {
            cluster.run(keys.len());
        }
        let took = (processor_seconds() - began) * 1e6 / keys.len() as f64;
        let a_task = (resident() - before) / keys.len() as f64;
        cluster.core.machine.check_consistent().unwrap();
        cluster.say(FromClient::Release(keys));
        cluster.core.finish_batch();
        assert_eq!(cluster.core.machine.graphs(), 0, "what nobody wants is forgotten");
        figures
            .push(format!("\"{name}_us_a_task\": {took:.2}, \"{name}_bytes_a_task\": {a_task:.0}"));
    }
    println!("{{{}}}", figures.join(", "));
}
