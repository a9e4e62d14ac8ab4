"""Groups by several keys, whose index has levels, and the first rows of groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import samite.dataframe as dd

ROWS = 30_000


def texts(random: np.random.Generator, many: int, word: str = "id") -> Any:
    return pd.Series([f"{word}{number:03}" for number in random.integers(0, many, ROWS)])


def frame() -> pd.DataFrame:
    random = np.random.default_rng(11)
    value = random.normal(size=ROWS)
    value[random.random(ROWS) < 0.1] = np.nan
    holes = random.random(ROWS) < 0.05
    whole = random.integers(-40, 40, ROWS)
    return pd.DataFrame(
        {
            "short": texts(random, 30),
            "long": texts(random, 400, "a text of more than twelve bytes "),
            "unicode": texts(random, 5, "ü€𝄞").where(~holes),
            "small": whole.astype("int8"),
            "wide": random.integers(-(2**62), 2**62, 500)[random.integers(0, 500, ROWS)],
            "other": random.integers(-(2**62), 2**62, ROWS),
            "time": pd.Timestamp("2020-02-28") + pd.to_timedelta(whole, unit="h"),
            "hole": pd.Series(whole, dtype="float64").where(~holes),
            "nullable": pd.array(np.where(holes, 0, whole), dtype="Int64"),
            "kind": pd.Categorical(texts(random, 4)),
            "truth": whole > 3,
            "v": value,
            "n": np.arange(ROWS),
        }
    )


ROWS_OF_ALL = frame()

KEYS = [
    ["short", "small"],
    ["long", "time", "short"],
    ["unicode", "short"],
    ["wide", "unicode", "small"],
    ["small", "wide", "long", "time"],
    # More different values than one number of 64 bits can hold.
    ["other", "long", "n", "wide", "time"],
    ["short", "other", "n", "small", "long", "wide", "unicode"],
    # Types of which the index is made by pandas.
    ["short", "hole"],
    ["kind", "small"],
    ["truth", "long"],
]


@pytest.mark.parametrize("sort", [True, False])
@pytest.mark.parametrize("dropna", [True, False])
@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: "-".join(keys))
def test_index_of_several_keys(keys: list[str], dropna: bool, sort: bool, tmp_path: Path) -> None:
    rows = ROWS_OF_ALL[[*keys, "v", *({"n"} - set(keys))]]
    path = tmp_path / "rows.parquet"
    rows.to_parquet(path, row_group_size=7_000)
    options: dict[str, Any] = {"dropna": dropna, "sort": sort, "observed": True}
    asked = dd.read_parquet(path).groupby(keys, **options)
    found = asked.agg(v=("v", "sum"), count=("v", "size")).compute()
    expected = rows.groupby(keys, **options).agg(v=("v", "sum"), count=("v", "size"))
    assert [level.dtype for level in found.index.levels] == [
        level.dtype for level in expected.index.levels
    ]
    if not sort:
        found, expected = found.sort_index(), expected.sort_index()
    pd.testing.assert_frame_equal(found, expected, check_exact=False, rtol=1e-12)
    for level in found.index.levels:
        assert level.is_monotonic_increasing and level.is_unique


@pytest.mark.parametrize("count", [0, 1])
def test_index_of_few_groups(count: int) -> None:
    rows = ROWS_OF_ALL[["short", "small", "v"]].iloc[:count]
    found = dd.from_pandas(rows, npartitions=1).groupby(["short", "small"]).v.sum().compute()
    pd.testing.assert_series_equal(found, rows.groupby(["short", "small"]).v.sum())
    assert found.index.nlevels == 2


def test_values_beside_an_index_of_several_keys() -> None:
    rows = ROWS_OF_ALL.assign(word=ROWS_OF_ALL.long)
    asked = {"word": "max", "time": "min", "n": "mean", "truth": "any"}
    found = dd.from_pandas(rows, npartitions=3).groupby(["short", "small"]).agg(asked).compute()
    expected = rows.groupby(["short", "small"]).agg(asked)
    pd.testing.assert_frame_equal(found, expected)


# ---- the first rows of groups -----------------------------------------------------------------


def first_rows(rows: pd.DataFrame, by: list[str], value: str, order: str, kept: int) -> Any:
    """The values of the first rows of groups, in the order of SQL."""
    descending = "desc" in order
    first = "first" in order if "nulls" in order else descending
    placed = rows.sort_values(
        value, ascending=not descending, na_position="first" if first else "last"
    )
    return placed[placed.groupby(by, dropna=False).cumcount() < kept][[*by, value]]


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    columns = list(expected.columns)
    found, expected = (
        each.sort_values(columns).reset_index(drop=True) for each in (found, expected)
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize("order", ["", "desc", "desc nulls last", "nulls first"])
@pytest.mark.parametrize("kept", [1, 2, 7, 40])
@pytest.mark.parametrize(
    ("by", "value"),
    [(["long"], "v"), (["short", "unicode"], "time"), (["small"], "other"), (["wide"], "small")],
)
def test_first_rows_of_groups(by: list[str], value: str, order: str, kept: int) -> None:
    rows = dd.from_pandas(ROWS_OF_ALL, npartitions=4)
    keys = ", ".join(by)
    for condition in (f"place <= {kept}", f"{kept + 1} > place and place > 0"):
        query = f"""
            select {keys}, {value} from (select *, row_number() over
            (partition by {keys} order by {value} {order}) as place from t) where {condition}
        """
        same(dd.sql(query, t=rows).compute(), first_rows(ROWS_OF_ALL, by, value, order, kept))


@pytest.mark.parametrize("size", [None, "24MiB"])
def test_first_rows_of_many_rows(size: str | None) -> None:
    random = np.random.default_rng(3)
    count = 600_000
    rows = pd.DataFrame({"k": random.integers(0, 900, count), "v": random.random(count)})
    query = """
        select k, v from (select k, v, row_number() over (partition by k order by v desc) as place
        from t) where place <= 3
    """
    found = dd.sql(query, t=dd.from_pandas(rows, npartitions=5)).compute(memory_limit=size)
    same(found, first_rows(rows, ["k"], "v", "desc", 3))


@pytest.mark.parametrize("size", [None, "64MiB", "16MiB"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_first_rows_of_many_groups(size: str | None, order: str) -> None:
    random = np.random.default_rng(4)
    count = 500_000
    keys = random.integers(0, 120_000, count)
    rows = pd.DataFrame({"k": keys, "v": random.random(count), "s": pd.Series(keys).astype("str")})
    query = f"""
        select k, v, s from (select k, v, s, row_number() over (partition by k order by v {order})
        as place from t) where place <= 2
    """
    found = dd.sql(query, t=dd.from_pandas(rows, npartitions=5)).compute(memory_limit=size)
    best = rows.sort_values("v", ascending=order == "asc")
    same(found, best[best.groupby("k").cumcount() < 2])


def test_ranks_keep_equal_rows_and_other_windows_see_all_rows() -> None:
    rows = ROWS_OF_ALL[["short", "small", "n"]]
    ranks = rows.groupby("short").small.rank(method="min", ascending=False)
    table = dd.from_pandas(rows, npartitions=3)
    query = """
        select short, small, n from (select *, rank() over
        (partition by short order by small desc) as place from t) where place <= 5
    """
    same(dd.sql(query, t=table).compute(), rows[ranks <= 5])
    query = """
        select short, n, following from (select *, row_number() over w as place,
        lead(n) over w as following from t window w as (partition by short order by n desc))
        where place <= 1
    """
    last = rows.sort_values("n", ascending=False).groupby("short").n
    found = dd.sql(query, t=table).compute().set_index("short").sort_index()
    assert found.n.tolist() == last.nth(0).groupby(rows.short).first().tolist()
    assert found.following.tolist() == last.nth(1).groupby(rows.short).first().tolist()
