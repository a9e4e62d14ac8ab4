"""Functions of users applied along axes, and elements taken along them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis

__all__ = ["apply_along_axis", "apply_over_axes", "put_along_axis", "take_along_axis"]


def apply_along_axis(
    func1d: Callable,
    axis: int,
    arr: Any,
    *args: Any,
    dtype: Any = None,
    shape: Any = None,
    **kwargs: Any,
) -> Array:
    """Call a function on every vector along an axis.

    Parameters
    ----------
    func1d:
        ``func1d(vector, *args, **kwargs)``.
    *args, **kwargs:
        Further arguments; lazy arrays among them are computed once for all vectors.
    dtype, shape:
        Those of the function's results; by default found by calling it on one element.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    """
    arr = asanyarray(arr)
    axis = normalize_axis(axis, arr.ndim)
    if shape is None or dtype is None:
        found = np.array(func1d(np.ones((1,), dtype=arr.dtype), *args, **kwargs))
        shape = found.shape if shape is None else shape
        dtype = found.dtype if dtype is None else dtype
    dtype, shape = np.dtype(dtype), tuple(shape)
    index = tuple(range(arr.ndim))
    new = tuple(("new", n) for n in range(len(shape)))
    return blockwise(
        functools.partial(_along_block, func1d, axis),
        index[:axis] + new + index[axis + 1 :], arr.rechunk({axis: -1}), index,
        func1d_args=args, func1d_kwargs=kwargs,
        new_axes=dict(zip(new, shape)), concatenate=True, dtype=dtype, token="apply-along-axis",
        meta=np.empty((0,) * (arr.ndim - 1 + len(shape)), dtype=dtype),
    )  # fmt: skip


def _along_block(
    func1d: Callable, axis: int, block: Any, func1d_args: Any, func1d_kwargs: Any
) -> Any:
    return np.apply_along_axis(func1d, axis, block, *func1d_args, **func1d_kwargs)


def apply_over_axes(func: Callable, a: Any, axes: Any) -> Array:
    """Call a function of an array and an axis for several axes, one after the other.

    Raises
    ------
    ValueError
        If the function does not return an array of as many dimensions, or one less.
    """
    result = asanyarray(a)
    ndim = result.ndim
    given = axes if isinstance(axes, (tuple, list, np.ndarray)) else (axes,)
    for axis in given:
        axis = normalize_axis(axis, ndim)
        found = func(result, axis)
        if found.ndim == ndim - 1:
            found = found[(slice(None),) * axis + (None,)]
        elif found.ndim != ndim:
            raise ValueError(
                "function is not returning an array of the correct shape: it has "
                f"{found.ndim} dimensions instead of {ndim}"
            )
        result = found
    return result


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Array:
    """For each vector along an axis the elements at positions of its own.

    Parameters
    ----------
    indices:
        Positions along the axis; along the others broadcast against ``arr``.
    axis:
        The axis; None takes the array as flat.

    Raises
    ------
    IndexError
        If the positions are not integers, or, when it is computed, are beyond the end.
    ValueError
        If the numbers of dimensions differ.
    """
    arr, indices = asanyarray(arr), asanyarray(indices)
    if axis is None:
        arr, axis = arr.ravel(), 0
    axis = normalize_axis(axis, arr.ndim)
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if indices.ndim != arr.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    index = tuple(range(arr.ndim))
    source = tuple("source" if n == axis else n for n in index)
    return blockwise(
        functools.partial(_take_block, axis=axis), index, arr.rechunk({axis: -1}), source,
        indices, index, concatenate=True, dtype=arr.dtype, meta=arr._meta, token="take-along-axis",
    )  # fmt: skip


def _take_block(block: Any, indices: Any, axis: int) -> Any:
    return np.take_along_axis(block, indices, axis)


def put_along_axis(arr: Array, indices: Any, values: Any, axis: int | None) -> None:
    """Assign to the elements at positions that each vector along an axis has of its own.

    Parameters
    ----------
    arr:
        A lazy array; from now on the object is the array with other elements.
    indices, values:
        Positions along the axis, and what is assigned there.
    axis:
        The axis; None takes the array as flat.

    Raises
    ------
    TypeError
        If the array is not lazy.
    IndexError, ValueError
        As :func:`take_along_axis`.
    """
    if not isinstance(arr, Array):
        raise TypeError(f"put_along_axis assigns to lazy arrays, not to {type(arr).__name__}")
    from samite.array.broadcasting import broadcast_to

    indices, values = asanyarray(indices), asanyarray(values)
    shape = arr.shape
    target, at = (arr.ravel(), 0) if axis is None else (arr, normalize_axis(axis, arr.ndim))
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if indices.ndim != target.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    beside = tuple(indices.shape[at] if n == at else length for n, length in
                   enumerate(target.shape))  # fmt: skip
    index = tuple(range(target.ndim))
    inner = tuple("positions" if n == at else n for n in index)
    result = blockwise(
        functools.partial(_put_block, axis=at), index, target.rechunk({at: -1}), index,
        indices, inner, broadcast_to(values, beside), inner, concatenate=True, dtype=arr.dtype,
        meta=target._meta, token="put-along-axis",
    )  # fmt: skip
    arr._become(result.reshape(shape) if axis is None else result)


def _put_block(block: Any, indices: Any, values: Any, axis: int) -> Any:
    block = np.array(block)
    np.put_along_axis(block, indices, values, axis)
    return block
