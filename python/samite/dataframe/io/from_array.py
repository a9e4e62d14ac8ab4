"""Frames of arrays."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.foreign import ArrayBlocks
from samite.dataframe.expressions.lazy_sources import FromArray, FromBlocks, FromLabelledBlocks
from samite.dataframe.expressions.sources import Held
from samite.dataframe.libraries import meta_frame_constructor
from samite.dataframe.strings import with_arrow_strings


def from_array(arr: Any, chunksize: int = 50_000, columns: Any = None, meta: Any = None) -> Any:
    """A data frame or series of an array.

    Parameters
    ----------
    arr:
        A NumPy array, or anything with a shape, a dtype and slices, of one or two axes; or a
        lazy array, for which see :func:`from_dask_array`.
    chunksize:
        Rows in a partition.
    columns:
        The labels: a list gives a frame, a single one names a series.
    meta:
        A frame or series of the library that the partitions are to be of; by default pandas.

    Raises
    ------
    ValueError
        The array has more than two axes, or the labels do not fit its width.
    """
    if hasattr(type(arr), "__dask_graph__"):
        return from_dask_array(arr, columns=columns, meta=meta)
    if not hasattr(arr, "shape"):
        import numpy as np

        arr = np.asarray(arr)
    if chunksize < 1:
        raise ValueError(f"chunksize must be at least 1, got {chunksize}")
    meta = meta_from_array(arr, columns, meta=meta)
    return new_collection(with_arrow_strings(FromArray(Held(arr), int(chunksize), columns, meta)))


def from_dask_array(x: Any, columns: Any = None, index: Any = None, meta: Any = None) -> Any:
    """A data frame or series of a lazy array, with a partition for each block of rows.

    Parameters
    ----------
    x:
        A lazy array of one or two axes; blocks along the second are joined.
    columns:
        The labels: a list gives a frame, a single one names a series.
    index:
        The labels of the rows, a lazy index with as many partitions; by default rows are
        numbered, if the lengths of the blocks are known throughout, else block by block.
    meta:
        A frame or series of the library that the partitions are to be of; by default pandas.

    Raises
    ------
    ValueError
        The array has more than two axes, the labels do not fit its width, or ``index`` is of
        another type or has another number of partitions.
    """
    import math

    from samite.dataframe.collections import Index

    made = meta_from_array(x, columns, index, meta)
    if x.ndim == 2 and x.numblocks[1] > 1:
        x = x.rechunk({1: x.shape[1]})
    blocks = ArrayBlocks(x)
    if index is not None:
        if not isinstance(index, Index):
            raise ValueError("'index' must be an instance of dask.dataframe.Index")
        if index.npartitions != x.numblocks[0]:
            raise ValueError(
                "The index and array have different numbers of blocks. "
                f"({index.npartitions} != {x.numblocks[0]})"
            )
        return new_collection(with_arrow_strings(FromLabelledBlocks(blocks, index.expr, made)))
    lengths = x.chunks[0]
    starts = None
    if not any(math.isnan(length) for length in lengths):
        starts = [0]
        for length in lengths:
            starts.append(starts[-1] + int(length))
    return new_collection(with_arrow_strings(FromBlocks(blocks, made, starts)))


def meta_from_array(x: Any, columns: Any = None, index: Any = None, meta: Any = None) -> Any:
    """An empty frame or series like what an array will be.

    Raises
    ------
    TypeError
        ``meta`` is of no library of data frames.
    ValueError
        The array has more than two axes, an unknown width, or the labels do not fit it.
    """
    import math

    import pandas as pd

    if x.ndim > 2:
        raise ValueError(
            f"from_array does not input more than 2D array, got array with shape {x.shape}"
        )
    labels = None
    if index is not None and hasattr(index, "_meta"):
        labels = index._meta
    if meta is not None:
        meta_frame_constructor(meta)  # raises for what is of no library
    names = getattr(x.dtype, "names", None)
    if names is not None:
        chosen = list(names) if columns is None else _as_list(columns)
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ValueError(f"dtype {x.dtype} doesn't have fields {unknown}")
        return pd.DataFrame({n: _empty(x.dtype[n], labels) for n in chosen}, index=labels)
    if x.ndim == 1:
        if columns is None or pd.api.types.is_scalar(columns):
            return _empty(x.dtype, labels).rename(columns)
        if len(columns) != 1:
            raise ValueError(
                f"For a 1d array, columns must be a scalar or single element list, got {columns!r}"
            )
        return pd.DataFrame({columns[0]: _empty(x.dtype, labels)}, index=labels)
    width = x.shape[1] if x.ndim == 2 else 1
    if math.isnan(width):
        raise ValueError("Shape along axis 1 must be known")
    chosen = list(range(width)) if columns is None else _as_list(columns)
    if len(chosen) != width:
        raise ValueError(
            "Number of column names must match width of the array. Got "
            f"{len(chosen)} names for {width} columns"
        )
    frame = pd.DataFrame({n: _empty(x.dtype, labels) for n in range(width)}, index=labels)
    frame.columns = pd.RangeIndex(width) if columns is None else chosen
    return frame


def _empty(dtype: Any, index: Any) -> Any:
    import numpy as np
    import pandas as pd

    return pd.Series(np.empty(0, dtype=dtype), index=index)


def _as_list(columns: Any) -> list[Any]:
    return list(columns) if not isinstance(columns, str) else [columns]
