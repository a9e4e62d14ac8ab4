//! Columns that go on from row to row within groups.

use std::sync::Arc;

use samite_frame::arrow::array::{ArrayRef, Int64Array};
use samite_frame::arrow::datatypes::{DataType, Field, Schema};
use samite_frame::arrow::record_batch::RecordBatch;
use samite_frame::{
    AggregateFunction, Aggregation, Function, Literal, Memory, Options, Plan, Scalar, WindowColumn,
    WindowFunction, collect,
};

use crate::{column, lines, rows, sample};

fn window(name: &str, function: WindowFunction, of: Option<&str>) -> WindowColumn {
    WindowColumn { name: name.into(), function, column: of.map(str::to_owned) }
}

fn only(plan: Plan, names: &[&str]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    rows(&plan.select(&names).unwrap())
}

#[test]
fn rows_keep_their_order_and_groups_go_on_over_partitions() {
    let columns = vec![
        window("before", WindowFunction::Count, None),
        window("sum", WindowFunction::Sum, Some("x")),
        window("moved", WindowFunction::Shift(1), Some("x")),
        window("filled", WindowFunction::Fill, Some("x")),
        window("most", WindowFunction::Maximum, Some("n")),
        window("least", WindowFunction::Minimum, Some("n")),
        window("product", WindowFunction::Product, Some("x")),
    ];
    let plan = sample().window(vec!["s".into()], columns, false).unwrap();
    assert_eq!(only(plan.clone(), &["s", "before"]), ["b|0", "|0", "a|0", "a|1", "b|1"]);
    assert_eq!(only(plan.clone(), &["sum"]), ["1.5", "", "", "0.0", "5.5"]);
    assert_eq!(only(plan.clone(), &["moved"]), ["", "", "", "", "1.5"]);
    assert_eq!(only(plan.clone(), &["filled"]), ["1.5", "", "", "-0.0", "4.0"]);
    assert_eq!(only(plan.clone(), &["least", "most"]), ["3|3", "1|1", "2|2", "2|2", "3|3"]);
    assert_eq!(only(plan, &["product"]), ["1.5", "", "", "-0.0", "6.0"]);
}

#[test]
fn rows_of_no_group_have_no_values() {
    let count = || vec![window("before", WindowFunction::Count, None)];
    let plan = sample().window(vec!["s".into()], count(), true).unwrap();
    assert_eq!(only(plan, &["before"]), ["0", "", "0", "1", "1"]);
    let one = sample().window(Vec::new(), count(), true).unwrap();
    assert_eq!(only(one, &["before"]), ["0", "1", "2", "3", "4"]);
}

#[test]
fn what_pandas_computes_in_another_way_is_refused() {
    let loose = |function, of| {
        sample().window(vec!["s".into()], vec![window("w", function, Some(of))], true)
    };
    assert!(loose(WindowFunction::Sum, "n").is_err());
    assert!(loose(WindowFunction::Shift(1), "n").is_err());
    assert!(loose(WindowFunction::Shift(65), "x").is_err());
    assert!(loose(WindowFunction::Sum, "s").is_err());
    assert!(loose(WindowFunction::Fill, "s").is_err());
    let missing = sample().window(vec!["q".into()], Vec::new(), true).unwrap_err();
    assert!(missing.to_string().contains('q'), "{missing}");
}

#[test]
fn places_begin_anew_in_each_part() {
    let places = |parts: Vec<u64>| {
        let columns = vec![window("place", WindowFunction::Places(parts), None)];
        sample().window(Vec::new(), columns, true).unwrap()
    };
    assert_eq!(only(places(vec![3, 0, 2]), &["place"]), ["0", "1", "2", "0", "1"]);
    let too_few = collect(&places(vec![3]), &Options::default()).unwrap_err();
    assert!(too_few.to_string().contains("more rows"), "{too_few}");
}

#[test]
fn many_rows_on_threads_are_in_order_after_conditions() {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let parts = (0..7_i64)
        .map(|part| {
            let numbers: ArrayRef =
                Arc::new(Int64Array::from_iter_values(part * 20_000..(part + 1) * 20_000));
            vec![RecordBatch::try_new(Arc::new(schema.clone()), vec![numbers]).unwrap()]
        })
        .collect();
    let all = Plan::memory(Memory::new(&schema, parts).unwrap());
    let odd = Scalar::call(
        Function::NotEqual,
        vec![
            Scalar::call(Function::Modulo, vec![column("n"), Scalar::Literal(Literal::Integer(2))])
                .unwrap(),
            Scalar::Literal(Literal::Integer(0)),
        ],
    )
    .unwrap();
    let columns = vec![window("sum", WindowFunction::Sum, Some("n"))];
    let plan = all.filter(odd).unwrap().window(Vec::new(), columns, true).unwrap();
    for threads in [1, 2, 4] {
        let found = lines(&collect(&plan, &Options { threads, ..Options::default() }).unwrap());
        let expected: Vec<String> = (0..70_000_u64)
            .map(|place| format!("{}|{}", 2 * place + 1, (place + 1) * (place + 1)))
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn aggregations_stand_beside_the_rows_of_their_groups() {
    let mean = Aggregation {
        name: "mean".into(),
        function: AggregateFunction::Mean,
        column: Some("x".into()),
    };
    let beside = |drop_missing| {
        let table = sample().aggregate(vec!["s".into()], vec![mean.clone()], drop_missing).unwrap();
        let keys = vec![("s".to_owned(), "s".to_owned())];
        let columns = vec![("m".to_owned(), "mean".to_owned())];
        let plan = sample().lookup(table, keys, columns).unwrap();
        only(plan, &["n", "s", "m"])
    };
    assert_eq!(beside(true), ["3|b|2.75", "1||", "2|a|0.0", "2|a|0.0", "3|b|2.75"]);
    assert_eq!(beside(false), ["3|b|2.75", "1||", "2|a|0.0", "2|a|0.0", "3|b|2.75"]);
}

#[test]
fn a_table_with_other_keys_is_refused() {
    let table = || {
        let size =
            Aggregation { name: "size".into(), function: AggregateFunction::Size, column: None };
        sample().aggregate(vec!["s".into()], vec![size], true).unwrap()
    };
    let keys = |own: &str, of_table: &str| vec![(own.to_owned(), of_table.to_owned())];
    let columns = || vec![("rows".to_owned(), "size".to_owned())];
    assert!(sample().lookup(table(), keys("n", "s"), columns()).is_err());
    assert!(sample().lookup(table(), keys("s", "q"), columns()).is_err());
    assert!(sample().lookup(table(), Vec::new(), columns()).is_err());
    let taken = vec![("x".to_owned(), "size".to_owned())];
    assert!(sample().lookup(table(), keys("s", "s"), taken).is_err());
    // Two rows of one key would make an answer of chance.
    let twice = sample().lookup(sample(), keys("s", "s"), columns_of_x()).unwrap();
    assert!(collect(&twice, &Options::default()).is_err());
}

fn columns_of_x() -> Vec<(String, String)> {
    vec![("other".to_owned(), "x".to_owned())]
}
