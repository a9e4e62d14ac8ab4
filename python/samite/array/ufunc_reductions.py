"""``reduce`` and ``accumulate`` of universal functions."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from samite.array.core import Array
from samite.array.cumulative import cumreduction
from samite.array.elementwise import where as choose_where
from samite.array.storage import asanyarray
from samite.array.trees import reduction
from samite.array.utils import meta_from_array, normalize_axes, normalize_axis

__all__ = ["accumulated", "reduced"]

# Besides those with a number that leaves others as they are, these give the same however the
# elements are grouped. So do some that have one for one side only, or for none.
_GROUPABLE = {
    np.maximum, np.minimum, np.fmax, np.fmin, np.hypot, np.logaddexp, np.logaddexp2, np.gcd, np.lcm,
    np.add, np.multiply, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.logical_and,
    np.logical_or, np.logical_xor,
}  # fmt: skip


def _check(function: Any, name: str) -> None:
    if function.nin != 2 or function.nout != 1:
        raise ValueError(f"{name} only supported for binary functions")
    if function not in _GROUPABLE:
        raise TypeError(
            f"{function.__name__}.{name} is not possible chunk by chunk: its result depends on how "
            "the elements are grouped. x.compute() gives an array in memory"
        )


def reduced(
    function: Any, array: Any, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any,
    out: Any,
) -> Array:  # fmt: skip
    """The function of all elements along axes; what :meth:`numpy.ufunc.reduce` does."""
    _check(function, "reduce")
    x = asanyarray(array)
    axes = normalize_axes(axis, x.ndim)
    given = initial is not np._NoValue and initial is not None
    if where is not True:
        neutral = function.identity if function.identity is not None else initial
        if neutral is None or neutral is np._NoValue:
            raise ValueError(
                f"reduction operation '{function.__name__}' does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        x = choose_where(where, x, np.asarray(neutral).astype(x.dtype))
    options: dict[str, Any] = {} if dtype is None else {"dtype": np.dtype(dtype)}
    with np.errstate(all="ignore"):
        sample = np.ones_like(x._meta, shape=(1,) * max(1, x.ndim))
        found = np.asanyarray(function.reduce(sample, **options)).dtype
    empty = any(x.shape[n] == 0 for n in axes)
    if empty and not given and function.identity is None:
        raise ValueError(
            f"zero-size array to reduction operation {function.__name__} which has no identity"
        )
    neutral = {"initial": initial} if empty and given else {}
    whole = functools.partial(function.reduce, **options, **neutral)
    result = reduction(
        x, functools.partial(_reduce_block, whole), functools.partial(function.reduce, **options),
        axis=axis, keepdims=keepdims, name=f"{function.__name__}-reduce", dtype=None,
        meta=meta_from_array(x._meta, dtype=found), out=None,
    )  # fmt: skip
    if given and not empty:
        result = getattr(np, function.__name__)(result, initial)
    if out is None:
        return result
    out._become(result)
    return out


def _reduce_block(whole: Any, block: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return whole(block, axis=axis, keepdims=keepdims)


def accumulated(function: Any, array: Any, axis: int, dtype: Any, out: Any) -> Array:
    """The function up to each element; what :meth:`numpy.ufunc.accumulate` does."""
    _check(function, "accumulate")
    x = asanyarray(array)
    axis = normalize_axis(axis, x.ndim)
    options = {} if dtype is None else {"dtype": np.dtype(dtype)}
    with np.errstate(all="ignore"):
        found = function.accumulate(np.ones((1,), dtype=x.dtype), **options).dtype
    return cumreduction(
        functools.partial(_accumulate_block, function), function, function.identity, x,
        axis=axis, dtype=found, out=out,
    )  # fmt: skip


def _accumulate_block(function: Any, block: Any, axis: int, dtype: Any) -> Any:
    return function.accumulate(block, axis=axis, dtype=dtype)
