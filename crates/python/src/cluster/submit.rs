//! Submissions: calls and graphs of Python code as plans and batches of pickled operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use samite::cluster::client::Client;
use samite::cluster::{Encoded, Key, Operation, Submission};
use samite::graph::{AnnotationId, OperationId, Plan, PlanBuilder, TaskId, Work};
use samite::scheduling::{Resource, TaskOptions};

use crate::cluster::frames::Memory;
use crate::cluster::{executor, frames, future, payload};
use crate::compile::{Compiled, compile_for_cluster};
use crate::helpers;
use crate::program::Op;
use crate::read_graph::GraphReader;
use crate::unpack::is_plain;

/// What the user asked for all tasks of a submission: the keyword arguments of `Client.submit`.
#[derive(Clone)]
pub struct Options {
    tasks: TaskOptions,
    /// The readable name of the tasks.
    name: String,
    /// What `Submission::together` says.
    together: u64,
}

impl Options {
    pub fn new(options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut parsed = Self { tasks: TaskOptions::default(), name: String::new(), together: 0 };
        for (name, value) in options.into_iter().flat_map(|options| options.iter()) {
            if value.is_none() {
                continue;
            }
            match name.extract::<String>()?.as_str() {
                // Saturates, which keeps the order of all but absurd priorities.
                "priority" => parsed.tasks.priority = value.extract::<f64>()? as i32,
                "retries" => parsed.tasks.retries = value.extract()?,
                "workers" => {
                    let workers: Vec<String> = value.extract()?;
                    parsed.tasks.workers = workers.into_iter().map(Arc::from).collect();
                }
                "allow_other_workers" => parsed.tasks.allow_other_workers = value.is_truthy()?,
                "resources" => {
                    for (name, amount) in value.cast::<PyDict>()?.iter() {
                        parsed.tasks.resources.push(resource(&name, &amount)?);
                    }
                }
                "pinned" => parsed.tasks.pinned = value.is_truthy()?,
                "name" => parsed.name = value.extract()?,
                // Saturates: not a number and below zero are zero.
                "together" => parsed.together = (value.extract::<f64>()? * 1e9) as u64,
                other => {
                    return Err(PyTypeError::new_err(format!(
                        "a submission has no option {other:?}"
                    )));
                }
            }
        }
        Ok(parsed)
    }
}

/// An amount of a resource.
pub fn resource(name: &Bound<'_, PyAny>, amount: &Bound<'_, PyAny>) -> PyResult<Resource> {
    let amount: f64 = amount.extract()?;
    if !(0.0..1e15).contains(&amount) {
        return Err(PyValueError::new_err(format!(
            "a resource is a number from zero up, not {amount}"
        )));
    }
    let name: String = name.extract()?;
    Ok(Resource { name: Arc::from(name), thousandths: (amount * 1000.0).round() as u64 })
}

fn operation(dumped: &Bound<'_, PyAny>) -> PyResult<Operation> {
    Ok(Operation {
        payload: Encoded { kind: 0, frames: frames::of_dumped(dumped, Memory::Copied)? },
    })
}

fn wrong(failed: samite::graph::GraphError) -> PyErr {
    PyValueError::new_err(failed.to_string())
}

/// A function that calls are made of.
pub struct Function<'py> {
    pub func: Bound<'py, PyAny>,
    /// What stands for it in plain pickles, where there is such a thing.
    pub prepared: Option<Bound<'py, PyAny>>,
}

impl<'py> Function<'py> {
    pub fn new(func: Bound<'py, PyAny>) -> PyResult<Self> {
        let prepared = helpers::prepared_function(func.py())?.call1((&func,))?;
        let prepared = if prepared.is_none() { None } else { Some(prepared) };
        Ok(Self { func, prepared })
    }
}

