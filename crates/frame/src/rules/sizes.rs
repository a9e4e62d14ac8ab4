//! How many rows the operators of a physical plan are likely to give, by which the side of a join
//! that is kept in memory is chosen.
//!
//! The engine's own estimates know nothing of comparisons of two columns, semi-joins and groups.
//! These are those of the order of joins (`estimate.rs`), for physical plans: the number of
//! different values is that of the table that a column comes from, whatever conditions there are.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, JoinType, Statistics};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr,
    LikeExpr, Literal, NotExpr,
};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::operator_statistics::{
    ExtendedStatistics, StatisticsProvider, StatisticsRegistry, StatisticsResult,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::scalar::ScalarValue;

use super::estimate::{COMPARED, EQUAL, LIKE, UNKNOWN, number};
use super::groups;

/// The bytes that a value of a type without a width is likely to take.
const WIDTH_OF_TEXT: usize = 32;

/// What the engine asks for the sizes of plans.
pub(crate) fn sizes() -> StatisticsRegistry {
    StatisticsRegistry::with_providers(vec![Arc::new(Sizes)])
}

#[derive(Debug)]
struct Sizes;

impl StatisticsProvider for Sizes {
    fn compute_statistics(
        &self,
        plan: &dyn ExecutionPlan,
        children: &[ExtendedStatistics],
    ) -> Result<StatisticsResult> {
        let inputs: Vec<&Statistics> = children.iter().map(ExtendedStatistics::base).collect();
        let found = match inputs.as_slice() {
            [] => of_source(plan)?,
            [input] => of_one(plan, input),
            [left, right] => plan
                .downcast_ref::<HashJoinExec>()
                .and_then(|join| of_join(join, left, right))
                .or_else(|| of_union(plan, &inputs)),
            _ => of_union(plan, &inputs),
        };
        Ok(match found {
            Some((rows, columns)) => {
                let rows = rows.max(1.0);
                let statistics = Statistics {
                    num_rows: Precision::Inexact(rows as usize),
                    total_byte_size: Precision::Inexact((rows * width(&plan.schema())) as usize),
                    column_statistics: columns,
                };
                StatisticsResult::Computed(ExtendedStatistics::new(statistics))
            }
            None => StatisticsResult::Delegate,
        })
    }
}

type Known = (f64, Vec<ColumnStatistics>);

fn width(schema: &Schema) -> f64 {
    let of_type = |data_type: &DataType| data_type.primitive_width().unwrap_or(WIDTH_OF_TEXT);
    schema.fields().iter().map(|field| of_type(field.data_type())).sum::<usize>().max(1) as f64
}

fn rows_of(statistics: &Statistics) -> Option<f64> {
    statistics.num_rows.get_value().map(|rows| *rows as f64)
}

/// What a source says of itself, with the most values that its columns may have.
fn of_source(plan: &dyn ExecutionPlan) -> Result<Option<Known>> {
    let statistics = StatisticsContext::new().compute(plan, &StatisticsArgs::new())?;
    let Some(rows) = rows_of(&statistics) else { return Ok(None) };
    let mut columns = statistics.column_statistics.clone();
    for column in &mut columns {
        if column.distinct_count == Precision::Absent
            && let Some((least, most)) = range(column)
        {
            column.distinct_count = Precision::Inexact((most - least + 1.0).min(rows) as usize);
        }
    }
    Ok(Some((rows, columns)))
}

fn of_one(plan: &dyn ExecutionPlan, input: &Statistics) -> Option<Known> {
    let rows = rows_of(input)?;
    let columns = &input.column_statistics;
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let kept = rows * selectivity(filter.predicate(), columns);
        return Some((kept, chosen(columns.clone(), filter.projection().as_deref())));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let columns = projection.expr().iter().map(|each| known(&each.expr, columns)).collect();
        return Some((rows, columns));
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let keys = aggregate.group_expr().input_exprs();
        let mut found: Vec<ColumnStatistics> = keys.iter().map(|key| known(key, columns)).collect();
        let groups = found.iter().fold(1.0, |groups, key| groups * values(key, rows));
        let groups = groups.min(rows);
        found.extend(groups::results(aggregate, columns, rows / groups.max(1.0)));
        found.resize(plan.schema().fields().len(), ColumnStatistics::new_unknown());
        return Some((groups, found));
    }
    let mut columns = columns.clone();
    match plan.schema().fields().len().checked_sub(columns.len())? {
        0 => {}
        // A column that is added stands after the others.
        1 if matches!(plan.cardinality_effect(), CardinalityEffect::Equal) => {
            columns.push(ColumnStatistics::new_unknown());
        }
        _ => return None,
    }
    if matches!(plan.cardinality_effect(), CardinalityEffect::GreaterEqual) {
        return None;
    }
    let rows = plan.fetch().map_or(rows, |fetch| rows.min(fetch as f64));
    Some((rows, columns))
}

