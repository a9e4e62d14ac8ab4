//! From lazy calls and dict graphs to a plan and its table of operations.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustc_hash::{FxHashMap, FxHashSet};
use samite::cluster::Key;
use samite::graph::{AnnotationId, GraphError, OperationId, Plan, PlanBuilder, TaskId};
use samite::runtime::TaskOptions;

use crate::arrays::task::ArrayTask;
use crate::helpers;
use crate::node::{Kind, Node};
use crate::program::Op;
use crate::read_graph::{Entry, GraphReader, fill_holes};
use crate::template::{Call, Template};

/// What a local scheduler heeds of a task's annotations. Values that are functions of the key, and
/// those that say on which machine a task runs, are for clusters.
fn task_options(annotations: &Bound<'_, PyDict>) -> PyResult<TaskOptions> {
    let mut options = TaskOptions::default();
    if let Some(priority) = annotations.get_item("priority")?
        && let Ok(priority) = priority.extract::<f64>()
    {
        // Saturates, which keeps the order of all but absurd priorities.
        options.priority = priority as i32;
    }
    if let Some(retries) = annotations.get_item("retries")?
        && let Ok(retries) = retries.extract::<u32>()
    {
        options.retries = retries;
    }
    Ok(options)
}

/// Ctrl-C is looked for after so many tasks of a long compilation.
pub const SIGNALS_EVERY: usize = 1 << 14;

/// Where a wanted value is.
pub enum Output {
    /// It was at hand: no task makes it.
    Value(Py<PyAny>),
    /// The value of the plan's output at this position.
    Task(usize),
}

/// A plan with what it runs.
pub struct Compiled {
    pub plan: Arc<Plan>,
    pub operations: Vec<Op>,
    pub outputs: Vec<Output>,
    /// The rows that the plan's annotations point at.
    pub annotations: Vec<TaskOptions>,
    /// Tasks that stand for the values of futures, and the futures' keys.
    pub imports: Vec<(TaskId, Key)>,
}

/// What became of the entries of a graph that was read.
struct GraphTasks {
    /// The task that makes an entry's value; `None` where it is data.
    task_of: Vec<Option<TaskId>>,
    /// The entry that an entry's value is from: itself, or the end of a way of aliases.
    source: Vec<usize>,
}

impl GraphTasks {
    /// The task of an entry, or its value.
    fn output(
        &self,
        py: Python<'_>,
        reader: &GraphReader<'_>,
        entry: usize,
    ) -> PyResult<Result<TaskId, Py<PyAny>>> {
        if let Some(task) = self.task_of[entry] {
            return Ok(Ok(task));
        }
        match &reader.entries[self.source[entry]] {
            Entry::Data(value) => Ok(Err(value.clone_ref(py))),
            _ => Err(PyRuntimeError::new_err("a key of the graph has neither a task nor a value")),
        }
    }
}

/// The native task that a template calls with nothing but the values of other tasks.
pub fn native_task(py: Python<'_>, template: &Template) -> Option<Py<ArrayTask>> {
    let Template::Call(call) = template else { return None };
    let Template::Value(func) = &call.func else { return None };
    let plain = call.kwargs.is_empty()
        && call.args.iter().all(|argument| matches!(argument, Template::Input));
    let task = func.bind(py).cast_exact::<ArrayTask>().ok().filter(|_| plain)?;
    Some(task.clone().unbind())
}

#[derive(Default)]
struct Compiler {
    builder: PlanBuilder,
    operations: Vec<Op>,
    annotations: Vec<TaskOptions>,
    imports: Vec<(TaskId, Key)>,
    /// The annotations of the task that was pushed last, by address.
    annotated: Option<usize>,
    /// For a cluster, which annotations tasks have.
    rows: Option<ClusterRows>,
}

/// The rows of annotations of tasks for a cluster.
struct ClusterRows {
    /// Which row each key of the graph has; keys that are not there have the first one.
    by_key: Option<Py<PyDict>>,
    /// How many rows keys can have.
    count: usize,
    /// The rows of tasks that read one part of their inputs, by the row of their key.
    by_part: FxHashMap<(AnnotationId, u32), AnnotationId>,
    /// That of the task that was pushed last.
    last: AnnotationId,
}

