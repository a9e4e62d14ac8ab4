"""How arrays are cut anew: the values, the steps, and the size of what is in between."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
from samite.array.rechunk import (
    divide_to_width,
    intersect_chunks,
    merge_to_number,
    old_to_new,
    plan_rechunk,
)

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same


@st.composite
def sizes_with_empty_blocks(draw, length):
    sizes = list(draw(chunk_lengths(length)))
    for at in draw(st.lists(st.integers(0, len(sizes)), max_size=2)):
        sizes.insert(at, 0)
    return tuple(sizes)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_empty_blocks(data):
    a, x = data.draw(cut_arrays(dtypes=("i4",)))
    first = tuple(data.draw(sizes_with_empty_blocks(n)) for n in a.shape)
    second = tuple(data.draw(sizes_with_empty_blocks(n)) for n in a.shape)
    y = x.rechunk(first)
    assert y.chunks == first
    same(y, a)
    same(y.rechunk(second), a)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_small_limits_give_steps(data):
    a, x = data.draw(cut_arrays(min_dims=2, min_length=1, dtypes=("i4",)))
    chunks = tuple(data.draw(chunk_lengths(n)) for n in a.shape)
    same(x.rechunk(chunks, threshold=1, block_size_limit=8), a)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_plans(data):
    ndim = data.draw(st.integers(1, 3))
    shape = data.draw(st.lists(st.integers(1, 60), min_size=ndim, max_size=ndim))

    def cut():
        width = [data.draw(st.integers(1, n)) for n in shape]
        return tuple(da.normalize_chunks((w,), (n,))[0] for w, n in zip(width, shape))

    old, new = cut(), cut()
    limit = data.draw(st.integers(1, 4000))
    steps = plan_rechunk(old, new, itemsize=1, block_size_limit=limit, threshold=2)
    assert steps[-1] == new
    largest = max(limit, *(math.prod(map(max, chunks)) for chunks in (old, new)))
    for step in steps:
        assert tuple(map(sum, step)) == tuple(shape)
        assert math.prod(map(max, step)) <= largest


def test_rows_into_columns_take_few_tasks():
    x = da.ones((10_000, 10_000), chunks=(10, 10_000))
    y = x.rechunk((10_000, 10), block_size_limit="32MiB")
    # In one step it would be a million.
    assert len(y.dask) < 100_000
    same(da.ones((100, 100), chunks=(1, 100)).rechunk((100, 1)), np.ones((100, 100)))


def test_whole_blocks_are_not_cut():
    y = da.ones(16, chunks=2, dtype=object).rechunk(8)
    assert len(y.dask) == 8 + 2
    z = da.ones(16, chunks=8, dtype=object).rechunk((8, 4, 4))
    assert len(z.dask) == 2 + 3


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ({0: 12}, ((12, 12), (8, 8, 8))),
        ({-1: None, 0: -1}, ((24,), (8, 8, 8))),
        ((None, 12), ((4,) * 6, (12, 12))),
        (((12, 12), None), ((12, 12), (8, 8, 8))),
        (12, ((12, 12), (12, 12))),
        (-1, ((24,), (24,))),
        ({}, ((4,) * 6, (8, 8, 8))),
        ("auto", ((24,), (24,))),
    ],
)
def test_ways_to_say_it(chunks, expected):
    x = da.ones((24, 24), chunks=(4, 8))
    assert x.rechunk(chunks).chunks == expected
    assert dask.array.ones((24, 24), chunks=(4, 8)).rechunk(chunks).chunks == expected


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_automatic_chunks_are_below_the_limit(data):
    shape = data.draw(st.lists(st.integers(1, 200), min_size=1, max_size=3))
    width = [data.draw(st.integers(1, n)) for n in shape]
    before = da.normalize_chunks(tuple(width), shape)
    limit = data.draw(st.integers(16, 4000))
    after = da.normalize_chunks("auto", shape, limit=limit, dtype="i1", previous_chunks=before)
    size = math.prod(map(max, after))
    assert size <= limit or (after == before and size <= 1.25 * limit)


@pytest.mark.filterwarnings("ignore:.*balanc:UserWarning")
@pytest.mark.parametrize("length", [7, 13, 100, 220, 997])
@pytest.mark.parametrize("size", [3, 4, 12, 100])
def test_balance(length, size):
    def chunks_of(module):
        return module.ones(length, chunks=-1).rechunk(size, balance=True).chunks

    assert chunks_of(da) == chunks_of(dask.array)


def test_balance_that_is_not_possible():
    with pytest.warns(UserWarning, match="Try increasing the chunk size"):
        y = da.ones(100).rechunk(9, balance=True)
    assert y.chunks == ((9,) * 11 + (1,),)


def test_unknown_lengths():
    a = np.arange(24).reshape(6, 4)
    x = da.from_array(a, chunks=(2, 2))
    y = x[x[:, 0] > 3]
    same(y.rechunk({1: 4}), a[1:])
    same(y.rechunk((None, 1)), a[1:])
    same(y.rechunk(((np.nan,) * 3, (1, 3))), a[1:])
    assert y.rechunk(((np.nan,) * 3, (2, 2))) is y
    for chunks in ({0: 2}, ((np.nan,) * 2, 4), ((2, 2, 1), 4)):
        with pytest.raises(ValueError, match="unchanging|unknown"):
            y.rechunk(chunks)


def test_errors():
    x = da.ones((4, 6), chunks=2)
    with pytest.raises(TypeError, match="rows"):
        x.rechunk({"rows": 2})
    with pytest.raises(ValueError, match="2"):
        x.rechunk({2: 2})
    with pytest.raises(ValueError, match="consistent|add up"):
        x.rechunk(((2, 2), (5,)))
    with pytest.raises(ValueError, match="consistent"):
        x.rechunk(())
    with pytest.raises(NotImplementedError, match="teleport"):
        x.rechunk(3, method="teleport")


def test_methods():
    x = da.ones((4, 6), chunks=2)
    assert x.rechunk(3, method="p2p").name == x.rechunk(3, method="tasks").name
    with samite.config.set({"array.rechunk.method": "tasks"}):
        assert x.rechunk(3).name == x.rechunk(3, method="tasks").name


def test_dividing_and_merging():
    assert divide_to_width((8, 2, 9, 10), 4) == (4, 4, 2, 3, 3, 3, 3, 3, 4)
    assert merge_to_number((10,) * 10, 3) == (40, 30, 30)
    assert merge_to_number((1, 1, 1, 1, 3, 1, 1), 3) == (4, 3, 2)


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20), count=st.integers(1, 20))
def test_merging(sizes, count):
    merged = merge_to_number(sizes, count)
    assert sum(merged) == sum(sizes) and len(merged) == min(count, len(sizes))
    edges = set(np.cumsum(sizes).tolist())
    assert set(np.cumsum(merged).tolist()) <= edges
    width = count
    divided = divide_to_width(sizes, width)
    assert sum(divided) == sum(sizes) and max(divided) <= width


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_pieces(data):
    length = data.draw(st.integers(0, 12))
    old, new = (data.draw(sizes_with_empty_blocks(length)) for _ in range(2))
    (pieces,) = old_to_new((old,), (new,))
    edges = np.cumsum((0, *old))
    values = np.arange(length)
    parts = [
        np.concatenate([values[edges[b] : edges[b + 1]][cut] for b, cut in along])
        for along in pieces
    ]
    assert tuple(map(len, parts)) == new
    np.testing.assert_array_equal(np.concatenate(parts), values)
    assert list(intersect_chunks((old,), (new,))) == [
        tuple((piece,) for piece in along) for along in pieces
    ]


def test_a_length_for_each_axis_of_a_shape_is_for_the_first():
    # Libraries pass shapes of features for targets that have one axis less.
    x = da.ones(10, chunks=5)
    for chunks in [(None, 10), (5, 2, 1), [5, 2]]:
        assert x.rechunk(chunks).chunks == ((5, 5),)
    assert x.rechunk((5, 3, 2)).chunks == ((5, 3, 2),)
