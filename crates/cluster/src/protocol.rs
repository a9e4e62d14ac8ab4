//! The messages. A parcel is a list of them, in order.

use std::sync::Arc;
use std::time::Duration;

use samite_graph::{OperationId, Plan, Step, TaskId};
use samite_runtime::Value;
use samite_scheduling::{
    Attempt, Event, FailureCause, GraphId, Portion, Priority, Source, TaskKey, TaskOptions,
    WorkerId, WorkerOptions,
};
use serde::{Deserialize, Serialize};

use crate::encoded::Encoded;
pub(crate) use crate::key::Key;
use crate::nesting::inside;
use crate::plain::{Fault, Plain};
use crate::transport::Address;

/// A value in a message.
#[derive(Clone, Serialize, Deserialize)]
pub enum Carried {
    /// As bytes.
    Encoded(Encoded),
    /// The part that was asked for, of a value in parts.
    Part(Encoded),
    /// There is one, and it has no form in bytes: why.
    Broken {
        /// In a line.
        text: String,
        /// The error.
        error: Encoded,
    },
    /// As it is, to a peer in this process.
    #[serde(skip)]
    Local(Value),
}

impl Carried {
    /// The bytes that it takes.
    pub(crate) fn nbytes(&self) -> u64 {
        match self {
            Self::Encoded(encoded) | Self::Part(encoded) => encoded.nbytes() as u64,
            Self::Broken { error, .. } => error.nbytes() as u64,
            Self::Local(value) => value.nbytes() as u64,
        }
    }
}

impl std::fmt::Debug for Carried {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Encoded(encoded) | Self::Part(encoded) => encoded.fmt(formatter),
            Self::Broken { text, .. } => write!(formatter, "Broken({text})"),
            Self::Local(_) => formatter.write_str("Local"),
        }
    }
}

/// What the operations of a plan are, by number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// What workers load.
    pub payload: Encoded,
}

/// A graph as a client submits it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// The tasks.
    pub plan: Plan,
    /// What the plan's operations are.
    pub operations: Vec<Operation>,
    /// The names of the plan's outputs, in order.
    pub outputs: Vec<Key>,
    /// Tasks that stand for results which have names already.
    pub imports: Vec<(TaskId, Key)>,
    /// The rows that the plan's annotations point at.
    pub annotations: Vec<TaskOptions>,
    /// How long (in nanoseconds) after the first of a generation of graphs this one still belongs
    /// to it; see [`samite_scheduling::Submission::together`].
    pub together: u64,
}

impl Submission {
    /// The bytes of what workers load.
    #[must_use]
    pub fn nbytes(&self) -> usize {
        self.operations.iter().map(|operation| operation.payload.nbytes()).sum()
    }
}

/// Who a member is: the first message of a connection to the scheduler.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Hello {
    /// `before` is the number that an earlier connection of this client had.
    Client {
        name: String,
        before: Option<u64>,
    },
    Worker {
        options: WorkerOptions,
        address: Address,
        about: Plain,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum FromClient {
    Hello(Hello),
    /// A message that the client keeps until the scheduler has it on its disk.
    Keep {
        number: u64,
        #[serde(deserialize_with = "inside")]
        message: Box<FromClient>,
    },
    /// The client has connected anew, and wants these: results that it knows to have been
    /// submitted, and others.
    Attached {
        submitted: Vec<Key>,
        others: Vec<Key>,
    },
    Submit(Box<Submission>),
    Retain(Vec<Key>),
    Release(Vec<Key>),
    Cancel {
        keys: Vec<Key>,
        reason: String,
        /// Also for other clients that want them.
        force: bool,
    },
    Retry(Vec<Key>),
    /// Where are the values of these?
    Locate {
        id: u64,
        keys: Vec<Key>,
    },
    /// The values of these, through the scheduler.
    Fetch {
        id: u64,
        keys: Vec<Key>,
    },
    /// A worker does not hold a value that it should.
    Missing {
        task: TaskKey,
        holder: Address,
    },
    /// Values for workers to hold.
    Scatter {
        id: u64,
        keys: Vec<Key>,
        values: Vec<Carried>,
        sizes: Vec<u64>,
        workers: Vec<String>,
        copies: u32,
        /// Results that the values name, and that are kept as long as these are.
        holds: Vec<Key>,
    },
    Request {
        id: u64,
        name: String,
        arguments: Plain,
    },
}

/// Where a value is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Location {
    pub(crate) task: TaskKey,
    pub(crate) holders: Vec<Address>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) key: Key,
    pub(crate) bytes: u64,
    pub(crate) value: Option<Carried>,
}

