//! Lines of JSON of which only some items are made, against whole lines.

use std::io::Write;

use samite_bag::records::{
    Arithmetic, Comparison, Fold, Form, JsonReader, Operation, Output, Owned, Plan, Reduction,
    Source, Value, Wanted, compute,
};
use samite_bag::{Compression, TextBlock};
use samite_runtime::Options;

fn file_of(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    file
}

fn item(key: &str) -> Form {
    Form::Key(Box::new(Form::Record), key.into())
}

fn run(text: &str, operations: Vec<Operation>) -> Option<Output> {
    let file = file_of(text.as_bytes());
    let source = Source::Text { blocks: vec![TextBlock::whole(file.path())], universal: false };
    compute(&[Plan { source, operations }], Options::pool(1)).ok()?.pop()
}

/// The items of a key, from the scanner and from whole records that a fold of all has seen.
fn both_ways(text: &str, key: &str) -> (Option<Output>, Option<Output>) {
    let scanned = run(text, vec![Operation::JsonLines, Operation::Map(item(key))]);
    // A tuple with the record in it is no projection.
    let pair = Form::Tuple(vec![Form::Record, item(key)]);
    let last = Form::Position(Box::new(Form::Record), 1);
    let whole = run(text, vec![Operation::JsonLines, Operation::Map(pair), Operation::Map(last)]);
    (scanned, whole)
}

#[test]
fn scanned_items_are_those_of_whole_lines() {
    let lines = [
        r#"{"a":1,"b":[1,{"c":"}"}],"x":"y"}"#,
        r#" { "b" : "\"\\\u00e9\ud83d\ude00" , "a" : -0.5e3 } "#,
        r#"{"a":1,"a":2,"\u0061":3}"#,
        r#"{"a":"x\/y","z":{"a":7}}"#,
        r#"{"a":{"a":[true,false,null]}}"#,
        r#"{"a":123456789012345678}"#,
        r#"{"a":"0123456\n"}"#,
        r#"{"z":1234567890.12345678e-12,"a":null}"#,
        r#"{"a":1"#,
        r#"{"a":01}"#,
        r#"{"a":1,}"#,
        r#"{"a":1}x"#,
        r#"{"a":tru}"#,
        r#"{"b":"\x","a":1}"#,
        r#"{"b":nulll,"a":1}"#,
        r#"{"b":1.,"a":1}"#,
        r#"{"b":-,"a":1}"#,
        r#"{"b":"\u12g4","a":1}"#,
        "{\"b\":\"\u{1}\",\"a\":1}",
        r#"{"b":[1 2],"a":1}"#,
        r#"{"b":[1,],"a":1}"#,
        r#"{"b"1,"a":1}"#,
        r#"{b:1,"a":1}"#,
        r#"{"b":1}"#,
        "[1]",
    ];
    let mut answered = 0;
    for line in lines {
        let (scanned, whole) = both_ways(line, "a");
        assert_eq!(scanned, whole, "{line}");
        answered += usize::from(scanned.is_some());
    }
    assert_eq!(answered, 8);
}

#[test]
fn every_byte_in_a_string_is_seen() {
    // Vectors of eight bytes: the end of a string is at any place in one.
    for before in 0..20 {
        for text in ["", "é", "\\n", "\\\\", "\\\""] {
            let padding = "p".repeat(before);
            let line = format!(r#"{{"{padding}":"{padding}{text}","a":"{text}{padding}"}}"#);
            let (scanned, whole) = both_ways(&line, "a");
            assert!(scanned.is_some());
            assert_eq!(scanned, whole, "{line}");
            let control = line.replace(text, "\u{1f}");
            if !text.is_empty() {
                assert_eq!(both_ways(&control, "a"), (None, None));
            }
        }
    }
}

#[test]
fn folds_of_items() {
    let text = (0..100).map(|i| format!("{{\"k\":{},\"v\":{i}}}\n", i % 3)).collect::<String>();
    let value = Form::Arithmetic(
        Arithmetic::Multiply,
        Box::new(item("v")),
        Box::new(Form::Constant(Owned::Int(2))),
    );
    let kept = Form::Compare(
        Comparison::Less,
        Box::new(item("v")),
        Box::new(Form::Constant(Owned::Int(99))),
    );
    let fold = Reduction::FoldBy { key: item("k"), fold: Fold::Sum(value), from_zero: true };
    let steps = vec![Operation::JsonLines, Operation::Filter(kept), Operation::Reduce(fold)];
    let pair = |key, total| Owned::Tuple(vec![Owned::Int(key), Owned::Int(total)]);
    let wanted = [0, 1, 2].map(|k| pair(k, (0..99).filter(|i| i % 3 == k).map(|i| 2 * i).sum()));
    assert_eq!(run(&text, steps), Some(Output::Records(wanted.to_vec())));
}

#[test]
fn a_reader_says_where_records_are() {
    let file = file_of(b"{\"a\": 1}\n\n[2]\r\n{\"a\":\r3}\nnone\n");
    let keys = Some(vec!["a".into()]);
    let wanted = Wanted { keys, skips_blank: true, universal: true };
    let mut reader = JsonReader::open(TextBlock::whole(file.path()), wanted).unwrap();
    let found = reader.next(|batch| {
        let values = batch.records.iter().map(|(value, _)| match value {
            Some(Value::Row(row)) => format!("{:?}", row.values),
            Some(Value::Tape(nodes)) => format!("{} nodes", nodes.len()),
            Some(_) => "another".to_owned(),
            None => "none".to_owned(),
        });
        values.collect::<Vec<_>>()
    });
    let found = found.unwrap().unwrap();
    assert_eq!(found, ["[Some(Int(1))]", "2 nodes", "none", "none"]);
    let starts: Vec<_> = (0..5).map(|record| reader.start(record)).collect();
    assert_eq!(starts, [Some(0), Some(10), Some(15), Some(24), None]);
    // The carriage return in the middle ends a line too.
    assert_eq!(reader.lines_seen(), 6);
    assert!(reader.next(|_| ()).unwrap().is_none());
}

#[test]
fn compressed_files_are_one_block() {
    let text = "line\n".repeat(10_000);
    let mut packed = lz4_flex::frame::FrameEncoder::new(Vec::new());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for (bytes, is_whole) in [(&packed[..], true), (&packed[..packed.len() - 5], false)] {
        let file = file_of(bytes);
        let block = TextBlock { compression: Compression::Lz4, ..TextBlock::whole(file.path()) };
        assert_eq!(block.cut(10).unwrap(), std::slice::from_ref(&block));
        let mut count = 0;
        let outcome = block.read(|lines, _| {
            count += lines.lines().count();
            Ok(())
        });
        assert_eq!(outcome.is_ok(), is_whole);
        assert_eq!(count == 10_000, is_whole);
    }
}
