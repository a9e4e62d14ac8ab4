"""Sorting against NumPy's, above all along an axis of several chunks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da
from samite.array import sorting

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same

KINDS = ["random", "few", "nan", "equal", "falling", "dates", "text", "objects"]


def elements(kind, length, random):
    return {
        "random": lambda: random.random(length),
        "few": lambda: random.integers(0, 3, length).astype("i2"),
        "nan": lambda: np.where(random.random(length) < 0.3, np.nan, random.random(length)),
        "equal": lambda: np.zeros(length),
        "falling": lambda: np.arange(length)[::-1].copy(),
        "dates": lambda: random.integers(0, 9, length).astype("M8[D]"),
        "text": lambda: np.array([str(n % 7) for n in range(length)], dtype="U2"),
        "objects": lambda: np.array([n * 7 % 10 for n in range(length)], dtype=object),
    }[kind]()


@pytest.fixture(params=[16, 2], ids=["at-once", "in-stages"])
def fan_out(request, monkeypatch):
    monkeypatch.setattr(sorting, "_FAN_OUT", request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_one_axis_of_several_chunks(kind, fan_out):
    random = np.random.default_rng(KINDS.index(kind))
    for length in (0, 1, 2, 9, 100):
        values = elements(kind, length, random)
        for count in (2, 3, 8):
            cuts = np.sort(random.integers(0, length + 1, count - 1))
            chunks = (tuple(np.diff([0, *cuts, length]).tolist()),)
            lazy = da.from_array(values, chunks=chunks)
            result = da.sort(lazy)
            assert result.chunks == lazy.chunks
            same(result, np.sort(values))
            same(da.argsort(lazy), np.argsort(values, kind="stable"))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_axis(data):
    values, lazy = data.draw(cut_arrays(min_dims=1))
    axis = data.draw(st.one_of(st.none(), st.integers(-values.ndim, values.ndim - 1)))
    same(da.sort(lazy, axis=axis), np.sort(values, axis=axis))
    expected = np.argsort(values, axis=axis, kind="stable")
    same(da.argsort(lazy, axis=axis, kind="stable"), expected)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_partition(data):
    values, lazy = data.draw(cut_arrays(min_dims=1, min_length=1, nan=False))
    axis = data.draw(st.integers(-values.ndim, values.ndim - 1))
    kth = data.draw(st.integers(-values.shape[axis], values.shape[axis] - 1))
    result = da.partition(lazy, kth, axis=axis).compute()
    ordered = np.sort(values, axis=axis)
    np.testing.assert_array_equal(np.take(result, kth, axis), np.take(ordered, kth, axis))
    np.testing.assert_array_equal(np.sort(result, axis=axis), ordered)
    places = da.argpartition(lazy, kth, axis=axis).compute()
    chosen = np.take_along_axis(values, places, axis)
    np.testing.assert_array_equal(np.take(chosen, kth, axis), np.take(ordered, kth, axis))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_ranges_have_exact_ends(data):
    """The tables that separate the ranges, against counting in the sorted whole."""
    sizes = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=6))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    runs = [np.sort(random.integers(0, 9, size)) for size in sizes]
    ranks = data.draw(st.lists(st.integers(0, sum(sizes)), min_size=1, max_size=5))
    steps = [data.draw(st.integers(1, 7)) for _ in sizes]
    samples = [sorting._sample((run, None), step) for run, step in zip(runs, steps)]
    brackets = sorting._brackets(samples, sizes, steps, ranks, None)
    candidates = [sorting._candidates((run, None), brackets, i, 0) for i, run in enumerate(runs)]
    splits = sorting._splits(candidates, brackets, sizes, ranks, None)
    source = np.repeat(np.arange(len(sizes)), sizes)
    whole = source[np.argsort(np.concatenate(runs), kind="stable")]
    for t, rank in enumerate(ranks):
        expected = np.bincount(whole[:rank], minlength=len(sizes))
        np.testing.assert_array_equal(splits[:, t + 1], expected)


def test_samples_are_few():
    sizes = [1000] * 20
    steps = sorting.sampling_steps(sizes)
    samples = sum(len(range(0, size, step)) for size, step in zip(sizes, steps))
    assert samples < sum(sizes) / 4


def test_tasks_grow_little_faster_than_chunks():
    few = len(da.sort(da.zeros(1000, chunks=4)).dask)
    many = len(da.sort(da.zeros(4000, chunks=4)).dask)
    assert many < 6 * few


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_lines_longer_than_a_chunk(data):
    import samite

    random = np.random.default_rng(data.draw(st.integers(0, 100)))
    values = random.integers(0, 50, (2, 40, 2))
    chunks = tuple(data.draw(chunk_lengths(length)) for length in values.shape)
    with samite.config.set({"array.chunk-size": "100B"}):
        same(da.sort(da.from_array(values, chunks=chunks), axis=1), np.sort(values, axis=1))


def test_structured_and_masked():
    values = np.array([(2, 1.0), (1, 2.0), (2, 0.0), (0, 5.0)], dtype=[("a", "i4"), ("b", "f8")])
    lazy = da.from_array(values, chunks=2)
    got = da.sort(lazy, order=["a", "b"]).compute()
    np.testing.assert_array_equal(got, np.sort(values, order=["a", "b"]))
    masked = np.ma.masked_greater(np.array([5, 1, 9, 3, 8, 2]), 7)
    got = da.sort(da.from_array(masked, chunks=2)).compute()
    assert got.tolist() == [1, 2, 3, 5, None, None]


def test_by_numpy_and_in_place():
    values = np.array([3, 1, 2, 0])
    lazy = da.from_array(values, chunks=2)
    assert isinstance(np.sort(lazy), da.Array)
    same(np.argsort(lazy), np.argsort(values))
    assert lazy.sort() is None
    same(lazy, np.sort(values))


def test_errors():
    x = da.ones(6, chunks=2)
    with pytest.raises(ValueError, match="lengths of its chunks"):
        da.sort(x[x > 0])
    with pytest.raises(ValueError, match="out of bounds"):
        da.sort(x, axis=1)
    with pytest.raises(ValueError, match="kth"):
        da.partition(x, 6)
    with pytest.raises(ValueError, match="same time"):
        da.sort(x, kind="stable", stable=True)
