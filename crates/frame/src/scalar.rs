//! Expressions over the columns of a relation.
//!
//! An expression has a value for each row. A missing value is a null; a float is never NaN in a
//! relation, but may be inside an expression, where both mean the same.

use std::fmt;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::encode;
use crate::error::{FrameError, Result};
use crate::types;

/// An expression over the columns of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scalar {
    /// A column of the relation.
    Column(String),
    /// The same value for every row.
    Literal(Literal),
    /// The same value for every row, which another plan computes.
    Parameter {
        /// Its name.
        name: String,
        /// Its type.
        #[serde(with = "encode::data_type")]
        data_type: DataType,
        /// Whether it can be missing.
        nullable: bool,
    },
    /// A function of other expressions.
    Call {
        /// The function.
        function: Function,
        /// Its arguments.
        arguments: Vec<Scalar>,
    },
    /// The value as another type.
    Cast {
        /// The value.
        input: Box<Scalar>,
        /// The type.
        #[serde(with = "encode::data_type")]
        to: DataType,
    },
    /// Whether the value is one of some values.
    IsIn {
        /// The value.
        input: Box<Scalar>,
        /// The values that it is compared with.
        values: Vec<Literal>,
    },
}

/// A value that is written in an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Literal {
    /// A missing value, of any type.
    Missing,
    /// A truth value.
    Boolean(bool),
    /// An integer; its type is that of its partner, as NumPy has it for Python's integers.
    Integer(i64),
    /// A float, as its bits; its type is that of its partner, or `float64`.
    Float(u64),
    /// Text.
    Text(String),
    /// A moment since 1970, in UTC, with the time zone's name where it has one.
    Timestamp(i64, Unit, Option<String>),
    /// A length of time.
    Duration(i64, Unit),
    /// A day since 1970.
    Date(i32),
}

