//! Records from which a scheduler that was killed can go on.

use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::failures::Failure;
use crate::graphs::Graph;
use crate::ids::{Attempt, GraphId, GraphSlot, TaskKey, WorkerId};
use crate::imports::Link;
use crate::options::Options;
use crate::scheduler::Scheduler;
use crate::submission::{Import, Submission};
use crate::task::State;

/// One line of the journal, in the order in which things happened.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub enum Record {
    /// A graph came.
    Submitted(Box<Submission>),
    /// A task has run.
    Finished {
        /// The task.
        task: TaskKey,
    },
    /// Outputs are not needed any more.
    OutputsReleased {
        /// The graph.
        graph: GraphId,
        /// The outputs.
        tasks: Box<[TaskId]>,
    },
    /// Values are needed until they are released.
    OutputsWanted {
        /// The graph.
        graph: GraphId,
        /// The tasks.
        tasks: Box<[TaskId]>,
    },
    /// A task of an independent graph has failed.
    Failed {
        /// The task.
        task: TaskKey,
        /// Why.
        cause: FailureCause,
    },
    /// A task was on one worker more that was lost.
    WorkersLost {
        /// The task.
        task: TaskKey,
        /// How many workers in a row there were.
        workers: u8,
    },
    /// Tasks that failed were tried again.
    Retried {
        /// The tasks.
        tasks: Box<[TaskKey]>,
    },
    /// The graph was released, cancelled, or has failed: there is nothing to restore of it.
    Closed {
        /// The graph.
        graph: GraphId,
    },
}

/// A run that a worker began under an earlier scheduler, and goes on with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Continued {
    pub(crate) worker: WorkerId,
    pub(crate) task: TaskKey,
    pub(crate) attempt: Attempt,
}

impl Scheduler {
    /// A scheduler that goes on where another one was killed, from the records that it wrote.
    ///
    /// Its driver connects the workers anew: each joins under a new id, has forgotten the runs that had
    /// not begun, reports what it holds with [`ReplicaAdded`](crate::Event::ReplicaAdded) and what it still runs
    /// with [`RunContinues`](crate::Event::RunContinues). Nothing is placed
    /// until [`RestoreEnded`](crate::Event::RestoreEnded); then everything runs that has not run,
    /// and what it takes to have again the needed values that nobody reported.
    pub fn replay(options: Options, records: impl IntoIterator<Item = Record>) -> Self {
        let mut scheduler = Self::new(options);
        scheduler.restoring = true;
        for record in records {
            scheduler.apply(record);
        }
        scheduler
    }

    fn apply(&mut self, record: Record) {
        match record {
            Record::Submitted(submission) => {
                if let Some(slot) = self.graphs.insert(&submission, None) {
                    self.link(slot, &submission.imports);
                }
            }
            Record::Finished { task } => {
                if let Some((graph, task)) = self.recorded(task) {
                    let row = graph.task_mut(task);
                    row.state = State::Freed;
                    row.workers_lost = 0;
                }
            }
            Record::Failed { task: key, cause } => {
                if let Some((graph, task)) = self.recorded(key) {
                    graph.set_failed(task, Failure { origin: key, cause });
                }
            }
            Record::WorkersLost { task, workers } => {
                if let Some((graph, task)) = self.recorded(task) {
                    graph.task_mut(task).workers_lost = workers;
                }
            }
            Record::Retried { tasks } => {
                for key in tasks {
                    if let Some((graph, task)) = self.recorded(key) {
                        graph.task_mut(task).state = State::Freed;
                    }
                }
            }
            Record::OutputsReleased { graph, tasks } => self.record_wanted(graph, &tasks, false),
            Record::OutputsWanted { graph, tasks } => self.record_wanted(graph, &tasks, true),
            Record::Closed { graph } => {
                if let Some(slot) = self.graphs.slot(graph) {
                    self.cut(slot, &mut Vec::new(), &mut Vec::new());
                    self.graphs.remove(slot);
                }
            }
        }
    }

    fn record_wanted(&mut self, graph: GraphId, tasks: &[TaskId], wanted: bool) {
        let slot = self.graphs.slot(graph);
        let Some(graph) = slot.and_then(|slot| self.graphs.get_mut(slot)) else { return };
        for &task in tasks {
            if graph.has_task(task) {
                graph.set_wanted(task, wanted);
            }
        }
    }

    /// The graph of a task that a record speaks of, where it is no import.
    fn recorded(&mut self, key: TaskKey) -> Option<(&mut Graph, TaskId)> {
        let slot = self.graphs.slot(key.graph)?;
        let graph = self.graphs.get_mut(slot)?;
        let known = graph.has_task(key.task) && !graph.task(key.task).is_import();
        known.then_some((graph, key.task))
    }

