"""How chunks of NumPy, its masked arrays, ``sparse``, ``scipy.sparse`` and CuPy are treated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from samite.array import kernels
from samite.array.dispatch import (
    concatenate_lookup,
    divide_lookup,
    einsum_lookup,
    empty_lookup,
    nannumel_lookup,
    numel_lookup,
    percentile_lookup,
    take_lookup,
    tensordot_lookup,
    to_cupy_dispatch,
    to_numpy_dispatch,
)

# -- counting --------------------------------------------------------------------------


def numel(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = np.float64) -> Any:
    """The number of elements along axes, as an array of the shape that a sum has."""
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        axes = tuple(n % x.ndim for n in (axis if isinstance(axis, Sequence) else (axis,)))
    count = 1
    for n in axes:
        count *= x.shape[n]
    if keepdims:
        shape = tuple(1 if n in axes else size for n, size in enumerate(x.shape))
    else:
        shape = tuple(size for n, size in enumerate(x.shape) if n not in axes)
    return np.full(shape, count, dtype=dtype)[() if not shape else ...]


def _sum_of(valid: Any, **kwargs: Any) -> Any:
    kwargs.setdefault("dtype", np.float64)
    return np.sum(valid, **kwargs)


def nannumel(x: Any, **kwargs: Any) -> Any:
    """The number of elements along axes that are not NaN."""
    kind = getattr(x.dtype, "kind", "O")
    if kind not in "fcmMO":
        return numel(x, **kwargs)
    # Objects, too, are unequal to themselves if they are NaN, and have no isnan.
    return _sum_of(x == x if kind == "O" else ~np.isnan(x), **kwargs)


def numel_masked(x: Any, **kwargs: Any) -> Any:
    """The number of elements along axes that are not masked."""
    return _sum_of(~np.ma.getmaskarray(x), **kwargs)


def nannumel_masked(x: Any, **kwargs: Any) -> Any:
    """The number of elements along axes that are neither masked nor NaN."""
    data = np.ma.getdata(x)
    return _sum_of(~np.ma.getmaskarray(x) & (data == data), **kwargs)


numel_lookup.register((object, np.ndarray), numel)
numel_lookup.register(np.ma.MaskedArray, numel_masked)
nannumel_lookup.register((object, np.ndarray), nannumel)
nannumel_lookup.register(np.ma.MaskedArray, nannumel_masked)

# -- NumPy -----------------------------------------------------------------------------


def _divide(a: Any, b: Any, dtype: Any = None) -> Any:
    """A quotient without a warning where both are zero, as in the mean of nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.true_divide(a, b, dtype=dtype)


def _divide_masked(a: Any, b: Any, dtype: Any = None) -> Any:
    # The function of masked arrays knows no dtype, and masks what is divided by zero.
    result = np.ma.true_divide(a, b)
    return result if dtype is None else result.astype(dtype)


def _percentile(a: Any, q: Any, method: str = "linear") -> Any:
    return np.percentile(a, q, method=method)


def _take(x: Any, indices: Any, axis: int = 0) -> Any:
    return np.take(x, indices, axis=axis)


concatenate_lookup.register((object, np.ndarray), np.concatenate)
tensordot_lookup.register((object, np.ndarray), kernels.tensordot)
einsum_lookup.register((object, np.ndarray), np.einsum)
empty_lookup.register((object, np.ndarray), np.empty)
divide_lookup.register((object, np.ndarray), _divide)
percentile_lookup.register((object, np.ndarray), _percentile)
take_lookup.register((object, np.ndarray), _take)


@to_numpy_dispatch.register((object, np.ndarray))
def _to_numpy(x: Any, **kwargs: Any) -> np.ndarray:
    return x if isinstance(x, np.ndarray) else np.asarray(x, **kwargs)


# -- masked arrays ---------------------------------------------------------------------


def _concatenate_masked(arrays: Sequence[Any], axis: int = 0, **kwargs: Any) -> Any:
    """As :func:`numpy.ma.concatenate`; a fill value that all arrays have is kept."""
    result = np.ma.concatenate(arrays, axis=axis)
    fills = [a.fill_value for a in arrays if isinstance(a, np.ma.MaskedArray)]
    if fills and all(_same_value(fills[0], fill) for fill in fills[1:]):
        result.fill_value = fills[0]
    return result


def _same_value(one: Any, other: Any) -> bool:
    return bool(np.all(one == other) or (np.all(one != one) and np.all(other != other)))


