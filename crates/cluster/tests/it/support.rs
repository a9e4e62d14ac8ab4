//! An executor whose operations are data, and clusters to run them on.

use std::any::Any;
use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use samite_cluster::client::{Client, Outcome};
use samite_cluster::scheduler::{SchedulerOptions, SchedulerServer};
use samite_cluster::security::Security;
use samite_cluster::transport::{Address, Limits};
use samite_cluster::worker::{MemoryShares, WorkerServer, WorkerSettings};
use samite_cluster::{
    Encoded, Erred, Executor, Failure, Fetching, Key, Loaded, Operation, Owner, Parts, Plain,
    Submission, TaskContext,
};
use samite_graph::{OperationId, PlanBuilder, TaskId};
use samite_runtime::{Data, OperationError, Restore, SpillError, Value};
use samite_scheduling::{TaskOptions, WorkerOptions};
use serde::{Deserialize, Serialize};

/// How long anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a task does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Adds this to the sum of its inputs.
    Add(u64),
    /// The same after so many milliseconds, or earlier where it is cancelled.
    Slow(u64, u64),
    /// Fails, saying this.
    Fail(String),
    /// Fails until it was tried so often.
    FailUntil(u32, u64),
    /// Makes so many bytes.
    Blob(usize),
    /// The lengths of its inputs, added up.
    Length,
    /// As many parts as the first number says but for number 1, each of as many bytes as the second
    /// one and its number.
    Parts(u32, usize),
}

pub(crate) struct Number(pub(crate) u64);

