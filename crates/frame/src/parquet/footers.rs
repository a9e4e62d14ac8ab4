//! Footers of files: read once by each process, and kept while files stay as they are.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::physical_plan::parquet::metadata::{
    CachedParquetMetaData, DFParquetMetadata,
};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::object_store::local::LocalFileSystem;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{DataFile, look};
use crate::error::{FrameError, Result};
use crate::run;

/// How many footers are read at a time.
const AT_ONCE: usize = 32;

/// Bytes at the end of a file that are read at once. Most footers are shorter.
const END: usize = 32 << 10;

/// Of more files than this, the statistics of pages are left for when one is opened.
const FEW: usize = 64;

/// Rows and uncompressed bytes of each row group of each file.
pub fn row_groups(paths: &[PathBuf]) -> Result<Vec<Vec<(u64, u64)>>> {
    let files: Vec<DataFile> = paths.iter().map(|path| look(path)).collect::<Result<_>>()?;
    let footers = run::block_on(footers(&files))??;
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(footers
        .iter()
        .map(|footer| {
            let groups = footer.row_groups().iter();
            groups.map(|g| (number(g.num_rows()), number(g.total_byte_size()))).collect()
        })
        .collect())
}

/// The footers of all files, from the process's cache where they are there already.
pub(super) async fn footers(files: &[DataFile]) -> Result<Vec<Arc<ParquetMetaData>>> {
    let cache = run::footer_cache()?;
    if files.len() > FEW {
        return many(files, &cache).await;
    }
    let store = LocalFileSystem::new();
    let (store, cache) = (&store, &cache);
    let read = |file: &DataFile| {
        let (meta, path) = (file.meta(), file.path.clone());
        async move {
            let meta = meta?;
            DFParquetMetadata::new(store, &meta)
                .with_file_metadata_cache(Some(cache.clone()))
                .fetch_metadata()
                .await
                .map_err(|wrong| FrameError::Corrupt { path, detail: wrong.to_string() })
        }
    };
    let futures: Vec<_> = files.iter().map(read).collect();
    stream::iter(futures).buffered(AT_ONCE).try_collect().await
}

/// The footers of many files. Each task reads some itself: handing each file to a thread that may
/// wait takes longer than reading it.
async fn many(
    files: &[DataFile],
    cache: &Arc<FileMetadataCache>,
) -> Result<Vec<Arc<ParquetMetaData>>> {
    let tasks: Vec<_> = files
        .chunks(AT_ONCE)
        .map(|some| {
            let (some, cache) = (some.to_vec(), cache.clone());
            tokio::spawn(async move {
                some.iter()
                    .map(|file| kept_or_read(file, cache.as_ref()))
                    .collect::<Result<Vec<_>>>()
            })
        })
        .collect();
    let mut found = Vec::with_capacity(files.len());
    for task in tasks {
        found.extend(task.await.map_err(|_| FrameError::Cancelled)??);
    }
    Ok(found)
}

fn kept_or_read(file: &DataFile, cache: &FileMetadataCache) -> Result<Arc<ParquetMetaData>> {
    let meta = file.meta()?;
    if let Some(entry) = cache.get(&meta.location)
        && entry.is_valid_for(&meta)
        && let Some(kept) = entry.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()
    {
        return Ok(kept.parquet_metadata().clone());
    }
    let footer = Arc::new(read(file)?);
    let location = meta.location.clone();
    let kept = Arc::new(CachedParquetMetaData::new(footer.clone()));
    cache.put(&location, CachedFileMetadataEntry::new(meta, kept));
    Ok(footer)
}

fn read(file: &DataFile) -> Result<ParquetMetaData> {
    let failed = |source: io::Error| FrameError::File { path: file.path.clone(), source };
    let corrupt = |detail: String| FrameError::Corrupt { path: file.path.clone(), detail };
    let opened = File::open(&file.path).map_err(failed)?;
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    let mut wanted = END as u64;
    loop {
        let length = wanted.min(file.bytes);
        let mut end = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        opened.read_exact_at(&mut end, file.bytes - length).map_err(failed)?;
        match reader.try_parse_sized(&Bytes::from(end), file.bytes) {
            Ok(()) => return reader.finish().map_err(|wrong| corrupt(wrong.to_string())),
            Err(ParquetError::NeedMoreData(more)) if more as u64 > length => {
                wanted = more as u64;
            }
            Err(wrong) => return Err(corrupt(wrong.to_string())),
        }
    }
}
