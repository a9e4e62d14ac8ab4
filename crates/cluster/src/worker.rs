//! A worker: the worker machine, threads that run operations, and the values that they make.

mod attaching;
mod core;
mod fetching;
mod metrics;
mod place;
mod pressure;
mod running;
mod serving;
mod status;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use samite_scheduling::WorkerOptions;

use crate::encoded;
use crate::error::ClusterError;
use crate::executor::Executor;
use crate::inline::{self, Abort};
use crate::patience::Patience;
use crate::peers::{Fetching, Peers};
use crate::plain::Plain;
use crate::protocol::{FromWorker, Hello, ToWorker};
use crate::scheduler::ToScheduler;
use crate::security::Security;
use crate::threads::runtime;
use crate::transport::{Address, ConnectOptions, Limits, Listener, Parcel, Sender, connect};
use core::Core;

pub use self::pressure::MemoryShares;
pub(crate) use place::Place;

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// What it can do, and its name.
    pub options: WorkerOptions,
    /// Where it serves values; a port of zero takes a free one.
    pub listen: Address,
    /// What others are told of it.
    pub about: Plain,
    /// Where values are spilled; by default where temporary files belong.
    pub folder: Option<PathBuf>,
    /// What it does as memory gets short.
    pub memory: MemoryShares,
    /// The bounds of connections.
    pub limits: Limits,
    /// How values are fetched from other workers; their connections have the bounds of all others.
    pub fetching: Fetching,
    /// How long the scheduler is waited for.
    pub timeout: Duration,
    /// How long a scheduler that was lost is waited for, where it keeps a journal.
    pub patience: Duration,
}

/// What tasks know of the worker that runs them.
#[derive(Debug)]
pub struct WorkerHandle {
    /// Its name.
    pub name: Arc<str>,
    /// Where it serves values.
    pub address: Address,
    /// Where its scheduler is.
    pub scheduler: Address,
    /// The scheduler's name.
    pub scheduler_id: String,
    /// How many tasks it runs at once.
    pub slots: u32,
    /// The bytes of values that it may hold; zero for unknown.
    pub memory_limit: u64,
}

/// What all threads of a worker share.
struct Shared {
    core: Mutex<Core>,
    /// Told when there is something to run.
    work: Condvar,
    patience: Patience,
    executor: Arc<dyn Executor>,
    peers: Peers,
    traffic: metrics::Traffic,
    /// Replaced when the worker connects anew, under the core's lock.
    scheduler: Mutex<Sender>,
    attaching: attaching::Attaching,
    local: bool,
    handle: Arc<WorkerHandle>,
    closed: AtomicBool,
    /// Whether a task will send the reports that wait.
    reporting: AtomicBool,
    ended: Mutex<bool>,
    end: Condvar,
}

impl Shared {
    /// Sends messages to the scheduler. A scheduler that is gone is found by the reader.
    fn send(&self, messages: Vec<ToScheduler>) {
        if messages.is_empty() {
            return;
        }
        let parcel = if self.local {
            Parcel::Local(Box::new(messages))
        } else {
            match encoded::write(&messages) {
                Ok(parcel) => parcel,
                Err(_) => return self.shut_down(),
            }
        };
        _ = self.scheduler.lock().post(parcel);
    }

    /// Lets all threads end.
    fn shut_down(&self) {
        self.end(Sender::close);
    }

