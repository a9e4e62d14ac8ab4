"""Merges and joins against pandas, over partitionings, keys and kinds."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from _rows import partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd

HOWS = ["inner", "left", "right", "outer"]
KEYS = [
    {"on": "k"},
    {"on": ["k", "s"]},
    {"left_on": "k", "right_on": "c"},
    {"left_index": True, "right_index": True},
    {"left_on": "c", "right_index": True},
    {"left_index": True, "right_on": "c"},
    {"on": "i"},
    {"on": ["i", "s"]},
]


def canonical(rows: pd.DataFrame) -> list[str]:
    """The rows without their order and index; whole numbers are floats where some are missing."""

    def value(cell):
        return float(cell) if isinstance(cell, (int, np.integer)) else cell

    objects = rows.reset_index(drop=True).astype(object)
    objects = objects.where(objects.notna(), None)
    return sorted(repr(tuple(map(value, row))) for row in objects.to_numpy().tolist())


@st.composite
def sides(draw):
    def side(value: str):
        size = draw(st.integers(0, 15))

        def column(values):
            return draw(st.lists(values, min_size=size, max_size=size))

        rows = pd.DataFrame(
            {
                "k": np.array(column(st.sampled_from([0.0, 1.0, 2.0, np.nan])), dtype=float),
                "s": pd.Series(column(st.sampled_from(["a", "ß", None])), dtype="str"),
                "c": np.array(column(st.integers(0, 4)), dtype="int64"),
                value: np.arange(size),
            }
        )
        labels = sorted(draw(st.lists(st.integers(0, 12), min_size=size, max_size=size)))
        rows.index = pd.Index(labels, dtype="int64", name="i")
        count = draw(st.integers(1, 4))
        if draw(st.booleans()) and size:
            return rows, dd.from_pandas(rows, npartitions=count)
        at = sorted(draw(st.lists(st.integers(0, size), min_size=count - 1, max_size=count - 1)))
        return rows, partitioned(rows, [0, *at, size])

    return side("left"), side("right")


@given(
    sides(),
    st.sampled_from(HOWS),
    st.sampled_from(KEYS),
    st.booleans(),
    st.sampled_from([None, True, False]),
)
@settings(max_examples=80, deadline=None)
def test_merge_has_the_rows_of_pandas(pair, how, keys, indicator, broadcast):
    (left_rows, left), (right_rows, right) = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = left_rows.merge(right_rows, how=how, indicator=indicator, **keys)
        found = left.merge(right, how=how, indicator=indicator, broadcast=broadcast, **keys)
    computed = found.compute()
    assert list(found.columns) == list(expected.columns) == list(computed.columns)
    assert canonical(computed) == canonical(expected)
    if found.known_divisions:
        found.enforce_runtime_divisions().compute()
    if keys.get("left_index") and keys.get("right_index"):
        # pandas gives an outer join of empty sides an index without its dtype.
        assert sorted(computed.index) == sorted(expected.index)


@given(sides(), st.sampled_from(HOWS), st.sampled_from(["left", "right", "left_k", "k"]))
@settings(max_examples=25, deadline=None)
def test_projections_and_filters_of_merges(pair, how, column):
    (left_rows, left), (right_rows, right) = pair
    arguments = {"on": "c", "how": how, "suffixes": ("_l", "_r")}
    left_rows, left = (side.rename(columns={"k": "left_k"}) for side in (left_rows, left))
    found, expected = left.merge(right, **arguments), left_rows.merge(right_rows, **arguments)
    chosen = [column, "s_r", "c"]
    assert canonical(found[chosen].compute()) == canonical(expected[chosen])
    found = found[(found.left_k > 0) & (found.right > 1) & (found.c < 4)]
    expected = expected[(expected.left_k > 0) & (expected.right > 1) & (expected.c < 4)]
    assert canonical(found.compute()) == canonical(expected)


def test_keys_of_other_dtypes_meet():
    left = pd.DataFrame({"k": [1, 2, 3, 4] * 5, "x": range(20)})
    right = pd.DataFrame({"k": [1.0, 3.0, np.nan], "y": range(3)})
    with pytest.warns(UserWarning, match="data type mismatches"):
        found = dd.from_pandas(left, npartitions=4).merge(
            dd.from_pandas(right, npartitions=2), on="k", broadcast=False
        )
    assert canonical(found.compute()) == canonical(left.merge(right, on="k"))


def test_categorical_keys_of_partitions_with_other_categories():
    left = pd.DataFrame({"k": pd.Categorical(["a", "b", "c"] * 4), "x": range(12)})
    right = pd.DataFrame({"k": pd.Categorical(["b", "d"]), "y": range(2)})
    found = dd.from_pandas(left, npartitions=3).merge(
        dd.from_pandas(right, npartitions=2), on="k", how="outer"
    )
    assert canonical(found.compute()) == canonical(left.merge(right, on="k", how="outer"))


def test_indexes_with_known_divisions_are_not_shuffled():
    from samite.dataframe.expressions.shuffle import Shuffle

    left = pd.DataFrame({"x": range(20)}, index=range(20))
    right = pd.DataFrame({"y": range(20)}, index=range(10, 30))
    found = dd.from_pandas(left, npartitions=3).join(
        dd.from_pandas(right, npartitions=4), how="outer"
    )
    assert not list(found.optimize().expr.find_operations(Shuffle))
    assert found.divisions[0] == 0 and found.divisions[-1] == 29
    pd.testing.assert_frame_equal(found.compute(), left.join(right, how="outer"))


def test_sides_that_are_partitioned_by_the_key_are_not_shuffled_again():
    from samite.dataframe.expressions.shuffle import TaskShuffle

    left = pd.DataFrame({"k": [1, 2, 3] * 8, "x": range(24)})
    right = pd.DataFrame({"k": [1, 2, 3], "y": range(3)})
    third = pd.DataFrame({"k": [1, 2, 4], "z": range(3)})
    frames = [dd.from_pandas(rows, npartitions=3) for rows in (left, right, third)]
    found = frames[0].merge(frames[1], on="k").merge(frames[2], on="k")
    assert len(list(found.optimize().expr.find_operations(TaskShuffle))) == 3
    expected = left.merge(right, on="k").merge(third, on="k")
    assert canonical(found.compute()) == canonical(expected)


def test_semi_joins_and_lists_of_joins():
    left = pd.DataFrame({"a": [1, 2, 3, 4, 5, 6, 1, 2, 3], "b": 1})
    right = pd.DataFrame({"a": [1, 2, 2, 4, 4, 10], "c": 1})
    found = dd.from_pandas(left, npartitions=2).merge(
        dd.from_pandas(right, npartitions=2), how="leftsemi"
    )
    assert canonical(found.compute()) == canonical(left[left.a.isin(right.a)])
    others = [pd.DataFrame({f"y{i}": range(4)}, index=range(i, i + 4)) for i in range(3)]
    base = pd.DataFrame({"x": range(5)})
    found = dd.from_pandas(base, npartitions=2).join(
        [dd.from_pandas(other, npartitions=2) for other in others], how="outer"
    )
    pd.testing.assert_frame_equal(
        found.compute(), base.join(others, how="outer"), check_dtype=False
    )


def test_what_cannot_be_joined():
    left = dd.from_pandas(pd.DataFrame({"a": [1, 2], "b": 1}), npartitions=2)
    right = dd.from_pandas(pd.DataFrame({"a": ["x", "y"], "c": 1}), npartitions=2)
    with pytest.raises(ValueError, match="cross"):
        left.merge(right, how="cross")
    with pytest.raises(KeyError):
        left.merge(right, on="z")
    with pytest.raises(ValueError, match="merge on"):
        left.merge(right, on="a")
    with pytest.raises(ValueError, match="combination"):
        left.merge(right, on="a", left_on="b")
    with pytest.raises(ValueError, match="overlap"):
        left.join(left)
    with pytest.raises(ValueError, match="must be DataFrame"):
        left.join(["nothing"])


@pytest.mark.parametrize("direction", ["backward", "forward", "nearest"])
@pytest.mark.parametrize("by", [None, "g"])
@pytest.mark.parametrize("exact", [True, False])
def test_nearest_keys(direction, by, exact):
    generator = np.random.default_rng(5)
    left = pd.DataFrame(
        {
            "k": np.sort(generator.integers(0, 40, 30)),
            "g": generator.integers(0, 3, 30),
            "l": range(30),
        }
    )
    right = pd.DataFrame(
        {
            "k": np.sort(generator.integers(5, 50, 20)),
            "g": generator.integers(0, 3, 20),
            "r": range(20),
        }
    )
    options = {"on": "k", "by": by, "direction": direction, "allow_exact_matches": exact}
    found = dd.merge_asof(
        dd.from_pandas(left, npartitions=4), dd.from_pandas(right, npartitions=5), **options
    )
    expected = pd.merge_asof(left, right, **options)
    pd.testing.assert_frame_equal(found.compute().reset_index(drop=True), expected)
