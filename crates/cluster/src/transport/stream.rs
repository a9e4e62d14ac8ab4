//! The two directions of a socket, whatever it is.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use bytes::BufMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};
use tokio::time::timeout;
use tokio_rustls::TlsStream;

/// How long the farewell of a session that is cut may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A socket that has no layer of its own between it and us.
#[derive(Debug)]
pub(super) enum Plain {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Its receiving direction.
#[derive(Debug)]
pub(super) enum Reading {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
}

/// Its sending direction.
#[derive(Debug)]
pub(super) enum Writing {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
}

/// Expands to the same expression for each kind of socket.
macro_rules! each {
    ($kind:ident, $plain:expr, $socket:ident => $body:expr) => {
        match $plain {
            $kind::Tcp($socket) => $body,
            #[cfg(unix)]
            $kind::Unix($socket) => $body,
        }
    };
}

impl Writing {
    /// Writes what the system takes at once.
    pub(super) fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        each!(Writing, self, socket => socket.try_write_vectored(pieces))
    }

    async fn writable(&self) -> io::Result<()> {
        each!(Writing, self, socket => socket.writable().await)
    }
}

/// Any socket, before it is split.
pub(super) enum Stream {
    Plain(Plain),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Self::Plain(plain) => {
                let (reading, writing) = match plain {
                    Plain::Tcp(socket) => {
                        let (reading, writing) = socket.into_split();
                        (Reading::Tcp(reading), Writing::Tcp(writing))
                    }
                    #[cfg(unix)]
                    Plain::Unix(socket) => {
                        let (reading, writing) = socket.into_split();
                        (Reading::Unix(reading), Writing::Unix(writing))
                    }
                };
                (ReadHalf::Plain(reading), WriteHalf::Plain(Arc::new(writing)))
            }
            Self::Tls(tls) => {
                let (reading, writing) = split(*tls);
                (ReadHalf::Tls(reading), WriteHalf::Tls(writing))
            }
        }
    }
}

/// The receiving direction.
#[derive(Debug)]
pub(super) enum ReadHalf {
    Plain(Reading),
    Tls(tokio::io::ReadHalf<TlsStream<TcpStream>>),
}

impl ReadHalf {
    /// Reads what there is, at least one byte; zero at the end. Nothing is lost when the future is
    /// dropped.
    pub(super) async fn read(&mut self, target: &mut impl BufMut) -> io::Result<usize> {
        match self {
            // The system is asked again only after it has said that there is more.
            Self::Plain(plain) => each!(Reading, plain, socket => socket.read_buf(target).await),
            Self::Tls(half) => half.read_buf(target).await,
        }
    }

    /// Reads into all of a slice, or up to the end; how much it was.
    pub(super) async fn read_full(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(mut rest) = target.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(&mut rest).await? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}

/// The sending direction.
#[derive(Debug)]
pub(super) enum WriteHalf {
    Plain(Arc<Writing>),
    Tls(tokio::io::WriteHalf<TlsStream<TcpStream>>),
}

impl WriteHalf {
    /// The socket, where bytes can be given to the system without waiting.
    pub(super) fn plain(&self) -> Option<Arc<Writing>> {
        match self {
            Self::Plain(plain) => Some(Arc::clone(plain)),
            Self::Tls(_) => None,
        }
    }

    /// Writes some of the pieces.
    pub(super) async fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => loop {
                match plain.try_write(pieces) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => return result,
                }
                plain.writable().await?;
            },
            Self::Tls(half) => half.write_vectored(pieces).await,
        }
    }

    /// Writes all of a slice.
    pub(super) async fn write_full(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(&[IoSlice::new(bytes)]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = bytes.get(written..).unwrap_or_default(),
            }
        }
        self.flush().await
    }

    /// Sees to it that what was written is on its way.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(half) => half.flush().await,
        }
    }

    /// Tells the peer's system that nothing more will come.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(plain) => {
                each!(Writing, &**plain, socket => shut_down(socket.as_ref(), Shutdown::Write))
            }
            Self::Tls(half) => half.shutdown().await,
        }
    }

    /// Ends both directions at once.
    pub(super) async fn cut(&mut self) {
        // A connection that is gone already cannot be ended once more.
        match self {
            Self::Plain(plain) => {
                _ = each!(Writing, &**plain, socket => shut_down(socket.as_ref(), Shutdown::Both));
            }
            Self::Tls(half) => _ = timeout(PATIENCE, half.shutdown()).await,
        }
    }
}

/// Ends directions of a socket that is shared.
#[cfg(unix)]
fn shut_down(socket: &impl std::os::fd::AsRawFd, how: Shutdown) -> io::Result<()> {
    let how = match how {
        Shutdown::Read => libc::SHUT_RD,
        Shutdown::Write => libc::SHUT_WR,
        Shutdown::Both => libc::SHUT_RDWR,
    };
    // SAFETY: the descriptor is open for as long as the socket is borrowed; the call has no other
    // condition.
    match unsafe { libc::shutdown(socket.as_raw_fd(), how) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Where there is no such call, the end of the connection is told by closing it.
#[cfg(not(unix))]
fn shut_down(_: &TcpStream, _: Shutdown) -> io::Result<()> {
    Ok(())
}
