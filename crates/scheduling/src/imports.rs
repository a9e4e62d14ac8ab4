//! Tasks that stand for tasks of other graphs.
//!
//! The row of an import mirrors its origin: it has a value, has none, or erred. An import that
//! something unfinished needs, or a client, is *live* and counts as one use of its origin. A graph
//! that others import from is remembered as long as they are, since a value of theirs that is lost
//! may have to be computed again from it.

use rustc_hash::FxHashMap;
use samite_graph::TaskId;

use crate::action::{Action, FailureCause};
use crate::failures::{Failing, Failure};
use crate::graphs::Graph;
use crate::ids::{GraphSlot, TaskKey, WorkerSlot};
use crate::scheduler::Scheduler;
use crate::submission::Import;
use crate::task::State;

/// One import of a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) task: TaskId,
    /// The task that has the value; `None` once its graph is gone.
    pub(crate) origin: Option<(GraphSlot, TaskId)>,
    /// The public name of that task.
    pub(crate) key: TaskKey,
    /// Whether it counts as a use of its origin.
    pub(crate) live: bool,
    /// The place in the origin's list of importers.
    place: u32,
}

/// A graph that imports a task, and the row of its table of imports.
#[derive(Clone, Copy, Debug)]
struct Importer {
    graph: GraphSlot,
    row: u32,
}

/// Where the copies of a value shall be.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    pub(crate) count: u32,
    /// Which workers may have them; all, where it is empty.
    pub(crate) workers: Box<[crate::WorkerId]>,
}

/// What a graph shares with others, and what only few graphs have.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) imports: Vec<Link>,
    importers: FxHashMap<TaskId, Vec<Importer>>,
    importers_count: usize,
    /// How many copies of a value were asked for, where it is more than one.
    pub(crate) copies: FxHashMap<TaskId, Copies>,
}

impl Graph {
    /// The link of an import.
    pub(crate) fn link(&self, task: TaskId) -> Option<&Link> {
        self.links.as_ref()?.imports.get(self.task(task).position as usize)
    }

    fn link_mut(&mut self, task: TaskId) -> Option<&mut Link> {
        let row = self.task(task).position as usize;
        self.links.as_mut()?.imports.get_mut(row)
    }

    pub(crate) fn links_mut(&mut self) -> &mut Links {
        self.links.get_or_insert_default()
    }

    /// Whether other graphs import from this one.
    pub(crate) fn has_importers(&self) -> bool {
        self.links.as_ref().is_some_and(|links| links.importers_count > 0)
    }

    /// How many imports of a task count as uses of it, and whether any has another state than it.
    pub(crate) fn importers(&self, task: TaskId) -> impl Iterator<Item = (GraphSlot, u32)> {
        let importers = self.links.as_ref().and_then(|links| links.importers.get(&task));
        importers.into_iter().flatten().map(|importer| (importer.graph, importer.row))
    }
}

impl Scheduler {
    /// The imports of a task, as tasks of their graphs.
    pub(crate) fn importers(&self, slot: GraphSlot, task: TaskId) -> Vec<(GraphSlot, TaskId)> {
        let Some(graph) = self.graphs.get(slot) else { return Vec::new() };
        graph
            .importers(task)
            .filter_map(|(slot, row)| {
                let links = self.graphs.get(slot)?.links.as_ref()?;
                Some((slot, links.imports.get(row as usize)?.task))
            })
            .collect()
    }

