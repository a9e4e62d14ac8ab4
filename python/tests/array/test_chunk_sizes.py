"""How arrays are cut: all the ways to say it, and what is chosen automatically."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samite import config
from samite.array.chunks import common_chunks, normalize_chunks, normalize_chunks_cached


@pytest.mark.parametrize("normalize", [normalize_chunks, normalize_chunks_cached])
@pytest.mark.parametrize(
    ("chunks", "shape", "expected"),
    [
        (3, (4, 6), ((3, 1), (3, 3))),
        (((3, 3), (8,)), (6, 8), ((3, 3), (8,))),
        ((4, 5), (9,), ((4, 5),)),
        ((4, 5), (9, 9), ((4, 4, 1), (5, 4))),
        (-1, (5, 5), ((5,), (5,))),
        ((3, None), (5, 5), ((3, 2), (5,))),
        (10, (30, 5), ((10, 10, 10), (5,))),
        ((), (0, 0), ((0,), (0,))),
        (-1, (0, 3), ((0,), (3,))),
        (3.0, (7,), ((3, 3, 1),)),
        (np.int64(3), (7,), ((3, 3, 1),)),
        ((5, (5, 5)), (10, 10), ((5, 5), (5, 5))),
        ((1,), (), ()),
    ],
)
def test_ways_to_say_it(normalize, chunks, shape, expected):
    assert normalize(chunks, shape) == expected


def test_by_axis():
    assert normalize_chunks({0: 3}, (5, 5)) == ((3, 2), (5,))


def test_unknown_lengths_are_equal():
    assert normalize_chunks(((float("nan"), float("nan")),)) == ((np.nan, np.nan),)


@pytest.mark.parametrize(
    ("chunks", "shape", "message"),
    [
        (0, (10,), "blocks of 0"),
        (-2, (10,), "blocks of -2"),
        (((5, -5, 10),), (10,), "negative"),
        (3.5, (10,), "integers"),
        (((10,),), (11,), "do not add up"),
        (((5,), (5,)), (5,), "same length"),
        ((2,), (5, 5), "same length"),
        (((),), (0,), "Empty tuples"),
        (None, (5,), "have to be given"),
        ((3, 2), None, "without a shape"),
        (5, (np.nan,), "unknown"),
        ("five", (5,), "Could not interpret"),
    ],
)
def test_what_does_not_fit(chunks, shape, message):
    with pytest.raises(ValueError, match=message):
        normalize_chunks(chunks, shape, dtype="u1")


def test_dtypes_without_a_size():
    with pytest.raises(TypeError, match="dtype"):
        normalize_chunks("auto", (10,))
    with pytest.raises(NotImplementedError, match="Python objects"):
        normalize_chunks("auto", (10,), dtype=object)


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=4),
    st.integers(1, 5000),
    st.sampled_from(["u1", "f8", "c16"]),
)
@settings(max_examples=200)
def test_automatic_chunks_stay_below_the_limit(shape, limit, dtype):
    chunks = normalize_chunks("auto", tuple(shape), limit=limit, dtype=dtype)
    assert tuple(map(sum, chunks)) == tuple(shape)
    size = np.dtype(dtype).itemsize
    largest = math.prod(max(sizes) for sizes in chunks)
    assert largest * size <= max(limit, size)
    # Twice the blocks along some axis would have been too many, unless nothing is left to join.
    if all(shape) and any(len(sizes) > 1 for sizes in chunks):
        assert largest * size * 2 ** len(shape) * 2 > limit


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(1, 40)), min_size=1, max_size=3),
    st.integers(50, 20_000),
)
@settings(max_examples=200)
def test_automatic_chunks_are_multiples_of_stored_ones(axes, limit):
    shape = tuple(length for length, _ in axes)
    stored = tuple(size for _, size in axes)
    chunks = normalize_chunks("auto", shape, limit=limit, dtype="u1", previous_chunks=stored)
    assert tuple(map(sum, chunks)) == shape
    if math.prod(stored) <= limit:
        for sizes, size in zip(chunks, stored):
            assert len(sizes) == 1 or sizes[0] % size == 0 or sizes[0] < size


def test_growth_keeps_the_form_of_stored_chunks():
    chunks = normalize_chunks(
        "auto", (1000, 1000), limit="1MiB", dtype="f8", previous_chunks=(32, 64)
    )
    assert chunks == ((256, 256, 256, 232), (512, 488))


def test_chunks_that_are_hardly_too_large_are_kept():
    before = ((36, 12), (720,), (1440,))
    arguments = {"dtype": "f4", "previous_chunks": before, "limit": 134217728}
    assert normalize_chunks("auto", (48, 720, 1440), **arguments) == before
    with config.set({"array.chunk-size-tolerance": 1.05}):
        assert normalize_chunks("auto", (48, 720, 1440), **arguments) != before


def test_sizes_in_bytes():
    assert normalize_chunks("800B", (500,), dtype="f8") == ((100,) * 5,)
    assert normalize_chunks((5, "200B"), (10, 10), dtype="f8") == ((5, 5), (5, 5))
    with pytest.raises(ValueError, match="different limits"):
        normalize_chunks(("100B", "10B"), (10, 10), dtype="f8")
    with pytest.raises(ValueError, match="contradict"):
        normalize_chunks("10B", (10,), limit=20, dtype="f8")


def test_the_setting_of_the_limit():
    for normalize in (normalize_chunks, normalize_chunks_cached):
        with config.set({"array.chunk-size": "10B"}):
            assert normalize("auto", (20,), dtype="u1") == ((10, 10),)
        with config.set({"array.chunk-size": "5B"}):
            assert normalize("auto", (20,), dtype="u1") == ((5,) * 4,)


def test_common_chunks():
    assert common_chunks([(5, 2, 3), (2, 3, 5)]) == (2, 3, 2, 3)
    with pytest.raises(ValueError, match="do not add up"):
        common_chunks([(5,), (6,)])
