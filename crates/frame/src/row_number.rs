//! An operator that numbers rows in their order, without bringing them into one place: the
//! partition's position is the number's upper part. Rows that come out of a sort are in one place
//! already, and their numbers count them from 0.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::StreamExt;

use crate::lookup::Lookups;
use crate::node::{Inputs, Node, Operator};
use crate::window::Windows;

/// Rows of one partition that can be told apart.
const PARTITION_BITS: u32 = 40;

/// The input with a column of numbers that grow from row to row.
pub(crate) fn numbered(input: LogicalPlan, name: &str) -> Result<LogicalPlan> {
    let node = RowNumber::new(input, Arc::from(name))?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

#[derive(PartialEq, Eq, Hash)]
struct RowNumber {
    input: LogicalPlan,
    name: Arc<str>,
    schema: DFSchemaRef,
    is_sorted: bool,
}

impl PartialOrd for RowNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.name.partial_cmp(&other.name).filter(|order| order.is_ne() || self == other)
    }
}

impl RowNumber {
    fn new(input: LogicalPlan, name: Arc<str>) -> Result<Self> {
        let number: Arc<Field> = Arc::new(Field::new(name.as_ref(), DataType::UInt64, false));
        let fields = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), field.clone()))
            .chain([(None, number)])
            .collect();
        let schema = DFSchema::new_with_metadata(fields, Default::default())?;
        let is_sorted = is_sorted(&input);
        Ok(Self { input, name, schema: Arc::new(schema), is_sorted })
    }
}

/// Whether rows come out of a sort.
pub(crate) fn is_sorted(plan: &LogicalPlan) -> bool {
    let mut plan = plan;
    loop {
        plan = match plan {
            LogicalPlan::Sort(_) => return true,
            LogicalPlan::Projection(node) => &node.input,
            LogicalPlan::Filter(node) => &node.input,
            LogicalPlan::SubqueryAlias(node) => &node.input,
            _ => return false,
        };
    }
}

impl fmt::Debug for RowNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        UserDefinedLogicalNodeCore::fmt_for_explain(self, formatter)
    }
}

impl UserDefinedLogicalNodeCore for RowNumber {
    fn name(&self) -> &str {
        "RowNumber"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RowNumber: {}", self.name)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        match <[LogicalPlan; 1]>::try_from(inputs) {
            Ok([input]) => {
                let rebuilt = Self::new(input, self.name.clone())?;
                Ok(Self { is_sorted: self.is_sorted, ..rebuilt })
            }
            Err(_) => internal_err!("RowNumber has one input"),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let columns = self.input.schema().fields().len();
        Some(vec![output_columns.iter().copied().filter(|column| *column < columns).collect()])
    }
}

/// Plans the crate's own operators, beside what DataFusion plans itself.
#[derive(Debug)]
pub(crate) struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![
            Arc::new(Numbers),
            Arc::new(Windows),
            Arc::new(Lookups),
        ])
        .create_physical_plan(plan, state)
        .await
    }
}

struct Numbers;

#[async_trait]
impl ExtensionPlanner for Numbers {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _state: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<RowNumber>() else { return Ok(None) };
        match physical_inputs {
            [input] => {
                let order = input.output_ordering().filter(|_| node.is_sorted).cloned();
                let numbering = Numbering { name: node.name.clone(), order };
                Ok(Some(Node::over(numbering, [input.clone()])))
            }
            _ => internal_err!("RowNumber has one input"),
        }
    }
}

/// Adds the numbers of the rows.
#[derive(Clone, Debug)]
struct Numbering {
    name: Arc<str>,
    /// The order that the input has to come in, as one partition.
    order: Option<LexOrdering>,
}

impl Operator<1> for Numbering {
    fn name(&self) -> &'static str {
        "RowNumberExec"
    }

    fn describe(&self, _: &Inputs<1>) -> String {
        self.name.to_string()
    }

    fn properties(&self, [input]: &Inputs<1>) -> Arc<PlanProperties> {
        let mut fields: Vec<Arc<Field>> = input.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(self.name.as_ref(), DataType::UInt64, false)));
        Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            input.properties().output_partitioning().clone(),
            input.properties().emission_type,
            input.properties().boundedness,
        ))
    }

    fn order(&self) -> Option<&LexOrdering> {
        self.order.as_ref()
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
        let [input] = node.inputs();
        let input = input.execute(partition, context)?;
        let schema = node.schema();
        let mut next = (partition as u64) << PARTITION_BITS;
        let of_batch = schema.clone();
        let stream = input.map(move |batch| {
            let batch = batch?;
            let end = next + batch.num_rows() as u64;
            let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(next..end));
            next = end;
            let columns = batch.columns().iter().cloned().chain([numbers]).collect();
            RecordBatch::try_new(of_batch.clone(), columns).map_err(DataFusionError::from)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}
