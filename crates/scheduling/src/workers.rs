//! The scheduler's view of the workers: what each was given, and which has room.

use rustc_hash::FxHashMap;
use samite_graph::TaskId;

use crate::event::Pressure;
use crate::graphs::Graphs;
use crate::ids::{GraphSlot, WorkerId, WorkerSlot};
use crate::moving::Retirement;
use crate::options::{Resource, WorkerOptions};

/// A task that a worker was given and has not finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assigned {
    pub(crate) graph: GraphSlot,
    pub(crate) task: TaskId,
    /// The nanoseconds that it was expected to take when it was given.
    pub(crate) expected: u64,
    /// Whether the worker was asked to give it up.
    pub(crate) asked: bool,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) options: WorkerOptions,
    /// The tasks at once that it came with; what it runs beyond them is in the place of tasks that
    /// wait for others.
    nominal: u32,
    pub(crate) pressure: Pressure,
    /// Bytes of values, as it last reported.
    pub(crate) bytes: u64,
    /// Tasks find their place here through [`Task::position`](crate::task::Task::position).
    pub(crate) assigned: Vec<Assigned>,
    /// The sum of the expected durations of what is assigned.
    pub(crate) occupancy: u64,
    /// What of its resources assigned tasks use, in the order of `options.resources`.
    pub(crate) used: Vec<u64>,
    /// Whether it shall leave, and what still keeps it.
    pub(crate) retirement: Option<Retirement>,
    /// The graphs of which it holds values or did, each with its place in the order of
    /// submissions; some may have gone.
    graphs: Vec<(GraphSlot, u32)>,
    /// The length of that list at which those that have gone are taken out.
    sweep_at: usize,
}

impl Worker {
    /// The graphs of which it may hold values, in order; some may have gone.
    pub(crate) fn graphs_listed(&self) -> Vec<GraphSlot> {
        let mut slots: Vec<GraphSlot> = self.graphs.iter().map(|(slot, _)| *slot).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Sets how many tasks it may hold, beside those whose places others have.
    pub(crate) fn set_capacity(&mut self, capacity: u32) {
        self.options.capacity = capacity.saturating_add(self.away());
    }

    /// Sets how many tasks it runs at once. Those that wait for others take no room of any.
    pub(crate) fn set_slots(&mut self, slots: u32) {
        let capacity = self.options.capacity.saturating_sub(self.away());
        self.options.slots = slots;
        self.set_capacity(capacity);
    }

    fn away(&self) -> u32 {
        self.options.slots.saturating_sub(self.nominal)
    }

    /// Whether it takes one more task of the kind.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.assigned.len() < self.options.capacity as usize
            && self.pressure != Pressure::Pause
            && self.retirement.is_none()
    }

    /// How many of its tasks cannot run now: those beyond its slots, or all while it pauses.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        if self.pressure == Pressure::Pause {
            return self.assigned.len();
        }
        self.assigned.len().saturating_sub(self.options.slots as usize)
    }

    /// Nanoseconds until it begins a task that it is given now.
    #[inline]
    pub(crate) fn wait(&self) -> u64 {
        let slots = self.options.slots.max(1);
        if self.pressure == Pressure::Pause {
            u64::MAX
        } else if self.assigned.len() < slots as usize {
            0
        } else {
            self.occupancy / u64::from(slots)
        }
    }

    /// Whether its resources suffice for one more task, beside those that are assigned.
    pub(crate) fn has_resources(&self, wanted: &[Resource]) -> bool {
        wanted.iter().all(|resource| {
            self.resource(resource).is_some_and(|row| {
                self.used[row].saturating_add(resource.thousandths)
                    <= self.options.resources[row].thousandths
            })
        })
    }

    /// Whether its resources suffice for a task where no other one uses them.
    pub(crate) fn could_have(&self, wanted: &[Resource]) -> bool {
        wanted.iter().all(|resource| {
            self.resource(resource)
                .is_some_and(|row| resource.thousandths <= self.options.resources[row].thousandths)
        })
    }

    pub(crate) fn take_resources(&mut self, wanted: &[Resource]) {
        for resource in wanted {
            if let Some(row) = self.resource(resource) {
                self.used[row] += resource.thousandths;
            }
        }
    }

    pub(crate) fn give_resources_back(&mut self, wanted: &[Resource]) {
        for resource in wanted {
            if let Some(row) = self.resource(resource) {
                self.used[row] = self.used[row].saturating_sub(resource.thousandths);
            }
        }
    }

    fn resource(&self, wanted: &Resource) -> Option<usize> {
        self.options.resources.iter().position(|resource| resource.name == wanted.name)
    }

    /// How full it is: tasks for each slot, then expected work for each slot.
    fn load(&self) -> Load {
        let slots = u64::from(self.options.slots.max(1));
        Load {
            tasks: ((self.assigned.len() as u64) << 16) / slots,
            occupancy: self.occupancy / slots,
        }
    }
}

