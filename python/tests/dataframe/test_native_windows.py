"""Columns that go on from row to row within groups, by the engine as by pandas."""

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

RUNNING = {
    "sum of floats": lambda groups: groups.f.cumsum(),
    "sum of whole numbers": lambda groups: groups[["i", "u"]].cumsum(),
    "sum of booleans": lambda groups: groups.b.cumsum(),
    "product of floats": lambda groups: groups.f.cumprod(),
    "products": lambda groups: groups[["u", "b", "f", "i"]].cumprod(),
    "count": lambda groups: groups.cumcount(),
    "least": lambda groups: groups[["f", "i"]].cummin(),
    "greatest": lambda groups: groups[["small", "g", "u"]].cummax(),
}
META = {"f": "float64", "g": "float32", "t": "datetime64[us]", "i": "float64", "u": "float64"}


def moved(groups: Any, column: str, rows: int) -> Any:
    """Values of the groups moved, by this library or by pandas."""
    own = groups[column]
    if isinstance(own, pd.api.typing.SeriesGroupBy):
        return own.shift(rows)
    return own.shift(rows, meta=pd.Series([], dtype=META[column], name=column))


def has_floats_of_whole_numbers(name: str, frame: Any, by: list[str], dropna: bool) -> bool:
    """Whether pandas takes whole numbers for floats, since there are rows of no group."""
    can_be_missing = frame[by].isna().any(axis=None) or "z" in by or "c" in by
    return bool(dropna and can_be_missing and name in ("sum of whole numbers", "products"))


def transformed(groups: Any, column: str, function: str) -> Any:
    """An aggregation in the rows of the groups, by this library or by pandas."""
    own = groups[column]
    if isinstance(own, pd.api.typing.SeriesGroupBy):
        return own.transform(function)
    return own.transform(function, meta=pd.Series([], dtype="float64", name=column))


@pytest.mark.parametrize("name", RUNNING)
@SOME
@given(data=frames(), by=st.sampled_from([*KEYS, ["c"], ["c", "k"]]), dropna=st.booleans())
def test_running_totals_in_memory(
    name: str, data: tuple[pd.DataFrame, list[int]], by: list[str], dropna: bool
) -> None:
    frame, ends = data
    df = dd.from_pandas(frame, npartitions=len(ends), sort=False)
    mine = RUNNING[name](df.groupby(by, dropna=dropna))
    if not is_native(mine):
        assert has_floats_of_whole_numbers(name, frame, by, dropna)
        return
    expected = RUNNING[name](frame.groupby(by, dropna=dropna, observed=True))
    same(mine.compute(scheduler="synchronous"), expected)


@pytest.mark.parametrize("name", RUNNING)
@SOME
@given(data=frames(), by=st.sampled_from(KEYS), dropna=st.booleans())
def test_running_totals_of_files(
    name: str, data: tuple[pd.DataFrame, list[int]], by: list[str], dropna: bool
) -> None:
    with in_files(*data) as (df, whole):
        mine = RUNNING[name](df.groupby(by, dropna=dropna))
        if not is_native(mine):
            assert has_floats_of_whole_numbers(name, whole, by, dropna)
            return
        expected = RUNNING[name](whole.groupby(by, dropna=dropna))
        same(mine.compute(scheduler="synchronous"), expected)


@SOME
@given(
    data=frames(),
    by=st.sampled_from(KEYS),
    dropna=st.booleans(),
    column=st.sampled_from(list(META)),
    rows=st.integers(1, 5),
)
def test_moved_values(
    data: tuple[pd.DataFrame, list[int]], by: list[str], dropna: bool, column: str, rows: int
) -> None:
    with in_files(*data) as (df, whole):
        mine = moved(df.groupby(by, dropna=dropna), column, rows)
        assert is_native(mine)
        expected = moved(whole.groupby(by, dropna=dropna), column, rows)
        if not len(whole):
            # Of no rows, pandas keeps the type that missing values would have changed.
            expected = expected.astype(mine.dtype)
        same(mine.compute(scheduler="synchronous"), expected)


@SOME
@given(
    data=frames(),
    by=st.sampled_from(KEYS),
    dropna=st.booleans(),
    columns=st.sampled_from(["f", ["g", "t"], ["i", "small", "f"]]),
)
def test_filled_values(
    data: tuple[pd.DataFrame, list[int]], by: list[str], dropna: bool, columns: Any
) -> None:
    with in_files(*data) as (df, whole):
        mine = df.groupby(by, dropna=dropna)[columns].ffill()
        # With groups that can be missing, whole numbers may be floats.
        assert is_native(mine) or mine._meta.dtypes.get("i") == "float64"
        expected = whole.groupby(by, dropna=dropna)[columns].ffill()
        if not len(whole):
            expected = expected.astype(mine.dtypes if expected.ndim == 2 else mine.dtype)
        found = mine.compute(scheduler="synchronous")
        if not is_native(mine):
            # A shuffle brings the rows of a group together, and others elsewhere.
            found, expected = found.sort_index(), expected.sort_index()
        same(found, expected)


AGGREGATED = {
    "sum": ["f", "i", "b", "u"],
    "mean": ["f", "small"],
    "min": ["f", "i", "t", "g"],
    "max": ["f", "u", "t"],
    "count": ["f", "s", "t", "b"],
    "size": ["f"],
    "nunique": ["s", "z", "i"],
}


