//! Plain runs: order, parallelism, depth, nesting, observers, progress.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use samite_graph::{OperationId, PlanBuilder, Step, StepInput, TaskId};
use samite_runtime::{Observer, OperationError, Options, Run, Value, run_here, start};

use crate::support::{Number, adding, number, numbers, plan, program, wide};

#[test]
fn a_diamond_gives_its_outputs_in_order() {
    let diamond = plan(&[(0, &[]), (0, &[0]), (0, &[0]), (0, &[1, 2, 2])], &[3, 0, 3]);
    let here = run_here(diamond.clone(), adding(), Options::calling()).unwrap();
    let pool = start(diamond, adding(), Options::pool(3)).and_then(Run::join).unwrap();
    assert_eq!(numbers(&here), [7, 1, 7]);
    assert_eq!(numbers(&pool), [7, 1, 7]);
}

#[test]
fn an_empty_plan_ends_at_once() {
    let empty = plan(&[], &[]);
    assert!(run_here(empty.clone(), adding(), Options::calling()).unwrap().is_empty());
    assert!(start(empty, adding(), Options::pool(2)).and_then(Run::join).unwrap().is_empty());
}

#[test]
fn a_chain_of_100_000_runs_and_is_dropped() {
    let mut builder = PlanBuilder::with_capacity(100_000, 100_000);
    let mut last = builder.push(OperationId(0), 0, []);
    for index in 1..100_000 {
        last = builder.push(OperationId(0), index, [last]);
    }
    let chain = Arc::new(builder.finish(vec![last]).unwrap());
    let run = start(chain.clone(), adding(), Options::pool(2)).unwrap();
    assert_eq!(numbers(&run.join().unwrap()), [100_000]);
    assert_eq!(numbers(&run_here(chain, adding(), Options::calling()).unwrap()), [100_000]);
}

#[test]
fn a_fused_task_of_100_000_steps_runs() {
    let steps: Vec<Step> = (0..100_000u32)
        .map(|step| Step {
            operation: OperationId(0),
            index: step,
            inputs: match step {
                0 => vec![StepInput::Dependency(0), StepInput::Dependency(0)],
                _ => vec![StepInput::Step(step - 1)],
            },
        })
        .collect();
    let mut builder = PlanBuilder::with_capacity(2, 1);
    let source = builder.push(OperationId(0), 0, []);
    let fused = builder.push_fused(steps, [source]);
    let plan = Arc::new(builder.finish(vec![fused]).unwrap());
    // A value that several hold at once would show in the count of holders.
    let counting = program(|_, index, _, inputs| {
        if index > 0 {
            assert_eq!(inputs.iter().map(Arc::strong_count).max(), Some(1));
        }
        Ok(Arc::new(Number(inputs.iter().map(number).sum::<i64>() + 1)))
    });
    assert_eq!(numbers(&run_here(plan, counting, Options::calling()).unwrap()), [100_002]);
}

#[test]
fn sleeping_tasks_sleep_side_by_side() {
    for operation in [0, 1] {
        let sleeping = program(|_, index, _, _| {
            std::thread::sleep(Duration::from_millis(100));
            Ok(Arc::new(Number(i64::from(index))))
        });
        let began = Instant::now();
        let run = start(wide(operation, 8), sleeping, Options::pool(8)).unwrap();
        assert_eq!(numbers(&run.join().unwrap()), (0..8).collect::<Vec<_>>());
        assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
    }
}

/// Many short tasks make a thread take many at once; when one of them turns out to be long, the
/// others must not wait behind it, nor what depends on those that ran before it.
#[test]
fn a_long_task_holds_nothing_up() {
    let mut builder = PlanBuilder::with_capacity(2001, 1000);
    let sources: Vec<_> = (0..1000).map(|index| builder.push(OperationId(0), index, [])).collect();
    let outputs: Vec<_> = sources
        .iter()
        .enumerate()
        .map(|(index, source)| builder.push(OperationId(2), index as u32, [*source]))
        .collect();
    let plan = Arc::new(builder.finish(outputs).unwrap());
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let body = program(move |operation, index, _, _| {
        if operation == 0 && index == 500 {
            std::thread::sleep(Duration::from_millis(400));
        }
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Number(0)))
    });
    let run = start(plan, body, Options::pool(2)).unwrap();
    assert!(run.wait(Duration::from_millis(200)).is_none());
    // All but the long task and its dependent.
    assert_eq!(ran.load(Ordering::Relaxed), 1998);
    assert_eq!(run.progress().done, 1998);
    assert_eq!(run.progress().running, 1);
    run.join().unwrap();
}

