//! How much memory this process may use.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::sync::{Mutex, PerProcess};

/// The share of the memory that values take where no limit is given, in percent: operations need
/// room for what they do besides their results.
const SHARE: u64 = 60;

/// The default for [`Options::memory_limit`](crate::Options::memory_limit): a share of the
/// smallest of the machine's memory, the limit of the control group (versions 1 and 2) and the
/// process's own limit on address space.
pub fn default_memory_limit() -> u64 {
    let memory = [Some(machine_memory()), address_space_limit()];
    memory.into_iter().flatten().min().unwrap_or(u64::MAX) / 100 * SHARE
}

/// What the machine and the control group allow. Reading it takes longer than a small run, so it
/// is read anew only from time to time: the limit of a running container can be changed.
fn machine_memory() -> u64 {
    const FRESH: Duration = Duration::from_secs(5);
    static LAST: PerProcess<Mutex<Option<(Instant, u64)>>> = PerProcess::new();
    let mut last = LAST.get().lock();
    match *last {
        Some((read, bytes)) if read.elapsed() < FRESH => bytes,
        _ => {
            let memory = [physical_memory(), control_group_limit()];
            let bytes = memory.into_iter().flatten().min().unwrap_or(u64::MAX);
            *last = Some((Instant::now(), bytes));
            bytes
        }
    }
}

/// The machine's memory.
#[cfg(unix)]
fn physical_memory() -> Option<u64> {
    // SAFETY: sysconf has no preconditions.
    let (pages, size) =
        unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    u64::try_from(pages).ok()?.checked_mul(u64::try_from(size).ok()?).filter(|bytes| *bytes > 0)
}

#[cfg(not(unix))]
fn physical_memory() -> Option<u64> {
    None
}

/// The soft limit on address space.
#[cfg(unix)]
fn address_space_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    (answer == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

#[cfg(not(unix))]
fn address_space_limit() -> Option<u64> {
    None
}

/// The smallest limit of the process's control groups and their parents.
fn control_group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut smallest: Option<u64> = None;
    for (folder, file, path) in group_files(&groups) {
        // Inside a container the path may be the host's; the walk then ends at the mount's root,
        // which is the container's own group.
        for place in Path::new(&path).ancestors() {
            let place = place.strip_prefix("/").unwrap_or(place);
            let text = std::fs::read_to_string(Path::new(folder).join(place).join(file));
            let limit = text.ok().and_then(|text| text.trim().parse::<u64>().ok());
            // Version 1 says "no limit" with a number near 2^63.
            if let Some(limit) = limit.filter(|limit| *limit < 1 << 60) {
                smallest = Some(smallest.map_or(limit, |known| known.min(limit)));
            }
        }
    }
    smallest
}

/// The memory controllers that `/proc/self/cgroup` names: mount, file with the limit, path.
fn group_files(groups: &str) -> Vec<(&'static str, &'static str, String)> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if number == "0" && controllers.is_empty() {
            files.push(("/sys/fs/cgroup", "memory.max", path.to_owned()));
            files.push(("/sys/fs/cgroup/unified", "memory.max", path.to_owned()));
        } else if controllers.split(',').any(|name| name == "memory") {
            files.push(("/sys/fs/cgroup/memory", "memory.limit_in_bytes", path.to_owned()));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let groups = "9:name=systemd:/\n4:memory:/jobs/a\n3:cpu,cpuacct:/\n0::/user\n";
        let files = group_files(groups);
        assert!(files.contains(&(
            "/sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "/jobs/a".into()
        )));
        assert!(files.contains(&("/sys/fs/cgroup", "memory.max", "/user".into())));
        assert_eq!(files.len(), 3);
    }

    #[test]
    fn the_default_is_below_the_machine() {
        let limit = default_memory_limit();
        assert!(limit > 0);
        if let Some(memory) = physical_memory() {
            assert!(limit < memory);
        }
    }
}
