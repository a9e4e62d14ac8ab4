use std::io::Write;

use samite_bag::{Bag, BagError, TextBlock};
use samite_runtime::Options;

fn file(text: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    file
}

fn lines_of(block: &TextBlock) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    let read = block.read(|run, mut at| {
        for line in run.split_inclusive('\n') {
            lines.push((at, line.to_owned()));
            at += line.len() as u64;
        }
        Ok(())
    });
    read.unwrap();
    lines
}

#[test]
fn each_line_is_in_one_block_wherever_blocks_are_cut() {
    let long = "x".repeat(300_000);
    let texts =
        ["", "\n", "a", "a\n", "a\nbb\n\nccc", "\n\n\n", "Köln\nÅ\n", &format!("a\n{long}\nb\n")];
    for text in texts {
        let file = file(text.as_bytes());
        let whole = TextBlock::whole(file.path());
        let expected = lines_of(&whole);
        assert_eq!(expected.iter().map(|(_, line)| line.as_str()).collect::<String>(), text);
        for size in [1, 2, 3, 5, 100_000] {
            if text.len() > 1000 && size < 1000 {
                continue;
            }
            let blocks = whole.cut(size).unwrap();
            let found: Vec<_> = blocks.iter().flat_map(lines_of).collect();
            assert_eq!(found, expected, "{size}");
            // A block that is cut again has the same lines.
            for block in &blocks {
                let finer = if text.len() > 1000 { 37_000 } else { 1 };
                let again: Vec<_> = block.cut(finer).unwrap().iter().flat_map(lines_of).collect();
                assert_eq!(again, lines_of(block));
            }
        }
    }
}

#[test]
fn broken_text_and_missing_files_are_named() {
    let broken = file(b"one\ntwo\xff\nthree\n");
    let bag = Bag::read_lines([broken.path()], 1 << 20).unwrap();
    let failed = bag.count(Options::pool(2)).unwrap_err();
    assert!(failed.to_string().contains("byte 7: not UTF-8"), "{failed}");
    let path = broken.path().to_owned();
    drop(broken);
    assert!(matches!(Bag::read_lines([&path], 10), Err(BagError::Read { .. })));
    let failed = bag.count(Options::pool(2)).unwrap_err();
    assert!(failed.to_string().contains(&path.display().to_string()), "{failed}");
}
