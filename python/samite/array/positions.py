"""Where the least and the greatest elements are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array import native, partials
from samite.array.blockwise import blockwise
from samite.array.chunks import has_unknown
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.trees import into, split_steps, tree
from samite.array.utils import normalize_axis
from samite.layers import ArraySliceDep

__all__ = ["argmax", "argmin", "nanargmax", "nanargmin", "places_of_chunks"]


def argmin(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The position of the first least element; with no axis that in the flattened array.

    Raises
    ------
    ValueError
        If there is no element, or the positions of chunks are not known.
    """
    return _position(a, np.argmin, axis, keepdims, split_every, out)


def argmax(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The position of the first greatest element; with no axis that in the flattened array.

    Raises
    ------
    ValueError
        If there is no element, or the positions of chunks are not known.
    """
    return _position(a, np.argmax, axis, keepdims, split_every, out)


def nanargmin(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """As :func:`argmin`, of what is not NaN; computing fails where nothing is left."""
    return _position(a, np.nanargmin, axis, keepdims, split_every, out)


def nanargmax(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """As :func:`argmax`, of what is not NaN; computing fails where nothing is left."""
    return _position(a, np.nanargmax, axis, keepdims, split_every, out)


def places_of_chunks(a: Array) -> ArraySliceDep:
    """An input of a layer: the slices that cut each chunk out of the whole array.

    Where lengths are not known, nothing is known of the slices.
    """
    return ArraySliceDep(
        tuple(tuple(0 if size != size else size for size in sizes) for sizes in a.chunks)
    )


def check_known_positions(a: Array, axes: tuple[int, ...], name: str) -> None:
    """Refuse axes along which nobody knows where chunks begin.

    Raises
    ------
    ValueError
        If there is such an axis.
    """
    for n in axes:
        if has_unknown(a.chunks[n]) and (len(a.chunks[n]) > 1 or len(axes) > 1):
            raise ValueError(
                f"{name} needs to know the positions of chunks, and they have an "
                "unknown chunksize. x.compute_chunk_sizes() finds it by computing the array"
            )


def _position(
    a: Any, func: Callable, axis: Any, keepdims: bool, split_every: Any, out: Any
) -> Array:
    a = asanyarray(a)
    axes = (normalize_axis(axis, a.ndim),) if axis is not None else tuple(range(a.ndim))
    check_known_positions(a, axes, func.__name__)
    if any(a.shape[n] == 0 for n in axes):
        raise ValueError(f"attempt to get {func.__name__} of an empty sequence")
    if a.dtype.kind != "c" and (axis is not None or a.ndim):
        found = native.reduce(a, func.__name__, axes, keepdims, split_every)
        if found is not None:
            return into(out, found)
    index = tuple(range(a.ndim))
    parts = blockwise(
        functools.partial(
            partials.positions_of_chunk, func, axes if axis is not None else None, a.shape
        ),
        index,
        a,
        index,
        places_of_chunks(a),
        index,
        token=func.__name__,
        adjust_chunks=dict.fromkeys(axes, 1),
        dtype=np.dtype(object),
        meta=np.empty((0,) * a.ndim, dtype=object),
    )
    flat = axis is None
    result = tree(
        parts,
        functools.partial(partials.combine_positions, func, flat),
        functools.partial(partials.final_positions, func, flat),
        axes,
        keepdims,
        split_steps(split_every, axes),
        False,
        func.__name__,
        None,
        np.dtype(np.intp),
        1,
    )
    return into(out, result)
