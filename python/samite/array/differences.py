"""Differences of neighbours, and sums and slopes that are made of them.

A block is put together with the first elements of the next one (and the last of the one before),
so that the result keeps the chunks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import product
from numbers import Number
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array.assembly import join
from samite.array.chunks import boundaries, has_unknown
from samite.array.concatenation import concatenate
from samite.array.core import Array, make_array
from samite.array.storage import asanyarray
from samite.array.utils import compute_meta, meta_from_array, normalize_axes, normalize_axis
from samite.base import tokenize

__all__ = ["diff", "ediff1d", "gradient", "ptp", "trapezoid", "unwrap"]


def _blocks_of_at_least(sizes: Sequence[int], least: int) -> tuple[int, ...]:
    """Blocks that are joined with the next until they are long enough."""
    result: list[int] = []
    for size in sizes:
        if result and result[-1] < least:
            result[-1] += size
        else:
            result.append(size)
    if len(result) > 1 and result[-1] < least:
        result[-2:] = [result[-2] + result[-1]]
    return tuple(result)


def _long_enough(x: Array, axis: int, least: int, name: str) -> Array:
    if has_unknown(x.chunks[axis]):
        raise ValueError(
            f"{name}: the lengths along axis {axis} are not known; x.compute_chunk_sizes() finds "
            "them"
        )
    sizes = _blocks_of_at_least(x.chunks[axis], least)
    return x if sizes == x.chunks[axis] else x.rechunk({axis: sizes})


def _with_neighbours(
    func: Callable,
    x: Array,
    axis: int,
    before: int,
    behind: int,
    sizes: tuple[int, ...],
    meta: Any,
    name: str,
    arguments: Sequence[Any] | None = None,
) -> Array:
    """``func(block with elements of the blocks beside it, number of those before)`` for all blocks.

    ``arguments`` has one more argument for each place along the axis.
    """
    count = x.numblocks[axis]
    name = f"{name}-{tokenize(x, func, axis, before, behind, arguments)}"
    layer = {}
    for position in product(*map(range, x.numblocks)):
        n = position[axis]

        def at(number: int, position: tuple = position) -> Any:
            if not 0 <= number < count:
                return None
            return TaskRef((x.name, *position[:axis], number, *position[axis + 1 :]))

        extra = [] if arguments is None else [arguments[n]]
        key = (name, *position)
        previous = at(n - 1) if before else None
        following = at(n + 1) if behind else None
        layer[key] = Task(
            key, _call_with_neighbours, func, axis, before, behind, previous, at(n), following,
            *extra,
        )  # fmt: skip
    chunks = (*x.chunks[:axis], sizes, *x.chunks[axis + 1 :])
    return make_array(name, layer, chunks, meta, [x])


def _call_with_neighbours(
    func: Callable, axis: int, before: int, behind: int, previous: Any, block: Any, following: Any,
    *arguments: Any,
) -> Any:  # fmt: skip
    head = (slice(None),) * axis
    parts, number = [block], 0
    if previous is not None:
        parts.insert(0, previous[head + (slice(max(0, previous.shape[axis] - before), None),)])
        number = parts[0].shape[axis]
    if following is not None:
        parts.append(following[head + (slice(behind),)])
    joined = join(parts, axis) if len(parts) > 1 else block
    return func(joined, number, *arguments)


def _ends(a: Array, axis: int, prepend: Any, append: Any) -> Array:
    """The array with what is to be put before and behind it."""
    from samite.array.broadcasting import broadcast_to

    parts = [a]
    for values, place in ((prepend, 0), (append, len)):
        if values is None:
            continue
        values = asanyarray(values)
        if not values.ndim:
            values = broadcast_to(values, (*a.shape[:axis], 1, *a.shape[axis + 1 :]))
        parts.insert(place if place == 0 else len(parts), values)
    return a if len(parts) == 1 else concatenate(parts, axis=axis)


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """The differences of neighbours along an axis, taken a number of times.

    Parameters
    ----------
    n:
        How often.
    prepend, append:
        Values that are put before and behind the array first.

    Raises
    ------
    ValueError
        If ``n`` is negative, or there is no axis.
    """
    a = asanyarray(a)
    n = int(n)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if not a.ndim:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis(axis, a.ndim)
    a = _ends(a, axis, prepend, append)
    if a.shape[axis] <= n and not has_unknown(a.chunks[axis]):
        a = a.rechunk({axis: -1})
    a = _long_enough(a, axis, n + 1, "diff")
    sizes = (*a.chunks[axis][:-1], max(0, a.chunks[axis][-1] - n))
    meta = compute_meta(functools.partial(np.diff, axis=axis), None, a._meta)
    return _with_neighbours(
        functools.partial(_diff_block, n, axis), a, axis, 0, n, sizes,
        meta_from_array(a._meta if meta is None else meta, ndim=a.ndim), "diff",
    )  # fmt: skip


def _diff_block(n: int, axis: int, block: Any, number: int) -> Any:
    return np.diff(block, n=n, axis=axis)


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """The differences of neighbours in the flat array.

    Parameters
    ----------
    to_end, to_begin:
        Values that are put behind and before the differences.

    Raises
    ------
    TypeError
        If these cannot be converted to the array's dtype.
    """
    ary = asanyarray(ary).ravel()
    # What cannot be subtracted (truth values) is not to be found out when it is computed.
    np.subtract(ary._meta, ary._meta)
    parts = [diff(ary)]
    for values, place, name in ((to_begin, 0, "to_begin"), (to_end, 2, "to_end")):
        if values is None:
            continue
        given = values if isinstance(values, (Array, np.ndarray)) else np.asanyarray(values)
        if not np.can_cast(given.dtype, ary.dtype, casting="same_kind"):
            raise TypeError(
                f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule."
            )
        parts.insert(place, asanyarray(given).ravel().astype(ary.dtype))
    return concatenate(parts) if len(parts) > 1 else parts[0]


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slope along axes, by central differences.

    Parameters
    ----------
    *varargs:
        The distances: one number for all axes, or for each axis a number or the coordinates.
    axis:
        The axis, or several; None for all.
    edge_order:
        The order of the differences at both ends, 1 or 2.

    Returns
    -------
    An array for one axis given as a number, or for one dimension; otherwise a list.

    Raises
    ------
    TypeError
        If the number of distances does not fit.
    ValueError
        If coordinates do not fit, ``edge_order`` is something else, or an axis is too short.
    """
    f = asanyarray(f)
    axes = normalize_axes(axis, f.ndim) if axis is None else _in_given_order(axis, f.ndim)
    distances = _distances(f, varargs, axes)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    for n in axes:
        if f.shape[n] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, at least "
                "(edge_order + 1) elements are required."
            )
    if f.dtype.kind in "iub":
        f = f.astype(float)
    results = [_slope(f, n, distance, edge_order) for n, distance in zip(axes, distances)]
    return results[0] if isinstance(axis, Number) or len(axes) == 1 else results


