"""Counts of values, quantiles, summaries, windows and tables equal those of pandas."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, frames, partitioned, series
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

COUNTED = ("int", "float", "bool", "text", "category", "date", "duration")


@given(st.data(), st.sampled_from(COUNTED), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_counts_of_values(data, kind, dropna, normalize):
    rows = data.draw(series(kind))
    lazy = partitioned(rows, data.draw(cuts(len(rows))))
    expected = rows.value_counts(dropna=dropna, normalize=normalize)
    result = lazy.value_counts(dropna=dropna, normalize=normalize).compute()
    if kind == "category" and not dropna:
        # Where a missing value comes among equal counts differs.
        result, expected = (s.sort_index() for s in (result, expected))
    if len(expected):
        pd.testing.assert_series_equal(result, expected)
    several = lazy.value_counts(dropna=dropna, split_out=3)
    assert several.npartitions == 3
    assert several.compute().sum() == rows.value_counts(dropna=dropna).sum()
    assert several.compute().index.is_unique


@given(st.data(), st.sampled_from(COUNTED), st.booleans())
@settings(max_examples=80, deadline=None)
def test_different_and_most_frequent_values(data, kind, dropna):
    rows = data.draw(series(kind, min_size=1))
    lazy = partitioned(rows, data.draw(cuts(len(rows))))
    assert lazy.nunique(dropna=dropna).compute() == rows.nunique(dropna=dropna)
    expected = rows.mode(dropna=dropna)
    result = lazy.mode(dropna=dropna).compute()
    assert len(result) == len(expected)
    assert set(result.dropna()) == set(expected.dropna())


def test_modes_of_columns():
    rows = pd.DataFrame({"a": [1, 1, 2, 3], "b": list("xyxy"), "c": [0.5, None, None, 0.5]})
    lazy = dd.from_pandas(rows, npartitions=3)
    pd.testing.assert_frame_equal(lazy.mode().compute(), rows.mode())
    pd.testing.assert_series_equal(lazy.nunique().compute(), rows.nunique())
    pd.testing.assert_series_equal(lazy.nunique(axis=1).compute(), rows.nunique(axis=1))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_quantiles(data):
    frame = data.draw(frames(("int", "float"), min_size=1))
    lazy = partitioned(frame, data.draw(cuts(len(frame))))
    for q in (0.0, 0.3, [0.25, 0.5, 1.0]):
        expected = frame.quantile(q)
        check = pd.testing.assert_series_equal
        if isinstance(q, list):
            check = pd.testing.assert_frame_equal
        check(lazy.quantile(q).compute(), expected)
        first = frame.columns[0]
        actual, one = lazy[first].quantile(q).compute(), frame[first].quantile(q)
        np.testing.assert_allclose(actual, one, equal_nan=True)


def test_quantiles_of_many_values():
    generator = np.random.default_rng(5)
    rows = pd.Series(generator.gamma(2.0, size=1_000_000))
    lazy = dd.from_pandas(rows, npartitions=4)
    wanted = [0.0, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0]
    found = lazy.quantile(wanted).compute()
    ranks = [(rows < value).mean() for value in found]
    np.testing.assert_allclose(ranks, wanted, atol=2e-4)
    assert found[0.0] == rows.min()
    assert found[1.0] == rows.max()


def test_summaries():
    rows = pd.DataFrame(
        {
            "a": [1, 2, 2, 5, 9, 9],
            "b": [0.5, None, 1, 2, 2, 3],
            "s": list("xyxzxx"),
            "t": pd.to_timedelta([1, 2, 3, 4, 5, 6], unit="h"),
        }
    )
    lazy = dd.from_pandas(rows, npartitions=3)
    pd.testing.assert_frame_equal(lazy.describe().compute(), rows.describe())
    for column in rows:
        expected = rows[column].describe(percentiles=[0.1, 0.9])
        result = lazy[column].describe(percentiles=[0.1, 0.9]).compute()
        pd.testing.assert_series_equal(result, expected)
    pd.testing.assert_frame_equal(
        lazy[["a", "s"]].describe(include="all").compute(), rows[["a", "s"]].describe(include="all")
    )
    with pytest.raises(ValueError, match="without columns"):
        dd.from_pandas(pd.DataFrame(index=[1]), npartitions=1).describe()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_covariances(data):
    frame = data.draw(frames(("int", "float"), min_size=2))
    lazy = partitioned(frame, data.draw(cuts(len(frame))))
    pd.testing.assert_frame_equal(lazy.cov().compute(), frame.cov(), atol=1e-9)
    least = data.draw(st.integers(1, 5))
    pd.testing.assert_frame_equal(
        lazy.cov(min_periods=least).compute(), frame.cov(min_periods=least), atol=1e-9
    )


def test_correlations():
    rows = pd.DataFrame(np.random.default_rng(6).normal(size=(300, 3)) + 1e6, columns=list("abc"))
    rows.loc[::7, "a"] = np.nan
    lazy = dd.from_pandas(rows, npartitions=11)
    pd.testing.assert_frame_equal(lazy.corr().compute(), rows.corr())
    assert math.isclose(lazy.a.corr(lazy.b).compute(), rows.a.corr(rows.b), abs_tol=1e-9)
    assert math.isclose(lazy.a.cov(lazy.b).compute(), rows.a.cov(rows.b), abs_tol=1e-9)
    with pytest.raises(NotImplementedError, match="Pearson"):
        lazy.corr(method="spearman")


@pytest.mark.parametrize("kind", ["int64", "float64", "str", "datetime64[us]"])
def test_estimate_of_different_rows(kind):
    values = pd.Series(np.arange(60_000) % 41_000)
    lazy = dd.from_pandas(values.astype(kind), npartitions=13)
    assert abs(lazy.nunique_approx().compute() / 41_000 - 1) < 0.02


@given(st.data(), st.integers(0, 6))
@settings(max_examples=50, deadline=None)
def test_greatest_and_least_rows(data, n):
    frame = data.draw(frames(("int", "float")))
    lazy = partitioned(frame, data.draw(cuts(len(frame))))
    by = list(frame.columns)[:2]
    for how in ("nlargest", "nsmallest"):
        pd.testing.assert_frame_equal(
            getattr(lazy, how)(n, by).compute(), getattr(frame, how)(n, by)
        )


# -- windows ---------------------------------------------------------------------------------


@given(st.data(), st.integers(1, 9), st.booleans(), st.sampled_from(["sum", "count", "median"]))
@settings(max_examples=80, deadline=None)
def test_windows_of_rows(data, width, center, how):
    frame = data.draw(frames(("int", "float"), min_size=1))
    lazy = partitioned(frame, data.draw(cuts(len(frame))))
    keywords = {"window": width, "center": center, "min_periods": 1}
    expected = getattr(frame.rolling(**keywords), how)()
    pd.testing.assert_frame_equal(getattr(lazy.rolling(**keywords), how)().compute(), expected)


@pytest.mark.parametrize("span", ["1s", "7s", "100s", "1h"])
def test_windows_of_time(span):
    index = pd.date_range("2020-01-01", periods=80, freq="3s").repeat([1, 2] * 40)
    rows = pd.DataFrame({"a": np.arange(120.0), "b": 1}, index=index)
    lazy = dd.from_pandas(rows, npartitions=9)
    for how in ("sum", "max", "std"):
        pd.testing.assert_frame_equal(
            getattr(lazy.rolling(span), how)().compute(), getattr(rows.rolling(span), how)()
        )
    pd.testing.assert_frame_equal(lazy.rolling(5).cov().compute(), rows.rolling(5).cov())


def test_refused_windows():
    lazy = dd.from_pandas(pd.DataFrame({"a": range(9)}), npartitions=2)
    for window in (-1, 1.5):
        with pytest.raises(ValueError):
            lazy.rolling(window)
    with pytest.raises(ValueError):
        lazy.rolling(3, min_periods=-2)


@pytest.mark.parametrize("rule", ["30min", "D", "W", "ME", "57min", "2D", "QE", "MS"])
@pytest.mark.parametrize("closed", ["left", "right", None])
def test_spans_of_time(rule, closed):
    index = pd.date_range("2000-01-01", "2000-02-15", freq="7h")
    index = index.union(pd.date_range("2000-04-15", "2000-05-15", freq="5h"))
    rows = pd.Series(range(len(index)), index=index, name="v")
    for count in (1, 2, 7):
        lazy = dd.from_pandas(rows, npartitions=count)
        for how in ("sum", "mean", "size"):
            expected = getattr(rows.resample(rule, closed=closed), how)()
            result = getattr(lazy.resample(rule, closed=closed), how)()
            pd.testing.assert_series_equal(
                result.compute(), expected, check_freq=False, check_dtype=how != "mean"
            )
            assert result.divisions[0] == expected.index[0]
            assert result.divisions[-1] == expected.index[-1]


def test_refused_spans():
    lazy = dd.from_pandas(pd.DataFrame({"a": range(9)}), npartitions=2)
    with pytest.raises(TypeError, match="DatetimeIndex"):
        lazy.resample("D")
    with pytest.raises(ValueError, match="divisions"):
        lazy.clear_divisions().resample("D")


# -- tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["mean", "sum", "count", "first", "last"])
@pytest.mark.parametrize("values", ["v", ["v", "w"]])
def test_pivot_tables(how, values):
    generator = np.random.default_rng(7)
    rows = pd.DataFrame(
        {
            "i": generator.choice(list("XYZ"), 100),
            "c": pd.Categorical(generator.choice(list("abc"), 100)),
            "v": generator.normal(size=100),
            "w": generator.normal(size=100),
        }
    )
    expected = rows.pivot_table(index="i", columns="c", values=values, aggfunc=how, observed=False)
    expected = expected.astype(float)
    lazy = dd.from_pandas(rows, npartitions=6)
    result = lazy.pivot_table(index="i", columns="c", values=values, aggfunc=how).compute()
    pd.testing.assert_frame_equal(result, expected)


def test_refused_tables():
    rows = pd.DataFrame({"i": [1, 2], "c": list("ab"), "v": [1, 2]})
    lazy = dd.from_pandas(rows, npartitions=2)
    with pytest.raises(ValueError, match="'index' must be the name"):
        lazy.pivot_table(index="missing", columns="c", values="v")
    with pytest.raises(ValueError, match="category dtype"):
        lazy.pivot_table(index="i", columns="c", values="v")
    with pytest.raises(NotImplementedError, match="non-categorical"):
        dd.get_dummies(lazy)


def test_long_tables_and_dummies():
    rows = pd.DataFrame({"i": [1, 2, 3], "c": pd.Categorical(list("aba")), "v": [4, 5, 6]})
    lazy = dd.from_pandas(rows, npartitions=2)
    pd.testing.assert_frame_equal(dd.get_dummies(lazy).compute(), pd.get_dummies(rows))
    result = lazy.melt(id_vars="i", value_vars=["v"]).compute().reset_index(drop=True)
    pd.testing.assert_frame_equal(result, rows.melt(id_vars="i", value_vars=["v"]))
