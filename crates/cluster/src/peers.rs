//! Values from workers: connections that are kept and shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use samite_scheduling::Portion;
use tokio::sync::oneshot;

use crate::encoded;
use crate::error::ClusterError;
use crate::protocol::{Carried, PeerMessage};
use crate::security::Security;
use crate::transport::{Address, ConnectOptions, Limits, Parcel, Sender, connect};

type Waiting = FxHashMap<u64, oneshot::Sender<Vec<Option<Carried>>>>;

/// A connection to a worker, with what it was asked for.
struct PeerConnection {
    sender: Sender,
    local: bool,
    /// `None` once the connection has ended.
    waiting: Mutex<Option<Waiting>>,
    next: AtomicU64,
}

/// How values are fetched from workers.
#[derive(Clone, Debug)]
pub struct Fetching {
    /// How long connecting to a worker may take.
    pub timeout: Duration,
    /// How often a worker that cannot be reached is called again, before its values are taken for
    /// lost.
    pub retries: u32,
    /// The pause before the first of these calls, which doubles with each.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The bounds of connections.
    pub limits: Limits,
}

impl Default for Fetching {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 0,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(20),
            limits: Limits::default(),
        }
    }
}

/// Connections to workers.
pub(crate) struct Peers {
    security: Security,
    how: Fetching,
    connections: Mutex<FxHashMap<Address, Arc<tokio::sync::OnceCell<Arc<PeerConnection>>>>>,
}

impl Peers {
    pub(crate) fn new(security: Security, how: Fetching) -> Self {
        Self { security, how, connections: Mutex::default() }
    }

    /// Values, or parts of them, that a worker holds; `None` for those that it does not.
    pub(crate) async fn get(
        &self,
        address: &Address,
        portions: Vec<Portion>,
    ) -> Result<Vec<Option<Carried>>, ClusterError> {
        let mut pause = self.how.first_pause;
        for _ in 0..self.how.retries {
            match self.get_once(address, &portions).await {
                Err(ClusterError::Closed | ClusterError::Transport(_)) => {}
                answer => return answer,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.how.longest_pause);
        }
        self.get_once(address, &portions).await
    }

    async fn get_once(
        &self,
        address: &Address,
        portions: &[Portion],
    ) -> Result<Vec<Option<Carried>>, ClusterError> {
        // A connection that was kept may have ended; a new one is tried once.
        match self.try_get(address, portions.to_vec()).await {
            Err(ClusterError::Closed) => {
                self.connections.lock().remove(address);
                self.try_get(address, portions.to_vec()).await
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
            timeout: self.how.timeout,
            retry: false,
            limits: self.how.limits.clone(),
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

#[cfg(test)]
mod tests {
    use samite_graph::TaskId;
    use samite_scheduling::{GraphId, TaskKey};

    use super::*;
    use crate::encoded::Encoded;
    use crate::transport::{Connection, Listener};

    /// Answers the first request with one value.
    async fn serve(address: Address) {
        let security = Security::open();
        let mut listener = Listener::bind(&address, &security, Limits::default()).await.unwrap();
        let Connection { sender, mut receiver, .. } = listener.accept().await.unwrap();
        let parcel = receiver.receive().await.unwrap().unwrap();
        let messages = encoded::read::<PeerMessage>(parcel).unwrap();
        let Some(PeerMessage::Get { id, .. }) = messages.into_iter().next() else {
            panic!("no request came")
        };
        let values = vec![Some(Carried::Encoded(Encoded::default()))];
        let answer = encoded::write(&[PeerMessage::Values { id, values }]).unwrap();
        sender.send(answer).await.unwrap();
        // The connection lives until the answer has been read.
        _ = receiver.receive().await;
    }

    #[tokio::test]
    async fn a_worker_that_is_not_there_is_called_again() {
        let anywhere = "tcp://127.0.0.1:0".parse().unwrap();
        let security = Security::open();
        let taken = Listener::bind(&anywhere, &security, Limits::default()).await.unwrap();
        let address = taken.address().clone();
        drop(taken);
        let task = TaskKey { graph: GraphId(0), task: TaskId(0) };
        let wanted = vec![Portion::whole(task)];
        let short = Fetching { first_pause: Duration::from_millis(20), ..Fetching::default() };

        let once = Peers::new(Security::open(), short.clone());
        assert!(once.get(&address, wanted.clone()).await.is_err());

        let patient = Peers::new(Security::open(), Fetching { retries: 8, ..short });
        let served = tokio::spawn({
            let address = address.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                serve(address).await;
            }
        });
        let values = patient.get(&address, wanted).await.unwrap();
        assert!(matches!(values[..], [Some(Carried::Encoded(_))]));
        patient.close();
        served.await.unwrap();
    }
}
