//! Lazy calls: the native base of `samite.delayed.Delayed`.
//!
//! A node is built with one allocation and names itself only when somebody asks: the key of an
//! impure call is made on first use, that of a pure one from its parts. Nodes never change, so
//! their graph has no cycle, and they hold their arguments in a Python tuple, whose deallocation
//! CPython keeps from recursing however long a chain is.

use std::cell::RefCell;
use std::sync::OnceLock;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::helpers;
use crate::template::TemplateObject;
use crate::token;
use crate::unpack;
use crate::value::Inputs;

/// What a node computes.
pub enum Kind {
    /// `func(*args, **kwargs)`; `func` and the arguments may be nodes or templates.
    Call { func: Py<PyAny>, args: Py<PyTuple>, kwargs: Option<Py<PyDict>> },
    /// `getattr(args[0], name)(*args[1:], **kwargs)`.
    Method { name: Py<PyString>, args: Py<PyTuple>, kwargs: Option<Py<PyDict>> },
    /// `getattr(args[0], name)`.
    Attribute { name: Py<PyString>, args: Py<PyTuple> },
    /// A value that is at hand; calling the node calls it.
    Leaf { value: Py<PyAny>, pure: Option<bool>, nout: Option<usize> },
    /// A container with lazy calls inside.
    Literal { args: Py<PyTuple>, nout: Option<usize> },
    /// One key of a graph that was made elsewhere.
    Graph { graph: Py<PyAny>, layer: Py<PyAny> },
    /// The computed form of another collection.
    Collection { collection: Py<PyAny> },
}

/// The native base class of `Delayed`, `DelayedLeaf` and `DelayedAttr`.
#[pyclass(frozen, subclass, module = "samite._engine")]
pub struct Node {
    pub kind: Kind,
    key: OnceLock<Py<PyAny>>,
    /// Whether equal parts make an equal key.
    pub pure: bool,
    /// The number of items that iteration yields, where it is known.
    length: Option<usize>,
    pub annotations: Option<Py<PyDict>>,
}

thread_local! {
    /// The parts of the node that `Node.__new__` is about to make on this thread. Instances of
    /// the Python subclasses are made through their own constructor, which takes no arguments.
    static PENDING: RefCell<Option<Node>> = const { RefCell::new(None) };
}

impl Node {
    fn from_parts(kind: Kind, key: Option<Py<PyAny>>, pure: bool, length: Option<usize>) -> Self {
        let cell = OnceLock::new();
        if let Some(key) = key {
            // A fresh cell is empty, so setting it cannot fail.
            let _ = cell.set(key);
        }
        Self { kind, key: cell, pure, length, annotations: None }
    }

