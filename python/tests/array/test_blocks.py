"""Functions of chunks, blocks, and arrays put together or stretched."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from _oracle import DTYPES, cut_arrays, same
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da
from samite.array.broadcasting import broadcast_chunks, broadcast_shapes
from samite.array.optimization import fuse_slice

# -- map_blocks --------------------------------------------------------------------------


@given(cut_arrays(min_dims=1))
@settings(max_examples=40)
def test_what_is_known_of_blocks(case):
    values, x = case

    def check(block, block_id=None, block_info=None):
        if block_info is None or None not in block_info or not block.size:
            return block
        place = tuple(slice(*edges) for edges in block_info[0]["array-location"])
        assert block_info[0]["chunk-location"] == block_id == block_info[None]["chunk-location"]
        assert block_info[None]["chunk-shape"] == block.shape
        assert block_info[0]["shape"] == values.shape
        assert block_info[0]["num-chunks"] == x.numblocks
        np.testing.assert_array_equal(values[place], block)
        return block

    same(x.map_blocks(check, dtype=x.dtype), values)


def test_blocks_belong_together_by_number():
    x, y = da.arange(40, chunks=10), da.arange(4, chunks=1)
    same(da.map_blocks(lambda a, b: a + b, x, y), np.arange(40) + np.repeat(np.arange(4), 10))
    one = da.from_array([[1, 2, 3, 4]], chunks=(1, 2))
    other = da.from_array([[10, 20], [30, 40]], chunks=(1, 2))
    result = da.map_blocks(np.add, one, other)
    same(result, np.array([[11, 22, 13, 24], [31, 42, 33, 44]]))


def test_names_of_results():
    x = da.ones((3, 4, 5), chunks=5)

    def identity(block, block_info=None):
        return block

    names = {
        da.map_blocks(identity, x, dtype="f8", **options).name
        for options in ({}, {"enforce_ndim": True}, {"drop_axis": 0}, {"drop_axis": 2},
                        {"chunks": (1, 4, 5)}, {"token": "other"})
    }  # fmt: skip
    assert len(names) == 6
    assert da.map_blocks(identity, x, name="mine", dtype="f8").name == "mine"


@pytest.mark.parametrize("result", [5, np.zeros((2, 2))])
def test_dimensions_can_be_checked(result):
    x = da.ones(4, chunks=2).map_blocks(lambda b: result, dtype="f8", enforce_ndim=True)
    with pytest.raises(ValueError, match="Dimension mismatch"):
        x.compute()


def test_bad_calls_of_map_blocks():
    x = da.ones((4, 4), chunks=2)
    with pytest.raises(TypeError, match="callable"):
        da.map_blocks(x, np.add)
    for options in (
        {"chunks": (2,)},
        {"drop_axis": 5},
        {"new_axis": (4, 5)},
        {"drop_axis": 0, "chunks": ((2, 2, 2),)},
    ):
        with pytest.raises(ValueError, match=r"dims|axis|blocks"):
            x.map_blocks(lambda b: b, dtype="f8", **options)
    with pytest.raises(ValueError, match="dtype"):
        x.map_blocks(lambda b: 1 / 0)


def test_a_chunk_of_the_wrong_shape_is_not_repeated():
    x = da.ones((4, 4), chunks=2)
    wrong = x.map_blocks(
        lambda b, block_id=None: b[:1] if block_id == (1, 1) else b, meta=np.empty((0, 0))
    )
    with pytest.raises(ValueError, match=r"the chunk at \(1, 1\) has the shape \(1, 2\)"):
        wrong.compute()


# -- blocks --------------------------------------------------------------------------------


@given(cut_arrays(min_dims=1), st.data())
@settings(max_examples=40)
def test_block_views(case, data):
    values, x = case
    assert x.blocks == x.partitions
    assert x.blocks.shape == x.numblocks and x.blocks.size == x.npartitions
    index, expected = [], values
    for axis, sizes in enumerate(x.chunks):
        numbers = data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=3))
        low = data.draw(st.integers(0, len(sizes) - 1))
        part = numbers if axis == 0 else slice(low, low + 1)
        index.append(part)
        edges = np.cumsum([0, *sizes])
        picked = [np.arange(edges[n], edges[n + 1]) for n in np.arange(len(sizes))[part]]
        expected = np.take(expected, np.concatenate(picked), axis=axis)
    same(x.blocks[tuple(index)], expected)


def test_bad_indices_of_blocks():
    x = da.ones((4, 4), chunks=2)
    with pytest.raises(ValueError, match="single list"):
        x.blocks[[0, 1], [0, 1]]
    with pytest.raises(ValueError, match="newaxis"):
        x.blocks[None]
    with pytest.raises(IndexError):
        x.blocks[7]


# -- arrays side by side -------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60)
def test_concatenate_and_stack(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    lazy, plain = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        lengths = list(shape)
        lengths[axis] = data.draw(st.integers(0, 4))
        values, x = data.draw(cut_arrays(shape=tuple(lengths), dtypes=DTYPES))
        lazy.append(x)
        plain.append(values)
    same(da.concatenate(lazy, axis=axis), np.concatenate(plain, axis=axis))
    same(da.concatenate(lazy, axis=None), np.concatenate(plain, axis=None))
    pairs = [data.draw(cut_arrays(shape=shape, dtypes=DTYPES)) for _ in range(3)]
    at = data.draw(st.integers(-len(shape) - 1, len(shape)))
    same(da.stack([x for _, x in pairs], axis=at), np.stack([v for v, _ in pairs], axis=at))


def test_block():
    parts = {key: np.full(shape, key) for key, shape in
             {1: (2, 2), 2: (2, 3), 3: (1, 5), 4: (5,), 5: ()}.items()}  # fmt: skip
    lazy = {key: da.from_array(part, chunks=2) for key, part in parts.items()}
    for names in ([[1, 2], [3]], [[1, 2], [4]], [1, 2], [[1, 2], [3], [4]]):

        def nested(found, names=names):
            return [[found[n] for n in row] if isinstance(row, list) else found[row]
                    for row in names]  # fmt: skip

        same(da.block(nested(lazy)), np.block(nested(parts)))
    same(da.block(5), np.block(5))
    with pytest.raises(ValueError, match="mismatched"):
        da.block([[1, 2], 3])
    with pytest.raises(ValueError, match="empty"):
        da.block([[1], []])
    with pytest.raises(TypeError, match="tuple"):
        da.block([(1, 2)])


def test_what_cannot_be_joined():
    x = da.ones((4, 4), chunks=2)
    unknown = x[x[:, 0] > 0]
    for call in (da.concatenate, da.stack):
        with pytest.raises(ValueError, match="Need array"):
            call([])
        with pytest.raises(ValueError, match="shape|dimension"):
            call([x, da.ones((3, 3))])
        with pytest.raises(ValueError, match="out of bounds"):
            call([x, x], axis=4)
        with pytest.raises(ValueError, match="compute_chunk_sizes"):
            call([unknown, unknown], axis=1)
    joined = da.concatenate([unknown, unknown], axis=1, allow_unknown_chunksizes=True)
    np.testing.assert_array_equal(joined.compute(), np.ones((4, 8)))


# -- stretched arrays ------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60)
def test_broadcast(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    own = tuple(1 if data.draw(st.booleans()) else n for n in shape)[
        data.draw(st.integers(0, len(shape))) :
    ]
    values, x = data.draw(cut_arrays(shape=own))
    same(da.broadcast_to(x, shape), np.broadcast_to(values, shape))
    other_values, other = data.draw(cut_arrays(shape=shape))
    pairs = zip(da.broadcast_arrays(x, other), np.broadcast_arrays(values, other_values))
    for lazy, plain in pairs:
        same(lazy, plain)


def test_chunks_of_stretched_axes():
    x = da.ones((5, 1, 6), chunks=(3, 1, 3))
    assert da.broadcast_to(x, (5, 3, 6), chunks=(3, 2, 3)).chunks == ((3, 2), (2, 1), (3, 3))
    assert da.broadcast_to(x, x.shape) is x
    with pytest.raises(ValueError, match="chunks"):
        da.broadcast_to(x, (5, 3, 6), chunks=((2, 3), (3,), (3, 3)))
    for shape in [(2, 1, 6), (3,), (5, -1, 6)]:
        with pytest.raises(ValueError, match="broadcast"):
            da.broadcast_to(x, shape)


def test_shapes_and_chunks_together():
    assert broadcast_shapes((3, 1), (), (5, 6, 7, 1, 4)) == (5, 6, 7, 3, 4)
    assert np.isnan(broadcast_shapes((1, np.nan), (2, 1))[1])
    with pytest.raises(ValueError, match="could not be broadcast"):
        broadcast_shapes((2, 3), (2, 3, 1))
    assert broadcast_chunks(((10, 10), (5, 5)), ((1,), (5, 5))) == ((10, 10), (5, 5))
    with pytest.raises(ValueError, match="do not fit"):
        broadcast_chunks(((10, 10),), ((5, 15),))


def test_many_chunks_are_warned_of():
    x, y = da.ones((20, 20), chunks=(20, 1)), da.ones((20, 20), chunks=(1, 20))
    with pytest.warns(da.PerformanceWarning, match="factor of 20"):
        x + y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        da.concatenate([da.ones(2, chunks=1)] * 62)


# -- indices of indices ------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=200)
def test_fused_slices(data):
    values = np.arange(1000).reshape(10, 10, 10)
    bounds = st.none() | st.integers(0, 12)
    part = st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, 3]))
    first = data.draw(st.tuples(part | st.integers(0, 9), part, part))
    second = data.draw(st.tuples(part, part | st.none()))
    np.testing.assert_array_equal(values[fuse_slice(first, second)], values[first][second])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (slice(10, 15), -1),
        (None, np.array([0, 0])),
        ((slice(None), [1, 2], slice(None)), (0, slice(None), slice(None))),
        ((0, slice(None), slice(None)), (slice(None), [1, 2])),
        (slice(None, None, -1), slice(0, 3)),
    ],
)
def test_slices_that_cannot_be_fused(first, second):
    with pytest.raises(NotImplementedError):
        fuse_slice(first, second)


def test_blockwise_ignores_an_index_without_an_array():
    x = da.arange(6, chunks=3)
    lazy = da.blockwise(lambda block, by: block * by, "i", x, "i", 2, None, "i", dtype=int)
    assert lazy.compute().tolist() == [0, 2, 4, 6, 8, 10]
    with pytest.raises(ValueError, match="pairs"):
        da.blockwise(lambda block, by: block * by, "i", x, "i", 2, dtype=int)