def _tensordot_masked(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products of what is not masked; masked where there is no such product."""
    data = np.tensordot(np.ma.filled(a, 0), np.ma.filled(b, 0), axes)
    there = np.tensordot(~np.ma.getmaskarray(a), ~np.ma.getmaskarray(b), axes)
    return np.ma.masked_array(data, mask=~there.astype(bool))


def _percentile_masked(a: Any, q: Any, method: str = "linear") -> Any:
    return np.percentile(np.ma.compressed(a), q, method=method)


def _take_masked(x: Any, indices: Any, axis: int = 0) -> Any:
    return np.ma.take(x, indices, axis=axis)


concatenate_lookup.register(np.ma.MaskedArray, _concatenate_masked)
tensordot_lookup.register(np.ma.MaskedArray, _tensordot_masked)
empty_lookup.register(np.ma.MaskedArray, np.ma.empty)
divide_lookup.register(np.ma.MaskedArray, _divide_masked)
take_lookup.register(np.ma.MaskedArray, _take_masked)
percentile_lookup.register(np.ma.MaskedArray, _percentile_masked)

# -- sparse ----------------------------------------------------------------------------


@concatenate_lookup.register_lazy("sparse")
def _register_sparse_concatenate() -> None:
    import sparse

    def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
        coordinates = [
            a if isinstance(a, sparse.SparseArray) else sparse.COO.from_numpy(np.asarray(a))
            for a in arrays
        ]
        return sparse.concatenate(coordinates, axis=axis)

    concatenate_lookup.register(sparse.SparseArray, concatenate)


@tensordot_lookup.register_lazy("sparse")
def _register_sparse_tensordot() -> None:
    import sparse

    tensordot_lookup.register(sparse.SparseArray, sparse.tensordot)


@take_lookup.register_lazy("sparse")
def _register_sparse_take() -> None:
    import sparse

    def take(x: Any, indices: Any, axis: int = 0) -> Any:
        return x[(slice(None),) * (axis % x.ndim) + (indices,)]

    take_lookup.register(sparse.SparseArray, take)


@to_numpy_dispatch.register_lazy("sparse")
def _register_sparse_to_numpy() -> None:
    import sparse

    to_numpy_dispatch.register(sparse.SparseArray, lambda x, **kwargs: x.todense())


@nannumel_lookup.register_lazy("sparse")
def _register_sparse_nannumel() -> None:
    import sparse

    def nannumel_sparse(x: Any, **kwargs: Any) -> Any:
        # Counting makes dense arrays, for nearly every count is above zero.
        count = _sum_of(~np.isnan(x), **kwargs)
        return count.todense() if isinstance(count, sparse.SparseArray) else count

    nannumel_lookup.register(sparse.SparseArray, nannumel_sparse)


# -- scipy.sparse ----------------------------------------------------------------------


def _scipy_types() -> tuple[type, ...]:
    import scipy.sparse

    return tuple({scipy.sparse.spmatrix, getattr(scipy.sparse, "sparray", scipy.sparse.spmatrix)})


@concatenate_lookup.register_lazy("scipy")
def _register_scipy_concatenate() -> None:
    import scipy.sparse

    def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
        return (scipy.sparse.hstack if axis % 2 else scipy.sparse.vstack)(arrays)

    concatenate_lookup.register(_scipy_types(), concatenate)


@tensordot_lookup.register_lazy("scipy")
def _register_scipy_tensordot() -> None:
    def tensordot(a: Any, b: Any, axes: Any = 1) -> Any:
        if isinstance(axes, (int, np.integer)):
            left, right = tuple(range(2 - axes, 2)), tuple(range(axes))
        else:
            left, right = (part if isinstance(part, tuple) else tuple(np.atleast_1d(part).tolist())
                           for part in axes)  # fmt: skip
        if len(left) != 1 or len(right) != 1:
            raise NotImplementedError(
                "the matrices of scipy.sparse are multiplied along one axis of each, "
                f"not along {left} and {right}"
            )
        a = a if left[0] % 2 else a.T
        return a @ (b.T if right[0] % 2 else b)

    tensordot_lookup.register(_scipy_types(), tensordot)


@take_lookup.register_lazy("scipy")
def _register_scipy_take() -> None:
    def take(x: Any, indices: Any, axis: int = 0) -> Any:
        x = x.tocsr() if axis % 2 == 0 else x.tocsc()
        return x[indices] if axis % 2 == 0 else x[:, indices]

    take_lookup.register(_scipy_types(), take)


@to_numpy_dispatch.register_lazy("scipy")
def _register_scipy_to_numpy() -> None:
    to_numpy_dispatch.register(_scipy_types(), lambda x, **kwargs: x.toarray())


# -- CuPy ------------------------------------------------------------------------------


@to_numpy_dispatch.register_lazy("cupy")
def _register_cupy_to_numpy() -> None:
    import cupy

    to_numpy_dispatch.register(cupy.ndarray, cupy.asnumpy)


@to_cupy_dispatch.register_lazy("numpy")
@to_cupy_dispatch.register_lazy("cupy")
def _register_to_cupy() -> None:
    import cupy

    to_cupy_dispatch.register((np.ndarray, cupy.ndarray), cupy.asarray)
