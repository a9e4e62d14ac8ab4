use std::io::Write;

use samite_bag::records::{
    Comparison, Form, Operation, Output, Owned, Plan, Reduction, Source, compute,
};
use samite_bag::{BagError, TextBlock};
use samite_runtime::Options;

fn item(key: &str) -> Form {
    Form::Key(Box::new(Form::Record), key.into())
}

fn run(text: &str, operations: Vec<Operation>) -> Result<Output, BagError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let source = Source::Text { blocks: vec![TextBlock::whole(file.path())], universal: false };
    let mut outputs = compute(&[Plan { source, operations }], Options::pool(2))?;
    Ok(outputs.pop().unwrap())
}

fn text(text: &str) -> Owned {
    Owned::Text(text.into())
}

const PEOPLE: &str = r#"{"name": "Ada", "age": 36}
{"name": "Grace", "age": 85}
   
{"name": "Ada", "age": 20}
"#;

#[test]
fn a_pipeline() {
    let older = Form::Compare(
        Comparison::Greater,
        Box::new(item("age")),
        Box::new(Form::Constant(Owned::Int(30))),
    );
    let operations = vec![
        Operation::JsonLines,
        Operation::Filter(older),
        Operation::Map(item("name")),
        Operation::Reduce(Reduction::Frequencies { sorted: false }),
    ];
    let pair = |name: &str, count| Owned::Tuple(vec![text(name), Owned::Int(count)]);
    let expected = Output::Records(vec![pair("Ada", 1), pair("Grace", 1)]);
    assert_eq!(run(PEOPLE, operations).unwrap(), expected);
}

#[test]
fn what_has_no_exact_answer_names_its_place() {
    let operations = || vec![Operation::JsonLines, Operation::Map(item("age"))];
    for (line, reason) in [
        ("{\"age\": 1", "no JSON"),
        ("{\"name\": 1}", "a key that is not there"),
        ("{\"age\": 99999999999999999999}", "an integer of more than 64 bits"),
        ("{\"age\": 18446744073709551615}", "an integer of more than 64 bits"),
    ] {
        let failed = run(&format!("{PEOPLE}{line}\n"), operations()).unwrap_err();
        let message = failed.to_string();
        assert!(message.contains(reason), "{message}");
        assert!(message.contains(&format!("byte {}", PEOPLE.len())), "{message}");
    }
}

#[test]
fn numbers_that_are_equal_are_one() {
    let operations = vec![Operation::JsonLines, Operation::Reduce(Reduction::Distinct)];
    let found = run("1\n1.0\ntrue\n0.5\n9007199254740993\n9007199254740992.0\n", operations);
    let expected = vec![
        Owned::Int(1),
        Owned::Float(0.5),
        Owned::Int(9_007_199_254_740_993),
        Owned::Float(9_007_199_254_740_992.0),
    ];
    assert_eq!(found.unwrap(), Output::Records(expected));
}

#[test]
fn reductions_of_nothing() {
    let reduced = |reduction| run("", vec![Operation::Reduce(reduction)]);
    assert_eq!(reduced(Reduction::Count).unwrap(), Output::Value(Owned::Int(0)));
    assert_eq!(reduced(Reduction::Sum).unwrap(), Output::Value(Owned::Int(0)));
    assert_eq!(reduced(Reduction::All).unwrap(), Output::Value(Owned::Bool(true)));
    for reduction in [Reduction::Mean, Reduction::Min, Reduction::Max] {
        assert!(reduced(reduction).is_err());
    }
}
