//! The simulated cluster: carries messages between the machines and plays the world around them.

use rustc_hash::FxHashMap;
use samite_graph::TaskId;

use crate::action::Action;
use crate::event::{Event, Pressure};
use crate::ids::{Attempt, GraphId, Portion, TaskKey, Time, WorkerId};
use crate::journal::Record;
use crate::options::{Options, WorkerOptions};
use crate::scheduler::Scheduler;
use crate::simulation::faults::Faults;
use crate::simulation::jobs::{Client, Job, value};
use crate::simulation::network::{Agenda, End, Happening};
use crate::simulation::node::Node;
use crate::simulation::outcome::{Outcome, SimulationError};
use crate::simulation::random::Random;
use crate::worker::{Input, Output};

/// A cluster, its clients, and its faults.
#[derive(Debug)]
pub struct Simulation {
    pub(super) random: Random,
    pub(super) faults: Faults,
    options: Options,
    pub(super) scheduler: Scheduler,
    /// How often the scheduler was restarted.
    life: u32,
    journal: Vec<Record>,
    pub(super) agenda: Agenda,
    placing: bool,
    pub(super) nodes: Vec<Node>,
    pub(super) node_of: FxHashMap<WorkerId, usize>,
    next_worker: u32,
    pub(super) jobs: Vec<(Job, Client)>,
    pub(super) expected: Vec<Vec<u64>>,
    pub(super) outcome: Outcome,
    /// A worker with which something was lost, though it was said that it can go.
    pub(super) too_soon: Option<WorkerId>,
    /// An output that erred without reason, and the task that was named.
    pub(super) unfounded: Option<(TaskKey, TaskKey)>,
    check_every: u64,
    trace: Option<Vec<String>>,
}

const BYTES: u64 = 50_000;
const DURATION: (u64, u64) = (100_000, 10_000_000);

impl Simulation {
    /// A cluster of these workers. Where the faults hold restarts, the options must have the
    /// journal switched on.
    pub fn new(seed: u64, options: Options, faults: Faults, workers: Vec<WorkerOptions>) -> Self {
        let mut simulation = Self {
            random: Random::new(seed),
            faults,
            scheduler: Scheduler::new(options.clone()),
            options,
            life: 0,
            journal: Vec::new(),
            agenda: Agenda::default(),
            placing: false,
            nodes: Vec::new(),
            node_of: FxHashMap::default(),
            next_worker: 0,
            jobs: Vec::new(),
            expected: Vec::new(),
            outcome: Outcome::default(),
            too_soon: None,
            unfounded: None,
            check_every: 1,
            trace: None,
        };
        let count = workers.len();
        for options in workers {
            let slow = simulation.random.chance(simulation.faults.slow);
            simulation.add_node(options, if slow { 10 } else { 1 });
        }
        simulation.plan_faults(count);
        simulation
    }

    /// Walks the scheduler's invariants only after every so many happenings, for large graphs.
    pub fn check_every(&mut self, happenings: u64) {
        self.check_every = happenings.max(1);
    }

    /// Keeps a line for each happening, action and message, for [`trace`](Self::trace).
    pub fn keep_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// The lines kept.
    pub fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Adds a graph and its client.
    pub fn add_job(&mut self, job: Job) {
        let number = self.jobs.len();
        self.agenda.at(job.submitted, Happening::Submit { job: number });
        if let Some(time) = job.released {
            self.agenda.at(time.max(job.submitted + 1), Happening::Release { job: number });
        }
        if let Some((time, _)) = job.dropped {
            self.agenda.at(time.max(job.submitted + 1), Happening::DropOutputs { job: number });
        }
        if let (Some((dropped, _)), Some(time)) = (&job.dropped, job.wanted_again) {
            let time = time.max(*dropped).max(job.submitted + 1) + 1;
            self.agenda.at(time, Happening::WantAgain { job: number });
        }
        if let Some((time, _)) = job.cancelled {
            self.agenda.at(time.max(job.submitted + 1), Happening::CancelTask { job: number });
        }
        self.expected.push(job.expected(&self.expected));
        let fragile = job.fragile();
        self.jobs.push((job, Client { fragile, ..Client::default() }));
    }

