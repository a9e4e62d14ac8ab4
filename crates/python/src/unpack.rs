//! Finds lazy values inside arguments and turns the containers around them into templates.

use std::cell::Cell;

use pyo3::exceptions::{PyRecursionError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyIterator, PyList, PySet, PySlice, PyString, PyTuple,
    PyType,
};

use crate::helpers;
use crate::node::{Node, make_collection};
use crate::template::{Call, Template, TemplateObject};
use crate::value::Inputs;

/// The argument as a lazy call keeps it: `None` where it is plain or a node already, else a
/// template object, or the node of a foreign collection.
pub fn wrap<'py>(item: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    if is_plain(item) || item.is_instance_of::<Node>() {
        return Ok(None);
    }
    Ok(match template(item)? {
        None => None,
        Some(Template::Node(node)) => Some(node.into_bound(item.py()).into_any()),
        Some(template) => Some(Bound::new(item.py(), TemplateObject { template })?.into_any()),
    })
}

/// Whether a value of this exact type can hold no lazy value.
pub fn is_plain(item: &Bound<'_, PyAny>) -> bool {
    item.is_none()
        || item.is_exact_instance_of::<PyInt>()
        || item.is_exact_instance_of::<PyFloat>()
        || item.is_exact_instance_of::<PyString>()
        || item.is_exact_instance_of::<PyBool>()
        || item.is_exact_instance_of::<PyBytes>()
}

/// Containers nested deeper than this are refused, as Python's own recursion would; a container
/// that holds itself ends here too.
const DEPTH_LIMIT: usize = 500;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The template of a value; `None` where nothing in it is lazy.
///
/// # Errors
/// `RecursionError` for containers nested too deep, or in themselves.
pub fn template(item: &Bound<'_, PyAny>) -> PyResult<Option<Template>> {
    if is_plain(item) {
        return Ok(None);
    }
    if let Ok(node) = item.cast::<Node>() {
        return Ok(Some(Template::Node(node.clone().unbind())));
    }
    let depth = DEPTH.get();
    if depth >= DEPTH_LIMIT {
        return Err(PyRecursionError::new_err(format!(
            "an argument nests containers more than {DEPTH_LIMIT} deep, or holds itself; pass \
             traverse=False where nothing lazy is inside"
        )));
    }
    DEPTH.set(depth + 1);
    let result = container(item);
    DEPTH.set(depth);
    result
}

fn container(item: &Bound<'_, PyAny>) -> PyResult<Option<Template>> {
    let py = item.py();
    if item.is_exact_instance_of::<TemplateObject>() {
        return Ok(None);
    }
    if let Ok(list) = item.cast_exact::<PyList>() {
        return Ok(templates(list.iter())?.map(Template::List));
    }
    if let Ok(tuple) = item.cast_exact::<PyTuple>() {
        return Ok(templates(tuple.iter())?.map(Template::Tuple));
    }
    if let Ok(set) = item.cast_exact::<PySet>() {
        return Ok(templates(set.iter())?.map(Template::Set));
    }
    if let Ok(dict) = item.cast_exact::<PyDict>() {
        let flat = templates(dict.iter().flat_map(|(key, value)| [key, value]))?;
        return Ok(flat.map(|flat| Template::Dict(pairs(flat))));
    }
    if let Ok(slice) = item.cast_exact::<PySlice>() {
        let parts = [
            slice.getattr(intern!(py, "start"))?,
            slice.getattr(intern!(py, "stop"))?,
            slice.getattr(intern!(py, "step"))?,
        ];
        let func = py.get_type::<PySlice>().into_any();
        return Ok(templates(parts.into_iter())?.map(|args| call(&func, args, Vec::new())));
    }
    let class = item.get_type();
    if item.is_instance_of::<PyType>() {
        return Ok(None);
    }
    if is_builtin_iterator(&class)? {
        // A partly consumed iterator is the caller's; copying it leaves the caller's untouched
        // only if nothing lazy is inside, so it is read through here, once.
        return builtin_iterator(item);
    }
    if has(item, intern!(py, "__dask_graph__"))?
        && let Ok(method) = item.getattr(intern!(py, "__dask_graph__"))
        && method.is_callable()
    {
        return Ok(Some(Template::Node(make_collection(item)?.unbind())));
    }
    if has(&class, intern!(py, "__dataclass_fields__"))? {
        let fields = helpers::dataclass_fields(py)?.call1((item,))?.cast_into::<PyDict>()?;
        let Some(values) = templates(fields.values().iter())? else { return Ok(None) };
        helpers::check_rebuildable(py)?.call1((item,))?;
        let kwargs = fields.keys().iter().map(Bound::unbind).zip(values).collect();
        return Ok(Some(call(&class, Vec::new(), kwargs)));
    }
    if item.is_instance_of::<PyTuple>() && has(&class, intern!(py, "_fields"))? {
        let tuple = item.cast::<PyTuple>()?;
        return Ok(templates(tuple.iter())?.map(|args| call(&class, args, Vec::new())));
    }
    Ok(None)
}

fn has(item: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    // Objects with a broken `__getattr__` are nobody's collection; their error is theirs.
    Ok(item.hasattr(name).unwrap_or(false))
}

