"""What is made of every chunk of an array, put together in a tree, whatever the axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from samite._task_spec import List, Task, TaskRef
from samite.array.core import Array, make_array
from samite.base import tokenize

__all__ = ["flat_tree"]

_DEFAULT_SPLIT = 16


def flat_tree(
    arrays: Sequence[Array],
    chunk: Callable,
    combine: Callable,
    *,
    name: str,
    chunks: Any,
    meta: Any,
    places: Any = None,
    finish: Callable | None = None,
    split_every: int | None = None,
) -> Array:
    """An array of one chunk that is made of all chunks of others.

    Parameters
    ----------
    arrays:
        Arrays with the same number of blocks along each axis.
    chunk:
        ``chunk(*blocks)``, or ``chunk(place, *blocks)`` with ``places``.
    combine:
        ``combine(list of results)``, of what ``chunk`` or itself gave, in the order of blocks.
    name:
        What the name of the result begins with.
    places:
        What ``chunk`` gets for the coordinates of blocks, by coordinates.
    finish:
        Called with the last result.
    split_every:
        How many results are put together at a time.
    """
    step = int(split_every or _DEFAULT_SPLIT)
    if step < 2:
        raise ValueError(f"split_every must be at least 2, not {split_every}")
    name = f"{name}-{tokenize(arrays, chunk, combine, finish, step, chunks, meta)}"
    layer: dict[Any, Any] = {}
    level = []
    first = arrays[0]
    for n, position in enumerate(product(*map(range, first.numblocks))):
        key = (f"{name}-chunk", n)
        refs = [TaskRef((x.name, *position)) for x in arrays]
        extra = [] if places is None else [places[position]]
        layer[key] = Task(key, chunk, *extra, *refs)
        level.append(key)
    depth = 0
    while len(level) > step:
        groups = [level[n : n + step] for n in range(0, len(level), step)]
        level = []
        for n, group in enumerate(groups):
            key = (f"{name}-combine", depth, n)
            layer[key] = Task(key, combine, List(*map(TaskRef, group)))
            level.append(key)
        depth += 1
    key = (name, *(0 for _ in chunks))
    layer[key] = Task(key, _Finished(combine, finish), List(*map(TaskRef, level)))
    return make_array(name, layer, chunks, meta, list(arrays))


class _Finished:
    """The last step of a tree."""

    def __init__(self, combine: Callable, finish: Callable | None) -> None:
        self.combine, self.finish = combine, finish

    def __call__(self, parts: list[Any]) -> Any:
        result = self.combine(parts)
        return result if self.finish is None else self.finish(result)
