"""Lazy calls written out as Python graphs: for `Delayed.dask`, pictures and other schedulers.

Computing lazy calls on our own schedulers does not come through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite._engine import Node, Template
from samite._task_spec import DataNode, GraphNode, List, Set, Task, TaskRef, Tuple
from samite.highlevelgraph import HighLevelGraph, MaterializedLayer
from samite.utils import ensure_dict, methodcaller


def graph_of(node: Any) -> HighLevelGraph:
    """The graph of a lazy value, with a layer for each call in it."""
    own = node._parts()
    if own[0] == "graph" and isinstance(own[1], HighLevelGraph):
        # Parts of one collection share a graph, and can be told to by its being the same.
        return own[1]
    layers: dict[Any, Any] = {}
    dependencies: dict[Any, set[Any]] = {}
    stack = [node]
    while stack:
        node = stack.pop()
        key = node.key
        if key in layers:
            continue
        parts = node._parts()
        if parts[0] == "graph":
            _add_graph(layers, dependencies, key, parts[1], parts[2])
            continue
        if parts[0] == "collection":
            _add_collection(layers, dependencies, key, parts[1])
            continue
        needs = node._needs()
        layers[key] = MaterializedLayer(
            {key: _task(key, parts)}, annotations=node._annotations or {}
        )
        dependencies[key] = {_layer_name(needed) for needed in needs}
        stack.extend(needs)
    return HighLevelGraph(layers, dependencies)


def _layer_name(node: Any) -> Any:
    parts = node._parts()
    return parts[2] if parts[0] == "graph" else node.key


def _add_graph(
    layers: dict[Any, Any], dependencies: dict[Any, set[Any]], key: Any, graph: Any, layer: Any
) -> None:
    if isinstance(graph, HighLevelGraph):
        layers.update(graph.layers)
        dependencies.update(graph.dependencies)
    elif hasattr(graph, "layers") and hasattr(graph, "dependencies"):
        layers.update(graph.layers)
        dependencies.update({name: set(needs) for name, needs in graph.dependencies.items()})
    else:
        layers[layer] = MaterializedLayer(graph, annotations={})
        dependencies[layer] = set()


def _add_collection(
    layers: dict[Any, Any], dependencies: dict[Any, set[Any]], key: Any, collection: Any
) -> None:
    below = HighLevelGraph.from_collections(key, {key: _finalize(key, collection)}, [collection])
    layers.update(below.layers)
    dependencies.update({name: set(needs) for name, needs in below.dependencies.items()})


def _finalize(key: Any, collection: Any) -> Task:
    function, extra = collection.__dask_postcompute__()
    return Task(key, function, _references(collection.__dask_keys__()), *extra)


def _references(keys: Any) -> Any:
    if isinstance(keys, list):
        return List._of([_references(key) for key in keys])
    return TaskRef(keys)


def _task(key: Any, parts: tuple[Any, ...]) -> GraphNode:
    kind = parts[0]
    if kind == "leaf":
        return DataNode(key, parts[1])
    if kind == "literal":
        return Task(key, _identity, _argument(parts[1][0]))
    if kind == "attribute":
        return Task(key, getattr, _argument(parts[2][0]), parts[1])
    arguments = [_argument(item) for item in parts[2]]
    keywords = {name: _argument(item) for name, item in (parts[3] or {}).items()}
    if kind == "method":
        return Task(key, methodcaller(parts[1]), *arguments, **keywords)
    func = parts[1]
    if isinstance(func, Node):
        return Task(key, _call, _argument(func), *arguments, **keywords)
    return Task(key, func, *arguments, **keywords)


def _identity(value: Any) -> Any:
    return value


def _call(func: Any, /, *args: Any, **kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _argument(item: Any) -> Any:
    if isinstance(item, Node):
        return TaskRef(item.key)
    if isinstance(item, Template):
        return _container(item.spec())
    if isinstance(item, (GraphNode, TaskRef)):
        return DataNode(None, item)
    return item


def _container(spec: tuple[Any, ...]) -> Any:
    """The task object of a template; the words are those of the engine's specs."""
    kind = spec[0]
    if kind == "v":
        return _argument(spec[1])
    if kind == "n":
        return TaskRef(spec[1].key)
    if kind in "lts":
        return _CONTAINERS[kind]._of([_container(item) for item in spec[1]])
    if kind == "f":
        return Task(None, frozenset, List._of([_container(item) for item in spec[1]]))
    if kind == "d":
        pairs = [Tuple._of([_container(key), _container(value)]) for key, value in spec[1]]
        return Task(None, dict, List._of(pairs))
    _, func, args, kwargs = spec
    return Task(
        None,
        _container(func),
        *[_container(item) for item in args],
        **{name: _container(item) for name, item in kwargs},
    )


_CONTAINERS = {"l": List, "t": Tuple, "s": Set}


def unpack_collections(expr: Any) -> tuple[Any, tuple[Any, ...]]:
    """A value as a task object, and the collections in it; see `samite.delayed`."""
    from samite.base import unpack_collections as unpack
    from samite.delayed import Delayed, delayed

    collections, _ = unpack(expr)
    if not collections:
        return expr, ()
    lazy = delayed(expr)
    if not isinstance(expr, Delayed) and lazy._parts()[0] == "literal":
        return _argument(lazy._parts()[1][0]), tuple(collections)
    return TaskRef(lazy.key), tuple(collections)


def to_task_dask(expr: Any) -> tuple[Any, Any]:
    """A value in tuple notation and the graph that it needs."""
    if isinstance(expr, Node):
        return expr.key, graph_of(expr)
    if not isinstance(expr, type) and hasattr(expr, "__dask_graph__"):
        from samite.tokenize import tokenize

        name = f"finalize-{tokenize(expr)}"
        return name, {**ensure_dict(expr.__dask_graph__()), name: _finalize(name, expr)}
    kind = type(expr)
    if kind in (list, tuple, set):
        items, graph = _all_tasks(list(expr))
        return (items if kind is list else (kind, items)), graph
    if kind is dict:
        items, graph = _all_tasks([list(item) for item in expr.items()])
        return (dict, items), graph
    if kind is slice:
        items, graph = _all_tasks([expr.start, expr.stop, expr.step])
        return (slice, *items), graph
    if isinstance(expr, tuple) and hasattr(kind, "_fields"):
        items, graph = _all_tasks(list(expr))
        return (kind, *items), graph
    return expr, {}


def _all_tasks(items: list[Any]) -> tuple[list[Any], Mapping[Any, Any]]:
    tasks, merged = [], {}
    for item in items:
        task, graph = to_task_dask(item)
        tasks.append(task)
        merged.update(ensure_dict(graph))
    return tasks, merged
