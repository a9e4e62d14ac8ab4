//! Operations on their way to workers: batches of pickled calls.
//!
//! A payload is the pickle of `("tasks", specs, keys)`, with specs as `spec.rs` has them, or of
//! `("calls", function, arguments, keywords, (keys as one text, their ends, what stands before all))` for many plain
//! calls of one function. One
//! pickle holds a function once, however many calls of it there are in the batch.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use samite::array::Chunk;
use samite::cluster::Key;
use samite::runtime::Value;

use crate::arrays::task::ArrayTask;
use crate::compile::native_task;
use crate::gil::{self, Visitor};
use crate::helpers;
use crate::program::Op;
use crate::spec;
use crate::template::{Call, Opaque, Subgraph, SubgraphCall, SubgraphStep, Template};
use crate::unpack::is_plain;
use crate::value::TaskInputs;

/// So many tasks travel together.
pub const BATCH: usize = 256;
/// A task that holds a value of so many bytes travels alone: a worker that runs one task of a
/// batch gets all of it.
const LARGE: usize = 1 << 16;

/// The operations of a graph in batches: the first position of each, and the positions' end.
pub fn split(py: Python<'_>, operations: &[Op]) -> Vec<std::ops::Range<usize>> {
    let mut batches = Vec::with_capacity(operations.len() / BATCH + 1);
    let mut first = 0;
    for (position, operation) in operations.iter().enumerate() {
        if holds_large(py, operation) {
            if first < position {
                batches.push(first..position);
            }
            batches.push(position..position + 1);
            first = position + 1;
        } else if position - first == BATCH {
            batches.push(first..position);
            first = position;
        }
    }
    if first < operations.len() {
        batches.push(first..operations.len());
    }
    batches
}

fn holds_large(py: Python<'_>, operation: &Op) -> bool {
    match operation {
        Op::Template { template, .. } => template_holds_large(py, template),
        Op::ArrayTask { task, .. } => task.get().block().is_some(),
        _ => false,
    }
}

fn template_holds_large(py: Python<'_>, template: &Template) -> bool {
    match template {
        Template::Value(value) => {
            let value = value.bind(py);
            !is_plain(value)
                && value
                    .getattr(intern!(py, "nbytes"))
                    .and_then(|bytes| bytes.extract::<usize>())
                    .is_ok_and(|bytes| bytes > LARGE)
        }
        Template::Call(call) => call.args.iter().any(|item| template_holds_large(py, item)),
        Template::List(items) | Template::Tuple(items) => {
            items.iter().any(|item| template_holds_large(py, item))
        }
        Template::Subgraph(call) => call.args.iter().any(|item| template_holds_large(py, item)),
        _ => false,
    }
}

/// What a batch of operations is pickled as: the frames of the pickle.
pub fn dump_tasks<'py>(py: Python<'py>, operations: &[Op]) -> PyResult<Bound<'py, PyAny>> {
    let specs = PyList::empty(py);
    let keys = PyList::empty(py);
    for operation in operations {
        let name = operation.name(py);
        let task = match operation {
            Op::ArrayTask { task, .. } => ("c", ("v", task), PyList::empty(py), PyList::empty(py))
                .into_pyobject(py)?
                .into_any(),
            Op::Import(_) => ("v", py.None()).into_pyobject(py)?.into_any(),
            other => spec::of_operation(py, other)?,
        };
        specs.append(task)?;
        keys.append(name)?;
    }
    helpers::dump_batch(py)?.call1(("tasks", specs, keys))
}

/// What calls of one function are pickled as: the frames of the pickle.
pub fn dump_calls<'py>(
    func: &Bound<'py, PyAny>,
    args: Bound<'py, PyList>,
    kwargs: Option<&Bound<'py, PyDict>>,
    keys: &[Key],
) -> PyResult<Bound<'py, PyAny>> {
    let keys = joined(func.py(), keys);
    helpers::dump_batch(func.py())?.call1(("calls", func, args, kwargs, keys))
}

/// As [`dump_calls`], for plain arguments, of a function for which there is something plain.
pub fn dump_plain_calls<'py>(
    func: &Bound<'py, PyAny>,
    args: Bound<'py, PyList>,
    kwargs: Option<&Bound<'py, PyDict>>,
    keys: &[Key],
) -> PyResult<Bytes> {
    const PROTOCOL: u8 = 5;
    let py = func.py();
    let work = ("calls", func, args, kwargs, joined(py, keys));
    let pickled = helpers::pickle_plainly(py)?.call1((work, PROTOCOL))?;
    Ok(Bytes::copy_from_slice(pickled.cast::<PyBytes>()?.as_bytes()))
}

