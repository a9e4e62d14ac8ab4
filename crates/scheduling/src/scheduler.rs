//! The scheduler machine: its state, and which reaction an event leads to.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use samite_graph::TaskId;

use crate::action::Action;
use crate::event::Event;
use crate::graphs::Graphs;
use crate::ids::{Attempt, GraphSlot, TaskKey, Time, WorkerSlot};
use crate::journal::{Continued, Record};
use crate::moving::Move;
use crate::options::Options;
use crate::placement::Scratch;
use crate::queues::{DEPENDENTS, Entry, Queues, SOURCES};
use crate::task::State;
use crate::workers::{Assigned, Workers};

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs that ended well.
    pub finished: u64,
    /// Runs that ended with an error.
    pub failed: u64,
    /// Reports that did not fit the present state and were dropped.
    pub stale: u64,
    /// Reports about graphs, tasks or workers that do not exist, and submissions of a taken id.
    pub unknown: u64,
    /// Values that were lost and computed again.
    pub recomputed: u64,
    /// Inputs that a worker could not get.
    pub fetches_failed: u64,
    /// Tasks that a busy worker was asked to give up.
    pub steals_asked: u64,
    /// Tasks that a busy worker gave up.
    pub steals_given: u64,
}

/// Decides which task runs where, and which value is dropped when.
///
/// The machine is pure: it reads no clock and does no I/O. Its driver passes every event to
/// [`handle`](Self::handle), and after a batch of events calls [`place`](Self::place) once; both
/// append the actions that the driver then carries out in order.
///
/// The driver's part of the contract:
/// - Ids of graphs and workers are never used twice; a worker that comes back gets a new one.
/// - Messages between the scheduler and one worker arrive in the order in which they were sent.
/// - A run ends in exactly one report, unless it is cancelled or its worker is lost.
/// - A `Free` of a value that is not there, and a `Cancel` of a run that has ended, are ignored.
///
/// Whatever else comes in is dropped and counted: the machine never panics over it.
///
/// ```
/// use std::sync::Arc;
/// use samite_graph::{OperationId, PlanBuilder};
/// use samite_scheduling::{
///     Action, Attempt, Event, GraphId, Options, Scheduler, Submission, Time, WorkerId,
///     WorkerOptions,
/// };
///
/// let mut builder = PlanBuilder::with_capacity(1, 0);
/// let only = builder.push(OperationId(0), 0, []);
/// let plan = Arc::new(builder.finish(vec![only])?);
///
/// let mut scheduler = Scheduler::new(Options::one_machine());
/// let mut actions = Vec::new();
/// let (graph, worker, now) = (GraphId(0), WorkerId(0), Time(0));
/// let joined = Event::WorkerJoined { worker, options: WorkerOptions::with_slots(1) };
/// scheduler.handle(now, joined, &mut actions);
/// let submission = Submission::new(graph, plan, Arc::from([]));
/// let submitted = Event::GraphSubmitted(Box::new(submission));
/// scheduler.handle(now, submitted, &mut actions);
/// scheduler.place(now, &mut actions);
/// let Some(Action::Run { task, attempt, .. }) = actions.pop() else { unreachable!() };
///
/// let finished = Event::TaskFinished { worker, task, attempt, bytes: 8, duration: 100 };
/// scheduler.handle(now, finished, &mut actions);
/// assert!(matches!(actions[..], [Action::OutputReady { .. }, Action::GraphDone { .. }]));
/// # Ok::<(), samite_graph::GraphError>(())
/// ```
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) options: Options,
    pub(crate) graphs: Graphs,
    pub(crate) workers: Workers,
    pub(crate) queues: Queues,
    pub(crate) counters: Counters,
    /// Between a replay and `RestoreEnded`: replicas are gathered and nothing is placed.
    pub(crate) restoring: bool,
    /// Tasks that workers were asked to give up and have not answered for.
    pub(crate) steals_open: usize,
    /// How many workers shall leave.
    pub(crate) retiring: usize,
    /// The values of which several copies were asked for.
    pub(crate) replicated: BTreeSet<(GraphSlot, TaskId)>,
    /// The values that are on their way from one worker to another for balance.
    pub(crate) moves: FxHashMap<TaskKey, Move>,
    /// While it is restored: the runs that go on.
    pub(crate) continued: Vec<Continued>,
    pub(crate) scratch: Scratch,
}

/// A worker that had room for more tasks and has none gives the memory back.
const MANY_ASSIGNED: usize = 256;

impl Scheduler {
    /// A scheduler without graphs and workers.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            graphs: Graphs::default(),
            workers: Workers::default(),
            queues: Queues::default(),
            counters: Counters::default(),
            restoring: false,
            steals_open: 0,
            retiring: 0,
            replicated: BTreeSet::new(),
            moves: FxHashMap::default(),
            continued: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The number of graphs that were not released, cancelled or failed.
    pub fn graphs(&self) -> usize {
        self.graphs.len()
    }