    /// Makes an instance of a Python subclass of `Node`.
    fn instantiate<'py>(self, class: &Bound<'py, PyType>) -> PyResult<Bound<'py, Self>> {
        PENDING.with_borrow_mut(|pending| *pending = Some(self));
        let made = class.call0();
        PENDING.with_borrow_mut(|pending| *pending = None);
        Ok(made?.cast_into::<Self>()?)
    }

    /// The value of a leaf, which is no task.
    pub fn leaf_value<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match &self.kind {
            Kind::Leaf { value, .. } => Some(value.bind(py).clone()),
            _ => None,
        }
    }

    /// The key, if it was asked for before or given by the user.
    pub fn known_key<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.key.get().map(|key| key.bind(py).clone())
    }

    /// The key: a name and a token.
    pub fn key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(key) = self.key.get() {
            return Ok(key.bind(py).clone());
        }
        let key = token::key_of(py, self)?.unbind();
        Ok(self.key.get_or_init(|| key).bind(py).clone())
    }

    /// Visits the nodes that this one needs, in the order in which its inputs are consumed;
    /// leaves are left out, since their values are at hand.
    pub fn each_dependency<'py>(&self, py: Python<'py>, visit: &mut dyn FnMut(&Bound<'py, Node>)) {
        let mut seen = |item: &Bound<'py, PyAny>| {
            if let Ok(node) = item.cast::<Node>() {
                if !matches!(node.get().kind, Kind::Leaf { .. }) {
                    visit(node);
                }
            } else if let Ok(object) = item.cast_exact::<TemplateObject>() {
                object.get().template.each_node(py, &mut |node| {
                    if !matches!(node.get().kind, Kind::Leaf { .. }) {
                        visit(node);
                    }
                });
            }
        };
        match &self.kind {
            Kind::Call { func, args, kwargs } => {
                seen(func.bind(py));
                args.bind(py).iter_borrowed().for_each(|item| seen(&item));
                if let Some(kwargs) = kwargs {
                    kwargs.bind(py).iter().for_each(|(_, item)| seen(&item));
                }
            }
            Kind::Method { args, kwargs, .. } => {
                args.bind(py).iter_borrowed().for_each(|item| seen(&item));
                if let Some(kwargs) = kwargs {
                    kwargs.bind(py).iter().for_each(|(_, item)| seen(&item));
                }
            }
            Kind::Attribute { args, .. } | Kind::Literal { args, .. } => {
                args.bind(py).iter_borrowed().for_each(|item| seen(&item));
            }
            Kind::Leaf { .. } | Kind::Graph { .. } | Kind::Collection { .. } => {}
        }
    }

    /// Visits the nodes among the parts that have no key yet.
    pub fn each_unnamed<'py>(&self, py: Python<'py>, visit: &mut dyn FnMut(&Bound<'py, Node>)) {
        self.each_part(py, &mut |node| {
            if node.get().known_key(py).is_none() {
                visit(node);
            }
        });
    }

    /// Runs the node on the values of its dependencies.
    pub fn run<'py>(
        &self,
        py: Python<'py>,
        inputs: &mut dyn Inputs,
    ) -> PyResult<Bound<'py, PyAny>> {
        match &self.kind {
            Kind::Call { func, args, kwargs } => {
                let func = resolve(func.bind(py).clone(), inputs)?;
                let args = resolve_args(args.bind(py), inputs)?;
                let kwargs = resolve_kwargs(py, kwargs.as_ref(), inputs)?;
                func.call(args, kwargs.as_ref())
            }
            Kind::Method { name, args, kwargs } => {
                let args = resolve_args(args.bind(py), inputs)?;
                let kwargs = resolve_kwargs(py, kwargs.as_ref(), inputs)?;
                let method = args.get_item(0)?.getattr(name.bind(py))?;
                method.call(args.get_slice(1, args.len()), kwargs.as_ref())
            }
            Kind::Attribute { name, args } => {
                resolve_args(args.bind(py), inputs)?.get_item(0)?.getattr(name.bind(py))
            }
            Kind::Leaf { value, .. } => Ok(value.bind(py).clone()),
            Kind::Literal { args, .. } => resolve(args.bind(py).get_item(0)?, inputs),
            Kind::Graph { .. } | Kind::Collection { .. } => Err(PyRuntimeError::new_err(
                "a graph made elsewhere is compiled before it runs; it cannot run as one task",
            )),
        }
    }

    /// The name that keys and reports begin with.
    pub fn prefix<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let name = match &self.kind {
            Kind::Call { func, .. } => match func.bind(py).cast::<Node>() {
                Ok(node) => return node.get().prefix(py),
                Err(_) => helpers::funcname(py)?.call1((func.bind(py),))?,
            },
            Kind::Method { name, .. } => return Ok(name.bind(py).clone()),
            Kind::Attribute { .. } => return Ok(intern!(py, "getattr").clone()),
            Kind::Leaf { value, .. } => {
                let value = value.bind(py);
                if value.is_callable() {
                    helpers::funcname(py)?.call1((value,))?
                } else {
                    return value.get_type().name();
                }
            }
            Kind::Literal { args, .. } => match args.bind(py).get_item(0)?.cast::<TemplateObject>()
            {
                Ok(object) => {
                    return Ok(PyString::new(py, unpack::kind_name(&object.get().template)));
                }
                Err(_) => return Ok(intern!(py, "literal").clone()),
            },
            Kind::Graph { .. } => return Ok(intern!(py, "graph").clone()),
            Kind::Collection { collection } => {
                let class = collection.bind(py).get_type().name()?;
                return Ok(PyString::new(py, &format!("finalize-{}", class.to_cow()?)));
            }
        };
        Ok(name.cast_into::<PyString>()?)
    }
}