    /// Makes tasks of a new graph imports, and links them to their origins.
    pub(crate) fn link(&mut self, slot: GraphSlot, imports: &[Import]) {
        for import in imports {
            let origin = self.graphs.slot(import.origin.graph).filter(|origin| {
                self.graphs.get(*origin).is_some_and(|graph| graph.has_task(import.origin.task))
            });
            // The origin of an import that is imported is that import's origin, there or gone.
            let through = origin.and_then(|origin| {
                let graph = self.graphs.get(origin)?;
                graph
                    .link(import.origin.task)
                    .filter(|_| graph.task(import.origin.task).is_import())
            });
            let key = through.map_or(import.origin, |link| link.key);
            let origin = origin.and_then(|origin| self.graphs.origin(origin, import.origin.task));
            let Some(graph) = self.graphs.get_mut(slot) else { return };
            let links = graph.links_mut();
            let row = links.imports.len() as u32;
            let link = Link { task: import.task, origin, key, live: false, place: 0 };
            links.imports.push(link);
            graph.task_mut(import.task).become_import(row);
            if let Some((from, task)) = origin
                && let Some(graph) = self.graphs.get_mut(from)
            {
                let links = graph.links_mut();
                let importers = links.importers.entry(task).or_default();
                let place = importers.len() as u32;
                importers.push(Importer { graph: slot, row });
                links.importers_count += 1;
                if let Some(link) =
                    self.graphs.get_mut(slot).and_then(|graph| graph.link_mut(import.task))
                {
                    link.place = place;
                }
            }
        }
    }

    /// Brings all imports of a new graph to the state of their origins.
    pub(crate) fn begin_imports(&mut self, slot: GraphSlot, actions: &mut Vec<Action>) {
        let Some(links) = self.graphs.get(slot).and_then(|graph| graph.links.as_ref()) else {
            return;
        };
        let tasks: Vec<TaskId> = links.imports.iter().map(|link| link.task).collect();
        let mut needed = Vec::new();
        let mut failing = Vec::new();
        for task in tasks {
            let Some(graph) = self.graphs.get(slot) else { return };
            if graph.task(task).is_needed() {
                self.revive(slot, task, &mut needed);
            }
            self.mirror(slot, task);
            let Some(graph) = self.graphs.get(slot) else { return };
            match graph.failure(task) {
                None if graph.task(task).state == State::Imported => {
                    self.wake_import(slot, task);
                    self.tell_output(slot, task, actions);
                }
                None => {}
                Some(failure) if !graph.independent && graph.task(task).is_needed() => {
                    self.graph_failed(slot, task, failure, actions);
                    return;
                }
                Some(_) if !graph.independent => {}
                Some(failure) => {
                    self.tell_failure(slot, task, actions);
                    let dependents = graph.plan.dependents(task).iter();
                    failing.extend(dependents.map(|dependent| Failing {
                        graph: slot,
                        task: *dependent,
                        failure,
                        root: false,
                    }));
                }
            }
        }
        self.need(needed, actions);
        self.fail(failing, false, actions);
    }

    /// An import is needed (again): it counts as a use of its origin, which is put on the list
    /// where it has to be computed for that.
    pub(crate) fn revive(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        needed: &mut Vec<(GraphSlot, TaskId)>,
    ) {
        let Some(link) = self.graphs.get_mut(slot).and_then(|graph| graph.link_mut(task)) else {
            return;
        };
        if link.live {
            return;
        }
        let Some((from, origin)) = link.origin else { return };
        link.live = true;
        let Some(graph) = self.graphs.get_mut(from) else { return };
        let row = graph.task_mut(origin);
        row.uses += 1;
        if row.state == State::Freed {
            needed.push((from, origin));
        }
    }

    /// An import is not needed any more; its origin is put on the list where nothing else needs it.
    pub(crate) fn lay_down(
        &mut self,
        slot: GraphSlot,
        task: TaskId,
        unneeded: &mut Vec<(GraphSlot, TaskId)>,
    ) {
        let Some(link) = self.graphs.get_mut(slot).and_then(|graph| graph.link_mut(task)) else {
            return;
        };
        if !std::mem::take(&mut link.live) {
            return;
        }
        let Some((from, origin)) = link.origin else { return };
        let Some(graph) = self.graphs.get_mut(from) else { return };
        let row = graph.task_mut(origin);
        row.uses = row.uses.saturating_sub(1);
        if !row.is_needed() {
            unneeded.push((from, origin));
        }
    }

