"""Indexing by points: one list of positions for each of several axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import DataNode, List, Task, TaskRef
from samite.array.blockwise import blockwise
from samite.array.chunks import boundaries, has_unknown, regular
from samite.array.core import Array, make_array
from samite.array.indexing import normalize_slice
from samite.array.utils import meta_from_array
from samite.base import is_dask_collection, tokenize

__all__ = ["PointView"]


class PointView:
    """Indexing by points; what ``x.vindex`` is.

    Parameters
    ----------
    array:
        The array.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.arange(12, chunks=3).reshape(3, 4)
    >>> x.vindex[[0, 2], [1, 3]].compute()
    array([ 1, 11])
    """

    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, key: Any) -> Array:
        """The elements at some points.

        Lists and arrays of integers are broadcast together, and give the first axes of the
        result; axes that are indexed by slices come after them.

        Raises
        ------
        IndexError
            If positions are out of bounds, do not broadcast, are lazy or masks, or if there are
            slices alone.
        """
        return _vindex(self._array, key if isinstance(key, tuple) else (key,))


def _vindex(x: Array, key: tuple[Any, ...]) -> Array:
    if any(is_dask_collection(part) for part in key):
        if len(key) == 1 and x.ndim == 1 and x.npartitions == 1 and isinstance(key[0], Array):
            return _of_one_block(x, key[0])
        raise IndexError(
            "vindex does not support indexing with dask objects. Call compute on the indexer "
            f"first to get an evaluated array. Got: {key}"
        )
    if any(part is None for part in key):
        raise IndexError(f"vindex does not support indexing with None (np.newaxis), got {key}")
    if len(key) > x.ndim:
        raise IndexError(f"Too many indices for array: it has {x.ndim} axes, got {key}")
    key = key + (slice(None),) * (x.ndim - len(key))
    if all(isinstance(part, slice) for part in key):
        if all(normalize_slice(part, n) == slice(None) for part, n in zip(key, x.shape)):
            return x
        raise IndexError(
            f"vindex requires at least one non-slice indexer, and ordinary slices otherwise: {key}"
        )
    arrays = {}
    for axis, part in enumerate(key):
        if isinstance(part, slice):
            continue
        positions = np.asarray(part)
        if positions.dtype.kind == "b":
            raise IndexError(
                f"vindex does not support boolean indexers; use integers (axis {axis})"
            )
        if positions.dtype.kind not in "iu" and positions.size:
            raise IndexError(f"vindex: positions have to be integers, not {positions.dtype}")
        length = x.shape[axis]
        if has_unknown(x.chunks[axis]):
            raise ValueError(
                f"Arrays chunk sizes are unknown along axis {axis}. x.compute_chunk_sizes() finds "
                "the lengths by computing the array."
            )
        positions = positions.astype(np.intp)
        if positions.size and (positions.min() < -length or positions.max() >= length):
            raise IndexError(f"vindex key has entries out of bounds for axis {axis} of length "
                             f"{length}: {part!r}")  # fmt: skip
        arrays[axis] = np.where(positions < 0, positions + length, positions)
    try:
        points = np.broadcast_arrays(*arrays.values())
    except ValueError as error:
        shapes = [array.shape for array in arrays.values()]
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}"
        ) from error
    x = x[tuple(part if isinstance(part, slice) else slice(None) for part in key)]
    return _points(x, list(arrays), points)


def _of_one_block(x: Array, index: Array) -> Array:
    """Lazy positions in an array of one chunk, which every block of positions picks from."""
    if index.dtype.kind not in "iu":
        raise IndexError(f"vindex: positions have to be integers, not {index.dtype}")
    axes = tuple(range(index.ndim))
    return blockwise(
        _pick_lazily, axes, index, axes, x, ("block",), dtype=x.dtype, meta=meta_from_array(
            x._meta, ndim=index.ndim), concatenate=True, token="vindex",
    )  # fmt: skip


def _pick_lazily(positions: Any, block: Any) -> Any:
    return block[positions]


def _points(x: Array, axes: list[int], points: list[np.ndarray]) -> Array:
    others = [axis for axis in range(x.ndim) if axis not in axes]
    shape = points[0].shape
    # As many points in a chunk as a chunk has positions along these axes.
    most = max(1, math.prod(max(x.chunks[axis]) for axis in axes))
    point_chunks = []
    for length in reversed(shape):
        size = max(1, min(length, most))
        point_chunks.append(regular(length, size))
        most //= size
    point_chunks.reverse()
    edges = [np.asarray(boundaries(x.chunks[axis])[:-1]) for axis in axes]
    counts = [x.numblocks[axis] for axis in axes]
    token = tokenize(x, axes, points)
    name, split = f"vindex-{token}", f"vindex-split-{token}"
    layer: dict[Any, Any] = {}
    rest = list(product(*(range(x.numblocks[axis]) for axis in others)))
    order_of_axes = tuple(axes + others)
    limits = [boundaries(sizes) for sizes in point_chunks]
    for place in product(*(range(len(sizes)) for sizes in point_chunks)):
        window = tuple(slice(e[i], e[i + 1]) for e, i in zip(limits, place))
        block_shape = points[0][window].shape
        chosen = [array[window].ravel() for array in points]
        blocks = [np.searchsorted(e, c, side="right") - 1 for e, c in zip(edges, chosen)]
        if len(chosen[0]):
            number = np.ravel_multi_index(tuple(blocks), tuple(counts))
            order = np.argsort(number, kind="stable")
            parts = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
        else:
            order = np.zeros(0, dtype=np.intp)
            parts = [order]
        pieces = []
        for part in parts:
            source = [int(b[part[0]]) if len(part) else 0 for b in blocks]
            local = tuple(
                c[part] - e[s] if len(part) else part for c, e, s in zip(chosen, edges, source)
            )
            taker = f"vindex-taker-{token}-{len(layer)}"
            layer[taker] = DataNode(taker, local)
            pieces.append((dict(zip(axes, source)), TaskRef(taker)))
        sorter = f"vindex-sorter-{token}-{len(layer)}"
        layer[sorter] = DataNode(sorter, order)
        for behind in rest:
            refs = []
            for piece, (source_of, taken) in enumerate(pieces):
                at = {**source_of, **dict(zip(others, behind))}
                reference = TaskRef((x.name, *(at[axis] for axis in range(x.ndim))))
                key = (split, *place, piece, *behind)
                layer[key] = Task(key, _pick, reference, taken, order_of_axes)
                refs.append(TaskRef(key))
            key = (name, *place, *behind)
            layer[key] = Task(key, _vindex_merge_block, List(*refs), TaskRef(sorter), block_shape)
    chunks = (*point_chunks, *(x.chunks[axis] for axis in others))
    meta = meta_from_array(x._meta, ndim=len(chunks))
    return make_array(name, layer, chunks, meta, [x])


def _pick(block: Any, local: tuple[np.ndarray, ...], order: tuple[int, ...]) -> Any:
    return block.transpose(order)[local]


def _vindex_merge_block(parts: list[Any], order: np.ndarray, shape: tuple[int, ...]) -> Any:
    from samite.array._shuffle import put_together

    together = put_together(parts, order, 0) if len(parts) > 1 else parts[0]
    return together.reshape(shape + together.shape[1:])


def _vindex_merge(locations: Sequence[Sequence[int]], values: Sequence[Any]) -> Any:
    """Points together whose places along the first axis are known."""
    from samite.array._shuffle import put_together

    return put_together(list(values), np.concatenate([np.asarray(at) for at in locations]), 0)


def _get_axis(indexes: Sequence[Any]) -> int:
    """Where NumPy puts the axis of points that lists pick; None stands for a slice.

    >>> _get_axis([None, [1, 2], [3, 4]]), _get_axis([[1, 2], None, [3, 4]])
    (1, 0)
    """
    at = [n for n, index in enumerate(indexes) if index is not None]
    return at[0] if at and at[-1] - at[0] == len(at) - 1 else 0
