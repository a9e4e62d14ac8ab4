//! Tasks of independent graphs that fail: those that need them err too, and other tasks go on.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::graphs::Graph;
use crate::ids::{GraphSlot, TaskKey};
use crate::journal::Record;
use crate::scheduler::Scheduler;
use crate::task::State;

/// Why a task erred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The task that failed.
    pub(crate) origin: TaskKey,
    pub(crate) cause: FailureCause,
}

/// A task that shall err.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    pub(crate) graph: GraphSlot,
    pub(crate) task: TaskId,
    pub(crate) failure: Failure,
    /// Whether it failed itself; otherwise it needs what failed.
    pub(crate) root: bool,
}

impl Graph {
    /// Why a task erred; `None` where it did not.
    pub(crate) fn failure(&self, task: TaskId) -> Option<Failure> {
        match self.task(task).state {
            State::Erred { row } => self.failures.get(row as usize).copied(),
            _ => None,
        }
    }

    /// Sets a task's state; the caller has seen to all else.
    pub(crate) fn set_failed(&mut self, task: TaskId, failure: Failure) {
        // Tasks that err together share a row.
        if self.failures.last() != Some(&failure) {
            self.failures.push(failure);
        }
        let row = (self.failures.len() - 1) as u32;
        self.task_mut(task).state = State::Erred { row };
    }
}

impl Scheduler {
    /// A task that no worker runs has failed for good.
    pub(crate) fn fail_task(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        cause: FailureCause,
        actions: &mut Vec<Action>,
    ) {
        let Some(origin) = self.key(slot, task) else { return };
        let failure = Failure { origin, cause };
        self.fail(vec![Failing { graph: slot, task, failure, root: true }], false, actions);
    }

    /// Makes tasks err, and what needs them, in whichever graph. Tasks that run already may have
    /// got their inputs, and go on unless `stop` is set; if they did not, they say so and err then.
    pub(crate) fn fail(&mut self, mut open: Vec<Failing>, stop: bool, actions: &mut Vec<Action>) {
        let mut unneeded = Vec::new();
        let mut touched = Vec::new();
        let mut failed = Vec::new();
        while let Some(failing) = open.pop() {
            let Failing { graph: slot, task, failure, root } = failing;
            let Some(graph) = self.graphs.get(slot) else { continue };
            let row = graph.task(task);
            let passed_on = match row.state {
                State::Erred { .. } => continue,
                // Nothing needs it now.
                State::Freed | State::Held { .. } | State::Shared { .. } => root,
                State::Assigned { .. } | State::Stealing { .. } => stop,
                _ => true,
            };
            if !passed_on {
                continue;
            }
            if row.is_import() && !row.is_needed() {
                if let Some(graph) = self.graphs.get_mut(slot) {
                    graph.set_failed(task, failure);
                }
                continue;
            }
            if !graph.independent {
                failed.push((slot, graph.submission, task, failure));
                continue;
            }
            let key = TaskKey { graph: graph.id, task };
            let unfinished = row.state.is_unfinished();
            let attempt = row.attempt;
            if let Some(runner) = row.state.runner() {
                self.unassign(slot, task, runner);
                if let Some(worker) = self.workers.id(runner) {
                    actions.push(Action::Cancel { worker, task: key, attempt });
                }
            }
            self.free_value(slot, task, actions);
            let importers = self.importers(slot, task);
            let Some(graph) = self.graphs.get_mut(slot) else { continue };
            graph.set_failed(task, failure);
            if graph.task(task).is_wanted() {
                let Failure { origin, cause } = failure;
                actions.push(Action::OutputErred { task: key, origin, cause });
            }
            let plan = graph.plan.clone();
            if unfinished {
                graph.unfinished -= 1;
                touched.push(slot);
                self.drop_uses(slot, task, &mut unneeded);
            }
            let dependents = plan.dependents(task).iter().map(|dependent| (slot, *dependent));
            open.extend(dependents.chain(importers).map(|(graph, task)| Failing {
                graph,
                task,
                failure,
                root: false,
            }));
            if root {
                self.journal(actions, || Record::Failed { task: key, cause: failure.cause });
            }
        }
        self.drop_all(unneeded, actions);
        touched.sort_unstable();
        touched.dedup();
        for slot in touched {
            self.tell_if_done(slot, actions);
        }
        for (slot, submission, task, failure) in failed {
            if self.graphs.get(slot).is_some_and(|graph| graph.submission == submission) {
                self.graph_failed(slot, task, failure, actions);
            }
        }
    }