fn resolve<'py>(item: Bound<'py, PyAny>, inputs: &mut dyn Inputs) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(node) = item.cast::<Node>() {
        return match node.get().leaf_value(item.py()) {
            Some(value) => Ok(value),
            None => inputs.next(item.py()),
        };
    }
    if let Ok(object) = item.cast_exact::<TemplateObject>() {
        return object.get().template.evaluate(item.py(), inputs);
    }
    Ok(item)
}

fn is_hole(item: &Bound<'_, PyAny>) -> bool {
    item.is_instance_of::<Node>() || item.is_exact_instance_of::<TemplateObject>()
}

fn resolve_args<'py>(
    args: &Bound<'py, PyTuple>,
    inputs: &mut dyn Inputs,
) -> PyResult<Bound<'py, PyTuple>> {
    if !args.iter_borrowed().any(|item| is_hole(&item)) {
        return Ok(args.clone());
    }
    let values: Vec<_> = args.iter().map(|item| resolve(item, inputs)).collect::<PyResult<_>>()?;
    PyTuple::new(args.py(), values)
}

fn resolve_kwargs<'py>(
    py: Python<'py>,
    kwargs: Option<&Py<PyDict>>,
    inputs: &mut dyn Inputs,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some(kwargs) = kwargs else { return Ok(None) };
    let resolved = PyDict::new(py);
    for (name, item) in kwargs.bind(py).iter() {
        resolved.set_item(name, resolve(item, inputs)?)?;
    }
    Ok(Some(resolved))
}

/// Options that a lazy call takes among its keyword arguments.
struct CallOptions<'py> {
    key: Option<Py<PyAny>>,
    pure: Option<bool>,
    kwargs: Option<Bound<'py, PyDict>>,
}

impl<'py> CallOptions<'py> {
    fn take(py: Python<'py>, kwargs: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        let Some(kwargs) = kwargs else { return Ok(Self { key: None, pure: None, kwargs: None }) };
        let kwargs = kwargs.copy()?;
        let mut taken = Self { key: None, pure: None, kwargs: None };
        if let Some(key) = kwargs.get_item(intern!(py, "dask_key_name"))? {
            kwargs.del_item(intern!(py, "dask_key_name"))?;
            taken.key = (!key.is_none()).then(|| key.unbind());
        }
        if let Some(pure) = kwargs.get_item(intern!(py, "pure"))? {
            kwargs.del_item(intern!(py, "pure"))?;
            taken.pure = if pure.is_none() { None } else { Some(pure.is_truthy()?) };
        }
        if !kwargs.is_empty() {
            for (name, value) in kwargs.copy()?.iter() {
                if let Some(wrapped) = unpack::wrap(&value)? {
                    kwargs.set_item(name, wrapped)?;
                }
            }
            taken.kwargs = Some(kwargs);
        }
        Ok(taken)
    }
}

/// The arguments with containers of lazy values turned into templates; the same tuple where
/// there are none.
fn wrap_args<'py>(args: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>> {
    let mut wrapped: Option<Vec<Bound<'py, PyAny>>> = None;
    for (position, item) in args.iter().enumerate() {
        if let Some(template) = unpack::wrap(&item)? {
            wrapped.get_or_insert_with(|| args.iter().collect())[position] = template;
        }
    }
    match wrapped {
        Some(items) => PyTuple::new(args.py(), items),
        None => Ok(args.clone()),
    }
}

fn make_call<'py>(
    py: Python<'py>,
    kind: impl FnOnce(Option<Py<PyDict>>) -> Kind,
    options: CallOptions<'py>,
    default_pure: Option<bool>,
    length: Option<usize>,
) -> PyResult<Bound<'py, Node>> {
    let pure = match options.pure.or(default_pure) {
        Some(pure) => pure,
        None => helpers::config_pure(py)?,
    };
    let mut node =
        Node::from_parts(kind(options.kwargs.map(Bound::unbind)), options.key, pure, length);
    node.annotations = helpers::annotations(py)?;
    if pure && node.key.get().is_none() && !token::is_lazy(py, &node) {
        // The arguments may be changed by their owner later, so the token is taken now.
        node.key(py)?;
    }
    node.instantiate(helpers::delayed_class(py)?)
}

