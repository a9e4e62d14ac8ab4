"""Fourier transforms against NumPy's and SciPy's."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da

sys.path.insert(0, str(Path(__file__).parent))
from _oracle import chunk_lengths, cut_arrays, same

ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL_AXES = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]
REAL_ONLY = ("rfft", "ihfft")
DTYPES = ("i4", "f4", "f8", "c8", "c16")


def _whole(draw, values, axes):
    """The lazy array, cut along all axes but some."""
    chunks = tuple(
        (length,) if axis in axes else draw(chunk_lengths(length))
        for axis, length in enumerate(values.shape)
    )
    return da.from_array(values, chunks=chunks)


@pytest.mark.parametrize("name", ONE_AXIS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_one_axis_like_numpy(name, data):
    values, _ = data.draw(cut_arrays(1, 3, DTYPES, min_length=2, nan=False))
    axis = data.draw(st.one_of(st.none(), st.integers(-values.ndim, values.ndim - 1)))
    n = data.draw(st.one_of(st.none(), st.integers(1, 9)))
    norm = data.draw(st.sampled_from([None, "backward", "ortho", "forward"]))
    place = (values.ndim - 1 if axis is None else axis) % values.ndim
    lazy = _whole(data.draw, values, {place})
    function = getattr(np.fft, name)
    if name in REAL_ONLY and values.dtype.kind == "c":
        with pytest.raises(TypeError):
            getattr(da.fft, name)(lazy, n=n, axis=axis, norm=norm)
        return
    expected = function(values, n=n, axis=place, norm=norm)
    same(getattr(da.fft, name)(lazy, n=n, axis=axis, norm=norm), expected)


@pytest.mark.parametrize("name", SEVERAL_AXES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_several_axes_like_numpy(name, data):
    values, _ = data.draw(cut_arrays(2, 3, ("i4", "f8"), min_length=2, nan=False))
    axes = data.draw(st.permutations(range(values.ndim)))
    axes = tuple(axes[: data.draw(st.integers(1, values.ndim))])
    if name.endswith("2"):
        axes = (*axes, *set(range(values.ndim)).difference(axes))[:2]
    s = data.draw(st.one_of(st.none(), st.tuples(*(st.integers(2, 7) for _ in axes))))
    lazy = _whole(data.draw, values, set(axes))
    expected = getattr(np.fft, name)(values, s=s, axes=axes)
    same(getattr(da.fft, name)(lazy, s=s, axes=axes), expected)


@pytest.mark.parametrize("name", SEVERAL_AXES)
def test_default_axes(name):
    values = np.random.default_rng(1).random((3, 4, 5))
    chunks = (2, 4, 5) if name.endswith("2") else (3, 4, 5)
    lazy = da.from_array(values, chunks=chunks)
    same(getattr(da.fft, name)(lazy), getattr(np.fft, name)(values))
    if not name.endswith("2"):
        with pytest.warns(DeprecationWarning, match="`axes` should not be `None`"):
            result = getattr(da.fft, name)(lazy, (3, 6))
        same(result, getattr(np.fft, name)(values, (3, 6), axes=(1, 2)))


def test_lengths_that_stay():
    values = np.random.default_rng(1).random((3, 4))
    lazy = da.from_array(values, chunks=(3, 4))
    same(da.fft.fftn(lazy, s=(-1, 6), axes=(0, 1)), np.fft.fftn(values, s=(-1, 6), axes=(0, 1)))


@pytest.mark.parametrize("name", ONE_AXIS)
def test_axes_in_several_chunks(name):
    x = da.ones((4, 6), chunks=(4, 2))
    function = getattr(da.fft, name)
    with pytest.raises(ValueError, match=r"single chunk.*\(2, 2, 2\).*rechunk"):
        function(x)
    assert function(x, axis=0).shape[1] == 6
    x._chunks = ((np.nan,), (6,))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        function(x, axis=0)


def test_arguments_that_cannot_be():
    x = da.ones((4, 6), chunks=-1)
    with pytest.raises(ValueError, match="twice"):
        da.fft.fft2(x, axes=(0, -2))
    with pytest.raises(ValueError, match="different lengths"):
        da.fft.fftn(x, s=(2, 3), axes=(0,))
    with pytest.raises(IndexError):
        da.fft.fft(x, axis=2)
    with pytest.raises(ValueError, match="Invalid number"):
        da.fft.fft(x, n=0)
    with pytest.raises(ValueError):
        da.fft.fft(x, norm="other").compute()
    with pytest.raises(ValueError, match="unknown `kind` 'ones'"):
        da.fft.fft_wrap(np.ones)
    with pytest.raises(ValueError, match="axes"):
        da.fft.fft(da.ones((), chunks=()))


@pytest.mark.parametrize("name", ONE_AXIS + SEVERAL_AXES)
def test_functions_of_scipy(name):
    values = np.random.default_rng(1).random((4, 6)).astype("f4")
    function = getattr(scipy.fft, name)
    wrapped = da.fft.fft_wrap(function)
    assert wrapped.__name__ == name
    # Single precision stays, as SciPy has it.
    same(wrapped(da.from_array(values, chunks=-1)), function(values))


def test_kinds_and_dtypes_can_be_given():
    def transform(a, n=None, axis=-1):
        return np.fft.rfft(a, n, axis)

    wrapped = da.fft.fft_wrap(transform, kind="rfft", dtype="c16")
    values = np.arange(12.0).reshape(3, 4)
    same(wrapped(da.from_array(values, chunks=(1, 4))), np.fft.rfft(values))


def test_legacy_functions():
    import scipy.fftpack

    with pytest.warns(FutureWarning, match="does not match NumPy's API"):
        da.fft.fft_wrap(scipy.fftpack.fft)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrapped = da.fft.fft_wrap(scipy.fftpack.fft, allow_fftpack=True)
        real = da.fft.fft_wrap(scipy.fftpack.rfft, allow_fftpack=True)
    values = np.random.default_rng(1).random(16)
    same(wrapped(values), scipy.fftpack.fft(values))
    same(real(values), scipy.fftpack.rfft(values))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 12), st.sampled_from([1.0, 0.25, 3]), st.integers(1, 5),
    st.sampled_from(["fftfreq", "rfftfreq"]),
)  # fmt: skip
def test_frequencies(n, d, chunks, name):
    if not n:
        return  # NumPy divides by it.
    lazy = getattr(da.fft, name)(n, d, chunks=chunks)
    expected = getattr(np.fft, name)(n, d)
    same(lazy, expected)
    np.testing.assert_array_equal(lazy.compute(), expected)
    assert max(lazy.chunks[0]) <= chunks


def test_frequencies_of_nothing_sensible():
    for function in (da.fft.fftfreq, da.fft.rfftfreq):
        with pytest.raises(ValueError, match="integer"):
            function(2.5)
        with pytest.raises(ValueError, match="negative"):
            function(-1)


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_shifts(name, data):
    values, lazy = data.draw(cut_arrays(1, 3))
    axes = data.draw(st.one_of(st.none(), st.integers(-values.ndim, values.ndim - 1)))
    shifted = getattr(da.fft, name)(lazy, axes)
    same(shifted, getattr(np.fft, name)(values, axes))
    for before, after in zip(lazy.chunks, shifted.chunks):
        assert (len(before) == 1) == (len(after) == 1) or 0 in before
    other = {"fftshift": da.fft.ifftshift, "ifftshift": da.fft.fftshift}[name]
    same(other(shifted, axes), values)


def test_shift_of_unknown_length():
    x = da.ones(4, chunks=2)
    x._chunks = ((np.nan, np.nan),)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        da.fft.fftshift(x)


def test_numpy_functions_take_lazy_arrays():
    values = np.random.default_rng(1).random((4, 6))
    lazy = da.from_array(values, chunks=(2, 6))
    same(np.fft.rfft(lazy), np.fft.rfft(values))
    same(np.fft.fftshift(lazy), np.fft.fftshift(values))
