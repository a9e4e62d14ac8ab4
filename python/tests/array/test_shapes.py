"""Indexing, shapes, chunks, joining and products against NumPy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same


@st.composite
def indices(draw, shape):
    """An index of integers, slices, new axes and at most one list or mask."""
    parts, listed = [], False
    for length in shape[: draw(st.integers(0, len(shape)))]:
        kinds = ["slice", "slice", "int", "none"] + ([] if listed else ["list", "mask"])
        kind = draw(st.sampled_from(kinds))
        if kind == "none":
            parts.append(None)
            kind = "slice"
        if kind == "int" and length:
            parts.append(draw(st.integers(-length, length - 1)))
        elif kind == "list" and length:
            listed = True
            parts.append(draw(st.lists(st.integers(-length, length - 1), max_size=8)))
        elif kind == "mask":
            listed = True
            parts.append(
                np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length)), bool)
            )
        else:
            bound = st.one_of(st.none(), st.integers(-8, 8))
            step = draw(st.sampled_from([None, 1, 2, 3, -1, -2]))
            parts.append(slice(draw(bound), draw(bound), step))
    # A list beside an integer or a new axis moves axes in NumPy: not what is tested here.
    if listed:
        parts = [
            slice(p, p + 1 or None) if isinstance(p, int) else p for p in parts if p is not None
        ]
    return tuple(parts)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_getitem(data):
    a, x = data.draw(cut_arrays(dtypes=("i4",)))
    index = data.draw(indices(a.shape))
    same(x[index], a[index])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_masks(data):
    a, x = data.draw(cut_arrays(min_dims=1, dtypes=("i4",)))
    same(x[a > 0], a[a > 0])
    same(x[x > 0], a[a > 0])
    row = np.arange(a.shape[0]) % 2 == 0
    same(x[da.from_array(row, chunks=2)], a[row])


def test_index_errors():
    x = da.ones((3, 4), chunks=2)
    for index in (3, -4, (0, 0, 0), (..., ...), [5], np.ones(4, bool), 1.5):
        with pytest.raises(IndexError):
            x[index]
    with pytest.raises(ValueError, match="unknown"):
        x[x > 0][:1]


def test_equal_indices_give_equal_names():
    x = da.ones((6, 4), chunks=2)
    assert x[:] is x and x[0:6, ::1] is x and x[...] is x
    assert x[-2:, 1].name == x[4:6, -3].name == x[4:99, 1].name
    assert x[::-1].name == x[5::-1].name != x[5:0:-1].name


def test_fields():
    a = np.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,))])
    x = da.from_array(a, chunks=2)
    same(x["a"], a["a"])
    same(x["b"], a["b"])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_rechunk(data):
    a, x = data.draw(cut_arrays(dtypes=("i4",)))
    chunks = tuple(data.draw(chunk_lengths(n)) for n in a.shape)
    y = x.rechunk(chunks)
    assert y.chunks == chunks
    same(y, a)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_reshape(data):
    factors = data.draw(st.lists(st.integers(1, 4), max_size=5))

    def grouped():
        shape, rest = [], list(factors)
        while rest:
            n = data.draw(st.integers(1, len(rest)))
            shape.append(int(np.prod(rest[:n])))
            rest = rest[n:]
        return tuple(shape)

    a, x = data.draw(cut_arrays(shape=grouped(), dtypes=("i4",)))
    shape = grouped() if data.draw(st.booleans()) else tuple(reversed(grouped()))
    same(x.reshape(shape), a.reshape(shape))
    same(x.ravel(), a.ravel())


def test_reshape_keeps_chunks_where_it_can():
    x = da.ones((4, 6, 5), chunks=(1, 2, 5))
    assert x.reshape(4, 30).chunks == ((1,) * 4, (10, 10, 10))
    assert x.reshape(24, 5).npartitions == 12
    assert x.reshape(4, 6, 5, 1).chunks == (*x.chunks, (1,))
    same(da.ones((0, 3), chunks=1).reshape(3, 0), np.ones((3, 0)))
    with pytest.raises(ValueError, match="unchanged|reshape"):
        x.reshape(7)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_axes(data):
    a, x = data.draw(cut_arrays(dtypes=("i4",)))
    order = data.draw(st.permutations(range(a.ndim)))
    same(x.transpose(*order), a.transpose(*order))
    same(x.T, a.T)
    same(da.squeeze(x), np.squeeze(a))
    axis = data.draw(st.integers(-a.ndim - 1, a.ndim))
    same(da.expand_dims(x, axis), np.expand_dims(a, axis))
    if a.ndim > 1:
        same(x.swapaxes(0, -1), a.swapaxes(0, -1))
        same(da.moveaxis(x, 0, -1), np.moveaxis(a, 0, -1))
        same(da.moveaxis(x, range(1), range(-1, 0)), np.moveaxis(a, range(1), range(-1, 0)))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_concatenate_and_stack(data):
    a, x = data.draw(cut_arrays(min_dims=1))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    shape = list(a.shape)
    b, y = data.draw(cut_arrays(shape=tuple(shape)))
    shape[axis] = data.draw(st.integers(0, 4))
    c, z = data.draw(cut_arrays(shape=tuple(shape)))
    same(da.concatenate([x, z, y], axis=axis), np.concatenate([a, c, b], axis=axis))
    same(da.concatenate([x, z], axis=None), np.concatenate([a, c], axis=None))
    same(da.stack([x, y], axis=axis), np.stack([a, b], axis=axis))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_matmul_and_dot(data):
    i, j, k, n = (data.draw(st.integers(1, 5)) for _ in range(4))
    dtypes = ("i1", "f8", "?", "c8")
    left = data.draw(st.sampled_from([(j,), (i, j), (n, i, j)]))
    right = data.draw(st.sampled_from([(j,), (j, k), (n, j, k), (1, j, k)]))
    a, x = data.draw(cut_arrays(shape=left, dtypes=dtypes, nan=False))
    b, y = data.draw(cut_arrays(shape=right, dtypes=dtypes, nan=False))
    same(x @ y, a @ b)
    same(da.dot(x, y), np.dot(a, b))
    if x.ndim == 2 and y.ndim == 2:
        same(da.tensordot(x, y, axes=1), np.tensordot(a, b, axes=1))
        same(da.tensordot(x, y, axes=0), np.tensordot(a, b, axes=0))


def test_products_and_indices_on(scheduler):
    a = np.arange(24.0).reshape(4, 6)
    x = da.from_array(a, chunks=(3, 2))
    same((x @ x.T)[::-1, [2, 0]], (a @ a.T)[::-1, [2, 0]], scheduler)
    same(x.rechunk((1, 6)).reshape(3, 8)[1:], a.reshape(3, 8)[1:], scheduler)
    same(da.concatenate([x, x])[x[:, 0].argmax().compute()], np.concatenate([a, a])[3], scheduler)


def test_blocks():
    a = np.arange(24).reshape(4, 6)
    x = da.from_array(a, chunks=(2, 2))
    same(x.blocks[0, 1:], a[:2, 2:])
    same(x.blocks[1], a[2:])
    same(x.partitions[:, [2, 0]], a[:, [4, 5, 0, 1]])
    assert x.blocks.shape == (2, 3) and len(x.blocks.ravel()) == 6
