//! Budgets, cancellation, and what is computed once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use samite_frame::arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
use samite_frame::arrow::datatypes::Int64Type;
use samite_frame::arrow::record_batch::RecordBatch;
use samite_frame::{
    AggregateFunction, Aggregation, Batches, FrameError, JoinColumn, JoinKind, Memory, Options,
    Plan, SortKey, analyze, collect, start,
};

use crate::options;

/// Numbers in batches of memory of their own: the engine counts the whole of a buffer.
fn numbers(count: i64) -> Plan {
    let values: Vec<i64> = (0..count).map(|number| number * 7_919 % count).collect();
    let batch = |values: &[i64]| {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    };
    let batches: Vec<RecordBatch> = values.chunks(32_768).map(batch).collect();
    Plan::memory(Memory::new(&batches[0].schema(), vec![batches]).unwrap())
}

fn sorted(plan: Plan) -> Plan {
    let key = SortKey { column: "n".into(), descending: false, missing_first: false };
    plan.sort(vec![key], None, false).unwrap()
}

#[test]
fn a_sort_of_more_than_the_budget_spills() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Options {
        memory_limit: Some(24 << 20),
        spill_folder: Some(folder.path().to_owned()),
        ..options()
    };
    let (batches, figures) =
        analyze(&sorted(numbers(4_000_000)), &limited).unwrap().join().unwrap();
    assert_eq!(batches.rows(), 4_000_000);
    let mut last = -1;
    for batch in &batches.batches {
        let column = batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
        for value in column.values() {
            assert!(*value > last);
            last = *value;
        }
    }
    assert!(figures.iter().any(|each| each.bytes > 0), "nothing was spilled: {figures:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Rows of text whose batches are pieces of large arrays, as frames in memory have them.
fn texts(count: i64) -> Plan {
    let numbers = Int64Array::from_iter_values((0..count).map(|row| row * 7_919 % count));
    let texts = numbers.values().iter().map(|number| format!("a text of some length {number:09}"));
    let columns: [(&str, ArrayRef); 2] = [
        ("n", Arc::new(numbers.clone())),
        ("s", Arc::new(texts.map(Some).collect::<StringViewArray>())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    Plan::memory(Memory::new(&batch.schema(), vec![vec![batch]]).unwrap())
}

fn numbers_of(batches: &Batches) -> Vec<i64> {
    let columns = batches.batches.iter().map(|batch| batch.column(0).clone());
    columns.flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[test]
fn a_budget_counts_the_rows_of_pieces_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Options {
        memory_limit: Some(24 << 20),
        spill_folder: Some(folder.path().to_owned()),
        ..options()
    };
    let count = 400_000;
    for limit in [None, Some(10), Some(250_000)] {
        let key = SortKey { column: "s".into(), descending: false, missing_first: false };
        let plan = texts(count).sort(vec![key], limit, true).unwrap();
        let found = numbers_of(&collect(&plan, &limited).unwrap());
        let wanted: Vec<i64> = (0..limit.map_or(count, |limit| limit as i64)).collect();
        assert_eq!(found, wanted, "{limit:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_join_of_more_than_the_budget_is_sorted() {
    let count = 300_000;
    let on = vec![("s".to_owned(), "s".to_owned())];
    let output = vec![
        ("n".to_owned(), JoinColumn::Left("n".into())),
        ("m".to_owned(), JoinColumn::Right("n".into())),
    ];
    // Numbers of an outer join may be missing, and those have no sum of integers.
    for (kind, function, wanted) in [
        (JoinKind::Inner, AggregateFunction::Sum, count * (count - 1) / 2),
        (JoinKind::Outer, AggregateFunction::Count, count),
    ] {
        let joined = texts(count).join(texts(count), kind, on.clone(), output.clone()).unwrap();
        let aggregation = |column: &str| Aggregation {
            name: column.into(),
            function,
            column: Some(column.into()),
        };
        let both = vec![aggregation("n"), aggregation("m")];
        let plan = joined.aggregate(vec![], both, true).unwrap();
        let limited = Options { memory_limit: Some(12 << 20), ..options() };
        let found = collect(&plan, &limited).unwrap();
        assert_eq!(numbers_of(&found), [wanted]);
    }
}

#[test]
fn joins_of_more_than_the_budget_are_made_in_pieces() {
    let count = 400_000;
    let (all, half) = (numbers(count), numbers(count / 2));
    let on = vec![("n".to_owned(), "n".to_owned())];
    // The keys of one side are below half of the other ones.
    for (kind, rows) in [
        (JoinKind::Inner, count / 2),
        (JoinKind::Left, count),
        (JoinKind::Right, count / 2),
        (JoinKind::Outer, count),
    ] {
        let output = vec![("n".to_owned(), JoinColumn::Key(0))];
        let joined = all.clone().join(half.clone(), kind, on.clone(), output).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let limited = Options {
            memory_limit: Some(16 << 20),
            spill_folder: Some(folder.path().to_owned()),
            ..options()
        };
        let (found, figures) = analyze(&joined, &limited).unwrap().join().unwrap();
        let of = |name: &str| figures.iter().filter(|each| each.operator.starts_with(name)).count();
        assert_eq!((of("PiecesExec"), of("SortExec")), (1, 0), "{figures:?}");
        let mut keys = numbers_of(&found);
        keys.sort_unstable();
        assert_eq!(keys, (0..rows).collect::<Vec<i64>>(), "{kind:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_join_with_one_key_of_more_than_the_budget_is_sorted() {
    // All rows of the table are in one piece.
    let same = |count: i64| {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..count).map(|_| 7)));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        Plan::memory(Memory::new(&batch.schema(), vec![vec![batch]]).unwrap())
    };
    let on = vec![("n".to_owned(), "n".to_owned())];
    let output = vec![("n".to_owned(), JoinColumn::Key(0))];
    let joined = numbers(600_000).join(same(500_000), JoinKind::Inner, on, output).unwrap();
    let limited = Options { memory_limit: Some(16 << 20), ..options() };
    let found = collect(&joined, &limited).unwrap();
    assert_eq!(found.rows(), 500_000);
}

#[test]
fn a_budget_that_is_too_small_is_a_typed_error() {
    let limited = Options { memory_limit: Some(1 << 10), ..options() };
    let failed = collect(&sorted(numbers(1_000_000)), &limited).unwrap_err();
    assert!(matches!(failed, FrameError::MemoryLimit { .. }), "{failed:?}");
}

#[test]
fn a_run_that_is_cancelled_ends_soon() {
    let left = numbers(20_000);
    // All pairs: far more than could be counted in the time of a test.
    let constant = |plan: Plan| {
        let one = samite_frame::Scalar::Literal(samite_frame::Literal::Integer(1));
        plan.project(vec![("one".into(), one)]).unwrap()
    };
    let output = vec![("one".into(), JoinColumn::Key(0))];
    let joined = constant(left.clone())
        .join(constant(left), JoinKind::Inner, vec![("one".into(), "one".into())], output)
        .unwrap();
    let again = joined
        .clone()
        .join(
            joined,
            JoinKind::Inner,
            vec![("one".into(), "one".into())],
            vec![("one".into(), JoinColumn::Key(0))],
        )
        .unwrap();
    let count = Aggregation { name: "c".into(), function: AggregateFunction::Size, column: None };
    let plan = again.aggregate(vec![], vec![count], true).unwrap();
    let execution = start(&plan, &options()).unwrap();
    assert!(execution.wait(Duration::from_millis(200)).is_none());
    let begun = Instant::now();
    execution.cancel();
    let outcome = execution.wait(Duration::from_secs(5));
    assert!(matches!(outcome, Some(Err(FrameError::Cancelled))), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}
