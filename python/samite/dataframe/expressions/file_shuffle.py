"""Moving rows through files, so that memory does not hold what waits."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr.graphs import nested_references
from samite._task_spec import Task, TaskRef
from samite.dataframe import shuffle_files
from samite.dataframe.expressions.node import FrameExpr


class FileShuffle(FrameExpr):
    """Rows moved through one file for each partition of ``frame``; see
    :func:`samite.dataframe.shuffling.targets`. The files are removed when nothing needs them
    any more. The rows of a partition keep the order that they had in ``frame``."""

    _parameters = ["frame", "keys", "how", "count", "chosen"]
    _defaults = {"chosen": None}

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return (None,) * ((self.count if self.chosen is None else len(self.chosen)) + 1)

    def _simplify_up(self, parent: Any, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.shuffle import with_chosen

        return with_chosen(self, parent)

    def _layer(self) -> Mapping[Any, Any]:
        from samite.dataframe.expressions.shuffle import chosen_tasks

        return chosen_tasks(self._whole_layer(), self._name, self.chosen)

    def _whole_layer(self) -> dict[Any, Any]:
        frame, keys, name = self.frame, self.keys, self._name
        folder = (f"folder-{name}", 0)
        layer: dict[Any, Any] = {folder: Task(folder, shuffle_files.make_folder)}
        written = []
        for index in range(frame.npartitions):
            key = (f"write-{name}", index)
            other = None if keys is None else TaskRef((keys._name, index))
            part = TaskRef((frame._name, index))
            layer[key] = Task(
                key, shuffle_files.write, TaskRef(folder), index, part, other, self.how, self.count
            )
            written.append(key)
        # One task between writers and readers, so that there are not their product of edges.
        barrier = (f"barrier-{name}", 0)
        layer[barrier] = Task(
            barrier, shuffle_files.all_written, TaskRef(folder), nested_references(written)
        )
        for index in range(self.count):
            key = (name, index)
            # The folder lives as long as the object that made it, which may be on another worker
            # than the barrier's copy of it.
            layer[key] = Task(
                key, shuffle_files.read, TaskRef(barrier), index, self._meta, TaskRef(folder)
            )
        return layer
