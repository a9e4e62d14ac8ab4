//! What is kept of each value that may be a key of a dict, in the order of first appearance.

use bumpalo::Bump;
use hashbrown::HashTable;

use super::evaluate::Form;
use super::owned::Owned;
use super::value::{Deviation, Number, Value};

/// Something for each key.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    /// Places of entries and hashes of their keys. With the hash here, a table that grows does not look at entries,
    /// and a key that is another one is seldom looked at.
    table: HashTable<(u32, u32)>,
    pub(crate) entries: Vec<Entry<T>>,
    pub(crate) nbytes: usize,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), entries: Vec::new(), nbytes: 0 }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry<T> {
    hash: u32,
    pub(crate) value: Owned,
    pub(crate) kept: T,
}

/// What the table goes by, which asks for bits at both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<T> Keyed<T> {
    fn find(&self, hash: u32, value: &Value<'_>) -> Option<usize> {
        let found = self.table.find(spread(hash), |(at, known)| {
            *known == hash && self.entries[*at as usize].value.equals_key(value)
        });
        found.map(|(at, _)| *at as usize)
    }

    fn push(&mut self, hash: u32, value: Owned, kept: T) -> Result<(), Deviation> {
        let at = u32::try_from(self.entries.len()).map_err(|_| "more than 2^32 distinct values")?;
        self.nbytes += value.nbytes() + size_of::<Entry<T>>() + 8;
        self.entries.push(Entry { hash, value, kept });
        self.table.insert_unique(spread(hash), (at, hash), |(_, hash)| spread(*hash));
        Ok(())
    }

    /// Takes in one record of a key: `first` makes what is kept, `more` changes it.
    pub(crate) fn add(
        &mut self,
        key: &Value<'_>,
        first: impl FnOnce() -> Result<T, Deviation>,
        more: impl FnOnce(&mut T) -> Result<(), Deviation>,
    ) -> Result<(), Deviation> {
        let hash = (key.hash()? >> 32) as u32;
        match self.find(hash, key) {
            Some(at) => more(&mut self.entries[at].kept),
            None => self.push(hash, Owned::of(key)?, first()?),
        }
    }

    /// Takes in what was kept of later records.
    pub(crate) fn merge(
        &mut self,
        other: Self,
        mut join: impl FnMut(&mut T, T) -> Result<(), Deviation>,
    ) -> Result<(), Deviation> {
        if self.entries.is_empty() {
            *self = other;
            return Ok(());
        }
        // Most keys of large parts are new ones.
        self.table.reserve(other.entries.len() / 2, |(_, hash)| spread(*hash));
        self.entries.reserve(other.entries.len() / 2);
        let mut arena = Bump::new();
        for entry in other.entries {
            let found = self.find(entry.hash, &entry.value.view(&arena)?);
            match found {
                Some(at) => join(&mut self.entries[at].kept, entry.kept)?,
                None => self.push(entry.hash, entry.value, entry.kept)?,
            }
            arena.reset();
        }
        Ok(())
    }
}

/// How the records of a key are folded.
#[derive(Clone, Debug, PartialEq)]
pub enum Fold {
    /// The total and the value of each record, added.
    Sum(Form),
    /// The smallest of these values.
    Min(Form),
    /// The largest of these values.
    Max(Form),
}

impl Fold {
    pub(crate) fn form_mut(&mut self) -> &mut Form {
        match self {
            Self::Sum(form) | Self::Min(form) | Self::Max(form) => form,
        }
    }

    pub(crate) fn form(&self) -> &Form {
        match self {
            Self::Sum(form) | Self::Min(form) | Self::Max(form) => form,
        }
    }

    /// The total of one value; `from_zero`: added to the integer 0.
    pub(crate) fn first(&self, value: &Value<'_>, from_zero: bool) -> Result<Owned, Deviation> {
        match self {
            Self::Sum(_) if from_zero => sum(&Owned::Int(0), value),
            Self::Sum(_) => match value {
                Value::Int(_) | Value::Float(_) => Owned::of(value),
                _ => Err("a sum of values that are no numbers"),
            },
            Self::Min(_) | Self::Max(_) => {
                if matches!(value, Value::Float(value) if value.is_nan()) {
                    return Err("a number that is not ordered");
                }
                Owned::of(value)
            }
        }
    }

    /// One more value, which may be a total itself.
    pub(crate) fn add(
        &self,
        total: &mut Owned,
        value: &Value<'_>,
        arena: &Bump,
    ) -> Result<(), Deviation> {
        use std::cmp::Ordering;
        let wanted = match self {
            Self::Sum(_) => {
                *total = sum(total, value)?;
                return Ok(());
            }
            Self::Min(_) => Ordering::Less,
            Self::Max(_) => Ordering::Greater,
        };
        if value.compare(&total.view(arena)?)? == wanted {
            *total = Owned::of(value)?;
        }
        Ok(())
    }

    /// Two totals.
    pub(crate) fn join(
        &self,
        total: &mut Owned,
        other: &Owned,
        arena: &Bump,
    ) -> Result<(), Deviation> {
        if let (Self::Sum(_), Owned::Int(left), Owned::Int(right)) = (self, &*total, other) {
            *total = Owned::Int(left.checked_add(*right).ok_or("a sum of more than 128 bits")?);
            return Ok(());
        }
        self.add(total, &other.view(arena)?, arena)
    }
}

fn sum(total: &Owned, value: &Value<'_>) -> Result<Owned, Deviation> {
    let value = value.number().ok_or("a value that is no number")?;
    Ok(match (total, value) {
        (Owned::Int(total), Number::Int(value)) => {
            Owned::Int(total.checked_add(value.into()).ok_or("a sum of more than 128 bits")?)
        }
        (Owned::Int(total), Number::Float(value)) => Owned::Float(*total as f64 + value),
        (Owned::Float(total), value) => Owned::Float(total + value.as_float()),
        _ => return Err("a value that is no number"),
    })
}
