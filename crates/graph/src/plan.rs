//! The dense form of a graph: what a scheduler runs.
//!
//! A plan has no strings and no values. Task ids are dense, dependencies and dependents are
//! [`Csr`] tables, and `rank` is the static order. A task's dependencies stand in the order of
//! its operation's arguments and may repeat (`add(x, x)`); the dependents repeat as often, so
//! that counting edges is always right.

use std::sync::Arc;

use crate::csr::Csr;
use crate::error::GraphError;
use crate::ids::{AnnotationId, OperationId, TaskId};

/// Where one step of a fused task takes an argument from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepInput {
    /// The value of the task's dependency at this position.
    Dependency(u32),
    /// The value of an earlier step of the same task.
    Step(u32),
}

/// One operation inside a fused task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What runs.
    pub operation: OperationId,
    /// The position of the original task in its layer.
    pub index: u32,
    /// The arguments, in order.
    pub inputs: Vec<StepInput>,
}

/// What a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work<'plan> {
    /// One operation; its arguments are the task's dependencies, in order.
    Single {
        /// What runs.
        operation: OperationId,
        /// The position of the task in its layer: the block, the partition, the branch.
        index: u32,
    },
    /// Several operations, run one after the other; the last one's value is the task's.
    Fused(&'plan [Step]),
}

/// One task's work in eight bytes; the top bit of `operation` marks a row of the fused table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedWork {
    pub(crate) operation: u32,
    pub(crate) index: u32,
}

pub(crate) const FUSED: u32 = 1 << 31;

/// A run of tasks that came from one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerSpan {
    pub(crate) first: u32,
    pub(crate) name: Arc<str>,
    pub(crate) annotation: Option<AnnotationId>,
}

/// A graph ready to run. Built by [`PlanBuilder`] or [`Graph::plan`](crate::Graph::plan).
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) work: Vec<PackedWork>,
    pub(crate) fused: Vec<Arc<[Step]>>,
    pub(crate) dependencies: Csr,
    pub(crate) dependents: Csr,
    pub(crate) rank: Vec<u32>,
    pub(crate) outputs: Vec<TaskId>,
    pub(crate) spans: Vec<LayerSpan>,
}

impl Plan {
    /// The number of tasks.
    #[inline]
    pub fn len(&self) -> usize {
        self.work.len()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// What a task runs.
    #[inline]
    pub fn work(&self, task: TaskId) -> Work<'_> {
        unpack(self.work[task.index()], &self.fused)
    }

    /// The tasks whose values a task needs, in the order of its arguments, repeats kept.
    #[inline]
    pub fn dependencies(&self, task: TaskId) -> &[TaskId] {
        self.dependencies.row(task)
    }

    /// The tasks that need this task's value, once for each use.
    #[inline]
    pub fn dependents(&self, task: TaskId) -> &[TaskId] {
        self.dependents.row(task)
    }

    /// The memory that the plan's tables take, in bytes.
    pub fn memory(&self) -> usize {
        let steps = |fused: &Arc<[Step]>| {
            let inputs: usize = fused.iter().map(|step| size_of_val(step.inputs.as_slice())).sum();
            size_of_val(fused) + size_of_val(&**fused) + inputs
        };
        size_of_val(self.work.as_slice())
            + size_of_val(self.rank.as_slice())
            + size_of_val(self.outputs.as_slice())
            + size_of_val(self.spans.as_slice())
            + self.dependencies.memory()
            + self.dependents.memory()
            + self.fused.iter().map(steps).sum::<usize>()
    }

    /// The number of uses of values by tasks.
    pub fn edges(&self) -> usize {
        self.dependencies.edges()
    }

    /// A task's place in the static order: of two ready tasks the one of lower rank runs first.
    #[inline]
    pub fn rank(&self, task: TaskId) -> u32 {
        self.rank[task.index()]
    }

    /// The tasks whose values are the result, in the order asked for, repeats kept.
    pub fn outputs(&self) -> &[TaskId] {
        &self.outputs
    }

    /// The name of the layer that a task came from; empty where the builder gave none.
    pub fn layer_name(&self, task: TaskId) -> &str {
        self.span(task).map_or("", |span| &span.name)
    }

    /// The annotation of the layer that a task came from.
    pub fn annotation(&self, task: TaskId) -> Option<AnnotationId> {
        self.span(task).and_then(|span| span.annotation)
    }

