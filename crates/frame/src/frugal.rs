//! Plans for budgets that do not hold the tables of joins, or the first rows of an order: all rows
//! are sorted in their place, since a sort can write to files what it has no room for.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, PhysicalExpr, replace_children_if_necessary,
};

/// The plan, which was made for one partition, with operators that spill.
pub(crate) fn frugal(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().cloned().map(frugal).collect::<Result<_>>()?;
    let plan = replace_children_if_necessary(plan, children)?;
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        return Ok(match sort.fetch() {
            Some(first) => Arc::new(LocalLimitExec::new(Arc::new(sort.with_fetch(None)), first)),
            None => plan,
        });
    }
    match plan.downcast_ref::<HashJoinExec>() {
        Some(join) => Ok(merged(join)?.unwrap_or(plan)),
        None => Ok(plan),
    }
}

/// A join of sorted sides, where that gives the same rows. Other operators may count on the
/// order that a join by tables keeps.
fn merged(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let on = join.on();
    let ordered = join.properties().output_ordering().is_some();
    if on.is_empty() || join.null_aware || join.fetch().is_some() || ordered {
        return Ok(None);
    }
    let (left, right) = on.iter().cloned().unzip();
    let merge = SortMergeJoinExec::try_new(
        sorted(join.left().clone(), left)?,
        sorted(join.right().clone(), right)?,
        on.to_vec(),
        join.filter().cloned(),
        *join.join_type(),
        vec![SortOptions::default(); on.len()],
        join.null_equality(),
    )?;
    let schema = merge.schema();
    let merge: Arc<dyn ExecutionPlan> = Arc::new(merge);
    let Some(kept) = &join.projection else { return Ok(Some(merge)) };
    let columns = kept.iter().map(|&place| {
        let name = schema.field(place).name();
        (Arc::new(Column::new(name, place)) as Arc<dyn PhysicalExpr>, name.clone())
    });
    let columns: Vec<_> = columns.collect();
    Ok(Some(Arc::new(ProjectionExec::try_new(columns, merge)?)))
}

fn sorted(
    side: Arc<dyn ExecutionPlan>,
    keys: Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let side = match side.output_partitioning().partition_count() {
        1 => side,
        _ => Arc::new(CoalescePartitionsExec::new(side)),
    };
    let order = keys.into_iter().map(|key| PhysicalSortExpr::new(key, SortOptions::default()));
    Ok(match LexOrdering::new(order) {
        Some(order) => Arc::new(SortExec::new(order, side)),
        None => side,
    })
}