/// Why a result cannot be had.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Erred {
    /// A task raised an error.
    Raised {
        /// In a line.
        text: String,
        /// The error.
        error: Encoded,
    },
    /// A task was on workers, one after the other, that were lost with it.
    KilledWorker {
        /// The last workers.
        workers: Vec<String>,
    },
    /// Data that a client brought is on no worker any more.
    DataLost,
    /// A result that it needs was released or cancelled.
    Cancelled,
    /// No worker that may run a task came in time.
    NoWorker {
        /// The time, in milliseconds.
        milliseconds: u64,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ToClient {
    Welcome {
        client: u64,
        scheduler: String,
        about: Plain,
    },
    Ready(Ready),
    Erred {
        key: Key,
        origin: String,
        erred: Arc<Erred>,
    },
    Cancelled {
        key: Key,
        reason: String,
    },
    Pending {
        key: Key,
    },
    Located {
        id: u64,
        places: Vec<Option<Location>>,
    },
    Fetched {
        id: u64,
        values: Vec<Option<Carried>>,
    },
    Reply {
        id: u64,
        answer: Result<Plain, Fault>,
    },
    Event {
        topic: String,
        event: Plain,
    },
    /// These messages are on the scheduler's disk, or will never be.
    Acknowledged {
        numbers: Vec<u64>,
    },
}

/// What a task runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum RunWork {
    Single(OperationId, u32),
    Fused(Vec<StepWork>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StepWork {
    pub(crate) operation: OperationId,
    pub(crate) index: u32,
    /// Dependencies as they are, steps as their bitwise complement.
    pub(crate) inputs: Vec<i64>,
}

impl From<&Step> for StepWork {
    fn from(step: &Step) -> Self {
        use samite_graph::StepInput;
        let input = |input: &StepInput| match input {
            StepInput::Dependency(place) => i64::from(*place),
            StepInput::Step(place) => !i64::from(*place),
        };
        Self {
            operation: step.operation,
            index: step.index,
            inputs: step.inputs.iter().map(input).collect(),
        }
    }
}

/// The number of the calls that make a worker ready which has just come: its plugins.
pub(crate) const PREPARE: u64 = u64::MAX;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker {
    Welcome {
        worker: WorkerId,
        about: Plain,
    },
    Operation {
        graph: GraphId,
        operation: OperationId,
        payload: Encoded,
    },
    Run {
        task: TaskKey,
        attempt: Attempt,
        priority: Priority,
        work: RunWork,
        inputs: Box<[TaskKey]>,
        sources: Box<[Source]>,
        /// Whether a small value is wanted by a client.
        wanted: bool,
        /// The part that it reads of inputs in parts.
        part: Option<u32>,
    },
    Peer {
        worker: WorkerId,
        address: Address,
    },
    Free {
        task: TaskKey,
    },
    Cancel {
        task: TaskKey,
        attempt: Attempt,
    },
    Steal {
        task: TaskKey,
        attempt: Attempt,
    },
    Replicate {
        task: TaskKey,
        source: WorkerId,
    },
    Put {
        task: TaskKey,
        value: Carried,
        bytes: u64,
    },
    Forget {
        graph: GraphId,
    },
    /// A call of Python; those with the number [`PREPARE`] are carried out one after the other, and
    /// tasks wait for them.
    Call {
        id: u64,
        payload: Encoded,
    },
    /// The values of tasks, for a client that cannot ask this worker itself.
    Get {
        id: u64,
        tasks: Vec<TaskKey>,
        local: bool,
    },
    Close {
        reason: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker {
    Hello(Hello),
    Report(Event),
    Finished {
        event: Event,
        value: Option<Carried>,
    },
    Failed {
        event: Event,
        text: String,
        error: Encoded,
    },
    Values {
        id: u64,
        values: Vec<Option<Carried>>,
    },
    Called {
        id: u64,
        answer: Result<Encoded, (String, Encoded)>,
    },
    Status {
        status: Plain,
    },
    Event {
        topic: String,
        event: Plain,
    },
    /// All that the worker held when it connected is told.
    Reported,
    Leaving,
}

/// Between workers, and from clients to workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum PeerMessage {
    Get { id: u64, portions: Vec<Portion> },
    Values { id: u64, values: Vec<Option<Carried>> },
}

/// The cause of a failure that the scheduler found by itself; tasks wait for workers no longer than
/// `patience`.
pub(crate) fn erred(cause: FailureCause, workers: &[String], patience: Duration) -> Erred {
    match cause {
        FailureCause::WorkersLost { .. } => Erred::KilledWorker { workers: workers.to_vec() },
        FailureCause::DataLost => Erred::DataLost,
        FailureCause::OriginGone | FailureCause::Cancelled => Erred::Cancelled,
        FailureCause::NoWorker => Erred::NoWorker {
            milliseconds: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        },
        FailureCause::Error => {
            Erred::Raised { text: "a task failed".to_owned(), error: Encoded::default() }
        }
    }
}
