//! The bytes of files, decompressed where they are compressed.
//!
//! A file of several compressed streams one after the other is their contents one after the other. Whatever a
//! decompressor does not understand is an error: what is behind a stream is never passed over.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use lz4_flex::frame::FrameDecoder;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// As gzip does.
    Gzip,
    /// As bzip2 does.
    Bzip2,
    /// As xz does.
    Xz,
    /// As zstd does.
    Zstd,
    /// As lz4 does, in frames.
    Lz4,
}

/// Bytes of a compressed file that are read at a time.
const COMPRESSED_CHUNK: usize = 1 << 16;

/// An open file.
pub(crate) enum Input {
    /// Bytes can be read from any place.
    Plain(File),
    /// Bytes come one after the other.
    Stream(Box<dyn Read + Send>),
}

impl Input {
    pub(crate) fn open(path: &Path, compression: Compression) -> io::Result<Self> {
        let file = File::open(path)?;
        if compression == Compression::None {
            return Ok(Self::Plain(file));
        }
        let file = BufReader::with_capacity(COMPRESSED_CHUNK, file);
        Ok(Self::Stream(match compression {
            Compression::None | Compression::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(file))
            }
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
            Compression::Xz => Box::new(lzma_rust2::XzReader::new(file, true)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
            Compression::Lz4 => Box::new(Frames::new(file)),
        }))
    }

    /// Some of the bytes from a place on, which for a stream is where it stands; 0 at the end.
    pub(crate) fn fill(&mut self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            let outcome = match self {
                Self::Plain(file) => read_at(file, buffer, at),
                Self::Stream(stream) => stream.read(buffer),
            };
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

/// LZ4 frames one after the other; the decoder stops behind each, and also where the file ends too early.
struct Frames {
    decoder: Option<FrameDecoder<Watched>>,
}

impl Frames {
    fn new(file: BufReader<File>) -> Self {
        Self { decoder: Some(FrameDecoder::new(Watched { file, has_ended: false })) }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let got = decoder.read(buffer)?;
            if got > 0 || buffer.is_empty() {
                return Ok(got);
            }
            // Behind the end of a frame nothing is read.
            if decoder.get_ref().has_ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(decoder) = self.decoder.take() else { break };
            let mut file = decoder.into_inner().file;
            if !file.fill_buf()?.is_empty() {
                self.decoder = Some(FrameDecoder::new(Watched { file, has_ended: false }));
            }
        }
        Ok(0)
    }
}

/// A file, and whether somebody has tried to read behind its end.
struct Watched {
    file: BufReader<File>,
    has_ended: bool,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        self.has_ended |= got == 0 && !buffer.is_empty();
        Ok(got)
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
