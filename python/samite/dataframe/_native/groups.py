"""Aggregations of groups, and counts of values."""

from __future__ import annotations

from typing import Any

from samite import _engine
from samite._expr import Expr
from samite.dataframe._native.categories import (
    every_group,
    have_own_order,
    is_categorical,
    placed_groups,
    plain_key,
)
from samite.dataframe._native.rows import Column, NotNative, Rows, beside, engine, some_of
from samite.dataframe._native.scalars import labelled, look
from samite.dataframe.schemas import Schema

GROUPED = frozenset({"sum", "count", "size", "min", "max", "mean", "nunique"})
# What is 0 where a group has no rows.
ZERO_OF_NONE = frozenset({"sum", "sum0", "count", "size", "nunique"})


def _group_function(output: Any) -> str:
    keywords = {name: value for name, value in output.keywords if value is not None}
    keywords.pop("numeric_only", None)
    if keywords.get("skipna") is True:
        keywords.pop("skipna")
    function = output.function
    if function == "sum":
        least = keywords.pop("min_count", 0)
        function = "sum" if least in (0, -1) else f"sum{least}"
    elif function in ("min", "max"):
        if keywords.pop("min_count", -1) not in (-1, 0, 1):
            raise NotNative("a least number of values")
    elif function not in GROUPED:
        raise NotNative(f"the aggregation {function}")
    if keywords:
        raise NotNative(f"options of the aggregation {output.function}")
    return function


def group_by(translation: Any, expr: Any, index: bool) -> Rows:
    import pandas as pd

    rows = translation.rows(expr.frame, False)
    keys: list[Column] = []
    for key in expr.by:
        if isinstance(key, Expr):
            rows, given = beside(rows, translation.rows(key, False))
            keys.append(given.only)
        else:
            keys.append(rows.column(key))
    keys = [plain_key(key) for key in keys]
    check_whole_keys(rows, keys)
    pairs = [(f"key {i}", key.scalar) for i, key in enumerate(keys)]
    calls: list[tuple[str, str, str | None]] = []
    for i, output in enumerate(expr.outputs):
        function = _group_function(output)
        if function == "size":
            calls.append((f"result {i}", "size", None))
            continue
        column = rows.column(output.column)
        if isinstance(column.dtype, pd.CategoricalDtype) and function not in ("count", "nunique"):
            raise NotNative("an aggregation of categories")
        pairs.append((f"value {i}", column.scalar))
        calls.append((f"result {i}", function, f"value {i}"))
    plan = engine(rows.plan.project, pairs)
    names = [f"key {i}" for i in range(len(keys))]
    plan = engine(plan.aggregate, names, calls, expr.dropna is not False)
    order = names
    named = list(zip(names, keys, strict=True))
    if not expr.observed and any(map(is_categorical, keys)):
        if expr.dropna is False:
            raise NotNative("groups of categories without rows, and of missing ones")
        plan, order = every_group(plan, named, {n: f in ZERO_OF_NONE for n, f, _ in calls})
    elif expr.sort is not False and have_own_order(keys):
        plan, order = placed_groups(plan, named)
    if expr.sort is not False:
        plan = engine(plan.sort, [(name, False, False) for name in order], None, False)
    scalar = _engine.FrameScalar.column
    meta = look(expr)
    if isinstance(meta, Schema):
        dtypes = [dtype for _, dtype in meta.index.levels]
    elif isinstance(meta.index, pd.MultiIndex):
        dtypes = [level.dtype for level in meta.index.levels]
    else:
        dtypes = [meta.index.dtype]
    own = tuple(
        Column(key.label, scalar(name), dtype)
        for key, name, dtype in zip(keys, names, dtypes, strict=True)
    )
    columns = [
        Column(label, scalar(f"result {i}"), dtype)
        for i, (label, dtype) in enumerate(labelled(meta))
    ]
    if len(columns) != len(calls):
        raise NotNative("a result of other columns")
    if expr.observed is False:
        types = dict(zip(plan.schema.names(), plan.schema.types(), strict=True))
        for (name, *_), column in zip(calls, columns, strict=True):
            if "int" in types[name][0].lower() and column.dtype.kind == "f":
                raise NotNative("numbers that are whole if all categories have rows")
    return Rows(
        plan,
        expr._name,
        tuple(columns),
        own,
        meta.ndim,
        worthwhile=True,
        partitioned=False,
        unordered=expr.sort is False,
        order=(
            tuple((Column(name, scalar(name), None), False) for name in order)
            if expr.sort is not False
            else ()
        ),
        placed=expr.sort is not False,
    )


def check_whole_keys(rows: Rows, keys: list[Column]) -> None:
    """Raise if a key is of integers with missing values: groups do not have these, so that the
    engine would not know that pandas has made floats of them."""
    if any(column.scalar is None for column in some_of(rows.with_columns(keys), False).columns):
        raise NotNative("groups of integers with missing values")


def value_counts(translation: Any, expr: Any, index: bool) -> Rows:
    given = translation.rows(expr.frame, False)
    column = plain_key(given.only)
    if not expr.sort and not is_categorical(column):
        raise NotNative("counts in the order of the values")
    check_whole_keys(given, [column])
    plan = engine(given.plan.project, [("value", column.scalar)])
    if is_categorical(column):
        plan = engine(plan.aggregate, ["value"], [("count", "size", None)], bool(expr.dropna))
        plan, places = every_group(plan, [("value", column)], {"count": True})
        order = [(place, False) for place in places]
    else:
        plan = engine(plan.row_number, "row")
        calls = [("count", "size", None), ("first", "min", "row")]
        plan = engine(plan.aggregate, ["value"], calls, expr.dropna is not False)
        order = [("first", False)]
    if expr.sort:
        order.insert(0, ("count", not expr.ascending))
    plan = engine(plan.sort, [(name, down, False) for name, down in order], None, False)
    meta = expr._meta
    scalar = _engine.FrameScalar.column
    return Rows(
        plan,
        expr._name,
        (Column(meta.name, scalar("count"), meta.dtype),),
        (Column(meta.index.name, scalar("value"), meta.index.dtype),),
        1,
        worthwhile=True,
        partitioned=False,
        order=tuple((Column(name, scalar(name), None), down) for name, down in order),
        placed=True,
    )
