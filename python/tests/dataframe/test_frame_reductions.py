"""Reductions of frames and series equal those of pandas, however the rows are cut."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, frames, partitioned, series
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

NUMBERS = ("int", "float", "bool", "nullable")
ORDERED = (*NUMBERS, "text", "date", "zoned", "duration")


def assert_same(actual, expected):
    """Results equal up to rounding, in dtype and labels too."""
    if isinstance(expected, pd.Series) and expected.dtype == "Float64":
        # pandas tells NaN, of 0 / 0, from missing values; here both are missing.
        assert actual.dtype == expected.dtype
        actual, expected = (s.astype(float) for s in (actual, expected))
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(actual, expected, check_freq=False)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(actual, expected, check_freq=False)
    elif pd.isna(expected):
        assert pd.isna(actual)
    elif isinstance(expected, (float, np.floating)):
        assert math.isclose(actual, expected, rel_tol=1e-9, abs_tol=1e-12)
    else:
        assert actual == expected
        assert isinstance(actual, type(expected)) or np.isscalar(expected)


def check(rows, at, operation, same_dtype=True):
    """The operation of partitions gives what pandas gives, or its error."""
    lazy = partitioned(rows, at)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            expected = operation(rows)
        except (TypeError, ValueError) as error:
            with pytest.raises((TypeError, ValueError)):
                operation(lazy).compute()
            return type(error)
        result = operation(lazy)
        assert_same(result.compute(), expected)
    if isinstance(expected, pd.Series) and len(rows) and same_dtype:
        assert result.dtype == expected.dtype
    return None


@given(st.data(), st.sampled_from(["sum", "prod", "min", "max", "count", "any", "all"]))
@settings(max_examples=70, deadline=None)
def test_simple_reductions(data, how):
    kinds = NUMBERS if how in ("sum", "prod", "any", "all") else ORDERED
    frame = data.draw(frames(kinds, min_size=1))
    at = data.draw(cuts(len(frame)))
    skipna = data.draw(st.booleans()) if how in ("sum", "prod") else True
    keywords = {} if how == "count" else {"skipna": skipna}
    check(frame, at, lambda rows: getattr(rows, how)(**keywords))
    check(frame[frame.columns[0]], at, lambda rows: getattr(rows, how)(**keywords))


@given(st.data(), st.sampled_from(["mean", "var", "std", "sem"]), st.integers(0, 1))
@settings(max_examples=70, deadline=None)
def test_moments(data, how, ddof):
    frame = data.draw(frames(NUMBERS, min_size=1))
    at = data.draw(cuts(len(frame)))
    keywords = {} if how == "mean" else {"ddof": ddof}
    keywords["skipna"] = data.draw(st.booleans())
    check(frame, at, lambda rows: getattr(rows, how)(**keywords))
    check(frame[frame.columns[0]], at, lambda rows: getattr(rows, how)(**keywords))


@given(st.data(), st.sampled_from(["sum", "mean", "max", "std", "count", "any"]))
@settings(max_examples=40, deadline=None)
def test_along_rows(data, how):
    frame = data.draw(frames(("int", "float"), min_size=1))
    check(frame, data.draw(cuts(len(frame))), lambda rows: getattr(rows, how)(axis=1))


@given(st.data(), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_least_number_of_values(data, least):
    frame = data.draw(frames(("int", "float"), min_size=1))
    at = data.draw(cuts(len(frame)))
    # Whether whole numbers become floats depends on whether a result is missing.
    check(frame, at, lambda rows: rows.sum(min_count=least), same_dtype=False)


@given(st.data(), st.sampled_from(["idxmin", "idxmax"]))
@settings(max_examples=60, deadline=None)
def test_labels_of_extremes(data, how):
    frame = data.draw(frames(("int", "float", "date"), min_size=1))
    check(frame, data.draw(cuts(len(frame))), lambda rows: getattr(rows, how)())


def test_digits_far_from_zero():
    rows = pd.Series(np.random.default_rng(1).normal(size=10_000) + 1e9)
    lazy = dd.from_pandas(rows, npartitions=23)
    assert math.isclose(lazy.var().compute(), rows.var(), rel_tol=1e-9)
    whole = pd.Series([2**53, 1, 1, 1] * 5)
    assert dd.from_pandas(whole, npartitions=4).sum().compute() == whole.sum()


@pytest.mark.parametrize("how", ["skew", "kurtosis"])
def test_shape_of_distribution(how):
    from scipy import stats

    rows = pd.DataFrame(np.random.default_rng(2).gamma(2.0, size=(500, 2)), columns=["a", "b"])
    lazy = dd.from_pandas(rows, npartitions=7)
    for bias in (True, False):
        expected = getattr(stats, how)(rows, bias=bias)
        np.testing.assert_allclose(getattr(lazy, how)(bias=bias).compute(), expected)


def test_numbers_alone():
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]})
    lazy = dd.from_pandas(rows, npartitions=2)
    for how in ("sum", "mean", "std", "min", "count"):
        assert_same(
            getattr(lazy, how)(numeric_only=True).compute(), getattr(rows, how)(numeric_only=True)
        )


@given(st.data(), st.sampled_from(["cumsum", "cumprod", "cummin", "cummax"]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_running_results(data, how, skipna):
    frame = data.draw(frames(("int", "float", "bool")))
    at = data.draw(cuts(len(frame)))
    check(frame, at, lambda rows: getattr(rows, how)(skipna=skipna))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_monotonic(data):
    rows = data.draw(series("int"))
    lazy = partitioned(rows, data.draw(cuts(len(rows))))
    assert lazy.is_monotonic_increasing.compute() == rows.is_monotonic_increasing
    assert lazy.is_monotonic_decreasing.compute() == rows.is_monotonic_decreasing


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_length(data):
    frame = data.draw(frames())
    lazy = partitioned(frame, data.draw(cuts(len(frame))))
    assert len(lazy) == len(frame)
    assert lazy.size.compute() == frame.size
    for length in (lazy.shape[0], lazy[lazy.columns[0]].size):
        assert type(length.compute()) is int and length.compute() == len(frame)
    assert len(lazy[lazy.columns[0]].isna()) == len(frame)


def test_functions_of_users():
    rows = pd.DataFrame({"x": range(50), "y": range(50, 100)})
    lazy = dd.from_pandas(rows, npartitions=20)

    def above(part, least=0):
        return (part >= least).sum()

    def total(parts):
        return parts.sum()

    result = lazy.reduction(above, aggregate=total, chunk_kwargs={"least": 25}, split_every=3)
    assert_same(result.compute(), (rows >= 25).sum())
    assert lazy.x.reduction(len, aggregate=total).compute() == 50
    with pytest.raises(ValueError, match="combine_kwargs"):
        lazy.reduction(above, aggregate=total, combine_kwargs={"least": 1})


def test_joined_a_few_at_a_time():
    lazy = dd.from_pandas(pd.DataFrame({"x": range(100)}), npartitions=100)
    assert lazy.x.sum(split_every=2).compute() == 4950
    joins = [key for key in lazy.sum(split_every=2).dask if "combine" in key[0]]
    assert len(joins) > 50
    assert len(lazy.sum(split_every=False).dask) < len(lazy.sum(split_every=2).dask)
    for width in (-1, 0, 1):
        with pytest.raises(ValueError, match="greater than 1"):
            lazy.sum(split_every=width)


def test_refused():
    lazy = dd.from_pandas(pd.DataFrame({"x": [1, 2], "s": ["a", "b"]}), npartitions=2)
    with pytest.raises(ValueError, match="No axis named"):
        lazy.sum(axis="sideways")
    with pytest.raises(ValueError, match="No axis named"):
        lazy.x.sum(axis=1)
    with pytest.raises(TypeError):
        lazy.std()
    with pytest.raises(TypeError, match="unexpected keyword"):
        lazy.sum(level=0)
    with pytest.raises(AttributeError, match="'Index' object has no attribute 'mean'"):
        lazy.index.mean()
    with pytest.raises(ValueError, match="axis=None"):
        lazy.x.skew(axis=None)


@pytest.mark.parametrize("how", ["sum", "prod"])
def test_too_few_integers(how):
    rows = pd.DataFrame({"a": [1], "b": [2]})
    lazy = dd.from_pandas(rows, npartitions=1)
    expected = getattr(rows, how)(min_count=9)
    pd.testing.assert_series_equal(getattr(lazy, how)(min_count=9).compute(), expected)
    assert np.isnan(getattr(lazy.a, how)(min_count=9).compute())
