"""Frames of pandas objects."""

from __future__ import annotations

import itertools
from typing import Any

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.sources import FromPandas, Held
from samite.dataframe.io.dividing import even_starts, sorted_division_locations
from samite.dataframe.strings import with_arrow_strings


def from_pandas(
    data: Any, npartitions: int | None = None, sort: bool = True, chunksize: int | None = None
) -> Any:
    """A data frame or series of the rows of a pandas object.

    Parameters
    ----------
    data:
        A pandas frame or series.
    npartitions:
        How many partitions to make, by default one; there can be fewer, since equal index values
        stay together.
    sort:
        Whether to sort by index, which gives known divisions; otherwise the order is kept, and
        divisions are known if the index is sorted already.
    chunksize:
        Rows in a partition, in place of ``npartitions``.

    Raises
    ------
    TypeError
        ``data`` is no pandas frame or series, or a number is no integer.
    ValueError
        Both of ``npartitions`` and ``chunksize`` are given.
    NotImplementedError
        The index has several levels, or is not of numbers and has missing values.
    """
    import pandas as pd

    if isinstance(getattr(data, "index", None), pd.MultiIndex):
        raise NotImplementedError(
            "Dask does not support MultiIndex Dataframes; use reset_index() first"
        )
    if not isinstance(data, (pd.DataFrame, pd.Series)):
        raise TypeError(f"Input must be a pandas DataFrame or Series, got {type(data).__name__}.")
    _check_counts(npartitions, chunksize)
    index = data.index
    has_nulls = bool(index.hasnans)
    if has_nulls and not pd.api.types.is_numeric_dtype(index.dtype):
        raise NotImplementedError(
            "Index in passed data is non-numeric and contains nulls, which cannot be sorted into "
            "partitions; drop these rows or use reset_index() first"
        )
    # A later change of the caller's frame is none of ours; pandas copies what is changed.
    data = data.copy(deep=False)
    size = len(data)
    if chunksize is None and npartitions is None:
        npartitions = 1
    if sort and not index.is_monotonic_increasing:
        data = data.sort_index()
    if size and not has_nulls and data.index.is_monotonic_increasing:
        divisions, starts = sorted_division_locations(data.index, npartitions, chunksize)
        if not _ascending(divisions):
            # Categories have an order of their own, which the values do not show.
            divisions = [None] * len(starts)
    else:
        starts = (
            [*range(0, max(size, 1), chunksize), size]
            if chunksize is not None
            else even_starts(size, int(npartitions or 1))
            if size
            else [0] * (int(npartitions or 1) + 1)
        )
        divisions = [None] * len(starts)
    return new_collection(with_arrow_strings(FromPandas(Held(data), starts, tuple(divisions))))


def _ascending(divisions: list[Any]) -> bool:
    try:
        return all(a <= b for a, b in itertools.pairwise(divisions))
    except TypeError:
        return False


def _check_counts(npartitions: Any, chunksize: Any) -> None:
    import numpy as np

    if npartitions is not None and not isinstance(npartitions, (int, np.integer)):
        raise TypeError(
            "Please provide npartitions as an int, or possibly as None if you specify chunksize, "
            f"got {npartitions!r}."
        )
    if chunksize is not None and not isinstance(chunksize, (int, np.integer)):
        raise TypeError(
            "Please provide chunksize as an int, or possibly as None if you specify npartitions, "
            f"got {chunksize!r}."
        )
    if npartitions is not None and chunksize is not None:
        raise ValueError("Exactly one of npartitions and chunksize must be specified.")
    for name, count in (("npartitions", npartitions), ("chunksize", chunksize)):
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
