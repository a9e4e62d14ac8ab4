//! The native part of futures: a key that a client wants for as long as the object lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyString;

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
    pub key: Arc<str>,
    holder: Holder,
    /// The key as the user wrote it, where that is no text.
    written: Option<Py<PyAny>>,
}

impl Drop for FutureBase {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.holder, Holder::Nobody) {
            Holder::Nobody => {}
            Holder::Client(link) => {
                link.client.release(std::slice::from_ref(&self.key));
                gil::drop_attached(link);
            }
            Holder::Call(progress, number) => {
                progress.release(&self.key, number);
                gil::drop_attached(progress);
            }
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
            let (key, progress, number) = calls.get().next()?;
            return Ok(Self { key, holder: Holder::Call(progress, number), written: None });
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
        Ok(Self { key, holder, written })
    }

    /// What the result is called.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match &self.written {
            Some(written) => written.bind(py).clone(),
            None => PyString::new(py, &self.key).into_any(),
        }
    }

    /// The key as the scheduler knows it.
    #[getter]
    fn _samite_key(&self) -> &str {
        &self.key
    }
}
