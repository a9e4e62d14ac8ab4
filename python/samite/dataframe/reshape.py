"""Frames in other shapes: columns of categories, long and wide tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from samite.dataframe.collections.frame_base import FrameBase
from samite.dataframe.map_partitions import map_partitions
from samite.dataframe.metadata import make_meta, meta_nonempty

_AGGREGATIONS = ("mean", "sum", "count", "first", "last")


def get_dummies(
    data: Any,
    prefix: Any = None,
    prefix_sep: Any = "_",
    dummy_na: bool = False,
    columns: Any = None,
    sparse: bool = False,
    drop_first: bool = False,
    dtype: Any = bool,
    **kwargs: Any,
) -> Any:
    """A column for each category, which tells where it is.

    Takes what ``pandas.get_dummies`` takes; ``data`` may be a pandas object.

    Raises
    ------
    NotImplementedError
        A column is not categorical, or its categories are not known: then the columns of the
        result cannot be told without computing.
    """
    from samite.dataframe.known_categories import has_known_categories

    keywords = {
        "prefix": prefix,
        "prefix_sep": prefix_sep,
        "dummy_na": dummy_na,
        "columns": columns,
        "sparse": sparse,
        "drop_first": drop_first,
        "dtype": dtype,
        **kwargs,
    }
    if isinstance(data, (pd.Series, pd.DataFrame)):
        return pd.get_dummies(data, **keywords)
    if not isinstance(data, FrameBase):
        raise TypeError(f"get_dummies takes a frame or series, got {type(data).__name__}")
    meta = data._meta
    if meta.ndim == 1:
        candidates = {meta.name: meta}
        if not isinstance(meta.dtype, pd.CategoricalDtype):
            raise NotImplementedError(_advice("get_dummies", [meta.name]))
    else:
        if columns is None:
            text = [c for c in meta.columns if _is_text(meta[c].dtype)]
            if text:
                raise NotImplementedError(_advice("get_dummies", text))
            chosen = [c for c in meta.columns if isinstance(meta[c].dtype, pd.CategoricalDtype)]
        else:
            chosen = list(columns)
            other = [c for c in chosen if not isinstance(meta[c].dtype, pd.CategoricalDtype)]
            if other:
                raise NotImplementedError(_advice("get_dummies", other))
        candidates = {c: meta[c] for c in chosen}
    unknown = [name for name, column in candidates.items() if not has_known_categories(column)]
    if unknown:
        raise NotImplementedError(
            f"get_dummies: the categories of {unknown} are unknown; use `df.categorize()` or "
            "`.cat.as_known()` first"
        )
    return map_partitions(pd.get_dummies, data, enforce_metadata=False, **keywords)


def _advice(operation: str, columns: list[Any]) -> str:
    return (
        f"`{operation}` with non-categorical columns {columns} is not supported, since their "
        "values are not known before computing; use `df.categorize()` first"
    )


def _is_text(dtype: Any) -> bool:
    return pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype)


def melt(
    frame: Any,
    id_vars: Any = None,
    value_vars: Any = None,
    var_name: Any = None,
    value_name: Any = "value",
    col_level: Any = None,
) -> Any:
    """Columns below each other, in a column of their labels and one of their values.

    Takes what ``pandas.melt`` takes. The index of the result counts within partitions.
    """
    return map_partitions(
        pd.melt,
        frame,
        clear_divisions=True,
        enforce_metadata=False,
        id_vars=id_vars,
        value_vars=value_vars,
        var_name=var_name,
        value_name=value_name,
        col_level=col_level,
    )


def pivot_table(df: Any, index: Any, columns: Any, values: Any, aggfunc: Any = "mean") -> Any:
    """A table with a row for each value of ``index`` and a column for each category of
    ``columns``.

    Parameters
    ----------
    index, columns:
        Labels of columns; ``columns`` must be categorical, with known categories.
    values:
        The label of the column that is aggregated, or a list of labels.
    aggfunc:
        'mean', 'sum', 'count', 'first' or 'last'.

    Raises
    ------
    ValueError
        A label is not there, the categories are not known, or there is no such function.
    """
    from samite.dataframe.known_categories import has_known_categories

    meta = df._meta
    for name, label in (("index", index), ("columns", columns)):
        if not pd.api.types.is_scalar(label) or label not in meta.columns:
            raise ValueError(f"'{name}' must be the name of an existing column, got {label!r}")
    if not isinstance(meta[columns].dtype, pd.CategoricalDtype):
        raise ValueError("'columns' must be category dtype; use `astype('category')`")
    if not has_known_categories(meta[columns]):
        raise ValueError(
            "'columns' must have known categories. Please use `df[columns].cat.as_known()` "
            "beforehand to ensure known categories"
        )
    several = list(values) if isinstance(values, (list, tuple, pd.Index)) else [values]
    if not all(pd.api.types.is_scalar(v) and v in meta.columns for v in several):
        raise ValueError(f"'values' must refer to an existing column or columns, got {values!r}")
    if not isinstance(aggfunc, str) or aggfunc not in _AGGREGATIONS:
        raise ValueError(
            "aggfunc must be either " + ", ".join(f"'{name}'" for name in _AGGREGATIONS)
        )
    grouped = df.groupby([index, columns], observed=False)
    spec = dict.fromkeys(several, aggfunc)
    table = grouped.agg(spec, split_out=1)
    example = meta_nonempty(meta[[*dict.fromkeys([index, columns, *several])]])
    found = example.groupby([index, columns], observed=False).agg(spec)
    wide = _widened(found, index, columns, values, aggfunc)
    return map_partitions(
        _widened_like,
        table,
        index,
        columns,
        values,
        aggfunc,
        make_meta(wide).columns,
        meta=make_meta(wide),
        enforce_metadata=False,
        clear_divisions=True,
    )


def _widened(table: pd.DataFrame, index: Any, columns: Any, values: Any, aggfunc: str) -> Any:
    """Aggregated pairs as a table; rows for which there is nothing are left out."""
    wide = pd.pivot_table(
        table.reset_index(),
        index=index,
        columns=columns,
        values=list(values) if isinstance(values, (tuple, pd.Index)) else values,
        aggfunc="first",
        observed=False,
        dropna=False,
    )
    wide = wide.dropna(how="all")
    return wide.astype("float64") if aggfunc == "count" else wide


def _widened_like(
    table: pd.DataFrame, index: Any, columns: Any, values: Any, aggfunc: str, labels: pd.Index
) -> Any:
    """:func:`_widened` with all columns that the categories promise."""
    wide = _widened(table, index, columns, values, aggfunc)
    return wide if wide.columns.equals(labels) else wide.reindex(columns=labels)
