"""Arrays side by side, along an axis that they have or along a new one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Alias, Task, TaskRef
from samite.array import native
from samite.array.assembly import join
from samite.array.blockwise import unify_chunks
from samite.array.chunk import getitem
from samite.array.chunks import has_unknown, is_unknown
from samite.array.conversion import asanyarray, asarray
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array, normalize_axis
from samite.base import tokenize

__all__ = ["block", "concatenate", "stack"]


def concatenate(
    seq: Sequence[Any], axis: int | None = 0, allow_unknown_chunksizes: bool = False
) -> Array:
    """Join arrays along an axis that they have.

    Parameters
    ----------
    seq:
        Arrays whose shapes agree along all other axes.
    axis:
        The axis; None joins the arrays' elements in one dimension.
    allow_unknown_chunksizes:
        Believe that lengths agree where they are not known.

    Raises
    ------
    ValueError
        If there are no arrays, or their shapes do not agree or are not known.
    """
    from samite.array.elementwise import astype

    arrays = [asarray(a, allow_unknown_chunksizes=allow_unknown_chunksizes) for a in seq]
    if not arrays:
        raise ValueError("Need array(s) to concatenate")
    if axis is None:
        arrays = [a.ravel() for a in arrays]
        axis = 0
    ndim = arrays[0].ndim
    if not ndim:
        raise ValueError("zero-dimensional arrays cannot be concatenated; stack joins them")
    for n, a in enumerate(arrays):
        if a.ndim != ndim:
            raise ValueError(
                "all the input arrays must have same number of dimensions, but the array at index "
                f"0 has {ndim} dimension(s) and the array at index {n} has {a.ndim} dimension(s)"
            )
    axis = normalize_axis(axis, ndim)
    meta = _joined_meta([a._meta for a in arrays], axis)
    # Arrays without elements join nothing, but their shapes and dtypes count.
    _check_shapes(arrays, axis, allow_unknown_chunksizes)
    arrays = [a for a in arrays if is_unknown(a.shape[axis]) or a.shape[axis]] or arrays[:1]
    if len(arrays) == 1:
        return astype(arrays[0], meta.dtype) if hasattr(meta, "dtype") else arrays[0]
    arrays = _cut_alike(_of_one_dtype(arrays, meta), axis)
    result = native.concatenate(arrays, axis)
    if result is not None:
        return result
    chunks = list(arrays[0].chunks)
    chunks[axis] = tuple(size for a in arrays for size in a.chunks[axis])
    name = f"concatenate-{tokenize([a.name for a in arrays], axis)}"
    layer: dict[Any, Any] = {}
    start = 0
    for a in arrays:
        for position in product(*map(range, a.numblocks)):
            key = (name, *(n + start if at == axis else n for at, n in enumerate(position)))
            layer[key] = Alias(key, (a.name, *position))
        start += a.numblocks[axis]
    return make_array(name, layer, tuple(chunks), meta, arrays)


def _joined_meta(metas: list[Any], axis: int) -> Any:
    """An empty array of the type and dtype that arrays have when they are joined."""
    try:
        return join(metas, axis)
    except Exception:
        # Some types of arrays cannot be joined if they are empty.
        leading = max(metas, key=lambda meta: getattr(meta, "__array_priority__", 0))
        return leading.astype(np.result_type(*(meta.dtype for meta in metas)))


def _of_one_dtype(arrays: list[Array], meta: Any) -> list[Array]:
    from samite.array.elementwise import astype

    if all(a.dtype == meta.dtype for a in arrays):
        return arrays
    return [astype(a, meta.dtype) for a in arrays]


def stack(seq: Sequence[Any], axis: int = 0, allow_unknown_chunksizes: bool = False) -> Array:
    """Join arrays of one shape along a new axis. Takes the arguments of :func:`concatenate`.

    Raises
    ------
    ValueError
        If there are no arrays, or their shapes differ or are not known.
    """
    arrays = [asarray(a, allow_unknown_chunksizes=allow_unknown_chunksizes) for a in seq]
    if not arrays:
        raise ValueError("Need array(s) to stack")
    ndim = arrays[0].ndim
    for n, a in enumerate(arrays):
        if a.ndim != ndim or (
            not allow_unknown_chunksizes
            and a.shape != arrays[0].shape
            and not any(map(is_unknown, (*a.shape, *arrays[0].shape)))
        ):
            raise ValueError(
                "Stacked arrays must have the same shape. The first array had shape "
                f"{arrays[0].shape}, while array {n + 1} has shape {a.shape}."
            )
    axis = normalize_axis(axis, ndim + 1)
    _check_shapes(arrays, None, allow_unknown_chunksizes)
    meta = _joined_meta([meta_from_array(a._meta, ndim=ndim + 1) for a in arrays], axis)
    arrays = _cut_alike(_of_one_dtype(arrays, meta), None)
    result = native.stack(arrays, axis)
    if result is not None:
        return result
    chunks = (*arrays[0].chunks[:axis], (1,) * len(arrays), *arrays[0].chunks[axis:])
    name = f"stack-{tokenize([a.name for a in arrays], axis)}"
    index = (slice(None),) * axis + (None,) + (slice(None),) * (ndim - axis)
    layer: dict[Any, Any] = {}
    for n, a in enumerate(arrays):
        for position in product(*map(range, a.numblocks)):
            key = (name, *position[:axis], n, *position[axis:])
            layer[key] = Task(key, getitem, TaskRef((a.name, *position)), index)
    return make_array(name, layer, chunks, meta_from_array(meta, ndim=ndim + 1), arrays)


def block(arrays: Any, allow_unknown_chunksizes: bool = False) -> Array:
    """Put an array together from nested lists of parts, the innermost along the last axis.

    Parameters
    ----------
    arrays:
        Lists of lists (and so on) of arrays, all nested equally deep.
    allow_unknown_chunksizes:
        Believe that lengths agree where they are not known.

    Raises
    ------
    ValueError
        If lists are empty or not nested equally deep, or shapes do not agree.
    TypeError
        If a tuple is found in place of a list.

    Examples
    --------
    >>> import samite.array as da
    >>> da.block([[da.ones((2, 2)), da.zeros((2, 1))]]).shape
    (2, 3)
    """
    depth = _depth(arrays, ())
    parts = list(_leaves(arrays))
    ndim = max([depth, *(np.ndim(part) if not isinstance(part, Array) else part.ndim
                         for part in parts)])  # fmt: skip

    def joined(nested: Any, level: int) -> Array:
        if not isinstance(nested, list):
            part = asanyarray(nested)
            return part[(None,) * (ndim - part.ndim)] if part.ndim < ndim else part
        return concatenate(
            [joined(part, level - 1) for part in nested],
            axis=-level,
            allow_unknown_chunksizes=allow_unknown_chunksizes,
        )

    return joined(arrays, depth)


def _depth(nested: Any, place: tuple[int, ...]) -> int:
    if isinstance(nested, tuple):
        at = "".join(f"[{n}]" for n in place)
        raise TypeError(
            f"arrays{at} is a tuple. Only lists can be used to arrange blocks, and block does not "
            "allow implicit conversion from tuple to ndarray"
        )
    if not isinstance(nested, list):
        return 0
    if not nested:
        at = "".join(f"[{n}]" for n in place)
        raise ValueError(f"List at arrays{at} is empty, or list depths are mismatched there")
    depths = [_depth(part, (*place, n)) for n, part in enumerate(nested)]
    if len(set(depths)) > 1:
        raise ValueError(
            f"List depths are mismatched. First element was at depth {depths[0] + 1}, but there "
            f"are elements at depths {sorted({d + 1 for d in depths})}"
        )
    return depths[0] + 1


def _leaves(nested: Any) -> Any:
    if not isinstance(nested, list):
        yield nested
        return
    for part in nested:
        yield from _leaves(part)


def _check_shapes(arrays: list[Array], axis: int | None, allow_unknown: bool) -> None:
    for at in range(arrays[0].ndim):
        if at == axis:
            continue
        lengths = [a.shape[at] for a in arrays]
        known = {n for n in lengths if not is_unknown(n)}
        if len(known) > 1:
            raise ValueError(
                f"Shapes do not align along axis {at}: arrays to be joined have the shapes "
                f"{list(dict.fromkeys(a.shape for a in arrays))}"
            )
        if any(map(is_unknown, lengths)) and not allow_unknown:
            raise ValueError(
                "Tried to concatenate arrays with unknown shape "
                f"{next(a.shape for a in arrays if is_unknown(a.shape[at]))}.\n\n"
                "Two solutions:\n"
                "  1. Force concatenation pass allow_unknown_chunksizes=True.\n"
                "  2. Compute shapes with [x.compute_chunk_sizes() for x in seq]"
            )


def _cut_alike(arrays: list[Array], axis: int | None) -> list[Array]:
    """Arrays with the same chunks along all axes but one."""
    if len({a.chunks[:axis] + a.chunks[axis + 1 :] if axis is not None else a.chunks
            for a in arrays}) == 1 and not any(map(has_unknown, arrays[0].chunks)):  # fmt: skip
        return arrays
    pairs: list[Any] = []
    for number, a in enumerate(arrays):
        pairs += [a, tuple(("own", number) if at == axis else at for at in range(a.ndim))]
    return unify_chunks(*pairs, warn=False)[1]
