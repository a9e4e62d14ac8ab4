//! A journal on a disk that is full. The limit on files is the process's, so this is its only test.
#![cfg(unix)]

use samite_cluster::journal::{Journal, JournalError, JournalOptions};

#[test]
fn a_full_disk_is_reported_and_costs_only_what_was_not_durable() {
    let folder = tempfile::tempdir().unwrap();
    let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 20 };
    // SAFETY: the limit is a valid structure, and the signal is only ignored.
    unsafe {
        assert_ne!(libc::signal(libc::SIGXFSZ, libc::SIG_IGN), libc::SIG_ERR);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
    let (journal, _) = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    let record = vec![7_u8; 100_000];
    let mut kept = 0;
    let error = loop {
        match journal.append_bytes(&record).and_then(|_| journal.flush()) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the limit is not felt");
    };
    assert!(matches!(error, JournalError::File { doing: "write", .. }), "{error}");
    assert!(journal.append_bytes(&record).is_err());
    assert!(journal.flush().is_err());
    assert_eq!(journal.durable(), kept);
    drop(journal);
    let (_, recovered) = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    assert_eq!(recovered.records.len() as u64, kept);
    assert_eq!(recovered.torn_bytes, 0);
}
