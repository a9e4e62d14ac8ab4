"""The same elements in another shape.

Axes of the old and the new shape fall into groups with the same number of elements, and each
group is reshaped on its own: a chunk becomes a chunk if its elements are neighbours in memory
order both before and after. Where they are not, the array is cut anew first.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

from samite._task_spec import Task, TaskRef
from samite.array.chunks import boundaries, has_unknown, is_unknown, regular
from samite.array.core import Array, make_array
from samite.array.utils import meta_from_array
from samite.base import tokenize

__all__ = ["ravel", "reshape"]


def reshape(x: Any, shape: Any, merge_chunks: bool = True, limit: Any = None) -> Array:
    """The same elements in another shape, the last axis running fastest.

    Parameters
    ----------
    x:
        The array.
    shape:
        The new shape; one length can be -1, for what is left.
    merge_chunks, limit:
        Hints about the size of chunks; accepted, and not needed by the way it is done here.

    Raises
    ------
    ValueError
        If the number of elements differs.
    """
    from samite.array.storage import asanyarray

    x = asanyarray(x)
    shape = (shape,) if not isinstance(shape, (tuple, list)) else tuple(shape)
    shape = tuple(n if is_unknown(n) else int(n) for n in shape)
    if sum(n == -1 for n in shape) > 1:
        raise ValueError("can only specify one unknown dimension")
    if any(map(has_unknown, x.chunks)):
        return _reshape_unknown(x, shape)
    if -1 in shape:
        rest = math.prod(n for n in shape if n != -1)
        if not rest or x.size % rest:
            if rest or x.size:
                raise ValueError(f"cannot reshape array of size {x.size} into shape {shape}")
            raise ValueError(f"cannot reshape array of size 0 into shape {shape}")
        shape = tuple(x.size // rest if n == -1 else n for n in shape)
    if math.prod(shape) != x.size:
        raise ValueError(f"total size of new array must be unchanged: {x.shape} to {shape}")
    if shape == x.shape:
        return x
    if not x.size:
        from samite.array.creation import empty_like

        return empty_like(x, shape=shape, chunks=tuple((n,) for n in shape))
    cut: list[Any] = []
    new: list[Any] = []
    for old_group, new_group in _groups(x.shape, shape):
        sizes = x.chunks[len(cut) : len(cut) + len(old_group)]
        needed, result = _regroup(old_group, new_group, sizes)
        cut += needed
        new += result
    return _reshaped(x.rechunk(tuple(cut)), tuple(new))


def ravel(x: Any) -> Array:
    """The elements in one dimension, the last axis running fastest."""
    return reshape(x, (-1,))


def _groups(old: tuple[int, ...], new: tuple[int, ...]) -> list[tuple[tuple, tuple]]:
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
    old: tuple[int, ...], new: tuple[int, ...], sizes: tuple[tuple[int, ...], ...]
) -> tuple[list[Any], list[Any]]:
    """How the old axes have to be cut, and how the new ones are then."""
    if old == new:
        return list(sizes), list(sizes)
    old_long = [n for n in old if n != 1]
    new_long = [n for n in new if n != 1]
    if old_long == new_long:
        # Only axes of length one come or go.
        following = iter(s for n, s in zip(old, sizes) if n != 1)
        return list(sizes), [(1,) if n == 1 else next(following) for n in new]
    if len(new_long) <= 1:
        return _merge(old, new, sizes)
    inner_old, inner_new = math.prod(old_long[1:]), math.prod(new_long[1:])
    unit = math.lcm(inner_old, inner_new)
    if not old_long:
        return [(1,)] * len(old), [(1,)] * len(new)
    at = next(axis for axis, n in enumerate(old) if n != 1)
    first = _finer(sizes[at], old[at + 1 :], sizes[at + 1 :])
    edges = _rounded(boundaries(first), unit // inner_old)
    outer = [b - a for a, b in zip(edges, edges[1:])]
    outer_new = tuple(n * inner_old // inner_new for n in outer)
    return _outermost(old, tuple(outer)), _outermost(new, outer_new)


def _finer(
    sizes: tuple[int, ...], inner: tuple[int, ...], inner_sizes: tuple[tuple[int, ...], ...]
) -> tuple[int, ...]:
    """Blocks along an axis, cut so that chunks do not grow when the axes behind it become whole."""
    grown = math.prod(inner) / math.prod(max(block) for block in inner_sizes)
    most = max(1, int(max(sizes) / grown))
    return tuple(part for size in sizes for part in regular(size, most))


def _rounded(edges: list[int], unit: int) -> list[int]:
    """Boundaries moved to multiples of a unit; the end stays."""
    inner = {round(edge / unit) * unit for edge in edges[1:-1]}
    return sorted({0, edges[-1]} | {edge for edge in inner if 0 < edge < edges[-1]})


def _outermost(shape: tuple[int, ...], sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Chunks along the first axis longer than one, and one block along all others."""
    result = [(n,) for n in shape]
    result[next(axis for axis, n in enumerate(shape) if n != 1)] = sizes
    return result


