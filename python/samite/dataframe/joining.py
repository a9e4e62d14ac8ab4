"""Putting partitions together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from samite.dataframe.dispatch import concat_dispatch

_KINDS = (pd.DataFrame, pd.Series, pd.Index)


def concat_partitions(parts: list[Any], meta: Any = None, ignore_index: bool = False) -> Any:
    """Partitions in order as one object; empty ones do not change its dtypes.

    ``meta`` is given back where there is no partition. Partitions that are no pandas objects
    become a series.
    """
    parts = [part for part in parts if part is not None]
    if not parts:
        return meta
    first = parts[0]
    if len(parts) == 1:
        return first
    if not isinstance(first, _KINDS):
        return _concat_others(parts)
    filled = [part for part in parts if len(part)] or parts[:1]
    if len(filled) == 1:
        return filled[0]
    return concat(filled, ignore_index=ignore_index)


def _concat_others(parts: list[Any]) -> Any:
    first = parts[0]
    try:
        join = concat_dispatch.dispatch(type(first))
    except TypeError:
        join = None
    if join is not None:
        return join(parts)
    import numpy as np

    if isinstance(first, np.ndarray) and first.ndim:
        return np.concatenate(parts)
    try:
        return pd.Series(parts)
    except (TypeError, ValueError):
        return parts


def concat(
    dfs: Sequence[Any],
    axis: int = 0,
    join: str = "outer",
    uniform: bool = False,
    filter_warning: bool = True,
    ignore_index: bool = False,
    **kwargs: Any,
) -> Any:
    """``pandas.concat``, except that the categories of categoricals are joined to their union.

    Parameters
    ----------
    uniform:
        Whether the columns and dtypes of all are known to be those of the first.
    filter_warning:
        Whether pandas' warnings about what the future brings are left out.
    """
    if len(dfs) == 1:
        return dfs[0]
    join_these = concat_dispatch.dispatch(type(dfs[0]))
    return join_these(
        dfs,
        axis=axis,
        join=join,
        uniform=uniform,
        filter_warning=filter_warning,
        ignore_index=ignore_index,
        **kwargs,
    )


@concat_dispatch.register(_KINDS)
def concat_pandas(
    dfs: Sequence[Any],
    axis: int = 0,
    join: str = "outer",
    uniform: bool = False,
    filter_warning: bool = True,
    ignore_index: bool = False,
    **kwargs: Any,
) -> Any:
    """See :func:`concat`."""
    dfs = list(dfs)
    if axis == 1:
        return pd.concat(dfs, axis=axis, join=join, sort=False, **_given(ignore_index, kwargs))
    if isinstance(dfs[0], pd.Index):
        return _concat_indexes(dfs)
    dfs = _with_common_categories(dfs, uniform)
    indexes = [df.index for df in dfs]
    # Categorical indexes need the union of their categories; pandas makes them objects.
    by_itself = not ignore_index and any(map(_is_categorical, indexes))
    if by_itself:
        index = _concat_indexes(indexes)
        dfs = [df.reset_index(drop=True) for df in dfs]
    with warnings.catch_warnings():
        if filter_warning:
            warnings.simplefilter("ignore", FutureWarning)
        result = pd.concat(dfs, join=join, sort=False, **_given(ignore_index or by_itself, kwargs))
    if by_itself:
        result.index = index
    elif not ignore_index:
        # pandas takes another look at labels that are objects.
        kept = _uninferred(result.index, indexes)
        if kept is not result.index:
            result.index = kept
    return result


def _is_categorical(index: pd.Index) -> bool:
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    return any(isinstance(level, pd.CategoricalIndex) for level in levels)


def _given(ignore_index: bool, kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"ignore_index": ignore_index, **kwargs}


def _concat_indexes(indexes: list[Any]) -> Any:
    first = indexes[0]
    if all(isinstance(index, pd.CategoricalIndex) for index in indexes):
        return pd.CategoricalIndex(union_categoricals(indexes), name=first.name)
    if isinstance(first, pd.MultiIndex):
        return _concat_multi_indexes(indexes)
    return _uninferred(first.append(indexes[1:]), indexes)


def _uninferred(index: Any, parts: Sequence[Any]) -> Any:
    """Joined labels with the dtype of the parts, if all of these are of objects."""
    if isinstance(index, pd.MultiIndex) or pd.api.types.is_object_dtype(index.dtype):
        return index
    objects = all(pd.api.types.is_object_dtype(part.dtype) for part in parts)
    return index.astype(object) if objects else index


def _concat_multi_indexes(indexes: list[Any]) -> Any:
    first = indexes[0]
    if not all(isinstance(i, pd.MultiIndex) and i.nlevels >= first.nlevels for i in indexes):
        return first.append(indexes[1:])
    if not _is_categorical(first):
        return first.append(indexes[1:])
    levels = [
        _concat_indexes([index.get_level_values(number) for index in indexes])
        for number in range(first.nlevels)
    ]
    return pd.MultiIndex.from_arrays(levels, names=first.names)


def _with_common_categories(dfs: list[Any], uniform: bool) -> list[Any]:
    """The frames with equal categories wherever all that have a column have a categorical."""
    if not _has_categoricals(dfs[:1] if uniform else dfs):
        return dfs
    if all(isinstance(df, pd.Series) for df in dfs):
        if _share_dtype([df.dtype for df in dfs]) or not _all_categorical(dfs):
            return dfs
        categories = union_categoricals(dfs).dtype
        return [df.astype(categories) for df in dfs]
    if not all(isinstance(df, pd.DataFrame) and df.columns.is_unique for df in dfs):
        return dfs
    changes: list[dict[Any, Any]] = [{} for _ in dfs]
    for column in dict.fromkeys(c for df in dfs for c in df.columns):
        owners = [number for number, df in enumerate(dfs) if column in df.columns]
        series = [dfs[number][column] for number in owners]
        if not _all_categorical(series) or _share_dtype([s.dtype for s in series]):
            continue
        dtype = union_categoricals(series).dtype
        for number in owners:
            changes[number][column] = dtype
    return [df.astype(change) if change else df for df, change in zip(dfs, changes, strict=True)]


def _has_categoricals(dfs: list[Any]) -> bool:
    for df in dfs:
        dtypes = df.dtypes if isinstance(df, pd.DataFrame) else [df.dtype]
        if any(isinstance(dtype, pd.CategoricalDtype) for dtype in dtypes):
            return True
    return False


def _all_categorical(series: list[Any]) -> bool:
    return all(isinstance(s.dtype, pd.CategoricalDtype) for s in series)


def _share_dtype(dtypes: list[Any]) -> bool:
    first = dtypes[0]
    return all(
        dtype is first or (dtype == first and dtype.categories.equals(first.categories))
        for dtype in dtypes[1:]
    )


def union_categoricals(
    to_union: Sequence[Any], sort_categories: bool = False, ignore_order: bool = False
) -> Any:
    """Categoricals one after the other, with the union of their categories.

    Raises
    ------
    TypeError
        The categories are of different dtypes, or ordered and different.
    """
    from pandas.api.types import union_categoricals as union

    return union(to_union, sort_categories=sort_categories, ignore_order=ignore_order)
