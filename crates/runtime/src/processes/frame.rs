//! A part of a message: in this process's heap, or in memory shared by whoever sent it.

use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;
use std::{io, ptr};

/// The bytes of a frame.
#[derive(Debug)]
pub enum Frame {
    /// Bytes that came through the socket.
    Inline(Vec<u8>),
    /// Bytes in a mapped file in memory.
    Shared(Mapping),
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(mapping) => mapping,
        }
    }
}

impl DerefMut for Frame {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(mapping) => mapping,
        }
    }
}

/// A mapped file in memory that nobody else writes to.
#[derive(Debug)]
pub struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: the mapping is memory that this struct alone owns, like a box.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of a file; privately, so that nobody else sees writes.
    pub(super) fn of(file: &OwnedFd, length: usize) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        if length == 0 {
            return Ok(Self { start: ptr::NonNull::dangling().as_ptr(), length });
        }
        let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the descriptor is open and `status` a valid place for the answer.
        if unsafe { libc::fstat(file.as_raw_fd(), status.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: fstat succeeded and filled the answer.
        let size = unsafe { status.assume_init() }.st_size;
        // Reading behind the end of the file would kill this process.
        if u64::try_from(size).unwrap_or(0) < length as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a shared frame is too short"));
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no other memory.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), length })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is the start of `length` mapped bytes, or dangling with length zero.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl DerefMut for Mapping {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`, and the borrow of self makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the mapping was made by `of` and is not used after this.
            unsafe { libc::munmap(self.start.cast(), self.length) };
        }
    }
}

/// A file in memory that holds `bytes`; `None` where the system has none.
#[cfg(target_os = "linux")]
pub(super) fn share(bytes: &[u8]) -> Option<OwnedFd> {
    use std::io::Write;
    use std::os::fd::FromRawFd;
    // SAFETY: the name ends with a zero byte.
    let descriptor = unsafe { libc::memfd_create(c"samite-frame".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the descriptor was just made and nobody else owns it.
    let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    file.write_all(bytes).ok()?;
    Some(file.into())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn share(_: &[u8]) -> Option<OwnedFd> {
    None
}
