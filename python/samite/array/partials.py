"""What reductions do with one chunk, and with what chunks gave: functions of NumPy arrays.

Partial results that are more than one array are dicts; they come in lists nested by axis.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.core import assemble
from samite.array.dispatch import nannumel_lookup, numel_lookup, to_numpy_dispatch

_QUIET = {np.nanmin: np.fmin, np.nanmax: np.fmax}


def extreme(func: Callable, block: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The least or greatest element; nothing (a length of zero) for a chunk without elements."""
    if any(block.shape[n] == 0 for n in axis):
        shape = tuple(min(n, 1) if at in axis else n for at, n in enumerate(block.shape))
        return np.empty_like(block, shape=shape)
    # That a chunk has nothing but NaN says nothing about the array. What is silent on its own
    # comes first, because filters of warnings are shared by all threads.
    quiet = _QUIET.get(func)
    with np.errstate(invalid="ignore"):
        if quiet is None:
            return func(block, axis=axis, keepdims=keepdims)
        if type(block) is np.ndarray and block.dtype != object:
            return quiet.reduce(block, axis=axis, keepdims=keepdims)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return func(block, axis=axis, keepdims=keepdims)


# -- moments ---------------------------------------------------------------------------


def moments_of_chunk(
    block: Any, axis: tuple[int, ...], keepdims: bool, dtype: np.dtype, nan: bool, squares: bool
) -> dict[str, Any]:
    """Number and sum of the elements, and with ``squares`` the squared distances to their mean."""
    valid = None
    if nan and block.dtype.kind in "fcO":
        count = nannumel_lookup(block, axis=axis, keepdims=True, dtype=np.intp)
        if type(block) is not np.ndarray or np.sum(count) < block.size:
            valid, block = _without_invalid(block)
    else:
        count = numel_lookup(block, axis=axis, keepdims=True, dtype=np.intp)
    total = _sum(block, axis=axis, keepdims=True, dtype=dtype)
    parts = {"count": count, "total": total}
    if squares:
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = block - total / _at_least_one(count)
        if type(distance) is np.ndarray and distance.dtype.kind == "f":
            # It is ours alone, and large.
            if valid is not None:
                np.copyto(distance, 0, where=~valid)
            squared = np.multiply(distance, distance, out=distance)
        else:
            squared = _squared(distance if valid is None else np.where(valid, distance, 0))
        parts["squares"] = np.sum(squared, axis=axis, keepdims=True, dtype=_real(dtype))
    return parts


def _without_invalid(block: Any) -> tuple[Any, Any]:
    """Where a block is not NaN, and the block with zeros where it is."""
    if isinstance(block, np.ma.MaskedArray):
        valid = block.data == block.data
        return valid, np.ma.masked_array(np.where(valid, block.data, 0), mask=block.mask)
    valid = block == block if block.dtype.kind == "O" else ~np.isnan(block)
    return valid, np.where(valid, block, 0)


def _at_least_one(count: Any) -> Any:
    # Where there is no element there is nothing to divide, and objects cannot be divided by zero.
    return np.where(count == 0, 1, count)


def _sum(values: Any, dtype: np.dtype, **kwargs: Any) -> Any:
    # NumPy adds lengths of time up only if it is not told their dtype.
    return np.sum(values, **kwargs) if dtype.kind == "m" else np.sum(values, dtype=dtype, **kwargs)


def _squared(values: Any) -> Any:
    if values.dtype.kind == "c":
        return values.real**2 + values.imag**2
    return values * values


def _real(dtype: np.dtype) -> np.dtype:
    return np.empty(0, dtype=dtype).real.dtype


def _gathered(blocks: Any, name: str) -> Any:
    """One array of the parts with that name, from lists of any depth."""

    def picked(item: Any) -> tuple[Any, int]:
        if isinstance(item, dict):
            return item[name], 0
        parts = [picked(part) for part in item]
        return [part for part, _ in parts], parts[0][1] + 1

    nested, depth = picked(blocks)
    return assemble(nested, depth) if depth else nested


