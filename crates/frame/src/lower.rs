//! Plans as the engine's logical plans.
//!
//! Each relation that comes out has unqualified, unique column names, the types of its schema,
//! and no NaN. Where rows come from a file, a condition is applied before NaN is removed, so that
//! it meets columns as the file's statistics know them.

pub(crate) mod scalar;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::{JoinType, NullEquality};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::functions::expr_fn as functions;
use datafusion::functions_aggregate::expr_fn as aggregates;
use datafusion::logical_expr::expr::NullTreatment;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, SortExpr, lit,
};
use rustc_hash::FxHashMap;

use crate::error::{FrameError, Result};
use crate::functions as own;
use crate::lookup;
use crate::memory::Memory;
use crate::parquet::{ParquetScan, ParquetTable};
use crate::plan::{
    AggregateFunction, Aggregation, JoinColumn, JoinKind, Keep, Operator, Plan, SortKey, key_type,
};
use crate::row_number;
use crate::scalar::Scalar;
use crate::sql;
use crate::text::TextTable;
use crate::types::{Typed, is_float};
use crate::window::{self, WindowColumn};

use scalar::{Scope, cast, column};

/// The rows that operators take at a time from memory: they spill, and stop, between two pieces.
const PIECE: usize = 32_768;

/// Lowers plans for one session.
pub(crate) struct Lowering<'a> {
    state: &'a SessionState,
    /// What was lowered before, by the address of its plan.
    done: FxHashMap<usize, LogicalPlan>,
    numbers: usize,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(state: &'a SessionState) -> Self {
        Self { state, done: FxHashMap::default(), numbers: 0 }
    }

    /// The engine's plan for `plan`.
    pub(crate) fn lower(&mut self, plan: &Plan) -> Result<LogicalPlan> {
        if let Some(known) = self.done.get(&plan.address()) {
            return Ok(known.clone());
        }
        let lowered = self.operator(plan)?;
        self.done.insert(plan.address(), lowered.clone());
        Ok(lowered)
    }

    fn operator(&mut self, plan: &Plan) -> Result<LogicalPlan> {
        match plan.operator() {
            Operator::Parquet(scan) => parquet(scan),
            Operator::Text(scan) => {
                from_table(Arc::new(TextTable::new(scan.clone())), scan.schema())
            }
            Operator::Memory(memory) => {
                let partitions = self.state.config().target_partitions();
                let table =
                    MemTable::try_new(memory.schema().clone(), split(memory, partitions.max(1)))?;
                from_table(Arc::new(table), memory.schema())
            }
            Operator::Project { input, columns } => {
                let lowered = self.lower(input)?;
                let scope = Scope { schema: input.schema(), raw: false };
                let expressions = columns
                    .iter()
                    .map(|(name, scalar)| {
                        let expr = match scalar {
                            Scalar::Column(own) if own == name => return Ok(column(name)),
                            other => scalar::lower(other, scope)?.settled(),
                        };
                        Ok(expr.alias(name))
                    })
                    .collect::<Result<Vec<_>>>()?;
                project(lowered, expressions)
            }
            Operator::Filter { input, predicate } => {
                let lowered = self.lower(input)?;
                let scope = Scope { schema: input.schema(), raw: false };
                let condition = conditions(predicate, scope)?;
                filter(lowered, condition)
            }
            Operator::Aggregate { input, keys, aggregations, drop_missing } => {
                self.aggregate(input, keys, aggregations, *drop_missing)
            }
            Operator::Join { left, right, kind, on, output } => {
                self.join(left, right, *kind, on, output)
            }
            Operator::Sort { input, keys, limit, stable } => {
                self.sort(input, keys, *limit, *stable)
            }
            Operator::Limit { input, offset, count } => {
                let lowered = self.lower(input)?;
                Ok(LogicalPlanBuilder::from(lowered).limit(*offset, Some(*count))?.build()?)
            }
            Operator::Distinct { input, subset, keep: Keep::Any } => {
                let lowered = self.lower(input)?;
                let expressions = subset.iter().map(|name| key(input.schema(), name)).collect();
                let lowered = project(lowered, expressions)?;
                Ok(LogicalPlanBuilder::from(lowered).distinct()?.build()?)
            }
            Operator::Distinct { input, subset, keep } => self.distinct(input, subset, *keep),
            Operator::Concat { inputs } => {
                let mut all = None;
                for input in inputs {
                    let lowered = self.lower(input)?;
                    all = Some(match all {
                        None => lowered,
                        Some(before) => LogicalPlanBuilder::from(before).union(lowered)?.build()?,
                    });
                }
                let all = all.ok_or_else(|| FrameError::unsupported("concat", "of nothing"))?;
                let names = plan.schema().fields().iter().map(|field| column(field.name()));
                project(all, names.collect())
            }
            Operator::RowNumber { input, name } => {
                let lowered = self.lower(input)?;
                Ok(row_number::numbered(lowered, name)?)
            }
            Operator::Window { input, keys, columns, drop_missing } => {
                self.window(plan, input, keys, columns, *drop_missing)
            }
            Operator::Lookup { input, table, keys, columns } => {
                self.lookup(plan, input, table, keys, columns)
            }
            // The pass that knows the values takes them away.
            Operator::Bind { .. } => Err(FrameError::Invalid {
                operation: "a computed value",
                detail: "it is not known when the rest is planned".into(),
            }),
            Operator::Sql { query, tables } => {
                let lowered = sql::lower(self, query, tables)?;
                project(lowered.clone(), sql::canonical_columns(&lowered))
            }
        }
    }

    pub(crate) fn state(&self) -> &SessionState {
        self.state
    }

    /// A name that no column of a user has.
    fn fresh(&mut self, what: &str) -> String {
        self.numbers += 1;
        format!("\u{1}{what}{}", self.numbers)
    }

    fn aggregate(
        &mut self,
        input: &Plan,
        keys: &[String],
        aggregations: &[Aggregation],
        drop_missing: bool,
    ) -> Result<LogicalPlan> {
        use AggregateFunction::{First, Last};
        let mut lowered = self.lower(input)?;
        if drop_missing {
            let there = keys
                .iter()
                .filter(|key| nullable(input.schema(), key))
                .map(|key| column(key).is_not_null())
                .collect();
            lowered = filter(lowered, scalar::all(there))?;
        }
        if let [Aggregation { name, function: AggregateFunction::Distinct, column: Some(value) }] =
            aggregations
            && !keys.is_empty()
        {
            return self.different(lowered, input.schema(), keys, value, name);
        }
        let ordered = aggregations.iter().any(|each| matches!(each.function, First | Last));
        let number = self.fresh("row");
        if ordered {
            lowered = row_number::numbered(lowered, &number)?;
        }
        let groups: Vec<Expr> = keys.iter().map(|name| key(input.schema(), name)).collect();
        let mut calls = Vec::with_capacity(aggregations.len());
        let mut results: Vec<Expr> = keys.iter().map(|name| column(name)).collect();
        for aggregation in aggregations {
            let result = self.aggregation(
                input.schema(),
                aggregation,
                !keys.is_empty(),
                &number,
                &mut calls,
            )?;
            results.push(result.alias(&aggregation.name));
        }
        let lowered = LogicalPlanBuilder::from(lowered).aggregate(groups, calls)?.build()?;
        project(lowered, results)
    }

    /// The number of different values of each group: different rows first, so that no group has a
    /// table of its own.
    fn different(
        &mut self,
        lowered: LogicalPlan,
        schema: &Schema,
        keys: &[String],
        value: &str,
        result: &str,
    ) -> Result<LogicalPlan> {
        let fresh = self.fresh("value");
        let mut columns: Vec<Expr> = keys.iter().map(|name| key(schema, name)).collect();
        columns.push(key(schema, value).alias(fresh.as_str()));
        let rows = LogicalPlanBuilder::from(project(lowered, columns)?).distinct()?;
        let groups: Vec<Expr> = keys.iter().map(|name| column(name)).collect();
        let count = aggregates::count(column(&fresh)).alias(result);
        Ok(rows.aggregate(groups, vec![count])?.build()?)
    }

    /// Adds the engine's aggregations for one of ours, and gives the result over them.
    fn aggregation(
        &mut self,
        schema: &Schema,
        aggregation: &Aggregation,
        grouped: bool,
        number: &str,
        calls: &mut Vec<Expr>,
    ) -> Result<Expr> {
        use AggregateFunction::*;
        let mut add = |call: Expr| {
            let name = self.fresh("aggregate");
            calls.push(call.alias(name.as_str()));
            column(&name)
        };
        let Some(name) = &aggregation.column else {
            return Ok(add(aggregates::count(lit(1_i64))));
        };
        let data_type = schema.field_with_name(name)?.data_type().clone();
        let value = column(name);
        let float = || match data_type {
            DataType::Float64 => value.clone(),
            _ => cast(value.clone(), &DataType::Float64),
        };
        let summand = || match &data_type {
            DataType::Boolean => cast(value.clone(), &DataType::Int64),
            DataType::Float32 => cast(value.clone(), &DataType::Float64),
            _ => value.clone(),
        };
        let in_order = || vec![SortExpr::new(column(number), true, false)];
        let whole = |expr: Expr| functions::coalesce(vec![expr, lit(0_i64)]);
        Ok(match aggregation.function {
            Size => add(aggregates::count(lit(1_i64))),
            // All values are there: the column need not be read.
            Count if !nullable(schema, name) => add(aggregates::count(lit(1_i64))),
            Count => add(aggregates::count(value)),
            Sum => match &data_type {
                unsigned if unsigned.is_unsigned_integer() => {
                    functions::coalesce(vec![add(aggregates::sum(value)), lit(0_u64)])
                }
                DataType::Decimal128(..) => add(aggregates::sum(value)),
                float if is_float(float) => own::nan_missing(functions::coalesce(vec![
                    add(aggregates::sum(summand())),
                    lit(0.0_f64),
                ])),
                _ => whole(add(aggregates::sum(summand()))),
            },
            SumAtLeast(least) => {
                let sum = add(aggregates::sum(summand()));
                let count = add(aggregates::count(value));
                let enough = count.gt_eq(lit(i64::from(least)));
                let missing = lit(datafusion::common::ScalarValue::Null);
                let sum = if least == 0 && !is_float(&data_type) { whole(sum) } else { sum };
                datafusion::logical_expr::when(enough, sum).otherwise(missing)?
            }
            Mean => own::nan_missing(add(aggregates::avg(float()))),
            Median => add(aggregates::median(float())),
            Minimum if grouped && is_float(&data_type) => {
                own::unordered(add(aggregates::min(own::ordered(value))))
            }
            Maximum if grouped && is_float(&data_type) => {
                own::unordered(add(aggregates::max(own::ordered(value))))
            }
            Minimum => add(aggregates::min(value)),
            Maximum => add(aggregates::max(value)),
            Variance(0) => own::nan_missing(add(aggregates::var_pop(float()))),
            Variance(_) => own::nan_missing(add(aggregates::var_sample(float()))),
            Deviation(0) => own::nan_missing(add(aggregates::stddev_pop(float()))),
            Deviation(_) => own::nan_missing(add(aggregates::stddev(float()))),
            Distinct => {
                let value = if is_float(&data_type) { own::comparable(value) } else { value };
                add(aggregates::count_distinct(value))
            }
            First => {
                let first = aggregates::first_value(value, in_order())
                    .null_treatment(NullTreatment::IgnoreNulls)
                    .build()?;
                add(first)
            }
            Last => {
                let last = aggregates::last_value(value, in_order())
                    .null_treatment(NullTreatment::IgnoreNulls)
                    .build()?;
                add(last)
            }
            Any => functions::coalesce(vec![add(aggregates::bool_or(value)), lit(false)]),
            All => functions::coalesce(vec![add(aggregates::bool_and(value)), lit(true)]),
        })
    }

    fn lookup(
        &mut self,
        plan: &Plan,
        input: &Plan,
        table: &Plan,
        keys: &[(String, String)],
        columns: &[(String, String)],
    ) -> Result<LogicalPlan> {
        let all = |schema: &Schema| -> Vec<Expr> {
            schema.fields().iter().map(|field| column(field.name())).collect()
        };
        let (mut given, mut of_table) = (all(input.schema()), all(table.schema()));
        let mut pairs = Vec::with_capacity(keys.len());
        for (own, theirs) in keys {
            let fresh = self.fresh("key");
            given.push(key(input.schema(), own).alias(fresh.as_str()));
            of_table.push(key(table.schema(), theirs).alias(fresh.as_str()));
            pairs.push((fresh.clone(), fresh));
        }
        let results = columns
            .iter()
            .map(|(name, source)| {
                let field = plan.schema().field_with_name(name)?.clone();
                Ok((source.clone(), Arc::new(field)))
            })
            .collect::<Result<_>>()?;
        let rows = project(self.lower(input)?, given)?;
        let table = project(self.lower(table)?, of_table)?;
        let found = lookup::looked_up(rows, table, pairs, results)?;
        project(found, all(plan.schema()))
    }

    fn window(
        &mut self,
        plan: &Plan,
        input: &Plan,
        keys: &[String],
        columns: &[WindowColumn],
        drop_missing: bool,
    ) -> Result<LogicalPlan> {
        let lowered = self.lower(input)?;
        let schema = input.schema();
        let mut given: Vec<Expr> =
            schema.fields().iter().map(|field| column(field.name())).collect();
        let mut own_keys = Vec::with_capacity(keys.len());
        for name in keys {
            let fresh = self.fresh("key");
            given.push(key(schema, name).alias(fresh.as_str()));
            own_keys.push(fresh);
        }
        let mut own_columns = Vec::with_capacity(columns.len());
        for each in columns {
            let mut each = each.clone();
            if let Some(name) = &each.column
                && *schema.field_with_name(name)?.data_type() == DataType::Boolean
            {
                let fresh = self.fresh("value");
                given.push(cast(column(name), &DataType::Int64).alias(fresh.as_str()));
                each.column = Some(fresh);
            }
            let result = typed(plan.schema(), &each.name)?;
            own_columns.push((each, result));
        }
        let lowered = project(lowered, given)?;
        let lowered = window::windowed(lowered, own_keys, own_columns, drop_missing)?;
        let names = plan.schema().fields().iter().map(|field| column(field.name()));
        project(lowered, names.collect())
    }

    fn join(
        &mut self,
        left: &Plan,
        right: &Plan,
        kind: JoinKind,
        on: &[(String, String)],
        output: &[(String, JoinColumn)],
    ) -> Result<LogicalPlan> {
        // Every column gets a name that tells its side; the engine's optimizer reads no more
        // of them than are asked for.
        let left_name = |name: &str| format!("{name}\u{1}left");
        let right_name = |name: &str| format!("{name}\u{1}right");
        let (mut left_keys, mut right_keys) = (Vec::new(), Vec::new());
        let (mut left_values, mut right_values) = (Vec::new(), Vec::new());
        let mut missing_meet = false;
        for (position, (left_key, right_key)) in on.iter().enumerate() {
            let left_type = typed(left.schema(), left_key)?;
            let right_type = typed(right.schema(), right_key)?;
            let common = key_type(&left_type, &right_type)?.data_type;
            missing_meet |= left_type.nullable && right_type.nullable;
            for (own_type, name, side, keys, values) in [
                (&left_type, left_key, "left", &mut left_keys, &mut left_values),
                (&right_type, right_key, "right", &mut right_keys, &mut right_values),
            ] {
                let mut value = column(name);
                if own_type.data_type != common {
                    value = cast(value, &common);
                }
                if is_float(&common) {
                    value = own::comparable(value);
                }
                let name = format!("\u{1}key{position}{side}");
                values.push(value.alias(name.as_str()));
                keys.push(datafusion::common::Column::new_unqualified(name));
            }
        }
        left_values.extend(
            left.schema()
                .fields()
                .iter()
                .map(|field| column(field.name()).alias(left_name(field.name()))),
        );
        right_values.extend(
            right
                .schema()
                .fields()
                .iter()
                .map(|field| column(field.name()).alias(right_name(field.name()))),
        );
        let left_plan = project(self.lower(left)?, left_values)?;
        let right_plan = project(self.lower(right)?, right_values)?;
        let join_type = match kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Outer => JoinType::Full,
            JoinKind::Semi => JoinType::LeftSemi,
            JoinKind::Anti => JoinType::LeftAnti,
        };
        let equality = match missing_meet {
            true => NullEquality::NullEqualsNull,
            false => NullEquality::NullEqualsNothing,
        };
        let joined = LogicalPlanBuilder::from(left_plan)
            .join_detailed(right_plan, join_type, (left_keys, right_keys), None, equality)?
            .build()?;
        let columns = output
            .iter()
            .map(|(name, source)| {
                let value = match source {
                    JoinColumn::Left(own) => column(&left_name(own)),
                    JoinColumn::Right(own) => column(&right_name(own)),
                    JoinColumn::Key(position) => {
                        let side = |side: &str| column(&format!("\u{1}key{position}{side}"));
                        match kind {
                            JoinKind::Right => side("right"),
                            JoinKind::Outer => {
                                functions::coalesce(vec![side("left"), side("right")])
                            }
                            _ => side("left"),
                        }
                    }
                };
                value.alias(name)
            })
            .collect();
        project(joined, columns)
    }

    fn sort(
        &mut self,
        input: &Plan,
        keys: &[SortKey],
        limit: Option<usize>,
        stable: bool,
    ) -> Result<LogicalPlan> {
        let mut lowered = self.lower(input)?;
        let mut order: Vec<SortExpr> = keys
            .iter()
            .map(|key| {
                let value = column(&key.column);
                let float = input
                    .schema()
                    .field_with_name(&key.column)
                    .is_ok_and(|field| is_float(field.data_type()));
                let value = if float { own::comparable(value) } else { value };
                SortExpr::new(value, !key.descending, key.missing_first)
            })
            .collect();
        if stable {
            let number = self.fresh("row");
            lowered = row_number::numbered(lowered, &number)?;
            order.push(SortExpr::new(column(&number), true, false));
        }
        let sorted = LogicalPlanBuilder::from(lowered).sort_with_limit(order, limit)?.build()?;
        match stable {
            false => Ok(sorted),
            true => {
                let names = input.schema().fields().iter().map(|field| column(field.name()));
                project(sorted, names.collect())
            }
        }
    }

    /// The first or last row of each group, in the order of the rows.
    fn distinct(&mut self, input: &Plan, subset: &[String], keep: Keep) -> Result<LogicalPlan> {
        let number = self.fresh("row");
        let lowered = row_number::numbered(self.lower(input)?, &number)?;
        let groups: Vec<Expr> = subset.iter().map(|name| key(input.schema(), name)).collect();
        let mut calls = Vec::new();
        let mut results = Vec::new();
        for field in input.schema().fields() {
            let name = field.name().as_str();
            if subset.iter().any(|key| key == name) {
                results.push(column(name));
                continue;
            }
            let order = vec![SortExpr::new(column(&number), true, false)];
            let call = match keep {
                Keep::Last => aggregates::last_value(column(name), order),
                _ => aggregates::first_value(column(name), order),
            };
            let fresh = self.fresh("aggregate");
            calls.push(call.alias(fresh.as_str()));
            results.push(column(&fresh).alias(name));
        }
        let place = self.fresh("place");
        let call = match keep {
            Keep::Last => aggregates::max(column(&number)),
            _ => aggregates::min(column(&number)),
        };
        calls.push(call.alias(place.as_str()));
        let grouped = LogicalPlanBuilder::from(lowered)
            .aggregate(groups, calls)?
            .sort(vec![SortExpr::new(column(&place), true, false)])?
            .build()?;
        project(grouped, results)
    }
}

