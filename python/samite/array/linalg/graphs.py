"""Graphs with several results, and checks that algorithms on blocks of matrices share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from samite.array.chunks import Chunks, has_unknown
from samite.array.core import Array
from samite.array.storage import asanyarray
from samite.highlevelgraph import HighLevelGraph

__all__ = ["matrix", "results", "square_blocks", "zeros_like_block"]


def results(
    name: str,
    steps: Mapping[Any, Any],
    outputs: Sequence[tuple[str, Mapping[Any, Any], Chunks, Any]],
    dependencies: Sequence[Array],
) -> tuple[Array, ...]:
    """Arrays that share the steps of one computation.

    Parameters
    ----------
    name:
        The name of the layer of steps.
    steps:
        Its tasks, which need nothing but the dependencies' blocks and each other.
    outputs:
        For each array its name, the tasks of its blocks, its chunks and its meta.
    dependencies:
        The arrays that the steps are made of.
    """
    graph = HighLevelGraph.from_collections(name, dict(steps), dependencies=list(dependencies))
    arrays = []
    for own, layer, chunks, meta in outputs:
        layers = {**graph.layers, own: layer}
        used = {key for task in layer.values() for key in task.dependencies}
        needs = {
            **graph.dependencies,
            own: {name if key in steps else key[0] for key in used},
        }
        arrays.append(Array(HighLevelGraph(layers, needs), own, chunks, meta=meta))
    return tuple(arrays)


def matrix(a: Any, operation: str) -> Array:
    """A lazy array with two axes.

    Raises
    ------
    ValueError
        If it has another number of them.
    """
    a = asanyarray(a)
    if a.ndim != 2:
        raise ValueError(
            f"Array must be 2D: {operation} takes matrices, not an array of shape {a.shape}"
        )
    return a


def square_blocks(a: Any, operation: str) -> Array:
    """A square matrix whose rows and columns are cut in the same way.

    Raises
    ------
    ValueError
        If it is not one.
    """
    a = matrix(a, operation)
    if any(map(has_unknown, a.chunks)):
        raise ValueError(
            f"{operation} needs known chunks, not {a.chunks}; compute_chunk_sizes() finds them"
        )
    if a.shape[0] != a.shape[1]:
        raise ValueError(f"{operation} takes square matrices, not one of shape {a.shape}")
    if a.chunks[0] != a.chunks[1]:
        raise ValueError(
            f"{operation} needs rows and columns cut in the same way, not {a.chunks}; "
            "x.rechunk((x.chunks[0], x.chunks[0])) does that"
        )
    return a


def zeros_like_block(block: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """A block of zeros of the kind that another is of."""
    return np.zeros_like(block, shape=shape, dtype=dtype)
