//! How often each of many short texts occurs.
//!
//! A text of up to 16 bytes is compared as two integers, and is copied when it is seen for the
//! first time only. Tables of several threads, each of which saw some pieces of a source, are put
//! together in the order in which one thread would have seen their texts.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::value::Deviation;

/// Texts of up to so many bytes are compared as integers.
const INSIDE: usize = 16;
/// Slots of a new table, of which half are used before it grows.
const FIRST_SLOTS: usize = 1 << 12;

/// A text as the table looks for it.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    /// The first bytes, and zeros behind a shorter text.
    low: u64,
    /// The next ones; of a text that is longer than both, its hash.
    high: u64,
    length: u32,
    hash: u64,
}

struct Hashes {
    long: RandomState,
    /// Odd, and known to nobody.
    factors: (u64, u64),
}

/// Hashes of this process; their seeds keep texts from being written so that many of them collide.
static HASHES: LazyLock<Hashes> = LazyLock::new(|| {
    let long = RandomState::default();
    let factors = (long.hash_one(1u64) | 1, long.hash_one(2u64) | 1);
    Hashes { long, factors }
});

fn folded(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

/// The lowest so many bytes of an integer.
fn lowest(value: u64, bytes: usize) -> u64 {
    value & (u64::MAX >> (64 - 8 * bytes))
}

impl Key {
    /// The key of the text that is the first `length` bytes of `bytes`. It is quick where there are 16 bytes or more.
    #[inline(always)]
    fn new(bytes: &[u8], length: usize, hashes: &Hashes) -> Self {
        let Some(first) = bytes.first_chunk::<INSIDE>() else {
            let mut padded = [0; INSIDE];
            padded[..bytes.len()].copy_from_slice(bytes);
            return Self::new(&padded, length, hashes);
        };
        let both = u128::from_le_bytes(*first);
        let (low, high) = (both as u64, (both >> 64) as u64);
        let (low, high) = match length {
            0 => (0, 0),
            1..=8 => (lowest(low, length), 0),
            9..=INSIDE => (low, lowest(high, length - 8)),
            _ => (low, hashes.long.hash_one(&bytes[..length])),
        };
        let hash = folded(low ^ hashes.factors.0, high ^ hashes.factors.1);
        Self { low, high, length: length as u32, hash }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    low: u64,
    high: u64,
    count: u64,
    /// Where the text is among the texts.
    start: u32,
    length: u32,
}

/// Texts and how often each occurs, in the order of their first appearance.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// An entry's number and one, below the upper half of its hash; 0 where there is none.
    slots: Vec<u64>,
    entries: Vec<Entry>,
    texts: String,
    /// The pieces of the source that it has seen, in ascending order, and the number of entries before each.
    pieces: Vec<(u32, u32)>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            slots: vec![0; FIRST_SLOTS],
            entries: Vec::new(),
            texts: String::new(),
            pieces: Vec::new(),
        }
    }
}

const TOO_MANY: Deviation = "4 GiB of distinct texts";

impl Tally {
    /// The last piece that it has seen.
    pub(crate) fn last_piece(&self) -> Option<u32> {
        self.pieces.last().map(|(piece, _)| *piece)
    }

    /// What is added from now on is of this piece, which is behind all pieces so far.
    pub(crate) fn begin_piece(&mut self, piece: u32) {
        self.pieces.push((piece, self.entries.len() as u32));
    }

    /// Counts the text that is the first `length` bytes of `bytes`, which is UTF-8. It is quick
    /// where `bytes` goes on behind the text.
    #[inline(always)]
    pub(crate) fn add(&mut self, bytes: &[u8], length: usize) -> Result<(), Deviation> {
        if length > u32::MAX as usize {
            return Err(TOO_MANY);
        }
        let key = Key::new(bytes, length, &HASHES);
        match self.place(&key, bytes) {
            Ok(at) => {
                self.entries[at].count += 1;
                Ok(())
            }
            Err(slot) => self.insert(slot, key, bytes, 1),
        }
    }

