//! The scheduler: one thread that owns the scheduling machine, and what it tells to whom.

mod calls;
mod coordination;
mod core;
mod datasets;
mod history;
mod info;
mod members;
mod metadata;
mod moving;
mod names;
mod pages;
mod requests;
mod retiring;
mod topics;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, oneshot};

use crate::encoded;
use crate::error::ClusterError;
use crate::http::{HttpError, HttpOptions, HttpServer, Retire, Snapshot, Worker as ShownWorker};
use crate::protocol::{FromClient, FromWorker};
use crate::security::Security;
use crate::threads::runtime;
use crate::transport::{Address, Connection, Limits, Listener};
use core::Core;

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
    Ended(ConnectionId),
    /// Some wait may be over.
    Tick,
    /// A page asks for the state, with the runs from a number on.
    Show(u64, oneshot::Sender<Snapshot>),
    /// A page asks that workers leave.
    Retire(Retire, oneshot::Sender<Vec<ShownWorker>>),
    /// The port at which pages are served.
    Serving(u16),
    Close,
}

/// How a scheduler behaves.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// The bounds of connections.
    pub limits: Limits,
    /// How the machine decides.
    pub scheduling: samite_scheduling::Options,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self { limits: Limits::default(), scheduling: samite_scheduling::Options::cluster() }
    }
}

/// A scheduler that runs in this process, on threads of its own.
pub struct SchedulerServer {
    id: String,
    addresses: Vec<Address>,
    inbox: mpsc::UnboundedSender<Inbox>,
    listeners: Vec<tokio::task::AbortHandle>,
    thread: Mutex<Option<JoinHandle<()>>>,
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
        let mut bits = [0; 8];
        SysRng
            .try_fill_bytes(&mut bits)
            .map_err(|failed| crate::security::SecurityError::Random(failed.to_string()))?;
        let id = format!("Scheduler-{:016x}", u64::from_le_bytes(bits));
        let (inbox, mail) = mpsc::unbounded_channel();
        let runtime = runtime()?;
        let numbers = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (mut addresses, mut listeners) = (Vec::new(), Vec::new());
        for address in listen {
            let bound = runtime.block_on(Listener::bind(address, security, options.limits.clone()));
            let listener = match bound {
                Ok(listener) => listener,
                Err(failed) => {
                    listeners.iter().for_each(tokio::task::AbortHandle::abort);
                    return Err(failed.into());
                }
            };
            addresses.push(listener.address().contact());
            let accepting = accept(listener, inbox.clone(), numbers.clone());
            listeners.push(runtime.spawn(accepting).abort_handle());
        }
        let weak = inbox.downgrade();
        let core = Core::new(id.clone(), addresses.clone(), options.scheduling);
        let thread = std::thread::Builder::new()
            .name("samite-scheduler".to_owned())
            .spawn(move || serve(core, mail, &weak))
            .map_err(ClusterError::Thread)?;
        Ok(Self { id, addresses, inbox, listeners, thread: Mutex::new(Some(thread)) })
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
        let source = Arc::new(pages::Asking(self.inbox.downgrade()));
        let failed = |failed: ClusterError| HttpError::Runtime(failed.to_string());
        let server = runtime().map_err(failed)?.block_on(HttpServer::bind(options, source))?;
        // A scheduler that has closed tells nobody.
        _ = self.inbox.send(Inbox::Serving(server.address().port()));
        Ok(server)
    }

    /// Where members connect to.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Tells the members to leave, and stops.
    pub fn close(&self, timeout: Duration) {
        self.listeners.iter().for_each(tokio::task::AbortHandle::abort);
        // The thread is gone already where nobody listens.
        _ = self.inbox.send(Inbox::Close);
        let Some(thread) = self.thread.lock().take() else { return };
        let end = Instant::now() + timeout;
        while !thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            // A thread that panicked has said so on its standard error.
            _ = thread.join();
        }
    }
}

impl Drop for SchedulerServer {
    fn drop(&mut self) {
        self.close(Duration::from_secs(1));
    }
}

async fn accept(
    mut listener: Listener,
    inbox: mpsc::UnboundedSender<Inbox>,
    numbers: Arc<std::sync::atomic::AtomicU64>,
) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                let number = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let id = ConnectionId(number);
                tokio::spawn(read(id, connection, inbox.clone()));
            }
            Err(crate::transport::TransportError::Closed { .. }) => return,
            // One peer failed; the listener goes on.
            Err(_) => {}
        }
    }
}

async fn read(id: ConnectionId, connection: Connection, inbox: mpsc::UnboundedSender<Inbox>) {
    let Connection { sender, mut receiver, peer } = connection;
    if inbox.send(Inbox::Connected(id, sender.clone(), peer.is_local)).is_err() {
        return;
    }
    while let Ok(Some(parcel)) = receiver.receive().await {
        match encoded::read::<ToScheduler>(parcel) {
            Ok(messages) => {
                if inbox.send(Inbox::Messages(id, messages)).is_err() {
                    return;
                }
            }
            Err(_not_a_member) => {
                sender.abort();
                break;
            }
        }
    }
    // Nobody listens any more where the scheduler has closed.
    _ = inbox.send(Inbox::Ended(id));
}

/// How many parcels are handled before tasks are placed and answers leave.
const BATCH: usize = 256;

fn serve(
    mut core: Core,
    mut mail: mpsc::UnboundedReceiver<Inbox>,
    inbox: &mpsc::WeakUnboundedSender<Inbox>,
) {
    // When the next `Tick` comes.
    let mut armed: Option<Instant> = None;
    while let Some(first) = mail.blocking_recv() {
        let mut next = Some(first);
        let mut handled = 0;
        while let Some(item) = next {
            match item {
                Inbox::Connected(id, sender, local) => core.connected(id, sender, local),
                Inbox::Messages(id, messages) => core.messages(id, messages),
                Inbox::Ended(id) => core.ended(id),
                Inbox::Tick => {
                    armed = None;
                    core.tick();
                }
                // A page that was closed meanwhile needs no answer.
                Inbox::Serving(port) => core.dashboard = Some(port),
                Inbox::Show(since, answer) => _ = answer.send(core.show(since)),
                Inbox::Retire(request, answer) => {
                    _ = answer.send(core.retire_for_page(request));
                }
                Inbox::Close => {
                    core.close();
                    return;
                }
            }
            handled += 1;
            next = if handled < BATCH { mail.try_recv().ok() } else { None };
        }
        core.finish_batch();
        if core.pending.stopping {
            core.close();
            return;
        }
        if let Some(due) = core.pending.next_deadline()
            && armed.is_none_or(|armed| due < armed)
            && let Ok(runtime) = runtime()
        {
            armed = Some(due);
            let inbox = inbox.clone();
            runtime.spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                if let Some(inbox) = inbox.upgrade() {
                    _ = inbox.send(Inbox::Tick);
                }
            });
        }
    }
}
