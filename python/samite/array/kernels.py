"""Functions of whole chunks: native where a chunk is plain, else those of NumPy and SciPy.

A chunk is plain if it is a NumPy array, of no subclass, with numbers or bools in the byte order of
the machine; its strides do not matter. Native functions run on one thread without the interpreter,
so that several chunks are worked on at once, where BLAS libraries start threads of their own for
each. All results and errors are those of NumPy, up to rounding and to the signs of factors that a
factorization leaves open.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from samite._engine import _dense as dense

__all__ = [
    "argsort", "bincount", "cholesky", "det", "digitize", "dot", "eigh", "fft", "histogram", "inv",
    "lu", "matmul", "median", "qr", "quantile", "searchsorted", "slogdet", "solve",
    "solve_triangular", "sort", "svd", "take", "tensordot", "topk", "transform",
]  # fmt: skip


def _as_floats(a: Any) -> Any:
    """Integers as numbers that matrices are factorized of, which is what NumPy makes of them."""
    return a.astype(float) if type(a) is np.ndarray and a.dtype.kind in "iub" else a


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    """Two arrays of the dtype that NumPy would compute with."""
    if type(a) is np.ndarray and type(b) is np.ndarray and a.dtype != b.dtype:
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    return a, b


def _scipy() -> Any:
    import scipy.linalg

    return scipy.linalg


def _attempt(function: Any, *args: Any) -> Any:
    """The native result, or None if there is none or it fails.

    The function of NumPy or SciPy then says what is wrong in its own words.
    """
    try:
        return function(*args)
    except (np.linalg.LinAlgError, ValueError, IndexError):
        return None


# -- products ----------------------------------------------------------------------------


def _is_product(a: Any, b: Any) -> bool:
    return (
        type(a) is np.ndarray and type(b) is np.ndarray
        and a.dtype == b.dtype and a.dtype.kind in "biufc"
    )  # fmt: skip


def matmul(a: Any, b: Any) -> Any:
    """As :func:`numpy.matmul`."""
    if _is_product(a, b) and a.ndim >= 2 and b.ndim >= 2 and a.shape[-1] == b.shape[-2]:
        left, right = a, b
        if a.ndim > 2 or b.ndim > 2:
            try:
                outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            except ValueError:
                return np.matmul(a, b)
            left = np.broadcast_to(a, outer + a.shape[-2:])
            right = np.broadcast_to(b, outer + b.shape[-2:])
        result = dense.matmul(left, right)
        if result is not None:
            return result
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.matmul(a, b)
    # Arrays of other libraries know their own product, also where they are no arguments of NumPy's.
    return a @ b


def dot(a: Any, b: Any) -> Any:
    """As :func:`numpy.dot`."""
    if _is_product(a, b) and a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
        result = dense.matmul(a, b)
        if result is not None:
            return result
    return np.dot(a, b)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """As :func:`numpy.tensordot`."""
    if not _is_product(a, b) or isinstance(axes, (int, np.integer)):
        return np.tensordot(a, b, axes)
    left, right = ([part] if isinstance(part, (int, np.integer)) else list(part) for part in axes)
    left, right = [n % a.ndim for n in left], [n % b.ndim for n in right]
    lengths = [a.shape[n] for n in left]
    if lengths != [b.shape[n] for n in right] or len(set(left)) < len(left):
        return np.tensordot(a, b, axes)
    kept_left = [n for n in range(a.ndim) if n not in left]
    kept_right = [n for n in range(b.ndim) if n not in right]
    if not kept_left and not kept_right:
        # The product of two vectors: no work to share between threads.
        return np.tensordot(a, b, axes)
    inner = int(np.prod(lengths, dtype=int))
    shape = [a.shape[n] for n in kept_left] + [b.shape[n] for n in kept_right]
    rows = int(np.prod([a.shape[n] for n in kept_left], dtype=int))
    columns = int(np.prod([b.shape[n] for n in kept_right], dtype=int))
    first = a.transpose([*kept_left, *left]).reshape(rows, inner)
    second = b.transpose([*right, *kept_right]).reshape(inner, columns)
    return dot(first, second).reshape(shape)


# -- matrices ----------------------------------------------------------------------------


def qr(a: Any) -> tuple[Any, Any]:
    """As :func:`numpy.linalg.qr`; the diagonal of a native ``r`` is not negative."""
    result = _attempt(dense.qr, _as_floats(a))
    return tuple(np.linalg.qr(a)) if result is None else result


def svd(a: Any, full_matrices: bool = True) -> tuple[Any, Any, Any]:
    """As :func:`numpy.linalg.svd`."""
    thin = not full_matrices or (np.ndim(a) == 2 and a.shape[0] == a.shape[1])
    result = _attempt(dense.svd, _as_floats(a)) if thin else None
    return tuple(np.linalg.svd(a, full_matrices=full_matrices)) if result is None else result


def cholesky(a: Any, lower: bool = False) -> Any:
    """As :func:`scipy.linalg.cholesky`."""
    result = None
    if _is_finite(a):
        result = _attempt(dense.cholesky, _as_floats(a), lower)
    return _scipy().cholesky(a, lower=lower) if result is None else result


def lu(a: Any) -> tuple[Any, Any, Any]:
    """As :func:`scipy.linalg.lu` with ``p_indices``: ``a == l[p] @ u``."""
    result = None
    if np.ndim(a) == 2 and _is_finite(a):
        # SciPy makes nothing of the other byte order, without a word.
        a = a.astype(a.dtype.newbyteorder("="), copy=False)
        result = _attempt(dense.lu, _as_floats(a))
    return _scipy().lu(a, p_indices=True) if result is None else result


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """As :func:`scipy.linalg.solve_triangular`."""
    form = {0: "N", 1: "T", 2: "C"}.get(trans, trans)
    result = None
    if form in ("N", "T", "C") and _is_finite(a) and _is_finite(b):
        first, second = _alike(_as_floats(a), _as_floats(b))
        result = _attempt(dense.solve_triangular, first, second, lower, form, unit_diagonal)
    if result is None:
        result = _scipy().solve_triangular(
            a, b, trans=trans, lower=lower, unit_diagonal=unit_diagonal
        )
    return result


def _is_finite(a: Any) -> bool:
    """Whether a plain array has neither NaN nor infinities, which SciPy refuses."""
    return type(a) is np.ndarray and a.dtype.kind in "iubfc" and bool(np.isfinite(a).all())


def solve(a: Any, b: Any) -> Any:
    """As :func:`numpy.linalg.solve`."""
    result = None
    if np.ndim(a) == 2 and np.ndim(b) in (1, 2):
        result = _attempt(dense.solve, *_alike(_as_floats(a), _as_floats(b)))
    return np.linalg.solve(a, b) if result is None else result


def inv(a: Any) -> Any:
    """As :func:`numpy.linalg.inv`."""
    result = _attempt(dense.inv, _as_floats(a)) if np.ndim(a) == 2 else None
    return np.linalg.inv(a) if result is None else result


def det(a: Any) -> Any:
    """As :func:`numpy.linalg.det`."""
    result = _attempt(dense.det, _as_floats(a)) if np.ndim(a) == 2 else None
    return np.linalg.det(a) if result is None else result


def slogdet(a: Any) -> tuple[Any, Any]:
    """As :func:`numpy.linalg.slogdet`."""
    result = _attempt(dense.slogdet, _as_floats(a)) if np.ndim(a) == 2 else None
    return tuple(np.linalg.slogdet(a)) if result is None else result


def eigh(a: Any, UPLO: str = "L") -> tuple[Any, Any]:
    """As :func:`numpy.linalg.eigh`."""
    result = None
    if np.ndim(a) == 2 and UPLO in ("L", "U"):
        result = _attempt(dense.eigh, _as_floats(a), UPLO == "L")
    return tuple(np.linalg.eigh(a, UPLO)) if result is None else result


# -- transforms --------------------------------------------------------------------------

_TRANSFORMS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")


def fft(a: Any, kind: str = "fft", n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """The transform of a kind along an axis, as the function of :mod:`numpy.fft` of that name."""
    ndim = np.ndim(a)
    result = None
    if -ndim <= axis < ndim and (n is None or n > 0):
        result = _attempt(dense.fft, _as_floats(a), kind, axis % ndim, n, norm)
    return getattr(np.fft, kind)(a, n=n, axis=axis, norm=norm) if result is None else result


def transform(a: Any, kind: str = "fftn", s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The transform of a kind along several axes, as the function of :mod:`numpy.fft`.

    ``kind`` is the name of one that ends in ``n`` or ``2``.
    """
    if type(a) is not np.ndarray or axes is None or not len(axes):
        return getattr(np.fft, kind)(a, s=s, axes=axes, norm=norm)
    one = kind[:-1]
    lengths = [None] * len(axes) if s is None else list(s)
    lengths = [a.shape[axis] if n == -1 else n for n, axis in zip(lengths, axes)]
    # The last axis is that of real numbers: the first that is transformed, or the last one.
    *others, last = zip(lengths, axes)
    if one == "rfft":
        a = fft(a, one, *last, norm)
    for n, axis in reversed(others):
        a = fft(a, one.replace("r", ""), n, axis, norm)
    return a if one == "rfft" else fft(a, one, *last, norm)


