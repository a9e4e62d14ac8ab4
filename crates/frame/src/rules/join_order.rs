//! The order of inner joins, by dynamic programming over the sets of relations that conditions connect.
//!
//! The cost of an order is the number of rows that its joins read and make, as Selinger and others have it (Access
//! path selection in a relational database management system, 1979; Moerkotte and Neumann, Analysis of two existing
//! and one new dynamic programming algorithm, 2006). An order is only changed for one that is much cheaper, since
//! what is known of sizes is little.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinConstraint, JoinType, NullEquality, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, SubqueryAlias};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::estimate;

/// The most relations whose orders are all looked at.
const MOST_RELATIONS: usize = 10;
/// Another order has to cost at most this share of the one that was asked for.
const GAIN: f64 = 0.75;
/// What it costs to put a row into a hash table, when looking one up is 1.
const BUILD: f64 = 2.0;
/// The qualifier of relations, so that no two columns have one name.
const QUALIFIER: &str = "\u{1}relation";

#[derive(Debug)]
pub(super) struct JoinOrder;

impl OptimizerRule for JoinOrder {
    fn name(&self) -> &str {
        "join_order"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        reordered(plan)
    }
}

fn reordered(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if is_chained(&plan)
        && let Some(mut chain) = Chain::of(&plan)?
    {
        let mut changed = false;
        for relation in &mut chain.relations {
            let inner = reordered(relation.clone())?;
            changed |= inner.transformed;
            *relation = inner.data;
        }
        return match chain.best()? {
            Some(best) => Ok(Transformed::yes(best)),
            // The relations of the chain are below it, at the ends of its joins.
            None if changed => plan.map_children(reordered),
            None => Ok(Transformed::no(plan)),
        };
    }
    plan.map_children(reordered)
}

fn is_chained(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join)
        if join.join_type == JoinType::Inner
            && join.null_equality == NullEquality::NullEqualsNothing
            && !join.null_aware)
}

/// A join of two parts of a chain, or one of its relations.
enum Tree {
    Relation(usize),
    Join(Box<Tree>, Box<Tree>),
}

/// Inner joins that may be done in any order.
struct Chain {
    relations: Vec<LogicalPlan>,
    tree: Tree,
    /// Expressions that are equal to each other, each with its relation.
    classes: Vec<Vec<(usize, Expr)>>,
    /// For each of them the number of its values and of its table's rows, where they are known.
    sizes: Vec<Vec<Option<(f64, f64)>>>,
    /// Conditions of several relations that are no equalities.
    conditions: Vec<(u32, Expr)>,
    /// The columns that come out, each by the name that it has in the chain.
    output: Vec<(Column, Column)>,
}

/// What is known of a set of relations.
#[derive(Clone, Copy)]
struct Known {
    rows: f64,
    cost: f64,
    /// One side of the cheapest join; 0 for a relation.
    left: u32,
}

#[derive(Default)]
struct Collected {
    relations: Vec<LogicalPlan>,
    equalities: Vec<(Expr, Expr)>,
    conditions: Vec<Expr>,
}

impl Chain {
    fn of(plan: &LogicalPlan) -> Result<Option<Self>> {
        let mut collected = Collected::default();
        let Some((tree, columns)) = collected.flatten(plan)? else { return Ok(None) };
        let Collected { relations, equalities, conditions } = collected;
        if !(3..=MOST_RELATIONS).contains(&relations.len()) {
            return Ok(None);
        }
        let output = plan.schema().columns().into_iter().zip(columns).collect();
        let mut chain = Self {
            relations,
            tree,
            classes: Vec::new(),
            sizes: Vec::new(),
            conditions: Vec::new(),
            output,
        };
        for (left, right) in equalities {
            let (Some(mine), Some(theirs)) = (chain.relation_of(&left), chain.relation_of(&right))
            else {
                return Ok(None);
            };
            chain.equate((mine, left), (theirs, right));
        }
        for class in &chain.classes {
            let mut seen = 0_u32;
            for (relation, _) in class {
                if seen & 1 << relation != 0 {
                    return Ok(None);
                }
                seen |= 1 << relation;
            }
        }
        let size = |(relation, expr): &(usize, Expr)| {
            let plan = &chain.relations[*relation];
            let expr = unqualified(expr).ok()?;
            estimate::values(plan, &expr).zip(estimate::rows_of_table(plan, &expr))
        };
        chain.sizes = chain.classes.iter().map(|class| class.iter().map(size).collect()).collect();
        for condition in conditions {
            let Some(set) = chain.relations_of(&condition) else { return Ok(None) };
            chain.conditions.push((set, condition));
        }
        Ok(Some(chain))
    }

