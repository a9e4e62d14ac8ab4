//! One worker, as in one process: every task once, in order, each value freed in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use samite_graph::{AnnotationId, OperationId, Plan, PlanBuilder, TaskId};
use samite_scheduling::{
    Action, Attempt, Event, GraphId, Options, Priority, Scheduler, Submission, TaskKey,
    TaskOptions, Time, WorkerId, WorkerOptions,
};

const WORKER: WorkerId = WorkerId(0);
const GRAPH: GraphId = GraphId(3);

/// For each task the distances to its dependencies, whether it is an output, and its priority.
type Shape = Vec<(Vec<usize>, bool, i32)>;

fn shapes() -> impl Strategy<Value = Shape> {
    let task = (prop::collection::vec(1usize..12, 0..4), prop::bool::weighted(0.2), -2i32..3);
    prop::collection::vec(task, 1..120)
}

fn plan(shape: &Shape) -> Arc<Plan> {
    let mut builder = PlanBuilder::default();
    let mut outputs = Vec::new();
    for (number, (distances, output, _)) in shape.iter().enumerate() {
        builder.begin_layer("", Some(AnnotationId(number as u32)));
        let needed = distances.iter().filter_map(|distance| number.checked_sub(*distance));
        let needed: Vec<TaskId> = needed.map(TaskId::from_index).collect();
        let task = builder.push(OperationId(0), number as u32, needed);
        if *output {
            outputs.push(task);
        }
    }
    Arc::new(builder.finish(outputs).expect("dependencies are earlier tasks"))
}

/// What a driver with one worker sees.
struct Driver {
    scheduler: Scheduler,
    plan: Arc<Plan>,
    running: Vec<(TaskId, Attempt)>,
    ran: BTreeSet<TaskId>,
    held: BTreeSet<TaskId>,
    ready: BTreeSet<TaskId>,
    cancelled: BTreeMap<TaskId, Attempt>,
    runs: usize,
    done: usize,
    failed: Option<TaskId>,
}

impl Driver {
    fn new(plan: Arc<Plan>, annotations: Vec<TaskOptions>, capacity: u32) -> Self {
        let mut driver = Self {
            scheduler: Scheduler::new(Options::one_machine()),
            plan: plan.clone(),
            running: Vec::new(),
            ran: BTreeSet::new(),
            held: BTreeSet::new(),
            ready: BTreeSet::new(),
            cancelled: BTreeMap::new(),
            runs: 0,
            done: 0,
            failed: None,
        };
        let options = WorkerOptions { capacity, ..WorkerOptions::with_slots(2) };
        driver.tell(Event::WorkerJoined { worker: WORKER, options });
        let annotations = annotations.into();
        let submission = Submission::new(GRAPH, plan, annotations);
        driver.tell(Event::GraphSubmitted(Box::new(submission)));
        driver
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.scheduler.handle(Time(0), event, &mut actions);
        self.carry_out(actions);
    }

    fn place(&mut self) {
        let mut actions = Vec::new();
        self.scheduler.place(Time(0), &mut actions);
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        self.scheduler.check_consistent().expect("consistent");
        let mut last: Option<Priority> = None;
        for action in actions {
            match action {
                Action::Run { worker, task, attempt, priority, sources } => {
                    assert_eq!((worker, task.graph), (WORKER, GRAPH));
                    assert!(sources.is_empty());
                    assert!(last.is_none_or(|last| last < priority), "a batch is in order");
                    last = Some(priority);
                    for input in self.plan.dependencies(task.task) {
                        assert!(self.held.contains(input), "an input is not there");
                    }
                    self.runs += 1;
                    self.running.push((task.task, attempt));
                }
                Action::Free { task, .. } => {
                    assert!(self.held.remove(&task.task), "freed and not held");
                    if self.done == 0 && self.failed.is_none() {
                        assert!(!self.plan.outputs().contains(&task.task));
                        for user in self.plan.dependents(task.task) {
                            assert!(self.ran.contains(user), "freed before the last use");
                        }
                    }
                }
                Action::Cancel { task, attempt, .. } => {
                    let run = (task.task, attempt);
                    let place = self.running.iter().position(|other| *other == run);
                    self.running.swap_remove(place.expect("what is cancelled runs"));
                    self.cancelled.insert(task.task, attempt);
                }
                Action::OutputReady { task, .. } => {
                    assert!(self.ready.insert(task.task), "told twice");
                }
                Action::GraphDone { graph } => {
                    assert_eq!(graph, GRAPH);
                    self.done += 1;
                }
                Action::GraphFailed { task, .. } => self.failed = Some(task),
                Action::GraphForgotten { graph } => assert_eq!(graph, GRAPH),
                other => panic!("{other:?} makes no sense with one worker"),
            }
        }
    }

    /// Ends one of the runs.
    fn finish(&mut self, choice: usize) {
        let (task, attempt) = self.running.swap_remove(choice % self.running.len());
        assert!(self.ran.insert(task), "ran twice");
        self.held.insert(task);
        let task = TaskKey { graph: GRAPH, task };
        let worker = WORKER;
        self.tell(Event::TaskFinished { worker, task, attempt, bytes: 8, duration: 100 });
    }
}

