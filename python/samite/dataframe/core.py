"""Dask's module path for the core of data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from samite.dataframe.checks import check_matching_columns
from samite.dataframe.collections import DataFrame, Index, Scalar, Series, new_collection
from samite.dataframe.dispatch import get_parallel_type
from samite.dataframe.expressions.sources import FromGraph
from samite.dataframe.joining import concat_partitions as _concat
from samite.dataframe.known_categories import has_known_categories
from samite.dataframe.libraries import (
    is_scalar,
    meta_frame_constructor,
    meta_series_constructor,
    valid_divisions,
)
from samite.dataframe.map_partitions import map_partitions
from samite.dataframe.metadata import no_default
from samite.dataframe.methods import called_with_meta
from samite.dataframe.partitioning import check_divisions
from samite.dataframe.partitioning import period_start as _map_freq_to_period_start
from samite.utils import is_dataframe_like, is_index_like, is_series_like

__all__ = [
    "DataFrame",
    "Index",
    "Scalar",
    "Series",
    "_concat",
    "_map_freq_to_period_start",
    "apply_and_enforce",
    "check_divisions",
    "check_matching_columns",
    "get_parallel_type",
    "has_known_categories",
    "has_parallel_type",
    "is_dataframe_like",
    "is_index_like",
    "is_scalar",
    "is_series_like",
    "map_partitions",
    "meta_frame_constructor",
    "meta_series_constructor",
    "new_dd_object",
    "no_default",
    "total_mem_usage",
    "valid_divisions",
]


def has_parallel_type(x: Any) -> bool:
    """Whether partitions can be of the type of ``x``."""
    return get_parallel_type(x) is not Scalar


def apply_and_enforce(*args: Any, _func: Any, _meta: Any, **kwargs: Any) -> Any:
    """``_func(*args, **kwargs)``, whose columns must be those of ``_meta``.

    Raises
    ------
    ValueError
        They are others.
    """
    return called_with_meta(_func, _meta, *args, **kwargs)


def new_dd_object(
    dsk: Mapping[Any, Any], name: str, meta: Any, divisions: Sequence[Any], parent_meta: Any = None
) -> Any:
    """The collection of the tasks ``(name, 0)``, ``(name, 1)``, ... of a graph.

    Parameters
    ----------
    dsk:
        The graph.
    meta:
        An empty object like the partitions.
    divisions:
        The divisions, or as many times None.
    """
    count = len(divisions) - 1
    # Blocks of an array of two axes have a place along the second one, too.
    tail = () if (name, 0) in dsk else (0,)
    keys = [(name, index, *tail) for index in range(count)]
    return new_collection(FromGraph(dsk, meta, tuple(divisions), keys, name))


def total_mem_usage(df: Any, index: bool = True, deep: bool = False) -> int:
    """The bytes of a pandas frame or series.

    Parameters
    ----------
    index:
        Whether to count the index.
    deep:
        Whether to count what Python objects hold.
    """
    found = df.memory_usage(index=index, deep=deep)
    return int(found.sum()) if is_series_like(found) else int(found)
