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
    Erred(Box<Failed>),
}

/// Why there is no result.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    /// The task that failed.
    pub(super) origin: String,
    pub(super) erred: Arc<Erred>,
}

/// The clients that want a result: mostly one, which takes no memory of its own.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "a list in place would take twice as much in each name")]
pub(super) enum Wanting {
    #[default]
    Nobody,
    One(ClientId),
    Several(Box<Vec<ClientId>>),
}

impl Wanting {
    pub(super) fn as_slice(&self) -> &[ClientId] {
        match self {
            Self::Nobody => &[],
            Self::One(client) => std::slice::from_ref(client),
            Self::Several(clients) => clients,
        }
    }

    pub(super) fn contains(&self, client: ClientId) -> bool {
        self.as_slice().contains(&client)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    fn add(&mut self, client: ClientId) {
        match self {
            Self::Nobody => *self = Self::One(client),
            Self::One(first) => *self = Self::Several(Box::new(vec![*first, client])),
            Self::Several(clients) => clients.push(client),
        }
    }

    pub(super) fn remove(&mut self, client: ClientId) {
        match self {
            Self::One(only) if *only == client => *self = Self::Nobody,
            Self::Several(clients) => clients.retain(|other| *other != client),
            _ => {}
        }
    }
}

/// A result by name.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// Its task; `None` where a client asks for it that nobody has submitted yet.
    pub(super) task: Option<TaskKey>,
    pub(super) wanted_by: Wanting,
    pub(super) standing: Standing,
}

// There is one for each result of each graph.
const _: () = assert!(size_of::<(Key, Name)>() == 64);

impl Name {
    /// Notes that a client wants it; whether that is news.
    pub(super) fn want(&mut self, client: ClientId) -> bool {
        let news = !self.wanted_by.contains(client);
        if news {
            self.wanted_by.add(client);
        }
        news
    }
}

/// The first names of tasks: a table in the order of the tasks.
#[derive(Default)]
pub(super) struct Outputs {
    /// A name that was taken away leaves its row.
    rows: Vec<(TaskId, Option<Key>)>,
    /// The rows with names.
    named: usize,
}

impl Outputs {
    /// The row of a task, or where it would be.
    fn place(&self, task: TaskId) -> Result<usize, usize> {
        // Where all tasks of a graph have names, each is in the row of its number.
        match self.rows.get(task.index()) {
            Some((there, _)) if *there == task => Ok(task.index()),
            _ => self.rows.binary_search_by_key(&task, |(task, _)| *task),
        }
    }

    pub(super) fn reserve(&mut self, names: usize) {
        self.rows.reserve_exact(names);
    }

    pub(super) fn get(&self, task: TaskId) -> Option<&Key> {
        self.rows.get(self.place(task).ok()?)?.1.as_ref()
    }

    pub(super) fn contains(&self, task: TaskId) -> bool {
        self.get(task).is_some()
    }

    /// Gives a task a name, or the name back where it has one.
    fn insert(&mut self, task: TaskId, key: Key) -> Option<Key> {
        let place = match self.rows.last() {
            Some((last, _)) if *last >= task => self.place(task),
            _ => Err(self.rows.len()),
        };
        match place {
            Ok(place) if self.rows[place].1.is_some() => return Some(key),
            Ok(place) => self.rows[place].1 = Some(key),
            Err(place) => self.rows.insert(place, (task, Some(key))),
        }
        self.named += 1;
        None
    }

    /// Gives a task another name in the place of its first one.
    fn replace(&mut self, task: TaskId, key: Key) {
        if let Ok(place) = self.place(task) {
            self.rows[place].1 = Some(key);
        }
    }

    /// Takes a task's name away; whether it had one.
    fn remove(&mut self, task: TaskId) -> bool {
        let Ok(place) = self.place(task) else { return false };
        let had = self.rows[place].1.take().is_some();
        self.named -= usize::from(had);
        if self.named == 0 {
            self.rows = Vec::new();
        }
        had
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Key)> {
        self.rows.iter().filter_map(|(task, key)| Some((*task, key.as_ref()?)))
    }
}

/// A graph that was submitted.
pub(super) struct GraphRecord {
    pub(super) plan: Arc<Plan>,
    pub(super) operations: Vec<Encoded>,
    /// The names of outputs that have not been released.
    pub(super) outputs: Outputs,
    /// The workers that were sent operations of it; some may be gone.
    pub(super) told: Vec<WorkerId>,
    rare: Option<Box<Rare>>,
}

/// What most graphs have nothing of.
#[derive(Default)]
pub(super) struct Rare {
    /// The further names of those few tasks that have several.
    pub(super) more_names: FxHashMap<TaskId, Vec<Key>>,
    /// Why tasks failed.
    pub(super) errors: FxHashMap<TaskId, Arc<Erred>>,
    /// Workers that were lost with a task.
    pub(super) suspects: FxHashMap<TaskId, Vec<String>>,
    /// Results that arguments of its tasks name inside of pickled objects.
    pub(super) keeps: Vec<Key>,
    /// Results that its values name, which are wanted while it is there.
    pub(super) holds: Vec<Key>,
}

impl GraphRecord {
    pub(super) fn new(plan: Arc<Plan>, operations: Vec<Encoded>) -> Self {
        Self { plan, operations, outputs: Outputs::default(), told: Vec::new(), rare: None }
    }

    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Why a task failed.
    pub(super) fn error(&self, task: TaskId) -> Option<&Arc<Erred>> {
        self.rare()?.errors.get(&task)
    }

    /// Its values name these results.
    pub(super) fn hold(&mut self, holds: Vec<Key>) {
        if !holds.is_empty() {
            self.rare_mut().holds = holds;
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
        if let Some(key) = self.outputs.insert(task, key) {
            self.rare_mut().more_names.entry(task).or_default().push(key);
        }
    }

    /// Takes a name away; whether it was the last one.
    pub(super) fn remove_name(&mut self, task: TaskId, key: &Key) -> bool {
        if let Some(rare) = &mut self.rare
            && let Entry::Occupied(mut more) = rare.more_names.entry(task)
        {
            if let Some(place) = more.get().iter().position(|other| other == key) {
                more.get_mut().swap_remove(place);
            } else if let Some(next) = more.get_mut().pop() {
                self.outputs.replace(task, next);
            }
            if more.get().is_empty() {
                more.remove();
            }
            return false;
        }
        self.outputs.remove(task)
    }

    /// What to call a task in messages.
    pub(super) fn name_of(&self, task: TaskId) -> String {
        match self.outputs.get(task) {
            Some(key) => key.to_string(),
            None => format!("{}-{}", self.plan.layer_name(task), task.0),
        }
    }
}

/// All results and graphs.
#[derive(Default)]
pub(super) struct Names {
    pub(super) by_key: FxHashMap<Key, Name>,
    pub(super) graphs: FxHashMap<GraphId, Box<GraphRecord>>,
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
        if !keys.is_empty() {
            record.rare_mut().keeps = keys;
        }
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
        let Rare { holds, keeps, .. } = record.rare.map(|rare| *rare).unwrap_or_default();
        self.loose.extend(holds);
        for key in keeps {
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
        let rare = self.graphs.get(&task.graph).and_then(|graph| graph.rare());
        let more = rare.and_then(|rare| rare.more_names.get(&task.task));
        more.cloned().unwrap_or_default()
    }

    /// The name of an output, or one of them.
    pub(super) fn of_task(&self, task: TaskKey) -> Option<&Key> {
        self.graphs.get(&task.graph)?.outputs.get(task.task)
    }
}
