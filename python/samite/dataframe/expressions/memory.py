"""The memory that rows take."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import pandas as pd

from samite.dataframe.expressions.node import Partitionwise
from samite.dataframe.expressions.tree import TreeReduction


def _bytes_of(part: Any, deep: bool, index: bool) -> Any:
    if isinstance(part, pd.Index):
        return part.memory_usage(deep=deep)
    return part.memory_usage(index=index, deep=deep)


class MemoryUsage(TreeReduction):
    """The bytes of each column, or of a series or an index."""

    _parameters = ["frame", "deep", "index"]
    _defaults: ClassVar[dict[str, Any]] = {"deep": False, "index": True}
    chunk = staticmethod(_bytes_of)

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"deep": self.deep, "index": self.operand("index")}

    @staticmethod
    def aggregate(parts: list[Any]) -> Any:
        if isinstance(parts[0], pd.Series):
            return functools.reduce(lambda total, part: total + part, parts)
        return sum(parts)


class MemoryUsagePerPartition(Partitionwise):
    """The bytes of each partition, as a series."""

    _parameters = ["frame", "deep", "index"]
    _defaults: ClassVar[dict[str, Any]] = {"deep": False, "index": True}
    _keeps_divisions = False

    @staticmethod
    def operation(frame: Any, deep: bool, index: bool) -> pd.Series:
        found = _bytes_of(frame, deep, index)
        total = found.sum() if isinstance(found, pd.Series) else found
        return pd.Series([total], dtype="int64")

    @functools.cached_property
    def _meta(self) -> pd.Series:
        return pd.Series([], dtype="int64")
