//! Connections that carry parcels: over TCP, TLS and Unix sockets, and inside one process.
//!
//! A [`Parcel`] is a head and frames of bytes, whose meaning the transport does not know, or a value
//! that stays in the process. A [`Connection`] is a [`Sender`], which can be cloned, and a
//! [`Receiver`]. It begins with a handshake, in which both ends name the versions of the protocol
//! that they speak and prove that they know the cluster's token, and ends
//!
//! - in order, when the last sender is dropped or closed: what was sent before arrives, then the
//!   peer's receiver answers `None`;
//! - by [`Sender::abort`], by a failure of the network or by silence for longer than
//!   [`Limits::idle_time`]: both ends get an error.
//!
//! What a peer may cost before it is known is bounded by [`Limits`]. Sockets need the runtime of
//! tokio that made them for as long as they live.

mod address;
mod compression;
mod connector;
mod decoder;
mod error;
mod framing;
mod handshake;
mod limits;
mod listener;
mod local;
mod outbox;
mod parcel;
mod receiver;
mod sender;
mod stream;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use connector::connect;
pub use error::{Refusal, TransportError, Versions};
pub use limits::{Compression, ConnectOptions, Limits};
pub use listener::Listener;
pub use parcel::Parcel;
pub use receiver::Receiver;
pub use sender::Sender;

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is reached, or for one that connected to a listener: where it called from.
    pub address: Address,
    /// Whether it is in this process, so that [`Parcel::Local`] reaches it.
    pub is_local: bool,
}

/// Both directions of a connection whose handshake is over.
#[derive(Debug)]
pub struct Connection {
    /// Sends parcels to the peer.
    pub sender: Sender,
    /// Receives what the peer sends.
    pub receiver: Receiver,
    /// Who the peer is.
    pub peer: Peer,
}
