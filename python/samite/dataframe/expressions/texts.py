"""Strings that are joined or split into columns."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import pandas as pd

from samite.dataframe.expressions.node import Elementwise
from samite.dataframe.expressions.tree import TreeReduction


class SplitColumns(Elementwise):
    """``frame.str.method(**keywords)`` with strings cut into ``width`` columns."""

    _parameters = ["frame", "method", "keywords", "width"]
    _passes_projection = False

    @staticmethod
    def operation(frame: Any, method: str, keywords: dict[str, Any], width: int) -> Any:
        result = getattr(frame.str, method)(expand=True, **keywords)
        # How many columns pandas makes depends on the rows of the partition.
        if isinstance(result, pd.DataFrame) and result.shape[1] < width:
            result = result.copy(deep=False)
            dtype = result.dtypes.iloc[0] if result.shape[1] else object
            for column in range(result.shape[1], width):
                result[column] = pd.Series(None, index=result.index, dtype=dtype)
        return result

    @functools.cached_property
    def _meta(self) -> Any:
        between = self.keywords.get("sep") or self.keywords.get("pat") or " "
        made = _example(self.frame._meta, [between.join(["a"] * self.width)])
        return self.operation(made, self.method, self.keywords, self.width)[:0]


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
