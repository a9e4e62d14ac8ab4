"""Operators and methods that keep the rows, against pandas on the whole frame."""

from __future__ import annotations

import operator

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

ARITHMETIC = ["add", "sub", "mul", "truediv"]
COMPARISON = ["lt", "le", "gt", "ge", "eq", "ne"]
NUMBERS = ("int", "float", "nullable")


def same(found, expected):
    """Compare a collection with pandas rows: values, dtypes, index, and what was promised."""
    computed = found.compute()
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(computed, expected)
        assert list(found._meta.dtypes) == list(expected.dtypes)
        assert list(found.columns) == list(expected.columns)
    else:
        pd.testing.assert_series_equal(computed, expected)
        assert found._meta.dtype == expected.dtype
        assert found.name == expected.name
    assert found._meta.index.dtype == expected.index.dtype
    assert found._meta.index.names == expected.index.names


@st.composite
def cut_frames(draw, kinds=NUMBERS):
    rows = draw(frames(kinds=kinds))
    return rows, partitioned(rows, draw(cuts(len(rows))))


@given(cut_frames(), st.sampled_from(ARITHMETIC + COMPARISON), st.sampled_from([1, 3, 2.5]))
@settings(max_examples=60, deadline=None)
def test_operators_with_scalars(pair, name, scalar):
    rows, frame = pair
    function = getattr(operator, name)
    with np.errstate(all="ignore"):
        same(function(frame, scalar), function(rows, scalar))
        same(function(scalar, frame), function(scalar, rows))


@given(cut_frames(), st.sampled_from(ARITHMETIC + COMPARISON))
@settings(max_examples=60, deadline=None)
def test_operators_between_columns(pair, name):
    rows, frame = pair
    function = getattr(operator, name)
    left, right = rows.columns[0], rows.columns[-1]
    with np.errstate(all="ignore"):
        same(function(frame[left], frame[right]), function(rows[left], rows[right]))


@given(cut_frames(), st.sampled_from(["floordiv", "mod"]))
@settings(max_examples=30, deadline=None)
def test_division_of_integers(pair, name):
    # The dtype depends on whether there is a zero among the divisors.
    rows, frame = pair
    function = getattr(operator, name)
    with np.errstate(all="ignore"):
        expected = function(rows, 3)
        pd.testing.assert_frame_equal(function(frame, 3).compute(), expected)


@given(cut_frames(kinds=("int", "float", "bool", "text", "category", "date", "zoned")))
@settings(max_examples=60, deadline=None)
def test_filters_of_every_kind_of_column(pair):
    rows, frame = pair
    first = rows.columns[0]
    same(frame[frame[first].isna()], rows[rows[first].isna()])
    same(frame[~frame[first].isna()][[first]], rows[~rows[first].isna()][[first]])
    same(frame.dropna(), rows.dropna())


@given(cut_frames(kinds=("int", "float", "nullable", "text", "object")))
@settings(max_examples=60, deadline=None)
def test_methods_that_take_plain_values(pair):
    rows, frame = pair
    same(frame.isin([1, 2, "a"]), rows.isin([1, 2, "a"]))
    same(frame.notna(), rows.notna())
    same(frame.rename(columns=str.upper), rows.rename(columns=str.upper))
    same(frame.add_prefix("x_"), rows.add_prefix("x_"))
    first = rows.columns[0]
    same(frame.drop(columns=first), rows.drop(columns=first))
    same(frame.assign(new=frame[first]), rows.assign(new=rows[first]))
    same(frame[first].to_frame("other"), rows[first].to_frame("other"))


@given(cut_frames(), st.integers(-3, 3), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_methods_of_numbers(pair, low, width):
    rows, frame = pair
    same(frame.clip(low, low + width), rows.clip(low, low + width))
    same(frame.fillna(low), rows.fillna(low))
    same(frame.abs(), rows.abs())
    first = rows.columns[0]
    same(frame[first].between(low, low + width), rows[first].between(low, low + width))
    condition = rows[first].fillna(0) > low
    lazy = frame[first].fillna(0) > low
    same(frame.where(lazy, 7), rows.where(condition, 7))
    same(frame[first].mask(lazy, 7), rows[first].mask(condition, 7))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 12))
