//! Values, operations and errors on their way: frames of bytes beside the messages.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::key::forget_last;
use crate::transport::Parcel;

/// A value, an operation or an error as bytes. What `kind` and the frames mean is the executor's
/// matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// How the frames are to be read.
    pub kind: u8,
    /// The head, then data that is not copied on its way.
    pub frames: Vec<Bytes>,
}

impl Encoded {
    /// The bytes of all frames.
    pub fn nbytes(&self) -> usize {
        self.frames.iter().map(Bytes::len).sum()
    }
}

/// Frames below this length travel inside the message.
const INLINE: usize = 1 << 12;

thread_local! {
    /// The frames beside the message that is being written or read.
    static BESIDE: RefCell<VecDeque<Bytes>> = const { RefCell::new(VecDeque::new()) };
}

#[derive(Serialize, Deserialize)]
enum Frame<'bytes> {
    Inline(#[serde(borrow)] &'bytes [u8]),
    Beside,
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let frames: Vec<Frame<'_>> = self
            .frames
            .iter()
            .map(|frame| {
                if frame.len() < INLINE {
                    return Frame::Inline(frame);
                }
                BESIDE.with_borrow_mut(|beside| beside.push_back(frame.clone()));
                Frame::Beside
            })
            .collect();
        (self.kind, frames).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, frames): (u8, Vec<Frame<'de>>) = Deserialize::deserialize(deserializer)?;
        let frames = frames
            .into_iter()
            .map(|frame| match frame {
                Frame::Inline(bytes) => Ok(Bytes::copy_from_slice(bytes)),
                Frame::Beside => BESIDE
                    .with_borrow_mut(VecDeque::pop_front)
                    .ok_or_else(|| serde::de::Error::custom("a frame of a message is missing")),
            })
            .collect::<Result<_, D::Error>>()?;
        Ok(Self { kind, frames })
    }
}

/// A message that cannot be written or read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a message that cannot be {doing}: {reason}")]
pub struct MessageError {
    doing: &'static str,
    reason: String,
}

/// Messages as a parcel of bytes.
///
/// # Errors
/// Where a message holds what stays in its process.
pub(crate) fn write<M: Serialize>(messages: &[M]) -> Result<Parcel, MessageError> {
    BESIDE.with_borrow_mut(VecDeque::clear);
    let head = postcard::to_allocvec(messages);
    let frames = BESIDE.with_borrow_mut(std::mem::take);
    match head {
        Ok(head) => Ok(Parcel::Encoded { head: head.into(), frames: frames.into() }),
        Err(failed) => Err(MessageError { doing: "written", reason: failed.to_string() }),
    }
}

/// Messages that become a parcel of bytes one after the other: none of them is kept as it was.
#[derive(Default)]
pub(crate) struct Writing {
    count: usize,
    bytes: Vec<u8>,
    frames: Vec<Bytes>,
}

impl Writing {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a message.
    ///
    /// # Errors
    /// Where it holds what stays in its process; then all is lost that was added.
    pub(crate) fn push<M: Serialize>(&mut self, message: &M) -> Result<(), MessageError> {
        BESIDE.with_borrow_mut(VecDeque::clear);
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            // Room for the number of messages.
            bytes.resize(LENGTH, 0);
        }
        let written = postcard::to_extend(message, bytes);
        let frames = BESIDE.with_borrow_mut(std::mem::take);
        match written {
            Ok(bytes) => {
                self.bytes = bytes;
                self.frames.extend(frames);
                self.count += 1;
                Ok(())
            }
            Err(failed) => Err(MessageError { doing: "written", reason: failed.to_string() }),
        }
    }

    /// All that was added, as [`write`] has it.
    ///
    /// # Errors
    /// Never, as long as numbers can be written.
    pub(crate) fn take(&mut self) -> Result<Parcel, MessageError> {
        let Self { count, mut bytes, frames } = std::mem::take(self);
        let wrong = |reason: String| MessageError { doing: "written", reason };
        let mut number = [0; LENGTH];
        let number =
            postcard::to_slice(&count, &mut number).map_err(|failed| wrong(failed.to_string()))?;
        if bytes.is_empty() {
            bytes.resize(LENGTH, 0);
        }
        // The number of messages stands before them, right in front of the first one.
        let begin = LENGTH - number.len();
        bytes[begin..LENGTH].copy_from_slice(number);
        Ok(Parcel::Encoded { head: Bytes::from(bytes).slice(begin..), frames })
    }
}

