//! Values that outlive the text that they are from.

use bumpalo::Bump;
use simd_json::Node;

use super::value::{Deviation, Value};

/// A value by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer; sums may be wider than what they are of.
    Int(i128),
    /// A number.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// A list.
    List(Vec<Owned>),
    /// A tuple.
    Tuple(Vec<Owned>),
    /// The keys and values of a JSON object, in its order; of equal keys the last one counts.
    Object(Vec<(Box<str>, Owned)>),
}

/// How deep lists and objects may be nested.
const DEEPEST: usize = 200;

impl Owned {
    /// A copy of a value.
    pub(crate) fn of(value: &Value<'_>) -> Result<Self, Deviation> {
        Self::at_depth(value, 0)
    }

    fn at_depth(value: &Value<'_>, depth: usize) -> Result<Self, Deviation> {
        if depth > DEEPEST {
            return Err("JSON that is nested very deeply");
        }
        let all = |items: &[Value<'_>]| {
            items.iter().map(|item| Self::at_depth(item, depth + 1)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(i128::from(*value)),
            Value::Float(value) => Self::Float(*value),
            Value::Text(text) => Self::Text((*text).into()),
            Value::List(items) => Self::List(all(items)?),
            Value::Tuple(items) => Self::Tuple(all(items)?),
            Value::Tape(nodes) => return Self::of_tape(nodes, depth),
            Value::Object(pairs) => Self::Object(pairs.to_vec()),
            Value::Row(_) => return Err("a record of which only items are known"),
        })
    }

    fn of_tape(nodes: &[Node<'_>], depth: usize) -> Result<Self, Deviation> {
        let (head, mut rest) = nodes.split_first().ok_or("JSON that ends too early")?;
        match head {
            Node::Object { len, .. } => {
                let mut pairs = Vec::with_capacity(*len);
                for _ in 0..*len {
                    let Some((Node::String(key), behind)) = rest.split_first() else {
                        return Err("JSON that ends too early");
                    };
                    let (value, behind) = Value::of_nodes(behind)?;
                    pairs.push(((*key).into(), Self::at_depth(&value, depth + 1)?));
                    rest = behind;
                }
                Ok(Self::Object(pairs))
            }
            Node::Array { len, .. } => {
                let mut items = Vec::with_capacity(*len);
                for _ in 0..*len {
                    let (value, behind) = Value::of_nodes(rest)?;
                    items.push(Self::at_depth(&value, depth + 1)?);
                    rest = behind;
                }
                Ok(Self::List(items))
            }
            _ => Err("JSON of another kind"),
        }
    }

    /// A view of the value, whose lists are made in the arena.
    pub(crate) fn view<'a>(&'a self, arena: &'a Bump) -> Result<Value<'a>, Deviation> {
        let all = |items: &'a [Owned]| -> Result<&'a [Value<'a>], Deviation> {
            let mut views = bumpalo::collections::Vec::with_capacity_in(items.len(), arena);
            for item in items {
                views.push(item.view(arena)?);
            }
            Ok(views.into_bump_slice())
        };
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => {
                Value::Int(i64::try_from(*value).map_err(|_| "an integer of more than 64 bits")?)
            }
            Self::Float(value) => Value::Float(*value),
            Self::Text(text) => Value::Text(text),
            Self::List(items) => Value::List(all(items)?),
            Self::Tuple(items) => Value::Tuple(all(items)?),
            Self::Object(pairs) => Value::Object(pairs),
        })
    }

    /// Whether it is equal to a value that may be a key of a dict.
    pub(crate) fn equals_key(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Text(left), Value::Text(right)) => &**left == *right,
            (Self::Null, Value::Null) => true,
            (Self::Tuple(left), Value::Tuple(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right.iter()).all(|(left, right)| left.equals_key(right))
            }
            (Self::Bool(left), right) => Value::Bool(*left).equals(right).unwrap_or(false),
            (Self::Float(left), right) => Value::Float(*left).equals(right).unwrap_or(false),
            (Self::Int(left), right) => match i64::try_from(*left) {
                Ok(left) => Value::Int(left).equals(right).unwrap_or(false),
                Err(_) => false,
            },
            _ => false,
        }
    }

    /// The bytes that it takes.
    pub fn nbytes(&self) -> usize {
        let inside = match self {
            Self::Text(text) => text.len(),
            Self::List(items) | Self::Tuple(items) => items.iter().map(Self::nbytes).sum(),
            Self::Object(pairs) => {
                pairs.iter().map(|(key, value)| 16 + key.len() + value.nbytes()).sum()
            }
            _ => 0,
        };
        size_of::<Self>() + inside
    }
}