    /// The same tasks with other operations: `map` is given what a task or a step runs, and says
    /// what it runs instead.
    ///
    /// # Errors
    /// [`GraphError::OperationTooLarge`] where it answers an operation that no plan can hold.
    pub fn map_operations(
        mut self,
        mut map: impl FnMut(OperationId, u32) -> (OperationId, u32),
    ) -> Result<Self, GraphError> {
        let mut checked = |operation: OperationId, index: u32| {
            let (operation, index) = map(operation, index);
            if operation.0 & FUSED != 0 {
                return Err(GraphError::OperationTooLarge { operation });
            }
            Ok((operation, index))
        };
        for work in &mut self.work {
            if work.operation & FUSED == 0 {
                let (operation, index) = checked(OperationId(work.operation), work.index)?;
                *work = PackedWork { operation: operation.0, index };
            }
        }
        for steps in &mut self.fused {
            let mapped = steps.iter().map(|step| {
                let (operation, index) = checked(step.operation, step.index)?;
                Ok(Step { operation, index, inputs: step.inputs.clone() })
            });
            *steps = mapped.collect::<Result<Vec<_>, GraphError>>()?.into();
        }
        Ok(self)
    }

    /// The tables of dependencies and of dependents.
    pub(crate) fn tables(&self) -> (&Csr, &Csr) {
        (&self.dependencies, &self.dependents)
    }

    fn span(&self, task: TaskId) -> Option<&LayerSpan> {
        span_of(&self.spans, task)
    }
}

#[inline]
fn unpack(packed: PackedWork, fused: &[Arc<[Step]>]) -> Work<'_> {
    if packed.operation & FUSED != 0 {
        Work::Fused(&fused[(packed.operation & !FUSED) as usize])
    } else {
        Work::Single { operation: OperationId(packed.operation), index: packed.index }
    }
}

/// Whether steps read only dependencies that exist and steps that ran before.
pub(crate) fn fit(steps: &[Step], dependencies: usize) -> bool {
    let known = |place: usize, input: &StepInput| match input {
        StepInput::Dependency(position) => (*position as usize) < dependencies,
        StepInput::Step(step) => (*step as usize) < place,
    };
    let ready = |(place, step): (usize, &Step)| step.inputs.iter().all(|input| known(place, input));
    !steps.is_empty() && steps.iter().enumerate().all(ready)
}

/// The layer that a task came from.
fn span_of(spans: &[LayerSpan], task: TaskId) -> Option<&LayerSpan> {
    let after = spans.partition_point(|span| span.first <= task.0);
    spans[..after].last()
}

/// Builds a [`Plan`] task by task.
#[derive(Debug, Default)]
pub struct PlanBuilder {
    work: Vec<PackedWork>,
    fused: Vec<Arc<[Step]>>,
    dependencies: Csr,
    spans: Vec<LayerSpan>,
    /// Whether any layer carries an annotation: most graphs have none, and need no look-up.
    annotated: bool,
    /// The first thing that was pushed and that no plan can hold, for `finish` to report.
    wrong: Option<GraphError>,
}

impl PlanBuilder {
    /// An empty builder with room for `tasks` and `edges`.
    pub fn with_capacity(tasks: usize, edges: usize) -> Self {
        Self {
            work: Vec::with_capacity(tasks),
            dependencies: Csr::with_capacity(tasks, edges),
            ..Self::default()
        }
    }

    /// Begins a layer: the tasks pushed from here on carry this name and annotation.
    pub fn begin_layer(&mut self, name: impl Into<Arc<str>>, annotation: Option<AnnotationId>) {
        self.annotated |= annotation.is_some();
        self.spans.push(LayerSpan { first: self.work.len() as u32, name: name.into(), annotation });
    }

    /// The number of tasks so far, which is the id of the next one.
    pub fn len(&self) -> usize {
        self.work.len()
    }

    /// Whether no task was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// Appends a task that runs one operation. Dependencies may have any id, also a later one.
    pub fn push(
        &mut self,
        operation: OperationId,
        index: u32,
        dependencies: impl IntoIterator<Item = TaskId>,
    ) -> TaskId {
        if operation.0 & FUSED != 0 {
            self.wrong.get_or_insert(GraphError::OperationTooLarge { operation });
        }
        self.append(PackedWork { operation: operation.0, index }, dependencies)
    }

    /// Appends a task that runs several steps.
    pub fn push_fused(
        &mut self,
        steps: impl Into<Arc<[Step]>>,
        dependencies: impl IntoIterator<Item = TaskId>,
    ) -> TaskId {
        let row = self.fused.len() as u32;
        let steps = steps.into();
        let task = self.append(PackedWork { operation: row | FUSED, index: 0 }, dependencies);
        if !fit(&steps, self.dependencies.row(task).len()) {
            self.wrong.get_or_insert(GraphError::FusedSteps { task });
        }
        self.fused.push(steps);
        task
    }

