//! Killed, torn, broken and compacted journals.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use proptest::prelude::*;

use super::*;

fn open(folder: &Path) -> (Journal, Recovered) {
    Journal::open(folder, JournalOptions { collect: Duration::ZERO, ..JournalOptions::default() })
        .unwrap()
}

/// The one file of records in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "journal"))
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.pop().unwrap()
}

#[test]
fn records_are_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<(u32, String)> = (0..1000).map(|n| (n, format!("record {n}"))).collect();
    for part in records.chunks(400) {
        let (journal, _) = open(folder.path());
        for record in part {
            journal.append(record).unwrap();
        }
        journal.flush().unwrap();
        assert_eq!(journal.durable(), part.len() as u64);
    }
    let (journal, recovered) = open(folder.path());
    assert_eq!(recovered.decode::<(u32, String)>().unwrap(), records);
    assert_eq!(recovered.torn_bytes, 0);
    assert!(recovered.decode::<(String, String)>().is_err());
    // What was appended is written when the journal is dropped, without a flush.
    journal.append(&(7_u32, "last")).unwrap();
    drop(journal);
    assert_eq!(open(folder.path()).1.records.len(), 1001);
}

#[test]
fn one_process_has_it_open() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    let error = Journal::open(folder.path(), JournalOptions::default()).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&folder.path().display().to_string()));
    drop(journal);
    open(folder.path());
}

#[test]
fn whoever_asks_is_told_what_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, told) = mpsc::channel();
    let on_durable: Durable = Box::new(move |count| sender.send(count).unwrap());
    let options = JournalOptions { on_durable: Some(on_durable), ..JournalOptions::default() };
    let (journal, _) = Journal::open(folder.path(), options).unwrap();
    for number in 0..100_u32 {
        journal.append(&number).unwrap();
    }
    let wait = Duration::from_secs(20);
    while told.recv_timeout(wait).unwrap() < 100 {}
    assert_eq!(journal.durable(), 100);
}

#[test]
fn a_compacted_journal_has_the_new_records_and_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for number in 0..10_000_u32 {
        journal.append(&number).unwrap();
    }
    journal.flush().unwrap();
    let before = journal.bytes().0;
    let state = vec![Bytes::from(encode(&1_000_000_u32).unwrap())];
    journal.compact(state).unwrap();
    journal.append(&1_000_001_u32).unwrap();
    journal.flush().unwrap();
    assert!(journal.compaction_failure().is_none());
    assert!(journal.bytes().0 < before / 100, "{:?} after {before}", journal.bytes());
    drop(journal);
    only_file(folder.path());
    let (_, recovered) = open(folder.path());
    assert_eq!(recovered.decode::<u32>().unwrap(), [1_000_000, 1_000_001]);
}

#[test]
fn a_compaction_that_was_killed_or_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    journal.append(&1_u32).unwrap();
    journal.flush().unwrap();
    // A folder stands where the next generation would be written.
    let blocked = folder.path().join("00000002.part");
    fs::create_dir(&blocked).unwrap();
    journal.compact(vec![Bytes::from_static(b"never")]).unwrap();
    journal.append(&2_u32).unwrap();
    journal.flush().unwrap();
    let failure = journal.compaction_failure().unwrap();
    assert!(failure.to_string().contains("00000002"), "{failure}");
    drop(journal);
    fs::remove_dir(&blocked).unwrap();
    // Half of a compaction, as a killed process leaves it.
    fs::write(&blocked, b"samite-3 and then").unwrap();
    let (journal, recovered) = open(folder.path());
    assert_eq!(recovered.decode::<u32>().unwrap(), [1, 2]);
    journal.compact(recovered.records).unwrap();
    journal.flush().unwrap();
    assert!(journal.compaction_failure().is_none());
    assert!(!blocked.exists());
    drop(journal);
    assert_eq!(open(folder.path()).1.decode::<u32>().unwrap(), [1, 2]);
}

#[test]
fn an_old_file_beside_a_new_one_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    journal.append(&1_u32).unwrap();
    journal.flush().unwrap();
    let old = only_file(folder.path());
    let copy = fs::read(&old).unwrap();
    journal.compact(vec![Bytes::from(encode(&2_u32).unwrap())]).unwrap();
    journal.flush().unwrap();
    drop(journal);
    fs::write(&old, copy).unwrap();
    assert_eq!(open(folder.path()).1.decode::<u32>().unwrap(), [2]);
    assert!(!old.exists());
}

#[test]
fn a_file_of_something_else_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("00000001.journal");
    for content in [&b"a diary"[..], b"samite-3\x01\0\0\0\0\0\0\0broken!!", b""] {
        fs::write(&file, content).unwrap();
        let error = Journal::open(folder.path(), JournalOptions::default()).unwrap_err();
        assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("journal");
    let (journal, _) = open(&folder);
    journal.append("secret").unwrap();
    journal.flush().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&only_file(&folder)), 0o600);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is missing at the end, or broken anywhere: what is read is the beginning of what
    /// was written, all that is before the damage, and the journal goes on from there.
    #[test]
    fn a_damaged_journal_keeps_what_is_before_the_damage(
        sizes in prop::collection::vec(0..200_usize, 1..20),
        place in any::<prop::sample::Index>(),
        flip in prop::option::of(1..=255_u8),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let records: Vec<Vec<u8>> =
            sizes.iter().enumerate().map(|(n, size)| vec![n as u8; *size]).collect();
        let (journal, _) = open(folder.path());
        for record in &records {
            journal.append_bytes(record).unwrap();
        }
        drop(journal);
        let path = only_file(folder.path());
        let mut content = fs::read(&path).unwrap();
        let header = 24;
        let at = header + place.index(content.len() - header);
        match flip {
            Some(bits) => content[at] ^= bits,
            None => content.truncate(at),
        }
        fs::write(&path, &content).unwrap();
        // The records that end before the damage.
        let mut end = header;
        let whole = records.iter().take_while(|record| {
            end += 12 + record.len();
            end <= at
        });
        let whole: Vec<Vec<u8>> = whole.cloned().collect();
        let (journal, recovered) = open(folder.path());
        prop_assert_eq!(&recovered.records, &whole);
        let kept = header + whole.iter().map(|record| 12 + record.len()).sum::<usize>();
        prop_assert_eq!(recovered.torn_bytes as usize, content.len() - kept);
        if let Some(torn) = &recovered.torn_file {
            prop_assert_eq!(fs::read(torn).unwrap(), &content[kept..]);
        }
        journal.append_bytes(b"after").unwrap();
        drop(journal);
        let (_, recovered) = open(folder.path());
        prop_assert_eq!(recovered.records.len(), whole.len() + 1);
        prop_assert_eq!(recovered.torn_bytes, 0);
    }
}