fn typed(schema: &Schema, name: &str) -> Result<Typed> {
    let field = schema.field_with_name(name)?;
    Ok(Typed { data_type: field.data_type().clone(), nullable: field.is_nullable() })
}

fn nullable(schema: &Schema, name: &str) -> bool {
    schema.field_with_name(name).is_ok_and(Field::is_nullable)
}

/// A column by whose values rows are grouped.
fn key(schema: &Schema, name: &str) -> Expr {
    match schema.field_with_name(name) {
        Ok(field) if is_float(field.data_type()) => own::comparable(column(name)).alias(name),
        _ => column(name),
    }
}

/// A condition, one conjunct at a time, so that the engine moves them one by one.
fn conditions(predicate: &Scalar, scope: Scope<'_>) -> Result<Option<Expr>> {
    let parts = predicate
        .conjuncts()
        .iter()
        .map(|part| scalar::condition(part, scope))
        .collect::<Result<Vec<_>>>()?;
    Ok(scalar::all(parts))
}

pub(crate) fn project(plan: LogicalPlan, columns: Vec<Expr>) -> Result<LogicalPlan> {
    Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
}

fn filter(plan: LogicalPlan, condition: Option<Expr>) -> Result<LogicalPlan> {
    match condition {
        None => Ok(plan),
        Some(condition) => Ok(LogicalPlanBuilder::from(plan).filter(condition)?.build()?),
    }
}

