"""Running totals of groups that go on from partition to partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.groupby.partial_results import key_labels, key_values, labelled

_TOTALS = {"cumsum": "sum", "cumprod": "prod", "cummin": "min", "cummax": "max"}


def _selection(frame: pd.DataFrame, by: Sequence[Any], how: str, selected: Any) -> list[Any]:
    if how == "cumcount":
        return []
    if selected is None:
        return [c for c in frame.columns if c not in by]
    return selected if isinstance(selected, list) else [selected]


def totals(
    frame: pd.DataFrame,
    *series: Any,
    by: Sequence[Any],
    how: str,
    selected: Any,
    dropna: bool,
    before: pd.DataFrame | None,
) -> pd.DataFrame:
    """The totals of the groups up to the end of a partition: keys, then a column for each."""
    columns = _selection(frame, by, how, selected)
    keys = key_labels(len(by))
    data = labelled(key_values(frame, by, series), [frame[c].array for c in columns])
    table = pd.DataFrame(data, index=pd.RangeIndex(len(frame)))
    grouped = table.groupby(keys, sort=False, observed=True, dropna=dropna)
    if how == "cumcount":
        found = grouped.size().rename(len(by)).reset_index()
    else:
        found = getattr(grouped, _TOTALS[how])().reset_index()
    if before is None or not len(before):
        return found
    from samite.dataframe.joining import concat_partitions

    joined = concat_partitions([before, found])
    again = joined.groupby(keys, sort=False, observed=True, dropna=dropna)
    return getattr(again, _TOTALS.get(how, "sum"))().reset_index()


def run(
    frame: pd.DataFrame,
    *series: Any,
    by: Sequence[Any],
    how: str,
    selected: Any,
    dropna: bool,
    before: pd.DataFrame | None,
) -> Any:
    """The running totals of a partition; ``before`` are the totals where it begins."""
    columns = _selection(frame, by, how, selected)
    count = len(by)
    keys = key_labels(count)
    data = labelled(key_values(frame, by, series), [frame[c].array for c in columns])
    table = pd.DataFrame(data, index=pd.RangeIndex(len(frame)))
    grouped = table.groupby(keys, sort=False, observed=True, dropna=dropna)
    result = grouped.cumcount().to_frame(count) if how == "cumcount" else getattr(grouped, how)()
    if before is not None and len(before) and len(frame):
        places = _places(table[keys], before[keys])
        known = places >= 0
        for label in result.columns:
            offsets = before[label].array.take(np.where(known, places, 0))
            current = result[label]
            moved = _moved(current, offsets, how)
            result[label] = current.where(~known, moved)
    result.index = frame.index
    if how == "cumcount":
        return result[count].rename(None)
    result.columns = pd.Index(columns, name=frame.columns.name)
    if selected is not None and not isinstance(selected, list):
        return result.iloc[:, 0]
    return result


def _moved(current: pd.Series, offsets: Any, how: str) -> pd.Series:
    """Results of a partition alone as they are after those at its beginning."""
    if how not in ("cummin", "cummax"):
        return current * offsets if how == "cumprod" else current + offsets
    before = pd.Series(offsets, index=current.index)
    stays = current <= before if how == "cummin" else current >= before
    return current.where(stays | current.isna() | before.isna(), before)


def _places(keys: pd.DataFrame, among: pd.DataFrame) -> np.ndarray:
    """For each row of ``keys`` the row of ``among`` with the same values, or -1."""
    numbered = among.assign(__place__=np.arange(len(among)))
    merged = keys.merge(numbered, how="left", on=list(keys.columns), validate="many_to_one")
    return merged["__place__"].fillna(-1).to_numpy(dtype=np.intp)
