//! The active memory manager: copies that nobody needs are dropped now and then, and whatever else
//! users' policies want.
//!
//! The machine drops copies by itself ([`Event::ReduceReplicas`]). Policies of users are Python, and
//! run where a client is that has said so ("amm_manage"): whenever the manager runs, that client is
//! told, asks what there is to know ("amm_state"), says what is to be copied and dropped
//! ("amm_enact"), and that it is done. Whoever wanted the run is answered then.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use samite_graph::TaskId;
use samite_scheduling::{Event, GraphId, TaskKey, WorkerId};

use super::coordination::Asker;
use super::core::Core;
use super::members::{ClientId, Worker};
use crate::plain::{Fault, Plain};
use crate::protocol::ToClient;

/// Under this topic the client that runs policies is told to.
const TOPIC: &str = "active-memory-manager";
/// A client that does not say that it is done is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What counts as the memory of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// All of its process.
    Process,
    /// Its results in memory, and what else has been there for a while.
    #[default]
    Optimistic,
    /// Its results in memory.
    Managed,
    /// Its results in memory and on disk.
    ManagedTotal,
    /// Its results on disk.
    Spilled,
    /// What its process takes besides its results.
    Unmanaged,
    /// What its process has taken for a while besides its results.
    UnmanagedOld,
    /// What its process takes besides, and has not taken for a while.
    UnmanagedRecent,
}

impl Measure {
    /// All of them, with Dask's names.
    pub const NAMED: [(&'static str, Self); 8] = [
        ("process", Self::Process),
        ("optimistic", Self::Optimistic),
        ("managed", Self::Managed),
        ("managed_total", Self::ManagedTotal),
        ("spilled", Self::Spilled),
        ("unmanaged", Self::Unmanaged),
        ("unmanaged_old", Self::UnmanagedOld),
        ("unmanaged_recent", Self::UnmanagedRecent),
    ];

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, measure)| *measure)
    }
}

/// How the manager behaves.
#[derive(Clone, Debug)]
pub struct MemoryOptions {
    /// Whether it runs by itself from the beginning.
    pub start: bool,
    /// How often it then runs.
    pub interval: Duration,
    /// By what workers are compared.
    pub measure: Measure,
    /// Whether copies that nobody needs are dropped.
    pub reduce: bool,
    /// What a process has taken for so long is not taken for a passing peak.
    pub recent: Duration,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            start: true,
            interval: Duration::from_secs(2),
            measure: Measure::default(),
            reduce: true,
            recent: Duration::from_secs(30),
        }
    }
}

/// What a worker has told of its memory.
#[derive(Debug, Default)]
pub(super) struct Observed {
    process: u64,
    managed: u64,
    spilled: u64,
    /// What was there besides results, each value smaller than those before it: the first one is the
    /// least of the last while.
    unmanaged: VecDeque<(Instant, u64)>,
}

impl Observed {
    /// Takes note of what a worker says.
    pub(super) fn note(&mut self, status: &Plain, now: Instant, recent: Duration) {
        let count = |status: &Plain, name| {
            let count = status.get(name).and_then(Plain::as_int).unwrap_or(0);
            u64::try_from(count).unwrap_or(0)
        };
        self.process = count(status, "memory");
        self.managed = count(status, "managed_bytes").min(self.process);
        self.spilled = status.get("spilled_bytes").map_or(0, |spilled| count(spilled, "disk"));
        let unmanaged = self.process - self.managed;
        while self.unmanaged.back().is_some_and(|(_, before)| *before >= unmanaged) {
            self.unmanaged.pop_back();
        }
        self.unmanaged.push_back((now, unmanaged));
        while self.unmanaged.len() > 1
            && self.unmanaged.front().is_some_and(|(at, _)| now.duration_since(*at) > recent)
        {
            self.unmanaged.pop_front();
        }
    }

    /// So many bytes, by a measure.
    pub(super) fn bytes(&self, measure: Measure) -> u64 {
        let unmanaged = self.process - self.managed;
        let old = self.unmanaged.front().map_or(0, |(_, least)| (*least).min(unmanaged));
        match measure {
            Measure::Process => self.process,
            Measure::Optimistic => self.managed + old,
            Measure::Managed => self.managed,
            Measure::ManagedTotal => self.managed.saturating_add(self.spilled),
            Measure::Spilled => self.spilled,
            Measure::Unmanaged => unmanaged,
            Measure::UnmanagedOld => old,
            Measure::UnmanagedRecent => unmanaged - old,
        }
    }

