//! Groups of rows whose keys lie beside each other, in an order or in none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use samite_frame::arrow::array::{ArrayRef, AsArray, Int64Array};
use samite_frame::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use samite_frame::arrow::record_batch::RecordBatch;
use samite_frame::{
    AggregateFunction, Aggregation, Batches, Function, Literal, Memory, Options, Plan, Scalar,
    analyze, collect,
};

use crate::{column, options};

type Row = (Option<i64>, i64);

/// Partitions of batches of keys and values.
fn relation(partitions: &[Vec<Vec<Row>>]) -> Plan {
    let schema = Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("v", DataType::Int64, true),
    ]);
    let batch = |rows: &Vec<Row>| {
        let keys = Int64Array::from_iter(rows.iter().map(|row| row.0));
        let values = Int64Array::from_iter_values(rows.iter().map(|row| row.1));
        let columns: Vec<ArrayRef> = vec![Arc::new(keys), Arc::new(values)];
        RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap()
    };
    let batches = partitions.iter().map(|partition| partition.iter().map(batch).collect());
    Plan::memory(Memory::new(&schema, batches.collect()).unwrap())
}

fn aggregation(name: &str, function: AggregateFunction) -> Aggregation {
    let column = (function != AggregateFunction::Size).then(|| "v".to_owned());
    Aggregation { name: name.into(), function, column }
}

fn grouped(plan: Plan) -> Plan {
    let aggregations = vec![
        aggregation("sum", AggregateFunction::Sum),
        aggregation("size", AggregateFunction::Size),
        aggregation("least", AggregateFunction::Minimum),
        aggregation("most", AggregateFunction::Maximum),
    ];
    plan.aggregate(vec!["k".into()], aggregations, false).unwrap()
}

/// A row of each batch, in any order of theirs: a key, and numbers.
fn table(batches: &Batches) -> Vec<(Option<i64>, Vec<i64>)> {
    let mut found = Vec::new();
    for batch in &batches.batches {
        let columns: Vec<&Int64Array> =
            batch.columns().iter().map(|column| column.as_primitive::<Int64Type>()).collect();
        for row in 0..batch.num_rows() {
            let mut values = columns.iter().map(|column| column.iter().nth(row).unwrap());
            let key = values.next().unwrap();
            found.push((key, values.map(Option::unwrap).collect()));
        }
    }
    found.sort();
    found
}

fn expected(partitions: &[Vec<Vec<Row>>]) -> Vec<(Option<i64>, Vec<i64>)> {
    let mut groups: BTreeMap<Option<i64>, Vec<i64>> = BTreeMap::new();
    for (key, value) in partitions.iter().flatten().flatten() {
        groups.entry(*key).or_default().push(*value);
    }
    let results = |values: Vec<i64>| {
        let (least, most) = (values.iter().min().unwrap(), values.iter().max().unwrap());
        vec![values.iter().sum(), values.len() as i64, *least, *most]
    };
    groups.into_iter().map(|(key, values)| (key, results(values))).collect()
}

/// Rows cut into partitions, and those into batches; some of both are empty.
fn cut(rows: Vec<Row>, partitions: Vec<usize>, batches: usize) -> Vec<Vec<Vec<Row>>> {
    let mut places: Vec<usize> = partitions.iter().map(|place| place % (rows.len() + 1)).collect();
    places.extend([0, rows.len()]);
    places.sort_unstable();
    let pieces = places.windows(2).map(|ends| &rows[ends[0]..ends[1]]);
    pieces.map(|piece| piece.chunks(batches).map(<[Row]>::to_vec).collect()).collect()
}

