//! Values, operations and errors on their way: frames of bytes beside the messages.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
            let left = BESIDE.with_borrow_mut(std::mem::take);
            match messages {
                Ok(_) if !left.is_empty() => Err(wrong("it has too many frames".to_owned())),
                other => other,
            }
        }
    }
}
