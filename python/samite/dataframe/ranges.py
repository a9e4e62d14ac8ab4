"""Bounds that cut values into ranges of about equal numbers of rows.

Each partition gives a sample: values at even distances in its sorted order, which stand for equal
numbers of rows. The bounds are quantiles of the samples of all partitions, weighted by what
they stand for. Nothing is random, so that the same data has the same bounds in every process.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from samite.dataframe.partitioning import bytes_of_partition

# How many values of the samples stand for a partition that is to be made.
_SAMPLES_PER_RANGE = 64
_LEAST_SAMPLES = 32
_MOST_SAMPLES = 1 << 14


class Ranges(NamedTuple):
    """What is known of values by partition, and where to cut them."""

    # Bounds of ranges, ascending, without repetition; empty if there are no values.
    bounds: tuple[Any, ...]
    # The least and greatest values of the partitions, None where there are no rows.
    least: tuple[Any, ...]
    greatest: tuple[Any, ...]
    # Whether the values of each partition are less than all in the next, and none is missing.
    presorted: bool
    has_missing: bool


_found: OrderedDict[tuple[Any, ...], Ranges] = OrderedDict()
_KEPT = 16


def ranges_of(
    values: Any, count: int | None, upsample: float = 1.0, partition_size: float = 128e6
) -> Ranges:
    """Find ranges of the values of an expression of a series or index, by computing samples.

    Parameters
    ----------
    count:
        How many ranges; None for as many as there are partitions of ``partition_size`` bytes.
    upsample:
        How many times more values than usual to take into the samples.
    """
    key = (values._name, count, upsample, partition_size)
    if key in _found:
        _found.move_to_end(key)
        return _found[key]
    result = _computed(values, count, upsample, partition_size)
    _found[key] = result
    while len(_found) > _KEPT:
        _found.popitem(last=False)
    return result


def _computed(values: Any, count: int | None, upsample: float, partition_size: float) -> Ranges:
    from samite.dataframe.collections.frame_base import new_collection
    from samite.dataframe.map_partitions import map_partitions

    wanted = count or values.npartitions
    size = int(_SAMPLES_PER_RANGE * wanted * upsample / values.npartitions)
    size = min(max(size, int(_LEAST_SAMPLES * upsample), 2), _MOST_SAMPLES)
    rows = map_partitions(
        described,
        new_collection(values),
        size,
        meta=described(values._meta, size).iloc[:0],
        enforce_metadata=False,
        clear_divisions=True,
    ).compute()
    samples = [sample for sample in rows["sample"] if len(sample)]
    least, greatest = tuple(rows["least"]), tuple(rows["greatest"])
    has_missing = bool((rows["filled"] < rows["rows"]).any())
    if not samples:
        return Ranges((), least, greatest, False, has_missing)
    if count is None:
        wanted = max(int(np.ceil(rows["bytes"].sum() / partition_size)), 1)
    weights = np.concatenate(
        [
            np.full(len(sample), filled / len(sample))
            for sample, filled in zip(rows["sample"], rows["filled"], strict=True)
            if len(sample)
        ]
    )
    whole = pd.concat(samples, ignore_index=True)
    keys = sort_keys(whole)
    order = np.argsort(keys, kind="stable")
    whole, keys = whole.iloc[order], keys[order]
    passed = np.cumsum(weights[order])
    steps = passed[-1] * np.arange(1, wanted) / wanted
    places = np.minimum(np.searchsorted(passed, steps, side="left"), len(whole) - 1)
    chosen = [0, *places.tolist(), len(whole) - 1]
    bounds = _distinct(whole, keys, chosen, wanted)
    presorted = not has_missing and _ascends(rows["first"], rows["last"])
    return Ranges(bounds, least, greatest, presorted, has_missing)


def _ascends(first: Any, last: Any) -> bool:
    """Whether each partition has rows, whose values are less than those of the next."""
    pairs = list(zip(first, last, strict=True))
    if any(pair[0] is None for pair in pairs):
        return False
    return all(a[1] < b[0] for a, b in itertools.pairwise(pairs))


def _distinct(whole: Any, keys: Any, chosen: list[int], wanted: int) -> tuple[Any, ...]:
    kept = [chosen[0]]
    kept += [b for a, b in itertools.pairwise(chosen) if keys[a] != keys[b]]
    bounds = [whole.iloc[place] for place in kept]
    if len(bounds) == 1:
        # One value only: a range that begins and ends with it.
        return (bounds[0], bounds[0])
    kind = getattr(whole.dtype, "kind", "O")
    if len(bounds) <= wanted and kind == "f":
        # Many rows have the same few values; what is between them is cut instead.
        places = np.linspace(0, len(bounds) - 1, wanted + 1)
        return tuple(np.interp(places, np.arange(len(bounds)), np.asarray(bounds, dtype=float)))
    return tuple(bounds)


def sort_keys(values: Any) -> np.ndarray:
    """What sorts like ``values``, which has no missing ones: numbers or objects."""
    array = getattr(values, "array", values)
    if isinstance(array.dtype, pd.CategoricalDtype):
        return np.asarray(array.codes)
    kind = getattr(array.dtype, "kind", "O")
    if kind in "mM" and not isinstance(array.dtype, pd.ArrowDtype):
        return np.asarray(array.astype("int64") if kind == "m" else array.asi8)
    if kind in "biuf":
        return np.asarray(array)
    return np.asarray(array, dtype=object)


def described(values: Any, size: int) -> pd.DataFrame:
    """One row about the values of a partition, with a sample of at most ``size`` of them."""
    series = values if isinstance(values, pd.Series) else values.to_series()
    series = series.reset_index(drop=True)
    filled = series.dropna()
    sample = filled
    first = last = least = greatest = None
    if len(filled):
        length = len(filled)
        taken = min(size, length)
        places = np.unique(
            np.concatenate(
                [[0], ((np.arange(taken) + 0.5) * length / taken).astype(np.int64), [length - 1]]
            )
        )
        if isinstance(filled.dtype, np.dtype) and filled.dtype.kind in "iufmM":
            # Values are sorted in a fraction of the time that their positions take.
            sample = pd.Series(np.sort(filled.to_numpy())[places], name=filled.name)
        else:
            order = np.argsort(sort_keys(filled), kind="stable")
            sample = filled.iloc[order[places]].reset_index(drop=True)
        least, greatest = sample.iloc[0], sample.iloc[-1]
        keys = sort_keys(sample)
        first, last = keys[0], keys[-1]
    entries = {
        "first": first,
        "last": last,
        "least": least,
        "greatest": greatest,
        "sample": sample,
    }
    row = pd.DataFrame({name: _held(value) for name, value in entries.items()})
    row["rows"] = len(series)
    row["filled"] = len(filled)
    row["bytes"] = bytes_of_partition(series)
    return row


def _held(value: Any) -> pd.Series:
    cell = np.empty(1, dtype=object)
    cell[0] = value
    return pd.Series(cell, dtype=object)
