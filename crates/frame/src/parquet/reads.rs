//! Bytes of local files.
//!
//! What the kernel has in memory is copied by the thread that decodes it, which costs less than
//! having another one do so; what is still on a disk is waited for by a thread that may wait.
//! Buffers are used again, as memory that was just given back would have to be cleared first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileMetrics, ParquetFileReaderFactory,
};
use datafusion::error::Result as EngineResult;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::streams::others_first;

/// The most bytes of buffers that nobody uses.
const KEPT: usize = 32 << 20;
/// Smaller buffers than this come from the allocator.
const SMALL: usize = 64 << 10;

/// Makes readers of local files.
#[derive(Debug)]
pub(super) struct LocalReads {
    /// Footers come from here.
    footers: CachedParquetFileReaderFactory,
}

impl LocalReads {
    pub(super) fn new(store: Arc<dyn ObjectStore>, cache: Arc<FileMetadataCache>) -> Self {
        Self { footers: CachedParquetFileReaderFactory::new(store, cache) }
    }
}

impl ParquetFileReaderFactory for LocalReads {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> EngineResult<Box<dyn AsyncFileReader + Send>> {
        let location = &file.object_meta.location;
        let path = LocalFileSystem::new().path_to_filesystem(location)?;
        let counts = ParquetFileMetrics::new(partition, location.as_ref(), metrics);
        let footer = self.footers.create_reader(partition, file, footer_hint, metrics)?;
        Ok(Box::new(LocalReader { footer, path, file: None, counts }))
    }
}

struct LocalReader {
    footer: Box<dyn AsyncFileReader + Send>,
    path: PathBuf,
    file: Option<Arc<OpenFile>>,
    counts: ParquetFileMetrics,
}

impl LocalReader {
    fn open(&mut self) -> Result<Arc<OpenFile>> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let opened = OpenFile::new(&self.path).map_err(|failed| wrong(&self.path, failed))?;
        Ok(self.file.insert(Arc::new(opened)).clone())
    }
}

impl AsyncFileReader for LocalReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let mut all = self.get_byte_ranges(vec![range]).await?;
            all.pop().ok_or_else(|| ParquetError::EOF("no bytes were read".into()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            others_first().await;
            let file = self.open()?;
            let failed = |error| wrong(&self.path, error);
            let mut found = Vec::with_capacity(ranges.len());
            for range in &ranges {
                match file.read_cached(range).map_err(failed)? {
                    Some(bytes) => found.push(bytes),
                    None => break,
                }
            }
            let rest = ranges[found.len()..].to_vec();
            if !rest.is_empty() {
                let waited = tokio::task::spawn_blocking(move || {
                    rest.iter().map(|range| file.read(range)).collect::<io::Result<Vec<_>>>()
                });
                let read = waited.await.map_err(|gone| ParquetError::External(gone.into()))?;
                found.extend(read.map_err(failed)?);
            }
            self.counts.bytes_scanned.add(found.iter().map(Bytes::len).sum());
            Ok(found)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        self.footer.get_metadata(options)
    }
}

fn wrong(path: &std::path::Path, failed: io::Error) -> ParquetError {
    let named = io::Error::new(failed.kind(), format!("{}: {failed}", path.display()));
    ParquetError::External(Box::new(named))
}

struct OpenFile {
    file: File,
    size: u64,
}

impl OpenFile {
    fn new(path: &std::path::Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// A buffer for the bytes of a range, which a corrupt footer may say to be anywhere.
    fn buffer(&self, range: &Range<u64>) -> io::Result<Buffer> {
        let length = range.end.checked_sub(range.start).filter(|_| range.end <= self.size);
        match length.map(usize::try_from) {
            Some(Ok(length)) => Ok(Buffer::new(length)),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the bytes {}..{} are expected in a file of {} bytes",
                    range.start, range.end, self.size
                ),
            )),
        }
    }

    /// The bytes of a range, however long it takes.
    fn read(&self, range: &Range<u64>) -> io::Result<Bytes> {
        let mut buffer = self.buffer(range)?;
        self.file.read_exact_at(buffer.bytes(), range.start)?;
        Ok(Bytes::from_owner(buffer))
    }

    /// The bytes of a range, if the kernel has all of them in memory.
    #[cfg(target_os = "linux")]
    fn read_cached(&self, range: &Range<u64>) -> io::Result<Option<Bytes>> {
        use rustix::io::{Errno, ReadWriteFlags, preadv2};

        let mut buffer = self.buffer(range)?;
        let (mut rest, mut place) = (buffer.bytes(), range.start);
        while !rest.is_empty() {
            let mut into = [io::IoSliceMut::new(rest)];
            match preadv2(&self.file, &mut into, place, ReadWriteFlags::NOWAIT) {
                // The end of a file that has become shorter; who waits for the rest says so.
                Ok(0) => return Ok(None),
                Ok(read) => {
                    rest = &mut rest[read..];
                    place += read as u64;
                }
                Err(Errno::INTR) => {}
                // Some file systems cannot say what they have in memory.
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(Bytes::from_owner(buffer)))
    }

    #[cfg(not(target_os = "linux"))]
    fn read_cached(&self, _range: &Range<u64>) -> io::Result<Option<Bytes>> {
        Ok(None)
    }
}

/// Memory that is kept for the next one who wants as much.
struct Buffer {
    memory: Vec<u8>,
    used: usize,
}

static UNUSED: Mutex<Unused> = Mutex::new(Unused { by_size: BTreeMap::new(), bytes: 0 });

struct Unused {
    by_size: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

impl Buffer {
    fn new(used: usize) -> Self {
        let size = rounded(used);
        // A lock that is held at this moment, or was when the process was forked, is not waited for.
        let kept = UNUSED.try_lock().and_then(|mut unused| unused.take(size));
        Self { memory: kept.unwrap_or_else(|| vec![0; size]), used }
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[..self.used]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.used]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(mut unused) = UNUSED.try_lock() {
            unused.give(std::mem::take(&mut self.memory));
        }
    }
}

impl Unused {
    fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        let memory = self.by_size.get_mut(&size)?.pop()?;
        self.bytes -= memory.len();
        Some(memory)
    }

    fn give(&mut self, memory: Vec<u8>) {
        if memory.len() >= SMALL && self.bytes + memory.len() <= KEPT {
            self.bytes += memory.len();
            self.by_size.entry(memory.len()).or_default().push(memory);
        }
    }
}

/// The size of the buffer for so many bytes: one of four between two powers of two.
fn rounded(bytes: usize) -> usize {
    if bytes < SMALL {
        return bytes;
    }
    let step = 1 << (bytes.ilog2() - 2);
    bytes.next_multiple_of(step)
}
