"""Functions of users on partitions that see rows of their neighbours."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.elementwise import aligned, operand_of
from samite.dataframe.expressions.node import FrameExpr, frames_among
from samite.dataframe.expressions.overlap import MapOverlap, WithNeighbours
from samite.dataframe.metadata import emulate, make_meta, no_default


def map_overlap(
    func: Callable[..., Any],
    df: Any,
    before: Any,
    after: Any,
    *args: Any,
    meta: Any = no_default,
    enforce_metadata: bool = True,
    transform_divisions: bool = True,
    clear_divisions: bool = False,
    align_dataframes: bool = True,
    token: str | None = None,
    **kwargs: Any,
) -> Any:
    """Apply a function to the partitions of frames, each with rows of its neighbours.

    Parameters
    ----------
    func:
        Called with partitions that have rows of their neighbours; from its result as many rows
        are taken off again.
    before, after:
        How many rows of the neighbour before and after, or the span of time that they lie
        within, for an index of dates.
    meta, enforce_metadata, transform_divisions, clear_divisions, align_dataframes:
        See :func:`map_partitions`.

    Raises
    ------
    ValueError
        ``before`` or ``after`` is negative, or no number of rows.
    TypeError
        They are spans of time, and the index has no dates.
    NotImplementedError
        When computing: a neighbour has fewer rows.
    """
    from samite.dataframe.io.from_pandas import from_pandas

    def held(value: Any) -> Any:
        if isinstance(value, (pd.DataFrame, pd.Series)):
            value = from_pandas(value, npartitions=1)
        return operand_of(value)

    if not isinstance(df, (FrameBase, pd.DataFrame, pd.Series)):
        raise TypeError(f"map_overlap takes a frame or series, got {type(df).__name__}")
    names = tuple(kwargs)
    operands = [held(value) for value in (df, *args, *kwargs.values())]
    index = operands[0]._meta.index
    before, after = _width(before, index), _width(after, index)
    if align_dataframes:
        operands = aligned(*operands)
    if meta is no_default:
        positional = operands[: len(operands) - len(names)]
        keywords = dict(zip(names, operands[len(positional) :], strict=True))
        meta = make_meta(
            emulate(func, *positional, udf=True, **keywords), parent_meta=operands[0]._meta
        )
    else:
        meta = make_meta(meta, index=index, parent_meta=operands[0]._meta)
    most = max(frame.npartitions for frame in frames_among(operands))
    operands = [
        WithNeighbours(operand, before, after, True)
        if isinstance(operand, FrameExpr)
        and operand.ndim > 0
        and (operand.npartitions == most or operand is operands[0])
        else operand
        for operand in operands
    ]
    divisions = (None,) * (most + 1) if clear_divisions else None
    return new_collection(
        MapOverlap(func, meta, enforce_metadata, divisions, names, token, *operands)
    )


def _width(value: Any, index: Any) -> Any:
    """A number of rows, or a span of time."""
    if isinstance(value, (str, datetime.timedelta, np.timedelta64)) and not isinstance(value, bool):
        if not isinstance(index, pd.DatetimeIndex):
            raise TypeError(
                "Must have a `DatetimeIndex` when using string offset for `before` and `after`; "
                f"the index has the dtype {index.dtype}"
            )
        span = pd.Timedelta(value)
        if span < pd.Timedelta(0):
            raise ValueError(f"before and after must be positive, got {value!r}")
        return span
    if not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"before and after must be positive integers, got {value!r}")
    return int(value)


def moved(frame: Any, method: str, periods: int, axis: Any) -> Any:
    """``frame.shift(periods)`` or ``frame.diff(periods)``."""
    from samite.dataframe.arguments import axis_number
    from samite.dataframe.elementwise import method_call
    from samite.dataframe.expressions.overlap import OverlappingMethod

    if not isinstance(periods, (int, np.integer)) or isinstance(periods, bool):
        raise TypeError(f"periods must be an integer, got {type(periods).__name__}")
    periods = int(periods)
    if axis_number(frame, axis):
        return method_call(frame, method, periods, axis=1)
    return new_collection(
        OverlappingMethod(
            frame.expr, method, max(periods, 0), max(-periods, 0), ("periods",), periods
        )
    )


def shifted_by_frequency(frame: Any, periods: int, freq: Any) -> Any:
    """``frame.shift(periods, freq=freq)``: the rows stay, their index moves."""
    from samite.dataframe.expressions.bounds import ResolveDivisions
    from samite.dataframe.map_partitions import map_partitions
    from samite.dataframe.shifted_index import moves_evenly

    expr = frame.expr
    index = expr._meta.index
    if not isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex)):
        index.shift(periods, freq=freq)  # raises pandas' error
    result = map_partitions(
        _shift_index, frame, periods, freq, enforce_metadata=False, clear_divisions=True
    )
    if not expr.known_divisions:
        return result
    if isinstance(index, pd.PeriodIndex):
        bounds = pd.PeriodIndex(list(expr.divisions)).shift(periods)
    elif moves_evenly(freq):
        bounds = index[:0].append(pd.Index(list(expr.divisions))).shift(periods, freq=freq)
    else:
        return result
    return new_collection(ResolveDivisions(result.expr, tuple(bounds)))


def _shift_index(part: Any, periods: int, freq: Any) -> Any:
    return part.shift(periods, freq=freq)


def filled(frame: Any, forward: bool, axis: Any, limit: int | None) -> Any:
    """``frame.ffill()`` or ``frame.bfill()``."""
    from samite.dataframe.arguments import axis_number
    from samite.dataframe.elementwise import method_call
    from samite.dataframe.expressions.overlap import FillFromNeighbours, OverlappingMethod

    method = "ffill" if forward else "bfill"
    if axis_number(frame, axis):
        return method_call(frame, method, axis=1, limit=limit)
    if limit is None:
        return new_collection(FillFromNeighbours(frame.expr, forward))
    if not isinstance(limit, (int, np.integer)) or limit <= 0:
        raise ValueError(f"limit must be an integer greater than 0, got {limit!r}")
    limit = int(limit)
    return new_collection(
        OverlappingMethod(
            frame.expr, method, limit if forward else 0, 0 if forward else limit, ("limit",), limit
        )
    )
