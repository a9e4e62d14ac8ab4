"""Quantiles of columns."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from samite.dataframe import quantiles
from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.metadata import make_meta, meta_nonempty
from samite.dataframe.partition_reductions import numeric_part


class Quantiles(TreeReduction):
    """Quantiles of a series or of the columns of a frame, exact up to a number of rows."""

    _parameters = ["frame", "q", "numeric_only", "split_every"]
    _defaults = {"numeric_only": False, "split_every": None}
    _funcname = "quantile"  # type: ignore[assignment]
    chunk = staticmethod(quantiles.summaries)
    combine = staticmethod(quantiles.join_summaries)
    aggregate = staticmethod(quantiles.finish_quantiles)

    @functools.cached_property
    def _columns_meta(self) -> Any:
        meta = self.frame._meta
        return numeric_part(meta) if self.numeric_only else meta

    @functools.cached_property
    def _meta(self) -> Any:
        meta = meta_nonempty(self.frame._meta)
        if self.frame.ndim == 2:
            return make_meta(meta.quantile(self.q, numeric_only=self.numeric_only))
        if not hasattr(meta, "quantile"):
            meta = meta.to_series()
        return make_meta(meta.quantile(self.q))

    def _divisions(self) -> Sequence[Any]:
        import numpy as np

        if np.isscalar(self.q):
            if self.frame.ndim < 2:
                return (None, None)
            labels = list(self._columns_meta.columns)
            try:
                return (min(labels), max(labels))
            except (TypeError, ValueError):
                return (None, None)
        return (min(self.q), max(self.q)) if len(self.q) else (None, None)

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"numeric_only": self.numeric_only}

    @property
    def combine_keywords(self) -> dict[str, Any]:
        return {}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        meta = self._columns_meta
        frame = meta.ndim == 2
        return {
            "q": self.q,
            "columns": meta.columns if frame else None,
            "name": None if frame else meta.name,
            "dtypes": list(meta.dtypes) if frame else [meta.dtype],
        }
