"""Lists of positions, lazy indices, points, masks, and the functions that pick elements."""

from __future__ import annotations

import sys
from pathlib import Path

import dask
import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da
from samite.array.slicing import SlicingNoop, new_blockdim, normalize_index, slice_array

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same


@st.composite
def positions(draw, length, max_size=12):
    if not length:
        return np.zeros(0, dtype=int)
    return np.array(draw(st.lists(st.integers(-length, length - 1), max_size=max_size)), dtype=int)


def lazy(draw, values):
    return da.from_array(values, chunks=tuple(draw(chunk_lengths(n)) for n in values.shape))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_lists(data):
    a, x = data.draw(cut_arrays(min_dims=1, dtypes=("i4",)))
    axis = data.draw(st.integers(0, a.ndim - 1))
    index = data.draw(positions(a.shape[axis]))
    head = (slice(None),) * axis
    same(x[(*head, index)], a[(*head, index)])
    same(x[(*head, index.tolist())], a[(*head, index)])
    same(da.take(x, index, axis=axis), np.take(a, index, axis=axis))
    same(x[(*head, data.draw(st.just(lazy(data.draw, index))))], a[(*head, index)])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_lists_are_cut_like_dask_does(data):
    sizes = data.draw(chunk_lengths(data.draw(st.integers(1, 12))))
    index = data.draw(positions(sum(sizes), max_size=40))
    y = da.ones(sum(sizes), chunks=(sizes,))[index]
    assert y.chunks == dask.array.ones(sum(sizes), chunks=(sizes,))[index].chunks


def test_lists_of_several_dimensions_and_of_none():
    a = np.arange(24).reshape(6, 4)
    x = da.from_array(a, chunks=(4, 3))
    index = np.array([[5, 0, 1], [2, -1, 2]])
    same(x[index], a[index])
    same(x[:, index % 4], a[:, index % 4])
    same(x[da.from_array(index, chunks=1)], a[index])
    same(x[da.from_array(np.array(3), chunks=())], a[3])
    same(x[:, np.array(1)], a[:, 1])
    same(x[True], a[True])
    same(x[False], a[False])


def test_tasks_of_a_permutation_hold_parts_of_chunks():
    x = da.arange(1000, chunks=100)
    index = np.random.default_rng(0).permutation(1000)
    y = x[index]
    same(y, index)
    assert y.chunks == x.chunks
    # Each chunk gives each group one piece, and the indices are tasks as well.
    assert len(y.dask) <= 10 + 2 * 100 + 2 * 10
    rows = da.ones((1000, 40), chunks=(100, 10))[index]
    assert len(rows.dask) < 40 + 400 + 40 + 150


def test_groups_that_grow_shrink_the_other_axes():
    x = da.ones((4, 1000), chunks=(1, 1000))
    y = x.shuffle([[0, 1, 2, 3] * 5], axis=0)
    assert y.shape == (20, 1000)
    assert max(y.chunks[0]) * max(y.chunks[1]) <= 1000
    same(y, np.ones((20, 1000)))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_shuffle(data):
    a, x = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("i4",)))
    axis = data.draw(st.integers(0, a.ndim - 1))
    groups = [data.draw(positions(a.shape[axis], 4)).tolist() for _ in range(3)]
    flat = [i for group in groups for i in group]
    y = da.shuffle(x, groups, axis)
    same(y, np.take(a, np.array(flat, int), axis=axis))
    assert len(y.chunks[axis]) <= max(1, len(groups))


