"""Arrays that the engine computes, compared with NumPy and with the general path on chunks."""

from __future__ import annotations

import operator
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import samite
import samite.array as da
from samite import exceptions

DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
BINARY = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.eq, operator.lt),
    *(operator.ge, np.maximum, np.minimum, np.logical_and, np.arctan2, np.hypot, np.fmax),
    *(operator.floordiv, operator.mod),
]
UNARY = [
    *(operator.neg, abs, np.sqrt, np.exp, np.isnan, np.isfinite, np.sign, np.square, np.floor),
    *(np.conj, np.signbit, np.logical_not, np.log1p, np.cos),
]
REDUCTIONS = [
    *("sum", "prod", "min", "max", "any", "all", "mean", "var", "std", "argmin", "argmax"),
    *("nansum", "nanprod", "nanmin", "nanmax", "nanmean", "nanvar", "nanstd"),
]


def elements(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        small = st.integers(-4, 4).map(float)
        return st.builds(complex, small, st.one_of(small, st.just(np.nan)))
    if dtype.kind == "f":
        special = st.sampled_from([0.0, -0.0, 1.0, -1.5, np.nan, np.inf, -np.inf])
        return st.one_of(special, st.integers(-50, 50).map(lambda n: n / 4))
    return None


@st.composite
def arrays(draw, dtype=None, shape=None):
    dtype = dtype or draw(st.sampled_from(DTYPES))
    if shape is None:
        shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7))
    values = draw(hnp.arrays(dtype, shape, elements=elements(dtype)))
    layout = draw(st.sampled_from(["C", "F", "reversed", "strided"]))
    if layout == "F":
        values = np.asfortranarray(values)
    elif layout == "reversed" and values.ndim:
        values = values[::-1]
    elif layout == "strided" and values.ndim:
        values = np.repeat(values, 2, axis=-1)[..., ::2]
    return values


@st.composite
def cuts(draw, shape):
    chunks = []
    for length in shape:
        sizes = []
        while sum(sizes) < length:
            sizes.append(draw(st.integers(1, length - sum(sizes))))
        chunks.append(tuple(sizes) or (0,))
    return tuple(chunks)


@st.composite
def lazy_pairs(draw, **kwargs):
    """Values, and the lazy array of them that the engine knows."""
    values = draw(arrays(**kwargs))
    x = da.from_array(values, chunks=draw(cuts(values.shape)))
    assert x._expr is not None
    return values, x


def general(x):
    """The same array on the general path: its chunks go through a function of Python's."""
    return x.map_blocks(lambda block: block, dtype=x.dtype, meta=x._meta)


def check(lazy, wanted, rtol=None):
    found = lazy.compute()
    assert np.shape(found) == np.shape(wanted)
    assert np.asarray(found).dtype == np.asarray(wanted).dtype == lazy.dtype
    if rtol is None:
        rtol = {"float16": 2e-2, "float32": 2e-5, "complex64": 2e-5}.get(str(lazy.dtype), 1e-11)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * 10, equal_nan=True)


def quiet():
    return np.errstate(all="ignore")


common = settings(deadline=None, max_examples=60)


@common
@given(lazy_pairs(), st.sampled_from(UNARY))
def test_functions_of_one_argument(pair, function):
    values, x = pair
    with quiet():
        try:
            wanted = function(values)
        except TypeError:
            return
        check(function(x), wanted)
        check(function(general(x)), wanted)


@common
@given(st.data(), st.sampled_from(BINARY))
def test_functions_of_two_arguments(data, function):
    values, x = data.draw(lazy_pairs())
    keep = data.draw(st.lists(st.booleans(), min_size=values.ndim, max_size=values.ndim))
    shape = tuple(n if kept else 1 for n, kept in zip(values.shape, keep))
    shape = shape[data.draw(st.integers(0, len(shape))) :]
    other, y = data.draw(lazy_pairs(shape=shape))
    with quiet():
        try:
            wanted = function(values, other)
        except TypeError:
            return
        check(function(x, y), wanted)
        scalar = data.draw(st.sampled_from([2, -3, 0, 1.5, True, np.float32(0.5), np.int8(3)]))
        try:
            wanted = function(values, scalar)
        except (TypeError, OverflowError):
            return
        check(function(x, scalar), wanted)


