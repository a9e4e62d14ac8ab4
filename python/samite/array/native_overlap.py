"""Chunks that overlap, and what is left when the overlap is cut off, as native gathers.

An overlapping array is the array with some elements read twice, in other blocks: one gather,
whatever lies between it and the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samite.array import native
from samite.array.calls import Twin, are_written

if TYPE_CHECKING:
    from samite.array.chunks import Chunks
    from samite.array.core import Array

# What can be beyond the ends, besides a value.
PLAIN_KINDS = ("none", "periodic", "reflect", "nearest")


def overlapped(
    x: Array, depths: Mapping[int, tuple[int, int]], kinds: Mapping[int, Any]
) -> Array | None:
    """The array whose blocks have elements of their neighbours, and of what is beyond the ends; or
    None. Depths and kinds are those of :func:`samite.array.overlap.overlap`, and fit."""
    from samite.array.overlap import overlap

    if native.is_general(x) or are_written():
        return None
    expr = x._expr
    runs: list[Any] = [None] * x.ndim
    chunks: list[Any] = list(x.chunks)
    for axis, (before, after) in depths.items():
        kind = kinds[axis]
        if not before and not after:
            continue
        if not isinstance(kind, str):
            # A value beyond the ends is there before the blocks are made.
            try:
                end = [[n] if a == axis else list(s) for a, s in enumerate(expr.chunks)
                       for n in [before]]  # fmt: skip
                filled = native.Expr.full(x.dtype.type(kind), x.dtype.name, end)
            except (TypeError, ValueError, OverflowError):
                return None
            expr = native.Expr.concatenate([filled, expr, filled], axis)
        runs[axis], chunks[axis] = overlap_runs(x.chunks[axis], before, after, kind)
    if any(run is not None for run in runs):
        expr = expr.gather(runs, chunks)

    def again(x: Array) -> Array:
        return overlap(x, dict(depths), dict(kinds))

    result = native.wrap(expr, "overlap")
    if result._expr is not None:
        # A graph of Python's tasks is better off with strips of neighbours than with all of them.
        result._twin = Twin(again, [x])
    return result


def trimmed(
    x: Array, runs: Sequence[Any], chunks: Chunks, again: Callable[..., Array]
) -> Array | None:
    """The parts of blocks along each axis, as runs of elements; or None."""
    if native.is_general(x):
        return None
    return native.wrap(x._expr.gather(list(runs), chunks), "trim", None, again, [x])


def overlap_runs(
    sizes: Sequence[int], before: int, after: int, kind: Any
) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Which elements of an axis stand in overlapping blocks, as runs (start, step, length), and
    the lengths of these blocks.

    Where ``kind`` is a value, the axis is one that has it at both ends already.

    Examples
    --------
    >>> overlap_runs((3, 2), 1, 1, "none")
    ([(0, 1, 4), (2, 1, 3)], [4, 3])
    >>> overlap_runs((3, 2), 1, 1, "reflect")
    ([(0, 1, 1), (0, 1, 4), (2, 1, 3), (4, 1, 1)], [5, 4])
    """
    length = sum(sizes)
    runs: list[tuple[int, int, int]] = []
    lengths = []
    start = 0
    for size in sizes:
        low, high = start - before, start + size + after
        start += size
        if not isinstance(kind, str):
            low, high = low + before, high + before
        elif kind == "none":
            low, high = max(low, 0), min(high, length)
        lengths.append(high - low)
        if not isinstance(kind, str) or kind == "none":
            runs.append((low, 1, high - low))
            continue
        below, above = -min(low, 0), max(high - length, 0)
        if below:
            runs.append({
                "periodic": (length - below, 1, below),
                "reflect": (below - 1, -1, below),
                "nearest": (0, 0, below),
            }[kind])  # fmt: skip
        runs.append((low + below, 1, high - low - below - above))
        if above:
            runs.append({
                "periodic": (0, 1, above),
                "reflect": (length - 1, -1, above),
                "nearest": (length - 1, 0, above),
            }[kind])  # fmt: skip
    return [run for run in runs if run[2]], lengths


def kept_runs(
    sizes: Sequence[int], before: int, after: int, at_ends: bool
) -> list[tuple[int, int, int]]:
    """What is left of the blocks along an axis, as runs (start, step, length)."""
    runs = []
    start = 0
    for i, size in enumerate(sizes):
        first = before if i or at_ends else 0
        last = after if i < len(sizes) - 1 or at_ends else 0
        runs.append((start + first, 1, size - first - last))
        start += size
    return runs