def test_shuffle_errors():
    x = da.ones((4, 4), chunks=2)
    with pytest.raises(ValueError, match="list of lists"):
        x.shuffle([1, 2], axis=0)
    with pytest.raises(IndexError, match="out of bounds"):
        x.shuffle([[4]], axis=0)
    with pytest.raises(ValueError, match="out of bounds"):
        x.shuffle([[0]], axis=2)
    with pytest.raises(ValueError, match="known chunk sizes"):
        x[x[:, 0] > 0].shuffle([[0]], axis=0)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_points(data):
    a, x = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("i4",)))
    axes = sorted(data.draw(st.sets(st.integers(0, a.ndim - 1), min_size=1)))
    shape = tuple(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=2)))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    key = [slice(None)] * a.ndim
    for axis in axes:
        key[axis] = random.integers(-a.shape[axis], a.shape[axis], shape)
    others = [axis for axis in range(a.ndim) if axis not in axes]
    expected = a.transpose(axes + others)[tuple(key[axis] for axis in axes)]
    same(x.vindex[tuple(key)], expected)


def test_points_are_broadcast_and_slices_come_last():
    a = np.arange(60).reshape(3, 4, 5)
    x = da.from_array(a, chunks=2)
    same(x.vindex[0, [1, 2]], a[0, [1, 2]])
    same(x.vindex[[0, 2], 1:, [1, 4]], a[[0, 2], 1:, [1, 4]])
    same(x.vindex[[[0], [2]], [1, 3]], a[[[0], [2]], [1, 3]])
    same(x.vindex[:, ::-1, [0, 4]], np.moveaxis(a[:, ::-1, [0, 4]], 2, 0))
    assert x.vindex[:, :4] is x
    flat = da.arange(5, chunks=5)
    same(flat.vindex[da.from_array(np.array([[1, 2], [3, 4]]), chunks=1)], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "key",
    [None, ([1, 2], [1, 2, 3]), [True] * 5, ([0], [5]), ([0], [-6]), ([0], da.zeros(1, "i8")),
     slice(1, None), (0, 0, 0, 0), [0.5]],
)  # fmt: skip
def test_point_errors(key):
    x = da.ones((5, 5, 5), chunks=3)
    with pytest.raises(IndexError):
        x.vindex[key]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_wide_masks(data):
    a, x = data.draw(cut_arrays(min_dims=2, dtypes=("i4",)))
    mask = a > 0
    same(x[mask], a[mask])
    same(x[lazy(data.draw, mask)], a[mask])
    front = mask[..., 0] if a.shape[-1] else np.zeros(a.shape[:-1], bool)
    same(x[front], a[front])
    same(x[lazy(data.draw, front)], a[front])


def test_masks_of_unknown_chunks():
    a = np.arange(20).reshape(10, 2)
    x = da.from_array(a, chunks=(3, 2))
    y = x[x[:, 0] > 4]
    with pytest.warns(UserWarning, match="different ordering"):
        z = y[y > 10]
    same(z, a[a[:, 0] > 4][a[a[:, 0] > 4] > 10])
    same(y[y[:, 1] > 9], a[(a[:, 0] > 4) & (a[:, 1] > 9)])
    one = da.from_array(a, chunks=(10, 2))
    same(one[one[:, 0] > 4][[0, -1]], a[a[:, 0] > 4][[0, -1]])
    with pytest.raises(ValueError, match="unknown"):
        y[[0, 1]]
    with pytest.raises(ValueError, match="unknown"):
        y[da.from_array(np.array([0, 1]), chunks=1)]


def test_lazy_positions_are_not_computed_for_the_graph():
    computed = []

    def values():
        computed.append(True)
        return np.array([2, 0])

    index = da.from_delayed(samite.delayed(values)(), (2,), dtype="i8")
    y = da.arange(4, chunks=2)[index]
    assert not computed and y.chunks == ((2,),)
    same(y, [2, 0])
    far = da.arange(4, chunks=2)[da.from_array(np.array([4]), chunks=1)]
    with pytest.raises(IndexError, match="out of bounds"):
        far.compute(scheduler="synchronous")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_compress_and_extract(data):
    a, x = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("i4", "f8")))
    axis = data.draw(st.integers(0, a.ndim - 1))
    condition = np.array(
        data.draw(st.lists(st.booleans(), min_size=1, max_size=a.shape[axis])), dtype=bool
    )
    same(da.compress(condition, x, axis=axis), np.compress(condition, a, axis=axis))
    same(da.compress(lazy(data.draw, condition), x, axis=axis),
         np.compress(condition, a, axis=axis))  # fmt: skip
    flat = condition[: a.size]
    same(da.compress(flat.tolist(), x), np.compress(flat, a))
    same(da.extract(a > 0, x), np.extract(a > 0, a))
    same(da.extract(x > 0, x), np.extract(a > 0, a))


