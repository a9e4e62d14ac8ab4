"""Functions that ask something of elements, and that choose by the answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from samite.array.blockwise import blockwise
from samite.array.chunks import has_unknown
from samite.array.core import Array
from samite.array.elementwise import elemwise, isclose
from samite.array.reductions import all as all_of
from samite.array.storage import asanyarray
from samite.array.trees import reduction
from samite.array.utils import dtype_of
from samite.layers import ArraySliceDep

__all__ = [
    "allclose", "argwhere", "array_equal", "array_equiv", "count_nonzero", "flatnonzero",
    "iscomplexobj", "isnull", "isrealobj", "nonzero", "notnull", "piecewise", "select",
]  # fmt: skip


def allclose(
    arr1: Any, arr2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """Whether all elements are equal within tolerances."""
    return all_of(isclose(asanyarray(arr1), arr2, rtol=rtol, atol=atol, equal_nan=equal_nan))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Array:
    """Whether two arrays have the same shape and elements."""
    a1, a2 = asanyarray(a1), asanyarray(a2)
    if a1.shape != a2.shape:
        unknown = any(n != n for n in (*a1.shape, *a2.shape))
        if not unknown or a1.ndim != a2.ndim:
            return asanyarray(np.asarray(False))
    equal = a1 == a2
    if equal_nan:
        equal = equal | ((a1 != a1) & (a2 != a2))
    return all_of(equal)


def array_equiv(a1: Any, a2: Any) -> Array:
    """Whether two arrays can be broadcast to one shape and have the same elements then."""
    a1, a2 = asanyarray(a1), asanyarray(a2)
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return asanyarray(np.asarray(False))
    return all_of(a1 == a2)


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex."""
    return np.issubdtype(x.dtype, np.complexfloating) if isinstance(x, Array) else (
        np.iscomplexobj(x)
    )  # fmt: skip


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex."""
    return not iscomplexobj(x)


# -- nothing, and zero -----------------------------------------------------------------


def isnull(values: Any) -> Array:
    """Whether elements are NaN, NaT, or None and the like in arrays of objects."""
    return elemwise(_isnull_block, asanyarray(values), dtype=bool)


def notnull(values: Any) -> Array:
    """The opposite of :func:`isnull`."""
    return ~isnull(values)


def _isnull_block(block: Any) -> Any:
    if not hasattr(block, "dtype"):
        block = np.asarray(block)
    if block.dtype.kind in "fc":
        missing = np.isnan(block)
        # A scalar of NumPy's is made an array; arrays of other libraries stay as they are.
        return np.asarray(missing) if isinstance(missing, np.generic) else missing
    if block.dtype.kind in "mM":
        return np.asarray(np.isnat(block))
    if block.dtype.kind != "O":
        return np.zeros(block.shape, dtype=bool)
    try:
        from pandas import isnull as is_missing
    except ImportError:
        is_missing = np.frompyfunc(_is_missing, 1, 1)
    return np.asarray(is_missing(block), dtype=bool)


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """How many elements along axes are not zero, false, None or empty."""
    a = asanyarray(a)
    return reduction(
        a, _count_block, np.sum, axis=axis, keepdims=keepdims, name="count_nonzero",
        dtype=np.dtype(np.intp), meta=np.empty((0,) * a.ndim, dtype=np.intp),
    )  # fmt: skip


def _count_block(block: Any, axis: Any, keepdims: bool) -> Any:
    if not isinstance(block, np.ndarray):
        return (block != 0).sum(axis=axis, keepdims=keepdims, dtype=np.intp)
    return np.count_nonzero(block, axis=axis, keepdims=keepdims)


def flatnonzero(a: Any) -> Array:
    """The positions in the flat array of elements that are not zero; of unknown number.

    Raises
    ------
    ValueError
        If the shape is not known.
    """
    a = asanyarray(a)
    if any(map(has_unknown, a.chunks)):
        raise ValueError(
            "positions need a known shape; x.compute_chunk_sizes() finds it by computing"
        )
    flat = a.ravel() if a.ndim != 1 else a
    return blockwise(
        _positions_block, "i", flat, "i", ArraySliceDep(flat.chunks), "i",
        adjust_chunks={"i": lambda size: float("nan")}, dtype=np.intp, token="flatnonzero",
        meta=np.empty(0, dtype=np.intp),
    )  # fmt: skip


def _positions_block(block: Any, place: tuple[slice]) -> np.ndarray:
    return np.asarray(block.nonzero()[0]) + place[0].start


def nonzero(a: Any) -> tuple[Array, ...]:
    """The positions of elements that are not zero: an array for each axis, of unknown length.

    Raises
    ------
    ValueError
        If there are no axes, or the shape is not known.
    """
    a = asanyarray(a)
    if not a.ndim:
        raise ValueError("Calling nonzero on 0d arrays is not allowed. Use atleast_1d(x).nonzero()")
    flat = flatnonzero(a)
    if a.ndim == 1:
        return (flat,)
    return tuple(
        blockwise(
            _coordinate, "i", flat, "i", axis=axis, shape=a.shape, dtype=np.intp, token="nonzero",
            meta=np.empty(0, dtype=np.intp),
        )
        for axis in range(a.ndim)
    )  # fmt: skip


def argwhere(a: Any) -> Array:
    """The positions of elements that are not zero: a row for each, of unknown number."""
    a = asanyarray(a)
    if not a.ndim:
        rows = flatnonzero(a)
        return rows.map_blocks(_no_columns, new_axis=1, chunks=(rows.chunks[0], (0,)), dtype=int)
    return blockwise(
        _coordinates, "ij", flatnonzero(a), "i", new_axes={"j": a.ndim}, shape=a.shape,
        dtype=np.intp, token="argwhere", meta=np.empty((0, 0), dtype=np.intp),
    )  # fmt: skip


def _no_columns(rows: np.ndarray) -> np.ndarray:
    return np.empty((len(rows), 0), dtype=np.intp)


def _coordinate(flat: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    step = 1
    for length in shape[axis + 1 :]:
        step *= max(1, length)
    return flat // step % max(1, shape[axis])


def _coordinates(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.stack([_coordinate(flat, axis, shape) for axis in range(len(shape))], axis=-1)


# -- choices ---------------------------------------------------------------------------


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Array:
    """For each element that of the first array whose condition is true.

    Parameters
    ----------
    condlist, choicelist:
        Conditions, and as many arrays.
    default:
        What elements are where no condition is true.

    Raises
    ------
    ValueError
        If there are none, or their numbers differ.
    TypeError
        If a condition has another dtype than bool.
    """
    conditions, choices = list(condlist), list(choicelist)
    if len(conditions) != len(choices):
        raise ValueError("list of cases must be same length as list of conditions")
    if not conditions:
        raise ValueError("select with an empty condition list is not possible")
    for n, condition in enumerate(conditions):
        if dtype_of(condition).kind != "b":
            raise TypeError(f"invalid entry {n} in condlist: should be boolean ndarray")
    if not any(isinstance(x, Array) for x in (*conditions, *choices, default)):
        conditions[0] = asanyarray(conditions[0])
    return elemwise(functools.partial(_select, len(conditions)), *conditions, *choices, default)


def _select(count: int, *args: Any) -> Any:
    return np.select(
        [np.asarray(arg) for arg in args[:count]], list(args[count:-1]), args[-1]
    )  # fmt: skip


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    """The result of another function where each condition is true.

    Parameters
    ----------
    x:
        The array.
    condlist:
        Conditions, in the shape of ``x``.
    funclist:
        For each a function of elements, or a value; one more is for where none is true.
    *args, **kw:
        For the functions.
    """
    x = asanyarray(x)
    if isinstance(condlist, (Array, np.ndarray)) and condlist.ndim in (0, x.ndim):
        condlist = [condlist]
    conditions = list(condlist)
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or "
            f"{len(conditions) + 1} functions are expected"
        )
    call = _Piecewise(list(funclist), args, kw)
    return elemwise(call, x, *conditions, dtype=x.dtype)


class _Piecewise:
    """NumPy's piecewise, with the conditions as arguments."""

    def __init__(self, functions: list[Callable | Any], args: Any, keywords: Any) -> None:
        self.functions, self.args, self.keywords = functions, args, keywords

    def __dask_tokenize__(self) -> Any:
        from samite.base import normalize_token

        return ("piecewise", normalize_token((self.functions, self.args, self.keywords)))

    def __call__(self, block: Any, *conditions: Any) -> Any:
        block = np.asanyarray(block)
        masks = [np.broadcast_to(condition, block.shape) for condition in conditions]
        return np.piecewise(block, masks, self.functions, *self.args, **self.keywords)
