//! Members that say anything, in any order and in broken bytes: for `SAMITE_FUZZ_SECONDS`, by
//! default two.

use std::sync::Arc;
use std::time::{Duration, Instant};

use samite_graph::{OperationId, PlanBuilder, TaskId};
use samite_scheduling::{
    Attempt, Event, GraphId, Options, Pressure, TaskKey, TaskOptions, WorkerId, WorkerOptions,
};

use super::core::Core;
use super::{ConnectionId, ToScheduler};
use crate::encoded::{self, Encoded};
use crate::plain::Plain;
use crate::protocol::{
    Carried, FromClient, FromWorker, Hello, Key, Operation, PeerMessage, Submission, ToClient,
    ToWorker,
};
use crate::security::Security;
use crate::threads::runtime;
use crate::transport::{Address, ConnectOptions, Limits, Listener, Parcel, Sender, connect};

/// xorshift64*, which is all the randomness that this needs.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % end
    }

    fn key(&mut self) -> Key {
        Key::from(format!("key-{}", self.below(12)))
    }

    fn keys(&mut self) -> Vec<Key> {
        (0..self.below(4)).map(|_| self.key()).collect()
    }

    fn task(&mut self) -> TaskKey {
        let graph = GraphId(self.below(40) as u32);
        TaskKey { graph, task: TaskId(self.below(6) as u32) }
    }

    fn value(&mut self) -> Carried {
        Carried::Encoded(Encoded { kind: 0, frames: vec![vec![1; self.below(6000)].into()] })
    }
}

/// A sender to a peer that reads all and answers nothing.
fn sender() -> Sender {
    let runtime = runtime().unwrap();
    let (called, accepted) = runtime.block_on(async {
        let address = Address::InProcess(String::new());
        let security = Security::open();
        let mut listener = Listener::bind(&address, &security, Limits::default()).await.unwrap();
        let options = ConnectOptions::default();
        let address = listener.address().clone();
        let (called, accepted) =
            tokio::join!(connect(&address, &security, &options), listener.accept());
        (called.unwrap(), accepted.unwrap())
    });
    let mut receiver = accepted.receiver;
    runtime.spawn(async move {
        let _sender = accepted.sender;
        while let Ok(Some(parcel)) = receiver.receive().await {
            let Parcel::Encoded { .. } = parcel else { panic!("a value for another process") };
        }
    });
    called.sender
}

fn submission(random: &mut Random) -> Submission {
    let mut builder = PlanBuilder::default();
    builder.begin_layer("layer", Some(samite_graph::AnnotationId(0)));
    let tasks = 1 + random.below(6);
    for number in 0..tasks {
        let inputs: Vec<TaskId> =
            (0..random.below(3).min(number)).map(|_| TaskId(random.below(number) as u32)).collect();
        builder.push(OperationId(random.below(2) as u32), number as u32, inputs);
    }
    let wanted: Vec<TaskId> =
        (0..1 + random.below(2)).map(|_| TaskId(random.below(tasks) as u32)).collect();
    let outputs = wanted.iter().map(|_| random.key()).collect();
    let imports =
        (0..random.below(2)).map(|_| (TaskId(random.below(7) as u32), random.key())).collect();
    let workers = if random.below(4) == 0 { vec![Arc::from("one")] } else { Vec::new() };
    Submission {
        plan: builder.finish(wanted).unwrap(),
        operations: vec![Operation { payload: Encoded::default() }],
        outputs,
        imports,
        annotations: vec![TaskOptions { workers, ..TaskOptions::default() }],
        together: random.below(2) as u64 * 60_000_000_000,
    }
}

fn from_client(random: &mut Random) -> FromClient {
    let id = random.below(5) as u64;
    match random.below(14) {
        0 => FromClient::Hello(Hello::Client {
            name: String::from("client"),
            before: (random.below(2) == 0).then_some(id),
        }),
        1 => FromClient::Keep { number: id, message: Box::new(from_client(random)) },
        2 => FromClient::Attached { submitted: random.keys(), others: random.keys() },
        3 | 4 => FromClient::Submit(Box::new(submission(random))),
        5 => FromClient::Retain(random.keys()),
        6 => FromClient::Release(random.keys()),
        7 => FromClient::Cancel {
            keys: random.keys(),
            reason: String::from("because"),
            force: random.below(2) == 0,
        },
        8 => FromClient::Retry(random.keys()),
        9 => FromClient::Locate { id, keys: random.keys() },
        10 => FromClient::Fetch { id, keys: random.keys() },
        11 => FromClient::Missing {
            task: random.task(),
            holder: Address::InProcess(String::from("nobody")),
        },
        12 => {
            let keys = random.keys();
            let count = keys.len() + random.below(2);
            let values = (0..count).map(|_| random.value()).collect();
            let sizes = vec![random.below(1 << 30) as u64; keys.len()];
            let (workers, holds) = (Vec::new(), random.keys());
            FromClient::Scatter { id, keys, values, sizes, workers, copies: 2, holds }
        }
        _ => {
            const NAMES: [&str; 32] = [
                "scheduler_info",
                "who_has",
                "has_what",
                "nthreads",
                "nbytes",
                "processing",
                "story",
                "task_stream",
                "runs",
                "task_specs",
                "dump_state",
                "counts",
                "scheduler_logs",
                "publish",
                "unpublish",
                "get_dataset",
                "set_metadata",
                "log_event",
                "get_events",
                "run",
                "register_plugin",
                "retire_workers",
                "restart",
                "replicate",
                "rebalance",
                "lock_acquire",
                "lock_release",
                "queue_put",
                "queue_get",
                "variable_set",
                "event_wait",
                "nothing",
            ];
            let text = Plain::text(random.key().to_string());
            let arguments = Plain::map([
                ("name", text.clone()),
                ("id", Plain::text("one")),
                ("keys", Plain::List(vec![text.clone()])),
                ("workers", if random.below(2) == 0 { Plain::None } else { text.clone() }),
                ("function", Plain::Bytes(Box::default())),
                ("data", Plain::Bytes(Box::default())),
                ("value", Plain::map([("data", text.clone()), ("key", text)])),
                ("timeout", Plain::Float(0.001)),
                ("n", Plain::Int(random.below(3) as i64 - 1)),
            ]);
            let name = NAMES[random.below(NAMES.len())].to_owned();
            FromClient::Request { id, name, arguments }
        }
    }
}

