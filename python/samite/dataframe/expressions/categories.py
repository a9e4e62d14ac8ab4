"""Categoricals: forgetting categories, and finding them."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import pandas as pd

from samite._expr import Expr
from samite.dataframe.expressions.node import Elementwise, FrameExpr
from samite.dataframe.expressions.tree import TreeReduction
from samite.dataframe.known_categories import clear_known_categories


class AsUnknown(Elementwise):
    """A categorical whose categories are not known any more."""

    _parameters = ["frame"]
    _passes_projection = False
    _keeps_labels = True

    @staticmethod
    def operation(frame: Any) -> Any:
        return frame

    @functools.cached_property
    def _meta(self) -> Any:
        meta = self.frame._meta
        return clear_known_categories(meta, index=False)


class Categories(TreeReduction):
    """The categories of columns, and of the index: a dict by column and an index or None."""

    _parameters = ["frame", "columns", "index", "split_every"]
    _defaults: ClassVar[dict[str, Any]] = {"index": False, "split_every": None}

    @functools.cached_property
    def _meta(self) -> Any:
        return ({}, None)

    @property
    def chunk_keywords(self) -> dict[str, Any]:
        return {"columns": self.operand("columns"), "index": self.index}

    @property
    def aggregate_keywords(self) -> dict[str, Any]:
        return {"ordered": self._ordered()}

    def _ordered(self) -> dict[Any, bool]:
        dtypes = self.frame._meta.dtypes
        return {
            column: bool(getattr(dtypes[column], "ordered", False))
            for column in self.operand("columns")
        }

    @staticmethod
    def chunk(part: Any, columns: list[Any], index: bool) -> Any:
        found = {column: _values_of(part[column]) for column in columns}
        return found, _values_of(part.index) if index else None

    @staticmethod
    def combine(parts: list[Any], ordered: dict[Any, bool]) -> Any:
        columns = {
            column: union_of_categories([part[0][column] for part in parts], ordered[column])
            for column in parts[0][0]
        }
        indexes = [part[1] for part in parts]
        index = None if indexes[0] is None else union_of_categories(indexes, False)
        return columns, index

    aggregate = combine

    def _simplify_down(self) -> Expr | None:
        from samite.dataframe.expressions.selection import Projection

        wanted = list(self.operand("columns"))
        frame = self.frame
        if not isinstance(frame, FrameExpr) or list(frame.columns) == wanted:
            return None
        return type(self)(Projection(frame, wanted), *self.operands[1:])


def _values_of(x: Any) -> pd.Index:
    """The categories of a categorical, or the distinct values of other rows."""
    if isinstance(x, pd.CategoricalIndex):
        return x.categories
    if isinstance(x, pd.Series) and isinstance(x.dtype, pd.CategoricalDtype):
        return x.cat.categories
    return _sorted_if_comparable(pd.Index(x.dropna().drop_duplicates()).rename(None))


def union_of_categories(found: list[pd.Index], ordered: bool) -> pd.Index:
    """All categories, each once: in the order in which they come, or sorted where there are
    several different lists of them."""
    filled = [index for index in found if len(index)] or found[:1]
    result = filled[0]
    if all(index.equals(result) for index in filled[1:]):
        return result
    for index in filled[1:]:
        result = result.append(index.difference(result, sort=False))
    return result if ordered else _sorted_if_comparable(result)


def _sorted_if_comparable(index: pd.Index) -> pd.Index:
    try:
        return index.sort_values()
    except TypeError:  # of types that do not compare
        return index


class Categorized(Elementwise):
    """A frame with columns, and the index unless ``index`` is None, made categorical."""

    _parameters = ["frame", "categories", "index"]

    @staticmethod
    def operation(frame: Any, categories: dict[Any, pd.Index], index: Any) -> Any:
        frame = frame.copy(deep=False)
        for column, found in categories.items():
            frame[column] = _as_categorical(frame[column], found)
        if index is not None:
            labels = frame.index
            values = pd.Categorical(labels, categories=index, ordered=_is_ordered(labels.dtype))
            frame.index = pd.CategoricalIndex(values, name=labels.name)
        return frame

    def _divisions(self) -> Any:
        # Categories need not be in the order of the labels.
        divisions = self.frame.divisions
        return divisions if self.operand("index") is None else (None,) * len(divisions)

    def _with_projected_operands(self, columns: Any) -> Expr | None:
        from samite.dataframe.expressions.selection import Projection

        listed = columns if isinstance(columns, list) else [columns]
        kept = {c: found for c, found in self.categories.items() if c in listed}
        frame = Projection(self.frame, listed)
        made = frame if not kept and self.index is None else Categorized(frame, kept, self.index)
        return made if isinstance(columns, list) else Projection(made, columns)

    def _simplify_up(self, parent: Expr, dependents: Any) -> Any:
        from samite.dataframe.expressions.selection import Projection

        if not isinstance(parent, Projection) or not self._meta.columns.is_unique:
            return None
        columns = parent.operand("columns")
        listed = columns if isinstance(columns, list) else [columns]
        if listed == list(self.columns):
            return None
        return self._with_projected_operands(columns)


def _is_ordered(dtype: Any) -> bool:
    return bool(getattr(dtype, "ordered", False))


def _as_categorical(column: pd.Series, categories: pd.Index) -> pd.Series:
    values = pd.Categorical(column, categories=categories, ordered=_is_ordered(column.dtype))
    return pd.Series(values, index=column.index, name=column.name)