fn is_builtin_iterator(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let name = class.name()?;
    Ok(matches!(&*name.to_cow()?, "list_iterator" | "tuple_iterator" | "set_iterator")
        && class.module()?.to_cow()? == "builtins")
}

fn builtin_iterator(item: &Bound<'_, PyAny>) -> PyResult<Option<Template>> {
    let class = item.get_type().name()?;
    let items: Vec<_> = item.cast::<PyIterator>()?.clone().collect::<PyResult<_>>()?;
    let templates: Vec<Template> = items
        .into_iter()
        .map(|item| Ok(template(&item)?.unwrap_or_else(|| Template::Value(item.unbind()))))
        .collect::<PyResult<_>>()?;
    Ok(Some(match &*class.to_cow()? {
        "tuple_iterator" => Template::Tuple(templates),
        "set_iterator" => Template::Set(templates),
        _ => Template::List(templates),
    }))
}

fn call(
    func: &Bound<'_, PyAny>,
    args: Vec<Template>,
    kwargs: Vec<(Py<PyAny>, Template)>,
) -> Template {
    let func = Template::Value(func.clone().unbind());
    Template::Call(Box::new(Call { func, args, kwargs }))
}

fn pairs(flat: Vec<Template>) -> Vec<(Template, Template)> {
    let mut pairs = Vec::with_capacity(flat.len() / 2);
    let mut flat = flat.into_iter();
    while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// The templates of items; `None` where nothing in them is lazy. Plain items cost nothing until
/// the first lazy one is seen.
fn templates<'py>(
    items: impl Iterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Option<Vec<Template>>> {
    let mut plain: Vec<Bound<'py, PyAny>> = Vec::new();
    let mut lazy: Option<Vec<Template>> = None;
    for item in items {
        match (template(&item)?, &mut lazy) {
            (None, None) => plain.push(item),
            (None, Some(templates)) => templates.push(Template::Value(item.unbind())),
            (Some(template), Some(templates)) => templates.push(template),
            (Some(template), None) => {
                let mut templates: Vec<Template> =
                    plain.drain(..).map(|item| Template::Value(item.unbind())).collect();
                templates.push(template);
                lazy = Some(templates);
            }
        }
    }
    Ok(lazy)
}

/// The lazy calls in the arguments of `compute`, and a template to put their values into; `None`
/// where something else than builtin containers of lazy calls and plain values is among them,
/// which is for Python code to look at.
#[pyfunction]
pub fn scan<'py>(
    args: &Bound<'py, PyTuple>,
    traverse: bool,
) -> PyResult<Option<(Vec<Bound<'py, Node>>, TemplateObject)>> {
    let mut nodes = Vec::new();
    let mut items = Vec::with_capacity(args.len());
    for item in args.iter() {
        match scan_item(&item, traverse, 0, &mut nodes)? {
            Some(template) => items.push(template),
            None => return Ok(None),
        }
    }
    Ok(Some((nodes, TemplateObject { template: Template::Tuple(items) })))
}

fn scan_item<'py>(
    item: &Bound<'py, PyAny>,
    traverse: bool,
    depth: usize,
    nodes: &mut Vec<Bound<'py, Node>>,
) -> PyResult<Option<Template>> {
    if is_plain(item) {
        return Ok(Some(Template::Value(item.clone().unbind())));
    }
    if let Ok(node) = item.cast::<Node>() {
        nodes.push(node.clone());
        return Ok(Some(Template::Input));
    }
    if depth >= DEPTH_LIMIT {
        return Ok(None);
    }
    let mut scan_all = |items: &mut dyn Iterator<Item = Bound<'py, PyAny>>| {
        items
            .map(|item| scan_item(&item, traverse, depth + 1, nodes))
            .collect::<PyResult<Option<Vec<_>>>>()
    };
    if traverse {
        if let Ok(list) = item.cast_exact::<PyList>() {
            return Ok(scan_all(&mut list.iter())?.map(Template::List));
        }
        if let Ok(tuple) = item.cast_exact::<PyTuple>() {
            return Ok(scan_all(&mut tuple.iter())?.map(Template::Tuple));
        }
        if let Ok(dict) = item.cast_exact::<PyDict>() {
            let mut flat = dict.iter().flat_map(|(key, value)| [key, value]);
            return Ok(scan_all(&mut flat)?.map(|flat| Template::Dict(pairs(flat))));
        }
    }
    Ok(None)
}

/// The arguments of `compute` with values in place of lazy calls.
#[pyfunction]
pub fn fill<'py>(
    template: &Bound<'py, TemplateObject>,
    values: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    struct Values<'py>(std::vec::IntoIter<Bound<'py, PyAny>>);
    impl Inputs for Values<'_> {
        fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
            match self.0.next() {
                Some(value) => Ok(value.unbind().into_bound(py)),
                None => Err(PyRuntimeError::new_err("fewer results than lazy calls")),
            }
        }
    }
    template.get().template.evaluate(template.py(), &mut Values(values.into_iter()))
}

/// The name of a container in keys.
pub fn kind_name(template: &Template) -> &'static str {
    match template {
        Template::List(_) => "list",
        Template::Tuple(_) => "tuple",
        Template::Set(_) => "set",
        Template::FrozenSet(_) => "frozenset",
        Template::Dict(_) => "dict",
        _ => "literal",
    }
}
