"""What authors of libraries build on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from samite.dataframe.collections.frame_base import FrameBase, new_collection
from samite.dataframe.elementwise import rows_function
from samite.dataframe.expressions.node import are_co_aligned
from samite.dataframe.groupby.collections import GroupBy, SeriesGroupBy
from samite.dataframe.map_partitions import map_partitions
from samite.dataframe.metadata import emulate, make_meta
from samite.dataframe.windows import Rolling

__all__ = [
    "FrameBase",
    "GroupBy",
    "Rolling",
    "SeriesGroupBy",
    "are_co_aligned",
    "elemwise",
    "emulate",
    "make_meta",
    "map_partitions",
    "new_collection",
]


def elemwise(op: Callable[..., Any], *args: Any, meta: Any = None, **kwargs: Any) -> Any:
    """A function of rows, which keeps them.

    Parameters
    ----------
    op:
        Called with one partition of each collection; its result has their rows.
    args:
        Collections, cut at the same divisions first, and other values.
    meta:
        What ``op`` returns; by default it is called with empty partitions to find out.
    kwargs:
        For ``op``.

    Raises
    ------
    ValueError
        The divisions are not known, and the numbers of partitions differ.
    """
    call = functools.partial(op, **kwargs) if kwargs else op
    if meta is not None:
        return map_partitions(call, *args, meta=meta, align_dataframes=True)
    return rows_function(call, *args)
