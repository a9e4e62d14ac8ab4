"""Chunks that overlap, against padding and windows of the whole array."""

from __future__ import annotations

import sys
from pathlib import Path

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da
from samite.array.lib.stride_tricks import sliding_window_view
from samite.array.overlap import (
    boundaries,
    ensure_minimum_chunksize,
    overlap,
    push,
    trim_internal,
    trim_overlap,
)

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import cut_arrays, same

MODES = {"reflect": "symmetric", "periodic": "wrap", "nearest": "edge"}


def padded(a, depth, boundary):
    """The whole array with what is beyond its ends."""
    for axis in range(a.ndim):
        kind = boundary[axis]
        if kind == "none":
            continue
        width = [(depth[axis], depth[axis]) if n == axis else (0, 0) for n in range(a.ndim)]
        if kind in MODES:
            a = np.pad(a, width, mode=MODES[kind])
        else:
            a = np.pad(a, width, mode="constant", constant_values=kind)
    return a


@st.composite
def overlapping(draw, max_dims=3):
    a, x = draw(cut_arrays(min_dims=1, max_dims=max_dims, min_length=1, dtypes=("i4",)))
    depth = {axis: draw(st.integers(0, min(n, 3))) for axis, n in enumerate(a.shape)}
    kinds = st.sampled_from(["reflect", "periodic", "nearest", "none", 7])
    boundary = {axis: draw(kinds) for axis in range(a.ndim)}
    return a, x, depth, boundary


@settings(max_examples=60, deadline=None)
@given(case=overlapping())
def test_boundaries(case):
    a, x, depth, boundary = case
    same(boundaries(x, depth, boundary), padded(a, depth, boundary))


@settings(max_examples=60, deadline=None)
@given(case=overlapping())
def test_overlap_is_what_dask_makes(case):
    a, x, depth, boundary = case
    y = overlap(x, depth, boundary)
    theirs = dask.array.overlap.overlap(dask.array.from_array(a, chunks=x.chunks), depth, boundary)
    if all(min(sizes) >= depth[axis] for axis, sizes in enumerate(x.chunks)):
        assert y.chunks == theirs.chunks
        same(y, theirs.compute(scheduler="synchronous"))
    same(trim_overlap(y, depth, boundary), a)
    same(trim_internal(y, depth, boundary), a)


def neighbours(block, reach):
    """The sum of an element and of those around it, along each axis; ends are wrong."""
    result = block
    for axis in range(block.ndim):
        result = sum(np.roll(result, n, axis) for n in range(-reach, reach + 1))
    return result


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_map_overlap(data):
    a, x = data.draw(cut_arrays(min_dims=1, min_length=2, dtypes=("i8",)))
    reach = data.draw(st.integers(1, 2))
    kind = data.draw(st.sampled_from(["reflect", "periodic", "nearest", 3]))
    y = x.map_overlap(neighbours, depth=reach, boundary=kind, reach=reach)
    depth = dict.fromkeys(range(a.ndim), reach)
    whole = neighbours(padded(a, depth, dict.fromkeys(range(a.ndim), kind)), reach)
    same(y, whole[(slice(reach, -reach),) * a.ndim])


def test_asymmetric_depth():
    a = np.arange(12.0)
    x = da.from_array(a, chunks=4)
    y = x.map_overlap(lambda b: np.diff(b, prepend=b[:1]), depth={0: (1, 0)})
    same(y, np.diff(a, prepend=a[:1]))
    z = da.map_overlap(lambda b: np.diff(b, append=b[-1:]), x, depth={0: (0, 1)})
    same(z, np.diff(a, append=a[-1:]))
    with pytest.raises(NotImplementedError, match="symmetric"):
        x.map_overlap(lambda b: b, depth={0: (0, 2)}, boundary="reflect")


def test_several_arrays():
    a, b = np.arange(12.0), np.arange(36.0).reshape(3, 12)
    x, y = da.from_array(a, chunks=(5, 7)), da.from_array(b, chunks=(2, 4))
    z = da.map_overlap(lambda p, q: p + q, x, y, depth=[1, {1: 1}], boundary="nearest")
    same(z, a + b)
    sizes = da.map_overlap(
        lambda p, q: np.array([p.size + q.size]), x, x, depth=[0, 2], boundary=0,
        trim=False, chunks=(1,), dtype=int,
    )  # fmt: skip
    assert sizes.compute(scheduler="synchronous").tolist() == [5 + 9, 7 + 11]
    with pytest.raises(ValueError, match="align_arrays"):
        da.map_overlap(lambda p, q: p, x, x.rechunk(4), depth=1, align_arrays=False)


