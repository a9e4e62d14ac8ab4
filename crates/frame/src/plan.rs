//! Plans: what is to be computed, as a tree of relational operators.
//!
//! Making a node checks everything that can be wrong with it and reads no data. A relation has
//! named columns; no two have one name. An index is a column like others: only Python knows
//! which one it is.

mod beside;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::encode;
use crate::error::{FrameError, Result};
use crate::memory::Memory;
use crate::parquet::ParquetScan;
use crate::scalar::Scalar;
use crate::text::TextScan;
use crate::types::{self, Typed, is_float, is_whole};
use crate::window::WindowColumn;

/// A relation that is to be computed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Node>);

#[derive(Debug, Serialize, Deserialize)]
struct Node {
    operator: Operator,
    #[serde(with = "encode::schema")]
    schema: SchemaRef,
}

/// What a plan does with its inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Operator {
    /// Rows of Parquet files.
    Parquet(ParquetScan),
    /// Rows of files of text.
    Text(TextScan),
    /// Rows in memory.
    Memory(Memory),
    /// New columns from each row.
    Project {
        /// The rows.
        input: Plan,
        /// Names and values of the columns.
        columns: Vec<(String, Scalar)>,
    },
    /// The rows for which a condition holds.
    Filter {
        /// The rows.
        input: Plan,
        /// The condition.
        predicate: Scalar,
    },
    /// A row for each group of rows with equal keys; one row if there are no keys.
    Aggregate {
        /// The rows.
        input: Plan,
        /// The columns whose values make a group.
        keys: Vec<String>,
        /// What is computed of each group.
        aggregations: Vec<Aggregation>,
        /// Whether rows with a missing key are left out.
        drop_missing: bool,
    },
    /// Pairs of rows with equal keys. Missing keys are equal to each other.
    Join {
        /// The rows of one side.
        left: Plan,
        /// The rows of the other.
        right: Plan,
        /// Which rows without a partner stay.
        kind: JoinKind,
        /// The pairs of key columns.
        on: Vec<(String, String)>,
        /// The columns of the result.
        output: Vec<(String, JoinColumn)>,
    },
    /// The rows in an order.
    Sort {
        /// The rows.
        input: Plan,
        /// The columns, the most important first.
        keys: Vec<SortKey>,
        /// How many of the first rows are wanted.
        limit: Option<usize>,
        /// Whether equal rows keep their order.
        stable: bool,
    },
    /// Some of the first rows.
    Limit {
        /// The rows.
        input: Plan,
        /// How many are left out before.
        offset: usize,
        /// How many are kept.
        count: usize,
    },
    /// One row of those with equal values.
    Distinct {
        /// The rows.
        input: Plan,
        /// The columns that are compared.
        subset: Vec<String>,
        /// Which of the rows stays.
        keep: Keep,
    },
    /// The rows of several relations with the same columns, one after the other.
    Concat {
        /// The relations.
        inputs: Vec<Plan>,
    },
    /// The rows with one more column, which counts them.
    RowNumber {
        /// The rows.
        input: Plan,
        /// The name of the column.
        name: String,
    },
    /// The rows with columns that go on from row to row within groups of rows with equal keys.
    Window {
        /// The rows.
        input: Plan,
        /// The columns whose values make a group.
        keys: Vec<String>,
        /// What is computed.
        columns: Vec<WindowColumn>,
        /// Whether rows with a missing key are in no group, and have no values.
        drop_missing: bool,
    },
    /// The rows with columns of a table that has one row for each key.
    Lookup {
        /// The rows.
        input: Plan,
        /// The table.
        table: Plan,
        /// The pairs of key columns. A missing key is equal to a missing one.
        keys: Vec<(String, String)>,
        /// The names of the new columns, and those that they have in the table.
        columns: Vec<(String, String)>,
    },
    /// The rows of a relation whose expressions have parameters.
    Bind {
        /// The relation.
        input: Plan,
        /// The parameters, each with the plan whose only row and column is its value.
        values: Vec<(String, Plan)>,
    },
    /// A query in SQL.
    Sql {
        /// The text.
        query: String,
        /// The relations that it may name.
        tables: Vec<(String, Plan)>,
    },
}

