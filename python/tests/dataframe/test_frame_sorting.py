"""Setting an index and sorting, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _rows import cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

SORTABLE = ("int", "float", "bool", "nullable", "text", "category", "date", "zoned", "duration")


@st.composite
def cut_frames(draw, kinds=SORTABLE, min_size=0):
    rows = draw(frames(kinds=kinds, max_size=20, min_size=min_size))
    return rows, partitioned(rows, draw(cuts(len(rows))))


@given(cut_frames(), st.data())
@settings(max_examples=60, deadline=None)
def test_sorting_is_stable_and_complete(pair, data):
    rows, frame = pair
    by = data.draw(st.permutations(list(rows.columns)))
    ascending = data.draw(st.lists(st.booleans(), min_size=len(by), max_size=len(by)))
    where = data.draw(st.sampled_from(["first", "last"]))
    method = data.draw(st.sampled_from(["tasks", "disk"]))
    found = frame.sort_values(
        by, ascending=ascending, na_position=where, shuffle_method=method
    ).compute()
    expected = rows.sort_values(by, ascending=ascending, na_position=where, kind="stable")
    pd.testing.assert_frame_equal(found, expected)


@given(cut_frames(kinds=("int", "float", "text", "date", "zoned"), min_size=1), st.data())
@settings(max_examples=60, deadline=None)
def test_set_index_has_the_rows_within_its_divisions(pair, data):
    rows, frame = pair
    column = data.draw(st.sampled_from(list(rows.columns)))
    if column != "float":
        rows = rows[rows[column].notna()]
        frame = frame[frame[column].notnull()]
    count = data.draw(st.integers(1, 5))
    found = frame.set_index(column, npartitions=count, drop=data.draw(st.booleans()))
    assert found.npartitions <= count
    computed = found.compute()
    assert len(computed) == len(rows)
    filled = computed.index.dropna()
    assert filled.is_monotonic_increasing
    expected = rows.set_index(column).sort_index(kind="stable")
    pd.testing.assert_index_equal(computed.index, expected.index)
    if found.known_divisions and len(rows):
        found.enforce_runtime_divisions().compute()


def test_presorted_rows_are_not_moved():
    from samite.dataframe.expressions.shuffle import TaskShuffle

    rows = pd.DataFrame({"x": np.arange(100) * 2, "y": 1})
    frame = dd.from_pandas(rows, npartitions=5, sort=False)
    found = frame.set_index("x")
    assert not list(found.optimize().expr.find_operations(TaskShuffle))
    assert found.divisions == (0, 40, 80, 120, 160, 198)
    pd.testing.assert_frame_equal(found.compute(), rows.set_index("x"))


def test_equal_values_at_bounds_come_together():
    rows = pd.DataFrame({"key": [1, 2, 3, 4, 4, 5, 6, 7], "value": list("abcdefgh")})
    found = dd.from_pandas(rows, npartitions=2).set_index("key", sorted=True)
    assert found.divisions == (1, 4, 7)
    assert [len(part) for part in found.partitions] == [3, 5]
    found.enforce_runtime_divisions().compute()
    pd.testing.assert_frame_equal(found.compute(), rows.set_index("key"))


def test_partitions_are_of_about_equal_size():
    generator = np.random.default_rng(3)
    rows = pd.DataFrame({"x": generator.lognormal(size=20_000)})
    frame = dd.from_pandas(rows, npartitions=20, sort=False).set_index("x")
    counts = frame.map_partitions(len).compute()
    assert counts.sum() == len(rows)
    assert counts.max() < 2 * len(rows) / 20


def test_series_as_index_and_without_sorting():
    rows = pd.DataFrame({"x": [3, 1, 2, 5, 4], "y": list("abcde")})
    frame = dd.from_pandas(rows, npartitions=2)
    pd.testing.assert_frame_equal(
        frame.set_index(frame.x + 1).compute(), rows.set_index(rows.x + 1).sort_index()
    )
    pd.testing.assert_frame_equal(
        frame.set_index("x", sort=False, append=True, drop=False).compute(),
        rows.set_index("x", append=True, drop=False),
    )
    assert frame.set_index(frame.index) is frame


def test_what_cannot_be_an_index():
    rows = pd.DataFrame({"x": ["a", None, "b"], "y": 1})
    frame = dd.from_pandas(rows, npartitions=2)
    with pytest.raises(NotImplementedError, match="presence of nulls"):
        frame.set_index("x").compute()
    with pytest.raises(NotImplementedError, match="multi-indexes"):
        frame.set_index(["x", "y"])
    with pytest.raises(KeyError, match="z"):
        frame.set_index("z")
    with pytest.raises(ValueError, match="same length"):
        frame.set_index("y", sorted=True, divisions=(1, 2, 3, 4))
    with pytest.raises(ValueError, match="sorted"):
        frame.set_index("y", divisions=[3, 1])
    with pytest.raises(ValueError, match="npartitions"):
        frame.set_index("y", sort=False, npartitions=4)
    with pytest.raises(ValueError, match="na_position"):
        frame.sort_values("y", na_position="middle")
    with pytest.raises(ValueError, match="ength"):
        frame.sort_values(["x", "y"], ascending=[True])


def test_filters_pass_sorting_unless_others_read_it():
    frame = dd.from_pandas(pd.DataFrame({"x": range(20), "y": range(20)}), npartitions=4)
    found = frame.sort_values("x")
    found = found[found.y > 4]
    expected = frame[frame.y > 4].sort_values("x")
    assert found.simplify()._name == expected.simplify()._name
    shared = frame.sort_values("x")
    both = shared[shared.y > 4].y + shared.y.sum()
    assert both.compute().tolist() == [y + 190 for y in range(5, 20)]