@common
@given(lazy_pairs(), st.data(), st.sampled_from(REDUCTIONS))
def test_reductions(pair, data, name):
    values, x = pair
    function = getattr(np, name)
    axes = st.none() | st.integers(-values.ndim, max(values.ndim - 1, -values.ndim))
    axis = data.draw(axes if values.ndim else st.none())
    keepdims = data.draw(st.booleans())
    with quiet(), np.testing.suppress_warnings() as noise:
        noise.filter(RuntimeWarning)
        try:
            wanted = function(values, axis=axis, keepdims=keepdims)
        except (TypeError, ValueError):
            return
        # A sum of 16-bit numbers depends on its order in most of its digits.
        if values.dtype == np.float16 and name in ("prod", "nanprod", "var", "std"):
            return
        lazy = getattr(da, name)(x, axis=axis, keepdims=keepdims)
        loose = 2e-3 if values.dtype.itemsize <= 4 and values.dtype.kind in "fc" else 1e-9
        if values.dtype == np.float16 or values.dtype == np.complex64:
            loose = 5e-2
        check(lazy, wanted, rtol=loose)


@common
@given(lazy_pairs(), st.data())
def test_selections(pair, data):
    values, x = pair
    index = data.draw(
        hnp.basic_indices(values.shape, allow_newaxis=True, allow_ellipsis=True, max_dims=6)
    )
    check((x + x)[index], (values + values)[index])
    axes = data.draw(st.permutations(range(values.ndim)))
    check(x.transpose(axes), values.transpose(axes))
    again = data.draw(cuts(values.shape))
    check((x * x).rechunk(again)[index], (values * values)[index])
    if values.ndim and values.shape[0]:
        positions = data.draw(st.lists(st.integers(0, values.shape[0] - 1), min_size=1))
        check(x[positions], values[positions])


@common
@given(lazy_pairs(), st.data())
def test_running_totals_and_joins(pair, data):
    values, x = pair
    if not values.ndim:
        return
    axis = data.draw(st.integers(0, values.ndim - 1))
    with quiet():
        loose = 5e-2 if values.dtype.itemsize <= 4 and values.dtype.kind in "fc" else 1e-9
        if values.dtype != np.float16:
            check(da.cumsum(x, axis=axis), np.cumsum(values, axis=axis), rtol=loose)
        joined = np.concatenate([values, values[::-1]], axis=axis)
        check(da.concatenate([x, x[::-1]], axis=axis), joined)
        check(da.stack([x, x], axis=axis), np.stack([values, values], axis=axis))
        check(x.ravel(), values.ravel())


@common
@given(lazy_pairs(), st.sampled_from(DTYPES))
def test_conversions(pair, dtype):
    values, x = pair
    if values.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        return
    with quiet():
        finite = values.dtype.kind not in "fc" or np.isfinite(values).all()
        if np.dtype(dtype).kind in "iu" and (not finite or (values.real < 0).any()):
            # What becomes of these depends on the processor, in NumPy too.
            return
        check(x.astype(dtype), values.astype(dtype))


@pytest.mark.parametrize("scheduler", ["threads", "synchronous", "processes"])
def test_every_scheduler(scheduler):
    values = np.random.default_rng(0).normal(size=(40, 30))
    x = da.from_array(values, chunks=(7, 11))
    lazy = (da.sqrt(abs(x)) + x.mean(axis=0)).T[::2].std(axis=1)
    wanted = (np.sqrt(abs(values)) + values.mean(axis=0)).T[::2].std(axis=1)
    np.testing.assert_allclose(lazy.compute(scheduler=scheduler), wanted)
    mixed = (lazy.map_blocks(np.sin) + lazy).compute(scheduler=scheduler)
    np.testing.assert_allclose(mixed, np.sin(wanted) + wanted)


def test_foreign_byte_orders_and_other_dtypes_go_the_general_way():
    for dtype in (">f8", ">i2", "M8[s]", "U3", object):
        values = np.arange(6).astype(dtype)
        x = da.from_array(values, chunks=4)
        assert x._expr is None
        np.testing.assert_array_equal(x[::-1].compute(), values[::-1])
    values = np.arange(6, dtype=">f8")
    assert da.from_array(values, chunks=4).sum().compute() == 15