fn from_worker(random: &mut Random) -> FromWorker {
    let worker = WorkerId(random.below(20) as u32);
    let (task, attempt) = (random.task(), Attempt(random.below(4) as u32));
    let (bytes, duration) = (random.below(1 << 20) as u64, random.below(1 << 30) as u64);
    match random.below(16) {
        0 | 1 => FromWorker::Hello(Hello::Worker {
            options: WorkerOptions {
                name: Arc::from("one"),
                ..WorkerOptions::with_slots(random.below(4) as u32)
            },
            address: Address::InProcess(format!("w{}", random.below(4))),
            about: Plain::None,
        }),
        2..=4 => {
            let event = Event::TaskFinished { worker, task, attempt, bytes, duration };
            let value = (random.below(2) == 0).then(|| random.value());
            FromWorker::Finished { event, value }
        }
        5 => FromWorker::Failed {
            event: Event::TaskFailed { worker, task, attempt },
            text: String::from("wrong"),
            error: Encoded::default(),
        },
        6 => FromWorker::Report(Event::TaskRescheduled { worker, task, attempt }),
        7 | 8 => FromWorker::Report(Event::ReplicaAdded { worker, task, bytes }),
        9 => FromWorker::Report(Event::ReplicaLost { worker, task }),
        10 => FromWorker::Report(Event::RunContinues { worker, task, attempt }),
        11 => {
            let given = random.below(2) == 0;
            FromWorker::Report(Event::StealAnswered { worker, task, attempt, given })
        }
        12 => {
            let pressure = Pressure::Pause;
            FromWorker::Report(Event::MemoryChanged { worker, bytes, pressure })
        }
        // What no worker may say.
        13 => FromWorker::Report(Event::TasksCancelled { tasks: Box::new([task]) }),
        14 => FromWorker::Reported,
        _ => FromWorker::Leaving,
    }
}

/// Flips, cuts, repeats and inserts bytes.
fn broken(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut broken = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        let place = random.below(broken.len() + 1);
        match random.below(5) {
            0 => broken.truncate(place),
            1 => broken.insert(place, random.below(256) as u8),
            2 => {
                let part = broken.get(place..).unwrap_or_default().to_vec();
                broken.extend(part);
            }
            _ => {
                if let Some(byte) = broken.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    broken
}

#[test]
fn whatever_members_say_the_scheduler_goes_on() {
    let given = std::env::var("SAMITE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(given.unwrap_or(2));
    let mut seed = 1;
    let (mut taken, mut refused) = (0_u64, 0_u64);
    while Instant::now() < until {
        seed += 1;
        let mut random = Random(seed * 0x9e37_79b9 + 1);
        let addresses = vec![Address::InProcess(String::from("here"))];
        let mut core = Core::new(String::from("Scheduler"), addresses, Options::cluster());
        let mut open: Vec<ConnectionId> = Vec::new();
        for step in 0..400_u64 {
            if open.len() < 4 {
                let id = ConnectionId(step);
                core.connected(id, sender(), false);
                let hello = if random.below(2) == 0 {
                    let hello = Hello::Client { name: String::from("client"), before: None };
                    ToScheduler::Client(FromClient::Hello(hello))
                } else {
                    ToScheduler::Worker(FromWorker::Hello(Hello::Worker {
                        options: WorkerOptions::with_slots(2),
                        address: Address::InProcess(format!("w{}", random.below(4))),
                        about: Plain::None,
                    }))
                };
                core.messages(id, vec![hello]);
                open.push(id);
            }
            let messages: Vec<ToScheduler> = (0..1 + random.below(4))
                .map(|_| match random.below(2) {
                    0 => ToScheduler::Client(from_client(&mut random)),
                    _ => ToScheduler::Worker(from_worker(&mut random)),
                })
                .collect();
            let place = random.below(open.len());
            let Parcel::Encoded { head, frames } = encoded::write(&messages).unwrap() else {
                unreachable!()
            };
            let head = match random.below(3) {
                0 => broken(&mut random, &head).into(),
                _ => head,
            };
            let parcel = |head: &bytes::Bytes| Parcel::Encoded {
                head: head.clone(),
                frames: frames.clone(),
            };
            // Whoever reads broken bytes says so and lives.
            _ = encoded::read::<ToWorker>(parcel(&head));
            _ = encoded::read::<ToClient>(parcel(&head));
            _ = encoded::read::<PeerMessage>(parcel(&head));
            match encoded::read::<ToScheduler>(parcel(&head)) {
                Ok(messages) => {
                    taken += 1;
                    core.messages(open[place], messages);
                }
                Err(_) => refused += 1,
            }
            if random.below(20) == 0 {
                core.ended(open.swap_remove(place), random.below(2) == 0);
            }
            core.tick();
            core.finish_batch();
            core.pending.stopping = false;
            if step % 50 == 0 {
                core.machine
                    .check_consistent()
                    .unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
            }
        }
    }
    println!("{taken} parcels were taken and {refused} refused, up to seed {seed}");
    assert!(taken > 0 && refused > 0);
}
