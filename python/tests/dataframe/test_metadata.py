"""Metadata: what is said of results before there are any."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _rows import KINDS, cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd
from samite.dataframe.known_categories import UNKNOWN_CATEGORIES
from samite.dataframe.utils import (
    check_matching_columns,
    check_meta,
    clear_known_categories,
    has_known_categories,
    make_meta,
    meta_frame_constructor,
    meta_nonempty,
    meta_series_constructor,
    raise_on_meta_error,
    strip_unknown_categories,
    valid_divisions,
)

DTYPES = [
    "int8", "uint64", "float32", "complex128", "bool", "datetime64[s]", "datetime64[ns, UTC]",
    "timedelta64[us]", "str", "string", "string[python]", "object", "category", "Int16", "Float64",
    "boolean", "period[D]", "interval[int64, right]", "Sparse[int64]", "int64[pyarrow]",
    "timestamp[ns][pyarrow]", "bool[pyarrow]", "double[pyarrow]", "binary[pyarrow]",
    "date32[pyarrow]", "time64[us][pyarrow]", "duration[s][pyarrow]",
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_descriptions_and_examples_have_the_dtype(dtype):
    meta = make_meta({"a": dtype, "b": "int64"}, index=pd.Index([3, 4], name="i"))
    assert len(meta) == 0 and meta.index.name == "i" and meta.index.dtype == "int64"
    assert meta["a"].dtype == make_meta(("a", dtype)).dtype
    if dtype != "category":
        assert meta["a"].dtype == pd.api.types.pandas_dtype(dtype)
    example = meta_nonempty(meta)
    assert len(example) == 2 and example["a"].dtype == meta["a"].dtype
    assert list(example.columns) == ["a", "b"] and example.index.name == "i"


@pytest.mark.parametrize("kind", list(KINDS))
def test_metadata_of_rows(kind):
    values = KINDS[kind][1]([])
    frame = pd.DataFrame({"a": values, "b": 1})
    for rows in (frame, frame["a"], pd.Index(values, name="n")):
        meta = make_meta(rows)
        assert type(meta) is type(rows) and len(meta) == 0
        assert len(meta_nonempty(meta)) == 2
    assert meta_nonempty(frame).dtypes.equals(frame.dtypes)


@given(frames(min_size=1))
@settings(max_examples=40, deadline=None)
def test_metadata_keeps_no_rows_alive(frame):
    meta = make_meta(frame)
    assert meta.dtypes.equals(frame.dtypes) and len(meta) == 0
    assert meta.index.equals(frame.index[:0]) and meta.index.name == frame.index.name
    for column, dtype in meta.dtypes.items():
        if isinstance(dtype, np.dtype):
            assert not np.shares_memory(meta[column].values, frame[column].values)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3, name="n"),
        pd.Index([1], dtype="uint8", name="n"),
        pd.Index(["a"], name="n"),
        pd.Index([True], name="n"),
        pd.Index([1j], name="n"),
        pd.DatetimeIndex(["2000-01-01"], tz="Asia/Tokyo", name="n"),
        pd.TimedeltaIndex([1], name="n"),
        pd.PeriodIndex(["2000"], freq="Y", name="n"),
        pd.IntervalIndex.from_breaks([0, 1, 2], name="n"),
        pd.CategoricalIndex(["a"], ordered=True, name="n"),
        pd.MultiIndex.from_tuples([("a", 1.5)], names=["n", "m"]),
    ],
)
def test_examples_of_indexes(index):
    example = meta_nonempty(index[:0])
    assert type(example) is type(index) and example.names == index.names and len(example) == 2
    if not isinstance(index, pd.MultiIndex):
        assert example.dtype == index.dtype


@pytest.mark.parametrize(
    ("given_value", "kind"),
    [
        ("i4", np.int32),
        (np.dtype("f4"), np.float32),
        (7, np.int64),
        (1.5, np.float64),
        (float, np.float64),
        (True, bool),
        ("text", str),
        (np.datetime64("2000-01-01"), np.datetime64),
        (pd.Timestamp("2000"), pd.Timestamp),
        (pd.DatetimeTZDtype(tz="UTC"), pd.Timestamp),
    ],
)
def test_metadata_of_scalars(given_value, kind):
    meta = make_meta(given_value)
    assert isinstance(meta, kind) and isinstance(meta_nonempty(meta), kind)


@pytest.mark.parametrize("wrong", [None, object(), pd.Series, pd.NaT])
def test_no_metadata(wrong):
    with pytest.raises(TypeError):
        make_meta(wrong)
    with pytest.raises(ValueError, match="tuples of"):
        make_meta([1, 2])


def test_collections_are_their_own_metadata():
    frame = dd.from_pandas(pd.DataFrame({"_meta": [1, 2]}), npartitions=2)
    assert make_meta(frame) is frame._meta
    assert list(make_meta(pd.DataFrame({"_meta": [1]})).columns) == ["_meta"]
    assert meta_frame_constructor(frame["_meta"]) is pd.DataFrame
    assert meta_series_constructor(frame) is pd.Series
    with pytest.raises(TypeError, match="meta_series"):
        meta_series_constructor(np.ones(2))


def test_errors_name_what_was_called():
    with pytest.raises(ValueError, match=r"(?s)inference failed in `f`.*KeyError") as caught:
        with raise_on_meta_error("f", udf=True):
            raise KeyError("k")
    assert "meta=" in str(caught.value) and isinstance(caught.value.__cause__, KeyError)


def test_categories_that_are_not_known():
    frame = pd.DataFrame({"a": pd.Categorical(["x"], ordered=True), "b": [1]})
    cleared = clear_known_categories(frame.iloc[:0])
    assert not has_known_categories(cleared["a"]) and cleared["a"].dtype.ordered
    assert has_known_categories(frame["a"])
    stripped = strip_unknown_categories(cleared)
    assert UNKNOWN_CATEGORIES not in stripped["a"].cat.categories
    with pytest.raises(TypeError, match="categorical"):
        has_known_categories(frame["b"])


def test_checks_tell_what_differs():
    frame = pd.DataFrame({"a": ["x"], "b": [1]})
    assert check_meta(frame, frame.iloc[:0]) is frame
    assert check_meta(frame, frame.iloc[:0].astype({"b": "float64"})) is frame
    with pytest.raises(ValueError, match=r"(?s)in `f`.*'b'.*int64.*float64"):
        wanted = frame.iloc[:0].astype({"b": "float64"})
        check_meta(frame, wanted, "f", numeric_equal=False)
    with pytest.raises(ValueError, match=r"(?s)'c' *\| - .*int64"):
        check_meta(frame, frame.iloc[:0].assign(c=1))
    with pytest.raises(ValueError, match=r"Series.*DataFrame|DataFrame.*Series"):
        check_meta(frame["a"], frame.iloc[:0])
    with pytest.raises(ValueError, match=r"(?s)Extra: *\['a'\].*Missing: *\['c'\]"):
        check_matching_columns(pd.DataFrame(columns=["b", "c"]), frame)
    with pytest.raises(ValueError, match="Order of columns"):
        check_matching_columns(frame[["b", "a"]], frame)


def test_divisions_that_are_valid():
    assert valid_divisions([0, 1, 1]) and valid_divisions(("a", "b"))
    for wrong in ([0, 0, 1], [1, 0], 5, [0, float("nan"), 1]):
        assert not valid_divisions(wrong)


@given(frames().flatmap(lambda f: st.tuples(st.just(f), cuts(len(f)))))
@settings(max_examples=60, deadline=None)
def test_partitions_put_together_are_the_rows(case):
    frame, at = case
    lazy = partitioned(frame, at)
    assert lazy.npartitions == len(at) - 1 and not lazy.known_divisions
    pd.testing.assert_frame_equal(lazy.compute(), frame)
    for column in frame.columns:
        pd.testing.assert_series_equal(lazy[column].compute(), frame[column])
    pd.testing.assert_index_equal(lazy.index.compute(), frame.index)


def test_categories_of_partitions_are_united():
    parts = [
        pd.DataFrame({"k": pd.Categorical(list(text))}, index=pd.CategoricalIndex(list(text)))
        for text in ("ab", "", "cb")
    ]
    from samite.dataframe.joining import concat_partitions

    joined = concat_partitions(parts)
    assert list(joined["k"]) == list("abcb") and list(joined.index) == list("abcb")
    assert isinstance(joined["k"].dtype, pd.CategoricalDtype)
    assert set(joined["k"].cat.categories) == set("abc") == set(joined.index.categories)
    levels = [part.set_index([part["k"], np.arange(len(part))]) for part in parts]
    index = concat_partitions(levels).index
    assert isinstance(index.levels[0], pd.CategoricalIndex) and len(index) == 4
