//! What a worker and a client are given from outside: how operations run, and how values travel.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use samite_runtime::Value;
use samite_scheduling::TaskKey;

use crate::encoded::Encoded;
use crate::worker::{Place, WorkerHandle};

/// An operation that was made ready.
pub type Loaded = Arc<dyn Any + Send + Sync>;

/// Why something was not done.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It failed.
    Raised {
        /// What was wrong, in a line.
        text: String,
        /// The error, for a client to raise; without frames there is only the text.
        error: Encoded,
    },
    /// The task asked to be run again, perhaps elsewhere.
    Reschedule,
}

impl Failure {
    /// A failure that is only a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Raised { text: text.into(), error: Encoded::default() }
    }
}

/// What an operation is told about the task that it runs for.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// The worker.
    pub worker: Arc<WorkerHandle>,
    /// The task.
    pub task: TaskKey,
    /// How often the task was tried before.
    pub attempt: u32,
    /// Set when the result is not wanted any more.
    pub cancelled: Arc<AtomicBool>,
    /// Its place among the tasks that the worker runs at once; a call has none.
    pub(crate) place: Option<Arc<Place>>,
}

impl TaskContext {
    /// Lets the worker run another task beside this one, which is going to wait; whether it did.
    pub fn secede(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.leave())
    }

    /// Takes the place back.
    pub fn rejoin(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.come_back())
    }
}

/// Whose memory frames are when an object is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody else has these frames: the object may write to its memory.
    Alone,
    /// Others read them: the object gets copies, which it may write to.
    Others,
    /// Others read them: the object sees their memory and may not write to it.
    ReadOnly,
}

/// How operations run and values travel: the part of a worker or client that knows the language.
pub trait Executor: Send + Sync + 'static {
    /// Makes an operation ready that came from a client, for the task that needs it first.
    ///
    /// # Errors
    /// Where it cannot be read: a module is missing, most often.
    fn load(&self, payload: &Encoded, context: &TaskContext) -> Result<Loaded, Failure>;

    /// Runs one operation. `inputs` are the values of the task's dependencies, in order.
    ///
    /// # Errors
    /// What it failed with.
    fn run(
        &self,
        operation: &Loaded,
        index: u32,
        context: &TaskContext,
        inputs: Vec<Value>,
    ) -> Result<Value, Failure>;

    /// A value as bytes.
    ///
    /// # Errors
    /// Where it has none.
    fn encode(&self, value: &Value) -> Result<Encoded, Failure>;

    /// The value of bytes. The owner of the frames decides whether it may keep them and write to
    /// them.
    ///
    /// # Errors
    /// Where they are none.
    fn decode(&self, encoded: Encoded, owner: Owner) -> Result<Value, Failure>;

    /// Wraps all that a thread of a worker does. Must call `body` once.
    fn thread(&self, body: &mut dyn FnMut());

    /// Wraps a series of runs. Must call `body` once.
    fn batch(&self, body: &mut dyn FnMut());

    /// Gives back memory that it can do without; called now and then while memory is short.
    fn relieve(&self) {}

    /// Carries out what a client asks of a worker, besides tasks.
    ///
    /// # Errors
    /// What it failed with.
    fn call(&self, payload: Encoded, context: &TaskContext) -> Result<Encoded, Failure>;
}
