"""The greatest elements, medians, quantiles and higher moments."""

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


def axes_of(values, data, several=True):
    choices = st.integers(-values.ndim, values.ndim - 1)
    if not several:
        return data.draw(choices)
    sets = st.sets(st.integers(0, values.ndim - 1), min_size=1).map(tuple)
    return data.draw(st.one_of(choices, sets))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_topk(data):
    values, lazy = data.draw(cut_arrays(min_dims=1, dtypes=("i2", "u2", "f4", "f8")))
    axis = axes_of(values, data, several=False)
    k = data.draw(st.integers(-8, 8))
    split_every = data.draw(st.sampled_from([None, 2]))
    expected = np.sort(values, axis=axis)
    length = values.shape[axis]
    if k > 0:
        expected = np.flip(np.take(expected, range(max(0, length - k), length), axis=axis), axis)
    else:
        expected = np.take(expected, range(min(-k, length)), axis=axis)
    same(da.topk(lazy, k, axis=axis, split_every=split_every), expected)
    places = da.argtopk(lazy, k, axis=axis, split_every=split_every)
    same(places, places.compute())
    # Equal elements may come in any order.
    np.testing.assert_array_equal(np.take_along_axis(values, places.compute(), axis), expected)


def test_topk_of_masked_leaves_out_masked():
    values = np.ma.masked_greater(np.array([5, 1, 9, 3, 8, 2]), 7)
    lazy = da.from_array(values, chunks=2)
    assert lazy.topk(2).compute().tolist() == [5, 3]
    assert lazy.topk(-2).compute().tolist() == [1, 2]
    assert lazy.argtopk(2).compute().tolist() == [0, 3]
    assert lazy.argtopk(-2).compute().tolist() == [1, 5]


@pytest.mark.parametrize("name", ["median", "nanmedian"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_medians(name, data):
    values, lazy = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("i2", "f4", "f8")))
    axis = axes_of(values, data)
    keepdims = data.draw(st.booleans())
    expected = getattr(np, name)(values, axis=axis, keepdims=keepdims)
    same(getattr(da, name)(lazy, axis=axis, keepdims=keepdims), expected)


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_quantiles(name, data):
    values, lazy = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("i2", "f4", "f8")))
    axis = axes_of(values, data)
    options = {
        "keepdims": data.draw(st.booleans()),
        "method": data.draw(st.sampled_from(["linear", "lower", "weibull", "inverted_cdf"])),
    }
    q = data.draw(st.sampled_from([0.25, [0.0, 0.5, 1.0], [[0.1], [0.9]]]))
    # NumPy's nanquantile mixes the axes of several quantiles up with those of the array.
    flat, numpy_options = np.ravel(q) if np.ndim(q) else q, dict(options)
    if options["method"] == "inverted_cdf" and isinstance(axis, int) and data.draw(st.booleans()):
        weights = np.linspace(1, 2, values.shape[axis])
        shape = [1] * values.ndim
        shape[axis] = -1
        numpy_options["weights"] = np.broadcast_to(weights.reshape(shape), values.shape)
        options["weights"] = data.draw(st.sampled_from([weights, da.from_array(weights, chunks=2)]))
    expected = getattr(np, name)(values, flat, axis=axis, **numpy_options)
    expected = np.reshape(expected, np.shape(q) + np.shape(expected)[np.ndim(flat) :])
    # The dtype that NumPy gives depends on whether the first line is nothing but NaN.
    usual = getattr(np, name)(np.ones(3, values.dtype), flat, method=options["method"])
    expected = expected.astype(usual.dtype)
    if data.draw(st.booleans()):
        q = da.from_array(np.asarray(q), chunks=1) if np.ndim(q) else q
    same(getattr(da, name)(lazy, q, axis=axis, **options), expected, rtol=1e-3)


def test_nanpercentile():
    values = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]])
    lazy = da.from_array(values, chunks=2)
    same(da.nanpercentile(lazy, [20, 50], axis=1), np.nanpercentile(values, [20, 50], axis=1))


