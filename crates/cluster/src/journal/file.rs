//! The file of a journal: its name, its layout, and how it is read and replaced.
//!
//! ```text
//! magic, generation as u64, checksum of both as u64
//! records: length as u32, checksum as u64, bytes
//! ```
//!
//! A checksum is XXH3 of the bytes, seeded with the generation and the place of the record, so that
//! old bytes in a new place are no record. Generation n stands in `n.journal`; the highest is the
//! valid one, since it gets its name when it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use twox_hash::XxHash3_128;

use super::{JournalError, Recovered};

const MAGIC: [u8; 8] = *b"samite-3";
const HEADER: usize = MAGIC.len() + 8 + 8;
/// The bytes before those of a record.
pub(super) const RECORD_HEADER: usize = 4 + 8;
const SUFFIX: &str = "journal";

/// The file that is written, at its end.
#[derive(Debug)]
pub(super) struct LogFile {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    generation: u64,
    length: u64,
    /// Held for as long as the journal is open.
    _lock: Arc<File>,
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::File { doing, path: path.to_owned(), source: Arc::new(source) }
}

fn checksum(bytes: &[u8], generation: u64, place: u64) -> u64 {
    let seed = generation.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(place);
    XxHash3_128::oneshot_with_seed(seed, bytes) as u64
}

/// Adds a record to the bytes that will stand at `start`.
pub(super) fn frame(batch: &mut Vec<u8>, record: &[u8], generation: u64, start: u64) {
    let place = start + batch.len() as u64;
    batch.extend_from_slice(&(record.len() as u32).to_le_bytes());
    batch.extend_from_slice(&checksum(record, generation, place).to_le_bytes());
    batch.extend_from_slice(record);
}

fn header(generation: u64) -> Vec<u8> {
    let mut header = [&MAGIC[..], &generation.to_le_bytes()].concat();
    let sum = checksum(&header, generation, 0);
    header.extend_from_slice(&sum.to_le_bytes());
    header
}

