//! What can go wrong between two ends of a connection.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Address;

/// Why a connection was not made or has ended.
///
/// It can be cloned, since all senders of a broken connection report the same one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The text is no address.
    #[error("{text:?} is not an address: {reason}")]
    InvalidAddress {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The listener could not be opened.
    #[error("cannot listen at {address}: {source}")]
    Bind {
        /// Where it was to listen.
        address: Address,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Nobody answers there.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Who was called.
        address: Address,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The time for connecting is over.
    #[error(
        "cannot connect to {address} within {seconds} s{}: check the address, and that the peer runs",
        last.as_ref().map(|last| format!(" (last attempt: {last})")).unwrap_or_default()
    )]
    ConnectTimeout {
        /// Who was called.
        address: Address,
        /// How long it was tried.
        seconds: f64,
        /// What the last attempt ended with.
        last: Option<String>,
    },
    /// Address and security do not fit.
    #[error("cannot use {address}: {reason}")]
    Security {
        /// The address.
        address: Address,
        /// What is missing, and what to do.
        reason: String,
    },
    /// TLS failed: a certificate that is not trusted, or a peer that does not speak it.
    #[error("TLS with {address} failed: {source}")]
    Tls {
        /// The peer.
        address: Address,
        /// What rustls said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The two ends have no version of TLS, or no cipher, in common.
    #[error(
        "TLS with {address} failed: the two ends have no version of TLS or no cipher in common; \
         this one allows {allowed} ({source}); give both the same tls_min_version, \
         tls_max_version and tls_ciphers"
    )]
    TlsDiffers {
        /// The peer.
        address: Address,
        /// The versions and ciphers of this end.
        allowed: String,
        /// What rustls said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Whoever is there speaks another protocol.
    #[error("{address} does not speak Samite's cluster protocol: {found}")]
    Foreign {
        /// The peer.
        address: Address,
        /// What was received.
        found: String,
    },
    /// The two ends have no version of the protocol in common.
    #[error(
        "{address} speaks version {} of the cluster protocol (samite {}), this process version {} \
         (samite {}): install the same release of samite on both",
        theirs.protocol, theirs.release, ours.protocol, ours.release
    )]
    Version {
        /// The peer.
        address: Address,
        /// What the peer speaks.
        theirs: Box<Versions>,
        /// What this process speaks.
        ours: Box<Versions>,
    },
    /// One end does not know the cluster's token.
    #[error("{address} and this process do not belong to the same cluster: {reason}")]
    Authentication {
        /// The peer.
        address: Address,
        /// Which end lacks what.
        reason: Refusal,
    },
    /// The handshake did not end in time.
    #[error("{address} did not finish the handshake within {} s", allowed.as_secs_f64())]
    HandshakeTimeout {
        /// The peer.
        address: Address,
        /// The time that it had.
        allowed: Duration,
    },
    /// The peer turned this process away.
    #[error("{address} refuses the connection: it has as many connections as it allows")]
    Full {
        /// The peer.
        address: Address,
    },
    /// The peer sent, or this end was to send, more than is allowed.
    #[error("{what} of {size} with {address} is over the limit of {limit}")]
    Limit {
        /// What it is that is too large.
        what: &'static str,
        /// The peer.
        address: Address,
        /// How large it is.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// There is no memory for what the peer sends.
    #[error("no memory for a frame of {size} bytes from {address}")]
    Memory {
        /// The peer.
        address: Address,
        /// The size of the frame.
        size: u64,
    },
    /// What the peer sent breaks the protocol.
    #[error("{address} sent what is no parcel: {reason}")]
    Malformed {
        /// The peer.
        address: Address,
        /// What is wrong.
        reason: &'static str,
    },
    /// The connection ended while it was in use.
    #[error(
        "the connection with {address} is lost: {}",
        source.as_ref().map_or_else(|| "the peer closed it".to_owned(), |source| source.to_string())
    )]
    Lost {
        /// The peer.
        address: Address,
        /// What the system said, if it did.
        #[source]
        source: Option<Arc<io::Error>>,
    },
    /// The peer has been silent for too long.
    #[error("{address} has been silent for {} s", silence.as_secs_f64())]
    Idle {
        /// The peer.
        address: Address,
        /// For how long.
        silence: Duration,
    },
    /// This end has closed the connection before.
    #[error("the connection with {address} is closed")]
    Closed {
        /// The peer.
        address: Address,
    },
    /// The peer does not take what is sent to it.
    #[error("{bytes} bytes wait for {address}, which does not take them (limit {limit})")]
    Congested {
        /// The peer.
        address: Address,
        /// How much waits.
        bytes: usize,
        /// How much may wait.
        limit: usize,
    },
    /// A value of this process was to be sent to another one.
    #[error("a value of this process cannot be sent to {address}: it must be encoded")]
    NotLocal {
        /// The peer.
        address: Address,
    },
}

impl TransportError {
    /// Whether the peer is there and will not have this process, so that calling again is no use.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Authentication { .. }
                | Self::Version { .. }
                | Self::Foreign { .. }
                | Self::TlsDiffers { .. }
                | Self::Security { .. }
        )
    }

    /// An end that the network made.
    pub(super) fn lost(address: &Address, source: io::Error) -> Self {
        let ended = matches!(source.kind(), io::ErrorKind::UnexpectedEof);
        Self::Lost { address: address.clone(), source: (!ended).then(|| Arc::new(source)) }
    }
}

/// What one end of a connection speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The versions of the protocol.
    pub protocol: String,
    /// The release of this software.
    pub release: String,
}

/// Why a peer was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The listening end has a token, the calling end none.
    TokenMissing,
    /// The calling end has a token, the listening end none: it might be somebody else.
    TokenUnused,
    /// The tokens differ.
    TokenWrong,
    /// There is no token, and the peer is another user of this machine.
    OtherUser,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TokenMissing => {
                "the listening side asks for a token and the connecting side has none; give it the \
                 cluster's scheduler file (scheduler_file= or --scheduler-file, as \
                 Client.write_scheduler_file writes one) or token file (--token-file)"
            }
            Self::TokenUnused => {
                "the connecting side has a token and the listening side does not know it; give both \
                 the same token file or scheduler file, or make the connecting side's with \
                 security=False where the cluster is open on purpose"
            }
            Self::TokenWrong => {
                "their tokens differ; give the connecting side the cluster's scheduler file \
                 (scheduler_file= or --scheduler-file, as Client.write_scheduler_file writes one) or \
                 token file (--token-file)"
            }
            Self::OtherUser => {
                "another user of this machine called, and there is no token to know it by"
            }
        })
    }
}
