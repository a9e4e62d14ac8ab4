//! A pool of worker processes, and the idle ones that outlive it.

use std::ffi::OsString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::child::{Recipe, Worker};
use super::{Frame, ProcessError};
use crate::sync::{Condvar, Mutex, PerProcess};

/// What a pool starts, and how many.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// How many processes at once, at least one.
    pub workers: usize,
    /// Variables that are set besides this process's own.
    pub environment: Vec<(OsString, OsString)>,
    /// How long a process may stay idle before it is ended.
    pub idle_timeout: Duration,
}

impl ProcessOptions {
    /// Options for so many processes of a command line.
    pub fn new(command: impl IntoIterator<Item = impl Into<OsString>>, workers: usize) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            workers,
            environment: Vec::new(),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// Processes that wait for another use.
#[derive(Default)]
struct Idle {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Each with what it was started from and the moment to end it.
    workers: Vec<(Recipe, Worker, Instant)>,
    /// Whether a thread ends those whose moment has come.
    watched: bool,
}

static IDLE: PerProcess<Idle> = PerProcess::new();

/// So many worker processes of one command line, started when needed.
#[derive(Debug)]
pub struct ProcessPool {
    recipe: Recipe,
    workers: usize,
    idle_timeout: Duration,
    owner: u32,
    leased: Mutex<usize>,
    returned: Condvar,
}

impl ProcessPool {
    /// A pool. No process is started yet.
    pub fn new(options: ProcessOptions) -> Self {
        Self {
            recipe: Recipe { command: options.command, environment: options.environment },
            workers: options.workers.max(1),
            idle_timeout: options.idle_timeout,
            owner: std::process::id(),
            leased: Mutex::new(0),
            returned: Condvar::new(),
        }
    }

    /// A process for this thread alone: an idle one, or a new one. Waits while all are in use.
    ///
    /// # Errors
    /// [`ProcessError::Start`] where a process is needed and cannot be started;
    /// [`ProcessError::Forked`] in a forked child.
    pub fn acquire(&self) -> Result<Lease<'_>, ProcessError> {
        if self.owner != std::process::id() {
            return Err(ProcessError::Forked);
        }
        let mut leased = self.leased.lock();
        while *leased >= self.workers {
            leased = self.returned.wait(leased);
        }
        *leased += 1;
        drop(leased);
        // From here on the drop of the lease gives the place back.
        let mut lease = Lease { pool: self, worker: None };
        lease.worker = Some(self.take()?);
        Ok(lease)
    }

    fn take(&self) -> Result<Worker, ProcessError> {
        loop {
            let idle = {
                let workers = &mut IDLE.get().waiting.lock().workers;
                let place = workers.iter().rposition(|(recipe, ..)| *recipe == self.recipe);
                place.map(|place| workers.remove(place).1)
            };
            let Some(mut worker) = idle else { return Worker::start(&self.recipe) };
            if worker.ended().is_none() {
                return Ok(worker);
            }
        }
    }

    fn give_back(&self, worker: Option<Worker>) {
        if let Some(worker) = worker {
            keep(self.recipe.clone(), worker, Instant::now() + self.idle_timeout);
        }
        *self.leased.lock() -= 1;
        self.returned.notify_one();
    }
}

/// Keeps an idle process until `end`, and sees to it that someone ends it then.
fn keep(recipe: Recipe, worker: Worker, end: Instant) {
    let idle = IDLE.get();
    let mut waiting = idle.waiting.lock();
    waiting.workers.push((recipe, worker, end));
    if waiting.watched {
        idle.changed.notify_one();
        return;
    }
    // Without a thread the process stays for as long as this one.
    waiting.watched = crate::threads::spawn(Box::new(|| end_idle(idle))).is_ok();
}

/// Ends idle processes whose moment has come, until there are none.
fn end_idle(idle: &Idle) {
    let mut waiting = idle.waiting.lock();
    loop {
        let now = Instant::now();
        let due: Vec<_> = waiting.workers.extract_if(.., |(.., end)| *end <= now).collect();
        if !due.is_empty() {
            drop(waiting);
            drop(due);
            waiting = idle.waiting.lock();
            continue;
        }
        let Some(next) = waiting.workers.iter().map(|(.., end)| *end).min() else {
            waiting.watched = false;
            return;
        };
        waiting = idle.changed.wait_timeout(waiting, next - now);
    }
}

/// The use of one worker process. Dropping it gives the process back.
#[derive(Debug)]
pub struct Lease<'pool> {
    pool: &'pool ProcessPool,
    worker: Option<Worker>,
}

impl Lease<'_> {
    /// The process id; `None` after the process was lost.
    pub fn process(&self) -> Option<u32> {
        self.worker.as_ref().map(Worker::id)
    }

    /// Sends a message and waits for the answer. A call after a failed one starts a new process.
    ///
    /// # Errors
    /// [`ProcessError::Died`] where the process ended first; [`ProcessError::Cancelled`] where
    /// `cancelled` became true; others where the two do not understand each other. The process is
    /// gone after each of these.
    pub fn call(
        &mut self,
        frames: &[&[u8]],
        cancelled: &AtomicBool,
    ) -> Result<Vec<Frame>, ProcessError> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.pool.take()?,
        };
        let answer = converse(&mut worker, frames, cancelled)?;
        self.worker = Some(worker);
        Ok(answer)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.give_back(self.worker.take());
    }
}

/// One request and one answer.
fn converse(
    worker: &mut Worker,
    frames: &[&[u8]],
    cancelled: &AtomicBool,
) -> Result<Vec<Frame>, ProcessError> {
    let process = worker.id();
    let watched: Vec<_> = worker.watched().into_iter().collect();
    let mut ended = false;
    let answer = {
        let is_cancelled = || cancelled.load(Ordering::Relaxed);
        let Worker { channel, .. } = &*worker;
        let mut waiting = || {
            if is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            // The end of the process may come before what it sent last was read: one more look.
            if has_ended(&watched) {
                if ended {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                ended = true;
            }
            Ok(())
        };
        channel
            .send_while(frames, &watched, &mut waiting)
            .and_then(|()| channel.receive_while(&watched, &mut waiting))
    };
    let error = match answer {
        Ok(Some(frames)) => return Ok(frames),
        Ok(None) => io::ErrorKind::UnexpectedEof.into(),
        Err(error) => error,
    };
    Err(match error.kind() {
        io::ErrorKind::Interrupted => ProcessError::Cancelled,
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset => {
            ProcessError::Died { process, status: worker.last_words() }
        }
        io::ErrorKind::InvalidData => ProcessError::Protocol { process, reason: error.to_string() },
        _ => ProcessError::Io { process, source: error },
    })
}

/// Whether one of the descriptors is readable: the process behind it has ended.
fn has_ended(watched: &[i32]) -> bool {
    watched.iter().any(|descriptor| {
        let mut entry = libc::pollfd { fd: *descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: `entry` is one valid entry.
        unsafe { libc::poll(&raw mut entry, 1, 0) == 1 }
    })
}
