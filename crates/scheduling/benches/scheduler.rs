//! Tasks a second through the scheduler machine: events in, actions out, no worker behind it.
//!
//! Each run submits a planned graph, answers every `Run` with `TaskFinished` (and every moved
//! input with `ReplicaAdded`) until the graph is done, and releases it. Graphs of 10⁷ tasks need
//! 2 GB and a while: `cargo bench -p samite-scheduling -- --include-ignored ten_million`.

#![allow(clippy::expect_used, reason = "a benchmark without its graph has nothing to measure")]

use std::collections::VecDeque;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use samite_graph::{OperationId, Plan, PlanBuilder, TaskId};
use samite_scheduling::{
    Action, Event, GraphId, Options, Scheduler, Submission, Time, WorkerId, WorkerOptions,
};

fn main() {
    divan::main();
}

/// Half of the tasks are sources, and the others each add up two or so earlier values: the shape
/// of chunked reductions.
fn tree(tasks: usize) -> Arc<Plan> {
    let mut builder = PlanBuilder::with_capacity(tasks, tasks);
    let leaves = tasks.div_ceil(2);
    let mut open: VecDeque<TaskId> = VecDeque::with_capacity(leaves);
    for index in 0..leaves {
        open.push_back(builder.push(OperationId(0), index as u32, []));
    }
    let mut index = 0;
    while open.len() > 1 {
        let pair: Vec<TaskId> = open.drain(..2).collect();
        open.push_back(builder.push(OperationId(1), index, pair));
        index += 1;
    }
    let outputs = open.into_iter().collect();
    Arc::new(builder.finish(outputs).expect("a tree has no cycles"))
}

/// Columns of a grid where each task needs its own and its neighbour's earlier value.
fn stencil(tasks: usize) -> Arc<Plan> {
    let width = 1000.min(tasks);
    let mut builder = PlanBuilder::with_capacity(tasks, 2 * tasks);
    for task in 0..tasks {
        let above = task.checked_sub(width);
        let needed = above.into_iter().flat_map(|above| {
            let column = above % width;
            [above, above - column + (column + 1) % width].map(TaskId::from_index)
        });
        builder.push(OperationId((task / width) as u32), (task % width) as u32, needed);
    }
    let outputs = (tasks - width..tasks).map(TaskId::from_index).collect();
    Arc::new(builder.finish(outputs).expect("a stencil has no cycles"))
}

/// Runs a graph on workers that finish tasks in the order in which they got them; `batch` events
/// come between two placements.
fn run(plan: &Arc<Plan>, options: Options, workers: u32, slots: u32, batch: usize) -> u64 {
    let graph = GraphId(1);
    let now = Time(0);
    let mut scheduler = Scheduler::new(options);
    let mut actions = Vec::new();
    for worker in (0..workers).map(WorkerId) {
        let options = WorkerOptions::with_slots(slots);
        scheduler.handle(now, Event::WorkerJoined { worker, options }, &mut actions);
    }
    let annotations = Arc::from([]);
    let submission = Submission::new(graph, plan.clone(), annotations);
    let event = Event::GraphSubmitted(Box::new(submission));
    scheduler.handle(now, event, &mut actions);
    let mut inbox: VecDeque<Event> = VecDeque::new();
    let mut done = false;
    while !done {
        scheduler.place(now, &mut actions);
        for action in actions.drain(..) {
            match action {
                Action::Run { worker, task, attempt, sources, .. } => {
                    for source in &sources {
                        let task = source.input;
                        inbox.push_back(Event::ReplicaAdded { worker, task, bytes: 1000 });
                    }
                    let bytes = 1000;
                    let duration = 1_000_000;
                    inbox.push_back(Event::TaskFinished { worker, task, attempt, bytes, duration });
                }
                Action::Steal { worker, task, attempt } => {
                    inbox.push_back(Event::StealAnswered { worker, task, attempt, given: false });
                }
                Action::GraphDone { .. } => done = true,
                _ => {}
            }
        }
        for _ in 0..batch {
            let Some(event) = inbox.pop_front() else { break };
            scheduler.handle(now, event, &mut actions);
        }
    }
    scheduler.handle(now, Event::GraphReleased { graph }, &mut actions);
    scheduler.counters().finished
}

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn one_worker_tree(bencher: Bencher<'_, '_>, tasks: usize) {
    let plan = tree(tasks);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::one_machine(), 1, 16, 16));
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn one_worker_stencil(bencher: Bencher<'_, '_>, tasks: usize) {
    let plan = stencil(tasks);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::one_machine(), 1, 16, 16));
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn thousand_workers_tree(bencher: Bencher<'_, '_>, tasks: usize) {
    let plan = tree(tasks);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::cluster(), 1000, 4, 64));
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn thousand_workers_stencil(bencher: Bencher<'_, '_>, tasks: usize) {
    let plan = stencil(tasks);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::cluster(), 1000, 4, 64));
}

/// As above, with a placement after every single event.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn thousand_workers_tree_unbatched(bencher: Bencher<'_, '_>, tasks: usize) {
    let plan = tree(tasks);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::cluster(), 1000, 4, 1));
}

/// Graphs of one task each, as many calls of a client make them: submitted, run, released.
#[divan::bench(args = [10_000, 100_000], sample_count = 5, sample_size = 1)]
fn single_task_graphs(bencher: Bencher<'_, '_>, graphs: usize) {
    let plan = tree(1);
    bencher.counter(ItemsCount::new(graphs)).bench_local(|| run_singly(&plan, graphs as u32));
}

fn run_singly(plan: &Arc<Plan>, graphs: u32) -> usize {
    let now = Time(0);
    let mut scheduler = Scheduler::new(Options::cluster());
    let mut actions = Vec::new();
    for worker in (0..2).map(WorkerId) {
        let options = WorkerOptions { capacity: 1000, ..WorkerOptions::with_slots(1000) };
        scheduler.handle(now, Event::WorkerJoined { worker, options }, &mut actions);
    }
    for graph in (0..graphs).map(GraphId) {
        let submission =
            Submission { independent: true, ..Submission::new(graph, plan.clone(), Arc::from([])) };
        scheduler.handle(now, Event::GraphSubmitted(Box::new(submission)), &mut actions);
    }
    loop {
        scheduler.place(now, &mut actions);
        let runs: Vec<Action> = std::mem::take(&mut actions);
        let mut any = false;
        for action in runs {
            if let Action::Run { worker, task, attempt, .. } = action {
                any = true;
                let (bytes, duration) = (28, 1000);
                let event = Event::TaskFinished { worker, task, attempt, bytes, duration };
                scheduler.handle(now, event, &mut actions);
            }
        }
        if !any {
            break;
        }
    }
    for graph in (0..graphs).map(GraphId) {
        let tasks = Box::new([TaskId(0)]);
        scheduler.handle(now, Event::OutputsReleased { graph, tasks }, &mut actions);
    }
    scheduler.graphs()
}

#[divan::bench(sample_count = 1, sample_size = 1, ignore)]
fn ten_million_one_worker(bencher: Bencher<'_, '_>) {
    let plan = tree(10_000_000);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::one_machine(), 1, 16, 16));
}

#[divan::bench(sample_count = 1, sample_size = 1, ignore)]
fn ten_million_thousand_workers(bencher: Bencher<'_, '_>) {
    let plan = tree(10_000_000);
    bencher
        .counter(ItemsCount::new(plan.len()))
        .bench_local(|| run(&plan, Options::cluster(), 1000, 4, 64));
}
