//! What ran: the last runs of tasks, and the last lines of the scheduler's log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_scheduling::{TaskKey, WorkerId};

use super::core::Core;
use super::topics::wall_clock;
use crate::http::{Prefix, TaskEvent, Totals};
use crate::plain::Plain;
use crate::protocol::Key;

/// So many runs are kept.
const RUNS: usize = 100_000;
/// So many are told at once.
const RUNS_AT_ONCE: usize = 20_000;
/// So many prefixes of names are told apart.
const PREFIXES: usize = 10_000;
/// So many lines are kept.
const LINES: usize = 10_000;

/// A run that has ended.
#[derive(Debug)]
struct Ran {
    key: Option<Key>,
    task: TaskKey,
    /// `FAILED`, where it has no value.
    bytes: u64,
    /// When it ended, in seconds.
    ended: f64,
    seconds: f32,
    worker: WorkerId,
}

const FAILED: u64 = u64::MAX;

const _: () = assert!(size_of::<Ran>() == 48);

impl Ran {
    fn bytes(&self) -> Option<u64> {
        (self.bytes != FAILED).then_some(self.bytes)
    }

    fn started(&self) -> f64 {
        self.ended - f64::from(self.seconds)
    }
}

/// The last runs and lines.
#[derive(Debug, Default)]
pub(super) struct History {
    runs: VecDeque<Ran>,
    /// The addresses of the workers of these runs, and how many runs each has.
    workers: FxHashMap<WorkerId, (Arc<str>, usize)>,
    lines: VecDeque<(&'static str, String)>,
    /// How many runs have ended.
    noted: u64,
    /// What tasks have come to, by layer.
    prefixes: BTreeMap<String, Prefix>,
    /// What has come and gone.
    pub(super) totals: Totals,
}

impl History {
    pub(super) fn log(&mut self, level: &'static str, line: String) {
        if self.lines.len() >= LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((level, line));
    }

    /// The last lines as `[level, text]`, newest first.
    pub(super) fn logs(&self, arguments: &Plain) -> Plain {
        let most = arguments.get("n").and_then(Plain::as_int);
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(LINES);
        let line = |(level, text): &(&str, String)| {
            Plain::List(vec![Plain::text(level), Plain::text(text)])
        };
        Plain::List(self.lines.iter().rev().take(most).map(line).collect())
    }

    /// When the last run ended.
    pub(super) fn last_run(&self) -> Option<f64> {
        self.runs.back().map(|ran| ran.ended)
    }

    /// What tasks have come to, by layer; which are there now is for the caller to say.
    pub(super) fn prefixes(&self) -> BTreeMap<String, Prefix> {
        self.prefixes.clone()
    }

    fn push(&mut self, ran: Ran, address: &Arc<str>) {
        self.noted += 1;
        if self.runs.len() >= RUNS
            && let Some(first) = self.runs.pop_front()
            && let Some((_, runs)) = self.workers.get_mut(&first.worker)
        {
            *runs -= 1;
            if *runs == 0 {
                self.workers.remove(&first.worker);
            }
        }
        if self.runs.len() == self.runs.capacity() {
            // Doubling would leave half of the memory unused, for good.
            self.runs.reserve_exact((self.runs.len() / 4).clamp(16, RUNS / 16));
        }
        self.workers.entry(ran.worker).or_insert_with(|| (address.clone(), 0)).1 += 1;
        self.runs.push_back(ran);
    }

    fn address(&self, ran: &Ran) -> &str {
        self.workers.get(&ran.worker).map_or("", |(address, _)| address)
    }

    fn count(&mut self, layer: &str, bytes: Option<u64>, seconds: f64) {
        if !self.prefixes.contains_key(layer) {
            if self.prefixes.len() >= PREFIXES {
                return;
            }
            self.prefixes.insert(layer.to_owned(), Prefix::default());
        }
        let Some(prefix) = self.prefixes.get_mut(layer) else { return };
        prefix.compute_seconds += seconds;
        prefix.entered.processing += 1;
        match bytes {
            Some(_) => prefix.entered.memory += 1,
            None => prefix.entered.erred += 1,
        }
    }
}

impl Core {
    /// Notes that a run has ended; `bytes` are missing where it failed.
    pub(super) fn note_run(
        &mut self,
        worker: WorkerId,
        task: TaskKey,
        bytes: Option<u64>,
        nanoseconds: u64,
        ended: f64,
    ) {
        let Some(member) = self.workers.get(&worker) else { return };
        let address = member.options.address.clone();
        let key = self.names.of_task(task).cloned();
        let seconds = nanoseconds as f64 * 1e-9;
        let record = self.names.graphs.get(&task.graph);
        let layer = record.map_or("", |record| record.plan.layer_name(task.task));
        let history = &mut self.pending.history;
        history.count(layer, bytes, seconds);
        let (bytes, seconds) = (bytes.unwrap_or(FAILED), seconds as f32);
        history.push(Ran { key, task, bytes, ended, seconds, worker }, &address);
    }

