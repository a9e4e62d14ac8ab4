//! Queries in SQL over relations.
//!
//! SQL's own rules hold inside a query: comparisons with a missing value are missing, and so on.

mod extremes;
mod shared;

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, TableProvider, view::ViewTable,
};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::SessionContext;
use futures::FutureExt;
use rustc_hash::FxHashSet;

use crate::error::{FrameError, Result};
use crate::functions as own;
use crate::lower::{
    Lowering,
    scalar::{cast, column},
};
use crate::parquet::ParquetTable;
use crate::plan::{Operator, Plan};
use crate::run::{Options, Session};
use crate::types::{canonical, is_float};
use shared::share;

/// The relation that a query describes. `tables` are the relations that it may name.
pub fn sql(query: &str, tables: Vec<(String, Plan)>) -> Result<Plan> {
    let session = Session::new(&Options::default())?;
    let mut lowering = Lowering::new(session.state());
    let lowered = lower(&mut lowering, query, &tables)?;
    let mut seen = FxHashSet::default();
    let fields = lowered
        .schema()
        .fields()
        .iter()
        .map(|field| {
            if !seen.insert(field.name().clone()) {
                return Err(FrameError::DuplicateColumn {
                    operation: "SQL",
                    name: field.name().clone(),
                });
            }
            let data_type =
                canonical(field.data_type()).unwrap_or_else(|| field.data_type().clone());
            let nullable = field.is_nullable() || is_float(&data_type);
            Ok(Field::new(field.name(), data_type, nullable))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Plan::from_sql(query.into(), tables, Arc::new(Schema::new(fields))))
}

/// The engine's plan of a query.
pub(crate) fn lower(
    lowering: &mut Lowering<'_>,
    query: &str,
    tables: &[(String, Plan)],
) -> Result<LogicalPlan> {
    let wrong = |error: DataFusionError| FrameError::Sql { detail: error.strip_backtrace() };
    // Each query has its own names.
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema("public", Arc::new(MemorySchemaProvider::new())).map_err(wrong)?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog("datafusion".into(), Arc::new(catalog));
    let state = SessionStateBuilder::new_from_existing(lowering.state().clone())
        .with_catalog_list(Arc::new(catalogs))
        .build();
    let context = SessionContext::new_with_state(state);
    for (name, plan) in tables {
        let table: Arc<dyn TableProvider> = match plan.operator() {
            // A file's columns are taken as they are, with all that is known of them.
            Operator::Parquet(scan) if scan.predicate().is_none() => {
                Arc::new(ParquetTable::new(scan.clone()))
            }
            _ => Arc::new(ViewTable::new(lowering.lower(plan)?, None)),
        };
        let reference = datafusion::common::TableReference::bare(name.as_str());
        context.register_table(reference, table).map_err(wrong)?;
    }
    let state = context.state();
    // All names are in memory, so that nothing has to be waited for.
    let planned = state
        .create_logical_plan(query)
        .now_or_never()
        .ok_or_else(|| FrameError::Sql { detail: "a name could not be looked up".into() })?
        .map_err(wrong)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&planned)
        .map_err(wrong)?;
    share(extremes::of_integers(planned).map_err(wrong)?).map_err(wrong)
}

/// The columns of a query's plan in the types of relations.
pub(crate) fn canonical_columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema()
        .iter()
        .map(|(qualifier, field)| {
            let name = field.name().as_str();
            let value = match qualifier {
                Some(_) => Expr::Column((qualifier, field).into()),
                None => column(name),
            };
            match (canonical(field.data_type()), is_float(field.data_type())) {
                (Some(data_type), _) => cast(value, &data_type).alias(name),
                (None, true) => own::nan_missing(value).alias(name),
                (None, false) => value.alias(name),
            }
        })
        .collect()
}
