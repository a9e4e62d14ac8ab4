"""The public part of the task notation; see :mod:`samite._task_spec` for what it means."""

from samite._task_spec import Alias, DataNode, GraphNode, List, Task, TaskRef

__all__ = ["Alias", "DataNode", "GraphNode", "List", "Task", "TaskRef"]
