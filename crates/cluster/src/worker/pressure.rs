//! How a worker gives memory back and takes less work as memory gets short.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::running::follow_up;
use crate::threads::runtime;

/// How often a worker that is short of memory asks its executor and its allocator for some.
const RELIEF: Duration = Duration::from_secs(1);

/// What a worker does above which share of its memory limit; `None` leaves it undone.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryShares {
    /// Of values in memory: the oldest are written to disk.
    pub target: Option<f64>,
    /// Of the process, or of values: values are written to disk until the process is at the target,
    /// and sources are not given to this worker where others have room.
    pub spill: Option<f64>,
    /// Of the process, or of values: no tasks are given to this worker, and those that it has run
    /// one at a time.
    pub pause: Option<f64>,
    /// The most bytes of values on disk.
    pub most_on_disk: Option<u64>,
    /// Whether values in parts, of which shuffles are made, may be written to disk.
    pub spill_parts: bool,
    /// How often the memory of the process is looked at.
    pub interval: Duration,
    /// Whether the process is this worker's alone, so that all of its memory counts. Otherwise
    /// that of values does.
    pub owns_process: bool,
}

impl Default for MemoryShares {
    fn default() -> Self {
        Self {
            target: Some(0.6),
            spill: Some(0.7),
            pause: Some(0.8),
            most_on_disk: None,
            spill_parts: true,
            interval: Duration::from_millis(100),
            owns_process: false,
        }
    }
}

/// Looks at the memory of the process until the worker is closed.
pub(super) async fn watch(shared: Arc<Shared>, interval: Duration) {
    let mut interval = tokio::time::interval(interval.max(Duration::from_millis(10)));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut relieved = None::<Instant>;
    while !shared.is_closed() {
        interval.tick().await;
        let Some(bytes) = private_memory() else { return };
        let is_short = take_note(&shared, bytes);
        if is_short && relieved.is_none_or(|last| last.elapsed() >= RELIEF) {
            relieved = Some(Instant::now());
            let shared = shared.clone();
            let Ok(runtime) = runtime() else { return };
            let done = runtime.spawn_blocking(move || {
                shared.executor.relieve();
                trim();
            });
            // Whatever it has given back counts before the memory is looked at again.
            let _ = done.await;
        }
    }
}

/// Whether the process has more memory than it should, of which the store takes note.
fn take_note(shared: &Arc<Shared>, bytes: u64) -> bool {
    let mut core = shared.core.lock();
    core.values.sample(bytes);
    let is_short = core.values.is_short();
    follow_up(shared, core);
    is_short
}

/// The memory that this process has for itself, in bytes, without the pages of files that it reads,
/// which the system takes back when it needs them.
pub(super) fn private_memory() -> Option<u64> {
    let [resident, shared] = pages()?;
    resident.checked_sub(shared)
}

/// The memory that this process takes, in bytes.
pub(super) fn resident_memory() -> Option<u64> {
    pages().map(|[resident, _]| resident)
}

#[cfg(target_os = "linux")]
fn pages() -> Option<[u64; 2]> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut fields = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    // SAFETY: sysconf has no preconditions.
    let size = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    let mut next = || fields.next()?.ok()?.checked_mul(size);
    Some([next()?, next()?])
}

#[cfg(not(target_os = "linux"))]
fn pages() -> Option<[u64; 2]> {
    None
}

/// Gives the system back what the C library keeps of freed memory.
fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim has no preconditions and may be called from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
