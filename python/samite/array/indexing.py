"""Indices in one form: checked, counted from the front, with an entry for each axis."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from samite.array.chunks import is_unknown
from samite.array.core import Array

__all__ = ["is_mask", "normalize_index", "normalize_slice", "replace_ellipsis", "sanitize_index"]


def normalize_index(index: Any, shape: Sequence[Any]) -> tuple[Any, ...]:
    """Every way to write an index as the same one, so that equal results have equal names.

    Parameters
    ----------
    index:
        Integers, slices, ``None``, ``...``, lists and arrays, or a tuple of these.
    shape:
        The shape of the array; ``nan`` where a length is not known.

    Returns
    -------
    An entry for each axis and for each None: an integer, a slice, an array of integers that are
    not negative, or a lazy array. Masks of NumPy's become positions.

    Raises
    ------
    IndexError
        If there are too many indices, or one is out of bounds or of the wrong type.
    """
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(sanitize_index(part) for part in parts)
    parts = replace_ellipsis(len(shape), parts)
    lengths = iter(enumerate(shape))
    result: list[Any] = []
    for part in parts:
        if part is None:
            result.append(None)
            continue
        axis, length = next(lengths)
        result.append(_normalized(part, axis, length))
    return tuple(result)


def sanitize_index(part: Any) -> Any:
    """One part of an index: None, Ellipsis, integer, slice, NumPy array, or lazy array.

    Raises
    ------
    TypeError
        If it is a text.
    IndexError
        If it is of another type that is no index.
    """
    if part is None or part is Ellipsis or isinstance(part, Array):
        return part
    if isinstance(part, slice):
        return slice(*(_whole_number(end) for end in (part.start, part.stop, part.step)))
    if isinstance(part, (str, bytes)):
        raise TypeError(f"Invalid index type {type(part).__name__}: {part!r}")
    if isinstance(part, Number) and not isinstance(part, (bool, np.bool_)):
        return _whole_number(part)
    values = np.asanyarray(part)
    if not values.size and values.dtype.kind in "fO":
        values = values.astype(np.intp)
    if values.dtype.kind == "f":
        whole = values.astype(np.intp)
        if not (whole == values).all():
            raise IndexError(f"Bad index.  Must be integer-like: {part!r}")
        values = whole
    if values.dtype.kind not in "iub":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and integer or boolean arrays "
            f"are valid indices, not {part!r}"
        )
    if not values.ndim:
        if values.dtype.kind == "b":
            raise IndexError("a single truth value is no index; use an array of them, or None")
        return int(values)
    return values


def _whole_number(end: Any) -> int | None:
    if end is None:
        return None
    if isinstance(end, (Number, np.ndarray, Array)) or hasattr(end, "__index__"):
        whole = int(end)
        if whole == end:
            return whole
    raise IndexError(f"Bad index.  Must be integer-like: {end}")


def is_mask(part: Any) -> bool:
    """Whether a part of an index is an array of truth values, lazy or not."""
    return isinstance(part, (Array, np.ndarray)) and part.dtype.kind == "b"


def replace_ellipsis(ndim: int, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The parts of an index with an entry for each axis, and slices for ``...``.

    Raises
    ------
    IndexError
        If there are too many indices, or two ``...``.
    """
    used = sum(
        part.ndim if is_mask(part) else 1
        for part in parts
        if part is not None and part is not Ellipsis
    )
    if used > ndim:
        raise IndexError(
            f"Too many indices for array: array is {ndim}-dimensional, but {used} were indexed"
        )
    missing = (slice(None),) * (ndim - used)
    at = [n for n, part in enumerate(parts) if part is Ellipsis]
    if len(at) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if at:
        return parts[: at[0]] + missing + parts[at[0] + 1 :]
    return parts + missing


def _normalized(part: Any, axis: int, length: Any) -> Any:
    if isinstance(part, Array):
        return part
    if is_unknown(length):
        return np.flatnonzero(part) if is_mask(part) else part
    if isinstance(part, slice):
        return normalize_slice(part, length)
    if isinstance(part, int):
        if not -length <= part < length:
            raise IndexError(f"Index {part} is out of bounds for axis {axis} with size {length}")
        return part % length
    if is_mask(part):
        if part.ndim != 1:
            return part
        if len(part) != length:
            raise IndexError(
                "boolean index did not match indexed array: Boolean array with size "
                f"{len(part)} is not long enough for axis {axis} with size {length}"
            )
        return np.flatnonzero(part)
    part = part.astype(np.intp)
    if part.size and (part.min() < -length or part.max() >= length):
        raise IndexError(f"Index is out of bounds for axis {axis} with size {length}")
    return np.where(part < 0, part + length, part)


def normalize_slice(part: slice, length: int) -> slice:
    """The shortest way to write a slice of an axis."""
    wanted = range(length)[part]
    if not len(wanted):
        return slice(0, 0) if length else slice(None)
    if len(wanted) == length and wanted.step > 0:
        return slice(None)
    if len(wanted) == 1:
        return slice(wanted[0], wanted[0] + 1)
    stop = wanted[-1] + (1 if wanted.step > 0 else -1)
    step = None if wanted.step == 1 else wanted.step
    return slice(wanted[0], stop if stop >= 0 else None, step)
