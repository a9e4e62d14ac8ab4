//! What a worker's process and its machine take: processors, descriptors, network and disks. Read
//! from the system when the worker reports, which is seldom enough for it to cost nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::plain::Plain;

/// What passes between a worker and others.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) incoming: Direction,
    pub(super) outgoing: Direction,
}

/// One direction of it.
#[derive(Debug, Default)]
pub(super) struct Direction {
    /// Requests that are being answered.
    open: AtomicU64,
    /// Requests that were answered.
    count: AtomicU64,
    bytes: AtomicU64,
}

impl Direction {
    pub(super) fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// A request is over; so many bytes came with the answer, or none where there was no answer.
    pub(super) fn end(&self, bytes: Option<u64>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(bytes) = bytes {
            self.count.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn figures(&self) -> [u64; 3] {
        [&self.open, &self.count, &self.bytes].map(|figure| figure.load(Ordering::Relaxed))
    }
}

impl Traffic {
    pub(super) fn told(&self) -> Plain {
        let [incoming, incoming_total, incoming_bytes] = self.incoming.figures();
        let [outgoing, outgoing_total, outgoing_bytes] = self.outgoing.figures();
        Plain::map([
            ("incoming_count", Plain::count(incoming)),
            ("incoming_count_total", Plain::count(incoming_total)),
            ("incoming_bytes_total", Plain::count(incoming_bytes)),
            ("outgoing_count", Plain::count(outgoing)),
            ("outgoing_count_total", Plain::count(outgoing_total)),
            ("outgoing_bytes_total", Plain::count(outgoing_bytes)),
        ])
    }
}

/// Bytes that were read and written since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bytes {
    read: u64,
    written: u64,
}

/// Counts of the system at one time.
struct Reading {
    at: Instant,
    /// Seconds that processors have worked for this process.
    seconds: Option<f64>,
    network: Option<Bytes>,
    disks: Option<Bytes>,
}

impl Reading {
    fn take() -> Self {
        Self {
            at: Instant::now(),
            seconds: processor_seconds(),
            network: contents("/proc/net/dev").map(|text| network(&text)),
            disks: contents("/proc/diskstats").map(|text| disks(&text, is_disk)),
        }
    }
}

/// Tells how much is taken, since it was asked last.
pub(super) struct Meter(Reading);

impl Meter {
    pub(super) fn new() -> Self {
        Self(Reading::take())
    }

    /// Use of processors in percent of one, bytes a second of the machine's network and disks, and
    /// open descriptors: those of them that the system tells.
    pub(super) fn told(&mut self) -> Vec<(&'static str, Plain)> {
        let now = Reading::take();
        let before = std::mem::replace(&mut self.0, now);
        let now = &self.0;
        let elapsed = (now.at - before.at).as_secs_f64().max(1e-3);
        let rate =
            |now: u64, before: u64| Plain::Float(now.saturating_sub(before) as f64 / elapsed);
        let rates = |now: Option<Bytes>, before: Option<Bytes>| {
            let (now, before) = now.zip(before)?;
            Some(Plain::map([
                ("read_bps", rate(now.read, before.read)),
                ("write_bps", rate(now.written, before.written)),
            ]))
        };
        let cpu = now.seconds.zip(before.seconds).map(|(now, before)| {
            let percent = (now - before) / elapsed * 100.0;
            Plain::Float((percent * 10.0).round() / 10.0)
        });
        let found = [
            ("cpu", cpu),
            ("host_net_io", rates(now.network, before.network)),
            ("host_disk_io", rates(now.disks, before.disks)),
            ("num_fds", descriptors().map(Plain::count)),
        ];
        found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn contents(path: &str) -> Option<String> {
    if cfg!(target_os = "linux") { std::fs::read_to_string(path).ok() } else { None }
}

#[cfg(unix)]
fn processor_seconds() -> Option<f64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer, and the call has no other condition.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    (done == 0).then_some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
}

#[cfg(not(unix))]
fn processor_seconds() -> Option<f64> {
    None
}

fn descriptors() -> Option<usize> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    // The descriptor of the folder itself is among them.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

/// All interfaces together, from the text of `/proc/net/dev`.
fn network(text: &str) -> Bytes {
    let mut all = Bytes::default();
    for line in text.lines() {
        // Two lines of headings have no colon.
        let Some((_, figures)) = line.split_once(':') else { continue };
        let mut figures = figures.split_ascii_whitespace().map(str::parse::<u64>);
        // Eight figures of what came stand before those of what went.
        if let (Some(Ok(read)), Some(Ok(written))) = (figures.next(), figures.nth(7)) {
            all.read = all.read.saturating_add(read);
            all.written = all.written.saturating_add(written);
        }
    }
    all
}

/// All disks together, without their partitions, from the text of `/proc/diskstats`.
fn disks(text: &str, is_disk: impl Fn(&str) -> bool) -> Bytes {
    /// The unit of the figures, whatever the disk's own is.
    const SECTOR: u64 = 512;
    let mut all = Bytes::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(name) = words.nth(2) else { continue };
        let mut figures = words.map(str::parse::<u64>);
        // Reads, merged reads, sectors read, time; and the same of writes.
        if let (Some(Ok(read)), Some(Ok(written))) = (figures.nth(2), figures.nth(3))
            && read + written > 0
            && is_disk(name)
        {
            all.read = all.read.saturating_add(read.saturating_mul(SECTOR));
            all.written = all.written.saturating_add(written.saturating_mul(SECTOR));
        }
    }
    all
}

fn is_disk(name: &str) -> bool {
    std::path::Path::new("/sys/block").join(name.replace('/', "!")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_added_up() {
        let text = "Inter-|   Receive                  |  Transmit\n \
            face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs\n    \
            lo:    1000      10    0    0    0     0          0         0     1000      10    0\n  \
            eth0: 23456     100    0    0    0     0          0         0     4321      50    0\n";
        assert_eq!(network(text), Bytes { read: 24_456, written: 5321 });
        assert_eq!(network("nothing of the kind: at all"), Bytes::default());
    }

    #[test]
    fn partitions_are_not_counted_twice() {
        let text = " 254 0 vda 100 1 2000 30 200 2 4000 60 0 70 90\n \
            254 1 vda1 100 1 2000 30 200 2 4000 60 0 70 90\n 7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n x";
        let found = disks(text, |name| name == "vda");
        assert_eq!(found, Bytes { read: 2000 * 512, written: 4000 * 512 });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_of_processors_is_seen() {
        let mut meter = Meter::new();
        let begun = Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 60 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
        }
        let told = Plain::map(meter.told());
        let cpu = told.get("cpu").and_then(Plain::as_float);
        assert!(cpu.is_some_and(|cpu| cpu > 5.0), "{told:?}");
        assert!(told.get("num_fds").and_then(Plain::as_int).is_some_and(|count| count > 2));
        for name in ["host_net_io", "host_disk_io"] {
            let rates = told.get(name).filter(|rates| rates.get("write_bps").is_some());
            assert!(rates.is_some(), "{name} of {told:?}");
        }
    }
}
