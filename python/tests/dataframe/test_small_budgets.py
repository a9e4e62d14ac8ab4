"""Frames of more bytes than a memory limit: sorts and joins spill, and results that do not fit into
one value stay in partitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import samite
import samite.dataframe as dd

SIZE = 300_000


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    numbers = pd.Series(random.permutation(SIZE))
    return pd.DataFrame({"n": numbers, "s": "a text of some length " + numbers.astype(str)})


@pytest.mark.parametrize("by", ["n", "s", ["s", "n"]])
@pytest.mark.parametrize("count", [10, 100_000])
def test_the_first_rows_of_an_order(rows, by, count):
    lazy = dd.from_pandas(rows, npartitions=4).sort_values(by).head(count, compute=False)
    expected = rows.sort_values(by, kind="stable").head(count)
    pd.testing.assert_frame_equal(lazy.compute(memory_limit="16 MB"), expected)


def test_all_rows_sorted(rows):
    lazy = dd.from_pandas(rows, npartitions=4).sort_values("s")
    expected = rows.sort_values("s", kind="stable")
    pd.testing.assert_frame_equal(lazy.compute(memory_limit="24 MB"), expected)


@pytest.mark.parametrize("how", ["sort", "merge"])
def test_rows_that_are_no_single_value(rows, how, tmp_path):
    lazy = dd.from_pandas(rows, npartitions=20)
    if how == "sort":
        lazy = lazy.sort_values("s", ignore_index=True)
    else:
        lazy = lazy.merge(lazy.rename(columns={"n": "m"}), on="s")
    with samite.config.set({"memory-limit": "12 MB"}):
        lazy.to_parquet(tmp_path / "rows", write_index=False)
    found = dd.read_parquet(tmp_path / "rows").compute().reset_index(drop=True)
    if how == "sort":
        expected = rows.sort_values("s", kind="stable", ignore_index=True)
        pd.testing.assert_frame_equal(found, expected)
    else:
        assert len(found) == SIZE and (found.n == found.m).all() and found.n.is_unique


def test_more_groups_than_the_budget_are_made_in_pieces(tmp_path, capsys):
    random = np.random.default_rng(1)
    count = 400_000
    keys = random.integers(0, 250_000, count)
    frame = pd.DataFrame(
        {"s": pd.Series(keys % 7).astype("str"), "k": keys, "v": random.integers(0, 9, count)}
    )
    frame.loc[::1000, "s"] = None
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=50_000)
    rows = dd.read_parquet(tmp_path / "rows.parquet")
    sums = rows.groupby(["s", "k"], dropna=False).agg(v=("v", "sum"), n=("v", "size"))
    expected = frame.groupby(["s", "k"], dropna=False).agg(v=("v", "sum"), n=("v", "size"))
    with samite.config.set({"memory-limit": "48 MB"}):
        pd.testing.assert_frame_equal(sums.compute(), expected)
        # What comes of the groups does not depend on how they were made either.
        totals = sums.reset_index().groupby("s").agg({"v": "sum", "n": "sum"})
        whole = expected.reset_index().groupby("s").agg({"v": "sum", "n": "sum"})
        pd.testing.assert_frame_equal(totals.compute(), whole)
        sums.analyze()
    assert "PiecesExec" in capsys.readouterr().out
