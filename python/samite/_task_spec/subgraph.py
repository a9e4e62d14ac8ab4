"""Several tasks run as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from samite._task_spec.nodes import PUBLIC_MODULE, GraphNode, Task, TaskRef
from samite.core import toposort


def fuse(tasks: Iterable[GraphNode], key: Any = None) -> GraphNode:
    """See :meth:`GraphNode.fuse`."""
    tasks = list(tasks)
    if len(tasks) == 1:
        return tasks[0].substitute({}, key=key)
    inner = {task.key: task for task in tasks}
    needed: set[Any] = set().union(*(task.dependencies for task in tasks))
    outputs = [k for k in inner if k not in needed]
    if len(outputs) != 1:
        raise ValueError(f"Cannot fuse tasks with multiple outputs {outputs}")
    external = tuple(sorted(needed.difference(inner), key=str))
    # Kept in the order of execution, so that no call has to find it again.
    ordered = toposort(inner, {k: task.dependencies for k, task in inner.items()})
    return Task(
        outputs[0] if key is None else key,
        _execute_subgraph,
        {k: inner[k] for k in ordered},
        outputs[0],
        external,
        *map(TaskRef, external),
        _data_producer=any(task.data_producer for task in tasks),
    )


def _execute_subgraph(
    inner: Mapping[Any, GraphNode], output: Any, inputs: tuple[Any, ...], *values: Any
) -> Any:
    """Run the nodes of ``inner``, which are in an order of execution, and give one result.

    An intermediate result is dropped as soon as the last node that needs it has run.
    """
    uses: dict[Any, int] = {output: 1}
    for node in inner.values():
        for dependency in node.dependencies:
            uses[dependency] = uses.get(dependency, 0) + 1
    results = dict(zip(inputs, values))
    del values
    for key, node in inner.items():
        results[key] = node(results)
        for dependency in node.dependencies:
            uses[dependency] -= 1
            if not uses[dependency]:
                del results[dependency]
    return results[output]


_execute_subgraph.__module__ = PUBLIC_MODULE
