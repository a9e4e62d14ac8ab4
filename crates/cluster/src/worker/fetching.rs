//! Values from other workers and from clients.

use std::any::Any;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use samite_runtime::{Data, Value};
use samite_scheduling::worker::Input;
use samite_scheduling::{Portion, TaskKey, WorkerId};

use super::Shared;
use super::core::{Core, Fetch};
use super::running::follow_up;
use super::store::Piece;
use crate::executor::{Failure, Owner};
use crate::protocol::Carried;

/// Fetches values, one request for each worker that has some.
pub(super) fn begin(shared: &Arc<Shared>, fetches: Vec<Fetch>) {
    let mut by_source: FxHashMap<WorkerId, Vec<Portion>> = FxHashMap::default();
    for Fetch { portion, source } in fetches {
        by_source.entry(source).or_default().push(portion);
    }
    let Ok(runtime) = crate::threads::runtime() else { return shared.shut_down() };
    let by_source: Vec<_> = by_source.into_iter().collect();
    for (source, portions) in by_source {
        runtime.spawn(fetch(shared.clone(), source, portions));
    }
}

async fn fetch(shared: Arc<Shared>, source: WorkerId, portions: Vec<Portion>) {
    let address = shared.core.lock().peers.get(&source).cloned();
    let answer = match address {
        Some(address) => {
            shared.traffic.incoming.begin();
            let answer = shared.peers.get(&address, portions.clone()).await.ok();
            let bytes = answer.as_ref().map(|values| nbytes(values));
            shared.traffic.incoming.end(bytes);
            answer
        }
        None => None,
    };
    let values = answer.unwrap_or_default();
    let store = move || {
        let mut values = values.into_iter();
        for portion in portions {
            let carried = values.next().flatten();
            if portion.part.is_some() {
                keep_piece(&shared, portion, carried);
                continue;
            }
            let task = portion.task;
            let value = carried.map(|carried| decoded(&shared, carried, Owner::Alone));
            let mut core = shared.core.lock();
            match value {
                Some(value) if value.as_any().is::<Poison>() => poison(&mut core, portion, value),
                Some(value) => {
                    let bytes = value.nbytes() as u64;
                    if let Some(old) = core.values.insert(task, value) {
                        core.leavings.push(Box::new(old));
                    }
                    core.tell(Input::Fetched { portion, bytes, copy: true });
                    if !core.machine.holds(task)
                        && let Some(value) = core.values.remove(&task)
                    {
                        core.leavings.push(Box::new(value));
                    }
                }
                None => core.tell(Input::FetchFailed { portion }),
            }
            follow_up(&shared, core);
        }
    };
    // Decoding may enter the interpreter; the threads of connections must not wait for it.
    tokio::task::spawn_blocking(store);
}

/// The bytes of values on their way.
pub(super) fn nbytes(values: &[Option<Carried>]) -> u64 {
    values.iter().flatten().map(Carried::nbytes).sum()
}

/// Keeps a part that came, or a whole value where it has no parts, for the runs that wait for it.
fn keep_piece(shared: &Arc<Shared>, portion: Portion, carried: Option<Carried>) {
    let piece = carried.map(|carried| match carried {
        Carried::Part(part) => Piece::Part(part),
        other => Piece::Whole(decoded(shared, other, Owner::Alone)),
    });
    let mut core = shared.core.lock();
    match piece {
        Some(piece) => {
            let bytes = piece.nbytes();
            if let Some(old) = core.values.insert_piece(portion, piece) {
                core.leavings.push(Box::new(old));
            }
            core.tell(Input::Fetched { portion, bytes, copy: true });
            if !core.machine.keeps(portion)
                && let Some(piece) = core.values.remove_piece(&portion)
            {
                core.leavings.push(Box::new(piece));
            }
        }
        None => core.tell(Input::FetchFailed { portion }),
    }
    follow_up(shared, core);
}

/// Keeps what stands for a value for the runs that wait for that. It is no copy, or the value might be
/// dropped where it is; only where the scheduler itself wants a copy, it gets no better one.
fn poison(core: &mut Core, portion: Portion, value: Value) {
    let task = portion.task;
    let made_here = core.machine.holds(task);
    if !made_here {
        core.values.insert_piece(portion, Piece::Whole(Arc::clone(&value)));
        if let Some(old) = core.values.insert(task, value) {
            core.leavings.push(Box::new(old));
        }
    }
    core.tell(Input::Fetched { portion, bytes: 0, copy: false });
    if !core.machine.keeps(portion) {
        core.values.remove_piece(&portion);
    }
    if !made_here && !core.machine.holds(task) {
        core.values.remove(&task);
    }
}

/// What stands for a value that cannot travel or be read: tasks that need it fail with its failure.
/// Fetching it anew would never end.
pub(super) struct Poison(pub(super) Failure);

impl Data for Poison {
    fn nbytes(&self) -> usize {
        0
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn decoded(shared: &Arc<Shared>, carried: Carried, owner: Owner) -> Value {
    let outcome = match carried {
        Carried::Local(value) => Ok(value),
        Carried::Encoded(encoded) | Carried::Part(encoded) => {
            shared.executor.decode(encoded, owner)
        }
        Carried::Broken { text, error } => Err(Failure::Raised { text, error }),
    };
    outcome.unwrap_or_else(|failure| Arc::new(Poison(failure)))
}

/// Keeps a value that a client brings.
pub(super) fn put(shared: &Arc<Shared>, task: TaskKey, carried: Carried) {
    // The same frames may have gone to several workers of one process.
    let value = decoded(shared, carried, Owner::Others);
    let bytes = value.nbytes() as u64;
    let mut core = shared.core.lock();
    core.values.insert(task, value);
    core.tell(Input::Stored { task, bytes });
    follow_up(shared, core);
}
