"""Categories as the plain values that groups and joins have them as."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite.dataframe._native.rows import Column, NotNative, Rows, engine
from samite.dataframe._native.scalars import call
from samite.dataframe._native.types import is_text

# Groups of categories that are made whether they have rows or not.
MOST_GROUPS = 100_000


def plain_key(key: Column) -> Column:
    """A key with plain values; one of categories has these as values."""
    dtype = key.dtype
    if not isinstance(dtype, pd.CategoricalDtype):
        return key
    if not is_text(dtype.categories.dtype):
        # The names of folders hold these, as they are.
        return key
    return dataclasses.replace(key, scalar=engine(key.scalar.cast, "Utf8View"))


def is_categorical(key: Column) -> bool:
    """Whether it is a column of categories."""
    return isinstance(key.dtype, pd.CategoricalDtype)


def have_own_order(keys: Sequence[Column]) -> bool:
    """Whether the order of the categories of one of the keys is not that of their values."""
    return any(is_categorical(k) and not k.dtype.categories.is_monotonic_increasing for k in keys)


def placed_groups(plan: Any, keys: Sequence[tuple[str, Column]]) -> tuple[Any, list[str]]:
    """Groups with the places of their categories, and the columns that they are sorted by."""
    order = []
    for number, (name, key) in enumerate(keys):
        if not is_categorical(key):
            order.append(name)
            continue
        place = f"place {number}"
        table = _table({"category": key.dtype.categories, place: range(len(key.dtype.categories))})
        output = [(own, "left", own) for own in plan.schema.names()]
        output.append((place, "right", place))
        plan = engine(plan.join, table, "left", [(name, "category")], output)
        order.append(place)
    return plan, order


def with_place(rows: Rows, column: Column, label: Any) -> Rows:
    """Rows with the places of the categories of a column among all of them, as one more column.

    Raises
    ------
    NotNative
        The categories are no text.
    """
    categories = column.dtype.categories
    if not is_text(categories.dtype) or column.scalar is None:
        raise NotNative("an order of categories that are no text")
    number = len(rows.columns)
    key, place = f"category {number}", f"place {number}"
    scalar = _engine.FrameScalar.column
    while any(name in rows.plan.schema.names() for name in (key, place)):
        key, place = key + "'", place + "'"
    kept = [(name, scalar(name)) for name in rows.plan.schema.names()]
    plan = engine(rows.plan.project, [*kept, (key, plain_key(column).scalar)])
    table = _table({"category": categories, "place": range(len(categories))})
    text = engine(scalar("category").cast, "Utf8View")
    table = engine(table.project, [("category", text), ("place", scalar("place"))])
    plan = engine(plan.lookup, table, [(key, "category")], [(place, "place")])
    added = Column(label, scalar(place), np.dtype("float64"))
    found = dataclasses.replace(rows, plan=plan, windows=(), base=None)
    return found.with_columns([*rows.columns, added])


def every_group(
    plan: Any, keys: Sequence[tuple[str, Column]], empty: Mapping[str, bool]
) -> tuple[Any, list[str]]:
    """Groups with those of categories without rows, and the columns that they are sorted by.

    ``empty`` are the names of the results, each with whether it is 0 without rows.

    Raises
    ------
    NotNative
        Other values are keys too, or there are too many pairs of categories.
    """
    lengths = [len(key.dtype.categories) if is_categorical(key) else 0 for _, key in keys]
    if not all(lengths) or math.prod(lengths) > MOST_GROUPS:
        raise NotNative("groups of categories without rows beside other keys")
    places = np.indices(lengths).reshape(len(lengths), -1)
    columns: dict[str, Any] = {}
    for number, (_, key) in enumerate(keys):
        columns[f"category {number}"] = key.dtype.categories.take(places[number])
        columns[f"place {number}"] = places[number]
    order = [f"place {number}" for number in range(len(keys))]
    # What no category names stays, so that it is an error and not lost.
    on = [(f"category {number}", name) for number, (name, _) in enumerate(keys)]
    output: list[tuple[str, str, str | int]] = [
        (name, "key", number) for number, (name, _) in enumerate(keys)
    ]
    output += [(place, "left", place) for place in order]
    output += [(name, "right", name) for name in empty]
    joined = engine(_table(columns).join, plan, "outer", on, output)
    column = _engine.FrameScalar.column
    filled = [
        (name, call("or_zero", column(name)) if zero else column(name))
        for name, zero in empty.items()
    ]
    kept = [(name, column(name)) for name in [*(name for name, _ in keys), *order]]
    return engine(joined.project, [*kept, *filled]), order


def _table(columns: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    arrays = [pa.array(values, from_pandas=True) for values in columns.values()]
    return engine(_engine.FramePlan.memory, [pa.table(arrays, names=list(columns))])


def with_plain_keys(
    left: Rows, left_on: list[Any], right: Rows, right_on: list[Any]
) -> tuple[Rows, Rows]:
    """Two sides with categories as plain values where both have them as keys."""
    sides = [left, right]
    for labels in zip(left_on, right_on, strict=True):
        places = [
            [place for place, column in enumerate(side.columns) if column.label == label]
            for side, label in zip(sides, labels, strict=True)
        ]
        if any(len(found) != 1 for found in places):
            # A level of an index, or labels that are not unique, which are refused elsewhere.
            continue
        keys = [side.columns[found[0]] for side, found in zip(sides, places, strict=True)]
        categorical = [isinstance(key.dtype, pd.CategoricalDtype) for key in keys]
        if not any(categorical):
            continue
        if not all(categorical) or any(
            key.scalar is None or not is_text(key.dtype.categories.dtype) for key in keys
        ):
            raise NotNative("categories and other values as keys")
        for number, (side, found, key) in enumerate(zip(sides, places, keys, strict=True)):
            plain = dataclasses.replace(key, scalar=engine(key.scalar.cast, "Utf8View"))
            columns = list(side.columns)
            columns[found[0]] = plain
            sides[number] = side.with_columns(columns)
    return sides[0], sides[1]
