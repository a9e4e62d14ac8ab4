//! The least and the greatest float of a group, where all of them are infinite.
//!
//! The engine's least value of a group begins with the greatest finite number. So floats become
//! integers of the same order first.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

use crate::functions as own;

/// The plan with the extremes of floats by group taken of integers.
pub(super) fn of_integers(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|part| match part {
        LogicalPlan::Aggregate(aggregate) if !aggregate.group_expr.is_empty() => {
            rewritten(aggregate)
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

fn rewritten(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let input = aggregate.input.schema();
    let mut calls = aggregate.aggr_expr.clone();
    let mut turned = vec![false; calls.len()];
    for (call, turned) in calls.iter_mut().zip(&mut turned) {
        let name = call.schema_name().to_string();
        let Expr::AggregateFunction(function) = call else { continue };
        if !matches!(function.func.name(), "min" | "max") {
            continue;
        }
        let [argument] = function.params.args.as_mut_slice() else { continue };
        if !matches!(argument.get_type(input)?, DataType::Float32 | DataType::Float64) {
            continue;
        }
        *argument = own::ordered(own::nan_missing(argument.clone()));
        *call = call.clone().alias(name);
        *turned = true;
    }
    if !turned.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let before = aggregate.schema.clone();
    let groups = before.fields().len() - calls.len();
    let made =
        LogicalPlan::Aggregate(Aggregate::try_new(aggregate.input, aggregate.group_expr, calls)?);
    let columns: Vec<Expr> =
        made.schema()
            .columns()
            .into_iter()
            .zip(before.iter())
            .enumerate()
            .map(|(position, (column, (qualifier, field)))| {
                let value = Expr::Column(column);
                match position.checked_sub(groups).and_then(|call| turned.get(call)) {
                    Some(true) => own::unordered(value)
                        .alias_qualified(qualifier.cloned(), field.name().as_str()),
                    _ => value,
                }
            })
            .collect();
    Ok(Transformed::yes(LogicalPlanBuilder::from(made).project(columns)?.build()?))
}
