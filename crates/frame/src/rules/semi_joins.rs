//! Semi-joins before joins that drop nothing.
//!
//! Rows of a join whose one side keeps every row of the other are as many as that other side has, or more. A
//! semi-join on columns of the other side sees the fewest rows when it comes first.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

#[derive(Debug)]
pub(super) struct SemiJoins;

impl OptimizerRule for SemiJoins {
    fn name(&self) -> &str {
        "semi_joins_first"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        plan.transform_down(|plan| match first(&plan)? {
            Some(moved) => Ok(Transformed::yes(moved)),
            None => Ok(Transformed::no(plan)),
        })
    }
}

/// The plan with its semi-join below the join that it is over.
fn first(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Join(semi) = plan else { return Ok(None) };
    if semi.join_type != JoinType::LeftSemi || semi.filter.is_some() {
        return Ok(None);
    }
    let (projection, inner) = match semi.left.as_ref() {
        LogicalPlan::Projection(projection) if only_columns(projection) => {
            (Some(projection), projection.input.as_ref())
        }
        other => (None, other),
    };
    let LogicalPlan::Join(inner) = inner else { return Ok(None) };
    if inner.join_type != JoinType::Inner || inner.filter.is_some() {
        return Ok(None);
    }
    let reads = |side: &LogicalPlan| {
        semi.on.iter().all(|(mine, _)| {
            mine.column_refs().into_iter().all(|column| side.schema().has_column(column))
        })
    };
    let reduced = |side: &Arc<LogicalPlan>| {
        Ok::<_, datafusion::error::DataFusionError>(Arc::new(LogicalPlan::Join(Join::try_new(
            side.clone(),
            semi.right.clone(),
            semi.on.clone(),
            None,
            JoinType::LeftSemi,
            semi.join_constraint,
            semi.null_equality,
            semi.null_aware,
        )?)))
    };
    let (left, right) = if reads(&inner.left) && keeps_all(&inner.right) {
        (reduced(&inner.left)?, inner.right.clone())
    } else if reads(&inner.right) && keeps_all(&inner.left) {
        (inner.left.clone(), reduced(&inner.right)?)
    } else {
        return Ok(None);
    };
    let joined = LogicalPlan::Join(Join { left, right, ..inner.clone() });
    Ok(Some(match projection {
        None => joined,
        Some(projection) => LogicalPlan::Projection(Projection::try_new_with_schema(
            projection.expr.clone(),
            Arc::new(joined),
            projection.schema.clone(),
        )?),
    }))
}

/// Whether the columns go through as they are, so that their names mean the same below.
fn only_columns(projection: &Projection) -> bool {
    let same = |expr: &Expr, name: Column| matches!(expr, Expr::Column(own) if *own == name);
    projection.expr.iter().zip(projection.schema.columns()).all(|(expr, name)| same(expr, name))
}

/// Whether a relation has all rows of its tables.
fn keeps_all(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => scan.filters.is_empty() && scan.fetch.is_none(),
        LogicalPlan::Projection(projection) => keeps_all(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => keeps_all(&alias.input),
        _ => false,
    }
}
