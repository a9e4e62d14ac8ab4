"""Covariances and correlations of columns."""

from __future__ import annotations

import functools
from typing import Any

from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.groupby import covariances
from samite.dataframe.metadata import make_meta, meta_nonempty


class Covariance(TreeReduction):
    """Covariances or correlations of all pairs of columns, or of the only two; ``how`` is cov or
    corr."""

    _parameters = ["frame", "how", "min_periods", "scalar", "split_every"]
    _defaults = {"min_periods": 2, "scalar": False, "split_every": None}
    chunk = staticmethod(covariances.chunk_of_all)
    aggregate = staticmethod(covariances.finish_all)

    @functools.cached_property
    def _funcname(self) -> str:
        return self.how

    @functools.cached_property
    def _meta(self) -> Any:
        if self.scalar:
            return make_meta(1.0)
        return make_meta(getattr(meta_nonempty(self.frame._meta), self.how)())

    @staticmethod
    def combine(parts: Any, columns: int) -> Any:
        """Partial results of several partitions as one."""
        return covariances.combine(parts, 1, columns, True)

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {"columns": len(self.frame.columns)}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "columns": self.frame._meta.columns,
            "min_periods": self.min_periods,
            "scalar": self.scalar,
        }
