"""Chunks: how an array is cut along each axis.

Chunks are a tuple with one tuple of block lengths for each axis, such as ``((4, 4, 2), (5,))``.
A length that is not known before computing is ``nan``.
"""

from __future__ import annotations

import functools
import math
import numbers
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

# The very object that NumPy has: tuples with it are equal only if it is the same.
from numpy import nan as _NAN

Chunks = tuple[tuple[int, ...], ...]


# Every block is a task at least, and a graph of more of them fits into no memory.
_MOST_BLOCKS = 100_000_000


def is_unknown(length: Any) -> bool:
    """Whether a length is not known."""
    return isinstance(length, float) and math.isnan(length)


def has_unknown(sizes: Iterable[Any]) -> bool:
    """Whether the length of any block along one axis is not known."""
    return is_unknown(sum(sizes))


def shape_of(chunks: Chunks) -> tuple[Any, ...]:
    """The shape of an array with these chunks; ``nan`` along unknown axes."""
    return tuple(sum(sizes) for sizes in chunks)


def boundaries(sizes: Sequence[int]) -> list[int]:
    """Where blocks begin, and the end: ``[0, 4, 8, 10]`` for ``(4, 4, 2)``."""
    return [0, *accumulate(sizes)]


def check_blocks(operation: str, blocks: int, length: Any) -> None:
    """Raise ValueError where an axis has more elements, or blocks, than there can be."""
    if length > sys.maxsize:
        raise ValueError(f"{operation}: maximum allowed dimension exceeded by {length} elements")
    if blocks > _MOST_BLOCKS:
        raise ValueError(
            f"{operation} makes {blocks} blocks along an axis, more than {_MOST_BLOCKS}: "
            "choose larger chunks"
        )


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
    if full > _MOST_BLOCKS:
        raise ValueError(
            f"an axis of {length} in blocks of {size} has {full} blocks, more than {_MOST_BLOCKS}: "
            "choose larger chunks"
        )
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
        How the data are stored, or were cut: automatic blocks are whole multiples of those, and
        grow alike along all axes.

    Raises
    ------
    ValueError
        If the chunks do not fit the shape, or a size cannot be chosen.
    TypeError
        If a dtype is needed and not given.
    NotImplementedError
        If sizes have to be chosen for Python objects, whose size is not known.

    Examples
    --------
    >>> normalize_chunks((2, -1), shape=(5, 6))
    ((2, 2, 1), (6,))
    """
    if chunks is None:
        raise ValueError(
            "chunks have to be given: a size, sizes for each axis, or 'auto'. The ways to say it "
            "are those of https://docs.dask.org/en/latest/array-chunks.html"
        )
    if shape is None and _is_written_out(chunks):
        return chunks
    if shape is not None:
        shape = tuple(map(_length, shape))
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
    if any(isinstance(size, str) for size in per_axis):
        limit = _one_limit(per_axis, limit)
        per_axis = _automatic(per_axis, shape, limit, dtype, previous_chunks)
    result = tuple(_blocks(size, length) for size, length in zip(per_axis, shape))
    for sizes, length in zip(result, shape):
        if not sizes:
            raise ValueError(
                "Empty tuples are not allowed in chunks. Express zero length dimensions with 0(s) "
                "in chunks"
            )
        if any(size < 0 for size in sizes):
            raise ValueError(f"block sizes cannot be negative: {result}")
        if not is_unknown(length) and length > sys.maxsize:
            raise ValueError(f"maximum allowed dimension exceeded: {length} elements in an axis")
        if not has_unknown(sizes) and not is_unknown(length) and sum(sizes) != length:
            raise ValueError(f"Chunks do not add up to shape. Got chunks={result}, shape={shape}")
    return result


@functools.lru_cache(maxsize=1024)
def _cached(
    chunks: Any, shape: Any, limit: Any, dtype: Any, previous_chunks: Any, limit_set: Any
) -> Chunks:
    return normalize_chunks(chunks, shape, limit, dtype, previous_chunks)


def normalize_chunks_cached(
    chunks: Any,
    shape: Any = None,
    limit: Any = None,
    dtype: Any = None,
    previous_chunks: Any = None,
) -> Chunks:
    """As :func:`normalize_chunks`, for arguments that can be hashed; remembers results."""
    from samite import config

    return _cached(chunks, shape, limit, dtype, previous_chunks, config.get("array.chunk-size"))


def _is_written_out(chunks: Any) -> bool:
    """Whether nothing is left to do: the usual case, in which no block is looked at in Python."""
    if type(chunks) is not tuple:
        return False
    for sizes in chunks:
        if type(sizes) is not tuple or not sizes:
            return False
        if set(map(type, sizes)) != {int} or min(sizes) < 0:
            return False
    return True


def _one_limit(per_axis: list[Any], limit: int | str | None) -> int | str | None:
    """The limit that sizes in bytes ask for, or the one that is given."""
    from samite.utils import parse_bytes

    asked = {parse_bytes(size) for size in per_axis if isinstance(size, str) and size != "auto"}
    if len(asked) > 1:
        raise ValueError(f"chunks ask for different limits: {sorted(asked)} bytes")
    if not asked:
        return limit
    (found,) = asked
    if limit is not None and parse_bytes(limit) != found:
        raise ValueError(
            f"the limit of {limit} and chunks of {found} bytes contradict each other; give one"
        )
    return found


def _length(length: Any) -> Any:
    """The length of an axis, in Python's own types."""
    if isinstance(length, numbers.Integral):
        if length < 0:
            raise ValueError(f"an axis cannot have the length {length}")
        return int(length)
    if isinstance(length, numbers.Real) and not isinstance(length, bool):
        if math.isnan(length):
            return _NAN
        if length == int(length):
            return int(length)
    raise TypeError(f"the length of an axis is an integer, not {length!r}")


