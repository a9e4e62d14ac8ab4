//! One computation: from a compiled graph to Python results.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use samite::array::{self, Chunk, Expr, Limits, Wanted};
use samite::graph::Plan;
use samite::runtime::{
    self, Guard, Observer, Options, Program, Run, RuntimeError, TaskOptions, Threads, Value,
};

use crate::arrays::convert::{raised, to_result};
use crate::arrays::expr::ArrayExpr;
use crate::compile::{Compiled, Output, compile_graph, compile_nodes};
use crate::error;
use crate::gil::{self, Held, InterpreterGuard};
use crate::node::Node;
use crate::observer::{
    Callbacks, Counters, EventLog, Request, RunObserver, RunView, call_finished, call_started,
    key_of, requests,
};
use crate::processes::ProcessMode;
use crate::program::{Mode, Op, Operations, PyProgram};
use crate::value::to_python;

/// How long the waiting thread may overlook a signal.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);
/// How long it may overlook the end of a run while it serves callbacks.
const CALLBACK_INTERVAL: Duration = Duration::from_millis(1);

/// How a graph is run; the keyword arguments of [`run_nodes`] and [`run_graph`].
pub struct Settings<'py> {
    /// Worker threads; 0 runs everything on the calling thread.
    threads: usize,
    memory_limit: Option<usize>,
    spill_folder: Option<PathBuf>,
    /// A `contextvars.Context` that tasks run in copies of.
    context: Option<Py<PyAny>>,
    /// An object with `started(key)` and `finished(key, value, worker)`.
    callbacks: Option<Py<PyAny>>,
    /// Objects with `_attach(run)` and `_detach(run, errored)`.
    native: Vec<Bound<'py, PyAny>>,
    /// Runs a bound task somewhere and returns its result.
    submit: Option<Py<PyAny>>,
    processes: Option<ProcessMode>,
}

impl<'py> Settings<'py> {
    pub fn new(settings: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        let mut parsed = Self {
            threads: 0,
            memory_limit: None,
            spill_folder: None,
            context: None,
            callbacks: None,
            native: Vec::new(),
            submit: None,
            processes: None,
        };
        let Some(settings) = settings else { return Ok(parsed) };
        for (name, value) in settings.iter() {
            if value.is_none() {
                continue;
            }
            match name.extract::<String>()?.as_str() {
                "threads" => parsed.threads = value.extract()?,
                "memory_limit" => parsed.memory_limit = Some(value.extract()?),
                "spill_folder" => parsed.spill_folder = Some(value.extract()?),
                "context" => parsed.context = Some(value.unbind()),
                "callbacks" => parsed.callbacks = Some(value.unbind()),
                "native" => parsed.native = value.extract()?,
                "submit" => parsed.submit = Some(value.unbind()),
                "processes" => parsed.processes = Some(ProcessMode::new(&value)?),
                other => {
                    return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                        "the engine has no setting {other:?}"
                    )));
                }
            }
        }
        Ok(parsed)
    }
}

/// Computes lazy calls; the values in the order of `nodes`.
#[pyfunction]
#[pyo3(signature = (nodes, **settings))]
pub fn run_nodes<'py>(
    py: Python<'py>,
    nodes: Vec<Bound<'py, Node>>,
    settings: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyList>> {
    let settings = Settings::new(settings)?;
    let compiled = compile_nodes(py, &nodes)?;
    run(py, compiled, settings, None)
}

/// Computes keys of a dict graph; the values in the order of `keys`. `cache` holds values that
/// are known beforehand.
#[pyfunction]
#[pyo3(signature = (graph, keys, cache=None, **settings))]
pub fn run_graph<'py>(
    py: Python<'py>,
    graph: Bound<'py, PyDict>,
    keys: Vec<Bound<'py, PyAny>>,
    cache: Option<Bound<'py, PyAny>>,
    settings: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyList>> {
    let settings = Settings::new(settings)?;
    let compiled = compile_graph(graph.clone(), &keys, cache)?;
    run(py, compiled, settings, Some(graph))
}

/// Computes array expressions; each result as one NumPy array.
#[pyfunction]
#[pyo3(signature = (exprs, **settings))]
pub fn run_arrays<'py>(
    py: Python<'py>,
    exprs: Vec<Bound<'py, ArrayExpr>>,
    settings: Option<&Bound<'py, PyDict>>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let blocks = compute_arrays(py, &exprs, settings, Wanted::Whole)?;
    let sources = exprs.iter().map(|expr| expr.get().expr.is_source());
    blocks
        .into_iter()
        .flatten()
        .zip(sources)
        .map(|(chunk, source)| to_result(py, chunk, source))
        .collect()
}

