"""Rows of groups, counts of their values, and running totals."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task, TaskRef
from samite.dataframe.expressions.groupby import Grouped
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.groupby import covariances, group_functions, running
from samite.dataframe.metadata import make_meta, meta_nonempty


def _selected(meta: Any, selected: Any) -> Any:
    return meta if selected is None else meta[selected]


def _as_list(selected: Any, frame: Any) -> list[Any]:
    if selected is None:
        return list(frame.columns)
    return selected if isinstance(selected, list) else [selected]


class GroupRows(Grouped):
    """The rows of the group ``key``."""

    _parameters = ["frame", "key", "selected", "dropna"]

    @functools.cached_property
    def _meta(self) -> Any:
        return _selected(self.frame._meta, self.selected)

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions

    def _columns_needed(self) -> list[Any]:
        return _as_list(self.selected, self.frame)

    def _task(self, key: Any, index: int) -> Task:
        return Task(
            key,
            group_functions.group_rows,
            *self._references(index),
            by=self._places,
            key=self.operand("key"),
            selected=self.selected,
            dropna=self.dropna,
        )


class GroupedTree(Grouped, TreeReduction):
    """A result of one partition over groups, found in three steps."""

    def _inputs(self) -> list[Expr]:
        return [self.frame, *self._series]

    def _divisions(self) -> Sequence[Any]:
        return (None, None)


class EndRowsOfGroups(GroupedTree):
    """The first or last ``n`` rows of each group; ``how`` is head or tail."""

    _parameters = ["frame", "how", "n", "selected", "dropna", "split_every"]
    chunk = staticmethod(group_functions.end_rows)
    combine = staticmethod(group_functions.join_end_rows)
    aggregate = staticmethod(group_functions.finish_end_rows)

    @functools.cached_property
    def _funcname(self) -> str:
        return f"groupby-{self.how}"

    @functools.cached_property
    def _meta(self) -> Any:
        return _selected(self.frame._meta, self.selected)

    def _columns_needed(self) -> list[Any]:
        return _as_list(self.selected, self.frame)

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"by": self._places, "names": self._names, **self.combine_keywords}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"how": self.how, "n": self.n, "dropna": self.dropna}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {**self.combine_keywords, "selected": self.selected}


class ValueCountsOfGroups(GroupedTree):
    """How often each value of ``column`` is in each group."""

    _parameters = [
        "frame",
        "column",
        "sort_groups",
        "dropna",
        "sort",
        "ascending",
        "normalize",
        "dropna_values",
        "split_every",
    ]
    chunk = staticmethod(group_functions.count_values)
    combine = staticmethod(group_functions.join_counts)
    aggregate = staticmethod(group_functions.finish_counts)
    _funcname = "groupby-value-counts"  # type: ignore[assignment]

    @functools.cached_property
    def _meta(self) -> Any:
        parts = [meta_nonempty(node._meta) for node in self._inputs()]
        series = [p.set_axis(parts[0].index) if hasattr(p, "index") else p for p in parts[1:]]
        part = group_functions.count_values(parts[0], *series, **self.chunk_keywords)
        keywords = {**self.aggregate_keywords, "dtype": None}
        result = group_functions.finish_counts([part], **keywords)
        return make_meta(result.astype(self._count_dtype))

    @functools.cached_property
    def _count_dtype(self) -> Any:
        """The dtype of counts, which pandas chooses by that of the values."""
        values = meta_nonempty(self.frame._meta[self.column]).to_frame(0)
        grouped = values.assign(key=1).groupby("key")[0]
        return grouped.value_counts(normalize=self.normalize).dtype

    def _columns_needed(self) -> list[Any]:
        return [self.column]

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {
            "by": self._places,
            "column": self.column,
            "dropna": self.dropna,
            "dropna_values": self.dropna_values,
        }

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {
            "names": self._names,
            "column": self.column,
            "sort_groups": self.sort_groups,
            "sort": self.sort,
            "ascending": self.ascending,
            "normalize": self.normalize,
            "dtype": self._count_dtype,
        }


class CovarianceOfGroups(GroupedTree):
    """Covariances or correlations of pairs of columns in each group; ``how`` is cov or corr."""

    _parameters = [
        "frame",
        "how",
        "selected",
        "sort",
        "dropna",
        "observed",
        "ddof",
        "column_names",
        "split_every",
    ]
    chunk = staticmethod(covariances.chunk)
    combine = staticmethod(covariances.combine)
    aggregate = staticmethod(covariances.finish)

    @functools.cached_property
    def _funcname(self) -> str:
        return f"groupby-{self.how}"

    @functools.cached_property
    def _meta(self) -> Any:
        parts = [meta_nonempty(node._meta) for node in self._inputs()]
        series = [p.set_axis(parts[0].index) if hasattr(p, "index") else p for p in parts[1:]]
        part = covariances.chunk(parts[0], *series, **self.chunk_keywords)
        return make_meta(covariances.finish([part], **self.aggregate_keywords))

    def _columns_needed(self) -> list[Any]:
        return list(self.selected)

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"by": self._places, "columns": self.selected, "dropna": self.dropna}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"count": len(self.by), "columns": len(self.selected), "dropna": self.dropna}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "names": self._names,
            "columns": self.selected,
            "column_names": self.column_names,
            "sort": self.sort,
            "observed": self.observed,
            "dropna": self.dropna,
            "ddof": self.ddof,
        }


class RunningOfGroups(Grouped):
    """Running totals, extremes or counts within groups, over all partitions."""

    _parameters = ["frame", "how", "selected", "dropna"]
    _keeps_places = True

    @functools.cached_property
    def _funcname(self) -> str:
        return f"groupby-{self.how}"

    @functools.cached_property
    def _meta(self) -> Any:
        parts = [meta_nonempty(node._meta) for node in self._inputs()]
        series = [p.set_axis(parts[0].index) if hasattr(p, "index") else p for p in parts[1:]]
        # Rows whose key is missing would make floats of whole numbers.
        there = [part.iloc[[0, 0]] if hasattr(part, "iloc") else part for part in series]
        first = parts[0].iloc[[0, 0]]
        return make_meta(running.run(first, *there, before=None, **self._how))

    @property
    def _how(self) -> dict[str, Any]:
        return {
            "by": self._places,
            "how": self.how,
            "selected": self.selected,
            "dropna": self.dropna,
        }

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions

    def _columns_needed(self) -> list[Any]:
        return [] if self.how == "cumcount" else _as_list(self.selected, self.frame)

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        if not isinstance(parent, Projection) or self.ndim < 2:
            return None
        wanted = [column for column in self._meta.columns if column in parent.columns]
        if wanted == self.selected:
            return None
        inner = self.substitute_parameters({"selected": wanted})
        return Projection(inner, parent.operand("columns"))

    def _layer(self) -> Mapping[Any, Any]:
        layer: dict[Any, Any] = {}
        name = self._name
        before: Any = None
        for index in range(self.npartitions):
            key = (name, index)
            parts = self._references(index)
            layer[key] = Task(key, running.run, *parts, before=before, **self._how)
            if index < self.npartitions - 1:
                total = (f"{name}-total", index)
                layer[total] = Task(total, running.totals, *parts, before=before, **self._how)
                before = TaskRef(total)
        return layer
