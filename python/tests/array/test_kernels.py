"""Functions of whole chunks against NumPy and SciPy, for all layouts of memory."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
import scipy.linalg
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from samite._engine import _dense as dense
from samite.array import kernels

FLOATS = ["f4", "f8", "c8", "c16"]
REALS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"]
TOLERANCE = {"f": 2e-4, "d": 1e-9, "F": 2e-4, "D": 1e-9}

quick = settings(max_examples=60, deadline=None)


def laid(array, how):
    """The same elements, otherwise in memory."""
    if how == "transposed":
        return np.asfortranarray(array)
    if how == "negative":
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1] if array.ndim else array
    if how == "sparse":
        wide = np.zeros(tuple(2 * n for n in array.shape), dtype=array.dtype)
        part = wide[tuple(slice(0, 2 * n, 2) for n in array.shape)]
        part[...] = array
        return part
    if how == "unaligned":
        memory = np.zeros(array.nbytes + 1, dtype="u1")
        part = memory[1:].view(array.dtype).reshape(array.shape)
        part[...] = array
        return part
    if how == "foreign":
        return array.astype(array.dtype.newbyteorder(">"))
    if how == "subclass":
        return array.view(np.matrix) if array.ndim == 2 else array
    return array


layouts = st.sampled_from(["plain", "transposed", "negative", "sparse", "unaligned", "foreign"])


def numbers(shape, dtype, seed):
    random = np.random.default_rng(seed)
    values = random.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * random.standard_normal(shape)
    return np.asarray(values, dtype=dtype)


def some_values(shape, dtype, seed, special=True):
    """Few different values, so that many are equal, with NaN and infinities among floats."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 9, shape).astype(dtype)
    if special and np.dtype(dtype).kind in "fc" and values.size:
        flat = values.reshape(-1)
        for value in (np.nan, np.inf, -np.inf, -0.0):
            if random.random() < 0.4:
                flat[random.integers(0, flat.size)] = value
    return values


def close(found, wanted, scale=1.0):
    assert np.dtype(found.dtype) == np.dtype(wanted.dtype)
    assert found.shape == wanted.shape
    tolerance = TOLERANCE.get(found.dtype.char, 1e-9)
    assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale)


seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(0, 9)


# -- products ----------------------------------------------------------------------------


@quick
@given(st.sampled_from([*FLOATS, *REALS]), lengths, lengths, lengths, layouts, layouts, seeds)
def test_products_of_matrices(dtype, m, n, k, one, other, seed):
    a = laid(some_values((m, n), dtype, seed, special=False), one)
    b = laid(some_values((n, k), dtype, seed + 1, special=False), other)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wanted = np.matmul(a, b)
        close(kernels.matmul(a, b), wanted)
        close(kernels.dot(a, b), np.dot(a, b))
        close(kernels.tensordot(a, b, ((1,), (0,))), wanted)


@quick
@given(
    st.sampled_from(FLOATS),
    st.sampled_from([((2, 3), (3, 4)), ((2, 2, 3), (2, 3, 1)), ((2, 3), (5, 3, 2)),
                     ((4, 1, 2, 3), (3, 3, 2)), ((0, 2, 3), (3, 2)), ((3,), (3, 2)), ((3,), (3,))]),
    layouts, seeds,
)  # fmt: skip
def test_products_of_stacks(dtype, shapes, layout, seed):
    a, b = (laid(numbers(shape, dtype, seed), layout) for shape in shapes)
    close(np.asarray(kernels.matmul(a, b)), np.asarray(np.matmul(a, b)))


@quick
@given(
    st.sampled_from([*FLOATS, "i8"]),
    st.sampled_from([((2, 3, 4), (4, 3), ((1, 2), (1, 0))), ((2, 3), (3, 5, 2), ((0, 1), (2, 0))),
                     ((2, 3), (2, 3), ((0, 1), (0, 1))), ((2,), (3,), ((), ())),
                     ((2, 3), (2,), ((-2,), (0,))), ((0, 3), (3, 2), (1, 0)),
                     ((2, 0), (0, 3), ((1,), (0,)))]),
    layouts, seeds,
)  # fmt: skip
def test_products_of_tensors(dtype, case, layout, seed):
    first, second, axes = case
    a = laid(np.asarray(numbers(first, "f8", seed) * 9, dtype=dtype), layout)
    b = laid(np.asarray(numbers(second, "f8", seed + 1) * 9, dtype=dtype), layout)
    found, wanted = kernels.tensordot(a, b, axes), np.tensordot(a, b, axes)
    close(np.asarray(found), np.asarray(wanted), 100)