#[pymethods]
impl Node {
    /// Takes the parts that native code left for it; else `Delayed(key, graph, length, layer)`.
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        if let Some(node) = PENDING.with_borrow_mut(Option::take) {
            return Ok(node);
        }
        let parts = helpers::graph_parts(args.py())?.call(args, kwargs)?;
        let (key, graph, layer, length) = parts.extract()?;
        Ok(Self::from_parts(Kind::Graph { graph, layer }, Some(key), false, length))
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let options = CallOptions::take(py, kwargs)?;
        let args = wrap_args(args)?;
        match &slf.get().kind {
            Kind::Leaf { value, pure, nout } => {
                let (func, args) = (value.clone_ref(py), args.unbind());
                make_call(py, |kwargs| Kind::Call { func, args, kwargs }, options, *pure, *nout)
            }
            Kind::Attribute { name, args: target } => {
                let target = target.bind(py).get_item(0)?;
                let args = PyTuple::new(
                    py,
                    std::iter::once(target).chain(args.iter()).collect::<Vec<_>>(),
                )?;
                let (name, args) = (name.clone_ref(py), args.unbind());
                make_call(py, |kwargs| Kind::Method { name, args, kwargs }, options, None, None)
            }
            _ => {
                let (func, args) = (slf.clone().into_any().unbind(), args.unbind());
                make_call(py, |kwargs| Kind::Call { func, args, kwargs }, options, None, None)
            }
        }
    }

    /// The key of the task, a string or a tuple that begins with one.
    #[getter(key)]
    fn get_key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.key(py)
    }

    #[getter]
    fn _key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.key(py)
    }

    #[getter]
    fn _length(&self) -> Option<usize> {
        self.length
    }

    #[getter(_node_pure)]
    fn node_pure(&self) -> bool {
        self.pure
    }

    /// The annotations in force when the call was made.
    #[getter]
    fn _annotations<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyDict>> {
        self.annotations.as_ref().map(|annotations| annotations.bind(py).clone())
    }

    /// What the node is made of: a word and its parts, for Python code that writes graphs.
    pub fn _parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        match &self.kind {
            Kind::Call { func, args, kwargs } => ("call", func, args, kwargs).into_pyobject(py),
            Kind::Method { name, args, kwargs } => ("method", name, args, kwargs).into_pyobject(py),
            Kind::Attribute { name, args } => ("attribute", name, args).into_pyobject(py),
            Kind::Leaf { value, pure, nout } => ("leaf", value, *pure, *nout).into_pyobject(py),
            Kind::Literal { args, nout } => ("literal", args, *nout).into_pyobject(py),
            Kind::Graph { graph, layer } => ("graph", graph, layer).into_pyobject(py),
            Kind::Collection { collection } => ("collection", collection).into_pyobject(py),
        }
    }

    /// The nodes that this one needs, each once, leaves among them.
    fn _needs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, Node>>> {
        let mut nodes: Vec<Bound<'py, Node>> = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        self.each_part(py, &mut |node| {
            if seen.insert(node.as_ptr() as usize) {
                nodes.push(node.clone());
            }
        });
        Ok(nodes)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(annotations) = &self.annotations {
            visit.call(annotations)?;
        }
        match &self.kind {
            Kind::Call { func, args, kwargs } => {
                visit.call(func)?;
                visit.call(args)?;
                kwargs.as_ref().map_or(Ok(()), |kwargs| visit.call(kwargs))
            }
            Kind::Method { args, kwargs, .. } => {
                visit.call(args)?;
                kwargs.as_ref().map_or(Ok(()), |kwargs| visit.call(kwargs))
            }
            Kind::Attribute { args, .. } | Kind::Literal { args, .. } => visit.call(args),
            Kind::Leaf { value, .. } => visit.call(value),
            Kind::Graph { graph, layer } => {
                visit.call(graph)?;
                visit.call(layer)
            }
            Kind::Collection { collection } => visit.call(collection),
        }
    }
}

