"""Rows chosen by the labels of the index."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Alias, Task, TaskRef
from samite.dataframe import labelling
from samite.dataframe.expressions.bounds import checked
from samite.dataframe.expressions.node import Elementwise, FrameExpr, Partitionwise
from samite.dataframe.expressions.selection import Projection


class LocPartitions(FrameExpr):
    """Rows of some partitions by labels.

    ``chosen`` has one pair for each partition of the result: a partition of ``frame``, and what
    to take of it: None for all, a slice of labels, or a list of labels.
    """

    _parameters = ["frame", "chosen", "new_divisions"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return self.new_divisions

    def _lower(self) -> Any:
        frame = checked(self.frame) if self.frame.known_divisions else self.frame
        return None if frame is self.frame else type(self)(frame, *self.operands[1:])

    def _layer(self) -> Mapping[Any, Any]:
        layer: dict[Any, Any] = {}
        for index, (partition, what) in enumerate(self.chosen):
            key, source = (self._name, index), (self.frame._name, partition)
            layer[key] = (
                Alias(key, source)
                if what is None
                else Task(key, labelling.take, TaskRef(source), what)
            )
        return layer

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection):
            frame = Projection(self.frame, parent.operand("columns"))
            return type(self)(frame, *self.operands[1:])
        return None


class LocEverywhere(Partitionwise):
    """The rows of all partitions with labels in a slice, for divisions that are not known."""

    _parameters = ["frame", "what"]
    _passes_projection = True
    operation = staticmethod(labelling.take_if_there)
    _keeps_divisions = False

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta


class LocReversed(FrameExpr):
    """The rows with labels in a slice of negative step, from the last partition to the first."""

    _parameters = ["frame", "start", "stop", "step"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return (None,) * (self.frame.npartitions + 1)

    def _layer(self) -> Mapping[Any, Any]:
        count = self.frame.npartitions
        what = slice(self.start, self.stop, self.step)
        return {
            (self._name, index): Task(
                (self._name, index),
                labelling.take_if_there,
                TaskRef((self.frame._name, count - 1 - index)),
                what,
            )
            for index in range(count)
        }

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection):
            frame = Projection(self.frame, parent.operand("columns"))
            return type(self)(frame, *self.operands[1:])
        return None


class ColumnsByPosition(Elementwise):
    """The columns at positions, for labels that occur more than once."""

    _parameters = ["frame", "positions"]
    _passes_projection = False
    operation = staticmethod(labelling.columns_at)