def test_deep_chains_neither_recurse_nor_slow_down():
    x = da.ones(10, chunks=5)
    for _ in range(3000):
        x = x + 1
    assert x.sum().compute() == 30010
    y = x[2:4]
    assert y.compute().tolist() == [3001, 3001]
    del x, y


def test_reductions_of_nothing():
    x = da.from_array(np.zeros((0, 3)), chunks=2)
    assert x.sum().compute() == 0 and x.prod().compute() == 1
    assert x.sum(axis=0).compute().tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="zero-size array"):
        x.max()
    with pytest.raises(ValueError, match="empty sequence"):
        x.argmax(axis=0)
    with np.testing.suppress_warnings() as noise:
        noise.filter(RuntimeWarning)
        assert np.isnan(x.mean().compute())


def test_results_are_the_users_own():
    values = np.arange(12.0)
    x = da.from_array(values, chunks=4)
    values[:] = -1
    first = x.compute()
    first[0] = 99
    assert x.compute()[0] == 0
    kept = x.persist()
    one = kept.rechunk(12).persist()
    for lazy in (kept, one, one[2:5], da.ones(3, chunks=3), da.broadcast_to(x[:1], (4,))):
        result = lazy.compute()
        result[...] = 77
        assert (lazy.compute() != 77).all()


def test_a_selection_reads_no_more_than_it_needs():
    x = da.random.default_rng(0).normal(size=(1000, 1000), chunks=100)
    y = (x + 1)[5:7, 3:4]
    assert y.npartitions == 1
    assert len(y.dask) < 5
    assert "getitem" in y.explain() and "1000" in y.explain()


def test_what_is_larger_than_memory_goes_through_a_file(tmp_path):
    x = da.random.default_rng(0).normal(size=(1200, 1200), chunks=(1200, 12))
    wanted = x.compute()
    with samite.config.set({"temporary-directory": str(tmp_path)}):
        rows = (x.rechunk((12, 1200)) * 2).sum(axis=1)
        np.testing.assert_allclose(rows.compute(memory_limit="3 MB"), wanted.sum(axis=1) * 2)
        turned = x[::-1, 7:].rechunk((77, 313)).max(axis=0)
        np.testing.assert_array_equal(
            turned.compute(memory_limit="3 MB"), wanted[:, 7:].max(axis=0)
        )
    assert not list(tmp_path.iterdir())
    with pytest.raises(exceptions.MemoryLimitError, match="results take 11520000 bytes"):
        x.compute(memory_limit="3 MB")


def test_a_full_disk_is_an_error(tmp_path):
    x = da.random.default_rng(0).normal(size=(1200, 1200), chunks=(1200, 12)).rechunk((12, 1200))
    missing = str(tmp_path / "missing")
    with samite.config.set({"temporary-directory": missing}), pytest.raises(OSError):
        x.sum().compute(memory_limit="3 MB")


def test_pickled_expressions_are_equal():
    x = da.from_array(np.arange(10.0), chunks=3)
    y = da.random.default_rng(1).uniform(size=10, chunks=3)
    lazy = da.concatenate([(x + y).cumsum(), x[::-2], y.reshape(5, 2).sum(axis=1)])
    copy = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(copy.compute(), lazy.compute())
    assert copy.name == lazy.name


def test_interrupts_are_answered():
    code = textwrap.dedent(
        """
        import samite.array as da, sys
        x = da.random.default_rng(0).normal(size=(200_000, 20_000), chunks=2000)
        print("running", flush=True)
        try:
            da.sin(da.exp(x)).sum().compute()
        except KeyboardInterrupt:
            print("stopped", flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "running\n"
    try:
        child.wait(timeout=1.5)
    except subprocess.TimeoutExpired:
        pass
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=20)
    assert out == "stopped\n"


def test_stored_arrays_larger_than_memory_go_through_a_file(tmp_path):
    x = da.random.default_rng(0).normal(size=(1200, 1200), chunks=(1200, 12))
    target = np.zeros((1200, 1200))
    da.store(x.rechunk((12, 1200)), target, compute=False).compute(memory_limit="3 MB")
    np.testing.assert_array_equal(target, x.compute())
