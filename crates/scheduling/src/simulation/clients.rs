//! The simulated clients: what they submit, want, bring, cancel and fetch.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::event::Event;
use crate::ids::{GraphId, TaskKey, Time, WorkerId};
use crate::simulation::cluster::{Simulation, bytes_of};
use crate::simulation::jobs::value;
use crate::simulation::network::Happening;
use crate::simulation::outcome::SimulationError;
use crate::worker::Input;

impl Simulation {
    pub(super) fn gather_later(&mut self, job: usize) {
        let Some((_, client)) = self.jobs.get_mut(job) else { return };
        if !client.gathering {
            client.gathering = true;
            let delay = self.random.between(self.faults.delay.0, self.faults.delay.1);
            self.agenda.after(delay, Happening::Gather { job });
        }
    }

    /// A client fetches the outputs of which it was told, and releases its graph when it has all.
    pub(super) fn gather(&mut self, number: usize) -> Result<(), SimulationError> {
        self.jobs[number].1.gathering = false;
        let (job, client) = &self.jobs[number];
        if client.released || client.failed.is_some() {
            return Ok(());
        }
        let graph = GraphId(number as u32);
        let mut lost = Vec::new();
        let mut collected = Vec::new();
        for output in job.wanted() {
            let Some(&worker) = client.ready.get(&output) else { continue };
            let task = self.origin(TaskKey { graph, task: output });
            let node = self.node_of.get(&worker).map(|node| &self.nodes[*node]);
            let node = node.filter(|node| node.alive);
            if let Some(value) = node.and_then(|node| node.store.get(&task)) {
                self.outcome.imported += u64::from(task.graph != graph);
                collected.push((output, *value));
            } else if !client.collected.contains_key(&output) {
                lost.push((output, Event::ReplicaLost { worker, task }));
            }
        }
        let (job, client) = &mut self.jobs[number];
        client.collected.extend(collected);
        for (output, _) in &lost {
            client.ready.remove(output);
        }
        let there = |output: TaskId| {
            client.collected.contains_key(&output) || client.erred.contains_key(&output)
        };
        let all = job.wanted().all(there);
        if all && (client.done || client.forgotten) && job.released.is_none() {
            for output in job.wanted().filter(|output| !client.erred.contains_key(output)) {
                let expected = self.expected[number][output.index()];
                let found = client.collected.get(&output).copied().unwrap_or_default();
                if found != expected {
                    let task = TaskKey { graph, task: output };
                    return Err(SimulationError::WrongValue { task, found, expected });
                }
            }
            self.outcome.completed += 1;
            self.outcome.erred += client.erred.len();
            self.release(number);
        } else {
            for (_, event) in lost {
                self.tell_scheduler(event);
            }
        }
        Ok(())
    }

    pub(super) fn release(&mut self, job: usize) {
        let client = &mut self.jobs[job].1;
        if client.released {
            return;
        }
        client.released = true;
        if client.submitted && client.failed.is_none() {
            self.tell_scheduler(Event::GraphReleased { graph: GraphId(job as u32) });
        }
    }

    /// A client wants what it dropped.
    pub(super) fn want_again(&mut self, number: usize) {
        let (job, client) = &mut self.jobs[number];
        if client.released || client.failed.is_some() || !client.submitted {
            return;
        }
        let Some((_, tasks)) = job.dropped.take() else { return };
        let graph = GraphId(number as u32);
        self.tell_scheduler(Event::OutputsWanted { graph, tasks: tasks.into() });
        self.gather_later(number);
    }

    /// The task that has a task's value.
    pub(super) fn origin(&self, mut task: TaskKey) -> TaskKey {
        while let Some((job, _)) = self.jobs.get(task.graph.0 as usize)
            && let Some(origin) = job.origin(task.task)
        {
            task = origin;
        }
        task
    }

