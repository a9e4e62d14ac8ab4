//! Groups of rows that come in the order of their keys, without a hash table in either phase.
//!
//! Where the partitions of a relation hold keys that rise, each in a range of its own, as those of
//! a file written in an order do, the groups of one partition are whole but for its last, which may
//! go on in the next one. The partial results of the runs are then the results, without being dealt
//! out by hash. Whether it is so shows only when all runs are there, so they are kept until then;
//! the first key that breaks the order, or memory that does not suffice, sends all of them the way
//! through the hash tables.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::Array;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ScalarValue, internal_datafusion_err, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PhysicalExpr, PlanProperties, replace_children_if_necessary,
};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use crate::exchange::dealt;
use crate::runs::{RunsExec, is_ascending};
use crate::streams::Begun;

/// Both phases of an aggregation whose first one makes rows of runs.
pub(crate) struct OrderedExec {
    /// The second phase with a hash table, and what deals the runs out to it.
    hashed: Arc<dyn ExecutionPlan>,
    runs: Arc<dyn ExecutionPlan>,
    functions: Vec<Arc<AggregateFunctionExpr>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    gathering: Mutex<Option<Gathering>>,
}

type Gathering = Shared<BoxFuture<'static, Result<Arc<Gathered>, Arc<DataFusionError>>>>;

impl OrderedExec {
    /// The aggregation in place of `hashed`, if that is a second phase over runs of keys without
    /// fractions, in several partitions.
    pub(crate) fn of(hashed: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let aggregate = hashed.downcast_ref::<AggregateExec>()?;
        let runs = dealt(aggregate.input())?;
        let partitions = runs.output_partitioning().partition_count();
        let key = runs.downcast_ref::<RunsExec>()?.schema().field(0).data_type().clone();
        let fits = *aggregate.mode() == AggregateMode::FinalPartitioned
            && aggregate.group_expr().is_single()
            && aggregate.group_expr().input_exprs().len() == 1
            && aggregate.limit_options().is_none()
            && aggregate.dynamic_expressions_produced().is_empty()
            && (key.is_integer() || key.is_temporal())
            && partitions > 1
            && partitions == hashed.output_partitioning().partition_count();
        fits.then(|| Self {
            runs: runs.clone(),
            functions: aggregate.aggr_expr().to_vec(),
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(hashed.schema()),
                Partitioning::UnknownPartitioning(partitions),
                EmissionType::Final,
                Boundedness::Bounded,
            )),
            hashed: hashed.clone(),
            metrics: ExecutionPlanMetricsSet::new(),
            gathering: Mutex::new(None),
        })
    }

    /// The aggregation over other runs.
    fn over(&self, runs: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        over(&self.hashed, runs)
    }

    /// All runs, which whoever asks first starts to gather.
    fn gathering(&self, context: &Arc<TaskContext>) -> Result<Gathering> {
        let mut started = self.gathering.lock();
        if let Some(gathering) = &*started {
            return Ok(gathering.clone());
        }
        let board = Arc::new(Board::of(self.properties.partitioning.partition_count()));
        let parts = (0..self.properties.partitioning.partition_count())
            .map(|partition| {
                let rows = self.runs.execute(partition, context.clone())?;
                let reservation =
                    MemoryConsumer::new("OrderedExec").register(context.memory_pool());
                Ok(Part { rows: Some(rows), batches: Vec::new(), reservation })
            })
            .collect::<Result<Vec<Part>>>()?;
        let (hashed, runs) = (self.hashed.clone(), self.runs.clone());
        let gathering = async move {
            let tasks: Vec<_> = parts
                .into_iter()
                .enumerate()
                .map(|(partition, part)| SpawnedTask::spawn(part.filled(partition, board.clone())))
                .collect();
            let mut parts = Vec::with_capacity(tasks.len());
            for task in tasks {
                let part = task.join_unwind().await;
                parts.push(part.map_err(|failed| internal_datafusion_err!("{failed}"))??);
            }
            Gathered::of(parts, &board, &hashed, &runs).map(Arc::new)
        };
        let gathering = gathering.map(|outcome| outcome.map_err(Arc::new)).boxed().shared();
        Ok(started.insert(gathering).clone())
    }
}

fn over(
    hashed: &Arc<dyn ExecutionPlan>,
    runs: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let children = hashed.children();
    let [shuffle] = children.as_slice() else { return internal_err!("a phase of one input") };
    let shuffle = replace_children_if_necessary((*shuffle).clone(), vec![runs])?;
    replace_children_if_necessary(hashed.clone(), vec![shuffle])
}

impl fmt::Debug for OrderedExec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OrderedExec").field("hashed", &self.hashed).finish()
    }
}

