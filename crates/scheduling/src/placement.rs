//! Which worker runs a ready task.
//!
//! The most urgent ready task goes first. It may go to the workers that hold its inputs and to the
//! least loaded one, and goes to that where it is expected to begin first: after what is assigned
//! there has run and the missing inputs have been moved.

use samite_graph::TaskId;

use crate::action::{Action, Source};
use crate::event::Pressure;
use crate::graphs::{Graphs, MANY_HOLDERS};
use crate::ids::{GraphSlot, TaskKey, WorkerSlot};
use crate::options::Options;
use crate::queues::{DEPENDENTS, Entry, Kind};
use crate::scheduler::Scheduler;
use crate::workers::{LOOKED_AT, Worker, Workers, around};

/// Memory that is kept between placements.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// For each worker slot the bytes of inputs that it holds; zero between placements.
    local: Vec<u64>,
    /// The slots whose entry of `local` is not zero.
    touched: Vec<WorkerSlot>,
    candidates: Vec<WorkerSlot>,
    distinct: Vec<(GraphSlot, TaskId)>,
    /// Inputs of the task that very many workers hold, with their bytes.
    popular: Vec<(TaskId, u64)>,
}

/// Beyond this many inputs, the inputs' holders are asked only for the first of them: a task of
/// so many inputs moves most of them wherever it runs.
const INPUTS_LOOKED_AT: usize = 256;
/// So many inputs that very many workers hold make a difference between workers.
const POPULAR_LOOKED_AT: usize = 16;

impl Scheduler {
    pub(crate) fn place_ready(&mut self, actions: &mut Vec<Action>) {
        if self.workers.least_loaded().is_none() {
            return;
        }
        self.queues.unstick();
        while let Some((queue, entry)) = self.queues.best(&mut self.graphs) {
            let Some(worker) = self.choose(queue, &entry) else {
                self.queues.rows[queue].stuck = true;
                continue;
            };
            self.queues.pop(queue, &mut self.graphs);
            let attempt = self.assign(entry.graph, entry.task, worker);
            let Some(id) = self.workers.id(worker) else { continue };
            let Some(task) = self.key(entry.graph, entry.task) else { continue };
            let sources = self.sources(entry.graph, entry.task, worker);
            let priority = entry.priority;
            actions.push(Action::Run { worker: id, task, attempt, priority, sources });
            if self.workers.least_loaded().is_none() {
                return;
            }
        }
    }

    /// The worker for the head of a queue; `None` where no worker takes it now, and then none
    /// takes the rest of the queue either.
    fn choose(&mut self, queue: usize, entry: &Entry) -> Option<WorkerSlot> {
        match &self.queues.rows[queue].kind {
            Kind::Sources => {
                let worker = self.workers.least_loaded()?;
                let least = self.workers.get(worker)?;
                if takes_source(&self.options, least) {
                    return Some(worker);
                }
                // Where the least loaded worker has enough of them, the others have too.
                if least.pressure == Pressure::Normal {
                    return None;
                }
                self.other_for_source()
            }
            Kind::Dependents => {
                let least = self.workers.least_loaded()?;
                if self.workers.len() == 1 {
                    return Some(least);
                }
                self.scratch.candidates.clear();
                self.scratch.candidates.push(least);
                cheapest(&self.graphs, entry, &self.workers, &self.options, &mut self.scratch, true)
            }
            Kind::Restricted { options, source, allowed } => {
                let anywhere = options.workers.is_empty()
                    || (options.allow_other_workers && allowed.is_empty());
                let fits = |worker: &Worker| {
                    worker.has_room()
                        && worker.has_resources(&options.resources)
                        && (!*source
                            || worker.pressure == Pressure::Normal
                            || worker.assigned.is_empty())
                };
                let candidates = &mut self.scratch.candidates;
                candidates.clear();
                let uses = options.resources.iter().any(|resource| resource.thousandths > 0);
                if anywhere && uses {
                    let all = self.workers.equipped_in_turn().filter(|(_, worker)| fits(worker));
                    candidates.extend(all.take(LOOKED_AT).map(|(slot, _)| slot));
                } else if anywhere {
                    let all = self.workers.all_in_turn().filter(|(_, worker)| fits(worker));
                    candidates.extend(all.take(LOOKED_AT).map(|(slot, _)| slot));
                } else {
                    let turn = self.workers.next_turn();
                    let fitting = |slot: &WorkerSlot| self.workers.get(*slot).is_some_and(fits);
                    let all = around(allowed.len(), turn).map(|place| allowed[place]);
                    candidates.extend(all.filter(fitting).take(LOOKED_AT));
                }
                cheapest(
                    &self.graphs,
                    entry,
                    &self.workers,
                    &self.options,
                    &mut self.scratch,
                    false,
                )
            }
        }
    }

