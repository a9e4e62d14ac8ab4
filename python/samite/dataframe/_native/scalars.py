"""Operators and methods that keep the rows, as expressions over columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite import _engine
from samite.dataframe._native.rows import Column, NotNative, Rows, Single, beside, engine, some_of
from samite.dataframe._native.types import is_text, literal, number_type
from samite.dataframe.schemas import Schema

BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "modulo",
    "pow": "power",
    "and_": "and",
    "or_": "or",
    "xor": "xor",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY = {"neg": "negate", "abs": "absolute", "invert": "not"}
DATES = {
    "year": "dt.year",
    "month": "dt.month",
    "day": "dt.day",
    "hour": "dt.hour",
    "minute": "dt.minute",
    "second": "dt.second",
    "quarter": "dt.quarter",
    "weekday": "dt.weekday",
    "dayofweek": "dt.weekday",
    "day_of_week": "dt.weekday",
    "dayofyear": "dt.dayofyear",
    "day_of_year": "dt.dayofyear",
}
# A regular expression that means the same to Python and to the engine.
PLAIN_PATTERN = re.compile(
    r"[A-Za-z0-9 _,;:%#@!~<>='\"/&-]*(\.[*+]?[A-Za-z0-9 _,;:%#@!~<>='\"/&-]*)*"
)


def call(function: str, *arguments: Any) -> Any:
    """A function of expressions."""
    return engine(_engine.FrameScalar.call, function, list(arguments))


def each(rows: Rows, meta: Any, function: Callable[[Column], Any]) -> Rows:
    """``function`` of each column; dtypes and labels are those of ``meta``."""
    if any(column.scalar is None for column in rows.columns):
        raise NotNative("columns that the engine does not have")
    columns = [
        Column(label, function(column), dtype)
        for column, (label, dtype) in zip(rows.columns, labelled(meta), strict=True)
    ]
    return rows.with_columns(columns)


def labelled(meta: Any) -> list[tuple[Any, Any]]:
    """Labels and dtypes of the columns of an object of pandas, or of a schema."""
    if isinstance(meta, Schema):
        return list(zip(meta.labels, meta.dtypes, strict=True))
    if isinstance(meta, pd.DataFrame):
        return list(zip(meta.columns, meta.dtypes, strict=True))
    if isinstance(meta, (pd.Series, pd.Index)):
        return [(meta.name, meta.dtype)]
    raise NotNative("a scalar")


def look(expr: Any) -> Any:
    """What :func:`labelled` takes for an expression: its schema, or else its metadata."""
    schema = expr._derived_schema
    return expr._meta if schema is None else schema


def binary(symbol: str, left: Any, right: Any, meta: Any) -> Rows:
    """An operator of rows and rows, or of rows and a plain value."""
    function = BINARY.get(symbol)
    if function is None:
        raise NotNative(f"the operator {symbol}")
    if isinstance(left, Rows) and isinstance(right, Rows):
        left, right = beside(left, right)
        if left.ndim != right.ndim or len(left.columns) != len(right.columns):
            raise NotNative("a frame and a series")
        if [c.label for c in left.columns] != [c.label for c in right.columns] and left.ndim == 2:
            raise NotNative("frames with different columns")
        pairs = list(zip(left.columns, right.columns, strict=True))
        scalars = [_binary(function, a.scalar, b.scalar, a.dtype, b.dtype) for a, b in pairs]
        rows = left
    elif isinstance(left, Rows):
        rows = left
        scalars = [
            _binary(function, c.scalar, value_of(right, c.dtype), c.dtype, kind_of(right))
            for c in left.columns
        ]
    else:
        rows = right
        scalars = [
            _binary(function, value_of(left, c.dtype), c.scalar, kind_of(left), c.dtype)
            for c in right.columns
        ]
    columns = [
        Column(label, scalar, dtype)
        for scalar, (label, dtype) in zip(scalars, labelled(meta), strict=True)
    ]
    return rows.with_columns(columns)


def value_of(value: Any, dtype: Any) -> Any:
    """A plain or a computed value beside a column of ``dtype``."""
    return value.scalar if isinstance(value, Single) else literal(value, dtype)


def kind_of(value: Any) -> Any:
    """The dtype of a computed value; a plain one itself."""
    return value.dtype if isinstance(value, Single) else value


def singles(symbol: str, left: Any, right: Any) -> Any:
    """The plan of an operator of a computed value and another, or a plain one."""
    function = BINARY.get(symbol)
    if function is None:
        raise NotNative(f"the operator {symbol}")
    own = _engine.FrameScalar.column("0")
    if isinstance(left, Single):
        scalar = _binary(function, own, value_of(right, left.dtype), left.dtype, kind_of(right))
        return engine(left.plan.project, [("0", scalar)])
    scalar = _binary(function, literal(left, right.dtype), own, left, right.dtype)
    return engine(right.plan.project, [("0", scalar)])


def _binary(function: str, left: Any, right: Any, left_kind: Any, right_kind: Any) -> Any:
    if isinstance(left_kind, pd.CategoricalDtype) or isinstance(right_kind, pd.CategoricalDtype):
        if function not in ("equal", "not_equal"):
            raise NotNative("an order of categories")
    if function in ("and", "or", "xor") and any(
        isinstance(kind, np.dtype) and kind.kind != "b" for kind in (left_kind, right_kind)
    ):
        raise NotNative("bits of integers")
    if function == "power" and type(right_kind) is int and right_kind == 2:
        if isinstance(left_kind, np.dtype) and left_kind.kind in "iu":
            return call("multiply", left, left)
    return call(function, left, right)


def unary(symbol: str, rows: Rows, meta: Any) -> Rows:
    """An operator of one operand."""
    function = UNARY.get(symbol)
    if function is None:
        raise NotNative(f"the operator {symbol}")
    return each(rows, meta, lambda column: call(function, column.scalar))


def method(
    rows: Rows, name: str, arguments: Sequence[Any], keywords: dict[str, Any], meta: Any
) -> Rows:
    """A method of pandas that keeps the rows."""
    known = METHODS.get(name)
    if known is None:
        raise NotNative(f"the method {name}")
    try:
        return known(rows, meta, *arguments, **keywords)
    except TypeError as wrong:
        raise NotNative(f"the arguments of {name}") from wrong


def _isna(rows: Rows, meta: Any) -> Rows:
    return each(rows, meta, lambda column: call("is_missing", column.scalar))


def _notna(rows: Rows, meta: Any) -> Rows:
    return each(rows, meta, lambda column: call("not_missing", column.scalar))


def _abs(rows: Rows, meta: Any) -> Rows:
    return each(rows, meta, lambda column: call("absolute", column.scalar))


def _fillna(rows: Rows, meta: Any, value: Any) -> Rows:
    if isinstance(value, dict):
        if rows.ndim == 1:
            raise NotNative("values by label")

        def fill(column: Column) -> Any:
            return (
                _filled(rows, column, value[column.label])
                if column.label in value
                else column.scalar
            )

        return each(rows, meta, fill)
    if isinstance(value, Rows):
        raise NotNative("values by row")
    return each(rows, meta, lambda column: _filled(rows, column, value))


def _filled(rows: Rows, column: Column, value: Any) -> Any:
    if value is None or isinstance(column.dtype, pd.CategoricalDtype):
        raise NotNative("no value to fill with")
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub":
        if some_of(rows.with_columns([column]), False).columns[0].scalar is None:
            raise NotNative("integers with missing values")
        return column.scalar
    return call("fill", column.scalar, literal(value, column.dtype))


def _astype(rows: Rows, meta: Any, dtype: Any, copy: Any = None) -> Rows:
    columns = []
    for column, (label, to) in zip(rows.columns, labelled(meta), strict=True):
        if column.dtype == to:
            columns.append(Column(label, column.scalar, to))
            continue
        columns.append(Column(label, engine(column.scalar.cast, number_type(to)), to))
    return rows.with_columns(columns)


def _whole(values: Sequence[Any], dtype: Any) -> list[Any]:
    """The values that a column of integers can be equal to, as integers; others as they are."""
    if dtype.kind not in "iu" or not all(
        isinstance(value, (float, np.floating)) for value in values
    ):
        return list(values)
    whole = [int(value) for value in values if float(value).is_integer()]
    if any(abs(value) >= 2**53 for value in whole):
        raise NotNative("isin of floats that several integers are rounded to")
    if not whole:
        raise NotNative("isin of nothing that an integer is equal to")
    return whole


def _isin(rows: Rows, meta: Any, values: Any) -> Rows:
    if isinstance(values, Rows) or not isinstance(
        values, (list, tuple, set, frozenset, np.ndarray)
    ):
        values = getattr(values, "tolist", lambda: None)()
        if not isinstance(values, list):
            raise NotNative("isin of other than a list")

    def found(column: Column) -> Any:
        if isinstance(column.dtype, np.dtype) and column.dtype.kind not in "iufb":
            raise NotNative(f"isin of {column.dtype}")
        # pandas compares a list of mixed kinds in ways of its own.
        kinds = {type(v.item() if isinstance(v, np.generic) else v) for v in values}
        if len(kinds) > 1:
            raise NotNative("isin of mixed values")
        return engine(column.scalar.is_in, [literal(v) for v in _whole(values, column.dtype)])

    return each(rows, meta, found)


def _between(rows: Rows, meta: Any, left: Any, right: Any, inclusive: str = "both") -> Rows:
    if isinstance(left, Rows) or isinstance(right, Rows):
        raise NotNative("bounds by row")
    low = "greater_equal" if inclusive in ("both", "left") else "greater"
    high = "less_equal" if inclusive in ("both", "right") else "less"
    return each(
        rows,
        meta,
        lambda column: call(
            "and",
            call(low, column.scalar, literal(left, column.dtype)),
            call(high, column.scalar, literal(right, column.dtype)),
        ),
    )


def _where(rows: Rows, meta: Any, cond: Any, other: Any) -> Rows:
    if not isinstance(cond, Rows) or cond.ndim != 1:
        raise NotNative("a condition of several columns")
    rows, cond = beside(rows, cond)
    if isinstance(other, Rows):
        if other.ndim != 1 or rows.ndim != 1:
            raise NotNative("values of several columns")
        rows, other = beside(rows, other)
        value = other.only.scalar
        return each(rows, meta, lambda c: call("choose", cond.only.scalar, c.scalar, value))
    return each(
        rows,
        meta,
        lambda c: call("choose", cond.only.scalar, c.scalar, literal(other, c.dtype)),
    )


def _rename(rows: Rows, meta: Any, *arguments: Any, **keywords: Any) -> Rows:
    if rows.ndim == 2 and set(keywords) != {"columns"}:
        raise NotNative("a renaming of rows")
    if rows.ndim == 1 and (len(arguments) != 1 or keywords or not _is_name(arguments[0])):
        raise NotNative("a renaming of rows")
    return each(rows, meta, lambda column: column.scalar)


def _is_name(value: Any) -> bool:
    return isinstance(value, (str, int, tuple)) or value is None


def _comparison(function: str) -> Callable[..., Rows]:
    def compare(rows: Rows, meta: Any, other: Any) -> Rows:
        symbol = next(name for name, native in BINARY.items() if native == function)
        return binary(symbol, rows, other, meta)

    return compare


METHODS: dict[str, Callable[..., Rows]] = {
    "isna": _isna,
    "isnull": _isna,
    "notna": _notna,
    "notnull": _notna,
    "abs": _abs,
    "fillna": _fillna,
    "astype": _astype,
    "isin": _isin,
    "between": _between,
    "where": _where,
    "rename": _rename,
}


def accessor(
    rows: Rows,
    name: str,
    attribute: str,
    is_property: bool,
    arguments: Sequence[Any],
    keywords: dict[str, Any],
    meta: Any,
) -> Rows:
    """A property or method of an accessor of a series."""
    column = rows.only
    if name == "dt" and is_property and attribute in DATES:
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            raise NotNative("the clock of a time zone")
        return each(rows, meta, lambda c: call(DATES[attribute], c.scalar))
    if name != "str" or not is_text(column.dtype):
        raise NotNative(f"{name}.{attribute}")
    known = TEXTS.get(attribute)
    if known is None:
        raise NotNative(f"{name}.{attribute}")
    try:
        return each(rows, meta, lambda c: known(c.scalar, *arguments, **keywords))
    except TypeError as wrong:
        raise NotNative(f"the arguments of {attribute}") from wrong


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise NotNative("a pattern that is no text")
    return literal(value)


def _contains(
    scalar: Any, pat: Any, case: bool = True, flags: int = 0, na: Any = None, regex: bool = True
) -> Any:
    if not case or flags or na not in (None, False):
        raise NotNative("str.contains with options")
    if not isinstance(pat, str):
        raise NotNative("a pattern that is no text")
    if not regex or re.escape(pat).replace("\\ ", " ").replace("\\-", "-") == pat:
        return call("str.contains", scalar, _text(pat))
    if PLAIN_PATTERN.fullmatch(pat) is None or not pat.isascii():
        raise NotNative("a regular expression")
    return call("str.matches", scalar, _text(pat))


def _starts(scalar: Any, pat: Any, na: Any = None) -> Any:
    if na not in (None, False):
        raise NotNative("another value for what is missing")
    return call("str.startswith", scalar, _text(pat))


def _ends(scalar: Any, pat: Any, na: Any = None) -> Any:
    if na not in (None, False):
        raise NotNative("another value for what is missing")
    return call("str.endswith", scalar, _text(pat))


def _slice(scalar: Any, start: Any = None, stop: Any = None, step: Any = None) -> Any:
    if step not in (None, 1) or type(stop) is not int or type(start) not in (int, type(None)):
        raise NotNative("str.slice with such bounds")
    if (start or 0) < 0 or stop < 0:
        raise NotNative("str.slice from the end")
    return call("str.slice", scalar, literal(start or 0), literal(stop))


TEXTS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startswith": _starts,
    "endswith": _ends,
    "slice": _slice,
    "len": lambda scalar: call("str.len", scalar),
    "lower": lambda scalar: call("str.lower", scalar),
    "upper": lambda scalar: call("str.upper", scalar),
}