def _in_given_order(axis: Any, ndim: int) -> tuple[int, ...]:
    normalize_axes(axis if isinstance(axis, Number) else tuple(axis), ndim)
    given = (axis,) if isinstance(axis, Number) else tuple(axis)
    return tuple(normalize_axis(n, ndim) for n in given)


def _distances(f: Array, given: tuple[Any, ...], axes: tuple[int, ...]) -> list[Any]:
    if not given:
        return [1.0] * len(axes)
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return list(given) * len(axes)
    if len(given) != len(axes):
        raise TypeError("invalid number of arguments")
    result = []
    for distance, n in zip(given, axes):
        if np.ndim(distance) == 0:
            result.append(distance)
            continue
        if np.ndim(distance) != 1:
            raise ValueError("distances must be either scalars or 1d")
        if len(distance) != f.shape[n]:
            raise ValueError(
                "when 1d, distances must match the length of the corresponding dimension: "
                f"{len(distance)} for axis {n} of {f.shape[n]}"
            )
        coordinates = np.asarray(distance)
        result.append(coordinates.astype(float) if coordinates.dtype.kind in "iu" else coordinates)
    return result


def _slope(f: Array, axis: int, distance: Any, edge_order: int) -> Array:
    f = _long_enough(f, axis, edge_order + 1, "gradient")
    edges = boundaries(f.chunks[axis])
    arguments = None
    if np.ndim(distance):
        arguments = [
            distance[max(0, start - 1) : stop + 1] for start, stop in zip(edges, edges[1:])
        ]
    call = functools.partial(_gradient_block, axis, edge_order, None if arguments else distance)
    sample = np.ones((edge_order + 1,), dtype=f.dtype)
    example = distance[: edge_order + 1] if arguments else distance
    with np.errstate(all="ignore"):
        dtype = np.gradient(sample, example, edge_order=edge_order).dtype
    meta = meta_from_array(f._meta, dtype=dtype)
    return _with_neighbours(
        _Trimmed(call, axis, f.chunks[axis]), f, axis, 1, 1, f.chunks[axis], meta, "gradient",
        [(n, None if arguments is None else arguments[n]) for n in range(f.numblocks[axis])],
    )  # fmt: skip


