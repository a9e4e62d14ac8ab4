"""Graphs and collections made elsewhere, for lazy calls that take them as arguments."""

from __future__ import annotations

from typing import Any

from samite._run import as_dict
from samite.utils import ensure_dict


def materialize(nodes: list[Any]) -> tuple[dict[Any, Any], list[tuple[Any, ...]]]:
    """One dict graph for several foreign nodes, and how to get the value of each.

    The collections among them are optimized together, so that what they share runs once.

    Returns
    -------
    graph : dict
    recipes : list of tuple
        ``(key,)`` for each node.
    """
    from samite.base import _finalized

    merged: dict[Any, Any] = {}
    recipes: list[tuple[Any, ...]] = []
    collections: list[Any] = []
    places: list[int] = []
    for node in nodes:
        kind, content = node._parts()[:2]
        if kind == "graph":
            merged.update(ensure_dict(content))
        else:
            places.append(len(recipes))
            collections.append(content)
        recipes.append((node.key,))
    if collections:
        graph, keys = _finalized(collections, optimize_graph=True)
        merged.update(as_dict(graph))
        for place, key in zip(places, keys, strict=True):
            recipes[place] = (key,)
    return merged, recipes
