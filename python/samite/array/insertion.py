"""Elements put into arrays along an axis, and taken out of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = ["delete", "insert", "trim_zeros"]

# More pieces than these are not joined one by one: a mask picks what stays.
_MANY_PIECES = 64


def _positions(obj: Any, length: int, name: str, end: int) -> np.ndarray:
    """The positions that an index stands for, counted from the front."""
    if isinstance(obj, slice):
        return np.arange(*obj.indices(length))
    if isinstance(obj, Array):
        obj = obj.compute()
    where = np.asarray(obj)
    if where.dtype.kind == "b":
        if where.shape != (length,):
            raise ValueError(
                f"{name}: a boolean index of shape {where.shape} does not fit an axis of {length}"
            )
        return np.flatnonzero(where)
    if not where.size:
        where = where.astype(np.intp)
    if where.dtype.kind not in "iu":
        raise IndexError(f"{name}: arrays used as indices must be of integer (or boolean) type")
    where = np.atleast_1d(where).astype(np.intp)
    if where.ndim > 1:
        raise ValueError(f"{name}: index array argument obj must be one dimensional or scalar")
    outside = (where < -length) | (where > end)
    if outside.any():
        raise IndexError(
            f"index {where[outside][0]} is out of bounds for axis of size {length} in {name}"
        )
    return np.where(where < 0, where + length, where)


def _known_length(arr: Array, axis: int, name: str) -> int:
    length = arr.shape[axis]
    if length != length:
        raise ValueError(
            f"{name}: the length of axis {axis} is not known; x.compute_chunk_sizes() finds it"
        )
    return length


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """Put values in front of positions along an axis, as :func:`numpy.insert` does.

    Parameters
    ----------
    obj:
        A position, a slice, or a sequence of positions that do not descend.
    values:
        What is put in; broadcast, and converted to the array's dtype.
    axis:
        The axis; None takes the array as flat.

    Raises
    ------
    IndexError
        If a position is out of bounds.
    NotImplementedError
        If positions descend.
    """
    from samite.array.broadcasting import broadcast_to
    from samite.array.shaping import moveaxis

    arr = asanyarray(arr)
    if axis is None:
        arr, axis = arr.ravel(), 0
    axis = normalize_axis(axis, arr.ndim)
    length = _known_length(arr, axis, "insert")
    single = not isinstance(obj, slice) and np.ndim(obj) == 0
    where = _positions(obj, length, "insert", length)
    if (np.diff(where) < 0).any():
        raise NotImplementedError(
            "insert: positions have to be in ascending order; sort them, and the values with them"
        )
    values = asanyarray(values).astype(arr.dtype)
    if values.ndim < arr.ndim:
        values = values[(None,) * (arr.ndim - values.ndim)]
    if single:
        # A single position takes all that the values have along their first axis.
        values = moveaxis(values, 0, axis)
        where = np.repeat(where, values.shape[axis])
    shape = (*arr.shape[:axis], len(where), *arr.shape[axis + 1 :])
    values = broadcast_to(values, shape)
    head = (slice(None),) * axis
    pieces = []
    position = taken = 0
    for place, count in zip(*np.unique(where, return_counts=True)):
        if place > position:
            pieces.append(arr[head + (slice(position, int(place)),)])
        pieces.append(values[head + (slice(taken, taken + int(count)),)])
        position, taken = int(place), taken + int(count)
    if position < length or not pieces:
        pieces.append(arr[head + (slice(position, None),)])
    return concatenate(pieces, axis=axis)


def delete(arr: Any, obj: Any, axis: int | None = None) -> Array:
    """An array without the elements at some positions along an axis.

    Parameters
    ----------
    obj:
        A position, a slice, a sequence of positions or truth values.
    axis:
        The axis; None takes the array as flat.

    Raises
    ------
    IndexError
        If a position is out of bounds.
    """
    arr = asanyarray(arr)
    if axis is None:
        arr, axis = arr.ravel(), 0
    axis = normalize_axis(axis, arr.ndim)
    length = _known_length(arr, axis, "delete")
    gone = np.unique(_positions(obj, length, "delete", length - 1))
    head = (slice(None),) * axis
    starts = np.concatenate([[0], gone + 1])
    stops = np.concatenate([gone, [length]])
    runs = [(int(a), int(b)) for a, b in zip(starts, stops) if b > a]
    if len(runs) > _MANY_PIECES:
        keep = np.ones(length, dtype=bool)
        keep[gone] = False
        return arr[head + (np.flatnonzero(keep),)]
    pieces = [arr[head + (slice(a, b),)] for a, b in runs]
    return concatenate(pieces, axis=axis) if pieces else arr[head + (slice(0, 0),)]


def trim_zeros(filt: Any, trim: str = "fb") -> Array:
    """An array of one dimension without the zeros at its ends.

    How many there are is found at once, by computing.

    Parameters
    ----------
    trim:
        ``"f"`` for the front, ``"b"`` for the back, or both.

    Raises
    ------
    ValueError
        If the array has more dimensions, or ``trim`` has other letters.
    """
    from samite.array.conditions import flatnonzero

    filt = asanyarray(filt)
    if filt.ndim != 1:
        raise ValueError(f"trim_zeros takes one dimension, not {filt.ndim}")
    sides = trim.lower()
    if set(sides) - {"f", "b"}:
        raise ValueError(f"unexpected character(s) in trim_zeros: {trim!r}")
    found = flatnonzero(filt)
    first, last = found.map_blocks(_ends, dtype=np.intp).compute().reshape(-1, 2).T
    if not (last >= 0).any():
        return filt[:0]
    first, last = int(first[last >= 0].min()), int(last.max())
    return filt[first if "f" in sides else 0 : last + 1 if "b" in sides else None]


def _ends(positions: np.ndarray) -> np.ndarray:
    if not len(positions):
        return np.array([0, -1], dtype=np.intp)
    return positions[[0, -1]]
