//! Forking while threads run.

use std::sync::Arc;
use std::time::Duration;

use samite_runtime::{Options, Run, RuntimeError, start};

use crate::support::{Number, adding, program, wide};

/// Runs `child` in a forked process; it has some seconds to answer true.
fn in_child(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child only runs `child` and ends with _exit; what it needs of this process
    // (the allocator) is made safe for forking by the C library.
    let process = unsafe { libc::fork() };
    assert!(process >= 0);
    if process == 0 {
        let good = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(if good { 0 } else { 1 }) };
    }
    for _ in 0..500 {
        let mut status = 0;
        // SAFETY: `process` is our child and `status` a valid place for the answer.
        if unsafe { libc::waitpid(process, &raw mut status, libc::WNOHANG) } == process {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // SAFETY: `process` is our child, which hangs.
    unsafe { libc::kill(process, libc::SIGKILL) };
    // SAFETY: as above.
    unsafe { libc::waitpid(process, std::ptr::null_mut(), 0) };
    false
}

#[test]
fn a_child_forked_amid_runs_can_run_by_itself() {
    let slow = program(|_, _, _, _| {
        std::thread::sleep(Duration::from_micros(300));
        Ok(Arc::new(Number(0)))
    });
    for _ in 0..10 {
        let busy = start(wide(0, 500), slow.clone(), Options::pool(3)).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        assert!(in_child(|| {
            let values = start(wide(0, 100), adding(), Options::pool(3)).and_then(Run::join);
            values.is_ok_and(|values| values.len() == 100)
        }));
        assert!(in_child(|| {
            let outcome = busy.wait(Duration::from_secs(1));
            busy.cancel();
            matches!(outcome, Some(Err(RuntimeError::Forked)))
        }));
        busy.join().unwrap();
    }
}
