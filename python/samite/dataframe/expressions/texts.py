"""Strings that are joined or split into columns."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import pandas as pd

from samite.dataframe.expressions.node import Elementwise
from samite.dataframe.expressions.tree import TreeReduction


class SplitColumns(Elementwise):
    """``split`` or ``rsplit`` of strings into ``n`` + 1 columns."""

    _parameters = ["frame", "method", "pat", "n"]
    _passes_projection = False

    @staticmethod
    def operation(frame: Any, method: str, pat: str | None, n: int) -> Any:
        result = getattr(frame.str, method)(pat=pat, n=n, expand=True)
        # How many columns pandas makes depends on the rows of the partition.
        if result.shape[1] <= n and isinstance(result, pd.DataFrame):
            result = result.reindex(columns=range(n + 1))
        return result

    @functools.cached_property
    def _meta(self) -> Any:
        meta = self.frame._meta
        words = [(self.pat or " ").join(["a"] * (self.n + 1))]
        made = _example(meta, words)
        return getattr(made.str, self.method)(pat=self.pat, n=self.n, expand=True)[:0]


def _example(meta: Any, values: list[Any]) -> Any:
    if isinstance(meta, pd.Index):
        return pd.Index(values, dtype=meta.dtype, name=meta.name)
    from samite.dataframe.dispatch import meta_nonempty

    index = meta_nonempty(meta.index)[: len(values)]
    return pd.Series(values, dtype=meta.dtype, name=meta.name, index=index)


class TextsSideBySide(Elementwise):
    """Strings joined with those of others, row by row."""

    _parameters = ["frame", "sep", "na_rep"]
    _passes_projection = False

    @staticmethod
    def operation(frame: Any, sep: Any, na_rep: Any, *others: Any) -> Any:
        return frame.str.cat(list(others), sep=sep, na_rep=na_rep)


class JoinedTexts(TreeReduction):
    """All strings as one."""

    _parameters = ["frame", "sep", "na_rep"]
    _defaults: ClassVar[dict[str, Any]] = {"sep": None, "na_rep": None}

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"sep": self.sep, "na_rep": self.na_rep}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {"sep": self.sep}

    @functools.cached_property
    def _meta(self) -> Any:
        return "s"

    @staticmethod
    def chunk(part: Any, sep: Any, na_rep: Any) -> Any:
        # None where there is nothing to join, which is not the same as an empty string.
        present = part if na_rep is not None else part[~pd.isna(part)]
        return present.str.cat(sep=sep, na_rep=na_rep) if len(present) else None

    @staticmethod
    def combine(parts: list[Any], sep: Any) -> Any:
        present = [part for part in parts if part is not None]
        return (sep or "").join(present) if present else None

    @staticmethod
    def aggregate(parts: list[Any], sep: Any) -> str:
        return (sep or "").join(part for part in parts if part is not None)
