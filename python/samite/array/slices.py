"""Indices of indices: ``x[a][b]`` as ``x[c]``."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from samite.array.chunks import Chunks, boundaries

__all__ = ["fuse_slice", "slices_from_chunks"]


def slices_from_chunks(chunks: Chunks) -> list[tuple[slice, ...]]:
    """The slices that cut each chunk out of the whole array, the last axis running fastest.

    >>> slices_from_chunks(((2, 2), (3,)))
    [(slice(0, 2, None), slice(0, 3, None)), (slice(2, 4, None), slice(0, 3, None))]
    """
    along = []
    for sizes in chunks:
        edges = boundaries(sizes)
        along.append([slice(low, high) for low, high in zip(edges, edges[1:])])
    return list(product(*along))


def fuse_slice(a: Any, b: Any) -> Any:
    """The index that picks what two indices pick one after the other.

    Parameters
    ----------
    a, b:
        Slices with bounds and steps that are not negative, integers, lists, None, or tuples.

    Raises
    ------
    NotImplementedError
        If there is no such index, or it depends on the length.

    Examples
    --------
    >>> fuse_slice(slice(1000, 2000), slice(10, 15))
    slice(1010, 1015, None)
    >>> fuse_slice((slice(100, 200),), (None, slice(10, 20)))
    (None, slice(110, 120, None))
    """
    if isinstance(a, tuple) or isinstance(b, tuple):
        return _fuse_tuples(a, b)
    if a is None:
        if isinstance(b, slice) and b == slice(None):
            return None
        raise NotImplementedError("an added axis can only be kept as it is")
    if isinstance(a, slice):
        if isinstance(b, slice):
            return _fuse_slices(a, b)
        start, step = _start(a), _step(a)
        if isinstance(b, (int, np.integer)):
            if b < 0:
                raise NotImplementedError("positions from the end depend on the length")
            return start + int(b) * step
        if isinstance(b, (list, np.ndarray)):
            positions = np.asarray(b)
            if positions.dtype.kind == "b" or (positions < 0).any():
                raise NotImplementedError("masks and positions from the end depend on the length")
            found = start + positions * step
            return found.tolist() if isinstance(b, list) else found
    if isinstance(a, (list, np.ndarray)):
        if isinstance(a, np.ndarray) and a.dtype.kind == "b":
            a = np.flatnonzero(a)
        if isinstance(b, (slice, int, np.integer)):
            return a[b]
        if isinstance(b, (list, np.ndarray)):
            found = np.asarray(a)[np.asarray(b)]
            return found.tolist() if isinstance(a, list) else found
    raise NotImplementedError(f"no index is {a!r} and then {b!r}")


def _start(part: slice) -> int:
    start = part.start or 0
    if start < 0 or (part.stop is not None and part.stop < 0):
        raise NotImplementedError("bounds from the end depend on the length")
    return start


def _step(part: slice) -> int:
    step = 1 if part.step is None else part.step
    if step <= 0:
        raise NotImplementedError("steps backwards depend on the length")
    return step


def _fuse_slices(a: slice, b: slice) -> slice:
    start_a, step_a, start_b, step_b = _start(a), _step(a), _start(b), _step(b)
    start = start_a + step_a * start_b
    stop = None if b.stop is None else start_a + step_a * b.stop
    if a.stop is not None:
        stop = a.stop if stop is None else min(a.stop, stop)
    step = step_a * step_b
    return slice(start, stop, None if step == 1 else step)


def _fuse_tuples(a: Any, b: Any) -> tuple[Any, ...]:
    a = a if isinstance(a, tuple) else (a,)
    b = b if isinstance(b, tuple) else (b,)
    fancy_a = any(isinstance(part, (list, np.ndarray)) for part in a)
    fancy_b = any(isinstance(part, (list, np.ndarray)) for part in b)
    # Together with a list, an integer moves the list's axis to the front.
    for one, other, fancy in ((a, b, fancy_a), (b, a, fancy_b)):
        if fancy:
            for mine, its in zip(_kept(a) if one is a else one, other):
                if isinstance(its, (int, np.integer)) and not isinstance(mine, (list, np.ndarray)):
                    raise NotImplementedError("a list and an integer cannot be one index")
    if fancy_b and any(isinstance(part, (int, np.integer)) for part in a):
        raise NotImplementedError("a list and an integer cannot be one index")
    result: list[Any] = []
    following = iter(b)
    pending = list(a)
    while pending:
        part = pending.pop(0)
        if isinstance(part, (int, np.integer)):
            result.append(part)
            continue
        inner = next(following, slice(None))
        while inner is None:
            result.append(None)
            inner = next(following, slice(None))
        result.append(fuse_slice(part, inner))
    result.extend(following)
    return tuple(result)


def _kept(index: tuple[Any, ...]) -> list[Any]:
    return [part for part in index if not isinstance(part, (int, np.integer))]
