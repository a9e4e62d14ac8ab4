"""Assignment to elements, compared with NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from _oracle import chunk_lengths, same
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da

# -- any index -------------------------------------------------------------------------


@st.composite
def assignments(draw):
    """An array, its chunks, an index of it (for NumPy and for lazy arrays) and a value."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    values = np.arange(np.prod(shape), dtype=draw(st.sampled_from(["i4", "f8"]))).reshape(shape)
    chunks = tuple(draw(chunk_lengths(length)) for length in shape)
    with_list = draw(st.integers(-1, len(shape) - 1))
    index, lazy_index = [], []
    for axis, length in enumerate(shape):
        bound = st.none() | st.integers(-length - 2, length + 2)
        step = st.sampled_from([None, 1, 2, 3, -1, -2, -3])
        part = draw(st.integers(-length, length - 1) | st.builds(slice, bound, bound, step))
        lazy = part
        if axis == with_list:
            if draw(st.booleans()):
                part = np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length)))
            else:
                chosen = draw(st.lists(st.integers(0, length - 1), unique=True))
                back = draw(st.booleans())
                part = np.array([n - length if back else n for n in chosen], dtype=int)
            lazy = part
            if len(shape) > 1 and len(part) and draw(st.booleans()):
                lazy = da.from_array(part, chunks=2)
        index.append(part)
        lazy_index.append(lazy)
    wanted = list(np.shape(values[tuple(index)]))
    for axis in range(len(wanted)):
        if draw(st.integers(0, 3)) == 0:
            wanted[axis] = 1
    wanted = wanted[draw(st.integers(0, len(wanted))) :] if draw(st.booleans()) else wanted
    value = -1 - np.arange(np.prod(wanted, dtype=int)).reshape(wanted)
    return values, chunks, tuple(index), tuple(lazy_index), value, draw(st.booleans())


@given(assignments())
@settings(max_examples=250)
def test_any_index(case):
    values, chunks, index, lazy_index, value, lazy_value = case
    x = da.from_array(values, chunks=chunks)
    before = x.copy()
    if lazy_value and value.ndim:
        value = da.from_array(value, chunks=2)
    x[lazy_index] = value
    expected = values.copy()
    expected[index] = np.asarray(value)
    same(x, expected)
    # Arrays that were made before are not changed, nor is NumPy's.
    same(before, values)


