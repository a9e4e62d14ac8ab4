//! What ran: the last runs of tasks, and the last lines of the scheduler's log.

use std::collections::{BTreeMap, VecDeque};

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
    worker: WorkerId,
    address: std::sync::Arc<str>,
    bytes: Option<u64>,
    seconds: f64,
    ended: f64,
}

/// The last runs and lines.
#[derive(Debug, Default)]
pub(super) struct History {
    runs: VecDeque<Ran>,
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
        history.noted += 1;
        let runs = &mut history.runs;
        if runs.len() >= RUNS {
            runs.pop_front();
        }
        runs.push_back(Ran { key, task, worker, address, bytes, seconds, ended });
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
        let History { runs, noted, .. } = &self.pending.history;
        let wanted = usize::try_from(noted.saturating_sub(since)).unwrap_or(usize::MAX);
        let kept = wanted.min(most).min(runs.len());
        let first = noted.saturating_sub(kept as u64);
        let event = |(index, ran): (u64, &Ran)| {
            let record = self.names.graphs.get(&ran.task.graph);
            let prefix = record.map_or("", |record| record.plan.layer_name(ran.task.task));
            let action = if ran.bytes.is_some() { "compute" } else { "erred" };
            TaskEvent {
                index,
                key: self.name_of_run(ran),
                prefix: prefix.to_owned(),
                worker: ran.address.to_string(),
                thread: 0,
                action: action.to_owned(),
                start: ran.ended - ran.seconds,
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
        let entry = |ran: &Ran| {
            let span = Plain::map([
                ("action", Plain::text("compute")),
                ("start", Plain::Float(ran.ended - ran.seconds)),
                ("stop", Plain::Float(ran.ended)),
            ]);
            Plain::map([
                ("key", Plain::text(self.name_of_run(ran))),
                ("worker", Plain::text(&ran.address)),
                ("thread", Plain::count(ran.worker.0)),
                ("status", Plain::text(if ran.bytes.is_some() { "OK" } else { "error" })),
                ("nbytes", Plain::count(ran.bytes.unwrap_or(0))),
                ("startstops", Plain::List(vec![span])),
            ])
        };
        Plain::List(self.pending.history.runs.iter().map(entry).collect())
    }

    /// What happened to tasks: `[key, before, after, worker, time]`.
    pub(super) fn story(&self, arguments: &Plain) -> Plain {
        let keys = arguments.get("keys").map(Plain::texts).unwrap_or_default();
        let mut told = Vec::new();
        for ran in &self.pending.history.runs {
            let name = self.name_of_run(ran);
            if !keys.contains(&name.as_str()) {
                continue;
            }
            let after = if ran.bytes.is_some() { "memory" } else { "erred" };
            for (before, after, time) in [
                ("waiting", "processing", ran.ended - ran.seconds),
                ("processing", after, ran.ended),
            ] {
                told.push(Plain::List(vec![
                    Plain::text(&name),
                    Plain::text(before),
                    Plain::text(after),
                    Plain::text(&ran.address),
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
