"""Metadata from descriptions: dtypes, names and example objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from samite.dataframe.dispatch import make_meta_dispatch, make_meta_obj
from samite.dataframe.example_rows import example_of_scalar, example_scalar
from samite.dataframe.extensions import make_scalar
from samite.dataframe.known_categories import UNKNOWN_CATEGORIES
from samite.dataframe.libraries import is_block


@make_meta_dispatch.register((pd.DataFrame, pd.Series))
def meta_of_frame(x: Any, index: Any = None) -> Any:
    """A frame or series without its rows, and without a reference to their memory."""
    empty = x.iloc[:0]
    if not len(x):
        return empty
    index = _emptied(x.index)
    if isinstance(empty, pd.Series):
        values = _without_buffers(empty.array) if _is_arrow(empty.dtype) else empty.array.copy()
        return pd.Series(values, index=index, name=empty.name, dtype=empty.dtype, copy=False)
    dtypes = list(empty.dtypes)
    if not any(map(_is_arrow, dtypes)):
        empty = empty.copy()
        empty.index = index
        return empty
    made: dict[Any, Any] = {}
    columns = {}
    for position, dtype in enumerate(dtypes):
        if not _is_arrow(dtype):
            columns[position] = empty.iloc[:, position].array.copy()
            continue
        if dtype not in made:
            made[dtype] = _without_buffers(empty.iloc[:, position].array)
        columns[position] = made[dtype]
    result = pd.DataFrame(columns, index=index, copy=False)
    result.columns = empty.columns
    result.attrs = empty.attrs
    return result


def _is_arrow(dtype: Any) -> bool:
    return isinstance(dtype, (pd.ArrowDtype, pd.StringDtype))


def _without_buffers(values: Any) -> Any:
    # A slice of an Arrow array keeps the whole array alive.
    return type(values)._from_sequence([], dtype=values.dtype)


def _emptied(index: pd.Index) -> pd.Index:
    return index[:0].copy(deep=True)


@make_meta_dispatch.register(pd.Index)
def meta_of_index(x: pd.Index, index: Any = None) -> pd.Index:
    """An index without its labels."""
    return _emptied(x)


@make_meta_dispatch.register(np.ndarray)
def meta_of_array(x: np.ndarray, index: Any = None) -> np.ndarray:
    """The array without its rows."""
    # Joined blocks of records are plain arrays, too.
    return np.array(x[:0]) if x.ndim else x


@make_meta_obj.register((pd.DataFrame, pd.Series, pd.Index))
def meta_of_description(x: Any, index: Any = None) -> Any:
    """An empty pandas object, or a scalar, of a description; see
    :func:`samite.dataframe.utils.make_meta`.

    Raises
    ------
    TypeError
        Nothing can be made of ``x``.
    ValueError
        An iterable has something else than pairs of label and dtype.
    """
    if index is not None:
        index = _emptied(_index_for(index))
    if isinstance(x, dict):
        columns = {label: _empty_series(label, dtype, index) for label, dtype in x.items()}
        return pd.DataFrame(columns, index=index)
    if isinstance(x, tuple) and len(x) == 2:
        return _empty_series(x[0], x[1], index)
    if type(x) in make_scalar._lookup:
        return make_scalar(x)
    if is_block(x):
        return _array_without_rows(x)
    if isinstance(x, Iterable) and not isinstance(x, (str, bytes, np.generic)):
        return _frame_of_pairs(x, index)
    if isinstance(x, type) and not _names_dtype(x):
        raise TypeError(f"Don't know how to create metadata from {x!r}")
    if isinstance(x, (str, type, np.dtype, pd.api.extensions.ExtensionDtype)):
        try:
            return example_scalar(pd.CategoricalDtype() if x == "category" else x)
        except TypeError:
            if not isinstance(x, str):
                raise
    if x is None or x is pd.NaT or pd.api.types.is_scalar(x) or hasattr(x, "dtype"):
        return example_of_scalar(x)
    try:
        make = make_scalar.dispatch(type(x))
    except TypeError:
        raise TypeError(f"Don't know how to create metadata from {x!r}") from None
    return make(x)


def _array_without_rows(x: Any) -> Any:
    from samite.array.utils import meta_from_array

    try:
        return x[:0]
    except (TypeError, IndexError, NotImplementedError):
        return meta_from_array(x)


def _names_dtype(kind: type) -> bool:
    if issubclass(kind, (np.generic, pd.api.extensions.ExtensionDtype)):
        return True
    return kind in (int, float, bool, complex, str, bytes, object)


def _index_for(index: Any) -> pd.Index:
    index = getattr(index, "_meta", index)
    return index if isinstance(index, pd.Index) else pd.Index(index)


def _frame_of_pairs(x: Iterable[Any], index: Any) -> pd.DataFrame:
    pairs = list(x)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"Expected iterable of tuples of (name, dtype), got {x!r}")
    columns = {label: _empty_series(label, dtype, index) for label, dtype in pairs}
    return pd.DataFrame(columns, columns=[label for label, _ in pairs], index=index)


def _empty_series(name: Any, dtype: Any, index: Any) -> pd.Series:
    if isinstance(dtype, str) and dtype == "category":
        dtype = pd.CategoricalDtype([UNKNOWN_CATEGORIES])
    return pd.Series([], dtype=dtype, name=name, index=index)
