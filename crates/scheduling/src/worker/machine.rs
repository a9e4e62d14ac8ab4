//! The worker machine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;

use rustc_hash::FxHashMap;

use crate::action::Source;
use crate::event::Event;
use crate::ids::{Attempt, Portion, Priority, TaskKey, WorkerId};
use crate::worker::messages::{Input, Output};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// So many inputs are on their way.
    Fetching { missing: u32 },
    /// All inputs were here when it was queued.
    Queued,
    /// It runs.
    Executing,
}

#[derive(Debug)]
struct Run {
    attempt: Attempt,
    priority: Priority,
    inputs: Box<[TaskKey]>,
    part: Option<u32>,
    /// The inputs of which it keeps a part that was fetched.
    keeps: Vec<TaskKey>,
    phase: Phase,
    /// Whether it was begun for an earlier scheduler, whose numbers of runs mean nothing now.
    continued: bool,
}

#[derive(Debug)]
struct Fetch {
    source: WorkerId,
    /// Runs that wait for it; those that were forgotten meanwhile are skipped.
    waiting: Vec<(TaskKey, Attempt)>,
    /// Whether the scheduler asked for the copy itself.
    replicate: bool,
    /// Whether the driver was told; otherwise it stands in the queue of fetches.
    begun: bool,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    bytes: u64,
    duration: u64,
}

/// An invariant of the worker machine that does not hold: a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker:?}: {fault}")]
pub struct Fault {
    /// The worker.
    pub worker: WorkerId,
    /// What is wrong.
    pub fault: &'static str,
}

/// Decides what a worker fetches and runs next.
#[derive(Debug)]
pub struct Machine {
    id: WorkerId,
    slots: usize,
    /// The slots that it has when no task has left its own.
    own_slots: usize,
    /// Whether tasks begin only where none runs in an own slot.
    held: bool,
    fetch_limit: usize,
    values: FxHashMap<TaskKey, Value>,
    runs: FxHashMap<TaskKey, Run>,
    queue: BinaryHeap<Reverse<(Priority, TaskKey, Attempt)>>,
    /// Parts that were fetched, and how many runs keep each. They are copies for these runs alone,
    /// of which the scheduler knows nothing.
    parts: FxHashMap<Portion, u32>,
    fetches: FxHashMap<Portion, Fetch>,
    fetch_queue: BinaryHeap<Reverse<(Priority, Portion)>>,
    fetching: usize,
    /// Executions that have begun and not ended, and whether they were forgotten meanwhile.
    executing: FxHashMap<(TaskKey, Attempt), bool>,
}

impl Machine {
    /// A worker that runs `slots` tasks and fetches `fetch_limit` values at once.
    pub fn new(id: WorkerId, slots: u32, fetch_limit: u32) -> Self {
        Self {
            id,
            slots: slots.max(1) as usize,
            own_slots: slots.max(1) as usize,
            held: false,
            fetch_limit: fetch_limit.max(1) as usize,
            values: FxHashMap::default(),
            runs: FxHashMap::default(),
            queue: BinaryHeap::new(),
            parts: FxHashMap::default(),
            fetches: FxHashMap::default(),
            fetch_queue: BinaryHeap::new(),
            fetching: 0,
            executing: FxHashMap::default(),
        }
    }

    /// The id under which the scheduler knows this worker.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// How many tasks may run at once.
    pub fn slots(&self) -> u32 {
        u32::try_from(self.slots).unwrap_or(u32::MAX)
    }

    /// How many executions there may be now.
    fn most_executions(&self) -> usize {
        if self.held { self.slots.saturating_sub(self.own_slots) + 1 } else { self.slots }
    }

    /// Whether tasks begin only where none runs.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether tasks are executing that have not left their slots.
    pub fn is_busy(&self) -> bool {
        self.executing.len() > self.slots.saturating_sub(self.own_slots)
    }

    /// Whether the worker holds a value.
    pub fn holds(&self, task: TaskKey) -> bool {
        self.values.contains_key(&task)
    }

