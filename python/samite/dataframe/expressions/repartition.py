"""Other partitions of the same rows: by number, divisions, size or frequency."""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._expr.graphs import nested_references
from samite._task_spec import Alias, Task, TaskRef
from samite.dataframe import partitioning
from samite.dataframe.expressions.node import FrameExpr, frames_among, row_sources
from samite.dataframe.expressions.placement import columns_read, projected
from samite.dataframe.expressions.selection import Filter, Projection


class Repartition(FrameExpr):
    """The rows of ``frame`` in other partitions; exactly one of the operands says which.

    ``count`` is a number of partitions, ``new_divisions`` bounds, ``size`` the bytes that a
    partition has at most, ``frequency`` a span of time.
    """

    _parameters = ["frame", "count", "new_divisions", "force", "size", "frequency"]
    _defaults = {
        "count": None,
        "new_divisions": None,
        "force": False,
        "size": None,
        "frequency": None,
    }

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    @functools.cached_property
    def _concrete(self) -> Any:
        """The expression that makes the partitions."""
        frame = self.frame
        if self.count is not None:
            return _to_count(frame, self.count)
        if self.size is not None:
            return _to_size(frame, self.size)
        divisions = self.new_divisions
        if self.frequency is not None:
            if not frame.known_divisions:
                raise ValueError(
                    "repartition(freq=...) needs known divisions; set them with "
                    "`set_index(..., sorted=True)`"
                )
            divisions = partitioning.divisions_of_frequency(frame.divisions, self.frequency)
        return RepartitionDivisions(frame, divisions, self.force)

    def _divisions(self) -> Sequence[Any]:
        if self.new_divisions is not None:
            return self.new_divisions
        return self._concrete.divisions

    @property
    def npartitions(self) -> int:
        # The divisions of the frame may be expensive, and the number does not need them.
        if self.count is not None and self.count <= self.frame.npartitions:
            return self.count
        return len(self.divisions) - 1

    def _lower(self) -> Any:
        return self._concrete

    def _simplify_down(self) -> Any:
        if self.new_divisions is not None and not may_be_expensive(self.frame):
            if tuple(self.new_divisions) == tuple(self.frame.divisions):
                return self.frame
        if self.count is not None and isinstance(self.frame, Repartition):
            inner = self.frame
            if inner.count is not None and self.count <= inner.count <= inner.frame.npartitions:
                return Repartition(inner.frame, self.count)
        return None

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        # Fewer columns are other sizes.
        if self.size is not None:
            return None
        if isinstance(parent, Projection):
            return _projected(self, parent, dependents)
        if isinstance(parent, Filter) and parent.frame._name == self._name:
            if self.count is not None and self.count > self.frame.npartitions:
                # Where partitions are cut by numbers of rows, a filter would change the cuts, and
                # frames with the same rows would not be cut alike any more.
                return None
            predicate = self._before(parent.predicate)
            if predicate is not None:
                return self._of(Filter(self.frame, predicate))
        return None

    def _of(self, frame: FrameExpr) -> Repartition:
        return type(self)(frame, *self.operands[1:])

    def _before(self, predicate: Any) -> Any:
        """``predicate`` of the rows before they were repartitioned, or None."""
        sources = row_sources(predicate)
        rows = row_sources(self.frame)
        nodes = [node for node in predicate.walk() if node._name in sources]
        for node in nodes:
            if not isinstance(node, Repartition) or node.operands[1:] != self.operands[1:]:
                return None
            if row_sources(node.frame) != rows:
                return None
        for node in nodes:
            predicate = predicate.substitute(node, node.frame)
        return predicate if len(frames_among([predicate])) == 1 else None


def _projected(node: Any, parent: Projection, dependents: Mapping[str, Any]) -> Any:
    """A projection of ``node``, which keeps all columns, before it; None if others read more."""
    if node.ndim != 2:
        return None
    read = columns_read(node, dependents)
    if read is None or read == list(node.columns) and len(dependents[node._name]) > 1:
        return None
    if set(read) == set(parent.columns):
        return type(node)(Projection(node.frame, parent.operand("columns")), *node.operands[1:])
    if read == list(node.columns):
        return None
    return projected(node, type(node)(Projection(node.frame, read), *node.operands[1:]), parent)


def may_be_expensive(frame: Expr) -> bool:
    """Whether to find the divisions might compute something."""
    return any(getattr(node, "_computes_divisions", False) for node in frame.walk())


def _to_count(frame: Any, count: int) -> Any:
    held = frame.npartitions
    if count == held:
        return frame
    if count < held:
        return RepartitionToFewer(frame, count)
    if frame.known_divisions:
        divisions = partitioning.interpolated_divisions(frame.divisions, count)
        if divisions is not None:
            return RepartitionDivisions(frame, divisions, False)
    return RepartitionToMore(frame, count)


def _to_size(frame: Any, size: int) -> Any:
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.map_partitions import map_partitions

    sizes = map_partitions(
        partitioning.bytes_of_partition, new_collection(frame), meta=(None, "int64")
    )
    groups = partitioning.groups_of_size([int(n) for n in sizes.compute()], size)
    return RepartitionPieces(frame, groups)


