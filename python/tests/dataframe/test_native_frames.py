"""What the engine computes is what pandas on partitions computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.dataframe as dd
from samite import _engine
from samite.dataframe._native import nativized
from samite.dataframe._native.node import NativeRows

FLOATS = [0.0, -0.0, 1.5, -2.25, 1e300, -1e300, np.inf, -np.inf, np.nan]
TEXTS = ["", "a", "B", "ab", "Straße", "ÄÖ", "日本", "x" * 20, None]
MOMENTS = ["2020-02-29 23:59:59.5", "1969-12-31", "2000-01-01", "2038-01-19 03:14:08", None]


@st.composite
def frames(draw: Any, least: int = 0) -> tuple[pd.DataFrame, int]:
    """A frame with a column of each kind, and a number of partitions."""
    size = draw(st.integers(least, 40))

    def column(values: Any) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    frame = pd.DataFrame(
        {
            "k": pd.array(column(st.integers(-2, 2)), dtype="int64"),
            "i": pd.array(column(st.integers(-(2**63), 2**63 - 1)), dtype="int64"),
            "small": pd.array(column(st.integers(-(2**31), 2**31 - 1)), dtype="int32"),
            "u": pd.array(column(st.integers(0, 255)), dtype="uint8"),
            "f": np.array(column(st.sampled_from(FLOATS)), dtype="float64"),
            "g": np.array(column(st.sampled_from(FLOATS[:4])), dtype="float32"),
            "b": np.array(column(st.booleans()), dtype="bool"),
            "s": pd.Series(column(st.sampled_from(TEXTS)), dtype="str"),
            "t": pd.Series(
                pd.to_datetime(column(st.sampled_from(MOMENTS)), format="ISO8601")
            ).astype("datetime64[ns]"),
        }
    )
    return frame, draw(st.integers(1, 4))


def both(build: Any, frame: pd.DataFrame, parts: int, native: bool = True) -> tuple[Any, Any]:
    """The result of a query by the engine, which has to have a part in it, and by pandas."""
    collection = build(dd.from_pandas(frame, npartitions=parts, sort=False))
    if native:
        expr = nativized(collection.expr, final=True)
        assert isinstance(expr, NativeRows), f"not native: {collection.expr}"
    with samite.config.set({"dataframe.native": True}):
        mine = collection.compute(scheduler="synchronous")
    with samite.config.set({"dataframe.native": False}):
        other = collection.compute(scheduler="synchronous")
    return mine, other


def same(mine: Any, other: Any) -> None:
    """Whether two results are equal, apart from the order in which floats are added up."""
    if isinstance(other, pd.DataFrame):
        pd.testing.assert_frame_equal(mine, other, rtol=1e-9)
    elif isinstance(other, pd.Series):
        pd.testing.assert_series_equal(mine, other, rtol=1e-9)
    else:
        assert type(mine) is type(other), (type(mine), type(other))
        assert mine == other or (pd.isna(mine) and pd.isna(other)) or np.isclose(mine, other)


FAST = settings(max_examples=6, deadline=None)

PREDICATES = {
    "greater": lambda d: d.f > 1.0,
    "not less": lambda d: ~(d.f < 0),
    "unequal": lambda d: d.f != 1.5,
    "zero": lambda d: d.f == 0,
    "below zero": lambda d: d.f < 0.0,
    "two floats": lambda d: d.f >= d.g,
    "integers": lambda d: (d.k == 1) | (d.small > d.k),
    "mixed": lambda d: d.k < d.f,
    "text": lambda d: d.s == "a",
    "no text": lambda d: d.s != "a",
    "text order": lambda d: d.s > "a",
    "moment": lambda d: d.t >= "2000-01-01",
    "listed": lambda d: d.s.isin(["a", "日本"]),
    "numbers listed": lambda d: d.k.isin([1, 2]),
    "floats listed": lambda d: d.f.isin([0.0, 1.5]),
    "between": lambda d: d.k.between(-1, 1),
    "missing": lambda d: d.f.isna() | d.s.notna(),
    "boolean": lambda d: d.b & ~(d.f > 0) ^ (d.u > 100),
    "contains": lambda d: d.s.str.contains("a", regex=False),
    "matches": lambda d: d.s.str.contains("a.*b"),
    "begins": lambda d: d.s.str.startswith("S"),
    "year": lambda d: d.t.dt.year == 2000,
}


@pytest.mark.parametrize("name", PREDICATES)
@FAST
@given(data=frames())
def test_conditions(name: str, data: tuple[pd.DataFrame, int]) -> None:
    frame, parts = data

    def query(df: Any) -> Any:
        return df[PREDICATES[name](df)].k.count()

    mine, other = both(query, frame, parts)
    assert mine == other


COLUMNS = {
    "arithmetic": lambda d: d.k + 1 - d.k * 3,
    "wraps": lambda d: d.i + d.i,
    "small wraps": lambda d: d.small + d.small,
    "floats": lambda d: d.g * 2 - d.g,
    "quotient": lambda d: d.k / 4,
    "rounded down": lambda d: d.k // 3,
    "remainder": lambda d: d.k % 3,
    "float remainder": lambda d: d.g.astype("float64") % 2.5,
    "filled": lambda d: d.f.fillna(7.5),
    "text filled": lambda d: d.s.fillna("none").str.len(),
    "chosen": lambda d: d.k.where(d.b, 9),
    "absolute": lambda d: abs(d.k),
    "negative": lambda d: -d.k,
    "to float": lambda d: d.k.astype("float64"),
    "month": lambda d: d.t.dt.month,
    "day of week": lambda d: d.t.dt.dayofweek,
}


@pytest.mark.parametrize("name", COLUMNS)
@FAST
@given(data=frames())
def test_columns(name: str, data: tuple[pd.DataFrame, int]) -> None:
    """The values of an expression, in the order of another column."""
    frame, parts = data

    def query(df: Any) -> Any:
        return df.assign(x=COLUMNS[name](df))[["k", "x"]].sort_values("k")

    with np.errstate(all="ignore"):
        same(*both(query, frame, parts))


REDUCTIONS = ("sum", "min", "max", "count", "mean")


@pytest.mark.parametrize("how", REDUCTIONS)
@FAST
@given(data=frames(least=2))
def test_reductions(how: str, data: tuple[pd.DataFrame, int]) -> None:
    frame, parts = data
    frame = frame.replace([np.inf, -np.inf, 1e300, -1e300], 3.0)
    same(*both(lambda df: getattr(df.f, how)(), frame, parts))
    same(*both(lambda df: getattr(df.k, how)(), frame, parts))
    same(*both(lambda df: getattr(df[["k", "f", "u"]], how)(), frame, parts))


@pytest.mark.parametrize("how", [*REDUCTIONS, "size", "nunique"])
@FAST
@given(data=frames(), key=st.sampled_from(["k", "s", "f", "t", "b"]), dropna=st.booleans())
def test_groups(how: str, data: tuple[pd.DataFrame, int], key: str, dropna: bool) -> None:
    frame, parts = data
    frame = frame.replace([1e300, -1e300], 3.0)

    def query(df: Any) -> Any:
        grouped = df.groupby(key, dropna=dropna)
        return grouped.size() if how == "size" else getattr(grouped.g, how)()

    with np.errstate(all="ignore"):
        same(*both(query, frame, parts))


@FAST
@given(data=frames())
def test_groups_by_several_keys(data: tuple[pd.DataFrame, int]) -> None:
    frame, parts = data

    def query(df: Any) -> Any:
        return df.groupby(["k", "s"]).agg({"u": "sum", "small": ["min", "max"], "g": "count"})

    same(*both(query, frame, parts))


@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
@FAST
@given(left=frames(), right=frames(), key=st.sampled_from(["k", "s", "f", "t"]))
def test_merges(how: str, left: Any, right: Any, key: str) -> None:
    frame, parts = left
    other, other_parts = right
    frame, other = frame[["k", "s", "f", "t", "u"]], other[["k", "s", "f", "t", "small"]]
    for side in (frame, other):
        side.loc[:, "f"] = side["f"].to_numpy() + 0.0

    def query(df: Any) -> Any:
        theirs = dd.from_pandas(other, npartitions=other_parts, sort=False)
        return df.merge(theirs, on=key, how=how)

    mine, expected = both(query, frame, parts)
    by = list(mine.columns)
    same(_in_order(mine, by), _in_order(expected, by))


def _in_order(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return frame.sort_values(by, ignore_index=True)


@FAST
@given(
    data=frames(),
    by=st.lists(st.sampled_from(["k", "f", "s", "t", "b"]), min_size=1, max_size=3, unique=True),
    ascending=st.booleans(),
    position=st.sampled_from(["first", "last"]),
)
def test_sorted(data: Any, by: list[str], ascending: bool, position: str) -> None:
    """Equal rows keep their order. With several keys pandas takes what is missing for as great as
    infinity, which the engine does not."""
    frame, parts = data
    frame = frame.replace([np.inf, -np.inf], 3.0)
    mine, _ = both(
        lambda df: df.sort_values(by, ascending=ascending, na_position=position), frame, parts
    )
    expected = frame.sort_values(by, ascending=ascending, na_position=position, kind="stable")
    same(mine, expected)


def test_times_with_a_zone_and_categories() -> None:
    frame = pd.DataFrame(
        {
            "z": pd.to_datetime(["2020-01-01", None, "2020-07-01"]).tz_localize("Europe/Berlin"),
            "c": pd.Categorical(["b", None, "a"], categories=["b", "a", "c"]),
            "x": [1, 2, 3],
        }
    )

    def query(df: Any) -> Any:
        return df[(df.c != "b") & (df.z > pd.Timestamp("2020-03-01", tz="UTC"))].sort_values("x")

    same(*both(query, frame, 2))


def test_parquet(tmp_path: Any) -> None:
    rows = 1000
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "n": np.arange(rows),
            "x": np.where(random.random(rows) < 0.1, np.nan, random.random(rows)),
            "s": pd.Series(random.choice(["a", "b", None], rows), dtype="str"),
        }
    )
    for part in range(3):
        frame.iloc[part * 400 : part * 400 + 400].to_parquet(
            tmp_path / f"{part}.parquet", index=False, row_group_size=100
        )
    df = dd.read_parquet(str(tmp_path))
    queries = [
        df[df.x > 0.5].groupby("s").agg({"n": "sum", "x": "mean"}),
        df[(df.n >= 350) & (df.n < 450)].x.sum(),
        df[df.s == "a"][["n", "x"]].sum(),
        df.merge(df[df.n < 10], on="n").groupby("s_x").size(),
    ]
    for query in queries:
        assert isinstance(nativized(query.expr, final=True), NativeRows)
        mine = query.compute()
        with samite.config.set({"dataframe.native": False}):
            same(mine, query.compute())


def test_parts_under_other_operations(tmp_path: Any) -> None:
    """A native part keeps the partitions where what is above it takes them one by one."""
    frame = pd.DataFrame({"a": np.arange(100), "b": np.arange(100) % 7})
    for part in range(2):
        frame.iloc[part * 50 : part * 50 + 50].to_parquet(tmp_path / f"{part}.parquet", index=False)
    df = dd.read_parquet(str(tmp_path))
    lengths = df[df.b == 3].map_partitions(len, meta=(None, "int64"))
    expr = nativized(lengths.expr, final=True)
    assert list(lengths.compute()) == [
        int((frame.b[:50] == 3).sum()),
        int((frame.b[50:] == 3).sum()),
    ]
    assert expr.npartitions == 2
    assert df[df.b == 3].persist().npartitions == 2


def test_what_is_not_native_runs_pandas() -> None:
    frame = pd.DataFrame({"a": [1, 2, 2], "o": pd.Series([(1, 2), None, "x"], dtype="object")})
    df = dd.from_pandas(frame, npartitions=2)
    mine = df.groupby("a").o.count().compute()
    pd.testing.assert_series_equal(mine, frame.groupby("a").o.count())


def test_plans_refuse_what_means_something_else() -> None:
    import pyarrow as pa

    plan = _engine.FramePlan.memory([pa.table({"i": [1, None], "s": ["a", "b"]})])
    scalar = _engine.FrameScalar
    one = scalar.literal(1)
    with pytest.raises(NotImplementedError, match="missing values"):
        plan.project([("x", scalar.call("add", [scalar.column("i"), one]))])
    with pytest.raises(NotImplementedError):
        plan.project([("x", scalar.call("add", [scalar.column("s"), one]))])
    with pytest.raises(KeyError, match="j"):
        plan.filter(scalar.call("equal", [scalar.column("j"), one]))


def test_sql() -> None:
    frame = pd.DataFrame({"k": ["a", "b", "a"], "x": [1.5, np.nan, 2.5], "n": [1, 2, 3]})
    df = dd.from_pandas(frame, npartitions=2)
    query = "select k, sum(x) as total, count(*) as n from t group by k order by k"
    found = dd.sql(query, t=df)
    expected = pd.DataFrame(
        {"k": pd.Series(["a", "b"], dtype="str"), "total": [4.0, np.nan], "n": [2, 1]}
    )
    same(found.compute(), expected)
    assert list(found.dtypes) == list(expected.dtypes)
    # A table that has no native form is computed first.
    doubled = df.map_partitions(lambda part: part.assign(n=part.n * 2))
    assert dd.sql("select sum(n) as n from t", t=doubled).compute().n[0] == 12
    with pytest.raises(ValueError, match="nothing"):
        dd.sql("select nothing from t", t=df)
    with pytest.raises(TypeError):
        dd.sql("select 1", t=3)


def test_isin_of_floats_on_integers() -> None:
    frame = pd.DataFrame({"k": [1, 1, 2, 2], "i": [1, 2, 3, 4], "u": np.arange(4, dtype="uint8")})
    df = dd.from_pandas(frame, npartitions=2)
    for values in ([3.0, 7.5], [0.5], [np.nan, 7.0], [2.0**60], [-1.0, 3.0]):
        same(
            df.groupby("k").i.sum().isin(values).compute(), frame.groupby("k").i.sum().isin(values)
        )
        assert df[df.i.isin(values)].i.sum().compute() == frame[frame.i.isin(values)].i.sum()
        assert df[df.u.isin(values)].i.sum().compute() == frame[frame.u.isin(values)].i.sum()


def test_a_plan_travels_to_another_process() -> None:
    frame = pd.DataFrame({"k": [1, 2, 1], "s": ["x", None, "y"]})
    df = dd.from_pandas(frame, npartitions=2)
    grouped = df.groupby("k").s.count()
    mine = grouped.compute(scheduler="processes")
    pd.testing.assert_series_equal(mine, frame.groupby("k").s.count())


def test_categories_that_are_known_only_when_read(tmp_path: Any) -> None:
    rows = pd.DataFrame({"c": pd.Categorical(list("aabab")), "n": range(5)})
    for number, part in enumerate((rows, rows.assign(c=pd.Categorical(list("zzyzy"))))):
        part.to_parquet(tmp_path / f"{number}.parquet", index=False)
    frame = dd.read_parquet(str(tmp_path))
    assert frame.compute().c.tolist() == [*"aabab", *"zzyzy"]
    assert frame.sort_values("n").c.compute().notna().all()