    /// By all measures.
    pub(super) fn told(&self) -> Plain {
        let named = Measure::NAMED.into_iter();
        Plain::map(named.map(|(name, measure)| (name, Plain::count(self.bytes(measure)))))
    }
}

/// The manager's state.
#[derive(Default)]
pub(super) struct Manager {
    pub(super) options: MemoryOptions,
    /// When it runs next by itself.
    due: Option<Instant>,
    /// The client that runs policies.
    policies: Option<ClientId>,
    next: u64,
    /// Those who wait for a run of policies, and until when.
    open: BTreeMap<u64, (Asker, Instant)>,
}

impl Manager {
    pub(super) fn new(options: MemoryOptions) -> Self {
        let due = options.start.then(|| Instant::now() + options.interval);
        Self { options, due, ..Self::default() }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.values().map(|(_, until)| *until).chain(self.due).min()
    }
}

/// The numbers of a graph and a task, or of a worker, in a list.
fn number(value: Option<&Plain>) -> Option<u32> {
    u32::try_from(value?.as_int()?).ok()
}

fn task_of(entry: &Plain) -> Option<TaskKey> {
    let entry = entry.items();
    let (graph, task) = (number(entry.first())?, number(entry.get(1))?);
    Some(TaskKey { graph: GraphId(graph), task: TaskId(task) })
}

fn identified(task: TaskKey) -> Plain {
    Plain::List(vec![Plain::count(task.graph.0), Plain::count(task.task.0)])
}

impl Core {
    /// "start", "stop", "running" or "run_once".
    pub(super) fn manage_memory(&mut self, asker: Asker, arguments: &Plain) {
        let manager = &mut self.pending.manager;
        let answer = match arguments.get("method").and_then(Plain::as_text).unwrap_or_default() {
            "start" => {
                let first = Instant::now() + manager.options.interval;
                manager.due = manager.due.or(Some(first));
                Ok(Plain::None)
            }
            "stop" => {
                manager.due = None;
                Ok(Plain::None)
            }
            "running" => Ok(Plain::Bool(manager.due.is_some())),
            "run_once" => return self.run_manager(Some(asker)),
            other => {
                let text = format!(
                    "the memory manager has no method {other:?}; there are start, stop, running \
                     and run_once"
                );
                Err(Fault::value(text))
            }
        };
        self.reply(asker, answer);
    }

    fn run_manager(&mut self, asker: Option<Asker>) {
        if self.pending.manager.options.reduce {
            let measure = self.pending.manager.options.measure;
            let known = self.workers.iter();
            let memory = known.map(|(id, worker)| (*id, worker.observed.bytes(measure))).collect();
            self.tell(Event::ReduceReplicas { memory });
        }
        let manager = &mut self.pending.manager;
        let runs = manager.policies.and_then(|client| self.clients.get_mut(&client));
        match (runs, asker) {
            (Some(runs), asker) => {
                manager.next += 1;
                let run = manager.next;
                let event = Plain::map([("run", Plain::count(run))]);
                runs.out.push(ToClient::Event { topic: TOPIC.to_owned(), event });
                if let Some(asker) = asker {
                    manager.open.insert(run, (asker, Instant::now() + PATIENCE));
                }
            }
            (None, Some(asker)) => self.reply(asker, Ok(Plain::None)),
            (None, None) => {}
        }
    }

    /// A client runs policies from now on, or does no more.
    pub(super) fn manage_policies(&mut self, client: ClientId, arguments: &Plain) -> Plain {
        let manager = &mut self.pending.manager;
        if arguments.get("stop").is_some_and(Plain::is_true) {
            if manager.policies == Some(client) {
                manager.policies = None;
            }
            return Plain::None;
        }
        manager.policies = Some(client);
        Plain::text(TOPIC)
    }

    /// A run of policies is over.
    pub(super) fn policies_ran(&mut self, arguments: &Plain) -> Plain {
        let run = arguments.get("run").and_then(Plain::as_int);
        let run = run.and_then(|run| u64::try_from(run).ok()).unwrap_or(0);
        if let Some((asker, _)) = self.pending.manager.open.remove(&run) {
            self.reply(asker, Ok(Plain::None));
        }
        Plain::None
    }

