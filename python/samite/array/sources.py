"""Layers whose blocks are made of their own place or shape, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from samite._task_spec import Task, TaskRef
from samite.blockwise import Blockwise, blockwise_token

__all__ = ["like_block", "source_layer"]


def source_layer(name: str, make: Callable, places: Any) -> Blockwise:
    """The layer that makes every block with ``make(places[coordinates of the block])``."""
    axes = tuple(range(len(places.numblocks)))
    task = Task(name, make, TaskRef(blockwise_token(0)), _data_producer=True)
    return Blockwise(name, axes, task, [(places, axes)], {})


def like_block(make: Callable, meta: Any, place: Any) -> Any:
    """A block of the kind of another library, or a subclass, that ``meta`` is of."""
    block = make(place)
    if not hasattr(type(meta), "__setitem__") and hasattr(type(meta), "from_numpy"):
        # Sparse arrays cannot be written into.
        return type(meta).from_numpy(block)
    result = np.empty_like(meta, shape=block.shape, dtype=block.dtype)
    result[...] = block
    return result
