"""Where values belong: among sorted ones, between given points, and in arrays of some shape."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array import kernels
from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.elementwise import elemwise
from samite.array.storage import asanyarray
from samite.base import is_dask_collection, unpack_collections

__all__ = ["digitize", "interp", "ravel_multi_index", "searchsorted", "unravel_index"]


def digitize(a: Any, bins: Any, right: bool = False) -> Array:
    """The number of the bin that each element is in.

    Parameters
    ----------
    bins:
        The edges, in ascending or descending order.
    right:
        Whether bins contain their right edge instead of their left one.

    Raises
    ------
    ValueError
        If the edges are in no order.
    """
    a = asanyarray(a)
    if isinstance(bins, Array):
        return _with_whole(functools.partial(_digitize_block, right=right), a, [bins], np.intp)
    bins = np.asarray(bins)
    np.digitize(np.empty(0), bins)
    return elemwise(functools.partial(kernels.digitize, bins=bins, right=right), a, dtype=np.intp)


def _digitize_block(block: Any, bins: Any, right: bool) -> Any:
    return kernels.digitize(block, bins, right)


def _with_whole(func: Callable, a: Array, others: list[Any], dtype: Any) -> Array:
    """``func(block, *whole arrays)`` for the blocks of one array and all of others."""
    axes = tuple(range(a.ndim))
    pairs: list[Any] = []
    for n, other in enumerate(others):
        index = (("whole", n),) if isinstance(other, Array) else None
        pairs += [other, index]
    return blockwise(
        func, axes, a, axes, *pairs, concatenate=True, dtype=dtype,
        meta=np.empty((0,) * a.ndim, dtype=dtype),
    )  # fmt: skip


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Array:
    """Where values would have to be put in so that a sorted array stays sorted.

    Parameters
    ----------
    a:
        The sorted array, of one dimension.
    v:
        The values; the result has their shape and chunks.
    side:
        Whether in front of equal elements (``"left"``) or behind them (``"right"``).
    sorter:
        The order that sorts ``a``; not lazy.

    Raises
    ------
    ValueError
        If ``a`` has other than one dimension, or ``side`` is something else.
    NotImplementedError
        If ``sorter`` is lazy.
    """
    if sorter is not None:
        if is_dask_collection(sorter):
            raise NotImplementedError("searchsorted with a lazy sorter is not possible")
        a = asanyarray(a)[np.asarray(sorter)]
    a, v = asanyarray(a), asanyarray(v)
    if a.ndim != 1:
        raise ValueError("Input array a must be one dimensional")
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got '{side}')")
    axes = tuple(range(v.ndim))
    # Chunks of a sorted array are sorted, and each has so many elements that are less.
    parts = blockwise(
        functools.partial(_search_block, side=side), (*axes, "a"), v, axes, a, ("a",),
        adjust_chunks={"a": 1}, dtype=np.intp, token="searchsorted",
        meta=np.empty((0,) * (v.ndim + 1), dtype=np.intp),
    )  # fmt: skip
    return parts.sum(axis=-1, dtype=np.intp)


def _search_block(values: Any, block: Any, side: str) -> np.ndarray:
    return np.asarray(kernels.searchsorted(block, values, side))[..., np.newaxis]


def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None
) -> Array:
    """Values between given points, by straight lines.

    Parameters
    ----------
    x:
        Where values are wanted; the result has its shape and chunks.
    xp, fp:
        The points, in one dimension.
    left, right, period:
        As for :func:`numpy.interp`.

    Raises
    ------
    ValueError
        If the points do not fit.
    """
    x = asanyarray(x)
    points = [part if isinstance(part, Array) else np.asarray(part) for part in (xp, fp)]
    if any(part.ndim != 1 for part in points) or len(points[0]) != len(points[1]):
        raise ValueError("fp and xp are not of the same length, in one dimension")
    dtype = complex if points[1].dtype.kind == "c" else float
    call = functools.partial(_interp_block, left=left, right=right, period=period)
    return _with_whole(call, x, points, dtype)


def _interp_block(block: Any, xp: Any, fp: Any, **options: Any) -> Any:
    return np.asarray(np.interp(block, xp, fp, **options))


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Array, ...]:
    """The positions along each axis of elements whose positions in the flat array are given.

    Raises
    ------
    ValueError
        When it is computed, if an element is beyond the end.
    """
    indices = asanyarray(indices)
    shape = tuple(int(n) for n in np.atleast_1d(shape)) if np.size(shape) else ()
    return tuple(
        elemwise(
            functools.partial(_unravel_block, axis=axis, shape=shape, order=order),
            indices,
            dtype=np.intp,
        )
        for axis in range(len(shape))
    )


def _unravel_block(block: Any, axis: int, shape: tuple[int, ...], order: str) -> Any:
    block = np.asarray(block)
    if not block.size:
        return np.empty(block.shape, dtype=np.intp)
    return np.asarray(np.unravel_index(block, shape, order)[axis])


def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Array:
    """The positions in the flat array of elements whose positions along each axis are given.

    Parameters
    ----------
    multi_index:
        An array of positions for each axis; or one array with these along its first axis.
    dims:
        The shape; not lazy.
    mode, order:
        As for :func:`numpy.ravel_multi_index`.

    Raises
    ------
    NotImplementedError
        If ``dims`` is lazy.
    TypeError
        If the positions are not integers.
    """
    if is_dask_collection(dims) or unpack_collections(dims)[0]:
        raise NotImplementedError("Dask types are not supported in the `dims` argument")
    options = {"dims": dims, "mode": mode, "order": order}
    if isinstance(multi_index, (Array, np.ndarray)) and multi_index.ndim:
        positions = asanyarray(multi_index)
        _check_integers([positions])
        rest = tuple(range(1, positions.ndim))
        return blockwise(
            functools.partial(_ravel_rows, **options), rest, positions, (0, *rest),
            concatenate=True, dtype=np.intp, token="ravel-multi-index",
            meta=np.empty((0,) * len(rest), dtype=np.intp),
        )  # fmt: skip
    arrays = [asanyarray(part) for part in multi_index]
    _check_integers(arrays)
    return elemwise(functools.partial(_ravel_blocks, **options), *arrays, dtype=np.intp)


def _check_integers(arrays: list[Array]) -> None:
    for array in arrays:
        if array.dtype.kind not in "iu":
            raise TypeError(f"only int indices permitted, not {array.dtype}")


def _ravel_blocks(*blocks: Any, **options: Any) -> Any:
    return np.asarray(np.ravel_multi_index(blocks, **options))


def _ravel_rows(block: Any, **options: Any) -> Any:
    return _ravel_blocks(*block, **options)