#[test]
fn runs_nest_deeply() {
    fn nested(depth: i64) -> Result<Value, OperationError> {
        if depth == 0 {
            return Ok(Arc::new(Number(0)));
        }
        let body = program(move |_, _, _, _| {
            let inner = nested(depth - 1)?;
            Ok(Arc::new(Number(number(&inner) + 1)))
        });
        let run = start(wide(0, 1), body, Options::pool(2)).map_err(OperationError::new)?;
        let mut values = run.join().map_err(OperationError::new)?;
        values.pop().ok_or_else(|| OperationError::new("no value"))
    }
    assert_eq!(number(&nested(100).unwrap()), 100);
}

#[test]
fn runs_of_several_threads_do_not_disturb_one_another() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let run = start(wide(0, 200), adding(), Options::pool(2)).unwrap();
                    assert_eq!(numbers(&run.join().unwrap()), vec![1; 200]);
                }
            });
        }
    });
}

#[test]
fn values_are_dropped_after_their_last_use() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl samite_runtime::Data for Counted {
        fn nbytes(&self) -> usize {
            1
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            LIVE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let body = program(|_, _, _, _| {
        let live = LIVE.fetch_add(1, Ordering::Relaxed) + 1;
        MOST.fetch_max(live, Ordering::Relaxed);
        Ok(Arc::new(Counted))
    });
    let mut builder = PlanBuilder::with_capacity(1000, 1000);
    let mut last = builder.push(OperationId(0), 0, []);
    for index in 1..1000 {
        last = builder.push(OperationId(0), index, [last]);
    }
    let chain = Arc::new(builder.finish(vec![last]).unwrap());
    let values = run_here(chain, body, Options::calling()).unwrap();
    assert!(MOST.load(Ordering::Relaxed) <= 2);
    drop(values);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
}

#[derive(Default)]
struct Log {
    started: Mutex<Vec<TaskId>>,
    finished: Mutex<Vec<(TaskId, bool)>>,
    freed: Mutex<Vec<TaskId>>,
}

impl Observer for Log {
    fn started(&self, task: TaskId, _: usize) -> Result<(), OperationError> {
        self.started.lock().unwrap().push(task);
        Ok(())
    }

    fn finished(
        &self,
        task: TaskId,
        _: usize,
        outcome: Result<&Value, &OperationError>,
        began: Instant,
        ended: Instant,
    ) -> Result<(), OperationError> {
        assert!(began <= ended);
        self.finished.lock().unwrap().push((task, outcome.is_ok()));
        Ok(())
    }

    fn freed(&self, task: TaskId, _: u64) {
        self.freed.lock().unwrap().push(task);
    }

    fn wants_freed(&self) -> bool {
        true
    }
}

#[test]
fn observers_hear_of_every_task() {
    let diamond = plan(&[(0, &[]), (0, &[0]), (0, &[0]), (0, &[1, 2])], &[3]);
    let log = Arc::new(Log::default());
    let options = Options { observer: Some(log.clone()), ..Options::pool(2) };
    start(diamond, adding(), options).and_then(Run::join).unwrap();
    let sorted = |tasks: &Mutex<Vec<TaskId>>| {
        let mut tasks = tasks.lock().unwrap().clone();
        tasks.sort();
        tasks
    };
    let all: Vec<_> = (0..4).map(TaskId).collect();
    assert_eq!(sorted(&log.started), all);
    assert_eq!(log.finished.lock().unwrap().len(), 4);
    assert_eq!(sorted(&log.freed), all[..3]);
}

#[test]
fn a_result_is_handed_out_once() {
    let run = start(wide(0, 1), adding(), Options::pool(1)).unwrap();
    assert!(run.wait(Duration::from_secs(10)).unwrap().is_ok());
    let again = run.wait(Duration::from_secs(10)).unwrap();
    assert!(matches!(again, Err(samite_runtime::RuntimeError::ResultTaken)));
}
