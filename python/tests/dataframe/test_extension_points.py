"""What other libraries register and call: dispatch by type, examples, and functions of rows."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pandas.tests.extension.decimal.array import DecimalArray, DecimalDtype

import samite.dataframe as dd
from samite import config
from samite.dataframe import api, dispatch
from samite.dataframe.core import apply_and_enforce, has_parallel_type, new_dd_object
from samite.dataframe.extensions import make_array_nonempty, make_scalar
from samite.dataframe.strings import is_object_string_dtype, to_pyarrow_string


@pytest.fixture
def decimals():
    @make_array_nonempty.register(DecimalDtype)
    def example(dtype):
        return DecimalArray._from_sequence([Decimal("0"), Decimal("NaN")], dtype=dtype)

    make_scalar.register(Decimal, lambda x: Decimal(1))
    yield
    for table in (make_array_nonempty, make_scalar):
        for kind in (DecimalDtype, Decimal):
            table._lookup.pop(kind, None)
        table._resolved.clear()


def test_dtypes_of_others(decimals):
    rows = pd.DataFrame({"a": DecimalArray._from_sequence([Decimal("1.5")] * 4), "b": range(4)})
    lazy = dd.from_pandas(rows, npartitions=2)
    assert lazy._meta_nonempty["a"].dtype == DecimalDtype()
    pd.testing.assert_frame_equal(lazy.compute(), rows)
    assert dd.utils.make_meta(Decimal("7"), parent_meta=rows) == Decimal(1)


def test_dispatch_by_type():
    rows = pd.DataFrame({"a": pd.Categorical(["x", "y"]), "b": [1, 2]})
    assert dispatch.is_categorical_dtype(rows["a"]) and not dispatch.is_categorical_dtype(rows["b"])
    assert dispatch.tolist(rows["b"]) == [1, 2]
    assert dispatch.categorical_dtype(rows, ["x"], ordered=True).ordered
    joined = dispatch.union_categoricals([rows["a"], rows["a"].iloc[:1]])
    assert list(joined) == ["x", "y", "x"]
    assert len(dispatch.concat([rows, rows])) == 4
    assert dispatch.get_parallel_type(rows["a"]) is dd.Series and has_parallel_type(rows)
    assert not has_parallel_type(1)
    hashes = dispatch.hash_object_dispatch(rows, index=False)
    assert hashes.dtype == "uint64" and len(hashes) == 2
    table = dispatch.to_pyarrow_table_dispatch(rows)
    back = dispatch.from_pyarrow_table_dispatch(rows, table)
    pd.testing.assert_frame_equal(back, rows)
    assert dispatch.pyarrow_schema_dispatch(rows).names == ["a", "b"]
    assert dispatch.meta_lib_from_array(np.ones(2)) is pd
    assert dispatch.to_pandas_dispatch(rows) is rows


def test_functions_of_rows():
    rows = pd.DataFrame({"a": [1, 2, 3], "b": [4.0, 5.0, 6.0]})
    lazy = dd.from_pandas(rows, npartitions=2)
    result = api.elemwise(lambda x, y, z=0: x + y + z, lazy["a"], lazy["b"], z=10)
    pd.testing.assert_series_equal(result.compute(), rows["a"] + rows["b"] + 10)
    assert result.divisions == lazy.divisions
    given = api.elemwise(np.add, lazy["a"], 1, meta=("a", "int64"))
    pd.testing.assert_series_equal(given.compute(), rows["a"] + 1)
    assert isinstance(lazy, api.FrameBase)
    assert api.are_co_aligned(lazy["a"].expr, (lazy["b"] + 1).expr)


def test_collections_of_graphs():
    rows = pd.DataFrame({"a": [1, 2]})
    graph = {("x", 0): rows, ("x", 1): rows}
    lazy = new_dd_object(graph, "x", rows.iloc[:0], (None, None, None))
    assert lazy.compute()["a"].tolist() == [1, 2, 1, 2]
    with pytest.raises(ValueError, match=r"(?s)do not match.*Missing: \['b'\]"):
        apply_and_enforce(_func=lambda: rows, _meta=pd.DataFrame(columns=["b"]))


def test_libraries_of_partitions():
    lazy = dd.from_pandas(pd.DataFrame({"a": [1]}), npartitions=1)
    with config.set({"dataframe.backend": "pandas"}):
        assert lazy.to_backend() is lazy or lazy.to_backend()._name == lazy._name
    with pytest.raises(ValueError, match="No backend dispatch registered"):
        lazy.to_backend("missing")


def test_strings_of_arrow():
    rows = pd.DataFrame({"a": ["x", None], "b": [1, 2]}, index=["i", "j"])
    converted = to_pyarrow_string(rows)
    assert converted["a"].dtype == "string[pyarrow]" and converted["b"].dtype == "int64"
    assert converted.index.dtype == "string[pyarrow]" and rows["a"].dtype != converted["a"].dtype
    assert is_object_string_dtype(object) and not is_object_string_dtype(np.dtype(int))


def test_comparison():
    rows = pd.DataFrame({"a": [1, 2, 3]}, index=[3, 1, 2])
    lazy = dd.from_pandas(rows, npartitions=2)
    assert dd.assert_eq(lazy, rows)
    with pytest.raises(AssertionError):
        dd.assert_eq(lazy, rows + 1)
    with pytest.raises(AssertionError):
        dd.assert_eq(lazy, rows, sort_results=False)
    renamed = rows.iloc[::-1].reset_index(drop=True)
    assert dd.assert_eq(lazy, renamed, check_index=False)
    with pytest.raises(AssertionError):
        dd.assert_eq(lazy, renamed)
    wrong = dd.from_map(lambda i: rows, range(2), meta=rows.iloc[:0], divisions=(0, 1, 2))
    with pytest.raises(AssertionError):
        dd.assert_eq(wrong, wrong)
    mistyped = dd.from_map(lambda i: rows, range(2), meta={"a": "str"})
    with pytest.raises(AssertionError):
        dd.assert_eq(mistyped, mistyped)
