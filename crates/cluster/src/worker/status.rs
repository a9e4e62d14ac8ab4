//! What a worker tells of itself now and then.

use std::sync::Arc;
use std::time::Duration;

use samite_scheduling::Pressure;

use super::Shared;
use super::metrics::Meter;
use super::pressure::resident_memory;
use crate::plain::Plain;
use crate::protocol::FromWorker;
use crate::scheduler::{ToScheduler, wall_clock};

/// How often.
const INTERVAL: Duration = Duration::from_millis(1000);

/// Reports until the worker is closed.
pub(super) async fn report(shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(INTERVAL);
    let mut meter = Meter::new();
    while !shared.is_closed() {
        interval.tick().await;
        let status = status(&shared, &mut meter);
        shared.send(vec![ToScheduler::Worker(FromWorker::Status { status })]);
    }
}

fn status(shared: &Shared, meter: &mut Meter) -> Plain {
    let core = shared.core.lock();
    let (memory, disk, values) = core.values.sizes();
    let executing = core.executing.len();
    let paused = core.values.pressure().1 == Pressure::Pause;
    let ready = core.machine.unfinished().saturating_sub(executing);
    drop(core);
    let spilled = Plain::map([("memory", Plain::count(disk)), ("disk", Plain::count(disk))]);
    let counts = Plain::map([
        ("executing", Plain::count(executing)),
        ("ready", Plain::count(ready)),
        ("memory", Plain::count(values)),
    ]);
    let known = [
        ("task_counts", counts),
        ("executing", Plain::count(executing)),
        ("ready", Plain::count(ready)),
        ("in_memory", Plain::count(values)),
        ("managed_bytes", Plain::count(memory)),
        ("spilled_bytes", spilled),
        ("paused", Plain::Bool(paused)),
        ("memory", Plain::count(resident_memory().unwrap_or(memory))),
        ("transfer", shared.traffic.told()),
        ("time", Plain::Float(wall_clock())),
    ];
    Plain::map(known.into_iter().chain(meter.told()))
}