@given(st.data())
@settings(max_examples=50)
def test_masks_of_all_axes(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    values = np.arange(np.prod(shape)).reshape(shape)
    x = da.from_array(values, chunks=tuple(data.draw(chunk_lengths(n)) for n in shape))
    x[x % 2 == 0] = -1
    x[values % 3 == 0] = np.int64(-2)
    expected = values.copy()
    expected[values % 2 == 0] = -1
    expected[values % 3 == 0] = -2
    same(x, expected)


def test_values_of_the_array_itself():
    values = np.arange(60).reshape(6, 10)
    x = da.from_array(values, chunks=(2, 3))
    x[3:5, 5:1:-2] = -x[:2, 4:1:-2]
    x[0] = x[-1]
    x[:, 1] = x[:, -3]
    x[...] = x + 1
    expected = values.copy()
    expected[3:5, 5:1:-2] = -expected[:2, 4:1:-2]
    expected[0] = expected[-1]
    expected[:, 1] = expected[:, -3]
    expected[...] = expected + 1
    same(x, expected)


def test_results_that_are_scalars():
    x = da.zeros(4, chunks=2).sum()
    x[()] = 2
    same(x, np.array(2.0))
    y = da.from_array(np.array(9))
    y[...] = -11
    same(y, np.array(-11))


def test_read_only_chunks():
    x = da.zeros((4, 6), chunks=(2, 2))
    x[0] = 99
    expected = np.zeros((4, 6))
    expected[0] = 99
    same(x, expected)


def test_masked_values():
    values = np.arange(12).reshape(3, 4)
    x = da.from_array(values, chunks=2)
    x[1, 1:3] = np.ma.masked
    assert isinstance(x._meta, np.ma.MaskedArray)
    result = x.compute()
    expected = np.ma.array(values)
    expected[1, 1:3] = np.ma.masked
    np.testing.assert_array_equal(result.mask, expected.mask)
    np.testing.assert_array_equal(result.filled(-1), expected.filled(-1))


def test_fields():
    values = np.zeros(5, dtype=[("a", "i4"), ("b", "f8")])
    x = da.from_array(values, chunks=2)
    x["a"] = np.arange(5)
    x["b"] = 2.5
    result = x.compute()
    np.testing.assert_array_equal(result["a"], np.arange(5))
    np.testing.assert_array_equal(result["b"], np.full(5, 2.5))


def test_blocks_that_are_not_assigned_to_are_not_copied():
    x = da.ones((100,), chunks=10)
    x[15:17] = 0
    layer = x.dask.layers[x.name]
    assert sum(hasattr(task, "target") for task in dict(layer).values()) == 9


# -- what does not fit -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "value", "error", "message"),
    [
        ((slice(None), slice(None), slice(None)), 2, IndexError, "too many indices"),
        (7, 2, IndexError, "out of bounds"),
        (([0, 9],), 2, IndexError, "out of bounds"),
        ((0, [True, False, True]), 2, IndexError, "boolean index"),
        (([[True, True, False, False]], 0), 5, IndexError, "one dimension"),
        (([[1, 2, 3]], 0), 5, IndexError, "one dimension"),
        ((slice(None), 0), [2, 3, 4], ValueError, "broadcast"),
        ((0, [True, True, True, False]), [2, 3], ValueError, "broadcast"),
        (slice(None), np.zeros((2, 1, 4, 4)), ValueError, "broadcast"),
        (([1, 2], [2, 3]), 6, NotImplementedError, "more than one"),
        (True, 5, NotImplementedError, "truth value"),
        (None, 5, NotImplementedError, "axis cannot be added"),
        (1.5, 5, IndexError, "valid indices"),
        ("name", 5, IndexError, "no field"),
    ],
)
def test_bad_indices_and_values(index, value, error, message):
    x = da.ones((4, 4), chunks=2)
    name = x.name
    with pytest.raises(error, match=message):
        x[index] = value
    # An assignment that failed has changed nothing.
    assert x.name == name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "cannot convert float NaN to integer"),
        (np.inf, "cannot convert float infinity to integer"),
        ("text", "invalid literal"),
    ],
)
def test_values_that_cannot_be_converted(value, message):
    x = da.ones((3, 3), dtype=int)
    with pytest.raises(ValueError, match=message):
        x[:, 1] = value
    with pytest.raises(ValueError, match=message):
        x[x > 0] = value


def test_a_number_that_does_not_fit_the_dtype():
    x = da.ones(3, dtype="i1")
    with pytest.raises(OverflowError):
        x[1] = 300


def test_a_mask_of_all_axes_takes_one_value():
    x = da.ones((4, 4), chunks=2)
    with pytest.raises(ValueError, match=r"da\.where"):
        x[x > 1] = x
    y = da.ones(4, chunks=2)
    with pytest.raises(ValueError, match="one value"):
        y[y > 0] = [1, 2, 3, 4]
    with pytest.raises(IndexError, match="did not match"):
        x[np.ones((3, 4), dtype=bool)] = 1


def test_unknown_lengths():
    x = da.arange(10, chunks=5)
    unknown = x[x > 2]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        unknown[0] = 1
    unknown[unknown > 5] = 0
    np.testing.assert_array_equal(unknown.compute(), [3, 4, 5, 0, 0, 0, 0])


def test_a_lazy_index_that_asks_for_another_number_of_values():
    x = da.ones((4, 4), chunks=2)
    x[2, da.from_array([True, True, False, False], chunks=2)] = [1, 2, 3]
    with pytest.raises(ValueError, match="3 values along an axis cannot be assigned to 2"):
        x.compute()
    y = da.ones((4, 4), chunks=2)
    y[da.from_array([0, 7], chunks=1), 0] = 1
    with pytest.raises(IndexError, match="out of bounds"):
        y.compute()
