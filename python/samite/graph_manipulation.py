"""Order of execution between collections, and copies of them under new keys.

Other than optimizations, these functions give collections that are not equivalent to the
ones they got: they do the same work again, or later.
"""

from __future__ import annotations

import math
import uuid
from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

from samite._expr.graphs import nested_references
from samite._task_spec import List, Task, TaskRef
from samite.core import flatten
from samite.highlevelgraph import HighLevelGraph, Layer, MaterializedLayer

if TYPE_CHECKING:
    from samite.delayed import Delayed
    from samite.typing import Key

__all__ = ("bind", "checkpoint", "clone", "wait_on")

T = TypeVar("T")

_DEFAULT_SPLIT = 8


class chunks:
    """The functions that run in the tasks made here."""

    @staticmethod
    def bind(node: T, *args: Any, **kwargs: Any) -> T:
        """Give ``node``, once everything else is there too."""
        return node

    @staticmethod
    def checkpoint(*args: Any, **kwargs: Any) -> None:
        """Give None, once everything is there."""


def _checked_split(split_every: float | bool | None) -> int | None:
    """The number of results joined at a time; None for any number."""
    if split_every is None:
        return _DEFAULT_SPLIT
    if split_every is False:
        return None
    split = int(split_every)
    if split < 2:
        raise ValueError("split_every must be False, None, or >= 2")
    return split


def checkpoint(*collections: Any, split_every: float | bool | None = None) -> Delayed:
    """A :class:`~samite.delayed.Delayed` of None that is done when all collections are.

    Parameters
    ----------
    collections:
        Collections, or nested structures of them.
    split_every:
        How many parts are waited for by one task. Parts are joined in as many steps as it
        takes; False joins all of them at once. By default 8.

    Raises
    ------
    ValueError
        If ``split_every`` is smaller than 2.
    """
    from samite.base import unpack_collections
    from samite.delayed import delayed

    split = _checked_split(split_every)
    found, _ = unpack_collections(*collections)
    if len(found) == 1:
        return _checkpoint_one(found[0], split)
    return delayed(chunks.checkpoint)(*(_checkpoint_one(c, split) for c in found))


def _checkpoint_one(collection: Any, split: int | None) -> Delayed:
    from samite.base import get_collection_names, tokenize
    from samite.delayed import Delayed

    token = tokenize(collection)
    name = f"checkpoint-{token}"
    keys = collection.__dask_keys__()
    if len(list(flatten(keys))) < 2:
        layer = {name: Task(name, chunks.checkpoint, nested_references(keys))}
        return Delayed(name, HighLevelGraph.from_collections(name, layer, [collection]))

    # Each part is turned into None where it is, so that only that travels to be joined.
    graphs = []
    mapped: list[Any] = []
    map_names = set()
    for part_name in get_collection_names(collection):
        map_name = f"checkpoint_map-{tokenize(part_name, token)}"
        map_layer = _map_layer(chunks.checkpoint, part_name, map_name, collection)
        map_names.add(map_name)
        mapped += map_layer.get_output_keys()
        graphs.append(HighLevelGraph.from_collections(map_name, map_layer, [collection]))
    graphs.append(HighLevelGraph({name: _join_all(name, mapped, split)}, {name: map_names}))
    return Delayed(name, HighLevelGraph.merge(*graphs))


def _join_all(name: str, keys: list[Any], split: int | None) -> dict[Any, Task]:
    """Tasks that wait for ``keys``; the last one is called ``name``."""
    tasks: dict[Any, Task] = {}
    waiting = deque(keys)
    while split and len(waiting) > split:
        key = (name, len(tasks))
        some = [TaskRef(waiting.popleft()) for _ in range(split)]
        tasks[key] = Task(key, chunks.checkpoint, List._of(some))
        waiting.append(key)
    tasks[name] = Task(name, chunks.checkpoint, List._of([TaskRef(key) for key in waiting]))
    return tasks


