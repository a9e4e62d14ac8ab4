"""Rows reduced to one: sums, counts, extremes, moments, and functions of users."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from samite._expr import Expr
from samite._task_spec import DataNode, Task, TaskRef
from samite.dataframe import moments, partition_reductions
from samite.dataframe.expressions.node import Elementwise, FrameExpr
from samite.dataframe.expressions.selection import Projection
from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.metadata import make_meta, meta_nonempty


class OverColumns(TreeReduction):
    """A reduction of each column: a series over the labels of columns, or a scalar of a series."""

    @functools.cached_property
    def _funcname(self) -> str:
        return self.how

    @functools.cached_property
    def _reduced_columns(self) -> Any:
        """The labels that the result has, None of a scalar."""
        meta = self.frame._meta
        if self.frame.ndim < 2:
            return None
        if self.numeric_only:
            meta = partition_reductions.numeric_part(meta)
        return meta.columns

    def _divisions(self) -> Sequence[Any]:
        if self.ndim == 0:
            return (None, None)
        labels = list(self._reduced_columns)
        try:
            return (min(labels), max(labels))
        except (TypeError, ValueError):
            return (None, None)

    def _simplify_down(self) -> Any:
        frame = self.frame
        if self.frame.ndim < 2 or not self.numeric_only or not frame._meta.columns.is_unique:
            return None
        wanted = list(self._reduced_columns)
        if wanted == frame.columns:
            return None
        return self.substitute_parameters({"frame": Projection(frame, wanted)})

    def of_column(self, label: Any) -> Expr:
        """The value of one column alone."""
        return self.substitute_parameters({"frame": Projection(self.frame, label)})

    def _readable(self) -> str:
        from samite.dataframe.expressions.node import readable

        given = [
            f"{name}={self.operand(name)!r}"
            for name in type(self)._parameters[2:]
            if self.operand(name) != type(self)._defaults.get(name)
        ]
        return f"{readable(self.frame)}.{self.how}({', '.join(given)})"


class Reduction(OverColumns):
    """``frame.how()`` of pandas, of: sum, prod, min, max, any, all, count.

    ``axis`` is 0, or None for one value of all columns.
    """

    _parameters = ["frame", "how", "skipna", "numeric_only", "min_count", "axis", "split_every"]
    _defaults = {
        "skipna": True,
        "numeric_only": False,
        "min_count": 0,
        "axis": 0,
        "split_every": None,
    }
    chunk = staticmethod(partition_reductions.reduce_partition)
    combine = staticmethod(partition_reductions.join_reduced)
    aggregate = staticmethod(partition_reductions.finish_reduced)

    @functools.cached_property
    def _meta(self) -> Any:
        meta = meta_nonempty(self.frame._meta)
        keywords: dict[str, Any] = {}
        if isinstance(meta, pd.DataFrame):
            keywords["axis"] = self.axis
            if self.how not in ("any", "all"):
                keywords["numeric_only"] = self.numeric_only
        elif isinstance(meta, pd.Index):
            if self.how == "count":
                return 0
            meta = meta.to_series()
        if self.how != "count":
            keywords["skipna"] = self.skipna
        if self.how in ("sum", "prod"):
            keywords["min_count"] = min(self.min_count, 1)
        return make_meta(getattr(meta, self.how)(**keywords))

    @property
    def _skips(self) -> bool | None:
        return None if self.how == "count" else self.skipna

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "skipna": self._skips,
            "numeric_only": self.numeric_only,
            "min_count": self.min_count,
        }

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"how": self.how, "skipna": self._skips}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "skipna": self._skips,
            "min_count": self.min_count,
            "axis": self.axis,
            "columns": self._reduced_columns,
        }


class MomentReduction(OverColumns):
    """mean, var, std, sem, skew or kurtosis of columns; ``axis`` as in :class:`Reduction`."""

    _parameters = [
        "frame",
        "how",
        "skipna",
        "numeric_only",
        "ddof",
        "axis",
        "bias",
        "fisher",
        "split_every",
    ]
    _defaults = {
        "skipna": True,
        "numeric_only": False,
        "ddof": 1,
        "axis": 0,
        "bias": True,
        "fisher": True,
        "split_every": None,
    }
    chunk = staticmethod(moments.moments_of)
    combine = staticmethod(moments.join_moments)
    aggregate = staticmethod(moments.finish_moments)

    @functools.cached_property
    def _meta(self) -> Any:
        meta = meta_nonempty(self.frame._meta)
        keywords: dict[str, Any] = {"skipna": self.skipna}
        if self.how in ("var", "std", "sem"):
            # The number of made-up rows need not do.
            keywords["ddof"] = 1
        if isinstance(meta, pd.DataFrame):
            keywords |= {"axis": self.axis, "numeric_only": self.numeric_only}
        result = getattr(meta, self.how)(**keywords)
        if isinstance(result, pd.Series) or not pd.isna(result) or result is pd.NaT:
            return make_meta(result)
        return make_meta(float(1))

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {
            "numeric_only": self.numeric_only,
            "skipna": self.skipna,
            "order": {"mean": 1, "skew": 4, "kurtosis": 4}.get(self.how, 2),
        }

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        meta = self.frame._meta
        if self.numeric_only:
            meta = partition_reductions.numeric_part(meta)
        return {
            "how": self.how,
            "ddof": self.ddof,
            "bias": self.bias,
            "fisher": self.fisher,
            "axis": self.axis,
            "dtypes": list(meta.dtypes) if meta.ndim == 2 else [meta.dtype],
            "columns": self._reduced_columns,
            "result_dtype": getattr(self._meta, "dtype", None),
        }


class ExtremeLabels(OverColumns):
    """idxmin or idxmax: the labels of the rows with the extremes of the columns."""

    _parameters = ["frame", "how", "skipna", "numeric_only", "split_every"]
    _defaults = {"skipna": True, "numeric_only": False, "split_every": None}
    chunk = staticmethod(partition_reductions.extreme_rows)
    combine = staticmethod(partition_reductions.join_extremes)
    aggregate = staticmethod(partition_reductions.finish_extremes)

    @functools.cached_property
    def _meta(self) -> Any:
        meta = meta_nonempty(self.frame._meta)
        keywords = {"numeric_only": self.numeric_only} if isinstance(meta, pd.DataFrame) else {}
        return make_meta(getattr(meta, self.how)(skipna=self.skipna, **keywords))

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"how": self.how, "skipna": self.skipna, "numeric_only": self.numeric_only}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"how": self.how, "skipna": self.skipna}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "skipna": self.skipna,
            "columns": self._reduced_columns,
            "dtype": getattr(self._meta, "dtype", None),
        }


class AlongRows(Elementwise):
    """``frame.how(axis=1, ...)`` of pandas: a value for each row."""

    _parameters = ["frame", "how", "keywords"]
    _passes_projection = False

    @functools.cached_property
    def _funcname(self) -> str:
        return self.how

    @functools.cached_property
    def _meta(self) -> Any:
        # Without rows pandas does not say which dtype the result has.
        return make_meta(self.operation(meta_nonempty(self.frame._meta), self.how, self.keywords))

    @staticmethod
    def operation(frame: Any, how: str, keywords: Mapping[str, Any]) -> Any:
        """The values of one partition."""
        return getattr(frame, how)(axis=1, **keywords)

    def _task(self, key: Any, index: int) -> Task:
        source = self._argument(self.frame, index)
        return Task(
            key, partition_reductions.along_rows, source, self.how, self.keywords, self._meta
        )


class IsMonotonic(TreeReduction):
    """Whether the values are in order over all partitions."""

    _parameters = ["frame", "decreasing", "split_every"]
    _defaults = {"split_every": None}
    chunk = staticmethod(partition_reductions.order_of)
    combine = staticmethod(partition_reductions.join_orders)
    aggregate = staticmethod(partition_reductions.is_ordered)

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(True)

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"decreasing": self.decreasing}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {"decreasing": self.decreasing}


class EndRows(TreeReduction):
    """The rows with the greatest or least values; ``how`` is nlargest or nsmallest."""

    _parameters = ["frame", "how", "n", "by", "split_every"]
    _defaults = {"by": None, "split_every": None}
    chunk = staticmethod(partition_reductions.end_rows)
    aggregate = staticmethod(partition_reductions.join_end_rows)

    @functools.cached_property
    def _funcname(self) -> str:
        return self.how

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(partition_reductions.end_rows(self.frame._meta, self.how, self.n, self.by))

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"how": self.how, "n": self.n, "by": self.by}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return self.chunk_keywords

    def _simplify_up(self, parent: Expr, dependents: Mapping[str, Any]) -> Any:
        if not isinstance(parent, Projection) or self.ndim < 2:
            return None
        by = self.by if isinstance(self.by, list) else [self.by]
        wanted = [c for c in self.frame.columns if c in parent.columns or c in by]
        if wanted == list(self.frame.columns):
            return None
        inner = self.substitute_parameters({"frame": Projection(self.frame, wanted)})
        return Projection(inner, parent.operand("columns"))


class UserReduction(TreeReduction):
    """A reduction by three functions of a user; ``joining`` is the one of the middle step."""

    _parameters = [
        "frame",
        "function",
        "joining",
        "finishing",
        "given_meta",
        "chunk_given",
        "combine_given",
        "aggregate_given",
        "token",
        "split_every",
    ]
    chunk = staticmethod(partition_reductions.user_chunk)
    combine = staticmethod(partition_reductions.user_join)
    aggregate = staticmethod(partition_reductions.user_finish)

    @functools.cached_property
    def _funcname(self) -> str:
        return self.token or "reduction"

    @functools.cached_property
    def _meta(self) -> Any:
        return self.given_meta

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"function": self.operand("function"), "keywords": self.chunk_given}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"function": self.joining, "keywords": self.combine_given}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {"function": self.finishing, "keywords": self.aggregate_given}


class Length(TreeReduction):
    """The number of rows."""

    _parameters = ["frame"]
    chunk = staticmethod(len)
    aggregate = staticmethod(sum)

    @functools.cached_property
    def _meta(self) -> Any:
        return 0

    def _simplify_down(self) -> Any:
        frame = self.frame
        if isinstance(frame, Elementwise):
            rows = [f for f in frame.dependencies() if getattr(f, "ndim", 0) > 0]
            widest = [f for f in rows if f.npartitions == frame.npartitions]
            if widest:
                return Length(widest[0])
        counts = getattr(frame, "_row_counts", None)
        if counts is not None:
            lengths = counts()
            if lengths is not None:
                return Known(int(sum(lengths)))
        return None


class Known(FrameExpr):
    """A scalar that needs no computation."""

    _parameters = ["value"]

    @functools.cached_property
    def _meta(self) -> Any:
        return make_meta(self.value)

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _layer(self) -> Mapping[Any, Any]:
        key = (self._name, 0)
        return {key: DataNode(key, self.value)}


class ScalarFunction(FrameExpr):
    """``function`` of scalars, and of other operands as they are."""

    _parameters = ["function", "given_meta"]

    @functools.cached_property
    def _funcname(self) -> str:
        return self.operand("function").__name__.strip("_")

    @functools.cached_property
    def _meta(self) -> Any:
        return self.given_meta

    def _divisions(self) -> Sequence[Any]:
        return (None, None)

    def _layer(self) -> Mapping[Any, Any]:
        key = (self._name, 0)
        arguments = [
            TaskRef((operand._name, 0)) if isinstance(operand, Expr) else operand
            for operand in self.operands[2:]
        ]
        return {key: Task(key, self.operand("function"), *arguments)}
