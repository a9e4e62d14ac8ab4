"""Columns beside rows that are made of their groups: running totals, moved and filled values, and
aggregations of whole groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite._expr import Expr
from samite.dataframe._native.categories import plain_key
from samite.dataframe._native.rows import Column, NotNative, Rows, Window, beside, with_windows
from samite.dataframe._native.scalars import labelled, look

# A group keeps as many values as they are moved by.
_FARTHEST = 64
_TOTALS = frozenset({"int64", "uint64", "float64", "bool"})


def running(translation: Any, expr: Any, index: bool) -> Rows:
    """Running totals of groups."""
    rows, keys = _grouped(translation, expr, index)
    found = labelled(look(expr))
    how = expr.how
    if how == "cumcount":
        return _windowed(expr, rows, keys, "cumcount", [None], found)
    selected = expr.selected
    labels = [label for label, _ in found] if selected is None else selected
    columns = [rows.column(c) for c in (labels if isinstance(labels, list) else [labels])]
    if how in ("cummin", "cummax"):
        # Of moments pandas takes a missing one for the least.
        if not all(getattr(column.dtype, "kind", "O") in "iuf" for column in columns):
            raise NotNative("extremes of others than numbers")
        return _windowed(expr, rows, keys, how, [_held(c, how) for c in columns], found)
    if any(str(column.dtype) not in _TOTALS for column in columns):
        raise NotNative("totals of small numbers, or of others than numbers")
    return _windowed(expr, rows, keys, how, [column.scalar for column in columns], found)


def of_groups(translation: Any, expr: Any, index: bool) -> Rows:
    """Moved and filled values of groups."""
    name = expr.operand("function")
    keywords = dict(expr.keywords)
    if expr.window is not None:
        raise NotNative("windows of a length")
    if name == "transform":
        return _transformed(translation, expr, index)
    if expr.arguments:
        raise NotNative(f"the function {name} of groups")
    if name == "shift":
        rows_moved = keywords.pop("periods", None)
        if type(rows_moved) is not int or not 0 < rows_moved <= _FARTHEST:
            raise NotNative("values that are moved far, or up")
        function = f"shift{rows_moved}"
    elif name == "ffill" and keywords.pop("limit", None) is None:
        function = "ffill"
    else:
        raise NotNative(f"the function {name} of groups")
    if keywords:
        raise NotNative(f"options of the function {name} of groups")
    rows, keys = _grouped(translation, expr, index)
    found = labelled(look(expr))
    selected = expr.selected
    labels = [label for label, _ in found] if selected is None else selected
    values = []
    for label, (own, dtype) in zip(
        labels if isinstance(labels, list) else [labels], found, strict=True
    ):
        column = rows.column(label)
        values.append(_held(column, function))
        kept = np.dtype("float64") if _is_whole(column.dtype) else column.dtype
        if dtype != (kept if name == "shift" else column.dtype) or own != label:
            raise NotNative("metadata that the user has given")
    return _windowed(expr, rows, keys, function, values, found)


def _transformed(translation: Any, expr: Any, index: bool) -> Rows:
    """Aggregations of groups in the rows of these."""
    if len(expr.arguments) != 1 or expr.keywords or not isinstance(expr.arguments[0], str):
        raise NotNative("a function of the user's, or options of one")
    (function,) = expr.arguments
    rows, keys = _grouped(translation, expr, index)
    found = labelled(look(expr))
    selected = expr.selected
    labels = [label for label, _ in found] if selected is None else selected
    values = []
    for label, (own, dtype) in zip(
        labels if isinstance(labels, list) else [labels], found, strict=True
    ):
        column = rows.column(label)
        if dtype != _aggregated_dtype(function, column.dtype) or own != label:
            raise NotNative("metadata that the user has given")
        values.append(None if function == "size" else column.scalar)
    return _windowed(expr, rows, keys, function, values, found, whole=True)


def _aggregated_dtype(function: str, dtype: Any) -> Any:
    """The dtype of an aggregation that is the engine's as it is pandas'."""
    whole, float_ = np.dtype("int64"), np.dtype("float64")
    if function in ("count", "size", "nunique"):
        return whole
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufbmM":
        raise NotNative(f"the aggregation {function} of {dtype}")
    if function in ("min", "max") and dtype.kind != "b":
        return dtype
    if function == "sum" and dtype.kind in "iub":
        return np.dtype("uint64") if dtype.kind == "u" else whole
    if function in ("sum", "mean") and dtype == float_:
        return float_
    if function == "mean" and dtype.kind in "iu":
        return float_
    raise NotNative(f"the aggregation {function} of {dtype}")


def _held(column: Column, function: str) -> Any:
    """A value that groups keep, and that can be missing as pandas has it."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype) or (
        isinstance(dtype, np.dtype) and dtype.kind in "fmM" and dtype.itemsize >= 4
    ):
        return column.scalar
    if not _is_whole(dtype):
        raise NotNative(f"kept values of {dtype}")
    return column.scalar.cast("Float64") if function.startswith("shift") else column.scalar


def _is_whole(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iu"


def _grouped(translation: Any, expr: Any, index: bool) -> tuple[Rows, list[Any]]:
    """The rows, and the values of their keys over their plan."""
    rows = translation.rows(expr.frame, index)
    if rows.moved:
        raise NotNative("windows of rows in another order")
    keys = []
    for key in expr.by:
        if isinstance(key, Expr):
            rows, given = beside(rows, translation.rows(key, False))
            keys.append(given.only)
        else:
            keys.append(rows.column(key))
    # Neither the order of groups nor those without rows are seen in rows.
    return rows, [plain_key(key).scalar for key in keys]


def _windowed(
    expr: Any,
    rows: Rows,
    keys: list[Any],
    function: str,
    values: list[Any],
    found: list[tuple[Any, Any]],
    whole: bool = False,
) -> Rows:
    if len(values) != len(found):
        raise NotNative("a result of other columns")
    name = expr._name
    own_keys = tuple(f"{name} key {i}" for i in range(len(keys)))
    own_values = [None if v is None else f"{name} value {i}" for i, v in enumerate(values)]
    given = [*zip(own_keys, keys, strict=True)]
    given += [(own, v) for own, v in zip(own_values, values, strict=True) if own is not None]
    results = [f"{name} {i}" for i in range(len(values))]
    columns = tuple(
        (result, function, own) for result, own in zip(results, own_values, strict=True)
    )
    drop_missing = expr.dropna is not False
    window = Window(name, tuple(given), own_keys, columns, drop_missing, None, whole)
    rows = with_windows(rows, [window])
    scalar = _engine.FrameScalar.column
    return rows.with_columns(
        [
            Column(label, scalar(result), dtype)
            for result, (label, dtype) in zip(results, found, strict=True)
        ],
        ndim=expr.ndim,
    )
