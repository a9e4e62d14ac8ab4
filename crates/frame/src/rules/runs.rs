//! Runs of equal keys are grouped without a hash table, as [`RunsExec`] and [`OrderedExec`] say.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::Distribution;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::InterleaveExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use crate::exchange::dealt;
use crate::ordered::OrderedExec;
use crate::runs::RunsExec;

#[derive(Debug)]
pub(crate) struct Runs;

impl PhysicalOptimizerRule for Runs {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| match RunsExec::of(&plan) {
            Some(runs) => Ok(Transformed::yes(Arc::new(runs) as Arc<dyn ExecutionPlan>)),
            None => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "runs"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The plan with both phases over runs in one, where nothing above relies on groups being dealt out
/// by hash: `is_free` is whether that is so for this node.
pub(crate) fn ordered(
    plan: Arc<dyn ExecutionPlan>,
    is_free: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let deals = plan.downcast_ref::<CoalescePartitionsExec>().is_some()
        || dealt(&plan).is_some()
        || plan.downcast_ref::<SortPreservingMergeExec>().is_some();
    let keeps = is_free && plan.downcast_ref::<InterleaveExec>().is_none();
    let required = plan.input_distribution_requirements().into_per_child();
    let children = plan
        .children()
        .into_iter()
        .zip(required)
        .map(|(child, distribution)| {
            let relies = !matches!(distribution, Distribution::UnspecifiedDistribution);
            ordered(child.clone(), deals || (keeps && !relies))
        })
        .collect::<Result<Vec<_>>>()?;
    let plan = replace_children_if_necessary(plan, children)?;
    Ok(match OrderedExec::of(&plan) {
        Some(ordered) if is_free => Arc::new(ordered),
        _ => plan,
    })
}
