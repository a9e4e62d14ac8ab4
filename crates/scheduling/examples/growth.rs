//! What the scheduler machine takes with many workers: `growth WORKERS TASKS SHAPE`.
//!
//! No worker stands behind it: each `Run` is answered at once. Prints the nanoseconds and the bytes
//! a task, and what a worker takes, as JSON. `benchmarks/cluster.py growth_machine` runs it for
//! several numbers of workers: what grows with them is a bug.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "it measures time, and has nothing to measure without its graph"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use samite_graph::{AnnotationId, OperationId, Plan, PlanBuilder, TaskId};
use samite_scheduling::{
    Action, Event, GraphId, Options, Resource, Scheduler, Submission, TaskKey, TaskOptions, Time,
    WorkerId, WorkerOptions,
};

const NOW: Time = Time(0);
/// So many events come between two placements.
const BATCH: usize = 64;

/// Independent calls.
fn map(tasks: u32) -> Plan {
    let mut builder = PlanBuilder::with_capacity(tasks as usize, 0);
    builder.begin_layer("map", Some(AnnotationId(0)));
    let outputs = (0..tasks).map(|task| builder.push(OperationId(0), task, [])).collect();
    builder.finish(outputs).expect("a map has no cycles")
}

/// Sums in pairs, which move a value each.
fn tree(tasks: u32) -> Plan {
    let mut builder = PlanBuilder::with_capacity(tasks as usize, tasks as usize);
    let leaves = tasks.div_ceil(2);
    let mut open: VecDeque<TaskId> =
        (0..leaves).map(|leaf| builder.push(OperationId(0), leaf, [])).collect();
    while open.len() > 1 {
        let pair: Vec<TaskId> = open.drain(..2).collect();
        open.push_back(builder.push(OperationId(1), 0, pair));
    }
    builder.finish(open.into()).expect("a tree has no cycles")
}

/// One value that all others read: soon every worker has a copy.
fn popular(tasks: u32) -> Plan {
    let mut builder = PlanBuilder::with_capacity(tasks as usize, tasks as usize);
    let value = builder.push(OperationId(0), 0, []);
    let outputs = (1..tasks).map(|task| builder.push(OperationId(1), task, [value])).collect();
    builder.finish(outputs).expect("a star has no cycles")
}

/// A scheduler with its workers, and what they will answer.
struct Cluster {
    scheduler: Scheduler,
    actions: Vec<Action>,
    inbox: VecDeque<Event>,
}

impl Cluster {
    fn start(workers: u32) -> Self {
        let mut cluster = Self {
            scheduler: Scheduler::new(Options::cluster()),
            actions: Vec::new(),
            inbox: VecDeque::new(),
        };
        for worker in (0..workers).map(WorkerId) {
            let resources = vec![Resource::whole("GPU", 1)];
            let options = WorkerOptions { resources, ..WorkerOptions::with_slots(1) };
            cluster.tell(Event::WorkerJoined { worker, options });
        }
        cluster
    }

    fn tell(&mut self, event: Event) {
        self.scheduler.handle(NOW, event, &mut self.actions);
    }

    fn submit(&mut self, graph: GraphId, plan: Arc<Plan>, options: &[TaskOptions]) {
        let submission =
            Submission { independent: true, ..Submission::new(graph, plan, Arc::from(options)) };
        self.tell(Event::GraphSubmitted(Box::new(submission)));
    }

    /// Until the graph is done.
    fn run(&mut self) {
        let mut done = false;
        while !done {
            self.scheduler.place(NOW, &mut self.actions);
            for action in self.actions.drain(..) {
                match action {
                    Action::Run { worker, task, attempt, sources, .. } => {
                        for source in &sources {
                            let task = source.input;
                            self.inbox.push_back(Event::ReplicaAdded { worker, task, bytes: 28 });
                        }
                        let (bytes, duration) = (28, 1_000_000);
                        let event = Event::TaskFinished { worker, task, attempt, bytes, duration };
                        self.inbox.push_back(event);
                    }
                    Action::Steal { worker, task, attempt } => {
                        let given = false;
                        let event = Event::StealAnswered { worker, task, attempt, given };
                        self.inbox.push_back(event);
                    }
                    Action::GraphDone { .. } => done = true,
                    _ => {}
                }
            }
            for _ in 0..BATCH {
                let Some(event) = self.inbox.pop_front() else { break };
                self.scheduler.handle(NOW, event, &mut self.actions);
            }
        }
    }

