//! Graphs to simulate, and what their values must be.
//!
//! A value is a number: the hash of the task and of its inputs' values. So a task that ran with a
//! wrong or missing input shows in the outputs.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_graph::{AnnotationId, GraphError, OperationId, Plan, PlanBuilder, TaskId};

use crate::ids::{GraphId, TaskKey, WorkerId};
use crate::options::{Resource, TaskOptions};
use crate::simulation::random::{Random, mix};
use crate::submission::{Import, Submission};

/// A graph and what its client does with it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The tasks.
    pub plan: Arc<Plan>,
    /// Their options.
    pub annotations: Arc<[TaskOptions]>,
    /// When it is submitted, in nanoseconds.
    pub submitted: u64,
    /// When the client loses interest, whether it is done or not; `None` for after it has all
    /// outputs.
    pub released: Option<u64>,
    /// Outputs that the client drops before it has them, and when.
    pub dropped: Option<(u64, Vec<TaskId>)>,
    /// Outputs of which several copies shall exist.
    pub copies: Vec<(TaskId, u32)>,
    /// How often each task fails before it succeeds.
    pub failures: Vec<u32>,
    /// Tasks that stand for tasks of earlier jobs, which are named by their number.
    pub imports: Vec<(TaskId, usize, TaskId)>,
    /// Tasks whose values the client brings.
    pub data: Vec<TaskId>,
    /// Whether a task that fails takes only those with it that need it.
    pub independent: bool,
    /// When the client wants again what it dropped.
    pub wanted_again: Option<u64>,
    /// A task that the client cancels, and when.
    pub cancelled: Option<(u64, TaskId)>,
}

impl Job {
    /// A job of a plan without options and failures, submitted at the start.
    pub fn new(plan: Arc<Plan>) -> Self {
        let failures = vec![0; plan.len()];
        Self {
            plan,
            annotations: Arc::from([]),
            submitted: 0,
            released: None,
            dropped: None,
            copies: Vec::new(),
            failures,
            imports: Vec::new(),
            data: Vec::new(),
            independent: false,
            wanted_again: None,
            cancelled: None,
        }
    }

    /// A random graph with random options. `names` are those of the workers, `resource` one that
    /// some of them have one unit of.
    ///
    /// # Errors
    /// Those of [`PlanBuilder::finish`]; random graphs have no cycles.
    pub fn random(
        random: &mut Random,
        tasks: usize,
        names: &[Arc<str>],
        resource: &Arc<str>,
    ) -> Result<Self, GraphError> {
        let annotations = random_options(random, names, resource);
        let plan = random_plan(random, tasks, annotations.len() as u32)?;
        let mut job = Self::new(Arc::new(plan));
        if random.chance(0.5) {
            for task in (0..tasks).map(TaskId::from_index) {
                let row = job.plan.annotation(task).and_then(|row| annotations.get(row.index()));
                let retries = row.map_or(0, |options| options.retries);
                job.failures[task.index()] = random.below(u64::from(retries) + 1) as u32;
            }
            job.annotations = annotations.into();
        }
        Ok(job)
    }

    /// Makes some of the tasks without dependencies stand for tasks of earlier jobs, which have so
    /// many tasks, and others data.
    pub fn share(&mut self, random: &mut Random, earlier: &[usize]) {
        let sources: Vec<TaskId> = (0..self.plan.len())
            .map(TaskId::from_index)
            .filter(|task| self.plan.dependencies(*task).is_empty())
            .collect();
        for task in sources {
            let job = random.below(earlier.len() as u64) as usize;
            if !earlier.is_empty() && random.chance(0.4) {
                let origin = TaskId(random.below(earlier[job] as u64) as u32);
                self.imports.push((task, job, origin));
            } else if random.chance(0.2) {
                self.data.push(task);
            }
        }
    }

    pub(super) fn submission(&self, number: usize) -> Submission {
        let import = |(task, job, origin): &(TaskId, usize, TaskId)| Import {
            task: *task,
            origin: TaskKey { graph: GraphId(*job as u32), task: *origin },
        };
        Submission {
            imports: self.imports.iter().map(import).collect(),
            data: self.data.clone().into(),
            independent: self.independent,
            ..Submission::new(GraphId(number as u32), self.plan.clone(), self.annotations.clone())
        }
    }

    /// The task of an earlier job that a task stands for.
    pub(super) fn origin(&self, task: TaskId) -> Option<TaskKey> {
        let import = self.imports.iter().find(|(import, ..)| *import == task)?;
        Some(TaskKey { graph: GraphId(import.1 as u32), task: import.2 })
    }

    /// The tasks that fail more often than their retries allow.
    pub(super) fn fragile(&self) -> Vec<TaskId> {
        let options =
            |task| self.annotations.get(self.plan.annotation(task)?.index()).map(|row| row.retries);
        let tasks = (0..self.plan.len()).map(TaskId::from_index);
        tasks.filter(|task| self.failures[task.index()] > options(*task).unwrap_or(0)).collect()
    }

