//! The names of results.
//!
//! A map of many calls names them alike, with numbers at the ends. So a name is kept as what stands
//! before its number, which many names share, and the number: 16 bytes, however long the text is.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a result.
#[derive(Clone)]
pub struct Key {
    /// What stands before the number. The pointer is thin, which halves the size of a name.
    base: Arc<Box<str>>,
    /// `NONE`, where the text does not end in a number.
    number: u64,
}

const NONE: u64 = u64::MAX;
/// Longer numbers are part of the text.
const DIGITS: usize = 18;

const _: () = assert!(size_of::<Option<Key>>() == 16);

/// The number at the end of a text, where it has one that stands apart and is written as numbers
/// are; and what stands before it. So each text is taken apart in one way only.
fn split(text: &str) -> (&str, u64) {
    let base = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let digits = &text[base.len()..];
    let apart = !base.ends_with(char::is_alphanumeric);
    let plain = !digits.starts_with('0') || digits.len() == 1;
    match digits.parse() {
        Ok(number) if apart && plain && digits.len() <= DIGITS => (base, number),
        _ => (text, NONE),
    }
}

impl Key {
    /// The name that is this text; what stands before its number is shared with the name before it,
    /// where that is the same.
    #[must_use]
    pub fn after(text: &str, before: Option<&Self>) -> Self {
        let mut shared = before.map(|key| key.base.clone());
        Self::shared(text, &mut shared)
    }

    fn shared(text: &str, shared: &mut Option<Arc<Box<str>>>) -> Self {
        let (base, number) = split(text);
        let base = match shared {
            Some(known) if ***known == *base => known.clone(),
            _ => shared.insert(Arc::new(base.into())).clone(),
        };
        Self { base, number }
    }

    /// What stands before the number at the end, and the number, if there is one.
    #[must_use]
    pub fn parts(&self) -> (&str, Option<u64>) {
        (&self.base, (self.number != NONE).then_some(self.number))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::shared(text, &mut None)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::from("")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (base, None) => formatter.write_str(base),
            (base, Some(number)) => write!(formatter, "{base}{number}"),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
            && (Arc::ptr_eq(&self.base, &other.base) || self.base == other.base)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.base.hash(state);
        self.number.hash(state);
    }
}

/// By the text before the number, and then by the number.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.base.cmp(&other.base).then(self.number.cmp(&other.number))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

thread_local! {
    /// What stands before the number of the name that was read last: the next one mostly shares it.
    static LAST: RefCell<Option<Arc<Box<str>>>> = const { RefCell::new(None) };
}

/// Names that are read from now on share nothing with those before.
pub(crate) fn forget_last() {
    LAST.with_borrow_mut(|last| *last = None);
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: &str = Deserialize::deserialize(deserializer)?;
        Ok(LAST.with_borrow_mut(|last| Self::shared(text, last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 22] = [
        "",
        "0",
        "7",
        "07",
        "a",
        "a-",
        "a-0",
        "a-00",
        "a-7",
        "a--7",
        "a-07",
        "a7",
        "a-7b",
        "é7",
        "é-7",
        "a-99999999999999999",
        "a-999999999999999999",
        "a-9999999999999999999",
        "a-18446744073709551615",
        "('x-1', 0, 1)",
        "('x-1', 0, 1",
        "sum-9f3a-12",
    ];

    #[test]
    fn names_are_their_texts() {
        for text in TEXTS {
            assert_eq!(Key::from(text).to_string(), text);
        }
        for one in TEXTS {
            for other in TEXTS {
                let (left, right) = (Key::from(one), Key::after(other, Some(&Key::from(one))));
                assert_eq!(left == right, one == other, "{one} {other}");
                assert_eq!(left.cmp(&right) == Ordering::Equal, one == other, "{one} {other}");
            }
        }
    }

    #[test]
    fn numbered_names_share_their_text() {
        let first = Key::from("a-1-0");
        let many: Vec<Key> =
            (0..100).map(|number| Key::after(&format!("a-1-{number}"), Some(&first))).collect();
        assert_eq!(many[0], first);
        assert!(many.iter().all(|key| Arc::ptr_eq(&key.base, &many[0].base)));
        let read: Vec<Key> = postcard::from_bytes(&postcard::to_allocvec(&many).unwrap()).unwrap();
        assert_eq!(read, many);
        assert!(read.iter().all(|key| Arc::ptr_eq(&key.base, &read[0].base)));
    }
}
