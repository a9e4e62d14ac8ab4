//! Conditions as near to the rows' source as they can get.

use crate::error::Result;
use crate::plan::{JoinColumn, JoinKind, Operator, Plan};
use crate::scalar::Scalar;

/// The plan with each condition where it applies first; at a file it becomes part of the scan,
/// where the statistics of row groups and pages tell what need not be read.
pub(crate) fn pushdown(plan: &Plan) -> Result<Plan> {
    push(plan, Vec::new())
}

/// The rows of `plan` that fulfil `conditions`.
fn push(plan: &Plan, mut conditions: Vec<Scalar>) -> Result<Plan> {
    match plan.operator() {
        Operator::Filter { input, predicate } => {
            // The condition that stands nearer to the source is judged first.
            let mut all = predicate.conjuncts();
            all.append(&mut conditions);
            push(input, all)
        }
        Operator::Parquet(scan) => Ok(match Scalar::all(conditions) {
            None => plan.clone(),
            Some(predicate) => Plan::parquet(scan.with_predicate(predicate)),
        }),
        Operator::Project { input, columns } => {
            let (below, above): (Vec<_>, Vec<_>) =
                conditions.into_iter().partition(|condition| cheap(condition, columns));
            let value = |name: &str| {
                columns.iter().find(|(own, _)| own == name).map(|(_, scalar)| scalar.clone())
            };
            let below = below.iter().map(|condition| condition.replace(&value)).collect();
            keep(plan.with_inputs(vec![push(input, below)?]), above)
        }
        Operator::Sort { input, limit: None, .. } => {
            Ok(plan.with_inputs(vec![push(input, conditions)?]))
        }
        Operator::Concat { inputs } => {
            let inputs = inputs
                .iter()
                .map(|input| push(input, conditions.clone()))
                .collect::<Result<_>>()?;
            Ok(plan.with_inputs(inputs))
        }
        Operator::Aggregate { input, keys, .. } if !keys.is_empty() => {
            let of_keys =
                |condition: &Scalar| only(condition, &|name| keys.iter().any(|key| key == name));
            let (below, above) = conditions.into_iter().partition(of_keys);
            keep(plan.with_inputs(vec![push(input, below)?]), above)
        }
        Operator::Join { left, right, kind, on, output } => {
            let mut sides = (Vec::new(), Vec::new(), Vec::new());
            for condition in conditions {
                if let Some(condition) = to_left(&condition, *kind, on, output) {
                    sides.0.push(condition);
                } else if let Some(condition) = to_right(&condition, *kind, on, output) {
                    sides.1.push(condition);
                } else {
                    sides.2.push(condition);
                }
            }
            keep(plan.with_inputs(vec![push(left, sides.0)?, push(right, sides.1)?]), sides.2)
        }
        _ => {
            let inputs = plan
                .inputs()
                .into_iter()
                .map(|input| push(input, Vec::new()))
                .collect::<Result<_>>()?;
            keep(plan.with_inputs(inputs), conditions)
        }
    }
}

fn keep(plan: Plan, conditions: Vec<Scalar>) -> Result<Plan> {
    match Scalar::all(conditions) {
        None => Ok(plan),
        Some(predicate) => plan.filter(predicate),
    }
}

fn only(condition: &Scalar, known: &dyn Fn(&str) -> bool) -> bool {
    let mut all = true;
    condition.columns(&mut |name| all &= known(name));
    all
}

/// Whether the condition reads columns that cost nothing to compute a second time.
fn cheap(condition: &Scalar, columns: &[(String, Scalar)]) -> bool {
    only(condition, &|name| {
        columns.iter().any(|(own, scalar)| own == name && matches!(scalar, Scalar::Column(_)))
    })
}

/// The condition over the left side, if it is of that side alone and may be judged before.
fn to_left(
    condition: &Scalar,
    kind: JoinKind,
    on: &[(String, String)],
    output: &[(String, JoinColumn)],
) -> Option<Scalar> {
    if matches!(kind, JoinKind::Right | JoinKind::Outer) {
        return None;
    }
    replaced(condition, output, &|source| match source {
        JoinColumn::Left(name) => Some(name.clone()),
        JoinColumn::Key(position) => on.get(*position).map(|(left, _)| left.clone()),
        JoinColumn::Right(_) => None,
    })
}

/// The same for the right side.
fn to_right(
    condition: &Scalar,
    kind: JoinKind,
    on: &[(String, String)],
    output: &[(String, JoinColumn)],
) -> Option<Scalar> {
    if !matches!(kind, JoinKind::Right | JoinKind::Inner) {
        return None;
    }
    replaced(condition, output, &|source| match source {
        JoinColumn::Right(name) => Some(name.clone()),
        JoinColumn::Key(position) if kind == JoinKind::Right => {
            on.get(*position).map(|(_, right)| right.clone())
        }
        _ => None,
    })
}

fn replaced(
    condition: &Scalar,
    output: &[(String, JoinColumn)],
    of_side: &dyn Fn(&JoinColumn) -> Option<String>,
) -> Option<Scalar> {
    let column = |name: &str| {
        let (_, source) = output.iter().find(|(own, _)| own == name)?;
        of_side(source).map(Scalar::Column)
    };
    let known = only(condition, &|name| column(name).is_some());
    known.then(|| condition.replace(&column))
}
