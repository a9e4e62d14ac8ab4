//! Tasks that go on on the thread that wakes them.
//!
//! Waking a thread of the runtime's costs more than most messages do. Inside of [`Here::begin`]'s
//! scope what this thread wakes is put on a list, and goes on on this thread when the scope ends
//! and no lock is held any more; outside of one it goes on on the runtime. So a message between
//! members of one process is handled by whoever sends it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

/// A thread that has worked for others so long leaves the rest to the runtime.
const PATIENCE: Duration = Duration::from_micros(500);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static WOKEN: RefCell<VecDeque<Arc<Task>>> = const { RefCell::new(VecDeque::new()) };
}

/// Nothing has woken it.
const IDLE: u8 = 0;
/// Somebody is going to poll it.
const WAITING: u8 = 1;
/// Somebody polls it.
const RUNNING: u8 = 2;
/// It was woken while it was polled.
const AGAIN: u8 = 3;

struct Task {
    state: AtomicU8,
    /// `None` once it is done or was aborted.
    work: Mutex<Option<Work>>,
    aborted: AtomicBool,
    runtime: &'static Runtime,
}

/// Ends a task.
pub(crate) struct Abort(Kind);

enum Kind {
    Ours(Arc<Task>),
    Runtime(AbortHandle),
}

impl Abort {
    /// The task does not go on after the step that it is at.
    pub(crate) fn abort(&self) {
        match &self.0 {
            Kind::Ours(task) => {
                task.aborted.store(true, Ordering::Release);
                task.wake_by_ref();
            }
            Kind::Runtime(task) => task.abort(),
        }
    }
}

impl From<AbortHandle> for Abort {
    fn from(task: AbortHandle) -> Self {
        Self(Kind::Runtime(task))
    }
}

/// Begins to read a connection on the runtime. It goes on where it is woken, if that is `local`; what
/// a socket wakes is on the runtime anyway.
pub(crate) fn spawn(
    runtime: &'static Runtime,
    local: bool,
    work: impl Future<Output = ()> + Send + 'static,
) -> Abort {
    if !local {
        return runtime.spawn(work).abort_handle().into();
    }
    let task = Arc::new(Task {
        state: AtomicU8::new(WAITING),
        work: Mutex::new(Some(Box::pin(work))),
        aborted: AtomicBool::new(false),
        runtime,
    });
    task.clone().go_on_later();
    Abort(Kind::Ours(task))
}

impl Task {
    fn go_on_later(self: Arc<Self>) {
        self.runtime.spawn(async move { self.go_on() });
    }

    /// Polls it for as long as it is woken meanwhile.
    fn go_on(self: Arc<Self>) {
        let _runtime = self.runtime.enter();
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        let mut work = self.work.lock();
        loop {
            self.state.store(RUNNING, Ordering::Release);
            let over = self.aborted.load(Ordering::Acquire)
                || work.as_mut().is_none_or(|work| work.as_mut().poll(&mut context).is_ready());
            if over {
                let done = work.take();
                drop(work);
                // What it held may wake or send as it is dropped.
                drop(done);
                return;
            }
            let still =
                self.state.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if still.is_ok() {
                return;
            }
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let change = |state| match state {
            IDLE => Some(WAITING),
            RUNNING => Some(AGAIN),
            _ => None,
        };
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, change) != Ok(IDLE) {
            return;
        }
        if DEPTH.get() == 0 {
            return self.go_on_later();
        }
        WOKEN.with_borrow_mut(|woken| woken.push_back(self));
    }
}

/// While it lives, what this thread wakes goes on on this thread when it is dropped. Make it before
/// locks are taken, so that it is dropped after them.
#[must_use]
pub(crate) struct Here(std::marker::PhantomData<*const ()>);

impl Here {
    pub(crate) fn begin() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self(std::marker::PhantomData)
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if DEPTH.get() > 1 {
            DEPTH.set(DEPTH.get() - 1);
            return;
        }
        // What is woken by what goes on here is put on the list too.
        let mut began = None;
        while let Some(task) = WOKEN.with_borrow_mut(VecDeque::pop_front) {
            let began = *began.get_or_insert_with(Instant::now);
            if began.elapsed() < PATIENCE && !std::thread::panicking() {
                task.go_on();
            } else {
                task.go_on_later();
            }
        }
        DEPTH.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::mpsc;

    use super::*;
    use crate::threads::runtime;

    /// Where each number that was sent was received.
    type Places = Arc<Mutex<Vec<(u32, std::thread::ThreadId)>>>;

    fn reader() -> (mpsc::UnboundedSender<u32>, Places, Abort) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let places = Places::default();
        let noted = places.clone();
        let abort = spawn(runtime().unwrap(), true, async move {
            while let Some(number) = receiver.recv().await {
                noted.lock().push((number, std::thread::current().id()));
            }
        });
        (sender, places, abort)
    }

    fn until(done: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < end, "the test hangs");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The reader has been polled once and waits.
    fn settled(sender: &mpsc::UnboundedSender<u32>, places: &Places) {
        sender.send(0).unwrap();
        until(|| places.lock().len() == 1);
        std::thread::sleep(Duration::from_millis(20));
        places.lock().clear();
    }

    #[test]
    fn what_is_woken_in_a_scope_goes_on_at_its_end_on_the_same_thread() {
        let (sender, places, _abort) = reader();
        settled(&sender, &places);
        {
            let _outer = Here::begin();
            {
                let _inner = Here::begin();
                sender.send(1).unwrap();
            }
            assert!(places.lock().is_empty(), "only the outermost scope's end lets it go on");
            sender.send(2).unwrap();
        }
        let here = std::thread::current().id();
        assert_eq!(*places.lock(), [(1, here), (2, here)]);
    }

    #[test]
    fn what_is_woken_outside_goes_on_elsewhere() {
        let (sender, places, _abort) = reader();
        settled(&sender, &places);
        sender.send(1).unwrap();
        until(|| !places.lock().is_empty());
        assert_ne!(places.lock()[0].1, std::thread::current().id());
    }

    #[test]
    fn nothing_is_lost_between_many_threads() {
        let (sender, places, _abort) = reader();
        let senders: Vec<_> = (0..4)
            .map(|thread| {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    for number in 0..5_000 {
                        let _here = (number % 3 != 0).then(Here::begin);
                        sender.send(thread * 5_000 + number).unwrap();
                    }
                })
            })
            .collect();
        senders.into_iter().for_each(|thread| thread.join().unwrap());
        until(|| places.lock().len() == 20_000);
        let mut numbers: Vec<u32> = places.lock().iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..20_000));
    }

    #[test]
    fn an_aborted_task_drops_what_it_holds() {
        struct Dropped(Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let held = Dropped(drops.clone());
        let abort = spawn(runtime().unwrap(), true, async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        abort.abort();
        until(|| drops.load(Ordering::Relaxed) == 1);
    }
}