    fn relations_of(&self, expr: &Expr) -> Option<u32> {
        let mut set = 0;
        // The order of the columns does not matter for a set.
        #[allow(clippy::iter_over_hash_type)]
        for column in expr.column_refs() {
            let number = column.relation.as_ref()?.table().strip_prefix(QUALIFIER)?;
            set |= 1 << number.parse::<usize>().ok()?;
        }
        Some(set)
    }

    fn relation_of(&self, expr: &Expr) -> Option<usize> {
        let set = self.relations_of(expr)?;
        (set.count_ones() == 1).then(|| set.trailing_zeros() as usize)
    }

    fn equate(&mut self, left: (usize, Expr), right: (usize, Expr)) {
        let mut class = vec![left, right];
        let mut others = Vec::with_capacity(self.classes.len() + 1);
        for other in self.classes.drain(..) {
            if other.iter().any(|member| class.contains(member)) {
                for member in other {
                    if !class.contains(&member) {
                        class.push(member);
                    }
                }
            } else {
                others.push(other);
            }
        }
        // Its members in a fixed order, for a plan that is always the same.
        class.dedup();
        others.push(class);
        self.classes = others;
    }

    /// The chain in its cheapest order, if that is much cheaper than the one that it has.
    fn best(&self) -> Result<Option<LogicalPlan>> {
        let Some(known) = self.all() else { return Ok(None) };
        let whole = (1_u32 << self.relations.len()) - 1;
        let Some(best) = known[whole as usize] else { return Ok(None) };
        let Some((_, asked)) = self.cost_of(&self.tree, &known) else { return Ok(None) };
        if best.cost > asked.cost * GAIN {
            return Ok(None);
        }
        let mut open: Vec<&(u32, Expr)> = self.conditions.iter().collect();
        let joined = self.build(whole, &known, &mut open)?;
        let columns = self
            .output
            .iter()
            .map(|(name, own)| {
                Expr::Column(own.clone()).alias_qualified(name.relation.clone(), name.name.as_str())
            })
            .collect();
        Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(joined))?)))
    }

    /// What is known of each set of relations, by the bits of the relations.
    fn all(&self) -> Option<Vec<Option<Known>>> {
        let count = self.relations.len();
        let mut known: Vec<Option<Known>> = vec![None; 1 << count];
        for (position, relation) in self.relations.iter().enumerate() {
            let rows = estimate::rows(relation)?;
            known[1 << position] = Some(Known { rows, cost: 0.0, left: 0 });
        }
        for set in 1_u32..1 << count {
            if set.count_ones() < 2 {
                continue;
            }
            let lowest = set & set.wrapping_neg();
            let mut best: Option<Known> = None;
            // Each way to part the set, once: the part with the lowest relation goes first.
            let mut left = (set - 1) & set;
            while left != 0 {
                if left & lowest != 0
                    && let (Some(one), Some(other)) =
                        (known[left as usize], known[(set ^ left) as usize])
                    && let Some(joined) = self.join(left, one, set ^ left, other)
                    && best.is_none_or(|best| joined.cost < best.cost)
                {
                    best = Some(joined);
                }
                left = (left - 1) & set;
            }
            known[set as usize] = best;
        }
        Some(known)
    }

    /// The join of two sets, if a condition connects them.
    fn join(&self, left: u32, mine: Known, right: u32, theirs: Known) -> Option<Known> {
        let mut divisor = 1.0;
        let (mut most_left, mut most_right) = (1.0_f64, 1.0_f64);
        let mut connected = false;
        for (class, sizes) in self.classes.iter().zip(&self.sizes) {
            let least = |set: u32| {
                class
                    .iter()
                    .zip(sizes)
                    .filter(|((relation, _), _)| set & 1 << relation != 0)
                    .filter_map(|(_, size)| *size)
                    .min_by(|one, other| one.0.total_cmp(&other.0))
            };
            if let (Some(one), Some(other)) = (least(left), least(right)) {
                connected = true;
                divisor *= one.0.min(other.0);
                most_left = most_left.max(one.1);
                most_right = most_right.max(other.1);
            }
        }
        if !connected {
            return None;
        }
        // Several keys together are no more different than the smaller table has rows.
        let divisor = divisor.min(most_left.min(most_right)).max(1.0);
        let both = left | right;
        let decided = self
            .conditions
            .iter()
            .filter(|(set, _)| set & both == *set && set & left != *set && set & right != *set)
            .count();
        let rows = (mine.rows * theirs.rows / divisor * 0.5_f64.powi(decided as i32)).max(1.0);
        let (small, large) = match mine.rows < theirs.rows {
            true => (mine.rows, theirs.rows),
            false => (theirs.rows, mine.rows),
        };
        let cost = mine.cost + theirs.cost + rows + BUILD * small + large;
        Some(Known { rows, cost, left })
    }

    /// The set of a tree, and what its order costs.
    fn cost_of(&self, tree: &Tree, known: &[Option<Known>]) -> Option<(u32, Known)> {
        match tree {
            Tree::Relation(position) => Some((1 << position, known[1 << position]?)),
            Tree::Join(left, right) => {
                let (left, mine) = self.cost_of(left, known)?;
                let (right, theirs) = self.cost_of(right, known)?;
                Some((left | right, self.join(left, mine, right, theirs)?))
            }
        }
    }

    fn build(
        &self,
        set: u32,
        known: &[Option<Known>],
        open: &mut Vec<&(u32, Expr)>,
    ) -> Result<LogicalPlan> {
        let Some(own) = known[set as usize] else {
            return datafusion::common::internal_err!("a set of relations that nothing connects");
        };
        if own.left == 0 {
            let position = set.trailing_zeros() as usize;
            return aliased(&self.relations[position], position);
        }
        let rows = |set: u32| known[set as usize].map_or(f64::MAX, |known| known.rows);
        // The engine keeps the left side in memory where it does not know sizes itself.
        let (left, right) = match rows(own.left) <= rows(set ^ own.left) {
            true => (own.left, set ^ own.left),
            false => (set ^ own.left, own.left),
        };
        let mut on = Vec::new();
        for class in &self.classes {
            let member = |set: u32| class.iter().find(|(relation, _)| set & 1 << relation != 0);
            if let (Some((_, mine)), Some((_, theirs))) = (member(left), member(right)) {
                on.push((mine.clone(), theirs.clone()));
            }
        }
        let built_left = self.build(left, known, open)?;
        let built_right = self.build(right, known, open)?;
        let mut decided = Vec::new();
        open.retain(|(needs, condition)| {
            let now = needs & set == *needs;
            if now {
                decided.push(condition.clone());
            }
            !now
        });
        Ok(LogicalPlan::Join(Join::try_new(
            Arc::new(built_left),
            Arc::new(built_right),
            on,
            conjunction(decided),
            JoinType::Inner,
            JoinConstraint::On,
            NullEquality::NullEqualsNothing,
            false,
        )?))
    }
}

