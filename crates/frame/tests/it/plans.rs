//! What each operator means.

use samite_frame::{
    AggregateFunction, Aggregation, FrameError, Function, JoinColumn, JoinKind, Keep, Literal,
    Plan, Scalar, SortKey,
};

use crate::{column, rows, sample};

fn float(value: f64) -> Scalar {
    Scalar::Literal(Literal::float(value))
}

fn call(function: Function, arguments: Vec<Scalar>) -> Scalar {
    Scalar::call(function, arguments).unwrap()
}

fn key(column: &str) -> SortKey {
    SortKey { column: column.into(), descending: false, missing_first: false }
}

#[test]
fn a_missing_float_is_no_more_and_no_less_than_anything() {
    let above = sample().filter(call(Function::Greater, vec![column("x"), float(1.0)])).unwrap();
    assert_eq!(rows(&above), ["3|1.5|b", "3|4.0|b"]);
    let negated = call(Function::Not, vec![call(Function::Greater, vec![column("x"), float(1.0)])]);
    assert_eq!(rows(&sample().filter(negated).unwrap()).len(), 3);
    let unequal = call(Function::NotEqual, vec![column("x"), float(1.5)]);
    assert_eq!(rows(&sample().filter(unequal).unwrap()).len(), 4);
}

#[test]
fn negative_zero_is_zero() {
    for function in [Function::Equal, Function::GreaterEqual, Function::LessEqual] {
        let zero = call(function, vec![column("x"), float(0.0)]);
        let found = rows(&sample().filter(zero).unwrap());
        assert!(found.contains(&"2|-0.0|a".to_owned()), "{function:?}: {found:?}");
    }
    let below = call(Function::Less, vec![column("x"), float(0.0)]);
    assert!(rows(&sample().filter(below).unwrap()).is_empty());
}

#[test]
fn nan_that_is_computed_is_missing() {
    let quotient = call(Function::Divide, vec![column("x"), column("x")]);
    let plan = sample().project(vec![("q".into(), quotient)]).unwrap();
    assert_eq!(rows(&plan), ["1.0", "", "", "", "1.0"]);
}

#[test]
fn groups_leave_out_missing_keys_unless_asked() {
    let sums = |drop_missing| {
        let sum = Aggregation {
            name: "sum".into(),
            function: AggregateFunction::Sum,
            column: Some("x".into()),
        };
        let plan = sample().aggregate(vec!["s".into()], vec![sum], drop_missing).unwrap();
        rows(&plan.sort(vec![key("s")], None, false).unwrap())
    };
    assert_eq!(sums(true), ["a|0.0", "b|5.5"]);
    assert_eq!(sums(false), ["a|0.0", "b|5.5", "|0.0"]);
}

#[test]
fn first_and_last_are_left_to_the_caller() {
    for function in [AggregateFunction::First, AggregateFunction::Last] {
        let asked = Aggregation { name: "x".into(), function, column: Some("x".into()) };
        let failed = sample().aggregate(vec!["n".into()], vec![asked], true);
        assert!(matches!(failed, Err(FrameError::Unsupported { .. })), "{failed:?}");
    }
}

#[test]
fn missing_keys_meet_each_other() {
    let right = sample().project(vec![("t".into(), column("s"))]).unwrap();
    let output: Vec<(String, JoinColumn)> =
        vec![("n".into(), JoinColumn::Left("n".into())), ("s".into(), JoinColumn::Key(0))];
    let joined =
        sample().join(right, JoinKind::Inner, vec![("s".into(), "t".into())], output).unwrap();
    let mut found = rows(&joined);
    found.sort();
    assert_eq!(found, ["1|", "2|a", "2|a", "2|a", "2|a", "3|b", "3|b", "3|b", "3|b"]);
}

#[test]
fn equal_rows_keep_their_order_and_missing_ones_come_last() {
    let plan = sample().sort(vec![key("s")], None, true).unwrap();
    assert_eq!(rows(&plan), ["2||a", "2|-0.0|a", "3|1.5|b", "3|4.0|b", "1||"]);
    let by_float = sample().sort(vec![key("x")], None, true).unwrap();
    assert_eq!(rows(&by_float), ["2|-0.0|a", "3|1.5|b", "3|4.0|b", "1||", "2||a"]);
}

#[test]
fn distinct_keeps_the_first_or_the_last_row() {
    let kept = |keep| rows(&sample().distinct(vec!["n".into()], keep).unwrap());
    assert_eq!(kept(Keep::First), ["3|1.5|b", "1||", "2||a"]);
    assert_eq!(kept(Keep::Last), ["1||", "2|-0.0|a", "3|4.0|b"]);
}

#[test]
fn a_query_in_sql_is_a_plan_like_others() {
    let query = "select s, count(*) as c from t where s is not null group by s order by s";
    let plan = samite_frame::sql(query, vec![("t".into(), sample())]).unwrap();
    assert_eq!(rows(&plan), ["a|2", "b|2"]);
    let more = plan
        .filter(call(
            Function::Equal,
            vec![column("s"), Scalar::Literal(Literal::Text("b".into()))],
        ))
        .unwrap();
    assert_eq!(rows(&more), ["b|2"]);
}

#[test]
fn sql_changes_nothing_and_names_what_is_wrong() {
    for query in ["drop table t", "insert into t values (1, 2.0, 'x')", "select nothing from t"] {
        let failed = samite_frame::sql(query, vec![("t".into(), sample())]);
        assert!(matches!(failed, Err(FrameError::Sql { .. })), "{query}: {failed:?}");
    }
}

#[test]
fn a_missing_column_is_named_with_its_neighbours() {
    let failed = sample().sort(vec![key("m")], None, false).unwrap_err();
    assert!(matches!(failed, FrameError::MissingColumn { .. }));
    assert!(failed.to_string().contains("\"m\""), "{failed}");
}

#[test]
fn a_plan_survives_as_bytes() {
    let plan = sample()
        .filter(call(Function::NotMissing, vec![column("s")]))
        .unwrap()
        .distinct(vec!["n".into()], Keep::First)
        .unwrap();
    let again = Plan::from_bytes(&plan.to_bytes().unwrap()).unwrap();
    assert_eq!(rows(&again), rows(&plan));
    assert!(Plan::from_bytes(&[1, 2, 3]).is_err());
}

#[test]
fn partitions_are_the_whole_in_order() {
    let plan = sample().filter(call(Function::NotMissing, vec![column("s")])).unwrap();
    assert_eq!(plan.partitions(), 2);
    let parts: Vec<String> = (0..2).flat_map(|part| rows(&plan.partition(part).unwrap())).collect();
    assert_eq!(parts, rows(&plan));
    assert!(plan.partition(2).is_err());
}
