"""Chunks: how an array is cut along each axis.

Chunks are a tuple with one tuple of block lengths for each axis, such as ``((4, 4, 2), (5,))``.
A length that is not known before computing is ``nan``.
"""

from __future__ import annotations

import math
import numbers
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

Chunks = tuple[tuple[int, ...], ...]

_NAN = float("nan")


def is_unknown(length: Any) -> bool:
    """Whether a length is not known."""
    return isinstance(length, float) and math.isnan(length)


def has_unknown(sizes: Iterable[Any]) -> bool:
    """Whether the length of any block along one axis is not known."""
    return any(is_unknown(size) for size in sizes)


def shape_of(chunks: Chunks) -> tuple[Any, ...]:
    """The shape of an array with these chunks; ``nan`` along unknown axes."""
    return tuple(sum(sizes) for sizes in chunks)


def boundaries(sizes: Sequence[int]) -> list[int]:
    """Where blocks begin, and the end: ``[0, 4, 8, 10]`` for ``(4, 4, 2)``."""
    return [0, *accumulate(sizes)]


def regular(length: int, size: int) -> tuple[int, ...]:
    """Blocks of one size, the last one smaller if need be.

    >>> regular(10, 4)
    (4, 4, 2)
    """
    if length == 0:
        return (0,)
    if size <= 0:
        raise ValueError(f"an axis of {length} cannot be cut into blocks of {size}")
    full, rest = divmod(length, size)
    return (size,) * full + ((rest,) if rest else ())


def normalize_chunks(
    chunks: Any,
    shape: Sequence[int] | None = None,
    limit: int | str | None = None,
    dtype: Any = None,
    previous_chunks: Any = None,
) -> Chunks:
    """Write out any of the ways to say how an array is cut.

    Parameters
    ----------
    chunks:
        A size for all axes, or for each axis one of: a size, the sizes of all blocks, ``-1`` or
        ``None`` for one block, ``"auto"``, or a size in bytes such as ``"16MiB"``. A dict gives
        it by axis.
    shape:
        The shape of the array; needed unless all block sizes are given.
    limit:
        The most bytes of a block along automatic axes; by default the setting
        ``array.chunk-size``.
    dtype:
        The element type; needed for automatic axes.
    previous_chunks:
        How the data are stored; automatic blocks are whole multiples of those.

    Raises
    ------
    ValueError
        If the chunks do not fit the shape, or a size cannot be chosen.

    Examples
    --------
    >>> normalize_chunks((2, -1), shape=(5, 6))
    ((2, 2, 1), (6,))
    """
    if chunks is None:
        raise ValueError("chunks have to be given; 'auto' lets them be chosen")
    if shape is not None:
        shape = tuple(shape)
    per_axis = _for_each_axis(chunks, shape)
    if shape is None:
        if not all(isinstance(size, tuple) for size in per_axis):
            raise ValueError(f"without a shape all block sizes have to be given, not {chunks!r}")
        shape = tuple(sum(size) for size in per_axis)
    if len(per_axis) != len(shape):
        raise ValueError(
            f"Chunks and shape must be of the same length/dimension. Got chunks={chunks}, "
            f"shape={shape}"
        )
    limits = [size for size in per_axis if isinstance(size, str) and size != "auto"]
    if limits:
        from samite.utils import parse_bytes

        asked = {parse_bytes(size) for size in limits}
        if len(asked) > 1:
            raise ValueError(f"chunks ask for different limits: {limits}")
        limit = asked.pop()
    if any(isinstance(size, str) for size in per_axis):
        per_axis = _automatic(per_axis, shape, limit, dtype, previous_chunks)
    result = tuple(_blocks(size, length) for size, length in zip(per_axis, shape))
    for sizes, length in zip(result, shape):
        if not has_unknown(sizes) and not is_unknown(length) and sum(sizes) != length:
            raise ValueError(f"Chunks do not add up to shape. Got chunks={result}, shape={shape}")
        if any(size < 0 for size in sizes):
            raise ValueError(f"block sizes cannot be negative: {result}")
    return result


def _plain(size: Any) -> Any:
    """One axis' description, in Python's own types."""
    if isinstance(size, (str, bytes)) or size is None:
        return size
    if isinstance(size, numbers.Number):
        return _NAN if isinstance(size, float) and math.isnan(size) else int(size)
    return tuple(_plain(part) for part in size)