def test_products_of_what_does_not_fit():
    a = np.ones((2, 3))
    for function, args in [
        (kernels.matmul, (a, a)),
        (kernels.matmul, (np.ones((2, 3, 4)), np.ones((3, 4, 2)))),
        (kernels.dot, (a, a)),
        (kernels.tensordot, (a, a, ((1,), (0,)))),
    ]:
        with pytest.raises(ValueError):
            function(*args)


def test_products_of_mixed_dtypes_and_subclasses():
    a = np.arange(6).reshape(2, 3)
    close(kernels.matmul(a, np.ones((3, 2))), a @ np.ones((3, 2)))
    matrix = kernels.matmul(np.asmatrix(a), np.ones((3, 2)))
    assert type(matrix) is np.matrix
    masked = np.ma.masked_array(np.ones((2, 2)), mask=[[0, 1], [0, 0]])
    assert type(kernels.matmul(masked, masked)) is np.ma.MaskedArray


# -- factorizations ----------------------------------------------------------------------


@quick
@given(st.sampled_from([*FLOATS, "i4", "?"]), lengths, lengths, layouts, seeds)
def test_qr(dtype, m, n, layout, seed):
    a = laid(
        np.asarray(numbers((m, n), "c16" if dtype[0] == "c" else "f8", seed) * 3).astype(dtype),
        layout,
    )
    q, r = kernels.qr(a)
    wanted = np.linalg.qr(a)
    assert (q.dtype, r.dtype, q.shape, r.shape) == (
        wanted[0].dtype, wanted[1].dtype, wanted[0].shape, wanted[1].shape,
    )  # fmt: skip
    scale = 1 + abs(a).max(initial=0)
    close(q @ r, a.astype(q.dtype), scale * 10)
    close(q.conj().T @ q, np.eye(q.shape[1], dtype=q.dtype), 10)
    assert_array_equal(np.tril(r, -1), 0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_qr_of_tall_matrices(dtype):
    a = numbers((20_000, 12), dtype, 3)
    a[:, 5] = a[:, 4]
    q, r = kernels.qr(a)
    close(q @ r, a, 100)
    close(q.conj().T @ q, np.eye(12, dtype=dtype), 10)


@quick
@given(st.sampled_from([*FLOATS, "i4"]), lengths, lengths, layouts, st.booleans(), seeds)
def test_svd(dtype, m, n, layout, full, seed):
    a = laid(
        np.asarray(numbers((m, n), dtype if dtype[0] != "i" else "f8", seed) * 3).astype(dtype),
        layout,
    )
    assume(m and n)
    found, wanted = kernels.svd(a, full_matrices=full), np.linalg.svd(a, full_matrices=full)
    for one, other in zip(found, wanted):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
    u, s, vh = found
    close(s, wanted[1], 10)
    k = len(s)
    close(u[:, :k] * s @ vh[:k], a.astype(u.dtype), 50)
    close(u.conj().T @ u, np.eye(u.shape[1], dtype=u.dtype), 10)
    close(vh @ vh.conj().T, np.eye(vh.shape[0], dtype=u.dtype), 10)


def test_svd_of_what_is_not_finite():
    a = np.ones((3, 2))
    a[1, 1] = np.nan
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.svd(a, full_matrices=False)
    with pytest.raises(np.linalg.LinAlgError):
        kernels.svd(a, full_matrices=False)


def positive(n, dtype, seed):
    a = numbers((n, n), dtype, seed)
    return (a @ a.conj().T + n * np.eye(n)).astype(dtype)


@quick
@given(st.sampled_from(FLOATS), st.integers(1, 9), layouts, st.booleans(), seeds)
def test_cholesky(dtype, n, layout, lower, seed):
    a = laid(positive(n, dtype, seed), layout)
    close(kernels.cholesky(a, lower=lower), scipy.linalg.cholesky(a, lower=lower).astype(dtype), n)


@quick
@given(st.sampled_from(FLOATS), st.integers(1, 9), st.integers(1, 9), layouts, seeds)
def test_lu(dtype, m, n, layout, seed):
    a = laid(numbers((m, n), dtype, seed), layout)
    rows, lower, upper = kernels.lu(a)
    wanted = scipy.linalg.lu(a.astype(dtype), p_indices=True)
    assert_array_equal(rows, wanted[0])
    close(lower, wanted[1].astype(dtype), 20)
    close(upper, wanted[2].astype(dtype), 20)


@quick
@given(
    st.sampled_from(FLOATS), st.integers(1, 9), st.integers(0, 4), layouts, st.booleans(),
    st.sampled_from([0, 1, 2, "N", "T", "C"]), st.booleans(), seeds,
)  # fmt: skip
def test_solve_triangular(dtype, n, k, layout, lower, trans, unit, seed):
    a = laid(positive(n, dtype, seed) / n, layout)
    b = laid(numbers((n, k) if k else (n,), dtype, seed), layout)
    options = {"trans": trans, "lower": lower, "unit_diagonal": unit}
    wanted = scipy.linalg.solve_triangular(a, b, **options).astype(dtype)
    close(kernels.solve_triangular(a, b, **options), wanted, abs(wanted).max() + 1)


@quick
@given(st.sampled_from([*FLOATS, "i8"]), st.integers(1, 8), layouts, seeds)
def test_square_matrices(dtype, n, layout, seed):
    a = laid(positive(n, dtype, seed), layout)
    b = laid(numbers((n, 3), "f8", seed).astype(dtype), layout)
    close(kernels.inv(a), np.linalg.inv(a))
    close(kernels.solve(a, b), np.linalg.solve(a, b))
    close(kernels.solve(a, b[:, 0]), np.linalg.solve(a, b[:, 0]))
    wanted = np.linalg.det(a)
    close(np.asarray(kernels.det(a)), np.asarray(wanted), abs(wanted))
    for found, wanted in zip(kernels.slogdet(a), np.linalg.slogdet(a)):
        close(np.asarray(found), np.asarray(wanted))
    values, vectors = kernels.eigh(a)
    close(values, np.linalg.eigh(a)[0], n * n)
    close(vectors * values @ vectors.conj().T, np.asarray(a).astype(vectors.dtype), 10 * n)


@pytest.mark.parametrize(
    "function, args, error",
    [
        ("inv", (np.zeros((2, 2)),), np.linalg.LinAlgError),
        ("inv", (np.ones((2, 3)),), np.linalg.LinAlgError),
        ("solve", (np.zeros((2, 2)), np.ones(2)), np.linalg.LinAlgError),
        ("cholesky", (-np.eye(2),), np.linalg.LinAlgError),
        ("cholesky", (np.full((2, 2), np.nan),), ValueError),
        ("solve_triangular", (np.zeros((2, 2)), np.ones(2)), np.linalg.LinAlgError),
        ("solve_triangular", (np.eye(2), np.ones(3)), ValueError),
        ("solve_triangular", (np.full((2, 2), np.inf), np.ones(2)), ValueError),
        ("lu", (np.full((2, 2), np.nan),), ValueError),
        ("det", (np.ones((2, 3)),), np.linalg.LinAlgError),
        ("qr", (np.ones(3),), np.linalg.LinAlgError),
        ("fft", (np.ones(0),), ValueError),
        ("fft", (np.ones(3), "fft", 0), ValueError),
        ("fft", (np.ones(3), "fft", None, 1), IndexError),
        ("fft", (np.ones(3), "fft", None, 0, "odd"), ValueError),
        ("sort", (np.ones(3), 1), np.exceptions.AxisError),
        ("searchsorted", (np.ones((2, 2)), np.ones(1)), ValueError),
        ("digitize", (np.ones(3), np.array([1.0, 3.0, 2.0])), ValueError),
        ("bincount", (np.array([-1, 2]),), ValueError),
        ("bincount", (np.array([1.5]),), TypeError),
        ("histogram", (np.ones(3), [3.0, 1.0]), ValueError),
        ("quantile", (np.ones(3), 1.5, 0), ValueError),
        ("take", (np.ones(3), np.array([3])), IndexError),
    ],
)  # fmt: skip
def test_errors_are_those_of_numpy(function, args, error):
    with pytest.raises(error):
        getattr(kernels, function)(*args)


# -- transforms --------------------------------------------------------------------------


@quick
@given(
    st.sampled_from(["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]),
    st.sampled_from([*FLOATS, "i4"]),
    st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(1, 9)),
    st.integers(-3, 2), st.none() | st.integers(1, 15),
    st.sampled_from([None, "backward", "ortho", "forward"]), layouts, seeds,
)  # fmt: skip
def test_transforms(kind, dtype, shape, axis, n, norm, layout, seed):
    assume(not (kind in ("rfft", "ihfft") and dtype[0] == "c"))
    assume(n is not None or shape[axis] > 1 or kind not in ("irfft", "hfft"))
    a = laid(
        np.asarray(numbers(shape, dtype if dtype[0] != "i" else "f8", seed) * 3).astype(dtype),
        layout,
    )
    found = kernels.fft(a, kind, n, axis, norm)
    close(found, getattr(np.fft, kind)(a, n=n, axis=axis, norm=norm), 20)


@quick
@given(
    st.sampled_from(["fftn", "ifftn", "rfftn", "irfftn", "fft2", "irfft2", "rfft2"]),
    st.sampled_from(FLOATS), st.tuples(*[st.integers(2, 6)] * 3),
    st.sampled_from([(0, 1), (1, 2), (2, 0), (-1, -2), (0, 1, 2)]), st.booleans(),
    st.sampled_from([None, "ortho"]), seeds,
)  # fmt: skip
def test_transforms_along_several_axes(kind, dtype, shape, axes, given_lengths, norm, seed):
    assume(not (kind[0] == "r" and dtype[0] == "c"))
    a = numbers(shape, dtype, seed)
    s = tuple([3, 7, -1][: len(axes)]) if given_lengths else None
    wanted = getattr(np.fft, kind)(a, s=s, axes=axes, norm=norm)
    close(kernels.transform(a, kind, s, axes, norm), wanted, 50)


# -- order -------------------------------------------------------------------------------


def shapes_and_axis():
    return st.tuples(lengths, st.integers(0, 5), st.integers(0, 5)).flatmap(
        lambda shape: st.tuples(st.just(shape), st.integers(-3, 2))
    )


@quick
@given(st.sampled_from([*REALS, "c8", "c16", "f2"]), shapes_and_axis(), layouts, seeds)
def test_sorting(dtype, case, layout, seed):
    shape, axis = case
    a = laid(some_values(shape, dtype, seed), layout)
    found = kernels.sort(a, axis)
    assert found.dtype == a.dtype
    assert_array_equal(found, np.sort(a, axis=axis))
    assert_array_equal(kernels.argsort(a, axis), np.argsort(a, axis=axis, kind="stable"))
    for k in (1, 3, -2, 20):
        found, wanted = kernels.topk(a, k, axis), np.sort(a, axis=axis)
        wanted = np.flip(wanted, axis=axis) if k > 0 else wanted
        assert_array_equal(found, np.take(wanted, np.arange(min(abs(k), a.shape[axis])), axis=axis))


@quick
@given(
    st.sampled_from([*REALS, "c16"]), st.sampled_from(REALS), st.sampled_from(["left", "right"]),
    lengths, layouts, seeds,
)  # fmt: skip
def test_searching(dtype, other, side, n, layout, seed):
    edges = laid(np.sort(some_values((n,), dtype, seed)), layout)
    values = laid(some_values((3, 7), other, seed + 1), layout)
    found = kernels.searchsorted(edges, values, side)
    assert found.dtype == np.intp
    assert_array_equal(found, np.searchsorted(edges, values, side=side))


@quick
@given(
    st.sampled_from(REALS), st.sampled_from(REALS), st.booleans(), st.booleans(), lengths, layouts,
    seeds,
)  # fmt: skip
def test_bins(dtype, other, right, falling, n, layout, seed):
    bins = np.sort(some_values((n,), dtype, seed, special=False))
    bins = laid(bins[::-1] if falling else bins, layout)
    values = laid(some_values((3, 7), other, seed + 1), layout)
    assert_array_equal(kernels.digitize(values, bins, right), np.digitize(values, bins, right))


@quick
@given(
    shapes_and_axis(), st.sampled_from(["linear", "lower", "higher", "midpoint", "nearest"]),
    st.floats(0, 1) | st.lists(st.floats(0, 1), max_size=4), layouts, st.booleans(), seeds,
)  # fmt: skip
def test_quantiles(case, method, q, layout, with_nan, seed):
    shape, axis = case
    assume(shape[axis])
    a = some_values(shape, "f8", seed, special=False)
    if with_nan and a.size:
        a[-1, -1, -1] = np.nan
    a = laid(a, layout)
    wanted = np.quantile(a, q, axis=axis, method=method)
    assert_allclose(kernels.quantile(a, q, axis, method), wanted, rtol=1e-12, atol=1e-12)
    for keepdims in (False, True):
        wanted = np.median(a, axis=axis, keepdims=keepdims)
        assert_array_equal(kernels.median(a, (axis,), keepdims), wanted)


@quick
@given(st.sampled_from(REALS), shapes_and_axis(), layouts, seeds)
def test_taking(dtype, case, layout, seed):
    shape, axis = case
    a = laid(some_values(shape, dtype, seed), layout)
    n = a.shape[axis]
    indices = np.random.default_rng(seed).integers(-n, n, 5 if n else 0)
    assert_array_equal(kernels.take(a, indices, axis), np.take(a, indices, axis=axis))


# -- counting ----------------------------------------------------------------------------


@quick
@given(
    st.sampled_from(REALS), st.integers(1, 9) | st.just([0, 1.5, 2, 8]) | st.just("array"),
    st.tuples(st.integers(0, 50), st.integers(1, 2)), layouts, st.sampled_from([None, "f8", "i4"]),
    seeds,
)  # fmt: skip
def test_histograms(dtype, bins, shape, layout, weights, seed):
    a = laid(some_values(shape, dtype, seed), layout)
    if bins == "array":
        bins = np.array([1, 2, 5, 8], dtype="f4")
    limits = None if np.ndim(bins) else (0.5, 7.25)
    given_weights = (
        None if weights is None else laid(some_values(shape, weights, seed, False), layout)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = kernels.histogram(a, bins, range=limits, weights=given_weights)
        wanted = np.histogram(a, bins, range=limits, weights=given_weights)
    for one, other in zip(found, wanted):
        assert one.dtype == other.dtype
        assert_allclose(one, other, atol=1e-12)


@quick
@given(st.sampled_from(["?", "i1", "u2", "i4", "i8", "u8"]), lengths, layouts,
       st.sampled_from([None, "f8", "f4", "i2"]), st.integers(0, 12), seeds)  # fmt: skip
def test_counts_of_integers(dtype, n, layout, weights, least, seed):
    x = laid(some_values((n,), dtype, seed), layout)
    given_weights = (
        None if weights is None else laid(some_values((n,), weights, seed, False), layout)
    )
    found = kernels.bincount(x, given_weights, least)
    wanted = np.bincount(x, given_weights, minlength=least)
    assert found.dtype == wanted.dtype
    assert_array_equal(found, wanted)


# -- the native module -------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 2), dtype=">f8"),
        np.ones((2, 2), dtype=object),
        np.ones((2, 2)).view(np.matrix),
        np.ma.ones((2, 2)),
        np.zeros((2, 2), dtype="M8[s]"),
        np.zeros((2, 2), dtype="i4,f8"),
        [[1.0]],
        1.0,
    ],
)  # fmt: skip
def test_what_has_no_native_form_gives_none(array):
    assert dense.qr(array) is None
    assert dense.sort(array, 0) is None
    assert dense.matmul(array, np.ones((2, 2))) is None
    assert dense.matmul(np.ones((2, 2)), array) is None


def test_results_are_new_and_writable():
    a = np.arange(6.0).reshape(2, 3)
    for result in (kernels.sort(a), *kernels.qr(a), kernels.matmul(a, a.T), kernels.fft(a)):
        result[...] = 1
    assert_array_equal(a, np.arange(6.0).reshape(2, 3))


def test_the_interpreter_is_released():
    a = np.random.default_rng(0).random((900, 900))
    running, turns = threading.Event(), []

    def other():
        running.wait()
        while running.is_set():
            turns.append(None)

    thread = threading.Thread(target=other)
    thread.start()
    running.set()
    before = len(turns)
    kernels.svd(a, full_matrices=False)
    after = len(turns)
    running.clear()
    thread.join()
    # With the interpreter held there would be no turn, or that of one switch at the ends.
    assert after - before > 1000
