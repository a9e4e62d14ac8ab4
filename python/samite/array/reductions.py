"""Reductions: many elements become one, chunk by chunk and then in a tree.

Every chunk is reduced on its own, keeping its axes with length one. Neighbours are then put
together, a few at a time, until one block is left along the reduced axes.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array import partials
from samite.array.blockwise import blockwise
from samite.array.core import Array, assemble, make_array
from samite.array.storage import asanyarray
from samite.array.utils import compute_meta, meta_from_array, normalize_axes
from samite.base import tokenize
from samite.utils import funcname, has_keyword

__all__ = [
    "all", "any", "argmax", "argmin", "max", "mean", "min", "nanargmax", "nanargmin", "nanmax",
    "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "prod", "reduction", "std",
    "sum", "var",
]  # fmt: skip

# The functions below take the names of these.
builtin_any, builtin_max, builtin_min = any, max, min
_DEFAULT_SPLIT = 16


def reduction(
    x: Any,
    chunk: Callable,
    aggregate: Callable,
    axis: Any = None,
    keepdims: bool = False,
    dtype: Any = None,
    split_every: int | Mapping[int, int] | None = None,
    combine: Callable | None = None,
    name: str | None = None,
    out: Array | None = None,
    concatenate: bool = True,
    output_size: int = 1,
    meta: Any = None,
    weights: Any = None,
) -> Array:
    """A reduction made of functions for chunks.

    Parameters
    ----------
    x:
        The array.
    chunk:
        ``chunk(block, axis=, keepdims=True)``: reduces one chunk. It gets ``dtype`` too if it
        takes that and it is given, and ``weights``, a block of these, if they are given.
    aggregate:
        ``aggregate(partials, axis=, keepdims=)``: makes the result of what chunks gave.
    axis:
        The axis, or several; None for all.
    keepdims:
        Whether reduced axes stay, with length one.
    dtype:
        The dtype of the result.
    split_every:
        How many blocks are put together at a time, or how many along each axis; by default the
        setting ``split_every``.
    combine:
        As ``aggregate``, for the steps before the last, always with ``keepdims=True``; by
        default ``aggregate`` itself.
    name:
        What the names of layers begin with.
    out:
        A lazy array that takes over the result.
    concatenate:
        Whether partial results are joined into one array before they are passed on; otherwise
        functions get them in lists nested by axis.
    output_size:
        The length of the result along a reduced axis that is kept.
    meta:
        An empty array like the result.
    weights:
        Weights for the elements, of a shape that can be broadcast to that of ``x``.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    x = asanyarray(x)
    axes = normalize_axes(axis, x.ndim)
    if dtype is not None:
        dtype = np.dtype(dtype)
    if dtype is not None and has_keyword(chunk, "dtype"):
        chunk = functools.partial(chunk, dtype=dtype)
    if dtype is not None and has_keyword(aggregate, "dtype"):
        aggregate = functools.partial(aggregate, dtype=dtype)
    if combine is not None and dtype is not None and has_keyword(combine, "dtype"):
        combine = functools.partial(combine, dtype=dtype)
    index = tuple(range(x.ndim))
    pairs = [x, index]
    if weights is not None:
        weights = asanyarray(weights)
        chunk = _Weighted(chunk)
        pairs += [weights, index[x.ndim - weights.ndim :]]
    prefix = name or funcname(chunk).strip("_")
    partial_results = blockwise(
        functools.partial(chunk, axis=axes, keepdims=True),
        index,
        *pairs,
        token=prefix,
        adjust_chunks=dict.fromkeys(axes, output_size),
        dtype=np.dtype(object),
        meta=np.empty((0,) * x.ndim, dtype=object),
    )
    steps = _split(split_every, axes)
    if meta is None and dtype is None:
        meta = _result_meta(x, chunk, aggregate, axes, concatenate)
    result = _tree(
        partial_results, combine or aggregate, aggregate, axes, keepdims, steps, concatenate,
        prefix, meta, dtype, output_size,
    )  # fmt: skip
    return _into(out, result)


def _into(out: Any, result: Array) -> Array:
    """The result, as ``out`` where that is given."""
    from samite.array.elementwise import checked_out

    target = checked_out(out)
    if target is None:
        return result
    target._become(result)
    return target


