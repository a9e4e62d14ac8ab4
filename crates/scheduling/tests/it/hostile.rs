//! Whatever comes in, nothing panics and the machines stay consistent.

use std::sync::Arc;

use samite_graph::{Plan, TaskId};
use samite_scheduling::simulation::{Job, Random};
use samite_scheduling::worker::{Input, Machine, Output};
use samite_scheduling::{
    Action, Attempt, Event, GraphId, Import, Options, Portion, Pressure, Priority, Resource,
    Scheduler, Source, Submission, TaskKey, Time, WorkerId, WorkerOptions,
};

fn task(random: &mut Random) -> TaskKey {
    let graph = GraphId(random.below(4) as u32);
    TaskKey { graph, task: TaskId(random.below(25) as u32) }
}

fn worker(random: &mut Random) -> WorkerId {
    WorkerId(random.below(5) as u32)
}

fn attempt(random: &mut Random) -> Attempt {
    Attempt(if random.chance(0.05) { random.number() as u32 } else { random.below(5) as u32 })
}

/// A task without dependencies, where the plan has one.
fn source(random: &mut Random, plan: &Plan) -> TaskId {
    let sources: Vec<TaskId> = (0..plan.len())
        .map(TaskId::from_index)
        .filter(|task| plan.dependencies(*task).is_empty())
        .collect();
    random.pick(&sources).copied().unwrap_or_default()
}

/// A number that is often small and sometimes the largest.
fn amount(random: &mut Random) -> u64 {
    if random.chance(0.1) { u64::MAX } else { random.below(1000) }
}

/// An event that speaks of one of the `runs` that there are, or of anything.
fn event(
    random: &mut Random,
    names: &[Arc<str>],
    resource: &Arc<str>,
    runs: &[(WorkerId, TaskKey, Attempt)],
) -> Event {
    let guess = (worker(random), task(random), attempt(random));
    let recent = &runs[runs.len().saturating_sub(6)..];
    let real = if random.chance(0.7) { random.pick(recent).copied() } else { None };
    let (worker, task, attempt) = real.unwrap_or(guess);
    let graph = task.graph;
    match random.below(44) {
        0 => {
            let tasks = random.between(1, 25) as usize;
            let job = Job::random(random, tasks, names, resource).expect("no cycles");
            let plan = job.plan.clone();
            let any = |random: &mut Random| TaskId(random.below(25) as u32);
            let imports = (0..random.below(4))
                .map(|_| Import { task: source(random, &plan), origin: self::task(random) });
            let imports = imports.collect();
            let data = (0..random.below(3)).map(|_| source(random, &plan)).collect();
            let mut submission = Submission {
                imports,
                data,
                independent: random.chance(0.6),
                ..Submission::new(graph, plan, job.annotations)
            };
            if submission.check().is_err() && random.chance(0.8) {
                submission.data = Box::default();
                submission.imports = submission.imports.iter().copied().take(1).collect();
            }
            if random.chance(0.02) {
                submission.data = Box::new([any(random)]);
            }
            Event::GraphSubmitted(Box::new(submission))
        }
        1 if random.chance(0.3) => Event::GraphReleased { graph },
        2 if random.chance(0.3) => Event::GraphCancelled { graph },
        3 => Event::OutputsReleased { graph, tasks: Box::new([task.task, TaskId(u32::MAX)]) },
        4..=6 => Event::WorkerJoined {
            worker,
            options: WorkerOptions {
                slots: random.below(4) as u32,
                capacity: random.below(8) as u32,
                name: names[random.below(names.len() as u64) as usize].clone(),
                resources: vec![Resource::whole(resource.clone(), random.below(3))],
                ..WorkerOptions::with_slots(1)
            },
        },
        7 => Event::WorkerLost { worker },
        8 => Event::CapacityChanged { worker, capacity: amount(random) as u32 },
        9 => {
            let pressures = [Pressure::Normal, Pressure::HoldSources, Pressure::Pause];
            let pressure = pressures[random.below(3) as usize];
            Event::MemoryChanged { worker, bytes: amount(random), pressure }
        }
        10..=19 => {
            let (bytes, duration) = (amount(random), amount(random));
            Event::TaskFinished { worker, task, attempt, bytes, duration }
        }
        20 => Event::TaskFailed { worker, task, attempt },
        21 => Event::TaskRescheduled { worker, task, attempt },
        22 | 23 => {
            let (input, source) = (self::task(random), self::worker(random));
            Event::FetchFailed { worker, task, attempt, input, source }
        }
        24 | 25 => Event::ReplicaAdded { worker, task, bytes: amount(random) },
        26 => Event::ReplicaLost { worker, task },
        27 => {
            let workers = (0..random.below(3)).map(|_| self::worker(random)).collect();
            Event::ReplicasWanted { task, copies: amount(random) as u32, workers }
        }
        32 => Event::OutputsWanted { graph, tasks: Box::new([task.task, TaskId(u32::MAX)]) },
        33 | 34 => Event::Retry { tasks: (0..3).map(|_| self::task(random)).collect() },
        35 => Event::TasksCancelled { tasks: (0..2).map(|_| self::task(random)).collect() },
        36 if random.chance(0.5) => Event::WorkerRetiring { worker },
        37 => {
            let workers = (0..random.below(3)).map(|_| self::worker(random)).collect();
            Event::Rebalance { workers, tasks: None }
        }
        38 => Event::DataLost { task },
        40 => Event::ReduceReplicas { memory: Box::new([(worker, amount(random))]) },
        41 => Event::CopyWanted { worker, task },
        42 => Event::CopyUnwanted { worker, task },
        43 => Event::NoWorkerCame { tasks: (0..2).map(|_| self::task(random)).collect() },
        39 => Event::RunContinues { worker, task, attempt },
        28 | 29 => Event::StealAnswered { worker, task, attempt, given: random.chance(0.5) },
        _ => Event::RestoreEnded,
    }
}

