"""Indexing: which parts of which chunks make the chunks of the result.

Every axis is planned on its own. A plan is a list with an entry for each block of the result:
the block it is cut from and the index into it. The tasks are the product of the plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array.blockwise import blockwise
from samite.array.chunks import boundaries, has_unknown, is_unknown, locate
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = ["getitem", "take"]


def getitem(x: Array, index: Any) -> Array:
    """The elements of an array that an index picks.

    Parameters
    ----------
    x:
        The array.
    index:
        Integers, slices, ``None`` and ``...``; one list or array of integers, or mask; a field
        or list of fields of a structured dtype; or a lazy mask.

    Raises
    ------
    IndexError
        If an index is out of bounds or of the wrong shape.
    NotImplementedError
        If several axes are indexed by lists, or one by a lazy array of integers.
    """
    if isinstance(index, str) or (
        isinstance(index, list) and index and all(isinstance(part, str) for part in index)
    ):
        return _field(x, index)
    index = index if isinstance(index, tuple) else (index,)
    index = tuple(_plain(part) for part in index)
    if any(isinstance(part, (Array, np.ndarray)) and _is_mask(part) and part.ndim != 1
           for part in index):  # fmt: skip
        return _by_whole_mask(x, index)
    index = _normalized(_complete(x, index), x.shape)
    lazy = [n for n, part in enumerate(index) if isinstance(part, Array)]
    if lazy:
        return _by_lazy_mask(x, index, lazy)
    if all(isinstance(part, slice) and part == slice(None) for part in index):
        return x
    lists = [part for part in index if isinstance(part, np.ndarray)]
    if len(lists) > 1:
        raise NotImplementedError("only one axis can be indexed by a list or an array")
    plans, chunks, template = [], [], []
    lengths = iter(zip(x.shape, x.chunks))
    for axis_index in index:
        if axis_index is None:
            chunks.append((1,))
            template.append(None)
            continue
        length, sizes = next(lengths)
        plan, new_sizes = _plan(axis_index, length, sizes)
        plans.append(plan)
        template.append(len(plans) - 1)
        if new_sizes is not None:
            chunks.append(new_sizes)
    name = f"getitem-{tokenize(x, index)}"
    layer = _tasks(x, name, plans, template, index)
    meta = meta_from_array(x._meta, ndim=len(chunks))
    return make_array(name, layer, tuple(chunks), meta, [x])


def take(x: Any, indices: Any, axis: int = 0) -> Array:
    """The elements at some positions along one axis."""
    from samite.array.storage import asanyarray
    from samite.array.utils import normalize_axis

    x = asanyarray(x)
    axis = normalize_axis(axis, x.ndim)
    return x[(slice(None),) * axis + (indices,)]


def _field(x: Array, names: Any) -> Array:
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


def _plain(part: Any) -> Any:
    """One part of an index: None, Ellipsis, int, slice, NumPy array, or lazy array."""
    if part is None or part is Ellipsis or isinstance(part, (slice, Array)):
        if isinstance(part, Array) and not part.ndim and part.dtype.kind in "iu":
            # Which block is picked has to be known, so the number is computed now.
            return int(part)
        return part
    if isinstance(part, (int, np.integer)) and not isinstance(part, (bool, np.bool_)):
        return int(part)
    values = np.asarray(part)
    if not values.size and values.dtype.kind == "f":
        values = values.astype(np.intp)
    if values.dtype.kind not in "iub":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and integer or boolean arrays "
            f"are valid indices, not {part!r}"
        )
    if not values.ndim and values.dtype.kind != "b":
        return int(values)
    return values


def _is_mask(part: Any) -> bool:
    return part.dtype.kind == "b"


def _complete(x: Array, index: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index with an entry for each axis, and slices for ``...``."""
    used = sum(part is not None and part is not Ellipsis for part in index)
    if used > x.ndim:
        raise IndexError(
            f"too many indices for array: array is {x.ndim}-dimensional, but {used} were indexed"
        )
    missing = (slice(None),) * (x.ndim - used)
    at = [n for n, part in enumerate(index) if part is Ellipsis]
    if len(at) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if at:
        return index[: at[0]] + missing + index[at[0] + 1 :]
    return index + missing


