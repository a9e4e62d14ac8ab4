"""Indexing: which parts of which chunks make the chunks of the result.

Every axis is planned on its own. A plan is a list with an entry for each block of the result:
the block it is cut from and the index into it. The tasks are the product of the plans. Lists of
positions are the business of :mod:`samite.array._shuffle`, lazy indices that of
:mod:`samite.array.lazy_indexing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Alias, Task, TaskRef
from samite.array import native
from samite.array._shuffle import group_layer, in_groups, take_groups
from samite.array.blockwise import blockwise
from samite.array.chunk import getitem as chunk_getitem
from samite.array.chunks import Chunks, boundaries, has_unknown, locate
from samite.array.core import Array, make_array
from samite.array.indexing import is_mask, normalize_index, replace_ellipsis, sanitize_index
from samite.array.utils import meta_from_array
from samite.base import tokenize
from samite.utils import disable_gc

__all__ = [
    "SlicingNoop",
    "getitem",
    "make_block_sorted_slices",
    "new_blockdim",
    "normalize_index",
    "replace_ellipsis",
    "sanitize_index",
    "shuffle_slice",
    "slice_array",
    "take",
]


_sanitize_index_element = sanitize_index


class SlicingNoop(Exception):
    """An index takes the whole array, so there is nothing to do."""


def getitem(x: Array, index: Any) -> Array:
    """The elements of an array that an index picks.

    Parameters
    ----------
    x:
        The array.
    index:
        Integers, slices, ``None`` and ``...``; one list or array of integers, or mask; a field
        or list of fields of a structured dtype; or a lazy array of integers or mask.

    Raises
    ------
    IndexError
        If an index is out of bounds or of the wrong shape.
    NotImplementedError
        If several axes are indexed by lists or arrays; ``x.vindex`` picks points by several.
    """
    if isinstance(index, (str, list)) and _names_fields(index):
        return _field(x, index)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, (bool, np.bool_)) for part in parts):
        return _by_truth(x, parts)
    parts = tuple(sanitize_index(part) for part in parts)
    if any(is_mask(part) and part.ndim != 1 for part in parts):
        from samite.array.lazy_indexing import by_wide_mask

        return by_wide_mask(x, parts)
    parts = normalize_index(parts, x.shape)
    arrays = [n for n, part in enumerate(parts) if isinstance(part, (Array, np.ndarray))]
    if not arrays:
        return _sliced(x, parts)
    if len(arrays) > 1:
        raise NotImplementedError(
            "Don't yet support nd fancy indexing: only one axis can be indexed by a list or an "
            "array. x.vindex[...] picks points by several; x[rows][:, columns] their product"
        )
    (at,) = arrays
    taker = parts[at]
    x = _sliced(x, parts[:at] + (slice(None),) + parts[at + 1 :])
    axis = sum(not isinstance(part, int) for part in parts[:at])
    if taker.ndim != 1:
        return _by_shaped(x, taker, axis)
    if isinstance(taker, Array):
        from samite.array.lazy_indexing import by_lazy

        return by_lazy(x, taker, axis)
    return _taken(x, taker, axis)


def _names_fields(index: Any) -> bool:
    return isinstance(index, str) or (bool(index) and all(isinstance(part, str) for part in index))


def _field(x: Array, names: Any) -> Array:
    if x.dtype.names is None:
        raise IndexError(f"{names!r} is an index of structured dtypes only, not of {x.dtype}")
    axes = tuple(range(x.ndim))
    dtype = x.dtype[names]
    shape = dtype.shape if not isinstance(names, list) else ()
    out = (*axes, *(("field", n) for n in range(len(shape))))
    return blockwise(
        _get, out, x, axes, names, None, token="getitem", dtype=dtype.base if shape else dtype,
        new_axes={("field", n): length for n, length in enumerate(shape)},
    )  # fmt: skip


def _get(block: Any, index: Any) -> Any:
    return block[index]


def _by_truth(x: Array, parts: tuple[Any, ...]) -> Array:
    """A single truth value adds an axis, of length one or zero."""
    given = [part for part in parts if isinstance(part, (bool, np.bool_))]
    if len(given) > 1 or any(isinstance(part, (list, np.ndarray, Array)) for part in parts):
        raise NotImplementedError("a truth value cannot stand with other arrays in an index")
    at = next(n for n, part in enumerate(parts) if isinstance(part, (bool, np.bool_)))
    y = getitem(x, (None, *parts[:at], *parts[at + 1 :]))
    return y if given[0] else y[:0]


def _by_shaped(x: Array, taker: Any, axis: int) -> Array:
    """Positions in several dimensions, or in none."""
    if not taker.ndim:
        y = getitem(x, (slice(None),) * axis + (taker.reshape(1),))
        return getitem(y, (slice(None),) * axis + (0,))
    y = getitem(x, (slice(None),) * axis + (taker.ravel(),))
    return y.reshape(x.shape[:axis] + taker.shape + x.shape[axis + 1 :])


def _taken(x: Array, index: np.ndarray, axis: int) -> Array:
    if has_unknown(x.chunks[axis]):
        if len(x.chunks[axis]) > 1:
            raise ValueError(
                f"Array chunk size or shape is unknown. shape: {x.shape}. "
                "x.compute_chunk_sizes() finds the lengths by computing the array."
            )
        return blockwise(
            _get, tuple(range(x.ndim)), x, tuple(range(x.ndim)),
            (*(slice(None),) * axis, index), None, token="getitem",
            adjust_chunks={axis: len(index)}, meta=x._meta, dtype=x.dtype,
        )  # fmt: skip
    groups = take_groups(index, x.chunks[axis])
    result = native.taken(x, groups, axis)
    return result if result is not None else in_groups(x, groups, axis)


# -- slices and integers -------------------------------------------------------------------


def _sliced(x: Array, parts: tuple[Any, ...]) -> Array:
    """What integers, slices and None pick; the parts are normalized."""
    if all(isinstance(part, slice) and part == slice(None) for part in parts):
        return x
    result = native.sliced(x, parts)
    if result is not None:
        return result
    name = f"getitem-{tokenize(x, parts)}"
    # All that is made stays: looking for garbage in between takes longer than making it.
    with disable_gc():
        layer, chunks = _basic_layer(name, x.name, x.chunks, parts)
    meta = meta_from_array(x._meta, ndim=len(chunks))
    return make_array(name, layer, chunks, meta, [x])


def _basic_layer(
    name: str, source: str, chunks: Sequence[Sequence[int]], parts: tuple[Any, ...]
) -> tuple[dict[Any, Any], Chunks]:
    plans: list[list[tuple[int, Any]]] = []
    new_chunks: list[tuple[int, ...]] = []
    # For each part of the index the number of its axis, and for each axis of the result too.
    template: list[int | None] = []
    kept: list[int | None] = []
    axes = iter(chunks)
    for part in parts:
        if part is None:
            template.append(None)
            kept.append(None)
            new_chunks.append((1,))
            continue
        plan, sizes = _plan(part, next(axes))
        template.append(len(plans))
        if sizes is not None:
            kept.append(len(plans))
            new_chunks.append(sizes)
        plans.append(plan)
    layer: dict[Any, Any] = {}
    simple = None not in template and len(kept) == len(plans)
    # The last axis has a loop of its own: what the others say is found once for each row.
    rows, last = (plans[:-1], plans[-1]) if plans else ([], [])
    whole = [local == _WHOLE for _, local in last]
    of_result = Task.of_result
    # Where the last axis of the array stands in a key of the result, and in an index.
    in_key = kept.index(len(rows)) + 1 if len(rows) in kept else None
    in_index = template.index(len(rows)) if plans else 0
    for numbers in product(*(range(len(plan)) for plan in rows)):
        entries = [plan[n] for plan, n in zip(rows, numbers)]
        known = (*numbers, 0)
        head = (name, *(0 if axis is None else known[axis] for axis in kept))
        locals_ = (*(local for _, local in entries), None)
        index = tuple(None if axis is None else locals_[axis] for axis in template)
        reference = (source, *(block for block, _ in entries))
        if not plans:
            layer[head] = Task(head, chunk_getitem, TaskRef(reference), index)
            break
        before, after = index[:in_index], index[in_index + 1 :]
        # The indices by the slice along the last axis, of which there are few.
        indices: dict[int, tuple[Any, ...]] = {}
        front, back = (head, ()) if in_key is None else (head[:in_key], head[in_key + 1 :])
        keep_whole = simple and all(local == _WHOLE for _, local in entries)
        for n, (block, local) in enumerate(last):
            key = front if in_key is None else (*front, n, *back)
            if keep_whole and whole[n]:
                layer[key] = Alias(key, (*reference, block))
            else:
                part = indices.get(id(local))
                if part is None:
                    part = indices[id(local)] = (*before, local, *after)
                layer[key] = of_result(key, chunk_getitem, (*reference, block), part)
    return layer, tuple(new_chunks)


_WHOLE = slice(None)


def _plan(part: Any, sizes: Sequence[int]) -> tuple[list[tuple[int, Any]], tuple | None]:
    """Entries (block, index into it) for each block of the result, and their lengths."""
    if isinstance(part, slice) and part == _WHOLE:
        return [(i, _WHOLE) for i in range(len(sizes))], tuple(sizes)
    if has_unknown(sizes):
        raise ValueError(
            f"Arrays chunk sizes are unknown along the indexed axis: {tuple(sizes)}. "
            "A possible solution: x.compute_chunk_sizes() finds the lengths by computing the array."
        )
    local = _slice_1d(sum(sizes), sizes, part)
    plan = list(local.items())
    if isinstance(part, int):
        return plan, None
    if part.step is not None and part.step < 0:
        plan.reverse()
    return plan, tuple(
        [
            sizes[block] if index is _WHOLE else len(range(*index.indices(sizes[block])))
            for block, index in plan
        ]
    )


def _slice_1d(length: int, sizes: Sequence[int], index: Any) -> dict[int, Any]:
    """What an integer or a slice takes of each block along one axis, the first block first.

    With a negative step positions count from the end of a block, for its front has no number
    that a slice could stop at.
    """
    edges = boundaries(sizes)
    if isinstance(index, (int, np.integer)):
        block = locate(edges, int(index))
        return {block: int(index) - edges[block]}
    start, stop, step = index.indices(length)
    wanted = range(start, stop, step)
    if not wanted:
        return {0: slice(0, 0, 1)}
    result: dict[int, Any] = {}
    low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
    blocks = range(locate(edges, low), locate(edges, high) + 1)
    if step > 0:
        # The first position that no block was found for yet.
        first, begin = start, edges[blocks[0]]
        # Most blocks are cut alike; one slice for all of these spares memory.
        known: dict[tuple[int, int], slice] = {}
        for block in blocks:
            end = edges[block + 1]
            limit = end if end < stop else stop
            if first < limit:
                if step == 1 and first == begin and limit == end:
                    result[block] = _WHOLE
                    first = end
                else:
                    local = (first - begin, limit - begin)
                    result[block] = known.get(local) or known.setdefault(local, slice(*local, step))
                    first += -(-(limit - first) // step) * step
            begin = end
        return result
    for block in blocks:
        begin, end = edges[block], edges[block + 1]
        if begin == end:
            continue
        first = min(start, start + -(-(start - (end - 1)) // -step) * step)
        if first <= max(stop, begin - 1):
            continue
        result[block] = slice(first - end, max(stop, begin - 1) - end, step)
    return result


# -- the same, on names and chunks ---------------------------------------------------------


def slice_array(
    out_name: str, in_name: str, old_chunks: Sequence[Sequence[int]], index: Sequence[Any]
) -> tuple[dict[Any, Any], Chunks]:
    """The tasks of an index, and the chunks of the result.

    Parameters
    ----------
    out_name, in_name:
        The names of the result and of the array.
    old_chunks:
        The chunks of the array.
    index:
        Integers, slices, None, and at most one list.

    Raises
    ------
    SlicingNoop
        If the index takes everything.
    """
    chunks = tuple(tuple(sizes) for sizes in old_chunks)
    if all(isinstance(part, slice) and part == _WHOLE for part in index):
        raise SlicingNoop
    given = replace_ellipsis(len(chunks), tuple(index))
    parts = normalize_index(given, tuple(sum(sizes) for sizes in chunks))
    parts = tuple(
        old if isinstance(old, slice) and new != _WHOLE else new for old, new in zip(given, parts)
    )
    at = [n for n, part in enumerate(parts) if isinstance(part, np.ndarray)]
    if not at:
        return _basic_layer(out_name, in_name, chunks, parts)
    if len(at) > 1:
        raise NotImplementedError("Don't yet support nd fancy indexing")
    taker = parts[at[0]]
    rest = parts[: at[0]] + (_WHOLE,) + parts[at[0] + 1 :]
    layer: dict[Any, Any] = {}
    if any(part != _WHOLE for part in rest):
        between = f"getitem-{tokenize(in_name, chunks, rest)}"
        layer, chunks = _basic_layer(between, in_name, chunks, rest)
        in_name = between
    axis = sum(not isinstance(part, int) for part in rest[: at[0]])
    chunks, more = take(out_name, in_name, chunks, taker, axis)
    return {**layer, **more}, chunks


def take(
    out_name: str, in_name: str, chunks: Sequence[Sequence[int]], index: Any, axis: int = 0
) -> tuple[Chunks, dict[Any, Any]]:
    """The chunks, and the tasks, of the elements at some positions along one axis."""
    groups = take_groups(np.asarray(index, dtype=np.intp), chunks[axis])
    groups = groups or [np.zeros(0, dtype=np.intp)]
    layer = group_layer(out_name, in_name, chunks, groups, axis)
    new = [tuple(sizes) for sizes in chunks]
    new[axis] = tuple(len(group) for group in groups)
    return tuple(new), layer


def new_blockdim(length: int, lengths: Sequence[int], index: Any) -> list[int]:
    """The lengths of the blocks of a slice along one axis."""
    index = slice(*index.indices(length)) if isinstance(index, slice) else index
    if isinstance(index, slice) and index.step < 0 and index.stop < 0:
        index = slice(index.start, None, index.step)
    return list(_plan(index, lengths)[1] or ())


def make_block_sorted_slices(index: np.ndarray, chunks: Chunks) -> tuple[np.ndarray, np.ndarray]:
    """Positions in order within each block that they are given in, and where each one goes then.

    Parameters
    ----------
    index:
        Every position along the first axis once.
    chunks:
        The chunks.
    """
    index = np.asarray(index)
    edges = boundaries(chunks[0])
    ordered = np.empty_like(index)
    places = np.empty_like(index)
    for begin, end in zip(edges, edges[1:]):
        order = np.argsort(index[begin:end], kind="stable")
        ordered[begin:end] = index[begin:end][order]
        places[begin:end][order] = np.arange(begin, end)
    return ordered, places


def shuffle_slice(x: Array, index: Any) -> Array:
    """The array in another order along its first axis.

    Parameters
    ----------
    index:
        Every position once.
    """
    return getitem(x, np.asarray(index))
