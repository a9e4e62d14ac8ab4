//! What a worker knows: the machine, the runs, operations and values.

use std::any::Any;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustc_hash::{FxHashMap, FxHashSet};
use samite_graph::OperationId;
use samite_scheduling::worker::{Input, Machine, Output};
use samite_scheduling::{Attempt, Event, GraphId, Portion, TaskKey, WorkerId, WorkerOptions};

use super::pressure::MemoryShares;
use super::store::{Found, Store};
use crate::encoded::Encoded;
use crate::executor::{Failure, Loaded};
use crate::protocol::{Carried, FromWorker, RunWork};
use crate::scheduler::ToScheduler;
use crate::transport::Address;

/// How many values are fetched at once.
const FETCHES: u32 = 64;

/// What a run does.
pub(super) struct RunInfo {
    pub(super) work: RunWork,
    pub(super) inputs: Box<[TaskKey]>,
    /// The part that is read of inputs in parts.
    pub(super) part: Option<u32>,
    pub(super) wanted: bool,
    pub(super) cancelled: Arc<AtomicBool>,
}

/// An operation, made ready when it is first run.
pub(super) enum Slot {
    Payload(Encoded),
    Loaded(Loaded),
    Broken(Failure),
}

/// A task to run now.
pub(super) struct Job {
    pub(super) task: TaskKey,
    pub(super) attempt: Attempt,
    pub(super) info: RunInfo,
    /// The inputs that were found, in order.
    pub(super) values: Vec<Found>,
}

/// A value to fetch now.
pub(super) struct Fetch {
    pub(super) portion: Portion,
    pub(super) source: WorkerId,
}

/// What is to be dropped when no lock is held: dropping may enter the interpreter.
pub(super) type Leavings = Vec<Box<dyn Any + Send>>;

pub(super) struct Core {
    pub(super) machine: Machine,
    outputs: Vec<Output>,
    pub(super) runs: FxHashMap<(TaskKey, Attempt), RunInfo>,
    pub(super) executing: FxHashMap<(TaskKey, Attempt), Arc<AtomicBool>>,
    pub(super) values: Store,
    pub(super) operations: FxHashMap<(GraphId, OperationId), Slot>,
    /// Graphs whose operations came before the connection was lost, and that something which runs
    /// still needs: the scheduler may not know them any more.
    former: FxHashSet<GraphId>,
    pub(super) peers: FxHashMap<WorkerId, Address>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) fetches: Vec<Fetch>,
    pub(super) reports: Vec<ToScheduler>,
    pub(super) last_sent: Instant,
    pub(super) leavings: Leavings,
    /// A small value that goes with the next report of an end.
    pub(super) inline: Option<Carried>,
    /// The failure that goes with the next report of one.
    pub(super) failure: Option<(String, Encoded)>,
    /// Threads that wait for a job and sleep.
    pub(super) idle: usize,
    /// Threads that wait for a job and look for it.
    pub(super) looking: usize,
    /// Whether everything was given up: nothing is kept any more.
    pub(super) ended: bool,
    /// Threads that may still end, since tasks that left the pool have come back.
    pub(super) surplus: usize,
    /// Calls that are to be carried out, one after the other, before any task runs.
    pub(super) preparations: VecDeque<Encoded>,
    /// Whether they are being carried out.
    pub(super) preparing: bool,
}

impl Core {
    pub(super) fn new(
        id: WorkerId,
        options: &WorkerOptions,
        shares: &MemoryShares,
        folder: Option<PathBuf>,
    ) -> Self {
        Self {
            machine: Machine::new(id, options.slots, FETCHES),
            outputs: Vec::new(),
            runs: FxHashMap::default(),
            executing: FxHashMap::default(),
            values: Store::new(options.memory_limit, shares, folder),
            operations: FxHashMap::default(),
            former: FxHashSet::default(),
            peers: FxHashMap::default(),
            jobs: VecDeque::new(),
            fetches: Vec::new(),
            reports: Vec::new(),
            last_sent: Instant::now(),
            leavings: Leavings::new(),
            inline: None,
            failure: None,
            idle: 0,
            looking: 0,
            ended: false,
            surplus: 0,
            preparations: VecDeque::new(),
            preparing: false,
        }
    }

