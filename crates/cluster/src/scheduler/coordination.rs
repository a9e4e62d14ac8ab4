//! Locks, semaphores, events, queues and variables that the members of a cluster share by name.
//!
//! Everything here is a table and lists of those who wait. Time comes in with each call; what
//! follows (answers, results that are held or let go) goes out as [`Effects`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::members::ClientId;
use crate::plain::{Fault, Plain};
use crate::protocol::Key;

/// Who asked, and by which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) client: ClientId,
    pub(super) id: u64,
}

/// What follows from a request.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) replies: Vec<(Asker, Result<Plain, Fault>)>,
    /// Results that must be kept once more.
    pub(super) kept: Vec<Key>,
    /// Results that were kept and are not any more.
    pub(super) dropped: Vec<Key>,
    /// Results that a client has just heard of, and will want.
    pub(super) given: Vec<(ClientId, Key)>,
}

impl Effects {
    pub(super) fn reply(&mut self, asker: Asker, answer: impl Into<Plain>) {
        self.replies.push((asker, Ok(answer.into())));
    }

    pub(super) fn refuse(&mut self, asker: Asker, fault: Fault) {
        self.replies.push((asker, Err(fault)));
    }

    fn keep(&mut self, value: &Plain) {
        self.kept.extend(key_of(value));
    }

    fn drop(&mut self, value: &Plain) {
        self.dropped.extend(key_of(value));
    }

    fn give(&mut self, to: Asker, value: &Plain) {
        self.given.extend(key_of(value).map(|key| (to.client, key)));
    }
}

/// The name of the result that a kept value is, if it is one.
fn key_of(value: &Plain) -> Option<Key> {
    value.get("key").and_then(Plain::as_text).map(Key::from)
}

/// Who waits, and how long.
#[derive(Debug)]
struct Waiter<T> {
    asker: Asker,
    until: Option<Instant>,
    wanted: T,
}

impl<T> Waiter<T> {
    fn is_late(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[derive(Debug, Default)]
struct Lock {
    holder: Option<(String, ClientId)>,
    waiting: VecDeque<Waiter<String>>,
}

#[derive(Debug, Default)]
struct MultiLocks {
    taken: BTreeMap<String, (String, ClientId)>,
    waiting: Vec<Waiter<MultiWish>>,
}

#[derive(Debug)]
struct MultiWish {
    holder: String,
    names: Vec<String>,
    count: usize,
}

#[derive(Debug)]
struct Semaphore {
    most: usize,
    leases: BTreeMap<String, (ClientId, Instant)>,
    waiting: VecDeque<Waiter<String>>,
}

#[derive(Debug, Default)]
struct Event {
    set: bool,
    waiting: Vec<Waiter<()>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Zero for no limit.
    most: usize,
    items: VecDeque<Plain>,
    putting: VecDeque<Waiter<Plain>>,
    getting: VecDeque<Waiter<Getting>>,
}

#[derive(Debug)]
struct Getting {
    count: usize,
    got: Vec<Plain>,
}

#[derive(Debug, Default)]
struct Variable {
    value: Option<Plain>,
    waiting: Vec<Waiter<()>>,
}

/// All that is shared by name.
#[derive(Debug, Default)]
pub(super) struct Coordination {
    /// A lease that is not renewed for so long ends.
    pub(super) lease: Duration,
    locks: BTreeMap<String, Lock>,
    multilocks: MultiLocks,
    semaphores: BTreeMap<String, Semaphore>,
    events: BTreeMap<String, Event>,
    queues: BTreeMap<String, Queue>,
    variables: BTreeMap<String, Variable>,
}

/// A request's arguments.
struct Arguments<'a> {
    asker: Asker,
    now: Instant,
    map: &'a Plain,
}

impl Arguments<'_> {
    fn text(&self, name: &str) -> Result<&str, Fault> {
        let missing = || Fault::value(format!("the argument {name:?} must be text"));
        self.map.get(name).and_then(Plain::as_text).ok_or_else(missing)
    }

    fn until(&self) -> Option<Instant> {
        let seconds = self.map.get("timeout").and_then(Plain::as_float)?;
        let wait = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
        self.now.checked_add(wait)
    }

    fn waiter<T>(&self, wanted: T) -> Waiter<T> {
        Waiter { asker: self.asker, until: self.until(), wanted }
    }

    /// Whether the caller does not want to wait.
    fn at_once(&self) -> bool {
        self.until().is_some_and(|until| until <= self.now)
    }