impl ClusterRows {
    fn of_key(&self, key: &Bound<'_, PyAny>) -> PyResult<AnnotationId> {
        let Some(by_key) = &self.by_key else { return Ok(AnnotationId(0)) };
        let Some(row) = by_key.bind(key.py()).get_item(key)? else { return Ok(AnnotationId(0)) };
        let row: usize = row.extract()?;
        if row >= self.count {
            return Err(PyValueError::new_err(format!(
                "submit_graph: the key {} has the options of number {row}, and there are {}",
                key.repr()?,
                self.count
            )));
        }
        Ok(AnnotationId::from_index(row))
    }
}

impl Compiler {
    fn push(&mut self, operation: Op, needs: impl IntoIterator<Item = TaskId>) -> TaskId {
        let id = OperationId::from_index(self.operations.len());
        self.operations.push(operation);
        self.builder.push(id, 0, needs)
    }

    /// Says what annotations the tasks that come next have.
    fn annotate(&mut self, py: Python<'_>, annotations: Option<&Py<PyDict>>) -> PyResult<()> {
        let address = annotations.map(|dict| dict.as_ptr() as usize);
        if address == self.annotated {
            return Ok(());
        }
        self.annotated = address;
        let row = match annotations {
            None => None,
            Some(annotations) => {
                self.annotations.push(task_options(annotations.bind(py))?);
                Some(AnnotationId::from_index(self.annotations.len() - 1))
            }
        };
        self.builder.begin_layer("", row);
        Ok(())
    }

    /// Says that the task of a key comes next, which may have annotations of its own and read one
    /// part of its inputs.
    fn begin_task(&mut self, key: &Bound<'_, PyAny>, template: &Template) -> PyResult<()> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let mut row = rows.of_key(key)?;
        if let Some(part) = crate::cluster::parts::part_of(key.py(), template)? {
            let annotations = &mut self.annotations;
            let base = row;
            row = *rows.by_part.entry((base, part)).or_insert_with(|| {
                let base = annotations.get(base.index()).cloned().unwrap_or_default();
                annotations.push(TaskOptions { part: Some(part), ..base });
                AnnotationId::from_index(annotations.len() - 1)
            });
        }
        if row != rows.last {
            rows.last = row;
            self.builder.begin_layer("", Some(row));
        }
        Ok(())
    }

    /// Adds the tasks of a graph that was read; the task of each entry, `None` where it is data.
    fn push_graph<'py>(
        &mut self,
        py: Python<'py>,
        reader: &mut GraphReader<'py>,
    ) -> PyResult<GraphTasks> {
        let first = self.builder.len();
        let mut task_of: Vec<Option<TaskId>> = Vec::with_capacity(reader.entries.len());
        let mut tasks = 0;
        for entry in &reader.entries {
            task_of.push(matches!(entry, Entry::Task { .. } | Entry::Import(_)).then(|| {
                tasks += 1;
                TaskId::from_index(first + tasks - 1)
            }));
        }
        let source = reader.resolved()?;
        for position in 0..reader.entries.len() {
            task_of[position] = task_of[source[position]];
        }
        for position in 0..reader.entries.len() {
            let taken = std::mem::replace(&mut reader.entries[position], Entry::New);
            let (mut template, needs, key) = match taken {
                Entry::Task { template, needs, key } => (template, needs, key),
                Entry::Import(key) => {
                    let task = self.push(Op::Import(key.clone()), []);
                    self.imports.push((task, key));
                    continue;
                }
                other => {
                    reader.entries[position] = other;
                    continue;
                }
            };
            if needs.iter().any(|need| task_of[*need].is_none()) {
                let mut holes = needs.iter();
                fill_holes(&mut template, &mut || match reader
                    .entries
                    .get(source[*holes.next()?])?
                {
                    Entry::Data(value) => Some(value.clone_ref(py)),
                    _ => None,
                });
            }
            self.begin_task(&key, &template)?;
            let operation = match native_task(py, &template) {
                Some(task) => Op::ArrayTask { task, key: key.unbind() },
                None => Op::Template { template, key: key.unbind() },
            };
            self.push(operation, needs.iter().filter_map(|need| task_of[*need]));
        }
        Ok(GraphTasks { task_of, source })
    }

    fn finish(self, py: Python<'_>, wanted: Vec<Result<TaskId, Py<PyAny>>>) -> PyResult<Compiled> {
        let mut tasks = Vec::new();
        let outputs = wanted
            .into_iter()
            .map(|wanted| match wanted {
                Ok(task) => {
                    tasks.push(task);
                    Output::Task(tasks.len() - 1)
                }
                Err(value) => Output::Value(value),
            })
            .collect();
        let Self { builder, operations, annotations, imports, .. } = self;
        let plan = builder.finish(tasks).map_err(|error| match error {
            GraphError::Cycle { tasks } => {
                let names: Vec<String> = tasks
                    .iter()
                    .chain(tasks.first())
                    .filter_map(|task| operations.get(task.index()))
                    .map(|operation| operation.name(py))
                    .collect();
                PyRuntimeError::new_err(format!(
                    "Cycle detected in the graph: {}",
                    names.join("->")
                ))
            }
            other => PyValueError::new_err(other.to_string()),
        })?;
        Ok(Compiled { plan: Arc::new(plan), operations, outputs, annotations, imports })
    }
}

