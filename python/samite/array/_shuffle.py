"""Elements in another order along one axis, in groups that become chunks.

Each chunk gives every group its elements in one piece, and each group puts its pieces together;
so no task holds more than one chunk and one group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from samite import config
from samite._task_spec import Alias, DataNode, List, Task, TaskRef
from samite.array.assembly import join
from samite.array.chunk import getitem
from samite.array.chunks import boundaries, has_unknown
from samite.array.core import Array, make_array
from samite.array.utils import normalize_axis
from samite.base import tokenize

__all__ = ["shuffle"]


def shuffle(x: Array, indexer: list[list[int]], axis: int, chunks: Any = "auto") -> Array:
    """Put elements along an axis into groups, each of which lies in one chunk.

    Parameters
    ----------
    x:
        The array.
    indexer:
        For each group the positions along the axis, in order.
    axis:
        The axis.
    chunks:
        How the other axes are cut where groups are longer than chunks are; ``"auto"`` keeps the
        size of the chunks.

    Returns
    -------
    The array of ``x``'s elements at these positions. Small groups share a chunk, as long as that
    is not longer than the mean one times the setting ``array.chunk-size-tolerance``.

    Raises
    ------
    ValueError
        If ``indexer`` is not a list of lists, lengths are not known, or there is no such axis.
    IndexError
        If a position is out of bounds.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.arange(6, chunks=3)
    >>> shuffle(x, [[1, 4, 5], [0, 2, 3]], axis=0).compute()
    array([1, 4, 5, 0, 2, 3])
    """
    axis = normalize_axis(axis, x.ndim)
    if any(has_unknown(sizes) for sizes in x.chunks):
        raise ValueError(
            f"Shuffling only allowed with known chunk sizes, not {x.chunks}. "
            "x.compute_chunk_sizes() finds them by computing the array."
        )
    if not isinstance(indexer, list) or not all(isinstance(group, list) for group in indexer):
        raise ValueError("indexer must be a list of lists of positions")
    groups = [np.asarray(group, dtype=np.intp) for group in indexer]
    length = x.shape[axis]
    for group in groups:
        if len(group) and (group.min() < -length or group.max() >= length):
            raise IndexError(
                f"Indexer contains out of bounds index: axis {axis} has {length} elements"
            )
    groups = [np.where(group < 0, group + length, group) for group in groups]
    return in_groups(x, merged(groups, x.chunks[axis]), axis, chunks, "shuffle")


def in_groups(
    x: Array, groups: list[np.ndarray], axis: int, chunks: Any = "auto", prefix: str = "getitem"
) -> Array:
    """The array with a chunk for each group of positions, which are not negative."""
    if not groups:
        groups = [np.zeros(0, dtype=np.intp)]
    if _is_identity(groups, x.chunks[axis]):
        return x
    longest = max(map(len, groups))
    if longest > max(x.chunks[axis]) * config.get("array.chunk-size-tolerance"):
        x = _rechunk_other_dimensions(x, longest, axis, chunks)
    name = f"{prefix}-{tokenize(x, groups, axis)}"
    layer = group_layer(name, x.name, x.chunks, groups, axis)
    sizes = tuple(len(group) for group in groups)
    new = (*x.chunks[:axis], sizes, *x.chunks[axis + 1 :])
    return make_array(name, layer, new, x._meta, [x])


def take_groups(index: np.ndarray, sizes: Sequence[int]) -> list[np.ndarray]:
    """Positions in groups about as long as the blocks are."""
    length = sum(sizes)
    if len(index) == length and (index == np.arange(length)).all():
        return list(np.split(index, np.cumsum(sizes)[:-1]))
    mean = max(1, length // len(sizes))
    groups = [index[start : start + mean] for start in range(0, len(index), mean)]
    return merged(groups, sizes)


def merged(groups: list[np.ndarray], sizes: Sequence[int]) -> list[np.ndarray]:
    """Neighbouring groups joined, as long as they stay about as long as the mean block."""
    tolerance = config.get("array.chunk-size-tolerance")
    limit = int(sum(sizes) / len(sizes) * tolerance)
    result: list[list[np.ndarray]] = []
    # What the last group of the result can take.
    room = 0
    for group in groups:
        if result and len(group) <= room:
            result[-1].append(group)
        else:
            result.append([group])
            room = limit
        room -= len(group)
        if (limit - room) * tolerance > limit:
            # It is as long as the mean block is, and full.
            room = -1
    return [np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in result]


def _is_identity(groups: list[np.ndarray], sizes: Sequence[int]) -> bool:
    if len(groups) != len(sizes) or any(len(g) != n for g, n in zip(groups, sizes)):
        return False
    edges = boundaries(sizes)
    return all((g == np.arange(a, b)).all() for g, a, b in zip(groups, edges, edges[1:]))


def _rechunk_other_dimensions(x: Array, longest: int, axis: int, chunks: Any) -> Array:
    """Cut the other axes so that chunks with a group of this length are as large as now."""
    if chunks != "auto":
        return x.rechunk(chunks)
    others = [a for a in range(x.ndim) if a != axis]
    return x.rechunk(shrunk(x.chunks, others, longest / max(1, max(x.chunks[axis]))))


def shrunk(
    chunks: Sequence[Sequence[int]], axes: Iterable[int], factor: float
) -> dict[int, tuple[int, ...]]:
    """Blocks along some axes, cut so that chunks get smaller by about a factor."""
    tolerance = config.get("array.chunk-size-tolerance")
    axes = [a for a in axes if not has_unknown(chunks[a])]
    new: dict[int, Any] = {}
    if factor <= 1:
        return new
    axes.sort(key=lambda a: max(chunks[a]))
    for done, a in enumerate(axes):
        largest = max(chunks[a])
        # What a short axis cannot give is left to the longer ones.
        most = max(1.0, largest / factor ** (1 / (len(axes) - done)))
        factor = max(1.0, factor * most / max(1, largest))
        new[a] = tuple(
            part
            for size in chunks[a]
            for part in (_evenly(size, most) if size > most * tolerance else (size,))
        )
    return new


def _evenly(size: int, most: float) -> tuple[int, ...]:
    """A block cut into parts of about the same length."""
    count = max(1, math.ceil(size / most - 1e-9))
    low, more = divmod(size, count)
    return (low + 1,) * more + (low,) * (count - more)


def group_layer(
    name: str,
    source: str,
    chunks: Sequence[Sequence[int]],
    groups: list[np.ndarray],
    axis: int,
) -> dict[Any, Any]:
    """The tasks that give a chunk for each group of positions along an axis."""
    token = name.rsplit("-", 1)[-1]
    layer: dict[Any, Any] = {}
    taker_names: dict[Any, str] = {}

    def shared(kind: str, value: Any, identity: Any) -> TaskRef:
        """An index that all chunks along the other axes use is held once."""
        key = taker_names.get((kind, identity))
        if key is None:
            key = taker_names[kind, identity] = f"{kind}-{token}-{len(taker_names)}"
            layer[key] = DataNode(key, value)
        return TaskRef(key)

    def taker(block: int, positions: np.ndarray) -> TaskRef | None:
        """What is taken of a block; None for all of it."""
        local = positions - edges[block]
        size = edges[block + 1] - edges[block]
        if len(local) > _LONG_RUN or len(local) == size:
            first, last = int(local[0]), int(local[-1])
            if last - first + 1 == len(local) and (np.diff(local) == 1).all():
                if len(local) == size:
                    return None
                part = slice(first, last + 1)
                return shared("shuffle-slice", (*head, part), (first, last))
        local = local.astype(np.min_scalar_type(max(size - 1, 0)))
        return shared("shuffle-taker", (*head, local), (local.dtype.str, local.tobytes()))

    edges = boundaries(chunks[axis])
    starts = np.asarray(edges[:-1])
    head = (slice(None),) * axis
    front = list(product(*(range(len(sizes)) for sizes in chunks[:axis])))
    back = list(product(*(range(len(sizes)) for sizes in chunks[axis + 1 :])))
    for number, group in enumerate(groups):
        if not len(group):
            pieces = [(0, shared("shuffle-taker", (*head, slice(0, 0)), "empty"))]
            order = None
        else:
            # Empty blocks begin where others do; the last that begins there has the element.
            blocks = np.searchsorted(starts, group, side="right") - 1
            order = np.argsort(blocks, kind="stable")
            cuts = np.flatnonzero(np.diff(blocks[order])) + 1
            pieces = [
                (int(blocks[part[0]]), taker(int(blocks[part[0]]), group[part]))
                for part in np.split(order, cuts)
            ]
        if len(pieces) == 1:
            ((block, taken),) = pieces
            for a, b in product(front, back):
                key, reference = (name, *a, number, *b), (source, *a, block, *b)
                if taken is None:
                    layer[key] = Alias(key, reference)
                else:
                    layer[key] = Task(key, getitem, TaskRef(reference), taken)
            continue
        assert order is not None
        order = order.astype(np.min_scalar_type(len(order)))
        sorter = shared("shuffle-sorter", order, (order.dtype.str, order.tobytes()))
        split = f"shuffle-split-{token}"
        for a, b in product(front, back):
            parts = []
            for block, taken in pieces:
                reference = (source, *a, block, *b)
                if taken is None:
                    parts.append(TaskRef(reference))
                    continue
                part_key = (split, number, *reference[1:])
                layer[part_key] = Task(part_key, getitem, TaskRef(reference), taken)
                parts.append(TaskRef(part_key))
            key = (name, *a, number, *b)
            layer[key] = Task(key, put_together, List(*parts), sorter, axis)
    return layer


# Shorter runs of neighbours are not worth telling apart from other positions.
_LONG_RUN = 16


def put_together(parts: list[Any], order: np.ndarray, axis: int) -> Any:
    """Pieces side by side, whose elements belong at the positions ``order``."""
    first = parts[0]
    order = order.astype(np.intp)
    if (np.diff(order) == 1).all():
        return join(parts, axis)
    head = (slice(None),) * axis
    if not all(type(part) is np.ndarray and part.dtype == first.dtype for part in parts):
        return join(parts, axis)[head + (np.argsort(order),)]
    shape = list(first.shape)
    shape[axis] = len(order)
    result = np.empty(shape, dtype=first.dtype)
    start = 0
    for part in parts:
        stop = start + part.shape[axis]
        result[head + (order[start:stop],)] = part
        start = stop
    return result
