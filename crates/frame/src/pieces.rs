//! Groups, and tables of joins, that are more than a budget, in pieces.
//!
//! A table of groups that outgrows its budget is sorted by all keys and written to a file, again and
//! again, and the files are merged; a table of a join that does so ends the run, and both sides are
//! sorted instead. Where it is likely to be so, rows are dealt out to more partitions than there are
//! threads, as in the hash joins and aggregations of GRACE (M. Kitsuregawa et al., 1983): the
//! exchange writes to files what has to wait, in no order, and each thread makes the table of one
//! partition after the other, each of which fits.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::operator_statistics::StatisticsRegistry;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, InputOrderMode, PhysicalExpr, PlanProperties,
    replace_children_if_necessary,
};
use futures::{StreamExt, stream};

use crate::node::{Inputs, Node, Operator};
use crate::rules;

/// The part of a budget that all tables may be, which are made at once.
const SHARE: usize = 4;
/// The most pieces that each thread makes.
const MOST_PIECES: usize = 32;
/// Bytes that a row takes in a table beside its values, and those that a text is likely to take.
const BESIDE_VALUES: usize = 40;
const TEXT: usize = 24;

/// The plan, whose groups and joins are made in pieces where they are likely to be more than the
/// budget.
pub(crate) fn in_pieces(
    plan: Arc<dyn ExecutionPlan>,
    limit: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    cut(plan, limit, &rules::sizes())
}

fn cut(
    plan: Arc<dyn ExecutionPlan>,
    limit: usize,
    sizes: &StatisticsRegistry,
) -> Result<Arc<dyn ExecutionPlan>> {
    let children = plan.children().into_iter().cloned().map(|child| cut(child, limit, sizes));
    let plan = replace_children_if_necessary(plan.clone(), children.collect::<Result<_>>()?)?;
    let (bytes, whole) = if let Some(keys) = keys_of_groups(&plan) {
        (bytes_of_groups(&plan, keys, sizes)?, plan.clone())
    } else if let Some(join) = join_of_tables(&plan) {
        // Pieces that come one after the other cannot wait for what all of them know of the keys.
        (bytes_of_table(join, sizes)?, join.builder().reset_state().build_exec()?)
    } else {
        return Ok(plan);
    };
    let pieces = bytes.div_ceil((limit / SHARE).max(1)).min(MOST_PIECES);
    let threads = plan.output_partitioning().partition_count();
    let inputs: Option<Vec<_>> = whole.children().into_iter().map(dealt_by_hash).collect();
    let Some(inputs) = inputs.filter(|_| pieces > 1) else { return Ok(plan) };
    let dealt = inputs.into_iter().map(|(input, keys)| {
        let partitioning = Partitioning::Hash(keys, threads * pieces);
        let dealt = RepartitionExec::try_new(input, partitioning)?;
        Ok(Arc::new(dealt) as Arc<dyn ExecutionPlan>)
    });
    let whole = replace_children_if_necessary(whole.clone(), dealt.collect::<Result<_>>()?)?;
    Ok(Node::over(Pieces { threads }, [whole]))
}

type Keys = Vec<Arc<dyn PhysicalExpr>>;

/// The rows that are dealt out by the hash of keys, and the keys.
fn dealt_by_hash(plan: &Arc<dyn ExecutionPlan>) -> Option<(Arc<dyn ExecutionPlan>, Keys)> {
    let repartition = plan.downcast_ref::<RepartitionExec>()?;
    match repartition.partitioning() {
        Partitioning::Hash(keys, _) if !repartition.preserve_order() => {
            Some((repartition.input().clone(), keys.clone()))
        }
        _ => None,
    }
}

/// The keys of groups that are made with a hash table in each partition.
fn keys_of_groups(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let aggregate = plan.downcast_ref::<AggregateExec>()?;
    let hashed = matches!(
        aggregate.mode(),
        AggregateMode::FinalPartitioned | AggregateMode::SinglePartitioned
    ) && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && aggregate.dynamic_expressions_produced().is_empty();
    hashed.then(|| aggregate.group_expr().expr().len())
}

/// The join that makes a table in each partition, unless its order is counted on.
fn join_of_tables(plan: &Arc<dyn ExecutionPlan>) -> Option<&HashJoinExec> {
    let join = plan.downcast_ref::<HashJoinExec>()?;
    let known = *join.partition_mode() == PartitionMode::Partitioned
        && join.fetch().is_none()
        && join.properties().output_ordering().is_none();
    known.then_some(join)
}

/// The bytes that the tables of groups are likely to take. Keys of which nothing is known are taken
/// for those of few groups: rows that wait for nothing cost more than a table that is too large.
fn bytes_of_groups(
    plan: &Arc<dyn ExecutionPlan>,
    keys: usize,
    sizes: &StatisticsRegistry,
) -> Result<usize> {
    let found = sizes.compute(plan.as_ref())?;
    let rows = found.base().num_rows.get_value().copied().unwrap_or_default();
    let of_keys = found.base().column_statistics.iter().take(keys);
    let values = of_keys.filter_map(|key| key.distinct_count.get_value().copied());
    let groups = values.fold(1, usize::saturating_mul).min(rows);
    Ok(groups.saturating_mul(width(&plan.schema()) + BESIDE_VALUES))
}

/// The bytes that the tables of a join are likely to take, whose rows lie there twice while the
/// batches become one.
fn bytes_of_table(join: &HashJoinExec, sizes: &StatisticsRegistry) -> Result<usize> {
    let found = sizes.compute(join.left().as_ref())?;
    let rows = found.base().num_rows.get_value().copied().unwrap_or_default();
    Ok(rows.saturating_mul(2 * width(&join.left().schema()) + BESIDE_VALUES))
}

fn width(schema: &Schema) -> usize {
    let of_type = |data_type: &DataType| data_type.primitive_width().unwrap_or(TEXT);
    schema.fields().iter().map(|field| of_type(field.data_type())).sum()
}

/// The partitions of the input, of which each thread takes one after the other. A row that is in
/// the partition `h` modulo all of them is in `h` modulo the threads then.
#[derive(Clone, Debug)]
struct Pieces {
    threads: usize,
}

impl Operator<1> for Pieces {
    fn name(&self) -> &'static str {
        "PiecesExec"
    }

    fn describe(&self, [input]: &Inputs<1>) -> String {
        let all = input.output_partitioning().partition_count();
        format!("{all} in {}", self.threads)
    }

    fn properties(&self, [input]: &Inputs<1>) -> Arc<PlanProperties> {
        let partitioning = match input.output_partitioning() {
            Partitioning::Hash(keys, _) => Partitioning::Hash(keys.clone(), self.threads),
            _ => Partitioning::UnknownPartitioning(self.threads),
        };
        Arc::new(PlanProperties::new(
            input.equivalence_properties().clone(),
            partitioning,
            EmissionType::Both,
            input.boundedness(),
        ))
    }

    fn keeps_order(&self) -> bool {
        false
    }

    fn execute(
        &self,
        node: &Node<Self>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let [input] = node.inputs().clone();
        let (all, schema) = (input.output_partitioning().partition_count(), input.schema());
        let pieces = stream::iter((partition..all).step_by(self.threads.max(1)));
        // A table is made when the one before is gone.
        let rows = pieces.flat_map(move |piece| match input.execute(piece, context.clone()) {
            Ok(rows) => rows,
            Err(failed) => {
                let failed = stream::once(async { Err(failed) });
                Box::pin(RecordBatchStreamAdapter::new(input.schema(), failed))
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}
