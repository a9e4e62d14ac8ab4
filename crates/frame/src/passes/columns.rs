//! Columns that nobody reads are not made.
//!
//! The engine does the same within one of its plans. Parts that several readers share are
//! computed apart, with all columns that they have: here they get those that one of their readers
//! wants.

use std::collections::BTreeSet;

use super::by_order;
use super::shared::is_shareable;
use crate::error::Result;
use crate::plan::{JoinColumn, Keep, Operator, Plan};
use crate::scalar::Scalar;

type Names<'a> = BTreeSet<&'a str>;

/// The plan with fewer columns on the way; those that come out are the same.
pub(crate) fn columns(plan: &Plan) -> Result<Plan> {
    let all = all_of(plan);
    let mut parts = Parts(Vec::new());
    parts.gather(plan, &all);
    let rebuilt = parts.rebuilt(plan, &all)?;
    exactly(rebuilt, plan, &all)
}

/// A part that may have several readers.
struct Part<'a> {
    plan: &'a Plan,
    /// What all of them want of it.
    wanted: Names<'a>,
    rebuilt: Option<Plan>,
}

struct Parts<'a>(Vec<Part<'a>>);

impl<'a> Parts<'a> {
    /// Notes for each part what its readers want.
    fn gather(&mut self, plan: &'a Plan, wanted: &Names<'a>) {
        let mut wanted = wanted.clone();
        if is_shareable(plan) {
            match self.0.iter_mut().find(|part| part.plan == plan) {
                Some(part) if wanted.is_subset(&part.wanted) => return,
                Some(part) => {
                    part.wanted.extend(wanted);
                    wanted = part.wanted.clone();
                }
                None => {
                    self.0.push(Part { plan, wanted: wanted.clone(), rebuilt: None });
                }
            }
        }
        for (input, wanted) in plan.inputs().into_iter().zip(of_inputs(plan, &wanted)) {
            self.gather(input, &wanted);
        }
    }

    /// The plan with at least the columns that are wanted.
    fn rebuilt(&mut self, plan: &'a Plan, wanted: &Names<'a>) -> Result<Plan> {
        let Some(position) = self.0.iter().position(|part| is_shareable(plan) && part.plan == plan)
        else {
            return self.made(plan, wanted);
        };
        if let Some(known) = &self.0[position].rebuilt {
            return Ok(known.clone());
        }
        let wanted = self.0[position].wanted.clone();
        let made = self.made(plan, &wanted)?;
        self.0[position].rebuilt = Some(made.clone());
        Ok(made)
    }

