"""Files of delimited text as native rows, where it is certain what pandas makes of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import numpy as np

from samite import _engine
from samite.dataframe._native.rows import Column, NotNative, Rows, engine
from samite.dataframe._native.types import is_text

# The options of pandas whose meaning the engine knows.
_OPTIONS = frozenset(
    {
        "sep",
        "delimiter",
        "header",
        "names",
        "usecols",
        "dtype",
        "parse_dates",
        "engine",
        "na_values",
        "keep_default_na",
        "on_bad_lines",
    }
)


def read_text(expr: Any, index: bool) -> Rows:
    """The rows of text files on this machine."""
    settings = expr.settings
    given = {name: value for name, value in settings.options.items() if value is not None}
    if settings.reader not in ("read_csv", "read_table") or not set(given) <= _OPTIONS:
        raise NotNative("options of the reader")
    if settings.path_column is not None or settings.enforce:
        raise NotNative("a column of paths, or columns that are enforced")
    if given.get("engine", "c") != "c" or given.get("header", "infer") not in ("infer", 0):
        raise NotNative("options of the reader")
    if given.get("keep_default_na", True) is not True or given.get("on_bad_lines") not in (
        None,
        "error",
    ):
        raise NotNative("options of the reader")
    separator = given.get("sep", given.get("delimiter"))
    if separator is None:
        separator = "," if settings.reader == "read_csv" else "\t"
    if not isinstance(separator, str) or len(separator) != 1 or separator in ' "\r\n':
        raise NotNative("fields that are parted in another way")
    if not separator.isascii() or separator.isalnum() or separator in "+-.":
        raise NotNative("fields that are parted by what numbers have")
    names = _names(settings, given, separator)
    columns = _columns(expr._meta, given, names)
    blocks = _blocks(expr)
    plan = engine(
        _engine.FramePlan.text,
        ord(separator),
        len(names),
        settings.header,
        _missing(given.get("na_values")),
        columns,
        blocks,
    )
    column = _engine.FrameScalar.column
    own: tuple[Column, ...] | None = None
    if index:
        plan = engine(plan.row_number, "\x01row")
        number = engine(column("\x01row").cast, "Int64")
        own = (Column(expr._meta.index.name, number, np.dtype("int64")),)
    dtypes = expr._meta.dtypes
    found = tuple(Column(name, column(name), dtypes[name]) for name, _, _ in columns)
    return Rows(plan, expr._name, found, own, 2, one_by_one=index)


def _names(settings: Any, given: Mapping[str, Any], separator: str) -> list[str]:
    """What the fields of a line are called."""
    names = given.get("names")
    if names is not None:
        if given.get("header") == 0 or given.get("usecols") is not None:
            raise NotNative("names in place of a header")
        found = list(names)
    else:
        try:
            lines = list(csv.reader([settings.header.decode().rstrip("\r\n")], delimiter=separator))
        except (UnicodeDecodeError, csv.Error) as wrong:
            raise NotNative("a header in another encoding") from wrong
        if len(lines) != 1 or not settings.header.endswith(b"\n"):
            raise NotNative("a header of several lines")
        found = lines[0]
    plain = all(isinstance(name, str) and name and "\x01" not in name for name in found)
    # In a line of one column, nothing tells a missing value from a line to leave out.
    if len(found) < 2 or not plain or len(set(found)) < len(found):
        raise NotNative("columns that are not told apart by their names")
    expected = list(settings.meta.columns)
    if given.get("usecols") is None and found != expected:
        raise NotNative("columns that the header does not have")
    return found


def _columns(meta: Any, given: Mapping[str, Any], names: list[str]) -> list[tuple[str, int, str]]:
    if not meta.columns.is_unique or not len(meta.columns):
        raise NotNative("columns of the same name")
    usecols, dates = given.get("usecols"), given.get("parse_dates", False)
    if usecols is not None and not _are_labels(usecols, names):
        raise NotNative("columns that are chosen by a function, or by their position")
    if dates is not False and not _are_labels(dates, names):
        raise NotNative("dates that are found in another way")
    if not isinstance(given.get("dtype", {}), Mapping):
        raise NotNative("one dtype for all columns")
    columns = []
    for name, dtype in meta.dtypes.items():
        if name not in names:
            raise NotNative(f"a column {name!r} that the header does not have")
        if is_text(dtype):
            kind = "str"
        elif dtype in (np.dtype("int64"), np.dtype("float64"), np.dtype("bool")):
            kind = str(dtype)
        elif dtype == np.dtype("M8[us]") and dates is not False and name in dates:
            kind = "datetime64[us]"
        else:
            raise NotNative(f"a column of {dtype}")
        columns.append((name, names.index(name), kind))
    return columns


def _are_labels(labels: Any, names: list[str]) -> bool:
    return isinstance(labels, (list, tuple)) and all(
        isinstance(label, str) and label in names for label in labels
    )


def _missing(words: Any) -> list[str]:
    """The user's own words for what is missing."""
    if words is None:
        return []
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, (list, tuple, set)) or not all(isinstance(w, str) for w in words):
        raise NotNative("values that are missing in some columns")
    for word in words:
        try:
            float(word)
        except ValueError:
            continue
        # pandas takes other ways to write that number for missing, too.
        raise NotNative("numbers that stand for what is missing")
    return sorted(words)


def _blocks(expr: Any) -> list[tuple[str, int, int | None]]:
    from fsspec.implementations.local import LocalFileSystem

    chosen = expr.operand("_partitions")
    blocks = expr.blocks if chosen is None else [expr.blocks[i] for i in chosen]
    found = []
    for block in blocks:
        file = block.file
        if isinstance(file, bytes) or not isinstance(file.fs, LocalFileSystem):
            raise NotNative("text that is not in files on this machine")
        if file.compression is not None or block.delimiter not in (None, b"\n"):
            raise NotNative("files that are compressed, or cut in another way")
        end = None if block.length is None else block.offset + block.length
        found.append((file.path, block.offset, end))
    if not found:
        raise NotNative("no files")
    return found
