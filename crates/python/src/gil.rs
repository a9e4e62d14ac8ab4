//! The one place where the interpreter is entered and left.

use std::cell::Cell;

use pyo3::prelude::*;
use samite::runtime::Guard;

/// Runs `body` with the interpreter released, whether or not this thread held it.
pub fn released<T>(body: impl FnOnce() -> T) -> T {
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

/// Worker threads hold the interpreter for a whole batch of Python tasks, in a copy of the
/// context variables of the thread that asked for the result.
pub struct InterpreterGuard {
    context: Option<Py<PyAny>>,
    run_batch: Py<PyAny>,
}

impl InterpreterGuard {
    pub fn new(py: Python<'_>, context: Option<Py<PyAny>>) -> PyResult<Self> {
        let run_batch = pyo3::wrap_pyfunction!(run_batch, py)?.into_any().unbind();
        Ok(Self { context, run_batch })
    }
}

impl Guard for InterpreterGuard {
    fn thread(&self, body: &mut dyn FnMut()) {
        // The outer attachment keeps the thread's interpreter state for its whole life, so that
        // thread-local data of Python persists and entering again is cheap.
        released(body);
    }

    fn batch(&self, body: &mut dyn FnMut()) {
        Python::attach(|py| {
            let Some(context) = &self.context else { return body() };
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
            let outcome = copy.call_method1("run", (self.run_batch.bind(py),));
            if let Some(left) = BATCH.take() {
                // SAFETY: as above; the context refused to run, so the body was not entered.
                unsafe { (*left)() }
            }
            drop(outcome);
        });
    }
}
