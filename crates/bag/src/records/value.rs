//! One value of a record, and Python's rules for comparing such.

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use simd_json::{Node, StaticNode};

use super::owned::Owned;
use super::scan::Row;

/// Why a value is left to others: what about it has no exact answer here.
pub(crate) type Deviation = &'static str;

/// A value, or a view of one in the text that it is from.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// A list.
    List(&'a [Value<'a>]),
    /// A tuple.
    Tuple(&'a [Value<'a>]),
    /// An object or an array of JSON that was parsed: the nodes from its head on, and no others.
    Tape(&'a [Node<'a>]),
    /// An object that was kept.
    Object(&'a [(Box<str>, Owned)]),
    /// An object of JSON of which only some items were made.
    Row(&'a Row<'a>),
}

impl<'a> Value<'a> {
    /// The value that begins with the first of some nodes, and the nodes behind it.
    ///
    /// # Errors
    /// What about the value has no exact answer here.
    pub fn of_nodes(nodes: &'a [Node<'a>]) -> Result<(Self, &'a [Node<'a>]), &'static str> {
        let (first, rest) = nodes.split_first().ok_or("JSON that ends too early")?;
        let value = match *first {
            Node::String(text) => Self::Text(text),
            Node::Static(StaticNode::Null) => Self::Null,
            Node::Static(StaticNode::Bool(value)) => Self::Bool(value),
            Node::Static(StaticNode::I64(value)) => Self::Int(value),
            Node::Static(StaticNode::F64(value)) => Self::Float(value),
            Node::Static(StaticNode::U64(value)) => match i64::try_from(value) {
                Ok(value) => Self::Int(value),
                Err(_) => return Err("an integer of more than 64 bits"),
            },
            Node::Object { count, .. } | Node::Array { count, .. } => {
                let nodes = nodes.get(..=count).ok_or("JSON that ends too early")?;
                let rest = rest.get(count..).ok_or("JSON that ends too early")?;
                return Ok((Self::Tape(nodes), rest));
            }
        };
        Ok((value, rest))
    }

    /// Whether Python takes it for true.
    pub fn truth(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.is_empty(),
            Self::Tape(nodes) => nodes.len() > 1,
            Self::Object(pairs) => !pairs.is_empty(),
            // Nobody asks: who does gets all items.
            Self::Row(_) => true,
        }
    }

    /// The number, where it is one; a truth value is 0 or 1.
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Bool(value) => Some(Number::Int(i64::from(*value))),
            Self::Int(value) => Some(Number::Int(*value)),
            Self::Float(value) => Some(Number::Float(*value)),
            _ => None,
        }
    }

    /// Whether two values are equal in Python.
    pub(crate) fn equals(&self, other: &Value<'_>) -> Result<bool, Deviation> {
        if let (Some(left), Some(right)) = (self.number(), other.number()) {
            return Ok(left.compare(right) == Some(Ordering::Equal));
        }
        match (self, other) {
            (Self::Null, Value::Null) => Ok(true),
            (Self::Text(left), Value::Text(right)) => Ok(left == right),
            (Self::List(left), Value::List(right)) | (Self::Tuple(left), Value::Tuple(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right.iter()) {
                    if !left.equals(right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (
                Self::Tape(_) | Self::Object(_) | Self::Row(_),
                Value::Tape(_) | Value::List(_) | Value::Object(_) | Value::Row(_),
            )
            | (Self::List(_), Value::Tape(_)) => Err("containers that are compared"),
            _ => Ok(false),
        }
    }

    /// How Python orders two values.
    pub(crate) fn compare(&self, other: &Value<'_>) -> Result<Ordering, Deviation> {
        if let (Some(left), Some(right)) = (self.number(), other.number()) {
            return left.compare(right).ok_or("a number that is not ordered");
        }
        match (self, other) {
            (Self::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
            (Self::List(left), Value::List(right)) | (Self::Tuple(left), Value::Tuple(right)) => {
                for (left, right) in left.iter().zip(right.iter()) {
                    if !left.equals(right)? {
                        return left.compare(right);
                    }
                }
                Ok(left.len().cmp(&right.len()))
            }
            _ => Err("values of types that have no order"),
        }
    }

    /// A hash that is equal for values that are equal in Python.
    pub(crate) fn hash(&self) -> Result<u64, Deviation> {
        if let Some(number) = self.number() {
            return number.hash();
        }
        match self {
            Self::Null => Ok(HASHES.hash_one(())),
            Self::Text(text) => Ok(HASHES.hash_one(text)),
            Self::Tuple(items) => {
                let mut hash = items.len() as u64;
                for item in *items {
                    hash = HASHES.hash_one((hash, item.hash()?));
                }
                Ok(hash)
            }
            _ => Err("a value that is not hashable"),
        }
    }
}

/// An integer or a float.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// The exact order; `None` where one is not a number.
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
            (Self::Int(left), Self::Float(right)) => compare_mixed(left, right),
            (Self::Float(left), Self::Int(right)) => {
                compare_mixed(right, left).map(Ordering::reverse)
            }
        }
    }

    fn hash(self) -> Result<u64, Deviation> {
        let whole = match self {
            Self::Int(value) => Some(value),
            Self::Float(value) if value.is_nan() => return Err("a number that equals nothing"),
            Self::Float(value) => {
                let cast = value as i64;
                (compare_mixed(cast, value) == Some(Ordering::Equal)).then_some(cast)
            }
        };
        Ok(match (whole, self) {
            (Some(value), _) => HASHES.hash_one(value),
            (None, Self::Float(value)) => HASHES.hash_one(value.to_bits()),
            (None, Self::Int(value)) => value as u64,
        })
    }

    /// As a float, rounded as Python rounds.
    pub(crate) fn as_float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

fn compare_mixed(left: i64, right: f64) -> Option<Ordering> {
    // The first float above all integers of 64 bits.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if right.is_nan() {
        return None;
    }
    if right >= ABOVE {
        return Some(Ordering::Less);
    }
    if right < -ABOVE {
        return Some(Ordering::Greater);
    }
    let whole = right.trunc();
    Some(
        left.cmp(&(whole as i64))
            .then_with(|| 0.0.partial_cmp(&(right - whole)).unwrap_or(Ordering::Equal)),
    )
}

/// Hashes of this process. They do not leave it: what is found does not depend on them, and their seed keeps
/// texts from being written so that many of them collide.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::default);
