"""Functions of users on every partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from samite.dataframe.collections.frame_base import new_collection
from samite.dataframe.elementwise import aligned, operand_of
from samite.dataframe.expressions.functions import MapPartitions
from samite.dataframe.expressions.node import FrameExpr, frames_among
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.metadata import emulate, make_meta, no_default


def map_partitions(
    func: Callable[..., Any],
    *args: Any,
    meta: Any = no_default,
    enforce_metadata: bool = True,
    transform_divisions: bool = True,
    clear_divisions: bool = False,
    align_dataframes: bool = False,
    parent_meta: Any = None,
    required_columns: Any = None,
    token: str | None = None,
    **kwargs: Any,
) -> Any:
    """Apply a function to the partitions of data frames.

    Parameters
    ----------
    func:
        Called with one partition of each frame among ``args`` and ``kwargs``; what is no
        collection is handed on. If it has a parameter ``partition_info``, it gets a dict with
        the number of the partition and its lower division there.
    meta:
        What ``func`` returns, as :func:`make_meta` takes it. By default ``func`` is called on a
        small made-up example to find out.
    enforce_metadata:
        Whether to check and put right the columns of what ``func`` returns.
    transform_divisions:
        Whether to apply ``func`` to the divisions where it is applied to an index.
    clear_divisions:
        Whether the result has no known divisions.
    align_dataframes:
        Whether to repartition the frames to common divisions first; otherwise their numbers of
        partitions must agree, or be one.

    required_columns:
        The columns that ``func`` reads; it is given no others.

    Raises
    ------
    KeyError
        A required column is not there.
    ValueError
        The frames cannot be aligned, or ``func`` fails on the made-up example.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, got {type(func).__name__}")
    names = tuple(kwargs)
    operands = [operand_of(value) for value in (*args, *kwargs.values())]
    if required_columns is not None:
        operands = [
            Projection(operand, list(required_columns))
            if isinstance(operand, FrameExpr) and operand.ndim == 2
            else operand
            for operand in operands
        ]
    if align_dataframes:
        operands = aligned(*operands)
    wants_place = _has_parameter(func, "partition_info")
    if meta is no_default:
        extra = {"partition_info": {"number": 0, "division": None}} if wants_place else {}
        positional = operands[: len(operands) - len(names)]
        keywords = dict(zip(names, operands[len(positional) :], strict=True))
        found = emulate(func, *positional, udf=True, **keywords, **extra)
        parent = _parent_of(operands) if parent_meta is None else parent_meta
        # Whatever is no description of rows is one value.
        meta = found if isinstance(found, type) else make_meta(found, parent_meta=parent)
    else:
        meta = make_meta(meta, index=_index_of(operands), parent_meta=parent_meta)
    if not getattr(meta, "ndim", 0) and frames_among(operands):
        # One value from each partition: together they are a series.
        meta = series_of_scalar(meta)
        clear_divisions = True
    expr = MapPartitions(func, meta, enforce_metadata, None, wants_place, names, token, *operands)
    divisions = _divisions_of(expr, func, meta, transform_divisions, clear_divisions)
    if divisions is not None:
        expr = MapPartitions(
            func, meta, enforce_metadata, divisions, wants_place, names, token, *operands
        )
    return _collection_of(expr)


def series_of_scalar(meta: Any) -> Any:
    """Metadata of a series of values like ``meta``."""
    import pandas as pd

    return pd.Series([meta]).iloc[:0]


def _collection_of(expr: MapPartitions) -> Any:
    """The collection of partitions: a lazy array where they are arrays."""
    meta = expr._meta
    if getattr(meta, "ndim", 0) and not hasattr(meta, "iloc") and not hasattr(meta, "to_series"):
        from samite.dataframe.arrays import array_of

        return array_of(expr)
    return new_collection(expr)


def _has_parameter(func: Any, name: str) -> bool:
    from samite.utils import has_keyword

    try:
        return has_keyword(func, name)
    except (TypeError, ValueError):
        return False


def _parent_of(operands: list[Any]) -> Any:
    frames = frames_among(operands)
    return frames[0]._meta if frames else None


def _index_of(operands: list[Any]) -> Any:
    for frame in frames_among(operands):
        return (
            frame._meta
            if frame.ndim == 1 and not hasattr(frame._meta, "index")
            else (frame._meta.index)
        )
    return None


def _divisions_of(
    expr: MapPartitions, func: Any, meta: Any, transform: bool, clear: bool
) -> tuple[Any, ...] | None:
    """Divisions that take the place of those of the operands, or None."""
    import pandas as pd

    unknown = (None,) * (expr.npartitions + 1)
    if clear:
        return unknown
    arguments = expr.operands[len(MapPartitions._parameters) :]
    first = arguments[0] if arguments else None
    if transform and isinstance(meta, pd.Index) and isinstance(first, FrameExpr):
        if isinstance(first._meta, pd.Index) and first.known_divisions:
            try:
                found = func(pd.Index(list(first.divisions)), *arguments[1:])
                found = tuple(found)
            except Exception:  # a function of an index need not work on the divisions
                return unknown
            ascending = all(a <= b for a, b in zip(found, found[1:], strict=False))
            return found if ascending and len(found) == len(unknown) else unknown
    return None
