"""Moving rows between partitions by their keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.expressions.node import are_co_aligned
from samite.dataframe.expressions.selection import IndexOf, Projection
from samite.dataframe.expressions.shuffle import Shuffle, shuffle_method
from samite.dataframe.hashing import partition_numbers


def partitioning_index(df: Any, npartitions: int, cast_dtype: Any = None) -> np.ndarray:
    """For each row of a pandas object the partition, of ``npartitions``, that a shuffle by its
    values puts it in."""
    if cast_dtype is not None:
        df = df.astype(cast_dtype, errors="ignore")
    return partition_numbers(df, npartitions)


def shuffled(
    frame: Any,
    on: Any,
    ignore_index: bool,
    npartitions: int | None,
    method: str | None,
    on_index: bool,
    force: bool,
    options: dict[str, Any],
) -> Any:
    """See :meth:`DataFrame.shuffle`."""
    if on is None and not on_index:
        raise TypeError("Must shuffle on either columns or the index; give on= or on_index=True")
    if on is not None and on_index:
        raise TypeError("Cannot shuffle on both columns and the index; give one of them")
    if npartitions is not None and npartitions < 1:
        raise ValueError(f"npartitions must be at least 1, got {npartitions!r}")
    shuffle_method(method)
    count = npartitions or frame.npartitions
    keys = None if on_index else _keys(frame, on)
    return new_collection(
        Shuffle(frame.expr, keys, count, bool(ignore_index), method, dict(options))
    )


def _keys(frame: Any, on: Any) -> Any:
    """Labels, an expression, or None for the index."""
    if isinstance(on, FrameBase):
        expr = on.expr
        if not are_co_aligned(frame.expr, expr) and expr.npartitions != frame.npartitions:
            raise TypeError(
                "index must be aligned with the DataFrame to shuffle on it; it has "
                f"{expr.npartitions} partitions and the frame {frame.npartitions}"
            )
        if isinstance(expr, IndexOf) and expr.frame._name == frame.expr._name:
            return None
        if isinstance(expr, Projection) and expr.frame._name == frame.expr._name:
            return list(expr.columns)
        return expr
    meta = frame._meta
    columns = list(meta.columns) if meta.ndim == 2 else [meta.name]
    if isinstance(on, list) or (hasattr(on, "__iter__") and not isinstance(on, (str, tuple))):
        labels = list(on)
    elif isinstance(on, tuple) and on not in columns:
        labels = list(on)
    else:
        labels = [on]
    index_name = getattr(getattr(meta, "index", meta), "name", None)
    if len(labels) == 1 and labels[0] not in columns and labels[0] == index_name:
        return None
    missing = [label for label in labels if label not in columns]
    if missing:
        raise KeyError(f"Cannot shuffle on {missing}: there are no such columns")
    if meta.ndim == 1:
        return frame.expr
    return labels
