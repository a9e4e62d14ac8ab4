"""Categoricals whose categories are not known before computation."""

from __future__ import annotations

from typing import Any

# The one category of a categorical whose categories are not known.
UNKNOWN_CATEGORIES = "__UNKNOWN_CATEGORIES__"


def _categories_of(x: Any) -> Any:
    import pandas as pd

    dtype = getattr(x, "dtype", x)
    return dtype.categories if isinstance(dtype, pd.CategoricalDtype) else None


def has_known_categories(x: Any) -> bool:
    """Whether the categories of a categorical (a collection, series, index or dtype) are known.

    Raises
    ------
    TypeError
        ``x`` is no categorical.
    """
    x = getattr(x, "_meta", x)
    categories = _categories_of(x)
    if categories is None:
        raise TypeError(f"Expected a categorical Series or CategoricalIndex, got {type(x)!r}")
    return UNKNOWN_CATEGORIES not in categories


def clear_known_categories(x: Any, cols: Any = None, index: bool = True, dtype_backend: Any = None):
    """Metadata with the categories of its categoricals marked as not known.

    Parameters
    ----------
    x:
        An empty frame, series or index.
    cols:
        The columns to mark; by default all that are categorical.
    index:
        Whether to mark the index.
    """
    import pandas as pd

    if dtype_backend == "pyarrow":
        return x
    if isinstance(x, pd.Index):
        return _marked(x) if isinstance(x.dtype, pd.CategoricalDtype) else x
    if isinstance(x, pd.DataFrame):
        x = x.copy(deep=False)
        chosen = (
            [c for c, d in x.dtypes.items() if isinstance(d, pd.CategoricalDtype)]
            if cols is None
            else cols
        )
        for column in chosen:
            if isinstance(x[column].dtype, pd.CategoricalDtype):
                x[column] = _marked(x[column])
    elif isinstance(x.dtype, pd.CategoricalDtype):
        x = _marked(x)
    if index and isinstance(getattr(x.index, "dtype", None), pd.CategoricalDtype):
        x = x.copy(deep=False)
        x.index = _marked(x.index)
    return x


def strip_unknown_categories(x: Any, just_drop_unknown: bool = False) -> Any:
    """``x`` without the category that stands for the unknown.

    Parameters
    ----------
    just_drop_unknown:
        Whether to leave out that category alone; otherwise all of them are left out where they
        are not known.
    """
    import pandas as pd

    if isinstance(x, (pd.Series, pd.DataFrame)):
        x = x.copy(deep=False)
        if isinstance(x, pd.DataFrame):
            for column, dtype in x.dtypes.items():
                if isinstance(dtype, pd.CategoricalDtype) and not has_known_categories(dtype):
                    x[column] = _stripped(x[column], just_drop_unknown)
        elif isinstance(x.dtype, pd.CategoricalDtype) and not has_known_categories(x.dtype):
            x = _stripped(x, just_drop_unknown)
        if isinstance(x.index, pd.CategoricalIndex) and not has_known_categories(x.index):
            x.index = _stripped(x.index, just_drop_unknown)
    elif isinstance(x, pd.CategoricalIndex) and not has_known_categories(x):
        x = _stripped(x, just_drop_unknown)
    return x


def _marked(x: Any) -> Any:
    import pandas as pd

    ordered = x.dtype.ordered
    dtype = pd.CategoricalDtype([UNKNOWN_CATEGORIES], ordered=ordered)
    values = pd.Categorical.from_codes([-1] * len(x), dtype=dtype)
    if isinstance(x, pd.Index):
        return pd.CategoricalIndex(values, name=x.name)
    return pd.Series(values, index=x.index, name=x.name)


def _stripped(x: Any, just_drop_unknown: bool) -> Any:
    accessor = x if not hasattr(x, "cat") else x.cat
    if just_drop_unknown:
        return accessor.remove_categories(UNKNOWN_CATEGORIES)
    return accessor.set_categories([])


def with_unfound_categories(result: Any, before: Any) -> Any:
    """Metadata of a conversion, with the categories of categoricals that it makes marked as not
    known: they are found among rows that are not there yet.

    Parameters
    ----------
    result:
        The empty result.
    before:
        What was converted.
    """
    import pandas as pd

    def is_new(dtype: Any, old: Any) -> bool:
        return (
            isinstance(dtype, pd.CategoricalDtype)
            and not isinstance(old, pd.CategoricalDtype)
            and not len(dtype.categories)
        )

    if isinstance(result, pd.DataFrame):
        pairs = zip(result.dtypes.items(), before.dtypes, strict=True)
        columns = [column for (column, dtype), old in pairs if is_new(dtype, old)]
        return clear_known_categories(result, columns, index=False) if columns else result
    return (
        clear_known_categories(result, index=False)
        if is_new(result.dtype, before.dtype)
        else result
    )
