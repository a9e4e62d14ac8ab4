"""Joining by the nearest key."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._task_spec import Task, TaskRef
from samite.dataframe import asof
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.metadata import make_meta, meta_nonempty


class MergeAsofIndexed(FrameExpr):
    """:func:`pandas.merge_asof` of frames with known divisions, by their indexes.

    The right frame is cut at the divisions of the left one. Each piece gets with it the nearest
    rows of the pieces before, or after it, one for each group of the keys ``by``.
    """

    _parameters = ["left", "right", "keywords"]

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(
            asof.merge(
                meta_nonempty(self.left._meta).sort_index(),
                meta_nonempty(self.right._meta).sort_index(),
                None,
                None,
                self.keywords,
            )
        )

    def _divisions(self) -> Sequence[Any]:
        return self.left.divisions

    def _lower(self) -> Any:
        from samite.dataframe.expressions.bounds import checked
        from samite.dataframe.expressions.repartition import (
            RepartitionDivisions,
            RepartitionToFewer,
        )

        if self.right.npartitions == 1:
            return None
        if self.left.npartitions > 1:
            left, right = checked(self.left), checked(self.right)
            if left is not self.left or right is not self.right:
                return type(self)(left, right, self.keywords)
        if self.left.npartitions == 1:
            return type(self)(self.left, RepartitionToFewer(self.right, 1), self.keywords)
        left, right = self.left.divisions, self.right.divisions
        bounds = (min(left[0], right[0]), *left[1:-1], max(left[-1], right[-1]))
        if bounds == right:
            return None
        return type(self)(self.left, RepartitionDivisions(self.right, bounds, True), self.keywords)

    def _layer(self) -> Mapping[Any, Any]:
        left, right, count = self.left, self.right, self.left.npartitions
        keywords = self.keywords
        direction = keywords.get("direction", "backward")
        by = keywords.get("right_by") or keywords.get("by")
        layer: dict[Any, Any] = {}
        # A right side of one partition has all rows that any piece could need.
        whole = right.npartitions == 1
        pieces = [TaskRef((right._name, 0 if whole else i)) for i in range(count)]
        before: list[Any] = [None] * count
        after: list[Any] = [None] * count
        if direction in ("backward", "nearest") and not whole:
            for index in range(1, count):
                key = (f"before-{self._name}", index)
                layer[key] = Task(
                    key, asof.last_rows, before[index - 1], pieces[index - 1], by, "last"
                )
                before[index] = TaskRef(key)
        if direction in ("forward", "nearest") and not whole:
            for index in range(count - 2, -1, -1):
                key = (f"after-{self._name}", index)
                layer[key] = Task(
                    key, asof.last_rows, pieces[index + 1], after[index + 1], by, "first"
                )
                after[index] = TaskRef(key)
        for index in range(count):
            key = (self._name, index)
            part = TaskRef((left._name, index))
            around = [before[index], pieces[index], after[index]]
            layer[key] = Task(key, asof.merge_between, part, *around, keywords)
        return layer