def _plain(size: Any) -> Any:
    """One axis' description, in Python's own types."""
    if isinstance(size, str) or size is None:
        return size
    if isinstance(size, numbers.Number):
        if isinstance(size, float) and math.isnan(size):
            return _NAN
        if size != int(size):  # type: ignore[call-overload]
            raise ValueError(f"chunks can only contain integers, not {size!r}")
        return int(size)  # type: ignore[call-overload]
    if not isinstance(size, Iterable) or isinstance(size, (bytes, Mapping)):
        raise TypeError(f"chunks cannot be described by {type(size).__name__}: {size!r}")
    return tuple(_plain(part) for part in size)


def _for_each_axis(chunks: Any, shape: tuple[int, ...] | None) -> list[Any]:
    if isinstance(chunks, Mapping):
        if shape is None:
            raise ValueError("chunks by axis need a shape")
        return [_plain(chunks.get(axis)) for axis in range(len(shape))]
    if isinstance(chunks, (str, numbers.Number)):
        if shape is None:
            raise ValueError(f"without a shape all block sizes have to be given, not {chunks!r}")
        return [_plain(chunks)] * len(shape)
    per_axis = list(_plain(chunks))
    if shape is not None:
        if not shape and all(size == () or not isinstance(size, tuple) for size in per_axis):
            return []
        if not per_axis and shape and not any(shape):
            # No blocks at all are one way to cut an array without elements.
            return [(0,)] * len(shape)
        if (
            len(shape) == 1
            and len(per_axis) > 1
            and all(isinstance(size, numbers.Number) for size in per_axis)
        ):
            return [tuple(per_axis)]
    return per_axis


def _blocks(size: Any, length: Any) -> tuple[int, ...]:
    if isinstance(size, tuple):
        if any(not isinstance(part, (int, float)) for part in size):
            raise ValueError(f"the sizes of blocks along one axis are numbers, not {size}")
        return size
    if size is None or size == -1:
        return (length,)
    if is_unknown(length):
        raise ValueError(
            f"Array chunk sizes are unknown along an axis, so it cannot be cut into blocks of "
            f"{size}. x.compute_chunk_sizes() finds the lengths by computing the array."
        )
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
        raise TypeError("automatic chunks need a dtype, since sizes are chosen by bytes")
    import numpy as np

    dtype = np.dtype(dtype)
    if dtype.hasobject:
        raise NotImplementedError(
            "the size of Python objects is not known before computing, so chunks cannot be "
            "chosen automatically; give chunks, for example chunks=-1 or a size for each axis"
        )
    if not dtype.itemsize:
        raise ValueError(f"elements of {dtype!r} have no size to choose chunks by")
    if limit is None:
        limit = config.get("array.chunk-size")
    budget: float = parse_bytes(limit) if isinstance(limit, str) else limit  # type: ignore[assignment]
    budget = max(1.0, budget / dtype.itemsize)
    automatic = [axis for axis, size in enumerate(per_axis) if isinstance(size, str)]
    if any(is_unknown(shape[axis]) for axis in automatic):
        raise ValueError(
            "axes of unknown length cannot be cut with chunks='auto'. x.compute_chunk_sizes() "
            "finds the lengths by computing the array"
        )
    for axis, size in enumerate(per_axis):
        if axis not in automatic:
            largest = max(_blocks(size, shape[axis]), default=1)
            if is_unknown(largest):
                raise ValueError(
                    "chunks='auto' is not possible beside blocks of unknown length: "
                    f"{tuple(per_axis)}"
                )
            budget /= max(1, largest)
    stored = _stored(previous_chunks, len(shape))
    if stored and all(stored[axis] for axis in automatic):
        sizes = _scaled({axis: stored[axis] for axis in automatic}, shape, budget)
    else:
        sizes = _equal(automatic, shape, budget)
    result = list(per_axis)
    for axis in automatic:
        result[axis] = sizes[axis] if shape[axis] else -1
    return result


