"""Functions of groups whose rows are all in one partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from samite.dataframe.groupby.partial_results import External, key_labels, key_values, labelled
from samite.dataframe.methods import empty_like

# Methods whose result in a column depends on that column and the keys alone.
COLUMN_BY_COLUMN = frozenset({"median", "ffill", "bfill", "shift", "nunique", "diff", "rank"})


def grouped_partition(
    frame: pd.DataFrame,
    series: Sequence[Any],
    by: Sequence[Any],
    names: Sequence[Any],
    selected: Any,
    sort: bool,
    dropna: bool,
    observed: bool,
    group_keys: bool,
) -> Any:
    """The grouped frame or series of pandas."""
    keys: list[Any] = []
    added = []
    for key, name in zip(by, names, strict=True):
        if isinstance(key, External):
            value = series[key.position]
            if isinstance(value, pd.Index):
                value = value.to_series(index=frame.index)
            keys.append(value)
        elif isinstance(key, str) and key.startswith("__group_key_"):
            keys.append(frame[key].rename(name))
            added.append(key)
        else:
            keys.append(key)
    if added:
        frame = frame.drop(columns=added)
    if selected is not None and not isinstance(selected, list):
        # A series grouped by labels looks for them among the columns of its frame.
        keys = [
            frame[key] if not isinstance(key, pd.Series) and key in frame.columns else key
            for key in keys
        ]
        frame = frame[selected]
        selected = None
    by_keys = keys[0] if len(keys) == 1 else keys
    grouped = frame.groupby(
        by_keys, sort=sort, dropna=dropna, observed=observed, group_keys=group_keys
    )
    return grouped if selected is None else grouped[selected]


def apply_to_groups(
    frame: pd.DataFrame,
    *series: Any,
    by: Sequence[Any],
    names: Sequence[Any],
    meta: Any,
    function: str,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    selected: Any,
    sort: bool,
    dropna: bool,
    observed: bool,
    group_keys: bool,
    window: Mapping[str, Any] | None,
) -> Any:
    """A method of the grouped partition, or of windows over its groups."""
    if meta is not None and not len(frame):
        return empty_like(meta)
    grouped = grouped_partition(
        frame, series, by, names, selected, sort, dropna, observed, group_keys
    )
    if window is not None:
        grouped = grouped.rolling(**window)
    result = getattr(grouped, function)(*arguments, **keywords)
    return result if meta is None else like_meta(result, meta)


def like_meta(result: Any, meta: Any) -> Any:
    """A result under the name that the metadata has, for series."""
    if isinstance(result, pd.Series) and isinstance(meta, pd.Series) and result.name != meta.name:
        return result.rename(meta.name)
    return result


def group_rows(
    frame: pd.DataFrame, *series: Any, by: Sequence[Any], key: Any, selected: Any, dropna: bool
) -> Any:
    """The rows of one group."""
    values = key_values(frame, by, series)
    wanted = key if isinstance(key, tuple) and len(by) > 1 else (key,)
    if len(wanted) != len(by):
        raise ValueError(
            f"get_group: {len(by)} keys are grouped by, but the name {key!r} has {len(wanted)}"
        )
    mask: Any = None
    for array, value in zip(values, wanted, strict=True):
        column = pd.Series(array)
        found = column.isna() if pd.isna(value) and not dropna else (column == value).fillna(False)
        mask = found if mask is None else mask & found
    rows = frame[mask.to_numpy(dtype=bool)]
    return rows if selected is None else rows[selected]


def end_rows(
    frame: pd.DataFrame, *series: Any, by: Sequence[Any], names: Any, how: str, n: int, dropna: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first or last rows of each group, and their keys."""
    keys = pd.DataFrame(labelled(key_values(frame, by, series)), index=frame.index)
    kept = keys.reset_index(drop=True)
    grouped = kept.groupby(key_labels(len(by)), sort=False, observed=True, dropna=dropna)
    places = getattr(grouped, how)(n).index
    return frame.take(places), kept.take(places)


def join_end_rows(
    parts: Sequence[tuple[pd.DataFrame, pd.DataFrame]], how: str, n: int, dropna: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first or last rows of each group of several partitions."""
    from samite.dataframe.joining import concat_partitions

    frame = concat_partitions([part[0] for part in parts])
    keys = concat_partitions([part[1] for part in parts]).reset_index(drop=True)
    grouped = keys.groupby(list(keys.columns), sort=False, observed=True, dropna=dropna)
    places = getattr(grouped, how)(n).index
    return frame.take(places), keys.take(places)


def finish_end_rows(
    parts: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    how: str,
    n: int,
    dropna: bool,
    selected: Any,
) -> Any:
    """The rows alone."""
    frame, _ = join_end_rows(parts, how, n, dropna)
    return frame if selected is None else frame[selected]


def count_values(
    frame: pd.DataFrame,
    *series: Any,
    by: Sequence[Any],
    column: Any,
    dropna: bool,
    dropna_values: bool,
) -> pd.DataFrame:
    """How often each value is in each group: a frame of keys, values and counts."""
    data = labelled(key_values(frame, by, series), [frame[column].array])
    table = pd.DataFrame(data, index=pd.RangeIndex(len(frame)))
    keys = key_labels(len(by))
    if dropna:
        table = table.dropna(subset=keys)
    if dropna_values:
        table = table.dropna(subset=[len(by)])
    counts = table.groupby([*keys, len(by)], sort=False, observed=True, dropna=False).size()
    return counts.rename(len(by) + 1).reset_index()


def join_counts(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Counts of several partitions together."""
    from samite.dataframe.joining import concat_partitions

    table = concat_partitions(list(parts))
    *keys, count = table.columns
    sums = table.groupby(keys, sort=False, observed=True, dropna=False)[count].sum()
    return sums.reset_index()


def finish_counts(
    parts: Sequence[pd.DataFrame],
    names: Sequence[Any],
    column: Any,
    sort_groups: bool,
    sort: bool,
    ascending: bool,
    normalize: bool,
    dtype: Any,
) -> pd.Series:
    """Counts as pandas gives them: groups in order, in them values by how often they are there."""
    table = join_counts(parts)
    *keys, value, count = table.columns
    if normalize:
        totals = table.groupby(keys, sort=False, observed=True, dropna=False)[count]
        table[count] = table[count] / totals.transform("sum")
    if sort:
        table = table.sort_values(count, ascending=ascending, kind="stable")
    if sort_groups:
        table = table.sort_values(keys, kind="stable")
    index = pd.MultiIndex.from_arrays(
        [table[label].array for label in (*keys, value)], names=[*names, column]
    )
    name = "proportion" if normalize else "count"
    return pd.Series(table[count].array, index=index, name=name, dtype=dtype)
