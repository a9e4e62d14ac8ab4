//! The connection of a Python client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyTimeoutError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use samite::cluster::client::{Client, ClientOptions, Outcome, Status};
use samite::cluster::transport::Address;
use samite::cluster::{Carried, Erred, Executor, Failure, Fault, Key, Plain};
use samite::runtime::Value;

use crate::cluster::executor::{self, PyExecutor};
use crate::cluster::future::{self, FutureBase};
use crate::cluster::servers::{raised, seconds, security_of};
use crate::cluster::settings::fetching_of;
use crate::cluster::{plain, submit};
use crate::gil::{self, Held};
use crate::helpers;
use crate::value::{PyValue, to_python};

/// What futures and the client share.
pub struct Link {
    pub client: Client,
}

/// A connection to a scheduler.
#[pyclass(frozen, module = "samite._engine")]
pub struct ClusterClient {
    pub link: Arc<Link>,
}

/// Waits with the interpreter released; signals are looked for every 50 ms.
struct Signals(Option<PyErr>);

impl Signals {
    fn go_on(&mut self) -> bool {
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => true,
            Err(interrupted) => {
                self.0 = Some(interrupted);
                false
            }
        }
    }

    fn check(self) -> PyResult<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn texts(keys: Vec<String>) -> Vec<Key> {
    let mut last = None;
    let key = |text: String| last.insert(Key::after(&text, last.as_ref())).clone();
    keys.into_iter().map(key).collect()
}

/// The exception of a fault of the scheduler.
fn faulty(py: Python<'_>, fault: &Fault) -> PyErr {
    made(helpers::fault(py).and_then(|make| make.call1((&*fault.kind, &*fault.message))))
}

fn made(made: PyResult<Bound<'_, PyAny>>) -> PyErr {
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(failed) => failed,
    }
}

fn cancelled(py: Python<'_>, key: &str, reason: &str, message: Option<&str>) -> PyErr {
    made(helpers::cancelled(py).and_then(|make| make.call1((key, reason, message))))
}

/// The exception of a result that there will not be.
fn exception_of(py: Python<'_>, key: &Key, outcome: &Outcome) -> PyErr {
    let key = &*key.to_string();
    match outcome {
        Outcome::Erred { origin, erred } => erred_exception(py, key, origin, erred),
        Outcome::Cancelled { reason } => cancelled(py, key, reason, None),
        Outcome::Value(_) => pyo3::exceptions::PyRuntimeError::new_err("the result is there"),
    }
}

fn erred_exception(py: Python<'_>, key: &str, origin: &str, erred: &Erred) -> PyErr {
    match erred {
        Erred::Raised { text, error } => executor::exception(py, text, error),
        Erred::KilledWorker { workers } => {
            let args = (origin, workers.last(), workers.len());
            made(helpers::killed(py).and_then(|make| make.call1(args)))
        }
        Erred::DataLost => {
            let message = format!(
                "the data {origin} was on no other worker than one that was lost, and cannot be \
                 computed again"
            );
            cancelled(py, key, "data-lost", Some(&message))
        }
        Erred::NoWorker { milliseconds } => {
            let args = (origin, *milliseconds as f64 / 1000.0);
            made(helpers::no_worker(py).and_then(|make| make.call1(args)))
        }
        Erred::Cancelled => {
            let message = if origin.is_empty() {
                format!(
                    "{key} needs a result that this cluster does not know: it was cancelled or \
                     released, or it is of another cluster"
                )
            } else {
                format!("{key} needs {origin}, which was cancelled or released")
            };
            cancelled(py, key, "dependency", Some(&message))
        }
    }
}

/// Waits for the answer to a request to take values.
fn scattered(
    py: Python<'_>,
    receiver: &std::sync::mpsc::Receiver<Result<Plain, Fault>>,
    end: Option<std::time::Instant>,
) -> PyResult<Result<Plain, Fault>> {
    loop {
        match gil::released(|| receiver.recv_timeout(Duration::from_millis(50))) {
            Ok(answer) => return Ok(answer),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                return Err(raised(samite::cluster::ClusterError::Closed));
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                py.check_signals()?;
                if end.is_some_and(|end| end <= std::time::Instant::now()) {
                    return Err(PyTimeoutError::new_err("no worker took the data in time"));
                }
            }
        }
    }
}