/// The unit of a moment or of a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl From<Unit> for TimeUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Second => TimeUnit::Second,
            Unit::Millisecond => TimeUnit::Millisecond,
            Unit::Microsecond => TimeUnit::Microsecond,
            Unit::Nanosecond => TimeUnit::Nanosecond,
        }
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// A function of expressions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Function {
            $($(#[$doc])* $variant,)*
        }

        impl Function {
            /// The function of that name.
            pub fn from_name(name: &str) -> Result<Self> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(FrameError::unsupported(name, "the engine has no such function")),
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

functions! {
    /// Sum of two numbers, or of a moment and a length of time.
    Add => "add",
    /// Difference of two numbers, or of two moments.
    Subtract => "subtract",
    /// Product of two numbers.
    Multiply => "multiply",
    /// Quotient as a float.
    Divide => "divide",
    /// Quotient, rounded down.
    FloorDivide => "floor_divide",
    /// Remainder with the divisor's sign.
    Modulo => "modulo",
    /// A power of floats.
    Power => "power",
    /// The number with the other sign.
    Negate => "negate",
    /// The number without its sign.
    Absolute => "absolute",
    /// Whether two values are the same.
    Equal => "equal",
    /// Whether two values differ; a missing one differs from everything.
    NotEqual => "not_equal",
    /// Whether the first is less.
    Less => "less",
    /// Whether the first is not greater.
    LessEqual => "less_equal",
    /// Whether the first is greater.
    Greater => "greater",
    /// Whether the first is not less.
    GreaterEqual => "greater_equal",
    /// Whether both hold.
    And => "and",
    /// Whether one holds.
    Or => "or",
    /// Whether exactly one holds.
    Xor => "xor",
    /// Whether it does not hold.
    Not => "not",
    /// Whether the value is missing.
    IsMissing => "is_missing",
    /// Whether the value is there.
    NotMissing => "not_missing",
    /// The first value, or the second where that is missing.
    Fill => "fill",
    /// The number, or zero where it is missing; whole numbers stay what they are.
    OrZero => "or_zero",
    /// The second value where the first holds, else the third.
    Choose => "choose",
    /// The square root.
    SquareRoot => "sqrt",
    /// The exponential function.
    Exponential => "exp",
    /// The natural logarithm.
    Logarithm => "log",
    /// The greatest whole number that is not greater.
    Floor => "floor",
    /// The least whole number that is not less.
    Ceiling => "ceil",
    /// Text in small letters.
    Lower => "str.lower",
    /// Text in capital letters.
    Upper => "str.upper",
    /// Characters of a text.
    Length => "str.len",
    /// Whether a text begins with another.
    StartsWith => "str.startswith",
    /// Whether a text ends with another.
    EndsWith => "str.endswith",
    /// Whether a text holds another.
    Contains => "str.contains",
    /// Whether a regular expression matches somewhere in a text.
    Matches => "str.matches",
    /// Characters from a position on, up to another; both count from zero.
    Slice => "str.slice",
    /// A text with each occurrence of the second replaced by the third.
    Replace => "str.replace",
    /// The year.
    Year => "dt.year",
    /// The month, from 1.
    Month => "dt.month",
    /// The day of the month, from 1.
    Day => "dt.day",
    /// The hour.
    Hour => "dt.hour",
    /// The minute.
    Minute => "dt.minute",
    /// The second.
    Second => "dt.second",
    /// The quarter of the year, from 1.
    Quarter => "dt.quarter",
    /// The day of the week; Monday is 0.
    Weekday => "dt.weekday",
    /// The day of the year, from 1.
    DayOfYear => "dt.dayofyear",
}

impl Function {
    /// How many arguments it takes.
    pub(crate) fn arity(self) -> usize {
        use Function::*;
        match self {
            Negate | Absolute | Not | OrZero | IsMissing | NotMissing | SquareRoot
            | Exponential | Logarithm | Floor | Ceiling | Lower | Upper | Length | Year | Month
            | Day | Hour | Minute | Second | Quarter | Weekday | DayOfYear => 1,
            Choose | Slice | Replace => 3,
            _ => 2,
        }
    }
}

impl Literal {
    /// A float.
    pub fn float(value: f64) -> Self {
        match value.is_nan() {
            true => Self::Missing,
            false => Self::Float(value.to_bits()),
        }
    }
}

impl Scalar {
    /// A column.
    pub fn column(name: impl Into<String>) -> Self {
        Self::Column(name.into())
    }

    /// A call; the number of arguments is checked.
    pub fn call(function: Function, arguments: Vec<Scalar>) -> Result<Self> {
        if arguments.len() != function.arity() {
            return Err(FrameError::Invalid {
                operation: "call",
                detail: format!(
                    "{} takes {} arguments, not {}",
                    function.name(),
                    function.arity(),
                    arguments.len()
                ),
            });
        }
        Ok(Self::Call { function, arguments })
    }

    /// The value as another type.
    pub fn cast(self, to: DataType) -> Self {
        Self::Cast { input: Box::new(self), to }
    }

    /// Whether the value is one of `values`.
    pub fn is_in(self, values: Vec<Literal>) -> Self {
        Self::IsIn { input: Box::new(self), values }
    }

    /// The type over a relation of that schema, and whether values can be missing.
    pub fn typed(&self, schema: &Schema) -> Result<types::Typed> {
        types::of(self, schema)
    }

    /// The expressions that it is made of.
    pub(crate) fn children(&self) -> &[Scalar] {
        match self {
            Self::Column(_) | Self::Literal(_) | Self::Parameter { .. } => &[],
            Self::Call { arguments, .. } => arguments,
            Self::Cast { input, .. } | Self::IsIn { input, .. } => {
                std::slice::from_ref(input.as_ref())
            }
        }
    }

    /// Calls `visit` with each column that it reads.
    pub(crate) fn columns<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        let mut open = vec![self];
        while let Some(scalar) = open.pop() {
            match scalar {
                Self::Column(name) => visit(name),
                other => open.extend(other.children()),
            }
        }
    }

    /// The expression with each column replaced by what `with` gives for it.
    pub(crate) fn replace(&self, with: &dyn Fn(&str) -> Option<Scalar>) -> Scalar {
        match self {
            Self::Column(name) => with(name).unwrap_or_else(|| self.clone()),
            Self::Literal(_) | Self::Parameter { .. } => self.clone(),
            Self::Call { function, arguments } => Self::Call {
                function: *function,
                arguments: arguments.iter().map(|argument| argument.replace(with)).collect(),
            },
            Self::Cast { input, to } => {
                Self::Cast { input: Box::new(input.replace(with)), to: to.clone() }
            }
            Self::IsIn { input, values } => {
                Self::IsIn { input: Box::new(input.replace(with)), values: values.clone() }
            }
        }
    }

    /// The names of its parameters.
    pub(crate) fn parameters(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut open = vec![self];
        while let Some(scalar) = open.pop() {
            match scalar {
                Self::Parameter { name, .. } => names.push(name.as_str()),
                other => open.extend(other.children()),
            }
        }
        names
    }

    /// The expression with each parameter replaced by what `with` gives for it, as a value of its type.
    pub(crate) fn with_parameters(&self, with: &dyn Fn(&str) -> Option<Scalar>) -> Scalar {
        match self {
            Self::Parameter { name, data_type, .. } => match with(name) {
                Some(value) => value.cast(data_type.clone()),
                None => self.clone(),
            },
            Self::Column(_) | Self::Literal(_) => self.clone(),
            Self::Call { function, arguments } => Self::Call {
                function: *function,
                arguments: arguments.iter().map(|each| each.with_parameters(with)).collect(),
            },
            Self::Cast { input, to } => {
                Self::Cast { input: Box::new(input.with_parameters(with)), to: to.clone() }
            }
            Self::IsIn { input, values } => {
                Self::IsIn { input: Box::new(input.with_parameters(with)), values: values.clone() }
            }
        }
    }

    /// The conditions that all have to hold for this one to hold.
    pub(crate) fn conjuncts(&self) -> Vec<Scalar> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(scalar) = open.pop() {
            match scalar {
                Self::Call { function: Function::And, arguments } => {
                    open.extend(arguments.iter().rev());
                }
                other => found.push(other.clone()),
            }
        }
        found
    }

    /// The condition that holds where all of them hold; `None` for no condition.
    pub(crate) fn all(conditions: impl IntoIterator<Item = Scalar>) -> Option<Scalar> {
        conditions.into_iter().reduce(|left, right| Self::Call {
            function: Function::And,
            arguments: vec![left, right],
        })
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(name) => write!(formatter, "{name}"),
            Self::Literal(literal) => write!(formatter, "{literal}"),
            Self::Parameter { name, .. } => write!(formatter, "the value of {name}"),
            Self::Cast { input, to } => write!(formatter, "{to}({input})"),
            Self::IsIn { input, values } => {
                write!(formatter, "isin({input}, {} values)", values.len())
            }
            Self::Call { function, arguments } => {
                write!(formatter, "{}(", function.name())?;
                for (position, argument) in arguments.iter().enumerate() {
                    let comma = if position == 0 { "" } else { ", " };
                    write!(formatter, "{comma}{argument}")?;
                }
                write!(formatter, ")")
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(formatter, "missing"),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Float(bits) => write!(formatter, "{:?}", f64::from_bits(*bits)),
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Timestamp(value, unit, _) => write!(formatter, "moment {value} {unit:?}"),
            Self::Duration(value, unit) => write!(formatter, "{value} {unit:?}"),
            Self::Date(day) => write!(formatter, "day {day}"),
        }
    }
}
