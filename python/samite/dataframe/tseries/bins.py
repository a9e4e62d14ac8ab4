"""Spans of time that rows are grouped by, and where partitions can be cut between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from samite.dataframe.methods import empty_like

# What a span without rows has, where it is not a missing value.
_OF_NO_ROWS = {"sum": 0, "count": 0, "size": 0, "nunique": 0, "prod": 1}


class Bins(NamedTuple):
    """The bounds of partitions that have whole spans each, and the labels of their spans."""

    divisions: tuple[Any, ...]
    labels: tuple[pd.DatetimeIndex, ...]
    origin: Any


def bins_of(divisions: Sequence[Any], rule: Any, closed: Any, label: Any) -> Bins:
    """The spans of rows that lie between divisions, cut as near to these as may be."""
    bounds = pd.DatetimeIndex(list(divisions))
    first, last = bounds[0], bounds[-1]
    # Spans of fixed length are counted from the first day; others begin where the calendar says.
    fixed = isinstance(pd.tseries.frequencies.to_offset(rule), (pd.offsets.Tick, pd.offsets.Day))
    origin = first.normalize() if fixed else "start_day"

    def grouper(side: Any) -> pd.Grouper:
        return pd.Grouper(freq=rule, closed=closed, label=side, origin=origin)

    ends = pd.Series(1, index=bounds[[0, -1]])
    every = ends.groupby(grouper(label)).count().index
    lefts = ends.groupby(grouper("left")).count().index

    def numbers(moments: list[Any]) -> list[int]:
        """The number of the span of each moment, which lie between the first and the last."""
        series = pd.Series(1, index=pd.DatetimeIndex([first, *moments, last]))
        order = series.index.argsort(kind="stable")
        codes = _span_numbers(series.iloc[order], grouper("left"), lefts)
        spans = pd.Series(codes, index=order).sort_index()
        return [int(n) for n in spans.iloc[1:-1]]

    step = pd.Timedelta(1, unit=bounds.unit)
    cuts: dict[Any, int] = {}
    inner = list(bounds[1:-1])
    for number in sorted(set(numbers(inner))) if inner else []:
        if number == 0:
            continue
        left = lefts[number]
        # A span begins with its left label, after it, or after the day that it names.
        day = left + pd.Timedelta(days=1)
        for begin in (left, left + step, day, day + step):
            if not first < begin <= last:
                continue
            here, before = numbers([begin, begin - step])
            if here == number and before == number - 1:
                cuts[begin] = number
                break
    starts = [0, *cuts.values(), len(every)]
    labels = tuple(every[a:b] for a, b in zip(starts, starts[1:], strict=False))
    return Bins((first, *cuts, last), labels, origin)


def _span_numbers(series: pd.Series, grouper: pd.Grouper, lefts: pd.DatetimeIndex) -> Any:
    """The numbers of the spans of moments in order."""
    counts = series.groupby(grouper).count()
    return [
        number
        for number, count in zip(lefts.get_indexer(counts.index), counts, strict=True)
        for _ in range(count)
    ]


def resampled(
    partition: Any,
    rule: Any,
    closed: Any,
    label: Any,
    origin: Any,
    labels: pd.DatetimeIndex,
    how: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    meta: Any,
) -> Any:
    """``how`` of the spans of a partition, with a row for each of ``labels``.

    Raises
    ------
    ValueError
        The spans of the partition alone are others.
    """
    if len(partition):
        spans = partition.resample(rule, closed=closed, label=label, origin=origin)
        result = getattr(spans, how)(*args, **kwargs)
    else:
        result = empty_like(meta)
    if result.index.equals(labels):
        return result
    outside = ~result.index.isin(labels)
    # Spans without rows may be there before the first one.
    if outside.any() and spans.size()[outside].any():
        raise ValueError(
            f"Index is not contained within new index. Spans of {rule!r} begin elsewhere where the "
            "first of a partition has no rows; use `repartition(npartitions=1)` first"
        )
    missing = ~labels.isin(result.index)
    result = result.reindex(labels.rename(result.index.name))
    return _filled(result, missing, how, args, meta)


def _filled(result: Any, missing: Any, how: str, args: Sequence[Any], meta: Any) -> Any:
    """Spans without rows get what pandas gives them."""
    if not missing.any():
        return result
    if isinstance(result, pd.Series):
        name = args[0] if how == "agg" and args and isinstance(args[0], str) else how
        if name in _OF_NO_ROWS:
            return result.fillna(_OF_NO_ROWS[name]).astype(meta.dtype)
        return result
    for position, (column, dtype) in enumerate(zip(result.columns, meta.dtypes, strict=True)):
        name = how
        if how == "agg":
            name = column[-1] if isinstance(column, tuple) else args[0] if args else how
        if isinstance(name, str) and name in _OF_NO_ROWS:
            values = result.iloc[:, position].where(~missing, _OF_NO_ROWS[name])
            result.isetitem(position, values.astype(dtype))
    return result