    /// A client brings its data to workers, again and again until the scheduler knows of it.
    pub(super) fn scatter(&mut self, number: usize) -> Result<(), SimulationError> {
        let graph = GraphId(number as u32);
        let mut waiting = false;
        for task in self.jobs[number].0.data.clone() {
            let key = TaskKey { graph, task };
            if self.scheduler.state(key) != Some(crate::TaskState::Waiting) {
                continue;
            }
            waiting = true;
            let choice = self.random.number();
            let Some(node) = self.some_node(choice) else { continue };
            self.nodes[node].store.insert(key, value(task, std::iter::empty()));
            self.tell_worker(node, Input::Stored { task: key, bytes: bytes_of(task) })?;
        }
        if waiting {
            let delay = self.faults.delay.1 * 40;
            self.agenda.after(delay, Happening::Scatter { job: number });
        }
        Ok(())
    }

    /// An output will not be there. Where the task does not fail for ever, it is tried again.
    pub(super) fn output_erred(&mut self, task: TaskKey, origin: TaskKey, cause: FailureCause) {
        let number = task.graph.0 as usize;
        let failures = self
            .jobs
            .get(origin.graph.0 as usize)
            .and_then(|(job, _)| job.failures.get(origin.task.index()).copied());
        let Some((_, client)) = self.jobs.get_mut(number) else { return };
        let again = failures.is_some_and(|failures| failures < u32::MAX);
        if cause == FailureCause::Error && again && !client.released {
            let delay = self.random.between(self.faults.delay.0, self.faults.delay.1);
            self.agenda.after(delay, Happening::Retry { task });
            return;
        }
        client.erred.insert(task.task, origin);
        if !self.has_reason(origin, cause) {
            self.unfounded.get_or_insert((task, origin));
        }
        self.gather_later(number);
    }

    /// Whether a task that is said to have failed can have failed so.
    fn has_reason(&self, task: TaskKey, cause: FailureCause) -> bool {
        let Some((job, client)) = self.jobs.get(task.graph.0 as usize) else { return false };
        let cancelled = job.cancelled.is_some_and(|(_, cancelled)| cancelled == task.task);
        match cause {
            FailureCause::Error => client.fragile.contains(&task.task),
            FailureCause::DataLost => job.data.contains(&task.task),
            FailureCause::Cancelled => cancelled,
            FailureCause::OriginGone => {
                !client.submitted || client.released || client.forgotten || client.failed.is_some()
            }
            FailureCause::WorkersLost { .. } | FailureCause::NoWorker => false,
        }
    }

    /// A worker leaves, for it was said that it can: nothing may be lost with it.
    pub(super) fn let_go(&mut self, worker: WorkerId) {
        let Some(&node) = self.node_of.get(&worker) else { return };
        let node = &mut self.nodes[node];
        node.alive = false;
        node.store.clear();
        self.outcome.retired += 1;
        let before = self.scheduler.counters().recomputed;
        let mut actions = Vec::new();
        let now = Time(self.agenda.now());
        self.scheduler.handle(now, Event::WorkerLost { worker }, &mut actions);
        let erred = actions.iter().any(|action| matches!(action, Action::OutputErred { .. }));
        if erred || self.scheduler.counters().recomputed != before {
            self.too_soon = Some(worker);
        }
        self.carry_out(actions);
    }

    /// Whether a task has a reason to err: it fails more often than its retries allow, it was
    /// cancelled or its value could be lost, or something that it needs has such a reason.
    pub(super) fn may_fail(&self, task: TaskKey) -> bool {
        let mut open = vec![task];
        let mut seen = rustc_hash::FxHashSet::default();
        while let Some(key) = open.pop() {
            let Some((job, client)) = self.jobs.get(key.graph.0 as usize) else { return true };
            let TaskKey { graph, task } = key;
            if !seen.insert(key) || task.index() >= job.plan.len() {
                continue;
            }
            let cancelled = job.cancelled.is_some_and(|(_, cancelled)| cancelled == task);
            let fails = client.fragile.contains(&task);
            if fails || cancelled || job.data.contains(&task) {
                return true;
            }
            if let Some(origin) = job.origin(task) {
                let there = self.jobs.get(origin.graph.0 as usize);
                // It may have been released before, or was not there yet.
                if there.is_none_or(|(_, client)| client.failed.is_some() || client.released) {
                    return true;
                }
                open.push(origin);
            }
            open.extend(
                job.plan.dependencies(task).iter().map(|task| TaskKey { graph, task: *task }),
            );
        }
        false
    }
}
