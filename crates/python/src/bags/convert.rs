//! Records as Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use rustc_hash::FxHashMap;
use samite::bag::records::{Node, Output, Owned, Value};

/// The keys of dicts, each of which is one object for all records.
#[derive(Default)]
pub struct Keys(FxHashMap<Box<str>, Py<PyString>>);

/// Keys that are remembered, at most: they may be data.
const MOST_KEYS: usize = 10_000;

impl Keys {
    fn get<'py>(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        if let Some(known) = self.0.get(key) {
            return known.bind(py).clone();
        }
        let made = PyString::new(py, key);
        if self.0.len() < MOST_KEYS {
            self.0.insert(key.into(), made.clone().unbind());
        }
        made
    }
}

/// How deeply values may be nested: each level is a frame.
const DEEPEST: usize = 200;

/// A value of a line as an object; None where it is none of JSON's, or nested more deeply than this is meant for.
pub fn value<'py>(
    py: Python<'py>,
    value: &Value<'_>,
    keys: &mut Keys,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(Some(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py)?.into_any(),
        Value::Float(value) => value.into_pyobject(py)?.into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Row(row) => {
            let dict = PyDict::new(py);
            for (key, item) in row.keys.iter().zip(row.values) {
                let Some(item) = item else { continue };
                let Some(item) = self::value(py, item, keys, depth + 1)? else { return Ok(None) };
                dict.set_item(keys.get(py, key), item)?;
            }
            dict.into_any()
        }
        Value::Tape(nodes) if depth < DEEPEST => {
            let Some((head, rest)) = nodes.split_first() else { return Ok(None) };
            return match head {
                Node::Object { len, .. } => dict_of(py, rest, *len, keys, depth),
                Node::Array { len, .. } => list_of(py, rest, *len, keys, depth),
                _ => Ok(None),
            };
        }
        Value::Tape(_) | Value::List(_) | Value::Tuple(_) | Value::Object(_) => return Ok(None),
    }))
}

fn dict_of<'py, 'a>(
    py: Python<'py>,
    mut rest: &'a [Node<'a>],
    len: usize,
    keys: &mut Keys,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let dict = PyDict::new(py);
    for _ in 0..len {
        let Some((Node::String(key), behind)) = rest.split_first() else { return Ok(None) };
        let Ok((item, behind)) = Value::of_nodes(behind) else { return Ok(None) };
        let Some(item) = value(py, &item, keys, depth + 1)? else { return Ok(None) };
        dict.set_item(keys.get(py, key), item)?;
        rest = behind;
    }
    Ok(Some(dict.into_any()))
}

fn list_of<'py, 'a>(
    py: Python<'py>,
    mut rest: &'a [Node<'a>],
    len: usize,
    keys: &mut Keys,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut items = Vec::with_capacity(len);
    for _ in 0..len {
        let Ok((item, behind)) = Value::of_nodes(rest) else { return Ok(None) };
        let Some(item) = value(py, &item, keys, depth + 1)? else { return Ok(None) };
        items.push(item);
        rest = behind;
    }
    Ok(Some(PyList::new(py, items)?.into_any()))
}

/// A list of records, or a value.
pub fn output<'py>(
    py: Python<'py>,
    output: &Output,
    keys: &mut Keys,
) -> PyResult<Bound<'py, PyAny>> {
    match output {
        Output::Value(value) => object(py, value, keys),
        Output::Records(records) => list(py, records, keys).map(Bound::into_any),
    }
}

fn list<'py>(py: Python<'py>, items: &[Owned], keys: &mut Keys) -> PyResult<Bound<'py, PyList>> {
    let objects: Vec<_> =
        items.iter().map(|item| object(py, item, keys)).collect::<PyResult<_>>()?;
    PyList::new(py, objects)
}

/// Values are nested at most as deeply as the engine keeps them.
fn object<'py>(py: Python<'py>, value: &Owned, keys: &mut Keys) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Owned::Null => py.None().into_bound(py),
        Owned::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Owned::Int(value) => match i64::try_from(*value) {
            Ok(value) => value.into_pyobject(py)?.into_any(),
            Err(_) => value.into_pyobject(py)?.into_any(),
        },
        Owned::Float(value) => value.into_pyobject(py)?.into_any(),
        Owned::Text(text) => PyString::new(py, text).into_any(),
        Owned::List(items) => list(py, items, keys)?.into_any(),
        Owned::Tuple(items) => {
            let objects: Vec<_> =
                items.iter().map(|item| object(py, item, keys)).collect::<PyResult<_>>()?;
            PyTuple::new(py, objects)?.into_any()
        }
        Owned::Object(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs {
                dict.set_item(keys.get(py, key), object(py, value, keys)?)?;
            }
            dict.into_any()
        }
    })
}