#[test]
fn the_scheduler_survives_any_events() {
    let names: Vec<Arc<str>> = ["w0", "w1", "w2"].map(Arc::from).to_vec();
    let resource: Arc<str> = Arc::from("GPU");
    let mut finished = 0;
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let options = Options { journal: random.chance(0.5), ..Options::cluster() };
        let mut scheduler = Scheduler::new(options.clone());
        let mut records = Vec::new();
        let mut runs = Vec::new();
        for step in 0..400 {
            let event = event(&mut random, &names, &resource, &runs);
            let name = format!("{event:?}");
            let mut actions = Vec::new();
            scheduler.handle(Time(step), event, &mut actions);
            scheduler.place(Time(step), &mut actions);
            for action in actions {
                match action {
                    Action::Journal(record) => records.push(record),
                    Action::Run { worker, task, attempt, .. }
                    | Action::Steal { worker, task, attempt } => runs.push((worker, task, attempt)),
                    _ => {}
                }
            }
            if let Err(error) = scheduler.check_consistent() {
                panic!("seed {seed}, step {step}, after {name}: {error}");
            }
            if random.chance(0.01) {
                finished += scheduler.counters().finished;
                scheduler = Scheduler::replay(options.clone(), records.clone());
            }
        }
        finished += scheduler.counters().finished;
    }
    // Many reports must have been right, or the test says little.
    assert!(finished > 3_000, "only {finished} tasks finished");
}

fn part(random: &mut Random) -> Option<u32> {
    random.chance(0.5).then(|| random.below(2) as u32)
}

fn input(random: &mut Random, executing: &mut Vec<(TaskKey, Attempt)>) -> Input {
    let (key, attempt, source) = (task(random), attempt(random), worker(random));
    match random.below(16) {
        0..=4 => {
            let inputs: Box<[TaskKey]> = (0..random.below(3)).map(|_| task(random)).collect();
            let sources = inputs.iter().map(|input| Source { input: *input, worker: source });
            let sources = sources.collect();
            let priority = Priority::new(0, key.graph.0, random.below(9) as u32);
            Input::Run { task: key, attempt, priority, inputs, sources, part: part(random) }
        }
        5 => Input::Cancel { task: key, attempt },
        6 => Input::Free { task: key },
        7 => Input::Steal { task: key, attempt },
        8 => Input::Replicate { task: key, source },
        9 if random.chance(0.3) => Input::Stored { task: key, bytes: amount(random) },
        9 => Input::Reconnected { worker: source },
        10 | 11 => Input::Fetched {
            portion: Portion { task: key, part: part(random) },
            bytes: amount(random),
            copy: random.chance(0.8),
        },
        12 => Input::FetchFailed { portion: Portion { task: key, part: part(random) } },
        13 | 14 => {
            let real = random.chance(0.8).then(|| executing.pop()).flatten();
            let (task, attempt) = real.unwrap_or((key, attempt));
            Input::Executed { task, attempt, bytes: amount(random), duration: amount(random) }
        }
        _ => Input::ValueLost { task: key },
    }
}

#[test]
fn a_worker_survives_any_inputs() {
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut machine = Machine::new(WorkerId(0), 2, 2);
        let mut executing = Vec::new();
        for step in 0..400 {
            let input = input(&mut random, &mut executing);
            let name = format!("{input:?}");
            let mut outputs = Vec::new();
            machine.handle(input, &mut outputs);
            for output in outputs {
                if let Output::Execute { task, attempt } = output {
                    executing.push((task, attempt));
                }
            }
            if let Err(error) = machine.check_consistent() {
                panic!("seed {seed}, step {step}, after {name}: {error}");
            }
        }
    }
}
