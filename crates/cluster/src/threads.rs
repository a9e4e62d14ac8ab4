//! The runtime of this process's connections.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::error::ClusterError;

/// The threads that read and write sockets, for all members of this process.
pub(crate) fn runtime() -> Result<&'static Runtime, ClusterError> {
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(2).thread_name("samite-net").enable_all().build()
    });
    made.as_ref()
        .map_err(|failed| ClusterError::Thread(io::Error::new(failed.kind(), failed.to_string())))
}

/// Waits for a future on a thread that is not the runtime's, for as long as `go_on` says: it is
/// asked every 50 ms. `None` where it said no.
pub(crate) fn wait_for<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<T>, ClusterError> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let task = runtime()?.spawn(async move {
        // Nobody listens any more where the wait was given up.
        _ = sender.send(future.await);
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(value) => return Ok(Some(value)),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) if go_on() => {}
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                task.abort();
                return Ok(None);
            }
        }
    }
}

/// When a wait of so long is over; `None` for never.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}
