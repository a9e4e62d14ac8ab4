//! Cancelling runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use samite_runtime::{Options, RuntimeError, start};

use crate::support::{Number, program, wide};

#[test]
fn an_operation_sees_that_it_is_cancelled() {
    let seen = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&seen);
    let body = program(move |_, _, context, _| {
        while !context.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        flag.store(true, Ordering::Relaxed);
        Ok(Arc::new(Number(0)))
    });
    let run = start(wide(0, 4), body, Options::pool(2)).unwrap();
    assert!(run.wait(Duration::from_millis(50)).is_none());
    run.cancel();
    let outcome = run.wait(Duration::from_millis(100));
    assert!(matches!(outcome, Some(Err(RuntimeError::Cancelled))));
    std::thread::sleep(Duration::from_millis(50));
    assert!(seen.load(Ordering::Relaxed));
}

#[test]
fn nobody_waits_for_an_operation_that_does_not_stop() {
    let body = program(|_, _, _, _| {
        std::thread::sleep(Duration::from_millis(500));
        Ok(Arc::new(Number(0)))
    });
    let run = start(wide(1, 4), body, Options::pool(2)).unwrap();
    assert!(run.wait(Duration::from_millis(20)).is_none());
    let began = Instant::now();
    run.cancel();
    assert!(matches!(run.wait(Duration::from_secs(9)), Some(Err(RuntimeError::Cancelled))));
    assert!(began.elapsed() < Duration::from_millis(50), "{:?}", began.elapsed());
}

#[test]
fn a_dropped_run_is_cancelled() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let body = program(move |_, _, context, _| {
        sender.send(()).unwrap();
        while !context.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        sender.send(()).unwrap();
        Ok(Arc::new(Number(0)))
    });
    let run = start(wide(0, 1), body, Options::pool(1)).unwrap();
    receiver.recv().unwrap();
    drop(run);
    receiver.recv_timeout(Duration::from_secs(5)).unwrap();
}
