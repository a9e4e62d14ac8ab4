"""Sources whose partitions are what a function makes of given arguments."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe import methods
from samite.dataframe.expressions.node import FrameExpr, columns_wanted


class FromMap(FrameExpr):
    """``function(*arguments[i], *args, **kwargs)`` as partition i.

    ``columns``, unless it is None, is handed to the function, which makes no others.
    """

    _parameters = [
        "function",
        "arguments",
        "args",
        "kwargs",
        "given_meta",
        "divisions",
        "columns",
        "enforce_metadata",
        "label",
    ]
    _defaults: ClassVar[dict[str, Any]] = {
        "columns": None,
        "enforce_metadata": False,
        "label": None,
    }

    _makes_partitions = True
    _divisions_are_given = True

    @functools.cached_property
    def _funcname(self) -> str:
        from samite.utils import funcname

        return self.operand("label") or funcname(self.function)

    @functools.cached_property
    def _meta(self) -> Any:
        meta, columns = self.given_meta, self.operand("columns")
        if columns is None or meta.ndim != 2 or list(meta.columns) == list(columns):
            return meta
        return meta[columns]

    @property
    def columns(self) -> list[Any]:
        return list(self._meta.columns) if self._meta.ndim == 2 else [self._meta.name]

    @functools.cached_property
    def divisions(self) -> tuple[Any, ...]:
        return tuple(self._divisions())

    def _divisions(self) -> Sequence[Any]:
        given = self.operand("divisions")
        return (None,) * (len(self.arguments) + 1) if given is None else given

    def _layer(self) -> Mapping[Any, Any]:
        name = self._name
        function, kwargs = self._call()
        fixed: list[Any] = []
        if self.enforce_metadata:
            fixed = [function, self._meta]
            function = methods.called_with_meta
        layer = {}
        args = self.args
        for index, arguments in enumerate(self.arguments):
            key = (name, index)
            layer[key] = Task(
                key, function, *fixed, *arguments, *args, _data_producer=True, **kwargs
            )
        return layer

    def _call(self) -> tuple[Any, dict[str, Any]]:
        columns = self.operand("columns")
        kwargs = dict(self.kwargs)
        if columns is None:
            return self.function, kwargs
        if hasattr(self.function, "project_columns"):
            return self.function.project_columns(list(columns)), kwargs
        return self.function, {**kwargs, "columns": list(columns)}

    @property
    def _can_project(self) -> bool:
        from samite.utils import has_keyword

        if self._meta.ndim != 2 or not self._meta.columns.is_unique:
            return False
        if hasattr(self.function, "project_columns"):
            return True
        try:
            return has_keyword(self.function, "columns")
        except (TypeError, ValueError):
            return False

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection) or not self._can_project:
            return None
        wanted = columns_wanted(self, dependents)
        if wanted is None or wanted == self.columns:
            return None
        operands = list(self.operands)
        operands[self._parameters.index("columns")] = wanted
        return Projection(type(self)(*operands), parent.operand("columns"))

    def _with_partitions(self, chosen: Sequence[int], divisions: Sequence[Any]) -> Any:
        """This source with those partitions alone."""
        operands = list(self.operands)
        operands[self._parameters.index("arguments")] = [self.arguments[i] for i in chosen]
        operands[self._parameters.index("divisions")] = tuple(divisions)
        return type(self)(*operands) if chosen else None

    def _operands_for_repr(self) -> list[str]:
        return [f"func={self._funcname}", f"npartitions={self.npartitions}"]
