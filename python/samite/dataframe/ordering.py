"""What sorting does with one partition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.joining import concat_partitions


def set_index(frame: Any, on: Any, drop: bool = True, append: bool = False) -> Any:
    """``frame`` with a column, or a series of as many rows, as the index."""
    return frame.set_index(on, drop=drop, append=append)


def sort_index(frame: Any) -> Any:
    """The rows in the order of the index; equal ones as they were."""
    if frame.index.is_monotonic_increasing:
        return frame
    order = stable_order(frame.index)
    return frame.sort_index(kind="stable") if order is None else frame.take(order)


# With fewer rows, it is not worth finding out what the values are.
_MANY = 4096


def stable_order(values: pd.Index | pd.Series, descending: bool = False) -> np.ndarray | None:
    """The positions of values in order, those of equal ones as they are; None where pandas does
    no worse.

    Whole numbers are sorted together with their positions, as numbers of 63 bits, which takes a
    tenth of the time of a stable sort of positions. Where there is no room for that, positions are
    sorted in an order that is not stable, and then those of equal values.
    """
    size = len(values)
    if size < _MANY or not isinstance(values.dtype, np.dtype):
        return None
    array = values.to_numpy()
    if array.dtype.kind == "f" and array.dtype.itemsize == 8:
        return None if np.isnan(array).any() else _order_with_ties(array, descending)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 or array.dtype.kind not in "iumM":
        return None
    if array.dtype.kind in "mM":
        if np.isnat(array).any():
            return None
        array = array.view("int64")
    least, greatest = int(array.min()), int(array.max())
    bits = (size - 1).bit_length()
    if greatest - least >= 1 << (63 - bits):
        return _order_with_ties(array, descending)
    places = greatest - array.astype("int64") if descending else array.astype("int64") - least
    places <<= bits
    places |= np.arange(size)
    places.sort()
    places &= (1 << bits) - 1
    return places


def _order_with_ties(array: np.ndarray, descending: bool) -> np.ndarray:
    order = np.argsort(array)
    if descending:
        order = order[::-1]
    ordered = array[order]
    equal = ordered[1:] == ordered[:-1]
    if not equal.any():
        return order
    runs = np.zeros(len(array), dtype="int64")
    np.cumsum(~equal, out=runs[1:])
    bits = (len(array) - 1).bit_length()
    runs <<= bits
    runs |= order
    runs.sort()
    runs &= (1 << bits) - 1
    return runs


def sort_values(
    frame: Any,
    by: list[Any],
    ascending: Any,
    na_position: str,
    ignore_index: bool,
    function: Any,
    keywords: dict[str, Any] | None,
) -> Any:
    """The rows sorted by columns; equal ones keep their order."""
    if function is not None:
        frame = function(frame, **(keywords or {}))
        return frame.reset_index(drop=True) if ignore_index else frame
    order = None
    if len(by) == 1 and not keywords and _is_plain_column(frame, by[0]):
        ascends = ascending[0] if isinstance(ascending, (list, tuple)) else ascending
        order = stable_order(frame[by[0]], descending=not ascends)
    if order is not None:
        frame = frame.take(order)
        return frame.reset_index(drop=True) if ignore_index else frame
    return frame.sort_values(
        by,
        ascending=ascending,
        na_position=na_position,
        ignore_index=ignore_index,
        kind="stable",
        **(keywords or {}),
    )


def _is_plain_column(frame: Any, label: Any) -> bool:
    return label in frame.columns and isinstance(frame[label], pd.Series)


def end_of_sorted(
    frame: Any, by: list[Any], ascending: Any, na_position: str, n: int, last: bool
) -> Any:
    """The first (or last) ``n`` rows in the order of columns; equal ones keep their order."""
    ordered = sort_values(frame, by, ascending, na_position, False, None, None)
    return ordered.tail(n) if last else ordered.head(n)


def end_of_parts(parts: list[Any], **keywords: Any) -> Any:
    """:func:`end_of_sorted` of several partitions in order."""
    return end_of_sorted(concat_partitions(parts), **keywords)