def _block_counts(collection: Any, name: str) -> tuple[int, ...] | None:
    """The number of blocks by dimension, if the keys are ``(name, i, j, ...)`` for all blocks."""
    counts = getattr(collection, "numblocks", None)
    if counts is None:
        partitions = getattr(collection, "npartitions", None)
        counts = (partitions,) if isinstance(partitions, int) else None
    if not isinstance(counts, tuple) or not all(isinstance(n, int) for n in counts):
        return None
    keys = list(flatten(collection.__dask_keys__()))
    if len(keys) != math.prod(counts) or keys[:1] != [(name, *(0 for _ in counts))]:
        return None
    return counts


def _map_layer(
    func: Callable[..., Any],
    name: str,
    new_name: str,
    collection: Any,
    dependencies: tuple[Delayed, ...] = (),
) -> Layer:
    """A layer that calls ``func(part, *dependencies)`` for the parts under ``name``."""
    from samite.base import get_name_from_key, replace_name_in_key

    references = [TaskRef(d.key) for d in dependencies]
    counts = _block_counts(collection, name)
    if counts is not None:
        from samite.blockwise import blockwise

        extra = {"_deps": List._of(references)} if references else {}
        index = tuple(range(len(counts)))
        return blockwise(
            func, new_name, index, name, index,
            numblocks={name: counts}, dependencies=dependencies, **extra,
        )  # fmt: skip
    tasks = {}
    for key in flatten(collection.__dask_keys__()):
        if get_name_from_key(key) == name:
            new_key = replace_name_in_key(key, {name: new_name})
            tasks[new_key] = Task(new_key, func, TaskRef(key), *references)
    return MaterializedLayer(tasks)


def bind(
    children: T,
    parents: Any,
    *,
    omit: Any = None,
    seed: Hashable | None = None,
    assume_layers: bool = True,
    split_every: float | bool | None = None,
) -> T:
    """Copies of ``children`` that do not start before all of ``parents`` is done.

    The tasks of the copies have new keys, so that both can be computed together. What is
    copied reaches down to ``omit``, whose tasks are shared with the originals.

    Parameters
    ----------
    children:
        A collection, or a nested structure of collections.
    parents:
        Collections to wait for; None to only copy.
    omit:
        Collections that the children are built on and that are not to be computed again.
    seed:
        What new keys are made from; by default random, so that every copy is another one.
    assume_layers:
        Copy and omit whole layers, which is fast. It takes collections with layered graphs
        whose layers are the same in ``children`` and ``omit``. With False single keys are
        looked at.
    split_every:
        See :func:`checkpoint`.

    Returns
    -------
    The structure of ``children`` with the copies in it.

    Examples
    --------
    >>> from samite import delayed
    >>> a = delayed(print)("first")
    >>> b = delayed(sum)([1, 2])
    >>> bind(b, a).compute()
    first
    3
    """
    from samite.base import unpack_collections

    if seed is None:
        seed = uuid.uuid4().bytes
    blocker = None if parents is None else checkpoint(parents, split_every=split_every)
    omitted, _ = unpack_collections(omit)
    omit_layers: set[str] = set()
    omit_keys: set[Key] = set()
    for collection in omitted:
        if assume_layers:
            omit_layers.update(collection.__dask_layers__())
        else:
            omit_keys.update(collection.__dask_graph__())
    found, repack = unpack_collections(children)
    copies = [_bind_one(child, blocker, omit_layers, omit_keys, seed) for child in found]
    return repack(copies)[0]


