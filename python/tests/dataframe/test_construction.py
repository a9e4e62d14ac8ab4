"""Frames of pandas objects, functions, lazy values, arrays and dictionaries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _rows import frames, series
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
import samite.dataframe as dd
from samite.dataframe.comparing import assert_divisions
from samite.dataframe.io.io import sorted_division_locations

# -- from_pandas -----------------------------------------------------------------------


@given(frames(max_size=25), st.integers(1, 30), st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_rows_of_pandas(frame, count, by_size, sort):
    cut = {"chunksize": count} if by_size else {"npartitions": count}
    lazy = dd.from_pandas(frame, sort=sort, **cut)
    pd.testing.assert_frame_equal(lazy.compute(), frame)
    assert lazy.dtypes.equals(frame.dtypes)
    assert_divisions(lazy)
    assert lazy.known_divisions == bool(len(frame))
    if not by_size:
        assert lazy.npartitions <= count
        unique = frame.index.nunique()
        assert not len(frame) or lazy.npartitions >= min(count, unique, 2) or unique < 2


@given(st.permutations(range(8)), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_rows_out_of_order(labels, count):
    frame = pd.DataFrame({"a": range(8)}, index=labels)
    pd.testing.assert_frame_equal(dd.from_pandas(frame, count).compute(), frame.sort_index())
    kept = dd.from_pandas(frame, count, sort=False)
    pd.testing.assert_frame_equal(kept.compute(), frame)
    assert kept.known_divisions == frame.index.is_monotonic_increasing


def test_even_partitions():
    assert dd.from_pandas(pd.DataFrame({"a": range(10)}), npartitions=3).divisions == (0, 4, 7, 9)
    assert dd.from_pandas(pd.DataFrame({"a": range(3)}), npartitions=9).npartitions == 3
    assert dd.from_pandas(pd.Series([], dtype=float), npartitions=3).npartitions == 3
    assert sorted_division_locations(pd.Series([0, 0, 1, 2]), npartitions=2) == (
        [0, 1, 2],
        [0, 2, 4],
    )


@pytest.mark.parametrize("labels", ["ABCCCCCC", "ABBBBBBC", "AAAAABBC"])
def test_equal_labels_stay_together(labels):
    frame = pd.DataFrame({"a": range(8)}, index=list(labels))
    assert dd.from_pandas(frame, npartitions=3).divisions == ("A", "B", "C", "C")


@pytest.mark.parametrize(
    "index",
    [
        pd.IntervalIndex.from_breaks(range(9)),
        pd.period_range("2000", periods=8, freq="D"),
        pd.date_range("2000", periods=8, tz="UTC"),
        pd.Index([True] * 4 + [False] * 4),
        pd.CategoricalIndex(list("bbaaccdd"), categories=list("dcba")),
        pd.CategoricalIndex(list("bbaaccdd"), categories=list("abcd"), ordered=True),
        pd.Index(list("abcdefgh"), dtype="string"),
        pd.Index(list("abcdefgh"), dtype=object),
        pd.Index(range(8), dtype="Int64"),
        pd.Index(range(8), dtype="int64[pyarrow]"),
        pd.Index(list("aabbccdd")),
    ],
)
@pytest.mark.parametrize("cut", [{"npartitions": 3}, {"chunksize": 2}])
def test_labels_of_any_dtype(index, cut):
    frame = pd.DataFrame({"a": range(8)}, index=index)
    lazy = dd.from_pandas(frame, **cut)
    computed = lazy.compute()
    pd.testing.assert_frame_equal(computed, frame.sort_index(kind="stable"))
    assert computed.index.dtype == index.dtype == lazy.index.dtype
    assert lazy.npartitions > 1
    if lazy.known_divisions and not isinstance(index, pd.CategoricalIndex):
        assert_divisions(lazy)
    kept = dd.from_pandas(frame, sort=False, **cut).compute()
    pd.testing.assert_frame_equal(kept, frame)


def test_later_changes_do_not_count():
    frame = pd.DataFrame({"a": [1, 2, 3]})
    lazy = dd.from_pandas(frame, npartitions=2)
    frame.iloc[0, 0] = 100
    assert list(lazy["a"].compute()) == [1, 2, 3]


def test_missing_labels():
    numbers = pd.Series([1, 2, 3], index=[2.0, np.nan, 1.0])
    lazy = dd.from_pandas(numbers, npartitions=2)
    assert not lazy.known_divisions and len(lazy.compute()) == 3
    with pytest.raises(NotImplementedError, match="non-numeric and contains nulls"):
        dd.from_pandas(pd.Series([1, 2], index=["a", None]), npartitions=2)


@pytest.mark.parametrize(
    ("data", "keywords", "kind", "message"),
    [
        ("x", {}, TypeError, "must be a pandas DataFrame or Series, got str"),
        (pd.DataFrame(), {"npartitions": 1.5}, TypeError, "npartitions as an int"),
        (pd.DataFrame(), {"chunksize": "2"}, TypeError, "chunksize as an int"),
        (pd.DataFrame(), {"npartitions": 0}, ValueError, "at least 1"),
        (pd.DataFrame(), {"npartitions": 1, "chunksize": 1}, ValueError, "Exactly one"),
        (
            pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])),
            {},
            NotImplementedError,
            "MultiIndex",
        ),
    ],
)
def test_pandas_input_that_is_refused(data, keywords, kind, message):
    with pytest.raises(kind, match=message):
        dd.from_pandas(data, **keywords)


def test_strings_of_arrow_where_the_setting_says_so():
    frame = pd.DataFrame({"a": ["x", None], "b": [1, 2]}, index=["i", "j"])
    assert dd.from_pandas(frame, 1).dtypes.equals(frame.dtypes)
    with samite.config.set({"dataframe.convert-string": True}):
        lazy = dd.from_pandas(frame, 2)
    assert lazy["a"].dtype == pd.StringDtype("pyarrow", na_value=pd.NA)
    computed = lazy.compute()
    assert computed["a"].dtype == lazy["a"].dtype == computed.index.dtype
    assert list(computed["a"].isna()) == [False, True]


# -- from_map, from_delayed, from_graph -----------------------------------------------


def made(i, j=0, columns=None):
    frame = pd.DataFrame({"a": [i, j], "b": [1.5, 2.5], "c": ["x", "y"]})
    return frame if columns is None else frame[columns]


def test_functions_make_partitions():
    lazy = dd.from_map(made, [1, 2, 3], [4, 5, 6], divisions=None)
    expected = pd.concat([made(1, 4), made(2, 5), made(3, 6)])
    pd.testing.assert_frame_equal(lazy.compute(), expected)
    assert lazy.npartitions == 3 and not lazy.known_divisions
    pd.testing.assert_frame_equal(lazy.partitions[[2, 0]].compute(), expected.iloc[[4, 5, 0, 1]])
    assert dd.from_map(made, [1], label="mine")._name.startswith("mine")
    labelled = dd.from_map(lambda i: pd.Series([i], index=[i]), range(3), divisions=(0, 1, 2, 2))
    assert labelled.divisions == (0, 1, 2, 2)
    assert_divisions(labelled)


def test_functions_make_no_columns_that_nobody_reads():
    read = []

    def reading(i, columns=None):
        read.append(columns)
        return made(i, columns=columns)

    lazy = dd.from_map(reading, [1, 2], meta=made(0).iloc[:0])
    assert list(lazy["a"].compute(scheduler="sync")) == [1, 0, 2, 0]
    assert read == [["a"], ["a"]]
    total = (lazy["a"] + lazy["b"]).compute(scheduler="sync")
    assert list(total) == [2.5, 2.5, 3.5, 2.5] and read[-1] == ["a", "b"]
    chosen = dd.from_map(made, [1], columns=["b"])
    assert list(chosen.columns) == ["b"] == list(chosen.compute().columns)


def test_functions_that_are_refused():
    with pytest.raises(ValueError, match="callable"):
        dd.from_map(3, [1])
    with pytest.raises(ValueError, match="same length"):
        dd.from_map(made, [1], [1, 2])
    with pytest.raises(ValueError, match="at least one"):
        dd.from_map(made)
    with pytest.raises(ValueError, match="one value more"):
        dd.from_map(made, [1, 2], divisions=(0, 1))
    with pytest.raises(TypeError, match=r"columns.*optional"):
        dd.from_map(lambda path, columns: made(1), [1])
    with pytest.raises(ValueError, match="from_map|inference failed"):
        dd.from_map(lambda i: 1 / 0, [1])
    wrong = dd.from_map(made, [1], meta={"a": "int64"}, enforce_metadata=True)
    with pytest.raises(ValueError, match=r"(?s)do not match.*\['b', 'c'\]"):
        wrong.compute()


@given(st.lists(series("float", max_size=4), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_lazy_values_are_partitions(parts):
    lazy = dd.from_delayed([samite.delayed(part) for part in parts])
    pd.testing.assert_series_equal(lazy.compute(), pd.concat(parts), check_index_type=False)
    pd.testing.assert_series_equal((lazy + 1).partitions[0].compute(), parts[0] + 1)


def test_lazy_values_there_and_back():
    frame = pd.DataFrame({"a": range(10), "b": list("abcdefghij")})
    lazy = dd.from_pandas(frame, npartitions=4)
    again = dd.from_delayed(lazy.to_delayed(), divisions=lazy.divisions, prefix="again")
    assert again.divisions == lazy.divisions and again._name.startswith("again")
    pd.testing.assert_frame_equal(again.compute(), frame)
    assert len(again.partitions[1].optimize().dask) < 4


def test_lazy_values_that_are_refused():
    part = samite.delayed(pd.DataFrame({"a": [1]}))
    with pytest.raises(TypeError, match="Expected Delayed object, got int"):
        dd.from_delayed([1])
    with pytest.raises(TypeError, match="at least one"):
        dd.from_delayed([])
    with pytest.raises(ValueError, match="len"):
        dd.from_delayed([part], divisions=(0, 1, 2))
    with pytest.raises(ValueError, match=r"(?s)`from_delayed`.*'b'"):
        dd.from_delayed([part], meta={"a": "int64", "b": "int64"}).compute()
    with pytest.raises(ValueError, match="Order of columns"):
        two = samite.delayed(pd.DataFrame({"a": [1], "b": [2]}))
        dd.from_delayed([two], meta={"b": "int64", "a": "int64"}).compute()
    unchecked = dd.from_delayed([part], meta={"a": "str"}, verify_meta=False)
    assert len(unchecked.compute()) == 1


def test_tasks_of_a_graph():
    frame = pd.DataFrame({"a": [1, 2]})
    graph = {"x": frame, "y": (lambda part: part + 1, "x")}
    lazy = dd.from_graph(graph, frame.iloc[:0], (None, None, None), ["x", "y"], "mine")
    assert list(lazy["a"].compute()) == [1, 2, 2, 3] and lazy._name.startswith("mine")
    with pytest.raises(ValueError, match="one more division"):
        dd.from_graph(graph, frame.iloc[:0], (None, None), ["x", "y"], "mine")


def test_dictionaries():
    data = {"a": [1, 2, 3], "b": list("xyz")}
    expected = pd.DataFrame(data)
    pd.testing.assert_frame_equal(dd.from_dict(data, npartitions=2).compute(), expected)
    pd.testing.assert_frame_equal(dd.DataFrame.from_dict(data, npartitions=2).compute(), expected)
    by_row = dd.from_dict({"r": [1, 2]}, 1, orient="index", columns=["a", "b"])
    assert list(by_row.columns) == ["a", "b"] and list(by_row.index.compute()) == ["r"]
    with pytest.raises(NotImplementedError, match="inputs"):
        dd.from_dict({"a": da.ones(3)}, npartitions=1)


# -- arrays -----------------------------------------------------------------------------


@given(st.integers(0, 12), st.integers(1, 3), st.integers(1, 5), st.booleans())
@settings(max_examples=50, deadline=None)
def test_arrays(rows, width, chunksize, flat):
    values = np.arange(rows * width, dtype="float32").reshape(rows, width)
    values, expected = (values[:, 0], pd.Series) if flat else (values, pd.DataFrame)
    lazy = dd.from_array(values, chunksize=chunksize)
    blocks = da.from_array(values, chunks=chunksize)
    for collection in (lazy, dd.from_dask_array(blocks), blocks.to_dask_dataframe()):
        computed = collection.compute()
        if flat:
            pd.testing.assert_series_equal(computed, expected(values), check_index_type=False)
        else:
            pd.testing.assert_frame_equal(computed, expected(values), check_index_type=False)
        assert_divisions(collection)


def test_arrays_of_records():
    records = np.array([(1, 2.5), (3, 4.5), (5, 6.5)], dtype=[("a", "i4"), ("b", "f8")])
    expected = pd.DataFrame(records)
    pd.testing.assert_frame_equal(dd.from_array(records, chunksize=2).compute(), expected)
    lazy = da.from_array(records, chunks=2)
    chosen = dd.from_dask_array(lazy, columns=["b", "a"]).compute()
    pd.testing.assert_frame_equal(chosen, expected[["b", "a"]])
    with pytest.raises(ValueError, match="have fields"):
        dd.from_dask_array(lazy, columns=["z"])


def test_arrays_under_an_index():
    frame = pd.DataFrame({"x": range(6)}, index=pd.Index(list("abcdef"), name="k"))
    lazy = dd.from_pandas(frame, npartitions=3)
    again = dd.from_dask_array(lazy["x"].values, columns="x", index=lazy.index)
    assert again.divisions == lazy.divisions
    pd.testing.assert_series_equal(again.compute(), frame["x"])
    with pytest.raises(ValueError, match="must be an instance"):
        dd.from_dask_array(lazy["x"].values, index=frame.index)
    with pytest.raises(ValueError, match="numbers of blocks"):
        dd.from_dask_array(da.ones(6, chunks=3), index=lazy.index)


def test_arrays_of_unknown_length():
    lazy = da.ones(10, chunks=5)
    some = dd.from_dask_array(lazy[lazy > 0])
    assert not some.known_divisions and len(some.compute()) == 10


@pytest.mark.parametrize(
    ("values", "columns", "message"),
    [
        (np.ones((2, 2, 2)), None, "more than 2D"),
        (np.ones((2, 2)), ["a"], "names must match width"),
        (np.ones(2), ["a", "b"], "single element list"),
    ],
)
def test_arrays_that_are_refused(values, columns, message):
    with pytest.raises(ValueError, match=message):
        dd.from_array(values, columns=columns)
    with pytest.raises(ValueError, match=message):
        dd.from_dask_array(da.from_array(values, chunks=1), columns=columns)


# -- Arrow ------------------------------------------------------------------------------


@given(frames(kinds=("int", "float", "text", "bool", "date", "decimal")), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_tables_of_arrow(frame, count):
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    expected = table.to_pandas(ignore_metadata=True)
    lazy = dd.from_arrow(table, npartitions=count)
    pd.testing.assert_frame_equal(lazy.compute(), expected)
    assert_divisions(lazy)
    column = expected.columns[-1]
    pd.testing.assert_series_equal(lazy[column].compute(), expected[column])
    by_size = dd.from_arrow(table, chunksize=count)
    assert by_size.npartitions == max(-(-len(frame) // count), 1)
    assert by_size.to_arrow().num_rows == len(frame)


def test_dtypes_of_arrow():
    import pyarrow as pa

    table = pa.table({"a": pa.array([1, None], pa.uint8()), "b": ["x", None]})
    kept = dd.from_arrow(table, dtype_backend="pyarrow")
    assert kept["a"].dtype == kept["a"].compute().dtype == pd.ArrowDtype(pa.uint8())
    nullable = dd.from_arrow(table, dtype_backend="numpy_nullable")
    assert [str(d) for d in nullable.dtypes] == ["UInt8", "string"]
    assert nullable["a"].compute().tolist() == [1, pd.NA]
    assert dd.from_arrow(table.to_batches()[0]).compute().shape == (2, 2)
    with pytest.raises(TypeError, match="stream of Arrow, got dict"):
        dd.from_arrow({"a": [1]})
    with pytest.raises(ValueError, match="dtype_backend"):
        dd.from_arrow(table, dtype_backend="numpy")
    with pytest.raises(TypeError, match="frame of Polars"):
        dd.from_polars(table)
