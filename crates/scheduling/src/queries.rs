//! What a driver can ask about the present state.

use samite_graph::TaskId;

use crate::action::FailureCause;
use crate::graphs::Graph;
use crate::ids::{Attempt, GraphId, GraphSlot, TaskKey, WorkerId};
use crate::queues::Kind;
use crate::scheduler::Scheduler;
use crate::task::State;

/// Where a task stands, in the words that Dask's users know.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum TaskState {
    /// It has no value and none is needed.
    Released,
    /// It waits for the values of other tasks, or for data that a client brings.
    Waiting,
    /// It could run, and no worker is there that may run it.
    NoWorker,
    /// It could run, and all workers have enough to do.
    Queued,
    /// It was sent to a worker.
    Processing,
    /// Its value exists.
    Memory,
    /// It failed, or something that it needs did.
    Erred,
}

impl TaskState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Released,
        Self::Waiting,
        Self::NoWorker,
        Self::Queued,
        Self::Processing,
        Self::Memory,
        Self::Erred,
    ];

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Waiting => "waiting",
            Self::NoWorker => "no-worker",
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Memory => "memory",
            Self::Erred => "erred",
        }
    }
}

/// How many tasks of a graph are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    counts: [usize; TaskState::ALL.len()],
}

impl StateCounts {
    /// The number of tasks in a state.
    pub const fn get(&self, state: TaskState) -> usize {
        self.counts[state as usize]
    }
}

impl Scheduler {
    /// Where a task stands; `None` for a task that is not known.
    pub fn state(&self, task: TaskKey) -> Option<TaskState> {
        let (_, graph) = self.find(task)?;
        Some(self.state_of(graph, task.task))
    }

    fn state_of(&self, graph: &Graph, task: TaskId) -> TaskState {
        match graph.task(task).state {
            State::Waiting { .. } | State::Awaited | State::Importing => TaskState::Waiting,
            State::Ready if self.has_worker(graph, task) => TaskState::Queued,
            State::Ready => TaskState::NoWorker,
            State::Assigned { .. } | State::Stealing { .. } => TaskState::Processing,
            State::Held { .. } | State::Shared { .. } | State::Imported => TaskState::Memory,
            State::Freed => TaskState::Released,
            State::Erred { .. } => TaskState::Erred,
        }
    }

    /// Whether a worker is there that may run a task.
    fn has_worker(&self, graph: &Graph, task: TaskId) -> bool {
        let Some((_, options)) = graph.options(task).filter(|(_, given)| given.is_restricted())
        else {
            return self.workers.len() > 0;
        };
        let queue = self.queues.restricted(options, graph.is_source(task));
        let named = match queue.and_then(|queue| self.queues.rows.get(queue)).map(|row| &row.kind) {
            Some(Kind::Restricted { allowed, .. }) => !allowed.is_empty(),
            _ => false,
        };
        if options.workers.is_empty() || (options.allow_other_workers && !named) {
            let has = |worker: &crate::workers::Worker| worker.could_have(&options.resources);
            return self.workers.iter().any(|(_, worker)| has(worker));
        }
        named
    }

    fn find(&self, key: TaskKey) -> Option<(GraphSlot, &Graph)> {
        let slot = self.graphs.slot(key.graph)?;
        let graph = self.graphs.get(slot)?;
        graph.has_task(key.task).then_some((slot, graph))
    }

    /// Whether a task is data that a client brings, and is not there yet.
    pub fn is_awaited(&self, task: TaskKey) -> bool {
        self.find(task).is_some_and(|(_, graph)| graph.task(task.task).state == State::Awaited)
    }

    /// The data that clients were to bring and that is not there yet; takes time in proportion to
    /// all tasks.
    pub fn awaited(&self) -> Vec<TaskKey> {
        let mut awaited = Vec::new();
        for (_, graph) in self.graphs.iter() {
            let there = graph.ids().filter(|task| graph.task(*task).state == State::Awaited);
            awaited.extend(there.map(|task| TaskKey { graph: graph.id, task }));
        }
        awaited
    }

    /// The tasks that could run, and that no worker which is there may run; takes time in proportion to
    /// all tasks of graphs that are not done.
    pub fn without_worker(&self) -> Vec<TaskKey> {
        let mut found = Vec::new();
        for (_, graph) in self.graphs.iter().filter(|(_, graph)| graph.unfinished > 0) {
            let waits = |task: &TaskId| self.state_of(graph, *task) == TaskState::NoWorker;
            let tasks = graph.ids().filter(waits);
            found.extend(tasks.map(|task| TaskKey { graph: graph.id, task }));
        }
        found
    }

    /// The values that exist, each with its size; takes time in proportion to all tasks.
    pub fn values(&self) -> Vec<(TaskKey, u64)> {
        let mut found = Vec::new();
        for (_, graph) in self.graphs.iter() {
            let tasks = graph.ids().filter(|task| !graph.holders(*task).is_empty());
            found.extend(
                tasks.map(|task| (TaskKey { graph: graph.id, task }, graph.task(task).bytes)),
            );
        }
        found
    }

