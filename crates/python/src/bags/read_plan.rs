//! Plans from the tuples that `samite.bag.native` writes.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyTuple};
use samite::bag::records::{
    Arithmetic, Comparison, Ends, Fold, Form, Operation, Owned, Plan, Reduction, Source,
};
use samite::bag::{Compression, TextBlock};

/// How deeply functions of a record may be nested: each level is a frame when it is evaluated.
const DEEPEST: usize = 100;

fn wrong(what: &str) -> PyErr {
    PyValueError::new_err(format!("a plan of a bag with {what}"))
}

/// A plan: a source and operations.
pub fn plan(written: &Bound<'_, PyAny>) -> PyResult<Plan> {
    let (source, operations): (Bound<'_, PyTuple>, Vec<Bound<'_, PyTuple>>) = written.extract()?;
    let operations = operations.iter().map(operation).collect::<PyResult<_>>()?;
    Ok(Plan { source: read_source(&source)?, operations })
}

fn read_source(written: &Bound<'_, PyTuple>) -> PyResult<Source> {
    let kind: String = written.get_item(0)?.extract()?;
    if kind == "integers" {
        return Ok(Source::Integers(written.get_item(1)?.extract()?));
    }
    if kind != "text" {
        return Err(wrong("another source"));
    }
    let blocks: Vec<Block> = written.get_item(1)?.extract()?;
    let blocks = blocks.into_iter().map(text_block).collect::<PyResult<_>>()?;
    Ok(Source::Text { blocks, universal: written.get_item(2)?.extract()? })
}

/// A path, the first byte, the number of bytes (-1: up to the end), and the compression.
pub type Block = (PathBuf, u64, i64, Option<String>);

/// A block of a text file.
pub fn text_block((path, offset, length, compression): Block) -> PyResult<TextBlock> {
    let compression = match compression.as_deref() {
        None => Compression::None,
        Some("gzip") => Compression::Gzip,
        Some("bz2") => Compression::Bzip2,
        Some("xz") => Compression::Xz,
        Some("zstd") => Compression::Zstd,
        Some("lz4") => Compression::Lz4,
        Some(_) => return Err(wrong("another compression")),
    };
    let length = u64::try_from(length).ok();
    Ok(TextBlock { path: Arc::new(path), offset, length, compression })
}

fn operation(written: &Bound<'_, PyTuple>) -> PyResult<Operation> {
    let kind: String = written.get_item(0)?.extract()?;
    Ok(match kind.as_str() {
        "map" => Operation::Map(form(&written.get_item(1)?, 0)?),
        "filter" => Operation::Filter(form(&written.get_item(1)?, 0)?),
        "flatten" => Operation::Flatten,
        "json-lines" => Operation::JsonLines,
        "topk" => Operation::Reduce(Reduction::TopK {
            k: written.get_item(1)?.extract()?,
            key: form(&written.get_item(2)?, 0)?,
        }),
        "foldby" => {
            let value = form(&written.get_item(3)?, 0)?;
            let what: String = written.get_item(2)?.extract()?;
            Operation::Reduce(Reduction::FoldBy {
                key: form(&written.get_item(1)?, 0)?,
                fold: match what.as_str() {
                    "sum" => Fold::Sum(value),
                    "min" => Fold::Min(value),
                    "max" => Fold::Max(value),
                    _ => return Err(wrong("another fold")),
                },
                from_zero: written.get_item(4)?.extract()?,
            })
        }
        "reduce" => {
            let what: String = written.get_item(1)?.extract()?;
            Operation::Reduce(match what.as_str() {
                "count" => Reduction::Count,
                "sum" => Reduction::Sum,
                "mean" => Reduction::Mean,
                "min" => Reduction::Min,
                "max" => Reduction::Max,
                "any" => Reduction::Any,
                "all" => Reduction::All,
                "distinct" => Reduction::Distinct,
                "frequencies" => Reduction::Frequencies { sorted: false },
                "frequencies-sorted" => Reduction::Frequencies { sorted: true },
                _ => return Err(wrong("another reduction")),
            })
        }
        _ => return Err(wrong("another operation")),
    })
}