impl Node {
    /// Visits every node among the parts, leaves too.
    fn each_part<'py>(&self, py: Python<'py>, visit: &mut dyn FnMut(&Bound<'py, Node>)) {
        let mut seen = |item: &Bound<'py, PyAny>| {
            if let Ok(node) = item.cast::<Node>() {
                visit(node);
            } else if let Ok(object) = item.cast_exact::<TemplateObject>() {
                object.get().template.each_node(py, visit);
            }
        };
        let (args, kwargs) = match &self.kind {
            Kind::Call { func, args, kwargs } => {
                seen(func.bind(py));
                (args, kwargs.as_ref())
            }
            Kind::Method { args, kwargs, .. } => (args, kwargs.as_ref()),
            Kind::Attribute { args, .. } | Kind::Literal { args, .. } => (args, None),
            Kind::Leaf { .. } | Kind::Graph { .. } | Kind::Collection { .. } => return,
        };
        args.bind(py).iter_borrowed().for_each(|item| seen(&item));
        if let Some(kwargs) = kwargs {
            kwargs.bind(py).iter().for_each(|(_, item)| seen(&item));
        }
    }
}

/// A leaf: a value at hand. `key` may be `None`.
#[pyfunction]
#[pyo3(signature = (cls, value, key=None, pure=None, nout=None))]
pub fn make_leaf<'py>(
    cls: &Bound<'py, PyType>,
    value: Py<PyAny>,
    key: Option<Py<PyAny>>,
    pure: Option<bool>,
    nout: Option<usize>,
) -> PyResult<Bound<'py, Node>> {
    let py = cls.py();
    let effective = match pure {
        Some(pure) => pure,
        None => helpers::config_pure(py)?,
    };
    let mut node = Node::from_parts(Kind::Leaf { value, pure, nout }, key, effective, nout);
    node.annotations = helpers::annotations(py)?;
    if effective && node.key.get().is_none() {
        node.key(py)?;
    }
    node.instantiate(cls)
}

/// `getattr(target, name)`, always pure.
#[pyfunction]
pub fn make_attribute<'py>(
    cls: &Bound<'py, PyType>,
    target: &Bound<'py, Node>,
    name: Py<PyString>,
) -> PyResult<Bound<'py, Node>> {
    let args = PyTuple::new(cls.py(), [target])?.unbind();
    let mut node = Node::from_parts(Kind::Attribute { name, args }, None, true, None);
    node.annotations = helpers::annotations(cls.py())?;
    node.instantiate(cls)
}

/// A container with lazy calls inside; `None` where there are none.
#[pyfunction]
#[pyo3(signature = (cls, value, key=None, pure=None, nout=None))]
pub fn make_literal<'py>(
    cls: &Bound<'py, PyType>,
    value: &Bound<'py, PyAny>,
    key: Option<Py<PyAny>>,
    pure: Option<bool>,
    nout: Option<usize>,
) -> PyResult<Option<Bound<'py, Node>>> {
    let py = cls.py();
    let Some(wrapped) = unpack::wrap(value)? else { return Ok(None) };
    if key.is_none()
        && nout.is_none()
        && let Ok(node) = wrapped.cast::<Node>()
    {
        return Ok(Some(node.clone()));
    }
    let pure = match pure {
        Some(pure) => pure,
        None => helpers::config_pure(py)?,
    };
    let args = PyTuple::new(py, [wrapped])?.unbind();
    let mut node = Node::from_parts(Kind::Literal { args, nout }, key, pure, nout);
    node.annotations = helpers::annotations(py)?;
    if pure && node.key.get().is_none() {
        node.key(py)?;
    }
    Ok(Some(node.instantiate(cls)?))
}

/// A call; what `delayed(func)(*args, **kwargs)` makes, with every choice explicit.
#[pyfunction]
#[pyo3(signature = (func, args, pure, length=None))]
pub fn make_function_call<'py>(
    func: Py<PyAny>,
    args: &Bound<'py, PyTuple>,
    pure: bool,
    length: Option<usize>,
) -> PyResult<Bound<'py, Node>> {
    let py = args.py();
    let args = wrap_args(args)?.unbind();
    let options = CallOptions { key: None, pure: Some(pure), kwargs: None };
    make_call(py, |kwargs| Kind::Call { func, args, kwargs }, options, None, length)
}

/// The node of a foreign collection's computed value.
pub fn make_collection<'py>(collection: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Node>> {
    let py = collection.py();
    let kind = Kind::Collection { collection: collection.clone().unbind() };
    Node::from_parts(kind, None, true, None).instantiate(helpers::delayed_class(py)?)
}
