"""Frames of graphs that exist already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from samite.dataframe.collections import new_collection
from samite.dataframe.expressions.sources import FromGraph


def from_graph(
    layer: Mapping[Any, Any],
    _meta: Any,
    divisions: Sequence[Any],
    keys: Sequence[Any],
    name_prefix: str,
) -> Any:
    """The collection of partitions that tasks of a graph give.

    Parameters
    ----------
    layer:
        The graph.
    _meta:
        An empty object like the partitions.
    divisions:
        The divisions, or as many times None.
    keys:
        The keys of the partitions, in order.
    name_prefix:
        What the name begins with.

    Raises
    ------
    ValueError
        There are not as many keys as the divisions tell.
    """
    if len(divisions) != len(keys) + 1:
        raise ValueError(
            f"from_graph needs one more division than keys, got {len(divisions)} divisions and "
            f"{len(keys)} keys"
        )
    return new_collection(FromGraph(layer, _meta, tuple(divisions), list(keys), name_prefix))
