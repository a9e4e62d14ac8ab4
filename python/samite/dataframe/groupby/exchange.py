"""Partial results of groups cut into pieces, so that each group's rows meet in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from samite.dataframe.groupby.partial_results import Partial, key_labels
from samite.dataframe.joining import concat_partitions
from samite.dataframe.methods import empty_like

_SAMPLE = 1000


def no_rows(meta: Any) -> Any:
    """A partition without rows."""
    return empty_like(meta)


class Bounds(NamedTuple):
    """Values of the first key that cut the groups; places among ``categories`` if it has any."""

    values: Any
    categories: pd.Index | None


def bounds(parts: Sequence[Partial], count: int) -> Bounds | None:
    """Bounds of ``count`` pieces of about equal size; None if the values have no order."""
    samples = []
    for part in parts:
        keys = part.frame[key_labels(1)[0]].dropna()
        samples.append(keys.iloc[:: max(len(keys) // _SAMPLE, 1)])
    keys = concat_partitions(samples)
    categories = None
    if isinstance(keys.dtype, pd.CategoricalDtype):
        categories = keys.cat.categories
        keys = keys.cat.codes
    try:
        values = keys.sort_values(ignore_index=True)
    except TypeError:
        return None
    if not len(values):
        return None
    places = (np.arange(1, count) * len(values)) // count
    return Bounds(values.iloc[places], categories)


def split_partial(part: Partial, count: int, keys: int, bounds: Bounds | None) -> list[Partial]:
    """``count`` partial results, by ranges of the first key or by the hash of all."""
    frames = [_split(frame, keys, count, bounds) for frame in (part.frame, *part.distinct)]
    return [
        Partial(frames[0][place], part.widths, tuple(frame[place] for frame in frames[1:]))
        for place in range(count)
    ]


def _split(frame: pd.DataFrame, keys: int, count: int, bounds: Bounds | None) -> list[pd.DataFrame]:
    places = _places(frame, keys, count, bounds)
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(count + 1))
    taken = frame.take(order)
    return [taken.iloc[ends[i] : ends[i + 1]].reset_index(drop=True) for i in range(count)]


def _places(frame: pd.DataFrame, keys: int, count: int, bounds: Bounds | None) -> np.ndarray:
    if bounds is None:
        hashed = pd.util.hash_pandas_object(frame[key_labels(keys)], index=False)
        return (hashed.to_numpy() % np.uint64(count)).astype(np.intp)
    values = frame[key_labels(1)[0]]
    if bounds.categories is not None:
        codes = pd.Categorical(values, categories=bounds.categories).codes
        values = pd.Series(codes).mask(codes < 0)
    missing = values.isna().to_numpy()
    places = np.full(len(frame), count - 1, dtype=np.intp)
    present = values[~missing]
    places[~missing] = np.searchsorted(bounds.values.array, present.array, side="right")
    return places