/// What is computed of the rows of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Aggregation {
    /// The name of the result.
    pub name: String,
    /// The function.
    pub function: AggregateFunction,
    /// The column; none for the number of rows.
    pub column: Option<String>,
}

/// A function of the values of a group. Missing values do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AggregateFunction {
    /// The number of rows.
    Size,
    /// The number of values.
    Count,
    /// The sum; zero of nothing.
    Sum,
    /// The sum, missing where there are fewer values than that.
    SumAtLeast(u32),
    /// The mean.
    Mean,
    /// The least value.
    Minimum,
    /// The greatest value.
    Maximum,
    /// The variance; the divisor is the number of values less that.
    Variance(u8),
    /// The root of the variance.
    Deviation(u8),
    /// The number of different values.
    Distinct,
    /// The median.
    Median,
    /// The first value that is there.
    First,
    /// The last value that is there.
    Last,
    /// Whether one value holds.
    Any,
    /// Whether all values hold.
    All,
}

/// Which rows a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JoinKind {
    /// Pairs only.
    Inner,
    /// Pairs, and the left rows without a partner.
    Left,
    /// Pairs, and the right rows without a partner.
    Right,
    /// Pairs, and the rows of both sides without a partner.
    Outer,
    /// The left rows with a partner, once.
    Semi,
    /// The left rows without a partner.
    Anti,
}

/// Where a column of a join comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JoinColumn {
    /// A column of the left side.
    Left(String),
    /// A column of the right side.
    Right(String),
    /// A pair of keys: the left one, or the right one where there is no left row.
    Key(usize),
}

/// One column of an order. Missing values come last.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SortKey {
    /// The column.
    pub column: String,
    /// Whether the greatest value comes first.
    pub descending: bool,
    /// Whether missing values come first.
    pub missing_first: bool,
}

/// Which of several equal rows stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Keep {
    /// The first.
    First,
    /// The last.
    Last,
    /// Any: only the compared columns are there.
    Any,
}

impl Serialize for Plan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(Node::deserialize(deserializer)?)))
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.operator == other.0.operator
    }
}

impl Plan {
    fn new(operator: Operator, schema: SchemaRef) -> Self {
        Self(Arc::new(Node { operator, schema }))
    }

    /// What the node does.
    pub fn operator(&self) -> &Operator {
        &self.0.operator
    }

    /// The columns of the relation.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// A number that two clones of one node share.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// The rows of Parquet files.
    pub fn parquet(scan: ParquetScan) -> Self {
        let schema = scan.schema().clone();
        Self::new(Operator::Parquet(scan), schema)
    }

    /// The rows of files of text.
    pub fn text(scan: TextScan) -> Self {
        let schema = scan.schema().clone();
        Self::new(Operator::Text(scan), schema)
    }

    /// Rows in memory.
    pub fn memory(memory: Memory) -> Self {
        let schema = memory.schema().clone();
        Self::new(Operator::Memory(memory), schema)
    }

    /// New columns from each row.
    pub fn project(self, columns: Vec<(String, Scalar)>) -> Result<Self> {
        let fields = columns
            .iter()
            .map(|(name, scalar)| Ok(field(name, scalar.typed(self.schema())?)))
            .collect::<Result<Vec<_>>>()?;
        let schema = relation("a projection", fields)?;
        Ok(Self::new(Operator::Project { input: self, columns }, schema))
    }

    /// Some of the columns.
    pub fn select(self, names: &[String]) -> Result<Self> {
        let columns =
            names.iter().map(|name| (name.clone(), Scalar::Column(name.clone()))).collect();
        self.project(columns)
    }

    /// The rows for which `predicate` holds.
    pub fn filter(self, predicate: Scalar) -> Result<Self> {
        let typed = predicate.typed(self.schema())?;
        if typed.data_type != DataType::Boolean || typed.nullable {
            return Err(FrameError::unsupported(
                "filter",
                format!("the condition is {} and not a plain boolean", typed.data_type),
            ));
        }
        let schema = self.schema().clone();
        Ok(Self::new(Operator::Filter { input: self, predicate }, schema))
    }