    /// The shortest journal that leads to the present state, to replace a long one.
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut graphs: Vec<&Graph> = self.graphs.iter().map(|(_, graph)| graph).collect();
        // Imports find their origins only in graphs that came before.
        graphs.sort_unstable_by_key(|graph| graph.submission);
        for graph in graphs {
            let links = graph.links.as_ref().map(|links| &links.imports[..]).unwrap_or_default();
            let import = |link: &Link| Import { task: link.task, origin: link.key };
            records.push(Record::Submitted(Box::new(Submission {
                graph: graph.id,
                plan: graph.plan.clone(),
                annotations: graph.annotations.clone(),
                imports: links.iter().map(import).collect(),
                data: graph.ids().filter(|task| graph.task(*task).is_data()).collect(),
                independent: graph.independent,
                // Graphs that are restored begin again in the order in which they came.
                together: 0,
            })));
            for task in graph.ids() {
                let key = TaskKey { graph: graph.id, task };
                let workers = graph.task(task).workers_lost;
                if workers > 0 {
                    records.push(Record::WorkersLost { task: key, workers });
                }
                match graph.task(task).state {
                    State::Freed | State::Held { .. } | State::Shared { .. } => {
                        records.push(Record::Finished { task: key });
                    }
                    State::Erred { .. } => {
                        let failure = graph.failure(task).filter(|failure| failure.origin == key);
                        let failed =
                            |failure: Failure| Record::Failed { task: key, cause: failure.cause };
                        records.extend(failure.map(failed));
                    }
                    _ => {}
                }
            }
            let outputs = graph.plan.outputs();
            let released = outputs.iter().filter(|task| !graph.task(**task).is_wanted());
            let tasks: Box<[TaskId]> = released.copied().collect();
            if !tasks.is_empty() {
                records.push(Record::OutputsReleased { graph: graph.id, tasks });
            }
            let mut outputs = outputs.to_vec();
            outputs.sort_unstable();
            let wanted = graph.ids().filter(|task| graph.task(*task).is_wanted());
            let tasks: Box<[TaskId]> =
                wanted.filter(|task| outputs.binary_search(task).is_err()).collect();
            if !tasks.is_empty() {
                records.push(Record::OutputsWanted { graph: graph.id, tasks });
            }
        }
        records
    }

    pub(crate) fn restore_ended(&mut self, actions: &mut Vec<Action>) {
        if !self.restoring {
            self.counters.stale += 1;
            return;
        }
        self.restoring = false;
        let slots = self.graphs.used();
        // First all that has no value looks as if it were not needed; then what is needed is.
        let mut needed = Vec::new();
        for &slot in &slots {
            self.begin_rebuild(slot, &mut needed);
        }
        for &slot in &slots {
            let Some(graph) = self.graphs.get(slot) else { continue };
            let wanted: Vec<TaskId> =
                graph.ids().filter(|task| graph.task(*task).is_wanted()).collect();
            for task in wanted {
                let Some(graph) = self.graphs.get(slot) else { break };
                if graph.task(task).is_import() {
                    self.revive(slot, task, &mut needed);
                    self.mirror(slot, task);
                } else if graph.task(task).state == State::Freed {
                    needed.push((slot, task));
                }
                self.tell_failure(slot, task, actions);
            }
        }
        self.need(needed, actions);
        self.adopt(actions);
        for &slot in &slots {
            self.end_rebuild(slot, actions);
        }
        self.forget(&slots, actions);
        self.rescue_restored(actions);
    }

    /// A worker goes on with a run that it began under another scheduler.
    pub(crate) fn run_continues(&mut self, run: Continued, actions: &mut Vec<Action>) {
        let Continued { worker, task, attempt } = run;
        if self.find_worker(worker).is_none() {
            return;
        }
        if self.restoring {
            self.continued.push(run);
            return;
        }
        self.counters.stale += 1;
        // A late second report speaks of a run that counts already.
        if self.runner(task) != Some((worker, attempt)) {
            actions.push(Action::Cancel { worker, task, attempt });
        }
    }

    /// A run of which it was said that it goes on has ended before the restoring has.
    pub(crate) fn continued_no_more(&mut self, worker: WorkerId, task: TaskKey) {
        self.continued.retain(|run| (run.worker, run.task) != (worker, task));
    }

    /// Gives tasks that have to run to the workers that run them already.
    fn adopt(&mut self, actions: &mut Vec<Action>) {
        for Continued { worker, task: key, attempt } in std::mem::take(&mut self.continued) {
            let Some(to) = self.workers.slot(worker) else { continue };
            if self.runner(key) == Some((worker, attempt)) {
                continue;
            }
            let waits = self.graphs.slot(key.graph).filter(|slot| {
                self.graphs.get(*slot).is_some_and(|graph| {
                    graph.has_task(key.task)
                        && matches!(
                            graph.task(key.task).state,
                            State::Waiting { .. } | State::Ready
                        )
                })
            });
            match waits {
                Some(slot) => self.assign_as(slot, key.task, to, attempt),
                None => actions.push(Action::Cancel { worker, task: key, attempt }),
            }
        }
    }

    fn begin_rebuild(&mut self, slot: GraphSlot, needed: &mut Vec<(GraphSlot, TaskId)>) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let plan = graph.plan.clone();
        let mut outputs = plan.outputs().to_vec();
        outputs.sort_unstable();
        for task in graph.ids() {
            let row = graph.task_mut(task);
            row.uses = 0;
            if row.is_import() {
                row.state = State::Importing;
            } else if row.state.is_unfinished() {
                row.state = State::Freed;
                // What nobody uses runs nevertheless, unless it was an output that was released.
                if plan.dependents(task).is_empty() && outputs.binary_search(&task).is_err() {
                    needed.push((slot, task));
                }
            }
        }
        graph.unfinished = 0;
    }

    fn end_rebuild(&mut self, slot: GraphSlot, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get(slot) else { return };
        let tasks = graph.ids();
        let imports: Vec<TaskId> =
            tasks.clone().filter(|task| graph.task(*task).is_import()).collect();
        for task in imports {
            self.mirror(slot, task);
        }
        for task in tasks {
            self.tell_output(slot, task, actions);
            let Some(graph) = self.graphs.get(slot) else { return };
            if !graph.task(task).is_needed() && graph.task(task).state != State::Awaited {
                self.free_value(slot, task, actions);
            }
        }
        self.tell_if_done(slot, actions);
    }
}
