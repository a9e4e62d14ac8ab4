"""Making arrays, and putting the elements of arrays elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import samite.array as da
from samite.array._array_api.information import check_device
from samite.array.core import Array

# -- making arrays ---------------------------------------------------------------------


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Array:
    """Numbers from ``start`` up to ``stop``, or from 0 up to ``start`` alone."""
    check_device(device)
    if stop is None:
        start, stop = type(start)(0), start
    return da.arange(start, stop, step, dtype=dtype)


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Array:
    """Anything as a lazy array.

    Raises
    ------
    ValueError
        If no copy is allowed, and there would be one.
    """
    check_device(device)
    if isinstance(obj, Array):
        if copy is False and dtype is not None and obj.dtype != dtype:
            raise ValueError(f"an array of {obj.dtype} cannot be one of {dtype} without a copy")
        result = obj if dtype is None else obj.astype(dtype)
        return result.copy() if copy and result is obj else result
    if copy is False:
        raise ValueError("what is not a lazy array cannot become one without a copy")
    return da.asarray(np.array(obj) if copy and isinstance(obj, np.ndarray) else obj, dtype=dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array of another library as a lazy one."""
    check_device(device)
    if isinstance(x, Array):
        return x
    return da.asarray(np.from_dlpack(x, copy=copy))


def _made(func: Any, shape: Any, dtype: Any, device: Any, *args: Any) -> Array:
    check_device(device)
    shape = tuple(shape) if isinstance(shape, Sequence) else (int(shape),)
    return func(shape, *args, dtype=dtype)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array with any elements."""
    return _made(da.empty, shape, dtype, device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of ones."""
    return _made(da.ones, shape, dtype, device)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of zeros."""
    return _made(da.zeros, shape, dtype, device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of one value."""
    if dtype is None:
        dtype = np.asarray(fill_value).dtype
    return _made(da.full, shape, dtype, device, fill_value)


def empty_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of the shape of another, with any elements."""
    check_device(device)
    return da.empty_like(x, dtype=dtype)


def ones_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of ones, of the shape of another."""
    check_device(device)
    return da.ones_like(x, dtype=dtype)


def zeros_like(x: Array, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of zeros, of the shape of another."""
    check_device(device)
    return da.zeros_like(x, dtype=dtype)


def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of one value, of the shape of another."""
    check_device(device)
    return da.full_like(x, fill_value, dtype=dtype)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Array:
    """An array with ones on a diagonal and zeros elsewhere."""
    check_device(device)
    return da.eye(n_rows, M=n_cols, k=k, dtype=np.float64 if dtype is None else dtype)


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, device: Any = None,
    endpoint: bool = True,
) -> Array:  # fmt: skip
    """Numbers at equal distances."""
    check_device(device)
    return da.linspace(start, stop, num=num, dtype=dtype, endpoint=endpoint)


def meshgrid(*arrays: Array, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of a grid."""
    return tuple(da.meshgrid(*arrays, indexing=indexing))


def tril(x: Array, /, *, k: int = 0) -> Array:
    """The lower triangle of matrices, with zeros elsewhere."""
    return da.tril(x, k=k)


def triu(x: Array, /, *, k: int = 0) -> Array:
    """The upper triangle of matrices, with zeros elsewhere."""
    return da.triu(x, k=k)


def astype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """The elements converted to another dtype."""
    check_device(device)
    if x.dtype == dtype:
        return x.copy() if copy else x
    return x.astype(dtype)


# -- putting elements elsewhere ----------------------------------------------------------


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """Arrays repeated along axes, so that all have one shape."""
    return list(da.broadcast_arrays(*arrays))


def broadcast_to(x: Array, /, shape: Sequence[int]) -> Array:
    """An array repeated along axes, so that it has a shape."""
    return da.broadcast_to(x, tuple(shape))


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Arrays joined along an axis that they have; None to flatten them first."""
    return da.concatenate(list(arrays), axis=axis)


def expand_dims(x: Array, /, *, axis: Any = 0) -> Array:
    """An array with axes of length one."""
    return da.expand_dims(x, axis)


def flip(x: Array, /, *, axis: Any = None) -> Array:
    """The elements in reverse order along axes; None for all."""
    return da.flip(x, axis)


def moveaxis(x: Array, source: Any, destination: Any, /) -> Array:
    """An array with axes at other places."""
    return da.moveaxis(x, source, destination)


def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    """An array with its axes in another order."""
    return da.transpose(x, tuple(axes))


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each element repeated along an axis; None for the flattened array."""
    if axis is None:
        x, axis = x.ravel(), 0
    return da.repeat(x, repeats, axis=axis)


def reshape(x: Array, /, shape: Sequence[int], *, copy: bool | None = None) -> Array:
    """The same elements in another shape."""
    return da.reshape(x, tuple(shape))


def roll(x: Array, /, shift: Any, *, axis: Any = None) -> Array:
    """The elements moved along axes; those at the end come first."""
    return da.roll(x, shift, axis=axis)


def squeeze(x: Array, /, axis: Any) -> Array:
    """An array without some axes of length one."""
    return da.squeeze(x, axis)


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    """Arrays joined along a new axis."""
    return da.stack(list(arrays), axis=axis)


def tile(x: Array, repetitions: Sequence[int], /) -> Array:
    """An array repeated along axes."""
    return da.tile(x, tuple(repetitions))


def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The elements at positions along an axis.

    Raises
    ------
    ValueError
        If there is no axis given, and more than one.
    """
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take needs an axis for an array of {x.ndim} axes")
        axis = 0
    return da.take(x, indices, axis=axis)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """The elements at positions along an axis, which differ from line to line."""
    return da.take_along_axis(x, indices, axis=axis)
