"""Reshaping beyond the values: which chunks come out, and how large those in between are."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da
from samite.array.reshape import (
    contract_tuple,
    expand_tuple,
    reshape_blockwise,
    reshape_rechunk,
)

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same


@st.composite
def shape_pairs(draw, most=4):
    """Two shapes of as many elements, of which one has axes that the other has joined."""
    factors = draw(st.lists(st.integers(1, most), min_size=1, max_size=5))
    joined, rest = [], list(factors)
    while rest:
        n = draw(st.integers(1, len(rest)))
        joined.append(math.prod(rest[:n]))
        rest = rest[n:]
    pair = (tuple(factors), tuple(joined))
    return pair if draw(st.booleans()) else pair[::-1]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_values_and_chunks(data):
    old, new = data.draw(shape_pairs())
    a, x = data.draw(cut_arrays(shape=old, dtypes=("i4",)))
    merge = data.draw(st.booleans())
    y = x.reshape(new, merge_chunks=merge)
    same(y, a.reshape(new))
    if all(n > 1 for n in (*old, *new)):
        theirs = dask.array.from_array(a, chunks=x.chunks).reshape(new, merge_chunks=merge)
        assert y.npartitions >= 0.5 * theirs.npartitions


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_cuts(data):
    old, new = data.draw(shape_pairs(most=9))
    chunks = tuple(data.draw(chunk_lengths(n)) for n in old)
    cut, result, _, _ = reshape_rechunk(old, new, chunks)
    assert tuple(map(sum, cut)) == old and tuple(map(sum, result)) == new
    assert math.prod(map(len, cut)) == math.prod(map(len, result))
    # Chunks do not get much larger than they were.
    before = math.prod(map(max, chunks))
    assert math.prod(map(max, result)) <= 3 * before


def test_merge_chunks():
    a = np.arange(24).reshape(2, 3, 4)
    x = da.from_array(a, chunks=((2,), (1, 2), (2, 2)))
    y = x.reshape(6, 4, merge_chunks=False)
    assert y.chunks == ((1, 2, 1, 2), (2, 2))
    same(y, a.reshape(6, 4))
    assert x.reshape(6, 4).chunks != y.chunks
    assert x.reshape(6, 4, limit=1).chunks == y.chunks
    assert x.reshape(6, 4, limit="1MiB").chunks == x.reshape(6, 4).chunks


def test_shapes_that_join_and_divide_at_once():
    a = np.arange(24 * 5).reshape(4, 6, 5)
    x = da.from_array(a, chunks=(2, 3, 5))
    for shape in [(8, 3, 5), (6, 4, 5), (3, 8, 5), (24, 5), (2, 2, 6, 5), (5, 4, 6)]:
        same(x.reshape(shape), a.reshape(shape))


def test_a_chunk_alone_is_not_cut():
    x = da.ones((4, 6), chunks=-1)
    assert x.reshape(3, 8).npartitions == 1
    assert x.reshape((4, 6)) is x


@pytest.mark.parametrize("shape", [(25,), (-1, -1), (-1, 7), (2, -3, -4), (0,), (-1, 0)])
def test_errors(shape):
    with pytest.raises(ValueError, match=r"reshape|unknown|unchanged|negative"):
        da.ones((4, 6), chunks=2).reshape(shape)


def test_unknown_lengths():
    a = np.arange(60).reshape(5, 3, 4)
    x = da.from_array(a, chunks=(2, 3, 2))
    y, expected = x[x[:, 0, 0] > 20], a[2:]
    same(y.reshape(-1), expected.reshape(-1))
    same(y.ravel(), expected.ravel())
    same(y.reshape(-1, 12), expected.reshape(-1, 12))
    same(y.reshape(-1, 3, 2, 2), expected.reshape(-1, 3, 2, 2))
    assert y.reshape((-1, 3, 4)) is y
    for shape in [(3, 12), (2, -1), (-1, 6)]:
        with pytest.raises(ValueError, match="unknown"):
            y.reshape(shape)


def test_blockwise():
    a = np.arange(54).reshape(6, 3, 3)
    x = da.from_array(a, chunks=(3, 2, (2, 1)))
    y = reshape_blockwise(x, (18, 3))
    assert y.chunks == ((6, 3, 6, 3), (2, 1))
    theirs = dask.array.reshape_blockwise(dask.array.from_array(a, chunks=x.chunks), (18, 3))
    same(y, theirs.compute(scheduler="synchronous"))
    same(reshape_blockwise(y, (6, 3, 3), chunks=x.chunks), a)
    assert reshape_blockwise(x, (6, 3, 3)) is x
    with pytest.raises(TypeError, match="specify chunks"):
        reshape_blockwise(x, (2, 3, 3, 3))
    with pytest.raises(NotImplementedError, match="expanding"):
        reshape_blockwise(x, (3, 2, 9))
    with pytest.raises(ValueError, match="not allowed"):
        reshape_blockwise(x, (18, 3), chunks=x.chunks)
    with pytest.raises(ValueError, match="do not match"):
        reshape_blockwise(y, (6, 3, 3), chunks=((3, 4), (3, 1), (3, 1)))
    with pytest.raises(ValueError, match="unchanged"):
        reshape_blockwise(x, (18, 4))
    with pytest.raises(ValueError, match="unknown"):
        reshape_blockwise(x[x[:, 0, 0] > 3], (18, 3))


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6), factor=st.integers(1, 6))
def test_expanding_and_contracting(sizes, factor):
    expanded = expand_tuple(sizes, factor)
    assert sum(expanded) == sum(sizes) and min(expanded) > 0
    whole = [*sizes, -sum(sizes) % factor]
    contracted = contract_tuple(whole, factor)
    assert sum(contracted) == sum(whole) and all(n % factor == 0 for n in contracted)
