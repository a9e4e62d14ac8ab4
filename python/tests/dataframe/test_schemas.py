"""Schemas that are found without pandas say what pandas says."""

import datetime
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_index_equal, assert_series_equal

import samite.dataframe as dd
from samite.dataframe.expressions import schema_rules

DTYPES = [
    "int8",
    "int64",
    "uint16",
    "float32",
    "float64",
    "bool",
    "str",
    "datetime64[us]",
    "datetime64[ns]",
    "datetime64[ns, Europe/Paris]",
    "timedelta64[ns]",
    "complex128",
    "category",
    "object",
    "Int64",
]


def rows(dtypes, indexed=False):
    """Three rows with a column of each dtype."""
    columns = {}
    for place, dtype in enumerate(dtypes):
        if dtype in ("str", "object", "category"):
            values = pd.Series(["a", "b", "c"], dtype=dtype)
        elif dtype.startswith("datetime"):
            values = pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01"]))
            values = values.dt.tz_localize("Europe/Paris") if "Paris" in dtype else values
            values = values.astype(dtype)
        else:
            values = pd.Series([1, 2, 3]).astype(dtype)
        columns[f"c{place}"] = values
    frame = pd.DataFrame(columns)
    if indexed:
        frame.index = pd.Index([1.5, 2.5, 3.5], name="label")
    return frame


def outcome(build, frames):
    """The metadata of what is built, or the error."""
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            found = build(*frames)
            meta = found._meta
    except Exception as error:
        return type(error), str(error), None
    return meta, sorted({w.category.__name__ for w in heard}), found


def check(build, *frames):
    """Compare what rules find with what pandas finds for nodes of other names; whether a rule
    found it."""
    ours = outcome(build, [dd.from_pandas(frame, npartitions=1) for frame in frames])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema_rules, "RULES", {})
        theirs = outcome(build, [dd.from_pandas(frame, npartitions=2) for frame in frames])
    assert ours[1] == theirs[1]
    if ours[2] is None or theirs[2] is None:
        assert ours[0] is theirs[0]
        return False
    mine, its = ours[0], theirs[0]
    assert type(mine) is type(its) and type(ours[2]) is type(theirs[2])
    if isinstance(its, pd.DataFrame):
        assert_frame_equal(mine, its, check_column_type="exact", check_freq=False)
        assert mine.columns.dtype == its.columns.dtype
        assert list(ours[2].columns) == list(its.columns)
    else:
        assert_series_equal(mine, its, check_freq=False)
        assert ours[2].name == its.name and ours[2].dtype == its.dtype
    assert_index_equal(mine.index, its.index, exact=True)
    assert type(mine.index) is type(its.index)
    return ours[2].expr._derived_schema is not None


CONSTANTS = [
    1,
    -1,
    300,
    2.5,
    True,
    "a",
    None,
    np.float32(1),
    np.int8(3),
    datetime.datetime(2020, 1, 1),
    pd.Timedelta("1s"),
    pd.Timestamp("2020-01-01", tz="UTC"),
    float("nan"),
    2**40,
]
SYMBOLS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "truediv": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "lt": lambda a, b: a < b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


@settings(max_examples=200)
@given(
    symbol=st.sampled_from(list(SYMBOLS)),
    dtypes=st.tuples(st.sampled_from(DTYPES), st.sampled_from(DTYPES)),
    value=st.sampled_from(CONSTANTS),
)
def test_operators(symbol, dtypes, value):
    frame = rows(dtypes)
    apply = SYMBOLS[symbol]
    check(lambda df: apply(df.c0, df.c1), frame)
    check(lambda df: apply(df.c0, value), frame)
    check(lambda df: apply(value, df.c0), frame)


