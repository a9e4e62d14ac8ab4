"""Which frames have their rows in partitions by the hash of keys already."""

from __future__ import annotations

from typing import Any

from samite.dataframe.expressions.node import FrameExpr


def partitionings(expr: Any) -> set[tuple[Any, ...]]:
    """The keys by whose hash the rows of ``expr`` are in its partitions: tuples of labels."""
    from samite.dataframe.expressions.elementwise import Assign
    from samite.dataframe.expressions.file_shuffle import FileShuffle
    from samite.dataframe.expressions.merge import Merge, MergePartitions
    from samite.dataframe.expressions.selection import Filter, Projection
    from samite.dataframe.expressions.shuffle import PartShuffle, Shuffle, TaskShuffle

    if isinstance(expr, Shuffle):
        return {tuple(expr.on)} if isinstance(expr.on, list) and expr.count > 1 else set()
    if isinstance(expr, (TaskShuffle, FileShuffle, PartShuffle)):
        kind, labels = expr.how[:2]
        return {tuple(labels)} if kind == "hash" and labels is not None else set()
    if isinstance(expr, Merge):
        if expr._plan != "hash":
            return set()
        return _of_merge(expr, expr.how, expr.left_on, expr.right_on)
    if isinstance(expr, MergePartitions):
        if not expr.hashed:
            return set()
        keywords = expr.keywords
        return _of_merge(expr, keywords["how"], keywords["left_on"], keywords["right_on"])
    if isinstance(expr, (Filter, Projection)):
        return _among(partitionings(expr.frame), expr)
    if isinstance(expr, Assign):
        changed = set(expr.labels)
        return {keys for keys in partitionings(expr.frame) if not changed & set(keys)}
    return set()


def _of_merge(expr: FrameExpr, how: str, left_on: Any, right_on: Any) -> set[tuple[Any, ...]]:
    if not isinstance(left_on, list) or not isinstance(right_on, list):
        return set()
    # Rows without a match have no values in the keys of the other side, unless these are the
    # same columns.
    found = []
    if how in ("inner", "left", "leftsemi", "left_anti") or left_on == right_on:
        found.append(tuple(left_on))
    if how in ("inner", "right", "right_anti") or left_on == right_on:
        found.append(tuple(right_on))
    return _among(set(found), expr)


def _among(found: set[tuple[Any, ...]], expr: FrameExpr) -> set[tuple[Any, ...]]:
    columns = set(expr.columns) if expr.ndim == 2 else set()
    return {keys for keys in found if set(keys) <= columns}


def columns_read(expr: Any, dependents: Any) -> list[Any] | None:
    """The columns of ``expr`` that anybody reads, in its order; None if somebody reads all. Its
    index alone is no column."""
    from samite.dataframe.expressions.selection import IndexOf, Projection

    wanted: set[Any] = set()
    for reference in dependents[expr._name]:
        reader = reference()
        if reader is None or isinstance(reader, IndexOf):
            continue
        if not isinstance(reader, Projection):
            return None
        wanted.update(reader.columns)
    return [column for column in expr.columns if column in wanted]


def projected(expr: Any, inner: Any, parent: Any) -> Any:
    """``parent``, a projection of ``expr``, as one of ``inner``, which has what is read of it."""
    from samite.dataframe.expressions.selection import Projection

    if list(inner.columns) == parent.operand("columns"):
        return inner
    if any(column not in inner.columns for column in parent.columns):
        return None
    return Projection(inner, parent.operand("columns"))


def is_partitioned_by(expr: Any, labels: list[Any] | None, count: int) -> bool:
    """Whether a shuffle of ``expr`` by the hash of ``labels`` would move nothing."""
    if labels is None or expr.npartitions != count:
        return False
    return tuple(labels) in partitionings(expr)
