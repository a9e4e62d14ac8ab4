//! Functions of the last rows of each group.
//!
//! Each result is computed of its own rows, so that it does not depend on values that are no longer
//! among them.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::Float64Type;
use datafusion::error::Result;

use super::Rolling;
use super::states::{Building, State, column, rows};

/// The last rows of each group, in rings. What is no finite number is kept as NaN, and is not
/// counted, as in pandas.
pub(super) struct LastRows {
    how: Rolling,
    rows: usize,
    least: usize,
    values: Vec<f64>,
    /// Where in its ring each group goes on; the rows before are older.
    next: Vec<u32>,
    /// The values of one group, in the order of its rows.
    found: VecDeque<f64>,
}

impl LastRows {
    pub(super) fn new(how: Rolling, rows: u32, least: u32) -> Self {
        let (rows, least) = (rows as usize, least as usize);
        Self {
            how,
            rows,
            least,
            values: Vec::new(),
            next: Vec::new(),
            found: VecDeque::with_capacity(rows),
        }
    }

    fn next_of(&mut self, group: usize, value: Option<f64>) -> Option<f64> {
        let next = self.next.get_mut(group)?;
        let ring = self.values.get_mut(group * self.rows..(group + 1) * self.rows)?;
        let place = *next as usize;
        *ring.get_mut(place)? = value.filter(|value| value.is_finite()).unwrap_or(f64::NAN);
        *next = if place + 1 == self.rows { 0 } else { *next + 1 };
        let (newer, older) = ring.split_at_checked(place + 1)?;
        self.found.clear();
        self.found.extend(older.iter().chain(newer).copied().filter(|value| !value.is_nan()));
        if self.found.len() < self.least {
            return None;
        }
        result(self.how, &self.found)
    }
}

impl State for LastRows {
    fn next(
        &mut self,
        values: Option<&ArrayRef>,
        groups: &[usize],
        count: usize,
    ) -> Result<ArrayRef> {
        let values = column::<Float64Type>(values)?;
        self.values.resize(count * self.rows, f64::NAN);
        self.next.resize(count, 0);
        let mut built = Building::<Float64Type>::new(groups.len());
        for (group, value) in rows(values, groups) {
            // A sum that is no number any more is missing.
            built.push(self.next_of(group, value).filter(|found| !found.is_nan()));
        }
        Ok(built.done(values.data_type()))
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<f64>() + self.next.capacity() * size_of::<u32>()
    }
}

fn result(how: Rolling, values: &VecDeque<f64>) -> Option<f64> {
    let count = values.len() as f64;
    match how {
        Rolling::Sum => Some(sum(values)),
        Rolling::Mean => values.front().map(|first| match all_equal(values) {
            true => *first,
            false => sum(values) / count,
        }),
        Rolling::Minimum => values.iter().copied().reduce(f64::min),
        Rolling::Maximum => values.iter().copied().reduce(f64::max),
        Rolling::Variance => variance(values),
        Rolling::Deviation => variance(values).map(f64::sqrt),
    }
}

fn all_equal(values: &VecDeque<f64>) -> bool {
    values.front().is_some_and(|first| values.iter().all(|value| value == first))
}

/// The sum with what rounding has lost of it (W. Kahan, 1965); of equal values their multiple.
fn sum(values: &VecDeque<f64>) -> f64 {
    if let Some(first) = values.front()
        && all_equal(values)
    {
        return first * values.len() as f64;
    }
    let (mut sum, mut lost) = (0.0, 0.0);
    for value in values {
        let added = value - lost;
        let total = sum + added;
        lost = total - sum - added;
        sum = total;
    }
    sum
}

/// The variance by B. P. Welford's recurrence (1962), which is 0 of equal values.
fn variance(values: &VecDeque<f64>) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let (mut mean, mut squares) = (0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let apart = value - mean;
        mean += apart / (place + 1) as f64;
        squares += apart * (value - mean);
    }
    Some(squares / (values.len() - 1) as f64)
}