/// Keys as one text, and where each of them ends in its UTF-8: one thing to pickle. Where they
/// differ only by the numbers at their ends: these, with the text before as another text.
fn joined<'py>(py: Python<'py>, keys: &[Key]) -> (String, Bound<'py, PyBytes>, String) {
    let base = keys.first().map_or("", |key| key.parts().0);
    let alike = |key: &Key| matches!(key.parts(), (text, Some(_)) if text == base);
    let base = if keys.iter().all(alike) { base } else { "" };
    let mut text = String::new();
    let mut ends = Vec::with_capacity(4 * keys.len());
    for key in keys {
        // Writing to text does not fail.
        _ = match key.parts() {
            (_, Some(number)) if !base.is_empty() => write!(text, "{number}"),
            _ => write!(text, "{key}"),
        };
        ends.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    (text, PyBytes::new(py, &ends), base.to_owned())
}

/// What [`joined`] joined.
fn taken_apart(keys: &Bound<'_, PyAny>) -> PyResult<Vec<Key>> {
    let (text, ends, base): (Bound<'_, PyString>, Bound<'_, PyBytes>, Bound<'_, PyString>) =
        keys.extract()?;
    let (text, base) = (text.to_cow()?, base.to_cow()?);
    let mut begin = 0;
    let mut keys = Vec::with_capacity(ends.len()? / 4);
    for end in ends.as_bytes().chunks_exact(4) {
        let end = end.iter().rev().fold(0, |end, byte| end << 8 | usize::from(*byte));
        let key = text.get(begin..end).ok_or_else(|| {
            PyValueError::new_err("the keys of a batch of calls are not where they should be")
        })?;
        keys.push(Key::after(&format!("{base}{key}"), keys.last()));
        begin = end;
    }
    Ok(keys)
}

/// A task of a batch that came to a worker.
enum Task {
    Call(Template),
    Native(Py<ArrayTask>),
}

/// The key and the block of a task that is a block of an array in memory.
pub fn block<'task>(
    py: Python<'_>,
    operation: &'task Op,
) -> PyResult<Option<(String, &'task Chunk)>> {
    let Op::ArrayTask { task, .. } = operation else { return Ok(None) };
    let Some(block) = task.get().block() else { return Ok(None) };
    Ok(Some((operation.name(py), block)))
}

/// A batch that came to a worker.
pub struct Batch {
    work: Work,
    keys: Vec<Key>,
    _visitor: Visitor,
}

enum Work {
    Calls {
        func: Py<PyAny>,
        args: Vec<Py<PyTuple>>,
        kwargs: Option<Py<PyDict>>,
    },
    Tasks(Vec<Task>),
    /// A block of an array, as it came.
    Block(Value),
    Gone,
}

impl Drop for Batch {
    fn drop(&mut self) {
        gil::drop_attached(std::mem::replace(&mut self.work, Work::Gone));
    }
}

/// What a worker is to do for a task.
pub enum Step<'batch> {
    Python,
    Block(&'batch Value),
    Native(&'batch Py<ArrayTask>),
}

impl Batch {
    /// From the unpickled payload.
    pub fn new(payload: &Bound<'_, PyAny>) -> PyResult<Self> {
        let parts = payload.cast::<PyTuple>()?;
        let kind: String = parts.get_item(0)?.extract()?;
        let (work, keys) = match kind.as_str() {
            "tasks" => {
                let specs = parts.get_item(1)?.cast_into::<PyList>()?;
                let tasks = specs
                    .iter()
                    .map(|spec| {
                        if let Some(task) = native(&spec)? {
                            return Ok(Task::Native(task));
                        }
                        let template = template_of(&spec)?;
                        Ok(match native_task(spec.py(), &template) {
                            Some(task) => Task::Native(task),
                            None => Task::Call(template),
                        })
                    })
                    .collect::<PyResult<_>>()?;
                (Work::Tasks(tasks), parts.get_item(2)?)
            }
            "calls" => {
                let args = parts.get_item(2)?.cast_into::<PyList>()?;
                let args = args
                    .iter()
                    .map(|args| Ok(args.cast_into::<PyTuple>()?.unbind()))
                    .collect::<PyResult<_>>()?;
                let kwargs = parts.get_item(3)?;
                let kwargs =
                    if kwargs.is_none() { None } else { Some(kwargs.cast_into()?.unbind()) };
                let func = parts.get_item(1)?.unbind();
                let work = Work::Calls { func, args, kwargs };
                let keys = taken_apart(&parts.get_item(4)?)?;
                return Ok(Self { work, keys, _visitor: Visitor::enter() });
            }
            other => {
                return Err(PyValueError::new_err(format!("there is no batch of kind {other:?}")));
            }
        };
        let keys = keys
            .cast_into::<PyList>()?
            .iter()
            .map(|key| Ok(Key::from(&*key.cast_into::<PyString>()?.to_cow()?)))
            .collect::<PyResult<_>>()?;
        Ok(Self { work, keys, _visitor: Visitor::enter() })
    }

    /// A block of an array in memory and its key.
    pub fn of_block(key: &str, block: Value) -> Self {
        Self { work: Work::Block(block), keys: vec![Key::from(key)], _visitor: Visitor::enter() }
    }

    /// The key of a task as text.
    pub fn key(&self, index: u32) -> Option<&Key> {
        self.keys.get(index as usize)
    }

    /// How a task runs.
    pub fn step(&self, index: u32) -> Step<'_> {
        match &self.work {
            Work::Tasks(tasks) => match tasks.get(index as usize) {
                Some(Task::Native(task)) => Step::Native(task),
                _ => Step::Python,
            },
            Work::Block(block) => Step::Block(block),
            _ => Step::Python,
        }
    }

    /// Makes a task's call.
    pub fn run<'py>(
        &self,
        py: Python<'py>,
        index: u32,
        inputs: &[Value],
    ) -> PyResult<Bound<'py, PyAny>> {
        let missing = || PyValueError::new_err(format!("a batch has no task of number {index}"));
        match &self.work {
            Work::Calls { func, args, kwargs } => {
                let args = args.get(index as usize).ok_or_else(missing)?;
                func.bind(py)
                    .call(args.bind(py).clone(), kwargs.as_ref().map(|kwargs| kwargs.bind(py)))
            }
            Work::Tasks(tasks) => match tasks.get(index as usize).ok_or_else(missing)? {
                Task::Call(template) => template.evaluate(py, &mut TaskInputs::new(inputs)),
                Task::Native(_) => Err(missing()),
            },
            Work::Block(_) | Work::Gone => Err(missing()),
        }
    }
}