impl Collected {
    /// Takes a plan apart; its columns by their names in the chain. None where that cannot be done.
    fn flatten(&mut self, plan: &LogicalPlan) -> Result<Option<(Tree, Vec<Column>)>> {
        match plan {
            LogicalPlan::Join(join) if is_chained(plan) => {
                let Some((left, mut columns)) = self.flatten(&join.left)? else { return Ok(None) };
                let Some((right, theirs)) = self.flatten(&join.right)? else { return Ok(None) };
                columns.extend(theirs);
                for (mine, other) in &join.on {
                    let mine = renamed(mine, plan, &columns)?;
                    self.equalities.push((mine, renamed(other, plan, &columns)?));
                }
                if let Some(filter) = &join.filter {
                    let filter = renamed(filter, plan, &columns)?;
                    self.conditions.extend(split_conjunction_owned(filter));
                }
                Ok(Some((Tree::Join(Box::new(left), Box::new(right)), columns)))
            }
            LogicalPlan::Projection(projection) if leads_to_chain(&projection.input) => {
                let positions: Option<Vec<usize>> = projection
                    .expr
                    .iter()
                    .map(|expr| {
                        let expr = match expr {
                            Expr::Alias(alias) => alias.expr.as_ref(),
                            other => other,
                        };
                        let Expr::Column(column) = expr else { return None };
                        projection.input.schema().index_of_column(column).ok()
                    })
                    .collect();
                match positions {
                    None => self.relation(plan),
                    Some(positions) => {
                        let Some((tree, columns)) = self.flatten(&projection.input)? else {
                            return Ok(None);
                        };
                        let columns = positions.iter().map(|at| columns[*at].clone()).collect();
                        Ok(Some((tree, columns)))
                    }
                }
            }
            LogicalPlan::SubqueryAlias(alias) if leads_to_chain(&alias.input) => {
                self.flatten(&alias.input)
            }
            _ => self.relation(plan),
        }
    }

