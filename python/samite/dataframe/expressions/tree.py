"""Reductions: partitions are made small, and joined a few at a time."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._expr.graphs import nested_references
from samite._task_spec import Task, TaskRef
from samite.dataframe.expressions.node import (
    FrameExpr,
    _meta_of,
    frames_among,
    partitionwise_divisions,
)
from samite.dataframe.metadata import make_meta, meta_nonempty

DEFAULT_SPLIT_EVERY = 8


class TreeReduction(FrameExpr):
    """A result of one partition (or one scalar) that is found in three steps.

    A subclass gives the functions of the steps, static or as properties:

    - ``chunk(*partitions, **chunk_keywords)``: one partition of each operand that is an
      expression, made small;
    - ``combine(parts, **combine_keywords)``: a list of such, made one that is like them; by
      default what ``aggregate`` does;
    - ``aggregate(parts, **aggregate_keywords)``: a list of such, made the result.

    ``split_every``, an operand if the subclass has one, is how many are joined at a time (False:
    all at once).
    """

    chunk: Any = None
    combine: Any = None
    aggregate: Any = None

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return self.aggregate_keywords

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {}

    @functools.cached_property
    def _meta(self) -> Any:
        parts = [meta_nonempty(_meta_of(operand)) for operand in self._inputs()]
        part = self.chunk(*parts, **self.chunk_keywords)
        return make_meta(self.aggregate([part], **self.aggregate_keywords))

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _inputs(self) -> list[Expr]:
        """The operands whose partitions ``chunk`` is called with."""
        return self.dependencies()

    def _width(self) -> int:
        """How many parts are joined at a time.

        Raises
        ------
        ValueError
            ``split_every`` is neither False nor at least 2.
        """
        given = self.split_every if "split_every" in type(self)._parameters else None
        if given is None or given is True:
            return DEFAULT_SPLIT_EVERY
        if given is False:
            return 2**62
        if given < 2:
            raise ValueError(f"split_every must be greater than 1 or False, got {given!r}")
        return int(given)

    def _layer(self) -> Mapping[Any, Any]:
        inputs = self._inputs()
        count = len(partitionwise_divisions(_Together(inputs))) - 1
        layer: dict[Any, Any] = {}
        keys: list[Any] = []
        for index in range(count):
            key = (f"{self._name}-chunk", index)
            arguments = [TaskRef((o._name, index if o.npartitions > 1 else 0)) for o in inputs]
            layer[key] = Task(key, self.chunk, *arguments, **self.chunk_keywords)
            keys.append(key)
        width = self._width()
        combine = self.combine or self.aggregate
        level = 0
        while len(keys) > width:
            joined = []
            for index, start in enumerate(range(0, len(keys), width)):
                key = (f"{self._name}-combine-{level}", index)
                parts = nested_references(keys[start : start + width])
                layer[key] = Task(key, combine, parts, **self.combine_keywords)
                joined.append(key)
            keys = joined
            level += 1
        key = (self._name, 0)
        layer[key] = Task(key, self.aggregate, nested_references(keys), **self.aggregate_keywords)
        return layer


class _Together:
    """Operands that are taken partition by partition, for :func:`partitionwise_divisions`."""

    def __init__(self, operands: list[Any]) -> None:
        self._operands = operands

    def dependencies(self) -> list[Any]:
        return frames_among(self._operands) or self._operands