/// Compiles a dict graph for the wanted keys.
///
/// # Errors
/// `KeyError` for a wanted key that is not there, `ValueError` for a missing dependency,
/// `RuntimeError` for a cycle.
pub fn compile_graph<'py>(
    graph: Bound<'py, PyDict>,
    keys: &[Bound<'py, PyAny>],
    cache: Option<Bound<'py, PyAny>>,
) -> PyResult<Compiled> {
    let py = graph.py();
    let mut reader = GraphReader::new(graph, cache);
    let wanted = keys.iter().map(|key| reader.want(key)).collect::<PyResult<Vec<_>>>()?;
    let mut compiler = Compiler::default();
    let tasks = compiler.push_graph(py, &mut reader)?;
    let outputs = wanted
        .into_iter()
        .map(|entry| tasks.output(py, &reader, entry))
        .collect::<PyResult<_>>()?;
    compiler.finish(py, outputs)
}

/// Compiles a dict graph for the workers of a cluster: each wanted key has a task of its own, also
/// where it is data, a future, or another name of a task. `options` are the rows of annotations, and
/// `rows` says which keys have another one than the first.
///
/// # Errors
/// As [`compile_graph`]; `ValueError` for a row that there is not.
pub fn compile_for_cluster<'py>(
    graph: Bound<'py, PyDict>,
    keys: &[Bound<'py, PyAny>],
    options: Vec<TaskOptions>,
    rows: Option<Py<PyDict>>,
) -> PyResult<Compiled> {
    let py = graph.py();
    let mut reader = GraphReader::new(graph, None);
    let wanted = keys.iter().map(|key| reader.want(key)).collect::<PyResult<Vec<_>>>()?;
    let rows = ClusterRows {
        by_key: rows,
        count: options.len(),
        by_part: FxHashMap::default(),
        last: AnnotationId(0),
    };
    let mut compiler = Compiler { rows: Some(rows), annotations: options, ..Compiler::default() };
    compiler.builder.begin_layer("", Some(AnnotationId(0)));
    let tasks = compiler.push_graph(py, &mut reader)?;
    let mut taken: FxHashSet<TaskId> = compiler.imports.iter().map(|(task, _)| *task).collect();
    let mut outputs = Vec::with_capacity(keys.len());
    for (entry, key) in wanted.into_iter().zip(keys) {
        let (template, needs) = match tasks.output(py, &reader, entry)? {
            Err(value) => (Template::Value(value), None),
            Ok(task) if taken.insert(task) => {
                outputs.push(Ok(task));
                continue;
            }
            Ok(task) => (Template::Input, Some(task)),
        };
        compiler.begin_task(key, &template)?;
        let key = key.clone().unbind();
        outputs.push(Ok(compiler.push(Op::Template { template, key }, needs)));
    }
    compiler.finish(py, outputs)
}

