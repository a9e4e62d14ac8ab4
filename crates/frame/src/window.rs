//! Columns that go on from row to row within groups: running sums, products and extremes, counts,
//! moved and filled values, and functions of the last rows.
//!
//! One operator goes through the rows in their order and keeps the state of each group in a table.
//! Its memory is that of the states, however many rows there are; the rows keep their places.

mod operator;
mod rolling;
mod states;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use serde::{Deserialize, Serialize};

use crate::error::{FrameError, Result};
use crate::row_number;
use crate::types::{Typed, is_float, is_whole};

pub(crate) use operator::Windows;

/// The most rows that a value may be moved by, or that a function may be of: each group keeps as many.
const LONGEST_SHIFT: u32 = 64;

/// A column of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WindowColumn {
    /// The name of the result.
    pub name: String,
    /// What is computed.
    pub function: WindowFunction,
    /// The column of its values; none for counts.
    pub column: Option<String>,
}

/// A function of a row and of the rows before it in the same group. It has no value where the row has
/// none, but for [`WindowFunction::Shift`] and [`WindowFunction::Fill`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WindowFunction {
    /// The sum up to the row.
    Sum,
    /// The product up to the row.
    Product,
    /// The least value up to the row.
    Minimum,
    /// The greatest value up to the row.
    Maximum,
    /// The number of rows before.
    Count,
    /// The value so many rows before.
    Shift(u32),
    /// The last value that is there.
    Fill,
    /// A function of the last rows, the row itself included.
    Rolling {
        /// What is computed of them.
        how: Rolling,
        /// How many rows.
        rows: u32,
        /// How many of their values have to be there; else there is no result.
        least: u32,
    },
    /// The place of a row in its part of the relation, whatever its group; parts have so many rows.
    Places(Vec<u64>),
}

/// A function of the values of the last rows that are finite numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rolling {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The least one.
    Minimum,
    /// The greatest one.
    Maximum,
    /// Their variance, with one degree of freedom less than there are values.
    Variance,
    /// The root of that.
    Deviation,
}

impl WindowFunction {
    /// The type of the result over values of `typed`; `loose` says that there are rows of no group.
    pub(crate) fn typed(&self, typed: Option<Typed>, loose: bool) -> Result<Typed> {
        let of_column = || {
            typed.clone().ok_or(FrameError::Invalid {
                operation: "a window",
                detail: format!("{self:?} needs a column"),
            })
        };
        let refuse = |found: &Typed| {
            FrameError::unsupported(
                format!("the window {self:?}").to_lowercase(),
                format!("of {}", found.data_type),
            )
        };
        let plain = |found: &Typed| match is_whole(&found.data_type) && found.nullable {
            true => Err(refuse(found)),
            false => Ok(()),
        };
        match self {
            Self::Count => Ok(Typed { data_type: DataType::Int64, nullable: loose }),
            Self::Places(_) => Ok(Typed { data_type: DataType::Int64, nullable: false }),
            Self::Sum | Self::Product => {
                let found = of_column()?;
                plain(&found)?;
                match found.data_type {
                    DataType::Boolean => Ok(Typed { data_type: DataType::Int64, nullable: loose }),
                    // With rows of no group these are floats from the start in pandas, and do not
                    // wrap around.
                    DataType::Int64 | DataType::UInt64 if !loose => Ok(found),
                    // Infinities have a sum that is no number.
                    DataType::Float64 => Ok(Typed { nullable: true, ..found }),
                    _ => Err(refuse(&found)),
                }
            }
            Self::Minimum | Self::Maximum | Self::Fill => {
                let found = of_column()?;
                plain(&found)?;
                if !has_state(&found.data_type) {
                    return Err(refuse(&found));
                }
                Ok(Typed { nullable: found.nullable || loose, ..found })
            }
            Self::Shift(rows) => {
                let found = of_column()?;
                // Whole numbers would be floats where nothing is moved in.
                if *rows > LONGEST_SHIFT
                    || !has_state(&found.data_type)
                    || is_whole(&found.data_type)
                {
                    return Err(refuse(&found));
                }
                Ok(Typed { nullable: true, ..found })
            }
            Self::Rolling { rows, least, .. } => {
                let found = of_column()?;
                if !(1..=LONGEST_SHIFT).contains(rows)
                    || least > rows
                    || found.data_type != DataType::Float64
                {
                    return Err(refuse(&found));
                }
                Ok(Typed { nullable: true, ..found })
            }
        }
    }
}

