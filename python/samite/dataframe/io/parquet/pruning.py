"""Whether a source may drop partitions in which no row passes a filter above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samite.dataframe.expressions.node import FrameExpr, Partitionwise, frames_among
from samite.dataframe.expressions.selection import Filter, Partitions, Projection


def may_lose_partitions(expr: FrameExpr, dependents: Mapping[str, Any]) -> bool:
    """Whether nothing above ``expr`` counts its partitions, or pairs them with those of another
    source, before an operation that takes all rows together."""
    stack, seen = [expr], set()
    while stack:
        node = stack.pop()
        if node._name in seen:
            continue
        seen.add(node._name)
        for reference in dependents.get(node._name, ()):
            reader = reference()
            if reader is None:
                continue
            if isinstance(reader, Partitions):
                return False
            if not isinstance(reader, Partitionwise):
                continue
            if reader._knows_position or not _one_source(reader):
                return False
            stack.append(reader)
    return True


def _one_source(reader: FrameExpr) -> bool:
    """Whether the partitions that are taken together stay in step, whatever is dropped."""
    frames = [f for f in frames_among(reader.dependencies()) if f.npartitions > 1]
    return len({_origin(frame) for frame in frames}) <= 1


def _origin(expr: FrameExpr) -> Any:
    """What decides on the rows of ``expr``, and on whether a filter becomes part of a source."""
    from samite.dataframe.expressions.node import Elementwise

    while True:
        if isinstance(expr, Filter):
            frame = expr.frame.frame if isinstance(expr.frame, Projection) else expr.frame
            if hasattr(frame, "filtered_by"):
                # Another branch may read its rows so already.
                name = frame.name_of_rows_filtered_by(expr.predicate)
                return name or ("filtered", frame.name_of_rows, expr.predicate._name)
            return expr._name
        if hasattr(expr, "name_of_rows"):
            return expr.name_of_rows
        frames = frames_among(expr.dependencies())
        if not isinstance(expr, Elementwise) or not frames:
            return expr._name
        origins = {_origin(frame) for frame in frames if frame.npartitions > 1}
        if len(origins) > 1:
            return expr._name
        expr = frames[0]
