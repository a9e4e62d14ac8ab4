//! What a plan has more than once is computed once.

use crate::error::Result;
use crate::memory::Memory;
use crate::plan::{Operator, Plan};
use crate::run::Session;

/// The plan with each expensive part that it has several times replaced by that part's rows.
pub(crate) async fn compute_shared(session: &Session, plan: &Plan) -> Result<Plan> {
    let mut plan = plan.clone();
    // The innermost parts first: they may be in several of the outer ones.
    while let Some(part) = innermost(&plan) {
        let rows = session.part(&part).await?;
        let rows = Plan::memory(Memory::new(&rows.schema, vec![rows.batches])?);
        plan = replace(&plan, &part, &rows);
    }
    Ok(plan)
}

/// An expensive part that occurs twice and holds no other such part.
fn innermost(plan: &Plan) -> Option<Plan> {
    let mut seen: Vec<(Plan, usize)> = Vec::new();
    count(plan, &mut seen);
    let twice: Vec<Plan> =
        seen.into_iter().filter(|(_, times)| *times > 1).map(|(plan, _)| plan).collect();
    let inside =
        |outer: &Plan, inner: &Plan| outer.inputs().iter().any(|input| holds(input, inner));
    twice.iter().find(|part| !twice.iter().any(|other| inside(part, other))).cloned()
}

fn holds(plan: &Plan, part: &Plan) -> bool {
    plan == part || plan.inputs().iter().any(|input| holds(input, part))
}

fn count(plan: &Plan, seen: &mut Vec<(Plan, usize)>) {
    if expensive(plan) {
        match seen.iter_mut().find(|(known, _)| known == plan) {
            // What is in it was counted with the first one.
            Some((_, times)) => {
                *times += 1;
                return;
            }
            None => seen.push((plan.clone(), 1)),
        }
    }
    plan.inputs().into_iter().for_each(|input| count(input, seen));
}

fn expensive(plan: &Plan) -> bool {
    // What a parameter stands for is not known yet.
    is_shareable(plan) && plan.parameters().is_empty() && !super::has_parameters(plan)
}

/// Whether computing a part once is better than doing so for each of its readers.
pub(super) fn is_shareable(plan: &Plan) -> bool {
    match plan.operator() {
        Operator::Aggregate { .. } | Operator::Join { .. } | Operator::Distinct { .. } => true,
        Operator::Sql { .. } => true,
        Operator::Sort { limit, .. } => limit.is_some(),
        _ => false,
    }
}

pub(super) fn replace(plan: &Plan, part: &Plan, rows: &Plan) -> Plan {
    if plan == part {
        return rows.clone();
    }
    let inputs = plan.inputs().into_iter().map(|input| replace(input, part, rows)).collect();
    plan.with_inputs(inputs)
}
