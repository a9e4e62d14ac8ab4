//! Results by name, and the graphs whose tasks they are.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_graph::{OperationId, Plan, TaskId};
use samite_scheduling::{GraphId, TaskKey, WorkerId};

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
        // Nearly every result is wanted by one client.
        if self.wanted_by.is_empty() {
            self.wanted_by.reserve_exact(1);
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
    /// Results that arguments of its tasks name inside of pickled objects.
    pub(super) keeps: Vec<Key>,
    /// The workers that were sent operations of it; some may be gone.
    pub(super) told: Vec<WorkerId>,
    /// Results that its values name, which are wanted while it is there.
    pub(super) holds: Vec<Key>,
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
            keeps: Vec::new(),
            told: Vec::new(),
            holds: Vec::new(),
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
    /// How many graphs keep a result whose name their tasks may ask for.
    kept: FxHashMap<Key, usize>,
    /// Kept results that no client wants any more.
    left: FxHashMap<Key, TaskKey>,
    /// What graphs held that are gone, and is to be let go.
    pub(super) loose: Vec<Key>,
}

impl Names {
    /// The task of a name, also where only a graph keeps it.
    pub(super) fn task(&self, key: &Key) -> Option<TaskKey> {
        let named = self.by_key.get(key).and_then(|name| name.task);
        named.or_else(|| self.left.get(key).copied())
    }

    /// A graph keeps the results of these names.
    pub(super) fn keep(&mut self, record: &mut GraphRecord, keys: Vec<Key>) {
        for key in &keys {
            *self.kept.entry(key.clone()).or_default() += 1;
        }
        record.keeps = keys;
    }

    /// No client wants a result any more: its task is remembered where a graph keeps it.
    pub(super) fn leave(&mut self, key: &Key, task: TaskKey) {
        if self.kept.contains_key(key) {
            self.left.insert(key.clone(), task);
        }
    }

    /// The results of a graph that no client wants, and graphs keep.
    pub(super) fn left_of(&self, graph: GraphId) -> Vec<(TaskId, Key)> {
        let left = self.left.iter().filter(|(_, task)| task.graph == graph);
        left.map(|(key, task)| (task.task, key.clone())).collect()
    }

    /// Gives a result its name again that only a graph keeps: its task, if there is one.
    pub(super) fn revive(&mut self, key: &Key) -> Option<TaskKey> {
        let task = *self.left.get(key)?;
        let record = self.graphs.get_mut(&task.graph)?;
        let name = self.by_key.entry(key.clone()).or_default();
        if name.task.is_some() {
            return None;
        }
        name.task = Some(task);
        record.add_name(task.task, key.clone());
        self.left.remove(key);
        Some(task)
    }

    /// Forgets a graph, and the names that only it kept; what it held is loose. Answers which
    /// workers know of it.
    pub(super) fn forget(&mut self, graph: GraphId) -> Vec<WorkerId> {
        let Some(record) = self.graphs.remove(&graph) else { return Vec::new() };
        self.loose.extend(record.holds);
        for key in record.keeps {
            if let Some(count) = self.kept.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.kept.remove(&key);
                    self.left.remove(&key);
                }
            }
        }
        record.told
    }

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
