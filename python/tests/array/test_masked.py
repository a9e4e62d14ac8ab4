"""Masked arrays against those of NumPy."""

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


def same_masked(lazy, expected):
    """Assert that data and masks are equal, and that what is one masked value is the constant."""
    got = lazy.compute(scheduler="synchronous")
    if expected is np.ma.masked:
        assert got is np.ma.masked
        return
    assert type(got) is type(expected)
    assert got.dtype == expected.dtype == lazy.dtype
    assert got.shape == expected.shape
    np.testing.assert_array_equal(np.ma.getmaskarray(got), np.ma.getmaskarray(expected))
    np.testing.assert_allclose(
        np.ma.filled(got, 0).astype(complex), np.ma.filled(expected, 0).astype(complex)
    )


@st.composite
def masked_arrays(draw, **kwargs):
    values, _ = draw(cut_arrays(nan=False, dtypes=("i4", "f8", "?"), **kwargs))
    random = np.random.default_rng(draw(st.integers(0, 100)))
    mask = random.random(values.shape) < draw(st.sampled_from([0, 0.3, 0.8, 1]))
    values = np.ma.masked_array(values, mask=mask)
    chunks = tuple(draw(chunk_lengths(length)) for length in values.shape)
    return values, da.from_array(values, chunks=chunks)


@pytest.mark.parametrize("name", "sum prod min max any all mean var std".split())
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_reductions(name, data):
    values, lazy = data.draw(masked_arrays(min_dims=1, min_length=1))
    if name in ("var", "std", "min", "max") and values.dtype.kind == "b":
        return  # NumPy subtracts no booleans, and has no fill value for their extremes.
    axis = data.draw(st.one_of(st.none(), st.integers(0, values.ndim - 1)))
    keepdims = data.draw(st.booleans())
    expected = getattr(np, name)(values, axis=axis, keepdims=keepdims)
    same_masked(getattr(da, name)(lazy, axis=axis, keepdims=keepdims, split_every=2), expected)


