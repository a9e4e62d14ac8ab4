"""Reductions as NumPy has them: sums, extremes, means and variances along axes.

What puts chunks together is in :mod:`samite.array.trees`. Other kinds of reductions, which are
offered here too, are in :mod:`~samite.array.positions`, :mod:`~samite.array.cumulative` and
:mod:`~samite.array.order_statistics`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array import native, partials
from samite.array.core import Array
from samite.array.cumulative import (
    cumprod,
    cumreduction,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    nancumprod,
    nancumsum,
)
from samite.array.dispatch import nannumel_lookup, numel_lookup
from samite.array.order_statistics import (
    argtopk,
    median,
    nanmedian,
    nanpercentile,
    nanquantile,
    quantile,
    topk,
)
from samite.array.positions import argmax, argmin, nanargmax, nanargmin
from samite.array.storage import asanyarray
from samite.array.trees import _tree_reduce, into, reduction
from samite.array.utils import meta_from_array, normalize_axes

__all__ = [
    "_tree_reduce", "all", "amax", "amin", "any", "argmax", "argmin", "argtopk", "cumprod",
    "cumreduction", "cumsum", "cumulative_prod", "cumulative_sum", "max", "mean", "median", "min",
    "moment", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian",
    "nanmin", "nannumel", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar",
    "numel", "prod", "quantile", "reduction", "std", "sum", "topk", "trace", "var",
]  # fmt: skip

# A function below takes its name.
_any = any


def numel(x: Any, **kwargs: Any) -> Any:
    """The number of elements of a chunk along ``axis``, not counting masked ones."""
    return numel_lookup(x, **kwargs)


def nannumel(x: Any, **kwargs: Any) -> Any:
    """The number of elements of a chunk along ``axis`` that are not NaN."""
    return nannumel_lookup(x, **kwargs)


# -- reductions of NumPy ---------------------------------------------------------------


def _result_dtype(func: Callable, x: Any) -> np.dtype:
    """The dtype of a function's result for elements like those of ``x``."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asanyarray(func(np.ones((1,), dtype=x.dtype), keepdims=True)).dtype
        except TypeError:
            if x.dtype.kind != "O":
                raise
            # NumPy does with single objects what it does not do with arrays of them.
            return x.dtype


def _simple(
    x: Any, chunk: Callable, aggregate: Callable, original: Callable, axis: Any, dtype: Any,
    keepdims: bool, split_every: Any, out: Any,
) -> Array:  # fmt: skip
    x = asanyarray(x)
    dtype = np.dtype(dtype) if dtype is not None else _result_dtype(original, x)
    result = native.total(x, original, axis, dtype, keepdims, split_every)
    if result is not None:
        return into(out, result)
    if dtype.kind != "m":
        # NumPy adds lengths of time up only if it is not told their dtype.
        chunk = functools.partial(chunk, dtype=dtype)
        aggregate = functools.partial(aggregate, dtype=dtype)
    return reduction(
        x, chunk, aggregate, axis, keepdims, split_every=split_every, out=out,
        name=original.__name__, meta=meta_from_array(x._meta, dtype=dtype),
    )  # fmt: skip


