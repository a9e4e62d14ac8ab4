"""Running sums, products and extremes that go on from partition to partition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def run(partition: Any, before: Any, how: str, skipna: bool) -> Any:
    """The running results of a partition; ``before`` is the row where it begins, or None."""
    partition = _numbers(partition, how)
    if before is None or not len(before) or not len(partition):
        return getattr(partition, how)(skipna=skipna)
    whole = pd.concat([before, partition])
    result = getattr(whole, how)(skipna=skipna).iloc[len(before) :]
    return _filled(result, _undefined(before, how, skipna), np.nan)


def end(partition: Any, how: str, skipna: bool) -> Any:
    """The results of a partition alone at its end, as a row, or none if it is empty.

    Sums and products of floats that skip what is missing have a number here where there is no
    value. What is no number is the result of both infinities, and stays so for all further rows.
    """
    partition = _numbers(partition, how)
    result = getattr(partition, how)(skipna=skipna)
    if not skipna:
        return result.iloc[-1:]
    last = result.ffill().iloc[-1:]
    if how not in NEUTRAL:
        return last
    for place in _plain_floats(last, how):
        given, found = _column(partition, place), _column(result, place)
        if (found.isna() & given.notna()).any():
            last = _filled(last, [place], np.nan)
        elif not given.notna().any():
            last = _filled(last, [place], NEUTRAL[how])
    return last


def reached(before: Any, end: Any, how: str, skipna: bool) -> Any:
    """The results at the end of a partition, from those at its beginning."""
    if not len(before):
        return end
    return before if not len(end) else _last(run(end, before, how, skipna), before, how, skipna)


def _last(result: Any, before: Any, how: str, skipna: bool) -> Any:
    if not skipna:
        return result
    # Where the partition has no value, what was reached before stays.
    last = pd.concat([before, result]).ffill().iloc[-1:]
    return _filled(last, _undefined(result, how, skipna), np.nan)


NEUTRAL = {"cumsum": 0.0, "cumprod": 1.0}


def _plain_floats(rows: Any, how: str) -> list[Any]:
    """The places of the columns of sums and products of floats; 0 of a series."""
    if how not in NEUTRAL:
        return []
    dtypes = [rows.dtype] if rows.ndim == 1 else rows.dtypes
    return [place for place, dtype in enumerate(dtypes) if _is_plain_float(dtype)]


def _column(rows: Any, place: int) -> Any:
    return rows if rows.ndim == 1 else rows.iloc[:, place]


def _undefined(row: Any, how: str, skipna: bool) -> list[int]:
    """The places of the columns whose result so far is no number."""
    if not skipna:
        return []
    return [p for p in _plain_floats(row, how) if _column(row, p).isna().any()]


def _filled(rows: Any, places: list[int], value: float) -> Any:
    """The rows with some columns filled with a value."""
    if not places:
        return rows
    if rows.ndim == 1:
        return pd.Series(value, index=rows.index, dtype=rows.dtype, name=rows.name)
    rows = rows.copy()
    for place in places:
        rows.isetitem(place, np.full(len(rows), value, dtype=rows.dtypes.iloc[place]))
    return rows


def _is_plain_float(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "f"


def _numbers(partition: Any, how: str) -> Any:
    """The partition with booleans as the numbers that sums and products take them for."""
    if how not in ("cumsum", "cumprod"):
        return partition
    if isinstance(partition, pd.Series):
        return partition.astype("int64") if _is_plain_boolean(partition.dtype) else partition
    labels = [label for label, dtype in partition.dtypes.items() if _is_plain_boolean(dtype)]
    return partition.astype(dict.fromkeys(labels, "int64")) if labels else partition


def _is_plain_boolean(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") == "b" and not pd.api.types.is_extension_array_dtype(dtype)
