//! Scenarios: what the scheduler answers, line by line, in the files beside this one.
//!
//! A line that begins with `>` is a command; the lines after it are the actions that the scheduler
//! answers with, first those of the event, then those of the placement that follows. A command
//! that ends in `...` has no placement after it. All other lines (the picture of the graph, and why)
//! are for people. `SAMITE_BLESS=1` writes the answers anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use samite_graph::{AnnotationId, OperationId, PlanBuilder, TaskId};
use samite_scheduling::{
    Action, Attempt, Event, FailureCause, GraphId, Import, Options, Pressure, Record, Resource,
    Scheduler, Source, Submission, TaskKey, TaskOptions, Time, WorkerId, WorkerOptions,
};

/// The words of a command: plain ones, and those of the form `name=value`.
struct Words<'line> {
    plain: Vec<&'line str>,
    named: BTreeMap<&'line str, &'line str>,
}

impl<'line> Words<'line> {
    fn new(line: &'line str) -> Self {
        let (named, plain): (Vec<_>, Vec<_>) =
            line.split_whitespace().partition(|word| word.contains('='));
        let named = named.into_iter().filter_map(|word| word.split_once('=')).collect();
        Self { plain, named }
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.named.get(name).map_or(default, |value| {
            value.parse().unwrap_or_else(|_| panic!("{name} is not a number"))
        })
    }

    fn text(&self, name: &str) -> &'line str {
        self.named.get(name).copied().unwrap_or_default()
    }

    fn worker(&self, position: usize) -> WorkerId {
        worker(self.plain[position])
    }
}

fn worker(word: &str) -> WorkerId {
    WorkerId(word.trim_start_matches('w').parse().expect("workers are called w0, w1, ..."))
}

struct Scene {
    options: Options,
    scheduler: Scheduler,
    names: BTreeMap<TaskKey, String>,
    attempts: BTreeMap<(WorkerId, TaskKey), Attempt>,
    journal: Vec<Record>,
}

impl Scene {
    fn new() -> Self {
        let options = Options::cluster();
        Self {
            scheduler: Scheduler::new(options.clone()),
            options,
            names: BTreeMap::new(),
            attempts: BTreeMap::new(),
            journal: Vec::new(),
        }
    }

    fn task(&self, name: &str) -> TaskKey {
        let found = self.names.iter().find(|(_, other)| *other == name);
        *found.unwrap_or_else(|| panic!("there is no task {name}")).0
    }

    fn name(&self, task: TaskKey) -> &str {
        &self.names[&task]
    }

    /// Carries out a command; what the scheduler answers.
    fn command(&mut self, line: &str) -> String {
        let (line, placed) = match line.strip_suffix("...") {
            Some(line) => (line.trim(), false),
            None => (line, true),
        };
        let mut actions = Vec::new();
        if let Some(event) = self.event(line) {
            self.scheduler.handle(Time(0), event, &mut actions);
        }
        self.scheduler.check_consistent().unwrap_or_else(|error| panic!("after {line}: {error}"));
        if placed {
            self.scheduler.place(Time(0), &mut actions);
            let checked = self.scheduler.check_consistent();
            checked.unwrap_or_else(|error| panic!("after placing for {line}: {error}"));
        }
        let mut answer = String::new();
        for action in actions {
            if let Action::Run { worker, task, attempt, .. } = &action {
                self.attempts.insert((*worker, *task), *attempt);
            }
            writeln!(answer, "    {}", self.describe(&action)).expect("strings take all");
            if let Action::Journal(record) = action {
                self.journal.push(record);
            }
        }
        if answer.is_empty() { String::from("    nothing\n") } else { answer }
    }