class _Pieces(FrameExpr):
    """Partitions of pieces of others; a piece is ``(partition, number, of how many)``."""

    # How many partitions there are is known before; what is in them, is not.
    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _groups(self) -> list[list[tuple[int, int, int]]]:
        raise NotImplementedError

    def _divisions(self) -> Sequence[Any]:
        frame, groups = self.frame, self._groups()
        if not frame.known_divisions or any(of > 1 for group in groups for _, _, of in group):
            return (None,) * (len(groups) + 1)
        return [frame.divisions[group[0][0]] for group in groups] + [frame.divisions[-1]]

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection):
            return _projected(self, parent, dependents)
        return None

    def _layer(self) -> Mapping[Any, Any]:
        source, meta = self.frame._name, self.frame._meta
        layer: dict[Any, Any] = {}
        for index, group in enumerate(self._groups()):
            key = (self._name, index)
            if len(group) == 1:
                partition, number, of = group[0]
                layer[key] = (
                    Alias(key, (source, partition))
                    if of == 1
                    else Task(key, partitioning.piece, TaskRef((source, partition)), number, of)
                )
                continue
            parts = nested_references([(source, partition) for partition, _, _ in group])
            cuts = [(number, of) for _, number, of in group]
            layer[key] = Task(key, partitioning.joined_pieces, parts, cuts, meta)
        return layer


class RepartitionToFewer(_Pieces):
    """Neighbouring partitions joined, so that there are ``count``."""

    _parameters = ["frame", "count"]

    @property
    def npartitions(self) -> int:
        return self.count

    def _groups(self) -> list[list[tuple[int, int, int]]]:
        held, count = self.frame.npartitions, self.count
        bounds = [index * held // count for index in range(count + 1)]
        return [
            [(partition, 0, 1) for partition in range(start, stop)]
            for start, stop in zip(bounds, bounds[1:], strict=False)
        ]


class RepartitionToMore(_Pieces):
    """Partitions cut in pieces of about equal numbers of rows, so that there are ``count``."""

    _parameters = ["frame", "count"]

    def _groups(self) -> list[list[tuple[int, int, int]]]:
        held, count = self.frame.npartitions, self.count
        bounds = [index * count // held for index in range(held + 1)]
        return [
            [(partition, number, bounds[partition + 1] - bounds[partition])]
            for partition in range(held)
            for number in range(bounds[partition + 1] - bounds[partition])
        ]


class RepartitionPieces(_Pieces):
    """Partitions of the pieces that are listed."""

    _parameters = ["frame", "groups"]

    def _groups(self) -> list[list[tuple[int, int, int]]]:
        return self.groups


class RepartitionDivisions(FrameExpr):
    """The rows of a frame with known divisions, cut at other ones.

    A row that lies outside of the divisions of its own partition stays with the nearest that
    the partition gives rows to, so that no row is lost if divisions are not exact.
    """

    _parameters = ["frame", "new_divisions", "force"]
    _defaults = {"force": False}

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return self.new_divisions

    def _simplify_down(self) -> Any:
        if tuple(self.new_divisions) == self.frame.divisions:
            return self.frame
        return None

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection):
            return _projected(self, parent, dependents)
        return None

    def _layer(self) -> Mapping[Any, Any]:
        frame = self.frame
        old, new = frame.divisions, tuple(self.new_divisions)
        partitioning.check_new_divisions(old, new, self.force)
        ranges = [_overlapped(old, new, index) for index in range(len(new) - 1)]
        first_of: dict[int, int] = {}
        last_of: dict[int, int] = {}
        for index, (start, stop) in enumerate(ranges):
            for partition in range(start, stop):
                first_of.setdefault(partition, index)
                last_of[partition] = index
        layer: dict[Any, Any] = {}
        for index, (start, stop) in enumerate(ranges):
            key = (self._name, index)
            cuts = [
                (
                    None if first_of[partition] == index else new[index],
                    None if last_of[partition] == index else new[index + 1],
                )
                for partition in range(start, stop)
            ]
            if len(cuts) == 1 and cuts[0] == (None, None):
                layer[key] = Alias(key, (frame._name, start))
                continue
            if all(cut == (None, None) for cut in cuts):
                cuts = []
            parts = nested_references([(frame._name, i) for i in range(start, stop)])
            layer[key] = Task(key, partitioning.joined_ranges, parts, cuts, frame._meta)
        return layer


def _overlapped(old: Sequence[Any], new: Sequence[Any], index: int) -> tuple[int, int]:
    """The partitions of ``old`` with rows for partition ``index`` of ``new``: from, up to."""
    lower, upper = new[index], new[index + 1]
    held = len(old) - 1
    # The first partition whose upper bound lies above `lower`; the last one includes its own.
    start = max(bisect_right(old, lower) - 1, 0)
    if start == held and old[-1] == lower:
        start = held - 1
    # A partition without extent holds rows of its one value.
    while 0 < start < held and old[start - 1] == old[start] == lower:
        start -= 1
    is_last = index == len(new) - 2
    stop = (bisect_right if is_last else bisect_left)(old, upper, 0, held)
    return start, max(start, stop)