/// Computes the blocks of array expressions, and gives expressions that hold them.
#[pyfunction]
#[pyo3(signature = (exprs, **settings))]
pub fn persist_arrays<'py>(
    py: Python<'py>,
    exprs: Vec<Bound<'py, ArrayExpr>>,
    settings: Option<&Bound<'py, PyDict>>,
) -> PyResult<Vec<ArrayExpr>> {
    let results = compute_arrays(py, &exprs, settings, Wanted::Blocks)?;
    let stored = |(expr, blocks): (&Bound<'py, ArrayExpr>, Vec<Chunk>)| {
        let expr = &expr.get().expr;
        Expr::stored(blocks, expr.dtype(), expr.grid().clone())
            .map(|expr| ArrayExpr { expr })
            .map_err(|failed| raised(py, failed))
    };
    exprs.iter().zip(results).map(stored).collect()
}

fn compute_arrays<'py>(
    py: Python<'py>,
    exprs: &[Bound<'py, ArrayExpr>],
    settings: Option<&Bound<'py, PyDict>>,
    wanted: Wanted,
) -> PyResult<Vec<Vec<Chunk>>> {
    let settings = Settings::new(settings)?;
    let roots: Vec<Expr> = exprs.iter().map(|expr| expr.get().expr.clone()).collect();
    let together: u128 = roots.iter().map(Expr::nbytes).sum();
    if let Some(limit) = settings.memory_limit.filter(|limit| together > *limit as u128) {
        return Err(error::MemoryLimitError::new_err(format!(
            "the results take {together} bytes in memory at once, over the memory limit of {limit} \
             bytes. Raise memory_limit, or store the arrays in a file instead of computing them."
        )));
    }
    let limits = Limits::for_run(settings.memory_limit, settings.spill_folder.clone());
    let mut prepared = gil::released(|| array::prepare(&roots, wanted, &limits))
        .map_err(|failed| raised(py, failed))?;
    let operations = std::mem::take(&mut prepared.operations)
        .into_iter()
        .map(|operation| Op::Array(Box::new(operation)))
        .collect();
    let values = execute(py, prepared.plan.clone(), operations, Vec::new(), settings, None)?;
    prepared.results(&values).map_err(|failed| raised(py, failed))
}

fn run<'py>(
    py: Python<'py>,
    compiled: Compiled,
    settings: Settings<'py>,
    graph: Option<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyList>> {
    let Compiled { plan, operations, outputs, annotations, imports } = compiled;
    if let Some((_, key)) = imports.first() {
        return Err(pyo3::exceptions::PyValueError::new_err(format!(
            "the graph needs the future {key}, whose value is on a cluster: compute it with the \
             future's client as the scheduler, or gather the future first"
        )));
    }
    let values = execute(py, plan, operations, annotations, settings, graph)?;
    let results = PyList::empty(py);
    for output in outputs {
        match output {
            Output::Value(value) => results.append(value)?,
            Output::Task(position) => results.append(to_python(py, &values[position])?)?,
        }
    }
    Ok(results)
}

/// Runs a plan and waits for the values of its outputs.
pub fn execute<'py>(
    py: Python<'py>,
    plan: Arc<Plan>,
    operations: Vec<Op>,
    annotations: Vec<TaskOptions>,
    settings: Settings<'py>,
    graph: Option<Bound<'py, PyDict>>,
) -> PyResult<Vec<Value>> {
    let operations = Arc::new(Operations::new(operations));
    let mode = match (settings.processes, settings.submit) {
        (Some(processes), _) => Mode::Processes(processes),
        (None, Some(submit)) => Mode::Executor { submit: Held::new(submit) },
        (None, None) => Mode::Local,
    };
    let program: Arc<dyn Program> = Arc::new(PyProgram { operations: operations.clone(), mode });

    let watched = settings.callbacks.is_some() || !settings.native.is_empty();
    // The two clocks are read next to each other: events are told in the second one's seconds.
    let clock: f64 = match settings.native.is_empty() {
        true => 0.0,
        false => py.import("time")?.call_method0("perf_counter")?.extract()?,
    };
    let log = Arc::new(EventLog::new());
    let counters = Arc::new(Counters::default());
    let mut inbox = None;
    let observer = watched.then(|| {
        let callbacks = match &settings.callbacks {
            None => Callbacks::None,
            Some(callbacks) if settings.threads == 0 => {
                Callbacks::Here(Held::new(callbacks.clone_ref(py)))
            }
            Some(_) => {
                let (sender, receiver) = requests();
                inbox = Some(receiver);
                Callbacks::There(sender)
            }
        };
        Arc::new(RunObserver {
            counters: counters.clone(),
            operations: operations.clone(),
            plan: plan.clone(),
            callbacks,
            log: (!settings.native.is_empty()).then(|| log.clone()),
        }) as Arc<dyn Observer>
    });
    let options = Options {
        threads: match settings.threads {
            0 => Threads::Calling,
            count => Threads::Pool(count),
        },
        memory_limit: settings.memory_limit,
        spill_folder: settings.spill_folder,
        guard: Some(Arc::new(InterpreterGuard::new(py, settings.context)?) as Arc<dyn Guard>),
        observer,
        annotations: annotations.into(),
        ..Options::default()
    };

    let view = match settings.native.is_empty() {
        true => None,
        false => Some(Py::new(
            py,
            RunView {
                counters,
                run: Mutex::new(Weak::new()),
                log,
                plan: plan.clone(),
                operations: operations.clone(),
                graph: graph.map(Bound::unbind),
                clock,
            },
        )?),
    };
    let mut attached = 0;
    let ready = view.iter().try_for_each(|view| {
        settings.native.iter().try_for_each(|callback| {
            attached += 1;
            callback.call_method1("_attach", (view,)).map(drop)
        })
    });
    let outcome = if let Err(failed) = ready {
        Err(failed)
    } else if settings.threads == 0 {
        gil::released(|| runtime::run_here(plan.clone(), program, options))
            .map_err(|failed| error::to_python(py, failed))
    } else {
        let waiting = Waiting {
            plan: &plan,
            operations: &operations,
            callbacks: settings.callbacks.as_ref(),
            inbox,
            view: view.as_ref(),
        };
        waiting.run(py, program, options)
    };
    if let Some(view) = &view {
        for callback in settings.native[..attached].iter().rev() {
            callback.call_method1("_detach", (view, outcome.is_err()))?;
        }
    }
    outcome
}

