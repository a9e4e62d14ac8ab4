//! Many calls of one function, which are submitted piece by piece: the first ones run, and their
//! futures are in use, before the last ones are pickled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyString, PyTuple, PyType};
use samite::cluster::Key;

use crate::cluster::client::{ClusterClient, Link};
use crate::cluster::servers::raised;
use crate::cluster::submit;
use crate::gil;

/// Calls with more bytes of arguments than this do not wait: they take memory twice.
const MANY_BYTES: usize = 1 << 20;
/// Keyword arguments go with each batch of calls.
const FEW_BYTES: usize = 1 << 10;

/// How far the calls of a batch have come, for their futures.
pub struct Progress {
    link: Arc<Link>,
    /// So many of the first ones were submitted: the client counts a holder of each.
    submitted: AtomicUsize,
    /// The numbers of those whose futures are gone, while they have not been submitted.
    gone: Mutex<Vec<u32>>,
}

impl Progress {
    /// A future goes.
    pub fn release(&self, key: &Key, number: u32) {
        if self.submitted.load(Ordering::Acquire) <= number as usize {
            let mut gone = self.gone.lock();
            // Unless it was submitted before the lock was taken.
            if self.submitted.load(Ordering::Acquire) <= number as usize {
                gone.push(number);
                return;
            }
        }
        self.link.client.release(std::slice::from_ref(key));
    }

    /// The calls before this number are submitted now, or will never be.
    fn advance(&self, keys: &[Key], end: usize) {
        let mut gone = self.gone.lock();
        self.submitted.store(end, Ordering::Release);
        let (past, ahead): (Vec<u32>, Vec<u32>) =
            gone.drain(..).partition(|number| (*number as usize) < end);
        *gone = ahead;
        drop(gone);
        let past: Vec<Key> =
            past.iter().filter_map(|number| keys.get(*number as usize)).cloned().collect();
        if !past.is_empty() {
            self.link.client.release(&past);
        }
    }
}

/// Calls of one function with one set of options.
#[pyclass(frozen, module = "samite._engine")]
pub struct CallBatch {
    progress: Arc<Progress>,
    keys: Vec<Key>,
    func: Py<PyAny>,
    prepared: Option<Py<PyAny>>,
    args: Py<PyList>,
    kwargs: Option<Py<PyDict>>,
    options: submit::Options,
    can_wait: bool,
    /// Whether a piece is being submitted.
    busy: AtomicBool,
    /// How many futures there are.
    futures: AtomicUsize,
}

impl CallBatch {
    /// The key of the next call that has no future yet, and what the future needs.
    pub fn next(&self) -> PyResult<(Key, Arc<Progress>, u32)> {
        let number = self.futures.load(Ordering::Relaxed);
        let key = self.keys.get(number).ok_or_else(|| {
            PyIndexError::new_err("all calls of the batch have their futures already")
        })?;
        self.futures.store(number + 1, Ordering::Relaxed);
        Ok((key.clone(), self.progress.clone(), number as u32))
    }
}

impl Drop for CallBatch {
    fn drop(&mut self) {
        let (futures, submitted) =
            (*self.futures.get_mut(), self.progress.submitted.load(Ordering::Acquire));
        // Nobody holds these, and they were counted.
        if let Some(left) = self.keys.get(futures..submitted) {
            self.progress.link.client.release(left);
        }
        if submitted < futures {
            // A future that waits for ever is worse than one that was cancelled.
            self.progress.link.client.abandon(&self.keys[submitted..futures], "unknown");
            self.progress.advance(&self.keys, futures);
        }
    }
}

#[pymethods]
impl CallBatch {
    /// Calls of `func`, one for each tuple of `args`. `keys` are texts, one for each; or a prefix,
    /// which the first argument follows, that is a whole number of 64 bits, or with `counted` the
    /// number of the call.
    #[new]
    #[pyo3(signature = (client, func, args, keys, kwargs=None, options=None, counted=false))]
    fn new(
        client: &Bound<'_, ClusterClient>,
        func: Bound<'_, PyAny>,
        args: Bound<'_, PyList>,
        keys: &Bound<'_, PyAny>,
        kwargs: Option<Bound<'_, PyDict>>,
        options: Option<&Bound<'_, PyDict>>,
        counted: bool,
    ) -> PyResult<Self> {
        let keys = match keys.cast::<PyString>() {
            Ok(prefix) => numbered(&prefix.to_cow()?, &args, counted)?,
            Err(_) => submit::texts(keys.cast::<PyList>()?)?,
        };
        if keys.len() != args.len() {
            return Err(PyValueError::new_err("there must be a key for each call"));
        }
        if u32::try_from(keys.len()).is_err() {
            return Err(PyValueError::new_err("a map has at most 4294967295 calls"));
        }
        let kwargs = kwargs.filter(|kwargs| !kwargs.is_empty());
        let few = match &kwargs {
            None => true,
            Some(kwargs) => submit::plain_bytes(kwargs.values().iter(), FEW_BYTES).is_some(),
        };
        let submit::Function { func, prepared } = submit::Function::new(func)?;
        let can_wait = few && submit::plain_calls_bytes(&args, MANY_BYTES).is_some();
        Ok(Self {
            progress: Arc::new(Progress {
                link: client.get().link.clone(),
                submitted: AtomicUsize::new(0),
                gone: Mutex::default(),
            }),
            keys,
            can_wait: can_wait && prepared.is_some(),
            func: func.unbind(),
            prepared: prepared.map(Bound::unbind),
            args: args.unbind(),
            kwargs: kwargs.map(Bound::unbind),
            options: submit::Options::new(options)?,
            busy: AtomicBool::new(false),
            futures: AtomicUsize::new(0),
        })
    }

