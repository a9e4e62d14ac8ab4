"""Frames one after the other and side by side, against pandas."""

from __future__ import annotations

import pandas as pd
import pytest
from _rows import cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

KINDS = ("int", "float", "text", "category", "date", "bool")


@st.composite
def several(draw):
    pairs = []
    for _ in range(draw(st.integers(2, 3))):
        rows = draw(frames(kinds=KINDS, max_size=8, min_size=1))
        pairs.append((rows, partitioned(rows, draw(cuts(len(rows))))))
    return pairs


@given(several(), st.sampled_from(["inner", "outer"]))
@settings(max_examples=60, deadline=None)
def test_rows_follow_each_other(pairs, join):
    found = dd.concat([frame for _, frame in pairs], join=join)
    expected = pd.concat([rows for rows, _ in pairs], join=join)
    computed = found.compute()
    assert list(computed.columns) == list(expected.columns) == list(found.columns)
    assert len(computed) == len(expected)
    assert found.npartitions == sum(frame.npartitions for _, frame in pairs)
    pd.testing.assert_frame_equal(
        computed.astype(object).where(computed.notna(), None),
        expected.astype(object).where(expected.notna(), None),
        check_index_type=False,
    )


@st.composite
def divided(draw):
    result = []
    for name in ("x", "y"):
        labels = sorted(draw(st.sets(st.integers(0, 15), min_size=1, max_size=8)))
        rows = pd.DataFrame({name: range(len(labels))}, index=labels)
        result.append((rows, dd.from_pandas(rows, npartitions=draw(st.integers(1, 3)))))
    return result


@given(divided(), st.sampled_from(["inner", "outer"]))
@settings(max_examples=50, deadline=None)
def test_side_by_side_and_interleaved(pairs, join):
    rows = [pair[0] for pair in pairs]
    frames_ = [pair[1] for pair in pairs]
    found = dd.concat(frames_, axis=1, join=join)
    expected = pd.concat(rows, axis=1, join=join).sort_index()
    pd.testing.assert_frame_equal(found.compute().sort_index(), expected, check_dtype=False)
    found.enforce_runtime_divisions().compute()
    found = dd.concat(frames_, join=join, interleave_partitions=True)
    expected = pd.concat(rows, join=join).sort_index(kind="stable")
    computed = found.compute().sort_index(kind="stable")
    pd.testing.assert_frame_equal(computed, expected, check_dtype=False)
    found.enforce_runtime_divisions().compute()


def test_divisions_of_frames_in_order():
    parts = [pd.DataFrame({"x": range(6)}, index=range(i, i + 6)) for i in (0, 10, 20)]
    frames_ = [dd.from_pandas(part, npartitions=2) for part in parts]
    found = dd.concat(frames_)
    assert found.divisions == (0, 3, 10, 13, 20, 23, 25)
    pd.testing.assert_frame_equal(found.compute(), pd.concat(parts))
    assert not dd.concat(frames_[::-1]).known_divisions


def test_columns_that_nobody_reads_are_not_joined():
    one = dd.from_pandas(pd.DataFrame({"x": range(4), "y": 1}), npartitions=2)
    two = dd.from_pandas(pd.DataFrame({"x": range(4), "z": 1}), npartitions=2)
    found = dd.concat([one, two])[["x"]].simplify()
    assert [list(frame.columns) for frame in found.expr.frames] == [["x"], ["x"]]


def test_what_cannot_be_joined():
    one = dd.from_pandas(pd.Series(range(6)), npartitions=2).clear_divisions()
    two = dd.from_pandas(pd.Series(range(4)), npartitions=2).clear_divisions()
    with pytest.warns(UserWarning, match="unknown divisions"):
        found = dd.concat([one, two], axis=1)
    with pytest.raises(ValueError, match="different lengths"):
        found.compute()
    with pytest.raises(ValueError, match="unknown division"):
        dd.concat([one, two.repartition(npartitions=3)], axis=1).compute()
    with pytest.raises(ValueError, match="No objects"):
        dd.concat([])
    with pytest.raises(TypeError, match="list"):
        dd.concat(one)
    with pytest.raises(ValueError, match="'join' must be"):
        dd.concat([one, two], join="left")