fn status_text(status: &Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Finished { .. } => "finished",
        // What it needs was cancelled or lost, and so it was.
        Status::Erred { erred, .. } if matches!(**erred, Erred::Cancelled) => "cancelled",
        Status::Erred { .. } => "error",
        Status::Cancelled { .. } => "cancelled",
    }
}

#[pymethods]
impl ClusterClient {
    /// Connects to a scheduler at `address`, as a client called `name`; `connections` are the settings
    /// of `fetching_of`.
    #[new]
    #[pyo3(signature = (address, *, name="Client", security=None, timeout=30.0, connections=None))]
    fn new(
        address: &str,
        name: &str,
        security: Option<&Bound<'_, PyDict>>,
        timeout: f64,
        connections: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let address: Address = address.parse().map_err(raised)?;
        let security = security_of(security)?;
        let executor: Arc<dyn Executor> = Arc::new(PyExecutor);
        let fetching = fetching_of(connections)?;
        let options = ClientOptions { timeout: Some(seconds(timeout)), fetching };
        let connect = || Client::connect(&address, &security, name, executor, options);
        let client = gil::released(connect).map_err(raised)?;
        Ok(Self { link: Arc::new(Link { client }) })
    }

    /// The client's name, which no other client of the scheduler has.
    #[getter]
    fn id(&self) -> &str {
        self.link.client.id()
    }

    /// The scheduler's name.
    #[getter]
    fn scheduler_id(&self) -> &str {
        self.link.client.scheduler_id()
    }

    /// Whether the connection has ended.
    #[getter]
    fn closed(&self) -> bool {
        self.link.client.is_closed()
    }

    /// Submits a call of `func` for each of `args`; the bytes that go to the scheduler.
    #[pyo3(signature = (keys, func, args, kwargs=None, options=None))]
    fn submit_calls(
        &self,
        keys: &Bound<'_, PyList>,
        func: &Bound<'_, PyAny>,
        args: &Bound<'_, PyList>,
        kwargs: Option<&Bound<'_, PyDict>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<usize> {
        let kwargs = kwargs.filter(|kwargs| !kwargs.is_empty());
        let options = submit::Options::new(options)?;
        let keys = submit::texts(keys)?;
        let func = submit::Function::new(func.clone())?;
        let submission = submit::calls(&self.link.client, &keys, &func, args, kwargs, options)?;
        let nbytes = submission.nbytes();
        gil::released(|| self.link.client.submit(submission)).map_err(raised)?;
        Ok(nbytes)
    }