    /// The number of values held, and of parts.
    pub fn values(&self) -> usize {
        self.values.len() + self.parts.len()
    }

    /// Whether a part that was fetched is still needed.
    pub fn keeps(&self, portion: Portion) -> bool {
        self.parts.contains_key(&portion)
    }

    /// The number of runs that have not ended, executions that were forgotten included.
    pub fn unfinished(&self) -> usize {
        self.runs.len() + self.executing.values().filter(|forgotten| **forgotten).count()
    }

    /// Takes note of an input and appends what follows from it.
    pub fn handle(&mut self, input: Input, outputs: &mut Vec<Output>) {
        match input {
            Input::Run { task, attempt, priority, inputs, sources, part } => {
                let run = Run {
                    attempt,
                    priority,
                    inputs,
                    part,
                    keeps: Vec::new(),
                    phase: Phase::Queued,
                    continued: false,
                };
                self.run(task, run, &sources, outputs);
            }
            Input::Cancel { task, attempt } => {
                if self.runs.get(&task).is_some_and(|run| run.attempt == attempt) {
                    self.forget(task, outputs);
                }
            }
            Input::Free { task } => {
                if self.values.remove(&task).is_some() {
                    outputs.push(Output::Drop { task });
                }
            }
            Input::Steal { task, attempt } => self.steal(task, attempt, outputs),
            Input::Replicate { task, source } => self.replicate(task, source, outputs),
            Input::Reconnected { worker } => self.reconnected(worker, outputs),
            Input::Stored { task, bytes } => {
                self.values.entry(task).or_insert(Value { bytes, duration: 0 });
                let worker = self.id;
                outputs.push(Output::Report(Event::ReplicaAdded { worker, task, bytes }));
            }
            Input::Slots { slots } => {
                self.slots = slots.max(1) as usize;
                let worker = self.id;
                outputs.push(Output::Report(Event::SlotsChanged { worker, slots }));
            }
            Input::Held { held } => self.held = held,
            Input::Fetched { portion, bytes, copy } => {
                self.fetched(portion, bytes, copy, outputs);
            }
            Input::FetchFailed { portion } => self.fetch_failed(portion, outputs),
            Input::Executed { task, attempt, bytes, duration } => {
                self.executed(task, attempt, Value { bytes, duration }, outputs);
            }
            Input::ExecutionFailed { task, attempt } => {
                if self.ended(task, attempt, outputs) {
                    let worker = self.id;
                    outputs.push(Output::Report(Event::TaskFailed { worker, task, attempt }));
                }
            }
            Input::ExecutionRescheduled { task, attempt } => {
                if self.ended(task, attempt, outputs) {
                    let worker = self.id;
                    let event = Event::TaskRescheduled { worker, task, attempt };
                    outputs.push(Output::Report(event));
                }
            }
            Input::ValueLost { task } => {
                if self.values.remove(&task).is_some() {
                    let worker = self.id;
                    outputs.push(Output::Report(Event::ReplicaLost { worker, task }));
                }
            }
        }
        self.begin_fetches(outputs);
        self.begin_executions(outputs);
    }

    fn run(&mut self, task: TaskKey, mut new: Run, sources: &[Source], outputs: &mut Vec<Output>) {
        let (attempt, priority) = (new.attempt, new.priority);
        if let Some(run) = self.runs.get(&task) {
            if run.attempt == attempt || (run.attempt > attempt && !run.continued) {
                return;
            }
            self.forget(task, outputs);
        }
        if let Some(Value { bytes, duration }) = self.values.get(&task).copied() {
            let worker = self.id;
            let event = Event::TaskFinished { worker, task, attempt, bytes, duration };
            outputs.push(Output::Report(event));
            return;
        }
        let mut missing = 0;
        for source in sources {
            let key = source.input;
            if self.values.contains_key(&key) {
                continue;
            }
            let portion = Portion { task: key, part: new.part };
            if let Some(users) = self.parts.get_mut(&portion) {
                *users += 1;
                new.keeps.push(key);
                continue;
            }
            missing += 1;
            self.want(portion, source.worker, Some(priority)).waiting.push((task, attempt));
        }
        if missing > 0 {
            new.phase = Phase::Fetching { missing };
        }
        let queued = new.phase == Phase::Queued;
        self.runs.insert(task, new);
        if queued {
            self.queue.push(Reverse((priority, task, attempt)));
        }
    }

