"""Rows of lists as several rows."""

from __future__ import annotations

from typing import Any

from samite.dataframe.expressions.node import Partitionwise


def explode(frame: Any, column: Any) -> Any:
    """A row for each element of the lists in ``column``, or of a series."""
    return frame.explode() if frame.ndim == 1 else frame.explode(column)


class Explode(Partitionwise):
    """``frame.explode(column)`` of each partition."""

    _parameters = ["frame", "column"]
    operation = staticmethod(explode)
