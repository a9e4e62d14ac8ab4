//! What workers and clients of this process do with operations and values: the Python side.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use pyo3::exceptions::{PyAttributeError, PyImportError, PyMemoryError, PyRuntimeError};
use pyo3::prelude::*;
use samite::array::kernels::reduce::{Bundle, Partial};
use samite::array::{Chunk, DType, Pieces};
use samite::cluster::{Encoded, Executor, Failure, Key, Loaded, Owner, Parts, TaskContext};
use samite::runtime::{Context, Guard as _, Unit, Value};
use serde::{Deserialize, Serialize};

use crate::arrays::convert::NativeValue;
use crate::cluster::frames::{self, Memory};
use crate::cluster::parts;
use crate::cluster::payload::{Batch, Step};
use crate::error;
use crate::gil::{self, PlainGuard};
use crate::helpers;
use crate::pickled::PickledValue;
use crate::value::{PyValue, to_python};

/// How a value is encoded: the `kind` of [`Encoded`].
mod kind {
    pub(super) const PICKLE: u8 = 0;
    pub(super) const CHUNK: u8 = 1;
    pub(super) const PARTIAL: u8 = 2;
    pub(super) const BUNDLE: u8 = 3;
    pub(super) const UNIT: u8 = 4;
    pub(super) const PARTS: u8 = 5;
}

/// The kind of pickled objects.
pub const PICKLED: u8 = kind::PICKLE;

/// Runs batches of Python calls and native tasks.
pub struct PyExecutor;

thread_local! {
    /// The task that this thread runs.
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

type Current = (TaskContext, Option<Key>);

/// The task that this thread runs, if it runs one; without a key where it carries out a call.
pub fn current<T>(read: impl FnOnce(&TaskContext, Option<&Key>) -> T) -> Option<T> {
    let current = CURRENT.with_borrow(Clone::clone);
    current.map(|(context, key)| read(&context, key.as_ref()))
}

struct CurrentMark(Option<Current>);

impl CurrentMark {
    fn set(context: &TaskContext, key: Option<&Key>) -> Self {
        let current = (context.clone(), key.cloned());
        note_running(Some(&current));
        Self(CURRENT.replace(Some(current)))
    }
}

impl Drop for CurrentMark {
    fn drop(&mut self) {
        let before = self.0.take();
        note_running(before.as_ref());
        CURRENT.set(before);
    }
}

/// The tasks that threads of this process run, by Python's number of the thread.
static RUNNING: Mutex<BTreeMap<u64, Current>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Python's number of this thread; zero until it is looked up.
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

fn note_running(current: Option<&Current>) {
    let mut thread = THREAD.get();
    if thread == 0 {
        thread = Python::attach(|py| {
            let number = py.import("_thread")?.call_method0("get_ident")?;
            number.extract()
        })
        .unwrap_or(0);
        THREAD.set(thread);
    }
    let before = match current {
        Some(current) if current.1.is_some() => RUNNING.lock().insert(thread, current.clone()),
        _ => RUNNING.lock().remove(&thread),
    };
    // What it was is dropped without the lock.
    drop(before);
}

/// The thread, the worker's address and the key of each task that runs in this process.
pub fn running() -> Vec<(u64, String, String)> {
    let running = RUNNING.lock();
    let told = running.iter().filter_map(|(thread, (context, key))| {
        let key = key.as_ref()?.to_string();
        Some((*thread, context.worker.address.to_string(), key))
    });
    told.collect()
}

/// A failure from a Python exception.
pub fn failure(py: Python<'_>, raised: &PyErr) -> Failure {
    if is_reschedule(py, raised) || is_import_race(py, raised) {
        return Failure::Reschedule;
    }
    let text = raised.to_string();
    let dumped = helpers::dump_failure(py)
        // With its traceback, which Python before 3.12 keeps apart from the exception.
        .and_then(|dump| dump.call1((raised.clone_ref(py).into_value(py),)))
        .and_then(|dumped| frames::of_dumped(&dumped, Memory::Shared));
    let frames = dumped.unwrap_or_default();
    Failure::Raised { text, error: Encoded { kind: kind::PICKLE, frames } }
}

fn is_reschedule(py: Python<'_>, raised: &PyErr) -> bool {
    raised.get_type(py).name().is_ok_and(|name| name == "Reschedule")
        && helpers::reschedule(py).is_ok_and(|class| raised.is_instance(py, class))
}

/// Whether two threads imported parts of one package for the first time, each waiting for the other:
/// Python ends one of the imports, which succeeds when it is tried again.
fn is_import_race(py: Python<'_>, raised: &PyErr) -> bool {
    raised.get_type(py).name().is_ok_and(|name| name == "_DeadlockError")
}

/// Whether a module was found that another thread is importing.
fn is_half_imported(py: Python<'_>, raised: &PyErr) -> bool {
    (raised.is_instance_of::<PyImportError>(py) || raised.is_instance_of::<PyAttributeError>(py))
        && raised.to_string().contains("partially initialized module")
}

/// Loads frames. Other threads may import what is imported for this: where their imports stand in
/// the way, it is tried again.
fn load_frames<'py>(
    py: Python<'py>,
    frames: &[Bytes],
    owner: Owner,
) -> PyResult<Bound<'py, PyAny>> {
    const TRIES: u32 = 50;
    import_packages(py, frames);
    let mut tries = 0;
    loop {
        match frames::load(py, frames, owner) {
            Err(raced)
                if tries < TRIES
                    && (is_import_race(py, &raced) || is_half_imported(py, &raced)) =>
            {
                tries += 1;
                gil::released(|| std::thread::sleep(std::time::Duration::from_millis(20)));
            }
            loaded => return loaded,
        }
    }
}

