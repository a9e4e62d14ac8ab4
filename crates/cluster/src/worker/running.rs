//! The threads of a worker: they take jobs, run them, and report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use samite_graph::OperationId;
use samite_runtime::Value;
use samite_scheduling::worker::Input;
use samite_scheduling::{Event, GraphId, Portion, TaskKey};

use super::core::{Core, Job, RunInfo, Slot};
use super::fetching::Poison;
use super::place::Place;
use super::store::{Found, Taken};
use super::{Shared, fetching, serving, store};
use crate::encoded::Encoded;
use crate::executor::{Failure, Loaded, Owner, TaskContext};
use crate::inline::Here;
use crate::protocol::{Carried, FromWorker, PREPARE, RunWork, ToWorker};
use crate::scheduler::ToScheduler;

/// Values up to this size go to the clients that want them together with the news.
const SMALL: usize = 1 << 10;
/// Reports of a worker that has more to run wait for others, at most so many and so long.
const REPORTS: usize = 64;
const PATIENCE: Duration = Duration::from_micros(500);

/// Does what follows from changes of the core, once its lock is gone.
pub(super) fn follow_up(shared: &Arc<Shared>, mut core: MutexGuard<'_, Core>) {
    let held = core.values.is_held();
    if held != core.machine.is_held() {
        core.tell(Input::Held { held });
    }
    let busy = core.machine.is_busy();
    if let Some((bytes, pressure)) = core.values.changed_pressure(busy) {
        let worker = core.machine.id();
        let event = Event::MemoryChanged { worker, bytes, pressure };
        core.reports.push(ToScheduler::Worker(FromWorker::Report(event)));
    }
    let spill = core.values.begin_spilling();
    let fetches = std::mem::take(&mut core.fetches);
    let reports = std::mem::take(&mut core.reports);
    let leavings = std::mem::take(&mut core.leavings);
    if !core.jobs.is_empty() {
        shared.patience.tell();
    }
    let wake = core.jobs.len().saturating_sub(core.looking).min(core.idle);
    if !reports.is_empty() {
        core.last_sent = Instant::now();
        // Under the lock, so that messages leave in the order in which they were made.
        shared.send(reports);
    }
    drop(core);
    for _ in 0..wake {
        shared.work.notify_one();
    }
    if spill {
        store::begin(shared);
    }
    if !fetches.is_empty() {
        fetching::begin(shared, fetches);
    }
    drop(leavings);
}

/// Takes messages of the scheduler.
pub(super) fn take(shared: &Arc<Shared>, messages: Vec<ToWorker>) {
    let Ok(runtime) = crate::threads::runtime() else { return shared.shut_down() };
    let mut core = shared.core.lock();
    for message in messages {
        match message {
            ToWorker::Welcome { .. } => {}
            ToWorker::Operation { graph, operation, payload } => {
                core.add_operation(graph, operation, payload);
            }
            ToWorker::Run { task, attempt, priority, work, inputs, sources, wanted, part } => {
                let cancelled = Arc::new(AtomicBool::new(false));
                let info = RunInfo { work, inputs: inputs.clone(), part, wanted, cancelled };
                core.runs.insert((task, attempt), info);
                core.tell(Input::Run { task, attempt, priority, inputs, sources, part });
            }
            ToWorker::Peer { worker, address } => {
                core.peers.insert(worker, address);
            }
            ToWorker::Free { task } => core.tell(Input::Free { task }),
            ToWorker::Cancel { task, attempt } => {
                core.runs.remove(&(task, attempt));
                core.tell(Input::Cancel { task, attempt });
            }
            ToWorker::Steal { task, attempt } => core.tell(Input::Steal { task, attempt }),
            ToWorker::Replicate { task, source } => core.tell(Input::Replicate { task, source }),
            ToWorker::Put { task, value, .. } => {
                let shared = shared.clone();
                // Decoding may enter the interpreter, which must not be done under the lock.
                runtime.spawn_blocking(move || fetching::put(&shared, task, value));
            }
            ToWorker::Forget { graph } => core.forget(graph),
            ToWorker::Call { id: PREPARE, payload } => {
                core.preparations.push_back(payload);
                if !std::mem::replace(&mut core.preparing, true) {
                    let shared = shared.clone();
                    runtime.spawn_blocking(move || prepare(&shared));
                }
            }
            ToWorker::Call { id, payload } => {
                let shared = shared.clone();
                runtime.spawn_blocking(move || call(&shared, id, payload));
            }
            ToWorker::Get { id, tasks, local } => {
                let shared = shared.clone();
                // Encoding may enter the interpreter.
                runtime.spawn_blocking(move || {
                    let portions: Vec<_> = tasks.into_iter().map(Portion::whole).collect();
                    let values = serving::values(&shared, &portions, local && shared.local);
                    shared.send(vec![ToScheduler::Worker(FromWorker::Values { id, values })]);
                });
            }
            ToWorker::Close { .. } => {
                follow_up(shared, core);
                shared.shut_down();
                return;
            }
        }
    }
    follow_up(shared, core);
}