    fn count(&self, name: &str) -> Option<i64> {
        self.map.get(name).and_then(Plain::as_int)
    }
}

impl Coordination {
    /// Carries a request out; false where no request has this name.
    pub(super) fn request(
        &mut self,
        now: Instant,
        asker: Asker,
        name: &str,
        map: &Plain,
        effects: &mut Effects,
    ) -> bool {
        let Some((family, what)) = name.split_once('_') else { return false };
        let arguments = Arguments { asker, now, map };
        let done = match family {
            "lock" => self.lock(what, &arguments, effects),
            "multilock" => self.multilock(what, &arguments, effects),
            "semaphore" => self.semaphore(what, &arguments, effects),
            "event" => self.event(what, &arguments, effects),
            "queue" => self.queue(what, &arguments, effects),
            "variable" => self.variable(what, &arguments, effects),
            _ => return false,
        };
        match done {
            Ok(known) => known,
            Err(fault) => {
                effects.refuse(asker, fault);
                true
            }
        }
    }

    fn lock(
        &mut self,
        what: &str,
        a: &Arguments<'_>,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let name = a.text("name")?;
        match what {
            "acquire" => {
                let id = a.text("id")?.to_owned();
                let lock = self.locks.entry(name.to_owned()).or_default();
                if lock.holder.is_none() {
                    lock.holder = Some((id, a.asker.client));
                    effects.reply(a.asker, true);
                } else if a.at_once() {
                    effects.reply(a.asker, false);
                } else {
                    lock.waiting.push_back(a.waiter(id));
                }
            }
            "release" => {
                let id = a.text("id")?;
                let held = self
                    .locks
                    .get_mut(name)
                    .filter(|lock| lock.holder.as_ref().is_some_and(|(holder, _)| holder == id));
                effects.reply(a.asker, held.is_some());
                if let Some(lock) = held {
                    lock.holder = None;
                    self.pass_lock(name, effects);
                }
            }
            "locked" => {
                let locked = self.locks.get(name).is_some_and(|lock| lock.holder.is_some());
                effects.reply(a.asker, locked);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Gives a free lock to whoever waits longest.
    fn pass_lock(&mut self, name: &str, effects: &mut Effects) {
        let Some(lock) = self.locks.get_mut(name) else { return };
        if lock.holder.is_some() {
            return;
        }
        match lock.waiting.pop_front() {
            Some(next) => {
                lock.holder = Some((next.wanted, next.asker.client));
                effects.reply(next.asker, true);
            }
            None => {
                self.locks.remove(name);
            }
        }
    }

    fn multilock(
        &mut self,
        what: &str,
        a: &Arguments<'_>,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let holder = a.text("id")?.to_owned();
        let names = a.map.get("names").map(Plain::texts).unwrap_or_default();
        match what {
            "acquire" => {
                let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
                let count = a.count("n").and_then(|n| usize::try_from(n).ok());
                let count = count.unwrap_or(names.len());
                if count > names.len() {
                    return Err(Fault::value(format!(
                        "multilock_acquire: {count} of {} names cannot be locked",
                        names.len()
                    )));
                }
                let names = names.into_iter().collect();
                self.multilocks.waiting.push(a.waiter(MultiWish { holder, names, count }));
                self.pass_multilocks(effects);
                if a.at_once() {
                    self.tick(a.now, effects);
                }
            }
            "release" => {
                self.multilocks.taken.retain(|_, (by, _)| *by != holder);
                effects.reply(a.asker, true);
                self.pass_multilocks(effects);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Gives names to those who wait, in order: nobody takes a name that somebody before wants.
    fn pass_multilocks(&mut self, effects: &mut Effects) {
        let MultiLocks { taken, waiting } = &mut self.multilocks;
        let mut reserved: BTreeSet<String> = BTreeSet::new();
        waiting.retain(|waiter| {
            let MultiWish { holder, names, count } = &waiter.wanted;
            let free: Vec<&String> = names
                .iter()
                .filter(|name| !taken.contains_key(*name) && !reserved.contains(*name))
                .take(*count)
                .collect();
            if free.len() < *count {
                reserved.extend(names.iter().cloned());
                return true;
            }
            for name in free {
                taken.insert(name.clone(), (holder.clone(), waiter.asker.client));
            }
            effects.reply(waiter.asker, true);
            false
        });
    }

    fn semaphore(
        &mut self,
        what: &str,
        a: &Arguments<'_>,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let name = a.text("name")?;
        if what == "create" {
            let wanted = a.count("max_leases").and_then(|most| usize::try_from(most).ok());
            let most = wanted.filter(|most| *most > 0).ok_or_else(|| {
                Fault::value("semaphore_create: max_leases must be a positive number")
            })?;
            let fresh = || Semaphore { most, leases: BTreeMap::new(), waiting: VecDeque::new() };
            let known = self.semaphores.entry(name.to_owned()).or_insert_with(fresh).most;
            if known != most {
                return Err(Fault::value(format!(
                    "Inconsistent max leases: {most}, expected: {known}"
                )));
            }
            effects.reply(a.asker, true);
            return Ok(true);
        }
        let Some(semaphore) = self.semaphores.get_mut(name) else {
            if what == "close" {
                effects.reply(a.asker, true);
                return Ok(true);
            }
            return Err(Fault::new(
                "RuntimeError",
                format!("Semaphore {name:?} is not known: it was closed, or never created"),
            ));
        };
        match what {
            "acquire" => {
                let lease = a.text("id")?.to_owned();
                if semaphore.leases.len() < semaphore.most {
                    semaphore.leases.insert(lease, (a.asker.client, a.now));
                    effects.reply(a.asker, true);
                } else if a.at_once() {
                    effects.reply(a.asker, false);
                } else {
                    semaphore.waiting.push_back(a.waiter(lease));
                }
            }
            "release" => {
                let held = semaphore.leases.remove(a.text("id")?).is_some();
                effects.reply(a.asker, held);
                semaphore.pass(a.now, effects);
            }
            "refresh" => {
                for lease in a.map.get("ids").map(Plain::texts).unwrap_or_default() {
                    // A lease that ended for silence, and whose holder works on, counts again.
                    semaphore.leases.insert(lease.to_owned(), (a.asker.client, a.now));
                }
                effects.reply(a.asker, true);
            }
            "value" => effects.replies.push((a.asker, Ok(Plain::count(semaphore.leases.len())))),
            "close" => {
                let closed =
                    || Fault::new("RuntimeError", format!("Semaphore {name:?} was closed"));
                for waiter in std::mem::take(&mut semaphore.waiting) {
                    effects.refuse(waiter.asker, closed());
                }
                self.semaphores.remove(name);
                effects.reply(a.asker, true);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn event(
        &mut self,
        what: &str,
        a: &Arguments<'_>,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let name = a.text("name")?;
        match what {
            "wait" => {
                let event = self.events.entry(name.to_owned()).or_default();
                if event.set || a.at_once() {
                    effects.reply(a.asker, event.set);
                } else {
                    event.waiting.push(a.waiter(()));
                }
            }
            "set" => {
                let event = self.events.entry(name.to_owned()).or_default();
                event.set = true;
                for waiter in std::mem::take(&mut event.waiting) {
                    effects.reply(waiter.asker, true);
                }
                effects.reply(a.asker, true);
            }
            "clear" => {
                if let Some(event) = self.events.get_mut(name) {
                    event.set = false;
                    if event.waiting.is_empty() {
                        self.events.remove(name);
                    }
                }
                effects.reply(a.asker, true);
            }
            "is_set" | "isset" => {
                effects.reply(a.asker, self.events.get(name).is_some_and(|event| event.set));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn queue(
        &mut self,
        what: &str,
        a: &Arguments<'_>,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let name = a.text("name")?;
        if what == "close" {
            if let Some(queue) = self.queues.remove(name) {
                queue.items.iter().for_each(|item| effects.drop(item));
                for waiter in queue.putting {
                    effects.drop(&waiter.wanted);
                    effects.reply(waiter.asker, false);
                }
                for waiter in queue.getting {
                    waiter.wanted.got.iter().for_each(|item| effects.drop(item));
                    effects.reply(waiter.asker, false);
                }
            }
            effects.reply(a.asker, true);
            return Ok(true);
        }
        let queue = self.queues.entry(name.to_owned()).or_default();
        match what {
            "create" => {
                let most = a.count("maxsize").and_then(|most| usize::try_from(most).ok());
                if queue.most == 0 {
                    queue.most = most.unwrap_or(0);
                }
                effects.reply(a.asker, true);
            }
            "put" => {
                let value = a.map.get("value").cloned().unwrap_or_default();
                effects.keep(&value);
                if !queue.is_full() {
                    queue.items.push_back(value);
                    effects.reply(a.asker, true);
                    queue.pass(effects);
                } else if a.at_once() {
                    effects.drop(&value);
                    effects.reply(a.asker, false);
                } else {
                    queue.putting.push_back(a.waiter(value));
                }
            }
            "get" => {
                let wanted = a.count("n").unwrap_or(1);
                if let Ok(count) = usize::try_from(wanted) {
                    let getting = Getting { count: count.max(1), got: Vec::new() };
                    queue.getting.push_back(a.waiter(getting));
                    queue.pass(effects);
                    if a.at_once() {
                        queue.tick(a.now, effects);
                    }
                } else {
                    let all: Vec<Plain> = queue.items.drain(..).collect();
                    hand_over(a.asker, all, effects);
                    queue.pass(effects);
                }
            }
            "qsize" => effects.replies.push((a.asker, Ok(Plain::count(queue.items.len())))),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn variable(
        &mut self,
        what: &str,
        a: &Arguments<'_>,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let name = a.text("name")?;
        match what {
            "set" => {
                let value = a.map.get("value").cloned().unwrap_or_default();
                let variable = self.variables.entry(name.to_owned()).or_default();
                effects.keep(&value);
                for waiter in std::mem::take(&mut variable.waiting) {
                    effects.give(waiter.asker, &value);
                    effects.reply(waiter.asker, value.clone());
                }
                if let Some(old) = variable.value.replace(value) {
                    effects.drop(&old);
                }
                effects.reply(a.asker, true);
            }
            "get" => {
                let variable = self.variables.entry(name.to_owned()).or_default();
                match &variable.value {
                    Some(value) => {
                        effects.give(a.asker, value);
                        effects.reply(a.asker, value.clone());
                    }
                    None if a.at_once() => effects.reply(a.asker, false),
                    None => variable.waiting.push(a.waiter(())),
                }
            }
            "delete" => {
                if let Some(variable) = self.variables.get_mut(name) {
                    if let Some(old) = variable.value.take() {
                        effects.drop(&old);
                    }
                    if variable.waiting.is_empty() {
                        self.variables.remove(name);
                    }
                }
                effects.reply(a.asker, true);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Ends waits and leases whose time is over.
    pub(super) fn tick(&mut self, now: Instant, effects: &mut Effects) {
        for lock in self.locks.values_mut() {
            end_late(&mut lock.waiting, now, effects);
        }
        self.multilocks.waiting.retain(|waiter| {
            let late = waiter.is_late(now);
            if late {
                effects.reply(waiter.asker, false);
            }
            !late
        });
        self.pass_multilocks(effects);
        for semaphore in self.semaphores.values_mut() {
            end_late(&mut semaphore.waiting, now, effects);
            semaphore.leases.retain(|_, (_, renewed)| now.duration_since(*renewed) < self.lease);
            semaphore.pass(now, effects);
        }
        for event in self.events.values_mut() {
            event.waiting.retain(|waiter| !ended(waiter, now, effects));
        }
        for queue in self.queues.values_mut() {
            queue.tick(now, effects);
        }
        for variable in self.variables.values_mut() {
            variable.waiting.retain(|waiter| !ended(waiter, now, effects));
        }
    }

    /// When [`tick`](Self::tick) has something to do next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        fn first<'a, T: 'a>(
            waiting: impl IntoIterator<Item = &'a Waiter<T>>,
        ) -> impl Iterator<Item = Instant> {
            waiting.into_iter().filter_map(|waiter| waiter.until)
        }
        let mut times: Vec<Instant> = Vec::new();
        self.locks.values().for_each(|lock| times.extend(first(&lock.waiting)));
        times.extend(first(&self.multilocks.waiting));
        for semaphore in self.semaphores.values() {
            times.extend(first(&semaphore.waiting));
            times.extend(semaphore.leases.values().map(|(_, renewed)| *renewed + self.lease));
        }
        self.events.values().for_each(|event| times.extend(first(&event.waiting)));
        for queue in self.queues.values() {
            times.extend(first(&queue.putting));
            times.extend(first(&queue.getting));
        }
        self.variables.values().for_each(|variable| times.extend(first(&variable.waiting)));
        times.into_iter().min()
    }

    /// What a client held is free, and it waits for nothing any more.
    pub(super) fn client_left(&mut self, client: ClientId, now: Instant, effects: &mut Effects) {
        let names: Vec<String> = self.locks.keys().cloned().collect();
        for name in names {
            if let Some(lock) = self.locks.get_mut(&name) {
                lock.waiting.retain(|waiter| waiter.asker.client != client);
                if lock.holder.as_ref().is_some_and(|(_, holder)| *holder == client) {
                    lock.holder = None;
                }
            }
            self.pass_lock(&name, effects);
        }
        self.multilocks.waiting.retain(|waiter| waiter.asker.client != client);
        self.multilocks.taken.retain(|_, (_, holder)| *holder != client);
        self.pass_multilocks(effects);
        for semaphore in self.semaphores.values_mut() {
            semaphore.waiting.retain(|waiter| waiter.asker.client != client);
            semaphore.leases.retain(|_, (holder, _)| *holder != client);
            semaphore.pass(now, effects);
        }
        for event in self.events.values_mut() {
            event.waiting.retain(|waiter| waiter.asker.client != client);
        }
        for queue in self.queues.values_mut() {
            for waiter in std::mem::take(&mut queue.putting) {
                if waiter.asker.client == client {
                    effects.drop(&waiter.wanted);
                } else {
                    queue.putting.push_back(waiter);
                }
            }
            for waiter in std::mem::take(&mut queue.getting) {
                if waiter.asker.client == client {
                    queue.put_back(waiter.wanted.got);
                } else {
                    queue.getting.push_back(waiter);
                }
            }
            queue.pass(effects);
        }
        for variable in self.variables.values_mut() {
            variable.waiting.retain(|waiter| waiter.asker.client != client);
        }
    }
}

/// Answers a wait whose time is over; whether it is.
fn ended<T>(waiter: &Waiter<T>, now: Instant, effects: &mut Effects) -> bool {
    let late = waiter.is_late(now);
    if late {
        effects.reply(waiter.asker, false);
    }
    late
}

fn end_late<T>(waiting: &mut VecDeque<Waiter<T>>, now: Instant, effects: &mut Effects) {
    waiting.retain(|waiter| !ended(waiter, now, effects));
}

/// Answers with elements of a queue, which the queue does not keep any more.
fn hand_over(asker: Asker, items: Vec<Plain>, effects: &mut Effects) {
    for item in &items {
        effects.give(asker, item);
        effects.drop(item);
    }
    effects.reply(asker, Plain::List(items));
}

impl Semaphore {
    fn pass(&mut self, now: Instant, effects: &mut Effects) {
        while self.leases.len() < self.most {
            let Some(next) = self.waiting.pop_front() else { return };
            self.leases.insert(next.wanted, (next.asker.client, now));
            effects.reply(next.asker, true);
        }
    }
}

impl Queue {
    fn is_full(&self) -> bool {
        self.most > 0 && self.items.len() >= self.most
    }

    /// Gives elements to those who wait for some, and room to those who bring some.
    fn pass(&mut self, effects: &mut Effects) {
        loop {
            let before = (self.items.len(), self.putting.len(), self.getting.len());
            while let Some(first) = self.getting.front_mut() {
                while first.wanted.got.len() < first.wanted.count {
                    let Some(item) = self.items.pop_front() else { break };
                    first.wanted.got.push(item);
                }
                if first.wanted.got.len() < first.wanted.count {
                    break;
                }
                if let Some(done) = self.getting.pop_front() {
                    hand_over(done.asker, done.wanted.got, effects);
                }
            }
            while !self.is_full() {
                let Some(next) = self.putting.pop_front() else { break };
                self.items.push_back(next.wanted);
                effects.reply(next.asker, true);
            }
            if before == (self.items.len(), self.putting.len(), self.getting.len()) {
                return;
            }
        }
    }

    fn put_back(&mut self, got: Vec<Plain>) {
        for item in got.into_iter().rev() {
            self.items.push_front(item);
        }
    }

    fn tick(&mut self, now: Instant, effects: &mut Effects) {
        for waiter in std::mem::take(&mut self.putting) {
            if ended(&waiter, now, effects) {
                effects.drop(&waiter.wanted);
            } else {
                self.putting.push_back(waiter);
            }
        }
        for waiter in std::mem::take(&mut self.getting) {
            if ended(&waiter, now, effects) {
                self.put_back(waiter.wanted.got);
            } else {
                self.getting.push_back(waiter);
            }
        }
        self.pass(effects);
    }
}
