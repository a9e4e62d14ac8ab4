"""Columns beside rows that are made of their groups: running totals, moved and filled values,
functions of the last rows, ranks, and aggregations of whole groups."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite._expr import Expr
from samite.dataframe._native.categories import is_categorical, plain_key
from samite.dataframe._native.groups import check_whole_keys
from samite.dataframe._native.rows import (
    Column,
    NotNative,
    Rows,
    Window,
    beside,
    counts_rows,
    engine,
    fewer,
    settled,
    some_of,
    with_windows,
)
from samite.dataframe._native.scalars import call, labelled, look
from samite.dataframe._native.sizes import may_be_too_large

# A group keeps as many values as they are moved by, or as a function is of.
_FARTHEST = 64
_ROLLING = frozenset({"sum", "mean", "min", "max", "var", "std", "count"})
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
    """Moved and filled values of groups, and other functions that keep the rows."""
    name = expr.operand("function")
    keywords = dict(expr.keywords)
    if expr.window is not None:
        return _rolled(translation, expr, index)
    if name == "transform":
        return _transformed(translation, expr, index)
    if name == "rank":
        return _ranked(translation, expr, index)
    if name == "diff":
        return _differences(translation, expr, index)
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


def _differences(translation: Any, expr: Any, index: bool) -> Rows:
    """Differences of values and those some rows before."""
    keywords = dict(expr.keywords)
    rows_moved = keywords.pop("periods", None)
    if expr.arguments or keywords or type(rows_moved) is not int or not 0 < rows_moved <= _FARTHEST:
        raise NotNative("differences of rows far apart, or with later ones")
    rows, keys = _grouped(translation, expr, index)
    found, values = labelled(look(expr)), []
    for column, dtype in _selected(expr, rows, found):
        own = column.dtype
        if not isinstance(own, np.dtype) or own.kind not in "iufM" or own == np.dtype("float16"):
            raise NotNative(f"differences of {own}")
        if own.kind == "M":
            values.append(column.scalar)
            continue
        # Of small numbers pandas makes small floats.
        small = str(own) in ("int8", "int16", "float32")
        if dtype != np.dtype("float32" if small else "float64"):
            raise NotNative(f"differences of {own} as {dtype}")
        values.append(column.scalar.cast("Float32" if small else "Float64"))
    moved = _windowed(expr, rows, keys, f"shift{rows_moved}", values, found)
    columns = [
        dataclasses.replace(column, scalar=call("subtract", value, column.scalar))
        for value, column in zip(values, moved.columns, strict=True)
    ]
    return moved.with_columns(columns)


def _ranked(translation: Any, expr: Any, index: bool) -> Rows:
    """Places of values among those of their group."""
    keywords = dict(expr.keywords)
    how = keywords.pop("method", "average")
    ascending = keywords.pop("ascending", True)
    if keywords.pop("na_option", "keep") != "keep" or keywords.pop("pct", False):
        raise NotNative("shares, or places of missing values")
    if expr.arguments or keywords or type(ascending) is not bool:
        raise NotNative("options of ranks")
    if may_be_too_large(expr):
        raise NotNative("a table of very many values")
    rows, keys = _grouped(translation, expr, index)
    found, values = labelled(look(expr)), []
    for column, dtype in _selected(expr, rows, found):
        own = column.dtype
        # Of moments pandas takes a missing one for the last where there are rows of no group.
        if not isinstance(own, np.dtype) or own.kind not in "iuf" or own == np.dtype("float16"):
            raise NotNative(f"ranks of {own}")
        if dtype != np.dtype("float64"):
            raise NotNative("metadata that the user has given")
        values.append(column.scalar)
    return _windowed(expr, rows, keys, how, values, found, ranks=True, descends=not ascending)


def _rolled(translation: Any, expr: Any, index: bool) -> Rows:
    """Functions of the last rows of each group. The rows come group by group, with the keys before
    their labels."""
    name = expr.operand("function")
    window = dict(expr.window)
    length, least = window.pop("window"), window.pop("min_periods")
    least = length if least is None else least
    if name not in _ROLLING or expr.arguments or expr.keywords or expr.sort is False:
        raise NotNative(f"the function {name} of windows, or options of it")
    if type(length) is not int or not 0 < length <= _FARTHEST or any(window.values()):
        raise NotNative("windows of a kind, or of many rows")
    if type(least) is not int or not 0 <= least <= length:
        raise NotNative("a number of values that is none")
    rows = translation.rows(expr.frame, index)
    rows, levels = _keys(translation, expr, rows)
    if any(is_categorical(level) or getattr(level.dtype, "kind", "O") == "f" for level in levels):
        # pandas takes the first of 0.0 and -0.0 for the label of both.
        raise NotNative("windows by categories, or floats")
    check_whole_keys(rows, levels)
    if index and (rows.index is None or counts_rows(rows) or len(rows.index) != 1):
        raise NotNative("labels that count the rows")
    found, values = labelled(look(expr)), []
    for column, dtype in _selected(expr, rows, found):
        if not isinstance(column.dtype, np.dtype) or column.dtype.kind not in "iufb":
            raise NotNative(f"windows of {column.dtype}")
        if dtype != np.dtype("float64"):
            raise NotNative(f"windows with values of {dtype}")
        value = column.scalar
        if name == "count":
            value = call("not_missing", value)
        values.append(value.cast("Float64"))
    how = "sum" if name == "count" else name
    keys = [level.scalar for level in levels]
    rows = _windowed(expr, rows, keys, f"rolling {how} {length} {least}", values, found)
    if expr.dropna is not False:
        plan = rows.plan
        for key in keys:
            plan = engine(plan.filter, call("not_missing", key))
        rows = fewer(some_of(rows, index), plan, expr._name)
    meta = look(expr)
    dtypes = [level.dtype for level in meta.index.levels]
    whole = tuple(
        dataclasses.replace(level, dtype=dtype)
        for level, dtype in zip(
            [*levels, *((rows.index or ()) if index else ())], dtypes, strict=index
        )
    )
    # Without labels the keys are what the rows are sorted by all the same.
    rows, _, names = settled(dataclasses.replace(rows, index=whole), True)
    order = [(name_of, False, False) for name_of in names[: len(levels)]]
    return dataclasses.replace(
        rows,
        plan=engine(rows.plan.sort, order, None, True),
        source=expr._name,
        index=rows.index if index else None,
        worthwhile=True,
        partitioned=False,
        placed=True,
        lengths=None,
    )


def first_of_equal(rows: Rows, expr: Any, labels: list[Any], index: bool) -> Rows:
    """The first of the rows that are equal in some columns."""
    if rows.moved:
        raise NotNative("rows in another order")
    if may_be_too_large(expr):
        # pandas looks at partitions one by one first.
        raise NotNative("a table of very many rows")
    name = expr._name
    keys = [plain_key(rows.column(label)).scalar for label in labels]
    if not keys:
        raise NotNative("rows of which no columns are compared")
    own_keys = tuple(f"{name} key {i}" for i in range(len(keys)))
    place = f"{name} place"
    window = Window(
        name,
        tuple(zip(own_keys, keys, strict=True)),
        own_keys,
        ((place, "cumcount", None),),
        drop_missing=False,
    )
    rows = some_of(with_windows(rows, [window]), index)
    scalar = _engine.FrameScalar
    plan = engine(rows.plan.filter, call("equal", scalar.column(place), scalar.literal(0)))
    return dataclasses.replace(
        fewer(rows, plan, name),
        partitioned=False,
        index=rows.index if index else None,
        one_by_one=False,
    )


def _selected(expr: Any, rows: Rows, found: list[tuple[Any, Any]]) -> list[tuple[Column, Any]]:
    """The columns that a function is of, each with the dtype of its result."""
    selected = expr.selected
    labels = [label for label, _ in found] if selected is None else selected
    labels = labels if isinstance(labels, list) else [labels]
    if labels != [own for own, _ in found]:
        raise NotNative("a result of other columns")
    return [(rows.column(label), dtype) for label, (_, dtype) in zip(labels, found, strict=True)]


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
    rows, keys = _keys(translation, expr, translation.rows(expr.frame, index))
    # Neither the order of groups nor those without rows are seen in rows.
    return rows, [plain_key(key).scalar for key in keys]


def _keys(translation: Any, expr: Any, rows: Rows) -> tuple[Rows, list[Column]]:
    """The rows, and their keys as columns over their plan."""
    if rows.moved:
        raise NotNative("windows of rows in another order")
    keys = []
    for key in expr.by:
        if isinstance(key, Expr):
            rows, given = beside(rows, translation.rows(key, False))
            keys.append(given.only)
        else:
            keys.append(rows.column(key))
    return rows, keys


def _windowed(
    expr: Any,
    rows: Rows,
    keys: list[Any],
    function: str,
    values: list[Any],
    found: list[tuple[Any, Any]],
    **kind: bool,
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
    window = Window(name, tuple(given), own_keys, columns, drop_missing, None, **kind)
    rows = with_windows(rows, [window])
    scalar = _engine.FrameScalar.column
    return rows.with_columns(
        [
            Column(label, scalar(result), dtype)
            for result, (label, dtype) in zip(results, found, strict=True)
        ],
        ndim=expr.ndim,
    )
