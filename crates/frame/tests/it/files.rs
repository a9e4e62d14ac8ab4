//! Parquet files: what is read, and what is not.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use samite_frame::arrow::array::{ArrayRef, Float64Array, Int64Array};
use samite_frame::arrow::record_batch::RecordBatch;
use samite_frame::{
    FrameError, Function, Literal, ParquetScan, Piece, Plan, Scalar, analyze, explain,
};

use crate::{column, options, rows};

/// A file with the numbers `begin..end` in row groups of ten, and a float that is NaN at each
/// seventh.
fn write(folder: &Path, name: &str, begin: i64, end: i64) -> PathBuf {
    let path = folder.join(name);
    let numbers: Vec<i64> = (begin..end).collect();
    let floats: Vec<f64> = numbers
        .iter()
        .map(|number| if number % 7 == 0 { f64::NAN } else { *number as f64 })
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(numbers))),
        ("x", Arc::new(Float64Array::from(floats))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties))
            .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn scan(paths: &[PathBuf]) -> Plan {
    Plan::parquet(ParquetScan::open(paths, None, None).unwrap())
}

fn compared(function: Function, name: &str, value: f64) -> Scalar {
    Scalar::call(function, vec![column(name), Scalar::Literal(Literal::float(value))]).unwrap()
}

#[test]
fn rows_come_in_the_order_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [write(folder.path(), "b", 30, 60), write(folder.path(), "a", 0, 30)];
    let found = rows(&scan(&paths).select(&["n".into()]).unwrap());
    let expected: Vec<String> = (30..60).chain(0..30).map(|number| number.to_string()).collect();
    assert_eq!(found, expected);
}

#[test]
fn conditions_reach_the_file_and_skip_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [write(folder.path(), "a", 0, 100)];
    let plan = scan(&paths)
        .project(vec![("m".into(), column("n")), ("x".into(), column("x"))])
        .unwrap()
        .filter(compared(Function::GreaterEqual, "x", 85.0))
        .unwrap();
    let explained = explain(&plan, &options()).unwrap().join().unwrap();
    assert!(explained.optimized.contains("where greater_equal(x"), "{}", explained.optimized);
    assert!(explained.physical.contains("predicate="), "{}", explained.physical);
    let (batches, figures) = analyze(&plan, &options()).unwrap().join().unwrap();
    let numbers: Vec<i64> = (85..100).filter(|number| number % 7 != 0).collect();
    assert_eq!(batches.rows(), numbers.len());
    let source = figures.iter().find(|each| each.operator.starts_with("DataSourceExec")).unwrap();
    assert!(source.rows <= 20, "{source:?}");
}

#[test]
fn nan_in_a_file_passes_no_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [write(folder.path(), "a", 0, 100)];
    for function in [Function::Greater, Function::Less, Function::NotEqual] {
        let found = rows(&scan(&paths).filter(compared(function, "x", 50.0)).unwrap()).len();
        let numbers = (0..100).filter(|number| match function {
            Function::Greater => *number > 50 && number % 7 != 0,
            Function::Less => *number < 50 && number % 7 != 0,
            _ => *number != 50,
        });
        assert_eq!(found, numbers.count(), "{function:?}");
    }
}

#[test]
fn partitions_can_be_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [write(folder.path(), "a", 0, 100)];
    let pieces = vec![
        vec![Piece { file: 0, row_groups: Some((0, 3)) }],
        vec![],
        vec![Piece { file: 0, row_groups: Some((8, 10)) }],
    ];
    let scan = ParquetScan::open(&paths, Some(&["n".into()]), Some(pieces)).unwrap();
    let plan = Plan::parquet(scan);
    assert_eq!(plan.partitions(), 3);
    let counts: Vec<usize> =
        (0..3).map(|part| rows(&plan.partition(part).unwrap()).len()).collect();
    assert_eq!(counts, [30, 0, 20]);
    assert_eq!(rows(&plan).len(), 50);
}

#[test]
fn files_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good", 0, 10);
    let bad = folder.path().join("bad");
    std::fs::write(&bad, b"no parquet at all").unwrap();
    let failed = ParquetScan::open(std::slice::from_ref(&bad), None, None).unwrap_err();
    assert!(matches!(&failed, FrameError::Corrupt { path, .. } if path.ends_with("bad")));
    let failed = ParquetScan::open(&[folder.path().join("none")], None, None).unwrap_err();
    assert!(matches!(&failed, FrameError::File { path, .. } if path.ends_with("none")));
    let failed = ParquetScan::open(&[good], Some(&["m".into()]), None).unwrap_err();
    assert!(matches!(failed, FrameError::MissingColumn { .. }));
}
