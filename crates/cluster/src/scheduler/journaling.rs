//! What a scheduler writes down, to go on after it was killed.
//!
//! The lines of a batch of messages are one record of the journal. Clients keep what they have sent
//! until the record that follows from it is durable, and send it again to a scheduler that was
//! started anew: so nothing has to wait for the disk. Numbers of graphs and members are reserved in
//! blocks before they are used, since workers may hold values of graphs that were never written.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use samite_graph::TaskId;
use samite_scheduling::{GraphId, Record, TaskKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::core::Core;
use super::members::ClientId;
use super::names::GraphRecord;
use crate::encoded::{self, Encoded};
use crate::error::ClusterError;
use crate::journal::{Durable, Journal, JournalError, JournalOptions, Recovered};
use crate::plain::Plain;
use crate::protocol::{Erred, Key, ToClient};
use crate::transport::Address;

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Line {
    /// Who the scheduler is.
    Identity {
        id: String,
    },
    /// Numbers below these may have been used.
    Reserved {
        graphs: u32,
        workers: u32,
        clients: u64,
    },
    /// The operations of a graph, the names of its outputs and those it keeps and holds; before the
    /// machine's record of it.
    Graph {
        graph: GraphId,
        operations: Vec<Encoded>,
        outputs: Vec<(TaskId, Key)>,
        keeps: Vec<Key>,
        holds: Vec<Key>,
    },
    /// What the machine says.
    Machine(Record),
    /// What a task failed with.
    Error {
        task: TaskKey,
        erred: Arc<Erred>,
    },
    /// A worker that was lost with a task.
    Suspect {
        task: TaskKey,
        address: String,
    },
    WorkerCame {
        address: Address,
    },
    WorkerWent {
        address: Address,
    },
    ClientCame {
        client: u64,
    },
    ClientWent {
        client: u64,
    },
    /// A request that changed what is kept by name.
    Request {
        name: String,
        arguments: Plain,
    },
}

/// How many numbers are reserved at once.
const BLOCK: u32 = 1 << 16;
/// A journal that could not be written is tried again after this time.
const AGAIN: Duration = Duration::from_secs(30);

/// The requests by which data sets, metadata, plugins, events and variables have come to be as they
/// are: the last one of each.
#[derive(Debug, Default)]
struct Kept {
    next: u64,
    by_subject: BTreeMap<(&'static str, Vec<String>), (u64, String, Plain)>,
}

impl Kept {
    /// Takes note of a request that was carried out; whether it has to be written.
    fn note(&mut self, name: &str, arguments: &Plain) -> bool {
        let text = |of: &str| {
            arguments.get(of).and_then(Plain::as_text).map(str::to_owned).unwrap_or_default()
        };
        let (kind, keeps) = match name {
            "publish" => ("dataset", true),
            "unpublish" => ("dataset", false),
            "set_metadata" => ("metadata", true),
            "register_plugin" => ("plugin", true),
            "unregister_plugin" => ("plugin", false),
            "event_set" => ("event", true),
            "event_clear" => ("event", false),
            "variable_set" => ("variable", true),
            "variable_delete" => ("variable", false),
            "semaphore_create" => ("semaphore", true),
            "semaphore_close" => ("semaphore", false),
            "queue_create" => ("queue", true),
            "queue_close" => ("queue", false),
            _ => return false,
        };
        let subject = match kind {
            "metadata" => {
                let path = arguments.get("keys").map(Plain::texts).unwrap_or_default();
                path.into_iter().map(str::to_owned).collect()
            }
            "plugin" => vec![text("kind"), text("name")],
            _ => vec![text("name")],
        };
        if kind == "metadata" {
            // What stands below a path goes with it.
            self.by_subject.retain(|(other, path), _| {
                *other != kind || path == &subject || !path.starts_with(&subject)
            });
        }
        let first_counts = matches!(kind, "semaphore" | "queue");
        if !keeps {
            self.by_subject.remove(&(kind, subject));
        } else if !(first_counts && self.by_subject.contains_key(&(kind, subject.clone()))) {
            self.next += 1;
            let request = (self.next, name.to_owned(), arguments.clone());
            self.by_subject.insert((kind, subject), request);
        }
        true
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        let mut requests: Vec<_> = self.by_subject.values().collect();
        requests.sort_unstable_by_key(|(order, ..)| *order);
        requests.into_iter().map(|(_, name, arguments)| Line::Request {
            name: name.clone(),
            arguments: arguments.clone(),
        })
    }
}

/// What a client hears when something is durable.
enum Notice {
    /// It need not keep this message any more.
    Acknowledged(u64),
    /// The answer to what it asked.
    Answer(ToClient),
}

/// The journal of a scheduler, with what was not written yet.
pub(super) struct Journaling {
    folder: PathBuf,
    /// `None` while it cannot be written.
    journal: Option<Journal>,
    /// Makes what tells the scheduler's thread that something is durable.
    waker: Box<dyn Fn() -> Durable + Send>,
    lines: Vec<Line>,
    kept: Kept,
    /// What clients hear when a record is durable.
    waiting: VecDeque<(u64, ClientId, Notice)>,
    /// What they hear when the present batch is.
    handled: Vec<(ClientId, Notice)>,
    /// Whether the request that is carried out is part of the present batch.
    noted: bool,
    reserved: (u32, u32, u64),
    retry_at: Option<Instant>,
    /// When a shorter journal was asked for, and how long the shorter one before it was.
    compacting: Option<(Instant, u64)>,
}

impl Journaling {
    /// Opens the journal of a folder, and reads what is there.
    pub(super) fn open(
        folder: &Path,
        waker: Box<dyn Fn() -> Durable + Send>,
    ) -> Result<(Self, Vec<Line>, Recovered), ClusterError> {
        let options = JournalOptions { on_durable: Some(waker()), ..JournalOptions::default() };
        let (journal, mut recovered) = Journal::open(folder, options)?;
        let mut lines = Vec::new();
        for record in std::mem::take(&mut recovered.records) {
            lines.extend(encoded::from_record::<Line>(record)?);
        }
        let journaling = Self {
            folder: folder.to_owned(),
            journal: Some(journal),
            waker,
            lines: Vec::new(),
            kept: Kept::default(),
            waiting: VecDeque::new(),
            handled: Vec::new(),
            noted: false,
            reserved: (0, 0, 0),
            retry_at: None,
            compacting: None,
        };
        Ok((journaling, lines, recovered))
    }

    pub(super) fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// When something is to be tried again.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// A message of a client was handled, and its lines are in this batch.
    pub(super) fn handled(&mut self, client: ClientId, number: u64) {
        self.handled.push((client, Notice::Acknowledged(number)));
    }

    /// Keeps an answer back that says that something was kept, until it is; gives others back.
    pub(super) fn keeps_back(&mut self, client: ClientId, answer: ToClient) -> Option<ToClient> {
        if !self.noted || self.journal.is_none() {
            return Some(answer);
        }
        self.handled.push((client, Notice::Answer(answer)));
        None
    }

    /// A request was carried out, and answered or not.
    pub(super) fn request_over(&mut self) {
        self.noted = false;
    }

    /// Notes a request that was carried out.
    pub(super) fn requested(&mut self, name: &str, arguments: &Plain) {
        if self.kept.note(name, arguments) {
            let line = Line::Request { name: name.to_owned(), arguments: arguments.clone() };
            self.lines.push(line);
            self.noted = true;
        }
    }

    /// Hands the batch to the journal.
    fn write(&mut self) -> Result<(), String> {
        if self.lines.is_empty() && self.handled.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        let Some(journal) = &self.journal else { return Ok(()) };
        let record = encoded::to_record(&lines).map_err(|failed| failed.to_string())?;
        let number = journal.append_bytes(&record).map_err(|failed| failed.to_string())?;
        let handled = self.handled.drain(..).map(|(client, message)| (number, client, message));
        self.waiting.extend(handled);
        Ok(())
    }

    /// Whether the journal is long, and no shorter one is being written.
    fn is_worth_compacting(&mut self) -> bool {
        let Some(journal) = self.journal.as_ref().filter(|found| found.is_worth_compacting())
        else {
            return false;
        };
        let (_, compacted) = journal.bytes();
        let now = Instant::now();
        let under_way = self
            .compacting
            .is_some_and(|(asked, before)| before == compacted && now < asked + AGAIN);
        if !under_way {
            self.compacting = Some((now, compacted));
        }
        !under_way
    }

    /// Waits until what was written is durable.
    fn flush(&mut self) -> Result<(), String> {
        self.write()?;
        match &self.journal {
            Some(journal) => journal.flush().map_err(|failed: JournalError| failed.to_string()),
            None => Ok(()),
        }
    }

    /// Forgets everything: the scheduler ends in order, and nothing is to go on.
    pub(super) fn clear(&mut self) {
        if let Some(journal) = self.journal.take() {
            // Where that fails, the next scheduler finds results that nobody asks for, and drops them.
            _ = journal.compact(Vec::new()).and_then(|()| journal.flush());
        }
    }

    /// What clients hear now that records are durable.
    fn due(&mut self, durable: u64) -> Vec<(ClientId, ToClient)> {
        let mut numbers: BTreeMap<ClientId, Vec<u64>> = BTreeMap::new();
        let mut told = Vec::new();
        while self.waiting.front().is_some_and(|(record, ..)| *record <= durable) {
            match self.waiting.pop_front() {
                Some((_, client, Notice::Acknowledged(number))) => {
                    numbers.entry(client).or_default().push(number);
                }
                Some((_, client, Notice::Answer(answer))) => told.push((client, answer)),
                None => break,
            }
        }
        let acknowledged = |(client, numbers)| (client, ToClient::Acknowledged { numbers });
        told.extend(numbers.into_iter().map(acknowledged));
        told
    }
}

impl Core {
    /// Writes a line, where there is a journal.
    pub(super) fn note(&mut self, line: impl FnOnce() -> Line) {
        if let Some(journaling) = &mut self.journaling {
            journaling.push(line());
        }
    }

    /// Sees to it that the numbers that are given next are reserved.
    pub(super) fn reserve(&mut self) {
        let Some(journaling) = &mut self.journaling else { return };
        let (graphs, workers, clients) = journaling.reserved;
        let enough =
            self.next_graph < graphs && self.next_worker < workers && self.next_client < clients;
        if enough {
            return;
        }
        let graphs = self.next_graph.saturating_add(BLOCK);
        let workers = self.next_worker.saturating_add(BLOCK);
        let clients = self.next_client.saturating_add(u64::from(BLOCK));
        journaling.reserved = (graphs, workers, clients);
        journaling.push(Line::Reserved { graphs, workers, clients });
        if let Err(failed) = journaling.flush() {
            self.journal_failed(&failed);
        }
    }

    /// Hands what was noted to the journal, before anybody is told of it.
    pub(super) fn write_journal(&mut self) {
        let Some(journaling) = &mut self.journaling else { return };
        if journaling.journal.is_none() {
            journaling.lines.clear();
            let handled = std::mem::take(&mut journaling.handled);
            journaling
                .waiting
                .extend(handled.into_iter().map(|(client, notice)| (0, client, notice)));
            return self.durable(u64::MAX);
        }
        if let Err(failed) = journaling.write() {
            self.journal_failed(&failed);
            return;
        }
        if self.restoring.is_none() && journaling.is_worth_compacting() {
            self.compact_journal();
        }
    }

    /// Records up to this one are durable.
    pub(super) fn durable(&mut self, record: u64) {
        let Some(journaling) = &mut self.journaling else { return };
        for (client, message) in journaling.due(record) {
            self.tell_client(client, message);
        }
    }

    /// The journal cannot be written: the scheduler goes on without, and tries again later.
    pub(super) fn journal_failed(&mut self, why: &str) {
        let folder = match &mut self.journaling {
            Some(journaling) => {
                journaling.journal = None;
                journaling.retry_at = Some(Instant::now() + AGAIN);
                journaling.folder.display().to_string()
            }
            None => return,
        };
        self.log_loudly(
            "ERROR",
            format!(
                "{why}; the scheduler goes on without its journal in {folder}, and what is \
                 submitted from now on does not survive it; it tries again in {} s",
                AGAIN.as_secs()
            ),
        );
        // Nobody needs to keep anything for what will never be written.
        self.durable(u64::MAX);
        self.write_journal();
    }

    /// Tries to write the journal anew, where that is due.
    pub(super) fn retry_journal(&mut self, now: Instant) {
        let Some(journaling) = &mut self.journaling else { return };
        if journaling.retry_at.is_none_or(|at| at > now) {
            return;
        }
        journaling.retry_at = Some(now + AGAIN);
        let on_durable = Some((journaling.waker)());
        let options = JournalOptions { on_durable, ..JournalOptions::default() };
        let Ok((journal, _)) = Journal::open(&journaling.folder, options) else { return };
        journaling.waiting.clear();
        journaling.journal = Some(journal);
        journaling.retry_at = None;
        self.journal_from_here();
        if self.journaling.as_ref().is_some_and(|journaling| journaling.journal.is_some()) {
            self.log_loudly("INFO", String::from("the journal is written again"));
        }
    }

    /// Begins a journal that describes the present state, and reserves numbers.
    pub(super) fn begin_journal(&mut self, journaling: Journaling) {
        self.journaling = Some(journaling);
        self.journal_from_here();
    }

    fn journal_from_here(&mut self) {
        let Some(journaling) = &mut self.journaling else { return };
        let blocks = |number: u32| number.saturating_add(BLOCK);
        let clients = self.next_client.saturating_add(u64::from(BLOCK));
        journaling.reserved = (blocks(self.next_graph), blocks(self.next_worker), clients);
        journaling.lines.clear();
        self.compact_journal();
        if let Some(journal) = self.journaling.as_ref().and_then(|found| found.journal.as_ref()) {
            let failed = journal.flush().err().or_else(|| journal.compaction_failure());
            if let Some(failed) = failed {
                self.journal_failed(&failed.to_string());
            }
        }
    }

    /// Replaces the journal by a shorter one of the same meaning.
    pub(super) fn compact_journal(&mut self) {
        const LINES: usize = 4096;
        let lines = self.journal_lines();
        let mut records = Vec::new();
        for lines in lines.chunks(LINES) {
            match encoded::to_record(lines) {
                Ok(record) => records.push(record.into()),
                Err(failed) => return self.journal_failed(&failed.to_string()),
            }
        }
        let Some(journaling) = &mut self.journaling else { return };
        let Some(journal) = &journaling.journal else { return };
        if let Err(failed) = journal.compact(records) {
            self.journal_failed(&failed.to_string());
        }
    }

    /// All that leads to the present state.
    fn journal_lines(&self) -> Vec<Line> {
        let mut lines = vec![Line::Identity { id: self.id.clone() }];
        let Some(journaling) = &self.journaling else { return lines };
        let (graphs, workers, clients) = journaling.reserved;
        lines.push(Line::Reserved { graphs, workers, clients });
        let came =
            |worker: &super::members::Worker| Line::WorkerCame { address: worker.address.clone() };
        lines.extend(self.workers.values().map(came));
        let lasting = self.clients.iter().filter(|(_, client)| client.lasts);
        lines.extend(lasting.map(|(client, _)| Line::ClientCame { client: client.0 }));
        lines.extend(self.missing_members());
        let mut graphs: Vec<(GraphId, &GraphRecord)> = self
            .machine
            .graph_ids()
            .filter_map(|id| Some((id, &**self.names.graphs.get(&id)?)))
            .collect();
        graphs.sort_unstable_by_key(|(id, _)| *id);
        for (graph, record) in graphs {
            lines.push(record.line(graph, self.names.left_of(graph)));
            let Some(rare) = record.rare() else { continue };
            let mut errors: Vec<_> = rare.errors.iter().collect();
            errors.sort_unstable_by_key(|(task, _)| **task);
            lines.extend(errors.into_iter().map(|(task, erred)| Line::Error {
                task: TaskKey { graph, task: *task },
                erred: erred.clone(),
            }));
            let mut suspects: Vec<_> = rare.suspects.iter().collect();
            suspects.sort_unstable_by_key(|(task, _)| **task);
            for (task, addresses) in suspects {
                let task = TaskKey { graph, task: *task };
                lines.extend(
                    addresses
                        .iter()
                        .map(|address| Line::Suspect { task, address: address.clone() }),
                );
            }
        }
        lines.extend(self.machine.snapshot().into_iter().map(Line::Machine));
        lines.extend(journaling.kept.lines());
        lines
    }
}

impl GraphRecord {
    /// What the journal says of it; `left` are names of its results that only graphs keep.
    pub(super) fn line(&self, graph: GraphId, left: Vec<(TaskId, Key)>) -> Line {
        let rare = self.rare();
        let more = rare.into_iter().flat_map(|rare| &rare.more_names);
        let more = more.flat_map(|(task, keys)| keys.iter().map(|key| (*task, key.clone())));
        let first = self.outputs.iter().map(|(task, key)| (task, key.clone()));
        let mut outputs: Vec<(TaskId, Key)> = first.chain(more).chain(left).collect();
        outputs.sort_unstable();
        Line::Graph {
            graph,
            operations: self.operations.clone(),
            outputs,
            keeps: rare.map(|rare| rare.keeps.clone()).unwrap_or_default(),
            holds: rare.map(|rare| rare.holds.clone()).unwrap_or_default(),
        }
    }
}