    fn event(&mut self, line: &str) -> Option<Event> {
        let words = Words::new(line);
        let run = || {
            let (worker, task) = (words.worker(1), self.task(words.plain[2]));
            let last = self.attempts.get(&(worker, task)).copied().unwrap_or_default();
            (worker, task, Attempt(words.number("attempt", last.0)))
        };
        let graph = || GraphId(words.plain[1].parse().expect("graphs are called 0, 1, ..."));
        Some(match words.plain[0] {
            "options" => {
                self.set_options(&words);
                return None;
            }
            "place" => return None,
            "counters" => return None,
            "restart" => {
                let records = self.journal.iter().cloned();
                self.scheduler = Scheduler::replay(self.options.clone(), records);
                return None;
            }
            "restored" => Event::RestoreEnded,
            "graph" => self.graph(line),
            "release" => Event::GraphReleased { graph: graph() },
            "cancel" => Event::GraphCancelled { graph: graph() },
            "want" => {
                let tasks: Vec<TaskKey> =
                    words.plain[1..].iter().map(|name| self.task(name)).collect();
                let graph = tasks[0].graph;
                let tasks = tasks.iter().map(|task| task.task).collect();
                Event::OutputsWanted { graph, tasks }
            }
            "retry" => Event::Retry {
                tasks: words.plain[1..].iter().map(|name| self.task(name)).collect(),
            },
            "kill" => Event::TasksCancelled {
                tasks: words.plain[1..].iter().map(|name| self.task(name)).collect(),
            },
            "retire" => Event::WorkerRetiring { worker: words.worker(1) },
            "reduce" => Event::ReduceReplicas { memory: Box::default() },
            "copy" => {
                Event::CopyWanted { worker: words.worker(2), task: self.task(words.plain[1]) }
            }
            "uncopy" => {
                Event::CopyUnwanted { worker: words.worker(2), task: self.task(words.plain[1]) }
            }
            "nobody" => Event::NoWorkerCame {
                tasks: words.plain[1..].iter().map(|name| self.task(name)).collect(),
            },
            "balance" => Event::Rebalance { workers: Box::default(), tasks: None },
            "drop" => {
                let tasks: Vec<TaskKey> =
                    words.plain[1..].iter().map(|name| self.task(name)).collect();
                let graph = tasks[0].graph;
                let tasks = tasks.iter().map(|task| task.task).collect();
                Event::OutputsReleased { graph, tasks }
            }
            "worker" => {
                let slots = words.number("slots", 1);
                let mut options = WorkerOptions::with_slots(slots);
                options.capacity = words.number("capacity", 2 * slots);
                options.name = Arc::from(words.plain[1]);
                if let Some((name, units)) = words.text("has").split_once(':') {
                    let units = units.parse().expect("has=NAME:UNITS");
                    options.resources = vec![Resource::whole(name, units)];
                }
                Event::WorkerJoined { worker: words.worker(1), options }
            }
            "lose" => Event::WorkerLost { worker: words.worker(1) },
            "capacity" => {
                let capacity = words.plain[2].parse().expect("capacity WORKER NUMBER");
                Event::CapacityChanged { worker: words.worker(1), capacity }
            }
            "slots" => {
                let slots = words.plain[2].parse().expect("slots WORKER NUMBER");
                Event::SlotsChanged { worker: words.worker(1), slots }
            }
            "memory" => {
                let pressure = match words.plain[2] {
                    "normal" => Pressure::Normal,
                    "hold" => Pressure::HoldSources,
                    "pause" => Pressure::Pause,
                    other => panic!("there is no pressure {other}"),
                };
                Event::MemoryChanged { worker: words.worker(1), bytes: 0, pressure }
            }
            "finish" => {
                let (worker, task, attempt) = run();
                let bytes = words.number("bytes", 1);
                let duration = words.number("ms", 1000) * 1_000_000;
                Event::TaskFinished { worker, task, attempt, bytes, duration }
            }
            "fail" => {
                let (worker, task, attempt) = run();
                Event::TaskFailed { worker, task, attempt }
            }
            "reschedule" => {
                let (worker, task, attempt) = run();
                Event::TaskRescheduled { worker, task, attempt }
            }
            "miss" => {
                let (worker, task, attempt) = run();
                let input = self.task(words.text("input"));
                let source = self::worker(words.text("from"));
                Event::FetchFailed { worker, task, attempt, input, source }
            }
            "gives" | "keeps" => {
                let (worker, task, attempt) = run();
                let given = words.plain[0] == "gives";
                Event::StealAnswered { worker, task, attempt, given }
            }
            "has" => {
                let (worker, task, _) = run();
                Event::ReplicaAdded { worker, task, bytes: words.number("bytes", 1) }
            }
            "lost" => {
                let (worker, task, _) = run();
                Event::ReplicaLost { worker, task }
            }
            "copies" => {
                let copies = words.plain[2].parse().expect("copies TASK NUMBER");
                let workers = Box::default();
                Event::ReplicasWanted { task: self.task(words.plain[1]), copies, workers }
            }
            other => panic!("there is no command {other}"),
        })
    }

