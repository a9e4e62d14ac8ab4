//! Functions of one record, as data.

use std::cmp::Ordering;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use simd_json::Node;

use super::arithmetic::{self, Arithmetic};
use super::json::Parser;
use super::owned::Owned;
pub use super::strings::Ends;
use super::strings::{change_case, split, strip};
use super::value::{Deviation, Value};

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
}

/// A function of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// The record.
    Record,
    /// The same value for all.
    Constant(Owned),
    /// The value at a key of an object.
    Key(Box<Form>, Box<str>),
    /// The value at a place among the wanted items of a line; what a plan says by keys.
    Slot(usize),
    /// The value at a key of an object, or this one where there is none.
    KeyOr(Box<Form>, Box<str>, Owned),
    /// The value at a position, which counts from the end where it is negative.
    Position(Box<Form>, i32),
    /// Several values.
    Tuple(Vec<Form>),
    /// The value of a JSON text.
    Json(Box<Form>),
    /// A comparison.
    Compare(Comparison, Box<Form>, Box<Form>),
    /// Arithmetic.
    Arithmetic(Arithmetic, Box<Form>, Box<Form>),
    /// Both are true.
    And(Box<Form>, Box<Form>),
    /// One is true.
    Or(Box<Form>, Box<Form>),
    /// It is not true.
    Not(Box<Form>),
    /// The text in upper case, or in lower case.
    Case(Box<Form>, bool),
    /// The text without characters at its ends; without white space where none are given.
    Strip(Box<Form>, Option<Box<str>>, Ends),
    /// The parts of a text between separators, or between white space.
    Split(Box<Form>, Option<Box<str>>, i32),
    /// The number of characters or items.
    Length(Box<Form>),
}

impl Form {
    /// The value for a record. Nested forms are as deep as whoever wrote them nested them.
    pub(crate) fn evaluate<'a>(
        &'a self,
        record: Value<'a>,
        arena: &'a Bump,
        parser: &mut Parser,
    ) -> Result<Value<'a>, Deviation> {
        match self {
            Self::Record => Ok(record),
            Self::Constant(value) => value.view(arena),
            Self::Key(form, key) => {
                let found = value_at(form.evaluate(record, arena, parser)?, key, arena)?;
                found.ok_or("a key that is not there")
            }
            Self::Slot(place) => match record {
                Value::Row(row) => {
                    let value = row.values.get(*place).copied().flatten();
                    value.ok_or("a key that is not there")
                }
                _ => Err("a value without keys"),
            },
            Self::KeyOr(form, key, other) => {
                match value_at(form.evaluate(record, arena, parser)?, key, arena)? {
                    Some(value) => Ok(value),
                    None => other.view(arena),
                }
            }
            Self::Position(form, place) => item_at(form.evaluate(record, arena, parser)?, *place),
            Self::Tuple(forms) => {
                let mut items = BumpVec::with_capacity_in(forms.len(), arena);
                for form in forms {
                    items.push(form.evaluate(record, arena, parser)?);
                }
                Ok(Value::Tuple(items.into_bump_slice()))
            }
            Self::Json(form) => {
                let text = text_of(form.evaluate(record, arena, parser)?)?;
                parser.parse(text, arena)
            }
            Self::Compare(comparison, left, right) => {
                let left = left.evaluate(record, arena, parser)?;
                let right = right.evaluate(record, arena, parser)?;
                compare(*comparison, &left, &right).map(Value::Bool)
            }
            Self::Arithmetic(operator, left, right) => {
                let left = left.evaluate(record, arena, parser)?;
                let right = right.evaluate(record, arena, parser)?;
                arithmetic::compute(*operator, &left, &right)
            }
            Self::And(left, right) => {
                let truth = left.evaluate(record, arena, parser)?.truth()
                    && right.evaluate(record, arena, parser)?.truth();
                Ok(Value::Bool(truth))
            }
            Self::Or(left, right) => {
                let truth = left.evaluate(record, arena, parser)?.truth()
                    || right.evaluate(record, arena, parser)?.truth();
                Ok(Value::Bool(truth))
            }
            Self::Not(form) => Ok(Value::Bool(!form.evaluate(record, arena, parser)?.truth())),
            Self::Case(form, upper) => {
                let text = text_of(form.evaluate(record, arena, parser)?)?;
                change_case(text, *upper, arena).map(Value::Text)
            }
            Self::Strip(form, characters, ends) => {
                let text = text_of(form.evaluate(record, arena, parser)?)?;
                Ok(Value::Text(strip(text, characters.as_deref(), *ends)))
            }
            Self::Split(form, separator, most) => {
                let text = text_of(form.evaluate(record, arena, parser)?)?;
                Ok(Value::List(split(text, separator.as_deref(), *most, arena)))
            }
            Self::Length(form) => length(form.evaluate(record, arena, parser)?),
        }
    }
}

