"""Cutting an array in another way."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from itertools import product
from numbers import Integral, Number
from types import NoneType
from typing import Any

from samite import config
from samite._schedulers import on_cluster
from samite._task_spec import Alias, List, Task, TaskRef
from samite.array import native
from samite.array.chunk import getitem
from samite.array.chunks import Chunks, has_unknown, is_unknown, normalize_chunks, regular
from samite.array.core import Array, assemble, make_array
from samite.array.rechunk_parts import in_parts, in_parts_pays_off
from samite.array.rechunk_plan import (
    divide_to_width,
    intersect_chunks,
    merge_to_number,
    old_to_new,
    plan_rechunk,
)
from samite.array.utils import normalize_axis
from samite.base import tokenize

__all__ = [
    "divide_to_width",
    "intersect_chunks",
    "merge_to_number",
    "normalize_chunks",
    "old_to_new",
    "plan_rechunk",
    "rechunk",
]


def rechunk(
    x: Array,
    chunks: Any = "auto",
    threshold: int | None = None,
    block_size_limit: Any = None,
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
    threshold:
        How many times the number of old and new chunks the graph may have tasks before chunks in
        between are made; by default the setting ``array.rechunk.threshold``.
    block_size_limit:
        The most bytes of a chunk along automatic axes, and of one in between; by default the
        setting ``array.chunk-size``.
    balance:
        Make the blocks along an axis about as long as each other, of about the length asked for.
    method:
        ``"tasks"`` or ``"p2p"``; by default the setting ``array.rechunk.method``, or ``"p2p"``:
        where many blocks go to many between the workers of a cluster, each piece of a block moves
        once. Elsewhere both are the same. Arrays that the engine knows heed the setting alone.

    Raises
    ------
    ValueError
        If the chunks do not fit the shape, or an axis of unknown length would be cut anew.
    NotImplementedError
        If there is no such method.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.ones((100, 100), chunks=(10, 100))
    >>> x.rechunk({0: -1, 1: 50}).chunks
    ((100,), (50, 50))
    """
    method = method or config.get("array.rechunk.method", None) or "p2p"
    if method not in ("tasks", "p2p"):
        raise NotImplementedError(f"Unknown rechunking method '{method}'")
    if x.ndim and all(n == 0 for n in x.shape) and not isinstance(chunks, (tuple, list, dict)):
        return x
    new = normalize_chunks(
        _filled_in(x, chunks),
        x.shape,
        limit=block_size_limit,
        dtype=x.dtype,
        previous_chunks=x.chunks,
    )
    if balance:
        new = tuple(_balanced(sizes) for sizes in new)
    if len(new) != x.ndim:
        raise ValueError(f"Provided chunks {new} are not consistent with the shape {x.shape}")
    for axis, (old, sizes) in enumerate(zip(x.chunks, new)):
        if _same(old, sizes):
            continue
        if has_unknown(old):
            raise ValueError(
                "Chunks must be unchanging along dimensions with missing values: axis "
                f"{axis} has the chunks {old}, {sizes} were asked for.\n\nA possible solution:\n"
                "  x.compute_chunk_sizes()"
            )
        if sum(old) != sum(sizes):
            raise ValueError(f"Provided chunks {new} are not consistent with the shape {x.shape}")
    # Equal lengths that are not known are not equal, so the old ones stand for them.
    new = tuple(old if _same(old, sizes) else sizes for old, sizes in zip(x.chunks, new))
    if all(old is sizes for old, sizes in zip(x.chunks, new)):
        return x
    result = native.rechunk(x, new)
    if result is not None:
        return result
    if method == "p2p" and on_cluster() and in_parts_pays_off(x.chunks, new):
        return in_parts(x, new)
    steps = plan_rechunk(x.chunks, new, x.dtype.itemsize, threshold, block_size_limit)
    for step in steps:
        x = _one_step(x, step)
    return x


