//! Physical operators of our own as nodes of a plan: what they answer alike is said once.

use std::fmt;
use std::sync::Arc;

use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, LexOrdering, OrderingRequirements};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};

/// The inputs of a node.
pub(crate) type Inputs<const N: usize> = [Arc<dyn ExecutionPlan>; N];

/// What is done to `N` inputs. Rows come from the first of them, batch by batch; the others are
/// read whole.
pub(crate) trait Operator<const N: usize>:
    Clone + fmt::Debug + Send + Sync + 'static
{
    /// What plans and errors call it.
    fn name(&self) -> &'static str;

    /// What a plan says of it behind its name.
    fn describe(&self, _inputs: &Inputs<N>) -> String {
        String::new()
    }

    /// The columns, the partitions and the order of the rows that it gives.
    fn properties(&self, inputs: &Inputs<N>) -> Arc<PlanProperties>;

    /// The order that the first input has to come in, as one partition.
    fn order(&self) -> Option<&LexOrdering> {
        None
    }

    /// Whether the rows of a partition keep the order that they have in the first input.
    fn keeps_order(&self) -> bool {
        true
    }

    /// Whether it gives a row for each row of the first input.
    fn keeps_rows(&self) -> bool {
        false
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn execute(
        &self,
        node: &Node<Self, N>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;
}

/// An operator over its inputs.
#[derive(Debug)]
pub(crate) struct Node<O, const N: usize = 1> {
    operator: O,
    inputs: Inputs<N>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl<O: Operator<N>, const N: usize> Node<O, N> {
    pub(crate) fn over(operator: O, inputs: Inputs<N>) -> Arc<dyn ExecutionPlan> {
        let properties = operator.properties(&inputs);
        Arc::new(Self { operator, inputs, properties, metrics: ExecutionPlanMetricsSet::new() })
    }

    pub(crate) fn inputs(&self) -> &Inputs<N> {
        &self.inputs
    }

    /// The figures of a partition.
    pub(crate) fn figures(&self, partition: usize) -> BaselineMetrics {
        BaselineMetrics::new(&self.metrics, partition)
    }

    fn for_first<T: Clone>(of_first: T, of_others: T) -> Vec<T> {
        let mut each = vec![of_others; N];
        if let Some(first) = each.first_mut() {
            *first = of_first;
        }
        each
    }
}

impl<O: Operator<N>, const N: usize> DisplayAs for Node<O, N> {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.operator.name())?;
        match self.operator.describe(&self.inputs) {
            nothing if nothing.is_empty() => Ok(()),
            text => write!(formatter, ": {text}"),
        }
    }
}

impl<O: Operator<N>, const N: usize> ExecutionPlan for Node<O, N> {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        let of_first = match self.operator.order() {
            Some(_) => Distribution::SinglePartition,
            None => Distribution::UnspecifiedDistribution,
        };
        Self::for_first(of_first, Distribution::SinglePartition)
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        Self::for_first(self.operator.order().cloned().map(OrderingRequirements::from), None)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        Self::for_first(self.operator.keeps_order(), false)
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; N]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        match self.operator.keeps_rows() {
            true => CardinalityEffect::Equal,
            false => CardinalityEffect::Unknown,
        }
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for expr in self.operator.expressions() {
            if visit(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match Inputs::<N>::try_from(children) {
            Ok(inputs) => Ok(Self::over(self.operator.clone(), inputs)),
            Err(others) => {
                internal_err!("{} has {N} inputs, not {}", self.operator.name(), others.len())
            }
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
        self.operator.execute(self, partition, context)
    }
}
