"""Windows over neighbouring rows of all partitions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task, TaskRef
from samite.dataframe import windows
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.metadata import make_meta, meta_nonempty


class _Windows(FrameExpr):
    @functools.cached_property
    def _funcname(self) -> str:
        return f"rolling-{self.how}"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # A user's function need not have a token that is the same everywhere.
            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(
            windows.windows_of(
                meta_nonempty(self.frame._meta), self.window, self.how, *self.args, **self.kwargs
            )
        )

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions


class RollingFunction(_Windows):
    """``frame.rolling(**window).how(*args, **kwargs)`` of pandas."""

    _parameters = ["frame", "window", "how", "args", "kwargs"]

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        if not isinstance(parent, Projection) or self.ndim < 2 or self.how == "agg":
            return None
        columns = parent.operand("columns")
        if self.how == "cov" and not isinstance(columns, list):
            return None
        return type(self)(Projection(self.frame, columns), *self.operands[1:])

    def _lower(self) -> Any:
        from samite.dataframe.expressions.overlap import WithNeighbours

        before, after = windows.rows_around(self.window["window"], self.window["center"])
        frame = WithNeighbours(self.frame, before, after, False)
        return WindowsOfExtended(frame, *self.operands[1:])


class WindowsOfExtended(_Windows):
    """:class:`RollingFunction` of partitions that have rows of their neighbours with them."""

    _parameters = ["frame", "window", "how", "args", "kwargs"]

    def _task(self, key: Any, index: int) -> Task:
        return Task(
            key,
            windows.windows_of_extended,
            TaskRef((self.frame._name, index)),
            self.window,
            self.how,
            self.args,
            self.kwargs,
        )
