//! Results by name, and the graphs whose tasks they are.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_graph::{OperationId, Plan, TaskId};
use samite_scheduling::{GraphId, TaskKey};

use super::members::ClientId;
use crate::encoded::Encoded;
use crate::protocol::{Erred, Key};

/// Where a result stands, as clients were told.
#[derive(Clone, Debug, Default)]
pub(super) enum Standing {
    #[default]
    Pending,
    Ready {
        bytes: u64,
    },
    Erred {
        origin: String,
        erred: Arc<Erred>,
    },
}

/// A result by name.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// Its task; `None` where a client asks for it that nobody has submitted yet.
    pub(super) task: Option<TaskKey>,
    pub(super) wanted_by: Vec<ClientId>,
    pub(super) standing: Standing,
}

impl Name {
    /// Notes that a client wants it; whether that is news.
    pub(super) fn want(&mut self, client: ClientId) -> bool {
        if self.wanted_by.contains(&client) {
            return false;
        }
        self.wanted_by.push(client);
        true
    }
}

/// A graph that was submitted.
pub(super) struct GraphRecord {
    pub(super) plan: Arc<Plan>,
    pub(super) operations: Vec<Encoded>,
    /// The names of outputs that have not been released.
    pub(super) outputs: FxHashMap<TaskId, Key>,
    /// The further names of those few that have several.
    pub(super) more_names: FxHashMap<TaskId, Vec<Key>>,
    /// Why tasks failed.
    pub(super) errors: FxHashMap<TaskId, Arc<Erred>>,
    /// Workers that were lost with a task.
    pub(super) suspects: FxHashMap<TaskId, Vec<String>>,
}

impl GraphRecord {
    pub(super) fn new(plan: Arc<Plan>, operations: Vec<Encoded>) -> Self {
        Self {
            plan,
            operations,
            outputs: FxHashMap::default(),
            more_names: FxHashMap::default(),
            errors: FxHashMap::default(),
            suspects: FxHashMap::default(),
        }
    }

    /// The operations that a task runs.
    pub(super) fn operations_of(&self, task: TaskId, visit: &mut dyn FnMut(OperationId)) {
        match self.plan.work(task) {
            samite_graph::Work::Single { operation, .. } => visit(operation),
            samite_graph::Work::Fused(steps) => steps.iter().for_each(|step| visit(step.operation)),
        }
    }

    /// Gives an output one more name.
    pub(super) fn add_name(&mut self, task: TaskId, key: Key) {
        match self.outputs.entry(task) {
            Entry::Vacant(entry) => _ = entry.insert(key),
            Entry::Occupied(_) => self.more_names.entry(task).or_default().push(key),
        }
    }

    /// Takes a name away; whether it was the last one.
    pub(super) fn remove_name(&mut self, task: TaskId, key: &Key) -> bool {
        if let Entry::Occupied(mut more) = self.more_names.entry(task) {
            if let Some(place) = more.get().iter().position(|other| other == key) {
                more.get_mut().swap_remove(place);
            } else if let Some(next) = more.get_mut().pop() {
                self.outputs.insert(task, next);
            }
            if more.get().is_empty() {
                more.remove();
            }
            return false;
        }
        self.outputs.remove(&task).is_some()
    }

    /// What to call a task in messages.
    pub(super) fn name_of(&self, task: TaskId) -> String {
        match self.outputs.get(&task) {
            Some(key) => key.to_string(),
            None => format!("{}-{}", self.plan.layer_name(task), task.0),
        }
    }
}

/// All results and graphs.
#[derive(Default)]
pub(super) struct Names {
    pub(super) by_key: FxHashMap<Key, Name>,
    pub(super) graphs: FxHashMap<GraphId, GraphRecord>,
}

impl Names {
    /// The further names of an output.
    pub(super) fn more_of_task(&self, task: TaskKey) -> Vec<Key> {
        let more = self.graphs.get(&task.graph).and_then(|graph| graph.more_names.get(&task.task));
        more.cloned().unwrap_or_default()
    }

    /// The name of an output, or one of them.
    pub(super) fn of_task(&self, task: TaskKey) -> Option<&Key> {
        self.graphs.get(&task.graph)?.outputs.get(&task.task)
    }
}
