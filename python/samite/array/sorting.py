"""Sorting along an axis.

Where the axis lies within one chunk, chunks are sorted on their own. One long axis is sorted by
range: every chunk of the result has the elements of some ranks, and so has a known length. What
separates the ranges is found exactly, in two steps. Samples of the sorted chunks tell between
which positions of each chunk the end of every range lies; then the elements between these
positions tell where it is. Elements that are equal are told apart by where they come from, so
the order is stable, and no number of equal elements makes a range longer than it should be.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from samite._task_spec import List, Task, TaskRef
from samite.array import kernels
from samite.array.assembly import join
from samite.array.blocks import map_blocks
from samite.array.chunks import has_unknown
from samite.array.core import Array, make_array
from samite.array.storage import asanyarray
from samite.array.utils import meta_from_array, normalize_axis
from samite.base import tokenize

__all__ = ["argpartition", "argsort", "partition", "sort"]

# How many pieces a sorted chunk is cut into at once when it is sent to its ranges.
_FAN_OUT = 16
# An axis that does not fit into a chunk is sorted by range in each of up to so many lines.
_MOST_LINES = 256


def sort(a, axis=-1, kind=None, order=None, *, stable=None) -> Array:
    """The elements in ascending order along an axis; NaN comes last.

    Parameters
    ----------
    axis:
        The axis; None for the flattened array.
    kind, order, stable:
        As for :func:`numpy.sort`. Axes of several chunks are always sorted in a stable way.

    Raises
    ------
    ValueError
        If an axis of several chunks has unknown lengths.

    Examples
    --------
    >>> import numpy as np
    >>> import samite.array as da
    >>> da.sort(da.from_array(np.array([3, 1, 2]), chunks=2)).compute()
    array([1, 2, 3])
    """
    options = _options(kind, order, stable)
    return _by_axis(a, axis, functools.partial(np.sort, **options), order, positions=False)


def argsort(a, axis=-1, kind=None, order=None, *, stable=None) -> Array:
    """The positions of the elements in ascending order along an axis.

    Takes the arguments of :func:`sort`.
    """
    options = _options(kind, order, stable)
    return _by_axis(a, axis, functools.partial(np.argsort, **options), order, positions=True)


def partition(a, kth, axis=-1, kind="introselect", order=None) -> Array:
    """The elements rearranged along an axis, so that some are where sorting puts them.

    Before each of these are none that are greater, behind it none that are less.

    Parameters
    ----------
    kth:
        The position or positions; negative ones count from the end.
    axis, kind, order:
        As for :func:`numpy.partition`.

    Raises
    ------
    ValueError
        If there is no such position, or an axis of several chunks has unknown lengths.
    """
    return _partitioned(np.partition, a, kth, axis, kind, order, positions=False)


def argpartition(a, kth, axis=-1, kind="introselect", order=None) -> Array:
    """The positions of the elements rearranged as by :func:`partition`."""
    return _partitioned(np.argpartition, a, kth, axis, kind, order, positions=True)


def _partitioned(
    func: Callable, a: Any, kth: Any, axis: Any, kind: str, order: Any, positions: bool
) -> Array:
    a = asanyarray(a)
    length = a.size if axis is None else a.shape[normalize_axis(axis, a.ndim)]
    for k in np.atleast_1d(kth).tolist():
        if not -length <= k < length and length == length:
            raise ValueError(f"kth(={k}) out of bounds ({length})")
    # Sorted elements are in every place where they should be.
    call = functools.partial(func, kth=kth, kind=kind, order=order)
    return _by_axis(a, axis, call, order, positions)


def _options(kind: Any, order: Any, stable: Any) -> dict[str, Any]:
    if kind is not None and stable is not None:
        raise ValueError("`kind` and `stable` parameters can't be provided at the same time.")
    given = {"kind": kind, "order": order, "stable": stable}
    return {name: value for name, value in given.items() if value is not None}


def _by_axis(a: Any, axis: Any, func: Callable, order: Any, positions: bool) -> Array:
    a = asanyarray(a)
    if axis is None:
        a, axis = a.ravel(), 0
    axis = normalize_axis(axis, a.ndim)
    dtype = np.dtype(np.intp) if positions else a.dtype
    if a.numblocks[axis] > 1:
        if has_unknown(a.chunks[axis]):
            raise ValueError(
                f"sorting along axis {axis} needs to know the lengths of its chunks. "
                "x.compute_chunk_sizes() finds them by computing the array"
            )
        if a.ndim == 1:
            return _sorted_by_range(a, order, positions)
        if _is_long(a, axis):
            return _line_by_line(a, axis, order, positions)
        a = a.rechunk({n: -1 if n == axis else "auto" for n in range(a.ndim)})
    meta = meta_from_array(a._meta, dtype=dtype)
    return map_blocks(
        functools.partial(func, axis=axis), a, dtype=dtype, meta=meta,
        token="argsort" if positions else "sort",
    )  # fmt: skip


def _is_long(a: Array, axis: int) -> bool:
    """Whether a line along an axis is more than a chunk should be, and there are few lines."""
    from samite import config
    from samite.utils import parse_bytes

    limit = parse_bytes(config.get("array.chunk-size", "128MiB"))
    length = a.shape[axis]
    return length * a.itemsize > limit and a.size <= length * _MOST_LINES


def _line_by_line(a: Array, axis: int, order: Any, positions: bool) -> Array:
    from samite.array.concatenation import stack
    from samite.array.shaping import moveaxis

    moved = moveaxis(a, axis, -1)

    def lines(part: Array) -> Array:
        if part.ndim == 1:
            return _sorted_by_range(part, order, positions)
        return stack([lines(part[i]) for i in range(part.shape[0])])

    return moveaxis(lines(moved), -1, axis)


# -- one long axis ---------------------------------------------------------------------


def _sorted_by_range(x: Array, order: Any, positions: bool) -> Array:
    """The elements of an array of one dimension and several chunks, or their positions, sorted."""
    sizes = x.chunks[0]
    count = len(sizes)
    token = tokenize(x, order, positions)
    prefix = "argsort" if positions else "sort"
    name = f"{prefix}-{token}"
    layer: dict[Any, Any] = {}

    def add(key: Any, func: Callable, *args: Any) -> TaskRef:
        layer[key] = Task(key, func, *args)
        return TaskRef(key)

    starts = np.cumsum((0, *sizes)).tolist()
    runs = [
        add(
            (f"{prefix}-run-{token}", i), _sorted_run, TaskRef((x.name, i)), order,
            starts[i] if positions else None,
        )
        for i in range(count)
    ]  # fmt: skip
    splits = _add_splits(add, runs, sizes, starts[1:-1], order, f"{prefix}-split-{token}")
    ranges = _add_exchange(add, runs, splits, count, order, f"{prefix}-part-{token}")
    for k, run in enumerate(ranges):
        add((name, k), _of_run, run, int(positions))
    dtype = np.dtype(np.intp) if positions else x.dtype
    meta = np.empty((0,), dtype=dtype) if positions else x._meta
    return make_array(name, layer, x.chunks, meta_from_array(meta, dtype=dtype), [x])


def _add_brackets(
    add: Callable, runs: list[TaskRef], sizes: Sequence[int], ranks: Any, order: Any, name: str
) -> TaskRef:
    """A task that tells between which positions of each run the elements of given ranks lie."""
    steps = sampling_steps(sizes)
    samples = [
        add((name, "sample", i), _sample, run, step)
        for i, (run, step) in enumerate(zip(runs, steps))
    ]
    return add((name, "brackets"), _brackets, List(*samples), list(sizes), steps, ranks, order)


def _add_splits(
    add: Callable, runs: list[TaskRef], sizes: Sequence[int], ranks: Sequence[int], order: Any,
    name: str,
) -> TaskRef:  # fmt: skip
    """Tasks that find where the elements of given ranks are cut from those below, in each run."""
    brackets = _add_brackets(add, runs, sizes, ranks, order, name)
    candidates = [
        add((name, "candidates", i), _candidates, run, brackets, i, 0) for i, run in enumerate(runs)
    ]
    return add(
        (name, "splits"), _splits, List(*candidates), brackets, list(sizes), list(ranks), order
    )


def elements_of_ranks(x: Array, ranks: Callable[[int], list[int]], skip_nan: bool) -> Array:
    """The elements that sorting would put at given places, in one chunk.

    They are found as the ends of ranges are, so no more than a part of each chunk is sent. Behind
    them comes the number of elements that ``ranks`` was asked for.

    Parameters
    ----------
    x:
        An array of one dimension with known lengths.
    ranks:
        The places, from 0 to the number of elements less one, for that number.
    skip_nan:
        Whether elements that are NaN, which come last, are not counted.
    """
    sizes = x.chunks[0]
    token = tokenize(x, ranks, skip_nan, "ranks")
    name, part_name = f"ranks-{token}", f"ranks-part-{token}"
    layer: dict[Any, Any] = {}

    def add(key: Any, func: Callable, *args: Any) -> TaskRef:
        layer[key] = Task(key, func, *args)
        return TaskRef(key)

    runs = [
        add((part_name, "run", i), _sorted_run, TaskRef((x.name, i)), None, None)
        for i in range(len(sizes))
    ]
    count: Any = int(sum(sizes))
    wanted: Any = ranks(count)
    if skip_nan:
        counts = [add((part_name, "count", i), _number_of_run, run) for i, run in enumerate(runs)]
        count = add((part_name, "count"), sum, List(*counts))
        wanted = add((part_name, "wanted"), ranks, count)
    brackets = _add_brackets(add, runs, sizes, wanted, None, part_name)
    candidates = [
        add((part_name, "candidates", i), _candidates, run, brackets, i, 1)
        for i, run in enumerate(runs)
    ]
    add((name, 0), _chosen, List(*candidates), brackets, wanted, count)
    return make_array(name, layer, ((np.nan,),), np.empty(0, dtype=object), [x])


def _number_of_run(run: tuple[Any, Any]) -> int:
    return int(np.count_nonzero(run[0] == run[0]))


def sampling_steps(sizes: Sequence[int]) -> list[int]:
    """How far apart samples are taken in each chunk.

    Of ``n`` chunks of ``m`` elements, about ``sqrt(2 n m)`` samples each make the samples and
    the elements that they leave in doubt equally many, and both few.
    """
    number = math.sqrt(2 * sum(sizes)) or 1
    return [max(1, int(size / number)) for size in sizes]


def _order_of(values: Any, order: Any) -> Any:
    if not order and type(values) is np.ndarray and values.dtype.itemsize > 2:
        return kernels.argsort(values)
    return values.argsort(kind="stable", order=order) if order else values.argsort(kind="stable")


def _in_order(values: Any, order: Any) -> Any:
    if order or type(values) is not np.ndarray:
        return values[_order_of(values, order)]
    # Equal numbers need not keep their order, and NumPy sorts short ones by their digits.
    stable = values.dtype.kind not in "iuf" or values.dtype.itemsize <= 2
    return np.sort(values, kind="stable" if stable else None)


def _sorted_run(block: Any, order: Any, start: int | None) -> tuple[Any, Any]:
    """The elements of a chunk in order, and the positions that they come from if asked for."""
    if start is None:
        return _in_order(block, order), None
    places = _order_of(block, order)
    return block[places], places + start


def _of_run(run: tuple[Any, Any], number: int) -> Any:
    return run[number]


def _sample(run: tuple[Any, Any], step: int) -> Any:
    return run[0][::step].copy()


def _brackets(
    samples: list[Any], sizes: list[int], steps: list[int], ranks: list[int], order: Any
) -> tuple[np.ndarray, np.ndarray]:
    """For each rank and chunk, positions between which lie those of that rank and above.

    A sample has at least the elements below it that earlier samples show, and at most those
    before the next sample of each chunk.
    """
    numbers = [len(sample) for sample in samples]
    source = np.repeat(np.arange(len(samples)), numbers)
    index = np.concatenate([np.arange(number) for number in numbers])
    step, size = np.asarray(steps)[source], np.asarray(sizes)[source]
    most = np.minimum((index + 1) * step, size) - np.minimum(index * step, size)
    least = np.where(index == 0, 1, step)
    places = np.asarray(_order_of(join(samples, 0), order))
    source, most, least = source[places], most[places], least[places]
    most, least = np.cumsum(most) - most, np.cumsum(least) - least
    first = np.searchsorted(most, ranks, side="right") - 1
    last = np.searchsorted(least, ranks, side="left")
    lower = np.zeros((len(ranks), len(samples)), dtype=np.intp)
    upper = np.zeros_like(lower)
    grouped = np.split(np.argsort(source, kind="stable"), np.cumsum(numbers)[:-1])
    for i, places_of_chunk in enumerate(grouped):
        before = np.searchsorted(places_of_chunk, first, side="left")
        lower[:, i] = np.where(before > 0, (before - 1) * steps[i] + 1, 0)
        before = np.searchsorted(places_of_chunk, last, side="left")
        upper[:, i] = np.minimum(before * steps[i], sizes[i])
    return lower, upper


def _candidates(run: tuple[Any, Any], brackets: tuple[Any, Any], i: int, more: int) -> list[Any]:
    """The elements of a run that are in doubt for each rank, and ``more`` on either side."""
    lower, upper = brackets
    return [
        run[0][max(start - more, 0) : stop + more].copy()
        for start, stop in zip(lower[:, i], upper[:, i])
    ]


def _splits(
    candidates: list[list[Any]],
    brackets: tuple[np.ndarray, np.ndarray],
    sizes: list[int],
    ranks: list[int],
    order: Any,
) -> np.ndarray:
    """Where each chunk (a row) is cut, from zero to its length."""
    lower, _ = brackets
    splits = np.zeros((len(sizes), len(ranks) + 2), dtype=np.intp)
    splits[:, -1] = sizes
    for t, rank in enumerate(ranks):
        parts = [of_chunk[t] for of_chunk in candidates]
        source = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        below = np.asarray(_order_of(join(parts, 0), order))[: rank - lower[t].sum()]
        splits[:, t + 1] = lower[t] + np.bincount(source[below], minlength=len(sizes))
    return splits


def _chosen(
    candidates: list[list[Any]],
    brackets: tuple[np.ndarray, np.ndarray],
    ranks: list[int],
    count: int,
) -> tuple[Any, int]:
    lower = np.maximum(brackets[0] - 1, 0)
    chosen = []
    for t, rank in enumerate(ranks):
        values = _in_order(join([of_chunk[t] for of_chunk in candidates], 0), None)
        place = rank - lower[t].sum()
        chosen.append(values[place : place + 1])
    return join(chosen, 0), count


def _add_exchange(
    add: Callable, runs: list[TaskRef], splits: TaskRef, count: int, order: Any, name: str
) -> list[TaskRef]:
    """Tasks that bring the elements of each range together.

    With many chunks this is done in stages: groups of runs exchange what belongs to groups of
    ranges, and these groups get smaller, so that no stage has more than ``fan out`` pieces of
    each run.
    """
    stages = 1
    while _FAN_OUT**stages < count:
        stages += 1
    fan_out = math.ceil(count ** (1 / stages))
    # Each entry: the chunks that a run comes from, and the run, for one group of ranges.
    groups = {(0, count): [((i, i + 1), run) for i, run in enumerate(runs)]}
    stage = 0
    while any(stop - start > 1 or len(parts) > 1 for (start, stop), parts in groups.items()):
        following: dict[tuple[int, int], list[Any]] = {}
        for (start, stop), parts in groups.items():
            ranges = _divided(start, stop, fan_out)
            for low in range(0, len(parts), fan_out):
                together = parts[low : low + fan_out]
                sources = (together[0][0][0], together[-1][0][1])
                for target in ranges:
                    pieces = [
                        add((name, stage, "piece", *of, *target), _piece, run, splits, of, start,
                            target)
                        for of, run in together
                    ]  # fmt: skip
                    key = (name, stage, "merged", *sources, *target)
                    merged = add(key, _merged, List(*pieces), order)
                    following.setdefault(target, []).append((sources, merged))
        groups = following
        stage += 1
    return [groups[k, k + 1][0][1] for k in range(count)]


def _divided(start: int, stop: int, parts: int) -> list[tuple[int, int]]:
    """A range of numbers in at most so many parts, as even as possible."""
    parts = min(parts, stop - start)
    edges = [start + (stop - start) * n // parts for n in range(parts + 1)]
    return list(zip(edges, edges[1:]))


def _piece(
    run: tuple[Any, Any],
    splits: np.ndarray,
    sources: tuple[int, int],
    start: int,
    target: tuple[int, int],
) -> tuple[Any, Any]:
    """What belongs to some ranges, of a run from some chunks that begins at a range."""
    rows = splits[sources[0] : sources[1]]
    base = rows[:, start].sum()
    part = slice(rows[:, target[0]].sum() - base, rows[:, target[1]].sum() - base)
    values, positions = run
    return values[part], None if positions is None else positions[part]


def _merged(pieces: list[tuple[Any, Any]], order: Any) -> tuple[Any, Any]:
    values = join([part for part, _ in pieces], 0)
    if pieces[0][1] is None:
        return _in_order(values, order), None
    places = _order_of(values, order)
    return values[places], np.concatenate([part for _, part in pieces])[places]