    /// Whether pickling the calls later makes no difference: all of them are plain values that do
    /// not change, they are not large, and so is the function.
    #[getter]
    fn can_wait(&self) -> bool {
        self.can_wait
    }

    /// How many calls are not submitted yet.
    #[getter]
    fn left(&self) -> usize {
        self.keys.len() - self.progress.submitted.load(Ordering::Acquire)
    }

    /// Submits up to `count` more calls; the bytes that go to the scheduler.
    fn submit(&self, py: Python<'_>, count: usize) -> PyResult<usize> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(PyRuntimeError::new_err("the calls are being submitted already"));
        }
        let submitted = self.piece(py, count);
        self.busy.store(false, Ordering::Release);
        submitted
    }

    /// Gives up the calls that were not submitted: their futures are cancelled.
    fn abandon(&self, reason: &str) {
        let submitted = self.progress.submitted.load(Ordering::Acquire);
        self.progress.link.client.abandon(&self.keys[submitted..], reason);
        self.progress.advance(&self.keys, self.keys.len());
    }

    /// A list of the futures of all calls: instances of `kind` with a `_client`.
    fn make_futures<'py>(
        slf: &Bound<'py, Self>,
        kind: &Bound<'py, PyType>,
        client: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let new = py.get_type::<crate::cluster::future::FutureBase>();
        let new = new.getattr(intern!(py, "__new__"))?;
        let arguments = PyTuple::new(py, [kind.as_any(), slf.as_any()])?;
        let name = intern!(py, "_client");
        let futures = PyList::empty(py);
        for _ in 0..slf.get().keys.len() {
            let future = new.call1(&arguments)?;
            future.setattr(name, client)?;
            futures.append(future)?;
        }
        Ok(futures)
    }
}

impl CallBatch {
    fn piece(&self, py: Python<'_>, count: usize) -> PyResult<usize> {
        let begin = self.progress.submitted.load(Ordering::Acquire);
        let end = begin.saturating_add(count).min(self.keys.len());
        if begin == end {
            return Ok(0);
        }
        let args = self.args.bind(py).get_slice(begin, end);
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let keys = &self.keys[begin..end];
        let options = self.options.clone();
        let func = submit::Function {
            func: self.func.bind(py).clone(),
            prepared: self.prepared.as_ref().map(|prepared| prepared.bind(py).clone()),
        };
        let submission = submit::calls(keys, &func, &args, kwargs, options)?;
        let nbytes = submission.nbytes();
        gil::released(|| {
            let sent = self.progress.link.client.submit_held(submission);
            self.progress.advance(&self.keys, end);
            sent
        })
        .map_err(raised)?;
        Ok(nbytes)
    }
}

fn numbered(prefix: &str, args: &Bound<'_, PyList>, counted: bool) -> PyResult<Vec<Key>> {
    use std::fmt::Write;
    let mut text = String::from(prefix);
    let mut keys = Vec::with_capacity(args.len());
    for (position, args) in args.iter().enumerate() {
        let number = if counted {
            position as i64
        } else {
            args.cast::<PyTuple>()?.get_item(0)?.extract()?
        };
        text.truncate(prefix.len());
        // Writing to text does not fail.
        _ = write!(text, "{number}");
        keys.push(Key::from(text.as_str()));
    }
    Ok(keys)
}

/// Whether each of the calls has one argument, which is a whole number of 64 bits.
#[pyfunction]
pub fn take_integers(args: &Bound<'_, PyList>) -> bool {
    args.iter().all(|args| {
        args.cast::<PyTuple>().is_ok_and(|args| {
            args.len() == 1
                && args.get_borrowed_item(0).is_ok_and(|arg| {
                    arg.is_exact_instance_of::<PyInt>()
                        && arg.extract::<i64>().is_ok_and(|number| number != i64::MIN)
                })
        })
    })
}
