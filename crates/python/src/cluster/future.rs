//! The native part of futures: a key that a client wants for as long as the object lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use crate::cluster::client::{ClusterClient, Link};
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

/// What `samite.distributed.Future` is made of.
///
/// While the object lives, its client tells the scheduler that the value is wanted.
#[pyclass(subclass, frozen, weakref, module = "samite._engine")]
pub struct FutureBase {
    pub key: Arc<str>,
    link: Option<Arc<Link>>,
}

impl Drop for FutureBase {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.client.release(std::slice::from_ref(&self.key));
            gil::drop_attached(link);
        }
    }
}

#[pymethods]
impl FutureBase {
    /// A future of a key; without a client it only names one.
    #[new]
    #[pyo3(signature = (key, client=None, *_args, **_kwargs))]
    fn new(
        key: &str,
        client: Option<&Bound<'_, ClusterClient>>,
        _args: &Bound<'_, pyo3::types::PyTuple>,
        _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> Self {
        EXIST.store(true, Ordering::Relaxed);
        let key: Arc<str> = Arc::from(key);
        let link = client.map(|client| client.get().link.clone());
        if let Some(link) = &link {
            link.client.retain(std::slice::from_ref(&key));
        }
        Self { key, link }
    }

    /// The key as the scheduler knows it.
    #[getter]
    fn _samite_key(&self) -> &str {
        &self.key
    }
}
