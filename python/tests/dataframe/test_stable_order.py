"""The order of many values is that of a stable sort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from samite.dataframe.ordering import sort_index, sort_values, stable_order

SIZE = 5000
RANDOM = np.random.default_rng(5)
VALUES = {
    "few": RANDOM.integers(0, 9, SIZE),
    "negative": RANDOM.integers(-SIZE, SIZE, SIZE),
    "one": np.zeros(SIZE, dtype="int64"),
    "greatest": RANDOM.choice([np.iinfo("int64").min, -1, 0, np.iinfo("int64").max], SIZE),
    "wide": RANDOM.integers(-(2**62), 2**62, SIZE),
    "small": RANDOM.integers(-128, 127, SIZE).astype("int8"),
    "unsigned": RANDOM.integers(0, 2**32 - 1, SIZE).astype("uint32"),
    "large unsigned": RANDOM.integers(0, 2**64 - 1, SIZE, dtype="uint64"),
    "floats": RANDOM.choice([0.0, -0.0, 1.5, -np.inf, np.inf, 2.5], SIZE),
    "many floats": RANDOM.random(SIZE),
    "missing": RANDOM.choice([0.5, np.nan], SIZE),
    "single": RANDOM.random(SIZE).astype("float32"),
    "moments": RANDOM.integers(0, 2**60, SIZE).astype("M8[ns]"),
    "days": RANDOM.integers(0, 400, SIZE).astype("M8[s]"),
    "no moments": np.where(RANDOM.random(SIZE) < 0.1, "NaT", "2020-01-01").astype("M8[s]"),
    "truths": RANDOM.random(SIZE) < 0.5,
    "texts": RANDOM.choice(list("abc"), SIZE).astype(object),
}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", VALUES)
def test_many_values_have_the_order_of_a_stable_sort(name, descending):
    series = pd.Series(VALUES[name])
    before = series.copy()
    found = stable_order(series, descending)
    expected = series.sort_values(kind="stable", ascending=not descending).index
    if found is not None:
        np.testing.assert_array_equal(found, expected)
    pd.testing.assert_series_equal(series, before)
    frame = pd.DataFrame({"k": series, "row": range(SIZE)})
    rows = sort_values(frame, ["k"], [not descending], "last", False, None, None)
    pd.testing.assert_frame_equal(
        rows, frame.sort_values("k", kind="stable", ascending=not descending)
    )
    if not descending:
        indexed = frame.set_index("k")
        pd.testing.assert_frame_equal(sort_index(indexed), indexed.sort_index(kind="stable"))
    assert (found is None) == (name in ("missing", "no moments", "truths", "texts", "single",
                                        "large unsigned"))  # fmt: skip


def test_few_values_are_left_to_pandas():
    assert stable_order(pd.Series([3, 1, 2])) is None
