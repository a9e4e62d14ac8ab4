"""Running sums and products against NumPy's."""

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

METHODS = ("sequential", "blelloch")


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "nancumsum", "nancumprod"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_like_numpy(name, data):
    # Where products overflow, what they become depends on the order of factors.
    dtypes = ("i2", "i8", "u2", "f8") + (("f4", "c8") if "sum" in name else ())
    values, lazy = data.draw(cut_arrays(min_dims=1, max_dims=3, dtypes=dtypes))
    axis = data.draw(st.one_of(st.none(), st.integers(-values.ndim, values.ndim - 1)))
    method = data.draw(st.sampled_from(METHODS))
    dtype = data.draw(st.sampled_from([None, "f8"])) if values.dtype.kind != "c" else None
    expected = getattr(np, name)(values, axis=axis, dtype=dtype)
    same(getattr(da, name)(lazy, axis, dtype=dtype, method=method), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_any_number_of_chunks(method, count, scheduler):
    values = np.arange(count * 3)
    lazy = da.from_array(values, chunks=3)
    same(lazy.cumsum(method=method), values.cumsum(), scheduler)


@pytest.mark.parametrize("method", METHODS)
def test_chunks_without_elements(method):
    values = np.arange(10.0)
    lazy = da.from_array(values, chunks=((0, 3, 0, 0, 4, 3, 0),))
    same(da.cumsum(lazy, method=method), values.cumsum())


@pytest.mark.parametrize("method", METHODS)
def test_unknown_lengths(method):
    values = np.arange(12)
    lazy = da.from_array(values, chunks=4)
    kept = lazy[lazy % 3 > 0]
    assert da.cumsum(kept, method=method).compute().tolist() == (
        values[values % 3 > 0].cumsum().tolist()
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [0, 1])
def test_masked_elements_are_passed_over(method, axis):
    values = np.ma.masked_greater(np.arange(24.0).reshape(4, 6) % 7, 4)
    values[2] = np.ma.masked
    lazy = da.from_array(values, chunks=(1, 2))
    for name in ("cumsum", "cumprod"):
        got = getattr(lazy, name)(axis=axis, method=method).compute()
        expected = getattr(values, name)(axis=axis)
        np.testing.assert_array_equal(got.mask, expected.mask)
        np.testing.assert_array_equal(got.filled(-1), expected.filled(-1))


def test_steps_of_the_tree():
    """The longest chain of tasks grows with the logarithm of the number of chunks."""
    from samite.core import get_deps

    def depth(x):
        dependencies, _ = get_deps(dict(x.dask))
        levels = {}

        def level(key):
            if key not in levels:
                levels[key] = 1 + max((level(dep) for dep in dependencies[key]), default=0)
            return levels[key]

        return max(map(level, dependencies))

    x = da.ones(64, chunks=1, dtype=object)
    assert depth(x.cumsum(method="sequential")) > 60
    assert depth(x.cumsum(method="blelloch")) < 20


def test_own_functions():
    values = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    lazy = da.from_array(values, chunks=3)
    running = da.cumreduction(np.maximum.accumulate, np.maximum, None, lazy)
    same(running, np.maximum.accumulate(values))
    running = da.cumreduction(
        np.maximum.accumulate, np.maximum, None, lazy, method="blelloch", preop=np.max
    )
    same(running, np.maximum.accumulate(values))


class Pair:
    """A chunk that is no array."""

    def __init__(self, total, values):
        self.total, self.values = total, values


def test_chunks_that_are_no_arrays():
    values = np.arange(10)
    lazy = da.from_array(values, chunks=3)
    pairs = lazy.map_blocks(lambda block: Pair(block.sum(), block), dtype=object, meta=lazy._meta)
    running = da.cumreduction(
        lambda pair, axis: Pair(pair.total, pair.values.cumsum()),
        lambda before, pair: Pair(before.total + pair.total, before.total + pair.values),
        None,
        pairs,
        axis=0,
        dtype=values.dtype,
        method="blelloch",
        preop=lambda pair, axis, keepdims: Pair(pair.total, 0),
    )
    result = running.map_blocks(lambda pair: pair.values, dtype=values.dtype)
    assert result.compute(scheduler="synchronous").tolist() == values.cumsum().tolist()


def test_out():
    x = da.ones((4, 4), chunks=2)
    np.cumsum(x, axis=0, out=x)
    same(x, np.cumsum(np.ones((4, 4)), axis=0))


def test_errors():
    x = da.ones(4, chunks=2)
    with pytest.raises(ValueError, match="Invalid method"):
        x.cumsum(method="fastest")
    with pytest.raises(TypeError, match="preop"):
        da.cumreduction(np.cumsum, np.add, 0, x, method="blelloch")
    with pytest.raises(ValueError, match="out of bounds"):
        x.cumsum(axis=1)


def test_with_what_comes_first():
    values = np.arange(12).reshape(3, 4)
    lazy = da.from_array(values, chunks=2)
    for name in ("cumulative_sum", "cumulative_prod"):
        for axis in (0, -1):
            for include in (False, True):
                result = getattr(np, name)(lazy, axis=axis, include_initial=include)
                expected = getattr(np, name)(values, axis=axis, include_initial=include)
                same(result, expected)
    same(da.cumulative_sum(lazy[0]), values[0].cumsum())
    with pytest.raises(ValueError, match="axis"):
        da.cumulative_sum(lazy)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_chunks_of_one_element_with_positions(axis):
    values = np.arange(63).reshape(1, 7, 9) % 5
    lazy = da.from_array(values, chunks=1) - da.arange(9, chunks=1)
    np.testing.assert_array_equal(
        da.cumsum(lazy, axis=axis).compute(), np.cumsum(values - np.arange(9), axis=axis)
    )
