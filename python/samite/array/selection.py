"""Functions that pick elements: take, compress, extract, choose."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = ["choose", "compress", "extract", "take"]


def take(a: Any, indices: Any, axis: int | None = 0) -> Array:
    """The elements at some positions along one axis; None takes the array as flat.

    Raises
    ------
    IndexError
        If a position is out of bounds.
    """
    a = asanyarray(a)
    if axis is None:
        a, axis = a.ravel(), 0
    axis = normalize_axis(axis, a.ndim)
    if isinstance(indices, (tuple, range)):
        indices = list(indices)
    return a[(slice(None),) * axis + (indices,)]


def compress(condition: Any, a: Any, axis: int | None = None) -> Array:
    """The elements along one axis, or of the flat array, where a condition is true.

    Parameters
    ----------
    condition:
        Truth values in one dimension; it can be shorter than the axis. If it is lazy, the length
        of the result is not known.
    a:
        The array.
    axis:
        The axis; None takes the array as flat.

    Raises
    ------
    ValueError
        If the condition has more dimensions, or there is no such axis.
    """
    a = asanyarray(a)
    if axis is None:
        a, axis = a.ravel(), 0
    axis = normalize_axis(axis, a.ndim)
    if not isinstance(condition, Array):
        condition = np.asarray(condition).astype(bool)
    elif condition.dtype != bool:
        condition = condition.astype(bool)
    if condition.ndim != 1:
        raise ValueError(
            f"compress: the condition must have one dimension, not the shape {condition.shape}"
        )
    head = (slice(None),) * axis
    if not isinstance(condition, Array):
        if condition[a.shape[axis] :].any():
            raise IndexError(
                f"compress: the condition is true beyond the end of axis {axis}, whose length is "
                f"{a.shape[axis]}"
            )
        return a[head + (np.flatnonzero(condition),)]
    return a[head + (slice(0, condition.shape[0]),)][head + (condition,)]


def extract(condition: Any, arr: Any) -> Array:
    """The elements of the flat array where a condition, taken as flat too, is true."""
    condition = condition.ravel() if isinstance(condition, Array) else np.ravel(condition)
    return compress(condition.astype(bool), asanyarray(arr).ravel())


def choose(a: Any, choices: Any) -> Array:
    """For each element that of the array among ``choices`` that it is the number of."""
    from samite.array.elementwise import elemwise

    return elemwise(_choose, a, *choices)


def _choose(a: Any, *choices: Any) -> Any:
    return np.choose(a, choices)
