//! Reads parcels from a stream of bytes, as a machine without input or output.
//!
//! What is short is collected in a buffer; a long part is read straight into the memory in which it
//! stays. Nothing is lost when reading is interrupted between two reads.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};
use samite_runtime::pool::Block;

use super::framing::{Coding, DESCRIPTOR, Descriptor, PREFIX, Prefix};
use super::{Address, Limits, TransportError};

/// A part that is longer has memory of its own, and the buffer in which shorter ones are collected
/// has this size: a scheduler has one for each of its workers. Shorter frames are copied out of the buffer, since
/// whoever keeps one would keep all of the buffer.
const LONG: usize = 16 << 10;

/// What has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A parcel.
    Parcel {
        /// Its head.
        head: Bytes,
        /// Its frames.
        frames: Vec<Bytes>,
    },
    /// The peer will send nothing more.
    End,
    /// More bytes are needed: read some into [`Decoder::target`].
    More,
}

/// Where the next bytes belong.
pub(super) enum Target<'a> {
    /// At the end of the buffer, as many as there is room for.
    Buffer(&'a mut BytesMut),
    /// Into this memory, all of which is missing. What is written is told to [`Decoder::filled`].
    Block(&'a mut [u8]),
}

/// Reads what one peer sends.
#[derive(Debug)]
pub(super) struct Decoder {
    peer: Address,
    limits: Limits,
    buffer: BytesMut,
    part: Part,
}

/// What is being read.
#[derive(Debug)]
enum Part {
    Prefix,
    Descriptors { frames: usize, head: usize },
    Body(Body),
}

/// A parcel in the making: its head is part zero, and frames follow.
#[derive(Debug)]
struct Body {
    descriptors: Vec<Descriptor>,
    /// The length of the head, then the index of the frame that is next.
    next: Option<usize>,
    head_bytes: usize,
    head: Bytes,
    frames: Vec<Bytes>,
    long: Option<Filling>,
}

/// Memory for a long part, of which the front has been read.
#[derive(Debug)]
struct Filling {
    block: Owned,
    filled: usize,
}

/// The front of a block, as what it holds.
#[derive(Debug)]
pub(super) struct Owned {
    block: Block,
    length: usize,
}

impl Owned {
    pub(super) fn take(length: usize) -> Option<Self> {
        Some(Self { block: Block::take(length)?, length })
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: the block has at least `length` bytes, all of which can be read and written, and
        // it is borrowed for as long as the slice is.
        unsafe { std::slice::from_raw_parts_mut(self.block.start().as_ptr(), self.length) }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the block has at least `length` bytes, all of which can be read; nobody writes to
        // them through a shared reference.
        unsafe { std::slice::from_raw_parts(self.block.start().as_ptr(), self.length) }
    }
}

impl Decoder {
    pub(super) fn new(peer: Address, limits: Limits) -> Self {
        Self { peer, limits, buffer: BytesMut::new(), part: Part::Prefix }
    }

    /// Where the next bytes belong, after [`Step::More`].
    pub(super) fn target(&mut self) -> Target<'_> {
        let missing = self.missing().max(1);
        match &mut self.part {
            Part::Body(Body { long: Some(filling), .. }) => {
                let filled = filling.filled;
                Target::Block(filling.block.as_mut().get_mut(filled..).unwrap_or_default())
            }
            _ => {
                self.buffer.reserve(missing);
                Target::Buffer(&mut self.buffer)
            }
        }
    }

    /// Tells that so many bytes were written to the front of [`Target::Block`].
    pub(super) fn filled(&mut self, bytes: usize) {
        if let Part::Body(Body { long: Some(filling), .. }) = &mut self.part {
            filling.filled = (filling.filled + bytes).min(filling.block.length);
        }
    }

    /// How much the buffer needs, so that there is a step to make; at least the usual size.
    fn missing(&self) -> usize {
        let need = match &self.part {
            Part::Prefix | Part::Body(_) => 0,
            Part::Descriptors { frames, .. } => frames * DESCRIPTOR,
        };
        need.saturating_sub(self.buffer.len()).max(LONG.saturating_sub(self.buffer.len()))
    }

    /// Goes on with what has been read.
    ///
    /// # Errors
    /// What breaks the protocol or a limit, after which nothing more can be read.
    pub(super) fn step(&mut self) -> Result<Step, TransportError> {
        loop {
            match &mut self.part {
                Part::Prefix => {
                    let Some(bytes) = self.buffer.first_chunk::<PREFIX>() else {
                        return Ok(Step::More);
                    };
                    let prefix = Prefix::decode(*bytes).map_err(|why| self.malformed(why))?;
                    self.buffer.advance(PREFIX);
                    match prefix {
                        Prefix::Keepalive => {}
                        Prefix::End => return Ok(Step::End),
                        Prefix::Parcel { frames, head } => {
                            self.check("a head", head as u64, self.limits.head_bytes as u64)?;
                            self.check("frames", frames as u64, self.limits.frames as u64)?;
                            self.part = Part::Descriptors { frames, head };
                        }
                    }
                }
                Part::Descriptors { frames, head } => {
                    let (frames, head) = (*frames, *head);
                    if self.buffer.len() < frames * DESCRIPTOR {
                        return Ok(Step::More);
                    }
                    let descriptors = self.descriptors(frames)?;
                    self.part = Part::Body(Body {
                        frames: Vec::with_capacity(descriptors.len()),
                        descriptors,
                        next: None,
                        head_bytes: head,
                        head: Bytes::new(),
                        long: None,
                    });
                }
                Part::Body(body) => {
                    if !body.go_on(&mut self.buffer, &self.peer, &self.limits)? {
                        return Ok(Step::More);
                    }
                    if body.frames.len() == body.descriptors.len() && body.next.is_some() {
                        let head = mem::take(&mut body.head);
                        let frames = mem::take(&mut body.frames);
                        self.part = Part::Prefix;
                        return Ok(Step::Parcel { head, frames });
                    }
                }
            }
        }
    }

    fn descriptors(&mut self, frames: usize) -> Result<Vec<Descriptor>, TransportError> {
        let mut descriptors = Vec::with_capacity(frames);
        let mut total = 0_u64;
        for _ in 0..frames {
            let Some(bytes) = self.buffer.first_chunk::<DESCRIPTOR>() else { break };
            let descriptor = Descriptor::decode(*bytes).map_err(|why| self.malformed(why))?;
            self.buffer.advance(DESCRIPTOR);
            self.check("a frame", descriptor.length, self.limits.frame_bytes)?;
            total = total.saturating_add(descriptor.length);
            descriptors.push(descriptor);
        }
        self.check("a parcel", total, self.limits.parcel_bytes)?;
        Ok(descriptors)
    }

    fn check(&self, what: &'static str, size: u64, limit: u64) -> Result<(), TransportError> {
        if size <= limit {
            return Ok(());
        }
        Err(TransportError::Limit { what, address: self.peer.clone(), size, limit })
    }

    fn malformed(&self, reason: &'static str) -> TransportError {
        TransportError::Malformed { address: self.peer.clone(), reason }
    }
}