@settings(max_examples=30, deadline=None)
def test_frames_cut_differently_are_aligned(left_parts, right_parts, size):
    left = pd.Series(range(size), index=range(0, 2 * size, 2), name="x", dtype="int64")
    right = pd.Series(range(size), index=range(size), name="x", dtype="int64")
    lazy = dd.from_pandas(left, left_parts), dd.from_pandas(right, right_parts)
    if not size:
        return
    found = (lazy[0] + lazy[1]).compute()
    pd.testing.assert_series_equal(found.sort_index(), (left + right).sort_index())


def test_unknown_divisions_are_aligned_by_shuffling():
    left = pd.DataFrame({"x": range(40)}, index=[*range(20, 40), *range(20)])
    right = left.iloc[::-1]
    lazy = [dd.from_pandas(rows, npartitions=4, sort=False) for rows in (left, right)]
    assert not lazy[0].known_divisions
    found = (lazy[0].x + lazy[1].x).compute().sort_index()
    pd.testing.assert_series_equal(found, (left.x + right.x).sort_index())


@pytest.fixture
def rows():
    return pd.DataFrame({"x": range(20), "y": np.arange(20) / 2, "z": list("abcd") * 5})


@pytest.fixture
def frame(rows):
    return dd.from_pandas(rows, npartitions=4)


def test_assignment_changes_this_frame_alone(rows, frame):
    other = frame
    copy = frame.copy()
    frame["w"] = frame.x * frame.y
    frame.loc_free = 1  # an attribute that is no column stays one of the object
    assert "w" in other.columns and "w" not in copy.columns
    assert "loc_free" not in frame.columns
    frame[["x", "y"]] = 0
    expected = rows.assign(w=rows.x * rows.y)
    expected[["x", "y"]] = 0
    same(frame, expected)
    del frame["w"]
    same(frame, expected.drop(columns="w"))


def test_a_mask_sets_where_it_is_true(rows, frame):
    numbers, lazy = rows[["x", "y"]], frame[["x", "y"]]
    lazy[lazy.x > 4] = 9
    expected = numbers.copy()
    expected[expected.x > 4] = 9
    same(lazy, expected)


def test_map_and_apply(rows, frame):
    same(frame.x.map(lambda v: v + 0.5, meta=("x", "float64")), rows.x.map(lambda v: v + 0.5))
    same(
        frame.apply(lambda row: row.x + row.y, axis=1, meta=(None, "float64")),
        rows.apply(lambda row: row.x + row.y, axis=1),
    )
    with pytest.warns(UserWarning, match="meta"):
        numbers = dict(zip("abcd", range(4), strict=True))
        same(frame.z.map(numbers), rows.z.map(numbers))
    with pytest.raises(NotImplementedError, match="axis=1"):
        frame.apply(sum)
    with pytest.raises(TypeError, match="Series, dict or callable"):
        frame.x.map(3)


def test_labels_of_rows(rows, frame):
    found = frame.x.rename(lambda label: label * 10, sorted_index=True)
    assert found.divisions == tuple(10 * d for d in frame.divisions)
    same(found, rows.x.rename(lambda label: label * 10))
    assert not frame.x.rename(lambda label: -label).known_divisions
    with pytest.raises(ValueError, match="non-monotonic"):
        frame.x.rename(lambda label: -label, sorted_index=True).divisions
    frame.index = frame.index.astype("float64")
    rows.index = rows.index.astype("float64")
    same(frame, rows)


def test_bad_arguments_are_named(frame):
    with pytest.raises(KeyError, match="nothing"):
        frame["nothing"]
    with pytest.raises(AttributeError, match="nothing"):
        frame.nothing
    with pytest.raises(KeyError, match="nothing"):
        frame.drop(columns="nothing")
    with pytest.raises(ValueError, match="No axis named 2"):
        frame.fillna(0, axis=2)
    with pytest.raises(TypeError, match="Column assignment doesn't support"):
        frame.assign(new=[1, 2])
    with pytest.raises(ValueError, match="Number of partitions do not match"):
        import samite.array as da

        frame.assign(new=da.ones(20, chunks=10))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(frame.x)
    with pytest.raises(NotImplementedError, match="in.*membership"):
        1 in frame.x
    with pytest.raises(ValueError, match="deep"):
        frame.copy(deep=True)
    with pytest.raises(NotImplementedError, match="level"):
        frame.x.add(1, level=0)
