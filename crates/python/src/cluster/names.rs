//! The keys of many calls, and their arguments: as columns, of which rows are made when they are
//! needed.

use std::fmt::Write;
use std::ops::Range;
use std::sync::OnceLock;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyRange, PyTuple};
use samite::cluster::Key;

use crate::cluster::submit;

/// The numbers at the ends of keys.
enum Numbers {
    Range { first: i64, step: i64 },
    Listed(Vec<i64>),
}

/// Keys that begin alike and end in numbers, written out when somebody asks for them.
pub struct Numbered {
    prefix: Box<str>,
    /// The text before the numbers is this key's.
    first: OnceLock<Key>,
    numbers: Numbers,
}

impl Numbered {
    /// Keys that end in the place of their call.
    pub fn counted(prefix: &str) -> Self {
        let numbers = Numbers::Range { first: 0, step: 1 };
        Self { prefix: prefix.into(), first: OnceLock::new(), numbers }
    }

    /// Keys that end in the only argument of their call.
    pub fn of_arguments(prefix: &str, columns: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let column = columns.get_item(0)?;
        let numbers = match column.cast::<PyRange>() {
            Ok(range) => Numbers::Range {
                first: range.getattr(intern!(range.py(), "start"))?.extract()?,
                step: range.getattr(intern!(range.py(), "step"))?.extract()?,
            },
            Err(_) => Numbers::Listed(column.extract()?),
        };
        Ok(Self { prefix: prefix.into(), first: OnceLock::new(), numbers })
    }

    fn write(&self, position: usize, text: &mut String) {
        let number = match &self.numbers {
            Numbers::Range { first, step } => {
                first.wrapping_add((position as i64).wrapping_mul(*step))
            }
            Numbers::Listed(numbers) => numbers.get(position).copied().unwrap_or_default(),
        };
        text.clear();
        text.push_str(&self.prefix);
        // Writing to text does not fail.
        _ = write!(text, "{number}");
    }

    /// The key of the call at a place.
    pub fn key(&self, position: usize) -> Key {
        let mut text = String::with_capacity(self.prefix.len() + 20);
        self.write(position, &mut text);
        self.key_of(&text)
    }

    fn key_of(&self, text: &str) -> Key {
        Key::after(text, Some(self.first.get_or_init(|| Key::from(text))))
    }

    /// The keys of some calls.
    pub fn keys(&self, positions: Range<usize>) -> Vec<Key> {
        let mut text = String::with_capacity(self.prefix.len() + 20);
        let key = |position| {
            self.write(position, &mut text);
            self.key_of(&text)
        };
        positions.map(key).collect()
    }
}

/// Whether calls have one argument each, which is a whole number of 64 bits.
#[pyfunction]
pub fn take_integers(columns: &Bound<'_, PyTuple>) -> bool {
    columns.len() == 1 && columns.get_item(0).is_ok_and(|column| holds_integers(&column))
}

fn is_integer(item: &Bound<'_, PyAny>) -> bool {
    item.is_exact_instance_of::<PyInt>()
        && item.extract::<i64>().is_ok_and(|number| number != i64::MIN)
}

fn holds_integers(column: &Bound<'_, PyAny>) -> bool {
    if column.is_instance_of::<PyRange>() {
        return range_bytes(column).is_some();
    }
    column.cast::<PyList>().is_ok_and(|items| items.iter().all(|item| is_integer(&item)))
}

/// The bytes of the numbers of a range, where they are of 64 bits.
fn range_bytes(range: &Bound<'_, PyAny>) -> Option<usize> {
    let py = range.py();
    let edge = |name| range.getattr(name).is_ok_and(|item| is_integer(&item));
    let all = edge(intern!(py, "start")) && edge(intern!(py, "stop")) && edge(intern!(py, "step"));
    if all { Some(range.len().ok()?.saturating_mul(size_of::<i64>())) } else { None }
}

/// About how many bytes arguments take, where they are plain values and no more than `most` bytes.
pub fn plain_bytes(columns: &Bound<'_, PyTuple>, most: usize) -> Option<usize> {
    let mut bytes = 0_usize;
    for column in columns.iter() {
        bytes = bytes.saturating_add(if column.is_instance_of::<PyRange>() {
            range_bytes(&column)?
        } else {
            submit::plain_bytes(column.cast::<PyList>().ok()?.iter(), most)?
        });
    }
    if bytes > most { None } else { Some(bytes) }
}

/// The arguments of some calls: a list of tuples.
pub fn rows<'py>(
    columns: &Bound<'py, PyTuple>,
    positions: Range<usize>,
) -> PyResult<Bound<'py, PyList>> {
    let py = columns.py();
    let slice = pyo3::types::PySlice::new(py, positions.start as isize, positions.end as isize, 1);
    let parts =
        columns.iter().map(|column| column.get_item(&slice)).collect::<PyResult<Vec<_>>>()?;
    let zip = py.import(intern!(py, "builtins"))?.getattr(intern!(py, "zip"))?;
    let rows = zip.call1(PyTuple::new(py, parts)?)?;
    let list = PyList::empty(py);
    list.call_method1(intern!(py, "extend"), (rows,))?;
    Ok(list)
}
