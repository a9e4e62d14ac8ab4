"""Rows chosen at random, by a seed for each partition."""

from __future__ import annotations

import functools
from typing import Any

from samite._task_spec import Task, TaskRef
from samite.dataframe.expressions.node import Partitionwise


class Sample(Partitionwise):
    """A fraction ``frac`` of the rows of each partition."""

    _parameters = ["frame", "seeds", "frac", "replace"]
    _passes_projection = True
    _knows_position = True

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _task(self, key: Any, index: int) -> Task:
        from samite.dataframe import sampling

        part = TaskRef((self.frame._name, index))
        return Task(key, sampling.sampled_rows, part, self.seeds[index], self.frac, self.replace)


class RandomSplit(Partitionwise):
    """The rows of each partition that belong to part ``index`` of a random split in parts of the
    fractions ``frac``."""

    _parameters = ["frame", "frac", "seeds", "index", "shuffle"]
    _passes_projection = True
    _knows_position = True

    @functools.cached_property
    def _meta(self) -> Any:
        return self.frame._meta

    def _task(self, key: Any, index: int) -> Task:
        from samite.dataframe import sampling

        return Task(
            key,
            sampling.split_rows,
            TaskRef((self.frame._name, index)),
            self.frac,
            self.seeds[index],
            self.operand("index"),
            self.shuffle,
        )