fn of_union(plan: &dyn ExecutionPlan, inputs: &[&Statistics]) -> Option<Known> {
    plan.downcast_ref::<UnionExec>()?;
    let rows = inputs.iter().try_fold(0.0, |sum, input| Some(sum + rows_of(input)?))?;
    Some((rows, vec![ColumnStatistics::new_unknown(); plan.schema().fields().len()]))
}

fn of_join(join: &HashJoinExec, left: &Statistics, right: &Statistics) -> Option<Known> {
    let (mine, theirs) = (rows_of(left)?, rows_of(right)?);
    let mut divisor: f64 = 1.0;
    // The share of the values of one side's keys that the other side may have.
    let (mut met_left, mut met_right) = (1.0_f64, 1.0_f64);
    for (left_key, right_key) in join.on() {
        let left_values = values(&known(left_key, &left.column_statistics), mine);
        let right_values = values(&known(right_key, &right.column_statistics), theirs);
        divisor *= left_values.min(right_values);
        met_left = met_left.min(theirs / left_values);
        met_right = met_right.min(mine / right_values);
    }
    let pairs = mine * theirs / divisor.min(mine.max(theirs)).max(1.0);
    // Other conditions of a semi-join may fail for those that meet.
    let anti = |met: f64| (1.0 - met).max(EQUAL);
    let rows = match join.join_type() {
        JoinType::Inner => match join.filter() {
            Some(_) => pairs * 0.5,
            None => pairs,
        },
        JoinType::Left => pairs.max(mine),
        JoinType::Right => pairs.max(theirs),
        JoinType::Full => pairs.max(mine + theirs),
        JoinType::LeftSemi => mine * met_left.min(1.0),
        JoinType::RightSemi => theirs * met_right.min(1.0),
        JoinType::LeftAnti => mine * anti(met_left),
        JoinType::RightAnti => theirs * anti(met_right),
        JoinType::LeftMark | JoinType::RightMark => return None,
    };
    let columns = match join.join_type() {
        JoinType::LeftSemi | JoinType::LeftAnti => left.column_statistics.clone(),
        JoinType::RightSemi | JoinType::RightAnti => right.column_statistics.clone(),
        _ => left.column_statistics.iter().chain(&right.column_statistics).cloned().collect(),
    };
    Some((rows, chosen(columns, join.projection.as_deref())))
}

fn chosen(columns: Vec<ColumnStatistics>, positions: Option<&[usize]>) -> Vec<ColumnStatistics> {
    let Some(positions) = positions else { return columns };
    let of = |position: &usize| columns.get(*position).cloned();
    positions.iter().map(|position| of(position).unwrap_or_default()).collect()
}

/// At most how many different values there are in so many rows.
fn values(column: &ColumnStatistics, rows: f64) -> f64 {
    column.distinct_count.get_value().map_or(rows, |count| *count as f64).max(1.0)
}

/// What is known of an expression that is a column, but for functions that only tidy its values.
pub(super) fn known(
    expr: &Arc<dyn PhysicalExpr>,
    columns: &[ColumnStatistics],
) -> ColumnStatistics {
    bare(expr).and_then(|position| columns.get(position)).cloned().unwrap_or_default()
}