def test_compress_errors():
    x = da.ones((3, 2), chunks=2)
    with pytest.raises(ValueError, match="one dimension"):
        da.compress([[True], [False]], x, axis=0)
    with pytest.raises(ValueError, match="out of bounds"):
        da.compress([True], x, axis=5)
    with pytest.raises(IndexError, match="beyond"):
        da.compress([False] * 3 + [True], x, axis=0)


def test_take_by_numpy():
    a = np.arange(12).reshape(3, 4)
    x = da.from_array(a, chunks=2)
    same(np.take(x, [7, 0]), np.take(a, [7, 0]))
    same(np.take(x, [2, 0], axis=1), np.take(a, [2, 0], axis=1))
    same(np.take(x, [2, 0], 1), np.take(a, [2, 0], 1))
    same(da.take(x, [2, 0]), a[[2, 0]])
    same(da.take(x, 2, axis=1), a[:, 2])
    same(np.compress([True, False, True], x), np.compress([True, False, True], a))
    same(np.lib.stride_tricks.sliding_window_view(x, 2, axis=0),
         np.lib.stride_tricks.sliding_window_view(a, 2, axis=0))  # fmt: skip


def test_choose():
    a = np.arange(12).reshape(3, 4)
    x = da.from_array(a, chunks=2)
    same(da.choose(x > 5, [-x, x]), np.choose(a > 5, [-a, a]))
    same((x % 3).choose([0, 10, x]), (a % 3).choose([0, 10, a]))


@pytest.mark.parametrize("index", [slice(13, None, 2), slice(None, 2, -3), 7, slice(5, 5)])
def test_slices_of_names(index):
    sizes = (5, 1, 10, 4)
    a = np.arange(20)
    edges = np.cumsum((0, *sizes))
    source = {("x", i): a[start:stop] for i, (start, stop) in enumerate(zip(edges, edges[1:]))}
    layer, chunks = slice_array("y", "x", [sizes], [index])
    keys = [("y", i) for i in range(len(chunks[0]))] if chunks else [("y",)]
    blocks = samite.get({**source, **layer}, keys)
    np.testing.assert_array_equal(np.hstack([np.atleast_1d(b) for b in blocks]),
                                  np.atleast_1d(a[index]))  # fmt: skip
    assert not chunks or tuple(map(len, blocks)) == chunks[0]
    if chunks:
        assert tuple(new_blockdim(20, sizes, index)) == chunks[0]


def test_normalized_indices():
    assert normalize_index((Ellipsis, None), (10,)) == (slice(None), None)
    assert normalize_index(-5, (np.nan,)) == (-5,)
    assert normalize_index((1.0, slice(-3, 99)), (4, 5)) == (1, slice(2, 5))
    (listed,) = normalize_index([-5, -2, 1], (6,))
    assert listed.tolist() == [1, 4, 1]
    with pytest.raises(SlicingNoop):
        slice_array("y", "x", [(3, 3)], [slice(None)])


@pytest.mark.parametrize("index", [1.5, [0.5], slice(0, 1.5), "a", [5], -6, np.ones(4, bool)])
def test_bad_indices(index):
    with pytest.raises((IndexError, TypeError)):
        da.ones(5, chunks=2)[index]


def test_several_lists():
    x = da.ones((5, 5), chunks=2)
    with pytest.raises(NotImplementedError, match="vindex"):
        x[[0, 1], [0, 1]]


def test_small_parts_do_not_keep_large_chunks():
    from samite.array.chunk import getitem

    block = np.ones(1000)
    assert getitem(block, slice(0, 2)).base is None
    assert getitem(block, slice(1, None)).base is block
