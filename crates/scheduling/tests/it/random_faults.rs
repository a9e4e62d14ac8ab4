//! Thousands of random graphs under random faults, each from a seed.
//!
//! `SAMITE_SIMULATION_CASES` sets how many; `SAMITE_SIMULATION_SEED` runs one seed and prints what
//! happens.

use std::sync::Arc;

use samite_scheduling::simulation::{Faults, Job, Outcome, Random, Simulation, SimulationError};
use samite_scheduling::{Options, Resource, WorkerOptions};

const CASES: u64 = 6_000;

/// A cluster, its graphs and its faults, all from one seed.
fn simulation(seed: u64) -> Simulation {
    let mut random = Random::new(seed);
    let resource: Arc<str> = Arc::from("GPU");
    let count = random.between(1, 6);
    let names: Vec<Arc<str>> = (0..count).map(|worker| Arc::from(format!("w{worker}"))).collect();
    let workers = names.iter().enumerate().map(|(number, name)| {
        let mut options = WorkerOptions::with_slots(random.between(1, 3) as u32);
        options.capacity += random.below(4) as u32;
        options.name = name.clone();
        if number == 0 || random.chance(0.3) {
            options.resources = vec![Resource::whole(resource.clone(), 1)];
        }
        options
    });
    let workers = workers.collect();
    let faults = if random.chance(0.1) { Faults::none() } else { Faults::random(&mut random) };
    let mut options = Options::cluster();
    options.journal = faults.restarts > 0 || random.chance(0.2);
    options.allowed_failures = u32::MAX;
    options.stealing = random.chance(0.8);
    options.unknown_duration = 5_000_000;
    if random.chance(0.2) {
        options.saturation = None;
    }
    let horizon = faults.horizon;
    let mut simulation = Simulation::new(random.number(), options, faults, workers);
    let shared = random.chance(0.6);
    let mut earlier = Vec::new();
    let mut submitted = random.below(horizon);
    for _ in 0..random.between(1, if shared { 7 } else { 4 }) {
        let tasks = random.between(1, 60) as usize;
        let mut job = Job::random(&mut random, tasks, &names, &resource).expect("no cycles");
        job.submitted = random.below(horizon);
        if shared {
            submitted += random.below(horizon / 8);
            job.submitted = submitted;
        }
        if random.chance(0.1) {
            job.released = Some(job.submitted + random.below(horizon));
        }
        let outputs = job.plan.outputs().to_vec();
        if random.chance(0.2) {
            let time = job.submitted + random.below(horizon);
            let half = outputs.iter().copied().filter(|_| random.chance(0.5)).collect();
            job.dropped = Some((time, half));
        }
        if random.chance(0.2) {
            job.copies.extend(random.pick(&outputs).map(|output| (*output, 2)));
        }
        if random.chance(0.05) {
            let poisoned = random.below(tasks as u64) as usize;
            job.failures[poisoned] = u32::MAX;
        }
        if shared {
            job.independent = random.chance(0.7);
            job.share(&mut random, &earlier);
            if job.independent && random.chance(0.3) {
                // It fails for good, and is then tried again with more luck.
                let failing = random.below(tasks as u64) as usize;
                job.failures[failing] = job.failures[failing].saturating_add(3);
            }
            if job.independent && random.chance(0.1) {
                let task = samite_graph::TaskId(random.below(tasks as u64) as u32);
                job.cancelled = Some((job.submitted + random.below(horizon), task));
            }
            if random.chance(0.5) {
                job.wanted_again =
                    job.dropped.as_ref().map(|(time, _)| time + random.below(horizon));
            }
        }
        earlier.push(tasks);
        simulation.add_job(job);
    }
    simulation
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn random_graphs_under_random_faults_give_the_sequential_result() {
    if let Some(seed) = number("SAMITE_SIMULATION_SEED") {
        let mut simulation = simulation(seed);
        simulation.keep_trace();
        let outcome = simulation.run();
        println!("{}", simulation.trace().join("\n"));
        println!("{outcome:#?}");
        assert!(outcome.is_ok());
        return;
    }
    let mut sum = Outcome::default();
    for seed in 0..number("SAMITE_SIMULATION_CASES").unwrap_or(CASES) {
        let outcome = simulation(seed).run().unwrap_or_else(|error: SimulationError| {
            panic!("seed {seed}: {error}; run it with SAMITE_SIMULATION_SEED={seed}")
        });
        sum.completed += outcome.completed;
        sum.failed += outcome.failed;
        sum.erred += outcome.erred;
        sum.retried += outcome.retried;
        sum.retired += outcome.retired;
        sum.imported += outcome.imported;
        sum.executed += outcome.executed;
        sum.messages += outcome.messages;
        sum.counters.recomputed += outcome.counters.recomputed;
        sum.counters.stale += outcome.counters.stale;
        sum.counters.unknown += outcome.counters.unknown;
        sum.counters.fetches_failed += outcome.counters.fetches_failed;
        sum.counters.steals_given += outcome.counters.steals_given;
        sum.counters.failed += outcome.counters.failed;
    }
    println!("{sum:#?}");
    // The faults must have happened, or the test says nothing.
    assert!(sum.completed > 0 && sum.failed > 0 && sum.erred > 0 && sum.imported > 0);
    assert!(sum.retried > 0 && sum.retired > 0);
    assert!(sum.counters.recomputed > 0 && sum.counters.steals_given > 0);
    assert!(sum.counters.stale > 0 && sum.counters.fetches_failed > 0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let mut one = simulation(seed);
        let mut other = simulation(seed);
        one.keep_trace();
        other.keep_trace();
        assert_eq!(one.run(), other.run(), "seed {seed}");
        assert_eq!(one.trace(), other.trace(), "seed {seed}");
    }
}
