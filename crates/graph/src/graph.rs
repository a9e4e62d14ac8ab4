//! The graph: layers that read one another's blocks.
//!
//! Invariants: a layer reads from itself and from layers added before it, so that layer ids are a
//! topological order and a cycle can only be inside one layer; a task keeps its position in its
//! layer whatever passes do; only kept tasks are read by kept tasks.

use std::sync::Arc;

use crate::blocks::{Blocks, TaskRef};
use crate::error::GraphError;
use crate::ids::{AnnotationId, LayerId, TaskId};
use crate::layers::{Call, Input, Layer};
use crate::passes::{self, Draft};
use crate::plan::{Plan, PlanBuilder};
use crate::selection::Selection;

/// A graph of layers. Building it costs time and memory by layers, not by tasks.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) annotation: Option<AnnotationId>,
    pub(crate) layer: Layer,
    pub(crate) kept: Selection,
}

impl Entry {
    pub(crate) fn inputs(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        self.layer.kind().inputs(&mut inputs);
        inputs
    }
}

impl Graph {
    /// A graph without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a layer and returns the blocks that it offers.
    ///
    /// # Errors
    /// [`GraphError::UnknownLayer`] where it reads from a layer that is not in the graph yet,
    /// [`GraphError::TooLarge`] where it has more tasks than can be numbered.
    pub fn add(
        &mut self,
        name: impl Into<Arc<str>>,
        layer: impl Into<Layer>,
    ) -> Result<Blocks, GraphError> {
        self.add_annotated(name, None, layer)
    }

    /// Adds a layer whose tasks carry an annotation.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_annotated(
        &mut self,
        name: impl Into<Arc<str>>,
        annotation: Option<AnnotationId>,
        layer: impl Into<Layer>,
    ) -> Result<Blocks, GraphError> {
        let entry =
            Entry { name: name.into(), annotation, layer: layer.into(), kept: Selection::All };
        let known = |input: &Input| input.blocks.layer.index() < self.entries.len();
        if let Some(input) = entry.inputs().iter().find(|input| !known(input)) {
            return Err(GraphError::UnknownLayer {
                layer: input.blocks.layer,
                wanted_by: entry.name,
            });
        }
        let tasks = entry.layer.kind().len();
        if tasks >= u32::MAX as usize || self.entries.len() >= u32::MAX as usize - 1 {
            return Err(GraphError::TooLarge { tasks, edges: 0 });
        }
        let outputs = entry.layer.kind().outputs();
        let layer = LayerId::from_index(self.entries.len());
        self.entries.push(entry);
        Ok(Blocks { layer, first: outputs.start, count: outputs.len() as u32 })
    }

    /// The number of layers, those of which no task is kept included.
    pub fn layers(&self) -> usize {
        self.entries.len()
    }

    /// The number of kept tasks.
    pub fn tasks(&self) -> usize {
        self.entries.iter().map(|entry| entry.kept.count(entry.layer.kind().len())).sum()
    }

    /// A layer; `None` for an id that the graph does not have.
    pub fn layer(&self, layer: LayerId) -> Option<&Layer> {
        self.entries.get(layer.index()).map(|entry| &entry.layer)
    }

    /// The name that a layer was added under.
    pub fn name(&self, layer: LayerId) -> Option<&str> {
        self.entries.get(layer.index()).map(|entry| &*entry.name)
    }

    /// The annotation that a layer was added with.
    pub fn annotation(&self, layer: LayerId) -> Option<AnnotationId> {
        self.entries.get(layer.index()).and_then(|entry| entry.annotation)
    }

    /// The number of a layer's tasks that the graph keeps.
    pub fn kept(&self, layer: LayerId) -> usize {
        let entry = self.entries.get(layer.index());
        entry.map_or(0, |entry| entry.kept.count(entry.layer.kind().len()))
    }

    /// Whether the graph has a task and keeps it.
    pub fn contains(&self, task: TaskRef) -> bool {
        self.entries.get(task.layer.index()).is_some_and(|entry| {
            (task.index as usize) < entry.layer.kind().len() && entry.kept.contains(task.index)
        })
    }

    /// What a task needs, in the order of its arguments.
    ///
    /// # Errors
    /// [`GraphError::MissingBlock`] where the graph does not have the task.
    pub fn dependencies(&self, task: TaskRef) -> Result<Vec<TaskRef>, GraphError> {
        let entry = self.entry(task)?;
        let mut dependencies = Vec::new();
        entry.layer.kind().dependencies(task.index, &mut dependencies);
        Ok(dependencies.into_iter().map(|needed| needed.within(task.layer)).collect())
    }

    /// What a task runs; for a fused task, its last step.
    ///
    /// # Errors
    /// [`GraphError::MissingBlock`] where the graph does not have the task.
    pub fn operation(&self, task: TaskRef) -> Result<Call, GraphError> {
        Ok(self.entry(task)?.layer.kind().operation(task.index))
    }

    fn entry(&self, task: TaskRef) -> Result<&Entry, GraphError> {
        match self.entries.get(task.layer.index()) {
            Some(entry) if self.contains(task) => Ok(entry),
            _ => Err(self.missing(task, None)),
        }
    }

    /// The error for a task that is not there.
    pub(crate) fn missing(&self, missing: TaskRef, wanted_by: Option<TaskRef>) -> GraphError {
        let named = |task: TaskRef| (self.name(task.layer).unwrap_or("").into(), task.index);
        let (layer, index) = named(missing);
        GraphError::MissingBlock { layer, index, wanted_by: wanted_by.map(named) }
    }

    /// The dense plan of what the outputs need: culled, numbered and ordered, nothing fused.
    ///
    /// # Errors
    /// [`GraphError::MissingBlock`] for an output or a dependency that is not in the graph,
    /// [`GraphError::CycleInLayer`] names the tasks of one cycle, [`GraphError::TooLarge`].
    pub fn plan(&self, outputs: &[Blocks]) -> Result<Plan, GraphError> {
        let culled = passes::cull(self, outputs)?;
        let draft = culled.draft(outputs)?;
        let numbering = Numbering::of(&culled);
        draft.finish().map_err(|error| numbering.named(&culled, error))
    }

    /// The kept tasks with dense ids, unordered, for passes that work task by task.
    ///
    /// # Errors
    /// [`GraphError::MissingBlock`] for an output or a dependency that is not kept,
    /// [`GraphError::TooLarge`].
    pub fn draft(&self, outputs: &[Blocks]) -> Result<Draft, GraphError> {
        let numbering = Numbering::of(self);
        let tasks = numbering.tasks;
        if tasks >= 1 << 31 {
            return Err(GraphError::TooLarge { tasks, edges: 0 });
        }
        let mut builder = PlanBuilder::with_capacity(tasks, tasks);
        let mut needed: Vec<TaskRef> = Vec::new();
        let mut ids: Vec<TaskId> = Vec::new();
        for (position, entry) in self.entries.iter().enumerate() {
            let layer = LayerId::from_index(position);
            let kind = entry.layer.kind();
            if entry.kept.count(kind.len()) > 0 {
                builder.begin_layer(Arc::clone(&entry.name), entry.annotation);
            }
            for index in entry.kept.positions(kind.len()) {
                needed.clear();
                kind.dependencies(index, &mut needed);
                ids.clear();
                for task in &needed {
                    let task = task.within(layer);
                    let Some(id) = numbering.id(task) else {
                        return Err(self.missing(task, Some(TaskRef { layer, index })));
                    };
                    ids.push(id);
                }
                let dependencies = ids.iter().copied();
                match kind.steps(index) {
                    Some(steps) => builder.push_fused(steps, dependencies),
                    None => {
                        let call = kind.operation(index);
                        builder.push(call.operation, call.index, dependencies)
                    }
                };
            }
        }
        let mut wanted = Vec::with_capacity(outputs.iter().map(Blocks::len).sum());
        for task in outputs.iter().flat_map(Blocks::iter) {
            wanted.push(numbering.id(task).ok_or_else(|| self.missing(task, None))?);
        }
        Ok(Draft::new(builder, wanted))
    }
}

