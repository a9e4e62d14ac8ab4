//! What is kept of the records of a partition, and made of all partitions.

use std::cmp::Ordering;

use bumpalo::Bump;

use super::evaluate::Form;
use super::json::Parser;
use super::keyed::{Entry, Fold, Keyed};
use super::owned::Owned;
use super::run::Output;
use super::tally::Tally;
use super::value::{Deviation, Number, Value};

/// What is made of all records.
#[derive(Clone, Debug, PartialEq)]
pub enum Reduction {
    /// Their number.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Whether one is true.
    Any,
    /// Whether all are true.
    All,
    /// Each once, in the order of their first appearance.
    Distinct,
    /// Pairs of each and how often it occurs; the most frequent first, where `sorted`.
    Frequencies {
        /// Whether they are sorted.
        sorted: bool,
    },
    /// Pairs of a key and the fold of the records that have it, in the order of first appearance.
    FoldBy {
        /// The key of a record.
        key: Form,
        /// How records are folded.
        fold: Fold,
        /// Whether a total begins with the integer 0; with the first value where it does not.
        from_zero: bool,
    },
    /// The largest, by a function of them.
    TopK {
        /// How many.
        k: usize,
        /// The function.
        key: Form,
    },
}

/// The most that are kept sorted.
const MOST_KEPT: usize = 10_000;

/// What a reduction, or a partition without one, has seen so far.
#[derive(Clone, Debug)]
pub enum Accumulator {
    /// All records.
    Records(Vec<Owned>),
    /// A number of records.
    Count(u64),
    /// A sum: of integers, as long as all are.
    Sum(Sum),
    /// A sum and a number.
    Mean(f64, u64),
    /// The smallest or largest, or nothing yet; whether it is the largest.
    Extreme(Option<Owned>, bool),
    /// Whether one is true.
    Any(bool),
    /// Whether all are true.
    All(bool),
    /// Values and how often they occur.
    Counts(Keyed<u64>),
    /// Keys and the totals of their records.
    Totals(Keyed<Owned>),
    /// The largest so far with their keys, the largest first.
    Largest(Vec<(Owned, Owned)>),
}

/// A sum by Python's rules.
#[derive(Clone, Copy, Debug)]
pub enum Sum {
    /// Of integers.
    Int(i128),
    /// Of floats, or of both.
    Float(f64),
}

impl Sum {
    fn add(&mut self, other: Self) -> Result<(), Deviation> {
        *self = match (*self, other) {
            (Self::Int(left), Self::Int(right)) => {
                Self::Int(left.checked_add(right).ok_or("a sum of more than 128 bits")?)
            }
            (left, right) => Self::Float(left.as_float()? + right.as_float()?),
        };
        Ok(())
    }

    fn as_float(self) -> Result<f64, Deviation> {
        match self {
            Self::Int(value) => Ok(value as f64),
            Self::Float(value) => Ok(value),
        }
    }
}

impl Accumulator {
    /// Nothing seen yet.
    pub(crate) fn new(reduction: Option<&Reduction>) -> Result<Self, Deviation> {
        Ok(match reduction {
            None => Self::Records(Vec::new()),
            Some(Reduction::Count) => Self::Count(0),
            Some(Reduction::Sum) => Self::Sum(Sum::Int(0)),
            Some(Reduction::Mean) => Self::Mean(0.0, 0),
            Some(Reduction::Min) => Self::Extreme(None, false),
            Some(Reduction::Max) => Self::Extreme(None, true),
            Some(Reduction::Any) => Self::Any(false),
            Some(Reduction::All) => Self::All(true),
            Some(Reduction::Distinct | Reduction::Frequencies { .. }) => {
                Self::Counts(Keyed::default())
            }
            Some(Reduction::FoldBy { .. }) => Self::Totals(Keyed::default()),
            Some(Reduction::TopK { k, .. }) if *k > MOST_KEPT => {
                return Err("more of the largest than are kept sorted");
            }
            Some(Reduction::TopK { .. }) => Self::Largest(Vec::new()),
        })
    }

