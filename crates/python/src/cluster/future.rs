//! The native part of futures: a key that a client wants for as long as the object lives.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyString;
use samite::cluster::Key;
use samite::cluster::client::{Client, Status};

use crate::cluster::calls::{CallBatch, Progress};
use crate::cluster::client::{ClusterClient, Link};
use crate::cluster::submit;
use crate::gil;

/// Whether this process has made a future: until then, graphs are read without looking for some.
static EXIST: AtomicBool = AtomicBool::new(false);

/// Whether there may be futures in a graph.
pub fn exist() -> bool {
    EXIST.load(Ordering::Relaxed)
}

/// The object as a future, if it is one.
pub fn of<'a, 'py>(object: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, FutureBase>> {
    if exist() { object.cast::<FutureBase>().ok() } else { None }
}

thread_local! {
    /// The futures of a scheduler that were pickled, while somebody wants to know.
    static PICKLED: RefCell<Option<(String, Vec<Key>)>> = const { RefCell::new(None) };
}

/// What a function returns, and the keys of the futures of this client's scheduler that it pickled
/// on this thread and that may still have values, each once.
pub fn pickled_by<T>(client: &Client, work: impl FnOnce() -> T) -> (T, Vec<Key>) {
    if !exist() {
        return (work(), Vec::new());
    }
    let before = PICKLED.replace(Some((client.scheduler_id().to_owned(), Vec::new())));
    let made = work();
    let mut keys = PICKLED.replace(before).map(|(_, keys)| keys).unwrap_or_default();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| matches!(client.status(key), Status::Pending | Status::Finished { .. }));
    (made, keys)
}

/// Who is told when a future goes.
enum Holder {
    Nobody,
    Client(Arc<Link>),
    /// The call of this number of many, which may not have been submitted yet.
    Call(Arc<Progress>, u32),
}

/// What `samite.distributed.Future` is made of.
///
/// While the object lives, its client tells the scheduler that the value is wanted.
#[pyclass(subclass, frozen, weakref, module = "samite._engine")]
pub struct FutureBase {
    /// None where the calls know it.
    name: Option<Key>,
    holder: Holder,
    /// The key as the user wrote it, where that is no text.
    written: Option<Py<PyAny>>,
}

impl Drop for FutureBase {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.holder, Holder::Nobody) {
            Holder::Nobody => {}
            Holder::Client(link) => {
                link.client.release(self.name.as_slice());
                gil::drop_attached(link);
            }
            Holder::Call(progress, number) => {
                progress.release(self.name.as_ref(), number);
                gil::drop_attached(progress);
            }
        }
    }
}

impl FutureBase {
    /// The key as the scheduler knows it.
    pub fn key(&self) -> Key {
        match (&self.name, &self.holder) {
            (Some(key), _) => key.clone(),
            (None, Holder::Call(progress, number)) => progress.key(*number),
            (None, _) => Key::default(),
        }
    }
}

#[pymethods]
impl FutureBase {
    /// A future of a key; without a client it only names one. With many calls in place of the key,
    /// it is that of the next of them.
    #[new]
    #[pyo3(signature = (key, client=None, *_args, **_kwargs))]
    fn new(
        key: &Bound<'_, PyAny>,
        client: Option<&Bound<'_, ClusterClient>>,
        _args: &Bound<'_, pyo3::types::PyTuple>,
        _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Self> {
        EXIST.store(true, Ordering::Relaxed);
        if let Ok(calls) = key.cast_exact::<CallBatch>() {
            let (name, progress, number) = calls.get().next()?;
            let written = calls.get().written(key.py(), number).map(Bound::unbind);
            return Ok(Self { name, holder: Holder::Call(progress, number), written });
        }
        let written =
            if key.is_exact_instance_of::<PyString>() { None } else { Some(key.clone().unbind()) };
        let key = submit::text(key)?;
        let holder = match client {
            None => Holder::Nobody,
            Some(client) => {
                let link = client.get().link.clone();
                link.client.retain(std::slice::from_ref(&key));
                Holder::Client(link)
            }
        };
        Ok(Self { name: Some(key), holder, written })
    }

    /// What the result is called.
    #[getter]
    #[pyo3(name = "key")]
    fn written_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match &self.written {
            Some(written) => written.bind(py).clone(),
            None => self._samite_key(py).into_any(),
        }
    }

    /// The future is being pickled.
    fn _note_pickled(&self) {
        let link = match &self.holder {
            Holder::Nobody => return,
            Holder::Client(link) => link,
            Holder::Call(progress, _) => progress.link(),
        };
        PICKLED.with_borrow_mut(|noted| {
            if let Some((scheduler, keys)) = noted
                && link.client.scheduler_id() == scheduler
            {
                keys.push(self.key());
            }
        });
    }

    /// The key as the scheduler knows it.
    #[getter]
    fn _samite_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        match &self.name {
            Some(key) => PyString::new(py, &key.to_string()),
            None => PyString::new(py, &self.key().to_string()),
        }
    }
}
