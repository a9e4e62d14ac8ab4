"""Summaries of columns, as ``describe`` gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def percentile_labels(percentiles: Any) -> tuple[list[float], list[str]]:
    """Percentiles in order, by default the quartiles, and what pandas calls them.

    Raises
    ------
    ValueError
        One is not between 0 and 1, or there twice.
    """
    given = [0.25, 0.5, 0.75] if percentiles is None else [float(p) for p in percentiles]
    example = pd.Series([0.0, 1.0]).describe(percentiles=given)
    labels = [label for label in example.index if isinstance(label, str) and label.endswith("%")]
    wanted = sorted(set(given))
    return wanted, labels


def numbers(
    count: Any,
    mean: Any,
    std: Any,
    least: Any,
    quantiles: Any,
    most: Any,
    labels: Any,
    name: Any,
    dtype: Any,
) -> pd.Series:
    """The summary of a column of numbers or spans of time."""
    values = [count, mean, std, least, *list(quantiles), most]
    index = ["count", "mean", "std", "min", *labels, "max"]
    return pd.Series(values, index=index, name=name, dtype=dtype)


def moments_in_time(
    count: Any, least: Any, quantiles: Any, most: Any, labels: Any, name: Any
) -> pd.Series:
    """The summary of a column of moments in time."""
    values = [count, least, *list(quantiles), most]
    return pd.Series(values, index=["count", "min", *labels, "max"], name=name, dtype=object)


def labels_of(count: Any, counts: pd.Series, name: Any, dtype: Any) -> pd.Series:
    """The summary of a column of anything else, from how often each value is there."""
    if len(counts):
        values = [count, int((counts > 0).sum()), counts.index[0], counts.iloc[0]]
    else:
        values = [count, 0, np.nan, np.nan]
    return pd.Series(values, index=["count", "unique", "top", "freq"], name=name, dtype=object)


def together(*columns: pd.Series) -> pd.DataFrame:
    """Summaries of columns as one frame, its rows in the order of pandas."""
    rows: list[str] = []
    for column in sorted(columns, key=len):
        rows += [row for row in column.index if row not in rows]
    return pd.concat([column.reindex(rows) for column in columns], axis=1, sort=False)