    /// Runs until nothing happens any more.
    ///
    /// # Errors
    /// Whatever a correct machine would never do; see [`SimulationError`].
    pub fn run(&mut self) -> Result<Outcome, SimulationError> {
        let tasks: usize = self.jobs.iter().map(|(job, _)| job.plan.len()).sum();
        let limit = 100_000 + 2_000 * tasks as u64;
        let mut happenings = 0;
        while let Some(happening) = self.agenda.next() {
            happenings += 1;
            if happenings > limit {
                return Err(SimulationError::Endless { happenings });
            }
            if self.trace.is_some() {
                let line = format!("{:>12} {happening:?}", self.agenda.now());
                self.note(line);
            }
            let checked = happenings % self.check_every == 0;
            let name = checked.then(|| format!("{happening:?}"));
            self.happen(happening)?;
            if let Some((task, origin)) = self.unfounded {
                return Err(SimulationError::Erred { task, origin });
            }
            if let Some(worker) = self.too_soon {
                return Err(SimulationError::RetiredTooSoon { worker });
            }
            if let Some(after) = name {
                let check = self.scheduler.check_consistent();
                check.map_err(|source| SimulationError::Scheduler { after, source })?;
            }
        }
        self.check_end()?;
        self.outcome.ended = Time(self.agenda.now());
        self.outcome.counters = self.scheduler.counters();
        Ok(self.outcome)
    }

