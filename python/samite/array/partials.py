"""What reductions do with one chunk, and with what chunks gave: functions of NumPy arrays.

Partial results that are more than one array are dicts; they come in lists nested by axis.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.core import assemble


def extreme(func: Callable, block: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The least or greatest element; nothing (a length of zero) for a chunk without elements."""
    if any(block.shape[n] == 0 for n in axis):
        shape = tuple(min(n, 1) if at in axis else n for at, n in enumerate(block.shape))
        return np.empty_like(block, shape=shape)
    with warnings.catch_warnings():
        # That a chunk has nothing but NaN says nothing about the array.
        warnings.simplefilter("ignore", RuntimeWarning)
        return func(block, axis=axis, keepdims=keepdims)


# -- moments ---------------------------------------------------------------------------


def moments_of_chunk(
    block: Any, axis: tuple[int, ...], keepdims: bool, dtype: np.dtype, nan: bool, squares: bool
) -> dict[str, Any]:
    """Number and sum of the elements, and with ``squares`` the squared distances to their mean."""
    if nan and block.dtype.kind in "fcO":
        valid = ~np.isnan(block) if block.dtype.kind != "O" else block == block
        count: Any = np.sum(valid, axis=axis, keepdims=True, dtype=np.intp)
        block = np.where(valid, block, 0)
    elif isinstance(block, np.ma.MaskedArray):
        valid = None
        count = block.count(axis=axis, keepdims=True)
    else:
        valid = None
        shape = tuple(1 if n in axis else size for n, size in enumerate(block.shape))
        number = 1
        for n in axis:
            number *= block.shape[n]
        count = np.full(shape, number, dtype=np.intp)
    total = np.sum(block, axis=axis, keepdims=True, dtype=dtype)
    parts = {"count": count, "total": total}
    if squares:
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = block - total / count
        if valid is not None:
            distance = np.where(valid, distance, 0)
        parts["squares"] = np.sum(_squared(distance), axis=axis, keepdims=True, dtype=_real(dtype))
    return parts


def _squared(values: Any) -> Any:
    if np.iscomplexobj(values):
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
    total = np.sum(totals, axis=axis, keepdims=keepdims, dtype=totals.dtype)
    parts = {"count": count, "total": total}
    first = blocks
    while not isinstance(first, dict):
        first = first[0]
    if "squares" in first:
        squares = _gathered(blocks, "squares")
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.sum(totals, axis=axis, keepdims=True, dtype=totals.dtype) / np.sum(
                counts, axis=axis, keepdims=True
            )
            # Chunks without elements have no mean, and are as far from any as makes no difference.
            apart = np.where(counts == 0, 0, counts * _squared(totals / counts - whole))
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
        return _as_dtype(np.sqrt(result) if root else result, dtype)


def _as_dtype(values: Any, dtype: np.dtype) -> Any:
    return values.astype(dtype) if hasattr(values, "astype") else values


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
    block = np.asanyarray(block)
    valid = np.ones(block.shape, dtype=bool)
    if nan and block.dtype.kind in "fcO":
        valid = block == block
        # NumPy, too, puts infinity in the place of NaN.
        block = np.where(valid, block, np.inf if plain is np.argmin else -np.inf)
    starts = [part.start for part in place]
    if axes is None:
        ones = (1,) * block.ndim
        if not block.size:
            return _nothing_there(block, ones)
        flat = int(plain(block))
        value = block.reshape(-1)[flat].reshape(ones) if block.ndim else block
        inner = np.unravel_index(flat, block.shape)
        position = 0
        for n, start, length in zip(inner, starts, shape):
            position = position * int(length) + int(n) + start if length == length else int(n)
        return {
            "value": value,
            "position": np.full(ones, position, dtype=np.intp),
            "valid": valid.any().reshape(ones),
        }
    (axis,) = axes
    if not block.shape[axis]:
        return _nothing_there(
            block, tuple(1 if n == axis else s for n, s in enumerate(block.shape))
        )
    position = plain(block, axis=axis, keepdims=True)
    return {
        "value": np.take_along_axis(block, position, axis),
        "position": position + starts[axis],
        "valid": valid.any(axis=axis, keepdims=True),
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
            "value": values.reshape(-1)[best].reshape(shape),
            "position": positions.reshape(-1)[best].reshape(shape),
            "valid": valid.any().reshape(shape),
        }
    (along,) = axis
    there = np.take(positions, [0], axis=along)
    keep = np.flatnonzero((np.moveaxis(positions, along, 0) >= 0).reshape(
        positions.shape[along], -1).any(axis=1))  # fmt: skip
    if len(keep) and len(keep) < positions.shape[along]:
        values, positions, valid = (
            np.take(part, keep, axis=along) for part in (values, positions, valid)
        )
    elif not positions.size:
        return {"value": values, "position": there, "valid": valid}
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
