"""Padding in every mode, against NumPy."""

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

PLAIN = ("constant", "edge", "linear_ramp", "maximum", "mean", "median", "minimum", "wrap")


def widths(data, ndim):
    pair = st.tuples(st.integers(0, 9), st.integers(0, 9))
    return data.draw(st.one_of(
        st.integers(0, 5), pair, st.lists(pair, min_size=ndim, max_size=ndim)
    ))  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(data=st.data(), mode=st.sampled_from(PLAIN))
def test_plain_modes(data, mode):
    a, x = data.draw(cut_arrays(
        min_dims=1, max_dims=2, min_length=1, nan=False, dtypes=("i4", "u2", "f8", "f4")
    ))  # fmt: skip
    width = widths(data, a.ndim)
    same(da.pad(x, width, mode), np.pad(a, width, mode))


@settings(max_examples=50, deadline=None)
@given(data=st.data(), mode=st.sampled_from(("reflect", "symmetric")))
def test_reflections(data, mode):
    a, x = data.draw(cut_arrays(min_dims=1, max_dims=2, min_length=1, dtypes=("i8", "f8")))
    width = widths(data, a.ndim)
    same(da.pad(x, width, mode), np.pad(a, width, mode))
    odd = {"reflect_type": "odd"}
    if a.dtype.kind == "i" or not np.isnan(a).any():
        same(da.pad(x, width, mode, **odd), np.pad(a, width, mode, **odd))


def test_odd_reflection_spreads_no_nan():
    a = np.array([np.nan, 0.0, 5.0, 7.0])
    x = da.from_array(a, chunks=2)
    for mode in ("reflect", "symmetric"):
        same(
            da.pad(x, (0, 2), mode, reflect_type="odd"), np.pad(a, (0, 2), mode, reflect_type="odd")
        )


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_options(data):
    a, x = data.draw(cut_arrays(min_dims=2, max_dims=2, min_length=1, nan=False, dtypes=("f8",)))
    width = widths(data, 2)
    values = data.draw(st.sampled_from([3, (1, 2), ((1, 2), (3, 4))]))
    for mode, name in (("constant", "constant_values"), ("linear_ramp", "end_values")):
        same(da.pad(x, width, mode, **{name: values}), np.pad(a, width, mode, **{name: values}))
    for mode in ("maximum", "mean", "median", "minimum"):
        options = {"stat_length": values}
        same(da.pad(x, width, mode, **options), np.pad(a, width, mode, **options))


def test_empty_keeps_what_there_is():
    x = da.pad(da.arange(5, chunks=2), (2, 3), "empty")
    assert x.shape == (10,)
    same(x[2:7], np.arange(5))


def test_function():
    def mark(vector, width, axis, keywords):
        vector[: width[0]] = keywords["value"] + axis
        vector[len(vector) - width[1] :] = vector[width[0]]

    a = np.arange(12.0).reshape(3, 4)
    got = da.pad(da.from_array(a, chunks=2), ((1, 2), (0, 3)), mark, value=5)
    same(got, np.pad(a, ((1, 2), (0, 3)), mark, value=5))


def test_dtypes_without_numbers():
    a = np.array(["2000-01-01", "2001-02-03"], dtype="M8[D]")
    x = da.from_array(a, chunks=1)
    when = np.datetime64("1999-01-01")
    same(da.pad(x, 1, constant_values=when), np.pad(a, 1, constant_values=when))
    same(da.pad(x, 2, "edge"), np.pad(a, 2, "edge"))


def test_width_by_axis_and_blocks():
    x = da.ones((4, 4), chunks=2)
    padded = da.pad(x, {1: (3, 5)})
    assert padded.chunks == ((2, 2), (2, 1, 2, 2, 2, 2, 1))
    assert da.pad(x, 0, "edge") is x


def test_errors():
    x = da.ones(4, chunks=2)
    with pytest.raises(ValueError, match="not supported"):
        da.pad(x, 1, "no")
    with pytest.raises(ValueError, match="unsupported keyword"):
        da.pad(x, 1, "edge", constant_values=1)
    with pytest.raises(ValueError, match="negative"):
        da.pad(x, -1)
    with pytest.raises(ValueError, match="empty axis"):
        da.pad(x[:0], 1, "edge")
    with pytest.raises(ValueError, match="not known"):
        da.pad(x[x > 0], 1)
    with pytest.raises(TypeError, match="integral"):
        da.pad(x, 1.5)
