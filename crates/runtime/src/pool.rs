//! Memory that is warm: large blocks that were used before, kept for the next one of their size.
//!
//! Memory that comes fresh from the system costs a page fault for each page, which takes longer
//! than writing to it. Blocks that are given up are kept up to a bound: a share of the smallest
//! memory limit of the runs in progress. A run that has too little memory has most of them given
//! back to the system, and so has an allocation that fails.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;

use crate::sync::{Mutex, PerProcess};

/// Blocks begin at a multiple of this, so that vectors of any width load from them at once.
pub const ALIGNMENT: usize = 64;
/// From this size on a block is rounded up to a size class and kept for reuse. It then begins at a
/// multiple of [`PAGE`].
pub const POOLED_FROM: usize = 1 << 18;
/// The least page that a processor has.
pub const PAGE: usize = 4 << 10;

const HUGE_PAGE: usize = 2 << 20;
/// What is kept at most, whatever the memory limit is: it is lost to other processes.
const MOST_KEPT: usize = 768 << 20;
/// The share of a memory limit that is kept.
const SHARE: u64 = 8;
/// A block takes at most this share of all that is kept, so that a result and the one that takes its
/// place can both be.
const BLOCKS: usize = 2;
/// What stays of it where memory is short.
const SHORT: usize = 4;
/// What is kept before the first run.
const KEPT_BEFORE: usize = 192 << 20;
/// The share of a block that may be lost to one that is smaller.
const LOSS: usize = 8;

/// A block of memory, which returns to the pool when it is dropped.
#[derive(Debug)]
pub struct Block {
    start: NonNull<u8>,
    capacity: usize,
    zeroed: bool,
}

// SAFETY: a block is plain bytes that it alone owns.
unsafe impl Send for Block {}
// SAFETY: nothing can be done to the bytes through a shared reference to the block.
unsafe impl Sync for Block {}

impl Block {
    /// A block of at least so many bytes, which are zero or old data; `None` where there is no
    /// memory.
    pub fn take(bytes: usize) -> Option<Self> {
        let capacity = capacity_for(bytes)?;
        if capacity < POOLED_FROM {
            let layout = Layout::from_size_align(capacity, ALIGNMENT).ok()?;
            // SAFETY: the capacity is never zero.
            let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
            return Some(Self { start, capacity, zeroed: true });
        }
        if let Some(warm) = POOL.get().lock().take(capacity) {
            return Some(warm);
        }
        let start = match fresh(capacity) {
            Some(start) => start,
            None => {
                trim(0);
                fresh(capacity)?
            }
        };
        Some(Self { start, capacity, zeroed: true })
    }

    /// The first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The number of bytes, all of which can be read and written.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether all bytes are known to be zero.
    pub fn is_zeroed(&self) -> bool {
        self.zeroed
    }

    /// The block as its address and its capacity; [`from_raw`](Self::from_raw) is the way back.
    pub fn into_raw(self) -> (NonNull<u8>, usize) {
        let raw = (self.start, self.capacity);
        std::mem::forget(self);
        raw
    }

    /// A block that [`into_raw`](Self::into_raw) gave.
    ///
    /// # Safety
    /// It is given back once, and nobody uses it any more.
    pub unsafe fn from_raw(start: NonNull<u8>, capacity: usize) -> Self {
        Self { start, capacity, zeroed: false }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let block = Self { start: self.start, capacity: self.capacity, zeroed: false };
        if self.capacity < POOLED_FROM {
            return block.give_back();
        }
        let refused = POOL.get().lock().put(block);
        refused.into_iter().for_each(Self::give_back);
    }
}

impl Block {
    /// Returns the memory to the system.
    fn give_back(self) {
        let (start, capacity) = self.into_raw();
        if capacity >= POOLED_FROM {
            // SAFETY: `fresh` left a mapping of exactly this range, which nobody uses any more.
            unsafe { libc::munmap(start.as_ptr().cast(), mapped_bytes(capacity)) };
        } else if let Ok(layout) = Layout::from_size_align(capacity, ALIGNMENT) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
}

/// The bytes to allocate: sizes that come close to one another share a class, with at most an
/// eighth lost. `None` where there cannot be so many.
fn capacity_for(bytes: usize) -> Option<usize> {
    if bytes < POOLED_FROM {
        return Some(bytes.max(1));
    }
    let step = (bytes.checked_next_power_of_two()? >> 4).max(PAGE);
    bytes.checked_next_multiple_of(step).filter(|capacity| *capacity <= isize::MAX as usize)
}

/// What is mapped for a block: whole huge pages, for one that is large enough to have any.
fn mapped_bytes(capacity: usize) -> usize {
    if capacity < HUGE_PAGE { capacity } else { capacity.next_multiple_of(HUGE_PAGE) }
}

/// Zeroed bytes from the system. Those of a huge page and more are mapped at a multiple of one, so
/// that the system can back them with such pages.
fn fresh(capacity: usize) -> Option<NonNull<u8>> {
    let bytes = mapped_bytes(capacity);
    let spare = if capacity < HUGE_PAGE { 0 } else { HUGE_PAGE };
    let whole = bytes.checked_add(spare)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new private mapping touches no memory that is in use.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), whole, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return None;
    }
    if spare == 0 {
        return NonNull::new(mapped.cast());
    }
    let before = (mapped as usize).next_multiple_of(HUGE_PAGE) - mapped as usize;
    let start = mapped.wrapping_byte_add(before);
    let after = spare - before;
    // SAFETY: both ranges are parts of the new mapping that nobody uses. Advice changes no
    // content, and that it may be refused does not matter.
    unsafe {
        if before > 0 {
            libc::munmap(mapped, before);
        }
        if after > 0 {
            libc::munmap(start.wrapping_byte_add(bytes), after);
        }
        #[cfg(target_os = "linux")]
        libc::madvise(start, bytes, libc::MADV_HUGEPAGE);
    }
    NonNull::new(start.cast())
}