/// The submission of calls of one function.
pub fn calls(
    client: &Client,
    keys: &[Key],
    func: &Function<'_>,
    args: &Bound<'_, PyList>,
    kwargs: Option<&Bound<'_, PyDict>>,
    options: Options,
) -> PyResult<Submission> {
    let Function { func, prepared } = func;
    let py = func.py();
    if keys.len() != args.len() {
        return Err(PyValueError::new_err("there must be a key for each call"));
    }
    let plain = plain_calls_bytes(args, usize::MAX).is_some()
        && kwargs.is_none_or(|kwargs| plain_bytes(kwargs.values().iter(), usize::MAX).is_some());
    if !plain
        && future::exist()
        && let Some(submission) = calls_of_futures(client, keys, func, args, kwargs, &options)?
    {
        return Ok(submission);
    }
    let prepared = prepared.as_ref().filter(|_| plain);
    let count = keys.len();
    let mut operations = Vec::with_capacity(count.div_ceil(payload::BATCH));
    let mut kept = Kept::default();
    for first in (0..count).step_by(payload::BATCH) {
        let end = (first + payload::BATCH).min(count);
        let (args, keys) = (args.get_slice(first, end), &keys[first..end]);
        operations.push(match prepared {
            Some(func) => Operation {
                payload: Encoded {
                    kind: 0,
                    frames: vec![payload::dump_plain_calls(func, args, kwargs, keys)?],
                },
            },
            None => {
                let dump = |args, keys| payload::dump_calls(func, args, kwargs, keys);
                let (dumped, pickled) = future::pickled_by(client, || dump(args.clone(), keys));
                if !pickled.is_empty() {
                    // Which of them has which?
                    for (number, key) in keys.iter().enumerate() {
                        let args = args.get_slice(number, number + 1);
                        let key = std::slice::from_ref(key);
                        let (dumped, pickled) = future::pickled_by(client, || dump(args, key));
                        dumped?;
                        kept.insert(first + number, pickled);
                    }
                }
                operation(&dumped?)?
            }
        });
        py.check_signals()?;
    }
    let mut builder = PlanBuilder::with_capacity(count, 0);
    let Options { tasks, name, together } = options;
    builder.begin_layer(name, Some(AnnotationId(0)));
    for position in 0..count {
        let batch = OperationId::from_index(position / payload::BATCH);
        builder.push(batch, (position % payload::BATCH) as u32, []);
    }
    let outputs = (0..count).map(TaskId::from_index).collect();
    let mut submission = Submission {
        plan: builder.finish(outputs).map_err(wrong)?,
        operations,
        outputs: keys.to_vec(),
        imports: Vec::new(),
        annotations: vec![tasks],
        together,
    };
    if !kept.is_empty() {
        keep(&mut submission, |task| kept.get(&task.index()).cloned().unwrap_or_default())?;
    }
    Ok(submission)
}

/// About how many bytes values take, where they are plain values, and no more than `most` bytes.
pub fn plain_bytes<'py>(
    values: impl Iterator<Item = Bound<'py, PyAny>>,
    most: usize,
) -> Option<usize> {
    let mut bytes = 0_usize;
    for value in values {
        if !is_plain(&value) {
            return None;
        }
        bytes += if let Ok(text) = value.cast_exact::<PyString>() {
            text.len().ok()?
        } else if let Ok(data) = value.cast_exact::<PyBytes>() {
            data.len().ok()?
        } else if value.is_exact_instance_of::<PyInt>() && value.extract::<i64>().is_err() {
            // As long as text may be.
            value.call_method0(intern!(value.py(), "bit_length")).ok()?.extract::<usize>().ok()?
        } else {
            size_of::<f64>()
        };
        if bytes > most {
            return None;
        }
    }
    Some(bytes)
}

/// As [`plain_bytes`], of the arguments of calls.
pub fn plain_calls_bytes(args: &Bound<'_, PyList>, most: usize) -> Option<usize> {
    let mut bytes = 0;
    for args in args.iter() {
        bytes += plain_bytes(args.cast::<PyTuple>().ok()?.iter(), most - bytes)?;
    }
    Some(bytes)
}

