//! The thread that writes a journal.
//!
//! It sleeps until something is there, waits a moment for more, and writes all of it at once. It
//! ends when the journal is closed and nothing is left.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::file::{LogFile, RECORD_HEADER, frame};
use super::{JournalError, JournalOptions};

/// What the journal and its thread share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something to write, or the end.
    work: Condvar,
    /// Something was written, or failed.
    progress: Condvar,
    most_waiting: usize,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Work>,
    waiting_bytes: usize,
    appended: u64,
    durable: u64,
    /// The pieces of work that were given, and those that are done.
    given: u64,
    done: u64,
    length: u64,
    compacted: u64,
    failure: Option<JournalError>,
    compaction_failure: Option<JournalError>,
    closing: bool,
    ended: bool,
}

#[derive(Debug)]
enum Work {
    /// Records, one after the other; where each ends.
    Records {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    Compact(Vec<Bytes>),
}

impl Shared {
    pub(super) fn new(options: &JournalOptions, length: u64) -> Self {
        Self {
            state: Mutex::new(State { length, ..State::default() }),
            work: Condvar::new(),
            progress: Condvar::new(),
            most_waiting: options.waiting_bytes,
        }
    }

    pub(super) fn append(&self, record: &[u8]) -> Result<u64, JournalError> {
        let mut state = self.state.lock();
        while state.waiting_bytes > self.most_waiting && state.failure.is_none() && !state.ended {
            self.progress.wait(&mut state);
        }
        state.check()?;
        if !matches!(state.waiting.back(), Some(Work::Records { .. })) {
            state.waiting.push_back(Work::Records { bytes: Vec::new(), ends: Vec::new() });
            state.given += 1;
        }
        if let Some(Work::Records { bytes, ends }) = state.waiting.back_mut() {
            bytes.extend_from_slice(record);
            ends.push(bytes.len());
        }
        state.waiting_bytes += record.len() + RECORD_HEADER;
        state.appended += 1;
        let number = state.appended;
        drop(state);
        self.work.notify_one();
        Ok(number)
    }

    pub(super) fn compact(&self, records: Vec<Bytes>) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        state.check()?;
        state.waiting.push_back(Work::Compact(records));
        state.given += 1;
        state.compaction_failure = None;
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        let given = state.given;
        while state.done < given {
            state.check()?;
            self.progress.wait(&mut state);
        }
        // What was given up is done too.
        state.failure.clone().map_or(Ok(()), Err)
    }

    pub(super) fn durable(&self) -> u64 {
        self.state.lock().durable
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.length + state.waiting_bytes as u64, state.compacted)
    }

    pub(super) fn compaction_failure(&self) -> Option<JournalError> {
        self.state.lock().compaction_failure.clone()
    }

    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_one();
    }

    /// The next piece of work, after a moment in which more may come; `None` at the end.
    fn next(&self, options: &JournalOptions) -> Option<Work> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if state.closing {
                return None;
            }
            self.work.wait(&mut state);
        }
        let until = Instant::now() + options.collect;
        while !state.closing && state.waiting.len() == 1 {
            if self.work.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.waiting.pop_front()
    }
}

impl State {
    fn check(&self) -> Result<(), JournalError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if self.closing || self.ended => Err(JournalError::Closed),
            None => Ok(()),
        }
    }
}

/// Sees to it that nobody waits for a thread that is gone, whatever ended it.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.progress.notify_all();
    }
}

/// The body of the thread.
pub(super) fn run(shared: &Shared, mut file: LogFile, options: &JournalOptions) {
    let _ending = Ending(shared);
    let mut batch = Vec::new();
    while let Some(work) = shared.next(options) {
        let mut compaction = None;
        let result = match &work {
            Work::Records { bytes, ends } => {
                batch.clear();
                let mut start = 0;
                for end in ends {
                    let record = bytes.get(start..*end).unwrap_or_default();
                    frame(&mut batch, record, file.generation(), file.length());
                    start = *end;
                }
                file.write(&batch, options.sync)
            }
            Work::Compact(records) => {
                compaction = Some(file.replaced(records).map(|next| file = next));
                Ok(())
            }
        };
        let mut state = shared.state.lock();
        state.done += 1;
        state.length = file.length();
        match compaction {
            Some(Ok(())) => state.compacted = file.length(),
            Some(Err(failure)) => state.compaction_failure = Some(failure),
            None => {}
        }
        if let Work::Records { bytes, ends } = &work {
            state.waiting_bytes =
                state.waiting_bytes.saturating_sub(bytes.len() + ends.len() * RECORD_HEADER);
            if result.is_ok() {
                state.durable += ends.len() as u64;
            }
        }
        let durable = state.durable;
        let failed = result.is_err();
        if let Err(failure) = result {
            // What comes after a hole would not be read: nothing more is taken.
            state.failure = Some(failure);
            state.waiting.clear();
        }
        drop(state);
        shared.progress.notify_all();
        if failed {
            return;
        }
        if let Some(told) = &options.on_durable {
            told(durable);
        }
    }
}
