"""The same elements in another order, or several times."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.chunks import boundaries, check_blocks, has_unknown
from samite.array.concatenation import concatenate
from samite.array.core import Array
from samite.array.shaping import swapaxes, transpose
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axes, normalize_axis

__all__ = [
    "flip", "fliplr", "flipud", "matrix_transpose", "permute_dims", "repeat", "resize", "roll",
    "rollaxis", "rot90", "tile",
]  # fmt: skip


def flip(m: Any, axis: Any = None) -> Array:
    """The elements in reverse order along axes; None means all.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    """
    m = asanyarray(m)
    axes = normalize_axes(axis, m.ndim)
    return m[tuple(slice(None, None, -1) if n in axes else slice(None) for n in range(m.ndim))]


def flipud(m: Any) -> Array:
    """The rows in reverse order. Raises ValueError if there is no axis."""
    return flip(m, 0)


def fliplr(m: Any) -> Array:
    """The columns in reverse order. Raises ValueError if there are less than two axes."""
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Array:
    """The array turned by a number of quarters, from the first of two axes to the second.

    Raises
    ------
    ValueError
        If ``axes`` does not name two different axes.
    """
    m = asanyarray(m)
    axes = tuple(axes)
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    first, second = (normalize_axis(axis, m.ndim) for axis in axes)
    if first == second:
        raise ValueError("Axes must be different.")
    k %= 4
    if k == 0:
        return m[:]
    if k == 2:
        return flip(m, (first, second))
    if k == 1:
        return swapaxes(flip(m, second), first, second)
    return flip(swapaxes(m, first, second), second)


def rollaxis(a: Any, axis: int, start: int = 0) -> Array:
    """The array with one axis moved in front of another.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis or place.
    """
    a = asanyarray(a)
    axis = normalize_axis(axis, a.ndim)
    place = start + a.ndim if start < 0 else start
    if not 0 <= place <= a.ndim:
        raise np.exceptions.AxisError(
            f"'start' arg requires {-a.ndim} <= start < {a.ndim + 1}, but {start} was passed in"
        )
    order = [n for n in range(a.ndim) if n != axis]
    order.insert(place - (axis < place), axis)
    return transpose(a, order)


def matrix_transpose(x: Any, /) -> Array:
    """The array with its last two axes exchanged. Raises ValueError if there are less."""
    x = asanyarray(x)
    if x.ndim < 2:
        raise ValueError(
            f"Input array must be at least 2-dimensional, but it is {x.ndim}"
        )  # fmt: skip
    return swapaxes(x, -1, -2)


def permute_dims(a: Any, axes: Any = None) -> Array:
    """The array API's name of :func:`transpose`."""
    return transpose(a, axes)


def roll(array: Any, shift: Any, axis: Any = None) -> Array:
    """The elements moved along axes; those moved beyond the end come in at the front.

    Parameters
    ----------
    shift, axis:
        Numbers, or as many shifts as axes; with no axis the array is taken as flat.

    Raises
    ------
    TypeError
        If there are several shifts and no axis.
    ValueError
        If the numbers of shifts and axes differ.
    """
    array = asanyarray(array)
    if axis is None:
        if not isinstance(shift, Integral):
            raise TypeError(
                "roll: Expect `shift` to be an instance of Integral when `axis` is None."
            )
        return roll(array.ravel(), shift, 0).reshape(array.shape)
    shifts = tuple(shift) if isinstance(shift, (tuple, list)) else (shift,)
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    if len(shifts) != len(axes):
        raise ValueError("roll: Must have the same number of shifts as axes.")
    result = array
    for number, at in zip(shifts, axes):
        at = normalize_axis(at, array.ndim)
        length = result.shape[at]
        if length != length:
            raise ValueError(f"roll: the length of axis {at} is not known before computing")
        number = -int(number) % length if length else 0
        if number:
            head = (slice(None),) * at
            result = concatenate(
                [result[head + (slice(number, None),)], result[head + (slice(number),)]], axis=at
            )
    return result.copy() if result is array else result