    /// The outputs that the client wants to have in the end.
    pub(super) fn wanted(&self) -> impl Iterator<Item = TaskId> {
        let dropped = self.dropped.iter().flat_map(|(_, tasks)| tasks.clone()).collect::<Vec<_>>();
        self.plan.outputs().iter().copied().filter(move |output| !dropped.contains(output))
    }

    /// The inputs whose values a task reads.
    pub(super) fn reads(&self, task: TaskId) -> &[TaskId] {
        let inputs = self.plan.dependencies(task);
        let row = self.plan.annotation(task).and_then(|row| self.annotations.get(row.index()));
        let kept = row.map_or(0, |options| options.kept as usize);
        &inputs[..inputs.len().saturating_sub(kept)]
    }

    /// The value of each task, computed one after the other; given those of earlier jobs.
    pub fn expected(&self, earlier: &[Vec<u64>]) -> Vec<u64> {
        let mut order: Vec<TaskId> = (0..self.plan.len()).map(TaskId::from_index).collect();
        order.sort_unstable_by_key(|task| self.plan.rank(*task));
        let mut values = vec![0; self.plan.len()];
        for task in order {
            let inputs = self.reads(task).iter().map(|input| values[input.index()]);
            values[task.index()] = match self.origin(task) {
                Some(origin) => earlier[origin.graph.0 as usize][origin.task.index()],
                None => value(task, inputs),
            };
        }
        values
    }
}

/// The value of a task with these inputs.
pub(super) fn value(task: TaskId, inputs: impl Iterator<Item = u64>) -> u64 {
    inputs.fold(mix(u64::from(task.0) + 1), |sum, input| mix(sum.rotate_left(9) ^ input))
}

fn random_plan(random: &mut Random, tasks: usize, rows: u32) -> Result<Plan, GraphError> {
    let mut builder = PlanBuilder::with_capacity(tasks, 2 * tasks);
    let mut left_in_layer = 0;
    let widest = random.between(1, 6);
    for task in 0..tasks as u64 {
        if left_in_layer == 0 {
            left_in_layer = random.between(1, 12);
            let annotation = random.chance(0.5).then(|| random.below(u64::from(rows)) as u32);
            builder.begin_layer(format!("layer-{task}"), annotation.map(AnnotationId));
        }
        left_in_layer -= 1;
        let wanted = if random.chance(0.2) { 0 } else { random.below(widest + 1).min(task) };
        // Near neighbours mostly, so that graphs are deep as well as wide.
        let near = random.between(1, task.max(1));
        let needed: Vec<TaskId> =
            (0..wanted).map(|_| TaskId((task - 1 - random.below(near.min(task))) as u32)).collect();
        builder.push(OperationId((task % 7) as u32), task as u32, needed);
    }
    let outputs = random.between(1, 1 + tasks as u64 / 4);
    let mut outputs: Vec<TaskId> =
        (0..outputs).map(|_| TaskId(random.below(tasks as u64) as u32)).collect();
    outputs.push(TaskId::from_index(tasks.saturating_sub(1)));
    builder.finish(outputs)
}

fn random_options(
    random: &mut Random,
    names: &[Arc<str>],
    resource: &Arc<str>,
) -> Vec<TaskOptions> {
    let mut rows = vec![TaskOptions::default()];
    for _ in 0..random.between(1, 4) {
        let mut options = TaskOptions {
            priority: random.below(5) as i32 - 2,
            retries: random.below(4) as u32,
            ..TaskOptions::default()
        };
        if random.chance(0.4) {
            options.part = Some(random.below(3) as u32);
        }
        if random.chance(0.3) {
            options.kept = random.between(1, 3) as u32;
        }
        if random.chance(0.3) {
            options.workers = random.pick(names).cloned().into_iter().collect();
            options.allow_other_workers = random.chance(0.5);
            if random.chance(0.2) && options.allow_other_workers {
                options.workers = vec![Arc::from("nobody")];
            }
        } else if random.chance(0.2) {
            options.resources = vec![Resource::whole(resource.clone(), 1)];
        }
        rows.push(options);
    }
    rows
}

/// What the client of a job knows.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) submitted: bool,
    /// Where outputs were said to be.
    pub(super) ready: FxHashMap<TaskId, WorkerId>,
    /// Outputs that it has.
    pub(super) collected: FxHashMap<TaskId, u64>,
    pub(super) failed: Option<TaskId>,
    /// Outputs that were said to be never there, and the tasks that failed.
    pub(super) erred: FxHashMap<TaskId, TaskKey>,
    /// Tasks that fail more often than their retries allow.
    pub(super) fragile: Vec<TaskId>,
    /// Whether the scheduler has forgotten the graph.
    pub(super) forgotten: bool,
    pub(super) released: bool,
    /// Whether the scheduler said that all tasks have run.
    pub(super) done: bool,
    pub(super) gathering: bool,
}
