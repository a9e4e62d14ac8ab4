"""Reductions: partitions are made small, and joined a few at a time."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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

    For a result of several partitions ``split(part, count)`` cuts a part into pieces.
    ``split_every``, an operand if the subclass has one, is how many are joined at a time (False:
    all at once).
    """

    chunk: Any = None
    combine: Any = None
    aggregate: Any = None
    split: Any = None

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
        return (None,) * (self._count_out + 1)

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

    @property
    def _count_out(self) -> int:
        """The number of partitions of the result; more than one needs ``split``."""
        return 1

    _begins_with_chunks = True

    def _chunk_task(self, key: Any, index: int) -> Task:
        references = [TaskRef((o._name, index if o.npartitions > 1 else 0)) for o in self._inputs()]
        return Task(key, self.chunk, *references, **self.chunk_keywords)

    def _layer(self) -> Mapping[Any, Any]:
        count = len(partitionwise_divisions(_Together(self._inputs()))) - 1
        keys = [(f"{self._name}-chunk", index) for index in range(count)]
        layer = {key: self._chunk_task(key, key[1]) for key in keys}
        layer.update(self._layer_over(keys))
        return layer

    def _layer_over(self, keys: list[Any]) -> dict[Any, Any]:
        """The tasks that join the results of those that ``keys`` name."""
        layer: dict[Any, Any] = {}
        add_tree(
            layer,
            self._name,
            keys,
            self._width(),
            Step(self.combine or self.aggregate, self.combine_keywords),
            Step(self.aggregate, self.aggregate_keywords),
            self._count_out,
            None if self.split is None else Step(self.split, {}),
        )
        return layer


class Step(NamedTuple):
    """A function of a list of parts, or of one part, and its keywords."""

    function: Any
    keywords: Mapping[str, Any]


def add_tree(
    layer: dict[Any, Any],
    name: str,
    keys: list[Any],
    width: int,
    combine: Step,
    finish: Step,
    count: int = 1,
    split: Step | None = None,
) -> None:
    """Add the tasks that join the parts ``keys`` to ``count`` results ``(name, i)``.

    For more than one result ``split`` cuts a part into pieces, and those for the same result are
    joined. That takes a task for each pair of part and result, so parts are joined first until
    these are not much more than there were parts.
    """
    if count == 1 or split is None:
        keys = _joined(layer, keys, width, combine, f"{name}-combine")
        layer[name, 0] = Task(
            (name, 0), finish.function, nested_references(keys), **finish.keywords
        )
        return
    most = 8 * len(keys) + 64
    level = 0
    while len(keys) > width and len(keys) * count > most:
        keys = _joined_once(layer, keys, width, combine, f"{name}-gather-{level}")
        level += 1
    pieces: list[list[Any]] = [[] for _ in range(count)]
    keywords = {
        label: value(keys) if callable(value) else value for label, value in split.keywords.items()
    }
    for index, source in enumerate(keys):
        key = (f"{name}-split", index)
        layer[key] = Task(key, split.function, TaskRef(source), count, **keywords)
        for place in range(count):
            piece = (f"{name}-piece-{place}", index)
            layer[piece] = Task(piece, operator.getitem, TaskRef(key), place)
            pieces[place].append(piece)
    for place in range(count):
        joined = _joined(layer, pieces[place], width, combine, f"{name}-combine-{place}")
        layer[name, place] = Task(
            (name, place), finish.function, nested_references(joined), **finish.keywords
        )


def _joined(
    layer: dict[Any, Any], keys: list[Any], width: int, combine: Step, prefix: str
) -> list[Any]:
    level = 0
    while len(keys) > width:
        keys = _joined_once(layer, keys, width, combine, f"{prefix}-{level}")
        level += 1
    return keys


def _joined_once(
    layer: dict[Any, Any], keys: list[Any], width: int, combine: Step, prefix: str
) -> list[Any]:
    joined = []
    for index, start in enumerate(range(0, len(keys), width)):
        key = (prefix, index)
        parts = nested_references(keys[start : start + width])
        layer[key] = Task(key, combine.function, parts, **combine.keywords)
        joined.append(key)
    return joined


class _Together:
    """Operands that are taken partition by partition, for :func:`partitionwise_divisions`."""

    def __init__(self, operands: list[Any]) -> None:
        self._operands = operands

    def dependencies(self) -> list[Any]:
        return frames_among(self._operands) or self._operands
