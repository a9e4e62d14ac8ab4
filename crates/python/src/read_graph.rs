//! Reads dict graphs: task objects, legacy tuples, aliases and data become templates.
//!
//! Data and aliases are no tasks: they are resolved while the graph is read, and a task that
//! needs them finds the value in its template.

use std::sync::Arc;

use pyo3::exceptions::{PyKeyError, PyRecursionError, PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};
use rustc_hash::FxHashMap;
use samite::cluster::Key;

use crate::cluster::future::{self, FutureBase};
use crate::compile::SIGNALS_EVERY;
use crate::task_spec::{SpecClass, classify};
use crate::template::{Call, Opaque, Subgraph, SubgraphCall, SubgraphStep, Template};
use crate::unpack::is_plain;

/// Containers nested deeper than this in one task are refused before the stack is at risk.
const DEPTH_LIMIT: usize = 500;

/// What a key of the graph is.
pub enum Entry<'py> {
    /// Seen as a dependency, not read yet.
    New,
    /// A value that is at hand.
    Data(Py<PyAny>),
    /// Another key's value.
    Alias(usize),
    /// The value of a future: a task of an earlier graph on a cluster.
    Import(Key),
    /// A task, and the entries that fill the holes of its template.
    Task { template: Template, needs: Vec<usize>, key: Bound<'py, PyAny> },
}

/// A dict graph, read from the wanted keys down.
pub struct GraphReader<'py> {
    graph: Bound<'py, PyDict>,
    /// Values known beforehand.
    cache: Option<Bound<'py, PyAny>>,
    /// Position in `entries` by key.
    index: Bound<'py, PyDict>,
    pub entries: Vec<Entry<'py>>,
    pub keys: Vec<Bound<'py, PyAny>>,
    unread: Vec<usize>,
    /// Position in `entries` by the key of a future.
    imports: FxHashMap<Key, usize>,
    subgraphs: FxHashMap<usize, Arc<Subgraph>>,
}

/// Where the references found in a value go.
struct Found<'found, 'py> {
    needs: Vec<usize>,
    reader: &'found mut GraphReader<'py>,
    depth: usize,
}

impl<'py> GraphReader<'py> {
    pub fn new(graph: Bound<'py, PyDict>, cache: Option<Bound<'py, PyAny>>) -> Self {
        let index = PyDict::new(graph.py());
        Self {
            graph,
            cache,
            index,
            entries: Vec::new(),
            keys: Vec::new(),
            unread: Vec::new(),
            imports: FxHashMap::default(),
            subgraphs: FxHashMap::default(),
        }
    }

    /// The entry of a wanted key, with all that it needs read.
    pub fn want(&mut self, key: &Bound<'py, PyAny>) -> PyResult<usize> {
        if !self.holds(key)? {
            return Err(PyKeyError::new_err(key.clone().unbind()));
        }
        let wanted = self.entry(key)?;
        while let Some(entry) = self.unread.pop() {
            if entry.is_multiple_of(SIGNALS_EVERY) {
                self.graph.py().check_signals()?;
            }
            self.read(entry)?;
        }
        Ok(wanted)
    }

    /// For each entry the one that has its value: aliases are followed, however long the way.
    ///
    /// # Errors
    /// `RuntimeError` for aliases that lead in a circle.
    pub fn resolved(&self) -> PyResult<Vec<usize>> {
        const UNKNOWN: usize = usize::MAX;
        const ON_THE_WAY: usize = usize::MAX - 1;
        let mut source = vec![UNKNOWN; self.entries.len()];
        let mut way = Vec::new();
        for start in 0..self.entries.len() {
            let mut here = start;
            while source[here] == UNKNOWN {
                match self.entries[here] {
                    Entry::Alias(target) => {
                        source[here] = ON_THE_WAY;
                        way.push(here);
                        here = target;
                    }
                    _ => source[here] = here,
                }
            }
            if source[here] == ON_THE_WAY {
                let key = self.keys[here].repr()?;
                return Err(PyRuntimeError::new_err(format!(
                    "Cycle detected in the graph: the aliases lead from {key} to itself"
                )));
            }
            for passed in way.drain(..) {
                source[passed] = source[here];
            }
        }
        Ok(source)
    }

