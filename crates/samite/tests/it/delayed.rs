//! Lazy values.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use samite::delayed::{
    Lazy, RuntimeError, Scheduler, Stored, apply2, apply3, apply4, compute_all, delayed, join_all,
    try_apply2, try_delayed, value,
};

fn schedulers() -> [Scheduler; 3] {
    [Scheduler::default(), Scheduler::threads(3), Scheduler::synchronous()]
}

#[test]
fn values_flow_through_functions() {
    let (a, b) = (delayed(|| 2), value("xyz".to_owned()));
    let c = apply2(&a, &b, |a, b| a + b.len());
    let d = apply3(&a, &b, &c, |a, b, c| format!("{a}{b}{c}"));
    let e = apply4(&a, &b, &c, &d, |_, _, _, d| d.len()).map(|length| length * 10);
    for scheduler in schedulers() {
        assert_eq!(*e.compute_with(&scheduler).unwrap(), 50);
    }
}

#[test]
fn what_is_shared_is_computed_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let shared = delayed(move || counter.fetch_add(1, Ordering::Relaxed));
    let many: Vec<_> = (0..10).map(|index| shared.map(move |_| index)).collect();
    let values = compute_all(&many, &Scheduler::threads(2)).unwrap();
    assert!(values.iter().map(|value| **value).eq(0..10));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let kept = shared.persist(&Scheduler::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(*kept.map(|count| count + 1).compute().unwrap(), 2);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn values_need_not_be_cloned() {
    struct Precious(u32);
    let parts = (0..5).map(|number| delayed(move || Precious(number)));
    let sum = join_all(parts).map(|parts| parts.iter().map(|part| part.0).sum::<u32>());
    assert_eq!(*sum.compute().unwrap(), 10);
}

#[test]
fn a_chain_of_100_000_is_built_computed_and_dropped() {
    let mut last = delayed(|| 0u64);
    for _ in 0..100_000 {
        last = last.map(|number| number + 1);
    }
    assert_eq!(*last.compute().unwrap(), 100_000);
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{0} is odd")]
struct Odd(i32);

fn halve(number: &i32) -> Result<i32, Odd> {
    if number % 2 == 0 { Ok(number / 2) } else { Err(Odd(*number)) }
}

#[test]
fn errors_keep_their_type_and_say_where() {
    let start = try_delayed(|| halve(&6)).named("start");
    let half = start.try_map(halve).named("half");
    let end = try_apply2(&half, &start, |a, b| halve(&(a + b))).named("end");
    for scheduler in schedulers() {
        let error = end.compute_with(&scheduler).unwrap_err();
        assert_eq!(error.to_string(), "task half failed (needed by end): 3 is odd");
        assert_eq!(error.cause(), Some(&Odd(3)));
    }
    let nameless = delayed(|| 1).try_map(halve).compute().unwrap_err().to_string();
    assert!(nameless.starts_with("task map at ") && nameless.contains("delayed.rs:"), "{nameless}");
}

#[test]
fn a_panic_is_an_error() {
    let error = delayed(|| 0).map(|zero| 1 / *zero).compute().unwrap_err();
    assert!(matches!(&error, RuntimeError::Panicked { .. }), "{error}");
}

#[test]
fn retries_are_counted() {
    let flaky = |failures: usize| {
        let tries = AtomicUsize::new(0);
        try_delayed(move || match tries.fetch_add(1, Ordering::Relaxed) {
            tried if tried < failures => Err(Odd(1)),
            tried => Ok(tried),
        })
    };
    assert!(flaky(1).compute().is_err());
    assert_eq!(*flaky(1).retries(1).compute().unwrap(), 1);
    assert_eq!(*flaky(2).compute_with(&Scheduler::threads(2).retries(2)).unwrap(), 2);
    // Other tasks of the same run keep their own options.
    let both = apply2(&flaky(2).retries(2), &flaky(0), |a, b| a + b);
    assert_eq!(*both.compute().unwrap(), 2);
}

#[test]
fn functions_may_compute() {
    let outer = delayed(|| {
        let inner = delayed(|| delayed(|| 7).compute().map(|seven| *seven));
        (*inner.compute().unwrap()).as_ref().ok().copied()
    });
    assert_eq!(*outer.compute().unwrap(), Some(7));
}

#[test]
fn cancelling_is_prompt() {
    let slow: Vec<Lazy<()>> =
        (0..50).map(|_| delayed(|| std::thread::sleep(Duration::from_millis(200)))).collect();
    let running = join_all(slow).start(&Scheduler::threads(2)).unwrap();
    assert!(running.wait(Duration::from_millis(20)).is_none());
    let began = Instant::now();
    running.cancel();
    assert!(matches!(running.join(), Err(RuntimeError::Cancelled)));
    assert!(began.elapsed() < Duration::from_millis(100));
}

#[test]
fn stored_values_survive_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let blocks: Vec<_> = (0..40u32)
        .map(|number| delayed(move || (0..5000).map(|x| x ^ number).collect::<Vec<u32>>()).stored())
        .collect();
    // Every second stage needs all of the first, so all blocks are alive at once.
    let marks = join_all(blocks.iter().map(|block| block.map(Vec::len)));
    let sums = blocks.iter().map(|block| {
        apply2(block, &marks, |block, _| block.iter().map(|x| u64::from(*x)).sum::<u64>())
    });
    let total =
        join_all(sums.collect::<Vec<_>>()).map(|sums| sums.iter().map(|sum| **sum).sum::<u64>());
    let expected = *total.compute().unwrap();
    let frugal = Scheduler::threads(2).memory_limit(100_000).spill_folder(folder.path());
    let running = total.start(&frugal).unwrap();
    let got = loop {
        if let Some(outcome) = running.wait(Duration::from_secs(60)) {
            break *outcome.unwrap();
        }
    };
    assert_eq!(got, expected);
    assert!(running.progress().spilled_count >= 30, "{:?}", running.progress());
}

#[test]
fn broken_encodings_are_errors() {
    let mut bytes = Vec::new();
    vec![String::from("one"), String::from("zwei")].write(&mut bytes).unwrap();
    assert_eq!(Vec::<String>::read(&mut &bytes[..]).unwrap(), ["one", "zwei"]);
    for end in 0..bytes.len() {
        assert!(Vec::<String>::read(&mut &bytes[..end]).is_err());
    }
    assert!(Vec::<u8>::read(&mut &[255u8; 20][..]).is_err());
    assert!(String::read(&mut &[255u8; 20][..]).is_err());
}
