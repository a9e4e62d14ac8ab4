//! Groups with one value or with more of them, by their extremes.
//!
//! A condition that a group has more than one different value, or exactly one, needs no list of its
//! values: the smallest and the largest tell, where nothing else reads the count.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, Operator, Projection,
};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub(super) struct Extremes;

impl OptimizerRule for Extremes {
    fn name(&self) -> &str {
        "extremes_of_groups"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        plan.transform_down(|plan| match by_extremes(&plan)? {
            Some(plan) => Ok(Transformed::yes(plan)),
            None => Ok(Transformed::no(plan)),
        })
    }
}

/// A projection without the count, over a condition on it.
fn by_extremes(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Projection(above) = plan else { return Ok(None) };
    let LogicalPlan::Filter(filter) = above.input.as_ref() else { return Ok(None) };
    let (between, aggregate) = match filter.input.as_ref() {
        LogicalPlan::Projection(between) => (Some(between), between.input.as_ref()),
        other => (None, other),
    };
    let LogicalPlan::Aggregate(counted) = aggregate else { return Ok(None) };
    let Some((values, value)) = different_values(counted)? else { return Ok(None) };
    let Some(own) = counted.schema.columns().pop() else { return Ok(None) };
    let Some(count) = name_after(between, &own) else { return Ok(None) };
    if above.expr.iter().any(|expr| expr.column_refs().contains(&count)) {
        return Ok(None);
    }
    let extremes = ["smallest", "largest"].map(|which| format!("{which} {}", value.name));
    let [smallest, largest] = extremes.clone().map(Column::new_unqualified);
    let mut conditions = Vec::new();
    for condition in split_conjunction(&filter.predicate) {
        if !condition.column_refs().contains(&count) {
            conditions.push(condition.clone());
            continue;
        }
        let Some(operator) = extremes_for(condition, &count) else { return Ok(None) };
        conditions.push(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(Expr::Column(smallest.clone())),
            operator,
            Box::new(Expr::Column(largest.clone())),
        )));
    }
    let Some(predicate) = conjunction(conditions) else { return Ok(None) };
    let calls = vec![
        min(Expr::Column(value.clone())).alias(&extremes[0]),
        max(Expr::Column(value)).alias(&extremes[1]),
    ];
    let groups = counted.group_expr.clone();
    let mut below = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(values), groups, calls)?);
    if let Some(between) = between {
        let others = between.expr.iter().filter(|expr| !expr.column_refs().contains(&own));
        let columns =
            others.cloned().chain([Expr::Column(smallest), Expr::Column(largest)]).collect();
        below = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(below))?);
    }
    let filtered = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(below))?);
    Ok(Some(LogicalPlan::Projection(Projection::try_new_with_schema(
        above.expr.clone(),
        Arc::new(filtered),
        above.schema.clone(),
    )?)))
}

/// All values of a relation of which `counted` counts the different ones, and their column.
fn different_values(counted: &Aggregate) -> Result<Option<(LogicalPlan, Column)>> {
    let [call] = counted.aggr_expr.as_slice() else { return Ok(None) };
    let call = match call {
        Expr::Alias(alias) => alias.expr.as_ref(),
        other => other,
    };
    let Expr::AggregateFunction(call) = call else { return Ok(None) };
    let [Expr::Column(value)] = call.params.args.as_slice() else { return Ok(None) };
    let plain = call.func.name() == "count"
        && !call.params.distinct
        && call.params.filter.is_none()
        && call.params.order_by.is_empty();
    let LogicalPlan::Aggregate(different) = counted.input.as_ref() else { return Ok(None) };
    if !plain || !different.aggr_expr.is_empty() {
        return Ok(None);
    }
    // Numbers without fractions and moments have one order, in which equal ones are the same.
    let data_type = Expr::Column(value.clone()).get_type(&different.schema)?;
    if !data_type.is_integer() && !data_type.is_temporal() {
        return Ok(None);
    }
    let mut rest = different.schema.columns();
    rest.retain(|column| column != value);
    let groups: Vec<Expr> = rest.into_iter().map(Expr::Column).collect();
    let fits = groups.len() + 1 == different.group_expr.len()
        && groups.len() == counted.group_expr.len()
        && groups.iter().all(|group| counted.group_expr.contains(group));
    if !fits {
        return Ok(None);
    }
    let values = Projection::try_new_with_schema(
        different.group_expr.clone(),
        different.input.clone(),
        different.schema.clone(),
    )?;
    Ok(Some((LogicalPlan::Projection(values), value.clone())))
}

/// The name that a column has after a projection which hands it on once, and does nothing else
/// with it.
fn name_after(projection: Option<&Projection>, column: &Column) -> Option<Column> {
    let Some(projection) = projection else { return Some(column.clone()) };
    let names = projection.schema.columns();
    let mut readers =
        projection.expr.iter().zip(names).filter(|(expr, _)| expr.column_refs().contains(column));
    let (expr, name) = readers.next()?;
    let plain = match expr {
        Expr::Alias(alias) => alias.expr.as_ref(),
        other => other,
    };
    let is_plain = matches!(plain, Expr::Column(own) if own == column);
    (is_plain && readers.next().is_none()).then_some(name)
}

/// How the smallest value has to compare with the largest for a condition on the count of different
/// ones. Groups without values have neither, so no condition may hold for a count of 0.
fn extremes_for(condition: &Expr, count: &Column) -> Option<Operator> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let (Expr::Column(column), Expr::Literal(number, _)) = (left.as_ref(), right.as_ref()) else {
        return None;
    };
    let ScalarValue::Int64(Some(number)) = number else { return None };
    match (op, number) {
        _ if column != count => None,
        (Operator::Gt, 1) | (Operator::GtEq, 2) => Some(Operator::Lt),
        (Operator::Eq, 1) => Some(Operator::Eq),
        _ => None,
    }
}
