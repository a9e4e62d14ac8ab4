"""Reductions in a tree: what is made of every chunk, and how that is put together.

Every chunk is reduced on its own, keeping its axes with length one. Neighbours are then put
together, a few at a time, until one block is left along the reduced axes.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array.blockwise import blockwise, one_element
from samite.array.core import Array, assemble, make_array
from samite.array.storage import asanyarray
from samite.array.utils import compute_meta, meta_from_array, normalize_axes
from samite.base import tokenize
from samite.utils import funcname, has_keyword

__all__ = ["into", "reduction", "split_steps", "tree"]

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
        If there is no such axis, or the weights cannot be broadcast to the array's shape.

    Examples
    --------
    >>> import numpy as np
    >>> import samite.array as da
    >>> x = da.from_array(np.arange(6), chunks=2)
    >>> da.reduction(x, chunk=np.max, aggregate=np.max).compute()
    np.int64(5)
    """
    x = asanyarray(x)
    axes = normalize_axes(axis, x.ndim)
    prefix = name or funcname(chunk).strip("_")
    if dtype is not None:
        dtype = np.dtype(dtype)
        chunk, aggregate = _with_dtype(chunk, dtype), _with_dtype(aggregate, dtype)
        combine = _with_dtype(combine, dtype)
    index = tuple(range(x.ndim))
    pairs: list[Any] = [x, index]
    if weights is not None:
        weights = asanyarray(weights)
        _check_weights(weights, x)
        chunk = _Weighted(chunk)
        pairs += [weights, index[x.ndim - weights.ndim :]]
    partial_results = blockwise(
        functools.partial(chunk, axis=axes, keepdims=True),
        index,
        *pairs,
        token=prefix,
        adjust_chunks=dict.fromkeys(axes, output_size),
        dtype=np.dtype(object),
        meta=np.empty((0,) * x.ndim, dtype=object),
    )
    steps = split_steps(split_every, axes)
    if meta is None:
        meta = _result_meta(x, chunk, aggregate, axes, concatenate, dtype)
    result = tree(
        partial_results, combine or aggregate, aggregate, axes, keepdims, steps, concatenate,
        prefix, meta, dtype, output_size,
    )  # fmt: skip
    return into(out, result)


def into(out: Any, result: Array) -> Array:
    """The result, as ``out`` where that is given."""
    from samite.array.elementwise import checked_out

    target = checked_out(out)
    if target is None:
        return result
    target._become(result)
    return target


def _with_dtype(func: Any, dtype: np.dtype) -> Any:
    if func is None or not has_keyword(func, "dtype"):
        return func
    return functools.partial(func, dtype=dtype)


def _check_weights(weights: Array, x: Array) -> None:
    fits = weights.ndim <= x.ndim and all(
        length in (1, size) or math.isnan(length) or math.isnan(size)
        for length, size in zip(weights.shape[::-1], x.shape[::-1])
    )
    if not fits:
        raise ValueError(
            f"weights of shape {weights.shape} cannot be broadcast to an array of shape {x.shape}"
        )


class _Weighted:
    """A function of a chunk that gets the chunk of weights by name."""

    def __init__(self, func: Callable) -> None:
        self.func = func
        self.__name__ = funcname(func)

    def __dask_tokenize__(self) -> Any:
        return ("weighted", self.func)

    def __call__(self, block: Any, weights: Any, **kwargs: Any) -> Any:
        return self.func(block, weights=np.broadcast_to(weights, block.shape), **kwargs)


def split_steps(split_every: Any, axes: tuple[int, ...]) -> dict[int, int]:
    """How many blocks are put together along each reduced axis.

    Parameters
    ----------
    split_every:
        How many in all, or a dict with the number for each axis; None for the setting.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if split_every is None:
        from samite import config

        split_every = config.get("split_every", None) or _DEFAULT_SPLIT
    if isinstance(split_every, Mapping):
        return {axis: max(int(split_every.get(axis, 2)), 2) for axis in axes}
    if not isinstance(split_every, (int, np.integer)) or split_every < 1:
        raise ValueError(
            f"split_every must be a positive integer or a dict of such, not {split_every!r}"
        )
    # A little more, because the root of 1000 is 9.999...
    side = max(int(split_every ** (1 / (len(axes) or 1)) + 1e-9), 2)
    return dict.fromkeys(axes, side)


def _result_meta(
    x: Array,
    chunk: Callable,
    aggregate: Callable,
    axes: tuple[int, ...],
    concatenate: bool,
    dtype: np.dtype | None,
) -> Any:
    """What the functions make of an empty array; None where only the dtype is known."""
    if isinstance(chunk, _Weighted):
        chunk = chunk.func
    options = {"computing_meta": True} if has_keyword(chunk, "computing_meta") else {}

    def both(block: Any) -> Any:
        part = chunk(block, axis=axes, keepdims=True, **options)
        for _ in range(0 if concatenate else x.ndim):
            part = [part]
        return aggregate(part, axis=axes, keepdims=True)

    meta = compute_meta(both, dtype, x)
    if meta is not None or dtype is not None:
        return meta
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asanyarray(both(one_element(x)))


def tree(
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
    """Put neighbours together until one block is left along the reduced axes.

    Parameters
    ----------
    x:
        What was made of the chunks.
    combine, aggregate:
        The functions of the steps before the last, and of the last.
    axes, keepdims, concatenate, output_size:
        See :func:`reduction`.
    steps:
        How many blocks are put together along each axis.
    prefix:
        What the names of layers begin with.
    meta, dtype:
        Those of the result.
    """
    numblocks = list(x.numblocks)
    while any(numblocks[axis] > steps[axis] for axis in axes):
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
    return [range(start, min(start + step, count)) for start in range(0, count, step)]


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


def _tree_reduce(
    x: Array,
    aggregate: Callable,
    axis: Any,
    keepdims: bool,
    dtype: Any,
    split_every: Any = None,
    combine: Callable | None = None,
    name: str | None = None,
    concatenate: bool = True,
    reduced_meta: Any = None,
) -> Array:
    """The second part of :func:`reduction`, for what was made of every chunk already.

    Parameters
    ----------
    reduced_meta:
        An empty array like one of the parts, from which the meta of the result is found.
    """
    axes = normalize_axes(axis, x.ndim)
    if dtype is not None:
        dtype = np.dtype(dtype)
        aggregate, combine = _with_dtype(aggregate, dtype), _with_dtype(combine, dtype)
    meta = None
    if reduced_meta is not None:
        meta = compute_meta(aggregate, dtype, reduced_meta, axis=axes, keepdims=True)
    prefix = name or funcname(aggregate).strip("_")
    return tree(
        x, combine or aggregate, aggregate, axes, keepdims, split_steps(split_every, axes),
        concatenate, prefix, meta, dtype, 1,
    )  # fmt: skip
