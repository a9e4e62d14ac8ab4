//! Connecting anew to a scheduler that was killed and started again, or whose connection broke.
//!
//! Tasks that run go on meanwhile; those that wait are forgotten, since the scheduler sends them
//! again. What the worker holds and runs is told first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use samite_scheduling::worker::Input;
use samite_scheduling::{Event, WorkerId, WorkerOptions};

use super::Shared;
use super::running::{follow_up, take};
use crate::encoded;
use crate::plain::Plain;
use crate::protocol::{FromWorker, Hello, ToWorker};
use crate::scheduler::ToScheduler;
use crate::security::Security;
use crate::transport::{ConnectOptions, Connection, Limits, Receiver, connect};

/// How long a scheduler without a journal is waited for: it may be there, and only the connection
/// have broken.
pub(super) const SHORTLY: Duration = Duration::from_secs(2);
/// How long the answer to a greeting is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// What it takes to connect anew.
pub(super) struct Attaching {
    pub(super) options: WorkerOptions,
    pub(super) about: Plain,
    pub(super) limits: Limits,
    pub(super) security: Security,
    pub(super) patience: Duration,
}

/// Connects anew; `None` where that is not possible, or the worker was closed meanwhile.
pub(super) async fn attach_again(shared: &Arc<Shared>) -> Option<Receiver> {
    let attaching = &shared.attaching;
    let end = Instant::now() + attaching.patience;
    while !shared.is_closed() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let timeout = left.min(Duration::from_secs(2));
        let limits = attaching.limits.clone();
        let how = ConnectOptions { timeout, limits, ..ConnectOptions::default() };
        let connection = match connect(&shared.handle.scheduler, &attaching.security, &how).await {
            Ok(connection) => connection,
            Err(failed) if failed.is_refusal() => return None,
            Err(_) => continue,
        };
        match greet(shared, connection).await {
            Greeted::Known(connection, worker, first) => {
                return attach(shared, *connection, worker, first);
            }
            Greeted::Stranger => return None,
            Greeted::Nobody => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    None
}

enum Greeted {
    Known(Box<Connection>, WorkerId, Vec<ToWorker>),
    /// It is another scheduler.
    Stranger,
    Nobody,
}

async fn greet(shared: &Shared, mut connection: Connection) -> Greeted {
    let hello = Hello::Worker {
        options: shared.attaching.options.clone(),
        address: shared.handle.address.clone(),
        about: shared.attaching.about.clone(),
    };
    let hello = vec![ToScheduler::Worker(FromWorker::Hello(hello))];
    let Ok(parcel) = encoded::write(&hello) else { return Greeted::Stranger };
    if shared.local {
        return Greeted::Stranger;
    }
    if connection.sender.post(parcel).is_err() {
        return Greeted::Nobody;
    }
    let answer = tokio::time::timeout(ANSWER, connection.receiver.receive()).await;
    let Ok(Ok(Some(parcel))) = answer else { return Greeted::Nobody };
    let Ok(mut first) = encoded::read::<ToWorker>(parcel) else { return Greeted::Stranger };
    if first.is_empty() {
        return Greeted::Stranger;
    }
    match first.remove(0) {
        ToWorker::Welcome { worker, about }
            if about.get("id").and_then(Plain::as_text) == Some(&shared.handle.scheduler_id) =>
        {
            Greeted::Known(Box::new(connection), worker, first)
        }
        _ => Greeted::Stranger,
    }
}

/// Makes a connection the worker's, and tells what the worker holds and runs.
fn attach(
    shared: &Arc<Shared>,
    connection: Connection,
    worker: WorkerId,
    first: Vec<ToWorker>,
) -> Option<Receiver> {
    let mut core = shared.core.lock();
    if shared.is_closed() {
        connection.sender.abort();
        return None;
    }
    *shared.scheduler.lock() = connection.sender;
    // What was to be said to the scheduler that is gone is part of what is told now.
    core.reports.clear();
    core.peers.clear();
    core.runs.clear();
    core.forget_unneeded();
    core.tell(Input::Reconnected { worker });
    let slots = core.machine.slots();
    if slots != shared.attaching.options.slots {
        let event = Event::SlotsChanged { worker, slots };
        core.reports.push(ToScheduler::Worker(FromWorker::Report(event)));
    }
    let (bytes, pressure) = core.values.pressure();
    let event = Event::MemoryChanged { worker, bytes, pressure };
    core.reports.push(ToScheduler::Worker(FromWorker::Report(event)));
    core.reports.push(ToScheduler::Worker(FromWorker::Reported));
    follow_up(shared, core);
    take(shared, first);
    Some(connection.receiver)
}
