"""How often values are there, how many there are, and the most frequent ones."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._task_spec import Task, TaskRef
from samite.dataframe import frequencies
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.metadata import make_meta, meta_nonempty


class ValueCounts(TreeReduction):
    """How often each value of a series is there."""

    _parameters = ["frame", "sort", "ascending", "dropna", "split_every", "split_out"]
    _defaults = {
        "sort": True,
        "ascending": False,
        "dropna": True,
        "split_every": None,
        "split_out": 1,
    }
    _funcname = "value-counts"  # type: ignore[assignment]
    chunk = staticmethod(frequencies.count_partition)
    combine = staticmethod(frequencies.join_counts)
    aggregate = staticmethod(frequencies.finish_counts)
    split = staticmethod(frequencies.split_counts)

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(meta_nonempty(self.frame._meta).value_counts(dropna=self.dropna))

    @property
    def _count_out(self) -> int:
        if self.split_out is True:
            return self.frame.npartitions
        return max(int(self.split_out or 1), 1)

    def _width(self) -> int:
        if self._count_out > 1 and self.split_every is not None and self.split_every < 2:
            return 2**62
        return super()._width()

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {
            "dropna": self.dropna,
            "name": self.frame._meta.name,
            "sort": self.sort,
            "ascending": self.ascending,
            "dtype": self._meta.dtype,
        }


class Modes(TreeReduction):
    """The most frequent values of a series, in order."""

    _parameters = ["frame", "dropna", "split_every"]
    _defaults = {"dropna": True, "split_every": None}
    _funcname = "mode"  # type: ignore[assignment]
    chunk = staticmethod(frequencies.count_partition)
    combine = staticmethod(frequencies.join_counts)
    aggregate = staticmethod(frequencies.finish_modes)

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(meta_nonempty(self.frame._meta).mode(dropna=self.dropna))

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna, "name": self.frame._meta.name}


class ColumnsTogether(FrameExpr):
    """Series of one partition each as the columns of a frame; they need not be equally long."""

    _parameters: list[str] = ["given_meta"]

    @functools.cached_property
    def _meta(self) -> Any:
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _layer(self) -> Mapping[Any, Any]:
        key = (self._name, 0)
        series = [TaskRef((operand._name, 0)) for operand in self.operands[1:]]
        return {key: Task(key, frequencies.columns_together, *series)}


class CountDifferent(TreeReduction):
    """The number of different values of each column."""

    _parameters = ["frame", "dropna", "split_every"]
    _defaults = {"dropna": True, "split_every": None}
    _funcname = "nunique"  # type: ignore[assignment]
    chunk = staticmethod(frequencies.different_values)
    combine = staticmethod(frequencies.join_different)
    aggregate = staticmethod(frequencies.count_different)

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(meta_nonempty(self.frame._meta).nunique())

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"dropna": self.dropna}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        columns = self.frame._meta.columns if self.frame.ndim == 2 else None
        return {"dropna": self.dropna, "columns": columns}


class EstimateDifferent(TreeReduction):
    """An estimate of the number of different rows."""

    _parameters = ["frame", "split_every"]
    _defaults = {"split_every": None}
    _funcname = "nunique-approx"  # type: ignore[assignment]
    chunk = staticmethod(frequencies.registers)
    combine = staticmethod(frequencies.join_registers)
    aggregate = staticmethod(frequencies.estimate)

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(1.0)
