//! What Python code sees of a run: callbacks for each task, progress, and the event log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use samite::graph::{Plan, TaskId, Work};
use samite::runtime::{Observer, OperationError, Run, Value};

use crate::gil::{self, Held};
use crate::program::{Op, Operations};
use crate::value::to_python;

/// One finished task.
struct Event {
    task: TaskId,
    worker: usize,
    began: Instant,
    ended: Instant,
    nbytes: usize,
}

/// Records every task that ran.
pub struct EventLog {
    origin: Instant,
    events: Mutex<Vec<Event>>,
}

impl EventLog {
    pub fn new() -> Self {
        Self { origin: Instant::now(), events: Mutex::new(Vec::new()) }
    }
}

/// A worker's question to the thread that waits for the result.
pub enum Request {
    Started { task: TaskId, answer: SyncSender<PyResult<()>> },
    Finished { task: TaskId, worker: usize, value: Value, answer: SyncSender<PyResult<()>> },
}

/// How callbacks are called.
pub enum Callbacks {
    None,
    /// On this thread, which runs the tasks itself.
    Here(Held),
    /// On the thread that waits: workers ask it and wait for its answer.
    There(Sender<Request>),
}

/// How far a run is.
#[derive(Default)]
pub struct Counters {
    pub started: AtomicU64,
    pub done: AtomicU64,
}

/// The observer of one run.
pub struct RunObserver {
    pub counters: Arc<Counters>,
    pub operations: Arc<Operations>,
    pub plan: Arc<Plan>,
    pub callbacks: Callbacks,
    pub log: Option<Arc<EventLog>>,
}

/// A channel for [`Callbacks::There`].
pub fn requests() -> (Sender<Request>, Receiver<Request>) {
    channel()
}

/// The key of a task.
pub fn key_of<'py>(
    py: Python<'py>,
    plan: &Plan,
    operations: &[Op],
    task: TaskId,
) -> PyResult<Bound<'py, PyAny>> {
    let operation = match plan.work(task) {
        Work::Single { operation, .. } => operation,
        Work::Fused(steps) => match steps.last() {
            Some(step) => step.operation,
            None => return Ok(py.None().into_bound(py)),
        },
    };
    operations[operation.index()].key(py)
}

impl RunObserver {
    fn ask(
        &self,
        sender: &Sender<Request>,
        request: impl FnOnce(SyncSender<PyResult<()>>) -> Request,
    ) -> Result<(), OperationError> {
        let (answer, answered) = sync_channel(1);
        let request = request(answer);
        // The thread that asked for the result may have left, interrupted; then the run is being
        // cancelled and nobody is interested.
        let reply = gil::released(|| {
            sender.send(request).ok()?;
            answered.recv().ok()
        });
        match reply {
            Some(Err(error)) => Err(OperationError::new(error)),
            _ => Ok(()),
        }
    }
}

/// Calls `callbacks.started(key)`.
pub fn call_started(callbacks: &Bound<'_, PyAny>, key: Bound<'_, PyAny>) -> PyResult<()> {
    callbacks.call_method1("started", (key,)).map(drop)
}

/// Calls `callbacks.finished(key, value, worker)`.
pub fn call_finished(
    py: Python<'_>,
    callbacks: &Bound<'_, PyAny>,
    key: Bound<'_, PyAny>,
    value: &Value,
    worker: usize,
) -> PyResult<()> {
    let value = to_python(py, value)?;
    callbacks.call_method1("finished", (key, value, worker)).map(drop)
}

impl Observer for RunObserver {
    fn started(&self, task: TaskId, _worker: usize) -> Result<(), OperationError> {
        self.counters.started.fetch_add(1, Ordering::Relaxed);
        match &self.callbacks {
            Callbacks::None => Ok(()),
            Callbacks::Here(callbacks) => Python::attach(|py| {
                call_started(callbacks.bind(py)?, key_of(py, &self.plan, &self.operations, task)?)
            })
            .map_err(OperationError::new),
            Callbacks::There(sender) => {
                self.ask(sender, |answer| Request::Started { task, answer })
            }
        }
    }

    fn finished(
        &self,
        task: TaskId,
        worker: usize,
        outcome: Result<&Value, &OperationError>,
        began: Instant,
        ended: Instant,
    ) -> Result<(), OperationError> {
        let Ok(value) = outcome else { return Ok(()) };
        self.counters.done.fetch_add(1, Ordering::Relaxed);
        if let Some(log) = &self.log {
            let nbytes = value.nbytes();
            log.events.lock().push(Event { task, worker, began, ended, nbytes });
        }
        match &self.callbacks {
            Callbacks::None => Ok(()),
            Callbacks::Here(callbacks) => Python::attach(|py| {
                let key = key_of(py, &self.plan, &self.operations, task)?;
                call_finished(py, callbacks.bind(py)?, key, value, worker)
            })
            .map_err(OperationError::new),
            Callbacks::There(sender) => {
                let value = value.clone();
                self.ask(sender, |answer| Request::Finished { task, worker, value, answer })
            }
        }
    }
}

/// What a finished task tells: key, worker, start, end, bytes.
type EventTuple<'py> = (Bound<'py, PyAny>, usize, f64, f64, usize);

/// A running graph as native callbacks see it.
#[pyclass(frozen, module = "samite._engine")]
pub struct RunView {
    pub counters: Arc<Counters>,
    /// The run on a pool of threads; gone once it has ended.
    pub run: Mutex<Weak<Run>>,
    pub log: Arc<EventLog>,
    pub plan: Arc<Plan>,
    pub operations: Arc<Operations>,
    /// `time.perf_counter()` at the log's origin.
    pub clock: f64,
    /// The dict graph, where the run was asked for one.
    pub graph: Option<Py<PyDict>>,
}

#[pymethods]
impl RunView {
    /// `(done, total, running, bytes, spilled_bytes)`.
    fn progress(&self) -> (u64, u64, u64, u64, u64) {
        let done = self.counters.done.load(Ordering::Relaxed);
        let started = self.counters.started.load(Ordering::Relaxed);
        let progress = self.run.lock().upgrade().map(|run| run.progress());
        let (bytes, spilled) =
            progress.map_or((0, 0), |progress| (progress.bytes, progress.spilled_bytes));
        (done, self.plan.len() as u64, started.saturating_sub(done), bytes, spilled)
    }

    /// The dict graph of the run, or None for lazy calls.
    #[getter]
    fn dsk<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        self.graph.as_ref().map(|graph| graph.bind(py).clone())
    }

    /// `(key, worker, start, end, nbytes)` of each task that has run, times in seconds of
    /// `time.perf_counter`.
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Vec<EventTuple<'py>>> {
        let log = &self.log;
        let seconds =
            |at: Instant| self.clock + at.saturating_duration_since(log.origin).as_secs_f64();
        let events: Vec<_> = log
            .events
            .lock()
            .iter()
            .map(|event| (event.task, event.worker, event.began, event.ended, event.nbytes))
            .collect();
        events
            .into_iter()
            .map(|(task, worker, began, ended, nbytes)| {
                let key = key_of(py, &self.plan, &self.operations, task)?;
                Ok((key, worker, seconds(began), seconds(ended), nbytes))
            })
            .collect()
    }
}
