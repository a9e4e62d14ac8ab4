"""Elementwise functions, operators, blockwise and map_blocks against NumPy."""

from __future__ import annotations

import operator
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import cut_arrays, same

BINARY = (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt, operator.eq)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), op=st.sampled_from(BINARY))
def test_operators_broadcast_and_promote(data, op):
    a, x = data.draw(cut_arrays(max_dims=3))
    shape = tuple(data.draw(st.sampled_from((n, 1))) for n in a.shape)
    b, y = data.draw(cut_arrays(shape=shape[data.draw(st.integers(0, a.ndim)) :]))
    try:
        expected = op(a, b)
    except TypeError:
        with pytest.raises((TypeError, ValueError)):
            op(x, y).compute()
        return
    same(op(x, y), expected)
    same(op(x, b), expected)
    same(op(a, y), expected)


@pytest.mark.parametrize("dtype", ["i1", "u1", "f2", "f4", "i8", "c8", "?"])
@pytest.mark.parametrize("scalar", [2, 2.5, 2j, np.float32(2), np.int8(2), True])
def test_scalars_promote_as_in_numpy(dtype, scalar):
    a = np.ones(3, dtype=dtype)
    same(da.from_array(a, chunks=2) * scalar, a * scalar)
    same(scalar + da.from_array(a, chunks=2), scalar + a)


def test_scheduler_gives_the_same(scheduler):
    a = np.arange(12.0).reshape(3, 4)
    x = da.from_array(a, chunks=(2, 3))
    expected = np.where(a > 4, a, -a).clip(-3, 9).astype("f4")
    same(da.where(x > 4, x, -x).clip(-3, 9).astype("f4"), expected, scheduler)
    same(np.sin(x) ** 2 + np.cos(x) ** 2, np.ones((3, 4)), scheduler)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_where_clip_round(data):
    a, x = data.draw(cut_arrays(dtypes=("i4", "f8"), nan=False))
    same(da.where(x > 0, x, 0), np.where(a > 0, a, 0))
    same(x.clip(-2, 3), a.clip(-2, 3))
    same(da.round(x / 3, 2), np.round(a / 3, 2))
    same(x.astype("f4"), a.astype("f4"))


def test_where_with_a_constant_condition():
    a = np.arange(4)
    x = da.from_array(a, chunks=2)
    same(da.where(True, x, 1.5), np.where(True, a, 1.5))
    same(da.where(False, x, np.ones((3, 1))), np.where(False, a, np.ones((3, 1))))


def test_zeros_of_different_sign_stay_apart():
    x = da.ones(4, chunks=2)
    joined = np.copysign(x, 0.0) + np.copysign(x, -0.0) * 2
    same(joined, np.full(4, -1.0))


def test_unknown_types_get_their_turn():
    class Other:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "mine"

    assert da.ones(2, chunks=1) + Other() == "mine"


def test_ufuncs_of_several_results():
    a = np.arange(5.0) / 2
    for got, expected in zip(np.modf(da.from_array(a, chunks=2)), np.modf(a)):
        same(got, expected)
    for got, expected in zip(divmod(da.from_array(a, chunks=2), 2), divmod(a, 2)):
        same(got, expected)
    a = np.arange(3)
    same(np.add.outer(da.from_array(a, chunks=2), a), np.add.outer(a, a))


def test_functions_that_numpy_asks_for():
    x = da.ones((4, 2), chunks=2)
    assert isinstance(np.sum(x), da.Array)
    assert isinstance(np.concatenate([x, x]), da.Array)
    with pytest.warns(FutureWarning, match=r"min_scalar_type"):
        result = np.min_scalar_type(da.from_array(np.array(3), chunks=()))
    assert result == np.uint8


def test_map_blocks(scheduler):
    a = np.arange(20).reshape(4, 5)
    x = da.from_array(a, chunks=(2, 3))
    same(x.map_blocks(lambda b: b * 2.0), a * 2.0, scheduler)
    same(x.map_blocks(lambda b: b.sum(axis=0), drop_axis=0), a.sum(axis=0), scheduler)
    same(x.map_blocks(lambda b: b[:, None], new_axis=1), a[:, None], scheduler)
    same(x.map_blocks(lambda b: b[:1], chunks=((1, 1), (3, 2))), a[[0, 2]], scheduler)
    same(da.map_blocks(np.add, x, x[0]), a + a[0], scheduler)


def test_map_blocks_tells_the_place():
    x = da.zeros((4, 5), chunks=(2, 3), dtype=int)
    same(
        x.map_blocks(lambda b, block_id=None: b + 10 * block_id[0] + block_id[1]),
        np.add.outer([0, 0, 10, 10], [0, 0, 0, 1, 1]),
    )

    def start(block, block_info=None):
        (row, _), (column, _) = block_info[0]["array-location"]
        assert block_info[None]["chunk-shape"] == block.shape or block.shape == (0, 0)
        return block + row * 10 + column

    same(x.map_blocks(start, dtype=int), np.add.outer([0, 0, 20, 20], [0, 0, 0, 3, 3]))


def test_map_blocks_without_arrays():
    made = da.map_blocks(
        lambda block_id=None: np.full((2, 3), block_id[0]), chunks=((2, 2), (3,)), dtype=int
    )
    same(made, np.repeat([0, 0, 1, 1], 3).reshape(4, 3))


def test_lazy_arguments_of_blockwise():
    x = da.ones(4, chunks=2)
    same(x.map_blocks(lambda b, n: b * n, samite.delayed(3), dtype=float), np.full(4, 3.0))
    same(x.map_blocks(lambda b, n=0: b * n, n=x.sum(), dtype=float), np.full(4, 4.0))
    same(x + x.sum(), np.full(4, 5.0))


def test_blockwise_product():
    a, b = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    x, y = da.from_array(a, chunks=1), da.from_array(b, chunks=2)
    same(da.blockwise(np.dot, "ik", x, "ij", y, "jk", concatenate=True, dtype=float), a @ b)
    added = da.blockwise(
        lambda v: np.stack([v] * 3, 1), "iz", da.arange(4, chunks=2), "i", new_axes={"z": 3}
    )
    same(added, np.stack([np.arange(4)] * 3, 1))


def test_errors():
    x = da.ones(4, chunks=2)
    with pytest.raises(ValueError, match="add up|align|broadcast"):
        x + da.ones(5, chunks=2)
    with pytest.raises(ValueError, match="dtype"):
        x.map_blocks(lambda b: 1 / 0)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)
    with pytest.raises(TypeError, match="Array"):
        np.add(x, 1, out=np.zeros(4))
