"""Chains of operations have pandas' answers, labels and dtypes, by the engine and by pandas on
partitions: cases that were wrong once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd

SMALL = settings(max_examples=40, deadline=None)
RANDOM = np.random.default_rng(3)
SIZE = 2000
ROWS = pd.DataFrame(
    {
        "k": RANDOM.integers(0, 300, SIZE),
        "i": RANDOM.integers(-3, 4, SIZE),
        "f": RANDOM.choice([0.0, 1.5, np.nan, -2], SIZE),
        "s": RANDOM.choice(list("abc"), SIZE),
    }
)


@pytest.fixture(params=[True, False], ids=["native", "pandas"])
def native(request):
    with samite.config.set({"dataframe.native": request.param}):
        yield request.param


def sums(d):
    return d.groupby("k").i.sum().reset_index()


STABLE = {"kind": "stable"}
# What is sorted: by pandas with its stable sort, which is ours always.
ORDERS = {
    "groups": lambda d, **kw: sums(d).sort_values("i", **kw),
    "groups, descending": lambda d, **kw: sums(d).sort_values("i", ascending=False, **kw),
    "groups by index": lambda d, **kw: d.groupby("k").i.sum().to_frame().sort_values("i", **kw),
    "groups of two keys": lambda d, **kw: (
        d.groupby(["k", "s"]).i.sum().reset_index().sort_values("i", **kw)
    ),
    "missing values": lambda d, **kw: (
        d.groupby("k").agg({"i": "sum", "f": "max"}).reset_index().sort_values("f", **kw)
    ),
    "sorted twice": lambda d, **kw: sums(d).sort_values("k", **kw).sort_values("i", **kw),
    "left out, then sorted": lambda d, **kw: (lambda g: g[g.i > 0].sort_values("i", **kw))(sums(d)),
    "sorted, then left out": lambda d, **kw: (lambda g: g[g.i > 0])(sums(d).sort_values("i", **kw)),
    "no index": lambda d, **kw: sums(d).sort_values("i", ignore_index=True, **kw),
}
LABELS = {
    "left out": lambda d: (lambda g: g[g.i > 0])(sums(d)),
    "missing left out": lambda d: d.groupby("k").f.max().reset_index().dropna(),
    "counted again": lambda d: (lambda g: g[g.i > 0].reset_index(drop=True))(sums(d)),
    "greatest": lambda d: sums(d).nlargest(20, "i"),
    "greatest of a series": lambda d: d.groupby("k").i.sum().nlargest(20),
    "counts of values": lambda d: d.k.value_counts().reset_index().nlargest(9, "count"),
    "whole floats": lambda d: (lambda g: g[g.i.isin([1.0, 2.0, 2.5])])(sums(d)),
    "whole floats of a series": lambda d: (lambda g: g[g.isin([1.0, np.nan])])(
        d.groupby("k").i.sum()
    ),
    "whole floats before": lambda d: d[d.i.isin([1.0, 2.5])].groupby("k").i.sum(),
}


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", ORDERS)
def test_equal_rows_stay_in_order_after_groups(native, parts, name):
    lazy = dd.from_pandas(ROWS, npartitions=parts)
    pd.testing.assert_frame_equal(ORDERS[name](lazy).compute(), ORDERS[name](ROWS, **STABLE))


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("name", LABELS)
def test_labels_after_groups_are_those_of_pandas(native, parts, name):
    found, expected = LABELS[name](dd.from_pandas(ROWS, npartitions=parts)), LABELS[name](ROWS)
    check = (
        pd.testing.assert_series_equal
        if isinstance(expected, pd.Series)
        else pd.testing.assert_frame_equal
    )
    check(found.compute(), expected)


def test_the_first_rows_of_a_sort_after_groups(native):
    lazy = dd.from_pandas(ROWS, npartitions=3)
    expected = sums(ROWS).sort_values("i", **STABLE).head(20)
    pd.testing.assert_frame_equal(sums(lazy).sort_values("i").head(20), expected)


LEFT = pd.DataFrame(
    {"k": [1, 2, 3, 4], "i": [10, 20, 30, 40], "b": [True, False, True, False], "f": [0.5, 1, 2, 3]}
)
RIGHT = pd.DataFrame(
    {
        "k": [1, 2, 5, 6, 1],
        "j": [1, 2, 3, 4, 5],
        "c": [True, True, False, False, True],
        "u": np.array([1, 2, 3, 4, 5], dtype="uint8"),
    }
)
AFTER_MERGE = {
    "all": lambda m: m,
    "condition": lambda m: m[m.j > 1],
    "of the right": lambda m: m[m.j.notna()],
    "of the left": lambda m: m[m.i.notna()],
    "complete": lambda m: m.dropna(),
    "one column": lambda m: m[m.f.notna()][["j"]],
    "filled": lambda m: m.assign(j=m.j.fillna(0), c=m.c.fillna(False), u=m.u.fillna(7)),
    "filled by name": lambda m: m.fillna({"j": -1, "i": -2}),
    "sum": lambda m: m.groupby("b").j.sum().reset_index(),
    "keys": lambda m: m.groupby("j").f.sum().reset_index(),
    "counts": lambda m: m.j.value_counts().reset_index(),
    "greatest": lambda m: m.nlargest(2, "j"),
    "sum of some": lambda m: m[m.f > 0.5].j.sum(),
    "flags": lambda m: m[m.f > 0.5][["c"]],
}


def in_order(rows):
    if not isinstance(rows, pd.DataFrame):
        return rows
    return rows.sort_values(list(rows.columns), key=lambda c: c.astype("str")).reset_index(
        drop=True
    )


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("how", ["left", "right", "outer"])
@pytest.mark.parametrize("name", AFTER_MERGE)
def test_integers_that_a_merge_has_made_floats_stay_floats(native, parts, how, name):
    after = AFTER_MERGE[name]
    left, right = dd.from_pandas(LEFT, npartitions=parts), dd.from_pandas(RIGHT, npartitions=parts)
    expected = in_order(after(LEFT.merge(RIGHT, on="k", how=how)))
    found = in_order(after(left.merge(right, on="k", how=how)).compute())
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        assert found == expected and type(found) is type(expected)


VALUES = st.lists(
    st.sampled_from([np.inf, -np.inf, 0.0, 1.5, -2.0, np.nan]), min_size=1, max_size=12
)
REDUCED = {
    name: lambda d, name=name: getattr(d.x, name)()
    for name in ("sum", "mean", "min", "max", "prod", "var", "std", "count", "cumsum", "cumprod")
}
REDUCED |= {
    "all columns": lambda d: d.sum(),
    "running": lambda d: d.cumsum(),
    "enough values": lambda d: d.x.sum(min_count=2),
    "groups": lambda d: d.groupby("k").agg({"x": ["sum", "mean", "min", "max"]}),
    "products of groups": lambda d: d.groupby("k").x.prod(),
    "spread of groups": lambda d: d.groupby("k").x.var(),
}


@pytest.mark.parametrize("name", REDUCED)
def test_reductions_of_infinities(native, name):
    @SMALL
    @given(VALUES, st.integers(1, 5))
    def check(values, parts):
        frame = pd.DataFrame({"x": np.array(values), "k": np.arange(len(values)) % 2})
        with np.errstate(all="ignore"):
            expected = REDUCED[name](frame)
            found = REDUCED[name](dd.from_pandas(frame, npartitions=parts)).compute()
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected)
        elif isinstance(expected, pd.Series):
            pd.testing.assert_series_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected)

    check()


def test_extremes_of_infinities_in_sql():
    frame = pd.DataFrame({"x": [np.inf, -np.inf, 1.0, 2.0, np.nan], "k": [1, 1, 1, 2, 2]})
    table = dd.from_pandas(frame, npartitions=2)
    found = samite.sql("select min(x) a, max(x) b, sum(x) c from t", t=table).compute()
    expected = pd.DataFrame({"a": [-np.inf], "b": [np.inf], "c": [np.nan]})
    pd.testing.assert_frame_equal(found, expected)
    query = "select k, min(x) a, max(x) b from t group by k order by k"
    found = samite.sql(query, t=table).compute()
    expected = pd.DataFrame({"k": [1, 2], "a": [-np.inf, 2.0], "b": [np.inf, 2.0]})
    pd.testing.assert_frame_equal(found, expected)
