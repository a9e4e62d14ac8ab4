//! The scheduler: the scheduling machine, and what it tells to whom.

mod calls;
mod coordination;
mod core;
mod datasets;
mod desk;
#[cfg(test)]
mod growth;
mod history;
#[cfg(test)]
mod hostile;
mod hosting;
mod info;
mod joining;
mod journaling;
mod members;
mod memory;
mod metadata;
mod moving;
mod names;
mod pages;
mod requests;
mod restoring;
mod retiring;
mod scattering;
mod specs;
mod topics;
mod waiting;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::oneshot;

use crate::encoded;
use crate::error::ClusterError;
use crate::http::{HttpError, HttpOptions, HttpServer, Retire, Snapshot, Worker as ShownWorker};
use crate::inline;
use crate::journal::Durable;
use crate::protocol::{FromClient, FromWorker};
use crate::security::Security;
use crate::threads::runtime;
use crate::transport::{Address, Connection, Limits, Listener};
use core::Core;
use desk::Desk;
use journaling::Journaling;
use memory::Manager;
pub use memory::{Measure, MemoryOptions};
pub(crate) use topics::wall_clock;
use waiting::Waiting;

/// A message to the scheduler, of either kind of member.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum ToScheduler {
    Client(FromClient),
    Worker(FromWorker),
}

/// A connection to the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(u64);

/// What the scheduler's thread is told.
enum Inbox {
    Connected(ConnectionId, crate::transport::Sender, bool),
    Messages(ConnectionId, Vec<ToScheduler>),
    /// It ended, in order or not.
    Ended(ConnectionId, bool),
    /// So many records of the journal are durable.
    Durable(u64),
    /// Some wait may be over.
    Tick,
    /// A page asks for the state, with the runs from a number on.
    Show(u64, oneshot::Sender<Snapshot>),
    /// A page asks that workers leave.
    Retire(Retire, oneshot::Sender<Vec<ShownWorker>>),
    /// The port at which pages are served.
    Serving(u16),
    Close,
    /// End at once, as if the process had been killed.
    Kill,
}

/// How a scheduler behaves.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// The bounds of connections.
    pub limits: Limits,
    /// How the machine decides.
    pub scheduling: samite_scheduling::Options,
    /// The folder where it writes down what it needs to go on after it was killed; without one it
    /// does not.
    pub journal: Option<PathBuf>,
    /// How long it waits, when it goes on, for the workers that there were.
    pub patience: Duration,
    /// How copies of results are managed.
    pub memory: MemoryOptions,
    /// What is given up after which time.
    pub patiences: Patiences,
}

/// What is given up after which time.
#[derive(Clone, Debug)]
pub struct Patiences {
    /// A worker that tells nothing of itself; `None` for only those whose connection breaks.
    pub worker: Option<Duration>,
    /// A task that no worker may run; `None` for never.
    pub no_workers: Option<Duration>,
    /// A lease of a semaphore that is not renewed.
    pub lease: Duration,
}

impl Default for Patiences {
    fn default() -> Self {
        Self { worker: None, no_workers: None, lease: Duration::from_secs(30) }
    }
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            scheduling: samite_scheduling::Options::cluster(),
            journal: None,
            patience: Duration::from_secs(10),
            memory: MemoryOptions::default(),
            patiences: Patiences::default(),
        }
    }
}

/// A scheduler that runs in this process, on threads of its own.
pub struct SchedulerServer {
    id: String,
    addresses: Vec<Address>,
    desk: Arc<Desk>,
    listeners: Vec<tokio::task::AbortHandle>,
}

impl SchedulerServer {
    /// Listens at addresses and takes members.
    ///
    /// # Errors
    /// Where an address cannot be used, or a thread cannot be started.
    pub fn start(
        listen: &[Address],
        security: &Security,
        options: SchedulerOptions,
    ) -> Result<Self, ClusterError> {
        let runtime = runtime()?;
        let mut bound = Vec::new();
        for address in listen {
            let limits = options.limits.clone();
            bound.push(runtime.block_on(Listener::bind(address, security, limits))?);
        }
        let addresses: Vec<Address> =
            bound.iter().map(|listener| listener.address().contact()).collect();
        let desk = new_desk(&addresses, options)?;
        let numbers = Arc::new(AtomicU64::new(0));
        let listeners = bound
            .into_iter()
            .map(|listener| {
                let accepting = accept(listener, desk.0.clone(), numbers.clone());
                runtime.spawn(accepting).abort_handle()
            })
            .collect();
        let (desk, id) = desk;
        // What is due by itself, such as the end of a restoring, is not waited for by a message.
        desk.send_later(Inbox::Tick);
        Ok(Self { id, addresses, desk, listeners })
    }