    /// The fetch of a value, new or under way.
    fn want(
        &mut self,
        portion: Portion,
        source: WorkerId,
        priority: Option<Priority>,
    ) -> &mut Fetch {
        let Self { fetches, fetch_queue, .. } = self;
        fetches.entry(portion).or_insert_with(|| {
            let priority = priority.unwrap_or(Priority::new(i32::MIN, u32::MAX, u32::MAX));
            fetch_queue.push(Reverse((priority, portion)));
            Fetch { source, waiting: Vec::new(), replicate: false, begun: false }
        })
    }

    fn begin_fetches(&mut self, outputs: &mut Vec<Output>) {
        while self.fetching < self.fetch_limit {
            let Some(Reverse((_, portion))) = self.fetch_queue.pop() else { return };
            let Some(fetch) = self.fetches.get_mut(&portion).filter(|fetch| !fetch.begun) else {
                continue;
            };
            let runs = &self.runs;
            let wanted = fetch.waiting.iter().any(|waiter| waits(runs, *waiter));
            if !wanted && !fetch.replicate {
                self.fetches.remove(&portion);
                continue;
            }
            fetch.begun = true;
            self.fetching += 1;
            outputs.push(Output::Fetch { portion, source: fetch.source });
        }
    }

    fn begin_executions(&mut self, outputs: &mut Vec<Output>) {
        while self.executing.len() < self.most_executions() {
            let Some(Reverse((_, task, attempt))) = self.queue.pop() else { return };
            let Some(run) = self.runs.get_mut(&task) else { continue };
            if run.attempt != attempt || run.phase != Phase::Queued {
                continue;
            }
            // An input that was here may have been dropped or lost since.
            let gone = run
                .inputs
                .iter()
                .copied()
                .find(|input| !self.values.contains_key(input) && !run.keeps.contains(input));
            let worker = self.id;
            if let Some(input) = gone {
                self.detach(task, outputs);
                let event = Event::FetchFailed { worker, task, attempt, input, source: worker };
                outputs.push(Output::Report(event));
                continue;
            }
            // The same run that was forgotten and asked for again waits for its own ghost.
            if self.executing.contains_key(&(task, attempt)) {
                self.detach(task, outputs);
                let event = Event::TaskRescheduled { worker, task, attempt };
                outputs.push(Output::Report(event));
                continue;
            }
            run.phase = Phase::Executing;
            self.executing.insert((task, attempt), false);
            outputs.push(Output::Execute { task, attempt });
        }
    }

    /// Takes a run out of the tables, also out of the lists of those who wait for inputs: the same
    /// run may come again, and must not be listed twice.
    fn detach(&mut self, task: TaskKey, outputs: &mut Vec<Output>) -> Option<Run> {
        let run = self.runs.remove(&task)?;
        self.let_go(&run, outputs);
        if matches!(run.phase, Phase::Fetching { .. }) {
            for input in &run.inputs {
                let portion = Portion { task: *input, part: run.part };
                if let Some(fetch) = self.fetches.get_mut(&portion) {
                    fetch.waiting.retain(|waiter| *waiter != (task, run.attempt));
                }
            }
        }
        Some(run)
    }

    /// Lets go of the parts that a run has kept.
    fn let_go(&mut self, run: &Run, outputs: &mut Vec<Output>) {
        for task in &run.keeps {
            let portion = Portion { task: *task, part: run.part };
            let Entry::Occupied(mut users) = self.parts.entry(portion) else { continue };
            *users.get_mut() = users.get().saturating_sub(1);
            if *users.get() == 0 {
                users.remove();
                outputs.push(Output::DropPart { portion });
            }
        }
    }

