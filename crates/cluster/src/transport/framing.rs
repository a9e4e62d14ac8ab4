//! How parcels lie in a stream of bytes.
//!
//! ```text
//! u8   kind: 0 parcel, 1 keepalive, 2 end
//! u24  number of frames          } little endian; zero
//! u32  length of the head        } for all but parcels
//! u64  for each frame: its length on the wire, in the low 56 bits; how it is written, in the high 8
//! head, frames
//! ```

/// The bytes before the lengths of frames.
pub(super) const PREFIX: usize = 8;
/// The bytes of the length of a frame.
pub(super) const DESCRIPTOR: usize = 8;
/// The most frames that the prefix can say.
pub(super) const MOST_FRAMES: usize = (1 << 24) - 1;
/// The longest frame that a descriptor can say.
pub(super) const LONGEST_FRAME: u64 = (1 << 56) - 1;

/// What a prefix announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// A parcel.
    Parcel { frames: usize, head: usize },
    /// Nothing: the peer is there.
    Keepalive,
    /// The peer will send nothing more.
    End,
}

impl Prefix {
    /// The prefix as bytes. Numbers that do not fit were refused before.
    pub(super) fn encode(self) -> [u8; PREFIX] {
        let (kind, frames, head) = match self {
            Self::Parcel { frames, head } => (0, frames as u32, head as u32),
            Self::Keepalive => (1, 0, 0),
            Self::End => (2, 0, 0),
        };
        let [low, middle, high, _] = frames.to_le_bytes();
        let [a, b, c, d] = head.to_le_bytes();
        [kind, low, middle, high, a, b, c, d]
    }

    /// Reads a prefix; what is wrong with it otherwise.
    pub(super) fn decode(bytes: [u8; PREFIX]) -> Result<Self, &'static str> {
        let [kind, low, middle, high, a, b, c, d] = bytes;
        let frames = u32::from_le_bytes([low, middle, high, 0]) as usize;
        let head = u32::from_le_bytes([a, b, c, d]) as usize;
        match kind {
            0 => Ok(Self::Parcel { frames, head }),
            1 | 2 if frames != 0 || head != 0 => Err("a keepalive or an end has a body"),
            1 => Ok(Self::Keepalive),
            2 => Ok(Self::End),
            _ => Err("the kind of a message is unknown"),
        }
    }
}

/// How the bytes of a frame are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As they are.
    Plain,
    /// Their number as `u64`, then a block of LZ4.
    Lz4,
}

/// The length of a frame on the wire, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) coding: Coding,
    pub(super) length: u64,
}

impl Descriptor {
    pub(super) fn encode(self) -> [u8; DESCRIPTOR] {
        let coding = match self.coding {
            Coding::Plain => 0,
            Coding::Lz4 => 1_u64,
        };
        (self.length & LONGEST_FRAME | coding << 56).to_le_bytes()
    }

    pub(super) fn decode(bytes: [u8; DESCRIPTOR]) -> Result<Self, &'static str> {
        let word = u64::from_le_bytes(bytes);
        let coding = match word >> 56 {
            0 => Coding::Plain,
            1 => Coding::Lz4,
            _ => return Err("a frame is written in an unknown way"),
        };
        Ok(Self { coding, length: word & LONGEST_FRAME })
    }
}
