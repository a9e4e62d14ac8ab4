"""Columns whose values the names of folders hold, over files of Parquet."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite.dataframe._native.rows import NotNative, engine
from samite.dataframe._native.scalars import call
from samite.dataframe._native.types import NUMBERS, is_text, literal

# With more runs of files than this that differ in their values, a plan would take long to make.
MOST_RUNS = 64

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, some: value in some,
    "not in": lambda value, some: value not in some,
}


def beyond_folders(
    filters: Sequence[Sequence[tuple[Any, str, Any]]] | None,
    folders: Mapping[str, Any],
    pieces: Sequence[Any],
) -> Any:
    """Filters without the terms of columns of folders, which the choice of files has answered.

    Raises
    ------
    NotNative
        It has not, or other terms decide on that.
    """
    if not filters or not any(name in folders for group in filters for name, _, _ in group):
        return filters
    if len(filters) > 1:
        raise NotNative("alternatives of folders")
    for name, symbol, value in filters[0]:
        if name not in folders:
            continue
        holds = _COMPARISONS.get(symbol)
        if holds is None:
            raise NotNative(f"the filter {symbol!r}")
        found = {dict(piece.folder_values)[name] for own in pieces for piece in own}
        try:
            fulfilled = all(one is not None and holds(one, value) for one in found)
        except TypeError:
            fulfilled = False
        if not fulfilled:
            raise NotNative("files of folders that do not fulfil a filter")
    left = [term for term in filters[0] if term[0] not in folders]
    return [left] if left else None


def with_folders(
    pieces: Sequence[Any],
    names: Sequence[str],
    wanted: Mapping[str, Any],
    scan: Callable[[Sequence[Any], Sequence[str]], Any],
) -> tuple[Any, set[str]]:
    """The rows of files with the columns ``names``, and those of ``wanted`` (each with its dtype)
    as far as the engine can have them; and which of these it has."""
    types = {name: _type_of(dtype) for name, dtype in wanted.items()}
    given = [name for name, kind in types.items() if kind is not None and name not in names]
    if not given:
        return scan(pieces, names), set()
    missing = {
        name
        for own in pieces
        for piece in own
        for name, value in piece.folder_values
        if value is None
    }
    # The engine has no whole numbers that are missing.
    given = [name for name in given if types[name] == "Utf8View" or name not in missing]
    if not given:
        return scan(pieces, names), set()
    runs = [
        (values, list(run))
        for values, run in itertools.groupby(pieces, lambda own: _values(own, given))
    ]
    if len(runs) > MOST_RUNS or any(values is None for values, _ in runs):
        return scan(pieces, names), set()
    column = _engine.FrameScalar.column
    plans = []
    for values, run in runs:
        constants = [
            (name, _constant(value, types[name]))
            for name, value in zip(given, values or (), strict=True)
        ]
        plan = scan(run, names)
        plans.append(engine(plan.project, [*((n, column(n)) for n in names), *constants]))
    whole = plans[0] if len(plans) == 1 else engine(_engine.FramePlan.concat, plans)
    return whole, set(given)


def _constant(value: Any, kind: str | None) -> Any:
    if value is None:
        return call("choose", literal(False), literal(""), literal(None))
    return engine(literal(value).cast, kind)


def _values(own: Sequence[Any], names: Sequence[str]) -> tuple[Any, ...] | None:
    """The values of a partition's folders; None if its files differ in them."""
    found = {tuple(dict(piece.folder_values)[name] for name in names) for piece in own}
    return found.pop() if len(found) == 1 else None


def _type_of(dtype: Any) -> str | None:
    """Arrow's name of the type of a column of folders; None if the engine does not have it."""
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if is_text(dtype):
        return "Utf8View"
    return NUMBERS.get(str(dtype)) if isinstance(dtype, np.dtype) else None