    /// A worker for a source where the least loaded one is short of memory: another one that takes
    /// it, or, so that a computation larger than memory goes on, one that has nothing to do while
    /// nothing else is ready or running.
    fn other_for_source(&mut self) -> Option<WorkerSlot> {
        let options = &self.options;
        let taking = self.workers.all_in_turn().filter(|(_, worker)| takes_source(options, worker));
        if let Some((slot, _)) =
            taking.take(LOOKED_AT).min_by_key(|(_, worker)| worker.assigned.len())
        {
            return Some(slot);
        }
        let all_idle = self.workers.iter().all(|(_, worker)| worker.assigned.is_empty());
        if !all_idle || self.queues.head(DEPENDENTS, &mut self.graphs).is_some() {
            return None;
        }
        let holding =
            |worker: &Worker| worker.has_room() && worker.pressure == Pressure::HoldSources;
        self.workers.iter().find(|(_, worker)| holding(worker)).map(|(slot, _)| slot)
    }

    /// For each input that a worker does not hold, one that does.
    fn sources(&mut self, slot: GraphSlot, task: TaskId, to: WorkerSlot) -> Box<[Source]> {
        if self.workers.len() == 1 {
            return Box::default();
        }
        let Some(graph) = self.graphs.get(slot) else { return Box::default() };
        let distinct = &mut self.scratch.distinct;
        distinct.clear();
        for &input in graph.reads(task) {
            let Some((from, origin)) = self.graphs.origin(slot, input) else { continue };
            if !self.graphs.is_holder(from, origin, to) {
                distinct.push((from, origin));
            }
        }
        distinct.sort_unstable();
        distinct.dedup();
        distinct
            .iter()
            .filter_map(|&(from, origin)| {
                let graph = self.graphs.get(from)?;
                let holders = graph.holders(origin);
                // Spread the load of serving a popular value over those that hold it.
                let holder = holders.get((task.index() + to.index()) % holders.len().max(1))?;
                let input = TaskKey { graph: graph.id, task: origin };
                Some(Source { input, worker: self.workers.id(*holder)? })
            })
            .collect()
    }
}

/// Whether a worker takes one more source.
fn takes_source(options: &Options, worker: &Worker) -> bool {
    worker.has_room()
        && worker.pressure == Pressure::Normal
        && options.saturation.is_none_or(|factor| {
            let limit = (f64::from(worker.options.slots) * factor).ceil().max(1.0);
            (worker.assigned.len() as f64) < limit
        })
}

/// The candidate on which the task is expected to begin first. With `holders`, workers that hold
/// an input are candidates too.
fn cheapest(
    graphs: &Graphs,
    entry: &Entry,
    workers: &Workers,
    options: &Options,
    scratch: &mut Scratch,
    holders: bool,
) -> Option<WorkerSlot> {
    let Scratch { local, candidates, touched, popular, .. } = scratch;
    popular.clear();
    local.resize(workers.bound(), 0);
    let mut total = 0u64;
    let graph = graphs.get(entry.graph)?;
    for &input in graph.reads(entry.task).iter().take(INPUTS_LOOKED_AT) {
        // An input without bytes still costs a message.
        let bytes = graph.read_bytes(entry.task, input).saturating_add(1);
        let all = graphs.holders(entry.graph, input);
        if all.len() > MANY_HOLDERS {
            // Some of them will do, other ones for each task: looking at all would make a decision
            // cost more the more workers there are.
            if popular.len() >= POPULAR_LOOKED_AT {
                continue;
            }
            popular.push((input, bytes));
            total = total.saturating_add(bytes);
            if holders {
                let first = entry.task.index().wrapping_mul(MANY_HOLDERS) % all.len();
                let from_there = all[first..].iter().chain(&all[..first]);
                let some = from_there.take(MANY_HOLDERS).copied();
                let has_room = |slot: &WorkerSlot| workers.get(*slot).is_some_and(Worker::has_room);
                candidates.extend(some.filter(has_room));
            }
            continue;
        }
        total = total.saturating_add(bytes);
        for &holder in all {
            if local[holder.index()] == 0 {
                touched.push(holder);
                if holders && workers.get(holder).is_some_and(Worker::has_room) {
                    candidates.push(holder);
                }
            }
            local[holder.index()] = local[holder.index()].saturating_add(bytes);
        }
    }
    let cost = |slot: WorkerSlot| {
        let worker = workers.get(slot)?;
        let there = popular.iter().fold(local[slot.index()], |there, &(input, bytes)| {
            let held = graphs.is_holder(entry.graph, input, slot);
            there.saturating_add(if held { bytes } else { 0 })
        });
        let missing = total.saturating_sub(there);
        let begins = worker.wait().saturating_add(transfer(missing, options));
        Some((begins, worker.assigned.len(), slot))
    };
    let best = candidates.iter().filter_map(|slot| cost(*slot)).min().map(|(_, _, slot)| slot);
    for slot in touched.drain(..) {
        local[slot.index()] = 0;
    }
    best
}

/// Nanoseconds that moving so many bytes is expected to take.
pub(crate) fn transfer(bytes: u64, options: &Options) -> u64 {
    if bytes == 0 {
        return 0;
    }
    let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(options.bandwidth.max(1));
    u64::try_from(nanoseconds).unwrap_or(u64::MAX).saturating_add(options.latency)
}
