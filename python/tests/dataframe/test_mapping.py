"""Elements replaced by what a function, a mapping or another series gives for them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, partitioned, series
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

LOOKUPS = st.dictionaries(st.integers(-5, 5), st.integers(0, 9), min_size=1)


@given(series("float").flatmap(lambda s: st.tuples(st.just(s), cuts(len(s)))), LOOKUPS, st.data())
@settings(max_examples=40, deadline=None)
def test_lookups_look_everywhere(case, lookup, data):
    rows, at = case
    lazy = partitioned(rows, at)
    table = pd.Series(lookup, dtype="float64")
    expected = rows.map(table)
    # A label can be in any partition of the table.
    lazy_table = partitioned(table, data.draw(cuts(len(table))))
    result = lazy.map(lazy_table, meta=("s", "float64"))
    pd.testing.assert_series_equal(result.compute(), expected)
    for given_table in (table, lookup):
        found = lazy.map(given_table, meta=("s", "float64")).compute()
        pd.testing.assert_series_equal(found, expected, check_dtype=False)


def test_lookups_in_itself():
    rows = pd.Series([1, 2, 0], name="s")
    lazy = dd.from_pandas(rows, npartitions=3)
    pd.testing.assert_series_equal(lazy.map(lazy, meta=rows).compute(), rows.map(rows))


def test_labels():
    rows = pd.DataFrame({"x": range(6)}, index=[1, 2, 3, 4, 5, 6])
    index = dd.from_pandas(rows, npartitions=3).index
    table = pd.Series(list("abcdef"), index=[6, 5, 4, 3, 2, 1])
    lazy = dd.from_pandas(table, npartitions=2)
    found = index.map(lazy, meta=pd.Index([], dtype="str"))
    assert isinstance(found, dd.Index) and not found.known_divisions
    pd.testing.assert_index_equal(found.compute(), rows.index.map(table))
    with pytest.warns(UserWarning, match="meta"):
        doubled = index.map(lambda label: label * 2, is_monotonic=True)
    assert doubled.divisions == (2, 6, 10, 12)
    with pytest.warns(UserWarning, match="meta"):
        assert not index.map(lambda label: -label).known_divisions


def test_functions():
    rows = pd.Series([1.0, np.nan, 3.0], name="s")
    lazy = dd.from_pandas(rows, npartitions=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = lazy.map(str, na_action="ignore", meta=("s", "str"))
    pd.testing.assert_series_equal(result.compute(), rows.map(str, na_action="ignore"))
    with pytest.warns(UserWarning, match="meta"):
        lazy.map(lambda value: value + 1)
    with pytest.raises(TypeError, match="dict or callable"):
        lazy.map(3)