def combine_moments(blocks: Any, axis: tuple[int, ...], keepdims: bool) -> dict[str, Any]:
    """The moments of several chunks together."""
    counts, totals = _gathered(blocks, "count"), _gathered(blocks, "total")
    count = np.sum(counts, axis=axis, keepdims=keepdims)
    total = _sum(totals, axis=axis, keepdims=keepdims, dtype=totals.dtype)
    parts = {"count": count, "total": total}
    first = blocks
    while not isinstance(first, dict):
        first = first[0]
    if "squares" in first:
        squares = _gathered(blocks, "squares")
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.sum(totals, axis=axis, keepdims=True, dtype=totals.dtype)
            whole = whole / _at_least_one(np.sum(counts, axis=axis, keepdims=True))
            means = totals / _at_least_one(counts)
            # Chunks without elements have no mean, and are as far from any as makes no difference.
            apart = np.where(counts == 0, 0, counts * _squared(means - whole))
        parts["squares"] = np.sum(squares, axis=axis, keepdims=keepdims) + np.sum(
            apart, axis=axis, keepdims=keepdims, dtype=squares.dtype
        )
    return parts


def mean(blocks: Any, axis: tuple[int, ...], keepdims: bool, dtype: np.dtype) -> Any:
    """The mean of what the moments are of."""
    parts = combine_moments(blocks, axis, keepdims)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _as_dtype(parts["total"] / parts["count"], dtype)


def variance(
    blocks: Any, axis: tuple[int, ...], keepdims: bool, dtype: np.dtype, ddof: float, root: bool
) -> Any:
    """The variance of what the moments are of, or its square root."""
    parts = combine_moments(blocks, axis, keepdims)
    left = parts["count"] - ddof
    with np.errstate(divide="ignore", invalid="ignore"):
        result = parts["squares"] / np.where(left < 0, 0, left)
        if root:
            # One object has a root only as a number, not as an array.
            one = dtype.kind == "O" and not np.ndim(result)
            result = np.sqrt(np.asarray(result)[()] if one else result)
        return _as_dtype(result, dtype)


def _as_dtype(values: Any, dtype: np.dtype) -> Any:
    if not hasattr(values, "astype"):
        return values
    values = values.astype(dtype)
    # As in NumPy, one element that is masked is not an array, but the constant for it.
    return values[()] if isinstance(values, np.ma.MaskedArray) and not values.ndim else values