    fn made(&mut self, plan: &'a Plan, wanted: &Names<'a>) -> Result<Plan> {
        let of_inputs = of_inputs(plan, wanted);
        let mut inputs = Vec::with_capacity(of_inputs.len());
        for (input, wanted) in plan.inputs().into_iter().zip(&of_inputs) {
            inputs.push(self.rebuilt(input, wanted)?);
        }
        let kept = |name: &str| wanted.contains(name);
        let mut inputs = inputs.into_iter();
        // Each operator has as many inputs as were rebuilt for it.
        let mut next = || inputs.next().unwrap_or_else(|| plan.clone());
        match plan.operator() {
            Operator::Parquet(_) | Operator::Text(_) | Operator::Memory(_) => Ok(plan.clone()),
            Operator::Project { columns, .. } => {
                let columns = some(columns, |(name, _)| kept(name));
                next().project(columns)
            }
            Operator::Filter { predicate, .. } => next().filter(predicate.clone()),
            Operator::Aggregate { keys, aggregations, drop_missing, .. } => {
                let aggregations = match keys.is_empty() {
                    true => some(aggregations, |each| kept(&each.name)),
                    false => aggregations.iter().filter(|each| kept(&each.name)).cloned().collect(),
                };
                let any_order = !aggregations.iter().any(by_order);
                let input = if any_order { of_any_order(next())? } else { next() };
                input.aggregate(keys.clone(), aggregations, *drop_missing)
            }
            Operator::Join { kind, on, output, .. } => {
                let output = some(output, |(name, _)| kept(name));
                let left = of_any_order(next())?;
                left.join(of_any_order(next())?, *kind, on.clone(), output)
            }
            Operator::Sort { keys, limit, stable, .. } => {
                next().sort(keys.clone(), *limit, *stable)
            }
            Operator::Limit { offset, count, .. } => Ok(next().limit(*offset, *count)),
            Operator::Distinct { subset, keep, .. } => next().distinct(subset.clone(), *keep),
            Operator::RowNumber { name, .. } if kept(name) => next().row_number(name.clone()),
            Operator::RowNumber { .. } => Ok(next()),
            Operator::Lookup { keys, columns, .. } => {
                let columns: Vec<_> =
                    columns.iter().filter(|(name, _)| kept(name)).cloned().collect();
                let (input, table) = (next(), next());
                match columns.is_empty() {
                    true => Ok(input),
                    false => input.lookup(of_any_order(table)?, keys.clone(), columns),
                }
            }
            Operator::Window { keys, columns, drop_missing, .. } => {
                let columns: Vec<_> =
                    columns.iter().filter(|each| kept(&each.name)).cloned().collect();
                match columns.is_empty() {
                    true => Ok(next()),
                    false => next().window(keys.clone(), columns, *drop_missing),
                }
            }
            Operator::Concat { inputs } => {
                let inputs = inputs
                    .iter()
                    .map(|input| exactly(next(), input, wanted))
                    .collect::<Result<_>>()?;
                Plan::concat(inputs)
            }
            Operator::Bind { values, .. } => {
                let input = next();
                let values = values
                    .iter()
                    .map(|(name, value)| {
                        Ok((name.clone(), exactly(next(), value, &all_of(value))?))
                    })
                    .collect::<Result<_>>()?;
                input.bind(values)
            }
            Operator::Sql { tables, .. } => {
                let tables = tables
                    .iter()
                    .map(|(_, table)| exactly(next(), table, &all_of(table)))
                    .collect::<Result<_>>()?;
                Ok(plan.with_inputs(tables))
            }
        }
    }
}

/// The plan where nobody asks for the order of its rows: of equal rows any one will do then.
fn of_any_order(plan: Plan) -> Result<Plan> {
    Ok(match plan.operator() {
        Operator::Distinct { input, subset, keep: Keep::First | Keep::Last } => {
            let mut columns = input.schema().fields().iter();
            if columns.all(|field| subset.contains(field.name())) {
                input.clone().distinct(subset.clone(), Keep::Any)?
            } else {
                plan
            }
        }
        Operator::Project { input, columns } => {
            of_any_order(input.clone())?.project(columns.clone())?
        }
        Operator::Filter { input, predicate } => {
            of_any_order(input.clone())?.filter(predicate.clone())?
        }
        Operator::Sort { input, limit: None, .. } => of_any_order(input.clone())?,
        _ => plan,
    })
}

