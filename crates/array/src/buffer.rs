//! The memory behind chunks: allocated here, or lent by somebody else.

use std::any::Any;
use std::ptr::NonNull;

use samite_runtime::pool::{Block, PAGE};

use crate::error::ArrayError;

/// Bytes that chunks are views of.
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    owner: Owner,
}

enum Owner {
    /// Allocated here.
    Here { _block: Block },
    /// Lent; the memory lives as long as this. Pages of a mapped file can be read again.
    /// `held` bytes go when the keeper does.
    Lent { keeper: Box<dyn Any + Send + Sync>, file: bool, held: usize },
    /// Allocated elsewhere, and nobody else's.
    Given { _keeper: Box<dyn Any + Send + Sync> },
}

// SAFETY: a buffer is plain bytes. They are written through `&mut` only, or by their lender, who
// has promised not to.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer whose bytes are zero or old data.
    ///
    /// # Errors
    /// [`ArrayError::OutOfMemory`].
    pub fn allocate(len: usize) -> Result<Self, ArrayError> {
        let Some(block) = Block::take(len) else {
            return Err(ArrayError::OutOfMemory { bytes: len });
        };
        Ok(Self { start: block.start(), len, owner: Owner::Here { _block: block } })
    }

    /// Memory of somebody else, who keeps it for as long as `keeper` lives.
    ///
    /// # Safety
    /// The range is valid for reads of initialized bytes until `keeper` is dropped.
    pub unsafe fn lent(start: *const u8, len: usize, keeper: Box<dyn Any + Send + Sync>) -> Self {
        let start = NonNull::new(start.cast_mut()).unwrap_or(NonNull::dangling());
        Self { start, len, owner: Owner::Lent { keeper, file: false, held: 0 } }
    }

    /// As [`lent`](Self::lent), for memory that is given back when the keeper goes: it counts as
    /// memory of the buffer, though it may be seen by others.
    ///
    /// # Safety
    /// As for [`lent`](Self::lent).
    pub unsafe fn handed_over(
        start: *const u8,
        len: usize,
        keeper: Box<dyn Any + Send + Sync>,
    ) -> Self {
        let start = NonNull::new(start.cast_mut()).unwrap_or(NonNull::dangling());
        Self { start, len, owner: Owner::Lent { keeper, file: false, held: len } }
    }

    /// Memory that was allocated elsewhere and is nobody else's any more: as if it had been
    /// allocated here.
    ///
    /// # Safety
    /// The range is valid for reads and writes of initialized bytes until `keeper` is dropped, and
    /// nobody else reads or writes it.
    pub unsafe fn given(start: *mut u8, len: usize, keeper: Box<dyn Any + Send + Sync>) -> Self {
        let start = NonNull::new(start).unwrap_or(NonNull::dangling());
        Self { start, len, owner: Owner::Given { _keeper: keeper } }
    }

    /// As [`lent`](Self::lent), for memory that is a file, mapped shared or never written to.
    ///
    /// # Safety
    /// As for [`lent`](Self::lent); and what is in memory of the file can be dropped at any time and
    /// read from the file again, with the same content.
    pub unsafe fn mapped(start: *const u8, len: usize, keeper: Box<dyn Any + Send + Sync>) -> Self {
        let start = NonNull::new(start.cast_mut()).unwrap_or(NonNull::dangling());
        Self { start, len, owner: Owner::Lent { keeper, file: true, held: 0 } }
    }

    /// Whether the memory is a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(self.owner, Owner::Lent { file: true, .. })
    }

    /// Gives the whole pages between two addresses of a mapped file back to the system, which reads
    /// them again if they are wanted again. Does nothing for other memory.
    ///
    /// Both addresses have to be inside the memory or at its end.
    pub(crate) fn release(&self, from: *const u8, to: *const u8) {
        if !self.is_mapped() {
            return;
        }
        let begin = (from as usize).next_multiple_of(PAGE);
        let end = to as usize / PAGE * PAGE;
        if begin < end {
            let start = from.wrapping_add(begin - from as usize).cast_mut();
            // SAFETY: the range lies within the mapping of a file that was promised to hold the
            // same content when it is read again, so that nobody can tell the difference.
            unsafe { libc::madvise(start.cast(), end - begin, libc::MADV_DONTNEED) };
        }
    }

    /// The first byte.
    pub fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes that are given back when the buffer goes.
    pub fn owned_bytes(&self) -> usize {
        match self.owner {
            Owner::Here { .. } | Owner::Given { .. } => self.len,
            Owner::Lent { .. } => 0,
        }
    }

    /// The bytes that there are more of in memory because of this buffer.
    pub fn held_bytes(&self) -> usize {
        match self.owner {
            Owner::Here { .. } | Owner::Given { .. } => self.len,
            Owner::Lent { held, .. } => held,
        }
    }

    /// What keeps memory of somebody else.
    pub fn keeper(&self) -> Option<&(dyn Any + Send + Sync)> {
        match &self.owner {
            Owner::Here { .. } | Owner::Given { .. } => None,
            Owner::Lent { keeper, .. } => Some(&**keeper),
        }
    }

    /// The bytes, to write them before the buffer is shared.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the buffer is borrowed alone, and its bytes were zeroed or come zeroed from the
        // system.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}