def central_moments_of_chunk(
    block: Any, axis: tuple[int, ...], keepdims: bool, dtype: np.dtype, order: int
) -> dict[str, Any]:
    """Number and sum of the elements, and the sums of the distance to their mean to the powers
    of 2 to ``order``."""
    count = numel_lookup(block, axis=axis, keepdims=True, dtype=np.intp)
    total = _sum(block, axis=axis, keepdims=True, dtype=dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = block - total / _at_least_one(count)
    parts = {"count": count, "total": total}
    for n in range(2, order + 1):
        parts[f"power {n}"] = np.sum(distance**n, axis=axis, keepdims=True, dtype=dtype)
    return parts


def combine_central_moments(
    blocks: Any, axis: tuple[int, ...], keepdims: bool, order: int
) -> dict[str, Any]:
    """The moments of several chunks together, by the binomial theorem."""
    counts, totals = _gathered(blocks, "count"), _gathered(blocks, "total")
    powers = {n: _gathered(blocks, f"power {n}") for n in range(2, order + 1)}
    count = np.sum(counts, axis=axis, keepdims=True)
    total = np.sum(totals, axis=axis, keepdims=True, dtype=totals.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = totals / _at_least_one(counts) - total / _at_least_one(count)
        apart = np.where(counts == 0, 0, apart)

    def power_of_chunks(n: int) -> Any:
        if n < 2:
            return 0 if n else counts
        # Chunks without elements have no mean, and so no distances.
        return np.where(counts == 0, 0, powers[n])

    parts = {"count": count, "total": total}
    if not keepdims:
        parts = {name: np.squeeze(part, axis=axis) for name, part in parts.items()}
    for n in range(2, order + 1):
        moved = sum(math.comb(n, j) * apart**j * power_of_chunks(n - j) for j in range(n + 1))
        parts[f"power {n}"] = np.sum(moved, axis=axis, keepdims=keepdims, dtype=powers[n].dtype)
    return parts


def central_moment(
    blocks: Any, axis: tuple[int, ...], keepdims: bool, dtype: np.dtype, order: int, ddof: float
) -> Any:
    """The moment of the highest order."""
    parts = combine_central_moments(blocks, axis, keepdims, order)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _as_dtype(parts[f"power {order}"] / (parts["count"] - ddof), dtype)


# -- the greatest and the least ----------------------------------------------------------


def top(k: int, block: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The ``k`` greatest elements in any order, or the ``-k`` least."""
    (along,) = axis
    length = block.shape[along]
    if isinstance(block, np.ma.MaskedArray):
        # Masked elements are the last that anybody asks for.
        block = np.ma.sort(block, axis=along, endwith=k < 0)
    elif 0 < abs(k) < length:
        block = np.partition(block, -k if k > 0 else -k - 1, axis=along)
    return _ends(block, along, k)


def _ends(block: Any, along: int, k: int) -> Any:
    """The last ``k`` of sorted elements, or the first ``-k``."""
    start = max(block.shape[along] - k, 0) if k > 0 else 0
    stop = None if k > 0 else -k
    return block[(slice(None),) * along + (slice(start, stop),)]


def top_in_order(k: int, block: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """As :func:`top`, beginning with the most extreme."""
    (along,) = axis
    block = top(k, block, axis, keepdims)
    block = np.sort(block, axis=along)
    return np.flip(block, axis=along) if k > 0 else block


def top_positions_of_chunk(k: int, along: int, block: Any, place: tuple[slice, ...]) -> Any:
    """The extreme elements and where in the whole array they are."""
    positions = np.arange(block.shape[along]) + place[along].start
    shape = [1] * block.ndim
    shape[along] = -1
    parts = {
        "value": np.asanyarray(block),
        "position": np.broadcast_to(positions.reshape(shape), block.shape),
    }
    return _top_of_pairs(k, along, parts)


def _top_of_pairs(k: int, along: int, parts: dict[str, Any]) -> dict[str, Any]:
    values, positions = parts["value"], parts["position"]
    if not 0 < abs(k) < values.shape[along]:
        return {name: _ends(part, along, k) for name, part in parts.items()}
    if isinstance(values, np.ma.MaskedArray):
        # Masked elements are the last that anybody asks for.
        order = values.argsort(axis=along, endwith=k < 0)
    else:
        order = np.argpartition(values, -k if k > 0 else -k - 1, axis=along)
    order = _ends(order, along, k)
    return {
        "value": np.take_along_axis(values, order, along),
        "position": np.take_along_axis(positions, order, along),
    }


def combine_top_positions(k: int, blocks: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The extreme elements of several chunks and where they are."""
    parts = {name: _gathered(blocks, name) for name in ("value", "position")}
    return _top_of_pairs(k, axis[0], parts)


def final_top_positions(k: int, blocks: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Where the extreme elements are, beginning with the most extreme."""
    (along,) = axis
    parts = combine_top_positions(k, blocks, axis, keepdims)
    values = parts["value"]
    masked = isinstance(values, np.ma.MaskedArray)
    order = values.argsort(axis=along, endwith=k < 0) if masked else values.argsort(axis=along)
    if k > 0:
        order = np.flip(order, axis=along)
    return np.take_along_axis(parts["position"], order, along)


# -- positions -------------------------------------------------------------------------


def positions_of_chunk(
    func: Callable,
    axes: tuple[int, ...] | None,
    shape: tuple[int, ...],
    block: Any,
    place: tuple[slice, ...],
) -> dict[str, Any]:
    """The extreme value along an axis, where in the whole array it is, and whether there is one.

    With no axes that of all elements, and its position in the flattened array.
    """
    nan, plain = func in (np.nanargmin, np.nanargmax), _without_nan(func)
    if isinstance(block, np.ma.MaskedArray):
        # As NumPy does it: what is masked has the value that comes last.
        block = block.filled((np.ma.minimum_fill_value if plain is np.argmin
                              else np.ma.maximum_fill_value)(block))  # fmt: skip
    elif not isinstance(block, (np.ndarray, np.generic)):
        block = to_numpy_dispatch(block)
    block = np.asanyarray(block)
    reduced = tuple(1 if axes is None or n in axes else size for n, size in enumerate(block.shape))
    if not all(block.shape[n] for n in (range(block.ndim) if axes is None else axes)):
        return _nothing_there(block, reduced)
    there = np.ones(reduced, dtype=bool)
    if nan and block.dtype.kind in "fcO":
        valid = block == block
        there = valid.any(axis=axes, keepdims=True)
        # NumPy, too, puts infinity in the place of NaN.
        block = np.where(valid, block, np.inf if plain is np.argmin else -np.inf)
    starts = [part.start for part in place]
    if axes is None:
        flat = int(plain(block))
        value = block.reshape(-1)[flat : flat + 1].reshape(reduced)
        inner = np.unravel_index(flat, block.shape)
        position = 0
        for n, start, length in zip(inner, starts, shape):
            position = position * int(length) + int(n) + start if length == length else int(n)
        return {
            "value": value,
            "position": np.full(reduced, position, dtype=np.intp),
            "valid": there,
        }
    (axis,) = axes
    position = plain(block, axis=axis, keepdims=True)
    return {
        "value": np.take_along_axis(block, position, axis),
        "position": position + starts[axis],
        "valid": there,
    }


def _nothing_there(block: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "value": np.zeros(shape, dtype=block.dtype),
        "position": np.full(shape, -1, dtype=np.intp),
        "valid": np.zeros(shape, dtype=bool),
    }


def _without_nan(func: Callable) -> Callable:
    return {np.nanargmin: np.argmin, np.nanargmax: np.argmax}.get(func, func)


def combine_positions(
    func: Callable, flat: bool, blocks: Any, axis: tuple[int, ...], keepdims: bool
) -> dict[str, Any]:
    """The extreme one of several values; of equal ones the first."""
    plain = _without_nan(func)
    values = _gathered(blocks, "value")
    positions, valid = _gathered(blocks, "position"), _gathered(blocks, "valid")
    if flat:
        order = np.argsort(positions, axis=None)
        order = order[positions.reshape(-1)[order] >= 0]
        shape = (1,) * positions.ndim if keepdims else ()
        if not len(order):
            return _nothing_there(values, shape)
        best = order[plain(values.reshape(-1)[order])]
        return {
            "value": values.reshape(-1)[best : best + 1].reshape(shape),
            "position": positions.reshape(-1)[best : best + 1].reshape(shape),
            "valid": valid.any().reshape(shape),
        }
    (along,) = axis
    keep = np.flatnonzero((np.moveaxis(positions, along, 0) >= 0).reshape(
        positions.shape[along], -1).any(axis=1))  # fmt: skip
    if not positions.size:
        # There are no lines along the axis, and so it does not matter which one is taken.
        keep = np.array([0])
    if len(keep) and len(keep) < positions.shape[along]:
        values, positions, valid = (
            np.take(part, keep, axis=along) for part in (values, positions, valid)
        )
    best = plain(values, axis=along, keepdims=True)
    parts = {
        "value": np.take_along_axis(values, best, along),
        "position": np.take_along_axis(positions, best, along),
        "valid": valid.any(axis=along, keepdims=True),
    }
    if keepdims:
        return parts
    return {name: np.squeeze(part, axis=along) for name, part in parts.items()}


def final_positions(
    func: Callable, flat: bool, blocks: Any, axis: tuple[int, ...], keepdims: bool
) -> Any:
    """The positions; an error where there is none.

    Raises
    ------
    ValueError
        If there is no element, or nothing but NaN where this is left out.
    """
    parts = combine_positions(func, flat, blocks, axis, keepdims)
    if not np.all(parts["valid"]):
        nan = func is not _without_nan(func)
        raise ValueError(
            "All-NaN slice encountered"
            if nan
            else f"attempt to get {func.__name__} of an empty sequence"
        )
    position = parts["position"]
    return position if position.ndim else np.intp(position)