    /// Submits a dict graph; `outputs` are those of its keys that are wanted. `options` are those of
    /// all tasks, but for the keys in `rows`, which have one of `sets`, counted from 1. The bytes
    /// that go to the scheduler.
    #[pyo3(signature = (graph, outputs, options=None, sets=None, rows=None))]
    fn submit_graph<'py>(
        &self,
        graph: Bound<'py, PyDict>,
        outputs: &Bound<'py, PyList>,
        options: Option<&Bound<'py, PyDict>>,
        sets: Option<&Bound<'py, PyList>>,
        rows: Option<Bound<'py, PyDict>>,
    ) -> PyResult<usize> {
        let annotated = match (sets, rows) {
            (Some(sets), Some(rows)) => submit::Annotated::new(sets, rows)?,
            _ => submit::Annotated::default(),
        };
        let options = submit::Options::new(options)?;
        let submission = submit::graph(&self.link.client, graph, outputs, options, annotated)?;
        let nbytes = submission.nbytes();
        gil::released(|| self.link.client.submit(submission)).map_err(raised)?;
        Ok(nbytes)
    }

    /// Counts one more holder of each result.
    fn retain(&self, keys: Vec<String>) {
        self.link.client.retain(&texts(keys));
    }

    /// Counts one holder less of each result.
    fn release(&self, keys: Vec<String>) {
        self.link.client.release(&texts(keys));
    }

    /// The keys that futures hold here, and how many hold each.
    fn held(&self) -> Vec<(String, usize)> {
        let held = self.link.client.held().into_iter();
        held.map(|(key, holders)| (key.to_string(), holders)).collect()
    }

    /// `"pending"`, `"finished"`, `"error"`, `"cancelled"` or `"lost"`.
    fn status(&self, key: &str) -> &'static str {
        status_text(&self.link.client.status(&Key::from(key)))
    }

    /// Waits until all results are there or will not be, or with `first` until one is; False where
    /// `timeout` seconds were over.
    #[pyo3(signature = (keys, timeout=None, first=false))]
    fn wait(&self, keys: Vec<String>, timeout: Option<f64>, first: bool) -> PyResult<bool> {
        let keys = texts(keys);
        let mut signals = Signals(None);
        let done = gil::released(|| {
            let timeout = timeout.map(seconds);
            self.link.client.wait(&keys, timeout, first, &mut || signals.go_on())
        });
        signals.check()?;
        Ok(done)
    }

    /// The values of futures, or of keys, once they are there; raises the first error as soon as there is one.
    /// Not `direct`: they come through the scheduler.
    #[pyo3(signature = (futures, timeout=None, direct=true))]
    fn gather<'py>(
        &self,
        py: Python<'py>,
        futures: &Bound<'py, PyList>,
        timeout: Option<f64>,
        direct: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let key = |future: Bound<'py, PyAny>| match future.cast::<FutureBase>() {
            Ok(future) => Ok(future.get().key()),
            Err(_) => submit::text(&future),
        };
        let keys: Vec<Key> = futures.iter().map(key).collect::<PyResult<_>>()?;
        let timeout = self.without_failure(py, &keys, timeout)?;
        let outcomes = self.outcomes(&keys, timeout, direct)?;
        let list = PyList::empty(py);
        for (key, outcome) in keys.iter().zip(&outcomes) {
            match outcome {
                Outcome::Value(value) => list.append(to_python(py, value)?)?,
                other => return Err(exception_of(py, key, other)),
            }
        }
        Ok(list)
    }

    /// As `gather`, with `("ok", value)`, `("error", exception, traceback, key of the task)` or
    /// `("cancelled", exception, key)` for each.
    #[pyo3(signature = (keys, timeout=None, direct=true))]
    fn values<'py>(
        &self,
        py: Python<'py>,
        keys: Vec<String>,
        timeout: Option<f64>,
        direct: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let keys = texts(keys);
        let outcomes = self.outcomes(&keys, timeout, direct)?;
        let list = PyList::empty(py);
        for (key, outcome) in keys.iter().zip(&outcomes) {
            match outcome {
                Outcome::Value(value) => list.append(("ok", to_python(py, value)?))?,
                Outcome::Erred { origin, .. } => {
                    let error = exception_of(py, key, outcome);
                    let traceback = error.traceback(py);
                    list.append(("error", error.into_value(py), traceback, origin))?;
                }
                Outcome::Cancelled { .. } => {
                    let error = exception_of(py, key, outcome);
                    list.append(("cancelled", error.into_value(py), key.to_string()))?;
                }
            }
        }
        Ok(list)
    }

    /// `(value,)` of a result whose value came with the news that it is there; None otherwise.
    fn value_here<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let key = Key::from(key);
        match gil::released(|| self.link.client.value_here(&key)) {
            Some(Outcome::Value(value)) => PyTuple::new(py, [to_python(py, &value)?]).map(Some),
            Some(Outcome::Erred { .. } | Outcome::Cancelled { .. }) | None => Ok(None),
        }
    }

    /// `(exception, traceback, key of the task)` of a result that has failed; None otherwise.
    fn failure<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let (outcome, origin) = match self.link.client.status(&Key::from(key)) {
            Status::Erred { origin, erred } => {
                (Outcome::Erred { origin: origin.clone(), erred }, origin)
            }
            Status::Cancelled { reason } => (Outcome::Cancelled { reason }, key.to_owned()),
            Status::Pending | Status::Finished { .. } => return Ok(None),
        };
        let error = exception_of(py, &Key::from(key), &outcome);
        let traceback = error.traceback(py);
        (error.into_value(py), traceback, origin).into_pyobject(py).map(Some)
    }

    /// Calls `callback(key, status)` once for each result, on a thread of the client, when it is
    /// there or will not be.
    fn watch(&self, keys: Vec<String>, callback: Py<PyAny>) {
        let callback = Arc::new(Held::new(callback));
        for key in texts(keys) {
            let callback = callback.clone();
            let watcher = move |key: &Key, status: &Status| {
                Python::attach(|py| {
                    let called = callback.bind(py).and_then(|callback| {
                        callback.call1((key.to_string(), status_text(status)))
                    });
                    if let Err(failed) = called {
                        failed.write_unraisable(py, None);
                    }
                });
            };
            self.link.client.watch(&key, Box::new(watcher));
        }
    }

    /// Drops results and stops what makes them; `force`: also where other clients want them.
    #[pyo3(signature = (keys, force=false, reason="unknown", message=""))]
    fn cancel(&self, keys: Vec<String>, force: bool, reason: &str, message: &str) -> PyResult<()> {
        let reason = if message.is_empty() {
            reason.to_owned()
        } else {
            format!("{reason}. Message: {message}")
        };
        self.link.client.cancel(texts(keys), &reason, force).map_err(raised)
    }

    /// Runs failed tasks again.
    fn retry(&self, keys: Vec<String>) -> PyResult<()> {
        self.link.client.retry(texts(keys)).map_err(raised)
    }

    /// Brings values to workers.
    #[pyo3(signature = (keys, values, workers=None, broadcast=1, timeout=None))]
    fn scatter<'py>(
        &self,
        py: Python<'py>,
        keys: Vec<String>,
        values: Vec<Bound<'py, PyAny>>,
        workers: Option<Vec<String>>,
        broadcast: u32,
        timeout: Option<f64>,
    ) -> PyResult<()> {
        let client = &self.link.client;
        let keys = texts(keys);
        let values: Vec<Value> = values.into_iter().map(PyValue::value).collect();
        let workers = workers.unwrap_or_default();
        let end = timeout.map(|timeout| std::time::Instant::now() + seconds(timeout));
        let mut local = client.is_local();
        let answer = loop {
            let mut carried = Vec::with_capacity(values.len());
            let mut holds = Vec::new();
            for value in &values {
                carried.push(if local {
                    Carried::Local(value.clone())
                } else {
                    let encode = || client.executor().encode(value);
                    let (encoded, pickled) = future::pickled_by(client, encode);
                    holds.extend(pickled);
                    match encoded {
                        Ok(encoded) => Carried::Encoded(encoded),
                        Err(Failure::Raised { text, error }) => {
                            return Err(executor::exception(py, &text, &error));
                        }
                        Err(Failure::Reschedule) => continue,
                    }
                });
            }
            let sizes = values.iter().map(|value| value.nbytes() as u64).collect();
            let (sender, receiver) = std::sync::mpsc::sync_channel(1);
            let answer = Box::new(move |answer| _ = sender.send(answer));
            client
                .scatter(keys.clone(), carried, sizes, workers.clone(), broadcast, holds, answer)
                .map_err(raised)?;
            match scattered(py, &receiver, end)? {
                // Not all of the workers are in this process.
                Err(fault) if local && &*fault.kind == "NotEncoded" => local = false,
                answer => break answer,
            }
        };
        answer.map_err(|fault| faulty(py, &fault))?;
        // A worker that leaves hands on what it has, and not what is still on its way to it.
        let mut signals = Signals(None);
        let there = gil::released(|| {
            let left = end.map(|end| end.saturating_duration_since(std::time::Instant::now()));
            client.wait(&keys, left, false, &mut || signals.go_on())
        });
        signals.check()?;
        if there { Ok(()) } else { Err(PyTimeoutError::new_err("no worker took the data in time")) }
    }

    /// Asks the scheduler for something.
    #[pyo3(signature = (name, arguments, timeout=None))]
    fn request<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: &Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = plain::of_python(arguments)?;
        let mut signals = Signals(None);
        let answer = gil::released(|| {
            let timeout = timeout.map(seconds);
            self.link.client.request(name, arguments, timeout, &mut || signals.go_on())
        });
        signals.check()?;
        match answer.map_err(raised)? {
            Some(Ok(answer)) => plain::to_python(py, &answer),
            Some(Err(fault)) => Err(faulty(py, &fault)),
            None => Err(PyTimeoutError::new_err(format!(
                "the scheduler did not answer the request {name} in time"
            ))),
        }
    }

    /// Asks the scheduler for something, and calls `callback(succeeded, answer or exception)` on a
    /// thread of the client.
    fn request_later(
        &self,
        name: &str,
        arguments: &Bound<'_, PyAny>,
        callback: Py<PyAny>,
    ) -> PyResult<()> {
        let arguments = plain::of_python(arguments)?;
        let callback = Held::new(callback);
        let answered = move |answer: Result<samite::cluster::Plain, Fault>| {
            Python::attach(|py| {
                let called = callback.bind(py).and_then(|callback| match &answer {
                    Ok(answer) => callback.call1((true, plain::to_python(py, answer)?)),
                    Err(fault) => callback.call1((false, faulty(py, fault).into_value(py))),
                });
                if let Err(failed) = called {
                    failed.write_unraisable(py, None);
                }
            });
        };
        self.link.client.request_later(name, arguments, Box::new(answered)).map_err(raised)
    }

    /// Calls `callback(event)` with each event of a topic, on a thread of the client.
    fn subscribe(&self, topic: &str, callback: Py<PyAny>) -> PyResult<()> {
        let callback = Held::new(callback);
        let listener = move |event: &samite::cluster::Plain| {
            Python::attach(|py| {
                let called = callback
                    .bind(py)
                    .and_then(|callback| callback.call1((plain::to_python(py, event)?,)));
                if let Err(failed) = called {
                    failed.write_unraisable(py, None);
                }
            });
        };
        self.link.client.subscribe(topic, Arc::new(listener)).map_err(raised)
    }

    /// Ends events of a topic.
    fn unsubscribe(&self, topic: &str) -> PyResult<()> {
        self.link.client.unsubscribe(topic).map_err(raised)
    }

    /// Leaves the scheduler.
    #[pyo3(signature = (timeout=1.0))]
    fn close(&self, timeout: f64) {
        let _ = timeout;
        gil::released(|| self.link.client.close());
    }
}

