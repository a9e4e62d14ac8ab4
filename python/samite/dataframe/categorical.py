"""Columns made categorical, with categories that are found by computing."""

from __future__ import annotations

from typing import Any

from samite.dataframe.dispatch import categorical_dtype, is_categorical_dtype
from samite.dataframe.known_categories import has_known_categories

__all__ = ["categorical_dtype", "categorize", "has_known_categories", "is_categorical_dtype"]


def categorize(
    df: Any, columns: Any = None, index: bool | None = None, split_every: Any = None, **kwargs: Any
) -> Any:
    """See :meth:`DataFrame.categorize`.

    Raises
    ------
    ValueError
        ``split_every`` is neither None, False nor an integer of at least 2.
    """
    import pandas as pd

    from samite.dataframe.collections import new_collection
    from samite.dataframe.expressions.categories import Categories, Categorized

    if split_every is not None and split_every is not False:
        if isinstance(split_every, bool) or not isinstance(split_every, int) or split_every < 2:
            raise ValueError(f"split_every must be an integer >= 2, got {split_every!r}")
    meta = df._meta
    if columns is None:
        columns = [c for c, dtype in meta.dtypes.items() if _holds_text(dtype) or _unknown(dtype)]
    elif not isinstance(columns, (list, tuple, pd.Index)):
        columns = [columns]
    columns = [c for c in columns if not _is_known(meta[c].dtype)]
    if index is None:
        index = _holds_text(meta.index.dtype) or _unknown(meta.index.dtype)
    elif index and _is_known(meta.index.dtype):
        index = False
    if not columns and not index:
        return df
    found = new_collection(Categories(df.expr, columns, index, split_every))
    by_column, of_index = found.compute(**kwargs)
    return new_collection(Categorized(df.expr, by_column, of_index))


def _holds_text(dtype: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype)


def _unknown(dtype: Any) -> bool:
    import pandas as pd

    return isinstance(dtype, pd.CategoricalDtype) and not has_known_categories(dtype)


def _is_known(dtype: Any) -> bool:
    import pandas as pd

    return isinstance(dtype, pd.CategoricalDtype) and has_known_categories(dtype)
