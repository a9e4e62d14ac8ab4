"""Percentiles of vectors, and stacks of images."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from _oracle import chunk_lengths, same
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da

merge_percentiles = importlib.import_module("samite.array.percentile").merge_percentiles
METHODS = ["linear", "lower", "higher", "midpoint", "nearest"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["i4", "f4", "f8", "u1"])
@pytest.mark.parametrize("q", [0, 50, 99.5, [10], [100, 0, 33.3, 33.3], []])
def test_one_chunk_is_exact(method, dtype, q):
    values = np.random.default_rng(1).integers(0, 99, 37).astype(dtype)
    lazy = da.from_array(values, chunks=-1)
    expected = np.percentile(values, q, method=method)
    got = da.percentile(lazy, q, method=method)
    assert got.dtype == got.compute().dtype
    if len(np.atleast_1d(q)):
        assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.compute(), expected, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_several_chunks_are_near(method, data):
    length = data.draw(st.integers(100, 3000))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).random(length)
    if data.draw(st.booleans()):
        values.sort()
    lazy = da.from_array(values, chunks=data.draw(st.integers(40, 900)))
    q = data.draw(st.lists(st.floats(0, 100), min_size=1, max_size=4))
    got = da.percentile(lazy, q, method=method).compute()
    np.testing.assert_allclose(got, np.percentile(values, q), atol=0.06)
    assert (np.diff(got[np.argsort(q)]) >= 0).all()
    ends = da.percentile(lazy, [0, 100], method=method).compute()
    np.testing.assert_array_equal(ends, [values.min(), values.max()])


@pytest.mark.parametrize("method", METHODS)
def test_many_chunks_do_not_add_up_their_errors(method):
    values = np.random.default_rng(1).normal(size=100_000)
    got = da.percentile(da.from_array(values, chunks=1000), [10, 50, 90], method=method)
    np.testing.assert_allclose(got.compute(), np.percentile(values, [10, 50, 90]), atol=0.01)


def test_infinite_elements():
    values = np.array([-np.inf, 1, 2, np.inf, np.inf, 3, 4, -np.inf, 5, 6, 7, 8.0])
    got = da.percentile(da.from_array(values, chunks=3), [0, 50, 100]).compute()
    assert got[0] == -np.inf and got[2] == np.inf and 2 < got[1] < 6


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_chunks_stay_within_the_elements(data):
    length = data.draw(st.integers(1, 12))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-9, 9, length)
    lazy = da.from_array(values, chunks=(data.draw(chunk_lengths(length)),))
    for method in METHODS:
        got = da.percentile(lazy, [0, 30, 60, 100], method=method).compute()
        assert got[0] == values.min() and got[-1] == values.max()
        assert (np.diff(got) >= 0).all()
        if method in ("lower", "higher", "nearest"):
            assert set(got.tolist()) <= set(values.tolist())


def test_empty_blocks_and_unknown_ones():
    x = da.from_array(np.arange(10.0), chunks=((5, 0, 5),))
    np.testing.assert_array_equal(da.percentile(x, [0, 100]).compute(), [0, 9])
    unknown = x[x > 2]
    np.testing.assert_array_equal(da.percentile(unknown, [0, 100]).compute(), [3, 9])
    with pytest.raises(ValueError, match="without elements"):
        da.percentile(da.ones(0, chunks=1), 50)
    with pytest.raises(ValueError, match="no elements"):
        da.percentile(x[x > 20], 50).compute()


def test_what_is_not_known_makes_all_unknown():
    x = da.from_array(np.array([1, 2, np.nan, 4, 5, 6]), chunks=2)
    assert np.isnan(da.percentile(x, [0, 50]).compute()).all()
    assert np.isnan(da.percentile(x, 1).compute())


def test_words_and_dates():
    words = np.array(["a", "a", "d", "d", "d", "e"])
    same(da.percentile(da.from_array(words, chunks=3), [0, 50, 100]), np.array(["a", "d", "e"]))
    dates = np.arange("2020-01-01", "2020-04-10", dtype="M8[D]").astype("M8[s]")
    got = da.percentile(da.from_array(dates, chunks=30), [0, 50, 100])
    assert got.dtype == dates.dtype
    values = got.compute()
    assert values[0] == dates[0] and values[2] == dates[-1]
    assert abs(values[1] - dates[50]) < np.timedelta64(2, "D")


def test_several_axes_are_exact():
    values = np.random.default_rng(1).random((6, 5))
    lazy = da.from_array(values, chunks=(2, 3))
    for axis in (0, 1, -1):
        got = da.percentile(lazy, [20, 50], axis=axis)
        same(got, np.percentile(values, [20, 50], axis=axis))
    same(da.percentile(lazy.rechunk(-1), 50), np.percentile(values, 50))
    same(da.percentile(lazy[0], 50, axis=0), np.percentile(values[0], 50))


def test_names():
    x = da.ones(9, chunks=2)
    assert da.percentile(x, [1, 2]).name == da.percentile(x, [1, 2]).name
    assert da.percentile(x, [1, 2]).name != da.percentile(x, [1, 3]).name
    assert da.percentile(x, [50]).name != da.percentile(x, 50).name


def test_arguments_that_cannot_be():
    x = da.ones(9, chunks=2)
    with pytest.raises(ValueError, match="range"):
        da.percentile(x, [50, 101])
    with pytest.raises(ValueError, match="method"):
        da.percentile(x, 50, method="hazen")
    with pytest.raises(ValueError, match="internal_method"):
        da.percentile(x, 50, internal_method="other")
    with pytest.raises(TypeError, match="axes"):
        da.percentile(x, 50, axes=0)
    with pytest.raises(TypeError, match="real"):
        da.percentile(x.astype(complex), 50)
    with pytest.warns(FutureWarning, match="'method'"):
        lower = da.percentile(x, 50, interpolation="lower")
    assert lower.name == da.percentile(x, 50, method="lower").name
    with pytest.warns(FutureWarning, match="internal_method"):
        da.percentile(x, 50, method="dask")


def test_sketches_need_a_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "crick", None)
    with pytest.raises(ImportError, match="crick"):
        da.percentile(da.ones(9, chunks=2), 50, internal_method="tdigest")
    # What sketches are not for goes the other way.
    got = da.percentile(da.arange(9, chunks=9), 50, method="lower", internal_method="tdigest")
    assert got.compute() == 4


def test_merging():
    qs = [[20, 40, 60, 80]] * 2
    values = [np.array([1, 2, 3, 4]), np.array([10, 11, 12, 13])]
    for method in METHODS:
        got = merge_percentiles(range(10, 90, 10), qs, values, method, Ns=[100, 100])
        np.testing.assert_array_equal(got, [1, 2, 3, 4, 10, 11, 12, 13])
    # A set without elements says nothing; one that is heavy says more.
    got = merge_percentiles([40, 80], qs, values, Ns=[100, 0])
    np.testing.assert_array_equal(got, [2, 4])
    assert merge_percentiles([50], [[0, 50, 100]] * 2, [[0, 1, 2], [5, 6, 7]], Ns=[1, 9])[0] == 5
    assert len(merge_percentiles([], qs, values, Ns=[1, 1])) == 0
    with pytest.raises(ValueError, match="arrays"):
        merge_percentiles([50], qs, values, Ns=[0, 0])
    with pytest.raises(ValueError, match="method"):
        merge_percentiles([50], qs, values, "other", Ns=[1, 1])
    with pytest.raises(ValueError, match="4 percentiles"):
        merge_percentiles([50], qs, [values[0][:3], values[1]], Ns=[1, 1])


# -- images ------------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path):
    skimage = pytest.importorskip("skimage.io", exc_type=ImportError)
    values = np.random.default_rng(1).integers(0, 255, (4, 5, 6, 3)).astype("u1")
    for n, image in enumerate(values):
        skimage.imsave(tmp_path / f"image.{n}.png", image, check_contrast=False)
    return values, str(tmp_path / "*.png")


def test_images(images):
    values, pattern = images
    x = da.image.imread(pattern)
    assert x.chunks == ((1, 1, 1, 1), (5,), (6,), (3,))
    same(x, values)
    same(da.image.imread(pattern, preprocess=lambda image: image[:, :, 0]), values[..., 0])
    same(
        da.image.imread(pattern, imread=lambda name: np.ones((2, 3), "f4")),
        np.ones((4, 2, 3), "f4"),
    )
    assert da.image.imread(pattern).name == x.name
    with pytest.raises(ValueError, match="No files"):
        da.image.imread(pattern + ".none")
