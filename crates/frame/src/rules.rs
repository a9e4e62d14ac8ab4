//! Rules of the optimizer that DataFusion does not have: the order of joins, the place of semi-joins, the sizes by
//! which sides of joins are chosen, groups of neighbours, counts of which only one and more matter, and the first rows
//! of groups.
//!
//! The first two only move rows that a query drops anyway to where they are dropped sooner; the rows that come out, and the
//! columns, stay the same.

mod estimate;
mod extremes;
mod filters;
mod first_rows;
mod groups;
mod join_order;
mod runs;
mod semi_joins;
mod sizes;

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

pub(crate) use filters::Filters;
pub(crate) use first_rows::FirstRows;
pub(crate) use runs::{Runs, ordered};
pub(crate) use sizes::sizes;

/// All rules of the optimizer, in their order.
pub(crate) fn all() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    // Conditions have arrived at the relations then, and what nobody reads goes afterwards.
    let place = rules.iter().position(|rule| rule.name() == "optimize_projections");
    let place = place.unwrap_or(rules.len());
    let own: [Arc<dyn OptimizerRule + Send + Sync>; 3] = [
        Arc::new(extremes::Extremes),
        Arc::new(semi_joins::SemiJoins),
        Arc::new(join_order::JoinOrder),
    ];
    rules.splice(place..place, own);
    rules
}