# -- order -------------------------------------------------------------------------------


def sort(a: Any, axis: int = -1) -> Any:
    """As :func:`numpy.sort`."""
    ndim = np.ndim(a)
    result = _attempt(dense.sort, a, axis % ndim) if -ndim <= axis < ndim else None
    return np.sort(a, axis=axis) if result is None else result


def argsort(a: Any, axis: int = -1) -> Any:
    """As :func:`numpy.argsort` with ``kind="stable"``."""
    ndim = np.ndim(a)
    result = _attempt(dense.argsort, a, axis % ndim) if -ndim <= axis < ndim else None
    return np.argsort(a, axis=axis, kind="stable") if result is None else result


def topk(a: Any, k: int, axis: int = -1) -> Any:
    """The ``k`` greatest elements along an axis, greatest first, or the ``-k`` least ones."""
    ndim = np.ndim(a)
    result = _attempt(dense.topk, a, k, axis % ndim) if -ndim <= axis < ndim else None
    if result is not None:
        return result
    ordered = np.sort(a, axis=axis)
    if k > 0:
        ordered = np.flip(ordered, axis=axis)
    return ordered[(slice(None),) * (axis % ndim) + (slice(abs(k)),)]


def searchsorted(a: Any, v: Any, side: str = "left") -> Any:
    """As :func:`numpy.searchsorted`."""
    result = None
    if side in ("left", "right"):
        result = _attempt(dense.searchsorted, *_alike(a, v), side == "right")
    return np.searchsorted(a, v, side=side) if result is None else result


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """As :func:`numpy.digitize`."""
    result = None
    # NaN makes bins neither ascend nor descend in their own way, and complex bins are refused.
    if type(bins) is np.ndarray and bins.dtype.kind in "iubf" and not np.isnan(bins).any():
        result = _attempt(dense.digitize, *_alike(x, bins), right)
    return np.digitize(x, bins, right) if result is None else result


