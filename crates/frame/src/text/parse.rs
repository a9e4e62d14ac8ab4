//! Lines of delimited text as columns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::values;
use super::{ColumnKind, Format};

/// Why rows are not read here: pandas decides what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt(pub(super) String);

type Parsed<T> = Result<T, Doubt>;

/// Where a field is: all of it, or the text inside of its quotes.
#[derive(Clone, Copy)]
struct Found {
    begin: usize,
    end: usize,
    /// Whether it has doubled quotes inside.
    doubled: bool,
}

/// Columns that are being filled.
pub(super) struct Rows {
    columns: Vec<Column>,
    /// By position in a line, the column that takes the field.
    takes: Vec<Option<usize>>,
    rows: usize,
}

enum Column {
    Whole(Int64Builder),
    Float(Float64Builder),
    Boolean(BooleanBuilder),
    Text(StringViewBuilder),
    Moment(TimestampMicrosecondBuilder),
}

impl Rows {
    pub(super) fn new(format: &Format, capacity: usize) -> Self {
        let columns = format.columns.iter().map(|column| Column::new(column.kind, capacity));
        let mut takes = vec![None; format.width];
        for (position, column) in format.columns.iter().enumerate() {
            takes[column.position] = Some(position);
        }
        Self { columns: columns.collect(), takes, rows: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The rows as a batch; the columns are empty then.
    pub(super) fn finish(
        &mut self,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, arrow::error::ArrowError> {
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(schema.clone(), columns, &options)
    }

    /// Adds rows from the beginning of `text` on until there are `most`. Gives the bytes that
    /// were read: the last line is left where it may go on, unless `is_all`.
    pub(super) fn add(
        &mut self,
        text: &[u8],
        is_all: bool,
        most: usize,
        format: &Format,
        written: &[AtomicU32],
    ) -> Parsed<usize> {
        let mut at = 0;
        let mut scratch = Vec::new();
        let mut fields: Vec<Found> = Vec::with_capacity(format.width);
        while self.rows < most && at < text.len() {
            match text[at] {
                b'\n' => {
                    at += 1;
                    continue;
                }
                b'\r' => match text.get(at + 1) {
                    Some(b'\n') => {
                        at += 2;
                        continue;
                    }
                    None if !is_all => break,
                    _ => return Err(Doubt("a line that ends in a carriage return".into())),
                },
                b' ' | b'\t' if is_blank(&text[at..]) => {
                    return Err(Doubt("a line of nothing but spaces".into()));
                }
                _ => {}
            }
            let Some(next) = line(text, at, is_all, format, &mut fields)? else { break };
            self.row(text, &fields, format, written, &mut scratch)?;
            at = next;
        }
        Ok(at)
    }

    fn row(
        &mut self,
        text: &[u8],
        fields: &[Found],
        format: &Format,
        written: &[AtomicU32],
        scratch: &mut Vec<u8>,
    ) -> Parsed<()> {
        for (position, takes) in self.takes.iter().enumerate() {
            let Some(column) = *takes else { continue };
            let field = match fields.get(position) {
                // Fields that a line does not have are missing.
                None => &[][..],
                Some(found) => {
                    let inside = &text[found.begin..found.end];
                    if found.doubled { undoubled(inside, scratch) } else { inside }
                }
            };
            self.columns[column].push(field, &format.missing, &written[column])?;
        }
        self.rows += 1;
        Ok(())
    }
}

/// Whether there are only spaces up to the end of the line.
fn is_blank(text: &[u8]) -> bool {
    let end = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
    end.is_none_or(|end| matches!(text[end], b'\n' | b'\r'))
}

/// A quoted text with each pair of quotes as one.
fn undoubled<'a>(inside: &[u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    scratch.clear();
    let mut quoted = false;
    for byte in inside {
        if *byte == b'"' && !quoted {
            quoted = true;
            continue;
        }
        quoted = false;
        scratch.push(*byte);
    }
    scratch
}

/// Finds the fields of the line at `at`, and where the next line begins; none where the text ends
/// before the line does.
fn line(
    text: &[u8],
    mut at: usize,
    is_all: bool,
    format: &Format,
    fields: &mut Vec<Found>,
) -> Parsed<Option<usize>> {
    fields.clear();
    loop {
        if fields.len() == format.width {
            return Err(Doubt("a line of too many fields".into()));
        }
        let end;
        if text.get(at) == Some(&b'"') {
            let Some((found, after)) = quoted(text, at + 1)? else {
                return if is_all {
                    Err(Doubt("a quote that is not closed".into()))
                } else {
                    Ok(None)
                };
            };
            fields.push(found);
            end = after;
            // What may be the first of two quotes at the end of what is there.
            if end == text.len() && !is_all {
                return Ok(None);
            }
        } else {
            end = match end_of_field(&text[at..], format.separator) {
                Some(length) => at + length,
                None if is_all => text.len(),
                None => return Ok(None),
            };
            fields.push(Found { begin: at, end, doubled: false });
        }
        match text.get(end) {
            None => return Ok(Some(end)),
            Some(b'\n') => return Ok(Some(end + 1)),
            Some(b'\r') => match text.get(end + 1) {
                Some(b'\n') => return Ok(Some(end + 2)),
                None if !is_all => return Ok(None),
                _ => return Err(Doubt("a carriage return inside of a line".into())),
            },
            Some(byte) if *byte == format.separator => at = end + 1,
            Some(_) => return Err(Doubt("text behind a closing quote".into())),
        }
    }
}

/// Each byte of a word is that one.
const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Where the first separator or line end is: eight bytes at a time (Mycroft's test for a byte of
/// zero), of which the lowest that it finds is one.
fn end_of_field(text: &[u8], separator: u8) -> Option<usize> {
    let zero = |word: u64| word.wrapping_sub(repeated(1)) & !word & repeated(0x80);
    let separators = repeated(separator);
    let (words, rest) = text.as_chunks::<8>();
    for (position, bytes) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let found =
            zero(word ^ separators) | zero(word ^ repeated(b'\n')) | zero(word ^ repeated(b'\r'));
        if found != 0 {
            return Some(position * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let ends = |byte: &u8| *byte == separator || matches!(byte, b'\n' | b'\r');
    rest.iter().position(ends).map(|length| words.len() * 8 + length)
}

/// The text up to the closing quote, and the place behind that.
fn quoted(text: &[u8], begin: usize) -> Parsed<Option<(Found, usize)>> {
    let mut at = begin;
    let mut doubled = false;
    while let Some(length) = text[at..].iter().position(|byte| *byte == b'"') {
        let quote = at + length;
        if text.get(quote + 1) == Some(&b'"') {
            doubled = true;
            at = quote + 2;
            continue;
        }
        return Ok(Some((Found { begin, end: quote, doubled }, quote + 1)));
    }
    Ok(None)
}

/// Whether all moments of a column are written in this way; the first one decides.
fn is_written(written: &AtomicU32, code: u32) -> bool {
    // Other threads read the same place for each value: it is written to once.
    match written.load(Ordering::Relaxed) {
        0 => match written.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(before) => before == code,
        },
        before => before == code,
    }
}

impl Column {
    fn new(kind: ColumnKind, capacity: usize) -> Self {
        match kind {
            ColumnKind::Whole => Self::Whole(Int64Builder::with_capacity(capacity)),
            ColumnKind::Float => Self::Float(Float64Builder::with_capacity(capacity)),
            ColumnKind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(capacity)),
            ColumnKind::Text => Self::Text(StringViewBuilder::with_capacity(capacity)),
            ColumnKind::Moment => {
                Self::Moment(TimestampMicrosecondBuilder::with_capacity(capacity))
            }
        }
    }

    fn push(&mut self, field: &[u8], missing: &[String], written: &AtomicU32) -> Parsed<()> {
        let doubt = |what: &str| {
            let field = String::from_utf8_lossy(field);
            Err(Doubt(format!("{field:?} in a column of {what}")))
        };
        match self {
            Self::Whole(column) => match values::whole(field) {
                // A user's word for what is missing may be a number.
                Some(value) if missing.is_empty() || !values::is_missing(field, missing) => {
                    column.append_value(value);
                }
                _ => return doubt("whole numbers"),
            },
            Self::Float(column) => match values::float(field) {
                Some(value) if missing.is_empty() || !values::is_missing(field, missing) => {
                    column.append_value(value);
                }
                _ if values::is_missing(field, missing) => column.append_null(),
                _ => return doubt("numbers"),
            },
            Self::Boolean(column) => match values::boolean(field) {
                Some(value) if !values::is_missing(field, missing) => column.append_value(value),
                _ => return doubt("booleans"),
            },
            Self::Text(column) => {
                if values::is_missing(field, missing) {
                    column.append_null();
                } else {
                    match std::str::from_utf8(field) {
                        Ok(text) => column.append_value(text),
                        Err(_) => return doubt("text"),
                    }
                }
            }
            Self::Moment(column) => {
                if values::is_missing(field, missing) {
                    column.append_null();
                    return Ok(());
                }
                let Some((value, way)) = values::moment(field) else { return doubt("moments") };
                if !is_written(written, way.code()) {
                    return doubt("moments that are written in another way");
                }
                column.append_value(value);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Whole(column) => Arc::new(column.finish()),
            Self::Float(column) => Arc::new(column.finish()),
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Moment(column) => Arc::new(column.finish()),
        }
    }
}
