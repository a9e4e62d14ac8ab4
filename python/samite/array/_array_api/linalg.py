"""The extension of linear algebra.

A single matrix may be cut as the functions of :mod:`samite.array.linalg` take it, and so may be
larger than memory. Of stacks of matrices every matrix is made one chunk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import samite.array as da
from samite.array import linalg as _linalg
from samite.array import products
from samite.array.core import Array
from samite.array.products import vecdot

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm",
    "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve",
    "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


class Eigh(NamedTuple):
    """What :func:`eigh` gives."""

    eigenvalues: Array
    eigenvectors: Array


class QR(NamedTuple):
    """What :func:`qr` gives."""

    Q: Array
    R: Array


class Slogdet(NamedTuple):
    """What :func:`slogdet` gives."""

    sign: Array
    logabsdet: Array


class SVD(NamedTuple):
    """What :func:`svd` gives."""

    U: Array
    S: Array
    Vh: Array


# -- products ----------------------------------------------------------------------------


def matmul(x1: Array, x2: Array, /) -> Array:
    """The product of matrices, or of stacks of them."""
    return products.matmul(x1, x2)


def matrix_transpose(x: Array, /) -> Array:
    """Matrices with rows and columns exchanged.

    Raises
    ------
    ValueError
        If there are fewer than two axes.
    """
    return x.mT


def outer(x1: Array, x2: Array, /) -> Array:
    """The products of every element of a vector with every one of another."""
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer takes two vectors, not {x1.ndim} and {x2.ndim} axes")
    return x1[:, None] * x2[None, :]


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """The sum of products along axes of two arrays."""
    return products.tensordot(x1, x2, axes=axes)


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The cross products of vectors of three elements."""
    return _linalg.cross(x1, x2, axis=axis)


# -- parts and norms -----------------------------------------------------------------------


def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The diagonals of matrices."""
    return da.diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of matrices."""
    return da.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norms of matrices."""
    return _linalg.matrix_norm(x, keepdims=keepdims, ord=ord)


def vector_norm(x: Array, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The norms of vectors along axes."""
    return _linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


# -- decompositions ------------------------------------------------------------------------


def _stacked(func: Callable, signature: str, *arrays: Any, **options: Any) -> Any:
    """A function of NumPy of every matrix of a stack, with each matrix in one chunk."""
    whole = []
    for x, part in zip(arrays, signature.partition("->")[0].split("),(")):
        core = part.strip("()").count(",") + (1 if part.strip("()") else 0)
        whole.append(x.rechunk({x.ndim - n: -1 for n in range(1, core + 1)}))
    examples = [np.ones((1,) * x.ndim, dtype=x.dtype) for x in whole]
    results = func(*examples)
    several = isinstance(results, tuple)
    dtypes = [part.dtype for part in results] if several else results.dtype
    return da.apply_gufunc(func, signature, *whole, output_dtypes=dtypes, **options)


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The Cholesky decomposition of matrices, of which only one triangle is used."""
    if x.ndim == 2:
        return _linalg.cholesky(x, lower=not upper)
    lower = _stacked(np.linalg.cholesky, "(m,m)->(m,m)", x)
    return lower.mT.conj() if upper else lower


def det(x: Array, /) -> Array:
    """The determinants of square matrices."""
    return _linalg.det(x) if x.ndim == 2 else _stacked(np.linalg.det, "(m,m)->()", x)


def eigh(x: Array, /) -> Eigh:
    """The eigenvalues and eigenvectors of Hermitian matrices."""
    return Eigh(*_stacked(_eigh, "(m,m)->(m),(m,m)", x))


def _eigh(x: Any) -> tuple[Any, Any]:
    return tuple(np.linalg.eigh(x))


def eigvalsh(x: Array, /) -> Array:
    """The eigenvalues of Hermitian matrices."""
    return _stacked(np.linalg.eigvalsh, "(m,m)->(m)", x)


def inv(x: Array, /) -> Array:
    """The inverses of square matrices."""
    return _linalg.inv(x) if x.ndim == 2 else _stacked(np.linalg.inv, "(m,m)->(m,m)", x)


def matrix_power(x: Array, n: int, /) -> Array:
    """Square matrices multiplied by themselves ``n`` times."""
    return _linalg.matrix_power(x, n)


def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    """The numbers of singular values that are greater than a limit."""
    if x.ndim < 2:
        raise ValueError(f"matrix_rank takes matrices, not arrays of {x.ndim} axes")
    values = svdvals(x)
    if rtol is None:
        rtol = max(x.shape[-2:]) * np.finfo(values.dtype).eps
    limit = da.max(values, axis=-1, keepdims=True) * (
        rtol[..., None] if getattr(rtol, "ndim", 0) else rtol
    )
    return da.sum(values > limit, axis=-1, dtype=np.intp)


def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    """The pseudo-inverses of matrices."""
    func = functools.partial(np.linalg.pinv, rtol=rtol)
    return _linalg.pinv(x, rtol=rtol) if x.ndim == 2 else _stacked(func, "(m,n)->(n,m)", x)


def qr(x: Array, /, *, mode: str = "reduced") -> QR:
    """The QR decomposition of matrices.

    Raises
    ------
    ValueError
        If the mode is neither ``"reduced"`` nor ``"complete"``.
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"the mode of qr is 'reduced' or 'complete', not {mode!r}")
    if x.ndim == 2 and mode == "reduced":
        return QR(*_linalg.qr(x))
    rows, columns = x.shape[-2:]
    inner = rows if mode == "complete" else min(rows, columns)
    func = functools.partial(_qr, mode=mode)
    sizes = {"k": inner}
    return QR(*_stacked(func, "(m,n)->(m,k),(k,n)", x, output_sizes=sizes))


