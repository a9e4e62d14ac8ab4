"""About how many bytes the rows of an expression take, as far as that is known without reading."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from samite._expr import Expr
from samite._run import memory_of_run

# Nodes whose results are few rows, however many are read.
_FEW = frozenset(
    {
        "Reduction",
        "MomentReduction",
        "Length",
        "GroupByAggregation",
        "EndRows",
        "EndOfSorted",
        "HeadOfPartitions",
        "First",
        "ValueCounts",
        "CountDifferent",
    }
)
# How many times more bytes rows take in memory than in compressed files.
_COMPRESSION = 3


def may_be_too_large(expr: Expr) -> bool:
    """Whether the rows as one value may be more than the memory that the run may use."""
    limit, _ = memory_of_run()
    if limit is None:
        limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return bytes_of_rows(expr) > limit // 2


def bytes_of_rows(expr: Expr) -> int:
    """The bytes of the sources whose rows come out again."""
    total = 0
    seen = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        kind = type(node).__name__
        if node._name in seen or kind in _FEW:
            continue
        seen.add(node._name)
        if kind == "FromPandas":
            frame = node._project(node.operand("frame").value)
            total += int(np.sum(frame.memory_usage(deep=False)))
        elif kind == "ReadParquet":
            total += _COMPRESSION * sum(_file_sizes(node))
        elif kind == "ReadText":
            total += sum(block.length or 0 for block in node.blocks)
        else:
            stack.extend(node.dependencies())
    return total


def _file_sizes(node: Any) -> list[int]:
    paths = {piece.path for pieces in node.partition_pieces() for piece in pieces}
    sizes = []
    for path in paths:
        try:
            sizes.append(os.path.getsize(path))
        except OSError:
            # Elsewhere, so that the rows are no rows of the engine.
            continue
    return sizes
