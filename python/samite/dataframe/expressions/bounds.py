"""What is known of the index values in each partition: forgotten, checked, or set."""

from __future__ import annotations

import functools
import itertools
import operator
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr.graphs import nested_references
from samite._task_spec import Alias, Task, TaskRef
from samite.dataframe import partitioning
from samite.dataframe.expressions.node import Elementwise, FrameExpr


class ClearDivisions(Elementwise):
    """``frame`` as it is; its divisions are not known any more."""

    _parameters = ["frame"]
    _keeps_divisions = False
    operation = staticmethod(operator.pos)

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.frame._meta

    def _task(self, key: Any, index: int) -> Any:
        return Alias(key, (self.frame._name, index))

    def _simplify_down(self) -> Any:
        return ClearDivisions(self.frame.frame) if isinstance(self.frame, ClearDivisions) else None


class ResolveDivisions(Elementwise):
    """``frame`` as it is, with divisions that the caller vouches for."""

    _parameters = ["frame", "new_divisions"]
    _knows_position = True
    operation = staticmethod(operator.pos)

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return self.new_divisions

    def _task(self, key: Any, index: int) -> Any:
        return Alias(key, (self.frame._name, index))

    def _with_projected_operands(self, columns: Any) -> Any:
        from samite.dataframe.expressions.selection import Projection

        return type(self)(Projection(self.frame, columns), self.new_divisions)


class _InDivisions(Elementwise):
    """``frame`` as it is, once its partitions have been compared with its divisions."""

    _knows_position = True
    _keeps_labels = True

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.frame._meta

    def _check(self, key: Any, index: int, check: Any, *more: Any) -> Any:
        lower, upper = self.divisions[index], self.divisions[index + 1]
        last = index == self.npartitions - 1
        part = TaskRef((self.frame._name, index))
        return Task(key, check, part, index, lower, upper, last, *more)


class EnforceRuntimeDivisions(_InDivisions):
    """``frame`` as it is, unless the index of a partition lies outside of its divisions."""

    _parameters = ["frame"]

    def _task(self, key: Any, index: int) -> Any:
        return self._check(key, index, partitioning.check_bounds)


class WithinDivisions(_InDivisions):
    """``frame`` as it is, unless a partition begins or ends with an index value outside of its
    divisions: what :class:`EnforceRuntimeDivisions` looks at in all rows. ``source`` is what
    errors call it."""

    _parameters = ["frame", "source"]

    def _task(self, key: Any, index: int) -> Any:
        return self._check(key, index, partitioning.check_ends, self.source)


def checked(frame: Any) -> Any:
    """``frame``, whose rows are to be found by its divisions, with the divisions that somebody
    has given for its sources looked at when these are read."""
    given: dict[str, Any] = {}
    seen = set()
    stack = [frame]
    while stack:
        node = stack.pop()
        if node._name in seen or isinstance(node, WithinDivisions) or not node.known_divisions:
            continue
        seen.add(node._name)
        if getattr(node, "_divisions_are_given", False):
            given[node._name] = node
            continue
        cuts = type(node).__name__ in _CUTTING
        stack += [
            operand
            for operand in node.dependencies()
            # Other operations may have given the rows another index.
            if isinstance(operand, FrameExpr) and (cuts or operand.divisions == node.divisions)
        ]
    for node in given.values():
        frame = frame.substitute(node, WithinDivisions(node, node._funcname))
    return frame


# Nodes that keep the index and have other divisions.
_CUTTING = frozenset(
    {
        "Repartition",
        "RepartitionDivisions",
        "RepartitionToFewer",
        "Partitions",
        "LocPartitions",
        "Merge",
        "Concat",
    }
)


class JoinOverlaps(FrameExpr):
    """Partitions in order, of which each has the index values from ``least[i]`` to
    ``greatest[i]``, cut so that equal values are in one partition."""

    _parameters = ["frame", "least", "greatest"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        bounds = [self.least[0]]
        bounds += [b for a, b in itertools.pairwise(self.least) if a != b]
        return [*bounds, self.greatest[-1]]

    def _layer(self) -> Mapping[Any, Any]:
        frame, bounds = self.frame, self.divisions
        count = len(bounds) - 1
        groups = []
        for index in range(count):
            start = bisect_left(self.greatest, bounds[index])
            stop = bisect_left(self.least, bounds[index + 1])
            groups.append(range(start, frame.npartitions if index == count - 1 else stop))
        first_of: dict[int, int] = {}
        last_of: dict[int, int] = {}
        for index, group in enumerate(groups):
            for i in group:
                first_of.setdefault(i, index)
                last_of[i] = index
        layer: dict[Any, Any] = {}
        for index, group in enumerate(groups):
            key = (self._name, index)
            cuts = [
                (
                    None if first_of[i] == index else bounds[index],
                    None if last_of[i] == index else bounds[index + 1],
                )
                for i in group
            ]
            parts = nested_references([(frame._name, i) for i in group])
            layer[key] = Task(key, partitioning.joined_ranges, parts, cuts, frame._meta)
        return layer