def sum(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The sum along axes."""
    return _simple(a, np.sum, np.sum, np.sum, axis, dtype, keepdims, split_every, out)


def prod(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The product along axes."""
    return _simple(a, np.prod, np.prod, np.prod, axis, dtype, keepdims, split_every, out)


def nansum(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The sum along axes, NaN counting as zero."""
    return _simple(a, np.nansum, np.sum, np.nansum, axis, dtype, keepdims, split_every, out)


def nanprod(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The product along axes, NaN counting as one."""
    return _simple(a, np.nanprod, np.prod, np.nanprod, axis, dtype, keepdims, split_every, out)


def any(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """Whether any element along axes is true."""
    return _truth(a, np.any, axis, keepdims, split_every, out)


def all(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """Whether all elements along axes are true."""
    return _truth(a, np.all, axis, keepdims, split_every, out)


def _truth(a: Any, func: Callable, axis: Any, keepdims: bool, split_every: Any, out: Any) -> Array:
    a = asanyarray(a)
    axes = normalize_axes(axis, a.ndim)
    result = native.reduce(a, func.__name__, axes, keepdims, split_every)
    if result is not None:
        return into(out, result)
    return reduction(
        a, func, func, axis, keepdims, split_every=split_every, out=out,
        name=func.__name__, meta=meta_from_array(a._meta, dtype=_result_dtype(func, a)),
    )  # fmt: skip


def min(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The least element along axes."""
    return _extreme(a, np.min, axis, keepdims, split_every, out)


def max(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The greatest element along axes."""
    return _extreme(a, np.max, axis, keepdims, split_every, out)


# NumPy's other names.
amin, amax = min, max


def nanmin(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The least element along axes that is not NaN."""
    return _extreme(a, np.nanmin, axis, keepdims, split_every, out)


def nanmax(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The greatest element along axes that is not NaN."""
    return _extreme(a, np.nanmax, axis, keepdims, split_every, out)


def _extreme(
    a: Any, func: Callable, axis: Any, keepdims: bool, split_every: Any, out: Any
) -> Array:
    a = asanyarray(a)
    axes = normalize_axes(axis, a.ndim)
    if _any(a.shape[n] == 0 for n in axes) and a.size == 0:
        # NumPy refuses this where there would be a result, and so does this, before computing.
        func(np.empty(tuple(0 if n != n else n for n in a.shape), a.dtype), axis=axes)
    result = native.reduce(a, func.__name__, axes, keepdims, split_every)
    if result is not None:
        return into(out, result)
    part = functools.partial(partials.extreme, func)
    return reduction(
        a, part, func, axis, keepdims, split_every=split_every, combine=part, out=out,
        name=func.__name__, meta=meta_from_array(a._meta),
    )  # fmt: skip


def mean(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The mean along axes."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.mean, nan=False)


def nanmean(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The mean along axes of what is not NaN."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.nanmean, nan=True)


def var(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The variance along axes; ``ddof`` is subtracted from the number of elements."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.var, nan=False, ddof=ddof)


def nanvar(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The variance along axes of what is not NaN."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.nanvar, nan=True, ddof=ddof)


def std(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The standard deviation along axes; the square root of :func:`var`."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.std, nan=False, ddof=ddof)


def nanstd(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The standard deviation along axes of what is not NaN."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.nanstd, nan=True, ddof=ddof)


def _moments(
    a: Any, axis: Any, dtype: Any, keepdims: bool, split_every: Any, out: Any, original: Callable,
    nan: bool, ddof: float | None = None,
) -> Array:  # fmt: skip
    a = asanyarray(a)
    result = np.dtype(dtype) if dtype is not None else _result_dtype(original, a)
    found = native.moments(a, original, axis, result, keepdims, split_every, ddof, dtype is None)
    if found is not None:
        return into(out, found)
    # NumPy adds half precision up in single precision.
    working = np.dtype(np.float32) if result == np.float16 and dtype is None else result
    if ddof is not None and working.kind in "iub":
        # The means of chunks are no whole numbers, even where that of all elements is.
        working = np.dtype(np.float64)
    if ddof is not None and dtype is None and a.dtype.kind == "c":
        working = np.result_type(working, np.complex64)
    finish: dict[str, Any] = {"dtype": result}
    if ddof is not None:
        finish.update(ddof=ddof, root=original in (np.std, np.nanstd))
    squares = ddof is not None
    return reduction(
        a,
        functools.partial(partials.moments_of_chunk, dtype=working, nan=nan, squares=squares),
        functools.partial(partials.variance if squares else partials.mean, **finish),
        axis,
        keepdims,
        split_every=split_every,
        combine=partials.combine_moments,
        out=out,
        concatenate=False,
        name=original.__name__,
        meta=meta_from_array(a._meta, dtype=result),
    )


def moment(
    a, order, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None
) -> Array:
    """The central moment along axes: the mean of a power of the distance to the mean.

    Parameters
    ----------
    order:
        The power, a whole number of at least 0.
    ddof:
        What is subtracted from the number of elements.

    Raises
    ------
    ValueError
        If ``order`` is no such number.
    """
    if not isinstance(order, (int, np.integer)) or order < 0:
        raise ValueError(f"Order must be an integer >= 0, not {order!r}")
    a = asanyarray(a)
    result = np.dtype(dtype) if dtype is not None else _result_dtype(np.var, a)
    if order < 2:
        like = sum(a, axis=axis, dtype=result, keepdims=keepdims, split_every=split_every)
        constant = np.zeros_like if order else np.ones_like
        return into(out, like.map_blocks(constant, dtype=result, meta=like._meta))
    working = np.result_type(result, a.dtype, np.float32) if result.kind != "O" else result
    return reduction(
        a,
        functools.partial(partials.central_moments_of_chunk, dtype=working, order=int(order)),
        functools.partial(partials.central_moment, dtype=result, order=int(order), ddof=ddof),
        axis,
        keepdims,
        split_every=split_every,
        combine=functools.partial(partials.combine_central_moments, order=int(order)),
        out=out,
        concatenate=False,
        name="moment",
        meta=meta_from_array(a._meta, dtype=result),
    )


def trace(a, offset=0, axis1=0, axis2=1, dtype=None) -> Array:
    """The sum along diagonals of two axes.

    Parameters
    ----------
    offset:
        How far above the main diagonal; below it if negative.

    Raises
    ------
    ValueError
        If the array has fewer than two axes, or the axes are the same.
    """
    from samite.array import diagonal

    return sum(diagonal(a, offset=offset, axis1=axis1, axis2=axis2), axis=-1, dtype=dtype)
