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


# Conjunctions of which one has to hold; None where all rows are wanted.
Filters = Sequence[Sequence[tuple[Any, str, Any]]] | None


class BeyondFolders:
    """What is left of filters in each file after what the names of its folders say."""

    def __init__(self, filters: Filters, folders: Mapping[str, Any]) -> None:
        self._filters = filters or None
        self._folders = folders
        self.ask_for_folders = any(
            name in folders for group in filters or [] for name, _, _ in group
        )
        self._known: dict[Any, Filters] = {}

    def of(self, pieces: Sequence[Any]) -> Filters:
        """The filters of rows of a partition.

        Raises
        ------
        NotNative
            Its files differ in them, or have no rows that pass.
        """
        if not self.ask_for_folders:
            return self._filters
        found: list[Filters] = []
        for piece in pieces:
            left = self._of_file(piece.folder_values)
            if left not in found:
                found.append(left)
        if len(found) != 1:
            raise NotNative("filters that differ within a partition")
        return found[0]

    def _of_file(self, values: tuple[tuple[str, Any], ...]) -> Filters:
        if values in self._known:
            return self._known[values]
        of_folders = dict(values)
        left: list[Sequence[tuple[Any, str, Any]]] = []
        for group in self._filters or []:
            try:
                holds = all(
                    _holds(of_folders[name], symbol, value)
                    for name, symbol, value in group
                    if name in self._folders
                )
            except TypeError as failed:
                raise NotNative(str(failed)) from failed
            if holds:
                left.append([term for term in group if term[0] not in self._folders])
        if not left:
            raise NotNative("files of folders that do not fulfil a filter")
        # All rows pass where the folders are all that a conjunction asks for.
        self._known[values] = left if all(left) else None
        return self._known[values]


def _holds(found: Any, symbol: str, value: Any) -> bool:
    if symbol not in _COMPARISONS:
        raise NotNative(f"the filter {symbol!r}")
    if found is None:
        # What is missing is unequal to every value.
        return symbol in ("!=", "not in")
    return bool(_COMPARISONS[symbol](found, value))


def with_folders(
    pieces: Sequence[Any],
    names: Sequence[str],
    wanted: Mapping[str, Any],
    filters: BeyondFolders,
    scan: Callable[[Sequence[Any], Sequence[str], Filters], Any],
) -> tuple[Any, set[str], Filters]:
    """The rows of files with the columns ``names``, and those of ``wanted`` (each with its dtype)
    as far as the engine can have them; which of these it has; and the filters that all of the
    rows still have to pass.

    Raises
    ------
    NotNative
        There are too many runs of files with filters of their own.
    """
    types = {name: _type_of(dtype) for name, dtype in wanted.items()}
    given = [name for name, kind in types.items() if kind is not None and name not in names]
    missing = {
        name
        for own in (pieces if given else ())
        for piece in own
        for name, value in piece.folder_values
        if value is None
    }
    # The engine has no whole numbers that are missing.
    given = [name for name in given if types[name] == "Utf8View" or name not in missing]
    if not given and not filters.ask_for_folders:
        return scan(pieces, names, None), set(), filters.of(())
    runs = _runs(pieces, given, filters)
    if len(runs) > MOST_RUNS or any(values is None for values, *_ in runs):
        given = []
        runs = _runs(pieces, given, filters)
    if len(runs) > MOST_RUNS:
        raise NotNative("many files with filters of their own")
    first = runs[0][1]
    same = all(left == first for _, left, _ in runs)
    column = _engine.FrameScalar.column
    plans = []
    for values, left, run in runs:
        constants = [
            (name, _constant(value, types[name]))
            for name, value in zip(given, values or (), strict=True)
        ]
        plan = scan(run, names, None if same else left)
        plans.append(engine(plan.project, [*((n, column(n)) for n in names), *constants]))
    whole = plans[0] if len(plans) == 1 else engine(_engine.FramePlan.concat, plans)
    return whole, set(given), first if same else None


_Run = tuple[tuple[Any, ...] | None, Filters, list[Any]]


def _runs(pieces: Sequence[Any], given: Sequence[str], filters: BeyondFolders) -> list[_Run]:
    """Neighbouring partitions with the same values of folders, and the same filters left."""

    def key(own: Sequence[Any]) -> tuple[tuple[Any, ...] | None, Filters]:
        return _values(own, given) if given else (), filters.of(own)

    return [(values, left, list(run)) for (values, left), run in itertools.groupby(pieces, key)]


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
