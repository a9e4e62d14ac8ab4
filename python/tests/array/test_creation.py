"""Arrays made from nothing, and matrices, against NumPy."""

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

FEW = settings(max_examples=25, deadline=None)


@FEW
@given(data=st.data())
def test_filled(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 5), max_size=3)))
    chunks = tuple(data.draw(chunk_lengths(n)) for n in shape)
    dtype = data.draw(st.sampled_from(["i4", "f8", "?", "M8[s]", "c8"]))
    for name in ("ones", "zeros"):
        same(getattr(da, name)(shape, chunks=chunks), getattr(np, name)(shape))
        if dtype != "M8[s]":
            made = getattr(da, name)(shape, chunks=chunks, dtype=dtype)
            same(made, getattr(np, name)(shape, dtype=dtype))
            same(getattr(da, name + "_like")(made), getattr(np, name)(shape, dtype=dtype))
    same(da.full(shape, 7, chunks=chunks, dtype=dtype), np.full(shape, 7, dtype=dtype))
    assert da.empty(shape, chunks=chunks, dtype=dtype).compute().shape == shape


@FEW
@given(data=st.data())
def test_arange(data):
    kind = data.draw(st.sampled_from([int, float, np.float32, np.int8, np.uint16]))
    start, stop = data.draw(st.tuples(st.integers(0, 20), st.integers(0, 20)))
    if kind not in (int, float):
        # The difference of unsigned numbers would be a large one, in NumPy too.
        start, stop = sorted((start, stop))
    start, stop = kind(start), kind(stop)
    step = data.draw(st.sampled_from([1, 2, 3, 0.5, 1.25]))
    if kind in (int, float):
        step *= data.draw(st.sampled_from([-1, 1]))
    same(da.arange(start, stop, step, chunks=4), np.arange(start, stop, step))
    same(da.arange(stop, chunks=3), np.arange(stop))


def test_arange_of_nothing():
    same(da.arange(0), np.arange(0))
    same(da.arange(0, chunks=2), np.arange(0))
    with pytest.raises(TypeError, match="requires stop"):
        da.arange()
    with pytest.raises(ZeroDivisionError):
        da.arange(0, 3, 0)


@FEW
@given(data=st.data())
def test_spaces(data):
    num = data.draw(st.integers(0, 15))
    endpoint = data.draw(st.booleans())
    start, stop = data.draw(st.tuples(*[st.floats(0.125, 8)] * 2))
    for name in ("linspace", "logspace", "geomspace"):
        got = getattr(da, name)(start, stop, num, endpoint=endpoint, chunks=4)
        same(got, getattr(np, name)(start, stop, num, endpoint=endpoint))
    same(da.geomspace(-1, -8, 4, chunks=2), np.geomspace(-1, -8, 4))
    same(da.geomspace(1, 256, 9, dtype=int), np.geomspace(1, 256, 9, dtype=int))
    with pytest.raises(ValueError, match="zero"):
        da.geomspace(0, 1)


@FEW
@given(data=st.data())
def test_matrices(data):
    n, m, k = (data.draw(st.integers(low, 7)) for low in (0, 0, -8))
    chunks = data.draw(st.integers(1, 8))
    same(da.eye(n, chunks=chunks, M=m, k=k), np.eye(n, M=m, k=k))
    same(da.tri(n, m, k, int, chunks), np.tri(n, m, k, int))
    same(da.identity(n, chunks=chunks), np.identity(n))
    for name in ("tril_indices", "triu_indices"):
        got = getattr(da, name)(n, k, m, chunks=chunks)
        for one, other in zip(got, getattr(np, name)(n, k, m)):
            same(one, other)


@FEW
@given(data=st.data())
def test_triangles_and_diagonals(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=3))
    k = data.draw(st.integers(-7, 7))
    same(da.tril(x, k), np.tril(a, k))
    same(da.triu(x, k), np.triu(a, k))
    if a.ndim < 3:
        same(da.diag(x, k), np.diag(a, k))
    same(da.diagflat(x.ravel()[:4], k), np.diagflat(a.ravel()[:4], k))
    if a.ndim > 1:
        axes = data.draw(st.permutations(range(a.ndim)))[:2]
        same(da.diagonal(x, k, *axes), np.diagonal(a, k, *axes))


def test_positions_of_diagonals():
    for got, expected in zip(da.diag_indices(4, 3, chunks=3), np.diag_indices(4, 3)):
        same(got, expected)
    x = da.ones((4, 4), chunks=3)
    for got, expected in zip(da.diag_indices_from(x), np.diag_indices(4)):
        same(got, expected)
    with pytest.raises(ValueError, match="equal length"):
        da.diag_indices_from(x[:2])


def test_errors_of_diagonals():
    with pytest.raises(ValueError, match="two dimensions"):
        da.diagonal(da.ones(3))
    with pytest.raises(ValueError, match="same"):
        da.diagonal(da.ones((3, 3)), axis1=1, axis2=-1)
    with pytest.raises(TypeError, match="array"):
        da.diag(1)
    with pytest.raises(ValueError, match="1d or 2d"):
        da.diag(da.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="known"):
        x = da.ones(4, chunks=2)
        da.diag(x[x > 0])


@FEW
@given(data=st.data())
def test_grids(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    chunks = tuple(data.draw(chunk_lengths(n)) for n in shape)
    dtype = data.draw(st.sampled_from([int, "f4"]))
    same(da.indices(shape, dtype=dtype, chunks=chunks), np.indices(shape, dtype=dtype))
    got = da.indices(shape, dtype=dtype, chunks=chunks, sparse=True)
    for one, other in zip(got, np.indices(shape, dtype=dtype, sparse=True)):
        same(one, other)
    if shape:
        add = lambda *places: sum(places) * 2.5
        same(da.fromfunction(add, shape=shape, chunks=chunks), np.fromfunction(add, shape))


@FEW
@given(data=st.data())
def test_meshgrid(data):
    pairs = [data.draw(cut_arrays(min_dims=1, max_dims=1)) for _ in range(data.draw(
        st.integers(1, 3)))]  # fmt: skip
    for indexing in ("ij", "xy"):
        for sparse in (False, True):
            options = {"indexing": indexing, "sparse": sparse}
            got = da.meshgrid(*(x for _, x in pairs), **options)
            for one, other in zip(got, np.meshgrid(*(a for a, _ in pairs), **options)):
                same(one, other)


def test_meshgrid_errors():
    with pytest.raises(ValueError, match="indexing"):
        da.meshgrid([1], indexing="no")


@FEW
@given(data=st.data())
def test_vander(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=1, nan=False, dtypes=("i8", "f8")))
    n = data.draw(st.sampled_from([None, 1, 3]))
    increasing = data.draw(st.booleans())
    same(da.vander(x, n, increasing), np.vander(a, n, increasing))
