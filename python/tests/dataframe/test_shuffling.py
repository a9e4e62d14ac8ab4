"""Moving rows by their keys: all arrive, once, and equal keys in one partition."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from _rows import KINDS, cuts, frames, partitioned
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.dataframe as dd
from samite.dataframe.hashing import hash_rows, partition_numbers


def key_of(values: pd.DataFrame) -> list:
    """The rows as hashable values, missing ones as None."""
    objects = values.astype(object).where(values.notna(), None)
    return list(map(tuple, objects.to_numpy().tolist()))


@st.composite
def cut_frames(draw):
    rows = draw(frames(max_size=25)).assign(number=lambda part: np.arange(len(part)))
    return rows, partitioned(rows, draw(cuts(len(rows))))


@given(cut_frames(), st.integers(1, 9), st.integers(2, 4), st.sampled_from(["tasks", "disk"]))
@settings(max_examples=40, deadline=None)
def test_rows_arrive_once_and_together(pair, count, branch, method):
    rows, frame = pair
    keys = list(rows.columns[:-1])
    found = frame.shuffle(keys, npartitions=count, shuffle_method=method, max_branch=branch)
    assert found.npartitions == count
    seen: set = set()
    numbers = []
    for part in found.to_delayed():
        computed = part.compute()
        here = set(key_of(computed[keys]))
        assert not here & seen
        seen |= here
        assert list(computed.number) == sorted(computed.number)
        numbers += list(computed.number)
        pd.testing.assert_frame_equal(computed, rows.iloc[computed.number])
    assert sorted(numbers) == list(range(len(rows)))


@pytest.mark.parametrize("method", ["tasks", "disk"])
def test_no_row_is_lost_with_skewed_and_missing_keys(method):
    # Fifty thousand rows, half of one key and a tenth without any, in 200 partitions.
    generator = np.random.default_rng(0)
    key = generator.integers(0, 1000, 50_000).astype(float)
    key[::2] = 7
    key[::10] = np.nan
    rows = pd.DataFrame({"key": key, "number": np.arange(len(key))})
    frame = dd.from_pandas(rows, npartitions=200, sort=False)
    found = frame.shuffle("key", shuffle_method=method)
    counts = found.map_partitions(len).compute()
    assert counts.sum() == len(rows)
    computed = found.compute()
    assert len(computed) == len(rows) and computed.number.is_unique
    assert computed.key.isna().sum() == rows.key.isna().sum()


@pytest.mark.parametrize("partitions", [128, 129])
def test_merging_above_128_partitions_keeps_all_rows(partitions):
    large = pd.DataFrame({"key": np.arange(5000), "x": 1})
    small = pd.DataFrame({"key": np.arange(25, 500), "y": 2})
    left = dd.from_pandas(small, npartitions=3)
    right = dd.from_pandas(large, npartitions=partitions)
    found = left.merge(right, on="key", broadcast=False).compute()
    expected = small.merge(large, on="key")
    assert len(found) == len(expected) == 475
    pd.testing.assert_frame_equal(found.sort_values("key", ignore_index=True), expected)


@pytest.mark.parametrize(
    "one, other",
    [
        (pd.Series([1, 2, 3]), pd.Series([1.0, 2.0, 3.0])),
        (pd.Series([1, 2, 3]), pd.Series([1, 2, 3], dtype="Int8")),
        (pd.Series([1, 2, None]), pd.Series([1, 2, None], dtype="Int64")),
        (pd.Series([0, 1]), pd.Series([False, True])),
        (pd.Series([1, 2, 3]), pd.Series([1, 2, 3], dtype=object)),
        (pd.Series(["a", None, "ß"]), pd.Series(["a", None, "ß"], dtype=object)),
        (pd.Series(["a", "b"]), pd.Series(["a", "b"], dtype="category")),
        (pd.Series(["a", "b"]), pd.Series(["a", "b"], dtype="string[pyarrow]")),
        (pd.Series([3, 1]), pd.Series(pd.Categorical([3, 1], categories=[1, 2, 3]))),
        (
            pd.Series(pd.to_datetime(["2020-01-01", None])).astype("datetime64[s]"),
            pd.Series(pd.to_datetime(["2020-01-01", None])).astype("datetime64[ns]"),
        ),
        (pd.Series([np.nan]), pd.Series([None], dtype=object)),
    ],
)
def test_equal_values_have_equal_hashes_whatever_their_dtype(one, other):
    np.testing.assert_array_equal(hash_rows(one), hash_rows(other))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_hashes_do_not_depend_on_other_rows(data):
    kind = data.draw(st.sampled_from(list(KINDS)))
    values, make = KINDS[kind]
    whole = make(data.draw(st.lists(values, min_size=1, max_size=10)))
    single = np.concatenate([hash_rows(whole.iloc[[i]]) for i in range(len(whole))])
    np.testing.assert_array_equal(hash_rows(whole), single)


def test_hashes_are_the_same_in_every_process():
    code = (
        "import pandas as pd; from samite.dataframe.hashing import hash_rows;"
        "print(hash_rows(pd.DataFrame({'a': ['x', 'yß', None], 'b': [1, 2.5, (3, 'z')]})).tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_partition_numbers_are_small_integers():
    assert partition_numbers(pd.Series([1, 2]), 127).dtype == "int8"
    assert partition_numbers(pd.Series([1, 2]), 32768).dtype.itemsize >= 2
    numbers = partition_numbers(pd.Series(range(1000)), 7)
    assert set(numbers) == set(range(7))


def test_files_are_removed(tmp_path):
    from samite import config

    rows = pd.DataFrame({"x": range(100)})
    with config.set({"temporary-directory": str(tmp_path)}):
        found = dd.from_pandas(rows, npartitions=5).shuffle("x", shuffle_method="disk").compute()
    assert sorted(found.x) == list(range(100))
    # They go with the last of the values that tasks have read, which is soon after the result.
    deadline = time.monotonic() + 10
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, "files of a shuffle are left"
        time.sleep(0.01)


def test_bad_shuffles():
    frame = dd.from_pandas(pd.DataFrame({"x": range(4), "y": 1}), npartitions=2)
    with pytest.raises(TypeError, match="Must shuffle"):
        frame.shuffle()
    with pytest.raises(TypeError, match="both"):
        frame.shuffle("x", on_index=True)
    with pytest.raises(KeyError, match="z"):
        frame.shuffle(["x", "z"])
    with pytest.raises(TypeError, match="aligned"):
        frame.shuffle(frame.x.repartition(npartitions=1).repartition(npartitions=3))
    with pytest.raises(ValueError, match="method"):
        frame.shuffle("x", shuffle_method="carrier pigeon")
    with pytest.raises(ValueError, match="npartitions"):
        frame.shuffle("x", npartitions=-1)


def test_columns_that_nobody_reads_are_not_moved():
    frame = dd.from_pandas(pd.DataFrame({"x": range(4), "y": 1, "z": 2}), npartitions=2)
    found = frame.shuffle("x")[["y"]].simplify()
    assert list(found.expr.frame.frame.columns) == ["x", "y"]
