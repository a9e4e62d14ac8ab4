//! Takes calls.
//!
//! A task accepts sockets and starts a task for each that ends with the handshake, so that a slow
//! peer keeps nobody waiting. Sockets beyond [`Limits::handshakes`] wait in the system's queue. All
//! tasks end when the listener is dropped; connections that were made stay.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;

use super::connector::session_secret;
use super::handshake::{End, shake_hands};
use super::local::LocalListener;
use super::outbox::Outbox;
use super::stream::{Plain, Stream};
use super::{Address, Connection, Limits, Peer, Receiver, Refusal, Sender, TransportError};
use crate::security::Security;

/// The pause after the system could not accept, as where all its descriptors are in use.
const PAUSE: Duration = Duration::from_millis(50);
/// How many results wait to be accepted. Errors beyond it are dropped.
const WAITING: usize = 1024;

/// Takes connections at an address until it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: Address,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Sockets {
        results: mpsc::Receiver<Result<Connection, TransportError>>,
        task: AbortHandle,
        /// The file of a Unix socket.
        file: Option<PathBuf>,
    },
    Local(LocalListener),
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    /// Listens at an address. The tasks run on the current runtime.
    ///
    /// # Errors
    /// Where the address is taken, cannot be used, or needs what `security` lacks.
    pub async fn bind(
        address: &Address,
        security: &Security,
        limits: Limits,
    ) -> Result<Self, TransportError> {
        security.check(address)?;
        let failed = |source: io::Error| TransportError::Bind {
            address: address.clone(),
            source: Arc::new(source),
        };
        let (socket, address, file) = match address {
            Address::InProcess(name) => {
                let taken = || failed(io::ErrorKind::AddrInUse.into());
                let listener = LocalListener::bind(name, limits).ok_or_else(taken)?;
                let address = Address::InProcess(listener.name.clone());
                return Ok(Self { address, source: Source::Local(listener) });
            }
            Address::Tcp { host, port } | Address::Tls { host, port } => {
                let (host, port) = (if host.is_empty() { "0.0.0.0" } else { host }, *port);
                let listener = TcpListener::bind((host, port)).await.map_err(failed)?;
                let port = listener.local_addr().map_err(failed)?.port();
                let address = address.with_host_and_port(host.to_owned(), port);
                (Socket::Tcp(listener), address, None)
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = bind_unix(path).await.map_err(failed)?;
                (Socket::Unix(listener), address.clone(), Some(path.clone()))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(failed(io::ErrorKind::Unsupported.into())),
        };
        let (sender, results) = mpsc::channel(WAITING);
        let door = Arc::new(Door {
            address: address.clone(),
            security: security.clone(),
            places: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            handshakes: Arc::new(Semaphore::new(
                limits.handshakes.clamp(1, Semaphore::MAX_PERMITS),
            )),
            limits,
            results: sender,
        });
        let task = tokio::spawn(door.accept(socket)).abort_handle();
        Ok(Self { address, source: Source::Sockets { results, task, file } })
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection whose handshake is over. Nothing is lost when the future is dropped
    /// before it completes.
    ///
    /// # Errors
    /// What was wrong with one peer; the listener goes on. [`TransportError::Closed`] where it does
    /// not.
    pub async fn accept(&mut self) -> Result<Connection, TransportError> {
        let next = match &mut self.source {
            Source::Sockets { results, .. } => results.recv().await,
            Source::Local(local) => local.connections.recv().await.map(Ok),
        };
        next.unwrap_or_else(|| Err(TransportError::Closed { address: self.address.clone() }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Source::Sockets { task, file, .. } = &self.source {
            task.abort();
            if let Some(file) = file {
                // Somebody else may have removed it.
                _ = std::fs::remove_file(file);
            }
        }
    }
}

/// Listens at a path that only this user can reach. A file that a listener left behind is removed.
#[cfg(unix)]
async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path)?.file_type().is_socket();
            let answers = UnixStream::connect(path).await;
            let abandoned =
                answers.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if !(is_socket && abandoned) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        result => result?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Whether a user can do all that this process can do anyway.
#[cfg(unix)]
fn is_trusted(user: u32) -> bool {
    // SAFETY: the call has no condition and cannot fail.
    user == 0 || user == unsafe { libc::geteuid() }
}

/// What the accepting tasks share.
struct Door {
    address: Address,
    security: Security,
    limits: Limits,
    places: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    results: mpsc::Sender<Result<Connection, TransportError>>,
}

impl Door {
    /// The accepting task: it ends with the listener.
    async fn accept(self: Arc<Self>, socket: Socket) {
        let mut entering = JoinSet::new();
        loop {
            while entering.try_join_next().is_some() {}
            let Ok(permit) = Arc::clone(&self.handshakes).acquire_owned().await else { return };
            let accepted = match &socket {
                Socket::Tcp(listener) => {
                    listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer))
                }
                #[cfg(unix)]
                Socket::Unix(listener) => {
                    listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
                }
            };
            match accepted {
                Ok(accepted) => {
                    let door = Arc::clone(&self);
                    entering.spawn(async move {
                        door.enter(accepted).await;
                        drop(permit);
                    });
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// One peer's way to a connection.
    async fn enter(&self, accepted: Accepted) {
        let peer = match &accepted {
            Accepted::Tcp(_, from) => {
                let host = from.ip().to_canonical().to_string();
                self.address.with_host_and_port(host, from.port())
            }
            #[cfg(unix)]
            Accepted::Unix(_) => self.address.clone(),
        };
        let allowed = self.limits.handshake_time;
        match timeout(allowed, self.welcome(accepted, &peer)).await {
            // Whoever listens takes connections, or is about to end.
            Ok(Ok(connection)) => _ = self.results.send(Ok(connection)).await,
            Ok(Err(error)) => _ = self.results.try_send(Err(error)),
            Err(_) => {
                let error = TransportError::HandshakeTimeout { address: peer, allowed };
                _ = self.results.try_send(Err(error));
            }
        }
    }

    async fn welcome(
        &self,
        accepted: Accepted,
        peer: &Address,
    ) -> Result<Connection, TransportError> {
        let lost = |source| TransportError::lost(peer, source);
        let mut binding = Vec::new();
        let stream = match accepted {
            Accepted::Tcp(tcp, _) => {
                tcp.set_nodelay(true).map_err(lost)?;
                match peer {
                    Address::Tls { .. } => {
                        let tls = TlsStream::Server(self.security.answer(peer, tcp).await?);
                        binding = session_secret(&tls, peer)?;
                        Stream::Tls(Box::new(tls))
                    }
                    _ => Stream::Plain(Plain::Tcp(tcp)),
                }
            }
            #[cfg(unix)]
            Accepted::Unix(unix) => {
                let caller = unix.peer_cred().map_err(lost)?.uid();
                if self.security.token().is_none() && !is_trusted(caller) {
                    let (address, reason) = (peer.clone(), Refusal::OtherUser);
                    return Err(TransportError::Authentication { address, reason });
                }
                Stream::Plain(Plain::Unix(unix))
            }
        };
        let (mut reading, mut writing) = stream.split();
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        let halves = (&mut reading, &mut writing);
        let token = self.security.token();
        shake_hands(End::Listener, halves, peer, token, &binding, place.is_none()).await?;
        let outbox = Outbox::open(peer.clone(), self.limits.clone(), writing, place);
        Ok(Connection {
            sender: Sender::socket(Arc::clone(&outbox)),
            receiver: Receiver::socket(reading, outbox),
            peer: Peer { address: peer.clone(), is_local: false },
        })
    }
}