fn parquet(scan: &ParquetScan) -> Result<LogicalPlan> {
    let table = ParquetTable::new(scan.clone());
    let source = provider_as_source(Arc::new(table));
    let mut plan = LogicalPlanBuilder::scan("parquet", source, None)?.build()?;
    if let Some(predicate) = scan.predicate() {
        let scope = Scope { schema: scan.schema(), raw: true };
        plan = filter(plan, conditions(predicate, scope)?)?;
    }
    let columns = scan.schema().fields().iter().map(|field| match is_float(field.data_type()) {
        true => own::nan_missing(column(field.name())).alias(field.name().as_str()),
        false => column(field.name()).alias(field.name().as_str()),
    });
    project(plan, columns.collect())
}

fn from_table(table: Arc<dyn TableProvider>, schema: &Schema) -> Result<LogicalPlan> {
    let plan = LogicalPlanBuilder::scan("memory", provider_as_source(table), None)?.build()?;
    let columns =
        schema.fields().iter().map(|field| column(field.name()).alias(field.name().as_str()));
    project(plan, columns.collect())
}

/// The rows in about equal parts, in their order.
pub(crate) fn split(memory: &Memory, parts: usize) -> Vec<Vec<RecordBatch>> {
    let share = memory.rows().div_ceil(parts).max(1);
    let mut split: Vec<Vec<RecordBatch>> = vec![Vec::new()];
    let mut filled = 0;
    for batch in memory.partitions().iter().flatten() {
        let mut begin = 0;
        while begin < batch.num_rows() {
            if filled == share {
                split.push(Vec::new());
                filled = 0;
            }
            let rows = (share - filled).min(batch.num_rows() - begin).min(PIECE);
            if let Some(part) = split.last_mut() {
                part.push(batch.slice(begin, rows));
            }
            begin += rows;
            filled += rows;
        }
    }
    split
}