impl Data for Number {
    fn nbytes(&self) -> usize {
        8
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

pub(crate) struct Blob(pub(crate) Bytes);

impl Data for Blob {
    fn nbytes(&self) -> usize {
        self.0.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn spill(&self, sink: &mut dyn Write) -> Result<Box<dyn Restore>, SpillError> {
        sink.write_all(&self.0)?;
        Ok(Box::new(Spilled(self.0.len())))
    }
}

/// The length of a blob on disk.
struct Spilled(usize);

impl Restore for Spilled {
    fn restore(&self, source: &mut dyn Read) -> Result<Value, OperationError> {
        let mut bytes = vec![0; self.0];
        source.read_exact(&mut bytes).map_err(OperationError::new)?;
        Ok(Arc::new(Blob(bytes.into())))
    }
}

pub(crate) fn number(value: &Value) -> u64 {
    match value.as_any().downcast_ref::<Number>() {
        Some(number) => number.0,
        None => value.nbytes() as u64,
    }
}

/// The batches that workers of this process have loaded.
static LOADED: Mutex<Vec<Weak<Vec<Work>>>> = Mutex::new(Vec::new());

/// Whether a worker of this process has loaded work with this number, and not forgotten it.
pub(crate) fn is_loaded(number: u64) -> bool {
    let is_it = |work: &Work| matches!(work, Work::Add(of) | Work::Slow(_, of) if *of == number);
    let loaded = LOADED.lock().unwrap();
    loaded.iter().filter_map(Weak::upgrade).any(|batch| batch.iter().any(is_it))
}

/// Runs [`Work`].
pub(crate) struct Plainly;

impl Executor for Plainly {
    fn load(&self, payload: &Encoded, _: &TaskContext) -> Result<Loaded, Failure> {
        let bytes = payload.frames.first().map(|frame| &**frame).unwrap_or_default();
        let batch: Vec<Work> =
            postcard::from_bytes(bytes).map_err(|wrong| Failure::text(wrong.to_string()))?;
        let batch = Arc::new(batch);
        LOADED.lock().unwrap().push(Arc::downgrade(&batch));
        Ok(batch)
    }

    fn run(
        &self,
        operation: &Loaded,
        index: u32,
        context: &TaskContext,
        inputs: Vec<Value>,
    ) -> Result<Value, Failure> {
        let batch = operation.downcast_ref::<Vec<Work>>().unwrap();
        let sum: u64 = inputs.iter().map(number).fold(0, u64::wrapping_add);
        let value = match &batch[index as usize] {
            Work::Add(more) => sum.wrapping_add(*more),
            Work::Slow(milliseconds, more) => {
                let until = Instant::now() + Duration::from_millis(*milliseconds);
                while Instant::now() < until && !context.cancelled.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                sum.wrapping_add(*more)
            }
            Work::Fail(text) => {
                let error = Encoded { kind: 7, frames: vec![Bytes::from(text.clone())] };
                return Err(Failure::Raised { text: text.clone(), error });
            }
            Work::FailUntil(tries, more) => {
                if context.attempt < *tries {
                    return Err(Failure::text(format!("try {}", context.attempt)));
                }
                sum.wrapping_add(*more)
            }
            Work::Blob(bytes) => return Ok(Arc::new(Blob(vec![7; *bytes].into()))),
            Work::Parts(count, bytes) => {
                let part = |part: u32| {
                    let frames = vec![vec![1; bytes + part as usize].into()];
                    (part, Encoded { kind: 1, frames })
                };
                let parts = (0..*count).filter(|part| *part != 1).map(part);
                return Ok(Arc::new(Parts::new(parts.collect())));
            }
            Work::Length => inputs.iter().map(|input| input.nbytes() as u64).sum(),
        };
        Ok(Arc::new(Number(value)))
    }

    fn encode(&self, value: &Value) -> Result<Encoded, Failure> {
        if let Some(blob) = value.as_any().downcast_ref::<Blob>() {
            return Ok(Encoded { kind: 1, frames: vec![blob.0.clone()] });
        }
        if let Some(parts) = value.as_any().downcast_ref::<Parts>() {
            return Ok(parts.encode(2));
        }
        let bytes = number(value).to_le_bytes().to_vec();
        Ok(Encoded { kind: 0, frames: vec![bytes.into()] })
    }

    fn decode(&self, encoded: Encoded, _: Owner) -> Result<Value, Failure> {
        let frame = encoded.frames.first().cloned().unwrap_or_default();
        if encoded.kind == Parts::ABSENT {
            return Ok(Arc::new(Blob(Bytes::new())));
        }
        if encoded.kind == 2 {
            let parts = Parts::decode(&encoded.frames);
            return parts.map(|parts| Arc::new(parts) as Value).ok_or(Failure::text("no parts"));
        }
        if encoded.kind == 1 {
            return Ok(Arc::new(Blob(frame)));
        }
        let bytes: [u8; 8] =
            frame.as_ref().try_into().map_err(|_| Failure::text("eight bytes make a number"))?;
        Ok(Arc::new(Number(u64::from_le_bytes(bytes))))
    }

    fn thread(&self, body: &mut dyn FnMut()) {
        body();
    }

    fn batch(&self, body: &mut dyn FnMut()) {
        body();
    }

    fn call(&self, payload: Encoded, context: &TaskContext) -> Result<Encoded, Failure> {
        match payload.frames.first().map(|frame| &**frame) {
            Some(b"fail") => Err(Failure::text("the call failed")),
            Some(b"name") => {
                let name = context.worker.name.as_bytes().to_vec();
                Ok(Encoded { kind: 0, frames: vec![name.into()] })
            }
            _ => Ok(payload),
        }
    }
}

/// Where members of a test's cluster meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Process,
    Tcp,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Process, Self::Tcp];

    fn address(self) -> Address {
        match self {
            Self::Process => Address::InProcess(String::new()),
            Self::Tcp => Address::Tcp { host: String::from("127.0.0.1"), port: 0 },
        }
    }
}

/// A scheduler at a TCP address that keeps a journal, to be killed and started again.
pub(crate) fn journaled(address: &Address, folder: &std::path::Path) -> SchedulerServer {
    let options = SchedulerOptions {
        journal: Some(folder.to_owned()),
        patience: Duration::from_millis(500),
        ..Default::default()
    };
    let until = Instant::now() + PATIENCE;
    loop {
        match SchedulerServer::start(
            std::slice::from_ref(address),
            &Security::open(),
            options.clone(),
        ) {
            Ok(scheduler) => return scheduler,
            // The port may not be free at once.
            Err(failed) => assert!(Instant::now() < until, "{failed}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) struct Cluster {
    pub(crate) way: Way,
    pub(crate) scheduler: SchedulerServer,
    pub(crate) workers: Vec<WorkerServer>,
}

impl Cluster {
    pub(crate) fn start(way: Way, workers: usize, threads: u32) -> Self {
        let options = SchedulerOptions::default();
        let scheduler =
            SchedulerServer::start(&[way.address()], &Security::open(), options).unwrap();
        let mut cluster = Self { way, scheduler, workers: Vec::new() };
        for number in 0..workers {
            let worker = cluster.worker(&format!("w{number}"), threads);
            cluster.workers.push(worker);
        }
        cluster
    }

    /// A cluster over TCP whose scheduler keeps a journal.
    pub(crate) fn journaled(folder: &std::path::Path, workers: usize, threads: u32) -> Self {
        let scheduler = journaled(&Way::Tcp.address(), folder);
        let mut cluster = Self { way: Way::Tcp, scheduler, workers: Vec::new() };
        for number in 0..workers {
            let worker = cluster.worker(&format!("w{number}"), threads);
            cluster.workers.push(worker);
        }
        cluster
    }

    /// Kills the scheduler and starts it again at the same address.
    pub(crate) fn restart(&mut self, folder: &std::path::Path) {
        let address = self.address().clone();
        self.scheduler.kill();
        self.scheduler = journaled(&address, folder);
    }

    pub(crate) fn address(&self) -> &Address {
        &self.scheduler.addresses()[0]
    }

    pub(crate) fn worker(&self, name: &str, threads: u32) -> WorkerServer {
        self.limited_worker(name, threads, 0)
    }

    /// A worker that may hold so many bytes.
    pub(crate) fn limited_worker(&self, name: &str, threads: u32, bytes: u64) -> WorkerServer {
        self.worker_with(name, threads, bytes, MemoryShares::default())
    }

    /// A worker that may hold so many bytes and does this as they get more.
    pub(crate) fn worker_with(
        &self,
        name: &str,
        threads: u32,
        bytes: u64,
        memory: MemoryShares,
    ) -> WorkerServer {
        let options = WorkerOptions {
            name: Arc::from(name),
            memory_limit: bytes,
            ..WorkerOptions::with_slots(threads)
        };
        let settings = WorkerSettings {
            options,
            listen: self.way.address(),
            about: Plain::None,
            folder: None,
            memory,
            limits: Limits::default(),
            fetching: Fetching::default(),
            timeout: Duration::from_secs(10),
            patience: PATIENCE,
        };
        let executor = Arc::new(Plainly);
        WorkerServer::start(self.address(), &Security::open(), settings, executor).unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        let executor = Arc::new(Plainly);
        let security = Security::open();
        Client::connect(self.address(), &security, "test", executor, Duration::from_secs(10))
            .unwrap()
    }
}

pub(crate) fn key(name: impl AsRef<str>) -> Key {
    Key::from(name.as_ref())
}

/// A graph under construction.
#[derive(Default)]
pub(crate) struct Graph {
    builder: PlanBuilder,
    works: Vec<Work>,
    imports: Vec<(TaskId, Key)>,
    outputs: Vec<(TaskId, Key)>,
    options: Vec<TaskOptions>,
}

/// So many tasks share an operation.
const BATCH: usize = 256;

impl Graph {
    pub(crate) fn with_options(options: TaskOptions) -> Self {
        Self { options: vec![options], ..Self::default() }
    }

    pub(crate) fn task(&mut self, work: Work, inputs: &[TaskId]) -> TaskId {
        let place = self.works.len();
        self.works.push(work);
        let operation = OperationId((place / BATCH) as u32);
        if self.builder.is_empty() {
            let options = self.options.first().map(|_| samite_graph::AnnotationId(0));
            self.builder.begin_layer("work", options);
        }
        self.builder.push(operation, (place % BATCH) as u32, inputs.iter().copied())
    }

    /// As [`task`](Self::task), for one that reads a part of its inputs; of a graph with options.
    pub(crate) fn reader(&mut self, work: Work, inputs: &[TaskId], part: u32) -> TaskId {
        let place = self.works.len();
        self.works.push(work);
        self.options.push(TaskOptions { part: Some(part), ..TaskOptions::default() });
        let row = samite_graph::AnnotationId(self.options.len() as u32 - 1);
        self.builder.begin_layer("reader", Some(row));
        let operation = OperationId((place / BATCH) as u32);
        self.builder.push(operation, (place % BATCH) as u32, inputs.iter().copied())
    }

    pub(crate) fn import(&mut self, name: &str) -> TaskId {
        let task = self.task(Work::Add(0), &[]);
        self.imports.push((task, key(name)));
        task
    }

    pub(crate) fn output(&mut self, name: impl AsRef<str>, task: TaskId) {
        self.outputs.push((task, key(name)));
    }

    pub(crate) fn submission(self) -> Submission {
        let (tasks, outputs): (Vec<_>, Vec<_>) = self.outputs.into_iter().unzip();
        let operations = self
            .works
            .chunks(BATCH)
            .map(|batch| {
                let bytes = postcard::to_allocvec(&batch.to_vec()).unwrap();
                Operation { payload: Encoded { kind: 0, frames: vec![bytes.into()] } }
            })
            .collect();
        Submission {
            plan: self.builder.finish(tasks).unwrap(),
            operations,
            outputs,
            imports: self.imports,
            annotations: self.options,
            together: 0,
        }
    }
}

/// Submits one task without inputs, and counts a holder.
pub(crate) fn submit(client: &Client, name: &str, work: Work) -> Key {
    let mut graph = Graph::default();
    let task = graph.task(work, &[]);
    graph.output(name, task);
    let key = key(name);
    client.retain(std::slice::from_ref(&key));
    client.submit(graph.submission()).unwrap();
    key
}

pub(crate) fn fetch(client: &Client, keys: &[Key]) -> Vec<Outcome> {
    client.fetch(keys, Some(PATIENCE), &mut || true).unwrap().expect("results in time")
}

pub(crate) fn numbers(client: &Client, keys: &[Key]) -> Vec<u64> {
    let numbers = fetch(client, keys).into_iter().map(|outcome| match outcome {
        Outcome::Value(value) => number(&value),
        Outcome::Erred { erred, origin } => panic!("{origin}: {erred:?}"),
        Outcome::Cancelled { reason } => panic!("cancelled: {reason}"),
    });
    numbers.collect()
}

/// The text of a failure.
pub(crate) fn failure(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Erred { erred, origin } => match &**erred {
            Erred::Raised { text, .. } => format!("{origin}: {text}"),
            other => format!("{origin}: {other:?}"),
        },
        Outcome::Cancelled { reason } => format!("cancelled: {reason}"),
        Outcome::Value(_) => String::from("a value"),
    }
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn request(client: &Client, name: &str, arguments: Plain) -> Plain {
    let answer = client.request(name, arguments, Some(PATIENCE), &mut || true).unwrap();
    answer.expect("an answer in time").unwrap()
}