    fn relation(&mut self, plan: &LogicalPlan) -> Result<Option<(Tree, Vec<Column>)>> {
        let position = self.relations.len();
        let plan = match plan {
            LogicalPlan::SubqueryAlias(alias) if alias.alias.table().starts_with(QUALIFIER) => {
                alias.input.as_ref()
            }
            other => other,
        };
        let mut names: Vec<&str> =
            plan.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let columns =
            names.iter().map(|name| Column::new(Some(qualifier(position)), *name)).collect();
        names.sort_unstable();
        if position >= MOST_RELATIONS || names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Ok(None);
        }
        self.relations.push(plan.clone());
        Ok(Some((Tree::Relation(position), columns)))
    }
}

/// Whether there are joins below that belong to the chain.
fn leads_to_chain(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => leads_to_chain(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => leads_to_chain(&alias.input),
        other => is_chained(other),
    }
}

fn qualifier(position: usize) -> TableReference {
    TableReference::bare(format!("{QUALIFIER}{position}"))
}

fn aliased(relation: &LogicalPlan, position: usize) -> Result<LogicalPlan> {
    let alias = SubqueryAlias::try_new(Arc::new(relation.clone()), qualifier(position))?;
    Ok(LogicalPlan::SubqueryAlias(alias))
}

/// An expression over the columns of a relation as that has them: the chain's qualifier is not known in it.
fn unqualified(expr: &Expr) -> Result<Expr> {
    let expr = expr.clone().transform(|expr| match expr {
        Expr::Column(column) => {
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(expr.data)
}

/// An expression over the columns of a join, by their names in the chain.
fn renamed(expr: &Expr, join: &LogicalPlan, columns: &[Column]) -> Result<Expr> {
    let expr = expr.clone().transform(|expr| match expr {
        Expr::Column(column) => {
            let position = join.schema().index_of_column(&column)?;
            Ok(Transformed::yes(Expr::Column(columns[position].clone())))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(expr.data)
}
