"""Rows of lists."""

from __future__ import annotations

from typing import Any

from samite.dataframe.expressions.node import Partitionwise


class FlattenedLists(Partitionwise):
    """The elements of the lists of a series, as rows."""

    _parameters = ["frame"]

    @staticmethod
    def operation(frame: Any) -> Any:
        return frame.list.flatten()