/// Imports NumPy whole, before a chunk becomes an array: that imports an inner module of it.
fn import_numpy(py: Python<'_>) {
    static IMPORTED: AtomicBool = AtomicBool::new(false);
    if !IMPORTED.load(Ordering::Relaxed) && py.import("numpy").is_ok() {
        IMPORTED.store(true, Ordering::Relaxed);
    }
}

/// Imports packages whose inner modules a pickle names: an inner module that is imported first holds
/// its own lock while it waits for the package's, and another thread holds that one.
fn import_packages(py: Python<'_>, frames: &[Bytes]) {
    const PACKAGES: [&str; 3] = ["numpy", "pandas", "pyarrow"];
    const LOOKED_AT: usize = 1 << 16;
    static IMPORTED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
    let Some(pickle) = frames.first() else { return };
    let looked_at = &pickle[..pickle.len().min(LOOKED_AT)];
    for (package, imported) in PACKAGES.into_iter().zip(&IMPORTED) {
        if imported.load(Ordering::Relaxed) {
            continue;
        }
        let named = looked_at.windows(package.len()).any(|part| part == package.as_bytes());
        // Where it is missing, unpickling says so.
        if named && py.import(package).is_ok() {
            imported.store(true, Ordering::Relaxed);
        }
    }
}

