//! Many calls of one function, which are submitted piece by piece: the first ones run, and their
//! futures are in use, before the last ones are pickled.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};
use samite::cluster::Key;

use crate::cluster::client::{ClusterClient, Link};
use crate::cluster::future::FutureBase;
use crate::cluster::names::{self, Numbered};
use crate::cluster::servers::raised;
use crate::cluster::submit;
use crate::gil;

/// Calls with more bytes of arguments than this do not wait: they take memory twice.
const MANY_BYTES: usize = 4 << 20;
/// Keyword arguments go with each batch of calls.
const FEW_BYTES: usize = 1 << 10;

/// How far the calls of a batch have come, for their futures.
pub struct Progress {
    link: Arc<Link>,
    /// So many of the first ones were submitted: the client counts a holder of each.
    submitted: AtomicUsize,
    /// Those whose futures are gone, while they have not been submitted.
    gone: Mutex<Vec<(u32, Key)>>,
    /// Their keys, where they are numbered.
    numbered: Option<Numbered>,
}

impl Progress {
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The key of a call, where they are numbered.
    pub fn key(&self, number: u32) -> Key {
        self.numbered.as_ref().map(|keys| keys.key(number as usize)).unwrap_or_default()
    }

    /// A future goes; `name` is its key, where they are not numbered.
    pub fn release(&self, name: Option<&Key>, number: u32) {
        let key = || name.cloned().unwrap_or_else(|| self.key(number));
        if self.submitted.load(Ordering::Acquire) <= number as usize {
            let mut gone = self.gone.lock();
            // Unless it was submitted before the lock was taken.
            if self.submitted.load(Ordering::Acquire) <= number as usize {
                gone.push((number, key()));
                return;
            }
        }
        self.link.client.release(&[key()]);
    }

    /// The calls before this number are submitted now, or will never be.
    fn advance(&self, end: usize) {
        let mut gone = self.gone.lock();
        self.submitted.store(end, Ordering::Release);
        let (past, ahead): (Vec<_>, Vec<_>) =
            gone.drain(..).partition(|(number, _)| (*number as usize) < end);
        *gone = ahead;
        drop(gone);
        if !past.is_empty() {
            let past: Vec<Key> = past.into_iter().map(|(_, key)| key).collect();
            self.link.client.release(&past);
        }
    }
}

/// Calls of one function with one set of options.
#[pyclass(frozen, module = "samite._engine")]
pub struct CallBatch {
    progress: Arc<Progress>,
    count: usize,
    /// The keys, where they are not numbered.
    listed: Vec<Key>,
    /// These as the user wrote them, where some are no text.
    written: Option<Py<PyList>>,
    func: Py<PyAny>,
    prepared: Option<Py<PyAny>>,
    columns: Py<PyTuple>,
    kwargs: Option<Py<PyDict>>,
    options: submit::Options,
    can_wait: bool,
    /// Whether a piece is being submitted.
    busy: AtomicBool,
    /// How many futures there are.
    futures: AtomicUsize,
}

impl CallBatch {
    /// The next call that has no future yet: its key, where keys are not numbered, and its place.
    pub fn next(&self) -> PyResult<(Option<Key>, Arc<Progress>, u32)> {
        let number = self.futures.load(Ordering::Relaxed);
        if number >= self.count {
            return Err(PyIndexError::new_err("all calls have their futures already"));
        }
        self.futures.store(number + 1, Ordering::Relaxed);
        Ok((self.listed.get(number).cloned(), self.progress.clone(), number as u32))
    }

    /// The key of a call as the user wrote it, where it is no text.
    pub fn written<'py>(&self, py: Python<'py>, number: u32) -> Option<Bound<'py, PyAny>> {
        let key = self.written.as_ref()?.bind(py).get_item(number as usize).ok()?;
        if key.is_exact_instance_of::<PyString>() { None } else { Some(key) }
    }

    fn keys(&self, positions: Range<usize>) -> Vec<Key> {
        match &self.progress.numbered {
            Some(numbered) => numbered.keys(positions),
            None => self.listed.get(positions).unwrap_or_default().to_vec(),
        }
    }

    fn submitted(&self) -> usize {
        self.progress.submitted.load(Ordering::Acquire)
    }
}

impl Drop for CallBatch {
    fn drop(&mut self) {
        let (futures, submitted) = (*self.futures.get_mut(), self.submitted());
        // Nobody holds these, and they were counted.
        if futures < submitted {
            self.progress.link.client.release(&self.keys(futures..submitted));
        }
        // A future that is waited for in vain is worse than one that was cancelled.
        if submitted < futures {
            self.progress.link.client.abandon(&self.keys(submitted..futures), "not-submitted");
            self.progress.advance(futures);
        }
    }
}

