//! Where messages to the scheduler arrive, and who handles them.
//!
//! There is no thread of the scheduler's: whoever brings a message handles it, with all others that
//! have come meanwhile, unless somebody is at it already. So a message costs no change of threads,
//! and messages that come close together are one batch, after which tasks are placed once.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Inbox;
use super::core::Core;
use crate::inline::Here;
use crate::threads::runtime;

/// How many parcels are handled before tasks are placed and answers leave.
const BATCH: usize = 256;
/// After so many batches somebody else goes on: whoever handles messages does not read its own.
const BATCHES: usize = 16;

/// The scheduler has ended.
pub(super) struct Ended;

/// The state of a scheduler and the messages that wait for it.
pub(super) struct Desk {
    waiting: Mutex<VecDeque<Inbox>>,
    /// `None` once it has ended.
    state: Mutex<Option<State>>,
    ended: Mutex<bool>,
    end: Condvar,
}

struct State {
    core: Core,
    /// When the next `Tick` comes.
    armed: Option<Instant>,
}

impl Desk {
    pub(super) fn new(core: Core) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            state: Mutex::new(Some(State { core, armed: None })),
            ended: Mutex::new(false),
            end: Condvar::new(),
        })
    }

    /// Brings a message. Must not be called with a lock held that handling messages takes.
    pub(super) fn send(self: &Arc<Self>, item: Inbox) -> Result<(), Ended> {
        if *self.ended.lock() {
            return Err(Ended);
        }
        // Members in this process read what they are sent here, once nothing is locked.
        let _here = Here::begin();
        self.waiting.lock().push_back(item);
        self.handle();
        Ok(())
    }

    /// As [`send`](Self::send), for those who must not handle messages.
    pub(super) fn send_later(self: &Arc<Self>, item: Inbox) {
        self.waiting.lock().push_back(item);
        self.handle_later();
    }

    fn handle_later(self: &Arc<Self>) {
        let desk = Arc::clone(self);
        if let Ok(runtime) = runtime() {
            runtime.spawn(async move { desk.handle() });
        }
    }

    /// Handles what waits, unless somebody is at it: who ends looks once more.
    fn handle(self: &Arc<Self>) {
        loop {
            let Some(mut state) = self.state.try_lock() else { return };
            for _ in 0..BATCHES {
                let Some(running) = state.as_mut() else { return };
                let mut waiting = self.waiting.lock();
                if waiting.is_empty() {
                    break;
                }
                let end = waiting.len().min(BATCH);
                let left = waiting.split_off(end);
                let items = mem::replace(&mut *waiting, left);
                drop(waiting);
                if running.take(items) {
                    running.arm(Arc::downgrade(self));
                    continue;
                }
                let gone = state.take();
                drop(state);
                drop(gone);
                let rest = mem::take(&mut *self.waiting.lock());
                drop(rest);
                *self.ended.lock() = true;
                self.end.notify_all();
                return;
            }
            drop(state);
            if self.waiting.lock().is_empty() {
                return;
            }
            if tokio::runtime::Handle::try_current().is_ok() {
                return self.handle_later();
            }
        }
    }

    /// Waits until the scheduler has ended; false where that takes longer.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let until = Instant::now().checked_add(timeout);
        let mut ended = self.ended.lock();
        while !*ended {
            match until {
                Some(until) if self.end.wait_until(&mut ended, until).timed_out() => return *ended,
                Some(_) => {}
                None => self.end.wait(&mut ended),
            }
        }
        true
    }
}

impl State {
    /// Handles a batch; false where the scheduler has ended.
    fn take(&mut self, items: VecDeque<Inbox>) -> bool {
        let core = &mut self.core;
        for item in items {
            match item {
                Inbox::Connected(id, sender, local) => core.connected(id, sender, local),
                Inbox::Messages(id, messages) => core.messages(id, messages),
                Inbox::Ended(id, lost) => core.ended(id, lost),
                Inbox::Durable(records) => core.durable(records),
                Inbox::Tick => {
                    self.armed = None;
                    core.tick();
                }
                Inbox::Serving(port) => core.dashboard = Some(port),
                // A page that was closed meanwhile needs no answer.
                Inbox::Show(since, answer) => _ = answer.send(core.show(since)),
                Inbox::Retire(request, answer) => {
                    _ = answer.send(core.retire_for_page(request));
                }
                Inbox::Kill => {
                    core.abort();
                    return false;
                }
                Inbox::Close => {
                    core.close();
                    return false;
                }
            }
        }
        core.finish_batch();
        if core.pending.stopping {
            core.close();
            return false;
        }
        true
    }

    /// Sees to it that a `Tick` comes when something is due.
    fn arm(&mut self, desk: Weak<Desk>) {
        if let Some(due) = self.core.next_deadline()
            && self.armed.is_none_or(|armed| due < armed)
            && let Ok(runtime) = runtime()
        {
            self.armed = Some(due);
            runtime.spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                if let Some(desk) = desk.upgrade() {
                    // A scheduler that has ended has nothing to do.
                    _ = desk.send(Inbox::Tick);
                }
            });
        }
    }
}