@pytest.mark.parametrize("function", AGGREGATED)
@SOME
@given(data=frames(), by=st.sampled_from(KEYS), dropna=st.booleans(), choice=st.data())
def test_aggregations_in_the_rows_of_groups(
    function: str, data: tuple[pd.DataFrame, list[int]], by: list[str], dropna: bool, choice: Any
) -> None:
    column = choice.draw(st.sampled_from([c for c in AGGREGATED[function] if c not in by]))
    frame, ends = data
    tame = frame.f.where(frame.f.abs() < 100)
    with in_files(frame.assign(f=tame), ends) as (df, whole):
        expected = whole.groupby(by, dropna=dropna)[column].transform(function)
        meta = whole.groupby("b")[column].transform(function).iloc[:0]
        mine = df.groupby(by, dropna=dropna)[column].transform(function, meta=meta)
        assert is_native(mine)
        found = mine.compute(scheduler="synchronous")
        pd.testing.assert_series_equal(found, expected, rtol=1e-12)


PROGRAMS = {
    "two beside the rows": lambda d: d.assign(
        total=d.f - d.groupby("k").f.cumsum(), place=d.groupby("s", dropna=False).cumcount()
    ),
    "the first rows of groups": lambda d: d[d.groupby("k").cumcount() < 2],
    "chosen by another one": lambda d: d.f.where(
        d.groupby("k").cumcount() > 0, d.groupby("k").b.cumsum()
    ),
    "one over another": lambda d: (
        d.assign(n=d.groupby("k").cumcount()).groupby(["n", "b"]).i.cumsum()
    ),
    "groups by places": lambda d: d.groupby(d.groupby("k").cumcount()).i.sum(),
    "less than before": lambda d: d.f - moved(d.groupby("k"), "f", 1),
    "beside the mean": lambda d: d.assign(
        m=d.small - transformed(d.groupby("k"), "small", "mean"), last=d.groupby("k").f.ffill()
    ),
    "more than the mean": lambda d: d[d.small > transformed(d.groupby("b"), "small", "mean")],
    "of some rows, sorted": lambda d: (
        d[d.b]
        .assign(n=lambda e: e.groupby("k").cumcount())
        .sort_values(["n", "k"])[["n", "k", "i"]]
    ),
}


# Without the engine these join rows by labels, which repeat in files.
BY_LABELS = frozenset({"less than before", "beside the mean", "more than the mean"})


@pytest.mark.parametrize("name", PROGRAMS)
@SOME
@given(data=frames())
def test_windows_beside_other_columns(name: str, data: tuple[pd.DataFrame, list[int]]) -> None:
    frame, ends = data
    program = PROGRAMS[name]
    mine = program(dd.from_pandas(frame, npartitions=len(ends), sort=False))
    assert is_native(mine)
    same(mine.compute(scheduler="synchronous"), program(frame))
    with in_files(*data) as (df, whole):
        same(program(df).compute(scheduler="synchronous"), program(whole))
    if name in BY_LABELS:
        return
    # Partition by partition floats are added up in another order.
    plain = frame.assign(f=frame.k * 0.5, g=frame.g.fillna(0))
    with in_files(plain, ends) as (df, whole), samite.config.set({"dataframe.native": False}):
        same(program(df).compute(scheduler="synchronous"), program(whole))


@SOME
@given(data=frames())
def test_partitions_are_those_of_the_rows(data: tuple[pd.DataFrame, list[int]]) -> None:
    def labelled(part: pd.DataFrame) -> pd.DataFrame:
        return part.assign(rows=len(part))

    with in_files(*data) as (df, whole):
        counted = df.assign(n=df.groupby("k").cumcount())
        mine = counted.map_partitions(labelled).compute(scheduler="synchronous")
        begin = [0, *data[1][:-1]]
        sizes = [end - start for start, end in zip(begin, data[1], strict=True)]
        rows = np.repeat(np.array(sizes, dtype="int64"), sizes)
        expected = whole.assign(n=whole.groupby("k").cumcount())
        expected["n"] = expected["n"].astype("int64")
        same(mine, expected.assign(rows=rows))


@SOME
@given(data=frames(), by=st.sampled_from(KEYS), dropna=st.booleans())
def test_extremes_without_the_engine(
    data: tuple[pd.DataFrame, list[int]], by: list[str], dropna: bool
) -> None:
    frame, ends = data
    frame["i"] //= 2**12
    df = dd.from_pandas(frame, npartitions=len(ends), sort=False)
    for name in ("cummin", "cummax"):
        # No moments: pandas has wrong ones behind a missing one where keys are missing.
        mine = getattr(df.groupby(by, dropna=dropna)[["f", "i"]], name)()
        with samite.config.set({"dataframe.native": False}):
            found = mine.compute(scheduler="synchronous")
        same(found, getattr(frame.groupby(by, dropna=dropna)[["f", "i"]], name)())


def test_what_has_no_native_form_runs_pandas() -> None:
    frame = pd.DataFrame({"k": [1, 2, 1, 2], "x": [1, 2, 3, 4], "s": list("abcd")})
    frame["small"] = frame.x.astype("int8")
    df = dd.from_pandas(frame, npartitions=1)
    of = df.groupby("k")
    queries = [
        (of.small.cumsum(), frame.groupby("k").small.cumsum()),
        (of.x.shift(-1, meta=("x", "float64")), frame.groupby("k").x.shift(-1)),
        (of.s.shift(1, meta=("s", "str")), frame.groupby("k").s.shift(1)),
        (of.x.bfill(), frame.groupby("k").x.bfill()),
    ]
    for mine, expected in queries:
        assert not is_native(mine)
        same(mine.compute(), expected)


def test_groups_beyond_the_budget_are_an_error() -> None:
    keys = np.arange(400_000)
    frame = pd.DataFrame({"k": keys, "x": keys * 0.5})
    df = dd.from_pandas(frame, npartitions=4)
    total = df.groupby("k").x.cumsum()
    with pytest.raises(MemoryError, match="memory_limit"):
        total.compute(memory_limit="1 MiB")
