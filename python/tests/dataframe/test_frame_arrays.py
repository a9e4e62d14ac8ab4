"""Frames as arrays, in NumPy's functions, as records, as streams of Arrow, and in other forms."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from _rows import cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
import samite.dataframe as dd

NUMBERS = ("int", "float", "bool")
UFUNCS = ["sin", "sqrt", "abs", "negative", "isnan", "sign", "floor", "exp", "logical_not"]


def cut_frames(kinds=NUMBERS, **sizes):
    return frames(kinds=kinds, **sizes).flatmap(lambda f: st.tuples(st.just(f), cuts(len(f))))


@given(cut_frames())
@settings(max_examples=40, deadline=None)
def test_values(case):
    frame, at = case
    lazy = partitioned(frame, at)
    array = lazy.to_dask_array()
    assert array.ndim == 2 and np.isnan(array.shape[0]) and array.dtype == frame.values.dtype
    assert_equal(array.compute(), frame.values)
    known = lazy.to_dask_array(lengths=True)
    assert known.shape == frame.shape
    assert known.chunks[0] == tuple(b - a for a, b in zip(at, at[1:], strict=False))
    column = frame.columns[0]
    assert_equal(lazy[column].values.compute(), frame[column].values)
    assert_equal(np.asarray(lazy.index), frame.index.values)
    assert_equal(np.asarray(lazy), np.asarray(frame))


def assert_equal(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape
    missing = pd.isna(expected)
    assert (pd.isna(found) == missing).all() and (found[~missing] == expected[~missing]).all()


def test_lengths_that_are_refused():
    lazy = dd.from_pandas(pd.DataFrame({"a": [1, 2, 3]}), npartitions=2)
    with pytest.raises(ValueError, match="number of partitions"):
        lazy.to_dask_array(lengths=[1, 1, 1])
    with pytest.raises(ValueError, match="lengths"):
        lazy.to_records(lengths=7)
    with pytest.raises(ValueError, match="copy"):
        np.array(lazy, copy=False)


def test_values_of_extension_dtypes_warn():
    lazy = dd.from_pandas(pd.DataFrame({"a": ["x"], "b": [1]}), npartitions=1)
    with pytest.warns(UserWarning, match="extension dtypes"):
        assert lazy.values.compute().tolist() == [["x", 1]]


@pytest.mark.parametrize("name", UFUNCS)
@given(case=cut_frames(kinds=("int", "float")))
@settings(max_examples=6, deadline=None)
def test_universal_functions(name, case):
    frame, at = case
    lazy = partitioned(frame, at)
    with np.errstate(all="ignore"):
        result = getattr(np, name)(lazy)
        assert isinstance(result, dd.DataFrame)
        expected = getattr(np, name)(frame)
        pd.testing.assert_frame_equal(result.compute(), expected)
        assert result.dtypes.equals(expected.dtypes)
        column = frame.columns[0]
        pd.testing.assert_series_equal(getattr(da, name)(lazy[column]).compute(), expected[column])
        pd.testing.assert_series_equal(getattr(np, name)(lazy)[column].compute(), expected[column])


def test_universal_functions_of_several():
    frame = pd.DataFrame({"a": [1.0, 4.0, 9.0], "b": [3, 2, 1]})
    lazy = dd.from_pandas(frame, npartitions=2)
    for one, other in [("a", "b"), ("b", "a")]:
        pd.testing.assert_series_equal(
            np.maximum(lazy[one], lazy[other]).compute(), np.maximum(frame[one], frame[other])
        )
    pd.testing.assert_frame_equal(
        np.hypot(lazy, lazy["a"].sum()).compute(), np.hypot(frame, frame["a"].sum())
    )
    pd.testing.assert_frame_equal(np.add(lazy, frame).compute(), frame + frame)
    blocks = da.from_array(frame["a"].to_numpy(), chunks=(2, 1))
    pd.testing.assert_series_equal(
        (lazy["b"] * blocks).compute(), (frame["b"] * frame["a"]).rename("b")
    )
    pd.testing.assert_series_equal(
        (blocks * lazy["b"]).compute(), (frame["b"] * frame["a"]).rename("b")
    )
    with pytest.raises(ValueError, match="numbers of blocks"):
        lazy["a"] + da.ones(3, chunks=3)
    assert np.greater(np.int64(2), lazy["b"]).compute().tolist() == [False, False, True]
    # A lazy scalar with a pandas object is computed.
    assert isinstance(np.add(frame, lazy["b"].sum()), pd.DataFrame)
    with pytest.raises(TypeError):
        np.add(lazy["a"], np.ones(3))
    with pytest.raises(NotImplementedError, match="`repeat`"):
        np.repeat(lazy, 2)


def test_universal_functions_into_frames():
    frame = pd.DataFrame({"a": [1.0, 4.0], "b": [9.0, 16.0]})
    lazy, target = (dd.from_pandas(frame, npartitions=2) for _ in range(2))
    assert np.sqrt(lazy, out=target) is target
    pd.testing.assert_frame_equal(target.compute(), np.sqrt(frame))
    with pytest.raises(TypeError, match="Mismatched types"):
        np.sqrt(lazy, out=dd.from_pandas(frame["a"], npartitions=1))
    with pytest.raises(ValueError, match="Mismatched columns"):
        np.sqrt(lazy, out=dd.from_pandas(frame[["a"]], npartitions=1))


def test_arrays_of_functions_of_partitions():
    frame = pd.DataFrame({"a": range(6), "b": 2.5})
    lazy = dd.from_pandas(frame, npartitions=3)
    result = lazy.map_partitions(np.asarray)
    assert isinstance(result, da.Array)
    np.testing.assert_array_equal(result.compute(), frame.values)
    np.testing.assert_array_equal(da.isreal(lazy).compute(), np.isreal(frame))


def test_lazy_values_are_given_to_functions():
    frame = pd.DataFrame({"a": range(4)})
    lazy = dd.from_pandas(frame, npartitions=2)
    ten = samite.delayed(int)("10")
    result = lazy.map_partitions(lambda part, n: part + n, ten, meta=lazy)
    pd.testing.assert_frame_equal(result.compute(), frame + 10)
    with pytest.raises((TypeError, ValueError), match="not known"):
        lazy["a"] + ten


@pytest.mark.parametrize("lengths", [None, True, [2, 1]])
def test_records(lengths):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")}, index=pd.Index([1.0, 2, 3], name="i"))
    lazy = dd.from_pandas(frame, npartitions=2).to_records(lengths=lengths)
    assert lazy.dtype.names == ("i", "a", "b")
    assert lazy.compute().tolist() == frame.to_records().tolist()
    bare = dd.from_pandas(frame, npartitions=2).to_records(index=False)
    assert bare.dtype.names == ("a", "b")


STREAMED = ("int", "float", "nullable", "text", "date", "zoned", "category", "decimal")


@given(cut_frames(kinds=STREAMED, min_size=1))
@settings(max_examples=30, deadline=None)
def test_streams_of_arrow(case):
    frame, at = case
    lazy = partitioned(frame, at)
    table = pa.RecordBatchReader.from_stream(lazy).read_all()
    assert table.num_rows == len(frame)
    expected = pa.Table.from_pandas(frame)
    assert table.schema.names == expected.schema.names
    assert table.to_pandas().equals(expected.to_pandas())


@pytest.mark.filterwarnings("ignore:.*interchange.*")
def test_interchange():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]})
    lazy = dd.from_pandas(frame, npartitions=2).__dataframe__()
    assert lazy.num_columns() == 2 and lazy.num_rows() == 3 and lazy.num_chunks() == 2
    assert list(lazy.column_names()) == ["a", "b"]
    assert [chunk.num_rows() for chunk in lazy.get_chunks()] == [2, 1]
    assert lazy.select_columns_by_name(["b"]).num_columns() == 1
    assert lazy.get_column_by_name("b").size() == 3


def test_display():
    frame = pd.DataFrame({"a": range(6), "b": list("abcdef"), "c": pd.Categorical(list("aabbcc"))})
    lazy = dd.from_pandas(frame, npartitions=3)
    text = repr(lazy)
    assert "npartitions=3" in text and "category[known]" in text and "int64" in text
    assert text.splitlines()[3].split()[0] == "0"
    assert "category[unknown]" in repr(lazy["c"].cat.as_unknown())
    assert "['a'] + 1" in repr(lazy["a"] + 1)
    assert "<table" in lazy._repr_html_() and "npartitions=3" in lazy.to_html()
    assert "Empty" in repr(lazy[[]])
    assert "Index(frame=df)" in repr(lazy.index) and "int64" in repr(lazy["a"].sum())


@given(cut_frames(min_size=1))
@settings(max_examples=15, deadline=None)
def test_memory_usage(case):
    frame, at = case
    lazy = partitioned(frame, at)
    pd.testing.assert_series_equal(lazy.memory_usage().compute(), frame.memory_usage())
    by_partition = lazy.memory_usage_per_partition(index=False).compute()
    assert by_partition.sum() == frame.memory_usage(index=False).sum()
    column = frame.columns[0]
    assert lazy[column].memory_usage(index=False).compute() == frame[column].nbytes


def test_info():
    frame = pd.DataFrame({"a": [1.0, None, 3.0], "b": list("xyz")})
    lazy = dd.from_pandas(frame, npartitions=2)
    short, long = io.StringIO(), io.StringIO()
    lazy.info(buf=short)
    assert "Columns: 2 entries, a to b" in short.getvalue()
    lazy.info(buf=long, verbose=True, memory_usage=True)
    for part in ("3 entries, 0 to 2", "2 non-null", "3 non-null", "memory usage: "):
        assert part in long.getvalue()


@pytest.mark.parametrize("values", [["1", "2.5", "-3"], [1, 2, 3]])
def test_numbers_of_text(values):
    rows = pd.Series(values, name="s")
    lazy = dd.to_numeric(dd.from_pandas(rows, npartitions=2))
    pd.testing.assert_series_equal(lazy.compute(), pd.to_numeric(rows), check_dtype=False)
    assert dd.to_numeric("5").compute() == 5
    assert dd.to_numeric(da.from_array(np.array(["1", "2"]), chunks=1)).compute().tolist() == [1, 2]
    with pytest.raises(TypeError, match="arg must be"):
        dd.to_numeric(dd.from_pandas(rows.to_frame(), npartitions=1))
    with pytest.raises(ValueError, match="invalid error value"):
        dd.to_numeric("5", errors="no")


def test_dates_of_text():
    rows = pd.Series(["2000-01-01", "2001-02-03 04:05:06"], name="when")
    lazy = dd.to_datetime(dd.from_pandas(rows, npartitions=2), format="mixed")
    pd.testing.assert_series_equal(lazy.compute(), pd.to_datetime(rows, format="mixed"))
    assert lazy.dtype == lazy.compute().dtype and lazy.name == "when"
    numbers = pd.Series([0, 10])
    for keywords in ({"unit": "s"}, {"unit": "D", "utc": True}):
        lazy = dd.to_datetime(dd.from_pandas(numbers, npartitions=2), **keywords)
        pd.testing.assert_series_equal(lazy.compute(), pd.to_datetime(numbers, **keywords))
        assert lazy.dtype == lazy.compute().dtype
    parts = pd.DataFrame({"year": [2000, 2001], "month": [1, 2], "day": [3, 4]})
    lazy = dd.to_datetime(dd.from_pandas(parts, npartitions=2))
    pd.testing.assert_series_equal(lazy.compute(), pd.to_datetime(parts))
    lazy = dd.to_timedelta(dd.from_pandas(numbers, npartitions=2), unit="h")
    pd.testing.assert_series_equal(lazy.compute(), pd.to_timedelta(numbers, unit="h"))
    with pytest.raises(NotImplementedError, match="non-index-able"):
        dd.to_datetime("2000")
    assert dd.isna(dd.from_pandas(pd.Series([1.0, None]), 1)).compute().tolist() == [False, True]
