//! The graphs that run: per-task tables, and where to find them.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_graph::{Plan, TaskId, Work};

use crate::failures::Failure;
use crate::ids::{GraphId, GraphSlot, Priority, Time, WorkerSlot};
use crate::imports::Links;
use crate::options::TaskOptions;
use crate::submission::Submission;
use crate::task::{State, Task};

/// A running graph.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) id: GraphId,
    /// The place in the order of submissions; tells a graph from the next one in the same slot.
    pub(crate) submission: u32,
    /// The submission that began the generation which the graph belongs to.
    pub(crate) generation: u32,
    pub(crate) plan: Arc<Plan>,
    pub(crate) annotations: Arc<[TaskOptions]>,
    pub(crate) tasks: Vec<Task>,
    /// Tasks that still have to run or are running.
    pub(crate) unfinished: usize,
    /// Unrestricted sources in the order in which they shall run; those before `next_source` have
    /// left the list.
    pub(crate) sources: Vec<TaskId>,
    pub(crate) next_source: usize,
    pub(crate) replicas: Replicas,
    pub(crate) durations: Durations,
    /// The tasks whose values are wanted.
    pub(crate) wanted: u32,
    /// Whether a failed task takes only those with it that need it.
    pub(crate) independent: bool,
    /// Whether the client has said that it needs nothing more.
    pub(crate) released: bool,
    /// Why tasks erred.
    pub(crate) failures: Vec<Failure>,
    /// What the graph shares with others; nothing for most graphs.
    pub(crate) links: Option<Box<Links>>,
    /// The workers on whose lists of graphs it stands, one bit each.
    pub(crate) listed: WorkerSet,
}

impl Graph {
    pub(crate) fn new(
        id: GraphId,
        submission: u32,
        plan: Arc<Plan>,
        annotations: Arc<[TaskOptions]>,
        independent: bool,
    ) -> Self {
        let mut tasks: Vec<Task> = (0..plan.len())
            .map(TaskId::from_index)
            .map(|task| {
                Task::new(plan.dependencies(task).len() as u32, plan.dependents(task).len() as u32)
            })
            .collect();
        let mut wanted = 0;
        for output in plan.outputs() {
            wanted += u32::from(tasks[output.index()].set_wanted(true));
        }
        Self {
            id,
            submission,
            generation: submission,
            unfinished: tasks.len(),
            plan,
            annotations,
            tasks,
            sources: Vec::new(),
            next_source: 0,
            replicas: Replicas::default(),
            durations: Durations::default(),
            wanted,
            independent,
            released: false,
            failures: Vec::new(),
            links: None,
            listed: WorkerSet::default(),
        }
    }

    #[inline]
    pub(crate) fn task(&self, task: TaskId) -> &Task {
        &self.tasks[task.index()]
    }

    #[inline]
    pub(crate) fn task_mut(&mut self, task: TaskId) -> &mut Task {
        &mut self.tasks[task.index()]
    }

    /// Whether a row is used as one of this graph's tasks.
    #[inline]
    pub(crate) fn has_task(&self, task: TaskId) -> bool {
        task.index() < self.tasks.len()
    }

    /// Says whether a value is wanted; whether that is a change.
    pub(crate) fn set_wanted(&mut self, task: TaskId, wanted: bool) -> bool {
        let changed = self.tasks[task.index()].set_wanted(wanted);
        match (changed, wanted) {
            (true, true) => self.wanted += 1,
            (true, false) => self.wanted -= 1,
            (false, _) => {}
        }
        changed
    }