fn has_state(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(..) | DataType::Duration(_) => true,
        DataType::Boolean => false,
        other => other.is_integer() || (is_float(other) && *other != DataType::Float16),
    }
}

/// The rows with the columns of a window.
pub(crate) fn windowed(
    input: LogicalPlan,
    keys: Vec<String>,
    columns: Vec<(WindowColumn, Typed)>,
    drop_missing: bool,
) -> EngineResult<LogicalPlan> {
    let node = Window::new(input, keys, columns, drop_missing)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

#[derive(PartialEq, Eq, Hash)]
struct Window {
    input: LogicalPlan,
    keys: Vec<String>,
    columns: Vec<WindowColumn>,
    fields: Vec<Arc<Field>>,
    drop_missing: bool,
    schema: DFSchemaRef,
    is_sorted: bool,
}

impl PartialOrd for Window {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.keys.partial_cmp(&other.keys).filter(|order| order.is_ne() || self == other)
    }
}

impl Window {
    fn new(
        input: LogicalPlan,
        keys: Vec<String>,
        columns: Vec<(WindowColumn, Typed)>,
        drop_missing: bool,
    ) -> EngineResult<Self> {
        let (columns, fields): (Vec<_>, Vec<_>) = columns
            .into_iter()
            .map(|(column, typed)| {
                let field = Field::new(column.name.as_str(), typed.data_type, typed.nullable);
                (column, Arc::new(field))
            })
            .unzip();
        let is_sorted = row_number::is_sorted(&input);
        let schema = Self::schema_over(&input, &fields)?;
        Ok(Self { input, keys, columns, fields, drop_missing, schema, is_sorted })
    }

    fn schema_over(input: &LogicalPlan, fields: &[Arc<Field>]) -> EngineResult<DFSchemaRef> {
        let fields = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
            .chain(fields.iter().map(|field| (None, field.clone())))
            .collect();
        Ok(Arc::new(DFSchema::new_with_metadata(fields, Default::default())?))
    }
}

impl std::fmt::Debug for Window {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fmt_for_explain(formatter)
    }
}

impl UserDefinedLogicalNodeCore for Window {
    fn name(&self) -> &str {
        "RunningWindow"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RunningWindow: by {}: {}", self.keys.join(", "), text(&self.columns))
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<Expr>,
        inputs: Vec<LogicalPlan>,
    ) -> EngineResult<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("a window has one input");
        };
        Ok(Self {
            schema: Self::schema_over(&input, &self.fields)?,
            input,
            keys: self.keys.clone(),
            columns: self.columns.clone(),
            fields: self.fields.clone(),
            drop_missing: self.drop_missing,
            is_sorted: self.is_sorted,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let count = schema.fields().len();
        let mut read: Vec<usize> =
            output_columns.iter().copied().filter(|place| *place < count).collect();
        let own = self.columns.iter().filter_map(|column| column.column.as_ref());
        for name in self.keys.iter().chain(own) {
            read.push(schema.index_of_column_by_name(None, name)?);
        }
        read.sort_unstable();
        read.dedup();
        Some(vec![read])
    }
}

/// The columns of a window as a text.
pub(crate) fn text(columns: &[WindowColumn]) -> String {
    let each = |column: &WindowColumn| match (&column.function, &column.column) {
        (WindowFunction::Places(parts), _) => {
            format!("{} = places in {} parts", column.name, parts.len())
        }
        (function, Some(of)) => format!("{} = {function:?}({of})", column.name),
        (function, None) => format!("{} = {function:?}(*)", column.name),
    };
    columns.iter().map(each).collect::<Vec<_>>().join(", ")
}

/// The columns of the input and those of the window.
fn schema_of(input: &Schema, fields: &[Arc<Field>]) -> SchemaRef {
    Arc::new(Schema::new(input.fields().iter().chain(fields).cloned().collect::<Vec<_>>()))
}