fn private(create_new: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).create_new(create_new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

impl LogFile {
    /// Opens or makes the journal of a folder, and reads what is in it.
    pub(super) fn open(folder: &Path) -> Result<(Self, Recovered), JournalError> {
        make_folder(folder).map_err(failed("make the folder of", folder))?;
        let lock_path = folder.join("lock");
        let lock = private(false).open(&lock_path).map_err(failed("lock", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::InUse { path: folder.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &lock_path)(error)),
        }
        let lock = Arc::new(lock);
        let generations = generations(folder).map_err(failed("list the files of", folder))?;
        let Some((&generation, older)) = generations.split_last() else {
            let file = Self::create(folder, 1, &[], &lock)?;
            return Ok((file, Recovered::default()));
        };
        let path = name(folder, generation);
        let mut file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(failed("open", &path))?;
        let (records, valid) = read(&mut file, &path, generation)?;
        let mut recovered = Recovered { records, ..Recovered::default() };
        let all = file.metadata().map_err(failed("read", &path))?.len();
        if all > valid {
            let torn = path.with_extension("torn");
            set_aside(&mut file, valid, &torn).map_err(failed("repair", &path))?;
            recovered.torn_bytes = all - valid;
            recovered.torn_file = Some(torn);
        }
        file.seek(SeekFrom::Start(valid)).map_err(failed("open", &path))?;
        for old in older {
            // What stays behind is ignored: a higher generation is there.
            _ = fs::remove_file(name(folder, *old));
        }
        let folder = folder.to_owned();
        Ok((Self { folder, path, file, generation, length: valid, _lock: lock }, recovered))
    }

    /// Writes a file of the given records, whole and durable before it has its name.
    fn create(
        folder: &Path,
        generation: u64,
        records: &[Bytes],
        lock: &Arc<File>,
    ) -> Result<Self, JournalError> {
        let path = name(folder, generation);
        let unfinished = path.with_extension("part");
        // One that a killed process left behind.
        _ = fs::remove_file(&unfinished);
        let written = write_whole(&unfinished, generation, records).and_then(|written| {
            fs::rename(&unfinished, &path)?;
            sync_folder(folder)?;
            Ok(written)
        });
        match written {
            Ok((file, length)) => {
                let folder = folder.to_owned();
                Ok(Self { folder, path, file, generation, length, _lock: Arc::clone(lock) })
            }
            Err(source) => {
                _ = fs::remove_file(&unfinished);
                _ = fs::remove_file(&path);
                Err(failed("write", &path)(source))
            }
        }
    }

    /// The next generation, with these records; the file of this one is removed.
    pub(super) fn replaced(&self, records: &[Bytes]) -> Result<Self, JournalError> {
        let next = Self::create(&self.folder, self.generation + 1, records, &self._lock)?;
        // If it stays, it is ignored, and removed at the next opening.
        _ = fs::remove_file(&self.path);
        Ok(next)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes whole records at the end. After a failure, none of them are there.
    pub(super) fn write(&mut self, batch: &[u8], sync: bool) -> Result<(), JournalError> {
        let written = self
            .file
            .write_all(batch)
            .and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if let Err(source) = written {
            // If this fails too, the next opening finds an incomplete record and sets it aside.
            _ = self.file.set_len(self.length);
            _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(failed("write", &self.path)(source));
        }
        self.length += batch.len() as u64;
        Ok(())
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn name(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("{generation:08}.{SUFFIX}"))
}

/// The generations that are there, in order.
fn generations(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = PathBuf::from(entry?.file_name());
        let is_journal = path.extension().is_some_and(|suffix| suffix == SUFFIX);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(generation) = stem.and_then(|stem| stem.parse().ok()).filter(|_| is_journal) {
            found.push(generation);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn write_whole(path: &Path, generation: u64, records: &[Bytes]) -> io::Result<(File, u64)> {
    let mut file = private(true).open(path)?;
    let mut batch = header(generation);
    let mut length = 0;
    for record in records {
        frame(&mut batch, record, generation, length);
        if batch.len() > 1 << 20 {
            file.write_all(&batch)?;
            length += batch.len() as u64;
            batch.clear();
        }
    }
    file.write_all(&batch)?;
    file.sync_all()?;
    Ok((file, length + batch.len() as u64))
}

/// The whole records of a file, and where they end.
fn read(file: &mut File, path: &Path, generation: u64) -> Result<(Vec<Bytes>, u64), JournalError> {
    let mut all = Vec::new();
    file.read_to_end(&mut all).map_err(failed("read", path))?;
    let all = Bytes::from(all);
    if !all.starts_with(&header(generation)) {
        let reason = match all.starts_with(&MAGIC) {
            true => "its header is broken",
            false => "it begins with other bytes",
        };
        return Err(JournalError::Foreign { path: path.to_owned(), reason });
    }
    let mut records = Vec::new();
    let mut place = HEADER;
    while let Some((length, sum)) = record_header(&all, place) {
        let start = place + RECORD_HEADER;
        let Some(record) = start.checked_add(length).filter(|end| *end <= all.len()) else { break };
        let bytes = all.slice(start..record);
        if checksum(&bytes, generation, place as u64) != sum {
            break;
        }
        records.push(bytes);
        place = record;
    }
    Ok((records, place as u64))
}

fn record_header(all: &[u8], place: usize) -> Option<(usize, u64)> {
    let rest = all.get(place..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let sum = rest.first_chunk::<8>()?;
    Some((u32::from_le_bytes(*length) as usize, u64::from_le_bytes(*sum)))
}

/// Moves what is behind the last whole record to another file.
fn set_aside(file: &mut File, valid: u64, torn: &Path) -> io::Result<()> {
    _ = fs::remove_file(torn);
    let mut aside = private(true).open(torn)?;
    file.seek(SeekFrom::Start(valid))?;
    io::copy(file, &mut aside)?;
    aside.sync_all()?;
    file.set_len(valid)?;
    file.sync_all()
}
