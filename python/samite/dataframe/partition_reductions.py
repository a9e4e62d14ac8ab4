"""What reductions do to one partition, and to what is left of several.

Results of partitions are frames of one row, so that every column keeps its dtype until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.joining import concat_partitions


def numeric_part(frame: Any) -> Any:
    """The columns of numbers and booleans; a series as it is."""
    return frame._get_numeric_data() if isinstance(frame, pd.DataFrame) else frame


def as_columns(partition: Any, numeric_only: bool = False) -> pd.DataFrame:
    """A partition as a frame, with its columns numbered."""
    if isinstance(partition, pd.Index):
        partition = partition.to_series()
    if isinstance(partition, pd.Series):
        partition = partition.to_frame()
    elif numeric_only:
        partition = numeric_part(partition)
    return partition.set_axis(range(partition.shape[1]), axis=1)


def one_row(frame: pd.DataFrame, how: str, keywords: Mapping[str, Any]) -> pd.DataFrame:
    """``frame.how(...)`` as a frame of one row, where each column has a dtype of its own."""
    groups: dict[Any, list[Any]] = {}
    for label, dtype in zip(frame.columns, frame.dtypes, strict=True):
        groups.setdefault(dtype, []).append(label)
    rows = []
    for labels in groups.values():
        reduced = getattr(frame[labels], how)(**keywords)
        rows.append(reduced.to_frame().T.set_axis([0], axis=0))
    if not rows:
        return pd.DataFrame(index=[0])
    return rows[0] if len(rows) == 1 else pd.concat(rows, axis=1)[list(frame.columns)]


# How parts are joined, where it is not in the way that they were made.
JOINED_BY = {"count": "sum"}


def reduce_partition(
    partition: Any,
    how: str,
    skipna: bool | None,
    numeric_only: bool,
    min_count: int,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """A row of ``how``, and a row of the numbers of values if a minimum is asked for."""
    frame = as_columns(partition, numeric_only)
    counts = one_row(frame, "count", {}) if min_count > 0 else None
    if how == "count":
        return one_row(frame, "count", {}), None
    if not len(frame):
        # No row is the neutral element of all of these.
        return frame, counts
    keywords = {} if skipna is None else {"skipna": skipna}
    return one_row(frame, how, keywords), counts


def join_reduced(
    parts: Sequence[tuple[pd.DataFrame, pd.DataFrame | None]], how: str, skipna: bool | None
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Rows of several partitions as one."""
    rows, counts = _stacked(parts)
    if counts is not None:
        counts = one_row(counts, "sum", {})
    if not len(rows):
        return rows, counts
    keywords = {} if skipna is None else {"skipna": skipna}
    joined = one_row(rows, JOINED_BY.get(how, how), keywords)
    for label in _undefined(rows, how):
        joined[label] = np.nan
    return joined, counts


def _undefined(rows: pd.DataFrame, how: str) -> list[Any]:
    """The columns whose sum or product is no number, as that of both infinities is not. Nothing is
    missing in the results of partitions, so that this must not be skipped."""
    if how not in ("sum", "prod"):
        return []
    return [
        label
        for label, kind in rows.dtypes.items()
        if kind.kind == "f" and rows[label].isna().any()
    ]


def finish_reduced(
    parts: Sequence[tuple[pd.DataFrame, pd.DataFrame | None]],
    how: str,
    skipna: bool | None,
    min_count: int,
    axis: int | None,
    columns: Any,
) -> Any:
    """The result: a series over ``columns``, or one value if they are None or the axis is."""
    rows, counts = _stacked(parts)
    undefined = _undefined(rows, how)
    how = JOINED_BY.get(how, how)
    keywords: dict[str, Any] = {} if skipna is None else {"skipna": skipna}
    if undefined and (columns is None or axis is None):
        return rows[undefined[0]].dtype.type(np.nan)
    if columns is None:
        value = getattr(rows[0], how)(**keywords)
        return _missing(rows[0]) if _too_few(counts, min_count) else value
    if axis is None:
        value = getattr(rows, how)(axis=None, **keywords)
        return np.nan if _too_few(counts, min_count) else value
    result = getattr(rows, how)(**keywords)
    if undefined:
        result[undefined] = np.nan
    result = result.set_axis(columns)
    if not len(columns) and skipna is None:
        result = result.astype("int64")
    if counts is not None:
        result = result.where(counts.sum().set_axis(columns) >= min_count)
    return result


def _stacked(parts: Sequence[Any]) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    rows = concat_partitions([part[0] for part in parts])
    counts = [part[1] for part in parts if part[1] is not None]
    return rows, concat_partitions(counts) if counts else None


def _too_few(counts: pd.DataFrame | None, min_count: int) -> bool:
    return counts is not None and int(counts.to_numpy().sum()) < min_count


