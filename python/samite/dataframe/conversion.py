"""Values of other kinds as operands of expressions."""

from __future__ import annotations

from typing import Any

from samite._expr import Expr


def as_operand(value: Any) -> Any:
    """What an expression takes in place of an argument: the expression of a collection, lazy
    values and arrays as expressions, other values as they are.

    Raises
    ------
    TypeError
        A lazy array has more than two axes.
    """
    from samite.dataframe.collections.frame_base import FrameBase

    if isinstance(value, FrameBase):
        return value.expr
    if isinstance(value, Expr) or not hasattr(type(value), "__dask_graph__"):
        return value
    return _of_collection(value)


def _of_collection(value: Any) -> Any:
    from samite.dataframe.expressions.foreign import ArrayBlocks, LazyValue

    if is_lazy_array(value):
        if value.ndim > 2:
            raise TypeError(
                f"A data frame takes lazy arrays of at most two axes, got one of {value.ndim}"
            )
        if value.ndim == 2 and value.numblocks[1] > 1:
            value = value.rechunk({1: -1})
        return ArrayBlocks(value)
    return LazyValue(value) if hasattr(value, "key") else value


def is_lazy_array(value: Any) -> bool:
    """Whether a value is an array of blocks; lazy values have whatever attribute is asked for."""
    return hasattr(type(value), "numblocks")


def as_collection(value: Any) -> Any:
    """The rows of a pandas frame or series as a collection of one partition, other values as they
    are."""
    import pandas as pd

    from samite.dataframe.io.from_pandas import from_pandas

    if isinstance(value, (pd.DataFrame, pd.Series)):
        return from_pandas(value, npartitions=1)
    return value
