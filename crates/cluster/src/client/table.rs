//! What a client knows of results.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Watcher;
use crate::protocol::{Carried, Erred, Key, Ready};

/// What is known of a result.
#[derive(Clone, Debug, Default)]
pub enum Status {
    /// It is not there yet.
    #[default]
    Pending,
    /// A worker has it.
    Finished {
        /// Its size.
        bytes: u64,
    },
    /// There will be none.
    Erred {
        /// The task that failed.
        origin: String,
        /// Why.
        erred: Arc<Erred>,
    },
    /// It was cancelled.
    Cancelled {
        /// Why.
        reason: String,
    },
}

#[derive(Default)]
struct Entry {
    /// How many futures hold it here.
    holders: usize,
    /// Whether the scheduler knows that this client wants it.
    wanted: bool,
    /// Whether a graph with it was sent, or the scheduler has spoken of it.
    submitted: bool,
    status: Status,
    /// A small value that came with the news.
    value: Option<Carried>,
    watchers: Vec<Watcher>,
}

impl Entry {
    fn submit(&mut self) {
        self.wanted = true;
        self.submitted = true;
        if matches!(self.status, Status::Cancelled { .. }) {
            self.status = Status::Pending;
        }
    }
}

/// All results of a client.
#[derive(Default)]
pub(super) struct Table {
    entries: FxHashMap<Key, Entry>,
    /// Keys that the scheduler is to be told of that they are not wanted any more.
    pub(super) released: Vec<Key>,
    /// How often a result was said not to come: who waits need not look while it stays the same.
    pub(super) failures: usize,
    closed: bool,
}

impl Table {
    fn entry(&mut self, key: &Key) -> &mut Entry {
        self.entries.entry(key.clone()).or_default()
    }

    /// A graph with this result goes to the scheduler, which thereby knows that it is wanted.
    pub(super) fn submitted(&mut self, key: &Key) {
        self.entry(key).submit();
    }

    /// As [`submitted`](Self::submitted), for all results of a graph, each with so many more
    /// holders.
    pub(super) fn submitted_all(&mut self, keys: &[Key], holders: usize) {
        self.entries.reserve(keys.len());
        for key in keys {
            let entry = self.entry(key);
            entry.holders += holders;
            entry.submit();
        }
    }

    /// Results that were promised, each to a holder, will not be asked for.
    pub(super) fn abandon(&mut self, keys: &[Key], reason: &str) {
        for key in keys {
            let entry = self.entry(key);
            entry.holders += 1;
            if !entry.wanted {
                entry.status = Status::Cancelled { reason: reason.to_owned() };
            }
        }
        self.failures += 1;
    }

    /// One more holder; whether the scheduler is to be told.
    pub(super) fn retain(&mut self, key: &Key) -> bool {
        let entry = self.entry(key);
        entry.holders += 1;
        !std::mem::replace(&mut entry.wanted, true)
    }

    /// One holder less. What is left of the last one is to be dropped without the lock.
    pub(super) fn release(&mut self, key: &Key) -> Option<impl Sized + use<>> {
        let entry = self.entries.get_mut(key)?;
        entry.holders = entry.holders.saturating_sub(1);
        if entry.holders > 0 {
            return None;
        }
        let (key, entry) = self.entries.remove_entry(key)?;
        if entry.wanted {
            self.released.push(key);
        }
        Some(entry)
    }

    /// The results that the scheduler is to keep: those that it was told of, and others.
    pub(super) fn wanted(&self) -> (Vec<Key>, Vec<Key>) {
        let wanted = self.entries.iter().filter(|(_, entry)| entry.wanted);
        let (mut submitted, mut others): (Vec<_>, Vec<_>) =
            wanted.partition(|(_, entry)| entry.submitted);
        submitted.sort_unstable_by_key(|(key, _)| *key);
        others.sort_unstable_by_key(|(key, _)| *key);
        let keys =
            |found: Vec<(&Key, &Entry)>| found.into_iter().map(|(key, _)| key.clone()).collect();
        (keys(submitted), keys(others))
    }

    /// The results that futures hold here, and how many hold each.
    pub(super) fn held(&self) -> Vec<(Key, usize)> {
        let held = self.entries.iter().filter(|(_, entry)| entry.holders > 0);
        let mut held: Vec<_> = held.map(|(key, entry)| (key.clone(), entry.holders)).collect();
        held.sort_unstable();
        held
    }

    /// Whether the scheduler is to keep a result.
    pub(super) fn is_wanted(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.wanted)
    }

    /// The keys to release, but for those that are wanted again.
    pub(super) fn take_released(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.released)
    }

    pub(super) fn status(&self, key: &Key) -> Status {
        match self.entries.get(key) {
            Some(entry) => entry.status.clone(),
            None if self.closed => Status::Cancelled { reason: "the client is closed".to_owned() },
            None => Status::Pending,
        }
    }

    pub(super) fn is_pending(&self, key: &Key) -> bool {
        match self.entries.get(key) {
            Some(entry) => matches!(entry.status, Status::Pending),
            None => !self.closed,
        }
    }

    /// A small value that came with the news.
    pub(super) fn value(&self, key: &Key) -> Option<Carried> {
        self.entries.get(key)?.value.clone()
    }

    pub(super) fn watch(&mut self, key: &Key, watcher: Watcher) {
        self.entry(key).watchers.push(watcher);
    }

    pub(super) fn watchers(&mut self, key: &Key) -> Vec<Watcher> {
        self.entries
            .get_mut(key)
            .map(|entry| std::mem::take(&mut entry.watchers))
            .unwrap_or_default()
    }

    /// The result is there. A value that it had before, and one that nobody wants any more, is to
    /// be dropped without the lock: that may take the interpreter, whose holder may wait for the lock.
    pub(super) fn ready(&mut self, ready: Ready) -> Option<Carried> {
        let Ready { key, bytes, value } = ready;
        let Some(entry) = self.entries.get_mut(&key) else { return value };
        entry.submitted = true;
        entry.status = Status::Finished { bytes };
        match value {
            Some(value) => entry.value.replace(value),
            None => None,
        }
    }

    /// There will be no result. What is returned is to be dropped without the lock.
    #[must_use]
    pub(super) fn settle(&mut self, key: &Key, status: Status) -> Status {
        let Some(entry) = self.entries.get_mut(key) else { return status };
        if matches!(status, Status::Cancelled { .. }) {
            entry.wanted = false;
        }
        self.failures += 1;
        std::mem::replace(&mut entry.status, status)
    }

    /// Whether there will be no such result.
    pub(super) fn has_failed(&self, key: &Key) -> bool {
        self.entries.get(key).map_or(self.closed, |entry| {
            matches!(entry.status, Status::Erred { .. } | Status::Cancelled { .. })
        })
    }

    /// It is awaited again. What is returned is to be dropped without the lock.
    #[must_use]
    pub(super) fn pending(&mut self, key: &Key) -> Option<Status> {
        let entry = self.entries.get_mut(key)?;
        Some(std::mem::replace(&mut entry.status, Status::Pending))
    }

    /// All that is awaited will not come any more: their keys.
    pub(super) fn close(&mut self) -> Vec<Key> {
        self.closed = true;
        self.failures += 1;
        let mut keys = Vec::new();
        let reason = "the connection to the scheduler is closed";
        self.entries.iter_mut().for_each(|(key, entry)| {
            if matches!(entry.status, Status::Pending | Status::Finished { .. }) {
                entry.status = Status::Cancelled { reason: reason.to_owned() };
                keys.push(key.clone());
            }
        });
        keys
    }
}