@settings(max_examples=60)
@given(
    dtypes=st.lists(st.sampled_from(DTYPES), min_size=2, max_size=5),
    others=st.lists(st.sampled_from(DTYPES), min_size=2, max_size=5),
    how=st.sampled_from(["inner", "left", "right", "outer", "leftsemi"]),
    keys=st.integers(1, 2),
    same=st.booleans(),
    suffixes=st.sampled_from([("_x", "_y"), ("", "_r"), ("_l", "")]),
    indexed=st.booleans(),
)
def test_merges(dtypes, others, how, keys, same, suffixes, indexed):
    left = rows(dtypes, indexed)
    right = rows([*dtypes[:keys], *others])
    labels = list(left.columns[:keys])
    if not same:
        right = right.rename(columns={label: f"r{label}" for label in labels})
    theirs = list(right.columns[:keys])
    check(
        lambda a, b: a.merge(b, how=how, left_on=labels, right_on=theirs, suffixes=suffixes),
        left,
        right,
    )


@settings(max_examples=60)
@given(
    dtypes=st.lists(st.sampled_from(DTYPES), min_size=2, max_size=4),
    function=st.sampled_from(
        ["sum", "count", "min", "max", "mean", "nunique", "var", "first", "size", "list", "prod"]
    ),
    keys=st.integers(1, 2),
    selected=st.booleans(),
    sort=st.booleans(),
    dropna=st.booleans(),
    observed=st.booleans(),
    indexed=st.booleans(),
)
def test_groups(dtypes, function, keys, selected, sort, dropna, observed, indexed):
    frame = rows([*dtypes, "float64"], indexed)
    by = list(frame.columns[:keys])

    def build(df):
        grouped = df.groupby(by, sort=sort, dropna=dropna, observed=observed)
        if selected:
            grouped = grouped[df.columns[-1]]
        return grouped.agg(function) if function == "list" else getattr(grouped, function)()

    check(build, frame)
    check(lambda df: build(df).reset_index(), frame)


def test_what_queries_are_made_of_has_schemas():
    frame = rows(["int64", "float64", "str", "datetime64[us]"])
    steps = {
        "column": lambda df: df.c0,
        "columns": lambda df: df[["c2", "c0"]],
        "filter": lambda df: df[(df.c0 > 1) & (df.c2 != "a")],
        "assign": lambda df: df.assign(c9=df.c0 * 2.5, c1=1, c8="text"),
        "rename": lambda df: df.rename(columns={"c0": "x"}),
        "year": lambda df: df.c3.dt.year,
        "contains": lambda df: df.c2.str.contains("a", regex=False),
        "isin": lambda df: df.c2.isin(["a", "b"]),
        "not": lambda df: ~(df.c0 > 1),
        "group": lambda df: df.groupby(["c2", "c0"]).agg(n=("c1", "sum"), m=("c3", "max")),
        "series": lambda df: df.groupby("c2").c1.mean(),
        "size": lambda df: df.groupby("c2").size(),
        "flat": lambda df: df.groupby("c2").c1.mean().reset_index(),
        "merge": lambda df: df.merge(df.rename(columns={"c1": "d1"}), on="c0"),
        "sort": lambda df: df.sort_values("c2", ignore_index=True),
        "dropped": lambda df: df.reset_index(drop=True),
    }
    for name, build in steps.items():
        assert check(build, frame), name


def test_what_is_not_plain_is_left_to_pandas():
    plain = rows(["int64", "float64"])
    several = plain.copy()
    several.columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    named = plain.rename_axis(columns="names")
    numbered = plain.set_axis([0, 1], axis=1)
    twice = plain.set_axis(["a", "a"], axis=1)
    with_notes = plain.copy()
    with_notes.attrs["note"] = 1
    for frame in (several, named, numbered, twice, with_notes):
        assert not check(
            lambda df: df[df[df.columns[1]] > 1] if df.columns.is_unique else df, frame
        )
    check(lambda df: df["no such column"], plain)
    check(lambda df: df.rename(columns={"c0": "c1"}), plain)
    check(lambda df: df.rename(columns={"c0": 5}), plain)
    check(lambda df: df.merge(df, on="c0", suffixes=("", "")), plain)


def test_schemas_do_not_travel():
    df = dd.from_pandas(rows(["int64", "str"]), npartitions=2)
    expr = (df.c0 + 1).expr
    assert expr._derived_schema is not None
    again = pickle.loads(pickle.dumps(expr))
    assert again._name == expr._name and again._meta.dtype == "int64"
    schema = pickle.loads(pickle.dumps(df.expr._schema))
    assert schema.labels == ("c0", "c1") and schema.dtypes == tuple(df.dtypes)
