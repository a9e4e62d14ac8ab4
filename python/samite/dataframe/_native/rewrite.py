"""Finding the native parts of an expression."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from samite._expr import Expr
from samite.dataframe._native import results
from samite.dataframe._native.node import NativeRows
from samite.dataframe._native.rows import Column, NotNative, Reduced, Rows, settled
from samite.dataframe._native.sizes import may_be_too_large
from samite.dataframe._native.translate import Translation, is_worthwhile
from samite.dataframe._native.types import matches
from samite.dataframe.expressions.node import FrameExpr


def nativized(expr: Expr, final: bool) -> Expr:
    """``expr`` with its native parts as nodes that run plans of the engine.

    ``final`` says that nothing but the joined partitions of the outermost nodes is wanted, so
    that these need not keep their partitions.
    """
    if not any(is_worthwhile(node) for node in expr.walk()):
        return expr
    whole = expr
    if final and not any(map(_has_folders, expr.walk())):
        # The engine leaves out columns and moves conditions by itself, in a fraction of the time.
        whole = _Rewrite(final).outermost(expr)
        results = [whole] if isinstance(expr, FrameExpr) else whole.operands
        if results and all(isinstance(result, NativeRows) for result in results):
            return whole
    simplified = expr.simplify()
    found = _Rewrite(final).outermost(simplified)
    if not final and isinstance(expr, FrameExpr) and not isinstance(found, NativeRows):
        # Simplified, the readers of one merge may each have one of their own, with the columns
        # that they need. The engine leaves out columns by itself.
        whole = _Rewrite(final).outermost(expr)
        if isinstance(whole, NativeRows):
            return whole
    elif whole is not expr and _native_count(found) > 1 and _is_all_native_below(whole):
        # The readers of one aggregation have one each with the columns that they need, where one
        # for all of them takes no longer.
        if _native_count(whole) < _native_count(found):
            found = whole
    if _combines_orders(found):
        return _Rewrite(final, any_order=False).outermost(simplified)
    return found


def _has_folders(node: Expr) -> bool:
    """Whether it reads columns whose values the names of folders hold, which cost something."""
    return type(node).__name__ == "ReadParquet" and bool(node.dataset.fields_of_folders)


def _native_count(expr: Expr) -> int:
    return sum(isinstance(node, NativeRows) for node in expr.walk())


def _is_all_native_below(expr: Expr) -> bool:
    """Whether the engine reads all sources, and pandas what it makes of them."""
    return all(
        isinstance(node, NativeRows)
        for node in expr.walk()
        if isinstance(node, FrameExpr) and not node.dependencies()
    )


# Nodes of several frames whose rows do not belong together one by one.
_SEPARATE = frozenset({"Merge", "Concat", "SqlQuery", "MergeAsof"})


def _combines_orders(expr: Expr) -> bool:
    """Whether pandas would put rows beside each other that the engine computes apart, in orders
    that need not be the same."""
    below: dict[str, frozenset[str]] = {}
    native: set[str] = set()
    stack = [expr]
    while stack:
        node = stack[-1]
        if node._name in below:
            stack.pop()
            continue
        operands = [] if isinstance(node, NativeRows) else node.dependencies()
        missing = [operand for operand in operands if operand._name not in below]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if isinstance(node, NativeRows):
            below[node._name] = frozenset()
            if node.operand("unordered"):
                native.add(node._name)
                below[node._name] = frozenset([node._name])
            continue
        groups = {below[operand._name] for operand in operands} - {frozenset()}
        found = frozenset[str]().union(*groups)
        if type(node).__name__ in _SEPARATE:
            # The same rows may be joined by pandas elsewhere, in an order of its own.
            found |= {node._name}
        elif len(groups) > 1 and isinstance(node, FrameExpr) and found & native:
            return True
        below[node._name] = found
    return False


class _Rewrite:
    def __init__(self, final: bool, any_order: bool = True) -> None:
        self.final = final
        # Whether parts may have the engine's order of rows.
        self.any_order = any_order
        self.translation = Translation()
        self.done: dict[str, Expr] = {}
        self.worth: dict[str, bool] = {}
        # How many nodes read each, by name.
        self.readers: Counter[str] = Counter()

    def outermost(self, expr: Expr) -> Expr:
        self.readers = Counter(
            operand._name for node in expr.walk() for operand in node.dependencies()
        )
        return self._outermost(expr)

    def _is_column_of_shared(self, expr: Expr) -> bool:
        """Whether it is a column of groups that others read too, under an operation of pandas: the
        groups are then computed once for all of them."""
        if type(expr).__name__ != "Projection":
            return False
        frame = expr.operands[0]
        return type(frame).__name__ == "GroupByAggregation" and self.readers[frame._name] > 1

    def _outermost(self, expr: Expr) -> Expr:
        if isinstance(expr, FrameExpr):
            return self.rewritten(expr, self.final)
        operands = [
            self._outermost(operand) if isinstance(operand, FrameExpr) else operand
            for operand in expr.operands
        ]
        return _with_operands(expr, operands)

    def rewritten(self, expr: Expr, final: bool = False) -> Expr:
        """``expr`` or what takes its place; its native parts are as large as possible."""
        if not isinstance(expr, FrameExpr) or not self._is_worthwhile(expr):
            return expr
        known = self.done.get(expr._name)
        if known is not None and not final:
            return known
        try:
            if self._is_column_of_shared(expr):
                raise NotNative("a column of an aggregation with other readers")
            result: Expr = self._native(expr, final)
        except NotNative:
            operands = [
                self.rewritten(operand) if isinstance(operand, Expr) else operand
                for operand in expr.operands
            ]
            result = _with_operands(expr, operands)
        if not final:
            self.done[expr._name] = result
        return result

    def _is_worthwhile(self, expr: Expr) -> bool:
        """Whether there is anything in an expression that the engine does better."""
        stack = [expr]
        while stack:
            node = stack[-1]
            if node._name in self.worth:
                stack.pop()
                continue
            below = [child for child in node.dependencies() if child._name not in self.worth]
            if below:
                stack.extend(below)
                continue
            self.worth[node._name] = is_worthwhile(node) or any(
                self.worth[child._name] for child in node.dependencies()
            )
            stack.pop()
        return self.worth[expr._name]

    def _native(self, expr: FrameExpr, final: bool) -> NativeRows:
        found = self.translation.of(expr, index=_has_index(expr))
        if isinstance(found, Reduced):
            plan = self.translation.bound(found.plan)
            return _node(expr, plan, _layout_of_reduced(expr, found), "whole", expr.divisions)
        if not found.worthwhile:
            raise NotNative("nothing that pandas does not do as well")
        if found.unordered and not self.any_order:
            raise NotNative("an order that is the engine's")
        rows, names, levels = settled(found, index=_has_index(expr))
        if not all(names):
            raise NotNative("columns that the engine does not have")
        _check_types(rows, names, levels)
        rows = dataclasses.replace(rows, plan=self.translation.bound(rows.plan))
        layout = results.Layout(
            _empty(expr._meta),
            tuple(names),
            tuple(levels) if rows.index is not None else None,
        )
        mode, divisions = _mode(expr, rows, final)
        lengths = rows.lengths() if mode == "cut" and rows.lengths is not None else None
        return _node(expr, rows.plan, layout, mode, divisions, rows.unordered, lengths)


def _mode(expr: FrameExpr, rows: Rows, final: bool) -> tuple[str, Sequence[Any]]:
    """How a plan is run, and the divisions that the result then has."""
    count = expr.npartitions
    if rows.moved and (not final or type(expr).__name__ == "Shuffle"):
        raise NotNative("rows that are in other partitions")
    same = rows.partitioned and rows.plan.partitions == count
    if rows.one_by_one:
        if not same:
            raise NotNative("labels that count from the start of each partition")
        return "partitions", expr.divisions
    if final or count == 1:
        return "whole", expr.divisions if count == 1 else (None, None)
    if same:
        return "partitions", expr.divisions
    if rows.partitioned:
        # Partition by partition the rows belong to those of other results.
        lengths = None if rows.lengths is None else rows.lengths()
        if lengths is None or len(lengths) != count or may_be_too_large(expr):
            raise NotNative("partitions that the plan does not keep")
        return "cut", expr.divisions
    if not expr.known_divisions:
        if may_be_too_large(expr):
            raise NotNative("rows that have to be in memory at once")
        return "split", expr.divisions
    raise NotNative("divisions that the plan does not keep")


def _node(
    expr: FrameExpr,
    plan: Any,
    layout: Any,
    mode: str,
    divisions: Any,
    unordered: bool = False,
    lengths: Sequence[int] | None = None,
) -> NativeRows:
    # Rows of text may be such that only pandas can tell what they are.
    has_text = any(type(node).__name__ == "ReadText" for node in expr.walk())
    instead = results.Instead(expr) if has_text else None
    return NativeRows(
        expr._name,
        plan,
        layout,
        expr._meta,
        tuple(divisions),
        mode,
        unordered,
        instead,
        None if lengths is None else tuple(lengths),
    )


def _has_index(expr: FrameExpr) -> bool:
    if expr._derived_schema is not None:
        return True
    return isinstance(expr._meta, (pd.DataFrame, pd.Series))


def _empty(meta: Any) -> Any:
    return meta.iloc[:0] if isinstance(meta, (pd.DataFrame, pd.Series)) else meta[:0]


def _layout_of_reduced(expr: FrameExpr, found: Reduced) -> results.Layout:
    names = tuple(str(position) for position in range(len(found.columns)))
    meta = expr._meta
    if found.ndim == 1:
        meta = results.reduced_meta([column.label for column in found.columns], meta)
    return results.Layout(meta, names, None, found.ndim)


def _check_types(rows: Rows, names: Sequence[str], levels: Sequence[str]) -> None:
    """Raise if the columns of the plan cannot become what the metadata promises."""
    import pyarrow as pa

    schema = pa.schema(rows.plan.schema)
    columns: list[Column] = list(rows.columns)
    for column, name in zip(columns, names, strict=True):
        _check_type(schema.field(name).type, column.dtype)
    for column, name in zip(rows.index or (), levels, strict=False):
        _check_type(schema.field(name).type, column.dtype)


def _check_type(kind: Any, dtype: Any) -> None:
    if not matches(kind, dtype):
        raise NotNative(f"{kind} as {dtype}")


def _with_operands(expr: Expr, operands: Sequence[Any]) -> Expr:
    if all(new is old for new, old in zip(operands, expr.operands, strict=True)):
        return expr
    return type(expr)(*operands)