    /// The number of the entry of a key, or the slot for it.
    #[inline(always)]
    fn place(&self, key: &Key, bytes: &[u8]) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let tag = (key.hash >> 32) as u32;
        let mut at = key.hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return Err(at);
            }
            if (slot >> 32) as u32 == tag {
                let number = slot as u32 as usize - 1;
                let entry = &self.entries[number];
                if entry.low == key.low
                    && entry.high == key.high
                    && entry.length == key.length
                    && (key.length as usize <= INSIDE || self.is_text(entry, bytes))
                {
                    return Ok(number);
                }
            }
            at = (at + 1) & mask;
        }
    }

    fn is_text(&self, entry: &Entry, bytes: &[u8]) -> bool {
        let start = entry.start as usize;
        let length = entry.length as usize;
        self.texts.as_bytes()[start..start + length] == bytes[..length]
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, slot: usize, key: Key, bytes: &[u8], count: u64) -> Result<(), Deviation> {
        let text = std::str::from_utf8(&bytes[..key.length as usize]);
        let start = u32::try_from(self.texts.len()).map_err(|_| TOO_MANY)?;
        self.texts.push_str(text.map_err(|_| "text that is not UTF-8")?);
        let Key { low, high, length, hash } = key;
        self.entries.push(Entry { low, high, count, start, length });
        let number = u32::try_from(self.entries.len()).map_err(|_| TOO_MANY)?;
        self.slots[slot] = hash >> 32 << 32 | u64::from(number);
        if 2 * self.entries.len() > self.slots.len() {
            self.grow();
        }
        Ok(())
    }

    fn grow(&mut self) {
        let factors = HASHES.factors;
        let mut slots = vec![0; 4 * self.slots.len()];
        let mask = slots.len() - 1;
        for (entry, number) in self.entries.iter().zip(1u64..) {
            let hash = folded(entry.low ^ factors.0, entry.high ^ factors.1);
            let mut at = hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = hash >> 32 << 32 | number;
        }
        self.slots = slots;
    }

    fn text(&self, entry: &Entry) -> &str {
        let start = entry.start as usize;
        self.texts.get(start..start + entry.length as usize).unwrap_or_default()
    }

    /// The number of texts.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A text and its count.
    pub(crate) fn get(&self, at: usize) -> Option<(&str, u64)> {
        self.entries.get(at).map(|entry| (self.text(entry), entry.count))
    }

    /// The texts and their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().map(|entry| (self.text(entry), entry.count))
    }

    /// The bytes that it takes.
    pub(crate) fn nbytes(&self) -> usize {
        8 * self.slots.len() + size_of::<Entry>() * self.entries.len() + self.texts.len()
    }

    /// The most frequent first, and equally frequent ones in the order that they have.
    pub(crate) fn sort(&mut self) {
        self.entries.sort_by_key(|entry| std::cmp::Reverse(entry.count));
        self.slots.clear();
    }

    /// One table of several, which together have seen each of `pieces` pieces once. It is only good for reading.
    ///
    /// # Errors
    /// Where they have not.
    pub(crate) fn joined(tallies: Vec<Self>, pieces: u32) -> Result<Self, Deviation> {
        let mut seen: Vec<u32> =
            tallies.iter().flat_map(|tally| tally.pieces.iter().map(|(piece, _)| *piece)).collect();
        seen.sort_unstable();
        if !seen.into_iter().eq(0..pieces) {
            return Err("pieces that were counted more than once or not at all");
        }
        let mut tallies = tallies.into_iter();
        let Some(mut total) = tallies.next() else { return Ok(Self::default()) };
        let mut rest = tallies.peekable();
        if rest.peek().is_none() {
            return Ok(total);
        }
        // The piece in which each entry was seen first, and its place among those of the piece.
        let mut firsts: Vec<u64> = total.firsts().collect();
        for tally in rest {
            for (entry, first) in tally.entries.iter().zip(tally.firsts()) {
                let bytes = tally.text(entry).as_bytes();
                let Entry { low, high, length, .. } = *entry;
                let factors = HASHES.factors;
                let hash = folded(low ^ factors.0, high ^ factors.1);
                let key = Key { low, high, length, hash };
                match total.place(&key, bytes) {
                    Ok(at) => {
                        total.entries[at].count += entry.count;
                        firsts[at] = firsts[at].min(first);
                    }
                    Err(slot) => {
                        total.insert(slot, key, bytes, entry.count)?;
                        firsts.push(first);
                    }
                }
            }
        }
        let mut order: Vec<(u64, u32)> = firsts.into_iter().zip(0..).collect();
        order.sort_unstable();
        total.entries =
            order.into_iter().map(|(_, number)| total.entries[number as usize]).collect();
        total.slots.clear();
        Ok(total)
    }

    /// For each entry the piece that it was first seen in, and its place among those of the piece.
    fn firsts(&self) -> impl Iterator<Item = u64> {
        let stops = self.pieces.iter().skip(1).map(|(_, start)| *start);
        let stops = stops.chain(std::iter::once(self.entries.len() as u32));
        self.pieces.iter().zip(stops).flat_map(|((piece, start), stop)| {
            (*start..stop).map(move |at| u64::from(*piece) << 32 | u64::from(at))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[(u32, &[&str])]) -> Tally {
        let mut tally = Tally::default();
        for (piece, texts) in pieces {
            tally.begin_piece(*piece);
            for text in *texts {
                tally.add(text.as_bytes(), text.len()).unwrap();
            }
        }
        tally
    }

    #[test]
    fn texts_of_all_lengths_are_told_apart() {
        let mut tally = Tally::default();
        tally.begin_piece(0);
        let mut texts: Vec<String> = (0..40).map(|length| "a".repeat(length)).collect();
        texts.extend((0..40).map(|length| format!("{}\0", "a".repeat(length))));
        texts.extend((0..20_000).map(|number| number.to_string()));
        texts.extend((0..20_000).map(|number| format!("{number} is the number of this one")));
        texts.push("Köln".into());
        for time in 1..4u64 {
            for text in &texts {
                // What is behind the text does not matter.
                let longer = format!("{text}{}", "z".repeat(time as usize * 9));
                tally.add(longer.as_bytes(), text.len()).unwrap();
            }
            let expected: Vec<_> = texts.iter().map(|text| (text.as_str(), time)).collect();
            assert_eq!(tally.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn joined_tables_have_the_order_of_one() {
        let first = of(&[(0, &["b", "a"]), (3, &["e", "b", "f"])]);
        let second = of(&[(1, &["a", "c"]), (2, &["e", "d", "c"])]);
        let expected = [("b", 2), ("a", 2), ("c", 2), ("e", 2), ("d", 1), ("f", 1)];
        for tallies in [vec![first.clone(), second.clone()], vec![second.clone(), first.clone()]] {
            let joined = Tally::joined(tallies, 4).unwrap();
            assert_eq!(joined.iter().collect::<Vec<_>>(), expected);
        }
        assert!(Tally::joined(vec![first.clone()], 4).is_err());
        assert!(Tally::joined(vec![first.clone(), second.clone(), first], 4).is_err());
        assert!(Tally::joined(vec![second], 5).is_err());
        assert_eq!(Tally::joined(Vec::new(), 0).unwrap().iter().count(), 0);
    }
}