    fn holds(&self, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        Ok(self.graph.contains(key)?
            || match &self.cache {
                Some(cache) => cache.contains(key)?,
                None => false,
            })
    }

    fn entry(&mut self, key: &Bound<'py, PyAny>) -> PyResult<usize> {
        if let Some(position) = self.index.get_item(key)? {
            return position.extract();
        }
        let position = self.entries.len();
        self.index.set_item(key, position)?;
        self.entries.push(Entry::New);
        self.keys.push(key.clone());
        self.unread.push(position);
        Ok(position)
    }

    /// The template of a call whose arguments may hold futures, and the entries of those.
    pub fn call(
        &mut self,
        func: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<(Template, Vec<usize>)> {
        let mut found = Found { needs: Vec::new(), reader: self, depth: 0 };
        let template = found.call_of(func, args, kwargs)?;
        Ok((template, found.needs))
    }

    /// The keys of the futures found so far, in the order of their entries, where no graph was
    /// read: then there are no other entries.
    pub fn imported(&self) -> Vec<Key> {
        let key = |entry: &Entry<'_>| match entry {
            Entry::Import(key) => Some(key.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(key).collect()
    }

    /// The entry of a future's value.
    fn import(&mut self, future: &Bound<'py, FutureBase>) -> usize {
        let key = future.get().key();
        if let Some(position) = self.imports.get(&key) {
            return *position;
        }
        let position = self.entries.len();
        self.entries.push(Entry::Import(key.clone()));
        self.keys.push(PyString::new(future.py(), &key.to_string()).into_any());
        self.imports.insert(key.clone(), position);
        position
    }

    fn read(&mut self, position: usize) -> PyResult<()> {
        let key = self.keys[position].clone();
        if let Some(cache) = &self.cache
            && cache.contains(&key)?
        {
            self.entries[position] = Entry::Data(cache.get_item(&key)?.unbind());
            return Ok(());
        }
        let Some(value) = self.graph.get_item(&key)? else {
            return Err(PyValueError::new_err(format!(
                "Missing dependency {} for dependents {}",
                key.repr()?,
                self.dependents_of(position)?
            )));
        };
        let class = classify(&value)?;
        let mut found = Found { needs: Vec::new(), reader: self, depth: 0 };
        let template = if class == SpecClass::Plain {
            found.legacy(&value, Some(&key))?
        } else {
            Some(found.spec(&value, class)?)
        };
        let needs = found.needs;
        self.entries[position] = match template {
            None => Entry::Data(value.unbind()),
            Some(Template::Input) => Entry::Alias(needs[0]),
            Some(Template::Value(value)) => Entry::Data(value),
            Some(template) => {
                let template = self.checked(template, &value, class, &needs)?;
                match template {
                    Some(template) => Entry::Task { template, needs, key },
                    None => {
                        let (template, needs) = self.opaque(&value)?;
                        Entry::Task { template, needs, key }
                    }
                }
            }
        };
        Ok(())
    }

    /// Which keys need an entry, for a message.
    fn dependents_of(&self, wanted: usize) -> PyResult<String> {
        let mut names = Vec::new();
        for (entry, key) in self.entries.iter().zip(&self.keys) {
            let needs_it = match entry {
                Entry::Task { needs, .. } => needs.contains(&wanted),
                Entry::Alias(target) => *target == wanted,
                Entry::New | Entry::Data(_) | Entry::Import(_) => false,
            };
            if needs_it {
                names.push(key.repr()?.to_string());
            }
        }
        Ok(format!("{{{}}}", names.join(", ")))
    }

    /// A task object says itself what it needs. Where the parts that were read do not account
    /// for all of it, the object keeps references in a place of its own.
    fn checked(
        &self,
        template: Template,
        value: &Bound<'py, PyAny>,
        class: SpecClass,
        needs: &[usize],
    ) -> PyResult<Option<Template>> {
        if class != SpecClass::Task {
            return Ok(Some(template));
        }
        let declared = value.getattr(intern!(value.py(), "dependencies"))?.len()?;
        let mut distinct: Vec<usize> = needs.to_vec();
        distinct.retain(|need| !matches!(self.entries[*need], Entry::Import(_)));
        distinct.sort_unstable();
        distinct.dedup();
        Ok((distinct.len() == declared).then_some(template))
    }

    fn opaque(&mut self, task: &Bound<'py, PyAny>) -> PyResult<(Template, Vec<usize>)> {
        let mut needs = Vec::new();
        let mut keys = Vec::new();
        for key in task.getattr(intern!(task.py(), "dependencies"))?.try_iter()? {
            let key = key?;
            needs.push(self.entry(&key)?);
            keys.push((key.unbind(), Template::Input));
        }
        let opaque = Opaque { task: task.clone().unbind(), keys };
        Ok((Template::Opaque(Box::new(opaque)), needs))
    }
}

impl<'py> Found<'_, 'py> {
    fn reference(&mut self, key: &Bound<'py, PyAny>) -> PyResult<Template> {
        let entry = self.reader.entry(key)?;
        self.needs.push(entry);
        Ok(Template::Input)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> PyResult<T>) -> PyResult<T> {
        if self.depth >= DEPTH_LIMIT {
            return Err(PyRecursionError::new_err(format!(
                "a task nests containers or calls more than {DEPTH_LIMIT} deep; give the inner \
                 ones keys of their own"
            )));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// The template of a task object.
    fn spec(&mut self, value: &Bound<'py, PyAny>, class: SpecClass) -> PyResult<Template> {
        let py = value.py();
        Ok(match class {
            SpecClass::Reference => self.reference(&value.getattr(intern!(py, "key"))?)?,
            SpecClass::Alias => self.reference(&value.getattr(intern!(py, "target"))?)?,
            SpecClass::Data => {
                let value = value.getattr(intern!(py, "value"))?;
                match self.with_futures(&value)? {
                    Some(template) => template,
                    None => Template::Value(value.unbind()),
                }
            }
            SpecClass::Task => return self.nested(|this| this.call(value)),
            SpecClass::List => Template::List(self.parts(value)?),
            SpecClass::Tuple => Template::Tuple(self.parts(value)?),
            SpecClass::Set => Template::Set(self.parts(value)?),
            SpecClass::Opaque | SpecClass::Plain => {
                let (template, needs) = self.reader.opaque(value)?;
                self.needs.extend(needs);
                template
            }
        })
    }

    fn parts(&mut self, value: &Bound<'py, PyAny>) -> PyResult<Vec<Template>> {
        self.nested(|this| {
            let args = value.getattr(intern!(value.py(), "args"))?;
            args.try_iter()?.map(|item| this.part(&item?)).collect()
        })
    }

    /// An argument of a task object: another task object, or a plain value.
    fn part(&mut self, item: &Bound<'py, PyAny>) -> PyResult<Template> {
        match classify(item)? {
            SpecClass::Plain => Ok(match self.with_futures(item)? {
                Some(template) => template,
                None => Template::Value(item.clone().unbind()),
            }),
            class => self.spec(item, class),
        }
    }

    /// The template of a plain value that is a future, or a container of some; else `None`.
    fn with_futures(&mut self, item: &Bound<'py, PyAny>) -> PyResult<Option<Template>> {
        if !future::exist() || is_plain(item) {
            return Ok(None);
        }
        if let Ok(future) = item.cast::<FutureBase>() {
            let entry = self.reader.import(future);
            self.needs.push(entry);
            return Ok(Some(Template::Input));
        }
        if let Ok(list) = item.cast_exact::<PyList>() {
            return Ok(self.all_with_futures(list.iter())?.map(Template::List));
        }
        if let Ok(tuple) = item.cast_exact::<PyTuple>() {
            return Ok(self.all_with_futures(tuple.iter())?.map(Template::Tuple));
        }
        if let Ok(tuple) = item.cast::<PyTuple>()
            && tuple.hasattr(intern!(tuple.py(), "_fields"))?
        {
            let items = self.all_with_futures(tuple.iter())?;
            return items.map(|items| named_tuple(tuple, items)).transpose();
        }
        if let Ok(set) = item.cast_exact::<PySet>() {
            return Ok(self.all_with_futures(set.iter())?.map(Template::Set));
        }
        if let Ok(dict) = item.cast_exact::<PyDict>() {
            let Some(values) = self.all_with_futures(dict.values().iter())? else {
                return Ok(None);
            };
            let keys = dict.keys().iter().map(|key| Template::Value(key.unbind()));
            return Ok(Some(Template::Dict(keys.zip(values).collect())));
        }
        Ok(None)
    }

    fn all_with_futures(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Option<Vec<Template>>> {
        self.nested(|this| {
            let mut lazy = false;
            let templates = items
                .map(|item| {
                    Ok(match this.with_futures(&item)? {
                        Some(template) => {
                            lazy = true;
                            template
                        }
                        None => Template::Value(item.unbind()),
                    })
                })
                .collect::<PyResult<Vec<_>>>()?;
            Ok(lazy.then_some(templates))
        })
    }

    /// The template of a call whose arguments may hold futures.
    fn call_of(
        &mut self,
        func: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Template> {
        let args = args.iter().map(|item| self.part(&item)).collect::<PyResult<_>>()?;
        let kwargs = match kwargs {
            None => Vec::new(),
            Some(kwargs) => kwargs
                .iter()
                .map(|(name, item)| Ok((name.unbind(), self.part(&item)?)))
                .collect::<PyResult<_>>()?,
        };
        let func = Template::Value(func.clone().unbind());
        Ok(Template::Call(Box::new(Call { func, args, kwargs })))
    }

    fn call(&mut self, task: &Bound<'py, PyAny>) -> PyResult<Template> {
        let py = task.py();
        let func = task.getattr(intern!(py, "func"))?;
        let args = task.getattr(intern!(py, "args"))?;
        let args: Vec<_> = args.try_iter()?.collect::<PyResult<_>>()?;
        if is_subgraph_call(&func)
            && args.len() >= 3
            && let Some(graph) = self.subgraph(&args[0], &args[1], &args[2])?
        {
            let args = args[3..].iter().map(|item| self.part(item)).collect::<PyResult<_>>()?;
            return Ok(Template::Subgraph(Box::new(SubgraphCall { graph, args })));
        }
        let args = args.iter().map(|item| self.part(item)).collect::<PyResult<_>>()?;
        let kwargs = task.getattr(intern!(py, "kwargs"))?;
        let kwargs = match kwargs.cast::<PyDict>() {
            Ok(kwargs) => kwargs
                .iter()
                .map(|(name, item)| Ok((name.unbind(), self.part(&item)?)))
                .collect::<PyResult<_>>()?,
            Err(_) => Vec::new(),
        };
        let func = Template::Value(func.unbind());
        Ok(Template::Call(Box::new(Call { func, args, kwargs })))
    }

    /// The compiled form of the graph inside a fused task, shared by all tasks that hold it.
    fn subgraph(
        &mut self,
        graph: &Bound<'py, PyAny>,
        output: &Bound<'py, PyAny>,
        inputs: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Arc<Subgraph>>> {
        let address = graph.as_ptr() as usize;
        if let Some(known) = self.reader.subgraphs.get(&address) {
            return Ok(Some(known.clone()));
        }
        let Ok(graph) = graph.cast::<PyDict>() else { return Ok(None) };
        let compiled = self.nested(|_| compile_subgraph(graph, output, inputs))?;
        // The graph object lives as long as the dict graph that is being read, so its address
        // names it for as long as this reader is there.
        Ok(compiled.map(|compiled| {
            let compiled = Arc::new(compiled);
            self.reader.subgraphs.insert(address, compiled.clone());
            compiled
        }))
    }

    /// The template of a value in the old form of graphs; `None` where it is data.
    fn legacy(
        &mut self,
        value: &Bound<'py, PyAny>,
        own_key: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Template>> {
        if let Ok(tuple) = value.cast_exact::<PyTuple>()
            && let Ok(func) = tuple.get_item(0)
            && func.is_callable()
        {
            return self.nested(|this| this.legacy_call(&func, tuple)).map(Some);
        }
        if let Some(future) = future::of(value) {
            let entry = self.reader.import(future);
            self.needs.push(entry);
            return Ok(Some(Template::Input));
        }
        if could_be_key(value) && self.reader.holds(value)? {
            let is_itself = match own_key {
                Some(key) => key.eq(value)?,
                None => false,
            };
            if !is_itself {
                return self.reference(value).map(Some);
            }
        }
        match classify(value)? {
            SpecClass::Plain => {}
            class => return self.spec(value, class).map(Some),
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            return Ok(self.legacy_items(list.iter())?.map(Template::List));
        }
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            return Ok(self.legacy_items(tuple.iter())?.map(Template::Tuple));
        }
        if let Ok(tuple) = value.cast::<PyTuple>()
            && tuple.hasattr(intern!(tuple.py(), "_fields"))?
        {
            let items = self.legacy_items(tuple.iter())?;
            return items.map(|items| named_tuple(tuple, items)).transpose();
        }
        if let Ok(set) = value.cast_exact::<PySet>() {
            return Ok(self.legacy_items(set.iter())?.map(Template::Set));
        }
        if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
            return Ok(self.legacy_items(set.iter())?.map(Template::FrozenSet));
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            let Some(values) = self.legacy_items(dict.values().iter())? else { return Ok(None) };
            let keys = dict.keys().iter().map(|key| Template::Value(key.unbind()));
            return Ok(Some(Template::Dict(keys.zip(values).collect())));
        }
        Ok(None)
    }

    fn legacy_items(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Option<Vec<Template>>> {
        self.nested(|this| {
            let mut lazy = false;
            let templates = items
                .map(|item| {
                    Ok(match this.legacy(&item, None)? {
                        Some(template) => {
                            lazy = true;
                            template
                        }
                        None => Template::Value(item.unbind()),
                    })
                })
                .collect::<PyResult<Vec<_>>>()?;
            Ok(lazy.then_some(templates))
        })
    }

    fn legacy_call(
        &mut self,
        func: &Bound<'py, PyAny>,
        tuple: &Bound<'py, PyTuple>,
    ) -> PyResult<Template> {
        let args = tuple
            .iter()
            .skip(1)
            .map(|item| {
                Ok(match self.legacy(&item, None)? {
                    Some(template) => template,
                    None => Template::Value(item.unbind()),
                })
            })
            .collect::<PyResult<_>>()?;
        let func = Template::Value(func.clone().unbind());
        Ok(Template::Call(Box::new(Call { func, args, kwargs: Vec::new() })))
    }
}

/// Keys are strings, bytes, numbers, and tuples of them.
fn could_be_key(value: &Bound<'_, PyAny>) -> bool {
    if value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyFloat>()
    {
        return true;
    }
    if value.is_instance_of::<PyInt>() {
        return !value.is_instance_of::<PyBool>();
    }
    match value.cast_exact::<PyTuple>() {
        Ok(tuple) => tuple.iter_borrowed().all(|item| could_be_key(&item)),
        Err(_) => false,
    }
}

fn is_subgraph_call(func: &Bound<'_, PyAny>) -> bool {
    let named = |attribute: &str| {
        func.getattr(attribute).ok().and_then(|name| name.extract::<String>().ok())
    };
    named("__name__").is_some_and(|name| name == "_execute_subgraph")
        && named("__module__").is_some_and(|module| {
            module == "dask._task_spec" || module.starts_with("samite._task_spec")
        })
}

/// Compiles an inner graph; `None` where it refers to something outside of it.
fn compile_subgraph<'py>(
    graph: &Bound<'py, PyDict>,
    output: &Bound<'py, PyAny>,
    inputs: &Bound<'py, PyAny>,
) -> PyResult<Option<Subgraph>> {
    let py = graph.py();
    let slots = PyDict::new(py);
    let mut count = 0usize;
    for key in inputs.try_iter()? {
        slots.set_item(key?, count)?;
        count += 1;
    }
    // The inner graph is read as a graph of its own, whose inputs are known values.
    let mut reader = GraphReader::new(graph.clone(), Some(slots.clone().into_any()));
    let Ok(wanted) = reader.want(output) else { return Ok(None) };
    let mut slot_of: Vec<Option<usize>> = vec![None; reader.entries.len()];
    let mut steps: Vec<SubgraphStep> = Vec::new();
    let mut stack = vec![(wanted, false)];
    while let Some((entry, ready)) = stack.pop() {
        if slot_of[entry].is_some() {
            continue;
        }
        if let Some(slot) = slots.get_item(&reader.keys[entry])? {
            slot_of[entry] = Some(slot.extract()?);
            continue;
        }
        match &mut reader.entries[entry] {
            Entry::New | Entry::Import(_) => return Ok(None),
            Entry::Data(value) => {
                let template = Template::Value(value.clone_ref(py));
                steps.push(SubgraphStep { template, holes: Vec::new() });
                slot_of[entry] = Some(count + steps.len() - 1);
            }
            Entry::Alias(target) => {
                let target = *target;
                match slot_of[target] {
                    Some(slot) => slot_of[entry] = Some(slot),
                    None if ready => return Ok(None),
                    None => stack.extend([(entry, true), (target, false)]),
                }
            }
            Entry::Task { template, needs, .. } => {
                let holes: Option<Vec<usize>> = needs.iter().map(|need| slot_of[*need]).collect();
                match holes {
                    Some(holes) => {
                        let template = std::mem::replace(template, Template::Input);
                        steps.push(SubgraphStep { template, holes });
                        slot_of[entry] = Some(count + steps.len() - 1);
                    }
                    None if ready => return Ok(None),
                    None => {
                        stack.push((entry, true));
                        stack.extend(needs.iter().rev().map(|need| (*need, false)));
                    }
                }
            }
        }
    }
    Ok(slot_of[wanted].map(|output| Subgraph { steps, inputs: count, output }))
}

/// Fills the holes for which `fill` has a value, in the order of evaluation.
pub fn fill_holes(template: &mut Template, fill: &mut dyn FnMut() -> Option<Py<PyAny>>) {
    match template {
        Template::Input => {
            if let Some(value) = fill() {
                *template = Template::Value(value);
            }
        }
        Template::Value(_) | Template::Node(_) => {}
        Template::List(items)
        | Template::Tuple(items)
        | Template::Set(items)
        | Template::FrozenSet(items) => {
            items.iter_mut().for_each(|item| fill_holes(item, fill));
        }
        Template::Dict(items) => items.iter_mut().for_each(|(key, value)| {
            fill_holes(key, fill);
            fill_holes(value, fill);
        }),
        Template::Call(call) => {
            fill_holes(&mut call.func, fill);
            call.args.iter_mut().for_each(|item| fill_holes(item, fill));
            call.kwargs.iter_mut().for_each(|(_, item)| fill_holes(item, fill));
        }
        Template::Subgraph(call) => {
            call.args.iter_mut().for_each(|item| fill_holes(item, fill));
        }
        Template::Opaque(opaque) => {
            opaque.keys.iter_mut().for_each(|(_, item)| fill_holes(item, fill));
        }
    }
}

/// A named tuple of other items, made without its class's constructor, which may take others.
fn named_tuple(tuple: &Bound<'_, PyTuple>, items: Vec<Template>) -> PyResult<Template> {
    let py = tuple.py();
    let func = py.get_type::<PyTuple>().getattr(intern!(py, "__new__"))?;
    let class = Template::Value(tuple.get_type().into_any().unbind());
    let args = vec![class, Template::Tuple(items)];
    Ok(Template::Call(Box::new(Call {
        func: Template::Value(func.unbind()),
        args,
        kwargs: Vec::new(),
    })))
}
