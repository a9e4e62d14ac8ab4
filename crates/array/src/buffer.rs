//! The memory behind chunks: allocated here, or lent by somebody else.
//!
//! Large buffers that are dropped are kept for the next one of their size, up to a bound: memory
//! that comes fresh from the system costs a page fault for each page, which takes longer than
//! writing to it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::any::Any;
use std::ptr::NonNull;

use parking_lot::Mutex;

use crate::error::ArrayError;

/// Buffers begin at a multiple of this, so that vectors of any width load from them at once.
const ALIGNMENT: usize = 64;
/// From this size on a buffer is rounded up to a size class and kept for reuse.
const POOLED_FROM: usize = 1 << 18;
/// How many bytes are kept at most.
const POOL_BYTES: usize = 192 << 20;
/// Buffers over this size are not kept: few of them would fill the pool.
const POOLED_UP_TO: usize = 64 << 20;

/// Bytes that chunks are views of.
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    owner: Owner,
}

enum Owner {
    /// Allocated here, with this many bytes in all.
    Here(usize),
    /// Lent; the memory lives as long as this. Pages of a mapped file can be read again.
    Lent { _keeper: Box<dyn Any + Send + Sync>, file: bool },
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
        let capacity = capacity_for(len);
        let failed = ArrayError::OutOfMemory { bytes: len };
        if let Some(start) = POOL.lock().take(capacity) {
            return Ok(Self { start: start.0, len, owner: Owner::Here(capacity) });
        }
        let Some(start) = fresh(capacity) else { return Err(failed) };
        Ok(Self { start, len, owner: Owner::Here(capacity) })
    }

    /// Memory of somebody else, who keeps it for as long as `keeper` lives.
    ///
    /// # Safety
    /// The range is valid for reads of initialized bytes until `keeper` is dropped.
    pub unsafe fn lent(start: *const u8, len: usize, keeper: Box<dyn Any + Send + Sync>) -> Self {
        let start = NonNull::new(start.cast_mut()).unwrap_or(NonNull::dangling());
        Self { start, len, owner: Owner::Lent { _keeper: keeper, file: false } }
    }

    /// As [`lent`](Self::lent), for memory that is a file, mapped shared or never written to.
    ///
    /// # Safety
    /// As for [`lent`](Self::lent); and what is in memory of the file can be dropped at any time and
    /// read from the file again, with the same content.
    pub unsafe fn mapped(start: *const u8, len: usize, keeper: Box<dyn Any + Send + Sync>) -> Self {
        let start = NonNull::new(start.cast_mut()).unwrap_or(NonNull::dangling());
        Self { start, len, owner: Owner::Lent { _keeper: keeper, file: true } }
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
            Owner::Here(_) => self.len,
            Owner::Lent { .. } => 0,
        }
    }

    /// The bytes, to write them before the buffer is shared.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the buffer is borrowed alone, and its bytes were zeroed or come zeroed from the
        // system.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Owner::Here(capacity) = self.owner else { return };
        if POOL.lock().put(capacity, Start(self.start)) {
            return;
        }
        // SAFETY: it came from `fresh` with this capacity, and nobody else has it.
        unsafe { give_back(self.start, capacity) };
    }
}

const HUGE_PAGE: usize = 2 << 20;
/// The least page that a processor has; a range of larger ones is refused, which does no harm.
const PAGE: usize = 4 << 10;

/// Zeroed bytes from the system. Those of a huge page and more are mapped, at a multiple of one, so
/// that the system can back them with such pages.
fn fresh(capacity: usize) -> Option<NonNull<u8>> {
    if capacity < HUGE_PAGE {
        let layout = Layout::from_size_align(capacity, ALIGNMENT).ok()?;
        // SAFETY: the capacity is never zero.
        return NonNull::new(unsafe { alloc_zeroed(layout) });
    }
    let whole = capacity.checked_next_multiple_of(HUGE_PAGE)?.checked_add(HUGE_PAGE)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new private mapping touches no memory that is in use.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), whole, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return None;
    }
    let before = (mapped as usize).next_multiple_of(HUGE_PAGE) - mapped as usize;
    let start = mapped.wrapping_byte_add(before);
    let after = HUGE_PAGE - before;
    // SAFETY: both ranges are parts of the new mapping that nobody uses. Advice changes no
    // content, and that it may be refused does not matter.
    unsafe {
        if before > 0 {
            libc::munmap(mapped, before);
        }
        if after > 0 {
            libc::munmap(start.wrapping_byte_add(whole - before - after), after);
        }
        libc::madvise(start, whole - HUGE_PAGE, libc::MADV_HUGEPAGE);
    }
    NonNull::new(start.cast())
}

/// Gives back what [`fresh`] gave.
///
/// # Safety
/// `start` came from `fresh(capacity)` and is used by nobody any more.
unsafe fn give_back(start: NonNull<u8>, capacity: usize) {
    if capacity >= HUGE_PAGE {
        // SAFETY: `fresh` left a mapping of exactly this range.
        unsafe { libc::munmap(start.as_ptr().cast(), capacity.next_multiple_of(HUGE_PAGE)) };
    } else if let Ok(layout) = Layout::from_size_align(capacity, ALIGNMENT) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(start.as_ptr(), layout) };
    }
}

/// The bytes to allocate: sizes that come close to one another share a class, with at most an
/// eighth lost.
fn capacity_for(len: usize) -> usize {
    if len < POOLED_FROM {
        return len.max(1);
    }
    let step = (len.next_power_of_two() >> 4).max(4096);
    len.div_ceil(step).saturating_mul(step)
}

struct Start(NonNull<u8>);

// SAFETY: the pointer owns its memory.
unsafe impl Send for Start {}

/// Buffers that wait for their next use.
struct Pool {
    waiting: Vec<(usize, Start)>,
    bytes: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { waiting: Vec::new(), bytes: 0 });

impl Pool {
    fn take(&mut self, capacity: usize) -> Option<Start> {
        if capacity < POOLED_FROM {
            return None;
        }
        let place = self.waiting.iter().rposition(|(size, _)| *size == capacity)?;
        self.bytes -= capacity;
        Some(self.waiting.swap_remove(place).1)
    }

    /// Keeps a buffer; false where it is to be given back.
    fn put(&mut self, capacity: usize, start: Start) -> bool {
        if !(POOLED_FROM..=POOLED_UP_TO).contains(&capacity) {
            return false;
        }
        while self.bytes + capacity > POOL_BYTES {
            // The oldest ones are of sizes that nobody asks for any more.
            let (size, old) = self.waiting.remove(0);
            self.bytes -= size;
            // SAFETY: it came from `fresh` with this capacity, and only the pool has it.
            unsafe { give_back(old.0, size) };
        }
        self.bytes += capacity;
        self.waiting.push((capacity, start));
        true
    }
}
