//! What a run costs besides its operations.

use std::sync::{Arc, Mutex};

use divan::Bencher;
use divan::counter::ItemsCount;
use samite_graph::{OperationId, Plan, PlanBuilder, TaskId};
use samite_runtime::{
    Context, Guard, Lane, OperationError, Options, Program, Run, Unit, Value, run_here, start,
};

fn main() {
    divan::main();
}

struct Nothing(Lane);

impl Program for Nothing {
    fn run(
        &self,
        _: OperationId,
        _: u32,
        _: &Context<'_>,
        _: &mut Vec<Value>,
    ) -> Result<Value, OperationError> {
        Ok(Arc::new(Unit))
    }

    fn lane(&self, _: OperationId) -> Lane {
        self.0
    }

    fn name(&self, _: OperationId, _: u32) -> String {
        String::new()
    }
}

#[derive(Default)]
struct Lock(Mutex<()>);

impl Guard for Lock {
    fn batch(&self, body: &mut dyn FnMut()) {
        let _held = self.0.lock();
        body();
    }
}

const TASKS: u32 = 100_000;

fn wide() -> Arc<Plan> {
    let mut builder = PlanBuilder::with_capacity(TASKS as usize, TASKS as usize);
    let sources: Vec<TaskId> =
        (0..TASKS - 1).map(|index| builder.push(OperationId(0), index, [])).collect();
    let last = builder.push(OperationId(0), 0, sources);
    builder.finish(vec![last]).map(Arc::new).unwrap_or_else(|_| Arc::new(empty()))
}

fn chain() -> Arc<Plan> {
    let mut builder = PlanBuilder::with_capacity(TASKS as usize, TASKS as usize);
    let mut last = builder.push(OperationId(0), 0, []);
    for index in 1..TASKS {
        last = builder.push(OperationId(0), index, [last]);
    }
    builder.finish(vec![last]).map(Arc::new).unwrap_or_else(|_| Arc::new(empty()))
}

fn empty() -> Plan {
    PlanBuilder::default().finish(Vec::new()).unwrap_or_else(|_| std::process::exit(1))
}

fn run(bencher: Bencher<'_, '_>, plan: Arc<Plan>, threads: usize, lane: Lane) {
    bencher.counter(ItemsCount::new(plan.len())).bench(|| {
        let program = Arc::new(Nothing(lane));
        let guard = (lane == Lane::Guarded).then(|| Arc::new(Lock::default()) as Arc<dyn Guard>);
        let values = if threads == 0 {
            run_here(plan.clone(), program, Options { guard, ..Options::calling() })
        } else {
            start(plan.clone(), program, Options { guard, ..Options::pool(threads) })
                .and_then(Run::join)
        };
        values.map(|values| values.len()).unwrap_or_default()
    });
}

#[divan::bench(args = [0, 1, 2], sample_count = 10)]
fn side_by_side(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, wide(), threads, Lane::Free);
}

#[divan::bench(args = [0, 1, 2], sample_count = 10)]
fn side_by_side_guarded(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, wide(), threads, Lane::Guarded);
}

#[divan::bench(args = [0, 1, 2], sample_count = 10)]
fn in_a_chain(bencher: Bencher<'_, '_>, threads: usize) {
    run(bencher, chain(), threads, Lane::Free);
}

#[divan::bench(args = [0, 1, 2])]
fn one_task(bencher: Bencher<'_, '_>, threads: usize) {
    let mut builder = PlanBuilder::with_capacity(1, 0);
    let task = builder.push(OperationId(0), 0, []);
    let plan = builder.finish(vec![task]).map(Arc::new).unwrap_or_else(|_| Arc::new(empty()));
    run(bencher, plan, threads, Lane::Free);
}