def _filled_in(x: Array, chunks: Any) -> Any:
    """Chunks with what the axes have that are to stay as they are."""
    if isinstance(chunks, dict):
        given = {}
        for axis, size in chunks.items():
            if not isinstance(axis, Integral):
                raise TypeError(f"the axes of chunks have to be integers, not {axis!r}")
            given[normalize_axis(axis, x.ndim)] = size
        chunks = tuple(given.get(axis) for axis in range(x.ndim))
    if not isinstance(chunks, (tuple, list)):
        return (chunks,) * x.ndim if chunks is not None else x.chunks
    if x.ndim == 1 and len(chunks) > 1 and all(isinstance(s, (Number, NoneType)) for s in chunks):
        # The lengths of all blocks; or, where they are not, a length for each axis of a shape.
        whole = None not in chunks and sum(chunks) == x.shape[0]
        chunks = (tuple(chunks),) if whole else chunks[:1]
    if len(chunks) != x.ndim:
        raise ValueError(
            f"Provided chunks {tuple(chunks)} are not consistent with the shape {x.shape}"
        )
    # Every way to cut an axis of unknown length fails but the one that it has.
    return tuple(
        old if size is None or (has_unknown(old) and _keeps(size, old)) else size
        for size, old in zip(chunks, x.chunks)
    )


def _keeps(size: Any, old: Sequence[Any]) -> bool:
    if isinstance(size, (tuple, list)):
        return _same(old, size)
    return size in (-1, "auto") and len(old) == 1


def _same(old: Sequence[Any], new: Sequence[Any]) -> bool:
    return len(old) == len(new) and all(
        a == b or (is_unknown(a) and is_unknown(b)) for a, b in zip(old, new)
    )


def _balanced(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Blocks of one length near the one asked for, of which the last is not much shorter."""
    if has_unknown(sizes) or len(sizes) < 2:
        return sizes
    length, usual = sum(sizes), int(statistics.median(sizes))
    count = len(sizes)
    if min(sizes) <= max(sizes) / 2:
        count -= 1
    best: tuple[int, ...] | None = None
    for size in range(max(1, usual - usual // 2), usual + usual // 2 + 1):
        if -(-length // size) != count:
            continue
        blocks = regular(length, size)
        if best is None or max(blocks) - min(blocks) < max(best) - min(best):
            best = blocks
    if best is None:
        warnings.warn(
            f"chunks of {usual} along an axis of {length} could not be balanced: no length gives "
            f"{count} blocks that are about equal. "
            "Try increasing the chunk size.",
            UserWarning,
            stacklevel=4,
        )
        return sizes
    return best


def _one_step(x: Array, chunks: Chunks) -> Array:
    token = tokenize(x, chunks)
    name, split_name = f"rechunk-merge-{token}", f"rechunk-split-{token}"
    pieces = old_to_new(x.chunks, chunks)
    layer: dict[Any, Any] = {}

    def part(place: tuple[int, ...], taken: tuple[tuple[int, slice], ...]) -> Any:
        """What a new chunk takes of an old one; None is all of it, where this is asked for."""
        source = (x.name, *(block for block, _ in taken))
        if all(
            cut.stop is None or (cut.start == 0 and cut.stop == sizes[block])
            for (block, cut), sizes in zip(taken, x.chunks)
        ):
            return TaskRef(source)
        key = (split_name, *place, *source[1:])
        layer[key] = Task(key, getitem, TaskRef(source), tuple(cut for _, cut in taken))
        return TaskRef(key)

    def nested(place: tuple[int, ...], taken: tuple[Any, ...], behind: Sequence[Any]) -> Any:
        if not behind:
            return part(place, taken)
        return List(*(nested(place, (*taken, piece), behind[1:]) for piece in behind[0]))

    for place in product(*(range(len(sizes)) for sizes in chunks)):
        key = (name, *place)
        parts = [along[i] for along, i in zip(pieces, place)]
        if all(len(along) == 1 for along in parts):
            reference = part(place, tuple(along[0] for along in parts))
            cut = layer.pop(reference.key, None)
            layer[key] = (
                Alias(key, reference.key) if cut is None else Task(key, cut.func, *cut.args)
            )
        else:
            layer[key] = Task(key, assemble, nested(place, (), parts), x.ndim)
    return make_array(name, layer, chunks, x._meta, [x])
