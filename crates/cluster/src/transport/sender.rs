//! The sending end of a connection.

use std::sync::Arc;

use super::local::LocalSender;
use super::outbox::Outbox;
use super::{Parcel, TransportError};

/// Sends parcels. Clones send over the same connection; when the last one is dropped, the
/// connection is closed after what was sent.
#[derive(Clone, Debug)]
pub struct Sender(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Socket(Arc<Open>),
    Local(LocalSender),
}

/// An outbox that is closed when nobody can put anything into it.
#[derive(Debug)]
struct Open(Arc<Outbox>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Sender {
    pub(super) fn socket(outbox: Arc<Outbox>) -> Self {
        Self(Kind::Socket(Arc::new(Open(outbox))))
    }

    pub(super) fn local(sender: LocalSender) -> Self {
        Self(Kind::Local(sender))
    }

    /// Sends a parcel, and waits before that while more than [`Limits::in_flight_bytes`] are on
    /// their way. The parcel is not sent when the future is dropped before it completes.
    ///
    /// [`Limits::in_flight_bytes`]: super::Limits::in_flight_bytes
    ///
    /// # Errors
    /// What ended the connection, what is over a limit, and a value for another process.
    pub async fn send(&self, parcel: Parcel) -> Result<(), TransportError> {
        match &self.0 {
            Kind::Socket(open) => open.0.send(parcel).await,
            Kind::Local(local) => local.send(parcel).await,
        }
    }

    /// Sends a parcel without waiting, from any thread: for those who must not wait for a slow
    /// peer.
    ///
    /// # Errors
    /// As [`Sender::send`], and [`TransportError::Congested`] where more than
    /// [`Limits::queued_bytes`](super::Limits::queued_bytes) wait for the peer.
    pub fn post(&self, parcel: Parcel) -> Result<(), TransportError> {
        match &self.0 {
            Kind::Socket(open) => open.0.post(parcel),
            Kind::Local(local) => local.post(parcel),
        }
    }

    /// The bytes that wait for the peer.
    pub fn waiting_bytes(&self) -> usize {
        match &self.0 {
            Kind::Socket(open) => open.0.waiting_bytes(),
            Kind::Local(local) => local.waiting_bytes(),
        }
    }

    /// Closes the connection in order: what was sent arrives, then the peer's receiver answers
    /// `None`. All clones refuse to send from now on.
    pub fn close(&self) {
        match &self.0 {
            Kind::Socket(open) => open.0.close(),
            Kind::Local(local) => local.close(),
        }
    }

    /// Ends both directions of the connection at once: what waits is dropped, and both receivers
    /// answer with an error.
    pub fn abort(&self) {
        match &self.0 {
            Kind::Socket(open) => {
                let address = open.0.peer.clone();
                open.0.fail(TransportError::Closed { address });
            }
            Kind::Local(local) => local.abort(),
        }
    }
}
