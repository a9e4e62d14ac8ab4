"""The same elements in another shape.

Axes of the old and the new shape fall into groups with the same number of elements, and each
group is reshaped on its own: a chunk becomes a chunk if its elements are neighbours in memory
order both before and after. Where they are not, the array is cut anew first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.array import native
from samite.array.chunks import Chunks, boundaries, has_unknown, is_unknown, regular
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = [
    "contract_tuple",
    "expand_tuple",
    "ravel",
    "reshape",
    "reshape_blockwise",
    "reshape_rechunk",
]

Sizes = tuple[int, ...]


def reshape(x: Any, shape: Any, merge_chunks: bool = True, limit: Any = None) -> Array:
    """The same elements in another shape, the last axis running fastest.

    Parameters
    ----------
    x:
        The array.
    shape:
        The new shape; one length can be -1, for what is left.
    merge_chunks:
        Where axes become one, join the chunks along the last of them; otherwise the first ones are
        cut into blocks of one element, so that there are more chunks and nothing is joined.
    limit:
        The most bytes of a chunk of the result, beyond which chunks are not merged.

    Raises
    ------
    ValueError
        If the number of elements differs, or lengths that are not known would change.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.arange(24, chunks=12).reshape(2, 3, 4)
    >>> x.reshape(6, 4).chunks
    ((3, 3), (4,))
    """
    from samite.array.storage import asanyarray

    x = asanyarray(x)
    shape = (shape,) if not isinstance(shape, (tuple, list)) else tuple(shape)
    shape = tuple(n if is_unknown(n) else int(n) for n in shape)
    if sum(not is_unknown(n) and n == -1 for n in shape) > 1:
        raise ValueError("can only specify one unknown dimension")
    if any(not is_unknown(n) and n < -1 for n in shape):
        raise ValueError(f"lengths cannot be negative: {shape}")
    if any(map(has_unknown, x.chunks)):
        return _reshape_unknown(x, shape)
    if any(map(is_unknown, shape)):
        raise ValueError(f"the new shape {shape} has a length that is not known")
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        if not rest or x.size % rest:
            raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
        shape = tuple(x.size // rest if n == -1 else n for n in shape)
    if math.prod(shape) != x.size:
        raise ValueError(f"total size of new array must be unchanged: {x.shape} to {shape}")
    if shape == x.shape:
        return x
    if not x.size:
        from samite.array.creation import empty_like

        return empty_like(x, shape=shape, chunks=tuple((n,) for n in shape))
    if x.npartitions == 1:
        return reshaped(x, tuple((n,) for n in shape))
    if limit is not None and merge_chunks:
        from samite.utils import parse_bytes

        _, new, _, _ = reshape_rechunk(x.shape, shape, x.chunks)
        most = parse_bytes(limit) if isinstance(limit, str) else limit
        merge_chunks = math.prod(map(max, new)) * x.itemsize <= most
    cut, new, _, _ = reshape_rechunk(x.shape, shape, x.chunks, merge_chunks)
    return reshaped(x.rechunk(cut), new)


def ravel(x: Any) -> Array:
    """The elements in one dimension, the last axis running fastest."""
    return reshape(x, (-1,))


def reshape_rechunk(
    old_shape: Sequence[int],
    new_shape: Sequence[int],
    chunks: Sequence[Sequence[int]],
    merge_chunks: bool = True,
) -> tuple[Chunks, Chunks, dict[int, list[int]], list[int]]:
    """How an array has to be cut so that its chunks become those of the new shape in order.

    Returns
    -------
    The chunks before and after, the axes of the result by axis of the array, and the axes of the
    result that have one element.
    """
    cut: list[Sizes] = []
    new: list[Sizes] = []
    axes: dict[int, list[int]] = {}
    for old_group, new_group in _groups(tuple(old_shape), tuple(new_shape)):
        start, end = len(cut), len(cut) + len(old_group)
        sizes = tuple(tuple(along) for along in chunks[start:end])
        for axis in range(start, end):
            axes[axis] = list(range(len(new), len(new) + len(new_group)))
        needed, result = _regroup(old_group, new_group, sizes, merge_chunks)
        cut += needed
        new += result
    ones = [axis for axis, n in enumerate(new_shape) if n == 1]
    return tuple(cut), tuple(new), axes, ones


def _groups(old: Sizes, new: Sizes) -> list[tuple[Sizes, Sizes]]:
    """Neighbouring axes with the same number of elements, in both shapes, as few as can be."""
    result = []
    i = j = 0
    while i < len(old) or j < len(new):
        first_i, first_j = i, j
        # Axes of length one join no group that does not need them.
        before = after = 1
        if i < len(old):
            before, i = old[i], i + 1
        if j < len(new):
            after, j = new[j], j + 1
        while before != after:
            if before < after:
                before, i = before * old[i], i + 1
            else:
                after, j = after * new[j], j + 1
        if (i == len(old)) != (j == len(new)):
            while i < len(old) and j == len(new):
                i += 1
            while j < len(new) and i == len(old):
                j += 1
        result.append((old[first_i:i], new[first_j:j]))
    return result


def _regroup(
    old: Sizes, new: Sizes, sizes: tuple[Sizes, ...], merge_chunks: bool
) -> tuple[list[Sizes], list[Sizes]]:
    """How the old axes have to be cut, and how the new ones are then."""
    if old == new:
        return list(sizes), list(sizes)
    old_long = [n for n in old if n != 1]
    new_long = [n for n in new if n != 1]
    # What is done is done on the axes longer than one; the others have one block of one.
    long_sizes = [along for n, along in zip(old, sizes) if n != 1]
    if old_long == new_long:
        cut, result = long_sizes, long_sizes
    elif not old_long:
        cut, result = [], []
    elif len(new_long) <= 1:
        cut, result = _merge(long_sizes, merge_chunks)
    elif len(old_long) == 1:
        cut, result = _divide(long_sizes[0], new_long)
    else:
        cut, result = _regroup_outermost(old_long, new_long, long_sizes)
    return _with_ones(old, cut), _with_ones(new, result)


def _with_ones(shape: Sizes, sizes: Sequence[Sizes]) -> list[Sizes]:
    following = iter(sizes)
    return [(1,) if n == 1 else next(following) for n in shape]


def _merge(sizes: Sequence[Sizes], merge_chunks: bool) -> tuple[list[Sizes], list[Sizes]]:
    """Several axes become one. Elements of a chunk are neighbours if all axes in front of the
    first with longer blocks have blocks of one element, and those behind it one block."""
    if all(max(along) == 1 for along in sizes[:-1]):
        cut = list(sizes)
    elif not merge_chunks:
        cut = [*((1,) * sum(along) for along in sizes[:-1]), sizes[-1]]
    else:
        first = next(axis for axis, along in enumerate(sizes) if max(along) > 1)
        joined = math.prod(len(along) for along in sizes[first + 1 :])
        cut = list(sizes[:first])
        cut.append(expand_tuple(sizes[first], joined))
        cut += [(sum(along),) for along in sizes[first + 1 :]]
        most = math.prod(max(along) for along in sizes)
        cut = _smooth_chunks(first, len(cut) - 1, most, cut)
    return cut, [tuple(math.prod(block) for block in product(*cut))]


def _divide(sizes: Sizes, new: Sequence[int]) -> tuple[list[Sizes], list[Sizes]]:
    """One axis becomes several."""
    most = max(sizes)
    inner = math.prod(new[1:])
    if most >= inner:
        # Blocks of whole numbers of the inner axes, as near to the old ones as can be.
        whole = tuple(n // inner for n in contract_tuple(sizes, inner))
        result = _smooth_chunks(0, len(new) - 1, most, [whole, *((n,) for n in new[1:])])
    else:
        result = _smooth_chunks(0, len(new) - 1, most, [(n,) for n in new])
    return [tuple(math.prod(block) for block in product(*result))], result


def _smooth_chunks(first: int, last: int, most_elements: int, sizes: Sequence[Any]) -> list[Any]:
    """Blocks along some axes, cut so that chunks have at most a number of elements.

    Elements stay neighbours: an axis is cut only if those in front have blocks of one element.

    Parameters
    ----------
    first, last:
        The first and the last axis.
    most_elements:
        The number of elements.
    sizes:
        The blocks along each axis.
    """
    result = list(sizes)
    for axis in range(first, last + 1):
        behind = math.prod(max(along) for along in result[axis + 1 : last + 1])
        most = most_elements / behind
        if max(result[axis]) > most:
            result[axis] = tuple(
                part for size in result[axis] for part in _parts(size, max(1.0, most))
            )
        if max(result[axis]) > 1:
            break
    return result


def _parts(size: int, most: float) -> Sizes:
    """A block cut into parts of about the same length, the shorter ones first."""
    count = math.ceil(size / most)
    low, more = divmod(size, count)
    return (low,) * (count - more) + (low + 1,) * more


def expand_tuple(chunks: Sequence[int], factor: int) -> Sizes:
    """Blocks cut into a number of parts each, as far as they are long enough.

    >>> expand_tuple((7, 4), 3)
    (2, 2, 3, 1, 1, 2)
    """
    if factor == 1:
        return tuple(chunks)
    result = []
    for size in chunks:
        part = max(1.0, size / factor)
        while size >= 2 * part:
            result.append(int(part))
            size -= int(part)
        if size:
            result.append(size)
    return tuple(result)


def contract_tuple(chunks: Sequence[int], factor: int) -> Sizes:
    """Blocks whose lengths are multiples of a factor; what is too much goes to the next.

    >>> contract_tuple((1, 1, 2, 3, 1), 2)
    (2, 2, 2, 2)
    """
    result = []
    left = 0
    for size in chunks:
        whole, left = divmod(size + left, factor)
        if whole:
            result.append(whole * factor)
    return tuple(result)


def _regroup_outermost(
    old: Sequence[int], new: Sequence[int], sizes: Sequence[Sizes]
) -> tuple[list[Sizes], list[Sizes]]:
    """Several axes become several others: only the first ones have more than one block."""
    inner_old, inner_new = math.prod(old[1:]), math.prod(new[1:])
    unit = math.lcm(inner_old, inner_new) // inner_old
    grown = inner_old / math.prod(max(along) for along in sizes[1:])
    most = max(1, int(max(sizes[0]) / grown))
    edges = boundaries([part for size in sizes[0] for part in regular(size, most)])
    # Boundaries that are boundaries in the new shape too.
    inner = {round(edge / unit) * unit for edge in edges[1:-1]}
    edges = sorted({0, edges[-1]} | {edge for edge in inner if 0 < edge < edges[-1]})
    outer = tuple(b - a for a, b in zip(edges, edges[1:]))
    outer_new = tuple(n * inner_old // inner_new for n in outer)
    return [outer, *((n,) for n in old[1:])], [outer_new, *((n,) for n in new[1:])]


def reshaped(x: Array, chunks: Chunks) -> Array:
    """Chunks in order become chunks in order."""
    result = native.reshape(x, chunks)
    if result is not None:
        return result
    name = f"reshape-{tokenize(x, chunks)}"
    layer: dict[Any, Any] = {}
    sources = product(*(range(n) for n in x.numblocks))
    targets = product(*(range(len(sizes)) for sizes in chunks))
    for source, position in zip(sources, targets):
        key = (name, *position)
        lengths = (sizes[i] for sizes, i in zip(chunks, position))
        shape = tuple(-1 if is_unknown(n) else n for n in lengths)
        layer[key] = Task(key, _reshape_block, TaskRef((x.name, *source)), shape)
    return make_array(name, layer, chunks, meta_from_array(x._meta, ndim=len(chunks)), [x])


def _reshape_block(block: Any, shape: tuple[int, ...]) -> Any:
    return block.reshape(shape)


# -- lengths that are not known ------------------------------------------------------------


def _reshape_unknown(x: Array, shape: tuple[Any, ...]) -> Array:
    """A first length that is not known can stay what it is, or be part of the only length."""
    if len(shape) == x.ndim and all(
        (is_unknown(old) and (is_unknown(n) or n == -1)) or n == old
        for n, old in zip(shape, x.shape)
    ):
        return x
    if not any(map(has_unknown, x.chunks[1:])):
        if len(shape) == 1 and (is_unknown(shape[0]) or shape[0] == -1):
            x = x.rechunk(dict.fromkeys(range(1, x.ndim), -1))
            return reshaped(x, ((np.nan,) * x.numblocks[0],))
        first_stays = bool(shape) and (is_unknown(shape[0]) or shape[0] == -1)
        if first_stays and math.prod(shape[1:]) == math.prod(x.shape[1:]) != 0:
            cut, new, _, _ = reshape_rechunk(x.shape[1:], shape[1:], x.chunks[1:])
            return reshaped(x.rechunk(dict(enumerate(cut, 1))), (x.chunks[0], *new))
    raise ValueError(
        f"Array chunk size or shape is unknown. shape: {x.shape}, asked for: {shape}. "
        "x.compute_chunk_sizes() finds it by computing the array."
    )


# -- chunk by chunk ------------------------------------------------------------------------


def reshape_blockwise(x: Array, shape: Any, chunks: Any = None) -> Array:
    """Every chunk in another shape of its own.

    The elements come in another order than with :func:`reshape`, so that no chunks have to be cut
    or joined. It can be undone: reshape back to ``x.shape`` with ``chunks=x.chunks``.

    Parameters
    ----------
    x:
        The array.
    shape:
        The new shape, in which neighbouring axes are joined, or divided again.
    chunks:
        The chunks of the result; to be given if axes are divided.

    Raises
    ------
    ValueError
        If the number of elements differs, chunks do not fit, or lengths are not known.
    TypeError
        If axes are divided and there are no chunks.
    NotImplementedError
        If some axes are joined and others divided.
    """
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if any(map(has_unknown, x.chunks)):
        raise ValueError(
            f"Array chunk size or shape is unknown. shape: {x.shape}. "
            "x.compute_chunk_sizes() finds it by computing the array."
        )
    if math.prod(shape) != x.size:
        raise ValueError(f"total size of new array must be unchanged: {x.shape} to {shape}")
    if len(shape) > x.ndim:
        if chunks is None:
            raise TypeError("Need to specify chunks if expanding dimensions.")
        new = tuple(tuple(sizes) for sizes in chunks)
        return reshaped(x, _checked_blocks(x, shape, new))
    if chunks is not None and (len(shape) < x.ndim or shape != x.shape):
        raise ValueError("Setting chunks is not allowed when reducing the number of dimensions.")
    if shape == x.shape:
        return x
    if not x.size or any(len(group[1]) != 1 for group in _groups(x.shape, shape)):
        raise NotImplementedError(
            "reshape_blockwise not implemented for expanding dimensions without passing chunk "
            f"hints: {x.shape} to {shape}"
        )
    result = []
    axis = 0
    for old, _ in _groups(x.shape, shape):
        blocks = product(*x.chunks[axis : axis + len(old)])
        result.append(tuple(math.prod(block) for block in blocks))
        axis += len(old)
    return reshaped(x, tuple(result))


def _checked_blocks(x: Array, shape: tuple[int, ...], chunks: Chunks) -> Chunks:
    """Chunks that have the elements of the chunks of the array, one after the other."""
    axis = 0
    for n, (old, new) in enumerate(_groups(shape, x.shape)):
        sizes = chunks[axis : axis + len(old)]
        joined = [math.prod(block) for block in product(*sizes)]
        if len(new) != 1 or joined != list(x.chunks[n]):
            raise ValueError(
                f"Chunk sizes do not match for the following chunks: {sizes} along axes "
                f"{list(range(axis, axis + len(old)))} of the new shape {shape}, of the chunks "
                f"{x.chunks}"
            )
        axis += len(old)
    if tuple(map(sum, chunks)) != shape or np.prod([len(c) for c in chunks]) != x.npartitions:
        raise ValueError(
            f"Chunk sizes do not match for the following chunks: {chunks}, the shape is {shape}"
        )
    return chunks