def tile(A: Any, reps: Any) -> Array:
    """The array several times side by side, along each axis.

    Parameters
    ----------
    reps:
        How often along the last axes; axes are added in front where there are more numbers.

    Raises
    ------
    ValueError
        If a number is negative.
    """
    A = asanyarray(A)
    try:
        numbers = tuple(int(n) for n in reps)
    except TypeError:
        numbers = (int(reps),)
    if any(n < 0 for n in numbers):
        raise ValueError("Negative `reps` are not allowed.")
    numbers = (1,) * (A.ndim - len(numbers)) + numbers
    result = A[(None,) * (len(numbers) - A.ndim)] if len(numbers) > A.ndim else A
    for axis, number in enumerate(numbers):
        if number == 0:
            result = result[(slice(None),) * axis + (slice(0, 0),)]
        elif number > 1:
            check_blocks("tile", number * len(result.chunks[axis]), number * result.shape[axis])
            result = concatenate([result] * number, axis=axis)
    return result.copy() if result is A else result


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Array:
    """Every element several times along an axis.

    Parameters
    ----------
    repeats:
        How often: a number, or one for each position along the axis.
    axis:
        The axis; can be left out for arrays of one dimension.

    Raises
    ------
    NotImplementedError
        If there are several dimensions and no axis.
    ValueError
        If a number is negative, or their number does not fit.
    """
    a = asanyarray(a)
    if axis is None:
        if a.ndim > 1:
            raise NotImplementedError(
                "repeat without an axis is only possible for one dimension; x.ravel() makes it one"
            )
        a, axis = (a if a.ndim else a[None]), 0
    axis = normalize_axis(axis, a.ndim)
    if isinstance(repeats, Array):
        repeats = repeats.compute()
    counts = np.asarray(repeats)
    if not counts.size:
        counts = counts.astype(np.intp)
    if counts.dtype.kind not in "iub" or counts.ndim > 1:
        raise TypeError(f"repeat: the numbers must be integers in one dimension, not {repeats!r}")
    if (counts < 0).any():
        raise ValueError("repeats may not contain negative values.")
    if counts.size == 1:
        return _repeat_evenly(a, int(counts.reshape(-1)[0]), axis)
    length = a.shape[axis]
    if length != length or len(counts) != length:
        raise ValueError(f"repeat: {len(counts)} numbers do not fit axis {axis}, of {length}")
    return _repeat_unevenly(a, counts, axis)


def _repeat_evenly(a: Array, count: int, axis: int) -> Array:
    if count == 1:
        return a
    if count == 0:
        return a[(slice(None),) * axis + (slice(0, 0),)]
    sizes = a.chunks[axis]
    if not has_unknown(sizes):
        # Blocks of the result are about as long as the longest was.
        limit = max(1, max(sizes) // count)
        pieces = sum(-(-size // limit) for size in sizes)
        check_blocks("repeat", pieces, count * a.shape[axis])
        cut = tuple(
            part
            for size in sizes
            for part in (_evenly_cut(size, limit) if size > limit else [size])
            if part
        )
        a = a.rechunk({axis: cut or (0,)})
    axes = tuple(range(a.ndim))
    return blockwise(
        np.repeat, axes, a, axes, repeats=count, axis=axis, dtype=a.dtype, meta=a._meta,
        adjust_chunks={axis: lambda size: size * count}, token="repeat",
    )  # fmt: skip


def _evenly_cut(size: int, limit: int) -> list[int]:
    pieces = -(-size // limit)
    small, longer = divmod(size, pieces)
    return [small + 1] * longer + [small] * (pieces - longer)


def _repeat_unevenly(a: Array, counts: np.ndarray, axis: int) -> Array:
    edges = boundaries(a.chunks[axis])
    sizes = tuple(int(counts[b:e].sum()) for b, e in zip(edges, edges[1:]))
    axes = tuple(range(a.ndim))
    numbers = asanyarray(counts.astype(np.intp)).rechunk((a.chunks[axis],))
    return blockwise(
        _repeat_block, axes, a, axes, numbers, (axis,), axis=axis, dtype=a.dtype, meta=a._meta,
        adjust_chunks={axis: sizes}, token="repeat",
    )  # fmt: skip


def _repeat_block(block: Any, counts: np.ndarray, axis: int) -> Any:
    return np.repeat(block, counts, axis=axis)


def resize(a: Any, new_shape: Any) -> Array:
    """The elements in another shape, from the start again where there are not enough.

    Raises
    ------
    ValueError
        If a length is negative.
    """
    a = asanyarray(a).ravel()
    shape = (new_shape,) if isinstance(new_shape, Integral) else tuple(new_shape)
    if any(length < 0 for length in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    if has_unknown(a.chunks[0]):
        raise ValueError("resize: the number of elements is not known before computing")
    size = math.prod(int(length) for length in shape)
    if not a.size or not size:
        from samite.array.creation import zeros_like

        return zeros_like(a, shape=shape)
    times = -(-size // a.size)
    check_blocks("resize", times * a.npartitions, size)
    return concatenate([a] * times)[:size].reshape(shape)
