"""No row is lost or doubled where rows move between many partitions: counts and sums of keys,
with keys that are rare, frequent and missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import samite
import samite.dataframe as dd

SIZE = 200_000
PARTS = 200


def rows(size, seed):
    """Half of the rows have one key, a tenth none; the others are spread over many."""
    random = np.random.default_rng(seed)
    kind = random.random(size)
    key = np.where(kind < 0.5, 7.0, random.integers(0, size // 4, size).astype(float))
    key[kind > 0.9] = np.nan
    return pd.DataFrame({"k": key, "row": np.arange(size), "s": pd.Series(key).map("k{}".format)})


ROWS = rows(SIZE, 1)
# One row for each key of every second one, and one for what is missing.
OTHER = pd.DataFrame({"k": np.append(np.arange(0.0, SIZE // 4, 2), [7.0, np.nan])})
OTHER["v"] = np.arange(len(OTHER))
OTHER["s"] = OTHER.k.map("k{}".format)


@pytest.fixture(autouse=True)
def without_the_engine():
    with samite.config.set({"dataframe.native": False}):
        yield


def check(found, expected):
    """All rows are there, each as often as it has to be."""
    assert len(found) == len(expected)
    assert found.k.isna().sum() == expected.k.isna().sum()
    assert found.k.sum() == expected.k.sum()
    rows_found = np.sort(found.row.to_numpy(dtype=float))
    np.testing.assert_array_equal(rows_found, np.sort(expected.row.to_numpy(dtype=float)))


@pytest.mark.parametrize(("how", "on"), [("inner", "k"), ("outer", "k"), ("left", "s")])
def test_merges_of_more_than_128_partitions(how, on):
    left, right = dd.from_pandas(ROWS, npartitions=PARTS), dd.from_pandas(OTHER, npartitions=150)
    other = OTHER[["k", "v"]] if on == "k" else OTHER[["s", "v"]]
    merged = left.merge(right[list(other.columns)], on=on, how=how)
    expected = ROWS.merge(other, on=on, how=how)
    found = merged.compute()
    assert found.v.sum() == expected.v.sum()
    check(found, expected)


@pytest.mark.parametrize(("method", "on"), [("tasks", "k"), ("tasks", ["k", "s"]), ("disk", "s")])
def test_shuffles(method, on):
    lazy = dd.from_pandas(ROWS, npartitions=PARTS)
    shuffled = lazy.shuffle(on, npartitions=PARTS - 50, shuffle_method=method)
    parts = shuffled.map_partitions(
        lambda f: pd.DataFrame({"n": [len(f)], "sum": [f.row.sum()], "keys": [f.s.nunique()]}),
        meta={"n": "int64", "sum": "int64", "keys": "int64"},
    ).compute()
    assert parts.n.sum() == SIZE
    assert parts["sum"].sum() == ROWS.row.sum()
    # Each key is in one partition.
    assert parts["keys"].sum() == ROWS.s.nunique()


def test_sorted_indexes():
    lazy = dd.from_pandas(ROWS, npartitions=PARTS)
    indexed = lazy.dropna(subset=["k"]).set_index("k")
    found = indexed.compute()
    expected = ROWS.dropna(subset=["k"])
    assert len(found) == len(expected) and found.row.sum() == expected.row.sum()
    assert found.index.is_monotonic_increasing
    assert len(lazy.sort_values("k").compute()) == SIZE


@pytest.mark.parametrize("native", [True, False])
def test_native_merges(native):
    left, right = dd.from_pandas(ROWS, npartitions=PARTS), dd.from_pandas(OTHER, npartitions=150)
    with samite.config.set({"dataframe.native": native}):
        found = left.merge(right[["k", "v"]], on="k", how="left").groupby("v").row.agg("sum")
        computed = found.compute()
    expected = ROWS.merge(OTHER[["k", "v"]], on="k", how="left").groupby("v").row.sum()
    assert computed.sum() == expected.sum() and len(computed) == len(expected)


@pytest.mark.parametrize("split_out", [1, 50])
def test_groups(split_out):
    lazy = dd.from_pandas(ROWS, npartitions=PARTS)
    found = lazy.groupby("k", dropna=False).row.agg(["count", "sum"], split_out=split_out).compute()
    assert found["count"].sum() == SIZE and found["sum"].sum() == ROWS.row.sum()
    assert len(found) == ROWS.k.nunique(dropna=False)


@pytest.mark.parametrize("parts", [129, 333])
def test_other_numbers_of_partitions_and_rows_that_are_equal(parts):
    lazy = dd.from_pandas(ROWS, npartitions=PARTS, sort=False)
    check(lazy.repartition(npartitions=parts).compute(), ROWS)
    different = lazy[["s"]].drop_duplicates(split_out=parts)
    assert len(different) == ROWS.s.nunique()