def _qr(x: Any, mode: str) -> tuple[Any, Any]:
    return tuple(np.linalg.qr(x, mode=mode))


def slogdet(x: Array, /) -> Slogdet:
    """The signs and the logarithms of the absolute values of determinants."""
    if x.ndim == 2:
        return Slogdet(*_linalg.slogdet(x))
    return Slogdet(*_stacked(_slogdet, "(m,m)->(),()", x))


def _slogdet(x: Any) -> tuple[Any, Any]:
    sign, logarithm = np.linalg.slogdet(x)
    return np.asarray(sign), np.asarray(logarithm)


def solve(x1: Array, x2: Array, /) -> Array:
    """The solutions of linear equations, with the matrices ``x1`` and the right sides ``x2``."""
    if x1.ndim == 2 and x2.ndim <= 2:
        return _linalg.solve(x1, x2)
    if x2.ndim == 1:
        return _stacked(np.linalg.solve, "(m,m),(m)->(m)", x1, x2)
    return _stacked(np.linalg.solve, "(m,m),(m,n)->(m,n)", x1, x2)


def svd(x: Array, /, *, full_matrices: bool = True) -> SVD:
    """The singular value decomposition of matrices.

    A matrix that is cut along one axis stays so if ``full_matrices`` is false.
    """
    if x.ndim == 2 and not full_matrices:
        return SVD(*_linalg.svd(x, coerce_signs=False))
    rows, columns = x.shape[-2:]
    inner = min(rows, columns)
    signature = "(m,n)->(m,u),(k),(v,n)"
    sizes = {"k": inner, "u": rows if full_matrices else inner}
    sizes["v"] = columns if full_matrices else inner
    func = functools.partial(_svd, full_matrices=full_matrices)
    return SVD(*_stacked(func, signature, x, output_sizes=sizes))


def _svd(x: Any, full_matrices: bool) -> tuple[Any, Any, Any]:
    return tuple(np.linalg.svd(x, full_matrices=full_matrices))


def svdvals(x: Array, /) -> Array:
    """The singular values of matrices."""
    if x.ndim == 2:
        return _linalg.svdvals(x)
    sizes = {"k": min(x.shape[-2:])}
    return _stacked(_singular_values, "(m,n)->(k)", x, output_sizes=sizes)


def _singular_values(x: Any) -> Any:
    return np.linalg.svd(x, compute_uv=False)
