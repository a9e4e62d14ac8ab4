"""What groups are formed by: labels, series, indexes and functions, in one form."""

from __future__ import annotations

from typing import Any

import pandas as pd

from samite.dataframe.expressions.node import are_co_aligned
from samite.dataframe.expressions.selection import Projection


def normalized_keys(obj: Any, by: Any) -> list[Any]:
    """The keys as labels of columns and levels, and expressions.

    Raises
    ------
    KeyError
        A label is neither a column nor a level of the index.
    ValueError
        There is no key, or one is a frame.
    NotImplementedError
        A key is a ``pandas.Grouper``, or a series that is not aligned with the frame.
    """
    from samite.dataframe.collections.frame_base import FrameBase

    several = by if isinstance(by, list) else [by]
    if isinstance(by, tuple) and not _is_label(obj, by):
        several = list(by)
    if not several:
        raise ValueError("No group keys passed!")
    keys = []
    for key in several:
        if isinstance(key, pd.Grouper):
            raise NotImplementedError(
                "pd.Grouper is currently not supported by groupby; group by its column, or use "
                "resample for spans of time"
            )
        if isinstance(key, FrameBase):
            keys.append(_series_key(obj, key))
        elif isinstance(key, (pd.Series, pd.DataFrame, pd.Index)):
            raise NotImplementedError(
                f"groupby by a pandas {type(key).__name__} is not supported; make it a collection "
                "with from_pandas, with the divisions of the frame"
            )
        elif _is_label(obj, key):
            keys.append(key)
        elif callable(key):
            keys.append(obj.index.map(key).expr)
        else:
            raise KeyError(key)
    return keys


def _is_label(obj: Any, key: Any) -> bool:
    try:
        hash(key)
    except TypeError:
        return False
    schema = obj.expr._derived_schema
    if schema is not None and schema.ndim == 2 and key in schema.places:
        return True
    meta = obj._meta
    if meta.ndim == 2 and key in meta.columns:
        return True
    return key is not None and key in meta.index.names


def _series_key(obj: Any, key: Any) -> Any:
    if key.ndim != 1:
        raise ValueError(
            f"Grouper for '{type(key).__name__}' not 1-dimensional: group by its columns instead"
        )
    expr = key.expr
    if (
        isinstance(expr, Projection)
        and obj.ndim == 2
        and expr.frame._name == obj.expr._name
        and obj._meta.columns.is_unique
    ):
        return expr.operand("columns")
    frame = obj.expr
    aligned = are_co_aligned(frame, expr) or (
        frame.npartitions == expr.npartitions and frame.divisions == expr.divisions
    )
    if not aligned:
        raise NotImplementedError(
            "groupby is only supported by DataFrames columns and series that are aligned with the "
            f"frame; the key {key._meta.name!r} has other divisions. Make it a column of the frame"
        )
    return expr
