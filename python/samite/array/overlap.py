"""Chunks that overlap: each gets some elements of its neighbours, and of what is beyond the ends.

Boundaries are added at the ends of the array first, then every chunk is joined with strips of its
neighbours. A strip is a task of its own, so that no chunk travels whole to all its neighbours.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from numbers import Integral, Number
from typing import Any

import numpy as np

from samite._task_spec import Alias, List, Task, TaskRef
from samite.array.assembly import assemble, join
from samite.array.blocks import map_blocks
from samite.array.blockwise import blockwise, unify_chunks
from samite.array.chunk import getitem as chunk_getitem
from samite.array.chunks import Chunks, has_unknown
from samite.array.core import Array, make_array
from samite.array.creation import full_like
from samite.array.native_overlap import PLAIN_KINDS, kept_runs, overlapped, trimmed
from samite.array.storage import asanyarray
from samite.array.utils import normalize_axis
from samite.base import tokenize

__all__ = [
    "boundaries",
    "coerce_boundary",
    "coerce_depth",
    "constant",
    "ensure_minimum_chunksize",
    "map_overlap",
    "nearest",
    "overlap",
    "overlap_internal",
    "periodic",
    "push",
    "reflect",
    "sliding_window_view",
    "trim_internal",
    "trim_overlap",
]


# -- what is asked for ------------------------------------------------------------------------


def coerce_depth(ndim: int, depth: Any) -> dict[int, Any]:
    """How many elements of the neighbours a chunk gets, for each axis.

    A depth is a number, or a pair: before the chunk and after it.

    Raises
    ------
    ValueError
        If depths are negative, or are given for another number of axes.
    """
    result: dict[int, Any] = dict.fromkeys(range(ndim), 0)
    if depth is None:
        depth = 0
    if isinstance(depth, Integral):
        result = dict.fromkeys(range(ndim), depth)
    elif isinstance(depth, Mapping):
        result.update({normalize_axis(axis, ndim): d for axis, d in depth.items()})
    else:
        if len(depth) != ndim:
            raise ValueError(f"depth has {len(depth)} entries, the array {ndim} axes: {depth}")
        result = dict(enumerate(depth))
    return {axis: _plain_depth(d) for axis, d in result.items()}


def _plain_depth(depth: Any) -> Any:
    if isinstance(depth, (tuple, list)):
        before, after = (int(d) for d in depth)
        if before < 0 or after < 0:
            raise ValueError(f"depths cannot be negative: {depth}")
        return before if before == after else (before, after)
    if int(depth) < 0:
        raise ValueError(f"depths cannot be negative: {depth}")
    return int(depth)


def coerce_boundary(ndim: int, boundary: Any) -> dict[int, Any]:
    """What is beyond the ends, for each axis: a name, or a value; ``"none"`` is nothing."""
    if boundary is None:
        boundary = "none"
    if isinstance(boundary, Mapping):
        result = dict.fromkeys(range(ndim), "none")
        for axis, kind in boundary.items():
            result[normalize_axis(axis, ndim)] = "none" if kind is None else kind
        return result
    if isinstance(boundary, (tuple, list)):
        if len(boundary) != ndim:
            raise ValueError(
                f"boundary has {len(boundary)} entries, the array {ndim} axes: {boundary}"
            )
        return {axis: "none" if kind is None else kind for axis, kind in enumerate(boundary)}
    return dict.fromkeys(range(ndim), boundary)


def _is_none(kind: Any) -> bool:
    return kind is None or (isinstance(kind, str) and kind == "none")


def _both(depth: Any) -> tuple[int, int]:
    return depth if isinstance(depth, tuple) else (depth, depth)


# -- beyond the ends --------------------------------------------------------------------------


def periodic(x: Array, axis: int, depth: int) -> Array:
    """The array with elements of the other end at each end."""
    return _extended(x, axis, _cut(x, axis, -depth, None), _cut(x, axis, None, depth))


def reflect(x: Array, axis: int, depth: int) -> Array:
    """The array with its first and last elements in reverse order at the ends."""
    return _extended(
        x,
        axis,
        _cut(x, axis, depth - 1, None, -1),
        _cut(x, axis, None, -depth - 1, -1),
    )


def nearest(x: Array, axis: int, depth: int) -> Array:
    """The array with its first and last element again and again at the ends."""
    first, last = _cut(x, axis, None, 1), _cut(x, axis, -1, None)
    return _extended(x, axis, _repeated(first, axis, depth), _repeated(last, axis, depth))


def constant(x: Array, axis: int, depth: int, value: Any) -> Array:
    """The array with a value at the ends."""
    if any(has_unknown(sizes) for sizes in x.chunks):
        # How long the other axes are is told by elements of the array alone.
        end = _repeated(_cut(x, axis, None, 1), axis, depth, value)
        return _extended(x, axis, end, end)
    chunks = (*x.chunks[:axis], (depth,), *x.chunks[axis + 1 :])
    shape = (*x.shape[:axis], depth, *x.shape[axis + 1 :])
    filled = full_like(x, value, shape=shape, chunks=chunks, dtype=x.dtype)
    return _extended(x, axis, filled, filled)


def boundaries(x: Array, depth: Any = None, kind: Any = None) -> Array:
    """The array with what is beyond its ends.

    Parameters
    ----------
    depth, kind:
        See :func:`overlap`.
    """
    depths, kinds = coerce_depth(x.ndim, depth), coerce_boundary(x.ndim, kind)
    for axis in range(x.ndim):
        d, boundary = depths[axis], kinds[axis]
        if not d or _is_none(boundary):
            continue
        if isinstance(d, tuple):
            raise NotImplementedError(
                f"Asymmetric overlap is currently only implemented for boundary_type 'none'; "
                f"axis {axis} has depth {d} and boundary {boundary!r}"
            )
        if isinstance(boundary, str):
            if boundary not in _KINDS:
                raise ValueError(
                    f"unknown boundary {boundary!r}; it is one of {sorted(_KINDS)}, 'none', or a "
                    "value"
                )
            x = _KINDS[boundary](x, axis, d)
        else:
            x = constant(x, axis, d, boundary)
    return x


_KINDS: dict[str, Callable[[Array, int, int], Array]] = {
    "periodic": periodic,
    "reflect": reflect,
    "nearest": nearest,
}


def _cut(x: Array, axis: int, start: Any, stop: Any, step: Any = None) -> Array:
    return x[(slice(None),) * axis + (slice(start, stop, step),)]


def _repeated(x: Array, axis: int, count: int, value: Any = None) -> Array:
    """An axis of one element made longer; the elements, or a value instead of them."""
    axes = tuple(range(x.ndim))
    return blockwise(
        _repeat, axes, x, axes, count, None, axis, None, value, None, token="repeat",
        dtype=x.dtype, adjust_chunks={axis: count}, meta=x._meta,
    )  # fmt: skip


def _repeat(block: Any, count: int, axis: int, value: Any) -> Any:
    if value is not None:
        block = np.full_like(block, value)
    return np.repeat(block, count, axis=axis)


def _extended(x: Array, axis: int, before: Array, after: Array) -> Array:
    """The array with others at its ends, which become parts of its first and last chunks."""
    length = before.shape[axis]
    ends = [end.rechunk({axis: -1}) for end in (before, after)]
    last = x.numblocks[axis] - 1
    name = f"extended-{tokenize(x, ends, axis)}"
    layer: dict[Any, Any] = {}
    for position in product(*map(range, x.numblocks)):
        key, place = (name, *position), position[axis]
        if 0 < place < last:
            layer[key] = Alias(key, (x.name, *position))
            continue
        at_end = (*position[:axis], 0, *position[axis + 1 :])
        parts = [TaskRef((x.name, *position))]
        if not place:
            parts.insert(0, TaskRef((ends[0].name, *at_end)))
        if place == last:
            parts.append(TaskRef((ends[1].name, *at_end)))
        layer[key] = Task(key, join, List(*parts), axis)
    sizes = list(x.chunks[axis])
    sizes[0] += length
    sizes[-1] += length
    chunks = (*x.chunks[:axis], tuple(sizes), *x.chunks[axis + 1 :])
    return make_array(name, layer, chunks, x._meta, [x, *ends])


# -- overlapping ------------------------------------------------------------------------------


def ensure_minimum_chunksize(size: int, chunks: Sequence[int]) -> tuple[int, ...]:
    """Blocks along an axis of which none is shorter than a size; as few as possible change.

    Raises
    ------
    ValueError
        If the axis is shorter, or lengths are not known.

    Examples
    --------
    >>> ensure_minimum_chunksize(10, (20, 20, 1))
    (20, 11, 10)
    """
    if size and has_unknown(chunks):
        raise ValueError(
            f"overlap: a depth of {size} needs the lengths of blocks, which are unknown: "
            f"{tuple(chunks)}. x.compute_chunk_sizes() finds them by computing the array."
        )
    if sum(chunks) < size:
        raise ValueError(f"The overlapping depth {size} is larger than your array {sum(chunks)}.")
    if min(chunks) >= size:
        return tuple(chunks)
    result: list[int] = []
    pending = 0
    for length in chunks:
        missing = size - length
        if missing > 0 and pending > size + missing:
            # The block before can spare what this one needs.
            result.append(pending - missing)
            pending = size
        elif pending >= size:
            result.append(pending)
            pending = length
        else:
            pending += length
    if pending >= size:
        result.append(pending)
    else:
        result[-1] += pending
    return tuple(result)


def overlap(x: Any, depth: Any, boundary: Any, *, allow_rechunk: bool = True) -> Array:
    """The array whose chunks have some elements of their neighbours at their ends.

    Parameters
    ----------
    x:
        The array.
    depth:
        How many elements: a number, one for each axis, or a dict by axis; a pair of numbers for
        an axis is for before and after.
    boundary:
        What chunks at the ends of the array get: ``"reflect"``, ``"periodic"``, ``"nearest"``, a
        value, or ``"none"``; for all axes, or for each as with ``depth``.
    allow_rechunk:
        Join chunks that are shorter than the depth with their neighbours.

    Raises
    ------
    ValueError
        If a depth is larger than the array, or than a chunk that may not be joined.
    NotImplementedError
        If an axis has a pair of depths and a boundary.

    Examples
    --------
    >>> import samite.array as da
    >>> overlap(da.arange(6, chunks=3), depth=1, boundary="reflect").compute()
    array([0, 0, 1, 2, 3, 2, 3, 4, 5, 5])
    """
    x = asanyarray(x)
    depths, kinds = coerce_depth(x.ndim, depth), coerce_boundary(x.ndim, boundary)
    new = []
    for axis, sizes in enumerate(x.chunks):
        most = max(_both(depths[axis]))
        if not most:
            new.append(sizes)
            continue
        if most > x.shape[axis]:
            raise ValueError(
                f"The overlapping depth {most} is larger than your array {x.shape[axis]}."
            )
        if min(sizes) < most and not allow_rechunk:
            raise ValueError(
                f"The overlapping depth {most} is larger than your smallest chunk size "
                f"{min(sizes)} along axis {axis}. Rechunk your array with a larger chunk size or a "
                "chunk size that more evenly divides the shape of your array."
            )
        new.append(ensure_minimum_chunksize(most, sizes))
    x = x.rechunk(tuple(new))
    if not any(isinstance(kinds[a], str) and kinds[a] not in PLAIN_KINDS for a in kinds):
        result = overlapped(x, {a: _both(d) for a, d in depths.items()}, kinds)
        if result is not None:
            return result
    return overlap_internal(boundaries(x, depths, kinds), depths)


def overlap_internal(x: Array, axes: Mapping[int, Any]) -> Array:
    """The array whose chunks have elements of their neighbours, and nothing at its ends.

    Parameters
    ----------
    axes:
        The depth, or pair of depths, along each axis.

    Raises
    ------
    ValueError
        If a chunk is shorter than a depth.
    """
    depths = {axis: _both(d) for axis, d in coerce_depth(x.ndim, dict(axes)).items()}
    plans = [_strips(sizes, *depths[axis], axis) for axis, sizes in enumerate(x.chunks)]
    if all(len(strips) == 1 for plan in plans for strips in plan):
        return x
    token = tokenize(x, depths)
    name, strip_name = f"overlap-{token}", f"overlap-strip-{token}"
    layer: dict[Any, Any] = {}

    def part(strips: tuple[Any, ...]) -> TaskRef:
        blocks, cuts, sides = zip(*strips)
        source = (x.name, *blocks)
        if not any(sides):
            return TaskRef(source)
        # A strip lies a little in front of the middle of its block, or behind it.
        key = (strip_name, *(b + side if side else b for b, side in zip(blocks, sides)))
        layer[key] = Task(key, chunk_getitem, TaskRef(source), cuts)
        return TaskRef(key)

    def nested(strips: tuple[Any, ...], behind: Sequence[Any]) -> Any:
        if not behind:
            return part(strips)
        return List(*(nested((*strips, strip), behind[1:]) for strip in behind[0]))

    for position in product(*(range(len(plan)) for plan in plans)):
        strips = [plan[i] for plan, i in zip(plans, position)]
        key = (name, *position)
        if all(len(along) == 1 for along in strips):
            layer[key] = Alias(key, (x.name, *position))
        else:
            layer[key] = Task(key, assemble, nested((), strips), x.ndim)
    chunks = tuple(
        tuple(
            size + (before if i else 0) + (after if i < len(sizes) - 1 else 0)
            for i, size in enumerate(sizes)
        )
        for sizes, (before, after) in zip(x.chunks, (depths[axis] for axis in range(x.ndim)))
    )
    return make_array(name, layer, chunks, x._meta, [x])


def _strips(sizes: Sequence[int], before: int, after: int, axis: int) -> list[list[Any]]:
    """For each block along an axis the parts that make it: block, index, and side."""
    if len(sizes) > 1 and min(sizes) < max(before, after):
        raise ValueError(
            f"The overlapping depth {max(before, after)} is larger than your smallest chunk size "
            f"{min(sizes)} along axis {axis}. Rechunk your array with a larger chunk size."
        )
    result = []
    for i, _ in enumerate(sizes):
        strips: list[Any] = []
        if before and i:
            size = sizes[i - 1]
            strips.append((i - 1, slice(size - before, size), 0.1))
        strips.append((i, slice(None), 0))
        if after and i < len(sizes) - 1:
            strips.append((i + 1, slice(0, after), -0.1))
        result.append(strips)
    return result


# -- and back ---------------------------------------------------------------------------------


def trim_overlap(x: Any, depth: Any, boundary: Any = None) -> Array:
    """The array without the elements that :func:`overlap` added; takes the same arguments."""
    x = asanyarray(x)
    return trim_internal(x, coerce_depth(x.ndim, depth), coerce_boundary(x.ndim, boundary))


def trim_internal(x: Array, axes: Any, boundary: Any = None) -> Array:
    """As :func:`trim_overlap`, where the depths are known to fit."""
    depths = {axis: _both(d) for axis, d in coerce_depth(x.ndim, axes).items()}
    kinds = coerce_boundary(x.ndim, boundary)
    kept = {axis: not _is_none(kind) for axis, kind in kinds.items()}
    chunks = _trimmed_chunks(x.chunks, depths, kept)
    if not any(any(d) for d in depths.values()):
        return x
    if x._expr is not None and min((n for sizes in chunks for n in sizes), default=0) >= 0:
        runs = [kept_runs(sizes, *depths[axis], kept[axis]) for axis, sizes in enumerate(x.chunks)]
        result = trimmed(x, runs, chunks, lambda x: trim_internal(x, axes, boundary))
        if result is not None:
            return result
    return map_blocks(
        functools.partial(_trim, depths=depths, kept=kept, numblocks=x.numblocks),
        x,
        chunks=chunks,
        dtype=x.dtype,
        meta=x._meta,
        token="trim",
    )


def _trimmed_chunks(
    chunks: Chunks, depths: Mapping[int, tuple[int, int]], kept: Mapping[int, bool]
) -> Chunks:
    result = []
    for axis, sizes in enumerate(chunks):
        before, after = depths[axis]
        last = len(sizes) - 1
        result.append(
            tuple(
                size - (before if i or kept[axis] else 0) - (after if i < last or kept[axis] else 0)
                for i, size in enumerate(sizes)
            )
        )
    return tuple(result)


def _trim(
    block: Any,
    depths: Mapping[int, tuple[int, int]],
    kept: Mapping[int, bool],
    numblocks: tuple[int, ...],
    block_id: tuple[int, ...] = (),
) -> Any:
    index = []
    # A block whose function has taken axes away loses what it has.
    for axis in range(min(block.ndim, len(numblocks))):
        before, after = depths[axis]
        place = block_id[axis] if block_id else 0
        start = before if place or kept[axis] else 0
        end = after if place < numblocks[axis] - 1 or kept[axis] else 0
        index.append(slice(start or None, -end if end else None))
    return block[tuple(index)]


# -- functions of overlapping chunks ----------------------------------------------------------


def map_overlap(
    func: Any,
    *args: Any,
    depth: Any = None,
    boundary: Any = None,
    trim: bool = True,
    align_arrays: bool = True,
    allow_rechunk: bool = True,
    **kwargs: Any,
) -> Array:
    """Call a function on chunks that have some elements of their neighbours.

    Parameters
    ----------
    func:
        The function; it gets the overlapping chunks, and ``kwargs``.
    *args:
        Arrays, aligned at their last axes as in broadcasting.
    depth, boundary:
        See :func:`overlap`; a list gives one for each array. By default chunks do not overlap.
    trim:
        Whether the elements of neighbours are cut off from what the function returns. If not,
        and if neither ``chunks`` nor axes are given, the result is taken to have the chunks of
        the array.
    align_arrays:
        Cut the arrays in the same way; otherwise they must be.
    allow_rechunk:
        Join chunks that are shorter than the depth with their neighbours.
    **kwargs:
        For the function, and for :func:`samite.array.map_blocks`: ``dtype``, ``chunks``,
        ``drop_axis``, ``new_axis``, ``meta``, ``name``, ``token``.

    Raises
    ------
    TypeError
        If ``func`` is no function, or an argument no array.
    ValueError
        If a depth is larger than an array, or arrays do not align.

    Examples
    --------
    >>> import samite.array as da
    >>> x = da.arange(6, chunks=3)
    >>> da.map_overlap(lambda b: b - np.roll(b, 1), x, depth=1, boundary=0).compute()
    array([0, 1, 1, 1, 1, 1])
    """
    if isinstance(func, Array) and args and callable(args[0]):
        warnings.warn(
            "The use of map_overlap(array, func, **kwargs) is deprecated: the function comes "
            "first, as in map_overlap(func, array, **kwargs)",
            FutureWarning,
            stacklevel=2,
        )
        names = ("depth", "boundary", "trim", "align_arrays")
        given = dict(zip(names, args[1:]))
        depth, boundary = given.get("depth", depth), given.get("boundary", boundary)
        trim, align_arrays = given.get("trim", trim), given.get("align_arrays", align_arrays)
        func, args = args[0], (func,)
    if not callable(func):
        raise TypeError(f"map_overlap: the first argument must be a function, not {func!r}")
    if not args or not all(isinstance(arg, Array) for arg in args):
        kinds = [type(arg).__name__ for arg in args]
        raise TypeError(f"All variadic arguments must be arrays, not {kinds}")
    arrays: list[Array] = list(args)
    depths = [
        coerce_depth(x.ndim, d) for x, d in zip(arrays, _for_each(depth, len(arrays), "depth"))
    ]
    boundaries_ = [
        coerce_boundary(x.ndim, b)
        for x, b in zip(arrays, _for_each(boundary, len(arrays), "boundary"))
    ]
    for d, b in zip(depths, boundaries_):
        if any(isinstance(d[axis], tuple) and not _is_none(b[axis]) for axis in d):
            raise NotImplementedError(
                "Asymmetric overlap is currently only implemented for boundary_type 'none', not "
                f"for depth {d} with boundary {b}"
            )
    arrays = _aligned(arrays, depths, align_arrays, allow_rechunk)
    plain = arrays
    arrays = [
        overlap(x, d, b, allow_rechunk=allow_rechunk)
        for x, d, b in zip(arrays, depths, boundaries_)
    ]
    # The result is like the array with the most axes, the first of these.
    like = max(range(len(arrays)), key=lambda n: (arrays[n].ndim, -n))
    dropped, added = _changed_axes(kwargs, arrays[like].ndim)
    if kwargs.get("chunks") is None and not dropped and not added:
        kwargs["chunks"] = (arrays if trim else plain)[like].chunks
    y = map_blocks(func, *arrays, align_arrays=False, **kwargs)
    if not trim:
        return y
    depth_of = _moved(depths[like], dropped, added, 0)
    kind_of = _moved(boundaries_[like], dropped, added, "none")
    if not any(any(_both(d)) for d in depth_of.values()):
        return y
    return trim_internal(y, depth_of, kind_of)


def _for_each(given: Any, count: int, name: str) -> list[Any]:
    if isinstance(given, list):
        if len(given) != count:
            raise ValueError(f"{name} is a list of {len(given)} entries for {count} arrays")
        return given
    return [given] * count


def _changed_axes(kwargs: Mapping[str, Any], ndim: int) -> tuple[list[int], list[int]]:
    dropped = kwargs.get("drop_axis")
    added = kwargs.get("new_axis")
    dropped = [] if dropped is None else [dropped] if isinstance(dropped, Number) else dropped
    added = [] if added is None else [added] if isinstance(added, Number) else added
    dropped = sorted({normalize_axis(axis, ndim) for axis in dropped})
    total = ndim - len(dropped) + len(added)
    return dropped, sorted(normalize_axis(axis, total) for axis in added)


def _moved(
    by_axis: Mapping[int, Any], dropped: list[int], added: list[int], new: Any
) -> dict[int, Any]:
    """What is known by axis, after some axes were taken away and others added."""
    values = [value for axis, value in sorted(by_axis.items()) if axis not in dropped]
    for axis in added:
        values.insert(axis, new)
    return dict(enumerate(values))


def _aligned(
    arrays: list[Array], depths: list[dict[int, Any]], align: bool, allow_rechunk: bool
) -> list[Array]:
    """Arrays whose blocks belong together, and are as long as the depths."""
    ndim = max(x.ndim for x in arrays)
    indices = [tuple(range(ndim - x.ndim, ndim)) for x in arrays]
    if not align:
        for index in range(ndim):
            found = {
                x.chunks[ind.index(index)]
                for x, ind in zip(arrays, indices)
                if index in ind and x.shape[ind.index(index)] != 1
            }
            if len(found) > 1:
                raise ValueError(
                    f"map_overlap: the arrays are cut in different ways, {found}, and "
                    "align_arrays is False"
                )
        return arrays
    pairs: list[Any] = [part for pair in zip(arrays, indices) for part in pair]
    chunks_of, arrays = unify_chunks(*pairs)
    if not allow_rechunk:
        return arrays
    result = []
    least: dict[int, int] = {}
    for x, ind, depth in zip(arrays, indices, depths):
        for axis, index in enumerate(ind):
            if x.shape[axis] == 1:
                continue
            least[index] = max(least.get(index, 0), *_both(depth[axis]))
    for x, ind in zip(arrays, indices):
        new = tuple(
            ensure_minimum_chunksize(least[index], sizes)
            if sizes == chunks_of[index] and least.get(index)
            else sizes
            for index, sizes in zip(ind, x.chunks)
        )
        result.append(x.rechunk(new))
    return result


# -- windows ----------------------------------------------------------------------------------


def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, automatic_rechunk: bool = True
) -> Array:
    """All windows of a shape into the array, as new axes at its end.

    Parameters
    ----------
    x:
        The array.
    window_shape:
        The length of the window along each of the axes.
    axis:
        The axes; None means all.
    automatic_rechunk:
        Cut the other axes so that chunks with their windows are about as large as chunks were.

    Raises
    ------
    ValueError
        If windows are negative or longer than an axis, or their number is not that of the axes.

    Examples
    --------
    >>> import samite.array as da
    >>> sliding_window_view(da.arange(4, chunks=2), 3).compute()
    array([[0, 1, 2],
           [1, 2, 3]])
    """
    x = asanyarray(x)
    window = tuple(window_shape) if isinstance(window_shape, (tuple, list)) else (window_shape,)
    if any(n <= 0 for n in window):
        raise ValueError(f"`window_shape` must contain values greater than zero, not {window}")
    if axis is None:
        axes = tuple(range(x.ndim))
    else:
        given = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(normalize_axis(a, x.ndim) for a in given)
    if len(window) != len(axes):
        raise ValueError(
            "Must provide matching length window_shape and axis; got "
            f"{len(window)} window_shape elements and {len(axes)} axes"
        )
    depths = dict.fromkeys(range(x.ndim), 0)
    for a, n in zip(axes, window):
        depths[a] += n - 1
    if any(depths[a] >= x.shape[a] for a in axes):
        raise ValueError(
            f"window shape {window} along {axes} cannot be larger than the array's shape {x.shape}"
        )
    # The last block has no neighbour to give it elements, and would otherwise be left empty.
    cut = {
        a: ensure_minimum_chunksize(min(d + 1, x.shape[a]), x.chunks[a])
        for a, d in depths.items()
        if d
    }
    if automatic_rechunk:
        from samite.array._shuffle import shrunk

        growth = math.prod(window) * math.prod(max(n) / max(x.chunks[a]) for a, n in cut.items())
        others = [a for a in range(x.ndim) if a not in axes]
        cut.update(shrunk(x.chunks, others, growth))
    x = x.rechunk(cut)
    chunks = tuple(
        (*sizes[:-1], sizes[-1] - depths[a]) if depths[a] else sizes
        for a, sizes in enumerate(x.chunks)
    )
    return map_overlap(
        _windows,
        x,
        window=window,
        axes=axes,
        depth={a: (0, d) if d else 0 for a, d in depths.items()},
        boundary="none",
        trim=False,
        new_axis=[x.ndim + n for n in range(len(axes))],
        chunks=(*chunks, *((n,) for n in window)),
        dtype=x.dtype,
        meta=x._meta[(Ellipsis,) + (None,) * len(axes)],
    )


def _windows(block: Any, window: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    return np.lib.stride_tricks.sliding_window_view(block, window, axis=axes)


# -- filling ----------------------------------------------------------------------------------


def push(array: Any, n: int | None, axis: int) -> Array:
    """The array whose missing values are filled with the last value before them.

    Parameters
    ----------
    array:
        The array; NaN and NaT are missing.
    n:
        How many missing values in a row are filled at most; None is no limit.
    axis:
        The axis.
    """
    array = asanyarray(array)
    axis = normalize_axis(axis, array.ndim)
    if n is not None and n < 0:
        raise ValueError(f"push: n cannot be negative: {n}")
    if n is not None and 0 < n < array.shape[axis]:
        return map_overlap(
            _pushed, array, depth={axis: (n, 0)}, boundary="none", dtype=array.dtype,
            meta=array._meta, limit=n, axis=axis,
        )  # fmt: skip
    if n == 0 or not array.shape[axis]:
        return array
    filled = array.map_blocks(_pushed, dtype=array.dtype, meta=array._meta, axis=axis)
    token = tokenize(filled, "push")
    name, last_name = f"push-{token}", f"push-last-{token}"
    layer: dict[Any, Any] = {}
    for position in product(*map(range, array.numblocks)):
        key, last = (name, *position), (last_name, *position)
        source = TaskRef((filled.name, *position))
        if not position[axis]:
            layer[key] = Alias(key, source.key)
            layer[last] = Task(last, _last, source, None, axis)
            continue
        before = list(position)
        before[axis] -= 1
        carried = TaskRef((last_name, *before))
        layer[key] = Task(key, _fill_front, source, carried)
        layer[last] = Task(last, _last, source, carried, axis)
    return make_array(name, layer, array.chunks, array._meta, [filled])


def _missing(block: Any) -> Any:
    if block.dtype.kind in "fcmM":
        return np.isnan(block)
    if block.dtype.kind == "O":
        return block != block
    return np.zeros(block.shape, dtype=bool)


def _pushed(block: Any, axis: int, limit: int | None = None) -> Any:
    places = np.arange(block.shape[axis]).reshape((-1,) + (1,) * (block.ndim - axis - 1))
    places = np.broadcast_to(places, block.shape)
    last = np.maximum.accumulate(np.where(_missing(block), -1, places), axis=axis)
    if limit is not None:
        last = np.where(places - last > limit, -1, last)
    # Where there is nothing to fill with, a missing value stays what it is.
    return np.take_along_axis(block, np.where(last < 0, places, last), axis=axis)


def _last(block: Any, carried: Any, axis: int) -> Any:
    last = block[(slice(None),) * axis + (slice(-1, None),)]
    return last.copy() if carried is None else np.where(_missing(last), carried, last)


def _fill_front(block: Any, carried: Any) -> Any:
    return np.where(_missing(block), carried, block)