def _missing(column: pd.Series) -> Any:
    return (
        column.dtype.na_value
        if isinstance(column.dtype, pd.api.extensions.ExtensionDtype)
        else (np.nan)
    )


# -- positions of extremes --------------------------------------------------------------


def extreme_rows(partition: Any, how: str, skipna: bool, numeric_only: bool) -> list[pd.Series]:
    """Of each column the row with the extreme, or none; ``how`` is idxmin or idxmax."""
    if isinstance(partition, pd.Series):
        return [_extreme_row(partition, how, skipna)]
    frame = numeric_part(partition) if numeric_only else partition
    return [_extreme_row(frame.iloc[:, i], how, skipna) for i in range(frame.shape[1])]


def _extreme_row(column: pd.Series, how: str, skipna: bool) -> pd.Series:
    missing = column.isna()
    if missing.any():
        if not skipna:
            return column[missing].iloc[:1]
        column = column[~missing]
    if len(column) < 2:
        return column
    position = column.argmin() if how == "idxmin" else column.argmax()
    return column.iloc[[position]]


def join_extremes(parts: Sequence[list[pd.Series]], how: str, skipna: bool) -> list[pd.Series]:
    """The extremes among those of several partitions."""
    return [
        _extreme_row(concat_partitions(list(columns)), how, skipna)
        for columns in zip(*parts, strict=True)
    ]


def finish_extremes(
    parts: Sequence[list[pd.Series]], how: str, skipna: bool, columns: Any, dtype: Any
) -> Any:
    """The labels of the rows with the extremes."""
    joined = join_extremes(parts, how, skipna)
    labels = [getattr(column, how)(skipna=skipna) for column in joined]
    if columns is None:
        return labels[0]
    return pd.Series(labels, index=columns, dtype=dtype)


def along_rows(partition: Any, how: str, keywords: Mapping[str, Any], meta: Any) -> Any:
    """A value for each row; without rows in the form of ``meta``."""
    return (
        getattr(partition, how)(axis=1, **keywords)
        if len(partition)
        else (pd.Series([], index=partition.index, dtype=meta.dtype, name=meta.name))
    )


# -- order -------------------------------------------------------------------------------


def order_of(partition: Any, decreasing: bool) -> tuple[bool, Any]:
    """Whether the values are in order, and the first and the last of them."""
    values = partition if isinstance(partition, pd.Series) else partition.to_series()
    name = "is_monotonic_decreasing" if decreasing else "is_monotonic_increasing"
    return bool(getattr(values, name)), values.iloc[[0, -1]] if len(values) else values


def join_orders(parts: Sequence[tuple[bool, Any]], decreasing: bool) -> tuple[bool, Any]:
    """The order of neighbouring partitions together."""
    ends = concat_partitions([part[1] for part in parts])
    in_order, _ = order_of(ends, decreasing)
    return in_order and all(part[0] for part in parts), (ends.iloc[[0, -1]] if len(ends) else ends)


def is_ordered(parts: Sequence[tuple[bool, Any]], decreasing: bool) -> bool:
    """Whether all partitions are in order, and between them."""
    return join_orders(parts, decreasing)[0]


def end_rows(partition: Any, how: str, n: int, by: Any) -> Any:
    """The rows with the greatest or least values, in order."""
    arguments = (n,) if by is None else (n, by)
    return getattr(partition, how)(*arguments)


def join_end_rows(parts: Sequence[Any], how: str, n: int, by: Any) -> Any:
    """The rows with the greatest or least values of several partitions."""
    return end_rows(concat_partitions(list(parts)), how, n, by)


# -- functions of users ---------------------------------------------------------------------


def user_chunk(partition: Any, function: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """``function`` of a partition; a series becomes a row of a frame."""
    result = function(partition, **keywords)
    return result.to_frame().T if isinstance(result, pd.Series) else result


def user_join(
    parts: Sequence[Any], function: Callable[..., Any], keywords: Mapping[str, Any]
) -> Any:
    """``function`` of results, stacked, made to be stacked again."""
    return user_chunk(stacked_results(parts), function, keywords)


def user_finish(
    parts: Sequence[Any], function: Callable[..., Any], keywords: Mapping[str, Any]
) -> Any:
    """``function`` of results, stacked."""
    return function(stacked_results(parts), **keywords)


def stacked_results(parts: Sequence[Any]) -> Any:
    """Results of partitions below each other; scalars as a series."""
    if all(isinstance(part, (pd.DataFrame, pd.Series, pd.Index)) for part in parts):
        return concat_partitions(list(parts))
    if all(isinstance(part, np.ndarray) and part.ndim for part in parts):
        return np.concatenate(parts)
    return pd.Series(list(parts))