/// Blocks that wait for their next use. A forked process starts with none: those of its parent
/// are not warm to it, since the first write to a page copies it.
static POOL: PerProcess<Mutex<Pool>> = PerProcess::new();

/// The blocks by capacity, each list with the oldest in front, and their ages.
#[derive(Default)]
struct Pool {
    waiting: BTreeMap<usize, VecDeque<(u64, Block)>>,
    bytes: usize,
    puts: u64,
    /// What may be kept for each run in progress, and for the last one that began.
    bounds: Vec<usize>,
    last: Option<usize>,
}

impl Pool {
    /// The youngest block of the least class that fits and is not much larger.
    fn take(&mut self, capacity: usize) -> Option<Block> {
        let fitting = capacity..=capacity + capacity / LOSS;
        let (_, list) = self.waiting.range_mut(fitting).find(|(_, list)| !list.is_empty())?;
        let (_, block) = list.pop_back()?;
        self.bytes -= block.capacity;
        Some(block)
    }

    fn bound(&self) -> usize {
        self.bounds.iter().min().copied().or(self.last).unwrap_or(KEPT_BEFORE)
    }

    /// Keeps a block; gives those that have to go for it, or the block itself.
    fn put(&mut self, block: Block) -> Vec<Block> {
        let bound = self.bound();
        if block.capacity > bound / BLOCKS {
            return vec![block];
        }
        self.bytes += block.capacity;
        self.puts += 1;
        self.waiting.entry(block.capacity).or_default().push_back((self.puts, block));
        self.shrink(bound)
    }

    /// Takes out the oldest blocks until no more than `bytes` are kept.
    fn shrink(&mut self, bytes: usize) -> Vec<Block> {
        let mut gone = Vec::new();
        while self.bytes > bytes {
            let lists = self
                .waiting
                .iter()
                .filter_map(|(capacity, list)| list.front().map(|(age, _)| (*age, *capacity)));
            let Some((_, capacity)) = lists.min() else { break };
            let Some(list) = self.waiting.get_mut(&capacity) else { break };
            if let Some((_, block)) = list.pop_front() {
                self.bytes -= block.capacity;
                gone.push(block);
            }
            if list.is_empty() {
                self.waiting.remove(&capacity);
            }
        }
        gone
    }
}

/// Gives memory back to the system until no more than `bytes` are kept.
pub fn trim(bytes: usize) {
    let gone = POOL.get().lock().shrink(bytes);
    gone.into_iter().for_each(Block::give_back);
}

/// How many bytes are kept now.
pub fn kept_bytes() -> usize {
    POOL.get().lock().bytes
}

/// A run's part in the bound of what is kept, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Bound(usize);

impl Bound {
    /// That of a run with this memory limit.
    pub(crate) fn of_run(limit: u64) -> Self {
        let share = usize::try_from(limit / SHARE).unwrap_or(usize::MAX);
        let bound = share.min(MOST_KEPT);
        let gone = {
            let mut pool = POOL.get().lock();
            pool.bounds.push(bound);
            pool.last = Some(bound);
            pool.shrink(bound)
        };
        gone.into_iter().for_each(Block::give_back);
        Self(bound)
    }

    /// Gives most of what is kept back: the run has too little memory.
    pub(crate) fn relieve(&self) {
        trim(self.0 / SHORT);
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let mut pool = POOL.get().lock();
        if let Some(place) = pool.bounds.iter().position(|bound| *bound == self.0) {
            pool.bounds.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, for all use the pool of the process.
    #[test]
    fn blocks_are_used_again_up_to_the_bound() {
        let bound = Bound::of_run(8 << 30);
        let size = 8 << 20;
        let mut block = Block::take(size - 5).unwrap();
        assert_eq!(block.start().as_ptr() as usize % HUGE_PAGE, 0);
        assert!(block.is_zeroed() && block.capacity() >= size - 5);
        // SAFETY: all bytes of a block can be written.
        unsafe { block.start().as_ptr().write_bytes(7, block.capacity()) };
        let place = block.start();
        drop(block);
        assert!(kept_bytes() >= size);
        block = Block::take(size - 9).unwrap();
        assert_eq!(block.start(), place);
        assert!(!block.is_zeroed());
        let another = Block::take(size).unwrap();
        assert_ne!(another.start(), place);

        // A run with a small limit has less kept, and large blocks not at all.
        let small = Bound::of_run(64 << 20);
        drop((block, another));
        assert!(kept_bytes() <= 8 << 20);
        let many: Vec<Block> = (0..40).map(|_| Block::take(1 << 20).unwrap()).collect();
        assert!(many.iter().all(|block| (block.start().as_ptr() as usize).is_multiple_of(PAGE)));
        drop(many);
        assert!((1 << 20..=8 << 20).contains(&kept_bytes()), "{}", kept_bytes());
        small.relieve();
        assert!(kept_bytes() <= 2 << 20);
        drop(small);
        drop(bound);
        trim(0);
        assert_eq!(kept_bytes(), 0);
        assert!(
            Block::take(usize::MAX).is_none() && Block::take(isize::MAX as usize - 9).is_none()
        );
        let tiny = Block::take(0).unwrap();
        assert_eq!(tiny.start().as_ptr() as usize % ALIGNMENT, 0);
    }
}
