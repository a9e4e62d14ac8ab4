//! Events under topics: the last of each are kept, and those who have subscribed hear of them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use super::core::Core;
use super::members::ClientId;
use crate::plain::{Fault, Plain};
use crate::protocol::ToClient;

/// So many events of a topic are kept.
const KEPT: usize = 10_000;
/// So many topics are known.
const TOPICS: usize = 10_000;

/// All topics.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_name: BTreeMap<String, VecDeque<Plain>>,
}

/// Seconds since the epoch.
pub(crate) fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl Topics {
    /// The events of a topic as `[time, message]`, or of all of them by topic.
    pub(super) fn events(&self, arguments: &Plain) -> Plain {
        let list = |events: &VecDeque<Plain>| Plain::List(events.iter().cloned().collect());
        match arguments.get("topic").and_then(Plain::as_text) {
            Some(topic) => self.by_name.get(topic).map_or(Plain::List(Vec::new()), list),
            None => {
                let topics = self.by_name.iter();
                Plain::Map(topics.map(|(name, all)| (Plain::text(name), list(all))).collect())
            }
        }
    }

    fn add(&mut self, topic: &str, entry: Plain) {
        if !self.by_name.contains_key(topic) && self.by_name.len() >= TOPICS {
            return;
        }
        let events = self.by_name.entry(topic.to_owned()).or_default();
        if events.len() >= KEPT {
            events.pop_front();
        }
        events.push_back(entry);
    }
}

impl Core {
    /// Keeps an event and tells those who have subscribed to its topic.
    pub(super) fn log_event(&mut self, topic: &str, message: Plain) {
        let entry = Plain::List(vec![Plain::Float(wall_clock()), message]);
        for client in self.clients.values_mut() {
            if client.topics.contains(topic) {
                let (topic, event) = (topic.to_owned(), entry.clone());
                client.out.push(ToClient::Event { topic, event });
            }
        }
        self.pending.topics.add(topic, entry);
    }

    /// Keeps what happened to a worker under its address, and under "all".
    pub(super) fn log_worker_event<const N: usize>(
        &mut self,
        action: &str,
        worker: &str,
        more: [(&'static str, Plain); N],
    ) {
        let pairs = [("action", Plain::text(action)), ("worker", Plain::text(worker))];
        let message = Plain::map(pairs.into_iter().chain(more));
        self.log_event(worker, message.clone());
        self.log_event("all", message);
    }

    pub(super) fn log_client_event(&mut self, arguments: &Plain) -> Result<Plain, Fault> {
        let missing = || Fault::value("log_event: a topic must be text");
        let topic = arguments.get("topic").and_then(Plain::as_text).ok_or_else(missing)?;
        let message = arguments.get("message").cloned().unwrap_or_default();
        self.log_event(topic, message);
        Ok(Plain::None)
    }

    pub(super) fn subscribe(
        &mut self,
        client: ClientId,
        arguments: &Plain,
        wanted: bool,
    ) -> Result<Plain, Fault> {
        let missing = || Fault::value("subscribe: a topic must be text");
        let topic = arguments.get("topic").and_then(Plain::as_text).ok_or_else(missing)?;
        if let Some(client) = self.clients.get_mut(&client) {
            if wanted {
                client.topics.insert(topic.to_owned());
            } else {
                client.topics.remove(topic);
            }
        }
        Ok(Plain::None)
    }
}
