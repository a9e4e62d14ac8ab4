//! Passes over plans. Each takes a plan and gives one with the same rows.
//!
//! What the engine does well by itself is left to it: it moves conditions below projections and
//! joins, and orders joins by the sizes of files. The passes here do what it cannot know: they
//! bring conditions to files before NaN is taken out, and compute once what a plan has twice, with
//! no more columns than are read.

mod bind;
mod columns;
mod limits;
mod pushdown;
mod shared;

pub(crate) use bind::{bind, bind_anything};
pub(crate) use shared::compute_shared;

use crate::error::Result;
use crate::plan::{AggregateFunction, Aggregation, Keep, Operator, Plan};

/// The plan after all passes that read no data.
pub(crate) fn optimize(plan: &Plan) -> Result<Plan> {
    columns::columns(&pushdown::pushdown(&limits::limits(plan))?)
}

/// Whether there are parameters, whose values have to be computed first.
pub(crate) fn has_parameters(plan: &Plan) -> bool {
    let mut open = vec![plan];
    while let Some(plan) = open.pop() {
        if matches!(plan.operator(), Operator::Bind { .. }) {
            return true;
        }
        open.extend(plan.inputs());
    }
    false
}

/// Whether rows would be taken in another order if there were several partitions: the first rows
/// of an unordered relation are those of its first partition.
pub(crate) fn needs_one_partition(plan: &Plan) -> bool {
    let mut open = vec![plan];
    while let Some(plan) = open.pop() {
        match plan.operator() {
            Operator::Limit { input, .. } if !is_sorted(input) => {
                return true;
            }
            // What runs on several threads before these would lose the order that they go by.
            Operator::RowNumber { input, .. } | Operator::Window { input, .. }
                if !in_order(input) =>
            {
                return true;
            }
            Operator::Sort { input, stable: true, .. } if !in_order(input) => return true,
            // The first value of several partial results need not be the first of all.
            Operator::Distinct { keep: Keep::First | Keep::Last, .. } => return true,
            Operator::Aggregate { aggregations, .. } if aggregations.iter().any(by_order) => {
                return true;
            }
            _ => {}
        }
        open.extend(plan.inputs());
    }
    false
}

/// Whether rows come out of a sort, whatever becomes of their columns.
fn is_sorted(plan: &Plan) -> bool {
    match plan.operator() {
        Operator::Sort { .. } => true,
        Operator::Project { input, .. } => is_sorted(input),
        _ => false,
    }
}

fn by_order(aggregation: &Aggregation) -> bool {
    matches!(aggregation.function, AggregateFunction::First | AggregateFunction::Last)
}

/// Whether partitions of the engine hold the rows in their order, one partition after the other.
pub(crate) fn in_order(plan: &Plan) -> bool {
    match plan.operator() {
        Operator::Parquet(_) | Operator::Text(_) | Operator::Memory(_) => true,
        Operator::Project { input, .. }
        | Operator::Filter { input, .. }
        | Operator::RowNumber { input, .. }
        | Operator::Window { input, .. }
        | Operator::Lookup { input, .. } => in_order(input),
        Operator::Concat { inputs } => inputs.iter().all(in_order),
        Operator::Sort { .. } | Operator::Limit { .. } => true,
        _ => false,
    }
}
