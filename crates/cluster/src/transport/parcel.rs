//! What a connection carries.

use std::any::Any;
use std::fmt;

use bytes::Bytes;

/// One unit of sending: it arrives whole or not at all, in the order of sending.
pub enum Parcel {
    /// Bytes, which can go anywhere. Frames that are long arrive each in a buffer of its own, which
    /// begins at a multiple of 64 bytes.
    Encoded {
        /// What the frames are, as their owner encodes it.
        head: Bytes,
        /// Data that is not copied.
        frames: Vec<Bytes>,
    },
    /// A value for a peer of this process.
    Local(Box<dyn Any + Send>),
}

impl Parcel {
    /// A parcel without frames.
    pub fn head(head: impl Into<Bytes>) -> Self {
        Self::Encoded { head: head.into(), frames: Vec::new() }
    }

    /// The bytes of head and frames; zero for a value of this process.
    pub fn nbytes(&self) -> usize {
        match self {
            Self::Encoded { head, frames } => {
                frames.iter().fold(head.len(), |sum, frame| sum.saturating_add(frame.len()))
            }
            Self::Local(_) => 0,
        }
    }

    /// What it counts for while it is on its way: what holds it costs something too.
    pub(super) fn cost(&self) -> usize {
        const EMPTY: usize = 64;
        const VALUE: usize = 4096;
        match self {
            Self::Encoded { .. } => self.nbytes().saturating_add(EMPTY),
            Self::Local(_) => VALUE,
        }
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoded { head, frames } => formatter
                .debug_struct("Encoded")
                .field("head", &head.len())
                .field("frames", &frames.iter().map(Bytes::len).collect::<Vec<_>>())
                .finish(),
            Self::Local(_) => formatter.write_str("Local"),
        }
    }
}
