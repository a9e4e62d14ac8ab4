"""Counting in bins, against NumPy."""

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
from _oracle import cut_arrays, same

FEW = settings(max_examples=30, deadline=None)


@FEW
@given(data=st.data())
def test_histogram(data):
    a, x = data.draw(cut_arrays(max_dims=2, dtypes=("i4", "f4", "f8"), nan=False))
    weights = np.arange(a.size).reshape(a.shape) * data.draw(st.sampled_from([1, 0.5]))
    for bins, ends in ((4, (-5, 5)), ([-9, -2, 0, 0.5, 9], None), (3, (1, 1))):
        for values in (None, weights):
            for density in (False, True):
                options = {"bins": bins, "range": ends, "weights": values, "density": density}
                got, edges = da.histogram(x, **options)
                expected, known = np.histogram(a, **options)
                same(got, expected)
                np.testing.assert_array_equal(edges, known)


def test_lazy_edges():
    a = np.random.default_rng(0).random(50)
    x = da.from_array(a, chunks=7)
    ends = (a.min(), a.max())
    for lazy in ((x.min(), x.max()), (ends[0], x.max()), tuple(map(samite.delayed(float), ends))):
        got, edges = da.histogram(x, bins=5, range=lazy)
        expected, known = np.histogram(a, bins=5, range=ends)
        same(got, expected)
        same(edges, known)
    got, edges = da.histogram(x, bins=da.asarray(5), range=ends)
    same(got, expected)
    edges = np.array([0, 0.25, 1])
    got, _ = da.histogram(x, bins=da.from_array(edges, chunks=2), density=True)
    same(got, np.histogram(a, edges, density=True)[0])


@pytest.mark.parametrize(
    "arguments",
    [
        {"bins": None},
        {"bins": 3},
        {"bins": 3, "range": 1},
        {"bins": 3, "range": (1, 2, 3)},
        {"bins": [[1, 2]]},
        {"bins": [3, 1]},
        {"bins": "auto", "range": (0, 1)},
        {"bins": 0, "range": (0, 1)},
        {"bins": [1, 2], "weights": np.ones(3)},
        {"bins": 3, "range": (2, 1)},
    ],
)
def test_histogram_errors(arguments):
    with pytest.raises((ValueError, TypeError), match="bins|range|edges|weights|monoton"):
        da.histogram(da.ones(4, chunks=2), **arguments)


@FEW
@given(data=st.data())
def test_histogram_of_points(data):
    random = np.random.default_rng(data.draw(st.integers(0, 100)))
    a = random.random((data.draw(st.integers(1, 20)), 3))
    x = da.from_array(a, chunks=(data.draw(st.integers(1, 20)), 3))
    weights = random.random(len(a)) if data.draw(st.booleans()) else None
    lazy = None if weights is None else da.from_array(weights, chunks=(x.chunks[0],))
    density = data.draw(st.booleans())
    for bins, ends in (((2, 3, 4), ((0, 1),) * 3), ([[0, 0.5, 1], [0, 1], [0.2, 0.4, 1]], None)):
        got, edges = da.histogramdd(x, bins, ends, weights=lazy, density=density)
        expected, known = np.histogramdd(a, bins, ends, weights=weights, density=density)
        same(got, expected)
        for one, other in zip(edges, known):
            same(one, np.asarray(other, dtype=one.dtype))
    got = da.histogram2d(x[:, 0], x[:, 1], 3, ((0, 1), (0, 1)), weights=lazy, density=density)
    expected = np.histogram2d(
        a[:, 0], a[:, 1], 3, ((0, 1), (0, 1)), weights=weights, density=density
    )
    for one, other in zip(got, expected):
        same(one, other)


@FEW
@given(data=st.data())
def test_bincount(data):
    a, x = data.draw(cut_arrays(
        min_dims=1, max_dims=1, min_length=1, dtypes=("u1", "u4")
    ))  # fmt: skip
    least = data.draw(st.sampled_from([0, 10, 12]))
    same(da.bincount(x, minlength=least), np.bincount(a, minlength=least))
    weights = np.arange(len(a)) / 2
    same(da.bincount(x, weights, least), np.bincount(a, weights, least))


def test_bincount_errors():
    with pytest.raises(ValueError, match="one dimension"):
        da.bincount(da.ones((2, 2), dtype=int))
    with pytest.raises(TypeError, match="integers"):
        da.bincount(da.ones(2))
    with pytest.raises(ValueError, match="length"):
        da.bincount(da.ones(2, dtype=int), weights=[1, 2, 3])
    many = da.ones(100, chunks=1, dtype=int)
    same(da.bincount(many, split_every=3), np.array([0, 100]))


@FEW
@given(data=st.data())
def test_places_of_values(data):
    a, x = data.draw(cut_arrays(max_dims=2, dtypes=("i4", "f8")))
    edges = np.sort(np.array(data.draw(st.lists(st.integers(-9, 9), min_size=1, max_size=5))))
    right = data.draw(st.booleans())
    same(da.digitize(x, edges, right), np.digitize(a, edges, right))
    lazy = da.from_array(edges, chunks=2)
    same(da.digitize(x, lazy, right), np.digitize(a, edges, right))
    for side in ("left", "right"):
        same(da.searchsorted(lazy, x, side), np.searchsorted(edges, a, side))
    points = np.unique(edges).astype(float)
    same(da.interp(x, points, points**2), np.interp(a, points, points**2))
    same(
        da.interp(x, da.from_array(points, chunks=1), points, left=-1, right=3),
        np.interp(a, points, points, left=-1, right=3),
    )


def test_errors_of_places():
    x = da.arange(4, chunks=2)
    with pytest.raises(ValueError, match="monoton"):
        da.digitize(x, [1, 3, 2])
    with pytest.raises(ValueError, match="one dimensional"):
        da.searchsorted(x[None], x)
    with pytest.raises(ValueError, match="side"):
        da.searchsorted(x, x, "middle")
    with pytest.raises(ValueError, match="same length"):
        da.interp(x, [1, 2], [1])


def test_unknown_lengths():
    a, w = np.arange(20.0) % 7, np.arange(20.0)
    x, y = da.from_array(a, chunks=6), da.from_array(w, chunks=6)
    keep, lazy = a > 2, x > 2
    got, _ = da.histogram(x[lazy], bins=[0, 3, 5, 9], weights=y[lazy])
    same(got, np.histogram(a[keep], [0, 3, 5, 9], weights=w[keep])[0])
    got = da.histogram2d(x[lazy], y[lazy], 3, ((0, 9), (0, 30)), weights=y[lazy])[0]
    expected = np.histogram2d(a[keep], w[keep], 3, ((0, 9), (0, 30)), weights=w[keep])[0]
    same(got, expected)
    got = da.bincount(x[lazy].astype(int), weights=y[lazy])
    same(got, np.bincount(a[keep].astype(int), weights=w[keep]))
