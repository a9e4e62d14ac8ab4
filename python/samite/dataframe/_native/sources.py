"""Where native rows come from: objects of pandas, and Parquet files."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite.dataframe._native.folders import BeyondFolders, with_folders
from samite.dataframe._native.rows import Column, NotNative, Rows, engine
from samite.dataframe._native.scalars import call, labelled
from samite.dataframe._native.types import is_native, literal, matches


def from_pandas(expr: Any, index: bool) -> Rows:
    """The rows of a pandas object, where they are."""
    import pyarrow as pa

    frame = expr._project(expr.operand("frame").value)
    arrays: list[Any] = []
    columns: list[Column] = []
    for position, (label, dtype) in enumerate(labelled(frame)):
        if not is_native(dtype):
            columns.append(Column(label, None, dtype))
            continue
        values = frame.iloc[:, position] if frame.ndim == 2 else frame
        arrays.append(_arrow(values))
        columns.append(Column(label, _place(len(arrays) - 1), dtype))
    levels = None
    if index:
        own = frame.index
        if isinstance(own, pd.MultiIndex) or not is_native(own.dtype):
            raise NotNative(f"an index of {own.dtype}")
        if isinstance(own.dtype, pd.CategoricalDtype):
            raise NotNative("an index of categories")
        levels = (Column(own.name, _place(len(arrays)), own.dtype),)
        arrays.append(_arrow(own.to_series()))
    if not arrays:
        raise NotNative("no columns")
    table = pa.table(arrays, names=[str(position) for position in range(len(arrays))])
    starts = expr.starts
    parts = [table.slice(a, b - a) for a, b in itertools.pairwise(starts)]
    plan = engine(_engine.FramePlan.memory, parts)
    lengths = [b - a for a, b in itertools.pairwise(starts)]
    return Rows(plan, expr._name, tuple(columns), levels, frame.ndim, lengths=lambda: lengths)


def _place(position: int) -> Any:
    return _engine.FrameScalar.column(str(position))


def _arrow(values: Any) -> Any:
    """A series as an array of Arrow, its memory where it allows that."""
    import pyarrow as pa

    array = pa.array(values, from_pandas=True)
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def read_parquet(expr: Any, index: bool) -> Rows:
    """The rows of Parquet files on this machine."""
    import pyarrow as pa

    _check_options(expr)
    pieces = expr.partition_pieces()
    levels = list(expr.index_columns)
    labels = list(expr.data_columns)
    folders = expr.dataset.fields_of_folders
    if any(level in folders for level in levels):
        raise NotNative("an index of the names of folders")
    given_filters = expr.operand("filters") or []
    filtered = [c for group in given_filters for c, _, _ in group if c not in folders]
    meta = expr._meta
    dtypes = dict(labelled(meta))
    of_folders = {label: dtypes[label] for label in labels if label in folders}
    in_files = [label for label in labels if label not in folders]
    names = list(dict.fromkeys([*in_files, *(levels if index else []), *filtered]))
    if not names:
        # The number of rows is all that is wanted.
        names = list(expr.dataset.schema.names[:1])
    asked = BeyondFolders(given_filters, folders)
    plan, given, filters = with_folders(pieces, names, of_folders, asked, _scan)
    schema = pa.schema(plan.schema)
    known = {label for label in in_files if matches(schema.field(label).type, dtypes[label])}
    known |= given
    numbered = index and not levels
    if numbered:
        _check_positions(expr, pieces)
        if asked.ask_for_folders:
            raise NotNative("labels of filtered rows")
        plan = engine(plan.row_number, "row")
    if filters:
        plan = engine(plan.filter, _condition(filters))
    column = _engine.FrameScalar.column
    own: tuple[Column, ...] | None = None
    if numbered:
        own = (Column(meta.index.name, engine(column("row").cast, "Int64"), np.dtype("int64")),)
    elif index:
        dtypes_of_levels = (
            [level.dtype for level in meta.index.levels]
            if isinstance(meta.index, pd.MultiIndex)
            else [meta.index.dtype]
        )
        own = tuple(
            Column(name, column(name), dtype)
            for name, dtype in zip(levels, dtypes_of_levels, strict=True)
        )
    columns = tuple(
        Column(label, column(label) if label in known else None, dtypes[label]) for label in labels
    )
    rows = Rows(plan, expr.name_of_rows, columns, own, 2, worthwhile=True, one_by_one=numbered)
    lengths = None if given_filters else functools.partial(_lengths, pieces)
    return dataclasses.replace(rows, source=expr._name, lengths=lengths)


def _lengths(pieces: Sequence[Any]) -> list[int] | None:
    """How many rows each partition has."""
    from samite.dataframe.io.parquet.plan import EachRowGroup

    if isinstance(pieces, EachRowGroup):
        return None
    paths, partitions = _partitions(pieces)
    groups = [[rows for rows, _ in own] for own in engine(_engine.FramePlan.row_groups_of, paths)]
    return [
        sum(sum(groups[file][slice(*(run or (None,)))]) for file, run in partition)
        for partition in partitions
    ]


def _scan(pieces: Sequence[Any], names: Sequence[str], filters: Any) -> Any:
    plan = _scan_of(pieces, names)
    return engine(plan.filter, _condition(filters)) if filters else plan


def _scan_of(pieces: Sequence[Any], names: Sequence[str]) -> Any:
    from samite.dataframe.io.parquet.plan import EachRowGroup

    if isinstance(pieces, EachRowGroup):
        paths = [path for path, _ in pieces.files]
        plan = engine(_engine.FramePlan.parquet, paths, list(names), None, True)
        if plan.partitions != len(pieces):
            raise NotNative("files that have changed meanwhile")
        return plan
    paths, partitions = _partitions(pieces)
    return engine(_engine.FramePlan.parquet, paths, list(names), partitions)


def _check_options(expr: Any) -> None:
    from samite.dataframe.io.parquet.arrow import ArrowDatasetEngine
    from samite.dataframe.io.parquet.core import get_engine

    if get_engine(expr.operand("engine")) is not ArrowDatasetEngine:
        raise NotNative("an engine of the user's")
    if expr.operand("categories") or expr.operand("dtype_backend") or expr.operand("options"):
        raise NotNative("options of the reader")
    if not _is_local(expr.operand("filesystem")):
        raise NotNative("files that are not on this machine")


def _is_local(filesystem: Any) -> bool:
    return bool(getattr(filesystem, "is_local", False))


def _check_positions(expr: Any, pieces: Sequence[Any]) -> None:
    """Raise where labels are other than positions in the file."""
    noted = (expr.dataset.schema.pandas_metadata or {}).get("index_columns", [])
    if noted and expr.operand("index") is None:
        raise NotNative("labels that the files note")
    if any(len(own) != 1 or own[0].row_groups is not None for own in pieces):
        raise NotNative("partitions of several pieces")
    if expr.operand("filters") and not expr.operand("keeps_labels"):
        raise NotNative("labels of filtered rows")


def _partitions(pieces: Sequence[Any]) -> tuple[list[str], list[list[tuple[int, Any]]]]:
    """Paths, and by partition the files' positions among them with their row groups."""
    paths: dict[str, int] = {}
    partitions = []
    for own in pieces:
        partition: list[tuple[int, Any]] = []
        for piece in own:
            file = paths.setdefault(piece.path, len(paths))
            if piece.row_groups is None:
                partition.append((file, None))
                continue
            partition.extend((file, run) for run in _runs(piece.row_groups))
        partitions.append(partition)
    if not paths:
        raise NotNative("no files")
    return list(paths), partitions


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of neighbours, as their first and the one after their last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return runs


COMPARISONS = {
    "=": "equal",
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}


def _condition(filters: Sequence[Sequence[tuple[Any, str, Any]]]) -> Any:
    whole = None
    for group in filters:
        part = None
        for name, operator, value in group:
            term = _term(_engine.FrameScalar.column(name), operator, value)
            part = term if part is None else call("and", part, term)
        if part is None:
            raise NotNative("an empty conjunction")
        whole = part if whole is None else call("or", whole, part)
    return whole


def _term(column: Any, operator: str, value: Any) -> Any:
    if operator in ("in", "not in"):
        if any(v is None or v != v for v in value):
            raise NotNative("a list with missing values")
        found = engine(column.is_in, [literal(v) for v in value])
        return found if operator == "in" else call("not", found)
    function = COMPARISONS.get(operator)
    if function is None:
        raise NotNative(f"the filter {operator!r}")
    return call(function, column, literal(value))