    fn set_options(&mut self, words: &Words<'_>) {
        let options = &mut self.options;
        if words.text("saturation") == "none" {
            options.saturation = None;
        }
        options.allowed_failures = words.number("allowed_failures", options.allowed_failures);
        options.stealing = words.number("stealing", options.stealing);
        options.journal = words.number("journal", options.journal);
        let milliseconds = words.number("unknown_ms", options.unknown_duration / 1_000_000);
        options.unknown_duration = milliseconds * 1_000_000;
        self.scheduler = Scheduler::new(options.clone());
    }

    /// `graph 0 : a : b : c a b : outputs c`: each part names a task and its dependencies; options
    /// of a task follow as `name=value`.
    fn graph(&mut self, line: &str) -> Event {
        let mut parts = line.split(" : ");
        let head = Words::new(parts.next().expect("a graph has a number"));
        let graph = GraphId(head.plain[1].parse().expect("graphs are called 0, 1, ..."));
        let mut builder = PlanBuilder::default();
        let mut annotations = Vec::new();
        let mut tasks: BTreeMap<&str, TaskId> = BTreeMap::new();
        let mut outputs = Vec::new();
        let mut imports = Vec::new();
        let mut data = Vec::new();
        for part in parts {
            let words = Words::new(part);
            let needed: Vec<TaskId> = words.plain[1..].iter().map(|name| tasks[name]).collect();
            if words.plain[0] == "outputs" {
                outputs = needed;
                continue;
            }
            let list = |name| -> Vec<&str> {
                words.text(name).split(',').filter(|word| !word.is_empty()).collect()
            };
            annotations.push(TaskOptions {
                priority: words.number("priority", 0),
                retries: words.number("retries", 0),
                workers: list("on").into_iter().map(Arc::from).collect(),
                allow_other_workers: words.number("or_others", false),
                resources: list("uses")
                    .into_iter()
                    .filter_map(|one| one.split_once(':'))
                    .map(|(name, units)| Resource::whole(name, units.parse().expect("a number")))
                    .collect(),
                part: None,
                kept: words.number("kept", 0),
                pinned: words.number("pinned", false),
            });
            let annotation = AnnotationId((annotations.len() - 1) as u32);
            builder.begin_layer(words.plain[0], Some(annotation));
            let task = builder.push(OperationId(0), 0, needed);
            tasks.insert(words.plain[0], task);
            if words.named.contains_key("of") {
                imports.push(Import { task, origin: self.task(words.text("of")) });
            }
            if words.number("data", false) {
                data.push(task);
            }
            self.names.insert(TaskKey { graph, task }, words.plain[0].to_owned());
        }
        if annotations.iter().all(|options| *options == TaskOptions::default()) {
            annotations.clear();
        }
        let plan = Arc::new(builder.finish(outputs).expect("scenarios have no cycles"));
        Event::GraphSubmitted(Box::new(Submission {
            imports: imports.into(),
            data: data.into(),
            independent: head.number("independent", false),
            together: head.number("together", 0),
            ..Submission::new(graph, plan, annotations.into())
        }))
    }

