//! Values for other workers and for clients.

use std::sync::Arc;

use samite_runtime::Value;
use samite_scheduling::Portion;

use super::Shared;
use super::fetching::nbytes;
use super::store::{Found, Taken};
use crate::encoded;
use crate::executor::Failure;
use crate::protocol::{Carried, PeerMessage};
use crate::transport::{Connection, Listener, Parcel, Sender, TransportError};

/// Takes connections until the listener is closed.
pub(super) async fn accept(shared: Arc<Shared>, mut listener: Listener) {
    loop {
        match listener.accept().await {
            Ok(connection) => {
                tokio::spawn(serve(shared.clone(), connection));
            }
            Err(TransportError::Closed { .. }) => return,
            // One peer failed; the listener goes on.
            Err(_) => {}
        }
    }
}

async fn serve(shared: Arc<Shared>, connection: Connection) {
    let Connection { sender, mut receiver, peer } = connection;
    while let Ok(Some(parcel)) = receiver.receive().await {
        let Ok(messages) = encoded::read::<PeerMessage>(parcel) else { break };
        for message in messages {
            let PeerMessage::Get { id, portions } = message else { continue };
            let answering = shared.clone();
            let local = peer.is_local;
            let values = tokio::task::spawn_blocking(move || values(&answering, &portions, local));
            shared.traffic.outgoing.begin();
            let sent = match values.await {
                Ok(values) => send(&sender, id, values, local).await,
                Err(_) => None,
            };
            shared.traffic.outgoing.end(sent);
            if sent.is_none() {
                return sender.abort();
            }
        }
        if shared.is_closed() {
            break;
        }
    }
    sender.abort();
}

/// Answers with values; the bytes of them, where that was possible.
async fn send(sender: &Sender, id: u64, values: Vec<Option<Carried>>, local: bool) -> Option<u64> {
    let bytes = nbytes(&values);
    let answer = vec![PeerMessage::Values { id, values }];
    let parcel =
        if local { Parcel::Local(Box::new(answer)) } else { encoded::write(&answer).ok()? };
    sender.send(parcel).await.ok().map(|()| bytes)
}

pub(super) fn values(
    shared: &Arc<Shared>,
    portions: &[Portion],
    local: bool,
) -> Vec<Option<Carried>> {
    let values: Vec<Option<Found>> = {
        let core = shared.core.lock();
        portions.iter().map(|portion| core.values.get(portion)).collect()
    };
    let carry = |value: Value| {
        if local {
            return Some(Carried::Local(value));
        }
        Some(match shared.executor.encode(&value) {
            Ok(encoded) => Carried::Encoded(encoded),
            Err(Failure::Raised { text, error }) => Carried::Broken { text, error },
            Err(Failure::Reschedule) => return None,
        })
    };
    let value = |found: Found| match found.take_up().ok()? {
        Taken::Value(value) => carry(value),
        Taken::Part(part) => Some(Carried::Part(part)),
    };
    values.into_iter().map(|found| found.and_then(value)).collect()
}
