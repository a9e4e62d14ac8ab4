"""Joining frames by keys."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task
from samite.dataframe import merging
from samite.dataframe.expressions.node import FrameExpr, Partitionwise
from samite.dataframe.expressions.placement import columns_read, is_partitioned_by, projected
from samite.dataframe.expressions.selection import Filter, IndexOf, Projection
from samite.dataframe.expressions.shuffle import Shuffle
from samite.dataframe.metadata import make_meta

# A side with fewer partitions than this much of the logarithm of the other's number is given to
# all of the other's partitions.
BROADCAST_BIAS = 0.5


class Merge(FrameExpr):
    """``left`` joined with ``right``.

    The keys of a side are the labels ``left_on`` (a list, also of names of index levels), or a
    series with its rows, or its index if ``left_index`` is set. How rows come together is
    decided when the expression is lowered: by divisions where both are joined by an index with
    known ones, by giving a small side to all partitions of the other, or by shuffling both.
    """

    _parameters = [
        "left",
        "right",
        "how",
        "left_on",
        "right_on",
        "left_index",
        "right_index",
        "suffixes",
        "indicator",
        "count",
        "method",
        "broadcast",
        "options",
    ]
    _defaults = {
        "how": "inner",
        "left_on": None,
        "right_on": None,
        "left_index": False,
        "right_index": False,
        "suffixes": ("_x", "_y"),
        "indicator": False,
        "count": None,
        "method": None,
        "broadcast": None,
        "options": None,
    }

    @property
    def _keywords_of_merge(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "left_on": None if isinstance(self.left_on, Expr) else self.left_on,
            "right_on": None if isinstance(self.right_on, Expr) else self.right_on,
            "left_index": self.left_index,
            "right_index": self.right_index,
            "suffixes": self.suffixes,
            "indicator": self.indicator,
        }

    @functools.cached_property
    def _meta(self) -> Any:
        schema = self._derived_schema
        if schema is not None:
            return schema.meta
        left_key, right_key = (
            o._meta if isinstance(o, Expr) else None for o in (self.left_on, self.right_on)
        )
        left, right = self.left._meta, self.right._meta
        return make_meta(
            merging.merge_partitions(left, right, left_key, right_key, self._keywords_of_merge)
        )

    # -- how rows come together ----------------------------------------------------------

    @functools.cached_property
    def _plan(self) -> str:
        """ "single", "right" or "left" (the side that is given to all partitions of the other),
        "divisions" or "hash"."""
        left, right, how = self.left, self.right, self.how
        if left.npartitions == 1 and right.npartitions == 1:
            return "single"
        gives_right = how in ("inner", "left", "leftsemi", "left_anti")
        gives_left = how in ("inner", "right", "right_anti")
        if right.npartitions == 1 and gives_right:
            return "right"
        if left.npartitions == 1 and gives_left:
            return "left"
        if self._by_divisions:
            return "divisions"
        if self.broadcast is False:
            return "hash"
        bias = BROADCAST_BIAS
        if isinstance(self.broadcast, float):
            bias = self.broadcast
        small, side = (right, "right") if right.npartitions <= left.npartitions else (left, "left")
        allowed = gives_right if side == "right" else gives_left
        if self.broadcast is True:
            if gives_right and (side == "right" or not gives_left):
                return "right"
            return "left" if gives_left else "hash"
        large = max(left.npartitions, right.npartitions)
        if allowed and small.npartitions < math.log2(large) * bias:
            return side
        return "hash"

    @property
    def _by_divisions(self) -> bool:
        """Whether the keys have the indexes of both sides among them, with known divisions."""
        if not (self._joins_index(0) and self._joins_index(1)):
            return False
        if not (self.left.known_divisions and self.right.known_divisions):
            return False
        from samite.dataframe.alignment import common_divisions

        try:
            common_divisions(self.left.divisions, self.right.divisions)
        except TypeError:
            return False
        return True

    @property
    def _joins_names(self) -> bool:
        """Whether both indexes are among the keys, by their name."""
        if self.left_index or self.right_index:
            return False
        return self._joins_index(0) and self._joins_index(1)

    def _joins_index(self, side: int) -> bool:
        frame = (self.left, self.right)[side]
        if (self.left_index, self.right_index)[side]:
            return True
        # The index can be named among the keys; it has to be in the same place on both sides.
        names = self.left_on, self.right_on
        if not all(isinstance(name, list) for name in names) or names[0] != names[1]:
            return False
        return _index_name(frame) in names[side] and _index_name(frame) not in frame.columns

    def _divisions(self) -> Sequence[Any]:
        left, right = self.left, self.right
        plan = self._plan
        if plan == "single":
            if self._by_divisions:
                return (
                    min(left.divisions[0], right.divisions[0]),
                    max(left.divisions[-1], right.divisions[-1]),
                )
            keeps_left = self.right_index and not self.left_index and self.how in ("inner", "left")
            return left.divisions if keeps_left else (None, None)
        if plan == "divisions":
            from samite.dataframe.alignment import common_divisions

            return common_divisions(left.divisions, right.divisions)
        if plan == "right":
            return self._of_large(left, self.right_index or self._joins_names)
        if plan == "left":
            return self._of_large(right, self.left_index or self._joins_names)
        return (None,) * (self._hash_count + 1)

    def _of_large(self, large: Any, keeps: bool) -> Sequence[Any]:
        if self.count is not None and self.count != large.npartitions and not keeps:
            return (None,) * (self.count + 1)
        return large.divisions if keeps else (None,) * (large.npartitions + 1)

    @property
    def _hash_count(self) -> int:
        return self.count or max(self.left.npartitions, self.right.npartitions)

    @property
    def npartitions(self) -> int:
        return self._hash_count if self._plan == "hash" else len(self.divisions) - 1

    @property
    def _npartitions(self) -> int:
        # Libraries that extend Dask's expressions ask for it by this name.
        return self.npartitions

    def _lower(self) -> Any:
        left, right = self.left, self.right
        plan = self._plan
        if plan == "divisions":
            from samite.dataframe.expressions.bounds import checked
            from samite.dataframe.expressions.repartition import RepartitionDivisions

            # Bounds that one side does not reach are partitions without its rows.
            left, right = (
                side
                if side.divisions == self.divisions
                else RepartitionDivisions(side, self.divisions, True)
                for side in (checked(left), checked(right))
            )
            return self._blockwise(left, right, self.divisions)
        if plan in ("single", "left", "right"):
            return self._given_to_all(plan)
        count = self._hash_count
        sides = [
            _shuffled(left, self.left_on, self.left_index, count, self.method, self.options),
            _shuffled(right, self.right_on, self.right_index, count, self.method, self.options),
        ]
        return self._blockwise(*sides[0], *sides[1])

    def _given_to_all(self, plan: str) -> Any:
        from samite.dataframe.expressions.repartition import Repartition, RepartitionToFewer

        sides = {"left": self.left, "right": self.right}
        keys = {"left": self.left_on, "right": self.right_on}
        if plan != "single":
            for group in (sides, keys):
                if isinstance(group[plan], Expr) and group[plan].npartitions > 1:
                    group[plan] = RepartitionToFewer(group[plan], 1)
            large = "left" if plan == "right" else "right"
            if len(self.divisions) - 1 != sides[large].npartitions and not isinstance(
                keys[large], Expr
            ):
                sides[large] = Repartition(sides[large], self.count)
        return self._joined(
            sides["left"], keys["left"], sides["right"], keys["right"], self.divisions
        )

    def _blockwise(self, *sides: Any) -> Any:
        if len(sides) == 3:
            left, right, divisions = sides
            return self._joined(left, self.left_on, right, self.right_on, divisions)
        left, left_key, right, right_key = sides
        return self._joined(left, left_key, right, right_key, None, hashed=True)

    def _joined(
        self,
        left: Any,
        left_key: Any,
        right: Any,
        right_key: Any,
        divisions: Any,
        hashed: bool = False,
    ) -> Any:
        return MergePartitions(
            left,
            right,
            left_key if isinstance(left_key, Expr) else None,
            right_key if isinstance(right_key, Expr) else None,
            self._keywords_of_merge,
            None if divisions is None else tuple(divisions),
            hashed,
        )

    # -- simplifying ---------------------------------------------------------------------

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if isinstance(parent, (Projection, IndexOf)):
            read = columns_read(self, dependents)
            return None if read is None else self._with_fewer_columns(read, parent)
        if isinstance(parent, Filter) and parent.frame._name == self._name:
            from samite.dataframe.expressions.merge_filters import pushed_into_merge

            return pushed_into_merge(self, parent, dependents)
        return None

    def _with_fewer_columns(self, wanted: Sequence[Any], parent: Expr) -> Any:
        sides = []
        for side, frame in enumerate((self.left, self.right)):
            keys = (self.left_on, self.right_on)[side]
            keys = keys if isinstance(keys, list) else []
            origin = self._origins[side]
            columns = [
                column
                for column in frame.columns
                if column in keys
                or origin.get(column) in wanted
                # A column of that name on the other side would lose its suffix.
                or (column in self._suffixed and self._suffixed_wanted(column, wanted))
            ]
            if not frame._meta.columns.is_unique:
                return None
            sides.append(frame if columns == list(frame.columns) else Projection(frame, columns))
        if sides[0] is self.left and sides[1] is self.right:
            return None
        inner = type(self)(*sides, *self.operands[2:])
        if isinstance(parent, IndexOf):
            return IndexOf(inner)
        return projected(self, inner, parent)

    @functools.cached_property
    def _suffixed(self) -> set[Any]:
        """Labels that both sides have, and that are no common keys."""
        common = set(self.left.columns) & set(self.right.columns)
        if isinstance(self.left_on, list) and isinstance(self.right_on, list):
            pairs = zip(self.left_on, self.right_on, strict=True)
            common -= {a for a, b in pairs if a == b}
        return common

    def _suffixed_wanted(self, column: Any, wanted: Sequence[Any]) -> bool:
        return any(origin.get(column) in wanted for origin in self._origins)

    @functools.cached_property
    def _origins(self) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """For each side the labels that its columns have in the result."""
        result = []
        for frame, suffix in zip((self.left, self.right), self.suffixes, strict=True):
            result.append(
                {
                    column: f"{column}{suffix}" if column in self._suffixed and suffix else column
                    for column in frame.columns
                }
            )
        return (result[0], result[1])


def _index_name(frame: Any) -> Any:
    schema = frame._derived_schema
    if schema is None:
        return frame._meta.index.name
    levels = schema.index.levels
    return levels[0][0] if len(levels) == 1 else None


def _shuffled(
    frame: Any, keys: Any, by_index: bool, count: int, method: Any, options: Any
) -> tuple[Any, Any]:
    """A side and its keys, moved to ``count`` partitions by the hash of the keys."""
    if isinstance(keys, Expr):
        return (
            Shuffle(frame, keys, count, False, method, options),
            Shuffle(keys, keys, count, False, method, options),
        )
    labels = None if by_index else list(keys)
    if is_partitioned_by(frame, labels, count):
        return frame, keys
    return Shuffle(frame, labels, count, False, method, options), keys


class MergePartitions(Partitionwise):
    """Partition by partition, ``left`` joined with ``right``; a side of one partition is joined
    with each partition of the other."""

    _parameters = [
        "left",
        "right",
        "left_key",
        "right_key",
        "keywords",
        "new_divisions",
        "hashed",
    ]
    _defaults = {"hashed": False}
    operation = staticmethod(merging.merge_partitions)
    _hidden = ("new_divisions", "hashed")
    _knows_position = True
    _tasks_alike = True

    def _divisions(self) -> Sequence[Any]:
        if self.new_divisions is not None:
            return self.new_divisions
        count = max(self.left.npartitions, self.right.npartitions)
        return (None,) * (count + 1)

    def _task(self, key: Any, index: int) -> Task:
        arguments, _ = self._bound([self._argument(o, index) for o in self.operands])
        return Task(key, self.operation, *arguments)
