//! Frames that are sent compressed, where it pays.
//!
//! A sample of a frame tells whether it compresses: numbers that look random do not, and most of the
//! cost would be lost on them.

use bytes::Bytes;
use lz4_flex::block::{compress_into, get_maximum_output_size};

use super::decoder::Owned;
use super::framing::Coding;
use super::{Address, Compression, TransportError};

/// A frame that is shorter costs more to look at than to send.
const SHORTEST: usize = 64 << 10;
/// A frame that is longer is beyond what the format was made for.
const LONGEST: usize = 1 << 30;
/// What is looked at: so many pieces of this size, evenly spread.
const PIECES: usize = 4;
const PIECE: usize = 4 << 10;
/// A sample must shrink to this share, in percent; a frame too, or it is sent as it is.
const SHARE: usize = 75;

/// Whether frames for that peer may be compressed.
pub(super) fn is_wanted(compression: Compression, peer: &Address) -> bool {
    match compression {
        Compression::Never => false,
        Compression::Remote => peer.host_and_port().is_some() && !peer.is_loopback(),
        Compression::Always => true,
    }
}

/// Whether it is worth trying with that frame.
pub(super) fn is_worth_it(frame: &[u8]) -> bool {
    if !(SHORTEST..=LONGEST).contains(&frame.len()) {
        return false;
    }
    let mut sample = Vec::with_capacity(PIECES * PIECE);
    for piece in 0..PIECES {
        let start = (frame.len() - PIECE) / (PIECES - 1) * piece;
        sample.extend_from_slice(frame.get(start..start + PIECE).unwrap_or_default());
    }
    let mut shrunk = vec![0; get_maximum_output_size(sample.len())];
    compress_into(&sample, &mut shrunk).is_ok_and(|length| length * 100 <= sample.len() * SHARE)
}

/// A frame as it is sent: its length and a block of LZ4, or as it is where that is not much shorter.
pub(super) fn compressed(frame: Bytes) -> (Coding, Bytes) {
    const LENGTH: usize = 8;
    let Some(mut target) = Owned::take(LENGTH + get_maximum_output_size(frame.len())) else {
        return (Coding::Plain, frame);
    };
    let Some((length, block)) = target.as_mut().split_first_chunk_mut::<LENGTH>() else {
        return (Coding::Plain, frame);
    };
    *length = (frame.len() as u64).to_le_bytes();
    match compress_into(&frame, block) {
        Ok(written) if written * 100 <= frame.len() * SHARE => {
            (Coding::Lz4, target.into_bytes().slice(..LENGTH + written))
        }
        _ => (Coding::Plain, frame),
    }
}

/// Frames as they are sent to a peer, compressed on a thread that may take its time.
pub(super) async fn prepare(
    frames: Vec<Bytes>,
    peer: &Address,
) -> Result<Vec<(Coding, Bytes)>, TransportError> {
    let work = move || {
        let one = |frame: Bytes| match is_worth_it(&frame) {
            true => compressed(frame),
            false => (Coding::Plain, frame),
        };
        frames.into_iter().map(one).collect()
    };
    // The work neither panics nor is cancelled, unless the runtime ends.
    let ended = |_| TransportError::Closed { address: peer.clone() };
    tokio::task::spawn_blocking(work).await.map_err(ended)
}

/// Whether any of the frames is long enough to be looked at.
pub(super) fn has_candidates(frames: &[Bytes]) -> bool {
    frames.iter().any(|frame| frame.len() >= SHORTEST)
}