/// The exception of a failure.
pub fn exception(py: Python<'_>, text: &str, error: &Encoded) -> PyErr {
    if error.frames.is_empty() {
        return PyRuntimeError::new_err(text.to_owned());
    }
    let made = frames::load(py, &error.frames, Owner::Others)
        .and_then(|failure| helpers::remote_failure(py)?.call1((failure,)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => {
            let failed = PyRuntimeError::new_err(text.to_owned());
            failed.set_cause(py, Some(broken));
            failed
        }
    }
}

#[derive(Serialize, Deserialize)]
struct ChunkHead {
    dtype: DType,
    shape: Vec<usize>,
}

fn internal(what: impl std::fmt::Display) -> Failure {
    Failure::Raised {
        text: what.to_string(),
        error: Encoded { kind: kind::PICKLE, frames: Vec::new() },
    }
}

fn encode_chunk(chunk: &Chunk) -> Result<Encoded, Failure> {
    let whole = chunk.contiguous().map_err(internal)?;
    let head = ChunkHead { dtype: whole.dtype(), shape: whole.shape().to_vec() };
    let head = postcard::to_allocvec(&head).map_err(internal)?;
    let frames = vec![Bytes::from(head), frames::of_chunk(whole)];
    Ok(Encoded { kind: kind::CHUNK, frames })
}

/// The operation of a task that is a block of an array in memory, and the task's key.
pub fn block(key: &str, block: &Chunk) -> PyResult<Encoded> {
    let mut encoded = encode_chunk(block).map_err(|failed| match failed {
        Failure::Raised { text, .. } => PyMemoryError::new_err(text),
        Failure::Reschedule => PyRuntimeError::new_err("a block cannot be written"),
    })?;
    encoded.frames.push(Bytes::copy_from_slice(key.as_bytes()));
    Ok(encoded)
}

fn decode_chunk(frames: &[Bytes], owner: Owner) -> Result<Value, Failure> {
    let [head, elements, ..] = frames else {
        return Err(internal("a chunk came without elements"));
    };
    let ChunkHead { dtype, shape } = postcard::from_bytes(head).map_err(internal)?;
    if owner != Owner::Others
        && let Some(chunk) = frames::to_chunk(elements, dtype, &shape, owner)
    {
        return Ok(Arc::new(chunk));
    }
    let mut fits = true;
    let chunk = Chunk::build(dtype, &shape, |bytes| {
        // The buffer may be longer than its elements.
        match bytes.get_mut(..elements.len()) {
            Some(place) => place.copy_from_slice(elements),
            None => fits = false,
        }
        Ok(())
    })
    .map_err(internal)?;
    let wanted = shape.iter().product::<usize>().checked_mul(dtype.size());
    if !fits || wanted != Some(elements.len()) {
        return Err(internal("a chunk came with too few or too many elements"));
    }
    Ok(Arc::new(chunk))
}

/// The value of a part that others may read too.
pub fn opened(py: Python<'_>, part: &Encoded) -> PyResult<Value> {
    PyExecutor.decode(part.clone(), Owner::ReadOnly).map_err(|failed| match failed {
        Failure::Raised { text, error } => exception(py, &text, &error),
        Failure::Reschedule => PyRuntimeError::new_err("a part cannot be read"),
    })
}

/// The pieces of a block as parts that travel by themselves.
fn parts_of(pieces: &Pieces) -> Result<Parts, Failure> {
    let parts = pieces.iter().map(|(number, piece)| Ok((number, encode_chunk(piece)?)));
    Ok(Parts::new(parts.collect::<Result<_, Failure>>()?))
}

/// All pieces of a block, for a task that reads several.
fn pieces_of(parts: &Parts) -> Result<Pieces, Failure> {
    let pieces = parts.iter().map(|(number, part)| {
        let value = decode_chunk(&part.frames, Owner::ReadOnly)?;
        let chunk = Chunk::of(&value).cloned();
        Ok((number, chunk.ok_or_else(|| internal("a piece of a block is no array"))?))
    });
    Ok(Pieces::new(pieces.collect::<Result<_, Failure>>()?))
}

/// The encoding of a value of the engine; `None` for one that knows Python.
pub fn encode_native(value: &Value) -> Result<Option<Encoded>, Failure> {
    let any = value.as_any();
    if let Some(chunk) = any.downcast_ref::<Chunk>() {
        return encode_chunk(chunk).map(Some);
    }
    if let Some(partial) = any.downcast_ref::<Partial>() {
        let frames = vec![Bytes::from(partial.encode().map_err(internal)?)];
        return Ok(Some(Encoded { kind: kind::PARTIAL, frames }));
    }
    if let Some(bundle) = any.downcast_ref::<Bundle>() {
        let frames = vec![Bytes::from(bundle.encode().map_err(internal)?)];
        return Ok(Some(Encoded { kind: kind::BUNDLE, frames }));
    }
    if let Some(pieces) = any.downcast_ref::<Pieces>() {
        return Ok(Some(parts_of(pieces)?.encode(kind::PARTS)));
    }
    Ok(any.is::<Unit>().then(|| Encoded { kind: kind::UNIT, frames: Vec::new() }))
}

/// The value that [`encode_native`] encoded.
pub fn decode_native(encoded: Encoded) -> Result<Value, Failure> {
    if encoded.kind == kind::PICKLE {
        return Err(internal("a pickle of Python's came in place of a value of the engine"));
    }
    let value = PyExecutor.decode(encoded, Owner::ReadOnly)?;
    match value.as_any().downcast_ref::<Parts>() {
        Some(parts) => Ok(Arc::new(pieces_of(parts)?)),
        None => Ok(value),
    }
}

impl Executor for PyExecutor {
    fn load(&self, payload: &Encoded, context: &TaskContext) -> Result<Loaded, Failure> {
        if payload.kind == kind::CHUNK {
            let block = decode_chunk(&payload.frames, Owner::ReadOnly)?;
            let key = payload.frames.get(2).map(|key| String::from_utf8_lossy(key));
            return Ok(Arc::new(Batch::of_block(&key.unwrap_or_default(), block)));
        }
        // Futures among the arguments are of the worker's client.
        let _mark = CurrentMark::set(context, None);
        Python::attach(|py| {
            let batch = load_frames(py, &payload.frames, Owner::Others)
                .and_then(|batch| Batch::new(&batch));
            match batch {
                Ok(batch) => Ok(Arc::new(batch) as Loaded),
                Err(raised) => Err(failure(py, &raised)),
            }
        })
    }

    fn run(
        &self,
        operation: &Loaded,
        index: u32,
        context: &TaskContext,
        mut inputs: Vec<Value>,
    ) -> Result<Value, Failure> {
        let Some(batch) = operation.downcast_ref::<Batch>() else {
            return Err(internal("an operation is of another kind than this worker's"));
        };
        let _mark = CurrentMark::set(context, batch.key(index));
        let step = batch.step(index);
        if let Step::Block(block) = step {
            return Ok(block.clone());
        }
        if let Step::Native(task) = step {
            let native = Context::new(context.task.task, 0, context.attempt, &context.cancelled);
            for input in &mut inputs {
                if let Some(parts) = input.as_any().downcast_ref::<Parts>() {
                    *input = Arc::new(pieces_of(parts)?);
                }
            }
            let made = gil::native_part(|| task.get().run(&native, &mut inputs));
            let value = made.map_err(|failed| {
                Python::attach(|py| failure(py, &error::from_operation(py, failed)))
            })?;
            return match value.as_any().downcast_ref::<Pieces>() {
                Some(pieces) => Ok(Arc::new(parts_of(pieces)?)),
                None => Ok(value),
            };
        }
        Python::attach(|py| {
            if inputs.iter().any(|input| input.as_any().is::<Chunk>()) {
                import_numpy(py);
            }
            let value = batch.run(py, index, &inputs).and_then(|made| {
                Ok(match parts::of_python(&made)? {
                    Some(parts) => Arc::new(parts) as Value,
                    None => match made.cast_exact::<NativeValue>() {
                        Ok(native) => native.get().value.clone(),
                        Err(_) => PyValue::value(made),
                    },
                })
            });
            value.map_err(|raised| failure(py, &raised))
        })
    }

    fn encode(&self, value: &Value) -> Result<Encoded, Failure> {
        if let Some(encoded) = encode_native(value)? {
            return Ok(encoded);
        }
        let any = value.as_any();
        if let Some(parts) = any.downcast_ref::<Parts>() {
            return Ok(parts.encode(kind::PARTS));
        }
        if let Some(pickled) = any.downcast_ref::<PickledValue>() {
            let frames = pickled.frames().iter().map(|frame| Bytes::copy_from_slice(frame));
            return Ok(Encoded { kind: kind::PICKLE, frames: frames.collect() });
        }
        Python::attach(|py| {
            let frames =
                to_python(py, value).and_then(|object| frames::dump(&object, Memory::Shared));
            match frames {
                Ok(frames) => Ok(Encoded { kind: kind::PICKLE, frames }),
                Err(raised) => Err(failure(py, &raised)),
            }
        })
    }

    fn decode(&self, encoded: Encoded, owner: Owner) -> Result<Value, Failure> {
        let Encoded { kind, frames } = encoded;
        let single = || frames.first().map(|frame| &**frame).unwrap_or_default();
        match kind {
            kind::CHUNK => decode_chunk(&frames, owner),
            kind::PARTIAL => Ok(Arc::new(Partial::decode(single()).map_err(internal)?)),
            kind::BUNDLE => Ok(Arc::new(Bundle::decode(single()).map_err(internal)?)),
            kind::UNIT => Ok(Arc::new(Unit)),
            kind::PARTS => match Parts::decode(&frames) {
                Some(parts) => Ok(Arc::new(parts)),
                None => Err(internal("a value in parts came with other parts than it says")),
            },
            Parts::ABSENT => Python::attach(|py| Ok(PyValue::value(py.None().into_bound(py)))),
            _ => Python::attach(|py| {
                load_frames(py, &frames, owner)
                    .map(PyValue::value)
                    .map_err(|raised| failure(py, &raised))
            }),
        }
    }

    fn thread(&self, body: &mut dyn FnMut()) {
        PlainGuard.thread(body);
    }

    fn batch(&self, body: &mut dyn FnMut()) {
        PlainGuard.batch(body);
    }

    fn relieve(&self) {
        // What is only reachable from itself waits for the collector, which knows of no limit.
        Python::attach(|py| {
            if let Err(raised) = py.import("gc").and_then(|gc| gc.call_method0("collect")) {
                raised.write_unraisable(py, None);
            }
        });
    }

    fn call(&self, payload: Encoded, context: &TaskContext) -> Result<Encoded, Failure> {
        let _mark = CurrentMark::set(context, None);
        Python::attach(|py| {
            let answer = frames::load(py, &payload.frames, Owner::Others)
                .and_then(|request| helpers::worker_call(py)?.call1((request,)))
                .and_then(|answer| frames::dump(&answer, Memory::Shared));
            match answer {
                Ok(frames) => Ok(Encoded { kind: kind::PICKLE, frames }),
                Err(raised) => Err(failure(py, &raised)),
            }
        })
    }
}
