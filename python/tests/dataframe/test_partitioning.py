"""Repartitioning, alignment and divisions, against the same rows in pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd


def within_divisions(frame) -> None:
    """Compute the frame so that rows outside of known divisions are an error."""
    if frame.known_divisions:
        frame.enforce_runtime_divisions().compute()


def same_rows(found, expected: pd.DataFrame) -> None:
    """The rows of ``expected`` in its order, and divisions that hold."""
    pd.testing.assert_frame_equal(found.compute(), expected)
    within_divisions(found)


@st.composite
def cut_frames(draw):
    rows = draw(frames(kinds=("int", "text", "category", "date"), max_size=20))
    return rows, partitioned(rows, draw(cuts(len(rows))))


@given(cut_frames(), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_number_of_partitions_without_divisions(pair, count):
    rows, frame = pair
    found = frame.repartition(npartitions=count)
    assert found.npartitions == count
    same_rows(found, rows)


@given(cut_frames(), st.integers(40, 2000))
@settings(max_examples=30, deadline=None)
def test_partitions_of_a_size(pair, size):
    rows, frame = pair
    same_rows(frame.repartition(partition_size=size), rows)


@st.composite
def divided(draw):
    labels = sorted(draw(st.lists(st.integers(0, 20), min_size=1, max_size=25)))
    rows = pd.DataFrame({"x": range(len(labels))}, index=pd.Index(labels, name="label"))
    frame = dd.from_pandas(rows, npartitions=draw(st.integers(1, 6)))
    lower, upper = labels[0], labels[-1]
    inner = draw(st.sets(st.integers(lower, upper), max_size=6)) - {lower, upper}
    divisions = [lower, *sorted(inner), upper]
    if lower < upper and draw(st.booleans()):
        divisions.append(upper)
    return rows, frame, divisions


@given(divided())
@settings(max_examples=80, deadline=None)
def test_new_divisions(case):
    rows, frame, divisions = case
    found = frame.repartition(divisions=divisions)
    assert found.divisions == tuple(divisions)
    same_rows(found, rows)
    wider = [divisions[0] - 3, *divisions[1:-1], divisions[-1] + 2]
    if len(set(wider)) == len(wider):
        same_rows(frame.repartition(divisions=wider, force=True), rows)


@given(divided(), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_number_of_partitions_with_divisions(case, count):
    rows, frame, _ = case
    same_rows(frame.repartition(npartitions=count), rows)


def test_rows_outside_of_divisions_that_lie_are_not_lost():
    parts = [pd.DataFrame({"x": [1, 2, 3]}, index=[0, 1, 9]), pd.DataFrame({"x": [4]}, index=[5])]
    frame = dd.from_delayed(
        [_delayed(part) for part in parts], meta=parts[0], divisions=(0, 5, 9), verify_meta=False
    )
    found = frame.repartition(divisions=(0, 2, 4, 7, 9)).compute()
    assert sorted(found.x) == [1, 2, 3, 4]


def _delayed(value):
    from samite.delayed import delayed

    return delayed(value)


@pytest.mark.parametrize("freq", ["D", "7h", "MS", "ME"])
def test_partitions_of_a_span_of_time(freq):
    index = pd.date_range("2020-01-15 03:00", "2020-04-02", freq="11h")
    rows = pd.DataFrame({"x": range(len(index))}, index=index)
    found = dd.from_pandas(rows, npartitions=3).repartition(freq=freq)
    pd.testing.assert_frame_equal(found.compute(), rows, check_freq=False)
    within_divisions(found)
    starts = [part.compute().index.min() for part in found.partitions]
    assert found.divisions[0] == index[0] and len(starts) > 2


def test_bad_partitions():
    rows = pd.DataFrame({"x": range(6)}, index=[10, 20, 30, 40, 50, 60])
    frame = dd.from_pandas(rows, npartitions=2)
    for divisions in ([20, 60], [10, 50], [1], [0, 60], [10, 70], [10, 50, 20, 60], [10, 10, 60]):
        with pytest.raises(ValueError, match="division"):
            frame.repartition(divisions=divisions)
    with pytest.raises(ValueError, match="exactly one"):
        frame.repartition(npartitions=2, divisions=[10, 60])
    with pytest.raises(ValueError, match="unknown divisions"):
        frame.clear_divisions().repartition(divisions=[10, 60])
    with pytest.raises(TypeError, match="timeseries"):
        frame.repartition(freq="D")
    with pytest.raises(ValueError, match="npartitions"):
        frame.repartition(npartitions=0)


@given(divided(), divided())
@settings(max_examples=50, deadline=None)
def test_frames_are_aligned_by_divisions(one, two):
    left, right = one[0][~one[0].index.duplicated()], two[0][~two[0].index.duplicated()]
    found = dd.from_pandas(left, npartitions=3).x + dd.from_pandas(right, npartitions=2).x
    pd.testing.assert_series_equal(found.compute(), left.x + right.x)
    within_divisions(found)


def test_current_divisions():
    rows = pd.DataFrame({"x": range(10)}, index=range(10))
    frame = dd.from_pandas(rows, npartitions=3).clear_divisions()
    assert not frame.known_divisions
    found = frame.compute_current_divisions(set_divisions=True)
    assert found.divisions == (0, 4, 7, 9)
    same_rows(found, rows)
    with pytest.raises(ValueError, match="sorted"):
        frame.assign(y=-frame.x).compute_current_divisions("y")
    lying = dd.repartition(rows, [0, 9]).map_partitions(
        lambda part: part.set_axis(part.index + 100), meta=rows.iloc[:0]
    )
    with pytest.raises(RuntimeError, match="partition 0"):
        lying.enforce_runtime_divisions().compute()


def test_filters_and_projections_pass_repartitioning():
    rows = pd.DataFrame({"x": [1, 2, 3, 4] * 10, "y": 1, "z": 2})
    frame = dd.from_pandas(rows, npartitions=10)
    found = frame.repartition(npartitions=5)
    found = found[found.x > 2][["x"]]
    expected = frame[["x"]]
    expected = expected[expected.x > 2].repartition(npartitions=5)
    assert found.simplify()._name == expected.simplify()._name
    pd.testing.assert_frame_equal(found.compute(), rows[rows.x > 2][["x"]])
    assert np.all(found.map_partitions(len).compute() > 0)
