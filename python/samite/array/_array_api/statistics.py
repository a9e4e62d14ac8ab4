"""Statistics, searching and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

import samite.array as da
from samite.array.core import Array
from samite.array.utils import normalize_axis

# -- statistics ------------------------------------------------------------------------


def sum(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """The sum along axes."""
    return da.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


def prod(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    """The product along axes."""
    return da.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


def max(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The greatest element along axes."""
    return da.max(x, axis=axis, keepdims=keepdims)


def min(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The least element along axes."""
    return da.min(x, axis=axis, keepdims=keepdims)


def mean(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The mean along axes."""
    return da.mean(x, axis=axis, keepdims=keepdims)


def std(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The standard deviation along axes; ``correction`` is taken from the number of elements."""
    return da.std(x, axis=axis, ddof=correction, keepdims=keepdims)


def var(x: Array, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The variance along axes; ``correction`` is taken from the number of elements."""
    return da.var(x, axis=axis, ddof=correction, keepdims=keepdims)


def all(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether all elements along axes are true."""
    return da.all(x, axis=axis, keepdims=keepdims)


def any(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether any element along axes is true."""
    return da.any(x, axis=axis, keepdims=keepdims)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """The running sum along an axis, which only an array of one axis need not name."""
    return da.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """The running product along an axis, which only an array of one axis need not name."""
    return da.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


def diff(
    x: Array, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None
) -> Array:
    """The differences of neighbours along an axis."""
    return da.diff(x, n=n, axis=axis, prepend=prepend, append=append)


# -- searching ---------------------------------------------------------------------------


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The position of the first greatest element."""
    return da.argmax(x, axis=axis, keepdims=keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The position of the first least element."""
    return da.argmin(x, axis=axis, keepdims=keepdims)


def count_nonzero(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    """The number of elements along axes that are not zero."""
    return da.sum(x != 0, axis=axis, keepdims=keepdims, dtype=np.intp)


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """The positions along each axis of the elements that are not zero.

    Raises
    ------
    ValueError
        If the array has no axes.
    """
    if not x.ndim:
        raise ValueError("nonzero needs an array with axes")
    return tuple(da.nonzero(x))


def searchsorted(
    x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None
) -> Array:
    """The positions where elements have to be put so that an array stays sorted."""
    if sorter is not None:
        x1 = da.take(x1, sorter, axis=0)
    return da.searchsorted(x1, da.asarray(x2), side=side)


# -- sorting -----------------------------------------------------------------------------


def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The elements in order along an axis."""
    result = da.sort(x, axis=axis, stable=stable)
    return _reversed(result, axis) if descending else result


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The positions of the elements in order along an axis."""
    if not descending:
        return da.argsort(x, axis=axis, stable=stable)
    # Equal elements keep their order if both the array and the result are reversed.
    places = da.argsort(_reversed(x, axis), axis=axis, stable=stable)
    return _reversed(x.shape[normalize_axis(axis, x.ndim)] - 1 - places, axis)


def _reversed(x: Array, axis: int) -> Array:
    return x[(slice(None),) * normalize_axis(axis, x.ndim) + (slice(None, None, -1),)]
