"""Cutting an array in another way between the workers of a cluster: each block is cut once into the
pieces that new blocks take of it, and each piece moves once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from samite._parts import Parts, Reader
from samite._task_spec import List, Task, TaskRef
from samite.array.chunk import getitem
from samite.array.chunks import Chunks, has_unknown
from samite.array.core import Array, assemble, make_array
from samite.array.rechunk_plan import old_to_new
from samite.base import tokenize

# Where blocks only grow or shrink, whole ones move no more bytes.
_FEW = 4


def in_parts_pays_off(old: Chunks, new: Chunks) -> bool:
    """Whether many old blocks go to many new ones each."""
    if any(has_unknown(sizes) for sizes in old):
        return False

    def most(one: Chunks, other: Chunks) -> int:
        return math.prod(
            max((len(pieces) for pieces in along), default=0) for along in old_to_new(one, other)
        )

    return most(old, new) >= _FEW and most(new, old) >= _FEW


def in_parts(x: Array, chunks: Chunks) -> Array:
    """The same array in other chunks; lengths of chunks have to be known."""
    token = tokenize(x, chunks, "p2p")
    name, split = f"rechunk-p2p-{token}", f"rechunk-split-{token}"
    pieces = old_to_new(x.chunks, chunks)
    taken: dict[tuple[int, ...], list[tuple[int, tuple[slice, ...]]]] = {}
    layer: dict[Any, Any] = {}
    for number, place in enumerate(product(*(range(len(sizes)) for sizes in chunks))):
        along = [axis[i] for axis, i in zip(pieces, place)]
        inputs = []
        for each in product(*along):
            block = tuple(i for i, _ in each)
            taken.setdefault(block, []).append((number, tuple(cut for _, cut in each)))
            inputs.append(TaskRef((split, *block)))
        counts = tuple(map(len, along))
        key = (name, *place)
        layer[key] = Task(key, Reader(number, put_together), List(*inputs), counts)
    for block, cuts in taken.items():
        key = (split, *block)
        layer[key] = Task(key, cut_block, TaskRef((x.name, *block)), cuts)
    return make_array(name, layer, chunks, x._meta, [x])


def cut_block(block: Any, cuts: Sequence[tuple[int, tuple[slice, ...]]]) -> Parts:
    """The pieces of a block by the number of the new block that takes each."""
    parts = Parts()
    for number, cut in cuts:
        piece = getitem(block, cut)
        # A piece with memory of its own is not copied again on its way.
        parts[number] = np.ascontiguousarray(piece) if type(piece) is np.ndarray else piece
    return parts


def put_together(pieces: Sequence[Any], counts: Sequence[int]) -> Any:
    """A block of its pieces, which stand in row-major order of a grid of these counts."""

    def nested(pieces: Sequence[Any], counts: Sequence[int]) -> Any:
        if not counts:
            return pieces[0]
        step = len(pieces) // counts[0]
        return [nested(pieces[i * step : (i + 1) * step], counts[1:]) for i in range(counts[0])]

    return assemble(nested(pieces, counts), len(counts))