/// Carries out what is to be done before tasks run, and lets them run.
fn prepare(shared: &Arc<Shared>) {
    loop {
        let mut core = shared.core.lock();
        let Some(payload) = core.preparations.pop_front() else {
            core.preparing = false;
            drop(core);
            shared.work.notify_all();
            return;
        };
        drop(core);
        call(shared, PREPARE, payload);
    }
}

fn call(shared: &Arc<Shared>, id: u64, payload: Encoded) {
    let context = TaskContext {
        worker: shared.handle.clone(),
        task: TaskKey::default(),
        attempt: 0,
        cancelled: Arc::new(AtomicBool::new(false)),
        place: None,
    };
    let answer = match shared.executor.call(payload, &context) {
        Ok(answer) => Ok(answer),
        Err(Failure::Raised { text, error }) => Err((text, error)),
        Err(Failure::Reschedule) => {
            Err(("only tasks can ask to be run again".to_owned(), Encoded::default()))
        }
    };
    shared.send(vec![ToScheduler::Worker(FromWorker::Called { id, answer })]);
}

/// What a thread of a worker does until the worker is closed.
pub(super) fn work(shared: &Arc<Shared>) {
    let executor = shared.executor.clone();
    executor.thread(&mut || {
        while let Some(first) = wait(shared) {
            let mut next = Some(first);
            executor.batch(&mut || {
                while let Some(job) = next.take() {
                    next = run(shared, job);
                }
            });
            // What ends the series is reported here, where whoever waits for it can have what a
            // series keeps for itself, such as the interpreter.
            let _here = Here::begin();
            follow_up(shared, shared.core.lock());
        }
    });
}

/// Waits for a job; `None` once the worker is closed.
fn wait(shared: &Arc<Shared>) -> Option<Job> {
    let mut core = shared.core.lock();
    let mut began = None;
    loop {
        if shared.is_closed() {
            return None;
        }
        if core.surplus > 0 {
            core.surplus -= 1;
            return None;
        }
        if let Some(job) = core.next_job() {
            began.inspect(|began| shared.patience.end(began));
            return Some(job);
        }
        // In a process of its own it is woken by a thread that needs the processor.
        if began.is_none() && shared.local {
            let begun = began.insert(shared.patience.begin());
            core.looking += 1;
            MutexGuard::unlocked(&mut core, || shared.patience.look(begun));
            core.looking -= 1;
            continue;
        }
        core.idle += 1;
        shared.work.wait(&mut core);
        core.idle -= 1;
    }
}

/// Runs a job and reports it; the next job, if there is one.
fn run(shared: &Arc<Shared>, job: Job) -> Option<Job> {
    let Job { task, attempt, info, values } = job;
    let began = Instant::now();
    let place = Arc::new(Place::new(shared));
    let context = TaskContext {
        worker: shared.handle.clone(),
        task,
        attempt: attempt.0.saturating_sub(1),
        cancelled: info.cancelled.clone(),
        place: Some(place.clone()),
    };
    let outcome = match taken_up(shared, &info, values) {
        Ok(values) => operate(shared, task, &info, &context, values),
        Err(failure) => Err(failure),
    };
    place.come_back();
    let duration = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let inline = match &outcome {
        Ok(value) if info.wanted && value.nbytes() <= SMALL => carried(shared, value),
        _ => None,
    };
    let mut core = shared.core.lock();
    core.run_over(task, attempt);
    if core.ended {
        drop(core);
        drop(outcome);
        return None;
    }
    match outcome {
        Ok(value) => {
            let bytes = value.nbytes() as u64;
            core.inline = inline;
            if let Some(old) = core.values.insert(task, value) {
                core.leavings.push(Box::new(old));
            }
            core.tell(Input::Executed { task, attempt, bytes, duration });
            core.inline = None;
            if !core.machine.holds(task)
                && let Some(value) = core.values.remove(&task)
            {
                core.leavings.push(Box::new(value));
            }
        }
        Err(Failure::Raised { text, error }) => {
            core.failure = Some((text, error));
            core.tell(Input::ExecutionFailed { task, attempt });
            core.failure = None;
        }
        Err(Failure::Reschedule) => core.tell(Input::ExecutionRescheduled { task, attempt }),
    }
    if shared.is_closed() {
        return None;
    }
    let next = core.next_job()?;
    let patient = core.fetches.is_empty()
        && core.reports.len() < REPORTS
        && core.last_sent.elapsed() < PATIENCE;
    if patient {
        let leavings = std::mem::take(&mut core.leavings);
        let waiting = !core.reports.is_empty();
        drop(core);
        drop(leavings);
        if waiting {
            report_soon(shared);
        }
    } else {
        follow_up(shared, core);
    }
    Some(next)
}

