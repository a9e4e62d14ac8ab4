"""Frames of pandas objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.sources import FromPandas, Held


def from_pandas(
    data: Any, npartitions: int | None = None, chunksize: int | None = None, sort: bool = True
) -> Any:
    """A data frame or series of the rows of a pandas object.

    Parameters
    ----------
    data:
        A pandas frame or series.
    npartitions:
        How many partitions to make; there can be fewer, since equal index values stay together.
    chunksize:
        Rows in a partition, in place of ``npartitions``.
    sort:
        Whether to sort by index, which gives known divisions; otherwise the order is kept.

    Raises
    ------
    TypeError
        ``data`` is no pandas frame or series.
    ValueError
        Both or neither of ``npartitions`` and ``chunksize`` are given.
    NotImplementedError
        The index has several levels.
    """
    import pandas as pd

    if isinstance(getattr(data, "index", None), pd.MultiIndex):
        raise NotImplementedError("Dask does not support MultiIndex Dataframes.")
    if not isinstance(data, (pd.DataFrame, pd.Series)):
        raise TypeError(f"Input must be a pandas DataFrame or Series, got {type(data).__name__}.")
    if (npartitions is None) == (chunksize is None):
        raise ValueError("Exactly one of npartitions and chunksize must be specified.")
    size = len(data)
    if sort and not data.index.is_monotonic_increasing:
        data = data.sort_index()
    if chunksize is None:
        chunksize = max(int(np.ceil(size / npartitions)), 1)
    if not sort or not size:
        starts = [*range(0, size, chunksize), size] if size else [0, 0]
        divisions: Any = (None,) * len(starts)
    else:
        starts, divisions = _divided(data.index, chunksize)
    return new_collection(FromPandas(Held(data), starts, divisions))


def _divided(index: Any, chunksize: int) -> tuple[list[int], tuple[Any, ...]]:
    """Where to cut a sorted index, at least ``chunksize`` rows apart and never between equal
    values; and the divisions."""
    starts = [0]
    while starts[-1] < len(index):
        target = starts[-1] + chunksize
        if target >= len(index):
            break
        cut = int(index.searchsorted(index[target], side="left"))
        if cut <= starts[-1]:
            cut = int(index.searchsorted(index[target], side="right"))
        if cut >= len(index):
            break
        starts.append(cut)
    divisions = tuple(index[start] for start in starts) + (index[-1],)
    return [*starts, len(index)], divisions