    fn name_of_run(&self, ran: &Ran) -> String {
        match &ran.key {
            Some(key) => key.to_string(),
            None => match self.names.graphs.get(&ran.task.graph) {
                Some(record) => record.name_of(ran.task.task),
                None => format!("{:?}", ran.task),
            },
        }
    }

    /// The runs from that number on, the last ones where they are too many, and the number of the
    /// next one.
    pub(super) fn runs_since(&self, since: u64, most: usize) -> (Vec<TaskEvent>, u64) {
        let history = &self.pending.history;
        let History { runs, noted, .. } = history;
        let wanted = usize::try_from(noted.saturating_sub(since)).unwrap_or(usize::MAX);
        let kept = wanted.min(most).min(runs.len());
        let first = noted.saturating_sub(kept as u64);
        let event = |(index, ran): (u64, &Ran)| {
            let record = self.names.graphs.get(&ran.task.graph);
            let prefix = record.map_or("", |record| record.plan.layer_name(ran.task.task));
            let action = if ran.bytes().is_some() { "compute" } else { "erred" };
            TaskEvent {
                index,
                key: self.name_of_run(ran),
                prefix: prefix.to_owned(),
                worker: history.address(ran).to_owned(),
                thread: 0,
                action: action.to_owned(),
                start: ran.started(),
                stop: ran.ended,
            }
        };
        let last = runs.range(runs.len() - kept..);
        ((first..).zip(last).map(event).collect(), *noted)
    }

    /// The runs from the number `since` on: `{next, runs: [[key, worker, succeeded, start, stop]]}`.
    /// Without a number, none, and the number of the next one.
    pub(super) fn runs(&self, arguments: &Plain) -> Plain {
        let since = arguments.get("since").and_then(Plain::as_int);
        let since = since.map_or(u64::MAX, |since| u64::try_from(since).unwrap_or(0));
        let (runs, next) = self.runs_since(since, RUNS_AT_ONCE);
        let entry = |run: TaskEvent| {
            Plain::List(vec![
                Plain::text(run.key),
                Plain::text(run.worker),
                Plain::Bool(run.action == "compute"),
                Plain::Float(run.start),
                Plain::Float(run.stop),
            ])
        };
        let runs = runs.into_iter().map(entry).collect();
        Plain::map([("next", Plain::count(next)), ("runs", Plain::List(runs))])
    }

    /// The last runs, as Dask's task stream has them.
    pub(super) fn task_stream(&self) -> Plain {
        let history = &self.pending.history;
        let entry = |ran: &Ran| {
            let span = Plain::map([
                ("action", Plain::text("compute")),
                ("start", Plain::Float(ran.started())),
                ("stop", Plain::Float(ran.ended)),
            ]);
            Plain::map([
                ("key", Plain::text(self.name_of_run(ran))),
                ("worker", Plain::text(history.address(ran))),
                ("thread", Plain::count(ran.worker.0)),
                ("status", Plain::text(if ran.bytes().is_some() { "OK" } else { "error" })),
                ("nbytes", Plain::count(ran.bytes().unwrap_or(0))),
                ("startstops", Plain::List(vec![span])),
            ])
        };
        Plain::List(history.runs.iter().map(entry).collect())
    }

    /// What happened to tasks: `[key, before, after, worker, time]`.
    pub(super) fn story(&self, arguments: &Plain) -> Plain {
        let keys = arguments.get("keys").map(Plain::texts).unwrap_or_default();
        let mut told = Vec::new();
        let history = &self.pending.history;
        for ran in &history.runs {
            let name = self.name_of_run(ran);
            if !keys.contains(&name.as_str()) {
                continue;
            }
            let after = if ran.bytes().is_some() { "memory" } else { "erred" };
            for (before, after, time) in
                [("waiting", "processing", ran.started()), ("processing", after, ran.ended)]
            {
                told.push(Plain::List(vec![
                    Plain::text(&name),
                    Plain::text(before),
                    Plain::text(after),
                    Plain::text(history.address(ran)),
                    Plain::Float(time),
                ]));
            }
        }
        Plain::List(told)
    }

    /// Keeps a line of the log, and writes it to the standard error: nobody may ask for the log.
    pub(super) fn log_loudly(&mut self, level: &'static str, line: String) {
        eprintln!("samite scheduler: {level}: {line}");
        self.log(level, line);
    }

    /// Keeps a line of the log.
    pub(super) fn log(&mut self, level: &'static str, line: String) {
        let time = wall_clock();
        self.pending.history.log(level, format!("{time:.3} {line}"));
    }
}