fn text_of(value: Value<'_>) -> Result<&str, Deviation> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err("a value that is no text"),
    }
}

fn value_at<'a>(
    value: Value<'a>,
    key: &str,
    arena: &'a Bump,
) -> Result<Option<Value<'a>>, Deviation> {
    let (len, mut rest) = match value {
        Value::Row(row) => return row.at(key),
        Value::Object(pairs) => {
            let found = pairs.iter().rev().find(|(name, _)| **name == *key);
            return found.map(|(_, value)| value.view(arena)).transpose();
        }
        Value::Tape([Node::Object { len, .. }, rest @ ..]) => (*len, rest),
        _ => return Err("a value without keys"),
    };
    let mut found = None;
    for _ in 0..len {
        let Some((Node::String(name), behind)) = rest.split_first() else {
            return Err("JSON that ends too early");
        };
        rest = if *name == key {
            let (value, behind) = Value::of_nodes(behind)?;
            // Of equal keys the last one counts.
            found = Some(value);
            behind
        } else {
            skip(behind)?
        };
    }
    Ok(found)
}

/// The nodes behind the first value.
fn skip<'a>(nodes: &'a [Node<'a>]) -> Result<&'a [Node<'a>], Deviation> {
    let count = match nodes.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => *count,
        _ => 0,
    };
    nodes.get(1 + count..).ok_or("JSON that ends too early")
}

fn item_at(value: Value<'_>, place: i32) -> Result<Value<'_>, Deviation> {
    let position = |length: usize| {
        let place = if place < 0 { place as i64 + length as i64 } else { i64::from(place) };
        usize::try_from(place).ok().filter(|place| *place < length).ok_or("a position outside")
    };
    match value {
        Value::List(items) | Value::Tuple(items) => Ok(items[position(items.len())?]),
        Value::Tape([Node::Array { len, .. }, rest @ ..]) => {
            let mut rest = rest;
            for _ in 0..position(*len)? {
                rest = skip(rest)?;
            }
            Value::of_nodes(rest).map(|(value, _)| value)
        }
        Value::Text(text) if text.is_ascii() => {
            let place = position(text.len())?;
            Ok(Value::Text(&text[place..=place]))
        }
        Value::Text(text) => {
            let place = position(text.chars().count())?;
            let (start, character) = text.char_indices().nth(place).ok_or("a position outside")?;
            Ok(Value::Text(&text[start..start + character.len_utf8()]))
        }
        _ => Err("a value without positions"),
    }
}

fn length(value: Value<'_>) -> Result<Value<'_>, Deviation> {
    let length = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(items) | Value::Tuple(items) => items.len(),
        Value::Tape([Node::Array { len, .. }, ..]) => *len,
        _ => return Err("a value whose length is not known here"),
    };
    i64::try_from(length).map(Value::Int).map_err(|_| "a length of more than 63 bits")
}

fn compare(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Deviation> {
    Ok(match comparison {
        Comparison::Equal => left.equals(right)?,
        Comparison::NotEqual => !left.equals(right)?,
        Comparison::Less => left.compare(right)? == Ordering::Less,
        Comparison::LessOrEqual => left.compare(right)? != Ordering::Greater,
        Comparison::Greater => left.compare(right)? == Ordering::Greater,
        Comparison::GreaterOrEqual => left.compare(right)? != Ordering::Less,
    })
}