    /// The unfinished tasks that read a task's value, also by way of imports, each with the worker
    /// that was given it.
    pub fn waiters(&self, task: TaskKey) -> Vec<(TaskKey, Option<WorkerId>)> {
        let Some((slot, _)) = self.find(task) else { return Vec::new() };
        let mut found = Vec::new();
        self.each_waiter(slot, task.task, &mut |graph, task, runner| {
            let key = TaskKey { graph: graph.id, task };
            found.push((key, runner.and_then(|runner| self.workers.id(runner))));
            true
        });
        found
    }

    /// How the scheduler decides.
    pub fn options(&self) -> &crate::Options {
        &self.options
    }

    /// The workers that hold a task's value, in the order in which they came to it.
    pub fn holders(&self, task: TaskKey) -> Vec<WorkerId> {
        let Some((slot, _)) = self.find(task) else { return Vec::new() };
        let holders = self.graphs.holders(slot, task.task).iter();
        holders.filter_map(|holder| self.workers.id(*holder)).collect()
    }

    /// The size of a task's value, where it exists.
    pub fn bytes(&self, task: TaskKey) -> Option<u64> {
        let (_, graph) = self.find(task)?;
        let row = graph.task(task.task);
        row.state.has_value().then_some(row.bytes)
    }

    /// The worker that runs a task, and the number of the run.
    pub fn runner(&self, task: TaskKey) -> Option<(WorkerId, Attempt)> {
        let (_, graph) = self.find(task)?;
        let row = graph.task(task.task);
        Some((self.workers.id(row.state.runner()?)?, row.attempt))
    }

    /// The task that has a task's value: itself, or the origin of an import. `None` for a task that
    /// is not known, and for an import whose origin is gone.
    pub fn origin(&self, task: TaskKey) -> Option<TaskKey> {
        let (slot, _) = self.find(task)?;
        let (slot, task) = self.graphs.origin(slot, task.task)?;
        self.key(slot, task)
    }

    /// Appends the tasks whose values a task reads, in the order of its arguments, repeats kept and
    /// imports replaced by their origins. For an import whose origin is gone, its own key.
    pub fn inputs(&self, task: TaskKey, inputs: &mut Vec<TaskKey>) {
        let Some((_, graph)) = self.find(task) else { return };
        let key = |input: &TaskId| match graph.link(*input) {
            Some(link) if graph.task(*input).is_import() => link.key,
            _ => TaskKey { graph: graph.id, task: *input },
        };
        inputs.extend(graph.reads(task.task).iter().map(key));
    }

    /// The part that a task reads of each of its inputs whose value has parts.
    pub fn part(&self, task: TaskKey) -> Option<u32> {
        self.find(task)?.1.part(task.task)
    }

    /// Why a task erred: the task that failed, and its cause.
    pub fn failure(&self, task: TaskKey) -> Option<(TaskKey, FailureCause)> {
        let (_, graph) = self.find(task)?;
        graph.failure(task.task).map(|failure| (failure.origin, failure.cause))
    }

    /// Whether a client wants a task's value.
    pub fn is_wanted(&self, task: TaskKey) -> bool {
        self.find(task).is_some_and(|(_, graph)| graph.task(task.task).is_wanted())
    }

    /// How many tasks of a graph are in each state; takes time in proportion to the tasks.
    pub fn counts(&self, graph: GraphId) -> Option<StateCounts> {
        let slot = self.graphs.slot(graph)?;
        let graph = self.graphs.get(slot)?;
        let mut counts = StateCounts::default();
        for task in graph.ids() {
            counts.counts[self.state_of(graph, task) as usize] += 1;
        }
        Some(counts)
    }

    /// The ids of all graphs that are known.
    pub fn graph_ids(&self) -> impl Iterator<Item = GraphId> {
        self.graphs.iter().map(|(_, graph)| graph.id)
    }

    /// The tasks that a worker was given and has not finished, in no order.
    pub fn assigned(&self, worker: WorkerId) -> impl Iterator<Item = (TaskKey, Attempt)> {
        let worker = self.workers.slot(worker).and_then(|slot| self.workers.get(slot));
        let runs = worker.map(|worker| &worker.assigned[..]).unwrap_or_default();
        runs.iter().filter_map(|run| {
            let graph = self.graphs.get(run.graph)?;
            let task = TaskKey { graph: graph.id, task: run.task };
            Some((task, graph.task(run.task).attempt))
        })
    }

    /// The tasks whose values a worker holds, each with its size; takes time in proportion to the
    /// tasks of the graphs of which it holds any.
    pub fn held(&self, worker: WorkerId) -> Vec<(TaskKey, u64)> {
        let Some(slot) = self.workers.slot(worker) else { return Vec::new() };
        let Some(worker) = self.workers.get(slot) else { return Vec::new() };
        let mut held = Vec::new();
        for graph in worker.graphs_listed() {
            let Some(graph) = self.graphs.get(graph) else { continue };
            let there = graph.ids().filter(|task| graph.is_holder(*task, slot));
            held.extend(
                there.map(|task| (TaskKey { graph: graph.id, task }, graph.task(task).bytes)),
            );
        }
        held
    }

    /// The nanoseconds that a worker is expected to need for what it was given, all slots together.
    pub fn occupancy(&self, worker: WorkerId) -> Option<u64> {
        Some(self.workers.get(self.workers.slot(worker)?)?.occupancy)
    }

    /// How many values are on their way from one worker to another for balance.
    pub fn moves(&self) -> usize {
        self.moves.len()
    }
}