    /// A row for each group of rows with equal keys.
    pub fn aggregate(
        self,
        keys: Vec<String>,
        aggregations: Vec<Aggregation>,
        drop_missing: bool,
    ) -> Result<Self> {
        let mut fields = Vec::with_capacity(keys.len() + aggregations.len());
        for key in &keys {
            let typed = self.column_type("a grouping", key)?;
            groupable("groupby", &typed.data_type)?;
            fields.push(field(key, Typed { nullable: typed.nullable && !drop_missing, ..typed }));
        }
        for aggregation in &aggregations {
            fields.push(field(&aggregation.name, self.aggregated(aggregation, keys.is_empty())?));
        }
        let schema = relation("a grouping", fields)?;
        Ok(Self::new(Operator::Aggregate { input: self, keys, aggregations, drop_missing }, schema))
    }

    fn aggregated(&self, aggregation: &Aggregation, whole: bool) -> Result<Typed> {
        use AggregateFunction::*;
        let operation = "an aggregation";
        let Some(column) = &aggregation.column else {
            return match aggregation.function {
                Size => Ok(Typed { data_type: DataType::Int64, nullable: false }),
                _ => Err(FrameError::Invalid {
                    operation,
                    detail: "only the number of rows needs no column".into(),
                }),
            };
        };
        let typed = self.column_type(operation, column)?;
        let refuse = || {
            FrameError::unsupported(
                format!("{:?}", aggregation.function).to_lowercase(),
                format!("of {}", typed.data_type),
            )
        };
        let number = is_whole(&typed.data_type) || is_float(&typed.data_type);
        let plain = !(is_whole(&typed.data_type) && typed.nullable);
        let data_type = match aggregation.function {
            Size | Count => return Ok(Typed { data_type: DataType::Int64, nullable: false }),
            Distinct => {
                groupable("nunique", &typed.data_type)?;
                return Ok(Typed { data_type: DataType::Int64, nullable: false });
            }
            Sum | SumAtLeast(_) => {
                let data_type = match &typed.data_type {
                    DataType::Boolean => DataType::Int64,
                    signed if signed.is_signed_integer() => DataType::Int64,
                    unsigned if unsigned.is_unsigned_integer() => DataType::UInt64,
                    float if is_float(float) => DataType::Float64,
                    DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
                    _ => return Err(refuse()),
                };
                if !plain {
                    return Err(refuse());
                }
                let nullable = aggregation.function != Sum;
                return Ok(Typed { data_type, nullable });
            }
            Mean | Median if number && plain => DataType::Float64,
            Variance(ddof) | Deviation(ddof) if number && plain && ddof <= 1 => DataType::Float64,
            Minimum | Maximum if plain => match &typed.data_type {
                DataType::Boolean | DataType::Dictionary(..) => return Err(refuse()),
                DataType::Utf8View
                | DataType::Timestamp(..)
                | DataType::Duration(_)
                | DataType::Date32
                | DataType::Decimal128(..) => typed.data_type.clone(),
                _ if number => typed.data_type.clone(),
                _ => return Err(refuse()),
            },
            First | Last => {
                return Err(FrameError::unsupported(
                    "first and last",
                    "they go by the order of rows",
                ));
            }
            Any | All if typed.data_type == DataType::Boolean && plain => {
                return Ok(Typed { data_type: DataType::Boolean, nullable: false });
            }
            _ => return Err(refuse()),
        };
        // A group has a row, so that nothing is missing where nothing was; no rows at all have
        // no least value.
        let nullable = typed.nullable
            || whole
            || matches!(aggregation.function, Variance(_) | Deviation(_) | Mean | Median);
        Ok(Typed { data_type, nullable })
    }

