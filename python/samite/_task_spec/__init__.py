"""The notation of task graphs: nodes, references, and the passes over them.

A graph is a mapping from keys to nodes, each of which carries its key:

>>> from operator import add
>>> graph = {
...     "x": DataNode("x", 1),
...     "y": Task("y", add, TaskRef("x"), 10),
...     "z": Alias("z", "y"),
... }
>>> execute_graph(graph)["z"]
11

- :class:`DataNode` holds a value, :class:`Task` a call, :class:`Alias` another name.
- :class:`TaskRef` stands for a result among the arguments of a task, and
  :class:`List`, :class:`Tuple`, :class:`Set` and :class:`Dict` are containers that may
  hold references. A node among the arguments is evaluated in place.
- A node knows its :attr:`~GraphNode.dependencies` and is called with their results.
"""

from samite._task_spec.containers import Dict, List, NestedContainer, Set, Tuple

# Pickles and other modules find these by their names here.
from samite._task_spec.containers import _rebuild as _rebuild
from samite._task_spec.containers import _rebuild_named as _rebuild_named
from samite._task_spec.nodes import Alias, DataNode, GraphNode, Task, TaskRef
from samite._task_spec.nodes import get_dependencies_of_value as _get_dependencies  # noqa: F401
from samite._task_spec.nodes import is_future as _is_dask_future  # noqa: F401
from samite._task_spec.parse import convert_legacy_graph, convert_legacy_task, parse_input
from samite._task_spec.passes import (
    DependenciesMapping,
    cull,
    execute_graph,
    fuse_linear_task_spec,
    resolve_aliases,
)
from samite._task_spec.subgraph import _execute_subgraph as _execute_subgraph

__all__ = [
    "Alias",
    "DataNode",
    "DependenciesMapping",
    "Dict",
    "GraphNode",
    "List",
    "NestedContainer",
    "Set",
    "Task",
    "TaskRef",
    "Tuple",
    "convert_legacy_graph",
    "convert_legacy_task",
    "cull",
    "execute_graph",
    "fuse_linear_task_spec",
    "parse_input",
    "resolve_aliases",
]
