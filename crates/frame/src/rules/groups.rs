//! Between which numbers what groups have in common is likely to be, by what is known of the column
//! that is aggregated and by how many rows a group has.
//!
//! Values are taken to be spread evenly between the least and the greatest one, and rows to fall into
//! groups by chance, so that the number of rows of a group varies as S. D. Poisson's distribution
//! does. A sum of so many values has a mean and a variance by A. Wald's identities (1944). The range is
//! that of even values with the same mean and variance, by which conditions are judged as those over
//! columns are.

use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::{
    AggregateExec, AggregateInputMode, AggregateOutputMode,
};

use super::sizes::{known, range_of_numbers};

/// What is known of the results of an aggregation, or of its states, behind the keys; `rows` is how
/// many a group has on average.
pub(super) fn results(
    aggregate: &AggregateExec,
    columns: &[ColumnStatistics],
    rows: f64,
) -> Vec<ColumnStatistics> {
    let mut found = Vec::new();
    // States of a first phase stand behind its keys.
    let mut state = aggregate.group_expr().expr().len();
    let is_partial = matches!(aggregate.mode().output_mode(), AggregateOutputMode::Partial);
    for function in aggregate.aggr_expr() {
        let states = function.state_fields().map_or(1, |fields| fields.len());
        let column = match aggregate.mode().input_mode() {
            AggregateInputMode::Partial if states == 1 => columns.get(state).cloned(),
            AggregateInputMode::Partial => None,
            AggregateInputMode::Raw => of_rows(function, columns, rows),
        };
        state += states;
        let count = if is_partial { states } else { 1 };
        // Of several states it is not known here which one is the result.
        let column = column.filter(|_| count == 1).unwrap_or_default();
        found.resize(found.len() + count, column);
    }
    found
}

fn of_rows(
    function: &AggregateFunctionExpr,
    columns: &[ColumnStatistics],
    rows: f64,
) -> Option<ColumnStatistics> {
    if function.is_distinct() {
        return None;
    }
    let name = function.fun().name();
    let (least, most) = match (name, function.expressions().as_slice()) {
        ("count", _) => around(rows, rows),
        (_, [value]) => {
            let (least, most) = range_of_numbers(&known(value, columns))?;
            let (mean, variance) = ((least + most) / 2.0, (most - least).powi(2) / 12.0);
            match name {
                "sum" => around(rows * mean, rows * (variance + mean * mean)),
                "avg" => around(mean, variance / rows.max(1.0)),
                // The extreme of so many values is as far from the end on average.
                "max" => (most - 2.0 * (most - least) / (rows + 1.0), most),
                "min" => (least, least + 2.0 * (most - least) / (rows + 1.0)),
                _ => return None,
            }
        }
        _ => return None,
    };
    let field = function.field();
    let bound = |value: f64| {
        let value = ScalarValue::Float64(Some(value)).cast_to(field.data_type());
        value.map_or(Precision::Absent, Precision::Inexact)
    };
    Some(ColumnStatistics {
        min_value: bound(least),
        max_value: bound(most),
        ..ColumnStatistics::new_unknown()
    })
}

/// The ends of even values of a mean and a variance.
fn around(mean: f64, variance: f64) -> (f64, f64) {
    let half = (3.0 * variance).sqrt();
    (mean - half, mean + half)
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn even_values_around_a_mean() {
        let (least, most) = around(5.0, 3.0);
        assert_eq!((least, most), (2.0, 8.0));
        let variance = (most - least).powi(2) / 12.0;
        assert!((variance - 3.0).abs() < 1e-12);
    }
}
