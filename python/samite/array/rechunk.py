"""Cutting an array in another way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from samite._task_spec import Alias, List, Task, TaskRef
from samite.array.chunks import boundaries, has_unknown, is_unknown, locate, normalize_chunks
from samite.array.core import Array, assemble, make_array
from samite.array.utils import normalize_axis
from samite.base import tokenize

__all__ = ["rechunk"]


def rechunk(
    x: Array,
    chunks: Any = "auto",
    threshold: int | None = None,
    block_size_limit: int | None = None,
    balance: bool = False,
    method: str | None = None,
) -> Array:
    """The same array, cut in another way.

    Parameters
    ----------
    x:
        The array.
    chunks:
        The new chunks; see :func:`~samite.array.chunks.normalize_chunks`. A dict names the axes
        that change; None and an axis left out mean that an axis stays as it is.
    block_size_limit:
        The most bytes of a chunk along automatic axes.
    balance:
        Make the blocks along an axis about as long as each other, of at most the length asked
        for.
    threshold, method:
        Say how to do it where there is a choice; there is one way here.

    Raises
    ------
    ValueError
        If the chunks do not fit the shape, or an axis of unknown length would be cut anew.
    """
    if isinstance(chunks, dict):
        given = {normalize_axis(axis, x.ndim): size for axis, size in chunks.items()}
        chunks = tuple(
            x.chunks[axis] if given.get(axis) is None else given[axis] for axis in range(x.ndim)
        )
    elif isinstance(chunks, (tuple, list)) and len(chunks) == x.ndim:
        chunks = tuple(old if size is None else size for size, old in zip(chunks, x.chunks))
    if isinstance(chunks, (tuple, list)):
        # Every way to cut an axis of unknown length fails but the one that it has.
        chunks = tuple(
            tuple(old) if has_unknown(old) and _keeps(size, old) else size
            for size, old in zip(chunks, x.chunks)
        ) if len(chunks) == x.ndim else chunks  # fmt: skip
    new = normalize_chunks(
        chunks, x.shape, limit=block_size_limit, dtype=x.dtype, previous_chunks=None
    )
    if balance:
        new = tuple(_balanced(sizes) for sizes in new)
    if all(_same(old, sizes) for old, sizes in zip(x.chunks, new)):
        return x
    for old, sizes in zip(x.chunks, new):
        if has_unknown(old) and not _same(old, sizes):
            raise ValueError("Arrays chunk sizes along an axis to be rechunked are unknown")
        if sum(old) != sum(sizes) and not has_unknown(old):
            raise ValueError("Provided chunks are not consistent with shape")
    name = f"rechunk-merge-{tokenize(x, new)}"
    plans = [_pieces(old, sizes) for old, sizes in zip(x.chunks, new)]
    layer: dict[Any, Any] = {}
    for position in product(*(range(len(sizes)) for sizes in new)):
        key = (name, *position)
        layer[key] = _task(key, x.name, [plan[i] for plan, i in zip(plans, position)])
    return make_array(name, layer, new, x._meta, [x])


def _keeps(size: Any, old: Sequence[Any]) -> bool:
    if isinstance(size, (tuple, list)):
        return len(size) == len(old) and all(map(is_unknown, size))
    return size in (-1, "auto") and len(old) == 1


def _same(old: Sequence[Any], new: Sequence[Any]) -> bool:
    return len(old) == len(new) and all(
        a == b or (is_unknown(a) and is_unknown(b)) for a, b in zip(old, new)
    )


def _balanced(sizes: tuple[int, ...]) -> tuple[int, ...]:
    length, count = sum(sizes), len(sizes)
    if has_unknown(sizes) or not length:
        return sizes
    low, more = divmod(length, count)
    return (low + 1,) * more + (low,) * (count - more)


def _pieces(old: Sequence[int], new: Sequence[int]) -> list[list[tuple[int, slice]]]:
    """For each new block along one axis the old blocks in it, and what it takes of each."""
    if has_unknown(old):
        return [[(i, slice(None))] for i in range(len(old))]
    edges = boundaries(old)
    result = []
    start = 0
    for size in new:
        stop = start + size
        pieces = []
        # An empty block takes nothing of some block that is there.
        block = min(locate(edges, start), len(old) - 1)
        while block < len(old) and (edges[block] < stop or not pieces):
            low, high = max(start, edges[block]), min(stop, edges[block + 1])
            if high > low or (not size and not pieces):
                high = max(low, high)
                whole = low == edges[block] and high == edges[block + 1]
                part = slice(None) if whole else slice(low - edges[block], high - edges[block])
                pieces.append((block, part))
            block += 1
        result.append(pieces)
        start = stop
    return result


def _task(key: Any, source: str, pieces: list[list[tuple[int, slice]]]) -> Any:
    """The task of a new block."""
    if all(len(parts) == 1 for parts in pieces):
        reference = (source, *(parts[0][0] for parts in pieces))
        index = tuple(parts[0][1] for parts in pieces)
        if all(part == slice(None) for part in index):
            return Alias(key, reference)
        return Task(key, _cut, TaskRef(reference), index)

    def nested(head: tuple[Any, ...], axis: int) -> Any:
        if axis == len(pieces):
            return TaskRef(head)
        return List(*(nested((*head, block), axis + 1) for block, _ in pieces[axis]))

    cuts = [[part for _, part in parts] for parts in pieces]
    return Task(key, _cut_and_join, nested((source,), 0), cuts)


def _cut(block: Any, index: tuple[slice, ...]) -> Any:
    # A copy, so that a small piece does not keep a large block in memory.
    part = block[index]
    return part.copy() if 2 * part.size < block.size else part


def _cut_and_join(blocks: Any, cuts: list[list[slice]]) -> Any:
    def cut(nested: Any, index: tuple[slice, ...]) -> Any:
        axis = len(index)
        if axis == len(cuts):
            return nested[index]
        return [cut(part, (*index, piece)) for part, piece in zip(nested, cuts[axis])]

    return assemble(cut(blocks, ()), len(cuts))
