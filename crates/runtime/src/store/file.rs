//! One spilled value: a compressed file, and what reads it back.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::folder::Folder;
use crate::error::{OperationError, SpillError};
use crate::value::{Data, Restore, Value};

/// A value on disk. The file goes with this struct.
pub struct SpillFile {
    path: PathBuf,
    process: u32,
    restore: Box<dyn Restore>,
}

impl SpillFile {
    /// Writes a value to a new file of `folder`.
    ///
    /// # Errors
    /// [`SpillError::Refused`] where the value has no encoding, [`SpillError::Io`] where the disk
    /// failed.
    pub fn write(value: &dyn Data, folder: &Folder) -> Result<Self, SpillError> {
        let path = folder.next_file();
        let file = File::create_new(&path)?;
        let written = (|| {
            // Small blocks: the buffers are memory besides the budget, just when it is short.
            let blocks = FrameInfo::new().block_size(BlockSize::Max64KB);
            let mut encoder = FrameEncoder::with_frame_info(blocks, file);
            let restore = value.spill(&mut encoder)?;
            encoder.finish().map_err(io::Error::from)?;
            Ok(restore)
        })();
        match written {
            Ok(restore) => Ok(Self { path, process: std::process::id(), restore }),
            Err(error) => {
                let _ = std::fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Reads the value back. The file stays.
    ///
    /// # Errors
    /// What the file system or the value's encoding says.
    pub fn read(&self) -> Result<Value, OperationError> {
        let file = File::open(&self.path).map_err(OperationError::new)?;
        let mut decoder = FrameDecoder::new(BufReader::with_capacity(1 << 16, file));
        self.restore.restore(&mut decoder)
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
