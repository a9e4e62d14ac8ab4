//! Lines of JSON, some at a time, for whoever makes objects of them.

use bumpalo::Bump;
use memchr::{memchr, memchr_iter};

use super::json::Parser;
use super::scan::row;
use super::strings::is_space;
use super::value::{Deviation, Value};
use crate::error::BagError;
use crate::text::{Lines, TextBlock};

/// What of each line is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The keys of objects; `None` for all.
    pub keys: Option<Vec<Box<str>>>,
    /// Whether lines of white space are passed over.
    pub skips_blank: bool,
    /// Whether carriage returns end lines too.
    pub universal: bool,
}

/// Some lines.
pub struct Batch<'a> {
    /// The lines, each with its value; `None` where it has no exact value here.
    pub records: Vec<(Option<Value<'a>>, &'a str)>,
}

/// Reads the lines of a block.
pub struct JsonReader {
    lines: Lines,
    wanted: Wanted,
    parser: Parser,
    arena: Bump,
    starts: Vec<u64>,
    seen: u64,
}

impl JsonReader {
    /// Opens a block.
    ///
    /// # Errors
    /// [`BagError::Read`] where its file cannot be opened.
    pub fn open(block: TextBlock, wanted: Wanted) -> Result<Self, BagError> {
        Ok(Self {
            lines: Lines::open(block)?,
            wanted,
            parser: Parser::default(),
            arena: Bump::new(),
            starts: Vec::new(),
            seen: 0,
        })
    }

    /// What `make` makes of the next lines; `None` behind the last ones.
    ///
    /// # Errors
    /// [`BagError::Read`], [`BagError::NotUtf8`].
    pub fn next<R>(&mut self, make: impl FnOnce(&Batch<'_>) -> R) -> Result<Option<R>, BagError> {
        self.arena.reset();
        self.starts.clear();
        let Some((text, at)) = self.lines.next_run()? else { return Ok(None) };
        let mut records = Vec::with_capacity(text.len() / 64);
        let mut start = 0;
        let ends = memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
        for end in ends.chain(std::iter::once(text.len())) {
            if end == start {
                continue;
            }
            let line = &text[start..end];
            if !(self.wanted.skips_blank && line.chars().all(is_space)) {
                let value = value(line, &self.wanted, &self.arena, &mut self.parser);
                records.push((value.ok(), line));
                self.starts.push(at + start as u64);
            }
            start = end;
        }
        self.seen += lines_in(text, self.wanted.universal);
        Ok(Some(make(&Batch { records })))
    }

    /// Where the line of a record of the last batch begins in the text.
    pub fn start(&self, record: usize) -> Option<u64> {
        self.starts.get(record).copied()
    }

    /// The number of lines of all batches.
    pub fn lines_seen(&self) -> u64 {
        self.seen
    }
}

fn value<'a>(
    line: &'a str,
    wanted: &'a Wanted,
    arena: &'a Bump,
    parser: &mut Parser,
) -> Result<Value<'a>, Deviation> {
    if wanted.universal && has_inner_end(line) {
        return Err("carriage returns");
    }
    if let Some(keys) = &wanted.keys
        && let Some(row) = row(line, keys, arena, parser)?
    {
        return Ok(row);
    }
    parser.parse(line, arena)
}

/// Whether a carriage return ends a line before its end.
fn has_inner_end(line: &str) -> bool {
    let line = line.strip_suffix('\n').unwrap_or(line);
    memchr(b'\r', line.strip_suffix('\r').unwrap_or(line).as_bytes()).is_some()
}

fn lines_in(text: &str, universal: bool) -> u64 {
    let bytes = text.as_bytes();
    let ends = memchr_iter(b'\n', bytes).count();
    let lone = |place: &usize| bytes.get(place + 1) != Some(&b'\n');
    let returns = if universal { memchr_iter(b'\r', bytes).filter(lone).count() } else { 0 };
    (ends + returns) as u64
}
