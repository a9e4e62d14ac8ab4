//! Ready tasks, waiting for a worker.
//!
//! Entries are not removed when a task stops being ready: an entry whose task is not ready, or
//! whose graph has gone, is skipped when it comes to the head.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use samite_graph::TaskId;

use crate::graphs::Graphs;
use crate::ids::{GraphSlot, Priority, WorkerSlot};
use crate::options::TaskOptions;
use crate::task::State;

/// A ready task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) priority: Priority,
    pub(crate) graph: GraphSlot,
    pub(crate) task: TaskId,
}

impl Ord for Entry {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        // The standard heap keeps the largest on top; the smallest priority shall be there.
        other.priority.cmp(&self.priority).then_with(|| other.task.cmp(&self.task))
    }
}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What the tasks of a queue have in common: as soon as its head finds no worker, the others find
/// none either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tasks with dependencies that may run anywhere.
    Dependents,
    /// Tasks without dependencies that may run anywhere.
    Sources,
    /// Tasks, of whichever graph, that may run only on the same workers or use the same resources.
    Restricted {
        /// What they have in common; the rest of it means nothing.
        options: TaskOptions,
        source: bool,
        /// The workers that are named, as far as they are here; all, if none is named.
        allowed: Vec<WorkerSlot>,
    },
}

impl Kind {
    fn is_of(&self, wanted: &TaskOptions, of_sources: bool) -> bool {
        match self {
            Self::Restricted { options, source, .. } => {
                *source == of_sources && options.restrictions() == wanted.restrictions()
            }
            _ => false,
        }
    }
}

fn hash(options: &TaskOptions, source: bool) -> u64 {
    let mut hasher = FxHasher::default();
    (options.restrictions(), source).hash(&mut hasher);
    hasher.finish()
}

/// A queue of one kind.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) kind: Kind,
    pub(crate) heap: BinaryHeap<Entry>,
    /// Whether the head found no worker in the present batch.
    pub(crate) stuck: bool,
}

impl Queue {
    fn new(kind: Kind) -> Self {
        Self { kind, heap: BinaryHeap::new(), stuck: false }
    }
}

pub(crate) const DEPENDENTS: usize = 0;
pub(crate) const SOURCES: usize = 1;
/// So many queues there are before empty ones are looked for.
const REUSE_AT: usize = 64;

/// All queues: the two that take unrestricted tasks, then one for each kind of restricted ones.
#[derive(Debug)]
pub(crate) struct Queues {
    pub(crate) rows: Vec<Queue>,
    /// The queues of restricted tasks by the hash of what their tasks have in common.
    restricted: FxHashMap<u64, Vec<usize>>,
    /// The number of queues from which on one that is empty is used for something else.
    reuse_at: usize,
}

impl Default for Queues {
    fn default() -> Self {
        Self {
            rows: vec![Queue::new(Kind::Dependents), Queue::new(Kind::Sources)],
            restricted: FxHashMap::default(),
            reuse_at: REUSE_AT,
        }
    }
}

impl Queues {
    #[inline]
    pub(crate) fn push(&mut self, queue: usize, entry: Entry) {
        if let Some(row) = self.rows.get_mut(queue) {
            row.heap.push(entry);
        }
    }

    /// The queue of restricted tasks.
    pub(crate) fn restricted(&self, options: &TaskOptions, source: bool) -> Option<usize> {
        let rows = self.restricted.get(&hash(options, source))?;
        rows.iter()
            .copied()
            .find(|row| self.rows.get(*row).is_some_and(|row| row.kind.is_of(options, source)))
    }

    /// Adds a queue of restricted tasks; where there are many, an empty one becomes it.
    pub(crate) fn add(
        &mut self,
        options: &TaskOptions,
        source: bool,
        allowed: Vec<WorkerSlot>,
    ) -> usize {
        let kind = Kind::Restricted { options: options.clone(), source, allowed };
        let mut row = self.rows.len();
        if row >= self.reuse_at {
            let restricted = self.rows.iter().enumerate().skip(SOURCES + 1);
            match restricted.rev().find(|(_, queue)| queue.heap.is_empty()) {
                Some((empty, _)) => row = empty,
                // Looked for again when there are twice as many.
                None => self.reuse_at = 2 * row,
            }
        }
        if row == self.rows.len() {
            self.rows.push(Queue::new(kind));
        } else {
            self.forget(row);
            self.rows[row] = Queue::new(kind);
        }
        self.restricted.entry(hash(options, source)).or_default().push(row);
        row
    }

    fn forget(&mut self, row: usize) {
        let Kind::Restricted { options, source, .. } = &self.rows[row].kind else { return };
        let hash = hash(options, *source);
        if let Some(rows) = self.restricted.get_mut(&hash) {
            rows.retain(|other| *other != row);
            if rows.is_empty() {
                self.restricted.remove(&hash);
            }
        }
    }

    /// The head of a queue, after entries that mean nothing any more were dropped.
    #[inline]
    pub(crate) fn head(&mut self, queue: usize, graphs: &mut Graphs) -> Option<Entry> {
        while let Some(entry) = self.rows[queue].heap.peek() {
            if is_ready(entry, graphs) {
                return Some(*entry);
            }
            self.pop(queue, graphs);
        }
        None
    }

    /// Takes the head off. A graph's sources stand in a list of their own with only the first one
    /// in the heap, so the next one follows it.
    #[inline]
    pub(crate) fn pop(&mut self, queue: usize, graphs: &mut Graphs) {
        let Some(entry) = self.rows[queue].heap.pop() else { return };
        if queue != SOURCES {
            return;
        }
        let Some(graph) = graphs.get_mut(entry.graph) else { return };
        if graph.submission == entry.priority.submission()
            && graph.sources.get(graph.next_source) == Some(&entry.task)
        {
            graph.next_source += 1;
            if let Some(&task) = graph.sources.get(graph.next_source) {
                let priority = graph.priority(task);
                self.rows[queue].heap.push(Entry { priority, graph: entry.graph, task });
            } else {
                graph.sources = Vec::new();
                graph.next_source = 0;
            }
        }
    }

    /// The queue with the most urgent head of those that are not stuck.
    #[inline]
    pub(crate) fn best(&mut self, graphs: &mut Graphs) -> Option<(usize, Entry)> {
        let mut best: Option<(usize, Entry)> = None;
        for queue in 0..self.rows.len() {
            if self.rows[queue].stuck {
                continue;
            }
            if let Some(entry) = self.head(queue, graphs)
                && best.is_none_or(|(_, other)| entry > other)
            {
                best = Some((queue, entry));
            }
        }
        best
    }

    /// Lets every queue try again.
    pub(crate) fn unstick(&mut self) {
        for row in &mut self.rows {
            row.stuck = false;
        }
    }
}

fn is_ready(entry: &Entry, graphs: &Graphs) -> bool {
    graphs.get(entry.graph).is_some_and(|graph| {
        graph.submission == entry.priority.submission()
            && graph.tasks.get(entry.task.index()).is_some_and(|task| task.state == State::Ready)
    })
}