    /// Every task's id, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = TaskId> + Clone + use<> {
        (0..self.tasks.len()).map(TaskId::from_index)
    }

    #[inline]
    pub(crate) fn is_source(&self, task: TaskId) -> bool {
        self.plan.dependencies(task).is_empty()
    }

    /// The annotation row of a task and its options, where it has any.
    #[inline]
    pub(crate) fn options(&self, task: TaskId) -> Option<(usize, &TaskOptions)> {
        if self.annotations.is_empty() {
            return None;
        }
        let row = self.plan.annotation(task)?.index();
        self.annotations.get(row).map(|options| (row, options))
    }

    /// Whether a task's value means something on the worker alone that made it.
    pub(crate) fn is_pinned(&self, task: TaskId) -> bool {
        self.options(task).is_some_and(|(_, options)| options.pinned)
    }

    /// The part that a task reads of its inputs.
    #[inline]
    pub(crate) fn part(&self, task: TaskId) -> Option<u32> {
        self.options(task)?.1.part
    }

    /// The inputs whose values a task reads, in the order of its arguments.
    #[inline]
    pub(crate) fn reads(&self, task: TaskId) -> &[TaskId] {
        let inputs = self.plan.dependencies(task);
        let kept = self.options(task).map_or(0, |(_, options)| options.kept as usize);
        &inputs[..inputs.len().saturating_sub(kept)]
    }

    /// The bytes that a task reads of an input. Parts are taken to be of one size: what is known is
    /// the size of all.
    #[inline]
    pub(crate) fn read_bytes(&self, task: TaskId, input: TaskId) -> u64 {
        let bytes = self.task(input).bytes;
        match self.part(task) {
            Some(_) => bytes / (self.plan.dependents(input).len() as u64).max(1),
            None => bytes,
        }
    }

    #[inline]
    pub(crate) fn priority(&self, task: TaskId) -> Priority {
        let user = self.options(task).map_or(0, |(_, options)| options.priority);
        Priority::within(user, self.generation, self.submission, self.plan.rank(task))
    }

    /// All workers that hold a task's value, in the order in which they came to it. Those of an
    /// import are with its origin; see [`Graphs::holders`].
    #[inline]
    pub(crate) fn holders(&self, task: TaskId) -> &[WorkerSlot] {
        match &self.tasks[task.index()].state {
            State::Held { worker } => std::slice::from_ref(worker),
            State::Shared { row } => self.replicas.row(*row),
            _ => &[],
        }
    }

    /// Whether a worker holds a task's value.
    #[inline]
    pub(crate) fn is_holder(&self, task: TaskId, worker: WorkerSlot) -> bool {
        match &self.tasks[task.index()].state {
            State::Held { worker: only } => *only == worker,
            State::Shared { row } => self.replicas.contains(*row, worker),
            _ => false,
        }
    }

    /// Notes one more holder of an existing value; false where there is none or it is known.
    pub(crate) fn add_holder(&mut self, task: TaskId, worker: WorkerSlot) -> bool {
        if self.is_holder(task, worker) {
            return false;
        }
        match self.tasks[task.index()].state {
            State::Held { worker: first } => {
                let row = self.replicas.insert(task, vec![first, worker]);
                self.tasks[task.index()].state = State::Shared { row };
                true
            }
            State::Shared { row } => {
                self.replicas.push(row, worker);
                true
            }
            _ => false,
        }
    }

    /// Forgets a holder of a value. The last one is not forgotten here: its loss is a matter of
    /// recovery.
    pub(crate) fn remove_holder(&mut self, task: TaskId, worker: WorkerSlot) -> Removed {
        match self.tasks[task.index()].state {
            State::Held { worker: only } if only == worker => Removed::Last,
            State::Shared { row } if self.replicas.contains(row, worker) => {
                if let Some(only) = self.replicas.remove(row, worker) {
                    self.tasks[task.index()].state = State::Held { worker: only };
                }
                Removed::OthersLeft
            }
            _ => Removed::Unknown,
        }
    }

    /// Gives a value's row of replicas back, where it has one, before the state changes.
    pub(crate) fn clear_holders(&mut self, task: TaskId) {
        if let State::Shared { row } = self.tasks[task.index()].state {
            self.replicas.release(row);
        }
    }

    /// The row of the duration table that a task belongs to.
    #[inline]
    pub(crate) fn duration_row(&self, task: TaskId) -> u32 {
        match self.plan.work(task) {
            Work::Single { operation, .. } => operation.0,
            Work::Fused(steps) => steps.last().map_or(0, |step| step.operation.0),
        }
    }
}

/// What was known of a holder that is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// It was none.
    Unknown,
    /// Other workers hold the value.
    OthersLeft,
    /// Nobody else holds it.
    Last,
}

/// Lists of holders, for values that more than one worker holds.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    rows: Vec<Row>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Row {
    /// Whose value it is.
    task: TaskId,
    /// In the order in which they came.
    holders: Vec<WorkerSlot>,
    /// The same ones, where they are too many to look through.
    set: Option<Box<WorkerSet>>,
}

/// More holders than this are not looked through.
pub(crate) const MANY_HOLDERS: usize = 64;

impl Replicas {
    pub(crate) fn row(&self, row: u32) -> &[WorkerSlot] {
        &self.rows[row as usize].holders
    }

