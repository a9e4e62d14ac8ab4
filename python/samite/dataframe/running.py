"""Running sums, products and extremes that go on from partition to partition."""

from __future__ import annotations

from typing import Any

import pandas as pd


def run(partition: Any, before: Any, how: str, skipna: bool) -> Any:
    """The running results of a partition; ``before`` is the row where it begins, or None."""
    if before is None or not len(before) or not len(partition):
        return getattr(partition, how)(skipna=skipna)
    whole = pd.concat([before, partition])
    return getattr(whole, how)(skipna=skipna).iloc[len(before) :]


def end(partition: Any, how: str, skipna: bool) -> Any:
    """The results of a partition alone at its end, as a row, or none if it is empty."""
    result = getattr(partition, how)(skipna=skipna)
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
