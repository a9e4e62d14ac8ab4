"""From plain Python structures, and from the older tuple notation, to nodes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping
from typing import Any

from samite._task_spec.containers import Dict, List, NestedContainer, Set, Tuple
from samite._task_spec.nodes import Alias, DataNode, GraphNode, Task, is_future
from samite.core import plain_graph

_CONTAINER_OF: dict[type, type[NestedContainer]] = {list: List, tuple: Tuple, set: Set}
_SCALARS = (int, float, bool, bytes, complex, type(None))


def parse_input(obj: Any) -> Any:
    """Turn references inside of plain containers into something a task can resolve.

    Lists, tuples, sets, dicts and named tuples that hold a node or a reference become nodes;
    everything else is given back as it is. Tuples are data here, never calls.
    """
    if isinstance(obj, GraphNode):
        return obj
    if is_future(obj):
        return Alias(obj.key)
    if isinstance(obj, dict):
        values = [parse_input(value) for value in obj.values()]
        if any(isinstance(value, GraphNode) for value in values):
            return Dict(dict(zip(obj, values)))
        return obj
    if isinstance(obj, (list, tuple, set, frozenset)):
        return _parse_sequence(None, obj, parse_input)
    return obj


def convert_legacy_task(key: Any, task: Any, all_keys: Container[Any]) -> Any:
    """Turn a computation of the tuple notation into a node.

    Parameters
    ----------
    key:
        The name of the result, or None inside another computation.
    task:
        The computation.
    all_keys:
        What counts as a reference.

    Returns
    -------
    A node, or the value itself if it is only a value.
    """
    if isinstance(task, GraphNode):
        return task
    kind = type(task)
    if kind is tuple and task and callable(task[0]):
        func, *args = task
        return Task(key, func, *(_convert_argument(arg, all_keys) for arg in args))
    if is_future(task):
        return Alias(task.key) if key is None else Alias(key, task.key)
    if kind in (str, int, float, tuple) and _is_known(task, all_keys):
        return Alias(task) if key is None else Alias(key, task)
    if kind is str or kind in _SCALARS:
        return task
    if isinstance(task, (list, tuple, set, frozenset)):
        return _parse_sequence(key, task, lambda item: convert_legacy_task(None, item, all_keys))
    if kind is dict:
        # Keys inside of dicts were never references in the tuple notation.
        parsed = parse_input(task)
        return parsed if parsed is task else _named(key, parsed)
    return task


def _convert_argument(arg: Any, all_keys: Container[Any]) -> Any:
    return convert_legacy_task(None, arg, all_keys)


def _is_known(key: Any, all_keys: Container[Any]) -> bool:
    try:
        return key in all_keys
    except TypeError:
        return False


def _named(key: Any, node: GraphNode) -> GraphNode:
    return node if key is None else node.substitute({}, key=key)


def _parse_sequence(key: Any, obj: Any, parse: Callable[[Any], Any]) -> Any:
    items = [parse(item) for item in obj]
    if not any(isinstance(item, GraphNode) for item in items):
        return obj
    kind = type(obj)
    if kind in _CONTAINER_OF:
        return _named(key, _CONTAINER_OF[kind]._of(items))
    if isinstance(obj, tuple) and hasattr(kind, "_fields"):
        return _parse_namedtuple(key, obj, parse)
    return Task(key, _identity_cast, *items, typ=kind)


def _identity_cast(*args: Any, typ: Callable[[Any], Any]) -> Any:
    return typ(args)


def _parse_namedtuple(key: Any, obj: Any, parse: Callable[[Any], Any]) -> Task:
    """Rebuild a named tuple through its constructor, whose arguments may not be its fields."""
    kind = type(obj)
    if _has_own(kind, "__getnewargs_ex__"):
        args, kwargs = obj.__getnewargs_ex__()
    elif _has_own(kind, "__getnewargs__"):
        args, kwargs = obj.__getnewargs__(), {}
    else:
        args, kwargs = tuple(obj), {}
    parsed_args = List._of([parse(arg) for arg in args])
    parsed_kwargs = Dict({name: parse(value) for name, value in kwargs.items()})
    return Task(key, _instantiate, kind, parsed_args, parsed_kwargs)


@functools.cache
def _has_own(kind: type, method: str) -> bool:
    return hasattr(kind, method)


def _instantiate(kind: type, args: list[Any], kwargs: dict[str, Any]) -> Any:
    return kind(*args, **kwargs)


def convert_legacy_graph(
    dsk: Mapping[Any, Any], all_keys: Container[Any] | None = None
) -> dict[Any, GraphNode]:
    """Turn a graph of either notation into one of nodes only.

    Nodes that are there already are kept as the same objects, provided that they carry the
    key under which they are stored. An entry that refers to itself, as a result that a
    cluster holds does, is dropped.

    Parameters
    ----------
    dsk:
        The graph.
    all_keys:
        What counts as a reference; by default the keys of the graph.
    """
    dsk = plain_graph(dsk)
    if all_keys is None:
        all_keys = dsk
    result: dict[Any, GraphNode] = {}
    for key, task in dsk.items():
        node = convert_legacy_task(key, task, all_keys)
        if not isinstance(node, GraphNode):
            node = DataNode(key, node)
        elif node.key != key:
            if isinstance(node, Alias):
                node = Alias(key, node.target)
            else:
                node = node.substitute({}, key=key)
        if isinstance(node, Alias) and node.target == key:
            continue
        result[key] = node
    return result
