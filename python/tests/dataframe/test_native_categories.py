"""Categories as keys, and columns that the names of folders hold, by the engine as by pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd
from samite.dataframe._native import nativized
from samite.dataframe._native.node import NativeRows

SOME = settings(max_examples=25, deadline=None)


@st.composite
def frames(draw: Any, categories: Any = None) -> tuple[pd.DataFrame, int]:
    """A frame with categories among its columns, and a number of partitions."""
    size = draw(st.integers(0, 30))
    if categories is None:
        categories = draw(st.sampled_from([["a", "b", "c", "ä"], ["b", "a", "ä", "c"], ["a"]]))

    def column(values: Any) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    chosen = column(st.sampled_from([*categories, None]))
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(chosen, categories=categories, ordered=draw(st.booleans())),
            "k": pd.array(column(st.integers(0, 2)), dtype="int64"),
            "s": pd.Series(column(st.sampled_from(["x", "y", None])), dtype="str"),
            "f": np.array(column(st.sampled_from([0.5, 1.5, np.nan])), dtype="float64"),
        }
    )
    return frame, draw(st.integers(1, 4))


def both(build: Any) -> tuple[Any, Any, bool]:
    """A result by the engine and by pandas, and whether all of it is the engine's."""
    collection = build()
    native = isinstance(nativized(collection.expr, final=True), NativeRows)
    mine = collection.compute(scheduler="synchronous")
    with samite.config.set({"dataframe.native": False}):
        other = build().compute(scheduler="synchronous")
    return mine, other, native


@SOME
@given(
    data=frames(),
    by=st.sampled_from(["c", ["c"], ["c", "k"], ["s", "c"]]),
    sort=st.booleans(),
    dropna=st.booleans(),
    observed=st.booleans(),
    unknown=st.booleans(),
)
def test_groups(
    data: Any, by: Any, sort: bool, dropna: bool, observed: bool, unknown: bool
) -> None:
    frame, parts = data

    def build() -> Any:
        df = dd.from_pandas(frame, npartitions=parts, sort=False)
        if unknown:
            df = df.assign(c=df.c.cat.as_unknown())
        grouped = df.groupby(by, sort=sort, dropna=dropna, observed=observed)
        # Whole numbers stay so if all categories have rows, which shows only when they are there.
        most = "k" if observed else "f"
        return grouped.agg(total=("f", "sum"), rows=("k", "size"), most=(most, "max"))

    mine, other, native = both(build)
    every = not observed and (by not in ("c", ["c"]) or not dropna)
    assert native == (not unknown and not every)
    if not sort:
        mine, other = (one.reset_index() for one in (mine, other))
        keys = [by] if isinstance(by, str) else by
        mine, other = (one.sort_values(keys, ignore_index=True) for one in (mine, other))
    pd.testing.assert_frame_equal(mine, other)


@pytest.mark.parametrize("chosen", ["aabc", "aabb"])
@pytest.mark.parametrize("functions", [["max"], ["size", "min", "max"]])
def test_whole_numbers_of_groups_without_rows(chosen: str, functions: list[str]) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(list(chosen), categories=list("abc")), "k": range(4)})

    def query(df: Any) -> Any:
        grouped = df.groupby("c", observed=False)
        return grouped.agg(**{function: ("k", function) for function in functions})

    mine = query(dd.from_pandas(frame, npartitions=2)).compute(scheduler="synchronous")
    pd.testing.assert_frame_equal(mine, query(frame))


@SOME
@given(data=frames(), other=st.permutations(["x", "y", "z"]), by=st.booleans(), sort=st.booleans())
def test_groups_of_pairs_of_categories(data: Any, other: Any, by: bool, sort: bool) -> None:
    frame, parts = data
    frame = frame.assign(d=pd.Categorical(frame.s, categories=other), b=frame.k > 1)
    keys = ["c", "d"] if by else ["d", "c"]

    def query(df: Any) -> Any:
        return df.groupby(keys, observed=False, sort=sort).agg(
            total=("f", "sum"), many=("s", "nunique"), there=("b", "count"), least=("s", "min")
        )

    collection = query(dd.from_pandas(frame, npartitions=parts, sort=False))
    assert isinstance(nativized(collection.expr, final=True), NativeRows)
    mine, expected = collection.compute(scheduler="synchronous"), query(frame)
    if not sort:
        mine, expected = mine.sort_index(), expected.sort_index()
    pd.testing.assert_frame_equal(mine, expected)


