//! What is given up after a time: workers that tell nothing of themselves, and tasks that no worker
//! may run.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use samite_scheduling::{Event, TaskKey};

use super::Patiences;
use super::core::Core;

/// It is looked so often within the time that is waited, and not more often than this.
const LOOKS: u32 = 4;
const SHORTEST: Duration = Duration::from_millis(20);

/// Something that is looked at now and then.
#[derive(Debug)]
struct Watch {
    patience: Duration,
    due: Instant,
}

impl Watch {
    fn new(patience: Duration) -> Self {
        let mut watch = Self { patience, due: Instant::now() };
        watch.wind_up(watch.due);
        watch
    }

    fn wind_up(&mut self, now: Instant) {
        self.due = now + (self.patience / LOOKS).max(SHORTEST);
    }
}

/// Who waits, and how long.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    workers: Option<Watch>,
    tasks: Option<Watch>,
    /// The tasks without a worker, and since when that is known.
    since: FxHashMap<TaskKey, Instant>,
}

impl Waiting {
    pub(super) fn new(patiences: Patiences) -> Self {
        let Patiences { worker, no_workers, .. } = patiences;
        Self {
            workers: worker.map(Watch::new),
            tasks: no_workers.map(Watch::new),
            since: FxHashMap::default(),
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [&self.workers, &self.tasks].into_iter().flatten().map(|watch| watch.due).min()
    }

    /// How long tasks wait for a worker that may run them.
    pub(super) fn no_workers(&self) -> Option<Duration> {
        self.tasks.as_ref().map(|watch| watch.patience)
    }
}

impl Core {
    pub(super) fn tick_waiting(&mut self, now: Instant) {
        if let Some(watch) = self.pending.waiting.workers.as_mut().filter(|one| one.due <= now) {
            watch.wind_up(now);
            let patience = watch.patience;
            self.give_up_workers(now, patience);
        }
        if let Some(watch) = self.pending.waiting.tasks.as_mut().filter(|one| one.due <= now) {
            watch.wind_up(now);
            let patience = watch.patience;
            self.give_up_tasks(now, patience);
        }
    }

    fn give_up_workers(&mut self, now: Instant, patience: Duration) {
        let silent = self
            .workers
            .values()
            .filter(|worker| now.saturating_duration_since(worker.heard_at) > patience);
        let silent: Vec<_> =
            silent.map(|worker| (worker.connection, worker.address.to_string())).collect();
        for (connection, address) in silent {
            let seconds = patience.as_secs_f64();
            let line = format!("worker {address} was silent for {seconds} seconds and is given up");
            self.log_loudly("WARNING", line);
            if let Some(worker) = self.workers.values().find(|one| one.connection == connection) {
                worker.out.abort();
            }
            self.ended(connection, true);
        }
    }

    fn give_up_tasks(&mut self, now: Instant, patience: Duration) {
        let without = self.machine.without_worker();
        let mut before = std::mem::take(&mut self.pending.waiting.since);
        let mut since = FxHashMap::default();
        let mut late = Vec::new();
        for task in without {
            let first = before.remove(&task).unwrap_or(now);
            since.insert(task, first);
            if now.saturating_duration_since(first) >= patience {
                late.push(task);
            }
        }
        self.pending.waiting.since = since;
        if !late.is_empty() {
            self.tell(Event::NoWorkerCame { tasks: late.into() });
        }
    }
}
