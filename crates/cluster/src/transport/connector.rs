//! Calls a listener.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsStream;

use super::handshake::{End, shake_hands};
use super::outbox::Outbox;
use super::stream::{Plain, Stream};
use super::{
    Address, ConnectOptions, Connection, Limits, Peer, Receiver, Sender, TransportError, local,
};
use crate::security::Security;

/// The pauses between attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Connects to a listener, within the time that the options allow.
///
/// # Errors
/// Where nobody listens there in time, does not speak this protocol, speaks other versions of it,
/// or does not belong to the same cluster; where the address needs what `security` lacks.
pub async fn connect(
    address: &Address,
    security: &Security,
    options: &ConnectOptions,
) -> Result<Connection, TransportError> {
    security.check(address)?;
    if let Some((host, port)) = address.host_and_port()
        && (host.is_empty() || port == 0)
    {
        return Err(TransportError::InvalidAddress {
            text: address.to_string(),
            reason: "connecting takes a host and a port",
        });
    }
    let deadline = Instant::now() + options.timeout;
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    loop {
        match timeout_at(deadline, attempt(address, security, &options.limits)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) if !(options.retry && may_pass(&error)) => return Err(error),
            Ok(Err(error)) => last = Some(error),
            Err(_) => return Err(timed_out(address, options, last)),
        }
        if Instant::now() + pause >= deadline {
            return Err(timed_out(address, options, last));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn timed_out(
    address: &Address,
    options: &ConnectOptions,
    last: Option<TransportError>,
) -> TransportError {
    let last = last.map(|last| match last {
        TransportError::Connect { source, .. } => source.to_string(),
        other => other.to_string(),
    });
    let seconds = options.timeout.as_secs_f64();
    TransportError::ConnectTimeout { address: address.clone(), seconds, last }
}

/// Whether calling again can help: the peer may only be starting.
fn may_pass(error: &TransportError) -> bool {
    match error {
        TransportError::Connect { source, .. } => {
            !matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput)
        }
        TransportError::Full { .. } | TransportError::Lost { .. } => true,
        _ => false,
    }
}

async fn attempt(
    address: &Address,
    security: &Security,
    limits: &Limits,
) -> Result<Connection, TransportError> {
    let failed = |source: io::Error| TransportError::Connect {
        address: address.clone(),
        source: Arc::new(source),
    };
    let mut binding = Vec::new();
    let stream = match address {
        Address::InProcess(name) => {
            return local::connect(name, limits).map_err(|why| match why {
                local::NoConnection::Full => TransportError::Full { address: address.clone() },
                local::NoConnection::Nobody => failed(io::Error::new(
                    io::ErrorKind::NotFound,
                    "no listener of this process has that name",
                )),
            });
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            Stream::Plain(Plain::Unix(UnixStream::connect(path).await.map_err(failed)?))
        }
        #[cfg(not(unix))]
        Address::Unix(_) => return Err(failed(io::ErrorKind::Unsupported.into())),
        Address::Tcp { host, port } | Address::Tls { host, port } => {
            let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
            tcp.set_nodelay(true).map_err(failed)?;
            match address {
                Address::Tls { .. } => {
                    let tls = TlsStream::Client(security.call(address, host, tcp).await?);
                    binding = session_secret(&tls, address)?;
                    Stream::Tls(Box::new(tls))
                }
                _ => Stream::Plain(Plain::Tcp(tcp)),
            }
        }
    };
    let (mut reading, mut writing) = stream.split();
    let halves = (&mut reading, &mut writing);
    shake_hands(End::Caller, halves, address, security.token(), &binding, false).await?;
    let outbox = Outbox::open(address.clone(), limits.clone(), writing, None);
    Ok(Connection {
        sender: Sender::socket(Arc::clone(&outbox)),
        receiver: Receiver::socket(reading, outbox),
        peer: Peer { address: address.clone(), is_local: false },
    })
}

/// What only the two ends of a TLS session know.
pub(super) fn session_secret(
    tls: &TlsStream<TcpStream>,
    address: &Address,
) -> Result<Vec<u8>, TransportError> {
    let label = b"EXPORTER-samite-cluster";
    let secret = vec![0; 32];
    let exported = match tls {
        TlsStream::Client(tls) => tls.get_ref().1.export_keying_material(secret, label, None),
        TlsStream::Server(tls) => tls.get_ref().1.export_keying_material(secret, label, None),
    };
    exported.map_err(|source| TransportError::Tls {
        address: address.clone(),
        source: Arc::new(io::Error::other(source)),
    })
}