@SOME
@given(data=frames(), sort=st.booleans(), ascending=st.booleans(), dropna=st.booleans())
def test_counts(data: Any, sort: bool, ascending: bool, dropna: bool) -> None:
    frame, parts = data

    def query(df: Any) -> Any:
        return df.c.value_counts(sort=sort, ascending=ascending, dropna=dropna)

    collection = query(dd.from_pandas(frame, npartitions=parts, sort=False))
    assert isinstance(nativized(collection.expr, final=True), NativeRows)
    pd.testing.assert_series_equal(collection.compute(scheduler="synchronous"), query(frame))
    different = dd.from_pandas(frame, npartitions=parts, sort=False).c.nunique()
    assert different.compute(scheduler="synchronous") == frame.c.nunique()


@SOME
@given(
    left=frames(categories=["a", "b", "c"]),
    right=frames(categories=["a", "b", "c"]),
    others=st.booleans(),
    how=st.sampled_from(["inner", "left", "right", "outer", "leftsemi"]),
    same_label=st.booleans(),
)
def test_merges(left: Any, right: Any, others: bool, how: str, same_label: bool) -> None:
    frame, parts = left
    theirs, their_parts = right
    frame = frame.assign(c=frame.c.cat.as_unordered())
    theirs = theirs[["c", "f"]].assign(c=theirs.c.cat.as_unordered())
    if others:
        theirs = theirs.assign(c=theirs.c.cat.rename_categories(["d", "a", "b"]))
    key = "c" if same_label else "key"
    theirs = theirs.rename(columns={"c": key, "f": "g"})

    def build() -> Any:
        mine = dd.from_pandas(frame[["c", "k"]], npartitions=parts, sort=False)
        its = dd.from_pandas(theirs, npartitions=their_parts, sort=False)
        return mine.merge(its, how=how, left_on="c", right_on=key)

    mine, other, native = both(build)
    assert native == (how != "leftsemi")
    assert mine.dtypes.equals(other.dtypes)
    by = list(other.columns)
    mine, other = (one.sort_values(by, ignore_index=True) for one in (mine, other))
    pd.testing.assert_frame_equal(mine, other)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    random = np.random.default_rng(3)
    rows = 300
    frame = pd.DataFrame(
        {
            "year": random.choice([2019, 2020, 2021], rows),
            "place": pd.Series(random.choice(["here", "ä b", None], rows), dtype="str"),
            "x": random.random(rows),
            "k": random.integers(0, 5, rows),
        }
    )
    path = str(tmp_path_factory.mktemp("rows") / "rows")
    dd.from_pandas(frame, npartitions=4).to_parquet(path, partition_on=["year", "place"])
    return path


IN_FOLDERS = {
    "not read": lambda df: df.groupby("k").x.sum(),
    "condition": lambda df: df[df.year == 2020].x.sum(),
    "conditions": lambda df: df[(df.year != 2020) & (df.x > 0.5)].groupby("k").x.mean(),
    "listed": lambda df: df[df.year.isin([2019, 2021])].k.sum(),
    "order": lambda df: df[df.year > 2019].x.count() if df.year.dtype != "category" else df.x.sum(),
    "text": lambda df: df[df.place == "ä b"].x.sum(),
    "groups": lambda df: df.groupby("year").x.sum(),
    "several groups": lambda df: df.groupby(["place", "year"]).agg(n=("x", "count")),
    "missing": lambda df: df.groupby("place", dropna=False).x.count(),
    "column": lambda df: df.sort_values("x")[["x", "year", "place"]],
    "number": lambda df: df.assign(y=df.year.astype("int64")).groupby("y").k.max(),
    "one of two folders": lambda df: df[(df.year == 2019) | (df.place == "here")].x.sum(),
    "a folder or a value": lambda df: (
        df[(df.year == 2019) | (df.x < 0.25)].groupby("place", dropna=False).x.sum()
    ),
    "not in a folder, or a value": lambda df: df[(df.place != "here") | (df.k == 1)].x.sum(),
    "alternatives": lambda df: (
        df[
            (df.year.isin([2019, 2020]) & (df.k > 1))
            | (df.year == 2021)
            | ((df.place == "ä b") & (df.x > 0.75))
        ]
        .groupby("year")
        .agg(n=("x", "count"), total=("x", "sum"))
    ),
    "filters": lambda df: dd.read_parquet(
        df._path, filters=[("year", ">=", 2020), ("x", "<", 0.25)]
    ).x.sum(),
}