    /// Sets an import's state by that of its origin.
    pub(crate) fn mirror(&mut self, slot: GraphSlot, task: TaskId) {
        let Some(link) = self.graphs.get(slot).and_then(|graph| graph.link(task)).copied() else {
            return;
        };
        let gone = Failure { origin: link.key, cause: FailureCause::OriginGone };
        let seen = match link.origin.and_then(|(from, task)| Some((self.graphs.get(from)?, task))) {
            None => Err(gone),
            Some((graph, task)) => match graph.failure(task) {
                Some(failure) => Err(failure),
                None => Ok((graph.task(task).state.has_value(), graph.task(task).bytes)),
            },
        };
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        match seen {
            Ok((has_value, bytes)) => {
                let row = graph.task_mut(task);
                row.bytes = bytes;
                row.state = if has_value { State::Imported } else { State::Importing };
            }
            Err(failure) => graph.set_failed(task, failure),
        }
    }

    /// The value of a task that other graphs import has come to exist.
    pub(crate) fn wake_importers(&mut self, slot: GraphSlot, task: TaskId) {
        for (slot, import) in self.importers(slot, task) {
            let was = self.graphs.get(slot).map(|graph| graph.task(import).state);
            if was != Some(State::Importing) {
                continue;
            }
            self.mirror(slot, import);
            self.wake_import(slot, import);
        }
    }

    /// The value of an import has come to exist: what waits only for values that exist is ready.
    fn wake_import(&mut self, slot: GraphSlot, import: TaskId) {
        let Some(graph) = self.graphs.get_mut(slot) else { return };
        let plan = graph.plan.clone();
        for &dependent in plan.dependents(import) {
            let row = graph.task_mut(dependent);
            if let State::Waiting { missing } = row.state {
                row.state = State::Waiting { missing: missing.saturating_sub(1) };
            }
        }
        self.wake_dependents(slot, import);
    }

    /// The value of a task that other graphs import does not exist any more:
    /// dependents that were about to run wait again.
    pub(crate) fn withdraw_imports(&mut self, slot: GraphSlot, task: TaskId) {
        for (slot, import) in self.importers(slot, task) {
            let Some(graph) = self.graphs.get_mut(slot) else { continue };
            if graph.task(import).state != State::Imported {
                continue;
            }
            graph.task_mut(import).state = State::Importing;
            graph.one_more_missing(import);
        }
    }

    /// Cuts a graph that goes from those that it imports from, and those from it.
    ///
    /// What is not needed any more for that is put on the first list, graphs from which nobody
    /// imports any more on the second; what stands for its tasks comes back.
    pub(crate) fn cut(
        &mut self,
        slot: GraphSlot,
        unneeded: &mut Vec<(GraphSlot, TaskId)>,
        left: &mut Vec<GraphSlot>,
    ) -> Vec<(GraphSlot, TaskId)> {
        let Some(graph) = self.graphs.get_mut(slot) else { return Vec::new() };
        let Some(links) = graph.links.as_ref() else { return Vec::new() };
        let imports: Vec<TaskId> = links.imports.iter().map(|link| link.task).collect();
        // In order, since a hash map has none.
        let mut exported: Vec<TaskId> = links.importers.keys().copied().collect();
        exported.sort_unstable();
        for task in imports {
            self.lay_down(slot, task, unneeded);
            // Its place may have changed since, when another import of this graph was taken off.
            let Some(link) = self.graphs.get(slot).and_then(|graph| graph.link(task)) else {
                continue;
            };
            let (Some((from, origin)), place) = (link.origin, link.place) else { continue };
            self.unlist(from, origin, place);
            if self.graphs.get(from).is_some_and(|graph| !graph.has_importers()) {
                left.push(from);
            }
        }
        let mut orphans = Vec::new();
        for task in exported {
            for (other, import) in self.importers(slot, task) {
                if let Some(link) =
                    self.graphs.get_mut(other).and_then(|graph| graph.link_mut(import))
                {
                    link.origin = None;
                    link.live = false;
                    orphans.push((other, import));
                }
            }
        }
        orphans
    }

