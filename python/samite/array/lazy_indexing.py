"""Indexing by lazy arrays, whose values are not known when the graph is made."""

from __future__ import annotations

import math
import warnings
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array.assembly import join
from samite.array.blockwise import blockwise
from samite.array.chunks import boundaries, has_unknown, is_unknown
from samite.array.core import Array, make_array
from samite.array.indexing import is_mask, replace_ellipsis
from samite.base import tokenize

__all__ = ["by_lazy", "by_wide_mask"]


def by_lazy(x: Array, index: Array, axis: int) -> Array:
    """What a lazy array of one dimension picks along one axis.

    Raises
    ------
    IndexError
        If it is neither of integers nor of truth values, or a mask of another length.
    """
    if is_mask(index):
        return _by_mask(x, index, axis)
    if index.dtype.kind not in "iu":
        raise IndexError(f"arrays used as indices must be of integer or boolean type, not "
                         f"{index.dtype}")  # fmt: skip
    return _by_positions(x, index, axis)


# -- masks -----------------------------------------------------------------------------------


def by_wide_mask(x: Array, parts: tuple[Any, ...]) -> Array:
    """A mask over several axes: its elements in one dimension, in the order of the array."""
    from samite.array.slicing import getitem
    from samite.array.storage import asanyarray

    parts = replace_ellipsis(x.ndim, parts)
    at = next(n for n, part in enumerate(parts) if is_mask(part) and part.ndim != 1)
    if any(part is None or isinstance(part, (np.ndarray, Array)) or part != slice(None)
           for n, part in enumerate(parts) if n != at):  # fmt: skip
        raise NotImplementedError("a mask of several dimensions cannot stand with other indices")
    mask = parts[at]
    covered = x.shape[at : at + mask.ndim]
    if any(m != n and not is_unknown(m) and not is_unknown(n) for m, n in zip(mask.shape, covered)):
        raise IndexError(
            f"boolean index of shape {mask.shape} did not match the axes of shape {covered} of "
            f"the indexed array of shape {x.shape}"
        )
    if not mask.ndim:
        return _by_mask(x[None], asanyarray(mask)[None], 0)
    if any(map(has_unknown, x.chunks)) or (
        isinstance(mask, Array) and any(map(has_unknown, mask.chunks))
    ):
        return _by_mask_in_blocks(x, asanyarray(mask))
    flat = x.reshape(x.shape[:at] + (math.prod(covered),) + x.shape[at + mask.ndim :])
    index = mask.ravel() if isinstance(mask, Array) else np.flatnonzero(mask)
    return getitem(flat, (slice(None),) * at + (index,))


def _by_mask(x: Array, mask: Array, axis: int) -> Array:
    length = x.shape[axis]
    if mask.shape[0] != length and not is_unknown(length) and not is_unknown(mask.shape[0]):
        raise IndexError(
            f"boolean index did not match indexed array: its length is {mask.shape[0]}, that of "
            f"axis {axis} is {length}"
        )
    axes = tuple(range(x.ndim))
    return blockwise(
        _mask_block,
        axes,
        x,
        axes,
        mask,
        (axis,),
        token="getitem",
        adjust_chunks={axis: lambda size: np.nan},
        dtype=x.dtype,
        meta=x._meta,
        axis=axis,
    )


def _mask_block(block: Any, mask: Any, axis: int) -> Any:
    return block[(slice(None),) * axis + (mask,)]


def _by_mask_in_blocks(x: Array, mask: Array) -> Array:
    if x.numblocks != mask.numblocks:
        raise ValueError(
            f"Arrays chunk sizes are unknown, and the numbers of blocks {x.numblocks} and "
            f"{mask.numblocks} of array and mask differ. "
            "x.compute_chunk_sizes() finds the lengths by computing the array."
        )
    warnings.warn(
        "When slicing an array of unknown chunks with a lazy mask, the elements come block by "
        "block, so that the result can have a different ordering from NumPy's. "
        "compute_chunk_sizes() finds the chunks by computing the array",
        UserWarning,
        stacklevel=4,
    )
    name = f"getitem-{tokenize(x, mask, 'blocks')}"
    layer: dict[Any, Any] = {}
    for number, position in enumerate(product(*map(range, x.numblocks))):
        key = (name, number)
        layer[key] = Task(
            key, _mask_block, TaskRef((x.name, *position)), TaskRef((mask.name, *position)), 0
        )
    chunks = ((np.nan,) * len(layer),)
    return make_array(name, layer, chunks, _flat_meta(x), [x, mask])


def _flat_meta(x: Array) -> Any:
    from samite.array.utils import meta_from_array

    return meta_from_array(x._meta, ndim=1)


# -- positions -------------------------------------------------------------------------------


def _by_positions(x: Array, index: Array, axis: int) -> Array:
    """Every block gives what it has of each block of positions; that is put together then."""
    sizes = x.chunks[axis]
    if has_unknown(sizes) and len(sizes) > 1:
        raise ValueError(
            f"Arrays chunk sizes are unknown along the indexed axis: {sizes}. "
            "x.compute_chunk_sizes() finds the lengths by computing the array."
        )
    token = tokenize(x, index, axis)
    name = f"getitem-{token}"
    chunks = (*x.chunks[:axis], index.chunks[0], *x.chunks[axis + 1 :])
    layer: dict[Any, Any] = {}
    edges = [0, None] if len(sizes) == 1 else boundaries(sizes)
    bounds = [(a, b) for a, b in zip(edges, edges[1:])]
    length = None if len(sizes) == 1 else edges[-1]
    front = list(product(*map(range, x.numblocks[:axis])))
    back = list(product(*map(range, x.numblocks[axis + 1 :])))
    for number in range(index.numblocks[0]):
        positions = TaskRef((index.name, number))
        for a, b in product(front, back):
            key = (name, *a, number, *b)
            if length is None:
                source = TaskRef((x.name, *a, 0, *b))
                layer[key] = Task(key, _take_block, source, positions, axis)
                continue
            parts = []
            for block, (low, high) in enumerate(bounds):
                part_key = (f"getitem-part-{token}", number, *a, block, *b)
                source = TaskRef((x.name, *a, block, *b))
                layer[part_key] = Task(
                    part_key, _take_part, source, positions, low, high, length, axis
                )
                parts.append(TaskRef(part_key))
            layer[key] = Task(key, _put_parts, List(*parts), positions, edges, axis)
    return make_array(name, layer, chunks, x._meta, [x, index])


def _take_block(block: Any, positions: Any, axis: int) -> Any:
    return block[(slice(None),) * axis + (positions,)]


def _counted(positions: Any, length: int) -> np.ndarray:
    positions = np.asarray(positions).astype(np.intp)
    if positions.size and (positions.min() < -length or positions.max() >= length):
        raise IndexError(f"an index is out of bounds for an axis with size {length}")
    return np.where(positions < 0, positions + length, positions)


def _take_part(block: Any, positions: Any, low: int, high: int, length: int, axis: int) -> Any:
    positions = _counted(positions, length)
    here = positions[(positions >= low) & (positions < high)] - low
    return block[(slice(None),) * axis + (here,)]


def _put_parts(parts: list[Any], positions: Any, edges: list[int], axis: int) -> Any:
    positions = _counted(positions, edges[-1])
    blocks = np.searchsorted(np.asarray(edges[:-1]), positions, side="right") - 1
    order = np.argsort(blocks, kind="stable")
    return join(parts, axis)[(slice(None),) * axis + (np.argsort(order),)]
