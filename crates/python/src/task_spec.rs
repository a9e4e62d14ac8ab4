//! Reads the task objects of `samite._task_spec`, and Dask's of the same names.
//!
//! A class is recognised by the module and the name that it was defined under, once; after that
//! by its address. A subclass or a stranger is called as the protocol says, with a dict of its
//! dependencies.

use std::cell::RefCell;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use rustc_hash::FxHashMap;

/// What a graph's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecClass {
    Task,
    Alias,
    Data,
    Reference,
    List,
    Tuple,
    Set,
    /// A task object that is only known to be callable with its dependencies.
    Opaque,
    /// No task object: a legacy tuple, a container or data.
    Plain,
}

thread_local! {
    static KNOWN: RefCell<FxHashMap<usize, (Py<PyType>, SpecClass)>> =
        RefCell::new(FxHashMap::default());
}

/// The class of a graph's value or of a part of one.
pub fn classify(item: &Bound<'_, PyAny>) -> PyResult<SpecClass> {
    let class = item.get_type();
    let address = class.as_ptr() as usize;
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&address).map(|entry| entry.1)) {
        return Ok(known);
    }
    let found = inspect(&class)?;
    KNOWN.with_borrow_mut(|known| known.insert(address, (class.unbind(), found)));
    Ok(found)
}

fn inspect(class: &Bound<'_, PyType>) -> PyResult<SpecClass> {
    if is_spec_module(class)? {
        return Ok(match &*class.name()?.to_cow()? {
            "Task" => SpecClass::Task,
            "Alias" => SpecClass::Alias,
            "DataNode" => SpecClass::Data,
            "TaskRef" => SpecClass::Reference,
            "List" => SpecClass::List,
            "Tuple" => SpecClass::Tuple,
            "Set" => SpecClass::Set,
            _ if is_node_class(class)? => SpecClass::Opaque,
            _ => SpecClass::Plain,
        });
    }
    Ok(if is_node_class(class)? { SpecClass::Opaque } else { SpecClass::Plain })
}

fn is_spec_module(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let Ok(module) = class.getattr(intern!(class.py(), "__module__"))?.cast_into::<PyString>()
    else {
        return Ok(false);
    };
    let module = module.to_cow()?;
    Ok(module.starts_with("samite._task_spec") || module == "dask._task_spec")
}

fn is_node_class(class: &Bound<'_, PyType>) -> PyResult<bool> {
    for base in class.mro().iter() {
        let Ok(base) = base.cast_into::<PyType>() else { continue };
        if base.name()?.to_cow()? == "GraphNode" && is_spec_module(&base)? {
            return Ok(true);
        }
    }
    Ok(false)
}