    /// Takes an importer off the list of a task; the last one of the list takes its place.
    fn unlist(&mut self, from: GraphSlot, origin: TaskId, place: u32) {
        let Some(links) = self.graphs.get_mut(from).and_then(|graph| graph.links.as_mut()) else {
            return;
        };
        let Some(importers) = links.importers.get_mut(&origin) else { return };
        if place as usize >= importers.len() {
            return;
        }
        importers.swap_remove(place as usize);
        links.importers_count -= 1;
        let moved = importers.get(place as usize).copied();
        if importers.is_empty() {
            links.importers.remove(&origin);
        }
        if let Some(Importer { graph, row }) = moved
            && let Some(links) = self.graphs.get_mut(graph).and_then(|graph| graph.links.as_mut())
            && let Some(link) = links.imports.get_mut(row as usize)
        {
            link.place = place;
        }
    }

    /// What is wrong with a graph's links, for `check_consistent`.
    pub(crate) fn links_fault(
        &self,
        slot: GraphSlot,
        graph: &Graph,
    ) -> Option<(TaskId, &'static str)> {
        let links = graph.links.as_ref()?;
        for (row, link) in links.imports.iter().enumerate() {
            let task = graph.task(link.task);
            let Some((from, origin)) = link.origin else {
                if !matches!(task.state, State::Erred { .. }) {
                    return Some((link.task, "its origin is gone and it did not err"));
                }
                continue;
            };
            let Some(there) = self.graphs.get(from) else {
                return Some((link.task, "its origin's graph is gone"));
            };
            let importer = there
                .links
                .as_ref()
                .and_then(|links| links.importers.get(&origin)?.get(link.place as usize));
            let state = there.task(origin).state;
            if !task.is_import() || task.position as usize != row {
                return Some((link.task, "it does not point at its link"));
            }
            if importer.is_none_or(|found| found.graph != slot || found.row as usize != row) {
                return Some((link.task, "it is not on its origin's list of importers"));
            }
            if link.live != task.is_needed() {
                return Some((
                    link.task,
                    "it counts as a use of its origin and is not needed, or is not counted",
                ));
            }
            let mirrors = match task.state {
                State::Imported => state.has_value(),
                State::Importing => !state.has_value() && !matches!(state, State::Erred { .. }),
                // An origin may have been tried again since.
                State::Erred { .. } => true,
                _ => false,
            };
            if !mirrors {
                return Some((link.task, "it is not as its origin is"));
            }
        }
        let listed: usize = links.importers.values().map(Vec::len).sum();
        if listed == links.importers_count {
            None
        } else {
            Some((TaskId(0), "the count of importers is wrong"))
        }
    }

    /// How many imports count as uses of a task.
    pub(crate) fn live_importers(&self, graph: &Graph, task: TaskId) -> usize {
        let live = |slot: GraphSlot, row: u32| {
            let links = self.graphs.get(slot).and_then(|graph| graph.links.as_ref());
            links.and_then(|links| links.imports.get(row as usize)).is_some_and(|link| link.live)
        };
        graph.importers(task).filter(|(slot, row)| live(*slot, *row)).count()
    }

    /// Notes that a value has come to a worker, so that its loss finds the graph.
    #[inline]
    pub(crate) fn list(&mut self, slot: GraphSlot, worker: WorkerSlot) {
        if let Some(graph) = self.graphs.get_mut(slot)
            && graph.listed.insert(worker)
        {
            let submission = graph.submission;
            self.workers.list(worker, slot, submission, &self.graphs);
        }
    }
}