    fn contains(&self, row: u32, worker: WorkerSlot) -> bool {
        let row = &self.rows[row as usize];
        match &row.set {
            Some(set) => set.contains(worker),
            None => row.holders.contains(&worker),
        }
    }

    /// The number of rows in use.
    pub(crate) fn used(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// The tasks whose values are on several workers, in no order that means anything.
    pub(crate) fn shared(&self) -> impl Iterator<Item = TaskId> {
        self.rows.iter().filter(|row| !row.holders.is_empty()).map(|row| row.task)
    }

    fn insert(&mut self, task: TaskId, holders: Vec<WorkerSlot>) -> u32 {
        let filled = Row { task, holders, set: None };
        if let Some(row) = self.free.pop() {
            self.rows[row as usize] = filled;
            return row;
        }
        self.rows.push(filled);
        (self.rows.len() - 1) as u32
    }

    fn push(&mut self, row: u32, worker: WorkerSlot) {
        let Row { holders, set, .. } = &mut self.rows[row as usize];
        holders.push(worker);
        match set {
            Some(set) => _ = set.insert(worker),
            None if holders.len() > MANY_HOLDERS => {
                let mut all = WorkerSet::default();
                for &holder in holders.iter() {
                    all.insert(holder);
                }
                *set = Some(Box::new(all));
            }
            None => {}
        }
    }

    /// Removes a holder; where one is left, the row is given back and that one returned.
    fn remove(&mut self, row: u32, worker: WorkerSlot) -> Option<WorkerSlot> {
        let Row { holders, set, .. } = &mut self.rows[row as usize];
        holders.retain(|holder| *holder != worker);
        if let Some(set) = set {
            set.remove(worker);
        }
        if let [only] = holders[..] {
            self.release(row);
            return Some(only);
        }
        None
    }

    fn release(&mut self, row: u32) {
        self.rows[row as usize] = Row::default();
        self.free.push(row);
    }
}

/// The mean duration of each operation of a graph, in nanoseconds.
///
/// Graphs where every task has an operation of its own would need a row a task; those beyond the
/// limit share the last row.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    means: Vec<u64>,
}

const DURATION_ROWS: u32 = 4096;
const NOT_MEASURED: u64 = u64::MAX;

impl Durations {
    #[inline]
    pub(crate) fn measured(&mut self, row: u32, duration: u64) {
        let row = row.min(DURATION_ROWS) as usize;
        if row >= self.means.len() {
            if self.means.is_empty() {
                // Most graphs are small and have few operations.
                self.means.reserve_exact(row + 1);
            }
            self.means.resize(row + 1, NOT_MEASURED);
        }
        let duration = duration.min(NOT_MEASURED / 8);
        let mean = &mut self.means[row];
        // An exponential mean follows an operation whose duration drifts.
        *mean = if *mean == NOT_MEASURED { duration } else { (*mean * 3 + duration) / 4 };
    }

    #[inline]
    pub(crate) fn expected(&self, row: u32) -> Option<u64> {
        let row = row.min(DURATION_ROWS) as usize;
        self.means.get(row).copied().filter(|mean| *mean != NOT_MEASURED)
    }
}

/// Some of the workers: one bit each.
#[derive(Debug, Default)]
pub(crate) struct WorkerSet {
    first: u64,
    others: Vec<u64>,
}

