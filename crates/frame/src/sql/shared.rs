//! Groups that a query has twice are made once.
//!
//! A name that `with` gives to a subquery stands for a copy of it wherever it is read. Copies
//! that make groups are computed when the first of them is planned, and all of them read the rows.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{MemTable, TableProvider, TableType, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// The plan of a query with each repeated part that makes groups as one table. Tables of one name
/// have to be the same table.
pub(super) fn share(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut counts: FxHashMap<LogicalPlan, usize> = FxHashMap::default();
    plan.apply_with_subqueries(|part| {
        if is_shareable(part)? {
            *counts.entry(part.clone()).or_default() += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    counts.retain(|_, count| *count > 1);
    if counts.is_empty() {
        return Ok(plan);
    }
    let mut made: FxHashMap<LogicalPlan, Arc<SharedTable>> = FxHashMap::default();
    let shared = plan.transform_down_with_subqueries(|part| {
        if !counts.contains_key(&part) {
            return Ok(Transformed::no(part));
        }
        let count = made.len();
        let table = made
            .entry(part.clone())
            .or_insert_with(|| Arc::new(SharedTable::new(part.clone())))
            .clone();
        let name = TableReference::bare(format!("\u{1}shared{count}"));
        let source = provider_as_source(table.clone());
        let scan = LogicalPlanBuilder::scan(name, source, None)?.build()?;
        let columns: Vec<Expr> = scan
            .schema()
            .columns()
            .into_iter()
            .zip(part.schema().iter())
            .map(|(own, (qualifier, field))| {
                Expr::Column(own).alias_qualified(qualifier.cloned(), field.name().as_str())
            })
            .collect();
        let scan = LogicalPlanBuilder::from(scan).project(columns)?.build()?;
        Ok(Transformed::new(scan, true, TreeNodeRecursion::Jump))
    })?;
    Ok(shared.data)
}

/// Whether a part makes groups and needs nothing of what is around it.
fn is_shareable(part: &LogicalPlan) -> Result<bool> {
    if !matches!(part, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
        return Ok(false);
    }
    let (mut groups, mut alone) = (false, true);
    part.apply_with_subqueries(|inner| {
        groups |= matches!(inner, LogicalPlan::Aggregate(_));
        alone &= inner.all_out_ref_exprs().is_empty();
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(groups && alone)
}

/// The rows of a part of a query, computed once.
#[derive(Debug)]
struct SharedTable {
    plan: LogicalPlan,
    schema: SchemaRef,
    rows: Mutex<Option<Arc<MemTable>>>,
}

impl SharedTable {
    fn new(plan: LogicalPlan) -> Self {
        // Names may be the same but for their qualifiers.
        let field = |(position, field): (usize, &Arc<Field>)| {
            field.as_ref().clone().with_name(format!("{position}")).with_nullable(true)
        };
        let fields: Vec<Field> = plan.schema().fields().iter().enumerate().map(field).collect();
        Self { plan, schema: Arc::new(Schema::new(fields)), rows: Mutex::new(None) }
    }

    async fn rows(&self, state: &dyn Session) -> Result<Arc<MemTable>> {
        if let Some(rows) = &*self.rows.lock() {
            return Ok(rows.clone());
        }
        let physical = state.create_physical_plan(&self.plan).await?;
        let partitions = collect_partitioned(physical, state.task_ctx()).await?;
        let named = |batch: RecordBatch| {
            RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
                .map_err(DataFusionError::from)
        };
        let partitions = partitions
            .into_iter()
            .map(|batches| batches.into_iter().map(named).collect::<Result<Vec<_>>>())
            .collect::<Result<Vec<_>>>()?;
        let rows = Arc::new(MemTable::try_new(self.schema.clone(), partitions)?);
        *self.rows.lock() = Some(rows.clone());
        Ok(rows)
    }
}

#[async_trait]
impl TableProvider for SharedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.rows(state).await?.scan(state, projection, filters, limit).await
    }
}