    fn note(&mut self, line: String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line);
        }
    }

    fn plan_faults(&mut self, workers: usize) {
        let Faults { kills, joins, squeezes, losses, restarts, horizon, .. } = self.faults;
        let Faults { retirements, rebalances, .. } = self.faults;
        let Self { random, agenda, .. } = self;
        for _ in 0..kills {
            agenda.at(random.below(horizon), Happening::Kill { victim: random.number() });
        }
        for _ in 0..joins {
            let like = random.below(workers as u64) as usize;
            agenda.at(random.below(horizon), Happening::Join { like });
        }
        for _ in 0..squeezes {
            let time = random.below(horizon);
            let until = time + random.between(1, horizon);
            let (victim, kind) = (random.number(), random.below(3));
            agenda.at(time, Happening::Squeeze { victim, kind, until });
        }
        for _ in 0..losses {
            let (victim, value) = (random.number(), random.number());
            agenda.at(random.below(horizon), Happening::LoseValue { victim, value });
        }
        for _ in 0..restarts {
            agenda.at(random.below(horizon), Happening::Restart);
        }
        for _ in 0..retirements {
            agenda.at(random.below(horizon), Happening::Retire { victim: random.number() });
        }
        for _ in 0..rebalances {
            agenda.at(random.below(horizon), Happening::Rebalance);
            agenda.at(random.below(horizon), Happening::Reduce);
        }
    }

    fn add_node(&mut self, options: WorkerOptions, slowness: u64) {
        let id = self.new_id(self.nodes.len());
        self.nodes.push(Node::new(id, options.clone(), slowness));
        let event = Event::WorkerJoined { worker: id, options };
        self.agenda.after(0, Happening::ToScheduler { life: self.life, event });
    }

    fn new_id(&mut self, node: usize) -> WorkerId {
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        self.node_of.insert(id, node);
        id
    }

    fn happen(&mut self, happening: Happening) -> Result<(), SimulationError> {
        match happening {
            Happening::Submit { job } => {
                let (rows, client) = &mut self.jobs[job];
                if client.released {
                    return Ok(());
                }
                client.submitted = true;
                let event = Event::GraphSubmitted(Box::new(rows.submission(job)));
                let copies = rows.copies.clone();
                let scattered = !rows.data.is_empty();
                self.tell_scheduler(event);
                if scattered {
                    self.agenda.after(0, Happening::Scatter { job });
                }
                for (task, copies) in copies {
                    let task = TaskKey { graph: GraphId(job as u32), task };
                    let workers = Box::default();
                    self.tell_scheduler(Event::ReplicasWanted { task, copies, workers });
                }
            }
            Happening::DropOutputs { job } => {
                let (rows, client) = &self.jobs[job];
                if let Some((_, tasks)) = &rows.dropped
                    && !client.released
                    && client.failed.is_none()
                {
                    let (graph, tasks) = (GraphId(job as u32), tasks.clone().into());
                    self.tell_scheduler(Event::OutputsReleased { graph, tasks });
                    self.gather_later(job);
                }
            }
            Happening::WantAgain { job } => self.want_again(job),
            Happening::CancelTask { job } => {
                let (rows, client) = &self.jobs[job];
                if let Some((_, task)) = rows.cancelled
                    && client.submitted
                    && !client.released
                {
                    let tasks = Box::new([TaskKey { graph: GraphId(job as u32), task }]);
                    self.tell_scheduler(Event::TasksCancelled { tasks });
                }
            }
            Happening::Scatter { job } => self.scatter(job)?,
            Happening::Retry { task } => {
                self.outcome.retried += 1;
                self.tell_scheduler(Event::Retry { tasks: Box::new([task]) });
            }
            Happening::Retire { victim } => {
                if let Some(node) = self.some_node(victim) {
                    let worker = self.nodes[node].id();
                    self.tell_scheduler(Event::WorkerRetiring { worker });
                    self.agenda.after(0, Happening::Join { like: node });
                }
            }
            Happening::Rebalance => {
                self.tell_scheduler(Event::Rebalance { workers: Box::default(), tasks: None });
            }
            Happening::Reduce => {
                self.tell_scheduler(Event::ReduceReplicas { memory: Box::default() });
            }
            Happening::Release { job } => self.release(job),
            Happening::Gather { job } => self.gather(job)?,
            Happening::ToScheduler { life, event } => {
                if life == self.life {
                    self.outcome.messages += 1;
                    self.tell_scheduler(event);
                }
            }
            Happening::ToWorker { life, node, input } => {
                if life == self.life && self.nodes[node].connected {
                    self.outcome.messages += 1;
                    self.tell_worker(node, input)?;
                }
            }
            Happening::Place => {
                self.placing = false;
                let mut actions = Vec::new();
                self.scheduler.place(Time(self.agenda.now()), &mut actions);
                self.carry_out(actions);
            }
            Happening::FetchEnds { node, portion, source } => {
                self.end_fetch(node, portion, source)?;
            }
            Happening::ExecutionEnds { node, task, attempt, end } => {
                self.end_execution(node, task, attempt, end)?;
            }
            Happening::Kill { victim } => self.kill(victim),
            Happening::Join { like } => {
                let options = self.nodes[like].options.clone();
                self.add_node(options, 1);
            }
            Happening::Squeeze { victim, kind, until } => self.squeeze(victim, kind, until)?,
            Happening::LoseValue { victim, value } => self.lose_value(victim, value)?,
            Happening::Restart => self.restart(),
            Happening::Reconnect { life, node } => self.reconnect(life, node)?,
        }
        Ok(())
    }

    pub(super) fn tell_scheduler(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.scheduler.handle(Time(self.agenda.now()), event, &mut actions);
        self.carry_out(actions);
        // Placement is put off a little, so that it sees batches of events.
        if !self.placing {
            self.placing = true;
            let delay = self.random.below(self.faults.delay.0 + 1);
            self.agenda.after(delay, Happening::Place);
        }
    }

    pub(super) fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            if self.trace.is_some() {
                self.note(format!("             -> {action:?}"));
            }
            match action {
                Action::Run { worker, task, attempt, priority, sources } => {
                    let mut inputs = Vec::new();
                    self.scheduler.inputs(task, &mut inputs);
                    let inputs = inputs.into();
                    let part = self.scheduler.part(task);
                    let input = Input::Run { task, attempt, priority, inputs, sources, part };
                    self.send_to_worker(worker, input, true);
                }
                Action::Free { worker, task } => {
                    self.send_to_worker(worker, Input::Free { task }, false);
                }
                Action::Cancel { worker, task, attempt } => {
                    self.send_to_worker(worker, Input::Cancel { task, attempt }, true);
                }
                Action::Steal { worker, task, attempt } => {
                    self.send_to_worker(worker, Input::Steal { task, attempt }, true);
                }
                Action::Replicate { worker, task, source } => {
                    self.send_to_worker(worker, Input::Replicate { task, source }, false);
                }
                Action::OutputReady { task, worker } => {
                    let job = task.graph.0 as usize;
                    if let Some((_, client)) = self.jobs.get_mut(job) {
                        client.ready.insert(task.task, worker);
                        client.erred.remove(&task.task);
                        self.gather_later(job);
                    }
                }
                Action::GraphDone { graph } => {
                    if let Some((_, client)) = self.jobs.get_mut(graph.0 as usize) {
                        client.done = true;
                    }
                    self.gather_later(graph.0 as usize);
                }
                Action::GraphFailed { graph, task, .. } => {
                    if let Some((_, client)) = self.jobs.get_mut(graph.0 as usize) {
                        client.failed = Some(task);
                    }
                }
                Action::OutputErred { task, origin, cause } => {
                    self.output_erred(task, origin, cause);
                }
                Action::OutputUnknown { task } => {
                    let job = task.graph.0 as usize;
                    if let Some((_, client)) = self.jobs.get_mut(job) {
                        client.forgotten = true;
                        client.erred.insert(task.task, task);
                        self.gather_later(job);
                    }
                }
                Action::GraphForgotten { graph } => {
                    if let Some((_, client)) = self.jobs.get_mut(graph.0 as usize) {
                        client.forgotten = true;
                    }
                    self.gather_later(graph.0 as usize);
                }
                Action::WorkerRetired { worker } => self.let_go(worker),
                Action::Journal(record) => self.journal.push(record),
            }
        }
    }

    fn send_to_worker(&mut self, worker: WorkerId, input: Input, may_come_twice: bool) {
        let Some(&node) = self.node_of.get(&worker) else { return };
        let Self { faults, random, agenda, nodes, life, .. } = self;
        let life = *life;
        let now = agenda.now();
        let arrival = nodes[node].from_scheduler.arrival(now, faults, random);
        if may_come_twice && random.chance(faults.duplicate) {
            let again = arrival + random.below(faults.delay.1 * 20);
            agenda.at(again, Happening::ToWorker { life, node, input: input.clone() });
        }
        agenda.at(arrival, Happening::ToWorker { life, node, input });
    }

    pub(super) fn tell_worker(&mut self, node: usize, input: Input) -> Result<(), SimulationError> {
        if !self.nodes[node].alive {
            return Ok(());
        }
        let mut outputs = Vec::new();
        let name = self.trace.is_some().then(|| format!("{input:?}"));
        let after = input.clone();
        self.nodes[node].machine.handle(input, &mut outputs);
        let check = self.nodes[node].machine.check_consistent();
        check.map_err(|source| SimulationError::Worker { after: format!("{after:?}"), source })?;
        for output in outputs {
            if let Some(name) = &name {
                self.note(format!("             {:?} {name} => {output:?}", self.nodes[node].id()));
            }
            match output {
                Output::Fetch { portion, source } => self.begin_fetch(node, portion, source),
                Output::Execute { task, attempt } => self.begin_execution(node, task, attempt)?,
                // The simulated tasks cannot be stopped.
                Output::Interrupt { .. } => {}
                Output::Drop { task } => {
                    self.nodes[node].store.remove(&task);
                }
                Output::DropPart { portion } => {
                    self.nodes[node].parts.remove(&portion);
                }
                Output::Report(event) => self.send_to_scheduler(node, event),
            }
        }
        Ok(())
    }

    fn send_to_scheduler(&mut self, node: usize, event: Event) {
        let Self { faults, random, agenda, nodes, life, .. } = self;
        let life = *life;
        if !nodes[node].connected {
            return;
        }
        let now = agenda.now();
        let arrival = nodes[node].to_scheduler.arrival(now, faults, random);
        if random.chance(faults.duplicate) {
            let again = arrival + random.below(faults.delay.1 * 20);
            agenda.at(again, Happening::ToScheduler { life, event: event.clone() });
        }
        agenda.at(arrival, Happening::ToScheduler { life, event });
    }

    fn begin_fetch(&mut self, node: usize, portion: Portion, source: WorkerId) {
        let delay = self.random.between(self.faults.delay.0, self.faults.delay.1)
            + self.random.below(BYTES * 10);
        self.agenda.after(delay, Happening::FetchEnds { node, portion, source });
    }

    fn end_fetch(
        &mut self,
        node: usize,
        portion: Portion,
        source: WorkerId,
    ) -> Result<(), SimulationError> {
        let task = portion.task;
        let there = self
            .node_of
            .get(&source)
            .map(|peer| &self.nodes[*peer])
            .filter(|peer| peer.alive)
            .and_then(|peer| peer.store.get(&task).copied());
        let failed = self.random.chance(self.faults.fetch);
        let Some(value) = there.filter(|_| !failed && self.nodes[node].alive) else {
            return self.tell_worker(node, Input::FetchFailed { portion });
        };
        let bytes = bytes_of(task.task);
        self.outcome.bytes_moved += bytes;
        match portion.part {
            Some(_) => self.nodes[node].parts.insert(portion, value),
            None => self.nodes[node].store.insert(task, value),
        };
        self.tell_worker(node, Input::Fetched { portion, bytes, copy: true })
    }

    fn begin_execution(
        &mut self,
        node: usize,
        task: TaskKey,
        attempt: Attempt,
    ) -> Result<(), SimulationError> {
        let Some((job, _)) = self.jobs.get(task.graph.0 as usize) else { return Ok(()) };
        let mut inputs = Vec::new();
        let plan = job.plan.clone();
        let reads = job.reads(task.task).to_vec();
        let row = plan.annotation(task.task).and_then(|row| job.annotations.get(row.index()));
        let part = row.and_then(|options| options.part);
        for input in reads {
            let input = self.origin(TaskKey { graph: task.graph, task: input });
            let Node { store, parts, .. } = &self.nodes[node];
            let portion = Portion { task: input, part };
            let Some(value) = store.get(&input).or_else(|| parts.get(&portion)) else {
                return Err(SimulationError::InputMissing { task, input });
            };
            inputs.push(*value);
        }
        let mut end = End::Value(value(task.task, inputs.into_iter()));
        let Some((job, _)) = self.jobs.get_mut(task.graph.0 as usize) else { return Ok(()) };
        let failures = &mut job.failures[task.task.index()];
        if self.random.chance(self.faults.reschedule) {
            end = End::Reschedule;
        } else if *failures > 0 {
            end = End::Error;
            // A task that is to fail for ever has the highest count.
            if *failures < u32::MAX {
                *failures -= 1;
            }
        }
        self.outcome.executed += 1;
        let duration = self.random.between(DURATION.0, DURATION.1) * self.nodes[node].slowness;
        self.agenda.after(duration, Happening::ExecutionEnds { node, task, attempt, end });
        Ok(())
    }

    fn end_execution(
        &mut self,
        node: usize,
        task: TaskKey,
        attempt: Attempt,
        end: End,
    ) -> Result<(), SimulationError> {
        let input = match end {
            End::Value(value) => {
                if self.nodes[node].alive {
                    self.nodes[node].store.insert(task, value);
                }
                let bytes = bytes_of(task.task);
                Input::Executed { task, attempt, bytes, duration: DURATION.1 / 2 }
            }
            End::Error => Input::ExecutionFailed { task, attempt },
            End::Reschedule => Input::ExecutionRescheduled { task, attempt },
        };
        self.tell_worker(node, input)
    }

    /// One of the workers that are alive.
    pub(super) fn some_node(&self, number: u64) -> Option<usize> {
        let alive: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].alive).collect();
        alive.get((number % alive.len().max(1) as u64) as usize).copied()
    }

    fn kill(&mut self, victim: u64) {
        let Some(node) = self.some_node(victim) else { return };
        let dead = &mut self.nodes[node];
        dead.alive = false;
        dead.store.clear();
        dead.parts.clear();
        let worker = dead.id();
        // The connection breaks after what was sent has arrived, or is found dead much later.
        let notice = self.random.below(self.faults.delay.1 * 5);
        let event = Event::WorkerLost { worker };
        self.agenda.after(notice, Happening::ToScheduler { life: self.life, event });
        let back = self.random.below(self.faults.horizon);
        self.agenda.after(back, Happening::Join { like: node });
    }

    fn squeeze(&mut self, victim: u64, kind: u64, until: u64) -> Result<(), SimulationError> {
        let Some(node) = self.some_node(victim) else { return Ok(()) };
        let worker = self.nodes[node].id();
        let bytes = self.nodes[node].store.len() as u64 * BYTES;
        let capacity = self.nodes[node].options.capacity;
        let memory = |pressure| Event::MemoryChanged { worker, bytes, pressure };
        let (event, undo) = match kind {
            0 => (memory(Pressure::HoldSources), memory(Pressure::Normal)),
            1 => (memory(Pressure::Pause), memory(Pressure::Normal)),
            _ => (
                Event::CapacityChanged { worker, capacity: 1 },
                Event::CapacityChanged { worker, capacity },
            ),
        };
        let life = self.life;
        self.agenda.at(until, Happening::ToScheduler { life, event: undo });
        self.tell_scheduler(event);
        if kind == 1 {
            let input = Input::Held { held: false };
            self.agenda.at(until, Happening::ToWorker { life, node, input });
            self.tell_worker(node, Input::Held { held: true })?;
        }
        Ok(())
    }

    fn lose_value(&mut self, victim: u64, value: u64) -> Result<(), SimulationError> {
        let Some(node) = self.some_node(victim) else { return Ok(()) };
        let mut held: Vec<TaskKey> = self.nodes[node].store.keys().copied().collect();
        held.sort_unstable();
        let lost = held.get((value % held.len().max(1) as u64) as usize).copied();
        match lost {
            // A value that the machine does not know yet is about to be reported.
            Some(task) if self.nodes[node].machine.holds(task) => {
                self.nodes[node].store.remove(&task);
                self.tell_worker(node, Input::ValueLost { task })
            }
            _ => Ok(()),
        }
    }

    fn restart(&mut self) {
        self.life += 1;
        let life = self.life;
        self.scheduler = Scheduler::replay(self.options.clone(), self.journal.iter().cloned());
        self.journal = self.scheduler.snapshot();
        for (_, client) in &mut self.jobs {
            client.ready.clear();
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].connected = false;
            if self.nodes[node].alive {
                let delay = self.random.below(self.faults.delay.1 * 20);
                self.agenda.after(delay, Happening::Reconnect { life, node });
            }
        }
        // Some workers come back only after the scheduler has stopped waiting for them.
        let window = self.random.below(self.faults.delay.1 * 30);
        let event = Event::RestoreEnded;
        self.agenda.after(window, Happening::ToScheduler { life, event });
    }

    fn reconnect(&mut self, life: u32, node: usize) -> Result<(), SimulationError> {
        if life != self.life || !self.nodes[node].alive {
            return Ok(());
        }
        let worker = self.new_id(node);
        let rows = &mut self.nodes[node];
        rows.connected = true;
        let event = Event::WorkerJoined { worker, options: rows.options.clone() };
        self.tell_scheduler(event);
        self.tell_worker(node, Input::Reconnected { worker })
    }

    fn check_end(&mut self) -> Result<(), SimulationError> {
        for (number, (_, client)) in self.jobs.iter().enumerate() {
            let graph = GraphId(number as u32);
            match client.failed {
                Some(task) if self.may_fail(TaskKey { graph, task }) => self.outcome.failed += 1,
                Some(task) => {
                    return Err(SimulationError::Failed { task: TaskKey { graph, task } });
                }
                None if client.released => {}
                None => {
                    let unfinished = self.scheduler.unfinished(graph);
                    return Err(SimulationError::Stalled { graph: graph.0, unfinished });
                }
            }
        }
        let alive = self.nodes.iter().filter(|node| node.alive);
        let (values, runs) = alive.fold((0, 0), |(values, runs), node| {
            let held = (node.store.len() + node.parts.len()).max(node.machine.values());
            (values + held, runs + node.machine.unfinished())
        });
        let graphs = self.scheduler.graphs();
        if values + runs + graphs > 0 {
            let alive = self.nodes.iter().filter(|node| node.alive);
            let first =
                alive.flat_map(|node| node.store.keys().map(|task| (node.id(), *task))).min();
            return Err(SimulationError::Leak { first, values, runs, graphs });
        }
        Ok(())
    }
}

pub(super) fn bytes_of(task: TaskId) -> u64 {
    BYTES * (1 + u64::from(task.0) % 5)
}