impl WorkerSet {
    /// Sets a worker's bit; whether it was not set.
    #[inline]
    pub(crate) fn insert(&mut self, worker: WorkerSlot) -> bool {
        let word = match worker.index() / 64 {
            0 => &mut self.first,
            word => {
                if word > self.others.len() {
                    self.others.resize(word, 0);
                }
                &mut self.others[word - 1]
            }
        };
        let bit = 1 << (worker.index() % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(crate) fn contains(&self, worker: WorkerSlot) -> bool {
        let word = match worker.index() / 64 {
            0 => Some(&self.first),
            word => self.others.get(word - 1),
        };
        word.is_some_and(|word| word & (1 << (worker.index() % 64)) != 0)
    }

    pub(crate) fn remove(&mut self, worker: WorkerSlot) {
        let word = match worker.index() / 64 {
            0 => Some(&mut self.first),
            word => self.others.get_mut(word - 1),
        };
        if let Some(word) = word {
            *word &= !(1 << (worker.index() % 64));
        }
    }
}

/// All graphs, found by their id or their slot.
#[derive(Debug, Default)]
pub(crate) struct Graphs {
    slots: Vec<Option<Graph>>,
    by_id: FxHashMap<GraphId, GraphSlot>,
    free: Vec<GraphSlot>,
    next_submission: u32,
    /// The submission that began the present generation, and when it did.
    generation: Option<(u32, Time)>,
}

impl Graphs {
    /// Adds a graph, its imports not linked yet; `None` where the id is taken or imports and data
    /// are not what they have to be. Without a time it belongs to no other graph's generation.
    pub(crate) fn insert(
        &mut self,
        submission: &Submission,
        now: Option<Time>,
    ) -> Option<GraphSlot> {
        let id = submission.graph;
        if self.by_id.contains_key(&id) || submission.check().is_err() {
            return None;
        }
        let Submission { plan, annotations, independent, together, .. } = submission;
        let (plan, annotations) = (plan.clone(), annotations.clone());
        let mut graph = Graph::new(id, self.next_submission, plan, annotations, *independent);
        for task in &submission.data {
            graph.task_mut(*task).become_data();
        }
        graph.unfinished -= submission.data.len() + submission.imports.len();
        // Where nothing runs, nothing comes before or after it.
        if let Some(now) = now
            && graph.unfinished > 0
        {
            match self.generation {
                Some((first, begun)) if now.0.saturating_sub(begun.0) < *together => {
                    graph.generation = first;
                }
                _ => self.generation = Some((graph.submission, now)),
            }
        }
        self.next_submission = self.next_submission.wrapping_add(1);
        let slot = self.free.pop().unwrap_or_else(|| {
            if self.slots.len() == self.slots.capacity() {
                // Doubling would leave much memory unused, since rows are long.
                self.slots.reserve_exact((self.slots.len() / 8).max(8));
            }
            self.slots.push(None);
            GraphSlot((self.slots.len() - 1) as u32)
        });
        self.slots[slot.index()] = Some(graph);
        self.by_id.insert(id, slot);
        Some(slot)
    }

    pub(crate) fn remove(&mut self, slot: GraphSlot) -> Option<Graph> {
        let graph = self.slots.get_mut(slot.index())?.take()?;
        self.by_id.remove(&graph.id);
        self.free.push(slot);
        Some(graph)
    }

    #[inline]
    pub(crate) fn slot(&self, id: GraphId) -> Option<GraphSlot> {
        self.by_id.get(&id).copied()
    }

    #[inline]
    pub(crate) fn get(&self, slot: GraphSlot) -> Option<&Graph> {
        self.slots.get(slot.index())?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: GraphSlot) -> Option<&mut Graph> {
        self.slots.get_mut(slot.index())?.as_mut()
    }

    /// The task that has a task's value: itself, or the origin of an import. `None` where an
    /// import's origin is gone.
    #[inline]
    pub(crate) fn origin(&self, slot: GraphSlot, task: TaskId) -> Option<(GraphSlot, TaskId)> {
        let graph = self.get(slot)?;
        if graph.task(task).is_import() {
            return graph.link(task)?.origin;
        }
        Some((slot, task))
    }

    /// All workers that hold a task's value, in the order in which they came to it.
    #[inline]
    pub(crate) fn holders(&self, slot: GraphSlot, task: TaskId) -> &[WorkerSlot] {
        let Some(graph) = self.get(slot) else { return &[] };
        if graph.task(task).state != State::Imported {
            return graph.holders(task);
        }
        let Some((slot, task)) = self.origin(slot, task) else { return &[] };
        self.get(slot).map_or(&[], |graph| graph.holders(task))
    }

    /// Whether a worker holds a task's value.
    #[inline]
    pub(crate) fn is_holder(&self, slot: GraphSlot, task: TaskId, worker: WorkerSlot) -> bool {
        let Some(graph) = self.get(slot) else { return false };
        if graph.task(task).state != State::Imported {
            return graph.is_holder(task, worker);
        }
        let Some((slot, task)) = self.origin(slot, task) else { return false };
        self.get(slot).is_some_and(|graph| graph.is_holder(task, worker))
    }

    /// The slots in use, in order.
    pub(crate) fn used(&self) -> Vec<GraphSlot> {
        self.iter().map(|(slot, _)| slot).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (GraphSlot, &Graph)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, graph)| Some((GraphSlot(slot as u32), graph.as_ref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
