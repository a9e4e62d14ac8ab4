//! A client: results by name, what is known of them, and how they are had.

mod attaching;
mod fetching;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustc_hash::FxHashMap;

use crate::encoded;
use crate::error::ClusterError;
use crate::executor::Executor;
use crate::inline::{self, Here};
use crate::patience::Patience;
use crate::peers::{Fetching, Peers};
use crate::plain::{Fault, Plain};
use crate::protocol::{Carried, FromClient, Hello, Key, Location, Submission, ToClient};
use crate::scheduler::ToScheduler;
use crate::security::Security;
use crate::threads::{deadline, runtime};
use crate::transport::{Address, ConnectOptions, Parcel, Sender, connect};

pub use fetching::Outcome;
pub use table::Status;
use table::Table;

/// Called when a result is there, or will not be.
pub type Watcher = Box<dyn FnOnce(&Key, &Status) + Send>;
/// Called with the answer to a request.
pub type Answer = Box<dyn FnOnce(Result<Plain, Fault>) + Send>;
/// Called with each event of a topic.
pub type Listener = Arc<dyn Fn(&Plain) + Send + Sync>;

/// What the client's own thread calls, in order.
enum Call {
    Watcher(Watcher, Key, Status),
    Answer(Answer, Result<Plain, Fault>),
    Event(Listener, Plain),
}

/// A request without an answer, and what it was where it may be asked again.
struct Asked {
    answer: Answer,
    again: Option<(String, FromClient)>,
}

type Places = Vec<Option<Location>>;
type Relayed = Vec<Option<Carried>>;

struct Shared {
    address: Address,
    id: String,
    scheduler_id: String,
    table: Mutex<Table>,
    changed: Condvar,
    patience: Patience,
    /// Replaced when the client connects anew, under the table's lock.
    sender: Mutex<Sender>,
    /// How it connects anew; `None` where that makes no sense.
    attaching: Option<attaching::Attaching>,
    local: bool,
    executor: Arc<dyn Executor>,
    peers: Peers,
    requests: Mutex<FxHashMap<u64, Asked>>,
    located: Mutex<FxHashMap<u64, mpsc::SyncSender<Places>>>,
    relayed: Mutex<FxHashMap<u64, mpsc::SyncSender<Relayed>>>,
    listeners: Mutex<FxHashMap<String, Listener>>,
    calls: Mutex<Option<mpsc::Sender<Call>>>,
    next: AtomicU64,
    closed: AtomicBool,
    /// Whether a task will send the releases that wait.
    releasing: AtomicBool,
}

/// How a client connects.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// How long the scheduler is waited for; by default 30 seconds.
    pub timeout: Option<Duration>,
    /// How values are fetched from workers. Its bounds of connections are those to the scheduler,
    /// too.
    pub fetching: Fetching,
}

impl From<Duration> for ClientOptions {
    fn from(timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..Self::default() }
    }
}

/// A connection to a scheduler. Clones share it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// Releases wait this long for others.
const RELEASE_AFTER: Duration = Duration::from_millis(5);
/// A submission of so many results is placed by the thread that makes it, in one process.
const FEW: usize = 32;
/// How often a wait looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(50);