class _Weighted:
    """A function of a chunk that gets the chunk of weights by name."""

    def __init__(self, func: Callable) -> None:
        self.func = func
        self.__name__ = funcname(func)

    def __dask_tokenize__(self) -> Any:
        return ("weighted", self.func)

    def __call__(self, block: Any, weights: Any, **kwargs: Any) -> Any:
        return self.func(block, weights=np.broadcast_to(weights, block.shape), **kwargs)


def _split(split_every: Any, axes: tuple[int, ...]) -> dict[int, int]:
    """How many blocks are put together along each reduced axis."""
    if split_every is None:
        from samite import config

        split_every = config.get("split_every", None) or _DEFAULT_SPLIT
    if isinstance(split_every, Mapping):
        return {axis: builtin_max(int(split_every.get(axis, 2)), 2) for axis in axes}
    if not isinstance(split_every, (int, np.integer)) or split_every < 2:
        raise ValueError("split_every must be an integer of at least 2, or a dict of such")
    # A little more, because the root of 1000 is 9.999...
    side = builtin_max(int(split_every ** (1 / (len(axes) or 1)) + 1e-9), 2)
    return dict.fromkeys(axes, side)


def _result_meta(
    x: Array, chunk: Callable, aggregate: Callable, axes: tuple[int, ...], concatenate: bool
) -> Any:
    def both(block: Any) -> Any:
        part = chunk(block, axis=axes, keepdims=True)
        for _ in range(0 if concatenate else x.ndim):
            part = [part]
        return aggregate(part, axis=axes, keepdims=True)

    meta = compute_meta(both, None, x)
    if meta is not None:
        return meta
    from samite.array.blockwise import one_element

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asanyarray(both(one_element(x)))


def _tree(
    x: Array,
    combine: Callable,
    aggregate: Callable,
    axes: tuple[int, ...],
    keepdims: bool,
    steps: dict[int, int],
    concatenate: bool,
    prefix: str,
    meta: Any,
    dtype: Any,
    output_size: int,
) -> Array:
    """Put neighbours together until one block is left along the reduced axes."""
    numblocks = list(x.numblocks)
    while builtin_any(numblocks[axis] > steps[axis] for axis in axes):
        groups = [_grouped(n, steps.get(axis)) for axis, n in enumerate(numblocks)]
        x = _level(x, combine, groups, axes, True, concatenate, f"{prefix}-partial", output_size)
        numblocks = [len(group) for group in groups]
    groups = [[range(n)] if axis in axes else _grouped(n, None) for axis, n in enumerate(numblocks)]
    return _level(
        x, aggregate, groups, axes, keepdims, concatenate, f"{prefix}-aggregate", output_size,
        meta, dtype,
    )  # fmt: skip


def _grouped(count: int, step: int | None) -> list[range]:
    step = step or 1
    return [range(start, builtin_min(start + step, count)) for start in range(0, count, step)]


def _level(
    x: Array,
    func: Callable,
    groups: list[list[range]],
    axes: tuple[int, ...],
    keepdims: bool,
    concatenate: bool,
    prefix: str,
    output_size: int,
    meta: Any = None,
    dtype: Any = None,
) -> Array:
    call = functools.partial(_joined, func, axes, keepdims, x.ndim, concatenate)
    name = f"{prefix}-{tokenize(x, func, axes, keepdims, groups, concatenate, dtype)}"
    kept = [axis for axis in range(x.ndim) if keepdims or axis not in axes]
    layer: dict[Any, Any] = {}
    for position in product(*(range(len(group)) for group in groups)):

        def nested(head: tuple[Any, ...], axis: int, position: tuple = position) -> Any:
            if axis == x.ndim:
                return TaskRef(head)
            group = groups[axis][position[axis]]
            return List(*(nested((*head, n), axis + 1) for n in group))

        key = (name, *(position[axis] for axis in kept))
        layer[key] = Task(key, call, nested((x.name,), 0))
    chunks = tuple(
        (output_size,) * len(groups[axis]) if axis in axes else x.chunks[axis] for axis in kept
    )
    if meta is None:
        meta = np.empty((0,) * len(kept), dtype=dtype if dtype is not None else object)
    meta = meta_from_array(meta, ndim=len(kept), dtype=dtype)
    return make_array(name, layer, chunks, meta, [x])