/// What workers are compared by when a task could run on any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Load {
    tasks: u64,
    occupancy: u64,
}

/// All workers, and a heap of those that have room with the least loaded one on top.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    slots: Vec<Option<Worker>>,
    by_id: FxHashMap<WorkerId, WorkerSlot>,
    free: Vec<WorkerSlot>,
    heap: Vec<(Load, WorkerSlot)>,
    /// For each slot its place in the heap, or `OUTSIDE`.
    places: Vec<u32>,
    /// Workers with fewer tasks than slots that take more.
    idle: Group,
    /// Workers with tasks that cannot run now.
    backlogged: Group,
    /// Workers that take tasks and have some of some resource left.
    equipped: Group,
    /// The free slots of workers that are idle and have memory for more.
    free_slots: usize,
    /// Where the next look at some of the workers begins.
    turn: usize,
}

/// So many workers are looked at for a decision that any of them would do for: other ones for
/// each, so that it costs the same with very many.
pub(crate) const LOOKED_AT: usize = 64;

/// Some of the workers, in no order.
#[derive(Debug, Default)]
struct Group {
    members: Vec<WorkerSlot>,
    /// For each slot its place among the members, or `OUTSIDE`.
    places: Vec<u32>,
}

impl Group {
    fn set(&mut self, slot: WorkerSlot, member: bool) {
        if self.places.len() <= slot.index() {
            self.places.resize(slot.index() + 1, OUTSIDE);
        }
        let place = self.places[slot.index()];
        match (place, member) {
            (OUTSIDE, true) => {
                self.places[slot.index()] = self.members.len() as u32;
                self.members.push(slot);
            }
            (OUTSIDE, false) | (_, true) => {}
            (place, false) => {
                self.members.swap_remove(place as usize);
                if let Some(moved) = self.members.get(place as usize) {
                    self.places[moved.index()] = place;
                }
                self.places[slot.index()] = OUTSIDE;
            }
        }
    }

    /// So many members, from a turn on.
    fn some(&self, turn: usize) -> impl Iterator<Item = WorkerSlot> {
        around(self.members.len(), turn).take(LOOKED_AT).map(|place| self.members[place])
    }
}

/// The numbers below a length, from a turn on.
pub(crate) fn around(length: usize, turn: usize) -> impl Iterator<Item = usize> {
    let first = if length > LOOKED_AT { turn % length } else { 0 };
    (first..length).chain(0..first)
}

const OUTSIDE: u32 = u32::MAX;

