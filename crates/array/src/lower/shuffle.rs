//! Gathering through a file: what a rechunk of more than memory takes.
//!
//! Where every output block needs a piece of very many input blocks, all of them would have to be in
//! memory together. Instead each input block, once it is there, is cut into its pieces, which are
//! written to where the output block that takes them will look; an output block is read as one
//! range. Every element is written once and read once, in as few and as long ranges as the chunks
//! allow.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::chunk::Chunk;
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::lower::gather::GatherPlan;

/// The file of one gathering. It has no name, so that it goes with the last task, however the run
/// ends.
pub(crate) struct Shuffle {
    folder: Option<PathBuf>,
    file: OnceLock<Result<File, io::Error>>,
    /// Where the bytes of each output block begin.
    offsets: Vec<u64>,
    size: usize,
}

impl Shuffle {
    pub(crate) fn new(plan: &GatherPlan, dtype: DType, folder: Option<PathBuf>) -> Self {
        let offsets = plan.block_offsets(dtype.size());
        Self { folder, file: OnceLock::new(), offsets, size: dtype.size() }
    }

    fn file(&self) -> Result<&File, ArrayError> {
        let made = self.file.get_or_init(|| match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        });
        made.as_ref().map_err(failure)
    }

    /// Writes the pieces of an input block.
    pub(crate) fn split(
        &self,
        plan: &GatherPlan,
        index: u32,
        input: &Chunk,
    ) -> Result<(), ArrayError> {
        let file = self.file()?;
        plan.each_piece(index, input, &mut |output, begin, piece| {
            let at = self.offsets[output as usize] + (begin * self.size) as u64;
            let bytes = piece.as_bytes().unwrap_or_default();
            file.write_all_at(bytes, at).map_err(|failed| failure(&failed))
        })
    }

    /// Reads an output block.
    pub(crate) fn join(
        &self,
        plan: &GatherPlan,
        index: u32,
        dtype: DType,
    ) -> Result<Chunk, ArrayError> {
        let (begin, end) = (self.offsets[index as usize], self.offsets[index as usize + 1]);
        let packed = Chunk::build(DType::U8, &[(end - begin) as usize], |bytes| {
            self.file()?.read_exact_at(bytes, begin).map_err(|failed| failure(&failed))
        })?;
        plan.unpack(index, dtype, packed.as_bytes().unwrap_or_default())
    }
}

fn failure(failed: &io::Error) -> ArrayError {
    let source = match failed.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(failed.kind(), failed.to_string()),
    };
    ArrayError::Io { operation: "rechunk", source }
}