    /// Pairs of rows with equal keys.
    pub fn join(
        self,
        right: Plan,
        kind: JoinKind,
        on: Vec<(String, String)>,
        output: Vec<(String, JoinColumn)>,
    ) -> Result<Self> {
        let operation = "a merge";
        if on.is_empty() {
            return Err(FrameError::Invalid { operation, detail: "there are no keys".into() });
        }
        let mut keys = Vec::with_capacity(on.len());
        for (left_key, right_key) in &on {
            let left_type = self.column_type(operation, left_key)?;
            let right_type = right.column_type(operation, right_key)?;
            keys.push(key_type(&left_type, &right_type)?);
        }
        let (left_stays, right_stays) = match kind {
            JoinKind::Inner | JoinKind::Semi | JoinKind::Anti => (true, true),
            JoinKind::Left => (true, false),
            JoinKind::Right => (false, true),
            JoinKind::Outer => (false, false),
        };
        let one_sided = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let mut fields = Vec::with_capacity(output.len());
        for (name, source) in &output {
            let typed = match source {
                JoinColumn::Left(column) => {
                    let typed = self.column_type(operation, column)?;
                    Typed { nullable: typed.nullable || !left_stays, ..typed }
                }
                JoinColumn::Right(_) if one_sided => {
                    return Err(FrameError::Invalid {
                        operation,
                        detail: format!("column {name:?} is of a side that is not kept"),
                    });
                }
                JoinColumn::Right(column) => {
                    let typed = right.column_type(operation, column)?;
                    Typed { nullable: typed.nullable || !right_stays, ..typed }
                }
                JoinColumn::Key(position) => {
                    let key = keys.get(*position).ok_or(FrameError::Invalid {
                        operation,
                        detail: format!("there is no key {position}"),
                    })?;
                    key.clone()
                }
            };
            fields.push(field(name, typed));
        }
        let schema = relation(operation, fields)?;
        Ok(Self::new(Operator::Join { left: self, right, kind, on, output }, schema))
    }

    /// The rows in an order; `limit` keeps the first rows only.
    pub fn sort(self, keys: Vec<SortKey>, limit: Option<usize>, stable: bool) -> Result<Self> {
        for key in &keys {
            let typed = self.column_type("a sort", &key.column)?;
            sortable(&typed.data_type)?;
        }
        let schema = self.schema().clone();
        Ok(Self::new(Operator::Sort { input: self, keys, limit, stable }, schema))
    }

    /// `count` rows after the first `offset`.
    pub fn limit(self, offset: usize, count: usize) -> Self {
        let schema = self.schema().clone();
        Self::new(Operator::Limit { input: self, offset, count }, schema)
    }

    /// One row of those with equal values in the columns `subset`.
    pub fn distinct(self, subset: Vec<String>, keep: Keep) -> Result<Self> {
        for column in &subset {
            let typed = self.column_type("drop_duplicates", column)?;
            groupable("drop_duplicates", &typed.data_type)?;
        }
        if keep == Keep::Any {
            let input = self.select(&subset)?;
            let schema = input.schema().clone();
            return Ok(Self::new(Operator::Distinct { input, subset, keep }, schema));
        }
        let schema = self.schema().clone();
        Ok(Self::new(Operator::Distinct { input: self, subset, keep }, schema))
    }

    /// The rows of several relations, one after the other.
    pub fn concat(inputs: Vec<Plan>) -> Result<Self> {
        let operation = "a concatenation";
        let Some(first) = inputs.first() else {
            return Err(FrameError::Invalid { operation, detail: "of nothing".into() });
        };
        let mut fields: Vec<Field> =
            first.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        for input in &inputs[1..] {
            let other = input.schema().fields();
            let same = other.len() == fields.len()
                && fields.iter().zip(other).all(|(left, right)| {
                    left.name() == right.name() && left.data_type() == right.data_type()
                });
            if !same {
                return Err(FrameError::unsupported("concat", "of different columns"));
            }
            for (field, right) in fields.iter_mut().zip(other) {
                *field = field.clone().with_nullable(field.is_nullable() || right.is_nullable());
            }
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Self::new(Operator::Concat { inputs }, schema))
    }

