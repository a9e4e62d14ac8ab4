//! What a worker tells of itself now and then.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::plain::Plain;
use crate::protocol::FromWorker;
use crate::scheduler::ToScheduler;

/// How often.
const INTERVAL: Duration = Duration::from_millis(1000);

/// Reports until the worker is closed.
pub(super) async fn report(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(INTERVAL);
    while !shared.is_closed() {
        interval.tick().await;
        let status = status(&shared);
        shared.send(vec![ToScheduler::Worker(FromWorker::Status { status })]);
    }
}

fn status(shared: &Shared) -> Plain {
    let core = shared.core.lock();
    let (memory, disk, values) = core.values.sizes();
    let executing = core.executing.len();
    let ready = core.machine.unfinished().saturating_sub(executing);
    drop(core);
    let spilled = Plain::map([("memory", Plain::count(disk)), ("disk", Plain::count(disk))]);
    Plain::map([
        ("executing", Plain::count(executing)),
        ("ready", Plain::count(ready)),
        ("in_memory", Plain::count(values)),
        ("managed_bytes", Plain::count(memory)),
        ("spilled_bytes", spilled),
        ("memory", Plain::count(resident_memory().unwrap_or(memory))),
    ])
}

/// The memory that this process takes, in bytes.
#[cfg(target_os = "linux")]
fn resident_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.checked_mul(u64::try_from(size).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn resident_memory() -> Option<u64> {
    None
}
