"""Frames one after the other, or side by side."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from samite.dataframe.joining import concat as concat_objects


def concat(
    dfs: Any,
    axis: Any = 0,
    join: str = "outer",
    ignore_unknown_divisions: bool = False,
    ignore_order: bool = False,
    interleave_partitions: bool = False,
    sort: bool = False,
) -> Any:
    """Frames and series joined along an axis.

    Parameters
    ----------
    dfs:
        A list of collections and pandas objects.
    axis:
        0 or "index" for one after the other, 1 or "columns" for side by side.
    join:
        "outer" keeps all columns (or rows), "inner" those that all have.
    ignore_unknown_divisions:
        Whether not to warn that frames without known divisions are put side by side as they
        are.
    ignore_order:
        Whether the order of categories is of no meaning.
    interleave_partitions:
        Whether frames with known divisions that overlap are cut at common divisions, so that
        the result is in the order of its index; otherwise its divisions are not known.
    sort:
        Whether the columns of frames one after the other are brought in order, where they differ.

    Raises
    ------
    TypeError
        ``dfs`` is no list.
    ValueError
        There is nothing to join, ``join`` is unknown, or frames side by side have divisions that
        are not known and different numbers of partitions.
    """
    from samite.dataframe.collections.frame_base import FrameBase, new_collection
    from samite.dataframe.expressions.concat import Concat
    from samite.dataframe.expressions.node import are_co_aligned
    from samite.dataframe.io.from_pandas import from_pandas

    if not isinstance(dfs, (list, tuple)):
        raise TypeError(
            f"dfs must be a list of DataFrames/Series objects, got {type(dfs).__name__}"
        )
    if not dfs:
        raise ValueError("No objects to concatenate")
    if join not in ("inner", "outer"):
        raise ValueError(f"'join' must be 'inner' or 'outer', got {join!r}")
    axis = {"index": 0, "rows": 0, "columns": 1}.get(axis, axis)
    if axis not in (0, 1):
        raise ValueError(f"axis must be 0, 1, 'index' or 'columns', got {axis!r}")
    frames = [
        df if isinstance(df, FrameBase) else from_pandas(df, npartitions=1, sort=False)
        for df in dfs
    ]
    if axis == 0 and len(frames) == 1:
        return frames[0]
    exprs = [frame.expr for frame in frames]
    if axis == 0:
        # A frame without columns and rows has a part in neither.
        filled = [expr for expr, df in zip(exprs, dfs, strict=True) if not _is_void(df)]
        exprs = filled or exprs[:1]
    expr = Concat(join, axis, interleave_partitions, ignore_order, *exprs)
    if axis == 1:
        known = all(frame.known_divisions for frame in exprs)
        if not known and not are_co_aligned(*exprs):
            if expr._plan == "positions" and expr.npartitions > 1 and not ignore_unknown_divisions:
                warnings.warn(
                    "Concatenating dataframes with unknown divisions.\n"
                    "We're assuming that the indices of each dataframes are aligned. This "
                    "assumption is not generally safe.",
                    UserWarning,
                    stacklevel=2,
                )
    if sort and axis == 0 and expr.ndim == 2:
        if any(list(frame.columns) != list(expr.columns) for frame in exprs):
            return new_collection(expr)[sorted(expr.columns)]
    return new_collection(expr)


def _is_void(df: Any) -> bool:
    return isinstance(df, pd.DataFrame) and df.shape == (0, 0)


def joined(parts: list[Any], join: str, axis: int, ignore_order: bool) -> Any:
    """Partitions joined along an axis."""
    if ignore_order:
        parts = [_unordered(part) for part in parts]
    if axis == 1 and len(parts) == 1:
        return parts[0] if isinstance(parts[0], pd.DataFrame) else parts[0].to_frame()
    return concat_objects(parts, axis=axis, join=join)


def joined_parts(join: str, axis: int, ignore_order: bool, checked: bool, *parts: Any) -> Any:
    """See :class:`ConcatPartitions`.

    Raises
    ------
    ValueError
        ``checked`` is set and the numbers of rows differ.
    """
    if checked and len({len(part) for part in parts}) > 1:
        raise ValueError(
            "Concatenated DataFrames of different lengths: partitions of frames without known "
            f"divisions have {[len(part) for part in parts]} rows; set an index on them first"
        )
    return joined(list(parts), join, axis, ignore_order)


def has_form(meta: Any, whole: Any) -> bool:
    """Whether partitions described by ``meta`` are described by ``whole`` as well."""
    if type(meta) is not type(whole):
        return False
    if meta.ndim == 1:
        return meta.name == whole.name and meta.dtype == whole.dtype and _same_index(meta, whole)
    return (
        meta.columns.equals(whole.columns)
        and list(meta.dtypes) == list(whole.dtypes)
        and _same_index(meta, whole)
    )


def _same_index(meta: Any, whole: Any) -> bool:
    if isinstance(meta, pd.Index):
        return True
    return meta.index.dtype == whole.index.dtype and meta.index.names == whole.index.names


def in_form(part: Any, whole: Any, join: str, ignore_order: bool) -> Any:
    """A partition with the columns of ``whole``, in their order."""
    if ignore_order:
        part = _unordered(part)
    if isinstance(whole, pd.Index):
        return part
    if isinstance(whole, pd.Series):
        result = part if part.name == whole.name else part.rename(whole.name)
        if result.dtype == whole.dtype:
            return result
        if isinstance(whole.dtype, pd.CategoricalDtype):
            return _as_category(result, whole.dtype)
        return concat_objects([whole, result])
    if isinstance(part, pd.Series):
        # A series among frames is a column under its name; pandas numbers those without one.
        part = part.to_frame(0 if part.name is None else part.name)
    names = part.index.names
    result = part.reindex(columns=whole.columns)
    for column in whole.columns:
        wanted = whole[column].dtype
        if isinstance(wanted, pd.CategoricalDtype) and result[column].dtype != wanted:
            result[column] = _as_category(result[column], wanted)
        elif column not in part.columns and result[column].dtype != wanted:
            # What is missing here takes the dtype that it has elsewhere, if that has a place
            # for missing values.
            try:
                result[column] = result[column].astype(wanted)
            except (TypeError, ValueError):
                pass
    result.index.names = names
    if list(result.index.names) != list(whole.index.names):
        result.index = result.index.set_names(whole.index.names)
    return result


def _as_category(values: Any, wanted: Any) -> Any:
    from samite.dataframe.known_categories import has_known_categories

    if has_known_categories(pd.Series([], dtype=wanted)):
        return values.astype(wanted)
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values
    return values.astype("category")


def _unordered(part: Any) -> Any:
    if isinstance(part, pd.DataFrame):
        changed = {
            column: part[column].cat.as_unordered()
            for column in part.columns
            if isinstance(part[column].dtype, pd.CategoricalDtype) and part[column].cat.ordered
        }
        return part.assign(**changed) if changed else part
    if isinstance(part, pd.Series) and isinstance(part.dtype, pd.CategoricalDtype):
        return part.cat.as_unordered()
    return part
