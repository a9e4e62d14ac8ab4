//! What control messages carry.

use serde::{Deserialize, Serialize};

use crate::nesting::inside;

/// A value of a control message: what every language has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Plain {
    /// Nothing.
    #[default]
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// Bytes whose meaning the scheduler does not know.
    Bytes(Box<[u8]>),
    /// Values in order.
    List(#[serde(deserialize_with = "inside")] Vec<Plain>),
    /// Pairs of keys and values.
    Map(#[serde(deserialize_with = "inside")] Vec<(Plain, Plain)>),
}

impl Plain {
    /// Text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// A whole number; the largest one where it is larger.
    pub fn count(number: impl TryInto<i64>) -> Self {
        Self::Int(number.try_into().unwrap_or(i64::MAX))
    }

    /// A map with text for keys.
    pub fn map<'name>(pairs: impl IntoIterator<Item = (&'name str, Self)>) -> Self {
        Self::Map(pairs.into_iter().map(|(name, value)| (Self::text(name), value)).collect())
    }

    /// The value at a text key of a map.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(key, _)| matches!(key, Self::Text(text) if &**text == name))
            .map(|(_, value)| value)
            .filter(|value| **value != Self::None)
    }

    /// The text, where it is some.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, where it is some.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The whole number, where it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(value) => Some(i64::from(*value)),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// The number, where it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is true, or a number that is not zero.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            _ => false,
        }
    }

    /// The values of a list; nothing for anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The texts of a list; one text stands for a list of it.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            other => other.items().iter().filter_map(Self::as_text).collect(),
        }
    }
}

impl From<bool> for Plain {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Plain {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The name of the exception that Python raises: `ValueError`, `KeyError`, `TimeoutError`.
    pub kind: Box<str>,
    /// What was wrong, and what to do.
    pub message: Box<str>,
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: &str, message: impl AsRef<str>) -> Self {
        Self { kind: kind.into(), message: message.as_ref().into() }
    }

    /// An argument that does not fit.
    pub fn value(message: impl AsRef<str>) -> Self {
        Self::new("ValueError", message)
    }
}