fn form(written: &Bound<'_, PyAny>, depth: usize) -> PyResult<Form> {
    if depth > DEEPEST {
        return Err(wrong("a function that is nested too deeply"));
    }
    let parts = written.cast::<PyTuple>()?;
    let kind: String = parts.get_item(0)?.extract()?;
    let inner = |at: usize| form(&parts.get_item(at)?, depth + 1).map(Box::new);
    let text = |at: usize| -> PyResult<Option<Box<str>>> {
        Ok(parts.get_item(at)?.extract::<Option<String>>()?.map(String::into_boxed_str))
    };
    Ok(match kind.as_str() {
        "record" => Form::Record,
        "constant" => Form::Constant(constant(&parts.get_item(1)?)?),
        "item" => {
            let key = parts.get_item(2)?;
            match key.cast::<PyString>() {
                Ok(key) => Form::Key(inner(1)?, key.to_str()?.into()),
                Err(_) => Form::Position(inner(1)?, key.extract()?),
            }
        }
        "item-or" => {
            let key: String = parts.get_item(2)?.extract()?;
            Form::KeyOr(inner(1)?, key.into(), constant(&parts.get_item(3)?)?)
        }
        "arithmetic" => {
            let sign: String = parts.get_item(1)?.extract()?;
            let operator = match sign.as_str() {
                "+" => Arithmetic::Add,
                "-" => Arithmetic::Subtract,
                "*" => Arithmetic::Multiply,
                "/" => Arithmetic::Divide,
                "//" => Arithmetic::FloorDivide,
                "%" => Arithmetic::Remainder,
                _ => return Err(wrong("another operator")),
            };
            Form::Arithmetic(operator, inner(2)?, inner(3)?)
        }
        "tuple" => {
            let items = parts.iter().skip(1).map(|part| form(&part, depth + 1));
            Form::Tuple(items.collect::<PyResult<_>>()?)
        }
        "json" => Form::Json(inner(1)?),
        "compare" => {
            let sign: String = parts.get_item(1)?.extract()?;
            let comparison = match sign.as_str() {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                "==" => Comparison::Equal,
                "!=" => Comparison::NotEqual,
                _ => return Err(wrong("another comparison")),
            };
            Form::Compare(comparison, inner(2)?, inner(3)?)
        }
        "and" => Form::And(inner(1)?, inner(2)?),
        "or" => Form::Or(inner(1)?, inner(2)?),
        "not" => Form::Not(inner(1)?),
        "lower" => Form::Case(inner(1)?, false),
        "upper" => Form::Case(inner(1)?, true),
        "strip" => Form::Strip(inner(1)?, text(2)?, Ends::Both),
        "lstrip" => Form::Strip(inner(1)?, text(2)?, Ends::Start),
        "rstrip" => Form::Strip(inner(1)?, text(2)?, Ends::End),
        "split" => Form::Split(inner(1)?, text(2)?, parts.get_item(3)?.extract()?),
        "length" => Form::Length(inner(1)?),
        _ => return Err(wrong("another function")),
    })
}

fn constant(value: &Bound<'_, PyAny>) -> PyResult<Owned> {
    if value.is_none() {
        return Ok(Owned::Null);
    }
    if value.is_exact_instance_of::<PyBool>() {
        return Ok(Owned::Bool(value.extract()?));
    }
    if value.is_exact_instance_of::<PyInt>() {
        return Ok(Owned::Int(value.extract::<i64>()?.into()));
    }
    if value.is_exact_instance_of::<PyFloat>() {
        return Ok(Owned::Float(value.extract()?));
    }
    Ok(Owned::Text(value.extract::<String>()?.into()))
}
