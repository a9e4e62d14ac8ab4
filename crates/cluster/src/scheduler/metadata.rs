//! Metadata: a tree of values that clients keep on the scheduler.

use crate::plain::{Fault, Plain};

/// The tree.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    root: Vec<(Plain, Plain)>,
}

/// The deepest path.
const DEPTH: usize = 64;

impl Metadata {
    /// The value at a path; nothing where there is none.
    pub(super) fn get(&self, arguments: &Plain) -> Plain {
        let path = arguments.get("keys").map(Plain::texts).unwrap_or_default();
        let Some((first, rest)) = path.split_first() else {
            return Plain::Map(self.root.clone());
        };
        let find = |pairs: &[(Plain, Plain)], name: &str| {
            let found = pairs.iter().find(|(key, _)| key.as_text() == Some(name));
            found.map(|(_, value)| value.clone())
        };
        let mut value = find(&self.root, first);
        for name in rest {
            value = match value {
                Some(Plain::Map(pairs)) => find(&pairs, name),
                _ => None,
            };
        }
        value.unwrap_or_default()
    }

    /// Sets the value at a path; what stands in the way is replaced.
    pub(super) fn set(&mut self, arguments: &Plain) -> Result<Plain, Fault> {
        let path = arguments.get("keys").map(Plain::texts).unwrap_or_default();
        let value = arguments.get("value").cloned().unwrap_or_default();
        if path.is_empty() || path.len() > DEPTH {
            return Err(Fault::value(format!(
                "set_metadata: a path has 1 to {DEPTH} names, not {}",
                path.len()
            )));
        }
        set(&mut self.root, &path, value);
        Ok(Plain::Bool(true))
    }
}

fn set(pairs: &mut Vec<(Plain, Plain)>, path: &[&str], value: Plain) {
    let Some((first, rest)) = path.split_first() else { return };
    let place = match pairs.iter().position(|(key, _)| key.as_text() == Some(first)) {
        Some(place) => place,
        None => {
            pairs.push((Plain::text(first), Plain::None));
            pairs.len() - 1
        }
    };
    let Some((_, found)) = pairs.get_mut(place) else { return };
    if rest.is_empty() {
        *found = value;
        return;
    }
    if !matches!(found, Plain::Map(_)) {
        *found = Plain::Map(Vec::new());
    }
    if let Plain::Map(inner) = found {
        set(inner, rest, value);
    }
}
