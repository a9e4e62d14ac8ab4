//! Errors, panics, retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use samite_graph::{AnnotationId, OperationId, PlanBuilder, TaskId};
use samite_runtime::{
    Observer, OperationError, Options, Run, RuntimeError, TaskOptions, run_here, start,
};

use crate::support::{Number, adding, numbers, plan, program, wide};

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("spoiled at {0}")]
struct Spoiled(u32);

#[test]
fn an_error_keeps_its_type_and_names_the_chain() {
    for pool in [false, true] {
        let body = program(|_, index, _, _| match index {
            1 => Err(OperationError::new(Spoiled(index))),
            _ => Ok(Arc::new(Number(0))),
        });
        let line = plan(&[(0, &[]), (2, &[0]), (4, &[1]), (6, &[2])], &[3]);
        let outcome = if pool {
            start(line, body, Options::pool(2)).and_then(Run::join)
        } else {
            run_here(line, body, Options::calling())
        };
        let Err(error) = outcome else { panic!("the run succeeded") };
        assert_eq!(error.to_string(), "task op2-1 failed (needed by op4-2 < op6-3): spoiled at 1");
        let RuntimeError::TaskFailed { task, source, .. } = error else { panic!("{error:?}") };
        assert_eq!(task, TaskId(1));
        assert_eq!(source.downcast_ref(), Some(&Spoiled(1)));
    }
}

#[test]
fn the_rest_is_cancelled_at_once() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let body = program(move |_, index, _, _| {
        if index == 0 {
            return Err(OperationError::new(Spoiled(0)));
        }
        counter.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(5));
        Ok(Arc::new(Number(0)))
    });
    let began = Instant::now();
    let outcome = start(wide(0, 1000), body, Options::pool(2)).and_then(Run::join);
    assert!(matches!(outcome, Err(RuntimeError::TaskFailed { task: TaskId(0), .. })));
    assert!(began.elapsed() < Duration::from_secs(1));
    std::thread::sleep(Duration::from_millis(50));
    assert!(ran.load(Ordering::Relaxed) < 20);
}

#[test]
fn a_panic_is_an_error_and_the_threads_go_on() {
    let body = program(|_, index, _, _| {
        assert!(index != 3, "task {index} is unlucky");
        Ok(Arc::new(Number(0)))
    });
    let outcome = start(wide(0, 10), body, Options::pool(2)).and_then(Run::join);
    let Err(RuntimeError::Panicked { task, message, .. }) = outcome else { panic!() };
    assert_eq!(task, TaskId(3));
    assert!(message.contains("task 3 is unlucky"), "{message}");
    let again = start(wide(0, 10), adding(), Options::pool(2)).and_then(Run::join).unwrap();
    assert_eq!(numbers(&again), vec![1; 10]);
}

#[test]
fn a_panic_leaves_no_inputs_to_the_next_try() {
    let tries = AtomicUsize::new(0);
    let body = program(move |_, index, _, inputs| {
        assert_eq!(inputs.len(), index as usize);
        assert!(index == 0 || tries.fetch_add(1, Ordering::Relaxed) > 1, "not yet");
        Ok(Arc::new(Number(0)))
    });
    let options = Options { retries: 2, ..Options::calling() };
    run_here(plan(&[(0, &[]), (0, &[0])], &[1]), body, options).unwrap();
}

/// Fails `failures` times, then succeeds.
fn flaky(failures: usize) -> Arc<dyn samite_runtime::Program> {
    let tries = AtomicUsize::new(0);
    program(move |_, index, context, _| {
        let tried = tries.fetch_add(1, Ordering::Relaxed);
        assert_eq!(context.attempt as usize, tried);
        if tried < failures {
            return Err(OperationError::new(Spoiled(index)));
        }
        Ok(Arc::new(Number(tried as i64)))
    })
}

#[test]
fn retries_come_from_the_options() {
    let options = || Options { retries: 2, ..Options::pool(2) };
    let run = start(wide(0, 1), flaky(2), options()).unwrap();
    assert_eq!(numbers(&run.join().unwrap()), [2]);
    let run = start(wide(0, 1), flaky(3), options()).unwrap();
    assert!(matches!(run.join(), Err(RuntimeError::TaskFailed { .. })));
}

#[test]
fn retries_come_from_annotations_and_places_are_ignored() {
    let annotations =
        [TaskOptions { retries: 2, workers: vec!["elsewhere".into()], ..TaskOptions::default() }];
    let options =
        || Options { annotations: annotations.iter().cloned().collect(), ..Options::pool(2) };
    let annotated = || {
        let mut builder = PlanBuilder::with_capacity(1, 0);
        builder.begin_layer("flaky", Some(AnnotationId(0)));
        let task = builder.push(OperationId(0), 0, []);
        Arc::new(builder.finish(vec![task]).unwrap())
    };
    let run = start(annotated(), flaky(2), options()).unwrap();
    assert_eq!(numbers(&run.join().unwrap()), [2]);
    let run = start(annotated(), flaky(3), options()).unwrap();
    assert!(matches!(run.join(), Err(RuntimeError::TaskFailed { .. })));
}

#[test]
fn a_failing_observer_ends_the_run() {
    struct Refusing;
    impl Observer for Refusing {
        fn started(&self, task: TaskId, _: usize) -> Result<(), OperationError> {
            if task.0 == 1 { Err(OperationError::new(Spoiled(task.0))) } else { Ok(()) }
        }
    }
    let options = Options { observer: Some(Arc::new(Refusing)), ..Options::pool(2) };
    let outcome = start(plan(&[(0, &[]), (0, &[0])], &[1]), adding(), options).and_then(Run::join);
    let Err(RuntimeError::Observer { task, source, .. }) = outcome else { panic!() };
    assert_eq!((task, source.downcast_ref()), (TaskId(1), Some(&Spoiled(1))));
}
