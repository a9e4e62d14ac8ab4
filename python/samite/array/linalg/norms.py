"""Norms of vectors and matrices, and what is said by singular values."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.array import reductions
from samite.array.core import Array
from samite.array.elementwise import elemwise
from samite.array.linalg.singular import svdvals
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = ["cond", "matrix_norm", "matrix_rank", "norm", "vector_norm"]


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of vectors or matrices, as :func:`numpy.linalg.norm` has it.

    Parameters
    ----------
    x:
        The array.
    ord:
        Which norm. The norms by singular values (``"nuc"``, 2 and -2 of matrices) take one matrix
        only, which is cut along one axis at most.
    axis:
        The axis of vectors, or the two axes of matrices; None for all, which have to be one or
        two unless ``ord`` is None too.
    keepdims:
        Whether these axes stay, with length one.

    Raises
    ------
    ValueError
        If there is no such norm.
    NotImplementedError
        If singular values of more than one matrix are needed, or of one cut along both axes.
    """
    x = asanyarray(x)
    if x.dtype.kind not in "fc":
        x = x.astype(float)
    if axis is None:
        axes = tuple(range(x.ndim))
        if ord is not None and x.ndim not in (1, 2):
            raise ValueError("Improper number of dimensions to norm.")
    else:
        given = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(normalize_axis(a, x.ndim) for a in given)
        if len(set(axes)) < len(axes):
            raise ValueError("Duplicate axes given.")
    options: dict[str, Any] = {"keepdims": keepdims}
    if ord is None or (ord in ("fro", "f") and len(axes) == 2):
        return _square_root_of_squares(x, axes, keepdims)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"Invalid norm order '{ord}' for vectors")
        return _of_vectors(x, ord, axes[0], options)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    row, column = axes
    size = abs(x)
    if ord in (1, -1, np.inf, -np.inf):
        summed, other = (row, column) if abs(ord) == 1 else (column, row)
        pick = _greatest if ord > 0 else reductions.min
        sums = reductions.sum(size, axis=summed, keepdims=True)
        return _without_axes(pick(sums, axis=other, keepdims=True), axes, keepdims)
    if ord in ("nuc", 2, -2):
        if x.ndim > 2:
            raise NotImplementedError(
                f"SVD based norm with ord={ord!r} is not implemented for stacks of matrices, such "
                f"as an array of shape {x.shape}"
            )
        s = svdvals(x)
        if ord == "nuc":
            result = reductions.sum(s)
        else:
            result = reductions.max(s) if ord == 2 else reductions.min(s)
        return result[None, None] if keepdims else result
    raise ValueError(f"Invalid norm order {ord!r} for matrices.")


def _square_root_of_squares(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    from samite.array import ufunc

    squares = x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x
    if not axes:
        return getattr(ufunc, "sqrt")(squares)  # noqa: B009  (made by a loop)
    return getattr(ufunc, "sqrt")(  # noqa: B009  (made by a loop)
        reductions.sum(squares, axis=axes, keepdims=keepdims)
    )


def _of_vectors(x: Array, ord: Any, axis: int, options: dict[str, Any]) -> Array:
    if ord == 2:
        return _square_root_of_squares(x, (axis,), options["keepdims"])
    size = abs(x)
    if ord in (np.inf, -np.inf):
        pick = _greatest if ord > 0 else reductions.min
        return pick(size, axis=axis, **options)
    if ord == 0:
        return reductions.sum(elemwise(np.not_equal, x, 0).astype(size.dtype), axis=axis, **options)
    if ord == 1:
        return reductions.sum(size, axis=axis, **options)
    total = reductions.sum(size**ord, axis=axis, **options)
    return (total ** (1.0 / ord)).astype(size.dtype)


def _greatest(sizes: Array, axis: Any, keepdims: bool = False) -> Array:
    """The greatest of sizes, which is zero where there are none."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    if any(sizes.shape[n] == 0 for n in axes):
        return reductions.sum(sizes, axis=axis, keepdims=keepdims)
    return reductions.max(sizes, axis=axis, keepdims=keepdims)


def _without_axes(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    if keepdims:
        return x
    return x[tuple(0 if axis in axes else slice(None) for axis in range(x.ndim))]


def vector_norm(x: Any, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The norm of vectors along one axis or several, or of all elements as one vector."""
    x = asanyarray(x)
    axes = tuple(range(x.ndim)) if axis is None else axis
    axes = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    axes = tuple(normalize_axis(a, x.ndim) for a in axes)
    if x.dtype.kind not in "fc":
        x = x.astype(float)
    if not axes:
        return abs(x)
    if len(axes) == 1:
        return _of_vectors(x, ord, axes[0], {"keepdims": keepdims})
    if ord == 2:
        return _square_root_of_squares(x, axes, keepdims)
    return _of_vectors(x, ord, axes, {"keepdims": keepdims})  # type: ignore[arg-type]


def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norm of the matrices in the last two axes; see :func:`norm`.

    Raises
    ------
    ValueError
        If there are fewer than two axes.
    """
    x = asanyarray(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_norm takes matrices, not an array of shape {x.shape}")
    return norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)


def cond(x: Any, p: Any = None) -> Array:
    """The condition number of a matrix: the norm times that of the inverse.

    Raises
    ------
    NotImplementedError
        If the singular values of a matrix that is cut along both axes are needed.
    """
    x = asanyarray(x)
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[-1] / s[0] if p == -2 else s[0] / s[-1]
    from samite.array.linalg.elimination import inv

    return norm(x, ord=p, axis=(-2, -1)) * norm(inv(x), ord=p, axis=(-2, -1))


def matrix_rank(A: Any, tol: Any = None, *, rtol: Any = None) -> Array:
    """The number of singular values of a matrix that are greater than a limit.

    Parameters
    ----------
    A:
        The matrix, cut along one axis at most; or a vector.
    tol:
        The limit; by default that of ``rtol``.
    rtol:
        The limit divided by the greatest value; by default the precision of the dtype times the
        longer side.
    """
    A = asanyarray(A)
    if A.ndim < 2:
        return reductions.any(A != 0).astype(np.intp)
    if tol is not None and rtol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    s = svdvals(A)
    if tol is None:
        if rtol is None:
            rtol = max(A.shape) * float(np.finfo(s.dtype).eps)
        tol = reductions.max(s) * rtol if s.shape[0] else 0
    return reductions.sum((s > tol).astype(np.intp))