@pytest.mark.parametrize("name", IN_FOLDERS)
def test_folders(folder: str, name: str) -> None:
    def build() -> Any:
        df = dd.read_parquet(folder)
        object.__setattr__(df, "_path", folder)
        return IN_FOLDERS[name](df)

    mine, other, native = both(build)
    assert native or name == "column"
    if name == "column":
        # Rows of the same labels are in the order of the values.
        mine, other = (one.reset_index(drop=True) for one in (mine, other))
    if isinstance(other, pd.DataFrame):
        pd.testing.assert_frame_equal(mine, other)
    elif isinstance(other, pd.Series):
        pd.testing.assert_series_equal(mine, other)
    else:
        assert mine == pytest.approx(other)


def test_very_many_folders(tmp_path: Any) -> None:
    frame = pd.DataFrame({"day": np.arange(200) % 100, "x": np.arange(200.0)})
    dd.from_pandas(frame, npartitions=1).to_parquet(tmp_path / "rows", partition_on=["day"])
    df = dd.read_parquet(tmp_path / "rows")
    assert df.npartitions == 100
    assert isinstance(nativized(df.x.sum().expr, final=True), NativeRows)
    assert df.x.sum().compute() == frame.x.sum()
    pd.testing.assert_series_equal(
        df.groupby("day").x.sum().compute().set_axis(range(100)),
        frame.groupby("day").x.sum().set_axis(range(100)),
    )


def test_squares_of_integers_and_one_aggregation_for_many_readers() -> None:
    frame = pd.DataFrame({"k": [1, 1, 2], "i": [2**62, 3, -4], "b": [True, False, True]})
    df = dd.from_pandas(frame, npartitions=2)
    mine, other, native = both(lambda: (df.i**2).sum())
    assert native and mine == other
    mine, other, native = both(lambda: (df.i**3).sum())
    assert not native and mine == other
    sums = df.groupby("k").agg(a=("i", "sum"), n=("i", "count"))
    quotient = sums.a**3 / sums.n
    nodes = list(nativized(quotient.expr, final=True).walk())
    assert sum(isinstance(node, NativeRows) for node in nodes) == 1
    with samite.config.set({"dataframe.native": False}):
        expected = quotient.compute()
    pd.testing.assert_series_equal(quotient.compute(), expected)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_alternatives_of_folders_and_values(folder: str, data: Any) -> None:
    terms = st.one_of(
        st.tuples(
            st.just("year"), st.sampled_from(["==", "!=", "<", ">="]), st.integers(2018, 2022)
        ),
        st.tuples(st.just("year"), st.sampled_from(["in", "not in"]), st.just((2019, 2021))),
        st.tuples(st.just("place"), st.sampled_from(["==", "!="]), st.sampled_from(["here", "no"])),
        st.tuples(st.just("k"), st.sampled_from(["==", "!=", ">"]), st.integers(-1, 5)),
        st.tuples(st.just("x"), st.sampled_from(["<", ">="]), st.floats(0, 1)),
    )
    group = st.lists(terms, min_size=1, max_size=3)
    filters = data.draw(st.lists(group, min_size=1, max_size=3))

    def build() -> Any:
        df = dd.read_parquet(folder, filters=filters)
        return df.groupby("place", dropna=False).agg(n=("k", "count"), total=("x", "sum"))

    mine, other, _ = both(build)
    pd.testing.assert_frame_equal(mine, other)