    /// The next job, unless the worker is still made ready.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        if self.preparing { None } else { self.jobs.pop_front() }
    }

    /// Tells the machine, and notes what is to be done.
    pub(super) fn tell(&mut self, input: Input) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.machine.handle(input, &mut outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Fetch { portion, source } => self.fetches.push(Fetch { portion, source }),
                Output::Execute { task, attempt } => self.execute(task, attempt),
                Output::Interrupt { task, attempt } => {
                    if let Some(cancelled) = self.executing.get(&(task, attempt)) {
                        cancelled.store(true, Ordering::Relaxed);
                    }
                }
                Output::Drop { task } => {
                    if let Some(value) = self.values.remove(&task) {
                        self.leavings.push(Box::new(value));
                    }
                }
                Output::DropPart { portion } => {
                    if let Some(piece) = self.values.remove_piece(&portion) {
                        self.leavings.push(Box::new(piece));
                    }
                }
                Output::Report(event) => self.report(event),
            }
        }
        self.outputs = outputs;
    }

    fn execute(&mut self, task: TaskKey, attempt: Attempt) {
        let Some(info) = self.runs.remove(&(task, attempt)) else { return };
        let values = info.inputs.iter().map(|task| Portion { task: *task, part: info.part });
        let values = values.filter_map(|portion| self.values.get(&portion)).collect();
        self.executing.insert((task, attempt), info.cancelled.clone());
        self.jobs.push_back(Job { task, attempt, info, values });
    }

    fn report(&mut self, event: Event) {
        let message = match event {
            Event::TaskFinished { .. } => FromWorker::Finished { event, value: self.inline.take() },
            Event::TaskFailed { .. } => {
                let (text, error) = self.failure.take().unwrap_or_default();
                FromWorker::Failed { event, text, error }
            }
            other => FromWorker::Report(other),
        };
        self.reports.push(ToScheduler::Worker(message));
    }

    /// Forgets the operations of a graph. What they are made of may need the interpreter to be
    /// dropped, also where they were never loaded.
    pub(super) fn forget(&mut self, graph: GraphId) {
        self.former.remove(&graph);
        self.forget_where(|of| of == graph);
    }

    fn forget_where(&mut self, gone: impl Fn(GraphId) -> bool) {
        for (_, slot) in self.operations.extract_if(|(graph, _), _| gone(*graph)) {
            self.leavings.push(Box::new(slot));
        }
    }

    /// An operation has come.
    pub(super) fn add_operation(
        &mut self,
        graph: GraphId,
        operation: OperationId,
        payload: Encoded,
    ) {
        // The scheduler knows of the graph, and that this worker has operations of it.
        self.former.remove(&graph);
        let slot = Slot::Payload(payload);
        if let Some(before) = self.operations.insert((graph, operation), slot) {
            self.leavings.push(Box::new(before));
        }
    }

    /// The scheduler does not know what it has sent: it sends operations again with the tasks that
    /// need them. All are forgotten that nothing needs which runs.
    pub(super) fn forget_unneeded(&mut self) {
        let needed: FxHashSet<GraphId> =
            self.executing.keys().map(|(task, _)| task.graph).collect();
        self.forget_where(|graph| !needed.contains(&graph));
        self.former = needed;
    }

    /// A run is over: what only it still needed is forgotten.
    pub(super) fn run_over(&mut self, task: TaskKey, attempt: Attempt) {
        self.executing.remove(&(task, attempt));
        if self.former.contains(&task.graph)
            && !self.executing.keys().any(|(other, _)| other.graph == task.graph)
        {
            self.forget(task.graph);
        }
    }

    /// Tells all that runs that nobody wants it any more, and gives everything up: what is left of it
    /// is to be dropped without the lock.
    pub(super) fn give_up(&mut self) -> impl Sized + use<> {
        self.ended = true;
        let cancelled: Vec<_> = self.executing.values().cloned().collect();
        cancelled.iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
        let values =
            std::mem::replace(&mut self.values, Store::new(0, &MemoryShares::default(), None));
        let (jobs, operations) =
            (std::mem::take(&mut self.jobs), std::mem::take(&mut self.operations));
        (jobs, operations, values, std::mem::take(&mut self.leavings))
    }
}