def _joined(
    func: Callable, axes: tuple[int, ...], keepdims: bool, ndim: int, concatenate: bool, blocks: Any
) -> Any:
    if concatenate:
        blocks = assemble(blocks, ndim)
    return func(blocks, axis=axes, keepdims=keepdims)


# -- reductions of NumPy ---------------------------------------------------------------


def _result_dtype(func: Callable, x: Any) -> np.dtype:
    """The dtype of a function's result for elements like those of ``x``."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asanyarray(func(np.ones((1,), dtype=x.dtype), keepdims=True)).dtype


def _simple(
    x: Any, chunk: Callable, aggregate: Callable, original: Callable, axis: Any, dtype: Any,
    keepdims: bool, split_every: Any, out: Any,
) -> Array:  # fmt: skip
    x = asanyarray(x)
    dtype = np.dtype(dtype) if dtype is not None else _result_dtype(original, x)
    chunk = functools.partial(chunk, dtype=dtype)
    aggregate = functools.partial(aggregate, dtype=dtype)
    return reduction(
        x, chunk, aggregate, axis, keepdims, split_every=split_every, out=out,
        name=original.__name__, meta=meta_from_array(x._meta, dtype=dtype),
    )  # fmt: skip


def sum(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The sum along axes."""
    return _simple(a, np.sum, np.sum, np.sum, axis, dtype, keepdims, split_every, out)


