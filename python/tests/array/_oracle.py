"""Comparison with NumPy: values, dtype, shape, and what an array says of itself beforehand."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

import samite.array as da
from samite.array.utils import _check_dsk

DTYPES = ("i1", "u2", "i4", "i8", "f4", "f8", "c8", "?")


def same(lazy, expected, scheduler="synchronous", rtol=None):
    """Assert that a lazy array is what NumPy says, and that it knew its shape and chunks."""
    assert isinstance(lazy, da.Array)
    expected = np.asanyarray(expected)
    _check_dsk(lazy.dask)
    assert lazy.dtype == expected.dtype
    assert lazy._meta.ndim == lazy.ndim == expected.ndim
    for known, length in zip(lazy.shape, expected.shape):
        assert math.isnan(known) or known == length
    blocks = lazy.persist(scheduler=scheduler)
    for position in np.ndindex(*lazy.numblocks):
        block = np.asanyarray(dict(blocks.dask)[(lazy.name, *position)])
        assert block.dtype == lazy.dtype
        for sizes, i, length in zip(lazy.chunks, position, block.shape):
            assert math.isnan(sizes[i]) or sizes[i] == length
    got = np.asanyarray(lazy.compute(scheduler=scheduler))
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    if expected.dtype.kind in "fc":
        rtol = rtol or (1e-3 if expected.dtype.itemsize <= 4 or expected.dtype == "c8" else 1e-9)
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)
    else:
        np.testing.assert_array_equal(got, expected)


@st.composite
def chunk_lengths(draw, length):
    """Blocks that add up to a length."""
    if not length:
        return (0,)
    cuts = draw(st.sets(st.integers(1, length - 1), max_size=3)) if length > 1 else set()
    edges = [0, *sorted(cuts), length]
    return tuple(b - a for a, b in zip(edges, edges[1:]))


@st.composite
def cut_arrays(draw, min_dims=0, max_dims=3, dtypes=DTYPES, shape=None, min_length=0, nan=True):
    """A NumPy array and the same lazy one."""
    if shape is None:
        shape = tuple(
            draw(st.lists(st.integers(min_length, 6), min_size=min_dims, max_size=max_dims))
        )
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    values = random.integers(-9, 10, shape)
    if dtype.kind == "u":
        values = abs(values)
    values = np.asarray(values).astype(dtype)
    if dtype.kind == "c":
        values = values + np.asarray(random.integers(-9, 10, shape) * 1j).astype(dtype)
    if nan and dtype.kind in "fc" and values.size and draw(st.booleans()):
        values = np.where(random.random(shape) < 0.2, np.nan, values).astype(dtype)
    chunks = tuple(draw(chunk_lengths(length)) for length in shape)
    return values, da.from_array(values, chunks=chunks)
