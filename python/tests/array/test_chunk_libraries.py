"""Chunks of other libraries: sparse arrays and matrices, and what is found by their type."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import sparse

import samite.array as da
from samite.array import dispatch

RANDOM = np.random.default_rng(0)
DENSE = np.where(RANDOM.random((6, 8)) < 0.7, 0, RANDOM.random((6, 8)))


@pytest.fixture
def lazy():
    return da.from_array(DENSE, chunks=(2, 3)).map_blocks(sparse.COO.from_numpy)


def dense(x):
    return x.todense() if hasattr(x, "todense") else np.asarray(x)


@pytest.mark.parametrize(
    "name", "sum prod min max mean var std any all nansum nanmean nanvar".split()
)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_reductions_of_sparse(lazy, name, axis):
    result = getattr(da, name)(lazy, axis=axis, split_every=2)
    assert isinstance(result._meta, sparse.COO) or axis is None
    np.testing.assert_allclose(dense(result.compute()), getattr(np, name)(DENSE, axis=axis))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_positions_in_sparse(lazy, axis):
    np.testing.assert_array_equal(lazy.argmax(axis=axis).compute(), DENSE.argmax(axis=axis))


def test_moments_of_sparse(lazy):
    distance = DENSE - DENSE.mean()
    for order in (0, 1, 2, 3):
        expected = (distance**order).mean()
        assert float(dense(lazy.moment(order).compute())) == pytest.approx(expected, abs=1e-12)


def test_products_and_joins_of_sparse(lazy):
    np.testing.assert_allclose(dense(da.tensordot(lazy, lazy.T, axes=1).compute()), DENSE @ DENSE.T)
    joined = da.concatenate([lazy, lazy], axis=1)
    assert isinstance(joined.compute(), sparse.COO)
    np.testing.assert_array_equal(dense(joined.compute()), np.hstack([DENSE, DENSE]))


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csr_array])
def test_matrices_of_scipy(kind):
    x = da.from_array(DENSE, chunks=(2, 3)).map_blocks(kind)
    result = x.compute()
    assert scipy.sparse.issparse(result)
    np.testing.assert_array_equal(result.toarray(), DENSE)


def test_functions_by_type():
    coo, matrix = sparse.COO.from_numpy(DENSE), scipy.sparse.csr_matrix(DENSE)
    masked = np.ma.masked_equal(DENSE, 0)
    for x in (DENSE, coo, matrix, masked):
        kind = type(x)
        joined = dispatch.concatenate_lookup.dispatch(kind)([x, x], axis=0)
        assert joined.shape == (12, 8)
        if x is not coo:
            # What sparse has of these takes long to compile; products are tested with lazy arrays.
            taken = dispatch.take_lookup(x, np.array([2, 0]), axis=1)
            got = np.ma.filled(dense(taken), 0) if x is masked else dense(taken)
            np.testing.assert_array_equal(got, DENSE[:, [2, 0]])
            product = dispatch.tensordot_lookup.dispatch(kind)(x, x.T, axes=((1,), (0,)))
            np.testing.assert_allclose(np.ma.filled(dense(product), 0), DENSE @ DENSE.T)
        assert type(dispatch.to_numpy_dispatch(x)) in (np.ndarray, np.ma.MaskedArray)
        if x is not masked:
            np.testing.assert_array_equal(dispatch.numel_lookup(x, axis=0), np.full(8, 6.0))
    assert dispatch.numel_lookup(masked) == np.count_nonzero(DENSE)
    with_nan = np.where(DENSE > 0.5, np.nan, DENSE)
    counts = (~np.isnan(with_nan)).sum(axis=1)
    for x in (with_nan, sparse.COO.from_numpy(with_nan), with_nan.astype(object)):
        np.testing.assert_array_equal(dispatch.nannumel_lookup(x, axis=1), counts)
    assert dispatch.nannumel_lookup(np.ma.masked_less(with_nan, 0.2)) == (
        np.nansum(with_nan >= 0.2)
    )


def test_division_by_type():
    quotient = dispatch.divide_lookup(np.array([1.0, 0.0]), np.array([2.0, 0.0]), dtype="f4")
    assert quotient.dtype == "f4"
    np.testing.assert_array_equal(quotient, [0.5, np.nan])
    masked = dispatch.divide_lookup(np.ma.masked_array([1.0, 2.0], [0, 1]), np.array([2, 0]))
    assert masked.tolist() == [0.5, None]
    assert isinstance(dispatch.empty_lookup.dispatch(np.ma.MaskedArray)((2,)), np.ma.MaskedArray)


def test_matrices_of_scipy_have_two_axes_to_multiply():
    matrix = scipy.sparse.csr_matrix(DENSE)
    with pytest.raises((NotImplementedError, ValueError), match="along"):
        dispatch.tensordot_lookup.dispatch(type(matrix))(matrix, matrix, axes=((0, 1), (0, 1)))
