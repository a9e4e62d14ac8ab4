"""Renaming the tasks of a layer, for :mod:`samite.graph_manipulation`."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

from samite._task_spec import GraphNode, Task, TaskRef


def clone_tasks(
    tasks: Mapping[Any, Any], keys: Collection[Any], seed: Hashable, bind_to: Any = None
) -> tuple[dict[Any, Any], bool]:
    """Rename tasks and the references between them.

    Parameters
    ----------
    tasks:
        Computations by key, in either notation.
    keys:
        The keys that get new names, of these and of other tasks.
    seed:
        What new names are made from.
    bind_to:
        A key on which every renamed task without a renamed dependency will depend.

    Returns
    -------
    The new tasks, and whether any has been bound.
    """
    from samite.base import clone_key
    from samite.graph_manipulation import chunks

    result: dict[Any, Any] = {}
    bound = False
    for key, task in tasks.items():
        if key not in keys:
            result[key] = task
            continue
        new_key = clone_key(key, seed)
        if isinstance(task, GraphNode):
            renamed = {d: clone_key(d, seed) for d in task.dependencies if d in keys}
            new_task: Any = task.substitute(renamed, key=new_key)
            is_leaf = not renamed
        else:
            renamer = _Renamer(keys, seed)
            new_task = renamer(task)
            is_leaf = not renamer.renamed
        if is_leaf and bind_to is not None:
            bound = True
            if isinstance(new_task, GraphNode):
                new_task = Task(new_key, chunks.bind, new_task, TaskRef(bind_to))
            else:
                new_task = (chunks.bind, new_task, bind_to)
        result[new_key] = new_task
    return result, bound


class _Renamer:
    """Copies a computation of the tuple notation with new keys, and remembers if it saw one."""

    def __init__(self, keys: Collection[Any], seed: Hashable) -> None:
        self._keys, self._seed = keys, seed
        self.renamed = False

    def __call__(self, item: Any) -> Any:
        from samite.base import clone_key

        kind = type(item)
        if kind is tuple and item and callable(item[0]):
            return (item[0], *map(self, item[1:]))
        if kind is list:
            return [self(part) for part in item]
        if kind is dict:
            return {name: self(part) for name, part in item.items()}
        if isinstance(item, GraphNode):
            renamed = {d: clone_key(d, self._seed) for d in item.dependencies if d in self._keys}
            self.renamed |= bool(renamed)
            return item.substitute(renamed)
        if isinstance(item, TaskRef):
            if item.key not in self._keys:
                return item
            self.renamed = True
            return TaskRef(clone_key(item.key, self._seed))
        try:
            if item not in self._keys:
                return item
        except TypeError:
            return item
        self.renamed = True
        return clone_key(item, self._seed)
