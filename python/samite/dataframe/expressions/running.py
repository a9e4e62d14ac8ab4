"""Running sums, products and extremes over all partitions."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task, TaskRef
from samite.dataframe import running
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.metadata import make_meta, meta_nonempty


class Running(FrameExpr):
    """cumsum, cumprod, cummin or cummax of the columns."""

    _parameters = ["frame", "how", "skipna"]
    _defaults = {"skipna": True}
    _keeps_places = True

    @functools.cached_property
    def _funcname(self) -> str:
        return self.how

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(running.run(meta_nonempty(self.frame._meta), None, self.how, self.skipna))

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        if isinstance(parent, Projection) and self.ndim == 2:
            return type(self)(
                Projection(self.frame, parent.operand("columns")), self.how, self.skipna
            )
        return None

    def _layer(self) -> Mapping[Any, Any]:
        layer: dict[Any, Any] = {}
        name, frame = self._name, self.frame
        before: Any = None
        for index in range(self.npartitions):
            source = TaskRef((frame._name, index))
            layer[name, index] = Task(
                (name, index), running.run, source, before, self.how, self.skipna
            )
            if index == self.npartitions - 1:
                break
            end = (f"{name}-end", index)
            layer[end] = Task(end, running.end, source, self.how, self.skipna)
            if before is None:
                before = TaskRef(end)
                continue
            reached = (f"{name}-reached", index)
            layer[reached] = Task(
                reached, running.reached, before, TaskRef(end), self.how, self.skipna
            )
            before = TaskRef(reached)
        return layer
