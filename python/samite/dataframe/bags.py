"""Rows in bags."""

from __future__ import annotations

from typing import Any

FORMATS = ("tuple", "dict", "frame")


def to_bag(frame: Any, index: bool = False, format: str = "tuple") -> Any:
    """See :meth:`DataFrame.to_bag`.

    Raises
    ------
    ValueError
        ``format`` is not one that there is.
    """
    from samite.bag import Bag
    from samite.dataframe.expressions.conversions import RowsInBag

    if format not in FORMATS:
        raise ValueError(f"Invalid value for `format`: {format!r}; it is one of {FORMATS}")
    expr = RowsInBag(frame.expr, index, format).optimize()
    return Bag(expr.__dask_graph__(), expr._name, expr.npartitions)
