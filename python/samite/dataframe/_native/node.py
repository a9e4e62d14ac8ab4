"""The node that stands for a native part of an expression."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from samite._run import memory_of_run
from samite._task_spec import Task, TaskRef
from samite.dataframe._native import results
from samite.dataframe.expressions.node import FrameExpr


class NativeRows(FrameExpr):
    """The rows of a plan of the engine, in place of the expression called ``origin``.

    ``mode`` is "whole" (one partition), "partitions" (one by one), "split" (computed at once and
    then cut into as many about equal parts as the divisions say), or "cut" (into parts of so many
    rows as ``lengths`` says). ``unordered`` says that other columns of
    the same rows may come in another order. ``instead`` computes the expression by pandas where the
    plan may meet rows that only pandas can read, else it is None.
    """

    _parameters = [
        "origin",
        "plan",
        "layout",
        "_meta",
        "divisions",
        "mode",
        "unordered",
        "instead",
        "lengths",
    ]
    _defaults = {"unordered": False, "instead": None, "lengths": None}

    @functools.cached_property
    def _funcname(self) -> str:
        return "native"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            self._determ_token = tokenize(
                "NativeRows",
                self.operand("origin"),
                self.operand("mode"),
                self.operand("divisions"),
            )
        return self._determ_token

    @property
    def _meta(self) -> Any:  # type: ignore[override]
        return self.operand("_meta")

    @property
    def divisions(self) -> tuple[Any, ...]:  # type: ignore[override]
        return tuple(self.operand("divisions"))

    def _divisions(self) -> Sequence[Any]:
        return self.divisions

    def _layer(self) -> Mapping[Any, Any]:
        from samite.system import CPU_COUNT

        plan, layout, mode = self.operand("plan"), self.operand("layout"), self.operand("mode")
        limit, folder = memory_of_run()
        instead = self.operand("instead")
        if mode == "partitions":
            # The scheduler's threads compute partitions side by side.
            return {
                (self._name, i): Task(
                    (self._name, i),
                    results.compute,
                    plan.partition(i),
                    layout,
                    1,
                    limit,
                    folder,
                    None if instead is None else instead.of_partition(i),
                )
                for i in range(self.npartitions)
            }
        key = (self._name, 0) if mode == "whole" else (f"{self._name}-whole", 0)
        layer = {key: Task(key, results.compute, plan, layout, CPU_COUNT, limit, folder, instead)}
        if mode == "split":
            count = self.npartitions
            for i in range(count):
                own = (self._name, i)
                layer[own] = Task(own, results.part, TaskRef(key), i, count)
        if mode == "cut":
            ends = [0, *itertools.accumulate(self.operand("lengths"))]
            for i, (begin, end) in enumerate(itertools.pairwise(ends)):
                own = (self._name, i)
                layer[own] = Task(own, results.rows_between, TaskRef(key), begin, end)
        return layer

    def _operands_for_repr(self) -> list[str]:
        return [f"mode={self.operand('mode')!r}"]
