"""Rows by label, without duplicates, at random, and with their neighbours; against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd


@st.composite
def labelled(draw):
    rows = draw(frames(kinds=("int", "text", "float"), max_size=20, min_size=1))
    known = dd.from_pandas(rows, npartitions=draw(st.integers(1, 5)))
    return rows, known, partitioned(rows, draw(cuts(len(rows))))


bounds = st.one_of(st.none(), st.integers(-2, 12))


@given(labelled(), bounds, bounds)
@settings(max_examples=60, deadline=None)
def test_slices_of_labels(case, start, stop):
    rows, known, unknown = case
    expected = rows.loc[start:stop]
    for frame in (known, unknown):
        found = frame.loc[start:stop]
        pd.testing.assert_frame_equal(found.compute(), expected)
        if found.known_divisions:
            found.enforce_runtime_divisions().compute()


@given(labelled(), st.data())
@settings(max_examples=40, deadline=None)
def test_labels_and_lists_of_them(case, data):
    rows, known, _ = case
    label = data.draw(st.sampled_from(list(rows.index)))
    pd.testing.assert_frame_equal(known.loc[label].compute(), rows.loc[[label]])
    several = data.draw(st.lists(st.sampled_from(list(rows.index)), unique=True, max_size=4))
    computed = known.loc[several].compute()
    # Labels of one partition come in the order that was asked for.
    pd.testing.assert_frame_equal(computed.sort_index(kind="stable"), rows.loc[sorted(several)])


def test_labels_that_are_not_there():
    frame = dd.from_pandas(pd.DataFrame({"x": [1, 2, 3]}, index=[0, 2, 4]), npartitions=2)
    for label in (1, 100):
        with pytest.raises(KeyError):
            frame.loc[label].compute()
    with pytest.raises(KeyError):
        frame.loc[[0, 3]].compute()
    with pytest.raises(KeyError, match="unknown division"):
        frame.clear_divisions().loc[[0]]
    with pytest.raises(KeyError):
        frame.loc[:, "y"]
    with pytest.raises(NotImplementedError, match="iloc"):
        frame.iloc[0]
    with pytest.raises(KeyError, match="non-boolean"):
        frame.loc[frame.x]


def test_texts_as_spans_of_time():
    index = pd.date_range("2020-01-30", periods=60, freq="7h", tz="Europe/Berlin")
    rows = pd.DataFrame({"x": range(60)}, index=index)
    frame = dd.from_pandas(rows, npartitions=6)
    for key in ("2020-02", "2020-02-03"):
        found = frame.loc[key]
        pd.testing.assert_frame_equal(found.compute(), rows.loc[key], check_freq=False)
        found.enforce_runtime_divisions().compute()
    key = slice("2020-02-01 12", "2020-02-05")
    pd.testing.assert_frame_equal(frame.loc[key].compute(), rows.loc[key], check_freq=False)


@st.composite
def repeated(draw):
    rows = draw(frames(kinds=("int", "text", "float", "category", "nullable"), max_size=20))
    return rows, partitioned(rows, draw(cuts(len(rows))))


@given(repeated(), st.sampled_from(["first", "last"]), st.sampled_from([1, True, 3]))
@settings(max_examples=50, deadline=None)
def test_duplicates(pair, keep, split_out):
    rows, frame = pair
    rows = rows.assign(number=np.arange(len(rows)))
    frame = partitioned(rows, [0, len(rows) // 3, len(rows) // 2, len(rows)])
    subset = list(rows.columns[:-1])
    found = frame.drop_duplicates(subset=subset, keep=keep, split_out=split_out).compute()
    expected = rows.drop_duplicates(subset=subset, keep=keep)
    pd.testing.assert_frame_equal(found.sort_values("number"), expected)
    if split_out == 1:
        pd.testing.assert_frame_equal(found, expected)


@given(repeated(), st.sampled_from([1, True, 2]))
@settings(max_examples=40, deadline=None)
def test_unique_values(pair, split_out):
    rows, frame = pair
    column = rows.columns[0]
    found = frame[column].unique(split_out=split_out).compute()
    expected = pd.Series(rows[column].unique(), name=column, dtype=rows[column].dtype)
    assert len(found) == len(expected)
    assert set(found.dropna()) == set(expected.dropna())
    if split_out == 1:
        pd.testing.assert_series_equal(found, expected)


@given(repeated(), st.integers(-8, 8).filter(bool))
@settings(max_examples=50, deadline=None)
def test_shifts_and_differences_reach_over_short_partitions(pair, periods):
    rows, frame = pair
    column = rows.columns[0]
    found, expected = frame.shift(periods).compute(), rows.shift(periods)
    pd.testing.assert_frame_equal(found, expected, check_dtype=len(rows) > 0)
    if column in ("int", "float"):
        pd.testing.assert_series_equal(
            frame[column].diff(periods).compute(), rows[column].diff(periods)
        )


@given(repeated(), st.sampled_from([None, 1, 3, 9]))
@settings(max_examples=50, deadline=None)
def test_filling_reaches_over_partitions(pair, limit):
    rows, frame = pair
    pd.testing.assert_frame_equal(frame.ffill(limit=limit).compute(), rows.ffill(limit=limit))
    pd.testing.assert_frame_equal(frame.bfill(limit=limit).compute(), rows.bfill(limit=limit))


def test_functions_with_neighbours():
    rows = pd.DataFrame({"x": np.arange(20.0)}, index=pd.date_range("2020", periods=20, freq="h"))
    frame = dd.from_pandas(rows, npartitions=4)
    found = frame.map_overlap(lambda part: part.rolling(3).sum(), 2, 0)
    pd.testing.assert_frame_equal(found.compute(), rows.rolling(3).sum(), check_freq=False)
    # A span of time reaches over several partitions.
    found = frame.map_overlap(lambda part: part.rolling("13h").sum(), "13h", 0)
    pd.testing.assert_frame_equal(found.compute(), rows.rolling("13h").sum(), check_freq=False)
    assert frame.map_overlap(lambda part: part, 2, 1).partitions[2].compute().shape == (5, 1)
    with pytest.raises(NotImplementedError, match="less than"):
        frame.map_overlap(lambda part: part, 6, 0).compute()
    with pytest.raises(ValueError, match="positive"):
        frame.map_overlap(lambda part: part, -1, 0)
    with pytest.raises(TypeError, match="DatetimeIndex"):
        dd.from_pandas(rows.reset_index(), npartitions=2).map_overlap(abs, "1h", 0)


def test_parts_at_random():
    rows = pd.DataFrame({"x": range(300)})
    frame = dd.from_pandas(rows, npartitions=3)
    parts = [part.compute() for part in frame.random_split([0.2, 0.3, 0.5], random_state=7)]
    assert sorted(pd.concat(parts).x) == list(range(300))
    again = frame.random_split([0.2, 0.3, 0.5], random_state=7)[1].compute()
    pd.testing.assert_frame_equal(parts[1], again)
    chosen = frame.sample(frac=0.1, random_state=3)
    assert len(chosen.compute()) == 30
    pd.testing.assert_frame_equal(
        chosen.compute(), frame.sample(frac=0.1, random_state=3).compute()
    )
    with pytest.raises(ValueError, match="sum to 1"):
        frame.random_split([0.5, 0.4])
    with pytest.raises(ValueError, match="frac"):
        frame.sample(n=10)


def test_exploded_lists():
    rows = pd.DataFrame({"x": [[1, 2], [], [3], None], "y": range(4)})
    frame = dd.from_pandas(rows, npartitions=2)
    pd.testing.assert_frame_equal(frame.explode("x").compute(), rows.explode("x"))
    pd.testing.assert_series_equal(frame.x.explode().compute(), rows.x.explode())
