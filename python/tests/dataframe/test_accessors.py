"""Accessors: ``.str``, ``.dt``, ``.cat``, ``.list``, ``.struct``, and those that users register."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, partitioned, series
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd
from samite.dataframe.extensions import register_dataframe_accessor, register_series_accessor

TEXT_CALLS = [
    ("upper", {}), ("len", {}), ("contains", {"pat": "a"}), ("startswith", {"pat": "a"}),
    ("replace", {"pat": "a", "repl": "zz"}), ("strip", {}), ("get", {"i": 0}),
    ("find", {"sub": "B"}), ("slice", {"start": 1}), ("pad", {"width": 4}),
    ("zfill", {"width": 3}), ("isalpha", {}),
    ("count", {"pat": "a"}), ("repeat", {"repeats": 2}), ("findall", {"pat": "a."}),
    ("split", {"pat": "|"}), ("partition", {"sep": "|"}), ("extract", {"pat": "(a)(.)?"}),
    ("fullmatch", {"pat": "a.*"}), ("casefold", {}), ("removeprefix", {"prefix": "a"}),
    ("split", {"pat": "|", "n": 2, "expand": True}),
    ("rsplit", {"pat": "|", "n": 1, "expand": True}),
]  # fmt: skip


def cut(kind: str, min_size: int = 0):
    rows = series(kind, min_size=min_size)
    return rows.flatmap(lambda s: st.tuples(st.just(s), cuts(len(s))))


def same(lazy, expected):
    computed = lazy.compute()
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(computed, expected)
        assert list(lazy.columns) == list(expected.columns)
    else:
        pd.testing.assert_series_equal(computed, expected)
        assert lazy.name == expected.name
    return computed


@pytest.mark.parametrize(("method", "keywords"), TEXT_CALLS)
@pytest.mark.parametrize("kind", ["text", "arrow text"])
@given(data=st.data())
@settings(max_examples=4, deadline=None)
def test_texts(method, keywords, kind, data):
    rows, at = data.draw(cut(kind, min_size=1))
    lazy = getattr(partitioned(rows, at).str, method)(**keywords)
    expected = getattr(rows.str, method)(**keywords)
    width = 3 if method == "partition" else keywords.get("n", -2) + 1
    if width > 0:
        # The number of columns does not depend on the rows.
        computed = lazy.compute()
        assert list(computed.columns) == list(lazy.columns) == list(range(width))
        found = expected.shape[1]
        assert computed.iloc[:, found:].isna().all(axis=None)
        pd.testing.assert_frame_equal(computed.iloc[:, :found], expected, check_column_type=False)
    else:
        same(lazy, expected)


@given(cut("text"), st.sampled_from([None, "-"]), st.sampled_from([None, "?"]))
@settings(max_examples=40, deadline=None)
def test_texts_joined(case, sep, na_rep):
    rows, at = case
    lazy = partitioned(rows, at)
    assert lazy.str.cat(sep=sep, na_rep=na_rep).compute() == rows.str.cat(sep=sep, na_rep=na_rep)
    same(
        lazy.str.cat([lazy.str.upper()], sep=sep, na_rep=na_rep),
        rows.str.cat([rows.str.upper()], sep=sep, na_rep=na_rep),
    )


def test_texts_that_are_refused():
    lazy = dd.from_pandas(pd.Series(["a b"]), npartitions=1)
    with pytest.raises(TypeError, match="others must be Series"):
        lazy.str.cat("x")
    with pytest.raises(NotImplementedError, match="n="):
        lazy.str.split(expand=True)
    assert not hasattr(lazy.str, "get_dummies")
    numbers = dd.from_pandas(pd.Series([1]), npartitions=1)
    with pytest.raises(AttributeError, match=r"\.str accessor"):
        numbers.str
    with pytest.raises(AttributeError, match=r"\.dt accessor"):
        numbers.dt
    assert {"str", "dt", "cat", "list", "struct"}.isdisjoint(dir(numbers))
    assert "str" in dir(lazy) and "upper" in dir(lazy.str)


def test_all_matches():
    rows = pd.Series(["a1b2", "c", "d3"], index=[5, 6, 9])
    lazy = dd.from_pandas(rows, npartitions=3).str.extractall(r"([a-z])(\d)")
    pd.testing.assert_frame_equal(lazy.compute(), rows.str.extractall(r"([a-z])(\d)"))


def test_texts_of_an_index():
    rows = pd.DataFrame({"x": [1, 2, 3]}, index=["B", "Ca", "d"])
    lazy = dd.from_pandas(rows, npartitions=2).index
    upper = lazy.str.lower()
    # Lower-case labels need not be between the divisions of the old ones.
    assert not upper.known_divisions
    pd.testing.assert_index_equal(upper.compute(), rows.index.str.lower())


@pytest.mark.parametrize(
    "attribute", ["year", "dayofyear", "date", "time", "is_month_end", "quarter", "nanosecond"]
)
@given(case=cut("date"))
@settings(max_examples=10, deadline=None)
def test_parts_of_dates(attribute, case):
    rows, at = case
    with pytest.warns() if attribute == "dayofyear" else _nothing():
        lazy = getattr(partitioned(rows, at).dt, attribute)
        expected = getattr(rows.dt, attribute)
        same(lazy, expected)


def _nothing():
    import contextlib

    return contextlib.nullcontext()


@pytest.mark.parametrize(
    ("kind", "method", "arguments"),
    [
        ("date", "floor", ("h",)), ("date", "strftime", ("%Y-%m",)), ("date", "isocalendar", ()),
        ("date", "tz_localize", ("UTC",)), ("zoned", "tz_convert", ("Asia/Tokyo",)),
        ("zoned", "month_name", ()), ("duration", "total_seconds", ()), ("date", "as_unit", ("s",)),
        ("date", "to_period", ("M",)),
    ],
)  # fmt: skip
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_methods_of_dates(kind, method, arguments, data):
    rows, at = data.draw(cut(kind))
    lazy = getattr(partitioned(rows, at).dt, method)(*arguments)
    same(lazy, getattr(rows.dt, method)(*arguments))


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        (pd.date_range("2022-02-22", freq="16h", periods=12, name="when"),
         ["floor('D')", "year", "date", "strftime('%d')", "tz_localize('UTC')", "normalize()",
          "day_name()", "to_period('D')", "isocalendar()"]),
        (pd.timedelta_range("1h", freq="16h", periods=12, name="long"),
         ["days", "total_seconds()", "ceil('D')"]),
    ],
    ids=["dates", "durations"],
)  # fmt: skip
def test_parts_of_dates_of_an_index(kind, calls):
    rows = pd.DataFrame({"x": range(12)}, index=kind)
    lazy = dd.from_pandas(rows, npartitions=3)
    for call in calls:
        expected = eval(f"rows.index.{call}")
        if not isinstance(expected, (pd.Index, pd.DataFrame)):
            expected = pd.Index(expected)
        found = eval(f"lazy.index.dt.{call}")
        assert type(found._meta) is type(expected[:0]), call
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found.compute(), expected)
        else:
            pd.testing.assert_index_equal(found.compute(), expected)
    part = "date" if isinstance(kind, pd.DatetimeIndex) else "days"
    grouped = lazy.groupby(getattr(lazy.index.dt, part)).x.sum().compute()
    pd.testing.assert_series_equal(grouped, rows.groupby(getattr(rows.index, part)).x.sum())
    grouped = lazy.groupby(lazy.index.dt.ceil("2D")).x.sum().compute()
    pd.testing.assert_series_equal(grouped, rows.groupby(rows.index.ceil("2D")).x.sum())
    assert lazy.index.dt.unit == rows.index.unit
    assert not hasattr(lazy.reset_index().index, "dt")


def test_what_dtypes_of_dates_tell():
    zoned = pd.Series(pd.date_range("2000", periods=3, tz="UTC", unit="ms"))
    lazy = dd.from_pandas(zoned, npartitions=2)
    assert str(lazy.dt.tz) == "UTC" and lazy.dt.unit == "ms"


@given(case=cut("category"))
@settings(max_examples=30, deadline=None)
def test_categories(case):
    rows, at = case
    lazy = partitioned(rows, at)
    assert lazy.cat.known and list(lazy.cat.categories) == list("abcd") and not lazy.cat.ordered
    same(lazy.cat.codes, rows.cat.codes)
    same(lazy.cat.as_ordered(), rows.cat.as_ordered())
    same(lazy.cat.add_categories(["z"]), rows.cat.add_categories(["z"]))
    same(lazy.cat.remove_unused_categories(), rows.cat.remove_unused_categories())
    unknown = lazy.cat.as_unknown()
    assert not unknown.cat.known
    same(unknown.cat.as_known(), rows)
    with pytest.raises(NotImplementedError, match="unknown categories"):
        unknown.cat.codes


@given(case=cut("text"))
@settings(max_examples=15, deadline=None)
def test_categories_are_found(case):
    rows, at = case
    lazy = partitioned(rows, at).astype("category")
    assert not lazy.cat.known
    known = lazy.cat.as_known()
    expected = rows.astype("category")
    assert list(known.cat.categories) == list(expected.cat.categories)
    same(known, expected)
    frame = partitioned(rows.to_frame(), at).categorize()
    assert frame["s"].cat.known
    pd.testing.assert_frame_equal(frame.compute(), expected.to_frame())


def test_categorize():
    rows = pd.DataFrame({"a": list("xyxz"), "b": [1, 2, 1, 3]}, index=list("abcd"))
    lazy = dd.from_pandas(rows, npartitions=2)
    assert lazy.categorize(columns=[], index=False) is lazy
    chosen = lazy.categorize(columns=["b"], index=False)
    assert list(chosen["b"].cat.categories) == [1, 2, 3] and chosen["a"].dtype == rows["a"].dtype
    assert chosen.known_divisions
    by_index = lazy.categorize(columns="a", index=True)
    assert list(by_index.index.categories) == list("abcd") and not by_index.known_divisions
    pd.testing.assert_frame_equal(lazy.categorize()[["b"]].compute(), rows[["b"]].set_index(
        pd.CategoricalIndex(rows.index)))  # fmt: skip
    with pytest.raises(ValueError, match="split_every"):
        lazy.categorize(split_every=1)


def test_nested():
    import pyarrow as pa

    lists = pd.Series([[1, 2], [], None, [3]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))
    lazy = dd.from_pandas(lists, npartitions=2)
    same(lazy.list.len(), lists.list.len())
    same(lazy.list.flatten(), lists.list.flatten())
    kind = pa.struct([("city", pa.string()), ("zip", pa.int64())])
    structs = pd.Series([{"city": "Bonn", "zip": 1}, None], dtype=pd.ArrowDtype(kind))
    lazy = dd.from_pandas(structs, npartitions=2)
    same(lazy.struct.field("city"), structs.struct.field("city"))
    same(lazy.struct.explode(), structs.struct.explode())
    assert list(lazy.struct.dtypes.index) == ["city", "zip"]


def test_registration():
    class Shape:
        def __init__(self, frame):
            self.frame = frame

        @property
        def width(self):
            return len(self.frame.columns)

    try:
        register_dataframe_accessor("shape_of")(Shape)
        frame = dd.from_pandas(pd.DataFrame({"a": [1], "b": [2]}), npartitions=1)
        assert frame.shape_of.width == 2 and frame.shape_of is frame.shape_of
        frame["c"] = 1
        assert frame.shape_of.width == 3
        assert "shape_of" in dd.DataFrame._accessors
        with pytest.warns(UserWarning, match="overriding"):
            register_series_accessor("str")(dd.Series.str)
    finally:
        del dd.DataFrame.shape_of
        dd.DataFrame._accessors.discard("shape_of")
        del dd.Series.str
    assert np.all(dd.from_pandas(pd.Series(["a"]), npartitions=1).str.upper().compute() == "A")
