"""Different elements, and questions and choices by element, against NumPy."""

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

FEW = settings(max_examples=30, deadline=None)
SMALL = ("i1", "u2", "i8", "f4", "f8", "?", "c8")


@FEW
@given(data=st.data())
def test_unique(data):
    a, x = data.draw(cut_arrays(max_dims=3, dtypes=SMALL))
    same(da.unique(x), np.unique(a))
    every = {"return_index": True, "return_inverse": True, "return_counts": True}
    for got, expected in zip(da.unique(x, **every), np.unique(a, **every)):
        same(got, expected)
    same(da.unique_values(x), np.unique(a, equal_nan=False))
    counts = da.unique_counts(x)
    for got, expected in zip(
        (counts.values, counts.counts), np.unique(a, return_counts=True, equal_nan=False)
    ):
        same(got, expected)
    if a.ndim:
        axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
        options = {"axis": axis, "return_index": True, "return_counts": True}
        if not any(n == 0 for n in a.shape):
            for got, expected in zip(da.unique(x, **options), np.unique(a, **options)):
                same(got, expected)


def test_unique_of_other_dtypes():
    words = np.array(["b", "a", "b", "c", "a"])
    records = np.array([(1, 2.0), (1, 1.0), (1, 2.0)], dtype=[("n", "i4"), ("x", "f8")])
    objects = np.array([3, 1, 3, 2], dtype=object)
    when = np.array(["2001", "2000", "2001"], dtype="M8[Y]")
    every = {"return_index": True, "return_inverse": True, "return_counts": True}
    for a in (words, records, objects, when):
        x = da.from_array(a, chunks=2)
        for got, expected in zip(da.unique(x, **every), np.unique(a, **every)):
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got.compute(), expected)


def test_unique_with_unknown_chunks():
    a = np.array([3, 1, 3, 2, 1])
    x = da.from_array(a, chunks=2)
    same(da.unique(x[x > 1]), np.unique(a[a > 1]))
    with pytest.raises(ValueError, match="known shape"):
        da.unique(x[x > 1], return_index=True)
    many = da.from_array(np.arange(100) % 7, chunks=1)
    same(da.unique(many, return_counts=True)[1], np.unique(np.arange(100) % 7,
         return_counts=True)[1])  # fmt: skip


@FEW
@given(data=st.data())
def test_sets(data):
    a, x = data.draw(cut_arrays(max_dims=2, dtypes=SMALL, nan=False))
    b, y = data.draw(cut_arrays(max_dims=2, dtypes=SMALL, nan=False))
    same(da.isin(x, y), np.isin(a, b))
    same(da.isin(x, b, invert=True), np.isin(a, b, invert=True))
    for name in ("union1d", "intersect1d", "setxor1d"):
        same(getattr(da, name)(x, y), getattr(np, name)(a, b))
    same(da.setdiff1d(x, y), np.setdiff1d(a, b))
    for got, expected in zip(
        da.intersect1d(x, y, return_indices=True), np.intersect1d(a, b, return_indices=True)
    ):
        same(got, expected)


@FEW
@given(data=st.data())
def test_positions(data):
    a, x = data.draw(cut_arrays(max_dims=3, dtypes=SMALL))
    same(da.argwhere(x > 0), np.argwhere(a > 0))
    same(da.flatnonzero(x), np.flatnonzero(a))
    axis = data.draw(st.sampled_from([None, *range(-a.ndim, a.ndim)]))
    same(da.count_nonzero(x, axis), np.asarray(np.count_nonzero(a, axis)))
    if a.ndim:
        for got, expected in zip(da.where(x > 0), np.where(a > 0)):
            same(got, expected)


def test_positions_of_words_and_objects():
    for a in (np.array(["", "a", "b"]), np.array([None, 0, 2, "x"], dtype=object)):
        x = da.from_array(a, chunks=2)
        same(da.flatnonzero(x), np.flatnonzero(a))
        same(da.count_nonzero(x), np.asarray(np.count_nonzero(a)))
    with pytest.raises(ValueError, match="known shape"):
        da.nonzero(da.ones(3)[da.ones(3) > 0])
    with pytest.raises(ValueError, match="0d"):
        da.nonzero(da.ones(()))