    fn end(&self, connection: fn(&Sender)) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let left = {
            let mut core = self.core.lock();
            // Under the lock: a connection that was made meanwhile is this one, or is given up.
            connection(&self.scheduler.lock());
            core.give_up()
        };
        drop(left);
        self.work.notify_all();
        self.peers.close();
        *self.ended.lock() = true;
        self.end.notify_all();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A worker that runs in this process, on threads of its own.
pub struct WorkerServer {
    shared: Arc<Shared>,
    tasks: Vec<Abort>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl WorkerServer {
    /// Connects to a scheduler and begins to work.
    ///
    /// # Errors
    /// Where the scheduler cannot be reached or the address cannot be used.
    pub fn start(
        scheduler: &Address,
        security: &Security,
        settings: WorkerSettings,
        executor: Arc<dyn Executor>,
    ) -> Result<Self, ClusterError> {
        let runtime = runtime()?;
        let WorkerSettings {
            options,
            listen,
            about,
            folder,
            memory,
            limits,
            timeout,
            patience,
            ..
        } = settings;
        let fetching = Fetching { limits: limits.clone(), ..settings.fetching };
        let begun = runtime.block_on(async {
            let listener = Listener::bind(&listen, security, limits.clone()).await?;
            let limits = limits.clone();
            let how = ConnectOptions { timeout, limits, ..ConnectOptions::default() };
            let connection = connect(scheduler, security, &how).await?;
            Ok::<_, ClusterError>((listener, connection))
        })?;
        let (listener, connection) = begun;
        let address = listener.address().contact();
        let local = connection.peer.is_local;
        let mut options = options;
        if options.name.is_empty() {
            options.name = Arc::from(address.to_string());
        }
        let hello = ToScheduler::Worker(FromWorker::Hello(Hello::Worker {
            options: options.clone(),
            address: address.clone(),
            about: about.clone(),
        }));
        let parcel =
            if local { Parcel::Local(Box::new(vec![hello])) } else { encoded::write(&[hello])? };
        connection.sender.post(parcel)?;
        let mut receiver = connection.receiver;
        let welcome =
            runtime.block_on(async { tokio::time::timeout(timeout, receiver.receive()).await });
        let Ok(welcome) = welcome else {
            let (address, seconds) = (scheduler.to_string(), timeout.as_secs_f64());
            return Err(ClusterError::TimedOut { address, seconds });
        };
        let stranger = || ClusterError::NotAScheduler(scheduler.to_string());
        let mut first = encoded::read::<ToWorker>(welcome?.ok_or_else(stranger)?)?;
        if first.is_empty() {
            return Err(stranger());
        }
        let ToWorker::Welcome { worker, about: told } = first.remove(0) else {
            return Err(stranger());
        };
        let attaching = attaching::Attaching {
            options: options.clone(),
            about,
            limits,
            security: security.clone(),
            patience: if told.get("journal").is_some_and(Plain::is_true) {
                patience
            } else {
                attaching::SHORTLY
            },
        };
        let handle = Arc::new(WorkerHandle {
            name: options.name.clone(),
            address,
            scheduler: scheduler.clone(),
            scheduler_id: told.get("id").and_then(Plain::as_text).unwrap_or_default().to_owned(),
            slots: options.slots,
            memory_limit: options.memory_limit,
        });
        let shared = Arc::new(Shared {
            core: Mutex::new(Core::new(worker, &options, &memory, folder)),
            work: Condvar::new(),
            patience: Patience::default(),
            executor,
            peers: Peers::new(security.clone(), fetching),
            traffic: metrics::Traffic::default(),
            scheduler: Mutex::new(connection.sender),
            attaching,
            local,
            handle,
            closed: AtomicBool::new(false),
            reporting: AtomicBool::new(false),
            ended: Mutex::new(false),
            end: Condvar::new(),
        });
        running::take(&shared, first);
        shared.send(vec![ToScheduler::Worker(FromWorker::Reported)]);
        let mut tasks = Vec::new();
        tasks.push(runtime.spawn(serving::accept(shared.clone(), listener)).abort_handle().into());
        let reader = shared.clone();
        let reading = async move {
            loop {
                let lost = loop {
                    match receiver.receive().await {
                        Ok(Some(parcel)) => match encoded::read::<ToWorker>(parcel) {
                            Ok(messages) => running::take(&reader, messages),
                            Err(_) => break false,
                        },
                        Ok(None) => break false,
                        Err(_) => break true,
                    }
                };
                if !lost || reader.is_closed() {
                    break;
                }
                match attaching::attach_again(&reader).await {
                    Some(again) => receiver = again,
                    None => break,
                }
            }
            reader.shut_down();
        };
        tasks.push(inline::spawn(runtime, local, reading));
        tasks.push(runtime.spawn(status::report(shared.clone())).abort_handle().into());
        if memory.owns_process && options.memory_limit > 0 {
            let watching = pressure::watch(shared.clone(), memory.interval);
            tasks.push(runtime.spawn(watching).abort_handle().into());
        }
        let server = Self { shared, tasks, threads: Mutex::default() };
        for number in 0..options.slots.max(1) {
            let shared = server.shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("samite-worker-{number}"))
                .spawn(move || running::work(&shared))
                .map_err(ClusterError::Thread)?;
            server.threads.lock().push(thread);
        }
        Ok(server)
    }

    /// What tasks know of it.
    pub fn handle(&self) -> &Arc<WorkerHandle> {
        &self.shared.handle
    }

    /// Waits until it was closed, by whomever; false where that has not happened in this time.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut ended = self.shared.ended.lock();
        if !*ended {
            self.shared.end.wait_for(&mut ended, timeout);
        }
        *ended
    }

    /// Waits until what the scheduler wants done before the first task is done; false where that
    /// takes longer, and tasks go on waiting for it.
    pub fn wait_until_prepared(&self, timeout: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(1);
        let end = Instant::now() + timeout;
        while self.shared.core.lock().preparing {
            if self.shared.is_closed() || Instant::now() >= end {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Ends as if the process had been killed: nobody is told, and connections break. For tests of
    /// clusters that lose workers.
    pub fn kill(&self) {
        self.shared.end(Sender::abort);
        self.tasks.iter().for_each(Abort::abort);
    }

    /// Leaves the cluster, and waits for the threads as long as this.
    pub fn close(&self, timeout: Duration) {
        if !self.shared.is_closed() {
            self.shared.send(vec![ToScheduler::Worker(FromWorker::Leaving)]);
        }
        self.shared.shut_down();
        self.tasks.iter().for_each(Abort::abort);
        let end = Instant::now() + timeout;
        for thread in std::mem::take(&mut *self.threads.lock()) {
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A thread that panicked has said so on its standard error.
                _ = thread.join();
            }
        }
    }
}

impl Drop for WorkerServer {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}
