//! What control messages carry, as Python objects.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMapping, PySet,
    PyString, PyTuple,
};
use samite::cluster::Plain;

/// How deep control messages may nest.
const DEPTH_LIMIT: usize = 100;

/// A Python object as a plain value. Tuples and sets become lists.
///
/// # Errors
/// `TypeError` for an object that has no plain form, which says where it is.
pub fn of_python(object: &Bound<'_, PyAny>) -> PyResult<Plain> {
    read(object, DEPTH_LIMIT)
}

fn read(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Plain> {
    if depth == 0 {
        return Err(PyTypeError::new_err("a message nests its values too deep"));
    }
    if object.is_none() {
        return Ok(Plain::None);
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Plain::Bool(value.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return match object.extract() {
            Ok(value) => Ok(Plain::Int(value)),
            Err(_) => Ok(Plain::Float(object.extract()?)),
        };
    }
    if let Ok(value) = object.cast::<PyFloat>() {
        return Ok(Plain::Float(value.value()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Plain::Text(text.to_cow()?.into_owned().into()));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Plain::Bytes(bytes.as_bytes().to_vec().into()));
    }
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return Ok(Plain::Bytes(bytes.to_vec().into()));
    }
    if object.is_instance_of::<PyList>()
        || object.is_instance_of::<PyTuple>()
        || object.is_instance_of::<PySet>()
        || object.is_instance_of::<PyFrozenSet>()
    {
        let items = object.try_iter()?.map(|item| read(&item?, depth - 1));
        return Ok(Plain::List(items.collect::<PyResult<_>>()?));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let pairs =
            dict.iter().map(|(key, value)| Ok((read(&key, depth - 1)?, read(&value, depth - 1)?)));
        return Ok(Plain::Map(pairs.collect::<PyResult<_>>()?));
    }
    if let Ok(mapping) = object.cast::<PyMapping>() {
        let pairs = mapping.items()?;
        let pairs = pairs.iter().map(|pair| {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            Ok((read(&key, depth - 1)?, read(&value, depth - 1)?))
        });
        return Ok(Plain::Map(pairs.collect::<PyResult<_>>()?));
    }
    Err(PyTypeError::new_err(format!(
        "{} object {} cannot be part of a control message; pickle it to bytes first",
        object.get_type().name()?,
        object.repr()?
    )))
}

/// A plain value as a Python object.
pub fn to_python<'py>(py: Python<'py>, plain: &Plain) -> PyResult<Bound<'py, PyAny>> {
    Ok(match plain {
        Plain::None => py.None().into_bound(py),
        Plain::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Plain::Int(value) => value.into_pyobject(py)?.into_any(),
        Plain::Float(value) => PyFloat::new(py, *value).into_any(),
        Plain::Text(text) => PyString::new(py, text).into_any(),
        Plain::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Plain::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Plain::Map(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs {
                let key = match to_python(py, key)?.cast_into::<PyList>() {
                    // A list cannot be a key; a tuple was one before.
                    Ok(list) => list.to_tuple().into_any(),
                    Err(other) => other.into_inner(),
                };
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}
