"""Running sums, products and extremes that go on from partition to partition."""

from __future__ import annotations

from typing import Any

import pandas as pd


def run(partition: Any, before: Any, how: str, skipna: bool) -> Any:
    """The running results of a partition; ``before`` is the row where it begins, or None."""
    partition = _numbers(partition, how)
    if before is None or not len(before) or not len(partition):
        return getattr(partition, how)(skipna=skipna)
    whole = pd.concat([before, partition])
    return getattr(whole, how)(skipna=skipna).iloc[len(before) :]


def end(partition: Any, how: str, skipna: bool) -> Any:
    """The results of a partition alone at its end, as a row, or none if it is empty."""
    result = getattr(_numbers(partition, how), how)(skipna=skipna)
    return (result.ffill() if skipna else result).iloc[-1:]


def reached(before: Any, end: Any, how: str, skipna: bool) -> Any:
    """The results at the end of a partition, from those at its beginning."""
    if not len(before):
        return end
    return before if not len(end) else _last(run(end, before, how, skipna), before, skipna)


def _last(result: Any, before: Any, skipna: bool) -> Any:
    if not skipna:
        return result
    # Where the partition has no value, what was reached before stays.
    return pd.concat([before, result]).ffill().iloc[-1:]


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