/// What an operator reads of each of its inputs.
fn of_inputs<'a>(plan: &'a Plan, wanted: &Names<'a>) -> Vec<Names<'a>> {
    let with = |more: &mut dyn Iterator<Item = &'a str>| {
        let mut names = wanted.clone();
        names.extend(more);
        vec![names]
    };
    match plan.operator() {
        Operator::Parquet(_) | Operator::Text(_) | Operator::Memory(_) => Vec::new(),
        Operator::Project { columns, .. } => {
            let mut names = Names::new();
            for (_, scalar) in some_of(columns, |(name, _)| wanted.contains(name.as_str())) {
                add_columns(scalar, &mut names);
            }
            vec![names]
        }
        Operator::Filter { predicate, .. } => {
            let mut names = wanted.clone();
            add_columns(predicate, &mut names);
            vec![names]
        }
        Operator::Aggregate { keys, aggregations, .. } => {
            let mut names: Names<'a> = keys.iter().map(String::as_str).collect();
            let chosen = some_of(aggregations, |each| wanted.contains(each.name.as_str()));
            names.extend(chosen.into_iter().filter_map(|each| each.column.as_deref()));
            vec![names]
        }
        Operator::Join { on, output, .. } => {
            let mut left: Names<'a> = on.iter().map(|(left, _)| left.as_str()).collect();
            let mut right: Names<'a> = on.iter().map(|(_, right)| right.as_str()).collect();
            for (_, source) in some_of(output, |(name, _)| wanted.contains(name.as_str())) {
                match source {
                    JoinColumn::Left(name) => {
                        left.insert(name);
                    }
                    JoinColumn::Right(name) => {
                        right.insert(name);
                    }
                    JoinColumn::Key(_) => {}
                }
            }
            vec![left, right]
        }
        Operator::Sort { keys, .. } => with(&mut keys.iter().map(|key| key.column.as_str())),
        Operator::Limit { .. } => vec![wanted.clone()],
        Operator::Distinct { input, keep: Keep::Any, .. } => vec![all_of(input)],
        Operator::Distinct { subset, .. } => with(&mut subset.iter().map(String::as_str)),
        Operator::RowNumber { name, .. } => {
            let mut names = wanted.clone();
            names.remove(name.as_str());
            vec![names]
        }
        Operator::Lookup { keys, columns, .. } => {
            let mut names = wanted.clone();
            let mut of_table: Names<'a> = keys.iter().map(|(_, name)| name.as_str()).collect();
            for (name, source) in columns {
                if names.remove(name.as_str()) {
                    of_table.insert(source);
                }
            }
            if of_table.len() > keys.len() {
                names.extend(keys.iter().map(|(own, _)| own.as_str()));
            }
            vec![names, of_table]
        }
        Operator::Window { keys, columns, .. } => {
            let (own, before): (Vec<_>, Vec<_>) =
                columns.iter().partition(|each| wanted.contains(each.name.as_str()));
            let mut names = wanted.clone();
            for each in own.iter().chain(&before) {
                names.remove(each.name.as_str());
            }
            if !own.is_empty() {
                names.extend(keys.iter().map(String::as_str));
                names.extend(own.iter().filter_map(|each| each.column.as_deref()));
            }
            vec![names]
        }
        Operator::Concat { inputs } => inputs.iter().map(|_| wanted.clone()).collect(),
        Operator::Bind { values, .. } => {
            let values = values.iter().map(|(_, value)| all_of(value));
            std::iter::once(wanted.clone()).chain(values).collect()
        }
        Operator::Sql { tables, .. } => tables.iter().map(|(_, table)| all_of(table)).collect(),
    }
}

fn all_of(plan: &Plan) -> Names<'_> {
    plan.schema().fields().iter().map(|field| field.name().as_str()).collect()
}

fn add_columns<'a>(scalar: &'a Scalar, names: &mut Names<'a>) {
    scalar.columns(&mut |name| {
        names.insert(name);
    });
}

/// Those of several for which a condition holds, and the first one if it holds for none: a
/// relation without columns has lost the number of its rows.
fn some_of<T>(all: &[T], condition: impl Fn(&T) -> bool) -> Vec<&T> {
    let found: Vec<&T> = all.iter().filter(|each| condition(each)).collect();
    if found.is_empty() { all.iter().take(1).collect() } else { found }
}

fn some<T: Clone>(all: &[T], condition: impl Fn(&T) -> bool) -> Vec<T> {
    some_of(all, condition).into_iter().cloned().collect()
}

/// The columns of `before` that are wanted, in their order, and no others.
fn exactly(plan: Plan, before: &Plan, wanted: &Names<'_>) -> Result<Plan> {
    let chosen = some_of(before.schema().fields(), |field| wanted.contains(field.name().as_str()));
    let names: Vec<String> = chosen.into_iter().map(|field| field.name().clone()).collect();
    let there = plan.schema().fields().iter().map(|field| field.name());
    if there.eq(&names) {
        return Ok(plan);
    }
    plan.select(&names)
}
