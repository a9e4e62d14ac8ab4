//! The guard: a lock that only one thread can hold, like an interpreter's.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use samite_graph::{OperationId, PlanBuilder};
use samite_runtime::{Guard, Options, Run, run_here, start};

use crate::support::{Number, number, numbers, program, wide};

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
pub(crate) struct Lock {
    lock: Mutex<()>,
    entered: AtomicUsize,
    threads: AtomicUsize,
}

impl Guard for Lock {
    fn thread(&self, body: &mut dyn FnMut()) {
        self.threads.fetch_add(1, Ordering::Relaxed);
        body();
    }

    fn batch(&self, body: &mut dyn FnMut()) {
        let _held = self.lock.lock().unwrap();
        self.entered.fetch_add(1, Ordering::Relaxed);
        INSIDE.set(true);
        body();
        INSIDE.set(false);
    }
}

#[test]
fn guarded_tasks_run_inside_and_free_ones_outside() {
    let guard = Arc::new(Lock::default());
    let body = program(|operation, _, _, inputs| {
        assert_eq!(INSIDE.get(), operation % 2 == 1);
        Ok(Arc::new(Number(inputs.iter().map(number).sum::<i64>() + 1)))
    });
    let mut builder = PlanBuilder::with_capacity(3000, 3000);
    let mut outputs = Vec::new();
    for index in 0..1000 {
        let first = builder.push(OperationId(index % 2), index, []);
        let second = builder.push(OperationId((index + 1) % 2), index, [first]);
        outputs.push(builder.push(OperationId(index % 3), index, [first, second]));
    }
    let plan = Arc::new(builder.finish(outputs).unwrap());
    for threads in [1, 2, 4] {
        let options = Options { guard: Some(guard.clone()), ..Options::pool(threads) };
        let run = start(plan.clone(), body.clone(), options).unwrap();
        assert_eq!(numbers(&run.join().unwrap()), vec![4; 1000]);
    }
    let options = Options { guard: Some(guard), ..Options::calling() };
    assert_eq!(numbers(&run_here(plan, body, options).unwrap()), vec![4; 1000]);
}

#[test]
fn the_guard_is_entered_once_for_many_short_tasks() {
    let guard = Arc::new(Lock::default());
    let body = program(|_, _, _, _| Ok(Arc::new(Number(1))));
    let options = Options { guard: Some(guard.clone()), ..Options::pool(4) };
    start(wide(1, 20_000), body, options).and_then(Run::join).unwrap();
    let entered = guard.entered.load(Ordering::Relaxed);
    assert!(entered < 50, "entered {entered} times");
}

/// A guarded task that lets the guard go while it waits must not keep others waiting; a lock
/// that is never let go shows that waiting workers hold none of the runtime's locks.
#[test]
fn workers_that_wait_for_the_guard_do_not_block_free_tasks() {
    let guard = Arc::new(Lock::default());
    let body = program(|operation, index, _, _| {
        if operation == 1 && index == 0 {
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(Arc::new(Number(0)))
    });
    let mut builder = PlanBuilder::with_capacity(100, 0);
    let tasks: Vec<_> =
        (0..100).map(|index| builder.push(OperationId((index < 3).into()), index, [])).collect();
    let plan = Arc::new(builder.finish(tasks).unwrap());
    let options = Options { guard: Some(guard), ..Options::pool(4) };
    let run = start(plan, body, options).unwrap();
    let began = Instant::now();
    while run.progress().done < 97 {
        assert!(began.elapsed() < Duration::from_millis(150), "{:?}", run.progress());
        std::thread::sleep(Duration::from_millis(5));
    }
    run.join().unwrap();
}