    /// What a task runs.
    ///
    /// # Panics
    /// Where no task has this id.
    pub fn work(&self, task: TaskId) -> Work<'_> {
        unpack(self.work[task.index()], &self.fused)
    }

    /// What a task needs, in the order of its arguments.
    ///
    /// # Panics
    /// Where no task has this id.
    pub fn dependencies(&self, task: TaskId) -> &[TaskId] {
        self.dependencies.row(task)
    }

    /// Whether something was pushed that no plan can hold.
    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }

    /// All dependencies.
    pub(crate) fn table(&self) -> &Csr {
        &self.dependencies
    }

    /// An empty builder for a rewritten form of this one's tasks.
    pub(crate) fn sibling(&self, tasks: usize) -> Self {
        Self::with_capacity(tasks, self.dependencies.edges().min(tasks * 2))
    }

    /// Appends a task of another builder as it is, with other dependencies.
    pub(crate) fn push_like(
        &mut self,
        other: &Self,
        task: TaskId,
        dependencies: impl IntoIterator<Item = TaskId>,
    ) {
        let work = other.work[task.index()];
        if work.operation & FUSED != 0 {
            let steps = Arc::clone(&other.fused[(work.operation & !FUSED) as usize]);
            self.push_fused(steps, dependencies);
        } else {
            self.append(work, dependencies);
        }
    }

    /// Begins the layer that a task of another builder is in, unless it was the last one begun.
    pub(crate) fn continue_layer(&mut self, other: &Self, task: TaskId) {
        let Some(span) = span_of(&other.spans, task) else { return };
        let same = |last: &LayerSpan| {
            Arc::ptr_eq(&last.name, &span.name) && last.annotation == span.annotation
        };
        if !self.spans.last().is_some_and(same) {
            self.begin_layer(Arc::clone(&span.name), span.annotation);
        }
    }

    /// Whether two tasks carry the same annotation.
    pub(crate) fn same_annotation(&self, left: TaskId, right: TaskId) -> bool {
        let annotation = |task| span_of(&self.spans, task).and_then(|span| span.annotation);
        !self.annotated || annotation(left) == annotation(right)
    }

    fn append(
        &mut self,
        work: PackedWork,
        dependencies: impl IntoIterator<Item = TaskId>,
    ) -> TaskId {
        let task = TaskId::from_index(self.work.len());
        self.work.push(work);
        self.dependencies.push_row(dependencies);
        task
    }

    /// Checks the graph, orders it, and closes the plan.
    ///
    /// # Errors
    /// [`GraphError::Cycle`] names the tasks of one cycle; [`GraphError::MissingTask`] a
    /// dependency or output that no task has; [`GraphError::TooLarge`] a table over its limit;
    /// [`GraphError::OperationTooLarge`] and [`GraphError::FusedSteps`] a task that was pushed with
    /// work that no plan can hold.
    pub fn finish(mut self, outputs: Vec<TaskId>) -> Result<Plan, GraphError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let tasks = self.work.len();
        let edges = self.dependencies.edges();
        if tasks >= FUSED as usize || edges >= u32::MAX as usize {
            return Err(GraphError::TooLarge { tasks, edges });
        }
        // Dependencies that all come earlier are all there, and cannot make a cycle.
        let ascending = self.dependencies.is_ascending();
        if !ascending && !self.dependencies.is_closed() {
            return Err(self.missing_dependency());
        }
        if let Some(&missing) = outputs.iter().find(|output| output.index() >= tasks) {
            return Err(GraphError::MissingTask { missing, wanted_by: None });
        }
        self.work.shrink_to_fit();
        self.dependencies.shrink();
        let dependents = self.dependencies.transposed();
        let rank = crate::order::rank(&self.dependencies, &dependents, &outputs, ascending)?;
        Ok(Plan {
            work: self.work,
            fused: self.fused,
            dependencies: self.dependencies,
            dependents,
            rank,
            outputs,
            spans: self.spans,
        })
    }

    fn missing_dependency(&self) -> GraphError {
        let tasks = self.work.len();
        let rows = (0..tasks).map(TaskId::from_index);
        let edges = rows.flat_map(|task| {
            self.dependencies.row(task).iter().map(move |needed| (*needed, Some(task)))
        });
        let mut missing = edges.filter(|(needed, _)| needed.index() >= tasks);
        let (missing, wanted_by) = missing.next().unwrap_or((TaskId(tasks as u32), None));
        GraphError::MissingTask { missing, wanted_by }
    }
}
