//! Lines of files, block by block.
//!
//! A block of a file is the lines that begin behind its first byte and up to the first byte of
//! the next block; the first block has the line at byte 0 too. So blocks can be cut anywhere, each
//! line is in one of them, and a block can be cut again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::{memchr, memrchr};

use crate::error::BagError;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 18;

/// A part of a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextBlock {
    /// The file.
    pub path: Arc<PathBuf>,
    /// The first byte.
    pub offset: u64,
    /// The number of bytes; `None` for all up to the end.
    pub length: Option<u64>,
}

impl TextBlock {
    /// A whole file.
    pub fn whole(path: impl Into<PathBuf>) -> Self {
        Self { path: Arc::new(path.into()), offset: 0, length: None }
    }

    /// The same lines in blocks of about `size` bytes.
    ///
    /// # Errors
    /// [`BagError::Read`] where the length of the file is asked for and cannot be found out.
    pub fn cut(&self, size: u64) -> Result<Vec<Self>, BagError> {
        let length = match self.length {
            Some(length) => length,
            None => {
                let found = std::fs::metadata(self.path.as_ref());
                found.map_err(|source| self.failed(source))?.len().saturating_sub(self.offset)
            }
        };
        let count = (length / size.max(1)).max(1);
        let edge = |place: u64| (u128::from(length) * u128::from(place) / u128::from(count)) as u64;
        let piece = |place: u64| Self {
            path: self.path.clone(),
            offset: self.offset + edge(place),
            // The last one goes as far as the block does.
            length: match (place + 1 == count, self.length) {
                (true, None) => None,
                _ => Some(edge(place + 1) - edge(place)),
            },
        };
        Ok((0..count).map(piece).collect())
    }

    /// Calls `each` with runs of whole lines and the place of the run in the file. The last line
    /// of a file need not end.
    ///
    /// # Errors
    /// [`BagError::Read`], [`BagError::NotUtf8`], and what `each` returns.
    pub fn read(
        &self,
        mut each: impl FnMut(&str, u64) -> Result<(), BagError>,
    ) -> Result<(), BagError> {
        let file = File::open(self.path.as_ref()).map_err(|source| self.failed(source))?;
        // The last byte at which a line of this block may begin.
        let last_start = self.length.map_or(u64::MAX, |length| self.offset.saturating_add(length));
        let mut buffer = vec![0; CHUNK];
        let mut filled = 0;
        // The place of the buffer in the file.
        let mut at = self.offset;
        let mut skipping = self.offset > 0;
        loop {
            if filled == buffer.len() {
                buffer.resize(buffer.len() * 2, 0);
            }
            let got = self.fill(&file, &mut buffer[filled..], at + filled as u64)?;
            let ended = got == 0;
            filled += got;
            let mut from = 0;
            if skipping {
                match memchr(b'\n', &buffer[..filled]) {
                    Some(found) => {
                        from = found + 1;
                        skipping = false;
                    }
                    None if ended => return Ok(()),
                    None => {
                        at += filled as u64;
                        filled = 0;
                        continue;
                    }
                }
            }
            let whole = if ended {
                filled
            } else {
                memrchr(b'\n', &buffer[from..filled]).map_or(from, |place| from + place + 1)
            };
            let (stop, done) = self.stop(&buffer[..whole], from, at, last_start);
            if stop > from {
                let lines = &buffer[from..stop];
                let text = std::str::from_utf8(lines).map_err(|wrong| BagError::NotUtf8 {
                    path: self.path.to_path_buf(),
                    offset: at + (from + wrong.valid_up_to()) as u64,
                })?;
                each(text, at + from as u64)?;
            }
            if done || ended || at + whole as u64 > last_start {
                return Ok(());
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
            at += whole as u64;
        }
    }

    /// Where the lines of this block end in whole lines `from..`, and whether they end there.
    fn stop(&self, whole: &[u8], from: usize, at: u64, last_start: u64) -> (usize, bool) {
        if at + whole.len() as u64 <= last_start {
            return (whole.len(), false);
        }
        if at + from as u64 > last_start {
            return (from, true);
        }
        // The line that begins at `last_start`, or before and reaches over it, is the last one.
        let inside = (last_start - at) as usize;
        match memchr(b'\n', &whole[inside.min(whole.len())..]) {
            Some(found) => (inside + found + 1, true),
            None => (whole.len(), false),
        }
    }

    fn fill(&self, file: &File, buffer: &mut [u8], at: u64) -> Result<usize, BagError> {
        loop {
            match read_at(file, buffer, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(|source| self.failed(source)),
            }
        }
    }

    fn failed(&self, source: io::Error) -> BagError {
        BagError::Read { path: self.path.to_path_buf(), source }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}