impl Workers {
    /// Adds a worker; `None` where the id is taken.
    pub(crate) fn insert(&mut self, id: WorkerId, options: WorkerOptions) -> Option<WorkerSlot> {
        if self.by_id.contains_key(&id) {
            return None;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.places.push(OUTSIDE);
            WorkerSlot((self.slots.len() - 1) as u32)
        });
        let worker = Worker {
            id,
            pressure: Pressure::Normal,
            bytes: 0,
            assigned: Vec::new(),
            occupancy: 0,
            used: vec![0; options.resources.len()],
            nominal: options.slots,
            options,
            retirement: None,
            graphs: Vec::new(),
            sweep_at: 1024,
        };
        self.by_id.insert(id, slot);
        self.count(slot, Standing::default(), standing(&worker));
        self.slots[slot.index()] = Some(worker);
        self.reorder(slot);
        Some(slot)
    }

    pub(crate) fn remove(&mut self, slot: WorkerSlot) -> Option<Worker> {
        let worker = self.slots.get_mut(slot.index())?.take()?;
        self.count(slot, standing(&worker), Standing::default());
        self.by_id.remove(&worker.id);
        self.reorder(slot);
        self.free.push(slot);
        Some(worker)
    }

    #[inline]
    pub(crate) fn slot(&self, id: WorkerId) -> Option<WorkerSlot> {
        self.by_id.get(&id).copied()
    }

    #[inline]
    pub(crate) fn get(&self, slot: WorkerSlot) -> Option<&Worker> {
        self.slots.get(slot.index())?.as_ref()
    }

    /// The public id of a worker.
    #[inline]
    pub(crate) fn id(&self, slot: WorkerSlot) -> Option<WorkerId> {
        self.get(slot).map(|worker| worker.id)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The number of slots, used or not; every slot is below it.
    pub(crate) fn bound(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (WorkerSlot, &Worker)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, worker)| Some((WorkerSlot(slot as u32), worker.as_ref()?)))
    }

    /// The least loaded worker that has room.
    #[inline]
    pub(crate) fn least_loaded(&self) -> Option<WorkerSlot> {
        self.heap.first().map(|(_, slot)| *slot)
    }

    /// How many slots are free, where other workers have tasks that cannot run now.
    pub(crate) fn imbalance(&self) -> usize {
        if self.backlogged.members.is_empty() { 0 } else { self.free_slots }
    }

    /// Some of the workers with free slots, and some of those with tasks that cannot run now.
    pub(crate) fn unbalanced(&mut self) -> (Vec<WorkerSlot>, Vec<WorkerSlot>) {
        self.turn = self.turn.wrapping_add(LOOKED_AT);
        let idle = self.idle.some(self.turn);
        (idle.collect(), self.backlogged.some(self.turn).collect())
    }

    /// All workers that may have room for a task that uses resources, as
    /// [`all_in_turn`](Self::all_in_turn) has them.
    pub(crate) fn equipped_in_turn(&mut self) -> impl Iterator<Item = (WorkerSlot, &Worker)> {
        self.turn = self.turn.wrapping_add(LOOKED_AT);
        let members = &self.equipped.members;
        around(members.len(), self.turn)
            .map(|place| members[place])
            .filter_map(|slot| Some((slot, self.get(slot)?)))
    }

    /// All workers, other ones first each time, where there are many.
    pub(crate) fn all_in_turn(&mut self) -> impl Iterator<Item = (WorkerSlot, &Worker)> {
        self.turn = self.turn.wrapping_add(LOOKED_AT);
        around(self.slots.len(), self.turn)
            .filter_map(|slot| Some((WorkerSlot(slot as u32), self.slots[slot].as_ref()?)))
    }

    /// The place in a list of workers at which a look at some of them begins.
    pub(crate) fn next_turn(&mut self) -> usize {
        self.turn = self.turn.wrapping_add(LOOKED_AT);
        self.turn
    }

    /// Changes a worker and puts it where its load now belongs.
    #[inline]
    pub(crate) fn change<T>(
        &mut self,
        slot: WorkerSlot,
        body: impl FnOnce(&mut Worker) -> T,
    ) -> Option<T> {
        let worker = self.slots.get_mut(slot.index())?.as_mut()?;
        let before = standing(worker);
        let value = body(worker);
        let after = standing(worker);
        self.count(slot, before, after);
        self.reorder(slot);
        Some(value)
    }

    /// Notes that a worker holds a value of a graph that was not on its list.
    pub(crate) fn list(
        &mut self,
        slot: WorkerSlot,
        graph: GraphSlot,
        submission: u32,
        graphs: &Graphs,
    ) {
        let Some(worker) = self.slots.get_mut(slot.index()).and_then(Option::as_mut) else {
            return;
        };
        if worker.graphs.len() >= worker.sweep_at {
            worker.graphs.retain(|(slot, submission)| {
                graphs.get(*slot).is_some_and(|graph| graph.submission == *submission)
            });
            worker.sweep_at = (2 * worker.graphs.len()).max(1024);
        }
        worker.graphs.push((graph, submission));
    }

    #[inline]
    fn count(&mut self, slot: WorkerSlot, before: Standing, after: Standing) {
        if before.idle != after.idle {
            self.idle.set(slot, after.idle);
        }
        if before.backlogged != after.backlogged {
            self.backlogged.set(slot, after.backlogged);
        }
        if before.equipped != after.equipped {
            self.equipped.set(slot, after.equipped);
        }
        self.free_slots = self.free_slots + after.free_slots - before.free_slots;
    }

    /// Restores the heap after the worker in a slot has changed, come or gone.
    #[inline]
    fn reorder(&mut self, slot: WorkerSlot) {
        let load = self.get(slot).filter(|worker| worker.has_room()).map(Worker::load);
        let place = self.places[slot.index()];
        match (load, place) {
            (None, OUTSIDE) => {}
            (None, place) => self.take_out(place as usize),
            (Some(load), OUTSIDE) => {
                let place = self.heap.len();
                self.heap.push((load, slot));
                self.places[slot.index()] = place as u32;
                self.rise(place);
            }
            (Some(load), place) => {
                let place = place as usize;
                self.heap[place].0 = load;
                let place = self.rise(place);
                self.sink(place);
            }
        }
    }

    fn take_out(&mut self, place: usize) {
        let (_, slot) = self.heap.swap_remove(place);
        self.places[slot.index()] = OUTSIDE;
        if place < self.heap.len() {
            self.places[self.heap[place].1.index()] = place as u32;
            let place = self.rise(place);
            self.sink(place);
        }
    }

    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.heap[above] <= self.heap[place] {
                break;
            }
            self.exchange(above, place);
            place = above;
        }
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            if left >= self.heap.len() {
                return;
            }
            let right = left + 1;
            let below = if right < self.heap.len() && self.heap[right] < self.heap[left] {
                right
            } else {
                left
            };
            if self.heap[place] <= self.heap[below] {
                return;
            }
            self.exchange(place, below);
            place = below;
        }
    }

    fn exchange(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.places[self.heap[one].1.index()] = one as u32;
        self.places[self.heap[other].1.index()] = other as u32;
    }

    /// What is wrong with the heap and the counts, for `check_consistent`.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let mut counted = (0, 0, 0, 0);
        for (slot, worker) in self.iter() {
            let place = self.places[slot.index()];
            if worker.has_room() != (place != OUTSIDE) {
                return Some("a worker with room is not in the heap, or one without is");
            }
            if place != OUTSIDE && self.heap.get(place as usize) != Some(&(worker.load(), slot)) {
                return Some("a worker's load in the heap is old");
            }
            let standing = standing(worker);
            counted.0 += usize::from(standing.idle);
            counted.1 += usize::from(standing.backlogged);
            counted.2 += standing.free_slots;
            counted.3 += usize::from(standing.equipped);
            if standing.idle && !self.idle.members.contains(&slot)
                || standing.backlogged && !self.backlogged.members.contains(&slot)
                || standing.equipped && !self.equipped.members.contains(&slot)
            {
                return Some("an idle or backlogged worker is not listed as one");
            }
        }
        let [idle, backlogged, equipped] =
            [&self.idle, &self.backlogged, &self.equipped].map(|group| group.members.len());
        if counted != (idle, backlogged, self.free_slots, equipped) {
            return Some("the counts of idle and backlogged workers are wrong");
        }
        let heaped =
            (1..self.heap.len()).all(|place| self.heap[(place - 1) / 2] <= self.heap[place]);
        if !heaped { Some("the heap of workers is out of order") } else { None }
    }
}

/// What a worker is for the balance between workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// It has free slots, and memory for more.
    idle: bool,
    /// It has tasks that cannot run now.
    backlogged: bool,
    free_slots: usize,
    /// It takes tasks, and has some of some resource left.
    equipped: bool,
}

#[inline]
fn standing(worker: &Worker) -> Standing {
    let assigned = worker.assigned.len();
    let free = (worker.options.slots as usize).saturating_sub(assigned);
    let idle = free > 0 && worker.has_room() && worker.pressure == Pressure::Normal;
    // As ever, a worker that takes tasks of others is not asked for its own.
    let backlogged = !idle && worker.waiting() > 0;
    let mut left = worker.options.resources.iter().zip(&worker.used);
    let equipped = worker.has_room() && left.any(|(all, used)| all.thousandths > *used);
    Standing { idle, backlogged, free_slots: if idle { free } else { 0 }, equipped }
}
