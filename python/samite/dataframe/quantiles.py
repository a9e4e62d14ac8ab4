"""Quantiles of columns over all partitions.

A partition is summed up by its values in order, if they are not many, or else by values that lie
at equal distances in that order, each with a weight. Summaries are merged and shortened in the
same way. So quantiles are exact as long as all values fit; beyond, each shortening moves a
quantile by at most half of ``1 / SHORT`` of the rows that it sums up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from samite.dataframe.partition_reductions import numeric_part

# The number of values that a summary may have, and to which it is shortened.
LONG = 200_000
SHORT = 20_000


class Summary(NamedTuple):
    """Values in ascending order and how many each stands for."""

    values: Any
    weights: np.ndarray


def summaries(partition: Any, numeric_only: bool) -> list[Summary]:
    """The summary of each column of a partition."""
    if isinstance(partition, pd.Index):
        partition = partition.to_series()
    if isinstance(partition, pd.Series):
        return [_summary(partition)]
    frame = numeric_part(partition) if numeric_only else partition
    return [_summary(frame.iloc[:, i]) for i in range(frame.shape[1])]


def _summary(column: pd.Series) -> Summary:
    values = column.dropna().sort_values(ignore_index=True)
    return _shortened(Summary(values, np.ones(len(values))))


def _shortened(summary: Summary) -> Summary:
    values, weights = summary
    if len(values) <= LONG:
        return summary
    ends = np.cumsum(weights)
    total = ends[-1]
    # The least and the greatest value are kept as they are.
    middles = (np.arange(SHORT) + 0.5) * (total / SHORT)
    places = np.searchsorted(ends, middles)
    places[0], places[-1] = 0, len(values) - 1
    return Summary(values.take(places).reset_index(drop=True), np.full(SHORT, total / SHORT))


def join_summaries(parts: Sequence[list[Summary]]) -> list[Summary]:
    """The summaries of several partitions together."""
    joined = []
    for columns in zip(*parts, strict=True):
        filled = [summary for summary in columns if len(summary.values)] or columns[:1]
        if len(filled) == 1:
            joined.append(filled[0])
            continue
        values = pd.concat([summary.values for summary in filled], ignore_index=True)
        weights = np.concatenate([summary.weights for summary in filled])
        order = values.argsort(kind="stable").to_numpy()
        joined.append(
            _shortened(Summary(values.take(order).reset_index(drop=True), weights[order]))
        )
    return joined


def finish_quantiles(
    parts: Sequence[list[Summary]],
    q: Any,
    columns: Any,
    name: Any,
    dtypes: Sequence[Any],
) -> Any:
    """The quantiles: a value, a series or a frame, as pandas gives them for ``q``."""
    single = np.isscalar(q)
    wanted = [q] if single else list(q)
    found = [
        _quantiles(summary, wanted, dtype)
        for summary, dtype in zip(join_summaries(parts), dtypes, strict=True)
    ]
    if columns is None:
        if single:
            return found[0].iloc[0]
        return found[0].set_axis(pd.Index(wanted, dtype=float)).rename(name)
    if single:
        values = [series.iloc[0] for series in found]
        kinds = {series.dtype for series in found}
        dtype = kinds.pop() if len(kinds) == 1 else None
        return pd.Series(values, index=columns, name=q, dtype=dtype if values else float)
    frame = pd.DataFrame(dict(enumerate(found))).set_axis(pd.Index(wanted, dtype=float))
    frame.columns = columns
    return frame


def _quantiles(summary: Summary, wanted: list[float], dtype: Any) -> pd.Series:
    values, weights = summary
    if not len(values) or (weights == 1).all():
        return values.astype(dtype).quantile(wanted)
    # A value stands for the ranks around the middle of its weight.
    ends = np.cumsum(weights)
    middles = ends - (weights + 1) / 2
    middles[0], middles[-1] = 0.0, ends[-1] - 1
    ranks = np.asarray(wanted, dtype=float) * (ends[-1] - 1)
    if values.dtype.kind in "mM":
        numbers = np.interp(ranks, middles, values.array.asi8.astype(float))
        whole = pd.Series(np.round(numbers).astype("int64"))
        return pd.Series(whole.to_numpy().view(f"{values.dtype.kind}8[{values.array.unit}]"))
    numbers = np.interp(ranks, middles, values.to_numpy(dtype=float))
    empty = values.iloc[:2].quantile(wanted)
    return pd.Series(numbers).astype(empty.dtype)
