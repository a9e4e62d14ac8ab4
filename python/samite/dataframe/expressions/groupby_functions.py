"""Functions that need all rows of a group at once: rows are moved together first."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe.expressions.elementwise import Assign
from samite.dataframe.expressions.groupby import Grouped
from samite.dataframe.expressions.selection import IndexOf, Projection
from samite.dataframe.groupby import group_functions
from samite.dataframe.metadata import make_meta, meta_nonempty


class GroupByFunction(Grouped):
    """``frame.groupby(...).function(*args)`` of pandas.

    ``function`` is the name of a method; ``arguments`` and ``keywords`` are given to it.
    ``selected`` is the label of the column of a grouped series, a list of labels, or None for
    all columns; ``count`` how many partitions the result has, None for as many as the frame.
    """

    _parameters = [
        "frame",
        "function",
        "arguments",
        "keywords",
        "selected",
        "sort",
        "dropna",
        "observed",
        "group_keys",
        "given_meta",
        "count",
        "method",
        "window",
    ]

    @functools.cached_property
    def _funcname(self) -> str:
        return f"groupby-{self.operand('function')}"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # A user's function need not have a token that is the same everywhere.
            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _meta(self) -> Any:
        if self.given_meta is not None:
            return self.given_meta
        parts = [meta_nonempty(node._meta) for node in self._inputs()]
        series = [p.set_axis(parts[0].index) if hasattr(p, "index") else p for p in parts[1:]]
        result = group_functions.apply_to_groups(
            parts[0], *series, by=self._places, names=self._names, meta=None, **self._how
        )
        return make_meta(result)

    @property
    def _how(self) -> dict[str, Any]:
        return {
            "function": self.operand("function"),
            "arguments": self.arguments,
            "keywords": self.keywords,
            "selected": self.selected,
            "sort": self.sort,
            "dropna": self.dropna,
            "observed": self.observed,
            "group_keys": self.group_keys,
            "window": self.window,
        }

    @property
    def _is_together(self) -> bool:
        """Whether the rows of each group are in one partition already."""
        frame = self.frame
        if frame.npartitions == 1:
            return True
        if not frame.known_divisions:
            return False
        return any(self._is_index(key) for key in self.by)

    def _is_index(self, key: Any) -> bool:
        """Whether a key is the index of the frame."""
        frame = self.frame
        if isinstance(key, Expr):
            return isinstance(key, IndexOf) and key.divisions == frame.divisions
        name = frame._meta.index.name
        return name is not None and key == name and key not in frame.columns

    def _divisions(self) -> Sequence[Any]:
        if self._is_together and self.count in (None, self.frame.npartitions):
            if "freq" in self.keywords:
                # The labels are moved.
                return (None,) * (self.frame.npartitions + 1)
            if not self._is_index(self.by[0]) and self.operand("function") in ("apply", "agg"):
                # Another key is the first level of the result's index.
                return (None,) * (self.frame.npartitions + 1)
            return self.frame.divisions
        return (None,) * ((self.count or self.frame.npartitions) + 1)

    def _columns_needed(self) -> list[Any]:
        if self.selected is None:
            return list(self.frame.columns)
        return self.selected if isinstance(self.selected, list) else [self.selected]

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        by_column = group_functions.COLUMN_BY_COLUMN
        if (
            not isinstance(parent, Projection)
            or (self.window is None and self.operand("function") not in by_column)
            or (self.window is not None and self.operand("function") in ("agg", "cov", "corr"))
            or self.ndim < 2
        ):
            return None
        wanted = [column for column in self._meta.columns if column in parent.columns]
        if wanted == self.selected or not self._meta.columns.is_unique:
            return None
        meta = None if self.given_meta is None else self.given_meta[wanted]
        inner = self.substitute_parameters({"selected": wanted, "given_meta": meta})
        return Projection(inner, parent.operand("columns"))

    def _lower(self) -> Any:
        from samite.dataframe.expressions.shuffle import Shuffle

        if self._is_together and self.count in (None, self.frame.npartitions):
            return FunctionOfGroups(
                self.frame,
                self._meta,
                self._places,
                self._names,
                self._how,
                self.divisions,
                self._funcname,
                *self._series,
            )
        frame = self.frame
        places: list[Any] = []
        on: list[Any] = []
        for position, key in enumerate(self.by):
            if isinstance(key, Expr) or key not in frame.columns:
                label = f"__group_key_{position}__"
                value = key if isinstance(key, Expr) else IndexOf(self.frame)
                frame = Assign(frame, label, value)
                places.append(label)
                on.append(label)
            else:
                places.append(key)
                on.append(key)
        count = self.count or self.frame.npartitions
        shuffled = Shuffle(frame, on, count, False, self.method)
        return FunctionOfGroups(
            shuffled, self._meta, places, self._names, self._how, self.divisions, self._funcname
        )


class FunctionOfGroups(Grouped):
    """:class:`GroupByFunction` where the rows of each group are in one partition."""

    _parameters = ["frame", "given_meta", "places", "names", "how", "new_divisions", "label"]

    @functools.cached_property
    def _funcname(self) -> str:
        return self.label

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _meta(self) -> Any:
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        return self.new_divisions

    def _simplify_down(self) -> Any:
        return None

    def _task(self, key: Any, index: int) -> Task:
        return Task(
            key,
            group_functions.apply_to_groups,
            *self._references(index),
            by=self.places,
            names=self.names,
            meta=self.given_meta,
            **self.how,
        )