    /// The rows with one more column, `name`, which grows from row to row.
    pub fn row_number(self, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let mut fields: Vec<Field> =
            self.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new(name.as_str(), DataType::UInt64, false));
        let schema = relation("row numbers", fields)?;
        Ok(Self::new(Operator::RowNumber { input: self, name }, schema))
    }

    /// The rows, where the value of each parameter is that of a relation with one row and one column.
    pub fn bind(self, values: Vec<(String, Plan)>) -> Result<Self> {
        for (name, plan) in &values {
            if plan.schema().fields().len() != 1 {
                return Err(FrameError::Invalid {
                    operation: "a computed value",
                    detail: format!(
                        "{name:?} should be one value, and has {} columns",
                        plan.schema().fields().len()
                    ),
                });
            }
        }
        let schema = self.schema().clone();
        Ok(Self::new(Operator::Bind { input: self, values }, schema))
    }

    /// The names of the parameters that are not bound.
    pub fn parameters(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut open = vec![self];
        while let Some(plan) = open.pop() {
            let scalars: Vec<&Scalar> = match plan.operator() {
                // What is bound here is not open; nor has it parameters that are.
                Operator::Bind { .. } => continue,
                Operator::Project { columns, .. } => {
                    columns.iter().map(|(_, scalar)| scalar).collect()
                }
                Operator::Filter { predicate, .. } => vec![predicate],
                Operator::Parquet(scan) => scan.predicate().into_iter().collect(),
                _ => Vec::new(),
            };
            names.extend(scalars.iter().flat_map(|scalar| scalar.parameters()).map(str::to_owned));
            open.extend(plan.inputs());
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The same columns by another operator.
    pub(crate) fn with_operator(&self, operator: Operator) -> Plan {
        Self::new(operator, self.schema().clone())
    }

    /// The plan with its own expressions as `change` makes them, of the same types.
    pub(crate) fn with_scalars(&self, change: &dyn Fn(&Scalar) -> Scalar) -> Plan {
        let operator = match self.operator() {
            Operator::Project { input, columns } => Operator::Project {
                input: input.clone(),
                columns: columns
                    .iter()
                    .map(|(name, scalar)| (name.clone(), change(scalar)))
                    .collect(),
            },
            Operator::Filter { input, predicate } => {
                Operator::Filter { input: input.clone(), predicate: change(predicate) }
            }
            Operator::Parquet(scan) => match scan.predicate() {
                None => return self.clone(),
                Some(predicate) => Operator::Parquet(scan.with_only_predicate(change(predicate))),
            },
            _ => return self.clone(),
        };
        self.with_operator(operator)
    }

    pub(crate) fn from_sql(query: String, tables: Vec<(String, Plan)>, schema: SchemaRef) -> Self {
        Self::new(Operator::Sql { query, tables }, schema)
    }

    /// The plans that it reads.
    pub fn inputs(&self) -> Vec<&Plan> {
        match self.operator() {
            Operator::Parquet(_) | Operator::Text(_) | Operator::Memory(_) => Vec::new(),
            Operator::Project { input, .. }
            | Operator::Filter { input, .. }
            | Operator::Aggregate { input, .. }
            | Operator::Sort { input, .. }
            | Operator::Limit { input, .. }
            | Operator::Distinct { input, .. }
            | Operator::RowNumber { input, .. }
            | Operator::Window { input, .. } => vec![input],
            Operator::Join { left, right, .. } => vec![left, right],
            Operator::Lookup { input, table, .. } => vec![input, table],
            Operator::Concat { inputs } => inputs.iter().collect(),
            Operator::Sql { tables, .. } => tables.iter().map(|(_, plan)| plan).collect(),
            Operator::Bind { input, values } => {
                std::iter::once(input).chain(values.iter().map(|(_, plan)| plan)).collect()
            }
        }
    }

    /// The same operator over other inputs with the same columns, in the order of
    /// [`Plan::inputs`]; the plan itself where nothing is other.
    pub(crate) fn with_inputs(&self, inputs: Vec<Plan>) -> Plan {
        let same = self.inputs().iter().zip(&inputs).all(|(old, new)| Arc::ptr_eq(&old.0, &new.0));
        if same {
            return self.clone();
        }
        let mut operator = self.operator().clone();
        let mut inputs = inputs.into_iter();
        let mut place = |old: &mut Plan| {
            if let Some(new) = inputs.next() {
                *old = new;
            }
        };
        match &mut operator {
            Operator::Parquet(_) | Operator::Text(_) | Operator::Memory(_) => {}
            Operator::Project { input, .. }
            | Operator::Filter { input, .. }
            | Operator::Aggregate { input, .. }
            | Operator::Sort { input, .. }
            | Operator::Limit { input, .. }
            | Operator::Distinct { input, .. }
            | Operator::RowNumber { input, .. }
            | Operator::Window { input, .. } => place(input),
            Operator::Join { left, right, .. } => {
                place(left);
                place(right);
            }
            Operator::Lookup { input, table, .. } => {
                place(input);
                place(table);
            }
            Operator::Concat { inputs } => inputs.iter_mut().for_each(place),
            Operator::Sql { tables, .. } => tables.iter_mut().for_each(|(_, plan)| place(plan)),
            Operator::Bind { input, values } => {
                place(input);
                values.iter_mut().for_each(|(_, plan)| place(plan));
            }
        }
        Self::new(operator, self.schema().clone())
    }

    fn column_type(&self, operation: &'static str, name: &str) -> Result<Typed> {
        let found = self.schema().field_with_name(name).map_err(|_| {
            let names = self.schema().fields().iter().map(|field| field.name().as_str());
            FrameError::missing(operation, name, names)
        })?;
        Ok(Typed { data_type: found.data_type().clone(), nullable: found.is_nullable() })
    }

    /// The plan as bytes, with its rows in memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        postcard::to_allocvec(self)
            .map_err(|failed| FrameError::Encoding { detail: failed.to_string() })
    }

    /// The plan that [`Plan::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        postcard::from_bytes(bytes)
            .map_err(|failed| FrameError::Encoding { detail: failed.to_string() })
    }
}