    /// Drops a run, whatever its phase.
    fn forget(&mut self, task: TaskKey, outputs: &mut Vec<Output>) {
        let Some(run) = self.detach(task, outputs) else { return };
        let attempt = run.attempt;
        if let Some(forgotten) = self.executing.get_mut(&(task, attempt)) {
            *forgotten = true;
            outputs.push(Output::Interrupt { task, attempt });
        }
    }

    fn steal(&mut self, task: TaskKey, attempt: Attempt, outputs: &mut Vec<Output>) {
        let given = self
            .runs
            .get(&task)
            .is_some_and(|run| run.attempt == attempt && run.phase != Phase::Executing);
        if given {
            self.detach(task, outputs);
        }
        let worker = self.id;
        outputs.push(Output::Report(Event::StealAnswered { worker, task, attempt, given }));
    }

    fn replicate(&mut self, task: TaskKey, source: WorkerId, outputs: &mut Vec<Output>) {
        if let Some(value) = self.values.get(&task) {
            let (worker, bytes) = (self.id, value.bytes);
            outputs.push(Output::Report(Event::ReplicaAdded { worker, task, bytes }));
            return;
        }
        self.want(Portion::whole(task), source, None).replicate = true;
    }

    fn reconnected(&mut self, worker: WorkerId, outputs: &mut Vec<Output>) {
        self.id = worker;
        let mut runs: Vec<TaskKey> = self.runs.keys().copied().collect();
        runs.sort_unstable();
        let mut going = Vec::new();
        for task in runs {
            match self.runs.get_mut(&task) {
                Some(run) if run.phase == Phase::Executing => {
                    run.continued = true;
                    going.push((task, run.attempt));
                }
                _ => self.forget(task, outputs),
            }
        }
        let mut values: Vec<(TaskKey, u64)> =
            self.values.iter().map(|(task, value)| (*task, value.bytes)).collect();
        values.sort_unstable();
        for (task, bytes) in values {
            outputs.push(Output::Report(Event::ReplicaAdded { worker, task, bytes }));
        }
        for (task, attempt) in going {
            outputs.push(Output::Report(Event::RunContinues { worker, task, attempt }));
        }
    }

    fn fetched(&mut self, portion: Portion, bytes: u64, copy: bool, outputs: &mut Vec<Output>) {
        let task = portion.task;
        let Some(fetch) = self.fetches.remove(&portion) else { return };
        self.fetching -= usize::from(fetch.begun);
        let runs = &self.runs;
        let wanted = fetch.waiting.iter().any(|waiter| waits(runs, *waiter));
        let passes = portion.part.is_some() || !(copy || fetch.replicate);
        if passes && !(portion.part.is_none() && self.values.contains_key(&task)) {
            if wanted {
                self.parts.entry(portion).or_insert(0);
            } else {
                outputs.push(Output::DropPart { portion });
            }
        } else if let Entry::Vacant(entry) = self.values.entry(task) {
            // Where the value is known, a run of the task itself was faster than the fetch.
            if wanted || fetch.replicate {
                entry.insert(Value { bytes, duration: 0 });
                let worker = self.id;
                outputs.push(Output::Report(Event::ReplicaAdded { worker, task, bytes }));
            } else {
                outputs.push(Output::Drop { task });
            }
        }
        for (waiter, attempt) in fetch.waiting {
            let Some(run) = self.runs.get_mut(&waiter) else { continue };
            if run.attempt != attempt {
                continue;
            }
            if let Phase::Fetching { missing } = run.phase {
                if let Some(users) = self.parts.get_mut(&portion) {
                    *users += 1;
                    run.keeps.push(task);
                }
                run.phase = Phase::Fetching { missing: missing - 1 };
                if missing == 1 {
                    run.phase = Phase::Queued;
                    self.queue.push(Reverse((run.priority, waiter, attempt)));
                }
            }
        }
    }

