"""Differences, ranks and functions of the last rows of groups, and orders and first rows by
categories, by the engine as by pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _windows import KEYS, SOME, frames, in_files, is_native, same
from hypothesis import given
from hypothesis import strategies as st

import samite
import samite.dataframe as dd

PLAIN_KEYS = [["k"], ["s"], ["s", "k"], ["b", "k"]]
TAME = [0.0, 1.5, -2.25, 0.1, 7.0, np.inf, -np.inf, np.nan]


def split(frame: pd.DataFrame, ends: list[int]) -> Any:
    return dd.from_pandas(frame, npartitions=len(ends), sort=False)


def computed(collection: Any) -> Any:
    return collection.compute(scheduler="synchronous")


@SOME
@given(
    data=frames(),
    by=st.sampled_from([*KEYS, ["c", "k"]]),
    dropna=st.booleans(),
    columns=st.sampled_from(["f", "i", "t", "small", ["g", "u"], ["small", "f"]]),
    periods=st.integers(1, 4),
)
def test_differences(
    data: tuple[pd.DataFrame, list[int]],
    by: list[str],
    dropna: bool,
    columns: Any,
    periods: int,
) -> None:
    frame, ends = data
    mine = split(frame, ends).groupby(by, dropna=dropna)[columns].diff(periods)
    assert is_native(mine)
    expected = frame.groupby(by, dropna=dropna, observed=True)[columns].diff(periods)
    if not len(frame):
        expected = expected.astype(mine.dtypes if expected.ndim == 2 else mine.dtype)
    same(computed(mine), expected)


@SOME
@given(
    data=frames(),
    by=st.sampled_from([*KEYS, ["c", "k"]]),
    dropna=st.booleans(),
    columns=st.sampled_from(["f", "i", "small", ["g", "u"]]),
    method=st.sampled_from(["average", "min", "max", "dense", "first"]),
    ascending=st.booleans(),
)
def test_ranks(
    data: tuple[pd.DataFrame, list[int]],
    by: list[str],
    dropna: bool,
    columns: Any,
    method: str,
    ascending: bool,
) -> None:
    frame, ends = data
    frame["small"] //= 64
    options = {"method": method, "ascending": ascending}
    mine = split(frame, ends).groupby(by, dropna=dropna)[columns].rank(**options)
    assert is_native(mine)
    same(computed(mine), frame.groupby(by, dropna=dropna, observed=True)[columns].rank(**options))


@SOME
@given(data=frames(), options=st.sampled_from([{"pct": True}, {"na_option": "top"}]))
def test_ranks_of_pandas(data: tuple[pd.DataFrame, list[int]], options: dict[str, Any]) -> None:
    frame, ends = data
    mine = split(frame, ends).groupby("k").f.rank(**options)
    assert not is_native(mine)
    same(computed(mine).sort_index(), frame.groupby("k").f.rank(**options))


FUNCTIONS = ["sum", "mean", "min", "max", "std", "var", "count"]


@pytest.mark.parametrize("function", FUNCTIONS)
@SOME
@given(
    data=frames(),
    by=st.sampled_from(PLAIN_KEYS),
    dropna=st.booleans(),
    columns=st.sampled_from(["f", ["small", "f", "g"], ["b", "i"], ["f", "u"]]),
    length=st.integers(1, 6),
    choice=st.data(),
)
def test_functions_of_the_last_rows(
    function: str,
    data: tuple[pd.DataFrame, list[int]],
    by: list[str],
    dropna: bool,
    columns: Any,
    length: int,
    choice: Any,
) -> None:
    frame, ends = data
    size = len(frame)
    tame = choice.draw(st.lists(st.sampled_from(TAME), min_size=size, max_size=size))
    frame["f"] = np.array(tame, dtype="float64")
    # pandas loses digits of numbers that are added and taken away again.
    frame["g"] = frame.g.clip(-100, 100)
    frame["i"] %= 1000
    frame["u"] %= 1000
    columns = [c for c in columns if c not in by] if isinstance(columns, list) else columns
    least = choice.draw(st.none() | st.integers(0, length))

    def rolled(groups: Any) -> Any:
        return getattr(groups[columns].rolling(length, min_periods=least), function)()

    def check(mine: Any, whole: pd.DataFrame) -> None:
        found = rolled(mine.groupby(by, dropna=dropna))
        assert is_native(found)
        if len(whole.dropna(subset=by) if dropna else whole):
            close(computed(found), rolled(whole.groupby(by, dropna=dropna)))
        else:
            # Of no rows the index of pandas has levels of other kinds, and of no groups it fails.
            assert not len(computed(found))

    check(split(frame, ends), frame)
    with in_files(frame, ends) as (mine, whole):
        check(mine, whole)


def close(mine: Any, expected: Any) -> None:
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-12, atol=1e-7)
    else:
        pd.testing.assert_series_equal(mine, expected, rtol=1e-12, atol=1e-7)


def test_rows_that_are_no_longer_among_the_last_ones_leave_nothing_behind() -> None:
    frame = pd.DataFrame({"k": 1, "x": [0.1, 1e20, 0.1, 0.2, 0.4]})
    mine = computed(split(frame, [5]).groupby("k").x.rolling(2).sum())
    assert mine.tolist()[3:] == [0.1 + 0.2, 0.2 + 0.4]
    spread = computed(split(frame, [5]).groupby("k").x.rolling(2).std())
    np.testing.assert_allclose(
        spread.tolist()[3:], [np.std([0.1, 0.2], ddof=1)] + [np.std([0.2, 0.4], ddof=1)]
    )


def test_windows_that_pandas_computes() -> None:
    frame = pd.DataFrame({"k": [1, 2, 1, 2, 1], "z": [0.5, 1, 0.5, 1, 1], "x": [1.0, 2, 3, 4, 6]})
    df = dd.from_pandas(frame, npartitions=1)

    def queries(of: Any) -> list[Any]:
        return [
            of.groupby("k").x.rolling(3, center=True).sum(),
            of.groupby("k").x.rolling(2).median(),
            of.groupby("k").x.rolling(2).std(ddof=0),
            of.groupby("k").x.rolling(100, min_periods=1).sum(),
            of.groupby("z").x.rolling(2).sum(),
            of.groupby("k", sort=False).x.rolling(2).sum(),
            of.groupby("k").x.diff(-1),
        ]

    for mine, expected in zip(queries(df), queries(frame), strict=True):
        assert not is_native(mine)
        close(mine.compute(), expected)


ORDERS = [["c"], ["c", "k"], ["k", "c"]]


@SOME
@given(
    data=frames(),
    by=st.sampled_from(ORDERS),
    ascending=st.booleans(),
    na_position=st.sampled_from(["first", "last"]),
)
def test_sorted_by_categories(
    data: tuple[pd.DataFrame, list[int]], by: list[str], ascending: bool, na_position: str
) -> None:
    frame, ends = data
    options: dict[str, Any] = {"ascending": ascending, "na_position": na_position}
    mine = split(frame, ends).sort_values(by, **options)
    assert is_native(mine)
    same(computed(mine), frame.sort_values(by, kind="stable", **options))
    mine = split(frame, ends)[["c", "k"]].sort_values(by, ignore_index=True, **options)
    assert is_native(mine)
    expected = frame[["c", "k"]].sort_values(by, kind="stable", ignore_index=True, **options)
    same(computed(mine), expected)
    few = split(frame, ends).sort_values(by, **options).head(3, npartitions=-1, compute=False)
    same(computed(few), frame.sort_values(by, kind="stable", **options).head(3))


@SOME
@given(data=frames(), subset=st.sampled_from([["c"], ["c", "k"], ["s"], ["z", "c"], "f", None]))
def test_first_rows_of_equal_ones(data: tuple[pd.DataFrame, list[int]], subset: Any) -> None:
    frame, ends = data
    mine = split(frame, ends).drop_duplicates(subset=subset)
    assert is_native(mine)
    same(computed(mine), frame.drop_duplicates(subset=subset))
    chosen = ["c", "z", "b"]
    mine = split(frame, ends)[chosen].drop_duplicates(ignore_index=True)
    assert is_native(mine)
    expected = frame[chosen].drop_duplicates().sort_values(["z", "b", "c"], ignore_index=True)
    same(computed(mine).sort_values(["z", "b", "c"], ignore_index=True), expected)
    with in_files(frame, ends) as (rows, whole):
        if not isinstance(subset, str) and subset and "c" in subset:
            subset = [*(label for label in subset if label != "c"), "k"]
        mine = rows.drop_duplicates(subset=subset)
        assert is_native(mine)
        same(computed(mine), whole.drop_duplicates(subset=subset))
    with samite.config.set({"dataframe.native": False}):
        found = computed(split(frame, ends).drop_duplicates(subset=subset))
    assert len(found) == len(frame.drop_duplicates(subset=subset))