    /// Takes a record in.
    pub(crate) fn add<'a>(
        &mut self,
        value: Value<'a>,
        reduction: Option<&'a Reduction>,
        arena: &'a Bump,
        parser: &mut Parser,
    ) -> Result<(), Deviation> {
        match self {
            Self::Records(records) => records.push(Owned::of(&value)?),
            Self::Count(count) => *count += 1,
            Self::Sum(sum) => sum.add(match number_of(&value)? {
                Number::Int(value) => Sum::Int(i128::from(value)),
                Number::Float(value) => Sum::Float(value),
            })?,
            Self::Mean(sum, count) => {
                *sum += number_of(&value)?.as_float();
                *count += 1;
            }
            Self::Extreme(best, largest) => {
                if better(best.as_ref(), &value, *largest, arena)? {
                    *best = Some(Owned::of(&value)?);
                }
            }
            Self::Any(found) => *found |= value.truth(),
            Self::All(found) => *found &= value.truth(),
            Self::Counts(counter) => counter.add(
                &value,
                || Ok(1),
                |count| {
                    *count += 1;
                    Ok(())
                },
            )?,
            Self::Totals(totals) => {
                let Some(Reduction::FoldBy { key, fold, from_zero }) = reduction else {
                    return Err("a reduction of another kind");
                };
                let key = key.evaluate(value, arena, parser)?;
                let value = fold.form().evaluate(value, arena, parser)?;
                let first = || fold.first(&value, *from_zero);
                totals.add(&key, first, |total| fold.add(total, &value, arena))?;
            }
            Self::Largest(kept) => {
                let Some(Reduction::TopK { k, key }) = reduction else {
                    return Err("a reduction of another kind");
                };
                let key = key.evaluate(value, arena, parser)?;
                if let Some(place) = place_among(kept, &key, *k, arena)? {
                    kept.insert(place, (Owned::of(&key)?, Owned::of(&value)?));
                    kept.truncate(*k);
                }
            }
        }
        Ok(())
    }

    /// Takes in what a later partition has seen.
    pub(crate) fn merge(
        &mut self,
        other: Self,
        reduction: Option<&Reduction>,
    ) -> Result<(), Deviation> {
        let arena = Bump::new();
        match (self, other) {
            (Self::Records(records), Self::Records(more)) => records.extend(more),
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Sum(sum), Self::Sum(more)) => sum.add(more)?,
            (Self::Mean(sum, count), Self::Mean(more, number)) => {
                *sum += more;
                *count += number;
            }
            (Self::Extreme(best, largest), Self::Extreme(Some(other), _)) => {
                if better(best.as_ref(), &other.view(&arena)?, *largest, &arena)? {
                    *best = Some(other);
                }
            }
            (Self::Extreme(..), Self::Extreme(None, _)) => {}
            (Self::Any(found), Self::Any(other)) => *found |= other,
            (Self::All(found), Self::All(other)) => *found &= other,
            (Self::Counts(counter), Self::Counts(other)) => {
                counter.merge(other, |count, more| {
                    *count += more;
                    Ok(())
                })?;
            }
            (Self::Totals(totals), Self::Totals(others)) => {
                let Some(Reduction::FoldBy { fold, .. }) = reduction else {
                    return Err("a reduction of another kind");
                };
                totals.merge(others, |total, other| fold.join(total, &other, &arena))?;
            }
            (Self::Largest(kept), Self::Largest(others)) => {
                let Some(Reduction::TopK { k, .. }) = reduction else {
                    return Err("a reduction of another kind");
                };
                for (key, value) in others {
                    let place = place_among(kept, &key.view(&arena)?, *k, &arena)?;
                    if let Some(place) = place {
                        kept.insert(place, (key, value));
                        kept.truncate(*k);
                    }
                }
            }
            _ => return Err("a reduction of another kind"),
        }
        Ok(())
    }

    /// The records that it stands for, or its one value.
    pub(crate) fn finish(self, reduction: Option<&Reduction>) -> Result<Finished, Deviation> {
        Ok(match self {
            Self::Records(records) => Finished::Records(records),
            Self::Count(count) => Finished::Value(Owned::Int(i128::from(count))),
            Self::Sum(Sum::Int(value)) => Finished::Value(Owned::Int(value)),
            Self::Sum(Sum::Float(value)) => Finished::Value(Owned::Float(value)),
            Self::Mean(_, 0) => return Err("the mean of no records"),
            Self::Mean(sum, count) => Finished::Value(Owned::Float(sum / count as f64)),
            Self::Extreme(Some(value), _) => Finished::Value(value),
            Self::Extreme(None, _) => return Err("the smallest or largest of no records"),
            Self::Any(found) | Self::All(found) => Finished::Value(Owned::Bool(found)),
            Self::Counts(mut counter) => {
                if reduction == Some(&Reduction::Distinct) {
                    let values = counter.entries.into_iter().map(|entry| entry.value);
                    return Ok(Finished::Records(values.collect()));
                }
                if reduction == Some(&Reduction::Frequencies { sorted: true }) {
                    counter.entries.sort_by_key(|entry| std::cmp::Reverse(entry.kept));
                }
                Finished::Counts(counter)
            }
            Self::Totals(totals) => Finished::Totals(totals),
            Self::Largest(kept) => {
                Finished::Records(kept.into_iter().map(|(_, value)| value).collect())
            }
        })
    }

    /// The bytes that it takes.
    pub fn nbytes(&self) -> usize {
        let inside = match self {
            Self::Records(records) => records.iter().map(Owned::nbytes).sum(),
            Self::Extreme(Some(value), _) => value.nbytes(),
            Self::Counts(counter) => counter.nbytes,
            Self::Totals(totals) => totals.nbytes,
            Self::Largest(kept) => {
                kept.iter().map(|(key, value)| key.nbytes() + value.nbytes()).sum()
            }
            _ => 0,
        };
        size_of::<Self>() + inside
    }
}