def test_other_axes_stay_cut():
    x = da.ones((1000, 1000), chunks=(100, 1000))
    assert da.median(x, axis=1).chunks == ((100,) * 10,)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_moments(data):
    values, lazy = data.draw(cut_arrays(min_dims=1, min_length=1, dtypes=("i2", "f8"), nan=False))
    axis = data.draw(st.one_of(st.none(), st.sets(st.integers(0, values.ndim - 1)).map(tuple)))
    order = data.draw(st.integers(0, 5))
    keepdims = data.draw(st.booleans())
    distance = values - values.mean(axis=axis, keepdims=True)
    expected = (distance**order).mean(axis=axis, keepdims=keepdims)
    got = da.moment(lazy, order, axis=axis, keepdims=keepdims, split_every=2)
    same(got, expected, rtol=1e-6)


def test_moment_far_from_zero():
    values = np.arange(30.0) + 1e8
    lazy = da.from_array(values, chunks=7)
    for order in (2, 3, 4):
        expected = ((values - values.mean()) ** order).mean()
        assert lazy.moment(order, split_every=2).compute() == pytest.approx(expected, abs=1e-3)


def test_trace():
    values = np.arange(24).reshape(2, 3, 4)
    lazy = da.from_array(values, chunks=2)
    for arguments in ((), (1,), (-1, 1, 2), (0, 0, 2)):
        same(lazy.trace(*arguments), values.trace(*arguments))


def test_counts_of_elements():
    values = np.array([[1.0, np.nan], [3.0, 4.0]])
    assert da.reductions.numel(values, axis=0).tolist() == [2, 2]
    assert da.reductions.nannumel(values, axis=0).tolist() == [2, 1]
    masked = np.ma.masked_invalid(values)
    assert da.reductions.numel(masked) == 3
    assert da.reductions.numel(masked, axis=1, keepdims=True, dtype="i4").dtype == "i4"


def test_errors():
    x = da.ones((4, 4), chunks=2)
    for name in ("median", "nanmedian"):
        with pytest.raises(NotImplementedError, match="difficult to do in parallel"):
            getattr(da, name)(x.astype(object))
    with pytest.raises(NotImplementedError, match="difficult to do in parallel"):
        da.quantile(x, 0.5)
    with pytest.raises(ValueError, match="range"):
        da.quantile(x, 1.5, axis=0)
    with pytest.raises(ValueError, match="weights of shape"):
        da.quantile(x, 0.5, axis=0, weights=np.ones(3), method="inverted_cdf")
    with pytest.raises(ValueError, match="Order"):
        x.moment(-1)
    with pytest.raises(TypeError, match="axis|Axis"):
        da.topk(x, 2, axis=None)
    with pytest.raises(ValueError, match="unknown chunksize"):
        da.argtopk(x[x > 0], 1)


@pytest.mark.parametrize("prefix", ["", "nan"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_chunks_are_not_joined(prefix, data):
    values, lazy = data.draw(
        cut_arrays(min_dims=1, max_dims=2, min_length=2, dtypes=("i2", "u4", "f8"))
    )
    if lazy.npartitions == 1:
        lazy = da.from_array(values, chunks=1)
    axis = tuple(range(values.ndim))
    keepdims = data.draw(st.booleans())
    median, np_median = getattr(da, f"{prefix}median"), getattr(np, f"{prefix}median")
    for given_axis in (axis, None):
        same(
            median(lazy, axis=given_axis, keepdims=keepdims),
            np_median(values, axis=given_axis, keepdims=keepdims),
        )
    method = data.draw(st.sampled_from(["linear", "lower", "higher", "midpoint"]))
    q = data.draw(st.sampled_from([0.3, 0, 1, [0.1, 0.9], [0.5]]))
    quantile, np_quantile = getattr(da, f"{prefix}quantile"), getattr(np, f"{prefix}quantile")
    result = quantile(lazy, q, axis=axis, method=method, keepdims=keepdims)
    same(result, np_quantile(values, q, axis=axis, method=method, keepdims=keepdims))
    assert not any("rechunk" in name for name in result.dask.layers)


def test_nothing_but_nan():
    lazy = da.from_array(np.full(6, np.nan), chunks=2)
    for result in (da.nanmedian(lazy, axis=0), da.nanquantile(lazy, 0.5, axis=0)):
        with pytest.warns(RuntimeWarning, match="All-NaN"):
            assert np.isnan(result.compute(scheduler="synchronous"))


def test_median_of_a_long_vector():
    random = np.random.default_rng(0)
    values = random.random(100_001)
    lazy = da.from_array(values, chunks=1000)
    same(da.median(lazy, axis=0), np.median(values))
    same(da.quantile(lazy, [0.01, 0.99], axis=0), np.quantile(values, [0.01, 0.99]))