class _Trimmed:
    """A function of a block with neighbours, whose results for these are left out."""

    def __init__(self, func: Callable, axis: int, sizes: tuple[int, ...]) -> None:
        self.func, self.axis, self.sizes = func, axis, sizes

    def __dask_tokenize__(self) -> Any:
        return ("trimmed", tokenize(self.func), self.axis, self.sizes)

    def __call__(self, block: Any, before: int, argument: tuple[int, Any]) -> Any:
        n, coordinates = argument
        part = slice(before, before + self.sizes[n])
        return self.func(block, coordinates)[(slice(None),) * self.axis + (part,)]


def _gradient_block(
    axis: int, edge_order: int, distance: Any, block: Any, coordinates: Any
) -> Any:  # fmt: skip
    spacing = distance if coordinates is None else coordinates
    return np.gradient(block, spacing, axis=axis, edge_order=edge_order)


def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """The difference of the greatest and the least element along axes."""
    a = asanyarray(a)
    return a.max(axis=axis, keepdims=keepdims) - a.min(axis=axis, keepdims=keepdims)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral along an axis, by the trapezoidal rule.

    Parameters
    ----------
    x:
        The coordinates, in one dimension or in the shape of ``y``; by default ``dx`` apart.

    Raises
    ------
    ValueError
        If the lengths do not fit.
    """
    y = asanyarray(y)
    axis = normalize_axis(axis, y.ndim)
    if x is not None:
        x = asanyarray(x)
        if x.ndim == 1:
            if x.shape[0] != y.shape[axis]:
                raise ValueError(
                    f"trapezoid: {x.shape[0]} coordinates do not fit axis {axis} of {y.shape}"
                )
            dx = diff(x)[(slice(None),) + (None,) * (y.ndim - axis - 1)]
        else:
            dx = diff(x, axis=axis)
    y = _long_enough(y, axis, 2, "trapezoid")
    sizes = (*y.chunks[axis][:-1], max(0, y.chunks[axis][-1] - 1))
    pairs = _with_neighbours(
        functools.partial(_pair_sums, axis), y, axis, 0, 1, sizes, y._meta, "pair-sums"
    )
    return (dx * pairs / 2.0).sum(axis=axis)


def _pair_sums(axis: int, block: Any, number: int) -> Any:
    head = (slice(None),) * axis
    return block[head + (slice(1, None),)] + block[head + (slice(None, -1),)]


def unwrap(
    p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * np.pi
) -> Array:
    """Angles along an axis without the jumps by a period.

    Parameters
    ----------
    discont:
        How large a jump has to be; half a period or more.
    period:
        The period.
    """
    p = asanyarray(p)
    axis = normalize_axis(axis, p.ndim)
    if discont is None:
        discont = period / 2
    dtype = np.result_type(p.dtype, period)
    steps = diff(p, axis=axis)
    jumps = steps.map_blocks(
        _jumps, discont=discont, period=period, whole=dtype.kind in "iu", dtype=dtype
    )
    head = (slice(None),) * axis
    first = p[head + (slice(0, 1),)].astype(dtype)
    rest = p[head + (slice(1, None),)].astype(dtype) + jumps.cumsum(axis=axis)
    return concatenate([first, rest], axis=axis)


def _jumps(steps: Any, discont: float, period: float, whole: bool) -> Any:
    """What has to be added to each step to make it smaller than half a period."""
    if whole:
        high, rest = divmod(period, 2)
        ambiguous = rest == 0
    else:
        high, ambiguous = period / 2, True
    low = -high
    inside = np.mod(steps - low, period) + low
    if ambiguous:
        np.copyto(inside, high, where=(inside == low) & (steps > 0))
    jumps = inside - steps
    np.copyto(jumps, 0, where=abs(steps) < discont)
    return jumps