/// The dense ids of a graph's kept tasks: layer after layer, in the order of positions.
struct Numbering<'graph> {
    layers: Vec<Numbered<'graph>>,
    tasks: usize,
}

/// One layer's share of the ids.
struct Numbered<'graph> {
    first: u32,
    len: u32,
    kept: &'graph Selection,
}

impl<'graph> Numbering<'graph> {
    fn of(graph: &'graph Graph) -> Self {
        let mut tasks = 0usize;
        let mut layers = Vec::with_capacity(graph.entries.len());
        for entry in &graph.entries {
            let len = entry.layer.kind().len();
            layers.push(Numbered { first: tasks as u32, len: len as u32, kept: &entry.kept });
            tasks += entry.kept.count(len);
        }
        Self { layers, tasks }
    }

    #[inline]
    fn id(&self, task: TaskRef) -> Option<TaskId> {
        let layer = self.layers.get(task.layer.index())?;
        if task.index >= layer.len {
            return None;
        }
        layer.kept.place(task.index).map(|place| TaskId(layer.first + place))
    }

    /// An error that names tasks by their layer instead of by their dense id.
    fn named(&self, graph: &Graph, error: GraphError) -> GraphError {
        let GraphError::Cycle { tasks } = error else { return error };
        let first = tasks.first().map_or(0, |task| task.0);
        let layer = self.layers.partition_point(|layer| layer.first <= first).saturating_sub(1);
        let Some(entry) = graph.entries.get(layer) else { return GraphError::Cycle { tasks } };
        let positions: Vec<u32> = entry.kept.positions(entry.layer.kind().len()).collect();
        let index = |task: TaskId| {
            positions.get(task.0.wrapping_sub(self.layers[layer].first) as usize).copied()
        };
        let indices = tasks.into_iter().filter_map(index).collect();
        GraphError::CycleInLayer { layer: Arc::clone(&entry.name), indices }
    }
}
