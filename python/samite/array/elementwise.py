"""Functions of one element at a time, with NumPy's broadcasting and promotion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.base import is_dask_collection
from samite.utils import is_arraylike

__all__ = [
    "around", "astype", "clip", "elemwise", "isclose", "ndim", "result_type", "round",
    "shape", "where",
]  # fmt: skip


def elemwise(
    op: Callable,
    *args: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    name: str | None = None,
    **kwargs: Any,
) -> Any:
    """Apply a function element by element.

    Parameters
    ----------
    op:
        A function of chunks that broadcasts as NumPy's do.
    *args:
        Arrays, scalars and anything that becomes an array.
    out:
        A lazy array that takes over the result, or a tuple of it.
    where:
        Where the function is applied; elsewhere the elements are those of ``out``.
    dtype:
        The dtype of the result, passed on to the function if that is one of NumPy's.
    **kwargs:
        For the function.

    Raises
    ------
    TypeError
        If ``out`` is no lazy array.
    ValueError
        If shapes do not fit.
    """
    out = checked_out(out)
    operands = [_operand(arg) for arg in args]
    masked = where is not True
    if masked:
        where = _operand(where) if not isinstance(where, (bool, np.bool_)) else bool(where)
        operands += [where, out]
    axes = max((arg.ndim for arg in operands if isinstance(arg, Array)), default=0)
    pairs: list[Any] = []
    for arg in operands:
        lazy = isinstance(arg, Array)
        pairs += [arg, tuple(range(arg.ndim))[::-1] if lazy else None]
    if isinstance(op, np.ufunc) and dtype is not None:
        kwargs["dtype"], dtype = np.dtype(dtype), None
    call = _Masked(op) if masked else op
    result = blockwise(
        functools.partial(call, **kwargs) if kwargs else call,
        tuple(range(axes))[::-1],
        *pairs,
        name=name,
        dtype=dtype,
    )
    if out is None:
        return result
    out._become(result)
    return out


class _Masked:
    """A ufunc that is called with ``where=``, on a copy of what was there."""

    def __init__(self, op: Callable) -> None:
        self.op = op
        self.__name__ = getattr(op, "__name__", type(op).__name__)

    def __dask_tokenize__(self) -> Any:
        return ("masked", self.op)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        *args, where, out = args
        whole = np.broadcast_shapes(*(np.shape(arg) for arg in (*args, where)))
        if out is None:
            return self.op(*args, where=np.broadcast_to(where, whole), out=None, **kwargs)
        out = np.array(np.broadcast_to(out, whole))
        return self.op(*args, where=where, out=out, **kwargs)


def checked_out(out: Any) -> Array | None:
    if isinstance(out, tuple):
        if len(out) > 1:
            raise NotImplementedError(
                "The out parameter is not fully supported for several outputs"
            )
        out = out[0] if out else None
    if out is not None and not isinstance(out, Array):
        raise TypeError(
            f"out= has to be a lazy Array, not {type(out).__name__}: results are not written "
            "into an array in memory (such as a numpy.ndarray) before they are computed"
        )
    return out


def _operand(arg: Any) -> Any:
    """An array as a lazy one; scalars and other lazy values as they are."""
    if isinstance(arg, Array) or arg is None or is_dask_collection(arg):
        return arg
    if isinstance(arg, (list, tuple)) or hasattr(arg, "__dask_graph__"):
        return asanyarray(arg)
    if is_arraylike(arg) and getattr(arg, "ndim", 0):
        return asanyarray(arg)
    return arg


def astype(x: Any, dtype: Any, casting: str = "unsafe", copy: bool = True, **kwargs: Any) -> Any:
    """The elements converted to another dtype.

    Raises
    ------
    TypeError
        If ``casting`` does not allow it, or an argument is unknown.
    """
    unknown = set(kwargs) - {"order", "subok"}
    if unknown:
        raise TypeError(f"astype does not take the following keyword arguments: {sorted(unknown)}")
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if not np.can_cast(x.dtype, dtype, casting):
        raise TypeError(
            f"Cannot cast array from {x.dtype!r} to {dtype!r} according to the rule {casting!r}"
        )
    index = tuple(range(x.ndim))
    return blockwise(
        _astype, index, x, index, token="astype", dtype=dtype, astype_dtype=dtype, **kwargs
    )


def _astype(x: Any, astype_dtype: Any, **kwargs: Any) -> Any:
    return x.astype(astype_dtype, **kwargs)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """The elements of ``x`` where a condition holds, and those of ``y`` elsewhere.

    Raises
    ------
    TypeError
        If only one of ``x`` and ``y`` is given. Positions, which NumPy gives for a condition
        alone, have no known number.
    """
    if x is None or y is None:
        raise TypeError("where needs a condition and two arrays")
    if isinstance(condition, np.ndarray) and not condition.ndim:
        condition = condition[()]
    if isinstance(condition, (bool, np.bool_)):
        # The shape and dtype are those of both arrays all the same.
        condition = np.asarray(condition)
        if not any(isinstance(arg, Array) for arg in (x, y)):
            return asanyarray(np.where(condition, x, y))
    return elemwise(np.where, condition, x, y)


def clip(x: Any, min: Any = None, max: Any = None, **kwargs: Any) -> Any:
    """The elements, kept between two bounds (arrays, scalars, or None for no bound)."""
    if not any(isinstance(arg, Array) for arg in (x, min, max)):
        return np.clip(x, min, max, **kwargs)
    return elemwise(np.clip, x, min, max, **kwargs)


def round(x: Any, decimals: int = 0) -> Any:
    """The elements rounded to a number of decimals."""
    return elemwise(np.round, asanyarray(x), decimals=decimals)


around = round


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether elements are equal within tolerances."""
    return elemwise(np.isclose, a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)


def ndim(x: Any) -> int:
    """The number of axes."""
    return x.ndim if isinstance(x, Array) else np.ndim(x)


def shape(x: Any) -> tuple[int, ...]:
    """The length of each axis."""
    return x.shape if isinstance(x, Array) else np.shape(x)


def result_type(*args: Any) -> np.dtype:
    """The dtype that arrays, scalars and dtypes have together."""
    return np.result_type(*(arg.dtype if isinstance(arg, Array) else arg for arg in args))
