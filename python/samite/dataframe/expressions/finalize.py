"""The one result that a user gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr.graphs import nested_references
from samite._task_spec import Task
from samite.dataframe import methods
from samite.dataframe.expressions.node import FrameExpr


class Concatenated(FrameExpr):
    """All partitions of a frame as one."""

    _parameters = ["frame"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        divisions = self.frame.divisions
        return (divisions[0], divisions[-1])

    def _layer(self) -> Mapping[Any, Any]:
        key = (self._name, 0)
        parts = nested_references(self.frame.__dask_keys__())
        return {key: Task(key, methods.concatenated, parts, self.frame._meta)}