def _for_each_axis(chunks: Any, shape: tuple[int, ...] | None) -> list[Any]:
    if isinstance(chunks, Mapping):
        if shape is None:
            raise ValueError("chunks by axis need a shape")
        return [_plain(chunks.get(axis)) for axis in range(len(shape))]
    if isinstance(chunks, (str, numbers.Number)):
        return [_plain(chunks)] * len(shape or ())
    per_axis = [_plain(size) for size in chunks]
    if shape is not None:
        if not shape and all(size == () or not isinstance(size, tuple) for size in per_axis):
            return []
        if (
            len(shape) == 1
            and len(per_axis) > 1
            and all(isinstance(size, numbers.Number) for size in per_axis)
        ):
            return [tuple(per_axis)]
    return per_axis


def _blocks(size: Any, length: Any) -> tuple[int, ...]:
    if isinstance(size, tuple):
        return size
    if size is None or size == -1 or is_unknown(length):
        return (length,)
    return regular(length, min(size, length) if length else size)


def _automatic(
    per_axis: list[Any],
    shape: tuple[int, ...],
    limit: int | str | None,
    dtype: Any,
    previous_chunks: Any,
) -> list[Any]:
    """Choose sizes for the automatic axes: as equal as they can be, together below the limit."""
    from samite import config
    from samite.utils import parse_bytes

    if dtype is None:
        raise ValueError("automatic chunks need a dtype")
    import numpy as np

    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise NotImplementedError(
            "the size of Python objects is not known before computing, so chunks cannot be "
            "chosen automatically"
        )
    if not dtype.itemsize:
        raise ValueError(f"elements of {dtype!r} have no size to choose chunks by")
    if limit is None:
        limit = config.get("array.chunk-size")
    budget: float = parse_bytes(limit) if isinstance(limit, str) else limit
    budget = max(1.0, budget / dtype.itemsize)
    automatic = [axis for axis, size in enumerate(per_axis) if isinstance(size, str)]
    if any(is_unknown(shape[axis]) for axis in automatic):
        raise ValueError("axes of unknown length cannot be cut automatically")
    for axis, size in enumerate(per_axis):
        if axis not in automatic:
            budget /= max(1, max(_blocks(size, shape[axis]), default=1))
    result = list(per_axis)
    # Axes shorter than the common side leave more for the others, so the shortest goes first.
    for done, axis in enumerate(sorted(automatic, key=lambda axis: shape[axis])):
        side = max(1, int(max(1.0, budget) ** (1 / (len(automatic) - done)) * (1 + 1e-12)))
        size = min(side, shape[axis])
        stored = max(previous_chunks[axis], default=0) if previous_chunks else 0
        if stored and stored < size < shape[axis]:
            size -= size % stored
        result[axis] = size if size else -1
        budget /= max(1, size)
    return result


def common_chunks(candidates: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The coarsest blocks that fit into the blocks of all candidates along one axis.

    A candidate of one element fits any other (it is broadcast).

    Raises
    ------
    ValueError
        If the lengths differ, or unknown lengths cannot be compared.

    >>> common_chunks([(4, 6), (5, 5), (1,)])
    (4, 1, 5)
    """
    different = list(dict.fromkeys(tuple(sizes) for sizes in candidates))
    longer = [sizes for sizes in different if sizes != (1,)]
    if not longer:
        return different[0]
    if len(longer) == 1:
        return longer[0]
    if any(has_unknown(sizes) for sizes in longer):
        if len({len(sizes) for sizes in longer}) == 1:
            # The numbers of blocks are all there is to compare; known lengths are believed.
            known = [sizes for sizes in longer if not has_unknown(sizes)]
            if len(known) <= 1:
                return known[0] if known else longer[0]
        raise ValueError(f"Arrays' chunk sizes are unknown along one axis: {longer}")
    if len({sum(sizes) for sizes in longer}) > 1:
        raise ValueError(f"Chunks do not add up to same value: {longer}")
    edges = sorted(set().union(*(boundaries(sizes) for sizes in longer)))
    return tuple(b - a for a, b in zip(edges, edges[1:])) or (0,)


def locate(edges: Sequence[int], position: int) -> int:
    """The block that an element is in; ``edges`` as from :func:`boundaries`."""
    return bisect_right(edges, position) - 1
