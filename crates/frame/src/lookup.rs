//! Columns of a table with one row for each key, beside the rows that have these keys.
//!
//! It is a join that keeps every row of one side, once and in its place, so that an aggregation of
//! groups can stand beside the rows that it was made of.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, Partitioning};
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use datafusion::physical_plan::metrics::RecordOutput;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use crate::node::{Inputs, Node, Operator};
use crate::row_number;

/// The rows with columns of a table. The pairs of keys are columns of both; no two rows of the table
/// have the same ones.
pub(crate) fn looked_up(
    input: LogicalPlan,
    table: LogicalPlan,
    keys: Vec<(String, String)>,
    columns: Vec<(String, Arc<Field>)>,
) -> Result<LogicalPlan> {
    let is_sorted = row_number::is_sorted(&input);
    let schema = schema_over(&input, &columns)?;
    let node = Lookup { input, table, keys, columns, schema, is_sorted };
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

#[derive(PartialEq, Eq, Hash)]
struct Lookup {
    input: LogicalPlan,
    table: LogicalPlan,
    keys: Vec<(String, String)>,
    /// The columns of the table, each with the field that it becomes.
    columns: Vec<(String, Arc<Field>)>,
    schema: DFSchemaRef,
    is_sorted: bool,
}

fn schema_over(input: &LogicalPlan, columns: &[(String, Arc<Field>)]) -> Result<DFSchemaRef> {
    let fields = input
        .schema()
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
        .chain(columns.iter().map(|(_, field)| (None, field.clone())))
        .collect();
    Ok(Arc::new(DFSchema::new_with_metadata(fields, Default::default())?))
}

impl PartialOrd for Lookup {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.keys.partial_cmp(&other.keys).filter(|order| order.is_ne() || self == other)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        UserDefinedLogicalNodeCore::fmt_for_explain(self, formatter)
    }
}

impl UserDefinedLogicalNodeCore for Lookup {
    fn name(&self) -> &str {
        "Lookup"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input, &self.table]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Lookup: {}", text(&self.keys, &self.columns))
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input, table]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return internal_err!("a lookup has two inputs");
        };
        Ok(Self {
            schema: schema_over(&input, &self.columns)?,
            input,
            table,
            keys: self.keys.clone(),
            columns: self.columns.clone(),
            is_sorted: self.is_sorted,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let (input, table) = (self.input.schema(), self.table.schema());
        let count = input.fields().len();
        let mut read: Vec<usize> =
            output_columns.iter().copied().filter(|place| *place < count).collect();
        let mut looked_at = Vec::new();
        for (own, of_table) in &self.keys {
            read.push(input.index_of_column_by_name(None, own)?);
            looked_at.push(table.index_of_column_by_name(None, of_table)?);
        }
        for (name, _) in &self.columns {
            looked_at.push(table.index_of_column_by_name(None, name)?);
        }
        for places in [&mut read, &mut looked_at] {
            places.sort_unstable();
            places.dedup();
        }
        Some(vec![read, looked_at])
    }
}

fn text(keys: &[(String, String)], columns: &[(String, Arc<Field>)]) -> String {
    let keys: Vec<&str> = keys.iter().map(|(own, _)| own.as_str()).collect();
    let columns: Vec<&str> = columns.iter().map(|(_, field)| field.name().as_str()).collect();
    format!("by {}: {}", keys.join(", "), columns.join(", "))
}

/// Plans the operator.
pub(crate) struct Lookups;

#[async_trait]
impl ExtensionPlanner for Lookups {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _state: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<Lookup>() else { return Ok(None) };
        let [input, table] = physical_inputs else {
            return internal_err!("a lookup has two inputs");
        };
        let order = input.output_ordering().filter(|_| node.is_sorted).cloned();
        let shape = Shape { keys: node.keys.clone(), columns: node.columns.clone(), order };
        let looking = LookingUp { shape: Arc::new(shape), rows: Arc::default() };
        Ok(Some(Node::over(looking, [input.clone(), table.clone()])))
    }
}

#[derive(Debug)]
struct Shape {
    keys: Vec<(String, String)>,
    columns: Vec<(String, Arc<Field>)>,
    /// The order that the input has to come in, as one partition.
    order: Option<LexOrdering>,
}

