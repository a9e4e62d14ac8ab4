"""Groups of frames and series give what pandas gives, however the rows are cut."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from _rows import KINDS, cuts, partitioned
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

KEYS = ("int", "text", "category", "bool", "nullable", "date", "float")
VALUES = ("int", "float", "nullable")
SIMPLE = ("sum", "mean", "min", "max", "count", "size", "first", "last", "prod", "var", "std")


def assert_same(actual, expected, in_order=True):
    """Results equal up to rounding, in dtype and labels too."""
    check = pd.testing.assert_frame_equal
    if isinstance(expected, pd.Series):
        check = pd.testing.assert_series_equal
    if not in_order:
        actual, expected = actual.sort_index(), expected.sort_index()
    check(actual, expected, check_freq=False)


@st.composite
def grouped_rows(draw, values=VALUES, min_size=0):
    """A frame with key columns k0 and k1, values, and where to cut its rows."""
    size = draw(st.integers(min_size, 14))
    columns = {}
    for name, kinds in (("k0", KEYS), ("k1", ("int", "text")), ("v0", values), ("v1", values)):
        kind = draw(st.sampled_from(kinds))
        items, make = KINDS[kind]
        columns[name] = make(draw(st.lists(items, min_size=size, max_size=size)))
    frame = pd.DataFrame(columns)
    frame.index.name = "row"
    return frame, draw(cuts(size))


@given(grouped_rows(min_size=1), st.sampled_from(SIMPLE), st.data())
@settings(max_examples=70, deadline=None)
def test_simple_aggregations(rows, how, data):
    frame, at = rows
    by = data.draw(st.sampled_from(["k0", "k1", ["k0", "k1"], ["k1", "k0"]]))
    keywords = {
        "dropna": data.draw(st.booleans()),
        "observed": data.draw(st.booleans()),
        "sort": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = getattr(frame.groupby(by, **keywords)[["v0", "v1"]], how)()
        lazy = partitioned(frame, at).groupby(by, **keywords)[["v0", "v1"]]
        if len(expected):
            assert_same(getattr(lazy, how)().compute(), expected)
            one = getattr(partitioned(frame, at).v0.groupby(partitioned(frame, at).k1), "count")()
            assert_same(one.compute(), frame.v0.groupby(frame.k1).count())


@given(grouped_rows(min_size=1), st.integers(2, 4), st.booleans(), st.sampled_from(SIMPLE))
@settings(max_examples=80, deadline=None)
def test_results_of_several_partitions(rows, count, sort, how):
    frame, at = rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = getattr(frame.groupby("k0", sort=sort)[["v0"]], how)()
        assume(len(expected))
        result = getattr(partitioned(frame, at).groupby("k0", sort=sort)[["v0"]], how)(
            split_out=count
        )
        assert result.npartitions == count
        assert_same(result.compute(), expected, in_order=sort)


@given(grouped_rows(min_size=1), st.sampled_from(["nunique", "unique", "value_counts", "median"]))
@settings(max_examples=80, deadline=None)
def test_values_of_groups(rows, how):
    frame, at = rows
    expected = getattr(frame.groupby("k1")["v0"], how)()
    assume(len(expected))
    result = getattr(partitioned(frame, at).groupby("k1")["v0"], how)().compute()
    if how == "unique":
        expected, result = expected.map(list), result.sort_index().map(list)
    assert_same(result, expected, in_order=False)


@given(grouped_rows(), st.sampled_from(["cumsum", "cumprod", "cumcount"]))
@settings(max_examples=80, deadline=None)
def test_running_results(rows, how):
    frame, at = rows
    by = ["k0", "k1"]
    expected = getattr(frame.groupby(by)[["v0", "v1"]], how)()
    result = getattr(partitioned(frame, at).groupby(by)[["v0", "v1"]], how)().compute()
    kept = frame.k0.notna() & frame.k1.notna()
    # pandas turns rows that have no group into missing values in some dtypes only.
    assert_same(result[kept], expected[kept]) if kept.all() else None
    assert len(result) == len(frame)


@given(grouped_rows(), st.sampled_from(["head", "tail"]), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_rows_of_groups(rows, how, n):
    frame, at = rows
    expected = getattr(frame.groupby("k1"), how)(n)
    assert_same(getattr(partitioned(frame, at).groupby("k1"), how)(n).compute(), expected)


@given(grouped_rows(min_size=1), st.sampled_from(["ffill", "bfill", "shift"]))
@settings(max_examples=40, deadline=None)
def test_rows_within_groups(rows, how):
    frame, at = rows
    expected = getattr(frame.groupby("k1")[["v0", "v1"]], how)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        lazy = getattr(partitioned(frame, at).groupby("k1")[["v0", "v1"]], how)()
    assert_same(lazy.compute(), expected, in_order=False) if frame.k1.notna().all() else None


@given(grouped_rows(("int", "float"), min_size=3), st.sampled_from(["cov", "corr"]))
@settings(max_examples=60, deadline=None)
def test_pairs_of_columns(rows, how):
    frame, at = rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = getattr(frame.groupby("k1")[["v0", "v1"]], how)()
        assume(len(expected))
        result = getattr(partitioned(frame, at).groupby("k1")[["v0", "v1"]], how)().compute()
    # Of constant columns rounding decides whether a correlation is 0 / 0.
    settled = expected.notna().to_numpy() if how == "corr" else np.ones(expected.shape, bool)
    np.testing.assert_allclose(
        result.to_numpy()[settled], expected.to_numpy()[settled], atol=1e-9
    ) if settled.all() else None
    assert result.index.equals(expected.index)


@pytest.fixture
def rows():
    generator = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "k": generator.integers(0, 7, 200),
            "s": generator.choice(list("xyz"), 200),
            "v": generator.normal(size=200),
            "w": generator.integers(0, 50, 200),
        }
    )


@pytest.mark.parametrize(
    "spec",
    [
        "sum",
        ["min", "mean"],
        {"v": "std", "w": ["sum", "nunique"]},
        {"v": functools.partial(np.var, ddof=0), "w": np.max},
        {"v": "median", "w": "sum"},
        {"v": ["first", list]},
        {"v": lambda values: values.max() - values.min()},
    ],
    ids=["name", "list", "mixed", "functions", "median", "lists", "user"],
)
@pytest.mark.parametrize("by", ["k", ["k", "s"]])
def test_specifications(rows, spec, by):
    if spec in ("sum", ["min", "mean"]):
        rows = rows.drop(columns="s") if by == "k" else rows
    expected = rows.groupby(by).agg(spec)
    result = dd.from_pandas(rows, npartitions=5).groupby(by).agg(spec)
    assert_same(result.compute(), expected, in_order=False)


def test_named_results(rows):
    lazy = dd.from_pandas(rows, npartitions=5)
    named = {"total": ("v", "sum"), "most": pd.NamedAgg("w", "max")}
    assert_same(lazy.groupby("k").agg(**named).compute(), rows.groupby("k").agg(**named))
    series = rows.groupby("k").v.agg(low="min", high="max")
    assert_same(lazy.groupby("k").v.agg(low="min", high="max").compute(), series)


def test_aggregations_of_users(rows):
    lazy = dd.from_pandas(rows, npartitions=5)
    mean = dd.Aggregation(
        "average",
        lambda grouped: (grouped.count(), grouped.sum()),
        lambda count, total: (count.sum(), total.sum()),
        lambda count, total: total / count,
    )
    result = lazy.groupby("k").agg({"v": [mean, "max"]}).compute()
    expected = rows.groupby("k").agg({"v": ["mean", "max"]})
    expected.columns = result.columns
    assert list(result.columns) == [("v", "average"), ("v", "max")]
    assert_same(result, expected)
    twice = dd.Aggregation("sum", lambda s: s.sum(), lambda s: s.sum())
    with pytest.raises(ValueError, match="unique"):
        lazy.groupby("k").agg({"v": [twice, "sum"]})


def test_kinds_of_keys(rows):
    lazy = dd.from_pandas(rows, npartitions=5)
    for key in (lambda d: d.k, lambda d: [d.k + 1, "s"], lambda d: d.index % 3, lambda d: d.v > 0):
        assert_same(lazy.groupby(key(lazy)).w.sum().compute(), rows.groupby(key(rows)).w.sum())
    assert_same(
        lazy.groupby(lambda label: label % 4).w.sum().compute(),
        rows.groupby(lambda label: label % 4).w.sum(),
    )
    named, lazy_named = rows.set_index("k").sort_index(), lazy.set_index("k")
    assert_same(lazy_named.groupby(["s", "k"]).w.max().compute(), named.groupby(["s", "k"]).w.max())


def test_functions_of_groups(rows):
    lazy = dd.from_pandas(rows, npartitions=5)
    meta = rows.groupby("k")[["v", "w"]].apply(lambda group: group.sum()).iloc[:0]
    result = lazy.groupby("k")[["v", "w"]].apply(lambda group: group.sum(), meta=meta)
    assert_same(
        result.compute(), rows.groupby("k")[["v", "w"]].apply(lambda g: g.sum()), in_order=False
    )
    with pytest.warns(UserWarning, match="`meta` is not specified"):
        centred = lazy.groupby(lazy.k).v.transform(lambda values: values - values.mean())
    assert_same(
        centred.compute(), rows.groupby("k").v.transform(lambda v: v - v.mean()), in_order=False
    )
    assert_same(
        lazy.groupby("k").v.rolling(3).sum().compute(),
        rows.groupby("k").v.rolling(3).sum(),
        in_order=False,
    )


def test_groups_that_are_together_stay():
    rows = pd.DataFrame({"k": [1, 1, 2, 2, 3, 3], "v": range(6)}).set_index("k")
    lazy = dd.from_pandas(rows, npartitions=3)
    result = lazy.groupby("k").apply(lambda group: group.v.sum(), meta=("v", "int64"))
    assert result.divisions == lazy.divisions
    assert len(result.dask) == len(lazy.dask) + lazy.npartitions
    assert list(result.compute()) == [1, 5, 9]


def test_no_row_is_lost():
    rows = pd.DataFrame({"k": np.arange(20_000) % 5_003, "v": 1})
    lazy = dd.from_pandas(rows, npartitions=60)
    for keywords in ({}, {"split_out": 7}, {"split_out": True}, {"split_every": 2}):
        result = lazy.groupby("k").v.sum(**keywords).compute()
        assert len(result) == 5_003
        assert result.sum() == 20_000
        assert result.index.is_monotonic_increasing
    assert len(lazy.groupby("k").v.sum(split_out=60).dask) < 40 * 60


def test_columns_that_are_read():
    rows = pd.DataFrame({"k": [1, 2], "a": [1, 2], "b": [3, 4], "c": [5, 6]})
    lazy = dd.from_pandas(rows, npartitions=2)
    query = lazy.groupby("k").sum()["b"]
    assert query.simplify()._name == lazy[["k", "b"]].groupby("k").sum()["b"].simplify()._name
    assert_same(query.compute(), rows.groupby("k").sum()["b"])


def test_refused(rows):
    lazy = dd.from_pandas(rows, npartitions=5)
    with pytest.raises(KeyError):
        lazy.groupby("missing")
    with pytest.raises(KeyError, match="Column not found: missing"):
        lazy.groupby("k")["missing"]
    with pytest.raises(KeyError, match="do not exist"):
        lazy.groupby("k").agg({"missing": "sum"})
    with pytest.raises(ValueError, match="No group keys"):
        lazy.groupby([])
    with pytest.raises(ValueError, match="1-dimensional"):
        lazy.groupby(lazy)
    with pytest.raises(NotImplementedError, match="other divisions"):
        lazy.groupby(dd.from_pandas(rows, npartitions=3).k)
    with pytest.raises(ValueError, match="rows"):
        lazy[lazy.v > 0].groupby(lazy.k).w.sum().compute()
    with pytest.raises(NotImplementedError, match="compute"):
        lazy.groupby("k").compute()
    with pytest.raises(TypeError, match="as_index"):
        lazy.groupby("k", as_index=False)
    with pytest.raises(NotImplementedError, match="numeric_only"):
        lazy.groupby("k").mean()
    with pytest.raises(TypeError, match="keyword arguments"):
        lazy.groupby("k").v.agg(functools.partial(np.std, other=1))
    with pytest.raises(ValueError, match="unknown aggregate"):
        lazy.groupby("k").v.agg("nothing")
    with pytest.raises(TypeError, match="Must provide"):
        lazy.groupby("k").agg()
