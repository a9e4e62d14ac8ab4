//! The graph behind lazy values, and how it becomes a plan and a program.

use std::any::Any;
use std::panic::Location;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_graph::{AnnotationId, GraphError, OperationId, Plan, PlanBuilder, TaskId};
use samite_runtime::{Context, Data, Lane, OperationError, Program, TaskOptions, Value};

/// What a node runs on the values of its inputs.
pub(super) type Operation = dyn Fn(&[Value]) -> Result<Value, OperationError> + Send + Sync;

/// One lazy value.
pub(super) struct Node {
    pub(super) name: Option<String>,
    kind: &'static str,
    place: &'static Location<'static>,
    inputs: Vec<Arc<Node>>,
    pub(super) run: Arc<Operation>,
    pub(super) options: TaskOptions,
}

impl Node {
    pub(super) fn new(
        kind: &'static str,
        place: &'static Location<'static>,
        inputs: Vec<Arc<Node>>,
        run: impl Fn(&[Value]) -> Result<Value, OperationError> + Send + Sync + 'static,
    ) -> Self {
        let options = TaskOptions::default();
        Self { name: None, kind, place, inputs, run: Arc::new(run), options }
    }

    /// A node that does the same.
    pub(super) fn copied(&self) -> Self {
        Self {
            name: self.name.clone(),
            kind: self.kind,
            place: self.place,
            inputs: self.inputs.clone(),
            run: Arc::clone(&self.run),
            options: self.options.clone(),
        }
    }

    /// The name that the user gave, or where the node was made.
    pub(super) fn name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("{} at {}:{}", self.kind, self.place.file(), self.place.line()),
        }
    }
}

impl Drop for Node {
    /// Drops a chain of nodes one by one: recursion would overflow the stack of a long one.
    fn drop(&mut self) {
        let mut dropped = std::mem::take(&mut self.inputs);
        while let Some(node) = dropped.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                dropped.append(&mut node.inputs);
            }
        }
    }
}

/// A value of a lazy value's type.
struct Held<T>(Arc<T>);

impl<T: Send + Sync + 'static> Data for Held<T> {
    fn nbytes(&self) -> usize {
        size_of::<T>()
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }
}

pub(super) fn hold<T: Send + Sync + 'static>(value: Arc<T>) -> Value {
    Arc::new(Held(value))
}

/// The typed value inside.
pub(super) fn value_of<T: Send + Sync + 'static>(value: &Value) -> Result<Arc<T>, OperationError> {
    let typed = value.as_any().downcast_ref::<Arc<T>>().map(Arc::clone);
    typed.ok_or_else(|| OperationError::new("a lazy value has another type than it says"))
}

/// The nodes of a plan: a task's index is its row here.
struct Nodes(Vec<Arc<Node>>);

impl Program for Nodes {
    fn run(
        &self,
        _: OperationId,
        index: u32,
        _: &Context<'_>,
        inputs: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        (self.0[index as usize].run)(inputs)
    }

    fn lane(&self, _: OperationId) -> Lane {
        Lane::Free
    }

    fn name(&self, _: OperationId, index: u32) -> String {
        self.0[index as usize].name()
    }
}

/// What a run needs.
pub(super) struct Prepared {
    pub(super) plan: Arc<Plan>,
    pub(super) program: Arc<dyn Program>,
    pub(super) annotations: Arc<[TaskOptions]>,
}

/// Numbers the nodes that `outputs` need.
pub(super) fn prepare(outputs: &[Arc<Node>]) -> Result<Prepared, GraphError> {
    let mut known: FxHashMap<*const Node, TaskId> = FxHashMap::default();
    let mut nodes: Vec<Arc<Node>> = Vec::new();
    // Nodes made at one place in the source are one operation: their values are alike in size.
    let mut operations: FxHashMap<*const Location<'_>, OperationId> = FxHashMap::default();
    let mut annotations: Vec<TaskOptions> = Vec::new();
    let mut layer = None;
    let mut builder = PlanBuilder::with_capacity(outputs.len(), outputs.len());
    let mut open: Vec<(&Arc<Node>, usize)> = Vec::new();
    for output in outputs {
        open.push((output, 0));
        while let Some((node, place)) = open.pop() {
            if known.contains_key(&Arc::as_ptr(node)) {
                continue;
            }
            if let Some(input) = node.inputs.get(place) {
                open.push((node, place + 1));
                open.push((input, 0));
                continue;
            }
            let annotated = node.options != TaskOptions::default();
            if annotated || layer == Some(true) || layer.is_none() {
                let annotation = AnnotationId::from_index(annotations.len());
                if annotated {
                    annotations.push(node.options.clone());
                }
                builder.begin_layer("delayed", annotated.then_some(annotation));
                layer = Some(annotated);
            }
            let next = OperationId::from_index(operations.len());
            let operation = *operations.entry(std::ptr::from_ref(node.place)).or_insert(next);
            let inputs = node.inputs.iter().filter_map(|input| known.get(&Arc::as_ptr(input)));
            let index = nodes.len() as u32;
            let task = builder.push(operation, index, inputs.copied().collect::<Vec<_>>());
            known.insert(Arc::as_ptr(node), task);
            nodes.push(Arc::clone(node));
        }
    }
    let outputs = outputs.iter().filter_map(|output| known.get(&Arc::as_ptr(output)).copied());
    let plan = Arc::new(builder.finish(outputs.collect())?);
    Ok(Prepared { plan, program: Arc::new(Nodes(nodes)), annotations: annotations.into() })
}
