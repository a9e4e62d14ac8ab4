//! The operator that computes windows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::UserDefinedLogicalNode;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::metrics::RecordOutput;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{Stream, StreamExt, stream};

use super::states::{NO_GROUP, State, state};
use crate::node::{Inputs, Node, Operator};

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
        let window = Running { shape: Arc::new(shape) };
        Ok(Some(Node::over(window, [input.clone()])))
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

/// Adds the columns that are computed.
#[derive(Clone, Debug)]
struct Running {
    shape: Arc<Shape>,
}

impl Operator<1> for Running {
    fn name(&self) -> &'static str {
        "RunningWindowExec"
    }

    fn describe(&self, _: &Inputs<1>) -> String {
        let Shape { keys, columns, .. } = self.shape.as_ref();
        format!("gby=[{}], {}", keys.join(", "), text(columns))
    }

    fn properties(&self, [input]: &Inputs<1>) -> Arc<PlanProperties> {
        Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema_of(&input.schema(), &self.shape.fields)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            input.properties().boundedness,
        ))
    }

    fn order(&self) -> Option<&LexOrdering> {
        self.shape.order.as_ref()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn execute(
        &self,
        node: &Node<Self>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("a window is one partition");
        }
        let metrics = node.figures(partition);
        let [input] = node.inputs();
        let mut running = Windowed::new(&self.shape, &input.schema(), node.schema(), &context)?;
        let rows = in_order(input, &context).map(move |batch| {
            let batch = batch?;
            let _timer = metrics.elapsed_compute().timer();
            running.next(&batch).record_output(&metrics)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(node.schema(), rows)))
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
struct Windowed {
    keys: Vec<usize>,
    columns: Vec<(Option<usize>, Box<dyn State>)>,
    drop_missing: bool,
    schema: SchemaRef,
    known: Option<Box<dyn GroupValues>>,
    groups: Vec<usize>,
    memory: MemoryReservation,
}

impl Windowed {
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