/// As [`calls`], where some of the arguments are or hold futures; `None` where none do.
fn calls_of_futures(
    client: &Client,
    keys: &[Key],
    func: &Bound<'_, PyAny>,
    args: &Bound<'_, PyList>,
    kwargs: Option<&Bound<'_, PyDict>>,
    options: &Options,
) -> PyResult<Option<Submission>> {
    let py = func.py();
    let mut reader = GraphReader::new(PyDict::new(py), None);
    let mut found = Vec::with_capacity(args.len());
    for args in args.iter() {
        found.push(reader.call(func, args.cast::<PyTuple>()?, kwargs)?);
    }
    if found.iter().all(|(_, needs)| needs.is_empty()) {
        return Ok(None);
    }
    let imports = reader.imported();
    let mut builder = PlanBuilder::with_capacity(imports.len() + found.len(), found.len());
    let mut operations = Vec::with_capacity(imports.len() + found.len());
    builder.begin_layer("", None);
    for (position, key) in imports.iter().enumerate() {
        builder.push(OperationId::from_index(position), 0, []);
        operations.push(Op::Import(key.clone()));
    }
    builder.begin_layer(options.name.clone(), Some(AnnotationId(0)));
    let mut outputs = Vec::with_capacity(found.len());
    for ((template, needs), key) in found.into_iter().zip(keys) {
        let operation = OperationId::from_index(operations.len());
        let key = PyString::new(py, &key.to_string()).into_any().unbind();
        operations.push(Op::Template { template, key });
        // The entries of the reader are the imports, in order.
        outputs.push(builder.push(operation, 0, needs.into_iter().map(TaskId::from_index)));
    }
    let plan = builder.finish(outputs).map_err(wrong)?;
    let imports = imports
        .into_iter()
        .enumerate()
        .map(|(position, key)| (TaskId::from_index(position), key))
        .collect();
    let annotations = vec![options.tasks.clone()];
    batched(client, py, plan, &operations, keys.to_vec(), imports, annotations).map(Some)
}

/// Options of some of the tasks of a graph.
#[derive(Default)]
pub struct Annotated {
    /// The sets of options that there are beside the one of all tasks.
    sets: Vec<TaskOptions>,
    /// The place in `sets` of each key that has one, counted from 1.
    rows: Option<Py<PyDict>>,
}

impl Annotated {
    pub fn new(sets: &Bound<'_, PyList>, rows: Bound<'_, PyDict>) -> PyResult<Self> {
        let sets = sets
            .iter()
            .map(|set| Ok(Options::new(Some(set.cast::<PyDict>()?))?.tasks))
            .collect::<PyResult<_>>()?;
        Ok(Self { sets, rows: Some(rows.unbind()) })
    }
}

/// The submission of a dict graph.
pub fn graph<'py>(
    client: &Client,
    graph: Bound<'py, PyDict>,
    outputs: &Bound<'py, PyList>,
    options: Options,
    annotated: Annotated,
) -> PyResult<Submission> {
    let py = graph.py();
    let keys: Vec<Bound<'py, PyAny>> = outputs.iter().collect();
    let Annotated { mut sets, rows } = annotated;
    let together = options.together;
    sets.insert(0, options.tasks);
    let Compiled { plan, operations, annotations, imports, .. } =
        compile_for_cluster(graph, &keys, sets, rows)?;
    let plan = Arc::unwrap_or_clone(plan);
    let mut submission =
        batched(client, py, plan, &operations, texts(outputs)?, imports, annotations)?;
    submission.together = together;
    Ok(submission)
}

/// Puts single operations together to batches.
fn batched(
    client: &Client,
    py: Python<'_>,
    plan: samite::graph::Plan,
    operations: &[Op],
    outputs: Vec<Key>,
    imports: Vec<(TaskId, Key)>,
    annotations: Vec<TaskOptions>,
) -> PyResult<Submission> {
    let mut batches = Vec::new();
    let mut place = Vec::with_capacity(operations.len());
    let mut kept = Kept::default();
    for range in payload::split(py, operations) {
        let batch = OperationId::from_index(batches.len());
        place.extend((0..range.len()).map(|index| (batch, index as u32)));
        batches.push(match payload::block(py, &operations[range.start])? {
            Some((key, block)) => Operation { payload: executor::block(&key, block)? },
            None => {
                let dump = |operations| payload::dump_tasks(py, operations);
                let (dumped, pickled) =
                    future::pickled_by(client, || dump(&operations[range.clone()]));
                if !pickled.is_empty() {
                    for number in range {
                        let one = std::slice::from_ref(&operations[number]);
                        let (dumped, pickled) = future::pickled_by(client, || dump(one));
                        dumped?;
                        kept.insert(number, pickled);
                    }
                }
                operation(&dumped?)?
            }
        });
        py.check_signals()?;
    }
    let kept: Kept = plan_tasks(&plan)
        .filter(|_| !kept.is_empty())
        .map(|task| (task.index(), kept_by_work(plan.work(task), &kept)))
        .collect();
    let plan = plan
        .map_operations(|operation, index| {
            place.get(operation.index()).copied().unwrap_or((operation, index))
        })
        .map_err(wrong)?;
    let mut submission =
        Submission { plan, operations: batches, outputs, imports, annotations, together: 0 };
    if !kept.is_empty() {
        keep(&mut submission, |task| kept.get(&task.index()).cloned().unwrap_or_default())?;
    }
    Ok(submission)
}