def _bind_one(
    child: Any,
    blocker: Delayed | None,
    omit_layers: set[str],
    omit_keys: set[Key],
    seed: Hashable,
) -> Any:
    from samite.base import clone_key, get_collection_names

    names = get_collection_names(child)
    if not names:
        return child  # A collection without keys has nothing that could wait.
    graph, outer = _layered(child, names)
    cloned_keys = graph.get_all_external_keys() - omit_keys
    for name in omit_layers & graph.layers.keys():
        cloned_keys -= set(graph.layers[name].get_output_keys())

    layers: dict[str, Layer] = {}
    dependencies: dict[str, set[str]] = {}
    blocker_key = None
    blocker_layers: set[str] = set()
    if blocker is not None:
        blocker_key = blocker.key
        blocker_graph = blocker.__dask_graph__()
        layers.update(blocker_graph.layers)
        dependencies.update(blocker_graph.dependencies)
        blocker_layers = set(blocker.__dask_layers__())

    to_clone = set(outer)
    to_keep: set[str] = set()
    while to_clone:
        name = to_clone.pop()
        new_name = clone_key(name, seed)
        if new_name in layers:
            continue
        needed = graph.dependencies[name]
        layers[new_name], bound = graph.layers[name].clone(cloned_keys, seed, blocker_key)
        dependencies[new_name] = (needed & omit_layers) | {
            clone_key(other, seed) for other in needed - omit_layers
        }
        if bound:
            dependencies[new_name] |= blocker_layers
        to_clone |= needed - omit_layers
        to_keep |= needed & omit_layers
    while to_keep:
        name = to_keep.pop()
        if name not in layers:
            layers[name] = graph.layers[name]
            dependencies[name] = graph.dependencies[name]
            to_keep |= dependencies[name]

    rebuild, args = child.__dask_postpersist__()
    rename = {name: clone_key(name, seed) for name in names}
    return rebuild(HighLevelGraph(layers, dependencies), *args, rename=rename)


def _layered(collection: Any, names: set[str]) -> tuple[HighLevelGraph, set[str]]:
    """The layered graph of a collection, and the names of its outermost layers."""
    graph = collection.__dask_graph__()
    if not isinstance(graph, HighLevelGraph):
        from samite.base import tokenize

        (name,) = names if len(names) == 1 else (tokenize(*sorted(names)),)
        return HighLevelGraph.from_collections(name, graph), {name}
    try:
        return graph, set(collection.__dask_layers__())
    except AttributeError:
        return graph, set(names)


def clone(
    *collections: Any, omit: Any = None, seed: Hashable | None = None, assume_layers: bool = True
) -> Any:
    """Copies of collections, with the same values and other keys.

    Parameters
    ----------
    collections:
        Collections, or nested structures of them.
    omit, seed, assume_layers:
        See :func:`bind`.

    Returns
    -------
    The copy if there is one argument, else a tuple of copies.
    """
    copies = bind(collections, None, omit=omit, seed=seed, assume_layers=assume_layers)
    return copies[0] if len(collections) == 1 else copies


def wait_on(*collections: Any, split_every: float | bool | None = None) -> Any:
    """Collections of the same values, no part of which is there before all parts are.

    Parameters
    ----------
    collections:
        Collections, or nested structures of them.
    split_every:
        See :func:`checkpoint`.

    Returns
    -------
    The new collection if there is one argument, else a tuple of them.
    """
    from samite.base import get_collection_names, tokenize, unpack_collections

    blocker = checkpoint(*collections, split_every=split_every)

    def blocked(collection: Any) -> Any:
        token = tokenize(collection, blocker)
        graphs = []
        rename = {}
        for name in get_collection_names(collection):
            new_name = rename[name] = f"wait_on-{tokenize(name, token)}"
            layer = _map_layer(chunks.bind, name, new_name, collection, (blocker,))
            graphs.append(HighLevelGraph.from_collections(new_name, layer, [collection, blocker]))
        rebuild, args = collection.__dask_postpersist__()
        return rebuild(HighLevelGraph.merge(*graphs), *args, rename=rename)

    found, repack = unpack_collections(*collections)
    result = repack([blocked(collection) for collection in found])
    return result[0] if len(collections) == 1 else result