/// Adds the columns to the rows of the first input, from the table that is the second one.
#[derive(Debug)]
struct LookingUp {
    shape: Arc<Shape>,
    /// The rows of the table, which all partitions look at.
    rows: Arc<OnceCell<Held>>,
}

impl Clone for LookingUp {
    /// The same over other inputs, whose table is to be read.
    fn clone(&self) -> Self {
        Self { shape: self.shape.clone(), rows: Arc::default() }
    }
}

/// Rows of a table, and what they take of the budget.
#[derive(Debug)]
struct Held {
    rows: RecordBatch,
    _memory: MemoryReservation,
}

impl Operator<2> for LookingUp {
    fn name(&self) -> &'static str {
        "LookupExec"
    }

    fn describe(&self, _: &Inputs<2>) -> String {
        text(&self.shape.keys, &self.shape.columns)
    }

    fn properties(&self, [input, _]: &Inputs<2>) -> Arc<PlanProperties> {
        let own = self.shape.columns.iter().map(|(_, field)| field);
        let fields: Vec<Arc<Field>> = input.schema().fields().iter().chain(own).cloned().collect();
        let partitions = input.output_partitioning().partition_count();
        Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            Partitioning::UnknownPartitioning(partitions),
            input.properties().emission_type,
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
        node: &Node<Self, 2>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = node.figures(partition);
        let [input, table] = node.inputs().clone();
        let (cell, shape) = (self.rows.clone(), self.shape.clone());
        let (own, schema) = (input.schema(), node.schema());
        let input = input.execute(partition, context.clone())?;
        let rows = stream::once(async move {
            let held = cell.get_or_try_init(|| collected(table, context.clone())).await?;
            let mut looking = Looking::new(&shape, &own, &held.rows, schema, &context)?;
            Ok::<_, DataFusionError>(input.map(move |batch| {
                let batch = batch?;
                let _timer = metrics.elapsed_compute().timer();
                looking.next(&batch).record_output(&metrics)
            }))
        })
        .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(node.schema(), rows)))
    }
}

async fn collected(table: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Held> {
    let memory = MemoryConsumer::new("Lookup").register(context.memory_pool());
    let mut rows = table.execute(0, context)?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        // Once as batches and once as one.
        memory.try_grow(2 * batch.get_array_memory_size())?;
        batches.push(batch);
    }
    let rows = concat_batches(&table.schema(), &batches)?;
    drop(batches);
    memory.try_resize(rows.get_array_memory_size())?;
    Ok(Held { rows, _memory: memory })
}

/// Where the keys of the table are, and what stands beside them.
struct Looking {
    keys: Vec<usize>,
    known: Box<dyn GroupValues>,
    count: usize,
    columns: Vec<ArrayRef>,
    places: Vec<usize>,
    schema: SchemaRef,
    _memory: MemoryReservation,
}

impl Looking {
    fn new(
        shape: &Shape,
        input: &Schema,
        table: &RecordBatch,
        schema: SchemaRef,
        context: &TaskContext,
    ) -> Result<Self> {
        let of_table = table.schema();
        let (mut keys, mut fields, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (own, name) in &shape.keys {
            let place = input.index_of(own)?;
            keys.push(place);
            fields.push(input.field(place).clone().with_nullable(true));
            values.push(table.column(of_table.index_of(name)?).clone());
        }
        let columns = shape
            .columns
            .iter()
            .map(|(name, _)| Ok(table.column(of_table.index_of(name)?).clone()))
            .collect::<Result<_>>()?;
        let mut known = new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None)?;
        let mut places = Vec::new();
        known.intern(&values, &mut places)?;
        let count = table.num_rows();
        if known.len() != count {
            return internal_err!("a lookup in a table with {count} rows for {} keys", known.len());
        }
        let memory = MemoryConsumer::new("Lookup").register(context.memory_pool());
        memory.try_resize(known.size())?;
        Ok(Self { keys, known, count, columns, places, schema, _memory: memory })
    }

    fn next(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let keys: Vec<ArrayRef> =
            self.keys.iter().map(|place| batch.column(*place).clone()).collect();
        self.known.intern(&keys, &mut self.places)?;
        let count = self.count;
        let places: UInt64Array = self
            .places
            .iter()
            .map(|place| if *place < count { Some(*place as u64) } else { None })
            .collect();
        let mut columns = batch.columns().to_vec();
        for column in &self.columns {
            columns.push(take(column, &places, None)?);
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