def test_axes_that_are_dropped_and_added():
    a = np.arange(24.0).reshape(4, 6)
    x = da.from_array(a, chunks=(2, 3))
    y = x.map_overlap(lambda b: b.mean(axis=0), depth={1: 1}, boundary=0, drop_axis=0, dtype=float)
    same(y, a.mean(axis=0))
    z = x.map_overlap(lambda b: b[None] * 2, depth=1, boundary="reflect", new_axis=0)
    same(z, a[None] * 2)


def test_without_depth_nothing_overlaps():
    x = da.arange(10, chunks=5)
    y = x.map_overlap(lambda b: b + 1, depth=0)
    assert len(y.dask) == 4
    same(y, np.arange(10) + 1)


def test_short_chunks():
    x = da.arange(11, chunks=5)
    y = x.map_overlap(lambda b: b, depth=2, boundary=0)
    assert min(y.chunks[0]) >= 2
    same(y, np.arange(11))
    with pytest.raises(ValueError, match="smallest chunk"):
        overlap(x, 2, "reflect", allow_rechunk=False)
    with pytest.raises(ValueError, match="larger than your array"):
        overlap(x, 12, "reflect")
    assert ensure_minimum_chunksize(10, (2, 20, 2, 20)) == (14, 10, 20)
    assert ensure_minimum_chunksize(3, (1, 1, 1, 1)) == (4,)


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8), least=st.integers(1, 6))
def test_minimum_chunks(sizes, least):
    if sum(sizes) < least:
        with pytest.raises(ValueError, match="larger than your array"):
            ensure_minimum_chunksize(least, sizes)
        return
    result = ensure_minimum_chunksize(least, sizes)
    assert sum(result) == sum(sizes) and min(result) >= least
    assert min(sizes) < least or result == tuple(sizes)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"depth": -1}, ValueError),
        ({"depth": (1, 1)}, ValueError),
        ({"depth": {3: 1}}, ValueError),
        ({"depth": 1, "boundary": "mirror"}, ValueError),
        ({"depth": [1, 1]}, ValueError),
    ],
)
def test_bad_arguments(arguments, error):
    with pytest.raises(error):
        da.map_overlap(lambda b: b, da.arange(6, chunks=3), **arguments)
    with pytest.raises(TypeError):
        da.map_overlap(lambda b: b, np.arange(3), depth=1)
    with pytest.raises(TypeError):
        da.map_overlap(3, da.arange(3), depth=1)


@pytest.mark.parametrize("kind", ["reflect", "periodic", "nearest", "none", 3])
def test_other_axes_of_unknown_length(kind):
    a = np.arange(24).reshape(6, 4)
    x = da.from_array(a, chunks=(2, 2))
    y = x[x[:, 0] > 5]
    same(y.map_overlap(lambda b: b * 2, depth={1: 1}, boundary={1: kind}), a[2:] * 2)


def test_former_order_of_arguments():
    x = da.ones(3)
    with pytest.warns(FutureWarning, match="deprecated"):
        y = da.map_overlap(x, lambda b: b * 2, 1, "reflect", True)
    same(y, np.full(3, 2.0))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_sliding_windows(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, dtypes=("i4",)))
    axes = data.draw(st.lists(st.integers(0, a.ndim - 1), min_size=1, max_size=2, unique=True))
    window = tuple(data.draw(st.integers(1, a.shape[axis])) for axis in axes)
    expected = np.lib.stride_tricks.sliding_window_view(a, window, axis=tuple(axes))
    same(sliding_window_view(x, window, tuple(axes)), expected)
    same(sliding_window_view(x, window, tuple(axes), automatic_rechunk=False), expected)


def test_chunks_with_windows_stay_small():
    x = da.ones((100, 100, 100), chunks=50)
    y = sliding_window_view(x, 25, axis=0)
    assert np.prod([max(sizes) for sizes in y.chunks]) <= 1.25**2 * 50**3
    with pytest.raises(ValueError, match="greater than zero"):
        sliding_window_view(x, 0, axis=0)
    with pytest.raises(ValueError, match="larger"):
        sliding_window_view(x, 101, axis=0)


def pushed(a, n):
    result = a.copy()
    for row in result.reshape(-1, result.shape[-1]):
        count = 0
        for i in range(1, len(row)):
            count = 0 if not np.isnan(row[i]) else count + 1
            if np.isnan(row[i]) and (n is None or count <= n):
                row[i] = row[i - 1]
    return result


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_push(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, dtypes=("f8",), nan=False))
    values = np.where(np.random.default_rng(data.draw(st.integers(0, 99))).random(a.shape) < 0.6,
                      np.nan, a)  # fmt: skip
    x = da.from_array(values, chunks=x.chunks)
    n = data.draw(st.sampled_from([None, 1, 2, 5]))
    same(push(x, n, axis=a.ndim - 1), pushed(values, n))