/// The most bytes of a number.
const LENGTH: usize = 10;

/// The messages of a parcel.
///
/// # Errors
/// Where the bytes are no messages.
pub(crate) fn read<M: DeserializeOwned + 'static>(parcel: Parcel) -> Result<Vec<M>, MessageError> {
    let wrong = |reason: String| MessageError { doing: "read", reason };
    match parcel {
        Parcel::Local(messages) => messages
            .downcast::<Vec<M>>()
            .map(|messages| *messages)
            .map_err(|_other| wrong("it is of another kind".to_owned())),
        Parcel::Encoded { head, frames } => {
            BESIDE.with_borrow_mut(|beside| *beside = frames.into());
            let messages = postcard::from_bytes(&head).map_err(|failed| wrong(failed.to_string()));
            forget_last();
            let left = BESIDE.with_borrow_mut(std::mem::take);
            match messages {
                Ok(_) if !left.is_empty() => Err(wrong("it has too many frames".to_owned())),
                other => other,
            }
        }
    }
}

/// Messages as one piece of bytes, frames included: for files.
///
/// # Errors
/// As [`write`], and where a frame is longer than 4 GiB.
pub(crate) fn to_record<M: Serialize>(messages: &[M]) -> Result<Vec<u8>, MessageError> {
    let Parcel::Encoded { head, frames } = write(messages)? else {
        return Err(MessageError { doing: "written", reason: "it has no bytes".to_owned() });
    };
    let sizes = std::iter::once(&head).chain(&frames).map(Bytes::len);
    let mut record = Vec::with_capacity(sizes.map(|size| size + 4).sum::<usize>() + 4);
    for piece in std::iter::once(&head).chain(&frames) {
        let size = u32::try_from(piece.len())
            .map_err(|wrong| MessageError { doing: "written", reason: wrong.to_string() })?;
        record.extend_from_slice(&size.to_le_bytes());
        record.extend_from_slice(piece);
    }
    Ok(record)
}

/// The messages of a [record](to_record).
///
/// # Errors
/// Where the bytes are no messages.
pub(crate) fn from_record<M: DeserializeOwned + 'static>(
    mut record: Bytes,
) -> Result<Vec<M>, MessageError> {
    let mut pieces = VecDeque::new();
    while let Some(size) = record.first_chunk::<4>() {
        let size = u32::from_le_bytes(*size) as usize;
        if record.len() - 4 < size {
            break;
        }
        _ = record.split_to(4);
        pieces.push_back(record.split_to(size));
    }
    match pieces.pop_front() {
        Some(head) if record.is_empty() => {
            read(Parcel::Encoded { head, frames: pieces.into_iter().collect() })
        }
        _ => Err(MessageError { doing: "read", reason: "it is cut short".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_written_one_by_one_are_those_written_at_once() {
        let short = Encoded { kind: 3, frames: vec![Bytes::from_static(b"short")] };
        let long = Encoded { kind: 4, frames: vec![vec![5; 2 * INLINE].into(), Bytes::new()] };
        for count in [0, 1, 2, 300] {
            let messages: Vec<Encoded> =
                [&short, &long].into_iter().cycle().take(count).cloned().collect();
            let mut writing = Writing::default();
            messages.iter().for_each(|message| writing.push(message).unwrap());
            assert_eq!(writing.is_empty(), count == 0);
            let Parcel::Encoded { head, frames } = writing.take().unwrap() else { unreachable!() };
            let Parcel::Encoded { head: other, frames: others } = write(&messages).unwrap() else {
                unreachable!()
            };
            assert_eq!((&head, &frames), (&other, &others));
            assert!(writing.is_empty());
            assert_eq!(read::<Encoded>(Parcel::Encoded { head, frames }).unwrap(), messages);
        }
    }

    #[test]
    fn records_come_back_whole_and_nothing_else_is_one() {
        let short = Encoded { kind: 3, frames: vec![Bytes::from_static(b"short")] };
        let long = Encoded { kind: 4, frames: vec![vec![5; 2 * INLINE].into(), Bytes::new()] };
        let messages = vec![short, long.clone(), long];
        let record = to_record(&messages).unwrap();
        assert_eq!(from_record::<Encoded>(record.clone().into()).unwrap(), messages);
        for end in 0..record.len() {
            let cut = Bytes::copy_from_slice(&record[..end]);
            assert!(from_record::<Encoded>(cut).is_err(), "{end}");
        }
    }
}
