"""Covariances and correlations of pairs of columns, by group.

A partial result has for each pair of columns the number of rows where both are there, their
means, and the sums of products of deviations; they are joined as in
:mod:`samite.dataframe.moments`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.groupby.partial_results import (
    group_numbers,
    key_labels,
    key_values,
    labelled,
    with_keys,
)
from samite.dataframe.joining import concat_partitions
from samite.dataframe.moments import floats_of

# Of a pair: the count, two means, the sum of products, two sums of squares.
_FIELDS = 6


def pairs(columns: int) -> list[tuple[int, int]]:
    """The pairs of columns, each once."""
    return list(itertools.combinations_with_replacement(range(columns), 2))


def chunk(
    frame: pd.DataFrame, *series: Any, by: Sequence[Any], columns: Sequence[Any], dropna: bool
) -> pd.DataFrame:
    """The partial result of a partition: keys, then the fields of each pair."""
    return chunk_of_groups(frame, key_values(frame, by, series), columns, dropna)


def chunk_of_groups(
    frame: pd.DataFrame, keys: Sequence[Any], columns: Sequence[Any], dropna: bool
) -> pd.DataFrame:
    """:func:`chunk` of keys that are there as arrays."""
    table = pd.DataFrame(labelled(keys), index=pd.RangeIndex(len(frame)))
    grouped = table.groupby(list(table.columns), sort=False, observed=True, dropna=dropna)
    index = grouped.size().index
    groups = len(index)
    codes = group_numbers(grouped)
    kept = codes >= 0
    codes = codes[kept]
    values = [floats_of(frame[column])[kept] for column in columns]
    found: list[np.ndarray] = []
    for i, j in pairs(len(columns)):
        both = ~(np.isnan(values[i]) | np.isnan(values[j]))
        place, x, y = codes[both], values[i][both], values[j][both]
        count = np.bincount(place, minlength=groups).astype(float)
        with np.errstate(all="ignore"):
            safe = np.where(count == 0, 1.0, count)
            mean_x = np.bincount(place, weights=x, minlength=groups) / safe
            mean_y = np.bincount(place, weights=y, minlength=groups) / safe
            dx, dy = x - mean_x[place], y - mean_y[place]
        found += [
            count,
            mean_x,
            mean_y,
            np.bincount(place, weights=dx * dy, minlength=groups),
            np.bincount(place, weights=dx * dx, minlength=groups),
            np.bincount(place, weights=dy * dy, minlength=groups),
        ]
    return with_keys(index, found)


def combine(parts: Sequence[pd.DataFrame], count: int, columns: int, dropna: bool) -> pd.DataFrame:
    """Partial results of several partitions as one."""
    index, fields = _joined(parts, count, columns, False, True, dropna)
    return with_keys(index, fields)


def _joined(
    parts: Sequence[pd.DataFrame],
    count: int,
    columns: int,
    sort: bool,
    observed: bool,
    dropna: bool,
) -> tuple[pd.Index, list[np.ndarray]]:
    table = concat_partitions(list(parts))
    by = key_labels(count)
    grouped = table.groupby(by, sort=sort, observed=True, dropna=dropna)
    index = grouped.size().index
    groups = len(index)
    codes = group_numbers(grouped)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(codes, weights=values, minlength=groups)

    joined: list[np.ndarray] = []
    for number in range(len(pairs(columns))):
        start = count + number * _FIELDS
        n, mx, my, xy, xx, yy = (table[start + k].to_numpy(dtype=float) for k in range(_FIELDS))
        counts = total(n)
        with np.errstate(all="ignore"):
            safe = np.where(counts == 0, 1.0, counts)
            mean_x, mean_y = total(n * mx) / safe, total(n * my) / safe
            dx = np.where(n == 0, 0.0, mx - mean_x[codes])
            dy = np.where(n == 0, 0.0, my - mean_y[codes])
        joined += [
            counts,
            mean_x,
            mean_y,
            total(xy + n * dx * dy),
            total(xx + n * dx * dx),
            total(yy + n * dy * dy),
        ]
    if not observed:
        # Groups without rows have no number, so they are added afterwards.
        every = table.groupby(by, sort=sort, observed=False, dropna=dropna).size().index
        joined = [
            pd.Series(field, index=index).reindex(every, fill_value=0.0).to_numpy()
            for field in joined
        ]
        index = every
    return index, joined


def finish(
    parts: Sequence[pd.DataFrame],
    how: str,
    names: Sequence[Any],
    columns: Sequence[Any],
    column_names: Sequence[Any],
    sort: bool,
    observed: bool,
    dropna: bool,
    ddof: int,
) -> pd.DataFrame:
    """A square of values for each group: rows by group and column, and columns."""
    width = len(columns)
    index, fields = _joined(parts, len(names), width, sort, observed, dropna)
    groups = len(index)
    square = np.empty((groups, width, width))
    for number, (i, j) in enumerate(pairs(width)):
        n, _, _, xy, xx, yy = fields[number * _FIELDS : (number + 1) * _FIELDS]
        with np.errstate(all="ignore"):
            if how == "cov":
                value = np.where(n > ddof, xy / (n - ddof), np.nan)
            else:
                value = np.where(n > 1, xy / np.sqrt(xx * yy), np.nan)
                value = np.clip(value, -1.0, 1.0)
        square[:, i, j] = square[:, j, i] = value
    labels = pd.Index(columns, name=column_names[0] if len(column_names) == 1 else None)
    repeated = index.repeat(width)
    levels = (
        [repeated.get_level_values(k) for k in range(repeated.nlevels)]
        if isinstance(repeated, pd.MultiIndex)
        else [repeated]
    )
    inner = pd.Index(list(columns) * groups, dtype=labels.dtype)
    rows = pd.MultiIndex.from_arrays([*levels, inner], names=[*names, labels.name])
    return pd.DataFrame(square.reshape(groups * width, width), index=rows, columns=labels)


# -- without groups ------------------------------------------------------------------------------


def chunk_of_all(frame: pd.DataFrame) -> pd.DataFrame:
    """The partial result of all rows of a partition as one group."""
    values = [floats_of(frame.iloc[:, i]) for i in range(frame.shape[1])]
    present = [~np.isnan(column) for column in values]
    complete = [bool(mask.all()) for mask in present]
    found: list[np.ndarray] = []
    for i, j in pairs(len(values)):
        x, y = values[i], values[j]
        if not (complete[i] and complete[j]):
            both = present[i] & present[j]
            x, y = x[both], y[both]
        if not len(x):
            found += [np.zeros(1)] * _FIELDS
            continue
        with np.errstate(all="ignore"):
            mean_x, mean_y = x.mean(), y.mean()
            dx, dy = x - mean_x, y - mean_y
            products = (np.dot(dx, dy), np.dot(dx, dx), np.dot(dy, dy))
        found += [np.array([value]) for value in (float(len(x)), mean_x, mean_y, *products)]
    rows = 1 if len(frame) else 0
    index = pd.Index(np.zeros(rows, dtype="int64"))
    return with_keys(index, [field[:rows] for field in found])


def finish_all(
    parts: Sequence[pd.DataFrame], how: str, columns: Any, min_periods: int, scalar: bool
) -> Any:
    """The square of values; the one of the first two columns if ``scalar``."""
    width = len(columns)
    index, fields = _joined(parts, 1, width, True, True, True)
    square = np.full((width, width), np.nan)
    for number, (i, j) in enumerate(pairs(width)):
        if not len(index):
            break
        n, _, _, xy, xx, yy = (f[0] for f in fields[number * _FIELDS : (number + 1) * _FIELDS])
        if n < max(min_periods, 2 if how == "cov" else 1):
            continue
        with np.errstate(all="ignore"):
            value = xy / (n - 1) if how == "cov" else np.clip(xy / np.sqrt(xx * yy), -1.0, 1.0)
        square[i, j] = square[j, i] = value
    if scalar:
        return np.float64(square[0, 1])
    return pd.DataFrame(square, index=columns, columns=columns)