#[pymethods]
impl CallBatch {
    /// Calls of `func`, as many as the `columns` of arguments are long, which are lists and ranges
    /// that nobody changes. `keys` are one for each call; or a prefix, which the only argument
    /// follows, a whole number of 64 bits, or with `counted` the place of the call.
    #[new]
    #[pyo3(signature = (client, func, columns, keys, kwargs=None, options=None, counted=false))]
    fn new(
        client: &Bound<'_, ClusterClient>,
        func: Bound<'_, PyAny>,
        columns: Bound<'_, PyTuple>,
        keys: &Bound<'_, PyAny>,
        kwargs: Option<Bound<'_, PyDict>>,
        options: Option<&Bound<'_, PyDict>>,
        counted: bool,
    ) -> PyResult<Self> {
        let mut count = usize::MAX;
        for column in columns.iter() {
            count = count.min(column.len()?);
        }
        if u32::try_from(count).is_err() {
            return Err(PyValueError::new_err("a map has columns, and at most 4294967295 calls"));
        }
        let mut written = None;
        let (listed, numbered) = match keys.cast::<PyString>() {
            Ok(prefix) if counted => (Vec::new(), Some(Numbered::counted(&prefix.to_cow()?))),
            Ok(prefix) => (Vec::new(), Some(Numbered::of_arguments(&prefix.to_cow()?, &columns)?)),
            Err(_) => {
                let keys = keys.cast::<PyList>()?;
                if !keys.iter().all(|key| key.is_exact_instance_of::<PyString>()) {
                    written = Some(keys.clone().unbind());
                }
                (submit::texts(keys)?, None)
            }
        };
        if numbered.is_none() && listed.len() != count {
            return Err(PyValueError::new_err("there must be a key for each call"));
        }
        let kwargs = kwargs.filter(|kwargs| !kwargs.is_empty());
        let few = match &kwargs {
            None => true,
            Some(kwargs) => submit::plain_bytes(kwargs.values().iter(), FEW_BYTES).is_some(),
        };
        let submit::Function { func, prepared } = submit::Function::new(func)?;
        let plain = few && names::plain_bytes(&columns, MANY_BYTES).is_some();
        Ok(Self {
            progress: Arc::new(Progress {
                link: client.get().link.clone(),
                submitted: AtomicUsize::new(0),
                gone: Mutex::default(),
                numbered,
            }),
            count,
            listed,
            written,
            can_wait: plain && prepared.is_some(),
            func: func.unbind(),
            prepared: prepared.map(Bound::unbind),
            columns: columns.unbind(),
            kwargs: kwargs.map(Bound::unbind),
            options: submit::Options::new(options)?,
            busy: AtomicBool::new(false),
            futures: AtomicUsize::new(0),
        })
    }

    /// Whether pickling the calls later makes no difference: all arguments are plain values that
    /// do not change, they are not large, and the function is pickled already.
    #[getter]
    fn can_wait(&self) -> bool {
        self.can_wait
    }

    /// How many calls are not submitted yet.
    #[getter]
    fn left(&self) -> usize {
        self.count - self.submitted()
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
        self.progress.link.client.abandon(&self.keys(self.submitted()..self.count), reason);
        self.progress.advance(self.count);
    }

    /// A list of the futures of all calls: instances of `kind` with a `_client`.
    fn make_futures<'py>(
        slf: &Bound<'py, Self>,
        kind: &Bound<'py, PyType>,
        client: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let new = py.get_type::<FutureBase>().getattr(intern!(py, "__new__"))?;
        let arguments = PyTuple::new(py, [kind.as_any(), slf.as_any()])?;
        let name = intern!(py, "_client");
        let futures = PyList::empty(py);
        for _ in 0..slf.get().count {
            let future = new.call1(&arguments)?;
            future.setattr(name, client)?;
            futures.append(future)?;
        }
        Ok(futures)
    }
}

impl CallBatch {
    fn piece(&self, py: Python<'_>, count: usize) -> PyResult<usize> {
        let begin = self.submitted();
        let end = begin.saturating_add(count).min(self.count);
        if begin == end {
            return Ok(0);
        }
        let args = names::rows(self.columns.bind(py), begin..end)?;
        let kwargs = self.kwargs.as_ref().map(|kwargs| kwargs.bind(py));
        let func = submit::Function {
            func: self.func.bind(py).clone(),
            prepared: self.prepared.as_ref().map(|prepared| prepared.bind(py).clone()),
        };
        let keys = self.keys(begin..end);
        let submission = submit::calls(
            &self.progress.link.client,
            &keys,
            &func,
            &args,
            kwargs,
            self.options.clone(),
        )?;
        let nbytes = submission.nbytes();
        gil::released(|| {
            let sent = self.progress.link.client.submit_held(submission);
            self.progress.advance(end);
            sent
        })
        .map_err(raised)?;
        Ok(nbytes)
    }
}