impl Client {
    /// Connects to a scheduler.
    ///
    /// # Errors
    /// Where it cannot be reached, or does not answer.
    pub fn connect(
        address: &Address,
        security: &Security,
        name: &str,
        executor: Arc<dyn Executor>,
        options: impl Into<ClientOptions>,
    ) -> Result<Self, ClusterError> {
        let runtime = runtime()?;
        let ClientOptions { timeout, fetching } = options.into();
        let timeout = timeout.unwrap_or(Duration::from_secs(30));
        let limits = fetching.limits.clone();
        let how = ConnectOptions { timeout, limits, ..ConnectOptions::default() };
        let connection = runtime.block_on(connect(address, security, &how))?;
        let local = connection.peer.is_local;
        let hello = ToScheduler::Client(FromClient::Hello(Hello::Client {
            name: name.to_owned(),
            before: None,
        }));
        connection.sender.post(parcel(local, vec![hello])?)?;
        let mut receiver = connection.receiver;
        let welcome =
            runtime.block_on(async { tokio::time::timeout(timeout, receiver.receive()).await });
        let Ok(welcome) = welcome else {
            let (address, seconds) = (address.to_string(), timeout.as_secs_f64());
            return Err(ClusterError::TimedOut { address, seconds });
        };
        let stranger = || ClusterError::NotAScheduler(address.to_string());
        let first = encoded::read::<ToClient>(welcome?.ok_or_else(stranger)?)?;
        let Some(ToClient::Welcome { client, scheduler, about }) = first.into_iter().next() else {
            return Err(stranger());
        };
        let journals = about.get("journal").is_some_and(Plain::is_true);
        let attaching = journals.then(|| attaching::Attaching {
            client,
            name: name.to_owned(),
            security: security.clone(),
            limits: fetching.limits.clone(),
            kept: Mutex::default(),
        });
        let (calls, mailbox) = mpsc::channel();
        let shared = Arc::new(Shared {
            address: address.clone(),
            id: format!("{name}-{client}"),
            scheduler_id: scheduler,
            table: Mutex::default(),
            changed: Condvar::new(),
            patience: Patience::default(),
            sender: Mutex::new(connection.sender),
            attaching,
            local,
            executor: executor.clone(),
            peers: Peers::new(security.clone(), fetching),
            requests: Mutex::default(),
            located: Mutex::default(),
            relayed: Mutex::default(),
            listeners: Mutex::default(),
            calls: Mutex::new(Some(calls)),
            next: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            releasing: AtomicBool::new(false),
        });
        std::thread::Builder::new()
            .name("samite-client".to_owned())
            .spawn(move || executor.thread(&mut || answer(&mailbox)))
            .map_err(ClusterError::Thread)?;
        let reader = shared.clone();
        let reading = async move {
            loop {
                let lost = loop {
                    match receiver.receive().await {
                        Ok(Some(parcel)) => match encoded::read::<ToClient>(parcel) {
                            Ok(messages) => reader.take(messages),
                            Err(_) => break false,
                        },
                        Ok(None) => break false,
                        Err(_) => break true,
                    }
                };
                if !lost {
                    break;
                }
                match reader.attach_again().await {
                    Some(again) => receiver = again,
                    None => break,
                }
            }
            reader.shut_down();
        };
        inline::spawn(runtime, local, reading);
        Ok(Self { shared })
    }

    /// A name that no other client of the scheduler has.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The name of the scheduler.
    pub fn scheduler_id(&self) -> &str {
        &self.shared.scheduler_id
    }

