//! Worker processes, and their deaths.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use samite_runtime::processes::{Frame, ProcessError, ProcessOptions, ProcessPool};

static GO_ON: AtomicBool = AtomicBool::new(false);

/// Cargo builds examples with the tests, next to them.
fn options(workers: usize) -> ProcessOptions {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let command: [PathBuf; 1] = [path.join("examples").join("echo_worker")];
    ProcessOptions::new(command, workers)
}

/// A pool that shares no idle processes with other tests.
pub(crate) fn pool(workers: usize, test: &str) -> ProcessPool {
    let mut options = options(workers);
    options.environment.push(("SAMITE_TEST_VARIABLE".into(), test.into()));
    ProcessPool::new(options)
}

fn exists(process: u32) -> bool {
    // SAFETY: signal 0 only asks whether the process exists.
    unsafe { libc::kill(process as libc::pid_t, 0) == 0 }
}

#[test]
fn frames_of_all_sizes_come_back() {
    let pool = pool(1, "echo");
    let mut lease = pool.acquire().unwrap();
    let large: Vec<u8> = (0..5_000_000u32).map(|place| (place * 7) as u8).collect();
    for _ in 0..3 {
        let frames: [&[u8]; 4] = [b"echo", b"", &large, &large[..100_000]];
        let answer = lease.call(&frames, &GO_ON).unwrap();
        assert!(answer.iter().map(|frame| &**frame).eq(frames));
        assert_eq!(matches!(answer[2], Frame::Shared(_)), cfg!(target_os = "linux"));
    }
    let answer = lease.call(&[b"variable"], &GO_ON).unwrap();
    assert_eq!(&*answer[0], b"echo");
}

#[test]
fn processes_are_used_again_by_the_next_pool() {
    let first = pool(1, "again").acquire().unwrap().process();
    let second = pool(1, "again").acquire().unwrap().process();
    assert!(first.is_some() && first == second);
}

#[test]
fn idle_processes_end() {
    let mut options = options(1);
    options.idle_timeout = Duration::from_millis(100);
    options.environment.push(("SAMITE_TEST_VARIABLE".into(), "idle".into()));
    let pool = ProcessPool::new(options);
    let process = pool.acquire().unwrap().process().unwrap();
    assert!(exists(process));
    let began = Instant::now();
    while exists(process) {
        assert!(began.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn deaths_are_noticed_at_once_and_the_next_call_works() {
    let pool = pool(1, "deaths");
    let mut lease = pool.acquire().unwrap();
    for (word, code, signal) in [("exit", Some(7), None), ("abort", None, Some(libc::SIGABRT))] {
        let began = Instant::now();
        let error = lease.call(&[word.as_bytes()], &GO_ON).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(1));
        let ProcessError::Died { status: Some(status), .. } = error else { panic!("{error}") };
        assert_eq!(status.code(), code);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), signal);
        assert_eq!(&*lease.call(&[b"alive"], &GO_ON).unwrap()[0], b"alive");
    }
}

#[test]
fn a_killed_process_is_noticed_while_it_works() {
    let pool = pool(1, "killed");
    let mut lease = pool.acquire().unwrap();
    let process = lease.process().unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        // SAFETY: the process is a child of this one.
        unsafe { libc::kill(process as libc::pid_t, libc::SIGKILL) };
    });
    let began = Instant::now();
    let error = lease.call(&[b"sleep"], &GO_ON).unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    killer.join().unwrap();
    assert!(!exists(process), "a zombie is left");
}

#[test]
fn a_cancelled_call_ends_the_process() {
    let pool = pool(1, "cancelled");
    let mut lease = pool.acquire().unwrap();
    let process = lease.process().unwrap();
    let cancelled = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let error = lease.call(&[b"sleep"], &cancelled).unwrap_err();
        assert!(matches!(error, ProcessError::Cancelled));
    });
    assert!(began.elapsed() < Duration::from_millis(500));
    assert!(!exists(process));
}

#[test]
fn a_pool_has_so_many_processes_and_no_more() {
    let pool = pool(2, "many");
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let mut lease = pool.acquire().unwrap();
                    let answer = lease.call(&[b"process"], &GO_ON).unwrap();
                    seen.lock().unwrap().insert(answer[0].to_vec());
                }
            });
        }
    });
    assert!((1..=2).contains(&seen.lock().unwrap().len()));
}

#[test]
fn a_command_that_cannot_be_started_is_named() {
    let pool = ProcessPool::new(ProcessOptions::new(["/no/such/program"], 1));
    let error = pool.acquire().unwrap_err();
    assert!(error.to_string().contains("/no/such/program"), "{error}");
    // The place is free again.
    assert!(pool.acquire().is_err());
}

#[test]
fn a_program_that_does_not_speak_the_protocol_has_died() {
    let pool = ProcessPool::new(ProcessOptions::new(["true"], 1));
    let error = pool.acquire().and_then(|mut lease| lease.call(&[b"x"], &GO_ON)).unwrap_err();
    assert!(matches!(error, ProcessError::Died { .. }), "{error}");
}
