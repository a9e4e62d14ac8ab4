//! Columns that go on from row to row within groups.

use std::sync::Arc;

use samite_frame::arrow::array::{ArrayRef, Int64Array};
use samite_frame::arrow::datatypes::{DataType, Field, Schema};
use samite_frame::arrow::record_batch::RecordBatch;
use samite_frame::{
    Function, Literal, Memory, Options, Plan, Scalar, WindowColumn, WindowFunction, collect,
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
    assert_eq!(only(plan.clone(), &["sum"]), ["1.5", "", "", "-0.0", "5.5"]);
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
