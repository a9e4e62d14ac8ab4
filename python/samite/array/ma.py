"""Masked arrays: lazy arrays whose chunks are those of :mod:`numpy.ma`.

The functions of :mod:`samite.array` take them as well: reductions leave out what is masked, and
joining keeps the masks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.elementwise import elemwise
from samite.array.storage import asanyarray, from_array
from samite.array.utils import normalize_axes

__all__ = [
    "average", "count", "empty_like", "filled", "fix_invalid", "getdata", "getmaskarray",
    "masked_array", "masked_equal", "masked_greater", "masked_greater_equal", "masked_inside",
    "masked_invalid", "masked_less", "masked_less_equal", "masked_not_equal", "masked_outside",
    "masked_values", "masked_where", "nonzero", "ones_like", "set_fill_value", "where",
    "zeros_like",
]  # fmt: skip

# -- making masked arrays --------------------------------------------------------------


def masked_array(
    data: Any, mask: Any = np.ma.nomask, fill_value: Any = None, chunks: Any = None, **kwargs: Any
) -> Array:
    """Data together with a mask that says which elements do not count.

    Parameters
    ----------
    data:
        An array.
    mask:
        An array of the same shape, true where elements are masked; or one value for all.
    fill_value:
        What :func:`filled` puts in the place of masked elements; one value.
    chunks:
        How data that is not lazy is cut.
    **kwargs:
        ``dtype``, ``keep_mask``, ``hard_mask`` and the like, for :class:`numpy.ma.MaskedArray`.

    Raises
    ------
    numpy.ma.MaskError
        If the shapes differ.
    ValueError
        If the fill value is not one value.
    """
    if not isinstance(data, Array):
        if not hasattr(data, "shape"):
            data = np.asanyarray(data)
        data = from_array(data, chunks=chunks) if chunks is not None else asanyarray(data)
    dtype = np.dtype(kwargs.pop("dtype", None) or data.dtype)
    inputs = [data]
    if isinstance(mask, Array) or np.ndim(mask):
        mask = asanyarray(mask)
        if data.shape != mask.shape and mask.size != 1:
            raise np.ma.MaskError(
                f"Mask and data not compatible: data shape is {data.shape}, and "
                f"mask shape is {mask.shape}."
            )
        if mask.size == 1 and data.shape != mask.shape:
            mask = mask.reshape((1,) * data.ndim)
        inputs.append(mask)
    elif mask is not np.ma.nomask and not isinstance(mask, (bool, np.bool_)):
        mask = bool(mask)
    func = functools.partial(
        _masked_block, mask=None if len(inputs) > 1 else mask, masked_dtype=dtype, **kwargs
    )
    if fill_value is not None:
        fill_value = _one_value(fill_value)
        if not isinstance(fill_value, Array):
            func = functools.partial(func, fill_value=fill_value)
        else:
            # A lazy value is an array without axes, which is broadcast like any other.
            inputs.append(fill_value)
            func = functools.partial(_with_lazy_fill, func)
    return elemwise(func, *inputs, dtype=dtype, name=None)


def _masked_block(
    data: Any, *masks: Any, mask: Any, masked_dtype: np.dtype, fill_value: Any = None, **kwargs: Any
) -> Any:
    if masks:
        (mask,) = masks
        if np.shape(mask) != np.shape(data):
            mask = np.broadcast_to(mask, np.shape(data))
    return np.ma.masked_array(data, mask=mask, dtype=masked_dtype, fill_value=fill_value, **kwargs)


def _with_lazy_fill(func: Callable, *args: Any, **kwargs: Any) -> Any:
    *args, fill_value = args
    return func(*args, fill_value=np.asarray(fill_value)[()], **kwargs)


def _one_value(fill_value: Any) -> Any:
    if getattr(fill_value, "ndim", np.ndim(fill_value)):
        raise ValueError(
            "non-scalar fill_value not supported: a fill value of an array that is cut into "
            "chunks has to be one value"
        )
    return fill_value if isinstance(fill_value, Array) else np.asarray(fill_value)[()]


def masked_where(condition: Any, a: Any) -> Array:
    """An array, masked where a condition holds.

    Raises
    ------
    IndexError
        If the shapes differ.
    """
    shape = np.shape(condition) if not isinstance(condition, Array) else condition.shape
    a = asanyarray(a)
    if shape and shape != a.shape:
        raise IndexError(
            f"Inconsistent shape between the condition and the input (got {shape} and {a.shape})"
        )
    if not shape and not isinstance(condition, Array):
        return _mapped(functools.partial(np.ma.masked_where, bool(condition)), a)
    return elemwise(np.ma.masked_where, condition, a)


def masked_greater(x: Any, value: Any, copy: bool = True) -> Array:
    """An array, masked where it is greater than ``value``."""
    return _compared(np.ma.masked_greater, x, value, copy)


def masked_greater_equal(x: Any, value: Any, copy: bool = True) -> Array:
    """An array, masked where it is greater than ``value`` or equal to it."""
    return _compared(np.ma.masked_greater_equal, x, value, copy)


def masked_less(x: Any, value: Any, copy: bool = True) -> Array:
    """An array, masked where it is less than ``value``."""
    return _compared(np.ma.masked_less, x, value, copy)


def masked_less_equal(x: Any, value: Any, copy: bool = True) -> Array:
    """An array, masked where it is less than ``value`` or equal to it."""
    return _compared(np.ma.masked_less_equal, x, value, copy)


def masked_not_equal(x: Any, value: Any, copy: bool = True) -> Array:
    """An array, masked where it is not equal to ``value``."""
    return _compared(np.ma.masked_not_equal, x, value, copy)


def _compared(func: Callable, x: Any, value: Any, copy: bool) -> Array:
    return elemwise(func, asanyarray(x), value, copy=copy)


def masked_equal(a: Any, value: Any) -> Array:
    """An array, masked where it is equal to one value, which becomes its fill value.

    Raises
    ------
    ValueError
        If ``value`` is an array.
    """
    a = asanyarray(a)
    _refuse_array(value, "masked_equal")
    return _mapped(functools.partial(np.ma.masked_equal, value=value), a)


def masked_values(
    x: Any, value: Any, rtol: float = 1e-05, atol: float = 1e-08, shrink: bool = True
) -> Array:
    """An array, masked where it is close to one value, which becomes its fill value.

    Raises
    ------
    ValueError
        If ``value`` is an array.
    """
    x = asanyarray(x)
    _refuse_array(value, "masked_values")
    return _mapped(
        functools.partial(np.ma.masked_values, value=value, rtol=rtol, atol=atol, shrink=shrink), x
    )


def _refuse_array(value: Any, name: str) -> None:
    if getattr(value, "ndim", np.ndim(value)):
        raise ValueError(
            f"da.ma.{name} doesn't support array `value`s; the value is the fill value too"
        )


def masked_inside(x: Any, v1: Any, v2: Any) -> Array:
    """An array, masked within an interval, its ends included."""
    return _mapped(functools.partial(np.ma.masked_inside, v1=v1, v2=v2), asanyarray(x))


def masked_outside(x: Any, v1: Any, v2: Any) -> Array:
    """An array, masked outside of an interval."""
    return _mapped(functools.partial(np.ma.masked_outside, v1=v1, v2=v2), asanyarray(x))


def masked_invalid(a: Any) -> Array:
    """An array, masked where it is NaN or infinite."""
    return _mapped(np.ma.masked_invalid, asanyarray(a))


def fix_invalid(a: Any, fill_value: Any = None) -> Array:
    """An array, masked where it is NaN or infinite, with the fill value there."""
    return _mapped(functools.partial(np.ma.fix_invalid, fill_value=fill_value), asanyarray(a))


def empty_like(a: Any, **kwargs: Any) -> Array:
    """An array with the shape, dtype and mask of another, and any values."""
    return _mapped(functools.partial(np.ma.empty_like, **kwargs), asanyarray(a))


def ones_like(a: Any, **kwargs: Any) -> Array:
    """An array of ones with the shape, dtype and mask of another."""
    return _mapped(functools.partial(np.ma.ones_like, **kwargs), asanyarray(a))


def zeros_like(a: Any, **kwargs: Any) -> Array:
    """An array of zeros with the shape, dtype and mask of another."""
    return _mapped(functools.partial(np.ma.zeros_like, **kwargs), asanyarray(a))


def _mapped(func: Callable, a: Array) -> Array:
    return elemwise(func, a)


# -- what masked arrays are made of ----------------------------------------------------


def filled(a: Any, fill_value: Any = None) -> Array:
    """The data, with a value in the place of masked elements.

    Parameters
    ----------
    fill_value:
        The value; by default the fill value of the array.
    """
    return _mapped(functools.partial(np.ma.filled, fill_value=fill_value), asanyarray(a))


def getdata(a: Any) -> Array:
    """The data, whether masked or not."""
    return _mapped(np.ma.getdata, asanyarray(a))


def getmaskarray(a: Any) -> Array:
    """The mask, false everywhere for an array that is not masked."""
    return _mapped(np.ma.getmaskarray, asanyarray(a))


def set_fill_value(a: Array, fill_value: Any) -> None:
    """Give a lazy array another fill value; what is not masked stays as it is.

    Raises
    ------
    TypeError
        If the value does not fit the dtype.
    ValueError
        If it is an array.
    """
    a = asanyarray(a)
    _one_value(fill_value)
    if isinstance(fill_value, Array):
        raise ValueError("the fill value of all chunks has to be known, and not a lazy value")
    # NumPy knows which values fit.
    np.ma.masked_all((), dtype=a.dtype).set_fill_value(fill_value)
    a._become(_mapped(functools.partial(_filled_with, fill_value=fill_value), a))


def _filled_with(block: Any, fill_value: Any) -> Any:
    if isinstance(block, np.ma.MaskedArray):
        # A chunk may be part of the graph, and is not to be changed.
        block = block.copy()
        block.set_fill_value(fill_value)
    return block


# -- counting and averages -------------------------------------------------------------


def count(a: Any, axis: Any = None, keepdims: bool = False, split_every: Any = None) -> Array:
    """The number of elements along axes that are not masked."""
    from samite.array.reductions import reduction

    return reduction(
        a, _count, np.sum, axis, keepdims, dtype=np.intp, split_every=split_every, name="count",
        meta=np.empty((0,) * asanyarray(a).ndim, dtype=np.intp),
    )  # fmt: skip


def _count(block: Any, axis: Any, keepdims: bool) -> Any:
    return np.sum(~np.ma.getmaskarray(block), axis=axis, keepdims=keepdims, dtype=np.intp)


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """The weighted mean along axes of what is not masked.

    Parameters
    ----------
    weights:
        Weights of the elements: an array of the same shape, or of the shape of the axes.
    returned:
        Whether the sum of the weights is returned too.

    Raises
    ------
    TypeError
        If shapes differ and there is no axis, or weights have more dimensions than axes.
    ValueError
        If the weights' shape is not that of the axes.
    """
    from samite.array.shaping import expand_dims

    a = asanyarray(a)
    axes = normalize_axes(axis, a.ndim)
    if weights is None:
        mean = a.mean(axis=axis, keepdims=keepdims)
        if not returned:
            return mean
        return mean, count(a, axis=axis, keepdims=keepdims).astype(mean.dtype)
    weights = asanyarray(weights)
    if weights.shape != a.shape:
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if weights.ndim != len(axes):
            raise TypeError(
                f"{len(axes)}D weights expected when shapes of a and weights differ, and along "
                f"{len(axes)} axes; they have the shape {weights.shape}"
            )
        if weights.shape != tuple(a.shape[n] for n in axes):
            raise ValueError(
                f"Length of weights not compatible with specified axis: {weights.shape} and "
                f"{tuple(a.shape[n] for n in axes)}"
            )
        if not isinstance(axis, int) and len(axes) > 1:
            # The axes of the weights come in the order in which they were named.
            named = [n % a.ndim for n in axis]
            weights = weights.transpose([named.index(n) for n in axes])
        weights = expand_dims(weights, tuple(n for n in range(a.ndim) if n not in axes))
    dtype = np.result_type(a.dtype, weights.dtype, *(("f8",) if a.dtype.kind in "iub" else ()))
    weights = elemwise(_weights_of_valid, weights, a, dtype=dtype)
    scale = weights.sum(axis=axes, keepdims=keepdims, dtype=dtype)
    mean = (a * weights).sum(axis=axes, keepdims=keepdims, dtype=dtype) / scale
    if not returned:
        return mean
    return mean, scale


def _weights_of_valid(weights: Any, values: Any) -> Any:
    """Weights of the shape of an array, masked like it."""
    weights = np.broadcast_to(np.ma.getdata(weights), values.shape)
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.masked_array(weights, mask=values.mask)
    return weights


# -- choosing --------------------------------------------------------------------------


def nonzero(a: Any) -> tuple[Array, ...]:
    """The positions along each axis of elements that are neither masked nor zero."""
    from samite.array import nonzero as positions

    return positions(filled(a, 0))


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """The elements of ``x`` where a condition holds, those of ``y`` elsewhere, with their masks.

    Where the condition is masked, the result is. With the condition alone it is
    :func:`nonzero`.

    Raises
    ------
    ValueError
        If only one of ``x`` and ``y`` is given.
    """
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    return elemwise(np.ma.where, condition, x, y)
