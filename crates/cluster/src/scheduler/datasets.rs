//! Data sets: bytes by name, and the results that they keep.

use std::collections::BTreeMap;

use super::core::Core;
use super::members::ClientId;
use crate::plain::{Fault, Plain};
use crate::protocol::Key;

#[derive(Debug)]
struct Dataset {
    keys: Vec<Key>,
    data: Plain,
}

/// All data sets.
#[derive(Debug, Default)]
pub(super) struct Datasets {
    by_name: BTreeMap<String, Dataset>,
}

impl Datasets {
    pub(super) fn list(&self) -> Plain {
        Plain::List(self.by_name.keys().map(Plain::text).collect())
    }
}

fn name_of(arguments: &Plain) -> Result<String, Fault> {
    let name = arguments.get("name").and_then(Plain::as_text);
    name.map(str::to_owned).ok_or_else(|| Fault::value("a data set's name must be text"))
}

impl Core {
    /// Keeps a data set; false where the name is taken.
    pub(super) fn publish(&mut self, arguments: &Plain) -> Result<Plain, Fault> {
        let name = name_of(arguments)?;
        if self.pending.datasets.by_name.contains_key(&name) {
            return Ok(Plain::Bool(false));
        }
        let keys = arguments.get("keys").map(Plain::texts).unwrap_or_default();
        let keys: Vec<Key> = keys.into_iter().map(Key::from).collect();
        keys.iter().for_each(|key| self.hold(key));
        let data = arguments.get("data").cloned().unwrap_or_default();
        self.pending.datasets.by_name.insert(name, Dataset { keys, data });
        Ok(Plain::Bool(true))
    }

    /// Forgets a data set; false where there is none of this name.
    pub(super) fn unpublish(&mut self, arguments: &Plain) -> Result<Plain, Fault> {
        let removed = self.pending.datasets.by_name.remove(&name_of(arguments)?);
        let known = removed.is_some();
        for key in removed.map(|dataset| dataset.keys).unwrap_or_default() {
            self.let_go(&key);
        }
        Ok(Plain::Bool(known))
    }

    /// A data set's bytes and keys; nothing where there is none of this name.
    pub(super) fn get_dataset(
        &mut self,
        client: ClientId,
        arguments: &Plain,
    ) -> Result<Plain, Fault> {
        let Some(found) = self.pending.datasets.by_name.get(&name_of(arguments)?) else {
            return Ok(Plain::None);
        };
        for key in &found.keys {
            // The client is about to say so itself.
            self.names.by_key.entry(key.clone()).or_default().want(client);
        }
        let keys = Plain::List(found.keys.iter().map(|key| Plain::text(key.to_string())).collect());
        Ok(Plain::map([("keys", keys), ("data", found.data.clone())]))
    }
}
