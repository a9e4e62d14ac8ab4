//! Tasks as plain data, for worker processes: nested tuples that `samite._worker` evaluates.
//!
//! `("v", value)` a value, `("i",)` the next input, `("l" | "t" | "s" | "f", items)` a list,
//! tuple, set or frozenset, `("d", pairs)` a dict, `("c", func, args, kwargs)` a call,
//! `("m", name, args, kwargs)` a method call, `("a", name, target)` an attribute,
//! `("o", task, pairs)` a task object, `("g", steps, inputs, output, args)` a fused graph. In a
//! template that belongs to no task yet, `("n", node)` is a lazy value.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::node::{Kind, Node};
use crate::program::Op;
use crate::template::{Template, TemplateObject};

/// The spec of an operation.
pub fn of_operation<'py>(py: Python<'py>, op: &Op) -> PyResult<Bound<'py, PyAny>> {
    match op {
        Op::Node(node) => of_node(py, node.get()),
        Op::Template { template, .. } => of_template(py, template, false),
        Op::ArrayTask { .. } | Op::Array(_) | Op::Records { .. } | Op::Import(_) => {
            Err(pyo3::exceptions::PyRuntimeError::new_err("a native task runs in this process"))
        }
    }
}

fn of_node<'py>(py: Python<'py>, node: &Node) -> PyResult<Bound<'py, PyAny>> {
    let spec = match &node.kind {
        Kind::Call { func, args, kwargs } => {
            let func = of_item(func.bind(py))?;
            ("c", func, of_args(args.bind(py))?, of_kwargs(py, kwargs.as_ref())?)
                .into_pyobject(py)?
        }
        Kind::Method { name, args, kwargs } => {
            ("m", name, of_args(args.bind(py))?, of_kwargs(py, kwargs.as_ref())?)
                .into_pyobject(py)?
        }
        Kind::Attribute { name, args } => {
            ("a", name, of_item(&args.bind(py).get_item(0)?)?).into_pyobject(py)?
        }
        Kind::Literal { args, .. } => return of_item(&args.bind(py).get_item(0)?),
        Kind::Leaf { value, .. } => ("v", value).into_pyobject(py)?,
        Kind::Graph { .. } | Kind::Collection { .. } => ("i",).into_pyobject(py)?,
    };
    Ok(spec.into_any())
}

fn of_item<'py>(item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = item.py();
    if let Ok(node) = item.cast::<Node>() {
        return Ok(match node.get().leaf_value(py) {
            Some(value) => ("v", value).into_pyobject(py)?.into_any(),
            None => ("i",).into_pyobject(py)?.into_any(),
        });
    }
    if let Ok(object) = item.cast_exact::<TemplateObject>() {
        return of_template(py, &object.get().template, false);
    }
    Ok(("v", item).into_pyobject(py)?.into_any())
}

fn of_args<'py>(args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyList>> {
    let items = args.iter().map(|item| of_item(&item)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(args.py(), items)
}

fn of_kwargs<'py>(py: Python<'py>, kwargs: Option<&Py<PyDict>>) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    if let Some(kwargs) = kwargs {
        for (name, item) in kwargs.bind(py).iter() {
            list.append((name, of_item(&item)?))?;
        }
    }
    Ok(list)
}

fn of_templates<'py>(
    py: Python<'py>,
    items: &[Template],
    lazy: bool,
) -> PyResult<Bound<'py, PyList>> {
    let items =
        items.iter().map(|item| of_template(py, item, lazy)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, items)
}

/// The spec of a template; `lazy` names the lazy values in it instead of calling them inputs.
pub fn of_template<'py>(
    py: Python<'py>,
    template: &Template,
    lazy: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let spec = match template {
        Template::Value(value) => ("v", value).into_pyobject(py)?,
        Template::Node(node) if lazy => ("n", node).into_pyobject(py)?,
        Template::Node(node) => return of_item(node.bind(py)),
        Template::Input => ("i",).into_pyobject(py)?,
        Template::List(items) => ("l", of_templates(py, items, lazy)?).into_pyobject(py)?,
        Template::Tuple(items) => ("t", of_templates(py, items, lazy)?).into_pyobject(py)?,
        Template::Set(items) => ("s", of_templates(py, items, lazy)?).into_pyobject(py)?,
        Template::FrozenSet(items) => ("f", of_templates(py, items, lazy)?).into_pyobject(py)?,
        Template::Dict(items) => {
            let list = PyList::empty(py);
            for (key, value) in items {
                list.append((of_template(py, key, lazy)?, of_template(py, value, lazy)?))?;
            }
            ("d", list).into_pyobject(py)?
        }
        Template::Call(call) => {
            let kwargs = PyList::empty(py);
            for (name, item) in &call.kwargs {
                kwargs.append((name, of_template(py, item, lazy)?))?;
            }
            ("c", of_template(py, &call.func, lazy)?, of_templates(py, &call.args, lazy)?, kwargs)
                .into_pyobject(py)?
        }
        Template::Opaque(opaque) => {
            let pairs = PyList::empty(py);
            for (key, item) in &opaque.keys {
                pairs.append((key, of_template(py, item, lazy)?))?;
            }
            ("o", &opaque.task, pairs).into_pyobject(py)?
        }
        Template::Subgraph(call) => {
            let steps = PyList::empty(py);
            for step in &call.graph.steps {
                steps.append((of_template(py, &step.template, lazy)?, step.holes.clone()))?;
            }
            let args = of_templates(py, &call.args, lazy)?;
            ("g", steps, call.graph.inputs, call.graph.output, args).into_pyobject(py)?
        }
    };
    Ok(spec.into_any())
}