def _normalized(index: tuple[Any, ...], shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """Every way to write an index as the same one, so that equal results have equal names."""
    lengths = iter(shape)
    result = []
    for part in index:
        length = None if part is None else next(lengths)
        if part is None or is_unknown(length):
            result.append(part)
        elif isinstance(part, slice):
            result.append(_plain_slice(part, length))
        elif isinstance(part, int) and -length <= part < 0:
            result.append(part + length)
        else:
            result.append(part)
    return tuple(result)


def _plain_slice(part: slice, length: int) -> slice:
    wanted = range(length)[part]
    if not len(wanted):
        return slice(0, 0) if length else slice(None)
    if len(wanted) == length and wanted.step > 0:
        return slice(None)
    if len(wanted) == 1:
        return slice(wanted[0], wanted[0] + 1)
    stop = wanted[-1] + (1 if wanted.step > 0 else -1)
    step = None if wanted.step == 1 else wanted.step
    return slice(wanted[0], stop if stop >= 0 else None, step)


# -- plans -----------------------------------------------------------------------------


def _plan(index: Any, length: Any, sizes: Sequence[int]) -> tuple[list[Any], tuple | None]:
    """Entries (block, index into it) for each block of the result, and their lengths."""
    if isinstance(index, slice) and index == slice(None):
        return [(i, slice(None)) for i in range(len(sizes))], tuple(sizes)
    if has_unknown(sizes):
        raise ValueError(
            "Arrays chunk sizes are unknown along the indexed axis. "
            "x.compute_chunk_sizes() finds the lengths by computing the array."
        )
    edges = boundaries(sizes)
    if isinstance(index, int):
        if not -length <= index < length:
            raise IndexError(f"Index {index} is out of bounds for axis with size {length}")
        index %= length
        block = locate(edges, index)
        return [(block, index - edges[block])], None
    if isinstance(index, slice):
        return _plan_slice(range(length)[index], edges)
    if _is_mask(index):
        if len(index) != length:
            raise IndexError(
                f"boolean index did not match indexed array: its length is {len(index)}, "
                f"that of the axis {length}"
            )
        index = np.flatnonzero(index)
    index = index.astype(np.intp)
    if index.ndim > 1:
        raise NotImplementedError("lists of indices can have only one dimension")
    if len(index) and (index.min() < -length or index.max() >= length):
        raise IndexError(f"an index is out of bounds for axis with size {length}")
    return _plan_list(np.where(index < 0, index + length, index), edges, max(sizes))


def _plan_slice(wanted: range, edges: Sequence[int]) -> tuple[list[Any], tuple]:
    """A slice keeps the order of blocks, or with a negative step turns it round."""
    if not len(wanted):
        return [(0, slice(0, 0))], (0,)
    backwards = wanted.step < 0
    forward = wanted[::-1] if backwards else wanted
    plan, counts = [], []
    step = forward.step
    for block in range(locate(edges, forward[0]), locate(edges, forward[-1]) + 1):
        low, high = edges[block], edges[block + 1]
        first = max(0, -(-(low - forward.start) // step))
        last = min(len(forward), -(-(high - forward.start) // step))
        if last <= first:
            continue
        start = forward.start + first * step - low
        stop = forward.start + (last - 1) * step - low + 1
        if backwards:
            local = slice(stop - 1, start - 1 if start else None, -step)
        elif start == 0 and stop == high - low and step == 1:
            local = slice(None)
        else:
            local = slice(start, stop, step if step != 1 else None)
        plan.append((block, local))
        counts.append(last - first)
    if backwards:
        return plan[::-1], tuple(counts[::-1])
    return plan, tuple(counts)


def _plan_list(index: np.ndarray, edges: Sequence[int], size: int) -> tuple[list[Any], tuple]:
    """Sorted positions are cut where the blocks end, others into blocks of about the same size."""
    if not len(index):
        return [(0, np.zeros(0, dtype=np.intp))], (0,)
    blocks = np.searchsorted(edges, index, side="right") - 1
    starts = np.asarray(edges)
    if (np.diff(index) >= 0).all():
        cuts = np.flatnonzero(np.diff(blocks)) + 1
        groups = np.split(np.arange(len(index)), cuts)
    else:
        groups = np.split(np.arange(len(index)), range(size, len(index), size))
    plan = []
    for group in groups:
        inside = np.unique(blocks[group])
        if len(inside) == 1:
            plan.append((int(inside[0]), index[group] - starts[inside[0]]))
            continue
        # Positions in the joined blocks that are needed.
        lengths = [edges[b + 1] - edges[b] for b in inside]
        offset = dict(zip(inside.tolist(), boundaries(lengths)))
        local = [
            int(i) - edges[b] + offset[b] for i, b in zip(index[group], blocks[group].tolist())
        ]
        plan.append((inside.tolist(), np.array(local, dtype=np.intp)))
    return plan, tuple(len(group) for group in groups)


def _tasks(
    x: Array, name: str, plans: list[Any], template: list[Any], index: tuple[Any, ...]
) -> dict[Any, Any]:
    counted = [
        range(len(plan)) for n, plan in zip(_with_axes(index), plans) if not isinstance(n, int)
    ]
    kept = [axis for axis, part in enumerate(_with_axes(index)) if not isinstance(part, int)]
    # The numbers of the result's key stand for the kept axes, and zeros for the new ones.
    slots = [("new" if part is None else "kept") for part in index if not isinstance(part, int)]
    layer: dict[Any, Any] = {}
    for position in product(*counted):
        at = dict(zip(kept, position))
        entries = [plan[at.get(axis, 0)] for axis, plan in enumerate(plans)]
        numbers = iter(position)
        key = (name, *(0 if slot == "new" else next(numbers) for slot in slots))
        local = tuple(None if n is None else entries[n][1] for n in template)
        joined = [axis for axis, (block, _) in enumerate(entries) if isinstance(block, list)]
        if not joined:
            source: Any = TaskRef((x.name, *(block for block, _ in entries)))
            layer[key] = Task(key, _get, source, local)
            continue
        (axis,) = joined
        sources = [
            TaskRef(
                (x.name, *(number if a == axis else block for a, (block, _) in enumerate(entries)))
            )
            for number in entries[axis][0]
        ]
        layer[key] = Task(key, _join_and_get, List(*sources), axis, local)
    return layer


def _with_axes(index: tuple[Any, ...]) -> list[Any]:
    return [part for part in index if part is not None]


def _join_and_get(blocks: list[Any], axis: int, index: tuple[Any, ...]) -> Any:
    return np.concatenate(blocks, axis=axis)[index]


# -- masks -----------------------------------------------------------------------------


def _by_whole_mask(x: Array, index: tuple[Any, ...]) -> Array:
    """A mask over all axes: the elements in one dimension, their number known after computing."""
    from samite.array.reshape import ravel
    from samite.array.storage import asanyarray

    if len(index) > 1:
        raise NotImplementedError("a mask of several dimensions cannot stand with other indices")
    mask = asanyarray(index[0])
    if mask.ndim != x.ndim or any(
        m != n and not is_unknown(m) and not is_unknown(n) for m, n in zip(mask.shape, x.shape)
    ):
        raise IndexError(
            f"boolean index of shape {mask.shape} did not match indexed array of shape {x.shape}"
        )
    if not x.ndim:
        return _masked(x[None], mask[None], 0)
    if not isinstance(index[0], Array):
        mask = mask.rechunk(x.chunks)
    return _masked(ravel(x), ravel(mask), 0)


def _by_lazy_mask(x: Array, index: tuple[Any, ...], lazy: list[int]) -> Array:
    """A lazy mask along one axis; what the other axes are indexed by comes first."""
    if len(lazy) > 1:
        raise NotImplementedError("only one axis can be indexed by a lazy array")
    (at,) = lazy
    mask = index[at]
    if not _is_mask(mask):
        raise NotImplementedError("a lazy array of integers cannot be an index; compute it first")
    rest = index[:at] + (slice(None),) + index[at + 1 :]
    axis_of_x = sum(part is not None for part in index[:at])
    length = x.shape[axis_of_x]
    if mask.shape[0] != length and not is_unknown(length) and not is_unknown(mask.shape[0]):
        raise IndexError(
            f"boolean index did not match indexed array: its length is {mask.shape[0]}, that of "
            f"the axis {length}"
        )
    axis = sum(not isinstance(part, int) for part in index[:at])
    return _masked(getitem(x, rest), mask, axis)


def _masked(x: Array, mask: Array, axis: int) -> Array:
    axes = tuple(range(x.ndim))
    return blockwise(
        _mask_block,
        axes,
        x,
        axes,
        mask,
        (axis,),
        token="getitem",
        adjust_chunks={axis: lambda size: float("nan")},
        dtype=x.dtype,
        meta=x._meta,
        axis=axis,
    )


def _mask_block(block: Any, mask: Any, axis: int) -> Any:
    return block[(slice(None),) * axis + (mask,)]