impl ClusterClient {
    /// Waits until all results are there, and raises what the first one raised that will not be;
    /// what is left of the time.
    fn without_failure(
        &self,
        py: Python<'_>,
        keys: &[Key],
        timeout: Option<f64>,
    ) -> PyResult<Option<f64>> {
        let began = Instant::now();
        let client = &self.link.client;
        if keys.len() > 1 {
            let mut signals = Signals(None);
            let failed = gil::released(|| {
                client.first_failure(keys, timeout.map(seconds), &mut || signals.go_on())
            });
            signals.check()?;
            if let Some(key) = failed.and_then(|place| keys.get(place)) {
                match client.status(key) {
                    Status::Erred { origin, erred } => {
                        return Err(exception_of(py, key, &Outcome::Erred { origin, erred }));
                    }
                    Status::Cancelled { reason } => {
                        return Err(exception_of(py, key, &Outcome::Cancelled { reason }));
                    }
                    // It was tried again meanwhile.
                    Status::Pending | Status::Finished { .. } => {}
                }
            }
        }
        Ok(timeout.map(|timeout| (timeout - began.elapsed().as_secs_f64()).max(0.0)))
    }

    fn outcomes(&self, keys: &[Key], timeout: Option<f64>, direct: bool) -> PyResult<Vec<Outcome>> {
        let mut signals = Signals(None);
        let found = gil::released(|| {
            let timeout = timeout.map(seconds);
            let go_on = &mut || signals.go_on();
            if direct {
                self.link.client.fetch(keys, timeout, go_on)
            } else {
                self.link.client.fetch_through_scheduler(keys, timeout, go_on)
            }
        });
        signals.check()?;
        found
            .map_err(raised)?
            .ok_or_else(|| PyTimeoutError::new_err("the results were not there in time"))
    }
}
