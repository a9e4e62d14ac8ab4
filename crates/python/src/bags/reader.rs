//! Lines of JSON as Python objects, some at a time.

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use samite::bag::records::{Batch, JsonReader, Wanted};

use super::convert::{self, Keys};
use super::read_plan::{Block, text_block};
use crate::gil;

/// Reads the values of a block of lines of JSON.
///
/// Lines are parsed without the interpreter. What a line is that has no exact value in the engine is for `parse` to
/// say: it takes the line and returns a list of values, and the error behind them or None.
#[pyclass(module = "samite._engine", frozen)]
pub struct JsonLines(Mutex<State>);

struct State {
    block: Block,
    wanted: Wanted,
    reader: Option<JsonReader>,
    keys: Keys,
    /// For each record of the last batch the number of the line in the batch.
    lines: Vec<usize>,
}

#[pymethods]
impl JsonLines {
    #[new]
    fn new(
        block: Block,
        keys: Option<Vec<String>>,
        skips_blank: bool,
        universal: bool,
    ) -> PyResult<Self> {
        text_block(block.clone())?;
        let keys = keys.map(|keys| keys.into_iter().map(String::into_boxed_str).collect());
        let wanted = Wanted { keys, skips_blank, universal };
        let keys = Keys::default();
        Ok(Self(Mutex::new(State { block, wanted, reader: None, keys, lines: Vec::new() })))
    }

    /// The next records, and the error behind them or None. None at the end; False where the engine cannot read on.
    fn read<'py>(&self, py: Python<'py>, parse: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let mut state = self.state()?;
        let State { block, wanted, reader, keys, lines } = &mut *state;
        let parse = parse.clone().unbind();
        let outcome = gil::released(|| {
            let reader = match reader {
                Some(reader) => reader,
                None => {
                    let block = text_block(block.clone()).ok()?;
                    reader.insert(JsonReader::open(block, wanted.clone()).ok()?)
                }
            };
            let made = reader.next(|batch| {
                Python::attach(|py| objects(batch, parse.bind(py), keys, lines).map(Bound::unbind))
            });
            made.ok()
        });
        match outcome {
            None => Ok(false.into_pyobject(py)?.to_owned().into_any()),
            Some(None) => Ok(py.None().into_bound(py)),
            Some(Some(made)) => Ok(made?.into_bound(py).into_any()),
        }
    }

    /// The byte at which the line of a record of the last batch begins.
    fn start(&self, record: usize) -> PyResult<Option<u64>> {
        let state = self.state()?;
        let line = state.lines.get(record).copied();
        Ok(line.and_then(|line| state.reader.as_ref()?.start(line)))
    }

    /// The number of lines of all batches so far.
    fn lines_seen(&self) -> PyResult<u64> {
        Ok(self.state()?.reader.as_ref().map_or(0, JsonReader::lines_seen))
    }
}

impl JsonLines {
    /// A thread that waited for another here would hold the interpreter that the other one needs.
    fn state(&self) -> PyResult<parking_lot::MutexGuard<'_, State>> {
        self.0
            .try_lock()
            .ok_or_else(|| PyRuntimeError::new_err("lines are being read by another thread"))
    }
}

fn objects<'py>(
    batch: &Batch<'_>,
    parse: &Bound<'py, PyAny>,
    keys: &mut Keys,
    lines: &mut Vec<usize>,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = parse.py();
    let mut made = Vec::with_capacity(batch.records.len());
    let mut error = py.None().into_bound(py);
    lines.clear();
    for (number, (value, line)) in batch.records.iter().enumerate() {
        let object = match value {
            Some(value) => convert::value(py, value, keys, 0)?,
            None => None,
        };
        if let Some(object) = object {
            made.push(object);
            lines.push(number);
            continue;
        }
        let (values, failed): (Vec<Bound<'py, PyAny>>, Bound<'py, PyAny>) =
            parse.call1((*line,))?.extract()?;
        lines.resize(lines.len() + values.len(), number);
        made.extend(values);
        if !failed.is_none() {
            lines.push(number);
            error = failed;
            break;
        }
    }
    (PyList::new(py, made)?, error).into_pyobject(py)
}