    /// What an input that erred says about a task that is to wait for it.
    pub(crate) fn failed_input(&self, slot: GraphSlot, task: TaskId) -> Option<Failure> {
        let graph = self.graphs.get(slot)?;
        graph.plan.dependencies(task).iter().find_map(|input| graph.failure(*input))
    }

    /// Tasks shall not run, and neither shall what needs them.
    pub(crate) fn tasks_cancelled(&mut self, tasks: &[TaskKey], actions: &mut Vec<Action>) {
        for &key in tasks {
            let Some(slot) = self.find_task(key) else { continue };
            // Of an import it is the importing graph's part that is cancelled.
            let failure = Failure { origin: key, cause: FailureCause::Cancelled };
            let failing = Failing { graph: slot, task: key.task, failure, root: true };
            if self.restoring {
                self.counters.stale += 1;
                continue;
            }
            self.fail(vec![failing], true, actions);
        }
    }

    /// Tasks that erred are tried again, with what made them err.
    pub(crate) fn retry(&mut self, tasks: Box<[TaskKey]>, actions: &mut Vec<Action>) {
        if self.restoring {
            self.counters.stale += 1;
            return;
        }
        let mut asked = Vec::new();
        for &key in &tasks {
            let Some(slot) = self.find_task(key) else { continue };
            asked.push((slot, key.task));
        }
        let reset = self.forget_failures(asked);
        let computed = |(slot, task): &(GraphSlot, TaskId)| {
            let graph = self.graphs.get(*slot).filter(|graph| !graph.task(*task).is_import())?;
            Some(TaskKey { graph: graph.id, task: *task })
        };
        let tasks: Box<[TaskKey]> = reset.iter().filter_map(computed).collect();
        self.journal(actions, || Record::Retried { tasks });
        let mut needed = Vec::new();
        for (slot, task) in reset {
            let Some(graph) = self.graphs.get(slot) else { continue };
            let row = graph.task(task);
            if row.is_import() {
                self.mirror(slot, task);
                self.tell_output(slot, task, actions);
                self.tell_failure(slot, task, actions);
            } else if row.is_needed() {
                needed.push((slot, task));
            }
        }
        self.need(needed, actions);
    }

    /// Makes tasks that erred, and the ancestors that made them err, look as if they had not run;
    /// which ones there were.
    pub(crate) fn forget_failures(
        &mut self,
        mut open: Vec<(GraphSlot, TaskId)>,
    ) -> Vec<(GraphSlot, TaskId)> {
        let mut reset = Vec::new();
        while let Some((slot, task)) = open.pop() {
            let Some(graph) = self.graphs.get_mut(slot) else { continue };
            let plan = graph.plan.clone();
            let row = graph.task_mut(task);
            if !matches!(row.state, State::Erred { .. }) {
                continue;
            }
            row.failures = 0;
            row.workers_lost = 0;
            row.state = if row.is_import() { State::Importing } else { State::Freed };
            reset.push((slot, task));
            if row.is_import() {
                open.extend(self.graphs.origin(slot, task));
            } else {
                open.extend(plan.dependencies(task).iter().map(|input| (slot, *input)));
            }
        }
        // What is reset first is what was asked for; it shall also be what is needed last.
        reset.reverse();
        reset
    }

    /// Tells that an output erred, where it did.
    pub(crate) fn tell_failure(&self, slot: GraphSlot, task: TaskId, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        if graph.task(task).is_wanted()
            && let Some(Failure { origin, cause }) = graph.failure(task)
        {
            let task = TaskKey { graph: graph.id, task };
            actions.push(Action::OutputErred { task, origin, cause });
        }
    }
}