    /// A name that no other scheduler has.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Shows the state over HTTP until the answer is dropped.
    ///
    /// # Errors
    /// Where the address cannot be used, or a setting is not usable.
    pub fn show_pages(&self, options: HttpOptions) -> Result<HttpServer, HttpError> {
        let source = Arc::new(pages::Asking(Arc::downgrade(&self.desk)));
        let failed = |failed: ClusterError| HttpError::Runtime(failed.to_string());
        let server = runtime().map_err(failed)?.block_on(HttpServer::bind(options, source))?;
        // A scheduler that has closed tells nobody.
        _ = self.desk.send(Inbox::Serving(server.address().port()));
        Ok(server)
    }

    /// Where members connect to.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Ends as if the process had been killed: nobody is told, and connections break. For tests of
    /// clusters that lose their scheduler.
    pub fn kill(&self) {
        self.listeners.iter().for_each(tokio::task::AbortHandle::abort);
        if self.desk.send(Inbox::Kill).is_ok() {
            self.desk.wait(Duration::from_secs(60));
        }
    }

    /// Tells the members to leave, and stops.
    pub fn close(&self, timeout: Duration) {
        self.listeners.iter().for_each(tokio::task::AbortHandle::abort);
        if self.desk.send(Inbox::Close).is_ok() {
            self.desk.wait(timeout);
        }
    }
}

/// A name that no other scheduler has.
fn new_id() -> Result<String, ClusterError> {
    let mut bits = [0; 8];
    SysRng
        .try_fill_bytes(&mut bits)
        .map_err(|failed| crate::security::SecurityError::Random(failed.to_string()))?;
    Ok(format!("Scheduler-{:016x}", u64::from_le_bytes(bits)))
}

/// A new state, or that of the scheduler whose journal is there; and the scheduler's name.
fn new_desk(
    addresses: &[Address],
    options: SchedulerOptions,
) -> Result<(Arc<Desk>, String), ClusterError> {
    let journal = options.journal;
    let scheduling =
        samite_scheduling::Options { journal: journal.is_some(), ..options.scheduling };
    let mut core = Core::new(new_id()?, addresses.to_vec(), scheduling);
    core.pending.manager = Manager::new(options.memory);
    core.pending.coordination.lease = options.patiences.lease;
    core.pending.waiting = Waiting::new(options.patiences);
    let Some(folder) = journal else {
        let id = core.id.clone();
        return Ok((Desk::new(core), id));
    };
    let told = Arc::new(OnceLock::<Weak<Desk>>::new());
    let telling = told.clone();
    let waker = move || -> Durable {
        let telling = telling.clone();
        Box::new(move |records| {
            // The journal's thread must not wait for what waits for it.
            if let Some(desk) = telling.get().and_then(Weak::upgrade) {
                desk.send_later(Inbox::Durable(records));
            }
        })
    };
    core.patience = options.patience;
    let (mut journaling, lines, recovered) = Journaling::open(&folder, Box::new(waker))?;
    if let Some(torn) = recovered.torn_file {
        let (bytes, torn) = (recovered.torn_bytes, torn.display());
        let line = format!("the last {bytes} bytes of the journal were incomplete: see {torn}");
        core.log_loudly("WARNING", line);
    }
    let known = !lines.is_empty();
    if known {
        core.restore(lines, &mut journaling);
    }
    core.begin_journal(journaling);
    if known {
        core.restored();
    }
    let id = core.id.clone();
    let desk = Desk::new(core);
    // Nobody else has set it.
    _ = told.set(Arc::downgrade(&desk));
    Ok((desk, id))
}

impl Drop for SchedulerServer {
    fn drop(&mut self) {
        self.close(Duration::from_secs(1));
    }
}

async fn accept(mut listener: Listener, desk: Arc<Desk>, numbers: Arc<AtomicU64>) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let id = ConnectionId(number);
                let Ok(runtime) = runtime() else { return };
                let local = connection.peer.is_local;
                inline::spawn(runtime, local, read(id, connection, desk.clone()));
            }
            Err(crate::transport::TransportError::Closed { .. }) => return,
            // One peer failed; the listener goes on.
            Err(_) => {}
        }
    }
}

async fn read(id: ConnectionId, connection: Connection, desk: Arc<Desk>) {
    let Connection { sender, mut receiver, peer } = connection;
    if desk.send(Inbox::Connected(id, sender.clone(), peer.is_local)).is_err() {
        return;
    }
    let lost = loop {
        let parcel = match receiver.receive().await {
            Ok(Some(parcel)) => parcel,
            Ok(None) => break false,
            Err(_) => break true,
        };
        match encoded::read::<ToScheduler>(parcel) {
            Ok(messages) => {
                if desk.send(Inbox::Messages(id, messages)).is_err() {
                    return;
                }
            }
            Err(_not_a_member) => {
                sender.abort();
                break false;
            }
        }
    };
    // Nobody listens any more where the scheduler has closed.
    _ = desk.send(Inbox::Ended(id, lost));
}