def quantile(a: Any, q: Any, axis: int, method: str = "linear") -> Any:
    """As :func:`numpy.quantile` along an axis."""
    ndim = np.ndim(a)
    # NumPy has its own ways, and warnings, between infinities.
    if _is_finite(a) and a.dtype == np.float64 and -ndim <= axis < ndim and a.shape[axis]:
        asked = np.asarray(q, dtype=float)
        result = _attempt(dense.quantiles, a, asked.ravel().tolist(), axis % ndim, method)
        if result is not None:
            return result.reshape(asked.shape + result.shape[1:])[()]
    return np.quantile(a, q, axis=axis, method=method)


def median(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """As :func:`numpy.median`."""
    axes = range(np.ndim(a)) if axis is None else np.atleast_1d(axis)
    if len(axes) == 1 and type(a) is np.ndarray and a.dtype == np.float64:
        result = quantile(a, 0.5, int(axes[0]), "midpoint") if _is_finite(a) and a.size else None
        if result is not None:
            return np.expand_dims(result, int(axes[0])) if keepdims else result
    return np.median(a, axis=axis, keepdims=keepdims)


def take(a: Any, indices: Any, axis: int = 0) -> Any:
    """As :func:`numpy.take` for one axis of indices."""
    ndim = np.ndim(a)
    result = None
    if type(indices) is np.ndarray and indices.ndim == 1 and -ndim <= axis < ndim:
        result = _attempt(dense.take, a, indices, axis % ndim)
    return np.take(a, indices, axis=axis) if result is None else result


# -- counting ----------------------------------------------------------------------------


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None
) -> tuple[Any, Any]:  # fmt: skip
    """As :func:`numpy.histogram`."""
    if type(a) is np.ndarray and a.dtype.kind in "iuf" and not isinstance(bins, str):
        # Without a range the edges depend on all elements. NumPy is faster with any edges.
        if not np.ndim(bins) and range is not None:
            edges = np.histogram_bin_edges(a[:0].ravel(), bins, range)
            if edges.dtype.kind in "iuf" and not np.isnan(edges).any():
                native = edges.astype(float)
                counts = _attempt(dense.histogram, a, native.tolist(), weights)
                if counts is not None:
                    return counts, edges
    return np.histogram(a, bins, range=range, weights=weights)


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """As :func:`numpy.bincount`."""
    result = None
    if type(x) is np.ndarray and x.ndim == 1 and x.size and x.dtype != np.uint64:
        floats = weights
        if type(weights) is np.ndarray and weights.dtype.kind in "iubf":
            floats = weights.astype(float, copy=False)
        result = _attempt(dense.bincount, x, floats, minlength)
    return np.bincount(x, weights, minlength=minlength) if result is None else result