/// The thread that asked for the results, while others make them.
struct Waiting<'run> {
    plan: &'run Arc<samite::graph::Plan>,
    operations: &'run Operations,
    callbacks: Option<&'run Py<PyAny>>,
    inbox: Option<Receiver<Request>>,
    view: Option<&'run Py<RunView>>,
}

impl Waiting<'_> {
    fn run(
        &self,
        py: Python<'_>,
        program: Arc<dyn Program>,
        options: Options,
    ) -> PyResult<Vec<Value>> {
        let run = gil::released(|| runtime::start(self.plan.clone(), program, options))
            .map_err(|failed| error::to_python(py, failed))?;
        let run = Arc::new(run);
        if let Some(view) = self.view {
            *view.get().run.lock() = Arc::downgrade(&run);
        }
        let outcome = loop {
            if let Some(outcome) = self.serve(py, &run) {
                break outcome;
            }
            if let Err(interrupted) = py.check_signals() {
                run.cancel();
                return Err(interrupted);
            }
        };
        outcome.map_err(|failed| error::to_python(py, failed))
    }

    /// Waits for a while, answering callbacks; the outcome once the run has ended.
    fn serve(&self, py: Python<'_>, run: &Run) -> Option<Result<Vec<Value>, RuntimeError>> {
        let Some(inbox) = &self.inbox else {
            return gil::released(|| run.wait(SIGNAL_INTERVAL));
        };
        loop {
            match inbox.try_recv() {
                Ok(request) => self.answer(py, request),
                Err(TryRecvError::Disconnected) => {
                    return gil::released(|| run.wait(SIGNAL_INTERVAL));
                }
                Err(TryRecvError::Empty) => break,
            }
        }
        if let Ok(request) = gil::released(|| inbox.recv_timeout(CALLBACK_INTERVAL)) {
            self.answer(py, request);
            return None;
        }
        run.wait(Duration::ZERO)
    }

    fn answer(&self, py: Python<'_>, request: Request) {
        let Some(callbacks) = self.callbacks else { return };
        // A worker that was told to stop no longer listens; nothing is lost with the answer.
        match request {
            Request::Started { task, answer } => {
                let outcome = key_of(py, self.plan, self.operations, task)
                    .and_then(|key| call_started(callbacks.bind(py), key));
                let _ = answer.send(outcome);
            }
            Request::Finished { task, worker, value, answer } => {
                let outcome = key_of(py, self.plan, self.operations, task)
                    .and_then(|key| call_finished(py, callbacks.bind(py), key, &value, worker));
                let _ = answer.send(outcome);
            }
        }
    }
}

/// Ranks of the tasks `0..len(dependencies)` in the engine's static order: the task of rank 0
/// runs first.
#[pyfunction]
#[pyo3(signature = (dependencies, outputs=None))]
pub fn order(dependencies: Vec<Vec<u32>>, outputs: Option<Vec<u32>>) -> PyResult<Vec<u32>> {
    use samite::graph::{OperationId, PlanBuilder, TaskId};
    let edges = dependencies.iter().map(Vec::len).sum();
    let mut builder = PlanBuilder::with_capacity(dependencies.len(), edges);
    for needs in &dependencies {
        builder.push(OperationId(0), 0, needs.iter().map(|need| TaskId(*need)));
    }
    let outputs = outputs.unwrap_or_default().into_iter().map(TaskId).collect();
    let plan = builder
        .finish(outputs)
        .map_err(|wrong| pyo3::exceptions::PyValueError::new_err(wrong.to_string()))?;
    Ok((0..plan.len()).map(|task| plan.rank(TaskId::from_index(task))).collect())
}
