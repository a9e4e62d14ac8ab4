//! The invariants of the scheduler machine, for tests.

use samite_graph::TaskId;

use crate::graphs::Graph;
use crate::ids::{GraphId, GraphSlot, TaskKey, WorkerId};
use crate::scheduler::Scheduler;
use crate::task::State;

/// An invariant that does not hold: a bug of the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistency {
    /// Something about a task.
    #[error("task {task:?} is {state}: {fault}")]
    Task {
        /// The task.
        task: TaskKey,
        /// Its state, for people to read.
        state: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// Something about a graph.
    #[error("graph {graph:?}: {fault}")]
    Graph {
        /// The graph.
        graph: GraphId,
        /// What is wrong.
        fault: &'static str,
    },
    /// Something about a worker.
    #[error("worker {worker:?}: {fault}")]
    Worker {
        /// The worker.
        worker: WorkerId,
        /// What is wrong.
        fault: &'static str,
    },
    /// Something about the tables as a whole.
    #[error("{fault}")]
    Table {
        /// What is wrong.
        fault: &'static str,
    },
}

impl Scheduler {
    /// Walks all invariants; it takes time in proportion to all tasks, so it is for tests.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check_consistent(&self) -> Result<(), Inconsistency> {
        if let Some(fault) = self.workers.fault() {
            return Err(Inconsistency::Table { fault });
        }
        self.check_workers()?;
        if self.restoring {
            // Counts are made when the restoring ends.
            return Ok(());
        }
        let mut stealing = 0;
        for (slot, graph) in self.graphs.iter() {
            let queued = self.queued(slot, graph);
            let mut unfinished = 0;
            let mut shared = 0;
            for task in graph.ids() {
                let row = graph.task(task);
                unfinished += usize::from(row.state.is_unfinished());
                shared += usize::from(matches!(row.state, State::Shared { .. }));
                stealing += usize::from(matches!(row.state, State::Stealing { .. }));
                if let Some(fault) = self.task_fault(slot, graph, task, &queued) {
                    let state = format!("{row:?}");
                    let task = TaskKey { graph: graph.id, task };
                    return Err(Inconsistency::Task { task, state, fault });
                }
            }
            if let Some((task, fault)) = self.links_fault(slot, graph) {
                let state = format!("{:?}", graph.task(task));
                let task = TaskKey { graph: graph.id, task };
                return Err(Inconsistency::Task { task, state, fault });
            }
            let wanted = graph.ids().filter(|task| graph.task(*task).is_wanted()).count();
            let fault = if wanted != graph.wanted as usize {
                Some("the count of wanted values is wrong")
            } else if unfinished != graph.unfinished {
                Some("the count of unfinished tasks is wrong")
            } else if shared != graph.replicas.used() {
                Some("rows of the table of replicas have leaked")
            } else {
                None
            };
            if let Some(fault) = fault {
                return Err(Inconsistency::Graph { graph: graph.id, fault });
            }
        }
        if stealing != self.steals_open {
            return Err(Inconsistency::Table { fault: "the count of open steals is wrong" });
        }
        Ok(())
    }

    fn check_workers(&self) -> Result<(), Inconsistency> {
        for (slot, worker) in self.workers.iter() {
            let mut occupancy = 0u64;
            let mut used = vec![0u64; worker.used.len()];
            for (position, run) in worker.assigned.iter().enumerate() {
                occupancy = occupancy.saturating_add(run.expected);
                let there = self.graphs.get(run.graph).is_some_and(|graph| {
                    graph.tasks.get(run.task.index()).is_some_and(|task| {
                        task.state.runner() == Some(slot) && task.position as usize == position
                    })
                });
                if !there {
                    let fault = "a task on its list does not point back at it";
                    return Err(Inconsistency::Worker { worker: worker.id, fault });
                }
                let options = self.graphs.get(run.graph).and_then(|graph| graph.options(run.task));
                for wanted in options.iter().flat_map(|(_, options)| &options.resources) {
                    for (used, resource) in used.iter_mut().zip(&worker.options.resources) {
                        if resource.name == wanted.name {
                            *used += wanted.thousandths;
                        }
                    }
                }
            }
            let fault = if occupancy != worker.occupancy {
                Some("its occupancy is not the sum of its tasks'")
            } else if used != worker.used {
                Some("its resources in use are not the sum of its tasks'")
            } else {
                None
            };
            if let Some(fault) = fault {
                return Err(Inconsistency::Worker { worker: worker.id, fault });
            }
        }
        Ok(())
    }

    /// Which tasks of a graph have an entry in the queue of their kind.
    fn queued(&self, slot: GraphSlot, graph: &Graph) -> Vec<bool> {
        let mut queued = vec![false; graph.tasks.len()];
        for row in &self.queues.rows {
            for entry in &row.heap {
                if entry.graph == slot && entry.priority.submission() == graph.submission {
                    queued[entry.task.index()] = true;
                }
            }
        }
        let head = graph.sources.get(graph.next_source).copied();
        if head.is_some_and(|head| queued[head.index()]) {
            for task in &graph.sources[graph.next_source..] {
                queued[task.index()] = true;
            }
        }
        queued
    }

    fn task_fault(
        &self,
        slot: GraphSlot,
        graph: &Graph,
        task: TaskId,
        queued: &[bool],
    ) -> Option<&'static str> {
        let row = graph.task(task);
        let uses = graph.plan.dependents(task).iter();
        let uses = uses.filter(|user| graph.task(**user).state.is_unfinished()).count()
            + self.live_importers(graph, task);
        if uses != row.uses as usize {
            return Some("its uses are not those by unfinished tasks");
        }
        let inputs = graph.plan.dependencies(task).iter();
        let missing = inputs.filter(|input| !graph.task(**input).state.has_value()).count();
        let errs = inputs_failed(graph, task);
        match row.state {
            State::Waiting { .. } | State::Ready if errs => Some("it waits for what erred"),
            State::Waiting { missing: 0 } => Some("it waits for nothing"),
            State::Waiting { missing: counted } if counted as usize != missing => {
                Some("it does not wait for as many inputs as are missing")
            }
            State::Waiting { .. } => None,
            State::Ready if missing > 0 => Some("inputs are missing"),
            State::Ready if !queued[task.index()] => Some("it is in no queue"),
            State::Ready => None,
            State::Assigned { worker } | State::Stealing { worker } => {
                let listed = self.workers.get(worker).is_some_and(|worker| {
                    worker
                        .assigned
                        .get(row.position as usize)
                        .is_some_and(|run| run.graph == slot && run.task == task)
                });
                if listed { None } else { Some("it is not on its worker's list") }
            }
            State::Held { .. } | State::Shared { .. } => {
                let holders = graph.holders(task);
                let distinct = (1..holders.len()).all(|i| !holders[..i].contains(&holders[i]));
                if !row.is_needed() {
                    Some("nobody needs the value")
                } else if !holders.iter().all(|holder| self.workers.get(*holder).is_some()) {
                    Some("a holder is gone")
                } else if !holders.iter().all(|holder| graph.listed.contains(*holder)) {
                    Some("a holder does not list its graph")
                } else if !holders.iter().all(|holder| graph.is_holder(task, *holder)) {
                    Some("a holder is not in the set of holders")
                } else if !distinct {
                    Some("a holder is listed twice")
                } else if matches!(row.state, State::Shared { .. }) && holders.len() < 2 {
                    Some("it is shared by fewer than two")
                } else {
                    None
                }
            }
            State::Imported | State::Importing if !row.is_import() => {
                Some("it stands for no other task")
            }
            State::Awaited if !row.is_data() => Some("nobody brings its value"),
            State::Imported | State::Importing | State::Awaited => None,
            State::Erred { .. } if graph.failure(task).is_none() => Some("nobody knows why"),
            State::Erred { .. } => None,
            State::Freed if row.is_needed() => Some("the value is needed"),
            State::Freed => None,
        }
    }
}

/// Whether something that a task needs erred.
fn inputs_failed(graph: &Graph, task: TaskId) -> bool {
    graph.plan.dependencies(task).iter().any(|input| graph.failure(*input).is_some())
}
