"""Rows in order: a new index, and sorting by columns."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite.dataframe import ordering
from samite.dataframe.expressions.node import FrameExpr, Partitionwise
from samite.dataframe.expressions.placement import columns_read, projected
from samite.dataframe.expressions.selection import Filter, Projection
from samite.dataframe.expressions.shuffle import filtered_before, lowered_shuffle
from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.ranges import Ranges, ranges_of


class SetIndexBlockwise(Partitionwise):
    """``frame`` with ``on``, a label or a series, as the index; no row is moved.

    ``new_divisions`` are those of the result, or None if they are not known.
    """

    _parameters = ["frame", "on", "drop", "append", "new_divisions"]
    _defaults = {"drop": True, "append": False, "new_divisions": None}
    _hidden = ("new_divisions",)
    _knows_position = True
    _divisions_are_given = True

    @staticmethod
    def operation(frame: Any, on: Any, drop: bool, append: bool) -> Any:
        return ordering.set_index(frame, on, drop, append)

    def _divisions(self) -> Sequence[Any]:
        if self.new_divisions is not None:
            return self.new_divisions
        return (None,) * (self.frame.npartitions + 1)

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection):
            return _projected(self, parent, dependents)
        return None


def _projected(node: Any, parent: Projection, dependents: Mapping[str, Any]) -> Any:
    """The projection ``parent`` of ``node``, which sets an index, with what it needs alone."""
    read = columns_read(node, dependents)
    if read is None:
        return None
    on = node.on
    wanted = set(read) | (set() if isinstance(on, Expr) else {on})
    columns = [c for c in node.frame.columns if c in wanted]
    if columns == list(node.frame.columns) or not node.frame._meta.columns.is_unique:
        return None
    inner = type(node)(Projection(node.frame, columns), *node.operands[1:])
    return projected(node, inner, parent)


class SetIndex(FrameExpr):
    """``frame`` sorted by ``on``, a label or a series, which becomes the index.

    ``count`` is how many partitions to make, None for as many as there are and "auto" for
    partitions of ``partition_size`` bytes; ``user_divisions`` say where to cut.
    """

    _parameters = [
        "frame",
        "on",
        "drop",
        "user_divisions",
        "count",
        "upsample",
        "partition_size",
        "method",
        "options",
    ]
    _defaults = {
        "drop": True,
        "user_divisions": None,
        "count": None,
        "upsample": 1.0,
        "partition_size": 128e6,
        "method": None,
        "options": None,
    }
    _computes_divisions = True

    @functools.cached_property
    def _meta(self) -> Any:
        return self._unsorted._meta

    @property
    def _unsorted(self) -> Any:
        return SetIndexBlockwise(self.frame, self.on, self.drop)

    @property
    def _stays_one(self) -> bool:
        """Whether all is one partition, so that there is nothing to cut."""
        if self.user_divisions is not None:
            return False
        return self.count == 1 or (self.count is None and self.frame.npartitions == 1)

    @functools.cached_property
    def _ranges(self) -> Ranges:
        values = self.on if isinstance(self.on, Expr) else Projection(self.frame, self.on)
        count = self.frame.npartitions if self.count is None else self.count
        found = ranges_of(
            values, None if count == "auto" else count, self.upsample, self.partition_size
        )
        if found.has_missing and getattr(values._meta.dtype, "kind", "O") not in "biuf":
            name = getattr(values._meta, "name", None)
            raise NotImplementedError(
                f"Divisions calculation failed for non-numeric column {name!r}. This is probably "
                "due to the presence of nulls, which an index of several partitions cannot have; "
                "drop or fill them first"
            )
        return found

    def _keeps_partitions(self) -> bool:
        return self._ranges.presorted and self.count in (None, self.frame.npartitions)

    def _divisions(self) -> Sequence[Any]:
        if self.user_divisions is not None:
            return self.user_divisions
        if self._stays_one:
            return (None, None)
        if self._keeps_partitions():
            return (*self._ranges.least, self._ranges.greatest[-1])
        return self._ranges.bounds or (None, None)

    def _lower(self) -> Any:
        unsorted = self._unsorted
        if self._stays_one or (self.user_divisions is None and not self._ranges.bounds):
            if self.frame.npartitions > 1:
                from samite.dataframe.expressions.repartition import RepartitionToFewer

                unsorted = RepartitionToFewer(unsorted, 1)
            return SortIndexOfPartitions(unsorted)
        if self.user_divisions is None and self._keeps_partitions():
            return SortIndexOfPartitions(unsorted, self.divisions)
        how = ("range-index", None, list(self.divisions), True, False)
        count = len(self.divisions) - 1
        moved = lowered_shuffle(
            unsorted, None, how, count, method=self.method, options=self.options
        )
        return SortIndexOfPartitions(moved, self.divisions)

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection):
            return _projected(self, parent, dependents)
        if isinstance(parent, Filter) and not isinstance(self.on, Expr):
            return filtered_before(self, parent, dependents)
        return None


class SortIndexOfPartitions(Partitionwise):
    """The rows of each partition in the order of its index; equal ones as they were.

    ``new_divisions`` are those of the result, or None for those of ``frame``.
    """

    _parameters = ["frame", "new_divisions"]
    _defaults = {"new_divisions": None}
    _hidden = ("new_divisions",)
    _knows_position = True
    _passes_projection = True
    operation = staticmethod(ordering.sort_index)

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _divisions(self) -> Sequence[Any]:
        return self.frame.divisions if self.new_divisions is None else self.new_divisions


class SetIndexSorted(FrameExpr):
    """``frame`` with ``on`` as the index, whose values ascend already through the partitions.

    Equal values at the end of one partition and the beginning of the next are put together.
    """

    _parameters = ["frame", "on", "drop"]
    _defaults = {"drop": True}
    _computes_divisions = True

    @functools.cached_property
    def _meta(self) -> Any:
        return SetIndexBlockwise(self.frame, self.on, self.drop)._meta

    @functools.cached_property
    def _concrete(self) -> Any:
        from samite.dataframe.divisions import sorted_partitions

        indexed = SetIndexBlockwise(self.frame, self.on, self.drop)
        values = self.on if isinstance(self.on, Expr) else Projection(self.frame, self.on)
        return sorted_partitions(indexed, values)

    def _divisions(self) -> Sequence[Any]:
        return self._concrete.divisions

    def _lower(self) -> Any:
        return self._concrete

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        return _projected(self, parent, dependents) if isinstance(parent, Projection) else None


class SortValues(FrameExpr):
    """``frame`` sorted by the columns ``by``; rows that are equal in them keep their order.

    Rows go to partitions by the first column, and are sorted there by all of them, with
    ``function`` in place of pandas' method if there is one.
    """

    _parameters = [
        "frame",
        "by",
        "ascending",
        "na_position",
        "count",
        "function",
        "keywords",
        "ignore_index",
        "upsample",
        "partition_size",
        "method",
        "options",
    ]
    _defaults = {
        "ascending": True,
        "na_position": "last",
        "count": None,
        "function": None,
        "keywords": None,
        "ignore_index": False,
        "upsample": 1.0,
        "partition_size": 128e6,
        "method": None,
        "options": None,
    }

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        meta = self.frame._meta
        return meta.reset_index(drop=True) if self.ignore_index else meta

    @property
    def _count(self) -> int:
        if self.count == "auto":
            values = Projection(self.frame, self.by[0])
            return max(len(ranges_of(values, None, self.upsample, self.partition_size)[0]) - 1, 1)
        return self.count or self.frame.npartitions

    def _divisions(self) -> Sequence[Any]:
        if self._count == 1 and self.frame.npartitions == 1 and not self.ignore_index:
            return self.frame.divisions
        return (None,) * (self._count + 1)

    @property
    def _first_ascends(self) -> bool:
        return self.ascending[0] if isinstance(self.ascending, list) else bool(self.ascending)

    def _lower(self) -> Any:
        count = self._count
        if count == 1:
            from samite.dataframe.expressions.repartition import RepartitionToFewer

            frame = self.frame
            whole = frame if frame.npartitions == 1 else RepartitionToFewer(frame, 1)
            return self._sorted(whole)
        values = Projection(self.frame, self.by[0])
        found = ranges_of(values, count, self.upsample, self.partition_size)
        if found.presorted and self._first_ascends and count == self.frame.npartitions:
            return self._sorted(self.frame)
        # There are always as many bounds as partitions were asked for, so that the number of
        # these is known without computing anything.
        bounds = list(found.bounds) or [None, None]
        bounds = [bounds[0]] * (count + 1 - len(bounds)) + bounds
        how = ("range", self.by[0], bounds, self._first_ascends, self.na_position == "first")
        moved = lowered_shuffle(
            self.frame, None, how, count, method=self.method, options=self.options
        )
        return self._sorted(moved)

    def end_rows(self, n: int, last: bool) -> Any:
        """The first or last ``n`` rows as a simpler expression, or None."""
        if self.function is not None or self.keywords or self.ignore_index or n < 0:
            return None
        if self.frame.npartitions == 1:
            return None
        return EndOfSorted(self.frame, self.by, self.ascending, self.na_position, n, last)

    def _sorted(self, frame: Any) -> Any:
        return SortPartitions(
            frame,
            self.by,
            self.ascending,
            self.na_position,
            self.ignore_index,
            self.function,
            self.keywords,
        )

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, Projection) and self.function is None:
            read = columns_read(self, dependents)
            if read is None:
                return None
            columns = [c for c in self.frame.columns if c in {*read, *self.by}]
            if columns == list(self.frame.columns):
                return None
            inner = type(self)(Projection(self.frame, columns), *self.operands[1:])
            return projected(self, inner, parent)
        if isinstance(parent, Filter):
            return filtered_before(self, parent, dependents)
        return None


class EndOfSorted(TreeReduction):
    """The first ``n`` rows, or the last ones, of the rows sorted by the columns ``by``, found
    without moving all rows."""

    _parameters = ["frame", "by", "ascending", "na_position", "n", "last"]
    chunk = staticmethod(ordering.end_of_sorted)
    aggregate = staticmethod(ordering.end_of_parts)

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        names = ("by", "ascending", "na_position", "n", "last")
        return {name: self.operand(name) for name in names}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return self.chunk_keywords

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if not isinstance(parent, Projection):
            return None
        read = columns_read(self, dependents)
        if read is None:
            return None
        columns = [c for c in self.frame.columns if c in {*read, *self.by}]
        if columns == list(self.frame.columns):
            return None
        inner = type(self)(Projection(self.frame, columns), *self.operands[1:])
        return projected(self, inner, parent)


class SortPartitions(Partitionwise):
    """The rows of each partition sorted by the columns ``by``."""

    _parameters = [
        "frame",
        "by",
        "ascending",
        "na_position",
        "ignore_index",
        "function",
        "keywords",
    ]
    operation = staticmethod(ordering.sort_values)

    @functools.cached_property
    def _meta(self) -> Any:
        meta = self.frame._meta
        return meta.reset_index(drop=True) if self.ignore_index else meta
