//! Records as Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use rustc_hash::FxHashMap;
use samite::bag::records::{Output, Owned};

/// The keys of dicts, each of which is one object for all records.
#[derive(Default)]
pub struct Keys<'py>(FxHashMap<Box<str>, Bound<'py, PyString>>);

/// Keys that are remembered, at most: they may be data.
const MOST_KEYS: usize = 10_000;

impl<'py> Keys<'py> {
    fn get(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        if let Some(known) = self.0.get(key) {
            return known.clone();
        }
        let made = PyString::new(py, key);
        if self.0.len() < MOST_KEYS {
            self.0.insert(key.into(), made.clone());
        }
        made
    }
}

/// A list of records, or a value.
pub fn output<'py>(
    py: Python<'py>,
    output: &Output,
    keys: &mut Keys<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    match output {
        Output::Value(value) => object(py, value, keys),
        Output::Records(records) => list(py, records, keys).map(Bound::into_any),
    }
}

fn list<'py>(
    py: Python<'py>,
    items: &[Owned],
    keys: &mut Keys<'py>,
) -> PyResult<Bound<'py, PyList>> {
    let objects: Vec<_> =
        items.iter().map(|item| object(py, item, keys)).collect::<PyResult<_>>()?;
    PyList::new(py, objects)
}

/// Values are nested at most as deeply as the engine keeps them.
fn object<'py>(
    py: Python<'py>,
    value: &Owned,
    keys: &mut Keys<'py>,
) -> PyResult<Bound<'py, PyAny>> {
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
