"""Functions of one element at a time, with NumPy's broadcasting and promotion."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from samite.array import native
from samite.array.blockwise import blockwise
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.base import is_dask_collection
from samite.utils import is_arraylike

__all__ = [
    "around", "astype", "clip", "copy", "elemwise", "isclose", "ndim", "result_type", "round",
    "shape", "size", "where",
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
    elif not kwargs and name is None:
        result = native.elementwise(op, operands, dtype if isinstance(op, np.ufunc) else None)
        if result is not None and dtype is not None and result.dtype != dtype:
            result = None
        if result is not None:
            return result if out is None else _given_to(out, result)
    axes = max((arg.ndim for arg in operands if isinstance(arg, Array)), default=0)
    _check_shapes(op, [arg.shape for arg in operands if isinstance(arg, Array)])
    pairs: list[Any] = []
    for arg in operands:
        lazy = isinstance(arg, Array)
        pairs += [arg, tuple(range(arg.ndim))[::-1] if lazy else None]
    if isinstance(op, np.ufunc) and dtype is not None:
        kwargs["dtype"], dtype = np.dtype(dtype), None
    call = _Masked(op) if masked else op
    try:
        result = blockwise(
            functools.partial(call, **kwargs) if kwargs else call,
            tuple(range(axes))[::-1],
            *pairs,
            name=name,
            dtype=dtype,
        )
    except ValueError as error:
        of_numpy = isinstance(op, np.ufunc) or getattr(op, "__module__", "") == "_operator"
        if of_numpy and isinstance(error.__cause__, TypeError):
            # NumPy does not take these operands, or these keywords, and says so with this type.
            given = f" with {sorted(kwargs)}" if kwargs else ""
            raise TypeError(f"{op.__name__}{given}: {error.__cause__}") from error
        raise
    return result if out is None else _given_to(out, result)


def _given_to(out: Array, result: Array) -> Array:
    out._become(result)
    return out


def _check_shapes(op: Callable, shapes: list[tuple[Any, ...]]) -> None:
    """Raise what NumPy raises for shapes that do not fit; of unknown lengths more is seen later."""
    if len(set(shapes)) < 2 or any(length != length for shape in shapes for length in shape):
        return
    ndim = max(map(len, shapes))
    for lengths in zip(*((1,) * (ndim - len(shape)) + shape for shape in shapes)):
        if len({length for length in lengths if length != 1}) > 1:
            raise ValueError(
                "operands could not be broadcast together with shapes "
                f"{' '.join(map(str, shapes))} in {getattr(op, '__name__', op)}"
            )


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
    if isinstance(arg, Array) or arg is None:
        return arg
    if hasattr(arg, "to_dask_array") and arg.ndim:
        return arg.to_dask_array()
    if is_dask_collection(arg):
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
    if not kwargs and isinstance(x, Array):
        result = native.astype(x, dtype)
        if result is not None:
            return result
    index = tuple(range(x.ndim))
    return blockwise(
        _astype, index, x, index, token="astype", dtype=dtype, astype_dtype=dtype, **kwargs
    )


def _astype(x: Any, astype_dtype: Any, **kwargs: Any) -> Any:
    return x.astype(astype_dtype, **kwargs)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """The elements of one array where a condition is true, and of another where it is not.

    A condition alone gives the positions where it is true, as :func:`nonzero`.

    Raises
    ------
    ValueError
        If only one of ``x`` and ``y`` is given.
    """
    if (x is None) != (y is None):
        raise ValueError("either both or neither of x and y should be given")
    if x is None:
        from samite.array.conditions import nonzero

        return nonzero(condition)
    if isinstance(condition, np.ndarray) and not condition.ndim:
        condition = condition[()]
    if np.isscalar(condition):
        # The shape and dtype are those of both arrays all the same.
        chosen, other = (x, y) if condition else (y, x)
        if _decides(chosen, other):
            return chosen
        condition = np.asarray(bool(condition))
        if not any(isinstance(arg, Array) for arg in (x, y)):
            return asanyarray(np.where(condition, x, y))
    return elemwise(np.where, condition, x, y)


def _decides(chosen: Any, other: Any) -> bool:
    """Whether a lazy array together with something else keeps its shape and dtype."""
    if not isinstance(chosen, Array) or is_dask_collection(other) and not isinstance(other, Array):
        return False
    try:
        fits = np.broadcast_shapes(chosen.shape, shape(other)) == chosen.shape
    except (TypeError, ValueError):
        return False
    return fits and result_type(chosen, other) == chosen.dtype


def clip(x: Any, min: Any = None, max: Any = None, **kwargs: Any) -> Any:
    """The elements, kept between two bounds (arrays, scalars, or None for no bound).

    The bounds can also be named ``a_min`` and ``a_max``, as NumPy has them.
    """
    min, max = kwargs.pop("a_min", min), kwargs.pop("a_max", max)
    if not any(isinstance(arg, Array) for arg in (x, min, max)):
        return np.clip(x, min, max, **kwargs)
    return elemwise(np.clip, x, min, max, **kwargs)


def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """The elements rounded to a number of decimals."""
    return elemwise(np.round, asanyarray(a), decimals=decimals, out=out)


around = round


def isclose(
    arr1: Any, arr2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether elements are equal within tolerances."""
    return elemwise(np.isclose, arr1, arr2, rtol=rtol, atol=atol, equal_nan=equal_nan)


def ndim(a: Any) -> int:
    """The number of axes."""
    return a.ndim if isinstance(a, Array) else np.ndim(a)


def shape(x: Any) -> tuple[int, ...]:
    """The length of each axis."""
    return x.shape if isinstance(x, Array) else np.shape(x)


def copy(a: Any) -> Array:
    """The array as an object of its own."""
    return asanyarray(a).copy()


def size(a: Any, axis: Any = None) -> int:
    """The number of elements, or the length of an axis."""
    if axis is None:
        return a.size if isinstance(a, Array) else np.size(a)
    return shape(a)[axis]


def result_type(*args: Any) -> np.dtype:
    """The dtype that arrays, scalars and dtypes have together."""
    return np.result_type(*(arg.dtype if isinstance(arg, Array) else arg for arg in args))
