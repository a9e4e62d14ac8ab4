"""Arrays that are read plainly and with two axes swapped: blocks at both sides of the diagonal are
computed together, and NumPy says what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da

DTYPES = ("?", "i1", "u2", "i4", "i8", "u8", "f2", "f4", "f8", "c8", "c16")
LAYOUTS = ("C", "F", "backward", "sparse")
CHAINS = {
    "sum": lambda x, y: x + y,
    "product": lambda x, y: (x * y + x) * 2,
    "comparison": lambda x, y: x == y,
    "one and a cast": lambda x, y: y.astype("f8") + x,
}
REDUCTIONS = ("sum", "mean", "var", "min", "max", "any", "all", "argmin", "argmax")


def values_of(shape, dtype, layout, seed):
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    values = random.integers(0, 40, shape).astype(dtype)
    if dtype.kind in "fc" and values.size and random.random() < 0.3:
        values.reshape(-1)[random.integers(0, values.size)] = np.nan
    if layout == "F":
        return np.asfortranarray(values)
    if layout == "backward":
        return np.flip(np.flip(values).copy())
    if layout == "sparse":
        wide = np.zeros(tuple(2 * n for n in shape), dtype)
        part = wide[tuple(slice(None, None, 2) for _ in shape)]
        part[...] = values
        return part
    return values


@st.composite
def cuts(draw, length):
    """Blocks that add up to a length, often of one size."""
    if draw(st.booleans()):
        return draw(st.integers(1, length))
    edges = sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=4))})
    return tuple(b - a for a, b in zip(edges, edges[1:]))


@st.composite
def cases(draw):
    ndim = draw(st.sampled_from([2, 2, 3]))
    one, other = sorted(draw(st.permutations(range(ndim)))[:2])
    shape = [draw(st.integers(1, 9)) for _ in range(ndim)]
    shape[one] = shape[other] = draw(st.integers(1, 150 if ndim == 2 else 45))
    values = values_of(
        shape,
        draw(st.sampled_from(DTYPES)),
        draw(st.sampled_from(LAYOUTS)),
        draw(st.integers(0, 99)),
    )
    chunks = [draw(cuts(length)) for length in shape]
    if draw(st.booleans()):
        chunks[other] = chunks[one]
    return values, da.from_array(values, chunks=tuple(chunks)), (one, other)


def close(found, expected):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    tolerance = {2: 2e-3, 4: 1e-5}.get(found.dtype.itemsize, 1e-10)
    if found.dtype == "c8":
        tolerance = 1e-5
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@given(cases(), st.sampled_from(sorted(CHAINS)))
@settings(max_examples=150, deadline=None)
def test_results_that_are_written(case, name):
    values, lazy, axes = case
    chain = CHAINS[name]
    with np.errstate(all="ignore"):
        expected = chain(values, values.swapaxes(*axes))
    found = chain(lazy, lazy.swapaxes(*axes)).compute()
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@given(cases(), st.sampled_from(sorted(CHAINS)), st.sampled_from(REDUCTIONS), st.data())
@settings(max_examples=250, deadline=None)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_reductions(case, name, reduction, data):
    values, lazy, axes = case
    chain = CHAINS[name]
    choices = [None, *range(values.ndim)]
    if not reduction.startswith("arg"):
        choices.append(axes)
    axis = data.draw(st.sampled_from(choices))
    if reduction in ("min", "max") and values.dtype.kind == "c":
        reduction = "sum"
    expected = getattr(chain(values, values.swapaxes(*axes)), reduction)(axis=axis)
    found = getattr(chain(lazy, lazy.swapaxes(*axes)), reduction)(axis=axis).compute()
    if np.asarray(expected).dtype.kind in "biu":
        np.testing.assert_array_equal(found, expected)
    elif values.dtype == "f2" and not np.isfinite(expected).all():
        # Half precision overflows where it is added up in another order.
        return
    else:
        close(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_every_scheduler(scheduler):
    values = values_of((130, 130), "f8", "C", 2)
    lazy = da.from_array(values, chunks=(50, 40))
    both = lazy * 3 + lazy.T
    mean, most = both.mean(axis=0), both.max(axis=0)
    expected = values * 3 + values.T
    close(both.compute(scheduler=scheduler), expected)
    found = da.compute(mean, most, scheduler=scheduler)
    close(found[0], expected.mean(axis=0))
    close(found[1], expected.max(axis=0))


def test_a_part_of_the_result():
    values = values_of((120, 120), "f8", "C", 3)
    lazy = da.from_array(values, chunks=30)
    both = lazy + lazy.T
    expected = values + values.T
    close(both.mean(axis=0)[35:61].compute(), expected.mean(axis=0)[35:61])
    close(both[30:90, :30].sum(axis=1).compute(), expected[30:90, :30].sum(axis=1))
    close(both.blocks[2, 1].compute(), expected[60:90, 30:60])


def test_positions_in_the_chain():
    """Progressions count along the axes of each block, also of the mirrored one."""
    values = values_of((90, 90), "f8", "C", 4)
    lazy = da.from_array(values, chunks=40)
    rows = da.arange(90, chunks=40)[:, None]
    expected = values * np.arange(90)[:, None] + values.T
    close((lazy * rows + lazy.T).sum(axis=1).compute(), expected.sum(axis=1))
    close((lazy * rows + lazy.T).compute(), expected)


def test_a_mapped_file(tmp_path):
    values = values_of((200, 200), "f8", "C", 5)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    lazy = da.from_array(mapped, chunks=64)
    both = lazy + lazy.T
    close(both.sum(axis=0).compute(memory_limit=100_000), (values + values.T).sum(axis=0))