/// Results that have to exist while something runs, by its number: futures that came inside of
/// pickled objects.
type Kept = BTreeMap<usize, Vec<Key>>;

fn plan_tasks(plan: &Plan) -> impl Iterator<Item = TaskId> + use<> {
    (0..plan.len()).map(TaskId::from_index)
}

fn kept_by_work(work: Work<'_>, kept: &Kept) -> Vec<Key> {
    let of = |operation: OperationId| kept.get(&operation.index()).cloned().unwrap_or_default();
    match work {
        Work::Single { operation, .. } => of(operation),
        Work::Fused(steps) => steps.iter().flat_map(|step| of(step.operation)).collect(),
    }
}

/// Lets tasks depend on results that they do not read, so that these are not let go before.
fn keep(submission: &mut Submission, kept: impl Fn(TaskId) -> Vec<Key>) -> PyResult<()> {
    let old = &submission.plan;
    let mut places: BTreeMap<Key, TaskId> = BTreeMap::new();
    for key in plan_tasks(old).flat_map(&kept) {
        let place = TaskId::from_index(old.len() + places.len());
        places.entry(key).or_insert(place);
    }
    let mut builder = PlanBuilder::with_capacity(old.len() + places.len(), old.edges());
    let mut rows: BTreeMap<(Option<usize>, u32), AnnotationId> = BTreeMap::new();
    let mut layer = None;
    for task in plan_tasks(old) {
        let extra: Vec<TaskId> =
            kept(task).iter().filter_map(|key| places.get(key)).copied().collect();
        let before = old.annotation(task);
        let annotation = if extra.is_empty() {
            before
        } else {
            let row = (before.map(|row| row.index()), extra.len() as u32);
            let annotations = &mut submission.annotations;
            Some(*rows.entry(row).or_insert_with(|| {
                let options = row.0.and_then(|row| annotations.get(row)).cloned();
                annotations.push(TaskOptions { kept: row.1, ..options.unwrap_or_default() });
                AnnotationId(annotations.len() as u32 - 1)
            }))
        };
        let this = (old.layer_name(task), annotation);
        if layer != Some(this) {
            builder.begin_layer(this.0, this.1);
            layer = Some(this);
        }
        let inputs = old.dependencies(task).iter().copied().chain(extra);
        match old.work(task) {
            Work::Single { operation, index } => builder.push(operation, index, inputs),
            Work::Fused(steps) => builder.push_fused(steps.to_vec(), inputs),
        };
    }
    builder.begin_layer("", None);
    places.values().for_each(|_| _ = builder.push(OperationId::from_index(0), 0, []));
    let plan = builder.finish(old.outputs().to_vec()).map_err(wrong)?;
    submission.imports.extend(places.into_iter().map(|(key, task)| (task, key)));
    submission.plan = plan;
    Ok(())
}

/// Keys as the scheduler knows them: strings as they are, others as they are written.
pub fn texts(keys: &Bound<'_, PyList>) -> PyResult<Vec<Key>> {
    let mut texts: Vec<Key> = Vec::with_capacity(keys.len());
    for key in keys {
        texts.push(text_after(&key, texts.last())?);
    }
    Ok(texts)
}

/// A key as the scheduler knows it.
pub fn text(key: &Bound<'_, PyAny>) -> PyResult<Key> {
    text_after(key, None)
}

fn text_after(key: &Bound<'_, PyAny>, before: Option<&Key>) -> PyResult<Key> {
    match key.cast::<PyString>() {
        Ok(text) => Ok(Key::after(&text.to_cow()?, before)),
        Err(_) => Ok(Key::after(&key.str()?.to_cow()?, before)),
    }
}