    /// The number of workers.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The tasks of a graph that still have to run or are running; `None` for no such graph.
    pub fn unfinished(&self, graph: crate::GraphId) -> Option<usize> {
        Some(self.graphs.get(self.graphs.slot(graph)?)?.unfinished)
    }

    /// Takes note of an event and appends what follows from it at once. New runs come only from
    /// [`place`](Self::place).
    pub fn handle(&mut self, now: Time, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::TaskFinished { worker, task, attempt, bytes, duration } => {
                self.task_finished(worker, task, attempt, bytes, duration, actions);
            }
            Event::TaskFailed { worker, task, attempt } => {
                self.task_failed(worker, task, attempt, actions);
            }
            Event::TaskRescheduled { worker, task, attempt } => {
                self.task_rescheduled(worker, task, attempt, actions);
            }
            Event::FetchFailed { worker, task, attempt, input, source } => {
                self.fetch_failed(worker, task, attempt, input, source, actions);
            }
            Event::StealAnswered { worker, task, attempt, given } => {
                self.steal_answered(worker, task, attempt, given, actions);
            }
            Event::ReplicaAdded { worker, task, bytes } => {
                self.replica_added(worker, task, bytes, actions);
            }
            Event::ReplicaLost { worker, task } => self.replica_lost(worker, task, actions),
            Event::ReplicasWanted { task, copies, workers } => {
                self.replicas_wanted(task, copies, workers, actions);
            }
            Event::GraphSubmitted(submission) => self.graph_submitted(submission, now, actions),
            Event::GraphReleased { graph } => self.graph_released(graph, actions),
            Event::GraphCancelled { graph } => self.graph_cancelled(graph, actions),
            Event::OutputsWanted { graph, tasks } => self.outputs_wanted(graph, tasks, actions),
            Event::Retry { tasks } => self.retry(tasks, actions),
            Event::TasksCancelled { tasks } => self.tasks_cancelled(&tasks, actions),
            Event::WorkerRetiring { worker } => self.worker_retiring(worker, actions),
            Event::Rebalance { workers, tasks } => {
                self.rebalance(&workers, tasks.as_deref(), actions);
            }
            Event::ReduceReplicas { memory } => self.reduce_replicas(&memory, actions),
            Event::CopyWanted { worker, task } => self.copy_wanted(worker, task, actions),
            Event::CopyUnwanted { worker, task } => self.copy_unwanted(worker, task, actions),
            Event::NoWorkerCame { tasks } => self.no_worker_came(&tasks, actions),
            Event::DataLost { task } => self.data_lost(task, actions),
            Event::RunContinues { worker, task, attempt } => {
                self.run_continues(Continued { worker, task, attempt }, actions);
            }
            Event::OutputsReleased { graph, tasks } => {
                self.outputs_released(graph, tasks, actions);
            }
            Event::WorkerJoined { worker, options } => self.worker_joined(worker, options, actions),
            Event::WorkerLost { worker } => self.worker_lost(worker, actions),
            Event::CapacityChanged { worker, capacity } => self.capacity_changed(worker, capacity),
            Event::SlotsChanged { worker, slots } => self.slots_changed(worker, slots),
            Event::MemoryChanged { worker, bytes, pressure } => {
                self.memory_changed(worker, bytes, pressure);
            }
            Event::RestoreEnded => self.restore_ended(actions),
        }
    }

    /// Sends ready tasks to workers that have room, as one batch, and lets idle workers take from
    /// busy ones.
    pub fn place(&mut self, _now: Time, actions: &mut Vec<Action>) {
        if self.restoring || self.workers.len() == 0 {
            return;
        }
        self.place_ready(actions);
        if self.options.stealing {
            self.steal(actions);
        }
        if self.retiring > 0 {
            self.tell_retired(actions);
        }
    }

    /// The public name of a task.
    #[inline]
    pub(crate) fn key(&self, slot: GraphSlot, task: TaskId) -> Option<TaskKey> {
        Some(TaskKey { graph: self.graphs.get(slot)?.id, task })
    }

    /// Finds what a report speaks of; counts it as unknown otherwise.
    #[inline]
    pub(crate) fn find_task(&mut self, key: TaskKey) -> Option<GraphSlot> {
        let slot = self.graphs.slot(key.graph).filter(|slot| {
            self.graphs.get(*slot).is_some_and(|graph| key.task.index() < graph.tasks.len())
        });
        if slot.is_none() {
            self.counters.unknown += 1;
        }
        slot
    }

    /// Finds the worker that reports; counts the report as unknown otherwise.
    #[inline]
    pub(crate) fn find_worker(&mut self, worker: crate::WorkerId) -> Option<WorkerSlot> {
        let slot = self.workers.slot(worker);
        if slot.is_none() {
            self.counters.unknown += 1;
        }
        slot
    }

    /// Whether a report speaks of the run that the task is in now; counts it as stale otherwise.
    #[inline]
    pub(crate) fn is_current(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        worker: WorkerSlot,
        attempt: Attempt,
    ) -> bool {
        let current = self.graphs.get(slot).is_some_and(|graph| {
            let task = graph.task(task);
            task.attempt == attempt && task.state.runner() == Some(worker)
        });
        if !current {
            self.counters.stale += 1;
        }
        current
    }

    /// Puts a task whose inputs exist into the queue of its kind.
    #[inline]
    pub(crate) fn make_ready(&mut self, slot: GraphSlot, task: TaskId) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        graph.task_mut(task).state = State::Ready;
        let priority = graph.priority(task);
        let queue = self.queue_of(slot, task);
        self.queues.push(queue, Entry { priority, graph: slot, task });
    }

    /// The queue of a task's kind; made when its first task comes.
    #[inline]
    pub(crate) fn queue_of(&mut self, slot: GraphSlot, task: TaskId) -> usize {
        let Some(graph) = self.graphs.get(slot) else { return DEPENDENTS };
        let source = graph.is_source(task);
        match graph.options(task) {
            Some((_, options)) if options.is_restricted() => {
                if let Some(queue) = self.queues.restricted(options, source) {
                    return queue;
                }
                let allowed = self
                    .workers
                    .iter()
                    .filter(|(_, worker)| {
                        options.workers.iter().any(|name| worker.options.answers_to(name))
                    })
                    .map(|(slot, _)| slot)
                    .collect();
                self.queues.add(options, source, allowed)
            }
            _ => {
                if source {
                    SOURCES
                } else {
                    DEPENDENTS
                }
            }
        }
    }

    /// Notes that a ready task was given to a worker; the caller tells the worker.
    #[inline]
    pub(crate) fn assign(&mut self, slot: GraphSlot, task: TaskId, to: WorkerSlot) -> Attempt {
        let Some(graph) = self.graphs.get(slot) else { return Attempt(0) };
        let attempt = graph.task(task).attempt.next();
        self.assign_as(slot, task, to, attempt);
        attempt
    }

    /// As [`assign`](Self::assign), with the number of the run.
    #[inline]
    pub(crate) fn assign_as(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        to: WorkerSlot,
        attempt: Attempt,
    ) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let expected = graph
            .durations
            .expected(graph.duration_row(task))
            .unwrap_or(self.options.unknown_duration);
        let options = graph.options(task).map(|(row, _)| row);
        let annotations = options.map(|_| graph.annotations.clone());
        let row = graph.task_mut(task);
        row.state = State::Assigned { worker: to };
        row.attempt = attempt;
        let position = self.workers.change(to, |worker| {
            worker.assigned.push(Assigned { graph: slot, task, expected, asked: false });
            worker.occupancy = worker.occupancy.saturating_add(expected);
            if let (Some(row), Some(annotations)) = (options, &annotations) {
                worker.take_resources(&annotations[row].resources);
            }
            worker.assigned.len() - 1
        });
        row.position = position.unwrap_or(0) as u32;
    }

    /// Takes a task off the list of the worker that runs it; the caller sets its next state.
    #[inline]
    pub(crate) fn unassign(&mut self, slot: GraphSlot, task: TaskId, from: WorkerSlot) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if matches!(graph.task(task).state, State::Stealing { .. }) {
            self.steals_open = self.steals_open.saturating_sub(1);
        }
        let position = graph.task(task).position as usize;
        let options = graph.options(task).map(|(row, _)| row);
        let annotations = options.map(|_| graph.annotations.clone());
        let moved = self.workers.change(from, |worker| {
            if position >= worker.assigned.len() {
                return None;
            }
            let assigned = worker.assigned.swap_remove(position);
            worker.occupancy = worker.occupancy.saturating_sub(assigned.expected);
            if worker.assigned.is_empty() && worker.assigned.capacity() > MANY_ASSIGNED {
                worker.assigned = Vec::new();
            }
            if let (Some(row), Some(annotations)) = (options, &annotations) {
                worker.give_resources_back(&annotations[row].resources);
            }
            worker.assigned.get(position).copied()
        });
        if let Some(Some(moved)) = moved
            && let Some(graph) = self.graphs.get_mut(moved.graph)
        {
            graph.task_mut(moved.task).position = position as u32;
        }
    }

    pub(crate) fn journal(&self, actions: &mut Vec<Action>, record: impl FnOnce() -> Record) {
        if self.options.journal {
            actions.push(Action::Journal(record()));
        }
    }
}
