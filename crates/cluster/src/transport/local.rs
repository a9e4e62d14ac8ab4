//! Connections inside one process: parcels are handed over as they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use super::{Address, Connection, Limits, Parcel, Peer, Receiver, Sender, TransportError};

/// The listeners of this process, by name.
static LISTENERS: Mutex<BTreeMap<String, Door>> = Mutex::new(BTreeMap::new());
/// Names that nobody chose, and connections.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Where a listener takes connections from.
#[derive(Clone, Debug)]
struct Door {
    limits: Limits,
    connections: mpsc::UnboundedSender<Connection>,
    places: Arc<Semaphore>,
}

/// A name that is taken for as long as this lives.
#[derive(Debug)]
pub(super) struct LocalListener {
    pub(super) name: String,
    pub(super) connections: mpsc::UnboundedReceiver<Connection>,
}

impl LocalListener {
    /// Takes a name; a free one where it is empty. `None` where it is taken.
    pub(super) fn bind(name: &str, limits: Limits) -> Option<Self> {
        let mut listeners = LISTENERS.lock();
        let name = if name.is_empty() {
            format!("{}/{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
        } else {
            name.to_owned()
        };
        if listeners.contains_key(&name) {
            return None;
        }
        let (door, connections) = mpsc::unbounded_channel();
        let places = Arc::new(Semaphore::new(limits.connections));
        listeners.insert(name.clone(), Door { limits, connections: door, places });
        Some(Self { name, connections })
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        LISTENERS.lock().remove(&self.name);
    }
}

/// Why there is no connection.
pub(super) enum NoConnection {
    /// No listener has that name.
    Nobody,
    /// The listener has as many connections as it allows.
    Full,
}

/// Connects to the listener of that name.
pub(super) fn connect(name: &str, limits: &Limits) -> Result<Connection, NoConnection> {
    let door = LISTENERS.lock().get(name).cloned().ok_or(NoConnection::Nobody)?;
    let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else {
        return Err(NoConnection::Full);
    };
    let caller = format!("{name}/{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let there = Address::InProcess(name.to_owned());
    let here = Address::InProcess(caller);
    let link = Arc::new(Link { aborted: Semaphore::new(0), _place: place });
    let (to_listener, from_caller) = direction(&there, &here, limits, &link);
    let (to_caller, from_listener) = direction(&here, &there, &door.limits, &link);
    let answered = door.connections.send(Connection {
        sender: Sender::local(to_caller),
        receiver: Receiver::local(from_caller),
        peer: Peer { address: here, is_local: true },
    });
    if answered.is_err() {
        return Err(NoConnection::Nobody);
    }
    Ok(Connection {
        sender: Sender::local(to_listener),
        receiver: Receiver::local(from_listener),
        peer: Peer { address: there, is_local: true },
    })
}

/// What both directions share.
#[derive(Debug)]
struct Link {
    /// Closed when the connection was aborted.
    aborted: Semaphore,
    _place: tokio::sync::OwnedSemaphorePermit,
}

fn direction(
    to: &Address,
    from: &Address,
    limits: &Limits,
    link: &Arc<Link>,
) -> (LocalSender, LocalReceiver) {
    let (parcels, arriving) = mpsc::unbounded_channel();
    let most = limits.in_flight_bytes.clamp(1, u32::MAX as usize);
    let way = Arc::new(Way {
        most,
        queued_bytes: limits.queued_bytes,
        budget: Semaphore::new(most),
        waiting: AtomicUsize::new(0),
        closed: AtomicBool::new(false),
    });
    let sender =
        LocalSender { peer: to.clone(), parcels, way: Arc::clone(&way), link: Arc::clone(link) };
    let receiver =
        LocalReceiver { peer: from.clone(), arriving, way, link: Arc::clone(link), ended: false };
    (sender, receiver)
}

/// What is on its way in one direction.
#[derive(Debug)]
struct Way {
    most: usize,
    queued_bytes: usize,
    budget: Semaphore,
    waiting: AtomicUsize,
    closed: AtomicBool,
}

/// A parcel, or the end; with what the budget and the count get back.
#[derive(Debug)]
enum Item {
    Parcel { parcel: Parcel, permits: u32, cost: usize },
    End,
}

#[derive(Clone, Debug)]
pub(super) struct LocalSender {
    peer: Address,
    parcels: mpsc::UnboundedSender<Item>,
    way: Arc<Way>,
    link: Arc<Link>,
}

impl LocalSender {
    pub(super) async fn send(&self, parcel: Parcel) -> Result<(), TransportError> {
        let permits = parcel.cost().clamp(1, self.way.most) as u32;
        match self.way.budget.try_acquire_many(permits) {
            Ok(permit) => permit.forget(),
            Err(_) => match self.way.budget.acquire_many(permits).await {
                Ok(permit) => permit.forget(),
                Err(_) => return Err(self.gone()),
            },
        }
        self.hand_over(parcel, permits)
    }

    pub(super) fn post(&self, parcel: Parcel) -> Result<(), TransportError> {
        let (bytes, limit) = (self.waiting_bytes(), self.way.queued_bytes);
        if bytes > limit {
            return Err(TransportError::Congested { address: self.peer.clone(), bytes, limit });
        }
        self.hand_over(parcel, 0)
    }

    fn hand_over(&self, parcel: Parcel, permits: u32) -> Result<(), TransportError> {
        if self.way.closed.load(Ordering::Acquire) || self.link.aborted.is_closed() {
            return Err(self.gone());
        }
        let cost = parcel.cost();
        self.way.waiting.fetch_add(cost, Ordering::Relaxed);
        self.parcels.send(Item::Parcel { parcel, permits, cost }).map_err(|_| self.gone())
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.way.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        if !self.way.closed.swap(true, Ordering::AcqRel) {
            // A receiver that is gone needs no end.
            _ = self.parcels.send(Item::End);
        }
    }

    pub(super) fn abort(&self) {
        self.link.aborted.close();
        self.way.budget.close();
    }

    fn gone(&self) -> TransportError {
        if self.way.closed.load(Ordering::Acquire) || self.link.aborted.is_closed() {
            return TransportError::Closed { address: self.peer.clone() };
        }
        TransportError::Lost { address: self.peer.clone(), source: None }
    }
}

#[derive(Debug)]
pub(super) struct LocalReceiver {
    peer: Address,
    arriving: mpsc::UnboundedReceiver<Item>,
    way: Arc<Way>,
    link: Arc<Link>,
    ended: bool,
}

impl LocalReceiver {
    pub(super) async fn receive(&mut self) -> Result<Option<Parcel>, TransportError> {
        if self.ended {
            return Ok(None);
        }
        tokio::select! {
            biased;
            _ = self.link.aborted.acquire() => {
                Err(TransportError::Closed { address: self.peer.clone() })
            }
            item = self.arriving.recv() => match item {
                Some(Item::Parcel { parcel, permits, cost }) => {
                    self.way.waiting.fetch_sub(cost, Ordering::Relaxed);
                    self.way.budget.add_permits(permits as usize);
                    Ok(Some(parcel))
                }
                Some(Item::End) | None => {
                    self.ended = true;
                    Ok(None)
                }
            }
        }
    }
}

impl Drop for LocalReceiver {
    fn drop(&mut self) {
        // Whoever waits to send learns that nobody is there.
        self.way.budget.close();
    }
}
