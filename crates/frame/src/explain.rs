//! What a plan is, what the passes make of it, and what its operators did.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::physical_plan::metrics::MetricValue;
use datafusion::physical_plan::{ExecutionPlan, displayable};

use crate::error::Result;
use crate::passes;
use crate::plan::{Operator, Plan};
use crate::run::{Batches, Execution, Options, Session, Text, spawn};
use crate::window;

/// A plan as text.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The plan as it was made.
    pub plan: String,
    /// The plan after the passes.
    pub optimized: String,
    /// The engine's operators.
    pub physical: String,
}

/// What one operator did.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How many operators read it.
    pub depth: usize,
    /// The operator, with its arguments.
    pub operator: String,
    /// Rows that it gave.
    pub rows: usize,
    /// Bytes that it read from files, or wrote to spill files.
    pub bytes: usize,
    /// Seconds of all threads together.
    pub seconds: f64,
}

/// Starts describing a plan.
pub fn explain(plan: &Plan, options: &Options) -> Result<Execution<Explained>> {
    let (plan, session) = (plan.clone(), Session::new(options)?);
    spawn(options.threads, async move {
        let optimized = passes::optimize(&plan)?;
        // Explaining computes nothing.
        let physical = session.physical(&passes::bind_anything(&optimized), Text::Views).await?;
        Ok(Explained {
            plan: tree(&plan),
            optimized: tree(&optimized),
            physical: displayable(physical.as_ref()).indent(false).to_string(),
        })
    })
}

/// Starts computing a plan, and tells what each operator did.
pub fn analyze(plan: &Plan, options: &Options) -> Result<Execution<(Batches, Vec<Figures>)>> {
    let (plan, session) = (plan.clone(), Session::new(options)?);
    spawn(options.threads, async move {
        match analyzed(&session, &plan).await {
            Ok(found) => Ok(found),
            Err(failed) => analyzed(&session.frugal_after(failed)?, &plan).await,
        }
    })
}

async fn analyzed(session: &Session, plan: &Plan) -> Result<(Batches, Vec<Figures>)> {
    let plan = session.prepared(plan).await?;
    let physical = session.physical(&plan, Text::Views).await?;
    let batches = session.run(&plan, physical.clone(), Text::Views).await?;
    let mut figures = Vec::new();
    gather(&physical, 0, &mut figures);
    Ok((batches, figures))
}

fn gather(plan: &Arc<dyn ExecutionPlan>, depth: usize, figures: &mut Vec<Figures>) {
    let metrics = plan.metrics().unwrap_or_default().aggregate_by_name();
    let bytes = metrics
        .iter()
        .filter_map(|metric| match metric.value() {
            MetricValue::Count { name, count } if name == "bytes_scanned" => Some(count.value()),
            MetricValue::SpilledBytes(count) => Some(count.value()),
            _ => None,
        })
        .sum();
    let nanoseconds = metrics
        .iter()
        .filter_map(|metric| match metric.value() {
            MetricValue::ElapsedCompute(time) => Some(time.value()),
            MetricValue::Time { name, time } if name == "time_elapsed_processing" => {
                Some(time.value())
            }
            _ => None,
        })
        .max()
        .unwrap_or(0);
    figures.push(Figures {
        depth,
        operator: displayable(plan.as_ref()).one_line().to_string().trim_end().to_owned(),
        rows: metrics.output_rows().unwrap_or(0),
        bytes,
        seconds: nanoseconds as f64 / 1e9,
    });
    plan.children().into_iter().for_each(|child| gather(child, depth + 1, figures));
}

/// A plan as an indented tree, its result first.
pub fn tree(plan: &Plan) -> String {
    let mut text = String::new();
    line(plan, 0, &mut text);
    text
}

fn line(plan: &Plan, depth: usize, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{}", "", describe(plan), indent = depth * 2);
    plan.inputs().into_iter().for_each(|input| line(input, depth + 1, text));
}

fn describe(plan: &Plan) -> String {
    match plan.operator() {
        Operator::Parquet(scan) => {
            let condition = scan.predicate().map(|scalar| format!(", where {scalar}"));
            format!("Parquet: {}{}", scan.describe(), condition.unwrap_or_default())
        }
        Operator::Text(scan) => format!("Text: {}", scan.describe()),
        Operator::Memory(memory) => {
            format!("Memory: {} rows in {} partitions", memory.rows(), memory.partitions().len())
        }
        Operator::Project { columns, .. } => {
            let columns: Vec<String> = columns
                .iter()
                .map(|(name, scalar)| match scalar.to_string() {
                    same if same == name.as_ref() => same,
                    other => format!("{name} = {other}"),
                })
                .collect();
            format!("Project: {}", columns.join(", "))
        }
        Operator::Filter { predicate, .. } => format!("Filter: {predicate}"),
        Operator::Aggregate { keys, aggregations, .. } => {
            let results: Vec<String> = aggregations
                .iter()
                .map(|each| {
                    let column = each.column.as_deref().unwrap_or("*");
                    format!("{} = {:?}({column})", each.name, each.function)
                })
                .collect();
            format!("Aggregate: by {}: {}", keys.join(", "), results.join(", "))
        }
        Operator::Join { kind, on, .. } => {
            let keys: Vec<String> =
                on.iter().map(|(left, right)| format!("{left} = {right}")).collect();
            format!("Join: {kind:?} on {}", keys.join(", "))
        }
        Operator::Sort { keys, limit, .. } => {
            let keys: Vec<String> = keys
                .iter()
                .map(|key| {
                    let order = if key.descending { " descending" } else { "" };
                    format!("{}{order}", key.column)
                })
                .collect();
            let limit = limit.map(|limit| format!(", first {limit}")).unwrap_or_default();
            format!("Sort: {}{limit}", keys.join(", "))
        }
        Operator::Limit { offset, count, .. } => format!("Limit: {count} after {offset}"),
        Operator::Distinct { subset, keep, .. } => {
            format!("Distinct: {}, keep {keep:?}", subset.join(", "))
        }
        Operator::Concat { inputs } => format!("Concat: {} relations", inputs.len()),
        Operator::RowNumber { name, .. } => format!("RowNumber: {name}"),
        Operator::Window { keys, columns, .. } => {
            format!("Window: by {}: {}", keys.join(", "), window::text(columns))
        }
        Operator::Lookup { keys, columns, .. } => {
            let keys: Vec<&str> = keys.iter().map(|(own, _)| own.as_str()).collect();
            let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            format!("Lookup: by {}: {}", keys.join(", "), columns.join(", "))
        }
        Operator::Bind { values, .. } => {
            let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
            format!("Bind: {}", names.join(", "))
        }
        Operator::Sql { query, .. } => format!("Sql: {query}"),
    }
}
