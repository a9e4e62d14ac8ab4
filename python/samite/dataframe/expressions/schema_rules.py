"""The schemas of results from those of operands, without pandas.

A rule is for one class of nodes. It gives None where anything is out of the ordinary: then
pandas is asked for the metadata, and raises what it raises. A subclass has no rule of its base's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from samite._expr import Expr
from samite.dataframe import methods
from samite.dataframe.schemas import (
    PLACES,
    Labels,
    Schema,
    constant,
    empty_array,
    remembered,
)


def derived(expr: Any) -> Schema | None:
    """The schema of a node by the rule of its class; None if there is none."""
    rule = RULES.get((type(expr).__module__, type(expr).__name__))
    return None if rule is None else rule(expr)


def _schema(value: Any, ndim: int | None = None) -> Schema | None:
    schema = value._schema if isinstance(value, Expr) and hasattr(type(value), "_schema") else None
    return schema if schema is None or ndim in (None, schema.ndim) else None


def _same(expr: Any) -> Schema | None:
    return _schema(expr.frame)


def _projection(expr: Any) -> Schema | None:
    frame = _schema(expr.frame, 2)
    if frame is None:
        return None
    wanted = expr.operand("columns")
    if type(wanted) is str:
        dtype = frame.dtype_of(wanted)
        return None if dtype is None else frame.series(wanted, dtype)
    if type(wanted) is not list:
        return None
    dtypes = [frame.dtype_of(label) for label in wanted]
    if any(dtype is None for dtype in dtypes):
        return None
    return frame.frame(wanted, dtypes)


def _is_simple(dtype: Any) -> bool:
    # Categories are told apart by all their values, which takes long.
    return not isinstance(dtype, pd.CategoricalDtype)


def _empty_series(dtype: Any) -> pd.Series:
    return pd.Series(empty_array(dtype))


def _operator(expr: Any) -> Schema | None:
    sides = [expr.left, expr.right]
    series: list[Schema] = []
    keys: list[Any] = [expr.symbol]
    for side in sides:
        if isinstance(side, Expr):
            schema = _schema(side, 1)
            if schema is None or not _is_simple(schema.dtypes[0]):
                return None
            series.append(schema)
            keys.append(schema.dtypes[0])
        else:
            key = None if isinstance(side, (list, tuple)) else constant(side)
            if key is None:
                return None
            keys.append(key)
    if not series or any(schema.index is not series[0].index for schema in series):
        return None

    def find() -> Any:
        given = [_empty_series(_schema(s).dtypes[0]) if isinstance(s, Expr) else s for s in sides]  # type: ignore[union-attr]
        return getattr(operator, expr.symbol)(*given).dtype

    dtype = remembered(("operator", *keys), find)
    if dtype is None:
        return None
    names = {schema.labels[0] for schema in series}
    return series[0].series(names.pop() if len(names) == 1 else None, dtype)


def _unary(expr: Any) -> Schema | None:
    series = _schema(expr.frame, 1)
    if series is None or not _is_simple(series.dtypes[0]):
        return None
    (dtype,) = series.dtypes
    found = remembered(
        ("unary", expr.symbol, dtype),
        lambda: getattr(operator, expr.symbol)(_empty_series(dtype)).dtype,
    )
    return None if found is None else series.series(series.labels[0], found)


# Methods of series whose result has the name and the index, and a dtype that comes of the dtype.
_METHODS = frozenset({"isin", "between", "isna", "notna", "isnull", "notnull", "abs", "round"})


def _method(expr: Any) -> Schema | None:
    if expr.method not in _METHODS:
        return None
    return _of_one_series(
        expr,
        ("method", expr.method),
        lambda series, given: methods.call_method(series, expr.method, expr.names, *given),
    )


def _accessor(expr: Any) -> Schema | None:
    return _of_one_series(
        expr,
        ("accessor", expr.accessor, expr.method, expr.is_property),
        lambda series, given: methods.call_accessor(
            series, expr.accessor, expr.method, expr.is_property, expr.names, *given
        ),
    )


def _of_one_series(expr: Any, key: Any, call: Callable[[Any, list[Any]], Any]) -> Schema | None:
    series = _schema(expr.frame, 1)
    if series is None or not _is_simple(series.dtypes[0]):
        return None
    given = expr._given()
    constants = [constant(value) for value in given]
    if any(value is None for value in constants):
        return None
    (dtype,) = series.dtypes

    def find() -> Any:
        probe = pd.Series(empty_array(dtype), name="\x00")
        result = call(probe, given)
        kept = type(result) is pd.Series and result.name == probe.name
        return result.dtype if kept and result.index.identical(probe.index) else None

    found = remembered((*key, tuple(expr.names), dtype, *constants), find)
    return None if found is None else series.series(series.labels[0], found)


def _assign(expr: Any) -> Schema | None:
    frame = _schema(expr.frame, 2)
    if frame is None:
        return None
    columns = dict(zip(frame.labels, frame.dtypes, strict=True))
    for label, value in zip(expr.labels, expr.values, strict=True):
        if type(label) is not str:
            return None
        if isinstance(value, Expr):
            series = _schema(value, 1)
            if series is None or series.index is not frame.index:
                return None
            columns[label] = series.dtypes[0]
            continue
        key = None if isinstance(value, (list, tuple)) else constant(value)
        if key is None:
            return None
        dtype = remembered(("assign", key), lambda value=value: _assigned(value))
        if dtype is None:
            return None
        columns[label] = dtype
    return frame.frame(list(columns), list(columns.values()))


def _assigned(value: Any) -> Any:
    return methods.assign(pd.DataFrame({"a": [1]}).iloc[:0], "b", value)["b"].dtype


def _rename(expr: Any) -> Schema | None:
    frame = _schema(expr.frame, 2)
    labels = expr.operand("labels")
    if frame is None or type(labels) is not pd.Index or labels.name is not None:
        return None
    if labels.dtype != frame.columns.dtype or len(labels) != len(frame.labels):
        return None
    return frame.frame(labels.tolist(), frame.dtypes)


def _rows_method(expr: Any) -> Schema | None:
    if expr.method != "reset_index" or expr.arguments or {*expr.keywords} - {"drop"}:
        return None
    rows = _schema(expr.frame)
    if rows is None:
        return None
    if expr.keywords.get("drop", False):
        return Schema(rows.labels, rows.dtypes, PLACES, rows.ndim)
    levels = rows.index.levels
    labels = [*(name for name, _ in levels), *rows.labels]
    found = rows.frame(labels, [*(dtype for _, dtype in levels), *rows.dtypes])
    return None if found is None else Schema(found.labels, found.dtypes, PLACES, 2)


def _sorted(expr: Any) -> Schema | None:
    frame = _schema(expr.frame)
    if frame is None or not expr.ignore_index:
        return frame
    return Schema(frame.labels, frame.dtypes, PLACES, frame.ndim)


_HOWS = ("inner", "left", "right", "outer")


def _merge(expr: Any) -> Schema | None:
    left, right = _schema(expr.left, 2), _schema(expr.right, 2)
    left_on, right_on = expr.left_on, expr.right_on
    if left is None or right is None or expr.left_index or expr.right_index or expr.indicator:
        return None
    if type(left_on) is not list or type(right_on) is not list or len(left_on) != len(right_on):
        return None
    if len(set(left_on)) < len(left_on) or len(set(right_on)) < len(right_on) or not left_on:
        return None
    for mine, theirs in zip(left_on, right_on, strict=True):
        dtype = left.dtype_of(mine)
        if dtype is None or dtype != right.dtype_of(theirs) or not _is_simple(dtype):
            return None
    if expr.how == "leftsemi":
        return left
    if expr.how not in _HOWS or not all(type(suffix) is str for suffix in expr.suffixes):
        return None
    common = {mine for mine, theirs in zip(left_on, right_on, strict=True) if mine == theirs}
    others = [label for label in right.labels if label not in common]
    both = {label for label in others if label in left.places}
    suffixes = expr.suffixes
    labels = [label + suffixes[0] if label in both else label for label in left.labels]
    labels += [label + suffixes[1] if label in both else label for label in others]
    dtypes = [*left.dtypes, *(right.dtype_of(label) for label in others)]
    found = left.frame(labels, dtypes)
    return None if found is None else Schema(found.labels, found.dtypes, PLACES, 2)


def _group_by(expr: Any) -> Schema | None:
    frame = _schema(expr.frame, 2)
    if frame is None:
        return None
    keys = [(key, frame.dtype_of(key)) if type(key) is str else (None, None) for key in expr.by]
    if any(dtype is None or not _is_simple(dtype) for _, dtype in keys):
        return None
    if len({key for key, _ in keys}) < len(keys):
        return None
    labels, dtypes = [], []
    for output in expr.outputs:
        dtype = _aggregated(frame, output)
        if dtype is None:
            return None
        labels.append(output.label)
        dtypes.append(dtype)
    index = Labels(keys)
    if expr.is_series:
        (label,) = labels
        if label is not None and type(label) is not str:
            return None
        return Schema(labels, dtypes, index, 1)
    found = frame.frame(labels, dtypes)
    return None if found is None else Schema(labels, dtypes, index, 2)


_INT64, _FLOAT64 = np.dtype("int64"), np.dtype("float64")


def _aggregated(frame: Schema, output: Any) -> Any:
    """The dtype of an aggregation of a column by group; None if pandas has to be asked."""
    given = constant([value for pair in output.keywords for value in pair])
    if type(output.function) is not str or given is None:
        return None
    dtype = None
    if output.function != "size":
        dtype = frame.dtype_of(output.column)
        if dtype is None or not _is_simple(dtype):
            return None

    if not output.keywords:
        if output.function in ("count", "size"):
            return _INT64
        if dtype in (_INT64, _FLOAT64):
            if output.function in ("sum", "min", "max"):
                return dtype
            if output.function == "mean":
                return _FLOAT64
    return remembered(("group", output.function, given, dtype), lambda: _probed(output, dtype))


def _probed(output: Any, dtype: Any) -> Any:
    """The dtype of a result, which pandas finds out on made-up rows."""
    from samite.dataframe.groupby import partial_results
    from samite.dataframe.metadata import meta_nonempty

    column = empty_array("int64") if dtype is None else empty_array(dtype)
    rows = meta_nonempty(pd.DataFrame({"key": empty_array("int64"), "value": column}))
    own = output._replace(label="value", column=None if dtype is None else "value")
    needs = partial_results.needs_of((own,))
    part = partial_results.chunk(rows, by=["key"], needs=needs, dropna=True)
    result = partial_results.finish(
        [part],
        needs=needs,
        outputs=(own,),
        names=["key"],
        sort=True,
        observed=True,
        dropna=True,
        dtypes=[dtype],
        columns=None,
        is_series=True,
    )
    return result.dtype


def _rules() -> dict[tuple[str, str], Callable[[Any], Schema | None]]:
    here = "samite.dataframe.expressions"
    rules = {
        "selection": {
            "Projection": _projection,
            "Filter": _same,
            "Partitions": _same,
            "HeadOfPartitions": _same,
            "TailOfPartitions": _same,
            "First": _same,
        },
        "elementwise": {
            "Operator": _operator,
            "UnaryOperator": _unary,
            "MethodCall": _method,
            "AccessorCall": _accessor,
            "RowsMethodCall": _rows_method,
            "Assign": _assign,
            "RenameColumns": _rename,
        },
        "sorting": {"SortValues": _sorted, "EndOfSorted": _same},
        "merge": {"Merge": _merge},
        "groupby": {"GroupByAggregation": _group_by},
    }
    return {
        (f"{here}.{module}", name): rule
        for module, own in rules.items()
        for name, rule in own.items()
    }


# By module and name, since a module need not have been imported.
RULES = _rules()