impl DisplayAs for OrderedExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let functions: Vec<&str> = self.functions.iter().map(|function| function.name()).collect();
        write!(formatter, "OrderedExec: aggr=[{}]", functions.join(", "))
    }
}

impl ExecutionPlan for OrderedExec {
    fn name(&self) -> &str {
        "OrderedExec"
    }

    fn schema(&self) -> SchemaRef {
        self.hashed.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.runs]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.hashed.apply_expressions(visit)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([runs]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("OrderedExec has one input");
        };
        let hashed = self.over(runs)?;
        Ok(match Self::of(&hashed) {
            Some(ordered) => Arc::new(ordered),
            None => hashed,
        })
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let gathering = self.gathering(&context)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (schema, functions) = (self.schema(), self.functions.clone());
        let rows = stream::once(async move {
            let gathered = gathering.await.map_err(DataFusionError::Shared)?;
            gathered.rows(partition, schema, functions, context)
        })
        .try_flatten()
        .map(move |batch| batch.record_output(&metrics));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// Where the keys of the partitions lie, and whether they are in an order so far.
struct Board {
    refused: AtomicBool,
    ranges: Mutex<Vec<Option<(ScalarValue, ScalarValue)>>>,
}

impl Board {
    fn of(partitions: usize) -> Self {
        Self { refused: AtomicBool::new(false), ranges: Mutex::new(vec![None; partitions]) }
    }

    fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Whether the keys of a batch go on where those of the partition ended, and leave those of the
    /// others alone: what they may share is the key at which both end.
    fn takes(&self, partition: usize, batch: &RecordBatch) -> Result<bool> {
        let keys = batch.column(0);
        if keys.null_count() > 0 || !is_ascending(keys) {
            return Ok(false);
        }
        let first = ScalarValue::try_from_array(keys, 0)?;
        let last = ScalarValue::try_from_array(keys, keys.len() - 1)?;
        let mut ranges = self.ranges.lock();
        let begin = match ranges.get(partition).cloned().flatten() {
            Some((_, before)) if before >= first => return Ok(false),
            Some((begin, _)) => begin,
            None => first,
        };
        let apart = |(other, range): (usize, &Option<(ScalarValue, ScalarValue)>)| match range {
            Some((from, to)) if other != partition => last <= *from || *to <= begin,
            _ => true,
        };
        if !ranges.iter().enumerate().all(apart) {
            return Ok(false);
        }
        if let Some(range) = ranges.get_mut(partition) {
            *range = Some((begin, last));
        }
        Ok(true)
    }
}

/// The runs of a partition: those that are there, and those that are to come.
struct Part {
    batches: Vec<RecordBatch>,
    rows: Option<SendableRecordBatchStream>,
    reservation: MemoryReservation,
}

impl Part {
    /// With all its runs, or with those up to where any partition was found to break the order.
    async fn filled(mut self, partition: usize, board: Arc<Board>) -> Result<Self> {
        while !board.is_refused() {
            let Some(rows) = &mut self.rows else { break };
            let Some(batch) = rows.next().await.transpose()? else {
                self.rows = None;
                break;
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let fits = self.reservation.try_grow(batch.get_array_memory_size()).is_ok();
            if !fits || !board.takes(partition, &batch)? {
                board.refuse();
            }
            self.batches.push(batch);
        }
        Ok(self)
    }

    /// The runs that are there, and those after them.
    fn going_on(self, schema: SchemaRef) -> SendableRecordBatchStream {
        let Self { batches, rows, reservation } = self;
        let rest = match rows {
            Some(rows) => rows,
            None => Box::pin(RecordBatchStreamAdapter::new(schema.clone(), stream::empty())),
        };
        // What the batches that are gone took is given back, however many are left.
        let begun = stream::iter(batches).map(move |batch| {
            reservation.shrink(batch.get_array_memory_size().min(reservation.size()));
            Ok(batch)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, begun.chain(rest)))
    }

    fn key(&self, batch: Option<&RecordBatch>, last: bool) -> Result<Option<ScalarValue>> {
        let Some(keys) = batch.map(|batch| batch.column(0)) else { return Ok(None) };
        let place = if last { keys.len().saturating_sub(1) } else { 0 };
        Ok(Some(ScalarValue::try_from_array(keys, place)?))
    }

    fn first(&self) -> Result<Option<ScalarValue>> {
        self.key(self.batches.first(), false)
    }

    fn last(&self) -> Result<Option<ScalarValue>> {
        self.key(self.batches.last(), true)
    }

    fn take_first(&mut self) -> Option<RecordBatch> {
        let batch = self.batches.first_mut()?;
        let row = batch.slice(0, 1);
        *batch = batch.slice(1, batch.num_rows() - 1);
        self.batches.retain(|batch| batch.num_rows() > 0);
        Some(row)
    }

    fn take_last(&mut self) -> Option<RecordBatch> {
        let batch = self.batches.last_mut()?;
        let row = batch.slice(batch.num_rows() - 1, 1);
        *batch = batch.slice(0, batch.num_rows() - 1);
        self.batches.retain(|batch| batch.num_rows() > 0);
        Some(row)
    }
}

/// All runs of all partitions.
struct Gathered {
    parts: Vec<Mutex<Option<OrderedPart>>>,
    /// The second phase with a hash table over them, where they are in no order.
    hashed: Option<Arc<dyn ExecutionPlan>>,
}

/// The runs of a partition, of which each is a group.
struct OrderedPart {
    part: Part,
    /// The last runs, which are all of one group.
    tail: Vec<RecordBatch>,
}

impl Gathered {
    fn of(
        parts: Vec<Part>,
        board: &Board,
        hashed: &Arc<dyn ExecutionPlan>,
        runs: &Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        if board.is_refused() {
            let rows = parts.into_iter().map(|part| part.going_on(runs.schema())).enumerate();
            let begun = Begun::of(runs, rows);
            return Ok(Self { parts: Vec::new(), hashed: Some(over(hashed, begun)?) });
        }
        let parts = joined(parts)?.into_iter().map(|part| Mutex::new(Some(part))).collect();
        Ok(Self { parts, hashed: None })
    }

