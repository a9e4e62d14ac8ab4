"""Filters of Parquet files: their check, their form for Arrow, and the filters in predicates.

A filter is a list of conjunctions, one of which has to hold; a conjunction is a list of
``(column, operator, value)``, all of which have to hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

OPERATORS = ("=", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not")
# More conjunctions than this are slower to check than what they spare.
MOST_CONJUNCTIONS = 32


def checked_filters(filters: Any) -> list[list[tuple[Any, str, Any]]] | None:
    """Filters as a list of conjunctions.

    Raises
    ------
    TypeError
        They have another form, or the value of "in" or "not in" is no collection.
    ValueError
        There is no such operator.
    """
    if not filters:
        return None
    if not isinstance(filters, (list, tuple, set)):
        raise TypeError(
            "filters must be a list of (column, operator, value), or a list of such lists, "
            f"got {type(filters).__name__}"
        )
    flat = all(isinstance(f, tuple) and len(f) == 3 and isinstance(f[0], str) for f in filters)
    groups = [filters] if flat else filters
    return [[_checked(condition) for condition in group] for group in groups]


def _checked(condition: Any) -> tuple[Any, str, Any]:
    if not isinstance(condition, (tuple, list)) or len(condition) != 3:
        raise TypeError(f"A filter must be (column, operator, value), got {condition!r}")
    column, operator, value = condition
    if operator not in OPERATORS:
        raise ValueError(
            f'"{operator}" is not a valid operator in predicates. '
            f"The valid ones are {', '.join(OPERATORS)}."
        )
    if operator in ("in", "not in"):
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise TypeError(
                f"Value of '{operator}' filter must be a list, set or tuple, "
                f"got {value!r} for column {column!r}."
            )
        value = tuple(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else value
    return column, operator, value


def columns_of(filters: list[list[tuple[Any, str, Any]]] | None) -> list[Any]:
    """The columns that filters speak of, each once."""
    return list(dict.fromkeys(c for group in filters or [] for c, _, _ in group))


def arrow_expression(filters: list[list[tuple[Any, str, Any]]] | None) -> Any:
    """Filters as an expression of pyarrow; None if there are none.

    Missing values are unequal to every value, as they are to pandas.
    """
    if not filters:
        return None
    whole = None
    for group in filters:
        part = None
        for condition in group:
            term = _arrow_term(*condition)
            part = term if part is None else part & term
        if part is not None:
            whole = part if whole is None else whole | part
    return whole


def _arrow_term(column: Any, operator: str, value: Any) -> Any:
    import pyarrow.compute as pc

    field = pc.field(column)
    if operator in ("is", "is not"):
        missing = field.is_null(nan_is_null=True)
        if value is None or value is pd.NA or (np.isscalar(value) and pd.isna(value)):
            return missing if operator == "is" else ~missing
        operator = "==" if operator == "is" else "!="
    if operator in ("in", "not in"):
        found = field.isin([_plain(v) for v in value])
        return found if operator == "in" else field.is_null(nan_is_null=True) | ~found
    value = _plain(value)
    if operator in ("=", "=="):
        return field == value
    if operator == "!=":
        return field.is_null(nan_is_null=True) | (field != value)
    if operator == "<":
        return field < value
    if operator == "<=":
        return field <= value
    return field > value if operator == ">" else field >= value


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) and value.dtype.kind in "biuf" else value


def combined(one: Any, other: Any) -> list[list[tuple[Any, str, Any]]]:
    """The filters that hold where both hold."""
    if not one or not other:
        return one or other
    found = []
    for left in one:
        for right in other:
            group = list(left) + [condition for condition in right if condition not in left]
            if group not in found:
                found.append(group)
    return found


_MIRRORED = {"lt": ">", "le": ">=", "gt": "<", "ge": "<=", "eq": "==", "ne": "!="}
_DIRECT = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def filters_of_predicate(predicate: Any, source: Any) -> list[list[tuple[Any, str, Any]]] | None:
    """A predicate over columns of ``source`` as filters; None if it is more than
    comparisons of columns with values."""
    from samite.dataframe.expressions.elementwise import MethodCall, Operator

    if isinstance(predicate, Operator):
        left, right = predicate.left, predicate.right
        if predicate.symbol in ("and_", "or_"):
            first, second = filters_of_predicate(left, source), filters_of_predicate(right, source)
            if first is None or second is None:
                return None
            if predicate.symbol == "or_":
                both = first + [group for group in second if group not in first]
            else:
                both = combined(first, second)
            return both if len(both) <= MOST_CONJUNCTIONS else None
        if predicate.symbol in _DIRECT:
            column = column_of(left, source)
            if column is not None and _comparable(source, column, right):
                return [[(column, _DIRECT[predicate.symbol], right)]]
            column = column_of(right, source)
            if column is not None and _comparable(source, column, left):
                return [[(column, _MIRRORED[predicate.symbol], left)]]
        return None
    if isinstance(predicate, MethodCall) and predicate.method == "isin":
        column = column_of(predicate.frame, source)
        given = [*predicate.arguments, *predicate.keywords.values()]
        if column is None or len(given) != 1:
            return None
        values = getattr(given[0], "values", given[0])
        if isinstance(values, (list, tuple, set, np.ndarray)) and len(values):
            values = list(values)
            if all(_comparable(source, column, value) for value in values):
                return [[(column, "in", tuple(values))]]
    return None


def column_of(expr: Any, source: Any) -> Any:
    """The label if ``expr`` is a column of the rows that ``source`` reads, else None."""
    from samite.dataframe.expressions.selection import Projection

    if not isinstance(expr, Projection) or expr.ndim != 1:
        return None
    frame = expr.frame
    same = type(frame) is type(source) and frame.reads_rows_of(source)
    return expr.operand("columns") if same else None


def _comparable(source: Any, column: Any, value: Any) -> bool:
    """Whether Arrow compares that column with a value as pandas does."""
    kind = source.kinds_of_columns.get(column)
    if isinstance(value, (bool, np.bool_)):
        return kind == "bool"
    if isinstance(value, (int, float, np.integer, np.floating)):
        if kind == "int":
            exact = isinstance(value, (int, np.integer)) or float(value).is_integer()
            return exact and -(2**63) <= value < 2**63
        return kind == "float" and value == value
    if isinstance(value, str):
        return kind == "text"
    if isinstance(value, pd.Timestamp):
        return kind == "time" and value.tz is None and value is not pd.NaT
    return False
