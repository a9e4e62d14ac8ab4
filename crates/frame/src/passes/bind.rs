//! Values in the place of parameters.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::shared::replace;
use crate::error::{FrameError, Result};
use crate::plan::{Operator, Plan};
use crate::run::{Batches, Session};
use crate::scalar::{Literal, Scalar};

/// The plan with each parameter as the value that its own plan gives.
pub(crate) async fn bind(session: &Session, plan: &Plan) -> Result<Plan> {
    let mut plan = plan.clone();
    while let Some(node) = innermost(&plan) {
        let Operator::Bind { input, values } = node.operator() else { break };
        let mut known = Vec::with_capacity(values.len());
        for (name, value) in values {
            known.push((name.as_str(), only_value(name, &session.part(value).await?)?));
        }
        let bound = with_values(input, &|name| {
            known.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone())
        });
        plan = replace(&plan, &node, &bound);
    }
    Ok(plan)
}

/// The plan with some value of the right type in the place of each parameter, to look at.
pub(crate) fn bind_anything(plan: &Plan) -> Plan {
    match plan.operator() {
        Operator::Bind { input, .. } => {
            bind_anything(&with_values(input, &|_| Some(Scalar::Literal(Literal::Integer(0)))))
        }
        _ => {
            let inputs = plan.inputs().into_iter().map(bind_anything).collect();
            plan.with_inputs(inputs)
        }
    }
}

/// A node of parameters whose inputs hold no other such node.
fn innermost(plan: &Plan) -> Option<Plan> {
    if let Some(found) = plan.inputs().into_iter().find_map(innermost) {
        return Some(found);
    }
    matches!(plan.operator(), Operator::Bind { .. }).then(|| plan.clone())
}

fn with_values(plan: &Plan, value: &dyn Fn(&str) -> Option<Scalar>) -> Plan {
    let inputs = plan.inputs().into_iter().map(|input| with_values(input, value)).collect();
    plan.with_inputs(inputs).with_scalars(&|scalar| scalar.with_parameters(value))
}

/// The value of a relation of one row and one column.
fn only_value(name: &str, rows: &Batches) -> Result<Scalar> {
    let found: Vec<_> = rows.batches.iter().filter(|batch| batch.num_rows() > 0).collect();
    let [batch] = found.as_slice() else { return Err(no_value(name, rows.rows())) };
    if batch.num_rows() != 1 || batch.num_columns() != 1 {
        return Err(no_value(name, rows.rows()));
    }
    let column = batch.column(0);
    let literal = match column.data_type() {
        _ if column.is_null(0) => Literal::Missing,
        DataType::Int64 => Literal::Integer(column.as_primitive::<Int64Type>().value(0)),
        DataType::Float64 => Literal::float(column.as_primitive::<Float64Type>().value(0)),
        other => {
            return Err(FrameError::unsupported("a computed value", format!("of {other}")));
        }
    };
    Ok(Scalar::Literal(literal))
}

fn no_value(name: &str, rows: usize) -> FrameError {
    FrameError::Invalid {
        operation: "a computed value",
        detail: format!("{name:?} should be one value, and there are {rows} rows"),
    }
}
