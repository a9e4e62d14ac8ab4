//! The operator that computes windows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::UserDefinedLogicalNode;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning,
};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PhysicalExpr,
    PlanProperties,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{Stream, StreamExt, stream};

use super::states::{NO_GROUP, State, state};
use super::{Window, WindowColumn, schema_of, text};

/// Batches of each partition that are made before they are asked for.
const AHEAD: usize = 4;

/// Plans the operator.
pub(crate) struct Windows;

#[async_trait]
impl ExtensionPlanner for Windows {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&datafusion::logical_expr::LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _state: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<Window>() else { return Ok(None) };
        let [input] = physical_inputs else { return internal_err!("a window has one input") };
        let order = input.output_ordering().filter(|_| node.is_sorted).cloned();
        let shape = Shape {
            keys: node.keys.clone(),
            columns: node.columns.clone(),
            fields: node.fields.clone(),
            drop_missing: node.drop_missing,
            order,
        };
        Ok(Some(Arc::new(WindowExec::new(input.clone(), Arc::new(shape)))))
    }
}

/// What is computed.
#[derive(Debug)]
struct Shape {
    keys: Vec<String>,
    columns: Vec<WindowColumn>,
    fields: Vec<Arc<Field>>,
    drop_missing: bool,
    /// The order that the input has to come in, as one partition; else its partitions hold the
    /// rows one after the other.
    order: Option<LexOrdering>,
}

#[derive(Debug)]
struct WindowExec {
    input: Arc<dyn ExecutionPlan>,
    shape: Arc<Shape>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WindowExec {
    fn new(input: Arc<dyn ExecutionPlan>, shape: Arc<Shape>) -> Self {
        let schema = schema_of(&input.schema(), &shape.fields);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            input.properties().boundedness,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { input, shape, schema, properties: Arc::new(properties), metrics }
    }
}

impl DisplayAs for WindowExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { keys, columns, .. } = self.shape.as_ref();
        write!(formatter, "RunningWindowExec: gby=[{}], {}", keys.join(", "), text(columns))
    }
}

impl ExecutionPlan for WindowExec {
    fn name(&self) -> &str {
        "RunningWindowExec"
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![match self.shape.order {
            Some(_) => Distribution::SinglePartition,
            None => Distribution::UnspecifiedDistribution,
        }]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.shape.order.clone().map(OrderingRequirements::from)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self::new(input, self.shape.clone()))),
            Err(_) => internal_err!("a window has one input"),
        }
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("a window is one partition");
        }
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let mut running = Running::new(&self.shape, &self.input.schema(), self.schema(), &context)?;
        let rows = in_order(&self.input, &context).map(move |batch| {
            let batch = batch?;
            let _timer = metrics.elapsed_compute().timer();
            running.next(&batch).record_output(&metrics)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// The rows of all partitions, one after the other. Other threads make some of them ahead.
fn in_order(
    input: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> impl Stream<Item = Result<RecordBatch>> + Send + use<> {
    let partitions = input.output_partitioning().partition_count();
    let streams: Vec<SendableRecordBatchStream> = (0..partitions)
        .map(|partition| {
            let mut builder = RecordBatchReceiverStream::builder(input.schema(), AHEAD);
            let (input, context, sender) = (input.clone(), context.clone(), builder.tx());
            builder.spawn(async move {
                let mut rows = input.execute(partition, context)?;
                while let Some(batch) = rows.next().await {
                    // Nobody listens after an error, or when no more rows are wanted.
                    if sender.send(batch).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
            builder.build()
        })
        .collect();
    stream::iter(streams).flatten()
}

/// The groups and what is known of them.
struct Running {
    keys: Vec<usize>,
    columns: Vec<(Option<usize>, Box<dyn State>)>,
    drop_missing: bool,
    schema: SchemaRef,
    known: Option<Box<dyn GroupValues>>,
    groups: Vec<usize>,
    memory: MemoryReservation,
}

impl Running {
    fn new(
        shape: &Shape,
        input: &Schema,
        schema: SchemaRef,
        context: &TaskContext,
    ) -> Result<Self> {
        let keys = shape
            .keys
            .iter()
            .map(|name| Ok(input.index_of(name)?))
            .collect::<Result<Vec<usize>>>()?;
        let columns = shape
            .columns
            .iter()
            .map(|column| {
                let place = match &column.column {
                    Some(name) => Some(input.index_of(name)?),
                    None => None,
                };
                let data_type = place.map(|place| input.field(place).data_type());
                Ok((place, state(&column.function, data_type)?))
            })
            .collect::<Result<_>>()?;
        let known = match keys.is_empty() {
            true => None,
            false => {
                let own = Arc::new(input.project(&keys)?);
                Some(new_group_values(own, &GroupOrdering::None)?)
            }
        };
        let memory = MemoryConsumer::new("Window").register(context.memory_pool());
        let drop_missing = shape.drop_missing;
        Ok(Self { keys, columns, drop_missing, schema, known, groups: Vec::new(), memory })
    }

    fn next(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let count = self.find_groups(batch)?;
        let mut columns = batch.columns().to_vec();
        for (place, state) in &mut self.columns {
            let values = place.map(|place| batch.column(place));
            columns.push(state.next(values, &self.groups, count)?);
        }
        let states: usize = self.columns.iter().map(|(_, state)| state.size()).sum();
        let known = self.known.as_ref().map_or(0, |known| known.size());
        self.memory.try_resize(states + known)?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    /// Finds the group of each row; how many there are by now.
    fn find_groups(&mut self, batch: &RecordBatch) -> Result<usize> {
        let Some(known) = &mut self.known else {
            self.groups.clear();
            self.groups.resize(batch.num_rows(), 0);
            return Ok(1);
        };
        let keys: Vec<ArrayRef> =
            self.keys.iter().map(|place| batch.column(*place).clone()).collect();
        known.intern(&keys, &mut self.groups)?;
        if self.drop_missing {
            for nulls in keys.iter().filter_map(|key| key.logical_nulls()) {
                for (group, there) in self.groups.iter_mut().zip(nulls.iter()) {
                    if !there {
                        *group = NO_GROUP;
                    }
                }
            }
        }
        Ok(known.len())
    }
}
