//! Argument templates: Python values with holes where a task's inputs go.
//!
//! A template is built once, when a lazy call is made or a graph is read, and evaluated when the
//! task runs. The holes are filled in the order of a depth-first walk, which is also the order of
//! the task's dependencies, so no hole needs a number.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PySet, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::node::Node;
use crate::value::Inputs;

/// A Python value with holes.
pub enum Template {
    /// A plain value.
    Value(Py<PyAny>),
    /// The value of another lazy call: a hole, or a leaf whose value is at hand.
    Node(Py<Node>),
    /// A hole.
    Input,
    List(Vec<Template>),
    Tuple(Vec<Template>),
    Set(Vec<Template>),
    FrozenSet(Vec<Template>),
    Dict(Vec<(Template, Template)>),
    Call(Box<Call>),
    Subgraph(Box<SubgraphCall>),
    /// A task object of an unknown class: called with a dict of its dependencies.
    Opaque(Box<Opaque>),
}

/// A function call inside a template.
pub struct Call {
    pub func: Template,
    pub args: Vec<Template>,
    pub kwargs: Vec<(Py<PyAny>, Template)>,
}

/// A call of a small graph that other tasks share: the graph is compiled once.
pub struct SubgraphCall {
    pub graph: Arc<Subgraph>,
    pub args: Vec<Template>,
}

/// A compiled inner graph. Steps stand in an order in which they can run.
pub struct Subgraph {
    pub steps: Vec<SubgraphStep>,
    pub inputs: usize,
    /// The slot of the result; slots below `inputs` are arguments.
    pub output: usize,
}

pub struct SubgraphStep {
    pub template: Template,
    /// The slots that fill the template's holes, in order.
    pub holes: Vec<usize>,
}

pub struct Opaque {
    pub task: Py<PyAny>,
    pub keys: Vec<(Py<PyAny>, Template)>,
}

impl Template {
    /// Visits the lazy calls in the template, in the order of evaluation.
    pub fn each_node<'py>(&self, py: Python<'py>, visit: &mut dyn FnMut(&Bound<'py, Node>)) {
        match self {
            Self::Value(_) | Self::Input | Self::Subgraph(_) | Self::Opaque(_) => {}
            Self::Node(node) => visit(node.bind(py)),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => {
                for item in items {
                    item.each_node(py, visit);
                }
            }
            Self::Dict(items) => {
                for (key, value) in items {
                    key.each_node(py, visit);
                    value.each_node(py, visit);
                }
            }
            Self::Call(call) => {
                call.func.each_node(py, visit);
                for item in &call.args {
                    item.each_node(py, visit);
                }
                for (_, item) in &call.kwargs {
                    item.each_node(py, visit);
                }
            }
        }
    }

    /// The value, with the holes filled from `inputs`.
    pub fn evaluate<'py>(
        &self,
        py: Python<'py>,
        inputs: &mut dyn Inputs,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Self::Value(value) => value.bind(py).clone(),
            Self::Node(node) => match node.get().leaf_value(py) {
                Some(value) => value,
                None => inputs.next(py)?,
            },
            Self::Input => inputs.next(py)?,
            Self::List(items) => {
                let list = PyList::empty(py);
                for item in items {
                    list.append(item.evaluate(py, inputs)?)?;
                }
                list.into_any()
            }
            Self::Tuple(items) => PyTuple::new(py, evaluate_all(items, py, inputs)?)?.into_any(),
            Self::Set(items) => PySet::new(py, evaluate_all(items, py, inputs)?)?.into_any(),
            Self::FrozenSet(items) => {
                PyFrozenSet::new(py, evaluate_all(items, py, inputs)?)?.into_any()
            }
            Self::Dict(items) => {
                let dict = PyDict::new(py);
                for (key, value) in items {
                    let key = key.evaluate(py, inputs)?;
                    dict.set_item(key, value.evaluate(py, inputs)?)?;
                }
                dict.into_any()
            }
            Self::Call(call) => {
                let func = call.func.evaluate(py, inputs)?;
                let args = PyTuple::new(py, evaluate_all(&call.args, py, inputs)?)?;
                if call.kwargs.is_empty() {
                    func.call1(args)?
                } else {
                    let kwargs = PyDict::new(py);
                    for (name, item) in &call.kwargs {
                        kwargs.set_item(name, item.evaluate(py, inputs)?)?;
                    }
                    func.call(args, Some(&kwargs))?
                }
            }
            Self::Subgraph(call) => {
                let args = evaluate_all(&call.args, py, inputs)?;
                call.graph.run(py, args)?
            }
            Self::Opaque(opaque) => {
                let values = PyDict::new(py);
                for (key, item) in &opaque.keys {
                    values.set_item(key, item.evaluate(py, inputs)?)?;
                }
                opaque.task.bind(py).call1((values,))?
            }
        })
    }

    /// Reports the Python objects inside to the cycle collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Value(value) => visit.call(value),
            Self::Node(node) => visit.call(node),
            Self::Input => Ok(()),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => {
                items.iter().try_for_each(|item| item.traverse(visit))
            }
            Self::Dict(items) => items.iter().try_for_each(|(key, value)| {
                key.traverse(visit)?;
                value.traverse(visit)
            }),
            Self::Call(call) => {
                call.func.traverse(visit)?;
                call.args.iter().try_for_each(|item| item.traverse(visit))?;
                call.kwargs.iter().try_for_each(|(_, item)| item.traverse(visit))
            }
            Self::Subgraph(call) => call.args.iter().try_for_each(|item| item.traverse(visit)),
            Self::Opaque(opaque) => {
                visit.call(&opaque.task)?;
                opaque.keys.iter().try_for_each(|(_, item)| item.traverse(visit))
            }
        }
    }
}

fn evaluate_all<'py>(
    items: &[Template],
    py: Python<'py>,
    inputs: &mut dyn Inputs,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    items.iter().map(|item| item.evaluate(py, inputs)).collect()
}

/// Fills a step's holes from the slots of a running subgraph.
struct Slots<'slots> {
    values: &'slots [Option<Py<PyAny>>],
    holes: std::slice::Iter<'slots, usize>,
}

impl Inputs for Slots<'_> {
    fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.holes
            .next()
            .and_then(|slot| self.values.get(*slot))
            .and_then(Option::as_ref)
            .map(|value| value.bind(py).clone())
            .ok_or_else(|| PyRuntimeError::new_err("a step of a fused task has no input"))
    }
}

impl Subgraph {
    fn run<'py>(
        &self,
        py: Python<'py>,
        args: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut values: Vec<Option<Py<PyAny>>> =
            args.into_iter().map(|arg| Some(arg.unbind())).collect();
        values.resize_with(self.inputs, || None);
        values.reserve(self.steps.len());
        for step in &self.steps {
            let mut slots = Slots { values: &values, holes: step.holes.iter() };
            let value = step.template.evaluate(py, &mut slots)?;
            values.push(Some(value.unbind()));
        }
        values
            .into_iter()
            .nth(self.output)
            .flatten()
            .map(|value| value.into_bound(py))
            .ok_or_else(|| PyRuntimeError::new_err("a fused task has no result"))
    }
}

/// A template as an argument of a lazy call; made by [`wrap`], never by users.
#[pyclass(frozen, module = "samite._engine", name = "Template")]
pub struct TemplateObject {
    pub template: Template,
}

#[pymethods]
impl TemplateObject {
    /// The template as nested tuples; the words are explained in `spec.rs`.
    fn spec<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        crate::spec::of_template(py, &self.template, true)
    }

    fn __dask_tokenize__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.spec(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.template.traverse(&visit)
    }
}