    /// Has every second worker take many tasks, and the others none.
    fn crowd(&mut self) {
        let workers = self.scheduler.workers() as u32;
        for (capacity, rest) in [(64, 0), (0, 1)] {
            for worker in (0..workers).filter(|number| number % 2 == rest).map(WorkerId) {
                self.tell(Event::CapacityChanged { worker, capacity });
            }
        }
        self.scheduler.place(NOW, &mut self.actions);
        for worker in (0..workers).filter(|number| number % 2 == 1).map(WorkerId) {
            self.tell(Event::CapacityChanged { worker, capacity: 2 });
        }
    }

    /// Has one half of the workers leave: what they hold is copied.
    fn leave(&mut self) {
        let workers = self.scheduler.workers() as u32;
        for worker in (0..workers / 2).map(WorkerId) {
            self.tell(Event::WorkerRetiring { worker });
        }
        while !self.actions.is_empty() {
            let copies: Vec<(WorkerId, TaskKey)> = self
                .actions
                .drain(..)
                .filter_map(|action| match action {
                    Action::Replicate { worker, task, .. } => Some((worker, task)),
                    _ => None,
                })
                .collect();
            for (worker, task) in copies {
                self.tell(Event::ReplicaAdded { worker, task, bytes: 28 });
            }
        }
    }

    fn release(&mut self, graph: GraphId) {
        self.tell(Event::GraphReleased { graph });
        self.actions.clear();
    }
}

/// The bytes of this process that are in memory.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    4096.0 * pages.unwrap_or(f64::NAN)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("usage: growth WORKERS TASKS map|tree|popular|resources|uneven|leaving|single")
    };
    let (workers, tasks): (u32, u32) = (next()?.parse()?, next()?.parse()?);
    let shape = next()?;
    let graph = GraphId(0);
    let empty = resident();
    let began = Instant::now();
    let mut cluster = Cluster::start(workers);
    let start = began.elapsed();
    let a_worker = (resident() - empty) / f64::from(workers);
    let (took, a_task, runs): (Duration, f64, usize) = if shape == "single" {
        let plan = Arc::new(map(1));
        let began = Instant::now();
        for graph in (0..tasks).map(GraphId) {
            cluster.submit(graph, plan.clone(), &[]);
            cluster.run();
            cluster.release(graph);
        }
        (began.elapsed(), f64::NAN, tasks as usize)
    } else {
        let plan = Arc::new(match shape.as_str() {
            "map" | "resources" | "uneven" | "leaving" => map(tasks),
            "tree" => tree(tasks),
            "popular" => popular(tasks),
            other => return Err(format!("no such shape: {other}").into()),
        });
        let options = match shape.as_str() {
            "resources" => vec![TaskOptions {
                resources: vec![Resource::whole("GPU", 1)],
                ..TaskOptions::default()
            }],
            _ => Vec::new(),
        };
        let runs = plan.len();
        let before = resident();
        let began = Instant::now();
        cluster.submit(graph, plan, &options);
        if shape == "uneven" {
            cluster.crowd();
        }
        cluster.run();
        if shape == "leaving" {
            cluster.leave();
        }
        let took = began.elapsed();
        let a_task = (resident() - before) / runs as f64;
        cluster.release(graph);
        (took, a_task, runs)
    };
    let counters = cluster.scheduler.counters();
    assert_eq!(counters.finished, runs as u64, "all tasks have run once");
    let a_task = if a_task.is_nan() { String::from("null") } else { format!("{a_task:.0}") };
    println!(
        "{{\"seconds\": {:.6}, \"bytes_a_task\": {a_task}, \"bytes_a_worker\": {a_worker:.0}, \
         \"join_us_a_worker\": {:.2}}}",
        took.as_secs_f64(),
        start.as_secs_f64() * 1e6 / f64::from(workers),
    );
    Ok(())
}
