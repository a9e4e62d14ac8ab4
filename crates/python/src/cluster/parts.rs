//! Values in parts, as Python code makes and reads them: see `samite._parts`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use samite::cluster::{Encoded, Parts};

use crate::arrays::task::ArrayTask;
use crate::cluster::executor;
use crate::cluster::frames::{self, Memory};
use crate::helpers;
use crate::template::Template;
use crate::value;

/// The parts of an object that is a `samite._parts.Parts`.
pub fn of_python(object: &Bound<'_, PyAny>) -> PyResult<Option<Parts>> {
    let py = object.py();
    let Ok(dict) = object.cast::<PyDict>() else { return Ok(None) };
    if object.is_exact_instance_of::<PyDict>() || !object.is_instance(helpers::parts_class(py)?)? {
        return Ok(None);
    }
    let dump = helpers::dump_part(py)?;
    let parts = dict.iter().map(|(number, part)| {
        let frames = frames::of_dumped(&dump.call1((part,))?, Memory::Shared)?;
        Ok((number.extract()?, Encoded { kind: executor::PICKLED, frames }))
    });
    Ok(Some(Parts::new(parts.collect::<PyResult<_>>()?)))
}

/// A `samite._parts.Parts` of all parts.
pub fn to_python<'py>(py: Python<'py>, parts: &Parts) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    for (number, part) in parts.iter() {
        let value = executor::opened(py, part)?;
        dict.set_item(number, value::to_python(py, &value)?)?;
    }
    helpers::parts_class(py)?.call1((dict,))
}

/// What a task reads of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// No part by number.
    Nothing,
    Part(u32),
    /// More than one, so that it needs all of them.
    Several,
}

impl Reads {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, other) => other,
            (this, Self::Nothing) => this,
            (this, other) if this == other => this,
            _ => Self::Several,
        }
    }
}

/// The part that a task reads of those of its inputs which are in parts: the number that a
/// `samite._parts.Reader` among its functions has.
pub fn part_of(py: Python<'_>, template: &Template) -> PyResult<Option<u32>> {
    Ok(match reads(py, template)? {
        Reads::Part(part) => Some(part),
        Reads::Nothing | Reads::Several => None,
    })
}

fn reads(py: Python<'_>, template: &Template) -> PyResult<Reads> {
    let all = |items: &mut dyn Iterator<Item = &Template>| {
        let mut found = Reads::Nothing;
        for item in items {
            found = found.and(reads(py, item)?);
        }
        Ok::<_, PyErr>(found)
    };
    match template {
        Template::List(items) | Template::Tuple(items) => all(&mut items.iter()),
        Template::Call(call) => {
            let mine = match &call.func {
                Template::Value(func) => reader(func.bind(py))?,
                other => reads(py, other)?,
            };
            let keywords = call.kwargs.iter().map(|(_, item)| item);
            Ok(mine.and(all(&mut call.args.iter().chain(keywords))?))
        }
        Template::Subgraph(call) => {
            let steps = call.graph.steps.iter().map(|step| &step.template);
            all(&mut steps.chain(&call.args))
        }
        _ => Ok(Reads::Nothing),
    }
}

fn reader(func: &Bound<'_, PyAny>) -> PyResult<Reads> {
    let py = func.py();
    if let Ok(task) = func.cast_exact::<ArrayTask>() {
        return Ok(task.get().piece().map_or(Reads::Nothing, Reads::Part));
    }
    let class = helpers::parts_reader(py)?;
    if !func.is_instance(class)? {
        return Ok(Reads::Nothing);
    }
    Ok(Reads::Part(func.getattr(intern!(py, "part"))?.extract()?))
}