    /// Nobody waits for a client's policies any more.
    pub(super) fn policies_gone(&mut self, client: ClientId) {
        if self.pending.manager.policies != Some(client) {
            return;
        }
        self.pending.manager.policies = None;
        for (_, (asker, _)) in std::mem::take(&mut self.pending.manager.open) {
            self.reply(asker, Ok(Plain::None));
        }
    }

    /// What policies look at: workers with their memory, and values with those who hold and read them.
    pub(super) fn memory_state(&self) -> Plain {
        let workers = self
            .workers
            .keys()
            .map(|id| Plain::map([("id", Plain::count(id.0)), ("info", self.worker_info(*id))]));
        let numbers = |workers: &[WorkerId]| {
            Plain::List(workers.iter().map(|worker| Plain::count(worker.0)).collect())
        };
        let tasks = self.machine.values().into_iter().map(|(task, bytes)| {
            let waiters = self.machine.waiters(task).into_iter().map(|(waiter, runner)| {
                let runner = runner.map_or(Plain::None, |worker| Plain::count(worker.0));
                Plain::List(vec![identified(waiter), Plain::text(self.task_name(waiter)), runner])
            });
            Plain::List(vec![
                identified(task),
                Plain::text(self.task_name(task)),
                Plain::count(bytes),
                numbers(&self.machine.holders(task)),
                Plain::List(waiters.collect()),
            ])
        });
        Plain::map([
            ("workers", Plain::List(workers.collect())),
            ("tasks", Plain::List(tasks.collect())),
        ])
    }

    /// Copies and drops what policies want: lists of graph, task and worker.
    pub(super) fn enact(&mut self, arguments: &Plain) -> Plain {
        let wanted = |name| arguments.get(name).map(Plain::items).unwrap_or_default();
        let read = |entry: &Plain| Some((task_of(entry)?, WorkerId(number(entry.items().get(2))?)));
        for (task, worker) in wanted("replicate").iter().filter_map(read) {
            self.tell(Event::CopyWanted { worker, task });
        }
        for (task, worker) in wanted("drop").iter().filter_map(read) {
            self.tell(Event::CopyUnwanted { worker, task });
        }
        Plain::None
    }

    /// Runs the manager where that is due.
    pub(super) fn tick_manager(&mut self, now: Instant) {
        let manager = &mut self.pending.manager;
        let late: Vec<u64> = manager
            .open
            .iter()
            .filter(|(_, (_, until))| *until <= now)
            .map(|(run, _)| *run)
            .collect();
        for run in late {
            if let Some((asker, _)) = self.pending.manager.open.remove(&run) {
                let text = "the policies of the memory manager did not end in time";
                self.reply(asker, Err(Fault::new("TimeoutError", text)));
            }
        }
        let manager = &mut self.pending.manager;
        if manager.due.is_some_and(|due| due <= now) {
            manager.due = Some(now + manager.options.interval);
            self.run_manager(None);
        }
    }
}

impl Worker {
    /// Takes note of what it says of itself.
    pub(super) fn heard(&mut self, status: Plain, wall_clock: f64, recent: Duration) {
        let now = Instant::now();
        self.observed.note(&status, now, recent);
        self.status = status;
        self.heard_at = now;
        self.last_seen = wall_clock;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_told_from_what_stays() {
        let recent = Duration::from_secs(30);
        let begun = Instant::now();
        let mut observed = Observed::default();
        let mut note = |seconds, process: u64, managed: u64| {
            let status = Plain::map([
                ("memory", Plain::count(process)),
                ("managed_bytes", Plain::count(managed)),
                ("spilled_bytes", Plain::map([("disk", Plain::count(7))])),
            ]);
            observed.note(&status, begun + Duration::from_secs(seconds), recent);
            [Measure::Optimistic, Measure::UnmanagedRecent, Measure::ManagedTotal]
                .map(|measure| observed.bytes(measure))
        };
        assert_eq!(note(0, 100, 40), [100, 0, 47]);
        assert_eq!(note(10, 180, 40), [100, 80, 47]);
        assert_eq!(note(31, 170, 40), [170, 0, 47]);
        assert_eq!(note(32, 90, 95), [90, 0, 97]);
    }
}
