"""Summaries of columns, put together from their parts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task, TaskRef
from samite.dataframe import describing
from samite.dataframe.expressions.node import FrameExpr


class Description(FrameExpr):
    """``form``, a function of :mod:`samite.dataframe.describing`, of results of one partition and
    plain values, which are the operands after the named ones."""

    _parameters = ["form", "given_meta"]
    _funcname = "describe"  # type: ignore[assignment]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _layer(self) -> Mapping[Any, Any]:
        key = (self._name, 0)
        arguments = [
            TaskRef((operand._name, 0)) if isinstance(operand, Expr) else operand
            for operand in self.operands[2:]
        ]
        return {key: Task(key, getattr(describing, self.form), *arguments)}
