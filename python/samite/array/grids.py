"""Arrays made of the positions of their elements, and of evenly spaced numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.chunks import has_unknown, normalize_chunks
from samite.array.core import Array
from samite.array.creation import linspace
from samite.array.sources import source_layer
from samite.array.storage import asanyarray
from samite.base import tokenize
from samite.layers import ArrayChunkShapeDep, ArraySliceDep

__all__ = ["fromfunction", "geomspace", "indices", "logspace", "meshgrid"]


def indices(dimensions: Any, dtype: Any = int, chunks: Any = "auto", sparse: bool = False) -> Any:
    """The positions of the elements of an array of some shape.

    Parameters
    ----------
    dimensions:
        The shape.
    chunks:
        How to cut the axes of that shape.
    sparse:
        Give an array for each axis, with length one along the others.

    Returns
    -------
    An array of the shape ``(len(dimensions), *dimensions)``; its blocks are for one axis each.

    Raises
    ------
    ValueError
        If the chunks do not fit.
    """
    dimensions = tuple(int(length) for length in dimensions)
    dtype = np.dtype(dtype)
    if isinstance(chunks, (tuple, list)) and len(chunks) != len(dimensions):
        raise ValueError("Need same number of chunks as dimensions.")
    chunks = normalize_chunks(chunks, dimensions, dtype=dtype)
    if sparse:
        from samite.array.creation import arange

        grids = [
            arange(length, dtype=dtype, chunks=(sizes,))[
                tuple(slice(None) if n == axis else None for n in range(len(dimensions)))
            ]
            for axis, (length, sizes) in enumerate(zip(dimensions, chunks))
        ]
        return tuple(grids)
    if not dimensions:
        return asanyarray(np.indices((), dtype=dtype))
    chunks = ((1,) * len(dimensions), *chunks)
    name = f"indices-{tokenize(chunks, dtype)}"
    layer = source_layer(name, functools.partial(_indices_block, dtype), ArraySliceDep(chunks))
    return Array(layer, name, chunks, dtype=dtype)  # type: ignore[arg-type]


def _indices_block(dtype: np.dtype, place: tuple[slice, ...]) -> np.ndarray:
    return _positions(place[0].start, place[1:], dtype)[None]


def _positions(axis: int, place: tuple[slice, ...], dtype: np.dtype) -> np.ndarray:
    """The positions along one axis of the elements at a place."""
    part = place[axis]
    values = np.arange(part.start, part.stop).astype(dtype)
    values = values.reshape([-1 if n == axis else 1 for n in range(len(place))])
    return np.array(np.broadcast_to(values, [part.stop - part.start for part in place]))


def fromfunction(
    func: Callable, chunks: Any = "auto", shape: Any = None, dtype: Any = None, **kwargs: Any
) -> Array:
    """An array whose elements a function makes of their positions.

    Parameters
    ----------
    func:
        Called for every block with an array of positions for each axis, and ``kwargs``.
    chunks:
        How to cut the result.
    shape:
        Its shape.
    dtype:
        The dtype of the positions; by default float.

    Raises
    ------
    TypeError
        If there is no shape.
    """
    if shape is None:
        raise TypeError("fromfunction needs a shape")
    shape = tuple(int(length) for length in shape)
    dtype = np.dtype(dtype or float)
    chunks = normalize_chunks(chunks, shape, dtype=dtype)
    name = f"fromfunction-{tokenize(func, chunks, dtype, kwargs)}"
    make = functools.partial(_function_block, func, dtype, kwargs)
    with np.errstate(all="ignore"):
        result = make(tuple(slice(0, 1) for _ in shape))
    layer = source_layer(name, make, ArraySliceDep(chunks))
    return Array(layer, name, chunks, dtype=result.dtype)  # type: ignore[arg-type]


def _function_block(
    func: Callable, dtype: np.dtype, kwargs: dict[str, Any], place: tuple[slice, ...]
) -> np.ndarray:
    lengths = tuple(part.stop - part.start for part in place)
    result = np.asanyarray(
        func(*(_positions(axis, place, dtype) for axis in range(len(place))), **kwargs)
    )
    return result if result.shape == lengths else np.broadcast_to(result, lengths)


def meshgrid(
    *xi: Any, sparse: bool = False, indexing: str = "xy", copy: bool = True
) -> tuple[Array, ...]:
    """Arrays of the coordinates of a grid.

    Parameters
    ----------
    *xi:
        The coordinates along each axis; more than one dimension is taken as flat.
    sparse:
        Leave length one along all axes but the array's own.
    indexing:
        ``"xy"``: the first coordinates run along the second axis; ``"ij"``: along the first.
    copy:
        Has no meaning here.

    Raises
    ------
    ValueError
        If ``indexing`` is something else.
    """
    if indexing not in ("ij", "xy"):
        raise ValueError("`indexing` must be `'ij'` or `'xy'`")
    flat = [asanyarray(x).ravel() for x in xi]
    axes = list(range(len(flat)))
    if indexing == "xy" and len(flat) > 1:
        axes[0], axes[1] = 1, 0
    if sparse:
        return tuple(
            x[tuple(slice(None) if n == axis else None for n in range(len(flat)))]
            for x, axis in zip(flat, axes)
        )
    order = [flat[axes.index(n)] for n in range(len(flat))]
    if any(has_unknown(x.chunks[0]) for x in order):
        raise ValueError("meshgrid: the lengths have to be known; see x.compute_chunk_sizes()")
    shapes = ArrayChunkShapeDep(tuple(x.chunks[0] for x in order))
    out = tuple(range(len(flat)))
    return tuple(
        blockwise(
            _spread, out, x, (axis,), shapes, out, axis=axis,
            dtype=x.dtype, meta=x._meta, token="meshgrid",
        )
        for x, axis in zip(flat, axes)
    )  # fmt: skip


def _spread(block: Any, shape: tuple[int, ...], axis: int) -> Any:
    index = tuple(slice(None) if n == axis else None for n in range(len(shape)))
    return np.broadcast_to(block[index], shape)


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10.0,
    dtype: Any = None,
    *,
    chunks: Any = "auto",
) -> Array:
    """``num`` numbers from one power of ``base`` to another, evenly spaced in their exponents."""
    exponents = linspace(start, stop, num, endpoint=endpoint, chunks=chunks)
    result = np.power(base, exponents)
    return result if dtype is None else result.astype(dtype)


def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    *,
    chunks: Any = "auto",
) -> Array:
    """``num`` numbers from one to another, each the same multiple of the one before.

    Raises
    ------
    ValueError
        If an end is zero.
    """
    start, stop = np.asarray(start)[()], np.asarray(stop)[()]
    if start == 0 or stop == 0:
        raise ValueError("Geometric sequence cannot include zero")
    num = int(num)
    kind = np.result_type(start, stop, float(num), np.zeros((), dtype or float))
    dtype = kind if dtype is None else np.dtype(dtype)
    sign = np.sign(np.asarray(start, dtype=kind))[()]
    first, last = np.asarray(start, dtype=kind) / sign, np.asarray(stop, dtype=kind) / sign
    if kind.kind != "c" and last < 0:
        kind, first, last = np.dtype("c16"), first.astype("c16"), last.astype("c16")
    exponents = linspace(
        np.log10(first)[()], np.log10(last)[()], num, endpoint=endpoint, chunks=chunks
    )
    values = np.power(kind.type(10), exponents)
    ends = [(0, first), (num - 1, last)] if endpoint and num > 1 else [(0, first)]
    values = values.map_blocks(_with_ends, [(n, v[()]) for n, v in ends if num > 0], dtype=kind)
    result = values * sign
    return result if result.dtype == dtype else result.astype(dtype)


def _with_ends(block: Any, ends: list[tuple[int, Any]], block_info: Any = None) -> Any:
    """The block with the exact values at both ends, which powers only come close to."""
    start, stop = block_info[0]["array-location"][0] if block_info else (0, 0)
    for position, value in ends:
        if start <= position < stop:
            block = np.array(block)
            block[position - start] = value
    return block