def _merge(
    old: tuple[int, ...], new: tuple[int, ...], sizes: tuple[tuple[int, ...], ...]
) -> tuple[list[Any], list[Any]]:
    """Several axes become one: whole blocks behind the first axis that has blocks of more than
    one element, single elements in front of it."""
    cut: list[tuple[int, ...]] = []
    for axis, (n, along) in enumerate(zip(old, sizes)):
        if not all(max(block) == 1 for block in cut):
            cut.append((n,))
        elif max(along) == 1:
            cut.append(along)
        else:
            cut.append(_finer(along, old[axis + 1 :], sizes[axis + 1 :]))
    lengths = [math.prod(block) for block in product(*cut)]
    return cut, [(1,) if n == 1 else tuple(lengths) for n in new]


def _reshaped(x: Array, chunks: tuple[tuple[int, ...], ...]) -> Array:
    """Chunks in order become chunks in order."""
    name = f"reshape-{tokenize(x, chunks)}"
    layer: dict[Any, Any] = {}
    sources = product(*(range(n) for n in x.numblocks))
    targets = product(*(range(len(sizes)) for sizes in chunks))
    for source, position in zip(sources, targets):
        key = (name, *position)
        shape = tuple(sizes[i] for sizes, i in zip(chunks, position))
        layer[key] = Task(key, _reshape_block, TaskRef((x.name, *source)), shape)
    return make_array(name, layer, chunks, meta_from_array(x._meta, ndim=len(chunks)), [x])


def _reshape_block(block: Any, shape: tuple[int, ...]) -> Any:
    return block.reshape(shape)


def _reshape_unknown(x: Array, shape: tuple[Any, ...]) -> Array:
    """Lengths that are not known can stay what they are, or be part of the only length."""
    if len(shape) == x.ndim and all(
        n == old or (is_unknown(old) and (n == -1 or is_unknown(n)))
        for n, old in zip(shape, x.shape)
    ):
        return x
    if len(shape) == 1 and not any(map(has_unknown, x.chunks[1:])):
        x = x.rechunk(dict.fromkeys(range(1, x.ndim), -1))
        return _reshaped_flat(x)
    raise ValueError(
        f"Array chunk size or shape is unknown. shape: {x.shape}. "
        "x.compute_chunk_sizes() finds it by computing the array."
    )


def _reshaped_flat(x: Array) -> Array:
    name = f"reshape-{tokenize(x, 'flat')}"
    layer: dict[Any, Any] = {}
    for i in range(x.numblocks[0]):
        key = (name, i)
        source = (x.name, i, *(0 for _ in range(x.ndim - 1)))
        layer[key] = Task(key, _reshape_block, TaskRef(source), (-1,))
    chunks = ((float("nan"),) * x.numblocks[0],)
    return make_array(name, layer, chunks, meta_from_array(x._meta, ndim=1), [x])
