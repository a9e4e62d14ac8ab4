//! Values inside of values, which a peer may nest as deep as it likes.

use std::cell::Cell;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Values within values are read up to this depth: each takes a part of the stack.
pub(crate) const MOST: usize = 200;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Counts a level for as long as it lives.
struct Level;

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

/// Reads what is inside of a value, unless that is too deep.
///
/// # Errors
/// Where it is, and what reading it gives.
pub(crate) fn inside<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let depth = DEPTH.get();
    if depth >= MOST {
        return Err(D::Error::custom(format!("values are nested more than {MOST} deep")));
    }
    DEPTH.set(depth + 1);
    let _level = Level;
    T::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use crate::encoded;
    use crate::plain::Plain;
    use crate::protocol::FromClient;
    use crate::scheduler::ToScheduler;
    use crate::transport::Parcel;

    /// What a number of bytes that say the same would be read as.
    fn read(level: &[u8], times: usize, end: &[u8]) -> Result<Vec<Plain>, encoded::MessageError> {
        let mut head = vec![1];
        (0..times).for_each(|_| head.extend(level));
        head.extend(end);
        encoded::read(Parcel::Encoded { head: head.into(), frames: Vec::new() })
    }

    #[test]
    fn values_are_read_to_some_depth_and_no_deeper() {
        let of = |plain: &Plain| postcard::to_allocvec(plain).unwrap();
        let list = of(&Plain::List(vec![Plain::None]));
        let (level, end) = list.split_at(list.len() - 1);
        let pair = of(&Plain::Map(vec![(Plain::None, Plain::None)]));
        let (into_key, _) = pair.split_at(pair.len() - 2);
        assert!(read(level, super::MOST, end).is_ok());
        assert!(read(level, super::MOST + 1, end).is_err());
        // That would take all of the stack.
        assert!(read(level, 10_000_000, end).is_err());
        assert!(read(into_key, 10_000_000, &[]).is_err());
        // What was refused leaves nothing behind.
        assert!(read(level, super::MOST, end).is_ok());
    }

    #[test]
    fn messages_to_be_kept_are_not_kept_within_others_for_ever() {
        let kept =
            FromClient::Keep { number: 1, message: Box::new(FromClient::Retain(Vec::new())) };
        let whole = postcard::to_allocvec(&ToScheduler::Client(kept)).unwrap();
        let inner = postcard::to_allocvec(&FromClient::Retain(Vec::new())).unwrap();
        let (outer, _) = whole.split_at(whole.len() - inner.len());
        // The first byte says that it is a client's.
        let mut head = vec![1, outer[0]];
        (0..1_000_000).for_each(|_| head.extend(&outer[1..]));
        head.extend(inner);
        let parcel = Parcel::Encoded { head: head.into(), frames: Vec::new() };
        assert!(encoded::read::<ToScheduler>(parcel).is_err());
    }
}