    fn rows(
        &self,
        partition: usize,
        schema: SchemaRef,
        functions: Vec<Arc<AggregateFunctionExpr>>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if let Some(hashed) = &self.hashed {
            return hashed.execute(partition, context);
        }
        let Some(ordered) = self.parts.get(partition).and_then(|part| part.lock().take()) else {
            return internal_err!("groups that were read already");
        };
        let OrderedPart { part, tail } = ordered;
        let (groups, kept) = (part.batches, part.reservation);
        let finished = schema.clone();
        let rows = groups
            .into_iter()
            .map(|batch| (vec![batch], false))
            .chain((!tail.is_empty()).then_some((tail, true)));
        let rows = stream::iter(rows.map(move |(batches, is_one)| {
            let _ = &kept;
            results(&finished, &functions, &batches, is_one)
        }));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// The partitions with the runs of a key that two of them share in the first of both.
fn joined(parts: Vec<Part>) -> Result<Vec<OrderedPart>> {
    let mut parts: Vec<OrderedPart> =
        parts.into_iter().map(|part| OrderedPart { part, tail: Vec::new() }).collect();
    let mut ranges = Vec::new();
    for (place, ordered) in parts.iter().enumerate() {
        if let (Some(first), Some(last)) = (ordered.part.first()?, ordered.part.last()?) {
            ranges.push((first, last, place));
        }
    }
    // Keys of one type have an order.
    ranges.sort_by(|left, right| {
        let (left, right) = ((&left.0, &left.1), (&right.0, &right.1));
        left.partial_cmp(&right).unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut ranges = ranges.into_iter();
    let Some((_, mut end, mut head)) = ranges.next() else { return Ok(parts) };
    for (first, last, place) in ranges {
        if first == end {
            let row = parts.get_mut(place).and_then(|ordered| ordered.part.take_first());
            if let (Some(row), Some(ordered)) = (row, parts.get_mut(head)) {
                if ordered.tail.is_empty() {
                    let own = ordered.part.take_last();
                    ordered.tail.extend(own);
                }
                ordered.tail.push(row);
            }
            if last == first {
                continue;
            }
        }
        (end, head) = (last, place);
    }
    Ok(parts)
}

/// The results of groups: each row is one, or all rows together are.
fn results(
    schema: &SchemaRef,
    functions: &[Arc<AggregateFunctionExpr>],
    runs: &[RecordBatch],
    is_one: bool,
) -> Result<RecordBatch> {
    let runs = match runs {
        [] => return internal_err!("groups without runs"),
        [runs] => runs.clone(),
        [first, ..] => concat_batches(&first.schema(), runs)?,
    };
    let (groups, places): (usize, Vec<usize>) = match is_one {
        true => (1, vec![0; runs.num_rows()]),
        false => (runs.num_rows(), (0..runs.num_rows()).collect()),
    };
    let mut columns = vec![runs.column(0).slice(0, groups)];
    let mut column = 1;
    for function in functions {
        let count = function.state_fields()?.len();
        let states = runs.columns().get(column..column + count);
        let Some(states) = states else { return internal_err!("runs without partial results") };
        let mut accumulator = function.create_groups_accumulator()?;
        accumulator.merge_batch(states, &places, groups)?;
        columns.push(accumulator.evaluate(EmitTo::All)?);
        column += count;
    }
    let options = RecordBatchOptions::new().with_row_count(Some(groups));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