@pytest.mark.parametrize("name", ["argmin", "argmax"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_positions(name, axis):
    random = np.random.default_rng(0)
    values = np.ma.masked_less(random.integers(0, 99, (7, 8)), 50)
    lazy = da.from_array(values, chunks=3)
    same(getattr(lazy, name)(axis=axis), getattr(values, name)(axis=axis))


COMPARISONS = ["greater", "greater_equal", "less", "less_equal", "not_equal", "equal", "values"]


@pytest.mark.parametrize("name", COMPARISONS)
def test_masked_by_comparison(name):
    values = np.arange(12).reshape(3, 4)
    lazy = da.from_array(values, chunks=2)
    function = f"masked_{name}"
    result = getattr(da.ma, function)(lazy, 5)
    expected = getattr(np.ma, function)(values, 5)
    same_masked(result, expected)
    assert result.compute().fill_value == expected.fill_value
    if name not in ("equal", "values"):
        others = np.arange(4) * 3
        same_masked(
            getattr(da.ma, function)(lazy, da.from_array(others, chunks=3)),
            getattr(np.ma, function)(values, others),
        )


def test_masked_by_other_conditions():
    values = np.array([[1.0, np.nan, 3.0], [np.inf, 5.0, 6.0]])
    lazy = da.from_array(values, chunks=2)
    same_masked(da.ma.masked_invalid(lazy), np.ma.masked_invalid(values))
    same_masked(da.ma.fix_invalid(lazy, fill_value=0), np.ma.fix_invalid(values, fill_value=0))
    same_masked(da.ma.masked_inside(lazy, 2, 5), np.ma.masked_inside(values, 2, 5))
    same_masked(da.ma.masked_outside(lazy, 2, 5), np.ma.masked_outside(values, 2, 5))
    same_masked(da.ma.masked_where(lazy > 2, lazy), np.ma.masked_where(values > 2, values))
    same_masked(da.ma.masked_where(True, lazy), np.ma.masked_where(True, values))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_parts(data):
    values, lazy = data.draw(masked_arrays())
    same(da.ma.getmaskarray(lazy), np.ma.getmaskarray(values))
    same(da.ma.getdata(lazy), np.ma.getdata(values))
    same(da.ma.filled(lazy), np.ma.filled(values))
    same(da.ma.filled(lazy, 1), np.ma.filled(values, 1))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_count(data):
    values, lazy = data.draw(masked_arrays(min_dims=1, min_length=1))
    axis = data.draw(st.one_of(st.none(), st.integers(0, values.ndim - 1)))
    keepdims = data.draw(st.booleans())
    expected = np.ma.count(values, axis=axis, keepdims=keepdims)
    same(da.ma.count(lazy, axis=axis, keepdims=keepdims), np.asarray(expected, dtype=np.intp))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_average(data):
    values, lazy = data.draw(masked_arrays(min_dims=1, min_length=1))
    if values.dtype.kind == "b":
        return
    axis = data.draw(st.integers(0, values.ndim - 1))
    keepdims = data.draw(st.booleans())
    weights = np.linspace(1, 2, values.shape[axis])
    for given_weights in (None, weights, da.from_array(weights, chunks=2)):
        plain = None if given_weights is None else weights
        expected = [np.ma.average(values, axis, weights=plain, keepdims=keepdims)]
        got = [da.ma.average(lazy, axis, weights=given_weights, keepdims=keepdims)]
        if not keepdims:
            # NumPy cannot return the sum of the weights with keepdims.
            expected = np.ma.average(values, axis, weights=plain, returned=True)
            got = da.ma.average(lazy, axis, weights=given_weights, returned=True)
        valid = ~np.ma.getmaskarray(expected[0])
        for one, other in zip(got, expected):
            value = one.compute()
            assert np.shape(value) == np.shape(other)
            assert not np.ma.getmaskarray(value)[valid].any()
            np.testing.assert_allclose(np.ma.getdata(value)[valid], np.ma.getdata(other)[valid])
        assert np.ma.getmaskarray(got[0].compute())[~valid].all()


def test_masked_array_of_parts():
    values = np.arange(12.0).reshape(3, 4)
    mask = values % 3 == 0
    for one in (values, da.from_array(values, chunks=2)):
        for other in (mask, da.from_array(mask, chunks=3), True, np.ma.nomask):
            plain = mask if isinstance(other, da.Array) else other
            same_masked(da.ma.masked_array(one, other), np.ma.masked_array(values, plain))
    result = da.ma.masked_array(values, mask, fill_value=7, dtype="f4", chunks=2)
    assert result.chunks == ((2, 1), (2, 2))
    assert result.dtype == "f4"
    assert result.compute().fill_value == 7
    lazy_fill = da.from_array(np.array(5.0))
    assert da.ma.masked_array(values, mask, fill_value=lazy_fill).compute().fill_value == 5


def test_fill_value_is_set_in_place():
    values = np.ma.masked_greater(np.arange(6), 3)
    lazy = da.from_array(values, chunks=2)
    before = lazy.copy()
    da.ma.set_fill_value(lazy, -1)
    assert lazy.compute().fill_value == -1
    assert da.ma.filled(lazy).compute().tolist() == [0, 1, 2, 3, -1, -1]
    assert before.compute().fill_value == values.fill_value
    plain = da.arange(4, chunks=2)
    da.ma.set_fill_value(plain, 1)
    same(plain, np.arange(4))


def test_joining_keeps_masks_and_fill_values():
    values = np.ma.masked_array([1, 2, 3, 4], [0, 1, 0, 1], fill_value=9)
    lazy = da.from_array(values, chunks=3)
    joined = da.concatenate([lazy, da.ones(2, dtype=int, chunks=1)])
    got = joined.compute()
    assert got.tolist() == [1, None, 3, None, 1, 1]
    assert got.fill_value == 9
    assert isinstance(joined._meta, np.ma.MaskedArray)


def test_choosing():
    values = np.ma.masked_array(np.arange(6).reshape(2, 3), [[0, 1, 0], [0, 0, 1]])
    lazy = da.from_array(values, chunks=(1, 2))
    same_masked(da.ma.where(lazy > 2, lazy, -1), np.ma.where(values > 2, values, -1))
    for got, expected in zip(da.ma.nonzero(lazy), np.ma.nonzero(values)):
        assert got.compute().tolist() == expected.tolist()
    for got, expected in zip(da.ma.where(lazy), np.ma.where(values)):
        assert got.compute().tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["ones_like", "zeros_like", "empty_like"])
def test_arrays_like_another(name):
    values = np.ma.masked_greater(np.arange(6), 3)
    got = getattr(da.ma, name)(da.from_array(values, chunks=2)).compute()
    np.testing.assert_array_equal(got.mask, values.mask)
    if name != "empty_like":
        np.testing.assert_array_equal(got.filled(5), getattr(np.ma, name)(values).filled(5))


def test_products():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 3, (4, 5)), random.integers(0, 3, (5, 2))
    masked = da.ma.masked_equal(da.from_array(a, chunks=2), 0)
    others = da.ma.masked_equal(da.from_array(b, chunks=2), 0)
    product = da.tensordot(masked, others, axes=1)
    assert isinstance(product._meta, np.ma.MaskedArray)
    assert isinstance(product.compute(), np.ma.MaskedArray)
    same(da.ma.filled(product, 0), a @ b)


def test_errors():
    x = da.from_array(np.arange(6), chunks=2)
    with pytest.raises(IndexError, match="Inconsistent shape"):
        da.ma.masked_where(np.ones(3, dtype=bool), x)
    for name in ("masked_equal", "masked_values"):
        with pytest.raises(ValueError, match="array"):
            getattr(da.ma, name)(x, np.ones(6))
    with pytest.raises(np.ma.MaskError):
        da.ma.masked_array(x, mask=[True, False])
    with pytest.raises(ValueError, match="non-scalar"):
        da.ma.masked_array(x, fill_value=np.ones(6))
    with pytest.raises(TypeError):
        da.ma.set_fill_value(x, 1e20)
    with pytest.raises(ValueError):
        da.ma.set_fill_value(x, np.ones(2))
    with pytest.raises(TypeError, match="Axis"):
        da.ma.average(x, weights=np.ones(3))
    with pytest.raises(ValueError, match="either both"):
        da.ma.where(x, x)
