//! Idle worker threads, kept for the next run.
//!
//! A thread is either running one job or sits in the process's cache. A run borrows as many as it
//! can use; a run inside a task of another run borrows others, so nesting cannot deadlock.
//! Threads that sit idle for long end. After a `fork` the child has none of the threads: a
//! child starts with an empty cache.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex, PerProcess};

/// What a thread does until it is idle again.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How long a thread waits for a job before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// As much as a main thread usually has: operations may recurse. Only what is used costs memory.
const STACK: usize = 8 << 20;

/// One idle thread's place to wait.
#[derive(Default)]
struct Seat {
    job: Mutex<Option<Job>>,
    arrived: Condvar,
}

/// The seats of all idle threads.
#[derive(Default)]
struct Cache {
    idle: Mutex<Vec<Arc<Seat>>>,
}

static CACHE: PerProcess<Cache> = PerProcess::new();
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Runs `job` on an idle thread, or on a new one.
///
/// # Errors
/// The error of the operating system where a new thread is needed and cannot be had.
pub(crate) fn spawn(job: Job) -> io::Result<()> {
    let cache = CACHE.get();
    let seat = cache.idle.lock().pop();
    if let Some(seat) = seat {
        *seat.job.lock() = Some(job);
        seat.arrived.notify_one();
        return Ok(());
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::thread::Builder::new()
        .name(format!("samite-{number}"))
        .stack_size(STACK)
        .spawn(move || serve(cache, job))
        .map(drop)
}

/// A thread's life: run a job, sit down, and again.
fn serve(cache: &'static Cache, first: Job) {
    let seat = Arc::new(Seat::default());
    let mut job = first;
    loop {
        // A job that panics has reported so by itself; the thread is as good as before.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        cache.idle.lock().push(Arc::clone(&seat));
        let deadline = Instant::now() + PATIENCE;
        let mut waiting = seat.job.lock();
        job = loop {
            if let Some(job) = waiting.take() {
                break job;
            }
            let now = Instant::now();
            if now < deadline {
                waiting = seat.arrived.wait_timeout(waiting, deadline - now);
                continue;
            }
            drop(waiting);
            let mut idle = cache.idle.lock();
            if let Some(place) = idle.iter().position(|other| Arc::ptr_eq(other, &seat)) {
                idle.swap_remove(place);
                drop(idle);
                // Nothing was computed for long.
                crate::pool::trim(0);
                return;
            }
            // Someone took the seat from the cache just now: the job is about to arrive.
            drop(idle);
            waiting = seat.job.lock();
            while waiting.is_none() {
                waiting = seat.arrived.wait(waiting);
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_thread_is_used_again() {
        let (sender, receiver) = mpsc::channel();
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let sender = sender.clone();
            spawn(Box::new(move || {
                let name = std::thread::current().name().unwrap_or("").to_owned();
                sender.send(name).unwrap();
            }))
            .unwrap();
            names.insert(receiver.recv().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(names.len() < 10, "{names:?}");
    }

    #[test]
    fn a_panic_does_not_end_the_cache() {
        let (sender, receiver) = mpsc::channel();
        for round in 0..3 {
            spawn(Box::new(|| panic!("on purpose"))).unwrap();
            let sender = sender.clone();
            spawn(Box::new(move || sender.send(round).unwrap())).unwrap();
            assert_eq!(receiver.recv().unwrap(), round);
        }
    }
}
