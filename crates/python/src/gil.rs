//! The one place where the interpreter is entered and left.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use samite::runtime::Guard;

thread_local! {
    /// Whether this thread holds the interpreter because it runs a batch of tasks.
    static IN_BATCH: Cell<bool> = const { Cell::new(false) };
}

/// Says for as long as it lives whether this thread is in a batch.
struct BatchMark(bool);

impl BatchMark {
    fn set(now: bool) -> Self {
        Self(IN_BATCH.replace(now))
    }
}

impl Drop for BatchMark {
    fn drop(&mut self) {
        IN_BATCH.set(self.0);
    }
}

/// Runs a native part of a task: without the interpreter, which the thread holds if other parts of
/// the task, or of its batch, need it.
pub fn native_part<T>(body: impl FnOnce() -> T) -> T {
    if IN_BATCH.get() { released(body) } else { body() }
}

/// Runs `body` with the interpreter released, whether or not this thread held it.
pub fn released<T>(body: impl FnOnce() -> T) -> T {
    let _mark = BatchMark::set(false);
    struct Here<T>(T);
    // SAFETY: `detach` calls its closure on this very thread. Its `Send` bound only stands in for
    // "touches no Python object", which holds for every caller in this crate: they wait, read
    // and write bytes, or drive the runtime, whose guard enters the interpreter again by itself.
    unsafe impl<T> Send for Here<T> {}
    impl<T> Here<T> {
        fn take(self) -> T {
            self.0
        }
    }
    let body = Here(body);
    Python::attach(|py| py.detach(move || Here((body.take())()))).take()
}

/// A Python object that another thread may be the last to hold.
pub struct Held {
    object: Option<Py<PyAny>>,
    _visitor: Visitor,
}

impl Held {
    pub fn new(object: Py<PyAny>) -> Self {
        Self { object: Some(object), _visitor: Visitor::enter() }
    }

    /// The object; it is there until this is dropped.
    pub fn bind<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        match &self.object {
            Some(object) => Ok(object.bind(py)),
            None => Err(pyo3::exceptions::PyRuntimeError::new_err("the object is gone")),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop_attached(self.object.take());
    }
}

thread_local! {
    /// The batch that `run_batch` is to run on this thread, while `contextvars.Context.run` is
    /// between here and there.
    static BATCH: Cell<Option<*mut (dyn FnMut() + 'static)>> = const { Cell::new(None) };
}

/// What a copied context runs: the batch that the thread has at hand.
#[pyfunction]
pub fn run_batch() {
    if let Some(batch) = BATCH.take() {
        // SAFETY: `InterpreterGuard::batch` put the pointer there on this thread, and is still
        // on the stack below: it waits for the context's `run` to return. `take` makes sure that
        // the body is not entered twice.
        unsafe { (*batch)() }
    }
}

/// How many reasons there are for another thread to enter the interpreter: worker threads that
/// run tasks, and objects that such a thread may be the last to hold.
///
/// A thread that takes the interpreter when it is being finalized is ended by Python through a
/// forced unwind, which no Rust frame survives. So the interpreter must not be finalized while
/// there are any.
static VISITORS: AtomicUsize = AtomicUsize::new(0);

/// One of the reasons, for as long as it lives.
pub struct Visitor(());

impl Visitor {
    pub fn enter() -> Self {
        VISITORS.fetch_add(1, Ordering::AcqRel);
        Self(())
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        VISITORS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Drops what holds Python objects with the interpreter held, so that they go at once: dropped
/// without it they would stay until some later call enters the interpreter.
pub fn drop_attached<T>(value: T) {
    let mut value = Some(value);
    // Without an interpreter, after its end, there is nothing to give back.
    Python::try_attach(|_py| drop(value.take()));
    if let Some(left) = value {
        std::mem::forget(left);
    }
}

/// Arranges that the interpreter's exit waits for worker threads, and that a forked child, which
/// has none, does not.
pub fn register_exit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let wait = pyo3::wrap_pyfunction!(wait_for_threads, module)?;
    py.import("atexit")?.call_method1("register", (wait,))?;
    let forget = PyDict::new(py);
    forget.set_item("after_in_child", pyo3::wrap_pyfunction!(forget_threads, module)?)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&forget))?;
    Ok(())
}

