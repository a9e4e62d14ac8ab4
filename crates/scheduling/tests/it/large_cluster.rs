//! Clusters of many workers: nothing is wrong, and the workers are kept busy.

use std::sync::Arc;

use samite_graph::{OperationId, PlanBuilder, TaskId};
use samite_scheduling::simulation::{Faults, Job, Outcome, Simulation};
use samite_scheduling::{Options, WorkerOptions};

/// Chunks that each go through a chain of three tasks and are then added up in pairs.
fn chunked_reduction(chunks: u32) -> Job {
    let mut builder = PlanBuilder::default();
    let mut open: Vec<TaskId> = (0..chunks)
        .map(|chunk| {
            let read = builder.push(OperationId(0), chunk, []);
            let clean = builder.push(OperationId(1), chunk, [read]);
            builder.push(OperationId(2), chunk, [clean])
        })
        .collect();
    while open.len() > 1 {
        open = open
            .chunks(2)
            .map(|pair| match *pair {
                [one, other] => builder.push(OperationId(3), 0, [one, other]),
                _ => pair[0],
            })
            .collect();
    }
    Job::new(Arc::new(builder.finish(open).expect("no cycles")))
}

/// Tasks that all read one value.
fn popular_value(readers: u32) -> Job {
    let mut builder = PlanBuilder::default();
    let value = builder.push(OperationId(0), 0, []);
    let read: Vec<TaskId> =
        (0..readers).map(|reader| builder.push(OperationId(1), reader, [value])).collect();
    Job::new(Arc::new(builder.finish(read).expect("no cycles")))
}

fn run(workers: usize, slots: u32, job: Job, faults: Faults) -> (Outcome, usize) {
    let tasks = job.plan.len();
    let options = Options { unknown_duration: 5_000_000, ..Options::cluster() };
    let options = Options { allowed_failures: u32::MAX, journal: true, ..options };
    let workers = vec![WorkerOptions::with_slots(slots); workers];
    let mut simulation = Simulation::new(1, options, faults, workers);
    simulation.check_every(500);
    simulation.add_job(job);
    let outcome = simulation.run().unwrap_or_else(|error| panic!("{error}"));
    (outcome, tasks)
}

#[test]
fn a_hundred_workers_are_kept_busy() {
    let (outcome, tasks) = run(100, 2, chunked_reduction(2_000), Faults::none());
    assert_eq!(outcome.executed as usize, tasks);
    // Simulated tasks take 5.05 ms on the average, and a message half a millisecond.
    let ideal = tasks as f64 * 5_050_000.0 / 200.0;
    let efficiency = ideal / outcome.ended.0 as f64;
    println!("efficiency {efficiency:.2}, moved {} MB", outcome.bytes_moved / 1_000_000);
    assert!(efficiency > 0.6, "{efficiency:.2} of the time that tasks take was used");
    // The chains stay on their workers: only what is added up may have to move.
    let average = 150_000;
    assert!(outcome.bytes_moved < 2_400 * average, "{} bytes were moved", outcome.bytes_moved);
}

#[test]
fn three_hundred_workers_survive_many_deaths() {
    let faults = Faults { kills: 100, restarts: 1, loss: 0.01, slow: 0.1, ..Faults::none() };
    let (outcome, tasks) = run(300, 2, chunked_reduction(2_000), faults);
    assert_eq!(outcome.completed, 1);
    println!("{} executions of {tasks} tasks", outcome.executed);
    assert!(outcome.counters.recomputed > 0);
}

#[test]
fn a_value_that_very_many_workers_hold_is_copied_once_to_each() {
    let (outcome, tasks) = run(300, 2, popular_value(6_000), Faults::none());
    assert_eq!(outcome.executed as usize, tasks);
    let efficiency = tasks as f64 * 5_050_000.0 / 600.0 / outcome.ended.0 as f64;
    println!("efficiency {efficiency:.2}, moved {} bytes", outcome.bytes_moved);
    assert!(efficiency > 0.5, "{efficiency:.2} of the time that tasks take was used");
}

#[test]
fn a_value_that_very_many_workers_hold_survives_them() {
    let faults = Faults { kills: 100, restarts: 1, loss: 0.01, slow: 0.1, ..Faults::none() };
    let (outcome, _) = run(300, 2, popular_value(6_000), faults);
    assert_eq!(outcome.completed, 1);
}
