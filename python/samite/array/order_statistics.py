"""The greatest and least elements, medians and quantiles."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array import kernels, partials
from samite.array.blockwise import blockwise
from samite.array.chunks import has_unknown
from samite.array.core import Array, make_array
from samite.array.positions import check_known_positions, places_of_chunks
from samite.array.sorting import elements_of_ranks
from samite.array.storage import asanyarray
from samite.array.trees import into, reduction, split_steps, tree
from samite.array.utils import compute_meta, meta_from_array, normalize_axes, normalize_axis
from samite.base import tokenize

__all__ = [
    "argtopk", "median", "nanmedian", "nanpercentile", "nanquantile", "quantile", "topk",
]  # fmt: skip


def topk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Array:
    """The greatest elements along an axis, the greatest first.

    Parameters
    ----------
    k:
        How many; if it is negative, the ``-k`` least, the least first.
    axis:
        The axis.
    split_every:
        See :func:`reduction`.

    Examples
    --------
    >>> import numpy as np
    >>> import samite.array as da
    >>> da.topk(da.from_array(np.array([5, 1, 3, 6]), chunks=2), 2).compute()
    array([6, 5])
    """
    a = asanyarray(a)
    axis, k = _axis_and_number(a, axis, k, "topk")
    return reduction(
        a,
        chunk=functools.partial(partials.top, k),
        combine=functools.partial(partials.top, k),
        aggregate=functools.partial(partials.top_in_order, k),
        axis=axis,
        keepdims=True,
        split_every=split_every,
        name="topk",
        output_size=_number_left(a, axis, k),
        meta=meta_from_array(a._meta),
    )


def argtopk(a: Any, k: int, axis: int = -1, split_every: Any = None) -> Array:
    """The positions of what :func:`topk` gives."""
    a = asanyarray(a)
    axis, k = _axis_and_number(a, axis, k, "argtopk")
    check_known_positions(a, (axis,), "argtopk")
    index = tuple(range(a.ndim))
    number = _number_left(a, axis, k)
    parts = blockwise(
        functools.partial(partials.top_positions_of_chunk, k, axis),
        index,
        a,
        index,
        places_of_chunks(a),
        index,
        token="argtopk",
        adjust_chunks={axis: number},
        dtype=np.dtype(object),
        meta=np.empty((0,) * a.ndim, dtype=object),
    )
    return tree(
        parts,
        functools.partial(partials.combine_top_positions, k),
        functools.partial(partials.final_top_positions, k),
        (axis,),
        True,
        split_steps(split_every, (axis,)),
        False,
        "argtopk",
        None,
        np.dtype(np.intp),
        number,
    )


def _axis_and_number(a: Array, axis: Any, k: Any, name: str) -> tuple[int, int]:
    from operator import index

    if axis is None:
        raise TypeError(f"{name}: Axis value must be an integer, got None")
    return normalize_axis(axis, a.ndim), index(k)


def _number_left(a: Array, axis: int, k: int) -> int:
    """How many elements there are of those asked for."""
    length = a.shape[axis]
    return abs(k) if length != length else min(abs(k), int(length))


# -- medians and quantiles -------------------------------------------------------------


def median(a, axis=None, keepdims=False, out=None) -> Array:
    """The median along one or more axes, whose chunks are joined if they are several.

    Along all axes of an array of numbers chunks are not joined: only the elements about the
    median are looked for in them.

    Raises
    ------
    NotImplementedError
        If no axis is given and there are several chunks of something else than numbers.
    """
    return _median(np.median, a, axis, keepdims, out)


def nanmedian(a, axis=None, keepdims=False, out=None) -> Array:
    """As :func:`median`, of what is not NaN."""
    return _median(np.nanmedian, a, axis, keepdims, out)


def _median(func: Callable, a: Any, axis: Any, keepdims: bool, out: Any) -> Array:
    a = asanyarray(a)
    axes = normalize_axes(axis, a.ndim)
    if len(axes) == a.ndim and _can_be_ranked(a):
        kept = (1,) * a.ndim if keepdims else ()
        example = func(_one_like(a))
        return into(out, _by_ranks(a, np.asarray(0.5), func, "median", kept, example))
    if axis is None and a.npartitions > 1:
        raise _needs_axis(func)
    a = whole_along(a, axes)
    of_block = kernels.median if func is np.median else func
    call = functools.partial(of_block, axis=axes or None, keepdims=keepdims)
    return into(out, _along(call, a, axes, keepdims, func.__name__))


def _needs_axis(func: Callable) -> NotImplementedError:
    return NotImplementedError(
        f"The da.{func.__name__} function only works along an axis.  "
        "The full algorithm is difficult to do in parallel"
    )


# Where between two neighbours a quantile is, by how far it is from the first.
_BETWEEN: dict[str, Callable] = {
    "linear": lambda share: share,
    "lower": np.zeros_like,
    "higher": np.ceil,
    "midpoint": lambda share: np.where(share > 0, 0.5, 0),
}


def _can_be_ranked(a: Array) -> bool:
    """Whether an array has several chunks of numbers, which need not be joined."""
    return (
        a.npartitions > 1
        and a.dtype.kind in "iuf"
        and type(a._meta) is np.ndarray
        and not any(map(has_unknown, a.chunks))
        and a.size > 0
    )


def _by_ranks(
    a: Array, q: np.ndarray, func: Callable, method: str, kept: tuple[int, ...], example: Any
) -> Array:
    """Quantiles of all elements from those on both sides of each, and the greatest."""
    skip_nan = func in (np.nanmedian, np.nanquantile) and a.dtype.kind == "f"
    places = functools.partial(_places, np.ravel(q).astype(float))
    elements = elements_of_ranks(_flat(a), functools.partial(_ranks, places), skip_nan)
    shape = q.shape + kept
    dtype = np.asarray(example).dtype
    name = f"{func.__name__}-{tokenize(elements, q, method, shape)}"
    key = (name, *(0 for _ in shape))
    task = Task(key, _between, TaskRef((elements.name, 0)), places, method, shape, dtype)
    meta = np.empty((0,) * len(shape), dtype=dtype)
    return make_array(name, {key: task}, tuple((n,) for n in shape), meta, [elements])


def _flat(a: Array) -> Array:
    """All elements in one dimension, those of each chunk together."""
    if a.ndim == 1:
        return a
    name = f"elements-{tokenize(a)}"
    layer: dict[Any, Any] = {}
    sizes = []
    for i, position in enumerate(np.ndindex(*a.numblocks)):
        layer[name, i] = Task((name, i), np.ravel, TaskRef((a.name, *position)))
        sizes.append(math.prod(lengths[n] for lengths, n in zip(a.chunks, position)))
    return make_array(name, layer, (tuple(sizes),), meta_from_array(a._meta, ndim=1), [a])


def _places(q: np.ndarray, count: int) -> np.ndarray:
    """Where quantiles are among so many elements, counted from 0."""
    return q * max(count - 1, 0)


def _ranks(places: Callable, count: int) -> list[int]:
    """The elements on both sides of each quantile, and the last."""
    first = np.floor(places(count)).astype(int)
    last = max(count - 1, 0)
    pairs = np.stack([first, np.minimum(first + 1, last)], axis=1)
    return [*pairs.ravel().tolist(), last]


def _between(
    found: tuple[Any, int], places: Callable, method: str, shape: tuple, dtype: np.dtype
) -> Any:
    elements, count = found
    *pairs, last = elements
    pairs = np.reshape(np.asarray(pairs, dtype=elements.dtype), (-1, 2))
    if last != last:
        # NaN comes last, and makes every quantile NaN; if it is left out, there is nothing else.
        if not count:
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=2)
        return np.full(shape, last, dtype=dtype)[()]
    position = places(count)
    shares = position - np.floor(position)
    if method == "median":
        results = [np.median(pairs[0, : 2 if shares[0] else 1])]
    else:
        shares = _BETWEEN[method](shares)
        if method in ("lower", "higher"):
            results = [pair[int(share)] for pair, share in zip(pairs, shares)]
        else:
            results = [np.quantile(pair, float(share)) for pair, share in zip(pairs, shares)]
    return np.asarray(results, dtype=dtype).reshape(shape)[()]


def whole_along(a: Array, axes: tuple[int, ...]) -> Array:
    """The array with one chunk along each of some axes; the others are cut to make up for it."""
    if all(len(a.chunks[n]) == 1 for n in axes):
        return a
    return a.rechunk({n: -1 if n in axes else "auto" for n in range(a.ndim)})


def _along(
    func: Callable, a: Array, axes: tuple[int, ...], keepdims: bool, token: str, meta: Any = None
) -> Array:
    """A function of blocks that reduces some axes, with one chunk along each of these."""
    kept = tuple(n for n in range(a.ndim) if keepdims or n not in axes)
    return blockwise(
        func, kept, a, tuple(range(a.ndim)), concatenate=True, token=token, meta=meta,
        adjust_chunks=dict.fromkeys(axes, 1) if keepdims else None,
    )  # fmt: skip


def quantile(
    a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *,
    weights=None, interpolation=None,
) -> Array:  # fmt: skip
    """Quantiles along one or more axes, whose chunks are joined if they are several.

    Along all axes of an array of numbers chunks are not joined, for the methods ``"linear"``,
    ``"lower"``, ``"higher"`` and ``"midpoint"``: only the elements about the quantiles are looked
    for in them.

    Parameters
    ----------
    a:
        The array.
    q:
        One quantile between 0 and 1 or an array of them, also a lazy one, whose axes come first
        in the result.
    axis:
        The axis or axes; None for all is possible if there is one chunk.
    out:
        A lazy array that takes over the result.
    overwrite_input:
        Has no effect, for chunks are not changed.
    method:
        How a quantile between two elements is found; as for :func:`numpy.quantile`.
    keepdims:
        Whether reduced axes stay, with length one.
    weights:
        Weights of the elements, of the same shape, or in one dimension along the axis.
    interpolation:
        An older name of ``method``.

    Raises
    ------
    NotImplementedError
        If no axis is given and there are several chunks.
    ValueError
        If a quantile is not between 0 and 1.
    """
    return _quantile(np.quantile, a, q, axis, out, method, keepdims, weights, interpolation)


def nanquantile(
    a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *,
    weights=None, interpolation=None,
) -> Array:  # fmt: skip
    """As :func:`quantile`, of what is not NaN."""
    return _quantile(np.nanquantile, a, q, axis, out, method, keepdims, weights, interpolation)


def nanpercentile(a, q, **kwargs: Any) -> Array:
    """As :func:`nanquantile`, with ``q`` between 0 and 100."""
    if not isinstance(q, Array):
        q = np.asanyarray(q)
    return nanquantile(a, np.true_divide(q, 100), **kwargs)


def _quantile(
    func: Callable,
    a: Any,
    q: Any,
    axis: Any,
    out: Any,
    method: str,
    keepdims: bool,
    weights: Any,
    interpolation: str | None,
) -> Array:
    a = asanyarray(a)
    if interpolation is not None:
        method = interpolation
    if axis is None:
        if any(len(sizes) > 1 for sizes in a.chunks):
            raise _needs_axis(func)
        axes = tuple(range(a.ndim))
    else:
        axes = normalize_axes(axis, a.ndim)
    if isinstance(q, Array):
        q = q.rechunk(-1) if q.ndim else q
    else:
        # A number of Python does not change the dtype, as an array of no axes does.
        given, q = q, np.asanyarray(q)
        if q.dtype.kind in "iufb" and not np.all((q >= 0) & (q <= 1)):
            raise ValueError("Quantiles must be in the range [0, 1]")
        if weights is None and method in _BETWEEN and len(axes) == a.ndim and _can_be_ranked(a):
            kept = (1,) * a.ndim if keepdims else ()
            example = func(_one_like(a), given, method=method)
            return into(out, _by_ranks(a, q, func, method, kept, example))
    a = whole_along(a, axes)
    ahead = tuple(("quantile", n) for n in range(q.ndim))
    kept = tuple(n for n in range(a.ndim) if keepdims or n not in axes)
    pairs: list[Any] = [a, tuple(range(a.ndim))]
    pairs += [q, ahead] if isinstance(q, Array) else [given if not q.ndim else q, None]
    if weights is not None:
        weights = asanyarray(weights)
        if weights.shape == a.shape:
            pairs += [weights.rechunk(a.chunks), tuple(range(a.ndim))]
        elif weights.ndim == 1 and len(axes) == 1 and weights.shape[0] == a.shape[axes[0]]:
            pairs += [weights.rechunk((a.chunks[axes[0]],)), axes]
        else:
            raise ValueError(
                f"{func.__name__}: weights of shape {weights.shape} are neither of the shape of "
                f"the array, {a.shape}, nor in one dimension along one axis"
            )
    call = functools.partial(_quantile_of_block, func, axes, method, keepdims)
    metas = pairs[::2]
    meta = compute_meta(call, None, *(_one_like(part) for part in metas))
    result = blockwise(
        call,
        ahead + kept,
        *pairs,
        concatenate=True,
        token=func.__name__,
        meta=None if meta is None else meta_from_array(meta, ndim=len(ahead + kept)),
        adjust_chunks=dict.fromkeys(axes, 1) if keepdims else None,
        new_axes={} if isinstance(q, Array) else dict(zip(ahead, q.shape)),
    )
    return into(out, result)


def _one_like(part: Any) -> Any:
    """A chunk of one element: NumPy finds no quantiles of nothing."""
    if not isinstance(part, Array):
        return part
    return np.ones_like(part._meta, shape=(1,) * part.ndim)


def _quantile_of_block(
    func: Callable,
    axes: tuple[int, ...],
    method: str,
    keepdims: bool,
    block: Any,
    q: Any,
    weights: Any = None,
) -> Any:
    axis: Any = axes[0] if len(axes) == 1 else axes or None
    options: dict[str, Any] = {"axis": axis, "method": method, "keepdims": keepdims}
    if weights is not None:
        if weights.ndim < block.ndim:
            # NumPy's nanquantile takes weights in one dimension only for arrays of one.
            shape = [1] * block.ndim
            shape[axes[0]] = -1
            weights = np.broadcast_to(weights.reshape(shape), block.shape)
        options["weights"] = weights
    if np.ndim(q) < 2:
        return func(block, q, **options)
    # NumPy's nanquantile mixes the axes of several quantiles up with those of the array.
    result = func(block, q.ravel(), **options)
    return result.reshape(q.shape + result.shape[1:])
