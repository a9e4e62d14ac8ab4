//! How many rows a plan is likely to have: what files say of their rows and their least and greatest values, and
//! guesses where they say nothing.

use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, JoinType, ScalarValue, Statistics};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, TableScan};

/// The share of rows that a condition of unknown selectivity keeps.
pub(super) const UNKNOWN: f64 = 0.3;
/// The share of rows that are equal to some value, where nothing is known of the values.
pub(super) const EQUAL: f64 = 0.05;
/// The share of rows whose text matches a pattern.
pub(super) const LIKE: f64 = 0.1;
/// The share of rows of which one value is less than another.
pub(super) const COMPARED: f64 = 0.4;

/// The rows of a plan; none where too little is known.
pub(super) fn rows(plan: &LogicalPlan) -> Option<f64> {
    let rows = match plan {
        LogicalPlan::TableScan(scan) => {
            let all = rows_of(&statistics(scan)?)?;
            scan.filters.iter().fold(all, |rows, filter| rows * selectivity(filter, plan))
        }
        LogicalPlan::Filter(filter) => {
            rows(&filter.input)? * selectivity(&filter.predicate, &filter.input)
        }
        LogicalPlan::Aggregate(aggregate) => {
            let input = rows(&aggregate.input)?;
            let groups = aggregate
                .group_expr
                .iter()
                .try_fold(1.0, |groups, key| Some(groups * values(&aggregate.input, key)?))?;
            groups.min(input)
        }
        LogicalPlan::Join(join) => {
            let (left, right) = (rows(&join.left)?, rows(&join.right)?);
            let divisor = join.on.iter().try_fold(1.0, |divisor: f64, (mine, theirs)| {
                Some(divisor * values(&join.left, mine)?.min(values(&join.right, theirs)?))
            })?;
            let divisor = divisor.min(left.max(right)).max(1.0);
            let pairs = left * right / divisor;
            match join.join_type {
                JoinType::Inner => pairs,
                JoinType::Left => pairs.max(left),
                JoinType::Right => pairs.max(right),
                JoinType::Full => pairs.max(left + right),
                JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left * 0.5,
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right * 0.5,
            }
        }
        LogicalPlan::Union(union) => {
            union.inputs.iter().try_fold(0.0, |sum, input| Some(sum + rows(input)?))?
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Extension(_) => match plan.inputs().as_slice() {
            [input] => rows(input)?,
            _ => return None,
        },
        LogicalPlan::EmptyRelation(_) => 1.0,
        _ => return None,
    };
    Some(rows.max(1.0))
}

/// At most how many different values an expression has in the rows of `plan`, and in the relations that they come
/// from.
pub(super) fn values(plan: &LogicalPlan, expr: &Expr) -> Option<f64> {
    let Some(column) = bare(expr) else { return rows(plan) };
    match origin(plan, column) {
        Some((table, column)) => {
            let all = rows_of(&table)?;
            Some(range(&column).map_or(all, |(least, most)| all.min(most - least + 1.0)))
        }
        None => rows(plan),
    }
}

/// The rows of the table that an expression reads, before any condition.
pub(super) fn rows_of_table(plan: &LogicalPlan, expr: &Expr) -> Option<f64> {
    match bare(expr).and_then(|column| origin(plan, column)) {
        Some((table, _)) => rows_of(&table),
        None => rows(plan),
    }
}

/// The share of rows for which a condition holds.
pub(super) fn selectivity(condition: &Expr, plan: &LogicalPlan) -> f64 {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            selectivity(left, plan) * selectivity(right, plan)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (selectivity(left, plan), selectivity(right, plan));
            left + right - left * right
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compared(left, *op, right, plan),
        Expr::Not(inner) => 1.0 - selectivity(inner, plan),
        Expr::InList(list) => {
            let one = equal(&list.expr, plan);
            let all = (one * list.list.len() as f64).min(0.9);
            if list.negated { 1.0 - all } else { all }
        }
        Expr::Between(between) => {
            let low = compared(&between.expr, Operator::GtEq, &between.low, plan);
            let high = compared(&between.expr, Operator::LtEq, &between.high, plan);
            let both = (low + high - 1.0).max(0.01);
            if between.negated { 1.0 - both } else { both }
        }
        Expr::Like(like) => {
            if like.negated {
                1.0 - LIKE
            } else {
                LIKE
            }
        }
        Expr::IsNull(_) => EQUAL,
        Expr::IsNotNull(_) => 1.0 - EQUAL,
        Expr::Literal(ScalarValue::Boolean(Some(true)), _) => 1.0,
        _ => UNKNOWN,
    }
}

