//! Limits where rows are sorted: the first rows of an order need no more memory than themselves.

use crate::plan::{Operator, Plan};

/// The plan with each limit as part of the sort that it is over, where nothing but columns is between.
pub(crate) fn limits(plan: &Plan) -> Plan {
    let inputs = plan.inputs().into_iter().map(limits).collect();
    let plan = plan.with_inputs(inputs);
    if let Operator::Limit { input, offset, count } = plan.operator()
        && let Some(input) = limited(input, offset.saturating_add(*count))
    {
        return plan.with_inputs(vec![input]);
    }
    plan
}

fn limited(plan: &Plan, count: usize) -> Option<Plan> {
    match plan.operator() {
        Operator::Project { input, .. } => Some(plan.with_inputs(vec![limited(input, count)?])),
        Operator::Sort { input, keys, limit, stable } => {
            let limit = Some(limit.map_or(count, |limit| limit.min(count)));
            let operator =
                Operator::Sort { input: input.clone(), keys: keys.clone(), limit, stable: *stable };
            Some(plan.with_operator(operator))
        }
        _ => None,
    }
}