/// The inputs of a task, from disk where they are there. One that cannot be read is lost.
fn taken_up(
    shared: &Arc<Shared>,
    info: &RunInfo,
    values: Vec<Found>,
) -> Result<Vec<Value>, Failure> {
    let mut taken = Vec::with_capacity(values.len());
    for (found, input) in values.into_iter().zip(&info.inputs) {
        match found.take_up() {
            Ok(Taken::Value(value)) => taken.push(value),
            Ok(Taken::Part(part)) => taken.push(shared.executor.decode(part, Owner::ReadOnly)?),
            Err(_) => {
                let mut core = shared.core.lock();
                let gone = core.values.remove(input);
                core.tell(Input::ValueLost { task: *input });
                follow_up(shared, core);
                drop(gone);
                return Err(Failure::Reschedule);
            }
        }
    }
    Ok(taken)
}

/// Sends the reports that wait, soon: the next task of this thread may take long.
fn report_soon(shared: &Arc<Shared>) {
    if shared.reporting.swap(true, Ordering::AcqRel) {
        return;
    }
    let Ok(runtime) = crate::threads::runtime() else { return };
    let shared = shared.clone();
    runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        shared.reporting.store(false, Ordering::Release);
        follow_up(&shared, shared.core.lock());
    });
}

/// A small value as it goes to clients.
fn carried(shared: &Arc<Shared>, value: &Value) -> Option<Carried> {
    if shared.local {
        return Some(Carried::Local(value.clone()));
    }
    let encoded = shared.executor.encode(value).ok()?;
    (encoded.nbytes() <= 2 * SMALL).then_some(Carried::Encoded(encoded))
}

/// The operation, made ready where it was not yet.
fn loaded(
    shared: &Arc<Shared>,
    graph: GraphId,
    operation: OperationId,
    context: &TaskContext,
) -> Result<Loaded, Failure> {
    let payload = match shared.core.lock().operations.get(&(graph, operation)) {
        Some(Slot::Loaded(loaded)) => return Ok(loaded.clone()),
        Some(Slot::Broken(failure)) => return Err(failure.clone()),
        Some(Slot::Payload(payload)) => payload.clone(),
        None => return Err(Failure::text("the operation of a task did not come with it")),
    };
    let outcome = shared.executor.load(&payload, context);
    let slot = match &outcome {
        Ok(loaded) => Slot::Loaded(loaded.clone()),
        // It is tried again with the task.
        Err(Failure::Reschedule) => return outcome,
        Err(failure) => Slot::Broken(failure.clone()),
    };
    let mut core = shared.core.lock();
    // A worker that was closed meanwhile would hold it for as long as somebody holds the worker.
    let left =
        if core.ended { Some(slot) } else { core.operations.insert((graph, operation), slot) };
    drop(core);
    drop(left);
    outcome
}

/// Runs the operation or the steps of a task.
fn operate(
    shared: &Arc<Shared>,
    task: TaskKey,
    info: &RunInfo,
    context: &TaskContext,
    values: Vec<Value>,
) -> Result<Value, Failure> {
    if values.len() != info.inputs.len() {
        return Err(Failure::Reschedule);
    }
    let poison = values.iter().find_map(|value| value.as_any().downcast_ref::<Poison>());
    if let Some(Poison(failure)) = poison {
        return Err(failure.clone());
    }
    match &info.work {
        RunWork::Single(operation, index) => {
            let operation = loaded(shared, task.graph, *operation, context)?;
            shared.executor.run(&operation, *index, context, values)
        }
        RunWork::Fused(steps) => {
            let mut made: Vec<Value> = Vec::with_capacity(steps.len());
            for step in steps {
                let operation = loaded(shared, task.graph, step.operation, context)?;
                let inputs = step.inputs.iter().filter_map(|input| match usize::try_from(*input) {
                    Ok(place) => values.get(place).cloned(),
                    Err(_) => made.get(usize::try_from(!*input).ok()?).cloned(),
                });
                let inputs = inputs.collect();
                made.push(shared.executor.run(&operation, step.index, context, inputs)?);
            }
            made.pop().ok_or_else(|| Failure::text("a task has no steps"))
        }
    }
}
