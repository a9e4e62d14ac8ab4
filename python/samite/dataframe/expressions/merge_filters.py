"""Filters of joined frames, applied to the sides before they are joined."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from samite._expr import Expr
from samite.dataframe.expressions.elementwise import Operator
from samite.dataframe.expressions.node import Elementwise
from samite.dataframe.expressions.selection import Filter, IndexOf, Projection


def pushed_into_merge(merge: Any, parent: Filter, dependents: Mapping[str, Any]) -> Any:
    """``parent``, a filter of ``merge``, with those of its conditions that are about one side
    applied to that side; None if there are none."""
    predicate = parent.predicate
    inside = {node._name for node in predicate.walk()} | {parent._name}
    for reference in dependents[merge._name]:
        reader = reference()
        if reader is not None and reader._name not in inside:
            return None
    allowed = (
        merge.how in ("inner", "left", "leftsemi"),
        merge.how in ("inner", "right"),
    )
    if not any(allowed) or _dtypes_depend_on_rows(merge):
        return None
    pushed: tuple[list[Expr], list[Expr]] = ([], [])
    kept = []
    for condition in _conjunction(predicate):
        done = False
        for side in (0, 1):
            if allowed[side]:
                found = _of_side(condition, merge, side)
                if found is not None:
                    pushed[side].append(found)
                    done = True
        if not done:
            kept.append(condition)
    if not pushed[0] and not pushed[1]:
        return None
    sides = [
        Filter(frame, _all_of(conditions)) if conditions else frame
        for frame, conditions in zip((merge.left, merge.right), pushed, strict=True)
    ]
    result = type(merge)(*sides, *merge.operands[2:])
    if kept:
        condition = _all_of(kept).substitute(merge, result)
        return Filter(result, condition)
    return result


def _dtypes_depend_on_rows(merge: Any) -> bool:
    """Whether a row without a match makes pandas give other dtypes, to all rows: integers and
    booleans of the side without it have no missing values."""
    if merge.how not in ("left", "right"):
        return False
    frame = merge.right if merge.how == "left" else merge.left
    common = _common_keys(merge)
    return any(
        isinstance(dtype, np.dtype) and dtype.kind in "iub"
        for label, dtype in frame._meta.dtypes.items()
        if label not in common
    )


def _common_keys(merge: Any) -> set[Any]:
    keys = (merge.left_on, merge.right_on)
    if not all(isinstance(key, list) for key in keys):
        return set()
    return {a for a, b in zip(*keys, strict=True) if a == b}


def _conjunction(predicate: Expr) -> list[Expr]:
    if isinstance(predicate, Operator) and predicate.symbol == "and_":
        if all(isinstance(side, Expr) for side in (predicate.left, predicate.right)):
            return _conjunction(predicate.left) + _conjunction(predicate.right)
    return [predicate]


def _all_of(conditions: list[Expr]) -> Any:
    return functools.reduce(lambda a, b: Operator("and_", a, b), conditions)


def _of_side(condition: Any, merge: Any, side: int) -> Any:
    """A condition on the rows of ``merge`` as one on those of a side, or None."""
    frame = (merge.left, merge.right)[side]
    other = (merge.right, merge.left)[side]
    common = _common_keys(merge)
    used = False

    def translated(node: Any) -> Any:
        nonlocal used
        if not isinstance(node, Expr):
            return node
        if isinstance(node, Projection) and node.frame._name == merge._name:
            for label in node.columns:
                if label not in frame.columns or (label in other.columns and label not in common):
                    return None
            used = True
            return Projection(frame, node.operand("columns"))
        if node._name == merge._name or isinstance(node, IndexOf):
            return None
        if not any(inner._name == merge._name for inner in node.walk()):
            return node if getattr(node, "ndim", 1) == 0 else None
        if not isinstance(node, Elementwise):
            return None
        operands = []
        for operand in node.operands:
            new = translated(operand)
            if new is None and operand is not None:
                return None
            operands.append(new)
        return type(node)(*operands)

    result = translated(condition)
    # Values of the other side's key are there for rows without a match as well.
    if merge.how != "inner" and used and (merge.left_on is None or merge.right_on is None):
        return None
    return result if used else None
