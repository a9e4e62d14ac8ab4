"""Choosing rows and columns: ``df.loc`` and ``df.iloc``."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.expressions.labels import (
    ColumnsByPosition,
    LocEverywhere,
    LocPartitions,
    LocReversed,
)
from samite.dataframe.expressions.selection import Filter, Projection
from samite.dataframe.labelling import span_of

NON_BOOLEAN = (
    "Cannot index with non-boolean dask Series. Try passing computed values instead (e.g. "
    "``ddf.loc[iindexer.compute()]``)"
)


class LocIndexer:
    """``frame.loc[rows]`` and ``frame.loc[rows, columns]``: by labels and conditions."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __getitem__(self, key: Any) -> Any:
        frame = self._frame
        if isinstance(key, tuple):
            if len(key) > frame.ndim:
                raise pd.errors.IndexingError(f"Too many indexers: {len(key)} for {frame.ndim}")
            rows, columns = (*key, None)[:2]
        else:
            rows, columns = key, None
        if callable(rows):
            rows = rows(frame)
        result = frame if columns is None else _columns_by_label(frame, columns)
        if isinstance(rows, slice) and rows == slice(None):
            return result
        return _rows(frame, result, rows)


class ILocIndexer:
    """``frame.iloc[:, columns]``: columns by position."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __getitem__(self, key: Any) -> Any:
        advice = (
            "'DataFrame.iloc' only supports selecting columns. It must be used like "
            "'df.iloc[:, column_indexer]'."
        )
        if not isinstance(key, tuple):
            raise NotImplementedError(advice)
        if len(key) > 2:
            raise ValueError(f"Too many indexers: {len(key)}")
        rows, columns = key
        if not isinstance(rows, slice) or rows != slice(None):
            raise NotImplementedError(advice)
        meta = self._frame._meta
        chosen = meta.iloc[:, columns]  # raises pandas' errors
        if meta.columns.is_unique:
            labels = chosen.name if chosen.ndim == 1 else list(chosen.columns)
            return new_collection(Projection(self._frame.expr, labels))
        positions = pd.Series(range(len(meta.columns))).iloc[columns]
        positions = int(positions) if chosen.ndim == 1 else [int(p) for p in positions]
        return new_collection(ColumnsByPosition(self._frame.expr, positions))


def _columns_by_label(frame: Any, columns: Any) -> Any:
    if callable(columns):
        columns = columns(frame)
    chosen = frame._meta.loc[:, columns]  # raises pandas' errors
    labels = chosen.name if chosen.ndim == 1 else list(chosen.columns)
    return new_collection(Projection(frame.expr, labels))


def _rows(frame: Any, result: Any, rows: Any) -> Any:
    from samite.dataframe.conversion import is_lazy_array
    from samite.dataframe.elementwise import aligned, operand_of

    if isinstance(rows, FrameBase):
        if not pd.api.types.is_bool_dtype(rows._meta.dtype):
            raise KeyError(NON_BOOLEAN)
        return new_collection(Filter(*aligned(result.expr, rows.expr)))
    if is_lazy_array(rows):
        if not pd.api.types.is_bool_dtype(rows.dtype):
            raise KeyError(NON_BOOLEAN)
        if rows.ndim != 1 or rows.numblocks[0] != frame.npartitions:
            raise ValueError(
                f"loc takes an array of one axis with {frame.npartitions} chunks, one for each "
                f"partition; got {rows.ndim} axes and the numbers of chunks {rows.numblocks}"
            )
        return new_collection(Filter(result.expr, operand_of(rows)))
    if isinstance(rows, (list, np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)):
        return _rows_of_list(result.expr, list(rows))
    if isinstance(rows, slice):
        return _rows_of_slice(result.expr, rows)
    return _rows_of_label(result.expr, rows)


def _partition_of(divisions: tuple[Any, ...], label: Any) -> int:
    return min(max(bisect_right(divisions, label) - 1, 0), len(divisions) - 2)


def _rows_of_list(expr: Any, labels: list[Any]) -> Any:
    if not expr.known_divisions:
        raise KeyError(
            "Cannot index with list against unknown division. Try setting divisions using "
            "set_index(..., sorted=True)"
        )
    if not labels:
        return new_collection(LocPartitions(expr, [(0, [])], (None, None)))
    groups: dict[int, list[Any]] = {}
    for label in labels:
        groups.setdefault(_partition_of(expr.divisions, label), []).append(label)
    chosen = sorted(groups.items())
    bounds = [min(group) for _, group in chosen] + [max(chosen[-1][1])]
    return new_collection(LocPartitions(expr, chosen, tuple(bounds)))


def _rows_of_label(expr: Any, label: Any) -> Any:
    meta = expr._meta.index
    if isinstance(label, str) and isinstance(meta, (pd.DatetimeIndex, pd.PeriodIndex)):
        return _rows_of_slice(expr, slice(label, label))
    if not expr.known_divisions:
        if isinstance(expr, LocReversed):
            raise ValueError("Cannot use loc on DataFrame without known divisions")
        return new_collection(LocEverywhere(expr, slice(label, label)))
    divisions = expr.divisions
    if label < divisions[0] or label > divisions[-1]:
        raise KeyError(f"the label [{label!r}] is not in the index")
    partition = _partition_of(divisions, label)
    return new_collection(LocPartitions(expr, [(partition, (label,))], (label, label)))


def _rows_of_slice(expr: Any, rows: slice) -> Any:
    if rows.step is not None and rows.step < 0:
        return new_collection(LocReversed(expr, rows.start, rows.stop, rows.step))
    if rows.step is not None and rows.step > 1 and expr.npartitions > 1:
        raise NotImplementedError(
            f"loc with the step {rows.step} would need the lengths of all partitions"
        )
    if not expr.known_divisions:
        return new_collection(LocEverywhere(expr, rows))
    divisions, meta = expr.divisions, expr._meta.index
    start, stop = rows.start, rows.stop
    if isinstance(meta, (pd.DatetimeIndex, pd.PeriodIndex)):
        start = span_of(start, meta)[0] if isinstance(start, str) else start
        stop = span_of(stop, meta)[1] if isinstance(stop, str) else stop
    start = divisions[0] if start is None else start
    stop = divisions[-1] if stop is None else stop
    first, last = _partition_of(divisions, start), _partition_of(divisions, stop)
    if stop < start or start > divisions[-1] or stop < divisions[0]:
        # Nothing lies between the bounds; an empty partition has the right form.
        return new_collection(LocPartitions(expr, [(first, rows)], (None, None)))
    chosen = [(index, rows if index in (first, last) else None) for index in range(first, last + 1)]
    bounds = [
        max(start, divisions[first]),
        *divisions[first + 1 : last + 1],
        min(stop, divisions[last + 1]),
    ]
    if any(a > b for a, b in itertools.pairwise(bounds)):
        return new_collection(LocPartitions(expr, chosen, (None,) * (len(chosen) + 1)))
    return new_collection(LocPartitions(expr, chosen, tuple(bounds)))
