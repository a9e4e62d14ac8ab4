"""Chunks joined into one array, in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from samite.array.dispatch import concatenate_lookup

__all__ = ["assemble", "concatenate3", "concatenate_axes", "deepfirst", "join"]


def join(parts: Sequence[Any], axis: int) -> Any:
    """Concatenate chunks in the way of their library, that of the highest priority if several."""
    if all(type(part) is np.ndarray for part in parts):
        return np.concatenate(parts, axis=axis)
    leading = max(parts, key=lambda part: getattr(part, "__array_priority__", 0))
    return concatenate_lookup.dispatch(type(leading))(parts, axis=axis)


def assemble(blocks: Any, ndim: int) -> Any:
    """Join chunks, in lists nested by axis, into one array.

    Parameters
    ----------
    blocks:
        The lists; of one item where the array has no axes.
    ndim:
        The number of axes.
    """
    if not ndim:
        return blocks[0] if isinstance(blocks, (list, tuple)) else blocks
    counts = _counts(blocks, ndim)
    flat = list(_flat(blocks, ndim))
    if len(flat) == 1:
        return flat[0]
    if any(isinstance(block, (list, tuple)) for block in flat):
        flat = [np.asarray(block) for block in flat]
    if all(
        not np.ndim(block)
        and not hasattr(type(block), "__array_function__")
        or (isinstance(block, (np.ndarray, np.generic)) and not block.ndim)
        for block in flat
    ):
        # Functions may give one value for a whole chunk.
        return np.array(flat).reshape(counts)
    if any(isinstance(block, np.ndarray) and block.ndim > ndim for block in flat):
        flat = [_without_surplus(block, ndim) for block in flat]
    if all(type(block) is np.ndarray for block in flat):
        dtype = flat[0].dtype
        if any(block.dtype != dtype for block in flat):
            dtype = np.result_type(*(block.dtype for block in flat))
        if all(block.ndim == ndim for block in flat):
            return _copied_together(flat, counts, dtype)
    return _joined(blocks, 0, ndim)


def _without_surplus(block: Any, ndim: int) -> Any:
    """A chunk without leading axes of length one that the array has not."""
    surplus = np.ndim(block) - ndim
    if surplus <= 0 or any(length != 1 for length in block.shape[:surplus]):
        return block
    return block.reshape(block.shape[surplus:])


def finish(blocks: Any, ndim: int) -> Any:
    """What the chunks of a result come to, in memory that belongs to the caller alone."""
    result = assemble(blocks, ndim)
    if not isinstance(result, np.ndarray):
        return result
    # Counted before another name is given to it below.
    references = sys.getrefcount(result)
    while isinstance(blocks, (list, tuple)) and len(blocks) == 1:
        blocks = blocks[0]
    if result is not blocks:
        return result
    if result.flags.owndata and references <= _REFERENCES_OF_A_RESULT:
        return result
    # The only chunk may be part of the graph, or be kept in memory for other results.
    return result.copy()


# The list of chunks, this function's variable, the count's own argument and the scheduler's.
_REFERENCES_OF_A_RESULT = 4


def concatenate3(arrays: Any) -> Any:
    """Join nested lists of arrays, the innermost lists along the last axis.

    The number of axes is that of the nesting, or of the arrays if they have more.

    >>> concatenate3([[np.ones((1, 2)), np.zeros((1, 1))]])
    array([[1., 1., 0.]])
    """
    depth = 0
    first = arrays
    while isinstance(first, (list, tuple)):
        if not first:
            return np.empty((0,) * (depth + 1))
        first = first[0]
        depth += 1
    if not depth:
        return arrays
    flat = list(_flat(arrays, depth))
    if not any(getattr(part, "ndim", 0) for part in flat):
        return np.array(arrays)
    ndim = max(getattr(part, "ndim", 0) for part in flat)
    missing = max(0, depth - ndim)
    arrays = _nested(arrays, depth, lambda part: _with_axes(part, missing)) if missing else arrays
    if any(not _is_plain(part) for part in flat):
        from samite.array import core

        return core._concatenate2(arrays, axes=list(range(depth)))
    return assemble(arrays, depth) if depth >= ndim else _joined(arrays, 0, depth)


def _is_plain(part: Any) -> bool:
    return type(part) is np.ndarray or np.isscalar(part)


def _nested(arrays: Any, depth: int, change: Any) -> Any:
    if not depth:
        return change(arrays)
    return [_nested(part, depth - 1, change) for part in arrays]


def _with_axes(part: Any, count: int) -> Any:
    return np.asanyarray(part)[(None,) * count]


def concatenate_axes(arrays: Any, axes: Sequence[int]) -> Any:
    """Join nested lists of arrays; the lists of each level along the axis of that level.

    Raises
    ------
    ValueError
        If the lists are nested deeper than there are axes, or the arrays have fewer axes.
    """
    depth = 0
    first = arrays
    while isinstance(first, (list, tuple)):
        first = first[0]
        depth += 1
    if depth != len(axes):
        raise ValueError(f"{depth} levels of lists cannot be joined along the axes {list(axes)}")
    if np.ndim(first) < depth:
        raise ValueError(f"arrays of {np.ndim(first)} axes cannot be joined along {list(axes)}")

    def joined(nested: Any, level: int) -> Any:
        if level == depth:
            return nested
        parts = [joined(part, level + 1) for part in nested]
        return parts[0] if len(parts) == 1 else join(parts, axes[level])

    return joined(arrays, 0)


def _concatenate2(arrays: Any, axes: Sequence[int] = ()) -> Any:
    """As :func:`concatenate_axes`, with dicts of arrays joined by key."""
    if not axes:
        return arrays[0] if isinstance(arrays, list) and len(arrays) == 1 else arrays
    if isinstance(arrays, Iterator):
        arrays = list(arrays)
    if not isinstance(arrays, (list, tuple)):
        return arrays
    if len(axes) > 1:
        arrays = [_concatenate2(part, axes[1:]) for part in arrays]
    if isinstance(arrays[0], dict):
        return {key: join([part[key] for part in arrays], axes[0]) for key in arrays[0]}
    return join(arrays, axes[0])


def deepfirst(nested: Any) -> Any:
    """The first item of nested lists.

    >>> deepfirst([[1, 2], [3]])
    1
    """
    while isinstance(nested, (list, tuple)):
        nested = nested[0]
    return nested


def _counts(blocks: Any, ndim: int) -> list[int]:
    counts = []
    for _ in range(ndim):
        counts.append(len(blocks))
        blocks = blocks[0]
    return counts


def _flat(blocks: Any, depth: int) -> Iterator[Any]:
    if depth == 1:
        yield from blocks
        return
    for part in blocks:
        yield from _flat(part, depth - 1)


def _copied_together(flat: list[np.ndarray], counts: list[int], dtype: np.dtype) -> np.ndarray:
    """One allocation and one copy of each block, instead of a concatenation for each axis.

    Raises
    ------
    ValueError
        If a block's length along an axis differs from those beside it.
    """
    grid = np.empty(len(flat), dtype=object)
    for i, block in enumerate(flat):
        grid[i] = block
    grid = grid.reshape(counts)
    edges = []
    for axis in range(len(counts)):
        along = np.moveaxis(grid, axis, 0).reshape(counts[axis], -1)[:, 0]
        edges.append([0, *np.cumsum([block.shape[axis] for block in along]).tolist()])
    result = np.empty([edge[-1] for edge in edges], dtype=dtype)
    for position in np.ndindex(*counts):
        place = tuple(slice(e[i], e[i + 1]) for e, i in zip(edges, position))
        block = grid[position]
        wanted = tuple(part.stop - part.start for part in place)
        if block.shape != wanted:
            # NumPy would repeat a block of length one without a word.
            raise ValueError(
                f"the chunk at {position} has the shape {block.shape}, but the chunks beside it "
                f"ask for {wanted}: a function or a source gave a chunk of the wrong shape"
            )
        result[place] = block
    return result


def _joined(blocks: Any, axis: int, ndim: int) -> Any:
    parts = list(blocks)
    if axis < ndim - 1:
        parts = [_joined(part, axis + 1, ndim) for part in parts]
    if len(parts) == 1:
        return parts[0]
    return join(parts, axis)