    fn describe(&self, action: &Action) -> String {
        let id = |worker: &WorkerId| format!("w{}", worker.0);
        match action {
            Action::Run { worker, task, attempt, sources, .. } => {
                let mut line = format!("run {} on {}", self.name(*task), id(worker));
                if attempt.0 != 1 {
                    write!(line, ", attempt {}", attempt.0).expect("strings take all");
                }
                for Source { input, worker } in sources {
                    let input = self.name(*input);
                    write!(line, ", {input} from {}", id(worker)).expect("strings take all");
                }
                line
            }
            Action::Free { worker, task } => format!("free {} on {}", self.name(*task), id(worker)),
            Action::Cancel { worker, task, attempt } => {
                format!("cancel {} on {}, attempt {}", self.name(*task), id(worker), attempt.0)
            }
            Action::Steal { worker, task, attempt } => {
                format!("steal {} from {}, attempt {}", self.name(*task), id(worker), attempt.0)
            }
            Action::Replicate { worker, task, source } => {
                format!("copy {} from {} to {}", self.name(*task), id(source), id(worker))
            }
            Action::OutputReady { task, worker } => {
                format!("output {} is on {}", self.name(*task), id(worker))
            }
            Action::GraphDone { graph } => format!("graph {} is done", graph.0),
            Action::GraphFailed { graph, task, cause, .. } => {
                let cause = describe_cause(*cause);
                let task = self.name(TaskKey { graph: *graph, task: *task });
                format!("graph {} failed in {task}: {cause}", graph.0)
            }
            Action::OutputErred { task, origin, cause } => {
                let cause = describe_cause(*cause);
                format!("output {} erred in {}: {cause}", self.name(*task), self.name(*origin))
            }
            Action::OutputUnknown { task } => format!("output {task:?} is unknown"),
            Action::GraphForgotten { graph } => format!("graph {} is forgotten", graph.0),
            Action::WorkerRetired { worker } => format!("{} can go", id(worker)),
            Action::Journal(Record::Submitted(submission)) => {
                format!("write: graph {} of {} tasks", submission.graph.0, submission.plan.len())
            }
            Action::Journal(Record::Finished { task }) => {
                format!("write: {} has run", self.name(*task))
            }
            Action::Journal(Record::OutputsReleased { graph, tasks }) => {
                format!("write: {} outputs of graph {} released", tasks.len(), graph.0)
            }
            Action::Journal(Record::OutputsWanted { graph, tasks }) => {
                format!("write: {} outputs of graph {} wanted", tasks.len(), graph.0)
            }
            Action::Journal(Record::Failed { task, cause }) => {
                format!("write: {} failed, {}", self.name(*task), describe_cause(*cause))
            }
            Action::Journal(Record::Retried { tasks }) => {
                format!("write: {} tasks tried again", tasks.len())
            }
            Action::Journal(Record::WorkersLost { task, workers }) => {
                format!("write: {} lost {workers} workers", self.name(*task))
            }
            Action::Journal(Record::Closed { graph }) => format!("write: graph {} closed", graph.0),
        }
    }
}

fn describe_cause(cause: FailureCause) -> String {
    match cause {
        FailureCause::Error => String::from("an error"),
        FailureCause::WorkersLost { workers } => format!("{workers} lost workers"),
        FailureCause::DataLost => String::from("lost data"),
        FailureCause::OriginGone => String::from("an origin that is gone"),
        FailureCause::Cancelled => String::from("cancelled"),
        FailureCause::NoWorker => String::from("no worker"),
    }
}

/// The file as it should be: its own commands, with the answers that they get.
fn replayed(text: &str) -> String {
    let mut scene = Scene::new();
    let mut written = String::new();
    let mut in_answer = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix('>') {
            writeln!(written, "{line}").expect("strings take all");
            written.push_str(&scene.command(command.trim()));
            in_answer = true;
        } else if !(in_answer && line.starts_with("    ")) {
            in_answer = false;
            writeln!(written, "{line}").expect("strings take all");
        }
    }
    written
}

#[test]
fn scenarios_are_answered_as_written() {
    // Asked when it runs: a test that was built may have been moved.
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let folder = Path::new(&crate_folder).join("tests/it/scenarios");
    let bless = std::env::var("SAMITE_BLESS").is_ok_and(|value| value == "1");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of scenarios is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "scenarios are missing");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a scenario can be read");
        println!("{}", file.display());
        let replayed = replayed(&text);
        if bless {
            std::fs::write(&file, replayed).expect("a scenario can be written");
        } else {
            assert_eq!(text, replayed, "{} (SAMITE_BLESS=1 writes it anew)", file.display());
        }
    }
}
