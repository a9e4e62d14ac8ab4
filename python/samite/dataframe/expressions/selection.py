"""Choosing columns, rows and partitions."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Alias, Task
from samite.dataframe import methods
from samite.dataframe.expressions.node import (
    Elementwise,
    FrameExpr,
    Partitionwise,
    frames_among,
    readable,
)


class Projection(Elementwise):
    """The column ``columns`` of a frame as a series, or several columns as a frame."""

    _parameters = ["frame", "columns"]
    operation = staticmethod(operator.getitem)

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        return methods.empty_like(self.frame._meta[self.operand("columns")])

    @property
    def columns(self) -> list[Any]:
        schema = self._derived_schema
        if schema is not None:
            return list(schema.labels)
        meta = self._meta
        return list(meta.columns) if meta.ndim == 2 else [meta.name]

    def _readable(self) -> str:
        return f"{readable(self.frame)}[{self.operand('columns')!r}]"

    def _simplify_down(self) -> Any:
        frame = self.frame
        columns = self.operand("columns")
        if isinstance(frame, Projection) and frame.ndim == 2:
            return Projection(frame.frame, columns)
        if self.ndim == 2 and list(frame.columns) == list(self.columns) and frame.ndim == 2:
            return frame
        return None

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Filter) and parent.frame._name == self._name:
            # A source that can filter by itself does so below the projection.
            filtered_by = getattr(self.frame, "filtered_by", None)
            source = None if filtered_by is None else filtered_by(parent, dependents)
            return None if source is None else Projection(source, self.operand("columns"))
        return None


class Filter(Partitionwise):
    """The rows for which ``predicate`` is true."""

    _parameters = ["frame", "predicate"]
    operation = staticmethod(operator.getitem)
    _passes_projection = True

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _readable(self) -> str:
        return f"{readable(self.frame)}[{readable(self.predicate)}]"

    def _with_projected_operands(self, columns: Any) -> Expr | None:
        return Filter(Projection(self.frame, columns), self.predicate)


class IndexOf(Elementwise):
    """The index of a frame or series."""

    _parameters = ["frame"]
    operation = staticmethod(operator.attrgetter("index"))
    _passes_projection = False

    def _readable(self) -> str:
        return f"Index(frame={readable(self.frame)})"


class Partitions(FrameExpr):
    """Some of the partitions, in the order given."""

    _parameters = ["frame", "partitions"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        frame, chosen = self.frame, self.partitions
        ascending = all(a < b for a, b in zip(chosen, chosen[1:], strict=False))
        if not frame.known_divisions or not chosen or not ascending:
            return (None,) * (len(chosen) + 1)
        # Between partitions that are no neighbours nothing is left to separate, so the lower
        # bound of the next one will do.
        return [frame.divisions[i] for i in chosen] + [frame.divisions[chosen[-1] + 1]]

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        return _end_of_sorted(self, parent)

    def _task(self, key: Any, index: int) -> Any:
        return Alias(key, (self.frame._name, self.partitions[index]))

    def _simplify_down(self) -> Any:
        frame = self.frame
        if isinstance(frame, Partitionwise) and frame.npartitions > 1 and not frame._knows_position:
            operands = [
                Partitions(operand, self.partitions)
                if isinstance(operand, FrameExpr) and not frame._is_broadcast(operand)
                else operand
                for operand in frame.operands
            ]
            return type(frame)(*operands)
        if isinstance(frame, Partitions):
            return Partitions(frame.frame, [frame.partitions[i] for i in self.partitions])
        # A source makes no others than those.
        choose = getattr(frame, "_with_partitions", None)
        return None if choose is None else choose(self.partitions, self.divisions)


class _EndOfPartitions(Partitionwise):
    """The first or last ``n`` rows of each partition."""

    _passes_projection = True

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _simplify_down(self) -> Any:
        frame = self.frame
        kind, others = type(self), self.operands[2:]
        if isinstance(frame, kind) and self.n >= 0 and frame.n >= 0:
            return kind(frame.frame, min(self.n, frame.n), *others)
        if isinstance(frame, Elementwise) and not any(others):
            # What is cut off need not be computed.
            operands = [
                kind(o, self.n, *others)
                if isinstance(o, FrameExpr) and o.ndim > 0 and o.npartitions == frame.npartitions
                else o
                for o in frame.operands
            ]
            if len({o.npartitions for o in frames_among(frame.operands)}) == 1:
                return type(frame)(*operands)
        return None


def _end_of_sorted(chosen: Any, parent: Any) -> Any:
    """The first rows of the first partition, or the last ones of the last, of sorted rows, which
    can be found without sorting all; or None."""
    find = getattr(chosen.frame, "end_rows", None)
    if find is None or chosen.npartitions != 1:
        return None
    if isinstance(parent, HeadOfPartitions) and chosen.partitions == [0]:
        return find(parent.n, False)
    if isinstance(parent, TailOfPartitions):
        if chosen.partitions == [chosen.frame.npartitions - 1]:
            return find(parent.n, True)
    return None


class HeadOfPartitions(_EndOfPartitions):
    """The first ``n`` rows of each partition; ``safe`` warns where there are fewer."""

    _parameters = ["frame", "n", "safe"]
    _defaults = {"safe": False}
    operation = staticmethod(methods.head)


class TailOfPartitions(_EndOfPartitions):
    """The last ``n`` rows of each partition."""

    _parameters = ["frame", "n"]
    operation = staticmethod(methods.tail)


class First(FrameExpr):
    """The first ``n`` rows of the partitions of a frame, which are one partition here; ``safe``
    warns where there are fewer."""

    _parameters = ["frame", "n", "safe"]
    _defaults = {"safe": False}

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        divisions = self.frame.divisions
        return (divisions[0], divisions[-1])

    def _layer(self) -> Mapping[Any, Any]:
        from samite._expr.graphs import nested_references

        key = (self._name, 0)
        parts = nested_references(self.frame.__dask_keys__())
        return {key: Task(key, methods.first_rows, parts, self.n, self.safe, self.frame._meta)}