    /// Where the scheduler is.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// How values are read.
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.shared.executor
    }

    /// Submits a graph. Its results are kept until they are [released](Self::release).
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn submit(&self, submission: Submission) -> Result<(), ClusterError> {
        self.submit_for(submission, 0)
    }

    /// Submits a graph, and counts a holder of each result, as [`retain`](Self::retain) would;
    /// also where this fails.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn submit_held(&self, submission: Submission) -> Result<(), ClusterError> {
        self.submit_for(submission, 1)
    }

    fn submit_for(&self, submission: Submission, holders: usize) -> Result<(), ClusterError> {
        // The caller has more to do than to place many tasks.
        let _here = (submission.outputs.len() <= FEW).then(Here::begin);
        let mut table = self.shared.table.lock();
        if self.is_closed() {
            if holders > 0 {
                table.abandon(&submission.outputs, "the client is closed");
            }
            return Err(ClusterError::Closed);
        }
        table.submitted_all(&submission.outputs, holders);
        self.shared.send(&mut table, FromClient::Submit(Box::new(submission)))
    }

    /// Results of which somebody holds futures already will not be submitted: counts a holder of
    /// each, and tells whoever waits that it is cancelled.
    pub fn abandon(&self, keys: &[Key], reason: &str) {
        let mut calls = Vec::new();
        let mut table = self.shared.table.lock();
        table.abandon(keys, reason);
        keys.iter().for_each(|key| watched(&mut table, key, &mut calls));
        drop(table);
        self.shared.changed.notify_all();
        calls.into_iter().for_each(|call| self.shared.call(call));
    }

    /// Counts one more holder of each result.
    pub fn retain(&self, keys: &[Key]) {
        let mut table = self.shared.table.lock();
        let news: Vec<Key> = keys.iter().filter(|key| table.retain(key)).cloned().collect();
        if !news.is_empty() {
            // A closed connection makes the results cancelled.
            _ = self.shared.send(&mut table, FromClient::Retain(news));
        }
    }

    /// Counts one holder less of each result; without any, the scheduler is told.
    pub fn release(&self, keys: &[Key]) {
        let mut table = self.shared.table.lock();
        let dropped: Vec<_> = keys.iter().filter_map(|key| table.release(key)).collect();
        let due = !table.released.is_empty();
        drop(table);
        drop(dropped);
        if due && !self.shared.releasing.swap(true, Ordering::AcqRel) {
            let shared = self.shared.clone();
            let Ok(runtime) = runtime() else { return };
            runtime.spawn(async move {
                tokio::time::sleep(RELEASE_AFTER).await;
                shared.releasing.store(false, Ordering::Release);
                let mut table = shared.table.lock();
                shared.flush(&mut table, Vec::new());
            });
        }
    }

    /// The results that futures hold here, and how many hold each.
    #[must_use]
    pub fn held(&self) -> Vec<(Key, usize)> {
        self.shared.table.lock().held()
    }

    /// What is known of a result.
    pub fn status(&self, key: &Key) -> Status {
        self.shared.table.lock().status(key)
    }

    /// Waits until all results are there or will not be, or with `first` until one is. False where
    /// the time was over, or `go_on` said no.
    pub fn wait(
        &self,
        keys: &[Key],
        timeout: Option<Duration>,
        first: bool,
        go_on: &mut dyn FnMut() -> bool,
    ) -> bool {
        let end = deadline(timeout);
        let mut table = self.shared.table.lock();
        let mut done = 0;
        let mut over = |table: &Table| {
            if first {
                return keys.is_empty() || keys.iter().any(|key| !table.is_pending(key));
            }
            while done < keys.len() && !table.is_pending(&keys[done]) {
                done += 1;
            }
            done == keys.len()
        };
        if over(&table) {
            return true;
        }
        let patience = &self.shared.patience;
        let began = patience.begin();
        MutexGuard::unlocked(&mut table, || patience.look(&began));
        let there = loop {
            if over(&table) {
                break true;
            }
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                break false;
            }
            let pause = end.map_or(LOOK, |end| LOOK.min(end - now));
            let timed_out = self.shared.changed.wait_for(&mut table, pause).timed_out();
            if timed_out && !MutexGuard::unlocked(&mut table, &mut *go_on) {
                break false;
            }
        };
        patience.end(&began);
        there
    }

    /// Waits until all results are there, or one will not be: the place of the first such one that
    /// is known then. `None` where all are there, the time was over, or `go_on` said no.
    pub fn first_failure(
        &self,
        keys: &[Key],
        timeout: Option<Duration>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Option<usize> {
        let end = deadline(timeout);
        let mut table = self.shared.table.lock();
        let (mut done, mut failures) = (0, None);
        loop {
            if failures != Some(table.failures) {
                failures = Some(table.failures);
                if let Some(place) = keys.iter().position(|key| table.has_failed(key)) {
                    return Some(place);
                }
            }
            while done < keys.len() && !table.is_pending(&keys[done]) {
                done += 1;
            }
            let now = Instant::now();
            if done == keys.len() || end.is_some_and(|end| end <= now) {
                return None;
            }
            let pause = end.map_or(LOOK, |end| LOOK.min(end - now));
            let timed_out = self.shared.changed.wait_for(&mut table, pause).timed_out();
            if timed_out && !parking_lot::MutexGuard::unlocked(&mut table, &mut *go_on) {
                return None;
            }
        }
    }

    /// Calls back once for each result, when it is there or will not be.
    pub fn watch(&self, key: &Key, watcher: Watcher) {
        let mut table = self.shared.table.lock();
        if table.is_pending(key) {
            table.watch(key, watcher);
            return;
        }
        let status = table.status(key);
        drop(table);
        self.shared.call(Call::Watcher(watcher, key.clone(), status));
    }

    /// Drops results, and stops what makes them. Those that other clients want too are dropped for
    /// this client alone, unless it is forced.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn cancel(&self, keys: Vec<Key>, reason: &str, force: bool) -> Result<(), ClusterError> {
        let reason = reason.to_owned();
        let mut table = self.shared.table.lock();
        self.shared.send(&mut table, FromClient::Cancel { keys, reason, force })
    }

    /// Runs failed tasks again, and those that they need.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn retry(&self, keys: Vec<Key>) -> Result<(), ClusterError> {
        let mut table = self.shared.table.lock();
        let before: Vec<_> = keys.iter().filter_map(|key| table.pending(key)).collect();
        let sent = self.shared.send(&mut table, FromClient::Retry(keys));
        drop(table);
        drop(before);
        sent
    }

    /// Brings values to workers: to each of these, or where there are none, to some. While any of the
    /// values is wanted, so are the results in `holds`, which the values name.
    ///
    /// # Errors
    /// [`ClusterError::Closed`]; the scheduler's fault comes with the answer.
    #[allow(clippy::too_many_arguments)]
    pub fn scatter(
        &self,
        keys: Vec<Key>,
        values: Vec<Carried>,
        sizes: Vec<u64>,
        workers: Vec<String>,
        copies: u32,
        holds: Vec<Key>,
        answer: Answer,
    ) -> Result<(), ClusterError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let mut table = self.shared.table.lock();
        keys.iter().for_each(|key| table.submitted(key));
        let message = FromClient::Scatter { id, keys, values, sizes, workers, copies, holds };
        self.shared.asked(id, "scatter", &message, answer);
        self.shared.send(&mut table, message)
    }

    /// Whether values can be handed over as they are.
    pub fn is_local(&self) -> bool {
        self.shared.local
    }

    /// Asks the scheduler for something, and calls back with the answer.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn request_later(
        &self,
        name: &str,
        arguments: Plain,
        answer: Answer,
    ) -> Result<(), ClusterError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let message = FromClient::Request { id, name: name.to_owned(), arguments };
        self.shared.asked(id, name, &message, answer);
        let mut table = self.shared.table.lock();
        let sent = self.shared.send(&mut table, message);
        if sent.is_err() {
            self.shared.requests.lock().remove(&id);
        }
        sent
    }

    /// Asks the scheduler for something, and waits for the answer: `None` where the time was over or
    /// `go_on` said no.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn request(
        &self,
        name: &str,
        arguments: Plain,
        timeout: Option<Duration>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Result<Plain, Fault>>, ClusterError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        // Whoever waits takes the answer itself, without the client's thread between.
        let answer: Answer = Box::new(move |answer| _ = sender.send(answer));
        let message = FromClient::Request { id, name: name.to_owned(), arguments };
        self.shared.asked(id, name, &message, answer);
        {
            let _here = Here::begin();
            let mut table = self.shared.table.lock();
            self.shared.send(&mut table, message)?;
        }
        let end = deadline(timeout);
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok(answer) => return Ok(Some(answer)),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(ClusterError::Closed),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if end.is_some_and(|end| end <= Instant::now()) || !go_on() {
                        self.shared.requests.lock().remove(&id);
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Calls back with each event of a topic.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn subscribe(&self, topic: &str, listener: Listener) -> Result<(), ClusterError> {
        self.shared.listeners.lock().insert(topic.to_owned(), listener);
        let arguments = Plain::map([("topic", Plain::text(topic))]);
        self.request_later("subscribe", arguments, Box::new(drop))
    }

    /// Ends events of a topic.
    ///
    /// # Errors
    /// [`ClusterError::Closed`].
    pub fn unsubscribe(&self, topic: &str) -> Result<(), ClusterError> {
        let gone = self.shared.listeners.lock().remove(topic);
        drop(gone);
        let arguments = Plain::map([("topic", Plain::text(topic))]);
        self.request_later("unsubscribe", arguments, Box::new(drop))
    }

    /// How many requests wait for their answers.
    pub fn waiting_requests(&self) -> usize {
        self.shared.requests.lock().len()
    }

    /// Leaves the scheduler.
    pub fn close(&self) {
        {
            let mut table = self.shared.table.lock();
            self.shared.flush(&mut table, Vec::new());
        }
        self.shared.shut_down();
    }
}

