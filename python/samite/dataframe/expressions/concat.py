"""Frames one after the other, or side by side."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Alias, Task, TaskRef
from samite.dataframe import concatenation
from samite.dataframe.expressions.node import FrameExpr, Partitionwise, are_co_aligned, readable
from samite.dataframe.expressions.placement import columns_read, projected
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.metadata import make_meta, meta_nonempty


class Concat(FrameExpr):
    """The frames after the named operands, joined along ``axis``.

    Along the rows partitions follow each other; with ``interleave`` frames with known divisions
    that overlap are cut at common ones. Side by side frames are cut at common divisions; those
    without any are taken partition by partition.
    """

    _parameters = ["join", "axis", "interleave", "ignore_order"]
    _defaults = {"join": "outer", "axis": 0, "interleave": False, "ignore_order": False}

    @property
    def frames(self) -> list[Any]:
        return self.operands[len(self._parameters) :]

    @functools.cached_property
    def _meta(self) -> Any:
        # Made-up rows, so that what is missing on one side has its effect on the dtypes.
        parts = [meta_nonempty(frame._meta) for frame in self.frames]
        return make_meta(concatenation.joined(parts, self.join, self.axis, self.ignore_order))

    @functools.cached_property
    def _plan(self) -> str:
        """ "stack", "positions" or "divisions"."""
        frames = self.frames
        known = all(frame.known_divisions for frame in frames)
        if self.axis == 0:
            if not known or _follow_each_other(frames) or not self.interleave:
                return "stack"
            return "divisions"
        if are_co_aligned(*frames):
            return "positions"
        if known:
            return "divisions"
        if len({frame.npartitions for frame in frames}) == 1:
            return "positions"
        raise ValueError(
            "Unable to concatenate DataFrame with unknown division specifying axis=1; the frames "
            f"have {[frame.npartitions for frame in frames]} partitions"
        )

    def _divisions(self) -> Sequence[Any]:
        frames = self.frames
        plan = self._plan
        if plan == "divisions":
            from samite.dataframe.alignment import common_divisions

            return common_divisions(*(frame.divisions for frame in frames))
        if plan == "positions":
            known = [frame for frame in frames if frame.known_divisions]
            return (known or frames)[0].divisions
        if all(frame.known_divisions for frame in frames) and _follow_each_other(frames):
            bounds = [bound for frame in frames[:-1] for bound in frame.divisions[:-1]]
            return [*bounds, *frames[-1].divisions]
        return (None,) * (sum(frame.npartitions for frame in frames) + 1)

    def _lower(self) -> Any:
        frames = self.frames
        plan = self._plan
        if plan == "stack":
            return StackPartitions(
                self.join, self.ignore_order, self._meta, tuple(self.divisions), *frames
            )
        if plan == "divisions":
            from samite.dataframe.expressions.bounds import checked
            from samite.dataframe.expressions.repartition import RepartitionDivisions

            divisions = self.divisions
            frames = [
                frame
                if frame.divisions == divisions
                else RepartitionDivisions(frame, divisions, True)
                for frame in map(checked, frames)
            ]
        checked = plan == "positions" and not are_co_aligned(*frames) and frames[0].npartitions > 1
        return ConcatPartitions(
            self.join, self.axis, self.ignore_order, checked, tuple(self.divisions), *frames
        )

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if not isinstance(parent, Projection) or self.ndim != 2:
            return None
        frames = _with_fewer_columns(self, self.axis, dependents)
        if frames is None:
            return None
        inner = type(self)(*self.operands[: len(self._parameters)], *frames)
        return projected(self, inner, parent)

    def _readable(self) -> str:
        parts = ["frames=[" + ", ".join(readable(frame) for frame in self.frames) + "]"]
        for name in self._parameters:
            value = self.operand(name)
            if value != self._defaults[name]:
                parts.append(f"{name}={value!r}")
        return f"Concat({', '.join(parts)})"


def _with_fewer_columns(node: Any, axis: int, dependents: Mapping[str, Any]) -> Any:
    """The frames of ``node`` with the columns that are read of it; None if that is all."""
    read = columns_read(node, dependents)
    if read is None or not node._meta.columns.is_unique:
        return None
    frames = node.frames
    if axis == 0 and any(frame.ndim != 2 for frame in frames):
        return None
    kept = []
    for frame in frames:
        columns = [column for column in frame.columns if column in read]
        whole = frame.ndim != 2 or columns == list(frame.columns)
        kept.append(frame if whole else Projection(frame, columns))
    if axis == 1 and are_co_aligned(*frames):
        # The rows of all are the same, so that a frame without wanted columns adds nothing.
        pairs = zip(kept, frames, strict=True)
        kept = [new for new, old in pairs if any(c in read for c in old.columns)] or kept[:1]
    if len(kept) == len(frames) and all(a is b for a, b in zip(kept, frames, strict=True)):
        return None
    return kept


def _follow_each_other(frames: Sequence[Any]) -> bool:
    """Whether the index values of each frame are less than those of the next."""
    try:
        return all(
            bool(a.divisions[-1] < b.divisions[0]) for a, b in zip(frames, frames[1:], strict=False)
        )
    except TypeError:
        return False


class StackPartitions(FrameExpr):
    """The partitions of several frames, one after the other, with the columns of ``whole``."""

    _parameters = ["join", "ignore_order", "whole", "new_divisions"]

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.whole

    @property
    def frames(self) -> list[Any]:
        return self.operands[len(self._parameters) :]

    def _divisions(self) -> Sequence[Any]:
        return self.new_divisions

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if not isinstance(parent, Projection) or self.ndim != 2:
            return None
        frames = _with_fewer_columns(self, 0, dependents)
        if frames is None:
            return None
        read = columns_read(self, dependents)
        inner = type(self)(
            self.join, self.ignore_order, self.whole[read], self.new_divisions, *frames
        )
        return projected(self, inner, parent)

    def _layer(self) -> Mapping[Any, Any]:
        layer: dict[Any, Any] = {}
        number = 0
        for frame in self.frames:
            same = concatenation.has_form(frame._meta, self.whole)
            for index in range(frame.npartitions):
                key, source = (self._name, number), (frame._name, index)
                layer[key] = (
                    Alias(key, source)
                    if same
                    else Task(
                        key,
                        concatenation.in_form,
                        TaskRef(source),
                        self.whole,
                        self.join,
                        self.ignore_order,
                    )
                )
                number += 1
        return layer


class ConcatPartitions(Partitionwise):
    """Partition i of several frames, joined along ``axis``; with ``checked`` they must have equal
    numbers of rows."""

    _parameters = ["join", "axis", "ignore_order", "checked", "new_divisions"]
    _knows_position = True

    @property
    def frames(self) -> list[Any]:
        return self.operands[len(self._parameters) :]

    @functools.cached_property
    def _meta(self) -> Any:
        parts = [meta_nonempty(frame._meta) for frame in self.frames]
        return make_meta(concatenation.joined(parts, self.join, self.axis, self.ignore_order))

    def _divisions(self) -> Sequence[Any]:
        return self.new_divisions

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if not isinstance(parent, Projection) or self.ndim != 2:
            return None
        frames = _with_fewer_columns(self, self.axis, dependents)
        if frames is None:
            return None
        inner = type(self)(*self.operands[: len(self._parameters)], *frames)
        return projected(self, inner, parent)

    def _task(self, key: Any, index: int) -> Task:
        parts = [TaskRef((frame._name, index)) for frame in self.frames]
        return Task(
            key,
            concatenation.joined_parts,
            self.join,
            self.axis,
            self.ignore_order,
            self.checked,
            *parts,
        )
