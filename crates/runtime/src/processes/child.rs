//! One worker process: how it is started, watched and ended.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::{ProcessError, WORKER_DESCRIPTOR};
use crate::sync::{Mutex, PerProcess};

/// A running worker process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    pub(super) channel: Channel,
    /// Becomes readable when the process ends; where the system has such a thing.
    watch: Option<OwnedFd>,
    owner: u32,
}

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) command: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
}

type Order = (Recipe, mpsc::SyncSender<io::Result<Worker>>);

/// The thread that starts processes. The kernel's "kill me when my parent dies" means the thread
/// that started the process, so this one lives as long as the program does.
#[derive(Default)]
struct Starter {
    orders: Mutex<Option<mpsc::Sender<Order>>>,
}

static STARTER: PerProcess<Starter> = PerProcess::new();

impl Worker {
    pub(super) fn start(recipe: &Recipe) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start {
            command: recipe
                .command
                .first()
                .map_or_else(String::new, |program| program.to_string_lossy().into_owned()),
            source,
        };
        let (answer, answered) = mpsc::sync_channel(1);
        {
            let mut orders = STARTER.get().orders.lock();
            if orders.is_none() {
                let (sender, receiver) = mpsc::channel::<Order>();
                std::thread::Builder::new()
                    .name("samite-starter".to_owned())
                    .spawn(move || {
                        for (recipe, answer) in receiver {
                            // Whoever gave up waiting does not want the process any more.
                            let _ = answer.send(Self::start_here(&recipe));
                        }
                    })
                    .map_err(failed)?;
                *orders = Some(sender);
            }
            if let Some(orders) = &*orders {
                let _ = orders.send((recipe.clone(), answer));
            }
        }
        let gone = || io::Error::other("the thread that starts processes has ended");
        answered.recv().unwrap_or_else(|_| Err(gone())).map_err(failed)
    }

    fn start_here(recipe: &Recipe) -> io::Result<Self> {
        let (program, arguments) = recipe
            .command
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command"))?;
        let (ours, theirs) = UnixStream::pair()?;
        let socket = theirs.as_raw_fd();
        let parent = std::process::id();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        command.envs(recipe.environment.iter().map(|(name, value)| (name, value)));
        // Ctrl-C in the terminal is the parent's to handle.
        command.process_group(0);
        // SAFETY: the closure calls only functions that are safe between fork and exec.
        unsafe {
            command.pre_exec(move || {
                if socket == WORKER_DESCRIPTOR {
                    check(libc::fcntl(socket, libc::F_SETFD, 0))?;
                } else {
                    check(libc::dup2(socket, WORKER_DESCRIPTOR))?;
                }
                die_with(parent)
            });
        }
        let child = command.spawn()?;
        drop(theirs);
        let watch = watch(child.id());
        Ok(Self { child, channel: Channel::new(ours)?, watch, owner: parent })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What to poll for the end of the process.
    pub(super) fn watched(&self) -> Option<RawFd> {
        self.watch.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// How the process ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits a moment for a process whose socket has closed.
    pub(super) fn last_words(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + Duration::from_millis(200);
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // In a forked child the process is not ours to end.
        if self.owner != std::process::id() {
            return;
        }
        if self.ended().is_none() {
            // SAFETY: the process is ours and not yet waited for, so its number, which is also
            // that of its group, is not used for any other.
            unsafe { libc::kill(-(self.child.id() as libc::pid_t), libc::SIGKILL) };
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks the kernel to end this process with its parent.
#[cfg(target_os = "linux")]
fn die_with(parent: u32) -> io::Result<()> {
    // SAFETY: prctl and getppid have no preconditions.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        // The parent may have died before the call.
        if libc::getppid() as u32 != parent {
            libc::_exit(1);
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with(_: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn watch(process: u32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and returns a descriptor or an error.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process as libc::pid_t, 0) };
    let descriptor = RawFd::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
    // SAFETY: the descriptor was just made and nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(not(target_os = "linux"))]
fn watch(_: u32) -> Option<OwnedFd> {
    None
}
