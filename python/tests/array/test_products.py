"""Products, sums of products, convolution and functions along axes, against NumPy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite
import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same

FEW = settings(max_examples=25, deadline=None)
LENGTHS = {"a": 3, "b": 4, "c": 2, "d": 1, "e": 3}
EINSUMS = (
    "ab,bc->ac", "ab,bc", "aa", "aa->a", "ab->ba", "ab->", "a,b", "a,a", "abc,bad->abcd",
    "ab,cb,ac->b", "...a,a", "a...,...b->ab...", "aab,bc->ac", "a", "ae,ea->", "b...->...",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(data=st.data(), subscripts=st.sampled_from(EINSUMS))
def test_einsum(data, subscripts):
    terms = subscripts.split("->")[0].split(",")
    arrays, lazy = [], []
    chunks = {letter: data.draw(chunk_lengths(n)) for letter, n in LENGTHS.items()}
    for n, term in enumerate(terms):
        letters = term.replace("...", "c")
        a = np.random.default_rng(n).integers(-4, 5, [LENGTHS[letter] for letter in letters])
        a = a.astype(data.draw(st.sampled_from(["i8", "f8", "c16"])))
        arrays.append(a)
        # An index that one array has twice is cut in the same way.
        lazy.append(da.from_array(a, chunks=tuple(chunks[letter] for letter in letters)))
    same(da.einsum(subscripts, *lazy), np.asarray(np.einsum(subscripts, *arrays)))


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "f4"])
@pytest.mark.parametrize("subscripts", ["tij,i->t", "tij,j->ti", "tij,t->", "tij,i,j->"])
def test_einsum_sums_what_one_array_alone_has_in_the_result_s_dtype(dtype, subscripts):
    a = np.full((3, 4, 70), 100).astype(dtype)
    others = [np.arange(1.0, a.shape["tij".index(t)] + 1) for t in subscripts[4:].split("->")[0]
              if t != ","]  # fmt: skip
    x = da.from_array(a, chunks=(2, 3, 30))
    expected = np.einsum(subscripts, a.astype(float), *others)
    same(da.einsum(subscripts, x, *others), expected)


def test_einsum_of_lists_and_options():
    a = np.arange(6.0).reshape(2, 3)
    x = da.from_array(a, chunks=2)
    same(da.einsum(x, [0, 1], x, [2, 1], [0, 2]), a @ a.T)
    same(np.einsum("ij,kj->ik", x, x), a @ a.T)
    same(da.einsum("ij->j", x, dtype="f4", casting="unsafe"), a.sum(0).astype("f4"))
    with pytest.raises(TypeError, match="safe"):
        da.einsum("ij->j", x, dtype="f4")
    with pytest.raises(TypeError, match="foo"):
        da.einsum("ij", x, foo=1)
    with pytest.raises(ValueError, match="do not fit"):
        da.einsum("ijk", x)
    with pytest.raises(ValueError, match="for 1 arrays"):
        da.einsum("ij,jk", x)
    with pytest.raises(ValueError, match="'z'"):
        da.einsum("ij->z", x)


def test_einsum_makes_no_huge_blocks():
    x = da.ones((2, 16, 8), chunks=-1)
    with samite.config.set({"array.chunk-size": "32 kiB"}):
        product = da.einsum("abc,ade->bcde", x, x)
    assert np.prod(product.chunksize) * 8 <= 2**15
    same(product, np.full((16, 8, 16, 8), 2.0))


@FEW
@given(data=st.data())
def test_products(data):
    n, m, k = (data.draw(st.integers(1, 4)) for _ in range(3))
    a, x = data.draw(cut_arrays(shape=(n, m), nan=False))
    b, y = data.draw(cut_arrays(shape=(m, k), nan=False))
    c, z = data.draw(cut_arrays(shape=(m,), nan=False))
    same(da.matvec(x, z), np.matvec(a, c))
    same(da.vecmat(z, y), np.vecmat(c, b))
    same(da.vecdot(x, z), np.vecdot(a, c))
    same(da.inner(x, z), np.inner(a, c))
    same(da.outer(x, y), np.outer(a, b))
    same(da.dot(x, y), np.dot(a, b))
    same(da.kron(x, y), np.kron(a, b))
    same(da.vdot(x, x), np.asarray(np.vdot(a, a)))


@FEW
@given(data=st.data())
def test_cross(data):
    shape = (data.draw(st.integers(1, 4)), 3)
    a, x = data.draw(cut_arrays(shape=shape, dtypes=("i8", "f8"), nan=False))
    b, y = data.draw(cut_arrays(shape=shape, dtypes=("i8", "f8"), nan=False))
    same(da.cross(x, y), np.cross(a, b))
    same(da.cross(x.T, y, axisa=0, axisc=0), np.cross(a.T, b, axisa=0, axisc=0))
    with pytest.raises(ValueError, match="2 or 3"):
        da.cross(x[:, :1], y)


def test_warning_about_many_chunks():
    x = da.ones((40, 40), chunks=10)
    with pytest.warns(da.PerformanceWarning, match="factor of 16"):
        da.tensordot(x, x, axes=0)


@FEW
@given(data=st.data())
def test_convolution(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=1, min_length=1, nan=False))
    b, y = data.draw(cut_arrays(min_dims=1, max_dims=1, min_length=1, nan=False))
    for mode in ("full", "same", "valid"):
        same(da.convolve(x, y, mode), np.convolve(a, b, mode))
        same(da.correlate(x, y, mode), np.correlate(a, b, mode))


def test_convolution_errors():
    with pytest.raises(ValueError, match="empty"):
        da.convolve(da.ones(3), da.ones(0))
    with pytest.raises(ValueError, match="mode"):
        da.convolve(da.ones(3), [1], "no")
    with pytest.raises(ValueError, match="dimension"):
        da.convolve(da.ones((3, 3)), [1])


@FEW
@given(data=st.data())
def test_polynomials(data):
    a, x = data.draw(cut_arrays(dtypes=("i8", "f8"), nan=False))
    same(da.polyval([2, 0, -1], x), np.polyval([2, 0, -1], a))
    same(da.polyval(da.from_array(np.array([2.0, 1.0])), x), np.polyval([2.0, 1.0], a))


@FEW
@given(data=st.data())
def test_polynomials_that_fit(data):
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    a, b = random.random(20), random.random((20, 2))
    x, y = da.from_array(a, chunks=data.draw(st.integers(5, 20))), da.from_array(b, chunks=(9, 2))
    degree = data.draw(st.integers(0, 3))
    same(da.polyfit(x, y, degree), np.polyfit(a, b, degree), rtol=1e-6)
    same(da.polyfit(x, y[:, 0], degree, w=a), np.polyfit(a, b[:, 0], degree, w=a), rtol=1e-6)
    with pytest.raises(TypeError, match="same length"):
        da.polyfit(x, y[1:], 1)


@FEW
@given(data=st.data())
def test_along_axes(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=3, min_length=1, nan=False))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    for function in (lambda v: v.sum(), lambda v: [v.min(), v.max()]):
        same(
            da.apply_along_axis(function, axis, x),
            np.apply_along_axis(function, axis, a),
        )
    add = lambda v, n: v.sum(n)
    axes = list(range(a.ndim))[:2]
    same(da.apply_over_axes(add, x, axes), np.apply_over_axes(add, a, axes))
    order = np.argsort(a, axis)[..., ::-1]
    same(da.take_along_axis(x, order, axis), np.take_along_axis(a, order, axis))
    lazy = da.from_array(order, chunks=2)
    same(da.take_along_axis(x, lazy, axis), np.take_along_axis(a, order, axis))


@FEW
@given(data=st.data())
def test_put_along_axis(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=3, min_length=1, nan=False))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    most = a.argmax(axis, keepdims=True)
    for positions, value in ((most, 1), (most, a.max(axis, keepdims=True)[:1])):
        changed, lazy = a.copy(), x.copy()
        np.put_along_axis(changed, positions, value, axis)
        da.put_along_axis(lazy, positions, value, axis)
        same(lazy, changed)
    same(x, a)
    with pytest.raises(TypeError, match="lazy"):
        da.put_along_axis(a, most, 1, axis)


def test_along_axes_errors():
    x = da.ones((2, 3), chunks=2)
    with pytest.raises(ValueError, match="correct shape"):
        da.apply_over_axes(lambda v, n: v.sum(), x, [0])
    with pytest.raises(IndexError, match="integer"):
        da.take_along_axis(x, x)
    with pytest.raises(ValueError, match="dimensions"):
        da.take_along_axis(x, [1])


@FEW
@given(data=st.data())
def test_coarsen(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, nan=False))
    factors = {n: data.draw(st.integers(1, a.shape[n])) for n in range(a.ndim)}
    short = a[tuple(slice(0, a.shape[n] // f * f) for n, f in factors.items())]
    parts = [m for n, f in factors.items() for m in (a.shape[n] // f, f)]
    expected = short.reshape(parts).max(axis=tuple(range(1, 2 * a.ndim, 2)))
    same(da.coarsen(np.max, x, factors, trim_excess=True), expected)
    same(da.coarsen(da.max, x, factors, trim_excess=True), expected)
    if a.shape != short.shape:
        with pytest.raises(ValueError, match="do not align"):
            da.coarsen(np.max, x, factors)


@FEW
@given(data=st.data())
def test_reduce_and_accumulate(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, dtypes=("i8", "u2", "i1")))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    keep = data.draw(st.booleans())
    for function in (np.add, np.multiply, np.maximum, np.bitwise_xor, np.logical_or):
        same(function.reduce(x, axis, keepdims=keep), function.reduce(a, axis, keepdims=keep))
        same(function.accumulate(x, axis), function.accumulate(a, axis))
        same(function.reduce(x, axis=None), np.asarray(function.reduce(a, axis=None)))
        same(
            function.reduce(x, axis, initial=2, where=a > 0),
            function.reduce(a, axis, initial=2, where=a > 0),
        )


def test_reduce_errors():
    x = da.ones(4, chunks=2)
    with pytest.raises(TypeError, match="grouped"):
        np.subtract.reduce(x)
    with pytest.raises(ValueError, match="identity"):
        np.maximum.reduce(x, where=x > 0)
    with pytest.raises(ValueError, match="binary"):
        np.sin.reduce(x)
    with pytest.raises(ValueError, match="zero-size"):
        np.maximum.reduce(x[:0])
    same(np.add.reduce(x[:0]), np.asarray(0.0))