/// The native task of a spec that calls one with nothing but its inputs.
fn native(spec: &Bound<'_, PyAny>) -> PyResult<Option<Py<ArrayTask>>> {
    let parts = spec.cast::<PyTuple>()?;
    if parts.len() != 4 || !parts.get_item(2)?.cast::<PyList>().is_ok_and(|args| args.is_empty()) {
        return Ok(None);
    }
    let func = parts.get_item(1)?;
    let Ok(func) = func.cast::<PyTuple>() else { return Ok(None) };
    if func.len() != 2 {
        return Ok(None);
    }
    Ok(func.get_item(1)?.cast_exact::<ArrayTask>().ok().map(|task| task.clone().unbind()))
}

/// The template of a spec: what `spec.rs` wrote.
fn template_of(spec: &Bound<'_, PyAny>) -> PyResult<Template> {
    let py = spec.py();
    let parts = spec.cast::<PyTuple>()?;
    let kind = parts.get_item(0)?;
    let kind = kind.cast::<PyString>()?.to_cow()?;
    let value = |object: &Bound<'_, PyAny>| Template::Value(object.clone().unbind());
    Ok(match &*kind {
        "v" => Template::Value(parts.get_item(1)?.unbind()),
        "i" => Template::Input,
        "l" => Template::List(templates_of(&parts.get_item(1)?)?),
        "t" => Template::Tuple(templates_of(&parts.get_item(1)?)?),
        "s" => Template::Set(templates_of(&parts.get_item(1)?)?),
        "f" => Template::FrozenSet(templates_of(&parts.get_item(1)?)?),
        "d" => Template::Dict(
            parts
                .get_item(1)?
                .try_iter()?
                .map(|pair| {
                    let (key, item): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
                    Ok((template_of(&key)?, template_of(&item)?))
                })
                .collect::<PyResult<_>>()?,
        ),
        "c" => Template::Call(Box::new(Call {
            func: template_of(&parts.get_item(1)?)?,
            args: templates_of(&parts.get_item(2)?)?,
            kwargs: pairs_of(&parts.get_item(3)?)?,
        })),
        "m" => {
            let mut args = vec![value(&parts.get_item(1)?)];
            args.extend(templates_of(&parts.get_item(2)?)?);
            let func = value(helpers::call_method(py)?);
            Template::Call(Box::new(Call { func, args, kwargs: pairs_of(&parts.get_item(3)?)? }))
        }
        "a" => {
            let args = vec![value(&parts.get_item(1)?), template_of(&parts.get_item(2)?)?];
            let func = value(helpers::get_attribute(py)?);
            Template::Call(Box::new(Call { func, args, kwargs: Vec::new() }))
        }
        "o" => {
            let keys = pairs_of(&parts.get_item(2)?)?;
            Template::Opaque(Box::new(Opaque { task: parts.get_item(1)?.unbind(), keys }))
        }
        "g" => {
            let steps = parts
                .get_item(1)?
                .try_iter()?
                .map(|step| {
                    let (step, holes): (Bound<'_, PyAny>, Vec<usize>) = step?.extract()?;
                    Ok(SubgraphStep { template: template_of(&step)?, holes })
                })
                .collect::<PyResult<_>>()?;
            let graph = Subgraph {
                steps,
                inputs: parts.get_item(2)?.extract()?,
                output: parts.get_item(3)?.extract()?,
            };
            let args = templates_of(&parts.get_item(4)?)?;
            Template::Subgraph(Box::new(SubgraphCall { graph: Arc::new(graph), args }))
        }
        other => return Err(PyValueError::new_err(format!("a task has no part {other:?}"))),
    })
}

fn templates_of(items: &Bound<'_, PyAny>) -> PyResult<Vec<Template>> {
    items.try_iter()?.map(|item| template_of(&item?)).collect()
}

fn pairs_of(pairs: &Bound<'_, PyAny>) -> PyResult<Vec<(Py<PyAny>, Template)>> {
    pairs
        .try_iter()?
        .map(|pair| {
            let (name, item): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair?.extract()?;
            Ok((name.unbind(), template_of(&item)?))
        })
        .collect()
}
