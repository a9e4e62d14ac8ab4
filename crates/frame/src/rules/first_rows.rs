//! Where only the first rows of groups are kept by a number that a window gives, the others are
//! dropped before they are sorted, as [`BestRows`] says.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::window::StandardWindowExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowExpr, WindowUDFExpr};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr, replace_children_if_necessary};
use datafusion::scalar::ScalarValue;

use crate::first_rows::BestRows;

#[derive(Debug)]
pub(crate) struct FirstRows;

impl PhysicalOptimizerRule for FirstRows {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| match filtered(&plan)? {
            Some(pruned) => Ok(Transformed::yes(pruned)),
            None => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "first_rows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A filter of a window's numbers, over an input that has fewer rows.
fn filtered(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else { return Ok(None) };
    let limits = split_conjunction(filter.predicate()).into_iter().filter_map(limit);
    for (column, kept) in limits {
        if let Some(pruned) = below(filter.input(), column, kept)? {
            return replace_children_if_necessary(plan.clone(), vec![pruned]).map(Some);
        }
    }
    Ok(None)
}

/// The column that a condition limits, and the most that it may be.
fn limit(condition: &Arc<dyn PhysicalExpr>) -> Option<(usize, usize)> {
    let binary = condition.downcast_ref::<BinaryExpr>()?;
    let literal = |expr: &Arc<dyn PhysicalExpr>| match expr.downcast_ref::<Literal>()?.value() {
        ScalarValue::UInt64(Some(value)) => usize::try_from(*value).ok(),
        ScalarValue::Int64(Some(value)) => usize::try_from(*value).ok(),
        _ => None,
    };
    let column = |expr: &Arc<dyn PhysicalExpr>| Some(expr.downcast_ref::<Column>()?.index());
    let (left, right) = (binary.left(), binary.right());
    let (column, op, most) = match column(left) {
        Some(column) => (column, *binary.op(), literal(right)?),
        None => (column(right)?, binary.op().swap()?, literal(left)?),
    };
    match op {
        Operator::LtEq | Operator::Eq => Some((column, most)),
        Operator::Lt => Some((column, most.checked_sub(1)?)),
        _ => None,
    }
}

/// The plan with fewer rows below the window that gives `column`.
fn below(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    kept: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let inner = projection.expr().get(column);
        let Some(inner) = inner.and_then(|each| each.expr.downcast_ref::<Column>()) else {
            return Ok(None);
        };
        return match below(projection.input(), inner.index(), kept)? {
            Some(pruned) => replace_children_if_necessary(plan.clone(), vec![pruned]).map(Some),
            None => Ok(None),
        };
    }
    let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() else { return Ok(None) };
    let numbers = window.window_expr();
    let given = column.checked_sub(window.input().schema().fields().len());
    let Some(number) = given.and_then(|given| numbers.get(given)) else { return Ok(None) };
    // What else a window gives must not depend on the rows that come after.
    if !numbers.iter().all(counts_rows_before) {
        return Ok(None);
    }
    let (groups, order) = (number.partition_by(), number.order_by());
    let (Some(first), false) = (order.first(), groups.is_empty()) else { return Ok(None) };
    let same = |other: &Arc<dyn WindowExpr>| {
        let pairs = || other.partition_by().iter().zip(groups);
        other.partition_by().len() == groups.len()
            && pairs().all(|(theirs, mine)| theirs.eq(mine))
            && other.order_by() == order
    };
    if !numbers.iter().all(same) {
        return Ok(None);
    }
    match before_sort(window.input(), groups, first, kept)? {
        Some(pruned) => replace_children_if_necessary(plan.clone(), vec![pruned]).map(Some),
        None => Ok(None),
    }
}

/// Whether a window's value is the number of a row, or its rank.
fn counts_rows_before(number: &Arc<dyn WindowExpr>) -> bool {
    let standard = number.as_any().downcast_ref::<StandardWindowExpr>();
    let function = standard.map(|standard| standard.get_standard_func_expr());
    function
        .and_then(|function| function.as_any().downcast_ref::<WindowUDFExpr>())
        .is_some_and(|function| matches!(function.fun().name(), "row_number" | "rank"))
}

/// The plan with fewer rows before they are sorted, and before they go to other threads.
fn before_sort(
    plan: &Arc<dyn ExecutionPlan>,
    groups: &[Arc<dyn PhysicalExpr>],
    order: &PhysicalSortExpr,
    kept: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(sort) = plan.downcast_ref::<SortExec>() else { return Ok(None) };
    let mut passed = vec![plan.clone()];
    let mut input = sort.input();
    while input.downcast_ref::<RepartitionExec>().is_some()
        || input.downcast_ref::<CoalescePartitionsExec>().is_some()
    {
        passed.push(input.clone());
        let Some(next) = input.children().first().copied() else { return Ok(None) };
        input = next;
    }
    let pruned = BestRows::over(input, groups.to_vec(), order.clone(), kept);
    let Some(mut pruned) = pruned else { return Ok(None) };
    while let Some(plan) = passed.pop() {
        pruned = replace_children_if_necessary(plan, vec![pruned])?;
    }
    Ok(Some(pruned))
}