impl Body {
    /// Reads the next part, if all of it is there.
    fn go_on(
        &mut self,
        buffer: &mut BytesMut,
        peer: &Address,
        limits: &Limits,
    ) -> Result<bool, TransportError> {
        if let Some(filling) = self.long.take_if(|filling| filling.filled == filling.block.length) {
            self.finish(filling.block.into_bytes(), peer, limits)?;
            return Ok(true);
        }
        if self.long.is_some() {
            return Ok(false);
        }
        let length = match self.next {
            None => self.head_bytes,
            Some(index) => match self.descriptors.get(index) {
                Some(descriptor) => descriptor.length as usize,
                None => return Ok(true),
            },
        };
        if buffer.len() >= length && length <= LONG {
            let part = buffer.split_to(length);
            let part = match self.next {
                None => part.freeze(),
                Some(_) => Bytes::copy_from_slice(&part),
            };
            self.finish(part, peer, limits)?;
            return Ok(true);
        }
        if length <= LONG {
            return Ok(false);
        }
        let size = length as u64;
        let memory = || TransportError::Memory { address: peer.clone(), size };
        let mut filling = Filling { block: Owned::take(length).ok_or_else(memory)?, filled: 0 };
        let there = buffer.split_to(length.min(buffer.len()));
        if let Some(front) = filling.block.as_mut().get_mut(..there.len()) {
            front.copy_from_slice(&there);
            filling.filled = there.len();
        }
        let complete = filling.filled == length;
        self.long = Some(filling);
        Ok(complete)
    }

    /// Keeps a part that is complete.
    fn finish(
        &mut self,
        part: Bytes,
        peer: &Address,
        limits: &Limits,
    ) -> Result<(), TransportError> {
        let Some(index) = self.next else {
            self.head = part;
            self.next = Some(0);
            return Ok(());
        };
        let coding = self.descriptors.get(index).map_or(Coding::Plain, |found| found.coding);
        self.frames.push(match coding {
            Coding::Plain => part,
            Coding::Lz4 => decompress(&part, peer, limits)?,
        });
        self.next = Some(index + 1);
        Ok(())
    }
}

/// What a compressed frame holds.
fn decompress(part: &[u8], peer: &Address, limits: &Limits) -> Result<Bytes, TransportError> {
    let malformed = |reason| TransportError::Malformed { address: peer.clone(), reason };
    let Some((length, block)) = part.split_first_chunk::<8>() else {
        return Err(malformed("a compressed frame has no length"));
    };
    let length = u64::from_le_bytes(*length);
    if length > limits.frame_bytes {
        return Err(TransportError::Limit {
            what: "a frame",
            address: peer.clone(),
            size: length,
            limit: limits.frame_bytes,
        });
    }
    let memory = || TransportError::Memory { address: peer.clone(), size: length };
    let mut owned =
        Owned::take(usize::try_from(length).map_err(|_| memory())?).ok_or_else(memory)?;
    match lz4_flex::block::decompress_into(block, owned.as_mut()) {
        Ok(written) if written as u64 == length => Ok(owned.into_bytes()),
        _ => Err(malformed("a compressed frame is broken")),
    }
}
