"""Linear algebra against NumPy's and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from _oracle import chunk_lengths, same
from hypothesis import given, settings
from hypothesis import strategies as st

import samite.array as da
from samite.array.linalg import compression_level, compression_matrix
from samite.array.utils import _check_dsk, svd_flip

DTYPES = ("i4", "f4", "f8", "c8", "c16")
RANDOM = np.random.default_rng(5)


def _matrix(m, n, dtype="f8", seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(size=(m, n)) * 3
    if np.dtype(dtype).kind == "c":
        values = values + 1j * random.normal(size=(m, n))
    return values.round(1).astype(dtype)


def _close(got, expected, dtype="f8"):
    loose = np.dtype(dtype) in (np.dtype("f4"), np.dtype("c8"))
    tolerance = 2e-3 if loose else 1e-8
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def _consistent(*arrays):
    """Compute, and check that arrays are what they said."""
    values = da.compute(*arrays, scheduler="synchronous")
    for lazy, value in zip(arrays, values):
        _check_dsk(lazy.dask)
        same(lazy, value)
    return values


@st.composite
def cut_matrices(draw, along=(0,), square=False):
    m = draw(st.integers(1, 9))
    n = m if square else draw(st.integers(1, 6))
    dtype = draw(st.sampled_from(DTYPES))
    values = _matrix(m, n, dtype, draw(st.integers(0, 99)))
    chunks = tuple(
        draw(chunk_lengths(length)) if axis in along else (length,)
        for axis, length in enumerate((m, n))
    )
    return values, da.from_array(values, chunks=chunks)


# -- QR ----------------------------------------------------------------------------------


def _check_qr(values, q, r):
    m, n = values.shape
    k = min(m, n)
    assert q.shape == (m, k) and r.shape == (k, n)
    dtype = np.linalg.qr(values)[0].dtype
    assert q.dtype == r.dtype == dtype
    q, r = _consistent(q, r)
    _close(q @ r, values, dtype)
    _close(q.conj().T @ q, np.eye(k), dtype)
    np.testing.assert_array_equal(np.tril(r, -1), 0)


@settings(max_examples=40, deadline=None)
@given(cut_matrices())
def test_qr_of_columns_of_blocks(case):
    values, lazy = case
    _check_qr(values, *da.linalg.qr(lazy))


@settings(max_examples=40, deadline=None)
@given(cut_matrices(along=(1,)))
def test_qr_of_rows_of_blocks(case):
    values, lazy = case
    if values.shape[0] > values.shape[1] and lazy.npartitions > 1:
        with pytest.raises(ValueError, match="rechunk"):
            da.linalg.qr(lazy)
        return
    _check_qr(values, *da.linalg.qr(lazy))


def test_qr_of_many_blocks():
    values = _matrix(500, 4)
    lazy = da.from_array(values, chunks=(5, 4))
    q, r = da.linalg.qr(lazy)
    assert q.chunks == (lazy.chunks[0], (4,)) and r.chunks == ((4,), (4,))
    _check_qr(values, q, r)
    # A tree, and no long list of factors in one task.
    tasks = r.dask.to_dict().values()
    widest = max(len(getattr(task, "dependencies", ())) for task in tasks)
    assert widest <= 4
    assert len(r.dask.to_dict()) < 12 * lazy.npartitions


def test_qr_with_empty_blocks():
    values = _matrix(10, 5)
    _check_qr(values, *da.linalg.qr(da.from_array(values, chunks=((4, 0, 1, 0, 5), (5,)))))
    nothing = np.zeros((0, 3))
    _check_qr(nothing, *da.linalg.qr(da.from_array(nothing, chunks=(2, 3))))


def test_qr_of_unknown_heights():
    values = _matrix(30, 4)
    lazy = da.from_array(values, chunks=(7, 4))
    wanted = values[:, 0] > -2
    part = lazy[da.from_array(wanted, chunks=7)]
    q, r = da.linalg.qr(part)
    assert r.shape == (4, 4)
    q, r = da.compute(q, r)
    _close(q @ r, values[wanted])
    _close(q.T @ q, np.eye(4))
    u, s, v = da.compute(*da.linalg.svd(part))
    _close(u @ np.diag(s) @ v, values[wanted])
    few = np.arange(30) < 2
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        da.linalg.qr(lazy[da.from_array(few, chunks=7)])[1].compute()


def test_qr_of_what_it_does_not_take():
    x = da.ones((6, 6), chunks=3)
    with pytest.raises(NotImplementedError, match=r"2 x 2 blocks.*rechunk"):
        da.linalg.qr(x)
    with pytest.raises(ValueError, match="single column"):
        da.linalg.tsqr(x)
    with pytest.raises(ValueError, match="single row"):
        da.linalg.sfqr(x)
    with pytest.raises(ValueError, match="2D"):
        da.linalg.qr(da.ones(4, chunks=2))


def test_names():
    x = da.from_array(_matrix(9, 3), chunks=(3, 3))
    for function in (da.linalg.qr, da.linalg.svd):
        first, second = function(x), function(x)
        assert [part.name for part in first] == [part.name for part in second]
    assert da.linalg.qr(x)[0].name != da.linalg.qr(x + 1)[0].name


# -- singular values -----------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.one_of(cut_matrices(along=(0,)), cut_matrices(along=(1,))))
def test_svd(case):
    values, lazy = case
    parts = da.linalg.svd(lazy)
    expected = np.linalg.svd(values, full_matrices=False)
    for part, oracle in zip(parts, expected):
        assert part.shape == oracle.shape and part.dtype == oracle.dtype
    u, s, v = _consistent(*parts)
    dtype = u.dtype
    _close(s, expected[1], dtype)
    _close(u @ np.diag(s) @ v, values, dtype)
    _close(u.conj().T @ u, np.eye(len(s)), dtype)
    _close(v @ v.conj().T, np.eye(len(s)), dtype)
    assert (v.sum(axis=1).real > -1e-3).all()


def test_full_right_vectors():
    values = _matrix(3, 5)
    u, s, v = _consistent(*da.linalg.tsqr(da.from_array(values, chunks=(2, 5)), compute_svd=True))
    assert v.shape == (5, 5)
    _close(u @ np.diag(s) @ v[:3], values)
    _close(v @ v.T, np.eye(5))


def test_signs_as_they_come():
    values = _matrix(8, 3)
    u, s, v = da.compute(*da.linalg.svd(da.from_array(values, chunks=(3, 3)), coerce_signs=False))
    _close(u @ np.diag(s) @ v, values)


def test_svd_of_what_it_does_not_take():
    x = da.ones((6, 6), chunks=3)
    with pytest.raises(NotImplementedError, match="Array must be chunked in one dimension only"):
        da.linalg.svd(x)
    with pytest.raises(NotImplementedError, match="full_matrices"):
        da.linalg.svd(x, full_matrices=True)
    with pytest.raises(ValueError, match="Array must be 2D"):
        da.linalg.svd(da.ones((2, 2, 2)))


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("u_based", [False, True])
def test_turned_signs(dtype, u_based):
    values = _matrix(6, 4, dtype)
    u, s, v = np.linalg.svd(values, full_matrices=False)
    for left, right in ((u, v), (da.from_array(u, chunks=2), da.from_array(v, chunks=2))):
        left, right = svd_flip(left, right, u_based_decision=u_based)
        assert left.dtype == u.dtype and right.dtype == v.dtype
        left, right = np.asarray(left), np.asarray(right)
        assert ((left.sum(axis=0) if u_based else right.sum(axis=1)).real > 0).all()
        _close(left @ np.diag(s) @ right, values, dtype)


@pytest.mark.parametrize("iterator, times", [("power", 0), ("power", 3), ("QR", 0), ("QR", 3)])
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
def test_compressed(iterator, times, dtype):
    rank = 4
    values = _matrix(60, rank, dtype) @ _matrix(rank, 40, dtype, 1)
    lazy = da.from_array(values, chunks=(17, 11))
    parts = da.linalg.svd_compressed(lazy, rank, iterator, times, seed=1)
    u, s, v = _consistent(*parts)
    assert u.dtype == v.dtype == np.dtype(dtype)
    assert u.shape == (60, rank) and s.shape == (rank,) and v.shape == (rank, 40)
    tolerance = 1e-2 if dtype == "f4" else 1e-8
    np.testing.assert_allclose(u @ np.diag(s) @ v, values, rtol=tolerance, atol=tolerance)
    again = da.linalg.svd_compressed(lazy, rank, iterator, times, seed=1, compute=True)
    assert len(again[2].dask.to_dict()) < len(parts[2].dask.to_dict())
    np.testing.assert_allclose(again[1].compute(), s, rtol=1e-4)


def test_compressed_values_are_the_greatest():
    values = _matrix(80, 50)
    lazy = da.from_array(values, chunks=(30, 20))
    _, s, _ = da.linalg.svd_compressed(lazy, 3, iterator="QR", n_power_iter=6, seed=1)
    np.testing.assert_allclose(s.compute(), np.linalg.svd(values, compute_uv=False)[:3], rtol=1e-3)


def test_compression():
    assert compression_level(100, 10) == 20
    assert compression_level(100, 30, n_oversamples=5) == 35
    assert compression_level(12, 10) == 12
    x = da.from_array(_matrix(40, 30), chunks=(9, 8))
    compression = compression_matrix(x, 5, seed=1).compute()
    assert compression.shape == (20, 40)
    _close(compression @ compression.T, np.eye(20))
    with pytest.raises(ValueError, match="Iterator 'other'"):
        compression_matrix(x, 5, iterator="other")


# -- systems of equations --------------------------------------------------------------------


@st.composite
def square_systems(draw):
    n = draw(st.integers(1, 7))
    dtype = draw(st.sampled_from(DTYPES))
    values = _matrix(n, n, dtype, draw(st.integers(0, 99)))
    values = values + (n * 4 * np.eye(n)).astype(dtype) * draw(st.sampled_from([0, 1]))
    values = values.astype(dtype)
    sizes = draw(chunk_lengths(n))
    return values, da.from_array(values, chunks=(sizes, sizes)), sizes


def _tolerance(values):
    single = values.dtype in (np.dtype("f4"), np.dtype("c8"))
    return (1e-4 if single else 1e-12) * max(np.linalg.cond(values.astype("c16")), 10)


@settings(max_examples=30, deadline=None)
@given(square_systems())
def test_lu(case):
    values, lazy, sizes = case
    p, lower, upper = parts = da.linalg.lu(lazy)
    expected = scipy.linalg.lu(values)
    for part, oracle in zip(parts, expected):
        assert part.shape == oracle.shape
        # SciPy makes an exception of the permutation of one row.
        assert part.dtype == oracle.dtype or len(values) == 1
        assert part.chunks == (sizes, sizes)
    p, lower, upper = _consistent(*parts)
    _close(p @ lower @ upper, values, lower.dtype)
    # Rows are exchanged as on one processor, so no part of a multiplier is greater than one.
    assert abs(lower).max() <= 2**0.5 + 1e-5
    np.testing.assert_array_equal(np.triu(lower, 1), 0)
    np.testing.assert_array_equal(np.diagonal(lower), 1)
    np.testing.assert_array_equal(np.tril(upper, -1), 0)
    assert (p.sum(axis=0) == 1).all() and (p.sum(axis=1) == 1).all()


def test_lu_where_blocks_of_the_diagonal_are_singular():
    values = np.array([[0, 0, 1, 2], [0, 0, 3, 5], [1, 4, 0, 0], [2, 6, 0, 0.0]])
    parts = da.linalg.lu(da.from_array(values, chunks=2))
    for part, oracle in zip(parts, scipy.linalg.lu(values)):
        same(part, oracle)
    singular = np.ones((4, 4))
    p, lower, upper = da.compute(*da.linalg.lu(da.from_array(singular, chunks=2)))
    _close(p @ lower @ upper, singular)


@settings(max_examples=30, deadline=None)
@given(square_systems(), st.booleans(), st.one_of(st.none(), st.integers(1, 4)))
def test_solve_triangular(case, lower, columns):
    values, lazy, sizes = case
    values = values + np.asarray(30 * np.eye(len(values)), values.dtype)
    lazy = da.from_array(values, chunks=(sizes, sizes))
    b = RANDOM.integers(-9, 9, (len(values),) if columns is None else (len(values), columns))
    right = da.from_array(b, chunks=(sizes, *((2,) if columns else ())))
    got = da.linalg.solve_triangular(lazy, right, lower=lower)
    assert got.chunks == right.chunks
    (x,) = _consistent(got)
    expected = scipy.linalg.solve_triangular(values, b, lower=lower)
    assert got.dtype == expected.dtype
    _close(x, expected, x.dtype)


@settings(max_examples=15, deadline=None)
@given(square_systems(), st.one_of(st.none(), st.integers(1, 4)))
def test_solve(case, columns):
    values, lazy, sizes = case
    if np.linalg.cond(values.astype("c16")) > 1e4:
        return
    b = RANDOM.integers(-9, 9, (len(values),) if columns is None else (len(values), columns))
    right = da.from_array(b, chunks=2)
    (x,) = _consistent(da.linalg.solve(lazy, right))
    expected = scipy.linalg.solve(values, b)
    assert x.dtype == expected.dtype and x.shape == expected.shape
    tolerance = _tolerance(values)
    np.testing.assert_allclose(x, expected, rtol=tolerance, atol=tolerance)
    (inverse,) = _consistent(da.linalg.inv(lazy))
    assert inverse.dtype == scipy.linalg.inv(values).dtype
    np.testing.assert_allclose(inverse, np.linalg.inv(values), rtol=tolerance, atol=tolerance)


@settings(max_examples=30, deadline=None)
@given(square_systems(), st.booleans())
def test_cholesky(case, lower):
    values, _, sizes = case
    values = (values @ values.conj().T + np.eye(len(values))).astype(values.dtype)
    # The other triangle is not looked at.
    half = np.tril(values) if lower else np.triu(values)
    lazy = da.from_array(half, chunks=(sizes, sizes))
    expected = scipy.linalg.cholesky(values, lower=lower)
    got = da.linalg.cholesky(lazy, lower=lower)
    assert got.dtype == expected.dtype and got.chunks == (sizes, sizes)
    (factor,) = _consistent(got)
    scale = abs(values).max()
    tolerance = 1e-3 if values.dtype in (np.dtype("f4"), np.dtype("c8")) else 1e-9
    product = factor @ factor.conj().T if lower else factor.conj().T @ factor
    np.testing.assert_allclose(product, values, rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_array_equal(np.triu(factor, 1) if lower else np.tril(factor, -1), 0)


@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_solve_of_positive_definite(dtype):
    values = _matrix(9, 9, dtype)
    values = values @ values.conj().T + np.eye(9)
    b = RANDOM.normal(size=(9, 2))
    lazy, right = da.from_array(values, chunks=4), da.from_array(b, chunks=(5, 1))
    expected = np.linalg.solve(values, b)
    _close(da.linalg.solve(lazy, right, assume_a="pos").compute(), expected)
    with pytest.warns(FutureWarning, match="sym_pos keyword is deprecated"):
        old = da.linalg.solve(lazy, right, sym_pos=True)
    _close(old.compute(), expected)
    with pytest.raises(ValueError, match="assume_a='her'"):
        da.linalg.solve(lazy, right, assume_a="her")


def test_systems_without_solution():
    singular = da.ones((4, 4), chunks=2)
    with pytest.raises(np.linalg.LinAlgError):
        da.linalg.solve(singular, da.ones(4, chunks=2)).compute()
    with pytest.raises(np.linalg.LinAlgError):
        da.linalg.cholesky(-singular).compute()


@pytest.mark.parametrize(
    "function",
    [da.linalg.lu, da.linalg.inv, da.linalg.cholesky,
     lambda a: da.linalg.solve_triangular(a, da.ones(4, chunks=2)),
     lambda a: da.linalg.solve(a, da.ones(4, chunks=2))],
)  # fmt: skip
def test_matrices_that_are_not_taken(function):
    with pytest.raises(ValueError, match="2D"):
        function(da.ones((4, 4, 4), chunks=2))
    with pytest.raises(ValueError, match="square"):
        function(da.ones((4, 6), chunks=2))
    with pytest.raises(ValueError, match=r"same way.*\(\(2, 2\), \(3, 1\)\)"):
        function(da.ones((4, 4), chunks=(2, 3)))
    unknown = da.ones((4, 4), chunks=2)
    unknown._chunks = ((np.nan, np.nan), (2, 2))
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        function(unknown)


def test_right_sides_that_do_not_fit():
    a = da.ones((6, 6), chunks=2)
    for function in (da.linalg.solve, da.linalg.solve_triangular):
        with pytest.raises(ValueError, match=r"\(5,\)"):
            function(a, da.ones(5, chunks=2))
        with pytest.raises(ValueError):
            function(a, da.ones((6, 1, 1), chunks=2))
    with pytest.raises(ValueError, match="rechunk"):
        da.linalg.solve_triangular(a, da.ones(6, chunks=3))


# -- least squares -----------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(cut_matrices(along=(0,)), cut_matrices(along=(1,))),
    st.one_of(st.none(), st.integers(1, 3)), st.booleans(),
)  # fmt: skip
def test_least_squares(case, columns, deficient):
    values, lazy = case
    m, n = values.shape
    if m > n and lazy.numblocks[1] > 1:
        return  # The decomposition does not take these.
    if deficient and n > 1:
        values = values.copy()
        values[:, 0] = values[:, -1]
        lazy = da.from_array(values, chunks=lazy.chunks)
    b = RANDOM.normal(size=(m,) if columns is None else (m, columns))
    x, residuals, rank, s = da.linalg.lstsq(lazy, da.from_array(b, chunks=2))
    single = values.dtype in (np.dtype("f4"), np.dtype("c8"))
    expected = np.linalg.lstsq(values.astype("c16" if values.dtype.kind == "c" else "f8"), b)
    got = _consistent(x, residuals, rank, s)
    if single and deficient:
        return  # What counts as zero is a matter of rounding.
    assert got[2] == expected[2]
    tolerance = 0.05 if single else 1e-6
    np.testing.assert_allclose(got[3], expected[3], rtol=tolerance, atol=tolerance)
    if expected[3].min() > 0.3 or (deficient and not single and got[2] and (
        expected[3][got[2] - 1] > 0.3
    )):  # fmt: skip
        np.testing.assert_allclose(got[0], expected[0], rtol=tolerance, atol=tolerance)
        missed = (abs(b - values @ expected[0]) ** 2).sum(axis=0)
        np.testing.assert_allclose(got[1], np.atleast_1d(missed), rtol=tolerance, atol=tolerance)


def test_least_squares_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(6, 2\) and \(5,\)"):
        da.linalg.lstsq(da.ones((6, 2), chunks=(3, 2)), da.ones(5))
    with pytest.raises(NotImplementedError):
        da.linalg.lstsq(da.ones((6, 6), chunks=3), da.ones(6))


# -- norms -----------------------------------------------------------------------------------


@st.composite
def norms(draw):
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=ndim, max_size=ndim)))
    dtype = draw(st.sampled_from(DTYPES))
    values = RANDOM.normal(size=shape) * 3
    if np.dtype(dtype).kind == "c":
        values = values + 1j * RANDOM.normal(size=shape)
    values = values.astype(dtype)
    lazy = da.from_array(values, chunks=tuple(draw(chunk_lengths(n)) for n in shape))
    count = draw(st.sampled_from([1, 2])) if ndim > 1 else 1
    axes = draw(st.permutations(range(ndim)))[:count]
    axis = axes[0] if count == 1 else tuple(axes)
    if ndim == count:
        axis = draw(st.sampled_from([None, axis]))
    orders = [None, 1, -1, np.inf, -np.inf] + ([0, 2, -2, 0.5, 3] if count == 1 else ["fro"])
    return values, lazy, draw(st.sampled_from(orders)), axis, draw(st.booleans())


@settings(max_examples=80, deadline=None)
@given(norms())
def test_norms(case):
    values, lazy, order, axis, keepdims = case
    expected = np.linalg.norm(values, ord=order, axis=axis, keepdims=keepdims)
    same(da.linalg.norm(lazy, ord=order, axis=axis, keepdims=keepdims), expected)


def test_norm_of_all_elements():
    values = RANDOM.normal(size=(3, 4, 5))
    lazy = da.from_array(values, chunks=2)
    same(da.linalg.norm(lazy), np.linalg.norm(values))
    same(np.linalg.norm(lazy, keepdims=True), np.linalg.norm(values, keepdims=True))
    same(da.linalg.norm(da.from_array(np.float64(-3), chunks=())), np.float64(3))


@pytest.mark.parametrize("order", ["nuc", 2, -2])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_by_singular_values(order, keepdims):
    values = _matrix(6, 4)
    lazy = da.from_array(values, chunks=(4, 4))
    for axis in (None, (0, 1), (1, 0)):
        expected = np.linalg.norm(values, ord=order, axis=axis, keepdims=keepdims)
        same(da.linalg.norm(lazy, ord=order, axis=axis, keepdims=keepdims), expected)
    with pytest.raises(NotImplementedError, match="stacks"):
        da.linalg.norm(da.ones((2, 3, 3)), ord=order, axis=(1, 2))
    with pytest.raises(NotImplementedError):
        da.linalg.norm(lazy.rechunk(2), ord=order)


def test_norms_that_do_not_exist():
    x = da.ones((4, 4), chunks=2)
    for order, axis in (("other", None), (3, (0, 1)), ("fro", 0), (1, (0, 0)), (0, None)):
        with pytest.raises(ValueError):
            da.linalg.norm(x, ord=order, axis=axis)
    with pytest.raises(ValueError, match="dimensions"):
        da.linalg.norm(da.ones((2, 2, 2)), ord=1)
    with pytest.raises(IndexError):
        da.linalg.norm(x, axis=2)


def test_norms_of_newer_names():
    values = RANDOM.normal(size=(4, 3, 5))
    lazy = da.from_array(values, chunks=2)
    for order in (1, 2, 3, np.inf, 0):
        for axis in (None, 1, (0, 2)):
            expected = np.linalg.vector_norm(values, ord=order, axis=axis)
            same(da.linalg.vector_norm(lazy, ord=order, axis=axis), expected)
    for order in ("fro", 1, np.inf):
        same(da.linalg.matrix_norm(lazy, ord=order), np.linalg.matrix_norm(values, ord=order))
    with pytest.raises(ValueError):
        da.linalg.matrix_norm(da.ones(3))


# -- matrices in one chunk ---------------------------------------------------------------------


STACK = RANDOM.normal(size=(5, 2, 4, 4))
LAZY_STACK = da.from_array(STACK, chunks=(2, 1, 4, 4))


@pytest.mark.parametrize("dtype", DTYPES)
def test_determinants(dtype):
    values = (STACK * 4).astype(dtype)
    lazy = da.from_array(values, chunks=(2, 1, 4, 4))
    same(da.linalg.det(lazy), np.linalg.det(values))
    got = da.linalg.slogdet(lazy)
    for part, expected in zip(got, np.linalg.slogdet(values)):
        same(part, expected)
    assert got._fields == ("sign", "logabsdet")


@pytest.mark.parametrize("dtype", ["i4", "f8", "c16"])
@pytest.mark.parametrize("seed", range(3))
def test_determinants_of_cut_matrices(dtype, seed):
    values = _matrix(7, 7, dtype, seed)
    lazy = da.from_array(values, chunks=3)
    same(da.linalg.det(lazy), np.linalg.det(values))
    for part, expected in zip(da.linalg.slogdet(lazy), np.linalg.slogdet(values)):
        same(part, expected)


def test_determinant_of_a_singular_matrix():
    same(da.linalg.det(da.ones((4, 4), chunks=2)), np.float64(0))
    sign, log = da.compute(*da.linalg.slogdet(da.ones((4, 4), chunks=2)))
    assert sign == 0 and log == -np.inf


def test_eigenvalues_of_hermitian():
    values = STACK + np.swapaxes(STACK, -1, -2)
    lazy = da.from_array(values, chunks=(2, 1, 4, 4))
    w, v = da.linalg.eigh(lazy)
    same(w, np.linalg.eigh(values)[0])
    w, v = da.compute(w, v)
    _close(v @ (w[..., None] * np.swapaxes(v, -1, -2)), values)
    same(da.linalg.eigvalsh(lazy), np.linalg.eigvalsh(values))
    same(da.linalg.eigvalsh(lazy, UPLO="U"), np.linalg.eigvalsh(values, UPLO="U"))


def test_eigenvalues():
    w, v = _consistent(*da.linalg.eig(LAZY_STACK))
    _close(STACK @ v, v * w[..., None, :])
    same(da.linalg.eigvals(LAZY_STACK), np.linalg.eigvals(STACK).astype(complex))
    # Those of a diagonal matrix are real, and complex numbers all the same.
    same(da.linalg.eigvals(da.from_array(np.diag([1.0, 2.0]))), np.array([1, 2], complex))


def test_pseudo_inverses():
    for values, chunks in ((_matrix(9, 4), (4, 4)), (_matrix(4, 9), (4, 5)),
                           (_matrix(5, 5, "c16"), (2, 5))):  # fmt: skip
        same(da.linalg.pinv(da.from_array(values, chunks=chunks)), np.linalg.pinv(values))
    same(da.linalg.pinv(LAZY_STACK[..., :3]), np.linalg.pinv(STACK[..., :3]))
    flat = np.outer(np.arange(1, 5.0), np.arange(1, 4.0))
    same(da.linalg.pinv(da.from_array(flat, chunks=(2, 3)), rcond=1e-10), np.linalg.pinv(flat))


def test_rank_and_condition():
    values = _matrix(9, 4)
    values[:, 1] = values[:, 2]
    lazy = da.from_array(values, chunks=(4, 4))
    assert da.linalg.matrix_rank(lazy).compute() == 3
    assert da.linalg.matrix_rank(lazy, tol=1e3).compute() == 0
    assert da.linalg.matrix_rank(da.zeros(3)).compute() == 0
    values = _matrix(5, 5)
    for order in (None, 2, -2, 1, np.inf, "fro"):
        lazy = da.from_array(values, chunks=-1)
        same(da.linalg.cond(lazy, order), np.linalg.cond(values, order))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, -2])
def test_powers(n):
    values = _matrix(5, 5)
    same(da.linalg.matrix_power(da.from_array(values, chunks=2), n),
         np.linalg.matrix_power(values, n), rtol=1e-6)  # fmt: skip
    if n >= 0:
        same(da.linalg.matrix_power(LAZY_STACK, n), np.linalg.matrix_power(STACK, n))


def test_products_of_several():
    sides = [3, 8, 2, 9, 4]
    factors = [_matrix(m, n, seed=m) for m, n in zip(sides, sides[1:])]
    lazy = [da.from_array(factor, chunks=3) for factor in factors]
    same(da.linalg.multi_dot(lazy), np.linalg.multi_dot(factors))
    same(da.linalg.multi_dot(lazy[:2]), np.linalg.multi_dot(factors[:2]))
    left, right = factors[0][0], factors[-1][:, 0]
    same(da.linalg.multi_dot([lazy[0][0], *lazy[1:]]), np.linalg.multi_dot([left, *factors[1:]]))
    same(
        da.linalg.multi_dot([lazy[0][0], *lazy[1:-1], lazy[-1][:, 0]]),
        np.linalg.multi_dot([left, *factors[1:-1], right]),
    )
    with pytest.raises(ValueError, match="two"):
        da.linalg.multi_dot(lazy[:1])
    with pytest.raises(ValueError, match="aligned"):
        da.linalg.multi_dot([lazy[0], lazy[0]])


@pytest.mark.parametrize("axis", [-1, 1])
def test_cross_products(axis):
    shape = (4, 5, 3) if axis == -1 else (4, 3, 5)
    a, b = RANDOM.normal(size=shape), RANDOM.normal(size=shape)
    lazy = da.from_array(a, chunks=2), da.from_array(b, chunks=3)
    same(da.linalg.cross(*lazy, axis=axis), np.linalg.cross(a, b, axis=axis))
    with pytest.raises(ValueError, match="three"):
        da.linalg.cross(da.ones(4), da.ones(4))


@pytest.mark.parametrize("name", ["det", "slogdet", "eigh", "eigvalsh", "eig", "eigvals"])
def test_stacks_that_are_not_taken(name):
    function = getattr(da.linalg, name)
    with pytest.raises(ValueError, match="square"):
        function(da.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="matrices"):
        function(da.ones(3))
    with pytest.raises(ValueError, match="rechunk"):
        function(da.ones((2, 4, 4), chunks=2))


def test_numpy_functions_take_lazy_arrays():
    values = _matrix(6, 6)
    lazy = da.from_array(values, chunks=(3, 6))
    assert isinstance(np.linalg.svd(lazy, full_matrices=False)[1], da.Array)
    same(np.linalg.norm(lazy, axis=1), np.linalg.norm(values, axis=1))
    same(np.linalg.inv(lazy.rechunk(2)), np.linalg.inv(values), rtol=1e-6)


def test_numpys_cholesky_is_the_lower_one():
    values = _matrix(5, 5)
    values = values @ values.T + np.eye(5)
    lazy = da.from_array(values, chunks=2)
    same(np.linalg.cholesky(lazy), np.linalg.cholesky(values), rtol=1e-7)
    same(np.linalg.cholesky(lazy, upper=True), np.linalg.cholesky(values, upper=True), rtol=1e-7)


def test_keywords_of_numpy():
    values = _matrix(8, 3)
    lazy = da.from_array(values, chunks=(3, 3))
    r = np.linalg.qr(lazy, mode="r")
    np.testing.assert_allclose(abs(r.compute()), abs(np.linalg.qr(values, mode="r")))
    with pytest.raises(ValueError, match="mode"):
        da.linalg.qr(lazy, mode="complete")
    b = RANDOM.normal(size=8)
    for limit in (None, -1, 0.5):
        got = np.linalg.lstsq(lazy, da.from_array(b, chunks=3), rcond=limit)
        expected = np.linalg.lstsq(values, b, rcond=limit)
        np.testing.assert_allclose(got[0].compute(), expected[0])
        assert got[2].compute() == expected[2]


def test_parts_of_stacks():
    for offset in (0, 1, -2):
        same(da.linalg.diagonal(LAZY_STACK, offset=offset), STACK.diagonal(offset, -2, -1))
        same(da.linalg.trace(LAZY_STACK, offset=offset), STACK.trace(offset, -2, -1))
    same(da.linalg.matrix_transpose(LAZY_STACK), np.swapaxes(STACK, -1, -2))
    with pytest.raises(ValueError):
        da.linalg.matrix_transpose(da.ones(3))