fn parcel(local: bool, messages: Vec<ToScheduler>) -> Result<Parcel, ClusterError> {
    if local { Ok(Parcel::Local(Box::new(messages))) } else { Ok(encoded::write(&messages)?) }
}

/// What the client's thread does until the client is closed.
fn answer(mailbox: &mpsc::Receiver<Call>) {
    while let Ok(call) = mailbox.recv() {
        match call {
            Call::Watcher(watcher, key, status) => watcher(&key, &status),
            Call::Answer(answer, outcome) => answer(outcome),
            Call::Event(listener, event) => listener(&event),
        }
    }
}

impl Shared {
    fn call(&self, call: Call) {
        if let Some(calls) = &*self.calls.lock() {
            // The thread is there for as long as the sender is.
            _ = calls.send(call);
        }
    }

    /// Sends a message after the releases that wait; under the table's lock, which keeps the order.
    fn send(&self, table: &mut Table, message: FromClient) -> Result<(), ClusterError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(ClusterError::Closed);
        }
        let sent = self.flush(table, vec![ToScheduler::Client(self.kept(message))]);
        // What cannot be sent now is made up for when the client has connected anew.
        if sent || self.attaching.is_some() { Ok(()) } else { Err(ClusterError::Closed) }
    }

    fn flush(&self, table: &mut Table, more: Vec<ToScheduler>) -> bool {
        let mut messages = Vec::with_capacity(more.len() + 1);
        let released = table.take_released();
        if !released.is_empty() {
            messages.push(ToScheduler::Client(FromClient::Release(released)));
        }
        messages.extend(more);
        if messages.is_empty() {
            return true;
        }
        parcel(self.local, messages).is_ok_and(|parcel| self.sender.lock().post(parcel).is_ok())
    }

    /// Takes messages of the scheduler.
    fn take(&self, messages: Vec<ToClient>) {
        let mut calls = Vec::new();
        let (mut old, mut before) = (Vec::new(), Vec::new());
        let mut table = self.table.lock();
        for message in messages {
            match message {
                ToClient::Welcome { .. } => {}
                ToClient::Ready(ready) => {
                    let key = ready.key.clone();
                    old.extend(table.ready(ready));
                    watched(&mut table, &key, &mut calls);
                }
                ToClient::Erred { key, origin, erred } => {
                    before.push(table.settle(&key, Status::Erred { origin, erred }));
                    watched(&mut table, &key, &mut calls);
                }
                ToClient::Cancelled { key, reason } => {
                    before.push(table.settle(&key, Status::Cancelled { reason }));
                    watched(&mut table, &key, &mut calls);
                }
                ToClient::Pending { key } => before.extend(table.pending(&key)),
                ToClient::Located { id, places } => {
                    if let Some(asked) = self.located.lock().remove(&id) {
                        // Whoever asked may have given up.
                        _ = asked.send(places);
                    }
                }
                ToClient::Fetched { id, values } => {
                    if let Some(asked) = self.relayed.lock().remove(&id) {
                        // Whoever asked may have given up.
                        _ = asked.send(values);
                    }
                }
                ToClient::Reply { id, answer } => {
                    if let Some(asked) = self.requests.lock().remove(&id) {
                        calls.push(Call::Answer(asked.answer, answer));
                    }
                }
                ToClient::Acknowledged { numbers } => self.acknowledged(&numbers),
                ToClient::Event { topic, event } => {
                    if let Some(listener) = self.listeners.lock().get(&topic) {
                        calls.push(Call::Event(listener.clone(), event));
                    }
                }
            }
        }
        self.patience.tell();
        drop(table);
        self.changed.notify_all();
        calls.into_iter().for_each(|call| self.call(call));
        drop((old, before));
    }

    fn shut_down(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.peers.close();
        let mut calls = Vec::new();
        let mut table = self.table.lock();
        // Under the lock: a connection that was made meanwhile is this one, or is given up.
        self.sender.lock().close();
        for key in table.close() {
            watched(&mut table, &key, &mut calls);
        }
        drop(table);
        self.changed.notify_all();
        calls.into_iter().for_each(|call| self.call(call));
        let requests: Vec<_> = self.requests.lock().drain().collect();
        for (_, asked) in requests {
            let fault = Fault::new("CommClosedError", "the connection to the scheduler is closed");
            self.call(Call::Answer(asked.answer, Err(fault)));
        }
        self.located.lock().clear();
        self.relayed.lock().clear();
        // Nothing comes any more; futures may hold the client for long.
        let listeners = std::mem::take(&mut *self.listeners.lock());
        drop(listeners);
        self.calls.lock().take();
    }
}

fn watched(table: &mut Table, key: &Key, calls: &mut Vec<Call>) {
    for watcher in table.watchers(key) {
        let status = table.status(key);
        calls.push(Call::Watcher(watcher, key.clone(), status));
    }
}
