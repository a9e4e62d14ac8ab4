"""Dask's own collections on our schedulers: ``dask.config.set(scheduler=samite.get)``.

Dask hands a scheduler an expression, whose graph it makes when asked. By default it then fuses
chains of tasks, one Python object after the other, to save itself the overhead of a task; here a
task costs next to nothing and fusing costs far more than it saves, so it is left out. Where a
graph reads slices of files it is kept, since the same step makes the slices that are read smaller.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

_FUSE = "optimization.fuse.active"


def graph_of(expr: Any) -> dict[Any, Any]:
    """The dict graph of one of Dask's expressions, optimized as the user's settings say."""
    config = sys.modules["dask.config"]
    if config.get(_FUSE, None) is not None:
        return expr.__dask_graph__()
    with config.set({_FUSE: False}):
        graph = expr.__dask_graph__()
    if not _reads_slices(graph):
        return graph
    # The graph is kept by the expression once it is made.
    expr.__dict__.pop("_optimized_dsk", None)
    return expr.__dask_graph__()


def _reads_slices(graph: dict[Any, Any]) -> bool:
    core = sys.modules.get("dask.array.core")
    if core is None:
        return False
    getters = {core.getter, core.getter_nofancy, core.getter_inline}
    return any(_is_getter(task, getters) for task in graph.values())


def _is_getter(task: Any, getters: set[Any]) -> bool:
    func = getattr(task, "func", None)
    try:
        if func in getters:
            return True
    except TypeError:  # an unhashable callable
        return False
    if getattr(func, "__name__", "") == "_execute_subgraph":
        return any(_is_getter(inner, getters) for inner in task.args[0].values())
    return False


def in_our_notation(graph: dict[Any, Any]) -> dict[Any, Any]:
    """A dict graph with our task objects in place of Dask's, for those who look at tasks."""
    from samite._task_spec import DataNode, List, Task, TaskRef

    converted = {}
    for key, node in graph.items():
        if type(node).__module__ != "dask._task_spec":
            converted[key] = node
        elif type(node).__name__ == "DataNode":
            converted[key] = DataNode(key, node.value)
        else:
            needs = list(node.dependencies)
            references = List._of([TaskRef(needed) for needed in needs])
            # As a part of a function, since a task among the arguments would be run in place.
            converted[key] = Task(key, partial(_call_node, node, needs), references)
    return converted


def _call_node(node: Any, needs: list[Any], values: list[Any]) -> Any:
    return node(dict(zip(needs, values, strict=True)))


_DASK_MODULES = ("dask.base", "dask.array", "dask.bag", "dask.dataframe", "dask.delayed")


def is_dasks(collection: Any) -> bool:
    """Whether a collection is one of Dask's, or holds graphs of Dask's as xarray's objects do."""
    if "dask" not in sys.modules:
        return False
    if any(kind.__module__.startswith(_DASK_MODULES) for kind in type(collection).__mro__):
        return True
    if type(getattr(collection, "expr", None)).__module__.startswith("dask."):
        return True
    if type(collection).__module__.startswith("samite."):
        return False
    return type(collection.__dask_graph__()).__module__ == "dask.highlevelgraph"


def finalized(
    collections: list[Any], optimize_graph: bool = True
) -> tuple[dict[Any, Any], list[Any]]:
    """One graph for several of Dask's collections, optimized by Dask, and the key of each value.

    Our task objects are unknown to Dask's optimizations, so its graphs are made apart from ours.
    """
    from importlib import import_module

    base, expressions = import_module("dask.base"), import_module("dask._expr")
    expr = base.collections_to_expr(collections, optimize_graph=optimize_graph)
    expr = expressions.FinalizeCompute(expr).optimize()
    return graph_of(expr), list(base.flatten(expr.__dask_keys__()))
