"""Rows and values without those that are there already."""

from __future__ import annotations

import functools
from typing import Any

from samite.dataframe import duplicates
from samite.dataframe.expressions.node import FrameExpr, Partitionwise
from samite.dataframe.expressions.placement import columns_read, projected
from samite.dataframe.expressions.tree import TreeReduction


class DropDuplicates(FrameExpr):
    """The rows of which no other has the same values in the columns ``subset`` (None for all) and
    comes before, or after with ``keep`` "last".

    ``split_out`` is the number of partitions of the result; True for as many as there are.
    """

    _parameters = ["frame", "subset", "keep", "ignore_index", "split_out", "split_every", "method"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    @property
    def _count(self) -> int:
        if self.split_out is True:
            return self.frame.npartitions
        return int(self.split_out)

    def _divisions(self) -> Any:
        if self.frame.npartitions == 1 and self._count == 1 and not self.ignore_index:
            return self.frame.divisions
        return (None,) * (self._count + 1)

    @property
    def npartitions(self) -> int:
        return self._count

    def _lower(self) -> Any:
        from samite.dataframe.expressions.shuffle import Shuffle

        count = self._count
        here = [self.subset, self.keep, self.ignore_index]
        if self.frame.npartitions == 1 and count == 1:
            return DropDuplicatesOfPartitions(self.frame, *here)
        if count == 1:
            return DropDuplicatesByTree(self.frame, *here, self.split_every)
        # What repeats within a partition need not be moved.
        few = DropDuplicatesOfPartitions(self.frame, self.subset, self.keep, False)
        keys = few if few.ndim == 1 and hasattr(few._meta, "index") else self._labels(few)
        moved = Shuffle(few, keys, count, bool(self.ignore_index), self.method)
        return DropDuplicatesOfPartitions(moved, *here)

    def _labels(self, few: Any) -> Any:
        if few.ndim == 1:
            return None
        return list(few.columns) if self.subset is None else list(self.subset)

    def _simplify_up(self, parent: Any, dependents: Any) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection) or self.subset is None or self.ndim != 2:
            return None
        read = columns_read(self, dependents)
        if read is None:
            return None
        columns = [c for c in self.frame.columns if c in {*read, *self.subset}]
        if columns == list(self.frame.columns):
            return None
        inner = type(self)(Projection(self.frame, columns), *self.operands[1:])
        return projected(self, inner, parent)


class DropDuplicatesOfPartitions(Partitionwise):
    """See :class:`DropDuplicates`, of each partition by itself."""

    _parameters = ["frame", "subset", "keep", "ignore_index"]
    operation = staticmethod(duplicates.drop_duplicates)

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta


class DropDuplicatesByTree(TreeReduction):
    """See :class:`DropDuplicates`, as one partition."""

    _parameters = ["frame", "subset", "keep", "ignore_index", "split_every"]
    chunk = staticmethod(duplicates.drop_duplicates)
    aggregate = staticmethod(duplicates.drop_duplicates_of_parts)

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"subset": self.subset, "keep": self.keep, "ignore_index": False}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {"subset": self.subset, "keep": self.keep, "ignore_index": self.ignore_index}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return self.chunk_keywords


class Unique(TreeReduction):
    """The different values of a series, as a series, or of an index, as an index; in the order
    in which they first occur."""

    _parameters = ["frame", "split_every"]
    chunk = staticmethod(duplicates.unique)
    aggregate = staticmethod(duplicates.unique_of_parts)


class UniqueOfPartitions(Partitionwise):
    """See :class:`Unique`, of each partition by itself."""

    _parameters = ["frame"]
    _keeps_divisions = False
    operation = staticmethod(duplicates.unique)
