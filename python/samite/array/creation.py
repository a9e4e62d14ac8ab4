"""Arrays that are made from nothing but numbers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array import native
from samite.array.blockwise import blockwise
from samite.array.chunks import has_unknown, normalize_chunks
from samite.array.core import Array
from samite.array.matrices import (
    diag,
    diagflat,
    diagonal,
    eye,
    identity,
    tri,
    tril,
    tril_indices,
    tril_indices_from,
    triu,
    triu_indices,
    triu_indices_from,
)
from samite.array.sources import like_block, source_layer
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array
from samite.base import tokenize
from samite.layers import ArrayChunkShapeDep, ArraySliceDep
from samite.utils import funcname

__all__ = [
    "arange", "diag", "diagflat", "diagonal", "empty", "empty_like", "eye", "full", "full_like",
    "identity", "linspace", "ones", "ones_like", "tri", "tril", "tril_indices",
    "tril_indices_from", "triu", "triu_indices", "triu_indices_from", "zeros", "zeros_like",
]  # fmt: skip


# An array of any elements may as well be one of zeros.
_FILLS = {np.ones: 1, np.zeros: 0, np.empty: 0}


def _filled(
    func: Callable,
    shape: Any,
    dtype: Any,
    chunks: Any,
    name: str | None,
    order: str,
    meta: Any = None,
    **kwargs: Any,
) -> Array:
    """An array whose chunks ``func(shape, dtype=, order=)`` makes."""
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    if any(int(length) != length for length in shape):
        raise TypeError(f"the lengths of axes are integers, not {tuple(shape)}")
    shape = tuple(int(length) for length in shape)
    if any(length < 0 for length in shape):
        raise ValueError("negative dimensions are not allowed")
    dtype = np.dtype(dtype)
    chunks = normalize_chunks(chunks, shape, dtype=dtype)
    if meta is not None:
        meta = meta_from_array(meta, ndim=len(shape), dtype=dtype)
    if order == "C" and meta is None:
        value = _FILLS.get(func, kwargs.get("fill_value"))
        expr = None if value is None else native.full(value, dtype, chunks)
        if expr is not None:
            return native.wrap(expr, f"{funcname(func)}_like", name)
    make = functools.partial(func, dtype=dtype, order=order, **kwargs)
    if name is None:
        token = tokenize(func, shape, dtype, chunks, order, kwargs, type(meta))
        # As Dask does, which others look at.
        name = f"{funcname(func)}_like-{token}"
    if meta is not None and type(meta) is not np.ndarray:
        make = functools.partial(like_block, make, meta)
    else:
        meta = np.zeros((0,) * len(shape), dtype=dtype)
    layer = source_layer(name, make, ArrayChunkShapeDep(chunks))
    return Array(layer, name, chunks, meta=meta)  # type: ignore[arg-type]


def ones(
    shape: Any,
    dtype: Any = float,
    chunks: Any = "auto",
    name: str | None = None,
    order: str = "C",
    meta: Any = None,
) -> Array:
    """An array of ones.

    Parameters
    ----------
    shape, dtype, order:
        As for :func:`numpy.ones`.
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.
    name:
        The name of the result; by default made of a hash.
    meta:
        An array of the kind that the chunks will be of.
    """
    return _filled(np.ones, shape, dtype or float, chunks, name, order, meta)


def zeros(
    shape: Any,
    dtype: Any = float,
    chunks: Any = "auto",
    name: str | None = None,
    order: str = "C",
    meta: Any = None,
) -> Array:
    """An array of zeros. Takes the arguments of :func:`ones`."""
    return _filled(np.zeros, shape, dtype or float, chunks, name, order, meta)


def empty(
    shape: Any,
    dtype: Any = float,
    chunks: Any = "auto",
    name: str | None = None,
    order: str = "C",
    meta: Any = None,
) -> Array:
    """An array of any elements. Takes the arguments of :func:`ones`."""
    return _filled(np.empty, shape, dtype or float, chunks, name, order, meta)


def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    chunks: Any = "auto",
    name: str | None = None,
    order: str = "C",
    meta: Any = None,
) -> Array:
    """An array of one value. Takes the arguments of :func:`ones`, and the value.

    Raises
    ------
    ValueError
        If the value is not a scalar.
    """
    if np.ndim(fill_value):
        raise ValueError(
            f"fill_value must be scalar. Received {type(fill_value).__name__} instead."
        )
    if isinstance(fill_value, Array):
        filled = _filled(np.empty, shape, dtype or fill_value.dtype, chunks, None, order)
        axes = tuple(range(filled.ndim))
        return blockwise(
            np.full_like, axes, filled, axes, fill_value, (), name=name, dtype=filled.dtype
        )
    if dtype is None:
        dtype = getattr(fill_value, "dtype", None) or np.asarray(fill_value).dtype
    return _filled(np.full, shape, dtype, chunks, name, order, meta, fill_value=fill_value)


def _same_kind(
    func: Callable,
    a: Any,
    dtype: Any,
    order: str,
    chunks: Any,
    name: str | None,
    shape: Any,
    **kwargs: Any,
) -> Array:
    a = asanyarray(a)
    dtype = a.dtype if dtype is None else dtype
    if shape is None and any(map(has_unknown, a.chunks)):
        if chunks is not None:
            raise ValueError("an array of unknown shape cannot be cut by given chunks")
        return _of_unknown_shape(func, a, dtype, name, kwargs)
    if shape is None:
        shape, chunks = a.shape, chunks if chunks is not None else a.chunks
    if chunks is None:
        chunks = "auto"
    if order == "K":
        order = "C"
    return _filled(func, shape, dtype, chunks, name, order, meta=a._meta, **kwargs)


def _of_unknown_shape(
    func: Callable, a: Array, dtype: Any, name: str | None, kwargs: dict[str, Any]
) -> Array:
    """An array with the shape of another, which has to be computed for it."""
    axes = tuple(range(a.ndim))
    like = {
        "empty": np.empty_like,
        "ones": np.ones_like,
        "zeros": np.zeros_like,
        "full": np.full_like,
    }
    make = functools.partial(like[func.__name__], dtype=np.dtype(dtype), **kwargs)
    return blockwise(make, axes, a, axes, name=name, dtype=np.dtype(dtype), meta=a._meta)


def ones_like(a, dtype=None, order="C", chunks=None, name=None, shape=None) -> Array:
    """An array of ones with the shape, dtype and chunks of another, unless others are given."""
    return _same_kind(np.ones, a, dtype, order, chunks, name, shape)


def zeros_like(a, dtype=None, order="C", chunks=None, name=None, shape=None) -> Array:
    """An array of zeros with the shape, dtype and chunks of another, unless others are given."""
    return _same_kind(np.zeros, a, dtype, order, chunks, name, shape)


def empty_like(a, dtype=None, order="C", chunks=None, name=None, shape=None) -> Array:
    """An array of any elements with the shape, dtype and chunks of another, unless others are
    given."""
    return _same_kind(np.empty, a, dtype, order, chunks, name, shape)


def full_like(a, fill_value, order="C", dtype=None, chunks=None, name=None, shape=None) -> Array:
    """An array of one value with the shape, dtype and chunks of another, unless others are given.

    Raises
    ------
    ValueError
        If the value is not a scalar.
    """
    if np.ndim(fill_value):
        raise ValueError(
            f"fill_value must be scalar. Received {type(fill_value).__name__} instead."
        )
    return _same_kind(np.full, a, dtype, order, chunks, name, shape, fill_value=fill_value)


def arange(
    start: Any = None,
    /,
    stop: Any = None,
    step: Any = 1,
    *,
    chunks: Any = "auto",
    like: Any = None,
    dtype: Any = None,
    name: str | None = None,
) -> Array:
    """Evenly spaced values from ``start`` up to, not including, ``stop``.

    Parameters
    ----------
    start, stop, step, dtype, like:
        As for :func:`numpy.arange`.
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.

    Raises
    ------
    TypeError
        If there is no end.
    """
    if stop is None:
        if start is None:
            raise TypeError("arange() requires stop to be specified.")
        start, stop = 0, start
    if start is None:
        start = 0
    if step is None:
        step = 1
    if dtype is None:
        # As many elements as the difference of a number with itself: only the dtype counts.
        dtype = np.promote_types(
            np.arange(start, start, step).dtype, np.arange(stop, stop, step).dtype
        )
    dtype = np.dtype(dtype)
    length = max(0, math.ceil(np.true_divide(stop - start, step))) if step else 0
    if not step:
        raise ZeroDivisionError("the step of arange cannot be zero")
    if length > np.iinfo(np.intp).max:
        raise ValueError(f"Maximum allowed size exceeded: arange of {length} elements")
    chunks = normalize_chunks(chunks, (length,), dtype=dtype)
    if like is None:
        expr = native.arange(start, step, dtype, chunks)
        if expr is not None:
            return native.wrap(expr, "arange", name)
    name = name or f"arange-{tokenize(start, stop, step, chunks, dtype)}"
    meta = meta_from_array(like, ndim=1, dtype=dtype)
    make = functools.partial(_arange_block, start, step, dtype)
    if type(meta) is not np.ndarray:
        make = functools.partial(like_block, make, meta)
    return Array(source_layer(name, make, ArraySliceDep(chunks)), name, chunks, meta=meta)


def _arange_block(start: Any, step: Any, dtype: np.dtype, place: tuple[slice]) -> np.ndarray:
    (part,) = place
    if dtype.kind not in "iufc":
        return np.arange(start + part.start * step, start + part.stop * step, step, dtype=dtype)
    # NumPy finds the difference of the first two elements in the result's type, and adds
    # multiples of it to the first; any other way would round differently.
    with np.errstate(over="ignore"):
        first = np.array([start]).astype(dtype)
        delta = np.array([start + step]).astype(dtype) - first
        return first + np.arange(part.start, part.stop).astype(dtype) * delta


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    chunks: Any = "auto",
    dtype: Any = None,
) -> Any:
    """``num`` evenly spaced values between two numbers.

    Parameters
    ----------
    start, stop:
        Numbers, or lazy arrays without axes.
    num, endpoint, retstep, dtype:
        As for :func:`numpy.linspace`.
    chunks:
        How to cut it; see :func:`~samite.array.chunks.normalize_chunks`.

    Returns
    -------
    The array; with ``retstep`` also the step.
    """
    num = int(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    divisor = num - 1 if endpoint else num
    if dtype is None:
        dtype = np.result_type(
            *(value.dtype if isinstance(value, Array) else value for value in (start, stop)), 1.0
        )
    dtype = np.dtype(dtype)
    chunks = normalize_chunks(chunks, (num,), dtype=dtype)
    result = blockwise(
        functools.partial(_linspace_block, num, divisor, endpoint, dtype),
        "i",
        ArraySliceDep(chunks),
        "i",
        start,
        () if isinstance(start, Array) else None,
        stop,
        () if isinstance(stop, Array) else None,
        token="linspace",
        dtype=dtype,
        meta=np.empty(0, dtype=dtype),
    )
    if not retstep:
        return result
    step = (stop - start) / divisor if divisor > 0 else np.nan
    return result, step


def _linspace_block(
    num: int,
    divisor: int,
    endpoint: bool,
    dtype: np.dtype,
    place: tuple[slice],
    start: Any,
    stop: Any,
) -> np.ndarray:
    (part,) = place
    start, stop = start * 1.0, stop * 1.0
    delta = stop - start
    values = np.arange(part.start, part.stop, dtype=np.result_type(start, stop, 1.0))
    if divisor > 0:
        step = delta / divisor
        values = values * step if step != 0 else values / divisor * delta
    else:
        values = values * delta
    values = values + start
    if endpoint and num > 1 and part.stop == num and len(values):
        values[-1] = stop
    if dtype.kind in "iu":
        np.floor(values, out=values)
    return values.astype(dtype)
