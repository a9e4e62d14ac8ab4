"""Functions of partitions that see rows of their neighbours."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._expr.graphs import nested_references
from samite._task_spec import Task, TaskRef
from samite.dataframe import overlapping
from samite.dataframe.expressions.node import FrameExpr, Partitionwise, partitionwise_divisions


class WithNeighbours(FrameExpr):
    """Partitions together with rows before and after them, as :class:`overlapping.Extended`.

    ``before`` and ``after`` are numbers of rows or spans of time. With ``strict`` a neighbour
    that has too few rows is an error; otherwise rows of further neighbours are taken.
    """

    _parameters = ["frame", "before", "after", "strict"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions

    def _layer(self) -> Mapping[Any, Any]:
        frame, count = self.frame, self.frame.npartitions
        layer: dict[Any, Any] = {}
        sources = [TaskRef((frame._name, i)) for i in range(count)]
        for index in range(count):
            key = (self._name, index)
            layer[key] = Task(
                key,
                overlapping.extended,
                sources[index],
                self._side(layer, sources, index, -1),
                self._side(layer, sources, index, 1),
            )
        return layer

    def _side(self, layer: dict[Any, Any], sources: list[Any], index: int, step: int) -> Any:
        """The rows on one side of a partition: a reference, or None."""
        width = self.before if step < 0 else self.after
        neighbour = index + step
        if not 0 <= neighbour < len(sources) or not width:
            return None
        name = "before" if step < 0 else "after"
        if isinstance(width, int):
            key = (f"{name}-{width}-{self.strict}-{self.frame._name}", index)
            further = neighbour + step
            if self.strict:
                layer[key] = Task(key, overlapping.edge, sources[neighbour], width, step)
            elif 0 <= further < len(sources):
                # The edge of the neighbour, which has that of the next one in it.
                beyond = TaskRef((key[0], neighbour))
                layer[key] = Task(
                    key, overlapping.long_edge, sources[neighbour], beyond, width, step
                )
            else:
                layer[key] = Task(key, overlapping.long_edge, sources[neighbour], None, width, step)
            return TaskRef(key)
        key = (f"{name}-{self._name}", index)
        chosen = [neighbour]
        exact = False
        divisions = self.frame.divisions
        if step < 0 and self.frame.known_divisions:
            # All partitions that can have rows within the span.
            exact = True
            lower = divisions[index] - width
            while chosen[0] > 0 and divisions[chosen[0]] > lower:
                chosen.insert(0, chosen[0] - 1)
        parts = nested_references([(self.frame._name, i) for i in chosen])
        layer[key] = Task(key, overlapping.rows_within, sources[index], parts, width, step, exact)
        return TaskRef(key)


class MapOverlap(Partitionwise):
    """``function`` of partitions that have rows of their neighbours with them, which are taken
    off the result. ``before`` and ``after`` of the operands say which rows these are.

    The operands after the named ones are its arguments; the last ``len(names)`` are given by
    name; those that are extended are :class:`WithNeighbours`.
    """

    _parameters = ["function", "given_meta", "enforce_metadata", "new_divisions", "names", "label"]
    _hidden = tuple(_parameters)
    _knows_position = True

    @functools.cached_property
    def _funcname(self) -> str:
        from samite.utils import funcname

        return self.label or f"overlap_{funcname(self.function)}".replace(" ", "_")

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        found = partitionwise_divisions(self)
        return found if self.new_divisions is None else self.new_divisions

    def _task(self, key: Any, index: int) -> Task:
        arguments = [self._argument(o, index) for o in self.operands[len(self._parameters) :]]
        positional = arguments[: len(arguments) - len(self.names)]
        keywords = dict(zip(self.names, arguments[len(positional) :], strict=True))
        return Task(
            key,
            overlapping.call_extended,
            self.function,
            self._meta if self.enforce_metadata else None,
            *positional,
            **keywords,
        )


class OverlappingMethod(Partitionwise):
    """``frame.method(*args)`` of pandas, for methods that need ``before`` rows before, or
    ``after`` rows after, those that they give."""

    _parameters = ["frame", "method", "before", "after", "names"]
    _passes_projection = True
    _knows_position = True

    @functools.cached_property
    def _funcname(self) -> str:
        return self.method

    @property
    def _arguments(self) -> list[Any]:
        return self.operands[len(self._parameters) :]

    @functools.cached_property
    def _meta(self) -> Any:
        from samite.dataframe import methods
        from samite.dataframe.metadata import make_meta, meta_nonempty

        return make_meta(
            methods.call_method(
                meta_nonempty(self.frame._meta), self.method, self.names, *self._arguments
            )
        )

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions

    def _lower(self) -> Any:
        if isinstance(self.frame, WithNeighbours):
            return None
        frame = WithNeighbours(self.frame, self.before, self.after, False)
        return type(self)(frame, *self.operands[1:])

    def _task(self, key: Any, index: int) -> Task:
        return Task(
            key,
            overlapping.call_method,
            TaskRef((self.frame._name, index)),
            self.method,
            self.names,
            *self._arguments,
        )

    def _with_projected_operands(self, columns: Any) -> Expr | None:
        if self.ndim < 2 or isinstance(self.frame, WithNeighbours):
            return None
        return super()._with_projected_operands(columns)


class FillFromNeighbours(Partitionwise):
    """Missing values replaced by the last value before them, or by the next one with ``forward``
    false, however many partitions away that is."""

    _parameters = ["frame", "forward"]
    _passes_projection = True
    _knows_position = True

    @functools.cached_property
    def _funcname(self) -> str:
        return "ffill" if self.forward else "bfill"

    @functools.cached_property
    def _meta(self) -> Any:
        return overlapping.fill(self.frame._meta, None, self.forward)

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions

    def _layer(self) -> Mapping[Any, Any]:
        frame, count = self.frame, self.frame.npartitions
        layer: dict[Any, Any] = {}
        order = list(range(count)) if self.forward else list(reversed(range(count)))
        carried = None
        for index in order:
            key, part = (self._name, index), TaskRef((frame._name, index))
            layer[key] = Task(key, overlapping.fill, part, carried, self.forward)
            if index != order[-1]:
                edge = (f"carried-{self._name}", index)
                layer[edge] = Task(edge, overlapping.last_values, part, carried, self.forward)
                carried = TaskRef(edge)
        return layer