def prod(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The product along axes."""
    return _simple(a, np.prod, np.prod, np.prod, axis, dtype, keepdims, split_every, out)


def nansum(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The sum along axes, NaN counting as zero."""
    return _simple(a, np.nansum, np.sum, np.nansum, axis, dtype, keepdims, split_every, out)


def nanprod(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The product along axes, NaN counting as one."""
    return _simple(a, np.nanprod, np.prod, np.nanprod, axis, dtype, keepdims, split_every, out)


def any(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """Whether any element along axes is true."""
    return _truth(a, np.any, axis, keepdims, split_every, out)


def all(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """Whether all elements along axes are true."""
    return _truth(a, np.all, axis, keepdims, split_every, out)


def _truth(a: Any, func: Callable, axis: Any, keepdims: bool, split_every: Any, out: Any) -> Array:
    a = asanyarray(a)
    return reduction(
        a, func, func, axis, keepdims, split_every=split_every, out=out,
        name=func.__name__, meta=meta_from_array(a._meta, dtype=_result_dtype(func, a)),
    )  # fmt: skip


def min(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The least element along axes."""
    return _extreme(a, np.min, axis, keepdims, split_every, out)


def max(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The greatest element along axes."""
    return _extreme(a, np.max, axis, keepdims, split_every, out)


def nanmin(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The least element along axes that is not NaN."""
    return _extreme(a, np.nanmin, axis, keepdims, split_every, out)


def nanmax(a, axis=None, keepdims=False, split_every=None, out=None) -> Array:
    """The greatest element along axes that is not NaN."""
    return _extreme(a, np.nanmax, axis, keepdims, split_every, out)


def _extreme(
    a: Any, func: Callable, axis: Any, keepdims: bool, split_every: Any, out: Any
) -> Array:
    a = asanyarray(a)
    axes = normalize_axes(axis, a.ndim)
    if builtin_any(a.shape[n] == 0 for n in axes) and a.size == 0:
        # NumPy refuses this where there would be a result, and so does this, before computing.
        func(np.empty(tuple(0 if n != n else n for n in a.shape), a.dtype), axis=axes)
    part = functools.partial(partials.extreme, func)
    return reduction(
        a, part, func, axis, keepdims, split_every=split_every, combine=part, out=out,
        name=func.__name__, meta=meta_from_array(a._meta),
    )  # fmt: skip


def mean(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The mean along axes."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.mean, nan=False)


def nanmean(a, axis=None, dtype=None, keepdims=False, split_every=None, out=None) -> Array:
    """The mean along axes of what is not NaN."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.nanmean, nan=True)


def var(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The variance along axes; ``ddof`` is subtracted from the number of elements."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.var, nan=False, ddof=ddof)


def nanvar(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The variance along axes of what is not NaN."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.nanvar, nan=True, ddof=ddof)


def std(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The standard deviation along axes; the square root of :func:`var`."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.std, nan=False, ddof=ddof)


def nanstd(a, axis=None, dtype=None, keepdims=False, ddof=0, split_every=None, out=None) -> Array:
    """The standard deviation along axes of what is not NaN."""
    return _moments(a, axis, dtype, keepdims, split_every, out, np.nanstd, nan=True, ddof=ddof)


def _moments(
    a: Any, axis: Any, dtype: Any, keepdims: bool, split_every: Any, out: Any, original: Callable,
    nan: bool, ddof: float | None = None,
) -> Array:  # fmt: skip
    a = asanyarray(a)
    result = np.dtype(dtype) if dtype is not None else _result_dtype(original, a)
    # NumPy adds half precision up in single precision.
    working = np.dtype(np.float32) if result == np.float16 and dtype is None else result
    if ddof is not None and working.kind in "iub":
        # The means of chunks are no whole numbers, even where that of all elements is.
        working = np.dtype(np.float64)
    if ddof is not None and dtype is None and a.dtype.kind == "c":
        working = np.result_type(working, np.complex64)
    finish: dict[str, Any] = {"dtype": result}
    if ddof is not None:
        finish.update(ddof=ddof, root=original in (np.std, np.nanstd))
    squares = ddof is not None
    return reduction(
        a,
        functools.partial(partials.moments_of_chunk, dtype=working, nan=nan, squares=squares),
        functools.partial(partials.variance if squares else partials.mean, **finish),
        axis,
        keepdims,
        split_every=split_every,
        combine=partials.combine_moments,
        out=out,
        concatenate=False,
        name=original.__name__,
        meta=meta_from_array(a._meta, dtype=result),
    )


# -- positions -------------------------------------------------------------------------


def argmin(a, axis=None, *, keepdims=False, split_every=None, out=None) -> Array:
    """The position of the first least element; with no axis that in the flattened array."""
    return _position(a, np.argmin, axis, keepdims, split_every, out)


def argmax(a, axis=None, *, keepdims=False, split_every=None, out=None) -> Array:
    """The position of the first greatest element; with no axis that in the flattened array."""
    return _position(a, np.argmax, axis, keepdims, split_every, out)


def nanargmin(a, axis=None, *, keepdims=False, split_every=None, out=None) -> Array:
    """As :func:`argmin`, of what is not NaN; computing fails where nothing is left."""
    return _position(a, np.nanargmin, axis, keepdims, split_every, out)


def nanargmax(a, axis=None, *, keepdims=False, split_every=None, out=None) -> Array:
    """As :func:`argmax`, of what is not NaN; computing fails where nothing is left."""
    return _position(a, np.nanargmax, axis, keepdims, split_every, out)


def _position(
    a: Any, func: Callable, axis: Any, keepdims: bool, split_every: Any, out: Any
) -> Array:
    from samite.array.chunks import has_unknown
    from samite.array.utils import normalize_axis
    from samite.layers import ArraySliceDep

    a = asanyarray(a)
    axes = (normalize_axis(axis, a.ndim),) if axis is not None else tuple(range(a.ndim))
    for n in axes if axis is not None else range(a.ndim):
        if has_unknown(a.chunks[n]) and (len(a.chunks[n]) > 1 or axis is None and a.ndim > 1):
            raise ValueError(
                f"{func.__name__} needs to know the positions of chunks, and they have an "
                "unknown chunksize. x.compute_chunk_sizes() finds it by computing the array"
            )
    if builtin_any(a.shape[n] == 0 for n in axes):
        raise ValueError(f"attempt to get {func.__name__} of an empty sequence")
    index = tuple(range(a.ndim))
    places = tuple(tuple(0 if size != size else size for size in sizes) for sizes in a.chunks)
    parts = blockwise(
        functools.partial(partials.positions_of_chunk, func, axes if axis is not None else None,
                          a.shape),
        index,
        a,
        index,
        ArraySliceDep(places),
        index,
        token=func.__name__,
        adjust_chunks=dict.fromkeys(axes, 1),
        dtype=np.dtype(object),
        meta=np.empty((0,) * a.ndim, dtype=object),
    )  # fmt: skip
    flat = axis is None
    result = _tree(
        parts,
        functools.partial(partials.combine_positions, func, flat),
        functools.partial(partials.final_positions, func, flat),
        axes,
        keepdims,
        _split(split_every, axes),
        False,
        func.__name__,
        None,
        np.dtype(np.intp),
        1,
    )
    return _into(out, result)
