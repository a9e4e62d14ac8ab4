//! What needs a process of its own: limits on memory and disk, and processes that end badly.
//!
//! Each test here starts this test binary again, asking for one of the `child_` tests, which do
//! nothing unless they were started so.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use samite_graph::TaskId;
use samite_runtime::{Observer, Options, Run, RuntimeError, run_here, start};

use crate::spilling::{BLOCK, folding, held};
use crate::support::{adding, numbers, wide};

const FOLDER: &str = "SAMITE_TEST_FOLDER";

/// The spill folder, in a process that was started by a test.
fn started_by_a_test() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// This binary again, for one test.
fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("dying::{test}"), "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder);
    command
}

fn assert_good(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// A number of `/proc/self/status`, in bytes.
#[cfg(target_os = "linux")]
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn child_with_little_memory() {
    let Some(folder) = started_by_a_test() else { return };
    const BUDGET: usize = 64 * BLOCK;
    // Threads and their stacks are not what is measured.
    start(wide(0, 100), adding(), Options::pool(2)).and_then(Run::join).unwrap();
    let options = || Options {
        memory_limit: Some(BUDGET),
        spill_folder: Some(folder.clone()),
        ..Options::pool(2)
    };
    let before = status("VmRSS");
    // What the budget allows and 15 % is all that the process may still map.
    let limit = status("VmSize") + (BUDGET * 115 / 100) as u64;
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: `limit` is a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let run = start(held(320), folding(), options()).unwrap();
    assert_eq!(numbers(&run.join().unwrap()), [320 * 321 / 2]);
    let peak = status("VmHWM") - before;
    assert!(peak <= (BUDGET * 115 / 100) as u64, "{peak} bytes at most, {BUDGET} allowed");
    println!("peak {:.2} of the budget", peak as f64 / BUDGET as f64);
}

#[cfg(target_os = "linux")]
#[test]
fn five_times_the_budget_stays_within_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = child("child_with_little_memory", folder.path());
    // Address space counts that the allocator keeps: further heaps, and gaps between freed blocks
    // in the heap, where large blocks go once one of them was freed.
    command.env("MALLOC_ARENA_MAX", "1").env("MALLOC_MMAP_THRESHOLD_", "65536");
    assert_good(&command.output().unwrap());
}

#[test]
fn child_with_a_full_disk() {
    let Some(folder) = started_by_a_test() else { return };
    for threads in [0, 3] {
        let options = Options {
            memory_limit: Some(4 * BLOCK),
            spill_folder: Some(folder.clone()),
            ..Options::pool(threads)
        };
        let outcome = match threads {
            0 => run_here(held(12), folding(), options),
            _ => start(held(12), folding(), options).and_then(Run::join),
        };
        let Err(error) = outcome else { panic!("the disk was not full") };
        let RuntimeError::Spill { name, bytes, folder: named, source, .. } = &error else {
            panic!("{error}")
        };
        assert!(name.starts_with("op0-"), "{name}");
        assert_eq!(*bytes, BLOCK as u64 + 32);
        assert!(named.starts_with(&folder), "{named:?}");
        let code = source.raw_os_error();
        assert!(code == Some(libc::ENOSPC) || code == Some(libc::EFBIG), "{source}");
        // The process goes on, and the disk is as empty as before.
        start(wide(0, 100), adding(), Options::pool(2)).and_then(Run::join).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(entries(&folder), 0);
    }
}

#[test]
fn a_full_disk_is_an_error_that_names_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = child("child_with_a_full_disk", folder.path());
    let target = std::ffi::CString::new(folder.path().to_str().unwrap()).unwrap();
    // SAFETY: the closure calls only functions that are safe between fork and exec.
    unsafe {
        command.pre_exec(move || {
            // Who may not mount a small file system gets small files instead.
            #[cfg(target_os = "linux")]
            if libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    std::ptr::null(),
                    c"/".as_ptr(),
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
                && libc::mount(
                    c"none".as_ptr(),
                    target.as_ptr(),
                    c"tmpfs".as_ptr(),
                    0,
                    c"size=2500k".as_ptr().cast(),
                ) == 0
            {
                return Ok(());
            }
            let _ = &target;
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let limit = libc::rlimit { rlim_cur: 500_000, rlim_max: 500_000 };
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
            Ok(())
        });
    }
    assert_good(&command.output().unwrap());
}

/// Ends the process after some values were spilled.
struct Ending {
    spilled: AtomicU64,
    end: fn(),
}

impl Observer for Ending {
    fn spilled(&self, _: TaskId, _: u64) {
        if self.spilled.fetch_add(1, Ordering::Relaxed) == 3 {
            (self.end)();
        }
    }
}

fn run_until(end: fn(), folder: PathBuf) {
    let options = Options {
        memory_limit: Some(4 * BLOCK),
        spill_folder: Some(folder),
        observer: Some(Arc::new(Ending { spilled: AtomicU64::new(0), end })),
        ..Options::pool(2)
    };
    let outcome = start(held(20), folding(), options).and_then(Run::join);
    panic!("the process should have ended: {outcome:?}", outcome = outcome.map(|_| ()));
}

#[test]
fn child_that_is_killed() {
    let Some(folder) = started_by_a_test() else { return };
    // SAFETY: killing this process is what the test is for.
    run_until(|| assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGKILL) }, 0), folder);
}

#[test]
fn child_that_exits() {
    let Some(folder) = started_by_a_test() else { return };
    run_until(|| std::process::exit(0), folder);
}

#[test]
fn what_a_killed_process_left_is_removed_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = child("child_that_is_killed", folder.path()).output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGKILL));
    assert_eq!(entries(folder.path()), 1);
    let options = Options {
        memory_limit: Some(4 * BLOCK),
        spill_folder: Some(folder.path().to_owned()),
        ..Options::pool(2)
    };
    start(held(20), folding(), options).and_then(Run::join).unwrap();
    let began = Instant::now();
    while entries(folder.path()) > 0 {
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_process_that_exits_amid_a_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = child("child_that_exits", folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn child_with_worker_processes() {
    if started_by_a_test().is_none() {
        return;
    }
    let pool = crate::processes::pool(1, "orphan");
    let mut lease = pool.acquire().unwrap();
    println!("worker {}.", lease.process().unwrap());
    let never = std::sync::atomic::AtomicBool::new(false);
    let _ = lease.call(&[b"sleep"], &never);
}

/// The worker process is in the middle of its work and would not see that its socket has ended.
#[cfg(target_os = "linux")]
#[test]
fn worker_processes_die_with_a_killed_parent() {
    use std::io::Read;
    let folder = tempfile::tempdir().unwrap();
    let mut command = child("child_with_worker_processes", folder.path());
    let mut parent = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut output = parent.stdout.take().unwrap();
    let mut text = String::new();
    let worker: u32 = loop {
        let mut part = [0; 256];
        let got = output.read(&mut part).unwrap();
        assert!(got > 0, "{text}");
        text.push_str(std::str::from_utf8(&part[..got]).unwrap());
        let number = text.split_once("worker ").and_then(|(_, rest)| rest.split_once('.'));
        if let Some((number, _)) = number {
            break number.parse().unwrap();
        }
    };
    std::thread::sleep(Duration::from_millis(50));
    parent.kill().unwrap();
    parent.wait().unwrap();
    let began = Instant::now();
    // An orphan that has ended may wait for whoever collects orphans.
    let lives = || {
        let status = std::fs::read_to_string(format!("/proc/{worker}/stat"));
        status.is_ok_and(|status| !status.contains(") Z "))
    };
    while lives() {
        assert!(began.elapsed() < Duration::from_secs(2), "the worker process lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}
