//! Values from workers: connections that are kept and shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use samite_scheduling::Portion;
use tokio::sync::oneshot;

use crate::encoded;
use crate::error::ClusterError;
use crate::protocol::{Carried, PeerMessage};
use crate::security::Security;
use crate::transport::{Address, ConnectOptions, Parcel, Sender, connect};

type Waiting = FxHashMap<u64, oneshot::Sender<Vec<Option<Carried>>>>;

/// A connection to a worker, with what it was asked for.
struct PeerConnection {
    sender: Sender,
    local: bool,
    /// `None` once the connection has ended.
    waiting: Mutex<Option<Waiting>>,
    next: AtomicU64,
}

/// Connections to workers.
pub(crate) struct Peers {
    security: Security,
    connections: Mutex<FxHashMap<Address, Arc<tokio::sync::OnceCell<Arc<PeerConnection>>>>>,
}

impl Peers {
    pub(crate) fn new(security: Security) -> Self {
        Self { security, connections: Mutex::default() }
    }

    /// Values, or parts of them, that a worker holds; `None` for those that it does not.
    pub(crate) async fn get(
        &self,
        address: &Address,
        portions: Vec<Portion>,
    ) -> Result<Vec<Option<Carried>>, ClusterError> {
        // A connection that was kept may have ended; a new one is tried once.
        match self.try_get(address, portions.clone()).await {
            Err(ClusterError::Closed) => {
                self.connections.lock().remove(address);
                self.try_get(address, portions).await
            }
            answer => answer,
        }
    }

    async fn try_get(
        &self,
        address: &Address,
        portions: Vec<Portion>,
    ) -> Result<Vec<Option<Carried>>, ClusterError> {
        let cell = self.connections.lock().entry(address.clone()).or_default().clone();
        let peer = cell.get_or_try_init(|| self.connect(address)).await?;
        let id = peer.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        match &mut *peer.waiting.lock() {
            Some(waiting) => waiting.insert(id, answer),
            None => return Err(ClusterError::Closed),
        };
        let message = vec![PeerMessage::Get { id, portions }];
        let parcel =
            if peer.local { Parcel::Local(Box::new(message)) } else { encoded::write(&message)? };
        if peer.sender.send(parcel).await.is_err() {
            return Err(ClusterError::Closed);
        }
        answered.await.map_err(|_ended| ClusterError::Closed)
    }

    async fn connect(&self, address: &Address) -> Result<Arc<PeerConnection>, ClusterError> {
        let options = ConnectOptions {
            timeout: std::time::Duration::from_secs(10),
            retry: false,
            ..ConnectOptions::default()
        };
        let connection = connect(address, &self.security, &options).await?;
        let peer = Arc::new(PeerConnection {
            sender: connection.sender,
            local: connection.peer.is_local,
            waiting: Mutex::new(Some(Waiting::default())),
            next: AtomicU64::new(0),
        });
        let (reader, mut receiver) = (peer.clone(), connection.receiver);
        tokio::spawn(async move {
            while let Ok(Some(parcel)) = receiver.receive().await {
                let Ok(messages) = encoded::read::<PeerMessage>(parcel) else { break };
                for message in messages {
                    let PeerMessage::Values { id, values } = message else { continue };
                    let asked = reader.waiting.lock().as_mut().and_then(|all| all.remove(&id));
                    if let Some(asked) = asked {
                        // Whoever asked may have given up.
                        _ = asked.send(values);
                    }
                }
            }
            // Dropping those who wait tells them.
            reader.waiting.lock().take();
            reader.sender.abort();
        });
        Ok(peer)
    }

    /// Ends all connections.
    pub(crate) fn close(&self) {
        for (_, cell) in self.connections.lock().drain().collect::<Vec<_>>() {
            if let Some(peer) = cell.get() {
                peer.sender.close();
            }
        }
    }
}