/// The type as which two keys are compared.
pub(crate) fn key_type(left: &Typed, right: &Typed) -> Result<Typed> {
    let refuse = || {
        FrameError::unsupported(
            "merge",
            format!("keys of {} and {}", left.data_type, right.data_type),
        )
    };
    for side in [left, right] {
        groupable("merge", &side.data_type)?;
        if matches!(side.data_type, DataType::Dictionary(..)) {
            return Err(refuse());
        }
        if side.nullable && is_whole(&side.data_type) {
            return Err(refuse());
        }
    }
    let data_type = match left.data_type == right.data_type {
        true => left.data_type.clone(),
        false => types::promote(&left.data_type, &right.data_type)
            .filter(|_| {
                let number =
                    |typed: &Typed| typed.data_type.is_integer() || is_float(&typed.data_type);
                number(left) && number(right)
            })
            .ok_or_else(refuse)?,
    };
    Ok(Typed { data_type, nullable: left.nullable || right.nullable })
}

fn groupable(operation: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Utf8View | DataType::Timestamp(..) | DataType::Duration(_) | DataType::Date32 => {
            Ok(())
        }
        DataType::Dictionary(_, values) if types::is_text(values) => Ok(()),
        number if is_whole(number) || is_float(number) => Ok(()),
        other => Err(FrameError::unsupported(operation, format!("keys of {other}"))),
    }
}

fn sortable(data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Dictionary(..) => {
            Err(FrameError::unsupported("sort_values", "categories have an order of their own"))
        }
        other => groupable("sort_values", other),
    }
}

fn field(name: &str, typed: Typed) -> Field {
    Field::new(name, typed.data_type, typed.nullable)
}

/// A schema whose names all differ.
fn relation(operation: &'static str, fields: Vec<Field>) -> Result<SchemaRef> {
    let mut seen = FxHashSet::default();
    for field in &fields {
        if !seen.insert(field.name().as_str()) {
            return Err(FrameError::DuplicateColumn { operation, name: field.name().clone() });
        }
        if *field.data_type() == DataType::Null {
            return Err(FrameError::unsupported(operation, "a column of nothing but None"));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}
