//! Plans through the public API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod files;
mod groups;
mod plans;
mod running;
mod windows;

use std::sync::Arc;

use samite_frame::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use samite_frame::arrow::datatypes::{DataType, Field, Schema};
use samite_frame::arrow::record_batch::RecordBatch;
use samite_frame::arrow::util::display::array_value_to_string;
use samite_frame::{Batches, Memory, Options, Plan, Scalar, collect};

/// A relation of a number, a float that may be NaN or missing, and a text; in two partitions.
fn sample() -> Plan {
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("s", DataType::Utf8, true),
    ]);
    let batch = |n: Vec<i64>, x: Vec<Option<f64>>, s: Vec<Option<&str>>| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(n)),
            Arc::new(Float64Array::from(x)),
            Arc::new(StringArray::from(s)),
        ];
        RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap()
    };
    let first = batch(
        vec![3, 1, 2],
        vec![Some(1.5), Some(f64::NAN), None],
        vec![Some("b"), None, Some("a")],
    );
    let second = batch(vec![2, 3], vec![Some(-0.0), Some(4.0)], vec![Some("a"), Some("b")]);
    Plan::memory(Memory::new(&schema, vec![vec![first], vec![second]]).unwrap())
}

fn options() -> Options {
    Options { threads: 2, ..Options::default() }
}

/// The rows as text, a line each.
fn lines(batches: &Batches) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in &batches.batches {
        for row in 0..batch.num_rows() {
            let values: Vec<String> = batch
                .columns()
                .iter()
                .map(|column| array_value_to_string(column, row).unwrap())
                .collect();
            lines.push(values.join("|"));
        }
    }
    lines
}

fn rows(plan: &Plan) -> Vec<String> {
    lines(&collect(plan, &options()).unwrap())
}

fn column(name: &str) -> Scalar {
    Scalar::column(name)
}