fn compared(left: &Expr, op: Operator, right: &Expr, plan: &LogicalPlan) -> f64 {
    let (column, op, value) = match (literal(left), literal(right)) {
        (None, Some(value)) => (left, op, value),
        (Some(value), None) => match op.swap() {
            Some(op) => (right, op, value),
            None => return UNKNOWN,
        },
        _ if op == Operator::NotEq => return 1.0 - EQUAL,
        _ => return COMPARED,
    };
    match op {
        Operator::Eq => equal(column, plan),
        Operator::NotEq => 1.0 - equal(column, plan),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            let found = bare(column)
                .and_then(|column| origin(plan, column))
                .and_then(|(_, column)| range(&column));
            match (found, number(value)) {
                (Some((least, most)), Some(value)) if most > least => {
                    let below = ((value - least) / (most - least)).clamp(0.001, 1.0);
                    if matches!(op, Operator::Lt | Operator::LtEq) {
                        below
                    } else {
                        (1.0 - below).max(0.001)
                    }
                }
                _ => UNKNOWN,
            }
        }
        _ => UNKNOWN,
    }
}

/// The share of rows that are equal to one value.
fn equal(expr: &Expr, plan: &LogicalPlan) -> f64 {
    let found =
        bare(expr).and_then(|column| origin(plan, column)).and_then(|(_, column)| range(&column));
    match found {
        Some((least, most)) => (1.0 / (most - least + 1.0)).clamp(1e-9, 1.0),
        None => EQUAL,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Cast(cast) => literal(&cast.expr),
        _ => None,
    }
}

/// The column that an expression is, but for functions that only tidy its values.
fn bare(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => bare(&alias.expr),
        Expr::Cast(cast) => bare(&cast.expr),
        Expr::ScalarFunction(call)
            if call.args.len() == 1 && crate::functions::tidies(call.name()) =>
        {
            bare(&call.args[0])
        }
        _ => None,
    }
}

/// What is known of the table and of its column that `column` of a plan comes from.
fn origin(plan: &LogicalPlan, column: &Column) -> Option<(Statistics, ColumnStatistics)> {
    let mut plan = plan;
    let mut column = column.clone();
    loop {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let table = statistics(scan)?;
                let position = scan.source.schema().index_of(&column.name).ok()?;
                let own = table.column_statistics.get(position)?.clone();
                return Some((table, own));
            }
            LogicalPlan::Projection(projection) => {
                let position = projection.schema.index_of_column(&column).ok()?;
                column = bare(projection.expr.get(position)?)?.clone();
                plan = &projection.input;
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let position = alias.schema.index_of_column(&column).ok()?;
                column = Column::from(alias.input.schema().qualified_field(position));
                plan = &alias.input;
            }
            LogicalPlan::Join(join) => {
                plan = match join.left.schema().has_column(&column) {
                    true => &join.left,
                    false => &join.right,
                };
                if !plan.schema().has_column(&column) {
                    return None;
                }
            }
            LogicalPlan::Filter(filter) => plan = &filter.input,
            LogicalPlan::Sort(sort) => plan = &sort.input,
            LogicalPlan::Limit(limit) => plan = &limit.input,
            LogicalPlan::Aggregate(aggregate) => {
                let position = aggregate.schema.index_of_column(&column).ok()?;
                column = bare(aggregate.group_expr.get(position)?)?.clone();
                plan = &aggregate.input;
            }
            _ => return None,
        }
    }
}

fn statistics(scan: &TableScan) -> Option<Statistics> {
    source_as_provider(&scan.source).ok()?.statistics()
}

fn rows_of(statistics: &Statistics) -> Option<f64> {
    match statistics.num_rows {
        Precision::Exact(rows) | Precision::Inexact(rows) => Some(rows as f64),
        Precision::Absent => None,
    }
}

/// The least and the greatest value of a column of whole numbers, or of moments.
fn range(column: &ColumnStatistics) -> Option<(f64, f64)> {
    let bound = |bound: &Precision<ScalarValue>| number(bound.get_value()?);
    Some((bound(&column.min_value)?, bound(&column.max_value)?))
}

pub(super) fn number(value: &ScalarValue) -> Option<f64> {
    use ScalarValue::*;
    match value {
        Int8(value) => value.map(f64::from),
        Int16(value) => value.map(f64::from),
        Int32(value) | Date32(value) => value.map(f64::from),
        UInt8(value) => value.map(f64::from),
        UInt16(value) => value.map(f64::from),
        UInt32(value) => value.map(f64::from),
        UInt64(value) => value.map(|value| value as f64),
        Int64(value)
        | TimestampSecond(value, _)
        | TimestampMillisecond(value, _)
        | TimestampMicrosecond(value, _)
        | TimestampNanosecond(value, _) => value.map(|value| value as f64),
        _ => None,
    }
}
