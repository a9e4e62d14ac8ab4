//! The private folder of spill files.
//!
//! A folder is made at the first spill of a run and removed with the run, at exit, or, where the
//! process was killed, by a later process: the folder's name holds the process id and its start
//! time, and its owner holds a lock on it as long as it lives. A folder is stale when both say so.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::{Mutex, PerProcess};

const PREFIX: &str = "samite-spill-";

/// A folder that is removed with its owner.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    process: u32,
    files: AtomicU64,
    /// Keeps the lock that tells other processes that the owner lives.
    _lock: File,
}

/// What this process knows of spill folders.
#[derive(Default)]
struct Known {
    /// Folders in use, for removal at exit.
    live: Mutex<Vec<PathBuf>>,
    /// Parents that were cleaned of stale folders.
    cleaned: Mutex<Vec<PathBuf>>,
}

static KNOWN: PerProcess<Known> = PerProcess::new();

impl Folder {
    /// Makes a folder in `parent`, for this user only.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(parent: &Path) -> io::Result<Self> {
        static AT_EXIT: Once = Once::new();
        fs::create_dir_all(parent)?;
        let process = std::process::id();
        let prefix = format!("{PREFIX}{process}-{}-", start_time(process).unwrap_or(0));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let path = builder.tempdir_in(parent)?.keep();
        KNOWN.get().live.lock().push(path.clone());
        AT_EXIT.call_once(remove_at_exit);
        let lock = File::open(&path)?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Self { path, process, files: AtomicU64::new(0), _lock: lock })
    }

    /// Makes one where temporary files belong that shall not take up memory.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create_anywhere() -> io::Result<Self> {
        let parent = default_parent();
        remove_stale_once(&parent);
        Self::create(&parent)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it with all its files while others may be writing to it: they fail, or what they
    /// write goes with their handle.
    pub(crate) fn remove(&self) {
        // A forked child has a copy of this struct, but the folder is its parent's.
        if self.process != std::process::id() {
            return;
        }
        KNOWN.get().live.lock().retain(|path| *path != self.path);
        // Under another name nobody can add files to it. Failure leaves it to the next process's
        // cleaning.
        let gone = self.path.with_extension("gone");
        let _ = fs::rename(&self.path, &gone);
        let _ = fs::remove_dir_all(&gone);
    }

    /// A path for a new file.
    pub(crate) fn next_file(&self) -> PathBuf {
        self.path.join(format!("{}.lz4", self.files.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The folder to spill to where the user names none: the temporary folder, or `/var/tmp` where the
/// former lives in memory and would save nothing.
pub(crate) fn default_parent() -> PathBuf {
    let usual = std::env::temp_dir();
    let other = Path::new("/var/tmp");
    if lives_in_memory(&usual) && other.is_dir() && !lives_in_memory(other) {
        return other.to_owned();
    }
    usual
}

#[cfg(target_os = "linux")]
fn lives_in_memory(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut answer = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path ends with a zero byte and `answer` is a valid place for the answer.
    if unsafe { libc::statfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: statfs succeeded and filled the answer.
    unsafe { answer.assume_init() }.f_type == libc::TMPFS_MAGIC
}

#[cfg(not(target_os = "linux"))]
fn lives_in_memory(_: &Path) -> bool {
    false
}

/// Removes the folders in `parent` whose owners are gone. Returns how many.
pub(crate) fn remove_stale(parent: &Path) -> usize {
    let Ok(entries) = fs::read_dir(parent) else { return 0 };
    let mut removed = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(owner) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let mut fields = owner.split('-');
        let process = fields.next().and_then(|field| field.parse::<u32>().ok());
        let started = fields.next().and_then(|field| field.parse::<u64>().ok());
        let (Some(process), Some(started)) = (process, started) else { continue };
        // The lock also holds where the process lives in another process namespace, whose ids
        // mean nothing here; the id also holds in the moment before the lock is taken.
        if start_time(process).is_some_and(|known| started == 0 || known == started) {
            continue;
        }
        // Another user's folder cannot be opened and is not ours to remove.
        let Ok(folder) = File::open(entry.path()) else { continue };
        if folder.try_lock().is_ok() && fs::remove_dir_all(entry.path()).is_ok() {
            removed += 1;
        }
    }
    removed
}

/// Removes what crashed processes left in `parent`, once in the life of this process for each
/// parent, on an idle thread.
pub(crate) fn remove_stale_once(parent: &Path) {
    let mut cleaned = KNOWN.get().cleaned.lock();
    if cleaned.iter().any(|path| path == parent) {
        return;
    }
    cleaned.push(parent.to_owned());
    drop(cleaned);
    let parent = parent.to_owned();
    // Without a thread the folders wait for the next process.
    let _ = crate::threads::spawn(Box::new(move || {
        remove_stale(&parent);
    }));
}

/// When a process started, in ticks since the machine did; `None` where there is no such process.
#[cfg(target_os = "linux")]
fn start_time(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    // A zombie has ended; only its parent does not know yet.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn start_time(_: u32) -> Option<u64> {
    None
}

#[cfg(unix)]
fn remove_at_exit() {
    extern "C" fn remove() {
        // A thread that is inside the lock right now must not hang the exit.
        let Some(live) = KNOWN.get().live.try_lock() else { return };
        for path in live.iter() {
            // Threads may still be writing: under another name, they cannot add files to it.
            let gone = path.with_extension("gone");
            let _ = fs::rename(path, &gone);
            let _ = fs::remove_dir_all(&gone);
        }
    }
    // SAFETY: `remove` is an extern "C" function that does not unwind.
    unsafe { libc::atexit(remove) };
}

#[cfg(not(unix))]
fn remove_at_exit() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        fs::write(folder.next_file(), b"x").unwrap();
        assert_eq!(remove_stale(parent.path()), 0);
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_is_removed_under_those_who_write_to_it() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::create(parent.path()).unwrap();
        let mut file = File::create_new(folder.next_file()).unwrap();
        folder.remove();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        io::Write::write_all(&mut file, b"x").unwrap();
        let late = File::create_new(folder.next_file()).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::NotFound);
        drop(folder);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_folders_of_dead_processes_are_stale() {
        let parent = tempfile::tempdir().unwrap();
        // Process ids end far below this one.
        let dead = parent.path().join(format!("{PREFIX}4194999-17-abc"));
        let other = parent.path().join("samite-spill-notes");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("0.lz4"), b"x").unwrap();
        fs::create_dir(&other).unwrap();
        assert_eq!(remove_stale(parent.path()), 1);
        assert!(!dead.exists() && other.exists());
    }
}