/// What a reduction came to.
pub(crate) enum Finished {
    /// One partition of records.
    Records(Vec<Owned>),
    /// Texts, or pairs of them and their counts.
    Texts { tally: Tally, counted: bool },
    /// Pairs of values and their counts.
    Counts(Keyed<u64>),
    /// Pairs of keys and totals.
    Totals(Keyed<Owned>),
    /// One value.
    Value(Owned),
}

impl Finished {
    /// The texts that were counted, as the reduction wants them.
    pub(crate) fn texts(mut tally: Tally, reduction: Option<&Reduction>) -> Self {
        if reduction == Some(&Reduction::Frequencies { sorted: true }) {
            tally.sort();
        }
        Self::Texts { tally, counted: reduction != Some(&Reduction::Distinct) }
    }

    /// The number of records; `None` where it is one value.
    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Records(records) => Some(records.len()),
            Self::Texts { tally, .. } => Some(tally.len()),
            Self::Counts(counts) => Some(counts.entries.len()),
            Self::Totals(totals) => Some(totals.entries.len()),
            Self::Value(_) => None,
        }
    }

    /// A view of a record, so that pairs need not be made of all.
    pub(crate) fn view<'a>(&'a self, at: usize, arena: &'a Bump) -> Result<Value<'a>, Deviation> {
        let missing = "a record that is not there";
        let pair = |first, second| Ok(Value::Tuple(arena.alloc_slice_copy(&[first, second])));
        match self {
            Self::Records(records) => records.get(at).ok_or(missing)?.view(arena),
            Self::Texts { tally, counted } => {
                let (text, count) = tally.get(at).ok_or(missing)?;
                if !counted {
                    return Ok(Value::Text(text));
                }
                pair(Value::Text(text), count_value(count)?)
            }
            Self::Counts(counts) => {
                let entry = counts.entries.get(at).ok_or(missing)?;
                pair(entry.value.view(arena)?, count_value(entry.kept)?)
            }
            Self::Totals(totals) => {
                let entry = totals.entries.get(at).ok_or(missing)?;
                pair(entry.value.view(arena)?, entry.kept.view(arena)?)
            }
            Self::Value(_) => Err("steps behind a single value"),
        }
    }

    /// The records, or the value, by themselves.
    pub(crate) fn owned(self) -> Result<Output, Deviation> {
        Ok(match self {
            Self::Records(records) => Output::Records(records),
            Self::Value(value) => Output::Value(value),
            Self::Totals(totals) => {
                let pair = |entry: Entry<Owned>| Owned::Tuple(vec![entry.value, entry.kept]);
                Output::Records(totals.entries.into_iter().map(pair).collect())
            }
            Self::Counts(counts) => {
                let pair = |entry: Entry<u64>| {
                    Owned::Tuple(vec![entry.value, Owned::Int(i128::from(entry.kept))])
                };
                Output::Records(counts.entries.into_iter().map(pair).collect())
            }
            Self::Texts { tally, counted } => {
                let record = |(text, count): (&str, u64)| {
                    let text = Owned::Text(text.into());
                    if !counted {
                        return text;
                    }
                    Owned::Tuple(vec![text, Owned::Int(i128::from(count))])
                };
                Output::Records(tally.iter().map(record).collect())
            }
        })
    }
}

fn count_value(count: u64) -> Result<Value<'static>, Deviation> {
    i64::try_from(count).map(Value::Int).map_err(|_| "an integer of more than 64 bits")
}

fn number_of(value: &Value<'_>) -> Result<Number, Deviation> {
    value.number().ok_or("a value that is no number")
}

/// Whether a value takes the place of the best so far, which the first of equal ones keeps.
fn better<'a>(
    best: Option<&'a Owned>,
    value: &Value<'_>,
    largest: bool,
    arena: &'a Bump,
) -> Result<bool, Deviation> {
    if matches!(value, Value::Float(value) if value.is_nan()) {
        return Err("a number that is not ordered");
    }
    let Some(best) = best else { return Ok(true) };
    let wanted = if largest { Ordering::Greater } else { Ordering::Less };
    Ok(value.compare(&best.view(arena)?)? == wanted)
}

/// Where a key belongs among those kept, behind equal ones; `None` where it is too small.
fn place_among(
    kept: &[(Owned, Owned)],
    key: &Value<'_>,
    k: usize,
    arena: &Bump,
) -> Result<Option<usize>, Deviation> {
    if matches!(key, Value::Float(value) if value.is_nan()) {
        return Err("a number that is not ordered");
    }
    let is_larger = |place: usize| -> Result<bool, Deviation> {
        Ok(key.compare(&kept[place].0.view(arena)?)? == Ordering::Greater)
    };
    if kept.len() >= k && (k == 0 || !is_larger(kept.len() - 1)?) {
        return Ok(None);
    }
    let (mut low, mut high) = (0, kept.len());
    while low < high {
        let middle = low.midpoint(high);
        if is_larger(middle)? { high = middle } else { low = middle + 1 }
    }
    Ok(Some(low))
}