/// Lazy calls in an order in which each comes after those it needs.
struct Sorted<'py> {
    nodes: Vec<Bound<'py, Node>>,
    /// Position in `nodes` by address; equal calls share one.
    position: FxHashMap<usize, usize>,
    foreign: Vec<usize>,
}

fn sort<'py>(py: Python<'py>, wanted: &[Bound<'py, Node>]) -> PyResult<Sorted<'py>> {
    let mut sorted =
        Sorted { nodes: Vec::new(), position: FxHashMap::default(), foreign: Vec::new() };
    let by_key = PyDict::new(py);
    let mut stack: Vec<(Bound<'py, Node>, bool)> = Vec::new();
    for root in wanted.iter().rev() {
        stack.push((root.clone(), false));
    }
    while let Some((node, ready)) = stack.pop() {
        let address = node.as_ptr() as usize;
        if sorted.position.contains_key(&address) {
            continue;
        }
        if !ready {
            stack.push((node.clone(), true));
            node.get().each_dependency(py, &mut |needed| {
                if !sorted.position.contains_key(&(needed.as_ptr() as usize)) {
                    stack.push((needed.clone(), false));
                }
            });
            continue;
        }
        let inner = node.get();
        // An impure call without a name of its own is equal to nothing else.
        let key = if inner.pure { Some(inner.key(py)?) } else { inner.known_key(py) };
        if let Some(key) = key {
            if let Some(position) = by_key.get_item(&key)? {
                let position: usize = position.extract()?;
                same_task(&sorted.nodes[position], &node, &key)?;
                sorted.position.insert(address, position);
                continue;
            }
            by_key.set_item(&key, sorted.nodes.len())?;
        }
        if sorted.nodes.len().is_multiple_of(SIGNALS_EVERY) {
            py.check_signals()?;
        }
        if matches!(inner.kind, Kind::Graph { .. } | Kind::Collection { .. }) {
            sorted.foreign.push(sorted.nodes.len());
        }
        sorted.position.insert(address, sorted.nodes.len());
        sorted.nodes.push(node);
    }
    Ok(sorted)
}

/// Two calls of one key must be one task; a name that the user gave twice would lose one.
fn same_task(
    first: &Bound<'_, Node>,
    second: &Bound<'_, Node>,
    key: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if first.get().pure && second.get().pure {
        return Ok(());
    }
    let py = first.py();
    let (ours, theirs) = (first.get()._parts(py)?, second.get()._parts(py)?);
    if ours.len() == theirs.len() {
        let mut same = true;
        for (one, other) in ours.iter().zip(theirs.iter()) {
            same = same && (one.is(&other) || parts_equal(&one, &other)?);
        }
        if same {
            return Ok(());
        }
    }
    Err(PyValueError::new_err(format!(
        "two different tasks have the key {}; give each its own dask_key_name",
        key.repr()?
    )))
}

fn parts_equal(one: &Bound<'_, PyAny>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
    let tokenize = helpers::tokenize(one.py())?;
    tokenize.call1((one,))?.eq(tokenize.call1((other,))?)
}

/// Compiles lazy calls.
///
/// # Errors
/// `ValueError` where two different calls have one key; whatever making the graphs of foreign
/// collections raises.
pub fn compile_nodes<'py>(py: Python<'py>, wanted: &[Bound<'py, Node>]) -> PyResult<Compiled> {
    let sorted = sort(py, wanted)?;
    let mut compiler = Compiler {
        builder: PlanBuilder::with_capacity(sorted.nodes.len(), sorted.nodes.len() * 2),
        operations: Vec::with_capacity(sorted.nodes.len()),
        ..Compiler::default()
    };
    let mut task_of: Vec<Option<TaskId>> = vec![None; sorted.nodes.len()];
    if !sorted.foreign.is_empty() {
        push_foreign(py, &mut compiler, &sorted, &mut task_of)?;
    }
    for (position, node) in sorted.nodes.iter().enumerate() {
        if task_of[position].is_some() {
            continue;
        }
        let mut needs: Vec<TaskId> = Vec::new();
        node.get().each_dependency(py, &mut |needed| {
            let task = sorted.position.get(&(needed.as_ptr() as usize));
            needs.extend(task.and_then(|position| task_of[*position]));
        });
        compiler.annotate(py, node.get().annotations.as_ref())?;
        task_of[position] = Some(compiler.push(Op::Node(node.clone().unbind()), needs));
    }
    let outputs = wanted
        .iter()
        .map(|node| {
            if let Some(value) = node.get().leaf_value(py) {
                return Ok(Err(value.unbind()));
            }
            sorted
                .position
                .get(&(node.as_ptr() as usize))
                .and_then(|position| task_of[*position])
                .map(Ok)
                .ok_or_else(|| PyRuntimeError::new_err("a lazy call was not compiled"))
        })
        .collect::<PyResult<_>>()?;
    compiler.finish(py, outputs)
}

/// Adds the tasks of graphs and collections that were made elsewhere. Python code optimizes them
/// together and answers one dict graph and, for each node, `(key,)`, or `(function, nested keys,
/// extra arguments)` where the computed parts have to be put together.
fn push_foreign<'py>(
    py: Python<'py>,
    compiler: &mut Compiler,
    sorted: &Sorted<'py>,
    task_of: &mut [Option<TaskId>],
) -> PyResult<()> {
    let nodes: Vec<_> = sorted.foreign.iter().map(|position| &sorted.nodes[*position]).collect();
    let answer = helpers::materialize(py)?.call1((nodes,))?;
    let (graph, recipes): (Bound<'py, PyDict>, Vec<Bound<'py, PyTuple>>) = answer.extract()?;
    let mut reader = GraphReader::new(graph, None);
    let mut wanted: Vec<(Template, Vec<usize>)> = Vec::with_capacity(recipes.len());
    for recipe in &recipes {
        let mut needs = Vec::new();
        let template = if recipe.len() == 1 {
            needs.push(reader.want(&recipe.get_item(0)?)?);
            Template::Input
        } else {
            let func = Template::Value(recipe.get_item(0)?.unbind());
            let mut args = vec![nested_keys(&recipe.get_item(1)?, &mut reader, &mut needs, 0)?];
            for extra in recipe.get_item(2)?.try_iter()? {
                args.push(Template::Value(extra?.unbind()));
            }
            Template::Call(Box::new(Call { func, args, kwargs: Vec::new() }))
        };
        wanted.push((template, needs));
    }
    let graph_tasks = compiler.push_graph(py, &mut reader)?;
    for (position, (mut template, needs)) in sorted.foreign.iter().zip(wanted) {
        if let (Template::Input, [need]) = (&template, needs.as_slice())
            && let Some(task) = graph_tasks.task_of[*need]
        {
            task_of[*position] = Some(task);
            continue;
        }
        let mut holes = needs.iter();
        let mut failed = None;
        fill_holes(&mut template, &mut || {
            let need = *holes.next()?;
            match graph_tasks.output(py, &reader, need) {
                Ok(Ok(_task)) => None,
                Ok(Err(value)) => Some(value),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let key = sorted.nodes[*position].get().key(py)?.unbind();
        let tasks: Vec<TaskId> =
            needs.iter().filter_map(|need| graph_tasks.task_of[*need]).collect();
        task_of[*position] = Some(compiler.push(Op::Template { template, key }, tasks));
    }
    Ok(())
}

fn nested_keys<'py>(
    keys: &Bound<'py, PyAny>,
    reader: &mut GraphReader<'py>,
    needs: &mut Vec<usize>,
    depth: usize,
) -> PyResult<Template> {
    if depth < 100
        && let Ok(list) = keys.cast::<pyo3::types::PyList>()
    {
        let items = list
            .iter()
            .map(|item| nested_keys(&item, reader, needs, depth + 1))
            .collect::<PyResult<_>>()?;
        return Ok(Template::List(items));
    }
    needs.push(reader.want(keys)?);
    Ok(Template::Input)
}
