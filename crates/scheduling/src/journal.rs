//! Records from which a scheduler that was killed can go on.

use std::sync::Arc;

use samite_graph::{Plan, TaskId};

use crate::action::Action;
use crate::graphs::Graph;
use crate::ids::{GraphId, GraphSlot, TaskKey};
use crate::options::{Options, TaskOptions};
use crate::scheduler::Scheduler;
use crate::task::State;

/// A graph as it was submitted.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The graph.
    pub graph: GraphId,
    /// The tasks.
    pub plan: Arc<Plan>,
    /// Their options.
    pub annotations: Arc<[TaskOptions]>,
}

/// One line of the journal, in the order in which things happened.
#[derive(Clone, Debug)]
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
    /// The graph was released, cancelled, or has failed: there is nothing to restore of it.
    Closed {
        /// The graph.
        graph: GraphId,
    },
}

impl Scheduler {
    /// A scheduler that goes on where another one was killed, from the records that it wrote.
    ///
    /// Its driver connects the workers anew: each joins under a new id, has forgotten its runs, and
    /// reports what it holds with [`ReplicaAdded`](crate::Event::ReplicaAdded). Nothing is placed
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
                let Submission { graph, plan, annotations } = *submission;
                self.graphs.insert(graph, plan, annotations);
            }
            Record::Finished { task: key } => {
                if let Some(graph) = self.recorded(key.graph)
                    && let Some(row) = graph.tasks.get_mut(key.task.index())
                {
                    row.state = State::Freed;
                }
            }
            Record::OutputsReleased { graph, tasks } => {
                let Some(graph) = self.recorded(graph) else { return };
                for task in &tasks {
                    if let Some(row) = graph.tasks.get_mut(task.index()) {
                        row.wanted = false;
                    }
                }
            }
            Record::Closed { graph } => {
                if let Some(slot) = self.graphs.slot(graph) {
                    self.graphs.remove(slot);
                }
            }
        }
    }

    fn recorded(&mut self, graph: GraphId) -> Option<&mut Graph> {
        let slot = self.graphs.slot(graph)?;
        self.graphs.get_mut(slot)
    }

    /// The shortest journal that leads to the present state, to replace a long one.
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for (_, graph) in self.graphs.iter() {
            records.push(Record::Submitted(Box::new(Submission {
                graph: graph.id,
                plan: graph.plan.clone(),
                annotations: graph.annotations.clone(),
            })));
            let finished = graph.ids().filter(|task| !graph.task(*task).state.is_unfinished());
            records.extend(
                finished.map(|task| Record::Finished { task: TaskKey { graph: graph.id, task } }),
            );
            let released = graph.plan.outputs().iter().filter(|task| !graph.task(**task).wanted);
            let tasks: Box<[TaskId]> = released.copied().collect();
            if !tasks.is_empty() {
                records.push(Record::OutputsReleased { graph: graph.id, tasks });
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
        for slot in self.graphs.used() {
            self.rebuild(slot, actions);
        }
    }

    /// Makes all counts and queues of a graph from which tasks have run and which values exist.
    fn rebuild(&mut self, slot: GraphSlot, actions: &mut Vec<Action>) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let plan = graph.plan.clone();
        let mut open: Vec<TaskId> = Vec::new();
        for task in graph.ids() {
            let row = graph.task_mut(task);
            row.uses = 0;
            // Finished, but its value is an output that nobody reported.
            let lost = row.state == State::Freed && row.wanted;
            if row.state.is_unfinished() || lost {
                row.state = State::Waiting { missing: 0 };
                open.push(task);
            }
        }
        graph.unfinished = 0;
        while let Some(task) = open.pop() {
            graph.unfinished += 1;
            for &input in plan.dependencies(task) {
                let row = graph.task_mut(input);
                row.uses += 1;
                if row.state == State::Freed {
                    row.state = State::Waiting { missing: 0 };
                    self.counters.recomputed += 1;
                    open.push(input);
                }
            }
        }
        for task in graph.ids() {
            if let State::Waiting { .. } = graph.task(task).state {
                let inputs = plan.dependencies(task).iter();
                let missing =
                    inputs.filter(|input| !graph.task(**input).state.has_value()).count() as u32;
                graph.task_mut(task).state = State::Waiting { missing };
            }
        }
        for task in plan.outputs() {
            self.tell_output(slot, *task, actions);
        }
        for task in (0..plan.len()).map(TaskId::from_index) {
            self.drop_unneeded(slot, task, actions);
        }
        self.queue_sources(slot);
        self.tell_if_done(slot, actions);
    }
}
