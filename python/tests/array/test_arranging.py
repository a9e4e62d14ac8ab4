"""Joining, splitting, turning, repeating, inserting and deleting, against NumPy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import cut_arrays, same

FEW = settings(max_examples=25, deadline=None)


@FEW
@given(data=st.data())
def test_flips_and_turns(data):
    a, x = data.draw(cut_arrays(min_dims=2, max_dims=3))
    axis = data.draw(st.sampled_from([None, 0, -1, (0, 1)]))
    same(da.flip(x, axis), np.flip(a, axis))
    same(np.fliplr(x), np.fliplr(a))
    same(np.flipud(x), np.flipud(a))
    k = data.draw(st.integers(-5, 5))
    axes = data.draw(st.permutations(range(a.ndim)))[:2]
    same(da.rot90(x, k, axes), np.rot90(a, k, axes))


@FEW
@given(data=st.data())
def test_roll(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=3))
    shift = data.draw(st.integers(-15, 15))
    same(da.roll(x, shift), np.roll(a, shift))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    same(da.roll(x, shift, axis), np.roll(a, shift, axis))
    same(da.roll(x, (shift, 1), (axis, 0)), np.roll(a, (shift, 1), (axis, 0)))


@FEW
@given(data=st.data())
def test_axes_in_another_order(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=3))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    start = data.draw(st.integers(-a.ndim, a.ndim))
    same(da.rollaxis(x, axis, start), np.rollaxis(a, axis, start))
    order = data.draw(st.permutations(range(a.ndim)))
    same(da.permute_dims(x, tuple(order)), np.transpose(a, order))
    if a.ndim > 1:
        same(da.matrix_transpose(x), np.swapaxes(a, -1, -2))


@FEW
@given(data=st.data())
def test_tile_and_repeat(data):
    a, x = data.draw(cut_arrays(min_dims=0, max_dims=2))
    reps = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    same(da.tile(x, reps), np.tile(a, reps))
    if not a.ndim:
        return
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    count = data.draw(st.integers(0, 4))
    same(da.repeat(x, count, axis), np.repeat(a, count, axis))
    counts = data.draw(st.lists(st.integers(0, 3), min_size=a.shape[axis], max_size=a.shape[axis]))
    same(x.repeat(counts, axis=axis), a.repeat(np.array(counts, dtype=int), axis=axis))


@FEW
@given(data=st.data())
def test_resize(data):
    a, x = data.draw(cut_arrays(max_dims=2))
    shape = tuple(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3)))
    same(da.resize(x, shape), np.resize(a, shape))


def test_repeat_does_not_make_long_blocks():
    x = da.ones(100, chunks=10)
    assert max(x.repeat(50).chunks[0]) <= 50
    with pytest.raises(ValueError, match="negative"):
        x.repeat(-1)
    with pytest.raises(NotImplementedError, match="axis"):
        da.ones((2, 2)).repeat(2)


@FEW
@given(data=st.data())
def test_stacks(data):
    a, x = data.draw(cut_arrays(max_dims=3))
    b, y = data.draw(cut_arrays(shape=a.shape))
    for name in ("vstack", "hstack", "dstack", "column_stack"):
        same(getattr(da, name)([x, y]), getattr(np, name)([a, b]))
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        same(getattr(da, name)(x), getattr(np, name)(a))
        for got, expected in zip(getattr(da, name)(x, 3), getattr(np, name)(a, 3)):
            same(got, expected)
    same(da.append(x, y), np.append(a, b))
    if a.ndim:
        axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
        same(da.append(x, y, axis=axis), np.append(a, b, axis=axis))


def test_stacks_want_a_sequence():
    for function in (da.vstack, da.hstack, da.dstack, da.column_stack):
        with pytest.raises(NotImplementedError, match="sequence"):
            function(da.ones((2, 2)))


@FEW
@given(data=st.data())
def test_splits(data):
    a, x = data.draw(cut_arrays(min_dims=3, max_dims=3))
    axis = data.draw(st.integers(-3, 2))
    where = data.draw(st.one_of(st.integers(1, 5), st.lists(st.integers(-2, 8), max_size=3)))
    got, expected = da.array_split(x, where, axis), np.array_split(a, where, axis)
    assert len(got) == len(expected)
    for one, other in zip(got, expected):
        same(one, other)
    for name in ("hsplit", "vsplit", "dsplit"):
        for one, other in zip(getattr(da, name)(x, [1]), getattr(np, name)(a, [1])):
            same(one, other)
    for one, other in zip(da.unstack(x, axis=axis), np.moveaxis(a, axis, 0)):
        same(one, other)


def test_split_needs_equal_parts():
    with pytest.raises(ValueError, match="equal division"):
        da.split(da.ones(5), 2)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_insert(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, nan=False))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    length = a.shape[axis]
    where = sorted(data.draw(st.lists(st.integers(0, length), max_size=5)))
    same(da.insert(x, where, 1, axis), np.insert(a, np.array(where, dtype=int), 1, axis))
    one = data.draw(st.integers(-length, length))
    same(da.insert(x, one, 0, axis), np.insert(a, one, 0, axis))
    same(da.insert(x, slice(0, 3), 1, axis), np.insert(a, slice(0, 3), 1, axis))
    shape = tuple(n for m, n in enumerate(a.shape) if m != axis % a.ndim)
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(a.dtype)
    same(da.insert(x, one, values, axis), np.insert(a, one, values, axis))
    flat = data.draw(st.integers(0, a.size))
    same(da.insert(x, flat, 1), np.insert(a, flat, 1))


def test_insert_of_several_rows():
    a, b = np.arange(12).reshape(4, 3), np.arange(6).reshape(2, 3) * 10
    x, y = da.from_array(a, chunks=2), da.from_array(b, chunks=1)
    same(da.insert(x, [1, 4], y, 0), np.insert(a, [1, 4], b, 0))
    same(da.insert(x, 2, y, 0), np.insert(a, 2, b, 0))
    with pytest.raises(NotImplementedError, match="ascending"):
        da.insert(x, [3, 1], 0, axis=0)
    with pytest.raises(IndexError, match="out of bounds"):
        da.insert(x, 5, 0, axis=0)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_delete(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    length = a.shape[axis]
    where = data.draw(st.lists(st.integers(-length, length - 1), max_size=5)) if length else []
    same(da.delete(x, where, axis), np.delete(a, np.array(where, dtype=int), axis))
    step = data.draw(st.sampled_from([-2, -1, 1, 2]))
    part = slice(data.draw(st.integers(-7, 7)), None, step)
    same(da.delete(x, part, axis), np.delete(a, part, axis))
    mask = np.arange(length) % 2 == 0
    same(da.delete(x, mask, axis), np.delete(a, mask, axis))
    with pytest.raises(IndexError, match="out of bounds"):
        da.delete(x, [length], axis)


def test_delete_of_many_pieces_keeps_the_graph_small():
    x = da.arange(1000, chunks=100)
    fewer = da.delete(x, np.arange(0, 1000, 2))
    same(fewer, np.arange(1, 1000, 2))
    assert fewer.npartitions <= 10


@FEW
@given(data=st.data())
def test_trim_zeros(data):
    a = np.array(data.draw(st.lists(st.integers(0, 1), max_size=12)), dtype=int)
    x = da.from_array(a, chunks=3)
    for trim in ("fb", "f", "b"):
        same(da.trim_zeros(x, trim), np.trim_zeros(a, trim))


def test_methods():
    a = np.array([[3, 0, 1], [0, 5, 2]])
    x = da.from_array(a, chunks=2)
    same(x.diagonal(), a.diagonal())
    same(x.take([2, 0], axis=1), a.take([2, 0], axis=1))
    same(x.take([5, 0]), a.take([5, 0]))
    same(x.compress([True, False, True], axis=1), a.compress([True, False, True], axis=1))
    same(da.arange(5, chunks=2).searchsorted([1, 7]), np.arange(5).searchsorted([1, 7]))
    for got, expected in zip(x.nonzero(), a.nonzero()):
        same(got, expected)
    assert x.tolist() == a.tolist()
    assert x.item(1, 1) == x.item(4) == x[1, 1].item() == 5
    assert type(x.item(4)) is int
    with pytest.raises(ValueError, match="size 1"):
        x.item()
    y = x.copy()
    y.fill(7)
    same(y, np.full_like(a, 7))
    same(x, a)
