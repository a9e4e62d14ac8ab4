//! The last rule over physical plans: conditions are evaluated as [`Conditions`], and what a join
//! has seen of its keys drops rows as soon as they have been read, before they are grouped or
//! sent to other threads.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr, replace_children_if_necessary};

use rustc_hash::FxHashMap;

use crate::conditions::Conditions;

#[derive(Debug)]
pub(crate) struct Filters;

impl PhysicalOptimizerRule for Filters {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        rewritten(plan)
    }

    fn name(&self) -> &str {
        "filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn rewritten(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let mut parts: Vec<_> =
            split_conjunction(filter.predicate()).into_iter().cloned().collect();
        let input = match seen_keys(filter.input()) {
            Some(seen) => {
                parts.extend(seen);
                filter.input().clone()
            }
            None => rewritten(filter.input().clone())?,
        };
        let conditions = Conditions::new(parts, &input.schema())?;
        let mut builder = FilterExecBuilder::from(filter).with_input(input);
        if conditions.is_better() {
            builder = builder.with_predicate(Arc::new(conditions));
        }
        return Ok(Arc::new(builder.build()?));
    }
    if let Some(seen) = seen_keys(&plan) {
        let conditions = Conditions::new(seen, &plan.schema())?;
        return Ok(Arc::new(FilterExec::try_new(Arc::new(conditions), plan)?));
    }
    let children = plan.children().into_iter().cloned().map(rewritten).collect::<Result<_>>()?;
    replace_children_if_necessary(plan, children)
}

/// The filters of joins that have come down to the scan of files, over its columns.
fn seen_keys(plan: &Arc<dyn ExecutionPlan>) -> Option<Vec<Arc<dyn PhysicalExpr>>> {
    let scan = plan.downcast_ref::<DataSourceExec>()?;
    let (_, source) = scan.downcast_to_file_source::<ParquetSource>()?;
    let predicate = source.filter()?;
    let schema = plan.schema();
    let places = places(source);
    let mut found = Vec::new();
    for part in split_conjunction(&predicate) {
        if part.downcast_ref::<DynamicFilterPhysicalExpr>().is_none() {
            continue;
        }
        if !collect_columns(part).iter().all(|column| places.contains_key(column.name())) {
            continue;
        }
        if let Some(own) = over(part, &schema, &places) {
            found.push(own);
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Where each column of a file is among those that its scan gives, perhaps by another name.
fn places(source: &ParquetSource) -> FxHashMap<String, usize> {
    let mut places = FxHashMap::default();
    let chosen = source.projection().into_iter().flat_map(|projection| projection.as_ref());
    for (place, each) in chosen.enumerate() {
        if let Some(column) = each.expr.downcast_ref::<Column>() {
            places.entry(column.name().to_owned()).or_insert(place);
        }
    }
    places
}

/// A filter over the columns of a scan, which may have fewer than its file.
fn over(
    part: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
    places: &FxHashMap<String, usize>,
) -> Option<Arc<dyn PhysicalExpr>> {
    let children: Option<Vec<Arc<dyn PhysicalExpr>>> = part
        .children()
        .into_iter()
        .map(|child| {
            let moved = child.clone().transform_down(|expr| {
                let Some(column) = expr.downcast_ref::<Column>() else {
                    return Ok(Transformed::no(expr));
                };
                let Some(place) = places.get(column.name()) else {
                    return internal_err!("a filter of a column that is not read");
                };
                let own = Column::new(schema.field(*place).name(), *place);
                Ok(Transformed::yes(Arc::new(own) as Arc<dyn PhysicalExpr>))
            });
            moved.ok().map(|moved| moved.data)
        })
        .collect();
    part.clone().with_new_children(children?).ok()
}