def _stored(previous_chunks: Any, ndim: int) -> list[tuple[int, ...]] | None:
    """Former block sizes for each axis; None where they are not known."""
    if not previous_chunks:
        return None
    stored = [
        (size,) if isinstance(size, numbers.Number) else tuple(size)  # type: ignore[misc]
        for size in previous_chunks
    ]
    if len(stored) != ndim or any(has_unknown(sizes) for sizes in stored):
        return None
    return stored


def _equal(automatic: list[int], shape: tuple[int, ...], budget: float) -> dict[int, int]:
    """The same size along all axes, but for those that are shorter than it."""
    sizes: dict[int, int] = {}
    open_axes = list(automatic)
    while open_axes:
        side = max(1, int(max(1.0, budget) ** (1 / len(open_axes)) * (1 + 1e-12)))
        short = [axis for axis in open_axes if shape[axis] <= side]
        for axis in short or open_axes:
            sizes[axis] = min(side, shape[axis])
        if not short:
            break
        for axis in short:
            budget /= max(1, shape[axis])
        open_axes = [axis for axis in open_axes if axis not in short]
    return sizes


def _scaled(
    stored: dict[int, tuple[int, ...]], shape: tuple[int, ...], budget: float
) -> dict[int, Any]:
    """Former blocks, all axes grown or shrunk by one factor as far as they are long enough."""
    from statistics import median_high

    from samite import config

    largest = math.prod(max(1, max(sizes)) for sizes in stored.values())
    tolerance = float(config.get("array.chunk-size-tolerance", 1.25) or 1.0)
    kept = all(sum(sizes) == shape[axis] for axis, sizes in stored.items())
    if kept and budget < largest <= budget * tolerance:
        # Blocks that are hardly too large are better left as they are than cut anew.
        return dict(stored)
    base = {axis: max(1, int(median_high(sizes))) for axis, sizes in stored.items()}
    result: dict[int, Any] = {}
    open_axes = sorted(base, key=lambda axis: base[axis])
    while open_axes:
        factor = budget / math.prod(base[axis] for axis in open_axes)
        growth = max(0.0, factor) ** (1 / len(open_axes))
        # Axes that cannot grow or shrink as much go first; the others make up for them.
        axis = next(
            (a for a in open_axes if not 1 <= base[a] * growth < shape[a]),
            open_axes[0],
        )
        whole = max(1, min(shape[axis], int(base[axis] * growth * (1 + 1e-12))))
        if factor >= 1 and base[axis] <= whole < shape[axis]:
            whole -= whole % base[axis]
        result[axis] = whole
        budget /= whole
        open_axes.remove(axis)
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
            # The numbers of blocks are all there is to compare. One block against one is for NumPy
            # to compare; blocks of known lengths against several others would be broadcast each
            # to what it meets, and give what is not the sum of the arrays.
            known = [sizes for sizes in longer if not has_unknown(sizes)]
            if not known or (len(known) == 1 and len(known[0]) == 1):
                return known[0] if known else longer[0]
        raise ValueError(f"Arrays' chunk sizes are unknown along one axis: {longer}")
    if len({sum(sizes) for sizes in longer}) > 1:
        raise ValueError(f"Chunks do not add up to same value: {longer}")
    edges = sorted(set().union(*(boundaries(sizes) for sizes in longer)))
    return tuple(b - a for a, b in zip(edges, edges[1:])) or (0,)


def _check_regular_chunks(chunkset: Chunks) -> bool:
    """Whether all blocks along each axis are equal, but for a smaller last one.

    >>> _check_regular_chunks(((2, 2, 1),)), _check_regular_chunks(((1, 2, 1),))
    (True, False)
    """
    for sizes in chunkset:
        if any(size != sizes[0] for size in sizes[:-1]) or sizes[-1] > sizes[0]:
            return False
    return True


def blockdims_from_blockshape(shape: Sequence[Any], chunks: Any) -> Chunks:
    """The blocks along each axis, of one size but for the last.

    Raises
    ------
    TypeError
        If there are no chunks.

    >>> blockdims_from_blockshape((10, 5), (4, 5))
    ((4, 4, 2), (5,))
    """
    if chunks is None:
        raise TypeError("Must supply chunks= keyword argument")
    if shape is None:
        raise TypeError("Must supply shape= keyword argument")
    return tuple(regular(int(length), int(size)) for length, size in zip(shape, chunks))


def common_blockdim(blockdims: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """As :func:`common_chunks`; without candidates there are no blocks."""
    candidates = list(blockdims)
    return common_chunks(candidates) if candidates else ()


def locate(edges: Sequence[int], position: int) -> int:
    """The block that an element is in; ``edges`` as from :func:`boundaries`."""
    return bisect_right(edges, position) - 1
