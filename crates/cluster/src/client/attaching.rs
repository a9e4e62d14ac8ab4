//! Connecting anew to a scheduler that was killed and started again on its journal, or whose
//! connection broke.
//!
//! The client keeps what it has submitted until the scheduler has it on its disk, and sends that
//! again, with the names of all results that it wants. Requests that wait for an answer are asked
//! again where asking twice does no harm, and fail otherwise.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Answer, Asked, Call, Shared, parcel};
use crate::encoded;
use crate::plain::Fault;
use crate::protocol::{FromClient, Hello, Key, ToClient};
use crate::scheduler::ToScheduler;
use crate::security::Security;
use crate::transport::{ConnectOptions, Connection, Limits, Receiver, connect};

/// How long the scheduler is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the answer to a greeting is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// What it takes to connect anew.
pub(super) struct Attaching {
    /// The number that the scheduler gave the client.
    pub(super) client: u64,
    pub(super) name: String,
    pub(super) security: Security,
    pub(super) limits: Limits,
    /// What the scheduler may not have on its disk yet.
    pub(super) kept: Mutex<BTreeMap<u64, FromClient>>,
}

/// Requests that may be asked twice: they change nothing, or the same thing.
const HARMLESS: [&str; 34] = [
    "adaptive_target",
    "amm",
    "amm_enact",
    "amm_manage",
    "amm_state",
    "counts",
    "demand",
    "dump_state",
    "event_clear",
    "event_is_set",
    "event_set",
    "event_wait",
    "get_dataset",
    "get_events",
    "get_metadata",
    "has_what",
    "list_datasets",
    "lock_locked",
    "nbytes",
    "nthreads",
    "processing",
    "queue_qsize",
    "runs",
    "scheduler_info",
    "scheduler_logs",
    "semaphore_value",
    "set_metadata",
    "story",
    "subscribe",
    "task_specs",
    "task_stream",
    "variable_get",
    "variable_set",
    "who_has",
];

impl Shared {
    /// Notes a request whose answer is awaited.
    pub(super) fn asked(&self, id: u64, name: &str, message: &FromClient, answer: Answer) {
        let again = self.attaching.as_ref().map(|_| (name.to_owned(), message.clone()));
        self.requests.lock().insert(id, Asked { answer, again });
    }

    /// Keeps a message until the scheduler has it on its disk, where that matters.
    pub(super) fn kept(&self, message: FromClient) -> FromClient {
        let Some(attaching) = &self.attaching else { return message };
        let matters = matches!(
            message,
            FromClient::Submit(_) | FromClient::Cancel { .. } | FromClient::Retry(_)
        );
        if !matters {
            return message;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let message = FromClient::Keep { number, message: Box::new(message) };
        attaching.kept.lock().insert(number, message.clone());
        message
    }

    /// The scheduler has these on its disk.
    pub(super) fn acknowledged(&self, numbers: &[u64]) {
        let Some(attaching) = &self.attaching else { return };
        let mut kept = attaching.kept.lock();
        let done: Vec<_> = numbers.iter().filter_map(|number| kept.remove(number)).collect();
        drop(kept);
        drop(done);
    }

    /// Connects anew; `None` where that is not possible, or the client was closed meanwhile.
    pub(super) async fn attach_again(&self) -> Option<Receiver> {
        let attaching = self.attaching.as_ref()?;
        let end = Instant::now() + PATIENCE;
        while !self.closed.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let timeout = left.min(Duration::from_secs(2));
            let limits = attaching.limits.clone();
            let how = ConnectOptions { timeout, limits, ..ConnectOptions::default() };
            let connection = match connect(&self.address, &attaching.security, &how).await {
                Ok(connection) => connection,
                Err(failed) if failed.is_refusal() => return None,
                Err(_) => continue,
            };
            match self.greet(attaching, connection).await {
                Greeted::Known(connection) => return self.attach(attaching, *connection),
                Greeted::Stranger => return None,
                Greeted::Nobody => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        None
    }

    async fn greet(&self, attaching: &Attaching, mut connection: Connection) -> Greeted {
        let (name, before) = (attaching.name.clone(), Some(attaching.client));
        let hello = ToScheduler::Client(FromClient::Hello(Hello::Client { name, before }));
        let Ok(parcel) = parcel(self.local, vec![hello]) else { return Greeted::Stranger };
        if connection.sender.post(parcel).is_err() {
            return Greeted::Nobody;
        }
        let answer = tokio::time::timeout(ANSWER, connection.receiver.receive()).await;
        let Ok(Ok(Some(parcel))) = answer else { return Greeted::Nobody };
        let Ok(first) = encoded::read::<ToClient>(parcel) else { return Greeted::Stranger };
        match first.into_iter().next() {
            Some(ToClient::Welcome { client, scheduler, .. })
                if scheduler == self.scheduler_id && client == attaching.client =>
            {
                Greeted::Known(Box::new(connection))
            }
            _ => Greeted::Stranger,
        }
    }

    /// Makes a connection the client's, and tells the scheduler all that it may not know.
    fn attach(&self, attaching: &Attaching, connection: Connection) -> Option<Receiver> {
        let mut refused = Vec::new();
        let mut table = self.table.lock();
        if self.closed.load(Ordering::Acquire) {
            connection.sender.close();
            return None;
        }
        // Under the lock nobody sends: what was sent before went to the connection that is gone.
        *self.sender.lock() = connection.sender;
        let mut messages: Vec<FromClient> = attaching.kept.lock().values().cloned().collect();
        let again: Vec<Key> = messages
            .iter()
            .filter_map(|message| match message {
                FromClient::Keep { message, .. } => match &**message {
                    FromClient::Submit(submission) => Some(&submission.outputs),
                    _ => None,
                },
                _ => None,
            })
            .flatten()
            .cloned()
            .collect();
        let (submitted, others) = table.wanted();
        let released = again.into_iter().filter(|key| !table.is_wanted(key)).collect();
        messages.push(FromClient::Attached { submitted, others });
        messages.push(FromClient::Release(released));
        let mut requests = self.requests.lock();
        let mut ids: Vec<u64> = requests.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(asked) = requests.get(&id) else { continue };
            match &asked.again {
                Some((name, message))
                    if name == "scatter" || HARMLESS.binary_search(&&**name).is_ok() =>
                {
                    messages.push(message.clone());
                }
                _ => refused.extend(requests.remove(&id)),
            }
        }
        drop(requests);
        self.located.lock().clear();
        self.relayed.lock().clear();
        table.take_released();
        let messages = messages.into_iter().map(ToScheduler::Client).collect();
        let sent = self.flush(&mut table, messages);
        drop(table);
        for asked in refused {
            let name = asked.again.map(|(name, _)| name).unwrap_or_default();
            let text = format!(
                "the connection to the scheduler was lost before it answered {name:?}; whether it \
                 was carried out is not known: look, and ask again"
            );
            self.call(Call::Answer(asked.answer, Err(Fault::new("CommClosedError", text))));
        }
        self.changed.notify_all();
        // Where it could not be sent, the receiver says so at once.
        _ = sent;
        Some(connection.receiver)
    }
}

enum Greeted {
    Known(Box<Connection>),
    /// It is another scheduler, or does not know this client.
    Stranger,
    Nobody,
}
