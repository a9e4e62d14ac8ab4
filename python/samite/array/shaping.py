"""Axes in another order, taken away and added."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from samite.array import native
from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array, normalize_axes, normalize_axis

__all__ = ["expand_dims", "moveaxis", "squeeze", "swapaxes", "transpose"]


def transpose(a: Any, axes: Any = None) -> Array:
    """The array with its axes in another order; by default in reverse.

    Raises
    ------
    ValueError
        If ``axes`` does not name every axis once.
    """
    a = asanyarray(a)
    if axes is None:
        axes = tuple(range(a.ndim))[::-1]
    if len(axes) != a.ndim:
        raise ValueError("axes don't match array")
    axes = tuple(normalize_axis(axis, a.ndim) for axis in axes)
    if len(set(axes)) != a.ndim:
        raise ValueError("repeated axis in transpose")
    if axes == tuple(range(a.ndim)):
        return a
    result = native.transpose(a, axes)
    if result is not None:
        return result
    return blockwise(
        functools.partial(np.transpose, axes=axes),
        axes,
        a,
        tuple(range(a.ndim)),
        token="transpose",
        dtype=a.dtype,
    )


def swapaxes(a: Any, axis1: int, axis2: int) -> Array:
    """The array with two axes exchanged."""
    a = asanyarray(a)
    order = list(range(a.ndim))
    axis1, axis2 = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(a, order)


def moveaxis(a: Any, source: Any, destination: Any) -> Array:
    """The array with some axes moved to other places.

    Raises
    ------
    ValueError
        If the numbers of axes and places differ, or one is named twice.
    """
    a = asanyarray(a)

    def places(axis: Any) -> list[int]:
        given = axis if isinstance(axis, Iterable) else [axis]
        found = [normalize_axis(n, a.ndim) for n in given]
        if len(set(found)) != len(found):
            raise ValueError("an axis is named twice")
        return found

    from_, to = places(source), places(destination)
    if len(from_) != len(to):
        raise ValueError("`source` and `destination` must have the same number of elements")
    order = [axis for axis in range(a.ndim) if axis not in from_]
    for place, axis in sorted(zip(to, from_)):
        order.insert(place, axis)
    return transpose(a, order)


def squeeze(a: Any, axis: Any = None) -> Array:
    """The array without axes of length one.

    Raises
    ------
    ValueError
        If a named axis is longer.
    """
    a = asanyarray(a)
    if axis is None:
        axes: tuple[int, ...] = tuple(n for n, length in enumerate(a.shape) if length == 1)
    else:
        axes = normalize_axes(axis, a.ndim)
        if any(a.shape[n] != 1 for n in axes):
            raise ValueError("cannot squeeze axis with size other than one")
    if not axes:
        return a
    if len(axes) == a.ndim:
        # An index would make a scalar of the array's only element.
        return blockwise(np.squeeze, (), a[(slice(None),) * a.ndim], tuple(range(a.ndim)),
                         concatenate=True, dtype=a.dtype, meta=meta_from_array(a._meta, ndim=0),
                         token="squeeze")  # fmt: skip
    return a[tuple(0 if n in axes else slice(None) for n in range(a.ndim))]


def expand_dims(a: Any, axis: Any) -> Array:
    """The array with axes of length one at these places of the result."""
    a = asanyarray(a)
    added = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(added)
    axes = normalize_axes(tuple(added), ndim)
    return a[tuple(np.newaxis if n in axes else slice(None) for n in range(ndim))]