fn bare(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return Some(column.index());
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return bare(cast.expr());
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    match call.args() {
        [argument] if crate::functions::tidies(call.name()) => bare(argument),
        _ => None,
    }
}

/// The share of rows for which a condition holds.
fn selectivity(condition: &Arc<dyn PhysicalExpr>, columns: &[ColumnStatistics]) -> f64 {
    if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::And => {
                selectivity(binary.left(), columns) * selectivity(binary.right(), columns)
            }
            Operator::Or => {
                let left = selectivity(binary.left(), columns);
                let right = selectivity(binary.right(), columns);
                left + right - left * right
            }
            op => compared(binary.left(), *op, binary.right(), columns),
        };
    }
    if let Some(not) = condition.downcast_ref::<NotExpr>() {
        return 1.0 - selectivity(not.arg(), columns);
    }
    if let Some(list) = condition.downcast_ref::<InListExpr>() {
        let all = (equal(list.expr(), columns) * list.list().len() as f64).min(0.9);
        return if list.negated() { 1.0 - all } else { all };
    }
    if let Some(like) = condition.downcast_ref::<LikeExpr>() {
        return if like.negated() { 1.0 - LIKE } else { LIKE };
    }
    if condition.downcast_ref::<IsNullExpr>().is_some() {
        return EQUAL;
    }
    if condition.downcast_ref::<IsNotNullExpr>().is_some() {
        return 1.0 - EQUAL;
    }
    if condition.downcast_ref::<DynamicFilterPhysicalExpr>().is_some() {
        return 1.0;
    }
    match condition.downcast_ref::<Literal>().map(Literal::value) {
        Some(ScalarValue::Boolean(Some(true))) => 1.0,
        _ => UNKNOWN,
    }
}

fn compared(
    left: &Arc<dyn PhysicalExpr>,
    op: Operator,
    right: &Arc<dyn PhysicalExpr>,
    columns: &[ColumnStatistics],
) -> f64 {
    let literal = |expr: &Arc<dyn PhysicalExpr>| {
        expr.downcast_ref::<Literal>().map(|literal| literal.value().clone())
    };
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
        Operator::Eq => equal(column, columns),
        Operator::NotEq => 1.0 - equal(column, columns),
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            let found = bare(column).and_then(|position| range_of_numbers(columns.get(position)?));
            match (found, any_number(&value)) {
                (Some((least, most)), Some(value)) if most > least => {
                    let below = ((value - least) / (most - least)).clamp(0.001, 0.999);
                    match op {
                        Operator::Lt | Operator::LtEq => below,
                        _ => 1.0 - below,
                    }
                }
                _ => UNKNOWN,
            }
        }
        _ => UNKNOWN,
    }
}

/// The share of rows that are equal to one value.
fn equal(expr: &Arc<dyn PhysicalExpr>, columns: &[ColumnStatistics]) -> f64 {
    let column = bare(expr).and_then(|position| columns.get(position));
    match column.and_then(|column| column.distinct_count.get_value()) {
        Some(count) => 1.0 / (*count as f64).max(1.0),
        None => EQUAL,
    }
}

/// The least and the greatest value of a column of whole numbers, or of moments.
fn range(column: &ColumnStatistics) -> Option<(f64, f64)> {
    let bound = |bound: &Precision<ScalarValue>| number(bound.get_value()?);
    Some((bound(&column.min_value)?, bound(&column.max_value)?))
}

/// The same of any numbers.
pub(super) fn range_of_numbers(column: &ColumnStatistics) -> Option<(f64, f64)> {
    let bound = |bound: &Precision<ScalarValue>| any_number(bound.get_value()?);
    Some((bound(&column.min_value)?, bound(&column.max_value)?))
}

fn any_number(value: &ScalarValue) -> Option<f64> {
    match value {
        ScalarValue::Float64(value) => value.filter(|value| value.is_finite()),
        ScalarValue::Float32(value) => value.map(f64::from).filter(|value| value.is_finite()),
        other => number(other),
    }
}
