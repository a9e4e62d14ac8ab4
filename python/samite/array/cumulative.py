"""Running sums, products and the like: each chunk on its own, then what came before it.

The functions of chunks do the work; between chunks goes only the total of each, a slab of
length one. In sequence every total needs the one before it. The method of Blelloch adds totals
up in a tree, and so needs ``2 log n`` steps in place of ``n``, and each chunk is read once for
its total and once for its result.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array import native
from samite.array.blocks import map_blocks
from samite.array.core import Array, make_array
from samite.array.storage import asanyarray
from samite.array.trees import into
from samite.array.utils import compute_meta, meta_from_array, normalize_axis
from samite.base import tokenize
from samite.utils import funcname

__all__ = [
    "cumprod", "cumreduction", "cumsum", "cumulative_prod", "cumulative_sum", "nancumprod",
    "nancumsum",
]  # fmt: skip


def cumsum(x, axis=None, dtype=None, out=None, method="sequential") -> Array:
    """The running sum along an axis; with no axis that of the flattened array.

    Parameters
    ----------
    method:
        ``"sequential"`` or ``"blelloch"``; see :func:`cumreduction`.
    """
    return cumreduction(np.cumsum, np.add, 0, x, axis, dtype, out, method, np.sum)


def cumprod(x, axis=None, dtype=None, out=None, method="sequential") -> Array:
    """The running product along an axis; with no axis that of the flattened array.

    Parameters
    ----------
    method:
        ``"sequential"`` or ``"blelloch"``; see :func:`cumreduction`.
    """
    return cumreduction(np.cumprod, np.multiply, 1, x, axis, dtype, out, method, np.prod)


def nancumsum(x, axis=None, dtype=None, out=None, *, method="sequential") -> Array:
    """As :func:`cumsum`, NaN counting as zero."""
    return cumreduction(np.nancumsum, np.add, 0, x, axis, dtype, out, method, np.nansum)


def nancumprod(x, axis=None, dtype=None, out=None, *, method="sequential") -> Array:
    """As :func:`cumprod`, NaN counting as one."""
    return cumreduction(np.nancumprod, np.multiply, 1, x, axis, dtype, out, method, np.nanprod)


def cumulative_sum(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Array | None = None,
    include_initial: bool = False,
) -> Array:
    """The running sum along an axis, which only an array of one axis need not name.

    Parameters
    ----------
    include_initial:
        Whether a zero comes first.

    Raises
    ------
    ValueError
        If there is no axis given, and more than one.
    """
    return _with_initial(cumsum, 0, x, axis, dtype, out, include_initial)


def cumulative_prod(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    out: Array | None = None,
    include_initial: bool = False,
) -> Array:
    """The running product along an axis, as :func:`cumulative_sum`; what comes first is a one."""
    return _with_initial(cumprod, 1, x, axis, dtype, out, include_initial)


def _with_initial(
    func: Callable, first: int, x: Any, axis: Any, dtype: Any, out: Any, include_initial: bool
) -> Array:
    from samite.array.concatenation import concatenate
    from samite.array.creation import full

    x = asanyarray(x)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"a running sum or product of {x.ndim} axes needs an axis")
        axis = 0
    axis = normalize_axis(axis, x.ndim)
    result = func(x, axis=axis, dtype=dtype)
    if include_initial:
        chunks = (*x.chunks[:axis], (1,), *x.chunks[axis + 1 :])
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        initial = full(shape, first, dtype=result.dtype, chunks=chunks)
        result = concatenate([initial, result], axis=axis)
    return into(out, result)


def cumreduction(
    func: Callable,
    binop: Callable,
    ident: Any,
    x: Any,
    axis: int | None = None,
    dtype: Any = None,
    out: Array | None = None,
    method: str = "sequential",
    preop: Callable | None = None,
) -> Array:
    """A running reduction made of functions for chunks.

    Parameters
    ----------
    func:
        ``func(block, axis=)``: the running result within a chunk. It gets ``dtype`` too if it takes
        that.
    binop:
        ``binop(total, values)``: puts what came before a chunk together with its values.
    ident:
        The number with which ``binop`` leaves others as they are: the total of a chunk that is
        masked as a whole. None if there is no such number.
    x:
        The array.
    axis:
        The axis; None for the flattened array.
    dtype:
        The dtype of the result.
    out:
        A lazy array that takes over the result.
    method:
        ``"sequential"``: one total after the other, from the last slice of each running result.
        ``"blelloch"``: totals in a tree, made by ``preop``.
    preop:
        ``preop(block, axis=, keepdims=True)``: the total of a chunk.

    Raises
    ------
    ValueError
        If there is no such method.
    TypeError
        If the method needs ``preop``.

    Examples
    --------
    >>> import numpy as np
    >>> import samite.array as da
    >>> x = da.from_array(np.array([3, 1, 4, 1, 5]), chunks=2)
    >>> cumreduction(np.maximum.accumulate, np.maximum, None, x).compute()
    array([3, 3, 4, 4, 5])
    """
    if method not in ("sequential", "blelloch"):
        raise ValueError(
            'Invalid method for cumreduction.  Expected "sequential" or "blelloch".  '
            f"Got: {method!r}"
        )
    if method == "blelloch" and preop is None:
        raise TypeError('cumreduction with "blelloch" method required `preop=` argument')
    x = asanyarray(x)
    if axis is None:
        x, axis = x.ravel() if x.ndim != 1 else x, 0
    axis = normalize_axis(axis, x.ndim)
    if dtype is None:
        dtype = getattr(func(np.ones((0,), dtype=x.dtype), axis=0), "dtype", None)
    dtype = np.dtype(dtype) if dtype is not None else x.dtype
    result = _running_native(func, x, axis, dtype)
    if result is not None:
        return into(out, result)
    options = {"axis": axis, "dtype": dtype} if _takes_dtype(func) else {"axis": axis}
    running = functools.partial(func, **options)
    meta = compute_meta(running, dtype, x)
    meta = meta_from_array(meta if meta is not None else x._meta, ndim=x.ndim, dtype=dtype)
    prefix = funcname(func).strip("_")
    within = map_blocks(running, x, dtype=dtype, meta=meta, token=prefix)
    if x.numblocks[axis] == 1:
        return into(out, within)
    if method == "sequential":
        return into(out, _in_sequence(within, binop, axis, prefix))
    totals = map_blocks(
        functools.partial(_total, preop, ident, axis, dtype),
        x,
        dtype=dtype,
        meta=meta,
        chunks=(*x.chunks[:axis], (1,) * x.numblocks[axis], *x.chunks[axis + 1 :]),
        token=f"{prefix}-total",
    )
    return into(out, _in_a_tree(within, totals, binop, axis, prefix))


def _takes_dtype(func: Callable) -> bool:
    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        # NumPy's own functions, some of which have no signature, do.
        return True
    return any(p.name == "dtype" or p.kind is p.VAR_KEYWORD for p in parameters)


def _has_elements(block: Any, axis: int) -> bool:
    # Others have chunks of objects that are no arrays.
    return not hasattr(block, "shape") or block.shape[axis] > 0


# The kind of running total, and whether NaN are left out.
_NATIVE: dict[Any, tuple[str, bool]] = {
    np.cumsum: ("sum", False),
    np.cumprod: ("prod", False),
    np.nancumsum: ("sum", True),
    np.nancumprod: ("prod", True),
}


def _running_native(func: Callable, x: Array, axis: int, dtype: np.dtype) -> Array | None:
    if func not in _NATIVE or x._expr is None:
        return None
    kind, nan = _NATIVE[func]
    if nan:
        return native.cumulative_nan(x, kind, axis, dtype)
    return native.cumulative(x, kind, axis, dtype)


def _total(preop: Any, ident: Any, axis: int, dtype: np.dtype, block: Any) -> Any:
    if not _has_elements(block, axis):
        return None
    total = preop(block, axis=axis, keepdims=True)
    if isinstance(total, np.ma.MaskedArray) and ident is not None:
        total = total.filled(ident)
    return total.astype(dtype) if getattr(total, "dtype", dtype) != dtype else total


def _last(block: Any, axis: int) -> Any:
    """The last slab; None, which is no total, of a chunk without elements."""
    if not _has_elements(block, axis):
        return None
    last = block[(slice(None),) * axis + (slice(-1, None),)]
    # The total is what lies under the mask of a masked last element.
    return last.data if isinstance(last, np.ma.MaskedArray) else last


def _together(binop: Callable, before: Any, values: Any) -> Any:
    if before is None:
        return values
    return before if values is None else binop(before, values)


def _next_total(binop: Callable, axis: int, before: Any, block: Any) -> Any:
    return _together(binop, before, _last(block, axis))


def _positions(x: Array, axis: int) -> Any:
    """Functions from the number along the axis to positions, one for each line of blocks."""
    others = [range(n) if at != axis else (0,) for at, n in enumerate(x.numblocks)]
    for place in product(*others):
        yield lambda i, place=place: (*place[:axis], i, *place[axis + 1 :])


def _in_sequence(within: Array, binop: Callable, axis: int, prefix: str) -> Array:
    token = tokenize(within, binop, axis, "sequential")
    name, total_name = f"{prefix}-{token}", f"{prefix}-total-{token}"
    count = within.numblocks[axis]
    layer: dict[Any, Any] = {}
    for at in _positions(within, axis):
        before: Any = None
        for i in range(count):
            block = TaskRef((within.name, *at(i)))
            key = (name, *at(i))
            layer[key] = Task(key, _together, binop, before, block)
            if i < count - 1:
                total = (total_name, *at(i))
                layer[total] = Task(total, _next_total, binop, axis, before, block)
                before = TaskRef(total)
    return make_array(name, layer, within.chunks, within._meta, [within])


def _in_a_tree(within: Array, totals: Array, binop: Callable, axis: int, prefix: str) -> Array:
    token = tokenize(within, totals, binop, axis, "blelloch")
    name, total_name = f"{prefix}-{token}", f"{prefix}-total-{token}"
    count = within.numblocks[axis]
    layer: dict[Any, Any] = {}
    for at in _positions(within, axis):

        def put_together(kind: str, step: int, i: int, one: Any, other: Any, at=at) -> Any:
            key = (total_name, kind, step, *at(i))
            layer[key] = Task(key, _together, binop, one, other)
            return TaskRef(key)

        # On the way up, the last of every 2, 4, 8, ... blocks gets the total of them all.
        sums = [TaskRef((totals.name, *at(i))) for i in range(count)]
        step = 1
        while step < count:
            for i in range(2 * step - 1, count, 2 * step):
                sums[i] = put_together("up", step, i, sums[i - step], sums[i])
            step *= 2
        # On the way down, those in between get what their group begins with.
        while step > 1:
            step //= 2
            for i in range(3 * step - 1, count, 2 * step):
                sums[i] = put_together("down", step, i, sums[i - step], sums[i])
        for i in range(count):
            key = (name, *at(i))
            before = sums[i - 1] if i else None
            layer[key] = Task(key, _together, binop, before, TaskRef((within.name, *at(i))))
    return make_array(name, layer, within.chunks, within._meta, [within, totals])