/// Waits until the tasks that still run, after a failure or an interrupt, have ended. Python's
/// own thread pools wait likewise. Ctrl-C ends the process without waiting any longer.
#[pyfunction]
fn wait_for_threads(py: Python<'_>) -> PyResult<()> {
    let began = Instant::now();
    let mut told = false;
    let mut pause = Duration::from_micros(50);
    while VISITORS.load(Ordering::Acquire) > 0 {
        released(|| std::thread::sleep(pause));
        pause = (pause * 2).min(Duration::from_millis(20));
        if py.check_signals().is_err() {
            // 128 + SIGINT, as shells report an interrupted program.
            std::process::exit(130);
        }
        if !told && began.elapsed() > Duration::from_secs(3) {
            told = true;
            let stderr = py.import("sys")?.getattr("stderr")?;
            let _ = stderr.call_method1(
                "write",
                ("samite: waiting for tasks that still run; Ctrl-C quits at once\n",),
            );
        }
    }
    Ok(())
}

#[pyfunction]
fn forget_threads() {
    VISITORS.store(0, Ordering::Release);
}

/// As [`InterpreterGuard`], without context variables: it holds nothing of Python's, so that there
/// may be one when the interpreter ends.
pub struct PlainGuard;

impl Guard for PlainGuard {
    fn thread(&self, body: &mut dyn FnMut()) {
        let _visitor = Visitor::enter();
        released(body);
    }

    fn batch(&self, body: &mut dyn FnMut()) {
        Python::attach(|_py| {
            let _mark = BatchMark::set(true);
            body();
        });
    }
}

/// Worker threads hold the interpreter for a whole batch of Python tasks, in a copy of the
/// context variables of the thread that asked for the result.
pub struct InterpreterGuard {
    context: Option<Py<PyAny>>,
    run_batch: Option<Py<PyAny>>,
    _visitor: Visitor,
}

impl Drop for InterpreterGuard {
    fn drop(&mut self) {
        drop_attached((self.context.take(), self.run_batch.take()));
    }
}

impl InterpreterGuard {
    pub fn new(py: Python<'_>, context: Option<Py<PyAny>>) -> PyResult<Self> {
        let run_batch = pyo3::wrap_pyfunction!(run_batch, py)?.into_any().unbind();
        if let Some(context) = &context {
            crate::numpy_memory::install_in(context.bind(py))?;
        }
        Ok(Self { context, run_batch: Some(run_batch), _visitor: Visitor::enter() })
    }
}

impl Guard for InterpreterGuard {
    fn thread(&self, body: &mut dyn FnMut()) {
        let _visitor = Visitor::enter();
        // The outer attachment keeps the thread's interpreter state for its whole life, so that
        // thread-local data of Python persists and entering again is cheap.
        released(body);
    }

    fn batch(&self, body: &mut dyn FnMut()) {
        Python::attach(|py| {
            let _mark = BatchMark::set(true);
            let (Some(context), Some(run_batch)) = (&self.context, &self.run_batch) else {
                return body();
            };
            let copy = match context.bind(py).call_method0("copy") {
                Ok(copy) => copy,
                Err(_out_of_memory) => return body(),
            };
            let body: *mut (dyn FnMut() + '_) = body;
            // SAFETY: only the lifetime changes. The pointer is used by `run_batch` below this
            // frame, or taken out again before this function returns.
            let body = unsafe {
                std::mem::transmute::<*mut (dyn FnMut() + '_), *mut (dyn FnMut() + 'static)>(body)
            };
            BATCH.set(Some(body));
            let outcome = copy.call_method1("run", (run_batch.bind(py),));
            if let Some(left) = BATCH.take() {
                // SAFETY: as above; the context refused to run, so the body was not entered.
                unsafe { (*left)() }
            }
            drop(outcome);
        });
    }
}
