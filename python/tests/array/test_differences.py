"""Differences, slopes, integrals, averages and covariances against NumPy."""

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


@FEW
@given(data=st.data())
def test_diff(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=3))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    n = data.draw(st.integers(0, 3))
    same(da.diff(x, n, axis), np.diff(a, n, axis))
    same(da.diff(x, n, axis, prepend=1), np.diff(a, n, axis, prepend=1))
    same(da.diff(x, n, axis, append=x), np.diff(a, n, axis, append=a))
    if a.dtype == bool:
        with pytest.raises(TypeError, match="boolean"):
            da.ediff1d(x)
        return
    same(da.ediff1d(x), np.ediff1d(a))
    same(da.ediff1d(x, to_begin=a[:0].ravel()), np.ediff1d(a, to_begin=a[:0].ravel()))


def test_diff_keeps_chunks_and_dtypes():
    x = da.arange(20, chunks=5)
    assert da.diff(x).chunks == ((5, 5, 5, 4),)
    when = np.array(["2000-01-01", "2000-01-03"], dtype="M8[D]")
    same(da.diff(da.from_array(when, chunks=1)), np.diff(when))
    with pytest.raises(ValueError, match="non-negative"):
        da.diff(x, -1)
    with pytest.raises(ValueError, match="one dimensional"):
        da.diff(x[0])
    with pytest.raises(TypeError, match="same_kind"):
        da.ediff1d(x, to_end=1.5)


@FEW
@given(data=st.data())
def test_gradient(data):
    a, x = data.draw(cut_arrays(
        min_dims=1, max_dims=2, min_length=3, dtypes=("i4", "f4", "f8", "c8")
    ))  # fmt: skip
    order = data.draw(st.sampled_from([1, 2]))
    spacing = data.draw(st.sampled_from([(), (2,), (0.5,)]))
    got = da.gradient(x, *spacing, edge_order=order)
    expected = np.gradient(a, *spacing, edge_order=order)
    if a.ndim == 1:
        got, expected = [got], [expected]
    for one, other in zip(got, expected):
        same(one, other)
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    places = np.cumsum(np.arange(1, a.shape[axis] + 1)) / 2
    same(
        da.gradient(x, places, axis=axis, edge_order=order),
        np.gradient(a, places, axis=axis, edge_order=order),
    )


def test_gradient_errors():
    x = da.ones((4, 1), chunks=2)
    with pytest.raises(ValueError, match="too small"):
        da.gradient(x)
    with pytest.raises(TypeError, match="number of arguments"):
        da.gradient(x, 1, 2, 3)
    with pytest.raises(ValueError, match="match the length"):
        da.gradient(x, [1, 2], axis=0)


@FEW
@given(data=st.data())
def test_trapezoid(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, dtypes=("i4", "f8")))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    same(da.trapezoid(x, dx=0.5, axis=axis), np.trapezoid(a, dx=0.5, axis=axis))
    places = np.cumsum(np.arange(a.shape[axis]) + 1.0)
    same(da.trapezoid(x, places, axis=axis), np.trapezoid(a, places, axis=axis))
    same(da.trapezoid(x, x, axis=axis), np.trapezoid(a, a, axis=axis))


@FEW
@given(data=st.data())
def test_unwrap(data):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, dtypes=("f8",), nan=False))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    same(da.unwrap(x, axis=axis), np.unwrap(a, axis=axis))
    same(da.unwrap(x, 4, axis, period=5), np.unwrap(a, 4, axis, period=5))


@FEW
@given(data=st.data())
def test_ptp_and_average(data):
    a, x = data.draw(cut_arrays(
        min_dims=1, max_dims=3, min_length=1, dtypes=("i4", "f8", "c8")
    ))  # fmt: skip
    axis = data.draw(st.sampled_from([None, 0, -1]))
    same(da.ptp(x, axis), np.ptp(a, axis))
    keep = data.draw(st.booleans())
    same(da.average(x, axis, keepdims=keep), np.average(a, axis, keepdims=keep))
    weights = np.arange(a.size).reshape(a.shape) + 1.0
    for values, at in ((weights, axis), (weights[..., :1].ravel()[:1].repeat(a.shape[0]), 0)):
        got = da.average(x, at, weights=values, returned=True, keepdims=keep)
        expected = np.average(a, at, weights=values, returned=True, keepdims=keep)
        for one, other in zip(got, expected):
            same(one, other)


def test_average_errors():
    x = da.ones((3, 4), chunks=2)
    with pytest.raises(TypeError, match="Axis must be specified"):
        da.average(x, weights=[1, 2, 3])
    with pytest.raises(ValueError, match="consistent"):
        da.average(x, axis=1, weights=[1, 2, 3])
    pairs = np.arange(12.0).reshape(4, 3)
    same(da.average(x, axis=(1, 0), weights=pairs), np.average(np.ones((3, 4)), axis=(1, 0),
         weights=pairs))  # fmt: skip


@FEW
@given(data=st.data())
def test_covariance(data):
    a, x = data.draw(cut_arrays(
        min_dims=2, max_dims=2, min_length=2, dtypes=("i4", "f8", "c8"), nan=False
    ))  # fmt: skip
    rowvar, bias = data.draw(st.booleans()), data.draw(st.booleans())
    same(da.cov(x, rowvar=rowvar, bias=bias), np.cov(a, rowvar=rowvar, bias=bias), rtol=1e-5)
    same(da.cov(x, x), np.cov(a, a), rtol=1e-5)
    same(da.cov(x[0]), np.cov(a[0]), rtol=1e-5)
    number = np.arange(a.shape[1]) + 1
    same(da.cov(x, fweights=number), np.cov(a, fweights=number), rtol=1e-5)
    weighted = {"aweights": number / 3, "fweights": number}
    same(da.cov(x, **weighted), np.cov(a, **weighted), rtol=1e-5)
    noise = np.random.default_rng(0).random(a.shape)
    same(da.corrcoef(x + noise, rowvar=rowvar), np.corrcoef(a + noise, rowvar=rowvar), rtol=1e-5)


def test_covariance_errors():
    x = da.ones((3, 4), chunks=2)
    with pytest.raises(ValueError, match="integer"):
        da.cov(x, ddof=1.5)
    with pytest.raises(RuntimeError, match="incompatible"):
        da.cov(x, fweights=[1, 2])
    with pytest.raises(TypeError, match="integer"):
        da.cov(x, fweights=[1.5] * 4)
    with pytest.raises(ValueError, match="negative"):
        da.cov(x, aweights=[-1] * 4)
    with pytest.warns(RuntimeWarning, match="freedom"):
        da.cov(x[:, :1])


def test_unknown_lengths_are_refused():
    x = da.ones(6, chunks=3)
    some = x[x > 0]
    for function in (da.diff, da.gradient, da.trapezoid, da.cov, da.unwrap):
        with pytest.raises(ValueError, match="known"):
            function(some)