@FEW
@given(data=st.data())
def test_indices_of_flat_arrays(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    flat = np.array(data.draw(st.lists(st.integers(0, int(np.prod(shape)) - 1), max_size=6)), int)
    order = data.draw(st.sampled_from("CF"))
    got = da.unravel_index(da.from_array(flat, chunks=2), shape, order)
    expected = np.unravel_index(flat, shape, order)
    for one, other in zip(got, expected):
        same(one, other)
    same(da.ravel_multi_index(got, shape, order=order), flat)
    same(da.ravel_multi_index(da.stack(got), shape, order=order), flat)


def test_where_and_choices():
    a = np.arange(12).reshape(3, 4)
    x = da.from_array(a, chunks=2)
    same(da.where(x > 4, x, -x), np.where(a > 4, a, -a))
    assert da.where(True, x, 0) is x
    same(da.where(0, x, np.ones((2, 1, 1))), np.where(0, a, np.ones((2, 1, 1))))
    with pytest.raises(ValueError, match="both or neither"):
        da.where(x > 1, x)
    same(
        da.select([x < 3, x > 8], [x, x * 2.5], default=-1),
        np.select([a < 3, a > 8], [a, a * 2.5], default=-1),
    )
    same(da.select([x[0] < 1, x > 8], [1, x[:, :1]]), np.select([a[0] < 1, a > 8], [1, a[:, :1]]))
    with pytest.raises(TypeError, match="boolean"):
        da.select([x], [x])
    with pytest.raises(ValueError, match="same length"):
        da.select([x > 1], [x, x])
    same(
        da.piecewise(x, [x < 3, x > 8], [lambda v: -v, 7, lambda v: v * 2]),
        np.piecewise(a, [a < 3, a > 8], [lambda v: -v, 7, lambda v: v * 2]),
    )
    same(da.choose(x % 3, [x, 0, -x]), np.choose(a % 3, [a, 0, -a]))


@FEW
@given(data=st.data())
def test_comparisons(data):
    a, x = data.draw(cut_arrays(max_dims=2, dtypes=("f8", "i4", "c8")))
    b = a + np.asarray(1e-9).astype(a.dtype)
    nan = data.draw(st.booleans())
    same(da.isclose(x, b, equal_nan=nan), np.isclose(a, b, equal_nan=nan))
    same(da.allclose(x, b, equal_nan=nan), np.asarray(np.allclose(a, b, equal_nan=nan)))
    same(da.array_equal(x, a, equal_nan=nan), np.asarray(np.array_equal(a, a, equal_nan=nan)))
    same(da.array_equiv(x, a), np.asarray(np.array_equiv(a, a)))
    same(da.array_equal(x, np.ones(9)), np.asarray(False))
    same(da.isnull(x), np.isnan(a))
    same(da.notnull(x), ~np.isnan(a))


def test_missing_objects_and_dates():
    for a in (
        np.array([None, 1, np.nan, "x"], dtype=object),
        np.array(["2000", "NaT"], dtype="M8[Y]"),
        np.array([1, 2]),
    ):
        expected = [v is None or v != v for v in a]
        same(da.isnull(da.from_array(a, chunks=1)), np.array(expected))


def test_masked_and_sparse_chunks_keep_what_they_are():
    import sparse

    a = np.ma.array(np.arange(12.0).reshape(3, 4), mask=np.arange(12).reshape(3, 4) % 3 == 0)
    x = da.from_array(a, chunks=2)
    for got, expected in (
        (da.diff(x), np.ma.diff(a)),
        (da.roll(x, 1, 0), np.roll(a, 1, 0)),
        (da.repeat(x, 2, 0), a.repeat(2, 0)),
    ):
        got = got.compute()
        assert isinstance(got, np.ma.MaskedArray)
        np.testing.assert_array_equal(got.mask, np.ma.getmaskarray(expected))
        np.testing.assert_array_equal(got.filled(-1), np.ma.filled(expected, -1))
    dense = np.eye(6)[:, :5] * np.arange(5)
    y = da.from_array(sparse.COO.from_numpy(dense), chunks=3, asarray=False)
    product = da.einsum("ij,kj->ik", y, y).compute()
    assert isinstance(product, sparse.COO)
    np.testing.assert_array_equal(product.todense(), dense @ dense.T)
    assert int(da.count_nonzero(y).compute()) == 4
    for got, expected in zip(da.nonzero(y), np.nonzero(dense)):
        same(got, expected)
