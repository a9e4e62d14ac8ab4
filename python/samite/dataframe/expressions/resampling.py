"""Rows grouped by spans of time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite._expr import Expr
from samite._task_spec import Task, TaskRef
from samite.dataframe.expressions.node import FrameExpr
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.metadata import make_meta, meta_nonempty
from samite.dataframe.tseries import bins


class ResampleFunction(FrameExpr):
    """``frame.resample(rule, ...).how(*args, **kwargs)`` of pandas."""

    _parameters = ["frame", "rule", "closed", "label", "how", "args", "kwargs"]

    @functools.cached_property
    def _funcname(self) -> str:
        return f"resample-{self.how}"

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            # A user's function need not have a token that is the same everywhere.
            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _meta(self) -> Any:
        spans = meta_nonempty(self.frame._meta).resample(
            self.rule, closed=self.closed, label=self.label
        )
        return make_meta(getattr(spans, self.how)(*self.args, **self.kwargs))

    @functools.cached_property
    def _bins(self) -> Any:
        return bins.bins_of(self.frame.divisions, self.rule, self.closed, self.label)

    def _divisions(self) -> Sequence[Any]:
        labels = self._bins.labels
        return (*(part[0] for part in labels), labels[-1][-1])

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        if not isinstance(parent, Projection) or self.how in ("agg", "ohlc") or self.ndim < 2:
            return None
        return type(self)(Projection(self.frame, parent.operand("columns")), *self.operands[1:])

    def _lower(self) -> Any:
        from samite.dataframe.expressions.repartition import Repartition

        frame = self.frame
        if self._bins.divisions != frame.divisions:
            frame = Repartition(frame, new_divisions=self._bins.divisions, force=True)
        return ResampledPartitions(frame, self._bins, self._meta, *self.operands[1:])


class ResampledPartitions(FrameExpr):
    """:class:`ResampleFunction` of partitions that have whole spans each."""

    _parameters = [
        "frame",
        "bins",
        "given_meta",
        "rule",
        "closed",
        "label",
        "how",
        "args",
        "kwargs",
    ]

    def __dask_tokenize__(self) -> Any:
        if not self._determ_token:
            from samite.tokenize import tokenize

            self._determ_token = tokenize(type(self).__name__, *self.operands)
        return self._determ_token

    @functools.cached_property
    def _meta(self) -> Any:
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        labels = self.bins.labels
        return (*(part[0] for part in labels), labels[-1][-1])

    def _task(self, key: Any, index: int) -> Task:
        return Task(
            key,
            bins.resampled,
            TaskRef((self.frame._name, index)),
            self.rule,
            self.closed,
            self.label,
            self.bins.origin,
            self.bins.labels[index],
            self.how,
            self.args,
            self.kwargs,
            self.given_meta,
        )
