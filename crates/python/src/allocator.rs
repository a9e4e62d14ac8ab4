//! The memory of all that is Rust in the process.

use std::sync::atomic::{AtomicUsize, Ordering};

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The number of mimalloc's option that says how long memory which nobody uses is kept for whoever
/// wants some next, in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Usually it goes back at once: what is kept counts against nobody's budget.
const USUALLY: i64 = 0;
/// Pages that the kernel takes back have to be cleared when they are wanted again, which operators
/// on streams of batches notice.
const WHILE_STREAMING: i64 = 5_000;

static STREAMS: AtomicUsize = AtomicUsize::new(0);

/// The number of the option by which address space is backed by memory before it is used.
const EAGER_ARENAS: libmimalloc_sys::mi_option_t = 4;

fn set(option: libmimalloc_sys::mi_option_t, value: i64) {
    // SAFETY: setting an option takes plain numbers, and the number is one of an option.
    unsafe { libmimalloc_sys::mi_option_set(option, value) };
}

fn set_delay(milliseconds: i64) {
    set(PURGE_DELAY, milliseconds);
}

/// Sets the allocator up when the module is loaded.
pub fn set_up() {
    set(EAGER_ARENAS, 0);
    set_delay(USUALLY);
}

/// Freed memory is kept for as long as one of these lives.
pub struct KeptMemory(());

impl KeptMemory {
    pub fn keep() -> Self {
        if STREAMS.fetch_add(1, Ordering::AcqRel) == 0 {
            set_delay(WHILE_STREAMING);
        }
        Self(())
    }
}

impl Drop for KeptMemory {
    fn drop(&mut self) {
        if STREAMS.fetch_sub(1, Ordering::AcqRel) == 1 {
            set_delay(USUALLY);
            // SAFETY: it may be called at any time, from any thread.
            unsafe { libmimalloc_sys::mi_collect(false) };
        }
    }
}
