//! Lines of files, block by block.
//!
//! A block of a file is the lines that begin behind its first byte and up to the first byte of
//! the next block; the first block has the line at byte 0 too. So blocks can be cut anywhere, each
//! line is in one of them, and a block can be cut again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::{memchr, memrchr};

use crate::error::BagError;
use crate::input::{Compression, Input};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 18;

/// A part of a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextBlock {
    /// The file.
    pub path: Arc<PathBuf>,
    /// The first byte; 0 where the file is compressed.
    pub offset: u64,
    /// The number of bytes; `None` for all up to the end, as of a compressed file.
    pub length: Option<u64>,
    /// How the file is compressed.
    pub compression: Compression,
}

impl TextBlock {
    /// A whole file that is not compressed.
    pub fn whole(path: impl Into<PathBuf>) -> Self {
        let compression = Compression::None;
        Self { path: Arc::new(path.into()), offset: 0, length: None, compression }
    }

    /// The bytes of the file that it is, compressed or not.
    ///
    /// # Errors
    /// [`BagError::Read`] where the length of the file is asked for and cannot be found out.
    pub fn nbytes(&self) -> Result<u64, BagError> {
        match self.length {
            Some(length) => Ok(length),
            None => {
                let found = std::fs::metadata(self.path.as_ref());
                Ok(found.map_err(|source| self.failed(source))?.len().saturating_sub(self.offset))
            }
        }
    }

    /// The same lines in blocks of about `size` bytes; one block where the file is compressed.
    ///
    /// # Errors
    /// [`BagError::Read`] where the length of the file is asked for and cannot be found out.
    pub fn cut(&self, size: u64) -> Result<Vec<Self>, BagError> {
        if self.compression != Compression::None {
            return Ok(vec![self.clone()]);
        }
        let length = self.nbytes()?;
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
            compression: self.compression,
        };
        Ok((0..count).map(piece).collect())
    }

    /// Calls `each` with runs of whole lines and the place of the run in the text. The last line
    /// of a file need not end.
    ///
    /// # Errors
    /// [`BagError::Read`], [`BagError::NotUtf8`], and what `each` returns.
    pub fn read(
        &self,
        mut each: impl FnMut(&str, u64) -> Result<(), BagError>,
    ) -> Result<(), BagError> {
        let mut lines = Lines::open(self.clone())?;
        while let Some((text, at)) = lines.next_run()? {
            each(text, at)?;
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> BagError {
        BagError::Read { path: self.path.to_path_buf(), source }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The lines of a block, run by run.
pub(crate) struct Lines {
    block: TextBlock,
    input: Input,
    buffer: Vec<u8>,
    filled: usize,
    /// How much of the buffer has been given out.
    given: usize,
    /// The place of the buffer in the text.
    at: u64,
    /// The last byte at which a line of this block may begin.
    last_start: u64,
    /// Whether the rest of a line of the block before is still to come.
    skipping: bool,
    done: bool,
}

impl Lines {
    /// # Errors
    /// [`BagError::Read`] where the file cannot be opened.
    pub(crate) fn open(block: TextBlock) -> Result<Self, BagError> {
        let input = Input::open(block.path(), block.compression);
        Ok(Self {
            input: input.map_err(|source| block.failed(source))?,
            buffer: vec![0; CHUNK],
            filled: 0,
            given: 0,
            at: block.offset,
            last_start: block.length.map_or(u64::MAX, |length| block.offset.saturating_add(length)),
            skipping: block.offset > 0,
            done: false,
            block,
        })
    }

    /// Some more whole lines, and their place in the text; `None` behind the last ones.
    ///
    /// # Errors
    /// [`BagError::Read`], [`BagError::NotUtf8`].
    pub(crate) fn next_run(&mut self) -> Result<Option<(&str, u64)>, BagError> {
        let Some((from, stop, at)) = self.next_range()? else { return Ok(None) };
        let text = std::str::from_utf8(&self.buffer[from..stop]);
        let text = text.map_err(|wrong| BagError::NotUtf8 {
            path: self.block.path.to_path_buf(),
            offset: at + wrong.valid_up_to() as u64,
        })?;
        Ok(Some((text, at)))
    }

    /// Where in the buffer the next run is, and its place in the text.
    fn next_range(&mut self) -> Result<Option<(usize, usize, u64)>, BagError> {
        while !self.done {
            self.buffer.copy_within(self.given..self.filled, 0);
            self.filled -= self.given;
            self.at += self.given as u64;
            self.given = 0;
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let place = self.at + self.filled as u64;
            let got = self.input.fill(&mut self.buffer[self.filled..], place);
            let got = got.map_err(|source| self.block.failed(source))?;
            let ended = got == 0;
            self.filled += got;
            let mut from = 0;
            if self.skipping {
                match memchr(b'\n', &self.buffer[..self.filled]) {
                    Some(found) => {
                        from = found + 1;
                        self.skipping = false;
                    }
                    None => {
                        self.given = self.filled;
                        self.done = ended;
                        continue;
                    }
                }
            }
            let whole = if ended {
                self.filled
            } else {
                memrchr(b'\n', &self.buffer[from..self.filled])
                    .map_or(from, |place| from + place + 1)
            };
            let (stop, last) = self.stop(from, whole);
            self.given = whole;
            self.done = last || ended || self.at + whole as u64 > self.last_start;
            if stop > from {
                return Ok(Some((from, stop, self.at + from as u64)));
            }
        }
        Ok(None)
    }

    /// Where the lines of this block end in the whole lines of a part of the buffer, and whether
    /// they end there.
    fn stop(&self, from: usize, to: usize) -> (usize, bool) {
        if self.at + to as u64 <= self.last_start {
            return (to, false);
        }
        if self.at + from as u64 > self.last_start {
            return (from, true);
        }
        // The line that begins at `last_start`, or before and reaches over it, is the last one.
        let inside = (self.last_start - self.at) as usize;
        match memchr(b'\n', &self.buffer[inside.min(to)..to]) {
            Some(found) => (inside + found + 1, true),
            None => (to, false),
        }
    }
}