    fn fetch_failed(&mut self, portion: Portion, outputs: &mut Vec<Output>) {
        let task = portion.task;
        let Some(fetch) = self.fetches.remove(&portion) else { return };
        self.fetching -= usize::from(fetch.begun);
        let worker = self.id;
        for (waiter, attempt) in fetch.waiting {
            if !waits(&self.runs, (waiter, attempt)) {
                continue;
            }
            self.detach(waiter, outputs);
            let (input, source) = (task, fetch.source);
            let event = Event::FetchFailed { worker, task: waiter, attempt, input, source };
            outputs.push(Output::Report(event));
        }
        if fetch.replicate && !self.values.contains_key(&task) {
            outputs.push(Output::Report(Event::ReplicaLost { worker, task }));
        }
    }

    fn executed(
        &mut self,
        task: TaskKey,
        attempt: Attempt,
        value: Value,
        outputs: &mut Vec<Output>,
    ) {
        let known = self.executing.contains_key(&(task, attempt));
        if self.ended(task, attempt, outputs) {
            self.values.insert(task, value);
            let (worker, Value { bytes, duration }) = (self.id, value);
            let event = Event::TaskFinished { worker, task, attempt, bytes, duration };
            outputs.push(Output::Report(event));
        } else if known && !self.values.contains_key(&task) {
            outputs.push(Output::Drop { task });
        }
    }

    /// Notes the end of an execution; true where its run was not forgotten meanwhile.
    fn ended(&mut self, task: TaskKey, attempt: Attempt, outputs: &mut Vec<Output>) -> bool {
        if self.executing.remove(&(task, attempt)) != Some(false) {
            return false;
        }
        self.detach(task, outputs).is_some()
    }

    /// Walks the invariants, for tests.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check_consistent(&self) -> Result<(), Fault> {
        let mut waited: FxHashMap<(TaskKey, Attempt), u32> = FxHashMap::default();
        let waiting = self.fetches.values().flat_map(|fetch| &fetch.waiting);
        waiting.for_each(|waiter| *waited.entry(*waiter).or_insert(0) += 1);
        let runs_fit = self.runs.iter().all(|(task, run)| match run.phase {
            Phase::Fetching { missing } => {
                missing > 0 && waited.get(&(*task, run.attempt)) == Some(&missing)
            }
            Phase::Queued => {
                let entry = Reverse((run.priority, *task, run.attempt));
                self.queue.iter().any(|queued| *queued == entry)
            }
            Phase::Executing => self.executing.get(&(*task, run.attempt)) == Some(&false),
        });
        let mut kept: FxHashMap<Portion, u32> = FxHashMap::default();
        let keeps = self
            .runs
            .values()
            .flat_map(|run| run.keeps.iter().map(|task| Portion { task: *task, part: run.part }));
        keeps.for_each(|portion| *kept.entry(portion).or_insert(0) += 1);
        let begun = self.fetches.values().filter(|fetch| fetch.begun).count();
        let fault = if !runs_fit {
            "a run is not where its phase says"
        } else if self.executing.len() > self.slots {
            "more tasks are executing than there are slots"
        } else if kept != self.parts {
            "a part is kept by other runs than those that are counted"
        } else if begun != self.fetching {
            "the count of fetches is wrong"
        } else if self.executing.len() < self.most_executions()
            && self.runs.values().any(|run| run.phase == Phase::Queued)
        {
            "a task is queued beside a free slot"
        } else {
            return Ok(());
        };
        Err(Fault { worker: self.id, fault })
    }
}

/// Whether a run still waits for a fetch.
fn waits(runs: &FxHashMap<TaskKey, Run>, (task, attempt): (TaskKey, Attempt)) -> bool {
    runs.get(&task)
        .is_some_and(|run| run.attempt == attempt && matches!(run.phase, Phase::Fetching { .. }))
}
