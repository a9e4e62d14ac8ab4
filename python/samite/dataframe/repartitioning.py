"""Other partitions of the same rows."""

from __future__ import annotations

from typing import Any

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.expressions.repartition import Repartition, may_be_expensive
from samite.dataframe.partitioning import check_new_divisions


def repartition(df: Any, divisions: Any, force: bool = False) -> Any:
    """A frame or series, or one of pandas, cut at ``divisions``; see
    :meth:`DataFrame.repartition`.

    Raises
    ------
    ValueError
        Divisions do not ascend or leave rows out.
    TypeError
        ``df`` is neither a collection nor a pandas object.
    """
    import pandas as pd

    from samite.dataframe.io.from_pandas import from_pandas

    if isinstance(df, FrameBase):
        return df.repartition(divisions=divisions, force=force)
    if isinstance(df, (pd.DataFrame, pd.Series)):
        # What lies beyond the rows is an empty part of the outer partitions.
        return from_pandas(df, npartitions=1).repartition(divisions=divisions, force=True)
    raise TypeError(f"Data must be DataFrame or Series, got {type(df).__name__}")


def repartitioned(
    frame: Any, divisions: Any, npartitions: Any, partition_size: Any, freq: Any, force: bool
) -> Any:
    """See :meth:`DataFrame.repartition`."""
    import numpy as np
    import pandas as pd

    given = [value for value in (divisions, npartitions, partition_size, freq) if value is not None]
    if len(given) != 1:
        raise ValueError(
            "Please provide exactly one of ``npartitions=``, ``freq=``, ``divisions=``, "
            f"``partition_size=`` keyword arguments; got {len(given)} of them"
        )
    expr = frame.expr
    if divisions is not None:
        divisions = tuple(divisions)
        if not may_be_expensive(expr):
            check_new_divisions(expr.divisions, divisions, force)
        return new_collection(Repartition(expr, None, divisions, force))
    if partition_size is not None:
        from samite.utils import parse_bytes

        size = parse_bytes(partition_size)
        if size < 1:
            raise ValueError(f"partition_size must be at least one byte, got {partition_size!r}")
        return new_collection(Repartition(expr, size=int(size)))
    if freq is not None:
        index = (
            expr._meta
            if expr.ndim == 1 and isinstance(expr._meta, pd.Index)
            else (expr._meta.index)
        )
        if not isinstance(index, pd.DatetimeIndex):
            raise TypeError(
                "Can only repartition on frequency for timeseries; the index has the dtype "
                f"{index.dtype}"
            )
        return new_collection(Repartition(expr, frequency=freq))
    if not isinstance(npartitions, (int, np.integer)) or npartitions < 1:
        raise ValueError(f"npartitions must be an integer >= 1, got {npartitions!r}")
    return new_collection(Repartition(expr, int(npartitions)))
