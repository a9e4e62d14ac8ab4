"""Graphs of bags: how layers are made, and the pass that joins chains of steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from samite._task_spec import Alias, DataNode, Dict, List, Task, TaskRef
from samite.bag.streaming import LONGEST_CHAIN, apply_chain, make_step, run_chain
from samite.highlevelgraph import HighLevelGraph, MaterializedLayer


def step(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A step whose arguments may hold references to tasks, in our containers of nodes."""
    parts = (*args, *kwargs.values())
    if any(isinstance(part, (Task, TaskRef, List, Dict, Alias)) for part in parts):
        return Task(None, make_step, func, List(*args), Dict(dict(kwargs)) if kwargs else None)
    return make_step(func, args, kwargs)


def chain_task(key: Any, source: Any, *steps: Any, value: bool = False) -> Task:
    """A task that takes the records of ``source`` through steps: to a list, or to a value."""
    return Task(key, apply_chain if value else run_chain, source, *steps)


class ChainLayer(Mapping[Any, Any]):
    """The same steps for each partition of a bag, whose tasks are made when they are asked for.

    Parameters
    ----------
    name:
        The first part of the keys.
    source:
        That of the keys of the partitions.
    count:
        The number of partitions.
    steps:
        What is done with each.
    """

    __slots__ = ("count", "name", "source", "steps")

    def __init__(self, name: str, source: str, count: int, steps: tuple[Any, ...]) -> None:
        self.name = name
        self.source = source
        self.count = count
        self.steps = steps

    def __getitem__(self, key: Any) -> Task:
        if key not in self:
            raise KeyError(key)
        return chain_task(key, TaskRef((self.source, key[1])), *self.steps)

    def __contains__(self, key: object) -> bool:
        return (
            type(key) is tuple
            and len(key) == 2
            and key[0] == self.name
            and type(key[1]) is int
            and 0 <= key[1] < self.count
        )

    def __iter__(self) -> Iterator[Any]:
        return zip(itertools.repeat(self.name), range(self.count))

    def __len__(self) -> int:
        return self.count

    def __reduce__(self) -> Any:
        return ChainLayer, (self.name, self.source, self.count, self.steps)


def layer_over(name: str, bag: Any, *steps: Any) -> ChainLayer:
    """The same steps for each partition of a bag."""
    return ChainLayer(name, bag.name, bag.npartitions, steps)


def graph_of(name: str, layer: Mapping[Any, Any], dependencies: Iterable[Any]) -> HighLevelGraph:
    """A layer on top of the graphs of collections."""
    return HighLevelGraph.from_collections(name, layer, dependencies=list(dependencies))


def optimize(dsk: Any, keys: Any, fuse_keys: Any = None, **kwargs: Any) -> Any:
    """Drop the tasks that ``keys`` do not need and join the steps of chains.

    The result is a dict; where layers are annotated, it is a graph of layers, and only steps with
    the same annotations are joined.

    Parameters
    ----------
    fuse_keys:
        Keys that are kept, although only one task needs them.
    """
    from samite._task_spec import convert_legacy_graph, cull
    from samite.bag.shuffling import renew_folders
    from samite.core import flatten
    from samite.utils import ensure_dict

    wanted = set(flatten(keys if isinstance(keys, list) else [keys]))
    graph = cull(convert_legacy_graph(ensure_dict(dsk)), wanted)
    kept = wanted | set(flatten(list(fuse_keys) if fuse_keys else []))
    layers = dsk.layers if isinstance(dsk, HighLevelGraph) else {}
    if not any(layer.annotations for layer in layers.values()):
        return renew_folders(join_chains(graph, kept))
    layer_of = {key: name for name, layer in layers.items() for key in layer}
    for key, node in graph.items():
        own = layers[layer_of[key]].annotations or {}
        for needed in node.dependencies:
            if needed in layer_of and (layers[layer_of[needed]].annotations or {}) != own:
                kept.add(needed)
    return _in_layers(renew_folders(join_chains(graph, kept)), layers, layer_of)


def _in_layers(
    graph: Mapping[Any, Any], layers: Mapping[str, Any], layer_of: Mapping[Any, str]
) -> HighLevelGraph:
    """The tasks of a graph in the layers that they are from, with the annotations of these."""
    parts: dict[str, dict[Any, Any]] = {}
    needs: dict[str, set[str]] = {}
    for key, node in graph.items():
        name = layer_of[key]
        parts.setdefault(name, {})[key] = node
        needed = {layer_of[one] for one in node.dependencies if one in layer_of}
        needs.setdefault(name, set()).update(needed - {name})
    made = {
        name: MaterializedLayer(part, annotations=layers[name].annotations or {})
        for name, part in parts.items()
    }
    return HighLevelGraph(made, needs)


def join_chains(graph: Mapping[Any, Any], kept: set[Any]) -> dict[Any, Any]:
    """Steps of a partition that nobody else looks at, joined with those that follow."""
    uses: dict[Any, int] = {}
    for node in graph.values():
        for needed in node.dependencies:
            uses[needed] = uses.get(needed, 0) + 1
    joined: dict[Any, Any] = {}
    gone: set[Any] = set()
    # Later layers come later in the graph; a chain is joined from its end.
    for key in reversed(_ordered(graph)):
        if key in gone:
            continue
        node = graph[key]
        if not _is_chain(node):
            joined[key] = node
            continue
        source, steps = node.args[0], [node.args[1:]]
        count = len(node.args) - 1
        while type(source) is TaskRef and uses[source.key] == 1 and source.key not in kept:
            before = graph.get(source.key)
            if any(source.key in part.dependencies for part in steps[-1] if _is_node(part)):
                break
            if type(before) is DataNode:
                gone.add(source.key)
                source = before.value
                break
            if not _is_chain(before) or before.func is not run_chain:
                break
            if count + len(before.args) - 1 > LONGEST_CHAIN:
                break
            gone.add(source.key)
            count += len(before.args) - 1
            steps.append(before.args[1:])
            source = before.args[0]
        if len(steps) > 1 or source is not node.args[0]:
            flat = [part for parts in reversed(steps) for part in parts]
            node = Task(key, node.func, source, *flat)
        joined[key] = node
    return {key: joined[key] for key in graph if key in joined and key not in gone}


def _ordered(graph: Mapping[Any, Any]) -> list[Any]:
    from samite.core import toposort

    return toposort(graph, {key: set(node.dependencies) for key, node in graph.items()})


def _is_node(part: Any) -> bool:
    return hasattr(part, "dependencies") and hasattr(part, "substitute")


def _is_chain(node: Any) -> bool:
    return type(node) is Task and node.func in (run_chain, apply_chain) and not node.kwargs
