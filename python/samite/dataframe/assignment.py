"""Values that become columns."""

from __future__ import annotations

from typing import Any


def check_column(label: Any, value: Any) -> None:
    """Raise TypeError unless ``value`` can become a column: a series, an index, a lazy array of
    one axis, a lazy value or a scalar."""
    import pandas as pd

    ndim = getattr(value, "ndim", 0)
    if isinstance(value, (pd.Series, pd.Index)) or pd.api.types.is_scalar(value):
        return
    if hasattr(value, "__dask_graph__") and ndim < 2:
        return
    if hasattr(type(value), "numblocks") and ndim > 1:
        raise ValueError(
            f"Array assignment only supports 1-D arrays, got one of {ndim} axes for {label!r}"
        )
    kind = type(value)
    raise TypeError(
        f"Column assignment doesn't support type {kind.__module__}.{kind.__qualname__} "
        f"(for the column {label!r}); give a series with the same rows, a lazy array or a scalar"
    )


def column_operand(frame: Any, value: Any) -> Any:
    """``value`` as the operand of an assignment to ``frame``.

    Raises
    ------
    ValueError
        A lazy array has another number of blocks than the frame has partitions.
    """
    from samite.dataframe.conversion import as_collection, as_operand

    if hasattr(type(value), "numblocks") and value.numblocks[0] != frame.npartitions:
        raise ValueError(
            f"Number of partitions do not match: the array has {value.numblocks[0]} blocks, the "
            f"frame {frame.npartitions} partitions; rechunk the array"
        )
    return as_operand(as_collection(value))
