//! What a scheduler needs to go on after it was killed: an append-only file of records.
//!
//! [`Journal::open`] gives back the records that are there, then takes new ones. [`Journal::append`]
//! puts a record into memory; a thread writes what has come together and makes it durable with one
//! call of the system for all of it. [`Journal::compact`] replaces all records by a shorter account
//! of the same state: it is written aside, made durable and renamed, so that at every moment one
//! whole file is there.
//!
//! A record has a length and a checksum, which depends on where it stands. The first record that is
//! incomplete or broken ends the file: what is behind it was being written when the process or the
//! machine stopped. It is kept beside the journal under another name, and its size is reported.
//!
//! When the journal cannot be written (the disk is full), what was appended last is not durable,
//! every call reports it, and the file keeps the whole records that it has. Dropping the journal
//! writes what is left and ends the thread.

mod file;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use writer::Shared;

/// What keeps a journal from doing its work.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A file of the journal cannot be opened, read or written.
    #[error("cannot {doing} the journal {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process has it open.
    #[error("the journal {} is in use by another process: stop it, or choose another folder", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The file was made by something else.
    #[error("{} is no journal of this release: {reason}; choose another folder, or remove it", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A record is too long.
    #[error("a record of {size} bytes is longer than a journal takes ({limit})")]
    TooLong {
        /// Its size.
        size: usize,
        /// The longest one.
        limit: usize,
    },
    /// A record cannot be encoded, or is not of the type that was asked for.
    #[error("a record of the journal cannot be {doing}: {source}")]
    Encoding {
        /// What was tried.
        doing: &'static str,
        /// What postcard said.
        #[source]
        source: postcard::Error,
    },
    /// The thread that writes is gone.
    #[error("the journal is closed")]
    Closed,
}

/// Told how many records are durable.
pub type Durable = Box<dyn Fn(u64) + Send>;

/// How a journal is kept.
pub struct JournalOptions {
    /// Whether records survive a crash of the machine, not only of the process.
    pub sync: bool,
    /// How long the thread collects records before it writes them.
    pub collect: Duration,
    /// The bytes in memory above which [`Journal::append`] waits for the disk.
    pub waiting_bytes: usize,
    /// Told after each write, on the journal's thread.
    pub on_durable: Option<Durable>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            sync: true,
            collect: Duration::from_millis(2),
            waiting_bytes: 256 << 20,
            on_durable: None,
        }
    }
}

/// What was there when a journal was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The records, in order.
    pub records: Vec<Bytes>,
    /// The bytes behind the last whole record. They are kept in [`Recovered::torn_file`].
    pub torn_bytes: u64,
    /// Where they are kept.
    pub torn_file: Option<PathBuf>,
}

impl Recovered {
    /// The records as values.
    ///
    /// # Errors
    /// Where one is of another type, as after a change of release.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Vec<T>, JournalError> {
        let failed = |source| JournalError::Encoding { doing: "decoded", source };
        self.records.iter().map(|record| postcard::from_bytes(record).map_err(failed)).collect()
    }
}

/// A journal that is open.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// The longest record.
    pub const LONGEST_RECORD: usize = u32::MAX as usize;

    /// Opens the journal of a folder, which is made if it is not there and is its owner's alone.
    ///
    /// # Errors
    /// Where another process has it open, or its files cannot be used.
    pub fn open(folder: &Path, options: JournalOptions) -> Result<(Self, Recovered), JournalError> {
        let (file, recovered) = file::LogFile::open(folder)?;
        let shared = Arc::new(Shared::new(&options, file.length()));
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || writer::run(&shared, file, &options)
            })
            .map_err(|source| JournalError::File {
                doing: "start the thread of",
                path: folder.to_owned(),
                source: Arc::new(source),
            })?;
        Ok((Self { shared, thread: Some(thread) }, recovered))
    }

    /// Appends a record; its number, counted from one since the journal was opened.
    ///
    /// # Errors
    /// Where the record cannot be encoded or is too long, and what keeps the journal from writing.
    pub fn append<T: Serialize + ?Sized>(&self, record: &T) -> Result<u64, JournalError> {
        self.append_bytes(&encode(record)?)
    }

    /// Appends a record that is encoded.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_bytes(&self, record: &[u8]) -> Result<u64, JournalError> {
        check(record)?;
        self.shared.append(record)
    }

    /// Waits until all that was appended is durable.
    ///
    /// # Errors
    /// What keeps the journal from writing.
    pub fn flush(&self) -> Result<(), JournalError> {
        self.shared.flush()
    }

    /// How many records are durable, of those that were appended since the journal was opened.
    pub fn durable(&self) -> u64 {
        self.shared.durable()
    }

    /// The bytes of the file, and those of them that [`Journal::compact`] wrote.
    pub fn bytes(&self) -> (u64, u64) {
        self.shared.bytes()
    }

    /// Whether most of the file would go away by compacting it.
    pub fn is_worth_compacting(&self) -> bool {
        const LEAST: u64 = 16 << 20;
        let (all, compacted) = self.bytes();
        all > LEAST + compacted.saturating_mul(3)
    }

    /// Replaces all records that were appended so far by these, which describe the same state. What
    /// is appended from now on follows them. Does not wait: [`Journal::flush`] does.
    ///
    /// Where the new file cannot be written, the old one stays and goes on to be written.
    ///
    /// # Errors
    /// Where a record is too long, and what keeps the journal from writing.
    pub fn compact(&self, records: Vec<Bytes>) -> Result<(), JournalError> {
        records.iter().try_for_each(|record| check(record))?;
        self.shared.compact(records)
    }

    /// Why the last compaction did not happen, if it did not.
    pub fn compaction_failure(&self) -> Option<JournalError> {
        self.shared.compaction_failure()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            _ = thread.join();
        }
    }
}

/// A record as bytes.
///
/// # Errors
/// Where the value has no encoding.
pub fn encode<T: Serialize + ?Sized>(record: &T) -> Result<Vec<u8>, JournalError> {
    postcard::to_allocvec(record)
        .map_err(|source| JournalError::Encoding { doing: "encoded", source })
}

fn check(record: &[u8]) -> Result<(), JournalError> {
    let (size, limit) = (record.len(), Journal::LONGEST_RECORD);
    if size > limit { Err(JournalError::TooLong { size, limit }) } else { Ok(()) }
}