fn annotations(shape: &Shape) -> Vec<TaskOptions> {
    shape
        .iter()
        .map(|(_, _, priority)| TaskOptions { priority: *priority, ..TaskOptions::default() })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_task_runs_once_and_every_value_is_freed(
        shape in shapes(),
        capacity in 1u32..20,
        with_options in any::<bool>(),
        choices in prop::collection::vec((any::<usize>(), 1usize..6), 1..40),
    ) {
        let plan = plan(&shape);
        let options = if with_options { annotations(&shape) } else { Vec::new() };
        let mut driver = Driver::new(plan.clone(), options, capacity);
        let mut choices = choices.into_iter().cycle();
        while driver.done == 0 {
            driver.place();
            prop_assert!(driver.running.len() <= capacity as usize);
            prop_assert!(!driver.running.is_empty(), "nothing runs and the graph is not done");
            // Several reports come between two placements.
            let (choice, reports) = choices.next().expect("it is endless");
            for _ in 0..reports.min(driver.running.len()) {
                driver.finish(choice);
            }
        }
        let outputs: BTreeSet<TaskId> = plan.outputs().iter().copied().collect();
        prop_assert_eq!(driver.runs, plan.len());
        prop_assert_eq!(&driver.held, &outputs);
        prop_assert_eq!(&driver.ready, &outputs);
        prop_assert_eq!(driver.done, 1);
        driver.tell(Event::GraphReleased { graph: GRAPH });
        prop_assert!(driver.held.is_empty());
        prop_assert_eq!(driver.scheduler.graphs(), 0);
    }

    #[test]
    fn with_capacity_one_tasks_run_in_the_order_of_their_priority(shape in shapes()) {
        // With one task at a time and no options, the static order is the order of execution.
        let plan = plan(&shape);
        let mut driver = Driver::new(plan.clone(), Vec::new(), 1);
        let mut order = Vec::new();
        while driver.done == 0 {
            driver.place();
            order.push(plan.rank(driver.running[0].0));
            driver.finish(0);
        }
        prop_assert!(order.is_sorted());
    }

    #[test]
    fn a_failed_task_stops_its_graph_and_leaves_nothing(
        shape in shapes(),
        capacity in 1u32..20,
        after in 0usize..60,
        choice in any::<usize>(),
    ) {
        let plan = plan(&shape);
        let mut driver = Driver::new(plan.clone(), Vec::new(), capacity);
        driver.place();
        for _ in 0..after.min(plan.len() - 1) {
            driver.finish(choice);
            driver.place();
        }
        let (task, attempt) = driver.running.swap_remove(choice % driver.running.len());
        let key = TaskKey { graph: GRAPH, task };
        driver.tell(Event::TaskFailed { worker: WORKER, task: key, attempt });
        driver.place();
        prop_assert_eq!(driver.failed, Some(task));
        prop_assert!(driver.running.is_empty() && driver.held.is_empty());
        prop_assert_eq!(driver.scheduler.graphs(), 0);
        // What was running ends later; its values are freed again.
        for (task, attempt) in std::mem::take(&mut driver.cancelled) {
            driver.held.insert(task);
            let task = TaskKey { graph: GRAPH, task };
            let worker = WORKER;
            driver.tell(Event::TaskFinished { worker, task, attempt, bytes: 8, duration: 100 });
        }
        prop_assert!(driver.held.is_empty());
    }
}

#[test]
fn an_empty_graph_is_done_at_once() {
    let plan = Arc::new(PlanBuilder::default().finish(Vec::new()).expect("nothing is wrong"));
    let driver = Driver::new(plan, Vec::new(), 1);
    assert_eq!(driver.done, 1);
}

#[test]
fn a_chain_of_a_million_tasks_needs_no_deep_stack() {
    let mut builder = PlanBuilder::default();
    let mut last = builder.push(OperationId(0), 0, []);
    for index in 1..1_000_000 {
        last = builder.push(OperationId(0), index, [last]);
    }
    let plan = Arc::new(builder.finish(vec![last]).expect("a chain has no cycles"));
    let mut scheduler = Scheduler::new(Options::cluster());
    let mut actions = Vec::new();
    let now = Time(0);
    for worker in 0..2 {
        let options = WorkerOptions::with_slots(1);
        let event = Event::WorkerJoined { worker: WorkerId(worker), options };
        scheduler.handle(now, event, &mut actions);
    }
    let event = Event::GraphSubmitted(Box::new(Submission::new(GRAPH, plan, Arc::from([]))));
    scheduler.handle(now, event, &mut actions);
    let mut done = false;
    let mut lost = false;
    while !done {
        scheduler.place(now, &mut actions);
        let mut events = Vec::new();
        for action in actions.drain(..) {
            match action {
                // The last task's worker is lost, and the whole chain has to run again.
                Action::Run { worker, task, .. } if task.task == last && !lost => {
                    lost = true;
                    events.push(Event::WorkerLost { worker });
                }
                Action::Run { worker, task, attempt, .. } => {
                    let (bytes, duration) = (1, 1);
                    events.push(Event::TaskFinished { worker, task, attempt, bytes, duration });
                }
                Action::GraphDone { .. } => done = true,
                _ => {}
            }
        }
        for event in events {
            scheduler.handle(now, event, &mut actions);
            done |= actions.iter().any(|action| matches!(action, Action::GraphDone { .. }));
        }
    }
    scheduler.check_consistent().expect("consistent");
    assert_eq!(scheduler.counters().recomputed, 999_999);
}