/// Rows in the order of their keys, but for what `swaps` moves; some keys are missing.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let runs = prop::collection::vec((1_i64..4, 1_usize..9), 0..60);
    let swaps = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..3);
    (runs, swaps, any::<bool>()).prop_map(|(runs, swaps, is_ordered)| {
        let mut rows = Vec::new();
        let mut key = -20;
        for (step, length) in runs {
            key += step;
            rows.extend((0..length).map(|place| (Some(key), key * 7 + (place % 2) as i64)));
        }
        for (place, is_missing) in swaps {
            if rows.is_empty() || is_ordered {
                continue;
            }
            let place = place.index(rows.len());
            if is_missing {
                rows[place].0 = None;
            } else {
                rows[place..].reverse();
            }
        }
        rows
    })
}

proptest! {
    #[test]
    fn groups_have_all_their_rows(
        rows in rows(),
        partitions in prop::collection::vec(any::<usize>(), 1..4),
        batches in 1_usize..70,
        threads in 1_usize..5,
    ) {
        let partitions = cut(rows, partitions, batches);
        let plan = grouped(relation(&partitions));
        let found = collect(&plan, &Options { threads, ..options() }).unwrap();
        prop_assert_eq!(table(&found), expected(&partitions));
    }

    #[test]
    fn one_value_or_more_is_told_by_the_extremes(
        rows in rows(),
        partitions in prop::collection::vec(any::<usize>(), 1..4),
        which in 0_usize..5,
    ) {
        let partitions = cut(rows, partitions, 50);
        let (function, number) = [
            (Function::Greater, 1),
            (Function::GreaterEqual, 2),
            (Function::Equal, 1),
            (Function::NotEqual, 1),
            (Function::LessEqual, 1),
        ][which];
        let count = vec![aggregation("count", AggregateFunction::Distinct)];
        let condition = Scalar::call(
            function,
            vec![column("count"), Scalar::Literal(Literal::Integer(number))],
        );
        let plan = relation(&partitions)
            .aggregate(vec!["k".into()], count, false)
            .and_then(|plan| plan.filter(condition?))
            .and_then(|plan| plan.project(vec![("k".into(), column("k"))]))
            .unwrap();
        let mut values: BTreeMap<Option<i64>, BTreeSet<i64>> = BTreeMap::new();
        for (key, value) in partitions.iter().flatten().flatten() {
            values.entry(*key).or_default().insert(*value);
        }
        let holds = |count: i64| match function {
            Function::Greater => count > number,
            Function::GreaterEqual => count >= number,
            Function::Equal => count == number,
            Function::NotEqual => count != number,
            _ => count <= number,
        };
        values.retain(|_, values| holds(values.len() as i64));
        let found: Vec<Option<i64>> = table(&collect(&plan, &options()).unwrap())
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        prop_assert_eq!(found, values.into_keys().collect::<Vec<_>>());
    }
}

/// Rows in the order of their keys, three of each, which no batch ends with.
fn ordered(count: i64) -> Vec<Vec<Vec<Row>>> {
    let rows: Vec<Row> = (0..count).map(|row| (Some(row / 3), row % 3)).collect();
    vec![rows.chunks(8_000).map(<[Row]>::to_vec).collect()]
}

#[test]
fn groups_in_the_order_of_their_keys_need_no_table() {
    let partitions = ordered(200_002);
    let (found, figures) =
        analyze(&grouped(relation(&partitions)), &options()).unwrap().join().unwrap();
    assert_eq!(table(&found), expected(&partitions));
    let rows_of = |name: &str| {
        figures.iter().find(|each| each.operator.starts_with(name)).map(|each| each.rows)
    };
    assert_eq!(rows_of("OrderedExec"), Some(66_668), "{figures:?}");
    // The key at the cut has a run on either side.
    assert_eq!(rows_of("RunsExec"), Some(66_669), "{figures:?}");
}

#[test]
fn groups_that_do_not_fit_go_through_tables_that_spill() {
    let partitions = ordered(400_000);
    let folder = tempfile::tempdir().unwrap();
    let limited = Options {
        memory_limit: Some(3 << 20),
        spill_folder: Some(folder.path().to_owned()),
        ..options()
    };
    let found = collect(&grouped(relation(&partitions)), &limited).unwrap();
    assert_eq!(table(&found), expected(&partitions));
}
